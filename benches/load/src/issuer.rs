//! Tokens fetched before the run, by client_credentials over mutual TLS (RFC 6749 section 4.4,
//! RFC 8705).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::arguments::Target;
use crate::reply::Reply;

/// What is asked for, and of whom.
pub struct Issuer<'a> {
    /// The token endpoint's host.
    pub target: &'a Target,
    /// Its path.
    pub path: &'a str,
    /// The name that TLS asks for.
    pub name: ServerName<'static>,
    /// Limit of each answer.
    pub timeout: Duration,
}

trait Duplex: Read + Write {}
impl<S: Read + Write> Duplex for S {}

impl Issuer<'_> {
    /// Fetches so many tokens for one client, with its certificate.
    ///
    /// # Errors
    /// A sentence on what the endpoint said instead.
    pub fn fetch(
        &self,
        config: Option<Arc<ClientConfig>>,
        client_id: &str,
        scope: Option<&str>,
        count: usize,
    ) -> Result<Vec<String>, String> {
        let fetched = self
            .fetch_all(config, client_id, scope, count)
            .unwrap_or_else(|error| Err(error.to_string()));
        fetched.map_err(|fault| format!("no token for {client_id}: {fault}"))
    }

    /// The outer error is a connection's end, the inner one the issuer's refusal.
    fn fetch_all(
        &self,
        config: Option<Arc<ClientConfig>>,
        client_id: &str,
        scope: Option<&str>,
        count: usize,
    ) -> std::io::Result<Result<Vec<String>, String>> {
        let mut tokens = Vec::with_capacity(count);
        let mut kept: Option<Box<dyn Duplex>> = None;
        while tokens.len() < count {
            let mut stream = match kept.take() {
                Some(stream) => stream,
                None => self.connect(config.clone())?,
            };
            let (token, closes) = match self.ask(&mut *stream, client_id, scope)? {
                Ok(answered) => answered,
                Err(fault) => return Ok(Err(fault)),
            };
            tokens.push(token);
            // An issuer may end the connection with any answer: the next token needs another one.
            kept = (!closes).then_some(stream);
        }
        Ok(Ok(tokens))
    }

    fn connect(&self, config: Option<Arc<ClientConfig>>) -> std::io::Result<Box<dyn Duplex>> {
        let socket = TcpStream::connect_timeout(&self.target.address, self.timeout)?;
        socket.set_read_timeout(Some(self.timeout))?;
        socket.set_write_timeout(Some(self.timeout))?;
        socket.set_nodelay(true)?;
        let Some(config) = config.filter(|_| self.target.tls) else {
            return Ok(Box::new(socket));
        };
        let connection = ClientConnection::new(config, self.name.clone());
        let connection = connection.map_err(std::io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, socket)))
    }

    /// A token, and whether the connection ends with it; errors as those of `fetch_all`.
    fn ask(
        &self,
        stream: &mut dyn Duplex,
        client_id: &str,
        scope: Option<&str>,
    ) -> std::io::Result<Result<(String, bool), String>> {
        let mut form = format!(
            "grant_type=client_credentials&client_id={}",
            form_encoded(client_id)
        );
        if let Some(scope) = scope {
            form.push_str(&format!("&scope={}", form_encoded(scope)));
        }
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            self.path,
            self.target.authority,
            form.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut reply = Reply::default();
        reply.keep_body();
        reply.expect(false);
        let mut room = [0; 4096];
        let answer = loop {
            let read = stream.read(&mut room)?;
            let answer = match read {
                0 => reply.end(),
                read => reply.read(&room[..read]),
            };
            match answer {
                Err(fault) => return Ok(Err(fault.to_string())),
                Ok(Some(answer)) => break answer,
                Ok(None) if read == 0 => return Ok(Err("closed without an answer".to_owned())),
                Ok(None) => {}
            }
        };
        Ok(token(answer.status, reply.body()).map(|token| (token, answer.closes)))
    }
}

/// The token of a response, or the issuer's own words without any other of its content.
fn token(status: u16, body: &[u8]) -> Result<String, String> {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let word = |name: &str| json.get(name).and_then(|value| value.as_str());
    match word("access_token") {
        Some(token) if status == 200 && token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(token.to_owned())
        }
        _ => {
            let error = word("error").unwrap_or("no access_token");
            let detail = word("error_description").unwrap_or_default();
            Err(format!("status {status}, {error} {detail}")
                .trim_end()
                .to_owned())
        }
    }
}

fn form_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_values_are_encoded_as_forms_are() {
        assert_eq!(form_encoded("cams"), "cams");
        assert_eq!(form_encoded("a b&c=\u{fc}"), "a+b%26c%3D%C3%BC");
    }

    #[test]
    fn only_a_success_with_a_token_is_a_token() {
        let body = br#"{"access_token":"abc","token_type":"Bearer"}"#;
        assert_eq!(token(200, body), Ok("abc".to_owned()));
        assert!(token(400, body).is_err());
        let refused = br#"{"error":"invalid_client","error_description":"who?"}"#;
        assert_eq!(
            token(401, refused),
            Err("status 401, invalid_client who?".to_owned())
        );
        assert!(token(200, b"<html>").is_err());
        assert!(token(200, br#"{"access_token":"a\r\nX: y"}"#).is_err());
    }
}
