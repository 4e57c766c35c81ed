//! Decisions written down, and made text.

use std::hint::black_box;
use std::sync::Arc;

use t8gate::audit::{Batches, Journal, Keeps, Kind, Outcome, Record, RequestId, TokenVerdict};
use t8gate::authz::apis::ApiId;
use t8gate::clock::UnixMillis;
use t8gate::control::audit_line::Lines;
use t8gate::limits::Limits;
use t8gate::peer::ClientIndex;

use super::Rounds;
use super::head::address;
use crate::scene::NOW;

/// The record of the `count`th request, one each 20 µs.
fn record(count: u64) -> Record {
    let at = UnixMillis(NOW.0 * 1_000 + count / 50);
    Record {
        kind: Kind::Request,
        outcome: Outcome::Answered,
        status: 200,
        request_id: Some(RequestId::new(0xdead_beef_0000_0001, count)),
        method: "GET",
        api: ApiId::from_name("3gpp-monitoring-event"),
        resource: "/{scsAsId}/subscriptions/{subscriptionId}",
        token: TokenVerdict::Remembered,
        response_bytes: 306,
        authorize_ns: 2_300 + count % 100,
        upstream_ns: 81_245 + count % 100,
        whole_ns: 86_123 + count % 100,
        ..Record::blank(at, 0, Some(ClientIndex(0)), address())
    }
}

/// Room promised for a record, and the record written into it: the shard's part.
pub struct Write {
    journal: Journal,
    batches: Arc<Batches>,
    record: Record,
}

impl Write {
    pub fn new() -> Self {
        let records_max = Limits::default().audit_records_max;
        let (journal, batches) = Journal::new(Keeps::AllOrRefuse, records_max);
        Self {
            journal,
            batches,
            record: record(1),
        }
    }
}

impl Rounds for Write {
    /// What the writer's thread does meanwhile.
    fn refill(&mut self, rounds: usize) {
        assert!(rounds < Limits::default().audit_records_max / 2, "no room");
        while let Some(batch) = self.batches.take() {
            self.batches.give_back(batch);
        }
    }

    fn round(&mut self) {
        assert!(self.journal.promise());
        assert!(self.journal.write(black_box(&self.record), true));
    }
}

/// A record made a line: the writer's part.
pub struct Line {
    lines: Lines,
    count: u64,
    out: Vec<u8>,
}

impl Line {
    pub fn new() -> Self {
        Self {
            lines: Lines::default(),
            count: 0,
            out: Vec::with_capacity(4 * 1024),
        }
    }
}

impl Rounds for Line {
    fn round(&mut self) {
        self.count += 1;
        self.out.clear();
        let record = record(self.count);
        self.lines.append(&mut self.out, black_box(&record), "acme");
        black_box(&self.out);
    }
}
