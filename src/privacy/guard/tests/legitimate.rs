//! Messages that hold no identity, and much that looks like one.

use super::*;

fn false_positives(seeds: Range<u64>) {
    let guard = guard();
    let mut scratch = Scratch::default();
    for seed in seeds {
        let text = traffic::written(seed);
        let verdict = guard.body(Media::Json, text.as_bytes(), &mut scratch);
        assert_eq!(verdict, Verdict::Clean, "message {seed}: {text}");
    }
}

#[test]
fn ten_thousand_legitimate_messages_pass() {
    false_positives(0..10_000);
}

#[test]
#[ignore = "ten times the one before it: half a minute without optimization"]
fn hundred_thousand_legitimate_messages_pass() {
    false_positives(0..100_000);
}
