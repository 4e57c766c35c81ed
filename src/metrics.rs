//! What a shard counts and measures. Each shard has its own [`Counters`], written by it alone: a
//! load and a store without a lock prefix, on cache lines that no other shard writes. Readers add
//! them up. Its [`Latencies`] nobody else reads at all: the shard hands out copies.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crossbeam::queue::ArrayQueue;
use hdrhistogram::Histogram;

use crate::audit::Outcome;
use crate::limits::CLIENTS_MAX;

/// Rows of refused requests that can be counted; `proxy::denial` asserts that it has no more.
pub const REFUSAL_ROWS_MAX: usize = 96;
/// Rows of refused connections that can be counted; `proxy::denial` asserts that it has no more.
pub const CONNECTION_ROWS_MAX: usize = 32;
/// Rules of the certificate profile that are counted.
pub const RULES_MAX: usize = 64;

/// A count that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one. Only ever called on the thread that owns the counter.
    pub fn bump(&self) {
        self.add(1);
    }

    /// Adds some. Only ever called on the thread that owns the counter.
    pub fn add(&self, some: u64) {
        self.set(self.read() + some);
    }

    /// Says what the count is now. Only ever called on the thread that owns the counter.
    pub fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    /// The count.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one shard counts, since it started.
// On cache lines of its own; processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
pub struct Counters {
    pub connections_accepted: Counter,
    pub connections_closed: Counter,
    /// Closed at once because the shard held as many as it may.
    pub connections_over_bound: Counter,
    /// Accepts that failed for want of descriptors or memory.
    pub accepts_failed: Counter,
    pub handshakes_full: Counter,
    pub handshakes_resumed: Counter,
    /// Clients of whose certificates no list or responder spoke, taken by soft-fail.
    pub clients_unchecked: Counter,
    /// Requests that have come, at the T8 APIs or at the embedded issuer.
    pub requests: Counter,
    /// Requests for which the token was the connection's last one.
    pub tokens_remembered: Counter,
    /// Requests for which the token was in the shard's cache.
    pub tokens_cached: Counter,
    /// Tokens whose signature was verified.
    pub tokens_verified: Counter,
    /// Requests for which the token was known to be bad.
    pub tokens_refused_again: Counter,
    /// Tokens in the shard's cache now, and how many were forgotten while they were valid.
    pub tokens_held: Counter,
    pub tokens_evicted: Counter,
    /// Tokens issued.
    pub tokens_issued: Counter,
    /// Body bytes that came from clients.
    pub request_bytes: Counter,
    /// Body bytes that went to clients.
    pub response_bytes: Counter,
    pub upstream_connections: Counter,
    /// Requests sent again on a new upstream connection.
    pub upstream_retries: Counter,
    /// Answers that left without an identity that was in them.
    pub identities_redacted: Counter,
    /// Messages that went on with digits as subscribers have them, which are no subscriber's.
    pub identities_alarmed: Counter,
    /// Runs of as many digits as an IMSI has, of other networks, where none have to be.
    pub identities_of_others: Counter,
    /// Records for which there was no room on the way to the audit file.
    pub audit_records_lost: Counter,
    /// Elements of lists that were left out for clients that are held to some UEs.
    pub list_elements_left_out: Counter,
    /// Bodies of answers to changes, and of errors, that nobody could judge.
    pub answer_bodies_left_out: Counter,
    /// When the shard last looked at its clocks, milliseconds as of `clock::Millis`.
    pub swept_at_ms: Counter,
    refused: Rows<REFUSAL_ROWS_MAX>,
    refused_connections: Rows<CONNECTION_ROWS_MAX>,
    broken_rules: Rows<RULES_MAX>,
    clients: ClientTable,
}

/// Clients that a piece of the table counts.
const PIECE: usize = 1_024;

/// What the clients did, each in its place. Further ones may come while others read: their places
/// come in pieces, and nothing that is there moves.
#[derive(Debug)]
struct ClientTable {
    /// Those of the start.
    first: Box<[ClientCounters]>,
    further: [OnceLock<Box<[ClientCounters]>>; CLIENTS_MAX.div_ceil(PIECE)],
}

impl ClientTable {
    fn new(clients: usize) -> Self {
        Self {
            first: counters_of(clients),
            further: [const { OnceLock::new() }; CLIENTS_MAX.div_ceil(PIECE)],
        }
    }

    fn make_room_for(&self, clients: usize) {
        let further = clients.saturating_sub(self.first.len()).div_ceil(PIECE);
        for piece in self.further.iter().take(further) {
            piece.get_or_init(|| counters_of(PIECE));
        }
    }

    fn get(&self, place: usize) -> Option<&ClientCounters> {
        let Some(further) = place.checked_sub(self.first.len()) else {
            return self.first.get(place);
        };
        let piece = self.further.get(further / PIECE)?.get()?;
        piece.get(further % PIECE)
    }

    fn all(&self) -> impl Iterator<Item = &ClientCounters> {
        let further = self.further.iter().filter_map(OnceLock::get);
        self.first.iter().chain(further.flatten())
    }
}

fn counters_of(clients: usize) -> Box<[ClientCounters]> {
    (0..clients).map(|_| ClientCounters::default()).collect()
}

/// What one client did on one shard.
// Aligned as well: two shards' counts of the only client would share a line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ClientCounters {
    pub connections: Counter,
    outcomes: [Counter; Outcome::ALL.len()],
}

impl ClientCounters {
    /// Requests that ended so.
    pub fn outcome(&self, outcome: Outcome) -> &Counter {
        &self.outcomes[outcome as usize]
    }
}

#[derive(Debug)]
struct Rows<const N: usize>([Counter; N]);

impl<const N: usize> Default for Rows<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl Counters {
    /// For a snapshot with so many clients.
    pub fn new(clients: usize) -> Self {
        Self {
            connections_accepted: Counter::default(),
            connections_closed: Counter::default(),
            connections_over_bound: Counter::default(),
            accepts_failed: Counter::default(),
            handshakes_full: Counter::default(),
            handshakes_resumed: Counter::default(),
            clients_unchecked: Counter::default(),
            requests: Counter::default(),
            tokens_remembered: Counter::default(),
            tokens_cached: Counter::default(),
            tokens_verified: Counter::default(),
            tokens_refused_again: Counter::default(),
            tokens_held: Counter::default(),
            tokens_evicted: Counter::default(),
            tokens_issued: Counter::default(),
            request_bytes: Counter::default(),
            response_bytes: Counter::default(),
            upstream_connections: Counter::default(),
            upstream_retries: Counter::default(),
            identities_redacted: Counter::default(),
            identities_alarmed: Counter::default(),
            identities_of_others: Counter::default(),
            audit_records_lost: Counter::default(),
            list_elements_left_out: Counter::default(),
            answer_bodies_left_out: Counter::default(),
            swept_at_ms: Counter::default(),
            refused: Rows::default(),
            refused_connections: Rows::default(),
            broken_rules: Rows::default(),
            clients: ClientTable::new(clients),
        }
    }

    /// The count of one row of the table of refused requests.
    pub fn refused(&self, row: usize) -> &Counter {
        &self.refused.0[row.min(REFUSAL_ROWS_MAX - 1)]
    }

    /// The count of one row of the table of refused connections.
    pub fn refused_connections(&self, row: usize) -> &Counter {
        &self.refused_connections.0[row.min(CONNECTION_ROWS_MAX - 1)]
    }

    /// Chains refused because they broke this rule of the certificate profile.
    pub fn broken_rules(&self, rule: usize) -> &Counter {
        &self.broken_rules.0[rule.min(RULES_MAX - 1)]
    }

    /// Requests refused, for whatever reason.
    pub fn refused_in_all(&self) -> u64 {
        self.refused.0.iter().map(Counter::read).sum()
    }

    /// Has a place for so many clients, up to [`CLIENTS_MAX`] behind those of the start. Only ever
    /// called on the thread that owns the counters.
    pub fn make_room_for_clients(&self, clients: usize) {
        self.clients.make_room_for(clients);
    }

    /// What the client at a place of the snapshot's table did.
    pub fn client(&self, place: usize) -> Option<&ClientCounters> {
        self.clients.get(place)
    }

    /// What all clients did, in the order of the snapshot's table; nothing behind its end.
    pub fn clients(&self) -> impl Iterator<Item = &ClientCounters> {
        self.clients.all()
    }
}

/// A part of the work whose time is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// From accept to a finished TLS handshake.
    Handshake,
    /// From the queue of the signers to a thread that signs.
    SignerWait,
    /// One signature of the server's or the issuer's key.
    Sign,
    /// The signature and claims of a token that was not known.
    Verify,
    /// All checks of a request, that of its token included.
    Authorize,
    /// From the request sent to the SCEF to the head of its answer.
    Upstream,
    /// From the end of a request's head to the end of its answer.
    Whole,
}

impl Phase {
    /// All of them, in the order in which a request meets them.
    pub const ALL: [Self; 7] = [
        Self::Handshake,
        Self::SignerWait,
        Self::Sign,
        Self::Verify,
        Self::Authorize,
        Self::Upstream,
        Self::Whole,
    ];

    /// As the label of a metric.
    pub fn word(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::SignerWait => "signer_wait",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Authorize => "authorize",
            Self::Upstream => "upstream",
            Self::Whole => "whole",
        }
    }
}

/// What can be told apart, and what is longest, in nanoseconds: longer is counted as this.
const LATENCY_NS: std::ops::RangeInclusive<u64> = 64..=300_000_000_000;

/// The times one shard measured, since it started.
#[derive(Clone, Debug)]
pub struct Latencies([Histogram<u64>; Phase::ALL.len()]);

impl Default for Latencies {
    fn default() -> Self {
        // Fixed bounds: one that grows by itself would allocate while it records.
        let histogram = || {
            Histogram::new_with_bounds(*LATENCY_NS.start(), *LATENCY_NS.end(), 2)
                .expect("1 <= low, 2 * low <= high and at most 5 digits")
        };
        Self(std::array::from_fn(|_| histogram()))
    }
}

impl Latencies {
    /// Notes how long something took.
    pub fn record(&mut self, phase: Phase, ns: u64) {
        self.0[phase as usize].saturating_record(ns);
    }

    /// What was noted for a phase, in nanoseconds.
    pub fn of(&self, phase: Phase) -> &Histogram<u64> {
        &self.0[phase as usize]
    }
}

/// Where others ask a shard for a copy of its [`Latencies`]; it answers when it next looks at its
/// clocks.
#[derive(Debug)]
pub struct Scrapes(ArrayQueue<SyncSender<Latencies>>);

impl Default for Scrapes {
    fn default() -> Self {
        Self(ArrayQueue::new(SCRAPES_MAX))
    }
}

/// Scrapes that may wait for a shard at a time.
const SCRAPES_MAX: usize = 4;

impl Scrapes {
    /// Asks; none where others ask already and get no answer.
    pub fn ask(&self) -> Option<Receiver<Latencies>> {
        let (answer, answered) = sync_channel(1);
        self.0.push(answer).ok().map(|()| answered)
    }

    /// Answers everybody who has asked.
    pub fn answer(&self, latencies: &Latencies) {
        while let Some(asked) = self.0.pop() {
            // Who has given up waiting needs no copy.
            let _ = asked.try_send(latencies.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_told_apart_by_phase_and_to_two_digits() {
        let mut latencies = Latencies::default();
        latencies.record(Phase::Whole, 1_000_000);
        latencies.record(Phase::Whole, 2_000_000);
        latencies.record(Phase::Sign, 50_000);
        let whole = latencies.of(Phase::Whole);
        assert_eq!(whole.len(), 2);
        assert!((1_980_000..=2_020_000).contains(&whole.max()));
        assert_eq!(latencies.of(Phase::Sign).len(), 1);
        assert_eq!(latencies.of(Phase::Verify).len(), 0);
    }

    #[test]
    fn what_takes_longer_than_can_be_told_is_counted_as_the_longest() {
        let mut latencies = Latencies::default();
        latencies.record(Phase::Whole, u64::MAX);
        latencies.record(Phase::Whole, 0);
        assert_eq!(latencies.of(Phase::Whole).len(), 2);
    }

    #[test]
    fn a_shard_answers_whoever_asks() {
        let scrapes = Scrapes::default();
        let mut latencies = Latencies::default();
        latencies.record(Phase::Verify, 70_000);
        let (first, second) = (scrapes.ask().unwrap(), scrapes.ask().unwrap());
        scrapes.answer(&latencies);
        assert_eq!(first.try_recv().unwrap().of(Phase::Verify).len(), 1);
        assert_eq!(second.try_recv().unwrap().of(Phase::Verify).len(), 1);
        for _ in 0..SCRAPES_MAX {
            scrapes.ask().unwrap();
        }
        assert!(scrapes.ask().is_none(), "nobody answers");
    }

    #[test]
    fn outcomes_are_counted_apart() {
        let counters = Counters::new(1);
        let client = counters.client(0).unwrap();
        client.outcome(Outcome::Refused).bump();
        for outcome in Outcome::ALL {
            let expected = u64::from(outcome == Outcome::Refused);
            assert_eq!(client.outcome(outcome).read(), expected);
        }
    }

    #[test]
    fn further_clients_are_counted_each_in_its_place_and_none_that_was_there_moves() {
        let counters = Counters::new(3);
        let before: *const ClientCounters = counters.client(2).unwrap();
        assert!(counters.client(3).is_none());
        counters.make_room_for_clients(3 + PIECE + 1);
        assert!(std::ptr::eq(before, counters.client(2).unwrap()));
        for place in [2, 3, 2 + PIECE, 3 + PIECE] {
            counters
                .client(place)
                .unwrap()
                .connections
                .add(place as u64);
        }
        let counted = counters.clients().map(|client| client.connections.read());
        let counted: Vec<u64> = counted.filter(|count| *count > 0).collect();
        assert_eq!(counted, [2, 3, 2 + PIECE as u64, 3 + PIECE as u64]);
        counters.make_room_for_clients(usize::MAX);
        assert!(counters.client(3 + CLIENTS_MAX - 1).is_some());
        assert!(counters.client(usize::MAX).is_none());
    }
}
