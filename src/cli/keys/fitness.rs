//! Whether a chain is one to serve T8 with: held against the rules of TS 33.310 as at the start of
//! the gateway, all of them at once, and against the names it is to serve.

use hsm::OpenFault;
use x509_parser::prelude::{GeneralName, X509Certificate};

use super::fault;
use crate::clock::UnixSeconds;
use crate::tls::{Purpose, Rule, RuleSet, broken_by_chain};

/// Everything that speaks against serving with `chain`, leaf first, at `now`, under `names` (lower
/// case), where the rules `waived` are done without.
pub(super) fn faults(
    chain: &[X509Certificate<'_>],
    now: UnixSeconds,
    names: &[String],
    waived: RuleSet,
) -> Vec<OpenFault> {
    let Some(leaf) = chain.first() else {
        return vec![fault(
            "there is no certificate",
            "give the one that was issued",
        )];
    };
    // Which of its CAs clients trust, they know.
    let waived = waived.with(Rule::DirectIssuer);
    let broken = broken_by_chain(chain, Purpose::Server).without(waived);
    let told = broken.iter().map(|rule| {
        let row = rule.row();
        let what = format!(
            "the chain breaks the rule {}: {} (TS 33.310 clause {})",
            row.name, row.demand, row.clause
        );
        fault(what, row.cure)
    });
    let mut faults: Vec<OpenFault> = told.collect();
    let mut unfit = |what: String, cure: &str| faults.push(fault(what, cure));
    if leaf.is_ca() {
        unfit(
            "the certificate is a CA's".to_owned(),
            "a CA's key issues, and does not serve: have one issued for an end entity",
        );
    }
    let validity = leaf.validity();
    let now = i64::try_from(now.0).unwrap_or(i64::MAX);
    if now > validity.not_after.timestamp() {
        let what = format!("the certificate expired at {}", validity.not_after);
        unfit(what, "have it issued again");
    }
    if now < validity.not_before.timestamp() {
        unfit(
            format!(
                "the certificate is not valid before {}",
                validity.not_before
            ),
            "see whether this machine's clock is right, or import it later",
        );
    }
    let hosts = hosts(leaf);
    if hosts.is_empty() {
        unfit(
            "the certificate names no host in its subjectAltName".to_owned(),
            "have it issued again, from a request made with --san dns:HOST",
        );
    }
    for name in names.iter().filter(|name| !hosts.contains(name)) {
        unfit(
            format!("the certificate does not name {name}, which listen.server_names has"),
            "have it issued for all of them, or take the name out of listen.server_names",
        );
    }
    faults
}

/// Host names, in lower case.
fn hosts(leaf: &X509Certificate<'_>) -> Vec<String> {
    let names = leaf.subject_alternative_name().ok().flatten();
    let names = names.map_or(&[][..], |names| &names.value.general_names);
    let hosts = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    hosts.collect()
}
