//! A PEM block read as the octets it stands for, piece by piece.

use std::io::{self, BufRead, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN X509 CRL-----";
const END: &str = "-----END X509 CRL-----";
/// A line of PEM has 64 letters, by RFC 7468; who writes longer ones writes not much longer ones.
const LINE_BYTES_MAX: u64 = 4_096;

/// The first CRL of a PEM text. Lines must hold whole groups of four letters, as all but the last
/// do wherever PEM is written.
pub(super) struct Pem<R> {
    lines: R,
    line: String,
    octets: Vec<u8>,
    /// at <= octets.len()
    at: usize,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Before,
    Inside,
    Behind,
}

impl<R: BufRead> Pem<R> {
    pub(super) fn new(lines: R) -> Self {
        Self {
            lines,
            line: String::new(),
            octets: Vec::new(),
            at: 0,
            state: State::Before,
        }
    }

    fn next_line(&mut self) -> io::Result<()> {
        self.line.clear();
        let mut bounded = self.lines.by_ref().take(LINE_BYTES_MAX);
        let read = bounded.read_line(&mut self.line)?;
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = self.line.trim();
        match self.state {
            State::Before if line == BEGIN => self.state = State::Inside,
            State::Inside if line == END => self.state = State::Behind,
            State::Inside => {
                self.octets.clear();
                self.at = 0;
                let decoded = STANDARD.decode_vec(line, &mut self.octets);
                decoded.map_err(|_| broken())?;
            }
            State::Before | State::Behind => {}
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Pem<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.octets.len() && self.state != State::Behind {
            self.next_line()?;
        }
        let left = self.octets.get(self.at..).unwrap_or_default();
        let count = left.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}
