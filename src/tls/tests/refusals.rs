//! What a client is told, which CAs it is told of, and which of several verdicts counts.

use rustls::server::danger::ClientCertVerifier;
use rustls::{DistinguishedName, NamedGroup};

use super::*;
use crate::limits::CA_NAMES_BYTES_MAX;
use crate::tls::certificate_rules::Alert;
use crate::tls::client_auth::{told, unfit};

#[test]
fn each_refusal_becomes_the_alert_that_comes_closest() {
    let alert = |refusal| {
        let (same, error) = unfit(refusal);
        assert_eq!(same, refusal);
        let Error::InvalidCertificate(error) = error else {
            panic!("{error:?}")
        };
        AlertDescription::from(error)
    };
    let cases = [
        (
            Refusal::CertificateExpired,
            AlertDescription::CertificateExpired,
        ),
        (Refusal::BadCertificate, AlertDescription::BadCertificate),
        (Refusal::UnknownCa, AlertDescription::UnknownCA),
        (
            Refusal::CertificateRevoked,
            AlertDescription::CertificateRevoked,
        ),
        (Refusal::RevokedHere, AlertDescription::CertificateRevoked),
        (Refusal::RevocationUnknown, AlertDescription::UnknownCA),
        (Refusal::RevocationListExpired, AlertDescription::UnknownCA),
        (Refusal::NotMapped, AlertDescription::AccessDenied),
        (Refusal::MappedTwice, AlertDescription::AccessDenied),
        (Refusal::OtherPartner, AlertDescription::AccessDenied),
    ];
    for (refusal, expected) in cases {
        assert_eq!(alert(refusal), expected, "{refusal:?}");
    }
    for row in &RULES {
        let expected = match row.alert {
            Alert::BadCertificate => AlertDescription::BadCertificate,
            Alert::UnsupportedCertificate => AlertDescription::UnsupportedCertificate,
            Alert::CertificateUnknown => AlertDescription::CertificateUnknown,
            Alert::UnknownCa => AlertDescription::UnknownCA,
        };
        assert_eq!(alert(Refusal::Profile(row.rule)), expected, "{}", row.name);
    }
}

#[test]
fn client_is_told_the_names_of_the_cas_that_are_trusted() {
    let world = World::new();
    let auth = ClientAuth::new(trusting(&world.ca, RuleSet::EMPTY), &clients()).unwrap();
    let subject = leaf::parsed(&world.ca.der)
        .unwrap()
        .subject()
        .as_raw()
        .to_vec();
    let told: Vec<&[u8]> = auth
        .root_hint_subjects()
        .iter()
        .map(AsRef::as_ref)
        .collect();
    assert_eq!(told, [subject]);
}

//= RFC 5246 section 7.4.4 type=test
//# Where the names have no room, none is told, and any client may answer.
#[test]
fn names_of_more_cas_than_a_handshake_has_room_for_are_not_told() {
    let name = |octets: usize, last: u8| {
        let mut name = vec![0x30; octets];
        *name.last_mut().unwrap() = last;
        DistinguishedName::from(name)
    };
    let half = CA_NAMES_BYTES_MAX / 2 - 2;
    let both = [name(half, 1), name(half, 2)];
    let told_of = |names: &[DistinguishedName]| told(names.to_vec()).len();
    assert_eq!(told_of(&both), 2);
    // Of several groups, and named once.
    assert_eq!(told_of(&[&both[..], &both].concat()), 2);
    assert_eq!(told_of(&[name(half, 1), name(half + 1, 2)]), 0);
    assert_eq!(told_of(&[&both[..], &[name(1, 3)]].concat()), 0);
}

#[test]
fn names_of_cas_are_told_unless_there_is_no_room() {
    let world = World::new();
    let of = |anchors: Vec<_>| {
        let mut groups = trusting(&world.ca, RuleSet::EMPTY);
        groups[0].anchors = anchors;
        ClientAuth::new(groups, &clients()).unwrap().names_its_cas()
    };
    assert!(of(vec![world.ca.der.clone()]));
    let long = |number: u32| {
        let mut params = params(&format!("{number}{}", "x".repeat(4_000)));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = CA_USAGES.to_vec();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    };
    assert!(!of((0..9).map(long).collect()));
}

#[test]
fn certificate_with_two_names_of_one_client_is_that_clients() {
    let world = World::new();
    let auth = ClientAuth::new(trusting(&world.ca, RuleSet::EMPTY), &clients()).unwrap();
    let of = |sans: &[&str]| {
        let who = scs_as(&world.ca, sans);
        let leaf = auth.continued(&[who.der], NOW)?;
        auth.peer(&leaf, NOW).map(|peer| peer.client())
    };
    assert_eq!(of(&["one.example", "urn:scs:one"]), Ok(ClientIndex(0)));
    let twice = Err(Refusal::MappedTwice);
    assert_eq!(of(&["one.example", "two.example"]), twice);
    assert_eq!(of(&["urn:scs:one", "two.example", "one.example"]), twice);
}

#[test]
fn provider_has_what_its_profile_has_and_nothing_else() {
    for profile in PROFILES {
        let provider = profile.provider();
        let suites = provider.cipher_suites.iter().map(|suite| {
            // rustls knows this one by number alone.
            let name = format!("{:?}", suite.suite());
            name.replace("CipherSuite(0x9e)", "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256")
        });
        assert_eq!(suites.collect::<Vec<_>>(), profile.suites());
        let groups = provider.kx_groups.iter().map(|g| format!("{:?}", g.name()));
        assert_eq!(groups.collect::<Vec<_>>(), profile.groups());
        let verified = provider.signature_verification_algorithms;
        let schemes = profile::VERIFIED.supported_schemes();
        assert_eq!(verified.supported_schemes(), schemes);
    }
    let modern = [
        "TLS13_AES_128_GCM_SHA256",
        "TLS13_AES_256_GCM_SHA384",
        "TLS13_CHACHA20_POLY1305_SHA256",
    ];
    assert_eq!(profile::MODERN.suites(), modern);
    let fips = Profile::of_name("fips").unwrap();
    assert!(fips.provider_of_group(NamedGroup::X25519).is_none());
    let alone = profile::THREE_GPP.provider_of_group(NamedGroup::secp384r1);
    let alone: Vec<_> = alone.unwrap().kx_groups.iter().map(|g| g.name()).collect();
    assert_eq!(alone, [NamedGroup::secp384r1]);
}

#[test]
fn profile_that_needs_fips_is_not_configured_with_another_module() {
    let world = World::new();
    let auth = ClientAuth::new(trusting(&world.ca, RuleSet::EMPTY), &clients()).unwrap();
    let auth = Arc::new(auth.under(Profile::of_name("fips").unwrap()));
    let tickets = BoundTickets::with(Arc::clone(&world.sealing), Arc::clone(&auth), "a");
    let key = ServerKey::new(Arc::new(soft_key(&world.server.key)), false);
    let chain = shown(vec![world.server.der.clone()], key);
    let built = Terminator::build(chain, auth, Vec::new(), tickets).err();
    assert_eq!(
        built.is_some_and(|why| why.contains("FIPS")),
        !cfg!(feature = "fips")
    );
}
