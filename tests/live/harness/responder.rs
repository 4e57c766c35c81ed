//! A CA's OCSP responder: `openssl ocsp` as a process of its own.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustls::pki_types::CertificateDer;

use super::pki::Authority;
use super::{command, free_address, run_well, tool, wait_until};

/// What a CA has to say of its certificates, and where that is kept.
pub struct Database {
    folder: PathBuf,
    ca: PathBuf,
    key: PathBuf,
    lines: Vec<(Vec<u8>, bool)>,
}

/// A running responder; killed when dropped.
pub struct Responder {
    child: Child,
    pub port: u16,
    told: PathBuf,
}

impl Database {
    /// Of a CA whose certificates are good, these at least.
    pub fn new(folder: &Path, stem: &str, ca: &Authority, good: &[&CertificateDer<'_>]) -> Self {
        let folder = folder.join(stem);
        std::fs::create_dir_all(&folder).expect("a writable directory");
        let database = Self {
            ca: ca.certificate.clone(),
            key: ca.key_file(),
            lines: good.iter().map(|who| (serial(who), false)).collect(),
            folder,
        };
        database.write();
        database
    }

    /// Says from now on that a certificate is revoked. A responder that runs looks at its database
    /// before it waits for a request: it may answer one more as before.
    pub fn revoke(&mut self, who: &CertificateDer<'_>) {
        let serial = serial(who);
        let line = self.lines.iter_mut().find(|(known, _)| *known == serial);
        line.expect("a certificate of this CA").1 = true;
        self.write();
    }

    fn write(&self) {
        let mut text = String::new();
        for (at, (serial, revoked)) in self.lines.iter().enumerate() {
            let (kind, since) = match revoked {
                true => ("R", "250101000000Z"),
                false => ("V", ""),
            };
            let serial: String = serial.iter().fold(String::new(), |mut hex, octet| {
                let _ = write!(hex, "{octet:02X}");
                hex
            });
            let _ = writeln!(
                text,
                "{kind}\t401231235959Z\t{since}\t{serial}\tunknown\t/CN={at}"
            );
        }
        let next = self.folder.join("index.next");
        std::fs::write(&next, text).expect("a writable directory");
        // Whole or not at all.
        std::fs::rename(next, self.index()).expect("a writable directory");
    }

    fn index(&self) -> PathBuf {
        self.folder.join("index.txt")
    }

    /// Starts a responder on a free port: its answers end after so many minutes.
    pub fn start(&self, minutes: u32) -> Responder {
        Self::start_on(self, free_address().port(), minutes)
    }

    /// Starts it on this port.
    pub fn start_on(&self, port: u16, minutes: u32) -> Responder {
        let told = self.folder.join(format!("told-{port}"));
        let file = File::create(&told).expect("a writable directory");
        let mut openssl = command("openssl");
        openssl.args(["ocsp", "-port", &port.to_string(), "-ignore_err"]);
        openssl.args(["-nmin", &minutes.to_string()]);
        openssl.arg("-index").arg(self.index());
        openssl.arg("-CA").arg(&self.ca);
        openssl.arg("-rsigner").arg(&self.ca);
        openssl.arg("-rkey").arg(&self.key);
        openssl.stdin(Stdio::null()).stdout(Stdio::null());
        let child = openssl.stderr(file).spawn().expect("openssl");
        let responder = Responder { child, port, told };
        wait_until("the responder", || {
            responder
                .told()
                .contains("waiting for OCSP client connections")
        });
        responder
    }

    /// One answer about a certificate into a file, made at another time (`-2h`) and ending an hour
    /// after that.
    pub fn answer(&self, who: &Path, issuer: &Path, at: &str, into: &Path) {
        let request = self.folder.join("request.der");
        let mut asked = command("openssl");
        asked.arg("ocsp").arg("-issuer").arg(issuer);
        asked.arg("-cert").arg(who).arg("-no_nonce");
        run_well(asked.arg("-reqout").arg(&request));
        let next = self.folder.join("response.next");
        let mut openssl = command("openssl");
        openssl.arg("ocsp").arg("-index").arg(self.index());
        openssl.arg("-CA").arg(&self.ca);
        openssl.arg("-rsigner").arg(&self.ca);
        openssl.arg("-rkey").arg(&self.key);
        openssl.arg("-reqin").arg(&request);
        openssl.args(["-nmin", "60"]);
        openssl.env("LD_PRELOAD", tool("libfaketime.so.1"));
        openssl.env("FAKETIME", at);
        run_well(openssl.arg("-respout").arg(&next));
        std::fs::rename(next, into).expect("a writable directory");
    }
}

impl Responder {
    /// How often it was asked so far: it says so before it answers.
    pub fn asked(&self) -> usize {
        self.told().matches("Received request").count()
    }

    fn told(&self) -> String {
        std::fs::read_to_string(&self.told).unwrap_or_default()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

/// Gives the same answer to every question on this port, for as long as the test runs.
pub fn replay_on(port: u16, answer: Vec<u8>) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port of who has ended");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Who has gone needs no answer.
            let _ = replay(stream, &answer);
        }
    });
}

fn replay(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(answer)
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serial(who: &CertificateDer<'_>) -> Vec<u8> {
    let certificate = x509_parser::parse_x509_certificate(who);
    certificate.expect("our own").1.raw_serial().to_vec()
}
