//! Two tokens behind one module, of which one fails: whoever needs the other does not notice.

use std::time::{Duration, Instant};

use crate::breaking_module::{BreakingModule, How};
use crate::harness::client::HOST;
use crate::harness::gateway::{ConfigText, Gateway};
use crate::harness::origin::Origin;
use crate::harness::pki::{Key, Leaf};
use crate::harness::softhsm::{LABEL, PIN, Token};
use crate::harness::stage::{House, Stage};
use crate::harness::{command, run_well, signal, wait_until, within};

pub const OTHER: &str = "t8gate-other";
/// Within which what is back serves.
pub const BACK: Duration = Duration::from_secs(1);
/// Longer than a key may take to be opened.
const LONG: Duration = Duration::from_secs(13);

/// A house whose server key is in one token and whose issuer's in another, of one module.
pub fn house() -> (House, BreakingModule) {
    house_with(|_| {})
}

/// The same with changes before the start.
pub fn house_with(change: impl FnOnce(&mut ConfigText)) -> (House, BreakingModule) {
    house_by(&[], change)
}

/// The same, started by a program that becomes the gateway.
fn house_by(starter: &[&str], change: impl FnOnce(&mut ConfigText)) -> (House, BreakingModule) {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    let module = BreakingModule::around(&token.module, stage.scratch.path());
    stage
        .config
        .set_text("tls.key.module", module.module.display());
    stage.issue_tokens_from(&token);
    initialise_another(&token);
    generate_in_another(&token);
    let uri = format!("pkcs11:token={OTHER};object=issuer");
    stage.config.set_text("oauth.key.uri", uri);
    change(&mut stage.config);
    let environment = module.environment.iter().cloned();
    stage.environment.extend(environment);
    stage.watch();
    let folder = stage.scratch.path();
    let house = House {
        gateway: Gateway::start_by(starter, &stage.config, folder, &stage.environment),
        origin,
        stage,
    };
    assert!(serves(&house));
    assert_eq!(house.gateway.signer_pids().len(), 1, "one module");
    (house, module)
}

pub fn tool_of(token: &Token, name: &str) -> std::process::Command {
    let mut tool = command(name);
    tool.env("SOFTHSM2_CONF", &token.configuration);
    tool
}

fn initialise_another(token: &Token) {
    let mut init = tool_of(token, "softhsm2-util");
    init.args(["--init-token", "--free", "--label", OTHER, "--pin", PIN]);
    run_well(init.args(["--so-pin", "13579111"]));
}

fn generate_in_another(token: &Token) {
    let mut generate = tool_of(token, "pkcs11-tool");
    generate.arg("--module").arg(&token.module);
    generate.args(["--token-label", OTHER, "--login", "--pin", PIN]);
    generate.args(["--keypairgen", "--key-type", "EC:prime256v1"]);
    run_well(generate.args(["--label", "issuer", "--id", "07"]));
}

pub fn serves(house: &House) -> bool {
    let dialer = house.stage.dialer(&house.stage.acme);
    dialer.connect(house.gateway.address).is_ok()
}

/// Whether the key in the other token has been brought back.
fn other_is_back(house: &House) -> bool {
    let back = |line: &str| line.contains("is proved and signs again") && line.contains(OTHER);
    house.gateway.log().lines().any(back)
}

fn brings_the_other_back(house: &House) {
    assert!(
        within(BACK, || other_is_back(house)),
        "{}",
        house.gateway.log()
    );
}

pub fn kill_signer(house: &House) {
    let signer = house.gateway.signer_pid();
    signal(signer, "KILL");
    wait_until("its end", || !house.gateway.signer_pids().contains(&signer));
}

fn one_process_is_left(house: &House) {
    wait_until("all processes but one to be gone", || {
        house.gateway.signer_pids().len() == 1
    });
}

pub fn serves_within(house: &House, time: Duration) {
    assert!(within(time, || serves(house)), "{}", house.gateway.log());
}

fn serves_for(house: &House, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        assert!(serves(house), "{}", house.gateway.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "takes seconds: make test-fault"]
fn token_that_hangs_when_keys_are_opened_does_not_keep_the_other_ones_key() {
    let (house, module) = house();
    module.breaks(How::HangsWith(OTHER));
    kill_signer(&house);
    // Whether it is asked for first or last.
    serves_within(&house, 2 * BACK);
    serves_for(&house, LONG);
    assert!(!other_is_back(&house));
    let log = house.gateway.log();
    assert!(
        log.contains(OTHER) && log.contains("has not opened the key yet"),
        "{log}"
    );
    module.is_whole();
    brings_the_other_back(&house);
    assert!(serves(&house));
    one_process_is_left(&house);
}

#[test]
#[ignore = "takes seconds: make test-fault"]
fn token_that_is_away_and_then_hangs_does_not_take_the_other_ones_key_along() {
    let (house, module) = house();
    module.breaks(How::Misses(OTHER));
    kill_signer(&house);
    serves_within(&house, BACK);
    module.breaks(How::HangsWith(OTHER));
    serves_for(&house, LONG);
    module.breaks(How::Misses(OTHER));
    serves_for(&house, BACK);
    assert!(!other_is_back(&house));
    module.is_whole();
    brings_the_other_back(&house);
    one_process_is_left(&house);
}

/// A house whose server key is in both tokens.
fn house_of_one_key() -> (House, BreakingModule) {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    let module = BreakingModule::around(&token.module, stage.scratch.path());
    stage
        .config
        .set_text("tls.key.module", module.module.display());
    let server = stage.operator_ca.issue("server", &Leaf::server(HOST));
    token.import_key(&server.key, "both");
    initialise_another(&token);
    let mut import = tool_of(&token, "softhsm2-util");
    import.arg("--import").arg(&server.key);
    import.args(["--token", OTHER, "--pin", PIN, "--label", "both"]);
    run_well(import.args(["--id", "0a"]));
    stage
        .config
        .set_text("tls.certificate", server.certificate.display());
    let uri = |token: &str| format!("pkcs11:token={token};object=both");
    stage.config.set_text("tls.key.uri", uri(LABEL));
    let also = format!("uri = {:?}", uri(OTHER));
    stage.config.table("tls.key.also", &also);
    stage.config.set_text("deadlines.signature", "500ms");
    let environment = module.environment.iter().cloned();
    stage.environment.extend(environment);
    let house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    assert_eq!(house.gateway.signer_pids().len(), 1, "one module");
    (house, module)
}

/// No handshake is refused, because the one who finds it out asks the other.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn token_that_hangs_is_stood_in_for_by_the_other_of_its_module() {
    let (house, module) = house_of_one_key();
    for hung in [LABEL, OTHER] {
        module.breaks(How::HangsToSignWith(hung));
        serves_for(&house, 5 * BACK);
        module.is_whole();
        serves_for(&house, BACK);
    }
    one_process_is_left(&house);
}

/// Whatever it says. It is asked no more until it has proved its key, and the log says why, once.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn token_that_fails_by_any_code_is_stood_in_for_by_the_other_of_its_module() {
    let (house, module) = house_of_one_key();
    module.breaks(How::RunsOutOfMemoryWith(LABEL));
    serves_for(&house, 3 * BACK);
    module.is_whole();
    let is_back = || house.gateway.log().contains("signs again");
    assert!(within(BACK, is_back), "{}", house.gateway.log());
    let log = house.gateway.log();
    let said = log.matches("HostMemory").count();
    assert!((1..10).contains(&said), "{log}");
    one_process_is_left(&house);
}

/// What a process is told of its PIN comes later than another one is tried, and so does its try.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn pin_that_is_refused_slowly_is_tried_once() {
    let (house, module) = house();
    module.breaks(How::RefusesPins);
    kill_signer(&house);
    std::thread::sleep(Duration::from_secs(10));
    assert!(!serves(&house));
    // One for each token: they have a PIN each, which is the same here.
    assert_eq!(module.logins(), 2, "{}", house.gateway.log());
}

/// It waits for ten seconds, which whoever loses trust by the next reload must not be served for.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn reload_that_waits_for_a_token_does_not_hold_up_the_next_one() {
    let (mut house, module) = house();
    let dialer = house.stage.dialer(&house.stage.acme);
    let mut client = dialer.connect(house.gateway.address).expect("trust");
    let good = house.stage.config.clone();
    module.breaks(How::HangsWith(OTHER));
    house.rewrite(|config| {
        let hung = format!("pkcs11:token={OTHER};object=issuer");
        config.set_text("tls.key.uri", hung);
    });
    house.gateway.hang_up();
    std::thread::sleep(BACK);
    assert!(!client.closed_within(Duration::from_millis(1)));
    let other_ca = house.stage.operator_ca.certificate.display().to_string();
    house.rewrite(|config| {
        config.clone_from(&good);
        config.set_text("tls.client_ca", other_ca);
    });
    house.gateway.hang_up();
    assert!(client.closed_within(BACK), "{}", house.gateway.log());
    let mut late = dialer.connect(house.gateway.address).expect("TLS 1.3");
    assert!(late.refusal().contains("UnknownCA"));
}

/// Its key is opened whenever the token gets to it, and nobody has to reload again.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn reload_waits_for_a_token_that_takes_seconds_to_open_a_key() {
    let (mut house, module) = house();
    module.breaks(How::HangsWith(OTHER));
    house.rewrite(|config| {
        let by_id = format!("pkcs11:token={OTHER};id=%07");
        config.set_text("oauth.key.uri", by_id);
    });
    house.gateway.hang_up();
    serves_for(&house, 3 * BACK);
    let said = |what: &str| house.gateway.log().contains(what);
    assert!(!said("was read again"));
    module.is_whole();
    assert!(
        within(BACK, || said("was read again and is in force")),
        "{}",
        house.gateway.log()
    );
    one_process_is_left(&house);
}

#[test]
#[ignore = "takes seconds: make test-fault"]
fn secret_of_tickets_in_a_token_that_hangs_costs_the_other_ones_key_nothing() {
    let (mut house, module) = house();
    let signer = house.gateway.signer_pid();
    module.breaks(How::HangsWith(OTHER));
    house.rewrite(|config| {
        let uri = format!("pkcs11:token={OTHER};object=tickets");
        config.set_text("tls.tickets.uri", uri);
        for key in ["module", "pin_file"] {
            let value = config.value(&format!("tls.key.{key}"));
            config.set(&format!("tls.tickets.{key}"), &value);
        }
    });
    house.gateway.hang_up();
    serves_for(&house, LONG);
    let log = house.gateway.log();
    assert!(log.contains("did not ask the secret key"), "{log}");
    assert!(house.gateway.signer_pids().contains(&signer), "{log}");
}

/// The signature that proves a key comes as late as any other.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn token_that_hangs_at_the_proof_of_its_key_does_not_keep_the_other_ones_key() {
    let (house, module) = house();
    module.breaks(How::HangsToSignWith(OTHER));
    kill_signer(&house);
    serves_within(&house, 2 * BACK);
    serves_for(&house, LONG);
    assert!(!other_is_back(&house));
    module.is_whole();
    brings_the_other_back(&house);
    one_process_is_left(&house);
}

/// Each time that the key is opened its PIN comes along.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn descriptor_of_a_pin_does_not_stay_where_its_key_is_not_opened() {
    let folder = crate::harness::Scratch::new();
    let pin = folder.write("pin", PIN);
    let script = format!("exec 3< '{}'; exec \"$0\" \"$@\"", pin.display());
    let (house, module) = house_by(&["bash", "-c", &script], |config| {
        config.unset("oauth.key.pin_file");
        config.set("oauth.key.pin_fd", "3");
    });
    module.breaks(How::Misses(OTHER));
    kill_signer(&house);
    serves_within(&house, BACK);
    let signer = house.gateway.signer_pids().into_iter().min();
    let held = format!("/proc/{}/fd", signer.expect("it serves"));
    let held = || std::fs::read_dir(&held).expect("it serves").count();
    let before = held();
    std::thread::sleep(3 * BACK);
    // One that is just being opened has its lanes and its PIN.
    assert!(held() <= before + 3, "{before}, then {}", held());
    assert!(!other_is_back(&house));
    module.is_whole();
    brings_the_other_back(&house);
}

/// Not a token that does not answer; and each process that is tried finds the same, said once.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn key_that_is_not_in_its_token_any_more_is_called_gone_and_that_once() {
    let (house, module) = house();
    let mut tool = command("pkcs11-tool");
    tool.envs(house.stage.environment.iter().cloned());
    tool.arg("--module").arg(&module.module);
    tool.args(["--token-label", OTHER, "--login", "--pin", PIN]);
    run_well(tool.args(["--delete-object", "--type", "privkey", "--label", "issuer"]));
    kill_signer(&house);
    serves_within(&house, BACK);
    serves_for(&house, 3 * BACK);
    let log = house.gateway.log();
    assert!(log.contains("the key is no longer in the token"), "{log}");
    let said = log.matches("names none of the private keys").count();
    assert_eq!(said, 1, "{log}");
}

fn is_read_again_within(house: &House, time: Duration) {
    let read = || {
        house
            .gateway
            .log()
            .contains("was read again and is in force")
    };
    assert!(within(time, read), "{}", house.gateway.log());
}

/// What another one of the module never opens is not waited for.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn reload_that_names_a_key_in_a_token_that_is_well_does_not_wait_for_one_that_hangs() {
    let (mut house, module) = house();
    module.breaks(How::HangsWith(OTHER));
    kill_signer(&house);
    serves_within(&house, 2 * BACK);
    std::thread::sleep(3 * BACK);
    house.rewrite(|config| {
        let by_id = format!("pkcs11:token={LABEL};object=server;id=%01");
        config.set_text("tls.key.uri", by_id);
    });
    house.gateway.hang_up();
    is_read_again_within(&house, 3 * BACK);
    serves_for(&house, BACK);
    module.is_whole();
    brings_the_other_back(&house);
    one_process_is_left(&house);
}

/// It would not be given leave to try the same PIN, and each logs in to every other token.
#[test]
#[ignore = "takes seconds: make test-fault"]
fn no_process_is_started_for_a_key_while_its_login_is_under_way() {
    let (house, module) = house();
    module.breaks(How::Misses(OTHER));
    kill_signer(&house);
    serves_within(&house, BACK);
    module.breaks(How::LogsInSlowlyTo(OTHER));
    wait_until("a login", || module.logins() > 0);
    std::thread::sleep(Duration::from_millis(500));
    let started = || house.gateway.log().matches("process has started").count();
    let before = started();
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(started(), before, "{}", house.gateway.log());
}
