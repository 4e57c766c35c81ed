//! What is not taken any more although it is good in itself: tokens, the tokens of a client up to
//! some moment, certificates, issuers' keys.
//!
//! What comes in at the [`desk`] is in its store before it is acknowledged; what stands in the
//! operator's file is as good as the file. Either way it is looked up in memory, where a token or a
//! certificate is verified, and never for what a shard remembers: that goes by the client's
//! [`Generation`], which is another one from the moment that something is revoked. So a revocation
//! is in force on every shard and every connection with the next request. A certificate's is with
//! the next handshake: the connections that are open with it end when their shard looks next, as it
//! does every [`SWEEP_MS`](crate::limits::SWEEP_MS), and may be served until then.
//!
//! The order makes it so. Who revokes: the store, the set, the generation, the acknowledgement. Who
//! verifies: the generation, the set, the memory with that generation. Whatever was remembered
//! without seeing the revocation was remembered under a generation from before it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::clock::UnixSeconds;
use crate::limits::REVOKED_CLOCKS_APART_S;
use crate::peer::{Client, Thumbprint};

pub mod desk;
mod generation;
mod id;
mod set;
mod store;
mod written;

pub use generation::Generation;
pub use id::{Id, Kind};
pub use store::StoreFault;
pub use written::{Meant, Unmeant, Unread, Written, of_token};

use generation::Generations;
use set::Set;

#[cfg(test)]
mod tests;

/// What is known of one revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The last second at which it matters to anybody: the token or certificate has ended then.
    pub until: UnixSeconds,
    /// Of a client: tokens issued up to this second are refused. 0 for the other kinds.
    pub issued_until: UnixSeconds,
    /// Of a client: of tokens that do not say when they were issued, those are refused that end up
    /// to this second, because they may be of before. It is as it was when they were revoked,
    /// however long tokens may live since.
    pub undated_until: UnixSeconds,
}

/// It matters for ever: until it is taken back.
pub const FOR_EVER: UnixSeconds = UnixSeconds(u64::MAX);

impl Held {
    /// For all of it, up to when that matters.
    pub const fn all_of_it(until: UnixSeconds) -> Self {
        const NEVER: UnixSeconds = UnixSeconds(0);
        Self {
            until,
            issued_until: NEVER,
            undated_until: NEVER,
        }
    }

    /// Both at once: whichever holds longer.
    pub fn joined_with(self, other: Self) -> Self {
        Self {
            until: self.until.max(other.until),
            issued_until: self.issued_until.max(other.issued_until),
            undated_until: self.undated_until.max(other.undated_until),
        }
    }
}

/// One revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: Id,
    pub held: Held,
    /// When it was made.
    pub at: UnixSeconds,
    /// What an operator knows it by, where that is no secret: a `client_id`, issuer and `kid`.
    pub name: String,
}

/// A revocation, and whose tokens it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub entry: Entry,
    pub whose: Whose,
}

impl Revocation {
    /// Whether a client's tokens are to be refused that are issued later than any is by now,
    /// whatever clock that goes by.
    pub fn reaches_beyond(&self, now: UnixSeconds) -> bool {
        self.entry.held.issued_until.0 > now.0.saturating_add(REVOKED_CLOCKS_APART_S)
    }
}

/// Whose tokens are to be verified anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Nobody's: it is about a certificate.
    Nobody,
    /// Of the client with this `client_id`.
    Client(String),
    /// Perhaps anybody's.
    All,
}

/// A token as sent, and how its hash is taken.
#[derive(Clone, Copy)]
pub enum Form<'t> {
    /// A JWS.
    Signed(&'t [u8]),
    /// Octets that only its issuer understands.
    Opaque(&'t [u8]),
}

impl Form<'_> {
    /// What a revocation of this token is known by.
    pub fn id(self) -> Id {
        match self {
            Self::Signed(token) => Id::signed_token(token),
            Self::Opaque(token) => Id::opaque_token(token),
        }
    }
}

/// A token that has been verified, as far as it matters here.
#[derive(Clone, Copy)]
pub struct Presented<'t> {
    /// As sent.
    pub token: Form<'t>,
    /// Its `iss`.
    pub issuer: &'t str,
    /// Its `jti`; none where it has none.
    pub jti: Option<&'t str>,
    /// Of the client it was issued to.
    pub client_id: &'t str,
    /// The name of the key that verified it, empty for one without; none where no key has.
    pub kid: Option<&'t str>,
    /// Its `iat`; none where it does not say when it was issued.
    pub issued_at: Option<UnixSeconds>,
    /// The first second in which it may have been issued: none of its issuer's lives longer.
    pub issued_from: UnixSeconds,
    /// Its last second.
    pub ends: UnixSeconds,
}

impl Held {
    /// Whether a token of its client is refused, by when it was issued.
    fn reaches(&self, token: &Presented<'_>) -> bool {
        match token.issued_at {
            Some(at) => at <= self.issued_until,
            // By how long tokens live now, and by how long they lived then.
            None => token.issued_from <= self.issued_until || token.ends <= self.undated_until,
        }
    }
}

/// All that is revoked. Any thread may look it up, and waits for nobody.
#[derive(Default)]
pub struct Revoked {
    set: Set,
    of_file: ArcSwap<HashMap<Id, Held>>,
    generations: Generations,
    /// Changes whenever other certificates are revoked.
    certificates: AtomicU64,
}

impl std::fmt::Debug for Revoked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Revoked({} and {})", self.set.len(), self.of_file())
    }
}

impl Revoked {
    /// Why a token that holds in itself is not taken.
    pub fn token(&self, token: &Presented<'_>) -> Option<Kind> {
        let of_file = self.of_file.load();
        let held = |kind, id: &dyn Fn() -> Id| self.held(&of_file, kind, id);
        let key = |kid| held(Kind::IssuerKey, &|| Id::issuer_key(token.issuer, kid));
        if token.kid.and_then(key).is_some() {
            return Some(Kind::IssuerKey);
        }
        let client = held(Kind::Client, &|| Id::client(token.client_id));
        if client.is_some_and(|held| held.reaches(token)) {
            return Some(Kind::Client);
        }
        let jti = |jti| held(Kind::Jti, &|| Id::jti(token.issuer, jti));
        if token.jti.and_then(jti).is_some() {
            return Some(Kind::Jti);
        }
        held(Kind::Token, &|| token.token.id()).map(|_| Kind::Token)
    }

    /// Whether a certificate is revoked.
    pub fn certificate(&self, thumbprint: Thumbprint) -> bool {
        self.holds(Kind::Certificate, || Id::certificate(thumbprint))
    }

    /// Whether an issuer's key is revoked.
    pub fn issuer_key(&self, issuer: &str, kid: &str) -> bool {
        self.holds(Kind::IssuerKey, || Id::issuer_key(issuer, kid))
    }

    /// Which of a client's tokens are refused, where any are.
    pub fn of_client(&self, client_id: &str) -> Option<Held> {
        let id = || Id::client(client_id);
        self.held(&self.of_file.load(), Kind::Client, &id)
    }

    /// Changes whenever connections are to be held against the revoked certificates again.
    pub fn certificates_changed(&self) -> u64 {
        self.certificates.load(Ordering::Acquire)
    }

    /// The generations of these clients, in their order.
    pub fn generations(&self, clients: &[Client]) -> Box<[Arc<Generation>]> {
        let ids = clients.iter().map(|client| &client.client_id);
        ids.map(|id| self.generations.of(id)).collect()
    }

    /// Whether a client ever was configured since the start.
    pub fn knows_client(&self, client_id: &str) -> bool {
        self.generations.knows(client_id)
    }

    /// How many are in the store.
    pub fn count(&self, kind: Kind) -> usize {
        self.set.count(kind)
    }

    /// How many stand in the operator's file.
    pub fn of_file(&self) -> usize {
        self.of_file.load().len()
    }

    /// Takes what stands in the operator's file now, in the place of what stood in it before: those
    /// that came by it, and how many are gone.
    pub fn take_file<'r>(&self, revocations: &'r [Revocation]) -> (Vec<&'r Entry>, usize) {
        let mut next: HashMap<Id, Held> = HashMap::with_capacity(revocations.len());
        for Revocation { entry, .. } in revocations {
            let held = next.entry(entry.id).or_insert(entry.held);
            *held = held.joined_with(entry.held);
        }
        let before = self.of_file.load_full();
        let entries = revocations.iter().map(|revocation| &revocation.entry);
        let came = entries.filter(|entry| !before.contains_key(&entry.id));
        let gone = before.keys().filter(|id| !next.contains_key(id)).count();
        let is_same = *before == next;
        if !is_same {
            self.of_file.store(Arc::new(next));
            self.generations.bump_all();
            self.certificates.fetch_add(1, Ordering::Release);
        }
        (came.collect(), gone)
    }

    /// Enters what the store holds, before anybody is served.
    fn fill(&self, entries: impl IntoIterator<Item = Entry>) {
        let held = entries.into_iter();
        self.set
            .change(held.map(|entry| (entry.id, Some(entry.held))));
        self.generations.bump_all();
        self.certificates.fetch_add(1, Ordering::Release);
    }

    /// Puts into force what is in the store.
    fn apply(&self, changes: &[(Id, Option<Held>)], whose: &[Whose]) {
        self.set.change(changes.iter().copied());
        if whose.contains(&Whose::All) {
            self.generations.bump_all();
        } else {
            for whose in whose {
                if let Whose::Client(client_id) = whose {
                    self.generations.bump(client_id);
                }
            }
        }
        if changes.iter().any(|(id, _)| id.kind() == Kind::Certificate) {
            self.certificates.fetch_add(1, Ordering::Release);
        }
    }

    fn holds(&self, kind: Kind, id: impl Fn() -> Id) -> bool {
        self.held(&self.of_file.load(), kind, &id).is_some()
    }

    /// Nothing is hashed to look for what nobody has revoked.
    fn held(&self, of_file: &HashMap<Id, Held>, kind: Kind, id: &dyn Fn() -> Id) -> Option<Held> {
        if self.set.count(kind) == 0 && of_file.is_empty() {
            return None;
        }
        let id = id();
        match (self.set.get(id), of_file.get(&id)) {
            (Some(one), Some(other)) => Some(one.joined_with(*other)),
            (one, other) => one.or(other.copied()),
        }
    }
}
