//! Secrets that the nodes of a fleet share, and what is derived from them: nodes that hold the same
//! one seal and open what the others do without a word between them.
//!
//! A secret is for one purpose, and that is a part of it: one file, or one key in a token, that is
//! named for two gives neither away to the other.

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// So many octets of randomness at least: what is sealed with has as many.
const RANDOM_BYTES_MIN: usize = 32;
/// Of 32 random octets some 30 differ; so few come of a text or of a device that gave nothing.
const DIFFERENT_MIN: usize = 16;
const FILE_BYTES_MAX: usize = 4096;

/// 32 octets that are derived of one.
pub type Derived = Zeroizing<[u8; 32]>;

/// A secret as it is needed; what was written in the file is not kept.
pub struct Secret(Prk);

impl Secret {
    /// From the octets of a file: base64 of random octets, or random octets as they are. Both
    /// ways to write one secret give the same keys.
    ///
    /// # Errors
    /// What is wrong, in words: too short, too long, or plainly not random.
    pub fn from_octets(written: &[u8], purpose: &[u8]) -> Result<Self, String> {
        if written.len() > FILE_BYTES_MAX {
            return Err(format!(
                "has {} octets, more than the {FILE_BYTES_MAX} that are read",
                written.len()
            ));
        }
        let octets = decoded(written)?;
        if octets.len() < RANDOM_BYTES_MIN {
            return Err(format!(
                "has {} random octets where {RANDOM_BYTES_MIN} are needed",
                octets.len()
            ));
        }
        let mut seen = [false; 256];
        for octet in octets.iter() {
            seen[usize::from(*octet)] = true;
        }
        if seen.iter().filter(|seen| **seen).count() < DIFFERENT_MIN {
            return Err("is not random: hardly any two of its octets differ".to_owned());
        }
        Ok(Self(Salt::new(HKDF_SHA256, purpose).extract(&octets)))
    }

    /// HKDF-Expand by the label.
    pub fn derive<const N: usize>(&self, label: &[u8]) -> [u8; N] {
        let mut derived = [0; N];
        self.0
            .expand(&[label], Octets(N))
            .and_then(|material| material.fill(&mut derived))
            .expect("HKDF gives 255 hashes, and this is one at most");
        derived
    }
}

/// What something is derived by: the word for it, and numbers.
pub fn label(of: &[u8], numbers: &[u64]) -> Vec<u8> {
    let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
    of.iter().copied().chain(numbers).collect()
}

/// What a token is asked for, whose key stands in the place of the extracted secret: the first
/// block of HKDF-Expand is HMAC of the label and the block's number.
//= RFC 5869 section 2.3
//# T(1) is HMAC-Hash of PRK over info and the octet 1.
pub fn token_label(of: &[u8], numbers: &[u64]) -> Vec<u8> {
    let mut label = label(of, numbers);
    label.push(1);
    label
}

/// The key that seals one thing, and no other: of a `salt` that is drawn for it.
pub fn sealing_key(secret: &Derived, label: &[u8], salt: &[u8; 32]) -> Option<RandomizedNonceKey> {
    let secret = Prk::new_less_safe(HKDF_SHA256, secret.as_slice());
    let info = [label, salt];
    let mut key = Zeroizing::new([0; 32]);
    let material = secret.expand(&info, &AES_256_GCM).ok()?;
    material.fill(key.as_mut_slice()).ok()?;
    RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).ok()
}

/// The octets that were meant: those of a text are not random themselves.
fn decoded(written: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    if !written
        .iter()
        .all(|o| o.is_ascii_graphic() || o.is_ascii_whitespace())
    {
        return Ok(Zeroizing::new(written.to_vec()));
    }
    let text = written.iter().copied();
    let text: Vec<u8> = text.filter(|octet| !octet.is_ascii_whitespace()).collect();
    let text = Zeroizing::new(text);
    // Its digits are those of base64 as well, but carry four bits each and not six.
    if text.iter().all(u8::is_ascii_hexdigit) {
        let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
        let pairs = text.as_chunks::<2>().0.iter();
        let octets = pairs.map(|[high, low]| value(*high) << 4 | value(*low));
        return Ok(Zeroizing::new(octets.collect()));
    }
    let read = STANDARD.decode(&*text).map(Zeroizing::new);
    read.map_err(|_| "holds a text that is not base64".to_owned())
}

struct Octets(usize);

impl KeyType for Octets {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random enough for the check, and the same each time.
    fn octets() -> Vec<u8> {
        (0..48_u8).map(|place| place.wrapping_mul(37)).collect()
    }

    fn derived_of(written: &[u8]) -> Result<[u8; 32], String> {
        Secret::from_octets(written, b"purpose").map(|secret| secret.derive(b"label"))
    }

    #[test]
    fn one_secret_gives_the_same_keys_however_it_is_written() {
        let plain = derived_of(&octets()).unwrap();
        let base64 = STANDARD.encode(octets());
        assert_eq!(derived_of(base64.as_bytes()).unwrap(), plain);
        let broken = format!("  {}\n{}\n", &base64[..40], &base64[40..]);
        assert_eq!(derived_of(broken.as_bytes()).unwrap(), plain);
        let hex: String = octets()
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        assert_eq!(derived_of(hex.as_bytes()).unwrap(), plain);
        assert_ne!(derived_of(&octets()[1..]).unwrap(), plain);
    }

    #[test]
    fn one_secret_gives_other_keys_for_another_purpose() {
        let other = Secret::from_octets(&octets(), b"another").unwrap();
        assert_ne!(derived_of(&octets()).unwrap(), other.derive::<32>(b"label"));
    }

    //= RFC 5869 section 2.3 type=test
    //# T(1) is HMAC-Hash of PRK over info and the octet 1.
    #[test]
    fn token_with_the_extracted_secret_as_its_key_would_derive_the_same() {
        use aws_lc_rs::hmac;
        let secret = Secret::from_octets(&octets(), b"purpose").unwrap();
        let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"purpose"), &octets());
        let key = hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref());
        let said = hmac::sign(&key, &token_label(b"slot", &[600, 7]));
        let derived: [u8; 32] = secret.derive(&label(b"slot", &[600, 7]));
        assert_eq!(said.as_ref(), derived);
        let said = hmac::sign(&key, &token_label(b"name", &[600]));
        let derived: [u8; 8] = secret.derive(&label(b"name", &[600]));
        assert_eq!(said.as_ref()[..8], derived);
    }

    #[test]
    fn secret_that_is_short_long_or_not_random_is_refused() {
        let refused = |written: &[u8]| derived_of(written).unwrap_err();
        assert!(refused(STANDARD.encode(&octets()[..31]).as_bytes()).contains("31 random"));
        let hex: String = octets()[..31]
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        assert!(
            refused(hex.as_bytes()).contains("31 random octets"),
            "48 as base64"
        );
        assert!(refused(&octets()[..31]).contains("31 random octets"));
        assert!(refused(b"correct horse battery staple, and then some").contains("not base64"));
        assert!(refused(&[0; 64]).contains("not random"));
        assert!(refused(b"").contains("0 random octets"));
        assert!(refused(&octets().repeat(100)).contains("4800 octets"));
        assert!(derived_of(&octets()[..32]).is_ok());
    }
}
