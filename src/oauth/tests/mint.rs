//! Tokens and the responses that carry them, read by the gateway and by jsonwebtoken.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use serde_json::json;

use super::*;
use crate::authz::issuers::Issuers;
use crate::authz::token::{self, TokenFault};

fn response() -> Value {
    let minted = STAGE.issuer.mint(&STAGE.grant(), NOW).unwrap();
    read(&minted.json)
}

fn token_of(response: &Value) -> &str {
    response["access_token"].as_str().unwrap()
}

/// One of the first two parts of a token.
fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).unwrap();
    read(&URL_SAFE_NO_PAD.decode(part).unwrap())
}

//= RFC 6749 section 5.1 type=test
//# Token, type, lifetime and scope, in JSON, and nothing else.
#[test]
fn response_has_four_members() {
    let response = response();
    assert_eq!(response["token_type"], "Bearer");
    assert_eq!(response["expires_in"], 600);
    assert_eq!(response["scope"], "3gpp-monitoring-event 3gpp-nidd");
    assert_eq!(response.as_object().unwrap().len(), 4);
}

#[test]
fn scope_of_the_response_and_the_token_is_what_was_granted() {
    let grant = STAGE.decide(format!("{GOOD}&scope=3gpp-nidd")).unwrap();
    let response = read(&STAGE.issuer.mint(&grant, NOW).unwrap().json);
    assert_eq!(response["scope"], "3gpp-nidd");
    assert_eq!(part(token_of(&response), 1)["scope"], "3gpp-nidd");
}

//= RFC 9068 section 2.1 type=test
//# The type is at+jwt, and the algorithm is never none.
#[test]
fn header_says_type_algorithm_and_key() {
    let header = part(token_of(&response()), 0);
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "ES256");
    assert_eq!(header["kid"], read(&jwks(&STAGE.issuer))["keys"][0]["kid"]);
    assert_eq!(header["kid"], STAGE.issuer.kid_of(&STAGE.grant(), NOW));
    assert_eq!(header.as_object().unwrap().len(), 3);
}

//= RFC 9068 section 2.2 type=test
//# The seven required claims are there, and sub is the client where there is no resource owner.
//= RFC 9068 section 2.2.3 type=test
//# The scope claim says what was granted.
//= RFC 8705 section 3.1 type=test
//# cnf names the certificate by its SHA-256.
#[test]
fn claims_are_those_of_an_access_token_bound_to_the_certificate() {
    let claims = part(token_of(&response()), 1);
    assert_eq!((&claims["iss"], STAGE.issuer.name()), (&json!(NAME), NAME));
    assert_eq!(claims["aud"], AUDIENCE);
    assert_eq!(claims["sub"], "partner-1");
    assert_eq!(claims["client_id"], "partner-1");
    assert_eq!(claims["iat"], NOW.0);
    assert_eq!(claims["exp"], NOW.0 + 600);
    assert_eq!(claims["scope"], "3gpp-monitoring-event 3gpp-nidd");
    let sha256 = digest(&SHA256, STAGE.peer.certificate());
    let thumbprint = URL_SAFE_NO_PAD.encode(sha256.as_ref());
    assert_eq!(claims["cnf"], serde_json::json!({"x5t#S256": thumbprint}));
    assert_eq!(claims.as_object().unwrap().len(), 10);
}

#[test]
fn every_token_has_160_random_bits_of_its_own() {
    let jtis: HashSet<_> = (0..100)
        .map(|_| {
            part(token_of(&response()), 1)["jti"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(jtis.len(), 100);
    for jti in jtis {
        assert_eq!(URL_SAFE_NO_PAD.decode(jti).unwrap().len(), 20);
    }
}

#[test]
fn gateway_takes_the_tokens_of_its_own_issuer() {
    let issuers = Issuers::new(vec![STAGE.issuer.rules().unwrap()]).unwrap();
    let response = response();
    let token = token_of(&response);
    let taken = token::verify(token.as_bytes(), &issuers, NOW).unwrap();
    assert_eq!(taken.client_id, "partner-1");
    assert_eq!(taken.grant.rights, STAGE.grant().rights());
    assert_eq!(taken.grant.thumbprint.unwrap().0, STAGE.peer.thumbprint().0);
    let after = UnixSeconds(NOW.0 + 600 + token::LEEWAY_S);
    let late = token::verify(token.as_bytes(), &issuers, after);
    assert_eq!(late, Err(TokenFault::Expired));
}

#[test]
fn token_of_another_key_is_not_taken() {
    let other = issuer_with(terms(&[partner()]), key_of(&KeyPair::generate().unwrap())).unwrap();
    let issuers = Issuers::new(vec![other.rules().unwrap()]).unwrap();
    let found = token::verify(token_of(&response()).as_bytes(), &issuers, NOW);
    assert_eq!(found, Err(TokenFault::KeyUnknown));
}

#[test]
fn another_reader_takes_the_token_by_the_published_key() {
    // This reader asks for the time itself.
    let minted = STAGE
        .issuer
        .mint(&STAGE.grant(), UnixSeconds::now())
        .unwrap();
    let response = read(&minted.json);
    let token = token_of(&response);
    let keys: JwkSet = serde_json::from_slice(&jwks(&STAGE.issuer)).unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    rules.set_audience(&[AUDIENCE]);
    rules.set_issuer(&[NAME]);
    rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    let claims = jsonwebtoken::decode::<Value>(token, &key, &rules)
        .unwrap()
        .claims;
    assert_eq!(claims["client_id"], "partner-1");
    let mut forged = token.to_owned();
    let last = if forged.pop() == Some('A') { 'Q' } else { 'A' };
    forged.push(last);
    assert!(jsonwebtoken::decode::<Value>(&forged, &key, &rules).is_err());
}

//= RFC 7518 section 3.4 type=test
//# The signature is r and s of 32 octets each.
#[test]
fn signature_has_64_octets_in_every_token() {
    for _ in 0..100 {
        let response = response();
        let signature = token_of(&response).rsplit('.').next().unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap().len(), 64);
    }
}

#[test]
fn names_with_quotes_stay_inside_their_claims() {
    let client_id = "a\",\"scope\":\"x";
    let mut odd = partner();
    odd.client_id = client_id.to_owned();
    let stage = Stage::new(odd, &certificate(vec![dns(HOST)], &[]));
    let form = "grant_type=client_credentials&client_id=a%22%2C%22scope%22%3A%22x";
    let minted = stage
        .issuer
        .mint(&stage.decide(form).unwrap(), NOW)
        .unwrap();
    let claims = part(token_of(&read(&minted.json)), 1);
    assert_eq!(claims["client_id"], client_id);
    assert_eq!(claims["scope"], "3gpp-monitoring-event 3gpp-nidd");
}

#[test]
fn signature_is_timed() {
    assert!(STAGE.issuer.mint(&STAGE.grant(), NOW).unwrap().signed_ns > 0);
    assert!(!STAGE.issuer.waits_for_token(&STAGE.grant(), NOW));
}
