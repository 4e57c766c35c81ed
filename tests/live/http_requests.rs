//! Requests as clients send them: good ones forwarded whole, ambiguous ones refused.

use std::time::Duration;

use crate::authorization::assert_problem;
use crate::harness::client::{HOST, get, head, json_of, request};
use crate::harness::origin::{Act, ok};
use crate::harness::peers;
use crate::harness::run_well;
use crate::harness::stage::{House, PATH, RESOURCE};

/// Refused with this status, the connection closed, and the SCEF none the wiser.
fn refused(house: &House, bytes: impl AsRef<[u8]>, status: u16) {
    let shown = String::from_utf8_lossy(bytes.as_ref())
        .chars()
        .take(300)
        .collect::<String>();
    let mut client = house.client();
    let response = client.ask(&bytes);
    assert_eq!(response.status, status, "{shown}");
    assert_problem(&response, status);
    assert_eq!(response.field("connection"), Some("close"), "{shown}");
    assert!(client.closed(), "left open after {shown}");
    assert_eq!(house.origin.requests(), 0, "{shown}");
}

/// A GET with these further field lines, each with its end.
fn with_fields(house: &House, fields: &str) -> String {
    head("GET", PATH, &house.token(), fields)
}

/// A POST with these field lines and octets after the head.
fn posting(house: &House, fields: &str, rest: &str) -> String {
    head("POST", PATH, &house.token(), fields) + rest
}

#[test]
fn keep_alive_serves_request_after_request() {
    let house = House::open();
    let mut client = house.client();
    for number in 1..=20 {
        let response = client.get(&format!("{PATH}?n={number}"), &house.token());
        assert_eq!((response.status, response.body.len()), (200, 306));
    }
    assert_eq!(
        (house.origin.requests(), house.origin.connections()),
        (20, 1)
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let house = House::open();
    let mut client = house.client();
    let token = house.token();
    house.origin.script(vec![
        Act::Pause(Duration::from_millis(100)),
        Act::Send(ok(b"0")),
    ]);
    let mut all = Vec::new();
    for number in 0..10 {
        if number > 0 {
            house.origin.answer(ok(number.to_string().as_bytes()));
        }
        all.extend_from_slice(get(&format!("{PATH}?n={number}"), &token).as_bytes());
    }
    client.send(&all).unwrap();
    for number in 0..10 {
        assert_eq!(client.answer().text(), number.to_string());
    }
}

#[test]
fn request_after_a_pipelined_body_is_found() {
    let house = House::open();
    let mut client = house.client();
    let token = house.token();
    let mut all = request(
        "POST",
        PATH,
        &token,
        "",
        b"{\"a\":\"GET / HTTP/1.1\"}\r\n\r\n",
    );
    all.extend_from_slice(get(RESOURCE, &token).as_bytes());
    client.send(&all).unwrap();
    assert_eq!((client.answer().status, client.answer().status), (200, 200));
    let received = house.origin.received();
    assert_eq!(received[0].body, b"{\"a\":\"GET / HTTP/1.1\"}\r\n\r\n");
    assert_eq!(received[1].target, RESOURCE);
}

#[test]
fn head_that_comes_octet_by_octet_is_served() {
    let house = House::open();
    let mut client = house.client();
    for octet in get(PATH, &house.token()).as_bytes() {
        client.send([*octet]).unwrap();
    }
    assert_eq!(client.answer().status, 200);
}

#[test]
fn body_by_length_arrives_whole() {
    let house = House::open();
    let body = json_of(400_000);
    let response = house
        .client()
        .ask(request("POST", PATH, &house.token(), "", &body));
    assert_eq!(response.status, 200);
    let received = house.origin.only();
    assert_eq!(received.field("content-length"), Some("400000"));
    assert!(received.body == body && received.complete);
}

#[test]
fn chunked_body_arrives_whole_and_without_trailers() {
    let house = House::open();
    let fields = "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n";
    let rest =
        "5;name=\"v\"\r\n{\"a\":\r\n0002\r\n1}\r\n0\r\nX-Sum: 1\r\nX-SCS-AS-Id: globex\r\n\r\n";
    let mut client = house.client();
    assert_eq!(client.ask(posting(&house, fields, rest)).status, 200);
    let received = house.origin.only();
    // It was read whole.
    assert_eq!(received.field("transfer-encoding"), None);
    assert_eq!(received.field("content-length"), Some("7"));
    assert_eq!(received.body, b"{\"a\":1}");
    assert_eq!(
        (received.field("trailer"), received.field("x-sum")),
        (None, None)
    );
    // Nothing of the trailer is left for the next request.
    assert_eq!(client.get(PATH, &house.token()).status, 200);
}

#[test]
fn chunked_body_that_comes_octet_by_octet_arrives_whole() {
    let house = House::open();
    let mut client = house.client();
    let all = posting(
        &house,
        "Transfer-Encoding: chunked\r\n",
        "a\r\n{\"abcd\":0}\r\n0\r\n\r\n",
    );
    for octet in all.as_bytes() {
        client.send([*octet]).unwrap();
    }
    assert_eq!(client.answer().status, 200);
    assert_eq!(house.origin.only().body, b"{\"abcd\":0}");
}

#[test]
fn connection_close_is_honoured() {
    let house = House::open();
    let mut client = house.client();
    let response = client.ask(with_fields(&house, "Connection: close\r\n"));
    assert_eq!(response.status, 200);
    assert_eq!(response.field("connection"), Some("close"));
    assert!(client.closed());
}

//= RFC 9110 section 10.1.1 type=test
//# Whoever waits for leave to send a body gets it, or a refusal.
#[test]
fn expectation_of_100_is_met() {
    let house = House::open();
    let mut client = house.client();
    let fields = "Expect: 100-continue\r\nContent-Length: 2\r\n";
    client
        .send(head("POST", PATH, &house.token(), fields))
        .unwrap();
    let interim = client.read_head().unwrap();
    assert_eq!(interim.status, 100);
    assert_eq!(house.origin.requests(), 0, "the gateway waits for it");
    client.send("{}").unwrap();
    assert_eq!(client.answer().status, 200);
    let received = house.origin.only();
    assert_eq!(
        (received.field("expect"), &*received.body),
        (None, &b"{}"[..])
    );
}

#[test]
fn expectation_of_100_is_refused_before_the_body() {
    let house = House::open();
    let mut client = house.client();
    let fields = "Expect: 100-continue\r\nContent-Length: 4\r\n";
    let response = client.ask(head("POST", PATH, "bad", fields));
    assert_eq!((response.status, response.interim.len()), (401, 0));
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn curl_that_expects_100_is_served() {
    let house = House::open();
    let stage = &house.stage;
    let ca = &stage.operator_ca.certificate;
    let mut curl = peers::curl(house.gateway.address, ca, Some(&stage.acme));
    curl.args([
        "--header",
        &format!("Authorization: Bearer {}", house.token()),
    ]);
    curl.args([
        "--header",
        "Expect: 100-continue",
        "--expect100-timeout",
        "8",
    ]);
    curl.args([
        "--header",
        "Content-Type: application/json",
        "--data-binary",
        "{}",
        "--write-out",
        "%{http_code}",
        "--output",
        "/dev/null",
    ]);
    assert_eq!(
        run_well(curl.arg(peers::url(house.gateway.address, PATH))),
        "200"
    );
    assert_eq!(house.origin.only().body, b"{}");
}

//= RFC 9110 section 10.1.1 type=test
//# An expectation we do not know is 417.
#[test]
fn unknown_expectation_is_refused() {
    let house = House::open();
    let asked = posting(&house, "Expect: miracles\r\nContent-Length: 0\r\n", "");
    assert_problem(&house.client().ask(asked), 417);
    assert_eq!(house.origin.requests(), 0);
}

//= RFC 9112 section 6.1 type=test
//# Length and coding together are a smuggler's tool.
#[test]
fn length_with_transfer_encoding_is_refused() {
    let house = House::open();
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        refused(&house, posting(&house, fields, "0\r\n\r\n"), 400);
    }
}

//= RFC 9112 section 6.3 type=test
//# A length is one number, written in digits alone.
#[test]
fn ambiguous_length_is_refused() {
    let house = House::open();
    for fields in [
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 01\r\n",
        "Content-Length: 0x1\r\n",
        "Content-Length: 1 1\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n",
    ] {
        refused(&house, posting(&house, fields, "a"), 400);
    }
}

//= RFC 9112 section 6.1 type=test
//# The one coding is chunked, and it is said once.
#[test]
fn other_transfer_encoding_than_chunked_is_refused() {
    let house = House::open();
    for value in [
        "gzip",
        "gzip, chunked",
        "chunked, chunked",
        "xchunked",
        "chunked;q=1",
        "identity",
        "",
    ] {
        let fields = format!("Transfer-Encoding: {value}\r\n");
        refused(&house, posting(&house, &fields, "0\r\n\r\n"), 400);
    }
    let fields = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    refused(&house, posting(&house, fields, "0\r\n\r\n"), 400);
}

#[test]
fn folded_field_is_refused() {
    let house = House::open();
    refused(&house, with_fields(&house, "X-A: a\r\n b\r\n"), 400);
    refused(&house, with_fields(&house, "X-A: a\r\n\tb\r\n"), 400);
}

#[test]
fn bare_line_ends_are_refused() {
    let house = House::open();
    refused(&house, with_fields(&house, "X-A: a\nX-B: b\r\n"), 400);
    refused(&house, with_fields(&house, "X-A: a\rX-B: b\r\n"), 400);
    refused(
        &house,
        format!("GET {PATH} HTTP/1.1\nHost: {HOST}\n\n\r\n\r\n"),
        400,
    );
}

#[test]
fn blank_before_the_colon_is_refused() {
    let house = House::open();
    refused(&house, with_fields(&house, "X-A : a\r\n"), 400);
    refused(&house, with_fields(&house, "Content-Length : 0\r\n"), 400);
    refused(&house, with_fields(&house, " X-A: a\r\n"), 400);
}

#[test]
fn controls_in_fields_are_refused() {
    let house = House::open();
    for octet in ['\0', '\x01', '\x0b', '\x7f'] {
        refused(
            &house,
            with_fields(&house, &format!("X-A: a{octet}b\r\n")),
            400,
        );
        refused(
            &house,
            with_fields(&house, &format!("X{octet}A: b\r\n")),
            400,
        );
    }
}

#[test]
fn malformed_fields_and_request_lines_are_refused() {
    let house = House::open();
    refused(&house, with_fields(&house, ": a\r\n"), 400);
    refused(&house, with_fields(&house, "no colon\r\n"), 400);
    refused(&house, with_fields(&house, "X(A): a\r\n"), 400);
    let rest = format!("Host: {HOST}\r\n\r\n");
    for line in [
        format!("GET  {PATH} HTTP/1.1"),
        format!("GET {PATH}  HTTP/1.1"),
        format!("GET {PATH} HTTP/1.1 "),
        format!("GET {PATH}"),
        format!("GET {PATH} http/1.1"),
        format!("G@T {PATH} HTTP/1.1"),
        format!(" GET {PATH} HTTP/1.1"),
        format!("GET {PATH}#part HTTP/1.1"),
        format!("GET {PATH}\x7f HTTP/1.1"),
        "GET 3gpp-nidd HTTP/1.1".to_owned(),
    ] {
        refused(&house, format!("{line}\r\n{rest}"), 400);
    }
}

//= RFC 9112 section 3.2 type=test
//# There is one Host.
#[test]
fn missing_repeated_or_malformed_host_is_refused() {
    let house = House::open();
    let auth = format!("Authorization: Bearer {}\r\n", house.token());
    for hosts in [
        String::new(),
        format!("Host: {HOST}\r\nHost: {HOST}\r\n"),
        format!("Host: {HOST}\r\nHost: other.example\r\n"),
        "Host: a b\r\n".to_owned(),
        "Host: user@t8.example\r\n".to_owned(),
        "Host: t8.example/x\r\n".to_owned(),
    ] {
        refused(
            &house,
            format!("GET {PATH} HTTP/1.1\r\n{hosts}{auth}\r\n"),
            400,
        );
    }
}

//= RFC 9112 section 3.2.2 type=test
//# An absolute target names the authority that Host names, and goes on as a path.
#[test]
fn absolute_target_is_taken_with_the_same_authority_only() {
    let house = House::open();
    let auth = format!("Authorization: Bearer {}\r\n", house.token());
    let asking = |authority: &str| {
        format!("GET https://{authority}{PATH} HTTP/1.1\r\nHost: {HOST}\r\n{auth}\r\n")
    };
    refused(&house, asking("other.example"), 400);
    refused(&house, asking("user@t8.example"), 400);
    assert_eq!(house.client().ask(asking(HOST)).status, 200);
    assert_eq!(house.origin.only().target, PATH);
}

#[test]
fn bad_chunks_are_refused() {
    let house = House::open();
    for rest in [
        "x\r\n\r\n",
        "\r\n\r\n",
        "-1\r\na\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        " 1\r\na\r\n0\r\n\r\n",
        "1 \r\na\r\n0\r\n\r\n",
        "1\na\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\r\na0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "00000000000000001\r\na\r\n0\r\n\r\n",
        "1;\0\r\na\r\n0\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\nX-A: a\nX-B: b\r\n\r\n",
    ] {
        let mut client = house.client();
        let response = client.ask(posting(&house, "Transfer-Encoding: chunked\r\n", rest));
        assert_eq!(response.status, 400, "{rest:?}");
        assert!(client.closed(), "{rest:?}");
    }
    // The SCEF may have seen a head, but no body that looked whole.
    assert!(
        house
            .origin
            .received()
            .iter()
            .all(|request| !request.complete)
    );
}

#[test]
fn chunk_extensions_over_their_bound_are_refused() {
    let house = House::open();
    let one = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(300));
    let many = format!(
        "{}0\r\n\r\n",
        format!("1;{}\r\na\r\n", "x".repeat(200)).repeat(200)
    );
    for rest in [one, many] {
        let mut client = house.client();
        let response = client.ask(posting(&house, "Transfer-Encoding: chunked\r\n", &rest));
        assert_eq!(response.status, 400);
        assert!(client.closed());
    }
}

/// Nothing is normalised: what two servers could read in two ways is refused by the first.
#[test]
fn ambiguous_paths_are_refused() {
    let house = House::open();
    let root = "/3gpp-monitoring-event/v1";
    for path in [
        format!("{root}/globex/../acme/subscriptions"),
        format!("{root}/./acme/subscriptions"),
        format!("{root}/acme/subscriptions/.."),
        format!("{root}/acme/%2e%2e/globex/subscriptions"),
        format!("{root}/acme/%2E/subscriptions"),
        format!("{root}//acme/subscriptions"),
        format!("/{root}/acme/subscriptions"),
        format!("{root}/acme%2Fsubscriptions"),
        format!("{root}/acme%2fsubscriptions/x"),
        format!("{root}/acme%5Csubscriptions"),
        format!("{root}/acme\\subscriptions"),
        format!("{root}/acme/subscriptions/%"),
        format!("{root}/acme/subscriptions/%4"),
        format!("{root}/acme/subscriptions/%zz"),
        format!("{root}/acme/subscriptions/%00"),
        format!("{root}/acme/subscriptions/%0d%0a"),
        format!("{root}/acme/subscriptions/%c0%ae"),
        format!("{root}/acme/subscriptions/%e0%80%af"),
        format!("{root}/acme/subscriptions/%ff"),
        format!("{root}/acme/subscriptions/%ed%a0%80"),
    ] {
        refused(&house, get(&path, &house.token()), 400);
    }
}

/// Decoded once: an encoded letter is that letter, and goes on as it came. What would have to be
/// decoded twice is refused, because somebody behind might.
#[test]
fn path_is_decoded_once() {
    let house = House::open();
    let path = format!("{PATH}/%252e%252e");
    refused(&house, get(&path, &house.token()), 400);
    let path = PATH.replace("acme", "%61cme");
    assert_eq!(house.client().get(&path, &house.token()).status, 200);
    assert_eq!(house.origin.only().target, path);
}

#[test]
fn head_over_its_bound_is_refused() {
    let house = House::open_with(|config| {
        config.set("limits.head_bytes_max", "\"8KiB\"");
    });
    let fields = format!("X-Long: {}\r\n", "x".repeat(9_000));
    refused(&house, with_fields(&house, &fields), 431);
    // Also one that never ends.
    let endless = format!(
        "GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nX-Long: {}",
        "x".repeat(9_000)
    );
    refused(&house, endless, 431);
}

#[test]
fn too_many_fields_are_refused() {
    let house = House::open();
    refused(&house, with_fields(&house, &"A: b\r\n".repeat(65)), 431);
}

#[test]
fn target_over_its_bound_is_refused() {
    let house = House::open_with(|config| {
        config.set("limits.target_bytes_max", "\"1KiB\"");
    });
    let path = format!("{PATH}?{}", "x".repeat(2_000));
    refused(&house, get(&path, &house.token()), 414);
    refused(&house, format!("GET {PATH}?{}", "x".repeat(2_000)), 414);
}

#[test]
fn body_over_its_bound_is_refused() {
    let house = House::open_with(|config| {
        config.set("limits.body_bytes_max", "\"1KiB\"");
    });
    let asked = head("POST", PATH, &house.token(), "Content-Length: 1025\r\n");
    assert_problem(&house.client().ask(asked), 413);
    assert_eq!(house.origin.requests(), 0);
    let whole = request("POST", PATH, &house.token(), "", &json_of(1024));
    assert_eq!(house.client().ask(whole).status, 200);
}

#[test]
fn chunked_body_over_its_bound_is_refused() {
    let house = House::open_with(|config| {
        config.set("limits.body_bytes_max", "\"1KiB\"");
    });
    let rest = format!("400\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(1024));
    let mut client = house.client();
    let response = client.ask(posting(&house, "Transfer-Encoding: chunked\r\n", &rest));
    assert_problem(&response, 413);
    assert!(client.closed());
    assert!(
        house
            .origin
            .received()
            .iter()
            .all(|request| !request.complete)
    );
}

#[test]
fn other_versions_of_http_are_refused() {
    let house = House::open();
    for version in ["HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "HTTP/0.9"] {
        let asked = get(PATH, &house.token()).replace("HTTP/1.1", version);
        refused(&house, asked, 505);
    }
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let response = house.client().ask(preface);
    assert!(matches!(response.status, 400 | 505), "{}", response.status);
}

#[test]
fn upgrade_is_not_honoured() {
    let house = House::open();
    let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    assert_eq!(house.client().ask(with_fields(&house, fields)).status, 200);
    let received = house.origin.only();
    assert_eq!(
        (received.field("upgrade"), received.field("connection")),
        (None, None)
    );
}

#[test]
fn refusal_of_a_whole_request_keeps_the_connection() {
    let house = House::open();
    let mut client = house.client();
    assert_eq!(
        client
            .ask(request("POST", "/nothing", "bad", "", b"a body"))
            .status,
        404
    );
    assert_eq!(client.get(PATH, &house.token()).status, 200);
}

#[test]
fn refusal_of_head_has_no_body() {
    let house = House::open();
    let mut client = house.client();
    let response = client.ask(format!("HEAD /nothing HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
    assert_eq!((response.status, response.body.len()), (404, 0));
    // A body would stand where the next answer should.
    assert_eq!(client.get(PATH, &house.token()).status, 200);
}
