//! A server to load: rustls in threads, mutual TLS, and its own counts of what came.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A CA, a server's certificate for 127.0.0.1, and clients' certificates, as files.
pub struct Pki {
    pub directory: tempfile::TempDir,
}

impl Pki {
    pub fn new(clients: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let root = authority.self_signed(&key).expect("a certificate");
        let pki = Self { directory };
        pki.write("ca.pem", &root.pem());
        let issuer = Issuer::new(authority, key);
        let purposes = [
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        std::fs::create_dir(pki.path("clients")).expect("a folder");
        let clients = clients.iter().map(|name| format!("clients/{name}"));
        for name in clients.chain(["server".to_owned()]) {
            let mut leaf = CertificateParams::new(Vec::new()).expect("no names");
            leaf.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
            leaf.distinguished_name.push(DnType::CommonName, &name);
            leaf.extended_key_usages = purposes.to_vec();
            let key = KeyPair::generate().expect("a key");
            let signed = leaf.signed_by(&key, &issuer).expect("a certificate");
            pki.write(&format!("{name}.pem"), &signed.pem());
            pki.write(&format!("{name}.key.pem"), &key.serialize_pem());
        }
        pki
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).expect("a file");
        self.path(name)
    }

    fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
        let found = CertificateDer::pem_file_iter(path).expect("PEM");
        found.collect::<Result<_, _>>().expect("certificates")
    }

    fn server_config(&self, manners: Manners) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(Self::certificates(&self.path("ca.pem")));
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let key = PrivateKeyDer::from_pem_file(self.path("server.key.pem")).expect("a key");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients.build().expect("a CA"))
            .with_single_cert(Self::certificates(&self.path("server.pem")), key)
            .expect("a pair");
        config.session_storage = rustls::server::ServerSessionMemoryCache::new(1000);
        config.max_fragment_size = manners.record_bytes;
        if manners.no_tickets {
            config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Arc::new(config)
    }
}

/// How the server behaves.
#[derive(Clone, Copy, Default)]
pub struct Manners {
    /// Says so and closes after each response.
    pub closes: bool,
    /// Gives no sessions to continue.
    pub no_tickets: bool,
    /// New keys after so many requests of a connection.
    pub rekeys_after: Option<u64>,
    /// Never answers.
    pub silent: bool,
    /// Answers with bytes that are no HTTP.
    pub garbage: bool,
    /// Records hold so little that messages of the handshake are split.
    pub record_bytes: Option<usize>,
    /// Resets each connection so long after its first response.
    pub resets_after: Option<Duration>,
    /// Stands still for 300 ms once, when this many requests have come.
    pub stalls_at: Option<u64>,
}

/// How long a stall is.
pub const STALL: Duration = Duration::from_millis(300);

/// What came.
#[derive(Default)]
pub struct Seen {
    pub requests: AtomicU64,
    pub connections: AtomicU64,
    pub full: AtomicU64,
    pub resumed: AtomicU64,
    pub open: AtomicU64,
    /// Requests by the first word of their head.
    pub methods: Mutex<BTreeMap<String, u64>>,
    /// Bytes of bodies.
    pub body_bytes: AtomicU64,
    /// Requests by token.
    pub tokens: Mutex<BTreeMap<String, u64>>,
    pub certificates: Mutex<BTreeSet<Vec<u8>>>,
    pub paths: Mutex<BTreeSet<String>>,
    stalled: AtomicBool,
    /// Held by every request for a moment, by a stall for long.
    standing: Mutex<()>,
}

impl Seen {
    pub fn count(&self, what: fn(&Self) -> &AtomicU64) -> u64 {
        what(self).load(Ordering::SeqCst)
    }
}

/// A server on a port of its own; its threads end with the test's process.
pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
}

impl Server {
    /// By mutual TLS.
    pub fn tls(pki: &Pki, manners: Manners) -> Self {
        Self::start(Some(pki.server_config(manners)), manners)
    }

    /// In the clear.
    pub fn clear(manners: Manners) -> Self {
        Self::start(None, manners)
    }

    fn start(config: Option<Arc<ServerConfig>>, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let seen = Arc::new(Seen::default());
        let shared = seen.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (config, seen) = (config.clone(), shared.clone());
                std::thread::spawn(move || accept(socket, config, &seen, manners));
            }
        });
        Self { address, seen }
    }
}

fn accept(mut socket: TcpStream, config: Option<Arc<ServerConfig>>, seen: &Seen, manners: Manners) {
    let _ = socket.set_nodelay(true);
    if manners.resets_after.is_some() {
        // Nothing lingers: to close is to reset.
        let _ = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    }
    seen.connections.fetch_add(1, Ordering::SeqCst);
    let Some(config) = config else {
        serve(&mut BufReader::new(socket), seen, manners, |_| {});
        return;
    };
    let mut connection = ServerConnection::new(config).expect("a configuration");
    while connection.is_handshaking() {
        if connection.complete_io(&mut socket).is_err() {
            return;
        }
    }
    let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
    let kind = if resumed { &seen.resumed } else { &seen.full };
    kind.fetch_add(1, Ordering::SeqCst);
    if let Some([leaf, ..]) = connection.peer_certificates() {
        let mut certificates = seen.certificates.lock().expect("no panic");
        certificates.insert(leaf.to_vec());
    }
    let mut stream = BufReader::new(StreamOwned::new(connection, socket));
    serve(&mut stream, seen, manners, |stream| {
        let connection = &mut stream.get_mut().conn;
        connection.refresh_traffic_keys().expect("TLS 1.3");
    });
}

/// One request after the other, until the client goes.
fn serve<S: Read + Write>(
    stream: &mut BufReader<S>,
    seen: &Seen,
    manners: Manners,
    rekey: impl Fn(&mut BufReader<S>),
) {
    seen.open.fetch_add(1, Ordering::SeqCst);
    let mut served = 0;
    while let Some(token_asked) = read_request(stream, seen) {
        let count = seen.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let standing = seen.standing.lock().expect("no panic");
        let stalls = manners.stalls_at.is_some_and(|at| count >= at);
        if stalls && !seen.stalled.swap(true, Ordering::SeqCst) {
            std::thread::sleep(STALL);
        }
        drop(standing);
        if manners.silent {
            continue;
        }
        served += 1;
        if manners
            .rekeys_after
            .is_some_and(|after| served % after == 0)
        {
            rekey(stream);
        }
        let body = if token_asked {
            format!("{{\"access_token\":\"fetched-{count}\",\"token_type\":\"Bearer\"}}")
        } else {
            "{}".to_owned()
        };
        let field = if manners.closes {
            "Connection: close\r\n"
        } else {
            ""
        };
        let response = if manners.garbage {
            "HTTP/1.1 2x0 OK\r\n\r\n".to_owned()
        } else {
            format!(
                "HTTP/1.1 200 OK\r\n{field}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        if stream.get_mut().write_all(response.as_bytes()).is_err() || manners.closes {
            break;
        }
        if let Some(after) = manners.resets_after {
            std::thread::sleep(after);
            break;
        }
    }
    seen.open.fetch_sub(1, Ordering::SeqCst);
}

/// Counts one request; whether it asks for a token. `None`: there are no more.
fn read_request<S: Read>(stream: &mut BufReader<S>, seen: &Seen) -> Option<bool> {
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end().split_once(": ") {
            None => break,
            Some(("Content-Length", value)) => length = value.parse().ok()?,
            Some(("Authorization", value)) => {
                let mut tokens = seen.tokens.lock().expect("no panic");
                *tokens.entry(value.to_owned()).or_default() += 1;
            }
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    seen.body_bytes.fetch_add(length as u64, Ordering::SeqCst);
    let mut words = first.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let token_asked = path == "/oauth2/token";
    *seen
        .methods
        .lock()
        .expect("no panic")
        .entry(method)
        .or_default() += 1;
    seen.paths.lock().expect("no panic").insert(path);
    Some(token_asked)
}
