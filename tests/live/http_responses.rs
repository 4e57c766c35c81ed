//! Answers of the SCEF: every good form relayed, every other one a 502 of ours.

use std::time::Duration;

use crate::authorization::assert_problem;
use crate::harness::client::{ReadFault, get, head, json_of, request};
use crate::harness::origin::{Act, ok, poured, usual_body};
use crate::harness::stage::{House, PATH};

fn relayed(answer: &str) -> (House, crate::harness::client::Response) {
    let house = House::open();
    house.origin.answer(answer);
    let mut client = house.client();
    let response = client.get(PATH, &house.token());
    // Whatever it was, the next request on this connection is served.
    assert_eq!(client.get(PATH, &house.token()).status, 200, "{answer:?}");
    (house, response)
}

/// Became our 502, and the link it came by is not used again.
fn bad_gateway(answer: impl Into<Vec<u8>>) {
    let answer = answer.into();
    let shown = String::from_utf8_lossy(&answer).into_owned();
    let house = House::open();
    house.origin.answer(answer);
    let mut client = house.client();
    let response = client.get(PATH, &house.token());
    assert_eq!(response.status, 502, "{shown:?}");
    assert_problem(&response, 502);
    let again = client.get(PATH, &house.token());
    assert_eq!((again.status, again.body), (200, usual_body()), "{shown:?}");
    assert_eq!(
        house.origin.connections(),
        2,
        "{shown:?}: the bad link was used again"
    );
}

#[test]
fn answer_by_length_is_relayed() {
    let (_, response) =
        relayed("HTTP/1.1 201 Made It\r\nContent-Length: 2\r\nLocation: /x\r\n\r\nhi");
    assert_eq!((response.status, response.text()), (201, "hi".to_owned()));
    assert_eq!(response.reason, "Made It");
    assert_eq!(response.field("location"), Some("/x"));
    assert_eq!(response.field("content-length"), Some("2"));
}

#[test]
fn chunked_answer_is_relayed_without_trailers() {
    let (house, response) = relayed(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n\
         3;ext\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
    );
    assert_eq!(response.text(), "abcde");
    assert_eq!(
        (response.field("trailer"), response.field("x-t")),
        (None, None)
    );
    assert_eq!(
        house.origin.connections(),
        1,
        "a whole chunked answer keeps the link"
    );
}

#[test]
fn answer_until_close_is_relayed_whole() {
    let house = House::open();
    house.origin.script(vec![
        Act::ReadBody,
        Act::Send(b"HTTP/1.1 200 OK\r\n\r\nto the".to_vec()),
        Act::Pause(Duration::from_millis(50)),
        Act::Send(b" end".to_vec()),
        Act::Close,
    ]);
    assert_eq!(
        house.client().get(PATH, &house.token()).text(),
        "to the end"
    );
}

#[test]
fn answers_without_a_body_are_relayed() {
    for (answer, status) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n", 304),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n",
            304,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
    ] {
        let (house, response) = relayed(answer);
        assert_eq!(
            (response.status, response.body.len()),
            (status, 0),
            "{answer:?}"
        );
        assert_eq!(house.origin.connections(), 1, "{answer:?}");
    }
}

//= RFC 9110 section 9.3.2 type=test
//# An answer to HEAD has the fields of one to GET, and no body.
#[test]
fn answer_to_head_has_fields_and_no_body() {
    let house = House::open();
    house
        .origin
        .answer("HTTP/1.1 200 OK\r\nContent-Length: 306\r\n\r\n");
    let mut client = house.client();
    let response = client.ask(head("HEAD", PATH, &house.token(), ""));
    assert_eq!(
        (response.status, response.field("content-length")),
        (200, Some("306"))
    );
    assert_eq!(house.origin.only().method, "HEAD");
    assert_eq!(client.get(PATH, &house.token()).body, usual_body());
    // A SCEF that sends the body after all would answer the next request with it.
    assert_eq!(house.origin.connections(), 2);
}

#[test]
fn interim_answers_are_relayed() {
    let house = House::open();
    let mut answer =
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".to_vec();
    answer.extend_from_slice(&ok(b"at last"));
    house.origin.answer(answer);
    let response = house.client().get(PATH, &house.token());
    assert_eq!(
        (response.interim, response.body),
        (vec![102, 103], b"at last".to_vec())
    );
}

#[test]
fn endless_interim_answers_are_a_bad_gateway() {
    bad_gateway("HTTP/1.1 102 Processing\r\n\r\n".repeat(50));
}

#[test]
fn switching_protocols_is_a_bad_gateway() {
    bad_gateway("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
}

#[test]
fn long_body_comes_piece_by_piece_as_it_is_sent() {
    let house = House::open();
    let mut begin = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n".to_vec();
    begin.extend_from_slice(&poured(2 << 20));
    house.origin.script(vec![Act::Send(begin), Act::Hang]);
    let mut client = house.client();
    client.send(get(PATH, &house.token())).unwrap();
    assert_eq!(client.read_head().unwrap().status, 200);
    // The head is here although the rest of the body will never be.
}

#[test]
fn slow_body_in_pieces_is_relayed_whole() {
    let house = House::open();
    let mut script = vec![Act::Send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n".to_vec(),
    )];
    for _ in 0..10 {
        script.extend([
            Act::Pause(Duration::from_millis(20)),
            Act::Send(b"ab".to_vec()),
        ]);
    }
    house.origin.script(script);
    assert_eq!(
        house.client().get(PATH, &house.token()).text(),
        "ab".repeat(10)
    );
}

#[test]
fn answer_to_a_head_whose_body_is_not_read_is_relayed() {
    let house = House::open();
    house.origin.script(vec![
        Act::Send(
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno".to_vec(),
        ),
        Act::Pause(Duration::from_millis(200)),
        Act::Close,
    ]);
    let mut client = house.client();
    client
        .send(head(
            "POST",
            PATH,
            &house.token(),
            "Content-Length: 100000\r\n",
        ))
        .unwrap();
    client.send(json_of(100_000)).unwrap();
    let response = client.answer();
    assert_eq!((response.status, response.text()), (403, "no".to_owned()));
}

/// A SCEF that answers by the head alone: what had come of the body went out with the head, so
/// nothing is missing, and both connections go on.
#[test]
fn answer_by_the_head_alone_keeps_both_connections() {
    let house = House::open();
    house.origin.usually(vec![
        Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()),
        Act::ReadBody,
    ]);
    let mut client = house.client();
    for _ in 0..50 {
        let fields = "Content-Length: 500\r\n";
        let mut request = head("POST", PATH, &house.token(), fields).into_bytes();
        request.extend(json_of(500));
        client.send(request).unwrap();
        assert_eq!(client.answer().text(), "ok");
    }
    assert_eq!(house.origin.connections(), 1);
}

/// A SCEF that begins its answer, then reads the request to its end, then ends its answer.
#[test]
fn answer_that_begins_before_the_body_has_come_carries_both_to_their_ends() {
    for size in [10, 60_000, 900_000] {
        let house = House::open();
        house.origin.script(vec![
            Act::Send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec(),
            ),
            Act::ReadBody,
            Act::Send(b"4\r\nbye!\r\n0\r\n\r\n".to_vec()),
        ]);
        let mut client = house.client();
        let fields = format!("Content-Length: {size}\r\n");
        client
            .send(head("POST", PATH, &house.token(), &fields))
            .unwrap();
        let body = json_of(size);
        client.send(&body[..size / 2]).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        client.send(&body[size / 2..]).unwrap();
        assert_eq!(client.answer().text(), "hellobye!", "{size}");
        let received = house.origin.only();
        assert!(
            received.complete && received.body_bytes == size as u64,
            "{size}"
        );
    }
}

/// What a SCEF sends behind a whole answer is nobody's, also when a receive ends exactly between
/// the two and the next request is there already.
#[test]
fn surplus_behind_a_receives_end_never_reaches_a_client() {
    let house = House::open();
    let mut stray = b"HTTP/1.1 200 OK\r\nContent-Length: 0000\r\n\r\n".to_vec();
    // As long as a receive has room for.
    let body = 4_096 - stray.len();
    stray = String::from_utf8(stray)
        .unwrap()
        .replace("0000", &body.to_string())
        .into_bytes();
    stray.resize(4_096, b'.');
    stray.extend(b"HTTP/1.1 200 OK\r\nX-Stray: 1\r\nContent-Length: 5\r\n\r\nstray");
    house.origin.usually(vec![Act::ReadBody, Act::Send(stray)]);
    let mut client = house.client();
    let request = get(PATH, &house.token());
    client.send([request.as_bytes(); 5].concat()).unwrap();
    for number in 0..5 {
        let response = client.answer();
        assert_eq!(
            (response.body.len(), response.field("x-stray")),
            (body, None),
            "{number}"
        );
    }
}

#[test]
fn echo_of_a_body_is_the_body() {
    let house = House::open();
    let numbers: Vec<u32> = (0..40_000).collect();
    let body = serde_json::json!({ "x": numbers }).to_string().into_bytes();
    let mut client = house.client();
    for act in [
        Act::EchoWithLength,
        Act::EchoInChunks(7_000),
        Act::EchoInChunks(1),
    ] {
        let body = if matches!(act, Act::EchoInChunks(1)) {
            &b"{\"x\":[1,2,3,4,5,6,7,8,9,10]}"[..]
        } else {
            &body
        };
        house.origin.script(vec![act]);
        let response = client.ask(request("POST", PATH, &house.token(), "", body));
        assert!(response.body == body);
    }
}

#[test]
fn garbage_is_a_bad_gateway() {
    for answer in [
        "garbage\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 20x OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
        "\r\n\r\n\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        bad_gateway(answer);
    }
}

//= RFC 9112 section 6.3 type=test
//# The SCEF's framing is held to the rules a client's is.
#[test]
fn ambiguous_framing_is_a_bad_gateway() {
    for fields in [
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2, 2\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 02\r\n",
        "Content-Length: x\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "X-A : a\r\nContent-Length: 2\r\n",
        "X-A: a\r\n b\r\nContent-Length: 2\r\n",
        "X-A: a\0b\r\nContent-Length: 2\r\n",
        "no colon\r\nContent-Length: 2\r\n",
        "X-A: a\nX-B: b\r\nContent-Length: 2\r\n",
    ] {
        bad_gateway(format!("HTTP/1.1 200 OK\r\n{fields}\r\nhi"));
    }
}

#[test]
fn answer_head_over_its_bound_is_a_bad_gateway() {
    let long = "x".repeat(100_000);
    bad_gateway(format!(
        "HTTP/1.1 200 OK\r\nX-Long: {long}\r\nContent-Length: 0\r\n\r\n"
    ));
    let many = "A: b\r\n".repeat(100);
    bad_gateway(format!(
        "HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n"
    ));
}

/// After the first octet of a body there is no taking back the status: the answer is cut, so that
/// nobody takes it for whole.
fn cut_off(answer: &str) {
    let house = House::open();
    house
        .origin
        .script(vec![Act::ReadBody, Act::Send(answer.into()), Act::Close]);
    let mut client = house.client();
    client.send(get(PATH, &house.token())).unwrap();
    match client.read_answer(false) {
        Err(ReadFault::CutOff(_)) => {}
        // Found out before the head was sent.
        Ok(response) => assert_eq!(response.status, 502, "{answer:?}"),
        Err(fault) => panic!("{fault:?} {answer:?}"),
    }
    assert!(client.closed() || house.client().get(PATH, &house.token()).status == 200);
}

#[test]
fn cut_or_broken_bodies_are_cut_for_the_client() {
    cut_off("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    cut_off("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    cut_off("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n");
    cut_off("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n");
}

/// Octets after a whole answer belong to nobody: the link they came by is done with.
#[test]
fn surplus_after_an_answer_never_reaches_a_client() {
    let house = House::open();
    let mut answer = ok(b"one");
    answer.extend_from_slice(&ok(b"stray"));
    house.origin.answer(answer);
    let mut client = house.client();
    assert_eq!(client.get(PATH, &house.token()).text(), "one");
    assert_eq!(client.get(PATH, &house.token()).body, usual_body());
    assert_eq!(house.origin.connections(), 2);
}

#[test]
fn hop_by_hop_fields_of_the_scef_stay_here() {
    let (_, response) = relayed(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\
         Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-End: 1\r\n\r\nhi",
    );
    for name in ["x-hop", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert_eq!(response.field(name), None);
    }
    assert_eq!(response.field("x-end"), Some("1"));
    assert_ne!(response.field("connection"), Some("close"));
}

/// The SCEF's wish to close its link is not the client's.
#[test]
fn close_of_the_scef_does_not_close_the_client() {
    let (house, response) =
        relayed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
    assert_eq!(
        (response.text(), response.field("connection")),
        ("hi".to_owned(), None)
    );
    assert_eq!(house.origin.connections(), 2);
}
