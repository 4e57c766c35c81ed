//! What becomes of the clauses about revocation, by the policy and the grace of each group of
//! partners.

use std::time::Duration;

use super::Status;
use crate::config::{Config, Located, Partner, RevocationPolicy};

/// Whom a list names is refused under every policy but `off`.
pub(super) fn looked_up(config: &Config) -> Status {
    let off = policy_places(config, RevocationPolicy::Off);
    if config.revocation.lists.is_empty() {
        let why = "there is no [[crl]]: nothing is looked up".to_owned();
        return Status::NotMet { why };
    }
    match off.of_all {
        true => Status::NotMet {
            why: format!("nothing is looked up: off by {}", off.places.join("; ")),
        },
        false => waived_at(off.places),
    }
}

/// Of whom nothing is known is refused under `hard-fail`, and let in under `soft-fail`.
pub(super) fn fails_hard(config: &Config) -> Status {
    waived_too(
        config,
        policy_places(config, RevocationPolicy::SoftFail).places,
    )
}

/// A list that has ended counts for nothing, unless a grace says otherwise; and then who is not in
/// it is refused.
pub(super) fn ends_with_next_update(config: &Config) -> Status {
    let mut places = policy_places(config, RevocationPolicy::SoftFail).places;
    let patient = said_at(config, |partner| {
        let (own, all) = (partner.crl_grace.as_ref(), &config.revocation.grace);
        let place = place(own, (partner, "crl_grace"), all, "grace");
        (own.unwrap_or(all).value > Duration::ZERO).then_some(place)
    });
    for place in patient.places {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    waived_too(config, places)
}

/// Where groups look nothing up, and at these places beside them.
fn waived_too(config: &Config, places: Vec<String>) -> Status {
    match looked_up(config) {
        Status::Waived { places: off } => waived_at([off, places].concat()),
        Status::Met { .. } => waived_at(places),
        not_met => not_met,
    }
}

/// A client that is revoked is refused under every policy but `off`; one of whom no responder
/// speaks is let in under `soft-fail`, which is told.
pub(super) fn asked_about(config: &Config) -> Status {
    let asked = |wanted| {
        said_at(config, move |partner| {
            let (own, all) = (partner.ocsp.as_ref(), &config.revocation.ocsp);
            let place = place(own, (partner, "ocsp"), all, "ocsp");
            (own.unwrap_or(all).value == wanted).then_some(place)
        })
    };
    if config.revocation.responders.is_empty() {
        let why = "there is no [[ocsp]]: no responder is asked".to_owned();
        return Status::NotMet { why };
    }
    let off = asked(RevocationPolicy::Off);
    if off.of_all {
        return Status::NotMet {
            why: format!("no responder is asked: off by {}", off.places.join("; ")),
        };
    }
    let soft = asked(RevocationPolicy::SoftFail).places.into_iter();
    let soft = soft.map(|place| format!("whom no responder speaks of is let in by {place}"));
    let soft: Vec<String> = soft.collect();
    match off.places.is_empty() {
        true => Status::Met { but: soft },
        false => Status::Waived {
            places: [off.places, soft].concat(),
        },
    }
}

/// The status of each of the gateway's own certificates is.
pub(super) fn stapled(config: &Config) -> Status {
    let first = ("tls".to_owned(), &config.tls.ocsp);
    let also = config.tls.also.iter().enumerate();
    let also = also.map(|(place, also)| (format!("tls.also[{}]", place + 1), &also.ocsp));
    let all = std::iter::once(first).chain(also);
    let bare = all.filter(|(_, ocsp)| ocsp.is_none());
    let bare: Vec<String> = bare.map(|(section, _)| format!("{section}.ocsp")).collect();
    match bare.is_empty() {
        true => Status::MET,
        false => Status::NotMet {
            why: format!("no status is stapled: {} not set", bare.join(", ")),
        },
    }
}

fn waived_at(places: Vec<String>) -> Status {
    match places.is_empty() {
        true => Status::MET,
        false => Status::Waived { places },
    }
}

/// Where groups are given this policy.
fn policy_places(config: &Config, wanted: RevocationPolicy) -> Said {
    said_at(config, |partner| {
        let (own, all) = (partner.revocation.as_ref(), &config.revocation.policy);
        let place = place(own, (partner, "revocation"), all, "policy");
        (own.unwrap_or(all).value == wanted).then_some(place)
    })
}

/// Where something is said of a group: there, or for all.
fn place<T>(
    own: Option<&Located<T>>,
    (partner, key): (&Partner, &str),
    all: &Located<T>,
    of_all: &str,
) -> String {
    match (own, all.line) {
        (Some(own), _) => format!("{}.{key}, line {}", partner.section, own.line),
        (None, 0) => format!("revocation.{of_all}, which is not set"),
        (None, line) => format!("revocation.{of_all}, line {line}"),
    }
}

struct Said {
    /// Each once, in the order of the groups.
    places: Vec<String>,
    /// There is no group of which it is not said.
    of_all: bool,
}

/// The places that groups have something from.
fn said_at(config: &Config, place: impl Fn(&Partner) -> Option<String>) -> Said {
    let said: Vec<Option<String>> = config.partners.iter().map(place).collect();
    let of_all = said.iter().all(Option::is_some);
    let mut places = Vec::new();
    for place in said.into_iter().flatten() {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Said { places, of_all }
}
