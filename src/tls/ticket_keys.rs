//! The keys session tickets are sealed with: another one for each ticket, made of the secret of
//! the slot of time it is sealed in.
//!
//! ```text
//!   ticket = name of secret (8) | slot (8) | salt (32) | nonce (12) | session, sealed | tag (16)
//!   slot secret = HKDF-Expand(secret, slot)        key = HKDF-Expand(slot secret, salt)
//! ```
//! Nodes that share the secret may share the slots' too, at a million tickets a second, so all does
//! not hang on nonces under a common key: of 96 bits, two would be the same after 2^48 tickets at
//! even odds. The key of a ticket comes of 256 random bits instead. That two of q tickets have the
//! same one has a probability below q^2 / 2^257: for 2^64 tickets in one slot, 2^-129. Each key
//! seals once; the library draws a nonce all the same, because FIPS has GCM seal with no other.
//!
//! A slot's tickets open in the slot before (of nodes whose clock is behind), in their own and in
//! the one after. All shards use the same secrets, and find them without a lock; one that nobody
//! has needed yet is made by who needs it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::clock::UnixSeconds;
use crate::limits::{SESSION_SLOTS_MAX, TICKET_CLOCKS_APART_S_MAX, TICKET_SLOT_DEFAULT};
use crate::secret::{Derived, sealing_key, token_label};

mod ring;
mod secret;

use ring::Ring;
pub use secret::TicketSecret;

/// Of a secret's name, by which tickets say what they were sealed with.
pub const NAME_BYTES: usize = 8;
const SALT_BYTES: usize = 32;
const HEAD_BYTES: usize = NAME_BYTES + 8 + SALT_BYTES;
const SEALED_AT: usize = HEAD_BYTES + NONCE_LEN;
const KEY_LABEL: &[u8] = b"ticket";

type SlotSecret = Derived;

/// What a ticket is sealed and opened by. `binding` is authenticated, and not in the ticket.
pub(super) trait SealsTickets: Send + Sync {
    /// None where no ticket can be had now.
    fn seal(&self, session: &[u8], binding: &[u8], now: UnixSeconds) -> Option<Vec<u8>>;

    /// None where these are no keys for it, or no longer.
    fn open(&self, ticket: &[u8], binding: &[u8], now: UnixSeconds) -> Option<Vec<u8>>;

    /// How long a ticket opens for certain, in seconds.
    fn lifetime_s(&self) -> u32;

    /// How old the full handshake of a session may be that is continued, however often its tickets
    /// have been renewed, in seconds.
    fn session_s_max(&self) -> u64;
}

/// The keys of one process, or of all nodes that share a secret.
pub struct TicketKeys {
    slot_s: u64,
    /// Tickets are sealed with the first; all of them open.
    keyrings: Vec<Arc<Keyring>>,
}

/// One secret and what is held of it.
pub struct Keyring {
    name: [u8; NAME_BYTES],
    source: Source,
    ring: Ring,
}

enum Source {
    /// Each slot's is random: when it is past, nothing that is left opens its tickets.
    OfProcess,
    Shared(TicketSecret),
    /// What is shared lies in a token: it is asked for each slot's ahead of time, elsewhere.
    InToken,
}

/// A secret that other nodes have as well.
pub enum SharedSecret {
    Here(TicketSecret),
    /// A key in a token, of which this process has only what it is asked for: its name, and the
    /// secrets of slots by [`TicketKeys::hold`].
    InToken {
        name: [u8; NAME_BYTES],
    },
    /// Keys before these had it, of slots of the same length: what is held of it stays.
    AsBefore(Arc<Keyring>),
}

impl SharedSecret {
    /// What the name of a key in a token is HMAC-SHA256 of, cut to its first octets.
    pub fn name_label(slot: Duration) -> Vec<u8> {
        token_label(b"name", &[slot.as_secs().max(1)])
    }
}

/// A slot whose secret a token has to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of the secrets given to [`TicketKeys::shared`].
    pub place: usize,
    pub slot: u64,
    /// What the slot's secret is HMAC-SHA256 of.
    pub label: Vec<u8>,
}

impl TicketKeys {
    /// The keys of this process, always the same: random, in memory only.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn of_process() -> Result<Arc<Self>, String> {
        static KEYS: OnceLock<Result<Arc<TicketKeys>, String>> = OnceLock::new();
        KEYS.get_or_init(|| Self::random().map(Arc::new)).clone()
    }

    pub(super) fn random() -> Result<Self, String> {
        let mut name = [0; NAME_BYTES];
        rand::fill(&mut name).map_err(|_| "no random bytes for tickets".to_owned())?;
        let keyring = Keyring {
            name,
            source: Source::OfProcess,
            ring: Ring::new(),
        };
        Ok(Self {
            slot_s: TICKET_SLOT_DEFAULT.as_secs(),
            keyrings: vec![Arc::new(keyring)],
        })
    }

    /// Keys of secrets that other nodes have as well: tickets are sealed with the first, and open
    /// with all of them. Slots of another length are other slots.
    pub fn shared(secrets: Vec<SharedSecret>, slot: Duration) -> Self {
        let slot_s = slot.as_secs().max(1);
        let new = |name, source| {
            Arc::new(Keyring {
                name,
                source,
                ring: Ring::new(),
            })
        };
        let keyring = |secret: SharedSecret| match secret {
            SharedSecret::Here(secret) => new(secret.name(slot_s), Source::Shared(secret)),
            SharedSecret::InToken { name } => new(name, Source::InToken),
            SharedSecret::AsBefore(keyring) => keyring,
        };
        Self {
            slot_s,
            keyrings: secrets.into_iter().map(keyring).collect(),
        }
    }

    /// One of the secrets given to [`Self::shared`], by its place, to go on under other keys.
    pub fn keyring(&self, place: usize) -> Option<Arc<Keyring>> {
        self.keyrings.get(place).cloned()
    }

    /// What tokens have to be asked for now: the secrets of the slots that may be needed until the
    /// end of the next one, as far as they are not held. Nothing where no secret is in a token.
    pub fn wanted(&self, now: UnixSeconds) -> Vec<Wanted> {
        let current = self.slot(now);
        let in_token = |(_, keys): &(usize, &Arc<Keyring>)| matches!(keys.source, Source::InToken);
        let keyrings = self.keyrings.iter().enumerate().filter(in_token);
        let wanted = keyrings.flat_map(|(place, keys)| {
            // The current one first, in case no more than that can be had.
            let slots = [current, current + 1, current - 1, current + 2];
            let missing = slots.into_iter().filter(|slot| *slot > 0);
            let missing = missing.filter(|slot| keys.ring.read(*slot).is_none());
            missing.map(move |slot| Wanted {
                place,
                slot,
                label: token_label(b"slot", &[self.slot_s, slot]),
            })
        });
        wanted.collect()
    }

    /// Holds what a token has said to [`Wanted::label`].
    pub fn hold(&self, wanted: &Wanted, secret: &Zeroizing<[u8; 32]>, now: UnixSeconds) {
        if let Some(keys) = self.keyrings.get(wanted.place) {
            keys.ring.fill(wanted.slot, secret, self.slot(now));
        }
    }

    /// Counted from 1970, and from 1: the ring has 0 for nothing.
    fn slot(&self, now: UnixSeconds) -> u64 {
        now.0 / self.slot_s + 1
    }
}

impl SealsTickets for TicketKeys {
    fn seal(&self, session: &[u8], binding: &[u8], now: UnixSeconds) -> Option<Vec<u8>> {
        let keyring = self.keyrings.first()?;
        let slot = self.slot(now);
        let secret = keyring.to_seal(self.slot_s, slot)?;
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).ok()?;
        let mut ticket = Vec::with_capacity(SEALED_AT + session.len() + AES_256_GCM.tag_len());
        ticket.extend_from_slice(&keyring.name);
        ticket.extend_from_slice(&slot.to_be_bytes());
        ticket.extend_from_slice(&salt);
        ticket.extend_from_slice(&[0; NONCE_LEN]);
        ticket.extend_from_slice(session);
        let (nonce, tag) = key(&secret, &salt)?
            .seal_in_place_separate_tag(Aad::from(binding), &mut ticket[SEALED_AT..])
            .ok()?;
        ticket[HEAD_BYTES..SEALED_AT].copy_from_slice(nonce.as_ref());
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    fn open(&self, ticket: &[u8], binding: &[u8], now: UnixSeconds) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_BYTES>()?;
        let (sealed_in, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk::<SALT_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let sealed_in = u64::from_be_bytes(*sealed_in);
        let keyring = self.keyrings.iter().find(|keys| keys.name == *name)?;
        let current = self.slot(now);
        if sealed_in.abs_diff(current) > 1 {
            return None;
        }
        let secret = keyring.to_open(self.slot_s, sealed_in, current)?;
        let mut opened = sealed.to_vec();
        let length = key(&secret, salt)?
            .open_in_place(Nonce::from(nonce), Aad::from(binding), &mut opened)
            .ok()?
            .len();
        opened.truncate(length);
        Some(opened)
    }

    /// To the end of the next slot it is a slot at least, less what clocks of nodes may be apart.
    fn lifetime_s(&self) -> u32 {
        let certain = self.slot_s.saturating_sub(TICKET_CLOCKS_APART_S_MAX);
        u32::try_from(certain).unwrap_or(u32::MAX)
    }

    /// What the longest-lived ticket has.
    fn session_s_max(&self) -> u64 {
        SESSION_SLOTS_MAX.saturating_mul(self.slot_s)
    }
}

impl Keyring {
    /// By which its tickets say what they were sealed with.
    pub fn name(&self) -> [u8; NAME_BYTES] {
        self.name
    }

    /// None where another thread is about to make it.
    fn to_seal(&self, slot_s: u64, slot: u64) -> Option<SlotSecret> {
        if let Some(secret) = self.ring.read(slot) {
            return Some(secret);
        }
        match &self.source {
            Source::OfProcess => {
                let mut secret = Zeroizing::new([0; 32]);
                rand::fill(secret.as_mut_slice()).ok()?;
                self.ring.fill(slot, &secret, slot).then_some(secret)
            }
            Source::Shared(_) | Source::InToken => self.to_open(slot_s, slot, slot),
        }
    }

    fn to_open(&self, slot_s: u64, slot: u64, current: u64) -> Option<SlotSecret> {
        if let Some(secret) = self.ring.read(slot) {
            return Some(secret);
        }
        match &self.source {
            Source::OfProcess | Source::InToken => None,
            Source::Shared(shared) => {
                let secret = shared.slot_secret(slot_s, slot);
                self.ring.fill(slot, &secret, current);
                Some(secret)
            }
        }
    }
}

fn key(secret: &SlotSecret, salt: &[u8; SALT_BYTES]) -> Option<RandomizedNonceKey> {
    sealing_key(secret, KEY_LABEL, salt)
}

#[cfg(test)]
mod tests;
