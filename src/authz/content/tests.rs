use super::*;
use crate::authz::apis;
use crate::authz::apis::resource::Body;
use crate::authz::apis::shape::NOTHING;
use crate::authz::policy::{NotGranted, Operations, Selectors, Service, Source};
use crate::authz::scope;
use crate::authz::ue::Matcher;

mod differential;
mod queries;
mod reading;

const SUBSCRIPTIONS: &str = "/3gpp-monitoring-event/v1/as/subscriptions";
const SESSIONS: &str = "/3gpp-as-session-with-qos/v1/as/subscriptions";
const TRIGGERS: &str = "/3gpp-device-triggering/v1/as/transactions";
const INFLUENCES: &str = "/3gpp-traffic-influence/v1/af/subscriptions";
const ANALYTICS: &str = "/3gpp-analyticsexposure/v1/af/subscriptions";

fn action(path: &str, verb: Verb) -> &'static apis::Action {
    let operation = apis::operation(path, Some(verb), Cow::Borrowed);
    operation.unwrap().action
}

/// What a POST there takes.
fn shape(path: &str) -> Shape {
    let Body { shape, .. } = action(path, Verb::Post).takes.unwrap();
    shape
}

fn post(path: &str, body: &str) -> Result<Content<'static>, Fault> {
    read(body.as_bytes(), shape(path), Origin::Request).map(Content::into_owned)
}

fn fault(path: &str, body: &str) -> Option<Fault> {
    match post(path, body) {
        Ok(content) => content.about().err(),
        Err(fault) => Some(fault),
    }
}

fn ue<'t>(kind: ue::Kind, text: &'t str, ip_domain: Option<&'t str>) -> UeId<'t> {
    UeId::read(kind, text, ip_domain).unwrap()
}

fn external(text: &str) -> UeId<'_> {
    ue(ue::Kind::ExternalId, text, None)
}

fn msisdn(text: &str) -> UeId<'_> {
    ue(ue::Kind::Msisdn, text, None)
}

fn ip<'t>(text: &'t str, ip_domain: Option<&'t str>) -> UeId<'t> {
    ue(ue::Kind::Ipv4, text, ip_domain)
}

/// The body is read, and is about these alone.
fn assert_about(path: &str, body: &str, ues: &[UeId<'_>]) {
    let content = post(path, body).unwrap();
    assert!(content.about().unwrap().ues() == ues, "{body}");
}

/// JSON that is refused wherever it stands.
fn refused(text: &str) -> Option<Fault> {
    read(text.as_bytes(), NOTHING, Origin::Request).err()
}

// Whom it names.

#[test]
fn every_identity_of_a_subscription_is_found() {
    let body = r#"{
        "externalId": "a@example.com", "msisdn": "999010000000001",
        "addedExternalIds": ["b@example.com", "c@example.com"],
        "addedMsisdns": ["999010000000002"],
        "excludedExternalIds": ["d@example.com"], "excludedMsisdns": ["999010000000003"],
        "externalGroupId": "g@example.com", "addExtGroupId": ["h@example.com"],
        "ipv4Addr": "10.0.0.1", "ipv6Addr": "2001:db8::1",
        "ueIpAddr": {"ipv6Prefix": "2001:db8:1::\/48"}, "ueMacAddr": "02-00-00-00-00-01"
    }"#;
    let group = |text| ue(ue::Kind::ExternalGroupId, text, None);
    let ues = [
        external("a@example.com"),
        msisdn("999010000000001"),
        external("b@example.com"),
        external("c@example.com"),
        msisdn("999010000000002"),
        external("d@example.com"),
        msisdn("999010000000003"),
        group("g@example.com"),
        group("h@example.com"),
        ip("10.0.0.1", None),
        ue(ue::Kind::Ipv6, "2001:db8::1", None),
        ue(ue::Kind::Ipv6Prefix, "2001:db8:1::/48", None),
        ue(ue::Kind::Mac, "02-00-00-00-00-01", None),
    ];
    assert_about(SUBSCRIPTIONS, body, &ues);
}

#[test]
fn an_identity_with_escapes_is_the_one_without() {
    let body = r#"{"externalId":"us\u0065r\u002bx\u0040example.com"}"#;
    assert_about(SUBSCRIPTIONS, body, &[external("user+x@example.com")]);
}

#[test]
fn what_has_no_escapes_is_borrowed() {
    let body = r#"{"externalId":"a@example.com","monitoringType":"LOCATION_REPORTING"}"#;
    let content = read(body.as_bytes(), shape(SUBSCRIPTIONS), Origin::Request).unwrap();
    let texts = content.named.iter().map(|named| &named.text);
    let mut texts = texts.chain(&content.monitoring_types);
    assert!(texts.clone().count() == 2 && texts.all(|text| matches!(text, Cow::Borrowed(_))));
}

#[test]
fn a_gpsi_is_the_msisdn_or_external_id_that_it_holds() {
    let body = r#"{"gpsi":"msisdn-999010000000001"}"#;
    assert_about(SESSIONS, body, &[msisdn("999010000000001")]);
    let body = r#"{"gpsi":"extid-a@example.com"}"#;
    assert_about(SESSIONS, body, &[external("a@example.com")]);
}

#[test]
fn gpsis_in_a_map_are_found_whatever_their_keys_are() {
    let body =
        r#"{"5gLanParams":{"gpsis":{"k":"msisdn-999010000000001","K":"extid-a@b.example"}}}"#;
    let ues = [msisdn("999010000000001"), external("a@b.example")];
    assert_about("/3gpp-5glan-pp/v1/af/subscriptions", body, &ues);
}

#[test]
fn an_address_has_the_ip_domain_beside_it_before_it_or_behind() {
    let within = [ip("10.0.0.1", Some("north"))];
    assert_about(
        SESSIONS,
        r#"{"ipDomain":"north","ueIpv4Addr":"10.0.0.1"}"#,
        &within,
    );
    assert_about(
        SESSIONS,
        r#"{"ueIpv4Addr":"10.0.0.1","ipDomain":"north"}"#,
        &within,
    );
    assert_about(
        SESSIONS,
        r#"{"ueIpv4Addr":"10.0.0.1"}"#,
        &[ip("10.0.0.1", None)],
    );
}

#[test]
fn an_ip_domain_is_that_of_addresses_in_inner_objects_as_well() {
    let body = r#"{"listUeAddrs":[{"ueIpAddr":{"ipv4Addr":"10.0.0.1"}}],"ipDomain":"north",
        "listUeConsDtRt":[{"ipv4Addr":"10.0.0.2"}]}"#;
    let ues = [ip("10.0.0.1", Some("north")), ip("10.0.0.2", Some("north"))];
    assert_about(SESSIONS, body, &ues);
}

#[test]
fn an_ip_domain_is_not_that_of_addresses_outside_its_object() {
    let body = r#"{"ipv4Addr":"10.0.0.3","monitoringEventReport":
        {"pduSessInfo":{"ueIpv4":"10.0.0.1","ipDomain":"north"}},
        "addnMonEventReports":[{"pduSessInfo":{"ipDomain":"south","ueIpv4":"10.0.0.2"}},
        {"pduSessInfo":{"ueIpv4":"10.0.0.4"}}]}"#;
    let ues = [
        ip("10.0.0.3", None),
        ip("10.0.0.1", Some("north")),
        ip("10.0.0.2", Some("south")),
        ip("10.0.0.4", None),
    ];
    assert_about(SUBSCRIPTIONS, body, &ues);
}

#[test]
fn addresses_of_flows_and_servers_name_no_ue() {
    let body = r#"{"dddTraDescriptors":[{"ipv4Addr":"10.0.0.1"}],
        "upLocRepAddrAf":{"ipv4Addrs":["10.0.0.2"]}}"#;
    assert_about(SUBSCRIPTIONS, body, &[]);
}

#[test]
fn a_text_that_is_no_identity_is_a_fault_of_its_own() {
    use IdentityFault::{ExternalId, Gpsi, Group, Ip, IpDomain, Mac, Msisdn};
    for (path, body, expected) in [
        (SUBSCRIPTIONS, r#"{"externalId":"a"}"#, ExternalId),
        (SUBSCRIPTIONS, r#"{"externalId":""}"#, ExternalId),
        (
            SUBSCRIPTIONS,
            r#"{"addedExternalIds":["a@example.com",""]}"#,
            ExternalId,
        ),
        (SUBSCRIPTIONS, r#"{"msisdn":"+999010000000001"}"#, Msisdn),
        (SUBSCRIPTIONS, r#"{"msisdn":"0999010000001"}"#, Msisdn),
        (
            SUBSCRIPTIONS,
            r#"{"msisdn":"\uff11\uff12\uff13\uff14\uff15"}"#,
            Msisdn,
        ),
        (SUBSCRIPTIONS, r#"{"externalGroupId":"g"}"#, Group),
        (
            SUBSCRIPTIONS,
            r#"{"externalGroupId":"extgroupid-g@example.com"}"#,
            Group,
        ),
        (
            SUBSCRIPTIONS,
            r#"{"externalGroupId":"ExtGroupId-g@example.com"}"#,
            Group,
        ),
        (SUBSCRIPTIONS, r#"{"ipv4Addr":"10.0.0.01"}"#, Ip),
        (SUBSCRIPTIONS, r#"{"ueMacAddr":"02:00:00:00:00:01"}"#, Mac),
        (SESSIONS, r#"{"gpsi":"imsi-001010000000001"}"#, Gpsi),
        (
            SESSIONS,
            r#"{"ueIpv4Addr":"10.0.0.1","ipDomain":"a b"}"#,
            IpDomain,
        ),
    ] {
        let expected = Some(Fault::Identity(expected));
        assert_eq!(fault(path, body), expected, "{body}");
    }
}

#[test]
fn where_an_identity_belongs_nothing_of_another_type_may_stand() {
    for (path, body) in [
        (SUBSCRIPTIONS, r#"{"msisdn":999010000000001}"#),
        (SUBSCRIPTIONS, r#"{"msisdn":["999010000000001"]}"#),
        (SUBSCRIPTIONS, r#"{"msisdn":{"a":"999010000000001"}}"#),
        (SUBSCRIPTIONS, r#"{"msisdn":true}"#),
        (SUBSCRIPTIONS, r#"{"msisdn":null}"#),
        (SUBSCRIPTIONS, r#"{"addedMsisdns":"999010000000001"}"#),
        (SUBSCRIPTIONS, r#"{"addedMsisdns":{"0":"999010000000001"}}"#),
        (SUBSCRIPTIONS, r#"{"addedMsisdns":[["999010000000001"]]}"#),
        (SUBSCRIPTIONS, r#"{"addedMsisdns":[null]}"#),
        (SUBSCRIPTIONS, r#"{"addedMsisdns":null}"#),
        (SUBSCRIPTIONS, r#"{"ueIpAddr":"10.0.0.1"}"#),
        (SUBSCRIPTIONS, r#"{"ueIpAddr":[{"ipv4Addr":"10.0.0.1"}]}"#),
        (SUBSCRIPTIONS, r#"[{"msisdn":"999010000000001"}]"#),
        (SUBSCRIPTIONS, r#""msisdn""#),
        (SUBSCRIPTIONS, "null"),
        (SUBSCRIPTIONS, r#"{"monitoringType":1}"#),
        (SUBSCRIPTIONS, r#"{"addnMonTypes":"LOCATION_REPORTING"}"#),
        (
            SUBSCRIPTIONS,
            r#"{"notificationDestination":["https://as.example/"]}"#,
        ),
        (
            SUBSCRIPTIONS,
            r#"{"notificationDestination":{"a":1,"a":2}}"#,
        ),
        (SESSIONS, r#"{"ipDomain":null}"#),
        (SESSIONS, r#"{"ipDomain":1}"#),
        (INFLUENCES, r#"{"anyUeInd":"true"}"#),
        (INFLUENCES, r#"{"anyUeInd":1}"#),
        (INFLUENCES, r#"{"anyUeInd":null}"#),
    ] {
        assert_eq!(fault(path, body), Some(Fault::WrongType), "{body}");
    }
}

#[test]
fn null_where_no_identity_belongs_says_nothing() {
    let body = r#"{"monitoringType":null,"notificationDestination":null,"dnn":null,"x":null,
        "websockNotifConfig":null}"#;
    let content = post(SUBSCRIPTIONS, body).unwrap();
    assert!(content.monitoring_types.is_empty());
}

#[test]
fn null_takes_an_identity_away_in_a_merge_patch_and_is_none_in_a_representation() {
    let body = br#"{"msisdn":null,"addedMsisdns":null,"ueIpAddr":null}"#;
    for origin in [Origin::MergePatch, Origin::Representation] {
        let content = read(body, shape(SUBSCRIPTIONS), origin).unwrap();
        assert!(content.names_nobody());
    }
}

#[test]
fn identities_of_the_operators_domain_are_refused_from_clients_alone() {
    let path = "/3gpp-ms-event-exposure/v1/subscriptions";
    for filter in [
        r#"{"supis":["imsi-001010000000001"]}"#,
        r#"{"interGroupIds":["00000001-001-01-00"]}"#,
        r#"{"supis":["x"]}"#,
    ] {
        let body = format!(r#"{{"eventsSubs":[{{"eventFilter":{filter}}}]}}"#);
        assert_eq!(fault(path, &body), Some(Fault::Internal), "{body}");
        let merged = read(body.as_bytes(), shape(path), Origin::MergePatch);
        assert_eq!(merged.err(), Some(Fault::Internal));
        let held = read(body.as_bytes(), shape(path), Origin::Representation).unwrap();
        assert!(held.about().unwrap().ues().is_empty());
    }
    let none = r#"{"eventsSubs":[{"eventFilter":{"supis":[]}}]}"#;
    assert!(post(path, none).is_ok());
}

#[test]
fn event_types_and_ports_are_found_once_each() {
    let body = r#"{"monitoringType":"LOSS_OF_CONNECTIVITY",
        "addnMonTypes":["LOCATION_REPORTING","LOSS_OF_CONNECTIVITY"]}"#;
    let content = post(SUBSCRIPTIONS, body).unwrap();
    let about = content.about().unwrap();
    let types = ["LOSS_OF_CONNECTIVITY", "LOCATION_REPORTING"];
    assert_eq!(about.monitoring_types(), types);

    let body = r#"{"msisdn":"999010000000001","applicationPortId":7,"appSrcPortId":65535}"#;
    let content = post(TRIGGERS, body).unwrap();
    assert_eq!(content.about().unwrap().ports(), [7, 65535]);
}

#[test]
fn a_port_is_a_number_of_sixteen_bits() {
    for port in [
        "65536", "-1", "-0", "80.0", "8e1", "\"80\"", "[80]", "{}", "true",
    ] {
        let body = format!("{{\"applicationPortId\":{port}}}");
        assert_eq!(fault(TRIGGERS, &body), Some(Fault::WrongType), "{body}");
    }
}

#[test]
fn what_would_take_too_long_to_judge_is_refused() {
    let types: Vec<String> = (0..=SELECTORS_MAX)
        .map(|kind| format!("\"{kind}\""))
        .collect();
    let body = format!("{{\"addnMonTypes\":[{}]}}", types.join(","));
    assert_eq!(fault(SUBSCRIPTIONS, &body), Some(Fault::TooMany));

    let named = |count: usize| {
        let numbers = (0..count).map(|number| format!("\"99901{number:010}\""));
        numbers.collect::<Vec<_>>().join(",")
    };
    let body = format!("{{\"addedMsisdns\":[{}]}}", named(UES_MAX));
    assert_eq!(fault(SUBSCRIPTIONS, &body), None);
    let body = format!("{{\"addedMsisdns\":[{}]}}", named(UES_MAX + 1));
    assert_eq!(fault(SUBSCRIPTIONS, &body), Some(Fault::TooMany));

    let types = types[..8].join(",");
    let body = |count| {
        format!(
            "{{\"addnMonTypes\":[{types}],\"addedMsisdns\":[{}]}}",
            named(count)
        )
    };
    assert_eq!(fault(SUBSCRIPTIONS, &body(GRANTS_MAX / 8)), None);
    assert_eq!(
        fault(SUBSCRIPTIONS, &body(GRANTS_MAX / 8 + 1)),
        Some(Fault::TooMany)
    );
}

#[test]
fn each_of_many_is_judged_once_however_often_it_is_named() {
    let others: Vec<String> = (0..ONCE_FROM)
        .map(|number| format!(r#"{{"ueIpAddr":{{"ipv4Addr":"10.0.1.{number}"}}}}"#))
        .collect();
    let same = vec![r#"{"ueIpAddr":{"ipv4Addr":"10.0.0.1"}}"#; 500].join(",");
    let body = format!(
        r#"{{"listUeAddrs":[{same},{},{same}],"ueIpv4Addr":"10.0.0.1","ipDomain":"north"}}"#,
        others.join(",")
    );
    let content = post(SESSIONS, &body).unwrap();
    assert_eq!(content.named.len(), 1_001 + ONCE_FROM);
    let about = content.about().unwrap();
    assert_eq!(about.ues().len(), 1 + ONCE_FROM);
    assert!(about.ues()[0] == ip("10.0.0.1", Some("north")));
    // Another of that address in another domain, which is not the same.
    let other = r#"{"pduSessInfo":{"ueIpv4":"10.0.0.1","ipDomain":"south"}}"#;
    let own = r#"{"pduSessInfo":{"ueIpv4":"10.0.0.1","ipDomain":"north"}}"#;
    let reports = [vec![own; ONCE_FROM].join(","), other.to_owned()].join(",");
    let body = format!(r#"{{"addnMonEventReports":[{reports}]}}"#);
    let content = post(SUBSCRIPTIONS, &body).unwrap();
    let ues = [ip("10.0.0.1", Some("north")), ip("10.0.0.1", Some("south"))];
    assert!(content.about().unwrap().ues() == ues);
}

#[test]
fn who_asks_is_found_where_a_body_says_it_again() {
    let body = r#"{"afId":"as1","gpsi":"msisdn-999010000000001"}"#;
    let content = post("/3gpp-ue-address/v1/retrieve", body).unwrap();
    assert_eq!(content.scs_as_ids().collect::<Vec<_>>(), ["as1"]);
    let body = r#"{"afId":["as1"],"gpsi":"msisdn-999010000000001"}"#;
    assert_eq!(
        fault("/3gpp-ue-address/v1/retrieve", body),
        Some(Fault::WrongType)
    );
}

// What is decided of it.

fn monitoring(words: &[&str], any_ue: bool) -> Policy {
    policy_for("3gpp-monitoring-event", words, any_ue)
}

fn policy_for(api: &str, words: &[&str], any_ue: bool) -> Policy {
    let words = words.iter().map(|word| Matcher::read(word).unwrap());
    Policy {
        services: vec![Service {
            api: ApiId::from_name(api).unwrap(),
            operations: Operations {
                read: true,
                write: true,
                single: Vec::new(),
            },
            selectors: Selectors::default(),
            ues: words.collect(),
            any_ue,
        }],
    }
}

fn decide(policy: &Policy, path: &str, body: &str) -> Result<(), NotGranted> {
    let operation = apis::operation(path, Some(Verb::Post), Cow::Borrowed).unwrap();
    let token = Gives {
        rights: scope::rights(operation.api.name()).unwrap(),
        limited: None,
    };
    let content = post(path, body).unwrap();
    let about = content.about().unwrap();
    let operation = (operation.api, Verb::Post, operation.resource);
    about
        .decide(Some(policy), token, None, operation)
        .map_err(|denied| {
            assert_eq!(denied.by, Source::Policy);
            denied.what
        })
}

#[test]
fn all_of_a_body_has_to_be_granted() {
    let policy = monitoring(&["*@example.com"], false);
    let granted = r#"{"externalId":"a@example.com","addedExternalIds":["b@EXAMPLE.com"]}"#;
    assert_eq!(decide(&policy, SUBSCRIPTIONS, granted), Ok(()));
    let other = r#"{"externalId":"a@example.com","addedExternalIds":["b@example.org"]}"#;
    assert_eq!(decide(&policy, SUBSCRIPTIONS, other), Err(NotGranted::Ue));
    let group = r#"{"externalId":"a@example.com","externalGroupId":"g@example.com"}"#;
    assert_eq!(
        decide(&policy, SUBSCRIPTIONS, group),
        Err(NotGranted::Group)
    );
    assert_eq!(decide(&policy, SUBSCRIPTIONS, "{}"), Err(NotGranted::AnyUe));
}

#[test]
fn who_says_any_ue_beside_a_ue_needs_both_grants() {
    let body = r#"{"gpsi":"extid-a@example.com","anyUeInd":true}"#;
    let api = "3gpp-traffic-influence";
    let named = policy_for(api, &["*@example.com"], false);
    assert_eq!(decide(&named, INFLUENCES, body), Err(NotGranted::AnyUe));
    let any = policy_for(api, &[], true);
    assert_eq!(decide(&any, INFLUENCES, body), Err(NotGranted::Ue));
    let both = policy_for(api, &["*@example.com"], true);
    assert_eq!(decide(&both, INFLUENCES, body), Ok(()));
    let body = r#"{"gpsi":"extid-a@example.com","anyUeInd":false}"#;
    assert_eq!(decide(&named, INFLUENCES, body), Ok(()));
    let body = r#"{"anyUeInd":true}"#;
    assert_eq!(decide(&any, INFLUENCES, body), Ok(()));
    assert_eq!(decide(&named, INFLUENCES, body), Err(NotGranted::AnyUe));
}

/// Bodies with the client's own UE, and no one whom they are about.
const NOBODY_SELECTED: [(&str, &str); 10] = [
    (SUBSCRIPTIONS, r#"{"excludedMsisdns":["999010000000001"]}"#),
    (
        SUBSCRIPTIONS,
        r#"{"excludedExternalIds":["a@example.com"]}"#,
    ),
    (
        SUBSCRIPTIONS,
        r#"{"monitoringEventReport":{"msisdn":"999010000000001"}}"#,
    ),
    (
        SUBSCRIPTIONS,
        r#"{"monitoringEventReport":{"pduSessInfo":{"ueMac":"02-00-00-00-00-01"}}}"#,
    ),
    (
        SUBSCRIPTIONS,
        r#"{"addnMonEventReports":[{"externalId":"a@example.com"}]}"#,
    ),
    (
        SUBSCRIPTIONS,
        r#"{"relatedUEs":[{"applicationlayerId":"x"}]}"#,
    ),
    (
        "/3gpp-nidd/v1/as/configurations",
        r#"{"niddDownlinkDataTransfers":[{"msisdn":"999010000000001"}]}"#,
    ),
    (SESSIONS, r#"{"listUeConsDtRt":[{"ipv4Addr":"10.0.0.1"}]}"#),
    (
        ANALYTICS,
        r#"{"eventNotifis":[{"abnormalInfos":[{"gpsis":["extid-a@example.com"]}]}]}"#,
    ),
    (
        INFLUENCES,
        r#"{"eventReports":[{"gpsi":"msisdn-999010000000001"}]}"#,
    ),
];

#[test]
fn whom_a_body_leaves_out_or_reports_of_does_not_make_it_be_about_them() {
    for (path, body) in NOBODY_SELECTED {
        let operation = apis::operation(path, Some(Verb::Post), Cow::Borrowed).unwrap();
        let api = operation.api.name();
        let named = policy_for(api, &["any"], false);
        assert_eq!(decide(&named, path, body), Err(NotGranted::AnyUe), "{body}");
        let both = policy_for(api, &["any"], true);
        assert_eq!(decide(&both, path, body), Ok(()), "{body}");
        // Each of them is judged all the same.
        let any_ue = policy_for(api, &[], true);
        assert_eq!(decide(&any_ue, path, body), Err(NotGranted::Ue), "{body}");
    }
    let policy = monitoring(&["*@example.com"], false);
    let selected = r#"{"externalId":"a@example.com","excludedExternalIds":["b@example.com"],
        "monitoringEventReport":{"externalId":"a@example.com"}}"#;
    assert_eq!(decide(&policy, SUBSCRIPTIONS, selected), Ok(()));
}

#[test]
fn what_stands_beside_whom_something_else_is_about_needs_no_grant_of_any_ue() {
    for (path, body) in NOBODY_SELECTED {
        let content = post(path, body).unwrap();
        let besides = content.besides().unwrap();
        assert!(!besides.is_any_ue() && besides.ues().len() == 1, "{body}");
        assert!(content.about().unwrap().is_any_ue());
    }
    // A report by itself is about whom it names.
    let reported = r#"{"monitoringEventReports":[{"msisdn":"999010000000001"}]}"#;
    let created = action(SUBSCRIPTIONS, Verb::Post).gives;
    for body in [reported, r#"{"msisdn":"999010000000001"}"#] {
        let content = read(body.as_bytes(), created, Origin::Representation).unwrap();
        assert!(!content.about().unwrap().is_any_ue(), "{body}");
    }
}

#[test]
fn an_element_that_names_nobody_is_about_any_ue_whomever_those_beside_it_name() {
    let events = "/3gpp-ms-event-exposure/v1/subscriptions";
    let own = r#"{"gpsi":"msisdn-999010000000001"}"#;
    let gpsis = r#"{"gpsis":["msisdn-999010000000001"]}"#;
    let analytics = |last: &str| format!(r#"{{"analyEventsSubs":[{{"tgtUe":{own}}},{last}]}}"#);
    let exposed = |last: &str| format!(r#"{{"eventsSubs":[{{"eventFilter":{gpsis}}},{last}]}}"#);
    let sessions = |last: &str| {
        format!(r#"{{"listUeAddrs":[{{"ueIpAddr":{{"ipv4Addr":"10.0.0.1"}}}},{last}]}}"#)
    };
    for (path, body, expected) in [
        (
            ANALYTICS,
            analytics(&format!(r#"{{"tgtUe":{own}}}"#)),
            Ok(()),
        ),
        (
            ANALYTICS,
            analytics(r#"{"analyEvent":"UE_MOBILITY"}"#),
            Err(NotGranted::AnyUe),
        ),
        (
            ANALYTICS,
            analytics(r#"{"tgtUe":{}}"#),
            Err(NotGranted::AnyUe),
        ),
        (
            ANALYTICS,
            analytics(r#"{"tgtUe":{"anyUeInd":false}}"#),
            Err(NotGranted::AnyUe),
        ),
        (
            ANALYTICS,
            analytics(r#"{"tgtUe":{"anyUeInd":true}}"#),
            Err(NotGranted::AnyUe),
        ),
        (
            events,
            exposed(&format!(r#"{{"eventFilter":{gpsis}}}"#)),
            Ok(()),
        ),
        (events, exposed(r#"{"event":"x"}"#), Err(NotGranted::AnyUe)),
        (
            events,
            exposed(r#"{"eventFilter":{"gpsis":[]}}"#),
            Err(NotGranted::AnyUe),
        ),
        (
            SESSIONS,
            sessions(r#"{"ueIpAddr":{"ipv4Addr":"10.0.0.2"}}"#),
            Ok(()),
        ),
        (
            SESSIONS,
            sessions(r#"{"portNumber":5}"#),
            Err(NotGranted::AnyUe),
        ),
    ] {
        let operation = apis::operation(path, Some(Verb::Post), Cow::Borrowed).unwrap();
        let policy = policy_for(operation.api.name(), &["any"], false);
        assert_eq!(decide(&policy, path, &body), expected, "{body}");
        let both = policy_for(operation.api.name(), &["any"], true);
        assert_eq!(decide(&both, path, &body), Ok(()), "{body}");
    }
}

#[test]
fn an_identity_that_no_grant_can_list_is_for_who_is_granted_every_ue() {
    let path = "/3gpp-akma/v1/retrieve";
    let body = r#"{"aKId":"x@example.com"}"#;
    for words in [
        &["*@example.com", "gpsi:x@example.com", "group:any"][..],
        &[],
    ] {
        let policy = policy_for("3gpp-akma", words, true);
        assert_eq!(decide(&policy, path, body), Err(NotGranted::Ue));
    }
    let every = policy_for("3gpp-akma", &["any"], false);
    assert_eq!(decide(&every, path, body), Ok(()));
    let body = r#"{"monitoringEventReport":{"locationInfo":{"userLocation":{"n3gaLocation":
        {"gli":"AA=="}}}},"externalId":"a@example.com"}"#;
    let policy = monitoring(&["*@example.com"], true);
    assert_eq!(decide(&policy, SUBSCRIPTIONS, body), Err(NotGranted::Ue));
}

#[test]
fn every_fault_has_a_word_of_its_own() {
    use IdentityFault::{ExternalId, Gpsi, Group, Ip, IpDomain, Mac, Msisdn};
    let identities = [ExternalId, Msisdn, Group, Gpsi, Ip, IpDomain, Mac].map(Fault::Identity);
    let others = [
        Fault::Malformed,
        Fault::DuplicateMember,
        Fault::Lookalike,
        Fault::Reserved,
        Fault::Nul,
        Fault::TooDeep,
        Fault::TooMany,
        Fault::WrongType,
        Fault::Internal,
        Fault::Parameter,
        Fault::PathPorts,
        Fault::Patch,
        Fault::Moved,
    ];
    let words: Vec<&str> = identities
        .iter()
        .chain(&others)
        .map(|fault| fault.word())
        .collect();
    let set: std::collections::BTreeSet<&str> = words.iter().copied().collect();
    assert_eq!(set.len(), words.len());
}

#[test]
fn parts_of_one_request_say_together_what_each_says() {
    for flag in 0..3 {
        let said = |is| {
            let mut content = Content::default();
            let flags = [
                &mut content.any_ue,
                &mut content.unlisted,
                &mut content.selects,
            ];
            *flags.into_iter().nth(flag).unwrap() = is;
            content
        };
        for (one, other) in [(true, false), (false, true), (true, true), (false, false)] {
            let mut joined = said(one);
            joined.join(said(other));
            let flags = [joined.any_ue, joined.unlisted, joined.selects];
            assert_eq!(flags[flag], one || other);
        }
    }
}

#[test]
fn event_types_and_ports_say_with_what_it_is_done() {
    let types = Content {
        monitoring_types: vec!["LOCATION_REPORTING".into()],
        ..Content::default()
    };
    let ports = Content {
        ports: vec![80],
        ..Content::default()
    };
    assert!(types.says_with_what() && ports.says_with_what());
    assert!(!Content::default().says_with_what());
}
