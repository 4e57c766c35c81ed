//! Members that break their grammar, or whose names are written otherwise; and what is rewritten.

use super::super::grammar::is_time;
use super::*;

/// Of no known subscribers: digits are found where no others' may stand.
#[test]
fn field_that_breaks_its_grammar_is_searched_whoever_is_known() {
    let unknown = guard_with(FieldKinds::default(), Some(&["001010000000001"]));
    for body in [
        r#"{"msisdn":"0001010123456789"}"#,
        r#"{"msisdn":"00101 012345678"}"#,
        r#"{"gpsi":"msisdn-00101 012345678"}"#,
        r#"{"gpsi":"msisdn-0001010123456789"}"#,
        r#"{"gpsi":"extid-001010123456789"}"#,
        r#"{"gpsi":"extid-001010123456789@a@b"}"#,
        r#"{"externalId":"001010123456789"}"#,
        r#"{"externalId":"001010123456789@a@b"}"#,
        r#"{"imeiTacs":["001010123456789"]}"#,
        r#"{"startTime":"Tel: 001010123456789"}"#,
        r#"{"startTime":"T:001010123456789"}"#,
        r#"{"startTime":"at:001010123456789"}"#,
        r#"{"startTime":"T 001010123456789"}"#,
        r#"{"startTime":"2026-11-18T11:06:001010123456789"}"#,
        r#"{"startTime":"2026-11-18T11:06:40.5Z, 001010123456789"}"#,
        r#"{"startTime":"2026-11-18T001010123456789"}"#,
        r#"{"startTime":"2026-11-18T11:06:40.00101012345678Z"}"#,
        r#"{"startTime":"2026-11-18t11:06:40.00101012345678+01:00"}"#,
        r#"{"eventTime":"2026-01-01T00:00:00Z001010123456789"}"#,
        r#"{"eventTime":"2026-01-01T00:00:00+001010123456789"}"#,
        r#"{"eventTime":"2026-01-01T00:00:00Z-001010123456789:999070123456789"}"#,
        r#"{"cellId":"001010123456789-999070123456789"}"#,
        r#"{"msisdn":"00101\u007f0123456789"}"#,
        r#"{"supportedFeatures":"00101\b0123456789"}"#,
        "{\"cellId\":\"00101\u{7f}0123456789\"}",
    ] {
        let tier = judged(&unknown, body).map(|hit| hit.tier);
        assert_eq!(tier, Some(Tier::Digits), "{body}");
    }
    for body in [
        r#"{"startTime":"2026-11-18T00:10:10.123456789Z"}"#,
        r#"{"x":"2026-11-18T00:10:10.123456789Z"}"#,
        r#"{"supportedFeatures":"00010121436587f9"}"#,
        r#"{"startTime":"2026-11-18T11:06:40.001010123Z"}"#,
        r#"{"startTime":"2026-11-18t11:06:40.5+01:00"}"#,
        r#"{"startTime":"2026-11-18T11:06:40"}"#,
        r#"{"cellId":"001-01-0a1b2c3d4e"}"#,
    ] {
        assert_eq!(hit(body), None, "{body}");
    }
    let is_time = |text: &str| is_time(text.as_bytes());
    assert!(is_time("2026-11-18T11:06:40Z") && is_time("2026-11-18t11:06:40.123456789-01:30"));
    for text in [
        "2026-11-18T11:06:4",
        "2026-11-18T11:06:40.Z",
        "2026-11-18T11:06:40.1234567890Z",
        "2026-11-18T11:06:40Zx",
        "2026-11-18T11:06:40+1:00",
        "2026-11-18 11:06:40Z",
        "2026-11-18T11-06:40Z",
    ] {
        assert!(!is_time(text), "{text}");
    }
}

#[test]
fn name_of_a_member_is_known_with_its_escapes_undone() {
    assert_eq!(hit(r#"{"m\u0073isdn":"999070123456789"}"#), None);
    let supi = hit(r#"{"s\u0075pi":"x"}"#);
    assert_eq!(supi.map(|(_, form, _)| form), Some(Form::Member));
}

#[test]
fn hit_says_what_was_found_and_where() {
    let found = judged(&GUARD, r#"{"title":["001010123456789"]}"#).unwrap();
    let pseudonym = key().pseudonym(IdentityKind::Imsi, IMSI.as_bytes());
    assert_eq!(
        found.to_string(),
        format!("imsi (digits) at /title/0: {pseudonym}")
    );
}

#[test]
fn body_is_rewritten_only_where_that_is_what_is_to_be_done() {
    let mut scratch = Scratch::default();
    let mut cleared = |action: Action, body: &str| {
        let mut guard = guard();
        guard.action = action;
        let mut octets = body.as_bytes().to_vec();
        let outcome = guard.clear(Media::Json, &mut octets, &mut scratch);
        let outcome = outcome.map(|hit| hit.map(|hit| hit.pointer));
        let outcome = outcome.map_err(|hit| hit.pointer);
        (outcome, String::from_utf8(octets).unwrap())
    };
    let body = r#"{"a":1,"title":"001010123456789"}"#;
    let at_title = || "/title".to_owned();
    for action in [Action::Block, Action::Alarm] {
        assert_eq!(cleared(action, body), (Err(at_title()), body.to_owned()));
    }
    let redacted = r#"{"a":1,"title":"redacted"}"#.to_owned();
    assert_eq!(
        cleared(Action::Redact, body),
        (Ok(Some(at_title())), redacted)
    );
    let clean = r#"{"a":1}"#;
    assert_eq!(cleared(Action::Redact, clean), (Ok(None), clean.to_owned()));
    let name = r#"{"001010123456789":1}"#;
    assert_eq!(
        cleared(Action::Redact, name),
        (Err("/*".to_owned()), name.to_owned())
    );
}

#[test]
fn name_that_is_no_apis_has_no_fields_grammar() {
    let body = r#"{"m%73isdn":"447700900123","url":"https://api.gci-net.example/n"}"#;
    assert_eq!(hit(body), None);
    assert!(hit(r#"{"m%73isdn":"999070123456789"}"#).is_some());
}

#[test]
fn members_that_a_patch_leads_through_are_held_to_their_names() {
    let guard = guard();
    for pointer in [
        "/supi",
        "/x/0/gli",
        "/a/ueImsis/0",
        "/s%75pi",
        "/su\u{200b}pi",
        "supi",
    ] {
        let found = guard.pointed_at(["/externalId", pointer]).unwrap();
        let said = (found.pointer.as_str(), found.form, found.tier);
        assert_eq!(said, ("/*/path", Form::Member, Tier::Explicit), "{pointer}");
    }
    let clean = [
        "",
        "/",
        "/externalId",
        "/supix/0",
        "/maximumNumberOfReports",
    ];
    assert_eq!(guard.pointed_at(clean), None);
}
