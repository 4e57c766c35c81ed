//! What clients may ask for and about whom.

use super::*;
use crate::authz::apis::{ApiId, Verb};
use crate::authz::policy::Service;
use crate::authz::ue::{Kind, SetName, UeId};
use crate::limits::SERVICE_UES_MAX;

/// The small configuration with this behind its client, which begins in line 11.
fn with_service(keys: &str) -> String {
    let client = "scs_as_ids = [\"one\"]\n";
    with(client, &format!("{client}[[client.service]]\n{keys}"))
}

const SETS: &str = "[policy]\nfile = \"ues.sets\"\nkey_file = \"ues.secret\"\n";

fn services(text: &str) -> Vec<Service> {
    let config = good(text);
    config.policies["scs-1"].services.clone()
}

#[test]
fn client_without_services_has_no_policy() {
    let config = good(SMALL);
    assert!(config.policies.is_empty() && config.policy.is_none());
}

#[test]
fn service_grants_all_of_its_api_where_nothing_else_is_said() {
    let text = with_service("api = \"3gpp-nidd\"\nues = [\"a@Example.com\", \"msisdn:4915*\"]\n");
    let [service] = &services(&text)[..] else {
        panic!("one service")
    };
    assert_eq!(service.api, ApiId::from_name("3gpp-nidd").unwrap());
    assert!(service.operations.read && service.operations.write && !service.any_ue);
    assert!(service.selectors.monitoring_types.is_none() && service.selectors.ports.is_none());
    let has = |kind, text| {
        let ue = UeId::read(kind, text, None).unwrap();
        service.ues.contain(&ue, |_| false)
    };
    assert!(has(Kind::ExternalId, "a@example.com") && has(Kind::Gpsi, "msisdn-491512345678"));
    assert!(!has(Kind::ExternalId, "b@example.com") && !has(Kind::Msisdn, "481512345678"));
}

#[test]
fn everything_that_is_said_of_a_service_is_taken() {
    let text = with_service(
        "api = \"3gpp-monitoring-event\"\n\
         operations = [\"read\", \"DELETE /{scsAsId}/subscriptions/{subscriptionId}\"]\n\
         monitoring_types = [\"UE_REACHABILITY\", \"LOCATION_REPORTING\"]\n\
         any_ue = true\n\
         [[client.service]]\n\
         api = \"3gpp-device-triggering\"\n\
         operations = [\"write\"]\n\
         ports = [7, 0]\n\
         ues = [\"set:meters\", \"set:cars\"]\n",
    ) + SETS;
    let [first, second] = &services(&text)[..] else {
        panic!("two services")
    };
    let single = (
        Verb::Delete,
        "/{scsAsId}/subscriptions/{subscriptionId}".into(),
    );
    assert_eq!(first.operations.single, [single]);
    assert!(first.operations.read && !first.operations.write && first.any_ue);
    let types = first.selectors.monitoring_types.as_deref().unwrap();
    assert_eq!(
        types,
        ["LOCATION_REPORTING".into(), "UE_REACHABILITY".into()]
    );
    assert!(second.operations.write && !second.operations.read);
    assert_eq!(second.selectors.ports.as_deref(), Some(&[0, 7][..]));
    let config = good(&text);
    let named: Vec<_> = config
        .sets_named
        .iter()
        .map(|(name, at)| (name.as_str(), at.line))
        .collect();
    let line = text
        .lines()
        .position(|line| line.contains("set:meters"))
        .unwrap()
        + 1;
    assert_eq!(named, [("cars", line), ("meters", line)]);
    let sets = config.policy.unwrap();
    assert_eq!(sets.file.value, PathBuf::from("/etc/t8gate/ues.sets"));
    assert_eq!(sets.key_file.value, PathBuf::from("/etc/t8gate/ues.secret"));
    assert!(config.files.contains(&sets.file.value));
}

/// The one fault of a service, in its line from 1.
fn wrong(keys: &str, line: usize, key: &str, what: &str) {
    let head = 1 + SMALL
        .lines()
        .position(|line| line.starts_with("scs_as_ids"))
        .unwrap();
    refused(
        &with_service(keys),
        head + 1 + line,
        &format!("client.service[1].{key}"),
        what,
    );
}

#[test]
fn each_fault_of_a_service_is_said_in_its_line() {
    let event = "api = \"3gpp-monitoring-event\"\nues = [\"any\"]\n";
    wrong("ues = [\"any\"]\n", 0, "api", "is missing");
    wrong(
        "api = \"3gpp-nid\"\nues = [\"any\"]\n",
        1,
        "api",
        "names no API",
    );
    wrong("api = \"3gpp-nidd\"\n", 0, "ues", "is missing");
    wrong(
        "api = \"3gpp-nidd\"\nany_ue = false\n",
        0,
        "ues",
        "is missing",
    );
    wrong("api = \"3gpp-nidd\"\nues = []\n", 2, "ues", "is empty");
    for (line, key, what) in [
        ("operations = []", "operations", "is empty"),
        ("operations = [\"Read\"]", "operations", "is no operation"),
        (
            "operations = [\"HEAD /{scsAsId}/subscriptions\"]",
            "operations",
            "is no operation",
        ),
        (
            "operations = [\"POST /{scsAsId}/transactions\"]",
            "operations",
            "on no resource",
        ),
        (
            "operations = [\"POST /scs-1/subscriptions\"]",
            "operations",
            "on no resource",
        ),
        (
            "operations = [\"POST {scsAsId}/subscriptions\"]",
            "operations",
            "on no resource",
        ),
        (
            "operations = [\"PUT /{scsAsId}/subscriptions\"]",
            "operations",
            "no such method",
        ),
        (
            "operations = [\"read\", \"read\"]",
            "operations",
            "stands already",
        ),
        ("monitoring_types = []", "monitoring_types", "is empty"),
        (
            "monitoring_types = [\"Location\"]",
            "monitoring_types",
            "is no event type",
        ),
        (
            "monitoring_types = [\"A\", \"A\"]",
            "monitoring_types",
            "stands already",
        ),
        (
            "ports = [1]",
            "ports",
            "limits what 3gpp-monitoring-event does not have",
        ),
        ("any_ue = 1", "any_ue", "must be"),
        ("ue = [\"any\"]", "ue", "there is no such key"),
    ] {
        wrong(&format!("{event}{line}\n"), 3, key, what);
    }
    let nidd = "api = \"3gpp-nidd\"\nues = [\"any\"]\n";
    for (line, key, what) in [
        (
            "monitoring_types = [\"A\"]",
            "monitoring_types",
            "3gpp-nidd does not have",
        ),
        ("ports = [65536]", "ports", "out of range"),
        ("ports = []", "ports", "is empty"),
    ] {
        wrong(&format!("{nidd}{line}\n"), 3, key, what);
    }
}

/// Nobody is named where it is said that nobody is.
#[test]
fn words_that_grant_nobody_are_refused_without_being_said() {
    for word in [
        "491512345678",
        "meter 7@example.com",
        "imsi-001010000000001",
        "msisdn:+4915",
    ] {
        let text = with_service(&format!(
            "api = \"3gpp-nidd\"\nues = [\n\"any\",\n{word:?}]\n"
        ));
        let fault = fault(&text);
        assert_eq!(fault.key, "client.service[1].ues");
        let said = format!("{} {}", fault.what, fault.cure);
        assert!(
            said.contains("entry 2 grants nobody") && !said.contains(word),
            "{said}"
        );
    }
    let twice = "api = \"3gpp-nidd\"\nues = [\"a@b.cd\",\n\"a@B.CD\"]\n";
    wrong(twice, 3, "ues", "stands already");
    let many: Vec<String> = (0..=SERVICE_UES_MAX)
        .map(|n| format!("\"u{n}@b.cd\""))
        .collect();
    let many = format!("api = \"3gpp-nidd\"\nues = [{}]\n", many.join(", "));
    wrong(&many, 2, "ues", "4097 entries");
}

#[test]
fn sets_take_a_file_of_them() {
    wrong(
        "api = \"3gpp-nidd\"\nues = [\"set:meters\"]\n",
        2,
        "ues",
        "there is no file of sets",
    );
    let of_set = with_service("api = \"3gpp-nidd\"\nues = [\"set:meters\"]\n");
    let line = of_set.lines().count();
    refused(
        &(of_set.clone() + "[policy]\nfile = \"f\"\n"),
        line + 1,
        "policy.key_file",
        "is missing",
    );
    refused(
        &(of_set.clone() + "[policy]\nkey_file = \"f\"\n"),
        line + 1,
        "policy.file",
        "is missing",
    );
    let named = good(&(of_set + SETS)).sets_named;
    assert!(named.contains_key(&SetName::new("meters").unwrap()));
}

#[test]
fn services_of_a_clients_own_file_stand_for_it() {
    let two = "name = \"scs-2\"\nsans = [\"dns:two.example.org\"]\nscs_as_ids = [\"two\"]\n\
               [[service]]\napi = \"3gpp-nidd\"\nues = [\"any\"]\n";
    let text = format!("{SMALL}[clients]\nfolder = \"clients.d\"\n");
    let config = own_files::parsed_with(&text, &[("two.toml", two)]).unwrap();
    assert_eq!(config.policies["scs-2"].services.len(), 1);
    assert!(!config.policies.contains_key("scs-1"));
    let bad = two.replace("3gpp-nidd", "nidd");
    let faults = own_files::parsed_with(&text, &[("two.toml", &bad)]).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert_eq!(
        (faults[0].line, faults[0].key.as_str()),
        (5, "service[1].api")
    );
    assert!(faults[0].file.as_ref().unwrap().ends_with("two.toml"));
}

/// What is said of a configuration that is served with all the same: file, line, key and words.
fn warned(text: &str, clients: &[(&str, &str)]) -> Vec<(Option<String>, usize, String, String)> {
    let config = own_files::parsed_with(text, clients);
    let config = config.unwrap_or_else(|faults| panic!("{faults:#?}"));
    let said = config.warnings.into_iter().map(|warning| {
        let file = warning.file.as_deref().and_then(Path::file_name);
        let file = file.map(|name| name.to_string_lossy().into_owned());
        let words = format!("{}: {}", warning.what, warning.cure);
        (file, warning.line, warning.key, words)
    });
    said.collect()
}

/// Nobody would see why requests for what was meant are refused.
#[test]
fn event_type_of_no_release_is_taken_and_warned_of() {
    let text = with_service(
        "api = \"3gpp-monitoring-event\"\nues = [\"any\"]\n\
         monitoring_types = [\n\"ROAMING_STATUS\",\n\"LOCATION_REPORTNG\"]\n\
         [[client.allowance]]\napi = \"3gpp-monitoring-event\"\nrate = \"9/s\"\n\
         monitoring_types = [\"OF_A_LATER_RELEASE\"]\n",
    );
    let line_of = |word: &str| 1 + text.lines().position(|line| line.contains(word)).unwrap();
    let [first, second] = &warned(&text, &[])[..] else {
        panic!("two")
    };
    assert_eq!((first.0.as_deref(), first.1), (None, line_of("REPORTNG")));
    assert_eq!(first.2, "client.service[1].monitoring_types");
    let meant = "did you mean \"LOCATION_REPORTING\"?";
    assert!(
        first
            .3
            .contains("\"LOCATION_REPORTNG\" is no event type of TS 29.122")
    );
    assert!(first.3.contains(meant), "{}", first.3);
    assert_eq!(second.1, line_of("LATER_RELEASE"));
    assert_eq!(second.2, "client.allowance[1].monitoring_types");
    assert!(!second.3.contains("did you mean"), "{}", second.3);
    let [service] = &services(&text)[..] else {
        panic!("one service")
    };
    let types = service.selectors.monitoring_types.as_deref().unwrap();
    assert!(types.contains(&"LOCATION_REPORTNG".into()));
}

#[test]
fn event_types_of_ts_29_122_are_warned_of_by_nobody() {
    let all = crate::authz::policy::MONITORING_TYPES;
    let text = with_service(&format!(
        "api = \"3gpp-monitoring-event\"\nues = [\"any\"]\nmonitoring_types = {all:?}\n"
    ));
    assert_eq!(warned(&text, &[]), []);
}

/// Of tokens that are fetched here, where no other issuer's are taken.
#[test]
fn service_that_no_scope_of_its_client_gives_anything_of_is_warned_of() {
    const OAUTH: &str = "[oauth]\nissuer = \"https://gw.example\"\naudience = \"t8\"\n\
                         key.file = \"oauth.key\"\n";
    const ISSUER: &str = "[[issuer]]\nname = \"https://issuer.example\"\naudience = \"t8\"\n\
                          jwks = \"keys.jwks\"\n";
    let alone = format!("{}{OAUTH}", with(ISSUER, ""));
    let folder = "[clients]\nfolder = \"clients.d\"\n";
    let registered = |scopes: &str, services: &str| {
        format!(
            "name = \"acme\"\nsans = [\"dns:acme.example\"]\nscs_as_ids = [\"acme\"]\n\
             tls_client_auth_san_dns = \"acme.example\"\nscopes = {scopes}\n{services}"
        )
    };
    let service =
        |api: &str, keys: &str| format!("[[service]]\nues = [\"any\"]\n{keys}api = \"{api}\"\n");
    let (nidd, bdt) = (service("3gpp-nidd", ""), service("3gpp-bdt", ""));
    let of = |text: &str, scopes: &str, services: &str| {
        let client = registered(scopes, services);
        warned(&format!("{text}{folder}"), &[("acme.toml", &client)])
    };
    let both = format!("{nidd}{bdt}");
    let [said] = &of(&alone, "[\"3gpp-nidd\"]", &both)[..] else {
        panic!("one")
    };
    // Six lines of the client, three of each service.
    let place = (said.0.as_deref(), said.1, said.2.as_str());
    assert_eq!(place, (Some("acme.toml"), 11, "service[2].api"));
    assert!(
        said.3
            .contains("no scope of the client gives any of its operations of 3gpp-bdt")
    );
    assert_eq!(
        of(&alone, "[\"3gpp-bdt:read\", \"3gpp-nidd:write\"]", &both),
        []
    );
    // The half counts that the service has operations of.
    let read = service("3gpp-nidd", "operations = [\"read\"]\n");
    let delete = "operations = [\"DELETE /{scsAsId}/configurations/{configurationId}\"]\n";
    let delete = service("3gpp-nidd", delete);
    for (scope, one, count) in [
        ("[\"3gpp-nidd:read\"]", &read, 0),
        ("[\"3gpp-nidd:write\"]", &read, 1),
        ("[\"3gpp-nidd:read\"]", &delete, 1),
        ("[\"3gpp-nidd:write\"]", &delete, 0),
    ] {
        assert_eq!(of(&alone, scope, one).len(), count, "{scope} {one}");
    }
    // Another issuer's token may give it.
    let beside = format!("{SMALL}{OAUTH}");
    assert_eq!(of(&beside, "[\"3gpp-nidd\"]", &both), []);
}
