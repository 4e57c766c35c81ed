//! From the configuration to the revocation lists in use at the start.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;

use super::crl_fetch;
use super::crl_keeper::{CrlFrom, Taken, kept_as, take};
use super::load::{Report, certificates, client_ca_key, fault, tls_to_responder};
use crate::clock::UnixSeconds;
use crate::config::regular_file::Stamp;
use crate::config::{
    Config, CrlPlace, CrlSource, Fault, Located, OcspResponder, Partner, RevocationPolicy,
};
use crate::revoked::Revoked;
use crate::snapshot::Responder;
use crate::tls::ocsp::OcspIssuer;
use crate::tls::revocation::{CrlFault, CrlIssuer, Policy, Revocation, Rules};

/// How a group's certificates are judged: as it says itself, else as all are.
pub fn rules(config: &Config, partner: &Partner) -> Rules {
    Rules {
        policy: policy(or(partner.revocation.as_ref(), &config.revocation.policy)),
        grace: or(partner.crl_grace.as_ref(), &config.revocation.grace),
        ocsp: policy(or(partner.ocsp.as_ref(), &config.revocation.ocsp)),
    }
}

fn or<T: Copy>(own: Option<&Located<T>>, all: &Located<T>) -> T {
    own.unwrap_or(all).value
}

fn policy(said: RevocationPolicy) -> Policy {
    match said {
        RevocationPolicy::HardFail => Policy::HardFail,
        RevocationPolicy::SoftFail => Policy::SoftFail,
        RevocationPolicy::Off => Policy::Off,
    }
}

/// Who is asked about clients' certificates, issuer by issuer; none where one of them is at fault.
pub fn responders(config: &Config, report: &mut Report) -> Option<Vec<Arc<Responder>>> {
    let configured = &config.revocation.responders;
    let mut all = Some(Vec::new());
    for responder in configured {
        let found = of_responder(responder);
        let found = report.note(format!("responder {}", responder.url.value), found);
        all = all.zip(found).map(|(mut all, found)| {
            all.extend(found);
            all
        });
    }
    if !configured.is_empty() {
        let groups = config.partners.iter();
        let groups = groups.map(|partner| {
            let said = word(rules(config, partner).ocsp);
            format!("{}: {said}", partner.name)
        });
        let groups: Vec<String> = groups.collect();
        report.note("OCSP of clients", Ok(((), groups.join(", "))));
    }
    all
}

fn of_responder(responder: &OcspResponder) -> Result<(Vec<Arc<Responder>>, String), Fault> {
    let key = "ocsp.issuer";
    let tls = tls_to_responder(responder.ca.as_ref(), "ocsp.ca")?;
    let read = certificates(&responder.issuer, key)?;
    let made = |der: &CertificateDer<'_>| {
        let issuer = OcspIssuer::read(der).ok_or_else(|| {
            let what = "holds what is no certificate";
            fault(&responder.issuer, key, what, "put CA certificates there")
        })?;
        Ok(Arc::new(Responder {
            issuer,
            url: responder.url.value.clone(),
            tls: tls.clone(),
            refresh: responder.refresh,
        }))
    };
    let made = read.iter().map(made).collect::<Result<Vec<_>, _>>()?;
    let detail = format!("for certificates of {} CAs", made.len());
    Ok((made, detail))
}

/// The lists that are there: those of files, and those that were fetched and kept. A file without
/// a list that can be used is a fault; one that has been kept is fetched again anyway.
pub fn lists(
    config: &Config,
    now: UnixSeconds,
    revoked: &Arc<Revoked>,
    report: &mut Report,
) -> Arc<Revocation> {
    let revocation = Arc::new(Revocation::beside(Arc::clone(revoked)));
    revocation.take_lists_of(issuers(config, report));
    let configured = &config.revocation;
    let take_from = |source: &CrlSource| match &source.place.value {
        CrlPlace::File(file) => Some(take(file, &revocation)),
        place @ CrlPlace::Url(_) => {
            let state = configured.state.as_ref()?;
            Some(take(&kept_as(&state.value, place), &revocation))
        }
    };
    let first: Vec<_> = configured.lists.iter().map(take_from).collect();
    let some_to_come = configured.lists.iter().zip(&first).any(|(source, taken)| {
        let is_taken = taken.as_ref().is_some_and(Result::is_ok);
        matches!(source.place.value, CrlPlace::Url(_)) && !is_taken
    });
    for (source, taken) in configured.lists.iter().zip(first) {
        // What changes a complete list is nothing without it, whichever is named first.
        let taken = match taken {
            Some(Err(CrlFault::DeltaWithoutBase)) => take_from(source),
            taken => taken,
        };
        if let Some(Ok(taken)) = &taken {
            let name = source.place.value.to_string();
            report.brought.insert(name, taken.brought);
        }
        let found = match (&source.place.value, taken) {
            // As one that is fetched itself: its keeper takes it when that has come.
            (CrlPlace::File(_), Some(Err(CrlFault::DeltaWithoutBase))) if some_to_come => {
                Ok("waits for its complete list, which is to be fetched".to_owned())
            }
            (CrlPlace::File(_), Some(taken)) => of_file(source, taken),
            (_, Some(taken)) => Ok(of_kept(source, taken)),
            (_, None) => Ok("is to be fetched".to_owned()),
        };
        let what = format!("list {}", source.place.value);
        report.note(what, found.map(|found| ((), found)));
    }
    report.note("revocation", Ok(((), in_force(config, &revocation, now))));
    revocation
}

/// In one line, how clients' certificates are looked up.
pub fn in_force(config: &Config, revocation: &Revocation, now: UnixSeconds) -> String {
    let lists = in_lists(config, revocation, now);
    match config.revocation.responders.len() {
        0 => lists,
        asked => {
            let all = policy(config.revocation.ocsp.value);
            let others = others(config, |rules| rules.ocsp, all);
            format!("{lists}; asked about by OCSP: responders of {asked} [[ocsp]]{others}")
        }
    }
}

/// The groups of partners for which something else holds than for all, each with what that is.
fn others(config: &Config, held: impl Fn(Rules) -> Policy, all: Policy) -> String {
    let groups = config.partners.iter();
    let groups = groups.map(|partner| (&partner.name, held(rules(config, partner))));
    let others = groups.filter(|(_, held)| *held != all);
    others
        .map(|(name, held)| format!("; {name}: {}", word(held)))
        .collect()
}

fn word(policy: Policy) -> &'static str {
    match policy {
        Policy::HardFail => "hard-fail",
        Policy::SoftFail => "soft-fail",
        Policy::Off => "off",
    }
}

fn in_lists(config: &Config, revocation: &Revocation, now: UnixSeconds) -> String {
    let lists = revocation.lists();
    if config.revocation.lists.is_empty() {
        return "clients' certificates are not looked up: there is no [[crl]]".to_owned();
    }
    let all = policy(config.revocation.policy.value);
    let others = others(config, |rules| rules.policy, all);
    if all == Policy::Off && others.is_empty() {
        return "clients' certificates are not looked up: revocation.policy = \"off\"".to_owned();
    }
    let ended = match (lists.next_update(), revocation.ended(now)) {
        (None, _) => "; there is none yet".to_owned(),
        (_, ended) if ended.is_empty() => String::new(),
        (_, ended) => format!("; ended: that of {}", ended.join(", of ")),
    };
    format!(
        "{}, {} serial numbers of {} CAs{ended}{others}",
        word(all),
        lists.entries(),
        lists.issuers()
    )
}

/// Where lists come from while the gateway serves. To be asked before [`lists`] reads them: what
/// changes meanwhile is read again.
///
/// # Errors
/// All files that a source names and that do not hold what they should.
pub fn sources(config: &Config) -> Result<Vec<CrlFrom>, Vec<Fault>> {
    let state = config.revocation.state.as_ref();
    let source = |source: &CrlSource| {
        let tls = source.ca.as_ref().map(|ca| {
            let anchors = certificates(ca, "crl.ca")?;
            crl_fetch::trusting(anchors).map_err(|error| {
                let cure = "every certificate in it must be a CA's own";
                fault(ca, "crl.ca", error, cure)
            })
        });
        let place = source.place.value.clone();
        let (kept, read) = match &place {
            CrlPlace::File(file) => (None, Stamp::of(file)),
            CrlPlace::Url(_) => (state.map(|state| kept_as(&state.value, &place)), None),
        };
        Ok(CrlFrom {
            name: place.to_string(),
            place,
            refresh: source.refresh,
            tls: tls.transpose()?,
            kept,
            read,
        })
    };
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for found in config.revocation.lists.iter().map(source) {
        match found {
            Ok(from) => all.push(from),
            Err(fault) => faults.push(fault),
        }
    }
    match faults.is_empty() {
        true => Ok(all),
        false => Err(faults),
    }
}

/// The trust anchors, and what the lists name beside them.
pub fn issuers(config: &Config, report: &mut Report) -> Vec<CrlIssuer> {
    let mut issuers = Vec::new();
    for partner in &config.partners {
        match certificates(&partner.client_ca, &client_ca_key(partner)) {
            Ok(read) => issuers.extend(read.iter().filter_map(|der| CrlIssuer::read(der))),
            // It may have become wrong since the anchors were read.
            Err(wrong) if !report.faults().contains(&wrong) => {
                report.note::<()>("list issuers", Err(wrong));
            }
            Err(_) => {}
        }
    }
    for at in config
        .revocation
        .lists
        .iter()
        .filter_map(|list| list.issuer.as_ref())
    {
        let read = certificates(at, "crl.issuer").and_then(|read| {
            let read: Option<Vec<_>> = read.iter().map(|der| CrlIssuer::read(der)).collect();
            let what = "holds what is no certificate";
            read.ok_or_else(|| fault(at, "crl.issuer", what, "put CA certificates there"))
        });
        let found = read.map(|read| {
            let detail = format!("{} in {}", read.len(), at.value.display());
            (read, detail)
        });
        issuers.extend(report.note("list issuers", found).into_iter().flatten());
    }
    issuers.sort_by_key(CrlIssuer::id);
    issuers.dedup_by_key(|issuer| issuer.id());
    issuers
}

fn of_file(source: &CrlSource, taken: Result<Taken, CrlFault>) -> Result<String, Fault> {
    let taken = taken.map_err(|refused| {
        let (what, cure) = match refused {
            // Nothing is in use yet, and it would be the same at the next start.
            CrlFault::NumberWentBack => (
                "its CRL number is lower than that of another list of its CA, named before it",
                "name the newer of the two alone: it holds all that the older one holds",
            ),
            refused => refused.explained(),
        };
        fault(&source.place, "crl.file", what, cure)
    });
    taken.map(|taken| format!("{} serial numbers", taken.entries))
}

fn of_kept(source: &CrlSource, taken: Result<Taken, CrlFault>) -> String {
    let none = "is to be fetched: none is kept that can be used";
    match taken {
        Ok(Taken { entries, .. }) => {
            format!("{entries} serial numbers, as kept; is to be fetched again")
        }
        // There may be none yet, or another place's is newer.
        Err(CrlFault::Unreadable | CrlFault::NumberWentBack) => none.to_owned(),
        Err(fault) => {
            let (what, hint) = match fault {
                CrlFault::Encoding => (
                    "it is no list any more",
                    "see whether revocation.state is on a disk that loses what is written",
                ),
                _ => fault.explained(),
            };
            tracing::warn!(
                list = %source.place.value,
                reason = fault.word(),
                hint,
                "what was kept of a revocation list is not used: {what}; it is fetched again"
            );
            format!("{none} ({what})")
        }
    }
}
