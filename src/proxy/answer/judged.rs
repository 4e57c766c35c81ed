//! Answers that are read whole before anything of them leaves: those that say whom a request is
//! about, to clients that are held to some UEs, and those whose links are to lead to the gateway.

use crate::authz::content::{self, Origin};
use crate::authz::policy::Lists;
use crate::http::h1::{self, Became};
use crate::http::head::Method;
use crate::links::{self, BodyFault};
use crate::privacy::Media;
use crate::proxy::connection::{Connection, Request};
use crate::proxy::denial::Denial;

use super::Answer;

/// Judges the whole body of an answer and leads its links outwards: what has become of it comes
/// back, and `head`, the answer's head, says what that is.
///
/// # Errors
/// It is about somebody whom the client may not ask about, or leads past the gateway.
pub(super) fn judge(
    connection: &Connection,
    answer: &Answer,
    request: &Request,
    head: &mut Vec<u8>,
    mut body: Vec<u8>,
) -> Result<Vec<u8>, Denial> {
    let mut became = None;
    if answer.says_whom && !body.is_empty() {
        let other = judged(connection, request, answer.status, &body)?;
        became = other.is_some().then_some(Became::Redacted);
        body = other.unwrap_or(body);
    }
    if !body.is_empty() {
        let led = led(connection, request, answer, &body)?;
        became = became.or(led.is_some().then_some(Became::Reworded));
        body = led.unwrap_or(body);
    }
    if let Some(became) = became {
        let head_bytes = head.len();
        h1::describe_anew(head, head_bytes, body.len(), became);
    }
    Ok(body)
}

/// What the client is told in place of a body, if that is not what it is.
fn judged(
    connection: &Connection,
    request: &Request,
    status: u16,
    body: &[u8],
) -> Result<Option<Vec<u8>>, Denial> {
    match status {
        // Where it leads says for itself whom it is about.
        300..400 => Ok(Some(Vec::new())),
        ..300 if request.method == Method::Get => shown(connection, request, body),
        _ => told(connection, request, body),
    }
}

/// A body with its links as the client is to follow them, if they are not so. One that says of no
/// type what it is may be read as JSON.
fn led(
    connection: &Connection,
    request: &Request,
    answer: &Answer,
    body: &[u8],
) -> Result<Option<Vec<u8>>, Denial> {
    let in_force = connection.local.snapshot();
    let begins = body.trim_ascii_start().first();
    let is_json = answer.media == Media::Json || matches!(begins, Some(b'{' | b'['));
    let links = match &in_force.links {
        Some(links) if answer.leads && is_json => links,
        _ => return Ok(None),
    };
    let shape = links::shape_of_answer(request.asks.action, answer.status);
    let mut led = Vec::new();
    match links.body_outward(body, shape, &mut led) {
        Ok(is_led) => Ok(is_led.then_some(led)),
        Err(BodyFault::LeadsPast) => Err(Denial::LinkLeadsPast),
        Err(fault) => Err(Denial::AnswerUnguarded(fault.word())),
    }
}

/// Judges what the SCEF says of what it has done, or of why it has not: of nobody but whom the
/// client may ask about. What cannot be judged is left out.
fn told(
    connection: &Connection,
    request: &Request,
    body: &[u8],
) -> Result<Option<Vec<u8>>, Denial> {
    let (asks, in_force) = (&request.asks, connection.local.snapshot());
    let client = connection.standing.peer().client();
    let said = match content::read(body, asks.action.gives, Origin::Representation) {
        Ok(said) => said,
        // What was done, or was not, its status says.
        Err(_) => {
            connection.local.counters.answer_bodies_left_out.bump();
            return Ok(Some(Vec::new()));
        }
    };
    let is_granted = asks.granted_besides(&said, client, &in_force).is_ok();
    match is_granted {
        true => Ok(None),
        false => Err(Denial::AnswerUnguarded("not_granted")),
    }
}

/// What of a body the client may see, if that is not all of it.
fn shown(
    connection: &Connection,
    request: &Request,
    body: &[u8],
) -> Result<Option<Vec<u8>>, Denial> {
    let (asks, in_force) = (&request.asks, connection.local.snapshot());
    let client = connection.standing.peer().client();
    let gives = asks.action.gives;
    if gives.item().is_none() || in_force.lists == Lists::Refuse {
        asks.granted_of(body, gives, client, &in_force)?;
        return Ok(None);
    }
    let may_see = |about: &content::About<'_>| asks.granted_about(about, client, &in_force).is_ok();
    let filtered = content::filter(body, gives, may_see);
    let filtered = filtered.map_err(|fault| Denial::ResourceUnseen(fault.word()))?;
    if filtered.left_out == 0 {
        return Ok(None);
    }
    let counters = &connection.local.counters;
    let left_out = filtered.left_out as u64;
    counters.list_elements_left_out.add(left_out);
    Ok(Some(filtered.body.into_owned()))
}
