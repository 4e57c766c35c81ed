//! Keys in PEM files, signed with by aws-lc-rs in this process.

use std::path::Path;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _, RsaEncoding};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use crate::{KeyKind, OpenFault, Scheme, SignFault, SignJob, public};

const TAKEN: &str = "use an unencrypted PEM file with one P-256, P-384 or RSA (2048 to 4096 bits) \
                     private key: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";

pub enum SoftKey {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SoftKey {
    pub fn from_pem_file(path: &Path) -> Result<Self, OpenFault> {
        let pem = Zeroizing::new(std::fs::read(path).map_err(|e| {
            OpenFault::new(
                format!("the key file {} cannot be read: {e}", path.display()),
                "check the path, and that the gateway's user may read it",
            )
        })?);
        Self::from_pem(&pem).map_err(|fault| {
            OpenFault::new(
                format!("key file {}: {}", path.display(), fault.what),
                fault.cure,
            )
        })
    }

    fn from_pem(pem: &[u8]) -> Result<Self, OpenFault> {
        let mut found = None;
        for key in PrivateKeyDer::pem_slice_iter(pem) {
            let key = key.map_err(|_| OpenFault::new("it is not well-formed PEM", TAKEN))?;
            if found.replace(Zeroizing::new(key)).is_some() {
                return Err(OpenFault::new("it holds more than one private key", TAKEN));
            }
        }
        match found {
            Some(key) => Self::from_der(&key),
            None if memory_contains(pem, b"ENCRYPTED PRIVATE KEY") => Err(OpenFault::new(
                "the private key in it is encrypted",
                "decrypt it (openssl pkey -in KEY -out PLAIN, mode 0600) or put the key in a token",
            )),
            None => Err(OpenFault::new("it holds no private key", TAKEN)),
        }
    }

    fn from_der(key: &PrivateKeyDer<'_>) -> Result<Self, OpenFault> {
        let der = key.secret_der();
        if !matches!(key, PrivateKeyDer::Pkcs1(_)) {
            if let Ok(key) =
                EcdsaKeyPair::from_private_key_der(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, der)
            {
                return Ok(Self::P256(key));
            }
            if let Ok(key) =
                EcdsaKeyPair::from_private_key_der(&signature::ECDSA_P384_SHA384_ASN1_SIGNING, der)
            {
                return Ok(Self::P384(key));
            }
        }
        let rsa = match key {
            PrivateKeyDer::Pkcs1(_) => RsaKeyPair::from_der(der),
            PrivateKeyDer::Pkcs8(_) => RsaKeyPair::from_pkcs8(der),
            _ => {
                return Err(OpenFault::new(
                    "the key is on a curve that is not taken",
                    TAKEN,
                ));
            }
        };
        let rsa = rsa.map_err(|rejected| {
            OpenFault::new(format!("the key was rejected ({rejected})"), TAKEN)
        })?;
        // aws-lc-rs has refused what is under 2048 bits; 512 octets are 4096.
        if rsa.public_modulus_len() > 512 {
            return Err(public::rsa_size_fault(rsa.public_modulus_len() * 8));
        }
        Ok(Self::Rsa(rsa))
    }

    pub fn kind(&self) -> KeyKind {
        match self {
            Self::P256(_) => KeyKind::P256,
            Self::P384(_) => KeyKind::P384,
            Self::Rsa(_) => KeyKind::Rsa,
        }
    }

    /// The public key that belongs to it, as DER of SubjectPublicKeyInfo.
    pub fn spki(&self) -> Result<Vec<u8>, OpenFault> {
        let der: Result<PublicKeyX509Der<'_>, _> = match self {
            Self::P256(key) | Self::P384(key) => key.public_key().as_der(),
            Self::Rsa(key) => key.public_key().as_der(),
        };
        der.map(|der| der.as_ref().to_vec())
            .map_err(|_| OpenFault::new("the key has no public key", TAKEN))
    }

    /// The scheme has been checked to be one of this kind's.
    pub fn sign(&self, job: SignJob<'_>) -> Result<Vec<u8>, SignFault> {
        let random = SystemRandom::new();
        let key = match self {
            Self::P256(key) | Self::P384(key) => {
                let signature = key
                    .sign(&random, job.message)
                    .map_err(|_| SignFault::Refused)?;
                return Ok(signature.as_ref().to_vec());
            }
            Self::Rsa(key) => key,
        };
        let encoding: &'static dyn RsaEncoding = match job.scheme {
            Scheme::RsaPssSha256 => &signature::RSA_PSS_SHA256,
            Scheme::RsaPssSha384 => &signature::RSA_PSS_SHA384,
            Scheme::RsaPssSha512 => &signature::RSA_PSS_SHA512,
            Scheme::RsaPkcs1Sha256 => &signature::RSA_PKCS1_SHA256,
            Scheme::RsaPkcs1Sha384 => &signature::RSA_PKCS1_SHA384,
            Scheme::RsaPkcs1Sha512 => &signature::RSA_PKCS1_SHA512,
            Scheme::EcdsaP256Sha256 | Scheme::EcdsaP384Sha384 => {
                return Err(SignFault::Unsupported);
            }
        };
        let mut out = vec![0; key.public_modulus_len()];
        key.sign(encoding, &random, job.message, &mut out)
            .map_err(|_| SignFault::Refused)?;
        Ok(out)
    }
}

fn memory_contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[cfg(test)]
mod tests;
