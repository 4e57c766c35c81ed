//! Responses, read no further than a generator must: the status, and where the next one begins.

use std::fmt;

/// A head longer than this is a fault of the server.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Fields of a head.
const FIELDS_MAX: usize = 64;

/// One whole response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 100..=999.
    pub status: u16,
    /// The server will close, or has to be closed: no other request fits on this connection.
    pub closes: bool,
}

/// Why bytes are not a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyFault {
    /// Not HTTP, or a head over all bounds.
    HeadMalformed,
    /// `Content-Length` is no number, or several that differ.
    LengthMalformed,
    /// A coding other than chunked, or a chunk that is none.
    CodingMalformed,
    /// Bytes nobody asked for.
    Unasked,
    /// The connection ended within a response.
    Truncated,
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadMalformed => "the head of a response is malformed",
            Self::LengthMalformed => "the Content-Length of a response is malformed",
            Self::CodingMalformed => "the Transfer-Encoding of a response is malformed",
            Self::Unasked => "bytes after the end of a response",
            Self::Truncated => "the connection ended within a response",
        })
    }
}

/// Where in a response the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// No request is out.
    Nothing,
    Head,
    /// So many bytes of body follow.
    Body(u64),
    /// The size of a chunk: digits seen, value, and whether they are over.
    ChunkSize {
        digits: u8,
        size: u64,
        extension: bool,
    },
    /// So many bytes of a chunk follow, then a line's end.
    Chunk(u64),
    ChunkEnd,
    /// Within the trailer; bytes of the line so far.
    Trailer(usize),
    /// The body ends with the connection.
    Close,
}

/// Reads one response after the other from bytes as they come.
pub struct Reply {
    at: At,
    to_head: bool,
    status: u16,
    closes: bool,
    /// A head that came in pieces.
    head: Vec<u8>,
    /// Bodies, for those who want to read them.
    body: Option<Vec<u8>>,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            at: At::Nothing,
            to_head: false,
            status: 0,
            closes: false,
            head: Vec::new(),
            body: None,
        }
    }
}

impl Reply {
    /// From now on bodies are kept.
    pub fn keep_body(&mut self) {
        self.body = Some(Vec::new());
    }

    /// The last response's body, as far as it was read and kept.
    pub fn body(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Some(body) = &mut self.body {
            body.extend_from_slice(bytes);
        }
    }

    /// A request was sent; `to_head` when it was a HEAD, whose response has no body.
    pub fn expect(&mut self, to_head: bool) {
        self.at = At::Head;
        self.to_head = to_head;
        self.head.clear();
        if let Some(body) = &mut self.body {
            body.clear();
        }
    }

    /// Takes bytes, and says when they complete the response.
    ///
    /// # Errors
    /// The bytes are no response: the connection is of no use any more.
    pub fn read(&mut self, mut bytes: &[u8]) -> Result<Option<Answer>, ReplyFault> {
        while !bytes.is_empty() {
            let used = match self.at {
                At::Nothing => return Err(ReplyFault::Unasked),
                At::Head => self.read_head(bytes)?,
                At::Body(left) => {
                    let used = taken(left, bytes);
                    self.keep(&bytes[..used]);
                    self.at = At::Body(left - used as u64);
                    used
                }
                At::Close => {
                    self.keep(bytes);
                    bytes.len()
                }
                _ => self.read_chunks(bytes)?,
            };
            bytes = bytes.get(used..).unwrap_or_default();
            if self.at == At::Body(0) {
                self.at = At::Nothing;
                if !bytes.is_empty() {
                    return Err(ReplyFault::Unasked);
                }
                return Ok(Some(self.answer()));
            }
        }
        Ok(None)
    }

    /// The connection ended: a response without a length is complete by that.
    ///
    /// # Errors
    /// [`ReplyFault::Truncated`] within any other; `Ok(None)` when none had begun.
    pub fn end(&mut self) -> Result<Option<Answer>, ReplyFault> {
        match std::mem::replace(&mut self.at, At::Nothing) {
            At::Close => Ok(Some(self.answer())),
            At::Nothing => Ok(None),
            At::Head if self.head.is_empty() => Ok(None),
            _ => Err(ReplyFault::Truncated),
        }
    }

    fn answer(&self) -> Answer {
        Answer {
            status: self.status,
            closes: self.closes,
        }
    }

    /// How many of `bytes` belong to the head; sets what follows it once it is whole.
    fn read_head(&mut self, bytes: &[u8]) -> Result<usize, ReplyFault> {
        if self.head.is_empty() {
            if let Some(used) = self.parse_head(bytes)? {
                return Ok(used);
            }
            self.head.extend_from_slice(bytes);
        } else {
            let before = self.head.len();
            let mut head = std::mem::take(&mut self.head);
            head.extend_from_slice(bytes);
            let parsed = self.parse_head(&head);
            self.head = head;
            if let Some(used) = parsed? {
                self.head.clear();
                // The head was not whole before these bytes, so it ends within them.
                return Ok(used.saturating_sub(before));
            }
        }
        if self.head.len() > HEAD_BYTES_MAX {
            return Err(ReplyFault::HeadMalformed);
        }
        Ok(bytes.len())
    }

    fn parse_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, ReplyFault> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = response.parse(bytes);
        let used = match parsed.map_err(|_| ReplyFault::HeadMalformed)? {
            httparse::Status::Partial => return Ok(None),
            httparse::Status::Complete(used) => used,
        };
        let status = response.code.unwrap_or_default();
        if !(100..=999).contains(&status) {
            return Err(ReplyFault::HeadMalformed);
        }
        let framing = Framing::of(response.headers, response.version == Some(1))?;
        self.status = status;
        self.closes = framing.closes;
        self.at = match status {
            // Another head follows; a switch of protocols was never asked for.
            101 => return Err(ReplyFault::HeadMalformed),
            100..=199 => At::Head,
            204 | 304 => At::Body(0),
            _ if self.to_head => At::Body(0),
            _ if framing.chunked => CHUNK_BEGIN,
            _ => framing.length.map_or(At::Close, At::Body),
        };
        self.closes |= self.at == At::Close;
        Ok(Some(used))
    }

    /// How many of `bytes` were read; a complete body leaves `At::Body(0)`.
    fn read_chunks(&mut self, bytes: &[u8]) -> Result<usize, ReplyFault> {
        let mut used = 0;
        while let Some(&byte) = bytes.get(used) {
            used += 1;
            self.at = match self.at {
                At::ChunkSize {
                    digits,
                    size,
                    extension,
                } => chunk_size(byte, digits, size, extension)?,
                At::Chunk(left) => {
                    used -= 1;
                    let skipped = taken(left, &bytes[used..]);
                    self.keep(&bytes[used..used + skipped]);
                    used += skipped;
                    match left - skipped as u64 {
                        0 => At::ChunkEnd,
                        left => At::Chunk(left),
                    }
                }
                At::ChunkEnd => match byte {
                    b'\r' => At::ChunkEnd,
                    b'\n' => CHUNK_BEGIN,
                    _ => return Err(ReplyFault::CodingMalformed),
                },
                At::Trailer(line) => match byte {
                    b'\n' if line == 0 => At::Body(0),
                    b'\n' => At::Trailer(0),
                    b'\r' => At::Trailer(line),
                    _ if line >= HEAD_BYTES_MAX => return Err(ReplyFault::CodingMalformed),
                    _ => At::Trailer(line + 1),
                },
                other => other,
            };
            if self.at == At::Body(0) {
                break;
            }
        }
        Ok(used)
    }
}

const CHUNK_BEGIN: At = At::ChunkSize {
    digits: 0,
    size: 0,
    extension: false,
};

fn taken(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}

fn chunk_size(byte: u8, digits: u8, size: u64, extension: bool) -> Result<At, ReplyFault> {
    let digit = (byte as char).to_digit(16);
    match (byte, digit) {
        (b'\n', _) if digits > 0 => Ok(match size {
            0 => At::Trailer(0),
            size => At::Chunk(size),
        }),
        (b'\n', _) => Err(ReplyFault::CodingMalformed),
        (_, Some(digit)) if !extension && digits < 15 => Ok(At::ChunkSize {
            digits: digits + 1,
            size: size << 4 | u64::from(digit),
            extension,
        }),
        (b';' | b' ' | b'\t' | b'\r', _) if digits > 0 => Ok(At::ChunkSize {
            digits,
            size,
            extension: true,
        }),
        _ if extension => Ok(At::ChunkSize {
            digits,
            size,
            extension,
        }),
        _ => Err(ReplyFault::CodingMalformed),
    }
}

/// What a head says about the end of its response.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
}

impl Framing {
    fn of(fields: &[httparse::Header<'_>], version_1_1: bool) -> Result<Self, ReplyFault> {
        let mut framing = Self {
            closes: !version_1_1,
            ..Self::default()
        };
        for field in fields {
            let value = field.value.trim_ascii();
            if field.name.eq_ignore_ascii_case("content-length") {
                framing.add_length(value)?;
            } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
                if !value.eq_ignore_ascii_case(b"chunked") || framing.chunked {
                    return Err(ReplyFault::CodingMalformed);
                }
                framing.chunked = true;
            } else if field.name.eq_ignore_ascii_case("connection") {
                for word in value.split(|byte| *byte == b',') {
                    let word = word.trim_ascii();
                    if word.eq_ignore_ascii_case(b"close") {
                        framing.closes = true;
                    } else if word.eq_ignore_ascii_case(b"keep-alive") && !version_1_1 {
                        framing.closes = false;
                    }
                }
            }
        }
        if framing.chunked && framing.length.is_some() {
            // Two lengths, of which one is a lie.
            return Err(ReplyFault::LengthMalformed);
        }
        Ok(framing)
    }

    fn add_length(&mut self, value: &[u8]) -> Result<(), ReplyFault> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(value).ok().filter(|_| digits);
        let length = text.and_then(|text| text.parse().ok());
        let length = length.ok_or(ReplyFault::LengthMalformed)?;
        if self.length.is_some_and(|before| before != length) {
            return Err(ReplyFault::LengthMalformed);
        }
        self.length = Some(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
