use std::sync::Barrier;

use super::*;

const SLOT_S: u64 = TICKET_SLOT_DEFAULT.as_secs();
const SESSION: &[u8] = b"a session of 25 octets :-)";
const BINDING: &[u8] = &[7; 32];
/// In the middle of a slot.
const NOW: UnixSeconds = UnixSeconds(88_000 * SLOT_S + SLOT_S / 2);

fn slots_later(count: u64) -> UnixSeconds {
    UnixSeconds(NOW.0 + count * SLOT_S)
}

fn opens(keys: &TicketKeys, ticket: &[u8], now: UnixSeconds) -> bool {
    match keys.open(ticket, BINDING, now) {
        Some(opened) => {
            assert_eq!(opened, SESSION);
            true
        }
        None => false,
    }
}

#[test]
fn ticket_opens_after_one_change_of_keys_and_not_after_two() {
    let keys = TicketKeys::random().unwrap();
    let ticket = keys.seal(SESSION, BINDING, NOW).unwrap();
    assert!(opens(&keys, &ticket, NOW));
    // Whether anything is sealed in between or not.
    assert!(opens(&keys, &ticket, slots_later(1)));
    let next = keys.seal(SESSION, BINDING, slots_later(1)).unwrap();
    assert!(opens(&keys, &ticket, slots_later(1)));
    assert!(!opens(&keys, &ticket, slots_later(2)));
    let last = keys.seal(SESSION, BINDING, slots_later(2)).unwrap();
    assert!(!opens(&keys, &ticket, slots_later(2)));
    assert!(opens(&keys, &next, slots_later(2)));
    assert!(opens(&keys, &last, slots_later(2)));
    // Its key is gone for good, whatever the clock says then.
    keys.seal(SESSION, BINDING, slots_later(3)).unwrap();
    assert!(!opens(&keys, &ticket, NOW));
}

//= RFC 8446 section 4.6.1 type=test
//# A ticket is said to live for seven days at most.
#[test]
fn ticket_lives_as_long_as_it_says_at_least() {
    let keys = TicketKeys::random().unwrap();
    assert_eq!(
        u64::from(keys.lifetime_s()),
        SLOT_S - TICKET_CLOCKS_APART_S_MAX
    );
    for begun in [0, 1, SLOT_S / 2, SLOT_S - 1] {
        let at = UnixSeconds(slots_later(0).0 + begun);
        let ticket = keys.seal(SESSION, BINDING, at).unwrap();
        assert!(opens(&keys, &ticket, UnixSeconds(at.0 + SLOT_S)));
        assert!(!opens(&keys, &ticket, UnixSeconds(at.0 + 2 * SLOT_S)));
    }
}

#[test]
fn altered_ticket_or_binding_does_not_open() {
    let keys = TicketKeys::random().unwrap();
    let ticket = keys.seal(SESSION, BINDING, NOW).unwrap();
    assert_eq!(ticket.len(), SEALED_AT + SESSION.len() + 16);
    for place in 0..ticket.len() {
        let mut other = ticket.clone();
        other[place] ^= 1;
        assert_eq!(keys.open(&other, BINDING, NOW), None, "{place}");
        assert_eq!(keys.open(&ticket[..place], BINDING, NOW), None, "{place}");
    }
    assert_eq!(keys.open(&ticket, &[6; 32], NOW), None);
    assert_eq!(keys.open(&[0xff; 100], BINDING, NOW), None);
    let others = TicketKeys::random().unwrap();
    assert_eq!(others.open(&ticket, BINDING, NOW), None);
    // No two tickets look alike, nor is anything of the session in the clear.
    assert_ne!(keys.seal(SESSION, BINDING, NOW).unwrap(), ticket);
    assert!(!ticket.windows(8).any(|octets| octets == &SESSION[..8]));
}

#[test]
fn clock_that_was_ahead_costs_its_own_tickets_only() {
    for ahead in [1, 2, 3, 4, 40] {
        let keys = TicketKeys::random().unwrap();
        keys.seal(SESSION, BINDING, slots_later(ahead)).unwrap();
        for later in [0, 1] {
            let now = slots_later(later);
            let ticket = keys.seal(SESSION, BINDING, now).unwrap();
            assert!(opens(&keys, &ticket, now), "{ahead} ahead, {later} later");
        }
    }
}

#[test]
fn threads_agree_on_the_key_of_a_new_slot() {
    const THREADS: usize = 4;
    let keys = TicketKeys::random().unwrap();
    let barrier = Barrier::new(THREADS);
    for later in 0..200 {
        let now = slots_later(later);
        let sealed = std::thread::scope(|scope| {
            let seal = || {
                barrier.wait();
                (0..8)
                    .filter_map(|_| keys.seal(SESSION, BINDING, now))
                    .collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(seal)).collect();
            let sealed = threads.into_iter().map(|thread| thread.join().unwrap());
            sealed.flatten().collect::<Vec<_>>()
        });
        assert!(!sealed.is_empty());
        for ticket in sealed {
            assert!(opens(&keys, &ticket, now));
        }
    }
}

/// A secret that is random enough, another one for each number.
fn secret(number: u8) -> TicketSecret {
    let octets: Vec<u8> = (0..32_u8)
        .map(|place| place.wrapping_mul(37) ^ number)
        .collect();
    TicketSecret::from_octets(&octets).unwrap()
}

fn here(number: u8) -> SharedSecret {
    SharedSecret::Here(secret(number))
}

fn node(sealing: u8, opening: Option<u8>) -> TicketKeys {
    let slot = Duration::from_secs(SLOT_S);
    TicketKeys::shared(
        [sealing].into_iter().chain(opening).map(here).collect(),
        slot,
    )
}

#[test]
fn nodes_of_one_secret_open_each_others_tickets_and_others_do_not() {
    let (one, two) = (node(1, None), node(1, None));
    let ticket = one.seal(SESSION, BINDING, NOW).unwrap();
    assert!(opens(&two, &ticket, NOW));
    // Also one that has been started since.
    assert!(opens(&node(1, None), &ticket, slots_later(1)));
    assert!(!opens(&node(1, None), &ticket, slots_later(2)));
    assert!(!opens(&node(2, None), &ticket, NOW));
    assert!(!opens(&TicketKeys::random().unwrap(), &ticket, NOW));
    let other_slots = Duration::from_secs(SLOT_S + 1);
    let other_slots = TicketKeys::shared(vec![here(1)], other_slots);
    assert!(!opens(&other_slots, &ticket, NOW));
    assert_eq!(two.open(&ticket, &[6; 32], NOW), None);
}

#[test]
fn node_whose_clock_is_a_slot_behind_opens_the_tickets_of_the_others() {
    let (right, late) = (node(1, None), node(1, None));
    let ticket = right.seal(SESSION, BINDING, slots_later(1)).unwrap();
    assert!(opens(&late, &ticket, NOW));
    let too_early = right.seal(SESSION, BINDING, slots_later(2)).unwrap();
    assert!(!opens(&late, &too_early, NOW));
    // And no ticket ends before its time on a node that is as far ahead as clocks may be apart.
    let last_moment = UnixSeconds(SLOT_S * 88_000 - 1);
    let ticket = late.seal(SESSION, BINDING, last_moment).unwrap();
    let ahead = last_moment.0 + u64::from(late.lifetime_s()) + TICKET_CLOCKS_APART_S_MAX;
    assert!(opens(&right, &ticket, UnixSeconds(ahead)));
}

/// Each step on one node first, as it happens in a fleet: at no moment does a ticket of one node
/// not open on the other.
#[test]
fn secret_is_replaced_in_three_steps_without_losing_a_session() {
    let steps = [
        (node(1, None), node(1, Some(2))),
        (node(1, Some(2)), node(2, Some(1))),
        (node(2, Some(1)), node(2, None)),
    ];
    for (place, (before, after)) in steps.iter().enumerate() {
        for (from, to) in [(before, after), (after, before)] {
            let ticket = from.seal(SESSION, BINDING, NOW).unwrap();
            assert!(opens(to, &ticket, NOW), "step {}", place + 1);
        }
    }
    let old = steps[0].0.seal(SESSION, BINDING, NOW).unwrap();
    assert!(opens(&steps[2].0, &old, NOW));
    assert!(!opens(&steps[2].1, &old, NOW), "it is withdrawn at last");
}

/// A node whose secret is in a token, which answers as [`secret`] would.
fn node_with_token(number: u8) -> TicketKeys {
    let name = secret(number).name(SLOT_S);
    let slot = Duration::from_secs(SLOT_S);
    TicketKeys::shared(vec![SharedSecret::InToken { name }], slot)
}

fn ask_token(keys: &TicketKeys, number: u8, now: UnixSeconds) -> Vec<u64> {
    let wanted = keys.wanted(now);
    for wanted in &wanted {
        keys.hold(
            wanted,
            &secret(number).slot_secret(SLOT_S, wanted.slot),
            now,
        );
    }
    wanted.iter().map(|wanted| wanted.slot).collect()
}

#[test]
fn token_is_asked_once_for_a_slot_and_ahead_of_time() {
    let (keys, other) = (node_with_token(1), node(1, None));
    assert_eq!(
        keys.seal(SESSION, BINDING, NOW),
        None,
        "nothing is held yet"
    );
    let slot = keys.slot(NOW);
    let first = ask_token(&keys, 1, NOW);
    assert_eq!(first, [slot, slot + 1, slot - 1, slot + 2]);
    assert!(ask_token(&keys, 1, NOW).is_empty());
    let ticket = keys.seal(SESSION, BINDING, NOW).unwrap();
    assert!(opens(&other, &ticket, NOW), "a file with the same secret");
    let ticket = other.seal(SESSION, BINDING, slots_later(1)).unwrap();
    assert!(opens(&keys, &ticket, NOW));
    // The token may be gone for the whole of the next slot.
    assert!(keys.seal(SESSION, BINDING, slots_later(1)).is_some());
    assert!(opens(&keys, &ticket, slots_later(2)));
    assert_eq!(ask_token(&keys, 1, slots_later(1)), [slot + 3]);
    assert_eq!(ask_token(&keys, 1, slots_later(2)), [slot + 4]);
    // The clock was set, back and far ahead.
    assert_eq!(ask_token(&keys, 1, NOW), [slot, slot - 1]);
    assert_eq!(ask_token(&keys, 1, slots_later(40)).len(), 4);
    assert!(node(1, None).wanted(NOW).is_empty());
}

#[test]
fn no_two_tickets_are_sealed_by_one_key() {
    let keys = node(1, None);
    let mut salts = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let ticket = keys.seal(SESSION, BINDING, NOW).unwrap();
        assert!(salts.insert(ticket[16..HEAD_BYTES].to_vec()));
    }
}

proptest::proptest! {
    #[test]
    fn ticket_opens_exactly_in_its_slot_and_its_two_neighbours(
        sealed in 0..40 * SLOT_S,
        opened in 0..40 * SLOT_S,
    ) {
        let keys = node(1, None);
        let ticket = keys.seal(SESSION, BINDING, UnixSeconds(sealed)).unwrap();
        let apart = (sealed / SLOT_S).abs_diff(opened / SLOT_S);
        proptest::prop_assert_eq!(opens(&keys, &ticket, UnixSeconds(opened)), apart <= 1);
    }

    #[test]
    fn no_octets_are_a_ticket_that_nobody_sealed(octets: Vec<u8>, now: u64) {
        let keys = node(1, None);
        proptest::prop_assert!(!opens(&keys, &octets, UnixSeconds(now)));
        // Also under its name, and of a slot that counts.
        let slot = keys.slot(UnixSeconds(now)).to_be_bytes();
        let named = [&secret(1).name(SLOT_S)[..], &slot, &octets].concat();
        proptest::prop_assert!(!opens(&keys, &named, UnixSeconds(now)));
    }
}
