//! All revocations in memory: looked up by any shard without waiting, changed by one thread.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::{Held, Id, Kind};
use crate::clock::UnixSeconds;
use crate::limits::REVOKED_BUCKETS;

type Bucket = HashMap<Id, Held>;

/// What is revoked now. A change copies one bucket, which is kept short by there being many.
pub(super) struct Set {
    buckets: Box<[ArcSwap<Bucket>]>,
    /// Entries of each kind, so that what nobody has revoked need not be hashed to be looked up.
    counts: [AtomicUsize; Kind::ALL.len()],
    /// Held by whoever changes something.
    changing: Mutex<()>,
}

impl Default for Set {
    fn default() -> Self {
        let empty = || ArcSwap::from_pointee(Bucket::new());
        Self {
            buckets: std::iter::repeat_with(empty)
                .take(REVOKED_BUCKETS)
                .collect(),
            counts: Default::default(),
            changing: Mutex::default(),
        }
    }
}

impl Set {
    pub fn get(&self, id: Id) -> Option<Held> {
        self.bucket(id).load().get(&id).copied()
    }

    /// How many there are of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.counts[kind.place()].load(Ordering::Acquire)
    }

    pub fn len(&self) -> usize {
        Kind::ALL.into_iter().map(|kind| self.count(kind)).sum()
    }

    /// All of them.
    pub fn all(&self) -> Vec<(Id, Held)> {
        let buckets = self.buckets.iter().map(|bucket| bucket.load_full());
        buckets
            .flat_map(|bucket| {
                bucket
                    .iter()
                    .map(|(id, held)| (*id, *held))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Enters what is there, and takes out what is none.
    pub fn change(&self, changes: impl IntoIterator<Item = (Id, Option<Held>)>) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_bucket: HashMap<usize, Vec<_>> = HashMap::new();
        for change in changes {
            let place = self.place(change.0);
            by_bucket.entry(place).or_default().push(change);
        }
        for (place, changes) in by_bucket {
            let mut bucket = Bucket::clone(&self.buckets[place].load());
            for (id, held) in changes {
                let count = &self.counts[id.kind().place()];
                // Counted before it is there: who sees none of a kind does not look.
                let before = match held {
                    Some(held) => bucket.insert(id, held),
                    None => bucket.remove(&id),
                };
                match (before, held) {
                    (None, Some(_)) => _ = count.fetch_add(1, Ordering::AcqRel),
                    (Some(_), None) => _ = count.fetch_sub(1, Ordering::AcqRel),
                    _ => {}
                }
            }
            self.buckets[place].store(Arc::new(bucket));
        }
    }

    /// Some that need not be kept any longer, at most so many.
    pub fn outlived(&self, now: UnixSeconds, at_most: usize) -> Vec<Id> {
        let mut outlived = Vec::new();
        for bucket in &self.buckets {
            let bucket = bucket.load();
            let ended = bucket.iter().filter(|(_, held)| held.until < now);
            outlived.extend(ended.map(|(id, _)| *id));
            if outlived.len() >= at_most {
                outlived.truncate(at_most);
                break;
            }
        }
        outlived
    }

    fn bucket(&self, id: Id) -> &ArcSwap<Bucket> {
        &self.buckets[self.place(id)]
    }

    fn place(&self, id: Id) -> usize {
        id.spread() % self.buckets.len()
    }
}
