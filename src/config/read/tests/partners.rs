//! Groups of partners.

use super::*;
use crate::config::PARTNER_DEFAULT;
use crate::peer::Identity;

const PARTNER: &str = "[[partner]]\nname = \"hub\"\nclient_ca = \"hub.pem\"\n";

fn with_partner(more: &str) -> String {
    format!("{SMALL}{PARTNER}{more}")
}

#[test]
fn client_ca_of_tls_is_a_group_by_itself() {
    let config = good(SMALL);
    let [group] = &config.partners[..] else {
        panic!("{:?}", config.partners)
    };
    assert_eq!(
        (group.name.as_str(), group.section.as_str()),
        (PARTNER_DEFAULT, "tls")
    );
    assert_eq!((group.waive.len(), group.identity), (0, Identity::Any));
    assert_eq!(config.clients[0].partner, PARTNER_DEFAULT);
}

#[test]
fn groups_stand_behind_that_of_tls() {
    let more = "waive = [\"crl_distribution_points\"]\nidentity = \"uri\"\n";
    let config = good(&with_partner(more));
    let [first, hub] = &config.partners[..] else {
        panic!("{:?}", config.partners)
    };
    assert_eq!((first.name.as_str(), hub.name.as_str()), ("default", "hub"));
    assert_eq!(
        (hub.section.as_str(), hub.identity),
        ("partner[1]", Identity::Uri)
    );
    assert_eq!(hub.waive[0].value, "crl_distribution_points");
}

#[test]
fn client_names_its_group_and_tls_needs_none_then() {
    let text = with_partner("").replace("client_ca = \"ca.pem\"\n", "");
    let faults = parsed(&text).unwrap_err();
    assert_eq!(faults[0].key, "client[1].partner", "{faults:?}");
    assert!(faults[0].cure.contains("hub"), "{faults:?}");
    let text = text.replace("sans =", "partner = \"hub\"\nsans =");
    let config = good(&text);
    assert_eq!(config.clients[0].partner, "hub");
    assert_eq!(config.partners.len(), 1);
    let faults = parsed(&text.replace("partner = \"hub\"", "partner = \"pub\"")).unwrap_err();
    assert_eq!(faults[0].key, "client[1].partner", "{faults:?}");
    assert!(faults[0].what.contains("\"pub\""), "{faults:?}");
}

#[test]
fn name_of_a_client_must_be_of_the_kind_its_group_goes_by() {
    let text = with_partner("identity = \"uri\"\n");
    let text = text.replace("sans =", "partner = \"hub\"\nsans =");
    let faults = parsed(&text).unwrap_err();
    assert_eq!(faults[0].key, "client[1].sans", "{faults:?}");
    good(&text.replace("\"uri\"", "\"dns\""));
}

#[test]
fn group_twice_or_of_a_strange_kind_is_refused() {
    let twice = with_partner(PARTNER);
    assert_eq!(parsed(&twice).unwrap_err()[0].key, "partner[2].name");
    let default = with_partner("").replace("\"hub\"", "\"default\"");
    assert_eq!(parsed(&default).unwrap_err()[0].key, "partner[1].name");
    let kind = with_partner("identity = \"cn\"\n");
    assert_eq!(parsed(&kind).unwrap_err()[0].key, "partner[1].identity");
    let waived = with_partner("waive = [\"curve\", \"curve\"]\n");
    assert_eq!(parsed(&waived).unwrap_err()[0].key, "partner[1].waive");
}
