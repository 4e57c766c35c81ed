//! How much of the clients' room each of them has taken: one that fetches tokens and revokes them
//! in a loop is not to have the others told that there is no room left.

use std::collections::{BTreeMap, HashMap};

use crate::clock::UnixSeconds;

/// What ends within so many seconds is counted as ending together, so that a client has no more
/// numbers here than its tokens live minutes.
const GRAIN_S: u64 = 60;

/// By `client_id`, how many revocations end when. Counted since the start: whose an entry of the
/// store was is not kept there, and a client does not start a gateway anew.
#[derive(Debug, Default)]
pub(super) struct Shares(HashMap<String, BTreeMap<u64, usize>>);

impl Shares {
    /// How many a client has that matter still.
    pub fn of(&self, client_id: &str) -> usize {
        let ends = self.0.get(client_id);
        ends.map_or(0, |ends| ends.values().sum())
    }

    /// One more of a client, which matters until then.
    pub fn enter(&mut self, client_id: &str, until: UnixSeconds) {
        let ends = self.0.entry(client_id.to_owned()).or_default();
        *ends.entry(until.0 / GRAIN_S).or_default() += 1;
    }

    /// One that was entered has come to nothing.
    pub fn give_back(&mut self, client_id: &str, until: UnixSeconds) {
        let ends = self.0.get_mut(client_id);
        if let Some(count) = ends.and_then(|ends| ends.get_mut(&(until.0 / GRAIN_S))) {
            *count = count.saturating_sub(1);
        }
    }

    /// Forgets what matters to nobody any more at this moment.
    pub fn forget(&mut self, ended: UnixSeconds) {
        self.0.retain(|_, ends| {
            *ends = ends.split_off(&(ended.0 / GRAIN_S));
            !ends.is_empty()
        });
    }
}
