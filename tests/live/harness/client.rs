//! An SCS/AS that sends the octets it is given through TLS and reads answers one at a time.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::{Resumption, Tls12Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, SupportedProtocolVersion,
};

use super::WAIT;
use super::pki::Identity;

/// Why no answer came.
#[derive(Debug, PartialEq, Eq)]
pub enum ReadFault {
    /// The connection was closed before the first octet of an answer.
    Closed,
    /// The connection was closed, or broke, in the middle of an answer.
    CutOff(String),
    /// Nothing came for [`WAIT`].
    Silence,
    /// The answer is not HTTP as this reader knows it.
    Garbage(String),
}

/// One answer.
#[derive(Clone, Debug, Default)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    /// Fields in order, names in lower case.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Status codes of the interim (1xx) answers before it.
    pub interim: Vec<u16>,
}

impl Response {
    /// Every value of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(field, _)| field == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a field that must be there once at most.
    pub fn field(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} more than once: {values:?}");
        values.first().copied()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How to connect: certificate, versions, name and memory of earlier sessions.
#[derive(Clone)]
pub struct Dialer {
    config: ClientConfig,
    name: ServerName<'static>,
}

impl Dialer {
    /// Trusts one CA, shows `identity` if there is one, and asks for `name`; TLS 1.3 and 1.2, and
    /// every connection a full handshake.
    pub fn new(ca: &CertificateDer<'static>, identity: Option<&Identity>, name: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone()).expect("a CA certificate");
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(vec![identity.der.clone()], identity.private_key())
                .expect("a key that fits its certificate"),
        };
        config.resumption = Resumption::disabled();
        Self {
            config,
            name: server_name(name),
        }
    }

    /// The same, with one version of TLS only.
    #[must_use]
    pub fn only(
        ca: &CertificateDer<'static>,
        identity: &Identity,
        name: &str,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone()).expect("a CA certificate");
        let mut config = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![identity.der.clone()], identity.private_key())
            .expect("a key that fits its certificate");
        config.resumption = Resumption::disabled();
        Self {
            config,
            name: server_name(name),
        }
    }

    /// The same, with the suites and groups of a provider.
    #[must_use]
    pub fn of_provider(
        provider: Arc<CryptoProvider>,
        ca: &CertificateDer<'static>,
        identity: &Identity,
        name: &str,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone()).expect("a CA certificate");
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("suites for both versions")
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![identity.der.clone()], identity.private_key())
            .expect("a key that fits its certificate");
        config.resumption = Resumption::disabled();
        Self {
            config,
            name: server_name(name),
        }
    }

    /// Remembers sessions, here and in every clone, and resumes them.
    #[must_use]
    pub fn resuming(mut self) -> Self {
        self.config.resumption = Resumption::in_memory_sessions(64);
        self
    }

    /// Remembers sessions of TLS 1.2 by their ids, and takes no tickets for them.
    #[must_use]
    pub fn resuming_by_id(mut self) -> Self {
        let memory = Resumption::in_memory_sessions(64);
        self.config.resumption = memory.tls12_resumption(Tls12Resumption::SessionIdOnly);
        self
    }

    /// Sends no server name.
    #[must_use]
    pub fn without_name(mut self) -> Self {
        self.config.enable_sni = false;
        self
    }

    /// Connects and finishes the handshake, as far as a client can tell.
    ///
    /// # Errors
    /// The alert or the fault of the socket. In TLS 1.3 a server's refusal of the client's
    /// certificate only shows at the first read.
    pub fn connect(&self, address: SocketAddr) -> io::Result<Client> {
        let mut client = self.reach(address)?;
        while client.tls.is_handshaking() {
            client.tls.complete_io(&mut client.socket)?;
        }
        while client.tls.wants_write() {
            client.tls.write_tls(&mut client.socket)?;
        }
        Ok(client)
    }

    /// The same, and sends octets in one piece with the end of the handshake.
    ///
    /// # Errors
    /// As of [`Self::connect`].
    pub fn connect_asking(&self, address: SocketAddr, ask: &str) -> io::Result<Client> {
        let mut client = self.reach(address)?;
        // Held back until the keys are there.
        client.tls.writer().write_all(ask.as_bytes())?;
        loop {
            let mut flight = Vec::new();
            while client.tls.wants_write() {
                client.tls.write_tls(&mut flight)?;
            }
            client.socket.write_all(&flight)?;
            if !client.tls.is_handshaking() {
                return Ok(client);
            }
            if client.tls.read_tls(&mut client.socket)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            client.tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// The same, with a pause in front of the last record of its last flight, which is Finished.
    ///
    /// # Errors
    /// As of [`Self::connect`].
    pub fn connect_pausing(&self, address: SocketAddr, pause: impl FnOnce()) -> io::Result<Client> {
        let mut client = self.reach(address)?;
        let mut pause = Some(pause);
        loop {
            let mut flight = Vec::new();
            while client.tls.wants_write() {
                client.tls.write_tls(&mut flight)?;
            }
            let mut last = 0;
            let mut at = 0;
            while let Some(&[high, low]) = flight.get(at + 3..at + 5) {
                last = at;
                at += 5 + usize::from(u16::from_be_bytes([high, low]));
            }
            client.socket.write_all(&flight[..last])?;
            // The first flight is one record, and the other that has several is the last.
            if last > 0
                && let Some(pause) = pause.take()
            {
                pause();
            }
            client.socket.write_all(&flight[last..])?;
            if !client.tls.is_handshaking() {
                return Ok(client);
            }
            if client.tls.read_tls(&mut client.socket)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            client.tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    fn reach(&self, address: SocketAddr) -> io::Result<Client> {
        let socket = TcpStream::connect_timeout(&address, WAIT)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(WAIT))?;
        socket.set_write_timeout(Some(WAIT))?;
        let config = Arc::new(self.config.clone());
        let tls = ClientConnection::new(config, self.name.clone()).map_err(io::Error::other)?;
        Ok(Client {
            tls,
            socket,
            pending: Vec::new(),
        })
    }
}

fn server_name(name: &str) -> ServerName<'static> {
    ServerName::try_from(name.to_owned()).expect("a host name")
}

/// A TLS connection to the gateway.
pub struct Client {
    tls: ClientConnection,
    socket: TcpStream,
    pending: Vec<u8>,
}

impl Client {
    /// Sends octets as they are.
    ///
    /// # Errors
    /// Of the socket: the gateway may have closed it, or not read for [`WAIT`].
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        for piece in bytes.as_ref().chunks(16 * 1024) {
            self.tls.writer().write_all(piece)?;
            while self.tls.wants_write() {
                self.tls.write_tls(&mut self.socket)?;
            }
        }
        Ok(())
    }

    /// Sends a request and reads its answer, which may come before all of it is sent.
    ///
    /// # Panics
    /// When no answer comes.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Response {
        let head_only = request.as_ref().starts_with(b"HEAD ");
        let sent = self.send(request);
        match self.read_answer(head_only) {
            Ok(response) => response,
            Err(fault) => panic!("no answer: {fault:?} (sent: {sent:?})"),
        }
    }

    /// GET of a path with a token.
    pub fn get(&mut self, path: &str, token: &str) -> Response {
        self.ask(get(path, token))
    }

    /// Reads one answer.
    ///
    /// # Panics
    /// When none comes.
    pub fn answer(&mut self) -> Response {
        self.read_answer(false)
            .unwrap_or_else(|fault| panic!("no answer: {fault:?}"))
    }

    /// Reads one answer, interim ones before it included.
    ///
    /// # Errors
    /// Why there is none.
    pub fn read_answer(&mut self, head_only: bool) -> Result<Response, ReadFault> {
        let mut interim = Vec::new();
        loop {
            let mut response = self.read_head()?;
            if (100..200).contains(&response.status) && response.status != 101 {
                interim.push(response.status);
                continue;
            }
            response.interim = interim;
            self.read_body(&mut response, head_only)?;
            return Ok(response);
        }
    }

    /// Reads one head, be it an interim one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn read_head(&mut self) -> Result<Response, ReadFault> {
        let end = loop {
            if let Some(at) = self.pending.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill(self.pending.is_empty())?;
        };
        let head: Vec<u8> = self.pending.drain(..end).collect();
        let head = String::from_utf8(head).map_err(|_| garbage("a head that is not UTF-8"))?;
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let rest = status_line
            .strip_prefix("HTTP/1.1 ")
            .ok_or_else(|| garbage(status_line))?;
        let (status, reason) = rest.split_once(' ').ok_or_else(|| garbage(status_line))?;
        let mut fields = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or_else(|| garbage(line))?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Response {
            status: status.parse().map_err(|_| garbage(status_line))?,
            reason: reason.to_owned(),
            fields,
            ..Response::default()
        })
    }

    fn read_body(&mut self, response: &mut Response, head_only: bool) -> Result<(), ReadFault> {
        if head_only || matches!(response.status, 204 | 304) {
            return Ok(());
        }
        let length = response.field("content-length").map(str::to_owned);
        if let Some(coding) = response.field("transfer-encoding") {
            if coding != "chunked" || length.is_some() {
                return Err(garbage("framing said twice or in other words"));
            }
            return self.read_chunks(&mut response.body);
        }
        if let Some(length) = length {
            let length = length.parse().map_err(|_| garbage(&length))?;
            response.body = self.read_exactly(length)?;
            return Ok(());
        }
        loop {
            response.body.append(&mut self.pending);
            match self.fill(true) {
                Ok(()) => {}
                Err(ReadFault::Closed) => return Ok(()),
                Err(fault) => return Err(fault),
            }
        }
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> Result<(), ReadFault> {
        loop {
            let line = self.read_line()?;
            let size = usize::from_str_radix(&line, 16).map_err(|_| garbage(&line))?;
            body.append(&mut self.read_exactly(size)?);
            let end = self.read_line()?;
            if !end.is_empty() {
                return Err(garbage("a trailer, or a chunk that does not end"));
            }
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn read_line(&mut self) -> Result<String, ReadFault> {
        let end = loop {
            if let Some(at) = self.pending.windows(2).position(|two| two == b"\r\n") {
                break at;
            }
            self.fill(false)?;
        };
        let line = self.pending.drain(..end + 2).take(end).collect();
        String::from_utf8(line).map_err(|_| garbage("a line that is not UTF-8"))
    }

    /// So many octets of a body.
    ///
    /// # Errors
    /// Why there are fewer.
    pub fn read_exactly(&mut self, length: usize) -> Result<Vec<u8>, ReadFault> {
        while self.pending.len() < length {
            self.fill(false)?;
        }
        Ok(self.pending.drain(..length).collect())
    }

    /// Reads whatever comes until the connection ends.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        while self.fill(false).is_ok() {}
        std::mem::take(&mut self.pending)
    }

    /// Receives some more plain octets.
    fn fill(&mut self, between_answers: bool) -> Result<(), ReadFault> {
        let closed = |why: &str| {
            if between_answers {
                ReadFault::Closed
            } else {
                ReadFault::CutOff(why.to_owned())
            }
        };
        let mut piece = [0; 16 * 1024];
        let end = Instant::now() + WAIT;
        loop {
            match self.tls.reader().read(&mut piece) {
                Ok(0) => return Err(closed("close_notify")),
                Ok(got) => {
                    self.pending.extend_from_slice(&piece[..got]);
                    return Ok(());
                }
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
                // The machine was stopped for a moment.
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(closed(&fault.to_string())),
            }
            if Instant::now() >= end {
                return Err(ReadFault::Silence);
            }
            match self.tls.read_tls(&mut self.socket) {
                Ok(_) => {}
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) if is_silence(&fault) => return Err(ReadFault::Silence),
                Err(fault) => return Err(closed(&fault.to_string())),
            }
            if let Err(fault) = self.tls.process_new_packets() {
                return Err(ReadFault::CutOff(fault.to_string()));
            }
        }
    }

    /// Whether the gateway closes the connection, within `limit`, without another octet of HTTP.
    pub fn closed_within(&mut self, limit: Duration) -> bool {
        let _ = self.socket.set_read_timeout(Some(limit));
        let closed = self.pending.is_empty()
            && matches!(
                self.fill(true),
                Err(ReadFault::Closed | ReadFault::CutOff(_))
            );
        let _ = self.socket.set_read_timeout(Some(WAIT));
        closed
    }

    /// Sends octets past TLS: for one who breaks it.
    pub fn send_in_the_clear(&mut self, octets: &[u8]) {
        self.socket.write_all(octets).expect("an open socket");
    }

    /// Takes so many octets off the socket at most, unread: for one who reads slowly.
    pub fn read_some(&mut self, octets: usize) {
        let _ = self.socket.read(&mut vec![0; octets]);
    }

    /// Whether the gateway closes the connection without another octet of HTTP.
    pub fn closed(&mut self) -> bool {
        self.closed_within(WAIT)
    }

    /// The fault the gateway ended the handshake with, where TLS 1.3 shows it at the first read.
    pub fn refusal(&mut self) -> String {
        match self.fill(false) {
            Err(ReadFault::CutOff(why)) => why,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Sends close_notify.
    pub fn close_notify(&mut self) {
        self.tls.send_close_notify();
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut self.socket).is_err() {
                return;
            }
        }
    }

    /// Full or resumed.
    pub fn handshake_kind(&self) -> Option<HandshakeKind> {
        self.tls.handshake_kind()
    }

    pub fn tls(&self) -> &ClientConnection {
        &self.tls
    }
}

fn is_silence(fault: &io::Error) -> bool {
    matches!(
        fault.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn garbage(what: &str) -> ReadFault {
    ReadFault::Garbage(what.to_owned())
}

/// The name under which tests ask for the gateway.
pub const HOST: &str = "t8.example";

/// A GET with a token.
pub fn get(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n\r\n")
}

/// Any request with a token, further field lines (each with its CRLF) and a body by length.
pub fn request(method: &str, path: &str, token: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = format!("{fields}Content-Length: {}\r\n", body.len());
    let mut request = head(method, path, token, &length).into_bytes();
    request.extend_from_slice(body);
    request
}

/// A head with a token and whatever field lines, each with its CRLF; with the `Content-Type` that
/// its method has in MonitoringEvent, where they name none.
pub fn head(method: &str, path: &str, token: &str, fields: &str) -> String {
    let media = match method {
        _ if fields.to_ascii_lowercase().contains("content-type:") => "",
        "POST" | "PUT" => "Content-Type: application/json\r\n",
        "PATCH" => "Content-Type: application/json-patch+json\r\n",
        _ => "",
    };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n\
         {media}{fields}\r\n"
    )
}

/// A JSON object of so many octets, nine at least.
pub fn json_of(bytes: usize) -> Vec<u8> {
    let mut body = b"{\"x\":\"".to_vec();
    body.resize(bytes - 2, b'u');
    body.extend(b"\"}");
    body
}
