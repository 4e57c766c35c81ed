//! The process that holds the token: what it keeps from the gateway, what it may not do, and what
//! becomes of the gateway when it ends, crashes or hangs.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::Duration;

use rustls::HandshakeKind;

use crate::harness::client::{Client, Dialer};
use crate::harness::gateway::Gateway;
use crate::harness::origin::Origin;
use crate::harness::pki::Key;
use crate::harness::softhsm::Token;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{signal, wait_until, within};

fn house(key: Key) -> (House, Token) {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, key);
    stage.config.set_text("deadlines.signature", "500ms");
    stage.watch();
    let gateway = stage.start();
    let house = House {
        gateway,
        origin,
        stage,
    };
    (house, token)
}

fn full(house: &House) -> Dialer {
    house.stage.dialer(&house.stage.acme)
}

fn serves(dialer: &Dialer, house: &House) -> bool {
    let client = dialer.connect(house.gateway.address);
    client.is_ok_and(|mut client| client.get(PATH, &house.token()).status == 200)
}

fn resumes(remembering: &Dialer, house: &House) {
    let mut client: Client = remembering
        .connect(house.gateway.address)
        .expect("a resumption");
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    assert_eq!(client.handshake_kind(), Some(HandshakeKind::Resumed));
}

fn maps(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default()
}

/// Whether `needle` stands in what the gateway has written to memory.
fn memory_holds(gateway: &Gateway, needle: &[u8]) -> bool {
    let mut memory = std::fs::File::open(gateway.proc("mem")).expect("our own child");
    let maps = maps(gateway.pid());
    let writable = maps.lines().filter(|line| line.contains(" rw"));
    let mut read = 0;
    let mut found = false;
    for line in writable {
        let (from, rest) = line.split_once('-').expect("a range");
        let until = rest.split(' ').next().expect("a range");
        let number = |text| u64::from_str_radix(text, 16).expect("an address");
        let (from, until) = (number(from), number(until));
        let mut octets = vec![0; usize::try_from(until - from).expect("64 bits")];
        let there = memory.seek(SeekFrom::Start(from)).is_ok();
        // What devices have mapped cannot be read.
        if there && memory.read_exact(&mut octets).is_ok() {
            read += octets.len();
            found |= octets.windows(needle.len()).any(|window| window == needle);
        }
    }
    assert!(read > 1_000_000, "only {read} octets could be read");
    found
}

#[test]
fn gateway_holds_neither_module_nor_pin() {
    let (house, token) = house(Key::P256);
    let dialer = full(&house);
    assert!(serves(&dialer, &house));
    let signer = house.gateway.signer_pid();
    let ours = maps(house.gateway.pid());
    assert!(
        ours.contains("t8gate") && !ours.contains("softhsm"),
        "{ours}"
    );
    // Root sees what others do not: the process is not dumpable.
    let theirs = maps(signer);
    assert!(
        theirs.is_empty() || theirs.contains("libsofthsm2"),
        "{theirs}"
    );
    let pin = std::fs::read_to_string(&token.pin_file).expect("our own file");
    assert!(!memory_holds(&house.gateway, pin.trim().as_bytes()));
    let name = token.pin_file.display().to_string();
    assert!(
        memory_holds(&house.gateway, name.as_bytes()),
        "it knows where it lies"
    );
}

#[test]
fn signer_process_is_confined_and_has_no_descriptors_of_the_gateway() {
    let (house, _token) = house(Key::P256);
    let signer = house.gateway.signer_pid();
    let status = std::fs::read_to_string(format!("/proc/{signer}/status")).expect("it runs");
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CoreDumping:\t0"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let limits = std::fs::read_to_string(format!("/proc/{signer}/limits")).expect("it runs");
    let core = limits.lines().find(|line| line.starts_with("Max core"));
    let core = core.expect("Linux").split_whitespace().collect::<Vec<_>>();
    assert_eq!(core[4..6], ["0", "0"]);
    assert!(!house.gateway.log().contains("less confined"));
    // Where we may look: no connection and no file of the gateway's.
    for entry in std::fs::read_dir(format!("/proc/{signer}/fd"))
        .into_iter()
        .flatten()
    {
        let Ok(to) = std::fs::read_link(entry.expect("it runs").path()) else {
            continue;
        };
        let to = to.display().to_string();
        let known = ["socket:", "pipe:", "/dev/null", "/tokens/"];
        assert!(known.iter().any(|known| to.contains(known)), "{to}");
    }
}

/// A crash, as far as the gateway can tell, and an abort of the library.
#[test]
fn signer_process_that_dies_is_replaced_and_nothing_else_is() {
    let (house, _token) = house(Key::P256);
    let (dialer, pid) = (full(&house), house.gateway.pid());
    let remembering = dialer.clone().resuming();
    let mut open = remembering
        .connect(house.gateway.address)
        .expect("a handshake");
    assert_eq!(open.get(PATH, &house.token()).status, 200);
    let (threads, fds) = (house.gateway.threads(), house.gateway.fds());
    for how in ["KILL", "ABRT"] {
        let signer = house.gateway.signer_pid();
        signal(signer, how);
        assert!(
            within(Duration::from_secs(1), || serves(&dialer, &house)),
            "{how}"
        );
        assert_ne!(house.gateway.signer_pid(), signer);
        assert_eq!(open.get(PATH, &house.token()).status, 200);
        resumes(&remembering, &house);
    }
    house.gateway.await_log("the key is proved and signs again");
    assert_eq!(house.gateway.pid(), pid);
    let settled = || house.gateway.threads() == threads && house.gateway.fds() == fds;
    wait_until("threads and descriptors to be as before", settled);
}

#[test]
fn signer_process_that_hangs_is_killed_and_replaced() {
    let (house, _token) = house(Key::P256);
    let dialer = full(&house);
    let remembering = dialer.clone().resuming();
    let mut open = remembering
        .connect(house.gateway.address)
        .expect("a handshake");
    assert_eq!(open.get(PATH, &house.token()).status, 200);
    let signer = house.gateway.signer_pid();
    signal(signer, "STOP");
    let refused = dialer.connect(house.gateway.address).map(drop);
    let refused = refused.expect_err("it signs nothing").to_string();
    assert!(refused.contains("InternalError"), "{refused}");
    assert_eq!(open.get(PATH, &house.token()).status, 200);
    resumes(&remembering, &house);
    wait_until("another to serve", || serves(&dialer, &house));
    assert_ne!(house.gateway.signer_pid(), signer);
    house.gateway.await_log("did not sign in time");
}

/// A request to end that goes to all processes of a service must not take the token away first.
#[test]
fn signer_process_ends_with_the_gateway_and_not_before() {
    let (house, _token) = house(Key::P256);
    let signer = house.gateway.signer_pid();
    signal(signer, "TERM");
    signal(signer, "INT");
    assert!(serves(&full(&house), &house));
    assert_eq!(house.gateway.signer_pid(), signer);
    let gone = || !std::path::Path::new(&format!("/proc/{signer}")).exists();
    assert!(!gone());
    assert!(house.gateway.stop().success());
    wait_until("the signer process to end", gone);
}

/// It knows whether a PIN has been refused, by what says nothing of it without a key.
#[test]
fn key_by_which_pins_are_told_apart_is_in_no_memory_of_the_gateway() {
    let (house, token) = house(Key::P256);
    crate::harness::softhsm::write_pin(house.stage.scratch.path(), "000000");
    signal(house.gateway.signer_pid(), "KILL");
    house.gateway.await_log("it was tried before");
    let lent = std::fs::read_dir(house.gateway.proc("fd")).expect("our own child");
    let is_key = |path: &std::path::PathBuf| {
        let name = std::fs::read_link(path).unwrap_or_default();
        name.to_string_lossy().contains("memfd:pin-key")
    };
    let mut lent = lent.filter_map(|fd| Some(fd.ok()?.path()));
    let key = lent.find(is_key).expect("one for its signer processes");
    let key = std::fs::read(key).expect("our own child's");
    assert_eq!(key.len(), 32);
    assert!(memory_holds(&house.gateway, b"pkcs11:"), "it was looked at");
    assert!(!memory_holds(&house.gateway, &key));
    token.restore_pin();
}

/// The wrong PIN stands in the file when the process is replaced, again and again.
#[test]
fn wrong_pin_is_tried_once_by_all_signer_processes_together() {
    let origin = Origin::start();
    let (stage, spy) = Stage::with_spied_token(origin.address, Key::P256);
    let house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    let logins = spy.calls("C_Login");
    crate::harness::softhsm::write_pin(house.stage.scratch.path(), "000000");
    signal(house.gateway.signer_pid(), "KILL");
    house.gateway.await_log("the token refused the PIN");
    house.gateway.await_log("it was tried before");
    let attempts = || {
        house
            .gateway
            .log()
            .matches("signer process has started")
            .count()
    };
    let before = attempts();
    wait_until("more attempts", || attempts() > before + 2);
    assert_eq!(spy.calls("C_Login"), logins + 1);
    let pin = std::fs::read_to_string(&spy.token.pin_file).expect("our own file");
    assert_eq!(pin.trim(), "000000");
    spy.token.restore_pin();
    let dialer = full(&house);
    wait_until("the right PIN to be taken", || serves(&dialer, &house));
    assert_eq!(spy.calls("C_Login"), logins + 2);
}
