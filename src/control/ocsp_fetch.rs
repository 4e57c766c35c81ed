//! One OCSP answer, asked for by http or https at a URL that the operator has configured and
//! nowhere else: bounded in size and time.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use rustls::ClientConfig;

use super::crl_fetch::{FetchFault, connect};
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
        let (mut sender, connection) = http1::handshake(stream).await?;
        let request = Request::post(&url.target)
            .header(HOST, &url.authority)
            .header(USER_AGENT, "t8gate")
            .header(CONTENT_TYPE, "application/ocsp-request")
            .header(ACCEPT, "application/ocsp-response")
            .body(Full::<Bytes>::from(question))
            .map_err(std::io::Error::other)?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            match response.status() {
                StatusCode::OK => received(response).await,
                status => Err(FetchFault::Status(status)),
            }
        };
        let mut exchange = pin!(exchange);
        // As with lists: the connection ends with the exchange.
        tokio::select! {
            answer = &mut exchange => answer,
            _ = connection => exchange.await,
        }
    });
    asked
        .await
        .unwrap_or(Err(FetchFault::Deadline(ANSWER_WAIT)))
}

async fn received(response: Response<Incoming>) -> Result<Vec<u8>, FetchFault> {
    let mut answer = Vec::new();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if answer.len() + data.len() > OCSP_RESPONSE_BYTES_MAX {
            let bytes_max = OCSP_RESPONSE_BYTES_MAX;
            return Err(FetchFault::TooLong { bytes_max });
        }
        answer.extend_from_slice(&data);
    }
    Ok(answer)
}
