//! Programs of partners: OAuth libraries that we did not write fetch tokens and read what the
//! embedded issuer says of itself.

use crate::harness::client::HOST;
use crate::harness::stage::House;
use crate::harness::{command, free_address, run, run_well, tool};

#[test]
fn authlib_and_requests_oauthlib_fetch_tokens_and_accept_what_the_issuer_says() {
    // The issuer's name has the port in it.
    let address = free_address();
    let issuer = format!("https://{HOST}:{}", address.port());
    let house = House::open_staged(|stage| {
        stage.issue_tokens();
        stage.config.set_text("listen.address", address);
        stage.config.set_text("oauth.issuer", &issuer);
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/fetch_tokens.py");
    for scope in ["3gpp-nidd", "3gpp-monitoring-event 3gpp-nidd", ""] {
        let mut python = command(tool("python/bin/python"));
        python
            .args([script, "--resolve", &format!("{HOST}={}", address.ip())])
            .arg(format!("{issuer}/oauth2/token"))
            .arg(&house.stage.operator_ca.certificate)
            .arg(&house.stage.acme.certificate)
            .arg(&house.stage.acme.key)
            .args(["acme-app", scope]);
        let said = run_well(&mut python);
        let steps = said.lines().filter(|line| line.starts_with("ok ")).count();
        assert_eq!(steps, 6, "{said}");
        assert!(!said.contains("eyJ"), "a token is shown");
    }
    assert_eq!(house.origin.requests(), 0, "the SCEF sees none of it");
}

/// The script can say no: a client that is not registered gets no token by it.
#[test]
fn partner_without_a_registration_is_told_so_by_its_library() {
    let address = free_address();
    let issuer = format!("https://{HOST}:{}", address.port());
    let house = House::open_staged(|stage| {
        stage.issue_tokens();
        stage.config.set_text("listen.address", address);
        stage.config.set_text("oauth.issuer", &issuer);
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/fetch_tokens.py");
    let mut python = command(tool("python/bin/python"));
    python
        .args([script, "--resolve", &format!("{HOST}={}", address.ip())])
        .arg(format!("{issuer}/oauth2/token"))
        .arg(&house.stage.operator_ca.certificate)
        .arg(&house.stage.globex.certificate)
        .arg(&house.stage.globex.key)
        .args(["globex-app", ""]);
    let outcome = run(&mut python, b"", crate::harness::WAIT);
    assert_eq!(outcome.status.code(), Some(1));
    assert!(
        outcome.stderr.contains("unauthorized_client"),
        "{}",
        outcome.stderr
    );
}
