//! A message takes as long as it is long, whatever is in it: who sends one holds up a whole shard.

use rustix::time::{ClockId, clock_gettime};

use super::*;

const SHORT: usize = 4 * 1024;
/// So many times as long.
const LONGER: usize = 12;
/// A time that grows as the square does is that many times as long.
const SQUARE: i128 = (LONGER * LONGER) as i128;

/// What is repeated: all that one look after the other is begun for.
const PARTS: &[&str] = &[
    "-",
    "a-",
    "nai-",
    "_nai-",
    "=nai-",
    "=gci-",
    "=nai-a@b",
    "imsi-",
    "imsi",
    "suci-",
    "imei-",
    "=eui-",
    "@",
    "a@",
    "a@3gppnetwork",
    "!",
    "3gppnetwork.",
    "%2d",
    "%41",
    "%",
    "%25",
    "\\/",
    "a\\/",
    "\\u002d",
    "\\u0031",
    "1-",
    "1 ",
    "1",
    "12",
    "1a",
    "001-",
    "001010123456789a",
    "a001010123456789f",
    "00101012345678-",
    "001-01-0123456789x",
    "20260101-",
    "2026-01-01-",
    "0a1b2c3d-",
    "0a1b2c3d-001-",
    "0a1b2c3d-001-01-",
    "MDAx",
    "AAAA",
    "AAEB",
    "M-",
    "=",
    "/",
    "(",
    " ",
    "\\n",
    "a ",
    ",",
    "\u{e4}-",
    "\u{200b}",
    "\u{ff11}",
    "\u{661}-",
    "supi:",
    "supi ",
    "i\\\"",
    "23:41:",
    "1,001,",
    "abcdefghij",
];

/// Nanoseconds of this thread's own CPU: what others take of the machine is not in it. The least of
/// some, as they may take its caches too.
fn least_ns(mut once: impl FnMut()) -> i128 {
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
    };
    let times = (0..3).map(|_| {
        let began = now();
        once();
        now() - began
    });
    times.min().unwrap_or_default()
}

#[test]
fn time_grows_as_the_message_does() {
    let known = guard_with(FieldKinds::default(), Some(&["001010000000001"]));
    let mut scratch = Scratch::default();
    let mut slow = Vec::new();
    for part in PARTS {
        for (name, media) in [
            ("note", Media::Json),
            ("externalId", Media::Json),
            ("self", Media::Json),
            ("msisdn", Media::Json),
            ("data", Media::Json),
            ("", Media::Text),
        ] {
            let body = |length: usize| match media {
                // What makes it be looked into.
                Media::Json => {
                    let text = part.repeat(length / part.len());
                    format!("{{\"x\":\"%41\",\"{name}\":\"{text}\"}}")
                }
                Media::Text => part.repeat(length / part.len()),
            };
            let mut of = |body: String| {
                least_ns(|| {
                    known.body(media, body.as_bytes(), &mut scratch);
                })
            };
            // Each time: the first of them may have what the next does not.
            let mut is_slow = || of(body(SHORT * LONGER)) > of(body(SHORT)) * SQUARE / 2;
            if (0..4).all(|_| is_slow()) {
                slow.push(format!("{part:?} as {name:?}"));
            }
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}
