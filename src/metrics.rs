//! What a shard counts. Each shard has its own [`Counters`], written by it alone: a load and a
//! store without a lock prefix, on cache lines that no other shard writes. Readers add them up.

use std::sync::atomic::{AtomicU64, Ordering};

/// Rows of refusals that can be counted; `proxy::denial` asserts that it has no more.
pub const REFUSAL_ROWS_MAX: usize = 48;

/// A count that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one. Only ever called on the thread that owns the counter.
    pub fn bump(&self) {
        self.0
            .store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// The count.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one shard counts, since it started.
#[derive(Debug, Default)]
pub struct Counters {
    pub connections_accepted: Counter,
    pub connections_closed: Counter,
    /// Closed at once because the shard held as many as it may.
    pub connections_over_bound: Counter,
    /// Accepts that failed for want of descriptors or memory.
    pub accepts_failed: Counter,
    pub handshakes_full: Counter,
    pub handshakes_resumed: Counter,
    pub handshakes_refused: Counter,
    /// Sessions ended by a fault of the client in TLS, after the handshake.
    pub sessions_broken: Counter,
    /// Request heads received, allowed or not.
    pub requests: Counter,
    /// Requests for which the token was the connection's last one.
    pub tokens_remembered: Counter,
    /// Requests for which the token was in the shard's cache.
    pub tokens_cached: Counter,
    /// Tokens whose signature was verified.
    pub tokens_verified: Counter,
    /// Requests answered with the upstream's answer.
    pub answered: Counter,
    /// Answers that were begun and could not be finished.
    pub answers_cut: Counter,
    pub upstream_connections: Counter,
    /// Requests sent again on a new upstream connection.
    pub upstream_retries: Counter,
    /// Refusals that were counted and found no room in the log's queue.
    pub refusals_unlogged: Counter,
    refused: RefusedRows,
}

#[derive(Debug)]
struct RefusedRows([Counter; REFUSAL_ROWS_MAX]);

impl Default for RefusedRows {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl Counters {
    /// The count of one row of the refusal table.
    pub fn refused(&self, row: usize) -> &Counter {
        &self.refused.0[row.min(REFUSAL_ROWS_MAX - 1)]
    }

    /// Requests refused, for whatever reason.
    pub fn refused_in_all(&self) -> u64 {
        self.refused.0.iter().map(Counter::read).sum()
    }
}
