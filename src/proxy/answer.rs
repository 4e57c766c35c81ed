//! The SCEF's answer on its way to the client.

use std::mem::MaybeUninit;

use crate::http::h1::{self, ResponseFraming};
use crate::http::head::{self, Method, ResponseBody};
use crate::limits::{FIELDS_MAX, RELAY_BYTES};

use super::connection::{Connection, Request, Then};
use super::denial::Denial;
use super::exchange::{Broken, answer_by, heard};
use super::source::{Sink, Source};
use super::upstream::Link;

/// An answer's head as it goes to the client, and what is known of its body.
struct Answer {
    status: u16,
    body: Source,
    sink: Sink,
    /// The upstream connection can carry another exchange.
    link_lives: bool,
    /// The client's connection can.
    goes_on: bool,
}

/// Sends the client the answer whose head is the first `end` bytes of the link's inbox.
pub(super) async fn relay(
    connection: &mut Connection,
    mut link: Link,
    request: &Request,
    end: usize,
) -> Result<Then, Broken> {
    let mut out = connection.local.buffers.lend();
    let mut answer = answer_head(connection, &mut link, request, end, &mut out)?;
    connection.account.record.status = answer.status;
    let mut begun = false;
    loop {
        // Looked at here, too: a wait for what is there already does not see its deadline.
        if begun && connection.exchange_by <= connection.watch.now() {
            return Err(Broken::Cut);
        }
        let inbox = &mut link.stream.inbox;
        let taken = answer.body.take(inbox, &mut out, answer.sink, RELAY_BYTES);
        let taken = match taken {
            Ok(taken) => taken,
            Err(fault) if !begun => return Err(Denial::UpstreamBodyMalformed(fault).into()),
            Err(_) => return Err(Broken::Cut),
        };
        if taken.consumed >= inbox.len() {
            inbox.clear();
        } else {
            inbox.drain(..taken.consumed);
        }
        connection.account.record.response_bytes += taken.body;
        let more_to_come = !answer.body.is_done();
        if more_to_come && inbox.is_empty() {
            link.stream.start_recv(RELAY_BYTES);
        }
        if !out.is_empty() {
            connection.send(&out).await?;
            out.clear();
            begun = true;
        }
        if !more_to_come {
            break;
        }
        if link.stream.is_receiving() {
            more_of_answer(connection, &mut link, &mut answer, &mut out).await?;
        }
    }
    connection.local.buffers.give_back(out);
    finish(connection, link, answer).await
}

/// Judges the response head and writes the client's; the head is taken out of the link's inbox.
fn answer_head(
    connection: &Connection,
    link: &mut Link,
    request: &Request,
    end: usize,
    out: &mut Vec<u8>,
) -> Result<Answer, Broken> {
    let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let head = head::response(&link.stream.inbox[..end], &mut slots, request.method)
        .map_err(Denial::UpstreamMalformed)?;
    let goes_on = request.keep_alive && !connection.local.draining.get();
    let (body, sink) = match head.body {
        ResponseBody::None => (Source::Done, Sink::Nothing),
        ResponseBody::Length(0) => (Source::Done, Sink::Nothing),
        ResponseBody::Length(length) => (Source::Length(length), Sink::Plain),
        ResponseBody::Chunked => (Source::Chunked(Box::default()), Sink::Chunked),
        ResponseBody::UntilClose => (Source::UntilClose, Sink::Chunked),
    };
    let mut extra = [0; REQUEST_ID_FIELD.len() + 32 + 2];
    extra[..REQUEST_ID_FIELD.len()].copy_from_slice(REQUEST_ID_FIELD);
    extra[REQUEST_ID_FIELD.len()..][..32].copy_from_slice(request.id.as_str().as_bytes());
    extra[REQUEST_ID_FIELD.len() + 32..].copy_from_slice(b"\r\n");
    h1::write_response_head(
        out,
        &head,
        ResponseFraming::relaying(&head),
        !goes_on,
        &extra,
    );
    // A SCEF that sends a body to HEAD all the same would have it taken for the next answer.
    let bare = request.method == Method::Head && head.declared_length.is_some_and(|n| n > 0);
    let whole = head.body != ResponseBody::UntilClose;
    let link_lives = head.keep_alive && whole && !bare;
    let status = head.status;
    link.stream.inbox.drain(..end);
    Ok(Answer {
        status,
        body,
        sink,
        link_lives,
        goes_on,
    })
}

const REQUEST_ID_FIELD: &[u8] = b"X-Request-Id: ";

async fn more_of_answer(
    connection: &mut Connection,
    link: &mut Link,
    answer: &mut Answer,
    out: &mut Vec<u8>,
) -> Result<(), Broken> {
    let by = answer_by(connection);
    match heard(connection, &mut link.stream, by).await {
        Ok(Ok(count)) if count > 0 => Ok(()),
        // An end is an end only where the framing says so; an error never is.
        Ok(Ok(_)) if answer.body.closed(out, answer.sink) => Ok(()),
        Ok(_) | Err(Broken::Denied(_) | Broken::Cut) => Err(Broken::Cut),
        Err(gone) => Err(gone),
    }
}

/// Puts both connections in order after a complete answer.
async fn finish(connection: &mut Connection, link: Link, answer: Answer) -> Result<Then, Broken> {
    if answer.link_lives {
        link.give_back(&connection.local);
    }
    Ok(if answer.goes_on {
        Then::Again
    } else {
        Then::CloseWhileItSends
    })
}
