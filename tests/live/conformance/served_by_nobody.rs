//! What `t8gate check --conformance` says of configurations that nothing serves: those that `check`
//! refuses, and a chain with more than one CA.

use serde_json::Value;

use super::also_rsa;
use crate::harness::client::HOST;
use crate::harness::gateway::{t8gate, write};
use crate::harness::odd_certificates::{
    BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, Recipe, SERVER_AUTH, der,
};
use crate::harness::origin::Origin;
use crate::harness::stage::Stage;
use crate::harness::{Outcome, WAIT, run};

fn asked(stage: &mut Stage, arguments: &[&str]) -> Outcome {
    stage.config.set_text("listen.address", "127.0.0.1:1");
    let file = write(stage.scratch.path(), &stage.config);
    run(t8gate(arguments).arg("--config").arg(file), b"", WAIT)
}

/// Of a configuration.
type Change = fn(&mut Stage);

/// There is no report on what would not serve: its faults are told as by `check` alone.
#[test]
fn configuration_that_check_refuses_for_its_certificates_gets_no_report() {
    let cases: [(Change, &str); 5] = [
        (
            |stage| {
                stage.config.set("tls.waive", "[\"version\"]");
            },
            "the rule version cannot be waived",
        ),
        (
            |stage| {
                stage.config.set("tls.waive", "[\"key_usages\"]");
            },
            "there is no rule \"key_usages\"",
        ),
        (
            |stage| {
                let own = stage.config.value("tls.certificate");
                stage.config.set("tls.client_ca", &own);
            },
            "trust anchor 1",
        ),
        (
            |stage| {
                stage.config.set_text("tls.profile", "3gpp-strict");
                also_rsa(stage, "rsa.example", &["rsa.example"]);
            },
            "no certificate here is for RSA and for any name",
        ),
        (
            |stage| {
                stage.config.set_text("tls.profile", "none");
            },
            "there is no TLS profile \"none\"",
        ),
    ];
    for (change, word) in cases {
        let origin = Origin::start();
        let mut stage = Stage::new(origin.address);
        change(&mut stage);
        for arguments in [&["check"][..], &["check", "--conformance"]] {
            let outcome = asked(&mut stage, arguments);
            assert_eq!(outcome.status.code(), Some(1), "{arguments:?}: {word}");
            let told = &outcome.stderr;
            assert!(
                told.contains(word),
                "{arguments:?}: {word} is not in\n{told}"
            );
            let reported = outcome.stdout.contains("# Conformance");
            assert!(!reported, "{arguments:?}: {}", outcome.stdout);
        }
    }
}

/// A rule that is never asked of the gateway's own chain is not called met where it is broken.
#[test]
fn ca_between_the_gateways_own_certificate_and_its_root_is_told() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let p256 = || rcgen::KeyPair::generate().expect("a key");
    let one_below = [0x30, 6, 1, 1, 0xff, 2, 1, 1];
    let root = Recipe::ca("Operator root").with(&BASIC_CONSTRAINTS, true, &one_below);
    let root = root.self_signed(p256());
    let issuing = Recipe::ca("Operator TLS CA").signed_by(&root, p256());
    let server = Recipe::client(HOST).with(&EXTENDED_KEY_USAGE, false, &der(0x30, SERVER_AUTH));
    let server = server.signed_by(&issuing, p256());
    let key = stage.scratch.write("own.key", server.key.serialize_pem());
    stage.config.set_text("tls.key.file", key.display());
    for (chain, status) in [
        (&[&server, &issuing, &root][..], "waived"),
        (&[&server, &issuing], "waived"),
        (&[&server], "met"),
    ] {
        let pem: String = chain.iter().map(|odd| odd.certificate.pem()).collect();
        let file = stage.scratch.write("own.pem", pem);
        stage.config.set_text("tls.certificate", file.display());
        let outcome = asked(&mut stage, &["check", "--conformance", "--format", "json"]);
        assert!(outcome.status.success(), "{}", outcome.stderr);
        let report: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let mut rows = report["clauses"].as_array().expect("rows").iter();
        let row = rows.find(|row| row["name"] == "direct_issuer").expect("it");
        assert_eq!(row["status"], status, "{row}");
        let told = row.to_string().contains("tls.certificate, by design");
        assert_eq!(told, status == "waived", "{row}");
    }
}
