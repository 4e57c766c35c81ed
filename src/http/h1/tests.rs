use std::mem::MaybeUninit;

use super::*;
use crate::http::head::{self, HeadLimits, Method, Slots};
use crate::limits::FIELDS_MAX;

fn answered(upstream: &str, method: Method, close: bool) -> String {
    let mut slots: Slots<'_> = [MaybeUninit::uninit(); FIELDS_MAX];
    let head = head::response(upstream.as_bytes(), &mut slots, method).expect("valid");
    let mut out = Vec::new();
    write_response_head(
        &mut out,
        &head,
        ResponseFraming::relaying(&head),
        close,
        b"X-Request-Id: 7\r\n",
    );
    String::from_utf8(out).expect("ASCII")
}

#[test]
fn request_goes_upstream_in_origin_form_with_our_framing() {
    let limits = HeadLimits {
        head_bytes_max: 4_096,
        target_bytes_max: 256,
    };
    let mut slots: Slots<'_> = [MaybeUninit::uninit(); FIELDS_MAX];
    let text = b"PUT https://scef/a?b HTTP/1.1\r\nhost: scef\r\nAuthorization: Bearer x\r\n\
        Accept: c\r\nExpect: 100-continue\r\ncontent-length: 12\r\n\r\n";
    let head = head::request(text, &mut slots, &limits).expect("valid");
    let mut out = Vec::new();
    write_request_head(&mut out, &head, b"X-SCS-AS-Id: one\r\n");
    end_request_head(&mut out, Some(11));
    // What follows has been read: it is as long as it is, and nobody waits to be asked for it.
    let wanted = "PUT /a?b HTTP/1.1\r\nHost: scef\r\nAccept: c\r\nX-SCS-AS-Id: one\r\n\
        Content-Length: 11\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&out), wanted);
}

#[test]
fn response_of_an_old_server_is_chunked_towards_the_client() {
    assert_eq!(
        answered(
            "HTTP/1.0 200 Fine\r\nServer: s\r\nX-Request-Id: 1\r\n\r\n",
            Method::Get,
            true
        ),
        "HTTP/1.1 200 Fine\r\nServer: s\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\
         X-Request-Id: 7\r\n\r\n"
    );
}

//= RFC 9110 section 8.6 type=test
//# A 204 carries no length, an answer to HEAD keeps it.
#[test]
fn declared_length_is_kept_for_head_and_left_out_of_204() {
    let head = answered(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        Method::Head,
        false,
    );
    assert!(head.contains("\r\nContent-Length: 9\r\n"));
    let empty = answered(
        "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n",
        Method::Get,
        false,
    );
    assert!(!empty.contains("Content-Length"));
}

#[test]
fn numbers_are_written_as_the_standard_library_does() {
    for number in [0, 7, 10, 255, 4_096, u64::MAX] {
        let (mut decimal, mut hex) = (Vec::new(), Vec::new());
        write_number::<10>(&mut decimal, number);
        write_number::<16>(&mut hex, number);
        assert_eq!(decimal, number.to_string().into_bytes());
        assert_eq!(hex, format!("{number:x}").into_bytes());
    }
}

#[test]
fn written_head_is_changed_to_that_of_another_body_and_nothing_behind_it() {
    let fields = "X: Content-Length: 7\r\nETag: \"5\"\r\nContent-Length: 9\r\n";
    let plain = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    let digests = "Digest: SHA-256=\r\ncontent-digest: a\r\nREPR-DIGEST: b\r\nContent-MD5: c\r\n";
    let with_digests = plain.replace("X:", &format!("{digests}X:"));
    let plain = answered(&plain, Method::Get, false);
    let mut out = answered(&with_digests, Method::Get, false).into_bytes();
    let head_bytes = out.len();
    let body = "\r\nContent-Length: 9\r\nDigest: body\r\n";
    out.extend_from_slice(body.as_bytes());
    let described = |became| {
        let mut out = out.clone();
        describe_anew(&mut out, head_bytes, 10_000, became);
        String::from_utf8(out).unwrap()
    };
    let wanted = plain.replace("\r\nContent-Length: 9", "\r\nContent-Length: 10000");
    assert_eq!(described(Became::Reworded), format!("{wanted}{body}"));
    //= RFC 9110 section 8.8.3 type=test
    //# One that was made of what was taken out goes with it.
    let wanted = wanted.replace("ETag: \"5\"\r\n", "");
    assert_eq!(described(Became::Redacted), wanted + body);
    let mut none = b"HTTP/1.1 204 No\r\n\r\n".to_vec();
    describe_anew(&mut none, 19, 7, Became::Redacted);
    assert_eq!(none, b"HTTP/1.1 204 No\r\n\r\n");
}
