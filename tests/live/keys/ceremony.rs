//! The whole way, as an operator goes it, and as `hsm/README.md` says it.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::{Desk, OpensslCa};
use crate::harness::client::{Dialer, HOST};
use crate::harness::gateway::{check, t8gate, write};
use crate::harness::origin::Origin;
use crate::harness::pki::Key;
use crate::harness::stage::{PATH, Stage};
use crate::harness::{Scratch, WAIT, command, free_address, peers, run, run_well};

/// The configuration comes first, as an operator has it; every command takes the token from it.
fn ceremony(desk: &Desk, kind: &str, held: &str) {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let folder = stage.scratch.path().to_owned();
    let token = &desk.token;
    stage.environment.clone_from(&desk.environment);
    let served = folder.join("served.pem");
    stage.config.unset("tls.key.file");
    stage.config.set_text("tls.certificate", served.display());
    stage
        .config
        .set_text("tls.key.module", token.module.display());
    stage.config.set_text("tls.key.uri", &token.uri);
    stage
        .config
        .set_text("tls.key.pin_file", token.pin_file.display());
    stage.config.set_text("listen.address", "127.0.0.1:1");
    let file = write(&folder, &stage.config);
    let keys = |arguments: &[&str]| {
        let mut t8gate = t8gate(&["keys"]);
        t8gate.args(arguments).arg("--config").arg(&file);
        run_well(t8gate.envs(stage.environment.clone()))
    };

    let uri = keys(&["generate", "--type", kind]);
    assert!(uri.starts_with(&token.uri), "{uri}");
    let listed = keys(&["list"]);
    assert!(listed.contains(held), "{listed}");
    keys(&["self-test"]);

    let name = format!("dns:{HOST}");
    let names = ["--organization", "Öperator Example", "--country", "SE"];
    let sans = ["--san", &name, "--san", "uri:urn:t8:gateway"];
    let request = keys(&[&["csr"], &names[..], &sans].concat());
    let request = stage.scratch.write("request.pem", request);
    let mut openssl = command("openssl");
    openssl.args(["req", "-verify", "-noout", "-text", "-nameopt"]);
    openssl.args(["utf8,sep_comma_plus,show_type", "-in"]);
    let outcome = run(openssl.arg(&request), b"", WAIT);
    assert!(outcome.stderr.contains("verify OK"), "{}", outcome.stderr);
    for word in [
        "C=PRINTABLESTRING:SE",
        "O=UTF8STRING:Öperator Example",
        &format!("CN=UTF8STRING:{HOST}"),
        &format!("DNS:{HOST}, URI:urn:t8:gateway"),
        "X509v3 Key Usage: critical\n                    Digital Signature\n",
        "TLS Web Server Authentication",
    ] {
        let text = &outcome.stdout;
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }

    let ca = OpensslCa::new(&folder);
    let certificate = ca.issue(&request, "issued.pem");
    let ca = ca.file("ca.pem");
    let (issued, anchor) = (certificate.to_str().unwrap(), ca.to_str().unwrap());
    keys(&["import-cert", issued, "--ca", anchor, "--store"]);

    stage.config.unset("listen.address");
    let gateway = stage.start();
    for version in ["-tls1_2", "-tls1_3"] {
        let acme = Some(&stage.acme);
        let input = format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        let versions = [version];
        let said = peers::s_client(gateway.address, &ca, acme, &versions, input.as_bytes());
        let said = said.stdout;
        assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
        assert!(said.contains("HTTP/1.1 401"), "{said}");
    }
    let mut curl = peers::curl(gateway.address, &ca, Some(&stage.acme));
    let bearer = format!("Authorization: Bearer {}", stage.token());
    run_well(
        curl.args(["--fail", "--header", &bearer])
            .arg(peers::url(gateway.address, PATH)),
    );
    let anchor = CertificateDer::from_pem_file(&ca).unwrap();
    let mut client = Dialer::new(&anchor, Some(&stage.acme), HOST)
        .connect(gateway.address)
        .unwrap();
    assert_eq!(client.get(PATH, &stage.token()).status, 200);
}

//= TS 33.310 clause 6.1.1 type=test
//# Names are country, organization and common name; the latter two in UTF-8.
#[test]
fn operator_gets_from_an_empty_token_to_a_serving_p256_certificate() {
    ceremony(&Desk::with_an_empty_token(), "p256", "stays in the token");
}

#[test]
fn operator_gets_from_an_empty_token_to_a_serving_p384_certificate() {
    ceremony(&Desk::with_an_empty_token(), "p384", "stays in the token");
}

#[test]
fn operator_gets_from_an_empty_token_to_a_serving_rsa_certificate() {
    ceremony(
        &Desk::with_an_empty_token(),
        "rsa2048",
        "stays in the token",
    );
}

/// It does not say of a key that it was made inside, so that it is told as it is.
#[test]
fn another_pkcs11_implementation_serves_the_certificate_of_its_key() {
    let scratch = Scratch::new();
    let (softoken, desk) = Desk::at_nss_softoken(scratch);
    ceremony(
        &desk,
        "p256",
        "NOT MADE INSIDE, sensitive, never extractable",
    );
    drop(softoken);
}

#[test]
fn rotation_leaves_the_old_key_serving_until_the_configuration_names_the_new_one() {
    let origin = Origin::start();
    let (stage, _token) = Stage::with_token(origin.address, Key::P256);
    let mut config = stage.config.clone();
    config.set_text("listen.address", "127.0.0.1:1");
    let file = write(stage.scratch.path(), &config);
    let keys = |arguments: &[&str]| {
        let mut t8gate = t8gate(&["keys"]);
        t8gate.args(arguments).arg("--config").arg(&file);
        run_well(t8gate.envs(stage.environment.clone()))
    };
    let gateway = stage.start();
    let uri = keys(&["generate", "--label", "server-2", "--id", "22"]);
    let uri = uri.trim();
    let name = format!("dns:{HOST}");
    let names = ["--organization", "Operator Example", "--san", &name];
    let request = keys(&[&["csr", "--uri", uri], &names[..]].concat());
    let request = stage.scratch.write("request.pem", request);
    let ca = OpensslCa::new(stage.scratch.path());
    let issued = ca.issue(&request, "issued.pem");
    let next = stage.scratch.path().join("next.pem");
    let (issued, out) = (issued.to_str().unwrap(), next.to_str().unwrap());
    keys(&["import-cert", issued, "--uri", uri, "--out", out]);
    let mut client = stage.dialer(&stage.acme).connect(gateway.address).unwrap();
    assert_eq!(client.get(PATH, &stage.token()).status, 200);

    // Key and certificate change together; one alone is a fault.
    config.set_text("tls.key.uri", uri);
    let outcome = check(&write(stage.scratch.path(), &config), &stage.environment);
    assert!(outcome.stdout.contains("another key"), "{}", outcome.stdout);
    config.set_text("tls.certificate", next.display());
    let outcome = check(&write(stage.scratch.path(), &config), &stage.environment);
    let proof = outcome
        .stdout
        .lines()
        .find(|line| line.contains("key proof"));
    assert!(
        proof.is_some_and(|line| line.starts_with("ok")),
        "{}",
        outcome.stdout
    );
}

/// The shell blocks of a part of `hsm/README.md`.
fn readme_blocks(part: &str) -> Vec<String> {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/hsm/README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let begin = format!("<!-- {part}: begin -->");
    let end = format!("<!-- {part}: end -->");
    let (_, text) = text.split_once(&begin).expect("the part begins");
    let (text, _) = text.split_once(&end).expect("the part ends");
    let blocks = text.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    blocks
        .map(|b| b.replace("token=t8gate;", "token=t8gate-test;"))
        .collect()
}

/// The walk of `hsm/README.md` as it is printed, in a folder with the configuration.
#[test]
fn readme_leads_from_an_empty_token_to_a_certificate_and_to_the_next_one() {
    let desk = Desk::with_an_empty_token();
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let folder = desk.scratch.path();
    stage.config.unset("tls.key.file");
    stage.config.set_text("tls.certificate", "server.pem");
    stage.config.set_text("listen.address", free_address());
    stage
        .config
        .set_text("tls.key.module", desk.token.module.display());
    stage.config.set_text("tls.key.uri", &desk.token.uri);
    stage.config.set_text("tls.key.pin_file", "pin");
    desk.scratch.write("t8gate.toml", stage.config.render());
    let ca = OpensslCa::new(folder);
    let bash = |block: &str| {
        let mut bash = command("bash");
        bash.args(["-euc", block]).current_dir(folder);
        bash.envs(desk.environment.clone());
        let program = Path::new(env!("CARGO_BIN_EXE_t8gate")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        bash.env("PATH", format!("{}:{path}", program.display()));
        run_well(&mut bash)
    };

    let [list, request, import] = &readme_blocks("ceremony")[..] else {
        panic!("the ceremony has three steps")
    };
    assert!(bash(list).contains("token \"t8gate-test\""));
    bash(request);
    ca.issue(&folder.join("request.pem"), "issued.pem");
    let said = bash(import);
    assert!(
        said.contains("signed, and verified with the certificate"),
        "{said}"
    );

    let [request, import] = &readme_blocks("rotation")[..] else {
        panic!("the rotation has two steps")
    };
    bash(request);
    ca.issue(&folder.join("request-2.pem"), "issued-2.pem");
    let next = request.lines().next().unwrap();
    bash(&format!("{next}\n{import}"));
    let next = next.split('\'').nth(1).unwrap();
    stage.config.set_text("tls.certificate", "server-2.pem");
    stage.config.set_text("tls.key.uri", next);
    desk.scratch.write("t8gate.toml", stage.config.render());
    bash("t8gate check --config t8gate.toml");
}
