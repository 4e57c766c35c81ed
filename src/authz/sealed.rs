//! Opaque access tokens of the gateway's own: the claims that a signed one shows to everybody,
//! sealed, so that they say nothing to whoever holds one.
//!
//! ```text
//!   token = "t8s1_" base64url( issuer (6) | name of secret (8) | salt (32) | nonce (12)
//!                              | claims, sealed | tag (16) )
//!   key = HKDF-Expand(secret, salt)
//! ```
//! A token is whole in itself: every node that has the secret opens it, also after a restart, and
//! nothing has to be kept or asked. The secret is its own and not that of session tickets: those
//! have one for each slot of time and open for two slots, where a token is good until its `exp`;
//! and whoever gets hold of one of the two is not to have the other.
//!
//! Each token has a key of its own, of 256 random bits, because nonces of 96 bits under a common
//! key would be the same at even odds after 2^48 tokens, and all nodes draw them. That two of q
//! tokens have one key has a probability below q^2 / 2^257. Under a salt that nobody has seen
//! sealed with, a tag is guessed with 2^-128. Under the salt and nonce of a token that is known it
//! is GHASH that has to be met: at most 2^-128 for each block of 16 octets, of which a token has
//! less than 2^9, so 2^-119 for a try; and a client has its budget of those. Whoever guesses a
//! token that somebody else holds has to guess the 160 bits of its `jti` as well.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{Aad, MAX_TAG_LEN, NONCE_LEN, Nonce};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::token::TokenFault;
use crate::secret::{Derived, Secret, label, sealing_key, token_label};

#[cfg(test)]
mod tests;

/// Of all such tokens, and of this way to seal them.
//= RFC 6750 section 2.1
//# It has letters of a b64token alone; there is no dot among them, which a JWS has.
const VERSION: &str = "t8s1_";
/// Of the hash of the issuer's name: three of them are four letters, so that it can be told by
/// those.
const ISSUER_BYTES: usize = 6;
const NAME_BYTES: usize = 8;
const SALT_BYTES: usize = 32;
/// AES-GCM has tags of the greatest length.
const TAG_BYTES: usize = MAX_TAG_LEN;
/// Tie what is derived to its purpose.
const PURPOSE: &[u8] = b"t8gate sealed tokens 1";
const NAME: &[u8] = b"sealed tokens, name";
const ROOT: &[u8] = b"sealed tokens, root";
const KEY_LABEL: &[u8] = b"sealed token";

/// A secret that tokens are sealed with.
pub struct SealingSecret {
    name: [u8; NAME_BYTES],
    /// The same in digits.
    kid: String,
    root: Derived,
}

impl SealingSecret {
    /// From the octets of a file.
    ///
    /// # Errors
    /// As of [`Secret::from_octets`].
    pub fn from_octets(written: &[u8]) -> Result<Self, String> {
        let secret = Secret::from_octets(written, PURPOSE)?;
        let name = secret.derive(&label(NAME, &[]));
        Ok(Self::of(
            name,
            Zeroizing::new(secret.derive(&label(ROOT, &[]))),
        ))
    }

    /// What a key in a token is asked for, by HMAC-SHA256.
    pub fn token_labels() -> [Vec<u8>; 2] {
        [NAME, ROOT].map(|word| token_label(word, &[]))
    }

    /// From what a key in a token has said to them.
    pub fn from_token(said: &[Derived; 2]) -> Self {
        let [name, root] = said;
        let [a, b, c, d, e, f, g, h, ..] = **name;
        Self::of([a, b, c, d, e, f, g, h], root.clone())
    }

    fn of(name: [u8; NAME_BYTES], root: Derived) -> Self {
        Self {
            kid: name.iter().map(|octet| format!("{octet:02x}")).collect(),
            name,
            root,
        }
    }

    /// By which its tokens say what they were sealed with, as the key of an issuer is called. Says
    /// nothing about the secret.
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

/// How sealed tokens of the issuer of this name begin, whatever they are sealed with.
pub(super) fn mark(issuer: &str) -> String {
    let hash = digest(&SHA256, issuer.as_bytes());
    let (issuer, _) = hash.as_ref().split_at(ISSUER_BYTES);
    format!("{VERSION}{}", URL_SAFE_NO_PAD.encode(issuer))
}

/// The secrets of one issuer's tokens.
pub struct Sealing {
    /// How its tokens begin.
    mark: String,
    /// Seals; the others open as well.
    current: Arc<SealingSecret>,
    others: Vec<Arc<SealingSecret>>,
}

/// What they are called.
impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kids()).finish()
    }
}

impl Sealing {
    /// For the tokens of the issuer of this name.
    pub fn new(issuer: &str, current: Arc<SealingSecret>, others: Vec<Arc<SealingSecret>>) -> Self {
        Self {
            mark: mark(issuer),
            current,
            others,
        }
    }

    /// What the secret that seals is called.
    pub fn kid(&self) -> &str {
        self.current.kid()
    }

    /// What all are called, that which seals first.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.secrets().map(|secret| secret.kid())
    }

    /// One of them, by its place.
    pub fn secret(&self, place: usize) -> Option<Arc<SealingSecret>> {
        self.secrets().nth(place).cloned()
    }

    /// Seals claims, a JSON object. None where the system has no random numbers.
    //= RFC 6749 section 10.10
    //# What nobody can guess is the salt, and with it the key: another for each token.
    pub fn seal(&self, claims: &[u8]) -> Option<String> {
        let SealingSecret { name, root, .. } = &*self.current;
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).ok()?;
        let mut sealed = claims.to_vec();
        // The library draws the nonce, because FIPS has GCM seal with no other.
        let (nonce, tag) = sealing_key(root, KEY_LABEL, &salt)?
            .seal_in_place_separate_tag(self.bound(name), &mut sealed)
            .ok()?;
        let body = [name, &salt[..], nonce.as_ref(), &sealed, tag.as_ref()].concat();
        Some(format!("{}{}", self.mark, URL_SAFE_NO_PAD.encode(body)))
    }

    /// The claims of a token, and what its secret is called.
    pub(super) fn open(&self, token: &[u8]) -> Result<(Vec<u8>, &str), TokenFault> {
        let body = token.strip_prefix(self.mark.as_bytes());
        // Its one spelling, so that no token has a twin: spare bits are zero.
        let body = body.and_then(|body| URL_SAFE_NO_PAD.decode(body).ok());
        let body = body.ok_or(TokenFault::Malformed)?;
        let (name, salt, nonce, sealed) = parts(&body).ok_or(TokenFault::Malformed)?;
        let mut secrets = self.secrets();
        let secret = secrets.find(|secret| secret.name == *name);
        let secret = secret.ok_or(TokenFault::KeyUnknown)?;
        let mut opened = sealed.to_vec();
        let key = sealing_key(&secret.root, KEY_LABEL, salt).ok_or(TokenFault::SignatureBad)?;
        let claims = key.open_in_place(Nonce::from(nonce), self.bound(name), &mut opened);
        let length = claims.map_err(|_| TokenFault::SignatureBad)?.len();
        opened.truncate(length);
        Ok((opened, secret.kid()))
    }

    /// Whether these open the same tokens.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.mark == other.mark && self.kids().eq(other.kids())
    }

    /// What of a token is not sealed, and no part of its key.
    fn bound(&self, name: &[u8; NAME_BYTES]) -> Aad<Vec<u8>> {
        Aad::from([self.mark.as_bytes(), name].concat())
    }

    fn secrets(&self) -> impl Iterator<Item = &Arc<SealingSecret>> {
        std::iter::once(&self.current).chain(&self.others)
    }
}

type Parts<'t> = (
    &'t [u8; NAME_BYTES],
    &'t [u8; SALT_BYTES],
    &'t [u8; NONCE_LEN],
    &'t [u8],
);

fn parts(body: &[u8]) -> Option<Parts<'_>> {
    let (name, rest) = body.split_first_chunk()?;
    let (salt, rest) = rest.split_first_chunk()?;
    let (nonce, sealed) = rest.split_first_chunk()?;
    (sealed.len() > TAG_BYTES).then_some((name, salt, nonce, sealed))
}
