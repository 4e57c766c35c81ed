//! What the SCEF says of what it has done, or of why it has not: it is about nobody else either.

use serde_json::{Value, json};

use super::resources::{OWN, SUBSCRIPTION, SUBSCRIPTIONS, of, other, own};
use super::{assert_only_looked, meters};
use crate::authorization::assert_problem;
use crate::harness::client::{self, Response};
use crate::harness::mint;
use crate::harness::origin::{Act, ok};
use crate::harness::stage::{API, House, PATH, RESOURCE};
use crate::harness::wait_until;
use crate::reload::{ON_SIGNAL, reload, rewrite};

/// An answer with this status line and this body.
fn answer(status: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Looks show what is the client's own; what is asked then is so answered.
fn then_answers(house: &House, method: &str, bytes: Vec<u8>) {
    house.origin.take();
    if method != "POST" && method != "GET" {
        house.origin.answer(ok(own().to_string().as_bytes()));
    }
    house.origin.answer(bytes);
}

/// The problem says this, and nothing about anybody else.
fn assert_withheld(response: &Response, what: &str) {
    assert_problem(response, 502);
    let problem: Value = serde_json::from_slice(&response.body).expect("a JSON document");
    assert_eq!(problem["cause"], "ANSWER_UNGUARDED", "{what}");
    assert!(!response.text().contains("other.example"), "{what}");
}

#[test]
fn answer_to_a_change_names_nobody_else() {
    let (house, mut held) = meters(&[API], OWN, |stage| drop(stage.watch()));
    let body = own().to_string();
    for (method, path, body) in [
        ("POST", SUBSCRIPTIONS, body.as_str()),
        ("PUT", SUBSCRIPTION, &body),
        ("DELETE", SUBSCRIPTION, ""),
    ] {
        let said = |whom: Value| match method {
            "DELETE" => json!([whom]),
            _ => whom,
        };
        for status in ["200 OK", "201 Created", "202 Accepted"] {
            then_answers(&house, method, answer(status, &said(other())));
            let response = held.ask(&house, method, path, "", body.as_bytes());
            assert_withheld(&response, &format!("{method} {status}"));
            then_answers(&house, method, answer(status, &said(own())));
            let response = held.ask(&house, method, path, "", body.as_bytes());
            let code = response.status.to_string();
            assert!(status.starts_with(&code), "{method} {status}: {code}");
            assert_eq!(response.text(), said(own()).to_string());
        }
    }
    let found = house.gateway.admin().metrics();
    let reason = [("reason", "answer_unguarded")];
    let refused = found.count("t8gate_requests_refused_total", &reason);
    assert_eq!(refused, 9);
}

#[test]
fn what_nobody_can_judge_of_an_answer_is_left_out_of_it() {
    let (house, mut held) = meters(&[API], OWN, |stage| drop(stage.watch()));
    let body = own().to_string();
    let twice = "{\"externalId\":\"a@other.example\",\"externalId\":\"meter-1@example.com\"}";
    let unread = [
        json!([other()]).to_string(),
        json!({"msisdn": 491_512_345_678_u64}).to_string(),
        twice.to_owned(),
        "<html>a@other.example</html>".to_owned(),
    ];
    for (place, text) in unread.iter().enumerate() {
        for status in ["201 Created", "502 Bad Gateway"] {
            let location = format!("Location: {SUBSCRIPTION}\r\nContent-Length: {}", text.len());
            house
                .origin
                .answer(format!("HTTP/1.1 {status}\r\n{location}\r\n\r\n{text}"));
            let response = held.ask(&house, "POST", SUBSCRIPTIONS, "", body.as_bytes());
            assert!(status.starts_with(&response.status.to_string()), "{text}");
            assert_eq!(response.text(), "", "{text}");
            assert!(response.field("location").is_some(), "where it is");
        }
        let metrics = house.gateway.admin().metrics();
        let count = metrics.count("t8gate_answer_bodies_left_out_total", &[]);
        assert_eq!(count, 2 * (place + 1));
    }
}

#[test]
fn error_names_nobody_else() {
    let (house, mut held) = meters(&[API], OWN, |_| {});
    let body = own().to_string();
    for status in ["403 Forbidden", "409 Conflict", "500 Internal Server Error"] {
        for (method, path, body) in [
            ("POST", SUBSCRIPTIONS, body.as_str()),
            ("PUT", SUBSCRIPTION, &body),
            ("GET", SUBSCRIPTION, ""),
        ] {
            then_answers(&house, method, answer(status, &other()));
            let response = held.ask(&house, method, path, "", body.as_bytes());
            assert_withheld(&response, &format!("{method} {status}"));
            // A problem is one, whatever is asked for.
            let problem = json!({"title": "No", "status": 403, "cause": "RESOURCES_EXCEEDED"});
            then_answers(&house, method, answer(status, &problem));
            let response = held.ask(&house, method, path, "", body.as_bytes());
            assert_eq!(response.text(), problem.to_string(), "{method} {status}");
            assert!(status.starts_with(&response.status.to_string()));
        }
    }
}

#[test]
fn redirect_says_where_and_nothing_else() {
    let (house, mut held) = meters(&[API], OWN, |_| {});
    for (method, path) in [("GET", SUBSCRIPTION), ("DELETE", SUBSCRIPTION)] {
        let redirect = format!("307 Temporary Redirect\r\nLocation: {SUBSCRIPTION}8\r\nDigest: x");
        then_answers(&house, method, answer(&redirect, &other()));
        let response = held.ask(&house, method, path, "", b"");
        assert_eq!((response.status, response.text().as_str()), (307, ""));
        assert_eq!(response.field("content-length"), Some("0"));
        assert_eq!(response.field("digest"), None);
        let location = response.field("location").expect("where it leads");
        assert!(
            location.ends_with(&format!("{SUBSCRIPTION}8")),
            "{location}"
        );
    }
}

//= RFC 9110 section 13.1 type=test
//# That nothing has changed is said to who may see what there is.
#[test]
fn nobody_learns_by_conditions_what_it_may_not_see() {
    let (house, mut held) = meters(&[API], OWN, |_| {});
    super::answer_all(&house, other().to_string().as_bytes());
    let conditions = "If-None-Match: *\r\nif-modified-since: Mon, 30 Nov 2026 00:00:00 GMT\r\n\
                      If-Match: \"1\"\r\nIf-Unmodified-Since: x\r\nX-If: y\r\n";
    let response = held.ask(&house, "GET", SUBSCRIPTION, conditions, b"");
    assert_problem(&response, 403);
    let asked = house.origin.last();
    let conditional = asked
        .fields
        .iter()
        .find(|(name, _)| name.starts_with("if-"));
    assert_eq!(conditional, None);
    assert_eq!(asked.field("x-if"), Some("y"));
    // Who may see all of it, or changes it, has them travel.
    let all = client::head("GET", RESOURCE, &house.token(), conditions);
    assert_eq!(house.client().ask(all).status, 200);
    assert_eq!(house.origin.last().field("if-none-match"), Some("*"));
    super::answer_all(&house, own().to_string().as_bytes());
    let response = held.ask(&house, "DELETE", SUBSCRIPTION, "If-Match: \"1\"\r\n", b"");
    assert_eq!(response.status, 200);
    assert_eq!(house.origin.last().field("if-match"), Some("\"1\""));
}

#[test]
fn digest_of_what_does_not_leave_does_not_leave() {
    let (house, mut held) = meters(&[API], OWN, |_| {});
    let digests = "200 OK\r\nContent-Digest: sha-256=:AA==:\r\nETag: \"1\"";
    for (list, stays) in [(json!([own(), other()]), false), (json!([own()]), true)] {
        house.origin.answer(answer(digests, &list));
        let response = held.ask(&house, "GET", SUBSCRIPTIONS, "", b"");
        assert_eq!(response.text(), json!([own()]).to_string());
        assert_eq!(response.field("content-digest").is_some(), stays);
        assert_eq!(response.field("etag").is_some(), stays);
        let length = response.text().len().to_string();
        assert_eq!(response.field("content-length"), Some(length.as_str()));
    }
}

/// A body that no schema has could be anything to the SCEF.
#[test]
fn nothing_goes_on_with_a_request_that_takes_no_body() {
    let (house, mut held) = meters(&[API], OWN, |_| {});
    super::answer_all(&house, own().to_string().as_bytes());
    for (method, path) in [("DELETE", SUBSCRIPTION), ("GET", SUBSCRIPTION)] {
        let body = other().to_string();
        let response = held.ask(&house, method, path, "", body.as_bytes());
        assert_only_looked(&house.origin.take(), method);
        assert_problem(&response, 400);
        let problem: Value = serde_json::from_slice(&response.body).expect("a JSON document");
        assert_eq!(problem["cause"], "CONTENT_MALFORMED", "{method}");
    }
}

/// What comes behind the answer to a look is the answer to nothing.
#[test]
fn answer_behind_that_of_a_look_is_nobodys() {
    let (house, mut held) = meters(&[API], OWN, |_| {});
    let mut two = ok(own().to_string().as_bytes());
    two.extend(ok(other().to_string().as_bytes()));
    house.origin.answer(two);
    house.origin.answer(ok(own().to_string().as_bytes()));
    let body = own().to_string();
    let response = held.ask(&house, "PUT", SUBSCRIPTION, "", body.as_bytes());
    assert_eq!(response.status, 200);
    assert_eq!(response.text(), body);
    let reached = house.origin.take();
    assert_eq!(reached.len(), 2);
    assert_ne!(reached[0].connection, reached[1].connection);
}

/// A house in which `acme` is not held yet, and one request of it that waits for the SCEF.
fn while_it_waits(method: &str, change: impl FnOnce(&mut House)) -> (House, Response) {
    let mut house = House::open_staged(|stage| {
        stage.watch();
        stage.config.set("reload.watch", ON_SIGNAL);
        let service = format!("\n[[client.service]]\napi = {API:?}\n{OWN}");
        let service = if method == "GET" { "" } else { &service };
        let keys = format!("enabled = true{service}");
        stage.config.extend_table("client", 0, &keys);
    });
    let (shown, body) = match method {
        "GET" => (other(), String::new()),
        "DELETE" => (own(), String::new()),
        _ => (own(), of("meter-2@example.com").to_string()),
    };
    let pause = std::time::Duration::from_secs(2);
    let shown = Act::Send(ok(shown.to_string().as_bytes()));
    house
        .origin
        .script(vec![Act::ReadBody, Act::Pause(pause), shown]);
    let mut client = house.client();
    let request = match body.as_str() {
        "" => client::head(method, RESOURCE, &house.token(), "").into_bytes(),
        body => client::request(method, RESOURCE, &house.token(), "", body.as_bytes()),
    };
    client.send(request).expect("an open connection");
    house.origin.await_requests(1);
    change(&mut house);
    let response = client.answer();
    (house, response)
}

fn disable(house: &mut House) {
    rewrite(house, |config| {
        let [acme, globex] = [0, 1].map(|place| config.table_body("client", place));
        config.without_tables("client");
        config.table("client", &acme.replace("enabled = true", "enabled = false"));
        config.table("client", &globex);
    });
    reload(house);
}

#[test]
fn client_that_is_disabled_during_a_look_changes_nothing() {
    let (house, response) = while_it_waits("DELETE", disable);
    assert_eq!(house.origin.requests(), 1, "the look");
    assert_problem(&response, 401);
}

/// Whom it is to be about has to be granted when it goes.
#[test]
fn ue_that_is_taken_from_a_client_during_a_look_is_in_nothing_that_goes_on() {
    let (house, response) = while_it_waits("PUT", |house| {
        rewrite(house, |config| {
            let [acme, globex] = [0, 1].map(|place| config.table_body("client", place));
            config.without_tables("client");
            config.table("client", &acme.replace(", \"meter-2@example.com\"", ""));
            config.table("client", &globex);
        });
        reload(house);
    });
    assert_eq!(house.origin.requests(), 1, "the look");
    assert_problem(&response, 403);
}

#[test]
fn client_that_is_disabled_while_its_answer_comes_does_not_get_it() {
    let (_house, response) = while_it_waits("GET", disable);
    assert!(!response.text().contains("other.example"));
    assert_problem(&response, 401);
}

#[test]
fn client_that_is_held_while_its_answer_comes_is_held_with_that() {
    let (_house, response) = while_it_waits("GET", |house| {
        rewrite(house, |config| {
            let service = format!("[[client.service]]\napi = {API:?}\n{OWN}");
            config.extend_table("client", 0, &service);
        });
        reload(house);
    });
    assert!(!response.text().contains("other.example"));
    assert_problem(&response, 403);
}

/// Of bodies as long as they may be, one octet less of each has come.
#[test]
fn shard_holds_so_much_of_a_clients_bodies_and_no_more() {
    const BODY: usize = 16 << 20;
    const HELD: usize = 64 << 20;
    let house = House::open_staged(|stage| {
        let cpu = crate::harness::gateway::cpus()[0];
        stage.config.set("listen.cpus", &format!("[{cpu}]"));
        stage.config.set_text("limits.body_bytes_max", "16MiB");
        stage.watch();
    });
    let token = house.token();
    let longest = client::request("POST", PATH, &token, "", &vec![b' '; BODY]);
    let unfinished = &longest[..longest.len() - 1];
    let mut clients: Vec<_> = (0..=HELD / BODY).map(|_| house.client()).collect();
    for client in &mut clients {
        // The one that is refused may be gone already.
        let _ = client.send(unfinished);
    }
    let exhausted = [("reason", "bodies_exhausted")];
    let metrics = || house.gateway.admin().metrics();
    let refused = || metrics().count("t8gate_requests_refused_total", &exhausted);
    wait_until("a body too many", || refused() == 1);
    // None that has no body waits for them, nor do others'.
    assert_eq!(house.client().get(PATH, &token).status, 200);
    let globex = &house.stage.globex;
    let claims = mint::claims("globex-app", API, &globex.thumbprint());
    let of_globex = house.stage.mint.good(&claims);
    let path = PATH.replace("acme", "globex");
    let theirs = client::request("POST", &path, &of_globex, "", b"{}");
    let other = house.stage.dialer(globex).connect(house.gateway.address);
    let answer = other
        .expect("a handshake with a good certificate")
        .ask(theirs);
    assert_eq!(answer.status, 200);
    let mut statuses = Vec::new();
    for client in &mut clients {
        let _ = client.send(b" ");
        let answer = client.answer();
        let problem: Value = serde_json::from_slice(&answer.body).expect("a JSON document");
        let cause = problem["cause"].as_str().unwrap_or_default();
        statuses.push((answer.status, cause.to_owned()));
    }
    statuses.sort();
    let refused = statuses.pop();
    assert_eq!(refused, Some((503, "BODIES_EXHAUSTED".to_owned())));
    let read = (400, "CONTENT_MALFORMED".to_owned());
    assert_eq!(statuses, vec![read; HELD / BODY]);
    // They are held no more.
    let short = client::request("POST", PATH, &token, "", b"{}");
    assert_eq!(house.client().ask(&short).status, 200);
}

/// Nobody can look through it.
#[test]
fn coded_body_goes_nowhere() {
    let (house, mut held) = meters(&[API], OWN, |_| {});
    let body = own().to_string();
    let mut ask = |fields: &str| held.ask(&house, "POST", SUBSCRIPTIONS, fields, body.as_bytes());
    for coding in ["gzip", "br", "identity, deflate", "x"] {
        let fields = format!("Content-Encoding: {coding}\r\n");
        let response = ask(&fields);
        assert_problem(&response, 415);
        let problem: Value = serde_json::from_slice(&response.body).expect("a JSON document");
        assert_eq!(problem["cause"], "CONTENT_CODED", "{coding}");
    }
    assert_eq!(house.origin.requests(), 0);
    let response = ask("Content-Encoding: identity\r\n");
    assert_eq!(response.status, 200, "{}", response.text());
}
