//! The profile `3gpp-strict`: clients that can do nothing but DHE are served by it, in bounds, and
//! nobody else is served worse for it.

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::client::HOST;
use crate::harness::gateway::{self, check};
use crate::harness::origin::Origin;
use crate::harness::pki::{Identity, Key, Leaf, San};
use crate::harness::softhsm::Token;
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{
    Outcome, WAIT, command, free_address, mint, peers, run, run_well, wait_until,
};

const ONLY_DHE: [&str; 3] = ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"];
const SUITE: &str = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256";

fn rsa_server() -> Leaf {
    Leaf {
        key: Key::Rsa2048,
        ..Leaf::server(HOST)
    }
}

/// An RSA certificate behind that of P-256, and the profile that wants it.
fn strict(stage: &mut Stage) {
    let issued = stage.operator_ca.issue("rsa", &rsa_server());
    let [certificate, key] = [&issued.certificate, &issued.key].map(|file| file.display());
    let body = format!("certificate = \"{certificate}\"\nkey = {{ file = \"{key}\" }}");
    stage.config.table("tls.also", &body);
    stage.config.set_text("tls.profile", "3gpp-strict");
}

fn open() -> House {
    House::open_staged(strict)
}

/// The same with these limits, on one shard, and its audit file.
fn limited(in_all: u32, each: u32) -> (House, PathBuf) {
    let mut audit = PathBuf::new();
    let house = House::open_staged(|stage| {
        strict(stage);
        audit = stage.watch();
        let mut set = |key, value: u32| {
            stage.config.set(key, &value.to_string());
        };
        set("limits.dhe_per_min_max", in_all);
        set("limits.dhe_per_min_per_source_max", each);
    });
    (house, audit)
}

fn request(house: &House, identity: &Identity) -> String {
    let claims = mint::claims("acme-app", API, &identity.thumbprint());
    let token = house.stage.mint.good(&claims);
    format!(
        "GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n\
         Connection: close\r\n\r\n"
    )
}

fn said(outcome: Outcome) -> String {
    outcome.stdout + &outcome.stderr
}

/// What openssl says of a request when it is told to connect like this.
fn openssl(house: &House, identity: &Identity, arguments: &[&str]) -> String {
    let ca = &house.stage.operator_ca.certificate;
    let request = request(house, identity);
    let address = house.gateway.address;
    let identity = Some(identity);
    said(peers::s_client(
        address,
        ca,
        identity,
        arguments,
        request.as_bytes(),
    ))
}

fn assert_served(said: &str) {
    assert!(said.contains("HTTP/1.1 200"), "{said}");
}

fn assert_refused(said: &str) {
    assert!(said.contains("alert internal error"), "{said}");
    assert!(!said.contains("HTTP/1.1"), "{said}");
}

fn rsa_client(house: &House) -> Identity {
    let leaf = Leaf {
        key: Key::Rsa2048,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    house.stage.partner_ca.issue("acme-rsa", &leaf)
}

//= TS 33.210 clause 6.2.3 type=test
//# TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 is supported.
#[test]
fn client_of_openssl_with_nothing_but_dhe_is_served() {
    let house = open();
    for identity in [&house.stage.acme, &rsa_client(&house)] {
        let said = openssl(&house, identity, &ONLY_DHE);
        assert_served(&said);
        assert!(
            said.contains("Cipher is DHE-RSA-AES128-GCM-SHA256"),
            "{said}"
        );
        // openssl names no group for it: the smaller one is the gateway's choice.
        assert!(said.contains("Server Temp Key: DH, 2048 bits"), "{said}");
        assert!(said.contains("Extended master secret: yes"), "{said}");
    }
}

/// GnuTLS names its groups, as RFC 7919 has it, and takes no other.
#[test]
fn client_of_gnutls_is_served_in_the_group_that_it_names() {
    let house = open();
    let stage = &house.stage;
    let rsa = rsa_client(&house);
    for group in ["FFDHE2048", "FFDHE3072"] {
        for identity in [&stage.acme, &rsa] {
            let priority = format!(
                "NONE:+VERS-TLS1.2:+DHE-RSA:+AES-128-GCM:+AEAD:+COMP-NULL:+SIGN-ALL:+CTYPE-ALL:\
                 +GROUP-{group}"
            );
            let mut gnutls = command("gnutls-cli");
            gnutls
                .arg("--x509cafile")
                .arg(&stage.operator_ca.certificate);
            gnutls.arg("--x509certfile").arg(&identity.certificate);
            gnutls.arg("--x509keyfile").arg(&identity.key);
            gnutls.args(["--sni-hostname", HOST, "--verify-hostname", HOST]);
            gnutls.args(["--priority", &priority, "--verbose"]);
            let port = house.gateway.address.port().to_string();
            gnutls.args(["--port", &port, "127.0.0.1"]);
            let request = request(&house, identity);
            let said = said(run(&mut gnutls, request.as_bytes(), WAIT));
            assert_served(&said);
            assert!(said.contains(&format!("(DHE-{group})")), "{said}");
        }
    }
}

#[test]
fn client_that_offers_better_is_served_by_better() {
    let house = open();
    let acme = &house.stage.acme;
    let both = "DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
    let cases: [(&[&str], &str); 4] = [
        (&["-tls1_2", "-cipher", both], "ECDHE-RSA-AES128-GCM-SHA256"),
        (&["-tls1_2"], "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (&["-cipher", ONLY_DHE[2]], "TLS_AES_128_GCM_SHA256"),
        // Its group of choice is one that TLS 1.3 is not spoken with here.
        (&["-groups", "ffdhe2048:X25519"], "TLS_AES_128_GCM_SHA256"),
    ];
    for (arguments, suite) in cases {
        let said = openssl(&house, acme, arguments);
        assert_served(&said);
        assert!(
            said.contains(&format!("Cipher is {suite}")),
            "{arguments:?}: {said}"
        );
    }
    let said = openssl(&house, acme, &["-tls1_3", "-groups", "ffdhe2048"]);
    assert!(said.contains("alert handshake failure"), "{said}");
}

#[test]
fn other_profiles_refuse_a_client_with_nothing_but_dhe() {
    for profile in ["3gpp", "modern"] {
        let house = House::open_staged(|stage| {
            strict(stage);
            stage.config.set_text("tls.profile", profile);
        });
        let said = openssl(&house, &house.stage.acme, &ONLY_DHE);
        assert!(said.contains("alert"), "{profile}: {said}");
        assert!(!said.contains("HTTP/1.1"), "{profile}: {said}");
    }
}

/// A key in a token signs on a thread of its own: the agreement waits for its admission there.
#[test]
fn rsa_key_in_a_token_serves_by_dhe_and_is_kept_in_bounds() {
    let origin = Origin::start();
    let (mut stage, _token): (Stage, Token) = Stage::with_token(origin.address, Key::Rsa2048);
    stage.config.set_text("tls.profile", "3gpp-strict");
    stage.config.set("limits.dhe_per_min_max", "60");
    stage.config.set("limits.dhe_per_min_per_source_max", "1");
    let house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    assert_served(&openssl(&house, &house.stage.acme, &ONLY_DHE));
    assert_refused(&openssl(&house, &house.stage.acme, &ONLY_DHE));
    let ecdhe = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"];
    assert_served(&openssl(&house, &house.stage.acme, &ecdhe));
}

/// One in a minute: the second of the source is refused, one of another source is not, and those
/// of the first source that offer better go on.
#[test]
fn source_is_kept_to_its_limit_and_others_are_served() {
    let (house, audit) = limited(60, 1);
    let acme = &house.stage.acme;
    assert_served(&openssl(&house, acme, &ONLY_DHE));
    for _ in 0..2 {
        assert_refused(&openssl(&house, acme, &ONLY_DHE));
        assert_served(&openssl(&house, acme, &["-tls1_2"]));
    }
    let elsewhere = [&ONLY_DHE[..], &["-bind", "127.0.0.2:0"]].concat();
    assert_served(&openssl(&house, acme, &elsewhere));
    let admin = house.gateway.admin();
    let labels = [("reason", "dhe_over_limit")];
    wait_until("both are counted", || {
        let metrics = admin.metrics();
        metrics.count("t8gate_connections_refused_total", &labels) == 2
    });
    wait_until("and recorded, with address and alert", || {
        let records = std::fs::read_to_string(&audit).unwrap_or_default();
        let records = records
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let over = records.filter(|record: &Value| record["reason"] == "dhe_over_limit");
        let from = |record: &Value| {
            let address = record["address"].as_str().unwrap_or_default();
            address.starts_with("127.0.0.1") && record["detail"] == "internal_error"
        };
        over.filter(from).count() == 2
    });
}

#[test]
fn all_sources_together_are_kept_to_the_total() {
    let (house, _) = limited(1, 1);
    let acme = &house.stage.acme;
    let from = |address: &str| {
        let bind = format!("{address}:0");
        openssl(&house, acme, &[&ONLY_DHE[..], &["-bind", &bind]].concat())
    };
    assert_served(&from("127.0.0.2"));
    assert_refused(&from("127.0.0.3"));
    assert_refused(&from("127.0.0.4"));
    let ecdhe = ["-tls1_2", "-bind", "127.0.0.4:0"];
    assert_served(&openssl(&house, acme, &ecdhe));
}

fn written(stage: &mut Stage) -> PathBuf {
    stage.config.set_text("listen.address", free_address());
    gateway::write(stage.scratch.path(), &stage.config)
}

#[test]
fn gateway_without_an_rsa_certificate_does_not_start_with_it_and_says_why() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    stage.config.set_text("tls.profile", "3gpp-strict");
    let outcome = check(&written(&mut stage), &[]);
    assert!(!outcome.status.success());
    let text = said(outcome);
    for part in [
        "tls.profile",
        SUITE,
        "no certificate",
        "RSA",
        "[[tls.also]]",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    strict(&mut stage);
    let outcome = check(&written(&mut stage), &[]);
    assert!(outcome.status.success(), "{}", said(outcome));
}

#[test]
fn limit_of_a_source_above_that_of_all_is_a_fault() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    strict(&mut stage);
    stage.config.set("limits.dhe_per_min_max", "10");
    let outcome = check(&written(&mut stage), &[]);
    assert!(!outcome.status.success());
    let text = said(outcome);
    assert!(text.contains("limits.dhe_per_min_per_source_max"), "{text}");
    stage.config.set("limits.dhe_per_min_per_source_max", "0");
    let text = said(check(&written(&mut stage), &[]));
    assert!(text.contains("limits.dhe_per_min_per_source_max"), "{text}");
}

/// What `check --conformance` says of the suite.
fn conformance(stage: &mut Stage) -> Value {
    let file = written(stage);
    let arguments = ["check", "--conformance", "--format", "json", "--config"];
    let told = run_well(gateway::t8gate(&arguments).arg(&file));
    let report: Value = serde_json::from_str(&told).expect("JSON");
    let rows = report["clauses"].as_array().expect("rows").iter();
    let mut rows = rows.filter(|row| row["demand"].as_str().is_some_and(|d| d.contains(SUITE)));
    rows.next().expect("its row").clone()
}

#[test]
fn conformance_report_calls_the_suite_met_where_it_is_served() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let row = conformance(&mut stage);
    assert_eq!(row["status"], "not_met");
    assert!(
        row["why"].as_str().unwrap().contains("tls.profile"),
        "{row}"
    );
    strict(&mut stage);
    assert_eq!(conformance(&mut stage)["status"], "met");
}
