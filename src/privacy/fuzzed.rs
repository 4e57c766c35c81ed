//! What the targets of `fuzz/` call: doors that take any octets, and say what must hold of whatever
//! they are. Compiled for fuzzing and for tests, which go through the committed inputs.

use std::sync::LazyLock;

use super::clearing::Clearing;
use super::fields::FieldKinds;
use super::guard::{Action, Guard, Media, Redaction, Scratch, Verdict};
use super::imsi::{Scanner, Tier};
use super::plmn::{Plmn, Plmns};
use super::pseudonym::PseudonymKey;
use super::sieve::Sieve;
use super::walk::{Step, Walk};

static PLMNS: LazyLock<Plmns> = LazyLock::new(|| {
    let networks = [("001", "01"), ("999", "070")];
    Plmns::new(networks.iter().filter_map(|(mcc, mnc)| Plmn::new(mcc, mnc)))
});

static GUARD: LazyLock<Guard> = LazyLock::new(|| {
    let scanner = Scanner::new(PLMNS.clone(), true);
    let key = PseudonymKey::new(&[7; 32]);
    Guard::new(scanner, FieldKinds::default(), Action::Redact, None, key)
});

/// The first octet says in parts of which length the others come: that changes nothing. What
/// another reader takes for JSON is whole here, too.
pub fn json_walk(octets: &[u8]) {
    let Some((part, octets)) = octets.split_first() else {
        return;
    };
    let whole = steps(octets, usize::MAX);
    assert_eq!(steps(octets, usize::from(*part).max(1)), whole);
    let deep = octets
        .iter()
        .filter(|octet| matches!(octet, b'{' | b'['))
        .count()
        > 64;
    if !deep && serde_json::from_slice::<serde::de::IgnoredAny>(octets).is_ok() {
        assert_eq!(whole.1, "end");
    }
}

/// Of which kind, what, and where it stands.
type Read = (char, Vec<u8>, String);

/// What is read, and how it ends.
fn steps(octets: &[u8], part: usize) -> (Vec<Read>, &'static str) {
    let mut walk = Walk::new();
    let (mut steps, mut at, mut length) = (Vec::new(), 0, 0);
    loop {
        let last = length == octets.len();
        let (kind, read) = match walk.step(&octets[..length], &mut at, last) {
            Step::Name(read) => ('n', read),
            Step::Text(read) => ('t', read),
            Step::Number(read) => ('#', read),
            Step::More if last => return (steps, "more"),
            Step::More => {
                length = length.saturating_add(part).min(octets.len());
                continue;
            }
            Step::End => return (steps, "end"),
            Step::Broken => return (steps, "broken"),
        };
        steps.push((kind, read.to_vec(), walk.pointer(false)));
    }
}

/// A body: the first octet says whether it is JSON, and in parts of which length it comes.
pub fn guard(octets: &[u8]) {
    let Some((how, body)) = octets.split_first() else {
        return;
    };
    let media = if how & 1 == 0 {
        Media::Json
    } else {
        Media::Text
    };
    let part = usize::from(how >> 1).max(1);
    let guard = &*GUARD;
    let mut scratch = Scratch::default();
    let verdict = guard.body(media, body, &mut scratch);
    let clean = verdict == Verdict::Clean;

    let (out, ended) = cleared(media, body, part, body.len().max(1), &mut scratch);
    match (clean, ended) {
        (true, _) => assert!(ended && out == body),
        // Rewritten.
        (false, true) => assert_eq!(guard.body(media, &out, &mut scratch), Verdict::Clean),
        (false, false) => assert!(out.is_empty()),
    }
    // Only what is kept whole is rewritten.
    let (out, ended) = cleared(media, body, part, 96, &mut scratch);
    if ended && out != body {
        assert!(!clean && body.len() <= 96);
        assert_eq!(guard.body(media, &out, &mut scratch), Verdict::Clean);
    } else {
        assert!(body.starts_with(&out));
    }

    // What is plain to see the sieve never passes.
    let scanner = Scanner::new(PLMNS.clone(), true);
    let plain = scanner.explicit(body).is_some()
        || scanner
            .digits(body, &|_| Some(Tier::Digits), &mut 0)
            .is_some();
    assert!(!plain || !Sieve::new(&PLMNS, Vec::new()).passes(body));

    let mut out = Vec::new();
    match guard.redact(media, body, &mut scratch, &mut out) {
        Redaction::Clean => assert!(clean),
        Redaction::Rewritten(..) => {
            assert_eq!(guard.body(media, &out, &mut scratch), Verdict::Clean);
        }
        Redaction::Refused(_) => assert!(!clean),
    }
    let fields = [
        (&b"location"[..], body),
        (body, &b"1"[..]),
        (&b"x-any"[..], body),
    ];
    let raw = [body, b"\r\n", body, b": "].concat();
    let head = guard.head(&raw, body, fields.into_iter(), &mut scratch);
    assert!(!plain || head != Verdict::Clean);
}

/// What is given on, and whether to the end.
fn cleared(
    media: Media,
    body: &[u8],
    part: usize,
    bytes_max: usize,
    scratch: &mut Scratch,
) -> (Vec<u8>, bool) {
    let mut clearing = Clearing::new(bytes_max);
    clearing.restart(media);
    let mut out = Vec::new();
    for mut part in body.chunks(part) {
        while !part.is_empty() {
            let Ok(taken) = clearing.push(part, &GUARD, scratch) else {
                return (out, false);
            };
            out.extend_from_slice(clearing.cleared());
            clearing.give(clearing.cleared().len());
            part = &part[taken..];
        }
    }
    let ended = clearing.end(&GUARD, scratch).is_ok();
    if ended {
        out.extend_from_slice(clearing.cleared());
    }
    (out, ended)
}

#[cfg(test)]
mod tests;
