//! What a connection finds on its CPU. Owned by the shard, shared by its connections, never by
//! another thread.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::audit::{Journal, Record, RequestId};
use crate::authz::cache::{Memo, TokenCache};
use crate::authz::quota::Leases;
use crate::authz::refused::RefusedTokens;
use crate::clock::{UnixMillis, UnixSeconds};
use crate::io::{Buffers, Turnstile, Watches};
use crate::limits::CLEARINGS_KEPT_MAX;
use crate::metrics::{Counters, Latencies};
use crate::privacy::{Clearing, Scratch};
use crate::revoked::desk::Desk;
use crate::signers::{SignerState, Signers};
use crate::snapshot::Snapshot;
use crate::tls::{DheAllowance, Terminator};

use super::account::distrusted;
use super::failures::Failures;
use super::gate::Tokens;
use super::standing::Standings;
use super::upstream::Pool;

/// What is in force on this shard: the snapshot it has adopted.
pub struct InForce {
    snapshot: Arc<Snapshot>,
    /// The snapshot's, once more for this shard alone.
    pub terminator: Arc<Terminator>,
}

impl InForce {
    /// Makes of a snapshot what a shard has for itself.
    ///
    /// # Errors
    /// As of [`Terminator::for_shard`].
    pub fn of(snapshot: Arc<Snapshot>) -> Result<Rc<Self>, String> {
        let terminator = Arc::new(snapshot.terminator.for_shard()?);
        Ok(Rc::new(Self {
            snapshot,
            terminator,
        }))
    }

    /// Whether it was made of this snapshot.
    pub fn is_of(&self, snapshot: &Arc<Snapshot>) -> bool {
        Arc::ptr_eq(&self.snapshot, snapshot)
    }
}

impl Deref for InForce {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// What a long body is looked through in, while others are as well: its own place in the text is
/// in the scratch.
pub struct LongBody {
    pub clearing: Clearing,
    pub scratch: Scratch,
}

/// One CPU's belongings.
pub struct Local {
    pub shard: u16,
    pub in_force: RefCell<Rc<InForce>>,
    /// The connections that have shown a certificate.
    pub standings: Rc<Standings>,
    /// What connections were last judged by, as `Revocation::judgement` counts it.
    pub judged_by: Cell<u64>,
    /// What tokens were verified at, as `Issuers::epoch` counts it.
    pub verified_at: Cell<u64>,
    pub counters: Arc<Counters>,
    pub latencies: RefCell<Latencies>,
    pub journal: Journal,
    /// Where work goes that signs with a key in a token; none when no key is in one.
    pub signers: Option<Arc<Signers>>,
    /// Whether the last signature was made.
    pub signer_state: Arc<SignerState>,
    /// Where revocations are handed in.
    pub desk: Arc<Desk>,
    /// What clients have left that can do nothing better.
    pub dhe: RefCell<DheAllowance>,
    pub tokens: RefCell<TokenCache>,
    pub refused_tokens: RefCell<RefusedTokens>,
    /// What clients may still ask, as far as this CPU has taken it from all.
    pub leases: RefCell<Leases>,
    /// Of clients that authenticate at the embedded issuer.
    pub failures: RefCell<Failures>,
    /// What the guard keeps from one message to the next.
    pub scratch: RefCell<Scratch>,
    /// For bodies that are longer than a relay's buffer, while there is none on its way.
    pub spare_clearings: RefCell<Vec<LongBody>>,
    pub upstream: Pool,
    pub buffers: Buffers,
    /// Receives that may be called back before the next sweep.
    pub calls_back_left: Cell<u32>,
    pub watches: Rc<Watches>,
    /// Where the steps of handshakes wait for their turns.
    pub turnstile: Turnstile,
    /// The wall clock as of the last sweep.
    pub wall: Cell<UnixMillis>,
    /// The end has been announced: no new requests.
    pub draining: Cell<bool>,
    /// Random for each start, so that request ids differ between starts and shards.
    pub epoch: u64,
    pub requests_named: Cell<u64>,
    /// Octets of bodies that are held whole: all of them, and by client.
    pub held_bytes: Cell<u64>,
    pub held_by: RefCell<Vec<u64>>,
}

impl Local {
    /// What is in force now. Counted by this thread alone, so that a request may hold it.
    pub fn snapshot(&self) -> Rc<InForce> {
        Rc::clone(&self.in_force.borrow())
    }

    /// Adopts a snapshot: what is decided from now on is decided by it, and connections whose
    /// certificate it does not trust are ended.
    ///
    /// # Errors
    /// As of [`Terminator::for_shard`]: then the one before stays in force.
    pub fn adopt(&self, snapshot: Arc<Snapshot>) -> Result<(), String> {
        let in_force = InForce::of(snapshot)?;
        self.counters.make_room_for_clients(in_force.clients.len());
        *self.leases.borrow_mut() = Leases::of(&in_force.quotas);
        let before = self.in_force.replace(Rc::clone(&in_force));
        if !before.takes_same_tokens_as(&in_force) {
            self.forget_tokens();
        }
        self.judge_all();
        in_force.adopted.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// What tokens gave, or did not, may be otherwise now.
    fn forget_tokens(&self) {
        self.tokens.borrow_mut().clear();
        self.refused_tokens.borrow_mut().clear();
        self.standings.outdate_tokens();
    }

    /// Judges all connections anew where what is known of revocation is not what it was, and has
    /// tokens verified anew where an issuer's key has gone.
    pub fn look_for_lists(&self) {
        let snapshot = self.snapshot();
        let keys = snapshot.issuers.epoch();
        if self.verified_at.replace(keys) != keys {
            self.tokens.borrow_mut().forget_signed();
            self.refused_tokens.borrow_mut().clear();
            self.standings.outdate_tokens();
        }
        let judgement = snapshot.revocation.judgement();
        if self.judged_by.replace(judgement) != judgement {
            self.judge_all();
        }
    }

    fn judge_all(&self) {
        let in_force = self.snapshot();
        self.standings.place(&in_force);
        let lost = self.standings.judge(&in_force.terminator, self.seconds());
        if !lost.is_empty() {
            self.watches.wake_all();
        }
        lost.iter().for_each(|lost| distrusted(lost, self));
    }

    /// What is remembered about tokens here, for a connection that remembers this one.
    pub fn tokens<'a>(&'a self, memo: &'a mut Memo) -> Tokens<'a> {
        Tokens {
            memo,
            cache: self.tokens.borrow_mut(),
            refused: self.refused_tokens.borrow_mut(),
            counters: &self.counters,
            latencies: &self.latencies,
        }
    }

    /// What a long body is looked through in.
    pub fn lend_clearing(&self) -> LongBody {
        let bytes_max = usize::try_from(self.snapshot().limits.guarded_bytes_max);
        let bytes_max = bytes_max.unwrap_or(usize::MAX);
        let mut spare = self.spare_clearings.borrow_mut();
        spare.retain(|long| long.clearing.bytes_max() == bytes_max);
        spare.pop().unwrap_or_else(|| LongBody {
            clearing: Clearing::new(bytes_max),
            scratch: Scratch::default(),
        })
    }

    /// Takes it back.
    pub fn give_clearing_back(&self, long: LongBody) {
        let mut spare = self.spare_clearings.borrow_mut();
        if spare.len() < CLEARINGS_KEPT_MAX {
            spare.push(long);
        }
    }

    /// A name for the next request.
    pub fn request_id(&self) -> RequestId {
        let count = self.requests_named.get() + 1;
        self.requests_named.set(count);
        RequestId::new(self.epoch, count)
    }

    /// The wall clock as tokens and certificates know it.
    pub fn seconds(&self) -> UnixSeconds {
        self.wall.get().seconds()
    }

    /// Writes a record down, or counts that there was no room for it.
    pub fn write(&self, record: &Record, promised: bool) {
        if !self.journal.write(record, promised) {
            self.counters.audit_records_lost.bump();
        }
    }
}
