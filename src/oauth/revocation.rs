//! Tokens that clients have no use for any more, or fear for (RFC 7009): of whichever issuer they
//! are that is taken here.

use super::form::Form;
use super::{Caller, Endpoint, GrantFault, Issuer};
use crate::authz::introspection;
use crate::authz::issuers::{Issuers, Profile};
use crate::authz::token::{self, TokenFault, VerifiedToken};
use crate::clock::UnixSeconds;

impl Issuer {
    /// Which token a client wants to end by its `form` (the body, as sent): what `named` makes of
    /// it, verified or, where nobody but its issuer can say what it is, not; none where there is
    /// nothing to end. `issuers` verify the token as they do a request's. Signs nothing: cheap
    /// enough for a shard.
    ///
    /// # Errors
    /// The client does not authenticate, or names no token, or another client's, or one that is
    /// not taken here yet, because its key is not known.
    //= RFC 7009 section 2.1
    //# The client authenticates as it does for a token, before anything is said of the one it
    //# names.
    pub fn revocable<T>(
        &self,
        form: &[u8],
        caller: &Caller<'_>,
        issuers: &Issuers,
        now: UnixSeconds,
        named: impl FnOnce(&[u8], Option<VerifiedToken>) -> T,
    ) -> Result<Option<T>, GrantFault> {
        let form = Form::read(form)?;
        self.authenticated(&form, caller, Endpoint::Revocation, now)?;
        //= RFC 7009 section 2.2
        //# A hint of the token's type is passed over: all that is taken here are access tokens,
        //# and of no other type is one ever refused as not supported (section 2.2.1).
        let token = form.value("token").ok_or(GrantFault::TokenMissing)?;
        let token = token.as_bytes();
        let verified = match token::verify_untimed(token, issuers) {
            Ok(verified) if verified.grant.valid_until < now => return Ok(None),
            // One that is not valid yet will be: said to be gone, it would come back.
            Ok(verified) => verified,
            //= RFC 7009 section 2.2.1
            //# Other nodes may have the key or secret that is not known here, and this one may
            //# have it again: by 503 the client knows that its token is still there.
            Err(TokenFault::KeyUnknown | TokenFault::KeysUnknown | TokenFault::SomeKeysUnknown)
                if may_be_taken(token, caller, issuers, now) =>
            {
                return Err(GrantFault::TokenKeyUnknown);
            }
            Err(TokenFault::Malformed)
                if introspection::is_opaque(token)
                    && introspection::is_b64token(token)
                    && !issuers.have_sealed(token) =>
            {
                return Ok(Some(named(token, None)));
            }
            //= RFC 7009 section 2.2
            //# There is nothing to do about a token that is no good, and nothing wrong with
            //# asking.
            Err(_) => return Ok(None),
        };
        issued_to(caller, &verified)?;
        Ok(Some(named(token, Some(verified))))
    }
}

/// Whether a token is the client's that wants it to end.
///
/// # Errors
/// It is another's.
//= RFC 7009 section 2.1
//# A token that was issued to another client is not touched, and the client told so.
pub fn issued_to(caller: &Caller<'_>, verified: &VerifiedToken) -> Result<(), GrantFault> {
    match verified.client_id == caller.client.client_id {
        true => Ok(()),
        false => Err(GrantFault::TokenForeign),
    }
}

/// Whether a token says that it is of one of these issuers, of which that cannot be found out. In
/// CAPIF's form it names the client, there or in the issuer's place.
fn may_be_taken(token: &[u8], caller: &Caller<'_>, issuers: &Issuers, now: UnixSeconds) -> bool {
    let names = |claims: &[&str], name: &str| token::names(token, claims, name, issuers, now);
    { issuers.iter() }.any(|rules| match rules.profile() {
        Profile::Capif { .. } => names(&["iss", "client_id"], &caller.client.client_id),
        Profile::Rfc9068 { .. } | Profile::Custom(_) => names(&["iss"], rules.name()),
    })
}
