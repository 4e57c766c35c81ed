use super::*;
use crate::authz::scope::Rights;
use crate::authz::token::{Claim, Grant, Issued};

const NOW: UnixSeconds = UnixSeconds(1_000);
const BAD: TokenFault = TokenFault::SignatureBad;
const CLIENT: ClientIndex = ClientIndex(0);

fn token(number: u32) -> TokenDigest {
    TokenDigest::of(&number.to_be_bytes())
}

fn later(seconds: u64) -> UnixSeconds {
    UnixSeconds(NOW.0 + seconds)
}

#[test]
fn token_that_was_refused_is_known_for_a_while_and_by_its_fault() {
    let mut refused = RefusedTokens::default();
    assert_eq!(refused.lookup(&token(1), NOW), None);
    refused.note(&token(1), BAD, CLIENT, NOW);
    refused.note(&token(2), TokenFault::Audience, CLIENT, NOW);
    assert_eq!(refused.lookup(&token(1), NOW), Some(&Refusal::Fault(BAD)));
    assert_eq!(
        refused.lookup(&token(2), NOW),
        Some(&Refusal::Fault(TokenFault::Audience))
    );
    assert_eq!(refused.lookup(&token(3), NOW), None);
    let last = later(REFUSED_TOKENS_KEPT_S);
    assert_eq!(refused.lookup(&token(1), last), Some(&Refusal::Fault(BAD)));
    assert_eq!(
        refused.lookup(&token(1), later(REFUSED_TOKENS_KEPT_S + 1)),
        None
    );
    refused.clear();
    assert_eq!(refused.lookup(&token(2), NOW), None);
}

/// The one that stands in its place is not taken for it.
#[test]
fn token_that_shares_a_place_is_not_taken_for_another() {
    let mut refused = RefusedTokens::default();
    let first = token(0);
    let same_place = |number: &u32| place(&token(*number)) == place(&first);
    let second = token((1..).find(same_place).unwrap());
    refused.note(&first, BAD, CLIENT, NOW);
    assert_eq!(refused.lookup(&second, NOW), None);
    refused.note(&second, TokenFault::Expired, CLIENT, NOW);
    assert_eq!(
        refused.lookup(&second, NOW),
        Some(&Refusal::Fault(TokenFault::Expired))
    );
    assert_eq!(refused.lookup(&first, NOW), None);
}

/// A key that nobody has yet may be published in a moment.
#[test]
fn what_may_be_good_in_a_moment_or_costs_nothing_is_neither_known_nor_charged() {
    let mut refused = RefusedTokens::default();
    for fault in [
        TokenFault::KeyUnknown,
        TokenFault::KeysUnknown,
        TokenFault::SomeKeysUnknown,
        TokenFault::IssuerUnknown,
        TokenFault::Malformed,
        TokenFault::TooLong,
    ] {
        for number in 0..2 * TOKEN_FAILURES_PER_S_MAX {
            refused.note(&token(number), fault, CLIENT, NOW);
        }
        assert_eq!(refused.lookup(&token(0), NOW), None, "{fault:?}");
        assert!(refused.has_budget(CLIENT, NOW), "{fault:?}");
    }
    for fault in [
        BAD,
        TokenFault::Expired,
        TokenFault::Audience,
        TokenFault::NotBound,
        TokenFault::NotYetValid,
        TokenFault::LivesTooLong,
        TokenFault::ClaimMissing(Claim::Exp),
        TokenFault::ClaimMalformed(Claim::Exp),
    ] {
        let mut refused = RefusedTokens::default();
        refused.note(&token(0), fault, CLIENT, NOW);
        assert_eq!(refused.lookup(&token(0), NOW), Some(&Refusal::Fault(fault)));
    }
}

/// It took a verification, like any other that is no good, and may be good in the next second.
#[test]
fn token_that_is_not_valid_yet_is_charged_and_known_within_the_second() {
    let mut refused = RefusedTokens::default();
    refused.note(&token(0), TokenFault::NotYetValid, CLIENT, NOW);
    let known = Refusal::Fault(TokenFault::NotYetValid);
    assert_eq!(refused.lookup(&token(0), NOW), Some(&known));
    assert_eq!(refused.lookup(&token(0), later(1)), None);
    for number in 1..TOKEN_FAILURES_PER_S_MAX {
        assert!(refused.has_budget(CLIENT, NOW));
        refused.note(&token(number), TokenFault::NotYetValid, CLIENT, NOW);
    }
    assert!(!refused.has_budget(CLIENT, NOW));
}

#[test]
fn client_has_its_budget_anew_each_second_and_takes_nobody_elses() {
    let mut refused = RefusedTokens::default();
    for number in 0..TOKEN_FAILURES_PER_S_MAX {
        assert!(refused.has_budget(CLIENT, NOW), "{number}");
        refused.note(&token(number), BAD, CLIENT, NOW);
    }
    assert!(!refused.has_budget(CLIENT, NOW));
    assert!(refused.has_budget(ClientIndex(1), NOW));
    refused.clear();
    assert!(!refused.has_budget(CLIENT, NOW), "what was spent is spent");
    for _ in 0..TOKEN_FAILURES_PER_S_MAX {
        refused.charge(ClientIndex(2), NOW);
    }
    assert!(!refused.has_budget(ClientIndex(2), NOW));
    assert!(refused.has_budget(CLIENT, later(1)));
    refused.note(&token(9), BAD, CLIENT, later(1));
    assert!(refused.has_budget(CLIENT, later(1)));
}

/// Apart from what is verified in vain: a question costs somebody else.
#[test]
fn client_has_its_questions_anew_each_second_and_takes_nobody_elses() {
    let mut refused = RefusedTokens::default();
    for number in 0..INTROSPECTIONS_IN_VAIN_PER_S_MAX {
        assert!(refused.has_questions(CLIENT, NOW), "{number}");
        refused.charge_question(CLIENT, NOW);
    }
    assert!(!refused.has_questions(CLIENT, NOW));
    assert!(refused.has_budget(CLIENT, NOW));
    assert!(refused.has_questions(ClientIndex(1), NOW));
    assert!(refused.has_questions(CLIENT, later(1)));
}

/// Others bring them to a resource server: it has none of what is its own to spend.
#[test]
fn resource_server_has_a_budget_for_what_others_bring_it() {
    let mut refused = RefusedTokens::default();
    for number in 0..TOLD_IN_VAIN_PER_S_MAX {
        assert!(refused.may_be_told(CLIENT, NOW), "{number}");
        assert!(refused.remember(&token(number), BAD, NOW));
        refused.charge_told(CLIENT, NOW);
    }
    assert!(!refused.may_be_told(CLIENT, NOW));
    assert!(refused.may_be_told(ClientIndex(1), NOW) && refused.may_be_told(CLIENT, later(1)));
    assert!(refused.has_budget(CLIENT, NOW) && refused.has_questions(CLIENT, NOW));
    assert!(!refused.remember(&token(0), TokenFault::Malformed, NOW));
    let last = token(TOLD_IN_VAIN_PER_S_MAX - 1);
    assert_eq!(refused.lookup(&last, NOW), Some(&Refusal::Fault(BAD)));
}

/// It is as it was verified, for whoever looks whether it still is revoked.
#[test]
fn token_that_is_revoked_is_known_as_it_was_verified_and_not_beyond_its_end() {
    let mut refused = RefusedTokens::default();
    let verified = VerifiedToken {
        issuer: "https://as.example".to_owned(),
        key_id: None,
        jti: None,
        issued: Issued::At(NOW),
        lives_too_long: false,
        client_id: "a".to_owned(),
        ends: later(3),
        grant: Grant {
            thumbprint: None,
            rights: Rights::NONE,
            valid_from: NOW,
            valid_until: later(3),
        },
        limited: None,
    };
    refused.note_revoked(&token(1), verified.clone(), CLIENT, NOW);
    let known = Some(Refusal::Revoked(Box::new(verified.clone())));
    for second in [0, 3] {
        assert_eq!(refused.lookup(&token(1), later(second)), known.as_ref());
    }
    assert_eq!(refused.lookup(&token(1), later(4)), None);
    for _ in 1..TOKEN_FAILURES_PER_S_MAX {
        assert!(refused.has_budget(CLIENT, NOW));
        refused.note_revoked(&token(1), verified.clone(), CLIENT, NOW);
    }
    assert!(!refused.has_budget(CLIENT, NOW));
}
