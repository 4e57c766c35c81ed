//! The chunked transfer coding, taken apart as its bytes come.

use std::ops::Range;

use super::{hex_value, is_token_byte};
use crate::limits::{
    CHUNK_EXTENSION_BYTES_MAX, CHUNK_EXTENSIONS_BYTES_MAX, CHUNK_SIZE_DIGITS_MAX, TRAILER_BYTES_MAX,
};

/// What one call of [`ChunkedDecoder::decode`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes of the input that are dealt with; they include `data`.
    pub consumed: usize,
    /// Where in the input body data stands; empty when there is none.
    pub data: Range<usize>,
    /// The body is over; what follows `consumed` belongs to the next message.
    pub done: bool,
}

/// Why a chunked body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkFault {
    /// The chunk size is missing, or followed by what is neither `;` nor CR.
    SizeMalformed,
    /// More digits than any body needs.
    SizeTooLong,
    /// A control or non-ASCII character in an extension, or a quoted string without end.
    ExtensionMalformed,
    /// The extensions of one chunk, or of the whole body, are over their bound.
    ExtensionTooLong,
    /// A CR without LF.
    LineEnding,
    /// The chunk's data is not followed by CRLF.
    DataOverrun,
    /// A trailer field is malformed.
    TrailerMalformed,
    /// The trailer section is over its bound.
    TrailerTooLong,
}

impl ChunkFault {
    /// The word for logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SizeMalformed => "chunk_size_malformed",
            Self::SizeTooLong => "chunk_size_too_long",
            Self::ExtensionMalformed => "chunk_extension_malformed",
            Self::ExtensionTooLong => "chunk_extension_too_long",
            Self::LineEnding => "chunk_line_ending",
            Self::DataOverrun => "chunk_data_overrun",
            Self::TrailerMalformed => "trailer_malformed",
            Self::TrailerTooLong => "trailer_too_long",
        }
    }
}

/// ```text
/// Size ─;─▶ Extension ◀─"─▶ Quoted ◀─▶ QuotedPair
///   └─CR─▶ SizeLf ◀─CR─┘
///            ├─ size > 0 ─▶ Data ─▶ DataCr ─▶ DataLf ─▶ Size
///            └─ size = 0 ─▶ TrailerStart ─▶ TrailerName ─▶ TrailerValue ─▶ TrailerLf ─┐
///                            ▲ └─CR─▶ EndLf ─▶ Done                                   │
///                            └────────────────────────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    Extension,
    Quoted,
    QuotedPair,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Done,
    Refused(ChunkFault),
}

/// Takes one chunked body apart, at any split of its bytes. It holds no data, so that bounding
/// the body is the caller's business.
#[derive(Debug)]
pub struct ChunkedDecoder {
    state: State,
    /// Data bytes of the current chunk still to come; while its size is read, the size so far.
    size: u64,
    /// `digits <= CHUNK_SIZE_DIGITS_MAX`, so that `size < 2^60` never overflows.
    digits: usize,
    extension_bytes: usize,
    extensions_bytes: usize,
    trailer_bytes: usize,
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkedDecoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: State::Size,
            size: 0,
            digits: 0,
            extension_bytes: 0,
            extensions_bytes: 0,
            trailer_bytes: 0,
        }
    }

    /// Is the body over?
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Reads on: at most one run of data a call, and the framing on both sides of it. Call again
    /// with what follows `consumed` until that consumes nothing.
    ///
    /// # Errors
    /// The body can never become valid; every later call says the same.
    pub fn decode(&mut self, input: &[u8]) -> Result<Chunk, ChunkFault> {
        let mut data = 0..0;
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            match self.state {
                State::Done => break,
                State::Refused(fault) => return Err(fault),
                State::Data if !data.is_empty() => break,
                State::Data => {
                    let left = input.len() - at;
                    let run = usize::try_from(self.size).map_or(left, |size| size.min(left));
                    data = at..at + run;
                    at += run;
                    self.size -= run as u64;
                    if self.size == 0 {
                        self.state = State::DataCr;
                    }
                }
                _ => {
                    if let Err(fault) = self.framing(byte) {
                        self.state = State::Refused(fault);
                        return Err(fault);
                    }
                    at += 1;
                }
            }
        }
        if let State::Refused(fault) = self.state {
            return Err(fault);
        }
        Ok(Chunk {
            consumed: at,
            data,
            done: self.is_done(),
        })
    }

    /// One byte that is not data.
    fn framing(&mut self, byte: u8) -> Result<(), ChunkFault> {
        self.state = match (self.state, byte) {
            (State::Size, _) => self.size_byte(byte)?,
            (State::Extension | State::Quoted | State::QuotedPair, _) => {
                self.extension_byte(byte)?
            }
            (State::SizeLf, b'\n') if self.size == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.digits = 0;
                self.extension_bytes = 0;
                State::Size
            }
            (State::DataCr | State::DataLf, _) => return Err(ChunkFault::DataOverrun),
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::TrailerStart | State::TrailerName | State::TrailerValue, _) => {
                self.trailer_byte(byte)?
            }
            (State::TrailerLf, b'\n') => {
                self.count_trailer()?;
                State::TrailerStart
            }
            (State::EndLf, b'\n') => State::Done,
            (State::SizeLf | State::TrailerLf | State::EndLf, _) => {
                return Err(ChunkFault::LineEnding);
            }
            (State::Data | State::Done | State::Refused(_), _) => self.state,
        };
        Ok(())
    }

    //= RFC 9112 section 7.1
    //# A chunk size is hexadecimal digits; it must not be able to overflow, and nothing but an
    //# extension or the end of the line follows it.
    fn size_byte(&mut self, byte: u8) -> Result<State, ChunkFault> {
        match (hex_value(byte), byte) {
            (Some(_), _) if self.digits == CHUNK_SIZE_DIGITS_MAX => Err(ChunkFault::SizeTooLong),
            (Some(digit), _) => {
                // The size of the chunk before has counted down to zero.
                self.size = self.size << 4 | u64::from(digit);
                self.digits += 1;
                Ok(State::Size)
            }
            (None, b'\r') if self.digits > 0 => Ok(State::SizeLf),
            (None, b';') if self.digits > 0 => self.extension_byte(byte),
            _ => Err(ChunkFault::SizeMalformed),
        }
    }

    //= RFC 9112 section 7.1.1
    //# Unknown extensions are ignored, and bounded in total.
    fn extension_byte(&mut self, byte: u8) -> Result<State, ChunkFault> {
        let next = match (self.state, byte) {
            (State::Size | State::Extension, b'\r') => return Ok(State::SizeLf),
            (State::Size | State::Extension, b'"') => State::Quoted,
            (State::Size | State::Extension, b'\t' | b' '..=b'~') => State::Extension,
            (State::Quoted, b'"') => State::Extension,
            (State::Quoted, b'\\') => State::QuotedPair,
            (State::Quoted | State::QuotedPair, b'\t' | b' '..=b'~' | 0x80..) => State::Quoted,
            _ => return Err(ChunkFault::ExtensionMalformed),
        };
        self.extension_bytes += 1;
        self.extensions_bytes += 1;
        if self.extension_bytes > CHUNK_EXTENSION_BYTES_MAX
            || self.extensions_bytes > CHUNK_EXTENSIONS_BYTES_MAX
        {
            return Err(ChunkFault::ExtensionTooLong);
        }
        Ok(next)
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<State, ChunkFault> {
        let next = match (self.state, byte) {
            (State::TrailerStart | State::TrailerName, _) if is_token_byte(byte) => {
                State::TrailerName
            }
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => State::TrailerValue,
            _ => return Err(ChunkFault::TrailerMalformed),
        };
        self.count_trailer()?;
        Ok(next)
    }

    /// Every byte of a trailer field counts, its line ending too.
    fn count_trailer(&mut self) -> Result<(), ChunkFault> {
        self.trailer_bytes += 1;
        let bounded = self.trailer_bytes <= TRAILER_BYTES_MAX;
        if bounded {
            Ok(())
        } else {
            Err(ChunkFault::TrailerTooLong)
        }
    }
}

#[cfg(test)]
mod tests;
