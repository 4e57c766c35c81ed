//! A key ceremony in small: a fresh token with P-256 keys that are made inside it. For demos and
//! tests on a software token; a production token has its own ceremony (`README.md`).

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use cryptoki::context::Pkcs11;
use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use crate::{OpenFault, pkcs11};

/// CKA_EC_PARAMS of P-256: the curve's OBJECT IDENTIFIER in DER.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// What stands before the point in the SubjectPublicKeyInfo of a P-256 key.
const P256_SPKI_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An uncompressed point of P-256.
const P256_POINT_BYTES: usize = 65;
/// Half of the hexadecimal digits of a PIN.
const PIN_BYTES: usize = 12;

/// A new token, with its user logged in.
pub struct Ceremony {
    session: Session,
}

/// A key that was made in a token, as the token itself describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeKey {
    /// DER of the SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// CKA_SENSITIVE: it cannot be read in clear.
    pub sensitive: bool,
    /// CKA_EXTRACTABLE: it can be wrapped and taken away.
    pub extractable: bool,
    /// CKA_NEVER_EXTRACTABLE: that has been so since it was made.
    pub never_extractable: bool,
    /// CKA_LOCAL: it was made inside the token.
    pub local: bool,
}

impl MadeKey {
    /// Whether the token vouches that the key was made in it and cannot leave it.
    pub fn stays_in_token(&self) -> bool {
        self.sensitive && !self.extractable && self.never_extractable && self.local
    }
}

impl Ceremony {
    /// Initializes the module's first empty token as `label`, sets a random user PIN, which goes
    /// into the new file `pin_file` (mode 0600) and nowhere else, and logs in by it. The security
    /// officer's PIN is random too and forgotten.
    ///
    /// # Errors
    /// The module does not load or has no empty token, `pin_file` is there already or cannot be
    /// written, or the token refused a step.
    pub fn begin(module: &Path, label: &str, pin_file: &Path) -> Result<Self, OpenFault> {
        let context = pkcs11::module(module)?.context.clone();
        let slot = empty_slot(&context)?;
        let (officer, user) = (random_pin()?, random_pin()?);
        write_new(pin_file, &user)?;
        let officer = AuthPin::from(officer.as_str());
        let user = AuthPin::from(user.as_str());
        let refused = |step: &'static str| move |error| refused(step, &error);
        context
            .init_token(slot, &officer, label)
            .map_err(refused("C_InitToken"))?;
        // The slot's number changes when its token is initialized.
        let slot = slot_of(&context, label)?;
        let session = context
            .open_rw_session(slot)
            .map_err(refused("C_OpenSession"))?;
        session
            .login(UserType::So, Some(&officer))
            .map_err(refused("C_Login of the security officer"))?;
        session.init_pin(&user).map_err(refused("C_InitPIN"))?;
        session.logout().map_err(refused("C_Logout"))?;
        session
            .login(UserType::User, Some(&user))
            .map_err(refused("C_Login"))?;
        Ok(Self { session })
    }

    /// Makes a P-256 key pair inside the token, for signing only, sensitive and not extractable.
    ///
    /// # Errors
    /// The token refused, or does not say what the public key is.
    pub fn make_p256(&self, label: &str, id: u8) -> Result<MadeKey, OpenFault> {
        let named = || [Attribute::Label(label.into()), Attribute::Id(vec![id])];
        let public = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(P256.to_vec()),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sign(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
        ];
        let (public, private) = self
            .session
            .generate_key_pair(
                &Mechanism::EccKeyPairGen,
                &[&public[..], &named()[..]].concat(),
                &[&private[..], &named()[..]].concat(),
            )
            .map_err(|error| refused("C_GenerateKeyPair", &error))?;
        self.describe(public, private)
    }

    fn describe(&self, public: ObjectHandle, private: ObjectHandle) -> Result<MadeKey, OpenFault> {
        let read = |key, asked: &[AttributeType]| {
            self.session
                .get_attributes(key, asked)
                .map_err(|error| refused("C_GetAttributeValue", &error))
        };
        let mut made = MadeKey {
            spki: Vec::new(),
            sensitive: false,
            extractable: true,
            never_extractable: false,
            local: false,
        };
        for attribute in read(public, &[AttributeType::EcPoint])? {
            if let Attribute::EcPoint(point) = attribute {
                made.spki = spki(&point).ok_or_else(|| {
                    OpenFault::new(
                        "the token does not say what the new public key is",
                        "use another PKCS#11 module; SoftHSM 2.6 does",
                    )
                })?;
            }
        }
        let asked = [
            AttributeType::Sensitive,
            AttributeType::Extractable,
            AttributeType::NeverExtractable,
            AttributeType::Local,
        ];
        for attribute in read(private, &asked)? {
            match attribute {
                Attribute::Sensitive(is) => made.sensitive = is,
                Attribute::Extractable(is) => made.extractable = is,
                Attribute::NeverExtractable(is) => made.never_extractable = is,
                Attribute::Local(is) => made.local = is,
                _ => {}
            }
        }
        Ok(made)
    }
}

/// The SubjectPublicKeyInfo of CKA_EC_POINT: a point, bare or in an OCTET STRING.
fn spki(point: &[u8]) -> Option<Vec<u8>> {
    let bare = match point {
        [0x04, 0x41, inner @ ..] if inner.len() == P256_POINT_BYTES => inner,
        other => other,
    };
    let whole = bare.len() == P256_POINT_BYTES && bare.first() == Some(&0x04);
    whole.then(|| [&P256_SPKI_HEAD[..], bare].concat())
}

fn empty_slot(context: &Pkcs11) -> Result<Slot, OpenFault> {
    let slots = context.get_slots_with_token();
    let slots = slots.map_err(|error| refused("C_GetSlotList", &error))?;
    let mut empty = slots.into_iter().filter(|slot| {
        let token = context.get_token_info(*slot);
        token.is_ok_and(|token| !token.token_initialized())
    });
    empty.next().ok_or_else(|| {
        OpenFault::new(
            "the PKCS#11 module has no empty token",
            "point SoftHSM at a writable folder (directories.tokendir, by SOFTHSM2_CONF)",
        )
    })
}

fn slot_of(context: &Pkcs11, label: &str) -> Result<Slot, OpenFault> {
    let slots = context.get_slots_with_token();
    let slots = slots.map_err(|error| refused("C_GetSlotList", &error))?;
    let mut named = slots.into_iter().filter(|slot| {
        let token = context.get_token_info(*slot);
        token.is_ok_and(|token| token.token_initialized() && token.label() == label)
    });
    named.next().ok_or_else(|| {
        OpenFault::new(
            "the token is gone right after it was initialized",
            "see the module's own log",
        )
    })
}

fn refused(step: &str, error: &Error) -> OpenFault {
    OpenFault::new(
        format!("the token refused {step}: {error}"),
        "see the module's own log (SoftHSM: the system's), and SOFTHSM2_CONF",
    )
}

fn random_pin() -> Result<Zeroizing<String>, OpenFault> {
    let mut octets = Zeroizing::new([0; PIN_BYTES]);
    aws_lc_rs::rand::fill(&mut octets[..]).map_err(|_| {
        OpenFault::new(
            "there are no random numbers",
            "check the system's random number source",
        )
    })?;
    let mut pin = Zeroizing::new(String::with_capacity(2 * PIN_BYTES));
    for octet in octets.iter() {
        // Writing to a String cannot fail.
        let _ = write!(pin, "{octet:02x}");
    }
    Ok(pin)
}

fn write_new(file: &Path, pin: &str) -> Result<(), OpenFault> {
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut file| {
            file.write_all(pin.as_bytes())?;
            file.write_all(b"\n")
        });
    written.map_err(|error| {
        OpenFault::new(
            format!("the PIN file {} cannot be made: {error}", file.display()),
            "use a folder that is writable and has no such file yet",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn point_is_taken_bare_and_in_an_octet_string() {
        let mut point = vec![0x04];
        point.extend_from_slice(&[7; 64]);
        let bare = spki(&point).unwrap();
        assert_eq!(bare.len(), 91);
        assert_eq!(spki(&[&[0x04, 0x41][..], &point].concat()).unwrap(), bare);
    }

    #[test]
    fn point_of_another_curve_or_form_is_refused() {
        assert_eq!(spki(&[]), None);
        assert_eq!(spki(&[0x04; 64]), None);
        assert_eq!(spki(&[0x02; 65]), None);
        assert_eq!(spki(&[0x04; 97]), None);
    }

    #[test]
    fn pins_are_random_digits() {
        let (one, other) = (random_pin().unwrap(), random_pin().unwrap());
        assert_eq!(one.len(), 24);
        assert!(one.bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert_ne!(*one, *other);
    }
}
