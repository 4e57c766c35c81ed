//! Revocation by the operator's file.

use std::path::PathBuf;

use serde_json::json;

use super::{ask, assert_revoked, house, revocable, token, warm};
use crate::harness::mint::ISSUER;
use crate::harness::stage::{House, PATH};
use crate::harness::wait_until;
use crate::reload::{reload, reload_in_vain};

fn listing(text: &str, watch: &str) -> (House, PathBuf) {
    let mut file = PathBuf::new();
    let house = House::open_staged(|stage| {
        revocable(stage);
        file = stage.scratch.write("revoked.jsonl", text);
        stage.config.set_text("revocation.revoked", file.display());
        stage.config.set_text("reload.watch", watch);
    });
    (house, file)
}

fn line(jti: &str) -> String {
    json!({"jti": jti, "issuer": ISSUER}).to_string() + "\n"
}

#[test]
fn what_the_file_says_holds_from_the_start_and_for_as_long_as_it_stands_there() {
    let (house, file) = listing(&format!("# stolen\n{}", line("one")), "off");
    let (one, two) = (token(&house.stage, "one"), token(&house.stage, "two"));
    let mut clients = warm(&house, &two);
    assert_revoked(&clients[0].get(PATH, &one));
    std::fs::write(&file, line("two")).unwrap();
    reload(&house);
    for client in &mut clients {
        assert_revoked(&client.get(PATH, &two));
        assert_eq!(client.get(PATH, &one).status, 200);
    }
    std::fs::write(&file, "").unwrap();
    reload(&house);
    assert_eq!(clients[0].get(PATH, &two).status, 200);
    let metrics = house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_revocations_by_file", &[]), 0);
    let audit = house.stage.scratch.path().join("audit.jsonl");
    wait_until("two records", || {
        let audit = std::fs::read_to_string(&audit).unwrap_or_default();
        audit.matches("\"by\":\"file\"").count() == 2
    });
}

#[test]
fn a_change_of_the_file_is_noticed_without_a_signal() {
    let (house, file) = listing("", "100ms");
    let one = token(&house.stage, "one");
    let mut client = house.client();
    assert_eq!(client.get(PATH, &one).status, 200);
    std::fs::write(&file, line("one")).unwrap();
    wait_until("the revocation by file", || {
        client.get(PATH, &one).status == 401
    });
}

#[test]
fn a_certificate_in_the_file_ends_its_connections() {
    let (house, file) = listing("", "off");
    let mut client = house.client();
    assert_eq!(client.get(PATH, &token(&house.stage, "one")).status, 200);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &house.stage.acme.der);
    let digits: String = { digest.as_ref().iter() }
        .map(|octet| format!("{octet:02x}"))
        .collect();
    std::fs::write(&file, json!({"certificate": digits}).to_string()).unwrap();
    reload(&house);
    assert!(client.closed_within(crate::harness::WAIT));
}

#[test]
fn a_line_at_fault_leaves_what_was_in_force_and_is_named() {
    let (house, file) = listing(&line("one"), "off");
    let (one, two) = (token(&house.stage, "one"), token(&house.stage, "two"));
    std::fs::write(&file, line("two") + "{\"clinet\":\"acme-app\"}\n").unwrap();
    reload_in_vain(&house);
    let mut client = house.client();
    assert_revoked(&client.get(PATH, &one));
    assert_eq!(client.get(PATH, &two).status, 200);
    let log = house.gateway.log();
    assert!(log.contains("revoked.jsonl, line 2"), "{log}");
    // Nor is it forgotten when the file is away.
    std::fs::remove_file(&file).unwrap();
    reload_in_vain(&house);
    assert_revoked(&client.get(PATH, &one));
}

#[test]
fn taking_back_at_the_socket_does_not_undo_the_file() {
    let house = house();
    let (status, said) = ask(&house.stage, "DELETE", "/revocations/client/acme-app", "");
    assert_eq!(status, 404, "{said}");
    assert!(
        said["cure"]
            .as_str()
            .is_some_and(|cure| cure.contains("revocation.revoked"))
    );
}
