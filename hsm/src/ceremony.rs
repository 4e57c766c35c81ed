//! The key ceremony: what an operator does with a token before the gateway serves from it. Keys
//! are made inside the token, certificates put beside them, and what is there is listed
//! (`README.md` walks through it).

mod fresh;
mod inventory;
mod trial;

pub use inventory::{CertificateEntry, KeyEntry, MechanismEntry, TokenEntry, inventory};
pub use trial::{Trial, try_schemes};

use std::fmt;
use std::str::FromStr;

use cryptoki::context::Pkcs11;
use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, CertificateType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState};
use cryptoki::slot::Slot;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::public::PublicKey;
use crate::uri::{self, KeyUri};
use crate::{KeyKind, OpenFault, Pkcs11Source, der, pin, pkcs11};

/// A token, with its user logged in, in which keys can be made.
pub struct Ceremony {
    context: Pkcs11,
    slot: Slot,
    session: Session,
    uri: KeyUri,
    token_label: String,
}

/// The keys that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewKey {
    P256,
    P384,
    Rsa2048,
    Rsa3072,
    Rsa4096,
}

/// A key that was made in a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeKey {
    /// DER of the SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// CKA_ID.
    pub id: Vec<u8>,
    /// RFC 7512 URI that names it.
    pub uri: String,
    pub custody: Custody,
}

/// How a token holds a private key, by the token's own word. What it does not say counts against
/// the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Custody {
    /// CKA_SENSITIVE: it cannot be read in clear.
    pub sensitive: bool,
    /// CKA_EXTRACTABLE: it can be wrapped and taken away.
    pub extractable: bool,
    /// CKA_NEVER_EXTRACTABLE: that has been so since it was made.
    pub never_extractable: bool,
    /// CKA_LOCAL: it was made inside the token.
    pub local: bool,
    /// CKA_ALWAYS_AUTHENTICATE: it wants the PIN for every signature.
    pub always_authenticate: bool,
}

impl Custody {
    /// Whether the token vouches that the key was made in it and cannot leave it.
    pub fn stays_in_token(self) -> bool {
        self.sensitive && !self.extractable && self.never_extractable && self.local
    }

    /// Whether the token keeps the key to itself from now on. Enough where this process has just
    /// had it made: there are tokens that say nothing of how a key came to be.
    pub fn cannot_leave(self) -> bool {
        self.sensitive && !self.extractable
    }

    fn of(session: &Session, key: ObjectHandle) -> Result<Self, OpenFault> {
        const ASKED: [AttributeType; 5] = [
            AttributeType::Sensitive,
            AttributeType::Extractable,
            AttributeType::NeverExtractable,
            AttributeType::Local,
            AttributeType::AlwaysAuthenticate,
        ];
        let mut custody = Self {
            sensitive: false,
            extractable: true,
            never_extractable: false,
            local: false,
            always_authenticate: false,
        };
        for attribute in attributes(session, key, &ASKED)? {
            match attribute {
                Attribute::Sensitive(is) => custody.sensitive = is,
                Attribute::Extractable(is) => custody.extractable = is,
                Attribute::NeverExtractable(is) => custody.never_extractable = is,
                Attribute::Local(is) => custody.local = is,
                Attribute::AlwaysAuthenticate(is) => custody.always_authenticate = is,
                _ => {}
            }
        }
        Ok(custody)
    }
}

/// What became of a certificate that was to be put into a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is there now.
    New,
    /// It is there now, and as many others with the same id are not any more.
    InPlaceOf(usize),
    /// It was there before.
    Already,
}

impl Ceremony {
    /// Logs in, once, to the token that the URI of `source` names, which may be without keys yet.
    ///
    /// # Errors
    /// The module does not load, the URI names no or several tokens, or the token takes no changes
    /// or refuses the PIN (it is never tried twice).
    pub fn open(source: &Pkcs11Source) -> Result<Self, OpenFault> {
        let uri = KeyUri::of(source)?;
        let context = pkcs11::module(&source.module)?.context.clone();
        let (slot, token) = pkcs11::find_token(&context, &uri)?;
        let session = context.open_rw_session(slot).map_err(|error| {
            OpenFault::new(
                format!("the token opens no session in which keys can be made: {error}"),
                "see whether the token is write-protected, or at its limit of sessions",
            )
        })?;
        // Where this process is logged in already, the PIN may have come and gone by a pipe.
        let state = session.get_session_info().map(|info| info.session_state());
        if !matches!(state, Ok(SessionState::RwUser)) {
            pkcs11::login(&session, &token, &pin::Place::of(&source.pin_file))?;
        }
        Ok(Self {
            context,
            slot,
            session,
            uri,
            token_label: token.label().to_owned(),
        })
    }

    /// The label that the URI asks for; None: it says nothing of it, or nothing in UTF-8.
    pub fn label_named(&self) -> Option<&str> {
        std::str::from_utf8(self.uri.object.as_deref()?).ok()
    }

    /// The id that the URI asks for.
    pub fn id_named(&self) -> Option<&[u8]> {
        self.uri.id.as_deref()
    }

    /// Makes a key pair inside the token, for signing only, sensitive and not extractable.
    /// Without `id` it gets the lowest one of an octet that is free.
    ///
    /// # Errors
    /// A key with this label or id is there already, the token has no mechanism for such keys,
    /// refused, or does not say what the public key is.
    pub fn make(&self, key: NewKey, label: &str, id: Option<&[u8]>) -> Result<MadeKey, OpenFault> {
        self.refuse_taken(
            Attribute::Label(label.into()),
            &format!("the label {label:?}"),
        )?;
        let id = match id {
            Some(id) => {
                let named = format!("the id {}", hexadecimal(id));
                self.refuse_taken(Attribute::Id(id.to_vec()), &named)?;
                id.to_vec()
            }
            None => self.free_id()?,
        };
        let mechanism = key.mechanism();
        let made_by = mechanism.mechanism_type();
        let makes = pkcs11::mechanism(&self.context, self.slot, made_by)?;
        if !makes.is_some_and(|makes| makes.generate_key_pair()) {
            return Err(OpenFault::new(
                format!("the token makes no {key} keys: it has no {made_by}"),
                "enable that in the HSM's policy, or make a key of another type",
            ));
        }
        let named = [
            Attribute::Token(true),
            Attribute::Label(label.into()),
            Attribute::Id(id.clone()),
        ];
        let public = [&named[..], &key.public_template()].concat();
        let private = [&named[..], &private_template()].concat();
        let (public, private) = self
            .session
            .generate_key_pair(&mechanism, &public, &private)
            .map_err(|error| refused("C_GenerateKeyPair", &error))?;
        Ok(MadeKey {
            spki: self.spki(key, public)?,
            uri: uri::written(&self.token_label, label, &id),
            id,
            custody: Custody::of(&self.session, private)?,
        })
    }

    /// Puts a certificate (DER) into the token, as an object with the id and label of the private
    /// key that the URI names. Certificates that were there with this id are taken out: a
    /// key's certificate is the one it serves with.
    ///
    /// # Errors
    /// The URI names no or several keys, `certificate` cannot be read, or the token refused.
    pub fn store_certificate(&self, certificate: &[u8]) -> Result<Stored, OpenFault> {
        let key = pkcs11::find_key(&self.session, &self.uri)
            .map_err(|(_, fault)| fault)?
            .handle;
        let (mut id, mut label) = (None, None);
        let asked = [AttributeType::Id, AttributeType::Label];
        for attribute in attributes(&self.session, key, &asked)? {
            match attribute {
                Attribute::Id(octets) if !octets.is_empty() => id = Some(octets),
                Attribute::Label(octets) => label = Some(octets),
                _ => {}
            }
        }
        let id = id.ok_or_else(|| {
            OpenFault::new(
                "the private key has no id, by which its certificate would be found",
                "give the key an id, or leave the certificate out of the token",
            )
        })?;
        let before = self.find(&[
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::Id(id.clone()),
        ])?;
        for other in &before {
            let value = attributes(&self.session, *other, &[AttributeType::Value])?;
            if before.len() == 1 && value == [Attribute::Value(certificate.to_vec())] {
                return Ok(Stored::Already);
            }
        }
        let template = certificate_template(certificate, id, label.unwrap_or_default())?;
        self.session
            .create_object(&template)
            .map_err(|error| refused("C_CreateObject", &error))?;
        for other in &before {
            self.session
                .destroy_object(*other)
                .map_err(|error| refused("C_DestroyObject", &error))?;
        }
        Ok(match before.len() {
            0 => Stored::New,
            others => Stored::InPlaceOf(others),
        })
    }

    fn find(&self, template: &[Attribute]) -> Result<Vec<ObjectHandle>, OpenFault> {
        self.session
            .find_objects(template)
            .map_err(|error| refused("C_FindObjects", &error))
    }

    fn refuse_taken(&self, name: Attribute, said: &str) -> Result<(), OpenFault> {
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            if !self
                .find(&[Attribute::Class(class), name.clone()])?
                .is_empty()
            {
                return Err(OpenFault::new(
                    format!("the token has a key with {said} already"),
                    "choose another one: keys are never replaced under their names, because \
                     what serves with the old one could not tell them apart",
                ));
            }
        }
        Ok(())
    }

    fn free_id(&self) -> Result<Vec<u8>, OpenFault> {
        for id in 1..=u8::MAX {
            if self.find(&[Attribute::Id(vec![id])])?.is_empty() {
                return Ok(vec![id]);
            }
        }
        Err(OpenFault::new(
            "no id of an octet is free in the token",
            "choose a longer one",
        ))
    }

    fn spki(&self, key: NewKey, public: ObjectHandle) -> Result<Vec<u8>, OpenFault> {
        const ASKED: [AttributeType; 3] = [
            AttributeType::EcPoint,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
        ];
        let (mut point, mut modulus, mut exponent) = (None, None, None);
        // Asked one by one: a token may refuse a question about what such a key does not have.
        for asked in ASKED {
            match self.session.get_attributes(public, &[asked]).as_deref() {
                Ok([Attribute::EcPoint(octets)]) => point = Some(octets.clone()),
                Ok([Attribute::Modulus(octets)]) => modulus = Some(octets.clone()),
                Ok([Attribute::PublicExponent(octets)]) => exponent = Some(octets.clone()),
                _ => {}
            }
        }
        let public = match (key.kind(), point, modulus, exponent) {
            (KeyKind::Rsa, _, Some(n), Some(e)) => Some(PublicKey::rsa(&n, &e)?),
            (kind, Some(point), ..) => PublicKey::ec(kind, &point),
            _ => None,
        };
        let public = public.ok_or_else(|| {
            OpenFault::new(
                "the token does not say what the new public key is",
                "delete the new key, and use a PKCS#11 module that does; SoftHSM 2.6 does",
            )
        })?;
        Ok(public.to_spki())
    }
}

impl NewKey {
    /// Every one, with its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("p256", Self::P256),
        ("p384", Self::P384),
        ("rsa2048", Self::Rsa2048),
        ("rsa3072", Self::Rsa3072),
        ("rsa4096", Self::Rsa4096),
    ];

    /// What kind of key it will be.
    pub fn kind(self) -> KeyKind {
        match self {
            Self::P256 => KeyKind::P256,
            Self::P384 => KeyKind::P384,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => KeyKind::Rsa,
        }
    }

    fn mechanism(self) -> Mechanism<'static> {
        match self {
            Self::P256 | Self::P384 => Mechanism::EccKeyPairGen,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => Mechanism::RsaPkcsKeyPairGen,
        }
    }

    fn public_template(self) -> Vec<Attribute> {
        // CKA_EC_PARAMS: the curve's OBJECT IDENTIFIER in DER.
        const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
        const P384: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x22";
        let rsa = |bits: u64| {
            vec![
                Attribute::ModulusBits(bits.into()),
                // 65537
                Attribute::PublicExponent(vec![1, 0, 1]),
            ]
        };
        let shape = match self {
            Self::P256 => vec![Attribute::EcParams(P256.to_vec())],
            Self::P384 => vec![Attribute::EcParams(P384.to_vec())],
            Self::Rsa2048 => rsa(2048),
            Self::Rsa3072 => rsa(3072),
            Self::Rsa4096 => rsa(4096),
        };
        let purpose = vec![Attribute::Private(false), Attribute::Verify(true)];
        [purpose, shape].concat()
    }
}

fn private_template() -> Vec<Attribute> {
    vec![
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        // For signatures and for nothing else, whatever the token's defaults are.
        Attribute::Sign(true),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ]
}

impl fmt::Display for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut named = Self::ALL.iter().filter(|(_, key)| key == self);
        f.write_str(named.next().map_or("", |(name, _)| name))
    }
}

impl FromStr for NewKey {
    type Err = OpenFault;

    fn from_str(text: &str) -> Result<Self, OpenFault> {
        let mut named = Self::ALL.iter().filter(|(name, _)| *name == text);
        named.next().map(|(_, key)| *key).ok_or_else(|| {
            OpenFault::new(
                format!("{text:?} is no type of key that this gateway serves with"),
                "one of p256, p384, rsa2048, rsa3072, rsa4096",
            )
        })
    }
}

/// Subject, issuer and serial number stand in a token as the DER they are in the certificate.
fn certificate_template(
    der: &[u8],
    id: Vec<u8>,
    label: Vec<u8>,
) -> Result<Vec<Attribute>, OpenFault> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| {
        OpenFault::new(
            "the certificate cannot be read",
            "give the DER of one X.509 certificate",
        )
    })?;
    let mut serial = Vec::new();
    der::integer(&mut serial, certificate.raw_serial());
    Ok(vec![
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::CertificateType(CertificateType::X_509),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Label(label),
        Attribute::Id(id),
        Attribute::Subject(certificate.subject().as_raw().to_vec()),
        Attribute::Issuer(certificate.issuer().as_raw().to_vec()),
        Attribute::SerialNumber(serial),
        Attribute::Value(der.to_vec()),
    ])
}

fn attributes(
    session: &Session,
    object: ObjectHandle,
    asked: &[AttributeType],
) -> Result<Vec<Attribute>, OpenFault> {
    session
        .get_attributes(object, asked)
        .map_err(|error| refused("C_GetAttributeValue", &error))
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn refused(step: &str, error: &Error) -> OpenFault {
    OpenFault::new(
        format!("the token refused {step}: {error}"),
        "see the module's own log (SoftHSM: the system's), and SOFTHSM2_CONF",
    )
}
