//! Writers. They only extend `out`: a caller that keeps its buffer allocates nothing.

use super::head::{RequestHead, ResponseBody, ResponseHead};

pub use super::chunked::{Chunk, ChunkFault, ChunkedDecoder};

/// Ends the data of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// How a response is framed towards the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// Neither length nor coding: 1xx, 204, and answers without a body that declared no length.
    None,
    /// So many bytes follow.
    Length(u64),
    /// No body follows (HEAD, 304), but so long it would have been.
    HeadLength(u64),
    /// Chunks follow.
    Chunked,
}

impl ResponseFraming {
    /// How to pass on a response whose body is relayed as it comes.
    #[must_use]
    pub fn relaying(head: &ResponseHead<'_, '_>) -> Self {
        match (head.body, head.declared_length) {
            (ResponseBody::Length(length), _) => Self::Length(length),
            (ResponseBody::Chunked | ResponseBody::UntilClose, _) => Self::Chunked,
            //= RFC 9110 section 8.6
            //# A 1xx or 204 answer carries no length, one to HEAD and a 304 keep theirs.
            (ResponseBody::None, Some(length)) if !matches!(head.status, 100..=199 | 204) => {
                Self::HeadLength(length)
            }
            (ResponseBody::None, _) => Self::None,
        }
    }
}

/// Writes a request head for the upstream: origin form, the fields that are not dropped, and
/// `identity`, whole field lines each with its CRLF. [`end_request_head`] ends it, once it is known
/// how much follows.
pub fn write_request_head(out: &mut Vec<u8>, head: &RequestHead<'_, '_>, identity: &[u8]) {
    put(
        out,
        &[head.method_text.as_bytes(), b" ", head.path.as_bytes()],
    );
    if let Some(query) = head.query {
        put(out, &[b"?", query.as_bytes()]);
    }
    put(
        out,
        &[b" HTTP/1.1\r\nHost: ", head.host.as_bytes(), b"\r\n"],
    );
    write_fields(out, head.fields, head.dropped);
    out.extend_from_slice(identity);
}

/// Ends a request head: so many bytes follow, or there is no body.
pub fn end_request_head(out: &mut Vec<u8>, length: Option<u64>) {
    if let Some(length) = length {
        write_length(out, length);
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes a response head for the client: always HTTP/1.1, the fields that are not dropped, our
/// own framing, and `extra`, whole field lines each with its CRLF.
pub fn write_response_head(
    out: &mut Vec<u8>,
    head: &ResponseHead<'_, '_>,
    body: ResponseFraming,
    close: bool,
    extra: &[u8],
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    write_decimal(out, u64::from(head.status));
    put(out, &[b" ", head.reason.as_bytes(), b"\r\n"]);
    write_fields(out, head.fields, head.dropped);
    match body {
        ResponseFraming::None => {}
        ResponseFraming::Length(length) | ResponseFraming::HeadLength(length) => {
            write_length(out, length);
        }
        ResponseFraming::Chunked => out.extend_from_slice(CHUNKED),
    }
    if close {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    put(out, &[extra, b"\r\n"]);
}

/// What has become of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It says the same otherwise.
    Reworded,
    /// Something was taken out that nobody is to find out.
    Redacted,
}

/// Says of another body, of so many octets, what a head said of the one that it was written for by
/// [`write_response_head`]; it is the first `head_bytes` of `out`.
pub fn describe_anew(out: &mut Vec<u8>, head_bytes: usize, length: usize, became: Became) {
    let head = out.get(..head_bytes).unwrap_or_default();
    let mut anew = Vec::with_capacity(head.len());
    let is_any_of =
        |name: &[u8], names: &[&[u8]]| names.iter().any(|one| name.eq_ignore_ascii_case(one));
    for line in head.split_inclusive(|octet| *octet == b'\n') {
        let name = memchr::memchr(b':', line).and_then(|end| line.get(..end));
        match name {
            Some(b"Content-Length") => write_length(&mut anew, length as u64),
            Some(name) if is_any_of(name, &DIGESTS) => {}
            Some(name) if became == Became::Redacted && is_any_of(name, &TAGS) => {}
            _ => anew.extend_from_slice(line),
        }
    }
    out.splice(..head_bytes.min(out.len()), anew);
}

/// Fields with a digest of the body (RFC 9530 section 1.3, and those before it).
const DIGESTS: [&[u8]; 4] = [b"Content-Digest", b"Repr-Digest", b"Digest", b"Content-MD5"];

//= RFC 9110 section 8.8.3
//# How a tag is made its server chooses.
/// Many make it of a digest of the body, against which what was taken out could be tried.
const TAGS: [&[u8]; 1] = [b"ETag"];

/// Starts a chunk of `length` bytes; [`CHUNK_END`] follows its data. For zero bytes nothing is
/// written, because that would end the body.
pub fn write_chunk_head(out: &mut Vec<u8>, length: usize) {
    debug_assert!(length > 0, "an empty chunk is the last one");
    if length > 0 {
        write_number::<16>(out, length as u64);
        out.extend_from_slice(b"\r\n");
    }
}

/// Ends a chunked body, without trailers.
pub fn write_last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

/// Writes a number in decimal.
pub fn write_decimal(out: &mut Vec<u8>, number: u64) {
    write_number::<10>(out, number);
}

const CHUNKED: &[u8] = b"Transfer-Encoding: chunked\r\n";

fn write_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    write_decimal(out, length);
    out.extend_from_slice(b"\r\n");
}

fn write_fields(out: &mut Vec<u8>, fields: &[httparse::Header<'_>], dropped: u64) {
    for (place, field) in fields.iter().enumerate() {
        if dropped >> place & 1 == 0 {
            put(out, &[field.name.as_bytes(), b": ", field.value, b"\r\n"]);
        }
    }
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

fn write_number<const RADIX: u64>(out: &mut Vec<u8>, number: u64) {
    // Twenty digits are the most a u64 has, in decimal.
    let mut digits = [0; 20];
    let mut left = number;
    let mut start = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b"0123456789abcdef"[(left % RADIX) as usize];
        left /= RADIX;
        start = place;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests;
