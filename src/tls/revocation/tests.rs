//! Lists that are taken, lists that are not, and what is said of certificates by them.

use std::collections::HashSet;
use std::io::{Cursor, Read, Seek, SeekFrom};

use base64::Engine as _;
use proptest::prelude::*;
use rcgen::KeyUsagePurpose::{self, CrlSign, KeyCertSign};
use rcgen::{KeyPair, RsaKeySize};

use super::*;
use crate::limits::CRL_ELEMENT_BYTES_MAX;
use made::{Ca, Made, ca, delta_since, entry, entry_with, extension, number, sequence, tlv};

mod joined;
pub(crate) mod made;

/// 2030-01-15, in the middle of what [`Made::default`] is valid for.
const NOW: UnixSeconds = UnixSeconds(1_894_665_600);
/// 2030-01-01 and 2030-02-01.
const BEGIN: u64 = 1_893_456_000;
const END: u64 = 1_896_134_400;
const NO_GRACE: Duration = Duration::ZERO;
const BOTH: &[KeyUsagePurpose] = &[KeyCertSign, CrlSign];
const HOLD: Option<u8> = Some(6);
const REMOVED: Option<u8> = Some(8);

fn issuer(ca: &Ca) -> CrlIssuer {
    CrlIssuer::read(&ca.der).unwrap()
}

fn read(der: Vec<u8>, ca: &Ca) -> Result<Crl, CrlFault> {
    Crl::read(&mut Cursor::new(der), &[issuer(ca)])
}

fn fault(made: &Made, ca: &Ca) -> Option<CrlFault> {
    read(made.signed_by(ca), ca).err()
}

fn set(all: &[&Made], ca: &Ca) -> Result<CrlSet, CrlFault> {
    let start = CrlSet::default();
    all.iter()
        .try_fold(start, |set, made| set.with(read(made.signed_by(ca), ca)?))
}

fn numbered(of: u8, entries: Vec<Vec<u8>>) -> Made {
    Made {
        entries,
        extensions: vec![number(of)],
        ..Made::default()
    }
}

fn delta(of: u8, base: u8, entries: Vec<Vec<u8>>) -> Made {
    Made {
        entries,
        extensions: vec![number(of), delta_since(base)],
        ..Made::default()
    }
}

fn is_revoked(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Revoked { .. })
}

//= RFC 5280 section 6.3.3 type=test
#[test]
fn serial_in_the_list_is_revoked_and_others_are_good() {
    let ca = ca("One", BOTH);
    let long = [0x7a; 20];
    let made = numbered(1, vec![entry(&[5], None), entry(&long, Some(1))]);
    let crl = read(made.signed_by(&ca), &ca).unwrap();
    assert_eq!((crl.entries(), crl.is_delta()), (2, false));
    let set = CrlSet::default().with(crl).unwrap();
    let of = |serial: &[u8]| set.look_up(issuer(&ca).id(), serial, NO_GRACE, NOW);
    let since = UnixSeconds(1_861_920_000);
    let revoked = |code| Verdict::Revoked {
        since,
        reason: Reason(code),
    };
    assert_eq!(of(&[5]), revoked(0));
    assert_eq!(of(&long), revoked(1));
    assert_eq!(of(&[6]), Verdict::Good);
    assert_eq!(of(&[0x7a; 19]), Verdict::Good);
}

#[test]
fn issuer_of_the_same_name_with_another_key_is_another_issuer() {
    let (one, other) = (ca("Same", BOTH), ca("Same", BOTH));
    let made = numbered(1, vec![entry(&[5], None)]);
    let set = set(&[&made], &one).unwrap();
    let of = |ca| set.look_up(issuer(ca).id(), &[5], NO_GRACE, NOW);
    assert!(is_revoked(of(&one)));
    assert_eq!(of(&other), Verdict::Unknown(Unknown::NoCrl));
    // Both configured: the one that signed it is found.
    let both = [issuer(&other), issuer(&one)];
    let crl = Crl::read(&mut Cursor::new(made.signed_by(&one)), &both).unwrap();
    assert_eq!(crl.issuer, issuer(&one).id());
    // And the other alone has not.
    let fault = read(made.signed_by(&one), &other).err();
    assert_eq!(fault, Some(CrlFault::Signature));
}

#[test]
fn list_holds_from_its_beginning_to_its_end_and_through_its_grace() {
    let ca = ca("One", BOTH);
    let set = set(&[&numbered(1, vec![entry(&[5], None)])], &ca).unwrap();
    let at = |now, grace| {
        let grace = Duration::from_secs(grace);
        set.look_up(issuer(&ca).id(), &[6], grace, UnixSeconds(now))
    };
    assert_eq!(at(BEGIN - CRL_EARLY_S_MAX, 0), Verdict::Good);
    let early = Verdict::Unknown(Unknown::NotYetValid);
    assert_eq!(at(BEGIN - CRL_EARLY_S_MAX - 1, 0), early);
    let ended = Verdict::Unknown(Unknown::Expired);
    assert_eq!((at(END, 0), at(END + 1, 0)), (Verdict::Good, ended));
    assert_eq!((at(END + 60, 60), at(END + 61, 60)), (Verdict::Good, ended));
    assert_eq!(set.next_update(), Some(UnixSeconds(END)));
    // Whom it revoked stays revoked.
    let after = set.look_up(issuer(&ca).id(), &[5], NO_GRACE, UnixSeconds(END + 1));
    assert!(is_revoked(after));
}

//= RFC 5280 section 5.2.3 type=test
#[test]
fn older_list_does_not_take_the_place_of_a_newer_one() {
    let ca = ca("One", BOTH);
    let (first, second) = (numbered(1, vec![]), numbered(2, vec![entry(&[5], None)]));
    let both = set(&[&first, &second], &ca).unwrap();
    assert!(is_revoked(both.look_up(
        issuer(&ca).id(),
        &[5],
        NO_GRACE,
        NOW
    )));
    let back = set(&[&second, &first], &ca).err();
    assert_eq!(back, Some(CrlFault::NumberWentBack));
    let earlier = Made {
        this_update: "291231000000Z".into(),
        ..second.clone()
    };
    let back = set(&[&second, &earlier], &ca).err();
    assert_eq!(back, Some(CrlFault::NumberWentBack));
    assert!(set(&[&second, &second], &ca).is_ok());
}

//= RFC 5280 section 5.2.4 type=test
#[test]
fn delta_adds_and_removes_until_a_complete_list_holds_it() {
    let ca = ca("One", BOTH);
    let id = issuer(&ca).id();
    let base = numbered(3, vec![entry(&[5], HOLD), entry(&[6], Some(1))]);
    let change = delta(4, 3, vec![entry(&[5], REMOVED), entry(&[7], None)]);
    let both = set(&[&base, &change], &ca).unwrap();
    let of = |set: &CrlSet, serial| set.look_up(id, &[serial], NO_GRACE, NOW);
    assert_eq!(of(&both, 5), Verdict::Good);
    assert!(is_revoked(of(&both, 6)) && is_revoked(of(&both, 7)));
    assert_eq!(of(&both, 8), Verdict::Good);
    // A later complete list outdoes it.
    let later = set(
        &[&base, &change, &numbered(4, vec![entry(&[5], Some(1))])],
        &ca,
    )
    .unwrap();
    assert!(is_revoked(of(&later, 5)));
    assert_eq!(of(&later, 7), Verdict::Good);
    // And an earlier delta is no news, nor is one that is as old.
    for held in [9, 4] {
        let stale = set(&[&numbered(held, vec![]), &change], &ca).unwrap();
        assert_eq!(of(&stale, 7), Verdict::Good);
    }
}

#[test]
fn set_counts_its_issuers_and_what_their_lists_and_deltas_name() {
    let (one, other) = (ca("One", BOTH), ca("Other", BOTH));
    let crl = |made: Made, ca: &Ca| read(made.signed_by(ca), ca).unwrap();
    let base = crl(
        numbered(1, vec![entry(&[5], None), entry(&[6], None)]),
        &one,
    );
    let change = crl(delta(2, 1, vec![entry(&[7], None)]), &one);
    assert!(change.is_delta() && !base.is_delta());
    let set = CrlSet::default().with(base).unwrap();
    assert_eq!((set.issuers(), set.entries()), (1, 2));
    let set = set.with(change).unwrap();
    assert_eq!((set.issuers(), set.entries()), (1, 3));
    let set = set
        .with(crl(numbered(1, vec![entry(&[8], None)]), &other))
        .unwrap();
    assert_eq!((set.issuers(), set.entries()), (2, 4));
}

#[test]
fn lists_go_with_the_issuer_that_is_not_wanted_any_more() {
    let (one, other) = (ca("One", BOTH), ca("Other", BOTH));
    let revocation = Revocation::default();
    revocation.take_lists_of(vec![issuer(&one), issuer(&other)]);
    for ca in [&one, &other] {
        let made = numbered(1, vec![entry(&[5], None)]);
        let crl = revocation
            .read(&mut Cursor::new(made.signed_by(ca)))
            .unwrap();
        revocation.adopt(crl).unwrap();
    }
    let of = |ca| {
        revocation
            .lists()
            .look_up(issuer(ca).id(), &[5], NO_GRACE, NOW)
    };
    let before = revocation.generation();
    let ids: Vec<_> = revocation.issuers().iter().map(CrlIssuer::id).collect();
    assert_eq!(ids, [issuer(&one).id(), issuer(&other).id()]);
    revocation.take_lists_of(vec![issuer(&one), issuer(&other)]);
    assert_eq!(revocation.generation(), before, "the same issuers");
    revocation.take_lists_of(vec![issuer(&other)]);
    assert_ne!(revocation.generation(), before);
    assert_eq!(of(&one), Verdict::Unknown(Unknown::NoCrl));
    assert!(is_revoked(of(&other)));
    let made = numbered(2, vec![]).signed_by(&one);
    let fault = revocation.read(&mut Cursor::new(made)).err();
    assert_eq!(fault, Some(CrlFault::UnknownIssuer));
}

/// A list that holds from the one time to the other.
fn between(made: Made, this_update: &str, next_update: &str) -> Made {
    Made {
        this_update: this_update.into(),
        next_update: Some(next_update.into()),
        ..made
    }
}

#[test]
fn list_that_has_not_begun_or_has_ended_does_not_end_the_one_in_use() {
    let ca = ca("One", BOTH);
    let early = |made| between(made, "300120000000Z", "300201000000Z");
    let ended = |made| between(made, "300102000000Z", "300110000000Z");
    let renewed = |held: &[&Made], made: &Made, now| {
        let revocation = Revocation::default();
        revocation.take_lists_of(vec![issuer(&ca)]);
        let read = |made: &Made| revocation.read(&mut Cursor::new(made.signed_by(&ca)));
        for made in held {
            revocation.adopt(read(made).unwrap()).unwrap();
        }
        let before = revocation.generation();
        let fault = revocation
            .renew(read(made).unwrap(), UnixSeconds(now))
            .err();
        assert_eq!(revocation.generation() == before, fault.is_some());
        fault
    };
    let (base, change) = (numbered(1, vec![]), delta(3, 1, vec![]));
    for new in [numbered(2, vec![]), delta(4, 1, vec![])] {
        for held in [&[&base][..], &[&base, &change]] {
            let now = NOW.0;
            let fault = renewed(held, &early(new.clone()), now);
            assert_eq!(fault, Some(CrlFault::NotYetValid));
            assert_eq!(
                renewed(held, &ended(new.clone()), now),
                Some(CrlFault::Ended)
            );
            // Two clocks may differ.
            let begin = 1_895_097_600;
            let soon = begin - CRL_EARLY_S_MAX;
            assert_eq!(renewed(held, &early(new.clone()), soon), None);
            assert!(renewed(held, &early(new.clone()), soon - 1).is_some());
            assert_eq!(renewed(held, &new, now), None);
            // What is in use has ended as well: the newer one revokes more.
            assert_eq!(renewed(held, &ended(new.clone()), END + 1), None);
        }
    }
    // Where there is none in use, any is better, and is said to be what it is.
    assert_eq!(renewed(&[], &early(base.clone()), NOW.0), None);
    assert_eq!(renewed(&[], &ended(base.clone()), NOW.0), None);
    // A delta that has ended makes way for the next.
    let over = ended(delta(2, 1, vec![]));
    assert_eq!(renewed(&[&base, &over], &delta(3, 1, vec![]), NOW.0), None);
}

#[test]
fn same_list_once_more_is_no_other() {
    let ca = ca("One", BOTH);
    let revocation = Revocation::default();
    revocation.take_lists_of(vec![issuer(&ca)]);
    let take = |made: &Made| {
        let crl = revocation
            .read(&mut Cursor::new(made.signed_by(&ca)))
            .unwrap();
        let before = revocation.generation();
        revocation.adopt(crl).unwrap();
        revocation.generation() != before
    };
    let longer = between(numbered(1, vec![]), "300102000000Z", "300202000000Z");
    for made in [
        numbered(1, vec![]),
        longer,
        numbered(2, vec![]),
        delta(3, 2, vec![]),
        delta(4, 2, vec![entry(&[5], None)]),
        numbered(4, vec![]),
    ] {
        assert!(take(&made) && !take(&made), "{:?}", made.extensions);
    }
    // The complete list holds it already.
    assert!(!take(&delta(4, 2, vec![])));
}

#[test]
fn faults_have_words_and_explanations_of_their_own() {
    let all = [
        CrlFault::Unreadable,
        CrlFault::NotRegular,
        CrlFault::Encoding,
        CrlFault::TooLong,
        CrlFault::Version,
        CrlFault::Algorithm,
        CrlFault::UnknownIssuer,
        CrlFault::Signature,
        CrlFault::NoCrlSign,
        CrlFault::NoNextUpdate,
        CrlFault::NoNumber,
        CrlFault::CriticalExtension,
        CrlFault::Indirect,
        CrlFault::Partial,
        CrlFault::Serial,
        CrlFault::RemovesFromComplete,
        CrlFault::NumberWentBack,
        CrlFault::DeltaWithoutBase,
        CrlFault::NotYetValid,
        CrlFault::Ended,
    ];
    for fault in all {
        // `NumberWentBack` is `number_went_back`.
        let mut name = String::new();
        for letter in format!("{fault:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        assert_eq!(fault.word(), name);
    }
    let explained: HashSet<_> = all.map(CrlFault::explained).into_iter().collect();
    assert_eq!(explained.len(), all.len());
}

#[test]
fn delta_goes_with_its_base_alone() {
    let ca = ca("One", BOTH);
    let base = numbered(3, vec![]);
    let without = Some(CrlFault::DeltaWithoutBase);
    assert_eq!(set(&[&delta(5, 4, vec![]), &base], &ca).err(), without);
    assert_eq!(set(&[&base, &delta(5, 4, vec![])], &ca).err(), without);
    let back = set(&[&base, &delta(6, 3, vec![]), &delta(5, 3, vec![])], &ca).err();
    assert_eq!(back, Some(CrlFault::NumberWentBack));
}

#[test]
fn delta_that_has_ended_leaves_good_certificates_unknown() {
    let ca = ca("One", BOTH);
    let short = Made {
        next_update: Some("300110000000Z".into()),
        ..delta(2, 1, vec![entry(&[7], None)])
    };
    let set = set(&[&numbered(1, vec![]), &short], &ca).unwrap();
    let of = |serial| set.look_up(issuer(&ca).id(), &[serial], NO_GRACE, NOW);
    assert_eq!(of(5), Verdict::Unknown(Unknown::Expired));
    assert!(is_revoked(of(7)));
}

/// `made` with one thing changed.
fn but(change: impl FnOnce(&mut Made)) -> Made {
    let mut made = numbered(1, vec![entry(&[5], None)]);
    change(&mut made);
    made
}

//= TS 33.310 clause 6.1.1 type=test
#[test]
fn list_that_breaks_one_rule_is_refused_for_it() {
    let ca = ca("One", BOTH);
    let sha1 = sequence(&[made::oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1])]);
    let sha384 = sequence(&[made::oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3])]);
    let scope = |fields: &[Vec<u8>]| extension(&[0x55, 0x1d, 28], true, &sequence(fields));
    let unknown = |critical| extension(&[0x55, 0x1d, 99], critical, &tlv(0x05, &[]));
    let other_issuer = extension(&[0x55, 0x1d, 29], true, &sequence(&[]));
    let cases = [
        (but(|m| m.version = None), CrlFault::Version),
        (but(|m| m.version = Some(0)), CrlFault::Version),
        (but(|m| m.algorithm = sha1), CrlFault::Algorithm),
        (
            but(|m| m.outer_algorithm = Some(sha384.clone())),
            CrlFault::Algorithm,
        ),
        (but(|m| m.algorithm = sha384), CrlFault::Signature),
        (but(|m| m.next_update = None), CrlFault::NoNextUpdate),
        (
            but(|m| m.this_update = "3001010000Z".into()),
            CrlFault::Encoding,
        ),
        (but(|m| m.extensions.clear()), CrlFault::NoNumber),
        (
            but(|m| {
                m.entries.clear();
                m.extensions.clear();
            }),
            CrlFault::NoNumber,
        ),
        (
            but(|m| m.extensions = vec![number(0x80)]),
            CrlFault::Encoding,
        ),
        (but(|m| m.extensions.push(number(2))), CrlFault::Encoding),
        (
            but(|m| m.extensions.push(unknown(true))),
            CrlFault::CriticalExtension,
        ),
        (
            but(|m| m.extensions.push(scope(&[tlv(0xa0, &[])]))),
            CrlFault::Partial,
        ),
        (
            but(|m| m.extensions.push(scope(&[tlv(0x81, &[0xff])]))),
            CrlFault::Partial,
        ),
        (
            but(|m| m.extensions.push(scope(&[tlv(0x83, &[0, 1])]))),
            CrlFault::Partial,
        ),
        (
            but(|m| m.extensions.push(scope(&[tlv(0x84, &[0xff])]))),
            CrlFault::Indirect,
        ),
        (
            but(|m| m.entries.push(entry_with(&[6], other_issuer))),
            CrlFault::Indirect,
        ),
        (
            but(|m| m.entries.push(entry_with(&[6], unknown(true)))),
            CrlFault::CriticalExtension,
        ),
        (
            but(|m| m.entries.push(entry(&[6], REMOVED))),
            CrlFault::RemovesFromComplete,
        ),
        (
            but(|m| m.entries.push(entry(&[1; 33], None))),
            CrlFault::Serial,
        ),
        (but(|m| m.entries.push(entry(&[], None))), CrlFault::Serial),
        (
            but(|m| m.entries.push(vec![0x30, 0x80])),
            CrlFault::Encoding,
        ),
    ];
    assert_eq!(fault(&but(|_| ()), &ca), None);
    for (place, (made, expected)) in cases.iter().enumerate() {
        assert_eq!(fault(made, &ca), Some(*expected), "case {place}");
    }
    let harmless = but(|m| {
        m.extensions.push(unknown(false));
        m.entries.push(entry_with(&[6], unknown(false)));
    });
    assert_eq!(fault(&harmless, &ca), None);
    // A scope that repeats the defaults restricts nothing.
    let defaults = [0x81, 0x82, 0x84, 0x85].map(|tag| tlv(tag, &[0]));
    let all = but(|m| m.extensions.push(scope(&defaults)));
    assert_eq!(fault(&all, &ca), None);
}

#[test]
fn list_is_taken_under_every_algorithm_of_the_profile() {
    let key = |kind| KeyPair::generate_for(kind).unwrap();
    let rsa = |kind| KeyPair::generate_rsa_for(kind, RsaKeySize::_2048).unwrap();
    let pkcs1 = |arc| {
        let id = made::oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, arc]);
        sequence(&[id, tlv(0x05, &[])])
    };
    let ecdsa = |arc| sequence(&[made::oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, arc])]);
    let cases = [
        (key(&rcgen::PKCS_ECDSA_P256_SHA256), ecdsa(2)),
        (key(&rcgen::PKCS_ECDSA_P384_SHA384), ecdsa(3)),
        (rsa(&rcgen::PKCS_RSA_SHA256), pkcs1(11)),
        (rsa(&rcgen::PKCS_RSA_SHA384), pkcs1(12)),
        (rsa(&rcgen::PKCS_RSA_SHA512), pkcs1(13)),
    ];
    let algorithms: Vec<_> = cases.iter().map(|(_, name)| name.clone()).collect();
    for (key, algorithm) in cases {
        let ca = made::ca_with_key("One", BOTH, key);
        let under = |algorithm| fault(&but(|m| m.algorithm = algorithm), &ca);
        for other in &algorithms {
            let expected = (*other != algorithm).then_some(CrlFault::Signature);
            assert_eq!(under(other.clone()), expected, "{algorithm:x?} {other:x?}");
        }
    }
}

#[test]
fn numbers_of_lists_are_compared_as_numbers() {
    let ca = ca("One", BOTH);
    let of = |octets: &[u8]| {
        let number = extension(&[0x55, 0x1d, 20], false, &tlv(0x02, octets));
        but(|m| m.extensions = vec![number])
    };
    let numbers = [
        &[0x7f][..],
        &[0, 0x80],
        &[1, 0],
        &[0x7f; 20],
        &[&[0][..], &[0x80; 20]].concat(),
    ];
    for pair in numbers.windows(2) {
        let (low, high) = (of(pair[0]), of(pair[1]));
        assert!(set(&[&low, &high], &ca).is_ok(), "{pair:x?}");
        let back = set(&[&high, &low], &ca).err();
        assert_eq!(back, Some(CrlFault::NumberWentBack), "{pair:x?}");
    }
    for bad in [&[][..], &[0x80], &[1; 21]] {
        assert_eq!(fault(&of(bad), &ca), Some(CrlFault::Encoding), "{bad:x?}");
    }
}

#[test]
fn only_a_configured_ca_that_may_sign_lists_is_believed() {
    let (one, other) = (ca("One", BOTH), ca("Other", BOTH));
    let made = but(|_| ());
    let stranger = read(made.signed_by(&one), &other).err();
    assert_eq!(stranger, Some(CrlFault::UnknownIssuer));
    let no_lists = ca("One", &[KeyCertSign]);
    assert_eq!(fault(&made, &no_lists), Some(CrlFault::NoCrlSign));
    // Each fault has words of its own.
    assert_ne!(
        CrlFault::NoCrlSign.explained(),
        CrlFault::Signature.explained()
    );
}

#[test]
fn every_octet_of_a_list_is_covered() {
    let ca = ca("One", BOTH);
    let der = but(|m| m.entries.push(entry(&[9; 20], Some(4)))).signed_by(&ca);
    assert!(read(der.clone(), &ca).is_ok());
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 1;
        assert!(read(changed, &ca).is_err(), "octet {at}");
        assert!(read(der[..at].to_vec(), &ca).is_err(), "cut at {at}");
    }
    assert_eq!(read(Vec::new(), &ca).err(), Some(CrlFault::Encoding));
    let longer = [der.as_slice(), &[0]].concat();
    assert_eq!(read(longer, &ca).err(), Some(CrlFault::Encoding));
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let lines = lines.join("\n");
    format!("a comment\n-----BEGIN X509 CRL-----\n{lines}\n-----END X509 CRL-----\n")
}

#[test]
fn pem_is_read_as_the_der_it_stands_for() {
    let ca = ca("One", BOTH);
    // Longer than the window.
    let entries: Vec<Vec<u8>> = (0..5_000_u32)
        .map(|serial| entry(&[&[1], serial.to_be_bytes().as_slice()].concat(), None))
        .collect();
    let der = numbered(1, entries).signed_by(&ca);
    let text = pem(&der);
    let crl = read(text.clone().into_bytes(), &ca).unwrap();
    assert_eq!(crl.entries(), 5_000);
    for cut in [0, 20, 200, text.len() / 2, text.len() - 30] {
        assert!(read(text.as_bytes()[..cut].to_vec(), &ca).is_err(), "{cut}");
    }
    let broken = text.replacen("\nM", "\n!", 1);
    assert_eq!(
        read(broken.into_bytes(), &ca).err(),
        Some(CrlFault::Encoding)
    );
}

/// What cannot be read may be there a moment later; this is to be written anew.
#[test]
fn what_is_no_list_is_called_that_however_short_it_is() {
    let ca = ca("One", BOTH);
    let page = "<html>\n<body>sign in</body>\n</html>\n";
    let cut = "-----BEGIN X509 CRL-----\nMIIB\n";
    for other in [page, "nonsense", "\u{fe}", "-----BEGIN", cut] {
        let found = read(other.as_bytes().to_vec(), &ca).err();
        assert_eq!(found, Some(CrlFault::Encoding), "{other}");
    }
    let octets = read(vec![0xff; 10_000], &ca).err();
    assert_eq!(octets, Some(CrlFault::Encoding));
}

/// An entry of so many octets in all, by an extension that says nothing.
fn entry_of(octets: usize) -> Vec<u8> {
    let made = |padding| {
        let padding = extension(&[0x55, 0x1d, 99], false, &vec![0; padding]);
        entry_with(&[5], padding)
    };
    let around = made(octets / 2).len() - octets / 2;
    let made = made(octets - around);
    assert!(made.len().abs_diff(octets) < 20);
    made
}

#[test]
fn entry_is_read_up_to_its_bound_and_not_beyond() {
    let ca = ca("One", BOTH);
    for octets in CRL_ELEMENT_BYTES_MAX - 20..CRL_ELEMENT_BYTES_MAX + 20 {
        let long = entry_of(octets);
        let expected = (long.len() > CRL_ELEMENT_BYTES_MAX).then_some(CrlFault::TooLong);
        let made = numbered(1, vec![entry(&[4], None), long, entry(&[6], None)]);
        assert_eq!(fault(&made, &ca), expected, "{octets}");
    }
}

/// Gives an octet at a time, and is interrupted before each.
struct Slow(Cursor<Vec<u8>>, bool);

impl Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let one = into.len().min(1);
        self.0.read(&mut into[..one])
    }
}

impl Seek for Slow {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn list_that_comes_octet_by_octet_is_the_same_list() {
    let ca = ca("One", BOTH);
    let made = numbered(1, (1..100).map(|serial| entry(&[serial], HOLD)).collect());
    let mut slow = Slow(Cursor::new(made.signed_by(&ca)), false);
    let crl = Crl::read(&mut slow, &[issuer(&ca)]).unwrap();
    assert_eq!(crl.entries(), 99);
}

proptest! {
    #[test]
    fn no_octets_make_the_reader_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let ca = ca("One", BOTH);
        prop_assert!(read(octets, &ca).is_err());
    }

    #[test]
    fn no_damage_makes_the_reader_panic_or_believe(
        at in 0_usize..400,
        octet in any::<u8>(),
        cut in 0_usize..400,
    ) {
        let ca = ca("One", BOTH);
        let der = but(|m| m.entries.push(entry(&[9; 20], Some(4)))).signed_by(&ca);
        let mut changed = der.clone();
        let at = at % changed.len();
        changed[at] = octet;
        changed.truncate(changed.len().saturating_sub(cut % 8));
        prop_assert!(changed == der || read(changed, &ca).is_err());
    }
}
