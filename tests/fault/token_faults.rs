//! One test for each fault.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::breaking_module::{BreakingModule, How};
use crate::harness::pki::Key;
use crate::harness::softhsm::Spy;
use crate::harness::{signal, wait_until};
use crate::scene::Scene;

/// A signature that is delayed by 50 ms still comes well within its deadline.
const SLOW: Duration = Duration::from_millis(50);
/// One signature is three calls, each in one piece at least.
const PIECES: u32 = 3;

#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn server_of_the_token_is_killed_and_started_again() {
    let mut scene = Scene::open();
    scene.under_load(|scene| {
        scene.remote.kill();
        scene.await_refusal();
        scene.refuses_for(Duration::from_secs(1));
        scene.remote.start();
        scene.is_back();
    });
}

#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn server_of_the_token_stops_in_the_middle_of_a_signature() {
    let mut scene = Scene::open();
    scene.under_load(|scene| {
        scene.remote.relay.delay(SLOW);
        let before = scene.remote.relay.passed();
        std::thread::scope(|scope| {
            let visit = scope.spawn(|| scene.visit());
            wait_until("a signature to be under way", || {
                scene.remote.relay.passed() > before
            });
            scene.remote.signal("STOP");
            let refused = visit
                .join()
                .expect("no panic")
                .expect_err("it stands still");
            assert!(refused.contains("InternalError"), "{refused}");
        });
        scene.refuses_for(Duration::from_secs(1));
        scene.remote.relay.delay(Duration::ZERO);
        scene.remote.signal("CONT");
        scene.is_back();
    });
    scene.house.gateway.await_log("did not sign in time");
}

#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn signatures_are_delayed_and_none_is_lost() {
    let mut scene = Scene::open();
    scene.under_load(|scene| {
        scene.remote.delay_signatures(SLOW, PIECES);
        for _ in 0..10 {
            let begun = Instant::now();
            scene.visit().expect("slow is not lost");
            assert!(begun.elapsed() >= SLOW);
        }
        scene.remote.relay.delay(Duration::ZERO);
    });
    assert_eq!(
        scene
            .house
            .gateway
            .log()
            .matches("signer process has started")
            .count(),
        1
    );
}

/// The vendor's library aborts, writes to no memory, or never comes back, within a signature.
#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn module_breaks_in_the_middle_of_a_signature() {
    let mut module = None;
    let mut scene = Scene::open_with(|stage, remote| {
        let breaking = BreakingModule::around(&remote.module, stage.scratch.path());
        let (config, environment) = (&mut stage.config, &mut stage.environment);
        config.set_text("tls.key.module", breaking.module.display());
        environment.extend(breaking.environment.iter().cloned());
        module = Some(breaking);
    });
    let module = module.expect("set above");
    scene.under_load(|scene| {
        for how in [How::Aborts, How::Crashes, How::Hangs] {
            let signer = scene.house.gateway.signer_pid();
            module.breaks(how);
            scene.refuses_for(Duration::from_millis(500));
            let gone = || !scene.house.gateway.signer_pids().contains(&signer);
            wait_until("the process to be replaced", gone);
            module.is_whole();
            scene.is_back();
        }
    });
    let log = scene.house.gateway.log();
    assert!(log.contains("signal: 6 (SIGABRT)"), "{log}");
    assert!(log.contains("signal: 11 (SIGSEGV)"), "{log}");
    assert!(log.contains("did not sign in time"), "{log}");
}

#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn signer_process_is_killed() {
    let mut scene = Scene::open();
    scene.under_load(|scene| {
        let signer = scene.house.gateway.signer_pid();
        signal(signer, "KILL");
        let gone = || !scene.house.gateway.signer_pids().contains(&signer);
        wait_until("the process to end", gone);
        scene.is_back();
    });
    scene.house.gateway.await_log("signal: 9 (SIGKILL)");
}

/// Nothing comes through on the way to the token, and nothing says so: no reset, no end.
#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn way_to_the_token_is_a_black_hole() {
    let mut scene = Scene::open();
    scene.under_load(|scene| {
        scene.remote.relay.hold(true);
        scene.await_refusal();
        scene.refuses_for(Duration::from_secs(2));
        scene.remote.relay.hold(false);
        scene.is_back();
    });
    scene.house.gateway.await_log("did not sign in time");
}

/// What was asked while nothing came through is never answered, and nothing says so. Who asks anew
/// is.
#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn way_to_the_token_is_a_black_hole_for_all_that_were_under_way() {
    let mut scene = Scene::open();
    scene.under_load(|scene| {
        scene.remote.relay.hold(true);
        scene.await_refusal();
        let before = scene.remote.relay.connections();
        wait_until("a key to be opened in vain", || {
            scene.remote.relay.connections() > before
        });
        scene.remote.relay.forget_connections();
        scene.remote.relay.hold(false);
        scene.is_back();
    });
}

/// The same where it stands still, and is started again under those who ask it for the key.
#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn server_of_the_token_stops_while_the_key_is_opened_and_is_started_again() {
    let mut scene = Scene::open();
    scene.under_load(|scene| {
        scene.remote.signal("STOP");
        scene.await_refusal();
        let before = scene.remote.relay.connections();
        wait_until("a key to be opened in vain", || {
            scene.remote.relay.connections() > before
        });
        scene.remote.kill();
        scene.remote.start();
        scene.is_back();
    });
}

/// Under the name of the server's key there is another when the token comes back.
#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn other_key_under_the_name_of_the_servers_is_never_served() {
    let mut scene = Scene::open();
    assert!(scene.serves());
    scene.remote.kill();
    scene.remote.delete_key("server");
    scene.remote.token.generate_key(Key::P256, "server", "01");
    scene.remote.start();
    scene.await_refusal();
    scene.refuses_for(Duration::from_secs(3));
    scene
        .house
        .gateway
        .await_log("another key stands in the token");
    assert!(scene.house.gateway.alive());
}

/// What the spy wrote down of a run in which the server was killed once: a login for each process
/// that came through to the token, and no signature but for handshakes and proofs.
#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn calls_to_the_module_are_as_few_as_they_can_be() {
    let mut spy = None;
    let mut scene = Scene::open_with(|stage, remote| {
        let mut token = remote.token.clone();
        token.module.clone_from(&remote.module);
        let found = Spy::on(&token, stage.scratch.path());
        stage
            .config
            .set_text("tls.key.module", found.module.display());
        stage.environment.extend(found.environment.iter().cloned());
        spy = Some(found);
    });
    let spy = spy.expect("set above");
    assert_eq!(
        (spy.calls("C_Login"), spy.signatures()),
        (1, 1),
        "proved at the start"
    );
    for _ in 0..3 {
        scene.visit().expect("the token is there");
    }
    assert_eq!((spy.calls("C_Login"), spy.signatures()), (1, 4));
    scene.remote.kill();
    scene.await_refusal();
    scene.remote.start();
    scene.is_back();
    assert_eq!(
        spy.calls("C_Login"),
        2,
        "once more, by the process that came through"
    );
    println!(
        "{}",
        calls(&scene.house.stage.scratch.path().join("pkcs11-spy.log"))
    );
}

/// Each function in a spy's log, and how often it was called.
fn calls(log: &Path) -> String {
    let log = String::from_utf8_lossy(&std::fs::read(log).expect("the spy's")).into_owned();
    let mut calls = BTreeMap::<_, usize>::new();
    let named = log
        .lines()
        .filter_map(|line| line.trim_end().split_once(": C_"));
    for (_, function) in named {
        *calls.entry(function).or_default() += 1;
    }
    let lines = calls
        .iter()
        .map(|(function, count)| format!("C_{function} {count}"));
    lines.collect::<Vec<_>>().join(", ")
}
