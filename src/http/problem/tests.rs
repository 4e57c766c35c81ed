use super::*;

const PROBLEM: Problem<'static> = Problem {
    status: 401,
    title: "Unauthorized",
    detail: "a \"quoted\" \\ and\ncontrol",
    cause: "TOKEN_EXPIRED",
    www_authenticate: Some("Bearer error=\"invalid_token\""),
    allow: Some("GET"),
    accept: Some("application/json"),
    accept_patch: Some("application/merge-patch+json"),
    retry_after_s: Some(3),
    request_id: "id\r\nX: y",
};

fn written(head_only: bool, close: bool) -> (String, String) {
    let mut out = b"before".to_vec();
    write_problem(&mut out, &PROBLEM, head_only, close);
    let text = String::from_utf8(out).expect("UTF-8");
    let text = text.strip_prefix("before").expect("kept");
    let (head, body) = text.split_once("\r\n\r\n").expect("a blank line");
    (head.to_owned(), body.to_owned())
}

//= RFC 9110 section 15.5.16 type=test
//# Accept says what would have been taken.
//= RFC 5789 section 2.2 type=test
//# Accept-Patch says it of a PATCH.
//= RFC 9457 section 3.1 type=test
//# The members are there and escaped.
#[test]
fn body_is_json_that_says_what_was_meant() {
    let (head, body) = written(false, false);
    let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(json["type"], "about:blank");
    assert_eq!(json["status"], 401);
    assert_eq!(json["detail"], PROBLEM.detail);
    assert_eq!(json["cause"], PROBLEM.cause);
    assert!(head.starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
    assert!(head.contains("\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\n"));
    assert!(head.contains("\r\nAllow: GET\r\nAccept: application/json\r\n"));
    assert!(head.contains("\r\nAccept-Patch: application/merge-patch+json\r\nRetry-After: 3"));
    assert!(head.contains("\r\nCache-Control: no-store\r\n"));
}

#[test]
fn answer_to_head_has_the_same_head_and_no_body() {
    let (head, body) = written(true, true);
    assert_eq!(body, "");
    assert_eq!(head, written(false, true).0);
    assert!(head.ends_with("\r\nConnection: close"));
}

#[test]
fn value_with_a_line_break_stays_on_its_line() {
    assert!(
        written(false, false)
            .0
            .contains("\r\nX-Request-Id: id  X: y\r\n")
    );
}
