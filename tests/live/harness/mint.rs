//! An authorization server's pen: signs access tokens, good and bad.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// The issuer the gateway of a test trusts, unless told otherwise.
pub const ISSUER: &str = "https://as.example/t8";
/// What tokens for the gateway of a test are for.
pub const AUDIENCE: &str = "https://t8.example";

/// The algorithms a gateway takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Es256,
    Es384,
    Rs256,
    Ps256,
    EdDsa,
}

impl Algorithm {
    pub const ALL: [Self; 5] = [
        Self::Es256,
        Self::Es384,
        Self::Rs256,
        Self::Ps256,
        Self::EdDsa,
    ];

    /// The `alg` of RFC 7518 and RFC 8037.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

enum Pen {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// One signing key of an authorization server.
pub struct Mint {
    pub algorithm: Algorithm,
    pub kid: String,
    pen: Pen,
}

impl Mint {
    pub fn new(algorithm: Algorithm, kid: &str) -> Self {
        let pen = match algorithm {
            Algorithm::Es256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Rs256 | Algorithm::Ps256 => {
                Pen::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))
            }
            Algorithm::EdDsa => Pen::Ed(Ed25519KeyPair::generate().expect("a key")),
        };
        Self {
            algorithm,
            kid: kid.to_owned(),
            pen,
        }
    }

    /// The header of a good token.
    pub fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": self.algorithm.name(), "kid": self.kid})
    }

    /// A token from any header and claims.
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        self.token_of_text(&header.to_string(), &claims.to_string())
    }

    /// A good token with the given claims.
    pub fn good(&self, claims: &Value) -> String {
        self.token(&self.header(), claims)
    }

    /// A token from header and claims as text, which need not even be JSON.
    pub fn token_of_text(&self, header: &str, claims: &str) -> String {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A signature over whatever is to be signed.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pen {
            Pen::Ec(key) => key.sign(&random, message).expect("signs").as_ref().to_vec(),
            Pen::Ed(key) => key.sign(message).as_ref().to_vec(),
            Pen::Rsa(key) => {
                let padding: &'static dyn aws_lc_rs::signature::RsaEncoding =
                    if self.algorithm == Algorithm::Ps256 {
                        &RSA_PSS_SHA256
                    } else {
                        &RSA_PKCS1_SHA256
                    };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message, &mut signature)
                    .expect("signs");
                signature
            }
        }
    }

    /// The public key as a JWK with `kid`, `alg` and `use`.
    pub fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
        let mut jwk = Map::new();
        jwk.insert("kid".to_owned(), self.kid.clone().into());
        jwk.insert("alg".to_owned(), self.algorithm.name().into());
        jwk.insert("use".to_owned(), "sig".into());
        match &self.pen {
            Pen::Ec(key) => {
                // An uncompressed point: 04, x, y.
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                jwk.insert("kty".to_owned(), "EC".into());
                jwk.insert("crv".to_owned(), curve.into());
                jwk.insert("x".to_owned(), encode(x));
                jwk.insert("y".to_owned(), encode(y));
            }
            Pen::Ed(key) => {
                jwk.insert("kty".to_owned(), "OKP".into());
                jwk.insert("crv".to_owned(), "Ed25519".into());
                jwk.insert("x".to_owned(), encode(key.public_key().as_ref()));
            }
            Pen::Rsa(key) => {
                let (modulus, exponent) = rsa_parts(key);
                jwk.insert("kty".to_owned(), "RSA".into());
                jwk.insert("n".to_owned(), encode(&modulus));
                jwk.insert("e".to_owned(), encode(&exponent));
            }
        }
        Value::Object(jwk)
    }

    /// The public key as a PEM SubjectPublicKeyInfo.
    pub fn public_pem(&self) -> String {
        let der = self.public_der();
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<&str> = body
            .as_bytes()
            .chunks(64)
            .filter_map(|l| str::from_utf8(l).ok())
            .collect();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }

    fn public_der(&self) -> Vec<u8> {
        use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
        let der: PublicKeyX509Der<'_> = match &self.pen {
            Pen::Ec(key) => key.public_key().as_der().expect("a sound key"),
            Pen::Ed(key) => key.public_key().as_der().expect("a sound key"),
            Pen::Rsa(key) => key.public_key().as_der().expect("a sound key"),
        };
        der.as_ref().to_vec()
    }
}

fn ec(algorithm: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm) -> Pen {
    Pen::Ec(EcdsaKeyPair::generate(algorithm).expect("a key"))
}

/// Modulus and exponent, big-endian, without leading zeros.
fn rsa_parts(key: &RsaKeyPair) -> (Vec<u8>, Vec<u8>) {
    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    let der: PublicKeyX509Der<'_> = key.public_key().as_der().expect("a sound key");
    let (_, spki) = SubjectPublicKeyInfo::from_der(der.as_ref()).expect("made by aws-lc-rs");
    let Ok(PublicKey::RSA(public)) = spki.parsed() else {
        panic!("an RSA key was asked for")
    };
    let bare = |bytes: &[u8]| {
        bytes
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect()
    };
    (bare(public.modulus), bare(public.exponent))
}

/// Writes a JWKS of these mints' public keys.
pub fn write_jwks(directory: &Path, mints: &[&Mint]) -> PathBuf {
    let path = directory.join("jwks.json");
    std::fs::write(&path, jwks(mints).to_string()).expect("a writable directory");
    path
}

/// A JWKS of these mints' public keys.
pub fn jwks(mints: &[&Mint]) -> Value {
    let keys: Vec<Value> = mints.iter().map(|mint| mint.jwk()).collect();
    json!({"keys": keys})
}

/// The claims of a good token: five minutes from now, for `client_id`, for APIs in `scope`,
/// bound to the certificate with this thumbprint.
pub fn claims(client_id: &str, scope: &str, thumbprint: &str) -> Value {
    let now = now_s();
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": client_id,
        "client_id": client_id,
        "iat": now,
        "exp": now + 300,
        "jti": format!("jti-{now}"),
        "scope": scope,
        "cnf": {"x5t#S256": thumbprint},
    })
}

/// Seconds since 1970.
pub fn now_s() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the sun dies")
}

/// The same claims without one of them.
pub fn without(mut claims: Value, name: &str) -> Value {
    claims
        .as_object_mut()
        .expect("claims are an object")
        .remove(name)
        .expect("was there");
    claims
}

/// The same claims with one of them changed or added.
pub fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims
        .as_object_mut()
        .expect("claims are an object")
        .insert(name.to_owned(), value.into());
    claims
}
