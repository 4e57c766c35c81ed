//! What a token is worth, for resource servers that ask (RFC 7662).

use serde_json::{Map, Value};

use super::form::Form;
use super::{Caller, Endpoint, GrantFault, Issuer};
use crate::authz::issuers::Issuers;
use crate::authz::token::{self, VerifiedToken};
use crate::clock::UnixSeconds;

/// What is told of a token that opens nothing, whatever the reason.
//= RFC 7662 section 2.2
//# Of a token that is not active nothing else is said.
pub const INACTIVE: &[u8] = b"{\"active\":false}";

/// The claims that are told.
const TOLD: [&str; 11] = [
    "scope",
    "client_id",
    "exp",
    "iat",
    "nbf",
    "sub",
    "aud",
    "iss",
    "jti",
    "cnf",
    "authorization_details",
];

impl Issuer {
    /// Answers a question about a token by its `form` (the body, as sent) and who sends it.
    /// `verify` verifies the token as it does a request's, by `issuers`; `in_force` says whether it
    /// still holds for all that happened since it was issued. Signs nothing: cheap enough for a
    /// shard.
    ///
    /// # Errors
    /// The client does not authenticate, or is not one that introspects, or names no token.
    //= RFC 7662 section 2.1
    //# Who asks about a token must authenticate, so that nobody goes fishing for tokens.
    pub fn introspect(
        &self,
        form: &[u8],
        caller: &Caller<'_>,
        issuers: &Issuers,
        verify: impl FnOnce(&[u8]) -> Option<VerifiedToken>,
        in_force: impl Fn(&[u8], &VerifiedToken) -> bool,
        now: UnixSeconds,
    ) -> Result<Vec<u8>, GrantFault> {
        let form = Form::read(form)?;
        let registered = self.authenticated(&form, caller, Endpoint::Introspection, now)?;
        if !registered.introspects {
            return Err(GrantFault::IntrospectionUnregistered);
        }
        //= RFC 7662 section 2.1
        //# The token is in the form; a hint of its type may be passed over.
        let token = form.value("token").ok_or(GrantFault::TokenMissing)?;
        //= RFC 7662 section 4
        //# All that makes a token valid is checked: signature, times, revocation.
        let held = verify(token.as_bytes())
            .filter(|verified| self.has_issued(verified) && in_force(token.as_bytes(), verified));
        let active = held.and_then(|_| active(&token::claims(token.as_bytes(), issuers)?, now));
        Ok(active.unwrap_or_else(|| INACTIVE.to_vec()))
    }
}

/// What is told of a verified token by its claims; none where it is past its end by this machine's
/// clock.
fn active(claims: &[u8], now: UnixSeconds) -> Option<Vec<u8>> {
    let mut claims: Map<String, Value> = serde_json::from_slice(claims).ok()?;
    // No leeway: that is for a clock of somebody else's.
    if claims.get("exp")?.as_u64()? <= now.0 {
        return None;
    }
    let told = TOLD.iter().filter_map(|name| claims.remove_entry(*name));
    let said = [("active", true.into()), ("token_type", "Bearer".into())];
    let said = said.map(|(name, value): (&str, Value)| (name.to_owned(), value));
    let told: Map<String, Value> = said.into_iter().chain(told).collect();
    serde_json::to_vec(&told).ok()
}
