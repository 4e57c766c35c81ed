//! What the issuer publishes: its key and its description. Both are made once.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{IssuerFault, JWKS_PATH, TOKEN_PATH};
use crate::authz::apis::ApiId;
use crate::authz::keys::Algorithm;
use crate::authz::scope;

/// The public key that verifies the issuer's tokens, as a JSON Web Key.
#[derive(Serialize)]
pub struct PublicJwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: String,
    #[serde(rename = "use")]
    used_for: &'static str,
    alg: &'static str,
    pub kid: String,
}

impl PublicJwk {
    /// From the DER SubjectPublicKeyInfo of a P-256 key.
    pub fn from_spki(spki: &[u8]) -> Result<Self, IssuerFault> {
        let info = SubjectPublicKeyInfo::from_der(spki).ok();
        let point = info.map(|(_, info)| info.subject_public_key.data);
        let coordinates = match point.as_deref() {
            Some([0x04, coordinates @ ..]) if coordinates.len() == 64 => coordinates,
            _ => {
                return Err(IssuerFault {
                    client: None,
                    what: "the public key that belongs to the token key is not a point of P-256"
                        .to_owned(),
                    cure: "make a new key pair".to_owned(),
                    lasts: true,
                });
            }
        };
        let (x, y) = coordinates.split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        Ok(Self {
            kid: thumbprint(&x, &y),
            kty: "EC",
            crv: "P-256",
            x,
            y,
            used_for: "sig",
            alg: "ES256",
        })
    }
}

/// A name for the key that follows from the key alone, so that every node gives it the same one
/// and another key never has it.
//= RFC 7638 section 3
//# SHA-256 over the required members in the order of their names, without white space.
fn thumbprint(x: &str, y: &str) -> String {
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()))
}

/// A JWK Set of this one key.
//= RFC 7517 section 5
//# A key set is an object with an array "keys".
pub fn jwks(key: &PublicJwk) -> Vec<u8> {
    #[derive(Serialize)]
    struct Set<'k> {
        keys: [&'k PublicJwk; 1],
    }
    serde_json::to_vec(&Set { keys: [key] }).expect("strings only, which are always JSON")
}

/// The metadata of the issuer called `name`.
//= RFC 8414 section 2
//# issuer, token_endpoint, jwks_uri and response_types_supported are named; URLs are https.
pub fn metadata(name: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Metadata<'n> {
        issuer: &'n str,
        token_endpoint: String,
        jwks_uri: String,
        scopes_supported: Vec<String>,
        // Required even of an issuer without authorization endpoint, and some readers take an
        // empty list for a missing one. "none" is the registered value for: no code, no token.
        response_types_supported: [&'static str; 1],
        grant_types_supported: [&'static str; 1],
        token_endpoint_auth_methods_supported: [&'static str; 2],
        token_endpoint_auth_signing_alg_values_supported: [&'static str; 5],
        //= RFC 8705 section 3.3
        //# An issuer whose tokens are bound to the client's certificate says so.
        tls_client_certificate_bound_access_tokens: bool,
    }
    let metadata = Metadata {
        issuer: name,
        token_endpoint: format!("{name}{TOKEN_PATH}"),
        jwks_uri: format!("{name}{JWKS_PATH}"),
        scopes_supported: ApiId::all().flat_map(scope::values_of).collect(),
        response_types_supported: ["none"],
        grant_types_supported: ["client_credentials"],
        token_endpoint_auth_methods_supported: ["tls_client_auth", "private_key_jwt"],
        token_endpoint_auth_signing_alg_values_supported: Algorithm::ALL.map(Algorithm::name),
        tls_client_certificate_bound_access_tokens: true,
    };
    serde_json::to_vec(&metadata).expect("strings and a bool, which are always JSON")
}
