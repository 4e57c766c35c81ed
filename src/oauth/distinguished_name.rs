//! Distinguished names as RFC 4514 writes them, held against a certificate's subject.
//!
//! Two names are the same when they have the same attributes in the same places. Values are
//! compared exactly, character for character, whatever string type a certificate has them in:
//! X.520 would ignore case and doubled spaces, but nobody registers a name with a typing error in
//! it on purpose, and what is compared exactly cannot be made to fit by anybody.

use x509_parser::asn1_rs::{Any, Class, FromDer, Tag};
use x509_parser::x509::{AttributeTypeAndValue, RelativeDistinguishedName, X509Name};

/// The short names that are known, and what they stand for: those of RFC 4514 and others that
/// openssl writes. Further types are written as numbers.
//= RFC 4514 section 3
//# A type is one of the short names, in any case, or an object identifier.
const SHORT_NAMES: [(&str, &str); 18] = [
    ("CN", "2.5.4.3"),
    ("serialNumber", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("SN", "2.5.4.4"),
    ("title", "2.5.4.12"),
    ("businessCategory", "2.5.4.15"),
    ("postalCode", "2.5.4.17"),
    ("GN", "2.5.4.42"),
    ("dnQualifier", "2.5.4.46"),
    ("organizationIdentifier", "2.5.4.97"),
];

/// Characters that stand for themselves in a value only behind `\`.
const ESCAPED: &[u8] = b"\"+,;<>\\";

/// A name, most specific part first; never empty.
#[derive(Debug, PartialEq, Eq)]
pub struct DistinguishedName(Vec<Vec<Attribute>>);

#[derive(Debug, PartialEq, Eq)]
struct Attribute {
    /// Its object identifier, in numbers and dots.
    oid: String,
    value: Value,
}

#[derive(Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    /// One DER element, as `#` and hexadecimal digits write it.
    Der(Vec<u8>),
}

impl DistinguishedName {
    /// Parses a name; the error says what is wrong with it.
    //= RFC 4514 section 2.1
    //# The parts are in the reverse of their order in a certificate, with commas between.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty, and an empty subject is nobody's".to_owned());
        }
        let mut rest = text.as_bytes();
        let mut parts = vec![Vec::new()];
        loop {
            let (attribute, behind) = attribute(rest)?;
            // Never empty: it begins with one part.
            if let Some(part) = parts.last_mut() {
                part.push(attribute);
            }
            match behind {
                [] => return Ok(Self(parts)),
                [b',', next @ ..] => {
                    parts.push(Vec::new());
                    rest = next;
                }
                //= RFC 4514 section 2.2
                //# Attributes that make up one part together have "+" between.
                [b'+', next @ ..] => rest = next,
                [other, ..] => {
                    let other = char::from(*other);
                    return Err(format!(
                        "{other:?} must be written with a backslash before it"
                    ));
                }
            }
        }
    }

    /// Whether this is the name of a certificate's subject.
    //= RFC 8705 section 2.1.2
    //# A registered subject DN is the whole subject of the certificate, not a part of it.
    pub fn is(&self, subject: &X509Name<'_>) -> bool {
        let theirs: Vec<_> = subject.iter().collect();
        self.0.len() == theirs.len()
            && self
                .0
                .iter()
                .zip(theirs.iter().rev())
                .all(|(ours, theirs)| is_part(ours, theirs))
    }
}

/// The attributes of one part have no order: each must have its twin, one for one.
fn is_part(ours: &[Attribute], theirs: &RelativeDistinguishedName<'_>) -> bool {
    let mut left: Vec<&Attribute> = ours.iter().collect();
    for their in theirs.iter() {
        let Some(twin) = left.iter().position(|our| our.is(their)) else {
            return false;
        };
        left.swap_remove(twin);
    }
    left.is_empty()
}

impl Attribute {
    fn is(&self, their: &AttributeTypeAndValue<'_>) -> bool {
        if self.oid != their.attr_type().to_id_string() {
            return false;
        }
        let their = their.attr_value();
        match &self.value {
            Value::Text(ours) => text(their).is_some_and(|theirs| *ours == theirs),
            Value::Der(ours) => Any::from_der(ours).is_ok_and(|(_, ours)| {
                (ours.class(), ours.tag(), ours.data) == (their.class(), their.tag(), their.data)
            }),
        }
    }
}

/// The characters of a value of one of the string types of DirectoryString and its relatives.
fn text(value: &Any<'_>) -> Option<String> {
    if value.class() != Class::Universal {
        return None;
    }
    let octets = value.data;
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            String::from_utf8(octets.to_vec()).ok()
        }
        // Beyond ASCII nobody agrees on what T.61 means.
        Tag::T61String if octets.is_ascii() => String::from_utf8(octets.to_vec()).ok(),
        Tag::BmpString => {
            let (units, []) = octets.as_chunks::<2>() else {
                return None;
            };
            let units: Vec<u16> = units.iter().copied().map(u16::from_be_bytes).collect();
            String::from_utf16(&units).ok()
        }
        Tag::UniversalString => {
            let (units, []) = octets.as_chunks::<4>() else {
                return None;
            };
            let letters = units.iter().copied().map(u32::from_be_bytes);
            letters.map(char::from_u32).collect()
        }
        _ => None,
    }
}

/// The attribute a name begins with, and what is behind it.
fn attribute(text: &[u8]) -> Result<(Attribute, &[u8]), String> {
    let end = text.iter().position(|byte| *byte == b'=').ok_or(
        "a part has no \"=\": every part is TYPE=VALUE, and a comma in a value is written \\,",
    )?;
    let (kind, rest) = text.split_at(end);
    let oid = object_identifier(&String::from_utf8_lossy(kind))?;
    let rest = rest.strip_prefix(b"=").unwrap_or(rest);
    let (value, rest) = match rest {
        [b'#', digits @ ..] => der(digits)?,
        _ => string(rest)?,
    };
    Ok((Attribute { oid, value }, rest))
}

fn object_identifier(kind: &str) -> Result<String, String> {
    let short = SHORT_NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(kind));
    if let Some((_, oid)) = short {
        return Ok((*oid).to_owned());
    }
    let number = |digits: &str| {
        digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.is_empty()
            && (digits == "0" || !digits.starts_with('0'))
    };
    if kind.contains('.') && kind.split('.').all(number) {
        return Ok(kind.to_owned());
    }
    let known: Vec<&str> = SHORT_NAMES.iter().map(|(name, _)| *name).collect();
    Err(format!(
        "the attribute type {kind:?} is neither an object identifier nor one of {} (no spaces \
         around it)",
        known.join(" ")
    ))
}

/// Hexadecimal digits up to the end of the value: one DER element.
//= RFC 4514 section 2.4
//# A value that begins with "#" is the hexadecimal form of its encoding.
fn der(text: &[u8]) -> Result<(Value, &[u8]), String> {
    let end = text.iter().position(|byte| b",+".contains(byte));
    let (mut digits, rest) = text.split_at(end.unwrap_or(text.len()));
    let mut octets = Vec::with_capacity(digits.len() / 2);
    while let [high, low, next @ ..] = digits {
        octets.push(
            octet(*high, *low).ok_or("a value behind # has digits that are not hexadecimal")?,
        );
        digits = next;
    }
    let one = matches!(Any::from_der(&octets), Ok(([], _)));
    match digits.is_empty() && one {
        true => Ok((Value::Der(octets), rest)),
        false => Err("a value behind # is not one DER element in hexadecimal digits".to_owned()),
    }
}

/// A value up to the `,` or `+` that ends it, or up to a character that needs a `\`.
//= RFC 4514 section 3
//# A backslash stands before a special character or before an octet of UTF-8 in two digits.
fn string(text: &[u8]) -> Result<(Value, &[u8]), String> {
    const BARE_SPACE: &str = "a space that begins or ends a value must be written \"\\ \"";
    const BAD_ESCAPE: &str =
        "a backslash stands neither before a special character nor before two hexadecimal digits";
    if text.first() == Some(&b' ') {
        return Err(BARE_SPACE.to_owned());
    }
    let mut octets = Vec::new();
    let mut ends_in_bare_space = false;
    let mut rest = text;
    loop {
        let (byte, next) = match rest {
            [b'\\', special, next @ ..] if is_special(*special) => (*special, next),
            [b'\\', high, low, next @ ..] => (octet(*high, *low).ok_or(BAD_ESCAPE)?, next),
            [b'\\', ..] => return Err(BAD_ESCAPE.to_owned()),
            [0, ..] => return Err("a NUL must be written \\00".to_owned()),
            [byte, next @ ..] if !ESCAPED.contains(byte) => (*byte, next),
            _ => break,
        };
        ends_in_bare_space = rest.first() == Some(&b' ');
        octets.push(byte);
        rest = next;
    }
    if ends_in_bare_space {
        return Err(BARE_SPACE.to_owned());
    }
    let value = String::from_utf8(octets)
        .map_err(|_| "a value is not UTF-8 once its escapes are undone".to_owned())?;
    Ok((Value::Text(value), rest))
}

fn is_special(byte: u8) -> bool {
    ESCAPED.contains(&byte) || b" #=".contains(&byte)
}

fn octet(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}
