//! Which of an issuer's keys signs, and which verify.

use rcgen::RsaKeySize;

use super::*;
use crate::authz::issuers::Issuers;
use crate::authz::token;

fn rsa() -> Arc<PrivateKey> {
    key_of(&KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap())
}

fn proved(key: Arc<PrivateKey>) -> Arc<TokenKey> {
    Arc::new(TokenKey::prove(key).unwrap())
}

fn fresh() -> Arc<TokenKey> {
    proved(key_of(&KeyPair::generate().unwrap()))
}

fn public(key: &TokenKey) -> PublicJwk {
    PublicJwk::from_spki(&key.private().prove_alone().unwrap()).unwrap()
}

fn kid(key: &TokenKey) -> String {
    public(key).kid().to_owned()
}

fn issuer(keys: TokenKeys) -> Issuer {
    Issuer::new(terms(&[partner()]), keys).unwrap()
}

/// A token of an issuer, issued at a moment.
fn token(issuer: &Issuer, at: UnixSeconds) -> String {
    let minted = issuer.mint(&STAGE.grant(), at).unwrap();
    read(&minted.json)["access_token"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn header(token: &str) -> Value {
    use base64::Engine;
    let part = token.split('.').next().unwrap();
    read(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(part)
            .unwrap(),
    )
}

fn takes(issuer: &Issuer, token: &str, now: UnixSeconds) -> bool {
    let issuers = Issuers::new(vec![issuer.rules().unwrap()]).unwrap();
    token::verify(token.as_bytes(), &issuers, now).is_ok()
}

//= RFC 9068 section 2.1 type=test
//# An issuer can sign by RS256, and the gateway takes that.
//= RFC 7518 section 3.3 type=test
//# The signature of RS256 is as long as the modulus.
#[test]
fn rsa_key_signs_by_rs256_and_is_published() {
    let issuer = issuer(TokenKeys::new(proved(rsa()), [], Vec::new()).unwrap());
    let token = token(&issuer, NOW);
    assert_eq!(header(&token)["alg"], "RS256");
    assert!(takes(&issuer, &token, NOW));
    let key = &read(&jwks(&issuer))["keys"][0];
    assert_eq!((&key["kty"], &key["alg"]), (&"RSA".into(), &"RS256".into()));
    assert_eq!(key["e"], "AQAB");
    assert!(key.get("d").is_none() && key["kid"] == header(&token)["kid"]);
    let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(&jwks(&issuer)).unwrap();
    let by = jsonwebtoken::DecodingKey::from_jwk(&jwks.keys[0]).unwrap();
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    (rules.validate_exp, rules.validate_aud) = (false, false);
    assert!(jsonwebtoken::decode::<Value>(&token, &by, &rules).is_ok());
}

/// spec.md 5.2 #15.
//= RFC 7517 section 5 type=test
//# A key is in the set before it signs, and for as long as what it signed may be valid.
#[test]
fn key_to_come_is_published_and_signs_from_its_moment_on() {
    let (current, next, spare) = (fresh(), fresh(), fresh());
    let moment = UnixSeconds(NOW.0 + 100);
    let coming = [
        (Some(moment), Arc::clone(&next)),
        (None, Arc::clone(&spare)),
    ];
    let keys = TokenKeys::new(Arc::clone(&current), coming, Vec::new()).unwrap();
    let issuer = issuer(keys);
    let published = read(&jwks(&issuer));
    let published: Vec<_> = published["keys"].as_array().unwrap().iter().collect();
    let kids: Vec<_> = published.iter().map(|key| key["kid"].clone()).collect();
    assert_eq!(kids, [&current, &next, &spare].map(|key| kid(key)));
    let before = token(&issuer, UnixSeconds(moment.0 - 1));
    let after = token(&issuer, moment);
    assert_eq!(header(&before)["kid"], kid(&current));
    assert_eq!(header(&after)["kid"], kid(&next));
    let far = token(&issuer, UnixSeconds(4_000_000_000));
    assert_eq!(
        header(&far)["kid"],
        kid(&next),
        "a key without a moment never signs"
    );
    for token in [&before, &after] {
        assert!(takes(&issuer, token, moment));
    }
}

/// spec.md 5.2 #15.
#[test]
fn tokens_of_an_old_key_are_taken_until_it_is_gone() {
    let (old, current) = (fresh(), fresh());
    let before = issuer(TokenKeys::new(Arc::clone(&old), [], Vec::new()).unwrap());
    let token = token(&before, NOW);
    let keys = TokenKeys::new(Arc::clone(&current), [], vec![public(&old)]).unwrap();
    let with_old = issuer(keys);
    assert!(takes(&with_old, &token, NOW));
    assert_eq!(header(&self::token(&with_old, NOW))["kid"], kid(&current));
    let without = issuer(TokenKeys::new(current, [], Vec::new()).unwrap());
    assert!(!takes(&without, &token, NOW));
}

/// Whoever has taken an old key signs with it after that as well.
#[test]
fn tokens_of_an_old_key_are_taken_and_the_key_is_published_to_its_end_and_no_longer() {
    let (old, current) = (fresh(), fresh());
    let before = issuer(TokenKeys::new(Arc::clone(&old), [], Vec::new()).unwrap());
    let end = UnixSeconds(NOW.0 + 100);
    let later = UnixSeconds(end.0 + 1);
    let retired = vec![public(&old).ending(Some(end))];
    let with_old = issuer(TokenKeys::new(current, [], retired).unwrap());
    for at in [NOW, end, later] {
        let token = token(&before, at);
        assert!(takes(&with_old, &token, end), "{at:?}");
        assert!(!takes(&with_old, &token, later), "{at:?}");
        let of_current = self::token(&with_old, at);
        assert!(takes(&with_old, &of_current, later));
    }
    // Nor is one remembered for longer.
    let issuers = Issuers::new(vec![with_old.rules().unwrap()]).unwrap();
    let verified = token::verify(token(&before, NOW).as_bytes(), &issuers, NOW).unwrap();
    assert_eq!(verified.grant.valid_until, end);
    let kids = |now| kids(&with_old.jwks(|_| false, now));
    assert!(kids(end).contains(&kid(&old)));
    assert_eq!(kids(later).len(), 1);
    // What was verified to another end is to be verified anew.
    let forever = vec![public(&old)];
    let keys = TokenKeys::new(
        Arc::clone(with_old.keys().signing().next().unwrap()),
        [],
        forever,
    );
    let rules = issuer(keys.unwrap()).rules().unwrap();
    let forever = Issuers::new(vec![rules]).unwrap();
    assert!(!forever.same_as(&issuers));
}

fn kids(jwks: &[u8]) -> Vec<String> {
    let jwks = read(jwks);
    let keys = jwks["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

/// Other resource servers are to refuse it as well.
#[test]
fn key_that_is_revoked_is_published_no_more() {
    let (old, current) = (fresh(), fresh());
    let retired = vec![public(&old)];
    let keys = TokenKeys::new(Arc::clone(&current), [], retired).unwrap();
    let issuer = issuer(keys);
    for revoked in [&old, &current] {
        let shown = kids(&issuer.jwks(|name| name == kid(revoked), NOW));
        assert_eq!(shown.len(), 1);
        assert!(!shown.contains(&kid(revoked)));
    }
}

#[test]
fn key_is_in_use_while_it_signs_and_for_as_long_as_what_it_signed_is_valid() {
    let (first, second, third, spare) = (fresh(), fresh(), fresh(), fresh());
    let from = |s: u64| Some(UnixSeconds(NOW.0 + s));
    let coming = [
        (from(500), Arc::clone(&third)),
        (from(100), Arc::clone(&second)),
        (None, spare),
    ];
    let keys = TokenKeys::new(Arc::clone(&first), coming, Vec::new()).unwrap();
    let in_use = |s: u64| -> Vec<String> {
        let kids = keys.in_use(UnixSeconds(NOW.0 + s), 60);
        kids.map(str::to_owned).collect()
    };
    let [first, second, third] = [&first, &second, &third].map(|key| kid(key));
    assert_eq!(in_use(99), std::slice::from_ref(&first));
    assert_eq!(in_use(100), [first.clone(), second.clone()]);
    assert_eq!(in_use(160), [first, second.clone()]);
    assert_eq!(in_use(161), std::slice::from_ref(&second));
    assert_eq!(in_use(560), [third.clone(), second]);
    assert_eq!(in_use(561), [third]);
}

/// By these an operator is told what signs, and what must be kept for as long as tokens live.
#[test]
fn issuer_says_which_key_signs_and_which_have_signed_what_is_valid_still() {
    let [first, second] = [fresh(), fresh()];
    let turn = UnixSeconds(NOW.0 + 10);
    let next = [(Some(turn), Arc::clone(&second))];
    let issuer = issuer(TokenKeys::new(Arc::clone(&first), next, Vec::new()).unwrap());
    let (first, second) = (kid(&first), kid(&second));
    let at = |s| {
        let now = UnixSeconds(turn.0 + s);
        let in_use: Vec<_> = issuer.kids_in_use(now).collect();
        (issuer.signing_kid(now), in_use)
    };
    let lived = LIFETIME.as_secs() + token::LEEWAY_S;
    assert_eq!(issuer.signing_kid(NOW), first);
    assert_eq!(at(0), (&*second, vec![&*first, &*second]));
    assert_eq!(at(lived), (&*second, vec![&*first, &*second]));
    assert_eq!(at(lived + 1), (&*second, vec![&*second]));
}

/// One without a moment is published, and takes nobody's place.
#[test]
fn keys_that_take_the_place_of_another_are_told_with_their_moments() {
    let [first, second, undated] = [fresh(), fresh(), fresh()];
    let (soon, later) = (UnixSeconds(NOW.0 + 1), UnixSeconds(NOW.0 + 2));
    let next = [
        (Some(later), Arc::clone(&second)),
        (None, undated),
        (Some(soon), Arc::clone(&first)),
    ];
    let keys = TokenKeys::new(fresh(), next, Vec::new()).unwrap();
    let told: Vec<_> = keys.successors().collect();
    let (first, second) = (kid(&first), kid(&second));
    assert_eq!(told, [(second.as_str(), later), (first.as_str(), soon)]);
}

#[test]
fn key_with_two_parts_to_play_is_refused() {
    let one = fresh();
    let twice = [(None, Arc::clone(&one))];
    let made = TokenKeys::new(Arc::clone(&one), twice, Vec::new());
    assert_eq!(made.err(), Some(KeyTwice { first: 0, again: 1 }));
    let other = [(None, fresh())];
    let made = TokenKeys::new(Arc::clone(&one), other, vec![public(&one)]);
    assert_eq!(made.err(), Some(KeyTwice { first: 0, again: 2 }));
}

#[test]
fn old_key_is_read_from_one_public_key_alone() {
    let pair = KeyPair::generate().unwrap();
    let good = pair.public_key_pem();
    let read = PublicJwk::from_pem(good.as_bytes()).unwrap();
    assert_eq!(read.kid(), kid(&proved(key_of(&pair))));
    for bad in ["".to_owned(), pair.serialize_pem(), format!("{good}{good}")] {
        assert!(PublicJwk::from_pem(bad.as_bytes()).is_err());
    }
}
