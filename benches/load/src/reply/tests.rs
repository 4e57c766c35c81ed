use proptest::prelude::*;

use super::*;

/// What comes of bytes that arrive cut at `cuts`, in order, and of the connection's end after them.
fn read(bytes: &[u8], cuts: &[usize], to_head: bool) -> Result<Option<Answer>, ReplyFault> {
    let mut reply = Reply::default();
    reply.expect(to_head);
    let mut answer = None;
    let mut start = 0;
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    for cut in cuts {
        answer = answer.or(reply.read(&bytes[start..cut])?);
        start = cut;
    }
    answer.map_or_else(|| reply.end(), |answer| Ok(Some(answer)))
}

fn whole(text: &str) -> Result<Option<Answer>, ReplyFault> {
    read(text.as_bytes(), &[], false)
}

fn answer(status: u16, closes: bool) -> Result<Option<Answer>, ReplyFault> {
    Ok(Some(Answer { status, closes }))
}

#[test]
fn a_length_ends_a_response() {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(whole(text), answer(200, false));
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc";
    assert_eq!(whole(cut), Err(ReplyFault::Truncated));
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc";
    assert_eq!(whole(long), Err(ReplyFault::Unasked));
}

#[test]
fn the_last_chunk_and_its_trailer_end_a_response() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n";
    let body = "3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\n";
    assert_eq!(whole(&format!("{head}{body}\r\n")), answer(200, false));
    let trailer = format!("{head}{body}X-A: b\r\nX-C: d\r\n\r\n");
    assert_eq!(whole(&trailer), answer(200, false));
    assert_eq!(whole(&format!("{head}{body}")), Err(ReplyFault::Truncated));
    for bad in ["x\r\n", "\r\n", "3\r\nabcd", "fffffffffffffffff\r\n"] {
        let fault = whole(&format!("{head}{bad}"));
        assert_eq!(fault, Err(ReplyFault::CodingMalformed), "{bad:?}");
    }
}

#[test]
fn some_responses_have_no_body_whatever_their_fields_say() {
    let head = |status| format!("HTTP/1.1 {status} X\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(whole(&head(204)), answer(204, false));
    assert_eq!(whole(&head(304)), answer(304, false));
    assert_eq!(read(head(200).as_bytes(), &[], true), answer(200, false));
}

#[test]
fn interim_responses_are_passed_over() {
    let text = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
                HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(whole(text), answer(201, false));
    let switch = "HTTP/1.1 101 Switching\r\n\r\n";
    assert_eq!(whole(switch), Err(ReplyFault::HeadMalformed));
}

#[test]
fn the_end_of_the_connection_ends_a_response_without_length() {
    let text = "HTTP/1.1 200 OK\r\n\r\nabc";
    assert_eq!(whole(text), answer(200, true));
    assert_eq!(whole("HTTP/1.1 200 O"), Err(ReplyFault::Truncated));
    assert_eq!(whole(""), Ok(None));
}

#[test]
fn the_server_says_when_it_closes() {
    let head =
        |version, field| format!("HTTP/1.{version} 200 X\r\nContent-Length: 0\r\n{field}\r\n");
    assert_eq!(
        whole(&head(1, "Connection: x, CLOSE\r\n")),
        answer(200, true)
    );
    assert_eq!(whole(&head(0, "")), answer(200, true));
    assert_eq!(
        whole(&head(0, "Connection: keep-alive\r\n")),
        answer(200, false)
    );
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let head = |fields| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    for fields in [
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    ] {
        assert_eq!(
            whole(&head(fields)),
            Err(ReplyFault::LengthMalformed),
            "{fields:?}"
        );
    }
    let gzip = head("Transfer-Encoding: gzip\r\n");
    assert_eq!(whole(&gzip), Err(ReplyFault::CodingMalformed));
    assert_eq!(
        whole("SIP/2.0 200 OK\r\n\r\n"),
        Err(ReplyFault::HeadMalformed)
    );
}

#[test]
fn bytes_that_nobody_asked_for_are_a_fault() {
    let mut reply = Reply::default();
    assert_eq!(reply.read(b"HTTP"), Err(ReplyFault::Unasked));
}

#[test]
fn an_endless_head_is_given_up() {
    let mut reply = Reply::default();
    reply.expect(false);
    let _ = reply.read(b"HTTP/1.1 200 OK\r\nX: ");
    let fault = (0..200).find_map(|_| reply.read(&[b'x'; 1024]).err());
    assert_eq!(fault, Some(ReplyFault::HeadMalformed));
}

#[test]
fn a_body_is_kept_for_those_who_ask() {
    let mut reply = Reply::default();
    reply.keep_body();
    for text in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        reply.expect(false);
        for byte in text.as_bytes() {
            reply.read(&[*byte]).expect("a response");
        }
        assert_eq!(reply.body(), b"abc");
    }
}

fn responses() -> impl Strategy<Value = String> {
    let chunk = "[a-z]{1,40}".prop_map(|text| format!("{:x}\r\n{text}\r\n", text.len()));
    let chunked = prop::collection::vec(chunk, 0..6).prop_map(|chunks| {
        let chunks = chunks.concat();
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\nA: b\r\n\r\n")
    });
    let counted = "[ -~]{0,300}".prop_map(|body| {
        let length = body.len();
        format!("HTTP/1.1 404 Not Found\r\nX: y\r\nContent-Length: {length}\r\n\r\n{body}")
    });
    let interim = counted
        .clone()
        .prop_map(|response| format!("HTTP/1.1 100 Continue\r\n\r\n{response}"));
    prop_oneof![chunked, counted, interim]
}

proptest! {
    #[test]
    fn how_a_response_is_cut_makes_no_difference(
        text in responses(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let uncut = whole(&text);
        prop_assert!(matches!(uncut, Ok(Some(_))), "{uncut:?}");
        prop_assert_eq!(read(text.as_bytes(), &cuts, false), uncut);
    }

    #[test]
    fn garbage_is_an_answer_or_a_fault_and_never_more(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let _ = read(&bytes, &cuts, false);
    }

    #[test]
    fn a_response_with_one_byte_changed_never_panics(
        text in responses(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = read(&bytes, &cuts, false);
    }
}
