//! Assertions of the gateway's own (RFC 7523), by which it says who it is to an issuer that it
//! asks.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hsm::SignFault;
use serde::Serialize;

use super::TokenKey;
use super::mint::{json, unguessable};
use crate::clock::UnixSeconds;
use crate::limits::OWN_ASSERTION_LIFETIME_S;

/// The one kind of assertion that is known, as a form says it.
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Makes assertions, each for one question.
pub struct Assertions {
    key: Arc<TokenKey>,
    /// The JOSE header of all of them, in base64url.
    header: String,
    client_id: String,
    audience: String,
}

/// For whom: the rest would say who is who in a log.
impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertions")
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

impl Assertions {
    /// Of the client of this name, for this audience. `kid` is what the key is called there.
    pub fn new(key: Arc<TokenKey>, kid: Option<&str>, client_id: String, audience: String) -> Self {
        #[derive(Serialize)]
        struct Header<'k> {
            typ: &'static str,
            alg: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            kid: Option<&'k str>,
        }
        let header = json(&Header {
            typ: "JWT",
            alg: key.alg(),
            kid,
        });
        Self {
            header: URL_SAFE_NO_PAD.encode(header),
            key,
            client_id,
            audience,
        }
    }

    /// What signs them.
    pub fn key(&self) -> &Arc<TokenKey> {
        &self.key
    }

    /// Signs one, to be used now. Waits for a key in a token.
    ///
    /// # Errors
    /// The key's. `Refused` also where the system has no random numbers.
    //= RFC 7523 section 3
    //# Issuer and subject are the client; the audience, an end that is near and a name of its own
    //# see to it that it is good for one question at one place.
    pub fn sign(&self, now: UnixSeconds) -> Result<String, SignFault> {
        #[derive(Serialize)]
        struct Claims<'c> {
            iss: &'c str,
            sub: &'c str,
            aud: &'c str,
            iat: u64,
            exp: u64,
            jti: String,
        }
        let claims = json(&Claims {
            iss: &self.client_id,
            sub: &self.client_id,
            aud: &self.audience,
            iat: now.0,
            exp: now.0.saturating_add(OWN_ASSERTION_LIFETIME_S),
            jti: unguessable()?,
        });
        self.key.jws(&self.header, &claims)
    }
}
