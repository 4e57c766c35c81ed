//! No identity of a subscriber leaves, in whatever part of an answer it stands, and none comes in.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::authorization::assert_problem;
use crate::harness::client::{Client, get, head, request};
use crate::harness::origin::{Act, ok, usual_body};
use crate::harness::stage::{House, PATH, RESOURCE, Stage};
use crate::harness::wait_until;

/// A subscriber of a network that is none.
pub const IMSI: &str = "001010123456789";
/// Eight of its digits that no other octets of a test have.
const PART: &str = "10123456";

pub fn guarded(stage: &mut Stage) {
    stage
        .config
        .set("privacy.plmns", "[\"001-01\", \"999-070\"]");
    stage.config.set("privacy.devices", "true");
    stage.watch();
}

fn house() -> House {
    House::open_staged(guarded)
}

//= RFC 9110 section 15.3.7 type=test
//# In parts no identity could be seen.
#[test]
fn parts_of_answers_are_neither_asked_for_nor_let_out() {
    let house = house();
    let (mut client, token) = (house.client(), house.token());
    let fields = "Range: bytes=0-7\r\nIf-Range: \"1\"\r\nA-IM: diffe\r\nX: y\r\n";
    let asked = head("GET", PATH, &token, fields);
    assert_eq!(client.ask(&asked).status, 200);
    let reached = house.origin.last();
    let present = ["range", "if-range", "a-im", "x"].map(|name| reached.field(name).is_some());
    assert_eq!(present, [false, false, false, true]);
    for status in ["206 Partial Content", "226 IM Used"] {
        house.origin.answer(format!(
            "HTTP/1.1 {status}\r\nContent-Range: bytes 0-7/8\r\nContent-Length: 7\r\n\r\n0010101"
        ));
        let response = client.get(PATH, &token);
        assert_problem(&response, 502);
        let problem: Value = serde_json::from_slice(&response.body).expect("a problem");
        assert_eq!(problem["cause"], "ANSWER_UNGUARDED", "{status}");
        if response.field("connection") == Some("close") {
            client = house.client();
        }
    }
}

/// The forms of identities, as values of JSON strings.
fn forms() -> Vec<(&'static str, String)> {
    let tbcd = [0x00, 0x01, 0x01, 0x21, 0x43, 0x65, 0x87, 0xf9];
    let mut mobile = vec![4, 8];
    mobile.extend_from_slice(&tbcd);
    let said = |form: &'static str, text: &str| (form, text.to_owned());
    vec![
        said("imsi", IMSI),
        said("imsi", "00101012345678"),
        said("imsi", "999070123456789"),
        said("supi_imsi", "imsi-001010123456789"),
        said("supi_imsi", "IMSI-26201"),
        said("supi_nai", "nai-user@realm.example"),
        said("supi_gci", "gci-cable-modem-1"),
        said("supi_gli", "gli-wire-line-1"),
        said("suci", "suci-0-001-01-0000-0-0-0123456789"),
        said(
            "nai",
            "type0.rid0.schid0.userid0123456789@5gc.mnc001.mcc001.3gppnetwork.org",
        ),
        said(
            "nai",
            "0001010123456789@nai.epc.mnc001.mcc001.3gppnetwork.org",
        ),
        said("nai", "6001010123456789@wlan.mnc001.mcc001.3gppnetwork.org"),
        said("nai", "home.example!0001010123456789@visited.example"),
        said(
            "nai",
            "imsi001010123456789@sos.nai.epc.mnc001.mcc001.3gppnetwork.org",
        ),
        said(
            "nai",
            "sip:001010123456789@ims.mnc001.mcc001.3gppnetwork.org",
        ),
        said("nai", "x@5gc.nid000007ed9d5.mnc001.mcc001.3gppnetwork.org"),
        said("group_id", "0a0b0c0d-001-01-0a1b2c"),
        said("pei", "imei-490154203237518"),
        said("imsi", "\\u0030\\u0030101012345\\u0036789"),
        said("imsi", "001 01-0123.456789"),
        said("imsi", "%300101012345678%39"),
        ("tbcd", STANDARD.encode(tbcd)),
        ("tbcd", STANDARD.encode(mobile)),
        ("imsi", STANDARD.encode(IMSI)),
    ]
}

/// The audit record of a request.
pub fn record(stage: &Stage, id: &str) -> Value {
    let file = stage.scratch.path().join("audit.jsonl");
    let mut found = None;
    wait_until("the record", || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let line = text.lines().find(|line| line.contains(id));
        found = line.and_then(|line| serde_json::from_str(line).ok());
        found.is_some()
    });
    found.expect("it was waited for")
}

/// Asked for, the answer is withheld; the record names the form and the place and no identity.
pub fn withheld(house: &House, client: &mut Client, answer: &[u8], form: &str, at: &str) {
    let shown = String::from_utf8_lossy(answer).into_owned();
    house.origin.answer(answer);
    let response = client.get(PATH, &house.token());
    assert_eq!(response.status, 502, "{shown}");
    assert_problem(&response, 502);
    let problem: Value = serde_json::from_slice(&response.body).expect("a problem");
    assert_eq!(problem["cause"], "IDENTITY_IN_ANSWER", "{shown}");
    assert!(!format!("{response:?}").contains(PART), "{shown}");
    let id = response
        .field("x-request-id")
        .expect("every answer has one");
    let record = record(&house.stage, id);
    let told = (
        &record["reason"],
        &record["identity"],
        &record["at"],
        &record["done"],
    );
    let told = (
        told.0.as_str(),
        told.1.as_str(),
        told.2.as_str(),
        told.3.as_str(),
    );
    let wanted = (
        Some("identity_in_answer"),
        Some(form),
        Some(at),
        Some("blocked"),
    );
    assert_eq!(told, wanted, "{shown}");
    assert!(record["response_bytes"].is_null(), "{shown}");
    assert!(
        record["pseudonym"]
            .as_str()
            .is_some_and(|said| said.contains(':'))
    );
    assert!(!record.to_string().contains(PART), "{shown}");
}

//= TS 33.187 clause 4.7 type=test
//# The IMSI is not sent outside: neither in a value, nor in a name, nor as a number.
#[test]
fn every_form_of_an_identity_in_a_body_is_withheld() {
    let house = house();
    let mut client = house.client();
    for (form, value) in forms() {
        let body = format!(r#"{{"self":"https://scef.example/1","details":["{value}"]}}"#);
        withheld(
            &house,
            &mut client,
            &ok(body.as_bytes()),
            form,
            "/details/0",
        );
    }
    let name = format!(r#"{{"relatedUEs":{{"imsi-{IMSI}":{{}}}}}}"#);
    withheld(
        &house,
        &mut client,
        &ok(name.as_bytes()),
        "supi_imsi",
        "/relatedUEs/*",
    );
    let number = r#"{"vendorCount":999070123456789}"#;
    withheld(&house, &mut client, &ok(number.as_bytes()), "imsi", "/*");
    let member = br#"{"supi":"whatever"}"#;
    withheld(&house, &mut client, &ok(member), "member", "/supi");
    // Of one that says nothing of itself: as a text.
    let bare = format!("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\nabout {IMSI}");
    withheld(&house, &mut client, bare.as_bytes(), "imsi", "body");
    let metrics = house.gateway.admin().metrics();
    let refused = |reason| metrics.count("t8gate_requests_refused_total", &[("reason", reason)]);
    assert_eq!(refused("identity_in_answer"), forms().len() + 4);
}

//= TS 33.187 clause 4.7 type=test
//# It is not sent in a head either.
#[test]
fn identities_in_heads_of_answers_are_withheld() {
    let house = house();
    let mut client = house.client();
    let usual = ok(&usual_body());
    let usual = String::from_utf8(usual).expect("ASCII");
    let (_, rest) = usual.split_once("\r\n").expect("a status line");
    for (line, form, at) in [
        (format!("200 Found {IMSI}\r\n"), "imsi", "status"),
        (format!("200 imsi-{IMSI}\r\n"), "supi_imsi", "status"),
        (
            format!("201 Created\r\nLocation: https://scef.example/{IMSI}\r\n"),
            "imsi",
            "header:location",
        ),
        (
            format!("307 Temporary Redirect\r\nLocation: /3gpp-nidd/v1/imsi-{IMSI}/x\r\n"),
            "supi_imsi",
            "header:location",
        ),
        (
            "308 Permanent Redirect\r\nLocation: /?ue=%69msi-001010123456789\r\n".to_owned(),
            "imsi",
            "header:location",
        ),
        (
            format!("200 OK\r\nX-Vendor: about {IMSI}\r\n"),
            "imsi",
            "header:x-vendor",
        ),
        (format!("200 OK\r\nX-{IMSI}: 1\r\n"), "imsi", "header:*"),
        (
            format!("200 OK\r\nX-447700900123: {IMSI}\r\n"),
            "imsi",
            "header:*",
        ),
        (
            format!("200 OK\r\nX-Packed: {}\r\n", STANDARD.encode(IMSI)),
            "imsi",
            "header:x-packed",
        ),
        (
            format!("200 OK\r\nSet-Cookie: ue={IMSI}; Path=/\r\n"),
            "imsi",
            "header:set-cookie",
        ),
        (
            format!("200 OK\r\nWarning: 199 - \"{IMSI}\"\r\n"),
            "imsi",
            "header:warning",
        ),
    ] {
        let answer = format!("HTTP/1.1 {line}{rest}");
        withheld(&house, &mut client, answer.as_bytes(), form, at);
    }
}

#[test]
fn identity_in_a_problem_of_the_scef_is_withheld() {
    let house = house();
    let mut client = house.client();
    for (member, at) in [
        ("detail", "/detail"),
        ("title", "/title"),
        ("instance", "/instance"),
    ] {
        let body = format!(r#"{{"status":404,"{member}":"no subscriber {IMSI}"}}"#);
        let answer = format!(
            "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json; charset=utf-8\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        withheld(&house, &mut client, answer.as_bytes(), "imsi", at);
    }
}

#[test]
fn interim_answer_with_an_identity_is_withheld_with_all_that_follows() {
    let house = house();
    let mut answer = format!("HTTP/1.1 103 Early Hints\r\nLink: </{IMSI}>\r\n\r\n").into_bytes();
    answer.extend_from_slice(&ok(b"{}"));
    withheld(&house, &mut house.client(), &answer, "imsi", "header:link");
}

#[test]
fn answer_to_head_is_looked_through_as_well() {
    let house = house();
    let mut client = house.client();
    house.origin.answer(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 306\r\nX-Ue: {IMSI}\r\n\r\n"
    ));
    let response = client.ask(head("HEAD", PATH, &house.token(), ""));
    assert_eq!((response.status, response.body.len()), (502, 0));
    assert_eq!(response.field("x-ue"), None);
    house
        .origin
        .answer("HTTP/1.1 200 OK\r\nContent-Length: 306\r\nX-Ue: none\r\n\r\n");
    let response = client.ask(head("HEAD", PATH, &house.token(), ""));
    assert_eq!(
        (response.status, response.field("x-ue")),
        (200, Some("none"))
    );
}

#[test]
fn identity_split_over_chunks_and_segments_is_withheld() {
    let house = house();
    let mut client = house.client();
    let body = format!(r#"{{"externalId":"meter@example.com","details":"{IMSI}"}}"#);
    let chunks: String = body.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                   Transfer-Encoding: chunked\r\n\r\n";
    let answer = format!("{chunked}{chunks}0\r\n\r\n");
    withheld(&house, &mut client, answer.as_bytes(), "imsi", "/details");
    // Every octet in a segment of its own, and the end in one more.
    let mut script = vec![Act::Send(chunked.as_bytes().to_vec())];
    for piece in chunks.as_bytes().chunks(1).chain([&b"0\r\n\r\n"[..]]) {
        script.push(Act::Send(piece.to_vec()));
        script.push(Act::Pause(Duration::from_micros(300)));
    }
    house.origin.script(script);
    assert_problem(&client.get(PATH, &house.token()), 502);
    // In two, with the rest of the body late.
    let at = body.find("0123456789").expect("its digits");
    house.origin.script(vec![
        Act::Send(ok(body.as_bytes())[..ok(b"").len() + at + 1].to_vec()),
        Act::Pause(Duration::from_millis(100)),
        Act::Send(ok(body.as_bytes())[ok(b"").len() + at + 1..].to_vec()),
    ]);
    assert_problem(&client.get(PATH, &house.token()), 502);
}

#[test]
fn trailers_and_chunk_extensions_of_answers_go_no_further() {
    let house = house();
    let mut client = house.client();
    house.origin.answer(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
         Trailer: X-Ue\r\n\r\n2;ue={IMSI}\r\n{{}}\r\n0;imsi-{IMSI}\r\nX-Ue: imsi-{IMSI}\r\n\r\n"
    ));
    client.send(get(PATH, &house.token())).unwrap();
    let response = client.answer();
    assert_eq!((response.status, response.text()), (200, "{}".to_owned()));
    assert!(!format!("{response:?}").contains(PART));
    assert_eq!(client.get(PATH, &house.token()).body, usual_body());
}

/// A long JSON text, with one value somewhere.
pub fn long_body(bytes: usize, value: &str) -> String {
    let mut body = r#"{"monitoringEventReports":["#.to_owned();
    while body.len() < bytes {
        body.push_str(r#"{"msisdn":"447700900123","externalId":"meter-7@iot.example.net"},"#);
    }
    body + &format!(r#"{{"externalId":"{value}"}},{{"msisdn":"447700900124"}}]}}"#)
}

#[test]
fn body_within_the_bound_is_withheld_whole() {
    let house = house();
    let mut client = house.client();
    for bytes in [70_000, 300_000, 1_000_000] {
        let body = long_body(bytes, &format!("imsi-{IMSI}"));
        assert!(body.len() < 1 << 20);
        house.origin.answer(ok(body.as_bytes()));
        assert_problem(&client.get(PATH, &house.token()), 502);
        let clean = long_body(bytes, "meter-8@iot.example.net");
        house.origin.answer(ok(clean.as_bytes()));
        let response = client.get(PATH, &house.token());
        assert!(
            response.status == 200 && response.body == clean.as_bytes(),
            "{bytes}"
        );
    }
}

#[test]
fn longer_body_is_cut_before_the_first_digit_of_an_identity() {
    let house = House::open_staged(|stage| {
        guarded(stage);
        stage.config.set_text("limits.guarded_bytes_max", "64KiB");
    });
    let value = format!("imsi-{IMSI}");
    for bytes in [70_000, 200_000, 1_500_000] {
        let body = long_body(bytes, &value);
        let clean = body.find(&value).expect("it is there");
        let whole = ok(body.as_bytes());
        let chunks: Vec<u8> = body
            .as_bytes()
            .chunks(1_000)
            .fold(Vec::new(), |mut all, chunk| {
                all.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                all.extend_from_slice(chunk);
                all.extend_from_slice(b"\r\n");
                all
            });
        let chunked = [
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
              Transfer-Encoding: chunked\r\n\r\n",
            &chunks[..],
            b"0\r\n\r\n",
        ]
        .concat();
        for answer in [whole, chunked] {
            house.origin.answer(answer);
            let mut client = house.client();
            client.send(get(PATH, &house.token())).unwrap();
            let head = client.read_head().unwrap();
            assert_eq!(head.status, 200, "{bytes}");
            let got = client.read_to_end();
            // Its end is missing, and so one sees it.
            match head.field("content-length") {
                Some(length) => assert!(got.len() < length.parse().unwrap(), "{bytes}"),
                None => assert!(!got.ends_with(b"\r\n0\r\n\r\n"), "{bytes}"),
            }
            let text = String::from_utf8_lossy(&got);
            assert!(!text.contains("0010") && !text.contains("imsi"), "{bytes}");
            assert!(
                got.len() > bytes - 70_000 && got.len() < clean + clean / 10,
                "{bytes}"
            );
        }
        let clean = long_body(bytes, "meter-8@iot.example.net");
        house.origin.answer(ok(clean.as_bytes()));
        assert!(house.client().get(PATH, &house.token()).body == clean.as_bytes());
    }
    let metrics = house.gateway.admin().metrics();
    let cut = metrics.count(
        "t8gate_requests_refused_total",
        &[("reason", "identity_in_answer")],
    );
    assert_eq!(cut, 6);
}

#[test]
fn long_body_is_read_on_where_it_was_while_others_are_looked_through() {
    let house = House::open_staged(|stage| {
        guarded(stage);
        stage.config.set_text("limits.guarded_bytes_max", "64KiB");
    });
    let token = house.token();
    // Digits that are an MSISDN where they stand, and an IMSI anywhere else.
    let body = long_body(200_000, "x@y.example") + " ";
    let body = body.replace("447700900124", "999070123456789");
    let answer = ok(body.as_bytes());
    let (begin, end) = answer.split_at(answer.len() - 300);
    house.origin.script(vec![
        Act::Send(begin.to_vec()),
        Act::Pause(Duration::from_millis(500)),
        Act::Send(end.to_vec()),
    ]);
    let mut slow = house.client();
    slow.send(get(PATH, &token)).unwrap();
    assert_eq!(house.gateway.shard_tids().len(), 1);
    house.origin.await_requests(1);
    let mut other = house.client();
    for _ in 0..20 {
        house
            .origin
            .answer(ok(br#"{"title":"100%20sure","a":[[["b"]]]}"#));
        assert_eq!(other.get(PATH, &token).status, 200);
    }
    let head = slow.read_head().unwrap();
    assert_eq!(head.status, 200);
    assert!(slow.read_exactly(body.len()).unwrap() == body.as_bytes());
}

#[test]
fn value_that_is_longer_than_the_bound_is_cut_off() {
    let house = House::open_staged(|stage| {
        guarded(stage);
        stage.config.set_text("limits.guarded_bytes_max", "64KiB");
    });
    let body = format!(r#"{{"data":"{}"}}"#, "z".repeat(200_000));
    house.origin.answer(ok(body.as_bytes()));
    let mut client = house.client();
    client.send(get(PATH, &house.token())).unwrap();
    // What stands before the value, and nothing more.
    assert_eq!(client.read_head().unwrap().status, 200);
    assert_eq!(client.read_to_end(), br#"{"data":"#);
    let file = house.stage.scratch.path().join("audit.jsonl");
    wait_until("the record", || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        text.contains("\"outcome\":\"cut\",\"reason\":\"answer_unguarded\"")
            && text.contains("\"detail\":\"value_too_long\"")
    });
}

#[test]
fn clean_answers_pass_octet_for_octet() {
    let house = house();
    let mut client = house.client();
    for body in [
        "{}",
        " [ 1 , 2 ]\r\n",
        "not JSON at all",
        r#"{"a":"\u00e9\/","a":1e5}"#,
        // What looks like an IMSI, where something else has to be.
        r#"{"msisdn":"999070123456789"}"#,
        r#"{"gpsi":"msisdn-999070123456789"}"#,
        r#"{"externalId":"meter-7@iot.example.net"}"#,
        r#"{"imeiTacs":["35209900","00101012"]}"#,
        r#"{"monitoringType":"CHANGE_OF_IMSI_IMEI_ASSOCIATION","imeiChange":"IMEISV"}"#,
        r#"{"supportedFeatures":"001010123456789"}"#,
        r#"{"cellIds":["00101-0a1b2c3","001010123456789"],"tac":"0a1b"}"#,
        r#"{"volume":99907012345678,"totalVolume":999070123456789}"#,
        r#"{"eventTime":"2026-11-30T12:34:56.789012Z"}"#,
        r#"{"iccid":"89010101012345678901","plmnId":{"mcc":"001","mnc":"01"}}"#,
        r#"{"self":"https://t8.example/3gpp-nidd/v1/acme/configurations/5f2b7c0e"}"#,
        r#"{"ipv6Addr":"2001:db8::1","port":65535,"locationArea":{"lat":48.137154,"lon":11.57}}"#,
    ] {
        house.origin.answer(ok(body.as_bytes()));
        let response = client.get(PATH, &house.token());
        assert_eq!((response.status, response.text()), (200, body.to_owned()));
    }
}

//= RFC 9110 section 8.4 type=test
//# What is coded cannot be looked through, and is not asked for.
#[test]
fn coded_answers_are_refused_and_not_asked_for() {
    let house = house();
    let mut client = house.client();
    for (fields, detail) in [
        ("Content-Encoding: gzip\r\n", "content_coding"),
        ("content-encoding: br\r\n", "content_coding"),
        (
            "Content-Encoding: identity\r\nContent-Encoding: deflate\r\n",
            "content_coding",
        ),
        (
            "Content-Type: application/json; charset=utf-16\r\n",
            "charset",
        ),
        (
            "Content-Type: text/plain\r\nContent-Type: application/json\r\n",
            "content_type_repeated",
        ),
    ] {
        house.origin.answer(format!(
            "HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\n{{}}"
        ));
        let response = client.get(PATH, &house.token());
        assert_problem(&response, 502);
        let id = response
            .field("x-request-id")
            .expect("every answer has one");
        let record = record(&house.stage, id);
        let told = (record["reason"].as_str(), record["detail"].as_str());
        assert_eq!(told, (Some("answer_unguarded"), Some(detail)), "{fields}");
    }
    // By gzip, said or not: of one record, and longer than what is relayed at a time.
    for length in [20, 100_000] {
        let mut body = vec![0xab; length];
        body[..3].copy_from_slice(&[0x1f, 0x8b, 8]);
        for kind in ["application/json", "application/gzip", "text/plain"] {
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
            );
            house.origin.answer([head.as_bytes(), &body].concat());
            let response = house.client().get(PATH, &house.token());
            assert_problem(&response, 502);
            let id = response.field("x-request-id").expect("an id");
            assert_eq!(
                record(&house.stage, id)["detail"],
                "content_coding",
                "{kind}"
            );
        }
    }
    house
        .origin
        .answer("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}");
    client.ask(head(
        "GET",
        PATH,
        &house.token(),
        "Accept-Encoding: gzip, br\r\n",
    ));
    assert_eq!(house.origin.last().field("accept-encoding"), None);
}

//= TS 33.187 clause 4.7 type=test
//# Who is outside has no IMSI to send.
#[test]
fn identities_in_heads_of_requests_are_refused() {
    let house = house();
    let mut client = house.client();
    let token = house.token();
    let packed = STANDARD.encode(IMSI);
    for (target, fields, at) in [
        (format!("{PATH}/{IMSI}"), String::new(), "path"),
        (format!("{PATH}/imsi-{IMSI}"), String::new(), "path"),
        (
            format!("{PATH}/%30010%31012345678%39"),
            String::new(),
            "path",
        ),
        (format!("{PATH}?ue=imsi-{IMSI}"), String::new(), "query"),
        (
            format!("{PATH}?ip-addrs=%5B%22{IMSI}%22%5D"),
            String::new(),
            "query",
        ),
        (PATH.to_owned(), format!("X-Ue: {IMSI}\r\n"), "header:x-ue"),
        (
            PATH.to_owned(),
            format!("Referer: https://a.example/{IMSI}\r\n"),
            "header:referer",
        ),
        (
            PATH.to_owned(),
            format!("X-Packed: {packed}\r\n"),
            "header:x-packed",
        ),
        (PATH.to_owned(), format!("X-imsi-{IMSI}: 1\r\n"), "header:*"),
    ] {
        let before = house.origin.requests();
        let response = client.ask(head("GET", &target, &token, &fields));
        assert_problem(&response, 400);
        assert!(!format!("{response:?}").contains(PART), "{target} {fields}");
        assert_eq!(house.origin.requests(), before, "{target} {fields}");
        let id = response
            .field("x-request-id")
            .expect("every answer has one");
        let record = record(&house.stage, id);
        let told = (record["reason"].as_str(), record["at"].as_str());
        assert_eq!(
            told,
            (Some("identity_in_request"), Some(at)),
            "{target} {fields}"
        );
        assert!(!record.to_string().contains(PART), "{record}");
    }
    // The connection goes on, and what is nobody's is let in.
    let ids = format!("{PATH}/5f2b7c0e-9d41?ip-domain=a.example");
    assert_eq!(client.get(&ids, &token).status, 200);
    // A token holds what it holds; it goes no further.
    let long = request(
        "DELETE",
        RESOURCE,
        &token,
        "X-Trace: 00-4bf92f3577b34da6-01\r\n",
        b"",
    );
    assert_eq!(client.ask(long).status, 200);
    let absolute = format!(
        "GET {PATH} HTTP/1.1\r\nHost: imsi-{IMSI}.example\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    assert_problem(&client.ask(absolute), 400);
}

#[test]
fn body_of_an_answer_that_breaks_off_within_the_bound_is_a_bad_gateway() {
    let house = house();
    house.origin.script(vec![
        Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst".to_vec()),
        Act::Close,
    ]);
    let mut client = house.client();
    assert_problem(&client.get(PATH, &house.token()), 502);
    assert_eq!(client.get(PATH, &house.token()).status, 200);
}

#[test]
fn networks_are_named_in_full() {
    let origin = crate::harness::origin::Origin::start();
    let mut stage = Stage::new(origin.address);
    stage.config.set("privacy.plmns", "[\"00101\"]");
    let file = crate::harness::gateway::write(stage.scratch.path(), &stage.config);
    let outcome = crate::harness::gateway::check(&file, &stage.environment);
    assert!(!outcome.status.success());
    assert!(
        outcome.stderr.contains("is no network"),
        "{}",
        outcome.stderr
    );
}
