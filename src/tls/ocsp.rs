//! The status of one certificate, as a responder states it (OCSP, RFC 6960), without I/O: the
//! question as octets, and the answer read and verified.
//!
//! Which responders there are is the operator's to say, as with lists: a certificate's own word on
//! where to ask is never followed. An answer counts for the certificate that was asked about, from
//! its issuer or from whom that issuer has made its responder, and between the times it names.

mod answer;
mod question;
mod staple;
mod statuses;

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

pub use answer::{Answer, Status, read};
pub use question::question;
pub use staple::Staple;
pub use statuses::{Known, Question, Statuses, Told, Verdict};

pub(super) use staple::Stapled;

use super::revocation::IssuerId;
use super::{der, leaf};

/// A CA that certificates are asked about of.
#[derive(Clone)]
pub struct OcspIssuer {
    id: IssuerId,
    /// Content octets.
    name: Vec<u8>,
    /// The whole name, as it is hashed.
    name_der: Vec<u8>,
    spki: Vec<u8>,
    /// Of the public key: the octets of its BIT STRING without the count of unused bits.
    key: Vec<u8>,
}

impl OcspIssuer {
    /// From the CA's certificate. None where it is no X.509 certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate = leaf::parsed(der)?;
        let name_der = certificate.subject().as_raw();
        Some(Self {
            id: IssuerId::of_ca(&certificate)?,
            name: der::only(name_der, der::SEQUENCE)?.to_vec(),
            name_der: name_der.to_vec(),
            spki: certificate.public_key().raw.to_vec(),
            key: certificate.public_key().subject_public_key.data.to_vec(),
        })
    }

    /// What its certificates have in common.
    pub fn id(&self) -> IssuerId {
        self.id
    }

    /// Whether it is the issuer that a certificate names, and has signed it.
    pub fn has_issued(&self, certificate: &[u8]) -> bool {
        let named = leaf::parsed(certificate)
            .is_some_and(|certificate| certificate.issuer().as_raw() == self.name_der);
        named && answer::has_signed(self, certificate)
    }

    /// What a CertID names it by.
    fn hashes(&self, hash: Hash) -> (Vec<u8>, Vec<u8>) {
        let hashed = |octets: &[u8]| digest(hash.algorithm(), octets).as_ref().to_vec();
        (hashed(&self.name_der), hashed(&self.key))
    }
}

/// The serial number of a certificate: the content octets of its INTEGER. None where it is no X.509
/// certificate.
pub fn serial_of(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(leaf::parsed(certificate)?.raw_serial().to_vec())
}

/// What a CertID hashes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    const SHA1_ID: &'static [u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
    const SHA256_ID: &'static [u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

    fn of_id(id: &[u8]) -> Option<Self> {
        match id {
            Self::SHA1_ID => Some(Self::Sha1),
            Self::SHA256_ID => Some(Self::Sha256),
            _ => None,
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            // Names an issuer among those that this side has chosen, and protects nothing: the
            // answer counts by its signature, and whoever finds another issuer with the same
            // hashes has not that issuer's key.
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
        }
    }
}

/// Why an answer is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OcspFault {
    /// The file ended in an error.
    Unreadable,
    /// No regular file stands where it should be.
    NotRegular,
    /// Not the DER of an OCSP response.
    Encoding,
    /// More octets than are read.
    TooLong,
    /// The responder has answered that it does not answer, with this code.
    NoAnswer(u8),
    /// Signed with an algorithm that is not taken.
    Algorithm,
    /// Signed by neither the issuer nor somebody it has made its responder.
    Responder,
    /// The certificate of who signed is out of time, or is for something else.
    ResponderUnfit,
    /// The signature is not that of who is said to have signed.
    Signature,
    /// It does not speak of the certificate.
    OtherCertificate,
    /// A critical extension that is not known here.
    CriticalExtension,
    /// It does not say when it ends, and it is to be shown to others.
    NoNextUpdate,
    /// It has ended.
    Ended,
    /// It has not begun.
    NotYetValid,
    /// It is older than one that was taken already.
    WentBack,
    /// It says that the gateway's own certificate is revoked.
    OwnRevoked,
    /// It says that the responder does not know the gateway's own certificate.
    OwnUnknown,
}

impl OcspFault {
    /// The word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NotRegular => "not_regular",
            Self::Encoding => "encoding",
            Self::TooLong => "too_long",
            Self::NoAnswer(_) => "no_answer",
            Self::Algorithm => "algorithm",
            Self::Responder => "responder",
            Self::ResponderUnfit => "responder_unfit",
            Self::Signature => "signature",
            Self::OtherCertificate => "other_certificate",
            Self::CriticalExtension => "critical_extension",
            Self::NoNextUpdate => "no_next_update",
            Self::Ended => "ended",
            Self::NotYetValid => "not_yet_valid",
            Self::WentBack => "went_back",
            Self::OwnRevoked => "own_revoked",
            Self::OwnUnknown => "own_unknown",
        }
    }

    /// What is wrong, and what to do about it.
    pub fn explained(self) -> (&'static str, &'static str) {
        match self {
            Self::Unreadable => (
                "it cannot be read to its end",
                "see whether it is there, and whether the gateway's user may read it",
            ),
            Self::NotRegular => (
                "it is no regular file",
                "put the response itself there: a pipe, a device or a folder is not read",
            ),
            Self::Encoding => (
                "it is no OCSP response in DER",
                "fetch it anew; `openssl ocsp -respin FILE -noverify -resp_text` must read it",
            ),
            Self::TooLong => (
                "it is longer than 64 KiB",
                "have the responder send no more certificates than its own",
            ),
            Self::NoAnswer(2 | 3) => (
                "the responder answers that it cannot answer now",
                "see the responder's own log",
            ),
            Self::NoAnswer(5 | 6) => (
                "the responder wants requests that are signed, or refuses this one",
                "have it answer this gateway: its requests are not signed",
            ),
            Self::NoAnswer(_) => (
                "the responder does not understand the request",
                "see whether the URL is that of an OCSP responder",
            ),
            Self::Algorithm => (
                "it is not signed with ECDSA or RSA and SHA-256 or better",
                "have the responder sign with SHA-256; SHA-1 is not taken",
            ),
            Self::Responder => (
                "it is signed by neither the certificate's issuer nor a responder of that issuer",
                "see whether the issuer configured is the one that issued the certificate",
            ),
            Self::ResponderUnfit => (
                "the certificate of its responder is out of time, or lacks what a responder's has",
                "have one issued by the CA itself with extendedKeyUsage OCSPSigning",
            ),
            Self::Signature => (
                "it is not signed by who is said to have signed it",
                "see whether the CA has changed its key",
            ),
            Self::OtherCertificate => (
                "it speaks of another certificate",
                "fetch it for this certificate and its issuer",
            ),
            Self::CriticalExtension => (
                "it has a critical extension that is not known here",
                "have the responder answer as RFC 6960 describes",
            ),
            Self::NoNextUpdate => (
                "it does not say when it ends (nextUpdate)",
                "have the responder say so (openssl ocsp: -nmin or -ndays)",
            ),
            Self::Ended => ("it has ended", "fetch a new one, or see why none has come"),
            Self::NotYetValid => (
                "it has not begun",
                "see whether this machine's clock and the responder's are right",
            ),
            Self::WentBack => (
                "it is older (thisUpdate) than one that was taken already",
                "see whether an old answer is replayed, or a cache before the responder is stale",
            ),
            Self::OwnRevoked => (
                "the certificate is revoked",
                "have a new certificate issued, for a new key: clients refuse this one",
            ),
            Self::OwnUnknown => (
                "the responder does not know the certificate",
                "see whether the responder is that of the certificate's issuer",
            ),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
