use std::mem::MaybeUninit;

use super::*;
use crate::authz::apis::{self, MediaType};
use crate::http::head::{self, HeadLimits};
use crate::limits::FIELDS_MAX;

const LIST: &str = "/3gpp-monitoring-event/v1/a/subscriptions";
const ONE: &str = "/3gpp-monitoring-event/v1/a/subscriptions/7";

/// What becomes of a request with these field lines, each with its end, as far as its head says
/// whether both sides can read each other.
fn said(method: &str, path: &str, fields: &str) -> Result<(), Denial> {
    let bytes = format!("{method} {path} HTTP/1.1\r\nHost: t8.example\r\n{fields}\r\n");
    let limits = HeadLimits {
        head_bytes_max: 4_096,
        target_bytes_max: 1_024,
    };
    let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let head = head::request(bytes.as_bytes(), &mut slots, &limits).expect("a good head");
    let operation = apis::operation(head.path, verb(head.method), path::decode);
    understood(&head, operation.expect("an operation of T8").action)
}

const LENGTH: &str = "Content-Length: 2\r\n";

fn typed(media: &str) -> String {
    format!("Content-Type: {media}\r\n{LENGTH}")
}

//= TS 29.122 clause 5.2.3 type=test
//# What a body is written in is JSON, and of a PATCH what its API says.
#[test]
fn a_body_is_of_the_media_type_of_its_operation() {
    let (json, merge, patch) = (MediaType::Json, MediaType::MergePatch, MediaType::JsonPatch);
    let triggering = "/3gpp-device-triggering/v1/a/transactions/1";
    let bdt = "/3gpp-bdt/v1/a/subscriptions/1";
    for (method, path, wanted) in [
        ("POST", LIST, json),
        ("PUT", ONE, json),
        ("PATCH", ONE, patch),
        ("PATCH", triggering, json),
        ("PATCH", bdt, merge),
        ("POST", "/3gpp-ecr-control/v1/query", json),
        ("POST", "/3gpp-ueid/v1/retrieve", json),
    ] {
        for media in [json, merge, patch] {
            let expected = match media == wanted {
                true => Ok(()),
                false => Err(Denial::MediaTypeUnsupported(verb_of(method), wanted)),
            };
            let sent = said(method, path, &typed(media.name()));
            assert_eq!(sent, expected, "{method} {path} {media:?}");
        }
        let without = said(method, path, LENGTH);
        assert!(
            matches!(without, Err(Denial::MediaTypeUnsupported(..))),
            "{method} {path} without a Content-Type: {without:?}"
        );
    }
}

fn verb_of(method: &str) -> Verb {
    match method {
        "POST" => Verb::Post,
        "PUT" => Verb::Put,
        _ => Verb::Patch,
    }
}

#[test]
fn a_body_that_is_demanded_is_asked_for() {
    let json = "Content-Type: application/json\r\n";
    assert_eq!(said("POST", LIST, json), Err(Denial::LengthMissing));
    let empty = format!("{json}Content-Length: 0\r\n");
    assert_eq!(said("POST", LIST, &empty), Err(Denial::BodyMissing));
    let chunked = format!("{json}Transfer-Encoding: chunked\r\n");
    assert_eq!(said("POST", LIST, &chunked), Ok(()));
    // It is told before what its type should be.
    assert_eq!(said("PUT", ONE, ""), Err(Denial::LengthMissing));
}

#[test]
fn a_request_without_a_body_needs_no_type() {
    for method in ["GET", "HEAD", "DELETE"] {
        assert_eq!(said(method, ONE, ""), Ok(()), "{method}");
    }
}

//= RFC 9110 section 15.5.7 type=test
//# None of what there is to answer with is acceptable: 406.
#[test]
fn who_takes_no_json_is_refused_whatever_the_method() {
    let body = typed("application/json");
    for (method, path, fields) in [
        ("GET", LIST, ""),
        ("HEAD", LIST, ""),
        ("DELETE", ONE, ""),
        ("POST", LIST, body.as_str()),
        // Also where more is wrong.
        ("PUT", ONE, ""),
    ] {
        let with = |accept: &str| said(method, path, &format!("Accept: {accept}\r\n{fields}"));
        let refused = Err(Denial::NotAcceptable);
        assert_eq!(with("text/html"), refused, "{method}");
        assert_eq!(with("application/json;q=0"), refused, "{method}");
        assert_eq!(with("*/*;q=0\r\nAccept: text/*"), refused, "{method}");
        for accept in [
            "*/*",
            "application/problem+json",
            "text/html\r\nX: y\r\nAccept: application/*",
        ] {
            assert_ne!(with(accept), refused, "{method} {accept}");
        }
    }
}
