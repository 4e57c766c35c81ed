//! What a connection finds on its CPU. Owned by the shard, shared by its connections, never by
//! another thread.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::audit::{Refusal, Refusals, RequestId};
use crate::authz::cache::TokenCache;
use crate::clock::UnixSeconds;
use crate::io::{Buffers, Watches};
use crate::metrics::Counters;
use crate::peer::ClientIndex;
use crate::snapshot::Snapshot;
use crate::tls::handshake_threads::HandshakeThreads;

use super::denial::Denial;
use super::upstream::Pool;

/// One CPU's belongings.
pub struct Local {
    pub shard: usize,
    pub snapshot: Arc<Snapshot>,
    pub counters: Arc<Counters>,
    pub refusals: Arc<Refusals>,
    /// Where handshakes go whose key is in a token; none when the key is not.
    pub handshake_threads: Option<Arc<HandshakeThreads>>,
    pub tokens: RefCell<TokenCache>,
    pub upstream: Pool,
    pub buffers: Buffers,
    pub watches: Rc<Watches>,
    /// The wall clock as of the last sweep.
    pub wall: Cell<UnixSeconds>,
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

    /// Counts a refused request and sends word of it to the log.
    pub fn note_denial(
        &self,
        denial: Denial,
        client: ClientIndex,
        address: SocketAddr,
        request_id: RequestId,
    ) {
        let row = denial.row();
        self.counters.refused(denial.place()).bump();
        self.note(Refusal {
            word: row.word,
            detail: denial.particular(),
            cure: row.cure,
            status: row.status,
            shard: self.shard,
            client: Some(client),
            address,
            request_id: Some(request_id),
        });
    }

    /// Sends word of a refusal to the log.
    pub fn note(&self, refusal: Refusal) {
        if !self.refusals.push(refusal) {
            self.counters.refusals_unlogged.bump();
        }
    }
}
