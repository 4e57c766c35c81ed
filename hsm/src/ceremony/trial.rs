//! A key tried by every scheme, so that what is missing is known before a client asks for it.

use crate::public::PublicKey;
use crate::{Family, OpenFault, PrivateKey, Scheme, SignFault, SignJob, fresh_message};

/// What became of one scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// The key signed, and the signature verifies.
    Signs,
    /// The token has not the mechanism that PKCS#11 calls this.
    Absent(&'static str),
    /// It has the mechanism and did not sign.
    Fails(SignFault),
    /// It signed something else than it was given, or by another key.
    Wrong,
}

/// Signs a fresh message by every scheme there is for this kind of key, and verifies by the public
/// key `spki` (DER of SubjectPublicKeyInfo), which the key has been proved to belong to.
///
/// # Errors
/// `spki` cannot be read, or there are no random numbers.
pub fn try_schemes(key: &PrivateKey, spki: &[u8]) -> Result<Vec<(Scheme, Trial)>, OpenFault> {
    let public = PublicKey::from_spki(spki)?;
    let mut trials = Vec::new();
    for scheme in key.kind().schemes() {
        let message = fresh_message().map_err(|fault| {
            OpenFault::new(fault.to_string(), "check the system's random number source")
        })?;
        let job = SignJob {
            scheme: *scheme,
            message: &message,
        };
        let trial = match key.sign(job) {
            Ok(signature) if public.verifies(*scheme, &message, &signature) => Trial::Signs,
            Ok(_) => Trial::Wrong,
            Err(SignFault::Unsupported) => Trial::Absent(mechanism(*scheme)),
            Err(fault) => Trial::Fails(fault),
        };
        trials.push((*scheme, trial));
    }
    Ok(trials)
}

fn mechanism(scheme: Scheme) -> &'static str {
    match scheme.family() {
        Family::Ecdsa => "CKM_ECDSA",
        Family::RsaPss => "CKM_RSA_PKCS_PSS",
        Family::RsaPkcs1 => "CKM_RSA_PKCS",
    }
}
