//! Bodies that come in parts, cut anywhere.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::guard::Scratch;
use super::super::guard::tests::guard;
use super::*;

static GUARD: LazyLock<Guard> = LazyLock::new(guard);

/// What is given on of a body that comes in such parts, and how it ends.
fn given(
    body: &[u8],
    media: Media,
    parts: &[usize],
    bytes_max: usize,
) -> (Vec<u8>, Result<(), Cut>) {
    let mut scratch = Scratch::default();
    let mut clearing = Clearing::new(bytes_max);
    clearing.restart(media);
    run(&mut clearing, body, parts, &GUARD, &mut scratch)
}

fn run(
    clearing: &mut Clearing,
    body: &[u8],
    parts: &[usize],
    guard: &Guard,
    scratch: &mut Scratch,
) -> (Vec<u8>, Result<(), Cut>) {
    let (mut out, mut rest) = (Vec::new(), body);
    let mut parts = parts.iter().cycle();
    let mut outcome = Ok(());
    while outcome.is_ok() && !rest.is_empty() {
        let part = rest.len().min(*parts.next().unwrap_or(&1));
        let (mut now, later) = rest.split_at(part);
        rest = later;
        while outcome.is_ok() && !now.is_empty() {
            match clearing.push(now, guard, scratch) {
                Ok(taken) => now = &now[taken..],
                Err(cut) => outcome = Err(cut),
            }
            out.extend_from_slice(clearing.cleared());
            clearing.give(usize::MAX / 2);
        }
    }
    if outcome.is_ok() {
        outcome = clearing
            .end(guard, scratch)
            .map(|rewritten| assert_eq!(rewritten, None));
        out.extend_from_slice(clearing.cleared());
    }
    (out, outcome)
}

const CLEAN: &str = r#"[{"msisdn":"999070123456789","self":"https://scef.example/x/5f2b7c0e-9d41"},
    {"externalId":"meter1@example.com","n":-12.5e3,"list":[],"x":{"y":null}},"\"\\",17] "#;

/// Bodies longer than the least bound, and where in each the value begins that holds the identity.
fn dirty(identity: &str) -> [(String, usize, Media); 5] {
    let lead = r#""some text, more","#.repeat(5);
    let json = format!(r#"{{"a":[{lead}1],"list":[1,{{"b":"{identity}"}}],"c":[{lead}1]}}"#);
    let name = format!(r#"{{"a":[{lead}1],"{identity}":[{lead}2,3],"c":"more"}}"#);
    let lines = "some text, more;\n".repeat(5);
    let flat = format!("<p>{lines}{identity}\n{lines} and more</p>");
    let broken = format!(r#"{{"a":[{lead}1] oops "{identity}" ],{lead}"#);
    let early = format!(r#"{{"a":[{lead}1],"b":"{identity}"#);
    [
        (json, Media::Json),
        (name, Media::Json),
        (flat, Media::Text),
        (broken, Media::Json),
        (early, Media::Json),
    ]
    .map(|(body, media)| {
        let at = body.find(identity).unwrap();
        (body, at, media)
    })
}

const IDENTITIES: &[&str] = &[
    "001010123456789",
    "00101012345678",
    "imsi-001010123456789",
    "0001010123456789@nai.epc.mnc001.mcc001.3gppnetwork.org",
    "suci-0-001-01-0000-0-0-0123456789",
    "001 01 0123456789",
    "001\n01\r\n0123456789",
    "00101, 0123456789",
    "001, \n01;\r\n0123456789",
    "IMSI\n262\n01\n1234567890",
    "imsi-\n262\n01",
    "\\u0030\\u00301010123456789",
    "%30%3001010123456789",
    "\u{660}\u{660}\u{661}010123456789",
    "0\u{200b}01010123456789",
    "0a1b2c3d-001-01-ab",
    "gci-0011",
];

#[test]
fn body_within_the_bound_leaves_whole_or_not_at_all() {
    for part in 1..40 {
        assert_eq!(
            given(CLEAN.as_bytes(), Media::Json, &[part], 4_096),
            (CLEAN.into(), Ok(()))
        );
        for (body, _, media) in IDENTITIES.iter().flat_map(|identity| dirty(identity)) {
            let (out, outcome) = given(body.as_bytes(), media, &[part], 4_096);
            assert!(matches!(outcome, Err(Cut::Hit(_))), "{body}");
            assert_eq!(out, b"", "{body}");
        }
    }
}

#[test]
fn no_octet_of_an_identity_leaves_wherever_a_body_is_cut() {
    for identity in IDENTITIES {
        for (body, at, media) in dirty(identity) {
            for first in 0..body.len() {
                let parts = [first.max(1), usize::MAX];
                let (out, outcome) = given(body.as_bytes(), media, &parts, 72);
                assert!(
                    matches!(outcome, Err(Cut::Hit(_))),
                    "{body} cut at {first}: {outcome:?}"
                );
                assert!(out.len() <= at, "{body} cut at {first}");
                assert_eq!(out, &body.as_bytes()[..out.len()]);
            }
        }
    }
}

#[test]
fn after_a_hit_nothing_more_is_taken() {
    let guard = guard();
    let mut scratch = Scratch::default();
    let mut clearing = Clearing::new(32);
    clearing.restart(Media::Json);
    let body = br#"{"a":"b","title":"imsi-001010123456789","c":"d"}"#;
    let (out, outcome) = run(&mut clearing, body, &[8], &guard, &mut scratch);
    let Err(Cut::Hit(hit)) = outcome else {
        panic!("a hit")
    };
    assert_eq!(hit.pointer, "/title");
    assert!(body.starts_with(&out));
    clearing.give(usize::MAX / 2);
    assert_eq!(
        clearing.push(b"x", &guard, &mut scratch),
        Err(Cut::Hit(hit.clone()))
    );
    assert_eq!(clearing.end(&guard, &mut scratch), Err(Cut::Hit(hit)));
    assert_eq!(clearing.cleared(), b"");
    clearing.restart(Media::Json);
    let again = run(&mut clearing, b"{}", &[1], &guard, &mut scratch);
    assert_eq!(again, (b"{}".to_vec(), Ok(())));
}

#[test]
fn value_longer_than_all_that_is_kept_ends_the_body() {
    let body = format!(r#"{{"a":"b","long":"{}"}}"#, "x".repeat(100));
    let (out, outcome) = given(body.as_bytes(), Media::Json, &[10], 64);
    assert_eq!(outcome, Err(Cut::TooLong));
    assert_eq!(out, br#"{"a":"b","long":"#);
    let lines = format!("a line\n{}", "x".repeat(100));
    assert_eq!(
        given(lines.as_bytes(), Media::Text, &[10], 64),
        (b"a line\n".to_vec(), Err(Cut::TooLong))
    );
    let flat = "x".repeat(100);
    assert_eq!(
        given(flat.as_bytes(), Media::Text, &[10], 64),
        (vec![], Err(Cut::TooLong))
    );
}

#[test]
fn buffer_is_never_made_longer() {
    let guard = guard();
    let mut scratch = Scratch::default();
    let mut clearing = Clearing::new(96);
    let capacity = clearing.held.capacity();
    assert_eq!(clearing.bytes_max(), 96);
    let body = format!("[{}1]", r#"{"msisdn":"447700900123"},"#.repeat(400));
    for media in [Media::Json, Media::Text] {
        clearing.restart(media);
        let (out, outcome) = run(
            &mut clearing,
            body.as_bytes(),
            &[7, 300],
            &guard,
            &mut scratch,
        );
        assert_eq!((out.len(), outcome), (body.len(), Ok(())));
    }
    assert_eq!(clearing.held.capacity(), capacity);
}

proptest! {
    #[test]
    fn clean_body_leaves_as_it_came_however_it_is_cut(
        parts in prop::collection::vec(1_usize..80, 1..12),
        bytes_max in 64_usize..256,
        end in 64..=CLEAN.len(),
    ) {
        for body in [CLEAN.as_bytes(), &CLEAN.as_bytes()[..end]] {
            let (out, outcome) = given(body, Media::Json, &parts, bytes_max);
            prop_assert_eq!(outcome, Ok(()));
            prop_assert_eq!(out, body);
        }
    }

    #[test]
    fn no_octet_of_an_identity_leaves_in_parts_of_any_length(
        identity in prop::sample::select(IDENTITIES),
        parts in prop::collection::vec(1_usize..80, 1..12),
        bytes_max in 72_usize..200,
    ) {
        for (body, at, media) in dirty(identity) {
            let (out, outcome) = given(body.as_bytes(), media, &parts, bytes_max);
            prop_assert!(matches!(outcome, Err(Cut::Hit(_))));
            prop_assert!(out.len() <= at);
        }
    }
}

/// Escapes at the end of what is judged may be the half of an identity.
#[test]
fn identity_that_is_spelt_otherwise_is_found_across_what_is_given_on() {
    for identity in [
        "00101%20\n%200123456789",
        "00101\u{200b}\n\u{200b}0123456789",
        "%30%30%31\n%30%31\n%30%31%32%33%34%35%36%37%38%39",
        "im%73i-\n%20\n00101",
    ] {
        for before in 400..560 {
            let body = format!("{}{identity}{}", "a\n".repeat(before), "\nb".repeat(700));
            let (out, outcome) = given(body.as_bytes(), Media::Text, &[usize::MAX], 1_024);
            assert!(
                matches!(outcome, Err(Cut::Hit(_))),
                "{identity} behind {before}"
            );
            assert!(out.len() <= 2 * before, "{identity} behind {before}");
        }
    }
    let clean = "100 % of it\n".repeat(400);
    let (out, outcome) = given(clean.as_bytes(), Media::Text, &[usize::MAX], 1_024);
    assert_eq!((out.len(), outcome), (clean.len(), Ok(())));
}

/// What is not seen stands between two digits as often as it likes.
#[test]
fn identity_with_as_much_unseen_in_it_as_may_be_does_not_leave_in_parts() {
    const BYTES_MAX: usize = 1 << 16;
    for (unseen, most) in [
        ("\u{200b}", 5_000),
        ("\u{ad}", 7_000),
        ("\0", 10_000),
        ("%E2%80%8B", 1_000),
    ] {
        for count in [0, 60, 180, 600, most] {
            let begins = format!("001{},", unseen.repeat(count));
            for before in [0, 1, 600] {
                let words = "hello\" ".repeat((BYTES_MAX - begins.len() - before) / 7);
                let filled = "x".repeat(BYTES_MAX - begins.len() - before - words.len());
                let body = format!(
                    "{words}{filled}{begins}01,0123456789{}",
                    "\"x ".repeat(BYTES_MAX)
                );
                let (out, outcome) = given(body.as_bytes(), Media::Text, &[4_096], BYTES_MAX);
                assert!(matches!(outcome, Err(Cut::Hit(_))), "{count} x {unseen:?}");
                let at = words.len() + filled.len();
                assert!(
                    out.len() <= at,
                    "{count} x {unseen:?}: {} of {at}",
                    out.len()
                );
            }
        }
    }
    // What is longer than all that is kept is judged by nobody.
    let unseen = format!("{},", "\u{200b}".repeat(300));
    let body = format!("{}001{}01", "x\"".repeat(1 << 15), unseen.repeat(1 << 8));
    let (out, outcome) = given(body.as_bytes(), Media::Text, &[4_096], BYTES_MAX);
    assert_eq!(outcome, Err(Cut::TooLong));
    assert!(!out.ends_with(b"001"));
}
