//! What the demo's SCEF answers.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json as object};

use super::apis::InvalidParam;

/// Why a request is not served, each with a status of TS 29.122.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    Invalid(Vec<InvalidParam>),
    /// The identity the gateway vouches for is not the path's.
    Foreign,
    NotFound,
    MethodNotAllowed(&'static str),
    LengthRequired,
    TooLarge,
    MediaType,
    /// No room for another resource.
    Full,
}

impl Fault {
    /// Status, title and cause.
    fn row(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Invalid(_) => (
                StatusCode::BAD_REQUEST,
                "The body is not what the API asks for",
                "MANDATORY_OR_INVALID_ATTRIBUTE",
            ),
            Self::Foreign => (
                StatusCode::FORBIDDEN,
                "The gateway vouches for another SCS/AS",
                "IDENTITY_MISMATCH",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "No such resource",
                "RESOURCE_UNKNOWN",
            ),
            Self::MethodNotAllowed(_) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "The resource does not have this method",
                "METHOD_UNKNOWN",
            ),
            Self::LengthRequired => (
                StatusCode::LENGTH_REQUIRED,
                "A body is needed",
                "BODY_MISSING",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is too large",
                "BODY_OVERLONG",
            ),
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body is of another media type than the API asks for",
                "MEDIA_TYPE_UNKNOWN",
            ),
            Self::Full => (
                StatusCode::FORBIDDEN,
                "This small SCEF keeps no more resources of one SCS/AS",
                "STORE_FULL",
            ),
        }
    }

    /// As `ProblemDetails`.
    pub fn into_response(self) -> Response {
        let (status, title, cause) = self.row();
        let mut problem = object!({"status": status.as_u16(), "title": title, "cause": cause});
        let mut allow = None;
        match self {
            Self::Invalid(params) => {
                let params = params
                    .iter()
                    .map(|invalid| object!({"param": invalid.param, "reason": invalid.reason}));
                problem["invalidParams"] = params.collect::<Vec<_>>().into();
            }
            Self::MethodNotAllowed(methods) => allow = Some(methods),
            _ => {}
        }
        let mut response = body(status, "application/problem+json", &problem);
        if let Some(allow) = allow {
            let allow = HeaderValue::from_static(allow);
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}

/// A JSON answer.
pub fn json(status: StatusCode, content: &(impl serde::Serialize + ?Sized)) -> Response {
    body(status, "application/json", content)
}

fn body(
    status: StatusCode,
    media_type: &'static str,
    content: &(impl serde::Serialize + ?Sized),
) -> Response {
    // Values of serde_json always serialize.
    let text = serde_json::to_vec(content).unwrap_or_default();
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

/// 204.
pub fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

//= TS 29.122 clause 5.2.4
//# A created resource is answered with 201, itself, and its URI in Location.
/// 201.
pub fn created(resource: &Value, link: &str) -> Response {
    let mut response = json(StatusCode::CREATED, resource);
    if let Ok(link) = HeaderValue::from_str(link) {
        response.headers_mut().insert(header::LOCATION, link);
    }
    response
}

/// The scheme and authority by which the client reached the gateway, by its `Forwarded`; empty,
/// so that links are relative, where that does not say.
pub fn base(headers: &HeaderMap) -> String {
    let forwarded = headers.get(header::FORWARDED);
    let forwarded = forwarded
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let part = |wanted: &str| {
        let mut pairs = forwarded.split(';').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
        Some(value.trim().trim_matches('"').to_owned())
    };
    let is_plain = |host: &String| {
        host.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".:-[]".contains(&b))
    };
    match (part("proto"), part("host").filter(is_plain)) {
        (Some(proto), Some(host)) if !host.is_empty() && proto == "https" => {
            format!("https://{host}")
        }
        _ => String::new(),
    }
}
