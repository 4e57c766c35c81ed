//! One token, and logins that are lost, refused, slow, or never answered: no PIN is tried so often
//! that it locks the token.

use std::time::Duration;

use crate::breaking_module::{BreakingModule, How};
use crate::harness::origin::Origin;
use crate::harness::pki::Key;
use crate::harness::softhsm::{LABEL, PIN};
use crate::harness::stage::{House, Stage};
use crate::harness::wait_until;
use crate::two_tokens::{self, BACK, OTHER, kill_signer, serves, serves_within};

/// A house whose only key in a token is the server's.
fn house() -> (House, BreakingModule) {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    let module = BreakingModule::around(&token.module, stage.scratch.path());
    let config = &mut stage.config;
    config.set_text("tls.key.module", module.module.display());
    let environment = module.environment.iter().cloned();
    stage.environment.extend(environment);
    let house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    assert!(serves(&house));
    (house, module)
}

/// Whoever logs in again in the middle of a signature asks as well, and says what came of it.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn pin_that_is_refused_in_the_middle_of_a_signature_is_tried_once() {
    let (house, module) = house();
    module.breaks(How::LosesLogins);
    assert!(!serves(&house));
    wait_until("another process", || {
        house.gateway.log().matches("has started").count() > 2
    });
    assert!(!serves(&house));
    assert_eq!(module.logins(), 1, "{}", house.gateway.log());
    house.gateway.await_log("it was tried before");
}

/// A key of the same process that hangs does not break it off.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn login_that_is_under_way_is_let_come_to_its_end_where_a_signature_hangs() {
    let (house, module) = two_tokens::house_with(|config| {
        config.set_text("deadlines.signature", "500ms");
    });
    module.breaks(How::Misses(OTHER));
    kill_signer(&house);
    serves_within(&house, BACK);
    module.breaks(How::LogsInSlowlyTo(OTHER));
    wait_until("a login", || module.logins() > 0);
    assert!(!serves(&house), "signatures hang");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(module.logins(), 1, "{}", house.gateway.log());
}

/// Once more at once, for a token that was started again in the middle of it, and then seldom: the
/// token has never taken this PIN.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn login_that_nobody_hears_of_is_tried_once_more_and_then_seldom() {
    let (house, module) = house();
    module.breaks(How::HangsToLogIn);
    let pin_file = house.stage.config.value("tls.key.pin_file");
    let pin_file = pin_file.trim_matches('"');
    std::fs::write(pin_file, "99999999").expect("our own file");
    kill_signer(&house);
    std::thread::sleep(Duration::from_secs(35));
    assert_eq!(module.logins(), 2, "{}", house.gateway.log());
    house
        .gateway
        .await_log("has not been heard what became of the last logins");
    std::fs::write(pin_file, PIN).expect("our own file");
    module.is_whole();
    serves_within(&house, 2 * BACK);
}

/// What that one asked of them is never answered, and nobody else waits for it.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn reload_that_names_a_key_while_all_tokens_hang_does_not_keep_the_others() {
    let (mut house, module) = house();
    module.breaks(How::HangsForGoodWith(LABEL));
    kill_signer(&house);
    // Until processes are tried beside one that takes its time.
    std::thread::sleep(3 * BACK);
    house.rewrite(|config| {
        let by_id = format!("pkcs11:token={LABEL};object=server;id=%01");
        config.set_text("tls.key.uri", by_id);
    });
    house.gateway.hang_up();
    std::thread::sleep(BACK);
    assert!(!serves(&house));
    module.is_whole();
    serves_within(&house, 2 * BACK);
    house.gateway.await_log("was read again and is in force");
}
