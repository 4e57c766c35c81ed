//! Heads of requests, and what is said of a head.

use super::*;

type Field<'t> = (&'t str, &'t str);

/// What is found in a request's head, or it is let through with.
fn request(guard: &Guard, path: &str, query: &str, fields: &[Field]) -> Result<Option<Hit>, Hit> {
    let mut scratch = Scratch::default();
    let (path, query) = (path.as_bytes(), query.as_bytes());
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let lines = fields.clone().flat_map(|(name, value)| [name, value]);
    let parts: Vec<&[u8]> = [path, query].into_iter().chain(lines).collect();
    match guard.request_head(&parts, path, query, fields, &mut scratch) {
        Verdict::Clean => Ok(scratch.take_alarm()),
        Verdict::Hit(hit) => Err(hit),
    }
}

/// The same of an answer's.
fn answer(guard: &Guard, reason: &str, fields: &[Field]) -> Result<Option<Hit>, Hit> {
    let mut scratch = Scratch::default();
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let lines = fields
        .clone()
        .flat_map(|(name, value)| [name, b": ", value, b"\r\n"].concat());
    let raw: Vec<u8> = reason.bytes().chain(*b"\r\n").chain(lines).collect();
    match guard.head(&raw, reason.as_bytes(), fields, &mut scratch) {
        Verdict::Clean => Ok(scratch.take_alarm()),
        Verdict::Hit(hit) => Err(hit),
    }
}

#[test]
fn identities_in_the_head_of_a_request_are_found() {
    let shortest = URL_SAFE_NO_PAD.encode(tbcd("00101012345678"));
    assert_eq!(shortest.len(), packed::CHARACTERS_MIN);
    let words = URL_SAFE_NO_PAD.encode("is imsi-00101");
    let in_path = "/3gpp-nidd/v1/001010123456789";
    for (path, query, field, pointer) in [
        (in_path, "", ("accept", "*/*"), "path"),
        (in_path, "imsi-00101", ("x-id", "imsi-00101"), "path"),
        ("/x", "id=001%30%310123456789", ("accept", "*/*"), "query"),
        ("/x", "", ("x-id", "imsi-00101"), "header:x-id"),
        ("/x", "", ("x-id", &shortest), "header:x-id"),
        ("/x", "", ("x-id", &words), "header:x-id"),
        ("/x", "", ("imsi-00101", "y"), "header:*"),
    ] {
        let found = request(&GUARD, path, query, &[field]);
        let found = found.map_err(|hit| hit.pointer);
        assert_eq!(found, Err(pointer.to_owned()), "{path} {query} {field:?}");
    }
    let clean = [("accept", "application/json"), ("x-id", "5f2b7c0e-9d41")];
    assert_eq!(request(&GUARD, "/x", "id=447700900123", &clean), Ok(None));
}

#[test]
fn head_that_is_let_through_says_where_the_digits_stand() {
    let mut guard = guard_with(FieldKinds::default(), Some(&[IMSI]));
    guard.action = Action::Alarm;
    let nobodys = "001010000000007";
    let packed = format!("%31&id={}", URL_SAFE_NO_PAD.encode(nobodys));
    let server = [("server", "scef 001010000000007"), ("x-a", "b")];
    for (outcome, pointer) in [
        (answer(&guard, nobodys, &[("x-a", "b")]), "status"),
        (answer(&guard, "OK", &server), "header:server"),
        (request(&guard, "/x", "y", &server), "header:server"),
        (request(&guard, "/x", &packed, &server), "query"),
        (request(&guard, &packed, "y", &server), "path"),
    ] {
        let pointers = outcome.map(|alarm| alarm.map(|hit| hit.pointer));
        assert_eq!(pointers, Ok(Some(pointer.to_owned())));
    }
    // What is in a link may be chosen by somebody: nobody's digits are no matter there.
    assert_eq!(request(&guard, "/001010000000007", "", &[]), Ok(None));
}

/// Links are full of what could be base64: only from fields that nobody knows it is unpacked, and
/// a field beside them that has to be read makes no difference.
#[test]
fn field_is_judged_the_same_whatever_stands_beside_it() {
    let link = ("location", "/x?y=AAEBIUNlh/k=");
    let unread = ("server", "scef%31");
    assert_eq!(answer(&GUARD, "OK", &[link]), Ok(None));
    assert_eq!(answer(&GUARD, "OK", &[unread, link]), Ok(None));
    let found = answer(&GUARD, "OK", &[unread, ("x-link", link.1)]);
    assert!(found.is_err_and(|hit| hit.form == Form::Tbcd));
}

#[test]
fn name_of_a_header_field_is_shown_where_it_is_nobodys() {
    let long = "x-".repeat(16);
    let longer = format!("{long}x");
    for (name, shown) in [
        ("X-Subscriber", "x-subscriber"),
        ("3gpp-Sbi-Correlation-Info", "3gpp-sbi-correlation-info"),
        (&long, &long),
        (&longer, "*"),
        ("x-447700900123", "*"),
        ("x_a", "*"),
        ("x-3gpp-y", "*"),
    ] {
        let found = answer(&GUARD, "OK", &[(name, "imsi-00101")]);
        let pointer = found.map_err(|hit| hit.pointer);
        assert_eq!(pointer, Err(format!("header:{shown}")), "{name}");
    }
}

#[test]
fn what_stands_for_a_header_field_is_of_its_grammar() {
    let guard = guard();
    for (name, instead) in [
        ("Location", "https://redacted.invalid/"),
        ("Content-Length", "0"),
        ("X-Subscriber", "redacted"),
    ] {
        assert_eq!(guard.redacted_field(name.as_bytes()), instead.as_bytes());
    }
}

#[test]
fn numbers_are_read_as_they_are_written() {
    for number in [
        "99907012345678",
        "-99907012345678",
        "999070123456789.5",
        "-999070123456789.25",
        "99907012345678e0",
        "-9.9907012345678E13",
        "9.99070123456789e+14",
        "-0.999070123456789e15",
        "0.000999070123456789e18",
        "9990701234567890e-1",
        "00000000000000000.99907012345678e14",
    ] {
        let found = hit(&format!(r#"{{"vendor":[{number}]}}"#));
        let pointer = found.map(|(pointer, ..)| pointer);
        assert_eq!(pointer.as_deref(), Some("/*/0"), "{number}");
        assert_eq!(hit(&format!(r#"{{"downlinkVolume":{number}}}"#)), None);
    }
    for number in [
        "0.99907012345678",
        "9990701234567",
        "99907012345678e1e1",
        "99907012345678e4",
        "9.9907012345678e12",
        "9.9907012345678e18",
        "9.9907012345678e-13",
        "9.9907012345678e9999999999999999999",
    ] {
        assert_eq!(hit(&format!(r#"{{"vendor":{number}}}"#)), None, "{number}");
    }
}
