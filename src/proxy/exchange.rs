//! One admitted request: to the SCEF, and its answer back. Both directions happen in the
//! connection's own task.

use std::mem::MaybeUninit;
use std::task::{Context, Poll};

use crate::audit::Outcome;
use crate::clock::Millis;
use crate::http::h1::{self, ResponseFraming};
use crate::http::head::{self, HeadFault, Method};
use crate::io::Stream;
use crate::limits::{CONTINUE_WAIT_MS, FIELDS_MAX, INTERIM_RESPONSES_MAX, RECV_BYTES, RELAY_BYTES};

use super::answer;
use super::connection::{Connection, Opening, Request, Then};
use super::denial::Denial;
use super::refusal::Refused;
use super::source::{Sink, Source};
use super::upstream::{self, Link};

/// Why an exchange did not end as it should.
pub(super) enum Broken {
    /// Nothing of the answer has been sent yet: the client is told.
    Denied(Denial),
    /// Part of the answer has been sent: all that is left is to stop, visibly.
    Cut,
    /// The client is gone or does not read.
    ClientGone(Then),
}

impl From<Denial> for Broken {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<Then> for Broken {
    fn from(then: Then) -> Self {
        Self::ClientGone(then)
    }
}

/// The deadlines of one exchange, beside the connection's `exchange_by`.
pub(super) struct Times {
    /// The client's, for a body of no bytes; those that come earn it more.
    body_by: Millis,
    /// When the piece was sent that is on its way to the SCEF.
    sent_at: Millis,
    /// The SCEF's: to take the next piece, or to answer.
    pub upstream_by: Millis,
    /// The SCEF's, to say 100 to a client that waits for it.
    pub continue_by: Millis,
}

/// Carries an admitted request to the SCEF and the answer to the client.
pub(super) async fn run(connection: &mut Connection, mut request: Request) -> Then {
    let deadlines = connection.local.snapshot().deadlines;
    let now = connection.watch.now();
    let mut times = Times {
        body_by: now.after(deadlines.body),
        sent_at: now,
        upstream_by: Millis::NEVER,
        continue_by: Millis::NEVER,
    };
    connection.exchange_by = now.after(deadlines.exchange);
    let carried = carry(connection, &mut request, &mut times).await;
    connection.exchange_by = Millis::NEVER;
    connection.account.record.request_bytes = request.body_bytes;
    connection
        .local
        .buffers
        .give_back(std::mem::take(&mut request.head));
    match carried {
        Ok(then) => {
            connection.account.close(Outcome::Answered);
            then
        }
        Err(Broken::Denied(denial)) => {
            let untouched = request.body.is_done() && request.keep_alive && !request.broken_off;
            let refused = Refused {
                denial,
                id: request.id,
                head_only: request.method == Method::Head,
                rest: untouched.then_some(Source::Done),
            };
            Box::pin(connection.refuse(refused)).await
        }
        Err(Broken::Cut) => {
            connection.account.close(Outcome::Cut);
            Then::Drop
        }
        Err(Broken::ClientGone(then)) => {
            connection.account.close(Outcome::ClientGone);
            then
        }
    }
}

async fn carry(
    connection: &mut Connection,
    request: &mut Request,
    times: &mut Times,
) -> Result<Then, Broken> {
    let local = std::rc::Rc::clone(&connection.local);
    let mut link = upstream::link(&local, &connection.watch, connection.exchange_by).await?;
    loop {
        link.stream.outbox = std::mem::take(&mut request.head);
        // What has come of the body goes out with the head: one send fewer, and a SCEF that
        // answers without reading the body does not find it missing.
        fill(connection, &mut link.stream, request)?;
        times.sent_at = connection.watch.now();
        link.stream.start_send();
        link.stream.start_recv(RECV_BYTES);
        let heard = ask(connection, &mut link, request, times).await;
        match heard {
            Ok(end) => {
                connection.account.heard();
                return answer::relay(connection, link, request, times, end).await;
            }
            Err(Broken::Denied(Denial::UpstreamClosed)) if may_ask_again(&link, request) => {
                local.counters.upstream_retries.bump();
                connection.account.sent_again();
                request.head = unsent(connection, link.stream).await?;
                link = upstream::connect(&local, &connection.watch, connection.exchange_by).await?;
            }
            Err(broken) => return Err(broken),
        }
    }
}

/// A request may be sent twice when doing so changes nothing, it was complete, and the SCEF may
/// have closed the connection before it knew of it (RFC 9110 section 9.2.2).
fn may_ask_again(link: &Link, request: &Request) -> bool {
    let idempotent = matches!(
        request.method,
        Method::Get | Method::Head | Method::Put | Method::Delete | Method::Options
    );
    link.reused && idempotent && request.sink == Sink::Nothing && !request.heard
}

/// Takes a request's bytes back from a connection that failed.
async fn unsent(connection: &Connection, mut failed: Stream) -> Result<Vec<u8>, Broken> {
    failed.shutdown();
    connection.watch.set(connection.exchange_by);
    let back = connection
        .watch
        .wait(|cx| failed.poll_send(cx).map(drop))
        .await;
    back.map_err(|_| Denial::ExchangeDeadline)?;
    Ok(std::mem::take(&mut failed.outbox))
}

/// What happened while a request is being sent.
enum Event {
    Answered(std::io::Result<usize>),
    ClientSent(std::io::Result<usize>),
    PieceSent(std::io::Result<()>),
    /// The client has waited long enough for a 100.
    ContinueDue,
}

/// Sends the rest of the request, whatever of it is still to come, until the head of a final
/// response is there: the first so many bytes of the link's inbox.
async fn ask(
    connection: &mut Connection,
    link: &mut Link,
    request: &mut Request,
    times: &mut Times,
) -> Result<usize, Broken> {
    let deadlines = connection.local.snapshot().deadlines;
    let now = connection.watch.now();
    times.upstream_by = now.after(deadlines.upstream_response);
    if request.expects_continue {
        times.continue_by = Millis(now.0 + CONTINUE_WAIT_MS);
    }
    let mut interim = 0;
    let mut scanned = 0;
    loop {
        match heard(connection, &mut link.stream, request, times).await? {
            Ok(count) if count > 0 => request.heard = true,
            _ => return Err(Denial::UpstreamClosed.into()),
        }
        while let Some(end) = response_head(link, connection, &mut scanned)? {
            if !is_interim(&link.stream.inbox[..end]) {
                return Ok(end);
            }
            interim += 1;
            if interim > INTERIM_RESPONSES_MAX {
                return Err(Denial::UpstreamInterim.into());
            }
            pass_interim(connection, link, request, end).await?;
            scanned = 0;
        }
        link.stream.start_recv(RECV_BYTES);
    }
}

/// Waits until the link's receive ends, and carries on what the client sends meanwhile.
pub(super) async fn heard(
    connection: &mut Connection,
    link: &mut Stream,
    request: &mut Request,
    times: &mut Times,
) -> Result<std::io::Result<usize>, Broken> {
    let deadlines = connection.local.snapshot().deadlines;
    loop {
        let wants_more = feed(connection, link, request, times)?;
        if wants_more {
            connection.stream.start_recv(RELAY_BYTES);
        }
        match happened(connection, link, request, times, wants_more).await? {
            Event::Answered(received) => return Ok(received),
            Event::PieceSent(Ok(())) => {
                link.outbox.clear();
                let now = connection.watch.now();
                // While the SCEF took its time the client could not send.
                let waited_ms = now.0.saturating_sub(times.sent_at.0);
                times.body_by = Millis(times.body_by.0.saturating_add(waited_ms));
                times.upstream_by = now.after(deadlines.upstream_response);
            }
            // Why it cannot be sent is what the receive will tell; a closing SCEF may have
            // answered before.
            Event::PieceSent(Err(_)) => {
                request.body = Source::Done;
                request.broken_off = true;
            }
            Event::ContinueDue => {
                times.continue_by = Millis::NEVER;
                if std::mem::take(&mut request.expects_continue) {
                    connection.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
                }
            }
            Event::ClientSent(Ok(count)) if count > 0 => {}
            Event::ClientSent(_) => return Err(Broken::ClientGone(Then::Drop)),
        }
    }
}

/// Puts what there is of the request's body on its way. Whether more of it has to be received.
fn feed(
    connection: &mut Connection,
    link: &mut Stream,
    request: &mut Request,
    times: &mut Times,
) -> Result<bool, Broken> {
    if link.is_sending() || request.body.is_done() {
        return Ok(false);
    }
    fill(connection, link, request)?;
    if link.outbox.is_empty() {
        return Ok(true);
    }
    times.sent_at = connection.watch.now();
    times.upstream_by = times
        .sent_at
        .after(connection.local.snapshot().deadlines.upstream_response);
    link.start_send();
    Ok(false)
}

/// Writes what has been received of the body behind what the outbox holds.
fn fill(
    connection: &mut Connection,
    link: &mut Stream,
    request: &mut Request,
) -> Result<(), Broken> {
    let body_bytes_max = connection.local.snapshot().limits.body_bytes_max;
    while !request.body.is_done() && link.outbox.len() < RELAY_BYTES {
        if connection.plain.is_empty() {
            match connection.open(RELAY_BYTES) {
                Opening::Data => {}
                Opening::NeedInput => break,
                Opening::Closed => {
                    connection.end();
                    return Err(Broken::ClientGone(Then::Drop));
                }
                Opening::Broken => return Err(Broken::ClientGone(Then::Close)),
            }
        }
        let (plain, outbox) = (&connection.plain, &mut link.outbox);
        let taken = request.body.take(plain, outbox, request.sink, RELAY_BYTES);
        let taken = taken.map_err(Denial::Body)?;
        connection.used(taken.consumed);
        request.body_bytes += taken.body;
        if request.body_bytes > body_bytes_max {
            return Err(Denial::BodyTooLarge.into());
        }
        if taken.consumed == 0 {
            break;
        }
    }
    Ok(())
}

async fn happened(
    connection: &mut Connection,
    link: &mut Stream,
    request: &Request,
    times: &Times,
    wants_more: bool,
) -> Result<Event, Broken> {
    let upstream_by = if wants_more {
        body_by(connection, request, times)
    } else {
        times.upstream_by
    };
    connection.watch.set(
        upstream_by
            .min(connection.exchange_by)
            .min(times.continue_by),
    );
    let (watch, client) = (&connection.watch, &mut connection.stream);
    let body_to_come = !request.body.is_done();
    let event = watch
        .wait(|cx: &mut Context<'_>| {
            if let Poll::Ready(received) = link.poll_recv(cx) {
                return Poll::Ready(Event::Answered(received));
            }
            if wants_more && let Poll::Ready(received) = client.poll_recv(cx) {
                return Poll::Ready(Event::ClientSent(received));
            }
            // Nobody waits for the end of the last piece: the answer comes after it.
            if body_to_come && link.is_sending() {
                return link.poll_send(cx).map(Event::PieceSent);
            }
            Poll::Pending
        })
        .await;
    let now = watch.now();
    match event {
        Ok(event) => Ok(event),
        Err(_) if connection.exchange_by <= now => Err(Denial::ExchangeDeadline.into()),
        Err(_) if times.continue_by <= now => Ok(Event::ContinueDue),
        Err(_) if wants_more => Err(Denial::BodyDeadline.into()),
        Err(_) => Err(Denial::UpstreamDeadline.into()),
    }
}

/// Until when the client has time for its body: each byte that came has bought it some.
fn body_by(connection: &Connection, request: &Request, times: &Times) -> Millis {
    let per_s_min = connection
        .local
        .snapshot()
        .deadlines
        .body_bytes_per_s_min
        .max(1);
    let earned_ms = request.body_bytes.saturating_mul(1_000) / per_s_min;
    Millis(times.body_by.0.saturating_add(earned_ms))
}

/// The end of a response head in the link's inbox, if it is all there.
fn response_head(
    link: &Link,
    connection: &Connection,
    scanned: &mut usize,
) -> Result<Option<usize>, Broken> {
    let inbox = &link.stream.inbox;
    let end = head::head_end(inbox, scanned);
    let bytes = end.unwrap_or(inbox.len());
    if bytes > connection.local.snapshot().limits.head_bytes_max {
        return Err(Denial::UpstreamMalformed(HeadFault::FieldsTooLarge).into());
    }
    Ok(end)
}

/// A status line whose code begins with 1.
fn is_interim(head: &[u8]) -> bool {
    head.get(9) == Some(&b'1')
}

/// Passes a 1xx response on.
async fn pass_interim(
    connection: &mut Connection,
    link: &mut Link,
    request: &mut Request,
    end: usize,
) -> Result<(), Broken> {
    let mut out = connection.local.buffers.lend();
    {
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let head = head::response(&link.stream.inbox[..end], &mut slots, request.method)
            .map_err(Denial::UpstreamMalformed)?;
        // Nobody asked for a 100 that was not expected (RFC 9110 section 15.2).
        if head.status != 100 || std::mem::take(&mut request.expects_continue) {
            h1::write_response_head(&mut out, &head, ResponseFraming::None, false, b"");
        }
    }
    link.stream.inbox.drain(..end);
    if !out.is_empty() {
        connection.send(&out).await?;
    }
    connection.local.buffers.give_back(out);
    Ok(())
}
