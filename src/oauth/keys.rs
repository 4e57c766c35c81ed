//! The keys of the issuer's tokens: those that sign, each from its moment on, and those that only
//! verify any more.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hsm::{KeyKind, PrivateKey, Scheme, SignFault, SignJob, jose_signature};
use serde::Serialize;

use super::metadata::PublicJwk;
use super::{IssuerFault, mint};
use crate::clock::UnixSeconds;

/// A key that signs tokens, proved.
pub struct TokenKey {
    key: Arc<PrivateKey>,
    scheme: Scheme,
    public: PublicJwk,
    /// The JOSE header of every token, in base64url.
    header: String,
}

impl TokenKey {
    /// Proves the key, which waits for a key in a token.
    ///
    /// # Errors
    /// It is neither of P-256 nor of RSA, or does not sign.
    //= RFC 9068 section 2.1
    //# Tokens are signed, by RS256 or another algorithm, and never by none.
    pub fn prove(key: Arc<PrivateKey>) -> Result<Self, IssuerFault> {
        let scheme = match key.kind() {
            KeyKind::P256 => Scheme::EcdsaP256Sha256,
            // TS 33.310 has no RSA key below 2048 bits; no key is opened that has less.
            KeyKind::Rsa => Scheme::RsaPkcs1Sha256,
            KeyKind::P384 => {
                return Err(IssuerFault {
                    client: None,
                    what: "the key that signs tokens is neither a P-256 key nor an RSA key"
                        .to_owned(),
                    cure: "make one: pkcs11-tool --keypairgen --key-type EC:prime256v1, or \
                           openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
                        .to_owned(),
                    lasts: true,
                });
            }
        };
        if !key.schemes().contains(&scheme) {
            return Err(IssuerFault {
                client: None,
                what: "the token does not sign by RSASSA-PKCS1-v1_5, which RS256 needs".to_owned(),
                cure: "enable CKM_RSA_PKCS in the HSM's policy, or use a P-256 key".to_owned(),
                lasts: true,
            });
        }
        let public = PublicJwk::from_spki(&key.prove_alone()?)?;
        Ok(Self {
            header: mint::header(&public, "at+jwt"),
            key,
            scheme,
            public,
        })
    }

    /// Whether it is in a token, and signing is a wait.
    pub fn in_token(&self) -> bool {
        self.key.in_token()
    }

    /// For who sees to it that it signs.
    pub fn private(&self) -> &Arc<PrivateKey> {
        &self.key
    }

    pub(super) fn kid(&self) -> &str {
        self.public.kid()
    }

    pub(super) fn alg(&self) -> &'static str {
        self.public.alg()
    }

    pub(super) fn public(&self) -> &PublicJwk {
        &self.public
    }

    pub(super) fn header(&self) -> &str {
        &self.header
    }

    /// The JWS of these claims under this header, which is in base64url already.
    pub(super) fn jws(&self, header: &str, claims: &[u8]) -> Result<String, SignFault> {
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let (scheme, message) = (self.scheme, signed.as_bytes());
        let signature = self.key.sign(SignJob { scheme, message })?;
        let signature = match self.key.kind() {
            //= RFC 7518 section 3.3
            //# The signature of RS256 is the RSA signature as it is.
            KeyKind::Rsa => signature,
            kind => jose_signature(kind, &signature).ok_or(SignFault::Refused)?,
        };
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// All of an issuer's keys.
//= RFC 7517 section 5
//# A key set is an object with an array "keys".
pub struct TokenKeys {
    current: Arc<TokenKey>,
    /// With the moments from which they sign.
    next: Vec<(UnixSeconds, Arc<TokenKey>)>,
    retired: Vec<PublicJwk>,
}

/// One key has two parts to play: its places among all, the current one before those to come, and
/// those before the old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTwice {
    pub first: usize,
    pub again: usize,
}

/// From when a key signs of which that is not said: never.
const NEVER: UnixSeconds = UnixSeconds(u64::MAX);

impl TokenKeys {
    /// `next` with the moments from which they sign in place of `current`; without one, a key is
    /// only published. Tokens of `retired` are taken, and none are signed by them.
    ///
    /// # Errors
    /// One key has two parts to play.
    pub fn new(
        current: Arc<TokenKey>,
        next: impl IntoIterator<Item = (Option<UnixSeconds>, Arc<TokenKey>)>,
        retired: Vec<PublicJwk>,
    ) -> Result<Self, KeyTwice> {
        let next = next.into_iter();
        let next = next.map(|(from, key)| (from.unwrap_or(NEVER), key));
        let keys = Self {
            current,
            next: next.collect(),
            retired,
        };
        let kids: Vec<&str> = keys.public().map(PublicJwk::kid).collect();
        let places = { kids.iter().enumerate() }.find_map(|(again, kid)| {
            let first = kids.iter().take(again).position(|before| before == kid)?;
            Some(KeyTwice { first, again })
        });
        match places {
            Some(twice) => Err(twice),
            None => Ok(keys),
        }
    }

    /// The one that signs now.
    pub(super) fn signing_at(&self, now: UnixSeconds) -> &Arc<TokenKey> {
        let begun = self.next.iter().filter(|(from, _)| *from <= now);
        let last = begun.max_by_key(|(from, _)| *from);
        last.map_or(&self.current, |(_, key)| key)
    }

    /// The names of those by which tokens may be signed that are valid still, where tokens live for
    /// `live_s` seconds: of the one that signs, and of those whose place was taken no longer ago.
    pub(super) fn in_use(&self, now: UnixSeconds, live_s: u64) -> impl Iterator<Item = &str> {
        let begun = move || {
            let next = self.next.iter().filter(move |(from, _)| *from <= now);
            let next = next.map(|(from, key)| (*from, key.kid()));
            std::iter::once((UnixSeconds(0), self.current.kid())).chain(next)
        };
        begun().filter_map(move |(from, kid)| {
            let later = begun()
                .map(|(later, _)| later)
                .filter(|later| *later > from);
            let ended = later.min().map(|until| until.0.saturating_add(live_s));
            ended.is_none_or(|ended| ended >= now.0).then_some(kid)
        })
    }

    /// Those that sign, or are to: the current one first, the others as they were given.
    pub fn signing(&self) -> impl Iterator<Item = &Arc<TokenKey>> {
        std::iter::once(&self.current).chain(self.next.iter().map(|(_, key)| key))
    }

    fn public(&self) -> impl Iterator<Item = &PublicJwk> {
        let signing = self.signing().map(|key| &key.public);
        signing.chain(&self.retired)
    }

    /// Whether a key of this name is among them.
    pub fn has(&self, kid: &str) -> bool {
        self.public().any(|public| public.kid() == kid)
    }

    /// The names of those that take the place of another, with their moments.
    pub fn successors(&self) -> impl Iterator<Item = (&str, UnixSeconds)> {
        let dated = self.next.iter().filter(|(from, _)| *from < NEVER);
        dated.map(|(from, key)| (key.public.kid(), *from))
    }

    /// When whatever an old key of this name has signed has ended; none of a key that signs, or
    /// where that is not known.
    pub(super) fn end_of(&self, kid: &str) -> Option<UnixSeconds> {
        let mut named = self.retired.iter().filter(|key| key.kid() == kid);
        named.next()?.until()
    }

    /// The JWK Set of those that are `shown`.
    //= RFC 7517 section 5
    //# Keys that are to sign are in the set before, and those that have signed stay in it.
    pub(super) fn jwks(&self, shown: impl Fn(&PublicJwk) -> bool) -> Vec<u8> {
        #[derive(Serialize)]
        struct Set<'k> {
            keys: Vec<&'k PublicJwk>,
        }
        let keys = self.public().filter(|key| shown(key)).collect();
        serde_json::to_vec(&Set { keys }).expect("strings only, which are always JSON")
    }
}
