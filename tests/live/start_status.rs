//! How `serve` ends where it cannot start: for good, or for whoever would start it anew.

use std::net::TcpListener;

use crate::harness::client::HOST;
use crate::harness::gateway::{t8gate, write};
use crate::harness::pki::{Identity, Key, Leaf, San};
use crate::harness::stage::Stage;
use crate::harness::{Outcome, WAIT, free_address, run};
use crate::hsm_lost::Store;

/// `EX_CONFIG`, after which `config/t8gate.service` does not start it again.
const FOR_GOOD: i32 = 78;
const AGAIN: i32 = 1;

fn stage() -> Stage {
    Stage::new("127.0.0.1:9".parse().expect("an address"))
}

fn serve_with(stage: &mut Stage, certificate: &Identity) {
    let (certificate, key) = (&certificate.certificate, &certificate.key);
    stage
        .config
        .set_text("tls.certificate", certificate.display());
    stage.config.set_text("tls.key.file", key.display());
}

fn serve_with_leaf(stage: &mut Stage, leaf: &Leaf) {
    let issued = stage.operator_ca.issue("unfit", leaf);
    serve_with(stage, &issued);
}

/// A start that comes to its end by itself.
fn serve(stage: &Stage) -> Outcome {
    let file = write(stage.scratch.path(), &stage.config);
    let mut serve = t8gate(&["serve", "--config"]);
    serve.arg(&file).envs(stage.environment.iter().cloned());
    run(&mut serve, b"", WAIT)
}

/// `word` is said, once, and nothing else is wrong.
#[track_caller]
fn ends(stage: &mut Stage, word: &str, status: i32) {
    if stage.config.address("listen.address").is_none() {
        stage.config.set_text("listen.address", free_address());
    }
    let outcome = serve(stage);
    let said = outcome.stderr;
    assert!(said.contains(word), "{word} is not in\n{said}");
    assert!(said.contains("\n1 fault in "), "{word}: {said}");
    assert_eq!(outcome.status.code(), Some(status), "{word}: {said}");
}

#[test]
fn start_that_the_configuration_alone_is_in_the_way_of_is_not_one_to_be_made_again() {
    type Change = fn(&mut Stage);
    let cases: [(&str, Change); 9] = [
        ("there is no TLS profile", |stage| {
            stage.config.set_text("tls.profile", "4gpp");
        }),
        ("there is no rule", |stage| {
            stage.config.set("tls.waive", "[\"nope\"]");
        }),
        ("no certificate here is for RSA", |stage| {
            stage.config.set_text("tls.profile", "3gpp-strict");
        }),
        ("no certificate is for nope.example", |stage| {
            stage
                .config
                .set("listen.server_names", "[\"nope.example\"]");
        }),
        ("ca_basic_constraints", |stage| {
            let leaf = stage.acme.certificate.display().to_string();
            stage.config.set_text("tls.client_ca", leaf);
        }),
        ("issuer is neither in its chain", |stage| {
            stage
                .config
                .set_text("tls.ocsp.url", "http://127.0.0.1:9/ocsp");
        }),
        ("the private key is P-256", |stage| {
            let rsa = Leaf {
                key: Key::Rsa2048,
                ..Leaf::server(HOST)
            };
            let rsa = stage.operator_ca.issue("rsa", &rsa).certificate;
            stage.config.set_text("tls.certificate", rsa.display());
        }),
        ("the rule extended_key_usage", |stage| {
            let client = Leaf {
                sans: Leaf::server(HOST).sans,
                ..Leaf::client(San::Dns(HOST))
            };
            serve_with_leaf(stage, &client);
        }),
        ("expired at", |stage| {
            let ended = Leaf {
                valid_until_s: -60,
                ..Leaf::server(HOST)
            };
            serve_with_leaf(stage, &ended);
        }),
    ];
    for (word, change) in cases {
        let mut stage = stage();
        change(&mut stage);
        ends(&mut stage, word, FOR_GOOD);
    }
}

#[test]
fn start_that_may_succeed_later_as_it_is_configured_is_left_to_whoever_makes_it_again() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut taken = stage();
    let address = held.local_addr().expect("bound");
    taken.config.set_text("listen.address", address);
    ends(&mut taken, "another process listens on", AGAIN);

    // As where the machine's clock is not set yet.
    let mut early = stage();
    let tomorrow = Leaf {
        valid_from_s: 86_400,
        ..Leaf::server(HOST)
    };
    serve_with_leaf(&mut early, &tomorrow);
    ends(&mut early, "is not valid before", AGAIN);

    let nowhere = "127.0.0.1:9".parse().expect("an address");
    let (mut stage, _token) = Stage::with_token(nowhere, Key::P256);
    let store = Store::of(&stage);
    store.lose();
    ends(&mut stage, "tls.key: ", AGAIN);
}

/// One fault that stays is enough, whatever may go of the others.
#[test]
fn token_that_is_away_does_not_hide_a_fault_that_stays() {
    let nowhere = "127.0.0.1:9".parse().expect("an address");
    let (mut stage, _token) = Stage::with_token(nowhere, Key::P256);
    Store::of(&stage).lose();
    stage.config.set_text("tls.profile", "4gpp");
    stage.config.set_text("listen.address", free_address());
    let outcome = serve(&stage);
    let said = outcome.stderr;
    assert!(said.contains("\n2 faults in "), "{said}");
    assert_eq!(outcome.status.code(), Some(FOR_GOOD), "{said}");
}
