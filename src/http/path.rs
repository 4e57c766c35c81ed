//! The rules for paths, asked before anything is decided by a path: what passes means the same to
//! every reader, whether it decodes, merges slashes, resolves dots or strips parameters, or not.

use std::borrow::Cow;

use super::hex_value;

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// It does not start with a slash.
    NotAbsolute,
    /// Two slashes in a row, a trailing slash, or a segment of parameters only.
    EmptySegment,
    /// A segment `.` or `..`, however encoded, with or without parameters.
    DotSegment,
    /// `%2F`.
    EncodedSlash,
    /// A backslash, raw or encoded.
    Backslash,
    /// NUL, a control character or DEL, raw or encoded.
    Control,
    /// An encoded percent sign: what it stands for would depend on how often one decodes.
    DoubleEncoding,
    /// A percent sign without two hexadecimal digits.
    PercentMalformed,
    /// The decoded path is not UTF-8; overlong forms and surrogates are not either.
    Utf8Invalid,
    /// A raw character that a path must not contain.
    CharacterRefused,
}

impl PathFault {
    /// The word for logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotAbsolute => "path_not_absolute",
            Self::EmptySegment => "path_empty_segment",
            Self::DotSegment => "path_dot_segment",
            Self::EncodedSlash => "path_encoded_slash",
            Self::Backslash => "path_backslash",
            Self::Control => "path_control",
            Self::DoubleEncoding => "path_double_encoding",
            Self::PercentMalformed => "path_percent_malformed",
            Self::Utf8Invalid => "path_utf8_invalid",
            Self::CharacterRefused => "path_character_refused",
        }
    }
}

/// Checks a raw path (without query). `/` alone has no segments and passes.
///
/// # Errors
/// The first rule broken, reading from the left.
pub fn check(path: &str) -> Result<(), PathFault> {
    let Some(rest) = path.as_bytes().strip_prefix(b"/") else {
        return Err(PathFault::NotAbsolute);
    };
    if rest.is_empty() || is_plain(rest) {
        return Ok(());
    }
    let mut segment = Segment::default();
    let mut utf8 = Utf8::default();
    let mut bytes = rest.iter().copied();
    while let Some(raw) = bytes.next() {
        let byte = match raw {
            b'/' => {
                utf8.pause()?;
                segment.end()?;
                segment = Segment::default();
                continue;
            }
            //= RFC 3986 section 2.4
            //# Decode once, and never what has been decoded already.
            b'%' => encoded(bytes.next(), bytes.next())?,
            _ if is_path_byte(raw) => raw,
            b'\\' => return Err(PathFault::Backslash),
            0..=0x1f | 0x7f => return Err(PathFault::Control),
            _ => return Err(PathFault::CharacterRefused),
        };
        utf8.push(byte)?;
        segment.push(byte);
    }
    utf8.pause()?;
    segment.end()
}

/// Whether a path behind its first slash breaks no rule at first sight: nothing is encoded, nothing
/// has parameters, and no segment is empty or made of one or two dots. Nearly every path is like
/// that, and costs a fifth of reading it with care.
fn is_plain(rest: &[u8]) -> bool {
    const PLAIN: [bool; 256] = {
        let mut plain = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            plain[byte] = is_path_byte(byte as u8) && byte as u8 != b';' || byte as u8 == b'/';
            byte += 1;
        }
        plain
    };
    let (mut length, mut dots) = (0_usize, 0_usize);
    let is_whole = |length: usize, dots: usize| length > 0 && (dots < length || length > 2);
    for byte in rest {
        if !PLAIN[usize::from(*byte)] {
            return false;
        }
        if *byte == b'/' {
            if !is_whole(length, dots) {
                return false;
            }
            (length, dots) = (0, 0);
        } else {
            length += 1;
            dots += usize::from(*byte == b'.');
        }
    }
    is_whole(length, dots)
}

/// The text a segment of a checked path stands for. Allocates only where something is encoded.
#[must_use]
pub fn decode(segment: &str) -> Cow<'_, str> {
    if memchr::memchr(b'%', segment.as_bytes()).is_none() {
        return Cow::Borrowed(segment);
    }
    let mut decoded = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let pair = after.first().zip(after.get(1));
        let digits = pair.and_then(|(high, low)| hex_value(*high).zip(hex_value(*low)));
        match digits {
            Some((high, low)) if byte == b'%' => {
                decoded.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    match String::from_utf8(decoded) {
        Ok(text) => Cow::Owned(text),
        // Not reached with a checked path; the raw text then equals no configured name.
        Err(_) => Cow::Borrowed(segment),
    }
}

/// One decoded byte of a `%XX`, unless it is one that must not be hidden in an encoding.
fn encoded(high: Option<u8>, low: Option<u8>) -> Result<u8, PathFault> {
    let digits = high.and_then(hex_value).zip(low.and_then(hex_value));
    let (high, low) = digits.ok_or(PathFault::PercentMalformed)?;
    match high << 4 | low {
        b'/' => Err(PathFault::EncodedSlash),
        b'\\' => Err(PathFault::Backslash),
        b'%' => Err(PathFault::DoubleEncoding),
        0..=0x1f | 0x7f => Err(PathFault::Control),
        byte => Ok(byte),
    }
}

/// `pchar` of RFC 3986 section 3.3, without percent-encoding.
const fn is_path_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~'
        | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        | b':' | b'@')
}

/// What must be known of a segment at its end, counted in decoded bytes before any `;`: some
/// servers cut parameters off before they resolve dots.
#[derive(Default)]
struct Segment {
    length: usize,
    dots: usize,
    in_parameters: bool,
}

impl Segment {
    fn push(&mut self, byte: u8) {
        self.in_parameters |= byte == b';';
        if !self.in_parameters {
            self.length += 1;
            self.dots += usize::from(byte == b'.');
        }
    }

    fn end(&self) -> Result<(), PathFault> {
        match (self.length, self.dots) {
            (0, _) => Err(PathFault::EmptySegment),
            (1, 1) | (2, 2) => Err(PathFault::DotSegment),
            _ => Ok(()),
        }
    }
}

/// An incremental UTF-8 check: the decoded path exists nowhere as a whole.
struct Utf8 {
    /// Continuation bytes still to come.
    pending: u8,
    /// What the next of them may be: narrower than 80..=BF behind lead bytes whose short forms
    /// would be overlong, surrogates, or beyond U+10FFFF.
    low: u8,
    high: u8,
}

impl Default for Utf8 {
    fn default() -> Self {
        Self {
            pending: 0,
            low: 0x80,
            high: 0xbf,
        }
    }
}

impl Utf8 {
    fn push(&mut self, byte: u8) -> Result<(), PathFault> {
        if self.pending > 0 {
            if !(self.low..=self.high).contains(&byte) {
                return Err(PathFault::Utf8Invalid);
            }
            *self = Self {
                pending: self.pending - 1,
                ..Self::default()
            };
            return Ok(());
        }
        //= RFC 3629 section 3
        //# Only the shortest form of a character is UTF-8.
        let (pending, low, high) = match byte {
            0..=0x7f => return Ok(()),
            0xc2..=0xdf => (1, 0x80, 0xbf),
            0xe0 => (2, 0xa0, 0xbf),
            0xed => (2, 0x80, 0x9f),
            0xe1..=0xef => (2, 0x80, 0xbf),
            0xf0 => (3, 0x90, 0xbf),
            0xf1..=0xf3 => (3, 0x80, 0xbf),
            0xf4 => (3, 0x80, 0x8f),
            _ => return Err(PathFault::Utf8Invalid),
        };
        *self = Self { pending, low, high };
        Ok(())
    }

    /// A place where no character may be half read.
    const fn pause(&self) -> Result<(), PathFault> {
        if self.pending == 0 {
            Ok(())
        } else {
            Err(PathFault::Utf8Invalid)
        }
    }
}

#[cfg(test)]
mod tests;
