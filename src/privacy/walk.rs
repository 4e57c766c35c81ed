//! JSON, string by string: what stands in which member. Octets may come in parts; what is read once
//! is not read again.

use memchr::memchr2;

use super::fields::Kind;

/// Objects and arrays within each other; what goes deeper is searched as text.
const DEPTH_MAX: usize = 64;
/// Octets of a member's name that a pointer shows.
const NAME_BYTES_MAX: usize = 32;

/// What has been read.
pub(super) enum Step<'o> {
    /// The name of a member, as it is written between its quotation marks. [`Walk::names`] says
    /// what it holds.
    Name(&'o [u8]),
    Text(&'o [u8]),
    Number(&'o [u8]),
    /// More octets are needed; at the end of a message it is broken.
    More,
    /// The value is whole, and nothing but blanks stand behind it.
    End,
    /// This is no JSON, or goes too deep.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Name,
    NameOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

#[derive(Clone, Copy)]
struct Frame {
    is_object: bool,
    /// Of the member whose value is read; in an array of the member that holds it.
    kind: Kind,
    index: u32,
    name: [u8; NAME_BYTES_MAX],
    name_length: u8,
}

const OUTSIDE: Frame = Frame {
    is_object: false,
    kind: Kind::Unknown,
    index: 0,
    name: [0; NAME_BYTES_MAX],
    name_length: 0,
};

/// Where in a message the reader is. It has one size, whatever the message.
pub(super) struct Walk {
    /// The first stands for what is around the whole value.
    frames: Box<[Frame; DEPTH_MAX + 1]>,
    depth: usize,
    expect: Expect,
}

impl Walk {
    pub(super) fn new() -> Self {
        Self {
            frames: Box::new([OUTSIDE; DEPTH_MAX + 1]),
            depth: 0,
            expect: Expect::Value,
        }
    }

    pub(super) fn restart(&mut self) {
        self.depth = 0;
        self.expect = Expect::Value;
        self.frames[0] = OUTSIDE;
    }

    /// Of the value that was read last.
    pub(super) fn kind(&self) -> Kind {
        self.frames[self.depth].kind
    }

    /// What the member holds whose name was read last; none where no API names it: a pointer shows
    /// `*` for it then. All that is within a member that must not be there is what it is, and a
    /// member that holds GPSIs may give each a name of its own.
    pub(super) fn names(&mut self, named: Option<Kind>) {
        let kind = named.unwrap_or(Kind::Unknown);
        if named.is_none() {
            self.frames[self.depth].name_length = 0;
        }
        let outer = self
            .depth
            .checked_sub(1)
            .map(|depth| self.frames[depth].kind);
        let inherited = outer.filter(|outer| match outer {
            Kind::Internal | Kind::Network => true,
            Kind::Gpsi => named.is_none(),
            _ => false,
        });
        self.frames[self.depth].kind = inherited.unwrap_or(kind);
    }

    /// Reads on from `at`, and moves it behind what was read. With `last` nothing follows the
    /// octets.
    pub(super) fn step<'o>(&mut self, octets: &'o [u8], at: &mut usize, last: bool) -> Step<'o> {
        loop {
            let rest = octets.get(*at..).unwrap_or_default();
            let blanks = rest
                .iter()
                .position(|o| !matches!(o, b' ' | b'\t' | b'\n' | b'\r'));
            *at += blanks.unwrap_or(rest.len());
            let Some(&octet) = octets.get(*at) else {
                return match (self.expect, last) {
                    (Expect::Nothing, true) => Step::End,
                    _ => Step::More,
                };
            };
            match (self.expect, octet) {
                (Expect::Colon, b':') => self.expect = Expect::Value,
                (Expect::CommaOrEnd, b',') => {
                    let frame = &mut self.frames[self.depth];
                    frame.index = frame.index.saturating_add(1);
                    let is_object = frame.is_object;
                    self.expect = if is_object {
                        Expect::Name
                    } else {
                        Expect::Value
                    };
                }
                (Expect::CommaOrEnd | Expect::NameOrEnd, b'}') if self.is_in(true) => self.leave(),
                (Expect::CommaOrEnd | Expect::ValueOrEnd, b']') if self.is_in(false) => {
                    self.leave();
                }
                (Expect::Name | Expect::NameOrEnd, b'"') => {
                    let Some(text) = string(octets, *at) else {
                        return Step::More;
                    };
                    *at += text.len() + 2;
                    self.expect = Expect::Colon;
                    self.remember(text);
                    return Step::Name(text);
                }
                (Expect::Value | Expect::ValueOrEnd, _) => match octet {
                    b'{' | b'[' => {
                        if !self.enter(octet == b'{') {
                            return Step::Broken;
                        }
                    }
                    b'"' => {
                        let Some(text) = string(octets, *at) else {
                            return Step::More;
                        };
                        *at += text.len() + 2;
                        self.value_read();
                        return Step::Text(text);
                    }
                    _ => {
                        let rest = &octets[*at..];
                        let ends = |o: &u8| {
                            !(o.is_ascii_alphanumeric() || matches!(o, b'+' | b'-' | b'.'))
                        };
                        let length = rest.iter().position(ends);
                        let length = match length {
                            Some(length) => length,
                            None if last => rest.len(),
                            None => return Step::More,
                        };
                        let word = &rest[..length];
                        let is_number = matches!(octet, b'-' | b'0'..=b'9') && is_number(word);
                        if !is_number && !matches!(word, b"true" | b"false" | b"null") {
                            return Step::Broken;
                        }
                        *at += length;
                        self.value_read();
                        if is_number {
                            return Step::Number(word);
                        }
                        continue;
                    }
                },
                _ => return Step::Broken,
            }
            *at += 1;
        }
    }

    fn is_in(&self, object: bool) -> bool {
        self.depth > 0 && self.frames[self.depth].is_object == object
    }

    fn enter(&mut self, is_object: bool) -> bool {
        if self.depth == DEPTH_MAX {
            return false;
        }
        let kind = self.kind();
        self.depth += 1;
        self.frames[self.depth] = Frame {
            is_object,
            kind,
            ..OUTSIDE
        };
        self.expect = if is_object {
            Expect::NameOrEnd
        } else {
            Expect::ValueOrEnd
        };
        true
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.value_read();
    }

    fn value_read(&mut self) {
        self.expect = if self.depth == 0 {
            Expect::Nothing
        } else {
            Expect::CommaOrEnd
        };
    }

    fn remember(&mut self, name: &[u8]) {
        let frame = &mut self.frames[self.depth];
        // One longer than that is shown as `*`, as any that may say more than a name.
        frame.name_length = 0;
        if let Some(place) = frame.name.get_mut(..name.len()) {
            place.copy_from_slice(name);
            frame.name_length = name.len() as u8;
        }
    }

    /// Where the value that was read last stands, as RFC 6901 writes it. A name that could hold
    /// somebody's number is shown as `*`; so is one that is itself what was found (`of_name`).
    //= RFC 6901 section 3
    //# A pointer names members and places in arrays, from the outermost on, with / before each.
    pub(super) fn pointer(&self, of_name: bool) -> String {
        let mut pointer = String::new();
        let frames = self.frames.get(1..=self.depth).unwrap_or_default();
        for (place, frame) in frames.iter().enumerate() {
            pointer.push('/');
            if !frame.is_object {
                pointer.push_str(&frame.index.to_string());
                continue;
            }
            let name = &frame.name[..usize::from(frame.name_length)];
            let digits = name.iter().filter(|octet| octet.is_ascii_digit()).count();
            let is_plain = !name.is_empty()
                && digits <= 4
                && name
                    .iter()
                    .all(|octet| octet.is_ascii_alphanumeric() || *octet == b'_');
            let hidden = of_name && place + 1 == frames.len();
            match std::str::from_utf8(name) {
                Ok(name) if is_plain && !hidden => pointer.push_str(name),
                _ => pointer.push('*'),
            }
        }
        pointer
    }
}

/// What stands between a quotation mark and the next that is none of the string's own.
fn string(octets: &[u8], start: usize) -> Option<&[u8]> {
    let mut at = start + 1;
    loop {
        at += memchr2(b'"', b'\\', octets.get(at..)?)?;
        if octets[at] == b'"' {
            return Some(&octets[start + 1..at]);
        }
        at += 2;
    }
}

/// Digits, as JSON writes numbers or nearly so.
fn is_number(word: &[u8]) -> bool {
    word.iter()
        .all(|octet| matches!(octet, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a text that comes in parts of so many octets, and how it ends.
    fn read(text: &str, part: usize) -> (Vec<String>, &'static str) {
        let mut walk = Walk::new();
        let (mut steps, mut at, mut length) = (Vec::new(), 0, 0);
        loop {
            let octets = &text.as_bytes()[..length];
            let show =
                |kind: char, octets: &[u8]| format!("{kind}{}", String::from_utf8_lossy(octets));
            match walk.step(octets, &mut at, length == text.len()) {
                Step::Name(name) => steps.push(show('n', name)),
                Step::Text(value) => steps.push(show('t', value) + " " + &walk.pointer(false)),
                Step::Number(value) => steps.push(show('#', value) + " " + &walk.pointer(false)),
                Step::More if length == text.len() => return (steps, "more"),
                Step::More => length = (length + part).min(text.len()),
                Step::End => return (steps, "end"),
                Step::Broken => return (steps, "broken"),
            }
        }
    }

    const MESSAGE: &str = r#" {"a":"x\"y","list":[1,{"b":-2.5e3},"z",[true,null,[]]],"":{} } "#;

    #[test]
    fn values_are_read_with_where_they_stand_however_octets_come() {
        let whole = read(MESSAGE, usize::MAX);
        let steps = [
            "na",
            "tx\\\"y /a",
            "nlist",
            "#1 /list/0",
            "nb",
            "#-2.5e3 /list/1/b",
            "tz /list/2",
            "n",
        ];
        assert_eq!(whole, (steps.map(str::to_owned).to_vec(), "end"));
        for part in 1..MESSAGE.len() {
            assert_eq!(read(MESSAGE, part), whole, "in parts of {part}");
        }
    }

    #[test]
    fn message_that_ends_early_is_never_whole() {
        let last = MESSAGE.rfind('}').unwrap();
        for end in 0..=last {
            assert_ne!(read(&MESSAGE[..end], usize::MAX).1, "end", "{end}");
        }
    }

    #[test]
    fn what_is_no_json_is_broken() {
        for text in [
            "x",
            "{1:2}",
            "{\"a\" 1}",
            "[1 2]",
            "{\"a\":1}}",
            "[1]]",
            "{}{}",
            "{]",
            "[}",
            "[1}",
            "{\"a\":1]",
            "[{\"a\":[1}]]",
            "{\"a\":{\"b\":1]}",
            "{\"a\":}",
            "[1,]x",
            "{\"a\":1,}",
            "'a'",
            "nul",
            "\u{feff}{}",
            "[1,2,x]",
            "{,}",
            "[,1]",
            "12a",
        ] {
            assert_eq!(read(text, usize::MAX).1, "broken", "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(read(&nested(DEPTH_MAX), usize::MAX).1, "end");
        assert_eq!(read(&nested(DEPTH_MAX + 1), usize::MAX).1, "broken");
    }

    //= RFC 6901 section 3 type=test
    //# Names and places, and nothing that may be a number of somebody's.
    #[test]
    fn pointer_shows_no_name_that_may_be_an_identity() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for name in ["001010123456789", "a@b", "12345", "a/b", &long, "\\u0030"] {
            let text = format!(r#"{{"a":[{{"{name}":1}}]}}"#);
            let steps = read(&text, usize::MAX).0;
            assert_eq!(steps.last().unwrap(), "#1 /a/0/*", "{name}");
        }
    }

    #[test]
    fn pointer_to_a_name_shows_where_it_stands_and_not_the_name() {
        let text = br#"{"a":[{"b":1}]}"#;
        let (mut walk, mut at) = (Walk::new(), 0);
        for (of_name, of_value) in [("/*", "/a"), ("/a/0/*", "/a/0/b")] {
            assert!(matches!(walk.step(text, &mut at, true), Step::Name(_)));
            assert_eq!(
                (&*walk.pointer(true), &*walk.pointer(false)),
                (of_name, of_value)
            );
        }
    }
}
