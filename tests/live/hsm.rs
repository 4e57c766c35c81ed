//! The server key in a token: it signs handshakes, and nothing else ever troubles it.

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

use crate::harness::client::{Dialer, HOST};
use crate::harness::gateway::Gateway;
use crate::harness::origin::Origin;
use crate::harness::pki::Key;
use crate::harness::run_well;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{command, peers};

fn house(origin: Origin, stage: Stage) -> House {
    House {
        gateway: stage.start(),
        origin,
        stage,
    }
}

#[test]
fn keys_of_every_kind_serve_from_the_token() {
    for key in [Key::P256, Key::P384, Key::Rsa2048] {
        let origin = Origin::start();
        let (stage, _token) = Stage::with_token(origin.address, key);
        let house = house(origin, stage);
        for version in [&TLS13, &TLS12] {
            let stage = &house.stage;
            let dialer = Dialer::only(&stage.operator_ca.der, &stage.acme, HOST, version);
            let mut client = dialer.connect(house.gateway.address).unwrap();
            assert_eq!(client.get(PATH, &house.token()).status, 200, "{key:?}");
        }
    }
}

#[test]
fn openssl_and_curl_accept_what_the_token_signs() {
    let origin = Origin::start();
    let (stage, _token) = Stage::with_token(origin.address, Key::Rsa2048);
    let house = house(origin, stage);
    let (stage, address) = (&house.stage, house.gateway.address);
    let ca = &stage.operator_ca.certificate;
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    for version in ["-tls1_2", "-tls1_3"] {
        let outcome = peers::s_client(
            address,
            ca,
            Some(&stage.acme),
            &[version],
            request.as_bytes(),
        );
        assert!(
            outcome.stdout.contains("Verify return code: 0 (ok)"),
            "{}",
            outcome.stdout
        );
        assert!(
            outcome.stdout.contains("HTTP/1.1 401"),
            "{}",
            outcome.stdout
        );
    }
    let mut curl = peers::curl(address, ca, Some(&stage.acme));
    curl.args([
        "--header",
        &format!("Authorization: Bearer {}", house.token()),
    ]);
    assert_eq!(run_well(curl.arg(peers::url(address, PATH))).len(), 306);
}

/// One signature for each full handshake, none for a request, none for a resumption.
#[test]
fn token_signs_once_for_each_full_handshake() {
    for version in [&TLS13, &TLS12] {
        let origin = Origin::start();
        let (stage, spy) = Stage::with_spied_token(origin.address, Key::P256);
        let house = house(origin, stage);
        // The key is proved by a signature at the start.
        let mut before = spy.signatures();
        let stage = &house.stage;
        let dialer = Dialer::only(&stage.operator_ca.der, &stage.acme, HOST, version).resuming();
        let mut client = dialer.connect(house.gateway.address).unwrap();
        assert_eq!(client.get(PATH, &house.token()).status, 200);
        assert_eq!(spy.signatures(), before + 1, "full handshake");
        before = spy.signatures();
        for _ in 0..50 {
            assert_eq!(client.get(PATH, &house.token()).status, 200);
        }
        assert_eq!(spy.signatures(), before, "requests");
        for _ in 0..5 {
            let mut client = dialer.connect(house.gateway.address).unwrap();
            assert_eq!(client.handshake_kind(), Some(HandshakeKind::Resumed));
            assert_eq!(client.get(PATH, &house.token()).status, 200);
        }
        assert_eq!(spy.signatures(), before, "resumptions");
        for number in 1..=5 {
            let mut client = house.client();
            assert_eq!(client.get(PATH, &house.token()).status, 200);
            assert_eq!(spy.signatures(), before + number, "full handshakes");
        }
    }
}

/// Many at once, more than there are sessions: all are served, each by one signature.
#[test]
fn handshakes_at_the_same_time_are_all_signed() {
    let origin = Origin::start();
    let (stage, spy) = Stage::with_spied_token(origin.address, Key::P256);
    let house = house(origin, stage);
    let before = spy.signatures();
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| assert_eq!(house.client().get(PATH, &house.token()).status, 200));
        }
    });
    assert_eq!(spy.signatures(), before + 32);
}

/// No room in the queue of those who wait for the token: refused at once, by an alert that says
/// whose fault it is; connections that stand notice nothing, and later ones are served.
#[test]
fn handshakes_over_the_queues_bound_are_refused_and_others_go_on() {
    let origin = Origin::start();
    let (mut stage, _token) = Stage::with_token(origin.address, Key::Rsa2048);
    stage.config.set("tls.key.sessions", "1");
    stage.config.set("limits.signatures_queued_max", "1");
    let house = house(origin, stage);
    let mut standing = house.client();
    assert_eq!(standing.get(PATH, &house.token()).status, 200);
    let dialer = house.stage.dialer(&house.stage.acme);
    let crowd = 64;
    let together = std::sync::Barrier::new(crowd);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..crowd)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    dialer.connect(house.gateway.address).map(drop)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let refused: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().err())
        .collect();
    assert!(
        !refused.is_empty() && refused.len() < crowd,
        "{} of {crowd}",
        refused.len()
    );
    for fault in refused {
        assert!(fault.to_string().contains("InternalError"), "{fault}");
    }
    crate::harness::wait_until("the reason in the log", || {
        house.gateway.log().contains("signer_busy")
    });
    assert_eq!(standing.get(PATH, &house.token()).status, 200);
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

#[test]
fn pin_stands_in_no_log() {
    let origin = Origin::start();
    let (stage, token) = Stage::with_token(origin.address, Key::P256);
    let house = house(origin, stage);
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    let pin = std::fs::read_to_string(&token.pin_file).unwrap();
    assert!(!house.gateway.log().contains(pin.trim()));
}

/// The status that `config/t8gate.service` names in `RestartPreventExitStatus=`.
const NEVER_RESTARTED: Option<i32> = Some(78);
const RESTARTED: Option<i32> = Some(1);

/// What is wrong in the token, or with the key in it, is found out before anybody is served.
/// `status`: with which the gateway ends, for whoever would start it anew.
fn refuses_to_start(stage: &Stage, word: &str, status: Option<i32>) {
    let mut config = stage.config.clone();
    config.set_text("listen.address", crate::harness::free_address());
    let file = crate::harness::gateway::write(stage.scratch.path(), &config);
    for action in ["check", "serve"] {
        let mut t8gate = crate::harness::gateway::t8gate(&[action, "--config"]);
        t8gate.arg(&file).envs(stage.environment.iter().cloned());
        let outcome = crate::harness::run(&mut t8gate, b"", crate::harness::WAIT);
        let said = outcome.stdout + &outcome.stderr;
        let expected = if action == "serve" { status } else { Some(1) };
        assert_eq!(outcome.status.code(), expected, "{action}: {said}");
        assert!(
            said.contains("tls.key") || said.contains("pin_file"),
            "{action}: {said}"
        );
        assert!(said.to_lowercase().contains(word), "{action}: {said}");
    }
}

#[test]
fn key_that_is_not_the_certificates_is_refused_at_the_start() {
    let (mut stage, token) = Stage::with_token("127.0.0.1:9".parse().unwrap(), Key::P256);
    token.generate_key(Key::P256, "another", "02");
    stage
        .config
        .set_text("tls.key.uri", "pkcs11:token=t8gate-test;object=another");
    refuses_to_start(&stage, "certificate", NEVER_RESTARTED);
}

#[test]
fn key_that_is_not_in_the_token_is_refused_at_the_start() {
    let (mut stage, _token) = Stage::with_token("127.0.0.1:9".parse().unwrap(), Key::P256);
    stage
        .config
        .set_text("tls.key.uri", "pkcs11:token=t8gate-test;object=nothing");
    refuses_to_start(&stage, "none of the private keys", RESTARTED);
}

#[test]
fn token_that_is_not_there_is_refused_at_the_start() {
    let (mut stage, _token) = Stage::with_token("127.0.0.1:9".parse().unwrap(), Key::P256);
    stage
        .config
        .set_text("tls.key.uri", "pkcs11:token=elsewhere;object=server");
    refuses_to_start(&stage, "none of the tokens", RESTARTED);
}

/// One wrong try, not one for each session, nor one for each time that systemd would start it: a
/// token locks itself.
#[test]
fn wrong_pin_is_refused_at_the_start_and_tried_once() {
    let (stage, spy) = Stage::with_spied_token("127.0.0.1:9".parse().unwrap(), Key::P256);
    crate::harness::softhsm::write_pin(stage.scratch.path(), "000000");
    refuses_to_start(&stage, "pin", NEVER_RESTARTED);
    assert_eq!(spy.calls("C_Login"), 2, "one for check, one for serve");
}

#[test]
fn module_that_does_not_load_is_refused_at_the_start() {
    let (mut stage, _token) = Stage::with_token("127.0.0.1:9".parse().unwrap(), Key::P256);
    let module = stage.scratch.write("not-a-module.so", "text");
    stage.config.set_text("tls.key.module", module.display());
    refuses_to_start(&stage, "not-a-module.so", NEVER_RESTARTED);
}

/// The developer's script makes what the gateway needs.
#[test]
fn softhsm_script_makes_a_key_inside_the_token() {
    let scratch = crate::harness::Scratch::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/hsm/softhsm.sh");
    let developer = scratch.path().join("t8");
    run_well(command("bash").arg(script).arg(&developer));
    // As the README tells a developer: the configuration it wrote, its client, and a token.
    let origin = Origin::start();
    let address = crate::harness::free_address();
    let file = developer.join("developer.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("127.0.0.1:8443", &address.to_string());
    std::fs::write(
        &file,
        text.replace("127.0.0.1:8080", &origin.address.to_string()),
    )
    .unwrap();
    let conf = developer.join("softhsm2.conf").display().to_string();
    let environment = [("SOFTHSM2_CONF".to_owned(), conf)];
    let checked = crate::harness::gateway::check(&file, &environment);
    assert!(
        checked.status.success(),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
    let gateway = Gateway::spawn(&file, address, &environment).expect("a gateway that serves");
    let token = concat!(env!("CARGO_MANIFEST_DIR"), "/hsm/token.sh");
    let token = run_well(command("bash").arg(token).arg(&developer));
    let mut curl = command("curl");
    curl.args(["--silent", "--show-error", "--fail", "--cacert"]);
    curl.arg(developer.join("server-ca.pem"))
        .arg("--cert")
        .arg(developer.join("client.pem"));
    curl.arg("--key").arg(developer.join("client.key.pem"));
    curl.args([
        "--resolve",
        &format!("t8gate.example.test:{}:127.0.0.1", address.port()),
    ]);
    curl.args([
        "--header",
        &format!("Authorization: Bearer {}", token.trim()),
    ]);
    let path = "/3gpp-monitoring-event/v1/scs-1/subscriptions";
    let answer = run_well(curl.arg(format!(
        "https://t8gate.example.test:{}{path}",
        address.port()
    )));
    assert_eq!(answer.len(), 306);
    assert!(gateway.log().contains("serving"));
}
