//! `exp`, `nbf` and `iat`, and the second a token becomes valid or invalid.

use super::*;

fn at(token: &[u8], now: u64) -> Option<TokenFault> {
    verify(token, &MINT.issuers, UnixSeconds(now)).err()
}

const EXPIRED: Option<TokenFault> = Some(TokenFault::Expired);
const NOT_YET: Option<TokenFault> = Some(TokenFault::NotYetValid);
const TOO_LONG: Option<TokenFault> = Some(TokenFault::LivesTooLong);

/// What is no NumericDate, as JSON.
const NO_DATES: [&str; 22] = [
    "\"1800000300\"",
    "\"\"",
    "\"2027-01-15T08:05:00Z\"",
    "null",
    "true",
    "false",
    "[]",
    "[1800000300]",
    "{}",
    "-1",
    "-1800000300",
    "-0.5",
    "-1e9",
    "-9223372036854775809",
    "1e300",
    "253402300800",
    "253402300799.5",
    "1800000300000",
    "1800000300000.0",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
];

fn with_date(name: &str, value: &str) -> Vec<u8> {
    with_claim_spelt(name, &format!(r#""{name}":{value}"#))
}

//= TS 33.122 clause C.2 type=test
//# A token is taken until 30 seconds after exp, and not at the thirtieth.
#[test]
fn a_token_expires_30_seconds_after_exp() {
    let token = MINT.with(json!({"exp": NOW + 100}));
    assert_eq!(at(&token, NOW + 99), None);
    assert_eq!(at(&token, NOW + 100), None);
    assert_eq!(at(&token, NOW + 129), None);
    assert_eq!(at(&token, NOW + 130), EXPIRED);
    assert_eq!(at(&token, NOW + 131), EXPIRED);
    assert_eq!(at(&token, u64::MAX), EXPIRED);
}

//= RFC 9068 section 4 type=test
//# A token past its expiry is refused.
#[test]
fn an_expired_token_is_refused() {
    for exp in [0, 1, NOW - 3_600, NOW - 31, NOW - 30] {
        let token = MINT.with(json!({"exp": exp, "iat": exp}));
        assert_eq!(at(&token, NOW), EXPIRED, "{exp}");
    }
    assert_eq!(at(&MINT.with(json!({"exp": NOW - 29})), NOW), None);
}

//= TS 33.122 clause C.2 type=test
//# A token is taken from 30 seconds before nbf.
#[test]
fn a_token_becomes_valid_30_seconds_before_nbf() {
    let token = MINT.with(json!({"nbf": NOW + 100}));
    assert_eq!(at(&token, 0), NOT_YET);
    assert_eq!(at(&token, NOW + 69), NOT_YET);
    assert_eq!(at(&token, NOW + 70), None);
    assert_eq!(at(&token, NOW + 100), None);
}

#[test]
fn a_token_from_the_future_is_refused() {
    for (iat, expected) in [(29, None), (30, None), (31, NOT_YET), (3_600, NOT_YET)] {
        let token = MINT.with(json!({"iat": NOW + iat, "exp": NOW + 7_200}));
        assert_eq!(at(&token, NOW), expected, "{iat}");
    }
}

#[test]
fn the_later_of_nbf_and_iat_counts() {
    for (nbf, iat) in [(100, 0), (0, 100), (100, 100)] {
        let token = MINT.with(json!({"nbf": NOW + nbf, "iat": NOW + iat}));
        assert_eq!(at(&token, NOW + 69), NOT_YET);
        assert_eq!(at(&token, NOW + 70), None);
    }
}

#[test]
fn a_grant_is_valid_exactly_while_its_token_is() {
    let token = MINT.with(json!({"nbf": NOW + 5, "exp": NOW + 10}));
    let grant = verify(&token, &MINT.issuers, UnixSeconds(NOW))
        .unwrap()
        .grant;
    for now in NOW - 60..NOW + 60 {
        let valid = at(&token, now).is_none();
        assert_eq!(grant.valid_at(UnixSeconds(now)), valid, "{now}");
    }
}

#[test]
fn a_token_that_ends_before_it_begins_is_never_taken() {
    let token = MINT.with(json!({"nbf": NOW + 60, "exp": NOW}));
    for now in NOW - 60..NOW + 120 {
        assert!(at(&token, now).is_some(), "{now}");
    }
}

//= RFC 7519 section 2 type=test
//# A date may have a fraction; the leeway is not lengthened by it.
#[test]
fn dates_with_a_fraction_are_read() {
    let exp = with_date("exp", "1800000100.9");
    assert_eq!((at(&exp, NOW + 129), at(&exp, NOW + 130)), (None, EXPIRED));
    for name in ["nbf", "iat"] {
        let token = with_date(name, "1800000100.1");
        assert_eq!(
            (at(&token, NOW + 70), at(&token, NOW + 71)),
            (NOT_YET, None)
        );
    }
}

//= RFC 7519 section 2 type=test
//# Every JSON spelling of a number is a date.
#[test]
fn dates_in_other_spellings_of_a_number_are_read() {
    for value in ["1800000100.0", "1.8000001e9", "1.8000001E+9", "18000001e2"] {
        let token = with_date("exp", value);
        let read = (at(&token, NOW + 129), at(&token, NOW + 130));
        assert_eq!(read, (None, EXPIRED), "{value}");
    }
    for value in ["0", "0.0", "-0", "-0.0", "1e-9"] {
        assert_eq!(at(&with_date("iat", value), NOW), TOO_LONG, "{value}");
        assert_eq!(at(&with_date("nbf", value), NOW), None, "{value}");
        assert_eq!(at(&with_date("exp", value), NOW), EXPIRED, "{value}");
    }
}

//= RFC 7519 section 2 type=test
//# What is no number of seconds since 1970 is no date: strings, negatives, years without end.
#[test]
fn an_exp_that_is_no_date_is_refused() {
    for value in NO_DATES {
        let told = refusal(&with_date("exp", value));
        assert_eq!(told, TokenFault::ClaimMalformed(Claim::Exp), "{value}");
    }
}

#[test]
fn an_nbf_that_is_no_date_is_refused() {
    for value in NO_DATES {
        let told = refusal(&with_date("nbf", value));
        assert_eq!(told, TokenFault::ClaimMalformed(Claim::Nbf), "{value}");
    }
}

#[test]
fn an_iat_that_is_no_date_is_refused() {
    for value in NO_DATES {
        let told = refusal(&with_date("iat", value));
        assert_eq!(told, TokenFault::ClaimMalformed(Claim::Iat), "{value}");
    }
}

#[test]
fn dates_that_are_no_json_are_refused() {
    for value in [
        "1e400",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x6b49d200",
        "+1800000300",
        "01800000300",
        "1800000300.",
        ".5",
        "1_800_000_300",
        "-",
        "",
    ] {
        for name in ["exp", "nbf", "iat"] {
            let told = refusal(&with_date(name, value));
            assert_eq!(told, TokenFault::MalformedJson, "{name} {value}");
        }
    }
}

#[test]
fn the_last_date_is_one() {
    for (name, told) in [("exp", TOO_LONG), ("nbf", NOT_YET), ("iat", NOT_YET)] {
        assert_eq!(at(&with_date(name, "253402300799"), NOW), told, "{name}");
    }
}

//= RFC 9068 section 2.2 type=test
//# exp and iat are required.
#[test]
fn a_token_without_exp_or_iat_is_refused() {
    let told = claim_refusal(json!({"exp": null}));
    assert_eq!(told, TokenFault::ClaimMissing(Claim::Exp));
    let told = claim_refusal(json!({"iat": null}));
    assert_eq!(told, TokenFault::ClaimMissing(Claim::Iat));
    // Names are case-sensitive.
    let told = claim_refusal(json!({"exp": null, "EXP": NOW + 300}));
    assert_eq!(told, TokenFault::ClaimMissing(Claim::Exp));
}

#[test]
fn a_token_without_nbf_is_taken() {
    assert!(claims().get("nbf").is_none());
    assert_eq!(at(&MINT.with(json!({})), NOW), None);
}
