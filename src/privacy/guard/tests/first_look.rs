//! What is found without the first look is found with it.

use proptest::prelude::*;

use super::*;

/// Of identities, of what may stand between their parts, and of what stands elsewhere.
const PARTS: &[&str] = &[
    "001",
    "01",
    "00101",
    "0123456789",
    "012345678",
    "0",
    "1",
    "262",
    "imsi",
    "IMSI",
    "supi",
    "suci-0-",
    "nai-",
    "gci-0011aa",
    "joe@corp.example",
    "u@5gc.mnc001.mcc001.",
    "3gppnetwork",
    ".org",
    "0a1b2c3d-",
    "-ab",
    "-",
    " ",
    ".",
    "_",
    ",",
    "/",
    ":",
    "+",
    "|",
    "=",
    "%2D",
    "%30",
    "\\/",
    "\\t",
    "\\n",
    "\\b",
    "\\u0001",
    "\\u002d",
    "\\u0030",
    "\u{7f}",
    "\u{1}",
    "\u{1f}",
    "\u{200b}",
    "\u{660}",
    "\u{2013}",
    "x",
    "T",
    "Z",
    "2026-11-18T11:06:40",
];

const NAMES: &[&str] = &[
    "x",
    "msisdn",
    "gpsi",
    "externalId",
    "cellId",
    "supportedFeatures",
    "startTime",
    "title",
    "self",
    "supis",
    "imeisv",
    "internalGroupIds",
    "Imsi",
    "data",
];

/// The body without the first look.
fn is_found(body: &str, scratch: &mut Scratch) -> bool {
    let found = GUARD.searched(Media::Json, body.as_bytes(), scratch, &mut |_, _| false);
    found.is_some()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn first_look_passes_nothing_that_would_be_found(
        name in prop::sample::select(NAMES),
        parts in prop::collection::vec(prop::sample::select(PARTS), 1..9),
        before in 0_usize..70,
    ) {
        let body = format!(r#"{{"n":"{}","{name}":"{}"}}"#, ",".repeat(before), parts.concat());
        let mut scratch = Scratch::default();
        let is_hit = judged(&GUARD, &body).is_some();
        prop_assert_eq!(is_hit, is_found(&body, &mut scratch), "{}", body);
    }
}

#[test]
fn first_look_sees_what_is_written_otherwise() {
    for body in [
        "{\"x\":\"00101\u{7f}0123456789\"}",
        "{\"x\":\"00101\u{1}0123456789\"}",
        "{\"x\":\"im\u{7f}si-001010123\"}",
        "{\"x\":\"u@5gc.mnc001.mcc001.3GPP\u{7f}NETWORK.ORG\"}",
        r#"{"x":"00101 \/\/0123456789"}"#,
        r#"{"x":"(IMSI\/=26_2011234567890"}"#,
        r#"{"supis":["user1@home.example"]}"#,
        r#"{"varUeId":"user1.home"}"#,
        r#"{"imei":"49-015420-323751-8"}"#,
        r#"{"x":"SU1TSToyNjIwMTEyMzQ1Njc4OTA="}"#,
    ] {
        let mut scratch = Scratch::default();
        assert!(is_found(body, &mut scratch), "{body:?}");
        assert!(judged(&GUARD, body).is_some(), "{body:?}");
    }
}
