//! Which APIs are served, and those that the operator adds.

use super::*;
use crate::authz::apis::configured::PARAMETERS_MAX;
use crate::authz::apis::shape::{Kind, Shape};
use crate::authz::apis::{ApiId, ApiSet, MediaType, Verb};

/// The small configuration with this behind it, and the number of its first line.
fn with_end(text: &str) -> (String, usize) {
    let whole = format!("{SMALL}{text}");
    (whole, SMALL.lines().count() + 1)
}

/// The whole of an API, in lines that tests change.
const OWN: &str = r#"[[api]]
name = "acme-device-status"
[[api.resource]]
path = "/{scsAsId}/devices"
[[api.resource.operation]]
method = "POST"
request = ["msisdn /msisdn", "callback /notificationDestination"]
[[api.resource.operation.notification]]
to = "/notificationDestination"
body = ["msisdn /msisdn"]
"#;

/// What is wrong where a line of it is another one; the line is counted from 1.
#[track_caller]
fn wrong(line: usize, new: &str, key: &str, what: &str) -> Fault {
    let mut lines: Vec<&str> = OWN.lines().collect();
    lines[line - 1] = new;
    let (text, first) = with_end(&lines.join("\n"));
    refused(&text, first + line - 1, key, what)
}

#[test]
fn apis_of_t8_are_served_where_nothing_is_said() {
    assert_eq!(good(SMALL).apis.apis(), ApiSet::of_t8());
    for (serve, wanted) in [
        ("[\"t8\"]", ApiSet::of_t8()),
        ("[\"nef\"]", ApiSet::of_nef()),
        ("[\"nef\", \"t8\"]", ApiSet::of_nef().union(ApiSet::of_t8())),
        (
            "[\"3gpp-ueid\"]",
            ApiSet::of(ApiId::from_name("3gpp-ueid").unwrap()),
        ),
    ] {
        let (text, _) = with_end(&format!("[apis]\nserve = {serve}\n"));
        assert_eq!(good(&text).apis.apis(), wanted, "{serve}");
    }
}

#[test]
fn what_is_served_is_named_as_it_is_in_uris() {
    let refused = |serve: &str, what: &str| {
        let (text, first) = with_end(&format!("[apis]\nserve = {serve}\n"));
        refused(&text, first + 1, "apis.serve", what)
    };
    refused("[]", "nothing is served");
    refused("[\"t8\", \"t8\"]", "line");
    let fault = refused("[\"3gpp-nid\"]", "names no API of the table");
    assert!(fault.cure.contains("3gpp-nidd"), "{fault:?}");
    refused("[\"NEF\"]", "names no API of the table");
    refused("\"t8\"", "must be a list");
}

#[test]
fn an_api_of_the_operators_own_is_read_whole() {
    let (text, _) = with_end(&OWN.replace(
        "request = [",
        "takes = \"application/json\"\ncreates = true\nresponse = [\"self_link /self\"]\n\
         query = [\"gpsi gpsi\"]\nrequest = [",
    ));
    let config = good(&text);
    let [row] = config.apis.configured() else {
        panic!("one API");
    };
    assert_eq!(
        (row.api.name, row.api.title),
        ("acme-device-status", "acme-device-status")
    );
    assert_eq!(row.versions, ["v1"]);
    assert!(config.apis.has(row.id) && config.apis.apis().contains_all(ApiSet::of_t8()));
    let [resource] = row.api.resources else {
        panic!("one resource");
    };
    assert_eq!(resource.template, "/{scsAsId}/devices");
    let [action] = resource.actions else {
        panic!("one operation");
    };
    let body = action.takes.expect("a body");
    assert_eq!(
        (action.verb, body.media, action.creates),
        (Verb::Post, MediaType::Json, true)
    );
    let place = |shape: Shape, name| shape.member(name).and_then(Shape::kind);
    assert_eq!(place(body.shape, "msisdn"), Some(Kind::Msisdn));
    assert_eq!(place(action.gives, "self"), Some(Kind::SelfLink));
    assert_eq!(action.query[0].name, "gpsi");
    assert_eq!(action.query[0].shape.kind(), Some(Kind::Gpsi));
    assert_eq!(action.calls[0].to, "/notificationDestination");
    assert_eq!(place(action.calls[0].shape, "msisdn"), Some(Kind::Msisdn));
    // Alone, where nothing of the table is.
    let (text, _) = with_end(&format!("[apis]\nserve = []\n{OWN}"));
    assert_eq!(good(&text).apis.apis(), ApiSet::of(row.id));
}

#[test]
fn a_patch_is_a_merge_patch_where_nothing_is_said() {
    let patch = |takes: &str| {
        let (text, _) = with_end(&OWN.replace("\"POST\"", &format!("\"PATCH\"{takes}")));
        let config = good(&text);
        let action = &config.apis.configured()[0].api.resources[0].actions[0];
        action.takes.map(|body| body.media)
    };
    assert_eq!(patch(""), Some(MediaType::MergePatch));
    let json_patch = "\ntakes = \"application/json-patch+json\"";
    assert_eq!(patch(json_patch), Some(MediaType::JsonPatch));
    let json = "\ntakes = \"application/json\"";
    assert_eq!(patch(json), Some(MediaType::Json));
}

#[test]
fn each_fault_of_an_api_is_said_in_its_line() {
    let resource = "api.resource[1]";
    let operation = "api.resource.operation[1]";
    let (nameless, first) = with_end(&OWN.replace("name = \"acme-device-status\"\n", ""));
    refused(&nameless, first, "api[1].name", "is missing");
    for (name, what) in [
        ("3gpp-nidd", "is an API of the table"),
        ("oauth2", "is the gateway's own"),
        (".well-known", "is the gateway's own"),
        ("acme:read", "is no plain segment"),
        ("a/b", "is no plain segment"),
    ] {
        wrong(2, &format!("name = {name:?}"), "api[1].name", what);
    }
    for (path, what) in [
        ("devices", "is no path"),
        ("/{scsAsId}/a/b/c/d/e", "too many segments"),
        ("/devices/{scsAsId}", "not in its first segment"),
    ] {
        wrong(
            4,
            &format!("path = {path:?}"),
            &format!("{resource}.path"),
            what,
        );
    }
    for method in ["post", "HEAD", "OPTIONS"] {
        let key = format!("{operation}.method");
        wrong(6, &format!("method = {method:?}"), &key, "is no method");
    }
    let request = format!("{operation}.request");
    for (request_is, what) in [
        (
            "[\"msisdn\", \"callback /notificationDestination\"]",
            "says one of two things",
        ),
        (
            "[\"imsi /imsi\", \"callback /notificationDestination\"]",
            "is no kind",
        ),
        (
            "[\"msisdn msisdn\", \"callback /notificationDestination\"]",
            "is no JSON pointer",
        ),
        (
            "[\"msisdn /a\", \"gpsi /a\", \"callback /notificationDestination\"]",
            "is named twice",
        ),
    ] {
        wrong(7, &format!("request = {request_is}"), &request, what);
    }
    let to = "api.resource.operation.notification[1].to";
    wrong(9, "to = \"/msisdn\"", to, "is no place");
    let body = "api.resource.operation.notification[1].body";
    wrong(10, "body = [\"msisdn x\"]", body, "is no JSON pointer");
    wrong(
        10,
        "bodies = []",
        "api.resource.operation.notification[1].bodies",
        "no such key",
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    let after = |at: &str, more: &str| OWN.replace(at, &format!("{at}\n{more}"));
    let many = |count: usize| {
        let parameters = (0..count).map(|number| format!("\"gpsi g{number}\""));
        parameters.collect::<Vec<_>>().join(", ")
    };
    let most = format!("query = [{}]", many(PARAMETERS_MAX));
    good(&with_end(&after("\"POST\"", &most)).0);
    for (text, line, key, what) in [
        (
            after("\"POST\"", "takes = \"text/plain\""),
            7,
            "takes",
            "cannot be looked into",
        ),
        (
            after("\"POST\"", "takes = \"application/merge-patch+json\""),
            7,
            "takes",
            "is of a PATCH alone",
        ),
        (
            OWN.replace("\"POST\"", "\"PATCH\"\ncreates = true"),
            7,
            "creates",
            "makes no resource",
        ),
        (
            OWN.replace("\"POST\"", "\"GET\""),
            7,
            "request",
            "is of a body",
        ),
        (
            OWN.replace("\"POST\"", "\"DELETE\"\ntakes = \"application/json\""),
            7,
            "takes",
            "is of a body",
        ),
        (
            after("\"POST\"", "query = [\"gpsi a b\"]"),
            7,
            "query",
            "no name of a parameter",
        ),
        (
            after("\"POST\"", "query = [\"port p\"]"),
            7,
            "query",
            "no kind of a parameter",
        ),
        (
            after("\"POST\"", "query = [\"any_ue a\"]"),
            7,
            "query",
            "no kind of a parameter",
        ),
        (
            after("\"POST\"", "query = [\"callback c\"]"),
            7,
            "query",
            "no kind of a parameter",
        ),
        (
            after(
                "\"POST\"",
                "query = [\"gpsi a\", \"msisdn b\", \"msisdn A\"]",
            ),
            7,
            "query",
            "line",
        ),
        (
            after(
                "\"POST\"",
                &format!("query = [{}]", many(PARAMETERS_MAX + 1)),
            ),
            7,
            "query",
            "has 33 parameters",
        ),
    ] {
        let (text, first) = with_end(&text);
        let key = format!("api.resource.operation[1].{key}");
        refused(&text, first + line - 1, &key, what);
    }
    let (text, first) = with_end(&format!(
        "{OWN}[[api.resource.operation]]\nmethod = \"POST\"\n"
    ));
    refused(
        &text,
        first + 11,
        "api.resource.operation[2].method",
        "line",
    );
    let same = "[[api.resource]]\npath = \"/{other}/devices\"\n\
                [[api.resource.operation]]\nmethod = \"GET\"\n";
    let (text, first) = with_end(&format!("{OWN}{same}"));
    refused(&text, first + 11, "api.resource[2].path", "line");
    let (text, first) = with_end(&format!("{OWN}{OWN}"));
    refused(&text, first + 11, "api[2].name", "line");
    let (text, first) = with_end("[[api]]\nname = \"acme-device-status\"\nversions = []\n");
    let faults = parsed(&text).expect_err("faults");
    let places: Vec<_> = faults
        .iter()
        .map(|fault| (fault.line, &*fault.key))
        .collect();
    assert_eq!(
        places,
        [(first, "api[1].resource"), (first + 2, "api[1].versions")]
    );
}

#[test]
fn scopes_and_services_name_what_is_served() {
    let with_scopes = |scope: &str| {
        let keys = "scs_as_ids = [\"one\"]\n";
        with(
            keys,
            &format!("{keys}[[client.service]]\napi = {scope:?}\nues = [\"any\"]\n"),
        )
    };
    let line = 1 + with_scopes("x")
        .lines()
        .position(|line| line.starts_with("api = "))
        .unwrap();
    let fault = refused(
        &with_scopes("3gpp-ueid"),
        line,
        "client.service[1].api",
        "is not served",
    );
    assert!(fault.cure.contains("apis.serve"), "{fault:?}");
    let nef = format!(
        "{}[apis]\nserve = [\"t8\", \"nef\"]\n",
        with_scopes("3gpp-ueid")
    );
    assert_eq!(good(&nef).policies["scs-1"].services.len(), 1);
    let own = format!("{}{OWN}", with_scopes("acme-device-status"));
    let service = &good(&own).policies["scs-1"].services[0];
    assert_eq!(service.api.name(), "acme-device-status");
    // It may have been there before, and is not now.
    refused(
        &with_scopes("acme-device-status"),
        line,
        "client.service[1].api",
        "names no API",
    );
    let single = own.replace(
        "ues = [\"any\"]",
        "ues = [\"any\"]\noperations = [\"POST /{scsAsId}/devices\"]",
    );
    let single = good(&single).policies["scs-1"].services[0]
        .operations
        .single
        .clone();
    assert_eq!(single, [(Verb::Post, "/{scsAsId}/devices".into())]);
}
