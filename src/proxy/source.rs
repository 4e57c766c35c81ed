//! A body on its way through: taken out of its framing on one side, put into the other's.

use crate::http::chunked::{ChunkFault, ChunkedDecoder};
use crate::http::h1;
use crate::http::head::ResponseBody;

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
    /// An answer's.
    pub fn of(body: ResponseBody) -> Self {
        match body {
            ResponseBody::None | ResponseBody::Length(0) => Self::Done,
            ResponseBody::Length(length) => Self::Length(length),
            ResponseBody::Chunked => Self::Chunked(Box::default()),
            ResponseBody::UntilClose => Self::UntilClose,
        }
    }

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
                        sink.write(out, body);
                        taken.body += body.len() as u64;
                        self.end(out, sink);
                        break;
                    }
                    body
                }
            };
            sink.write(out, body);
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
    pub fn closed(&mut self) -> bool {
        if matches!(self, Self::UntilClose) {
            *self = Self::Done;
        }
        self.is_done()
    }

    fn end(&mut self, out: &mut Vec<u8>, sink: Sink) {
        *self = Self::Done;
        sink.end(out);
    }
}

impl Sink {
    /// Writes a piece of a body.
    pub fn write(self, out: &mut Vec<u8>, body: &[u8]) {
        match self {
            Self::Nothing => {}
            _ if body.is_empty() => {}
            Self::Plain => out.extend_from_slice(body),
            Self::Chunked => {
                h1::write_chunk_head(out, body.len());
                out.extend_from_slice(body);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Writes what stands behind the last one.
    pub fn end(self, out: &mut Vec<u8>) {
        if self == Self::Chunked {
            h1::write_last_chunk(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `input` in pieces, as a connection would, and returns what was written, how much of
    /// the input was used, and whether the body was over.
    fn fed(mut source: Source, input: &[u8], piece: usize, sink: Sink, room: usize) -> Fed {
        let mut fed = Fed::default();
        let (mut from, mut to) = (0, 0);
        while !source.is_done() {
            let mut out = Vec::new();
            let taken = source.take(&input[from..to], &mut out, sink, room);
            let taken = taken
                .map_err(|fault| fed.fault = Some(fault))
                .unwrap_or_default();
            assert!(out.len() <= room + 32, "a piece and its framing");
            fed.out.extend_from_slice(&out);
            fed.body += taken.body;
            from += taken.consumed;
            if fed.fault.is_some() || (taken.consumed == 0 && to == input.len()) {
                break;
            }
            to = input.len().min(to + piece);
        }
        fed.used = from;
        fed.done = source.is_done();
        fed
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Fed {
        out: Vec<u8>,
        used: usize,
        body: u64,
        done: bool,
        fault: Option<ChunkFault>,
    }

    #[test]
    fn what_follows_a_body_is_left_alone() {
        let input = b"0123456789GET / HTTP/1.1";
        let fed = fed(Source::Length(10), input, 7, Sink::Plain, 4);
        assert_eq!(
            (fed.out.as_slice(), fed.used, fed.done),
            (&input[..10], 10, true)
        );
        let input = b"3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1";
        let fed = super::tests::fed(Source::Chunked(Box::default()), input, 5, Sink::Plain, 100);
        assert_eq!(
            (fed.out.as_slice(), fed.used, fed.done),
            (&b"abc"[..], 13, true)
        );
    }

    #[test]
    fn broken_chunks_are_a_fault() {
        let fed = fed(
            Source::Chunked(Box::default()),
            b"3\r\nabcd",
            3,
            Sink::Plain,
            100,
        );
        assert_eq!(
            (fed.fault, fed.done),
            (Some(ChunkFault::DataOverrun), false)
        );
    }

    #[test]
    fn only_a_body_that_ends_with_the_connection_is_over_when_that_closes() {
        assert!(Source::UntilClose.closed());
        let mut out = Vec::new();
        Sink::Chunked.end(&mut out);
        assert_eq!(out, b"0\r\n\r\n");
        assert!(!Source::Length(1).closed());
        assert!(!Source::Chunked(Box::default()).closed());
    }

    #[test]
    fn a_body_thrown_away_is_counted_and_written_nowhere() {
        let fed = fed(
            Source::Length(5),
            b"12345",
            2,
            Sink::Nothing,
            usize::MAX - 32,
        );
        assert_eq!((fed.out.len(), fed.body, fed.done), (0, 5, true));
    }

    proptest! {
        #[test]
        fn a_body_crosses_both_framings_at_any_split(
            body in proptest::collection::vec(any::<u8>(), 1..2_000),
            first in 1usize..300,
            piece in 1usize..200,
            room in 1usize..500,
        ) {
            let (plain, length) = (body.clone(), body.len() as u64);
            let chunked = fed(Source::UntilClose, &plain, first, Sink::Chunked, room);
            prop_assert_eq!(chunked.body, length);
            let mut chunks = chunked.out;
            Sink::Chunked.end(&mut chunks);
            let back = fed(Source::Chunked(Box::default()), &chunks, piece, Sink::Plain, room);
            prop_assert!(back.done && back.used == chunks.len());
            prop_assert_eq!(&back.out, &plain);
            let counted = fed(Source::Length(length), &plain, piece, Sink::Plain, room);
            prop_assert!(counted.done);
            prop_assert_eq!(&counted.out, &plain);
        }
    }
}
