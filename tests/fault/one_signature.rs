//! What goes wrong with one signature, or one session, and costs no other.

use std::time::Duration;

use crate::breaking_module::How;
use crate::harness::client::HOST;
use crate::harness::gateway::{check, write};
use crate::harness::pki::Key;
use crate::harness::{command, free_address, run};
use crate::late_logins::{house_on, stage, stage_and_token};
use crate::two_tokens::serves;

/// Whoever likes may ask for it, without a certificate of its own.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn scheme_that_a_token_fails_by_does_not_take_the_key_out_of_service() {
    let (stage, module, origin) = stage(Key::Rsa2048);
    let house = house_on(stage, origin);
    module.breaks(How::FailsByPssSha512);
    for _ in 0..5 {
        let mut client = command("openssl");
        client.args(["s_client", "-connect", &house.gateway.address.to_string()]);
        client.args(["-servername", HOST, "-sigalgs", "rsa_pss_rsae_sha512"]);
        let refused = run(&mut client, b"", Duration::from_secs(10));
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(said.contains("internal error"), "{said}");
        assert!(serves(&house), "{}", house.gateway.log());
    }
    let log = house.gateway.log();
    assert_eq!(log.matches("process has started").count(), 1, "{log}");
    assert_eq!(log.matches("ActionProhibited").count(), 1, "{log}");
}

/// Its PIN may be another by now, or be refused: a login that stands is used.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn key_whose_number_is_lost_is_found_again_without_a_login() {
    let (stage, module, origin) = stage(Key::P256);
    let house = house_on(stage, origin);
    let pin_file = house.stage.config.value("tls.key.pin_file");
    std::fs::write(pin_file.trim_matches('"'), "99999999").expect("our own file");
    module.breaks(How::LosesAHandle);
    assert!(serves(&house), "{}", house.gateway.log());
    house.gateway.await_log("has been mended");
    assert_eq!(module.logins(), 0, "{}", house.gateway.log());
}

#[test]
#[ignore = "takes seconds: make test-fault"]
fn second_key_of_a_token_is_opened_by_the_login_of_the_first() {
    let (mut stage, module, origin, token) = stage_and_token(Key::P256);
    stage.issue_tokens_from(&token);
    module.breaks(How::CountsLogins);
    let house = house_on(stage, origin);
    assert_eq!(module.logins(), 1, "{}", house.gateway.log());
}

/// What the hints of all that goes wrong with a token send an operator to.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn check_tells_of_a_module_that_takes_its_process_down_beside_all_else() {
    for how in [How::Aborts, How::Crashes] {
        let (mut stage, module, origin) = stage(Key::P256);
        stage.config.set_text("listen.address", free_address());
        drop(origin);
        module.breaks(how);
        let file = write(stage.scratch.path(), &stage.config);
        let checked = check(&file, &stage.environment);
        let said = checked.stdout + &checked.stderr;
        assert_eq!(checked.status.code(), Some(1), "{how:?}: {said}");
        for word in ["tls.key: the key did not sign", "upstream.address: "] {
            assert!(said.contains(word), "{how:?}: {word} is missing: {said}");
        }
    }
}
