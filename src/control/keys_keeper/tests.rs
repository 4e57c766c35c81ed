use super::*;
use crate::authz::issuers::{IssuerRules, Issuers, KeySet, Profile};
use crate::config::KeysPlace;
use crate::control::crl_fetch::Validators;
use crate::control::keys_fetch::Keep;
use crate::snapshot::KeyFetches;

const SECOND: Duration = Duration::from_secs(1);
const NOW: Millis = Millis(1_000_000);

fn es256(kid: &str, x: &str, y: &str) -> Keys {
    let key = serde_json::json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": kid, "x": x, "y": y,
    });
    let jwks = serde_json::json!({ "keys": [key] }).to_string();
    Keys::from_jwks(jwks.as_bytes()).unwrap()
}

/// The key of RFC 7515 Appendix A.3.
fn some(kid: &str) -> Keys {
    es256(
        kid,
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    )
}

fn source(keys: Option<Keys>) -> KeysFrom {
    let tls = super::super::crl_fetch::trusting(Vec::new()).unwrap();
    let set = KeySet::unknown();
    set.replace(keys);
    KeysFrom {
        issuer: "issuer".into(),
        place: KeysPlace::Jwks("https://localhost/keys".parse().unwrap()),
        tls,
        of_rsa: None,
        ca: Vec::new(),
        refresh: SECOND * 100,
        max_age: SECOND * 1_000,
        keys: set,
        fetches: Arc::new(KeyFetches::default()),
    }
}

fn state() -> State {
    State::new(&source(Some(some("k"))), NOW)
}

/// What is said of keys, to be kept for so many seconds.
fn fresh(max_age_s: Option<u64>) -> Fresh {
    Fresh {
        url: "https://localhost/keys".parse().unwrap(),
        validators: Validators::default(),
        keep: Keep {
            max_age: max_age_s.map(Duration::from_secs),
            ..Keep::default()
        },
    }
}

/// What is waited for something from now on, in milliseconds.
fn wait(at: Millis) -> u64 {
    at.0 - NOW.0
}

#[test]
fn keys_are_looked_at_when_they_are_due_and_not_before() {
    let mut state = state();
    let first = wait(state.look_at);
    assert!((90_000..=100_000).contains(&first), "{first}");
    assert!(!state.is_due(false, Millis(state.look_at.0 - 1)));
    assert!(state.is_due(false, state.look_at));
    let unknown = State::new(&source(None), NOW);
    assert_eq!(wait(unknown.look_at), 1_000);
}

#[test]
fn token_with_an_unknown_key_has_them_looked_at_once_in_five_seconds() {
    let mut state = state();
    assert!(!state.is_due(true, NOW.after(SECOND * 4)));
    // It is not forgotten.
    assert!(state.is_due(false, NOW.after(SECOND * 5)));
    assert!(!state.is_due(false, NOW.after(SECOND * 20)));
    assert!(state.is_due(true, NOW.after(SECOND * 20)));
    assert!(!state.is_due(true, NOW.after(SECOND * 21)));
    assert!(state.is_due(true, NOW.after(SECOND * 25)));
}

#[test]
fn keys_are_kept_as_long_as_the_issuer_says_within_bounds() {
    for (said, kept) in [
        (None, 100),
        (Some(300), 300),
        (Some(0), 10),
        (Some(10_000_000), 24 * 3_600),
    ] {
        let mut later = state();
        later.had(fresh(said), SECOND * 100, NOW);
        // Before anybody kept them.
        let from = source(Some(some("k")));
        if let Some(said) = fresh(said).keep.left() {
            from.fetches.first_kept.set(said).expect("the first");
        }
        for state in [later, State::new(&from, NOW)] {
            let waited = wait(state.look_at);
            let kept = kept * 900..=kept * 1_000;
            assert!(kept.contains(&waited), "{said:?} {waited}");
        }
    }
}

#[test]
fn looks_in_vain_come_ever_seldomer_and_are_said_once_an_hour() {
    let mut state = state();
    for wanted in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        let said = state.not_had(NOW);
        assert_eq!(said, wanted == 1, "{wanted}");
        let waited = wait(state.look_at);
        assert!(
            (wanted * 900..=wanted * 1_000).contains(&waited),
            "{wanted} {waited}"
        );
    }
    assert!(!state.not_had(NOW.after(SECOND * 3_599)));
    assert!(state.not_had(NOW.after(SECOND * 3_600)));
    state.had(fresh(None), SECOND, NOW);
    assert!(state.not_had(NOW), "it is news again");
}

#[test]
fn tokens_are_verified_anew_where_a_key_is_gone_and_only_there() {
    let gone = |before: Option<Keys>, keys: Option<Keys>| {
        let set = source(before).keys;
        let rules = IssuerRules::new(
            "issuer".into(),
            Profile::Capif {
                aef_id: "aef".into(),
            },
            Arc::clone(&set),
        );
        let issuers = Issuers::new(vec![rules.unwrap()]).unwrap();
        let before = issuers.epoch();
        let gone = set.replace(keys);
        assert_eq!(issuers.epoch() - before, u64::from(gone));
        gone
    };
    assert!(!gone(None, Some(some("a"))));
    assert!(!gone(Some(some("a")), Some(some("a"))));
    assert!(gone(Some(some("a")), Some(some("b"))));
    assert!(gone(Some(some("a")), None));
}

#[test]
fn keys_that_are_not_had_for_too_long_are_believed_no_longer() {
    let now = UnixSeconds::now().0;
    let fail = || Err(KeysFault::Refused("nothing".into()));
    for (age_s, believed) in [(990, true), (1_010, false)] {
        let (from, mut state) = (source(Some(some("k"))), state());
        from.fetches.had_at.store(now - age_s, Ordering::Relaxed);
        state.known = Some(fresh(None));
        note(&from, &mut state, fail());
        assert_eq!(from.keys.keys().is_some(), believed, "{age_s}");
        // That they have not changed is no answer to who has none.
        assert_eq!(state.known.is_some(), believed, "{age_s}");
        assert_eq!(from.fetches.refused.load(Ordering::Relaxed), 1);
    }
}
