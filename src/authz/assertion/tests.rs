//! What an assertion must say, and what it must not.

use serde_json::{Value, json};

use super::*;
use crate::authz::keys::Algorithm;
use crate::authz::mint::{ALGORITHMS, Mint, NOW, Signer, b64, changed, jwks};

const CLIENT: &str = "scs-1";
const ISSUER: &str = "https://t8.example";
const ENDPOINT: &str = "https://t8.example/oauth2/token";

struct Stage {
    mint: Mint,
    keys: Keys,
}

impl Stage {
    fn new(algorithm: Algorithm) -> Self {
        let mint = Mint::new(algorithm);
        let keys = jwks(&[mint.signer.jwk(algorithm, "k1")]);
        let keys = Keys::from_jwks(&keys).unwrap();
        Self { mint, keys }
    }

    fn read(&self, assertion: &[u8]) -> Result<Assertion, AssertionFault> {
        let audiences = [ISSUER, ENDPOINT];
        verify(assertion, &self.keys, CLIENT, &audiences, UnixSeconds(NOW))
    }

    /// What becomes of a good one with these claims changed; a null one is left out.
    fn with(&self, changes: Value) -> Result<Assertion, AssertionFault> {
        let claims = changed(claims(), changes).to_string();
        self.read(&self.mint.sign(self.header().to_string(), claims))
    }

    /// The same of header parameters.
    fn with_header(&self, changes: Value) -> Result<Assertion, AssertionFault> {
        let header = changed(self.header(), changes).to_string();
        self.read(&self.mint.sign(header, claims().to_string()))
    }

    fn header(&self) -> Value {
        json!({"alg": self.mint.algorithm.name(), "kid": "k1"})
    }
}

fn claims() -> Value {
    json!({"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "j1"})
}

//= RFC 7523 section 3 type=test
//# An assertion of the client for the issuer is taken, by each algorithm, once for its jti.
#[test]
fn good_assertion_is_taken_by_each_algorithm() {
    for algorithm in ALGORITHMS {
        let taken = Stage::new(algorithm).with(json!({})).unwrap();
        assert_eq!(taken.jti, "j1");
        assert_eq!(taken.valid_until, UnixSeconds(NOW + 60 + LEEWAY_S - 1));
    }
}

#[test]
fn audience_is_the_issuer_or_its_endpoint() {
    let stage = Stage::new(Algorithm::ES256);
    for taken in [
        json!(ISSUER),
        json!(ENDPOINT),
        json!(["https://other.example", ENDPOINT]),
    ] {
        assert!(stage.with(json!({ "aud": taken })).is_ok());
    }
    for other in [
        json!(null),
        json!("https://other.example"),
        json!("https://t8.example/"),
        json!(format!("{ISSUER} {ENDPOINT}")),
        json!([]),
        json!(CLIENT),
        json!(7),
    ] {
        let refused = stage.with(json!({ "aud": other }));
        assert_eq!(refused, Err(AssertionFault::Audience), "{other}");
    }
}

//= RFC 7523 section 3 type=test
//# Issuer and subject must both be the client.
#[test]
fn issuer_and_subject_must_be_the_client() {
    let stage = Stage::new(Algorithm::ES256);
    for claim in ["iss", "sub"] {
        for other in [json!(null), json!("scs-2"), json!("SCS-1"), json!("scs-1 ")] {
            let refused = stage.with(json!({ claim: other }));
            assert_eq!(
                refused,
                Err(AssertionFault::NotTheClient),
                "{claim} {other}"
            );
        }
        for odd in [json!(""), json!(1), json!([CLIENT])] {
            let refused = stage.with(json!({ claim: odd }));
            assert_eq!(refused, Err(AssertionFault::Malformed), "{claim} {odd}");
        }
    }
}

//= RFC 7523 section 3 type=test
//# An exp must be there, not past, and not far away.
#[test]
fn expiry_must_be_there_and_near() {
    let stage = Stage::new(Algorithm::ES256);
    let at = |exp: Value| stage.with(json!({ "exp": exp })).map(drop);
    assert_eq!(at(json!(null)), Err(AssertionFault::LivesTooLong));
    let longest = NOW + ASSERTION_LIFETIME_S_MAX + LEEWAY_S;
    assert_eq!(at(json!(longest)), Ok(()));
    assert_eq!(at(json!(longest + 1)), Err(AssertionFault::LivesTooLong));
    assert_eq!(at(json!(u64::MAX)), Err(AssertionFault::Malformed));
    assert_eq!(at(json!(NOW - LEEWAY_S + 1)), Ok(()));
    assert_eq!(at(json!(NOW - LEEWAY_S)), Err(AssertionFault::Expired));
    assert_eq!(at(json!(0)), Err(AssertionFault::Expired));
    for odd in [
        json!("1800000060"),
        json!(-1),
        json!([NOW + 60]),
        json!(true),
    ] {
        assert_eq!(at(odd.clone()), Err(AssertionFault::Malformed), "{odd}");
    }
}

#[test]
fn assertion_from_the_future_is_refused() {
    let stage = Stage::new(Algorithm::ES256);
    for claim in ["nbf", "iat"] {
        let at = |date: u64| stage.with(json!({ claim: date })).map(drop);
        assert_eq!(at(NOW + LEEWAY_S), Ok(()), "{claim}");
        assert_eq!(at(NOW + LEEWAY_S + 1), Err(AssertionFault::NotYetValid));
        assert!(stage.with(json!({ claim: null })).is_ok());
    }
}

#[test]
fn assertion_without_a_name_of_its_own_is_refused() {
    let stage = Stage::new(Algorithm::ES256);
    let missing = stage.with(json!({"jti": null}));
    assert_eq!(missing, Err(AssertionFault::JtiMissing));
    assert_eq!(
        stage.with(json!({"jti": ""})),
        Err(AssertionFault::Malformed)
    );
}

/// An access token that the client holds is no assertion, and an assertion no access token.
#[test]
fn other_kinds_of_token_are_no_assertions() {
    let stage = Stage::new(Algorithm::ES256);
    for taken in ["JWT", "jwt", "client-authentication+jwt"] {
        assert!(
            stage.with_header(json!({ "typ": taken })).is_ok(),
            "{taken}"
        );
    }
    for other in ["at+jwt", "application/at+jwt", "dpop+jwt", "secevent+jwt"] {
        let refused = stage.with_header(json!({ "typ": other }));
        assert_eq!(refused, Err(AssertionFault::Malformed), "{other}");
    }
    for extension in [
        json!({"crit": ["exp"]}),
        json!({"b64": false}),
        json!({"zip": "DEF"}),
    ] {
        let refused = stage.with_header(extension);
        assert_eq!(refused, Err(AssertionFault::Malformed));
    }
}

//= RFC 8725 section 3.1 type=test
//# The algorithm is the key's, whatever the header says.
#[test]
fn algorithm_and_key_are_those_the_client_registered() {
    let stage = Stage::new(Algorithm::ES256);
    for other in ["RS256", "ES384"] {
        let refused = stage.with_header(json!({ "alg": other }));
        assert_eq!(refused, Err(AssertionFault::KeyUnknown), "{other}");
    }
    for other in ["none", "HS256", "es256"] {
        let refused = stage.with_header(json!({ "alg": other }));
        assert_eq!(refused, Err(AssertionFault::KeyUnknown), "{other}");
    }
    let refused = stage.with_header(json!({"kid": "k2"}));
    assert_eq!(refused, Err(AssertionFault::KeyUnknown));
    // Where one key fits, its name may be left out.
    assert!(stage.with_header(json!({"kid": null})).is_ok());
}

#[test]
fn signature_of_another_key_is_refused_and_none_is_brought_along() {
    let stage = Stage::new(Algorithm::ES256);
    let other = Signer::new(Algorithm::ES256);
    let jwk = other.jwk(Algorithm::ES256, "k1");
    let header = changed(stage.header(), json!({ "jwk": jwk })).to_string();
    let signed = format!("{}.{}", b64(header), b64(claims().to_string()));
    let signature = b64(other.sign(Algorithm::ES256, signed.as_bytes()));
    let refused = stage.read(format!("{signed}.{signature}").as_bytes());
    assert_eq!(refused, Err(AssertionFault::SignatureBad));
}

#[test]
fn assertion_is_as_long_as_a_token_may_be_and_no_longer() {
    let stage = Stage::new(Algorithm::ES256);
    let of = |octets: usize| {
        // Three octets of a part are four of the assertion: what one part lacks the other has.
        let padded = (0..3).flat_map(|more| {
            let header = changed(stage.header(), json!({ "x": "x".repeat(more) })).to_string();
            let sign = |claims: String| stage.mint.sign(header.clone(), claims);
            let begun = sign(changed(claims(), json!({ "x": "" })).to_string()).len();
            let lacks = (octets - begun) * 3 / 4;
            let about = lacks - 3..lacks + 3;
            let made = about.map(|more| changed(claims(), json!({ "x": "x".repeat(more) })));
            made.map(|claims| sign(claims.to_string()))
                .collect::<Vec<_>>()
        });
        let found = padded.into_iter().find(|made| made.len() == octets);
        stage.read(&found.expect("one of that length")).map(drop)
    };
    assert_eq!(of(TOKEN_BYTES_MAX), Ok(()));
    assert_eq!(of(TOKEN_BYTES_MAX + 1), Err(AssertionFault::Malformed));
}

#[test]
fn what_is_no_signed_object_is_malformed() {
    let stage = Stage::new(Algorithm::ES256);
    let twice = r#"{"iss":"scs-1","iss":"scs-1"}"#;
    let duplicate = stage.mint.sign(stage.header().to_string(), twice);
    for bad in [
        b"".to_vec(),
        b"a.b".to_vec(),
        b"a.b.c.d".to_vec(),
        vec![b'a'; TOKEN_BYTES_MAX + 1],
        duplicate,
    ] {
        assert_eq!(stage.read(&bad), Err(AssertionFault::Malformed));
    }
}
