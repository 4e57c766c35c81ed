use serde_json::{Value, json};

use super::*;
use crate::authz::issuers::{Custom, KeySet, Profile};
use crate::authz::mint::{AUDIENCE, ISSUER, NOW, b64, changed};
use crate::authz::token::{Claim, Issued};
use crate::limits::{ISSUER_TOKEN_LIFETIME_S_MAX, REVOKED_NAME_BYTES_MAX};

fn issuer(profile: Profile) -> IssuerRules {
    IssuerRules::new(ISSUER.to_owned(), profile, KeySet::unknown()).unwrap()
}

fn rfc9068() -> IssuerRules {
    issuer(Profile::Rfc9068 {
        audience: AUDIENCE.to_owned(),
    })
}

fn good() -> Value {
    json!({
        "active": true, "aud": AUDIENCE, "client_id": "scs-1", "exp": NOW + 300,
        "scope": "3gpp-nidd", "cnf": {"x5t#S256": b64([7; 32])},
    })
}

fn verdict(answer: &Value) -> Verdict {
    read(answer.to_string().as_bytes(), &rfc9068(), UnixSeconds(NOW))
}

#[track_caller]
fn refused(changes: Value, fault: TokenFault) {
    let answer = changed(good(), changes);
    assert_eq!(verdict(&answer), Err(NotTaken::Refused(fault)), "{answer}");
}

//= RFC 7662 section 2.2 type=test
//# What is active gives what it says, by the rules of the issuer's tokens.
#[test]
fn active_token_gives_what_its_issuer_says_of_it() {
    let read = verdict(&good()).unwrap();
    assert_eq!(
        (read.client_id.as_str(), read.issuer.as_str()),
        ("scs-1", ISSUER)
    );
    assert_eq!(read.grant.thumbprint.map(|bound| bound.0), Some([7; 32]));
    assert!(!read.grant.rights.is_empty());
    let earliest = UnixSeconds(NOW + 300 - ISSUER_TOKEN_LIFETIME_S_MAX);
    assert_eq!((read.jti, read.issued), (None, Issued::NotBefore(earliest)));
    let more = changed(
        good(),
        json!({"iss": ISSUER, "jti": "j", "iat": NOW, "sub": "s"}),
    );
    let more = verdict(&more).unwrap();
    assert_eq!(more.jti.as_deref(), Some("j"));
    assert_eq!(more.issued, Issued::At(UnixSeconds(NOW)));
}

#[test]
fn inactive_token_is_refused_whatever_else_is_said() {
    refused(json!({"active": false}), TokenFault::Inactive);
    let bare = verdict(&json!({"active": false}));
    assert_eq!(bare, Err(NotTaken::Refused(TokenFault::Inactive)));
}

//= RFC 7662 section 2.2 type=test
//# What its issuer calls no access token that who has it may use is none here.
#[test]
fn token_of_another_type_is_refused() {
    for kind in ["Bearer", "bearer", "access_token"] {
        let said = changed(good(), json!({"token_type": kind}));
        assert!(verdict(&said).is_ok(), "{kind}");
    }
    for kind in [
        json!("refresh_token"),
        json!("DPoP"),
        json!(""),
        json!(1),
        json!(["Bearer"]),
    ] {
        refused(
            changed(good(), json!({"token_type": kind})),
            TokenFault::Type,
        );
    }
}

/// It says nothing of the token: who could come again is not told that its token is bad.
#[test]
fn what_is_no_answer_leaves_the_question_open() {
    for answer in [
        "",
        "no",
        "[]",
        "{}",
        "null",
        "{\"active\":\"true\"}",
        "{\"active\":1}",
        "{\"active\":null}",
        "{\"active\":true,\"active\":true}",
        "{\"active\":true}x",
        "{\"activ\":true}",
    ] {
        let read = read(answer.as_bytes(), &rfc9068(), UnixSeconds(NOW));
        assert_eq!(read, Err(NotTaken::Unanswered), "{answer}");
    }
}

//= RFC 8705 section 3.2 type=test
//# The certificate that an opaque token is bound to is named in cnf of the answer.
#[test]
fn answer_is_held_to_what_a_token_has_to_say() {
    refused(json!({"aud": null}), TokenFault::ClaimMissing(Claim::Aud));
    refused(json!({"aud": "elsewhere"}), TokenFault::Audience);
    refused(
        json!({"iss": "https://else.example"}),
        TokenFault::IssuerUnknown,
    );
    let long = "j".repeat(REVOKED_NAME_BYTES_MAX);
    assert!(verdict(&changed(good(), json!({ "jti": long }))).is_ok());
    let longer = json!({"jti": format!("{long}j")});
    refused(longer, TokenFault::ClaimMalformed(Claim::Jti));
    refused(json!({"iss": 7}), TokenFault::ClaimMalformed(Claim::Iss));
    refused(
        json!({"client_id": null}),
        TokenFault::ClaimMissing(Claim::ClientId),
    );
    refused(json!({"exp": null}), TokenFault::ClaimMissing(Claim::Exp));
    refused(
        json!({"exp": "1900000000"}),
        TokenFault::ClaimMalformed(Claim::Exp),
    );
    refused(
        json!({"scope": 7}),
        TokenFault::ClaimMalformed(Claim::Scope),
    );
    refused(json!({"cnf": {"jkt": "x"}}), TokenFault::NotBound);
    refused(
        json!({"cnf": {"x5t#S256": "AA"}}),
        TokenFault::ClaimMalformed(Claim::Cnf),
    );
    let unbound = verdict(&changed(good(), json!({"cnf": null}))).unwrap();
    let bound = unbound.grant.thumbprint.is_some();
    assert!(!bound, "for clients that are exempted by name");
}

//= RFC 7662 section 4 type=test
//# An answer is not used beyond exp.
#[test]
fn answer_ends_with_exp_and_begins_with_nbf() {
    let read = verdict(&good()).unwrap();
    assert_eq!(read.grant.valid_until, UnixSeconds(NOW + 299), "no leeway");
    refused(json!({"exp": NOW}), TokenFault::Expired);
    refused(json!({"nbf": NOW + 31}), TokenFault::NotYetValid);
    assert!(verdict(&changed(good(), json!({"exp": NOW + 1, "nbf": NOW + 30}))).is_ok());
}

#[test]
fn answer_of_an_issuer_that_writes_its_own_way_is_read_that_way() {
    let custom = issuer(Profile::Custom(Custom {
        audience: AUDIENCE.to_owned(),
        kind: None,
        client_id: "azp".to_owned(),
        scope: "scp".to_owned(),
        jti: None,
    }));
    let answer = json!({
        "active": true, "aud": AUDIENCE, "azp": "scs-1", "scp": ["3gpp-nidd"], "exp": NOW + 300,
    });
    let read = read(answer.to_string().as_bytes(), &custom, UnixSeconds(NOW)).unwrap();
    assert!(read.client_id == "scs-1" && !read.grant.rights.is_empty());
}

#[test]
fn three_parts_are_a_jws_and_all_else_is_opaque() {
    for token in ["a", "a.b", "a.b.c.d", "", "....", "ABCdef123"] {
        assert!(is_opaque(token.as_bytes()), "{token}");
    }
    assert!(!is_opaque(b"a.b.c") && !is_opaque(b".."));
}

//= RFC 6750 section 2.1 type=test
//# What is not written as a token has to be is none.
#[test]
fn token_is_of_the_signs_that_tokens_are_of() {
    for token in ["a", "2Yotn-FZF._~+/x", "abc=", "abc=="] {
        assert!(is_b64token(token.as_bytes()), "{token}");
    }
    for token in [
        "",
        "=",
        "a=b",
        "a b",
        "a,b",
        "a%20",
        "caf\u{e9}",
        "a\0",
        "a\"b",
    ] {
        assert!(!is_b64token(token.as_bytes()), "{token}");
    }
}

#[test]
fn nobody_is_asked_where_nobody_answers_or_too_many_ask() {
    let desk = Desk::default();
    assert!(desk.ask(b"t", ClientIndex(0)).is_none() && !desk.is_answered());
    let (letters, mut received) = mpsc::channel(1);
    assert!(desk.answered_by(letters.clone()) && !desk.answered_by(letters));
    assert!(desk.is_answered());
    let mut answered = desk.ask(b"t", ClientIndex(0)).unwrap();
    assert!(
        desk.ask(b"u", ClientIndex(0)).is_none(),
        "the queue is full"
    );
    let question = received.try_recv().unwrap();
    assert_eq!(
        (&*question.token, format!("{question:?}").as_str()),
        (&b"t"[..], "Question")
    );
    question.answer.send(Err(NotTaken::Unanswered)).unwrap();
    assert_eq!(answered.try_recv(), Ok(Err(NotTaken::Unanswered)));
}
