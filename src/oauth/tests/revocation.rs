//! Which tokens a client may end, and what is said of the others.

use super::*;
use crate::authz::issuers::Issuers;
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
    let named = |_: &[u8], verified: VerifiedToken| verified.client_id;
    let issuer = &stage.issuer;
    issuer.revocable(form.as_bytes(), &stage.caller(), &issuers, now, named)
}

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
    for token in ["abc", "a.b.c", &forged, of_another.as_str().unwrap()] {
        let form = format!("client_id=partner-1&token={token}");
        assert_eq!(revoked(&stage, &form, NOW), Ok(None), "{token}");
        // It knows the other issuer's tokens as well as its own.
        let rules = [stage.issuer.rules(), another_issuer.rules()];
        let issuers = Issuers::new(rules.map(Result::unwrap).into()).unwrap();
        let (form, caller) = (form.as_bytes(), stage.caller());
        let named = |_: &[u8], _| panic!("{token}");
        let said = stage.issuer.revocable(form, &caller, &issuers, NOW, named);
        assert_eq!(said.map(|named: Option<()>| named.is_some()), Ok(false));
    }
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
fn token_that_is_not_valid_yet_is_not_said_to_be_gone() {
    let stage = stage_of("partner-1");
    let form = format!(
        "client_id=partner-1&token={}",
        token_of(&stage, "partner-1")
    );
    let early = revoked(&stage, &form, UnixSeconds(NOW.0 - 3_600));
    assert_eq!(early, Err(GrantFault::TokenNotYetValid));
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
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let stage = stage_of("partner-1");
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let header = part(serde_json::json!({"alg": "ES256", "kid": "elsewhere"}));
    let claims = part(serde_json::json!({"iss": "partner-1", "exp": NOW.0 + 60}));
    let form = format!("client_id=partner-1&token={header}.{claims}.c2ln");
    assert_eq!(revoked(&stage, &form, NOW), Ok(None));
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
