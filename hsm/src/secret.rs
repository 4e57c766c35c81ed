//! HMACs by a secret key in a token, for what is derived from it now and then: no session is kept
//! between two questions.

use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use zeroize::Zeroizing;

use crate::uri::KeyUri;
use crate::{OpenFault, Pkcs11Source, pin, pkcs11, signer};

/// HMAC-SHA256.
pub type Mac = Zeroizing<[u8; 32]>;

/// A shorter key is weaker than what is derived from it.
const KEY_BYTES_MIN: u64 = 32;

/// HMAC-SHA256 (`CKM_SHA256_HMAC`) of each label by the secret key that `source` names, in order.
/// Logs in, asks and leaves; `source.sessions` does not matter. After [`signer::keep_apart`] a
/// signer process of its own does that, else this one. Blocks: never on a shard.
///
/// # Errors
/// As of [`crate::PrivateKey::from_token`]; and a key that is no secret key for HMAC, is shorter
/// than 32 octets, or may not sign, and a token that knows no `CKM_SHA256_HMAC`.
pub fn macs(source: &Pkcs11Source, labels: &[Vec<u8>]) -> Result<Vec<Mac>, OpenFault> {
    match signer::launch() {
        Some(launch) => signer::macs(launch, source, labels),
        None => macs_here(source, &pin::Place::of(&source.pin_file), labels),
    }
}

pub(crate) fn macs_here(
    source: &Pkcs11Source,
    pin: &pin::Place,
    labels: &[Vec<u8>],
) -> Result<Vec<Mac>, OpenFault> {
    let uri = KeyUri::of_secret(source)?;
    let module = pkcs11::module(&source.module)?;
    if pkcs11::find_token(&module.context, &uri).is_err() {
        // Some modules never see a token again that was away; SoftHSM is of them.
        module.renew()?;
    }
    let _entered = module.enter();
    let context = &module.context;
    let (slot, token) = pkcs11::find_token(context, &uri)?;
    let session = pkcs11::open_session(context, slot)?;
    pkcs11::login(&session, &token, pin)?;
    let mechanism = pkcs11::mechanism(context, slot, MechanismType::SHA256_HMAC)?;
    if !mechanism.is_some_and(|mechanism| mechanism.sign()) {
        return Err(OpenFault::lasting(
            "the token knows no CKM_SHA256_HMAC",
            "enable it in the HSM's policy, or keep the secret in a file",
        ));
    }
    let key = find_key(&session, &uri)?;
    labels
        .iter()
        .map(|label| mac(&session, key, label))
        .collect()
}

fn mac(session: &Session, key: ObjectHandle, label: &[u8]) -> Result<Mac, OpenFault> {
    let said = session.sign(&Mechanism::Sha256Hmac, key, label);
    let said = said.map(Zeroizing::new).map_err(|error| {
        OpenFault::new(
            format!("the secret key did not answer by CKM_SHA256_HMAC: {error}"),
            "check that the token is up and that the key may sign",
        )
    })?;
    let said: [u8; 32] = said.as_slice().try_into().map_err(|_| {
        OpenFault::lasting(
            format!("the token gave an HMAC-SHA256 of {} octets", said.len()),
            "see the module's manual: it must have 32",
        )
    })?;
    Ok(Zeroizing::new(said))
}

/// The one secret key the URI names.
fn find_key(session: &Session, uri: &KeyUri) -> Result<ObjectHandle, OpenFault> {
    let unlisted = |error: cryptoki::error::Error| {
        OpenFault::new(
            format!("the token's secret keys cannot be listed: {error}"),
            "check the token",
        )
    };
    let mut template = vec![Attribute::Class(ObjectClass::SECRET_KEY)];
    template.extend(uri.object.clone().map(Attribute::Label));
    template.extend(uri.id.clone().map(Attribute::Id));
    let found = session.find_objects(&template).map_err(unlisted)?;
    let &[key] = found.as_slice() else {
        return Err(OpenFault {
            what: format!("the PKCS#11 URI names {} secret keys", found.len()),
            cure: "name one, by object=LABEL and id=%01; to make one: pkcs11-tool --keygen \
                   --key-type GENERIC:32 --usage-sign --sensitive --label LABEL"
                .to_owned(),
            // As of private keys.
            lasts: !found.is_empty(),
        });
    };
    let asked = [
        AttributeType::KeyType,
        AttributeType::Sign,
        AttributeType::ValueLen,
    ];
    let attributes = session.get_attributes(key, &asked).map_err(unlisted)?;
    for attribute in attributes {
        match attribute {
            Attribute::KeyType(KeyType::GENERIC_SECRET | KeyType::SHA256_HMAC) => {}
            Attribute::KeyType(other) => {
                return Err(OpenFault::lasting(
                    format!("the secret key is a {other}, not one for HMAC"),
                    "make one of CKK_GENERIC_SECRET or CKK_SHA256_HMAC",
                ));
            }
            Attribute::Sign(false) => {
                return Err(OpenFault::lasting(
                    "the secret key may not sign, and an HMAC is a signature",
                    "use a key with CKA_SIGN (pkcs11-tool --keygen --usage-sign)",
                ));
            }
            Attribute::ValueLen(length) if u64::from(length) < KEY_BYTES_MIN => {
                return Err(OpenFault::lasting(
                    format!("the secret key has {} octets", u64::from(length)),
                    format!("make one of {KEY_BYTES_MIN} octets or more"),
                ));
            }
            _ => {}
        }
    }
    Ok(key)
}
