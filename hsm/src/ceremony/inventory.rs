//! What a module shows of its tokens: keys, certificates, and the mechanisms that matter here.

use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Custody, attributes, refused};
use crate::uri::{self, KeyUri};
use crate::{OpenFault, Pkcs11Source, pin, pkcs11, public};

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEntry {
    pub label: String,
    pub manufacturer: String,
    pub model: String,
    pub serial: String,
    pub slot_id: u64,
    /// What the token says of its user PIN, where that is bad news.
    pub pin: Option<&'static str>,
    pub mechanisms: Vec<MechanismEntry>,
    /// Private keys, and public ones that have no private key beside them.
    pub keys: Vec<KeyEntry>,
    pub certificates: Vec<CertificateEntry>,
}

/// A mechanism this gateway uses, for serving or for making keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MechanismEntry {
    /// As PKCS#11 calls it: `CKM_ECDSA`.
    pub name: &'static str,
    /// What it is used for.
    pub used_for: &'static str,
    pub present: bool,
}

/// A key in a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    pub label: String,
    pub id: Vec<u8>,
    /// RFC 7512 URI that names the private key; empty where there is none.
    pub uri: String,
    /// `P-256`, `RSA 2048`, or what the token calls it.
    pub kind: String,
    /// None: only the public key is to be seen.
    pub custody: Option<Custody>,
    /// CKA_SIGN.
    pub signs: bool,
    /// Whether the public key stands beside it.
    pub has_public: bool,
}

/// A certificate in a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEntry {
    pub label: String,
    pub id: Vec<u8>,
    pub subject: String,
    /// Until when it is valid, as text.
    pub not_after: String,
}

/// Lists the initialized tokens that the URI of `source` names, as much as they show without a
/// login; with the PIN of its `pin_file` where `log_in` says so and the URI names one token.
///
/// # Errors
/// The module does not load, the URI is wrong, names no token or, for a login, several, or the
/// token refused the PIN (tried once) or a step.
pub fn inventory(source: &Pkcs11Source, log_in: bool) -> Result<Vec<TokenEntry>, OpenFault> {
    let uri = KeyUri::of(source)?;
    let module = pkcs11::module(&source.module)?;
    let context = &module.context;
    let found = if log_in {
        vec![pkcs11::find_token(context, &uri)?]
    } else {
        pkcs11::matching_tokens(context, &uri)?.0
    };
    let mut entries = Vec::new();
    for (slot, token) in found {
        let session = pkcs11::open_session(context, slot)?;
        if log_in {
            pkcs11::login(&session, &token, &pin::Place::of(&source.pin_file))?;
        }
        let present = |mechanism| {
            // Of a vendor's that does not tell, none is shown.
            let told = pkcs11::mechanism(context, slot, mechanism);
            told.is_ok_and(|told| told.is_some_and(|is| is.sign() || is.generate_key_pair()))
        };
        entries.push(TokenEntry {
            mechanisms: MECHANISMS
                .iter()
                .map(|(mechanism, name, used_for)| MechanismEntry {
                    name,
                    used_for,
                    present: present(*mechanism),
                })
                .collect(),
            keys: keys(&session, token.label())?,
            certificates: certificates(&session)?,
            ..described(slot, &token)
        });
    }
    Ok(entries)
}

const MECHANISMS: [(MechanismType, &str, &str); 5] = [
    (
        MechanismType::ECDSA,
        "CKM_ECDSA",
        "signing with P-256 and P-384",
    ),
    (
        MechanismType::RSA_PKCS_PSS,
        "CKM_RSA_PKCS_PSS",
        "signing with RSA, TLS 1.3 and 1.2",
    ),
    (
        MechanismType::RSA_PKCS,
        "CKM_RSA_PKCS",
        "signing with RSA, TLS 1.2 and requests",
    ),
    (
        MechanismType::ECC_KEY_PAIR_GEN,
        "CKM_EC_KEY_PAIR_GEN",
        "making P-256 and P-384 keys",
    ),
    (
        MechanismType::RSA_PKCS_KEY_PAIR_GEN,
        "CKM_RSA_PKCS_KEY_PAIR_GEN",
        "making RSA keys",
    ),
];

fn described(slot: Slot, token: &TokenInfo) -> TokenEntry {
    let pin = match () {
        () if token.user_pin_locked() => Some("the user PIN is locked"),
        () if token.user_pin_final_try() => Some("one try of the user PIN is left"),
        () if token.user_pin_count_low() => Some("a wrong user PIN was tried"),
        () if !token.user_pin_initialized() => Some("there is no user PIN yet"),
        () => None,
    };
    TokenEntry {
        label: token.label().to_owned(),
        manufacturer: token.manufacturer_id().to_owned(),
        model: token.model().to_owned(),
        serial: token.serial_number().to_owned(),
        slot_id: slot.id(),
        pin,
        mechanisms: Vec::new(),
        keys: Vec::new(),
        certificates: Vec::new(),
    }
}

fn keys(session: &Session, token_label: &str) -> Result<Vec<KeyEntry>, OpenFault> {
    let mut publics = Vec::new();
    for public in find(session, ObjectClass::PUBLIC_KEY)? {
        publics.push(key(session, public, None)?);
    }
    let mut keys = Vec::new();
    for private in find(session, ObjectClass::PRIVATE_KEY)? {
        let custody = Custody::of(session, private)?;
        let mut entry = key(session, private, Some(custody))?;
        let beside = |public: &KeyEntry| public.id == entry.id && public.label == entry.label;
        if let Some(at) = publics.iter().position(beside) {
            let public = publics.remove(at);
            entry.has_public = true;
            // Tokens say the length of an RSA key with one of the two.
            if entry.kind == "RSA" {
                entry.kind = public.kind;
            }
        }
        entry.uri = uri::written(token_label, &entry.label, &entry.id);
        keys.push(entry);
    }
    keys.append(&mut publics);
    keys.sort_by(|one, other| (&one.id, &one.label).cmp(&(&other.id, &other.label)));
    Ok(keys)
}

fn key(
    session: &Session,
    handle: ObjectHandle,
    custody: Option<Custody>,
) -> Result<KeyEntry, OpenFault> {
    const ASKED: [AttributeType; 6] = [
        AttributeType::Label,
        AttributeType::Id,
        AttributeType::KeyType,
        AttributeType::EcParams,
        AttributeType::Modulus,
        AttributeType::Sign,
    ];
    let is_private = custody.is_some();
    let mut entry = KeyEntry {
        label: String::new(),
        id: Vec::new(),
        uri: String::new(),
        kind: String::new(),
        custody,
        signs: false,
        has_public: !is_private,
    };
    let (mut key_type, mut curve, mut modulus) = (None, None, None);
    for attribute in attributes(session, handle, &ASKED)? {
        match attribute {
            Attribute::Label(octets) => entry.label = lossy(&octets),
            Attribute::Id(octets) => entry.id = octets,
            Attribute::KeyType(is) => key_type = Some(is),
            Attribute::EcParams(octets) => curve = Some(octets),
            Attribute::Modulus(octets) if !octets.is_empty() => modulus = Some(octets),
            Attribute::Sign(is) => entry.signs = is_private && is,
            _ => {}
        }
    }
    entry.kind = match (key_type, curve.as_deref(), modulus) {
        (Some(KeyType::EC), Some([0x06, _, oid @ ..]), _) => match public::kind_of_curve(oid) {
            Some(kind) => kind.name().to_owned(),
            None => "EC of another curve".to_owned(),
        },
        (Some(KeyType::RSA), _, Some(modulus)) => format!("RSA {}", public::rsa_bits(&modulus)),
        (Some(KeyType::RSA), _, None) => "RSA".to_owned(),
        (Some(other), ..) => other.to_string(),
        (None, ..) => "of a type it does not say".to_owned(),
    };
    Ok(entry)
}

fn certificates(session: &Session) -> Result<Vec<CertificateEntry>, OpenFault> {
    const ASKED: [AttributeType; 3] = [
        AttributeType::Label,
        AttributeType::Id,
        AttributeType::Value,
    ];
    let mut entries = Vec::new();
    for handle in find(session, ObjectClass::CERTIFICATE)? {
        let mut entry = CertificateEntry {
            label: String::new(),
            id: Vec::new(),
            subject: "cannot be read".to_owned(),
            not_after: String::new(),
        };
        for attribute in attributes(session, handle, &ASKED)? {
            match attribute {
                Attribute::Label(octets) => entry.label = lossy(&octets),
                Attribute::Id(octets) => entry.id = octets,
                Attribute::Value(der) => {
                    if let Ok((_, certificate)) = X509Certificate::from_der(&der) {
                        entry.subject = certificate.subject().to_string();
                        entry.not_after = certificate.validity().not_after.to_string();
                    }
                }
                _ => {}
            }
        }
        entries.push(entry);
    }
    entries.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(entries)
}

fn find(session: &Session, class: ObjectClass) -> Result<Vec<ObjectHandle>, OpenFault> {
    session
        .find_objects(&[Attribute::Class(class)])
        .map_err(|error| refused("C_FindObjects", &error))
}

fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
