use serde_json::json;

use super::*;
use crate::authz::keys::Algorithm;
use crate::authz::mint::{AUDIENCE, ISSUER, Signer, load, rfc9068, rules};

fn keys() -> Keys {
    load(&[Signer::new(Algorithm::ES256).jwk(Algorithm::ES256, "k1")]).unwrap()
}

fn capif() -> Profile {
    Profile::Capif {
        aef_id: "aef-1".into(),
    }
}

fn custom() -> Profile {
    Profile::Custom(Custom {
        audience: AUDIENCE.into(),
        kind: Some("JWT".into()),
        client_id: "azp".into(),
        scope: "scp".into(),
        jti: None,
    })
}

fn named(name: &str, profile: Profile, keys: Arc<KeySet>) -> IssuerRules {
    IssuerRules::new(name.into(), profile, keys).unwrap()
}

#[test]
fn issuer_without_name_or_without_what_its_tokens_are_for_is_refused() {
    let new = |name: &str, profile| IssuerRules::new(name.into(), profile, KeySet::of(keys()));
    for profile in [rfc9068(), capif(), custom()] {
        assert!(new("i", profile.clone()).is_ok());
        assert!(new("", profile).is_err());
    }
    let nothing = String::new;
    let (audience, aef_id) = (nothing(), nothing());
    assert!(new("i", Profile::Rfc9068 { audience }).is_err());
    assert!(new("i", Profile::Capif { aef_id }).is_err());
    let Profile::Custom(written) = custom() else {
        unreachable!("what was made above")
    };
    let audience = nothing();
    assert!(
        new(
            "i",
            Profile::Custom(Custom {
                audience,
                ..written
            })
        )
        .is_err()
    );
}

#[test]
fn issuers_must_be_some_and_have_names_of_their_own() {
    assert!(Issuers::new(vec![]).is_err());
    let twice = vec![rules(keys()), rules(keys())];
    assert!(
        Issuers::new(twice)
            .unwrap_err()
            .what
            .contains("stands twice")
    );
    let two = [("a", capif()), ("a", custom())];
    let twice = two.map(|(name, profile)| named(name, profile, KeySet::of(keys())));
    assert!(
        Issuers::new(twice.into())
            .unwrap_err()
            .what
            .contains("stands twice")
    );
}

//= RFC 8725 section 3.12 type=test
//# A key of one profile verifies no token of another: it is refused where it is configured.
#[test]
fn key_of_issuers_of_two_profiles_is_refused() {
    let signer = Signer::new(Algorithm::ES256);
    let keys = |kid| KeySet::of(load(&[signer.jwk(Algorithm::ES256, kid)]).unwrap());
    for (first, second) in [
        (rfc9068(), capif()),
        (capif(), custom()),
        (custom(), rfc9068()),
    ] {
        let both = vec![
            named("a", first, keys("k1")),
            named("b", second, keys("k2")),
        ];
        let UnfitIssuers {
            place, what: told, ..
        } = Issuers::new(both).unwrap_err();
        assert_eq!(place, Some(0));
        assert!(told.contains("\"a\"") && told.contains("\"b\""), "{told}");
    }
    // An issuer that is about to be called something else.
    let both = vec![
        named("a", rfc9068(), keys("k1")),
        named("b", rfc9068(), keys("k1")),
    ];
    assert!(Issuers::new(both).is_ok());
}

/// The one that comes later is at fault, which the operator is shown.
#[test]
fn capif_cores_with_one_key_are_refused_where_the_second_is_named() {
    let signer = Signer::new(Algorithm::ES256);
    let own = || load(&[signer.jwk(Algorithm::ES256, "k1")]).unwrap();
    let all = vec![
        named("a", capif(), KeySet::of(own())),
        named("b", capif(), KeySet::of(keys())),
        named("c", capif(), KeySet::of(own())),
    ];
    let unfit = Issuers::new(all).err().unwrap();
    assert_eq!(unfit.place, Some(2));
    assert_eq!(unfit.what, "\"c\" has a key of \"a\"");
}

#[test]
fn keys_that_are_fetched_are_held_against_issuers_of_other_profiles() {
    let signer = Signer::new(Algorithm::ES256);
    let own = || load(&[signer.jwk(Algorithm::ES256, "k1")]).unwrap();
    let all = vec![
        named("a", rfc9068(), KeySet::of(own())),
        named("b", capif(), KeySet::unknown()),
        named("c", rfc9068(), KeySet::unknown()),
    ];
    let issuers = Issuers::new(all).unwrap();
    let [_, core, other] = issuers.iter().collect::<Vec<_>>()[..] else {
        unreachable!("three")
    };
    let found = core.other_profile_with(&own(), issuers.iter());
    assert_eq!(found.map(IssuerRules::name), Some("a"));
    assert!(other.other_profile_with(&own(), issuers.iter()).is_none());
    let unshared = load(&[Signer::new(Algorithm::ES256).jwk(Algorithm::ES256, "k1")]).unwrap();
    assert!(core.other_profile_with(&unshared, issuers.iter()).is_none());
}

#[test]
fn same_issuers_are_those_with_same_names_profiles_and_keys() {
    let signer = Signer::new(Algorithm::ES256);
    let own = || KeySet::of(load(&[signer.jwk(Algorithm::ES256, "k1")]).unwrap());
    let one = |name: &str, profile, keys| Issuers::new(vec![named(name, profile, keys)]).unwrap();
    let issuers = one("a", rfc9068(), own());
    assert!(issuers.same_as(&one("a", rfc9068(), own())));
    for other in [
        one("b", rfc9068(), own()),
        one("a", capif(), own()),
        one("a", custom(), own()),
        one("a", rfc9068(), KeySet::of(keys())),
        one("a", rfc9068(), KeySet::unknown()),
        Issuers::new(vec![
            named("a", rfc9068(), own()),
            named("b", capif(), KeySet::unknown()),
        ])
        .unwrap(),
    ] {
        assert!(!issuers.same_as(&other) && !other.same_as(&issuers));
    }
    let shorter = named("a", rfc9068(), own()).living_at_most(Duration::from_secs(3_600));
    assert!(!issuers.same_as(&Issuers::new(vec![shorter]).unwrap()));
    let unknown = || one("a", capif(), KeySet::unknown());
    assert!(unknown().same_as(&unknown()));
}

/// Those that say when they were issued go by that.
#[test]
fn tokens_that_may_lack_an_iat_live_as_long_as_the_longest_of_their_issuers_does() {
    let living = |name, profile, seconds| {
        let rules = named(name, profile, KeySet::unknown());
        rules.living_at_most(Duration::from_secs(seconds))
    };
    let dated = living("own", capif(), 4_000).dated();
    let all = vec![living("a", rfc9068(), 3_000), dated];
    let dated_only = Issuers::new(all).unwrap();
    assert_eq!(dated_only.undated_lifetime_s_max(None), 0);
    let asked = living("a", rfc9068(), 500);
    assert_eq!(dated_only.undated_lifetime_s_max(Some(&asked)), 500);
    let all = vec![living("a", custom(), 600), living("b", capif(), 700)];
    let undated = Issuers::new(all).unwrap();
    assert_eq!(undated.undated_lifetime_s_max(Some(&asked)), 700);
}

#[test]
fn debug_output_holds_no_key() {
    let jwk = Signer::new(Algorithm::ES256).jwk(Algorithm::ES256, "k1");
    let said = format!("{:?}", rules(load(std::slice::from_ref(&jwk)).unwrap()));
    assert!(said.contains(ISSUER));
    for member in ["x", "y"] {
        assert!(!said.contains(jwk[member].as_str().unwrap()));
    }
    assert!(!json!(said).to_string().contains("PublicKey"));
}

/// What was verified at another number may be verified no more.
#[test]
fn epoch_counts_the_keys_of_all_issuers_that_have_gone() {
    let signer = Signer::new(Algorithm::ES256);
    let key = |kid| load(&[signer.jwk(Algorithm::ES256, kid)]).unwrap();
    let sets = [KeySet::unknown(), KeySet::unknown()];
    let all = vec![
        named("a", rfc9068(), Arc::clone(&sets[0])),
        named("b", rfc9068(), Arc::clone(&sets[1])),
    ];
    let issuers = Issuers::new(all).unwrap();
    let mut before = issuers.epoch();
    for set in &sets {
        assert!(!set.replace(Some(key("k1"))));
        assert_eq!(issuers.epoch(), before, "none has gone");
    }
    for set in &sets {
        assert!(set.replace(Some(key("k2"))));
        assert_ne!(issuers.epoch(), before);
        before = issuers.epoch();
    }
}

#[test]
fn keys_of_an_issuer_are_told_by_their_names_as_they_are_now() {
    let jwk = |kid| Signer::new(Algorithm::ES256).jwk(Algorithm::ES256, kid);
    let set = KeySet::unknown();
    let rules = named("a", rfc9068(), Arc::clone(&set));
    assert!(rules.key_names().is_empty());
    set.replace(Some(load(&[jwk("k1"), jwk("k2")]).unwrap()));
    assert_eq!(rules.key_names(), ["k1", "k2"]);
}

#[test]
fn cores_that_have_one_key_are_told_of_each_other() {
    let signer = Signer::new(Algorithm::ES256);
    let own = || load(&[signer.jwk(Algorithm::ES256, "k1")]).unwrap();
    let all = vec![
        named("a", capif(), KeySet::of(own())),
        named("b", capif(), KeySet::unknown()),
        named("c", rfc9068(), KeySet::unknown()),
    ];
    let issuers = Issuers::new(all).unwrap();
    let [first, core, other] = issuers.iter().collect::<Vec<_>>()[..] else {
        unreachable!("three")
    };
    let found = core.other_core_with(&own(), issuers.iter());
    assert_eq!(found.map(IssuerRules::name), Some("a"));
    // Neither of itself, nor where one is no core, nor of other keys.
    assert!(first.other_core_with(&own(), issuers.iter()).is_none());
    assert!(other.other_core_with(&own(), issuers.iter()).is_none());
    assert!(core.other_core_with(&keys(), issuers.iter()).is_none());
}
