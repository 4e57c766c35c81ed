//! What becomes of the clauses about revocation, by the policy and the grace of each group of
//! partners.

use std::time::Duration;

use super::Status;
use crate::config::{Config, Partner, RevocationPolicy};

/// Whom a list names is refused under every policy but `off`.
pub(super) fn looked_up(config: &Config) -> Status {
    let off = policy_places(config, RevocationPolicy::Off);
    if off.is_empty() {
        return Status::Met;
    }
    let why = match config.revocation.lists.is_empty() {
        true => "there is no [[crl]]: nothing is looked up".to_owned(),
        false => format!("nothing is looked up: off by {}", off.join("; ")),
    };
    Status::NotMet { why }
}

/// Of whom nothing is known is refused under `hard-fail`, and let in under `soft-fail`.
pub(super) fn fails_hard(config: &Config) -> Status {
    match looked_up(config) {
        Status::Met => waived_at(policy_places(config, RevocationPolicy::SoftFail)),
        not_met => not_met,
    }
}

/// A list that has ended counts for nothing, unless a grace says otherwise; and then who is not in
/// it is refused.
pub(super) fn ends_with_next_update(config: &Config) -> Status {
    let mut places = policy_places(config, RevocationPolicy::SoftFail);
    places.extend(said_at(config, |partner| {
        let own = partner.crl_grace;
        let place = own.map(|_| format!("{}.crl_grace", partner.section));
        let place = place.unwrap_or_else(|| "revocation.grace".to_owned());
        (own.unwrap_or(config.revocation.grace) > Duration::ZERO).then_some(place)
    }));
    match looked_up(config) {
        Status::Met => waived_at(places),
        not_met => not_met,
    }
}

/// A client that is revoked is refused under every policy but `off`.
pub(super) fn asked_about(config: &Config) -> Status {
    let asked = |partner: &Partner| partner.ocsp.unwrap_or(config.revocation.ocsp);
    let off = config.partners.iter();
    let off = off.filter(|partner| asked(partner) == RevocationPolicy::Off);
    let places: Vec<String> = off
        .map(|partner| match partner.ocsp {
            None => "revocation.ocsp".to_owned(),
            Some(_) => format!("{}.ocsp", partner.section),
        })
        .collect();
    if places.is_empty() {
        return Status::Met;
    }
    let why = match config.revocation.responders.is_empty() {
        true => "there is no [[ocsp]]: no responder is asked".to_owned(),
        false => format!("no responder is asked: off by {}", places.join("; ")),
    };
    Status::NotMet { why }
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
        true => Status::Met,
        false => Status::NotMet {
            why: format!("no status is stapled: {} not set", bare.join(", ")),
        },
    }
}

fn waived_at(places: Vec<String>) -> Status {
    match places.is_empty() {
        true => Status::Met,
        false => Status::Waived { places },
    }
}

/// Where groups are given this policy.
fn policy_places(config: &Config, wanted: RevocationPolicy) -> Vec<String> {
    said_at(config, |partner| {
        let own = partner.revocation;
        let place = own.map(|_| format!("{}.revocation", partner.section));
        let place = place.unwrap_or_else(|| "revocation.policy".to_owned());
        (own.unwrap_or(config.revocation.policy) == wanted).then_some(place)
    })
}

/// The places that groups have something from, each once.
fn said_at(config: &Config, place: impl Fn(&Partner) -> Option<String>) -> Vec<String> {
    let mut places: Vec<String> = config.partners.iter().filter_map(place).collect();
    places.sort();
    places.dedup();
    places
}
