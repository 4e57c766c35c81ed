use super::*;

#[test]
fn breaker_opens_after_so_many_in_vain_and_lets_one_try() {
    let breaker = Breaker::default();
    let now = Millis(1_000);
    assert!(breaker.note(false, now), "the first is said");
    for _ in 2..INTROSPECTION_FAILURES_MAX {
        assert!(breaker.lets_through(now) && !breaker.note(false, now));
    }
    assert!(
        breaker.lets_through(now) && breaker.note(false, now),
        "and the last"
    );
    assert!(breaker.is_open() && !breaker.lets_through(now));
    let later = now.after(INTROSPECTION_PAUSE);
    assert!(breaker.lets_through(later), "one tries");
    assert!(!breaker.lets_through(later), "and none behind it");
    assert!(!breaker.note(false, later));
    assert!(!breaker.lets_through(later));
    let again = later.after(INTROSPECTION_PAUSE);
    assert!(breaker.lets_through(again) && !breaker.note(true, again));
    assert!(!breaker.is_open());
    assert!(breaker.lets_through(again) && breaker.lets_through(again));
    assert!(breaker.note(false, again), "the first of others");
}

//= RFC 6749 section 2.3.1 type=test
//# What has a meaning in a form or between the two is encoded.
#[test]
fn client_and_secret_are_encoded_before_they_are_joined() {
    let said = basic("a:b", "p% +/\u{e9}");
    let octets = STANDARD
        .decode(said.strip_prefix("Basic ").unwrap())
        .unwrap();
    assert_eq!(
        String::from_utf8(octets).unwrap(),
        "a%3Ab:p%25+%2B%2F%C3%A9"
    );
    assert_eq!(encoded(b"t&oken=1"), "t%26oken%3D1");
}

#[test]
fn inactive_tokens_are_remembered_up_to_a_bound_and_for_a_while() {
    let asker = Asker::new(Arc::default());
    let known = |n: usize| {
        let mut known = Known::default();
        known[..8].copy_from_slice(&n.to_ne_bytes());
        known
    };
    for n in 0..INTROSPECTION_INACTIVE_MAX + 7 {
        asker.note_inactive(known(n), Millis(0));
    }
    assert_eq!(asker.inactive.borrow().len(), INTROSPECTION_INACTIVE_MAX);
    let later = Millis(0).after(INTROSPECTION_INACTIVE_FOR);
    asker.note_inactive(known(usize::MAX), later);
    assert_eq!(asker.inactive.borrow().len(), 1, "the others are over");
}
