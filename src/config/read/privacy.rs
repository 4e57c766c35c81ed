//! `[privacy]`: what never leaves.

use crate::config::Privacy;
use crate::config::files::FileKind;
use crate::config::section::Section;
use crate::config::value::{Wrong, boolean, guard_action, network_member, plmn, twice};
use crate::privacy::Action;

pub(super) fn privacy(mut section: Section<'_, '_>) -> Privacy {
    let plmns = section.list("plmns", plmn);
    let plmns = plmns.map_or_else(Vec::new, |all| all.value);
    for (at, network) in plmns.iter().enumerate() {
        let mut before = plmns.iter().take(at);
        if let Some(first) = before.find(|before| before.value == network.value) {
            section.fault(network.line, "plmns", twice("this network", first.line));
        }
    }
    let devices = section.or("devices", boolean, false);
    let pseudonym_secret = section.optional_file("pseudonym_secret_file", FileKind::Secret);
    let action = section.optional("action", guard_action);
    let known_subscribers = section.optional_file("known_subscribers_file", FileKind::UeSets);
    let hide_network = section.or("hide_network", boolean, false);
    let network_shown = section.list("network_shown", network_member);
    if let Some(shown) = &network_shown {
        super::refuse_repeats(&section, "network_shown", &shown.value);
    }
    let network_shown = network_shown.map_or_else(Vec::new, |all| all.value);
    if let Some(action) = action
        .as_ref()
        .filter(|action| action.value == Action::Alarm)
        && known_subscribers.is_none()
    {
        let cure = "set known_subscribers_file as well: digits are let through that are in no \
                    subscriber's IMSI, and only that file says who is one; \"block\" and \
                    \"redact\" go without";
        let what = "lets IMSIs out where nobody says which digits are none";
        section.fault(action.line, "action", Wrong::new(what, cure));
    }
    if let (Some(known), None) = (&known_subscribers, &pseudonym_secret) {
        let cure = "set pseudonym_secret_file to the secret it was built with: --key-file";
        let what = "cannot be read without the secret it was built with";
        section.fault(known.line, "known_subscribers_file", Wrong::new(what, cure));
    }
    Privacy {
        plmns: plmns.into_iter().map(|one| one.value).collect(),
        devices,
        pseudonym_secret,
        action: action.map_or(Action::Block, |action| action.value),
        known_subscribers,
        hide_network,
        network_shown: network_shown.into_iter().map(|one| one.value).collect(),
    }
}
