use std::borrow::Cow;

use super::*;
use crate::authz::apis::{self, Action, ApiId, Verb};
use crate::authz::content::IdentityFault;
use crate::authz::ue::{self, UeId};

mod brought;

const SUBSCRIPTION: &str = "/3gpp-monitoring-event/v1/as/subscriptions/1";
const ALLOCATION: &str = "/3gpp-group-message-delivery-mb2/v1/as/tmgi-allocation/1";
const TRIGGER: &str = "/3gpp-device-triggering/v1/as/transactions/1";
const LAN: &str = "/3gpp-5glan-pp/v1/af/subscriptions/1";

fn action(path: &str, verb: Verb) -> &'static Action {
    apis::operation(path, Some(verb), Cow::Borrowed)
        .unwrap()
        .action
}

/// By what the table says of the resource.
fn patch_of(path: &str, old: &str, patch: &str) -> Result<Vec<Content<'static>>, Fault> {
    let takes = action(path, Verb::Patch).takes.unwrap();
    let shape = action(path, Verb::Get).gives;
    patched(&takes, patch.as_bytes(), old.as_bytes(), shape)
}

fn fault(path: &str, old: &str, patch: &str) -> Option<Fault> {
    patch_of(path, old, patch).err()
}

/// What each result names, and whether it may be about any UE.
fn assert_named(path: &str, old: &str, patch: &str, ues: &[UeId<'_>], is_any_ue: bool) {
    let results = patch_of(path, old, patch).unwrap();
    assert!(!results.is_empty());
    for content in results {
        let about = content.about().unwrap();
        let all =
            |some: &[UeId<'_>], others: &[UeId<'_>]| some.iter().all(|ue| others.contains(ue));
        let is_alike = all(about.ues(), ues) && all(ues, about.ues());
        assert!(is_alike, "{old} {patch}: {}", about.ues().len());
        assert_eq!(about.is_any_ue(), is_any_ue, "{old} {patch}");
    }
}

fn msisdn(text: &str) -> UeId<'_> {
    UeId::read(ue::Kind::Msisdn, text, None).unwrap()
}

fn external(text: &str) -> UeId<'_> {
    UeId::read(ue::Kind::ExternalId, text, None).unwrap()
}

fn group(text: &str) -> UeId<'_> {
    UeId::read(ue::Kind::ExternalGroupId, text, None).unwrap()
}

const A: &str = "999010000000001";
const B: &str = "999010000000002";
const OLD: &str = r#"{"msisdn":"999010000000001","monitoringType":"LOCATION_REPORTING"}"#;

// JSON Patch.

/// A JSON Patch of any document, by the operations alone.
fn operate(old: &str, patch: &str) -> Result<String, Fault> {
    let (new, _) = operated(value(old.as_bytes())?, patch.as_bytes(), NOTHING)?;
    Ok(new.to_string())
}

//= RFC 6902 section 5 type=test
//# A patch of which one operation fails is refused.
#[test]
fn operations_do_what_their_specification_says() {
    for (old, patch, expected) in [
        (
            r#"{"a":1}"#,
            r#"[{"op":"add","path":"/b","value":2}]"#,
            r#"{"a":1,"b":2}"#,
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"add","path":"/a","value":2}]"#,
            r#"{"a":2}"#,
        ),
        (
            r#"[1,3]"#,
            r#"[{"op":"add","path":"/1","value":2}]"#,
            "[1,2,3]",
        ),
        (r#"[1]"#, r#"[{"op":"add","path":"/1","value":2}]"#, "[1,2]"),
        (r#"[1]"#, r#"[{"op":"add","path":"/-","value":2}]"#, "[1,2]"),
        (r#"{"a":1}"#, r#"[{"op":"add","path":"","value":[]}]"#, "[]"),
        (
            r#"{"":1}"#,
            r#"[{"op":"replace","path":"/","value":2}]"#,
            r#"{"":2}"#,
        ),
        (r#"{"-":1}"#, r#"[{"op":"remove","path":"/-"}]"#, "{}"),
        (
            r#"{"a/b":1,"m~n":2}"#,
            r#"[{"op":"remove","path":"/a~1b"}]"#,
            r#"{"m~n":2}"#,
        ),
        (
            r#"{"a/b":1,"m~n":2}"#,
            r#"[{"op":"remove","path":"/m~0n"}]"#,
            r#"{"a/b":1}"#,
        ),
        (r#"{"~1":1}"#, r#"[{"op":"remove","path":"/~01"}]"#, "{}"),
        (
            r#"[1,2,3]"#,
            r#"[{"op":"move","from":"/0","path":"/2"}]"#,
            "[2,3,1]",
        ),
        (
            r#"[1,2,3]"#,
            r#"[{"op":"move","from":"/2","path":"/0"}]"#,
            "[3,1,2]",
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"move","from":"/a","path":"/b"}]"#,
            r#"{"b":1}"#,
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"move","from":"/a","path":"/a"}]"#,
            r#"{"a":1}"#,
        ),
        (
            r#"{"a":[1]}"#,
            r#"[{"op":"copy","from":"/a/0","path":"/a/-"}]"#,
            r#"{"a":[1,1]}"#,
        ),
        (
            r#"{"a":[1]}"#,
            r#"[{"op":"copy","from":"/a","path":"/a/0"}]"#,
            r#"{"a":[[1],1]}"#,
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"test","path":"/a","value":1}]"#,
            r#"{"a":1}"#,
        ),
        (
            r#"{"a":{"b":1,"c":2}}"#,
            r#"[{"op":"test","path":"/a","value":{"c":2,"b":1}}]"#,
            r#"{"a":{"b":1,"c":2}}"#,
        ),
        (
            r#"{"a":null}"#,
            r#"[{"op":"test","path":"/a","value":null}]"#,
            r#"{"a":null}"#,
        ),
        (
            r#"{"a":1}"#,
            r#"[{"op":"add","path":"/b","value":null,"x":{}}]"#,
            r#"{"a":1,"b":null}"#,
        ),
        (r#"{"a":1}"#, "[]", r#"{"a":1}"#),
    ] {
        assert_eq!(
            operate(old, patch).as_deref(),
            Ok(expected),
            "{old} {patch}"
        );
    }
}

#[test]
fn operations_that_fail_fail_the_patch() {
    let old = r#"{"a":1,"l":[1,2],"o":{"p":{}}}"#;
    for patch in [
        r#"[{"op":"remove","path":"/b"}]"#,
        r#"[{"op":"remove","path":""}]"#,
        r#"[{"op":"remove","path":"/l/2"}]"#,
        r#"[{"op":"remove","path":"/l/-"}]"#,
        r#"[{"op":"replace","path":"/b","value":1}]"#,
        r#"[{"op":"replace","path":"/l/-","value":1}]"#,
        r#"[{"op":"replace","path":"/l/2","value":1}]"#,
        r#"[{"op":"add","path":"/l/3","value":1}]"#,
        r#"[{"op":"add","path":"/l/01","value":1}]"#,
        r#"[{"op":"add","path":"/l/+1","value":1}]"#,
        r#"[{"op":"add","path":"/l/-1","value":1}]"#,
        r#"[{"op":"add","path":"/l/1e0","value":1}]"#,
        r#"[{"op":"add","path":"/l/ 1","value":1}]"#,
        r#"[{"op":"add","path":"/l/18446744073709551616","value":1}]"#,
        r#"[{"op":"add","path":"/l/x","value":1}]"#,
        r#"[{"op":"add","path":"/b/c","value":1}]"#,
        r#"[{"op":"add","path":"/a/c","value":1}]"#,
        r#"[{"op":"add","path":"b","value":1}]"#,
        r#"[{"op":"add","path":"/~2","value":1}]"#,
        r#"[{"op":"add","path":"/~","value":1}]"#,
        r#"[{"op":"add","path":"/b"}]"#,
        r#"[{"op":"add","value":1}]"#,
        r#"[{"op":"add","path":1,"value":1}]"#,
        r#"[{"op":"ADD","path":"/b","value":1}]"#,
        r#"[{"op":"merge","path":"/b","value":1}]"#,
        r#"[{"path":"/b","value":1}]"#,
        r#"[{"op":"test","path":"/a","value":2}]"#,
        r#"[{"op":"test","path":"/a","value":"1"}]"#,
        r#"[{"op":"test","path":"/a"}]"#,
        r#"[{"op":"test","path":"/b","value":null}]"#,
        r#"[{"op":"test","path":"/l/-","value":2}]"#,
        r#"[{"op":"move","from":"/o","path":"/o/p/q"}]"#,
        r#"[{"op":"move","from":"","path":"/x"}]"#,
        r#"[{"op":"move","from":"/x","path":"/y"}]"#,
        r#"[{"op":"move","path":"/y"}]"#,
        r#"[{"op":"copy","from":"/l/2","path":"/y"}]"#,
        r#"[{"op":"add","path":"/b","value":1},{"op":"test","path":"/b","value":2}]"#,
    ] {
        assert_eq!(operate(old, patch), Err(Fault::Patch), "{patch}");
    }
}

#[test]
fn a_json_patch_is_read_as_strictly_as_a_body() {
    for (patch, expected) in [
        ("", Fault::Malformed),
        ("[{]", Fault::Malformed),
        ("[] []", Fault::Malformed),
        ("{}", Fault::WrongType),
        ("null", Fault::Malformed),
        ("[1]", Fault::WrongType),
        ("[null]", Fault::Patch),
        (r#"{"op":"remove","path":"/a"}"#, Fault::WrongType),
        (
            r#"[{"op":"remove","path":"/a","path":"/b"}]"#,
            Fault::DuplicateMember,
        ),
        (
            r#"[{"op":"remove","path":"/a","p\u0061th":"/b"}]"#,
            Fault::DuplicateMember,
        ),
        (
            r#"[{"op":"remove","path":"/a","Path":"/b"}]"#,
            Fault::Lookalike,
        ),
        (
            r#"[{"op":"add","path":"/a","value":{"b":1,"b":2}}]"#,
            Fault::DuplicateMember,
        ),
        (
            r#"[{"op":"add","path":"/a","value":{"$serde_json::private::RawValue":"2"}}]"#,
            Fault::Reserved,
        ),
    ] {
        assert_eq!(operate(r#"{"a":1,"b":2}"#, patch), Err(expected), "{patch}");
    }
}

#[test]
fn the_result_of_a_json_patch_is_what_is_judged() {
    let both = r#"[{"op":"replace","path":"/msisdn","value":"999010000000002"}]"#;
    assert_named(SUBSCRIPTION, OLD, both, &[msisdn(B)], false);
    let added = r#"[{"op":"add","path":"/addedMsisdns","value":["999010000000002"]}]"#;
    assert_named(SUBSCRIPTION, OLD, added, &[msisdn(A), msisdn(B)], false);
    let old = r#"{"externalGroupId":"g@example.com","addedMsisdns":["999010000000001"]}"#;
    let element = r#"[{"op":"add","path":"/addedMsisdns/-","value":"999010000000002"},
        {"op":"remove","path":"/addedMsisdns/0"}]"#;
    assert_named(
        SUBSCRIPTION,
        old,
        element,
        &[group("g@example.com"), msisdn(B)],
        false,
    );
    let old_groups = r#"{"addExtGroupId":["g@example.com"]}"#;
    let element = r#"[{"op":"add","path":"/addExtGroupId/-","value":"h@example.com"},
        {"op":"remove","path":"/addExtGroupId/0"}]"#;
    // By then it could be the one that is added which is taken away.
    let left = [group("h@example.com")];
    assert_named(SUBSCRIPTION, old_groups, element, &left, true);
    let replaced = r#"[{"op":"replace","path":"/addedMsisdns/0","value":"999010000000002"}]"#;
    assert_named(
        SUBSCRIPTION,
        old,
        replaced,
        &[group("g@example.com"), msisdn(B)],
        false,
    );
    let inner = r#"[{"op":"add","path":"/ueIpAddr","value":{}},
        {"op":"add","path":"/ueIpAddr/ipv4Addr","value":"10.0.0.1"}]"#;
    let address = UeId::read(ue::Kind::Ipv4, "10.0.0.1", None).unwrap();
    assert_named(SUBSCRIPTION, OLD, inner, &[msisdn(A), address], false);
    let whole = r#"[{"op":"add","path":"","value":{"externalId":"b@example.com"}}]"#;
    assert_named(
        SUBSCRIPTION,
        OLD,
        whole,
        &[external("b@example.com")],
        false,
    );
    let other = r#"[{"op":"add","path":"/maximumNumberOfReports","value":2}]"#;
    assert_named(SUBSCRIPTION, OLD, other, &[msisdn(A)], false);
}

#[test]
fn whom_an_operation_brings_is_judged_even_if_another_takes_it_away() {
    let patch = r#"[{"op":"add","path":"/externalId","value":"b@example.com"},
        {"op":"remove","path":"/externalId"}]"#;
    let ues = [msisdn(A), external("b@example.com")];
    // What stood there before is gone as well.
    assert_named(SUBSCRIPTION, OLD, patch, &ues, true);
}

#[test]
fn a_patch_that_takes_identities_away_and_brings_none_is_about_any_ue() {
    let gone = r#"[{"op":"remove","path":"/msisdn"}]"#;
    assert_named(SUBSCRIPTION, OLD, gone, &[], true);
    let two = r#"{"msisdn":"999010000000001","externalId":"b@example.com"}"#;
    assert_named(SUBSCRIPTION, two, gone, &[external("b@example.com")], true);
    let moved = r#"[{"op":"move","from":"/msisdn","path":"/x"}]"#;
    assert_named(SUBSCRIPTION, two, moved, &[external("b@example.com")], true);
    // Of whom is added to a group that says whom it is about.
    let emptied = r#"[{"op":"replace","path":"/addedMsisdns","value":[]}]"#;
    let old = r#"{"externalGroupId":"g@example.com","addedMsisdns":["999010000000001"]}"#;
    assert_named(SUBSCRIPTION, old, emptied, &[group("g@example.com")], false);
    let emptied = r#"[{"op":"replace","path":"/addExtGroupId","value":[]}]"#;
    let groups = r#"{"externalGroupId":"g@example.com","addExtGroupId":["h@example.com"]}"#;
    assert_named(
        SUBSCRIPTION,
        groups,
        emptied,
        &[group("g@example.com")],
        true,
    );
    let copied = r#"[{"op":"copy","from":"/msisdn","path":"/x"}]"#;
    assert_named(SUBSCRIPTION, OLD, copied, &[msisdn(A)], false);
    let element = r#"[{"op":"remove","path":"/addedMsisdns/0"}]"#;
    assert_named(SUBSCRIPTION, old, element, &[group("g@example.com")], false);
    let left = r#"{"addedMsisdns":["999010000000001","999010000000002"]}"#;
    assert_named(SUBSCRIPTION, left, element, &[msisdn(B)], true);
    let left_out = r#"{"msisdn":"999010000000001","excludedMsisdns":["999010000000002"]}"#;
    let no_more = r#"[{"op":"remove","path":"/excludedMsisdns"}]"#;
    assert_named(SUBSCRIPTION, left_out, no_more, &[msisdn(A)], false);
    let changed = r#"[{"op":"remove","path":"/msisdn"},
        {"op":"add","path":"/externalId","value":"b@example.com"}]"#;
    assert_named(
        SUBSCRIPTION,
        OLD,
        changed,
        &[external("b@example.com")],
        false,
    );
}

#[test]
fn whom_a_patch_brings_has_to_be_there_when_it_is_done() {
    let old = r#"{"msisdn":"999010000000001","externalId":"b@example.com",
        "addedMsisdns":["999010000000001"]}"#;
    for (patch, is_any_ue) in [
        // They are brought and taken away again: of two such patches nobody is left.
        (
            r#"[{"op":"remove","path":"/msisdn"},
            {"op":"add","path":"/addExtGroupId","value":["b@example.com"]},
            {"op":"remove","path":"/addExtGroupId"}]"#,
            true,
        ),
        (
            r#"[{"op":"remove","path":"/msisdn"},
            {"op":"add","path":"/ueIpAddr","value":{"ipv4Addr":"10.0.0.1"}},
            {"op":"remove","path":"/ueIpAddr/ipv4Addr"}]"#,
            true,
        ),
        (
            r#"[{"op":"remove","path":"/msisdn"},
            {"op":"add","path":"/addExtGroupId","value":["b@example.com"]},
            {"op":"replace","path":"/addExtGroupId","value":[]}]"#,
            true,
        ),
        (
            r#"[{"op":"remove","path":"/msisdn"},
            {"op":"add","path":"/addedMsisdns/-","value":"999010000000001"},
            {"op":"move","from":"/addedMsisdns/1","path":"/x"}]"#,
            true,
        ),
        // Whom it leaves out it does not put in anybody's place.
        (
            r#"[{"op":"remove","path":"/msisdn"},
            {"op":"add","path":"/excludedExternalIds","value":["b@example.com"]}]"#,
            true,
        ),
        (
            r#"[{"op":"add","path":"/excludedExternalIds","value":[]},
            {"op":"add","path":"/excludedExternalIds/-","value":"b@example.com"},
            {"op":"remove","path":"/msisdn"}]"#,
            true,
        ),
        (
            r#"[{"op":"remove","path":"/addedMsisdns/0"},
            {"op":"add","path":"/addedMsisdns/-","value":"999010000000001"}]"#,
            false,
        ),
        (
            r#"[{"op":"remove","path":"/addedMsisdns/0"},{"op":"remove","path":"/msisdn"},
            {"op":"add","path":"/externalId","value":"b@example.com"}]"#,
            false,
        ),
        // Another member of an object is another place.
        (
            r#"[{"op":"add","path":"/ueIpAddr","value":{"ipv4Addr":"10.0.0.1"}},
            {"op":"add","path":"/ueIpAddr/ipv6Addr","value":"2001:db8::1"},
            {"op":"remove","path":"/ueIpAddr/ipv4Addr"},{"op":"remove","path":"/msisdn"}]"#,
            false,
        ),
    ] {
        let results = patch_of(SUBSCRIPTION, old, patch).unwrap();
        assert_eq!(
            results[0].about().unwrap().is_any_ue(),
            is_any_ue,
            "{patch}"
        );
    }
}

#[test]
fn what_is_judged_comes_by_value_alone() {
    let old = r#"{"msisdn":"999010000000001","x":"999010000000002","y":["b@example.com"],
        "addedMsisdns":["999010000000001"]}"#;
    for (from, path) in [
        ("/x", "/msisdn"),
        ("/x", "/addedMsisdns/-"),
        ("/y", "/addedExternalIds"),
        ("/y", "/ueIpAddr"),
        ("/y", ""),
        ("/x", "/monitoringType"),
        ("/x", "/notificationDestination"),
        ("/addedMsisdns/0", "/msisdn"),
    ] {
        for op in ["move", "copy"] {
            let patch = format!(r#"[{{"op":"{op}","from":"{from}","path":"{path}"}}]"#);
            assert_eq!(
                fault(SUBSCRIPTION, old, &patch),
                Some(Fault::Moved),
                "{patch}"
            );
        }
    }
    let elsewhere = r#"[{"op":"copy","from":"/x","path":"/z"}]"#;
    assert_named(SUBSCRIPTION, old, elsewhere, &[msisdn(A)], false);
}

#[test]
fn what_an_operation_brings_is_read_as_strictly_as_a_body() {
    for (path, value, expected) in [
        ("/msisdn", "null", Fault::WrongType),
        ("/msisdn", "1", Fault::WrongType),
        ("/addedMsisdns", "\"999010000000002\"", Fault::WrongType),
        ("/addedMsisdns", "[1]", Fault::WrongType),
        ("/ueIpAddr", r#"{"IPv4Addr":"10.0.0.1"}"#, Fault::Lookalike),
        ("", r#"{"MSISDN":"999010000000002"}"#, Fault::Lookalike),
        ("/MSISDN", "\"999010000000002\"", Fault::Lookalike),
        (
            "/ueIpAddr",
            r#"{"ipv4Addr":"10.0.0.1","ipv4Addr":"10.0.0.2"}"#,
            Fault::DuplicateMember,
        ),
    ] {
        let patch = format!(r#"[{{"op":"add","path":"{path}","value":{value}}}]"#);
        assert_eq!(fault(SUBSCRIPTION, OLD, &patch), Some(expected), "{patch}");
    }
    let patch = r#"[{"op":"replace","path":"/msisdn","value":"1"}]"#;
    let results = patch_of(SUBSCRIPTION, OLD, patch).unwrap();
    let fault = Fault::Identity(IdentityFault::Msisdn);
    assert_eq!(results[0].about().err(), Some(fault));
}

#[test]
fn a_patch_has_bounds() {
    let many = |count| {
        let one = r#"{"op":"test","path":"","value":{}}"#;
        format!("[{}]", vec![one; count].join(","))
    };
    assert_eq!(operate("{}", &many(OPERATIONS_MAX)).as_deref(), Ok("{}"));
    assert_eq!(
        operate("{}", &many(OPERATIONS_MAX + 1)),
        Err(Fault::TooMany)
    );

    // With its quotation marks.
    let copied = |bytes: usize| {
        let old = format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 2));
        operate(&old, r#"[{"op":"copy","from":"/a","path":"/b"}]"#).map(drop)
    };
    assert_eq!(copied(COPIED_BYTES_MAX), Ok(()));
    assert_eq!(copied(COPIED_BYTES_MAX + 1), Err(Fault::TooMany));
    let doubling: Vec<String> = (0..40)
        .map(|time| format!(r#"{{"op":"copy","from":"/a","path":"/a/b{time}"}}"#))
        .collect();
    let doubled = operate(r#"{"a":{"c":"d"}}"#, &format!("[{}]", doubling.join(",")));
    assert!(matches!(doubled, Err(Fault::TooMany | Fault::TooDeep)));
    let wide: Vec<&str> = vec![r#"{"op":"copy","from":"/a","path":"/l/-"}"#; 200];
    let old = format!(r#"{{"a":"{}","l":[]}}"#, "x".repeat(2000));
    let wide = operate(&old, &format!("[{}]", wide.join(",")));
    assert_eq!(wide, Err(Fault::TooMany));

    // Deeper by one with each: the last goes too deep.
    let deeper = |count: usize| {
        let operations = (0..count).map(|depth| {
            let path = "/a".repeat(depth + 1);
            format!(r#"{{"op":"add","path":"{path}","value":{{}}}}"#)
        });
        format!("[{}]", operations.collect::<Vec<_>>().join(","))
    };
    assert!(operate("{}", &deeper(DEPTH_MAX - 1)).is_ok());
    assert_eq!(operate("{}", &deeper(DEPTH_MAX)), Err(Fault::TooDeep));
    let turns = r#"{"op":"copy","from":"/a","path":"/a/b"}"#;
    let nested = operate(r#"{"a":{}}"#, &format!("[{}]", vec![turns; 40].join(",")));
    assert_eq!(nested, Err(Fault::TooDeep));
}

// Merge patch.

//= RFC 7396 section 2 type=test
//# What is null is taken away, objects are merged, and all else is set.
#[test]
fn merge_patches_do_what_their_specification_says() {
    for (old, patch, expected) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":{"b":"d","c":null}}"#,
            r#"{"a":{"b":"d"}}"#,
        ),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
    ] {
        let value = |text: &str| value(text.as_bytes()).unwrap();
        assert_eq!(
            merged(value(old), &value(patch)),
            value(expected),
            "{old} {patch}"
        );
    }
}

#[test]
fn the_result_of_a_merge_patch_is_what_is_judged() {
    let old = r#"{"externalGroupId":"g@example.com"}"#;
    let other = r#"{"externalGroupId":"h@example.com"}"#;
    assert_named(ALLOCATION, old, other, &[group("h@example.com")], false);
    let area = r#"{"mbmsLocArea":null}"#;
    assert_named(ALLOCATION, old, area, &[group("g@example.com")], false);
    let gone = r#"{"externalGroupId":null}"#;
    assert_named(ALLOCATION, old, gone, &[], true);
    let session = "/3gpp-as-session-with-qos/v1/as/subscriptions/1";
    let old =
        r#"{"ueIpv6Addr":"2001:db8::1","listUeAddrs":[{"ueIpAddr":{"ipv4Addr":"10.0.0.1"}}]}"#;
    let address = |kind, text| UeId::read(kind, text, None).unwrap();
    let v6 = address(ue::Kind::Ipv6, "2001:db8::1");
    assert_named(session, old, r#"{"listUeAddrs":[]}"#, &[v6], true);
    let other = r#"{"listUeAddrs":[{"ueIpAddr":{"ipv4Addr":"10.0.0.2"}}]}"#;
    let ues = [v6, address(ue::Kind::Ipv4, "10.0.0.2")];
    assert_named(session, old, other, &ues, false);
}

#[test]
fn members_that_only_one_of_the_schemas_knows_are_judged_as_well() {
    let old = r#"{"5gLanParams":{"exterGroupId":"g@example.com",
        "gpsis":{"k":"msisdn-999010000000001"}}}"#;
    let g = group("g@example.com");
    let by_patch = r#"{"5gLanParamsPatch":{"gpsis":{"l":"msisdn-999010000000002"}}}"#;
    assert_named(LAN, old, by_patch, &[g, msisdn(A), msisdn(B)], false);
    let by_representation = r#"{"5gLanParams":{"gpsis":{"l":"msisdn-999010000000002"}}}"#;
    assert_named(
        LAN,
        old,
        by_representation,
        &[g, msisdn(A), msisdn(B)],
        false,
    );
    let entry = r#"{"5gLanParamsPatch":{"gpsis":{"k":null}}}"#;
    assert_named(LAN, old, entry, &[g, msisdn(A)], true);
    let other = r#"{"5gLanParamsPatch":{"gpsis":{"k":null,"l":"msisdn-999010000000002"}}}"#;
    assert_named(LAN, old, other, &[g, msisdn(A), msisdn(B)], false);
    let map = r#"{"5gLanParamsPatch":{"gpsis":null}}"#;
    assert_named(LAN, old, map, &[g, msisdn(A)], true);
}

#[test]
fn a_merge_patch_is_read_as_strictly_as_a_body() {
    let old = r#"{"externalGroupId":"g@example.com"}"#;
    for (patch, expected) in [
        ("[]", Fault::WrongType),
        ("null", Fault::WrongType),
        ("1", Fault::WrongType),
        ("", Fault::WrongType),
        ("{", Fault::Malformed),
        (r#"{"externalGroupId":1}"#, Fault::WrongType),
        (
            r#"{"mbmsLocArea":{"$serde_json::private::RawValue":"null"}}"#,
            Fault::Reserved,
        ),
        (r#"{"ExternalGroupId":"h@example.com"}"#, Fault::Lookalike),
        (
            r#"{"externalGroupId":null,"externalGroupId":"h@example.com"}"#,
            Fault::DuplicateMember,
        ),
    ] {
        assert_eq!(fault(ALLOCATION, old, patch), Some(expected), "{patch}");
    }
    let twice = r#"{"externalGroupId":"g@example.com","externalGroupId":"h@example.com"}"#;
    assert_eq!(fault(ALLOCATION, twice, "{}"), Some(Fault::DuplicateMember));
}

// Plain JSON.

//= TS 29.122 clause 5.2.3 type=test
//# What a PATCH by plain JSON names is judged, besides what stays.
#[test]
fn a_partial_body_changes_the_members_that_it_names() {
    let old = r#"{"msisdn":"999010000000001","applicationPortId":7}"#;
    let port = r#"{"applicationPortId":8}"#;
    assert_named(TRIGGER, old, port, &[msisdn(A)], false);
    for content in patch_of(TRIGGER, old, port).unwrap() {
        assert_eq!(content.about().unwrap().ports(), [8]);
    }
    let ue = r#"{"msisdn":"999010000000002"}"#;
    assert_named(TRIGGER, old, ue, &[msisdn(B)], false);
    // An address in another IP domain would be another UE's.
    let moved = r#"{"ipDomain":"north"}"#;
    let session = "/3gpp-as-session-with-qos/v1/as/subscriptions/1";
    let takes = Body {
        media: MediaType::Json,
        shape: action(session, Verb::Get).gives,
    };
    let old_session = br#"{"ueIpv4Addr":"10.0.0.1"}"#;
    let results = patched(&takes, moved.as_bytes(), old_session, takes.shape).unwrap();
    assert!({ results.iter() }.all(|content| content.about().unwrap().is_any_ue()));
    assert_eq!(
        fault(TRIGGER, old, r#"{"msisdn":null}"#),
        Some(Fault::WrongType)
    );
}

#[test]
fn an_object_in_a_partial_body_is_judged_as_a_new_one_and_as_one_merged() {
    let path = "/3gpp-nidd/v1/as/configurations/1/downlink-data-deliveries/1";
    let old = r#"{"msisdn":"999010000000001","rdsPort":{"portUE":1,"portSCEF":2}}"#;
    let results = patch_of(path, old, r#"{"rdsPort":{"portUE":3}}"#).unwrap();
    let ports = results
        .iter()
        .map(|content| content.about().unwrap().ports().to_vec());
    let mut ports: Vec<_> = ports.collect();
    ports.iter_mut().for_each(|ports| ports.sort_unstable());
    ports.sort();
    assert_eq!(ports, [vec![2, 3], vec![3]]);
}

// The table.

#[test]
fn what_is_patched_can_be_got_but_for_one_and_both_schemas_agree() {
    let (mut patches, mut not_got) = (0, Vec::new());
    for api in ApiId::all() {
        for resource in api.row().unwrap().resources {
            let of = |verb| resource.actions.iter().find(|action| action.verb == verb);
            let Some(patch) = of(Verb::Patch) else {
                continue;
            };
            patches += 1;
            let Some(get) = of(Verb::Get) else {
                not_got.push(resource.template);
                continue;
            };
            let gives = get.gives.places();
            for (place, kind) in patch.takes.unwrap().shape.places() {
                let known = gives.iter().find(|(known, _)| *known == place);
                assert!(known.is_none_or(|(_, known)| *known == kind), "{place}");
                let is_around = |(known, _): &(String, _)| {
                    known.starts_with(&format!("{place}/"))
                        || place.starts_with(&format!("{known}/"))
                };
                assert!(
                    !gives.iter().any(is_around),
                    "{} {place}",
                    resource.template
                );
            }
        }
    }
    assert!(patches > 20, "only {patches}");
    // A client that is granted single UEs cannot be let patch these.
    assert_eq!(not_got, ["/mbs-sessions/{mbsSessionRef}"]);
}
