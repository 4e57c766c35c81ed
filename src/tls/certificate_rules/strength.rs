//! How strong a key is, so that two kinds can be compared.

use x509_parser::oid_registry::{OID_EC_P256, OID_NIST_EC_P384, OID_NIST_EC_P521};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Kinds of keys from strong to weak, and their strength in bits (NIST SP 800-57 part 1, table 2).
/// An RSA key has the strength of the longest one here that is not longer than itself.
pub const STRENGTHS: [(&str, u16); 7] = [
    ("EC P-521", 256),
    ("RSA-7680", 192),
    ("EC P-384", 192),
    ("RSA-3072", 128),
    ("EC P-256", 128),
    ("RSA-2048", 112),
    ("RSA-1024", 80),
];

/// Bits of strength; none of a key that is neither RSA nor on a curve of the table.
pub(super) fn strength(key: &SubjectPublicKeyInfo<'_>) -> Option<u16> {
    if let Some(bits) = rsa_bits(key) {
        return Some(match bits {
            7680.. => 192,
            3072.. => 128,
            2048.. => 112,
            _ => 80,
        });
    }
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    let strengths = [
        (OID_EC_P256, 128),
        (OID_NIST_EC_P384, 192),
        (OID_NIST_EC_P521, 256),
    ];
    let found = strengths.into_iter().find(|(known, _)| *known == curve);
    found.map(|(_, bits)| bits)
}

/// Length of an RSA modulus; none of other keys.
pub(super) fn rsa_bits(key: &SubjectPublicKeyInfo<'_>) -> Option<usize> {
    let Ok(PublicKey::RSA(rsa)) = key.parsed() else {
        return None;
    };
    let zeros = rsa.modulus.iter().take_while(|octet| **octet == 0).count();
    let modulus = rsa.modulus.get(zeros..)?;
    let unused = modulus.first().map_or(0, |octet| octet.leading_zeros());
    Some(modulus.len() * 8 - usize::try_from(unused).unwrap_or(0))
}
