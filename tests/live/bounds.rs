//! Slow, greedy and numerous peers: each meets its own bound, and nobody else notices.

use std::time::{Duration, Instant};

use crate::authorization::assert_problem;
use crate::harness::client::{HOST, get, head, json_of, request};
use crate::harness::origin::{Act, ok, usual_body};
use crate::harness::stage::{House, PATH};
use crate::harness::{WAIT, wait_until, within};

const MIB: u64 = 1 << 20;

#[test]
fn head_that_does_not_end_is_a_timeout() {
    let house = House::open_with(|config| {
        config.set("deadlines.head", "\"500ms\"");
    });
    let mut client = house.client();
    let start = Instant::now();
    client
        .send(format!("GET {PATH} HTTP/1.1\r\nHost: "))
        .unwrap();
    // An octet now and then does not buy more time: the answer is there when the dripping ends.
    while start.elapsed() < Duration::from_millis(1_100) {
        std::thread::sleep(Duration::from_millis(50));
        client.send("x").unwrap();
    }
    let dripped = Instant::now();
    assert_problem(&client.answer(), 408);
    assert!(
        dripped.elapsed() < Duration::from_millis(300),
        "{:?}",
        dripped.elapsed()
    );
    assert!(client.closed());
}

#[test]
fn body_that_does_not_come_is_a_timeout() {
    let house = House::open_with(|config| {
        config.set("deadlines.body", "\"500ms\"");
    });
    let mut client = house.client();
    client
        .send(head("POST", PATH, &house.token(), "Content-Length: 10\r\n"))
        .unwrap();
    assert_problem(&client.answer(), 408);
    assert!(client.closed());
}

#[test]
fn drip_fed_body_is_a_timeout() {
    let house = House::open_with(|config| {
        config.set("deadlines.body", "\"500ms\"");
        config.set("deadlines.body_bytes_per_s_min", "\"1KiB\"");
    });
    let mut client = house.client();
    let start = Instant::now();
    client
        .send(head(
            "POST",
            PATH,
            &house.token(),
            "Content-Length: 1000\r\n",
        ))
        .unwrap();
    while start.elapsed() < Duration::from_millis(1_100) {
        std::thread::sleep(Duration::from_millis(20));
        client.send("x").unwrap();
    }
    let dripped = Instant::now();
    assert_problem(&client.answer(), 408);
    assert!(
        dripped.elapsed() < Duration::from_millis(300),
        "{:?}",
        dripped.elapsed()
    );
    assert!(
        house
            .origin
            .received()
            .iter()
            .all(|request| !request.complete)
    );
}

#[test]
fn idle_connection_is_closed() {
    let house = House::open_with(|config| {
        config.set("deadlines.idle", "\"400ms\"");
    });
    let mut never_asked = house.client();
    let mut asked = house.client();
    assert_eq!(asked.get(PATH, &house.token()).status, 200);
    let start = Instant::now();
    assert!(asked.closed());
    assert!(
        start.elapsed() >= Duration::from_millis(350),
        "{:?}",
        start.elapsed()
    );
    assert!(never_asked.closed());
}

#[test]
fn handshake_that_does_not_end_is_closed() {
    let house = House::open_with(|config| {
        config.set("deadlines.handshake", "\"400ms\"");
    });
    let mut silent = std::net::TcpStream::connect(house.gateway.address).unwrap();
    let start = Instant::now();
    let answer = crate::harness::origin::read_all(&mut silent);
    assert!(start.elapsed() < Duration::from_secs(3), "{answer:?}");
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

#[test]
fn last_request_of_a_connection_says_so() {
    let house = House::open_with(|config| {
        config.set("limits.requests_per_connection_max", "3");
    });
    let mut client = house.client();
    for _ in 0..2 {
        assert_eq!(client.get(PATH, &house.token()).field("connection"), None);
    }
    assert_eq!(
        client.get(PATH, &house.token()).field("connection"),
        Some("close")
    );
    assert!(client.closed());
}

#[test]
fn connections_over_their_bound_are_closed_and_room_is_used_again() {
    let house = House::open_with(|config| {
        config.set("limits.connections_max", "4");
    });
    let dialer = house.stage.dialer(&house.stage.acme);
    // The connection that found the gateway serving may still be on its way out.
    wait_until("room", || dialer.connect(house.gateway.address).is_ok());
    let mut held = Vec::new();
    wait_until("four connections", || {
        held.extend(dialer.connect(house.gateway.address));
        held.len() >= 4
    });
    let fifth = dialer.connect(house.gateway.address);
    assert!(fifth.is_err() || fifth.is_ok_and(|mut client| client.closed()));
    for client in &mut held {
        assert_eq!(client.get(PATH, &house.token()).status, 200);
    }
    drop(held);
    wait_until("room again", || {
        dialer
            .connect(house.gateway.address)
            .is_ok_and(|mut client| {
                client.send(get(PATH, &house.token())).is_ok() && client.read_answer(false).is_ok()
            })
    });
}

/// 64 MiB, through buffers that do not grow with them.
#[test]
fn large_answers_stream_in_bounded_memory() {
    let house = House::open_with(|config| {
        config.set("deadlines.exchange", "\"60s\"");
    });
    let mut client = house.client();
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    let before_kb = house.gateway.rss_kb();
    let length = 64 * MIB;
    house.origin.script(vec![
        Act::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes()),
        Act::Pour(length),
    ]);
    let response = client.get(PATH, &house.token());
    assert_eq!(response.body.len() as u64, length);
    let peak_kb = house.gateway.rss_kb();
    println!("resident: {before_kb} KiB before, {peak_kb} KiB at most");
    assert!(
        peak_kb < before_kb + 16 * 1024,
        "{before_kb} KiB grew to {peak_kb} KiB"
    );
}

/// A client that stops reading stops the SCEF, not the gateway; then its time is up.
#[test]
fn client_that_does_not_read_holds_the_scef_back_and_is_closed() {
    let house = House::open_with(|config| {
        config.set("deadlines.send", "\"2s\"");
        config.set("deadlines.exchange", "\"60s\"");
    });
    let length = 64 * MIB;
    house.origin.script(vec![
        Act::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes()),
        Act::Pour(length),
    ]);
    assert_eq!(house.gateway.shard_tids().len(), 1);
    let before_kb = house.gateway.rss_kb();
    let mut client = house.client();
    client.send(get(PATH, &house.token())).unwrap();
    house.origin.await_requests(1);
    std::thread::sleep(Duration::from_millis(1_000));
    let poured = house.origin.poured_bytes();
    assert!(
        poured < length / 2,
        "the SCEF got rid of {poured} octets nobody reads"
    );
    let held_kb = house.gateway.rss_kb();
    assert!(
        held_kb < before_kb + 16 * 1024,
        "{before_kb} KiB grew to {held_kb} KiB"
    );
    // Others are served meanwhile.
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    wait_until("the stuck exchange to end", || {
        house.origin.open_connections() <= 1
    });
    let mut answer = client.read_answer(false);
    if let Ok(response) = &mut answer {
        panic!("a whole answer of {} octets", response.body.len());
    }
}

/// What it does not read is in the gateway whole, and no client waits with it to be read.
#[test]
fn scef_that_does_not_read_is_a_timeout_and_holds_nobody_up() {
    let house = House::open_with(|config| {
        config.set("limits.body_bytes_max", "\"16MiB\"");
        config.set("deadlines.upstream_response", "\"1s\"");
    });
    house
        .origin
        .script(vec![Act::Pause(Duration::from_secs(20))]);
    let mut client = house.client();
    let body = json_of(15 << 20);
    client
        .send(request("POST", PATH, &house.token(), "", &body))
        .unwrap();
    assert_problem(&client.answer(), 504);
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

fn open_files_max() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .expect("Linux");
    line.split_whitespace()
        .nth(3)
        .and_then(|number| number.parse().ok())
        .unwrap_or(u64::MAX)
}

/// 5,000 where the limit of open files allows them, 500 otherwise: the number is printed.
#[test]
fn idle_connections_cost_little_and_leave_nothing_behind() {
    let number = if open_files_max() > 12_000 {
        5_000
    } else {
        500
    };
    let house = House::open_with(|config| {
        config.set("deadlines.idle", "\"120s\"");
        config.set("limits.connections_max", "6000");
    });
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    let (before_kb, before_fds) = (house.gateway.rss_kb(), house.gateway.fds());
    let before_threads = house.gateway.threads();
    let dialer = house.stage.dialer(&house.stage.acme);
    let mut idle: Vec<_> = (0..number)
        .map(|_| {
            dialer
                .connect(house.gateway.address)
                .expect("another connection")
        })
        .collect();
    // TLS 1.3 clients are done before the server is.
    assert_eq!(idle[number - 1].get(PATH, &house.token()).status, 200);
    // Buffers are given back after a second of silence.
    std::thread::sleep(Duration::from_millis(2_500));
    let per_connection = (house.gateway.rss_kb().saturating_sub(before_kb)) * 1024 / number as u64;
    assert_eq!(house.gateway.threads(), before_threads);
    println!("{number} idle connections: {per_connection} octets resident each");
    assert!(per_connection < 16 * 1024, "{per_connection} octets each");
    assert_eq!(idle[0].get(PATH, &house.token()).status, 200);
    drop(idle);
    let gone = within(WAIT, || house.gateway.fds() <= before_fds + 8);
    assert!(
        gone,
        "{} files open, {before_fds} before",
        house.gateway.fds()
    );
}

/// Its buffers given back, a connection waits without any: it still answers, again and again, to
/// a request that comes in pieces, and it notices when its client leaves.
#[test]
fn connection_that_was_silent_answers_and_ends_as_any_other() {
    let house = House::open();
    let token = house.token();
    let before_fds = house.gateway.fds();
    let mut client = house.client();
    for _ in 0..2 {
        assert_eq!(client.get(PATH, &token).status, 200);
        std::thread::sleep(Duration::from_millis(1_300));
    }
    let request = crate::harness::client::get(PATH, &token);
    let (first, rest) = request.split_at(20);
    client.send(first).unwrap();
    std::thread::sleep(Duration::from_millis(1_300));
    client.send(rest).unwrap();
    assert_eq!(client.answer().status, 200);
    std::thread::sleep(Duration::from_millis(1_300));
    drop(client);
    wait_until("the connection to close", || {
        house.gateway.fds() <= before_fds + 1
    });
}

/// Clients come and go, in order and out of it: nothing grows.
#[test]
fn connections_that_come_and_go_leave_no_growth() {
    let house = House::open();
    let round = || {
        for number in 0..200 {
            let mut client = house.client();
            if number % 2 == 0 {
                assert_eq!(client.get(PATH, &house.token()).status, 200);
            } else {
                client
                    .send(format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}"))
                    .unwrap();
            }
        }
    };
    round();
    let (before_kb, before_fds) = (house.gateway.rss_kb(), house.gateway.fds());
    for _ in 0..3 {
        round();
    }
    wait_until("sockets to close", || house.gateway.fds() <= before_fds + 4);
    let after_kb = house.gateway.rss_kb();
    assert!(
        after_kb < before_kb + 4 * 1024,
        "{before_kb} KiB grew to {after_kb} KiB"
    );
}

/// The SCEF never hears of what has not come whole.
#[test]
fn client_that_goes_away_in_the_middle_has_asked_for_nothing() {
    let house = House::open_with(|config| {
        config.set_text("admin.address", "127.0.0.1:0");
    });
    let mut client = house.client();
    client
        .send(head("POST", PATH, &house.token(), "Content-Length: 10\r\n"))
        .unwrap();
    client.send("12345").unwrap();
    let admin = house.gateway.admin();
    let asked = || admin.metrics().count("t8gate_requests_total", &[]);
    wait_until("the request to be there", || asked() == 1);
    drop(client);
    let gone = [("outcome", "client_gone")];
    wait_until("it to be over", || {
        admin.metrics().count("t8gate_client_requests_total", &gone) == 1
    });
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn answer_after_end_of_sending_still_comes() {
    let house = House::open();
    house.origin.script(vec![
        Act::ReadBody,
        Act::Pause(Duration::from_millis(200)),
        Act::Send(crate::harness::origin::ok(b"late")),
    ]);
    let mut client = house.client();
    client.send(get(PATH, &house.token())).unwrap();
    client.close_notify();
    assert_eq!(client.answer().text(), "late");
}

/// A client that takes a little now and then keeps each send within its bound; the exchange ends
/// all the same.
#[test]
fn client_that_reads_too_slowly_ends_with_the_exchange() {
    let house = House::open_with(|config| {
        for part in ["exchange", "body", "upstream_connect", "upstream_response"] {
            config.set(&format!("deadlines.{part}"), "\"1s\"");
        }
    });
    let length = 64 * MIB;
    house.origin.script(vec![
        Act::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes()),
        Act::Pour(length),
    ]);
    let mut client = house.client();
    client.send(get(PATH, &house.token())).unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1_500) {
        std::thread::sleep(Duration::from_millis(50));
        client.read_some(64 * 1024);
    }
    wait_until("the SCEF's connection to end", || {
        house.origin.open_connections() == 0
    });
}

/// Which system calls a warm shard makes, over 10,000 requests by 32 connections.
#[test]
fn warm_shard_calls_the_ring_and_nothing_else() {
    let house = House::open_with(|config| {
        config.set("limits.requests_per_connection_max", "1000000");
    });
    let token = house.token();
    let warm_up = house.client().get(PATH, &token);
    assert_eq!(warm_up.status, 200);
    let mut clients: Vec<_> = (0..32).map(|_| house.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get(PATH, &token).status, 200);
    }
    // Every link that the load below can need is opened before the trace begins: all clients wait
    // for an answer at the same time.
    house.origin.usually(vec![
        Act::ReadBody,
        Act::Pause(Duration::from_millis(500)),
        Act::Send(ok(&usual_body())),
    ]);
    all_at_once(&mut clients, &token, 1);
    house
        .origin
        .usually(vec![Act::ReadBody, Act::Send(ok(&usual_body()))]);
    all_at_once(&mut clients, &token, 20);
    let shards = house.gateway.shard_tids();
    assert_eq!(shards.len(), 1);
    let report = house.stage.scratch.path().join("strace");
    let mut strace = crate::harness::command("strace");
    strace
        .args(["-c", "-U", "calls,name", "-p", &shards[0].to_string(), "-o"])
        .arg(&report);
    strace.stderr(std::process::Stdio::null());
    let mut strace = strace
        .spawn()
        .expect("strace; hint: apt-get install strace");
    let tracer = format!("TracerPid:\t{}", strace.id());
    wait_until("strace to attach", || {
        let status = format!("/proc/{}/task/{}/status", house.gateway.pid(), shards[0]);
        std::fs::read_to_string(status).is_ok_and(|status| status.contains(&tracer))
    });
    all_at_once(&mut clients, &token, 313);
    let interrupt = std::process::Command::new("kill")
        .args(["-INT", &strace.id().to_string()])
        .status();
    assert!(interrupt.is_ok());
    crate::harness::finish(&mut strace, WAIT);
    let report = std::fs::read_to_string(&report).expect("a report");
    println!("{report}");
    let mut seen = Vec::new();
    for line in report.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [calls, name] = words.as_slice()
            && let Ok(calls) = calls.parse::<u64>()
            && *name != "total"
        {
            seen.push(((*name).to_owned(), calls));
        }
    }
    assert!(
        seen.iter().any(|(name, _)| name == "io_uring_enter"),
        "{seen:?}"
    );
    seen.retain(|(name, _)| {
        !matches!(
            name.as_str(),
            "io_uring_enter" | "epoll_wait" | "epoll_pwait"
        )
    });
    assert_eq!(seen, [], "calls of a warm shard besides those of the ring");
}

/// So many requests by each client, all clients at the same time.
fn all_at_once(clients: &mut [crate::harness::client::Client], token: &str, requests: usize) {
    std::thread::scope(|scope| {
        for client in clients {
            scope.spawn(move || {
                for _ in 0..requests {
                    assert_eq!(client.get(PATH, token).status, 200);
                }
            });
        }
    });
}
