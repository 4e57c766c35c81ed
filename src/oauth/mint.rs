//! The token of a grant, signed or sealed, and the response that carries it.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hsm::SignFault;
use serde::Serialize;

use super::metadata::PublicJwk;
use super::{Grant, Issuer};
use crate::authz::details::Access;
use crate::authz::scope::Rights;
use crate::clock::{Nanos, UnixSeconds};
use crate::peer::Thumbprint;

/// What a token is told apart by. RFC 6749 section 10.10 asks for 128 bits and wishes for 160.
const JTI_BYTES: usize = 20;

/// A token, made.
pub struct Minted {
    /// The whole body of the response, `application/json`; it must not be stored on its way
    /// (`Cache-Control: no-store`).
    pub json: Vec<u8>,
    /// Its `iat`.
    pub issued_at: UnixSeconds,
    /// How long the signature took, or the sealing, in nanoseconds.
    pub signed_ns: u64,
}

/// Never the token.
impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minted")
            .field("signed_ns", &self.signed_ns)
            .finish_non_exhaustive()
    }
}

/// The JOSE header of every token that a key signs, in base64url.
//= RFC 9068 section 2.1
//# The header says that this is an access token.
pub fn header(key: &PublicJwk, typ: &'static str) -> String {
    #[derive(Serialize)]
    struct Header<'k> {
        typ: &'static str,
        alg: &'static str,
        kid: &'k str,
    }
    URL_SAFE_NO_PAD.encode(json(&Header {
        typ,
        alg: key.alg(),
        kid: key.kid(),
    }))
}

#[derive(Serialize)]
struct Claims<'g> {
    iss: &'g str,
    // With this grant the client speaks for itself: the subject is the client.
    sub: &'g str,
    aud: &'g str,
    client_id: &'g str,
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: String,
    // An empty one would be malformed.
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'g str,
    #[serde(skip_serializing_if = "<[Access]>::is_empty")]
    authorization_details: &'g [Access],
    cnf: Confirmation,
}

#[derive(Serialize)]
pub(super) struct Confirmation {
    #[serde(rename = "x5t#S256")]
    thumbprint: String,
}

impl Confirmation {
    //= RFC 8705 section 3.1
    //# The certificate is named by its SHA-256 in the member x5t#S256 of cnf.
    pub(super) fn of(thumbprint: Thumbprint) -> Self {
        let thumbprint = URL_SAFE_NO_PAD.encode(thumbprint.0);
        Self { thumbprint }
    }
}

impl Issuer {
    /// Signs or seals the token of a grant, issued at `now`. Waits for a key in a token
    /// ([`Issuer::waits_for_token`]): never call it on a shard then.
    ///
    /// # Errors
    /// The key's. `Refused` also where the system has no random numbers.
    pub fn mint(&self, grant: &Grant, now: UnixSeconds) -> Result<Minted, SignFault> {
        self.mint_for(grant, Duration::from_secs(self.lifetime_s), now)
    }

    /// The same for a token that lives for other whole seconds.
    ///
    /// # Errors
    /// As of [`Issuer::mint`].
    pub fn mint_for(
        &self,
        grant: &Grant,
        lifetime: Duration,
        now: UnixSeconds,
    ) -> Result<Minted, SignFault> {
        let lifetime_s = lifetime.as_secs();
        if let Some(capif) = self.capif_of(grant) {
            return capif.mint(grant, lifetime_s, now);
        }
        let scope = scope(grant.scope());
        let jti = unguessable()?;
        //= RFC 9068 section 2.2
        //# iss, exp, aud, sub, client_id, iat and jti are in every token.
        let claims = json(&Claims {
            iss: &self.name,
            sub: grant.client_id(),
            aud: &self.audience,
            client_id: grant.client_id(),
            iat: now.0,
            nbf: now.0,
            exp: now.0.saturating_add(lifetime_s),
            jti,
            //= RFC 9068 section 2.2.3
            //# What was granted is in the scope claim.
            scope: &scope,
            //= RFC 9396 section 9.1
            //# Details that were granted are in a claim of the same name.
            authorization_details: grant.details(),
            cnf: Confirmation::of(grant.thumbprint()),
        });
        let began = Nanos::now();
        let token = match self.seals(grant) {
            Some(sealing) => sealing.seal(&claims).ok_or(SignFault::Refused)?,
            None => {
                let key = self.keys.signing_at(now);
                key.jws(key.header(), &claims)?
            }
        };
        let signed_ns = Nanos::now().since(began);
        Ok(Minted {
            json: response(&token, lifetime_s, &scope, grant.details()),
            issued_at: now,
            signed_ns,
        })
    }
}

//= RFC 6749 section 5.1
//# The response has the token, its type and its lifetime, and the scope where it is another than
//# the one asked for; here always.
//= RFC 9396 section 7
//# And the details that were granted.
pub(super) fn response(
    access_token: &str,
    expires_in: u64,
    scope: &str,
    authorization_details: &[Access],
) -> Vec<u8> {
    #[derive(Serialize)]
    struct Response<'t> {
        access_token: &'t str,
        token_type: &'static str,
        expires_in: u64,
        #[serde(skip_serializing_if = "str::is_empty")]
        scope: &'t str,
        #[serde(skip_serializing_if = "<[Access]>::is_empty")]
        authorization_details: &'t [Access],
    }
    let response = Response {
        access_token,
        token_type: "Bearer",
        expires_in,
        scope,
        authorization_details,
    };
    serde_json::to_vec(&response).expect("strings and a number, which are always JSON")
}

/// The scope that gives these rights.
fn scope(rights: Rights) -> String {
    let values: Vec<_> = rights.values().collect();
    values.join(" ")
}

/// What something is told apart by, that nobody can foretell.
pub(super) fn unguessable() -> Result<String, SignFault> {
    let mut jti = [0; JTI_BYTES];
    aws_lc_rs::rand::fill(&mut jti).map_err(|_| SignFault::Refused)?;
    Ok(URL_SAFE_NO_PAD.encode(jti))
}

pub(super) fn json(part: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(part).expect("strings and numbers, which are always JSON")
}
