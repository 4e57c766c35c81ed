//! Every refusal of [`verify`] by name. The tokens are signed by the right key unless the test is
//! about signatures: what is refused is refused for the reason given, and not for another.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use super::*;
use crate::authz::issuers::KeySet;
use crate::authz::keys::Keys;
use crate::authz::mint::{
    ALGORITHMS, AUDIENCE, ISSUER, Mint, NOW, b64, changed, claims, issuers, load, rules,
};

mod attacks;
mod form;
mod header;
mod identity;
mod keys;
mod profiles;
mod times;
mod total;

static MINT: LazyLock<Mint> = LazyLock::new(|| Mint::new(Algorithm::ES256));

/// What becomes of a token of [`MINT`].
fn read(token: &[u8]) -> Result<VerifiedToken, TokenFault> {
    verify(token, &MINT.issuers, UnixSeconds(NOW))
}

/// Why a token of [`MINT`] is refused.
#[track_caller]
fn refusal(token: &[u8]) -> TokenFault {
    read(token).expect_err("the token was taken")
}

/// Why a good token is refused when these claims are changed; a null claim is left out.
#[track_caller]
fn claim_refusal(changes: Value) -> TokenFault {
    refusal(&MINT.with(changes))
}

/// Why a good token is refused when these header parameters are changed; a null one is left out.
#[track_caller]
fn header_refusal(changes: Value) -> TokenFault {
    refusal(&MINT.with_header(changes))
}

/// The text of `object` with one member spelt so, in place of the one of that name. `serde_json`
/// writes neither odd numbers nor nulls, escaped names and twins.
fn spelt(object: Value, name: &str, member: &str) -> String {
    let rest = changed(object, json!({name: null})).to_string();
    format!("{{{member},{}", &rest[1..])
}

/// A good token but for one claim, spelt so.
fn with_claim_spelt(name: &str, member: &str) -> Vec<u8> {
    MINT.sign(MINT.header().to_string(), spelt(claims(), name, member))
}

/// A good token but for one header parameter, spelt so.
fn with_header_spelt(name: &str, member: &str) -> Vec<u8> {
    MINT.sign(spelt(MINT.header(), name, member), claims().to_string())
}

//= RFC 9068 section 4 type=test
//# A token whose type, issuer, audience, signature and expiry hold is taken, and gives its grant.
#[test]
fn good_tokens_of_all_five_algorithms_are_taken() {
    for algorithm in ALGORITHMS {
        let mint = Mint::new(algorithm);
        let token = verify(&mint.with(json!({})), &mint.issuers, UnixSeconds(NOW)).unwrap();
        assert_eq!(token.client_id, "scs-1", "{algorithm:?}");
        assert_eq!(token.grant.thumbprint.unwrap().0, [7; 32]);
        let values: Vec<_> = token.grant.rights.values().collect();
        assert_eq!(values, ["3gpp-monitoring-event", "3gpp-nidd"]);
        assert_eq!(token.grant.valid_from, UnixSeconds(NOW - 30));
        assert_eq!(token.grant.valid_until, UnixSeconds(NOW + 329));
    }
}

#[test]
fn a_key_from_a_pem_file_verifies_tokens() {
    for algorithm in ALGORITHMS {
        let mint = Mint::new(algorithm);
        let pem = mint.signer.pem();
        let keys = |kid| Keys::from_pem(&pem, algorithm, kid).unwrap();
        let issuers = |kid| Issuers::new(vec![rules(keys(kid))]).unwrap();
        let named = issuers(Some("k1".to_owned()));
        assert!(verify(&mint.with(json!({})), &named, UnixSeconds(NOW)).is_ok());
        let nameless = issuers(None);
        let token = mint.with_header(json!({"kid": null}));
        assert!(verify(&token, &nameless, UnixSeconds(NOW)).is_ok());
        let token = mint.with(json!({}));
        let told = verify(&token, &nameless, UnixSeconds(NOW));
        assert_eq!(told, Err(TokenFault::KeyUnknown));
    }
}

#[test]
fn unknown_claims_and_header_parameters_are_passed_over() {
    let more = json!({"auth_time": 1, "roles": ["a"], "act": {"sub": "b"}, "nothing": false});
    assert!(read(&MINT.with(more.clone())).is_ok());
    assert!(read(&MINT.with_header(more)).is_ok());
}

#[test]
fn members_may_stand_in_any_order_and_spacing() {
    let header = b"\r\n{ \"kid\" : \"k1\",\t\"alg\":\"ES256\" , \"typ\":\"at+jwt\" }\n";
    let claims = serde_json::to_vec_pretty(&claims()).unwrap();
    assert!(read(&MINT.sign(header, claims)).is_ok());
}

#[test]
fn escaped_spellings_mean_the_same_when_they_stand_alone() {
    let header = br#"{"\u0074yp":"at\u002bjwt","alg":"\u0045S256","kid":"k\u0031"}"#;
    assert!(read(&MINT.sign(header, claims().to_string())).is_ok());
    let cnf = format!(r#""cn\u0066":{{"x5t\u0023S256":"{}"}}"#, b64([7; 32]));
    assert!(read(&with_claim_spelt("cnf", &cnf)).is_ok());
}

#[test]
fn every_fault_has_a_word_of_its_own() {
    use Claim::*;
    use TokenFault::*;
    let claims = [Iss, Sub, Aud, Exp, Nbf, Iat, Jti, ClientId, Scope, Cnf];
    let mut faults = vec![
        TooLong,
        Malformed,
        MalformedJson,
        DuplicateMember,
        HeaderMalformed,
        Type,
        CritUnknown,
        Compressed,
        AlgorithmRefused,
        IssuerUnknown,
        KeyUnknown,
        SignatureBad,
        Audience,
        Expired,
        NotYetValid,
        NotBound,
    ];
    faults.extend(claims.map(ClaimMissing));
    faults.extend(claims.map(ClaimMalformed));
    let words: BTreeSet<_> = faults.iter().map(|fault| fault.word()).collect();
    assert_eq!(words.len(), faults.len());
    for word in words {
        let plain = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(plain && word.starts_with("token_"), "{word}");
    }
}

#[test]
fn debug_output_holds_no_thumbprint() {
    let token = read(&MINT.with(json!({}))).unwrap();
    let shown = format!("{token:?}");
    assert!(shown.contains("valid_until"));
    assert!(
        !shown.contains("humbprint") && !shown.contains("7, 7"),
        "{shown}"
    );
}
