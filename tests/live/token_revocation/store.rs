//! A store that cannot be used: before it serves the gateway says so; while it serves it goes on.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::{again, ask, assert_revoked, house, path_of, revocable, revoke, token};
use crate::harness::gateway::{t8gate, write};
use crate::harness::mint::ISSUER;
use crate::harness::origin::Origin;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{Outcome, WAIT, free_address, run, signal};

/// A start on these files that comes to its end by itself.
fn serve(stage: &Stage) -> Outcome {
    let mut config = stage.config.clone();
    config.set_text("listen.address", free_address());
    config.set_text("admin.address", free_address());
    let file = write(stage.scratch.path(), &config);
    let mut serve = t8gate(&["serve", "--config"]);
    run(
        serve.arg(&file).envs(stage.environment.iter().cloned()),
        b"",
        WAIT,
    )
}

#[track_caller]
fn ends(outcome: &Outcome, status: i32, word: &str) {
    assert_eq!(outcome.status.code(), Some(status), "{}", outcome.stderr);
    for word in [word, "revocation.store", "hint: ", "1 fault in "] {
        assert!(outcome.stderr.contains(word), "{word}: {}", outcome.stderr);
    }
}

#[test]
fn a_start_with_a_store_that_is_damaged_open_to_others_or_taken_says_so() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    revocable(&mut stage);
    let store = path_of(&stage, "revocation.store");
    std::fs::write(&store, "nonsense".repeat(4_096)).unwrap();
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o600)).unwrap();
    ends(&serve(&stage), 78, "is damaged");
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o644)).unwrap();
    ends(&serve(&stage), 78, "open to others");
    std::fs::remove_file(&store).unwrap();
    let _gateway = stage.start();
    let socket = stage.scratch.path().join("other.sock");
    stage.config.set_text("admin.socket", socket.display());
    ends(&serve(&stage), 1, "in use by another process");
    assert!(!socket.exists());
}

#[test]
fn a_socket_that_another_gateway_answers_at_is_left_to_it() {
    let house = house();
    let mut stage = Stage::new(house.origin.address);
    revocable(&mut stage);
    let socket = house.stage.config.value("admin.socket");
    stage.config.set("admin.socket", &socket);
    let outcome = serve(&stage);
    assert_eq!(outcome.status.code(), Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("another process answers"));
    assert_eq!(ask(&house.stage, "GET", "/revocations", "").0, 200);
}

#[test]
fn while_the_disk_takes_nothing_nothing_is_revoked_and_clients_are_served() {
    let mut house = house();
    let first = token(&house.stage, "first");
    revoke(&house.stage, &json!({"token": first}));
    // As a full disk: no file may grow, and what is written beyond this is refused.
    house.gateway.limit("--fsize=4096:unlimited");
    let second = token(&house.stage, "second");
    let body = json!({"token": second}).to_string();
    let mut client = house.client();
    for _ in 0..3 {
        let (status, said) = ask(&house.stage, "POST", "/revocations", &body);
        assert_eq!(status, 503, "{said}");
        assert!(
            said["cure"]
                .as_str()
                .is_some_and(|cure| cure.contains("room")),
            "{said}"
        );
        // What was revoked is still, what was not is good, and who asks is answered.
        assert_revoked(&client.get(PATH, &first));
        assert_eq!(client.get(PATH, &second).status, 200);
    }
    let metrics = house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_revocation_store_usable", &[]), 0);
    house.gateway.limit("--fsize=unlimited");
    crate::harness::wait_until("the store again", || {
        ask(&house.stage, "POST", "/revocations", &body).0 == 200
    });
    assert_revoked(&client.get(PATH, &second));
    house.gateway.terminate();
    house.gateway.wait(WAIT);
    house.gateway = again(&house.stage, &house.gateway);
    let mut client = house.client();
    assert_revoked(&client.get(PATH, &first));
    assert_revoked(&client.get(PATH, &second));
}

/// What is there can be read, and written over.
#[test]
fn a_store_that_opens_on_a_full_disk_is_not_said_to_be_usable_before_it_is_written_to() {
    let house = house();
    revoke(
        &house.stage,
        &json!({"token": token(&house.stage, "first")}),
    );
    let store = path_of(&house.stage, "revocation.store");
    let length = std::fs::metadata(store).expect("a store").len();
    // It cannot grow, as many revocations need it to.
    house.gateway.limit(&format!("--fsize={length}:unlimited"));
    let many = (0..1_000).map(|number| json!({"jti": format!("j-{number}"), "issuer": ISSUER}));
    let many = serde_json::Value::from_iter(many).to_string();
    assert_eq!(ask(&house.stage, "POST", "/revocations", &many).0, 503);
    // It is opened again after a second.
    crate::harness::wait_until("the list", || {
        ask(&house.stage, "GET", "/revocations", "").0 == 200
    });
    let usable = |house: &House| {
        let metrics = house.gateway.admin().metrics();
        metrics.count("t8gate_revocation_store_usable", &[])
    };
    let log = house.gateway.log();
    assert!(!log.contains("can be used again"), "{log}");
    assert_eq!(usable(&house), 0);
    house.gateway.limit("--fsize=unlimited");
    assert_eq!(ask(&house.stage, "POST", "/revocations", &many).0, 200);
    house.gateway.await_log("can be used again");
    assert_eq!(usable(&house), 1);
}

#[test]
fn store_that_is_removed_while_the_gateway_serves_has_forgotten_nothing_at_the_next_start() {
    let mut house = house();
    let both = ["first", "second"].map(|jti| token(&house.stage, jti));
    revoke(&house.stage, &json!({"token": both[0]}));
    std::fs::remove_file(path_of(&house.stage, "revocation.store")).unwrap();
    revoke(&house.stage, &json!({"token": both[1]}));
    house.gateway.await_log("has been removed or replaced");
    // All that is in force has been written into the next: nobody has to do it again.
    house.gateway.await_log("can be used again");
    assert_eq!(house.gateway.log().matches(MADE).count(), 1, "the first");
    crate::harness::signal(house.gateway.pid(), "KILL");
    house.gateway.wait(WAIT);
    house.gateway = again(&house.stage, &house.gateway);
    for token in both {
        assert_revoked(&house.client().get(PATH, &token));
    }
}

#[test]
fn an_orderly_end_leaves_a_store_that_the_next_start_takes_as_it_is() {
    let mut house = house();
    for number in 0..5 {
        revoke(
            &house.stage,
            &json!({"jti": format!("j-{number}"), "issuer": ISSUER}),
        );
        house.gateway.terminate();
        let status = house.gateway.wait(WAIT).expect("its end");
        assert!(status.success());
        house.gateway = again(&house.stage, &house.gateway);
    }
    let (_, listed) = ask(&house.stage, "GET", "/revocations", "");
    assert_eq!(listed["counts"]["jti"], 5, "{listed}");
}

/// What is said of a store that is new.
const MADE: &str = "a new store of revocations has been made";

/// One that is lost is not missed in silence.
#[test]
fn a_store_that_is_made_anew_is_said_to_be() {
    let mut house = house();
    house.gateway.await_log(MADE);
    signal(house.gateway.pid(), "TERM");
    house.gateway.wait(WAIT);
    house.gateway = again(&house.stage, &house.gateway);
    house.gateway.await_log("serving");
    assert!(!house.gateway.log().contains(MADE), "it was there");
}
