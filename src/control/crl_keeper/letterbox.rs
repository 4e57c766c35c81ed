//! Between the keeper's thread and whoever tells it what to do: what is to be kept, and what has
//! come from each place so far.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::CrlFrom;
use crate::clock::UnixSeconds;
use crate::tls::revocation::{Crl, CrlFault, IssuerId, Revocation};

/// For as long as the keeper is there.
#[derive(Default)]
pub(super) struct Letterbox {
    pub letter: Mutex<Option<Letter>>,
    pub written: Notify,
    /// The places that lists are kept of, by their names, and what came from each, where that is
    /// known: one may have brought the list of one CA, and then of the next. The last stands last.
    pub places: Mutex<HashMap<String, Vec<Brought>>>,
}

/// Has files looked at now; one that has changed is read, whole or not.
pub(super) struct Letter {
    /// What is to be kept from now on, in place of all else.
    pub keep: Option<Vec<CrlFrom>>,
    /// Dropped when all that is done.
    pub done: Vec<SyncSender<()>>,
}

/// Which of an issuer's lists came from a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brought {
    pub issuer: IssuerId,
    pub delta: bool,
}

impl Brought {
    /// From where this list came.
    pub fn of(crl: &Crl) -> Self {
        Self {
            issuer: crl.issuer(),
            delta: crl.is_delta(),
        }
    }
}

/// What came from places, by their names.
pub type AllBrought = HashMap<String, Brought>;

/// A list that is in use now.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Serial numbers.
    pub entries: usize,
    pub brought: Brought,
}

impl Taken {
    pub fn of(crl: &Crl) -> Self {
        Self {
            entries: crl.entries(),
            brought: Brought::of(crl),
        }
    }
}

impl Letterbox {
    /// Names the places that lists are kept of: to be called with the letter in hand, or before
    /// there is a thread.
    pub fn name(&self, from: &[CrlFrom], brought: &AllBrought) {
        let mut places = held(&self.places);
        let mut known = |name: &String| {
            let mut all = places.remove(name).unwrap_or_default();
            if let Some(last) = brought.get(name) {
                note(&mut all, *last);
            }
            all
        };
        let named = from.iter().map(|from| &from.name);
        let named = named.map(|name| (name.clone(), known(name))).collect();
        *places = named;
    }

    pub fn brought(&self, name: &str) -> Vec<Brought> {
        held(&self.places).get(name).cloned().unwrap_or_default()
    }

    pub fn is_kept(&self, name: &str) -> bool {
        held(&self.places).contains_key(name)
    }

    /// Gives what hangs up when it is done. What was to be kept, and is not yet, still is.
    pub fn put(
        &self,
        mut letter: MutexGuard<'_, Option<Letter>>,
        keep: Option<Vec<CrlFrom>>,
    ) -> Receiver<()> {
        let (done, told) = sync_channel(0);
        let before = letter.take();
        let (kept, mut all) = before.map_or((None, Vec::new()), |one| (one.keep, one.done));
        all.push(done);
        let keep = keep.or(kept);
        *letter = Some(Letter { keep, done: all });
        self.written.notify_one();
        told
    }

    /// Takes a list into use, for whoever is still to keep it.
    pub fn renew(
        &self,
        name: &str,
        crl: Crl,
        revocation: &Revocation,
    ) -> Option<Result<Taken, CrlFault>> {
        let letter = held(&self.letter);
        let others = letter.as_ref().is_some_and(|letter| letter.keep.is_some());
        let taken = Taken::of(&crl);
        let mut places = held(&self.places);
        let place = places.get_mut(name).filter(|_| !others)?;
        let renewed = revocation.renew(crl, UnixSeconds::now());
        Some(renewed.map(|()| {
            note(place, taken.brought);
            taken
        }))
    }
}

fn note(all: &mut Vec<Brought>, last: Brought) {
    all.retain(|one| *one != last);
    all.push(last);
}

/// Nothing panics that holds one of these and leaves anything half done.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
