//! Public keys, in one form: what a certificate says and what a token says compare equal exactly
//! if they are the same key.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::prelude::FromDer;
use x509_parser::public_key;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::{KeyKind, OpenFault, Scheme, der};

/// What an RSA modulus may measure, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kind: KeyKind,
    /// EC: the uncompressed point. RSA: DER of RSAPublicKey, with minimal integers.
    bits: Vec<u8>,
}

impl PublicKey {
    /// From the SubjectPublicKeyInfo of a certificate.
    pub fn from_spki(spki: &[u8]) -> Result<Self, OpenFault> {
        let unusable = |what: &str| {
            OpenFault::lasting(
                format!("the certificate's public key {what}"),
                "use a certificate for a P-256, P-384 or RSA key of 2048 to 4096 bits",
            )
        };
        let (rest, info) =
            SubjectPublicKeyInfo::from_der(spki).map_err(|_| unusable("cannot be read"))?;
        if !rest.is_empty() {
            return Err(unusable("has something behind it"));
        }
        match info.parsed().map_err(|_| unusable("cannot be read"))? {
            public_key::PublicKey::RSA(rsa) => Self::rsa(rsa.modulus, rsa.exponent),
            public_key::PublicKey::EC(point) => {
                let curve = info
                    .algorithm
                    .parameters
                    .as_ref()
                    .and_then(|any| any.as_oid().ok());
                let kind = curve
                    .and_then(|oid| kind_of_curve(oid.as_bytes()))
                    .ok_or_else(|| unusable("is on a curve that is not taken"))?;
                Self::ec(kind, point.data()).ok_or_else(|| unusable("is a compressed point"))
            }
            _ => Err(unusable("is of a kind that is not taken")),
        }
    }

    /// From an uncompressed point, bare or in an OCTET STRING: CKA_EC_POINT is the latter, and
    /// some modules give the former.
    pub fn ec(kind: KeyKind, point: &[u8]) -> Option<Self> {
        let point_bytes = 1 + 2 * field_bytes(kind)?;
        let bare = match point {
            [0x04, length, inner @ ..]
                if inner.len() == point_bytes && usize::from(*length) == point_bytes =>
            {
                inner
            }
            other => other,
        };
        (bare.len() == point_bytes && bare.first() == Some(&0x04)).then(|| Self {
            kind,
            bits: bare.to_vec(),
        })
    }

    /// From modulus and exponent, big-endian.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, OpenFault> {
        check_rsa_bits(modulus)?;
        Ok(Self {
            kind: KeyKind::Rsa,
            bits: der::two_integers(modulus, exponent),
        })
    }

    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// DER of the SubjectPublicKeyInfo.
    pub fn to_spki(&self) -> Vec<u8> {
        //= RFC 5480 section 2.1
        //# An EC key's algorithm is id-ecPublicKey with the curve's name as its parameter.
        const P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
                              \x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
        const P384: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\
                              \x06\x05\x2b\x81\x04\x00\x22";
        // 1.2.840.113549.1.1.1, rsaEncryption, and its parameter NULL.
        const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
        let algorithm = match self.kind {
            KeyKind::P256 => P256,
            KeyKind::P384 => P384,
            KeyKind::Rsa => RSA,
        };
        der::sequence(&[der::sequence(algorithm), der::bit_string(&self.bits)].concat())
    }

    /// Whether `signature` is this key's over `message`. ECDSA signatures are DER.
    pub fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match scheme {
            Scheme::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
            Scheme::EcdsaP384Sha384 => &signature::ECDSA_P384_SHA384_ASN1,
            Scheme::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
            Scheme::RsaPssSha384 => &signature::RSA_PSS_2048_8192_SHA384,
            Scheme::RsaPssSha512 => &signature::RSA_PSS_2048_8192_SHA512,
            Scheme::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Scheme::RsaPkcs1Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Scheme::RsaPkcs1Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        };
        self.kind.schemes().contains(&scheme)
            && UnparsedPublicKey::new(algorithm, &self.bits)
                .verify(message, signature)
                .is_ok()
    }
}

/// Length of a field element of an EC key.
pub fn field_bytes(kind: KeyKind) -> Option<usize> {
    match kind {
        KeyKind::P256 => Some(32),
        KeyKind::P384 => Some(48),
        KeyKind::Rsa => None,
    }
}

/// The kind of key on a curve, by the content octets of the curve's object identifier.
pub fn kind_of_curve(oid: &[u8]) -> Option<KeyKind> {
    match oid {
        // 1.2.840.10045.3.1.7, secp256r1
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => Some(KeyKind::P256),
        // 1.3.132.0.34, secp384r1
        [0x2b, 0x81, 0x04, 0x00, 0x22] => Some(KeyKind::P384),
        _ => None,
    }
}

/// Refuses an RSA modulus out of [`RSA_BITS`].
pub fn check_rsa_bits(modulus: &[u8]) -> Result<(), OpenFault> {
    let bits = rsa_bits(modulus);
    if RSA_BITS.contains(&bits) {
        return Ok(());
    }
    Err(rsa_size_fault(bits))
}

/// What an RSA modulus measures, in bits.
pub fn rsa_bits(modulus: &[u8]) -> usize {
    let digits = der::trimmed(modulus);
    let unused = digits
        .first()
        .map_or(0, |first| first.leading_zeros() as usize);
    digits.len() * 8 - unused
}

/// What is said about an RSA key of `bits` bits.
pub fn rsa_size_fault(bits: usize) -> OpenFault {
    OpenFault::lasting(
        format!("the RSA key has {bits} bits; 2048 to 4096 are taken"),
        "make a new key, P-256 for preference, and have a certificate issued for it",
    )
}
