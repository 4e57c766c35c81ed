//! The wall clock is set while the gateway serves: tokens and certificates are judged by it,
//! connections and deadlines are not. Only the gateway is given the wrong time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::authorization::assert_problem;
use crate::harness::client::{HOST, get};
use crate::harness::mint::{self, now_s};
use crate::harness::origin::{Act, ok};
use crate::harness::pki::{Leaf, San};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{tool, wait_until};

const HOUR_S: i64 = 3_600;

/// The clock of one gateway.
pub struct Clock(PathBuf);

impl Clock {
    /// Right, until it is set.
    pub fn of(stage: &mut Stage) -> Self {
        let clock = Self(stage.scratch.path().join("clock"));
        clock.write(0);
        let file = clock.0.display().to_string();
        fake(
            stage,
            &[
                ("FAKETIME_TIMESTAMP_FILE", &file),
                ("FAKETIME_NO_CACHE", "1"),
            ],
        );
        clock
    }

    /// One whose second takes twenty, so that a busy machine does within one what is bounded.
    pub fn slowed(stage: &mut Stage) {
        fake(stage, &[("FAKETIME", "+0 x0.05")]);
    }

    fn write(&self, ahead_s: i64) {
        let new = self.0.with_extension("new");
        std::fs::write(&new, format!("{ahead_s:+}\n")).expect("our own folder");
        // Read at any moment, it must always be whole.
        std::fs::rename(&new, &self.0).expect("our own folder");
    }

    /// Sets it, and waits until the gateway has noticed.
    pub fn set(&self, ahead_s: i64, house: &House) {
        let said = || {
            house
                .gateway
                .log()
                .matches("the wall clock was set")
                .count()
        };
        let before = said();
        self.write(ahead_s);
        wait_until("the gateway to notice its clock", || said() > before);
        // A shard looks at it every 25 ms.
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// By what the gateway is told of its wall clock.
fn fake(stage: &mut Stage, how: &[(&str, &str)]) {
    let library = tool("libfaketime.so.1").display().to_string();
    let always = [
        ("LD_PRELOAD", library.as_str()),
        // The name has changed between versions.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ];
    for (name, value) in always.iter().chain(how) {
        stage
            .environment
            .push((name.to_string(), value.to_string()));
    }
}

/// A house with an audit file, an admin listener and a clock that can be set.
fn house(change: impl FnOnce(&mut Stage)) -> (House, Clock, PathBuf) {
    let mut more = None;
    let house = House::open_staged(|stage| {
        change(stage);
        more = Some((Clock::of(stage), stage.watch()));
    });
    let (clock, file) = more.expect("set above");
    (house, clock, file)
}

/// What the newest record says was wrong in particular.
fn last_detail(file: &Path, id: Option<&str>) -> String {
    let id = id.expect("every answer has one");
    let text = || std::fs::read_to_string(file).unwrap_or_default();
    wait_until("a record", || text().contains(id));
    let text = text();
    let line = text.lines().find(|line| line.contains(id)).expect("found");
    let record: Value = serde_json::from_str(line).expect("JSON");
    record["detail"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn clock_set_forward_ends_tokens_and_nothing_else() {
    let (house, clock, file) = house(|_| {});
    let token = house.token();
    let mut client = house.client();
    assert_eq!(client.get(PATH, &token).status, 200);
    assert_eq!(client.get(PATH, &token).status, 200);
    let mut idle = house.client();
    let mut waiting = house.client();
    house.origin.script(vec![
        Act::ReadBody,
        Act::Pause(Duration::from_millis(1_000)),
        Act::Send(ok(b"late")),
    ]);
    waiting.send(get(PATH, &token)).expect("a connection");
    house.origin.await_requests(3);

    clock.set(HOUR_S, &house);
    let log = house.gateway.log();
    let by = |by_s: &str| log.contains(&format!("by_s={by_s}"));
    assert!(by("3600") || by("3599"), "{log}");
    // What is under way has the time it had.
    assert_eq!((waiting.answer().text().as_str()), "late");
    let refused = client.get(PATH, &token);
    assert_problem(&refused, 401);
    assert!(
        refused.text().contains("TOKEN_INVALID"),
        "{}",
        refused.text()
    );
    assert_eq!(
        last_detail(&file, refused.field("x-request-id")),
        "token_expired"
    );
    // One of that time is good, on connections of before and on new ones.
    let mut claims = mint::with(house.stage.claims(), "iat", now_s() + HOUR_S);
    claims = mint::with(claims, "exp", now_s() + HOUR_S + 300);
    let later = house.stage.mint.good(&claims);
    assert_eq!(client.get(PATH, &later).status, 200);
    assert_eq!(idle.get(PATH, &later).status, 200);
    assert_eq!(house.client().get(PATH, &later).status, 200);

    clock.set(0, &house);
    assert_eq!(client.get(PATH, &token).status, 200);
    assert_problem(&client.get(PATH, &later), 401);
    assert_eq!(idle.get(PATH, &token).status, 200);
    assert_eq!(house.gateway.stop().code(), Some(0));
}

#[test]
fn clock_set_back_makes_tokens_wait_and_nothing_else() {
    let (house, clock, file) = house(|_| {});
    let token = house.token();
    let mut client = house.client();
    assert_eq!(client.get(PATH, &token).status, 200);

    clock.set(-HOUR_S, &house);
    // Also the one that is remembered: it is of the future.
    let refused = client.get(PATH, &token);
    assert_problem(&refused, 401);
    let detail = last_detail(&file, refused.field("x-request-id"));
    assert_eq!(detail, "token_not_yet_valid");
    let mut claims = mint::with(house.stage.claims(), "iat", now_s() - HOUR_S);
    claims = mint::with(claims, "exp", now_s() - HOUR_S + 300);
    let earlier = house.stage.mint.good(&claims);
    assert_eq!(client.get(PATH, &earlier).status, 200);

    clock.set(0, &house);
    assert_eq!(client.get(PATH, &token).status, 200);
    assert_problem(&client.get(PATH, &earlier), 401);
    assert_eq!(house.gateway.admin().get("/readyz").status, 200);
    assert_eq!(house.gateway.stop().code(), Some(0));
}

#[test]
fn server_certificate_that_expires_is_told_and_keeps_what_is_open() {
    let (house, clock, _) = house(|stage| {
        let leaf = Leaf {
            valid_until_s: 120,
            ..Leaf::server(HOST)
        };
        let server = stage.operator_ca.issue("brief", &leaf);
        let certificate = server.certificate.display();
        stage.config.set_text("tls.certificate", certificate);
        stage.config.set_text("tls.key.file", server.key.display());
    });
    house.gateway.await_log("the server certificate ends soon");
    let admin = house.gateway.admin();
    let token = house.token();
    let mut client = house.client();
    assert_eq!(client.get(PATH, &token).status, 200);
    assert_eq!(admin.get("/readyz").status, 200);

    clock.set(200, &house);
    house
        .gateway
        .await_log("the server certificate has expired");
    let said = admin.await_readiness(503);
    assert!(
        said.contains("the server certificate has expired"),
        "{said}"
    );
    assert_eq!(admin.get("/healthz").status, 200);
    assert_eq!(client.get(PATH, &token).status, 200);

    clock.set(0, &house);
    admin.await_readiness(200);
    assert_eq!(client.get(PATH, &token).status, 200);
}

#[test]
fn client_certificate_that_expires_on_an_open_connection_ends_it() {
    let (house, clock, file) = house(|stage| {
        let leaf = Leaf {
            valid_until_s: 120,
            ..Leaf::client(San::Dns("scs.acme.example"))
        };
        stage.acme = stage.partner_ca.issue("acme-brief", &leaf);
    });
    let token = house.token();
    let mut client = house.client();
    assert_eq!(client.get(PATH, &token).status, 200);
    clock.set(200, &house);
    let refused = client.get(PATH, &token);
    assert_problem(&refused, 401);
    assert!(
        refused.text().contains("CERTIFICATE_EXPIRED"),
        "{}",
        refused.text()
    );
    assert!(client.closed());
    let dialer = house.stage.dialer(&house.stage.acme);
    let mut late = dialer
        .connect(house.gateway.address)
        .expect("TLS 1.3 tells later");
    assert!(late.refusal().contains("CertificateExpired"));
    let text = || std::fs::read_to_string(&file).unwrap_or_default();
    wait_until("a record of the connection", || {
        text().contains("client_certificate_expired")
    });
    clock.set(0, &house);
    assert_eq!(house.client().get(PATH, &token).status, 200);
}
