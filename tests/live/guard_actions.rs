//! What is done about an identity that was found, by configuration; who is known as a subscriber;
//! and whose a pseudonym is.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::authorization::assert_problem;
use crate::guarded::{IMSI, guarded, long_body, record, withheld};
use crate::harness::client::{Response, request};
use crate::harness::gateway::t8gate;
use crate::harness::origin::{Origin, ok};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{WAIT, run, run_well, wait_until};
use crate::reload::{ON_SIGNAL, reload, reload_in_vain, said};

/// What pseudonyms are made with.
const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";

/// As many digits as an MSISDN may have, and an IMSI.
const NUMBER: &str = "999070123456789";

/// With a secret for pseudonyms, and a set of two known subscribers.
fn with_known(stage: &mut Stage) {
    guarded(stage);
    let secret = secret(stage);
    let list = stage
        .scratch
        .write("subscribers", format!("{IMSI}\n{NUMBER}\n"));
    let known = stage.scratch.path().join("subscribers.set");
    build_known(&secret, &list, &known);
    let path = known.display();
    stage
        .config
        .set_text("privacy.known_subscribers_file", path);
}

fn secret(stage: &mut Stage) -> PathBuf {
    let secret = stage.scratch.write("privacy.secret", SECRET);
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("our own file");
    let path = secret.display();
    stage.config.set_text("privacy.pseudonym_secret_file", path);
    secret
}

fn build_known(secret: &Path, list: &Path, known: &Path) {
    let text = |path: &Path| path.display().to_string();
    let (from, key_file, out) = (text(list), text(secret), text(known));
    let words = [
        "policy",
        "subscribers",
        "--from",
        &from,
        "--key-file",
        &key_file,
        "--out",
        &out,
    ];
    run_well(&mut t8gate(&words));
}

#[test]
fn redacted_answers_leave_without_the_identity() {
    let house = House::open_staged(|stage| {
        guarded(stage);
        stage.config.set_text("privacy.action", "redact");
    });
    let mut client = house.client();
    let token = house.token();
    let body = format!(
        r#"{{"gpsi":"imsi-{IMSI}","details":"{IMSI}","cpReports":[999070012345678],"x":"y"}}"#
    );
    house.origin.answer(ok(body.as_bytes()));
    let response = client.get(PATH, &token);
    let wanted = concat!(
        r#"{"gpsi":"extid-redacted@redacted.invalid","details":"redacted","#,
        r#""cpReports":[0],"x":"y"}"#
    );
    assert_eq!(
        (response.status, response.text()),
        (200, wanted.to_owned()),
        "{body}"
    );
    let id = response
        .field("x-request-id")
        .expect("every answer has one");
    let told = record(&house.stage, id);
    let said = (
        told["outcome"].as_str(),
        told["done"].as_str(),
        told["at"].as_str(),
    );
    assert_eq!(said, (Some("answered"), Some("redacted"), Some("/gpsi")));
    // In a head, in chunks, in a long body; the connection goes on behind each.
    let chunked = format!(
        "HTTP/1.1 201 made {IMSI}\r\nLocation: https://a.example/{IMSI}\r\nX-Ue: {IMSI}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
         20\r\n{{\"title\":\"imsi-{IMSI}\"}}\r\n0\r\n\r\n"
    );
    house.origin.answer(chunked);
    let response = client.get(PATH, &token);
    assert_eq!((response.status, response.reason.as_str()), (201, ""));
    assert_eq!(
        response.field("location"),
        Some("https://redacted.invalid/")
    );
    assert_eq!(response.field("x-ue"), Some("redacted"));
    assert_eq!(response.text(), r#"{"title":"redacted"}"#);
    let long = long_body(200_000, &format!("imsi-{IMSI}"));
    house.origin.answer(ok(long.as_bytes()));
    let wanted = long.replace(&format!("imsi-{IMSI}"), "redacted@redacted.invalid");
    assert!(client.get(PATH, &token).body == wanted.as_bytes());
    // A name cannot be rewritten, and what is no JSON neither.
    for body in [format!(r#"{{"imsi-{IMSI}":1}}"#), format!("about {IMSI}")] {
        house.origin.answer(ok(body.as_bytes()));
        assert_problem(&client.get(PATH, &token), 502);
    }
    // Who sends one is refused all the same.
    assert_problem(&client.get(&format!("{PATH}/{IMSI}"), &token), 400);
    let metrics = house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_identities_redacted_total", &[]), 4);
}

//= TS 33.187 clause 4.7 type=test
//# Nothing that is set lets out a subscriber's IMSI, or what calls itself one.
#[test]
fn alarm_lets_nothing_out_but_digits_that_are_nobodys() {
    let house = House::open_staged(|stage| {
        with_known(stage);
        stage.config.set_text("privacy.action", "alarm");
    });
    let mut client = house.client();
    let token = house.token();
    let nobodys = r#"{"details":"001010999999999"}"#;
    house.origin.answer(ok(nobodys.as_bytes()));
    let response = client.get(PATH, &token);
    assert_eq!(
        (response.status, response.text()),
        (200, nobodys.to_owned())
    );
    assert_alarmed(&house, &response, Some("/details"));
    // In what a client sends it is no other, nor in the head of an answer.
    let post = request("POST", PATH, &token, "", nobodys.as_bytes());
    assert_alarmed(&house, &client.ask(post), Some("/details"));
    house
        .origin
        .answer("HTTP/1.1 200 OK\r\nX-Of: 001010999999999\r\nContent-Length: 0\r\n\r\n");
    assert_alarmed(&house, &client.get(PATH, &token), Some("header:x-of"));
    for value in [IMSI.to_owned(), "imsi-001010999999999".to_owned()] {
        house
            .origin
            .answer(ok(format!(r#"{{"details":"{value}"}}"#).as_bytes()));
        assert_problem(&client.get(PATH, &token), 502);
    }
    let metrics = house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_identities_alarmed_total", &[]), 3);
}

/// It went through, and its record says with what.
fn assert_alarmed(house: &House, response: &Response, at: Option<&str>) {
    assert_eq!(response.status, 200);
    let id = response
        .field("x-request-id")
        .expect("every answer has one");
    let told = record(&house.stage, id);
    let said = (told["done"].as_str(), told["identity"].as_str());
    assert_eq!(said, (Some("alarmed"), Some("imsi")), "{told}");
    assert_eq!(told["at"].as_str(), at, "{told}");
    assert!(!told.to_string().contains("999999"), "{told}");
}

#[test]
fn known_subscriber_is_found_where_others_digits_may_stand_and_the_set_is_read_again() {
    let mut house = House::open_staged(with_known);
    let mut client = house.client();
    let token = house.token();
    let body = |imsi: &str| ok(format!(r#"{{"msisdn":"{imsi}"}}"#).as_bytes());
    let other = "999070999999999";
    house.origin.answer(body(NUMBER));
    assert_problem(&client.get(PATH, &token), 502);
    house.origin.answer(body(other));
    assert_eq!(client.get(PATH, &token).status, 200);
    assert_eq!(client.get(&format!("{PATH}/{other}"), &token).status, 200);
    assert_problem(&client.get(&format!("{PATH}/{NUMBER}"), &token), 400);
    // Another set takes its place.
    let folder = house.stage.scratch.path().to_path_buf();
    let list = house
        .stage
        .scratch
        .write("subscribers", format!("{other}\n"));
    build_known(
        &folder.join("privacy.secret"),
        &list,
        &folder.join("subscribers.set"),
    );
    house.rewrite(|_| {});
    house.gateway.hang_up();
    wait_until("the other set", || {
        house.origin.answer(body(other));
        let status = client.get(PATH, &token).status;
        house.origin.answer(body(NUMBER));
        (status, client.get(PATH, &token).status) == (502, 200)
    });
}

#[test]
fn set_of_known_subscribers_damaged_in_the_middle_is_said_and_the_last_one_stays() {
    let house = House::open_staged(|stage| {
        with_known(stage);
        stage.watch();
        stage.config.set("reload.watch", ON_SIGNAL);
    });
    let withholds = || {
        let body = format!(r#"{{"msisdn":"{NUMBER}"}}"#);
        house.origin.answer(ok(body.as_bytes()));
        assert_problem(&house.client().get(PATH, &house.token()), 502);
    };
    let set = house.stage.scratch.path().join("subscribers.set");
    let good = std::fs::read(&set).expect("it was made");
    let mut damaged = good.clone();
    damaged[good.len() / 2] ^= 1;
    let fault = format!("{} was changed or damaged", set.display());
    std::fs::write(&set, damaged).expect("our own file");
    for faults in 1..=2 {
        reload_in_vain(&house);
        assert_eq!(said(&house, &fault), faults, "{}", house.gateway.log());
        withholds();
    }
    std::fs::write(&set, &good).expect("our own file");
    reload(&house);
    withholds();
}

/// The pointers of a JSON Patch name members as a body does.
#[test]
fn patch_of_a_member_that_must_not_be_there_is_refused() {
    let house = House::open_staged(guarded);
    let mut client = house.client();
    let mut patch = |operation: &str| {
        let fields = "Content-Type: application/json-patch+json\r\n";
        let (resource, body) = (format!("{PATH}/1"), format!("[{operation}]"));
        client.ask(request(
            "PATCH",
            &resource,
            &house.token(),
            fields,
            body.as_bytes(),
        ))
    };
    for operation in [
        r#"{"op":"add","path":"/supi","value":"abc"}"#,
        r#"{"op":"add","path":"/x/0/gl\u0069","value":"abc"}"#,
        r#"{"op":"replace","path":"/ueImsis/0","value":"abc"}"#,
        r#"{"op":"move","from":"/supi","path":"/externalId"}"#,
        r#"{"op":"add","Path":"/s%75pi","value":"abc"}"#,
        "{\"op\":\"add\",\"path\":\"/su\u{200b}pi\",\"value\":\"abc\"}",
    ] {
        let refused = patch(operation);
        assert_problem(&refused, 400);
        assert!(!refused.text().contains("abc"), "{}", refused.text());
    }
    let passes = r#"{"op":"replace","path":"/maximumNumberOfReports","value":5}"#;
    assert_eq!(patch(passes).status, 200);
}

#[test]
fn what_cannot_be_kept_is_not_configured() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let check = |stage: &Stage| {
        let file = crate::harness::gateway::write(stage.scratch.path(), &stage.config);
        crate::harness::gateway::check(&file, &stage.environment)
    };
    stage.config.set_text("privacy.action", "alarm");
    let outcome = check(&stage);
    assert!(
        outcome.stderr.contains("lets IMSIs out"),
        "{}",
        outcome.stderr
    );
    stage.config.set_text("privacy.action", "off");
    assert!(check(&stage).stderr.contains("is nothing that can be done"));
    stage.config.set_text("privacy.action", "block");
    with_known(&mut stage);
    let outcome = check(&stage);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(said.contains("2 of whom are known"), "{said}");
    // With another secret its hashes say nothing.
    let other = "dnV0c3JxcG9ubWxramloZ2ZlZGNiYTk4NzY1NDMyMTA=";
    let file = stage.scratch.write("privacy.secret", other);
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("our own file");
    let outcome = check(&stage);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(
        !outcome.status.success() && said.contains("was made with another key"),
        "{said}"
    );
}

#[test]
fn names_of_the_network_are_hidden_where_that_is_said() {
    let house = House::open_staged(|stage| {
        guarded(stage);
        stage.config.set("privacy.hide_network", "true");
        stage.config.set("privacy.network_shown", "[\"dnn\"]");
    });
    let mut client = house.client();
    house.origin.answer(ok(br#"{"dnn":"iot.example"}"#));
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    let slice = ok(br#"{"snssai":{"sst":1,"sd":"0a1b2c"}}"#);
    withheld(&house, &mut client, &slice, "network_internal", "/snssai/*");
}

#[test]
fn operator_with_the_key_is_told_whose_a_pseudonym_is() {
    let house = House::open_staged(|stage| {
        guarded(stage);
        secret(stage);
    });
    house
        .origin
        .answer(ok(format!(r#"{{"details":"{IMSI}"}}"#).as_bytes()));
    let response = house.client().get(PATH, &house.token());
    let id = response
        .field("x-request-id")
        .expect("every answer has one");
    let pseudonym = record(&house.stage, id)["pseudonym"].clone();
    let key_file = house.stage.config.value("privacy.pseudonym_secret_file");
    let key_file = key_file.trim_matches('"');
    let mut command = t8gate(&["pseudonym", "--key-file", key_file]);
    let outcome = run(&mut command, format!("{IMSI}\n").as_bytes(), WAIT);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    assert_eq!(outcome.stdout.trim(), pseudonym.as_str().expect("a text"));
    // What is none is not repeated where everybody reads it.
    let mut command = t8gate(&["pseudonym", "--key-file", key_file, "--kind", "msisdn"]);
    let outcome = run(&mut command, b"447700900123\n+447700900124\n", WAIT);
    assert!(!outcome.status.success() && outcome.stdout.starts_with("msisdn:"));
    assert!(outcome.stderr.contains("line 2") && !outcome.stderr.contains("900124"));
}

#[test]
fn one_subscriber_has_one_pseudonym_over_a_restart() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    guarded(&mut stage);
    secret(&mut stage);
    let mut seen = Vec::new();
    for spelling in [IMSI, "001-010-123456789"] {
        let gateway = stage.start();
        let dialer = stage.dialer(&stage.acme);
        let mut client = dialer.connect(gateway.address).expect("a handshake");
        origin.answer(ok(format!(r#"{{"details":"{spelling}"}}"#).as_bytes()));
        let response = client.get(PATH, &stage.token());
        assert_problem(&response, 502);
        let id = response
            .field("x-request-id")
            .expect("every answer has one")
            .to_owned();
        seen.push(record(&stage, &id)["pseudonym"].clone());
        assert!(gateway.stop().success());
    }
    assert_eq!(seen[0], seen[1]);
    assert!(
        seen[0]
            .as_str()
            .is_some_and(|said| said.starts_with("imsi:") && said.len() == 37)
    );
}
