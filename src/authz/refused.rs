//! Tokens that were refused of late, on one CPU. Whoever sends a bad one again and again has it
//! verified once; whoever sends ever new ones has no more of them verified in a second than their
//! budget, and takes no time from others.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};

use super::token::{TokenFault, VerifiedToken};
use crate::clock::UnixSeconds;
use crate::limits::{
    INTROSPECTIONS_IN_VAIN_PER_S_MAX, REFUSED_TOKENS_KEPT_S, REFUSED_TOKENS_MAX,
    TOKEN_FAILURES_PER_S_MAX, TOLD_IN_VAIN_PER_S_MAX,
};
use crate::peer::ClientIndex;

#[cfg(test)]
mod tests;

/// What a token is known by: SHA-256 over all of it. Nobody finds another token with the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Of a token as it was sent.
    pub fn of(token: &[u8]) -> Self {
        let digest = digest(&SHA256, token);
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 octets"))
    }
}

/// One CPU's.
pub struct RefusedTokens {
    /// Each has one place: the newest of those that share it is known.
    known: Vec<Option<Known>>,
    in_vain: Budget<TOKEN_FAILURES_PER_S_MAX>,
    /// Of tokens that their issuer calls good and that are good for nothing here.
    asked_in_vain: Budget<INTROSPECTIONS_IN_VAIN_PER_S_MAX>,
    /// Of tokens of others' that a resource server asks about.
    told_in_vain: Budget<TOLD_IN_VAIN_PER_S_MAX>,
}

/// What was done in vain for each client within a second, `MAX` of which each may have.
#[derive(Debug)]
pub struct Budget<const MAX: u32> {
    /// What `spent` is of.
    second: UnixSeconds,
    spent: HashMap<ClientIndex, u32>,
}

impl<const MAX: u32> Default for Budget<MAX> {
    fn default() -> Self {
        Self {
            second: UnixSeconds(0),
            spent: HashMap::new(),
        }
    }
}

impl<const MAX: u32> Budget<MAX> {
    /// Whether a client may have one more within this second.
    pub fn has_some(&self, client: ClientIndex, now: UnixSeconds) -> bool {
        let spent = self.spent.get(&client).copied().unwrap_or_default();
        self.second != now || spent < MAX
    }

    /// Notes that one was in vain.
    pub fn charge(&mut self, client: ClientIndex, now: UnixSeconds) {
        if self.second != now {
            self.second = now;
            self.spent.clear();
        }
        *self.spent.entry(client).or_default() += 1;
    }
}

/// Why a token was refused.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    Fault(TokenFault),
    /// It was revoked. It stays what it is otherwise, which needs no other verification.
    Revoked(Box<VerifiedToken>),
}

struct Known {
    digest: TokenDigest,
    refusal: Refusal,
    /// The last second in which that is believed.
    until: UnixSeconds,
}

impl Default for RefusedTokens {
    fn default() -> Self {
        Self {
            known: std::iter::repeat_with(|| None)
                .take(REFUSED_TOKENS_MAX)
                .collect(),
            in_vain: Budget::default(),
            asked_in_vain: Budget::default(),
            told_in_vain: Budget::default(),
        }
    }
}

impl RefusedTokens {
    /// Why this token was refused, if it was of late.
    pub fn lookup(&self, token: &TokenDigest, now: UnixSeconds) -> Option<&Refusal> {
        let known = self.known.get(place(token))?.as_ref()?;
        let still_is = known.digest == *token && now <= known.until;
        still_is.then_some(&known.refusal)
    }

    /// Whether a client may have one more token verified within this second.
    pub fn has_budget(&self, client: ClientIndex, now: UnixSeconds) -> bool {
        self.in_vain.has_some(client, now)
    }

    /// Notes that a client's token was refused. Only what takes a verification to find is charged
    /// and remembered, and only for as long as it stays so: what is not valid yet may be in
    /// the next second.
    pub fn note(
        &mut self,
        token: &TokenDigest,
        fault: TokenFault,
        client: ClientIndex,
        now: UnixSeconds,
    ) {
        if self.remember(token, fault, now) {
            self.charge(client, now);
        }
    }

    /// Notes that a token was refused, whoever brought it. Whether it took a verification.
    pub fn remember(&mut self, token: &TokenDigest, fault: TokenFault, now: UnixSeconds) -> bool {
        if !takes_verification(fault) {
            return false;
        }
        let end = match fault {
            TokenFault::NotYetValid | TokenFault::LivesTooLong => now,
            _ => UnixSeconds(u64::MAX),
        };
        self.enter(token, Refusal::Fault(fault), end, now);
        true
    }

    /// Notes that a token that a client has brought is revoked.
    pub fn note_revoked(
        &mut self,
        token: &TokenDigest,
        verified: VerifiedToken,
        client: ClientIndex,
        now: UnixSeconds,
    ) {
        self.charge(client, now);
        self.remember_revoked(token, verified, now);
    }

    /// Notes that a token is good in itself and yet not to be taken, whoever brought it.
    pub fn remember_revoked(
        &mut self,
        token: &TokenDigest,
        verified: VerifiedToken,
        now: UnixSeconds,
    ) {
        let end = verified.grant.valid_until;
        self.enter(token, Refusal::Revoked(Box::new(verified)), end, now);
    }

    /// Knows it for a while, and not beyond a moment.
    fn enter(&mut self, token: &TokenDigest, refusal: Refusal, end: UnixSeconds, now: UnixSeconds) {
        let until = UnixSeconds(now.0.saturating_add(REFUSED_TOKENS_KEPT_S));
        if let Some(slot) = self.known.get_mut(place(token)) {
            *slot = Some(Known {
                digest: *token,
                refusal,
                until: until.min(end),
            });
        }
    }

    /// Charges a client for a token of its that was verified and is good for nothing all the same.
    pub fn charge(&mut self, client: ClientIndex, now: UnixSeconds) {
        self.in_vain.charge(client, now);
    }

    /// Whether an issuer may be asked about one more token of a client within this second.
    pub fn has_questions(&self, client: ClientIndex, now: UnixSeconds) -> bool {
        self.asked_in_vain.has_some(client, now)
    }

    /// Charges a client for a question about a token that its issuer calls good, and that is good
    /// for nothing here.
    pub fn charge_question(&mut self, client: ClientIndex, now: UnixSeconds) {
        self.asked_in_vain.charge(client, now);
    }

    /// Whether a resource server may have one more token verified within this second.
    pub fn may_be_told(&self, client: ClientIndex, now: UnixSeconds) -> bool {
        self.told_in_vain.has_some(client, now)
    }

    /// Charges a resource server for a token that was verified and is not active.
    pub fn charge_told(&mut self, client: ClientIndex, now: UnixSeconds) {
        self.told_in_vain.charge(client, now);
    }

    /// Forgets them: keys and issuers may be others now. What was spent is spent.
    pub fn clear(&mut self) {
        self.known.fill_with(|| None);
    }
}

fn place(token: &TokenDigest) -> usize {
    let [a, b, c, d, ..] = token.0;
    u32::from_le_bytes([a, b, c, d]) as usize % REFUSED_TOKENS_MAX
}

/// Whether a fault is found behind the signature only, or is that of the signature itself. What is
/// found before costs little.
fn takes_verification(fault: TokenFault) -> bool {
    match fault {
        TokenFault::SignatureBad
        | TokenFault::ClaimMissing(_)
        | TokenFault::ClaimMalformed(_)
        | TokenFault::Audience
        | TokenFault::Expired
        | TokenFault::NotYetValid
        | TokenFault::LivesTooLong
        | TokenFault::NotBound => true,
        TokenFault::TooLong
        | TokenFault::Malformed
        | TokenFault::MalformedJson
        | TokenFault::DuplicateMember
        | TokenFault::HeaderMalformed
        | TokenFault::Type
        | TokenFault::CritUnknown
        | TokenFault::Compressed
        | TokenFault::AlgorithmRefused
        | TokenFault::IssuerUnknown
        | TokenFault::KeysUnknown
        | TokenFault::SomeKeysUnknown
        | TokenFault::KeyUnknown
        // Who introspects remembers these.
        | TokenFault::Inactive => false,
    }
}
