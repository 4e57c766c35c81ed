//! The profile `fips`, by a build with the feature of that name: `make test-fips`.

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};
use serde_json::Value;

use crate::harness::client::{Dialer, HOST};
use crate::harness::gateway::{self, check};
use crate::harness::stage::{House, PATH};
use crate::harness::{free_address, peers, run_well};

fn open() -> House {
    House::open_with(|config| {
        config.set_text("tls.profile", "fips");
    })
}

/// What openssl says of a request with a good token when it is told to connect like this.
fn openssl(house: &House, arguments: &[&str]) -> String {
    let stage = &house.stage;
    let token = house.token();
    let request = format!(
        "GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n\
         Connection: close\r\n\r\n"
    );
    let (ca, address) = (&stage.operator_ca.certificate, house.gateway.address);
    let outcome = peers::s_client(
        address,
        ca,
        Some(&stage.acme),
        arguments,
        request.as_bytes(),
    );
    outcome.stdout + &outcome.stderr
}

/// That it starts at all shows more: rustls was asked whether all that the configuration is made
/// of is in the module.
#[test]
#[ignore = "needs a build with the feature fips: make test-fips"]
fn start_proves_that_the_module_is_in_fips_mode() {
    let mut house = open();
    assert!(house.gateway.alive());
    let mut config = house.stage.config.clone();
    config.set_text("listen.address", free_address());
    let file = gateway::write(house.stage.scratch.path(), &config);
    let outcome = check(&file, &[]);
    let said = outcome.stdout + &outcome.stderr;
    assert!(outcome.status.success(), "{said}");
    assert!(said.contains("by a FIPS 140-3 module"), "{said}");
    let told = run_well(&mut gateway::t8gate(&["hw", "--json"]));
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["crypto"]["fips"], true, "{told}");
}

#[test]
#[ignore = "needs a build with the feature fips: make test-fips"]
fn openssl_is_served_on_p256_in_both_versions() {
    let house = open();
    for version in ["-tls1_3", "-tls1_2"] {
        let said = openssl(&house, &[version, "-groups", "P-256"]);
        assert!(said.contains("HTTP/1.1 200"), "{version}: {said}");
        assert!(said.contains("Temp Key: ECDH, prime256v1"), "{said}");
    }
}

#[test]
#[ignore = "needs a build with the feature fips: make test-fips"]
fn client_with_nothing_that_the_module_does_is_refused() {
    let house = open();
    for arguments in [
        &["-tls1_3", "-groups", "X25519"][..],
        &["-tls1_2", "-groups", "X25519"],
        &["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
    ] {
        let said = openssl(&house, arguments);
        assert!(
            said.contains("alert handshake failure"),
            "{arguments:?}: {said}"
        );
        assert!(!said.contains("HTTP/1.1"), "{said}");
    }
}

/// Many requests and long answers on one connection, and a session that goes on: records and
/// tickets are the module's as well.
#[test]
#[ignore = "needs a build with the feature fips: make test-fips"]
fn requests_and_resumption_go_through_the_module() {
    let house = open();
    let stage = &house.stage;
    for version in [&TLS13, &TLS12] {
        let dialer = Dialer::only(&stage.operator_ca.der, &stage.acme, HOST, version).resuming();
        for resumed in [false, true] {
            let mut client = dialer.connect(house.gateway.address).expect("a handshake");
            for _ in 0..50 {
                assert_eq!(client.get(PATH, &house.token()).status, 200);
            }
            let kind = client.handshake_kind();
            assert_eq!(kind == Some(HandshakeKind::Resumed), resumed, "{kind:?}");
        }
    }
}
