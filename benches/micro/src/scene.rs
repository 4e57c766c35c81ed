//! A gateway as configured, without sockets: its snapshot is loaded from files as `serve` does it.
//! Keys and certificates are made anew each time; nothing that is counted depends on their bytes.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::CertificateDer;
use serde_json::json;
use t8gate::clock::UnixSeconds;
use t8gate::snapshot::Snapshot;

use crate::messages::TOKEN_CHARACTERS;

/// When it all takes place.
pub const NOW: UnixSeconds = UnixSeconds(1_795_000_000);
/// The gateway's name.
pub const HOST: &str = "t8.operator.example";

const CLIENT_NAME: &str = "scs.acme.example";
const ISSUER: &str = "https://as.operator.example/t8";
const AUDIENCE: &str = "https://t8.operator.example";
/// Base64url of the 64 bytes of an ES256 signature.
const SIGNATURE_CHARACTERS: usize = 86;

/// A certificate and its key.
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    pub key: KeyPair,
}

/// What is configured, and the other side of it.
pub struct Scene {
    pub snapshot: Snapshot,
    /// The authority of the gateway's own certificate.
    pub operator_ca: CertificateDer<'static>,
    /// The SCS/AS.
    pub partner: Identity,
    pen: EcdsaKeyPair,
    thumbprint: String,
}

impl Scene {
    /// Sets it, for the rest of the process: what is measured may borrow from it.
    pub fn set() -> &'static Self {
        let folder = tempfile::tempdir().expect("room for a few files");
        let operator = authority();
        let partners = authority();
        let server = issue(&operator, HOST, ExtendedKeyUsagePurpose::ServerAuth);
        let partner = issue(&partners, CLIENT_NAME, ExtendedKeyUsagePurpose::ClientAuth);
        let pen = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        for (name, text) in [
            ("server.pem", pem(&server.certificate)),
            ("server.key", server.key.serialize_pem()),
            ("client-ca.pem", pem(&partners.certificate)),
            ("issuer.jwks", jwks(&pen)),
            ("t8gate.toml", configuration()),
        ] {
            std::fs::write(folder.path().join(name), text).expect("a writable folder");
        }
        let scene = Self {
            snapshot: load(&folder.path().join("t8gate.toml")),
            operator_ca: operator.certificate,
            thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, &partner.certificate)),
            partner,
            pen,
        };
        Box::leak(Box::new(scene))
    }

    /// What its tokens are verified by: an uncompressed point.
    pub fn public_key(&self) -> &[u8] {
        self.pen.public_key().as_ref()
    }

    /// A good token of the SCS/AS, signed; another number, another token.
    pub fn token(&self, number: usize) -> String {
        let signed = self.unsigned(number);
        let random = SystemRandom::new();
        let signature = self.pen.sign(&random, signed.as_bytes()).expect("signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What looks like such a token and is none: signing thousands under valgrind takes minutes,
    /// and a token that is remembered is not verified.
    pub fn token_look_alike(&self, number: usize) -> String {
        // The cache hashes the signature; this one differs in all its parts from the next one.
        let mut state = number as u64;
        let bytes: Vec<u8> = (0..8).flat_map(|_| scatter(&mut state)).collect();
        format!(
            "{}.{}",
            self.unsigned(number),
            URL_SAFE_NO_PAD.encode(bytes)
        )
    }

    fn unsigned(&self, number: usize) -> String {
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": "first"});
        let claims = |jti: &str| {
            json!({
                "iss": ISSUER, "aud": AUDIENCE, "sub": "acme-app", "client_id": "acme-app",
                "iat": NOW.0, "exp": NOW.0 + 600, "jti": jti,
                "scope": "3gpp-monitoring-event 3gpp-nidd 3gpp-device-triggering",
                "cnf": {"x5t#S256": self.thumbprint},
            })
        };
        let written = |jti: &str| {
            let parts = [header.to_string(), claims(jti).to_string()];
            parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
        };
        let wanted = TOKEN_CHARACTERS - 1 - SIGNATURE_CHARACTERS;
        let jti = format!("{number:010}");
        let missing = wanted - written(&jti).len();
        // Four characters of base64 are three of the text; the rest is found by trying.
        (missing * 3 / 4 - 1..)
            .map(|padding| written(&format!("{jti}{}", "0".repeat(padding))))
            .find(|text| text.len() >= wanted)
            .expect("one is long enough")
    }
}

/// The next eight bytes of a sequence that looks random (splitmix64).
fn scatter(state: &mut u64) -> [u8; 8] {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ mixed >> 31).to_le_bytes()
}

fn configuration() -> String {
    format!(
        r#"
[listen]
address = "127.0.0.1:8443"
server_names = ["{HOST}"]
[tls]
certificate = "server.pem"
client_ca = "client-ca.pem"
key.file = "server.key"
[[issuer]]
name = "{ISSUER}"
audience = "{AUDIENCE}"
jwks = "issuer.jwks"
[[client]]
name = "acme"
client_id = "acme-app"
sans = ["dns:{CLIENT_NAME}"]
scs_as_ids = ["acme-test", "acme"]
[[client]]
name = "globex"
sans = ["uri:urn:scs:globex"]
scs_as_ids = ["globex"]
[upstream]
address = "127.0.0.1:8080"
[privacy]
plmns = ["001-01", "999-070"]
"#
    )
}

fn load(file: &Path) -> Snapshot {
    let config = t8gate::config::read(file).unwrap_or_else(|faults| panic!("{faults:?}"));
    let (snapshot, report) = t8gate::control::load::load(&config, NOW, None);
    snapshot.unwrap_or_else(|| panic!("{:?}", report.faults()))
}

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn named(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let names = [
        (DnType::OrganizationName, "Bench"),
        (DnType::CommonName, common_name),
    ];
    for (kind, name) in names {
        params.distinguished_name.push(kind, name);
    }
    params
}

fn authority() -> Authority {
    let key = KeyPair::generate().expect("a key");
    let mut params = named("TLS CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).expect("a sound request");
    Authority {
        certificate: certificate.der().clone(),
        issuer: Issuer::new(params, key),
    }
}

fn issue(authority: &Authority, name: &str, usage: ExtendedKeyUsagePurpose) -> Identity {
    let key = KeyPair::generate().expect("a key");
    let mut params = named(name);
    let uris = vec!["http://crl.example/t8.crl".to_owned()];
    params.crl_distribution_points = vec![CrlDistributionPoint { uris }];
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().expect("ASCII"))];
    params.extended_key_usages = vec![usage];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let certificate = params.signed_by(&key, &authority.issuer);
    Identity {
        certificate: certificate.expect("a sound request").der().clone(),
        key,
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn jwks(pen: &EcdsaKeyPair) -> String {
    // An uncompressed point: 04, x, y.
    let point = pen.public_key().as_ref();
    let [x, y] = [1..33, 33..65].map(|range| URL_SAFE_NO_PAD.encode(&point[range]));
    let key = json!({
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "first", "x": x, "y": y,
    });
    json!({"keys": [key]}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_of_one_length_and_all_different() {
        let scene = Scene::set();
        let tokens = [
            scene.token(0),
            scene.token(99_999),
            scene.token_look_alike(0),
            scene.token_look_alike(1),
        ];
        for (place, token) in tokens.iter().enumerate() {
            assert_eq!(token.len(), TOKEN_CHARACTERS);
            assert!(!tokens[..place].contains(token));
        }
    }
}
