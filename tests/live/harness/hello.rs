//! A ClientHello octet by octet, for what no library at hand will say, and what the server answers
//! to it in the clear.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;

use super::client::HOST;
use super::{WAIT, command, run_well};

pub const SERVER_NAME: u16 = 0;
pub const TRUNCATED_HMAC: u16 = 4;
pub const SUPPORTED_GROUPS: u16 = 10;
pub const POINT_FORMATS: u16 = 11;
pub const SIGNATURE_ALGORITHMS: u16 = 13;
pub const EXTENDED_MASTER_SECRET: u16 = 23;
pub const PRE_SHARED_KEY: u16 = 41;
pub const SUPPORTED_VERSIONS: u16 = 43;
pub const PSK_MODES: u16 = 45;
pub const KEY_SHARE: u16 = 51;
pub const RENEGOTIATION_INFO: u16 = 0xff01;

pub const X25519: u16 = 29;
pub const P256: u16 = 23;
pub const P384: u16 = 24;
pub const HYBRID: u16 = 0x11ec;

/// Alerts by their numbers.
pub const HANDSHAKE_FAILURE: u8 = 40;
pub const PROTOCOL_VERSION: u8 = 70;
pub const MISSING_EXTENSION: u8 = 109;
pub const UNRECOGNIZED_NAME: u8 = 112;

/// What a client says first. Begin with [`Hello::tls12`] or [`Hello::tls13`] and change it.
#[derive(Clone)]
pub struct Hello {
    pub version: [u8; 2],
    pub suites: Vec<u16>,
    pub compressions: Vec<u8>,
    pub extensions: Vec<(u16, Vec<u8>)>,
}

/// A session of TLS 1.3 that can be continued.
pub struct TlsSession {
    ticket: Vec<u8>,
    key: Vec<u8>,
}

impl TlsSession {
    /// One that `openssl s_client -sess_out` has left.
    pub fn of_openssl(file: &Path) -> Self {
        let mut openssl = command("openssl");
        let openssl = openssl.args(["sess_id", "-noout", "-text", "-in"]);
        let told = run_well(openssl.arg(file));
        let digits = |text: &str| -> Vec<u8> {
            let digits: Vec<char> = text.chars().filter(char::is_ascii_hexdigit).collect();
            let octet = |pair: &[char]| pair.iter().collect::<String>();
            let octets = digits.chunks(2).map(octet);
            let octets = octets.map(|pair| u8::from_str_radix(&pair, 16).expect("two digits"));
            octets.collect()
        };
        let key = told
            .lines()
            .find_map(|line| line.trim().strip_prefix("Resumption PSK: "))
            .unwrap_or_else(|| panic!("no session of TLS 1.3: {told}"));
        // Sixteen octets in a line, between their place and what they read as.
        let dumped = told
            .lines()
            .skip_while(|l| l.trim() != "TLS session ticket:");
        let dumped = dumped.skip(1).map_while(|line| line.split_once(" - "));
        let ticket = dumped.flat_map(|(_, line)| digits(&line[..line.len().min(47)]));
        Self {
            key: digits(key),
            ticket: ticket.collect(),
        }
    }

    /// That whoever says a hello has the session's key: RFC 8446 section 4.2.11.2.
    fn binder(&self, hello: &[u8]) -> Vec<u8> {
        let mac = |key: &[u8], parts: &[&[u8]]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key);
            hmac::sign(&key, &parts.concat()).as_ref().to_vec()
        };
        // HKDF-Expand-Label for as many octets as the hash has: one block.
        let expand = |secret: &[u8], label: &str, context: &[u8]| {
            let label = ["tls13 ", label].concat();
            let (label, context) = (label.as_bytes(), context);
            let lengths = [length8(label.len()), length8(context.len())];
            let [of_label, of_context] = [&lengths[..1], &lengths[1..]];
            mac(
                secret,
                &[&[0, 32], of_label, label, of_context, context, &[1]],
            )
        };
        let early = mac(&[0; 32], &[&self.key]);
        let nothing = digest(&SHA256, b"");
        let key = expand(&early, "res binder", nothing.as_ref());
        let key = expand(&key, "finished", b"");
        mac(&key, &[digest(&SHA256, hello).as_ref()])
    }
}

/// What the server says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Hello(ServerHello),
    Alert(u8),
    /// It closed the connection and said nothing.
    Closed,
    /// Octets of no TLS.
    Other(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    pub version: [u8; 2],
    random: Vec<u8>,
    pub suite: u16,
    pub compression: u8,
    extensions: Vec<(u16, Vec<u8>)>,
}

/// The random of a HelloRetryRequest: RFC 8446 section 4.1.3.
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// An extension without content, as one that is offered.
pub const EMPTY: &[u8] = &[];

impl Hello {
    /// Of TLS 1.2 as the profile wants it: all its suites, groups and schemes.
    pub fn tls12() -> Self {
        Self {
            version: [3, 3],
            suites: vec![0xc02b, 0xc02c, 0xcca9, 0xc02f, 0xc030, 0xcca8],
            compressions: vec![0],
            extensions: Vec::new(),
        }
        .with(SERVER_NAME, &server_name(HOST))
        .with(EXTENDED_MASTER_SECRET, EMPTY)
        .with(RENEGOTIATION_INFO, &[0])
        .with(POINT_FORMATS, &[1, 0])
        .with(SUPPORTED_GROUPS, &numbers(&[X25519, P256, P384]))
        .with(SIGNATURE_ALGORITHMS, &numbers(&[0x0403, 0x0804, 0x0401]))
    }

    /// Of TLS 1.3, with a share for P-256 that is a point of it.
    pub fn tls13() -> Self {
        let mut hello = Self::tls12()
            .with(SUPPORTED_VERSIONS, &[2, 3, 4])
            .with(SUPPORTED_GROUPS, &numbers(&[P256, X25519, P384]))
            .with(KEY_SHARE, &shares(&[(P256, &GENERATOR)]));
        hello.suites = vec![0x1301, 0x1302, 0x1303];
        hello
    }

    /// With this extension, in place of the one that is there.
    #[must_use]
    pub fn with(mut self, kind: u16, content: &[u8]) -> Self {
        self = self.without(kind);
        self.extensions.push((kind, content.to_vec()));
        self
    }

    #[must_use]
    pub fn without(mut self, kind: u16) -> Self {
        self.extensions.retain(|(other, _)| *other != kind);
        self
    }

    #[must_use]
    pub fn offering(mut self, suites: &[u16]) -> Self {
        self.suites = suites.to_vec();
        self
    }

    /// The only groups, without shares for them.
    #[must_use]
    pub fn in_groups(self, groups: &[u16]) -> Self {
        let is_tls13 = self.extensions.iter().any(|(kind, _)| *kind == KEY_SHARE);
        let hello = self.with(SUPPORTED_GROUPS, &numbers(groups));
        match is_tls13 {
            true => hello.with(KEY_SHARE, &shares(&[])),
            false => hello,
        }
    }

    /// Offers a session of TLS 1.3 over SHA-256, to be continued in these ways.
    #[must_use]
    pub fn continuing(self, session: &TlsSession, modes: &[u8]) -> Self {
        const BINDER_BYTES: usize = 32;
        let modes = [&[length8(modes.len())], modes].concat();
        // Its age is looked at for early data only.
        let identity = [&vector(&session.ticket)[..], &[0; 4]].concat();
        let offer = |binder: &[u8]| {
            let binder = [&[length8(binder.len())], binder].concat();
            [vector(&identity), vector(&binder)].concat()
        };
        // It has to be the last extension.
        let unbound = self
            .with(PSK_MODES, &modes)
            .with(PRE_SHARED_KEY, &offer(&[0; BINDER_BYTES]));
        let message = unbound.record().split_off(5);
        let bound = &message[..message.len() - (2 + 1 + BINDER_BYTES)];
        let binder = session.binder(bound);
        unbound.with(PRE_SHARED_KEY, &offer(&binder))
    }

    /// The record that carries it.
    pub fn record(&self) -> Vec<u8> {
        let suites = numbers(&self.suites);
        let compressions = [&[length8(self.compressions.len())], &*self.compressions].concat();
        let extension =
            |(kind, content): &(u16, Vec<u8>)| [&kind.to_be_bytes()[..], &vector(content)].concat();
        let extensions: Vec<u8> = self.extensions.iter().flat_map(extension).collect();
        let mut body = self.version.to_vec();
        body.extend_from_slice(&[0x5a; 32]);
        body.push(0);
        body.extend(suites);
        body.extend(compressions);
        if !extensions.is_empty() {
            body.extend(vector(&extensions));
        }
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        let message = [&[1][..], &length[1..], &body].concat();
        let [_, minor] = self.version;
        [&[22, 3, minor.min(1)][..], &vector(&message)].concat()
    }

    /// Says it on a connection of its own.
    pub fn ask(&self, address: SocketAddr) -> Reply {
        say(address, &self.record())
    }

    /// As [`Self::ask`], in records of so many octets.
    pub fn ask_in_records(&self, of: usize, address: SocketAddr) -> Reply {
        let record = |part: &[u8]| [&[22, 3, 1][..], &vector(part)].concat();
        let message = &self.record()[5..];
        let records: Vec<u8> = message.chunks(of).flat_map(record).collect();
        say(address, &records)
    }
}

/// Says octets on a connection of its own, and hears the first record of the answer.
pub fn say(address: SocketAddr, octets: &[u8]) -> Reply {
    let mut stream = TcpStream::connect_timeout(&address, WAIT).expect("a listener");
    stream.set_read_timeout(Some(WAIT)).expect("not zero");
    stream.write_all(octets).expect("an open socket");
    let mut head = [0; 5];
    let mut heard = 0;
    while heard < head.len() {
        match stream.read(&mut head[heard..]) {
            Ok(0) => break,
            Ok(read) => heard += read,
            Err(fault) if fault.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(fault) => panic!("no answer: {fault}"),
        }
    }
    if heard == 0 {
        return Reply::Closed;
    }
    let [content, 3, _, high, low] = head else {
        return Reply::Other(head[..heard].to_vec());
    };
    let mut body = vec![0; usize::from(u16::from_be_bytes([high, low]))];
    stream.read_exact(&mut body).expect("a whole record");
    match content {
        21 => Reply::Alert(body[1]),
        22 if body.first() == Some(&2) => Reply::Hello(ServerHello::read(&body[4..])),
        _ => Reply::Other([&head[..], &body].concat()),
    }
}

/// The same, to the end of the connection: content type and length of each record of the answer.
pub fn say_all(address: SocketAddr, octets: &[u8]) -> Vec<(u8, usize)> {
    let mut stream = TcpStream::connect_timeout(&address, WAIT).expect("a listener");
    stream.set_read_timeout(Some(WAIT)).expect("not zero");
    stream.write_all(octets).expect("an open socket");
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    let (mut records, mut rest) = (Vec::new(), heard.as_slice());
    while let [content, _, _, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        records.push((*content, length));
        rest = after.get(length..).unwrap_or_default();
    }
    records
}

impl Reply {
    /// The ServerHello.
    ///
    /// # Panics
    /// When it is none.
    pub fn hello(self) -> ServerHello {
        match self {
            Self::Hello(hello) => hello,
            other => panic!("no ServerHello: {other:?}"),
        }
    }
}

impl ServerHello {
    fn read(body: &[u8]) -> Self {
        let mut rest = body;
        let mut take = |count: usize| {
            let (taken, left) = rest.split_at(count);
            rest = left;
            taken
        };
        let version = take(2).try_into().expect("two");
        let random = take(32).to_vec();
        let id = usize::from(take(1)[0]);
        take(id);
        let suite = u16::from_be_bytes(take(2).try_into().expect("two"));
        let compression = take(1)[0];
        let mut extensions = Vec::new();
        // The first message of the record; others may follow it.
        let mut left = usize::from(u16::from_be_bytes(take(2).try_into().expect("two")));
        while left > 0 {
            let kind = u16::from_be_bytes(take(2).try_into().expect("two"));
            let length = usize::from(u16::from_be_bytes(take(2).try_into().expect("two")));
            extensions.push((kind, take(length).to_vec()));
            left -= 4 + length;
        }
        Self {
            version,
            random,
            suite,
            compression,
            extensions,
        }
    }

    pub fn is_retry(&self) -> bool {
        self.random == RETRY
    }

    pub fn extension(&self, kind: u16) -> Option<&[u8]> {
        let found = self.extensions.iter().find(|(other, _)| *other == kind);
        found.map(|(_, content)| content.as_slice())
    }

    /// The group of its share, or of the one it asks for.
    pub fn group(&self) -> Option<u16> {
        let share = self.extension(KEY_SHARE)?;
        Some(u16::from_be_bytes(share.get(..2)?.try_into().ok()?))
    }
}

/// The content of a server_name extension.
pub fn server_name(name: &str) -> Vec<u8> {
    vector(&[&[0][..], &vector(name.as_bytes())].concat())
}

/// A vector of numbers, as of groups and schemes.
pub fn numbers(all: &[u16]) -> Vec<u8> {
    let content: Vec<u8> = all.iter().flat_map(|one| one.to_be_bytes()).collect();
    vector(&content)
}

/// The content of a client's key_share extension.
pub fn shares(all: &[(u16, &[u8])]) -> Vec<u8> {
    let share = |(group, key): &(u16, &[u8])| [&group.to_be_bytes()[..], &vector(key)].concat();
    let content: Vec<u8> = all.iter().flat_map(share).collect();
    vector(&content)
}

fn vector(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("short").to_be_bytes();
    [&length[..], content].concat()
}

fn length8(length: usize) -> u8 {
    u8::try_from(length).expect("short")
}

/// The generator of P-256, uncompressed: whoever sends it as a share knows its key, which is 1.
const GENERATOR: [u8; 65] = [
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40,
    0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2,
    0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e,
    0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51,
    0xf5,
];
