//! Where answers lead: to the gateway, whatever the SCEF calls itself, and nowhere else.

use crate::authorization::assert_problem;
use crate::harness::client::{Response, head, request};
use crate::harness::free_address;
use crate::harness::gateway::{check, write};
use crate::harness::origin::{Act, Origin};
use crate::harness::stage::{House, PATH, RESOURCE, Stage};
use crate::reload::reload;

const PUBLIC: &str = "https://t8.operator.example:8443";

/// A gateway that knows what it is called.
fn house() -> House {
    House::open_with(|config| {
        config.set("listen.api_roots", &format!("[{PUBLIC:?}]"));
        let inside = "[\"https://scef.inside/exposure\", \"http://scef-b:8080\"]";
        config.set("upstream.api_roots", inside);
        config.set_text("admin.address", free_address());
    })
}

/// An answer without a body, with these fields.
fn leads(house: &House, method: &str, status: &str, fields: &str) -> Response {
    let answer = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: 0\r\n\r\n");
    house.origin.answer(answer);
    let token = house.token();
    let mut client = house.client();
    match method {
        "POST" => {
            let json = "Content-Type: application/json\r\n";
            client.ask(request("POST", PATH, &token, json, b"{}"))
        }
        method => client.ask(head(method, RESOURCE, &token, "")),
    }
}

//= TS 29.122 clause 5.2.4 type=test
//# What is made is found where the client came from.
#[test]
fn what_the_scef_makes_is_found_at_the_gateway() {
    let house = house();
    let address = house.origin.address.to_string();
    for root in [
        "https://scef.inside/exposure",
        "http://SCEF-B:8080",
        &format!("http://{address}"),
        // As an SCEF makes it that goes by Host and by how it is reached.
        "http://t8.operator.example:8443",
        PUBLIC,
    ] {
        let fields = format!("Location: {root}{RESOURCE}\r\nX-End: 1\r\n");
        let response = leads(&house, "POST", "201 Created", &fields);
        assert_eq!(response.status, 201, "{root}");
        let wanted = format!("{PUBLIC}{RESOURCE}");
        assert_eq!(response.field("location"), Some(&*wanted), "{root}");
        assert_eq!(response.field("x-end"), Some("1"));
        assert!(response.field("x-request-id").is_some());
    }
}

//= TS 29.122 clause 5.2.10 type=test
//# 307 and 308 send clients to the gateway again.
#[test]
fn redirects_stay_on_this_side() {
    let house = house();
    for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        let fields = format!("Location: http://scef-b:8080{RESOURCE}?a=b\r\n");
        let response = leads(&house, "GET", status, &fields);
        assert_eq!(response.status.to_string(), status[..3]);
        let wanted = format!("{PUBLIC}{RESOURCE}?a=b");
        assert_eq!(response.field("location"), Some(&*wanted));
    }
    // A relative one is so by itself.
    let response = leads(
        &house,
        "GET",
        "308 Permanent Redirect",
        "Location: ../8\r\n",
    );
    assert_eq!(response.field("location"), Some("../8"));
}

#[test]
fn redirect_past_the_gateway_is_refused_and_tells_nothing() {
    let house = house();
    for location in [
        "http://10.1.2.3:8080/a",
        "//10.1.2.3/a",
        "https://scef.inside/exposure@10.1.2.3/a/..",
        "http://scef-b:8080@10.1.2.3/a",
        "http:\\\\scef-b:8080\\10.1.2.3",
        "https://scef.inside/10.1.2.3",
        "http://scef-b:8081/10.1.2.3",
    ] {
        for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
            let fields = format!("Location: {location}\r\n");
            let response = leads(&house, "DELETE", status, &fields);
            assert_eq!(response.status, 502, "{location}");
            assert_problem(&response, 502);
            assert!(response.text().contains("LINK_LEADS_PAST"));
            let told = format!("{:?}{}", response.fields, response.text());
            assert!(
                !told.contains("10.1.2.3") && !told.contains("scef"),
                "{told}"
            );
        }
    }
    let metrics = house.gateway.admin().metrics();
    let reason = [("reason", "link_leads_past")];
    assert_eq!(metrics.count("t8gate_requests_refused_total", &reason), 14);
    let log = house.gateway.log();
    assert!(!log.contains("10.1.2.3"), "{log}");
    // The next answer is served.
    assert_eq!(leads(&house, "GET", "200 OK", "").status, 200);
}

#[test]
fn other_fields_lead_to_the_gateway_or_not_at_all() {
    let house = house();
    let fields = "Content-Location: http://scef-b:8080/1\r\n\
                  Link: <http://scef-b:8080/2>; rel=\"next\"\r\n\
                  Alt-Svc: h2=\"10.1.2.3:8080\"\r\n\
                  3gpp-Sbi-Producer-Id: nfinst=10.1.2.3\r\n";
    let response = leads(&house, "GET", "200 OK", fields);
    let (at, next) = (format!("{PUBLIC}/1"), format!("<{PUBLIC}/2>; rel=\"next\""));
    assert_eq!(response.field("content-location"), Some(&*at));
    assert_eq!(response.field("link"), Some(&*next));
    assert_eq!(response.field("alt-svc"), None);
    assert_eq!(response.field("3gpp-sbi-producer-id"), None);
    let past = fields.replace("scef-b", "10.1.2.3");
    let response = leads(&house, "GET", "200 OK", &past);
    assert_eq!(response.status, 200);
    assert!(!format!("{:?}", response.fields).contains("10.1.2.3"));
}

#[test]
fn interim_answers_lead_nowhere() {
    let house = house();
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: <http://10.1.2.3/x>\r\nX-A: b\r\n\r\n";
    house.origin.script(vec![
        Act::ReadBody,
        Act::Send(hints.as_bytes().to_vec()),
        Act::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
    ]);
    let mut client = house.client();
    let asked = head("GET", RESOURCE, &house.token(), "");
    client.send(asked).unwrap();
    let interim = client.read_head().unwrap();
    assert_eq!((interim.status, interim.field("x-a")), (103, Some("b")));
    assert_eq!(interim.field("link"), None);
}

/// Behind the gateway clients cannot say where what they ask for is to be looked for.
#[test]
fn targets_of_the_inside_do_not_come_from_outside() {
    let house = house();
    let fields = "3gpp-Sbi-Target-apiRoot: http://10.1.2.3\r\n3gpp_sbi_callback: x\r\n\
                  3gpp-Optional-Features: nf=1\r\n";
    let response = house
        .client()
        .ask(head("GET", PATH, &house.token(), fields));
    assert_eq!(response.status, 200);
    let received = house.origin.only();
    assert_eq!(received.field("3gpp-sbi-target-apiroot"), None);
    assert_eq!(received.field("3gpp_sbi_callback"), None);
    assert_eq!(received.field("3gpp-optional-features"), Some("nf=1"));
}

#[test]
fn links_stay_as_they_are_where_nobody_says_what_the_gateway_is_called() {
    let house = House::open();
    let fields = "Location: http://10.1.2.3/a\r\nLink: <//b>\r\n";
    let response = leads(&house, "POST", "201 Created", fields);
    assert_eq!(response.status, 201);
    assert_eq!(response.field("location"), Some("http://10.1.2.3/a"));
    assert_eq!(response.field("link"), Some("<//b>"));
}

#[test]
fn reload_changes_where_links_lead() {
    let mut house = house();
    house.rewrite(|config| {
        config.set("listen.api_roots", "[\"https://t8.example\"]");
        config.set("upstream.api_roots", "[\"http://scef-c\"]");
    });
    reload(&house);
    let response = leads(
        &house,
        "POST",
        "201 Created",
        "Location: http://scef-c/1\r\n",
    );
    assert_eq!(response.field("location"), Some("https://t8.example/1"));
    let past = "Location: http://scef-b:8080/1\r\n";
    assert_eq!(leads(&house, "POST", "201 Created", past).status, 502);
}

#[test]
fn check_says_where_links_lead() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    stage.config.set_text("listen.address", free_address());
    let said = |stage: &Stage| {
        let file = write(stage.scratch.path(), &stage.config);
        let outcome = check(&file, &stage.environment);
        assert!(outcome.status.success(), "{}", outcome.stderr);
        let row = outcome.stdout.lines().find(|line| line.contains(" links "));
        row.expect("a row").to_owned()
    };
    let row = said(&stage);
    assert!(row.contains("listen.api_roots is not set"), "{row}");
    stage
        .config
        .set("listen.api_roots", &format!("[{PUBLIC:?}]"));
    let row = said(&stage);
    let wanted = format!("to http://{} become links to {PUBLIC}", origin.address);
    assert!(row.contains(&wanted), "{row}");
}
