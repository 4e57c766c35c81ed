//! One token, and logins that are lost, refused, slow, or never answered: no PIN is tried so often
//! that it locks the token.

use std::time::Duration;

use crate::breaking_module::{BreakingModule, How};
use crate::harness::origin::Origin;
use crate::harness::pki::Key;
use crate::harness::softhsm::{LABEL, PIN, Token};
use crate::harness::stage::{House, Stage};
use crate::harness::{run_well, wait_until};
use crate::two_tokens::{self, BACK, OTHER, kill_signer, serves, serves_within};

fn house() -> (House, BreakingModule) {
    let (house, module, _token) = house_and_token();
    (house, module)
}

/// A house whose only key in a token is the server's.
fn house_and_token() -> (House, BreakingModule, Token) {
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
    (house, module, token)
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

/// However long it takes: it may be about to be refused. The token took this PIN before, which says
/// nothing of whether it does still.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn pin_whose_login_does_not_end_is_tried_by_nobody_else() {
    let (house, module) = house();
    module.breaks(How::HangsToLogIn);
    kill_signer(&house);
    std::thread::sleep(Duration::from_secs(25));
    assert_eq!(module.logins(), 1, "{}", house.gateway.log());
    module.is_whole();
    serves_within(&house, 2 * BACK);
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
    for tried in 1..=2 {
        wait_until("a login", || module.logins() == tried);
        kill_signer(&house);
    }
    house
        .gateway
        .await_log("has not been heard what became of the last logins");
    std::thread::sleep(5 * BACK);
    assert_eq!(module.logins(), 2, "{}", house.gateway.log());
    std::fs::write(pin_file, PIN).expect("our own file");
    module.is_whole();
    serves_within(&house, 2 * BACK);
}

const TOKEN_NOT_PRESENT: u32 = 0xE0;
const FUNCTION_FAILED: u32 = 6;

/// It may be a refusal, put badly.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn login_that_fails_without_a_reason_is_tried_once_more_and_then_seldom() {
    let (house, module) = house();
    module.breaks(How::LoginsEndWith(FUNCTION_FAILED));
    kill_signer(&house);
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(module.logins(), 2, "{}", house.gateway.log());
}

/// And so is a PIN that it has never taken.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn token_that_is_away_is_back_at_once() {
    let (house, module, token) = house_and_token();
    let changed = "24681012";
    let mut tool = two_tokens::tool_of(&token, "pkcs11-tool");
    tool.arg("--module").arg(&token.module);
    tool.args(["--login", "--pin", PIN, "--change-pin"]);
    run_well(tool.args(["--new-pin", changed]));
    let pin_file = house.stage.config.value("tls.key.pin_file");
    std::fs::write(pin_file.trim_matches('"'), changed).expect("our own file");
    module.breaks(How::LoginsEndWith(TOKEN_NOT_PRESENT));
    kill_signer(&house);
    wait_until("many a login", || module.logins() > 5);
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
