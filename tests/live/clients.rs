//! Programs of partners: OAuth libraries that we did not write fetch tokens, read what the embedded
//! issuer says of itself, and revoke what they have fetched.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::harness::client::HOST;
use crate::harness::pki::{Identity, Key};
use crate::harness::stage::House;
use crate::harness::{command, free_address, run, run_well, tool};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/fetch_tokens.py");

/// A house whose issuer's name has its port in it.
fn house() -> (String, House) {
    let address = free_address();
    let issuer = format!("https://{HOST}:{}", address.port());
    let house = House::open_staged(|stage| {
        stage.issue_tokens();
        stage.config.set_text("listen.address", address);
        stage.config.set_text("oauth.issuer", &issuer);
        let store = stage.scratch.path().join("revoked.redb");
        stage.config.set_text("revocation.store", store.display());
    });
    (issuer, house)
}

/// The script that fetches with both libraries, in the name of a client.
fn fetching(
    (issuer, house): &(String, House),
    identity: &Identity,
    client_id: &str,
    scope: &str,
) -> Command {
    let mut python = command(tool("python/bin/python"));
    python
        .arg(SCRIPT)
        .arg("--resolve")
        .arg(format!("{HOST}={}", house.gateway.address.ip()))
        .arg(format!("{issuer}/oauth2/token"))
        .arg(&house.stage.operator_ca.certificate)
        .arg(&identity.certificate)
        .arg(&identity.key)
        .args([client_id, scope])
        .arg(format!("{issuer}/3gpp-nidd/v1/acme/configurations"));
    python
}

/// spec.md 5.2 #8 and #11.
//= RFC 7523 section 2.2 type=test
//# Libraries that we did not write authenticate by their assertions.
#[test]
fn authlib_and_requests_oauthlib_fetch_tokens_by_assertions() {
    let address = free_address();
    let issuer = format!("https://{HOST}:{}", address.port());
    let pen = Key::P256.generate();
    let (x, y) = pen.public_key_raw()[1..].split_at(32);
    let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "a", "alg": "ES256"});
    let mut key = None;
    let house = House::open_staged(|stage| {
        let jwks = json!({ "keys": [jwk] }).to_string();
        let jwks = stage.scratch.write("acme.jwks", jwks);
        stage.issue_tokens_to(&format!("private_key_jwt = {jwks:?}"));
        stage.config.set_text("listen.address", address);
        stage.config.set_text("oauth.issuer", &issuer);
        let store = stage.scratch.path().join("revoked.redb");
        stage.config.set_text("revocation.store", store.display());
        key = Some(stage.scratch.write("acme-1.key", pen.serialize_pem()));
    });
    let at = (issuer, house);
    let mut python = fetching(&at, &at.1.stage.acme, "acme-app", "3gpp-nidd");
    let key = key.expect("it is staged");
    python.arg("--assertion-key").arg(key);
    let said = run_well(&mut python);
    let steps = said.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(steps, 8, "{said}");
}

#[test]
fn authlib_and_requests_oauthlib_fetch_tokens_and_accept_what_the_issuer_says() {
    let at = house();
    for scope in ["3gpp-nidd", "3gpp-monitoring-event 3gpp-nidd", ""] {
        let said = run_well(&mut fetching(&at, &at.1.stage.acme, "acme-app", scope));
        let steps = said.lines().filter(|line| line.starts_with("ok ")).count();
        assert_eq!(steps, 8, "{said}");
        assert!(!said.contains("eyJ"), "a token is shown");
    }
    assert_eq!(at.1.origin.requests(), 0, "the SCEF sees none of it");
}

/// The script can say no: a client that is not registered gets no token by it.
#[test]
fn partner_without_a_registration_is_told_so_by_its_library() {
    let at = house();
    let mut python = fetching(&at, &at.1.stage.globex, "globex-app", "");
    let outcome = run(&mut python, b"", crate::harness::WAIT);
    assert_eq!(outcome.status.code(), Some(1));
    assert!(
        outcome.stderr.contains("unauthorized_client"),
        "{}",
        outcome.stderr
    );
}
