//! What is done with a whole message: its head, and its body member by member.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use memchr::memchr;

use super::fields::{FieldKinds, Kind};
use super::filter::Filter;
use super::imsi::{Form, Found, Identity, Scanner, Tier, is_break};
use super::packed;
use super::pseudonym::{IdentityKind, Pseudonym, PseudonymKey};
use super::sieve::Sieve;
use super::spelling;
use super::walk::{Step, Walk};

use grammar::{Weight, hidden, instead_of, takes_packed, weight, without_grammar};

mod grammar;
mod head;
mod number;

/// What is packed within what is packed is looked into so far.
const LAYERS: usize = 3;

/// What becomes of a message in which something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Action {
    /// It does not leave.
    #[default]
    Block,
    /// It leaves with the value rewritten; where that is not possible it does not leave.
    Redact,
    /// As [`Self::Block`], but for digits that only look as those of a subscriber do and, as the
    /// set of known subscribers has it, are nobody's: they leave, and somebody is told.
    Alarm,
}

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/json` and what ends in `+json`.
    Json,
    /// Everything else: as one text.
    Text,
}

/// What was found, and where: nothing of the identity itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// A JSON pointer, `header:` and a name, `status`, `path`, `query`, or `body` where there is no
    /// member.
    pub pointer: String,
    pub form: Form,
    pub tier: Tier,
    pub pseudonym: Pseudonym,
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (form, tier) = (self.form.word(), self.tier.word());
        write!(f, "{form} ({tier}) at {}: {}", self.pointer, self.pseudonym)
    }
}

/// Whether a message may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    Hit(Hit),
}

/// Whether a message may leave once it has been rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redaction {
    /// As it came.
    Clean,
    /// With so many values rewritten; the first of them is named.
    Rewritten(Hit, u32),
    /// Not at all: what was found is in no value, or is there still.
    Refused(Hit),
}

/// What is kept from one message to the next: once its buffers are as long as the longest value,
/// nothing is allocated for a clean message.
pub struct Scratch {
    layers: [Layer; LAYERS],
    walk: Walk,
    name: Vec<u8>,
    notes: Notes,
}

/// What is to be told of messages that may leave.
#[derive(Default)]
struct Notes {
    others: u32,
    /// The first of this message that is let through, and where it stands.
    alarm: Option<(Trace, Option<String>)>,
}

impl Notes {
    /// Says where it stands, if that is not said yet.
    fn stands(&mut self, at: impl FnOnce() -> String) {
        if let Some((_, place @ None)) = &mut self.alarm {
            *place = Some(at());
        }
    }
}

#[derive(Default)]
struct Layer {
    text: Vec<u8>,
    next: Vec<u8>,
    folded: Vec<u8>,
    unpacked: Vec<u8>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            layers: Default::default(),
            walk: Walk::new(),
            name: Vec::new(),
            notes: Notes::default(),
        }
    }
}

impl Scratch {
    /// Runs of 14 or 15 digits of other networks that have stood where none have to, since this
    /// was last asked: to be counted, and nothing more.
    pub fn take_others(&mut self) -> u32 {
        std::mem::take(&mut self.notes.others)
    }

    /// What messages were let through with since this was last asked, where that is what is to be
    /// done: the first of it.
    pub fn take_alarm(&mut self) -> Option<Hit> {
        let (trace, at) = self.notes.alarm.take()?;
        Some(trace.at(at.unwrap_or_default()))
    }

    /// For the first value of a body.
    pub(super) fn restart(&mut self) {
        self.walk.restart();
    }

    /// Where the last value stands.
    pub(super) fn pointer(&self, of_name: bool) -> String {
        self.walk.pointer(of_name)
    }
}

/// What all messages pass.
pub struct Guard {
    scanner: Scanner,
    fields: FieldKinds,
    action: Action,
    known: Option<Filter>,
    key: PseudonymKey,
    sieve: Sieve,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("action", &self.action)
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

impl Guard {
    /// `known` must have been read with the same key.
    pub fn new(
        scanner: Scanner,
        fields: FieldKinds,
        action: Action,
        known: Option<Filter>,
        key: PseudonymKey,
    ) -> Self {
        let names = fields.internal().map(Into::into).collect();
        let sieve = Sieve::new(scanner.plmns(), names);
        Self {
            scanner,
            fields,
            action,
            known,
            key,
            sieve,
        }
    }

    /// The set of known subscribers.
    pub fn known(&self) -> Option<&Filter> {
        self.known.as_ref()
    }

    pub fn action(&self) -> Action {
        self.action
    }

    pub fn key(&self) -> &PseudonymKey {
        &self.key
    }

    /// A whole body.
    pub fn body(&self, media: Media, octets: &[u8], scratch: &mut Scratch) -> Verdict {
        if media == Media::Json && !self.fields.hides_network() && self.sieve.passes(octets) {
            return Verdict::Clean;
        }
        match self.searched(media, octets, scratch, &mut |_, _| false) {
            Some(hit) => Verdict::Hit(hit),
            None => Verdict::Clean,
        }
    }

    /// Judges a whole body, and rewrites it where that is what is to be done with what is found:
    /// the first of that comes back.
    ///
    /// # Errors
    /// It must not leave.
    pub fn clear(
        &self,
        media: Media,
        octets: &mut Vec<u8>,
        scratch: &mut Scratch,
    ) -> Result<Option<Hit>, Hit> {
        match self.body(media, octets, scratch) {
            Verdict::Clean => Ok(None),
            Verdict::Hit(hit) if self.action != Action::Redact => Err(hit),
            Verdict::Hit(_) => {
                let mut out = Vec::with_capacity(octets.len());
                match self.redact(media, octets, scratch, &mut out) {
                    Redaction::Clean => Ok(None),
                    Redaction::Rewritten(hit, _) => {
                        *octets = out;
                        Ok(Some(hit))
                    }
                    Redaction::Refused(hit) => Err(hit),
                }
            }
        }
    }

    /// A whole body, with what was found in it rewritten to `out`, by what its member holds.
    pub fn redact(
        &self,
        media: Media,
        octets: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Redaction {
        out.clear();
        let mut first = match self.body(media, octets, scratch) {
            Verdict::Clean => return Redaction::Clean,
            Verdict::Hit(hit) => hit,
        };
        let (mut copied, mut count) = (0, 0);
        let refused = self.searched(media, octets, scratch, &mut |span, value| {
            let Some(value) = value else { return false };
            out.extend_from_slice(octets.get(copied..span.start).unwrap_or_default());
            out.extend_from_slice(value.as_bytes());
            copied = span.end;
            count += 1;
            true
        });
        if let Some(hit) = refused {
            return Redaction::Refused(hit);
        }
        out.extend_from_slice(octets.get(copied..).unwrap_or_default());
        if let Verdict::Hit(hit) = self.body(media, out, scratch) {
            first = hit;
            count = 0;
        }
        if count > 0 {
            Redaction::Rewritten(first, count)
        } else {
            Redaction::Refused(first)
        }
    }

    /// The first that was found and that `rewrite` does not take: it is given where in the octets
    /// the value stands, and what may stand there instead.
    fn searched(
        &self,
        media: Media,
        octets: &[u8],
        scratch: &mut Scratch,
        rewrite: &mut dyn FnMut(Range<usize>, Option<&'static str>) -> bool,
    ) -> Option<Hit> {
        if media == Media::Text {
            return self
                .flat(octets, scratch)
                .map(|found| found.at("body".to_owned()));
        }
        scratch.restart();
        let mut at = 0;
        loop {
            let before = at;
            match self.value(octets, &mut at, true, scratch) {
                Value::Clean => {}
                Value::Found(found, length, of_name) => {
                    let instead = (!of_name).then(|| instead_of(scratch.walk.kind(), octets, at));
                    if !rewrite(at - length..at, instead) {
                        return Some(found.at(scratch.pointer(of_name)));
                    }
                }
                Value::End => return None,
                // What has been read was read as a client's parser would have; the rest is a text.
                Value::More | Value::Broken => {
                    let rest = octets.get(before..).unwrap_or_default();
                    let found = self.flat(rest, scratch);
                    return found.map(|found| found.at("body".to_owned()));
                }
            }
        }
    }

    /// The next of a body's names and values.
    pub(super) fn value(
        &self,
        octets: &[u8],
        at: &mut usize,
        last: bool,
        scratch: &mut Scratch,
    ) -> Value {
        let Scratch {
            layers,
            walk,
            name: buffer,
            notes,
        } = scratch;
        match walk.step(octets, at, last) {
            Step::Name(name) => {
                walk.names(self.kind_of(name, buffer, layers));
                let found = self.look(name, Kind::Text, layers, notes);
                notes.stands(|| walk.pointer(true));
                match found {
                    Some(found) => Value::Found(found, name.len() + 2, true),
                    None => Value::Clean,
                }
            }
            Step::Text(text) => {
                let kind = walk.kind();
                let found = self.look(text, kind, layers, notes).or_else(|| {
                    let form = hidden(kind).filter(|_| !text.is_empty())?;
                    Some(self.trace_of_member(form, text))
                });
                notes.stands(|| walk.pointer(false));
                found.map_or(Value::Clean, |found| {
                    Value::Found(found, text.len() + 2, false)
                })
            }
            Step::Number(number) => {
                let found = self.number(number, walk.kind(), notes);
                notes.stands(|| walk.pointer(false));
                found.map_or(Value::Clean, |found| {
                    Value::Found(found, number.len(), false)
                })
            }
            Step::More => Value::More,
            Step::End => Value::End,
            Step::Broken => Value::Broken,
        }
    }

    /// What a member holds whose name may be written with escapes, or with letters that only look
    /// as those of one that must not be there.
    fn kind_of(&self, name: &[u8], buffer: &mut Vec<u8>, layers: &mut [Layer]) -> Option<Kind> {
        if spelling::is_plain(name) {
            return self.fields.named(name);
        }
        spelling::decode(name, buffer);
        let looks_hidden = layers.first_mut().and_then(|layer| {
            spelling::fold(buffer, &mut layer.folded);
            self.fields.hidden(&layer.folded)
        });
        looks_hidden.or_else(|| match name.contains(&b'%') {
            // No API has such a name, and no client reads one so.
            true => self.fields.named(name),
            false => self.fields.named(buffer),
        })
    }

    /// A text without members: nothing in it has to look like an IMSI.
    pub(super) fn flat(&self, text: &[u8], scratch: &mut Scratch) -> Option<Trace> {
        let Scratch { layers, notes, .. } = scratch;
        let found = self
            .look(text, Kind::Text, layers, notes)
            .or_else(|| self.tokens(text, layers, notes));
        notes.stands(|| "body".to_owned());
        found
    }

    /// Each part of a text that may be base64 or hexadecimal by itself; with its escapes undone as
    /// well, which part it otherwise.
    fn tokens(&self, text: &[u8], layers: &mut [Layer], notes: &mut Notes) -> Option<Trace> {
        let found = self.tokens_of(text, layers, notes);
        found.or_else(|| {
            let (layer, inner) = layers.split_first_mut()?;
            let escaped = spelling::decode(text, &mut layer.text);
            escaped.then(|| self.tokens_of(&layer.text, inner, notes))?
        })
    }

    fn tokens_of(&self, text: &[u8], layers: &mut [Layer], notes: &mut Notes) -> Option<Trace> {
        let apart = |octet: &u8| is_break(*octet) || matches!(octet, b' ' | b':' | b'&' | b'?');
        text.split(apart)
            .flat_map(|part| {
                // A name may stand before it.
                let value = memchr(b'=', part).and_then(|at| part.get(at + 1..));
                [Some(part), value].into_iter().flatten()
            })
            .filter(|part| part.len() >= packed::CHARACTERS_MIN)
            .find_map(|part| self.unpacked(part, layers, notes))
    }

    /// A value in every spelling that it may have.
    fn look(
        &self,
        raw: &[u8],
        kind: Kind,
        layers: &mut [Layer],
        notes: &mut Notes,
    ) -> Option<Trace> {
        if spelling::is_plain(raw) {
            return self
                .plain(raw, kind, notes)
                .or_else(|| self.packed(raw, kind, layers, notes));
        }
        let (layer, inner) = layers.split_first_mut()?;
        let Layer {
            text,
            next,
            folded,
            unpacked,
        } = layer;
        text.clear();
        text.extend_from_slice(raw);
        let mut kind = kind;
        for round in 0..=spelling::ROUNDS_MAX {
            spelling::fold(text, folded);
            // No field of a grammar has other scripts' digits in it, nor any that are encoded, nor
            // what is not seen.
            if folded != text || text.contains(&b'%') {
                kind = without_grammar(kind);
            }
            // As it stands as well: what is left out in one reading ends a run in another.
            let found = self.plain(text, kind, notes);
            let found = found.or_else(|| self.plain(folded, kind, notes));
            // What is packed in here has the next layer's buffers, as this one's are in use.
            let found = found.or_else(|| {
                if takes_packed(kind, folded) {
                    self.unpacked_into(folded, unpacked, inner, notes)
                } else {
                    None
                }
            });
            if found.is_some() {
                return found;
            }
            if round == spelling::ROUNDS_MAX || !spelling::decode(text, next) {
                break;
            }
            std::mem::swap(text, next);
        }
        None
    }

    fn packed(
        &self,
        text: &[u8],
        kind: Kind,
        layers: &mut [Layer],
        notes: &mut Notes,
    ) -> Option<Trace> {
        if takes_packed(kind, text) {
            self.unpacked(text, layers, notes)
        } else {
            None
        }
    }

    fn unpacked(&self, text: &[u8], layers: &mut [Layer], notes: &mut Notes) -> Option<Trace> {
        let (layer, inner) = layers.split_first_mut()?;
        self.unpacked_into(text, &mut layer.unpacked, inner, notes)
    }

    /// What base64 or hexadecimal from the first octet to the last holds: half-octets, or a text.
    fn unpacked_into(
        &self,
        text: &[u8],
        octets: &mut Vec<u8>,
        inner: &mut [Layer],
        notes: &mut Notes,
    ) -> Option<Trace> {
        let text = text.trim_ascii();
        for decode in [packed::base64, packed::hex] {
            if !decode(text, octets) {
                continue;
            }
            let found = packed::tbcd(octets, self.scanner.plmns());
            if let Some(found) = found {
                return Some(self.trace(found, octets));
            }
            if let Some(found) = self.look(octets, Kind::Unknown, inner, notes) {
                return Some(found);
            }
        }
        None
    }

    /// A text as it is read.
    fn plain(&self, text: &[u8], kind: Kind, notes: &mut Notes) -> Option<Trace> {
        if let Some(found) = self.scanner.explicit(text) {
            return Some(self.trace(found, text));
        }
        self.digits(text, weight(kind, text), notes)
    }

    fn digits(&self, text: &[u8], weight: Weight, notes: &mut Notes) -> Option<Trace> {
        let is_known = |imsi: &[u8]| {
            let known = self.known.as_ref();
            known.map(|known| known.knows(imsi, &self.key))
        };
        let nobodys = Cell::new(None);
        let weigh = |imsi: &[u8]| match weight {
            // Only who says who the subscribers are can have others' digits let through.
            Weight::Full if self.action == Action::Alarm => match is_known(imsi) {
                Some(false) => {
                    nobodys.set(Some(self.key.pseudonym(IdentityKind::Imsi, imsi)));
                    None
                }
                known => Some(known.map_or(Tier::Digits, |_| Tier::Known)),
            },
            Weight::Full => Some(Tier::Digits),
            Weight::UnlessUnknown => match is_known(imsi) {
                None => Some(Tier::Digits),
                Some(known) => known.then_some(Tier::Known),
            },
            Weight::IfKnown => is_known(imsi).unwrap_or(false).then_some(Tier::Known),
        };
        let mut unused = 0;
        let others = if weight == Weight::Full {
            &mut notes.others
        } else {
            &mut unused
        };
        let found = self.scanner.digits(text, &weigh, others);
        if let Some(pseudonym) = nobodys.take() {
            let trace = Trace {
                form: Form::Imsi,
                tier: Tier::Digits,
                pseudonym,
            };
            notes.alarm.get_or_insert((trace, None));
        }
        Some(self.trace(found?, text))
    }

    fn trace(&self, found: Found, text: &[u8]) -> Trace {
        let pseudonym = match found.identity {
            Identity::Digits(digits) => self.key.pseudonym(IdentityKind::Imsi, digits.as_bytes()),
            Identity::Span(span) => {
                let identity = text.get(span).unwrap_or_default();
                self.key.pseudonym(IdentityKind::Internal, identity)
            }
        };
        Trace {
            form: found.form,
            tier: found.tier,
            pseudonym,
        }
    }

    /// The first member that must not be there of those that a patch's JSON pointers lead through.
    pub fn pointed_at<'p>(&self, pointers: impl IntoIterator<Item = &'p str>) -> Option<Hit> {
        let mut names = { pointers.into_iter() }.flat_map(|pointer| pointer.split('/'));
        let (mut decoded, mut folded) = (Vec::new(), Vec::new());
        names.find_map(|name| {
            spelling::decode(name.as_bytes(), &mut decoded);
            spelling::fold(&decoded, &mut folded);
            let form = hidden(self.fields.hidden(&folded)?)?;
            let trace = self.trace_of_member(form, name.as_bytes());
            Some(trace.at("/*/path".to_owned()))
        })
    }

    fn trace_of_member(&self, form: Form, value: &[u8]) -> Trace {
        Trace {
            form,
            tier: Tier::Explicit,
            pseudonym: self.key.pseudonym(IdentityKind::Internal, value),
        }
    }
}

/// What was found, without where.
pub(super) struct Trace {
    form: Form,
    tier: Tier,
    pseudonym: Pseudonym,
}

impl Trace {
    pub(super) fn at(self, pointer: String) -> Hit {
        let Self {
            form,
            tier,
            pseudonym,
        } = self;
        Hit {
            pointer,
            form,
            tier,
            pseudonym,
        }
    }
}

/// What the next part of a body is.
pub(super) enum Value {
    Clean,
    /// With how many octets it has, quotation marks included, and whether it is a name.
    Found(Trace, usize, bool),
    More,
    End,
    Broken,
}

#[cfg(test)]
pub(super) mod tests;
