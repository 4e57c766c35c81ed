use super::*;
use crate::authz::scope::Rights;
use crate::authz::token::Issued;
use crate::peer::Thumbprint;

const NOW: UnixSeconds = UnixSeconds(1_000);

fn grant(client: u32, valid_from: u64, valid_until: u64) -> CachedGrant {
    let grant = Grant {
        thumbprint: Some(Thumbprint([7; 32])),
        rights: Rights::NONE,
        valid_from: UnixSeconds(valid_from),
        valid_until: UnixSeconds(valid_until),
    };
    CachedGrant {
        client: ClientIndex(client),
        grant,
        generation: 0,
        limited: None,
    }
}

fn lasting(client: u32) -> CachedGrant {
    grant(client, 0, 2_000)
}

/// Tokens of one length that end in the same hashed octets: all share one place and one hash.
fn twin(number: u32) -> Vec<u8> {
    [number.to_be_bytes().as_slice(), &[b's'; HASHED_BYTES]].concat()
}

fn cache(entries_max: usize) -> TokenCache {
    TokenCache::new(entries_max).unwrap()
}

#[test]
fn a_remembered_token_is_found() {
    let mut cache = cache(64);
    assert!(cache.is_empty());
    cache.insert(b"token", lasting(1), NOW);
    assert!(!cache.is_empty());
    assert_eq!(cache.lookup(b"token", NOW), Some(&lasting(1)));
    assert_eq!(cache.lookup(b"tokem", NOW), None);
    assert_eq!(cache.lookup(b"", NOW), None);
}

#[test]
fn tokens_of_one_hash_never_get_the_grant_of_another() {
    let mut cache = cache(64);
    assert_eq!(cache.hash(&twin(1)), cache.hash(&twin(2)));
    cache.insert(&twin(1), lasting(1), NOW);
    assert_eq!(cache.lookup(&twin(2), NOW), None);
    cache.insert(&twin(2), lasting(2), NOW);
    assert_eq!(cache.lookup(&twin(1), NOW), Some(&lasting(1)));
    assert_eq!(cache.lookup(&twin(2), NOW), Some(&lasting(2)));
}

#[test]
fn a_prefix_or_an_extension_of_a_token_is_not_found() {
    let mut cache = cache(64);
    let token = twin(1);
    cache.insert(&token, lasting(1), NOW);
    assert_eq!(cache.lookup(&token[1..], NOW), None);
    assert_eq!(cache.lookup(&[b"x", token.as_slice()].concat(), NOW), None);
    assert_eq!(cache.lookup(&[token.as_slice(), b"x"].concat(), NOW), None);
}

#[test]
fn a_remembered_token_is_given_only_within_its_validity() {
    let mut cache = cache(64);
    let mut memo = Memo::default();
    cache.insert(b"token", grant(1, 990, 1_010), NOW);
    memo.set(b"token", grant(1, 990, 1_010));
    for (second, valid) in [(989, false), (990, true), (1_010, true), (1_011, false)] {
        assert_eq!(
            cache.lookup(b"token", UnixSeconds(second)).is_some(),
            valid,
            "{second}"
        );
        assert_eq!(
            memo.lookup(b"token", UnixSeconds(second)).is_some(),
            valid,
            "{second}"
        );
    }
}

#[test]
fn the_cache_never_grows_past_its_bound() {
    for (asked, given) in [(0, 4), (1, 4), (7, 4), (8, 8), (100, 64), (128, 128)] {
        let mut cache = cache(asked);
        assert_eq!(cache.capacity(), given);
        for number in 0..10 * given as u32 {
            cache.insert(&number.to_be_bytes().repeat(20), lasting(number), NOW);
            assert!(cache.len() <= given);
        }
        assert!(cache.len() > given / 2, "tokens spread over the sets");
    }
}

#[test]
fn inserting_a_token_again_replaces_what_it_gave() {
    let mut cache = cache(64);
    cache.insert(b"token", lasting(1), NOW);
    cache.insert(b"token", lasting(2), NOW);
    assert_eq!(cache.lookup(b"token", NOW), Some(&lasting(2)));
    assert_eq!(cache.len(), 1);
}

#[test]
fn an_expired_token_makes_room_first() {
    let mut cache = cache(4);
    (0..3).for_each(|number| cache.insert(&twin(number), lasting(number), NOW));
    cache.insert(&twin(3), grant(3, 0, 1_001), NOW);
    let later = UnixSeconds(1_002);
    cache.insert(&twin(4), lasting(4), later);
    for number in [0, 1, 2, 4] {
        assert_eq!(cache.lookup(&twin(number), later), Some(&lasting(number)));
    }
}

#[test]
fn a_token_in_its_last_second_is_not_expired() {
    let mut cache = cache(4);
    let last = UnixSeconds(2_000);
    (1..4).for_each(|number| cache.insert(&twin(number), grant(number, 0, 3_000), last));
    cache.insert(&twin(0), lasting(0), last);
    cache.insert(&twin(4), grant(4, 0, 3_000), last);
    let there = |number| cache.lookup(&twin(number), last).is_some();
    assert_eq!([0, 1, 2, 3, 4].map(there), [true, false, true, true, true]);
}

#[test]
fn a_token_in_use_outlives_older_and_newer_ones() {
    let mut cache = cache(4);
    (0..4).for_each(|number| cache.insert(&twin(number), lasting(number), NOW));
    for number in 4..40 {
        assert!(cache.lookup(&twin(0), NOW).is_some(), "before {number}");
        cache.insert(&twin(number), lasting(number), NOW);
    }
    assert!(cache.lookup(&twin(0), NOW).is_some());
}

#[test]
fn without_use_the_oldest_token_makes_room() {
    let mut cache = cache(4);
    (0..5).for_each(|number| cache.insert(&twin(number), lasting(number), NOW));
    let there = |number| cache.lookup(&twin(number), NOW).is_some();
    assert_eq!([0, 1, 2, 3, 4].map(there), [false, true, true, true, true]);
    // The oldest is the one that came first, wherever in its set it is.
    let mut cache = self::cache(4);
    (0..4).for_each(|number| cache.insert(&twin(number), lasting(number), NOW));
    cache.insert(&twin(0), lasting(0), NOW);
    cache.insert(&twin(4), lasting(4), NOW);
    let there = |number| cache.lookup(&twin(number), NOW).is_some();
    assert_eq!([0, 1, 2, 3, 4].map(there), [true, false, true, true, true]);
}

#[test]
fn tokens_that_are_held_and_those_forgotten_in_time_are_counted() {
    let mut cache = cache(4);
    (0..4).for_each(|number| cache.insert(&twin(number), lasting(number), NOW));
    cache.insert(&twin(0), lasting(0), NOW);
    assert_eq!((cache.len(), cache.evicted()), (4, 0));
    cache.insert(&twin(4), lasting(4), NOW);
    assert_eq!((cache.len(), cache.evicted()), (4, 1));
    // All of them have expired: none of them is missed.
    (5..9).for_each(|number| cache.insert(&twin(number), lasting(number), UnixSeconds(2_001)));
    assert_eq!((cache.len(), cache.evicted()), (4, 1));
    cache.clear();
    assert_eq!((cache.len(), cache.evicted()), (0, 1));
}

#[test]
fn tokens_longer_than_a_token_may_be_are_not_remembered() {
    let long = vec![b'a'; TOKEN_BYTES_MAX + 1];
    let (mut cache, mut memo) = (cache(4), Memo::default());
    cache.insert(&long, lasting(1), NOW);
    memo.set(&long, lasting(1));
    assert!(cache.is_empty() && memo.lookup(&long, NOW).is_none());
    let longest = &long[1..];
    cache.insert(longest, lasting(1), NOW);
    memo.set(longest, lasting(1));
    assert!(cache.lookup(longest, NOW).is_some() && memo.lookup(longest, NOW).is_some());
}

#[test]
fn every_cache_has_a_key_of_its_own() {
    assert_ne!(cache(4).hash(b"token"), cache(4).hash(b"token"));
}

#[test]
fn a_memo_knows_the_last_token_only() {
    let mut memo = Memo::default();
    assert_eq!(memo.lookup(b"", NOW), None);
    assert!(memo.last().is_none());
    memo.set(b"first", lasting(1));
    memo.set(b"next", lasting(2));
    assert!(memo.last() == Some((&b"next"[..], &lasting(2))));
    assert_eq!(memo.lookup(b"first", NOW), None);
    assert_eq!(memo.lookup(b"next", NOW), Some(&lasting(2)));
    assert_eq!(memo.lookup(b"nex", NOW), None);
    memo.clear();
    assert_eq!(memo.lookup(b"next", NOW), None);
}

#[test]
fn what_an_issuer_said_of_a_token_is_kept_with_it_and_outlives_keys() {
    let mut cache = cache(64);
    let said = |until| VerifiedToken {
        issuer: "https://as.example".to_owned(),
        key_id: None,
        jti: Some("j-1".to_owned()),
        issued: Issued::NotBefore(UnixSeconds(until - 300)),
        lives_too_long: false,
        client_id: "acme-app".to_owned(),
        ends: UnixSeconds(until),
        grant: grant(1, 0, until).grant,
        limited: None,
    };
    cache.insert(b"a.signed.one", lasting(1), NOW);
    cache.insert_answered(b"opaque", grant(1, 0, 1_010), &said(1_010), NOW);
    assert_eq!(cache.answer(b"a.signed.one", NOW), None);
    assert_eq!(cache.answer(b"opaque", NOW), Some(said(1_010)));
    assert_eq!(cache.answer(b"opaque", UnixSeconds(1_011)), None);
    assert_eq!(cache.answer(b"opaqus", NOW), None);
    // The newest word counts.
    cache.insert_answered(b"opaque", grant(1, 0, 1_020), &said(1_020), NOW);
    assert_eq!(cache.answer(b"opaque", NOW), Some(said(1_020)));
    cache.forget_signed();
    assert_eq!(cache.lookup(b"a.signed.one", NOW), None);
    assert_eq!(cache.lookup(b"opaque", NOW), Some(&grant(1, 0, 1_020)));
    assert_eq!(cache.len(), 1);
    cache.clear();
    assert_eq!(cache.answer(b"opaque", NOW), None);
}
