//! Opaque tokens: issued, taken and told of like those that are signed.

use super::*;
use crate::authz::issuers::Issuers;
use crate::authz::sealed::SealingSecret;
use crate::authz::token;

fn sealing() -> Option<Arc<Sealing>> {
    let octets: Vec<u8> = (0..48_u8).map(|place| place.wrapping_mul(37)).collect();
    let secret = Arc::new(SealingSecret::from_octets(&octets).unwrap());
    Some(Arc::new(Sealing::new(NAME, secret, Vec::new())))
}

/// An issuer that seals, of one client that introspects and has tokens of this format.
fn stage(format: TokenFormat, of_client: Option<TokenFormat>) -> Stage {
    let mut client = partner();
    if let Some(registration) = &mut client.registration {
        registration.introspects = true;
        registration.token_format = of_client;
    }
    let terms = Terms {
        format,
        sealing: sealing(),
        ..terms(std::slice::from_ref(&client))
    };
    let issuer = issuer_with(terms, Arc::clone(&KEY)).unwrap();
    Stage {
        issuer,
        peer: peer(&certificate(vec![dns(HOST)], &[])),
        client,
    }
}

fn minted(stage: &Stage) -> Value {
    read(&stage.issuer.mint(&stage.grant(), NOW).unwrap().json)
}

fn token_of(response: &Value) -> String {
    response["access_token"].as_str().unwrap().to_owned()
}

fn is_sealed(token: &str) -> bool {
    token.starts_with("t8s1_") && !token.contains('.')
}

//= RFC 6749 section 5.1 type=test
//# What a response says beside the token does not hang on what the token is.
#[test]
fn opaque_token_is_issued_in_the_response_of_any_other() {
    let stage = stage(TokenFormat::Opaque, None);
    let response = minted(&stage);
    let token = token_of(&response);
    assert!(is_sealed(&token), "{token}");
    let signed = minted(&STAGE);
    for member in ["token_type", "expires_in", "scope"] {
        assert_eq!(response[member], signed[member], "{member}");
    }
    assert_eq!(response.as_object().unwrap().len(), 4);
    let issuers = Issuers::new(vec![stage.issuer.rules().unwrap()]).unwrap();
    let taken = token::verify(token.as_bytes(), &issuers, NOW).unwrap();
    assert_eq!(taken.client_id, "partner-1");
    assert_eq!(taken.grant.rights, stage.grant().rights());
    assert_eq!(taken.grant.thumbprint.unwrap().0, stage.peer.thumbprint().0);
    let kid = stage.issuer.kid_of(&stage.grant(), NOW);
    assert_eq!(taken.key_id.as_deref(), Some(kid));
    assert!(!stage.issuer.waits_for_token(&stage.grant(), NOW));
    // Keys and description are those of any issuer.
    assert_eq!(stage.issuer.metadata(), STAGE.issuer.metadata());
    assert_eq!(jwks(&stage.issuer), jwks(&STAGE.issuer));
}

#[test]
fn client_may_have_tokens_of_another_format_than_the_rest_and_both_are_taken() {
    for (format, of_client, sealed) in [
        (TokenFormat::Jwt, Some(TokenFormat::Opaque), true),
        (TokenFormat::Opaque, Some(TokenFormat::Jwt), false),
        (TokenFormat::Jwt, None, false),
    ] {
        let stage = stage(format, of_client);
        let token = token_of(&minted(&stage));
        assert_eq!(is_sealed(&token), sealed);
        let issuers = Issuers::new(vec![stage.issuer.rules().unwrap()]).unwrap();
        assert!(token::verify(token.as_bytes(), &issuers, NOW).is_ok());
    }
    let der = certificate(vec![dns(HOST)], &[]);
    let stage = stage(TokenFormat::Opaque, None);
    let place = (ClientIndex(0), &stage.client);
    let grant = stage.issuer.decide_for_operator(place, &der, None).unwrap();
    let minted = stage.issuer.mint(&grant, NOW).unwrap();
    assert!(is_sealed(&token_of(&read(&minted.json))));
}

#[test]
fn issuer_says_by_what_it_seals_and_seals_by_nothing_where_all_is_signed() {
    let stage = stage(TokenFormat::Opaque, None);
    let sealing = stage.issuer.sealing().expect("it seals");
    assert_eq!(stage.issuer.kid_of(&stage.grant(), NOW), sealing.kid());
    assert!(STAGE.issuer.sealing().is_none());
}

#[test]
fn issuer_that_is_to_seal_and_has_no_secret_is_refused() {
    let refused = |client: &Client, format| {
        let terms = Terms {
            format,
            ..terms(std::slice::from_ref(client))
        };
        issuer_with(terms, Arc::clone(&KEY)).unwrap_err()
    };
    let fault = refused(&partner(), TokenFormat::Opaque);
    assert!(fault.what.contains("no secret") && fault.client.is_none());
    assert!(fault.cure.contains("[oauth.sealing]"), "{fault}");
    let mut client = partner();
    client.registration.as_mut().unwrap().token_format = Some(TokenFormat::Opaque);
    let fault = refused(&client, TokenFormat::Jwt);
    assert_eq!(fault.client, Some(ClientIndex(0)));
}

/// spec.md 5.2 #12.
//= RFC 7662 section 2.2 type=test
//# All is told of an active token that is opaque, and nothing of one that was made up.
#[test]
fn opaque_token_is_told_with_all_that_it_says_and_a_forged_one_is_not_active() {
    let stage = stage(TokenFormat::Opaque, None);
    let issuers = Issuers::new(vec![stage.issuer.rules().unwrap()]).unwrap();
    let asked = |token: &str, in_force: bool, now: UnixSeconds| {
        let form = format!("client_id=partner-1&token={token}");
        let (form, caller) = (form.as_bytes(), stage.caller());
        let issuer = &stage.issuer;
        let verify = |token: &[u8]| token::verify(token, &issuers, now).ok();
        let in_force = |_: &[u8], _: &VerifiedToken| in_force;
        let said = issuer.introspect(form, &caller, &issuers, verify, in_force, now);
        read(&said.unwrap())
    };
    let token = token_of(&minted(&stage));
    let told = asked(&token, true, NOW);
    assert_eq!(told["active"], true);
    for member in [
        "token_type",
        "scope",
        "client_id",
        "exp",
        "iat",
        "nbf",
        "sub",
        "aud",
        "iss",
        "jti",
        "cnf",
    ] {
        assert!(told.get(member).is_some(), "{member}");
    }
    let inactive = serde_json::json!({"active": false});
    let (start, end) = token.split_at(token.len() - 4);
    let other = if end == "AAAA" { "BBBB" } else { "AAAA" };
    assert_eq!(asked(&format!("{start}{other}"), true, NOW), inactive);
    assert_eq!(asked(start, true, NOW), inactive);
    assert_eq!(asked(&token, false, NOW), inactive);
    let after = UnixSeconds(NOW.0 + 600);
    assert_eq!(asked(&token, true, after), inactive);
    let revocable = |token: &str| {
        let form = format!("client_id=partner-1&token={token}");
        let named = |_: &[u8], verified: Option<token::VerifiedToken>| verified.unwrap().jti;
        let found = stage
            .issuer
            .revocable(form.as_bytes(), &stage.caller(), &issuers, NOW, named);
        found.unwrap().flatten()
    };
    assert_eq!(revocable(&token).as_deref(), told["jti"].as_str());
    assert_eq!(revocable(&format!("{start}{other}")), None);
}

/// spec.md 5.2 #13.
//= RFC 7009 section 2.2.1 type=test
//# What cannot be opened here may be good on another node: the client is told to come again.
#[test]
fn sealed_token_whose_secret_is_not_known_here_is_not_said_to_be_gone() {
    let token = token_of(&minted(&stage(TokenFormat::Opaque, None)));
    let issuers = Issuers::new(vec![STAGE.issuer.rules().unwrap()]).unwrap();
    let revoked = |token: &str| {
        let form = format!("client_id=partner-1&token={token}");
        let named = |_: &[u8], verified: Option<token::VerifiedToken>| {
            assert!(verified.is_none(), "nobody can say whose it is");
        };
        let (issuer, caller) = (&STAGE.issuer, STAGE.caller());
        let said = issuer.revocable(form.as_bytes(), &caller, &issuers, NOW, named);
        said.map(|named| named.is_some())
    };
    assert_eq!(revoked(&token), Err(GrantFault::TokenKeyUnknown));
    let of_another = format!("t8s1_AAAAAAAA{}", &token["t8s1_AAAAAAAA".len()..]);
    // It may be somebody's else, whom to ask is not the issuer's to know.
    assert_eq!(revoked(&of_another), Ok(true));
}
