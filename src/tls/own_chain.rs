//! Whether a chain is one to serve T8 with: each certificate the next one's work and in time, the
//! whole held against the rules that clients' chains are held against.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use super::certificate_rules::{Purpose, Rule, RuleSet, broken_by_chain};
use super::leaf;
use super::ocsp::OcspIssuer;
use crate::clock::UnixSeconds;

/// Something that speaks against a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfitChain {
    pub what: String,
    pub cure: &'static str,
    /// It is right once it has begun.
    pub is_early: bool,
}

/// Everything that speaks against serving with `chain`, leaf first, at `now`, where the rules
/// `waived` are done without. The anchor need not be in it: then who has signed the last one is
/// not known.
//= TS 33.310 clause 6.1
//# The gateway's own chain is one that a client which checks it may take.
pub fn unfit_to_serve(
    chain: &[CertificateDer<'_>],
    waived: RuleSet,
    now: UnixSeconds,
) -> Vec<UnfitChain> {
    let mut unfit = Unfit(Vec::new());
    let mut parsed = Vec::with_capacity(chain.len());
    for (place, der) in chain.iter().enumerate() {
        match leaf::parsed(der) {
            Some(certificate) => parsed.push(certificate),
            None => unfit.add(
                format!("certificate {} is no X.509 certificate", place + 1),
                "put the server certificate first, its issuers behind it",
            ),
        }
    }
    let whole = parsed.len() == chain.len();
    match parsed.first() {
        Some(first) if whole => {
            unfit.rules(&parsed, waived);
            unfit.end_entity(first);
            unfit.links(chain, &parsed);
            unfit.validities(&parsed, now);
        }
        Some(_) => {}
        None => unfit.add(
            "there is no certificate".to_owned(),
            "give the one that was issued",
        ),
    }
    unfit.0
}

/// Whether a certificate is for this host: by its subjectAltName, where `*` stands for one label.
pub fn carries(certificate: &[u8], host: &str) -> bool {
    dns_names(certificate).iter().any(|name| covers(name, host))
}

/// The hosts that a certificate is for, in lower case; `*` stands for one label.
pub fn dns_names(certificate: &[u8]) -> Vec<String> {
    let certificate = leaf::parsed(certificate);
    let names = certificate
        .as_ref()
        .and_then(|certificate| certificate.subject_alternative_name().ok().flatten());
    let names = names.map_or(&[][..], |names| &names.value.general_names);
    let dns_name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    names.iter().filter_map(dns_name).collect()
}

/// Whether a name, in which `*` may stand for the first label, is one for this host.
pub(super) fn covers(name: &str, host: &str) -> bool {
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(parent), Some((_, rest))) => parent.eq_ignore_ascii_case(rest),
        _ => name.eq_ignore_ascii_case(host),
    }
}

/// Whether a CA stands between the end entity and the anchor that tops the chain, for clients that
/// trust only that: which of its CAs they trust, they know.
pub fn has_ca_between(chain: &[CertificateDer<'_>]) -> bool {
    let mut above = chain.iter().skip(1);
    above.any(|der| leaf::parsed(der).is_some_and(|ca| ca.subject() != ca.issuer()))
}

/// What was found so far.
struct Unfit(Vec<UnfitChain>);

impl Unfit {
    fn add(&mut self, what: String, cure: &'static str) {
        self.0.push(UnfitChain {
            what,
            cure,
            is_early: false,
        });
    }

    fn rules(&mut self, chain: &[X509Certificate<'_>], waived: RuleSet) {
        // Which of its CAs clients trust, they know.
        let waived = waived.with(Rule::DirectIssuer);
        for rule in broken_by_chain(chain, Purpose::Server)
            .without(waived)
            .iter()
        {
            let row = rule.row();
            let what = format!(
                "the chain breaks the rule {}: {} (TS 33.310 clause {})",
                row.name, row.demand, row.clause
            );
            self.add(what, row.cure);
        }
    }

    fn end_entity(&mut self, first: &X509Certificate<'_>) {
        if first.is_ca() {
            self.add(
                "the certificate is a CA's".to_owned(),
                "a CA's key issues, and does not serve: have one issued for an end entity",
            );
        }
    }

    /// Each is the next one's work, and none stands where its issuers did not want it.
    fn links(&mut self, ders: &[CertificateDer<'_>], chain: &[X509Certificate<'_>]) {
        let behind = ders.iter().zip(chain.iter()).skip(1);
        for (place, (pair, (issuer_der, issuer))) in chain.iter().zip(ders).zip(behind).enumerate()
        {
            let (certificate, der) = pair;
            if certificate.issuer().as_raw() != issuer.subject().as_raw() {
                let what = format!(
                    "{} was issued by {}, and behind it stands {}",
                    called(place, certificate),
                    certificate.issuer(),
                    issuer.subject()
                );
                let cure = "put behind each certificate the one of its issuer, and no other";
                self.add(what, cure);
                continue;
            }
            if !OcspIssuer::read(issuer_der).is_some_and(|issuer| issuer.has_issued(der)) {
                let what = format!(
                    "{} is not signed with the key of {}, which has its issuer's name",
                    called(place, certificate),
                    called(place + 1, issuer)
                );
                let cure = "put there the issuer's certificate for the key that has signed";
                self.add(what, cure);
            }
        }
        // CAs below this one, other than those that only have a new key (RFC 5280 section 4.2.1.9).
        let mut below = 0;
        for (place, ca) in chain.iter().enumerate().skip(1) {
            let constraints = ca.basic_constraints().ok().flatten();
            let length_max = constraints.and_then(|found| found.value.path_len_constraint);
            if let Some(length_max) = length_max.filter(|length_max| below > *length_max) {
                let what = format!(
                    "{} allows {length_max} CAs below it (pathLenConstraint), and has {below}",
                    called(place, ca)
                );
                let cure = "have the certificate issued by a CA that may, or the CA's anew";
                self.add(what, cure);
            }
            below += u32::from(ca.subject() != ca.issuer());
        }
    }

    fn validities(&mut self, chain: &[X509Certificate<'_>], now: UnixSeconds) {
        let now = i64::try_from(now.0).unwrap_or(i64::MAX);
        for (place, certificate) in chain.iter().enumerate() {
            let validity = certificate.validity();
            let called = called(place, certificate);
            if now > validity.not_after.timestamp() {
                let what = format!("{called} expired at {}", validity.not_after);
                self.add(what, "renew it: no client will accept this one");
            }
            if now < validity.not_before.timestamp() {
                let what = format!("{called} is not valid before {}", validity.not_before);
                self.0.push(UnfitChain {
                    what,
                    cure: "see whether this machine's clock is right",
                    is_early: true,
                });
            }
        }
    }
}

fn called(place: usize, certificate: &X509Certificate<'_>) -> String {
    match place {
        0 => "the certificate".to_owned(),
        place => format!("certificate {} ({})", place + 1, certificate.subject()),
    }
}

#[cfg(test)]
mod tests;
