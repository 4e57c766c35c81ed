//! Sealed tokens, as the gateway takes them or not.

use std::collections::HashSet;

use aws_lc_rs::hmac;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::authz::issuers::Issuers;
use crate::authz::keys::{Algorithm, Keys};
use crate::authz::mint::{ISSUER, Mint, NOW, changed, claims, rules};
use crate::authz::token::{self, Claim, LEEWAY_S, VerifiedToken};
use crate::clock::UnixSeconds;
use crate::limits::TOKEN_BYTES_MAX;

fn octets(number: u8) -> Vec<u8> {
    (0..48_u8)
        .map(|place| place.wrapping_mul(37) ^ number)
        .collect()
}

fn secret(number: u8) -> Arc<SealingSecret> {
    Arc::new(SealingSecret::from_octets(&octets(number)).unwrap())
}

fn sealing(number: u8) -> Sealing {
    Sealing::new(ISSUER, secret(number), Vec::new())
}

/// An issuer of this name that has sealed tokens alone.
fn issuers(sealing: Sealing) -> Issuers {
    let rules = rules(Keys::none()).own(Some(Arc::new(sealing)));
    Issuers::new(vec![rules]).unwrap()
}

fn sealed(sealing: &Sealing, claims: &Value) -> String {
    sealing.seal(claims.to_string().as_bytes()).unwrap()
}

fn taken(token: &str, issuers: &Issuers) -> Result<VerifiedToken, TokenFault> {
    token::verify(token.as_bytes(), issuers, UnixSeconds(NOW))
}

fn refused(token: &str) -> TokenFault {
    taken(token, &issuers(sealing(1))).unwrap_err()
}

#[test]
fn sealed_token_gives_what_a_signed_one_with_its_claims_does() {
    let mint = Mint::new(Algorithm::ES256);
    let of_signed = token::verify(&mint.with(json!({})), &mint.issuers, UnixSeconds(NOW));
    let sealing = sealing(1);
    let token = sealed(&sealing, &claims());
    let kid = sealing.kid().to_owned();
    let of_sealed = taken(&token, &issuers(sealing)).unwrap();
    assert_eq!(of_sealed.key_id.as_ref(), Some(&kid));
    let same = VerifiedToken {
        key_id: of_sealed.key_id.clone(),
        ..of_signed.unwrap()
    };
    assert_eq!(of_sealed, same);
}

//= RFC 6750 section 2.1 type=test
//# A token has letters of a b64token alone.
#[test]
fn sealed_token_says_what_it_is_and_nothing_of_its_claims() {
    let sealing = sealing(1);
    let token = sealed(&sealing, &claims());
    assert!(token.starts_with(VERSION) && token.starts_with(&sealing.mark));
    let may = |octet: u8| octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
    assert!(token.bytes().all(may), "{token}");
    let body = URL_SAFE_NO_PAD.decode(&token[VERSION.len()..]).unwrap();
    for said in ["scs-1", "3gpp", "iss", "cnf", ISSUER] {
        assert!(memchr::memmem::find(&body, said.as_bytes()).is_none());
    }
    // Of the claims it has the length, and beside them no more than this.
    let length = claims().to_string().len() + 6 + 8 + 32 + 12 + 16;
    assert_eq!(body.len(), length);
    let most = "x".repeat(3 * (TOKEN_BYTES_MAX - 200) / 4);
    assert!(sealing.seal(most.as_bytes()).unwrap().len() <= TOKEN_BYTES_MAX);
}

//= RFC 6749 section 10.10 type=test
//# No two tokens have a key in common, whatever their claims.
#[test]
fn no_two_tokens_have_salt_or_nonce_in_common() {
    let sealing = sealing(1);
    let bodies: Vec<_> = (0..200)
        .map(|_| {
            let token = sealed(&sealing, &claims());
            URL_SAFE_NO_PAD.decode(&token[VERSION.len()..]).unwrap()
        })
        .collect();
    let salts: HashSet<_> = bodies.iter().map(|body| body[14..46].to_vec()).collect();
    let nonces: HashSet<_> = bodies.iter().map(|body| body[46..58].to_vec()).collect();
    assert_eq!((salts.len(), nonces.len()), (200, 200));
}

//= RFC 6749 section 10.10 type=test
//# What is changed in any place is no token any more.
#[test]
fn token_that_is_changed_in_any_letter_or_cut_is_refused() {
    let sealing = sealing(1);
    let token = sealed(&sealing, &claims());
    let mark = sealing.mark.len();
    let issuers = issuers(sealing);
    for place in 0..token.len() {
        for other in ["A", "B", "_", "=", "."] {
            let mut changed = token.clone();
            changed.replace_range(place..=place, other);
            if changed == token {
                continue;
            }
            let fault = taken(&changed, &issuers).unwrap_err();
            match place {
                _ if place < mark || "=.".contains(other) => {
                    assert_eq!(fault, TokenFault::Malformed, "{place}");
                }
                // The name of the secret, in part or whole.
                _ if place < mark + 11 => assert!(
                    [TokenFault::KeyUnknown, TokenFault::SignatureBad].contains(&fault),
                    "{place}"
                ),
                // Spare bits in its last letter may be wrong as well.
                _ if place + 1 == token.len() => assert!(
                    [TokenFault::Malformed, TokenFault::SignatureBad].contains(&fault),
                    "{place}"
                ),
                _ => assert_eq!(fault, TokenFault::SignatureBad, "{place}"),
            }
        }
        assert!(taken(&token[..place], &issuers).is_err(), "{place}");
    }
    assert!(taken(&token, &issuers).is_ok());
    for more in ["A", "AAAA", "=", "==", " ", "\n"] {
        assert!(taken(&format!("{token}{more}"), &issuers).is_err());
    }
}

#[test]
fn token_of_another_secret_issuer_or_way_to_seal_is_refused() {
    assert_eq!(
        refused(&sealed(&sealing(2), &claims())),
        TokenFault::KeyUnknown
    );
    let other = Sealing::new("https://other.example", secret(1), Vec::new());
    let foreign = sealed(&other, &claims());
    assert!(!issuers(sealing(1)).have_sealed(foreign.as_bytes()));
    assert_eq!(refused(&sealed(&other, &claims())), TokenFault::Malformed);
    // Nor where it says that it is of this one.
    let token = sealed(&other, &claims()).replace(&other.mark, &sealing(1).mark);
    assert_eq!(refused(&token), TokenFault::SignatureBad);
    let newer = sealed(&sealing(1), &claims()).replace("t8s1_", "t8s2_");
    assert_eq!(refused(&newer), TokenFault::Malformed);
    // And one that is put together of two.
    let (one, two) = (
        sealed(&sealing(1), &claims()),
        sealed(&sealing(1), &claims()),
    );
    let mixed = format!("{}{}", &one[..80], &two[80..]);
    assert_eq!(refused(&mixed), TokenFault::SignatureBad);
}

/// Other nodes may seal still, and whoever else is asked about such a token is shown it.
#[test]
fn without_a_secret_a_sealed_token_of_the_own_issuer_is_still_its_own() {
    let token = sealed(&sealing(1), &claims());
    let own = Issuers::new(vec![rules(Keys::none()).own(None)]).unwrap();
    assert!(own.have_sealed(token.as_bytes()));
    assert_eq!(taken(&token, &own), Err(TokenFault::KeyUnknown));
    let not_own = Issuers::new(vec![rules(Keys::none())]).unwrap();
    assert!(!not_own.have_sealed(token.as_bytes()));
    assert!(!own.same_as(&not_own) && !own.same_as(&issuers(sealing(1))));
}

#[test]
fn second_secret_opens_what_it_has_sealed_and_seals_nothing() {
    let both = Sealing::new(ISSUER, secret(2), vec![secret(1)]);
    let kids: Vec<_> = both.kids().map(str::to_owned).collect();
    assert_eq!(kids, [secret(2).kid(), secret(1).kid()]);
    let new = sealed(&both, &claims());
    let issuers = issuers(both);
    let old = taken(&sealed(&sealing(1), &claims()), &issuers).unwrap();
    assert_eq!(old.key_id.as_deref(), Some(secret(1).kid()));
    let new = taken(&new, &issuers).unwrap();
    assert_eq!(new.key_id.as_deref(), Some(secret(2).kid()));
}

#[test]
fn claims_are_held_to_the_rules_that_those_of_a_signed_token_are() {
    let with = |changes| refused(&sealed(&sealing(1), &changed(claims(), changes)));
    let other = json!({"iss": "https://other.example"});
    assert_eq!(with(other), TokenFault::IssuerUnknown);
    assert_eq!(with(json!({"aud": "other"})), TokenFault::Audience);
    for (name, claim) in [
        ("iss", Claim::Iss),
        ("sub", Claim::Sub),
        ("aud", Claim::Aud),
        ("exp", Claim::Exp),
        ("iat", Claim::Iat),
        ("jti", Claim::Jti),
        ("client_id", Claim::ClientId),
    ] {
        let fault = with(json!({ name: null }));
        assert_eq!(fault, TokenFault::ClaimMissing(claim), "{name}");
    }
    assert_eq!(with(json!({"exp": NOW - LEEWAY_S})), TokenFault::Expired);
    let late = json!({"nbf": NOW + LEEWAY_S + 1});
    assert_eq!(with(late), TokenFault::NotYetValid);
    let no_json = sealing(1).seal(b"{\"iss\":1").unwrap();
    assert_eq!(refused(&no_json), TokenFault::MalformedJson);
    let twice = sealing(1).seal(b"{\"iss\":1,\"iss\":1}").unwrap();
    assert_eq!(refused(&twice), TokenFault::DuplicateMember);
    let long = "x".repeat(TOKEN_BYTES_MAX);
    let long = sealed(&sealing(1), &changed(claims(), json!({"more": long})));
    assert_eq!(refused(&long), TokenFault::TooLong);
}

//= RFC 8725 section 3.12 type=test
//# A signed token is none that is sealed, whatever it is dressed up as.
#[test]
fn signed_token_behind_the_mark_of_a_sealed_one_is_refused() {
    let mint = Mint::new(Algorithm::ES256);
    let signed = String::from_utf8(mint.with(json!({}))).unwrap();
    let marked = format!("{}{signed}", sealing(1).mark);
    assert_eq!(refused(&marked), TokenFault::Malformed);
    let rules = rules(
        Keys::from_jwks(&crate::authz::mint::jwks(&[mint
            .signer
            .jwk(Algorithm::ES256, "k1")]))
        .unwrap(),
    );
    let both = Issuers::new(vec![rules.own(Some(Arc::new(sealing(1))))]).unwrap();
    assert!(taken(&signed, &both).is_ok() && taken(&marked, &both).is_err());
    assert!(taken(&sealed(&sealing(1), &claims()), &both).is_ok());
}

#[test]
fn token_whose_key_is_the_extracted_secret_seals_as_the_file_does() {
    let extracted = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, PURPOSE), &octets(1));
    let key = hmac::Key::new(hmac::HMAC_SHA256, extracted.as_ref());
    let said = SealingSecret::token_labels().map(|label| {
        let said = hmac::sign(&key, &label);
        Zeroizing::new(said.as_ref().try_into().unwrap())
    });
    let of_token = Arc::new(SealingSecret::from_token(&said));
    assert_eq!(of_token.kid(), secret(1).kid());
    let token = sealed(&Sealing::new(ISSUER, of_token, Vec::new()), &claims());
    assert!(taken(&token, &issuers(sealing(1))).is_ok());
}

#[test]
fn nothing_that_is_printed_shows_a_secret() {
    let printed = format!("{:?}", sealing(1));
    assert_eq!(printed, format!("[{:?}]", secret(1).kid()));
    assert_ne!(*secret(1).root.first_chunk::<8>().unwrap(), secret(1).name);
}

proptest! {
    #[test]
    fn no_octets_behind_the_mark_are_a_token(body: Vec<u8>, coded: bool) {
        let sealing = sealing(1);
        let mut token = sealing.mark.clone().into_bytes();
        match coded {
            true => token.extend(URL_SAFE_NO_PAD.encode(&body).bytes()),
            false => token.extend(&body),
        }
        prop_assert!(token::verify(&token, &issuers(sealing), UnixSeconds(NOW)).is_err());
    }
}

/// One secret is told from another by it, and nothing of either.
#[test]
fn secret_is_called_the_same_wherever_it_is_held_and_no_two_are_called_alike() {
    let kid = |number| secret(number).kid().to_owned();
    assert_eq!(kid(1), sealing(1).kid());
    assert_eq!(kid(1), kid(1));
    assert_ne!(kid(1), kid(2));
    assert!(kid(1).bytes().all(|octet| octet.is_ascii_hexdigit()));
}

#[test]
fn secrets_are_had_by_their_place_that_which_seals_first() {
    let sealing = Sealing::new(ISSUER, secret(1), vec![secret(2)]);
    let kid = |place| Some(sealing.secret(place)?.kid().to_owned());
    let own = |number| Some(secret(number).kid().to_owned());
    assert_eq!([kid(0), kid(1), kid(2)], [own(1), own(2), None]);
}

#[test]
fn secrets_are_the_same_that_open_the_same_tokens_and_seal_alike() {
    let of = |issuer, current, others: &[u8]| {
        let others = others.iter().map(|number| secret(*number)).collect();
        Sealing::new(issuer, secret(current), others)
    };
    let sealing = of(ISSUER, 1, &[2]);
    assert!(sealing.same_as(&of(ISSUER, 1, &[2])));
    for other in [
        of("https://else.example", 1, &[2]),
        of(ISSUER, 2, &[1]),
        of(ISSUER, 1, &[]),
        of(ISSUER, 1, &[3]),
    ] {
        assert!(!sealing.same_as(&other) && !other.same_as(&sealing));
    }
}

#[test]
fn sealed_token_of_no_octet_is_none() {
    let token = sealing(1).seal(b"").unwrap();
    assert_eq!(refused(&token), TokenFault::Malformed);
}

#[test]
fn issuers_say_by_which_secret_a_token_is_sealed_and_tell_their_secrets_apart() {
    let of = |sealing: Option<Sealing>| {
        let rules = rules(Keys::none()).own(sealing.map(Arc::new));
        Issuers::new(vec![rules]).unwrap()
    };
    let issuers = of(Some(sealing(1)));
    let token = sealed(&sealing(1), &claims());
    assert_eq!(issuers.sealed_by(token.as_bytes()), Some(secret(1).kid()));
    let foreign = sealed(&sealing(2), &claims());
    assert_eq!(issuers.sealed_by(foreign.as_bytes()), None);
    assert!(issuers.same_as(&of(Some(sealing(1)))));
    for other in [of(Some(sealing(2))), of(None)] {
        assert!(!issuers.same_as(&other) && !other.same_as(&issuers));
    }
}
