//! Links in bodies. A body is walked through once; what is no link is copied as it stands, octet
//! for octet, and where no link is to be led nothing is copied at all.

use std::borrow::Cow;

use memchr::memchr2;

use super::{LeadsPast, Led, Links};
use crate::authz::apis::Action;
use crate::authz::apis::shape::Shape::{Is, Members};
use crate::authz::apis::shape::{Kind, Shape};

/// Objects and arrays within each other.
const DEPTH_MAX: usize = 64;

/// Of what answers with a fault. `type` names a kind of fault, and may be anybody's.
pub const PROBLEM: Shape = Members(&[("instance", Is(Kind::ResourceLink))]);

/// Of what answers an operation with this status.
pub fn shape_of_answer(action: &Action, status: u16) -> Shape {
    match status {
        200..=299 => action.gives,
        _ => PROBLEM,
    }
}

/// Why a body cannot be passed on with its links led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// It is no JSON.
    Malformed,
    /// It goes too deep.
    TooDeep,
    /// As of [`Links::outward`].
    LeadsPast,
}

impl BodyFault {
    /// The word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Malformed => "body_malformed",
            Self::TooDeep => "body_too_deep",
            Self::LeadsPast => "link_leads_past",
        }
    }
}

impl From<LeadsPast> for BodyFault {
    fn from(_: LeadsPast) -> Self {
        Self::LeadsPast
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Outward,
    Inward,
}

impl Links {
    /// Writes what the SCEF says, of this shape, for a client: an answer, or what it sends by
    /// itself. False where nothing is to be changed: then nothing is written, and `body` will do.
    ///
    /// # Errors
    /// It must not leave, and nothing of it is written.
    pub fn body_outward(
        &self,
        body: &[u8],
        shape: Shape,
        out: &mut Vec<u8>,
    ) -> Result<bool, BodyFault> {
        lead(self, Way::Outward, body, shape, out)
    }

    /// Writes what a client says, of this shape, for the SCEF; else as
    /// [`body_outward`](Links::body_outward). Of a JSON Patch, whose operations are of no such
    /// shape, nothing is changed: what it may patch that is a link, only the SCEF makes.
    ///
    /// # Errors
    /// It is no JSON, or goes too deep.
    pub fn body_inward(
        &self,
        body: &[u8],
        shape: Shape,
        out: &mut Vec<u8>,
    ) -> Result<bool, BodyFault> {
        lead(self, Way::Inward, body, shape, out)
    }
}

fn lead(
    links: &Links,
    way: Way,
    body: &[u8],
    shape: Shape,
    out: &mut Vec<u8>,
) -> Result<bool, BodyFault> {
    let before = out.len();
    let mut walk = Walk {
        links,
        way,
        body,
        at: 0,
        copied: 0,
        out,
    };
    let walked = walk.value(Some(shape), DEPTH_MAX).and_then(|()| {
        walk.blanks();
        match walk.rest().is_empty() {
            true => Ok(()),
            false => Err(BodyFault::Malformed),
        }
    });
    if let Err(fault) = walked {
        out.truncate(before);
        return Err(fault);
    }
    if walk.copied == 0 {
        return Ok(false);
    }
    let rest = body.get(walk.copied..).unwrap_or_default();
    walk.out.extend_from_slice(rest);
    Ok(true)
}

struct Walk<'b, 'w> {
    links: &'w Links,
    way: Way,
    body: &'b [u8],
    at: usize,
    /// What stands before is written, or stands for what is.
    copied: usize,
    out: &'w mut Vec<u8>,
}

impl<'b> Walk<'b, '_> {
    fn rest(&self) -> &'b [u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        let is_blank = |b: &&u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.rest().iter().take_while(is_blank).count();
    }

    /// The next octet that is no blank; it is passed.
    fn mark(&mut self) -> Result<u8, BodyFault> {
        self.blanks();
        let mark = *self.rest().first().ok_or(BodyFault::Malformed)?;
        self.at += 1;
        Ok(mark)
    }

    fn value(&mut self, shape: Option<Shape>, depth_left: usize) -> Result<(), BodyFault> {
        match self.mark()? {
            b'{' => self.object(shape, depth_left.checked_sub(1).ok_or(BodyFault::TooDeep)?),
            b'[' => self.array(shape, depth_left.checked_sub(1).ok_or(BodyFault::TooDeep)?),
            b'"' => {
                let start = self.at;
                let text = self.string()?;
                match shape.and_then(Shape::kind) {
                    // Where the client is to be reached is its own to say, and the SCEF's to
                    // say again. One that names the gateway must not become one that names the
                    // SCEF, which would then call itself.
                    Some(Kind::SelfLink | Kind::ResourceLink | Kind::WebSocket) => {
                        self.link(start, text)
                    }
                    _ => Ok(()),
                }
            }
            first => {
                self.at -= 1;
                let is_part = |b: &&u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
                let length = self.rest().iter().take_while(is_part).count();
                let word = self.rest().get(..length).unwrap_or_default();
                let is_number = first == b'-' || first.is_ascii_digit();
                if !is_number && !matches!(word, b"true" | b"false" | b"null") {
                    return Err(BodyFault::Malformed);
                }
                self.at += length;
                Ok(())
            }
        }
    }

    fn object(&mut self, shape: Option<Shape>, depth_left: usize) -> Result<(), BodyFault> {
        let mut mark = self.mark()?;
        if mark == b'}' {
            return Ok(());
        }
        loop {
            if mark != b'"' {
                return Err(BodyFault::Malformed);
            }
            let name = self.string()?;
            // One that stands twice is led twice: whichever of the two a reader takes.
            let member = match shape {
                Some(shape) => shape.member(&unescaped(name)?),
                None => None,
            };
            if self.mark()? != b':' {
                return Err(BodyFault::Malformed);
            }
            self.value(member, depth_left)?;
            match self.mark()? {
                b',' => mark = self.mark()?,
                b'}' => return Ok(()),
                _ => return Err(BodyFault::Malformed),
            }
        }
    }

    fn array(&mut self, shape: Option<Shape>, depth_left: usize) -> Result<(), BodyFault> {
        if self.mark()? == b']' {
            return Ok(());
        }
        self.at -= 1;
        let item = shape.and_then(Shape::item);
        loop {
            self.value(item, depth_left)?;
            match self.mark()? {
                b',' => {}
                b']' => return Ok(()),
                _ => return Err(BodyFault::Malformed),
            }
        }
    }

    /// What stands up to the end of a string whose beginning is passed; the end is passed.
    fn string(&mut self) -> Result<&'b [u8], BodyFault> {
        let text = self.rest();
        let mut end = 0;
        loop {
            let left = text.get(end..).unwrap_or_default();
            end += memchr2(b'"', b'\\', left).ok_or(BodyFault::Malformed)?;
            if text.get(end) == Some(&b'"') {
                self.at += end + 1;
                return Ok(text.get(..end).unwrap_or_default());
            }
            end += 2;
        }
    }

    /// Leads the link that begins at `start`.
    fn link(&mut self, start: usize, text: &[u8]) -> Result<(), BodyFault> {
        let link = unescaped(text)?;
        let led = match self.way {
            Way::Outward => self.links.outward(&link)?,
            Way::Inward => self.links.inward(&link),
        };
        let Some(Led { root, rest }) = led else {
            return Ok(());
        };
        let before = self.body.get(self.copied..start).unwrap_or_default();
        self.out.extend_from_slice(before);
        self.out.extend_from_slice(root.as_bytes());
        // Of what JSON escapes, only this can be in a link that is led.
        for (place, part) in rest.split('"').enumerate() {
            if place > 0 {
                self.out.extend_from_slice(b"\\\"");
            }
            self.out.extend_from_slice(part.as_bytes());
        }
        self.copied = start + text.len();
        Ok(())
    }
}

/// What a string says, whose octets between the quotation marks these are.
fn unescaped(text: &[u8]) -> Result<Cow<'_, str>, BodyFault> {
    let text = std::str::from_utf8(text).map_err(|_| BodyFault::Malformed)?;
    if !text.contains('\\') {
        return Ok(Cow::Borrowed(text));
    }
    let quoted = format!("\"{text}\"");
    let read = serde_json::from_str(&quoted).map_err(|_| BodyFault::Malformed)?;
    Ok(Cow::Owned(read))
}
