//! Tokens and keys for the tests of this room.

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::issuers::{IssuerRules, Issuers, KeySet, Profile};
use super::keys::{Algorithm, Keys};

pub(super) const ISSUER: &str = "https://as.operator.example";
pub(super) const AUDIENCE: &str = "https://t8.operator.example";
/// When the tests take place, and the minted tokens are issued.
pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::EdDSA,
];

pub(super) enum Signer {
    Ec(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
    Ed(Ed25519KeyPair),
}

// RSA keys take long to make: one for all tests.
static RSA: LazyLock<rsa::KeyPair> =
    LazyLock::new(|| rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap());

impl Signer {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let ec = |alg| Self::Ec(EcdsaKeyPair::generate(alg).unwrap());
        match algorithm {
            Algorithm::ES256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::RS256 | Algorithm::PS256 => {
                let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&*RSA).unwrap();
                Self::Rsa(rsa::KeyPair::from_pkcs8(der.as_ref()).unwrap())
            }
            Algorithm::EdDSA => Self::Ed(Ed25519KeyPair::generate().unwrap()),
        }
    }

    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                match algorithm {
                    Algorithm::PS256 => {
                        key.sign(&RSA_PSS_SHA256, &random, message, &mut signature)
                            .unwrap();
                    }
                    _ => key
                        .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                        .unwrap(),
                }
                signature
            }
        }
    }

    /// DER of the SubjectPublicKeyInfo.
    pub(super) fn spki(&self) -> Vec<u8> {
        use aws_lc_rs::encoding::PublicKeyX509Der;
        fn der(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Vec<u8> {
            key.as_der().unwrap().as_ref().to_vec()
        }
        match self {
            Self::Ec(key) => der(key.public_key()),
            Self::Rsa(key) => der(key.public_key()),
            Self::Ed(key) => der(key.public_key()),
        }
    }

    pub(super) fn pem(&self) -> Vec<u8> {
        let text = STANDARD.encode(self.spki());
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n").into_bytes()
    }

    pub(super) fn jwk(&self, algorithm: Algorithm, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Ec(key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let crv = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": crv, "x": b64(x), "y": b64(y)})
            }
            Self::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().as_ref())})
            }
            Self::Rsa(_) => {
                let der = self.spki();
                let (_, spki) = SubjectPublicKeyInfo::from_der(&der).unwrap();
                let Ok(PublicKey::RSA(key)) = spki.parsed() else {
                    unreachable!("an RSA key")
                };
                json!({"kty": "RSA", "n": b64(&key.modulus[1..]), "e": b64(key.exponent)})
            }
        };
        jwk["kid"] = kid.into();
        jwk["alg"] = algorithm.name().into();
        jwk
    }
}

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn jwks(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

pub(super) fn load(jwk: &[Value]) -> Result<Keys, String> {
    Keys::from_jwks(&jwks(jwk))
}

/// The rules of RFC 9068 for [`ISSUER`] and [`AUDIENCE`].
pub(super) fn rules(keys: Keys) -> IssuerRules {
    IssuerRules::new(ISSUER.into(), rfc9068(), KeySet::of(keys)).unwrap()
}

pub(super) fn rfc9068() -> Profile {
    Profile::Rfc9068 {
        audience: AUDIENCE.into(),
    }
}

/// [`ISSUER`] alone, with these keys.
pub(super) fn issuers(jwk: &[Value]) -> Issuers {
    Issuers::new(vec![rules(load(jwk).unwrap())]).unwrap()
}

/// An issuer with one key, `k1`.
pub(super) struct Mint {
    pub algorithm: Algorithm,
    pub signer: Signer,
    pub issuers: Issuers,
}

impl Mint {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let signer = Signer::new(algorithm);
        let issuers = issuers(&[signer.jwk(algorithm, "k1")]);
        Self {
            algorithm,
            signer,
            issuers,
        }
    }

    pub(super) fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": self.algorithm.name(), "kid": "k1"})
    }

    /// Signs these octets, whatever they are.
    pub(super) fn sign(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> Vec<u8> {
        self.sign_parts(&b64(header), &b64(claims))
    }

    /// Signs these two parts of a token as they stand.
    pub(super) fn sign_parts(&self, header: &str, claims: &str) -> Vec<u8> {
        let signed = format!("{header}.{claims}");
        let signature = self.signer.sign(self.algorithm, signed.as_bytes());
        format!("{signed}.{}", b64(signature)).into_bytes()
    }

    /// A good token, but for these claims; a null claim is left out.
    pub(super) fn with(&self, changes: Value) -> Vec<u8> {
        self.sign(
            self.header().to_string(),
            changed(claims(), changes).to_string(),
        )
    }

    /// A good token, but for these header parameters; a null one is left out.
    pub(super) fn with_header(&self, changes: Value) -> Vec<u8> {
        self.sign(
            changed(self.header(), changes).to_string(),
            claims().to_string(),
        )
    }
}

/// The claims of a good token.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "scs-1", "client_id": "scs-1", "jti": "j1",
        "iat": NOW, "exp": NOW + 300, "scope": "3gpp-monitoring-event 3gpp-nidd",
        "cnf": {"x5t#S256": b64([7; 32])},
    })
}

pub(super) fn changed(mut object: Value, changes: Value) -> Value {
    let members = object.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    object
}
