use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// A port that the kernel chooses.
const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

use serde_json::json;

use super::*;

/// A status, the header fields in lower case, and the body.
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn is_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.field("content-type"), Some("application/problem+json"));
        assert_eq!(self.body["status"], status);
        assert!(self.body["cause"].is_string());
    }

    fn params(&self) -> Vec<&str> {
        let params = self.body["invalidParams"]
            .as_array()
            .expect("invalidParams");
        params
            .iter()
            .map(|param| param["param"].as_str().unwrap())
            .collect()
    }
}

const IDENTITY: &str = "X-SCS-AS-Id: meters\r\nClient-Cert: :MA==:\r\n\
    Forwarded: for=\"192.0.2.1:5\";proto=https;host=\"localhost:8443\"\r\n";

fn exchange(scef: &Scef, head: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(scef.address).unwrap();
    let request = format!("{head}Host: scef\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    Answer {
        status: head[9..12].parse().unwrap(),
        head: head
            .lines()
            .map(|line| match line.split_once(':') {
                Some((name, value)) => format!("{}:{value}\n", name.to_lowercase()),
                None => format!("{line}\n"),
            })
            .collect(),
        body: serde_json::from_str(body).unwrap_or(Value::Null),
    }
}

fn ask(scef: &Scef, method: &str, path: &str) -> Answer {
    exchange(scef, &format!("{method} {path} HTTP/1.1\r\n{IDENTITY}"), "")
}

fn send(scef: &Scef, method: &str, path: &str, media_type: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\n{IDENTITY}Content-Type: {media_type}\r\n\
         Content-Length: {}\r\n",
        body.len()
    );
    exchange(scef, &head, &body)
}

const EVENTS: &str = "/3gpp-monitoring-event/v1/meters/subscriptions";
const NIDD: &str = "/3gpp-nidd/v1/meters/configurations";
const TRIGGERS: &str = "/3gpp-device-triggering/v1/meters/transactions";
const JSON: &str = "application/json";

fn event() -> Value {
    json!({
        "externalId": "meter-1@meters.example.com",
        "monitoringType": "UE_REACHABILITY",
        "maximumNumberOfReports": 1,
        "notificationDestination": "https://meters.example.com/t8",
    })
}

fn nidd() -> Value {
    json!({
        "externalId": "meter-1@meters.example.com",
        "notificationDestination": "https://meters.example.com/t8",
    })
}

fn trigger() -> Value {
    json!({
        "externalId": "car-1@fleet.example.com",
        "validityPeriod": 60,
        "priority": "NO_PRIORITY",
        "applicationPortId": 7,
        "triggerPayload": "aGVsbG8=",
        "notificationDestination": "https://fleet.example.com/t8",
    })
}

fn collections() -> [(&'static str, Value); 3] {
    [(EVENTS, event()), (NIDD, nidd()), (TRIGGERS, trigger())]
}

/// The path of a resource just made.
fn made(scef: &Scef, collection: &str, resource: &Value) -> String {
    let answer = send(scef, "POST", collection, JSON, resource);
    assert_eq!(answer.status, 201, "{}", answer.body);
    let location = answer.field("location").expect("Location");
    let path = location
        .strip_prefix("https://localhost:8443")
        .expect("the gateway's authority");
    path.to_owned()
}

//= TS 29.122 clause 5.2.4 type=test
//# A created resource is answered with 201, itself, and its URI in Location.
#[test]
fn each_api_creates_reads_lists_and_deletes() {
    let scef = Scef::start(LOOPBACK).unwrap();
    for (collection, resource) in collections() {
        let answer = send(&scef, "POST", collection, JSON, &resource);
        assert_eq!(answer.status, 201);
        let location = answer.field("location").unwrap().to_owned();
        assert_eq!(answer.body["self"], location);
        let path = location.strip_prefix("https://localhost:8443").unwrap();
        assert!(path.starts_with(collection));
        let read = ask(&scef, "GET", path);
        assert_eq!((read.status, &read.body), (200, &answer.body));
        let list = ask(&scef, "GET", collection);
        assert_eq!((list.status, list.body), (200, json!([answer.body])));
        assert_eq!(ask(&scef, "DELETE", path).status, 204);
        ask(&scef, "DELETE", path).is_problem(404);
        ask(&scef, "GET", path).is_problem(404);
        assert_eq!(ask(&scef, "GET", collection).body, json!([]));
    }
}

#[test]
fn each_mandatory_attribute_is_asked_for() {
    let scef = Scef::start(LOOPBACK).unwrap();
    for (collection, resource) in collections() {
        for name in resource.as_object().unwrap().keys() {
            let mut less = resource.clone();
            less.as_object_mut().unwrap().remove(name);
            let answer = send(&scef, "POST", collection, JSON, &less);
            answer.is_problem(400);
            assert_eq!(answer.params(), [format!("/{name}")]);
        }
    }
}

#[test]
fn two_identifiers_are_refused() {
    let scef = Scef::start(LOOPBACK).unwrap();
    for (collection, mut resource) in collections() {
        resource["msisdn"] = "15555550100".into();
        let answer = send(&scef, "POST", collection, JSON, &resource);
        answer.is_problem(400);
        assert_eq!(answer.params(), ["/externalId"]);
    }
}

#[test]
fn number_of_devices_in_an_area_needs_no_identifier() {
    let scef = Scef::start(LOOPBACK).unwrap();
    let mut resource = event();
    resource.as_object_mut().unwrap().remove("externalId");
    resource["monitoringType"] = "NUMBER_OF_UES_IN_AN_AREA".into();
    assert_eq!(send(&scef, "POST", EVENTS, JSON, &resource).status, 201);
}

#[test]
fn attribute_of_another_type_is_refused() {
    let scef = Scef::start(LOOPBACK).unwrap();
    let mut resource = event();
    resource["maximumNumberOfReports"] = "many".into();
    resource["externalId"] = 7.into();
    let answer = send(&scef, "POST", EVENTS, JSON, &resource);
    answer.is_problem(400);
    assert_eq!(answer.params(), ["/maximumNumberOfReports", "/externalId"]);
    send(&scef, "POST", EVENTS, JSON, &json!([])).is_problem(400);
}

#[test]
fn body_that_is_not_json_is_refused() {
    let scef = Scef::start(LOOPBACK).unwrap();
    let head = format!(
        "POST {EVENTS} HTTP/1.1\r\n{IDENTITY}Content-Type: {JSON}\r\n\
                        Content-Length: 3\r\n"
    );
    exchange(&scef, &head, "{1}").is_problem(400);
}

#[test]
fn put_replaces_where_the_api_has_it() {
    let scef = Scef::start(LOOPBACK).unwrap();
    for (collection, resource) in [(EVENTS, event()), (TRIGGERS, trigger())] {
        let path = made(&scef, collection, &resource);
        let mut new = resource.clone();
        new["notificationDestination"] = "https://other.example.com/t8".into();
        new["self"] = "https://elsewhere.example.com/1".into();
        let answer = send(&scef, "PUT", &path, JSON, &new);
        assert_eq!(answer.status, 200);
        assert!(answer.body["self"].as_str().unwrap().ends_with(&path));
        let read = ask(&scef, "GET", &path).body;
        assert_eq!(
            read["notificationDestination"],
            new["notificationDestination"]
        );
        send(&scef, "PUT", &path, JSON, &json!({})).is_problem(400);
        send(&scef, "PUT", &format!("{collection}/999"), JSON, &resource).is_problem(404);
    }
    let path = made(&scef, NIDD, &nidd());
    let answer = send(&scef, "PUT", &path, JSON, &nidd());
    answer.is_problem(405);
    assert_eq!(answer.field("allow"), Some("GET, PATCH, DELETE"));
}

#[test]
fn patch_is_of_the_media_type_each_api_asks_for() {
    let scef = Scef::start(LOOPBACK).unwrap();
    let path = made(&scef, EVENTS, &event());
    let patch = json!([{"op": "replace", "path": "/maximumNumberOfReports", "value": 5}]);
    send(&scef, "PATCH", &path, JSON, &patch).is_problem(415);
    let patched = send(&scef, "PATCH", &path, "application/json-patch+json", &patch);
    assert_eq!(patched.status, 204);
    assert_eq!(ask(&scef, "GET", &path).body["maximumNumberOfReports"], 5);

    let path = made(&scef, NIDD, &nidd());
    let patch = json!({"reliableDataService": true});
    send(&scef, "PATCH", &path, JSON, &patch).is_problem(415);
    let patched = send(
        &scef,
        "PATCH",
        &path,
        "application/merge-patch+json",
        &patch,
    );
    assert_eq!(
        (patched.status, &patched.body["reliableDataService"]),
        (200, &json!(true))
    );

    let path = made(&scef, TRIGGERS, &trigger());
    let patched = send(&scef, "PATCH", &path, JSON, &json!({"validityPeriod": 5}));
    assert_eq!(
        (patched.status, &patched.body["validityPeriod"]),
        (200, &json!(5))
    );
}

#[test]
fn patch_that_spoils_a_resource_is_refused_and_changes_nothing() {
    let scef = Scef::start(LOOPBACK).unwrap();
    let path = made(&scef, EVENTS, &event());
    let before = ask(&scef, "GET", &path).body;
    let patch = json!([{"op": "remove", "path": "/externalId"}]);
    send(&scef, "PATCH", &path, "application/json-patch+json", &patch).is_problem(400);
    assert_eq!(ask(&scef, "GET", &path).body, before);
    let path = made(&scef, NIDD, &nidd());
    let patch = json!({"externalId": "other@meters.example.com"});
    let answer = send(
        &scef,
        "PATCH",
        &path,
        "application/merge-patch+json",
        &patch,
    );
    answer.is_problem(400);
    assert_eq!(answer.params(), ["/externalId"]);
    let path = made(&scef, TRIGGERS, &trigger());
    send(&scef, "PATCH", &path, JSON, &json!({"validityPeriod": "x"})).is_problem(400);
    send(&scef, "PATCH", &path, JSON, &json!(7)).is_problem(400);
}

#[test]
fn unknown_paths_are_not_found() {
    let scef = Scef::start(LOOPBACK).unwrap();
    for path in [
        "/",
        "/3gpp-monitoring-event/v2/meters/subscriptions",
        "/3gpp-monitoring-event/v1/meters/configurations",
        "/3gpp-monitoring-event/v1/meters/subscriptions/1/more",
        "/3gpp-monitoring-event/v1/meters/subscriptions/one",
        "/3gpp-monitoring-event/v1//subscriptions",
    ] {
        ask(&scef, "GET", path).is_problem(404);
    }
}

#[test]
fn other_methods_are_refused_with_those_there_are() {
    let scef = Scef::start(LOOPBACK).unwrap();
    let answer = ask(&scef, "DELETE", EVENTS);
    answer.is_problem(405);
    assert_eq!(answer.field("allow"), Some("GET, POST"));
    let path = made(&scef, EVENTS, &event());
    let answer = send(&scef, "POST", &path, JSON, &event());
    answer.is_problem(405);
    assert_eq!(answer.field("allow"), Some("GET, PUT, PATCH, DELETE"));
}

#[test]
fn post_without_a_body_is_asked_for_its_length() {
    let scef = Scef::start(LOOPBACK).unwrap();
    ask(&scef, "POST", EVENTS).is_problem(411);
}

#[test]
fn body_over_the_bound_is_refused() {
    let scef = Scef::start(LOOPBACK).unwrap();
    let mut resource = event();
    resource["accuracy"] = "x".repeat(BODY_BYTES_MAX).into();
    send(&scef, "POST", EVENTS, JSON, &resource).is_problem(413);
}

#[test]
fn other_media_type_is_refused() {
    let scef = Scef::start(LOOPBACK).unwrap();
    send(&scef, "POST", EVENTS, "text/plain", &event()).is_problem(415);
    let with_charset = send(
        &scef,
        "POST",
        EVENTS,
        "application/json; charset=utf-8",
        &event(),
    );
    assert_eq!(with_charset.status, 201);
}

#[test]
fn identity_that_is_not_the_paths_is_refused() {
    let scef = Scef::start(LOOPBACK).unwrap();
    let fleet = "/3gpp-monitoring-event/v1/fleet/subscriptions";
    ask(&scef, "GET", fleet).is_problem(403);
    for identity in [
        "",
        "X-SCS-AS-Id: meters\r\n",
        "Client-Cert: :MA==:\r\n",
        "X-SCS-AS-Id: meters\r\nX-SCS-AS-Id: fleet\r\nClient-Cert: :MA==:\r\n",
    ] {
        let head = format!("GET {EVENTS} HTTP/1.1\r\n{identity}");
        exchange(&scef, &head, "").is_problem(403);
    }
}

#[test]
fn list_holds_ones_own_resources_only() {
    let scef = Scef::start(LOOPBACK).unwrap();
    made(&scef, EVENTS, &event());
    let head = "GET /3gpp-monitoring-event/v1/fleet/subscriptions HTTP/1.1\r\n\
                X-SCS-AS-Id: fleet\r\nClient-Cert: :MA==:\r\n";
    let answer = exchange(&scef, head, "");
    assert_eq!((answer.status, answer.body), (200, json!([])));
}

#[test]
fn store_is_bounded() {
    let scef = Scef::start(LOOPBACK).unwrap();
    for _ in 0..store::RESOURCES_MAX {
        made(&scef, NIDD, &nidd());
    }
    send(&scef, "POST", NIDD, JSON, &nidd()).is_problem(403);
    made(&scef, EVENTS, &event());
}

#[test]
fn links_name_what_the_client_reached_or_nothing() {
    let base = |forwarded: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::FORWARDED, forwarded.parse().unwrap());
        reply::base(&headers)
    };
    assert_eq!(
        base("for=x;proto=https;host=\"[::1]:8443\""),
        "https://[::1]:8443"
    );
    assert_eq!(base("for=x;proto=http;host=a"), "");
    assert_eq!(base("proto=https;host=\"a/b\""), "");
    assert_eq!(reply::base(&HeaderMap::new()), "");
}
