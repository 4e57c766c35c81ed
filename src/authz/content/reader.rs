//! Through a body and its shape at once.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Content, DEPTH_MAX, Fault, Named, Origin, SELECTORS_MAX, UES_MAX, VALUES_MAX};
use super::{names_subscribers, ue};
use crate::authz::apis::shape::{Kind, NOTHING, Role, Shape};

/// So many members most bodies have, with all objects around one another.
const NAMES: usize = 16;
/// How names begin that serde_json reads otherwise than as names, where it makes a value of a text.
const RESERVED: &str = "$serde_json::private::";

pub(super) fn read(body: &[u8], shape: Shape, origin: Origin) -> Result<Content<'_>, Fault> {
    let body = std::str::from_utf8(body).map_err(|_| Fault::Malformed)?;
    let mut reader = Reader {
        origin,
        content: Content::default(),
        names: Vec::with_capacity(NAMES),
        ip_domain: None,
        is_beside: false,
        values_left: VALUES_MAX,
        fault: Fault::Malformed,
    };
    let mut json = serde_json::Deserializer::from_str(body);
    let value = Value {
        reader: &mut reader,
        shape,
        depth_left: DEPTH_MAX,
    };
    // serde's error type can carry words only; the reason travels beside it.
    let read = value.deserialize(&mut json);
    read.map_err(|_| reader.fault)?;
    json.end().map_err(|_| Fault::Malformed)?;
    Ok(reader.content)
}

struct Reader<'b> {
    origin: Origin,
    content: Content<'b>,
    /// Names of the members of all objects around what is read.
    names: Vec<Cow<'b, str>>,
    /// The place of the one that stands in the innermost object.
    ip_domain: Option<usize>,
    /// Whom the whole is about stands elsewhere than what is read.
    is_beside: bool,
    values_left: usize,
    /// Why reading stops, if it does.
    fault: Fault,
}

impl<'b> Reader<'b> {
    fn refuse<E: Error>(&mut self, fault: Fault) -> E {
        self.fault = fault;
        E::custom("refused")
    }

    fn text(&mut self, kind: Kind, text: Cow<'b, str>) -> Result<(), Fault> {
        let kind = match kind {
            Kind::ExternalId => ue::Kind::ExternalId,
            Kind::Msisdn => ue::Kind::Msisdn,
            Kind::ExternalGroupId => ue::Kind::ExternalGroupId,
            Kind::Gpsi => ue::Kind::Gpsi,
            Kind::Ipv4 => ue::Kind::Ipv4,
            Kind::Ipv6 => ue::Kind::Ipv6,
            Kind::Ipv6Prefix => ue::Kind::Ipv6Prefix,
            Kind::Mac => ue::Kind::Mac,
            //= TS 33.501 clause 5.9.2.3
            //# A SUPI is nothing that an AF outside the operator's domain knows, so it names none.
            Kind::Supi | Kind::InternalGroupId => {
                return match self.origin {
                    Origin::Representation => Ok(()),
                    Origin::Request | Origin::MergePatch => Err(Fault::Internal),
                };
            }
            Kind::AkmaKeyId | Kind::ApplicationLayerId | Kind::LineId => {
                self.content.unlisted = true;
                self.content.selects |= !self.is_beside;
                return Ok(());
            }
            Kind::IpDomain => {
                self.ip_domain = Some(self.content.ip_domains.len());
                self.content.ip_domains.push(text);
                return Ok(());
            }
            Kind::MonitoringType => return once(&mut self.content.monitoring_types, text),
            Kind::ScsAsId => {
                self.content.scs_as_ids.push(text);
                return Ok(());
            }
            Kind::AnyUe | Kind::Port => return Err(Fault::WrongType),
            // They say nothing that is judged.
            Kind::SelfLink
            | Kind::ResourceLink
            | Kind::Callback
            | Kind::WebSocket
            | Kind::FlowAddress
            | Kind::OtherAddress
            | Kind::MtcProviderId
            | Kind::Dnn
            | Kind::Snssai
            | Kind::Event
            | Kind::Application
            | Kind::Sponsor
            | Kind::QosReference => return Ok(()),
        };
        if self.content.named.len() == UES_MAX {
            return Err(Fault::TooMany);
        }
        self.content.selects |= !self.is_beside;
        self.content.named.push(Named {
            kind,
            text,
            ip_domain: None,
        });
        Ok(())
    }

    /// What no text is.
    fn other(&mut self, shape: Shape, value: Other) -> Result<(), Fault> {
        let is_taken_away = self.origin != Origin::Request || !names_subscribers(shape);
        match (shape, value) {
            (Shape::Is(Kind::AnyUe), Other::Bool(is_any)) => {
                self.content.any_ue |= is_any;
                Ok(())
            }
            (Shape::Is(Kind::Port), Other::Unsigned(number)) => {
                let port = u16::try_from(number).map_err(|_| Fault::WrongType)?;
                once(&mut self.content.ports, port)
            }
            (_, Other::Null) if is_taken_away => Ok(()),
            (shape, _) if is_open(shape) => Ok(()),
            _ => Err(Fault::WrongType),
        }
    }

    /// Ends an object whose members' names begin there, with the identities from there on.
    fn end_object(&mut self, names: usize, named: usize) -> Result<(), Fault> {
        //= RFC 8259 section 4
        //# What parsers make of a name that stands twice differs, so it is refused.
        let own = self.names.get_mut(names..).unwrap_or_default();
        own.sort_unstable();
        if own.array_windows().any(|[one, next]| one == next) {
            return Err(Fault::DuplicateMember);
        }
        self.names.truncate(names);
        // It stands before them or behind, or around the object that they stand in.
        let beside = self.content.named.get_mut(named..).unwrap_or_default();
        for named in beside.iter_mut().filter(|named| named.ip_domain.is_none()) {
            named.ip_domain = self.ip_domain;
        }
        Ok(())
    }
}

fn once<T: PartialEq>(list: &mut Vec<T>, value: T) -> Result<(), Fault> {
    if list.contains(&value) {
        return Ok(());
    }
    if list.len() == SELECTORS_MAX {
        return Err(Fault::TooMany);
    }
    list.push(value);
    Ok(())
}

fn has_nul(text: &str) -> bool {
    memchr::memchr(0, text.as_bytes()).is_some()
}

enum Other {
    Null,
    Bool(bool),
    Unsigned(u64),
    Number,
}

/// Whether a value of any type may stand there: nothing that is judged or rewritten does.
fn is_open(shape: Shape) -> bool {
    match shape {
        Shape::Members([]) => true,
        Shape::Is(kind) => match kind.role() {
            Role::Subscriber | Role::Link => false,
            Role::Context => !matches!(kind, Kind::IpDomain | Kind::ScsAsId),
            Role::Service => !matches!(kind, Kind::MonitoringType | Kind::Port),
        },
        Shape::Beside(shape) | Shape::Alone(shape) => is_open(*shape),
        Shape::Members(_) | Shape::Items(_) | Shape::Values(_) | Shape::Either(_) => false,
    }
}

fn is_object(shape: Shape) -> bool {
    match shape {
        Shape::Members(_) | Shape::Values(_) => true,
        Shape::Either(shapes) => shapes.iter().any(|shape| is_object(*shape)),
        Shape::Beside(shape) | Shape::Alone(shape) => is_object(*shape),
        Shape::Is(_) | Shape::Items(_) => is_open(shape),
    }
}

fn is_array(shape: Shape) -> bool {
    shape.item().is_some() || is_open(shape)
}

/// What is known of a member of that name.
enum Member {
    Known(Shape),
    /// Nothing, but it is called as a known one, but for case.
    Lookalike,
    Unknown,
}

impl Member {
    fn of(shape: Shape, name: &str) -> Self {
        match shape {
            Shape::Members(members) => Self::among(members, name),
            Shape::Values(shape) => Self::Known(*shape),
            Shape::Either(shapes) => {
                let mut seen = Self::Unknown;
                for shape in shapes {
                    match Self::of(*shape, name) {
                        Self::Known(shape) => return Self::Known(shape),
                        Self::Lookalike => seen = Self::Lookalike,
                        Self::Unknown => {}
                    }
                }
                seen
            }
            Shape::Beside(shape) | Shape::Alone(shape) => Self::of(*shape, name),
            Shape::Is(_) | Shape::Items(_) => Self::Unknown,
        }
    }

    fn among(members: &'static [(&'static str, Shape)], name: &str) -> Self {
        let is_ascii = name.is_ascii();
        let mut seen = Self::Unknown;
        for (known, shape) in members {
            // Most are of another length than any that is known.
            if is_ascii && known.len() != name.len() {
                continue;
            }
            if *known == name {
                return Self::Known(*shape);
            }
            if equals_folded(known, name) {
                seen = Self::Lookalike;
            }
        }
        seen
    }
}

/// Go's encoding/json takes members by Unicode's simple folding, in which ſ is an s and the Kelvin
/// sign a k; Java's `equalsIgnoreCase` takes the Turkish i's, dotted or not, for an i.
pub(super) fn equals_folded(known: &str, name: &str) -> bool {
    if name.is_ascii() {
        return known.eq_ignore_ascii_case(name);
    }
    let folded = name.chars().map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        '\u{130}' | '\u{131}' => 'i',
        letter => letter.to_ascii_lowercase(),
    });
    folded.eq(known.chars().map(|letter| letter.to_ascii_lowercase()))
}

struct Value<'r, 'b> {
    reader: &'r mut Reader<'b>,
    shape: Shape,
    depth_left: usize,
}

impl Value<'_, '_> {
    fn other<E: Error>(self, value: Other) -> Result<(), E> {
        let read = self.reader.other(self.shape, value);
        read.map_err(|fault| self.reader.refuse(fault))
    }

    /// How much deeper it may go inside.
    fn inner<E: Error>(&mut self) -> Result<usize, E> {
        let left = self.depth_left.checked_sub(1);
        left.ok_or_else(|| self.reader.refuse(Fault::TooDeep))
    }
}

impl<'b> Value<'_, 'b> {
    fn text<E: Error>(self, text: Cow<'b, str>) -> Result<(), E> {
        let read = match self.shape {
            // Only an escape writes one, and a text with escapes is not borrowed.
            _ if matches!(&text, Cow::Owned(text) if has_nul(text)) => Err(Fault::Nul),
            Shape::Is(kind) => self.reader.text(kind, text),
            shape if is_open(shape) => Ok(()),
            _ => Err(Fault::WrongType),
        };
        read.map_err(|fault| self.reader.refuse(fault))
    }
}

impl<'b> Value<'_, 'b> {
    fn of(&mut self, shape: Shape) -> Value<'_, 'b> {
        Value {
            reader: &mut *self.reader,
            shape,
            depth_left: self.depth_left,
        }
    }

    fn beside<D: Deserializer<'b>>(mut self, shape: Shape, json: D) -> Result<(), D::Error> {
        let around = std::mem::replace(&mut self.reader.is_beside, true);
        self.of(shape).deserialize(json)?;
        self.reader.is_beside = around;
        Ok(())
    }

    fn alone<D: Deserializer<'b>>(mut self, shape: Shape, json: D) -> Result<(), D::Error> {
        let before = std::mem::take(&mut self.reader.content.selects);
        self.of(shape).deserialize(json)?;
        let content = &mut self.reader.content;
        content.any_ue |= !content.selects;
        content.selects |= before;
        Ok(())
    }
}

impl<'b> DeserializeSeed<'b> for Value<'_, 'b> {
    type Value = ();

    fn deserialize<D: Deserializer<'b>>(self, json: D) -> Result<(), D::Error> {
        match self.shape {
            Shape::Beside(shape) => return self.beside(*shape, json),
            Shape::Alone(shape) => return self.alone(*shape, json),
            _ => {}
        }
        match self.reader.values_left.checked_sub(1) {
            Some(left) => self.reader.values_left = left,
            None => return Err(self.reader.refuse(Fault::TooMany)),
        }
        json.deserialize_any(self)
    }
}

impl<'b> Visitor<'b> for Value<'_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.other(Other::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.other(Other::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.other(Other::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.other(Other::Number)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.other(Other::Number)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'b str) -> Result<(), E> {
        self.text(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.text(Cow::Owned(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'b>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let depth_left = self.inner()?;
        if !is_array(self.shape) {
            return Err(self.reader.refuse(Fault::WrongType));
        }
        let shape = self.shape.item().unwrap_or(NOTHING);
        loop {
            let element = Value {
                reader: &mut *self.reader,
                shape,
                depth_left,
            };
            if elements.next_element_seed(element)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'b>>(mut self, mut members: A) -> Result<(), A::Error> {
        let depth_left = self.inner()?;
        if !is_object(self.shape) {
            return Err(self.reader.refuse(Fault::WrongType));
        }
        let reader = self.reader;
        let (names, named) = (reader.names.len(), reader.content.named.len());
        let around = reader.ip_domain.take();
        while let Some(name) = members.next_key_seed(Text)? {
            if matches!(&name, Cow::Owned(name) if has_nul(name)) {
                return Err(reader.refuse(Fault::Nul));
            }
            if name.starts_with(RESERVED) {
                return Err(reader.refuse(Fault::Reserved));
            }
            let shape = match Member::of(self.shape, &name) {
                Member::Known(shape) => shape,
                Member::Lookalike => return Err(reader.refuse(Fault::Lookalike)),
                Member::Unknown => NOTHING,
            };
            reader.names.push(name);
            members.next_value_seed(Value {
                reader: &mut *reader,
                shape,
                depth_left,
            })?;
        }
        let ended = reader.end_object(names, named);
        ended.map_err(|fault| reader.refuse(fault))?;
        reader.ip_domain = around;
        Ok(())
    }
}

/// A text, borrowed where it has no escapes.
struct Text;

impl<'b> DeserializeSeed<'b> for Text {
    type Value = Cow<'b, str>;

    fn deserialize<D: Deserializer<'b>>(self, json: D) -> Result<Cow<'b, str>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'b> Visitor<'b> for Text {
    type Value = Cow<'b, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'b str) -> Result<Cow<'b, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cow<'b, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
