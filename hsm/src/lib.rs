//! The private keys of t8gate: in a PKCS#11 token or in a PEM file, behind one door.
//!
//! What goes in is a [`SignJob`], what comes out is a signature. No key, PIN or handle leaves this
//! crate. A key has to be proved once against the server certificate ([`PrivateKey::prove`]) or,
//! where it has none, against its own public key ([`PrivateKey::prove_alone`]); a token key that
//! comes back after a fault is proved again before it signs.

#![deny(unsafe_code)]

pub mod ceremony;
mod der;
mod pin;
mod pkcs11;
mod pool;
mod public;
mod secret;
pub mod signer;
mod slots;
mod soft;
mod uri;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{self, Digest};
use public::PublicKey;
pub use secret::{Mac, macs};

/// The keys this gateway serves TLS with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    P256,
    P384,
    /// 2048 to 4096 bits.
    Rsa,
}

/// A signature scheme of TLS 1.2 and 1.3. The salt of PSS is as long as the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    EcdsaP256Sha256,
    EcdsaP384Sha384,
    RsaPssSha256,
    RsaPssSha384,
    RsaPssSha512,
    RsaPkcs1Sha256,
    RsaPkcs1Sha384,
    RsaPkcs1Sha512,
}

/// One signature to make: `message` is hashed here, as `scheme` says.
#[derive(Clone, Copy)]
pub struct SignJob<'a> {
    pub scheme: Scheme,
    pub message: &'a [u8],
}

/// Why a signature was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignFault {
    /// The key cannot sign by this scheme.
    Unsupported,
    /// All sessions of the token are signing, and have been for as long as one signature may take.
    Busy,
    /// The token, or the way to it, is gone; one attempt to get it back has failed.
    TokenGone,
    /// The token is there and the key is not, or another key stands in its place.
    KeyGone,
    /// The token answered and would not sign, or the key has not been proved yet.
    Refused,
}

impl fmt::Display for SignFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsupported => "the key cannot sign by this scheme",
            Self::Busy => "all sessions of the token are in use",
            Self::TokenGone => "the token does not answer",
            Self::KeyGone => "the key is no longer in the token",
            Self::Refused => "the token refused to sign",
        })
    }
}

impl std::error::Error for SignFault {}

/// A key in a token, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Source {
    /// The PKCS#11 module, a shared object.
    pub module: PathBuf,
    /// RFC 7512 URI naming exactly one token and one private key.
    pub uri: String,
    /// File whose first line is the user PIN.
    pub pin_file: PathBuf,
    /// Sessions that sign, from 1 to 1024.
    pub sessions: usize,
}

/// Why a key could not be opened or proved: for start-up and `check`, never for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFault {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub cure: String,
    /// Whether it stays until somebody does: it does not go with a token that comes back, or a
    /// system that has room again.
    pub lasts: bool,
}

impl OpenFault {
    /// One that may go by itself.
    pub fn new(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            cure: cure.into(),
            lasts: false,
        }
    }

    /// One that stays.
    pub fn lasting(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(what, cure).that_lasts()
    }

    fn that_lasts(self) -> Self {
        Self {
            lasts: true,
            ..self
        }
    }
}

impl fmt::Display for OpenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.cure)
    }
}

impl std::error::Error for OpenFault {}

/// Whether a token has refused a PIN to this process or to one of its signer processes, or may
/// have: whoever starts the process anew would have that PIN tried once more.
pub fn may_a_pin_be_wrong() -> bool {
    pin::any_may_be_wrong()
}

/// Has no signer process try a PIN any more, and waits for so long at most for those tries that are
/// under way: some tokens are lost if a login is cut off. Whether all have come to their ends. To
/// be called before the end of this process.
pub fn end_logins(wait: Duration) -> bool {
    pin::end_all(wait)
}

/// A private key that signs and cannot be read.
pub struct PrivateKey {
    keeper: Keeper,
}

enum Keeper {
    Soft(soft::SoftKey),
    /// In a token that this process has opened itself.
    Token(Box<pool::TokenKey>),
    /// In a token that a signer process has opened for this one.
    Apart(signer::KeyApart),
    /// In several tokens.
    Slots(Box<slots::Slots>),
}

/// What a PrivateKey shows of itself: nothing of the key.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("kind", &self.kind())
            .field("in_token", &self.in_token())
            .finish_non_exhaustive()
    }
}

impl PrivateKey {
    /// Reads the one private key of a PEM file: PKCS#8, SEC1 or PKCS#1, not encrypted.
    ///
    /// # Errors
    /// The file cannot be read, holds no or several keys, or a key this gateway does not take.
    pub fn from_pem_file(path: &Path) -> Result<Self, OpenFault> {
        let key = soft::SoftKey::from_pem_file(path).map_err(OpenFault::that_lasts)?;
        Ok(Self {
            keeper: Keeper::Soft(key),
        })
    }

    /// Opens a key in a token: loads the module, logs in once, opens all sessions. After
    /// [`signer::keep_apart`] a process of the module's own does that, else this one.
    ///
    /// # Errors
    /// The module cannot be loaded, the URI is wrong or names no or several tokens or keys, the
    /// PIN is refused (it is never tried twice), or the key is one this gateway does not take.
    pub fn from_token(source: &Pkcs11Source) -> Result<Self, OpenFault> {
        let keeper = match signer::launch() {
            Some(launch) => Keeper::Apart(signer::KeyApart::open(launch, source)?),
            None => {
                let pin = pin::Place::of(&source.pin_file);
                let key = pool::TokenKey::open(source, pin).map_err(|(_, fault)| fault)?;
                Keeper::Token(Box::new(key))
            }
        };
        Ok(Self { keeper })
    }

    /// Opens one key that is in several tokens. The one with the fewest signatures under way signs,
    /// and where it cannot, another does. All are opened and, by `prove`, proved.
    ///
    /// # Errors
    /// As [`PrivateKey::from_token`], of any of them; the keys are of different kinds.
    pub fn from_tokens(sources: &[Pkcs11Source]) -> Result<Self, OpenFault> {
        if sources
            .iter()
            .any(|source| source.pin_file.as_os_str().is_empty())
        {
            return Err(OpenFault::lasting(
                "it is not said where the PIN of the token is",
                "name the file whose first line it is",
            ));
        }
        if let [only] = sources {
            return Self::from_token(only);
        }
        Ok(Self {
            keeper: Keeper::Slots(Box::new(slots::Slots::open(sources)?)),
        })
    }

    /// The kind of key.
    pub fn kind(&self) -> KeyKind {
        match &self.keeper {
            Keeper::Soft(key) => key.kind(),
            Keeper::Token(key) => key.kind(),
            Keeper::Apart(key) => key.kind(),
            Keeper::Slots(key) => key.kind(),
        }
    }

    /// Whether signing leaves this process's own code and may block.
    pub fn in_token(&self) -> bool {
        !matches!(self.keeper, Keeper::Soft(_))
    }

    /// The schemes this key signs by, best first. A token without PSS has no PSS schemes.
    pub fn schemes(&self) -> &[Scheme] {
        match &self.keeper {
            Keeper::Soft(key) => key.kind().schemes(),
            Keeper::Token(key) => key.schemes(),
            Keeper::Apart(key) => key.schemes(),
            Keeper::Slots(key) => key.schemes(),
        }
    }

    /// Signs. Blocks for a key in a token: never call that on a shard. ECDSA signatures are DER.
    ///
    /// # Errors
    /// See [`SignFault`].
    pub fn sign(&self, job: SignJob<'_>) -> Result<Vec<u8>, SignFault> {
        if !self.schemes().contains(&job.scheme) {
            return Err(SignFault::Unsupported);
        }
        match &self.keeper {
            Keeper::Soft(key) => key.sign(job),
            Keeper::Token(key) => key.sign(job.scheme, job.hashed().as_ref()),
            Keeper::Apart(key) => key.sign(job.scheme, job.hashed().as_ref()),
            Keeper::Slots(key) => key.sign(job),
        }
    }

    /// To be called now and then while [`SignFault::TokenGone`] lasts: has the module look for its
    /// tokens as at the start, where it does not see this key's. Every session through the module,
    /// of this key and of others, is opened again by its next signature. Does nothing while
    /// another thread signs through the module, and for keys in files and in signer processes,
    /// which are looked after without being asked. May block.
    pub fn revive(&self) {
        match &self.keeper {
            Keeper::Token(key) => key.revive(),
            Keeper::Slots(key) => key.revive(),
            Keeper::Soft(_) | Keeper::Apart(_) => {}
        }
    }

    /// Proves that this is the private key of a certificate: signs a fresh random message by one
    /// scheme of each family and verifies with `certificate_spki` (DER of SubjectPublicKeyInfo).
    ///
    /// # Errors
    /// The certificate's key is of another kind or another key, or the token did not sign.
    pub fn prove(&self, certificate_spki: &[u8]) -> Result<(), OpenFault> {
        let public = PublicKey::from_spki(certificate_spki)?;
        if public.kind() != self.kind() {
            return Err(OpenFault::lasting(
                format!(
                    "the certificate is for a {} key, the private key is {}",
                    public.kind().name(),
                    self.kind().name()
                ),
                "configure the certificate that was issued for this key",
            ));
        }
        if let Keeper::Slots(key) = &self.keeper {
            return key.prove(certificate_spki);
        }
        self.prove_to_be(public, || {
            OpenFault::lasting(
                "the certificate is for another key than the private key",
                "configure the certificate that was issued for this key, or the key it names",
            )
        })
    }

    /// Whether this key is in a token and known to be that of `certificate_spki`, so that nothing
    /// else it signed would be let out. Asks no token: of a key that has been proved before it says
    /// what [`PrivateKey::prove`] would, also while its token is away.
    pub fn is_known_to_be(&self, certificate_spki: &[u8]) -> bool {
        match &self.keeper {
            Keeper::Slots(key) => key.is_known_to_be(certificate_spki),
            _ => PublicKey::from_spki(certificate_spki)
                .is_ok_and(|public| self.identity() == Some(&public)),
        }
    }

    /// Proves the key where there is no certificate to prove it against: by the public key that
    /// belongs to it, which is given back as DER of SubjectPublicKeyInfo. In a token that is the
    /// public key object beside the private key; for a file it is derived.
    ///
    /// # Errors
    /// The token does not say what the public key is or names another key's, or did not sign.
    pub fn prove_alone(&self) -> Result<Vec<u8>, OpenFault> {
        let public = match &self.keeper {
            Keeper::Soft(key) => PublicKey::from_spki(&key.spki()?)?,
            Keeper::Slots(key) => return key.prove_alone(),
            Keeper::Token(_) | Keeper::Apart(_) => self.identity().cloned().ok_or_else(|| {
                // It may be asked in a moment when it says nothing.
                OpenFault::new(
                    "the token does not say what the public key of the private key is",
                    "store the public key object beside the private key, with the same id \
                     (pkcs11-tool --write-object PUBLIC.der --type pubkey --id ID)",
                )
            })?,
        };
        let spki = public.to_spki();
        self.prove_to_be(public, || {
            OpenFault::lasting(
                "the public key beside the private key in the token belongs to another key",
                "give the id of the private key to the public key object that belongs to it, \
                 and to no other",
            )
        })?;
        Ok(spki)
    }

    /// Signs for `public` by one scheme of each family, and remembers it as the key that may sign.
    fn prove_to_be(
        &self,
        public: PublicKey,
        other_key: impl Fn() -> OpenFault,
    ) -> Result<(), OpenFault> {
        if self.identity().is_some_and(|known| *known != public) {
            return Err(other_key());
        }
        for scheme in one_of_each_family(self.schemes()) {
            let message = fresh_message().map_err(|fault| {
                OpenFault::new(fault.to_string(), "check the system's random number source")
            })?;
            let job = SignJob {
                scheme,
                message: &message,
            };
            let signature = match &self.keeper {
                Keeper::Soft(key) => key.sign(job),
                Keeper::Token(key) => key
                    .sign_for(scheme, job.hashed().as_ref(), Some(&public))
                    .map_err(|unmade| unmade.fault),
                Keeper::Apart(key) => key.sign_unproved(scheme, job.hashed().as_ref()),
                Keeper::Slots(key) => key.sign(job),
            };
            let signature = signature.map_err(|fault| {
                OpenFault::new(
                    format!("the key did not sign by {scheme:?}: {fault}"),
                    "check that the token is up and that the key may sign",
                )
            })?;
            if !public.verifies(scheme, &message, &signature) {
                return Err(other_key());
            }
        }
        match &self.keeper {
            Keeper::Soft(_) | Keeper::Slots(_) => Ok(()),
            Keeper::Token(key) => key.remember(public).map_err(|()| other_key()),
            Keeper::Apart(key) => key.remember(public).map_err(|fault| match fault {
                Some(fault) => OpenFault::new(
                    format!("the signer process did not take the public key: {fault}"),
                    "see what the log says of it",
                ),
                None => other_key(),
            }),
        }
    }

    /// The key that may sign, where that is known: for a key in a token, once it or a certificate
    /// has said so.
    fn identity(&self) -> Option<&PublicKey> {
        match &self.keeper {
            Keeper::Soft(_) | Keeper::Slots(_) => None,
            Keeper::Token(key) => key.identity(),
            Keeper::Apart(key) => key.identity(),
        }
    }
}

impl SignJob<'_> {
    fn hashed(&self) -> Digest {
        self.scheme.hashed(self.message)
    }
}

/// A DER ECDSA signature, as [`PrivateKey::sign`] gives it, as JOSE carries it: r and s, each as
/// long as a field element of the curve of `kind`, big-endian, one behind the other. None: it is
/// not the DER of two such numbers, or `kind` is RSA. Any bytes may be given.
//= RFC 7518 section 3.4
//# The signature of ES256 is r and s as 32 octets each, of ES384 as 48 each, zeros kept.
pub fn jose_signature(kind: KeyKind, der: &[u8]) -> Option<Vec<u8>> {
    der::raw_ecdsa_signature(der, public::field_bytes(kind)?)
}

impl KeyKind {
    fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Rsa => "RSA",
        }
    }

    /// Every scheme of this kind of key, best first.
    fn schemes(self) -> &'static [Scheme] {
        match self {
            Self::P256 => &[Scheme::EcdsaP256Sha256],
            Self::P384 => &[Scheme::EcdsaP384Sha384],
            Self::Rsa => &[
                Scheme::RsaPssSha256,
                Scheme::RsaPssSha384,
                Scheme::RsaPssSha512,
                Scheme::RsaPkcs1Sha256,
                Scheme::RsaPkcs1Sha384,
                Scheme::RsaPkcs1Sha512,
            ],
        }
    }
}

/// Padding and arithmetic, without the hash: what a token supports or not as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Ecdsa,
    RsaPss,
    RsaPkcs1,
}

impl Scheme {
    fn hash(self) -> &'static digest::Algorithm {
        match self {
            Self::EcdsaP256Sha256 | Self::RsaPssSha256 | Self::RsaPkcs1Sha256 => &digest::SHA256,
            Self::EcdsaP384Sha384 | Self::RsaPssSha384 | Self::RsaPkcs1Sha384 => &digest::SHA384,
            Self::RsaPssSha512 | Self::RsaPkcs1Sha512 => &digest::SHA512,
        }
    }

    fn hashed(self, message: &[u8]) -> Digest {
        digest::digest(self.hash(), message)
    }

    fn family(self) -> Family {
        match self {
            Self::EcdsaP256Sha256 | Self::EcdsaP384Sha384 => Family::Ecdsa,
            Self::RsaPssSha256 | Self::RsaPssSha384 | Self::RsaPssSha512 => Family::RsaPss,
            Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha384 | Self::RsaPkcs1Sha512 => Family::RsaPkcs1,
        }
    }
}

fn one_of_each_family(schemes: &[Scheme]) -> impl Iterator<Item = Scheme> + '_ {
    [Family::Ecdsa, Family::RsaPss, Family::RsaPkcs1]
        .into_iter()
        .filter_map(|family| {
            schemes
                .iter()
                .copied()
                .find(|scheme| scheme.family() == family)
        })
}

/// 32 random bytes, so that no earlier signature can answer for this one.
fn fresh_message() -> Result<[u8; 32], SignFault> {
    let mut message = [0; 32];
    aws_lc_rs::rand::fill(&mut message).map_err(|_| SignFault::Refused)?;
    Ok(message)
}
