//! The signatures under certificates' statuses that are taken, and how they are verified.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
};
use rustls::pki_types::AlgorithmIdentifier;
use rustls::pki_types::alg_id::{
    ECDSA_P256, ECDSA_P384, ECDSA_SHA256, ECDSA_SHA384, ECDSA_SHA512, RSA_ENCRYPTION,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512,
};

use super::der::{self, expect, only};

/// A signature algorithm, what it hashes with, the kind of key it goes with, and what verifies it.
type Method = (
    AlgorithmIdentifier,
    &'static Algorithm,
    AlgorithmIdentifier,
    &'static dyn VerificationAlgorithm,
);

//= TS 33.310 clause 6.1.1
//# SHA-256 and better with RSA from 2,048 bits, P-256 or P-384; SHA-1 and MD5 not at all.
static METHODS: [Method; 12] = [
    (ECDSA_SHA256, &SHA256, ECDSA_P256, &ECDSA_P256_SHA256_ASN1),
    (ECDSA_SHA384, &SHA384, ECDSA_P256, &ECDSA_P256_SHA384_ASN1),
    (ECDSA_SHA512, &SHA512, ECDSA_P256, &ECDSA_P256_SHA512_ASN1),
    (ECDSA_SHA256, &SHA256, ECDSA_P384, &ECDSA_P384_SHA256_ASN1),
    (ECDSA_SHA384, &SHA384, ECDSA_P384, &ECDSA_P384_SHA384_ASN1),
    (ECDSA_SHA512, &SHA512, ECDSA_P384, &ECDSA_P384_SHA512_ASN1),
    (
        RSA_PKCS1_SHA256,
        &SHA256,
        RSA_ENCRYPTION,
        &RSA_PKCS1_2048_8192_SHA256,
    ),
    (
        RSA_PKCS1_SHA384,
        &SHA384,
        RSA_ENCRYPTION,
        &RSA_PKCS1_2048_8192_SHA384,
    ),
    (
        RSA_PKCS1_SHA512,
        &SHA512,
        RSA_ENCRYPTION,
        &RSA_PKCS1_2048_8192_SHA512,
    ),
    (
        RSA_PSS_SHA256,
        &SHA256,
        RSA_ENCRYPTION,
        &RSA_PSS_2048_8192_SHA256,
    ),
    (
        RSA_PSS_SHA384,
        &SHA384,
        RSA_ENCRYPTION,
        &RSA_PSS_2048_8192_SHA384,
    ),
    (
        RSA_PSS_SHA512,
        &SHA512,
        RSA_ENCRYPTION,
        &RSA_PSS_2048_8192_SHA512,
    ),
];

/// What a signature algorithm (the content of its identifier) hashes with; none where it is not
/// taken.
pub(super) fn digest_of(algorithm: &[u8]) -> Option<&'static Algorithm> {
    let method = METHODS.iter().find(|(id, ..)| id.as_ref() == algorithm);
    method.map(|(_, digest, ..)| *digest)
}

/// How a signature by this key is verified; none where the two do not go together.
pub(super) fn verification(
    algorithm: &[u8],
    spki: &[u8],
) -> Option<&'static dyn VerificationAlgorithm> {
    let mut key = only(spki, der::SEQUENCE)?;
    let kind = expect(&mut key, der::SEQUENCE)?;
    let fits = |(id, _, of, _): &&Method| id.as_ref() == algorithm && of.as_ref() == kind;
    METHODS
        .iter()
        .find(fits)
        .map(|(.., verification)| *verification)
}
