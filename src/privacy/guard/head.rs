//! Heads of messages: the status line or the target, and the header fields.

use super::super::fields::{Kind, of_header};
use super::super::packed::CHARACTERS_MIN;
use super::{Guard, Scratch, Trace, Verdict};

impl Guard {
    /// The status line's text and the header fields, or trailers; `raw` are all the octets in which
    /// they stand, which are looked at once where nothing is to be found in them.
    pub fn head<'h>(
        &self,
        raw: &[u8],
        reason: &[u8],
        fields: impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone,
        scratch: &mut Scratch,
    ) -> Verdict {
        if self.is_clear(&[raw], fields.clone()) {
            return Verdict::Clean;
        }
        if let Some(found) = self.line(reason, Kind::Text, scratch) {
            return Verdict::Hit(found.at("status".to_owned()));
        }
        scratch.notes.stands(|| "status".to_owned());
        self.lines(fields, scratch)
    }

    /// The same of a request: its target and its header fields. Its octets may come in parts, and
    /// without what is not sent on.
    pub fn request_head<'h>(
        &self,
        parts: &[&[u8]],
        path: &[u8],
        query: &[u8],
        fields: impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone,
        scratch: &mut Scratch,
    ) -> Verdict {
        if self.is_clear(parts, fields.clone()) {
            return Verdict::Clean;
        }
        for (part, called) in [(path, "path"), (query, "query")] {
            if let Some(found) = self.line(part, Kind::Link, scratch) {
                return Verdict::Hit(found.at(called.to_owned()));
            }
            scratch.notes.stands(|| called.to_owned());
        }
        self.lines(fields, scratch)
    }

    /// Whether nothing of a head has to be looked into.
    fn is_clear<'h>(
        &self,
        parts: &[&[u8]],
        mut fields: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    ) -> bool {
        let may_hold_packed = |(name, value): (&[u8], &[u8])| {
            value.len() >= CHARACTERS_MIN
                && of_header(name) == Kind::Unknown
                && self.sieve.may_hold_packed(value)
        };
        parts.iter().all(|part| self.sieve.passes(part)) && !fields.any(may_hold_packed)
    }

    fn lines<'h>(
        &self,
        fields: impl Iterator<Item = (&'h [u8], &'h [u8])>,
        scratch: &mut Scratch,
    ) -> Verdict {
        for (name, value) in fields {
            if let Some(found) = self.line(name, Kind::Text, scratch) {
                return Verdict::Hit(found.at("header:*".to_owned()));
            }
            if let Some(found) = self.line(value, of_header(name), scratch) {
                return Verdict::Hit(found.at(format!("header:{}", shown(name))));
            }
            scratch.notes.stands(|| format!("header:{}", shown(name)));
        }
        Verdict::Clean
    }

    /// What stands for a header field's value that was found to hold an identity.
    pub fn redacted_field(&self, name: &[u8]) -> &'static [u8] {
        match of_header(name) {
            Kind::Link => b"https://redacted.invalid/",
            Kind::Number => b"0",
            _ => b"redacted",
        }
    }

    /// One line of a head.
    fn line(&self, line: &[u8], kind: Kind, scratch: &mut Scratch) -> Option<Trace> {
        let plain = matches!(
            kind,
            Kind::Text | Kind::Time | Kind::Number | Kind::Id | Kind::Link
        );
        if self.sieve.passes(line) && (plain || !self.sieve.may_hold_packed(line)) {
            return None;
        }
        let Scratch { layers, notes, .. } = scratch;
        self.look(line, kind, layers, notes)
            .or_else(|| self.tokens(line, layers, notes))
    }
}

/// The name of a header field, or `*` for one that could be somebody's: of letters alone, but for
/// 3GPP's own.
fn shown(name: &[u8]) -> String {
    const BYTES_MAX: usize = 32;
    let name = name.to_ascii_lowercase();
    let own = name.strip_prefix(b"3gpp-").unwrap_or(&name);
    let is_plain = name.len() <= BYTES_MAX
        && own
            .iter()
            .all(|octet| octet.is_ascii_lowercase() || *octet == b'-');
    match String::from_utf8(name) {
        Ok(name) if is_plain => name,
        _ => "*".to_owned(),
    }
}
