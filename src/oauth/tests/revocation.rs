//! Which tokens a client may end, and what is said of the others.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::authz::issuers::{IssuerRules, Issuers, KeySet, Profile};
use crate::authz::token::VerifiedToken;

fn stage_of(client_id: &str) -> Stage {
    let by_host = TlsClientAuth::SanDns(HOST.to_owned());
    let client = client(client_id, Some(by_host), &["3gpp-nidd"]);
    Stage::new(client, &certificate(vec![dns(HOST)], &[]))
}

fn token_of(stage: &Stage, client_id: &str) -> String {
    let form = format!("grant_type=client_credentials&client_id={client_id}");
    let grant = stage.decide(form).unwrap();
    let minted = stage.issuer.mint(&grant, NOW).unwrap();
    let token = &read(&minted.json)["access_token"];
    token.as_str().unwrap().to_owned()
}

/// Whose token is to be revoked; none: there is nothing to do.
fn revoked(stage: &Stage, form: &str, now: UnixSeconds) -> Result<Option<String>, GrantFault> {
    let issuers = Issuers::new(vec![stage.issuer.rules().unwrap()]).unwrap();
    revoked_of(stage, form, &issuers, now)
}

/// The same, of any of these issuers.
fn revoked_of(
    stage: &Stage,
    form: &str,
    issuers: &Issuers,
    now: UnixSeconds,
) -> Result<Option<String>, GrantFault> {
    let named = |_: &[u8], verified: Option<VerifiedToken>| {
        verified.map_or_else(|| OPAQUE.to_owned(), |verified| verified.client_id)
    };
    let issuer = &stage.issuer;
    issuer.revocable(form.as_bytes(), &stage.caller(), issuers, now, named)
}

/// What its issuer alone can say something of.
const OPAQUE: &str = "opaque";

/// spec.md 5.2 #13.
//= RFC 7009 section 2.2 type=test
//# A hint changes nothing, right or wrong, and no type of token is refused as not supported.
#[test]
fn own_token_is_to_be_revoked_whatever_the_hint() {
    let stage = stage_of("partner-1");
    let token = token_of(&stage, "partner-1");
    let own = Ok(Some("partner-1".to_owned()));
    for hint in ["", "access_token", "refresh_token", "nothing"] {
        let form = format!("client_id=partner-1&token={token}&token_type_hint={hint}");
        assert_eq!(revoked(&stage, &form, NOW), own, "{hint}");
    }
}

/// spec.md 5.2 #13.
//= RFC 7009 section 2.2 type=test
//# A token that opens nothing is nothing to revoke, and no fault of who asks.
#[test]
fn tokens_that_are_no_good_are_nothing_to_do() {
    let stage = stage_of("partner-1");
    let good = token_of(&stage, "partner-1");
    let named = Terms {
        name: "https://other.example".to_owned(),
        ..terms(&[])
    };
    let another_issuer = issuer_with(named, Arc::clone(&KEY)).unwrap();
    let minted = another_issuer.mint(&stage.grant(), NOW).unwrap();
    let of_another = read(&minted.json)["access_token"].clone();
    // Whatever the signature ends with, it is another one then.
    let end = if good.ends_with('A') { 'Q' } else { 'A' };
    let forged = format!("{}{end}", &good[..good.len() - 1]);
    let of_another = of_another.as_str().unwrap();
    for token in ["a%20b", "a.b.c", &forged, of_another] {
        let form = format!("client_id=partner-1&token={token}");
        assert_eq!(revoked(&stage, &form, NOW), Ok(None), "{token}");
    }
    // Where the other issuer's tokens are taken, there is something to end.
    let rules = [stage.issuer.rules(), another_issuer.rules()];
    let issuers = Issuers::new(rules.map(Result::unwrap).into()).unwrap();
    let form = format!("client_id=partner-1&token={of_another}");
    let own = Ok(Some("partner-1".to_owned()));
    assert_eq!(revoked_of(&stage, &form, &issuers, NOW), own);
    let form = format!("client_id=partner-2&token={of_another}");
    let foreign = Err(GrantFault::TokenForeign);
    assert_eq!(
        revoked_of(&stage_of("partner-2"), &form, &issuers, NOW),
        foreign
    );
    // What may be opaque is for whoever can ask about it.
    let form = "client_id=partner-1&token=abc";
    assert_eq!(revoked(&stage, form, NOW), Ok(Some(OPAQUE.to_owned())));
    let form = format!("client_id=partner-1&token={good}");
    // As long as it may still be taken somewhere, by a clock that goes behind.
    assert!(
        revoked(&stage, &form, UnixSeconds(NOW.0 + 629))
            .unwrap()
            .is_some()
    );
    assert_eq!(revoked(&stage, &form, UnixSeconds(NOW.0 + 630)), Ok(None));
}

/// spec.md 5.2 #13. A clock that was put back must not have a client believe that its token is
/// gone, which then comes into force.
#[test]
fn token_that_is_not_valid_yet_is_to_be_revoked() {
    let stage = stage_of("partner-1");
    let form = format!(
        "client_id=partner-1&token={}",
        token_of(&stage, "partner-1")
    );
    let early = revoked(&stage, &form, UnixSeconds(NOW.0 - 3_600));
    assert_eq!(early, Ok(Some("partner-1".to_owned())));
}

/// spec.md 5.2 #13. Another node has signed it by a key that is not known here, or not any more.
//= RFC 7009 section 2.2.1 type=test
//# A token that may be good elsewhere is not said to be gone.
#[test]
fn own_token_by_a_key_that_is_not_known_here_is_not_said_to_be_gone() {
    let stage = stage_of("partner-1");
    let key = key_of(&KeyPair::generate().unwrap());
    let node = issuer_with(terms(std::slice::from_ref(&stage.client)), key).unwrap();
    let minted = node.mint(&stage.grant(), NOW).unwrap();
    let token = read(&minted.json)["access_token"].clone();
    let form = format!("client_id=partner-1&token={}", token.as_str().unwrap());
    let unknown = Err(GrantFault::TokenKeyUnknown);
    assert_eq!(revoked(&stage, &form, NOW), unknown);
    // It is refused everywhere when it has ended, and nothing is left to do then.
    assert_eq!(revoked(&stage, &form, UnixSeconds(NOW.0 + 629)), unknown);
    assert_eq!(revoked(&stage, &form, UnixSeconds(NOW.0 + 630)), Ok(None));
}

/// What names the client in the issuer's place is in CAPIF's form, which is not issued here.
#[test]
fn token_in_capifs_form_is_gone_where_none_is_issued() {
    let stage = stage_of("partner-1");
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let header = part(serde_json::json!({"alg": "ES256", "kid": "elsewhere"}));
    let claims = part(serde_json::json!({"iss": "partner-1", "exp": NOW.0 + 60}));
    let form = format!("client_id=partner-1&token={header}.{claims}.c2ln");
    assert_eq!(revoked(&stage, &form, NOW), Ok(None));
}

/// spec.md 5.2 #13. Its keys may be had in a moment, and the token is good then.
//= RFC 7009 section 2.2.1 type=test
//# A token of another issuer whose keys are not known is not said to be gone.
#[test]
fn token_of_another_issuer_whose_keys_are_not_known_is_not_said_to_be_gone() {
    let stage = stage_of("partner-1");
    let token = |claims: &str| {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let header = part(r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#);
        format!("{header}.{}.{}", part(claims), part("signature"))
    };
    let issuers = |profile| {
        let other = IssuerRules::new(
            "https://other.example".to_owned(),
            profile,
            KeySet::unknown(),
        );
        Issuers::new(vec![stage.issuer.rules().unwrap(), other.unwrap()]).unwrap()
    };
    let rfc9068 = issuers(Profile::Rfc9068 {
        audience: "t8".to_owned(),
    });
    let said = |token: &str, issuers| {
        let form = format!("client_id=partner-1&token={token}");
        revoked_of(&stage, &form, issuers, NOW)
    };
    let exp = NOW.0 + 60;
    let unknown = Err(GrantFault::TokenKeyUnknown);
    let of = |iss: &str| format!(r#"{{"iss":"{iss}","exp":{exp}}}"#);
    assert_eq!(
        said(&token(&of("https://other.example")), &rfc9068),
        unknown
    );
    assert_eq!(
        said(&token(&of("https://none.example")), &rfc9068),
        Ok(None)
    );
    let ended = format!(r#"{{"iss":"https://other.example","exp":{}}}"#, NOW.0 - 60);
    assert_eq!(said(&token(&ended), &rfc9068), Ok(None));
    // Of CAPIF the client is named in one of two places.
    let capif = issuers(Profile::Capif {
        aef_id: "aef".to_owned(),
    });
    let of_capif = |claims: &str| {
        let claims = token(claims);
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"k"}"#);
        let (_, rest) = claims.split_once('.').unwrap();
        said(&format!("{header}.{rest}"), &capif)
    };
    assert_eq!(of_capif(&of("partner-1")), unknown);
    let in_client_id = r#"{"iss":"https://core.example","client_id":"partner-1"}"#;
    assert_eq!(of_capif(in_client_id), unknown);
    assert_eq!(of_capif(&of("partner-2")), Ok(None));
}

/// spec.md 5.2 #13.
//= RFC 7009 section 2.1 type=test
//# The token must be the client's, and the client must say who it is.
#[test]
fn only_the_client_itself_revokes_its_token() {
    let (one, two) = (stage_of("partner-1"), stage_of("partner-2"));
    let token = token_of(&one, "partner-1");
    let form = format!("client_id=partner-2&token={token}");
    assert_eq!(revoked(&two, &form, NOW), Err(GrantFault::TokenForeign));
    assert_eq!(revoked(&one, &form, NOW), Err(GrantFault::ClientIdForeign));
    for (form, fault) in [
        ("client_id=partner-1".to_owned(), GrantFault::TokenMissing),
        (format!("token={token}"), GrantFault::ClientIdMissing),
        (
            format!("client_id=partner-1&token={token}&token=b"),
            GrantFault::ParameterRepeated,
        ),
        (
            format!("client_id=partner-1&token={token}&client_secret=a"),
            GrantFault::SecondAuthentication,
        ),
    ] {
        assert_eq!(revoked(&one, &form, NOW), Err(fault), "{form}");
    }
}
