//! What shards refuse, as log lines: all of it counted, and of each reason so many a second
//! written out.

use std::collections::HashMap;
use std::sync::Arc;

use crate::audit::{Outcome, Record};
use crate::clock::Millis;
use crate::limits::REFUSALS_LOGGED_PER_S;
use crate::metrics::Counters;
use crate::proxy::denial::ROWS;
use crate::proxy::denial::connections::CONNECTION_ROWS;
use crate::snapshot::ClientNames;

/// Turns refusals into log lines.
pub struct Reporter {
    clients: Arc<ClientNames>,
    this_second: HashMap<&'static str, u32>,
    second_ends: Millis,
}

impl Reporter {
    /// For clients of these names.
    pub fn new(clients: Arc<ClientNames>) -> Self {
        Self {
            clients,
            this_second: HashMap::new(),
            second_ends: Millis(0),
        }
    }

    /// Says what was left out of the log, once a second. To be called often.
    pub fn turn(&mut self, now: Millis) {
        if self.second_ends <= now {
            self.end_second();
            self.second_ends = Millis(now.0 + 1_000);
        }
    }

    /// Writes a refusal, or only counts it. Whether it was written.
    pub fn refused(&mut self, record: &Record) -> bool {
        let count = self.this_second.entry(record.word).or_default();
        *count += 1;
        let written = *count <= REFUSALS_LOGGED_PER_S;
        if written {
            self.write(record);
        }
        written
    }

    fn end_second(&mut self) {
        for (word, count) in self.this_second.drain() {
            if let Some(unwritten) = count.checked_sub(REFUSALS_LOGGED_PER_S)
                && unwritten > 0
            {
                tracing::warn!(
                    reason = word,
                    unwritten,
                    "more refusals of this kind in one second"
                );
            }
        }
    }

    fn write(&self, refusal: &Record) {
        let place = refusal
            .client
            .and_then(|client| usize::try_from(client.0).ok());
        let names = self.clients.load();
        let client = place.and_then(|place| names.get(place));
        let client = client.map_or("", String::as_str);
        let request_id = refusal.request_id.as_ref().map_or("", |id| id.as_str());
        tracing::warn!(
            reason = refusal.word,
            detail = refusal.detail,
            status = refusal.status,
            client,
            address = %refusal.address,
            request_id,
            shard = refusal.shard,
            hint = refusal.cure,
            "refused"
        );
    }
}

/// The counts that are not zero, each with its word.
fn said(counts: impl Iterator<Item = (&'static str, u64)>) -> Vec<String> {
    let counted = counts.filter(|(_, count)| *count > 0);
    counted
        .map(|(word, count)| format!("{word}={count}"))
        .collect()
}

/// Says at the end what a shard has done.
pub fn summarize(shard: usize, counters: &Counters) {
    let refused = ROWS.iter().enumerate();
    let refused = refused.map(|(place, row)| (row.word, counters.refused(place).read()));
    let refused = said(refused);
    let broken = CONNECTION_ROWS.iter().enumerate();
    let broken = broken.map(|(place, row)| (row.word, counters.refused_connections(place).read()));
    let broken = said(broken);
    let outcomes = Outcome::ALL.into_iter().map(|outcome| {
        let clients = counters.clients();
        let count = clients.map(|client| client.outcome(outcome).read()).sum();
        (outcome.word(), count)
    });
    let outcomes = said(outcomes);
    tracing::info!(
        shard,
        connections = counters.connections_accepted.read(),
        over_bound = counters.connections_over_bound.read(),
        accepts_failed = counters.accepts_failed.read(),
        handshakes_full = counters.handshakes_full.read(),
        handshakes_resumed = counters.handshakes_resumed.read(),
        connections_refused = broken.join(" "),
        requests = counters.requests.read(),
        outcomes = outcomes.join(" "),
        refused_in_all = counters.refused_in_all(),
        refused = refused.join(" "),
        audit_records_lost = counters.audit_records_lost.read(),
        tokens_remembered = counters.tokens_remembered.read(),
        tokens_cached = counters.tokens_cached.read(),
        tokens_verified = counters.tokens_verified.read(),
        upstream_connections = counters.upstream_connections.read(),
        upstream_retries = counters.upstream_retries.read(),
        "shard ended"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Kind, Outcome};
    use crate::control::audit_line::tests::bare;

    #[test]
    fn refusals_of_one_reason_are_written_so_many_times_a_second() {
        let mut reporter = Reporter::new(Arc::default());
        let refused = |word| Record {
            word,
            ..bare(Kind::Request, Outcome::Refused)
        };
        let mut written = |now, word| {
            reporter.turn(Millis(now));
            let records = (0..50).map(|_| refused(word));
            records.filter(|record| reporter.refused(record)).count()
        };
        let limit = usize::try_from(REFUSALS_LOGGED_PER_S).unwrap();
        assert_eq!(written(5, "token_missing"), limit);
        assert_eq!(written(6, "token_invalid"), limit, "a reason of its own");
        assert_eq!(written(900, "token_missing"), 0);
        assert_eq!(written(1_005, "token_missing"), limit, "another second");
    }
}
