//! One partner group: its trust anchors, paths to them, and what of the certificate profile holds
//! for the certificates on such a path.

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::{CertificateError, DistinguishedName, Error};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::X509Certificate;

use super::alerts::refusal_of;
use super::certificate_rules::{Place, Purpose, Rule, RuleSet, Seen, broken, broken_by_chain};
use super::client_auth::{PartnerGroup, unfit};
use super::leaf::{self, Validity};
use super::revocation::{IssuerId, Rules};
use super::{Refusal, profile};
use crate::clock::UnixSeconds;
use crate::peer::{CertificateId, Lineage};

/// A partner group, ready to verify.
pub(super) struct Group {
    name: String,
    waived: RuleSet,
    revocation: Rules,
    /// The anchors as configured, and as webpki wants them, in the same order.
    anchors: Vec<CertificateDer<'static>>,
    trust: Vec<TrustAnchor<'static>>,
    thumbprints: Vec<[u8; 32]>,
}

/// A chain that was verified and judged.
pub(super) struct Believed {
    pub(super) lineage: Lineage,
    /// While all certificates below the anchor are valid.
    pub(super) validity: Validity,
}

impl Group {
    /// # Errors
    /// What is wrong with an anchor, and the cure.
    pub(super) fn new(group: PartnerGroup) -> Result<Self, (String, String)> {
        if group.anchors.is_empty() {
            let cure = "put the CA's certificate into its client_ca";
            return Err(("has no trust anchor".to_owned(), cure.to_owned()));
        }
        let mut trust = Vec::with_capacity(group.anchors.len());
        for (place, anchor) in group.anchors.iter().enumerate() {
            let unreadable = || {
                let what = format!("trust anchor {}: no X.509 certificate", place + 1);
                (what, "put the CA's own certificate there".to_owned())
            };
            let certificate = leaf::parsed(anchor).ok_or_else(unreadable)?;
            if let Some(rule) = broken_by_anchor(&certificate, group.waived) {
                let row = rule.row();
                let what = format!(
                    "trust anchor {} ({}) breaks the rule {}: {} (TS 33.310 clause {})",
                    place + 1,
                    certificate.subject(),
                    row.name,
                    row.demand,
                    row.clause
                );
                return Err((what, row.cure.to_owned()));
            }
            if !vouches_for_clients(&certificate) {
                let what = format!(
                    "trust anchor {} ({}): its extendedKeyUsage has no id-kp-clientAuth, so that \
                     it vouches for no client",
                    place + 1,
                    certificate.subject(),
                );
                let cure = "name the CA that issues clients' certificates, or have this one issued \
                            without extendedKeyUsage";
                return Err((what, cure.to_owned()));
            }
            let anchor = anchor_from_trusted_cert(anchor).map_err(|_| unreadable())?;
            trust.push(anchor.to_owned());
        }
        let thumbprints = group.anchors.iter().map(|der| leaf::thumbprint(der).0);
        Ok(Self {
            thumbprints: thumbprints.collect(),
            name: group.name,
            waived: group.waived,
            revocation: group.revocation,
            anchors: group.anchors,
            trust,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Names of the anchors, for clients that choose their certificate by them.
    pub(super) fn subjects(&self) -> impl Iterator<Item = DistinguishedName> {
        self.trust
            .iter()
            .map(|anchor| DistinguishedName::in_sequence(anchor.subject.as_ref()))
    }

    /// How revocation of its certificates is looked up.
    pub(super) fn revocation(&self) -> Rules {
        self.revocation
    }

    pub(super) fn has_anchor(&self, thumbprint: &[u8; 32]) -> bool {
        self.thumbprints.contains(thumbprint)
    }

    /// # Errors
    /// The first rule that is broken and not waived.
    pub(super) fn judge(&self, broken: RuleSet) -> Result<(), Refusal> {
        match broken.without(self.waived).first() {
            Some(rule) => Err(Refusal::Profile(rule)),
            None => Ok(()),
        }
    }

    /// Verifies the path from an end entity to one of the anchors, and judges each certificate on
    /// it.
    ///
    /// # Errors
    /// What is wrong, and the error that makes rustls send the alert closest to it.
    pub(super) fn believe(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixSeconds,
    ) -> Result<Believed, (Refusal, Error)> {
        let unverified = |error| self.unverified(error, end_entity, intermediates);
        let cert = EndEntityCert::try_from(end_entity).map_err(unverified)?;
        let path = cert
            .verify_for_usage(
                profile::VERIFIED.all,
                &self.trust,
                intermediates,
                UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.0)),
                KeyUsage::client_auth(),
                None,
                None,
            )
            .map_err(unverified)?;
        let at = self.trust.iter().position(|anchor| anchor == path.anchor());
        let at = at.ok_or_else(|| unfit(Refusal::UnknownCa))?;
        let between: Vec<_> = path
            .intermediate_certificates()
            .map(|certificate| certificate.der())
            .collect();
        // Leaf first, anchor last. What this room cannot read is not believed.
        let chain: Option<Vec<_>> = std::iter::once(end_entity)
            .chain(&between)
            .chain(&self.anchors[at..=at])
            .map(|der| leaf::parsed(der))
            .collect();
        let chain = chain.ok_or_else(|| unfit(Refusal::BadCertificate))?;
        let broken = broken_by_chain(&chain, Purpose::Client);
        self.judge(broken).map_err(unfit)?;
        // Whatever is waived: it is the CA that says how far down it is to be trusted, and path
        // validation has not asked the anchor.
        if chain
            .last()
            .is_some_and(|anchor| !reaches(anchor, between.len()))
        {
            return Err(unfit(Refusal::Profile(Rule::CaPathLength)));
        }
        // The anchor is trusted because it is configured, for as long as it is.
        let below = chain.get(..=between.len()).unwrap_or_default();
        let unreadable = || unfit(Refusal::BadCertificate);
        let validity = below.iter().map(Validity::of).reduce(Validity::and);
        let validity = validity.ok_or_else(unreadable)?;
        let issuers = chain.iter().skip(1);
        let certificates = below.iter().zip(issuers).map(certificate_id);
        Ok(Believed {
            lineage: Lineage {
                client_id: String::new(),
                anchor: self.thumbprints[at],
                certificates: certificates.collect::<Option<_>>().ok_or_else(unreadable)?,
                broken: broken.bits(),
                not_after: u64::try_from(validity.until).unwrap_or(0),
            },
            validity,
        })
    }

    /// Why path validation failed: where a rule of the profile is broken as well, that rule,
    /// because it says more; but not of chains that are nobody's here, nor of those out of time.
    fn unverified(
        &self,
        error: webpki::Error,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> (Refusal, Error) {
        let error = Error::InvalidCertificate(certificate_error(error));
        let refusal = refusal_of(&error);
        if refusal != Refusal::BadCertificate {
            return (refusal, error);
        }
        // One that is its own issuer comes from no CA here, whatever it says of itself: as
        // openssl makes them, they are CAs', at which path validation stops before it asks whose.
        let is_anchor = { self.anchors.iter() }.any(|anchor| **anchor == **end_entity);
        let own = leaf::parsed(end_entity);
        if !is_anchor && own.is_some_and(|own| own.issuer().as_raw() == own.subject().as_raw()) {
            return unfit(Refusal::UnknownCa);
        }
        let chain = claimed_path(end_entity, intermediates);
        // That there are CAs between is no reason by itself: nobody knows yet whether they are.
        let waived = self.waived.with(Rule::DirectIssuer);
        let broken = chain.map(|chain| broken_by_chain(&chain, Purpose::Client).without(waived));
        match broken.and_then(RuleSet::first) {
            Some(rule) => unfit(Refusal::Profile(rule)),
            None => (refusal, error),
        }
    }
}

/// The chain that a client's certificates claim to be, by names alone: none of those that stand in
/// it for nobody. None where one that does cannot be read.
fn claimed_path<'c>(
    end_entity: &'c CertificateDer<'_>,
    intermediates: &'c [CertificateDer<'_>],
) -> Option<Vec<X509Certificate<'c>>> {
    let mut path = vec![leaf::parsed(end_entity)?];
    let mut left: Vec<_> = intermediates.iter().map(|der| leaf::parsed(der)).collect();
    while let Some(last) = path.last() {
        let issuer = last.issuer().as_raw();
        let above = left.iter().position(|other| match other {
            Some(other) => other.subject().as_raw() == issuer,
            None => false,
        });
        let Some(above) = above else { break };
        path.extend(left.swap_remove(above));
    }
    Some(path)
}

/// Whether what a CA's certificate may be used for, where it says so, has clients in it.
fn vouches_for_clients(anchor: &X509Certificate<'_>) -> bool {
    match anchor.extended_key_usage() {
        Ok(None) => true,
        Ok(Some(usage)) => usage.value.client_auth || usage.value.any,
        Err(_) => false,
    }
}

/// Whether a CA lets so many CAs stand between it and an entity.
//= RFC 5280 section 4.2.1.9
//# No more CAs stand below one than its pathLenConstraint says.
fn reaches(anchor: &X509Certificate<'_>, between: usize) -> bool {
    let constraints = anchor.basic_constraints().ok().flatten();
    let longest = constraints.and_then(|found| found.value.path_len_constraint);
    longest.is_none_or(|longest| usize::try_from(longest).is_ok_and(|longest| between <= longest))
}

/// The first rule that an anchor breaks. Where every anchor signs entities' certificates itself, it
/// must say that nobody below it does.
//= TS 33.310 clause 6.1.4a
//# A CA certificate says that it is one, and that its key may sign certificates.
fn broken_by_anchor(anchor: &X509Certificate<'_>, waived: RuleSet) -> Option<Rule> {
    let place = Place::Ca {
        issues_entities: !waived.has(Rule::DirectIssuer),
    };
    let seen = Seen {
        certificate: anchor,
        issuer: None,
        place,
    };
    broken(&seen).without(waived).first()
}

fn certificate_id(
    (certificate, issuer): (&X509Certificate<'_>, &X509Certificate<'_>),
) -> Option<CertificateId> {
    Some(CertificateId {
        issuer: IssuerId::of_ca(issuer)?.octets(),
        serial: certificate.raw_serial().into(),
    })
}

/// As rustls' own verifier has it, as far as the alerts differ.
fn certificate_error(error: webpki::Error) -> CertificateError {
    use webpki::Error as Fault;
    match error {
        Fault::CertNotValidYet { .. } => CertificateError::NotValidYet,
        Fault::CertExpired { .. } | Fault::InvalidCertValidity => CertificateError::Expired,
        Fault::UnknownIssuer => CertificateError::UnknownIssuer,
        Fault::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        // Corrupt, or with a signature that does not verify: the alert is bad_certificate.
        _ => CertificateError::BadEncoding,
    }
}
