//! Each thing that speaks against a chain, alone, in a chain that is good otherwise.

use rcgen::KeyPair;

use super::*;
use crate::tls::certificate_rules::tests::odd_certificates::{
    BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, Odd, Recipe, SERVER_AUTH, SUBJECT_ALT_NAME, der,
};

const HOST: &str = "t8.example";
/// 2026-06-01.
const NOW: UnixSeconds = UnixSeconds(1_780_272_000);
/// 1970 and 2121: before and behind all that is made here.
const TOO_EARLY: UnixSeconds = UnixSeconds(1_000);
const TOO_LATE: UnixSeconds = UnixSeconds(4_765_132_800);

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn server() -> Recipe {
    Recipe::client(HOST).with(&EXTENDED_KEY_USAGE, false, &der(0x30, SERVER_AUTH))
}

/// A CA's that allows so many CAs below it.
fn ca(name: &str, below: u8) -> Recipe {
    let constraints = [0x30, 6, 1, 1, 0xff, 2, 1, below];
    Recipe::ca(name).with(&BASIC_CONSTRAINTS, true, &constraints)
}

/// Root, the CA below it and a server's certificate.
struct Made {
    root: Odd,
    issuing: Odd,
    leaf: Odd,
}

impl Made {
    fn of(root: &Recipe, issuing: &Recipe, leaf: &Recipe) -> Self {
        let root = root.self_signed(key());
        let issuing = issuing.signed_by(&root, key());
        let leaf = leaf.signed_by(&issuing, key());
        Self {
            root,
            issuing,
            leaf,
        }
    }

    fn good() -> Self {
        Self::of(&ca("Root", 1), &ca("Issuing", 0), &server())
    }
}

/// What speaks against the certificates, in this order.
fn against(chain: &[&Odd], now: UnixSeconds) -> Vec<String> {
    let chain: Vec<_> = chain.iter().map(|odd| odd.der().clone()).collect();
    let unfit = unfit_to_serve(&chain, RuleSet::EMPTY, now);
    unfit.into_iter().map(|unfit| unfit.what).collect()
}

#[track_caller]
fn only(found: &[String], word: &str) {
    assert!(found.len() == 1 && found[0].contains(word), "{found:#?}");
}

#[test]
fn chain_that_keeps_everything_is_fit_with_its_root_and_without() {
    let made = Made::good();
    for chain in [
        &[&made.leaf][..],
        &[&made.leaf, &made.issuing],
        &[&made.leaf, &made.issuing, &made.root],
    ] {
        assert_eq!(against(chain, NOW), Vec::<String>::new());
    }
    assert_eq!(against(&[], NOW), ["there is no certificate"]);
}

#[test]
fn certificate_behind_another_has_to_be_its_issuers() {
    let made = Made::good();
    let stranger = ca("Stranger", 0).self_signed(key());
    only(&against(&[&made.leaf, &stranger], NOW), "CN=Stranger");
    // The CA in the middle left out; which leaves one above that allows too many.
    let found = against(&[&made.leaf, &made.root], NOW);
    let told = "was issued by C=SE, O=Example, CN=Issuing, and behind it stands";
    assert!(found.iter().any(|what| what.contains(told)), "{found:#?}");
    // Of the issuer's name, with another key.
    let namesake = ca("Issuing", 0).signed_by(&made.root, key());
    only(
        &against(&[&made.leaf, &namesake, &made.root], NOW),
        "the certificate is not signed with the key of certificate 2",
    );
    let namesake = ca("Root", 1).self_signed(key());
    only(
        &against(&[&made.leaf, &made.issuing, &namesake], NOW),
        "certificate 2 (C=SE, O=Example, CN=Issuing) is not signed with the key of certificate 3",
    );
}

#[test]
fn ca_has_no_more_cas_below_it_than_it_allows() {
    let made = Made::of(&ca("Root", 0), &ca("Issuing", 0), &server());
    only(
        &against(&[&made.leaf, &made.issuing, &made.root], NOW),
        "certificate 3 (C=SE, O=Example, CN=Root) allows 0 CAs below it",
    );
    assert!(against(&[&made.leaf, &made.issuing], NOW).is_empty());
}

#[test]
fn every_certificate_of_the_chain_is_in_time() {
    let made = Made::good();
    let chain = [&made.leaf, &made.issuing];
    for (now, word) in [(TOO_LATE, "expired at"), (TOO_EARLY, "not valid before")] {
        let found = against(&chain, now);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|what| what.contains(word)), "{found:?}");
        assert!(found[1].contains("certificate 2"), "{found:?}");
    }
}

#[test]
fn certificate_of_a_ca_does_not_serve() {
    let authority = server().with(&BASIC_CONSTRAINTS, true, &[0x30, 3, 1, 1, 0xff]);
    let made = Made::of(&ca("Root", 1), &ca("Issuing", 0), &authority);
    only(&against(&[&made.leaf, &made.issuing], NOW), "is a CA's");
}

//= TS 33.310 clause 6.1.3a type=test
//# A server's certificate names a host: a URI is enough for a client's only.
#[test]
fn servers_certificate_names_a_host_and_is_for_those_it_names() {
    let uri = der(0x30, &der(0x86, b"urn:t8:gateway"));
    let nameless = server().with(&SUBJECT_ALT_NAME, false, &uri);
    let made = Made::of(&ca("Root", 1), &ca("Issuing", 0), &nameless);
    let found = against(&[&made.leaf, &made.issuing], NOW);
    only(&found, "rule subject_alt_name");
    assert!(!carries(made.leaf.der(), HOST));
    let made = Made::good();
    assert!(carries(made.leaf.der(), "T8.example"));
    assert!(!carries(made.leaf.der(), "other.example"));
    let any = der(0x30, &der(0x82, b"*.example"));
    let any = server().with(&SUBJECT_ALT_NAME, false, &any);
    let made = Made::of(&ca("Root", 1), &ca("Issuing", 0), &any);
    for (host, is_for) in [(HOST, true), ("example", false), ("one.t8.example", false)] {
        assert_eq!(carries(made.leaf.der(), host), is_for, "{host}");
    }
}

#[test]
fn ca_between_the_end_entity_and_the_root_is_seen() {
    let made = Made::good();
    let has = |chain: &[&Odd]| {
        let chain: Vec<_> = chain.iter().map(|odd| odd.der().clone()).collect();
        has_ca_between(&chain)
    };
    assert!(has(&[&made.leaf, &made.issuing, &made.root]));
    assert!(has(&[&made.leaf, &made.issuing]));
    assert!(!has(&[&made.leaf]));
    let root = ca("Root", 0).self_signed(key());
    let leaf = server().signed_by(&root, key());
    assert!(!has(&[&leaf, &root]));
}

#[test]
fn name_with_a_star_covers_one_label_and_no_other() {
    for (name, host, is_for) in [
        ("t8.example", "T8.Example", true),
        ("*.example", "t8.example", true),
        ("*.example", "a.t8.example", false),
        ("*.example", "example", false),
        ("*.example", "t8.other", false),
        ("t8.example", "example", false),
    ] {
        assert_eq!(covers(name, host), is_for, "{name} {host}");
    }
}
