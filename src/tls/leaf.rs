//! What a client's certificate says of itself, read once: its validity and its names. Nothing of
//! this says that anybody has signed it: what it is believed for is added by who has verified it.

use std::sync::Arc;

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::Refusal;
use crate::clock::UnixSeconds;
use crate::peer::{Lineage, San, Thumbprint};

/// An end-entity certificate and its facts.
pub(super) struct Leaf {
    der: Arc<[u8]>,
    thumbprint: Thumbprint,
    validity: Validity,
    names: Result<Vec<San>, Refusal>,
    lineage: Arc<Lineage>,
}

/// From when until when, in seconds since 1970, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: i64,
    pub(super) until: i64,
}

impl Leaf {
    /// None where it is no X.509 certificate.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let certificate = parsed(der)?;
        Some(Self {
            der: der.into(),
            thumbprint: thumbprint(der),
            validity: Validity::of(&certificate),
            names: names(&certificate),
            lineage: Arc::default(),
        })
    }

    /// With what it is believed for, once it is.
    pub(super) fn believed_for(self, lineage: Lineage) -> Self {
        let lineage = Arc::new(lineage);
        Self { lineage, ..self }
    }

    pub(super) fn lineage(&self) -> &Arc<Lineage> {
        &self.lineage
    }

    /// The certificate as it was sent.
    pub(super) fn der(&self) -> &Arc<[u8]> {
        &self.der
    }

    pub(super) fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    pub(super) fn validity(&self) -> Validity {
        self.validity
    }

    /// # Errors
    /// It has ended, or has not begun.
    pub(super) fn valid_at(&self, now: UnixSeconds) -> Result<(), Refusal> {
        match self.validity.holds_at(now) {
            true => Ok(()),
            false => Err(Refusal::CertificateExpired),
        }
    }

    /// The names that can identify an SCS/AS, host names in lower case.
    ///
    /// # Errors
    /// Why it identifies nobody.
    pub(super) fn names(&self) -> Result<&[San], Refusal> {
        self.names.as_deref().map_err(|refusal: &Refusal| *refusal)
    }
}

impl Validity {
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self {
            from: validity.not_before.timestamp(),
            until: validity.not_after.timestamp(),
        }
    }

    /// That both hold.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        }
    }

    pub(super) fn holds_at(self, now: UnixSeconds) -> bool {
        i64::try_from(now.0).is_ok_and(|now| self.from <= now && now <= self.until)
    }
}

/// The one certificate that `der` is.
pub(super) fn parsed(der: &[u8]) -> Option<X509Certificate<'_>> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    rest.is_empty().then_some(certificate)
}

pub(super) fn thumbprint(der: &[u8]) -> Thumbprint {
    Thumbprint::of(der)
}

/// What is known of a certificate that nobody has verified.
pub struct Known {
    pub thumbprint: Thumbprint,
    /// The last second of its validity.
    pub not_after: UnixSeconds,
    /// It may issue others.
    pub is_ca: bool,
}

/// What is known of a certificate; nothing where it is no X.509 certificate.
pub fn known_of(der: &[u8]) -> Option<Known> {
    let certificate = parsed(der)?;
    let end = certificate.validity().not_after.timestamp();
    let usage = certificate.key_usage().ok().flatten();
    Some(Known {
        thumbprint: thumbprint(der),
        not_after: UnixSeconds(u64::try_from(end).ok()?),
        is_ca: certificate.is_ca() && usage.is_none_or(|usage| usage.value.key_cert_sign()),
    })
}

/// The common name is never looked at.
fn names(leaf: &X509Certificate<'_>) -> Result<Vec<San>, Refusal> {
    let names = leaf
        .subject_alternative_name()
        .map_err(|_| Refusal::BadCertificate)?;
    let names = &names.ok_or(Refusal::NotMapped)?.value.general_names;
    let told = names.iter().filter_map(|name| match name {
        // A wildcard stands for names nobody has configured, so it stands for nobody.
        GeneralName::DNSName(name) if name.contains('*') => None,
        GeneralName::DNSName(name) => Some(San::Dns(name.to_ascii_lowercase())),
        GeneralName::URI(name) => Some(San::Uri((*name).to_owned())),
        _ => None,
    });
    Ok(told.collect())
}
