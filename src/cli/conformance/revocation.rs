//! What becomes of the clauses about revocation, by the policy of each group of partners.

use std::time::Duration;

use super::Status;
use crate::config::{Config, Partner, RevocationPolicy};

/// Whom a list names is refused under every policy but `off`.
pub(super) fn looked_up(config: &Config) -> Status {
    let off = places(config, |partner| {
        policy(config, partner) == RevocationPolicy::Off
    });
    if off.is_empty() {
        return Status::Met;
    }
    not_looked_up(config, &off)
}

/// Of whom nothing is known is refused under `hard-fail`, and let in under `soft-fail`.
pub(super) fn fails_hard(config: &Config) -> Status {
    lenient_at(config, |partner| {
        policy(config, partner) == RevocationPolicy::SoftFail
    })
}

/// A list that has ended counts for nothing, unless a grace says otherwise; and then who is not in
/// it is refused.
pub(super) fn ends_with_next_update(config: &Config) -> Status {
    lenient_at(config, |partner| {
        let grace = partner.crl_grace.unwrap_or(config.revocation.grace);
        grace > Duration::ZERO || policy(config, partner) == RevocationPolicy::SoftFail
    })
}

fn lenient_at(config: &Config, lenient: impl Fn(&Partner) -> bool) -> Status {
    let off = places(config, |partner| {
        policy(config, partner) == RevocationPolicy::Off
    });
    if !off.is_empty() {
        return not_looked_up(config, &off);
    }
    let places = places(config, lenient);
    match places.is_empty() {
        true => Status::Met,
        false => Status::Waived { places },
    }
}

fn not_looked_up(config: &Config, places: &[String]) -> Status {
    let why = match config.revocation.lists.is_empty() {
        true => "there is no [[crl]]: nothing is looked up".to_owned(),
        false => format!("nothing is looked up: off by {}", places.join("; ")),
    };
    Status::NotMet { why }
}

fn policy(config: &Config, partner: &Partner) -> RevocationPolicy {
    partner.revocation.unwrap_or(config.revocation.policy)
}

/// The groups of which something holds, each by where that is said.
fn places(config: &Config, holds: impl Fn(&Partner) -> bool) -> Vec<String> {
    let groups = config.partners.iter().filter(|partner| holds(partner));
    let mut places: Vec<String> = groups
        .map(|partner| match (partner.revocation, partner.crl_grace) {
            (None, None) => "[revocation]".to_owned(),
            _ => partner.section.clone(),
        })
        .collect();
    places.dedup();
    places
}
