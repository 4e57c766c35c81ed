//! Trust anchors that are out of time: who comes from them is let in, because an anchor is trusted
//! for as long as it is configured (RFC 5280 section 6.1), and the operator is told of each.

use std::path::PathBuf;

use rustls::version::{TLS12, TLS13};

use crate::config_cli::checked;
use crate::harness::client::{Dialer, HOST};
use crate::harness::gateway;
use crate::harness::pki::{Authority, Identity, Key, Leaf, San};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::wait_until;
use crate::reload::{ON_SIGNAL, reload, rewrite, said};

const DAY_S: i64 = 86_400;

/// Which CAs `acme`'s certificate may come from.
struct Anchors {
    expired: Authority,
    early: Authority,
    ending: Authority,
}

impl Anchors {
    fn new(stage: &Stage) -> Self {
        let directory = stage.scratch.path();
        let made =
            |name, from_s, until_s| Authority::valid(directory, name, Key::P256, from_s..until_s);
        Self {
            expired: made("Expired CA", -9 * DAY_S, -DAY_S),
            early: made("Early CA", DAY_S, 90 * DAY_S),
            ending: made("Ending CA", -DAY_S, 5 * DAY_S),
        }
    }

    fn all(&self) -> [&Authority; 3] {
        [&self.expired, &self.early, &self.ending]
    }
}

/// Writes anchors to one file, each twice.
fn write(stage: &Stage, name: &str, anchors: &[&Authority]) -> PathBuf {
    let pem = anchors
        .iter()
        .map(|ca| std::fs::read_to_string(&ca.certificate).expect("our own file"));
    let pem: String = pem.collect();
    stage.scratch.write(name, format!("{pem}{pem}"))
}

/// A handshake has no room for the names of all of them.
#[test]
fn clients_of_as_many_cas_as_there_may_be_are_let_in_by_either_version() {
    let house = House::open_staged(|stage| {
        let trusted = stage.config.value("tls.client_ca");
        let theirs = std::fs::read_to_string(trusted.trim_matches('"')).expect("ours");
        let directory = stage.scratch.path();
        let more = (0..700).map(|number| {
            let name = format!("Partner CA number {number} of a company {}", "x".repeat(40));
            let ca = Authority::new(directory, &name, Key::P256);
            std::fs::read_to_string(ca.certificate).expect("our own file")
        });
        let all = more.chain([theirs]).collect::<String>();
        let file = stage.scratch.write("all.pem", all);
        stage.config.set_text("tls.client_ca", file.display());
    });
    let (_, said) = checked(&house.stage);
    assert!(said.contains("not told their names"), "{said}");
    let stage = &house.stage;
    for version in [&TLS12, &TLS13] {
        let dialer = Dialer::only(&stage.operator_ca.der, &stage.acme, HOST, version);
        let mut client = dialer.connect(house.gateway.address).expect("let in");
        assert_eq!(client.get(PATH, &house.token()).status, 200);
    }
}

/// What is said of each, and of whom nothing is.
const SAID: [(&str, &str); 3] = [
    ("Expired CA", "has expired"),
    ("Early CA", "is not valid yet"),
    ("Ending CA", "ends soon"),
];

fn status_of(house: &House, who: &Identity) -> u16 {
    let dialer: Dialer = house.stage.dialer(who);
    let mut client = dialer.connect(house.gateway.address).expect("let in");
    let token = house.stage.mint.good(&crate::harness::mint::claims(
        "acme-app",
        crate::harness::stage::API,
        &who.thumbprint(),
    ));
    client.get(PATH, &token).status
}

//= RFC 5280 section 6.1 type=test
#[test]
fn anchor_out_of_time_is_warned_of_and_its_clients_are_served() {
    let mut anchors = None;
    let mut house = House::open_staged(|stage| {
        let made = Anchors::new(stage);
        let [expired, early, ending] = made.all();
        let file = write(
            stage,
            "cas.pem",
            &[&stage.partner_ca, expired, early, ending],
        );
        stage.config.set_text("tls.client_ca", file.display());
        stage.config.set("reload.watch", ON_SIGNAL);
        stage.watch();
        anchors = Some(made);
    });
    let anchors = anchors.expect("made above");
    let file = house.stage.scratch.path().join("cas.pem");
    // At the start.
    for (name, word) in SAID {
        house.gateway.await_log(word);
        let log = house.gateway.log();
        let mut lines = log.lines().filter(|line| line.contains(name));
        let line = lines.next().unwrap_or_default();
        let whole = [word, "WARN", "tls.client_ca", &file.display().to_string()];
        assert!(whole.iter().all(|part| line.contains(part)), "{line}");
        assert_eq!(lines.next(), None, "once");
    }
    assert!(!house.gateway.log().contains("Partner TLS CA"), "in time");
    // Its clients are served.
    let leaf = Leaf::client(San::Dns("scs.acme.example"));
    for (place, ca) in anchors.all().into_iter().enumerate() {
        let who = ca.issue(&format!("client-{place}"), &leaf);
        assert_eq!(status_of(&house, &who), 200, "{place}");
    }
    // As a number.
    let end = || {
        let name = "t8gate_trust_anchor_expiry_timestamp_seconds";
        house.gateway.admin().metrics().sum(name, &[])
    };
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let now_s = crate::harness::mint::now_s() as f64;
    let day_s = 86_400.0;
    assert!((end() - (now_s - day_s)).abs() < 600.0, "{}", end());
    // By `check`, as no fault.
    let outcome = gateway::check(&house.gateway.file, &house.stage.environment);
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.stderr);
    for (name, word) in SAID {
        let told = outcome.stdout.lines().filter(|line| line.contains(name));
        let told: Vec<&str> = told.collect();
        assert_eq!(told.len(), 1, "{}", outcome.stdout);
        assert!(
            told[0].starts_with("WARN") && told[0].contains(word),
            "{told:?}"
        );
    }
    // At a reload again, of those that are still there.
    let file = write(
        &house.stage,
        "fewer.pem",
        &[&house.stage.partner_ca, &anchors.ending],
    );
    rewrite(&mut house, |config| {
        config.set_text("tls.client_ca", file.display());
    });
    reload(&house);
    wait_until("the warning", || said(&house, "Ending CA") == 2);
    assert_eq!(
        (said(&house, "Expired CA"), said(&house, "Early CA")),
        (1, 1)
    );
    let name = "t8gate_trust_anchor_expiry_timestamp_seconds";
    let end = house.gateway.admin().metrics().sum(name, &[]);
    assert!((end - (now_s + 5.0 * day_s)).abs() < 600.0, "{end}");
}
