use super::*;
use crate::authz::apis::{self, Verb};
use crate::authz::ue::{self, UeId};

fn shape() -> Shape {
    let path = "/3gpp-monitoring-event/v1/as/subscriptions";
    let operation = apis::operation(path, Some(Verb::Get), Cow::Borrowed);
    operation.unwrap().action.gives
}

const A: &str = r#"{ "msisdn":"999010000000001" ,"x":1.0}"#;
const B: &str = r#"{"msisdn":"999010000000002","self":"https:\/\/scef.example\/2"}"#;

/// Those about the first alone.
fn filtered(text: &str) -> Result<Filtered<'_>, Fault> {
    let first = UeId::read(ue::Kind::Msisdn, "999010000000001", None).unwrap();
    filter(text.as_bytes(), shape(), |about| about.ues() == [first])
}

fn assert_filtered(text: &str, expected: &str, counts: [usize; 3]) {
    let Filtered {
        body,
        kept,
        left_out,
        unreadable,
    } = filtered(text).unwrap();
    assert_eq!(str::from_utf8(&body), Ok(expected));
    assert_eq!([kept, left_out, unreadable], counts, "{text}");
}

#[test]
fn elements_are_kept_as_they_were() {
    assert_filtered(
        &format!("[{A},{B}, {A}\n]"),
        &format!("[{A},{A}]"),
        [2, 1, 0],
    );
    assert_filtered(&format!("[{B}]"), "[]", [0, 1, 0]);
    assert_filtered(&format!("[{B},{A}]"), &format!("[{A}]"), [1, 1, 0]);
}

#[test]
fn a_list_of_which_nothing_is_left_out_is_as_it_was() {
    for text in [
        format!(" [ {A} ,\t{A} ] "),
        "[]".to_owned(),
        "[ ]\n".to_owned(),
    ] {
        let filtered = filtered(&text).unwrap();
        assert!(matches!(filtered.body, Cow::Borrowed(_)));
        assert_eq!(*filtered.body, *text.as_bytes());
        assert_eq!(filtered.left_out, 0);
    }
}

#[test]
fn what_names_several_is_kept_by_all_of_them() {
    let both = r#"{"msisdn":"999010000000001","addedMsisdns":["999010000000002"]}"#;
    assert_filtered(&format!("[{both},{A}]"), &format!("[{A}]"), [1, 1, 0]);
}

#[test]
fn an_element_that_cannot_be_read_is_left_out() {
    for element in [
        r#"{"msisdn":"1"}"#,
        r#"{"msisdn":1}"#,
        r#"{"msisdn":"999010000000001","msisdn":"999010000000002"}"#,
        r#"{"msisdn":"999010000000001","MSISDN":"999010000000002"}"#,
        r#"{"msisdn":"999010000000001","x":"\ud800"}"#,
        r#"{"msisdn":"999010000000001","x":"\u0000"}"#,
        "\"999010000000001\"",
        "1",
        "[]",
    ] {
        let text = format!("[{element},{A}]");
        assert_filtered(&text, &format!("[{A}]"), [1, 1, 1]);
    }
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let deep = format!(r#"[{{"msisdn":"999010000000001","x":{deep}}}]"#);
    assert_filtered(&deep, "[]", [0, 1, 1]);
}

#[test]
fn what_is_no_list_is_refused() {
    for text in ["{}", "null", "1", A] {
        assert_eq!(filtered(text).err(), Some(Fault::WrongType), "{text}");
    }
    for text in ["", "[", "[1", "[1,]", "[]]", "[] x", "[1 2]", "\u{feff}[]"] {
        assert_eq!(filtered(text).err(), Some(Fault::Malformed), "{text}");
    }
    let read = filter(b"[\"\xff\"]", shape(), |_| true);
    assert_eq!(read.err(), Some(Fault::Malformed));
    let read = filter(b"[]", crate::authz::apis::shape::NOTHING, |_| true);
    assert_eq!(read.err(), Some(Fault::WrongType));
}
