//! Decisions on their way off the shard. A shard writes down what it decided in a record of fixed
//! size; a thread of its own makes the line of text, writes the file and the log. Records travel
//! in batches, so that a warm request writes nothing that another CPU reads.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use crate::authz::apis::ApiId;
use crate::authz::scope::Rights;
use crate::clock::UnixMillis;
use crate::limits::AUDIT_BATCH_RECORDS;
use crate::peer::ClientIndex;

/// Names one request in logs here, at the client (`X-Request-Id`) and at the SCEF: 32 hexadecimal
/// digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// The id of the `count`th request of a shard; `epoch` is random for each start of it.
    pub fn new(epoch: u64, count: u64) -> Self {
        let mut digits = [0; 32];
        let bytes = epoch.to_be_bytes().into_iter().chain(count.to_be_bytes());
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        Self(digits)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What was decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A connection, before there was a request or beside one.
    Connection,
    /// A request to the SCEF.
    Request,
    /// A request to the embedded issuer.
    Grant,
}

impl Kind {
    /// As the audit file writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Request => "request",
            Self::Grant => "grant",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Allowed, and its answer handed to the connection to its end.
    Answered,
    /// Refused, for the reason the record names.
    Refused,
    /// Allowed; the answer was begun and could not be finished.
    Cut,
    /// Allowed; the client went away or did not read.
    ClientGone,
    /// Allowed; the shard ended before the answer did.
    Abandoned,
}

impl Outcome {
    /// All of them, in the order of their counters.
    pub const ALL: [Self; 5] = [
        Self::Answered,
        Self::Refused,
        Self::Cut,
        Self::ClientGone,
        Self::Abandoned,
    ];

    /// As metrics and the audit file write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Cut => "cut",
            Self::ClientGone => "client_gone",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Where the verdict on a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenVerdict {
    /// No token was looked at.
    None,
    /// It was the connection's last one.
    Remembered,
    /// It was in this CPU's cache.
    Cached,
    /// Its signature was verified.
    Verified,
}

impl TokenVerdict {
    /// As the audit file writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Remembered => "remembered",
            Self::Cached => "cached",
            Self::Verified => "verified",
        }
    }
}

/// An identity of a subscriber that was found where none may be: nothing of what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundIdentity {
    /// What it looks like, and how sure that is.
    pub form: &'static str,
    pub tier: &'static str,
    /// What was done about it: `blocked`, `cut`, `redacted`, `alarmed`.
    pub done: &'static str,
    /// A keyed hash, the same for all of one subscriber's.
    pub pseudonym: String,
    /// Where it stands: a JSON pointer, `header:` and a name, `path`.
    pub pointer: String,
}

/// One decision. It carries no token and nothing of a path or body: nothing in it can name a
/// subscriber.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it ended, to within the grain of the shard's clock.
    pub at: UnixMillis,
    pub kind: Kind,
    pub outcome: Outcome,
    /// The table's word for why it was refused; empty where it was not.
    pub word: &'static str,
    /// What it was in particular; empty where there is no more to say.
    pub detail: &'static str,
    /// What the operator should look at.
    pub cure: &'static str,
    /// The HTTP status answered, 0 where there was none.
    pub status: u16,
    pub shard: u16,
    pub client: Option<ClientIndex>,
    pub address: SocketAddr,
    pub request_id: Option<RequestId>,
    /// The method, one of those T8 has; empty where it is not known.
    pub method: &'static str,
    pub api: Option<ApiId>,
    /// The resource's template (`/{scsAsId}/subscriptions`); empty where it is not known.
    pub resource: &'static str,
    /// What a token was issued for.
    pub granted: Rights,
    /// The beginning of the hash of the token that a client revoked; zeros where none was.
    pub revoked: [u8; 8],
    pub token: TokenVerdict,
    /// An identity that was to leave, or came in.
    pub identity: Option<Box<FoundIdentity>>,
    /// Body bytes that came from the client.
    pub request_bytes: u64,
    /// Body bytes that went to the client.
    pub response_bytes: u64,
    /// Time for the checks, in nanoseconds; 0 where it did not come so far.
    pub authorize_ns: u64,
    /// From the request sent to the SCEF's answer, in nanoseconds; 0 where it did not come so far.
    pub upstream_ns: u64,
    /// From the end of the request head to the end of the answer, in nanoseconds.
    pub whole_ns: u64,
}

impl Record {
    /// Of nothing yet but when, where and about whom: each field is to be filled as it becomes
    /// known.
    pub fn blank(
        at: UnixMillis,
        shard: u16,
        client: Option<ClientIndex>,
        address: SocketAddr,
    ) -> Self {
        Self {
            at,
            kind: Kind::Request,
            outcome: Outcome::Abandoned,
            word: "",
            detail: "",
            cure: "",
            status: 0,
            shard,
            client,
            address,
            request_id: None,
            method: "",
            api: None,
            resource: "",
            granted: Rights::NONE,
            revoked: [0; 8],
            token: TokenVerdict::None,
            identity: None,
            request_bytes: 0,
            response_bytes: 0,
            authorize_ns: 0,
            upstream_ns: 0,
            whole_ns: 0,
        }
    }
}

/// Which decisions are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Refusals, for the log: there is no audit file.
    Refusals,
    /// All; what cannot be recorded is not served.
    AllOrRefuse,
    /// All; what cannot be recorded is served and counted.
    AllOrLose,
}

/// Full batches on their way to the writer, and empty ones on their way back.
#[derive(Debug)]
pub struct Batches {
    full: ArrayQueue<Vec<Record>>,
    empty: ArrayQueue<Vec<Record>>,
}

impl Batches {
    /// Room for so many.
    pub fn new(batches_max: usize) -> Self {
        Self {
            full: ArrayQueue::new(batches_max),
            empty: ArrayQueue::new(batches_max),
        }
    }

    /// The oldest batch; the writer gives it back when it is done with it.
    pub fn take(&self) -> Option<Vec<Record>> {
        self.full.pop()
    }

    /// Gives a batch's memory back.
    pub fn give_back(&self, mut batch: Vec<Record>) {
        batch.clear();
        let _ = self.empty.push(batch);
    }

    /// Batches that wait for the writer.
    pub fn waiting(&self) -> usize {
        self.full.len()
    }
}

/// A shard's end of the way. Neither side ever waits for the other.
#[derive(Debug)]
pub struct Journal {
    keeps: Keeps,
    filling: RefCell<Vec<Record>>,
    /// Records of requests that have been admitted and are not over yet: room is kept for them.
    promised: Cell<usize>,
    batches: Arc<Batches>,
}

impl Journal {
    /// A journal with room for about so many records, a quarter of them for refusals only; and
    /// where the writer finds what is in it.
    pub fn new(keeps: Keeps, records_max: usize) -> (Self, Arc<Batches>) {
        // With one batch alone nothing could be on its way while another fills.
        let batches = (records_max / AUDIT_BATCH_RECORDS).max(2);
        let batches = Arc::new(Batches::new(batches));
        let journal = Self {
            keeps,
            filling: RefCell::new(Vec::with_capacity(AUDIT_BATCH_RECORDS)),
            promised: Cell::new(0),
            batches: Arc::clone(&batches),
        };
        (journal, batches)
    }

    /// Keeps room for the record of a request that is about to be admitted; false where there is
    /// none, and the request must not be served. Refusals have a reserve of their own.
    pub fn promise(&self) -> bool {
        if self.keeps == Keeps::AllOrRefuse && self.room() <= self.promised.get() + self.reserve() {
            return false;
        }
        self.promised.set(self.promised.get() + 1);
        true
    }

    /// Writes a record down, the one of a promise where `promised`: that one always finds its room.
    /// False where there was none, and the record is lost.
    pub fn write(&self, record: &Record, promised: bool) -> bool {
        if promised {
            self.promised.set(self.promised.get().saturating_sub(1));
        }
        if self.keeps == Keeps::Refusals && record.outcome != Outcome::Refused {
            return true;
        }
        // What is refused must not take the room of what was admitted, however much it is.
        if !promised && self.room() <= self.promised.get() {
            return false;
        }
        let mut filling = self.filling.borrow_mut();
        if filling.len() >= AUDIT_BATCH_RECORDS && !self.send(&mut filling) {
            return false;
        }
        filling.push(record.clone());
        if filling.len() >= AUDIT_BATCH_RECORDS {
            self.send(&mut filling);
        }
        true
    }

    /// Sends what there is on its way, full batch or not. Not where that would cost room that is
    /// promised: then the writer is far behind anyway.
    pub fn publish(&self) {
        let mut filling = self.filling.borrow_mut();
        let behind = self.batches.full.capacity();
        let behind = behind.saturating_sub(self.batches.waiting() + 1);
        let left = behind * AUDIT_BATCH_RECORDS;
        if !filling.is_empty() && left >= self.promised.get() + self.reserve() {
            self.send(&mut filling);
        }
    }

    /// Sends the rest at the end of the shard. False while there is no room for it.
    pub fn finish(&self) -> bool {
        let mut filling = self.filling.borrow_mut();
        filling.is_empty() || self.send(&mut filling)
    }

    /// Records that only refusals may use.
    fn reserve(&self) -> usize {
        self.batches.full.capacity() * AUDIT_BATCH_RECORDS / 4
    }

    /// Records that can still be written.
    fn room(&self) -> usize {
        let batches = self.batches.full.capacity();
        let batches = batches.saturating_sub(self.batches.waiting());
        let free = AUDIT_BATCH_RECORDS.saturating_sub(self.filling.borrow().len());
        batches * AUDIT_BATCH_RECORDS + free
    }

    fn send(&self, filling: &mut Vec<Record>) -> bool {
        let next = self.batches.empty.pop();
        let next = next.unwrap_or_else(|| Vec::with_capacity(AUDIT_BATCH_RECORDS));
        match self.batches.full.push(std::mem::replace(filling, next)) {
            Ok(()) => true,
            Err(unsent) => {
                let spare = std::mem::replace(filling, unsent);
                self.batches.give_back(spare);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
