//! The bytes that pass through: a GET of some 900 bytes with a bearer token of 690, a POST of 500,
//! and an answer of some 500.

use serde_json::{Value, json};
use t8gate::http::head::HeadLimits;
use t8gate::limits::Limits;

/// The length of a bearer token, as authorization servers of operators make them.
pub const TOKEN_CHARACTERS: usize = 690;

const HOST: &str = crate::scene::HOST;
const RESOURCE: &str = "/3gpp-monitoring-event/v1/acme/subscriptions";

/// The head of a GET on one subscription.
pub fn get(token: &str) -> Vec<u8> {
    format!(
        "GET {RESOURCE}/5f2b7c0e-9d41-4a63 HTTP/1.1\r\n\
         Host: {HOST}\r\n\
         User-Agent: scs-application/4.2\r\n\
         Accept: application/json, application/problem+json\r\n\
         Accept-Encoding: gzip\r\n\
         Authorization: Bearer {token}\r\n\
         \r\n"
    )
    .into_bytes()
}

/// The head of a POST of 500 bytes.
pub fn post(token: &str) -> Vec<u8> {
    format!(
        "POST {RESOURCE} HTTP/1.1\r\n\
         Host: {HOST}\r\n\
         User-Agent: scs-application/4.2\r\n\
         Accept: application/json, application/problem+json\r\n\
         Accept-Encoding: gzip\r\n\
         Authorization: Bearer {token}\r\n\
         Content-Type: application/json\r\n\
         Content-Length: 500\r\n\
         \r\n"
    )
    .into_bytes()
}

/// Bytes of the SCEF's answer behind its head.
pub const ANSWER_BODY_BYTES: usize = 306;

/// The head of the SCEF's answer.
pub fn answer_head() -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\n\
         Server: scef/7.1\r\n\
         Date: Wed, 18 Nov 2026 11:06:40 GMT\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {ANSWER_BODY_BYTES}\r\n\
         Connection: keep-alive\r\n\
         Cache-Control: no-store\r\n\
         ETag: \"5f2b7c0e-17\"\r\n\
         \r\n"
    )
    .into_bytes()
}

/// The SCEF's answer: its head, and a body.
pub fn answer() -> Vec<u8> {
    let mut answer = answer_head();
    let links = format!("https://{HOST}{RESOURCE}/5f2b7c0e");
    let subscription = json!({
        "self": links,
        "externalId": "meter-000042@example.com",
        "monitoringType": "LOCATION_REPORTING",
        "notificationDestination": "https://as.acme.example/3gpp",
        "supportedFeatures": "3",
    });
    answer.extend_from_slice(&padded(subscription, ANSWER_BODY_BYTES));
    answer
}

/// The body of a POST of 500 bytes: a subscription to where a UE is.
pub fn subscription(msisdn: &str) -> Vec<u8> {
    let subscription = json!({
        "msisdn": msisdn,
        "monitoringType": "LOCATION_REPORTING",
        "maximumNumberOfReports": 100,
        "locationType": "CURRENT_LOCATION",
        "accuracy": "CGI_ECGI",
        "notificationDestination": "https://as.acme.example/3gpp/notifications",
        "supportedFeatures": "3",
    });
    padded(subscription, 500)
}

/// An object with a member more, so that it has this length.
fn padded(mut object: Value, bytes: usize) -> Vec<u8> {
    object["note"] = json!("");
    let missing = bytes - object.to_string().len();
    object["note"] = json!("x".repeat(missing));
    object.to_string().into_bytes()
}

/// The bounds a gateway has where its configuration says nothing.
pub fn head_limits() -> HeadLimits {
    let limits = Limits::default();
    HeadLimits {
        head_bytes_max: limits.head_bytes_max,
        target_bytes_max: limits.target_bytes_max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_sizes_that_are_said_of_them() {
        let token = "t".repeat(TOKEN_CHARACTERS);
        assert!((880..=930).contains(&get(&token).len()));
        assert!((880..=990).contains(&post(&token).len()));
        assert!((480..=530).contains(&answer().len()));
    }
}
