//! The end: in order, in time, and at once when asked twice.

use std::time::{Duration, Instant};

use crate::harness::WAIT;
use crate::harness::client::get;
use crate::harness::origin::{Act, ok};
use crate::harness::stage::{House, PATH};

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
