//! What objects with limits give.

use super::*;
use crate::authz::apis::Verb;
use crate::authz::policy::{Asked, Denied, NotGranted, Source, decide};
use crate::authz::ue::{Kind, UeId};

/// What a token with this one object gives of a POST to an API.
fn judged(
    object: Value,
    api: &str,
    (kinds, ports): (&[&str], &[u16]),
    ues: &[UeId<'_>],
) -> Result<(), NotGranted> {
    let limited = limited_of(json!([object]));
    let token = Gives {
        rights: Rights::NONE,
        limited: limited.as_deref(),
    };
    let asked = Asked {
        api: ApiId::from_name(api).unwrap(),
        verb: Verb::Post,
        resource: "/{scsAsId}/subscriptions",
        monitoring_types: kinds,
        ports,
        ues,
    };
    decide(None, token, None, &asked).map_err(|Denied { what, by }| {
        assert_eq!(by, Source::Token);
        what
    })
}

/// An object of MonitoringEvent and NIDD with these limits.
fn object(limits: Value) -> Value {
    let mut object = json!({"type": TYPE, "apis": ["3gpp-monitoring-event", "3gpp-nidd"]});
    for (name, value) in limits.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

const EVERYBODY: [(Kind, &str); 6] = [
    (Kind::ExternalId, "a@example.com"),
    (Kind::ExternalId, "b@Example.com"),
    (Kind::ExternalId, "a@example.org"),
    (Kind::Msisdn, "491512345678"),
    (Kind::ExternalGroupId, "a@example.com"),
    (Kind::ExternalGroupId, "g@example.org"),
];

/// The places of whom it gives, and whether it gives what names nobody.
fn given_of(limits: Value) -> (Vec<usize>, bool) {
    let object = object(limits);
    let with = |ues: &[UeId<'_>]| judged(object.clone(), "3gpp-nidd", (&[], &[]), ues).is_ok();
    let named = EVERYBODY
        .iter()
        .enumerate()
        .filter(|(_, (kind, text))| with(&[UeId::read(*kind, text, None).unwrap()]));
    (named.map(|(place, _)| place).collect(), with(&[]))
}

//= RFC 9396 section 9 type=test
//# A limit is enforced: each list is one of its own.
#[test]
fn lists_of_whom_give_those_that_all_of_them_give() {
    for (limits, expected) in [
        (json!({"ueIds": ["a@EXAMPLE.com"]}), &[0][..]),
        (json!({"ueIds": ["extid-a@example.com"]}), &[0]),
        (json!({"ueIds": ["491512345678"]}), &[3]),
        (
            json!({"ueIds": ["msisdn-491512345678", "a@example.org"]}),
            &[2, 3],
        ),
        (json!({"ueIds": ["A@example.com"]}), &[]),
        (json!({"domains": ["Example.COM"]}), &[0, 1]),
        (json!({"domains": ["com"]}), &[]),
        (json!({"extGroupIds": ["a@example.com"]}), &[4]),
        (
            json!({"ueIds": ["a@example.com", "a@example.org"], "domains": ["example.com"]}),
            &[0],
        ),
        (
            json!({"ueIds": ["491512345678"], "domains": ["example.com"]}),
            &[],
        ),
        (
            json!({"ueIds": ["b@example.com"], "extGroupIds": ["g@example.org"]}),
            &[1, 5],
        ),
        (
            json!({"extGroupIds": ["a@example.com", "g@example.org"], "domains": ["example.org"]}),
            &[5],
        ),
        (
            json!({"ueIds": ["*@example.com", "any", "imsi-001010000000001"]}),
            &[],
        ),
        (json!({"extGroupIds": ["any"]}), &[]),
    ] {
        assert_eq!(
            given_of(limits.clone()),
            (expected.to_vec(), false),
            "{limits}"
        );
    }
    // Limits of something else are none of whom.
    let ports = object(json!({"ports": [7]}));
    let group = [UeId::read(Kind::ExternalGroupId, "g@example.com", None).unwrap()];
    assert_eq!(
        judged(ports.clone(), "3gpp-nidd", (&[], &[7]), &group),
        Ok(())
    );
    assert_eq!(judged(ports, "3gpp-nidd", (&[], &[7]), &[]), Ok(()));
}

//= RFC 9396 section 9 type=test
//# What is limited to event types or ports gives those, and nothing without any.
#[test]
fn event_types_and_ports_limit_what_has_them_and_give_nothing_else() {
    let with = |limits, api, kinds, ports| judged(object(limits), api, (kinds, ports), &[]);
    let kinds = || json!({"monitoringTypes": ["UE_REACHABILITY", "LOCATION_REPORTING"]});
    let event = "3gpp-monitoring-event";
    assert_eq!(with(kinds(), event, &["LOCATION_REPORTING"], &[]), Ok(()));
    let both = &["LOCATION_REPORTING", "UE_REACHABILITY"];
    assert_eq!(with(kinds(), event, both, &[]), Ok(()));
    let refused = Err(NotGranted::Selector);
    assert_eq!(
        with(kinds(), event, &["LOSS_OF_CONNECTIVITY"], &[]),
        refused
    );
    assert_eq!(with(kinds(), event, &[], &[]), refused);
    assert_eq!(with(kinds(), "3gpp-nidd", &[], &[7]), refused);
    let ports = || json!({"ports": [9, 7]});
    assert_eq!(with(ports(), "3gpp-nidd", &[], &[7, 9]), Ok(()));
    assert_eq!(with(ports(), "3gpp-nidd", &[], &[7, 8]), refused);
    assert_eq!(with(ports(), event, &["LOCATION_REPORTING"], &[]), refused);
}

#[test]
fn objects_give_together_what_each_does() {
    let two = json!([
        object(json!({"ueIds": ["a@example.com"], "monitoringTypes": ["A"]})),
        object(json!({"ueIds": ["b@example.com"], "monitoringTypes": ["B"]})),
    ]);
    let limited = limited_of(two).unwrap();
    let token = Gives {
        rights: Rights::NONE,
        limited: Some(&limited),
    };
    let with = |kind, ue| {
        let ues = [UeId::read(Kind::ExternalId, ue, None).unwrap()];
        let asked = Asked {
            api: ApiId::from_name("3gpp-monitoring-event").unwrap(),
            verb: Verb::Get,
            resource: "/{scsAsId}/subscriptions",
            monitoring_types: &[kind],
            ports: &[],
            ues: &ues,
        };
        decide(None, token, None, &asked).is_ok()
    };
    assert!(with("A", "a@example.com") && with("B", "b@example.com"));
    assert!(!with("B", "a@example.com") && !with("A", "b@example.com"));
    assert_eq!(format!("{limited:?}"), "LimitedRights(2)");
}

/// An object without limits beside one with some: the one gives all that the other does.
#[test]
fn what_is_given_with_anything_needs_no_limits() {
    let two = json!([
        {"type": TYPE, "apis": ["3gpp-nidd"]},
        object(json!({"ueIds": ["a@example.com"]})),
    ]);
    let claim = json::value(two.to_string().as_bytes()).ok().unwrap();
    let (rights, limited) = super::super::given(&claim, Rights::NONE).unwrap();
    let nidd = ApiId::from_name("3gpp-nidd").unwrap();
    assert!(rights.allow(nidd, Verb::Post));
    let gives = Gives {
        rights,
        limited: limited.as_deref(),
    };
    let event = ApiId::from_name("3gpp-monitoring-event").unwrap();
    assert!(!rights.allow(event, Verb::Post) && gives.at_most().allow(event, Verb::Post));
}

#[test]
fn what_no_object_is_for_is_refused_as_that() {
    let one = UeId::read(Kind::ExternalId, "a@example.com", None).unwrap();
    let limited = || object(json!({"ueIds": ["a@example.com"]}));
    let of = |api| judged(limited(), api, (&[], &[]), std::slice::from_ref(&one));
    assert!(of("3gpp-nidd") == Ok(()));
    assert!(of("3gpp-device-triggering") == Err(NotGranted::Service));
}

/// A token says so alone, whatever the operator's policy is.
#[test]
fn single_operation_is_given_and_not_the_half_that_it_is_of() {
    let with = |operations: Value| {
        let object = object(json!({"operations": operations}));
        judged(object, "3gpp-monitoring-event", (&[], &[]), &[])
    };
    let one = "/{scsAsId}/subscriptions/{subscriptionId}";
    let others = json!(["read", format!("DELETE {one}"), format!("PUT {one}")]);
    assert_eq!(with(others), Err(NotGranted::Operation));
    assert_eq!(with(json!(["POST /{scsAsId}/subscriptions"])), Ok(()));
    let most = limited_of(json!([object(
        json!({"operations": [format!("DELETE {one}")]})
    )]));
    let write = scope::rights("3gpp-monitoring-event:write 3gpp-nidd:write").unwrap();
    assert_eq!(most.map(|limited| limited.at_most()), Some(write));
}
