//! Access tokens as an authorization server would sign them: ES256, bound to the client's
//! certificate, and exactly as long as those that the published marks were measured with.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::ground::SCS_AS_ID;

/// Characters of a token.
pub const CHARACTERS: usize = 690;
/// The `iss` claim.
pub const ISSUER: &str = "https://issuer.bench.example";
/// The `aud` claim.
pub const AUDIENCE: &str = "https://t8.bench.example";
/// The API of the requests.
pub const SCOPE: &str = "3gpp-monitoring-event";
/// The key's name.
const KID: &str = "bench-1";
/// Longer than the longest bench.
const LIFETIME_S: u64 = 12 * 3_600;

/// A signing key.
pub struct Mint {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Mint {
    /// With a new key.
    ///
    /// # Errors
    /// When the machine has no random numbers.
    pub fn new() -> Result<Self, Fault> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Ok(Self {
            key: key.map_err(|error| Fault::new(format!("no signing key: {error}")))?,
            random: SystemRandom::new(),
        })
    }

    /// A JWK Set with the public key.
    pub fn jwks(&self) -> String {
        // An uncompressed point: 04, x, y.
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "kid": KID, "use": "sig", "alg": "ES256",
            "x": encode(x), "y": encode(y),
        }]})
        .to_string()
    }

    /// Tokens that differ in their `jti`, bound to these certificates (DER) in turn, issued at
    /// `now` (seconds since 1970).
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn tokens(
        &self,
        certificates: &[Vec<u8>],
        now: u64,
        count: usize,
    ) -> Result<Vec<String>, Fault> {
        let thumbprint = |der: &Vec<u8>| URL_SAFE_NO_PAD.encode(digest(&SHA256, der));
        let thumbprints: Vec<String> = certificates.iter().map(thumbprint).collect();
        let numbered = thumbprints.iter().cycle().take(count).enumerate();
        let token =
            |(number, thumbprint): (usize, &String)| self.token(&claims(thumbprint, now, number));
        numbered.map(token).collect()
    }

    fn token(&self, claims: &Value) -> Result<String, Fault> {
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": KID}).to_string();
        let header = URL_SAFE_NO_PAD.encode(header);
        // Two dots, and 86 characters of 64 octets of signature.
        let claims = padded(claims, CHARACTERS - header.len() - 88);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = self.key.sign(&self.random, signed.as_bytes());
        let signature =
            signature.map_err(|error| Fault::new(format!("a token was not signed: {error}")))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn claims(thumbprint: &str, now: u64, number: usize) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": SCS_AS_ID, "client_id": SCS_AS_ID,
        "iat": now, "exp": now + LIFETIME_S, "jti": format!("{now:012}-{number:06}"),
        "scope": SCOPE, "cnf": {"x5t#S256": thumbprint},
    })
}

/// The claims with one more that brings their encoding to `characters`.
fn padded(claims: &Value, characters: usize) -> String {
    let octets = characters * 3 / 4;
    let mut claims = claims.clone();
    claims["software_id"] = "".into();
    let missing = octets.saturating_sub(claims.to_string().len());
    claims["software_id"] = "x".repeat(missing).into();
    claims.to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tokens_are_distinct_and_of_the_length_that_was_measured_with() {
        let mint = Mint::new().expect("a key");
        let certificates = [b"one".to_vec(), b"another".to_vec()];
        let tokens = mint.tokens(&certificates, 1_700_000_000, 50);
        let tokens = tokens.expect("signs");
        for token in &tokens {
            assert_eq!(token.len(), CHARACTERS);
            assert_eq!(token.matches('.').count(), 2);
        }
        assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), 50);
    }

    #[test]
    fn tokens_are_bound_to_certificates_in_turn() {
        let mint = Mint::new().expect("a key");
        let certificates = [b"one".to_vec(), b"another".to_vec()];
        let tokens = mint.tokens(&certificates, 1_700_000_000, 4).expect("signs");
        let bound = |token: &String| {
            let claims = token.split('.').nth(1).expect("claims");
            let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64url");
            let claims: Value = serde_json::from_slice(&claims).expect("JSON");
            claims["cnf"]["x5t#S256"].clone()
        };
        let bound: Vec<Value> = tokens.iter().map(bound).collect();
        assert_eq!(bound[0], bound[2]);
        assert_eq!(bound[1], bound[3]);
        assert_ne!(bound[0], bound[1]);
    }
}
