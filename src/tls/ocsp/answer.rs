//! An answer: from the octets of an OCSPResponse to what it says of one certificate. Nothing of it
//! counts before its signature has been verified.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::signature::UnparsedPublicKey;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::X509Certificate;

use super::{Hash, OcspFault, OcspIssuer, der, leaf};
use crate::clock::UnixSeconds;
use crate::limits::{OCSP_EARLY_S_MAX, OCSP_RESPONDERS_MAX, OCSP_RESPONSE_BYTES_MAX};
use crate::tls::leaf::Validity;
use crate::tls::signatures::{digest_of, verification};

/// id-pkix-ocsp-basic.
const OID_BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];

/// What is said of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Good,
    Revoked {
        since: UnixSeconds,
    },
    /// The responder does not know it.
    Unknown,
}

/// What is said of a certificate, and until when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: Status,
    pub this_update: UnixSeconds,
    /// When the next one comes; none where there may be a newer one at any time.
    pub next_update: Option<UnixSeconds>,
}

/// Reads the answer about one certificate of an issuer, by its serial number (the content octets of
/// its INTEGER), and verifies it.
///
/// # Errors
/// Why it is not used. Octets that are no answer are an error like any other.
//= RFC 6960 section 3.2
//# An answer counts if it speaks of the certificate, is signed by whom its issuer lets sign, and
//# is neither early nor late.
pub fn read(
    response: &[u8],
    issuer: &OcspIssuer,
    serial: &[u8],
    now: UnixSeconds,
) -> Result<Answer, OcspFault> {
    if response.len() > OCSP_RESPONSE_BYTES_MAX {
        return Err(OcspFault::TooLong);
    }
    let basic = Signed::read(successful(response)?)?;
    let said = Said::read(basic.signed)?;
    basic.is_by(said.responder, issuer, now)?;
    let answer = said.of(issuer, serial)?;
    let next = answer.next_update;
    if next.is_some_and(|next| next < now) {
        return Err(OcspFault::Ended);
    }
    let begins = answer.this_update.0.saturating_sub(OCSP_EARLY_S_MAX);
    if now.0 < begins || next.is_some_and(|next| next < answer.this_update) {
        return Err(OcspFault::NotYetValid);
    }
    Ok(answer)
}

/// The BasicOCSPResponse in a response that is one.
fn successful(response: &[u8]) -> Result<&[u8], OcspFault> {
    let encoding = OcspFault::Encoding;
    let mut fields = der::only(response, der::SEQUENCE).ok_or(encoding)?;
    match der::expect(&mut fields, der::ENUMERATED) {
        Some([0]) => {}
        Some(&[code]) => return Err(OcspFault::NoAnswer(code)),
        _ => return Err(encoding),
    }
    let bytes = der::only(fields, der::CONTEXT_0).and_then(|bytes| der::only(bytes, der::SEQUENCE));
    let mut bytes = bytes.ok_or(encoding)?;
    if der::expect(&mut bytes, der::OBJECT_IDENTIFIER) != Some(OID_BASIC) {
        return Err(encoding);
    }
    der::only(bytes, der::OCTET_STRING).ok_or(encoding)
}

/// What is signed, with its signature: a BasicOCSPResponse, or a certificate.
struct Signed<'r> {
    /// All octets of it.
    signed: &'r [u8],
    /// Content of its AlgorithmIdentifier.
    algorithm: &'r [u8],
    signature: &'r [u8],
    /// What follows.
    rest: &'r [u8],
}

impl<'r> Signed<'r> {
    fn read(whole: &'r [u8]) -> Result<Self, OcspFault> {
        let read = || {
            let mut rest = der::only(whole, der::SEQUENCE)?;
            let signed = der::whole(&mut rest, der::SEQUENCE)?;
            let algorithm = der::expect(&mut rest, der::SEQUENCE)?;
            let (unused, signature) = der::expect(&mut rest, der::BIT_STRING)?.split_first()?;
            (*unused == 0).then_some(Self {
                signed,
                algorithm,
                signature,
                rest,
            })
        };
        read().ok_or(OcspFault::Encoding)
    }

    //= TS 33.310 clause 6.1.1
    //# SHA-256 and better with RSA from 2,048 bits, P-256 or P-384; SHA-1 and MD5 not at all.
    fn is_by_key(&self, spki: &[u8]) -> Result<(), OcspFault> {
        digest_of(self.algorithm).ok_or(OcspFault::Algorithm)?;
        let verified = verification(self.algorithm, spki).and_then(|algorithm| {
            let key = UnparsedPublicKey::new(algorithm, spki);
            key.verify(self.signed, self.signature).ok()
        });
        verified.ok_or(OcspFault::Signature)
    }

    /// That the issuer has signed it, or who has a certificate of that issuer for signing it.
    //= RFC 6960 section 4.2.2.2
    //# Who answers is the certificate's issuer, or has a certificate for answering that this issuer
    //# itself has signed.
    fn is_by(
        &self,
        responder: Responder<'_>,
        issuer: &OcspIssuer,
        now: UnixSeconds,
    ) -> Result<(), OcspFault> {
        if responder.is(&issuer.name, &issuer.key) {
            return self.is_by_key(&issuer.spki);
        }
        let mut certificates = match self.rest {
            [] => return Err(OcspFault::Responder),
            rest => der::only(rest, der::CONTEXT_0)
                .and_then(|certificates| der::only(certificates, der::SEQUENCE))
                .ok_or(OcspFault::Encoding)?,
        };
        for _ in 0..OCSP_RESPONDERS_MAX {
            if certificates.is_empty() {
                break;
            }
            let der = der::whole(&mut certificates, der::SEQUENCE).ok_or(OcspFault::Encoding)?;
            let certificate = leaf::parsed(der).ok_or(OcspFault::Encoding)?;
            let name = der::only(certificate.subject().as_raw(), der::SEQUENCE);
            let key = &certificate.public_key().subject_public_key.data;
            if name.is_some_and(|name| responder.is(name, key)) {
                is_responder_of(issuer, der, &certificate, now)?;
                return self.is_by_key(certificate.public_key().raw);
            }
        }
        Err(OcspFault::Responder)
    }
}

/// That this issuer has made the owner of this certificate a responder, and that this holds now.
/// Whether the certificate has been revoked since is not asked: issuers give such certificates
/// short lives (RFC 6960 section 4.2.2.2.1).
fn is_responder_of(
    issuer: &OcspIssuer,
    der: &[u8],
    certificate: &X509Certificate<'_>,
    now: UnixSeconds,
) -> Result<(), OcspFault> {
    if certificate.issuer().as_raw() != issuer.name_der {
        return Err(OcspFault::Responder);
    }
    match Signed::read(der)?.is_by_key(&issuer.spki) {
        Err(OcspFault::Signature) => return Err(OcspFault::Responder),
        other => other?,
    }
    let unfit = OcspFault::ResponderUnfit;
    let purposes = certificate.extended_key_usage().map_err(|_| unfit)?;
    let usage = certificate.key_usage().map_err(|_| unfit)?;
    let signs_answers = purposes.is_some_and(|purposes| purposes.value.ocsp_signing);
    let signs = usage.is_none_or(|usage| usage.value.digital_signature());
    let understood = certificate.extensions().iter().all(|extension| {
        let parsed = extension.parsed_extension();
        !extension.critical
            || !matches!(
                parsed,
                ParsedExtension::UnsupportedExtension { .. } | ParsedExtension::ParseError { .. }
            )
    });
    let in_time = Validity::of(certificate).holds_at(now);
    (signs_answers && signs && understood && in_time)
        .then_some(())
        .ok_or(unfit)
}

/// Whether the issuer has signed this certificate.
pub(super) fn has_signed(issuer: &OcspIssuer, certificate: &[u8]) -> bool {
    let signed = Signed::read(certificate);
    signed.is_ok_and(|signed| signed.is_by_key(&issuer.spki).is_ok())
}

/// Who is said to have signed.
#[derive(Clone, Copy)]
enum Responder<'r> {
    /// Content octets.
    Name(&'r [u8]),
    /// SHA-1 of the public key. A hint: the signature shows who it was.
    KeyHash(&'r [u8]),
}

impl<'r> Responder<'r> {
    fn read(fields: &mut &'r [u8]) -> Option<Self> {
        match der::element(fields)? {
            (der::CONTEXT_1, name) => Some(Self::Name(der::only(name, der::SEQUENCE)?)),
            (der::CONTEXT_2, hash) => Some(Self::KeyHash(der::only(hash, der::OCTET_STRING)?)),
            _ => None,
        }
    }

    fn is(self, name: &[u8], key: &[u8]) -> bool {
        match self {
            Self::Name(said) => said == name,
            Self::KeyHash(said) => digest(&SHA1_FOR_LEGACY_USE_ONLY, key).as_ref() == said,
        }
    }
}

/// What an answer says, before it is believed.
struct Said<'r> {
    responder: Responder<'r>,
    /// SingleResponses, one behind the other.
    singles: &'r [u8],
}

impl<'r> Said<'r> {
    fn read(response_data: &'r [u8]) -> Result<Self, OcspFault> {
        let encoding = OcspFault::Encoding;
        let mut fields = der::only(response_data, der::SEQUENCE).ok_or(encoding)?;
        // Version 1, which is the only one, may be written or left out.
        if let Some(version) = der::expect(&mut fields, der::CONTEXT_0)
            && der::only(version, der::INTEGER) != Some(&[0])
        {
            return Err(encoding);
        }
        let responder = Responder::read(&mut fields).ok_or(encoding)?;
        let produced = der::expect(&mut fields, der::GENERALIZED_TIME);
        produced.and_then(time).ok_or(encoding)?;
        let singles = der::expect(&mut fields, der::SEQUENCE).ok_or(encoding)?;
        known_extensions(fields)?;
        Ok(Self { responder, singles })
    }

    /// What it says of one certificate, once.
    fn of(&self, issuer: &OcspIssuer, serial: &[u8]) -> Result<Answer, OcspFault> {
        let mut singles = self.singles;
        let mut found = None;
        while !singles.is_empty() {
            let encoding = OcspFault::Encoding;
            let mut single = der::expect(&mut singles, der::SEQUENCE).ok_or(encoding)?;
            let certificate = der::expect(&mut single, der::SEQUENCE).ok_or(encoding)?;
            if names(certificate, issuer, serial).ok_or(encoding)? {
                let answer = answer(single)?;
                if found.replace(answer).is_some() {
                    return Err(encoding);
                }
            }
        }
        found.ok_or(OcspFault::OtherCertificate)
    }
}

/// Whether the fields of a CertID are those of this certificate.
fn names(mut fields: &[u8], issuer: &OcspIssuer, serial: &[u8]) -> Option<bool> {
    let mut algorithm = der::expect(&mut fields, der::SEQUENCE)?;
    let hash = Hash::of_id(der::expect(&mut algorithm, der::OBJECT_IDENTIFIER)?);
    let name = der::expect(&mut fields, der::OCTET_STRING)?;
    let key = der::expect(&mut fields, der::OCTET_STRING)?;
    let named = der::only(fields, der::INTEGER)?;
    let same = |hash: Hash| issuer.hashes(hash) == (name.to_vec(), key.to_vec());
    Some(named == serial && hash.is_some_and(same))
}

/// The fields of a SingleResponse behind its CertID.
fn answer(mut fields: &[u8]) -> Result<Answer, OcspFault> {
    const GOOD: u8 = 0x80;
    const REVOKED: u8 = 0xa1;
    const UNKNOWN: u8 = 0x82;
    let encoding = OcspFault::Encoding;
    let status = match der::element(&mut fields).ok_or(encoding)? {
        (GOOD, []) => Status::Good,
        (UNKNOWN, []) => Status::Unknown,
        (REVOKED, mut revoked) => {
            let since = der::expect(&mut revoked, der::GENERALIZED_TIME);
            let since = since.and_then(time).ok_or(encoding)?;
            // The reason, if anything: why it is revoked changes nothing.
            if !revoked.is_empty() && der::only(revoked, der::CONTEXT_0).is_none() {
                return Err(encoding);
            }
            Status::Revoked { since }
        }
        _ => return Err(encoding),
    };
    let this_update = der::expect(&mut fields, der::GENERALIZED_TIME);
    let this_update = this_update.and_then(time).ok_or(encoding)?;
    let next_update = match der::expect(&mut fields, der::CONTEXT_0) {
        None => None,
        Some(next) => {
            let next = der::only(next, der::GENERALIZED_TIME).and_then(time);
            Some(next.ok_or(encoding)?)
        }
    };
    known_extensions(fields)?;
    Ok(Answer {
        status,
        this_update,
        next_update,
    })
}

/// Extensions in `[1]`, or nothing: none of them may be critical, for none is known here.
fn known_extensions(fields: &[u8]) -> Result<(), OcspFault> {
    if fields.is_empty() {
        return Ok(());
    }
    let encoding = OcspFault::Encoding;
    let extensions = der::only(fields, der::CONTEXT_1);
    let mut extensions = extensions
        .and_then(|extensions| der::only(extensions, der::SEQUENCE))
        .ok_or(encoding)?;
    while !extensions.is_empty() {
        let extension = der::extension(&mut extensions).ok_or(encoding)?;
        if extension.critical {
            return Err(OcspFault::CriticalExtension);
        }
    }
    Ok(())
}

fn time(content: &[u8]) -> Option<UnixSeconds> {
    der::time(der::GENERALIZED_TIME, content)
}
