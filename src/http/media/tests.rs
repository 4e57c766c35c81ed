use super::*;

fn takes(values: &[&str]) -> bool {
    accepts_json(values.iter().map(|value| value.as_bytes()))
}

//= RFC 9110 section 12.5.1 type=test
//# The most specific range decides; without one all is taken; q=0 refuses.
#[test]
fn an_accept_is_read_as_rfc_9110_says() {
    for value in [
        "*/*",
        "application/json",
        "application/problem+json",
        "Application/JSON",
        "application/*",
        "text/html, application/json",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/json;q=0.001",
        "application/json;q=1.000",
        "application/json ; q=1.",
        "application/json;charset=utf-8",
        "application/json;profile=\"a,b;q=0\"",
        "application/json;q=0, application/problem+json",
        "application/json, */*;q=0",
        "*/*;q=0, application/*;q=0.5",
        "application/json;version=2;q=0, */*",
        ", , application/json ,",
        "",
        " , ",
    ] {
        assert!(takes(&[value]), "{value:?}");
    }
    for value in [
        "text/html",
        "application/xml",
        "application/jsonp",
        "json",
        "application/json/x",
        "*/json",
        "*",
        "text/*",
        "application/json;q=0",
        "application/json;q=0.000",
        "*/*;q=0",
        "application/*;q=0",
        "application/*;q=0, */*",
        "application/json;q=0, application/problem+json;q=0, */*",
        "*/*;Q=0",
        "application/json;q=2",
        "application/json;q=0.0001",
        "application/json;q=-1",
        "application/json;q=1.5",
        "application/json;q",
        "application/json;=1",
        "application/json;a=b c",
        "application/json;a=\"b",
        "text/plain;a=\", application/json\"",
        "application /json",
    ] {
        assert!(!takes(&[value]), "{value:?}");
    }
}

#[test]
fn several_accept_fields_are_one_list() {
    assert!(takes(&["text/html", "application/json"]));
    assert!(takes(&["application/json", "text/html"]));
    assert!(takes(&["", "*/*"]));
    assert!(!takes(&["*/*", "application/*;q=0"]));
    assert!(!takes(&["text/html", "text/plain"]));
    assert!(takes(&[]), "no field at all");
}

//= RFC 8259 section 8.1 type=test
//# A charset other than UTF-8 is none that JSON has.
//= RFC 9110 section 5.6.6 type=test
//# An empty parameter is passed over.
#[test]
fn a_content_type_is_its_name_and_no_other_charset() {
    for value in [
        "application/json",
        "Application/Json",
        "application/json;charset=utf-8",
        "application/json ; charset=UTF-8",
        "application/json; Charset=\"utf-8\"",
        "application/json; version=1; charset=utf-8",
        "application/json; a=\";charset=utf-16\"",
        "application/json;",
        "application/json; ; charset=utf-8",
    ] {
        assert!(is(value.as_bytes(), "application/json"), "{value:?}");
    }
    for value in [
        "",
        "application/jso",
        "application/jsonx",
        "application/json-patch+json",
        "application/json charset=utf-8",
        "application/json, application/json",
        "application/json; charset=utf-16",
        "application/json; charset=\"utf-16\"",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json; charset",
        "application/json; charset=",
        "application/json; =utf-8",
        "application/json; charset=\"utf-8",
        "application/json; charset=\"utf-8\\\"",
        "application/json; a=\"b\"c\"",
        "text/json",
    ] {
        assert!(!is(value.as_bytes(), "application/json"), "{value:?}");
    }
    assert!(is(
        b"application/merge-patch+json",
        "application/merge-patch+json"
    ));
}

//= RFC 9110 section 12.4.2 type=test
//# Three digits at most, and none above one.
#[test]
fn weights_are_those_of_rfc_9110() {
    for (text, weight) in [
        ("0", Some(false)),
        ("0.", Some(false)),
        ("0.000", Some(false)),
        ("0.001", Some(true)),
        ("1", Some(true)),
        ("1.000", Some(true)),
        ("1.001", None),
        ("0.0000", None),
        ("0.x", None),
        ("", None),
        (".5", None),
        ("2", None),
    ] {
        assert_eq!(weight_is_positive(text.as_bytes()), weight, "{text:?}");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_sent_is_read_to_its_end(
        value in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
        text in "[a-z*/;,=\"\\\\ q0.1]{0,40}",
    ) {
        let values = [value.as_slice(), text.as_bytes()];
        let both = accepts_json(values.into_iter());
        // Behind a refusal of all nothing but what names JSON brings it back.
        if both && !text.contains("json") && !text.contains('*') && value.is_empty() {
            proptest::prop_assert!(Elements(text.as_bytes()).next().is_none());
        }
        proptest::prop_assert!(!is(&value, "application/json") || value.len() >= 16);
    }
}
