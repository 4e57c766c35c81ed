//! One CRL: from the octets of a file to a verified set of serial numbers.
//!
//! It is read twice: once to count, so that room is made for exactly what there is, and once to
//! enter and to hash. Nothing of it counts before its signature has been verified.

use std::io::{BufReader, Read, Seek, SeekFrom};

use aws_lc_rs::digest::Digest;
use aws_lc_rs::signature::UnparsedPublicKey;

use super::der::{self, element, expect, only};
use super::pem::Pem;
use super::serials::{Counts, Fate, Reason, Serials};
use super::window::Window;
use super::{CrlFault, CrlIssuer, IssuerId};
use crate::clock::UnixSeconds;
use crate::tls::signatures::{digest_of, verification};

const OID_CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
const OID_REASON_CODE: &[u8] = &[0x55, 0x1d, 21];
const OID_DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 27];
const OID_ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
const OID_CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];
const NUMBER_BYTES: usize = 20;

/// A CRL number: up to 20 octets, big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number([u8; NUMBER_BYTES]);

/// A verified CRL.
pub struct Crl {
    pub(super) issuer: IssuerId,
    pub(super) number: Number,
    /// Of a delta: the number of the complete CRL it begins at.
    pub(super) since: Option<Number>,
    pub(super) this_update: UnixSeconds,
    pub(super) next_update: UnixSeconds,
    pub(super) revoked: Serials,
}

/// What of a CRL is not an entry.
struct Frame {
    algorithm: Vec<u8>,
    issuer: Vec<u8>,
    this_update: UnixSeconds,
    next_update: UnixSeconds,
    number: Number,
    since: Option<Number>,
    digest: Option<Digest>,
    signature: Vec<u8>,
}

struct Entry<'c> {
    serial: &'c [u8],
    fate: Fate,
}

impl Crl {
    /// Reads a CRL in DER or PEM and verifies that one of `issuers` signed it.
    ///
    /// # Errors
    /// Why it is not used. Octets that are no CRL are an error like any other.
    //= RFC 5280 section 6.3.3
    //# A CRL counts once it is known to be its issuer's, whose key may sign CRLs, and to speak of
    //# all that the issuer has issued.
    pub fn read(source: &mut (impl Read + Seek), issuers: &[CrlIssuer]) -> Result<Self, CrlFault> {
        let mut counts = Counts::default();
        let frame = pass(source, false, |entry| counts.add(entry.serial))?;
        let mut candidates = issuers
            .iter()
            .filter(|issuer| issuer.name == frame.issuer)
            .peekable();
        if candidates.peek().is_none() {
            return Err(CrlFault::UnknownIssuer);
        }
        let mut revoked = Serials::with_room_for(counts).map_err(|_| CrlFault::Unreadable)?;
        let frame = pass(source, true, |entry| revoked.add(entry.serial, entry.fate))?;
        let signer = candidates
            .find(|issuer| frame.is_signed_by(&issuer.spki))
            .ok_or(CrlFault::Signature)?;
        if !signer.may_sign_crls {
            return Err(CrlFault::NoCrlSign);
        }
        revoked.settle();
        Ok(Self {
            issuer: signer.id,
            number: frame.number,
            since: frame.since,
            this_update: frame.this_update,
            next_update: frame.next_update,
            revoked,
        })
    }

    /// Serial numbers in it.
    pub fn entries(&self) -> usize {
        self.revoked.len()
    }

    /// Until when it is to be believed, without grace.
    pub fn next_update(&self) -> UnixSeconds {
        self.next_update
    }

    /// Whose certificates it speaks of.
    pub fn issuer(&self) -> IssuerId {
        self.issuer
    }

    /// Whether it holds only what changed since a complete one.
    pub fn is_delta(&self) -> bool {
        self.since.is_some()
    }
}

impl Frame {
    fn is_signed_by(&self, spki: &[u8]) -> bool {
        let verified = verification(&self.algorithm, spki).and_then(|algorithm| {
            let key = UnparsedPublicKey::new(algorithm, spki);
            let digest = self.digest.as_ref()?;
            key.verify_digest(digest, &self.signature).ok()
        });
        verified.is_some()
    }
}

/// Goes through a CRL from its first octet to its last.
fn pass<S: Read + Seek>(
    source: &mut S,
    hashing: bool,
    mut enter: impl FnMut(&Entry<'_>) -> bool,
) -> Result<Frame, CrlFault> {
    let unreadable = |_| CrlFault::Unreadable;
    source.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut first = Vec::new();
    let one = source.by_ref().take(1).read_to_end(&mut first);
    one.map_err(unreadable)?;
    source.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    if first == [der::SEQUENCE] {
        return frame(&mut Window::new(source), hashing, &mut enter);
    }
    let mut window = Window::new(Pem::new(BufReader::new(source)));
    frame(&mut window, hashing, &mut enter)
}

fn frame<R: Read>(
    window: &mut Window<R>,
    hashing: bool,
    enter: &mut impl FnMut(&Entry<'_>) -> bool,
) -> Result<Frame, CrlFault> {
    let encoding = CrlFault::Encoding;
    let whole = window.enter(der::SEQUENCE)?;
    let end = window.taken() + whole;
    if hashing {
        window.keep();
    }
    let signed = window.enter(der::SEQUENCE)?;
    let signed_end = window.taken() + signed;
    // Without it the CRL is of version 1; it must be 1, which means 2.
    let (header, version) = window.element()?;
    if header.tag != der::INTEGER || only(version, der::INTEGER) != Some(&[1]) {
        return Err(CrlFault::Version);
    }
    let algorithm = content(window.element()?.1, der::SEQUENCE)?.to_vec();
    let hash = digest_of(&algorithm).ok_or(CrlFault::Algorithm)?;
    if hashing {
        window.digest_with(hash);
    }
    let issuer = content(window.element()?.1, der::SEQUENCE)?.to_vec();
    let this_update = time(window.element()?.1)?;
    let tag = window.peek()?.tag;
    if tag != der::UTC_TIME && tag != der::GENERALIZED_TIME {
        return Err(CrlFault::NoNextUpdate);
    }
    let next_update = time(window.element()?.1)?;
    let mut extensions = Extensions::default();
    let has_entries = window.taken() < signed_end && window.peek()?.tag == der::SEQUENCE;
    let mut removes = false;
    if has_entries {
        let entries_end = window.enter(der::SEQUENCE)?;
        let entries_end = window.taken() + entries_end;
        while window.taken() < entries_end {
            let entry = entry(window.element()?.1)?;
            removes |= entry.fate.reason == Reason::REMOVE_FROM_CRL;
            if !enter(&entry) {
                return Err(CrlFault::Serial);
            }
        }
        if window.taken() != entries_end {
            return Err(encoding);
        }
    }
    if window.taken() < signed_end {
        let wrapped = content(window.element()?.1, der::CONTEXT_0)?;
        extensions = Extensions::read(only(wrapped, der::SEQUENCE).ok_or(encoding)?)?;
    }
    if window.taken() != signed_end {
        return Err(encoding);
    }
    let digest = window.digested();
    if removes && extensions.since.is_none() {
        return Err(CrlFault::RemovesFromComplete);
    }
    // The one that is signed and the one beside the signature must be the same.
    if content(window.element()?.1, der::SEQUENCE)? != algorithm {
        return Err(CrlFault::Algorithm);
    }
    let signature = content(window.element()?.1, der::BIT_STRING)?;
    let (unused, signature) = signature.split_first().ok_or(encoding)?;
    let signature = signature.to_vec();
    if *unused != 0 || window.taken() != end || !window.is_at_end()? {
        return Err(encoding);
    }
    Ok(Frame {
        algorithm,
        issuer,
        this_update,
        next_update,
        number: extensions.number.ok_or(CrlFault::NoNumber)?,
        since: extensions.since,
        digest,
        signature,
    })
}

fn content(whole: &[u8], tag: u8) -> Result<&[u8], CrlFault> {
    only(whole, tag).ok_or(CrlFault::Encoding)
}

fn time(mut whole: &[u8]) -> Result<UnixSeconds, CrlFault> {
    element(&mut whole)
        .and_then(|(tag, content)| der::time(tag, content))
        .ok_or(CrlFault::Encoding)
}

fn entry(whole: &[u8]) -> Result<Entry<'_>, CrlFault> {
    let encoding = CrlFault::Encoding;
    let mut rest = content(whole, der::SEQUENCE)?;
    let serial = expect(&mut rest, der::INTEGER).ok_or(encoding)?;
    let (tag, since) = element(&mut rest).ok_or(encoding)?;
    let since = der::time(tag, since).ok_or(encoding)?;
    let mut reason = Reason::UNSPECIFIED;
    if !rest.is_empty() {
        let mut extensions = content(rest, der::SEQUENCE)?;
        while !extensions.is_empty() {
            let extension = der::extension(&mut extensions).ok_or(encoding)?;
            match extension.id {
                OID_REASON_CODE => match only(extension.value, der::ENUMERATED) {
                    Some(&[code]) => reason = Reason(code),
                    _ => return Err(encoding),
                },
                OID_CERTIFICATE_ISSUER => return Err(CrlFault::Indirect),
                _ if extension.critical => return Err(CrlFault::CriticalExtension),
                _ => {}
            }
        }
    }
    let fate = Fate { since, reason };
    Ok(Entry { serial, fate })
}

/// What the extensions of a CRL say that matters here.
#[derive(Default)]
struct Extensions {
    number: Option<Number>,
    since: Option<Number>,
}

impl Extensions {
    fn read(mut rest: &[u8]) -> Result<Self, CrlFault> {
        let mut read = Self::default();
        while !rest.is_empty() {
            let extension = der::extension(&mut rest).ok_or(CrlFault::Encoding)?;
            let again = match extension.id {
                OID_CRL_NUMBER => read.number.replace(Number::read(extension.value)?),
                OID_DELTA_CRL_INDICATOR => read.since.replace(Number::read(extension.value)?),
                OID_ISSUING_DISTRIBUTION_POINT => {
                    check_scope(extension.value)?;
                    None
                }
                _ if extension.critical => return Err(CrlFault::CriticalExtension),
                _ => None,
            };
            if again.is_some() {
                return Err(CrlFault::Encoding);
            }
        }
        Ok(read)
    }
}

/// An issuingDistributionPoint restricts what a CRL speaks of. One that restricts nothing but
/// repeats the defaults is taken; a restricted CRL would make all others of its issuer look good.
fn check_scope(value: &[u8]) -> Result<(), CrlFault> {
    /// `indirectCRL`.
    const INDIRECT: u8 = 0x84;
    let mut fields = content(value, der::SEQUENCE)?;
    while !fields.is_empty() {
        match element(&mut fields).ok_or(CrlFault::Encoding)? {
            (0x81 | 0x82 | INDIRECT | 0x85, [0]) => {}
            (INDIRECT, _) => return Err(CrlFault::Indirect),
            _ => return Err(CrlFault::Partial),
        }
    }
    Ok(())
}

impl Number {
    fn read(value: &[u8]) -> Result<Self, CrlFault> {
        let octets = content(value, der::INTEGER)?;
        let octets = match octets {
            [0, rest @ ..] => rest,
            [first, ..] if *first < 0x80 => octets,
            _ => return Err(CrlFault::Encoding),
        };
        let start = NUMBER_BYTES.checked_sub(octets.len());
        let start = start.ok_or(CrlFault::Encoding)?;
        let mut number = [0; NUMBER_BYTES];
        for (to, from) in number.iter_mut().skip(start).zip(octets) {
            *to = *from;
        }
        Ok(Self(number))
    }
}
