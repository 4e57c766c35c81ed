//! The public keys of an issuer. A key is bound to one algorithm when it is loaded, and parsed
//! then, once.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::json::{self, Json, JsonFault, Object};
use super::token::TokenFault;
use crate::clock::UnixSeconds;

#[cfg(test)]
mod tests;

/// Keys of one issuer: the current ones, the next ones and some to spare.
const KEYS_MAX: usize = 64;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The signature algorithms a token may have (RFC 7518 section 3.1, RFC 8037). No `none`, no MAC.
//= RFC 8725 section 3.2
//# Only algorithms that are sound today are known at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    ES256,
    ES384,
    RS256,
    PS256,
    EdDSA,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ES256,
        Self::ES384,
        Self::RS256,
        Self::PS256,
        Self::EdDSA,
    ];

    /// The `alg` value.
    pub fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm with this `alg` value, case-sensitively.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    fn rsa(self) -> &'static RsaParameters {
        match self {
            Self::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
            _ => &signature::RSA_PKCS1_2048_8192_SHA256,
        }
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::from_name(name).ok_or_else(|| {
            format!("algorithm {name:?} is not known: use ES256, ES384, RS256, PS256 or EdDSA")
        })
    }
}

/// One public key and the one algorithm it verifies.
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    public: Public,
    /// No token that it verifies lives beyond that.
    until: UnixSeconds,
}

/// For ever: until it is taken out of the set.
const FOR_EVER: UnixSeconds = UnixSeconds(u64::MAX);

/// A public key, parsed once: jsonwebtoken parses the key for every token.
struct Public {
    parsed: ParsedPublicKey,
    /// SHA-256 over what the key is, however it was written.
    identity: [u8; 32],
}

impl Public {
    fn new(parsed: ParsedPublicKey, numbers: &[&[u8]]) -> Self {
        Self {
            parsed,
            identity: hashed(numbers.iter().copied()),
        }
    }
}

/// A key that the header of a token picked. It shows nothing of itself.
pub(super) struct PickedKey<'k>(&'k Key);

impl PickedKey<'_> {
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenFault> {
        let verified = self.0.public.parsed.verify_sig(message, signature);
        verified.map_err(|_| TokenFault::SignatureBad)
    }

    /// What it is called, where it has a name.
    pub(super) fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }

    /// The last second of whatever it verifies.
    pub(super) fn until(&self) -> UnixSeconds {
        self.0.until
    }
}

/// The keys of one issuer, all that there are at one time.
pub struct Keys {
    keys: Vec<Key>,
    /// SHA-256 over keys, names, algorithms and ends.
    fingerprint: [u8; 32],
}

/// How many: keys, though public, are long and help nobody in a log.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.keys.len();
        f.debug_struct("Keys")
            .field("count", &count)
            .finish_non_exhaustive()
    }
}

impl Keys {
    /// Those of a JWKS (RFC 7517) that an operator keeps. Every key must be a public one for
    /// signatures and name its `kid` and `alg`. RFC 7517 section 5 lets a reader pass over what it
    /// does not understand; here that is refused, because the file was put there by an operator
    /// who should know. The error says what is wrong and what to do, without keys.
    pub fn from_jwks(jwks: &[u8]) -> Result<Self, String> {
        let mut keys: Vec<Key> = Vec::new();
        for (place, jwk) in (1usize..).zip(&listed(jwks)?) {
            let Json::Object(jwk) = jwk else {
                return Err(format!(
                    "key {place} of the JWKS is not an object: remove it"
                ));
            };
            let kid = text(jwk, "kid").filter(|kid| !kid.is_empty());
            let kid = kid.ok_or_else(|| {
                format!("key {place} of the JWKS has no kid: give every key a name of its own")
            })?;
            let stated = text(jwk, "alg").and_then(Algorithm::from_name);
            let key = match (holds_secret(jwk), stated) {
                (true, _) => Err(SECRET),
                (false, None) => {
                    Err("alg is missing or not one of ES256, ES384, RS256, PS256, EdDSA: set it")
                }
                (false, Some(algorithm)) => from_jwk(jwk, kid, algorithm),
            };
            keys.push(key.map_err(|what| format!("key {kid:?}: {what}"))?);
        }
        Self::new(keys)
    }

    /// Those of a JWKS that its issuer has published. What is not for signatures, or of a kind
    /// that is not known here, is passed over. A key without `alg` is for the one algorithm that
    /// its curve has, or, of RSA, for `of_rsa`.
    ///
    /// # Errors
    /// There is no key in it to verify by, two have one name, or it holds a private key.
    //= RFC 7517 section 5
    //# Keys of unknown kinds, or without what they need, are passed over.
    pub fn published(jwks: &[u8], of_rsa: Option<Algorithm>) -> Result<Self, String> {
        let mut keys: Vec<Key> = Vec::new();
        for jwk in &listed(jwks)? {
            let Json::Object(jwk) = jwk else {
                continue;
            };
            // Of a key that anybody may have by now, no other key of the set says the contrary.
            if holds_secret(jwk) && text(jwk, "kty") != Some("oct") {
                return Err(SECRET.to_owned());
            }
            let Some(kid) = text(jwk, "kid").filter(|kid| !kid.is_empty()) else {
                continue;
            };
            let algorithm = match (jwk.get("alg"), text(jwk, "kty"), text(jwk, "crv")) {
                (Some(stated), ..) => stated.as_str().and_then(Algorithm::from_name),
                (None, Some("EC"), Some("P-256")) => Some(Algorithm::ES256),
                (None, Some("EC"), Some("P-384")) => Some(Algorithm::ES384),
                (None, Some("OKP"), Some("Ed25519")) => Some(Algorithm::EdDSA),
                (None, Some("RSA"), _) => of_rsa,
                _ => None,
            };
            let key = algorithm.and_then(|algorithm| from_jwk(jwk, kid, algorithm).ok());
            keys.extend(key);
        }
        if keys.is_empty() {
            return Err(
                "there is no key in it that verifies a token: each needs kid, and alg one of \
                 ES256, ES384, RS256, PS256, EdDSA"
                    .to_owned(),
            );
        }
        Self::new(keys)
    }

    /// The one public key in a PEM file (`BEGIN PUBLIC KEY`), for `algorithm`. With a `kid`,
    /// tokens may name it; without one, they must name none.
    pub fn from_pem(pem: &[u8], algorithm: Algorithm, kid: Option<String>) -> Result<Self, String> {
        if memchr::memmem::find(pem, b"PRIVATE KEY-----").is_some() {
            return Err(
                "the file holds a private key: replace it by the public one \
                        (openssl pkey -pubout), and treat the private one as exposed"
                    .to_owned(),
            );
        }
        let mut found = SubjectPublicKeyInfoDer::pem_slice_iter(pem);
        let (Some(Ok(spki)), None) = (found.next(), found.next()) else {
            return Err(
                "expected exactly one PEM block BEGIN PUBLIC KEY (openssl pkey -pubout)".to_owned(),
            );
        };
        if kid.as_deref() == Some("") {
            return Err("the kid is empty: name one, or leave it out".to_owned());
        }
        let public = from_spki(&spki, algorithm)
            .map_err(|what| format!("the public key does not fit {}: {what}", algorithm.name()))?;
        Self::new(vec![Key {
            id: kid,
            algorithm,
            public,
            until: FOR_EVER,
        }])
    }

    /// The same, where what one of a name verifies lives no longer than to the moment that `end`
    /// knows for that name.
    ///
    /// # Errors
    /// None that these keys have not had.
    pub fn ending(self, end: impl Fn(&str) -> Option<UnixSeconds>) -> Result<Self, String> {
        let keys = self.keys.into_iter().map(|key| Key {
            until: key.id.as_deref().and_then(&end).unwrap_or(FOR_EVER),
            ..key
        });
        Self::new(keys.collect())
    }

    fn new(keys: Vec<Key>) -> Result<Self, String> {
        for (place, key) in keys.iter().enumerate() {
            if keys.iter().take(place).any(|other| other.id == key.id) {
                let kid = key.id.as_deref().unwrap_or_default();
                return Err(format!(
                    "kid {kid:?} stands twice in the JWKS: rename or remove one"
                ));
            }
        }
        let ends: Vec<_> = keys.iter().map(|key| key.until.0.to_be_bytes()).collect();
        let fields = keys.iter().zip(&ends).flat_map(|(key, end)| {
            let id = key.id.as_deref().unwrap_or_default();
            let name = key.algorithm.name();
            [name.as_bytes(), id.as_bytes(), &key.public.identity, end]
        });
        let fingerprint = hashed(fields);
        Ok(Self { keys, fingerprint })
    }

    /// Those of an issuer whose tokens are all opaque: they verify nothing.
    pub fn none() -> Self {
        Self {
            keys: Vec::new(),
            fingerprint: hashed([]),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether they verify nothing. What is read of a file, or fetched, always does.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether these verify what others do.
    pub fn same_as(&self, others: &Self) -> bool {
        self.fingerprint == others.fingerprint
    }

    /// Whether one of these is not among others, or not as it was: what it has verified they would
    /// not.
    pub fn lack_in(&self, others: &Self) -> bool {
        let same = |key: &Key, other: &Key| {
            key.id == other.id
                && key.algorithm == other.algorithm
                && key.public.identity == other.public.identity
        };
        let is_there = |key| others.keys.iter().any(|other| same(key, other));
        !self.keys.iter().all(is_there)
    }

    /// Whether one of these, whatever it is called and for, is one of the others.
    pub fn share_with(&self, others: &Self) -> bool {
        let of = |keys: &Self| -> Vec<[u8; 32]> {
            keys.keys.iter().map(|key| key.public.identity).collect()
        };
        let others = of(others);
        of(self).iter().any(|key| others.contains(key))
    }

    /// Whether a key, whatever it is called and for, is among these.
    pub(super) fn hold(&self, key: &PickedKey<'_>) -> bool {
        let identity = &key.0.public.identity;
        self.keys.iter().any(|own| own.public.identity == *identity)
    }

    /// What they are called; empty for one without a name.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.keys.iter().map(|key| key.id.as_deref());
        names.map(Option::unwrap_or_default)
    }

    /// The key a token's header means. `kid` is compared with the names of keys and used for
    /// nothing else; without one, exactly one key must fit the algorithm.
    //= RFC 8725 section 3.1
    //# The algorithm belongs to the key: what the header says must equal it, and chooses nothing.
    pub(super) fn pick(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<PickedKey<'_>, TokenFault> {
        if let Some(kid) = kid {
            let named = self.keys.iter().find(|key| key.id.as_deref() == Some(kid));
            let key = named.ok_or(TokenFault::KeyUnknown)?;
            return match key.algorithm == algorithm {
                true => Ok(PickedKey(key)),
                false => Err(TokenFault::AlgorithmRefused),
            };
        }
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(PickedKey(key)),
            (None, _) => Err(TokenFault::AlgorithmRefused),
            (Some(_), Some(_)) => Err(TokenFault::KeyUnknown),
        }
    }
}

/// SHA-256 over fields, each behind its length, so that two never run into one another.
pub(super) fn hashed<'f>(fields: impl IntoIterator<Item = &'f [u8]>) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    for field in fields {
        hash.update(&(field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    let digest = hash.finish();
    digest.as_ref().try_into().expect("SHA-256 has 32 octets")
}

/// Members of private keys (RFC 7518 section 6) and of symmetric ones.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const SECRET: &str = "HOLDS PRIVATE OR SECRET KEY MATERIAL: publish public members only, and treat \
                      this key as exposed: replace it at the issuer";

/// The keys of a JWKS, as they stand.
fn listed(jwks: &[u8]) -> Result<Vec<Json>, String> {
    let mut set = json::object(jwks).map_err(|fault| match fault {
        JsonFault::DuplicateMember => "the JWKS names a member twice: keep one".to_owned(),
        _ => "not a JWKS: expected a JSON object with the member \"keys\"".to_owned(),
    })?;
    let Some(Json::Array(listed)) = set.remove("keys") else {
        return Err("the JWKS has no array \"keys\": give it an RFC 7517 key set".to_owned());
    };
    if listed.is_empty() || listed.len() > KEYS_MAX {
        return Err(format!(
            "the JWKS has {} keys: keep 1 to {KEYS_MAX}",
            listed.len()
        ));
    }
    Ok(listed)
}

fn text<'j>(jwk: &'j Object, name: &str) -> Option<&'j str> {
    jwk.get(name).and_then(Json::as_str)
}

fn holds_secret(jwk: &Object) -> bool {
    PRIVATE_MEMBERS.iter().any(|&name| jwk.contains_key(name))
}

fn from_jwk(jwk: &Object, kid: &str, algorithm: Algorithm) -> Result<Key, &'static str> {
    if jwk.contains_key("use") && text(jwk, "use") != Some("sig") {
        return Err("use is not \"sig\": remove the key, it is not for signatures");
    }
    if jwk
        .get("key_ops")
        .is_some_and(|operations| !allows_verify(operations))
    {
        return Err("key_ops does not contain \"verify\": remove the key");
    }
    let expected = match algorithm {
        Algorithm::ES256 => ("EC", Some("P-256")),
        Algorithm::ES384 => ("EC", Some("P-384")),
        Algorithm::RS256 | Algorithm::PS256 => ("RSA", None),
        Algorithm::EdDSA => ("OKP", Some("Ed25519")),
    };
    if (text(jwk, "kty"), text(jwk, "crv")) != (Some(expected.0), expected.1) {
        return Err("kty or crv does not fit alg, or is not known: correct the key or its alg");
    }
    let bytes = |name| text(jwk, name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let public = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 => match (bytes("n"), bytes("e")) {
            (Some(n), Some(e)) => rsa(&n, &e, algorithm),
            _ => Err("n or e is missing or not base64url"),
        },
        Algorithm::ES256 | Algorithm::ES384 => match (bytes("x"), bytes("y")) {
            (Some(x), Some(y)) => ec_coordinates(&x, &y, algorithm),
            _ => Err("x or y is missing or not base64url"),
        },
        Algorithm::EdDSA => match bytes("x") {
            Some(x) => ed25519(&x),
            _ => Err("x is missing or not base64url"),
        },
    };
    Ok(Key {
        id: Some(kid.to_owned()),
        algorithm,
        public: public?,
        until: FOR_EVER,
    })
}

fn allows_verify(operations: &Json) -> bool {
    match operations {
        Json::Array(operations) => operations.iter().any(|one| one.as_str() == Some("verify")),
        _ => false,
    }
}

fn from_spki(der: &[u8], algorithm: Algorithm) -> Result<Public, &'static str> {
    const UNREADABLE: &str = "it is not a DER SubjectPublicKeyInfo: export it again";
    let (rest, spki) = SubjectPublicKeyInfo::from_der(der).map_err(|_| UNREADABLE)?;
    if !rest.is_empty() {
        return Err(UNREADABLE);
    }
    let kind = spki.algorithm.algorithm.to_id_string();
    let curve = spki
        .algorithm
        .parameters
        .as_ref()
        .and_then(|p| p.as_oid().ok());
    let curve = curve.map(|oid| oid.to_id_string());
    let point = spki.subject_public_key.data.as_ref();
    match (algorithm, kind.as_str(), curve.as_deref()) {
        (Algorithm::RS256 | Algorithm::PS256, "1.2.840.113549.1.1.1", _) => match spki.parsed() {
            // DER integers have a zero octet before a leading one bit.
            Ok(PublicKey::RSA(key)) => rsa(
                without_sign(key.modulus),
                without_sign(key.exponent),
                algorithm,
            ),
            _ => Err(UNREADABLE),
        },
        (Algorithm::ES256, "1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7"))
        | (Algorithm::ES384, "1.2.840.10045.2.1", Some("1.3.132.0.34")) => {
            ec_point(point, algorithm)
        }
        (Algorithm::EdDSA, "1.3.101.112", None) => ed25519(point),
        _ => Err("it is of another kind or curve: correct the algorithm or the file"),
    }
}

fn without_sign(integer: &[u8]) -> &[u8] {
    integer.strip_prefix(&[0]).unwrap_or(integer)
}

//= RFC 8725 section 3.5
//# A key too weak for its algorithm is refused when it is loaded.
fn rsa(n: &[u8], e: &[u8], algorithm: Algorithm) -> Result<Public, &'static str> {
    let bits = n
        .first()
        .map_or(0, |top| n.len() * 8 - top.leading_zeros() as usize);
    if n.first() == Some(&0) || e.first() == Some(&0) {
        return Err("n or e begins with a zero octet: leave it out (RFC 7518 section 6.3.1)");
    }
    if !RSA_BITS.contains(&bits) {
        return Err("RSA keys must have 2048 to 8192 bits: make a new one at the issuer");
    }
    // An exponent of 1 would let anyone write signatures; an even one is no RSA key.
    let odd = |number: &[u8]| number.last().is_some_and(|low| low & 1 == 1);
    if !odd(e) || e == [1] || e.len() > 4 || !odd(n) {
        return Err("n or e is no RSA modulus or exponent: use 65537 and an odd modulus");
    }
    let parsed = RsaPublicKeyComponents { n, e }.to_parsed_public_key(algorithm.rsa());
    let parsed = parsed.map_err(|_| "n and e make no RSA key")?;
    Ok(Public::new(parsed, &[n, e]))
}

fn ec_coordinates(x: &[u8], y: &[u8], algorithm: Algorithm) -> Result<Public, &'static str> {
    let mut point = Vec::with_capacity(1 + x.len() + y.len());
    point.push(0x04);
    point.extend_from_slice(x);
    point.extend_from_slice(y);
    if x.len() != y.len() {
        return Err("x and y must be full-size coordinates (RFC 7518 section 6.2.1)");
    }
    ec_point(&point, algorithm)
}

//= RFC 8725 section 3.4
//# The point of an elliptic-curve key must lie on its curve.
fn ec_point(point: &[u8], algorithm: Algorithm) -> Result<Public, &'static str> {
    let (size, verification) = match algorithm {
        Algorithm::ES384 => (48, &signature::ECDSA_P384_SHA384_FIXED),
        _ => (32, &signature::ECDSA_P256_SHA256_FIXED),
    };
    if point.len() != 1 + 2 * size || point.first() != Some(&0x04) {
        return Err("expected an uncompressed point of its curve's size: export the key again");
    }
    let parsed = ParsedPublicKey::new(verification, point);
    let parsed = parsed.map_err(|_| "its point is not on the curve")?;
    Ok(Public::new(parsed, &[point]))
}

fn ed25519(point: &[u8]) -> Result<Public, &'static str> {
    if point.len() != 32 {
        return Err("an Ed25519 key has 32 octets: export the key again");
    }
    let parsed = ParsedPublicKey::new(&signature::ED25519, point);
    let parsed = parsed.map_err(|_| "it is no Ed25519 key")?;
    Ok(Public::new(parsed, &[point]))
}
