//! An issuer that is asked about opaque tokens, by https: it says what the test has told it to, and
//! keeps what it was asked.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::free_address;
use super::pki::{Authority, Leaf};

/// What it does with whoever asks.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers by what is known of the token, if anything is.
    Answer,
    /// The same, so much later.
    Late(Duration),
    /// Says this, status line and head included.
    Say(String),
    /// Hangs up.
    HangUp,
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its head, in lower case but for values.
    pub head: String,
    pub form: String,
    /// The asker showed a certificate.
    pub has_certificate: bool,
}

#[derive(Default)]
struct Told {
    tokens: HashMap<String, Value>,
    act: Option<Act>,
    asked: Vec<Asked>,
}

/// The issuer; it runs for as long as the test does.
pub struct Introspector {
    pub address: SocketAddr,
    told: Arc<Mutex<Told>>,
}

impl Introspector {
    /// With a certificate of this CA for `localhost`; whoever shows one of `clients` is noted.
    pub fn start(ca: &Authority, clients: &Authority) -> Self {
        let identity = ca.issue("introspector", &Leaf::server("localhost"));
        let mut roots = RootCertStore::empty();
        roots.add(clients.der.clone()).expect("a CA");
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated();
        let mut config = ServerConfig::builder()
            .with_client_cert_verifier(verifier.build().expect("a CA"))
            .with_single_cert(vec![identity.der.clone()], identity.private_key())
            .expect("a key that fits its certificate");
        // Each question takes a handshake of its own, and a signature where a certificate is shown.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let config = Arc::new(config);
        let address = free_address();
        let listener = TcpListener::bind(address).expect("a free port");
        let told = Arc::new(Mutex::new(Told::default()));
        let kept = Arc::clone(&told);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, told) = (Arc::clone(&config), Arc::clone(&kept));
                thread::spawn(move || serve(stream, config, &told));
            }
        });
        Self { address, told }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}/introspect", self.address.port())
    }

    /// Has it answer this of a token, as active.
    pub fn knows(&self, token: &str, mut answer: Value) {
        answer["active"] = json!(true);
        let mut told = self.told.lock().expect("nobody panics with it");
        told.tokens.insert(token.to_owned(), answer);
    }

    /// Has it know a token no more.
    pub fn forgets(&self, token: &str) {
        self.told
            .lock()
            .expect("nobody panics with it")
            .tokens
            .remove(token);
    }

    pub fn act(&self, act: Act) {
        self.told.lock().expect("nobody panics with it").act = Some(act);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.told
            .lock()
            .expect("nobody panics with it")
            .asked
            .clone()
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, told: &Mutex<Told>) {
    let tls = ServerConnection::new(config).expect("a good configuration");
    let mut stream = BufReader::new(StreamOwned::new(tls, stream));
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            }
            line = format!("{}: {value}", name.to_lowercase());
        }
        head += &line;
    }
    let mut form = vec![0; length];
    if stream.read_exact(&mut form).is_err() {
        return;
    }
    let form = String::from_utf8(form).expect("a form");
    let token = form.split('&').find_map(|pair| pair.strip_prefix("token="));
    let token = token.unwrap_or_default().to_owned();
    let has_certificate = stream.get_ref().conn.peer_certificates().is_some();
    let (act, answer) = {
        let mut told = told.lock().expect("nobody panics with it");
        told.asked.push(Asked {
            head,
            form,
            has_certificate,
        });
        let answer = told.tokens.get(&token).cloned();
        (told.act.clone().unwrap_or(Act::Answer), answer)
    };
    let answer = answer.unwrap_or(json!({"active": false})).to_string();
    let said = match act {
        Act::HangUp => return,
        Act::Say(said) => said,
        Act::Late(wait) => {
            thread::sleep(wait);
            json_of(&answer)
        }
        Act::Answer => json_of(&answer),
    };
    let stream = stream.get_mut();
    // Who has gone has what it wants.
    let _ = stream.write_all(said.as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

/// A good answer with this body.
pub fn json_of(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
