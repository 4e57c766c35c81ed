//! What rustls' callbacks must know about the call they run in: the time, whether this thread may
//! wait for a token, whether an agreement by DHE may begin, and a place to leave what rustls cannot
//! carry: the reason of a refusal, and what was read of the client's certificate.
//!
//! rustls calls verifier, signer, clock and ticketer synchronously on the thread that processes
//! records, so a thread-local set around that call is exact; a value inside the shared
//! configuration would be seen by every shard.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use super::Refusal;
use super::leaf::Leaf;
use crate::clock::UnixSeconds;

#[derive(Clone, Copy)]
struct Situation {
    now: UnixSeconds,
    may_wait_for_token: bool,
    may_begin_dhe: bool,
    dhe_wanted: bool,
    signed_ns: Option<u64>,
    refusal: Option<Refusal>,
    key_shown: bool,
    session_begun: Option<UnixSeconds>,
}

thread_local! {
    static SITUATION: Cell<Option<Situation>> = const { Cell::new(None) };
    // Apart, because it cannot be copied.
    static LEAF: Cell<Option<Arc<Leaf>>> = const { Cell::new(None) };
}

/// Stands while records of one handshake are processed on this thread; its end clears all.
pub(super) struct Turn {
    // Not `Send`: the situation belongs to the thread that made it.
    thread_bound: PhantomData<*const ()>,
}

impl Turn {
    pub(super) fn enter(now: UnixSeconds, may_wait_for_token: bool, may_begin_dhe: bool) -> Self {
        let situation = Situation {
            now,
            may_wait_for_token,
            may_begin_dhe,
            dhe_wanted: false,
            signed_ns: None,
            refusal: None,
            key_shown: false,
            session_begun: None,
        };
        SITUATION.set(Some(situation));
        Self {
            thread_bound: PhantomData,
        }
    }

    /// How long the server key took to sign, in nanoseconds, if it has during this turn.
    pub(super) fn signed_ns(&self) -> Option<u64> {
        SITUATION.get().and_then(|situation| situation.signed_ns)
    }

    /// The client's certificate, where this turn has brought a good one.
    pub(super) fn take_leaf(&self) -> Option<Arc<Leaf>> {
        LEAF.take()
    }

    /// Whether this turn has ended at an agreement by DHE that might not begin.
    pub(super) fn dhe_wanted(&self) -> bool {
        SITUATION
            .get()
            .is_some_and(|situation| situation.dhe_wanted)
    }

    /// Whether the client has shown during this turn to have its certificate's key, in TLS 1.2:
    /// with a message before its last.
    pub(super) fn key_shown(&self) -> bool {
        SITUATION.get().is_some_and(|situation| situation.key_shown)
    }

    /// The same, of a session whose client has shown its certificate in an earlier turn: when.
    pub(super) fn of_session_begun(self, at: Option<UnixSeconds>) -> Self {
        if let Some(at) = at {
            note_session_begun(at);
        }
        self
    }

    /// When the session began that this handshake begins or continues, as far as that is known.
    pub(super) fn session_begun(&self) -> Option<UnixSeconds> {
        session_begun()
    }

    /// Why a callback refused during this turn.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        SITUATION.get().and_then(|situation| situation.refusal)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        SITUATION.set(None);
        LEAF.set(None);
    }
}

/// The time of the current turn, and the wall clock outside of one.
pub(super) fn now() -> UnixSeconds {
    SITUATION
        .get()
        .map_or_else(UnixSeconds::now, |situation| situation.now)
}

/// Whether this thread may wait for a token now. False outside of a turn.
pub(super) fn may_wait_for_token() -> bool {
    SITUATION
        .get()
        .is_some_and(|situation| situation.may_wait_for_token)
}

/// Whether an agreement by DHE may begin now. True outside of a turn, where no client has asked.
pub(super) fn may_begin_dhe() -> bool {
    SITUATION
        .get()
        .is_none_or(|situation| situation.may_begin_dhe)
}

pub(super) fn note_dhe_wanted() {
    SITUATION.set(SITUATION.get().map(|situation| Situation {
        dhe_wanted: true,
        ..situation
    }));
}

pub(super) fn note_signed(ns: u64) {
    SITUATION.set(SITUATION.get().map(|situation| Situation {
        signed_ns: Some(ns),
        ..situation
    }));
}

pub(super) fn note_refusal(refusal: Refusal) {
    let noted = SITUATION.get().map(|situation| Situation {
        refusal: Some(refusal),
        ..situation
    });
    SITUATION.set(noted);
}

pub(super) fn note_key_shown() {
    SITUATION.set(SITUATION.get().map(|situation| Situation {
        key_shown: true,
        ..situation
    }));
}

/// When the session of this handshake began: with the full handshake in which the client showed
/// its certificate, now or before its ticket was sealed. What is noted last counts: rustls opens
/// the ticket that it goes on with last, and has a certificate verified after all tickets.
pub(super) fn note_session_begun(at: UnixSeconds) {
    SITUATION.set(SITUATION.get().map(|situation| Situation {
        session_begun: Some(at),
        ..situation
    }));
}

/// What was noted of it.
pub(super) fn session_begun() -> Option<UnixSeconds> {
    SITUATION
        .get()
        .and_then(|situation| situation.session_begun)
}

/// A certificate that is good, by its chain or by a ticket.
pub(super) fn note_leaf(leaf: Arc<Leaf>) {
    if SITUATION.get().is_some() {
        LEAF.set(Some(leaf));
    }
}

/// The clock rustls verifies certificates and ages tickets with: that of the turn.
#[derive(Debug)]
pub(super) struct TurnClock;

impl TimeProvider for TurnClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            now().0,
        )))
    }
}
