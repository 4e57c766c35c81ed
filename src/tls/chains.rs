//! Certificate chains that were verified on this thread, remembered: the same client comes again
//! and again, and verifying its chain costs more than the rest of a resumed handshake.
//!
//! A chain is known by a hash over the trust epoch and every octet of all certificates that were
//! shown, so that it is verified anew when any of them differs or when what it was verified
//! against does. Who signs the handshake is not remembered: that is verified each time.
//!
//! The memory is the thread's own. Each shard is one thread, so that no shard reads or writes what
//! another does; and rustls calls the verifier on the thread that processes the records.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;

use super::leaf::{Leaf, Validity};
use crate::clock::UnixSeconds;
use crate::limits::CHAINS_REMEMBERED_MAX;

/// SHA-256 of trust epoch and chain.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ChainHash([u8; 32]);

#[derive(Clone)]
struct Verified {
    leaf: Arc<Leaf>,
    /// Of all certificates of the chain.
    validity: Validity,
}

struct Memory {
    /// Verified a moment ago by somebody who has not shown yet to have the leaf's key.
    held: Option<(ChainHash, Verified)>,
    verified: Generations<[u8; 32], Verified>,
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::new(Memory {
        held: None,
        verified: Generations::new(CHAINS_REMEMBERED_MAX),
    });
}

impl ChainHash {
    pub(super) fn of(epoch: &[u8; 32], chain: &[CertificateDer<'_>]) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(epoch);
        for certificate in chain {
            // Length first, so that two certificates never run into one another.
            hash.update(&(certificate.len() as u64).to_be_bytes());
            hash.update(certificate);
        }
        let hash = hash.finish();
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 octets"))
    }
}

/// The leaf of a chain that was verified under this hash and is valid at `now`, every certificate
/// of it.
pub(super) fn recall(chain: ChainHash, now: UnixSeconds) -> Option<Arc<Leaf>> {
    let verified = MEMORY.with_borrow_mut(|memory| memory.verified.recall(&chain.0))?;
    verified.validity.holds_at(now).then_some(verified.leaf)
}

/// Holds a chain that has just been verified, and is valid for so long, to be remembered when its
/// key has signed.
pub(super) fn hold(chain: ChainHash, leaf: &Arc<Leaf>, validity: Validity) {
    let leaf = Arc::clone(leaf);
    let verified = Verified { leaf, validity };
    MEMORY.with_borrow_mut(|memory| memory.held = Some((chain, verified)));
}

/// Remembers the chain that is held, if it is that of a leaf whose key has now signed: nobody
/// fills the memory with chains made of others' certificates.
pub(super) fn remember(leaf: &[u8]) {
    MEMORY.with_borrow_mut(|memory| {
        let held = memory.held.take();
        if let Some((chain, verified)) = held.filter(|(_, held)| **held.leaf.der() == *leaf) {
            memory.verified.remember(chain.0, verified);
        }
    });
}

/// The certificates of a session that a ticket continues (RFC 8446 section 4.4.2 without
/// extensions: vectors behind lengths of three octets).
pub(super) fn certificates(mut chain: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = chain.split_off(..3)?;
        let length = length
            .iter()
            .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
        chain.split_off(..length)
    })
}

/// A map of bounded size that forgets what has not been asked for lately: when the young half is
/// full, it becomes the old one, and what was old is gone. What is found among the old is young
/// again.
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    /// young.len() <= half, old.len() <= half
    half: usize,
}

impl<K: std::hash::Hash + Eq + Copy, V: Clone> Generations<K, V> {
    fn new(entries_max: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            half: (entries_max / 2).max(1),
        }
    }

    fn recall(&mut self, key: &K) -> Option<V> {
        if let Some(found) = self.young.get(key) {
            return Some(found.clone());
        }
        let found = self.old.remove(key)?;
        self.remember(*key, found.clone());
        Some(found)
    }

    fn remember(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_keeps_what_is_asked_for() {
        let mut memory = Generations::new(100);
        memory.remember(0_u32, "asked for");
        for key in 1..10_000 {
            memory.remember(key, "once");
            assert!(memory.len() <= 100);
            if key % 40 == 0 {
                assert_eq!(memory.recall(&0), Some("asked for"));
            }
        }
        assert_eq!(memory.recall(&1), None);
        assert_eq!(memory.recall(&9_999), Some("once"));
    }
}
