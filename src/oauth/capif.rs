//! Tokens in CAPIF's form (TS 29.222, TS 33.122 Annex C): clients that speak CAPIF fetch them where
//! a CAPIF core has them fetched, and the gateway takes them as tokens of such a core.
//!
//! They are signed with a key of their own, which signs nothing else and is published nowhere: the
//! scope names one AEF, this gateway, which knows the key. In the issuer's key set it would verify
//! tokens of RFC 9068 wherever that set is believed.

use std::sync::Arc;

use hsm::SignFault;
use serde::Serialize;

use super::form::Form;
use super::metadata::PublicJwk;
use super::mint::{self, Confirmation};
use super::{Caller, Endpoint, Grant, GrantFault, Issuer, IssuerFault, Minted, TokenKey};
use crate::authz::issuers::{IssuerRules, KeySet, Profile};
use crate::authz::keys::Keys;
use crate::authz::scope;
use crate::clock::{Nanos, UnixSeconds};

/// Where tokens in CAPIF's form are fetched, by POST; the segment in braces is the client's.
pub const CAPIF_TOKEN_PATH: &str = "/capif-security/v1/securities/{securityId}/token";
/// Its parts, by which it is found without a search: every request is looked at.
const BEFORE_ID: &str = "/capif-security/v1/securities/";
const BEHIND_ID: &str = "/token";
/// Stands for the client in it.
pub(super) const SECURITY_ID: &str = "{securityId}";

/// What is needed to issue them.
pub(super) struct Capif {
    /// What the gateway's configuration and revocations call the issuer of these tokens, which do
    /// not name it themselves.
    pub(super) name: String,
    pub(super) key: Arc<TokenKey>,
    aef_id: String,
    /// The JOSE header of every token, in base64url.
    header: String,
}

#[derive(Serialize)]
struct Claims<'g> {
    //= TS 29.222 clause 8.5.4.2.8
    //# iss names the invoker.
    iss: &'g str,
    //= TS 33.122 clause C.2
    //# client_id is the invoker, and exp, client_id and scope are there.
    client_id: &'g str,
    scope: &'g str,
    iat: u64,
    exp: u64,
    jti: String,
    cnf: Confirmation,
}

/// The `{securityId}` of a path, as sent; none of any other path.
pub fn security_id(path: &str) -> Option<&str> {
    let id = path.strip_prefix(BEFORE_ID)?.strip_suffix(BEHIND_ID)?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

impl Capif {
    /// Signs the token of a grant. Waits for a key in a token.
    pub(super) fn mint(
        &self,
        grant: &Grant,
        lifetime_s: u64,
        now: UnixSeconds,
    ) -> Result<Minted, SignFault> {
        let scope = scope::capif_value(grant.rights(), &self.aef_id);
        let claims = mint::json(&Claims {
            iss: grant.client_id(),
            client_id: grant.client_id(),
            scope: &scope,
            iat: now.0,
            exp: now.0.saturating_add(lifetime_s),
            jti: mint::unguessable()?,
            cnf: Confirmation::of(grant.thumbprint()),
        });
        let began = Nanos::now();
        let token = self.key.jws(&self.header, &claims)?;
        let signed_ns = Nanos::now().since(began);
        Ok(Minted {
            json: mint::response(&token, lifetime_s, &scope, &[]),
            issued_at: now,
            signed_ns,
        })
    }
}

impl Issuer {
    /// The same, which issues tokens in CAPIF's form as well, signed by this key, for the APIs of
    /// this gateway under the name it has in their scope.
    ///
    /// # Errors
    /// The key signs other tokens of the issuer, or did, or is to.
    //= RFC 8725 section 3.12
    //# Tokens of two kinds are told apart by their keys.
    pub fn with_capif(mut self, aef_id: String, key: Arc<TokenKey>) -> Result<Self, IssuerFault> {
        if self.keys.has(key.kid()) {
            return Err(IssuerFault {
                client: None,
                what: "the key of [oauth.capif] is one of the other keys of [oauth]".to_owned(),
                cure: "make a key pair for [oauth.capif] alone: what verifies tokens of one kind \
                       must not verify those of the other"
                    .to_owned(),
                lasts: true,
            });
        }
        self.capif = Some(Capif {
            name: format!("{}/capif-security/v1", self.name),
            header: mint::header(key.public(), "JWT"),
            aef_id,
            key,
        });
        Ok(self)
    }

    /// What the gateway must know to take these tokens, where it issues any.
    ///
    /// # Errors
    /// In words: the AEF has no name.
    pub fn capif_rules(&self) -> Result<Option<IssuerRules>, String> {
        #[derive(Serialize)]
        struct Set<'k> {
            keys: [&'k PublicJwk; 1],
        }
        let Some(capif) = &self.capif else {
            return Ok(None);
        };
        let keys = [capif.key.public()];
        let keys = KeySet::of(Keys::from_jwks(&mint::json(&Set { keys }))?);
        let aef_id = capif.aef_id.clone();
        let rules = IssuerRules::new(capif.name.clone(), Profile::Capif { aef_id }, keys)?;
        Ok(Some(rules.dated()))
    }

    /// Decides on a request for a token in CAPIF's form, posted to the path of `security_id`, as
    /// [`Issuer::decide`] does for others.
    ///
    /// # Errors
    /// Those of [`Issuer::decide`]; the path is another client's; a resource owner is named.
    //= TS 33.122 clause C.3.2
    //# The client authenticates, and says its client_id and client_credentials.
    pub fn decide_for_capif(
        &self,
        form: &[u8],
        security_id: &str,
        caller: &Caller<'_>,
        now: UnixSeconds,
    ) -> Result<Grant, GrantFault> {
        let capif = self.capif.as_ref().ok_or(GrantFault::ClientUnregistered)?;
        let form = Form::read(form)?;
        let registered = self.authenticated(&form, caller, Endpoint::Capif, now)?;
        if security_id != caller.client.client_id {
            return Err(GrantFault::SecurityIdForeign);
        }
        super::grant::check_type(&form)?;
        // Passed over, they would make a token of what a resource owner was to agree to.
        if form.value("resOwnerId").is_some() || form.value("authCode").is_some() {
            return Err(GrantFault::ResourceOwnerUnsupported);
        }
        // A token of this form has no word for less than an API: passed over, they would have it
        // grant more than was asked for.
        if form.value("authorization_details").is_some() {
            return Err(GrantFault::DetailsRefused);
        }
        // CAPIF has no word for half of an API: who may have one half has no token for the whole.
        let held = registered.rights.whole();
        if held.is_empty() {
            return Err(GrantFault::ClientUnregistered);
        }
        //= TS 29.222 clause 8.5.4.2.6
        //# What is granted is so much of the scope asked for as the client may have here; AEFs that
        //# are others are none of this issuer's.
        let rights = match form.value("scope") {
            None => held,
            Some(asked) => {
                let asked = scope::capif_rights(asked, &capif.aef_id);
                let asked = asked.map_err(|_| GrantFault::ScopeMalformed)?;
                asked.unwrap_or_default().within(held)
            }
        };
        if rights.is_empty() {
            return Err(GrantFault::ScopeUnregistered);
        }
        Ok(Grant::for_capif(caller, rights))
    }
}
