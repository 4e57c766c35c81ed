//! A request's body: read whole, and judged, before anything of the request goes to the SCEF.

use std::rc::Rc;

use crate::clock::Millis;
use crate::http::h1;

use super::connection::{Connection, Received, Request, Then};
use super::denial::Denial;
use super::exchange::Broken;
use super::source::Sink;

/// Reads the body of an admitted request to its end, judges it and puts it behind the head.
///
/// # Errors
/// It does not come whole and in time, or must not go on.
pub(super) async fn read(connection: &mut Connection, request: &mut Request) -> Result<(), Broken> {
    let local = Rc::clone(&connection.local);
    let mut content = local.buffers.lend();
    let read = receive(connection, request, &mut content).await;
    let judged = read.and_then(|()| Ok(judge(connection, request, &content)?));
    if judged.is_ok() {
        h1::end_request_head(&mut request.head, Some(content.len() as u64));
        request.head.extend_from_slice(&content);
    }
    local.buffers.give_back(content);
    judged
}

async fn receive(
    connection: &mut Connection,
    request: &mut Request,
    content: &mut Vec<u8>,
) -> Result<(), Broken> {
    let in_force = connection.local.snapshot();
    let (bytes_max, deadlines) = (in_force.limits.body_bytes_max, in_force.deadlines);
    drop(in_force);
    //= RFC 9110 section 10.1.1
    //# A client that waits is told to go on, unless its body is coming already.
    if std::mem::take(&mut request.expects_continue) && connection.plain.is_empty() {
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let begun = connection.watch.now();
    // Each byte that comes buys the client time for more.
    let per_s_min = deadlines.body_bytes_per_s_min.max(1);
    while !request.body.is_done() {
        if connection.plain.is_empty() {
            let earned_ms = (content.len() as u64).saturating_mul(1_000) / per_s_min;
            let body_by = Millis(begun.after(deadlines.body).0.saturating_add(earned_ms));
            let by = body_by.min(connection.exchange_by);
            match connection.receive(by).await {
                Ok(Received::Data) => {}
                Ok(Received::End) => return Err(Broken::ClientGone(Then::Drop)),
                Ok(Received::Broken) => return Err(Broken::ClientGone(Then::Close)),
                Err(_) if connection.exchange_by <= body_by => {
                    return Err(Denial::ExchangeDeadline.into());
                }
                Err(_) => return Err(Denial::BodyDeadline.into()),
            }
        }
        let (plain, body) = (&connection.plain, &mut request.body);
        let taken = body.take(plain, content, Sink::Plain, usize::MAX);
        let taken = taken.map_err(Denial::Body)?;
        connection.used(taken.consumed);
        connection.account.record.request_bytes += taken.body;
        if content.len() as u64 > bytes_max {
            return Err(Denial::BodyTooLarge.into());
        }
    }
    Ok(())
}

/// Judges a whole body, and anew whatever may have changed while it was read.
fn judge(connection: &mut Connection, request: &Request, content: &[u8]) -> Result<(), Denial> {
    // Meanwhile the connection may have been ended, which what has come on it is not told.
    if connection.standing.lost().is_some() {
        return Err(Denial::CertificateDistrusted);
    }
    if request.asks.action.takes.is_some() && content.is_empty() {
        return Err(Denial::BodyMissing);
    }
    Ok(())
}
