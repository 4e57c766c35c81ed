//! Refusals as `application/problem+json`.

use super::h1::write_decimal;

/// A refusal in words. None of them may carry what a subscriber, token or key is called.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// The HTTP status.
    pub status: u16,
    /// What kind of problem it is, the same at every occurrence.
    pub title: &'a str,
    /// What is wrong this time, for a human.
    pub detail: &'a str,
    /// What is wrong, for a program (TS 29.122 `cause`).
    pub cause: &'a str,
    /// The challenge of a 401, or of a 403 for want of scope.
    pub www_authenticate: Option<&'a str>,
    /// The methods a 405 names.
    pub allow: Option<&'a str>,
    /// The media type that a 415 names, of a body that is no patch.
    pub accept: Option<&'a str>,
    /// The same of a patch.
    pub accept_patch: Option<&'a str>,
    /// When to come again, seconds.
    pub retry_after_s: Option<u32>,
    /// What the logs know the request by; empty where it has no id yet.
    pub request_id: &'a str,
}

/// Writes a whole response; with `head_only` its body is left out, but not its length.
pub fn write_problem(out: &mut Vec<u8>, problem: &Problem<'_>, head_only: bool, close: bool) {
    // The head states the body's length: the body is written first and turned behind the head.
    let start = out.len();
    write_body(out, problem);
    let body_bytes = out.len() - start;
    if head_only {
        out.truncate(start);
    }
    write_head(out, problem, body_bytes, close);
    if !head_only && let Some(response) = out.get_mut(start..) {
        response.rotate_left(body_bytes);
    }
}

fn write_head(out: &mut Vec<u8>, problem: &Problem<'_>, body_bytes: usize, close: bool) {
    out.extend_from_slice(b"HTTP/1.1 ");
    write_decimal(out, u64::from(problem.status));
    out.push(b' ');
    out.extend_from_slice(reason(problem.status).as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: application/problem+json\r\nContent-Length: ");
    write_decimal(out, body_bytes as u64);
    out.extend_from_slice(b"\r\nCache-Control: no-store\r\n");
    if !problem.request_id.is_empty() {
        write_field(out, "X-Request-Id", problem.request_id);
    }
    if let Some(challenge) = problem.www_authenticate {
        write_field(out, "WWW-Authenticate", challenge);
    }
    if let Some(methods) = problem.allow {
        write_field(out, "Allow", methods);
    }
    //= RFC 9110 section 15.5.16
    //# A 415 says by Accept which media types would have been taken.
    if let Some(media) = problem.accept {
        write_field(out, "Accept", media);
    }
    //= RFC 5789 section 2.2
    //# Of a PATCH it says so by Accept-Patch.
    if let Some(media) = problem.accept_patch {
        write_field(out, "Accept-Patch", media);
    }
    if let Some(wait_s) = problem.retry_after_s {
        out.extend_from_slice(b"Retry-After: ");
        write_decimal(out, u64::from(wait_s));
        out.extend_from_slice(b"\r\n");
    }
    if close {
        write_field(out, "Connection", "close");
    }
    out.extend_from_slice(b"\r\n");
}

/// A value can never end its line, wherever it came from.
pub(super) fn write_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(
        value
            .bytes()
            .map(|byte| if byte.is_ascii_control() { b' ' } else { byte }),
    );
    out.extend_from_slice(b"\r\n");
}

//= RFC 9457 section 3.1
//# Members type, title, status and detail; `cause` is the extension that T8 defines.
fn write_body(out: &mut Vec<u8>, problem: &Problem<'_>) {
    out.extend_from_slice(b"{\"type\":\"about:blank\",\"title\":");
    write_string(out, problem.title);
    out.extend_from_slice(b",\"status\":");
    write_decimal(out, u64::from(problem.status));
    out.extend_from_slice(b",\"detail\":");
    write_string(out, problem.detail);
    out.extend_from_slice(b",\"cause\":");
    write_string(out, problem.cause);
    out.push(b'}');
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// The reason phrases of the statuses a gateway answers with itself.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
