//! A client of TLS 1.3 that offers several sessions in one hello: octet by octet, because no client
//! at hand does, with tickets and keys that openssl has kept of sessions of its own.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;

use crate::harness::hello::{Hello, ServerHello};
use crate::resumption::{Clients, RESUMED};
use crate::resumption_refused::listed;
use crate::revocation::replace;

const PSK_MODES: u16 = 45;
const PRE_SHARED_KEY: u16 = 41;
const HASH_BYTES: usize = 32;

/// What a client keeps of a session with TLS_AES_128_GCM_SHA256.
struct Session {
    ticket: Vec<u8>,
    key: Vec<u8>,
}

impl Session {
    /// From a file of `openssl s_client -sess_out`.
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).expect("written by openssl");
        let lines = text.lines().filter(|line| !line.starts_with("-----"));
        let text: String = lines.collect();
        let der = base64::engine::general_purpose::STANDARD.decode(text);
        let der = der.expect("PEM");
        let (_, fields) = elements(&der).remove(0);
        let fields = elements(fields);
        // Versions of the file and of TLS, suite, id, key; then fields by tags of their own.
        let [_, (_, version), (_, suite), _, (_, key), ..] = fields[..] else {
            panic!("no session: {fields:?}");
        };
        assert_eq!((version, suite), (&[3, 4][..], &[0x13, 1][..]));
        let ticket = fields.iter().find(|(tag, _)| *tag == 0xaa);
        let (_, ticket) = ticket.expect("a ticket");
        Self {
            ticket: elements(ticket)[0].1.to_vec(),
            key: key.to_vec(),
        }
    }

    /// One of nobody.
    fn made_up() -> Self {
        Self {
            ticket: vec![0x5a; 200],
            key: vec![0x5a; HASH_BYTES],
        }
    }

    /// Proof that the key is known, over a hello up to its binders: RFC 8446 section 4.2.11.2.
    fn binder(&self, hello: &[u8]) -> Vec<u8> {
        let early = keyed(&[0; HASH_BYTES], &self.key);
        let binder = expand(&early, "res binder", digest(&SHA256, b"").as_ref());
        let finished = expand(&binder, "finished", b"");
        keyed(&finished, digest(&SHA256, hello).as_ref())
    }
}

fn keyed(key: &[u8], data: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, data).as_ref().to_vec()
}

/// HKDF-Expand-Label to as much as the hash has: RFC 8446 section 7.1.
fn expand(secret: &[u8], label: &str, context: &[u8]) -> Vec<u8> {
    let length = |octets: usize| u8::try_from(octets).expect("short");
    let label = format!("tls13 {label}");
    let mut info = vec![0, length(HASH_BYTES), length(label.len())];
    info.extend_from_slice(label.as_bytes());
    info.push(length(context.len()));
    info.extend_from_slice(context);
    info.push(1);
    keyed(secret, &info)
}

/// The elements of DER, each its tag and its content.
fn elements(mut rest: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let [tag, first, after @ ..] = rest {
        let (octets, after) = match *first {
            short @ ..=0x7f => (usize::from(short), after),
            long => {
                let (length, after) = after.split_at(usize::from(long & 0x7f));
                let fold = |sum, octet: &u8| sum << 8 | usize::from(*octet);
                (length.iter().fold(0, fold), after)
            }
        };
        let (content, after) = after.split_at(octets);
        found.push((*tag, content));
        rest = after;
    }
    found
}

/// The record of a hello that offers these sessions, in this order.
fn offering(sessions: &[&Session]) -> Vec<u8> {
    let vector = |content: &[u8]| {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        [&length[..], content].concat()
    };
    let identity = |session: &&Session| [&*vector(&session.ticket), &[0; 4]].concat();
    let identities: Vec<u8> = sessions.iter().flat_map(identity).collect();
    let binder = |octets: &[u8]| [&[32], octets].concat();
    let unproven: Vec<u8> = sessions.iter().flat_map(|_| binder(&[0; 32])).collect();
    let binders_bytes = unproven.len();
    let content = [vector(&identities), vector(&unproven)].concat();
    // Which has to be the last of the extensions.
    let hello = Hello::tls13()
        .with(PSK_MODES, &[1, 1])
        .with(PRE_SHARED_KEY, &content);
    let mut record = hello.record();
    let end = record.len() - binders_bytes;
    let proven: Vec<u8> = sessions
        .iter()
        .flat_map(|session| binder(&session.binder(&record[5..end - 2])))
        .collect();
    record.truncate(end);
    record.extend(proven);
    record
}

/// The place of the session that the server continues; none where it begins anew.
fn continued(answer: &ServerHello) -> Option<u16> {
    let place = answer.extension(PRE_SHARED_KEY)?;
    Some(u16::from_be_bytes(place.try_into().expect("two octets")))
}

#[test]
fn of_several_tickets_in_one_hello_the_first_that_is_still_good_is_continued() {
    let listed = listed();
    let [one, two] = listed.nodes.each_ref().map(|node| node.address);
    let sessions = [&listed.acme, &listed.globex].map(|who| {
        let mut clients = Clients::of(&listed.stage, who);
        clients.begin(one);
        let session = Session::read(&clients.openssl[0].session);
        assert_eq!(clients.come_again(two), RESUMED);
        session
    });
    let ([acme, globex], nobody) = (&sessions, &Session::made_up());
    let place = |sessions: &[&Session]| {
        let answer = crate::harness::hello::say(two, &offering(sessions));
        continued(&answer.hello())
    };
    assert_eq!(place(&[acme, globex]), Some(0));
    assert_eq!(place(&[nobody, acme, globex]), Some(1));
    assert_eq!(place(&[nobody]), None);
    listed.ca.revoke(&listed.acme, "keyCompromise");
    let next = listed.ca.list("next.crl", 30 * 86_400);
    replace(&listed.list, &next, &listed.nodes.each_ref());
    assert_eq!(place(&[acme]), None, "a full handshake, to be refused in");
    assert_eq!(place(&[acme, globex]), Some(1));
    assert_eq!(place(&[nobody, acme]), None);
    // A ticket is nothing without its key.
    let stolen = &Session {
        ticket: globex.ticket.clone(),
        key: vec![0; HASH_BYTES],
    };
    let answer = crate::harness::hello::say(two, &offering(&[stolen]));
    assert_eq!(
        answer,
        crate::harness::hello::Reply::Alert(51),
        "decrypt_error"
    );
}
