//! What is told of a token, and to whom.

use serde_json::json;

use super::*;
use crate::authz::issuers::Issuers;
use crate::authz::token;
use crate::peer::San;

/// The issuer of [`STAGE`], and a client that introspects.
fn stage() -> Stage {
    let mut client = partner();
    if let Some(registration) = &mut client.registration {
        registration.introspects = true;
    }
    Stage::new(client, &certificate(vec![dns(HOST)], &[]))
}

/// Another issuer, by the same key.
fn issuer_elsewhere() -> Issuer {
    let named = Terms {
        name: "https://other.example".to_owned(),
        ..terms(&[])
    };
    issuer_with(named, Arc::clone(&KEY)).unwrap()
}

fn token(stage: &Stage) -> String {
    minted_by(&stage.issuer, stage)
}

fn minted_by(issuer: &Issuer, stage: &Stage) -> String {
    let minted = issuer.mint(&stage.grant(), NOW).unwrap();
    read(&minted.json)["access_token"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn asked(stage: &Stage, form: &str, in_force: bool, now: UnixSeconds) -> Result<Value, GrantFault> {
    let issuers = Issuers::new(vec![stage.issuer.rules().unwrap()]).unwrap();
    asked_beside(stage, &issuers, form, in_force, now)
}

/// With tokens of all of `issuers` taken here.
fn asked_beside(
    stage: &Stage,
    issuers: &Issuers,
    form: &str,
    in_force: bool,
    now: UnixSeconds,
) -> Result<Value, GrantFault> {
    let caller = stage.caller();
    let verify = |token: &[u8]| token::verify(token, issuers, now).ok();
    let (form, in_force) = (form.as_bytes(), |_: &[u8], _: &VerifiedToken| in_force);
    let issuer = &stage.issuer;
    let said = issuer.introspect(form, &caller, issuers, verify, in_force, now);
    said.map(|said| read(&said))
}

fn about(stage: &Stage, token: &str, now: UnixSeconds) -> Value {
    asked(
        stage,
        &format!("client_id=partner-1&token={token}"),
        true,
        now,
    )
    .unwrap()
}

/// spec.md 5.2 #12.
//= RFC 7662 section 2.2 type=test
//# Of an active token all is told that a resource server needs to decide.
#[test]
fn active_token_is_told_with_all_that_it_says() {
    let stage = stage();
    let token = token(&stage);
    let told = about(&stage, &token, NOW);
    assert_eq!(
        (&told["active"], &told["token_type"]),
        (&true.into(), &"Bearer".into())
    );
    assert_eq!(
        (&told["iss"], &told["aud"]),
        (&NAME.into(), &AUDIENCE.into())
    );
    assert_eq!(told["scope"], "3gpp-monitoring-event 3gpp-nidd");
    assert_eq!(told["exp"], NOW.0 + 600);
    for member in ["client_id", "sub", "iat", "nbf", "jti"] {
        assert!(told.get(member).is_some(), "{member}");
    }
    assert!(told["cnf"]["x5t#S256"].is_string());
    // A hint is passed over, right or wrong.
    let hinted = format!("client_id=partner-1&token={token}&token_type_hint=refresh_token");
    assert_eq!(asked(&stage, &hinted, true, NOW).unwrap(), told);
}

/// spec.md 5.2 #12.
//= RFC 7662 section 2.2 type=test
//# Of any other token it is told that it is not active, and nothing else.
//= RFC 7662 section 4 type=test
//# Signature, issuer, times and what happened since are all looked at.
#[test]
fn other_tokens_are_not_active_and_nothing_else_is_told() {
    let stage = stage();
    let good = token(&stage);
    let inactive = json!({"active": false});
    let other = token(&self::stage());
    let another_issuer = minted_by(&issuer_elsewhere(), &stage);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{first}{}", &signature[1..]);
    for token in ["abc", "a.b.c", &forged, &another_issuer] {
        assert_eq!(about(&stage, token, NOW), inactive, "{token}");
    }
    assert_eq!(
        about(&stage, &other, NOW)["active"],
        true,
        "of the same key"
    );
    assert_eq!(
        about(&stage, &good, UnixSeconds(NOW.0 + 599))["active"],
        true
    );
    assert_eq!(about(&stage, &good, UnixSeconds(NOW.0 + 600)), inactive);
    let form = format!("client_id=partner-1&token={good}");
    assert_eq!(asked(&stage, &form, false, NOW).unwrap(), inactive);
}

/// spec.md 5.2 #12.
//= RFC 7662 section 2.2 type=test
//# What another issuer's token is, that issuer says, though it is good for requests here.
#[test]
fn token_of_another_issuer_that_is_taken_here_is_not_active() {
    let stage = stage();
    let other = issuer_elsewhere();
    let rules = vec![stage.issuer.rules().unwrap(), other.rules().unwrap()];
    let issuers = Issuers::new(rules).unwrap();
    let foreign = minted_by(&other, &stage);
    assert!(token::verify(foreign.as_bytes(), &issuers, NOW).is_ok());
    for (token, active) in [(token(&stage).as_str(), true), (foreign.as_str(), false)] {
        let form = format!("client_id=partner-1&token={token}");
        let told = asked_beside(&stage, &issuers, &form, true, NOW).unwrap();
        assert_eq!(told["active"], active);
    }
}

/// spec.md 5.2 #12.
//= RFC 7662 section 2.1 type=test
//# Nobody is told anything who does not authenticate, or is not one to be told.
#[test]
fn only_clients_that_introspect_are_told_anything() {
    let token = token(&STAGE);
    let form = format!("client_id=partner-1&token={token}");
    let refused = asked(&STAGE, &form, true, NOW);
    assert_eq!(refused, Err(GrantFault::IntrospectionUnregistered));
    let stage = stage();
    for (form, fault) in [
        ("client_id=partner-1", GrantFault::TokenMissing),
        ("token=a", GrantFault::ClientIdMissing),
        ("client_id=partner-2&token=a", GrantFault::ClientIdForeign),
        (
            "client_id=partner-1&token=a&token=b",
            GrantFault::ParameterRepeated,
        ),
        (
            "client_id=partner-1&client_secret=a&token=a",
            GrantFault::SecondAuthentication,
        ),
    ] {
        assert_eq!(asked(&stage, form, true, NOW), Err(fault), "{form}");
    }
}

#[test]
fn client_that_only_introspects_gets_no_token() {
    let mut client = client("partner-1", Some(TlsClientAuth::SanDns(HOST.into())), &[]);
    if let Some(registration) = &mut client.registration {
        registration.introspects = true;
    }
    let stage = Stage::new(client, &certificate(vec![dns(HOST)], &[]));
    assert_eq!(stage.decide(GOOD), Err(GrantFault::ClientUnregistered));
}

#[test]
fn operator_has_no_token_for_a_client_that_only_introspects() {
    let certificate = certificate(vec![dns(HOST)], &[]);
    let decided = |scopes: &[&str]| {
        let by_host = TlsClientAuth::SanDns(HOST.to_owned());
        let mut client = client("partner-1", Some(by_host), scopes);
        client.sans = vec![San::Dns(HOST.to_owned())];
        if let Some(registration) = &mut client.registration {
            registration.introspects = true;
        }
        let stage = Stage::new(client, &certificate);
        let asked = (ClientIndex(0), &stage.client);
        stage
            .issuer
            .decide_for_operator(asked, &certificate, None)
            .map(drop)
    };
    assert_eq!(decided(&["3gpp-nidd"]), Ok(()));
    assert_eq!(decided(&[]), Err(GrantFault::ClientUnregistered));
}
