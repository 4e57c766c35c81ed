use proptest::prelude::*;
use rustls::crypto::cipher::{AeadKey, Iv};

use super::*;

/// Both ends of one direction.
fn pair(aes: bool, tls13: bool) -> (RecordKey, RecordKey) {
    let make = || {
        let (key, iv) = (AeadKey::from([7; 32]), Iv::from([9; 12]));
        let secrets = if aes {
            ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        } else {
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }
        };
        RecordKey::new((1, secrets), tls13).expect("a known suite")
    };
    (make(), make())
}

const FORMS: [(bool, bool); 4] = [(true, true), (false, true), (true, false), (false, false)];

/// Opens all records of `bytes`, and joins what they say.
fn open_all(key: &mut RecordKey, bytes: &mut [u8]) -> Result<(Content, Vec<u8>), RecordFault> {
    let (mut content, mut text, mut used) = (Content::Application, Vec::new(), 0);
    while let Some(length) = record_bytes(&bytes[used..])? {
        let record = &mut bytes[used..used + length];
        if let Some((kind, part)) = key.open(record)? {
            content = kind;
            text.extend_from_slice(part);
        }
        used += length;
    }
    Ok((content, text))
}

#[test]
fn what_is_sealed_opens_in_every_form() {
    for (aes, tls13) in FORMS {
        let (mut seal, mut open) = pair(aes, tls13);
        for content in [Content::Application, Content::Alert, Content::Handshake] {
            let mut out = b"before".to_vec();
            seal.seal(content, &[b"GET ", b"", b"/ x"], &mut out)
                .expect("sealed");
            let opened = open_all(&mut open, &mut out[6..]);
            assert_eq!(opened, Ok((content, b"GET / x".to_vec())), "{aes} {tls13}");
        }
    }
}

#[test]
fn long_text_takes_several_records() {
    for (aes, tls13) in FORMS {
        let (mut seal, mut open) = pair(aes, tls13);
        let text: Vec<u8> = (0..50_000_u32).map(|at| at as u8).collect();
        let mut out = Vec::new();
        seal.seal(Content::Application, &[&text[..9], &text[9..]], &mut out)
            .expect("sealed");
        let opened = open_all(&mut open, &mut out);
        assert!(opened == Ok((Content::Application, text)), "{aes} {tls13}");
        assert_eq!(seal.sequence, 5, "four records after the first");
    }
}

#[test]
fn a_record_out_of_order_is_not_authentic() {
    for (aes, tls13) in FORMS {
        let (mut seal, mut open) = pair(aes, tls13);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        seal.seal(Content::Application, &[b"1"], &mut first)
            .expect("sealed");
        seal.seal(Content::Application, &[b"2"], &mut second)
            .expect("sealed");
        let opened = open_all(&mut open, &mut second);
        assert_eq!(opened, Err(RecordFault::NotAuthentic), "{aes} {tls13}");
    }
}

#[test]
fn padding_is_taken_off_and_nothing_but_padding_is_refused() {
    let (mut seal, mut open) = pair(true, true);
    let mut out = Vec::new();
    // The type that the cipher is told is the padding's last byte, so say the inner one by hand.
    for text in [&b"abc\x17\0\0\0"[..], b"\0\0\0"] {
        let (nonce, _) = seal.next();
        let length = (text.len() + TAG_BYTES) as u16;
        let header = [23, 3, 3, length.to_be_bytes()[0], length.to_be_bytes()[1]];
        let mut sealed = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = seal
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(header), &mut sealed)
            .expect("sealed");
        out.extend_from_slice(&header);
        out.extend_from_slice(&sealed);
        out.extend_from_slice(tag.as_ref());
    }
    let first = record_bytes(&out).expect("short").expect("whole");
    let opened = open.open(&mut out[..first]);
    assert_eq!(opened, Ok(Some((Content::Application, &b"abc"[..]))));
    assert_eq!(open.open(&mut out[first..]), Err(RecordFault::TooShort));
}

#[test]
fn a_change_cipher_spec_says_nothing_and_counts_for_nothing() {
    let (mut seal, mut open) = pair(true, true);
    assert_eq!(open.open(&mut [20, 3, 3, 0, 1, 1]), Ok(None));
    let mut out = Vec::new();
    seal.seal(Content::Application, &[b"x"], &mut out)
        .expect("sealed");
    assert!(open_all(&mut open, &mut out).is_ok());
}

#[test]
fn a_length_over_all_bounds_is_refused_by_its_header() {
    assert_eq!(record_bytes(&[23, 3, 3, 0x48]), Ok(None));
    assert_eq!(record_bytes(&[23, 3, 3, 0x48, 0]), Ok(Some(0x4805)));
    assert_eq!(
        record_bytes(&[23, 3, 3, 0x48, 1]),
        Err(RecordFault::TooLong)
    );
}

proptest! {
    #[test]
    fn garbage_never_opens_and_never_panics(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        form in 0_usize..4,
    ) {
        let (aes, tls13) = FORMS[form];
        let (_, mut open) = pair(aes, tls13);
        let opened = open.open(&mut bytes);
        prop_assert!(matches!(opened, Ok(None) | Err(_)), "{opened:?}");
    }

    #[test]
    fn one_changed_bit_is_noticed(
        text in prop::collection::vec(any::<u8>(), 0..100),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        form in 0_usize..4,
    ) {
        let (aes, tls13) = FORMS[form];
        let (mut seal, mut open) = pair(aes, tls13);
        let mut out = Vec::new();
        seal.seal(Content::Application, &[&text], &mut out).expect("sealed");
        let at = HEADER_BYTES + at.index(out.len() - HEADER_BYTES);
        out[at] ^= 1 << bit;
        prop_assert!(open_all(&mut open, &mut out).is_err());
    }
}
