//! A number for each client that grows whenever something about its tokens may have changed. What
//! was remembered of a token under another number is not gone by any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// One client's number. Every shard reads it with every request, and hardly anybody writes it: it
/// shares its cache lines with nothing else.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Generation(AtomicU64);

impl Generation {
    /// What it is now. Whoever verifies a token reads it before asking what is revoked.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn bump(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// The numbers of all clients there ever were in this process: one that goes and comes back finds
/// its own, so that what was remembered of it before it went never counts again. They are as many
/// as operators have written down `client_id`s since the start.
#[derive(Debug, Default)]
pub(super) struct Generations(Mutex<HashMap<String, Arc<Generation>>>);

impl Generations {
    /// The number of a client, from now on and for ever.
    pub fn of(&self, client_id: &str) -> Arc<Generation> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(client_id) {
            return Arc::clone(known);
        }
        let new = Arc::new(Generation::default());
        all.insert(client_id.to_owned(), Arc::clone(&new));
        new
    }

    /// Whether a client ever was configured.
    pub fn knows(&self, client_id: &str) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.contains_key(client_id)
    }

    /// Has this client's tokens verified anew; nothing where it is not known, and has none.
    pub fn bump(&self, client_id: &str) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(client_id) {
            known.bump();
        }
    }

    /// Has all tokens verified anew.
    pub fn bump_all(&self) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().for_each(|known| known.bump());
    }
}
