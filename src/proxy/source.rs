//! A body on its way through: taken out of its framing on one side, put into the other's.

use crate::http::chunked::{ChunkFault, ChunkedDecoder};
use crate::http::h1;

/// Where a body's bytes come from, and how much of it is still to come.
pub enum Source {
    /// There is none, or it has all been taken.
    Done,
    Length(u64),
    Chunked(Box<ChunkedDecoder>),
    /// Ends with the connection.
    UntilClose,
}

/// How the body's bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// As they are.
    Plain,
    /// Each piece a chunk, and a last one behind them.
    Chunked,
    /// Nowhere.
    Nothing,
}

/// What [`Source::take`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Bytes of the input that are used up, framing included.
    pub consumed: usize,
    /// Bytes of the body among them.
    pub body: u64,
}

impl Source {
    /// Whether all of the body has been taken.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Takes what `input` holds of the body and writes at most about `room` bytes of it to `out`.
    ///
    /// # Errors
    /// The chunked coding is broken.
    pub fn take(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        sink: Sink,
        room: usize,
    ) -> Result<Taken, ChunkFault> {
        let mut taken = Taken::default();
        while taken.consumed < input.len() && !self.is_done() && out.len() < room {
            let before = taken.consumed;
            let rest = &input[taken.consumed..];
            let rest = &rest[..rest.len().min(room - out.len())];
            let body = match self {
                Self::Done => &[],
                Self::UntilClose => {
                    taken.consumed += rest.len();
                    rest
                }
                Self::Length(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= count as u64;
                    taken.consumed += count;
                    &rest[..count]
                }
                Self::Chunked(decoder) => {
                    let chunk = decoder.decode(rest)?;
                    taken.consumed += chunk.consumed;
                    let body = &rest[chunk.data.clone()];
                    if chunk.done {
                        write(out, body, sink);
                        taken.body += body.len() as u64;
                        self.end(out, sink);
                        break;
                    }
                    body
                }
            };
            write(out, body, sink);
            taken.body += body.len() as u64;
            if matches!(self, Self::Length(0)) {
                self.end(out, sink);
            }
            if taken.consumed == before {
                break;
            }
        }
        Ok(taken)
    }

    /// The connection that carried the body has ended: whether that was its end.
    pub fn closed(&mut self, out: &mut Vec<u8>, sink: Sink) -> bool {
        if matches!(self, Self::UntilClose) {
            self.end(out, sink);
        }
        self.is_done()
    }

    fn end(&mut self, out: &mut Vec<u8>, sink: Sink) {
        *self = Self::Done;
        if sink == Sink::Chunked {
            h1::write_last_chunk(out);
        }
    }
}

fn write(out: &mut Vec<u8>, body: &[u8], sink: Sink) {
    match sink {
        Sink::Nothing => {}
        _ if body.is_empty() => {}
        Sink::Plain => out.extend_from_slice(body),
        Sink::Chunked => {
            h1::write_chunk_head(out, body.len());
            out.extend_from_slice(body);
            out.extend_from_slice(b"\r\n");
        }
    }
}
