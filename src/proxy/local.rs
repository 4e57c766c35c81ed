//! What a connection finds on its CPU. Owned by the shard, shared by its connections, never by
//! another thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::audit::{Journal, Record, RequestId};
use crate::authz::cache::TokenCache;
use crate::clock::{UnixMillis, UnixSeconds};
use crate::io::{Buffers, Turnstile, Watches};
use crate::metrics::{Counters, Latencies};
use crate::signers::{SignerState, Signers};
use crate::snapshot::Snapshot;
use crate::tls::Terminator;

use super::upstream::Pool;

/// One CPU's belongings.
pub struct Local {
    pub shard: u16,
    pub snapshot: Arc<Snapshot>,
    /// The snapshot's, once more for this shard alone.
    pub terminator: Arc<Terminator>,
    pub counters: Arc<Counters>,
    pub latencies: RefCell<Latencies>,
    pub journal: Journal,
    /// Where work goes that signs with a key in a token; none when no key is in one.
    pub signers: Option<Arc<Signers>>,
    /// Whether the last signature was made.
    pub signer_state: Arc<SignerState>,
    pub tokens: RefCell<TokenCache>,
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
}

impl Local {
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
