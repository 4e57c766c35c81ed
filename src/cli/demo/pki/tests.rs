use std::process::Command;

use x509_parser::der_parser::asn1_rs::Tag;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;

const METERS: Leaf = Leaf::client(
    "meters",
    "Meters Example",
    "meters",
    Name::Dns("meters.example.com"),
);
const FLEET: Leaf = Leaf::client(
    "fleet",
    "Fleet Example",
    "fleet",
    Name::Uri("urn:example:scs:fleet"),
);

fn made() -> State {
    let state = State::make(None).unwrap();
    let spki = soft_key(&state, "server.key.pem").unwrap();
    make(&state, &spki, &[METERS, FLEET]).unwrap();
    state
}

fn with<T>(state: &State, file: &str, look: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
    let der = read_certificate(&state.file(file)).unwrap();
    let (rest, certificate) = X509Certificate::from_der(&der).unwrap();
    assert!(rest.is_empty());
    look(&certificate)
}

const LEAVES: [&str; 4] = ["server.pem", "meters.pem", "fleet.pem", "stranger.pem"];
const AUTHORITIES: [&str; 2] = ["server-ca.pem", "partner-ca.pem"];

//= TS 33.310 clause 6.1.4a type=test
//# A TLS CA says critically that it is one, for end entities only, and signs certificates.
#[test]
fn authority_is_one_critically_and_for_end_entities_only() {
    let state = made();
    for file in AUTHORITIES {
        with(&state, file, |certificate| {
            let constraints = certificate.basic_constraints().unwrap().unwrap();
            assert!(constraints.critical && constraints.value.ca);
            assert_eq!(constraints.value.path_len_constraint, Some(0));
            let usage = certificate.key_usage().unwrap().unwrap();
            assert!(usage.critical);
            assert!(usage.value.key_cert_sign() && usage.value.crl_sign());
            assert!(!usage.value.digital_signature());
        });
    }
}

//= TS 33.310 clause 6.1.3a type=test
//# A TLS entity's certificate is for signatures, critically, and says where its CRL is.
#[test]
fn entity_is_for_signatures_critically_and_names_its_crl() {
    let state = made();
    for file in LEAVES {
        with(&state, file, |certificate| {
            let usage = certificate.key_usage().unwrap().unwrap();
            assert!(usage.critical && usage.value.digital_signature());
            assert!(!usage.value.key_cert_sign());
            let extended = certificate.extended_key_usage().unwrap().unwrap();
            assert!(!extended.critical);
            assert_eq!(extended.value.server_auth, file == "server.pem");
            assert_eq!(extended.value.client_auth, file != "server.pem");
            assert!(certificate.basic_constraints().unwrap().is_none());
            let mut found = [false; 3];
            for extension in certificate.extensions() {
                match extension.parsed_extension() {
                    ParsedExtension::AuthorityKeyIdentifier(_) => found[0] = true,
                    ParsedExtension::SubjectKeyIdentifier(id) => found[1] = id.0.len() == 20,
                    ParsedExtension::CRLDistributionPoints(points) => {
                        found[2] = points.iter().count() == 1;
                    }
                    _ => continue,
                }
                assert!(!extension.critical);
            }
            assert_eq!(found, [true; 3], "{file}");
        });
    }
}

//= TS 33.310 clause 6.1.1 type=test
//# Names are country, organization and common name; the latter two in UTF-8.
#[test]
fn names_are_of_the_string_types_the_profile_asks_for() {
    let state = made();
    for file in LEAVES.iter().chain(&AUTHORITIES) {
        with(&state, file, |certificate| {
            assert_eq!(certificate.version().0, 2, "X.509 v3");
            let tags: Vec<Tag> = certificate
                .subject()
                .iter_attributes()
                .map(|attribute| attribute.attr_value().tag())
                .collect();
            let expected = [Tag::PrintableString, Tag::Utf8String, Tag::Utf8String];
            assert_eq!(tags, expected, "{file}");
        });
    }
}

#[test]
fn each_entity_carries_its_one_name() {
    let state = made();
    let names = [
        ("server.pem", GeneralName::DNSName("localhost")),
        ("meters.pem", GeneralName::DNSName("meters.example.com")),
        ("fleet.pem", GeneralName::URI("urn:example:scs:fleet")),
    ];
    for (file, name) in names {
        with(&state, file, |certificate| {
            let names = certificate.subject_alternative_name().unwrap().unwrap();
            assert_eq!(names.value.general_names, [name]);
        });
    }
}

fn openssl_verifies(state: &State, authority: &str, purpose: &str, file: &str) -> bool {
    let verified = Command::new("openssl")
        .args(["verify", "-x509_strict", "-purpose", purpose, "-CAfile"])
        .arg(state.file(authority))
        .arg(state.file(file))
        .output()
        .expect("openssl (make setup)");
    verified.status.success()
}

#[test]
fn openssl_takes_each_certificate_for_its_purpose_and_no_other() {
    let state = made();
    assert!(openssl_verifies(
        &state,
        "server-ca.pem",
        "sslserver",
        "server.pem"
    ));
    assert!(!openssl_verifies(
        &state,
        "server-ca.pem",
        "sslclient",
        "server.pem"
    ));
    for file in ["meters.pem", "fleet.pem"] {
        assert!(openssl_verifies(
            &state,
            "partner-ca.pem",
            "sslclient",
            file
        ));
        assert!(!openssl_verifies(
            &state,
            "partner-ca.pem",
            "sslserver",
            file
        ));
        assert!(!openssl_verifies(
            &state,
            "server-ca.pem",
            "sslclient",
            file
        ));
    }
    assert!(!openssl_verifies(
        &state,
        "partner-ca.pem",
        "sslclient",
        "stranger.pem"
    ));
}
