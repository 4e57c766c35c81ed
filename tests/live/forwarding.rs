//! What the SCEF sees of a request, and what happens when there is no SCEF to see it.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::authorization::assert_problem;
use crate::harness::client::{HOST, get, head, request};
use crate::harness::origin::{Act, Deaf, Origin, ok, poured};
use crate::harness::stage::{House, PATH, RESOURCE, Stage};
use crate::harness::{free_address, wait_until};

#[test]
fn request_arrives_as_it_was_sent() {
    let house = House::open();
    let fields = "X-Kept: a  b\r\nAccept: */*\r\nContent-Type: application/json\r\n";
    let path = format!("{RESOURCE}?a=%20&b");
    let response = house
        .client()
        .ask(request("PUT", &path, &house.token(), fields, b"{}"));
    assert_eq!(response.status, 200);
    let received = house.origin.only();
    assert_eq!(
        (received.method.as_str(), received.target.as_str()),
        ("PUT", path.as_str())
    );
    assert_eq!(received.field("host"), Some(HOST));
    assert_eq!(received.field("x-kept"), Some("a  b"));
    assert_eq!(received.field("accept"), Some("*/*"));
    assert_eq!(received.field("content-type"), Some("application/json"));
    assert_eq!(received.body, b"{}");
}

/// The token was for us: behind us it would be a stolen one.
#[test]
fn authorization_stays_here() {
    let house = House::open();
    let token = house.token();
    house.client().get(PATH, &token);
    let received = house.origin.only();
    assert_eq!(received.field("authorization"), None);
    assert!(!String::from_utf8_lossy(&received.head).contains(&token));
}

//= RFC 9110 section 7.6.1 type=test
//# Fields for this hop, and those Connection names, go no further.
#[test]
fn hop_by_hop_fields_stay_here() {
    let house = House::open();
    let fields = "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
                  Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic YTpi\r\n\
                  TE: trailers\r\nUpgrade: h2c\r\nX-End: 1\r\n";
    assert_eq!(
        house
            .client()
            .ask(head("GET", PATH, &house.token(), fields))
            .status,
        200
    );
    let received = house.origin.only();
    for name in [
        "x-hop",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "upgrade",
    ] {
        assert_eq!(received.field(name), None, "{name}");
    }
    assert_eq!(received.field("x-end"), Some("1"));
}

/// Connection may not be used to take away what we set or what frames the request.
#[test]
fn connection_cannot_name_our_own_fields_away() {
    let house = House::open();
    let fields = "Connection: X-SCS-AS-Id, Client-Cert, Forwarded, X-Request-Id\r\n";
    assert_eq!(
        house
            .client()
            .ask(head("GET", PATH, &house.token(), fields))
            .status,
        200
    );
    let received = house.origin.only();
    for name in ["x-scs-as-id", "client-cert", "forwarded", "x-request-id"] {
        assert!(received.field(name).is_some(), "{name}");
    }
}

#[test]
fn verified_identity_is_added() {
    let house = House::open();
    let response = house.client().get(PATH, &house.token());
    let received = house.origin.only();
    assert_eq!(received.field("x-scs-as-id"), Some("acme"));
    //= RFC 9440 section 2.2 type=test
    //# The certificate, DER in a byte sequence.
    let certificate = format!(":{}:", STANDARD.encode(&house.stage.acme.der));
    assert_eq!(received.field("client-cert"), Some(certificate.as_str()));
    //= RFC 7239 section 4 type=test
    //# Where it came from, how, and what for.
    let forwarded = received
        .field("forwarded")
        .expect("a Forwarded field")
        .to_ascii_lowercase();
    for part in ["for=", "127.0.0.1", "proto=https", &format!("host={HOST}")] {
        assert!(
            forwarded.replace('"', "").contains(part),
            "{part}: {forwarded}"
        );
    }
    let id = received.field("x-request-id").expect("an id");
    assert!(!id.is_empty());
    assert_eq!(
        response.field("x-request-id"),
        Some(id),
        "the client can name its request"
    );
}

#[test]
fn scs_as_id_of_the_path_is_the_one_added() {
    let house = House::open();
    let path = "/3gpp-monitoring-event/v1/acme-two/subscriptions";
    house.client().get(path, &house.token());
    assert_eq!(house.origin.only().field("x-scs-as-id"), Some("acme-two"));
}

/// A backend that maps dashes to underscores must not find a second, forged identity.
#[test]
fn identity_fields_of_the_client_are_removed_in_every_spelling() {
    let house = House::open();
    let forged = "forged-by-a-client";
    let mut fields = String::new();
    for name in [
        "X-SCS-AS-Id",
        "X_SCS_AS_Id",
        "x-scs_as-id",
        "Client-Cert",
        "Client_Cert",
        "Client-Cert-Chain",
        "Client_Cert_Chain",
        "Forwarded",
        "X-Forwarded-For",
        "X_Forwarded_For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "X_Real_IP",
        "X-Request-Id",
        "X_Request_Id",
        "X-Client-Verify",
        "X_SSL_Cert",
        "SSL-Client-S-DN",
        "X-T8gate-Client",
        "X-Tls-Client-Cert",
        "Remote_User",
        "X-Authenticated-UserId",
    ] {
        fields += &format!("{name}: {forged}\r\n");
    }
    assert_eq!(
        house
            .client()
            .ask(head("GET", PATH, &house.token(), &fields))
            .status,
        200
    );
    let received = house.origin.only();
    assert!(!String::from_utf8_lossy(&received.head).contains(forged));
    for name in ["x-scs-as-id", "client-cert", "forwarded", "x-request-id"] {
        assert!(received.field(name).is_some(), "{name}");
    }
}

#[test]
fn request_ids_differ() {
    let house = House::open();
    let mut client = house.client();
    let mut ids = std::collections::BTreeSet::new();
    for path in [PATH, PATH, "/nothing", PATH] {
        let response = client.get(path, &house.token());
        ids.insert(
            response
                .field("x-request-id")
                .expect("an id on every answer")
                .to_owned(),
        );
    }
    assert_eq!(ids.len(), 4);
}

/// Which client a connection belongs to is never mixed up on a shared link.
#[test]
fn clients_share_links_and_keep_their_identities() {
    let house = House::open();
    let stage = &house.stage;
    let mut acme = house.client();
    let mut globex = stage
        .dialer(&stage.globex)
        .connect(house.gateway.address)
        .unwrap();
    let claims =
        crate::harness::mint::claims("globex-app", "3gpp-nidd", &stage.globex.thumbprint());
    let token = stage.mint.good(&claims);
    for _ in 0..5 {
        acme.get(PATH, &house.token());
        assert_eq!(house.origin.last().field("x-scs-as-id"), Some("acme"));
        globex.get("/3gpp-nidd/v1/globex/configurations", &token);
        assert_eq!(house.origin.last().field("x-scs-as-id"), Some("globex"));
    }
    assert_eq!(house.origin.connections(), 1);
}

// No SCEF.

#[test]
fn scef_that_is_not_there_is_a_bad_gateway() {
    let origin = Origin::start();
    let stage = Stage::new(free_address());
    let gateway = stage.start();
    let house = House {
        gateway,
        origin,
        stage,
    };
    let mut client = house.client();
    for _ in 0..3 {
        assert_problem(&client.get(PATH, &house.token()), 502);
    }
}

#[test]
fn scef_that_does_not_accept_is_a_timeout() {
    let deaf = Deaf::start();
    let stage = Stage::new(deaf.address).set("deadlines.upstream_connect", "\"300ms\"");
    let house = House {
        gateway: stage.start(),
        origin: Origin::start(),
        stage,
    };
    let start = Instant::now();
    assert_problem(&house.client().get(PATH, &house.token()), 504);
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn scef_that_does_not_answer_is_a_timeout() {
    let house = House::open_with(|config| {
        // The next request is answered within it, however busy the machine is.
        config.set("deadlines.upstream_response", "\"2s\"");
    });
    house.origin.script(vec![Act::ReadBody, Act::Hang]);
    let mut client = house.client();
    let start = Instant::now();
    assert_problem(&client.get(PATH, &house.token()), 504);
    assert!(
        start.elapsed() >= Duration::from_millis(1990),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    // Once: what was sent may have been done.
    assert_eq!(house.origin.requests(), 2);
}

#[test]
fn scef_that_answers_a_head_too_slowly_is_a_timeout() {
    let house = House::open_with(|config| {
        config.set("deadlines.upstream_response", "\"400ms\"");
    });
    let mut script = Vec::new();
    for octet in b"HTTP/1.1 200 OK\r\nX: yyyyyyyyyyyyyyyyyyyy\r\n\r\n" {
        script.extend([
            Act::Send(vec![*octet]),
            Act::Pause(Duration::from_millis(100)),
        ]);
    }
    house.origin.script(script);
    assert_problem(&house.client().get(PATH, &house.token()), 504);
}

#[test]
fn exchange_over_its_deadline_is_a_timeout() {
    let house = House::open_with(|config| {
        config.set("deadlines.exchange", "\"500ms\"");
        for part in ["body", "upstream_connect", "upstream_response"] {
            config.set(&format!("deadlines.{part}"), "\"500ms\"");
        }
    });
    house.origin.script(vec![Act::ReadBody, Act::Hang]);
    assert_problem(&house.client().get(PATH, &house.token()), 504);
}

/// An endless body is cut by the deadline of the exchange, not relayed for ever.
#[test]
fn exchange_over_its_deadline_in_the_body_is_cut_or_told_of() {
    let house = House::open_with(|config| {
        config.set_text("limits.guarded_bytes_max", "64KiB");
        config.set("deadlines.exchange", "\"500ms\"");
        for part in ["body", "upstream_connect", "upstream_response"] {
            config.set(&format!("deadlines.{part}"), "\"500ms\"");
        }
    });
    // Of a short one nothing has left yet.
    for (begins, is_told) in [(0, true), (200_000, false)] {
        let mut begin = b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n".to_vec();
        begin.extend_from_slice(&poured(begins));
        let mut script = vec![Act::Send(begin)];
        for _ in 0..60 {
            script.extend([Act::Pause(Duration::from_millis(50)), Act::Send(vec![b','])]);
        }
        house.origin.script(script);
        let mut client = house.client();
        client.send(get(PATH, &house.token())).unwrap();
        let answer = client.read_answer(false);
        match is_told {
            true => assert_problem(&answer.unwrap(), 504),
            false => assert!(answer.is_err()),
        }
    }
}

#[test]
fn scef_that_stalls_in_the_body_is_cut_or_told_of() {
    let house = House::open_with(|config| {
        config.set_text("limits.guarded_bytes_max", "64KiB");
        config.set("deadlines.upstream_response", "\"300ms\"");
    });
    for (begins, is_told) in [(4, true), (200_000, false)] {
        let mut begin = b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n".to_vec();
        begin.extend_from_slice(&poured(begins));
        house.origin.script(vec![Act::Send(begin), Act::Hang]);
        let mut client = house.client();
        client.send(get(PATH, &house.token())).unwrap();
        let answer = client.read_answer(false);
        match is_told {
            true => assert_problem(&answer.unwrap(), 504),
            false => assert!(answer.is_err()),
        }
    }
}

#[test]
fn scef_killed_is_a_bad_gateway_and_back_is_served() {
    let mut house = House::open();
    let mut client = house.client();
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    let empty = Origin::start();
    let address = std::mem::replace(&mut house.origin, empty).stop();
    for _ in 0..3 {
        assert_eq!(client.get(PATH, &house.token()).status, 502);
    }
    house.origin = Origin::start_at(address);
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    assert!(house.gateway.alive());
}

#[test]
fn scef_killed_in_the_middle_of_an_answer_cuts_it() {
    let house = House::open();
    house.origin.script(vec![
        Act::ReadBody,
        Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\nsome".to_vec()),
        Act::Reset,
    ]);
    let mut client = house.client();
    client.send(get(PATH, &house.token())).unwrap();
    let answer = client.read_answer(false);
    assert!(answer.is_err() || answer.is_ok_and(|response| response.status == 502));
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

// Another try.

/// The next request comes by a link the SCEF closes as it arrives.
fn ask_over_a_stale_link(method: &str, path: &str, body: &[u8]) -> (House, u16) {
    let house = House::open();
    let mut client = house.client();
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    house.origin.script(vec![Act::Close]);
    let status = client
        .ask(request(method, path, &house.token(), "", body))
        .status;
    (house, status)
}

//= RFC 9110 section 9.2.2 type=test
//# An idempotent request, nothing of whose answer was seen, may be tried again.
#[test]
fn get_over_a_stale_link_is_tried_again() {
    let (house, status) = ask_over_a_stale_link("GET", PATH, b"");
    assert_eq!(status, 200);
    let received = house.origin.received();
    let links: Vec<usize> = received.iter().map(|request| request.connection).collect();
    assert_eq!(links, [0, 0, 1], "a fresh link for the second try");
}

#[test]
fn post_over_a_stale_link_is_not_tried_again() {
    let (house, status) = ask_over_a_stale_link("POST", PATH, b"{}");
    assert_eq!(status, 502);
    assert_eq!(house.origin.requests(), 2);
}

#[test]
fn patch_over_a_stale_link_is_not_tried_again() {
    let (house, status) = ask_over_a_stale_link("PATCH", RESOURCE, b"{}");
    assert_eq!(status, 502);
    assert_eq!(house.origin.requests(), 2);
}

#[test]
fn get_is_tried_again_once_only() {
    let house = House::open();
    let mut client = house.client();
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    house.origin.script(vec![Act::Close]);
    house.origin.script(vec![Act::Close]);
    assert_problem(&client.get(PATH, &house.token()), 502);
    assert_eq!(house.origin.requests(), 3);
}

#[test]
fn get_over_a_fresh_link_is_not_tried_again() {
    let house = House::open();
    house.origin.script(vec![Act::Close]);
    assert_problem(&house.client().get(PATH, &house.token()), 502);
    assert_eq!(house.origin.requests(), 1);
}

#[test]
fn get_whose_answer_has_begun_is_not_tried_again() {
    let house = House::open();
    let mut client = house.client();
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    house
        .origin
        .script(vec![Act::Send(b"HTTP/1.1 20".to_vec()), Act::Close]);
    assert_problem(&client.get(PATH, &house.token()), 502);
    assert_eq!(house.origin.requests(), 2);
}

#[test]
fn delete_over_a_stale_link_is_tried_again() {
    let (house, status) = ask_over_a_stale_link("DELETE", RESOURCE, b"");
    assert_eq!((status, house.origin.requests()), (200, 3));
}

/// An interim answer says that the SCEF has the request: from then on it is nobody's to repeat.
#[test]
fn get_after_an_interim_answer_is_not_tried_again() {
    let house = House::open();
    let mut client = house.client();
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    house.origin.script(vec![
        Act::ReadBody,
        Act::Send(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
        Act::Pause(Duration::from_millis(200)),
        Act::Close,
    ]);
    let response = client.get(PATH, &house.token());
    assert_problem(&response, 502);
    assert_eq!(response.interim, [103]);
    assert_eq!(house.origin.requests(), 2);
}

/// Links the SCEF closed while they were idle cost nobody a request.
#[test]
fn links_closed_while_idle_are_not_used() {
    let house = House::open();
    let mut client = house.client();
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    house.origin.close_connections();
    let response = client.ask(request("GET", PATH, &house.token(), "", b""));
    assert_eq!(response.status, 200);
}

#[test]
fn idle_links_are_closed_in_time() {
    let house = House::open_with(|config| {
        config.set("deadlines.upstream_idle", "\"300ms\"");
    });
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    wait_until("the idle link to close", || {
        house.origin.open_connections() == 0
    });
}

#[test]
fn idle_links_over_their_bound_are_closed() {
    let house = House::open_with(|config| {
        config.set("upstream.connections_idle_max", "1");
    });
    house.origin.usually(vec![
        Act::Pause(Duration::from_millis(200)),
        Act::Send(ok(b"x")),
    ]);
    let mut clients: Vec<_> = (0..4).map(|_| house.client()).collect();
    for client in &mut clients {
        client.send(get(PATH, &house.token())).unwrap();
    }
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(house.origin.connections(), 4);
    wait_until("surplus links to close", || {
        house.origin.open_connections() <= 1
    });
}
