//! The little DER that signatures and public keys need.

/// A raw ECDSA signature (r and s of equal length, big-endian, as tokens give it) as the
/// `Ecdsa-Sig-Value` that TLS carries. None: the length is not that of two field elements.
pub fn ecdsa_signature(raw: &[u8], field_bytes: usize) -> Option<Vec<u8>> {
    if raw.len() != field_bytes * 2 {
        return None;
    }
    let (r, s) = raw.split_at(field_bytes);
    Some(two_integers(r, s))
}

/// SEQUENCE of two non-negative INTEGERs: an ECDSA signature, or an RSA public key.
pub fn two_integers(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(first.len() + second.len() + 12);
    integer(&mut body, first);
    integer(&mut body, second);
    sequence(&body)
}

/// SEQUENCE with these content octets.
pub fn sequence(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 6);
    out.push(0x30);
    length(&mut out, body.len());
    out.extend_from_slice(body);
    out
}

/// BIT STRING of whole octets.
pub fn bit_string(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 7);
    out.push(0x03);
    length(&mut out, octets.len() + 1);
    out.push(0);
    out.extend_from_slice(octets);
    out
}

/// The inverse of [`ecdsa_signature`]. None: not the DER of two non-negative integers that fit.
pub fn raw_ecdsa_signature(der: &[u8], field_bytes: usize) -> Option<Vec<u8>> {
    let (body, []) = element(der, 0x30)? else {
        return None;
    };
    let (r, rest) = element(body, 0x02)?;
    let (s, []) = element(rest, 0x02)? else {
        return None;
    };
    let mut raw = Vec::with_capacity(2 * field_bytes);
    for number in [r, s] {
        let digits = unsigned(number)?;
        let zeros = field_bytes.checked_sub(digits.len())?;
        raw.resize(raw.len() + zeros, 0);
        raw.extend_from_slice(digits);
    }
    Some(raw)
}

/// Content octets of the element with this tag, and what is behind it. Signatures by curves of up
/// to 384 bits are shorter than 128 octets, so that no length has the long form.
fn element(der: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    match der {
        [tag, length @ 0..0x80, rest @ ..] if *tag == expected => {
            rest.split_at_checked(usize::from(*length))
        }
        _ => None,
    }
}

/// The digits of a non-negative INTEGER without leading zeros, from its content octets. None: it
/// is negative, or not in its one shortest form.
fn unsigned(content: &[u8]) -> Option<&[u8]> {
    let negative = |first: &u8| first & 0x80 != 0;
    match content {
        [0] => Some(&[]),
        [0, digits @ ..] => digits.first().is_some_and(negative).then_some(digits),
        digits => (!digits.first().is_none_or(negative)).then_some(digits),
    }
}

/// Without leading zeros.
pub fn trimmed(unsigned: &[u8]) -> &[u8] {
    let zeros = unsigned.iter().take_while(|byte| **byte == 0).count();
    &unsigned[zeros..]
}

/// INTEGER of a non-negative big-endian number: no needless zero in front, and one where the
/// first bit would make it negative.
pub fn integer(out: &mut Vec<u8>, unsigned: &[u8]) {
    let digits = trimmed(unsigned);
    let pad = digits.first().is_none_or(|first| first & 0x80 != 0);
    out.push(0x02);
    length(out, digits.len() + usize::from(pad));
    if pad {
        out.push(0);
    }
    out.extend_from_slice(digits);
}

fn length(out: &mut Vec<u8>, bytes: usize) {
    if bytes < 0x80 {
        out.push(bytes as u8);
        return;
    }
    let big_endian = bytes.to_be_bytes();
    let digits = trimmed(&big_endian);
    out.push(0x80 | digits.len() as u8);
    out.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_minimal_and_never_negative() {
        let der = ecdsa_signature(&[0, 0, 0x7f, 0x80, 0, 1], 3).unwrap();
        assert_eq!(der, [0x30, 9, 2, 1, 0x7f, 2, 4, 0, 0x80, 0, 1]);
    }

    #[test]
    fn zero_is_one_octet() {
        assert_eq!(
            ecdsa_signature(&[0, 0], 1).unwrap(),
            [0x30, 6, 2, 1, 0, 2, 1, 0]
        );
    }

    #[test]
    fn lengths_from_128_take_the_long_form() {
        let der = two_integers(&[0xff; 128], &[1]);
        assert_eq!(der[..8], [0x30, 0x81, 135, 2, 0x81, 129, 0, 0xff]);
        let der = two_integers(&[0xff; 256], &[1]);
        assert_eq!(der[..9], [0x30, 0x82, 1, 8, 2, 0x82, 1, 1, 0]);
    }

    /// Some signature of 72 octets, the longest of P-256, with both first bits set.
    fn longest() -> Vec<u8> {
        ecdsa_signature(&[0xff; 64], 32).unwrap()
    }

    //= RFC 7518 section 3.4 type=test
    //# r and s keep their leading zeros, and lose the one that DER puts before a set first bit.
    #[test]
    fn raw_signature_comes_back_from_its_der() {
        for field in [32, 48] {
            for (r, s) in [(0, 0), (0, 1), (1, 0), (31, 2), (field, field), (0, field)] {
                for first in [0x01, 0x7f, 0x80, 0xff] {
                    let mut raw = vec![first; 2 * field];
                    raw[..r].fill(0);
                    raw[field..field + s].fill(0);
                    let der = ecdsa_signature(&raw, field).unwrap();
                    assert_eq!(raw_ecdsa_signature(&der, field).unwrap(), raw);
                }
            }
        }
    }

    #[test]
    fn signature_that_is_not_der_has_no_raw_form() {
        let longest = longest();
        for cut in 0..longest.len() {
            assert_eq!(raw_ecdsa_signature(&longest[..cut], 32), None, "{cut}");
        }
        let longer = [&longest[..], &[0]].concat();
        assert_eq!(raw_ecdsa_signature(&longer, 32), None);
        let odd: [&[u8]; 9] = [
            // A negative number, one with a needless zero, one without octets.
            &[0x30, 6, 2, 1, 0x80, 2, 1, 1],
            &[0x30, 7, 2, 2, 0, 0x7f, 2, 1, 1],
            &[0x30, 5, 2, 0, 2, 1, 1],
            // One number, three numbers, octets behind the second.
            &[0x30, 3, 2, 1, 1],
            &[0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1],
            &[0x30, 7, 2, 1, 1, 2, 1, 1, 0],
            // The long form of a length, another tag, an indefinite length.
            &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1],
            &[0x31, 6, 2, 1, 1, 2, 1, 1],
            &[0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0],
        ];
        for der in odd {
            assert_eq!(raw_ecdsa_signature(der, 32), None, "{der:x?}");
        }
    }

    #[test]
    fn number_longer_than_the_field_has_no_raw_form() {
        assert_eq!(raw_ecdsa_signature(&longest(), 31), None);
        assert!(raw_ecdsa_signature(&longest(), 33).is_some());
    }

    #[test]
    fn raw_form_of_any_bytes_is_refused_or_reads_back() {
        // A signature with one octet changed, in every way there is.
        let longest = longest();
        for place in 0..longest.len() {
            for octet in 0..=u8::MAX {
                let mut der = longest.clone();
                der[place] = octet;
                if let Some(raw) = raw_ecdsa_signature(&der, 32) {
                    assert_eq!(ecdsa_signature(&raw, 32).unwrap(), der);
                }
            }
        }
    }

    #[test]
    fn signature_of_another_length_is_refused() {
        assert!(ecdsa_signature(&[1; 63], 32).is_none());
        assert!(ecdsa_signature(&[1; 65], 32).is_none());
        assert!(ecdsa_signature(&[], 32).is_none());
    }
}
