//! The embedded issuer of access tokens: OAuth 2.0's client credentials grant (RFC 6749 section
//! 4.4) for clients that authenticate by their certificate (RFC 8705), and nothing else. Its
//! tokens are JWTs (RFC 9068) that only the certificate they were fetched with can use.
//!
//! No HTTP here: what was posted goes in, what to answer comes out. [`Issuer::decide`] is cheap and
//! may be called on a shard; [`Issuer::mint`] signs, and a key in a token makes that a wait.
//!
//! RFC 9068 section 2.1 wants RS256 among an issuer's algorithms. Not so here: the one reader these
//! tokens have is the gateway, which verifies ES256 like any other, and a token's RSA signatures
//! are ten times as slow.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hsm::{KeyKind, OpenFault, PrivateKey};

use crate::authz::apis::ApiId;
use crate::authz::issuers::{IssuerRules, KeySet, Profile};
use crate::authz::keys::Keys;
use crate::authz::scope::Rights;
use crate::peer::{Client, ClientIndex, Registration};

mod certificate;
mod distinguished_name;
mod form;
mod grant;
mod metadata;
mod mint;

pub use grant::{Grant, GrantFault};
/// Why a token could not be signed.
pub use hsm::SignFault;
pub use mint::Minted;

#[cfg(test)]
mod tests;

/// Where tokens are fetched, by POST.
pub const TOKEN_PATH: &str = "/oauth2/token";
/// Where the public key is, for GET.
pub const JWKS_PATH: &str = "/oauth2/jwks";
/// Where the issuer describes itself, for GET.
//= RFC 8414 section 3
//# The description of an issuer without a path is at this path of its authority.
pub const METADATA_PATH: &str = "/.well-known/oauth-authorization-server";

/// What of the issuer a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// [`TOKEN_PATH`]: takes POST alone.
    Token,
    /// [`JWKS_PATH`]: takes GET.
    Jwks,
    /// [`METADATA_PATH`]: takes GET.
    Metadata,
}

/// Why there is no issuer: for start-up and `check`, never for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerFault {
    /// The client whose registration it is about; none: it is about the issuer itself.
    pub client: Option<ClientIndex>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub cure: String,
    /// Whether it is there until somebody does; else a token may be back by itself.
    pub lasts: bool,
}

impl fmt::Display for IssuerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.cure)
    }
}

impl std::error::Error for IssuerFault {}

impl From<OpenFault> for IssuerFault {
    fn from(fault: OpenFault) -> Self {
        Self {
            client: None,
            what: fault.what,
            cure: fault.cure,
            lasts: fault.lasts,
        }
    }
}

/// The issuer: made at start, then the same for as long as the configuration is.
pub struct Issuer {
    name: String,
    audience: String,
    lifetime_s: u64,
    key: Arc<PrivateKey>,
    /// The JOSE header of every token, in base64url.
    header: String,
    /// What each client may have, in the order of the snapshot's table; none: no token.
    registered: Vec<Option<Registered>>,
    jwks: Vec<u8>,
    metadata: Vec<u8>,
}

/// A client's registration, parsed.
struct Registered {
    certificate: certificate::Subject,
    rights: Rights,
}

/// The name only: clients and keys are nothing for a log.
impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Issuer {
    /// The issuer called `name` (`https://` and an authority, the `iss` of its tokens), whose
    /// tokens are for `audience` and live for the whole seconds of `lifetime`. `clients` are in
    /// the order of the snapshot's table: the place of one is its [`ClientIndex`]. Proves the key,
    /// which waits for a key in a token.
    ///
    /// # Errors
    /// The first thing that is wrong: the name is no such URL, the key is not of P-256 or does not
    /// sign, or a client's registration can never be met.
    pub fn new(
        name: String,
        audience: String,
        lifetime: Duration,
        key: Arc<PrivateKey>,
        clients: &[Client],
    ) -> Result<Self, IssuerFault> {
        check_name(&name)?;
        if key.kind() != KeyKind::P256 {
            return Err(IssuerFault {
                client: None,
                what: "the key that signs tokens is not a P-256 key".to_owned(),
                cure: "make one: pkcs11-tool --keypairgen --key-type EC:prime256v1, or openssl \
                       genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
                    .to_owned(),
                lasts: true,
            });
        }
        let public = metadata::PublicJwk::from_spki(&key.prove_alone()?)?;
        Ok(Self {
            header: mint::header(&public.kid),
            registered: registrations(clients)?,
            jwks: metadata::jwks(&public),
            metadata: metadata::metadata(&name),
            lifetime_s: lifetime.as_secs(),
            name,
            audience,
            key,
        })
    }

    /// The same issuer, with its key, as another configuration wants it. The key has been proved,
    /// and is not asked again: its token may be away.
    ///
    /// # Errors
    /// As [`Issuer::new`], of the name and the registrations.
    pub fn again(
        &self,
        name: String,
        audience: String,
        lifetime: Duration,
        clients: &[Client],
    ) -> Result<Self, IssuerFault> {
        check_name(&name)?;
        Ok(Self {
            header: self.header.clone(),
            registered: registrations(clients)?,
            jwks: self.jwks.clone(),
            metadata: metadata::metadata(&name),
            lifetime_s: lifetime.as_secs(),
            name,
            audience,
            key: Arc::clone(&self.key),
        })
    }

    /// What of the issuer is at this path of the T8 listener; none: the path is not the issuer's.
    pub fn endpoint(&self, path: &str) -> Option<Endpoint> {
        match path {
            TOKEN_PATH => Some(Endpoint::Token),
            JWKS_PATH => Some(Endpoint::Jwks),
            METADATA_PATH => Some(Endpoint::Metadata),
            _ => None,
        }
    }

    /// The key set, `application/json` (RFC 7517): the public key, never the private one.
    pub fn jwks(&self) -> &[u8] {
        &self.jwks
    }

    /// The description of the issuer, `application/json` (RFC 8414).
    pub fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// What the gateway must know to take this issuer's tokens like any other issuer's.
    ///
    /// # Errors
    /// In words: the audience is empty.
    pub fn rules(&self) -> Result<IssuerRules, String> {
        let audience = self.audience.clone();
        let keys = KeySet::of(Keys::from_jwks(&self.jwks)?);
        IssuerRules::new(self.name.clone(), Profile::Rfc9068 { audience }, keys)
    }

    /// Whether [`Issuer::mint`] waits for a token, and so must not be called on a shard.
    pub fn key_in_token(&self) -> bool {
        self.key.in_token()
    }

    /// The key that signs tokens, for who sees to it that it does.
    pub fn signing_key(&self) -> &Arc<PrivateKey> {
        &self.key
    }

    /// What a client's certificate must say and what it may be granted.
    fn registered(&self, client: ClientIndex) -> Option<&Registered> {
        let place = usize::try_from(client.0).ok()?;
        self.registered.get(place)?.as_ref()
    }
}

/// Only a name without a path has its description at [`METADATA_PATH`].
fn check_name(name: &str) -> Result<(), IssuerFault> {
    let authority = name.strip_prefix("https://").unwrap_or_default();
    let host = !authority.is_empty() && !authority.contains(['/', '?', '#', '@']);
    if host && authority.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(IssuerFault {
        client: None,
        what: format!("the issuer {name:?} is not an https URL of scheme and authority only"),
        cure: "write it like https://t8.example.net:8443, without a slash at the end".to_owned(),
        lasts: true,
    })
}

fn registrations(clients: &[Client]) -> Result<Vec<Option<Registered>>, IssuerFault> {
    let of = |(place, client): (u32, &Client)| {
        let Some(registration) = &client.registration else {
            return Ok(None);
        };
        let fault = |(what, cure): (String, String)| IssuerFault {
            client: Some(ClientIndex(place)),
            what: format!("client {}: {what}", client.name),
            cure,
            lasts: true,
        };
        registered(registration).map(Some).map_err(fault)
    };
    (0..).zip(clients).map(of).collect()
}

/// Or what is wrong with it, and what to do.
fn registered(registration: &Registration) -> Result<Registered, (String, String)> {
    let mut rights = Rights::NONE;
    for scope in &registration.scopes {
        let more = Rights::of_value(scope).ok_or_else(|| {
            let known: Vec<&str> = ApiId::all().map(ApiId::name).collect();
            (
                format!("the scope {scope:?} names no T8 API"),
                format!("take some of: {}", known.join(", ")),
            )
        })?;
        rights = rights.and(more);
    }
    if rights.is_empty() {
        return Err((
            "it has no scopes, so that no token could be granted".to_owned(),
            "name the APIs it may call in `scopes`".to_owned(),
        ));
    }
    Ok(Registered {
        certificate: certificate::Subject::new(&registration.certificate)?,
        rights,
    })
}
