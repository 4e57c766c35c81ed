//! What the embedded issuer hands out while a client's tokens are revoked: nothing that would be
//! refused.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{again, all_are_refused, ask, ask_for_token, path_of, revocable, revoke, warm};
use crate::harness::client::{Client, Response};
use crate::harness::gateway::write;
use crate::harness::mint::now_s;
use crate::harness::origin::Origin;
use crate::harness::pki::Key;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{WAIT, signal, wait_until};
use crate::issuer::{FORM, json as document, posted, token_of};
use crate::token_cli::issue;

fn house() -> House {
    House::open_staged(|stage| {
        revocable(stage);
        stage.issue_tokens();
    })
}

/// How long a client has to wait for a token, in seconds.
#[track_caller]
fn wait_s(said: &Response) -> u64 {
    assert_eq!(said.status, 503, "{}", said.text());
    assert_eq!(document(said)["error"], "temporarily_unavailable");
    let wait_s = said.field("retry-after").expect("when to come again");
    wait_s.parse().expect("seconds")
}

#[track_caller]
fn served(client: &mut Client, token: &str) {
    let served = client.get(PATH, token);
    assert_eq!(served.status, 200, "{}", served.text());
}

#[track_caller]
fn is_issued_a_good_one(client: &mut Client) {
    let token = token_of(&ask_for_token(client));
    served(client, &token);
}

#[test]
fn no_token_is_issued_that_would_be_refused_and_the_first_one_issued_then_is_taken() {
    let house = house();
    let old = token_of(&ask_for_token(&mut house.client()));
    let mut clients = warm(&house, &old);
    let until = now_s() + 2;
    revoke(
        &house.stage,
        &json!({"client": "acme-app", "issued_until": until}),
    );
    all_are_refused(&mut clients, &old);
    let mut client = house.client();
    let wait_s = wait_s(&ask_for_token(&mut client));
    assert!((1..=3).contains(&wait_s), "{wait_s}");
    house.gateway.await_log("client_tokens_revoked");
    house.gateway.await_log("`t8gate client disable`");
    // As long as it was told to wait, and no longer.
    std::thread::sleep(Duration::from_secs(wait_s));
    is_issued_a_good_one(&mut client);
    all_are_refused(&mut clients, &old);
}

#[test]
fn without_a_moment_no_token_is_issued_for_half_a_minute_or_until_that_is_taken_back() {
    let mut house = house();
    let old = token_of(&ask_for_token(&mut house.client()));
    revoke(&house.stage, &json!({"client": "acme-app"}));
    let mut client = house.client();
    let waits_s = wait_s(&ask_for_token(&mut client));
    assert!((20..=31).contains(&waits_s), "{waits_s}");
    // It is in the store, and no restart shortens it.
    signal(house.gateway.pid(), "KILL");
    house.gateway.wait(WAIT);
    house.gateway = again(&house.stage, &house.gateway);
    let mut client = house.client();
    let waits_s = wait_s(&ask_for_token(&mut client));
    assert!((1..=31).contains(&waits_s), "{waits_s}");
    all_are_refused(&mut [house.client()], &old);
    let place = "/revocations/client/acme-app";
    assert_eq!(ask(&house.stage, "DELETE", place, "").0, 200);
    is_issued_a_good_one(&mut client);
    // Another client's revocation is none of its business.
    revoke(&house.stage, &json!({"client": "globex-app"}));
    is_issued_a_good_one(&mut client);
}

/// For ever, where somebody writes milliseconds.
#[test]
fn moment_further_ahead_than_clocks_may_be_apart_is_refused() {
    let house = house();
    for ahead in [60, 1_000 * now_s()] {
        let body = json!({"client": "acme-app", "issued_until": now_s() + ahead});
        let (status, said) = ask(&house.stage, "POST", "/revocations", &body.to_string());
        assert_eq!(status, 400, "{said}");
        let cure = said["cure"].as_str().unwrap_or_default();
        assert!(cure.contains("t8gate client disable"), "{said}");
    }
    let mut client = house.client();
    is_issued_a_good_one(&mut client);
}

/// It was asked for before, and would come out of the HSM behind the acknowledgement.
#[test]
fn token_that_is_being_signed_while_it_is_revoked_is_not_handed_out() {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    revocable(&mut stage);
    let cpu = crate::harness::gateway::next_cpu();
    stage.config.set("listen.cpus", &format!("[{cpu}]"));
    stage.config.set_text("deadlines.signature", "20s");
    stage.config.set_text("deadlines.handshake", "30s");
    stage.issue_tokens_from(&token);
    let records = stage.watch();
    let gateway = stage.start();
    let house = House {
        gateway,
        origin,
        stage,
    };
    let (mut asking, mut other) = (house.client(), house.client());
    let signer = house.gateway.signer_pid();
    signal(signer, "STOP");
    asking
        .send(posted("/oauth2/token", FORM, ""))
        .expect("an open connection");
    // The shard that answers these has read that one before.
    for _ in 0..5 {
        served(&mut other, &house.token());
    }
    let until = now_s() + 1;
    let client = json!({"client": "acme-app", "issued_until": until});
    revoke(&house.stage, &client);
    while now_s() <= until {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(signer, "CONT");
    // What is asked for now is issued behind the moment; what was asked for before is not.
    wait_s(&asking.answer());
    house.gateway.await_log("client_tokens_revoked");
    is_issued_a_good_one(&mut other);
    // Nothing is recorded as granted that was not.
    let records = || std::fs::read_to_string(&records).unwrap_or_default();
    let (reason, scope) = ("\"client_tokens_revoked\"", "\"scope\":");
    wait_until("both records", || {
        records().contains(reason) && records().contains(scope)
    });
    let records = records();
    let both = |line: &str| line.contains(reason) && line.contains(scope);
    assert!(!records.lines().any(both), "{records}");
}

/// The command hands it out all the same, and says so: nobody has asked the gateway.
#[test]
fn token_that_an_operator_issues_comes_with_a_word_that_what_is_revoked_was_not_asked() {
    let house = house();
    let issued = |stage: &Stage, file: &Path| {
        let outcome = issue(stage, file, &stage.acme, &["--client", "acme"]);
        assert!(outcome.status.success(), "{}", outcome.stderr);
        (outcome.stdout.trim_end().to_owned(), outcome.stderr)
    };
    revoke(&house.stage, &json!({"client": "acme-app"}));
    let (token, said) = issued(&house.stage, &house.gateway.file);
    all_are_refused(&mut [house.client()], &token);
    let socket = path_of(&house.stage, "admin.socket");
    let hint = format!(
        "hint: what is, says curl --unix-socket {} ",
        socket.display()
    );
    assert!(
        said.contains("not asked: ") && said.contains(&hint),
        "{said}"
    );
    // Where nothing can be revoked but by a file, and where nothing can.
    let mut stage = house.stage;
    stage.config.unset("revocation.store");
    stage.config.unset("admin.socket");
    let (_, said) = issued(&stage, &write(stage.scratch.path(), &stage.config));
    assert!(!said.contains("not asked"), "{said}");
    let file = stage.scratch.write("revoked.jsonl", "");
    stage.config.set_text("revocation.revoked", file.display());
    let (_, said) = issued(&stage, &write(stage.scratch.path(), &stage.config));
    let hint = format!("hint: what is, says revocation.revoked, {}", file.display());
    assert!(said.contains(&hint), "{said}");
}
