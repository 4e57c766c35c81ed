//! Certificates that are refused in the handshake, by which reason and with which alert.

use super::*;
use crate::tls::revocation::Rules;

#[test]
fn missing_client_certificate_is_refused() {
    let world = World::new();
    for version in BOTH {
        let outcome = refused(&world, world.config(version, &[]), NOW);
        let alert = AlertDescription::CertificateRequired;
        assert_eq!(outcome, (Refusal::NoClientCertificate, alert));
    }
}

#[test]
fn certificate_of_an_untrusted_ca_is_refused() {
    let world = World::new();
    // One with the name of the trusted CA and another key, and one with another name.
    let impostor = scs_as(&ca(), &["one.example"]);
    let (refusal, _) = refused_with(&world, &impostor);
    assert_eq!(refusal, Refusal::BadCertificate);
    let mut params = params("Another");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().clone();
    let stranger = scs_as(
        &Ca {
            issuer: Issuer::new(params, key),
            der,
        },
        &["one.example"],
    );
    let expected = (Refusal::UnknownCa, AlertDescription::UnknownCA);
    assert_eq!(refused_with(&world, &stranger), expected);
}

#[test]
fn expired_certificate_is_refused() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let outcome = refused(&world, world.config(&TLS13, &[&who]), LATER);
    assert_eq!(
        outcome,
        (
            Refusal::CertificateExpired,
            AlertDescription::CertificateExpired
        )
    );
}

#[test]
fn certificate_for_servers_only_is_refused() {
    let world = World::new();
    let who = identity(
        &world.ca,
        &["one.example"],
        ExtendedKeyUsagePurpose::ServerAuth,
    );
    let expected = (
        Refusal::Profile(Rule::ExtendedKeyUsage),
        AlertDescription::UnsupportedCertificate,
    );
    assert_eq!(refused_with(&world, &who), expected);
}

//= TS 33.501 clause 12.2 type=test
//# The identity in the end-entity certificate decides who the client is.
#[test]
fn certificate_with_a_common_name_only_is_refused() {
    let world = World::new();
    let nameless = (
        Refusal::Profile(Rule::SubjectAltName),
        AlertDescription::CertificateUnknown,
    );
    assert_eq!(refused_with(&world, &scs_as(&world.ca, &[])), nameless);
    let expected = (Refusal::NotMapped, AlertDescription::AccessDenied);
    assert_eq!(
        refused_with(&world, &scs_as(&world.ca, &["*.example"])),
        expected
    );
}

#[test]
fn certificate_of_two_clients_is_refused() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example", "two.example"]);
    let expected = (Refusal::MappedTwice, AlertDescription::AccessDenied);
    assert_eq!(refused_with(&world, &who), expected);
}

//= TS 33.310 clause 6.1.4a type=test
//# A CA certificate says that it is one, and that its key may sign certificates.
#[test]
fn anchor_that_may_not_sign_certificates_is_refused() {
    let fault = |anchor: &Ca| {
        let groups = trusting(anchor, RuleSet::EMPTY);
        ClientAuth::new(groups, &clients()).unwrap_err()
    };
    let constrained = IsCa::Ca(BasicConstraints::Constrained(0));
    let mute = fault(&ca_with(vec![KeyUsagePurpose::CrlSign], constrained));
    assert_eq!(mute.group, Some(0));
    assert!(mute.what.contains("ca_key_usage"), "{}", mute.what);
    let leaf = fault(&ca_with(Vec::new(), IsCa::ExplicitNoCa));
    assert!(leaf.what.contains("ca_basic_constraints"), "{}", leaf.what);
    let deep = fault(&root());
    assert!(deep.what.contains("ca_path_length"), "{}", deep.what);
    assert!(deep.cure.contains("pathlen:0"), "{}", deep.cure);
    let none = PartnerGroup {
        name: "default".into(),
        anchors: Vec::new(),
        waived: RuleSet::EMPTY,
        revocation: Rules::default(),
    };
    assert!(ClientAuth::new(vec![none], &clients()).is_err());
}

#[test]
fn name_of_two_clients_is_refused_at_load() {
    let mut both = clients();
    both[1].sans.push(San::Dns("one.EXAMPLE".into()));
    let fault = ClientAuth::new(trusting(&ca(), RuleSet::EMPTY), &both).unwrap_err();
    assert!(fault.what.contains("two clients"), "{}", fault.what);
}
