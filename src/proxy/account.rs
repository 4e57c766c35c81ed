//! What is told of a request when it is over: to the audit file, to the counters, to the
//! latencies. Each request has exactly one account, opened when its head is there and closed by
//! whoever ends it; one that nobody closed is closed by its connection's end.

use std::net::SocketAddr;
use std::rc::Rc;

use crate::audit::{FoundIdentity, Kind, Outcome, Record, RequestId};
use crate::clock::Nanos;
use crate::metrics::Phase;
use crate::peer::ClientIndex;

use super::denial::Denial;
use super::denial::connections::ConnectionDenial;
use super::local::Local;
use super::standing::Lost;

/// The account of a connection's current request.
pub struct Account {
    local: Rc<Local>,
    client: ClientIndex,
    /// What will be recorded; the fields are filled as they become known.
    pub record: Record,
    begun: Nanos,
    /// When the checks began.
    judging: Nanos,
    sent: Nanos,
    is_open: bool,
    /// The journal keeps room for it.
    promised: bool,
}

impl Account {
    /// For the requests of one connection.
    pub fn new(local: Rc<Local>, client: ClientIndex, address: SocketAddr) -> Self {
        Self {
            record: blank(&local, Some(client), address),
            local,
            client,
            begun: Nanos(0),
            judging: Nanos(0),
            sent: Nanos(0),
            is_open: false,
            promised: false,
        }
    }

    /// Begins the account of a request.
    pub fn open(&mut self, id: RequestId) {
        self.begun = Nanos::now();
        self.judging = self.begun;
        self.record = Record {
            request_id: Some(id),
            ..blank(&self.local, Some(self.client), self.record.address)
        };
        self.is_open = true;
        self.local.counters.requests.bump();
    }

    /// Notes that the checks begin only now: what they need has been waited for.
    pub fn judging(&mut self) {
        self.judging = Nanos::now();
    }

    /// Notes that the checks are over, whatever they came to.
    pub fn judged(&mut self) {
        self.sent = Nanos::now();
        self.record.authorize_ns = self.sent.since(self.judging);
        let mut latencies = self.local.latencies.borrow_mut();
        latencies.record(Phase::Authorize, self.record.authorize_ns);
    }

    /// Keeps room for the record: only then may the request be served.
    ///
    /// # Errors
    /// That there is no room.
    pub fn promise(&mut self) -> Result<(), Denial> {
        self.promised = self.local.journal.promise();
        match self.promised {
            true => Ok(()),
            false => Err(Denial::AuditUnwritable),
        }
    }

    /// Notes that the request is on its way to the SCEF again.
    pub fn sent_again(&mut self) {
        self.sent = Nanos::now();
    }

    /// Notes that the head of the SCEF's answer is there.
    pub fn heard(&mut self) {
        self.record.upstream_ns = Nanos::now().since(self.sent);
        let mut latencies = self.local.latencies.borrow_mut();
        latencies.record(Phase::Upstream, self.record.upstream_ns);
    }

    /// Ends the account of a request that was refused.
    pub fn refused(&mut self, denial: Denial) {
        self.note(denial);
        self.close(Outcome::Refused);
    }

    /// Notes an identity that a client sent, for which its request is refused.
    pub fn found_in_request(&mut self, found: Box<FoundIdentity>) -> Denial {
        let denial = Denial::IdentityInRequest(found.form);
        self.record.identity = Some(found);
        denial
    }

    /// Notes why an answer that has begun is cut off.
    pub fn cut_by(&mut self, denial: Denial) {
        let answered = self.record.status;
        self.note(denial);
        self.record.status = answered;
    }

    fn note(&mut self, denial: Denial) {
        let row = denial.row();
        self.record.word = row.word;
        self.record.detail = denial.particular();
        self.record.cure = row.cure_of(self.record.detail);
        self.record.status = row.status;
        self.local.counters.refused(denial.place()).bump();
    }

    /// Ends the account; a second time changes nothing.
    pub fn close(&mut self, outcome: Outcome) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        self.record.outcome = outcome;
        self.record.whole_ns = Nanos::now().since(self.begun);
        self.record.at = self.local.wall.get();
        let (local, record) = (&self.local, &self.record);
        local
            .latencies
            .borrow_mut()
            .record(Phase::Whole, record.whole_ns);
        let counters = &local.counters;
        counters.request_bytes.add(record.request_bytes);
        counters.response_bytes.add(record.response_bytes);
        let client = usize::try_from(self.client.0).unwrap_or(usize::MAX);
        if let Some(client) = counters.client(client) {
            client.outcome(outcome).bump();
        }
        local.write(record, std::mem::take(&mut self.promised));
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.close(Outcome::Abandoned);
    }
}

/// Tells of a connection that was refused or broken, and by which alert.
pub fn refused_connection(
    denial: ConnectionDenial,
    alert: &'static str,
    client: Option<ClientIndex>,
    address: SocketAddr,
    local: &Local,
) {
    local.counters.refused_connections(denial.place()).bump();
    if let Some(rule) = denial.rule() {
        local.counters.broken_rules(rule.place()).bump();
    }
    let record = Record {
        kind: Kind::Connection,
        outcome: Outcome::Refused,
        word: denial.row().word,
        detail: denial.detail(alert),
        cure: denial.cure(),
        ..blank(local, client, address)
    };
    local.write(&record, false);
}

/// Tells of a connection that was ended because its certificate is no longer trusted.
pub fn distrusted(lost: &Lost, local: &Local) {
    let denial = ConnectionDenial::Distrusted(lost.refusal);
    refused_connection(denial, "", Some(lost.client), lost.address, local);
}

fn blank(local: &Local, client: Option<ClientIndex>, address: SocketAddr) -> Record {
    Record::blank(local.wall.get(), local.shard, client, address)
}
