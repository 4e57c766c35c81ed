//! The tour's HTTP client: HTTP/1.1 over mutual TLS, with the certificates of the demo's cast.

use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::pki;
use super::state::State;

/// What any single step may take.
const WAIT: Duration = Duration::from_secs(10);
/// Answers of the demo are a few KiB.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// One client of the gateway: a certificate, or none, and where the gateway is.
pub struct Client {
    connector: TlsConnector,
    address: SocketAddr,
    /// The `Host` of its requests.
    authority: String,
}

/// A request to make.
#[derive(Clone, Copy, Default)]
pub struct Ask<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub token: Option<&'a str>,
    /// Media type and content.
    pub body: Option<(&'a str, &'a str)>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub fields: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body, where it is JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A field's value, empty where there is none.
    pub fn field(&self, name: &str) -> &str {
        let value = self.fields.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Client {
    /// A client that trusts the demo's server CA and shows the certificate of `file`, if any.
    ///
    /// # Errors
    /// Says which of the demo's files cannot be used.
    pub fn new(state: &State, address: SocketAddr, file: Option<&str>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let ca = pki::read_certificate(&state.file("server-ca.pem"))?;
        roots.add(ca).map_err(|error| error.to_string())?;
        // Named here, not process-wide: the gateway in this process has a profile of its own.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let config = match file {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let certificate = pki::read_certificate(&state.file(&format!("{file}.pem")))?;
                let key = state.file(&format!("{file}.key.pem"));
                let key = PrivateKeyDer::from_pem_file(&key)
                    .map_err(|error| format!("{}: {error}", key.display()))?;
                let config = builder.with_client_auth_cert(vec![certificate], key);
                config.map_err(|error| error.to_string())?
            }
        };
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            address,
            authority: format!("localhost:{}", address.port()),
        })
    }

    async fn handshake(&self) -> Result<TlsStream<TcpStream>, String> {
        let connected = async {
            let tcp = TcpStream::connect(self.address).await?;
            tcp.set_nodelay(true)?;
            let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
            self.connector.connect(name, tcp).await
        };
        match tokio::time::timeout(WAIT, connected).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(told(&error)),
            Err(_) => Err("no connection in time".to_owned()),
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// The alert's name, as TLS has it, where the gateway sent one; else what happened.
    pub async fn connect(&self) -> Result<Connection, String> {
        let stream = self.handshake().await?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, driver) = shaken.map_err(|error| told(&error))?;
        tokio::spawn(async move {
            // A connection that breaks fails the request that is on it.
            let _ = driver.await;
        });
        Ok(Connection {
            sender,
            authority: self.authority.clone(),
        })
    }

    /// Connects, sends nothing and hears what the gateway says: in TLS 1.3 a client learns only
    /// after its own handshake whether its certificate was taken. None when it was let in.
    pub async fn alert(&self) -> Option<String> {
        let mut stream = match self.handshake().await {
            Ok(stream) => stream,
            Err(alert) => return Some(alert),
        };
        let mut octet = [0];
        let mut buffer = ReadBuf::new(&mut octet);
        let read = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer));
        match tokio::time::timeout(WAIT / 5, read).await {
            Ok(Err(error)) => Some(told(&error)),
            Ok(Ok(())) if buffer.filled().is_empty() => Some("closed without a word".to_owned()),
            Ok(Ok(())) | Err(_) => None,
        }
    }
}

/// An open connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Connection {
    /// Makes a request and reads its answer.
    ///
    /// # Errors
    /// The name of the gateway's alert, or what happened instead of an answer.
    pub async fn ask(&mut self, ask: Ask<'_>) -> Result<Answer, String> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.path)
            .header(HOST, &self.authority);
        if let Some(token) = ask.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some((media_type, _)) = ask.body {
            request = request.header(CONTENT_TYPE, media_type);
        }
        let content = ask.body.map(|(_, content)| content).unwrap_or_default();
        let request = request
            .body(Full::new(Bytes::from(content.to_owned())))
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let answer = self.sender.send_request(request).await;
            let (head, body) = answer.map_err(|error| told(&error))?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| told(error.as_ref()))?.to_bytes();
            Ok(Answer {
                status: head.status.as_u16(),
                fields: head.headers,
                body,
            })
        };
        match tokio::time::timeout(WAIT, exchange).await {
            Ok(answered) => answered,
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

/// The name of the alert that an error carries somewhere inside, or the error itself.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::AlertReceived(alert)) = error.downcast_ref() {
            return in_words(&format!("{alert:?}"));
        }
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    error.to_string()
}

/// `CertificateRequired` as RFC 8446 writes it: `certificate_required`.
fn in_words(name: &str) -> String {
    let mut words = String::new();
    let mut after_small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_small {
            words.push('_');
        }
        after_small = letter.is_ascii_lowercase();
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_named_as_the_standard_does() {
        for (alert, name) in [
            (
                rustls::AlertDescription::CertificateRequired,
                "certificate_required",
            ),
            (rustls::AlertDescription::UnknownCA, "unknown_ca"),
        ] {
            let inner = rustls::Error::AlertReceived(alert);
            let error = std::io::Error::new(std::io::ErrorKind::InvalidData, inner);
            assert_eq!(told(&std::io::Error::other(error)), name);
        }
    }

    #[test]
    fn error_without_an_alert_says_what_it_is() {
        assert_eq!(told(&std::io::Error::other("cable cut")), "cable cut");
    }
}
