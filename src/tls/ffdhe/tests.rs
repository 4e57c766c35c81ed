//! Agreements with openssl, and what is refused.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustls::version::{TLS12, TLS13};

use super::*;

const GROUPS: [(Group, &str); 2] = [(FFDHE2048, "ffdhe2048"), (FFDHE3072, "ffdhe3072")];
/// PKCS #3: what openssl calls a DH key.
const DH_KEY_AGREEMENT: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 3, 1];

fn openssl(directory: &Path, arguments: &[&str]) {
    let mut openssl = Command::new("openssl");
    let outcome = openssl.args(arguments).current_dir(directory).output();
    let outcome = outcome.expect("openssl is installed");
    let said = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert!(outcome.status.success(), "{arguments:?}: {said}");
}

/// A DER element.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let mut out = match length {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    out.extend_from_slice(content);
    out
}

/// A positive number in DER: without zeroes in front, but for one where it would be negative.
fn integer(octets: &[u8]) -> Vec<u8> {
    let zeroes = octets.iter().take_while(|octet| **octet == 0).count();
    let digits = &octets[zeroes..];
    let sign: &[u8] = if digits[0] < 0x80 { &[] } else { &[0] };
    element(2, &[sign, digits].concat())
}

/// A public value as openssl reads it.
fn public_key(group: Group, value: &[u8]) -> Vec<u8> {
    let parameters = [integer(group.parameters.p), integer(group.parameters.g)].concat();
    let algorithm = [&DH_KEY_AGREEMENT[..], &element(0x30, &parameters)].concat();
    let bits = [&[0][..], &integer(value)].concat();
    element(
        0x30,
        &[element(0x30, &algorithm), element(3, &bits)].concat(),
    )
}

/// The public value in what openssl writes: the last element, a number in a string of bits.
fn public_value_of(der: &[u8], group: Group) -> Vec<u8> {
    let bytes = group.parameters.p.len();
    der[der.len() - bytes..].to_vec()
}

#[test]
fn openssl_comes_to_the_same_secret() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    for (group, name) in GROUPS {
        let parameter = format!("group:{name}");
        let generate = ["genpkey", "-algorithm", "DH", "-pkeyopt", &parameter];
        let ours = group.start().unwrap();
        fs::write(at.join("ours.der"), public_key(group, ours.pub_key())).unwrap();
        openssl(at, &[&generate[..], &["-out", "theirs.pem"]].concat());
        let public = ["pkey", "-in", "theirs.pem", "-pubout", "-outform", "DER"];
        openssl(at, &[&public[..], &["-out", "theirs.der"]].concat());
        let derive = ["pkeyutl", "-derive", "-inkey", "theirs.pem", "-peerkey"];
        let ours_named = ["ours.der", "-peerform", "DER", "-out", "secret"];
        openssl(at, &[&derive[..], &ours_named].concat());
        let theirs = public_value_of(&fs::read(at.join("theirs.der")).unwrap(), group);
        let secret = ours.complete_for_tls_version(&theirs, &TLS12).unwrap();
        // openssl leaves zeroes in front away as well.
        assert_eq!(secret.secret_bytes(), fs::read(at.join("secret")).unwrap());
    }
}

#[test]
fn powers_are_as_long_as_the_prime() {
    for (group, _) in GROUPS {
        let bytes = group.parameters.p.len();
        let mut expected = vec![0; bytes];
        expected[bytes - 2..].copy_from_slice(&[1, 0]);
        assert_eq!(*group.power(&[2], &[8]).unwrap(), expected);
        let agreement = group.start().unwrap();
        assert_eq!(agreement.pub_key().len(), bytes);
        assert_ne!(agreement.pub_key(), group.start().unwrap().pub_key());
    }
}

//= RFC 5246 section 8.1.2 type=test
//# Zeroes in front of the secret are left away, in TLS 1.2.
#[test]
fn secret_that_begins_with_zeroes_is_shorter_in_tls_1_2() {
    let group = FFDHE2048;
    let bytes = group.parameters.p.len();
    let exponent = || Zeroizing::new(vec![7; group.exponent_bytes]);
    let complete = |peer: &[u8], version| {
        let agreement = Box::new(Agreement::with(group, exponent()).unwrap());
        agreement.complete_for_tls_version(peer, version).unwrap()
    };
    // One of 256 begins so.
    let mut peers = (1..=u16::MAX).map(|power| group.power(&[2], &power.to_be_bytes()).unwrap());
    let found = peers.find_map(|peer| {
        let long = complete(&peer, &TLS13);
        assert_eq!(long.secret_bytes().len(), bytes);
        let zeroes = long.secret_bytes().iter().take_while(|o| **o == 0).count();
        let short = complete(&peer, &TLS12);
        assert_eq!(short.secret_bytes(), &long.secret_bytes()[zeroes..]);
        (zeroes > 0).then_some(short.secret_bytes().len())
    });
    assert!(found.unwrap() < bytes);
}

fn less_by(p: &[u8], by: u8) -> Vec<u8> {
    let mut less = p.to_vec();
    *less.last_mut().unwrap() -= by;
    less
}

//= RFC 7919 section 5.1 type=test
//# A public value outside of 1 < Y < p - 1 is refused.
#[test]
fn public_values_that_are_none_are_refused() {
    for (group, _) in GROUPS {
        let p = group.parameters.p;
        let mut beyond = p.to_vec();
        beyond[0] = 0xff;
        beyond[8] = 0xff;
        let longer = [&[0][..], &vec![2; p.len()]].concat();
        let bad = [
            Vec::new(),
            vec![0],
            vec![0; p.len()],
            vec![1],
            [vec![0; p.len() - 1], vec![1]].concat(),
            less_by(p, 1),
            p.to_vec(),
            beyond,
            vec![0xff; p.len()],
            longer,
        ];
        for peer in bad {
            let agreement = group.start().unwrap();
            let outcome = agreement.complete(&peer).map(|_| ());
            let expected = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
            assert_eq!(outcome, Err(expected), "{peer:02x?}");
        }
        for peer in [
            vec![2],
            [vec![0; p.len() - 1], vec![2]].concat(),
            less_by(p, 2),
        ] {
            assert!(
                group.start().unwrap().complete(&peer).is_ok(),
                "{peer:02x?}"
            );
        }
    }
}

#[test]
fn no_agreement_begins_in_a_turn_that_was_not_admitted() {
    let now = crate::clock::UnixSeconds(1);
    {
        let turn = turn::Turn::enter(now, true, false);
        assert!(FFDHE2048.start().is_err());
        assert!(turn.dhe_wanted());
    }
    let turn = turn::Turn::enter(now, true, true);
    assert!(FFDHE3072.start().is_ok());
    assert!(!turn.dhe_wanted());
}

#[test]
fn exponents_begin_with_a_one_and_are_below_half_of_the_prime() {
    let zero = Zeroizing::new(vec![0; FFDHE3072.exponent_bytes]);
    let agreement = Agreement::with(FFDHE3072, zero).unwrap();
    assert_eq!(agreement.exponent[0], 0x80);
    assert!(FFDHE3072.exponent_bytes < FFDHE3072.parameters.p.len());
}

/// Two would be two libraries in one program, and twice the code to trust.
#[test]
fn there_is_one_library() {
    let lock = include_str!("../../../Cargo.lock");
    assert_eq!(lock.matches("name = \"aws-lc-sys\"\n").count(), 1);
}
