//! A CRL seen through a window: read piece by piece and hashed on the way, so that a file of 50 MB
//! never is in memory.

use std::io::Read;

use aws_lc_rs::digest::{Algorithm, Context, Digest};

use super::CrlFault;
use super::der::{HEADER_BYTES_MAX, Header};
use crate::limits::{CRL_BYTES_MAX, CRL_ELEMENT_BYTES_MAX};

/// What is read at a time; the longest element that is looked at in one piece fits.
const WINDOW_BYTES: usize = 64 * 1024;
const _: () = assert!(CRL_ELEMENT_BYTES_MAX <= WINDOW_BYTES);

pub(super) struct Window<R> {
    source: R,
    buffer: Box<[u8]>,
    /// at <= end <= buffer.len()
    at: usize,
    end: usize,
    /// Octets before the buffer's first.
    passed: usize,
    /// undigested <= at: what is to be hashed begins there.
    undigested: Option<usize>,
    digest: Option<Context>,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; WINDOW_BYTES].into_boxed_slice(),
            at: 0,
            end: 0,
            passed: 0,
            undigested: None,
            digest: None,
        }
    }

    /// Octets taken so far.
    pub(super) fn taken(&self) -> usize {
        self.passed + self.at
    }

    /// What is taken from here on is to be hashed, once [`Self::digest_with`] has said how.
    pub(super) fn keep(&mut self) {
        self.undigested = Some(self.at);
    }

    /// Hashes what has been taken since [`Self::keep`], and what will be.
    pub(super) fn digest_with(&mut self, algorithm: &'static Algorithm) {
        self.digest = Some(Context::new(algorithm));
    }

    /// The hash of all that was taken since [`Self::keep`].
    pub(super) fn digested(&mut self) -> Option<Digest> {
        self.digest_taken();
        self.undigested = None;
        self.digest.take().map(Context::finish)
    }

    /// The next header, which is not taken.
    pub(super) fn peek(&mut self) -> Result<Header, CrlFault> {
        self.fill(HEADER_BYTES_MAX)?;
        let ahead = self.buffer.get(self.at..self.end).unwrap_or_default();
        Header::of(ahead).ok_or(CrlFault::Encoding)
    }

    /// Takes the header of an element of this tag: the length of its content.
    pub(super) fn enter(&mut self, tag: u8) -> Result<usize, CrlFault> {
        let header = self.peek()?;
        if header.tag != tag {
            return Err(CrlFault::Encoding);
        }
        self.at = (self.at + header.bytes).min(self.end);
        Ok(header.content)
    }

    /// Takes one element whole: all its octets, and its content.
    pub(super) fn element(&mut self) -> Result<(Header, &[u8]), CrlFault> {
        let header = self.peek()?;
        let length = header.bytes + header.content;
        if length > CRL_ELEMENT_BYTES_MAX {
            return Err(CrlFault::TooLong);
        }
        self.fill(length)?;
        let from = self.at;
        let whole = self.buffer.get(from..self.end.min(from + length));
        let whole = whole.filter(|whole| whole.len() == length);
        let whole = whole.ok_or(CrlFault::Encoding)?;
        self.at = from + length;
        Ok((header, whole))
    }

    /// Whether all has been taken, and nothing follows.
    pub(super) fn is_at_end(&mut self) -> Result<bool, CrlFault> {
        self.fill(1)?;
        Ok(self.at == self.end)
    }

    /// Reads until so many octets are ahead, or the source ends.
    fn fill(&mut self, count: usize) -> Result<(), CrlFault> {
        if self.end - self.at >= count {
            return Ok(());
        }
        self.digest_taken();
        let from = self.undigested.unwrap_or(self.at);
        self.buffer.copy_within(from..self.end, 0);
        self.passed += from;
        (self.at, self.end) = (self.at - from, self.end - from);
        self.undigested = self.undigested.map(|_| 0);
        while self.end - self.at < count {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            if room.is_empty() {
                return Err(CrlFault::TooLong);
            }
            match self.source.read(room) {
                Ok(0) => break,
                Ok(read) => self.end += read.min(room.len()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // Said by the reader of PEM, of what is none; a file says neither.
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
                    ) =>
                {
                    return Err(CrlFault::Encoding);
                }
                Err(_) => return Err(CrlFault::Unreadable),
            }
        }
        if self.passed + self.end > CRL_BYTES_MAX {
            return Err(CrlFault::TooLong);
        }
        Ok(())
    }

    fn digest_taken(&mut self) {
        if let (Some(digest), Some(from)) = (&mut self.digest, self.undigested) {
            digest.update(self.buffer.get(from..self.at).unwrap_or_default());
            self.undigested = Some(self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Elements of [`WINDOW_BYTES`], one after another.
    struct Elements {
        whole: Vec<u8>,
        at: usize,
    }

    impl Read for Elements {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let left = &self.whole[self.at..];
            let count = left.len().min(into.len());
            into[..count].copy_from_slice(&left[..count]);
            self.at = (self.at + count) % self.whole.len();
            Ok(count)
        }
    }

    /// How many elements are taken from the first `octets` of them, and what comes then.
    fn taken(octets: usize) -> (usize, Result<bool, CrlFault>) {
        let mut whole = vec![0; WINDOW_BYTES];
        whole[..4].copy_from_slice(&[4, 0x82, 0xff, 0xfc]);
        let endless = Elements { whole, at: 0 };
        let mut window = Window::new(endless.take(octets as u64));
        let mut taken = 0;
        loop {
            match window.is_at_end() {
                Ok(false) => {}
                end => return (taken, end),
            }
            match window.element() {
                Ok(_) => taken += 1,
                Err(fault) => return (taken, Err(fault)),
            }
        }
    }

    #[test]
    fn list_is_read_up_to_its_bound_and_not_beyond() {
        let all = CRL_BYTES_MAX / WINDOW_BYTES;
        assert_eq!(taken(CRL_BYTES_MAX), (all, Ok(true)));
        let beyond = taken(CRL_BYTES_MAX + 1);
        assert_eq!(beyond, (all, Err(CrlFault::TooLong)));
    }
    /// A source that ends by this fault.
    struct Fails(std::io::ErrorKind);

    impl Read for Fails {
        fn read(&mut self, _into: &mut [u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }
    }

    #[test]
    fn what_is_no_list_is_told_from_what_cannot_be_read() {
        use std::io::ErrorKind;
        for (kind, fault) in [
            (ErrorKind::InvalidData, CrlFault::Encoding),
            (ErrorKind::UnexpectedEof, CrlFault::Encoding),
            (ErrorKind::PermissionDenied, CrlFault::Unreadable),
            (ErrorKind::Other, CrlFault::Unreadable),
        ] {
            let mut window = Window::new(Fails(kind));
            assert_eq!(window.element().map(drop), Err(fault), "{kind}");
        }
    }
}
