//! Assertions of the gateway's own, read as the embedded issuer reads those of its clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::authz::assertion::{self, AssertionFault};
use crate::authz::keys::Keys;

const CLIENT: &str = "t8gate";
const ASKED: &str = "https://issuer.example";

/// Assertions, and the keys that verify them: those of an issuer whose key is the same.
fn assertions(
    key: Arc<PrivateKey>,
    kid: impl FnOnce(&str) -> Option<String>,
) -> (Assertions, Keys) {
    let issuer = issuer_with(terms(&[]), Arc::clone(&key)).unwrap();
    let known = read(&jwks(&issuer))["keys"][0]["kid"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = Arc::new(TokenKey::prove(key).unwrap());
    let kid = kid(&known);
    let made = Assertions::new(key, kid.as_deref(), CLIENT.to_owned(), ASKED.to_owned());
    (made, Keys::from_jwks(&jwks(&issuer)).unwrap())
}

fn rsa() -> Arc<PrivateKey> {
    key_of(&KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap())
}

/// spec.md 5.1 #17: who asks about tokens authenticates.
//= RFC 7523 section 3 type=test
//# It is taken by who it is for, from whom it is of, by the key of that one, and for a minute.
#[test]
fn assertion_is_taken_at_its_audience_for_a_minute() {
    for (key, alg) in [(Arc::clone(&KEY), "ES256"), (rsa(), "RS256")] {
        let (made, keys) = assertions(key, |kid| Some(kid.to_owned()));
        let one = made.sign(NOW).unwrap();
        let taken = |client: &str, audience: &str, now: u64| {
            assertion::verify(one.as_bytes(), &keys, client, &[audience], UnixSeconds(now))
        };
        assert!(taken(CLIENT, ASKED, NOW.0).is_ok(), "{alg}");
        let other = taken("another", ASKED, NOW.0);
        assert_eq!(other, Err(AssertionFault::NotTheClient));
        let elsewhere = taken(CLIENT, "https://other.example", NOW.0);
        assert_eq!(elsewhere, Err(AssertionFault::Audience));
        // The leeway that clocks have is no part of its life.
        let late = NOW.0 + 60 + crate::authz::token::LEEWAY_S;
        assert!(taken(CLIENT, ASKED, late - 1).is_ok());
        assert_eq!(taken(CLIENT, ASKED, late), Err(AssertionFault::Expired));
        let header = part(&one, 0);
        assert_eq!(
            (&header["typ"], &header["alg"]),
            (&"JWT".into(), &alg.into())
        );
    }
}

fn part(assertion: &str, place: usize) -> Value {
    let part = assertion.split('.').nth(place).unwrap();
    read(&URL_SAFE_NO_PAD.decode(part).unwrap())
}

#[test]
fn every_assertion_has_a_name_of_its_own_and_the_key_only_the_one_that_is_said() {
    let (made, _) = assertions(Arc::clone(&KEY), |_| Some("gate-1".to_owned()));
    let all: Vec<_> = (0..50).map(|_| made.sign(NOW).unwrap()).collect();
    let jtis = all.iter().map(|one| part(one, 1)["jti"].to_string());
    assert_eq!(jtis.collect::<std::collections::HashSet<_>>().len(), 50);
    assert_eq!(part(&all[0], 0)["kid"], "gate-1");
    assert_eq!(part(&all[0], 1).as_object().unwrap().len(), 6);
    let (unnamed, _) = assertions(Arc::clone(&KEY), |_| None);
    let one = unnamed.sign(NOW).unwrap();
    assert_eq!(part(&one, 0).as_object().unwrap().len(), 2);
    assert!(!format!("{made:?}").contains(CLIENT));
}
