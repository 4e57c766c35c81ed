//! Tokens as CAPIF cores and other issuers write them, and that none passes for another.

use super::*;
use crate::limits::ISSUER_TOKEN_LIFETIME_S_MAX;

const AEF: &str = "aef-1";
const INVOKER: &str = "invoker-1";

/// An issuer of each profile, with its pen; each signs with a key `k1` of its own.
struct All {
    rfc9068: Mint,
    capif: Mint,
    custom: Mint,
    issuers: Issuers,
}

fn all_with(custom: Custom) -> All {
    let [rfc9068, capif, other] = [(); 3].map(|()| Mint::new(Algorithm::ES256));
    let keys =
        |mint: &Mint, kid| KeySet::of(load(&[mint.signer.jwk(mint.algorithm, kid)]).unwrap());
    let aef_id = AEF.to_owned();
    let core = IssuerRules::new("core".into(), Profile::Capif { aef_id }, keys(&capif, "k1"));
    let other_rules = IssuerRules::new(OTHER.into(), Profile::Custom(custom), keys(&other, "k1"));
    let own = rules(load(&[rfc9068.signer.jwk(Algorithm::ES256, "k1")]).unwrap());
    All {
        issuers: Issuers::new(vec![own, core.unwrap(), other_rules.unwrap()]).unwrap(),
        rfc9068,
        capif,
        custom: other,
    }
}

const OTHER: &str = "https://login.corporate.example";

fn corporate() -> Custom {
    Custom {
        audience: "api://t8".into(),
        kind: Some("JWT".into()),
        client_id: "azp".into(),
        scope: "scp".into(),
        jti: Some("uti".into()),
    }
}

fn all() -> All {
    all_with(corporate())
}

impl All {
    fn read(&self, token: &[u8]) -> Result<VerifiedToken, TokenFault> {
        verify(token, &self.issuers, UnixSeconds(NOW))
    }

    /// A good token of the core, but for these header parameters and claims.
    fn of_core(&self, header: Value, changes: Value) -> Vec<u8> {
        let plain = json!({"alg": "ES256", "typ": "JWT", "kid": "k1"});
        self.capif.sign(
            changed(plain, header).to_string(),
            changed(core_claims(), changes).to_string(),
        )
    }

    fn core(&self, changes: Value) -> Result<VerifiedToken, TokenFault> {
        self.read(&self.of_core(json!({}), changes))
    }

    fn of_corporate(&self, header: Value, changes: Value) -> Vec<u8> {
        let plain = json!({"alg": "ES256", "typ": "JWT", "kid": "k1"});
        let claims = json!({
            "iss": OTHER, "aud": "api://t8", "exp": NOW + 300, "uti": "u1", "azp": "scs-1",
            "scp": "3gpp-nidd", "cnf": {"x5t#S256": b64([7; 32])},
        });
        self.custom.sign(
            changed(plain, header).to_string(),
            changed(claims, changes).to_string(),
        )
    }

    fn corporate(&self, changes: Value) -> Result<VerifiedToken, TokenFault> {
        self.read(&self.of_corporate(json!({}), changes))
    }
}

fn core_claims() -> Value {
    json!({
        "iss": INVOKER, "exp": NOW + 300,
        "scope": "3gpp#aef-1:3gpp-nidd,3gpp-bdt;aef-2:3gpp-monitoring-event",
        "cnf": {"x5t#S256": b64([7; 32])},
    })
}

fn values(token: &VerifiedToken) -> String {
    token.grant.rights.values().collect::<Vec<_>>().join(" ")
}

//= TS 29.222 clause 8.5.4.2.8 type=test
//# iss, scope and exp are all that a token of CAPIF has to have; iss is the invoker.
#[test]
fn token_of_capif_is_taken_with_what_it_has() {
    let all = all();
    let token = all.core(json!({})).unwrap();
    assert_eq!(
        (token.client_id.as_str(), token.issuer.as_str()),
        (INVOKER, "core")
    );
    assert_eq!(values(&token), "3gpp-bdt 3gpp-nidd");
    let earliest = UnixSeconds(NOW + 300 - ISSUER_TOKEN_LIFETIME_S_MAX);
    assert_eq!(
        (token.jti, token.issued),
        (None, Issued::NotBefore(earliest))
    );
    assert_eq!(token.key_id.as_deref(), Some("k1"));
    assert_eq!(token.grant.valid_from, UnixSeconds(0));
    for name in ["iss", "scope", "exp"] {
        assert!(matches!(
            all.core(json!({name: null})),
            Err(TokenFault::ClaimMissing(_))
        ));
    }
}

/// Where it does not say when it was issued, its end is all there is to go by.
#[test]
fn token_that_lives_longer_than_its_issuers_is_refused() {
    let all = all();
    let lifetime = ISSUER_TOKEN_LIFETIME_S_MAX;
    let longest = NOW + lifetime + LEEWAY_S;
    for read in [
        all.core(json!({"exp": longest})),
        all.corporate(json!({"exp": longest})),
    ] {
        let earliest = UnixSeconds(NOW + LEEWAY_S);
        assert_eq!(read.unwrap().issued, Issued::NotBefore(earliest));
    }
    let says_when = all.core(json!({"exp": NOW + 60, "iat": NOW + 60 - lifetime - LEEWAY_S}));
    let issued = Issued::At(UnixSeconds(NOW + 60 - lifetime - LEEWAY_S));
    assert_eq!(says_when.unwrap().issued, issued);
    assert_eq!(issued.at(), Some(issued.earliest()));
    assert_eq!(Issued::NotBefore(UnixSeconds(NOW)).at(), None);
    for changes in [
        json!({"exp": longest + 1}),
        json!({"exp": longest + 1, "nbf": NOW + 3_600}),
        json!({"exp": NOW + 60, "iat": NOW + 59 - lifetime - LEEWAY_S}),
    ] {
        let refused = Err(TokenFault::LivesTooLong);
        assert_eq!(all.core(changes.clone()), refused, "{changes}");
        assert_eq!(all.corporate(changes), refused);
    }
}

//= TS 33.122 clause C.2 type=test
//# The invoker is the one of client_id, where there is one.
#[test]
fn invoker_is_the_one_of_client_id_before_that_of_iss() {
    let all = all();
    let both = json!({"client_id": "invoker-2", "iss": "https://core.example"});
    assert_eq!(all.core(both).unwrap().client_id, "invoker-2");
    let odd = TokenFault::ClaimMalformed(Claim::ClientId);
    for value in [json!(""), json!(1), json!(null), json!(["a"])] {
        let text = changed(core_claims(), json!({"client_id": null})).to_string();
        let claims = format!(r#"{{"client_id":{value},{}"#, &text[1..]);
        let header = json!({"alg": "ES256", "kid": "k1"}).to_string();
        assert_eq!(
            all.read(&all.capif.sign(header, claims)),
            Err(odd),
            "{value}"
        );
    }
}

//= TS 33.122 clause C.2 type=test
//# The leeway is not more than 30 seconds.
#[test]
fn token_of_capif_ends_thirty_seconds_behind_its_exp() {
    let all = all();
    let token = all.of_core(json!({}), json!({"exp": NOW}));
    let at = |now| verify(&token, &all.issuers, UnixSeconds(now)).err();
    assert_eq!(at(NOW + 29), None);
    assert_eq!(at(NOW + 30), Some(TokenFault::Expired));
    let early = json!({"nbf": NOW + 31});
    assert_eq!(all.core(early).err(), Some(TokenFault::NotYetValid));
    assert!(all.core(json!({"nbf": NOW + 30, "iat": NOW + 30})).is_ok());
}

//= TS 33.122 clause 6.5.2.3 type=test
//# A token that is not for this AEF is not taken.
#[test]
fn token_of_capif_without_our_aef_is_for_somebody_else() {
    let all = all();
    for scope in [
        "3gpp#aef-2:3gpp-nidd",
        "3gpp#aef-11:3gpp-nidd",
        "3gpp#AEF-1:3gpp-nidd",
        "3gpp#aef-2:aef-1",
        "aef-1:3gpp-nidd",
        "3gpp-nidd",
        "3gpp-nidd:read",
        "3GPP#aef-1:3gpp-nidd",
    ] {
        let told = all.core(json!({"scope": scope}));
        assert_eq!(told, Err(TokenFault::Audience), "{scope}");
    }
}

//= TS 29.222 clause 8.5.4.2.6 type=test
//# Behind 3gpp# stand AEFs, each with its APIs.
#[test]
fn scope_of_capif_is_read_as_it_is_written_and_not_otherwise() {
    let all = all();
    for (scope, given) in [
        ("3gpp#aef-1:3gpp-nidd", "3gpp-nidd"),
        ("3gpp#aef-2:x;aef-1:3gpp-nidd", "3gpp-nidd"),
        ("3gpp#aef-1:3gpp-nidd;aef-1:3gpp-bdt", "3gpp-bdt 3gpp-nidd"),
        ("openid 3gpp#aef-1:3gpp-nidd", "3gpp-nidd"),
        ("3gpp-bdt 3gpp#aef-1:3gpp-nidd", "3gpp-nidd"),
        ("3gpp#aef-1:unknown,3gpp-nidd", "3gpp-nidd"),
        ("3gpp#aef-1:unknown", ""),
        ("3gpp#aef-1:3gpp-nidd:read", ""),
        ("3gpp#aef-1:3GPP-NIDD", ""),
    ] {
        assert_eq!(
            values(&all.core(json!({"scope": scope})).unwrap()),
            given,
            "{scope}"
        );
    }
    for scope in [
        "3gpp#",
        "3gpp#aef-1",
        "3gpp#aef-1:",
        "3gpp#:3gpp-nidd",
        "3gpp#aef-1:3gpp-nidd,",
        "3gpp#aef-1:,3gpp-nidd",
        "3gpp#aef-1:3gpp-nidd;",
        "3gpp#;aef-1:3gpp-nidd",
        "3gpp#aef-1:3gpp-nidd; aef-2:x",
        "3gpp#aef-1:3gpp-nidd  x",
        "3gpp#aef-1:3gpp-nidd\t",
    ] {
        let told = all.core(json!({"scope": scope}));
        assert_eq!(
            told,
            Err(TokenFault::ClaimMalformed(Claim::Scope)),
            "{scope:?}"
        );
    }
    for scope in [json!(["3gpp#aef-1:3gpp-nidd"]), json!(""), json!(1)] {
        let told = all.core(json!({ "scope": scope }));
        assert_eq!(told, Err(TokenFault::ClaimMalformed(Claim::Scope)));
    }
}

#[test]
fn token_of_capif_for_a_resource_owner_gives_nothing() {
    let token = all().core(json!({"resOwnerId": "owner-1"})).unwrap();
    assert!(token.grant.rights.is_empty());
}

//= RFC 8725 section 3.11 type=test
//# Each profile has its own types of token.
#[test]
fn each_profile_takes_its_own_types_of_token() {
    let all = all();
    let take = |of_core: bool, kind: Value| {
        let header = json!({ "typ": kind });
        let token = match of_core {
            true => all.of_core(header, json!({})),
            false => all.of_corporate(header, json!({})),
        };
        all.read(&token).err()
    };
    for kind in ["JWT", "jwt", "application/jwt", "APPLICATION/JWT"] {
        assert_eq!(
            (take(true, kind.into()), take(false, kind.into())),
            (None, None)
        );
    }
    for kind in [
        "at+jwt",
        "application/at+jwt",
        "logout+jwt",
        "",
        "application/",
    ] {
        let found = take(true, kind.into());
        assert_eq!(found, Some(TokenFault::IssuerUnknown), "{kind}");
        assert_eq!(take(false, kind.into()), Some(TokenFault::Type), "{kind}");
    }
    assert_eq!(take(true, Value::Null), None);
    assert_eq!(take(false, Value::Null), Some(TokenFault::Type));
    let nameless = all_with(Custom {
        kind: None,
        ..corporate()
    });
    let bare = nameless.of_corporate(json!({"typ": null}), json!({}));
    assert!(nameless.read(&bare).is_ok());
    assert_eq!(
        nameless.read(&nameless.of_corporate(json!({}), json!({}))),
        Err(TokenFault::Type)
    );
}

//= RFC 8725 section 3.12 type=test
//# A key of one profile never validates a token of another.
#[test]
fn key_of_one_profile_verifies_no_token_of_another() {
    let all = all();
    let rfc9068 = |mint: &Mint| mint.sign(MINT.header().to_string(), claims().to_string());
    assert!(all.read(&rfc9068(&all.rfc9068)).is_ok());
    for other in [&all.capif, &all.custom] {
        assert_eq!(all.read(&rfc9068(other)), Err(TokenFault::SignatureBad));
    }
    let plain = json!({"alg": "ES256", "typ": "JWT", "kid": "k1"}).to_string();
    for other in [&all.rfc9068, &all.custom] {
        let token = other.sign(&plain, core_claims().to_string());
        assert_eq!(all.read(&token), Err(TokenFault::SignatureBad));
    }
    let written = all.of_corporate(json!({}), json!({}));
    let claims = written.split(|byte| *byte == b'.').nth(1).unwrap();
    for other in [&all.rfc9068, &all.capif] {
        let token = other.sign_parts(&b64(&plain), std::str::from_utf8(claims).unwrap());
        assert_eq!(all.read(&token), Err(TokenFault::SignatureBad));
    }
    // The core signs what names another issuer: that is the other's token then.
    for iss in [ISSUER, OTHER] {
        let told = all.core(json!({ "iss": iss }));
        let fault = if iss == ISSUER {
            TokenFault::Type
        } else {
            TokenFault::SignatureBad
        };
        assert_eq!(told, Err(fault));
    }
}

/// Two cores: what tells whose a token is, is the key that verifies it, whatever that is called.
#[test]
fn one_core_alone_may_have_the_key_that_is_meant() {
    let [first, second] = [(); 2].map(|()| Mint::new(Algorithm::ES256));
    let read = |kids: [&str; 2], kid: Value, signer: &Mint| {
        let core = |name: &str, mint: &Mint, kid| {
            let keys = load(&[mint.signer.jwk(Algorithm::ES256, kid)]).unwrap();
            let aef_id = AEF.to_owned();
            IssuerRules::new(name.into(), Profile::Capif { aef_id }, KeySet::of(keys)).unwrap()
        };
        let cores = vec![core("one", &first, kids[0]), core("two", &second, kids[1])];
        let issuers = Issuers::new(cores).unwrap();
        let header = changed(json!({"alg": "ES256"}), json!({ "kid": kid }));
        let token = signer.sign(header.to_string(), core_claims().to_string());
        let read = verify(&token, &issuers, UnixSeconds(NOW));
        read.map(|token| token.issuer)
    };
    let apart = ["a", "b"];
    assert_eq!(read(apart, json!("a"), &first).as_deref(), Ok("one"));
    assert_eq!(read(apart, json!("b"), &second).as_deref(), Ok("two"));
    assert_eq!(
        read(apart, json!("b"), &first),
        Err(TokenFault::SignatureBad)
    );
    // Of whichever core the key is that was there, and has not signed it.
    assert_eq!(
        read(apart, json!("a"), &second),
        Err(TokenFault::SignatureBad)
    );
    assert_eq!(read(apart, json!("c"), &first), Err(TokenFault::KeyUnknown));
    // Also where it has no name.
    assert_eq!(read(apart, Value::Null, &first).as_deref(), Ok("one"));
    assert_eq!(read(apart, Value::Null, &second).as_deref(), Ok("two"));
    let alike = ["a", "a"];
    assert_eq!(read(alike, json!("a"), &first).as_deref(), Ok("one"));
    assert_eq!(read(alike, json!("a"), &second).as_deref(), Ok("two"));
    let neither = Mint::new(Algorithm::ES256);
    assert_eq!(
        read(alike, json!("a"), &neither),
        Err(TokenFault::SignatureBad)
    );
}

fn core_with(name: &str, keys: &Arc<KeySet>) -> IssuerRules {
    let aef_id = AEF.to_owned();
    IssuerRules::new(name.into(), Profile::Capif { aef_id }, Arc::clone(keys)).unwrap()
}

/// A core's token whose header names this key.
fn of_core(signer: &Mint, kid: &str) -> Vec<u8> {
    let header = json!({"alg": "ES256", "kid": kid}).to_string();
    signer.sign(header, core_claims().to_string())
}

#[test]
fn token_may_be_of_the_core_whose_keys_are_not_known() {
    let [first, second] = [(); 2].map(|()| Mint::new(Algorithm::ES256));
    let key = |mint: &Mint| load(&[mint.signer.jwk(Algorithm::ES256, "a")]).unwrap();
    let sets = [KeySet::of(key(&first)), KeySet::unknown()];
    let cores = ["one", "two"].iter().zip(&sets);
    let issuers = cores.map(|(name, keys)| core_with(name, keys)).collect();
    let issuers = Issuers::new(issuers).unwrap();
    let read = |signer: &Mint, kid| {
        let read = verify(&of_core(signer, kid), &issuers, UnixSeconds(NOW));
        read.map(|token| token.issuer)
    };
    assert_eq!(read(&first, "a").as_deref(), Ok("one"));
    assert!(!sets[1].take_missed());
    assert_eq!(read(&second, "a"), Err(TokenFault::SomeKeysUnknown));
    assert!(sets[1].take_missed());
    assert_eq!(read(&second, "b"), Err(TokenFault::KeysUnknown));
    sets[1].replace(Some(key(&second)));
    assert_eq!(read(&second, "a").as_deref(), Ok("two"));
    // Whoever publishes a key that another core was given has copied it.
    sets[1].replace(Some(key(&first)));
    assert_eq!(read(&first, "a").as_deref(), Ok("one"));
}

#[test]
fn token_by_a_key_that_two_cores_publish_is_of_neither() {
    let signer = Mint::new(Algorithm::ES256);
    let published = || {
        let keys = KeySet::unknown();
        keys.replace(Some(
            load(&[signer.signer.jwk(Algorithm::ES256, "a")]).unwrap(),
        ));
        keys
    };
    let cores = ["one", "two"].map(|name| core_with(name, &published()));
    let issuers = Issuers::new(cores.into()).unwrap();
    let read = verify(&of_core(&signer, "a"), &issuers, UnixSeconds(NOW));
    assert_eq!(read.unwrap_err(), TokenFault::KeyUnknown);
}

//= RFC 8725 section 3.12 type=test
//# What a core publishes of another issuer's keys verifies none of its tokens; all else goes on.
#[test]
fn published_key_of_another_profile_verifies_no_token_of_a_core() {
    let [other, own] = [(); 2].map(|()| Mint::new(Algorithm::ES256));
    let jwk = |mint: &Mint, kid| mint.signer.jwk(Algorithm::ES256, kid);
    let keys = load(&[jwk(&other, "k1"), jwk(&own, "a")]).unwrap();
    let published = KeySet::unknown();
    published.replace(Some(keys));
    let rfc9068 =
        |keys| IssuerRules::new(ISSUER.into(), crate::authz::mint::rfc9068(), keys).unwrap();
    let theirs = KeySet::unknown();
    let all = vec![core_with("core", &published), rfc9068(Arc::clone(&theirs))];
    let issuers = Issuers::new(all).unwrap();
    let read = |token: &[u8]| verify(token, &issuers, UnixSeconds(NOW)).map(|token| token.issuer);
    assert_eq!(read(&of_core(&other, "k1")).as_deref(), Ok("core"));
    // Whoever published it first.
    theirs.replace(Some(load(&[jwk(&other, "k1")]).unwrap()));
    assert_eq!(read(&of_core(&other, "k1")), Err(TokenFault::KeyUnknown));
    assert_eq!(read(&of_core(&own, "a")).as_deref(), Ok("core"));
    assert_eq!(read(&other.with(json!({}))).as_deref(), Ok(ISSUER));
    // A reload reads them all again, and what issuers publish is no fault then.
    let all = vec![core_with("core", &published), rfc9068(theirs)];
    assert!(Issuers::new(all).is_ok());
    // A key that an operator has given a core stays the core's.
    let given = KeySet::of(load(&[jwk(&own, "a")]).unwrap());
    let copied = KeySet::unknown();
    copied.replace(Some(load(&[jwk(&own, "a")]).unwrap()));
    let issuers = Issuers::new(vec![core_with("core", &given), rfc9068(copied)]).unwrap();
    assert!(verify(&of_core(&own, "a"), &issuers, UnixSeconds(NOW)).is_ok());
}

#[test]
fn custom_token_is_read_by_the_names_its_issuer_has() {
    let all = all();
    let token = all.corporate(json!({})).unwrap();
    assert_eq!(
        (token.client_id.as_str(), token.issuer.as_str()),
        ("scs-1", OTHER)
    );
    assert_eq!(
        (token.jti.as_deref(), values(&token).as_str()),
        (Some("u1"), "3gpp-nidd")
    );
    let list = all
        .corporate(json!({"scp": ["3gpp-bdt:read", "openid"]}))
        .unwrap();
    assert_eq!(values(&list), "3gpp-bdt:read");
    // Names that others have say nothing.
    let others = json!({"client_id": "scs-2", "scope": "3gpp-bdt", "jti": "j2"});
    let token = all.corporate(others).unwrap();
    assert_eq!(
        (token.client_id.as_str(), values(&token).as_str()),
        ("scs-1", "3gpp-nidd")
    );
    for (changes, fault) in [
        (
            json!({"azp": null}),
            TokenFault::ClaimMissing(Claim::ClientId),
        ),
        (
            json!({"azp": 1}),
            TokenFault::ClaimMalformed(Claim::ClientId),
        ),
        (json!({"uti": null}), TokenFault::ClaimMissing(Claim::Jti)),
        (json!({"aud": null}), TokenFault::ClaimMissing(Claim::Aud)),
        (json!({"aud": AUDIENCE}), TokenFault::Audience),
        (json!({"exp": null}), TokenFault::ClaimMissing(Claim::Exp)),
        (json!({"exp": NOW - 30}), TokenFault::Expired),
        (
            json!({"iat": "now"}),
            TokenFault::ClaimMalformed(Claim::Iat),
        ),
        (
            json!({"scp": ["a b"]}),
            TokenFault::ClaimMalformed(Claim::Scope),
        ),
        (
            json!({"scp": [1]}),
            TokenFault::ClaimMalformed(Claim::Scope),
        ),
        (json!({"scp": {}}), TokenFault::ClaimMalformed(Claim::Scope)),
    ] {
        assert_eq!(all.corporate(changes.clone()), Err(fault), "{changes}");
    }
    let nothing = all.corporate(json!({"scp": null})).unwrap();
    assert!(nothing.grant.rights.is_empty());
}

//= RFC 9396 section 9 type=test
//# What is said in detail is enforced whoever says it.
#[test]
fn details_are_enforced_under_every_profile() {
    let all = all();
    let details = json!({"authorization_details": [
        {"type": "t8_access", "apis": ["3gpp-nidd"], "operations": ["read"]},
    ]});
    let of_rfc9068 = all.read(&all.rfc9068.with(details.clone())).unwrap();
    assert_eq!(values(&of_rfc9068), "3gpp-monitoring-event 3gpp-nidd:read");
    let of_core = all.core(details.clone()).unwrap();
    assert_eq!(values(&of_core), "3gpp-bdt 3gpp-nidd:read");
    assert_eq!(values(&all.corporate(details).unwrap()), "3gpp-nidd:read");
    let malformed = Err(TokenFault::ClaimMalformed(Claim::AuthorizationDetails));
    let odd = json!({"authorization_details": "all"});
    assert_eq!(all.core(odd.clone()), malformed);
    assert_eq!(all.corporate(odd), malformed);
}

//= RFC 7517 section 5 type=test
//# Keys that have not been had yet are no reason to call a token invalid.
#[test]
fn token_of_an_issuer_whose_keys_are_unknown_is_not_judged() {
    let set = KeySet::unknown();
    let own = IssuerRules::new(
        ISSUER.into(),
        crate::authz::mint::rfc9068(),
        Arc::clone(&set),
    );
    let issuers = Issuers::new(vec![own.unwrap()]).unwrap();
    let token = MINT.with(json!({}));
    let at_now = || verify(&token, &issuers, UnixSeconds(NOW)).err();
    assert_eq!(at_now(), Some(TokenFault::KeysUnknown));
    let key = |kid| load(&[MINT.signer.jwk(Algorithm::ES256, kid)]).unwrap();
    assert!(set.take_missed() && !set.take_missed());
    set.replace(Some(key("k2")));
    assert_eq!(at_now(), Some(TokenFault::KeyUnknown));
    assert!(set.take_missed() && !set.take_missed());
    set.replace(Some(key("k1")));
    assert_eq!(at_now(), None);
    assert!(!set.take_missed());
    set.replace(None);
    assert_eq!(at_now(), Some(TokenFault::KeysUnknown));
    assert!(set.take_missed());

    let (core, aef_id) = (KeySet::unknown(), AEF.to_owned());
    let capif = IssuerRules::new("core".into(), Profile::Capif { aef_id }, Arc::clone(&core));
    let issuers = Issuers::new(vec![capif.unwrap()]).unwrap();
    let header = json!({"alg": "ES256", "kid": "k1"}).to_string();
    let token = MINT.sign(header, core_claims().to_string());
    let at_now = || verify(&token, &issuers, UnixSeconds(NOW)).err();
    assert_eq!(at_now(), Some(TokenFault::KeysUnknown));
    assert!(core.take_missed());
    core.replace(Some(key("k2")));
    assert_eq!(at_now(), Some(TokenFault::KeyUnknown));
    assert!(core.take_missed());
    core.replace(Some(key("k1")));
    assert_eq!(at_now(), None);
    assert!(!core.take_missed());
}
