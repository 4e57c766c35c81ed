//! The server's private key as rustls sees it.

use std::fmt;
use std::sync::Arc;

use hsm::{KeyKind, PrivateKey, Scheme, SignJob};
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use super::{Refusal, turn};
use crate::clock::Nanos;

/// A key of the `hsm` room. One in a token signs only where the thread may wait for it.
#[derive(Clone)]
pub(super) struct ServerKey {
    held: Arc<Held>,
}

/// References to it are counted in each handshake, and so it is a shard's own.
struct Held {
    key: Arc<PrivateKey>,
    in_token: bool,
}

impl ServerKey {
    pub(super) fn new(key: Arc<PrivateKey>, in_token: bool) -> Self {
        let held = Arc::new(Held { key, in_token });
        Self { held }
    }

    pub(super) fn in_token(&self) -> bool {
        self.held.in_token
    }

    /// The same key for another shard.
    pub(super) fn again(&self) -> Self {
        Self::new(Arc::clone(&self.held.key), self.held.in_token)
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerKey")
            .field("in_token", &self.held.in_token)
            .finish_non_exhaustive()
    }
}

impl SigningKey for ServerKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let schemes = self.held.key.schemes();
        let scheme = *schemes
            .iter()
            .find(|own| offered.contains(&tls_name(**own)))?;
        let held = Arc::clone(&self.held);
        Some(Box::new(SchemeSigner { held, scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.held.key.kind() {
            KeyKind::P256 | KeyKind::P384 => SignatureAlgorithm::ECDSA,
            KeyKind::Rsa => SignatureAlgorithm::RSA,
        }
    }
}

/// A certificate with its key, to be shown by a client. It signs on the thread of the handshake,
/// and waits for a token there: never a shard's.
pub fn shown_by_client(
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKey>,
) -> Arc<CertifiedKey> {
    Arc::new(CertifiedKey::new(
        chain,
        Arc::new(ServerKey::new(key, false)),
    ))
}

struct SchemeSigner {
    held: Arc<Held>,
    scheme: Scheme,
}

impl fmt::Debug for SchemeSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SchemeSigner({:?})", self.scheme())
    }
}

impl Signer for SchemeSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        // A shard never waits for a token: the handshake is refused rather than the CPU stopped.
        if self.held.in_token && !turn::may_wait_for_token() {
            turn::note_refusal(Refusal::SignerFailed);
            return Err(Error::General(
                "a token does not sign on this thread".into(),
            ));
        }
        let begun = Nanos::now();
        let signed = self.held.key.sign(SignJob {
            scheme: self.scheme,
            message,
        });
        let took = |_: &Vec<u8>| turn::note_signed(Nanos::now().since(begun));
        signed.inspect(took).map_err(|fault| {
            turn::note_refusal(Refusal::SignerFailed);
            Error::General(fault.to_string())
        })
    }

    fn scheme(&self) -> SignatureScheme {
        tls_name(self.scheme)
    }
}

fn tls_name(scheme: Scheme) -> SignatureScheme {
    match scheme {
        Scheme::EcdsaP256Sha256 => SignatureScheme::ECDSA_NISTP256_SHA256,
        Scheme::EcdsaP384Sha384 => SignatureScheme::ECDSA_NISTP384_SHA384,
        Scheme::RsaPssSha256 => SignatureScheme::RSA_PSS_SHA256,
        Scheme::RsaPssSha384 => SignatureScheme::RSA_PSS_SHA384,
        Scheme::RsaPssSha512 => SignatureScheme::RSA_PSS_SHA512,
        Scheme::RsaPkcs1Sha256 => SignatureScheme::RSA_PKCS1_SHA256,
        Scheme::RsaPkcs1Sha384 => SignatureScheme::RSA_PKCS1_SHA384,
        Scheme::RsaPkcs1Sha512 => SignatureScheme::RSA_PKCS1_SHA512,
    }
}
