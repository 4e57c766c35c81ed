//! The PKCS#11 side: module, token, login, key, one signature. Each step as a function; which
//! session does it, and what happens on a fault, is `pool`'s business.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismInfo, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};

use crate::public::{self, PublicKey};
use crate::uri::KeyUri;
use crate::{Family, KeyKind, OpenFault, Scheme, SignFault, der, pin};

/// C_Initialize is once per process and module, since another key may be open through the same
/// one.
static MODULES: Mutex<Option<HashMap<PathBuf, Arc<Module>>>> = Mutex::new(None);

/// A module of this process, loaded and initialized.
pub struct Module {
    pub context: Pkcs11,
    round: RwLock<Round>,
}

/// How often a module has been initialized anew. Sessions of an earlier round are gone, and their
/// numbers may be those of others now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round(u64);

impl Module {
    /// The round, which is this one for as long as the guard is held: to be held while the module
    /// is called.
    pub fn enter(&self) -> RwLockReadGuard<'_, Round> {
        self.round
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Begins another round: finalizes the module and initializes it. Not while somebody calls it,
    /// whom that would leave in the middle of nowhere.
    pub fn renew(&self) -> Result<(), OpenFault> {
        let Ok(mut round) = self.round.try_write() else {
            return Ok(());
        };
        round.0 += 1;
        match self.context.clone().finalize() {
            // Not initialized: the last attempt got only half-way.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
            Err(e) => {
                return Err(OpenFault::new(
                    format!("the PKCS#11 module did not finalize: {e}"),
                    "restart the gateway when the token is back",
                ));
            }
        }
        initialize(&self.context)
    }
}

fn initialize(context: &Pkcs11) -> Result<(), OpenFault> {
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(e) => Err(OpenFault::new(
            format!("the PKCS#11 module did not initialize: {e}"),
            "check the module's own configuration (SoftHSM: SOFTHSM2_CONF) and its log",
        )),
    }
}

/// The process's one of a module, loaded and initialized at the first call.
pub fn module(path: &Path) -> Result<Arc<Module>, OpenFault> {
    let cure = "check `module`; SoftHSM's is libsofthsm2.so (apt-get install softhsm2)";
    let path = path.canonicalize().map_err(|e| {
        OpenFault::lasting(
            format!("the PKCS#11 module {} is not there: {e}", path.display()),
            cure,
        )
    })?;
    let mut modules = MODULES
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let modules = modules.get_or_insert_default();
    if let Some(module) = modules.get(&path) {
        return Ok(Arc::clone(module));
    }
    let no_module = |e: Error| {
        OpenFault::lasting(
            format!("the PKCS#11 module {} did not load: {e}", path.display()),
            cure,
        )
    };
    let context = Pkcs11::new(&path).map_err(no_module)?;
    initialize(&context).map_err(|fault| {
        let what = format!("{}: {}", path.display(), fault.what);
        OpenFault { what, ..fault }
    })?;
    let module = Arc::new(Module {
        context,
        round: RwLock::new(Round(0)),
    });
    modules.insert(path, Arc::clone(&module));
    Ok(module)
}

/// The one token the URI names.
pub fn find_token(context: &Pkcs11, uri: &KeyUri) -> Result<(Slot, TokenInfo), OpenFault> {
    let (mut found, labels) = matching_tokens(context, uri)?;
    if found.len() > 1 {
        return Err(OpenFault::lasting(
            format!(
                "the PKCS#11 URI names {} tokens of: {}",
                found.len(),
                labels.join(", ")
            ),
            "name one, by token=LABEL or serial=NUMBER (t8gate keys list --module FILE)",
        ));
    }
    found.pop().ok_or_else(|| {
        OpenFault::new(
            format!(
                "the PKCS#11 URI names none of the tokens: {}",
                list(&labels)
            ),
            "correct the URI, connect the token, or point the module at it (SOFTHSM2_CONF); one \
             that was set up after the gateway's start may take a restart",
        )
    })
}

/// The tokens a URI names, and the labels of all that are initialized.
type Matching = (Vec<(Slot, TokenInfo)>, Vec<String>);

/// The tokens the URI names, however many.
pub fn matching_tokens(context: &Pkcs11, uri: &KeyUri) -> Result<Matching, OpenFault> {
    let slots = context.get_slots_with_token().map_err(|e| {
        OpenFault::new(
            format!("the tokens cannot be listed: {e}"),
            "check that the HSM is up",
        )
    })?;
    let mut labels = Vec::new();
    let mut found = Vec::new();
    for slot in slots {
        // A slot whose token went away in between is no match.
        let Ok(token) = context.get_token_info(slot) else {
            continue;
        };
        if !token.token_initialized() {
            continue;
        }
        labels.push(format!("{:?}", token.label()));
        let same = |asked: &Option<Vec<u8>>, is: &str| {
            asked.as_ref().is_none_or(|asked| asked == is.as_bytes())
        };
        if same(&uri.token, token.label())
            && same(&uri.manufacturer, token.manufacturer_id())
            && same(&uri.serial, token.serial_number())
            && same(&uri.model, token.model())
            && uri.slot_id.is_none_or(|id| id == slot.id())
        {
            found.push((slot, token));
        }
    }
    // In an order that does not change from one process to the next.
    labels.sort();
    Ok((found, labels))
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "there are none".into()
    } else {
        names.join(", ")
    }
}

/// Opens a session that can sign and nothing more.
pub fn open_session(context: &Pkcs11, slot: Slot) -> Result<Session, OpenFault> {
    context.open_ro_session(slot).map_err(|e| {
        OpenFault::new(
            format!("no session with the token: {e}"),
            "lower `sessions`, or raise the HSM's limit of sessions",
        )
    })
}

/// Whether the process is logged in to the session's token, as far as the module knows.
pub fn is_logged_in(session: &Session) -> bool {
    let state = session.get_session_info().map(|info| info.session_state());
    matches!(state, Ok(SessionState::RoUser | SessionState::RwUser))
}

/// Logs the process in to the session's token, by the PIN that lies there: once, without retry, and
/// never by a PIN that was refused before.
pub fn login(session: &Session, token: &TokenInfo, pin: &pin::Place) -> Result<(), OpenFault> {
    if !token.login_required() {
        return Ok(());
    }
    if token.user_pin_locked() {
        return Err(OpenFault::lasting(
            "the user PIN of the token is locked",
            "let the security officer set a new one (pkcs11-tool --init-pin)",
        ));
    }
    if token.user_pin_final_try() {
        return Err(OpenFault::lasting(
            "the token has one try of the user PIN left; it was not spent",
            "log in once by hand with the right PIN, put that into the PIN file, start again",
        ));
    }
    pin::try_once(pin, token.serial_number(), |pin| {
        match session.login(UserType::User, Some(pin)) {
            Ok(()) => Ok(pin::Answer::Taken),
            Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(pin::Answer::Standing),
            Err(Error::Pkcs11(
                why @ (RvError::PinIncorrect
                | RvError::PinInvalid
                | RvError::PinLenRange
                | RvError::PinExpired
                | RvError::PinLocked),
                _,
            )) => Ok(pin::Answer::Refused(format!("{why:?}"))),
            Err(e) => {
                let fault = OpenFault::new(
                    format!("login to the token failed: {e}"),
                    "check the token with pkcs11-tool --login --list-objects",
                );
                match e {
                    // Before anything was asked of it. What is lost on the way may have arrived.
                    Error::Pkcs11(
                        RvError::TokenNotPresent
                        | RvError::TokenNotRecognized
                        | RvError::SlotIdInvalid
                        | RvError::SessionHandleInvalid
                        | RvError::CryptokiNotInitialized,
                        _,
                    ) => Ok(pin::Answer::NotReached(fault)),
                    _ => Err(fault),
                }
            }
        }
    })
}

/// A private key in a token, as one session sees it.
pub struct Found {
    pub handle: ObjectHandle,
    pub kind: KeyKind,
    /// What the token says the public key is; None: it does not say.
    pub public: Option<PublicKey>,
}

/// The one private key the URI names. Err: the key is gone where the token says so, else the token.
pub fn find_key(session: &Session, uri: &KeyUri) -> Result<Found, (SignFault, OpenFault)> {
    let no_search = |e: Error| {
        let fault = OpenFault::new(
            format!("the token's keys cannot be listed: {e}"),
            "check the token",
        );
        (SignFault::TokenGone, fault)
    };
    let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY)];
    template.extend(uri.object.clone().map(Attribute::Label));
    template.extend(uri.id.clone().map(Attribute::Id));
    let found = session.find_objects(&template).map_err(no_search)?;
    let &[handle] = found.as_slice() else {
        let all = session
            .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])
            .map_err(no_search)?;
        let mut labels: Vec<_> = all.iter().map(|key| describe(session, *key)).collect();
        labels.sort();
        let count = if found.is_empty() {
            "none".into()
        } else {
            found.len().to_string()
        };
        let fault = OpenFault {
            what: format!(
                "the PKCS#11 URI names {count} of the private keys: {}",
                list(&labels)
            ),
            cure: "name one, by object=LABEL and, where labels repeat, id=%01".to_owned(),
            // One that is not there may come from where an HSM has its copies.
            lasts: !found.is_empty(),
        };
        return Err((SignFault::KeyGone, fault));
    };
    read_key(session, handle).map_err(|fault| (SignFault::TokenGone, fault))
}

fn describe(session: &Session, key: ObjectHandle) -> String {
    let (mut label, mut id) = (String::new(), String::new());
    for attribute in session
        .get_attributes(key, &[AttributeType::Label, AttributeType::Id])
        .unwrap_or_default()
    {
        match attribute {
            Attribute::Label(octets) => label = String::from_utf8_lossy(&octets).into_owned(),
            Attribute::Id(octets) => {
                id = octets.iter().map(|octet| format!("%{octet:02x}")).collect();
            }
            _ => {}
        }
    }
    format!("{label:?} (id={id})")
}

fn read_key(session: &Session, handle: ObjectHandle) -> Result<Found, OpenFault> {
    const ASKED: [AttributeType; 8] = [
        AttributeType::KeyType,
        AttributeType::Sign,
        AttributeType::AlwaysAuthenticate,
        AttributeType::Id,
        AttributeType::Label,
        AttributeType::EcParams,
        AttributeType::Modulus,
        AttributeType::PublicExponent,
    ];
    let attributes = session.get_attributes(handle, &ASKED).map_err(|e| {
        OpenFault::new(
            format!("the key's attributes cannot be read: {e}"),
            "check the token",
        )
    })?;
    let not_taken = || {
        OpenFault::lasting(
            "the key in the token is neither P-256, P-384 nor RSA",
            "make one of those: pkcs11-tool --keypairgen --key-type EC:prime256v1",
        )
    };
    let mut key_type = None;
    let (mut id, mut label) = (None, None);
    let (mut curve, mut modulus, mut exponent) = (None, None, None);
    for attribute in attributes {
        match attribute {
            Attribute::KeyType(is) => key_type = Some(is),
            Attribute::Sign(false) => {
                return Err(OpenFault::lasting(
                    "the key in the token may not sign",
                    "use a key with CKA_SIGN (pkcs11-tool --keypairgen --usage-sign)",
                ));
            }
            Attribute::AlwaysAuthenticate(true) => {
                return Err(OpenFault::lasting(
                    "the key in the token wants the PIN for every signature",
                    "use a key without CKA_ALWAYS_AUTHENTICATE; a server cannot serve with this",
                ));
            }
            Attribute::Id(octets) if !octets.is_empty() => id = Some(octets),
            Attribute::Label(octets) if !octets.is_empty() => label = Some(octets),
            Attribute::EcParams(octets) => curve = Some(octets),
            Attribute::Modulus(octets) => modulus = Some(octets),
            Attribute::PublicExponent(octets) => exponent = Some(octets),
            _ => {}
        }
    }
    match key_type {
        Some(KeyType::EC) => {
            let kind = match curve.as_deref() {
                // CKA_EC_PARAMS: the curve's OBJECT IDENTIFIER in DER.
                Some([0x06, _, oid @ ..]) => public::kind_of_curve(oid),
                _ => None,
            };
            let kind = kind.ok_or_else(not_taken)?;
            let public = ec_public(session, kind, id, label);
            Ok(Found {
                handle,
                kind,
                public,
            })
        }
        Some(KeyType::RSA) => {
            if let Some(modulus) = &modulus {
                public::check_rsa_bits(modulus)?;
            }
            let public = match (modulus, exponent) {
                (Some(n), Some(e)) if !e.is_empty() => Some(PublicKey::rsa(&n, &e)?),
                _ => rsa_public(session, id, label)?,
            };
            Ok(Found {
                handle,
                kind: KeyKind::Rsa,
                public,
            })
        }
        _ => Err(not_taken()),
    }
}

/// The attributes of the public key object beside a private key: the one with its id, or, where
/// keys have none, its label. None where there is no such object or several.
fn public_object(
    session: &Session,
    id: Option<Vec<u8>>,
    label: Option<Vec<u8>>,
    asked: &[AttributeType],
) -> Option<Vec<Attribute>> {
    let named = id.map(Attribute::Id).or(label.map(Attribute::Label))?;
    let found = session
        .find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY), named])
        .ok()?;
    match found.as_slice() {
        [one] => session.get_attributes(*one, asked).ok(),
        _ => None,
    }
}

fn ec_public(
    session: &Session,
    kind: KeyKind,
    id: Option<Vec<u8>>,
    label: Option<Vec<u8>>,
) -> Option<PublicKey> {
    public_object(session, id, label, &[AttributeType::EcPoint])?
        .into_iter()
        .find_map(|is| match is {
            Attribute::EcPoint(point) => PublicKey::ec(kind, &point),
            _ => None,
        })
}

fn rsa_public(
    session: &Session,
    id: Option<Vec<u8>>,
    label: Option<Vec<u8>>,
) -> Result<Option<PublicKey>, OpenFault> {
    let asked = [AttributeType::Modulus, AttributeType::PublicExponent];
    let (mut modulus, mut exponent) = (None, None);
    for attribute in public_object(session, id, label, &asked).unwrap_or_default() {
        match attribute {
            Attribute::Modulus(octets) => modulus = Some(octets),
            Attribute::PublicExponent(octets) => exponent = Some(octets),
            _ => {}
        }
    }
    match (modulus, exponent) {
        (Some(n), Some(e)) => PublicKey::rsa(&n, &e).map(Some),
        _ => Ok(None),
    }
}

/// A mechanism, where the token lists it: what policy has switched off may be described even so.
pub fn mechanism(
    context: &Pkcs11,
    slot: Slot,
    name: MechanismType,
) -> Result<Option<MechanismInfo>, OpenFault> {
    let listed = context.get_mechanism_list(slot).map_err(not_told)?;
    if !listed.contains(&name) {
        return Ok(None);
    }
    match context.get_mechanism_info(slot, name) {
        Ok(info) => Ok(Some(info)),
        // Listed by a module that does not let it be used.
        Err(Error::Pkcs11(RvError::MechanismInvalid, _)) => Ok(None),
        Err(error) => Err(not_told(error)),
    }
}

fn not_told(error: Error) -> OpenFault {
    OpenFault::new(
        format!("the token does not say which mechanisms it has: {error}"),
        "see whether it is there: pkcs11-tool --list-mechanisms",
    )
}

/// The schemes of `kind` that the token has a mechanism for, best first.
pub fn schemes(context: &Pkcs11, slot: Slot, kind: KeyKind) -> Result<Vec<Scheme>, OpenFault> {
    let signs = |name| -> Result<bool, OpenFault> {
        let mechanism = mechanism(context, slot, name)?;
        Ok(mechanism.is_some_and(|mechanism| mechanism.sign()))
    };
    let schemes: Vec<_> = match kind {
        KeyKind::P256 | KeyKind::P384 => {
            let ecdsa = signs(MechanismType::ECDSA)?;
            kind.schemes().iter().copied().filter(|_| ecdsa).collect()
        }
        KeyKind::Rsa => {
            let pss = signs(MechanismType::RSA_PKCS_PSS)?;
            let pkcs1 = signs(MechanismType::RSA_PKCS)?;
            let has = |scheme: &Scheme| match scheme.family() {
                Family::RsaPss => pss,
                _ => pkcs1,
            };
            kind.schemes().iter().copied().filter(has).collect()
        }
    };
    if schemes.is_empty() {
        return Err(OpenFault::lasting(
            format!(
                "the token has no mechanism to sign with a {} key",
                kind.name()
            ),
            "enable CKM_ECDSA, or CKM_RSA_PKCS_PSS and CKM_RSA_PKCS, in the HSM's policy",
        ));
    }
    Ok(schemes)
}

/// Why one signature failed, as far as it matters for what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// The session is of no more use: another one is.
    Session,
    /// The login is gone: to log in once, and to find the key again.
    Login,
    /// The key's number is another: to find the key again.
    Handle,
    /// The device, or the way to it. Another session may help; else the module has to begin anew.
    Device,
    /// The answer will be the same next time.
    Refused,
}

/// Why there is no signature, and the module's word for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSigned {
    pub fault: TokenFault,
    pub why: String,
}

/// Signs in the token what was hashed as `scheme` says, so that every token needs only the bare
/// mechanisms and a message, of any length, never travels.
pub fn sign(
    session: &Session,
    key: ObjectHandle,
    scheme: Scheme,
    hashed: &[u8],
) -> Result<Vec<u8>, NotSigned> {
    let (hash_mechanism, mgf, prefix) = hashing(scheme);
    let answer = match scheme.family() {
        Family::Ecdsa => session.sign(&Mechanism::Ecdsa, key, hashed),
        Family::RsaPss => {
            let params = PkcsPssParams {
                hash_alg: hash_mechanism,
                mgf,
                // As long as the hash, which is 64 octets at the most.
                s_len: (hashed.len() as u64).into(),
            };
            session.sign(&Mechanism::RsaPkcsPss(params), key, hashed)
        }
        Family::RsaPkcs1 => {
            let info = [prefix, hashed].concat();
            session.sign(&Mechanism::RsaPkcs, key, &info)
        }
    };
    let raw = answer.map_err(|error| classify(&error))?;
    let no_signature = || NotSigned {
        fault: TokenFault::Device,
        why: "no signature".to_owned(),
    };
    match scheme {
        Scheme::EcdsaP256Sha256 => der::ecdsa_signature(&raw, 32).ok_or_else(no_signature),
        Scheme::EcdsaP384Sha384 => der::ecdsa_signature(&raw, 48).ok_or_else(no_signature),
        _ => Ok(raw),
    }
}

/// The hash for PSS, its mask, and the octets of DigestInfo before the hash.
type Hashing = (MechanismType, PkcsMgfType, &'static [u8]);

fn hashing(scheme: Scheme) -> Hashing {
    //= RFC 8017 section 9.2
    //# PKCS#1 v1.5 signs a DigestInfo: the hash's identifier with NULL parameters, then the hash.
    const SHA256: &[u8] =
        b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    const SHA384: &[u8] =
        b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30";
    const SHA512: &[u8] =
        b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";
    match scheme {
        Scheme::EcdsaP256Sha256 | Scheme::RsaPssSha256 | Scheme::RsaPkcs1Sha256 => {
            (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, SHA256)
        }
        Scheme::EcdsaP384Sha384 | Scheme::RsaPssSha384 | Scheme::RsaPkcs1Sha384 => {
            (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, SHA384)
        }
        Scheme::RsaPssSha512 | Scheme::RsaPkcs1Sha512 => {
            (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, SHA512)
        }
    }
}

fn classify(error: &Error) -> NotSigned {
    let (fault, why) = match error {
        Error::Pkcs11(code, _) => (class_of(*code), format!("{code:?}")),
        other => (TokenFault::Refused, other.to_string()),
    };
    NotSigned { fault, why }
}

fn class_of(code: RvError) -> TokenFault {
    match code {
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        // A session left in the middle of an operation is of no more use.
        | RvError::OperationActive => TokenFault::Session,
        RvError::UserNotLoggedIn => TokenFault::Login,
        RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid => TokenFault::Handle,
        // About what was asked, not about the token: the next may well be signed.
        RvError::ArgumentsBad
        | RvError::DataInvalid
        | RvError::DataLenRange
        | RvError::FunctionNotSupported
        | RvError::KeyFunctionNotPermitted
        | RvError::KeySizeRange
        | RvError::KeyTypeInconsistent
        | RvError::MechanismInvalid
        | RvError::MechanismParamInvalid => TokenFault::Refused,
        // What modules say when they do not know better, a broken link to the HSM included; and
        // whatever else: a key that signs no more is to prove itself before it is asked again.
        _ => TokenFault::Device,
    }
}

impl From<TokenFault> for SignFault {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::Refused => Self::Refused,
            TokenFault::Session | TokenFault::Login | TokenFault::Handle | TokenFault::Device => {
                Self::TokenGone
            }
        }
    }
}
