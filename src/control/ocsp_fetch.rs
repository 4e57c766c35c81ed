//! One OCSP answer, asked for by http or https at a URL that the operator has configured and
//! nowhere else: bounded in size and time.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use rustls::ClientConfig;

use super::crl_fetch::{FetchFault, body_within, connect, exchange};
use crate::config::HttpUrl;
use crate::limits::OCSP_RESPONSE_BYTES_MAX;

/// From the first packet to the last octet.
pub const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Asks a responder.
///
/// # Errors
/// Why there is no answer. What the answer says is the caller's to read.
//= RFC 6960 section A.1
//# The request is the body of a POST, of the type application/ocsp-request.
pub async fn ask(
    url: &HttpUrl,
    tls: Option<&Arc<ClientConfig>>,
    question: Vec<u8>,
) -> Result<Vec<u8>, FetchFault> {
    let asked = tokio::time::timeout(ANSWER_WAIT, async {
        let stream = connect(url, tls).await?;
        let request = Request::post(&url.target)
            .header(HOST, &url.authority)
            .header(USER_AGENT, "t8gate")
            .header(CONTENT_TYPE, "application/ocsp-request")
            .header(ACCEPT, "application/ocsp-response")
            .body(Full::<Bytes>::from(question))
            .map_err(std::io::Error::other)?;
        exchange(stream, request, async |response| match response.status() {
            StatusCode::OK => body_within(response, OCSP_RESPONSE_BYTES_MAX).await,
            status => Err(FetchFault::Status(status)),
        })
        .await
    });
    asked
        .await
        .unwrap_or(Err(FetchFault::Deadline(ANSWER_WAIT)))
}
