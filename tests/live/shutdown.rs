//! The end: in order, in time, and at once when asked twice.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::client::get;
use crate::harness::origin::{Act, Origin, ok};
use crate::harness::pki::Key;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{WAIT, command, finish, free_address, run_well, wait_until};

#[test]
fn idle_gateway_ends_at_once_and_well() {
    let mut house = House::open();
    let mut idle = house.client();
    assert_eq!(idle.get(PATH, &house.token()).status, 200);
    let start = Instant::now();
    house.gateway.terminate();
    let status = house.gateway.wait(WAIT).expect("to end");
    assert_eq!(status.code(), Some(0));
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    assert!(idle.closed());
}

#[test]
fn exchange_in_flight_is_finished() {
    let mut house = House::open();
    house.origin.script(vec![
        Act::ReadBody,
        Act::Pause(Duration::from_millis(800)),
        Act::Send(ok(b"finished")),
    ]);
    let mut client = house.client();
    client.send(get(PATH, &house.token())).unwrap();
    house.origin.await_requests(1);
    house.gateway.terminate();
    // Nobody new comes in.
    std::thread::sleep(Duration::from_millis(200));
    let dialer = house.stage.dialer(&house.stage.acme);
    let refused = dialer.connect(house.gateway.address);
    assert!(refused.is_err() || refused.is_ok_and(|mut late| late.closed()));
    let response = client.answer();
    assert_eq!(
        (response.status, response.text()),
        (200, "finished".to_owned())
    );
    assert_eq!(response.field("connection"), Some("close"));
    assert!(client.closed());
    assert_eq!(house.gateway.wait(WAIT).expect("to end").code(), Some(0));
}

#[test]
fn drain_has_its_bound() {
    let mut house = House::open_with(|config| {
        config.set("deadlines.drain", "\"500ms\"");
    });
    house.origin.script(vec![Act::ReadBody, Act::Hang]);
    let mut client = house.client();
    client.send(get(PATH, &house.token())).unwrap();
    house.origin.await_requests(1);
    let start = Instant::now();
    house.gateway.terminate();
    assert_eq!(house.gateway.wait(WAIT).expect("to end").code(), Some(0));
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(450) && took < Duration::from_secs(4),
        "{took:?}"
    );
}

/// Out of descriptors, the kernel never tells whoever accepts that the listener was stopped.
#[test]
fn gateway_without_descriptors_ends_in_its_bound() {
    let origin = Origin::start();
    let stage = Stage::new(origin.address).set("deadlines.drain", "\"1s\"");
    let address = free_address();
    let mut config = stage.config.clone();
    config.set_text("listen.address", address);
    let file = crate::harness::gateway::write(stage.scratch.path(), &config);
    let mut limited = command("prlimit");
    limited.args([
        "--nofile=24:24",
        env!("CARGO_BIN_EXE_t8gate"),
        "serve",
        "--config",
    ]);
    let mut child = limited
        .arg(&file)
        .stderr(Stdio::null())
        .spawn()
        .expect("prlimit");
    wait_until("the gateway to listen", || {
        TcpStream::connect(address).is_ok()
    });
    let held: Vec<_> = (0..40).map(|_| TcpStream::connect(address)).collect();
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "it lives on");
    let told = Command::new("kill").arg(child.id().to_string()).status();
    assert!(told.unwrap().success());
    let status = finish(&mut child, Duration::from_secs(5)).expect("an end");
    assert_eq!(status.code(), Some(0));
    drop(held);
}

/// The kernel ends the first process of a container by no signal that it does not receive.
#[test]
fn first_process_of_a_container_is_ended_while_it_waits_for_its_start() {
    let origin = Origin::start();
    let (mut stage, _token) = Stage::with_token(origin.address, Key::P256);
    let config = stage.config.unset("tls.key.pin_file");
    config.set("tls.key.pin_fd", "3");
    let file = crate::harness::gateway::write(stage.scratch.path(), config);
    let mut contained = command("unshare");
    contained.args(["--pid", "--fork", "--kill-child", "bash", "-c"]);
    contained.args(["exec 3<&0; exec \"$0\" serve --config \"$1\""]);
    contained.arg(env!("CARGO_BIN_EXE_t8gate")).arg(&file);
    // Nobody writes the PIN.
    contained.stdin(Stdio::piped());
    let mut child = contained.stderr(Stdio::null()).spawn().expect("unshare");
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let first = || {
        let listed = std::fs::read_to_string(&children).unwrap_or_default();
        listed.trim().parse::<u32>().ok()
    };
    wait_until("a thread that minds signals", || {
        let threads = first().and_then(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).ok());
        threads.into_iter().flatten().flatten().any(|thread| {
            let name = std::fs::read_to_string(thread.path().join("comm"));
            name.is_ok_and(|name| name.trim() == "t8gate-signals")
        })
    });
    let first = first().expect("it lives").to_string();
    run_well(command("kill").arg(first));
    let status = finish(&mut child, WAIT).expect("an end");
    assert_eq!(status.code(), Some(143));
}

#[test]
fn second_signal_ends_it_now() {
    let mut house = House::open_with(|config| {
        config.set("deadlines.drain", "\"60s\"");
    });
    house.origin.script(vec![Act::ReadBody, Act::Hang]);
    let mut client = house.client();
    client.send(get(PATH, &house.token())).unwrap();
    house.origin.await_requests(1);
    house.gateway.terminate();
    assert!(
        house.gateway.wait_briefly(),
        "ended although an exchange is in flight"
    );
    let start = Instant::now();
    house.gateway.terminate();
    let status = house.gateway.wait(WAIT).expect("an end");
    assert_eq!(status.code(), Some(143));
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
}
