//! A body on its way to the client, past the guard: none of it leaves before it was looked through.

use std::rc::Rc;
use std::sync::Arc;

use crate::audit::{FoundIdentity, POINTER_BYTES};
use crate::http::chunked::ChunkFault;
use crate::http::head::RequestHead;
use crate::limits::RELAY_BYTES;
use crate::privacy::{Clearing, Cut, Guard, Hit, Media, Verdict};

use super::local::Local;
use super::source::{Sink, Source, Taken};

/// Why a body goes no further.
pub enum Stopped {
    /// An identity of a subscriber is in it.
    Identity(FoundIdentity),
    /// One member is longer than what is looked through.
    MemberTooLong,
}

/// What of one body has come and not left.
pub struct Guarded {
    local: Rc<Local>,
    guard: Arc<Guard>,
    media: Media,
    /// What has come last, and all of a short one.
    new: Vec<u8>,
    /// Of one that is longer than a relay's buffer.
    long: Option<Clearing>,
    /// All of it was looked through.
    ended: bool,
}

impl Guarded {
    /// Of a body of this kind.
    pub fn new(local: &Rc<Local>, media: Media) -> Self {
        Self {
            guard: Arc::clone(&local.snapshot().guard),
            media,
            new: local.buffers.lend(),
            long: None,
            ended: false,
            local: Rc::clone(local),
        }
    }

    /// Takes what `input` holds of it.
    ///
    /// # Errors
    /// The chunked coding is broken.
    pub fn take(&mut self, body: &mut Source, input: &[u8]) -> Result<Taken, ChunkFault> {
        let room = RELAY_BYTES.max(self.new.len());
        body.take(input, &mut self.new, Sink::Plain, room)
    }

    /// Looks through what has come, `whole` or with more behind it, and writes what may leave of it
    /// to `out`, as `sink` says. Whether more of what has come may leave once that is sent.
    ///
    /// # Errors
    /// Nothing more of it may leave.
    pub fn pass(&mut self, whole: bool, out: &mut Vec<u8>, sink: Sink) -> Result<bool, Stopped> {
        let mut scratch = self.local.scratch.borrow_mut();
        let (guard, new) = (&self.guard, &mut self.new);
        if self.long.is_none() {
            if whole {
                let found = guard.body(self.media, new, &mut scratch);
                if let Verdict::Hit(hit) = found {
                    return Err(Stopped::of(&hit));
                }
                sink.write(out, new);
                new.clear();
                return Ok(false);
            }
            if new.len() < RELAY_BYTES {
                return Ok(false);
            }
        }
        let long = self.long.get_or_insert_with(|| {
            let mut clearing = self.local.lend_clearing();
            clearing.restart(self.media);
            clearing
        });
        if !new.is_empty() {
            let taken = long.push(new, guard, &mut scratch);
            new.drain(..taken.map_err(Stopped::of_cut)?);
        }
        if whole && new.is_empty() && !std::mem::replace(&mut self.ended, true) {
            long.end(guard, &mut scratch).map_err(Stopped::of_cut)?;
        }
        let cleared = long.cleared();
        let piece = cleared.get(..RELAY_BYTES).unwrap_or(cleared);
        sink.write(out, piece);
        long.give(piece.len());
        Ok(!long.cleared().is_empty() || !new.is_empty())
    }
}

/// Gives the buffers back.
impl Drop for Guarded {
    fn drop(&mut self) {
        self.local.buffers.give_back(std::mem::take(&mut self.new));
        if let Some(clearing) = self.long.take() {
            self.local.give_clearing_back(clearing);
        }
    }
}

/// Looks through the head of a request: who asks must not know such identities either.
///
/// # Errors
/// One is in it.
pub fn request_head(head: &RequestHead<'_, '_>, local: &Local) -> Result<(), FoundIdentity> {
    let guard = &local.snapshot().guard;
    let query = head.query.map(|query| (&b"link"[..], query.as_bytes()));
    let fields = query
        .into_iter()
        .chain(forwarded(head.fields, head.dropped));
    match guard.head(
        head.path.as_bytes(),
        fields,
        &mut local.scratch.borrow_mut(),
    ) {
        Verdict::Clean => Ok(()),
        Verdict::Hit(hit) => Err(found(&hit)),
    }
}

/// The fields of a head that go on.
pub fn forwarded<'h>(
    fields: &'h [httparse::Header<'h>],
    dropped: u64,
) -> impl Iterator<Item = (&'h [u8], &'h [u8])> {
    let numbered = fields.iter().enumerate();
    let forwarded = numbered.filter(move |(place, _)| dropped >> place & 1 == 0);
    forwarded.map(|(_, field)| (field.name.as_bytes(), field.value))
}

/// As it is recorded.
fn found(hit: &Hit) -> FoundIdentity {
    let mut pointer = [0; POINTER_BYTES];
    let said = hit.pointer.as_bytes();
    let length = said.len().min(POINTER_BYTES);
    pointer[..length].copy_from_slice(&said[..length]);
    FoundIdentity {
        form: hit.form.word(),
        tier: hit.tier.word(),
        pseudonym: hit.pseudonym.octets(),
        pointer,
    }
}

impl Stopped {
    pub fn of(hit: &Hit) -> Self {
        Self::Identity(found(hit))
    }

    fn of_cut(cut: Cut) -> Self {
        match cut {
            Cut::Hit(hit) => Self::of(&hit),
            Cut::TooLong => Self::MemberTooLong,
        }
    }
}
