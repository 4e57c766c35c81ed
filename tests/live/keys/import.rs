//! `t8gate keys import-cert`: which certificates it takes, and what becomes of them.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::{Desk, OpensslCa};
use crate::harness::client::HOST;
use crate::harness::gateway::{t8gate, write};
use crate::harness::origin::Origin;
use crate::harness::pki::{Key, Leaf, Purpose, San};
use crate::harness::stage::Stage;
use crate::harness::{WAIT, command, run, run_well};

#[test]
fn certificate_of_another_key_is_not_imported() {
    let origin = Origin::start();
    let stage = Stage::new(origin.address);
    let desk = Desk::with_a_key("p256");
    let other = stage.operator_ca.issue("other", &Leaf::server(HOST));
    let out = desk.scratch.write("served.pem", "what was there");
    let arguments = [
        other.certificate.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    desk.refused(
        "import-cert",
        &arguments,
        &["none of the certificates is for this key"],
    );
    assert_eq!(std::fs::read(&out).unwrap(), b"what was there");
}

#[test]
fn unfit_certificate_is_not_imported_and_all_that_is_wrong_is_said() {
    let origin = Origin::start();
    let stage = Stage::new(origin.address);
    let desk = Desk::with_a_key("p256");
    let spki = desk.spki();
    let out = desk.scratch.write("served.pem", "what was there");
    let good = Leaf::server(HOST);
    let unfit = [
        (
            Leaf {
                key_usages: vec![rcgen::KeyUsagePurpose::KeyAgreement],
                purpose: Some(Purpose::Client),
                ..good.clone()
            },
            &["rule key_usage:", "rule extended_key_usage:"][..],
        ),
        (
            Leaf {
                valid_until_s: -60,
                ..good.clone()
            },
            &["expired"],
        ),
        (
            Leaf {
                valid_from_s: 3_600,
                ..good.clone()
            },
            &["not valid before"],
        ),
        (
            Leaf {
                sans: vec![San::Uri("urn:t8:gateway")],
                ..good.clone()
            },
            &["rule subject_alt_name:"],
        ),
    ];
    for (leaf, words) in unfit {
        let file = stage.operator_ca.issue_for("unfit", &leaf, &spki).path;
        let arguments = [file.to_str().unwrap(), "--out", out.to_str().unwrap()];
        desk.refused("import-cert", &arguments, words);
        assert_eq!(std::fs::read(&out).unwrap(), b"what was there");
    }
    // Of another CA than clients trust.
    let file = stage.operator_ca.issue_for("good", &good, &spki).path;
    let ca = stage.partner_ca.certificate.to_str().unwrap();
    let arguments = [file.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let untrusted = [&arguments[..], &["--ca", ca]].concat();
    desk.refused(
        "import-cert",
        &untrusted,
        &["does not verify: UnknownIssuer"],
    );
    desk.well("import-cert", &arguments);
    assert_ne!(std::fs::read(&out).unwrap(), b"what was there");
}

//= TS 33.310 clause 6.1.1 type=test
//# Signatures are by SHA-256 or SHA-384, and never by SHA-1 or MD5.
#[test]
fn certificate_that_no_partner_would_take_is_not_imported() {
    let desk = Desk::with_a_key("p256");
    let ca = OpensslCa::new(desk.scratch.path());
    let request = desk.request();
    let out = desk.scratch.path().join("served.pem");
    let copied = ["-copy_extensions", "copy"];
    let old = [&copied[..], &["-sha1"]].concat();
    let leaf = "basicConstraints=CA:FALSE\n";
    let authority = "basicConstraints=critical,CA:TRUE\n";
    let other_use = "keyUsage=digitalSignature\nsubjectAltName=DNS:t8.example\n";
    let cases = [
        (&old[..], leaf, "rule signature_hash:"),
        (&copied, authority, "is a CA's"),
        // No extensions at all make it version 1.
        (&[], "", "rule version:"),
        (&[], other_use, "rule key_usage_critical:"),
    ];
    for (number, (arguments, extensions, word)) in cases.into_iter().enumerate() {
        let name = format!("unfit-{number}.pem");
        let file = ca.issue_with(&request, &name, arguments, extensions);
        let arguments = [file.to_str().unwrap(), "--out", out.to_str().unwrap()];
        desk.refused("import-cert", &arguments, &[word]);
        assert!(!out.exists(), "{word}");
    }
    // What a public CA leaves out can be done without.
    let file = ca.issue_with(&request, "no-crl.pem", &copied, leaf);
    let arguments = [file.to_str().unwrap(), "--out", out.to_str().unwrap()];
    desk.refused(
        "import-cert",
        &arguments,
        &["rule crl_distribution_points:"],
    );
    let waiving = ["--waive", "crl_distribution_points"];
    desk.well("import-cert", &[&arguments[..], &waiving].concat());
    let outcome = desk.keys(
        "import-cert",
        &[&arguments[..], &["--waive", "version"]].concat(),
    );
    assert_eq!(outcome.status.code(), Some(2), "{}", outcome.stderr);
}

#[test]
fn configuration_says_which_names_the_certificate_has_to_have() {
    let origin = Origin::start();
    let (mut stage, _token) = Stage::with_token(origin.address, Key::P256);
    stage.config.set_text("listen.address", "127.0.0.1:1");
    let names = format!("[{HOST:?}, \"other.example\"]");
    stage.config.set("listen.server_names", &names);
    let file = write(stage.scratch.path(), &stage.config);
    let served = stage.config.value("tls.certificate");
    let served = served.trim_matches('"');
    let mut import = t8gate(&["keys", "import-cert", served, "--config"]);
    import.arg(file).envs(stage.environment.clone());
    let outcome = run(&mut import, b"", WAIT);
    assert!(!outcome.status.success());
    let said = outcome.stderr;
    assert!(said.contains("does not name other.example"), "{said}");
    assert!(!said.contains(&format!("not name {HOST}")), "{said}");
}

#[test]
fn chain_is_written_leaf_first_and_without_the_root_whatever_the_order() {
    let desk = Desk::with_a_key("p256");
    let root = OpensslCa::new(desk.scratch.path());
    let issued = root.issue(&desk.request(), "issued.pem");
    let text = |file: &Path| std::fs::read_to_string(file).unwrap();
    let bundle = text(&root.file("ca.pem")) + &text(&issued);
    let bundle = desk.scratch.write("bundle.pem", bundle);
    let out = desk.scratch.path().join("served.pem");
    let (bundle, file) = (bundle.to_str().unwrap(), out.to_str().unwrap());
    desk.well("import-cert", &[bundle, "--out", file]);
    let served: Vec<_> = CertificateDer::pem_file_iter(&out)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(served, [CertificateDer::from_pem_file(&issued).unwrap()]);
    // One that has nothing to do with it.
    let origin = Origin::start();
    let stray = Stage::new(origin.address).partner_ca.der;
    let mut openssl = command("openssl");
    let der = desk.scratch.write("stray.der", &stray);
    let stray = desk.scratch.path().join("stray.pem");
    openssl.args(["x509", "-inform", "DER", "-in"]).arg(der);
    run_well(openssl.arg("-out").arg(&stray));
    let arguments = [bundle, stray.to_str().unwrap(), "--out", file];
    desk.refused("import-cert", &arguments, &["Partner TLS CA", "no issuer"]);
}

#[test]
fn certificate_in_the_token_is_the_last_one_imported() {
    let desk = Desk::with_a_key("p256");
    let ca = OpensslCa::new(desk.scratch.path());
    let request = desk.request();
    let out = desk.scratch.path().join("served.pem");
    let store = |file: &Path| {
        let out = out.to_str().unwrap();
        let arguments = [file.to_str().unwrap(), "--out", out, "--store"];
        let outcome = desk.keys("import-cert", &arguments);
        assert!(outcome.status.success(), "{}", outcome.stderr);
        outcome.stderr
    };
    let first = ca.issue(&request, "first.pem");
    assert!(store(&first).contains("beside its key"));
    assert!(store(&first).contains("already"));
    assert!(store(&ca.issue(&request, "second.pem")).contains("in place of"));
    let token = desk.listed();
    let certificates = token["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 1);
    assert_eq!(certificates[0]["id"], "01");
}
