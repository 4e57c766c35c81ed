//! The embedded issuer of access tokens: OAuth 2.0's client credentials grant (RFC 6749 section
//! 4.4) for clients that authenticate by their certificate (RFC 8705) or, on a connection with it,
//! by a signed assertion (RFC 7523), and nothing else. Its tokens are JWTs (RFC 9068) that only the
//! certificate they were fetched with can use.
//!
//! No HTTP here: what was posted goes in, what to answer comes out. [`Issuer::decide`] is cheap and
//! may be called on a shard; [`Issuer::mint`] signs, and a key in a token makes that a wait. Where
//! a client is to have opaque tokens, the same claims are sealed ([`crate::authz::sealed`]).
//!
//! ES256 where nothing speaks against it: a token's RSA signatures are ten times as slow. RS256
//! where another reader of these tokens knows nothing else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hsm::OpenFault;

use crate::authz::apis::ApiSet;
use crate::authz::issuers::{IssuerRules, KeySet, Profile};
use crate::authz::keys::Keys;
use crate::authz::sealed::Sealing;
use crate::authz::token::{LEEWAY_S, VerifiedToken};
use crate::clock::UnixSeconds;
use crate::peer::{Client, ClientIndex, TokenFormat};
use registration::Registered;

mod assertion;
mod authentication;
mod capif;
mod certificate;
mod distinguished_name;
mod fault;
mod form;
mod grant;
mod introspection;
mod keys;
mod metadata;
mod mint;
mod registration;
mod revocation;
mod used;

pub use assertion::{Assertions, JWT_BEARER};
pub use authentication::Caller;
pub use capif::{CAPIF_TOKEN_PATH, security_id};
pub use fault::{GrantFault, Scheme};
pub use grant::Grant;
/// Why a token could not be signed.
pub use hsm::SignFault;
pub use introspection::INACTIVE;
pub use keys::{KeyTwice, TokenKey, TokenKeys};
pub use metadata::PublicJwk;
pub use mint::Minted;
pub use registration::OwnCertificates;
pub use revocation::issued_to;
pub use used::AllUsed;

#[cfg(test)]
mod tests;

/// Where tokens are fetched, by POST.
pub const TOKEN_PATH: &str = "/oauth2/token";
/// Where resource servers ask what a token is worth, by POST.
pub const INTROSPECTION_PATH: &str = "/oauth2/introspect";
/// Where clients have their tokens ended, by POST.
pub const REVOCATION_PATH: &str = "/oauth2/revoke";
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
    /// [`CAPIF_TOKEN_PATH`]: takes POST alone.
    Capif,
    /// [`INTROSPECTION_PATH`]: takes POST alone.
    Introspection,
    /// [`REVOCATION_PATH`]: takes POST alone.
    Revocation,
    /// [`JWKS_PATH`]: takes GET.
    Jwks,
    /// [`METADATA_PATH`]: takes GET.
    Metadata,
}

impl Endpoint {
    /// Those that are always there, and at one path.
    const ALL: [Self; 5] = [
        Self::Token,
        Self::Introspection,
        Self::Revocation,
        Self::Jwks,
        Self::Metadata,
    ];

    /// Where it is.
    pub fn path(self) -> &'static str {
        match self {
            Self::Token => TOKEN_PATH,
            Self::Capif => CAPIF_TOKEN_PATH,
            Self::Introspection => INTROSPECTION_PATH,
            Self::Revocation => REVOCATION_PATH,
            Self::Jwks => JWKS_PATH,
            Self::Metadata => METADATA_PATH,
        }
    }
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
    keys: TokenKeys,
    format: TokenFormat,
    /// What seals tokens, where any are.
    sealing: Option<Arc<Sealing>>,
    /// What each client may have, in the order of the snapshot's table; none: no token.
    registered: Vec<Option<Registered>>,
    metadata: Vec<u8>,
    /// Where tokens in CAPIF's form are issued as well.
    capif: Option<capif::Capif>,
}

/// The name only: clients and keys are nothing for a log.
impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What an issuer is to be.
pub struct Terms<'c> {
    /// `https://` and an authority, the `iss` of its tokens.
    pub name: String,
    /// The `aud` of its tokens.
    pub audience: String,
    /// Of its tokens, in whole seconds.
    pub lifetime: Duration,
    /// What its tokens are, where a client's registration does not say.
    pub format: TokenFormat,
    /// The secrets of its tokens that are sealed, where there are any.
    pub sealing: Option<Arc<Sealing>>,
    /// In the order of the snapshot's table: the place of one is its [`ClientIndex`].
    pub clients: &'c [Client],
    /// What those of them authenticate by that have signed their certificates themselves.
    pub certificates: &'c OwnCertificates,
    /// Assertions that were used before it was made.
    pub used: &'c AllUsed,
    /// Those that are served: what tokens can be for.
    pub apis: ApiSet,
    /// Whether revocations are kept: else it says of no place where tokens are ended.
    pub revokes: bool,
}

impl Issuer {
    /// # Errors
    /// The first thing that is wrong: the name is no such URL, a client's registration can never be
    /// met, or tokens are to be sealed and there is no secret for that.
    pub fn new(terms: Terms<'_>, keys: TokenKeys) -> Result<Self, IssuerFault> {
        check_name(&terms.name)?;
        let registered =
            registration::registrations(terms.clients, terms.certificates, terms.used)?;
        if terms.sealing.is_none() {
            check_nothing_is_sealed(terms.format, &registered)?;
        }
        Ok(Self {
            registered,
            format: terms.format,
            sealing: terms.sealing,
            metadata: metadata::metadata(&terms.name, terms.apis, terms.revokes),
            capif: None,
            lifetime_s: terms.lifetime.as_secs(),
            name: terms.name,
            audience: terms.audience,
            keys,
        })
    }

    /// What of the issuer is at this path of the T8 listener; none: the path is not the issuer's.
    pub fn endpoint(&self, path: &str) -> Option<Endpoint> {
        let mut all = Endpoint::ALL.into_iter();
        let found = all.find(|endpoint| endpoint.path() == path);
        let capif = || self.capif.is_some() && security_id(path).is_some();
        found.or_else(|| capif().then_some(Endpoint::Capif))
    }

    /// The key set, `application/json` (RFC 7517): the public keys, never the private ones. Those
    /// that verify nothing here any more are not for others either: what is revoked, or has ended.
    pub fn jwks(&self, is_revoked: impl Fn(&str) -> bool, now: UnixSeconds) -> Vec<u8> {
        let verifies = |key: &PublicJwk| key.until().is_none_or(|until| now <= until);
        self.keys
            .jwks(|key| verifies(key) && !is_revoked(key.kid()))
    }

    /// The description of the issuer, `application/json` (RFC 8414).
    pub fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    /// The `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the issuer of the token of this grant is called: its `iss`, but for CAPIF's.
    pub fn name_for(&self, grant: &Grant) -> &str {
        match self.capif_of(grant) {
            Some(capif) => &capif.name,
            None => &self.name,
        }
    }

    /// Whether a token that was verified is one of its own.
    fn has_issued(&self, verified: &VerifiedToken) -> bool {
        let capif = self.capif.as_ref();
        verified.issuer == self.name || capif.is_some_and(|capif| capif.name == verified.issuer)
    }

    fn capif_of(&self, grant: &Grant) -> Option<&capif::Capif> {
        self.capif.as_ref().filter(|_| grant.is_for_capif())
    }

    fn signer_of(&self, grant: &Grant, now: UnixSeconds) -> &TokenKey {
        match self.capif_of(grant) {
            Some(capif) => &capif.key,
            None => self.keys.signing_at(now),
        }
    }

    /// The name of the key, or of the secret, that makes the token of this grant now.
    pub fn kid_of(&self, grant: &Grant, now: UnixSeconds) -> &str {
        match self.seals(grant) {
            Some(sealing) => sealing.kid(),
            None => self.signer_of(grant, now).kid(),
        }
    }

    /// What the gateway must know to take this issuer's tokens like any other issuer's.
    ///
    /// # Errors
    /// In words: the audience is empty.
    pub fn rules(&self) -> Result<IssuerRules, String> {
        let audience = self.audience.clone();
        let keys = Keys::from_jwks(&self.keys.jwks(|_| true))?;
        let keys = KeySet::of(keys.ending(|kid| self.keys.end_of(kid))?);
        let rules = IssuerRules::new(self.name.clone(), Profile::Rfc9068 { audience }, keys)?;
        Ok(rules.own(self.sealing.clone()))
    }

    /// Whether [`Issuer::mint`] waits for a token now, and so must not be called on a shard.
    pub fn waits_for_token(&self, grant: &Grant, now: UnixSeconds) -> bool {
        self.seals(grant).is_none() && self.signer_of(grant, now).in_token()
    }

    /// What its tokens are sealed with, where any are.
    pub fn sealing(&self) -> Option<&Arc<Sealing>> {
        self.sealing.as_ref()
    }

    /// What seals the token of this grant; none where that is signed.
    fn seals(&self, grant: &Grant) -> Option<&Sealing> {
        match grant.format() {
            TokenFormat::Jwt => None,
            TokenFormat::Opaque => self.sealing.as_deref(),
        }
    }

    fn format_for(&self, registered: &Registered) -> TokenFormat {
        registered.token_format.unwrap_or(self.format)
    }

    /// Its keys that sign, or are to: the current one first, that of CAPIF's form last.
    pub fn signing(&self) -> impl Iterator<Item = &Arc<TokenKey>> {
        let capif = self.capif.iter().map(|capif| &capif.key);
        self.keys.signing().chain(capif)
    }

    /// Its keys.
    pub fn keys(&self) -> &TokenKeys {
        &self.keys
    }

    /// The name of the key that signs its tokens now, but for those of CAPIF's form.
    pub fn signing_kid(&self, now: UnixSeconds) -> &str {
        self.keys.signing_at(now).kid()
    }

    /// The names of keys by which tokens of it may be signed that are valid still, but for those of
    /// CAPIF's form.
    pub fn kids_in_use(&self, now: UnixSeconds) -> impl Iterator<Item = &str> {
        self.keys
            .in_use(now, self.lifetime_s.saturating_add(LEEWAY_S))
    }

    /// The name of the key of CAPIF's form, and of what it signs as revocations know it, where it
    /// issues such tokens.
    pub fn capif_kid(&self) -> Option<(&str, &str)> {
        let capif = self.capif.as_ref()?;
        Some((capif.key.kid(), &capif.name))
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

fn check_nothing_is_sealed(
    format: TokenFormat,
    registered: &[Option<Registered>],
) -> Result<(), IssuerFault> {
    let is_opaque = |one: &Option<Registered>| {
        let format = one.as_ref().and_then(|one| one.token_format);
        format == Some(TokenFormat::Opaque)
    };
    let client = registered.iter().position(is_opaque);
    if format == TokenFormat::Jwt && client.is_none() {
        return Ok(());
    }
    Err(IssuerFault {
        client: client
            .and_then(|place| u32::try_from(place).ok())
            .map(ClientIndex),
        what: "tokens are to be opaque, and there is no secret to seal them with".to_owned(),
        cure: "add [oauth.sealing] with secret_file or uri, the same on all nodes".to_owned(),
        lasts: true,
    })
}

/// Whether each client's registration can be met, without a key at hand, and whatever certificates
/// of its own a client has.
///
/// # Errors
/// The first that cannot.
pub fn check_registrations(clients: &[Client]) -> Result<(), IssuerFault> {
    let certificates = OwnCertificates::default();
    registration::registrations(clients, &certificates, &AllUsed::default()).map(drop)
}
