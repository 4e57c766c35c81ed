//! Where revocations are handed in. One thread takes them, writes what waits in one commit, puts it
//! into force, and only then says so.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::store::StoreFault;
use super::{Entry, Kind, Revocation, Revoked};
use crate::clock::UnixSeconds;
use crate::limits::{REVOCATIONS_QUEUED_MAX, REVOCATIONS_QUEUED_OF_CLIENTS_MAX, REVOKED_MAX};

mod clerk;
mod shares;

use clerk::Clerk;

/// Why nothing was revoked, or taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// None is configured: what is revoked would be forgotten by a restart.
    NoStore,
    /// Too many wait for the disk.
    Busy,
    /// So many are held already, and none is ever dropped for a new one.
    Full { at_most: usize },
    /// It could not be written: nothing of it is in force.
    Unwritable(StoreFault),
    /// The gateway is about to end.
    Ending,
}

impl Refused {
    /// The word for metrics and records.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NoStore => "no_store",
            Self::Busy => "busy",
            Self::Full { .. } => "full",
            Self::Unwritable(_) => "unwritable",
            Self::Ending => "ending",
        }
    }

    /// What is wrong, and what to do about it.
    pub fn explained(&self) -> (String, String) {
        match self {
            Self::NoStore => (
                "there is nowhere to keep a revocation".to_owned(),
                "set revocation.store: without it a restart would forget what is revoked"
                    .to_owned(),
            ),
            Self::Busy => (
                "too many revocations wait for the disk".to_owned(),
                "try again in a moment; hand in many of them as one array".to_owned(),
            ),
            Self::Full { at_most } => (
                format!("{at_most} revocations are held, and there is no room for another"),
                "revoke the client's tokens as a whole, or the issuer's key: one entry does for \
                 many tokens"
                    .to_owned(),
            ),
            Self::Unwritable(fault) => (fault.what.clone(), fault.cure.to_owned()),
            Self::Ending => (
                "the gateway is about to end".to_owned(),
                "try again when it serves".to_owned(),
            ),
        }
    }
}

/// What is wanted of the desk.
enum Wanted {
    Revoke(Vec<Revocation>),
    /// By the client whose token it is.
    RevokeOwn(Revocation),
    TakeBack(Vec<Revocation>),
    List {
        at_most: usize,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// In the store, and in force.
    Revoked,
    /// So many of them were there, and are gone.
    TakenBack(usize),
    /// Those that can be taken back, and whether there are more.
    Listed(Vec<Entry>, bool),
}

type Answer = Result<Done, Refused>;

struct Letter {
    wanted: Wanted,
    home: oneshot::Sender<Answer>,
    /// What a client has handed in holds one of the clients' places until it is answered.
    place: Option<Place>,
}

/// One of the places that clients may take.
struct Place(Arc<Counts>);

impl Place {
    fn take(counts: &Arc<Counts>) -> Option<Self> {
        let place = Self(Arc::clone(counts));
        let taken = counts.of_clients.fetch_add(1, Ordering::Relaxed);
        (taken < REVOCATIONS_QUEUED_OF_CLIENTS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.of_clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What was done at the desk so far, for whoever asks on any thread.
#[derive(Debug, Default)]
pub struct Counts {
    revoked: [AtomicU64; Kind::ALL.len()],
    taken_back: AtomicU64,
    refused: AtomicU64,
    commits: AtomicU64,
    committing_ns: AtomicU64,
    usable: AtomicU64,
    /// Places that clients hold.
    of_clients: AtomicUsize,
}

impl Counts {
    /// Revocations of a kind that came into force here.
    pub fn revoked(&self, kind: Kind) -> u64 {
        self.revoked[kind.place()].load(Ordering::Relaxed)
    }

    /// Revocations that were taken back.
    pub fn taken_back(&self) -> u64 {
        self.taken_back.load(Ordering::Relaxed)
    }

    /// Requests of which nothing came into force.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How often the store was written, and for how long in all, in nanoseconds.
    pub fn commits(&self) -> (u64, u64) {
        let commits = self.commits.load(Ordering::Relaxed);
        (commits, self.committing_ns.load(Ordering::Relaxed))
    }

    /// Whether the store took what was written last.
    pub fn is_usable(&self) -> bool {
        self.usable.load(Ordering::Relaxed) > 0
    }

    fn committed(&self, ns: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.committing_ns.fetch_add(ns, Ordering::Relaxed);
    }
}

/// The way to the thread.
#[derive(Debug)]
pub struct Desk {
    letters: Option<SyncSender<Letter>>,
    counts: Arc<Counts>,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Letter")
    }
}

impl Desk {
    /// One that has nowhere to keep anything, and refuses all.
    pub fn without_store() -> Arc<Self> {
        Arc::new(Self {
            letters: None,
            counts: Arc::default(),
        })
    }

    /// Opens the store, puts into force what it holds, and starts the thread. That ends when the
    /// desk is dropped and all that was handed in is done.
    ///
    /// # Errors
    /// The store cannot be used, or there is no thread.
    pub fn open(
        store: &Path,
        revoked: Arc<Revoked>,
        now: UnixSeconds,
    ) -> Result<(Arc<Self>, JoinHandle<()>), StoreFault> {
        let counts = Arc::new(Counts::default());
        let mut clerk = Clerk::open(store, revoked, Arc::clone(&counts), REVOKED_MAX)?;
        clerk.sweep(now);
        let (letters, waiting) = sync_channel(REVOCATIONS_QUEUED_MAX);
        let thread = thread::Builder::new()
            .name("t8gate-revoked".to_owned())
            .spawn(move || clerk.serve(&waiting))
            .map_err(|error| StoreFault {
                what: format!("there is no thread for the store of revocations: {error}"),
                cure: "raise the limit on threads (ulimit -u, TasksMax=)",
                lasts: false,
            })?;
        let desk = Self {
            letters: Some(letters),
            counts,
        };
        Ok((Arc::new(desk), thread))
    }

    /// Whether it has a store.
    pub fn has_store(&self) -> bool {
        self.letters.is_some()
    }

    /// What was done here so far.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Hands in revocations: all of them come into force, or none. What comes back yields when
    /// they are in the store and in force, or are not to be.
    ///
    /// # Errors
    /// It takes nothing now.
    pub fn revoke(
        &self,
        revocations: Vec<Revocation>,
    ) -> Result<oneshot::Receiver<Answer>, Refused> {
        self.hand_in(Wanted::Revoke(revocations))
    }

    /// Hands in what a client revokes of its own. As [`Self::revoke`], but a part of the room and
    /// of the queue is not for clients, and each of them has its share of the rest.
    ///
    /// # Errors
    /// It takes nothing now.
    pub fn revoke_own(&self, revocation: Revocation) -> Result<oneshot::Receiver<Answer>, Refused> {
        self.hand_in(Wanted::RevokeOwn(revocation))
    }

    /// Has revocations of clients, certificates or keys taken back.
    ///
    /// # Errors
    /// It takes nothing now.
    pub fn take_back(
        &self,
        revocations: Vec<Revocation>,
    ) -> Result<oneshot::Receiver<Answer>, Refused> {
        self.hand_in(Wanted::TakeBack(revocations))
    }

    /// Asks for some of the entries that can be taken back.
    ///
    /// # Errors
    /// It takes nothing now.
    pub fn list(&self, at_most: usize) -> Result<oneshot::Receiver<Answer>, Refused> {
        self.hand_in(Wanted::List { at_most })
    }

    fn hand_in(&self, wanted: Wanted) -> Result<oneshot::Receiver<Answer>, Refused> {
        let handed = self.try_hand_in(wanted);
        if handed.is_err() {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        handed
    }

    fn try_hand_in(&self, wanted: Wanted) -> Result<oneshot::Receiver<Answer>, Refused> {
        let letters = self.letters.as_ref().ok_or(Refused::NoStore)?;
        let place = match &wanted {
            Wanted::RevokeOwn(_) => Some(Place::take(&self.counts).ok_or(Refused::Busy)?),
            _ => None,
        };
        let (home, back) = oneshot::channel();
        let letter = Letter {
            wanted,
            home,
            place,
        };
        let handed = letters.try_send(letter).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Busy,
            TrySendError::Disconnected(_) => Refused::Ending,
        });
        handed.map(|()| back)
    }
}

impl Letter {
    fn entries(&self) -> usize {
        match &self.wanted {
            Wanted::Revoke(all) | Wanted::TakeBack(all) => all.len(),
            Wanted::RevokeOwn(_) | Wanted::List { .. } => 1,
        }
    }
}

#[cfg(test)]
mod tests;
