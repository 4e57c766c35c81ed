//! Each rule is broken alone, by a certificate that keeps all others.

use rcgen::{DnType, DnValue, KeyPair, PublicKeyData, RsaKeySize, SignatureAlgorithm};

use super::*;
use crate::tls::leaf::parsed;

#[path = "../../../tests/live/harness/odd_certificates.rs"]
pub(in crate::tls) mod odd_certificates;

use odd_certificates::{
    ANY_PURPOSE, AUTHORITY_INFO_ACCESS, BASIC_CONSTRAINTS, CRL_DISTRIBUTION_POINTS,
    EXTENDED_KEY_USAGE, ISSUER_ALT_NAME, KEY_USAGE, NAME_CONSTRAINTS, Odd, Recipe, SERVER_AUTH,
    SUBJECT_ALT_NAME, SUBJECT_KEY_IDENTIFIER, UNKNOWN, der, subject, version_1, weak_hash,
};

const NAME: &str = "one.example";
const CLIENT: Place = Place::Entity {
    purpose: Purpose::Client,
    direct: true,
};
const ISSUES: Place = Place::Ca {
    issues_entities: true,
};

fn p256() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn ca() -> Odd {
    Recipe::ca("Partner TLS CA").self_signed(p256())
}

fn judged(certificate: &[u8], issuer: &[u8], place: Place) -> Vec<Rule> {
    let (certificate, issuer) = (parsed(certificate).unwrap(), parsed(issuer).unwrap());
    let seen = Seen {
        certificate: &certificate,
        issuer: Some(&issuer),
        place,
    };
    broken(&seen).iter().collect()
}

/// What a client's certificate of this recipe breaks.
fn leaf(recipe: &Recipe) -> Vec<Rule> {
    let ca = ca();
    let made = recipe.signed_by(&ca, p256());
    judged(made.der(), ca.der(), CLIENT)
}

/// What a CA's certificate of this recipe breaks.
fn authority(recipe: &Recipe) -> Vec<Rule> {
    let made = recipe.self_signed(p256());
    judged(made.der(), made.der(), ISSUES)
}

fn client() -> Recipe {
    Recipe::client(NAME)
}

#[test]
fn rules_stand_at_their_places_and_have_names_and_cures_of_their_own() {
    for (place, row) in RULES.iter().enumerate() {
        assert_eq!(row.rule.place(), place, "{}", row.name);
        assert_eq!(Rule::of_name(row.name), Some(row.rule));
        assert_eq!(row.rule.name(), row.name);
        assert_eq!(
            row.cure.contains(&format!("waive {}", row.name)),
            row.waivable
        );
        assert!(!row.demand.is_empty());
    }
    assert_eq!(Rule::of_name("none"), None);
    let all: RuleSet = RULES.iter().map(|row| row.rule).collect();
    assert_eq!(all.iter().count(), RULES.len());
    assert_eq!(all.without(all), RuleSet::EMPTY);
}

#[test]
fn set_of_rules_holds_each_of_them_once() {
    let one = RuleSet::EMPTY.with(Rule::Curve);
    let both = one.with(Rule::KeyUsage);
    assert_eq!(both.with(Rule::Curve), both);
    assert_eq!(both.and(one), both);
    assert_eq!(both.without(one), RuleSet::EMPTY.with(Rule::KeyUsage));
    assert_eq!(RuleSet::of_bits(both.bits()), both);
}

#[test]
fn what_a_rule_applies_to_and_its_alert_are_said_in_words() {
    let applies = [Applies::Every, Applies::Entity, Applies::Ca].map(Applies::word);
    assert_eq!(applies, ["every certificate", "TLS entity", "TLS CA"]);
    let alerts = [
        Alert::BadCertificate,
        Alert::UnsupportedCertificate,
        Alert::CertificateUnknown,
        Alert::UnknownCa,
    ];
    let words = [
        "bad_certificate",
        "unsupported_certificate",
        "certificate_unknown",
        "unknown_ca",
    ];
    assert_eq!(alerts.map(Alert::word), words);
}

//= TS 33.310 clause 6.1 type=test
//# A TLS entity checks certificates against the profile, and takes none that breaks it.
#[test]
fn certificates_of_the_profile_break_no_rule() {
    assert_eq!(leaf(&client()), []);
    assert_eq!(authority(&Recipe::ca("Partner TLS CA")), []);
    let domain = |value: &str| {
        let value = DnValue::Ia5String(value.try_into().unwrap());
        (
            DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 25]),
            value,
        )
    };
    let by_host = vec![
        domain("net"),
        domain("example"),
        (
            DnType::CommonName,
            DnValue::Utf8String("scs.example.net".into()),
        ),
    ];
    assert_eq!(leaf(&client().named(by_host)), []);
    let bare = client().without(&EXTENDED_KEY_USAGE);
    assert_eq!(leaf(&bare), []);
    let uri = der(0x30, &der(0x86, b"urn:scs:one"));
    assert_eq!(leaf(&client().with(&SUBJECT_ALT_NAME, true, &uri)), []);
    // An entity may say either way that it is no CA.
    let no_ca = client().with(&BASIC_CONSTRAINTS, true, &[0x30, 0]);
    assert_eq!(leaf(&no_ca), []);
}

//= TS 33.310 clause 6.1.1 type=test
//# What holds for every certificate: version, algorithms, keys, names and extensions.
#[test]
fn version_and_signature_are_judged() {
    let ca = ca();
    let good = client().signed_by(&ca, p256());
    let old = version_1(good.der());
    assert_eq!(judged(&old, ca.der(), CLIENT), [Rule::Version]);
    let weak = weak_hash(good.der());
    assert_eq!(judged(&weak, ca.der(), CLIENT), [Rule::SignatureHash]);
    let edwards = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let edwards = Recipe::ca("Partner TLS CA").self_signed(edwards);
    let signed = client().signed_by(&edwards, p256());
    let expected = [Rule::SignatureAlgorithm];
    assert_eq!(judged(signed.der(), edwards.der(), CLIENT), expected);
}

/// The same under another AlgorithmIdentifier than ecdsa-with-SHA256: in what is signed, and beside
/// the signature, which does not hold any more.
fn signed_with(certificate: &[u8], algorithm: &[u8]) -> Vec<u8> {
    let sequence = |content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[0x30, 0x82, length[0], length[1]][..], content].concat()
    };
    let ecdsa = der(0x30, &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
    let replaced = |from: &[u8]| {
        let at = from.windows(ecdsa.len()).position(|found| found == ecdsa);
        let (before, after) = from.split_at(at.unwrap());
        [before, algorithm, &after[ecdsa.len()..]].concat()
    };
    let (_, read) = x509_parser::parse_x509_certificate(certificate).unwrap();
    let signed = read.tbs_certificate.as_ref();
    let header = signed.len() - usize::from(u16::from_be_bytes([signed[2], signed[3]]));
    let behind = &certificate[header + signed.len()..];
    sequence(&[sequence(&replaced(&signed[header..])), replaced(behind)].concat())
}

#[test]
fn rsa_pss_is_judged_by_the_hash_in_its_parameters() {
    let ca = ca();
    let made = client().signed_by(&ca, p256());
    let hash = |arc| der(0x30, &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, arc]);
    let pss = |parameters: &[u8]| {
        let id = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
        der(0x30, &[&id[..], &der(0x30, parameters)].concat())
    };
    let of = |algorithm: &[u8]| {
        let certificate = signed_with(made.der(), algorithm);
        judged(&certificate, ca.der(), CLIENT)
    };
    for arc in [1, 2, 3] {
        assert_eq!(of(&pss(&der(0xa0, &hash(arc)))), []);
    }
    // SHA-224, and SHA-1, which is meant where nothing is said.
    assert_eq!(of(&pss(&der(0xa0, &hash(4)))), [Rule::SignatureHash]);
    assert_eq!(of(&pss(&[])), [Rule::SignatureHash]);
}

/// A public key that nobody has the other half of.
struct Modulus(Vec<u8>);

impl PublicKeyData for Modulus {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

impl Modulus {
    /// An RSA key of so many bits.
    fn of_bits(bits: usize) -> Self {
        let mut modulus = vec![0xc3; bits.div_ceil(8)];
        match bits % 8 {
            // A first bit that is set would make it negative.
            0 => modulus.insert(0, 0),
            high => modulus[0] = 1 << (high - 1),
        }
        let long = |tag: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[tag, 0x82, length[0], length[1]][..], content].concat()
        };
        Self(long(
            0x30,
            &[long(2, &modulus), vec![2, 3, 1, 0, 1]].concat(),
        ))
    }
}

#[test]
fn keys_are_judged_by_kind_and_length() {
    let ca = ca();
    let of = |key: KeyPair| judged(client().signed_by(&ca, key).der(), ca.der(), CLIENT);
    let kinds = [
        (&rcgen::PKCS_ED25519, vec![Rule::KeyAlgorithm]),
        (
            &rcgen::PKCS_ECDSA_P521_SHA512,
            vec![Rule::Curve, Rule::SignerStrength],
        ),
        (&rcgen::PKCS_ECDSA_P384_SHA384, vec![Rule::SignerStrength]),
    ];
    for (kind, expected) in kinds {
        assert_eq!(of(KeyPair::generate_for(kind).unwrap()), expected);
    }
    let of = |bits| {
        let made = client().certificate(&ca, &Modulus::of_bits(bits));
        judged(made.der(), ca.der(), CLIENT)
    };
    assert_eq!(of(1024), [Rule::RsaLength]);
    assert_eq!(of(2047), [Rule::RsaLength]);
    assert_eq!(of(2048), []);
    assert_eq!(of(2052), []);
}

#[test]
fn rsa_keys_are_as_strong_as_their_length_says() {
    let ca = ca();
    let certified = |bits| client().certificate(&ca, &Modulus::of_bits(bits));
    // Whether a key of the first length may sign one of the second.
    let may = |signer, subject| {
        let (signer, subject) = (certified(signer), certified(subject));
        let broken = judged(subject.der(), signer.der(), CLIENT);
        !broken.contains(&Rule::SignerStrength)
    };
    let steps = [1024, 2048, 3072, 7680];
    for pair in steps.windows(2) {
        assert!(may(pair[1], pair[0]) && !may(pair[0], pair[1]), "{pair:?}");
        assert!(may(pair[0], pair[1] - 1), "just below the next: {pair:?}");
    }
    assert!(may(512, 1024) && may(7680, 15_360));
}

#[test]
fn signer_weaker_than_its_subject_is_found() {
    let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
    let weak = Recipe::ca("Partner TLS CA").self_signed(rsa(RsaKeySize::_2048));
    let made = client().signed_by(&weak, p256());
    let expected = [Rule::SignerStrength];
    assert_eq!(judged(made.der(), weak.der(), CLIENT), expected);
    let fair = client().signed_by(&weak, rsa(RsaKeySize::_2048));
    assert_eq!(judged(fair.der(), weak.der(), CLIENT), []);
    let strong = Recipe::ca("Partner TLS CA").self_signed(rsa(RsaKeySize::_3072));
    let made = client().signed_by(&strong, p256());
    assert_eq!(judged(made.der(), strong.der(), CLIENT), []);
}

#[test]
fn names_are_judged_by_form_strings_and_order() {
    let utf8 = |text: &str| DnValue::Utf8String(text.into());
    let named = |change: fn(&mut Vec<(DnType, DnValue)>)| {
        let mut names = subject("SCS/AS of a test");
        change(&mut names);
        leaf(&client().named(names))
    };
    assert_eq!(named(|names| drop(names.remove(1))), [Rule::NameForm]);
    assert_eq!(named(|names| drop(names.pop())), [Rule::NameForm]);
    let locality = leaf(&client().named({
        let mut names = subject("x");
        names.insert(1, (DnType::LocalityName, utf8("Lund")));
        names
    }));
    assert_eq!(locality, [Rule::NameForm]);
    for kinds in [
        &["DC", "C", "O", "CN"][..],
        &["DC", "O", "CN"],
        &["C", "DC", "CN"],
        &["O", "OU", "CN"],
        &["DC", "O", "OU", "CN"],
        &["OU", "CN"],
        &["CN"],
        &["DC", "OU"],
    ] {
        let recipe = client().named(kinds.iter().map(|kind| part(kind)).collect());
        assert_eq!(leaf(&recipe), [Rule::NameForm], "{kinds:?}");
    }
    let by_domain = ["DC", "OU", "CN"].map(part).to_vec();
    assert_eq!(leaf(&client().named(by_domain)), []);
    let printable = named(|names| {
        names[1].1 = DnValue::PrintableString("Example".try_into().unwrap());
    });
    assert_eq!(printable, [Rule::NameStrings]);
    let country = named(|names| names[0].1 = DnValue::Utf8String("SE".into()));
    assert_eq!(country, [Rule::NameStrings]);
    let long = named(|names| {
        names[0].1 = DnValue::PrintableString("SWE".try_into().unwrap());
    });
    assert_eq!(long, [Rule::NameStrings]);
    assert_eq!(named(|names| names.reverse()), [Rule::NameOrder]);
    assert_eq!(named(|names| names.swap(0, 1)), [Rule::NameOrder]);
    // Both names the other way round are in one order again.
    let turned = |recipe: Recipe| {
        let back = recipe.subject.iter().rev().cloned().collect();
        recipe.named(back)
    };
    let ca = turned(Recipe::ca("Partner TLS CA")).self_signed(p256());
    let made = turned(client()).signed_by(&ca, p256());
    assert_eq!(judged(made.der(), ca.der(), CLIENT), []);
    let mixed = client().signed_by(&ca, p256());
    assert_eq!(judged(mixed.der(), ca.der(), CLIENT), [Rule::NameOrder]);
}

/// One part of a name, with a value of the right kind.
fn part(kind: &str) -> (DnType, DnValue) {
    let utf8 = || DnValue::Utf8String("Example".into());
    match kind {
        "C" => subject("x").swap_remove(0),
        "O" => (DnType::OrganizationName, utf8()),
        "OU" => (DnType::OrganizationalUnitName, utf8()),
        "CN" => (DnType::CommonName, utf8()),
        _ => {
            let value = DnValue::Ia5String("example".try_into().unwrap());
            let arcs = vec![0, 9, 2342, 19_200_300, 100, 1, 25];
            (DnType::CustomDnType(arcs), value)
        }
    }
}

#[test]
fn critical_extensions_are_those_of_the_profile() {
    let unknown = client().with(&UNKNOWN, true, &[5, 0]);
    assert_eq!(leaf(&unknown), [Rule::UnknownCriticalExtension]);
    assert_eq!(leaf(&client().with(&UNKNOWN, false, &[5, 0])), []);
    let names = der(0x30, &der(0x82, b"ca.example"));
    let optional = client().with(&ISSUER_ALT_NAME, true, &names);
    assert_eq!(leaf(&optional), [Rule::OptionalExtensionCritical]);
    let constraints = der(0x30, &der(0xa0, &der(0x30, &der(0x82, b"example"))));
    let ca = Recipe::ca("Partner TLS CA");
    let constrained = ca.clone().with(&NAME_CONSTRAINTS, true, &constraints);
    let expected = [Rule::OptionalExtensionCritical];
    assert_eq!(authority(&constrained), expected);
    let identified = ca.with(&SUBJECT_KEY_IDENTIFIER, true, &der(4, &[7; 20]));
    assert_eq!(authority(&identified), expected);
}

/// cRLDistributionPoints of these contents.
fn points(points: &[&[u8]]) -> Recipe {
    let points: Vec<u8> = points.iter().flat_map(|point| der(0x30, point)).collect();
    client().with(&CRL_DISTRIBUTION_POINTS, false, &der(0x30, &points))
}

/// keyCompromise and cACompromise, of a distribution point.
const REASONS: [u8; 4] = [0x81, 2, 1, 0x60];

//= TS 33.310 clause 6.1.3a type=test
//# What holds for the certificate of a TLS client or server.
//= RFC 5280 section 4.2.1.13 type=test
//# A distribution point says where the list is or who issues it: reasons alone lead nowhere.
#[test]
fn entity_certificates_are_judged() {
    let somewhere = der(0xa0, &der(0xa0, &der(0x86, b"http://crl.example/t8.crl")));
    let issuer = der(0xa2, &der(0x82, b"crl.example"));
    assert_eq!(leaf(&points(&[&somewhere, &issuer])), []);
    let cases = [
        (client().without(&KEY_USAGE), Rule::KeyUsage),
        (
            client().with(&KEY_USAGE, true, &[3, 2, 3, 8]),
            Rule::KeyUsage,
        ),
        (client().marked(&KEY_USAGE, false), Rule::KeyUsageCritical),
        (
            client().with(&EXTENDED_KEY_USAGE, false, &der(0x30, SERVER_AUTH)),
            Rule::ExtendedKeyUsage,
        ),
        (
            client().with(&EXTENDED_KEY_USAGE, false, &der(0x30, ANY_PURPOSE)),
            Rule::ExtendedKeyUsage,
        ),
        (
            client().marked(&EXTENDED_KEY_USAGE, true),
            Rule::ExtendedKeyUsageCritical,
        ),
        (
            client().without(&CRL_DISTRIBUTION_POINTS),
            Rule::CrlDistributionPoints,
        ),
        (points(&[&[]]), Rule::CrlDistributionPoints),
        (points(&[&REASONS]), Rule::CrlDistributionPoints),
        (points(&[&somewhere, &REASONS]), Rule::CrlDistributionPoints),
        (
            client().marked(&CRL_DISTRIBUTION_POINTS, true),
            Rule::CrlDistributionPointsCritical,
        ),
        (client().without(&SUBJECT_ALT_NAME), Rule::SubjectAltName),
        (
            client().with(
                &SUBJECT_ALT_NAME,
                false,
                &der(0x30, &der(0x81, b"a@b.example")),
            ),
            Rule::SubjectAltName,
        ),
        (
            client().with(&SUBJECT_KEY_IDENTIFIER, true, &der(4, &[7; 20])),
            Rule::KeyIdentifiersCritical,
        ),
        (
            client().with(&AUTHORITY_INFO_ACCESS, true, &[0x30, 0]),
            Rule::AuthorityInfoAccessCritical,
        ),
    ];
    for (recipe, rule) in cases {
        assert_eq!(leaf(&recipe), [rule]);
    }
    let (ca, indirect) = (
        ca(),
        Place::Entity {
            purpose: Purpose::Client,
            direct: false,
        },
    );
    let made = client().signed_by(&ca, p256());
    assert_eq!(judged(made.der(), ca.der(), indirect), [Rule::DirectIssuer]);
    let served = Place::Entity {
        purpose: Purpose::Server,
        direct: true,
    };
    let expected = [Rule::ExtendedKeyUsage];
    assert_eq!(judged(made.der(), ca.der(), served), expected);
}

//= TS 33.310 clause 6.1.4a type=test
//# What holds for the certificate of the CA that signs those.
#[test]
fn ca_certificates_are_judged() {
    let ca = || Recipe::ca("Partner TLS CA");
    let deep = ca().with(&BASIC_CONSTRAINTS, true, &[0x30, 3, 1, 1, 0xff]);
    let cases = [
        (ca().without(&BASIC_CONSTRAINTS), Rule::CaBasicConstraints),
        (
            ca().with(&BASIC_CONSTRAINTS, true, &[0x30, 3, 2, 1, 0]),
            Rule::CaBasicConstraints,
        ),
        (
            ca().marked(&BASIC_CONSTRAINTS, false),
            Rule::CaBasicConstraintsCritical,
        ),
        (deep.clone(), Rule::CaPathLength),
        (ca().without(&KEY_USAGE), Rule::CaKeyUsage),
        (ca().with(&KEY_USAGE, true, &[3, 2, 1, 2]), Rule::CaKeyUsage),
        (ca().marked(&KEY_USAGE, false), Rule::CaKeyUsageCritical),
        (ca().with(&KEY_USAGE, true, &[3, 2, 2, 4]), Rule::CaCrlSign),
    ];
    for (recipe, rule) in cases {
        assert_eq!(authority(&recipe), [rule]);
    }
    // One that signs CAs' certificates may have more below it.
    let made = deep.self_signed(p256());
    let above = Place::Ca {
        issues_entities: false,
    };
    assert_eq!(judged(made.der(), made.der(), above), []);
}

#[test]
fn chain_is_judged_from_its_leaf_upwards() {
    let root = Recipe::ca("Root").with(&BASIC_CONSTRAINTS, true, &[0x30, 3, 1, 1, 0xff]);
    let root = root.self_signed(p256());
    let between = Recipe::ca("Between").signed_by(&root, p256());
    let made = client().signed_by(&between, p256());
    let chain = [made.der(), between.der(), root.der()];
    let chain = chain.map(|certificate| parsed(certificate).unwrap());
    let of = |chain: &[X509Certificate<'_>]| -> Vec<Rule> {
        broken_by_chain(chain, Purpose::Client).iter().collect()
    };
    assert_eq!(of(&chain), [Rule::DirectIssuer]);
    assert_eq!(of(&chain[..2]), []);
    assert_eq!(of(&chain[..1]), []);
    // Each is held against the one that has signed it.
    let weak = client().certificate(&root, &Modulus::of_bits(2048));
    let weak = parsed(weak.der()).unwrap();
    assert_eq!(
        of(&[chain[0].clone(), weak.clone()])[..1],
        [Rule::SignerStrength]
    );
    let above = of(&[chain[0].clone(), chain[1].clone(), weak]);
    assert!(above.contains(&Rule::SignerStrength));
}
