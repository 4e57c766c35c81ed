//! A body that is judged as it comes: no octet is given on before what it belongs to was searched.
//!
//! ```text
//!   Whole ──(longer than may be kept)──▶ Members ──(no JSON)──▶ Flat
//!     │                                     │                    │
//!     └─(end)──▶ all of it                  └─ to the last whole └─ to the last octet that
//!                or nothing                    name or value        no identity reaches across
//! ```
//!
//! Whatever is found ends it for good: what was given on before holds no octet of an identity.

use super::guard::{Guard, Hit, Media, Scratch, Value};
use super::imsi::{is_break, open_end};
use super::spelling;

/// Octets at the end of what was judged in which an identity may begin that goes on behind it, as
/// they are read: 15 digits with as many separators as may be and the word before them, in base64
/// twice.
const READ_BYTES: usize = 256;
/// Of those that are spelt otherwise as many are looked at first.
const SPELT_BYTES: usize = 2 * READ_BYTES;

/// Why no more of a body is given on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    Hit(Hit),
    /// One name or value is longer than all that may be kept: it cannot be judged.
    TooLong,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Members,
    Flat,
}

/// One body on its way. It keeps its buffer for the next.
pub struct Clearing {
    media: Media,
    state: State,
    /// What was neither taken nor judged yet, behind what was.
    held: Vec<u8>,
    /// `given <= cleared <= held.len()`
    given: usize,
    cleared: usize,
    bytes_max: usize,
    cut: Option<Cut>,
}

impl Clearing {
    /// Of a body that is judged as a whole if it has no more than so many octets. As many are
    /// allocated, here and never again.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            media: Media::Text,
            state: State::Whole,
            held: Vec::with_capacity(bytes_max),
            given: 0,
            cleared: 0,
            bytes_max,
            cut: None,
        }
    }

    /// How long a body may be that is judged as a whole.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Forgets the last body and begins with another.
    pub fn restart(&mut self, media: Media) {
        self.media = media;
        self.state = State::Whole;
        self.held.clear();
        (self.given, self.cleared) = (0, 0);
        self.cut = None;
    }

    /// Takes octets of the body, as many as there is room for, and says how many. Those that were
    /// taken and judged are [`Self::cleared`]; where none are taken, these have to be given on
    /// first.
    ///
    /// # Errors
    /// Something was found, now or before: nothing more of this body may leave.
    pub fn push(
        &mut self,
        octets: &[u8],
        guard: &Guard,
        scratch: &mut Scratch,
    ) -> Result<usize, Cut> {
        if let Some(cut) = &self.cut {
            return Err(cut.clone());
        }
        let taken = self.take(octets);
        if taken < octets.len() && self.state == State::Whole {
            self.state = match self.media {
                Media::Json => State::Members,
                Media::Text => State::Flat,
            };
            scratch.restart();
        }
        if self.state != State::Whole {
            self.judge(false, guard, scratch)?;
            if taken == 0 && !octets.is_empty() && self.given == self.cleared {
                return Err(self.end_by(Cut::TooLong));
            }
        }
        Ok(taken)
    }

    /// The body is at its end: judges what is left of it. One that was kept whole may have been
    /// rewritten: for this.
    ///
    /// # Errors
    /// As for [`Self::push`].
    pub fn end(&mut self, guard: &Guard, scratch: &mut Scratch) -> Result<Option<Hit>, Cut> {
        if let Some(cut) = &self.cut {
            return Err(cut.clone());
        }
        if self.state != State::Whole {
            return self.judge(true, guard, scratch).map(|()| None);
        }
        match guard.clear(self.media, &mut self.held, scratch) {
            Ok(rewritten) => {
                self.cleared = self.held.len();
                Ok(rewritten)
            }
            Err(hit) => Err(self.end_by(Cut::Hit(hit))),
        }
    }

    /// What may leave.
    pub fn cleared(&self) -> &[u8] {
        self.held.get(self.given..self.cleared).unwrap_or_default()
    }

    /// So many of them have left.
    pub fn give(&mut self, count: usize) {
        self.given = (self.given + count).min(self.cleared);
    }

    fn end_by(&mut self, cut: Cut) -> Cut {
        self.cut = Some(cut.clone());
        cut
    }

    fn take(&mut self, octets: &[u8]) -> usize {
        let room = self.bytes_max.saturating_sub(self.held.len());
        if room < octets.len() {
            self.held.drain(..self.given);
            self.cleared -= self.given;
            self.given = 0;
        }
        let room = self.bytes_max.saturating_sub(self.held.len());
        let taken = octets.get(..room).unwrap_or(octets);
        self.held.extend_from_slice(taken);
        taken.len()
    }

    /// Clears what can be judged of what is held.
    fn judge(&mut self, last: bool, guard: &Guard, scratch: &mut Scratch) -> Result<(), Cut> {
        while self.state == State::Members {
            let mut at = self.cleared;
            match guard.value(&self.held, &mut at, last, scratch) {
                Value::Clean => self.cleared = at,
                Value::Found(found, _, of_name) => {
                    let hit = found.at(scratch.pointer(of_name));
                    return Err(self.end_by(Cut::Hit(hit)));
                }
                // Of what is not whole nothing leaves but the blanks and marks before it.
                Value::More if !last => {
                    self.cleared = at;
                    return Ok(());
                }
                Value::End => {
                    self.cleared = at;
                    return Ok(());
                }
                Value::More | Value::Broken => self.state = State::Flat,
            }
        }
        let unjudged = self.held.get(self.cleared..).unwrap_or_default();
        let end = if last {
            unjudged.len()
        } else {
            let mark = unjudged.iter().rposition(|octet| is_break(*octet));
            mark.map_or(0, |mark| mark + 1)
        };
        let judged = unjudged.get(..end).unwrap_or_default();
        if let Some(found) = guard.flat(judged, scratch) {
            return Err(self.end_by(Cut::Hit(found.at("body".to_owned()))));
        }
        // What an identity may begin with is judged once more, with what comes.
        let open = match last {
            true => Some(0),
            false if spelling::is_plain(last_of(judged, SPELT_BYTES)) => Some(open_end(judged)),
            false => spelt_end(judged, self.bytes_max / 4),
        };
        let open = open.ok_or_else(|| self.end_by(Cut::TooLong))?;
        self.cleared += end - open;
        Ok(())
    }
}

/// How many octets at a text's end an identity may begin with that goes on behind it, however it is
/// spelt: what is not seen may be as long as it likes. None where more than so many.
fn spelt_end(text: &[u8], most: usize) -> Option<usize> {
    let read = READ_BYTES.min(most / 4);
    let mut length = SPELT_BYTES.min(most);
    loop {
        let end = last_of(text, length);
        if end.len() == text.len() || spelling::length_read(end) >= read {
            return Some(end.len());
        }
        if length == most {
            return None;
        }
        length = (2 * length).min(most);
    }
}

fn last_of(text: &[u8], length: usize) -> &[u8] {
    &text[text.len().saturating_sub(length)..]
}

#[cfg(test)]
mod tests;
