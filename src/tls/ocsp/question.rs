//! What a responder is asked, as octets.

use super::{Hash, OcspIssuer, der};

/// An OCSPRequest about one certificate of an issuer, by its serial number (the content octets of
/// its INTEGER). Not signed, and without a nonce: answers that were made before are as good between
/// their times, and large responders have no others.
//= RFC 6960 section 4.1.1
//# A request names a certificate by hashes of its issuer's name and key, and its serial number.
//= RFC 5019 section 2.1.1
//# One certificate a request, SHA-1 in its CertID, neither signature nor extensions.
pub fn question(issuer: &OcspIssuer, serial: &[u8]) -> Vec<u8> {
    let (name, key) = issuer.hashes(Hash::Sha1);
    let algorithm = [
        der::made(der::OBJECT_IDENTIFIER, &[Hash::SHA1_ID]),
        der::made(der::NULL, &[]),
    ];
    let certificate = [
        sequence(&algorithm),
        der::made(der::OCTET_STRING, &[&name]),
        der::made(der::OCTET_STRING, &[&key]),
        der::made(der::INTEGER, &[serial]),
    ];
    // OCSPRequest, TBSRequest, its list, Request: each holds nothing but the next.
    let wrap = |inner: Vec<u8>| der::made(der::SEQUENCE, &[&inner]);
    wrap(wrap(wrap(wrap(sequence(&certificate)))))
}

fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
    der::made(der::SEQUENCE, &elements)
}
