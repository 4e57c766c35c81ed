//! What the issuer publishes: its keys and its description. Both are made once.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{INTROSPECTION_PATH, IssuerFault, JWKS_PATH, REVOCATION_PATH, TOKEN_PATH};
use crate::authz::apis::ApiSet;
use crate::authz::details;
use crate::authz::keys::Algorithm;
use crate::authz::scope;
use crate::clock::UnixSeconds;

/// A public key that verifies the issuer's tokens, as a JSON Web Key.
#[derive(Serialize)]
pub struct PublicJwk {
    #[serde(flatten)]
    members: Members,
    #[serde(rename = "use")]
    used_for: &'static str,
    alg: &'static str,
    kid: String,
    /// The last second in which something that it signed may be valid, where it signs no more.
    #[serde(skip)]
    until: Option<UnixSeconds>,
}

/// What of a key its thumbprint is made of, in the order of the names.
#[derive(Serialize)]
#[serde(untagged)]
enum Members {
    Ec {
        crv: &'static str,
        kty: &'static str,
        x: String,
        y: String,
    },
    Rsa {
        e: String,
        kty: &'static str,
        n: String,
    },
}

impl PublicJwk {
    /// From the DER SubjectPublicKeyInfo of a P-256 or RSA key.
    ///
    /// # Errors
    /// It is none of these.
    pub fn from_spki(spki: &[u8]) -> Result<Self, IssuerFault> {
        let members = SubjectPublicKeyInfo::from_der(spki)
            .ok()
            .and_then(|(rest, info)| rest.is_empty().then(|| Members::of(&info))?);
        let members = members.ok_or_else(|| IssuerFault {
            client: None,
            what: "the public key of a token key is neither a point of P-256 nor an RSA key"
                .to_owned(),
            cure: "make a new key pair".to_owned(),
            lasts: true,
        })?;
        Ok(Self {
            kid: members.thumbprint(),
            alg: match members {
                Members::Ec { .. } => Algorithm::ES256.name(),
                Members::Rsa { .. } => Algorithm::RS256.name(),
            },
            members,
            used_for: "sig",
            until: None,
        })
    }

    /// From a PEM file of a public key (`BEGIN PUBLIC KEY`).
    ///
    /// # Errors
    /// As [`Self::from_spki`], and of another content.
    pub fn from_pem(pem: &[u8]) -> Result<Self, IssuerFault> {
        let mut found = SubjectPublicKeyInfoDer::pem_slice_iter(pem);
        match (found.next(), found.next()) {
            (Some(Ok(spki)), None) => Self::from_spki(&spki),
            _ => Err(IssuerFault {
                client: None,
                what: "the file of an old key does not hold exactly one public key".to_owned(),
                cure: "put the public key alone there: openssl pkey -pubout".to_owned(),
                lasts: true,
            }),
        }
    }

    /// The same of a key that signs no more: what it signed has ended after that moment.
    #[must_use]
    pub fn ending(self, until: Option<UnixSeconds>) -> Self {
        Self { until, ..self }
    }

    pub(super) fn until(&self) -> Option<UnixSeconds> {
        self.until
    }

    /// Its name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) fn alg(&self) -> &'static str {
        self.alg
    }
}

impl Members {
    fn of(info: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        match info.parsed().ok()? {
            PublicKey::EC(point) => {
                let [0x04, coordinates @ ..] = point.data() else {
                    return None;
                };
                // Of the known curves only P-256 has coordinates of this size.
                let (x, y) = coordinates.split_at_checked(32)?;
                (y.len() == 32).then(|| Self::Ec {
                    crv: "P-256",
                    kty: "EC",
                    x: URL_SAFE_NO_PAD.encode(x),
                    y: URL_SAFE_NO_PAD.encode(y),
                })
            }
            PublicKey::RSA(key) => {
                // DER integers have a zero octet before a leading one bit.
                let bare = |number: &[u8]| {
                    let zeros = number.iter().take_while(|octet| **octet == 0).count();
                    URL_SAFE_NO_PAD.encode(number.get(zeros..).unwrap_or_default())
                };
                Some(Self::Rsa {
                    e: bare(key.exponent),
                    kty: "RSA",
                    n: bare(key.modulus),
                })
            }
            _ => None,
        }
    }

    /// A name for the key that follows from the key alone, so that every node gives it the same
    /// one and another key never has it.
    //= RFC 7638 section 3
    //# SHA-256 over the required members in the order of their names, without white space.
    fn thumbprint(&self) -> String {
        let members = serde_json::to_vec(self).expect("strings only, which are always JSON");
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &members))
    }
}

/// The metadata of the issuer called `name`, which grants what can be done with these APIs and may
/// have somewhere to keep revocations.
//= RFC 8414 section 2
//# issuer, token_endpoint, jwks_uri and response_types_supported are named; URLs are https.
pub fn metadata(name: &str, apis: ApiSet, revokes: bool) -> Vec<u8> {
    const METHODS: [&str; 3] = [
        "tls_client_auth",
        "self_signed_tls_client_auth",
        "private_key_jwt",
    ];
    let algorithms = || Algorithm::ALL.map(Algorithm::name);
    let at = |path: &str| format!("{name}{path}");
    let mut metadata = serde_json::json!({
        "issuer": name,
        "token_endpoint": at(TOKEN_PATH),
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": algorithms(),
        "introspection_endpoint": at(INTROSPECTION_PATH),
        "introspection_endpoint_auth_methods_supported": METHODS,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms(),
        "jwks_uri": at(JWKS_PATH),
        "scopes_supported": apis.iter().flat_map(scope::values_of).collect::<Vec<_>>(),
        // Required even of an issuer without authorization endpoint, and some readers take an
        // empty list for a missing one. "none" is the registered value for: no code, no token.
        "response_types_supported": ["none"],
        "grant_types_supported": ["client_credentials"],
        //= RFC 9396 section 10
        //# The types of details that are taken are named.
        "authorization_details_types_supported": [details::TYPE],
        //= RFC 8705 section 3.3
        //# An issuer whose tokens are bound to the client's certificate says so.
        "tls_client_certificate_bound_access_tokens": true,
        //= RFC 8705 section 5
        //# Endpoints for mutual TLS are named; here they are the same, for there are no others.
        "mtls_endpoint_aliases": {
            "token_endpoint": at(TOKEN_PATH),
            "introspection_endpoint": at(INTROSPECTION_PATH),
        },
    });
    //= RFC 8414 section 2
    //# Where tokens are ended, and how clients authenticate there, is named, if they can be.
    if revokes {
        let endpoint = "revocation_endpoint";
        metadata[endpoint] = at(REVOCATION_PATH).into();
        metadata[format!("{endpoint}_auth_methods_supported")] = METHODS[..].into();
        metadata[format!("{endpoint}_auth_signing_alg_values_supported")] = algorithms()[..].into();
        metadata["mtls_endpoint_aliases"][endpoint] = at(REVOCATION_PATH).into();
    }
    metadata.to_string().into_bytes()
}
