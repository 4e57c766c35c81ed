//! The SCEF's answer on its way to the client.

use std::mem::MaybeUninit;
use std::task::{Context, Poll, Waker};

use crate::clock::Millis;
use crate::http::h1::{self, ResponseFraming};
use crate::http::head::{self, Method, ResponseBody, ResponseHead};
use crate::limits::{FIELDS_MAX, RELAY_BYTES};
use crate::privacy::{Media, Verdict};

use super::connection::{Connection, Request, Then};
use super::denial::Denial;
use super::exchange::{Broken, Times, heard};
use super::guarded::{Guarded, Stopped, forwarded};
use super::source::{Sink, Source};
use super::upstream::Link;

/// An answer's head as it goes to the client, and what is known of its body.
struct Answer {
    status: u16,
    body: Source,
    sink: Sink,
    media: Media,
    /// The upstream connection can carry another exchange.
    link_lives: bool,
    /// The client's connection can.
    goes_on: bool,
}

/// Sends the client the answer whose head is the first `end` bytes of the link's inbox.
pub(super) async fn relay(
    connection: &mut Connection,
    mut link: Link,
    request: &mut Request,
    times: &mut Times,
    end: usize,
) -> Result<Then, Broken> {
    let mut out = connection.local.buffers.lend();
    let mut answer = answer_head(connection, &mut link, request, end, &mut out)?;
    let mut guarded = Guarded::new(&connection.local, answer.media);
    connection.account.record.status = answer.status;
    let mut begun = false;
    // A final answer is there: nobody waits for 100 any more.
    times.continue_by = Millis::NEVER;
    loop {
        // Looked at here, too: a wait for what is there already does not see its deadline.
        if begun && connection.exchange_by <= connection.watch.now() {
            return Err(Broken::Cut);
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
        connection.account.record.response_bytes += taken.body;
        let more_to_come = !answer.body.is_done();
        if more_to_come && inbox.is_empty() {
            link.stream.start_recv(RELAY_BYTES);
        }
        let whole = !more_to_come;
        loop {
            let (before, sink) = (out.len(), answer.sink);
            let again = guarded.pass(whole, &mut out, sink);
            let again = again.map_err(|why| stopped(connection, why, begun))?;
            if whole && !again {
                sink.end(&mut out);
            }
            // The head waits for the first of the body that may leave.
            if whole || begun || out.len() > before {
                if !out.is_empty() {
                    connection.send(&out).await?;
                    out.clear();
                }
                begun = true;
            }
            if !again {
                break;
            }
        }
        if whole {
            break;
        }
        if link.stream.is_receiving() {
            more_of_answer(connection, &mut link, request, times, &mut answer, begun).await?;
        }
    }
    drop(guarded);
    connection.local.buffers.give_back(out);
    finish(connection, link, answer).await
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
    guard_head(connection, &head)?;
    let asked_all = request.body.is_done() && !request.broken_off;
    let goes_on = request.keep_alive && asked_all && !connection.local.draining.get();
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
    let whole = asked_all && head.body != ResponseBody::UntilClose;
    let link_lives = head.keep_alive && whole && !bare;
    let status = head.status;
    let media = media(&head);
    link.stream.inbox.drain(..end);
    Ok(Answer {
        status,
        body,
        sink,
        media,
        link_lives,
        goes_on,
    })
}

/// How the body is to be read.
fn media(head: &ResponseHead<'_, '_>) -> Media {
    let mut fields = head.fields.iter();
    let kind = fields.find(|field| field.name.eq_ignore_ascii_case("content-type"));
    let essence = kind.map_or(&b""[..], |field| field.value);
    let end = memchr::memchr(b';', essence).unwrap_or(essence.len());
    let essence = essence[..end].trim_ascii();
    let is_json = essence.len() >= JSON.len()
        && essence[essence.len() - JSON.len()..].eq_ignore_ascii_case(JSON);
    match is_json {
        true => Media::Json,
        false => Media::Text,
    }
}

/// What the media types of T8 end in: `application/json`, `application/problem+json`.
const JSON: &[u8] = b"json";

/// Looks through the head of an answer.
///
/// # Errors
/// It must not leave, or its body is coded so that nobody could look through that.
pub(super) fn guard_head(
    connection: &mut Connection,
    head: &ResponseHead<'_, '_>,
) -> Result<(), Broken> {
    let coded = |field: &&httparse::Header<'_>| {
        field.name.eq_ignore_ascii_case("content-encoding")
            && !field.value.eq_ignore_ascii_case(b"identity")
    };
    if head.fields.iter().any(|field| coded(&field)) {
        return Err(Denial::AnswerUnguarded("content_coding").into());
    }
    let local = &connection.local;
    let fields = forwarded(head.fields, head.dropped);
    let guard = &local.snapshot().guard;
    let mut scratch = local.scratch.borrow_mut();
    let verdict = guard.head(head.reason.as_bytes(), fields, &mut scratch);
    drop(scratch);
    match verdict {
        Verdict::Clean => Ok(()),
        Verdict::Hit(hit) => Err(stopped(connection, Stopped::of(&hit), false)),
    }
}

/// Notes why an answer does not leave, or no more of it.
fn stopped(connection: &mut Connection, why: Stopped, begun: bool) -> Broken {
    let denial = match why {
        Stopped::Identity(found) => {
            connection.account.record.identity = Some(found);
            Denial::IdentityInAnswer(found.form)
        }
        Stopped::MemberTooLong => Denial::AnswerUnguarded("member_too_long"),
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
    request: &mut Request,
    times: &mut Times,
    answer: &mut Answer,
    begun: bool,
) -> Result<(), Broken> {
    let stall = connection.local.snapshot().deadlines.upstream_response;
    times.upstream_by = connection.watch.now().after(stall);
    // A SCEF may answer while the request is still coming, and read it to its end.
    match heard(connection, &mut link.stream, request, times).await {
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
async fn finish(
    connection: &mut Connection,
    mut link: Link,
    answer: Answer,
) -> Result<Then, Broken> {
    if answer.link_lives {
        // Nobody has waited for the end of the request's last piece yet.
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(())) = link.stream.poll_send(&mut cx) {
            let sent = std::mem::take(&mut link.stream.outbox);
            connection.local.buffers.give_back(sent);
            connection
                .local
                .upstream
                .put(link.stream, &connection.local);
        }
    }
    Ok(if answer.goes_on {
        Then::Again
    } else {
        Then::CloseWhileItSends
    })
}
