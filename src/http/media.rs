//! What bodies are written in: `Content-Type` and `Accept` (RFC 9110 sections 8.3 and 12.5.1).

use super::is_token_byte;

/// What answers are written in, by the SCEF and by the gateway.
const JSON: &[u8] = b"json";
const PROBLEM_JSON: &[u8] = b"problem+json";
const APPLICATION: &[u8] = b"application";

/// Whether a `Content-Type` is this one, in UTF-8. Parameters other than `charset` say nothing of
/// JSON and are not looked at.
//= RFC 8259 section 8.1
//# JSON is UTF-8. In another charset somebody else might read another text.
pub fn is(value: &[u8], name: &str) -> bool {
    let name = name.as_bytes();
    if value == name {
        return true;
    }
    match value.split_at_checked(name.len()) {
        Some((own, parameters)) if own.eq_ignore_ascii_case(name) => {
            Parameters(parameters).all(|parameter| match parameter {
                Some((name, value)) if name.eq_ignore_ascii_case(b"charset") => {
                    unquoted(value).eq_ignore_ascii_case(b"utf-8")
                }
                Some(_) => true,
                None => false,
            })
        }
        _ => false,
    }
}

/// Whether whoever sends these `Accept` values takes `application/json` or
/// `application/problem+json`.
//= RFC 9110 section 12.5.1
//# The most specific range that matches decides, and q=0 is a refusal. Without a range at all
//# everything is taken.
pub fn accepts_json<'v>(values: impl Iterator<Item = &'v [u8]>) -> bool {
    let mut named = false;
    // Of `*/*`, `application/*` and the two types: whether it is taken, as far as it is named.
    let (mut any, mut application) = (None, None);
    let (mut json, mut problem) = (None, None);
    for value in values {
        // What most clients send is not taken apart: nothing takes back what is named first.
        match value.strip_prefix(b"application/json") {
            Some([] | [b',', ..]) => return true,
            _ if value == b"*/*" => (named, any) = (true, Some(true)),
            _ => {}
        }
        for range in Elements(value) {
            named = true;
            let Some(range) = Range::read(range) else {
                continue;
            };
            let place = match (range.main, range.sub) {
                (b"*", b"*") => &mut any,
                (main, b"*") if main.eq_ignore_ascii_case(APPLICATION) => &mut application,
                (main, sub) if !main.eq_ignore_ascii_case(APPLICATION) || sub == b"*" => continue,
                (_, sub) if sub.eq_ignore_ascii_case(JSON) => &mut json,
                (_, sub) if sub.eq_ignore_ascii_case(PROBLEM_JSON) => &mut problem,
                _ => continue,
            };
            // With a parameter it excludes that variant alone, and says nothing of the others.
            if range.is_taken || !range.has_parameters {
                *place = Some(place.unwrap_or(false) || range.is_taken);
            }
        }
    }
    let of = |exact: Option<bool>| exact.or(application).or(any).unwrap_or(false);
    !named || of(json) || of(problem)
}

/// A media range, and whether it is wanted.
struct Range<'v> {
    main: &'v [u8],
    sub: &'v [u8],
    has_parameters: bool,
    is_taken: bool,
}

impl<'v> Range<'v> {
    /// None where it is no media range.
    fn read(text: &'v [u8]) -> Option<Self> {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        let (name, parameters) = text.split_at_checked(end)?;
        let name = name.trim_ascii();
        let slash = memchr::memchr(b'/', name)?;
        let (main, sub) = (name.get(..slash)?, name.get(slash + 1..)?);
        if !is_token(main) || !is_token(sub) {
            return None;
        }
        let mut range = Self {
            main,
            sub,
            has_parameters: false,
            is_taken: true,
        };
        for parameter in Parameters(parameters) {
            let (name, value) = parameter?;
            match name.eq_ignore_ascii_case(b"q") {
                true => range.is_taken = weight_is_positive(value)?,
                false => range.has_parameters = true,
            }
        }
        Some(range)
    }
}

/// None where it is no weight.
//= RFC 9110 section 12.4.2
//# A weight is 0 or 1 with at most three digits behind the point; 0 means: not at all.
fn weight_is_positive(value: &[u8]) -> Option<bool> {
    let (whole, digits) = match value {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', digits @ ..] if digits.len() <= 3 => (whole, digits),
        _ => return None,
    };
    let zeros = digits.iter().all(|digit| *digit == b'0');
    match whole {
        b'0' if digits.iter().all(u8::is_ascii_digit) => Some(!zeros),
        b'1' if zeros => Some(true),
        _ => None,
    }
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

/// A pair of quotes, and inside no third one that is not escaped.
fn is_quoted(value: &[u8]) -> bool {
    let [b'"', inner @ .., b'"'] = value else {
        return false;
    };
    let mut escaped = false;
    let clean = inner.iter().all(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        !ends
    });
    clean && !escaped
}

fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

/// The end of what stands before the next `separator` that is not inside quotes.
fn end_of(text: &[u8], separator: u8) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return !quoted && *byte == separator,
        }
        false
    });
    end.unwrap_or(text.len())
}

/// The elements of a list, but the empty ones.
struct Elements<'v>(&'v [u8]);

impl<'v> Iterator for Elements<'v> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            let (element, rest) = self.0.split_at_checked(end_of(self.0, b','))?;
            self.0 = rest.get(1..).unwrap_or_default();
            let element = element.trim_ascii();
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}

/// The parameters behind a media type, from the first `;` on: names and values, and None for what
/// is neither.
struct Parameters<'v>(&'v [u8]);

impl<'v> Iterator for Parameters<'v> {
    type Item = Option<(&'v [u8], &'v [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.trim_ascii().is_empty() {
            let Some(text) = self.0.trim_ascii_start().strip_prefix(b";") else {
                self.0 = &[];
                return Some(None);
            };
            let (parameter, rest) = text.split_at_checked(end_of(text, b';'))?;
            self.0 = rest;
            let parameter = parameter.trim_ascii();
            //= RFC 9110 section 5.6.6
            //# A semicolon with nothing behind it is no parameter.
            if parameter.is_empty() {
                continue;
            }
            let (name, value) = match memchr::memchr(b'=', parameter) {
                Some(at) => (parameter.get(..at)?, parameter.get(at + 1..)?),
                None => return Some(None),
            };
            let is_value = is_token(value) || is_quoted(value);
            return Some((is_token(name) && is_value).then_some((name, value)));
        }
        None
    }
}

#[cfg(test)]
mod tests;
