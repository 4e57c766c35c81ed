//! What shards refuse, as log lines: all of it counted, and of each reason so many a second
//! written out.

use std::collections::HashMap;
use std::sync::Arc;

use crate::audit::{Refusal, Refusals};
use crate::clock::Millis;
use crate::limits::REFUSALS_LOGGED_PER_S;
use crate::metrics::Counters;
use crate::peer::Client;
use crate::proxy::denial::ROWS;

/// Turns refusals into log lines.
pub struct Reporter {
    clients: Vec<Client>,
    this_second: HashMap<&'static str, u32>,
    second_ends: Millis,
}

impl Reporter {
    /// For the clients of a snapshot.
    pub fn new(clients: Vec<Client>) -> Self {
        Self {
            clients,
            this_second: HashMap::new(),
            second_ends: Millis(0),
        }
    }

    /// Writes what has come since the last call.
    pub fn report<'a>(&mut self, queues: impl Iterator<Item = &'a Arc<Refusals>>, now: Millis) {
        if self.second_ends <= now {
            self.end_second();
            self.second_ends = Millis(now.0 + 1_000);
        }
        for queue in queues {
            while let Some(refusal) = queue.pop() {
                let count = self.this_second.entry(refusal.word).or_default();
                *count += 1;
                if *count <= REFUSALS_LOGGED_PER_S {
                    self.write(&refusal);
                }
            }
        }
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

    fn write(&self, refusal: &Refusal) {
        let place = refusal
            .client
            .and_then(|client| usize::try_from(client.0).ok());
        let client = place
            .and_then(|place| self.clients.get(place))
            .map_or("", |c| &c.name);
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

/// Says at the end what a shard has done.
pub fn summarize(shard: usize, counters: &Counters) {
    let refused: Vec<String> = ROWS
        .iter()
        .enumerate()
        .filter_map(|(place, row)| {
            let count = counters.refused(place).read();
            (count > 0).then(|| format!("{}={count}", row.word))
        })
        .collect();
    tracing::info!(
        shard,
        connections = counters.connections_accepted.read(),
        over_bound = counters.connections_over_bound.read(),
        accepts_failed = counters.accepts_failed.read(),
        handshakes_full = counters.handshakes_full.read(),
        handshakes_resumed = counters.handshakes_resumed.read(),
        handshakes_refused = counters.handshakes_refused.read(),
        sessions_broken = counters.sessions_broken.read(),
        requests = counters.requests.read(),
        answered = counters.answered.read(),
        answers_cut = counters.answers_cut.read(),
        refused_in_all = counters.refused_in_all(),
        refused = refused.join(" "),
        refusals_unlogged = counters.refusals_unlogged.read(),
        tokens_remembered = counters.tokens_remembered.read(),
        tokens_cached = counters.tokens_cached.read(),
        tokens_verified = counters.tokens_verified.read(),
        upstream_connections = counters.upstream_connections.read(),
        upstream_retries = counters.upstream_retries.read(),
        "shard ended"
    );
}
