//! The SCEF's answer on its way to the client.

mod judged;

use std::mem::MaybeUninit;

use crate::http::h1::{self, Became, ResponseFraming};
use crate::http::head::{self, Method, ResponseBody, ResponseHead};
use crate::limits::{FIELDS_MAX, RELAY_BYTES};
use crate::privacy::{Hit, Media};

use super::connection::{Connection, Request, Then};
use super::content::Held;
use super::denial::Denial;
use super::exchange::{Broken, answer_by, heard, received, take_body};
use super::guarded::{self, Guarded, Looked, Stopped};
use super::led::head_outward;
use super::source::{Sink, Source};
use super::upstream::Link;

/// An answer's head as it goes to the client, and what is known of its body.
struct Answer {
    status: u16,
    body: Source,
    sink: Sink,
    media: Media,
    /// What it says of whom it is about decides whether it leaves.
    says_whom: bool,
    /// Links in it may have to be led outwards.
    leads: bool,
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
    let mut guarded = Guarded::new(&connection.local, answer.media);
    let mut held = Held::new(connection);
    if (answer.says_whom || answer.leads) && !answer.body.is_done() {
        let mut body = connection.local.buffers.lend();
        take_body(&mut link, &mut answer.body, &mut body)?;
        if !answer.body.is_done() {
            // The task is as large as the largest of all that it may do: this is kept apart.
            let bytes_max = guarded.in_force().limits.guarded_bytes_max;
            let (rest, too_long) = (&mut answer.body, Denial::AnswerUnguarded("too_long"));
            let bounds = (bytes_max, too_long);
            let rest = received(connection, &mut link, rest, bounds, &mut body, &mut held);
            Box::pin(rest).await?;
        }
        // What comes behind it is nobody's.
        answer.link_lives &= link.stream.inbox.is_empty();
        guarded.hold(judged::judge(connection, &answer, request, &mut out, body)?);
    }
    connection.account.record.status = answer.status;
    let head_bytes = out.len();
    let mut begun = false;
    loop {
        // Looked at here, too: a wait for what is there already does not see its deadline.
        if connection.exchange_by <= connection.watch.now() {
            return Err(late(begun));
        }
        let inbox = &mut link.stream.inbox;
        let taken = match guarded.take(&mut answer.body, inbox) {
            Ok(taken) => taken,
            Err(fault) if !begun => return Err(Denial::UpstreamBodyMalformed(fault).into()),
            Err(_) => return Err(Broken::Cut),
        };
        if taken.consumed >= inbox.len() {
            inbox.clear();
        } else {
            inbox.drain(..taken.consumed);
        }
        let more_to_come = !answer.body.is_done();
        if more_to_come && inbox.is_empty() {
            link.stream.start_recv(RELAY_BYTES);
        }
        let whole = !more_to_come;
        loop {
            let passed = guarded.pass(whole, &mut out, answer.sink);
            let passed = passed.map_err(|why| stopped(connection, why, begun))?;
            if let Some(hit) = &passed.alarm {
                connection.account.record.identity = Some(guarded::found(hit, "alarmed"));
            }
            if let Some((hit, length)) = passed.rewritten {
                rewritten(connection, &hit);
                h1::describe_anew(&mut out, head_bytes, length, Became::Redacted);
            }
            connection.account.record.response_bytes += passed.bytes as u64;
            let over = whole && !passed.again;
            if over {
                answer.sink.end(&mut out);
            }
            // The head waits for the first of the body that may leave.
            if over || passed.bytes > 0 {
                if !out.is_empty() {
                    connection.send(&out).await?;
                    out.clear();
                }
                begun = true;
            }
            if !passed.again {
                break;
            }
        }
        if whole {
            break;
        }
        if link.stream.is_receiving() {
            more_of_answer(connection, &mut link, &mut answer, begun).await?;
        }
    }
    drop(guarded);
    connection.local.buffers.give_back(out);
    finish(connection, link, answer).await
}

/// The exchange has taken all the time that it may.
fn late(begun: bool) -> Broken {
    match begun {
        false => Denial::ExchangeDeadline.into(),
        true => Broken::Cut,
    }
}

/// Judges the response head and writes the client's; the head is taken out of the link's inbox.
fn answer_head(
    connection: &mut Connection,
    link: &mut Link,
    request: &Request,
    end: usize,
    out: &mut Vec<u8>,
) -> Result<Answer, Broken> {
    let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let head = head::response(&link.stream.inbox[..end], &mut slots, request.method)
        .map_err(Denial::UpstreamMalformed)?;
    //= RFC 9110 section 15.3.7
    //# A part of an answer may hold a part of an identity; nobody was asked for one.
    if matches!(head.status, 206 | 226) {
        return Err(Denial::AnswerUnguarded("partial").into());
    }
    let media = guarded::media(&head);
    let mut fields = Vec::new();
    let looked = media.and_then(|media| {
        let raw = &link.stream.inbox[..end];
        let head = guarded::answer_head(raw, &head, &mut fields, &connection.local)?;
        Ok((media, head))
    });
    let (media, mut head) = match looked {
        Ok((media, looked)) => {
            if looked.alarm.is_some() {
                connection.account.record.identity = looked.alarm;
            }
            match looked.rewritten {
                None => (media, head),
                Some((head, hit)) => {
                    rewritten(connection, &hit);
                    (media, head)
                }
            }
        }
        Err(why) => return Err(stopped(connection, why, false)),
    };
    let goes_on = request.keep_alive && !connection.local.draining.get();
    let sink = match head.body {
        ResponseBody::None | ResponseBody::Length(0) => Sink::Nothing,
        ResponseBody::Length(_) => Sink::Plain,
        ResponseBody::Chunked | ResponseBody::UntilClose => Sink::Chunked,
    };
    let mut extra = [0; REQUEST_ID_FIELD.len() + 32 + 2];
    extra[..REQUEST_ID_FIELD.len()].copy_from_slice(REQUEST_ID_FIELD);
    extra[REQUEST_ID_FIELD.len()..][..32].copy_from_slice(request.id.as_str().as_bytes());
    extra[REQUEST_ID_FIELD.len() + 32..].copy_from_slice(b"\r\n");
    // Most answers lead nowhere, and pay for this with a look at a number.
    let snapshot = connection.local.snapshot();
    let links = snapshot.links.as_ref().filter(|_| head.links != 0);
    let leads = snapshot.links.is_some() && guarded::may_be_json(&head, media);
    let mut led = links.map(|_| connection.local.buffers.lend());
    if let (Some(links), Some(lines)) = (links, &mut led) {
        head_outward(links, &mut head, lines)?;
        lines.extend_from_slice(&extra);
    }
    h1::write_response_head(
        out,
        &head,
        ResponseFraming::relaying(&head),
        !goes_on,
        led.as_deref().unwrap_or(&extra),
    );
    if let Some(led) = led {
        connection.local.buffers.give_back(led);
    }
    // A SCEF that sends a body to HEAD all the same would have it taken for the next answer.
    let bare = request.method == Method::Head && head.declared_length.is_some_and(|n| n > 0);
    let link_lives = head.keep_alive && !bare;
    let (status, body) = (head.status, Source::of(head.body));
    link.stream.inbox.drain(..end);
    Ok(Answer {
        status,
        body,
        sink,
        media,
        says_whom: request.asks.holds_answer(),
        leads,
        link_lives,
        goes_on,
    })
}

/// Notes that an answer leaves otherwise than it came.
#[cold]
fn rewritten(connection: &mut Connection, hit: &Hit) {
    connection.local.counters.identities_redacted.bump();
    connection.account.record.identity = Some(guarded::found(hit, "redacted"));
}

/// Looks through the head of a 1xx response, which is `raw`.
///
/// # Errors
/// It must not leave.
pub(super) fn guard_interim(
    connection: &mut Connection,
    raw: &[u8],
    head: &ResponseHead<'_, '_>,
) -> Result<(), Broken> {
    let mut fields = Vec::new();
    match guarded::answer_head(raw, head, &mut fields, &connection.local) {
        // Hints are not worth being rewritten.
        Ok(Looked {
            rewritten: Some((_, hit)),
            ..
        }) => Err(stopped(connection, Stopped::Identity(hit), false)),
        Ok(_) => Ok(()),
        Err(why) => Err(stopped(connection, why, false)),
    }
}

/// Notes why an answer does not leave, or no more of it.
#[cold]
fn stopped(connection: &mut Connection, why: Stopped, begun: bool) -> Broken {
    let denial = match why {
        Stopped::Identity(hit) => {
            let done = if begun { "cut" } else { "blocked" };
            connection.account.record.identity = Some(guarded::found(&hit, done));
            Denial::IdentityInAnswer(hit.form.word())
        }
        Stopped::Unguarded(why) => Denial::AnswerUnguarded(why),
    };
    match begun {
        false => denial.into(),
        true => {
            connection.account.cut_by(denial);
            Broken::Cut
        }
    }
}

const REQUEST_ID_FIELD: &[u8] = b"X-Request-Id: ";

async fn more_of_answer(
    connection: &mut Connection,
    link: &mut Link,
    answer: &mut Answer,
    begun: bool,
) -> Result<(), Broken> {
    let by = answer_by(connection);
    match heard(connection, &mut link.stream, by).await {
        Ok(Ok(count)) if count > 0 => Ok(()),
        // An end is an end only where the framing says so; an error never is.
        Ok(Ok(_)) if answer.body.closed() => Ok(()),
        Ok(_) if !begun => Err(Denial::UpstreamClosed.into()),
        Err(Broken::Denied(denial)) if !begun => Err(denial.into()),
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
