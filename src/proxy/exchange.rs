//! One admitted request: read whole, to the SCEF, and its answer back; in the connection's own
//! task.

use std::mem::MaybeUninit;

use crate::audit::Outcome;
use crate::authz::content::Content;
use crate::authz::policy::Extent;
use crate::clock::Millis;
use crate::http::h1::{self, ResponseFraming};
use crate::http::head::{self, HeadFault, Method};
use crate::io::Stream;
use crate::limits::{FIELDS_MAX, INTERIM_RESPONSES_MAX, RECV_BYTES, RELAY_BYTES};

use super::answer;
use super::connection::{Connection, Request, Then};
use super::content::{self, Done, Held};
use super::denial::Denial;
use super::gate;
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

/// Carries an admitted request to the SCEF and the answer to the client.
pub(super) async fn run(connection: &mut Connection, mut request: Request) -> Then {
    let deadlines = connection.local.snapshot().deadlines;
    connection.exchange_by = connection.watch.now().after(deadlines.exchange);
    let carried = carry(connection, &mut request).await;
    connection.exchange_by = Millis::NEVER;
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
            let untouched = request.body.is_done() && request.keep_alive;
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
            // What was looked through has left: its end is missing, and so one sees that it is cut.
            let _ = connection.sent().await;
            Then::Drop
        }
        Err(Broken::ClientGone(then)) => {
            connection.account.close(Outcome::ClientGone);
            then
        }
    }
}

async fn carry(connection: &mut Connection, request: &mut Request) -> Result<Then, Broken> {
    let local = std::rc::Rc::clone(&connection.local);
    let is_held = request.asks.extent == Extent::ByContent;
    if is_held && request.body.is_done() && request.look.is_none() {
        content::judge_head(connection, request)?;
    } else if is_held || !request.body.is_done() {
        // The task is as large as the largest of all that it may do: this is kept apart.
        Box::pin(content::read(connection, request)).await?;
    } else {
        let (client, leases) = (connection.standing.peer().client(), &local.leases);
        let (said, now) = (Content::default(), local.seconds());
        gate::charge(&mut leases.borrow_mut(), client, &request.asks, &said, now)?;
    }
    let mut link = upstream::link(&local, &connection.watch, connection.exchange_by).await?;
    loop {
        link.stream.outbox = std::mem::take(&mut request.head);
        link.stream.start_send();
        link.stream.start_recv(RECV_BYTES);
        let heard = ask(connection, &mut link, Some(request)).await;
        match heard {
            Ok(end) => {
                connection.account.heard();
                // Who has come to be held meanwhile is held with what is answered.
                if !std::rc::Rc::ptr_eq(&request.in_force, &local.snapshot()) {
                    content::admit_anew(connection, request, Done::ByTheScef)?;
                }
                return answer::relay(connection, link, request, end).await;
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

/// A request may be sent twice when doing so changes nothing, and the SCEF may have closed the
/// connection before it knew of it (RFC 9110 section 9.2.2).
fn may_ask_again(link: &Link, request: &Request) -> bool {
    let idempotent = matches!(
        request.method,
        Method::Get | Method::Head | Method::Put | Method::Delete | Method::Options
    );
    link.reused && idempotent && !request.heard
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

/// Waits until the head of a final response is there: the first so many bytes of the link's inbox.
/// What comes before it is passed on to who has made the request, if it is anybody's.
pub(super) async fn ask(
    connection: &mut Connection,
    link: &mut Link,
    mut request: Option<&mut Request>,
) -> Result<usize, Broken> {
    let mut interim = 0;
    let mut scanned = 0;
    let by = answer_by(connection);
    loop {
        match heard(connection, &mut link.stream, by).await? {
            Ok(count) if count > 0 => {}
            _ => return Err(Denial::UpstreamClosed.into()),
        }
        if let Some(request) = &mut request {
            request.heard = true;
        }
        while let Some(end) = response_head(link, connection, &mut scanned)? {
            if !is_interim(&link.stream.inbox[..end]) {
                return Ok(end);
            }
            interim += 1;
            if interim > INTERIM_RESPONSES_MAX {
                return Err(Denial::UpstreamInterim.into());
            }
            match &request {
                Some(request) => pass_interim(connection, link, request, end).await?,
                None => drop(link.stream.inbox.drain(..end)),
            }
            scanned = 0;
        }
        link.stream.start_recv(RECV_BYTES);
    }
}

/// By when the SCEF has to answer, or to go on with its answer.
pub(super) fn answer_by(connection: &Connection) -> Millis {
    let deadlines = &connection.local.snapshot().deadlines;
    connection.watch.now().after(deadlines.upstream_response)
}

/// Waits until the link's receive ends. Nobody waits for the end of what is sent: the answer comes
/// after it, or tells why it cannot be sent.
pub(super) async fn heard(
    connection: &mut Connection,
    link: &mut Stream,
    by: Millis,
) -> Result<std::io::Result<usize>, Broken> {
    connection.watch.set(by.min(connection.exchange_by));
    match connection.watch.wait(|cx| link.poll_recv(cx)).await {
        Ok(received) => Ok(received),
        Err(_) if connection.exchange_by <= connection.watch.now() => {
            Err(Denial::ExchangeDeadline.into())
        }
        Err(_) => Err(Denial::UpstreamDeadline.into()),
    }
}

/// Takes what has come of a body out of the link's inbox.
pub(super) fn take_body(
    link: &mut Link,
    body: &mut Source,
    whole: &mut Vec<u8>,
) -> Result<(), Denial> {
    let inbox = &mut link.stream.inbox;
    let taken = body.take(inbox, whole, Sink::Plain, usize::MAX);
    let taken = taken.map_err(Denial::UpstreamBodyMalformed)?;
    inbox.drain(..taken.consumed.min(inbox.len()));
    Ok(())
}

/// Waits for the rest of a body, and holds all of it.
///
/// # Errors
/// It does not come to its end, the shard has no room for it, or it is longer than `bytes_max`:
/// then `too_long` says so.
pub(super) async fn received(
    connection: &mut Connection,
    link: &mut Link,
    body: &mut Source,
    (bytes_max, too_long): (u64, Denial),
    whole: &mut Vec<u8>,
    held: &mut Held,
) -> Result<(), Broken> {
    let mut counted = 0;
    loop {
        let bytes = whole.len() as u64;
        if bytes > bytes_max {
            return Err(too_long.into());
        }
        held.grow(bytes - counted)?;
        counted = bytes;
        if body.is_done() {
            return Ok(());
        }
        link.stream.start_recv(RELAY_BYTES);
        let by = answer_by(connection);
        match heard(connection, &mut link.stream, by).await? {
            Ok(count) if count > 0 => {}
            // An end is an end only where the framing says so; an error never is.
            Ok(_) if body.closed() => {}
            _ => return Err(Denial::UpstreamClosed.into()),
        }
        take_body(link, body, whole)?;
    }
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
    request: &Request,
    end: usize,
) -> Result<(), Broken> {
    let mut out = connection.local.buffers.lend();
    {
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let mut head = head::response(&link.stream.inbox[..end], &mut slots, request.method)
            .map_err(Denial::UpstreamMalformed)?;
        answer::guard_interim(connection, &link.stream.inbox[..end], &head)?;
        if connection.local.snapshot().links.is_some() {
            // Hints for browsers, which an SCS/AS is none.
            head.dropped |= head.links;
        }
        // A 100 is of no use to who has sent all (RFC 9110 section 15.2.1).
        if head.status != 100 {
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
