//! Lists that are taken, lists that are not, and what is said of certificates by them.

use std::io::{Cursor, Read, Seek, SeekFrom};

use base64::Engine as _;
use proptest::prelude::*;
use rcgen::KeyUsagePurpose::{self, CrlSign, KeyCertSign};

use super::*;
use made::{Ca, Made, ca, delta_since, entry, entry_with, extension, number, sequence, tlv};

mod made;

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
    // And an earlier delta is no news.
    let stale = set(&[&numbered(9, vec![]), &change], &ca).unwrap();
    assert_eq!(of(&stale, 7), Verdict::Good);
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
        Some(CrlFault::Unreadable)
    );
}

/// Gives an octet at a time.
struct Slow(Cursor<Vec<u8>>);

impl Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
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
    let mut slow = Slow(Cursor::new(made.signed_by(&ca)));
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
