//! What the guard is asked about messages on their way. Of an answer nothing leaves before it was
//! looked through: all of it before the first octet, if it is no longer than
//! `limits.guarded_bytes_max`.

use std::cell::RefMut;
use std::rc::Rc;

use httparse::Header;
use serde_json::Value;

use crate::audit::FoundIdentity;
use crate::http::chunked::ChunkFault;
use crate::http::fields;
use crate::http::head::{Authorization, RequestHead, ResponseHead};
use crate::limits::RELAY_BYTES;
use crate::privacy::{self, Action, Cut, Guard, Hit, Media, Scratch, Verdict};

use super::local::{InForce, Local, LongBody};
use super::source::{Sink, Source, Taken};

/// Why nothing more of an answer leaves.
pub enum Stopped {
    /// An identity of a subscriber is in it.
    Identity(Hit),
    /// It cannot be looked through, for this reason.
    Unguarded(&'static str),
}

/// What of one body has come and not left.
pub struct Guarded {
    local: Rc<Local>,
    in_force: Rc<InForce>,
    media: Media,
    /// What has come last, and all of a short one.
    new: Vec<u8>,
    /// Of one that is longer than a relay's buffer.
    long: Option<LongBody>,
    /// All of it was looked through.
    ended: bool,
}

/// What [`Guarded::pass`] did.
pub struct Passed {
    /// Octets that may leave.
    pub bytes: usize,
    /// More of what has come may leave once those are sent.
    pub again: bool,
    /// The whole body was rewritten, for this, and now has so many octets.
    pub rewritten: Option<(Hit, usize)>,
    /// It is let through with this in it.
    pub alarm: Option<Hit>,
}

impl Guarded {
    /// Of a body of this kind.
    pub fn new(local: &Rc<Local>, media: Media) -> Self {
        Self {
            in_force: local.snapshot(),
            media,
            new: local.buffers.lend(),
            long: None,
            ended: false,
            local: Rc::clone(local),
        }
    }

    /// What was in force when it began.
    pub fn in_force(&self) -> &InForce {
        &self.in_force
    }

    /// All of it, in place of what has come.
    pub fn hold(&mut self, body: Vec<u8>) {
        let before = std::mem::replace(&mut self.new, body);
        self.local.buffers.give_back(before);
    }

    /// Takes what `input` holds of it.
    ///
    /// # Errors
    /// The chunked coding is broken.
    pub fn take(&mut self, body: &mut Source, input: &[u8]) -> Result<Taken, ChunkFault> {
        body.take(input, &mut self.new, Sink::Plain, RELAY_BYTES)
    }

    /// Looks through what has come, `whole` or with more behind it, and writes what may leave of it
    /// to `out`, as `sink` says.
    ///
    /// # Errors
    /// Nothing more of it may leave.
    pub fn pass(&mut self, whole: bool, out: &mut Vec<u8>, sink: Sink) -> Result<Passed, Stopped> {
        let mut passed = Passed {
            bytes: 0,
            again: false,
            rewritten: None,
            alarm: None,
        };
        let (guard, new) = (&self.in_force.guard, &mut self.new);
        if self.long.is_none() {
            let is_begun = whole || new.len() >= RELAY_BYTES;
            if is_begun && privacy::is_coded(new) {
                return Err(Stopped::Unguarded("content_coding"));
            }
            if whole {
                let mut scratch = scratch_of(&self.local);
                let rewritten = guard.clear(self.media, new, &mut scratch);
                let rewritten = rewritten.map_err(Stopped::Identity)?;
                passed.rewritten = rewritten.map(|hit| (hit, new.len()));
                passed.bytes = new.len();
                sink.write(out, new);
                new.clear();
                passed.alarm = noted(&self.local, &mut scratch);
                return Ok(passed);
            }
            if !is_begun {
                return Ok(passed);
            }
        }
        let LongBody { clearing, scratch } = self.long.get_or_insert_with(|| {
            let mut long = self.local.lend_clearing();
            long.clearing.restart(self.media);
            long.scratch.take_alarm();
            long
        });
        if !new.is_empty() {
            let taken = clearing.push(new, guard, scratch)?;
            new.drain(..taken);
        }
        if whole && new.is_empty() && !std::mem::replace(&mut self.ended, true) {
            let rewritten = clearing.end(guard, scratch)?;
            passed.rewritten = rewritten.map(|hit| (hit, clearing.cleared().len()));
        }
        let cleared = clearing.cleared();
        let piece = cleared.get(..RELAY_BYTES).unwrap_or(cleared);
        passed.bytes = piece.len();
        sink.write(out, piece);
        clearing.give(passed.bytes);
        passed.again = !clearing.cleared().is_empty() || !new.is_empty();
        passed.alarm = noted(&self.local, scratch);
        Ok(passed)
    }
}

/// Gives the buffers back.
impl Drop for Guarded {
    fn drop(&mut self) {
        self.local.buffers.give_back(std::mem::take(&mut self.new));
        if let Some(long) = self.long.take() {
            self.local.give_clearing_back(long);
        }
    }
}

impl From<Cut> for Stopped {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Hit(hit) => Self::Identity(hit),
            Cut::TooLong => Self::Unguarded("value_too_long"),
        }
    }
}

/// Looks through the head of a request, which is `raw`: who asks must not know such identities
/// either. What it is let through with comes back.
///
/// # Errors
/// One is in it.
pub fn request_head(
    raw: &[u8],
    head: &RequestHead<'_, '_>,
    local: &Local,
) -> Result<Option<Box<FoundIdentity>>, Box<FoundIdentity>> {
    let host = std::iter::once((&b"host"[..], head.host.as_bytes()));
    let lines = host.chain(forwarded(head.fields, head.dropped));
    let (path, query) = (head.path.as_bytes(), head.query.unwrap_or_default());
    let in_force = local.snapshot();
    let mut scratch = scratch_of(local);
    // The token is most of it, and does not go on.
    let parts = match head.authorization {
        Authorization::One(token) => fields::around(raw, token),
        _ => [raw, b""],
    };
    match (in_force.guard).request_head(&parts, path, query.as_bytes(), lines, &mut scratch) {
        Verdict::Clean => Ok(alarmed(local, &mut scratch)),
        Verdict::Hit(hit) => Err(found(&hit, "blocked")),
    }
}

/// What a message goes on with all the same.
fn alarmed(local: &Local, scratch: &mut Scratch) -> Option<Box<FoundIdentity>> {
    noted(local, scratch).map(|hit| found(&hit, "alarmed"))
}

/// For the whole of one message.
fn scratch_of(local: &Local) -> RefMut<'_, Scratch> {
    let mut scratch = local.scratch.borrow_mut();
    // Of one that did not go on.
    scratch.take_alarm();
    scratch
}

/// Counts what is counted of a message that goes on, and hands on what it is let through with.
fn noted(local: &Local, scratch: &mut Scratch) -> Option<Hit> {
    let others = scratch.take_others();
    if others > 0 {
        local.counters.identities_of_others.add(others.into());
    }
    let alarm = scratch.take_alarm()?;
    local.counters.identities_alarmed.bump();
    Some(alarm)
}

/// Looks through the whole body of a request, and in the same way.
///
/// # Errors
/// As for [`request_head`].
pub fn request_body(
    body: &[u8],
    media: Media,
    local: &Local,
) -> Result<Option<Box<FoundIdentity>>, Box<FoundIdentity>> {
    let in_force = local.snapshot();
    let mut scratch = scratch_of(local);
    match in_force.guard.body(media, body, &mut scratch) {
        Verdict::Clean => Ok(alarmed(local, &mut scratch)),
        Verdict::Hit(hit) => Err(found(&hit, "blocked")),
    }
}

/// Looks at which members a JSON Patch is about, whose names stand in its pointers.
///
/// # Errors
/// One of them must not be there.
pub fn patch_of_request(body: &[u8], local: &Local) -> Result<(), Box<FoundIdentity>> {
    // It has been read as JSON; what is no operation the SCEF refuses.
    let operations = serde_json::from_slice(body).unwrap_or(Value::Null);
    let operations = operations.as_array().map_or(&[][..], Vec::as_slice);
    // Of an operation all but what it brings: some parsers take `Path` for `path`.
    let said = operations.iter().filter_map(Value::as_object).flatten();
    let pointers = said.filter_map(|(name, said)| said.as_str().filter(|_| name != "value"));
    match local.snapshot().guard.pointed_at(pointers) {
        None => Ok(()),
        Some(hit) => Err(found(&hit, "blocked")),
    }
}

/// How the body of an answer is read.
///
/// # Errors
/// It cannot be: it is compressed, or in letters that are not ASCII's.
pub fn media(head: &ResponseHead<'_, '_>) -> Result<Media, Stopped> {
    //= RFC 9110 section 8.4
    //# What is coded is not what it says; nobody was asked to code it.
    if fields::are_of_coded_body(head.fields) {
        return Err(Stopped::Unguarded("content_coding"));
    }
    let mut said = None;
    for field in head.fields {
        if field.name.len() == 12
            && field.name.eq_ignore_ascii_case("content-type")
            && said.replace(field.value).is_some()
        {
            return Err(Stopped::Unguarded("content_type_repeated"));
        }
    }
    let said = said.unwrap_or_default();
    let end = memchr::memchr(b';', said).unwrap_or(said.len());
    let (essence, parameters) = said.split_at(end);
    if names_other_letters(parameters) {
        return Err(Stopped::Unguarded("charset"));
    }
    // `application/json`, `application/problem+json`.
    let essence = essence.trim_ascii();
    let last = essence.last_chunk::<4>();
    Ok(
        match last.is_some_and(|last| last.eq_ignore_ascii_case(b"json")) {
            true => Media::Json,
            false => Media::Text,
        },
    )
}

/// Whether somebody may read a body as JSON: one that does not say what it is, too.
pub fn may_be_json(head: &ResponseHead<'_, '_>, media: Media) -> bool {
    let says = |name: &str| name.eq_ignore_ascii_case("content-type");
    media == Media::Json || !head.fields.iter().any(|field| says(field.name))
}

/// Whether parameters of a media type name an encoding in which digits are not ASCII's.
fn names_other_letters(parameters: &[u8]) -> bool {
    const ALIKE: [&[u8]; 3] = [b"utf-8", b"us-ascii", b"iso-8859-1"];
    let mut parameters = parameters.split(|octet| *octet == b';');
    parameters.any(|parameter| {
        let mut halves = parameter.splitn(2, |octet| *octet == b'=');
        let name = halves.next().unwrap_or_default().trim_ascii();
        let value = halves.next().unwrap_or_default().trim_ascii();
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let value = value.strip_suffix(b"\"").unwrap_or(value);
        name.eq_ignore_ascii_case(b"charset")
            && !ALIKE.iter().any(|alike| value.eq_ignore_ascii_case(alike))
    })
}

/// What becomes of the head of an answer.
pub struct Looked<'h, 'b> {
    /// As it has to be rewritten, and for what.
    pub rewritten: Option<(ResponseHead<'h, 'b>, Hit)>,
    /// It is let through with this in it.
    pub alarm: Option<Box<FoundIdentity>>,
}

/// Looks through the head of an answer, which is `raw`. Where it has to be rewritten its fields are
/// in `fields`.
///
/// # Errors
/// It must not leave.
pub fn answer_head<'h, 'b>(
    raw: &[u8],
    head: &ResponseHead<'_, 'b>,
    fields: &'h mut Vec<Header<'b>>,
    local: &Local,
) -> Result<Looked<'h, 'b>, Stopped> {
    let in_force = local.snapshot();
    let mut scratch = scratch_of(local);
    match judged(&in_force.guard, raw, head, &mut scratch) {
        Verdict::Clean => Ok(Looked {
            rewritten: None,
            alarm: alarmed(local, &mut scratch),
        }),
        Verdict::Hit(hit) if in_force.guard.action() != Action::Redact => {
            Err(Stopped::Identity(hit))
        }
        Verdict::Hit(hit) => match rewritten(&in_force.guard, head, fields, &mut scratch) {
            Some(head) => Ok(Looked {
                rewritten: Some((head, hit)),
                alarm: None,
            }),
            None => Err(Stopped::Identity(hit)),
        },
    }
}

fn judged(
    guard: &Guard,
    raw: &[u8],
    head: &ResponseHead<'_, '_>,
    scratch: &mut Scratch,
) -> Verdict {
    let fields = forwarded(head.fields, head.dropped);
    guard.head(raw, head.reason.as_bytes(), fields, scratch)
}

/// The head with what was found in it taken out; none where that was in a name.
#[cold]
fn rewritten<'h, 'b>(
    guard: &Guard,
    head: &ResponseHead<'_, 'b>,
    fields: &'h mut Vec<Header<'b>>,
    scratch: &mut Scratch,
) -> Option<ResponseHead<'h, 'b>> {
    fields.extend_from_slice(head.fields);
    for (place, field) in fields.iter_mut().enumerate() {
        let alone = std::iter::once((field.name.as_bytes(), field.value));
        let is_dropped = head.dropped >> place & 1 == 1;
        if !is_dropped && guard.head(field.value, b"", alone, scratch) != Verdict::Clean {
            field.value = guard.redacted_field(field.name.as_bytes());
        }
    }
    let reason = head.reason.as_bytes();
    let reason = match guard.head(reason, reason, std::iter::empty(), scratch) {
        Verdict::Clean => head.reason,
        Verdict::Hit(_) => "",
    };
    let head = ResponseHead {
        fields,
        reason,
        ..*head
    };
    // All that leaves once more, as it leaves.
    let leaves: Vec<u8> = forwarded(head.fields, head.dropped)
        .flat_map(|(name, value)| [name, b": ", value, b"\r\n"].concat())
        .collect();
    (judged(guard, &leaves, &head, scratch) == Verdict::Clean).then_some(head)
}

/// The fields of a head that go on.
fn forwarded<'h>(
    fields: &'h [Header<'h>],
    dropped: u64,
) -> impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone {
    let numbered = fields.iter().enumerate();
    let forwarded = numbered.filter(move |(place, _)| dropped >> place & 1 == 0);
    forwarded.map(|(_, field)| (field.name.as_bytes(), field.value))
}

/// As it is recorded, with what was done about it.
pub fn found(hit: &Hit, done: &'static str) -> Box<FoundIdentity> {
    Box::new(FoundIdentity {
        form: hit.form.word(),
        tier: hit.tier.word(),
        done,
        pseudonym: hit.pseudonym.to_string(),
        pointer: hit.pointer.clone(),
    })
}

#[cfg(test)]
mod planted;

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use super::*;
    use crate::http::head::{Method, response};

    fn read_as(fields: &str) -> Result<Media, &'static str> {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let mut slots = [const { MaybeUninit::uninit() }; crate::limits::FIELDS_MAX];
        let Ok(head) = response(head.as_bytes(), &mut slots, Method::Get) else {
            panic!("a head")
        };
        media(&head).map_err(|why| match why {
            Stopped::Unguarded(why) => why,
            Stopped::Identity(_) => "an identity",
        })
    }

    #[test]
    fn body_is_read_as_what_it_says_it_is_or_not_at_all() {
        for (fields, read) in [
            ("", Ok(Media::Text)),
            ("Content-Type: application/json\r\n", Ok(Media::Json)),
            (
                "content-type:application/Problem+JSON ;charset=\"UTF-8\"\r\n",
                Ok(Media::Json),
            ),
            (
                "Content-Type: text/plain; charset=us-ascii; x=y\r\n",
                Ok(Media::Text),
            ),
            (
                "Content-Type: json\r\nContent-Encoding: Identity\r\n",
                Ok(Media::Json),
            ),
            (
                "Content-Type: application/json; a=b; charset=utf-16le\r\n",
                Err("charset"),
            ),
            (
                "Content-Type: text/plain; Charset = utf-7\r\n",
                Err("charset"),
            ),
            ("Content-Encoding: gzip\r\n", Err("content_coding")),
            ("Content-Encoding: identity, br\r\n", Err("content_coding")),
            ("Content-Encoding: \r\n", Err("content_coding")),
            (
                "Content-Type: text/plain\r\nContent-Type: application/json\r\n",
                Err("content_type_repeated"),
            ),
        ] {
            assert_eq!(read_as(fields), read, "{fields}");
        }
    }
}
