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
    let mut out = Vec::with_capacity(body.len() + 6);
    out.push(0x30);
    length(&mut out, body.len());
    out.extend_from_slice(&body);
    out
}

/// Without leading zeros.
pub fn trimmed(unsigned: &[u8]) -> &[u8] {
    let zeros = unsigned.iter().take_while(|byte| **byte == 0).count();
    &unsigned[zeros..]
}

/// INTEGER of a non-negative big-endian number: no needless zero in front, and one where the
/// first bit would make it negative.
fn integer(out: &mut Vec<u8>, unsigned: &[u8]) {
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

    #[test]
    fn signature_of_another_length_is_refused() {
        assert!(ecdsa_signature(&[1; 63], 32).is_none());
        assert!(ecdsa_signature(&[1; 65], 32).is_none());
        assert!(ecdsa_signature(&[], 32).is_none());
    }
}
