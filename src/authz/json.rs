//! A strict reader of JSON objects, for what decides about access: a member that stands twice
//! makes two parsers see two different tokens, so it is refused wherever it stands.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Objects and arrays within each other; a token's claims need three.
const DEPTH_MAX: usize = 16;

/// A JSON value. No `Debug`: it may hold a token's claims.
pub(super) enum Json {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative,
    Float(f64),
    String(String),
    Array(Vec<Json>),
    Object(Object),
}

/// The members of an object, each name once.
pub(super) type Object = BTreeMap<String, Json>;

impl Json {
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Why bytes are not a JSON object to rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonFault {
    /// Not UTF-8, not JSON, not an object where one must be, a number out of range, or bytes after
    /// its end.
    Malformed,
    /// Two members of one object have the same name, however it is spelt.
    DuplicateMember,
    /// Deeper than [`DEPTH_MAX`].
    TooDeep,
}

/// Reads one object and nothing after it but white space.
pub(super) fn object(bytes: &[u8]) -> Result<Object, JsonFault> {
    match value(bytes)? {
        Json::Object(members) => Ok(members),
        _ => Err(JsonFault::Malformed),
    }
}

/// Reads one value and nothing after it but white space.
//= RFC 7519 section 4
//# Of claims with the same name none is taken: the token is refused.
pub(super) fn value(bytes: &[u8]) -> Result<Json, JsonFault> {
    //= RFC 8725 section 3.7
    //# JSON is UTF-8; what is not is refused, and no other encoding is guessed.
    let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::Malformed)?;
    // serde's error type can carry words only; the reason travels beside it.
    let fault = Cell::new(JsonFault::Malformed);
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Value {
        depth_left: DEPTH_MAX,
        fault: &fault,
    };
    let value = seed.deserialize(&mut reader).map_err(|_| fault.get())?;
    reader.end().map_err(|_| JsonFault::Malformed)?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Value<'f> {
    depth_left: usize,
    fault: &'f Cell<JsonFault>,
}

impl Value<'_> {
    fn refuse<E: Error>(&self, fault: JsonFault) -> E {
        self.fault.set(fault);
        E::custom("refused")
    }

    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(self.refuse(JsonFault::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(u64::try_from(value).map_or(Json::Negative, Json::Unsigned))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut members = Object::new();
        // Names arrive unescaped, so an escaped twin is found as well.
        while let Some(name) = entries.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(self.refuse(JsonFault::DuplicateMember));
            }
            members.insert(name, entries.next_value_seed(inner)?);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<JsonFault> {
        object(text.as_bytes()).err()
    }

    #[test]
    fn an_object_is_read() {
        let read = object(br#" {"a":"x\u00e9","b":[1,-1,1.5,true,null,{}]} "#)
            .ok()
            .unwrap();
        assert_eq!(read["a"].as_str(), Some("x\u{e9}"));
        let Json::Array(values) = &read["b"] else {
            panic!("an array")
        };
        assert!(matches!(
            values[..],
            [
                Json::Unsigned(1),
                Json::Negative,
                Json::Float(_),
                Json::Bool(true),
                Json::Null,
                _
            ]
        ));
    }

    //= RFC 7519 section 4 type=test
    //# A repeated name is refused at every depth.
    #[test]
    fn duplicate_members_are_refused_at_every_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"o":{"a":1,"b":2,"a":3}}"#,
            r#"{"l":[1,{"a":1,"a":2}]}"#,
            r#"{"":1,"":2}"#,
        ] {
            assert_eq!(fault(text), Some(JsonFault::DuplicateMember), "{text}");
        }
    }

    #[test]
    fn duplicate_members_spelt_with_escapes_are_refused() {
        let twice = r#"{"iss":"a","\u0069ss":"b"}"#;
        assert_eq!(fault(twice), Some(JsonFault::DuplicateMember));
    }

    #[test]
    fn names_that_differ_in_case_are_two_members() {
        assert_eq!(fault(r#"{"iss":"a","ISS":"b"}"#), None);
    }

    #[test]
    fn bytes_after_the_object_are_refused() {
        for text in [r#"{}{}"#, r#"{} x"#, "{}\0", "{},"] {
            assert_eq!(fault(text), Some(JsonFault::Malformed), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            "[]",
            "1",
            "\"{}\"",
            "null",
            "{",
            "{\"a\"}",
            "{'a':1}",
            "{\"a\":1,}",
        ] {
            assert_eq!(fault(text), Some(JsonFault::Malformed), "{text}");
        }
        assert_eq!(fault("\u{feff}{}"), Some(JsonFault::Malformed));
    }

    #[test]
    fn invalid_utf8_and_lone_surrogates_are_refused() {
        assert_eq!(
            object(b"{\"a\":\"\xff\"}").err(),
            Some(JsonFault::Malformed)
        );
        assert_eq!(
            object(b"{\"a\":\"\xc0\xaf\"}").err(),
            Some(JsonFault::Malformed)
        );
        assert_eq!(fault(r#"{"a":"\ud800"}"#), Some(JsonFault::Malformed));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!(fault(r#"{"a":1e999}"#), Some(JsonFault::Malformed));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| {
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            )
        };
        assert_eq!(fault(&nested(DEPTH_MAX)), None);
        assert_eq!(fault(&nested(DEPTH_MAX + 1)), Some(JsonFault::TooDeep));
        assert_eq!(fault(&nested(4_000)), Some(JsonFault::TooDeep));
    }
}
