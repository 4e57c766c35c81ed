//! An issuer's web server: answers by https what a test tells it to.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::free_address;
use super::pki::{Authority, Leaf};

/// What is at a path.
#[derive(Clone)]
pub enum Page {
    /// Its status, further field lines (each with its CRLF) and its body.
    Answer(u16, String, String),
    /// Octets that are no HTTP.
    Garbage,
    /// The request is taken and nothing answered.
    Silence,
}

impl Page {
    /// A JSON document.
    pub fn json(value: &Value) -> Self {
        let fields = "Content-Type: application/json\r\n".to_owned();
        Self::Answer(200, fields, value.to_string())
    }
}

type Shared<T> = Arc<Mutex<T>>;

/// A running server. Its thread ends with the process.
pub struct Publisher {
    pub address: SocketAddr,
    pages: Shared<HashMap<String, Page>>,
    asked: Shared<Vec<String>>,
}

impl Publisher {
    /// With a certificate of this CA for `localhost`.
    pub fn start(ca: &Authority) -> Self {
        Self::start_at(free_address(), ca)
    }

    pub fn start_at(address: SocketAddr, ca: &Authority) -> Self {
        let identity = ca.issue("publisher", &Leaf::server("localhost"));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![identity.der.clone()], identity.private_key())
            .expect("a key that fits its certificate");
        let config = Arc::new(config);
        let listener = TcpListener::bind(address).expect("a free port");
        let (pages, asked) = (Shared::default(), Shared::default());
        let (served, heard) = (Arc::clone(&pages), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tls = ServerConnection::new(Arc::clone(&config)).expect("a good one");
                let (served, heard) = (Arc::clone(&served), Arc::clone(&heard));
                // Who is kept waiting keeps nobody else waiting.
                thread::spawn(move || answer(StreamOwned::new(tls, stream), &served, &heard));
            }
        });
        Self {
            address,
            pages,
            asked,
        }
    }

    /// Puts something at a path.
    pub fn put(&self, path: &str, page: Page) {
        let mut pages = self.pages.lock().expect("nobody panics with it");
        pages.insert(path.to_owned(), page);
    }

    /// Heads of the requests so far for a path.
    pub fn asked(&self, path: &str) -> Vec<String> {
        let asked = self.asked.lock().expect("nobody panics with it");
        let of_path = |head: &&String| head.split(' ').nth(1) == Some(path);
        asked.iter().filter(of_path).cloned().collect()
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }
}

fn answer(
    mut stream: impl Read + Write,
    pages: &Mutex<HashMap<String, Page>>,
    asked: &Mutex<Vec<String>>,
) {
    let mut head = String::new();
    let mut lines = BufReader::new(&mut stream);
    while !head.ends_with("\r\n\r\n") {
        match lines.read_line(&mut head) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    drop(lines);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().expect("nobody panics with it").push(head);
    let page = pages
        .lock()
        .expect("nobody panics with it")
        .get(&path)
        .cloned();
    let written = match page {
        None => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        Some(Page::Garbage) => stream.write_all(&[0x16; 400]),
        Some(Page::Silence) => {
            thread::sleep(Duration::from_secs(60));
            Ok(())
        }
        Some(Page::Answer(status, fields, body)) => write!(
            stream,
            "HTTP/1.1 {status} Said\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    };
    // Who has gone needs no answer.
    let _ = written.and_then(|()| stream.flush());
}
