//! Several certificates of the gateway's own, side by side: by name, by what a client can verify,
//! in files and in a token.

use crate::harness::client::HOST;
use crate::harness::gateway::{check, write};
use crate::harness::origin::Origin;
use crate::harness::peers;
use crate::harness::pki::{Key, Leaf, San};
use crate::harness::stage::{House, PATH, Stage};

const PARTNER_HOST: &str = "t8.partner.example";

/// Adds a certificate for these names, issued under a file name of its own.
fn also(stage: &mut Stage, stem: &str, leaf: &Leaf, names: &[&str]) {
    let issued = stage.operator_ca.issue(stem, leaf);
    let (certificate, key) = (issued.certificate.display(), issued.key.display());
    let body = format!(
        "names = {names:?}\ncertificate = {:?}\nkey = {{ file = {:?} }}",
        certificate.to_string(),
        key.to_string()
    );
    stage.config.table("tls.also", &body);
}

fn rsa() -> Leaf {
    Leaf {
        key: Key::Rsa2048,
        ..Leaf::server(HOST)
    }
}

/// What openssl says of the handshake when it is told to ask like this.
fn shown(house: &House, arguments: &[&str]) -> String {
    let stage = &house.stage;
    let ca = &stage.operator_ca.certificate;
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    let address = house.gateway.address;
    let outcome = peers::s_client(
        address,
        ca,
        Some(&stage.acme),
        arguments,
        request.as_bytes(),
    );
    outcome.stdout + &outcome.stderr
}

fn serves_ec_and_rsa(house: &House) {
    let cases: [(&[&str], &str); 5] = [
        (&["-tls1_3"], "ecdsa_secp256r1_sha256"),
        (
            &["-tls1_3", "-sigalgs", "RSA-PSS+SHA256"],
            "rsa_pss_rsae_sha256",
        ),
        (&["-tls1_2"], "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
            "ECDHE-RSA-AES128-GCM-SHA256",
        ),
        (
            &["-tls1_2", "-sigalgs", "RSA-PSS+SHA256"],
            "ECDHE-RSA-AES128-GCM-SHA256",
        ),
    ];
    for (arguments, expected) in cases {
        let said = shown(house, arguments);
        let rsa =
            expected.to_lowercase().contains("rsa") && !expected.to_lowercase().contains("ecdsa");
        let signed = if rsa { "RSA" } else { "ECDSA" };
        assert!(
            said.contains("Verify return code: 0 (ok)"),
            "{arguments:?}: {said}"
        );
        assert!(
            said.to_uppercase()
                .contains(&format!("PEER SIGNATURE TYPE: {signed}")),
            "{arguments:?}: {said}"
        );
        if arguments.contains(&"-tls1_2") {
            assert!(said.contains(expected), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn client_is_shown_what_it_can_verify_of_ec_and_rsa_side_by_side() {
    let house = House::open_staged(|stage| also(stage, "rsa", &rsa(), &[]));
    serves_ec_and_rsa(&house);
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

#[test]
fn key_in_a_token_and_key_in_a_file_stand_side_by_side() {
    let origin = Origin::start();
    let (mut stage, _token) = Stage::with_token(origin.address, Key::P256);
    also(&mut stage, "rsa", &rsa(), &[]);
    let house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    serves_ec_and_rsa(&house);
}

#[test]
fn client_is_shown_the_certificate_of_the_name_it_asks_for() {
    let house = House::open_staged(|stage| {
        also(
            stage,
            "partner",
            &Leaf::server(PARTNER_HOST),
            &[PARTNER_HOST],
        );
    });
    for (name, others) in [(HOST, PARTNER_HOST), (PARTNER_HOST, HOST)] {
        let said = shown(&house, &["-servername", name]);
        let subject = |name: &str| format!("subject=O = Example, CN = {name}");
        assert!(said.contains(&subject(name)), "{said}");
        assert!(!said.contains(&subject(others)), "{said}");
    }
    let said = shown(&house, &["-servername", "elsewhere.example"]);
    assert!(said.contains("unrecognized name"), "{said}");
}

/// Whoever asked for it would be shown another certificate, which does not carry it.
#[test]
fn name_that_no_certificate_is_shown_for_is_not_served_where_no_names_are_configured() {
    let unnamed = "unnamed.partner.example";
    let house = House::open_staged(|stage| {
        let mut leaf = Leaf::server(PARTNER_HOST);
        leaf.sans.push(San::Dns(unnamed));
        stage.config.unset("listen.server_names");
        also(stage, "partner", &leaf, &[PARTNER_HOST]);
    });
    for name in [HOST, PARTNER_HOST] {
        let said = shown(&house, &["-servername", name]);
        assert!(said.contains(&format!("CN = {name}")), "{said}");
    }
    let said = shown(&house, &["-servername", unnamed]);
    assert!(said.contains("unrecognized name"), "{said}");
}

#[test]
fn certificate_for_a_name_that_it_does_not_carry_is_a_fault_with_its_line() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let names = [PARTNER_HOST, HOST, "other.partner.example"];
    also(&mut stage, "partner", &Leaf::server(HOST), &names);
    let said = refused(&mut stage);
    // All of them in one go.
    for (name, is_wrong) in names.iter().zip([true, false, true]) {
        let told = said.contains(&format!("the certificate does not carry the name {name:?}"));
        assert_eq!(told, is_wrong, "{name}: {said}");
    }
    let line = stage.config.render();
    let line = line.lines().position(|line| line.starts_with("names = "));
    let place = format!(":{}: tls.also[1].names", line.expect("our own table") + 1);
    assert!(said.contains(&place), "{place} is not in\n{said}");
}

/// What `check` says of the scene when it refuses it.
#[track_caller]
fn refused(stage: &mut Stage) -> String {
    let address = crate::harness::free_address();
    stage.config.set_text("listen.address", address);
    let file = write(stage.scratch.path(), &stage.config);
    let outcome = check(&file, &[]);
    assert!(!outcome.status.success(), "{}", outcome.stdout);
    outcome.stdout + &outcome.stderr
}

/// Each is one that clients would refuse: found here at the start, and not by them one by one.
#[test]
fn chain_that_clients_would_refuse_is_a_fault_that_names_the_file_and_what_is_wrong() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let text = |file: &std::path::Path| std::fs::read_to_string(file).unwrap();
    let server = std::path::PathBuf::from(stage.config.value("tls.certificate").trim_matches('"'));
    let (own, ca) = (text(&server), text(&stage.operator_ca.certificate));
    // Its issuer behind it is as it should be.
    stage.scratch.write("server.pem", own.clone() + &ca);
    let address = crate::harness::free_address();
    stage.config.set_text("listen.address", address);
    let file = write(stage.scratch.path(), &stage.config);
    let outcome = check(&file, &[]);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    // Another's is not.
    stage.scratch.write(
        "server.pem",
        own.clone() + &text(&stage.partner_ca.certificate),
    );
    let said = refused(&mut stage);
    for word in [
        "tls.certificate: ",
        "server.pem: the certificate was issued by O=Example, CN=Operator TLS CA",
        "behind it stands O=Example, CN=Partner TLS CA",
        "put behind each certificate the one of its issuer",
    ] {
        assert!(said.contains(word), "{word} is not in\n{said}");
    }
    // One that has ended, with all else.
    let uri = Leaf {
        sans: vec![San::Uri("urn:t8:gateway")],
        valid_until_s: -60,
        ..Leaf::server(HOST)
    };
    let unfit = stage.operator_ca.issue("unfit", &uri);
    stage
        .config
        .set_text("tls.certificate", unfit.certificate.display());
    stage.config.set_text("tls.key.file", unfit.key.display());
    let said = refused(&mut stage);
    for word in [
        "the rule subject_alt_name",
        "unfit.pem: the certificate expired at",
    ] {
        assert!(said.contains(word), "{word} is not in\n{said}");
    }
}

/// One thing that is wrong with a certificate hides no other.
#[test]
fn keys_and_names_that_do_not_fit_are_told_beside_what_else_is_wrong() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let names = format!("[{HOST:?}, {PARTNER_HOST:?}]");
    stage.config.set("listen.server_names", &names);
    let first = stage.operator_ca.issue("first", &Leaf::server(HOST));
    stage.config.set_text("tls.key.file", first.key.display());
    let rsa = stage.operator_ca.issue("rsa", &rsa());
    let body = format!(
        "names = [\"a.example\"]\ncertificate = {:?}\nkey = {{ file = {:?} }}",
        rsa.certificate.display().to_string(),
        first.key.display().to_string()
    );
    stage.config.table("tls.also", &body);
    let said = refused(&mut stage);
    for told in [
        "tls.key: the certificate is for another key than the private key",
        "tls.also[1].names: the certificate does not carry the name \"a.example\"",
        "tls.also[1].key: the certificate is for a RSA key, the private key is P-256",
        &format!("no certificate is for {PARTNER_HOST}, which listen.server_names has"),
    ] {
        assert!(said.contains(told), "{told} is not in\n{said}");
    }
    assert!(said.contains("\n4 faults in "), "{said}");
}

#[test]
fn name_that_clients_may_ask_for_and_no_certificate_has_is_a_fault() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let names = format!("[{HOST:?}, {PARTNER_HOST:?}]");
    stage.config.set("listen.server_names", &names);
    let said = refused(&mut stage);
    let told = format!("no certificate is for {PARTNER_HOST}, which listen.server_names has");
    assert!(said.contains(&told), "{said}");
    assert!(!said.contains(&format!("for {HOST},")), "{said}");
    // With one that is shown for it, all is well.
    also(
        &mut stage,
        "partner",
        &Leaf::server(PARTNER_HOST),
        &[PARTNER_HOST],
    );
    let file = write(stage.scratch.path(), &stage.config);
    let outcome = check(&file, &[]);
    assert!(outcome.status.success(), "{}", outcome.stderr);
}
