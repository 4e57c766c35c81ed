//! Operations on resources by id, and lists: judged by what the SCEF has there.

use serde_json::{Value, json};

use super::{Held, answer_all, assert_only_looked, limited, meters};
use crate::authorization::assert_problem;
use crate::harness::client::{self, Response};
use crate::harness::origin::{Act, ok};
use crate::harness::stage::{API, House, PATH, RESOURCE, Stage};
use crate::reload::{ON_SIGNAL, reload};

pub const OWN: &str = "ues = [\"meter-1@example.com\", \"meter-2@example.com\"]";
pub const SUBSCRIPTIONS: &str = "/3gpp-monitoring-event/v1/meters/subscriptions";
pub const SUBSCRIPTION: &str = "/3gpp-monitoring-event/v1/meters/subscriptions/7";
const CONFIGURATION: &str = "/3gpp-nidd/v1/meters/configurations/7";

pub fn of(id: &str) -> Value {
    json!({"externalId": id, "monitoringType": "LOCATION_REPORTING"})
}

pub fn own() -> Value {
    of("meter-1@example.com")
}

pub fn other() -> Value {
    of("meter-1@other.example")
}

/// Everything is about this one.
fn has(house: &House, representation: &Value) {
    answer_all(house, representation.to_string().as_bytes());
}

/// It has this status and, as a problem, this cause, and nothing has reached the SCEF but looks.
fn refused(house: &House, response: &Response, status: u16, cause: &str) {
    let what = response.text();
    assert_only_looked(&house.origin.take(), &what);
    assert_problem(response, status);
    let problem: Value = serde_json::from_slice(&response.body).expect("a JSON document");
    assert_eq!(problem["cause"], cause, "{what}");
}

/// It was served, after a look at this path where there is one.
fn served(house: &House, response: &Response, looked: &[&str]) {
    assert_eq!(response.status, 200, "{}", response.text());
    let reached = house.origin.take();
    let [looks @ .., _] = reached.as_slice() else {
        panic!("nothing reached the SCEF");
    };
    let targets: Vec<&str> = looks.iter().map(|look| look.target.as_str()).collect();
    assert_eq!(targets, looked);
}

fn put(house: &House, held: &mut Held, path: &str, body: &Value) -> Response {
    held.ask(house, "PUT", path, "", body.to_string().as_bytes())
}

const LIST: &str = "[ {\"externalId\": \"meter-1@example.com\",\t\"self\":\"x\"},\
                    {\"externalId\":\"meter-1@other.example\"},{\"monitoringType\":\"X\"},\
                    {\"externalId\":\"meter-2@example.com\", \"n\":1e400},\
                    {\"externalId\":\"meter-2@EXAMPLE.com\"}\n]";

#[test]
fn lists_leave_without_what_is_about_others_octet_for_octet() {
    let (house, mut held) = meters(&[API], OWN, |stage| drop(stage.watch()));
    answer_all(&house, LIST.as_bytes());
    let response = held.ask(&house, "GET", SUBSCRIPTIONS, "", b"");
    assert_eq!(response.status, 200);
    // Of a number that is none for everybody it is not known whom it stands beside.
    let kept = "[{\"externalId\": \"meter-1@example.com\",\t\"self\":\"x\"},\
                {\"externalId\":\"meter-2@EXAMPLE.com\"}]";
    assert_eq!(response.text(), kept);
    let metrics = house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_list_elements_left_out_total", &[]), 3);
    let none = held.ask(
        &house,
        "GET",
        SUBSCRIPTIONS,
        "Accept-Encoding: gzip\r\n",
        b"",
    );
    assert_eq!(none.text(), kept);
    // In chunks, it is the same.
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{LIST}\r\n0\r\n\r\n",
        LIST.len()
    );
    house.origin.answer(chunked);
    assert_eq!(held.ask(&house, "GET", SUBSCRIPTIONS, "", b"").text(), kept);
    answer_all(&house, b"[]");
    assert_eq!(held.ask(&house, "GET", SUBSCRIPTIONS, "", b"").text(), "[]");
}

#[test]
fn lists_are_refused_as_a_whole_where_it_is_configured_so() {
    let (house, mut held) = meters(&[API], OWN, |stage| {
        stage.config.set_text("apis.lists", "refuse");
    });
    for (list, is_shown) in [
        (json!([own(), of("meter-2@example.com")]), true),
        (json!([]), true),
        (json!([own(), other()]), false),
        // One that names nobody is about any UE.
        (json!([own(), {"monitoringType": "X"}]), false),
    ] {
        has(&house, &list);
        for method in ["GET", "HEAD"] {
            let response = held.ask(&house, method, SUBSCRIPTIONS, "", b"");
            let expected = if is_shown { 200 } else { 403 };
            assert_eq!(response.status, expected, "{method} of {list}");
            let shows = response.text().contains("other.example");
            assert!(!shows, "{method} of {list}");
        }
        let reached = house.origin.take();
        if !is_shown {
            assert_only_looked(&reached, "a list that is not shown");
        }
    }
    has(&house, &json!([own(), of("no-id")]));
    let response = held.ask(&house, "GET", SUBSCRIPTIONS, "", b"");
    house.origin.take();
    refused(&house, &response, 502, "RESOURCE_UNSEEN");
}

#[test]
fn query_names_whom_a_list_is_asked_for() {
    let service = "ues = [\"10.1.0.0/16\"]";
    let (house, mut held) = meters(&[API], service, |_| {});
    has(&house, &json!([]));
    let mut asked = |query: &str| {
        let path = format!("{SUBSCRIPTIONS}?{query}");
        held.ask(&house, "GET", &path, "", b"")
    };
    let addresses = |address: &str| format!("ip-addrs=%5B%7B%22ipv4Addr%22:%22{address}%22%7D%5D");
    served(&house, &asked(&addresses("10.1.2.3")), &[]);
    for query in [
        addresses("10.2.2.3"),
        addresses("10.1.2.3") + "&ip-domain=x",
    ] {
        refused(&house, &asked(&query), 403, "NOT_GRANTED");
    }
    let twice = format!("{}&{}", addresses("10.1.2.3"), addresses("10.2.2.3"));
    refused(&house, &asked(&twice), 400, "CONTENT_MALFORMED");
    let otherwise = addresses("10.2.2.3").replace("ip-addrs", "IP-ADDRS");
    refused(&house, &asked(&otherwise), 400, "CONTENT_MALFORMED");
}

#[test]
fn put_is_judged_by_whom_the_resource_is_about_and_will_be() {
    let (house, mut held) = meters(&[API], OWN, |_| {});
    has(&house, &own());
    let response = put(&house, &mut held, SUBSCRIPTION, &own());
    served(&house, &response, &[SUBSCRIPTION]);
    let response = put(&house, &mut held, SUBSCRIPTION, &of("meter-2@EXAMPLE.COM"));
    served(&house, &response, &[SUBSCRIPTION]);
    for new in [
        other(),
        json!({"externalId": "meter-1@example.com", "msisdn": "491512345678"}),
        json!({"externalGroupId": "fleet@example.com"}),
        // It would be about any UE.
        json!({"monitoringType": "LOCATION_REPORTING"}),
        json!({"externalId": "meter-1@example.com", "addedExternalIds": ["a@other.example"]}),
    ] {
        let response = put(&house, &mut held, SUBSCRIPTION, &new);
        refused(&house, &response, 403, "NOT_GRANTED");
    }
    for old in [
        other(),
        json!({}),
        json!({"externalGroupId": "fleet@example.com"}),
    ] {
        has(&house, &old);
        let response = put(&house, &mut held, SUBSCRIPTION, &own());
        refused(&house, &response, 403, "NOT_GRANTED");
        let response = held.ask(&house, "DELETE", SUBSCRIPTION, "", b"");
        refused(&house, &response, 403, "NOT_GRANTED");
        let response = held.ask(&house, "HEAD", SUBSCRIPTION, "", b"");
        assert_eq!(response.status, 403);
        assert_only_looked(&house.origin.take(), "HEAD");
        let response = held.ask(&house, "GET", SUBSCRIPTION, "", b"");
        assert!(!response.text().contains("other"), "{}", response.text());
        refused(&house, &response, 403, "NOT_GRANTED");
    }
    has(&house, &own());
    let response = held.ask(&house, "DELETE", SUBSCRIPTION, "", b"");
    served(&house, &response, &[SUBSCRIPTION]);
    let response = held.ask(&house, "HEAD", SUBSCRIPTION, "", b"");
    served(&house, &response, &[SUBSCRIPTION]);
}

#[test]
fn what_stands_below_a_resource_is_judged_by_that() {
    let (house, mut held) = meters(&["3gpp-nidd"], OWN, |_| {});
    let ports = format!("{CONFIGURATION}/rds-ports");
    let port = format!("{ports}/ue4-ef4");
    let deliveries = format!("{CONFIGURATION}/downlink-data-deliveries");
    let app = b"{\"appId\":\"x\"}".as_slice();
    let data = b"{\"data\":\"eA==\"}".as_slice();
    let operations: [(&str, &str, &[u8]); 5] = [
        ("GET", &ports, b""),
        ("GET", &port, b""),
        ("PUT", &port, app),
        ("DELETE", &port, b""),
        ("POST", &deliveries, data),
    ];
    for (representation, is_own) in [(own(), true), (other(), false), (json!({}), false)] {
        for (method, path, body) in operations {
            has(&house, &representation);
            let response = held.ask(&house, method, path, "", body);
            match is_own {
                true => served(&house, &response, &[CONFIGURATION]),
                false => refused(&house, &response, 403, "NOT_GRANTED"),
            }
        }
    }
    // What it names itself has to be granted as well.
    has(&house, &own());
    let body = other().to_string();
    let response = held.ask(&house, "POST", &deliveries, "", body.as_bytes());
    refused(&house, &response, 403, "NOT_GRANTED");
}

/// Whoever is granted some ports only is not granted others of the UEs that a resource is about.
#[test]
fn ports_are_judged_with_whom_the_resource_around_is_about() {
    let service = format!("{OWN}\nports = [3]");
    let (house, mut held) = meters(&["3gpp-nidd"], &service, |_| {});
    let both = |port: u16| json!({"portUE": port, "portSCEF": port});
    let mut representation = own();
    representation["rdsPorts"] = json!([both(3)]);
    representation["rdsPort"] = both(3);
    let body = |port: u16| json!({"data": "eA==", "rdsPort": both(port)}).to_string();
    let at = |ports: &str| format!("{CONFIGURATION}/rds-ports/{ports}");
    let deliveries = format!("{CONFIGURATION}/downlink-data-deliveries");
    let app = "{\"appId\":\"x\"}".to_owned();
    for (method, path, body, status) in [
        ("POST", deliveries.clone(), body(3), 200),
        ("POST", deliveries, body(9), 403),
        ("GET", at("ue3-ef3"), String::new(), 200),
        ("GET", at("ue9-ef9"), String::new(), 403),
        ("GET", at("ue3-ef9"), String::new(), 403),
        ("HEAD", at("ue9-ef3"), String::new(), 403),
        ("PUT", at("ue3-ef3"), app.clone(), 200),
        ("PUT", at("ue9-ef9"), app.clone(), 403),
        ("PUT", at("3"), app, 400),
        ("DELETE", at("ue3-ef3"), String::new(), 200),
        ("DELETE", at("ue9-ef9"), String::new(), 403),
    ] {
        has(&house, &representation);
        let response = held.ask(&house, method, &path, "", body.as_bytes());
        assert_eq!(
            response.status,
            status,
            "{method} {path} {body}: {}",
            response.text()
        );
        let reached = house.origin.take();
        let done = reached
            .iter()
            .filter(|request| request.target == path)
            .count();
        assert_eq!(done, usize::from(status == 200), "{method} {path} {body}");
    }
}

#[test]
fn nothing_is_done_to_what_the_scef_does_not_have() {
    let (house, mut held) = meters(&[API], OWN, |_| {});
    for status in ["404 Not Found", "410 Gone"] {
        for (method, body) in [("PUT", own().to_string()), ("DELETE", String::new())] {
            house.origin.answer(format!(
                "HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nother"
            ));
            let response = held.ask(&house, method, SUBSCRIPTION, "", body.as_bytes());
            refused(&house, &response, 404, "RESOURCE_UNKNOWN");
        }
    }
    // A GET has the SCEF's own answer.
    house
        .origin
        .answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let response = held.ask(&house, "GET", SUBSCRIPTION, "", b"");
    assert_eq!(response.status, 404);
    assert_eq!(response.text(), "");
}

#[test]
fn nothing_is_done_to_what_cannot_be_seen() {
    let (house, mut held) = meters(&[API], OWN, |stage| {
        stage.config.set_text("limits.body_bytes_max", "4KiB");
        stage.config.set_text("limits.guarded_bytes_max", "64KiB");
    });
    let own = own().to_string();
    let with = |head: &str, body: &[u8]| {
        let mut answer = format!(
            "HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend_from_slice(body);
        answer
    };
    let long = own.replace('{', &format!("{{\"x\":\"{}\",", "x".repeat(70_000)));
    let twice = own.replace('{', "{\"externalId\":\"meter-2@example.com\",");
    let lookalike = own.replace('{', "{\"externalid\":\"meter-1@other.example\",");
    let unseen: Vec<(&str, Vec<u8>)> = vec![
        (
            "an error",
            with("500 Internal Server Error", own.as_bytes()),
        ),
        (
            "a redirect",
            with("302 Found\r\nLocation: /x", own.as_bytes()),
        ),
        ("another success", with("202 Accepted", own.as_bytes())),
        (
            "a coding",
            with("200 OK\r\nContent-Encoding: gzip", &[0x1f, 0x8b]),
        ),
        ("a long one", with("200 OK", long.as_bytes())),
        ("nothing", with("200 OK", b"")),
        ("a part", with("200 OK", &own.as_bytes()[..own.len() - 1])),
        ("two", with("200 OK", format!("{own}{own}").as_bytes())),
        ("a name twice", with("200 OK", twice.as_bytes())),
        ("a lookalike", with("200 OK", lookalike.as_bytes())),
        ("a list", with("200 OK", format!("[{own}]").as_bytes())),
        (
            "an identity that is none",
            with("200 OK", of("no-id").to_string().as_bytes()),
        ),
    ];
    for (what, answer) in unseen {
        for method in ["PUT", "DELETE", "HEAD"] {
            let body = if method == "PUT" { own.as_str() } else { "" };
            house.origin.answer(answer.clone());
            let response = held.ask(&house, method, SUBSCRIPTION, "", body.as_bytes());
            assert_eq!(response.status, 502, "{method} where there is {what}");
            match method {
                "HEAD" => assert_only_looked(&house.origin.take(), what),
                _ => refused(&house, &response, 502, "RESOURCE_UNSEEN"),
            }
        }
        if ["an error", "a redirect", "another success", "nothing"].contains(&what) {
            continue;
        }
        house.origin.answer(answer);
        let response = held.ask(&house, "GET", SUBSCRIPTION, "", b"");
        assert_eq!(response.status, 502, "GET where there is {what}");
        assert!(!response.text().contains("meter"), "{what}");
        house.origin.take();
    }
    // One that ends in the middle, and none at all.
    let cut = with("200 OK", own.as_bytes());
    for script in [
        vec![
            Act::ReadBody,
            Act::Send(cut[..cut.len() - 4].to_vec()),
            Act::Close,
        ],
        vec![Act::ReadBody, Act::Close],
    ] {
        house.origin.usually(script);
        let response = held.ask(&house, "DELETE", SUBSCRIPTION, "", b"");
        assert_eq!(response.status, 502);
        assert_only_looked(&house.origin.take(), "an answer that does not come");
    }
    house
        .origin
        .usually(vec![Act::ReadBody, Act::Send(ok(own.as_bytes()))]);
    let response = held.ask(&house, "DELETE", SUBSCRIPTION, "", b"");
    served(&house, &response, &[SUBSCRIPTION]);
}

/// In chunks, and where somebody else stands across two of them.
#[test]
fn body_in_chunks_is_judged_as_a_whole() {
    let (house, mut held) = meters(&[API], OWN, |_| {});
    has(&house, &own());
    let mut ask = |method: &str, path: &str, pieces: &[&str]| {
        let mut body = String::new();
        for piece in pieces {
            body += &format!("{:x}\r\n{piece}\r\n", piece.len());
        }
        let fields = "Transfer-Encoding: chunked\r\n";
        let head = client::head(method, path, &held.token, fields);
        held.client.ask(format!("{head}{body}0\r\n\r\n"))
    };
    let own = ["{\"externalId\":\"meter-1@exam", "ple.com\"}"];
    let other = ["{\"externalId\":\"meter-1@oth", "er.exam", "ple\"}"];
    let late = [
        "{\"externalId\":\"meter-1@example.com\",",
        "\"msisdn\":\"491512345678\"}",
    ];
    for (method, path, looked) in [
        ("POST", SUBSCRIPTIONS, &[][..]),
        ("PUT", SUBSCRIPTION, &[SUBSCRIPTION]),
    ] {
        let response = ask(method, path, &own);
        assert_eq!(house.origin.last().body, own.concat().into_bytes());
        served(&house, &response, looked);
        refused(&house, &ask(method, path, &other), 403, "NOT_GRANTED");
        refused(&house, &ask(method, path, &late), 403, "NOT_GRANTED");
        // It could be two bodies to who takes the first.
        let twice = [own[0], own[1], "{}"];
        refused(&house, &ask(method, path, &twice), 400, "CONTENT_MALFORMED");
    }
}

/// Of a client without services.
#[test]
fn token_that_is_limited_to_ues_limits_alone() {
    let house = House::open();
    let details = json!([{
        "type": "t8_access",
        "apis": [API],
        "ueIds": ["meter-1@example.com", "491512345678"],
    }]);
    let token = limited(&house, &details);
    let mut client = house.client();
    let mut ask = |method: &str, path: &str, body: &Value| {
        let bytes = match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        client.ask(client::request(method, path, &token, "", &bytes))
    };
    has(&house, &own());
    served(&house, &ask("POST", PATH, &own()), &[]);
    let by_number = json!({"msisdn": "491512345678"});
    served(&house, &ask("POST", PATH, &by_number), &[]);
    for body in [
        other(),
        json!({}),
        json!({"externalGroupId": "fleet@example.com"}),
    ] {
        refused(&house, &ask("POST", PATH, &body), 403, "TOKEN_LIMITED");
    }
    served(&house, &ask("DELETE", RESOURCE, &Value::Null), &[RESOURCE]);
    served(&house, &ask("PUT", RESOURCE, &by_number), &[RESOURCE]);
    has(&house, &other());
    refused(
        &house,
        &ask("DELETE", RESOURCE, &Value::Null),
        403,
        "TOKEN_LIMITED",
    );
    refused(
        &house,
        &ask("GET", RESOURCE, &Value::Null),
        403,
        "TOKEN_LIMITED",
    );
    has(&house, &json!([own(), other(), by_number]));
    let shown = ask("GET", PATH, &Value::Null);
    let shown: Value = serde_json::from_slice(&shown.body).expect("a JSON document");
    assert_eq!(shown, json!([own(), by_number]));
    // The same client with another token is held to nothing.
    let all = house.client().get(PATH, &house.token());
    assert!(all.text().contains("other.example"));
}

/// Policy and token have to grant it.
#[test]
fn token_grants_nothing_that_its_client_is_not_granted() {
    let house = House::open_staged(|stage: &mut Stage| {
        let service = format!("[[client.service]]\napi = {API:?}\n{OWN}");
        stage.config.extend_table("client", 0, &service);
    });
    let details = json!([{
        "type": "t8_access",
        "apis": [API],
        "ueIds": ["meter-1@example.com", "meter-1@other.example"],
    }]);
    let token = limited(&house, &details);
    let mut client = house.client();
    has(&house, &own());
    for (id, status) in [
        ("meter-1@example.com", 200),
        ("meter-2@example.com", 403),
        ("meter-1@other.example", 403),
    ] {
        let body = of(id).to_string();
        let response = client.ask(client::request("POST", PATH, &token, "", body.as_bytes()));
        assert_eq!(response.status, status, "{id}");
    }
}

/// What comes into force while a body is on its way is in force for it, and for the resource that
/// it is about.
#[test]
fn client_that_is_held_while_its_body_comes_is_held_with_that() {
    let mut house = House::open_staged(|stage| {
        stage.watch();
        stage.config.set("reload.watch", ON_SIGNAL);
    });
    has(&house, &other());
    let mut client = house.client();
    let token = house.token();
    assert_eq!(client.get(RESOURCE, &token).status, 200);
    house.origin.take();
    let body = own().to_string();
    let request = client::request(
        "PUT",
        RESOURCE,
        &token,
        "Expect: 100-continue\r\n",
        body.as_bytes(),
    );
    let (head, rest) = request.split_at(request.len() - body.len());
    client.send(head).expect("an open connection");
    assert_eq!(client.read_head().expect("a word to go on").status, 100);
    house.rewrite(|config| {
        let service = format!("[[client.service]]\napi = {API:?}\n{OWN}");
        config.extend_table("client", 0, &service);
    });
    reload(&house);
    client.send(rest).expect("an open connection");
    let response = client.answer();
    refused(&house, &response, 502, "RESOURCE_UNSEEN");
    // The next one is looked at.
    let response = client.ask(&request);
    refused(&house, &response, 403, "NOT_GRANTED");
}
