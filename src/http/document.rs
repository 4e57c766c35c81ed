//! Whole JSON documents as answers: what the gateway itself has to say that is no problem.

use super::h1::write_decimal;
use super::problem::{reason, write_field};

/// An answer that carries a JSON document.
#[derive(Clone, Copy)]
pub struct Document<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The JSON text.
    pub body: &'a [u8],
    /// May be kept for so long, seconds; 0 for not at all.
    pub max_age_s: u32,
    /// The challenge of a 401.
    pub www_authenticate: Option<&'a str>,
    /// When to come again, seconds.
    pub retry_after_s: Option<u32>,
    /// The content codings that would have been taken.
    pub accept_encoding: Option<&'a str>,
    /// What the logs know the request by.
    pub request_id: &'a str,
}

/// Writes a whole response; with `head_only` its body is left out, but not its length.
pub fn write_document(out: &mut Vec<u8>, document: &Document<'_>, head_only: bool, close: bool) {
    out.extend_from_slice(b"HTTP/1.1 ");
    write_decimal(out, u64::from(document.status));
    out.push(b' ');
    out.extend_from_slice(reason(document.status).as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: application/json\r\nContent-Length: ");
    write_decimal(out, document.body.len() as u64);
    //= RFC 6749 section 5.1
    //# What carries a token must not be stored, and old caches are told so as well.
    match document.max_age_s {
        0 => out.extend_from_slice(b"\r\nCache-Control: no-store\r\nPragma: no-cache\r\n"),
        age => {
            out.extend_from_slice(b"\r\nCache-Control: max-age=");
            write_decimal(out, u64::from(age));
            out.extend_from_slice(b"\r\n");
        }
    }
    if let Some(challenge) = document.www_authenticate {
        write_field(out, "WWW-Authenticate", challenge);
    }
    if let Some(codings) = document.accept_encoding {
        write_field(out, "Accept-Encoding", codings);
    }
    if let Some(wait_s) = document.retry_after_s {
        out.extend_from_slice(b"Retry-After: ");
        write_decimal(out, u64::from(wait_s));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"X-Request-Id: ");
    out.extend_from_slice(document.request_id.as_bytes());
    out.extend_from_slice(b"\r\n");
    if close {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
    if !head_only {
        out.extend_from_slice(document.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(max_age_s: u32, head_only: bool, close: bool) -> String {
        let mut out = Vec::new();
        let document = Document {
            status: 200,
            body: b"{\"a\":1}",
            max_age_s,
            www_authenticate: Some("Basic realm=\"t8\""),
            retry_after_s: None,
            accept_encoding: (max_age_s == 0).then_some("identity"),
            request_id: "0af7",
        };
        write_document(&mut out, &document, head_only, close);
        String::from_utf8(out).expect("ASCII")
    }

    //= RFC 6749 section 5.1 type=test
    //# An answer with a token says no-store and no-cache.
    #[test]
    fn document_that_must_not_be_kept_says_so() {
        let said = written(0, false, false);
        assert!(said.contains("\r\nCache-Control: no-store\r\nPragma: no-cache\r\n"));
        assert!(said.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"));
        assert!(said.contains("\r\nContent-Length: 7\r\n"));
        assert!(said.contains("\r\nAccept-Encoding: identity\r\n"));
        assert!(said.contains("\r\nWWW-Authenticate: Basic realm=\"t8\"\r\n"));
        assert!(said.ends_with("\r\n\r\n{\"a\":1}"));
        assert!(!said.contains("Connection"));
    }

    #[test]
    fn document_for_head_has_its_length_and_no_body() {
        let said = written(300, true, true);
        assert!(said.contains("\r\nContent-Length: 7\r\n"));
        assert!(said.contains("\r\nCache-Control: max-age=300\r\n"));
        assert!(said.ends_with("\r\nConnection: close\r\n\r\n"));
    }
}
