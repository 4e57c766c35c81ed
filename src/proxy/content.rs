//! What a request is about: its body is read whole, and judged with whatever else says whom it
//! means, before anything of the request goes to the SCEF.

use std::rc::Rc;

use crate::authz::apis::shape::NOTHING;
use crate::authz::apis::{MediaType, Verb};
use crate::authz::content::{self, Content, Fault, Origin};
use crate::authz::policy::Extent;
use crate::clock::{Millis, UnixSeconds};
use crate::http::h1;
use crate::http::head::Method;
use crate::limits::{CLIENT_HELD_BYTES_MAX, HELD_BYTES_MAX};
use crate::privacy::Media;

use super::connection::{Connection, Received, Request, Then};
use super::denial::Denial;
use super::exchange::Broken;
use super::gate;
use super::guarded;
use super::local::{InForce, Local};
use super::look::{self, Look};
use super::source::Sink;

/// Judges what a request without a body is about, where nothing has to be looked at for that.
///
/// # Errors
/// It must not go on.
pub(super) fn judge_head(connection: &mut Connection, request: &mut Request) -> Result<(), Denial> {
    said(connection, request, b"", None).map(drop)
}

/// Reads the body of an admitted request to its end, if it has one, judges what it is about and
/// puts the body behind the head.
///
/// # Errors
/// It does not come whole and in time, or must not go on.
pub(super) async fn read(connection: &mut Connection, request: &mut Request) -> Result<(), Broken> {
    let has_body = !request.body.is_done();
    let local = Rc::clone(&connection.local);
    let mut body = local.buffers.lend();
    if has_body {
        receive(connection, request, &mut body).await?;
    }
    let look = request.look.take();
    let (said, led) = said(connection, request, &body, look.as_deref())?;
    if let Some(look) = look {
        let before = Before::of(connection);
        let mut held = Held::new(connection);
        let representation = look::at(connection, &look, &mut held).await?;
        if still_admitted(connection, request, &before)? == Anew::Admitted {
            named(connection, request, &said, Some(&look))?;
        }
        whole(connection, request, &look, &representation, (&body, &said))?;
    }
    drop(said);
    if let Some(led) = led {
        local.buffers.give_back(std::mem::replace(&mut body, led));
    }
    if has_body {
        h1::end_request_head(&mut request.head, Some(body.len() as u64));
        request.head.extend_from_slice(&body);
    }
    local.buffers.give_back(body);
    Ok(())
}

async fn receive(
    connection: &mut Connection,
    request: &mut Request,
    content: &mut Vec<u8>,
) -> Result<(), Broken> {
    let before = Before::of(connection);
    let in_force = &before.in_force;
    let (bytes_max, deadlines) = (in_force.limits.body_bytes_max, in_force.deadlines);
    let held = request.held.insert(Held::new(connection));
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
        held.grow(taken.body)?;
    }
    still_admitted(connection, request, &before)?;
    Ok(())
}

/// What a request was judged by.
struct Before {
    in_force: Rc<InForce>,
    second: UnixSeconds,
}

impl Before {
    fn of(connection: &Connection) -> Self {
        Self {
            in_force: connection.local.snapshot(),
            second: connection.local.seconds(),
        }
    }
}

/// Judges anew whatever may have changed while something was waited for.
fn still_admitted(
    connection: &mut Connection,
    request: &mut Request,
    before: &Before,
) -> Result<Anew, Denial> {
    // The connection may have been ended, which what has come on it is not told.
    if connection.standing.lost().is_some() {
        return Err(Denial::CertificateDistrusted);
    }
    let local = &connection.local;
    let in_force = local.snapshot();
    let generation = in_force.generation(connection.standing.peer().client());
    let is_as_before = Rc::ptr_eq(&before.in_force, &in_force)
        && generation == request.asks.generation
        && local.seconds() == before.second;
    if is_as_before {
        return Ok(Anew::AsBefore);
    }
    admit_anew(connection, request, Done::Nothing)?;
    Ok(Anew::Admitted)
}

/// Whether a request had to be admitted anew.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Anew {
    AsBefore,
    Admitted,
}

/// How far a request has come that is admitted anew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Nothing,
    /// Its answer has come.
    ByTheScef,
}

/// Admits a request again, whose client may have come to be held to some UEs meanwhile.
///
/// # Errors
/// It is not admitted any more, or nobody has looked at what it is about.
pub(super) fn admit_anew(
    connection: &mut Connection,
    request: &mut Request,
    done: Done,
) -> Result<(), Denial> {
    let was_whole = request.asks.extent == Extent::Whole;
    request.asks = connection.admit_again(&request.asks)?;
    let is_held = was_whole && request.asks.extent == Extent::ByContent;
    // What is done is done, and its answer is judged.
    let is_change = !matches!(request.method, Method::Get | Method::Head);
    let is_judged_yet =
        request.asks.is_judged_by_answer(request.method) || (done == Done::ByTheScef && is_change);
    match is_held && !is_judged_yet {
        true => Err(Denial::ResourceUnseen("held_meanwhile")),
        false => Ok(()),
    }
}

/// What a shard holds of bodies for one message of a client; given back with it.
pub(super) struct Held {
    local: Rc<Local>,
    /// The client's place.
    client: usize,
    bytes: u64,
}

impl Held {
    pub(super) fn new(connection: &Connection) -> Self {
        Self {
            local: Rc::clone(&connection.local),
            client: usize::try_from(connection.standing.peer().client().0).unwrap_or(usize::MAX),
            bytes: 0,
        }
    }

    /// Holds so many more.
    ///
    /// # Errors
    /// The shard has no room for them, or the client has had its share of it.
    pub(super) fn grow(&mut self, bytes: u64) -> Result<(), Denial> {
        let held_by = &mut self.local.held_by.borrow_mut();
        if held_by.len() <= self.client {
            held_by.resize(self.local.snapshot().clients.len().max(self.client + 1), 0);
        }
        let own = held_by
            .get_mut(self.client)
            .ok_or(Denial::BodiesExhausted)?;
        let all = self.local.held_bytes.get().saturating_add(bytes);
        if all > HELD_BYTES_MAX || own.saturating_add(bytes) > CLIENT_HELD_BYTES_MAX {
            return Err(Denial::BodiesExhausted);
        }
        *own += bytes;
        self.local.held_bytes.set(all);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let all = self.local.held_bytes.get();
        self.local.held_bytes.set(all.saturating_sub(self.bytes));
        if let Some(own) = self.local.held_by.borrow_mut().get_mut(self.client) {
            *own = own.saturating_sub(self.bytes);
        }
    }
}

/// Reads what a request says itself, judges whom it names, and takes it off its client's
/// allowances. The body comes back if its links do not lead to the SCEF as they stand.
fn said<'b>(
    connection: &mut Connection,
    request: &mut Request,
    body: &'b [u8],
    look: Option<&Look>,
) -> Result<(Content<'b>, Option<Vec<u8>>), Denial> {
    let asks = &request.asks;
    let is_whole = asks.extent == Extent::Whole;
    let said = match &asks.action.takes {
        // Whom it would be about nobody can say.
        None if !is_whole && !body.is_empty() => {
            return Err(Denial::ContentMalformed("body_unexpected"));
        }
        None => Ok(Content::default()),
        Some(_) if body.is_empty() => return Err(Denial::BodyMissing),
        Some(takes) => match takes.media {
            MediaType::Json => content::read(body, takes.shape, Origin::Request),
            MediaType::MergePatch => content::read(body, takes.shape, Origin::MergePatch),
            // What it makes of the representation says whom it means, if that is looked at.
            MediaType::JsonPatch if is_whole || look.is_some_and(|look| look.is_itself) => {
                content::read(body, NOTHING, Origin::Request)
            }
            MediaType::JsonPatch => content::brought_by(body, takes.shape),
        },
    };
    let mut said = said.map_err(malformed)?;
    let media = match asks.action.takes {
        Some(_) => Media::Json,
        None => Media::Text,
    };
    match guarded::request_body(body, media, &connection.local) {
        Ok(None) => {}
        Ok(alarm) => connection.account.record.identity = alarm,
        Err(found) => return Err(connection.account.found_in_request(found)),
    }
    if let Some(takes) = &asks.action.takes
        && takes.media == MediaType::JsonPatch
        && let Err(found) = guarded::patch_of_request(body, &connection.local)
    {
        return Err(connection.account.found_in_request(found));
    }
    let in_force = connection.local.snapshot();
    let client = connection.standing.peer().client();
    let own = in_force.client(client).map(|client| &client.scs_as_ids);
    let is_own = |id: &str| own.is_some_and(|own| own.iter().any(|own| own == id));
    if !said.scs_as_ids().all(is_own) {
        return Err(Denial::ScsAsIdForeign);
    }
    if !is_whole {
        if let Some(query) = request.query.take() {
            said.join(*query);
        }
        named(connection, request, &said, look)?;
    }
    let led = match body.is_empty() {
        true => None,
        false => led(connection, request, body)?,
    };
    // Last of all that it says itself, so that nothing is taken for what is refused for that; a
    // look asks the SCEF.
    let local = &connection.local;
    let leases = &mut local.leases.borrow_mut();
    let brought = match &asks.action.takes {
        Some(takes) if takes.media == MediaType::JsonPatch && leases.count_event_types(client) => {
            Some(content::types_brought_by(body, takes.shape).map_err(malformed)?)
        }
        _ => None,
    };
    let types = brought.as_ref().unwrap_or(&said);
    gate::charge(leases, client, asks, types, local.seconds())?;
    Ok((said, led))
}

/// Judges whom a request names itself, as far as that decides.
fn named(
    connection: &Connection,
    request: &Request,
    said: &Content<'_>,
    look: Option<&Look>,
) -> Result<(), Denial> {
    let (asks, in_force) = (&request.asks, connection.local.snapshot());
    let client = connection.standing.peer().client();
    // Who asks by the name of a resource may leave it to that whom it means, but where it is
    // written anew: then it is about nobody whom it does not name any more.
    let takes = asks.action.takes.as_ref();
    let is_named_anew = asks.action.verb == Verb::Put
        && takes.is_some_and(|takes| content::names_subscribers(takes.shape));
    let is_said_elsewhere =
        (look.is_some() && !is_named_anew) || asks.is_judged_by_answer(request.method);
    match is_said_elsewhere {
        true => asks.granted_besides(said, client, &in_force)?,
        false => asks.granted(said, client, &in_force)?,
    }
    // What cannot be looked at may be about anybody, whomever it is to be about.
    let changes = matches!(asks.action.verb, Verb::Put | Verb::Patch | Verb::Delete);
    match changes && look.is_none() {
        true => asks.granted(&Content::default(), client, &in_force),
        false => Ok(()),
    }
}

/// A body whose links lead to the SCEF, where they have to be changed for that.
fn led(connection: &Connection, request: &Request, body: &[u8]) -> Result<Option<Vec<u8>>, Denial> {
    let in_force = connection.local.snapshot();
    let (Some(links), Some(takes)) = (&in_force.links, &request.asks.action.takes) else {
        return Ok(None);
    };
    let mut led = connection.local.buffers.lend();
    let changed = links.body_inward(body, takes.shape, &mut led);
    if changed.map_err(|fault| Denial::ContentMalformed(fault.word()))? {
        return Ok(Some(led));
    }
    connection.local.buffers.give_back(led);
    Ok(None)
}

/// Judges whom the resource is about that a request is to, and will be.
fn whole(
    connection: &Connection,
    request: &Request,
    look: &Look,
    representation: &[u8],
    (body, said): (&[u8], &Content<'_>),
) -> Result<(), Denial> {
    let (asks, in_force) = (&request.asks, connection.local.snapshot());
    let client = connection.standing.peer().client();
    asks.granted_of(representation, look.gives, client, &in_force)?;
    let patch = match (&asks.action.takes, asks.action.verb) {
        (Some(takes), Verb::Patch) if look.is_itself => takes,
        // Who is named has been judged with that.
        _ if said.says_with_what() && said.names_nobody() => {
            return asks.granted_with(said, representation, look.gives, client, &in_force);
        }
        _ => return Ok(()),
    };
    let patched = content::patched(patch, body, representation, look.gives);
    for will_be in patched.map_err(malformed)? {
        asks.granted(&will_be, client, &in_force)?;
    }
    Ok(())
}

fn malformed(fault: Fault) -> Denial {
    Denial::ContentMalformed(fault.word())
}
