//! The secrets of a few neighbouring slots, where all shards find them without a lock.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use zeroize::Zeroizing;

use super::SlotSecret;

/// The slot before, the current one and the next are in use; a fourth, because clocks of shards
/// pass from one slot to the next a moment apart, and a token is asked for one ahead of time.
const PLACES: u64 = 4;
const WORDS: usize = 4;
/// In a place that holds nothing. No slot is 0.
const EMPTY: u64 = 0;
/// In a place that is being filled.
const FILLING: u64 = u64::MAX;

pub(super) struct Ring {
    places: [Place; PLACES as usize],
}

/// `secret` is that of `slot` for as long as `slot` says so before and after it was read.
struct Place {
    slot: AtomicU64,
    secret: [AtomicU64; WORDS],
}

impl Ring {
    pub(super) fn new() -> Self {
        let place = |_| Place {
            slot: AtomicU64::new(EMPTY),
            secret: Default::default(),
        };
        Self {
            places: std::array::from_fn(place),
        }
    }

    /// The secret of a slot, where it is held.
    pub(super) fn read(&self, slot: u64) -> Option<SlotSecret> {
        self.place(slot).read(slot)
    }

    /// Holds the secret of a slot, in place of one four slots away, and wipes those that no ticket
    /// is opened by any more when `current` is. False: another thread is at the same place.
    pub(super) fn fill(&self, slot: u64, secret: &SlotSecret, current: u64) -> bool {
        let filled = self.place(slot).write(slot, secret);
        for place in &self.places {
            // One more than that, for a shard whose clock is about to pass to this slot.
            place.wipe_before(current.saturating_sub(2));
        }
        filled
    }

    fn place(&self, slot: u64) -> &Place {
        &self.places[(slot % PLACES) as usize]
    }
}

impl Place {
    fn read(&self, slot: u64) -> Option<SlotSecret> {
        if slot == EMPTY || slot == FILLING || self.slot.load(Ordering::Acquire) != slot {
            return None;
        }
        let mut secret = Zeroizing::new([0; 8 * WORDS]);
        for (octets, word) in secret.as_chunks_mut().0.iter_mut().zip(&self.secret) {
            *octets = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        fence(Ordering::Acquire);
        (self.slot.load(Ordering::Relaxed) == slot).then_some(secret)
    }

    fn write(&self, slot: u64, secret: &SlotSecret) -> bool {
        let found = self.slot.load(Ordering::Acquire);
        found != FILLING && found != slot && self.replace(found, slot, secret)
    }

    fn wipe_before(&self, slot: u64) {
        let found = self.slot.load(Ordering::Relaxed);
        if found != EMPTY && found < slot {
            self.replace(found, EMPTY, &Zeroizing::new([0; 8 * WORDS]));
        }
    }

    fn replace(&self, found: u64, slot: u64, secret: &SlotSecret) -> bool {
        let taken = self
            .slot
            .compare_exchange(found, FILLING, Ordering::AcqRel, Ordering::Relaxed);
        if taken.is_err() {
            return false;
        }
        // Whoever reads a word of the new secret must find the slot changed behind it.
        fence(Ordering::Release);
        for (word, octets) in self.secret.iter().zip(secret.as_chunks().0) {
            word.store(u64::from_ne_bytes(*octets), Ordering::Relaxed);
        }
        self.slot.store(slot, Ordering::Release);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(octet: u8) -> SlotSecret {
        Zeroizing::new([octet; 32])
    }

    #[test]
    fn ring_holds_three_neighbours_and_one_ahead_and_wipes_what_is_past() {
        let ring = Ring::new();
        assert_eq!(ring.read(EMPTY), None);
        assert_eq!(ring.read(FILLING), None);
        for slot in 9..=12 {
            assert!(ring.fill(slot, &secret(slot as u8), 10));
        }
        for slot in 9..=12 {
            assert_eq!(ring.read(slot), Some(secret(slot as u8)));
        }
        assert!(!ring.fill(12, &secret(0), 12), "it is held already");
        assert_eq!(ring.read(9), None, "three before the current one");
        assert!(ring.fill(40, &secret(40), 40), "the clock was set");
        assert_eq!((ring.read(11), ring.read(12)), (None, None));
        assert!(ring.places.iter().all(|place| {
            let words = place.secret.iter().map(|word| word.load(Ordering::Relaxed));
            place.slot.load(Ordering::Relaxed) == 40 || words.sum::<u64>() == 0
        }));
    }
}
