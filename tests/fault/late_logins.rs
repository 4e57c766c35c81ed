//! Logins that end after longer than it may take to open a key: whoever is at one is let come to
//! its end, for a refusal to be heard and the PIN not to be tried again.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::breaking_module::{BreakingModule, How};
use crate::harness::gateway::{t8gate, write};
use crate::harness::origin::Origin;
use crate::harness::pki::Key;
use crate::harness::softhsm::{LABEL, Token};
use crate::harness::stage::{House, Stage};
use crate::harness::{free_address, run, signal, within};
use crate::two_tokens::{BACK, serves};

/// More than an end takes that waits for nothing, and less than one that waits for a login in vain.
const LOOKS: Duration = Duration::from_secs(3);
/// By then a login that is refused late has ended, and whatever is tried next has been.
const LATE: Duration = Duration::from_secs(17);

/// A stage whose only key in a token is the server's.
pub fn stage(key: Key) -> (Stage, BreakingModule, Origin) {
    let (stage, module, origin, _token) = stage_and_token(key);
    (stage, module, origin)
}

pub fn stage_and_token(key: Key) -> (Stage, BreakingModule, Origin, Token) {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, key);
    let module = BreakingModule::around(&token.module, stage.scratch.path());
    stage
        .config
        .set_text("tls.key.module", module.module.display());
    let environment = module.environment.iter().cloned();
    stage.environment.extend(environment);
    (stage, module, origin, token)
}

pub fn house_on(stage: Stage, origin: Origin) -> House {
    let house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    assert!(serves(&house));
    house
}

fn wrong_pin(stage: &Stage) -> PathBuf {
    let file = stage.scratch.write("wrong-pin", "99999999");
    let mode = Permissions::from_mode(0o600);
    std::fs::set_permissions(&file, mode).expect("our own file");
    file
}

/// A start that a test waits for itself.
fn serve(stage: &mut Stage) -> Command {
    stage.config.set_text("listen.address", free_address());
    let file = write(stage.scratch.path(), &stage.config);
    let mut serve = t8gate(&["serve", "--config", &file.display().to_string()]);
    serve.envs(stage.environment.iter().cloned());
    serve
}

#[test]
#[ignore = "takes seconds: make test-fault"]
fn pin_that_is_refused_late_at_the_start_ends_that_with_the_refusal() {
    let (mut stage, module, _origin) = stage(Key::P256);
    module.breaks(How::LosesLoginsAndRefusesLate);
    let wrong = wrong_pin(&stage);
    stage.config.set_text("tls.key.pin_file", wrong.display());
    let outcome = run(&mut serve(&mut stage), b"", 2 * LATE);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(said.contains("PinIncorrect"), "{said}");
    assert_eq!(outcome.status.code(), Some(78));
    assert_eq!(module.logins(), 1, "{said}");
}

/// It may be a refusal, put badly, and whoever starts the gateway anew does not know of it.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn start_that_does_not_hear_whether_its_pin_is_right_is_not_one_to_be_made_again() {
    const FUNCTION_FAILED: u32 = 6;
    let (mut stage, module, _origin) = stage(Key::P256);
    module.breaks(How::LoginsEndWith(FUNCTION_FAILED));
    let outcome = run(&mut serve(&mut stage), b"", LATE);
    assert_eq!(outcome.status.code(), Some(78), "{}", outcome.stderr);
    assert_eq!(module.logins(), 1, "{}", outcome.stderr);
}

#[test]
#[ignore = "takes seconds: make test-fault"]
fn start_that_waits_for_a_login_ends_at_once_when_it_is_told_to_twice() {
    let (mut stage, module, _origin) = stage(Key::P256);
    module.breaks(How::HangsToLogIn);
    let mut started = serve(&mut stage).spawn().expect("the binary");
    let at_it = within(LATE, || module.logins() == 1);
    signal(started.id(), "HUP");
    std::thread::sleep(BACK);
    let goes_on = started.try_wait().expect("our own child").is_none();
    signal(started.id(), "TERM");
    std::thread::sleep(BACK);
    let waits = started.try_wait().expect("our own child").is_none();
    signal(started.id(), "TERM");
    let ends = within(BACK, || {
        started.try_wait().expect("our own child").is_some()
    });
    let _ = started.kill();
    assert!(
        at_it && goes_on && waits && ends,
        "{at_it} {goes_on} {waits} {ends}"
    );
}

/// Some tokens do not outlive a login that is cut off: SoftHSM writes its own anew at each.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn login_that_is_under_way_comes_to_its_end_before_the_gateway_does() {
    let (mut stage, module, _origin) = stage(Key::P256);
    module.breaks(How::HangsToLogIn);
    let mut started = serve(&mut stage).spawn().expect("the binary");
    let pid = started.id();
    let mut is_over = || started.try_wait().expect("our own child");
    assert!(within(LATE, || module.logins() == 1));
    signal(pid, "TERM");
    assert!(!within(LOOKS, || is_over().is_some()), "cut off");
    module.is_whole();
    assert!(within(LOOKS, || is_over().is_some()));
    assert_eq!(is_over().and_then(|status| status.code()), Some(143));

    let (stage, module, origin) = self::stage(Key::P256);
    let mut house = house_on(stage, origin);
    module.breaks(How::HangsToLogIn);
    signal(house.gateway.signer_pid(), "KILL");
    assert!(within(LATE, || module.logins() == 1));
    house.gateway.terminate();
    assert!((0..6).all(|_| house.gateway.wait_briefly()), "cut off");
    module.is_whole();
    let status = house.gateway.wait(LOOKS);
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

#[test]
#[ignore = "takes seconds: make test-fault"]
fn second_signal_ends_the_gateway_at_once_while_that_waits_for_a_login() {
    let (stage, module, origin) = stage(Key::P256);
    let mut house = house_on(stage, origin);
    module.breaks(How::HangsToLogIn);
    signal(house.gateway.signer_pid(), "KILL");
    assert!(within(LATE, || module.logins() == 1));
    house.gateway.terminate();
    assert!(house.gateway.wait_briefly() && house.gateway.wait_briefly());
    house.gateway.terminate();
    let status = house.gateway.wait(BACK).expect("an end");
    assert_eq!(status.code(), Some(143));
}

/// The issuer's key is looked at as the server's is.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn token_that_does_not_sign_at_the_start_may_do_so_at_the_next_one() {
    for issues in [false, true] {
        let (mut stage, module, _origin, token) = stage_and_token(Key::P256);
        if issues {
            stage.issue_tokens_from(&token);
            let whole = token.module.display();
            stage.config.set_text("tls.key.module", whole);
        }
        module.breaks(How::Aborts);
        let outcome = run(&mut serve(&mut stage), b"", LATE);
        assert!(
            outcome.stderr.contains("did not sign"),
            "{}",
            outcome.stderr
        );
        assert_eq!(outcome.status.code(), Some(1), "{}", outcome.stderr);
    }
}

/// Another module as far as the gateway knows, in which no key is held.
fn another(module: &BreakingModule, stage: &Stage) -> PathBuf {
    let other = stage.scratch.path().join("other-module.so");
    std::fs::copy(&module.module, &other).expect("the test's folder");
    other
}

/// And what it was for is opened.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn pin_that_is_taken_late_is_waited_for_by_a_reload() {
    let (stage, module, origin) = stage(Key::P256);
    let mut house = house_on(stage, origin);
    let other = another(&module, &house.stage);
    module.breaks(How::HangsToLogIn);
    house.rewrite(|config| {
        config.set_text("tls.key.module", other.display());
    });
    house.gateway.hang_up();
    std::thread::sleep(LATE);
    module.is_whole();
    house.gateway.await_log("was read again and is in force");
    assert_eq!(module.logins(), 1, "{}", house.gateway.log());
    assert!(serves(&house));
}

/// Nor by the next change of the configuration.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn pin_that_is_refused_late_is_tried_by_one_reload_only() {
    let (stage, module, origin) = stage(Key::P256);
    let mut house = house_on(stage, origin);
    let other = another(&module, &house.stage);
    let wrong = wrong_pin(&house.stage);
    module.breaks(How::LosesLoginsAndRefusesLate);
    house.rewrite(|config| {
        config.set_text("tls.key.module", other.display());
        config.set_text("tls.key.pin_file", wrong.display());
    });
    house.gateway.hang_up();
    std::thread::sleep(Duration::from_secs(3));
    house.rewrite(|config| {
        let by_id = format!("pkcs11:token={LABEL};object=server;id=%01");
        config.set_text("tls.key.uri", by_id);
    });
    house.gateway.hang_up();
    let refused = || house.gateway.log().contains("the token refused the PIN");
    assert!(within(2 * LATE, refused), "{}", house.gateway.log());
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(module.logins(), 1, "{}", house.gateway.log());
}

#[test]
#[ignore = "takes seconds: make test-fault"]
fn pin_of_the_secret_of_tickets_that_is_refused_late_is_tried_once() {
    let (stage, module, origin) = stage(Key::P256);
    let mut house = house_on(stage, origin);
    let wrong = wrong_pin(&house.stage);
    module.breaks(How::LosesLoginsAndRefusesLate);
    house.rewrite(|config| {
        let uri = format!("pkcs11:token={LABEL};object=tickets");
        config.set_text("tls.tickets.uri", uri);
        let module = config.value("tls.key.module");
        config.set("tls.tickets.module", &module);
        config.set_text("tls.tickets.pin_file", wrong.display());
    });
    house.gateway.hang_up();
    let refused = || house.gateway.log().contains("PinIncorrect");
    assert!(within(2 * LATE, refused), "{}", house.gateway.log());
    assert_eq!(module.logins(), 1, "{}", house.gateway.log());
}

/// The process whose signature is at it did not sign in time and is replaced.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn pin_that_is_refused_late_in_the_middle_of_a_signature_is_tried_once() {
    let (mut stage, module, origin) = stage(Key::P256);
    stage.config.set_text("deadlines.signature", "500ms");
    let house = house_on(stage, origin);
    module.breaks(How::LosesLoginsAndRefusesLate);
    assert!(!serves(&house));
    std::thread::sleep(LATE);
    assert_eq!(module.logins(), 1, "{}", house.gateway.log());
    house.gateway.await_log("it was tried before");
}
