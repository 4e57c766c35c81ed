use std::mem::MaybeUninit;

use super::*;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes_max: 4_096,
    target_bytes_max: 64,
};

/// What is asserted of a request, owned.
#[derive(Debug, PartialEq)]
struct Seen {
    path: String,
    query: Option<String>,
    kept: Vec<String>,
    body: BodyLength,
    keep_alive: bool,
    expect_continue: bool,
}

fn kept(fields: &[Header<'_>], dropped: u64) -> Vec<String> {
    let places = fields.iter().enumerate();
    let kept = places.filter(|(place, _)| dropped >> place & 1 == 0);
    kept.map(|(_, field)| field.name.to_owned()).collect()
}

fn read(head: &[u8]) -> Result<Seen, HeadFault> {
    let mut slots: Slots<'_> = [MaybeUninit::uninit(); FIELDS_MAX];
    request(head, &mut slots, &LIMITS).map(|head| Seen {
        path: head.path.to_owned(),
        query: head.query.map(str::to_owned),
        kept: kept(head.fields, head.dropped),
        body: head.body,
        keep_alive: head.keep_alive,
        expect_continue: head.expect_continue,
    })
}

fn target(target: &str) -> Result<Seen, HeadFault> {
    read(format!("GET {target} HTTP/1.1\r\nHost: scef\r\n\r\n").as_bytes())
}

fn with(lines: &str) -> Result<Seen, HeadFault> {
    read(format!("POST /a HTTP/1.1\r\nHost: scef\r\n{lines}\r\n\r\n").as_bytes())
}

fn fault(read: Result<Seen, HeadFault>) -> HeadFault {
    read.expect_err("refused")
}

macro_rules! refusals {
    ($($name:ident: $read:expr => $fault:expr;)+) => {
        $(#[test] fn $name() { assert_eq!(fault($read), HeadFault::from($fault)); })+
    };
}

//= RFC 9110 section 8.3 type=test
//# Two media types are refused, the same or not.
refusals! {
    bare_lf_after_the_request_line_is_refused:
        read(b"GET /a HTTP/1.1\nHost: scef\r\n\r\n") => Malformed::LineEnding;
    bare_lf_after_a_field_is_refused: with("A: b\nC: d") => Malformed::LineEnding;
    bare_lf_blank_line_is_refused:
        read(b"GET /a HTTP/1.1\r\nHost: scef\n\n") => Malformed::LineEnding;
    bare_cr_in_a_value_is_refused: with("A: b\rC: d") => Malformed::FieldValue;
    folded_field_is_refused: with("A: b\r\n c") => Malformed::FieldName;
    blank_before_colon_is_refused: with("A : b") => Malformed::FieldName;
    empty_field_name_is_refused: with(": b") => Malformed::FieldName;
    non_ascii_field_name_is_refused: with("\u{e4}: b") => Malformed::FieldName;
    nul_in_a_value_is_refused: with("A: b\0c") => Malformed::FieldValue;
    control_in_a_value_is_refused: with("A: b\u{1}c") => Malformed::FieldValue;
    del_in_a_value_is_refused: with("A: b\u{7f}c") => Malformed::FieldValue;
    two_empty_lines_first_are_refused:
        read(b"\r\n\r\nGET /a HTTP/1.1\r\nHost: scef\r\n\r\n") => Malformed::BlankLines;
    double_space_in_the_request_line_is_refused:
        read(b"GET  /a HTTP/1.1\r\nHost: scef\r\n\r\n") => Malformed::RequestLine;
    request_line_without_version_is_refused:
        read(b"GET /a\r\nHost: scef\r\n\r\n") => Malformed::RequestLine;
    bytes_behind_the_blank_line_are_refused:
        read(b"GET /a HTTP/1.1\r\nHost: scef\r\n\r\nGET") => Malformed::HeadEnd;
    version_1_0_is_refused:
        read(b"GET /a HTTP/1.0\r\nHost: scef\r\n\r\n") => HeadFault::VersionUnsupported;
    version_2_0_is_refused: read(b"PRI * HTTP/2.0\r\n\r\n") => HeadFault::VersionUnsupported;
    missing_host_is_refused: read(b"GET /a HTTP/1.1\r\n\r\n") => Malformed::HostMissing;
    repeated_host_is_refused: with("Host: scef") => Malformed::HostRepeated;
    repeated_content_type_is_refused:
        with("Content-Type: application/json\r\nContent-Type: a/b") => Malformed::TypeRepeated;
    empty_host_is_refused: read(b"GET /a HTTP/1.1\r\nHost:\r\n\r\n") => Malformed::HostMalformed;
    host_with_a_bad_port_is_refused:
        read(b"GET /a HTTP/1.1\r\nHost: a:65536\r\n\r\n") => Malformed::HostMalformed;
    host_with_userinfo_is_refused:
        read(b"GET /a HTTP/1.1\r\nHost: a@b\r\n\r\n") => Malformed::HostMalformed;
    absolute_form_of_another_authority_is_refused:
        target("https://other/a") => Malformed::AuthorityDiffers;
    absolute_form_of_another_port_is_refused:
        target("https://scef:8443/a") => Malformed::AuthorityDiffers;
    absolute_form_of_http_is_refused: target("http://scef/a") => Malformed::TargetForm;
    absolute_form_with_userinfo_is_refused: target("https://u@scef/a") => Malformed::UserInfo;
    authority_form_is_refused: target("scef:443") => Malformed::TargetForm;
    asterisk_form_is_refused: target("*") => Malformed::TargetForm;
    fragment_is_refused: target("/a#b") => Malformed::Fragment;
    fragment_behind_a_query_is_refused: target("/a?b#c") => Malformed::Fragment;
    non_ascii_in_the_query_is_refused: target("/a?\u{e4}") => Malformed::TargetCharacter;
    non_ascii_in_the_path_is_refused:
        target("/\u{e4}") => HeadFault::Path(PathFault::CharacterRefused);
    control_in_the_target_is_refused: target("/a\u{1}") => Malformed::RequestLine;
    malformed_percent_in_the_query_is_refused: target("/a?b=%4") => Malformed::PercentEncoding;
    path_rules_hold_in_a_request: target("/a/../b") => HeadFault::Path(PathFault::DotSegment);
    expectation_of_something_else_is_refused:
        with("Expect: miracle") => HeadFault::ExpectationUnknown;
    repeated_expectation_is_refused:
        with("Expect: 100-continue\r\nExpect: 100-continue") => Malformed::ExpectRepeated;
    connection_naming_content_type_is_refused:
        with("Connection: Content-Type") => Malformed::ConnectionNominates;
    connection_naming_host_is_refused: with("Connection: host") => Malformed::ConnectionNominates;
    connection_naming_authorization_is_refused:
        with("Connection: close, Authorization") => Malformed::ConnectionNominates;
    connection_naming_content_length_is_refused:
        with("Connection: content-length") => Malformed::ConnectionNominates;
    connection_that_is_no_list_is_refused:
        with("Connection: a b") => Malformed::ConnectionMalformed;
}

//= RFC 9112 section 6.3 type=test
//# A message with both fields is refused.
#[test]
fn length_with_coding_is_refused() {
    let both = with("Content-Length: 5\r\nTransfer-Encoding: chunked");
    assert_eq!(fault(both), Malformed::LengthWithCoding.into());
}

//= RFC 9112 section 6.2 type=test
//# A length is decimal digits. No sign, list, padding or overflow.
#[test]
fn length_that_is_not_canonical_decimal_is_refused() {
    let values = [
        "",
        "+5",
        "-1",
        "0x5",
        "05",
        "00",
        "5, 5",
        "5 5",
        "5.0",
        "18446744073709551616",
        "5;",
    ];
    for value in values {
        let read = with(&format!("Content-Length: {value}"));
        assert_eq!(fault(read), Malformed::LengthMalformed.into(), "{value}");
    }
    let largest = with("Content-Length: 18446744073709551615").expect("fits");
    assert_eq!(largest.body, BodyLength::Length(u64::MAX));
}

#[test]
fn repeated_length_is_refused_even_if_equal() {
    let read = with("Content-Length: 5\r\ncontent-length: 5");
    assert_eq!(fault(read), Malformed::LengthRepeated.into());
}

//= RFC 9112 section 6.1 type=test
//# `chunked`, once, is the only coding there is here.
#[test]
fn coding_other_than_a_single_chunked_is_refused() {
    for value in [
        "gzip",
        "gzip, chunked",
        "chunked, chunked",
        "chunked;a=b",
        "",
        "xchunked",
    ] {
        let read = with(&format!("Transfer-Encoding: {value}"));
        assert_eq!(fault(read), Malformed::CodingUnsupported.into(), "{value}");
    }
    let twice = with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked");
    assert_eq!(fault(twice), Malformed::CodingRepeated.into());
    assert_eq!(
        with("Transfer-Encoding: CHUNKED").expect("is").body,
        BodyLength::Chunked
    );
}

//= RFC 9112 section 2.2 type=test
//# One empty line before the request line is skipped.
#[test]
fn one_empty_line_first_is_skipped() {
    assert!(read(b"\r\nGET /a HTTP/1.1\r\nHost: scef\r\n\r\n").is_ok());
}

//= RFC 9112 section 3.2 type=test
//# A request with one valid Host passes, in each of its shapes.
#[test]
fn host_may_be_name_or_address_with_port() {
    for host in [
        "scef",
        "scef:8443",
        "192.0.2.1",
        "[2001:db8::1]",
        "[::1]:443",
    ] {
        let head = format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert!(read(head.as_bytes()).is_ok(), "{host}");
    }
}

//= RFC 9112 section 3.2.2 type=test
//# The absolute form of the same authority is accepted.
#[test]
fn absolute_form_of_the_same_authority_is_read() {
    let seen = target("HTTPS://SCEF:443/a?b=c").expect("read");
    assert_eq!(
        (seen.path.as_str(), seen.query.as_deref()),
        ("/a", Some("b=c"))
    );
    assert_eq!(target("https://scef").expect("read").path, "/");
}

//= RFC 9110 section 7.6.1 type=test
//# What Connection names stays here, and so do fields of one hop and forged identities.
#[test]
fn only_end_to_end_fields_are_kept() {
    let seen = with(
        "Connection: X-Mine, keep-alive\r\nX-Mine: 1\r\nAccept: a\r\nX_Forwarded_For: b\r\n\
         Client-Cert: c\r\nAuthorization: Bearer x\r\nTE: trailers\r\nUpgrade: h2c\r\nVia: d",
    );
    let seen = seen.expect("read");
    assert_eq!(seen.kept, ["Accept", "Via"]);
    assert!(seen.keep_alive);
}

#[test]
fn connection_close_in_a_list_closes() {
    assert!(
        !with("Connection: keep-alive, CLOSE")
            .expect("read")
            .keep_alive
    );
}

//= RFC 9110 section 10.1.1 type=test
//# 100-continue in any case is understood; any other expectation is refused by name above.
#[test]
fn continue_is_expected_only_where_a_body_follows() {
    let chunked = with("Expect: 100-Continue\r\nTransfer-Encoding: chunked").expect("read");
    assert!(chunked.expect_continue);
    assert!(!with("Expect: 100-continue").expect("read").expect_continue);
}

#[test]
fn every_fault_has_its_status() {
    let fields = "A: b\r\n".repeat(FIELDS_MAX);
    assert_eq!(fault(with(fields.trim_end())).status(), 431);
    assert_eq!(
        fault(with(&format!("A: {}", "b".repeat(4_096)))).status(),
        431
    );
    assert_eq!(fault(target(&format!("/{}", "a".repeat(64)))).status(), 414);
    assert_eq!(
        fault(target(&format!("/{}", "a".repeat(5_000)))).status(),
        414
    );
    assert_eq!(fault(with("Expect: x")).status(), 417);
    assert_eq!(fault(target("*")).status(), 400);
    assert_eq!(fault(read(b"GET / HTTP/1.0\r\n\r\n")).status(), 505);
}

#[test]
fn unfinished_head_is_refused_as_soon_as_it_is_hopeless() {
    let refused = |bytes: &str| incomplete(bytes.as_bytes(), &LIMITS).map_err(HeadFault::status);
    assert_eq!(refused("GET /a HTTP/1.1\r\nHost: sc"), Ok(()));
    assert_eq!(refused(""), Ok(()));
    assert_eq!(refused("\r\nGE"), Ok(()));
    assert_eq!(refused(&format!("GET /{}", "a".repeat(63))), Ok(()));
    assert_eq!(refused(&format!("GET /{}", "a".repeat(64))), Err(414));
    assert_eq!(
        refused(&format!("GET /{} HTTP/1.1\r\nA", "a".repeat(64))),
        Err(414)
    );
    assert_eq!(
        refused(&format!("GET /a HTTP/1.1\r\nA: {}", "b".repeat(4_096))),
        Err(431)
    );
    assert_eq!(refused(&"A".repeat(4_096)), Err(431));
    assert_eq!(refused("GET /a HTTP/1.1\nHost"), Err(400));
    assert_eq!(refused("\u{16}\u{3}\u{1}"), Err(400));
}

fn answer(head: &str, method: Method) -> Result<(ResponseBody, bool, Option<u64>), HeadFault> {
    let mut slots: Slots<'_> = [MaybeUninit::uninit(); FIELDS_MAX];
    let head = response(head.as_bytes(), &mut slots, method)?;
    Ok((head.body, head.keep_alive, head.declared_length))
}

//= RFC 9112 section 6.3 type=test
//# Status and method come before the fields; then chunked, the length, the end.
#[test]
fn response_bodies_end_as_the_standard_says() {
    use ResponseBody::{Chunked, Length, None as Nothing, UntilClose};
    let of = |head: &str, method| answer(head, method).expect("read");
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(of(length, Method::Get), (Length(5), true, Some(5)));
    assert_eq!(of(length, Method::Head), (Nothing, true, Some(5)));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(of(chunked, Method::Get), (Chunked, true, None));
    assert_eq!(
        of("HTTP/1.1 200 \r\n\r\n", Method::Get),
        (UntilClose, false, None)
    );
    let unchanged = "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(of(unchanged, Method::Get), (Nothing, true, Some(9)));
    assert_eq!(
        of("HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n", Method::Put).0,
        Nothing
    );
    assert_eq!(of("HTTP/1.1 100 Continue\r\n\r\n", Method::Put).0, Nothing);
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(of(old, Method::Get), (Length(5), false, Some(5)));
}

#[test]
fn doubtful_responses_are_refused() {
    use Malformed::*;
    let cases = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
            LengthWithCoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5",
            LengthRepeated,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: +5", LengthMalformed),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
            CodingUnsupported,
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
            CodingMisplaced,
        ),
        (
            "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked",
            CodingMisplaced,
        ),
        ("HTTP/1.1 204 No\r\nContent-Length: 5", LengthMisplaced),
        ("HTTP/1.1 101 Switching", ProtocolSwitched),
        ("HTTP/1.1 099 Odd", StatusRange),
        ("HTTP/1.1 600 Odd", StatusRange),
        ("HTTP/1.1 200", StatusLine),
        ("\r\nHTTP/1.1 200 OK", StatusLine),
        ("HTTP/1.1 200 OK\nA: b", LineEnding),
        ("HTTP/1.1 200 OK\r\nA: b\nC: d", LineEnding),
        ("HTTP/1.1 200 OK\r\nA : b", FieldName),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c", FieldName),
        ("HTTP/1.1 200 OK\r\nA: \0", FieldValue),
        (
            "HTTP/1.1 200 OK\r\nConnection: content-type",
            ConnectionNominates,
        ),
    ];
    for (head, reason) in cases {
        let read = answer(&format!("{head}\r\n\r\n"), Method::Get);
        assert_eq!(read, Err(reason.into()), "{head}");
    }
}
