//! What stands for an identity where people look: one word for each, that only who has the key can
//! make, and nobody can read backwards without it.

use std::fmt;

use aws_lc_rs::hmac;

use crate::secret::Secret;

/// Octets of HMAC-SHA-256 that are shown: two identities have the same with a chance of 2^-64 when
/// there are four thousand million of them.
const BYTES: usize = 16;

/// What pseudonyms are made with. It cannot be printed.
#[derive(Clone)]
pub struct PseudonymKey(hmac::Key);

impl PseudonymKey {
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Of the secret in a file.
    ///
    /// # Errors
    /// As of [`Secret::from_octets`].
    pub fn from_octets(written: &[u8]) -> Result<Self, String> {
        let secret = Secret::from_octets(written, b"t8gate pseudonyms")?;
        Ok(Self::new(&secret.derive(b"key")))
    }

    /// Of nothing but chance: another one for each start.
    ///
    /// # Errors
    /// The system has no random octets to give.
    pub fn random() -> Result<Self, String> {
        let mut octets = [0; 32];
        let filled = aws_lc_rs::rand::fill(&mut octets);
        filled.map_err(|_| "the system has no random octets".to_owned())?;
        Ok(Self::new(&octets))
    }

    /// The one pseudonym of an identity. It is the same however the identity is spelt, so that
    /// lines about one subscriber are found together.
    pub fn pseudonym(&self, kind: IdentityKind, identity: &[u8]) -> Pseudonym {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"pseudonym\0");
        context.update(kind.word().as_bytes());
        context.update(b"\0");
        if kind.is_digits() {
            context.update(identity);
        } else {
            identity
                .iter()
                .for_each(|octet| context.update(&[octet.to_ascii_lowercase()]));
        }
        Pseudonym {
            kind,
            hash: first(&context.sign()),
        }
    }

    /// What the set of known subscribers has of an IMSI.
    pub(super) fn known(&self, imsi: &[u8]) -> u64 {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"known\0");
        context.update(imsi);
        u64::from_be_bytes(first(&context.sign()))
    }
}

fn first<const N: usize>(tag: &hmac::Tag) -> [u8; N] {
    let chunk = tag.as_ref().first_chunk::<N>();
    *chunk.expect("HMAC-SHA-256 has 32 octets, and this is fewer")
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey")
    }
}

/// Whose identity, and of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    Imsi,
    Msisdn,
    ExternalId,
    ExternalGroupId,
    Gpsi,
    Address,
    /// Any other SUPI, an internal group, a device.
    Internal,
}

impl IdentityKind {
    /// What a pseudonym begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Imsi => "imsi",
            Self::Msisdn => "msisdn",
            Self::ExternalId => "extid",
            Self::ExternalGroupId => "extgroup",
            Self::Gpsi => "gpsi",
            Self::Address => "address",
            Self::Internal => "internal",
        }
    }

    fn is_digits(self) -> bool {
        matches!(self, Self::Imsi | Self::Msisdn)
    }
}

/// `msisdn:3f9a..`: what logs, audit and traces have of an identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pseudonym {
    kind: IdentityKind,
    hash: [u8; BYTES],
}

impl Pseudonym {
    /// What is shown of it behind the word, before it is written in digits.
    pub fn octets(self) -> [u8; BYTES] {
        self.hash
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.kind.word())?;
        self.hash
            .iter()
            .try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_identity_has_one_pseudonym_under_one_key() {
        let key = PseudonymKey::new(&[7; 32]);
        let one = key.pseudonym(IdentityKind::Msisdn, b"447700900123");
        assert_eq!(one, key.pseudonym(IdentityKind::Msisdn, b"447700900123"));
        let text = one.to_string();
        assert!(
            text.starts_with("msisdn:") && text.len() == 7 + 2 * BYTES,
            "{text}"
        );
        assert!(!text.contains("7700900"));
        assert_eq!(format!("{one:?}"), text);
        for other in [
            key.pseudonym(IdentityKind::Msisdn, b"447700900124"),
            key.pseudonym(IdentityKind::Imsi, b"447700900123"),
            PseudonymKey::new(&[8; 32]).pseudonym(IdentityKind::Msisdn, b"447700900123"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn pseudonym_is_as_published() {
        // Of Python: hmac.new(bytes([7] * 32), b"pseudonym\0msisdn\0" + b"447700900123", "sha256").
        let key = PseudonymKey::new(&[7; 32]);
        let pseudonym = key.pseudonym(IdentityKind::Msisdn, b"447700900123");
        let text = pseudonym.to_string();
        assert_eq!(text, "msisdn:451cfbcf168832947fb3094cd5030804");
        let octets = u128::from_be_bytes(pseudonym.octets());
        assert_eq!(octets, 0x451c_fbcf_1688_3294_7fb3_094c_d503_0804);
    }

    #[test]
    fn names_are_the_same_in_either_case() {
        let key = PseudonymKey::new(&[7; 32]);
        let of = |name: &[u8]| key.pseudonym(IdentityKind::ExternalId, name);
        assert_eq!(of(b"Meter1@Example.com"), of(b"meter1@example.com"));
    }

    #[test]
    fn key_is_not_shown() {
        let shown = format!("{:?}", PseudonymKey::new(&[0x41; 32]));
        assert_eq!(shown, "PseudonymKey");
    }
}
