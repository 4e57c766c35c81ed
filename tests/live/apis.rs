//! What is not in the table of APIs, refused before any of its body is read.

use std::time::Duration;

use serde_json::Value;

use crate::authorization::assert_problem;
use crate::harness::client::{Response, head, request};
use crate::harness::gateway::t8gate;
use crate::harness::mint::with;
use crate::harness::stage::{House, PATH, RESOURCE, Stage};
use crate::harness::{Scratch, WAIT, command, run, run_well, tool, wait_until};
use crate::reload::{ON_SIGNAL, reload};

fn house() -> House {
    House::open_with(|config| {
        config.set_text("admin.address", "127.0.0.1:0");
        config.set("apis.serve", "[\"t8\", \"nef\"]");
    })
}

/// A house, and a token for these APIs.
fn house_for(scope: &str) -> (House, String) {
    let house = house();
    let claims = with(house.stage.claims(), "scope", scope);
    let token = house.stage.mint.good(&claims);
    (house, token)
}

/// Asks with a body that is announced and never sent: the answer comes all the same, and the SCEF
/// hears of nothing.
fn refused_unread(house: &House, head: &str, status: u16, cause: &str) -> Response {
    let response = house.client().ask(head);
    assert_problem(&response, status);
    let problem: Value = serde_json::from_slice(&response.body).expect("a JSON document");
    assert_eq!(problem["cause"], cause, "{head}");
    let metrics = house.gateway.admin().metrics();
    let reason = cause.to_lowercase();
    let counted = metrics.sum("t8gate_requests_refused_total", &[("reason", &reason)]);
    assert!(counted >= 1.0, "{reason} is not counted");
    assert_eq!(house.origin.requests(), 0, "{head}");
    response
}

const LATER: &str = "Content-Length: 100\r\n";

#[test]
fn what_is_no_api_or_no_resource_is_404() {
    let house = house();
    for path in [
        "/3gpp-no-such-api/v1/acme/subscriptions",
        "/3gpp-monitoring-event/v2/acme/subscriptions",
        "/3gpp-monitoring-event/v1/acme/transactions",
        // The AF and the SCS/AS serve these.
        "/3gpp-mo-lcs-notify/v1/acme",
        "/3gpp-msisdn-less-mo-sms/v1/acme/x",
    ] {
        let asked = head("POST", path, &house.token(), LATER);
        refused_unread(&house, &asked, 404, "API_UNKNOWN");
    }
}

//= RFC 9110 section 15.5.6 type=test
//# Also where a body is under way.
#[test]
fn a_method_that_the_resource_does_not_have_is_405() {
    let house = house();
    for (method, path, allow) in [
        ("PUT", PATH, "GET, HEAD, POST"),
        ("POST", RESOURCE, "GET, HEAD, PUT, PATCH, DELETE"),
        ("OPTIONS", PATH, "GET, HEAD, POST"),
        ("GET", "/3gpp-ueid/v1/retrieve", "POST"),
        (
            "PATCH",
            "/3gpp-musa/v1/acme/subscriptions/1",
            "GET, HEAD, PUT, DELETE",
        ),
    ] {
        let asked = head(method, path, &house.token(), LATER);
        let response = refused_unread(&house, &asked, 405, "METHOD_NOT_ALLOWED");
        assert_eq!(response.field("allow"), Some(allow), "{method} {path}");
    }
}

//= RFC 9110 section 15.5.16 type=test
//# The answer names the media type that would have been taken.
//= RFC 5789 section 2.2 type=test
//# That of a PATCH does so by Accept-Patch.
#[test]
fn a_body_of_another_media_type_is_415() {
    let (house, token) = house_for("3gpp-monitoring-event 3gpp-bdt 3gpp-asti");
    let bdt = "/3gpp-bdt/v1/acme/subscriptions/1";
    let retrieve = "/3gpp-asti/v1/acme/configurations/retrieve";
    for (method, path, sent, field, wanted) in [
        ("POST", PATH, "text/plain", "accept", "application/json"),
        (
            "POST",
            PATH,
            "application/json; charset=utf-16",
            "accept",
            "application/json",
        ),
        (
            "PUT",
            RESOURCE,
            "application/merge-patch+json",
            "accept",
            "application/json",
        ),
        (
            "PATCH",
            RESOURCE,
            "application/json",
            "accept-patch",
            "application/json-patch+json",
        ),
        (
            "PATCH",
            bdt,
            "application/json",
            "accept-patch",
            "application/merge-patch+json",
        ),
        (
            "POST",
            retrieve,
            "application/xml",
            "accept",
            "application/json",
        ),
    ] {
        let fields = format!("Content-Type: {sent}\r\n{LATER}");
        let asked = head(method, path, &token, &fields);
        let response = refused_unread(&house, &asked, 415, "MEDIA_TYPE_UNSUPPORTED");
        let other = if field == "accept" {
            "accept-patch"
        } else {
            "accept"
        };
        assert_eq!(
            response.field(field),
            Some(wanted),
            "{method} {path} {sent}"
        );
        assert_eq!(response.field(other), None, "{method} {path} {sent}");
    }
    let fields = "Content-Type: Application/JSON; charset=\"UTF-8\"\r\n";
    let taken = request("POST", PATH, &token, fields, b"{}");
    assert_eq!(house.client().ask(taken).status, 200);
    assert_eq!(house.origin.requests(), 1);
}

//= RFC 9110 section 12.5.1 type=test
//# Who excludes what there is to answer with is refused, and who does not is served.
#[test]
fn who_takes_no_json_is_406() {
    let house = house();
    let token = house.token();
    for accept in [
        "text/html",
        "application/json;q=0, */*;q=0",
        "application/*;q=0.0, text/*",
    ] {
        let fields = format!("Accept: {accept}\r\n{LATER}");
        let asked = head("POST", PATH, &token, &fields);
        refused_unread(&house, &asked, 406, "NOT_ACCEPTABLE");
        // HEAD as GET, without the document.
        let mut client = house.client();
        let bare = head("HEAD", PATH, &token, &format!("Accept: {accept}\r\n"));
        client.send(bare).expect("a connection");
        let response = client.read_answer(true).expect("an answer");
        assert_eq!((response.status, response.body.len()), (406, 0));
    }
    let mut client = house.client();
    for (served, accept) in ["*/*", "application/json", "application/*;q=0.1, text/html"]
        .into_iter()
        .enumerate()
    {
        let asked = head("GET", PATH, &token, &format!("Accept: {accept}\r\n"));
        assert_eq!(client.ask(asked).status, 200, "{accept}");
        assert_eq!(house.origin.requests(), served + 1);
    }
}

#[test]
fn a_body_that_is_missing_is_411_or_400() {
    let house = house();
    let token = house.token();
    for (method, path) in [("POST", PATH), ("PUT", RESOURCE), ("PATCH", RESOURCE)] {
        let unsaid = head(method, path, &token, "");
        refused_unread(&house, &unsaid, 411, "LENGTH_MISSING");
        let empty = head(method, path, &token, "Content-Length: 0\r\n");
        refused_unread(&house, &empty, 400, "BODY_MISSING");
    }
    // Neither costs the connection.
    let mut client = house.client();
    assert_eq!(client.ask(head("POST", PATH, &token, "")).status, 411);
    assert_eq!(client.get(PATH, &token).status, 200);
}

/// Who may not ask at all is told that, and not what the operation takes.
#[test]
fn what_a_body_is_in_is_asked_after_the_token() {
    let house = house();
    let fields = "Content-Type: text/plain\r\nContent-Length: 0\r\nAccept: text/plain\r\n";
    let asked = head("POST", PATH, "bad", fields);
    assert_eq!(house.client().ask(asked).status, 401);
    let foreign = "/3gpp-monitoring-event/v1/globex/subscriptions";
    let asked = head("POST", foreign, "bad", fields);
    assert_eq!(house.client().ask(asked).status, 403);
}

#[test]
fn a_refused_client_that_waits_to_send_its_body_is_not_asked_for_it() {
    let house = house();
    let fields = "Content-Type: text/plain\r\nContent-Length: 9\r\nExpect: 100-continue\r\n";
    let mut client = house.client();
    let response = client.ask(head("POST", PATH, &house.token(), fields));
    assert_problem(&response, 415);
    assert!(client.closed_within(Duration::from_secs(5)));
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn apis_of_a_nef_are_served_like_those_of_t8() {
    let (house, token) = house_for("3gpp-traffic-influence 3gpp-ueid");
    let mut client = house.client();
    let influence = "/3gpp-traffic-influence/v1/acme/subscriptions";
    assert_eq!(client.get(influence, &token).status, 200);
    let foreign = "/3gpp-traffic-influence/v1/globex/subscriptions";
    assert_problem(&client.get(foreign, &token), 403);
    let retrieve = request("POST", "/3gpp-ueid/v1/retrieve", &token, "", b"{}");
    assert_eq!(client.ask(retrieve).status, 200);
    let outside = "/3gpp-time-sync/v1/acme/subscriptions";
    assert_problem(&client.get(outside, &token), 403);
    assert_eq!(house.origin.requests(), 2);
}

#[test]
fn apis_of_a_nef_are_404_where_the_operator_has_not_said_that_they_are_served() {
    let mut house = House::open_with(|config| {
        config.set_text("admin.address", "127.0.0.1:0");
        config.set("reload.watch", ON_SIGNAL);
    });
    let claims = with(house.stage.claims(), "scope", "3gpp-ueid 3gpp-nidd");
    let token = house.stage.mint.good(&claims);
    let (ueid, nidd) = (
        "/3gpp-ueid/v1/retrieve",
        "/3gpp-nidd/v1/acme/configurations",
    );
    let asked = head("POST", ueid, &token, LATER);
    refused_unread(&house, &asked, 404, "API_UNKNOWN");
    let mut client = house.client();
    assert_eq!(client.get(nidd, &token).status, 200);
    house.rewrite(|config| {
        config.set("apis.serve", "[\"3gpp-ueid\"]");
    });
    reload(&house);
    // On the connection that was there before.
    assert_problem(&client.get(nidd, &token), 404);
    let retrieve = request("POST", ueid, &token, "", b"{}");
    assert_eq!(client.ask(retrieve).status, 200);
}

/// An API that the configuration adds, below its head.
const OWN: &str = r#"name = "acme-device-status"
title = "Device status"
versions = ["v1", "v2"]
[[api.resource]]
path = "/{scsAsId}/devices/{deviceId}"
[[api.resource.operation]]
method = "GET"
response = ["msisdn /msisdn"]
[[api.resource.operation]]
method = "PATCH"
request = ["msisdn /msisdn"]
"#;

#[test]
fn an_api_of_the_operators_own_is_served_from_the_next_reload_to_another() {
    let mut audit = None;
    let mut house = House::open_staged(|stage| {
        audit = Some(stage.watch());
        stage.config.set("reload.watch", ON_SIGNAL);
    });
    let scope = "3gpp-nidd acme-device-status";
    let claims = with(house.stage.claims(), "scope", scope);
    let token = house.stage.mint.good(&claims);
    let mut client = house.client();
    let device = "/acme-device-status/v2/acme/devices/7";
    // Remembered with what it gives, before its other API is known.
    let nidd = "/3gpp-nidd/v1/acme/configurations";
    assert_eq!(client.get(nidd, &token).status, 200);
    assert_problem(&client.get(device, &token), 404);
    house.rewrite(|config| {
        config.table("api", OWN);
    });
    reload(&house);
    assert_eq!(client.get(device, &token).status, 200);
    let foreign = "/acme-device-status/v2/globex/devices/7";
    assert_problem(&client.get(foreign, &token), 403);
    let bare = with(house.stage.claims(), "scope", "3gpp-nidd");
    let bare = house.stage.mint.good(&bare);
    assert_problem(&client.get(device, &bare), 403);
    assert_problem(
        &client.get("/acme-device-status/v3/acme/devices/7", &token),
        404,
    );
    let posted = client.ask(head("POST", device, &token, LATER));
    assert_eq!(posted.status, 405);
    assert_eq!(posted.field("allow"), Some("GET, HEAD, PATCH"));
    let mut client = house.client();
    let fields = "Content-Type: application/json\r\n";
    let patched = client.ask(request("PATCH", device, &token, fields, b"{}"));
    assert_problem(&patched, 415);
    let merge = Some("application/merge-patch+json");
    assert_eq!(patched.field("accept-patch"), merge);
    let audit = audit.expect("a file");
    wait_until("the record of a request of that API", || {
        let text = std::fs::read_to_string(&audit).expect("our own file");
        text.contains(r#""api":"acme-device-status""#)
            && text.contains(r#""resource":"/{scsAsId}/devices/{deviceId}""#)
    });
    house.rewrite(|config| {
        config.without_tables("api");
    });
    reload(&house);
    let mut client = house.client();
    assert_problem(&client.get(device, &token), 404);
}

/// A part of an OpenAPI file: one resource with a POST, whose body has these members.
fn openapi(server: &str, path: &str, media: &str, members: &str) -> String {
    format!(
        "servers:\n  - url: '{{apiRoot}}/{server}/v1'\n\
         paths:\n  {path}:\n    post:\n      \
         requestBody:\n        required: true\n        content:\n          {media}:\n            \
         schema:\n              type: object\n              properties: {members}\n      \
         responses: {{'201': {{description: x, headers: {{Location: {{}}}}}}}}\n"
    )
}

/// `make test-spec` needs 3GPP's files; that it would find what differs is shown without them.
#[test]
fn the_comparison_with_openapi_files_finds_what_differs() {
    let folder = Scratch::new();
    for sub in ["rel17", "nef", "refs"] {
        std::fs::create_dir(folder.path().join(sub)).expect("a directory");
    }
    let bdt = |members: &str| {
        let path = "/{scsAsId}/subscriptions";
        openapi("3gpp-bdt", path, "application/json", members)
    };
    let group = "externalGroupId: {type: string}";
    let new = bdt(&format!("{{msisdn: {{type: string}}, {group}}}"));
    folder.write("TS29122_ResourceManagementOfBdt.yaml", new);
    let old = bdt(&format!("{{thatUri: {{type: string}}, {group}}}"));
    folder.write("rel17/TS29122_ResourceManagementOfBdt.yaml", old);
    let ue_id = openapi(
        "3gpp-ueid",
        "/retrieve",
        "text/plain",
        "{ipDomain: {type: string}}",
    );
    folder.write("nef/TS29522_UEId.yaml", ue_id);
    let outcome = run(
        command(tool("spec/bin/python"))
            .arg("tests/spec/apis.py")
            .arg(folder.path())
            .arg(env!("CARGO_BIN_EXE_t8gate"))
            .current_dir(env!("CARGO_MANIFEST_DIR")),
        b"",
        WAIT,
    );
    assert_eq!(outcome.status.code(), Some(1), "{}", outcome.stderr);
    let found: Vec<&str> = outcome.stdout.lines().collect();
    let post = "ResourceManagementOfBdt POST /{scsAsId}/subscriptions";
    for line in [
        format!("{post} request: has /msisdn (something suspicious) in Rel-18"),
        format!("{post} request: has /thatUri (something suspicious) in Rel-17"),
        format!("{post} request: /self (self_link) is in no file"),
        format!("{post}: does not call /notificationDestination in Rel-18"),
        "ResourceManagementOfBdt GET /{scsAsId}/subscriptions: is in the table and in no file"
            .to_owned(),
        "UEId POST /retrieve: takes ['text/plain'] in Rel-18, application/json in the table"
            .to_owned(),
        "UEId POST /retrieve: creates: True in Rel-18, not so in the table".to_owned(),
        "UEId POST /retrieve request: /ueMacAddr (mac) is in no file".to_owned(),
    ] {
        assert!(
            found.contains(&line.as_str()),
            "no line {line:?} in {found:#?}"
        );
    }
    let agreed = format!("{post} request: /externalGroupId");
    let told = found.iter().any(|line| line.starts_with(&agreed));
    assert!(!told, "{found:#?}");
}

#[test]
fn the_table_is_printed_for_people_and_for_programs() {
    let text = run_well(&mut t8gate(&["apis"]));
    for line in [
        "3gpp-monitoring-event (MonitoringEvent)",
        "  /{scsAsId}/subscriptions/{subscriptionId}",
        "3gpp-ueid (UEId)",
    ] {
        assert!(
            text.lines().any(|own| own == line),
            "no line {line:?} in\n{text}"
        );
    }
    assert!(
        text.contains("PATCH   application/json-patch+json"),
        "{text}"
    );
    let json: Value =
        serde_json::from_str(&run_well(&mut t8gate(&["apis", "--json"]))).expect("a JSON document");
    let apis = json["apis"].as_array().expect("a list of APIs");
    assert_eq!(apis.len(), 45);
    let post = &apis[0]["resources"][0]["operations"][1];
    assert_eq!(post["method"], "POST");
    assert_eq!(post["media_type"], "application/json");
    assert_eq!(post["creates"], true);
    let request = post["request"].as_array().expect("places");
    let external = serde_json::json!({
        "pointer": "/externalId", "kind": "external_id", "role": "subscriber", "stands": "with",
    });
    assert!(request.contains(&external), "{request:?}");
    // How they go together.
    let stands = |api: &str, pointer: &str| {
        let api = apis.iter().find(|one| one["name"] == api).expect(api);
        let post = &api["resources"][0]["operations"][1];
        let places = post["request"].as_array().expect("places").iter();
        let mut found = places.filter(|place| place["pointer"] == pointer);
        found.next().expect(pointer)["stands"].clone()
    };
    let (event, qos) = ("3gpp-monitoring-event", "3gpp-as-session-with-qos");
    assert_eq!(stands(event, "/addedExternalIds/*"), "beside");
    assert_eq!(stands(qos, "/listUeAddrs/*/ueIpAddr/ipv4Addr"), "alone");
    assert_eq!(stands(qos, "/gpsi"), "with");
    assert_eq!(stands(event, "/monitoringType"), Value::Null, "of no UE");
    let line_of = |api: &str| {
        let of_api = text.split("\n\n").find(|text| text.starts_with(api));
        let mut lines = of_api.expect(api).lines();
        lines.find(|line| line.contains("POST")).expect("a POST")
    };
    let ends = |api: &str, end: &str| assert!(line_of(api).contains(end), "{}", line_of(api));
    ends(event, "; beside: external_id msisdn");
    ends(qos, "; alone: ");
    assert!(text.contains("\"alone:\" there may be several"), "{text}");
    assert_eq!(post["notifications"][0]["to"], "/notificationDestination");
}

#[test]
fn what_a_configuration_serves_is_printed_and_what_is_wrong_with_it_is_said_with_its_line() {
    let mut stage = Stage::new("127.0.0.1:1".parse().expect("an address"));
    stage.config.set("apis.serve", "[\"3gpp-ueid\"]");
    stage.config.table("api", OWN);
    stage.config.set_text("listen.address", "127.0.0.1:2");
    let file = stage.scratch.write("t8gate.toml", stage.config.render());
    let file = file.to_str().expect("a name");
    let text = run_well(&mut t8gate(&["apis", "--config", file]));
    let heads: Vec<&str> = text.lines().filter(|line| line.ends_with(')')).collect();
    assert_eq!(
        heads,
        [
            "3gpp-ueid (UEId)",
            "acme-device-status (Device status; v1, v2)"
        ]
    );
    assert!(
        text.contains("PATCH   application/merge-patch+json msisdn"),
        "{text}"
    );
    let json = run_well(&mut t8gate(&["apis", "--json", "--config", file]));
    let json: Value = serde_json::from_str(&json).expect("a JSON document");
    assert_eq!(json["apis"][1]["versions"], serde_json::json!(["v1", "v2"]));
    let response = &json["apis"][1]["resources"][0]["operations"][0]["response"];
    assert_eq!(response[0]["kind"], "msisdn");
    let table = run(&mut t8gate(&["check", "--config", file]), b"", WAIT).stdout;
    let row = "0 of T8, 1 of a NEF, and acme-device-status";
    assert!(table.contains(row), "{table}");
    let wrong = stage
        .config
        .render()
        .replace("msisdn /msisdn", "imsi /imsi");
    std::fs::write(file, &wrong).expect("our own file");
    let outcome = run(&mut t8gate(&["apis", "--config", file]), b"", WAIT);
    assert_eq!(outcome.status.code(), Some(1), "{}", outcome.stdout);
    let line = wrong
        .lines()
        .position(|line| line.contains("imsi"))
        .expect("it")
        + 1;
    let place = format!("{file}:{line}");
    assert!(
        outcome.stderr.contains(&place),
        "{place}: {}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("is no kind of a value"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.stdout, "");
}

#[test]
fn a_reader_of_the_table_that_goes_before_its_end_is_no_fault() {
    let gateway = env!("CARGO_BIN_EXE_t8gate");
    for form in ["", " --json"] {
        let script = format!("set -o pipefail; {gateway} apis{form} | head -1");
        let outcome = run(command("bash").args(["-c", &script]), b"", WAIT);
        assert!(outcome.status.success(), "{form}: {}", outcome.stderr);
        assert_eq!(outcome.stderr, "", "{form}");
        assert_eq!(outcome.stdout.lines().count(), 1, "{form}");
    }
}
