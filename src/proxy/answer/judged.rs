//! Answers that are read whole before anything of them leaves: those that say whom a request is
//! about, to clients that are held to some UEs, and those whose links are to lead to the gateway.

use crate::authz::content::{self, Origin};
use crate::authz::policy::Lists;
use crate::http::h1;
use crate::http::head::Method;
use crate::limits::RELAY_BYTES;
use crate::links::{self, BodyFault};
use crate::privacy::Media;
use crate::proxy::connection::{Connection, Request};
use crate::proxy::denial::Denial;
use crate::proxy::exchange::Broken;
use crate::proxy::source::{Sink, Source};
use crate::proxy::upstream::Link;

use super::{Answer, more_of_answer};

/// Judges the body of an answer, leads its links outwards, and puts what has become of it where it
/// is taken from; `head` has the answer's head, which says how long it is.
///
/// # Errors
/// It does not come, is too long to be judged, is about somebody whom the client may not ask about,
/// or leads past the gateway.
pub(super) async fn judge(
    connection: &mut Connection,
    link: &mut Link,
    answer: &mut Answer,
    request: &Request,
    head: &mut Vec<u8>,
) -> Result<(), Broken> {
    let body = received(connection, link, answer).await?;
    // What comes behind it is nobody's.
    answer.link_lives &= link.stream.inbox.is_empty();
    let body = match answer.says_whom {
        // Where it leads says for itself whom it is about.
        true if answer.status >= 300 => Vec::new(),
        true if request.method != Method::Get => done(connection, request, body)?,
        true => shown(connection, request, body)?,
        false => body,
    };
    let body = led(connection, request, answer, body)?;
    answer.body = match body.len() as u64 {
        0 => Source::Done,
        length => Source::Length(length),
    };
    if answer.sink == Sink::Plain {
        let head_bytes = head.len();
        h1::rewrite_length(head, head_bytes, body.len());
    }
    link.stream.inbox = body;
    Ok(())
}

async fn received(
    connection: &mut Connection,
    link: &mut Link,
    answer: &mut Answer,
) -> Result<Vec<u8>, Broken> {
    let bytes_max = connection.local.snapshot().limits.guarded_bytes_max;
    let mut body = Vec::new();
    loop {
        let inbox = &mut link.stream.inbox;
        let taken = answer.body.take(inbox, &mut body, Sink::Plain, usize::MAX);
        let taken = taken.map_err(Denial::UpstreamBodyMalformed)?;
        inbox.drain(..taken.consumed.min(inbox.len()));
        if body.len() as u64 > bytes_max {
            return Err(Denial::AnswerUnguarded("too_long").into());
        }
        if answer.body.is_done() {
            return Ok(body);
        }
        link.stream.start_recv(RELAY_BYTES);
        more_of_answer(connection, link, answer, false).await?;
    }
}

/// A body with its links as the client is to follow them.
fn led(
    connection: &Connection,
    request: &Request,
    answer: &Answer,
    body: Vec<u8>,
) -> Result<Vec<u8>, Denial> {
    let in_force = connection.local.snapshot();
    let links = match (&in_force.links, answer.media) {
        (Some(links), Media::Json) if !body.is_empty() => links,
        _ => return Ok(body),
    };
    let shape = links::shape_of_answer(request.asks.action, answer.status);
    let mut led = Vec::new();
    match links.body_outward(&body, shape, &mut led) {
        Ok(true) => Ok(led),
        Ok(false) => Ok(body),
        Err(BodyFault::LeadsPast) => Err(Denial::LinkLeadsPast),
        Err(fault) => Err(Denial::AnswerUnguarded(fault.word())),
    }
}

/// What the SCEF says of what it has done: of nobody but whom the client may ask about.
fn done(connection: &Connection, request: &Request, body: Vec<u8>) -> Result<Vec<u8>, Denial> {
    if body.is_empty() {
        return Ok(body);
    }
    let (asks, in_force) = (&request.asks, connection.local.snapshot());
    let client = connection.standing.peer().client();
    // What is not as the table says it names nobody that can be told; the guard goes through it.
    let Ok(said) = content::read(&body, asks.action.gives, Origin::Representation) else {
        return Ok(body);
    };
    let is_granted = said.names_nobody() || asks.granted(&said, client, &in_force).is_ok();
    match is_granted {
        true => Ok(body),
        false => Err(Denial::AnswerUnguarded("not_granted")),
    }
}

/// What of a body the client may see.
fn shown(connection: &Connection, request: &Request, body: Vec<u8>) -> Result<Vec<u8>, Denial> {
    if body.is_empty() {
        return Ok(body);
    }
    let (asks, in_force) = (&request.asks, connection.local.snapshot());
    let client = connection.standing.peer().client();
    let gives = asks.action.gives;
    if gives.item().is_none() || in_force.lists == Lists::Refuse {
        asks.granted_of(&body, gives, client, &in_force)?;
        return Ok(body);
    }
    let may_see = |content: &content::Content<'_>| asks.granted(content, client, &in_force).is_ok();
    let filtered = content::filter(&body, gives, may_see);
    let filtered = filtered.map_err(|fault| Denial::ResourceUnseen(fault.word()))?;
    if filtered.left_out == 0 {
        return Ok(body);
    }
    let left_out = filtered.left_out as u64;
    let filtered = filtered.body.into_owned();
    connection
        .local
        .counters
        .list_elements_left_out
        .add(left_out);
    Ok(filtered)
}
