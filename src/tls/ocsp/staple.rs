//! The status of one certificate of the gateway's own, held to be stapled to it: brought by one
//! thread, looked at in every handshake.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwapOption, Guard};

use super::{Answer, OcspFault, OcspIssuer, Status, question, read};
use crate::clock::UnixSeconds;

/// One certificate's status, if there is one now.
pub struct Staple {
    issuer: OcspIssuer,
    serial: Vec<u8>,
    /// When the newest answer so far says that it began, in seconds since 1970.
    newest: AtomicU64,
    held: ArcSwapOption<Stapled>,
}

/// An answer that says that the certificate is good.
pub(in crate::tls) struct Stapled {
    pub(in crate::tls) response: Vec<u8>,
    this_update: UnixSeconds,
    next_update: UnixSeconds,
}

impl std::fmt::Debug for Staple {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staple")
            .field("until", &self.next_update())
            .finish_non_exhaustive()
    }
}

impl Staple {
    /// For the certificate with this serial number (the content octets of its INTEGER).
    pub fn new(issuer: OcspIssuer, serial: Vec<u8>) -> Self {
        Self {
            issuer,
            serial,
            newest: AtomicU64::new(0),
            held: ArcSwapOption::empty(),
        }
    }

    /// Begins with what another of the same certificate holds, and takes nothing older.
    pub fn go_on_from(&self, other: &Self) {
        let newest = other.newest.load(Ordering::Relaxed);
        self.newest.store(newest, Ordering::Relaxed);
        self.held.store(other.held.load_full());
    }

    /// Whether both are of the same certificate.
    pub fn is_of_same_as(&self, other: &Self) -> bool {
        self.issuer.id() == other.issuer.id() && self.serial == other.serial
    }

    /// What to ask the responder.
    pub fn question(&self) -> Vec<u8> {
        question(&self.issuer, &self.serial)
    }

    /// Verifies an answer and staples it from now on: when it begins and ends. One that says that
    /// the certificate is not good takes what was stapled away.
    ///
    /// # Errors
    /// Why it is not stapled. One that is older than another before it changes nothing.
    pub fn take(
        &self,
        response: Vec<u8>,
        now: UnixSeconds,
    ) -> Result<(UnixSeconds, UnixSeconds), OcspFault> {
        let answer = read(&response, &self.issuer, &self.serial, now)?;
        let Answer { this_update, .. } = answer;
        if this_update.0 < self.newest.fetch_max(this_update.0, Ordering::Relaxed) {
            return Err(OcspFault::WentBack);
        }
        let bad = match answer.status {
            Status::Good => None,
            Status::Revoked { .. } => Some(OcspFault::OwnRevoked),
            Status::Unknown => Some(OcspFault::OwnUnknown),
        };
        if let Some(bad) = bad {
            self.held.store(None);
            return Err(bad);
        }
        //= RFC 5019 section 2.2.4
        //# An answer says when it ends, so that whoever is handed it can tell.
        let next_update = answer.next_update.ok_or(OcspFault::NoNextUpdate)?;
        let stapled = Stapled {
            response,
            this_update,
            next_update,
        };
        self.held.store(Some(Arc::new(stapled)));
        Ok((this_update, next_update))
    }

    /// Takes away what has ended: whether there was something.
    pub fn drop_ended(&self, now: UnixSeconds) -> bool {
        let ended = self.next_update().is_some_and(|end| end < now);
        if ended {
            self.held.store(None);
        }
        ended
    }

    /// Begin and end of what is stapled.
    pub fn times(&self) -> Option<(UnixSeconds, UnixSeconds)> {
        let held = self.held.load();
        held.as_ref()
            .map(|held| (held.this_update, held.next_update))
    }

    /// When what is stapled ends; none where nothing is.
    pub fn next_update(&self) -> Option<UnixSeconds> {
        self.times().map(|(_, end)| end)
    }

    /// What is held, whether or not it has ended.
    pub(in crate::tls) fn held(&self) -> Guard<Option<Arc<Stapled>>> {
        self.held.load()
    }
}

impl Stapled {
    pub(in crate::tls) fn holds_at(&self, now: UnixSeconds) -> bool {
        now <= self.next_update
    }
}
