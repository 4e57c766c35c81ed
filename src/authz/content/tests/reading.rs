//! What is no JSON that all parsers read alike.

use super::*;

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "{\"a\":1,}",
        "{'a':1}",
        "{a:1}",
        "{\"a\"}",
        "nul",
        "NaN",
        "Infinity",
        "-",
        "+1",
        "01",
        "1.",
        ".5",
        "1e",
        "0x1",
        "1e999",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"a\nb\"",
        "\"a\0b\"",
        "//\n1",
        "/**/1",
        "\u{a0}1",
        "1\u{c}",
    ] {
        assert_eq!(refused(text), Some(Fault::Malformed), "{text:?}");
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    for text in ["{}{}", "{} x", "{}\0", "{},", "1 2", "{}\u{feff}"] {
        assert_eq!(refused(text), Some(Fault::Malformed), "{text:?}");
    }
    assert_eq!(refused(" \t\r\n{} \t\r\n"), None);
}

#[test]
fn a_byte_order_mark_is_refused() {
    assert_eq!(refused("\u{feff}{}"), Some(Fault::Malformed));
    let wide: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let read = read(&wide, NOTHING, Origin::Request);
    assert_eq!(read.err(), Some(Fault::Malformed));
}

#[test]
fn what_is_not_utf8_is_refused_in_names_and_in_texts() {
    for body in [
        &b"{\"a\":\"\xff\"}"[..],
        b"{\"\xff\":1}",
        b"{\"a\":\"\xc0\xaf\"}",
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xf4\x90\x80\x80\"}",
    ] {
        let read = read(body, NOTHING, Origin::Request);
        assert_eq!(read.err(), Some(Fault::Malformed), "{body:?}");
    }
}

#[test]
fn lone_surrogates_are_refused() {
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\ud800x""#,
        r#"{"\ud800":1}"#,
        r#"{"a":[{"b":"\udfff"}]}"#,
    ] {
        assert_eq!(refused(text), Some(Fault::Malformed), "{text}");
    }
    assert_eq!(refused(r#""\ud83d\ude00""#), None);
    let link = r#"{"notificationDestination":"https://as.example/\ud800"}"#;
    assert_eq!(fault(SUBSCRIPTIONS, link), Some(Fault::Malformed));
}

//= RFC 8259 section 4 type=test
//# A name that stands twice is refused, however it is spelt and however deep.
#[test]
fn a_member_that_stands_twice_is_refused_at_every_depth() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"":1,"":2}"#,
        r#"{"a":1,"b":2,"\u0061":3}"#,
        r#"{"\u0061":1,"\u0061":2}"#,
        r#"{"o":{"a":1,"b":{"c":1,"d":2,"c":3}}}"#,
        r#"[[{"l":[1,{"a":1,"a":2}]}]]"#,
        r#"{"a":{"a":{"a":1}},"b":1,"a":2}"#,
    ] {
        assert_eq!(refused(text), Some(Fault::DuplicateMember), "{text}");
    }
    let many: Vec<String> = (0..300).map(|name| format!("\"m{name}\":0")).collect();
    assert_eq!(refused(&format!("{{{}}}", many.join(","))), None);
    let twice = format!("{{{},\"m7\":1}}", many.join(","));
    assert_eq!(refused(&twice), Some(Fault::DuplicateMember));
}

#[test]
fn one_name_in_two_objects_is_no_duplicate() {
    assert_eq!(
        refused(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#),
        None
    );
}

#[test]
fn an_identity_that_stands_twice_is_refused() {
    let twice = r#"{"msisdn":"999010000000001","msisdn":"999010000000002"}"#;
    assert_eq!(fault(SUBSCRIPTIONS, twice), Some(Fault::DuplicateMember));
    let spelt = r#"{"msisdn":"999010000000001","\u006dsisdn":"999010000000002"}"#;
    assert_eq!(fault(SUBSCRIPTIONS, spelt), Some(Fault::DuplicateMember));
}

#[test]
fn a_name_that_some_parsers_take_for_a_known_one_is_refused() {
    for body in [
        r#"{"MSISDN":"999010000000001"}"#,
        r#"{"Msisdn":null}"#,
        r#"{"msisdn":"999010000000001","msiSdn":"999010000000002"}"#,
        "{\"m\u{17f}isdn\":\"999010000000001\"}",
        r#"{"m\u017fisdn":"999010000000001"}"#,
        "{\"ms\u{131}sdn\":\"999010000000001\"}",
        "{\"MS\u{130}SDN\":\"999010000000001\"}",
        r#"{"ueIpAddr":{"IPv4Addr":"10.0.0.1"}}"#,
        r#"{"monitoringEventReport":{"ExternalId":"a@example.com"}}"#,
        r#"{"NotificationDestination":"https://as.example/"}"#,
    ] {
        assert_eq!(fault(SUBSCRIPTIONS, body), Some(Fault::Lookalike), "{body}");
    }
    let folded = "{\"web\u{17f}oc\u{212a}NotifConfig\":{}}";
    assert_eq!(fault(SUBSCRIPTIONS, folded), Some(Fault::Lookalike));
}

#[test]
fn names_that_no_parser_takes_for_a_known_one_are_passed_over() {
    for body in [
        r#"{"vendorSpecific-000001":{"msisdn":"x","MSISDN":"y"}}"#,
        r#"{"msisdn ":"x","msisdns":"x","msisd\u00f1":"x","":"x"}"#,
    ] {
        assert_about(SUBSCRIPTIONS, body, &[]);
    }
}

#[test]
fn a_text_or_a_name_with_a_nul_is_refused() {
    for text in [
        r#""a\u0000""#,
        r#"{"msisdn\u0000x":1}"#,
        r#"{"a":["\u0000"]}"#,
    ] {
        assert_eq!(refused(text), Some(Fault::Nul), "{text}");
    }
    let link = r#"{"notificationDestination":"https://as.example/\u0000"}"#;
    assert_eq!(fault(SUBSCRIPTIONS, link), Some(Fault::Nul));
}

#[test]
fn a_member_that_a_parser_takes_for_its_own_is_refused_whosever_words_they_are() {
    for text in [
        r#"{"$serde_json::private::RawValue":"{\"msisdn\":\"999010000000001\"}"}"#,
        r#"{"$serde_json::private::Number":"1"}"#,
        r#"{"a":[{"\u0024serde_json::private::RawValue":"1"}]}"#,
        r#"{"a":1,"$serde_json::private::":{}}"#,
    ] {
        for origin in [Origin::Request, Origin::MergePatch, Origin::Representation] {
            let read = read(text.as_bytes(), NOTHING, origin);
            assert_eq!(read.err(), Some(Fault::Reserved), "{text}");
        }
        let list = format!("[{text}]");
        let filtered = filter(
            list.as_bytes(),
            action(SUBSCRIPTIONS, Verb::Get).gives,
            |_| true,
        );
        assert_eq!(filtered.map(|list| list.unreadable).ok(), Some(1));
    }
    assert_eq!(
        refused(r#"{"$serde_json::":1,"serde_json::private::RawValue":"1"}"#),
        None
    );
}

#[test]
fn depth_is_bounded() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert_eq!(refused(&nested(DEPTH_MAX)), None);
        assert_eq!(refused(&nested(DEPTH_MAX + 1)), Some(Fault::TooDeep));
        assert_eq!(refused(&nested(100_000)), Some(Fault::TooDeep));
    }
}

#[test]
fn the_number_of_values_is_bounded() {
    // The array is one as well.
    let list = |count: usize| format!("[{}]", vec!["0"; count].join(","));
    assert_eq!(refused(&list(VALUES_MAX - 1)), None);
    assert_eq!(refused(&list(VALUES_MAX)), Some(Fault::TooMany));
}
