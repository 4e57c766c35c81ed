//! Verified tokens, remembered: a connection's last one, and those of one CPU. A token is found by
//! comparing all of it; a hash only says where to look.
//!
//! The comparisons take a time that depends on the bytes. That tells nothing worth having: a token
//! is bound to a certificate (`cnf`), and without that certificate's key it opens nothing.

use std::cell::Cell;
use std::sync::Arc;

use super::details::{Gives, LimitedRights};
use super::token::{Grant, VerifiedToken};
use crate::clock::UnixSeconds;
use crate::limits::TOKEN_BYTES_MAX;
use crate::peer::ClientIndex;

#[cfg(test)]
mod tests;

/// Entries with the same place: a lookup compares with so many at most.
const WAYS: usize = 4;
/// How much of a token's end is hashed. That is the signature, which differs from token to token;
/// more would cost more and tell no more.
const HASHED_BYTES: usize = 64;

/// What a token gave when it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedGrant {
    /// The client its `client_id` names.
    pub client: ClientIndex,
    pub grant: Grant,
    /// The client's generation before it was asked whether the token is revoked: it holds as long
    /// as that is the same.
    pub generation: u64,
    /// What it gives with some UEs, groups, event types or ports only, or of single operations.
    pub limited: Option<Arc<LimitedRights>>,
}

impl CachedGrant {
    /// All that it gives.
    pub fn gives(&self) -> Gives<'_> {
        Gives {
            rights: self.grant.rights,
            limited: self.limited.as_deref(),
        }
    }
}

/// The tokens of one CPU. Its size is fixed: a new token takes the place of an expired one, else
/// of one not used lately, else of the oldest, among the few that share its place.
pub struct TokenCache {
    sets: Vec<[Option<Entry>; WAYS]>,
    /// From random bytes: which tokens share a place cannot be foretold from outside.
    key: [u64; 2],
    inserted: u64,
    held: usize,
    evicted: u64,
}

struct Entry {
    hash: u64,
    token: Box<[u8]>,
    cached: CachedGrant,
    /// What its issuer said of it, where that was asked: to ask again would take the issuer.
    answer: Option<Box<VerifiedToken>>,
    /// The cache's count of insertions at this one's.
    age: u64,
    /// Found since another entry last came to its set.
    used: Cell<bool>,
}

impl TokenCache {
    /// A cache of at most `entries_max` tokens: rounded down to a power of two, and no less
    /// than 4. Fails where the system has no random bytes to give.
    pub fn new(entries_max: usize) -> Result<Self, String> {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_| "no random bytes for the token cache: check the system's entropy")?;
        let random = u128::from_ne_bytes(random);
        let sets = 1 << (entries_max / WAYS).max(1).ilog2();
        Ok(Self {
            sets: std::iter::repeat_with(|| [const { None }; WAYS])
                .take(sets)
                .collect(),
            // Odd, so that a multiplication by it loses no bits.
            key: [random as u64, (random >> 64) as u64 | 1],
            inserted: 0,
            held: 0,
            evicted: 0,
        })
    }

    /// What `token` gave, if it is remembered and valid at `now`. Allocates nothing.
    pub fn lookup(&self, token: &[u8], now: UnixSeconds) -> Option<&CachedGrant> {
        let hash = self.hash(token);
        let set = self.sets.get(self.place(hash))?;
        let entry = set.iter().flatten().find(|entry| entry.is(hash, token))?;
        if !entry.cached.grant.valid_at(now) {
            return None;
        }
        if !entry.used.get() {
            entry.used.set(true);
        }
        Some(&entry.cached)
    }

    /// Remembers a verified token; what was remembered of the same token is replaced. Allocates
    /// its copy of the token. One longer than a token may be is not remembered.
    pub fn insert(&mut self, token: &[u8], cached: CachedGrant, now: UnixSeconds) {
        self.enter(token, cached, None, now);
    }

    /// The same of an opaque token, and what its issuer said of it.
    pub fn insert_answered(
        &mut self,
        token: &[u8],
        cached: CachedGrant,
        answer: &VerifiedToken,
        now: UnixSeconds,
    ) {
        self.enter(token, cached, Some(Box::new(answer.clone())), now);
    }

    /// What the issuer of an opaque token said of it, if that is remembered and valid at `now`. It
    /// stays as it is whatever has been revoked here since.
    pub fn answer(&self, token: &[u8], now: UnixSeconds) -> Option<VerifiedToken> {
        let hash = self.hash(token);
        let set = self.sets.get(self.place(hash))?;
        let entry = set.iter().flatten().find(|entry| entry.is(hash, token))?;
        let answer = entry.answer.as_deref();
        answer.filter(|said| said.grant.valid_at(now)).cloned()
    }

    fn enter(
        &mut self,
        token: &[u8],
        cached: CachedGrant,
        answer: Option<Box<VerifiedToken>>,
        now: UnixSeconds,
    ) {
        if token.len() > TOKEN_BYTES_MAX {
            return;
        }
        let hash = self.hash(token);
        let place = self.place(hash);
        let Some(set) = self.sets.get_mut(place) else {
            return;
        };
        self.inserted += 1;
        let age = self.inserted;
        if let Some(entry) = set.iter_mut().flatten().find(|entry| entry.is(hash, token)) {
            (entry.cached, entry.answer, entry.age) = (cached, answer, age);
            return;
        }
        let victim = set
            .iter_mut()
            .min_by_key(|slot| Entry::worth(slot.as_ref(), now));
        if let Some(slot) = victim {
            match slot {
                None => self.held += 1,
                Some(other) => {
                    let valid = now <= other.cached.grant.valid_until;
                    self.evicted += u64::from(valid);
                }
            }
            let (token, used) = (token.into(), Cell::new(false));
            *slot = Some(Entry {
                hash,
                token,
                cached,
                answer,
                age,
                used,
            });
        }
        // The others have to be found again to be kept over the next newcomer.
        set.iter().flatten().for_each(|entry| entry.used.set(false));
    }

    /// How many tokens are remembered, expired ones included.
    pub fn len(&self) -> usize {
        self.held
    }

    /// How many were forgotten for others while they were valid still.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Forgets all tokens: what they gave may no longer hold.
    pub fn clear(&mut self) {
        self.sets.fill_with(|| [const { None }; WAYS]);
        self.held = 0;
    }

    /// Forgets those that say themselves what they give: the key that verified one may be gone.
    /// What an issuer said of the others no key has to do with.
    pub fn forget_signed(&mut self) {
        for slot in self.sets.iter_mut().flatten() {
            if slot.as_ref().is_some_and(|entry| entry.answer.is_none()) {
                *slot = None;
                self.held -= 1;
            }
        }
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most tokens that can be remembered.
    pub fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    fn place(&self, hash: u64) -> usize {
        // The sets are a power of two.
        hash as usize & (self.sets.len() - 1)
    }

    /// Multiplies and folds eight bytes at a time. Only tokens that an issuer has signed, sealed or
    /// called active are ever put in, so it has to spread them, not to withstand a forger: where an
    /// issuer's opaque tokens end alike, they are of one set and displace one another.
    fn hash(&self, token: &[u8]) -> u64 {
        let tail = token
            .get(token.len().saturating_sub(HASHED_BYTES)..)
            .unwrap_or_default();
        let mix = |hash: u64, word: u64| {
            let product = u128::from(hash ^ word) * u128::from(self.key[1]);
            (product as u64) ^ (product >> 64) as u64
        };
        let (words, rest) = tail.as_chunks::<8>();
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let hash = mix(self.key[0], token.len() as u64);
        let hash = words
            .iter()
            .fold(hash, |hash, word| mix(hash, u64::from_le_bytes(*word)));
        mix(hash, u64::from_le_bytes(last))
    }
}

impl Entry {
    fn is(&self, hash: u64, token: &[u8]) -> bool {
        self.hash == hash && *self.token == *token
    }

    /// The least worth goes first: an empty slot, then expired, then unused, then the oldest.
    fn worth(slot: Option<&Self>, now: UnixSeconds) -> (u8, u64) {
        match slot {
            None => (0, 0),
            Some(entry) if entry.cached.grant.valid_until < now => (1, entry.age),
            Some(entry) if !entry.used.get() => (2, entry.age),
            Some(entry) => (3, entry.age),
        }
    }
}

/// A connection's last token: most connections send the same one with every request.
#[derive(Default)]
pub struct Memo {
    token: Vec<u8>,
    cached: Option<CachedGrant>,
}

impl Memo {
    /// What `token` gave, if it is the last one and valid at `now`.
    pub fn lookup(&self, token: &[u8], now: UnixSeconds) -> Option<&CachedGrant> {
        self.cached
            .as_ref()
            .filter(|cached| cached.grant.valid_at(now) && self.token == token)
    }

    /// Remembers `token` in place of the last one. Allocates only for one longer than any before.
    pub fn set(&mut self, token: &[u8], cached: CachedGrant) {
        // One longer than a token may be is not worth the memory of a connection.
        self.cached = (token.len() <= TOKEN_BYTES_MAX).then_some(cached);
        self.token.clear();
        if self.cached.is_some() {
            self.token.extend_from_slice(token);
        }
    }

    /// The last token, and what it gave when it was looked up.
    pub fn last(&self) -> Option<(&[u8], &CachedGrant)> {
        let cached = self.cached.as_ref()?;
        Some((&self.token, cached))
    }

    /// Forgets it: what it gave may no longer hold.
    pub fn clear(&mut self) {
        self.token.clear();
        self.cached = None;
    }
}
