//! Assertions by which clients authenticate (RFC 7523): JWTs that a client signs with a key of its
//! own, read by the same rules as access tokens.

use super::json::{self, Object};
use super::keys::Keys;
use super::token::{self, Claim, Header, LEEWAY_S, Parts, TokenFault};
use crate::clock::UnixSeconds;
use crate::limits::{ASSERTION_LIFETIME_S_MAX, TOKEN_BYTES_MAX};

#[cfg(test)]
mod tests;

/// The `typ` of an assertion, which may be left out. That of an access token is not among them: no
/// token that a client holds passes for an assertion of it.
const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];

/// What of an assertion that holds is left to do: to see that it is used once.
#[derive(Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Its name among the client's assertions.
    pub jti: String,
    /// The last second in which it would be taken.
    pub valid_until: UnixSeconds,
}

/// Why an assertion is not taken. None of them holds a byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssertionFault {
    /// No JWS of a JSON object, a header that cannot be relied on, or a claim of the wrong type.
    Malformed,
    /// No key of the client is named so, or it is for another algorithm.
    KeyUnknown,
    SignatureBad,
    /// `iss` or `sub` is missing or is not the client.
    NotTheClient,
    /// `aud` is missing or names neither the issuer nor its endpoint.
    Audience,
    /// `exp` is past.
    Expired,
    /// Before `nbf`, or `iat` lies in the future.
    NotYetValid,
    /// `exp` is missing or further away than [`ASSERTION_LIFETIME_S_MAX`].
    LivesTooLong,
    JtiMissing,
}

impl AssertionFault {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Malformed,
        Self::KeyUnknown,
        Self::SignatureBad,
        Self::NotTheClient,
        Self::Audience,
        Self::Expired,
        Self::NotYetValid,
        Self::LivesTooLong,
        Self::JtiMissing,
    ];
}

impl From<TokenFault> for AssertionFault {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::KeyUnknown | TokenFault::AlgorithmRefused => Self::KeyUnknown,
            TokenFault::SignatureBad => Self::SignatureBad,
            TokenFault::ClaimMissing(Claim::Iss | Claim::Sub) => Self::NotTheClient,
            TokenFault::ClaimMissing(Claim::Jti) => Self::JtiMissing,
            _ => Self::Malformed,
        }
    }
}

/// Verifies an assertion as received: that the client with these keys and this name made it, for
/// one of `audiences`, for now and not for long.
//= RFC 7523 section 3
//# Issuer and subject are the client, the audience is the issuer, exp bounds it, and the signature
//# is the client's.
pub fn verify(
    assertion: &[u8],
    keys: &Keys,
    client_id: &str,
    audiences: &[&str],
    now: UnixSeconds,
) -> Result<Assertion, AssertionFault> {
    if assertion.len() > TOKEN_BYTES_MAX {
        return Err(AssertionFault::Malformed);
    }
    let parts = Parts::of(assertion)?;
    let header = Header::read(&parts.header)?;
    let known = |kind: &str| TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind));
    if header.kind.as_deref().is_some_and(|kind| !known(kind)) {
        return Err(AssertionFault::Malformed);
    }
    let claims = json::object(&parts.claims).map_err(TokenFault::from)?;
    let key = keys.pick(header.kid.as_deref(), header.algorithm)?;
    key.verify(parts.signed, &parts.signature)?;
    //= RFC 7523 section 3
    //# Where a client authenticates, iss and sub are both its client_id.
    for (name, claim) in [("iss", Claim::Iss), ("sub", Claim::Sub)] {
        if token::text(&claims, name, claim)? != client_id {
            return Err(AssertionFault::NotTheClient);
        }
    }
    let for_us = |audience: &&str| token::require_audience(&claims, audience).is_ok();
    if !audiences.iter().any(for_us) {
        return Err(AssertionFault::Audience);
    }
    let valid_until = timely(&claims, now)?;
    let jti = token::text(&claims, "jti", Claim::Jti)?.to_owned();
    Ok(Assertion { jti, valid_until })
}

/// The last second of an assertion that is valid now.
fn timely(claims: &Object, now: UnixSeconds) -> Result<UnixSeconds, AssertionFault> {
    let date = |name, claim| token::date(claims, name, claim);
    let exp = date("exp", Claim::Exp)?.ok_or(AssertionFault::LivesTooLong)?;
    // At exp itself it is expired.
    let valid_until = UnixSeconds(exp.floor.saturating_add(LEEWAY_S).saturating_sub(1));
    if now > valid_until {
        return Err(AssertionFault::Expired);
    }
    //= RFC 7523 section 3
    //# An exp that is unreasonably far away is refused: its jti would have to be known as long.
    if exp.ceil > now.0.saturating_add(ASSERTION_LIFETIME_S_MAX + LEEWAY_S) {
        return Err(AssertionFault::LivesTooLong);
    }
    let begins = [date("nbf", Claim::Nbf)?, date("iat", Claim::Iat)?];
    let early = |begin: &token::Date| begin.ceil > now.0.saturating_add(LEEWAY_S);
    match begins.iter().flatten().any(early) {
        true => Err(AssertionFault::NotYetValid),
        false => Ok(valid_until),
    }
}
