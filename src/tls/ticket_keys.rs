//! The keys session tickets are sealed with: random, kept in memory only, a new one every six
//! hours, the one before it still opens.
//!
//! ```text
//!   ticket = name of these keys (8) | period (8) | nonce (12) | sealed session | tag (16)
//! ```
//! All shards use the same two keys, so that a session is continued wherever the client's next
//! connection lands. They find them without a lock: a period has its own of two slots, and whoever
//! needs the slot of a new period first fills it. Who comes while that happens seals no ticket, or
//! opens none, and the next handshake is a full one.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::clock::UnixSeconds;

/// A ticket opens for so long at least, and for twice as long at most.
pub(super) const PERIOD_S: u64 = 6 * 60 * 60;

const NAME_BYTES: usize = 8;
const HEAD_BYTES: usize = NAME_BYTES + 8 + NONCE_LEN;
const SECRET_WORDS: usize = 4;
/// In a slot that nobody has needed yet. No period is 0.
const EMPTY: u64 = 0;
/// In a slot that is being filled.
const FILLING: u64 = u64::MAX;

/// What a ticket is sealed and opened by. `binding` is authenticated, and not in the ticket.
pub(super) trait SealsTickets: Send + Sync {
    /// None where no ticket can be had now.
    fn seal(&self, session: &[u8], binding: &[u8], now: UnixSeconds) -> Option<Vec<u8>>;

    /// None where these are no keys for it, or no longer.
    fn open(&self, ticket: &[u8], binding: &[u8], now: UnixSeconds) -> Option<Vec<u8>>;
}

/// The keys of one process.
pub(super) struct TicketKeys {
    name: [u8; NAME_BYTES],
    /// Of an even period and of an odd one.
    slots: [Slot; 2],
}

/// `secret` is that of `period` for as long as `period` says so before and after it was read.
struct Slot {
    period: AtomicU64,
    secret: [AtomicU64; SECRET_WORDS],
}

impl TicketKeys {
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn new() -> Result<Self, String> {
        let mut name = [0; NAME_BYTES];
        rand::fill(&mut name).map_err(|_| "no random bytes for tickets".to_owned())?;
        let slot = || Slot {
            period: AtomicU64::new(EMPTY),
            secret: Default::default(),
        };
        Ok(Self {
            name,
            slots: [slot(), slot()],
        })
    }

    fn slot(&self, period: u64) -> &Slot {
        &self.slots[usize::from(period % 2 == 1)]
    }
}

impl SealsTickets for TicketKeys {
    fn seal(&self, session: &[u8], binding: &[u8], now: UnixSeconds) -> Option<Vec<u8>> {
        let period = period(now);
        let slot = self.slot(period);
        slot.fill(period)?;
        let key = slot.key(period)?;
        // Drawn at random: at 4,000 tickets a second on each of 50 shards, two of one key are the
        // same with a probability of 2^-33.
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut ticket = Vec::with_capacity(HEAD_BYTES + session.len() + AES_256_GCM.tag_len());
        ticket.extend_from_slice(&self.name);
        ticket.extend_from_slice(&period.to_be_bytes());
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(session);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(binding), &mut ticket[HEAD_BYTES..])
            .ok()?;
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    fn open(&self, ticket: &[u8], binding: &[u8], now: UnixSeconds) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_BYTES>()?;
        let (sealed_in, rest) = rest.split_first_chunk()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let sealed_in = u64::from_be_bytes(*sealed_in);
        // A slot still holds what came before the last period when nobody has sealed in this one.
        if *name != self.name || sealed_in.checked_add(1)? < period(now) {
            return None;
        }
        let key = self.slot(sealed_in).key(sealed_in)?;
        let mut opened = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key
            .open_in_place(nonce, Aad::from(binding), &mut opened)
            .ok()?
            .len();
        opened.truncate(length);
        Some(opened)
    }
}

impl Slot {
    /// Has the slot hold a key of `period`. None where another thread is about to. Where the clock
    /// was ahead, tickets of that time are given up: else there were none until it is that late.
    fn fill(&self, period: u64) -> Option<()> {
        let found = self.period.load(Ordering::Acquire);
        if found == period {
            return Some(());
        }
        if found == FILLING {
            return None;
        }
        let mut secret = Zeroizing::new([0; 8 * SECRET_WORDS]);
        rand::fill(secret.as_mut_slice()).ok()?;
        self.period
            .compare_exchange(found, FILLING, Ordering::AcqRel, Ordering::Relaxed)
            .ok()?;
        // Whoever reads a word of the new secret must find the period changed behind it.
        fence(Ordering::Release);
        for (slot, octets) in self.secret.iter().zip(secret.as_chunks().0) {
            slot.store(u64::from_ne_bytes(*octets), Ordering::Relaxed);
        }
        self.period.store(period, Ordering::Release);
        Some(())
    }

    /// The key of `period`, where the slot holds that.
    fn key(&self, period: u64) -> Option<LessSafeKey> {
        if period == EMPTY || period == FILLING || self.period.load(Ordering::Acquire) != period {
            return None;
        }
        let mut secret = Zeroizing::new([0; 8 * SECRET_WORDS]);
        for (octets, slot) in secret.as_chunks_mut().0.iter_mut().zip(&self.secret) {
            *octets = slot.load(Ordering::Relaxed).to_ne_bytes();
        }
        fence(Ordering::Acquire);
        if self.period.load(Ordering::Relaxed) != period {
            return None;
        }
        let key = UnboundKey::new(&AES_256_GCM, secret.as_slice()).ok()?;
        Some(LessSafeKey::new(key))
    }
}

/// Counted from 1970, and from 1, because 0 is an empty slot.
fn period(now: UnixSeconds) -> u64 {
    now.0 / PERIOD_S + 1
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    const SESSION: &[u8] = b"a session of 25 octets :-)";
    const BINDING: &[u8] = &[7; 32];
    /// In the middle of a period.
    const NOW: UnixSeconds = UnixSeconds(88_000 * PERIOD_S + PERIOD_S / 2);

    fn periods_later(count: u64) -> UnixSeconds {
        UnixSeconds(NOW.0 + count * PERIOD_S)
    }

    fn opens(keys: &TicketKeys, ticket: &[u8], now: UnixSeconds) -> bool {
        match keys.open(ticket, BINDING, now) {
            Some(opened) => {
                assert_eq!(opened, SESSION);
                true
            }
            None => false,
        }
    }

    #[test]
    fn ticket_opens_after_one_change_of_keys_and_not_after_two() {
        let keys = TicketKeys::new().unwrap();
        let ticket = keys.seal(SESSION, BINDING, NOW).unwrap();
        assert!(opens(&keys, &ticket, NOW));
        // Whether anything is sealed in between or not.
        assert!(opens(&keys, &ticket, periods_later(1)));
        let next = keys.seal(SESSION, BINDING, periods_later(1)).unwrap();
        assert!(opens(&keys, &ticket, periods_later(1)));
        assert!(!opens(&keys, &ticket, periods_later(2)));
        let last = keys.seal(SESSION, BINDING, periods_later(2)).unwrap();
        assert!(!opens(&keys, &ticket, periods_later(2)));
        // Its key is gone for good, whatever the clock says then.
        assert!(!opens(&keys, &ticket, NOW));
        assert!(opens(&keys, &next, periods_later(2)));
        assert!(opens(&keys, &last, periods_later(2)));
    }

    #[test]
    fn ticket_lives_as_long_as_it_says_at_least() {
        let keys = TicketKeys::new().unwrap();
        for begun in [0, 1, PERIOD_S / 2, PERIOD_S - 1] {
            let at = UnixSeconds(periods_later(0).0 + begun);
            let ticket = keys.seal(SESSION, BINDING, at).unwrap();
            assert!(opens(&keys, &ticket, UnixSeconds(at.0 + PERIOD_S)));
            assert!(!opens(&keys, &ticket, UnixSeconds(at.0 + 2 * PERIOD_S)));
        }
    }

    #[test]
    fn altered_ticket_or_binding_does_not_open() {
        let keys = TicketKeys::new().unwrap();
        let ticket = keys.seal(SESSION, BINDING, NOW).unwrap();
        assert_eq!(ticket.len(), HEAD_BYTES + SESSION.len() + 16);
        for place in 0..ticket.len() {
            let mut other = ticket.clone();
            other[place] ^= 1;
            assert_eq!(keys.open(&other, BINDING, NOW), None, "{place}");
            assert_eq!(keys.open(&ticket[..place], BINDING, NOW), None, "{place}");
        }
        assert_eq!(keys.open(&ticket, &[6; 32], NOW), None);
        assert_eq!(keys.open(&[0xff; 100], BINDING, NOW), None);
        let others = TicketKeys::new().unwrap();
        assert_eq!(others.open(&ticket, BINDING, NOW), None);
        // No two tickets look alike, nor is anything of the session in the clear.
        assert_ne!(keys.seal(SESSION, BINDING, NOW).unwrap(), ticket);
        assert!(!ticket.windows(8).any(|octets| octets == &SESSION[..8]));
    }

    #[test]
    fn clock_that_was_ahead_costs_its_own_tickets_only() {
        for ahead in [1, 2, 3, 4, 40] {
            let keys = TicketKeys::new().unwrap();
            let early = keys.seal(SESSION, BINDING, periods_later(ahead)).unwrap();
            for later in [0, 1] {
                let now = periods_later(later);
                let ticket = keys.seal(SESSION, BINDING, now).unwrap();
                assert!(opens(&keys, &ticket, now), "{ahead} ahead, {later} later");
            }
            if ahead > 1 {
                assert!(!opens(&keys, &early, periods_later(ahead)), "{ahead}");
            }
        }
    }

    #[test]
    fn threads_agree_on_the_key_of_a_new_period() {
        const THREADS: usize = 4;
        let keys = TicketKeys::new().unwrap();
        let barrier = Barrier::new(THREADS);
        for later in 0..200 {
            let now = periods_later(later);
            let sealed = std::thread::scope(|scope| {
                let seal = || {
                    barrier.wait();
                    (0..8)
                        .filter_map(|_| keys.seal(SESSION, BINDING, now))
                        .collect::<Vec<_>>()
                };
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(seal)).collect();
                let sealed = threads.into_iter().map(|thread| thread.join().unwrap());
                sealed.flatten().collect::<Vec<_>>()
            });
            assert!(!sealed.is_empty());
            for ticket in sealed {
                assert!(opens(&keys, &ticket, now));
            }
        }
    }
}
