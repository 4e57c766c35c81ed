//! Lists that were read apart come into use beside others, and these leave.

use std::io::Cursor;

use super::*;

/// Lists of these CAs, with these in use.
fn holding(cas: &[&Ca], lists: &[(&Ca, Made)]) -> Revocation {
    let revocation = Revocation::default();
    revocation.take_lists_of(cas.iter().map(|ca| issuer(ca)).collect());
    for (ca, made) in lists {
        let crl = revocation.read(&mut Cursor::new(made.signed_by(ca)));
        revocation.adopt(crl.unwrap()).unwrap();
    }
    revocation
}

#[test]
fn others_lists_join_those_in_use_and_what_they_lack_leaves_when_it_is_told_to() {
    let [one, other, third] = ["One", "Other", "Third"].map(|name| ca(name, BOTH));
    let revoking = |serial| vec![entry(&[serial], None)];
    let in_use = holding(
        &[&one, &other],
        &[
            (&one, numbered(2, revoking(5))),
            (&other, numbered(1, vec![])),
        ],
    );
    let says = |ca, serial| {
        let lists = in_use.lists();
        lists.look_up(issuer(ca).id(), &[serial], NO_GRACE, NOW)
    };
    let read = holding(
        &[&one, &third],
        &[
            (&one, numbered(1, vec![])),
            (&third, numbered(7, revoking(9))),
        ],
    );
    let before = in_use.generation();
    in_use.join(&read);
    assert_ne!(in_use.generation(), before);
    assert!(is_revoked(says(&one, 5)), "theirs is older");
    assert!(is_revoked(says(&third, 9)));
    assert_eq!(says(&other, 5), Verdict::Good, "nothing is lost yet");
    assert!(in_use.has_lists_beyond(&read));
    in_use.leave(&read);
    assert!(!in_use.has_lists_beyond(&read));
    assert_eq!(says(&other, 5), Verdict::Unknown(Unknown::NoCrl));
    assert!(is_revoked(says(&one, 5)) && is_revoked(says(&third, 9)));
    // From now on that CA's lists are not taken, not even one that was read before.
    let late = holding(&[&other], &[]);
    let late = late.read(&mut Cursor::new(numbered(3, vec![]).signed_by(&other)));
    assert_eq!(in_use.adopt(late.unwrap()), Err(CrlFault::UnknownIssuer));
    let newer = holding(&[&one, &third], &[(&one, numbered(3, revoking(6)))]);
    in_use.join(&newer);
    assert!(is_revoked(says(&one, 6)) && !is_revoked(says(&one, 5)));
}

#[test]
fn delta_of_today_is_not_lost_to_others_that_have_yesterdays() {
    let ca = ca("One", BOTH);
    let base = || (&ca, numbered(1, vec![]));
    let change = |number, serial| (&ca, delta(number, 1, vec![entry(&[serial], None)]));
    let says = |held: &Revocation, serial| {
        let lists = held.lists();
        lists.look_up(issuer(&ca).id(), &[serial], NO_GRACE, NOW)
    };
    let in_use = holding(&[&ca], &[base(), change(3, 5)]);
    in_use.join(&holding(&[&ca], &[base(), change(2, 6)]));
    assert!(is_revoked(says(&in_use, 5)));
    in_use.join(&holding(&[&ca], &[base(), change(4, 7)]));
    assert!(is_revoked(says(&in_use, 7)) && !is_revoked(says(&in_use, 5)));
    // It may have come while they were read. Who names no delta any more has none in the end.
    let without = holding(&[&ca], &[base()]);
    in_use.join(&without);
    assert!(is_revoked(says(&in_use, 7)));
    assert!(in_use.has_lists_beyond(&without));
    let with = holding(&[&ca], &[base(), change(2, 6)]);
    assert!(!in_use.has_lists_beyond(&with));
    in_use.leave(&with);
    assert!(is_revoked(says(&in_use, 7)));
    in_use.leave(&without);
    assert!(!in_use.has_lists_beyond(&without));
    assert_eq!(says(&in_use, 7), Verdict::Good);
    // Nor does it say anything beside a complete list that holds it.
    let in_use = holding(&[&ca], &[base(), change(3, 5)]);
    in_use.join(&holding(&[&ca], &[(&ca, numbered(3, vec![]))]));
    assert_eq!(says(&in_use, 5), Verdict::Good);
}

#[test]
fn list_is_carried_over_where_it_is_newer_and_the_delta_only_if_asked_for() {
    let ca = ca("One", BOTH);
    let id = issuer(&ca).id();
    let says = |held: &Revocation, serial| {
        let lists = held.lists();
        lists.look_up(id, &[serial], NO_GRACE, NOW)
    };
    let complete = |number, serial| (&ca, numbered(number, vec![entry(&[serial], None)]));
    let change = (&ca, delta(4, 2, vec![entry(&[7], None)]));
    let in_use = holding(&[&ca], &[complete(2, 5), change]);
    let read = holding(&[&ca], &[]);
    read.carry_over(&in_use, id, true);
    assert_eq!(says(&read, 7), Verdict::Unknown(Unknown::NoCrl), "no base");
    read.carry_over(&in_use, id, false);
    assert!(is_revoked(says(&read, 5)) && !is_revoked(says(&read, 7)));
    let has = |held: &Revocation| [false, true].map(|delta| held.has_list_of(id, delta));
    assert_eq!(has(&read), [true, false]);
    read.carry_over(&in_use, id, true);
    assert!(is_revoked(says(&read, 7)));
    assert_eq!(has(&read), [true, true]);
    let older = holding(&[&ca], &[complete(1, 8)]);
    older.carry_over(&in_use, id, false);
    assert!(is_revoked(says(&older, 5)) && !is_revoked(says(&older, 8)));
    for as_new in [4, 9] {
        let newer = holding(&[&ca], &[complete(as_new, 8)]);
        newer.carry_over(&in_use, id, false);
        newer.carry_over(&in_use, id, true);
        assert!(is_revoked(says(&newer, 8)) && !is_revoked(says(&newer, 7)));
    }
    // A newer complete list has what was changed until then, and no more.
    let later = |number| (&ca, delta(number, 1, vec![entry(&[6], None)]));
    for (number, stays) in [(1, false), (2, false), (3, true)] {
        let read = holding(&[&ca], &[complete(1, 8), later(number)]);
        read.carry_over(&in_use, id, false);
        assert_eq!(is_revoked(says(&read, 6)), stays, "{number}");
    }
    let strange = Revocation::default();
    assert_eq!(has(&strange), [false, false]);
    strange.carry_over(&in_use, id, false);
    assert_eq!(strange.lists().issuers(), 0);
}

#[test]
fn list_may_not_be_replaced_by_an_older_one_or_one_that_would_end_it() {
    let ca = ca("One", BOTH);
    let in_use = holding(
        &[&ca],
        &[(&ca, numbered(4, vec![])), (&ca, delta(6, 4, vec![]))],
    );
    let may = |made: Made| {
        let crl = in_use.read(&mut Cursor::new(made.signed_by(&ca))).unwrap();
        in_use.may_be_replaced_by(&crl, NOW)
    };
    assert_eq!(may(numbered(3, vec![])), Err(CrlFault::NumberWentBack));
    assert_eq!(may(numbered(4, vec![])), Ok(()));
    assert_eq!(may(delta(5, 4, vec![])), Err(CrlFault::NumberWentBack));
    assert_eq!(may(delta(7, 4, vec![])), Ok(()));
    let ended = between(numbered(5, vec![]), "300102000000Z", "300110000000Z");
    assert_eq!(may(ended), Err(CrlFault::Ended));
}

#[test]
fn list_that_nobody_believes_may_follow_another_of_that_kind_only() {
    let ca = ca("One", BOTH);
    let ended = |made| between(made, "300102000000Z", "300110000000Z");
    let early = |made| between(made, "300120000000Z", "300130000000Z");
    let may = |in_use: Vec<Made>, made: Made| {
        let lists: Vec<_> = in_use.into_iter().map(|made| (&ca, made)).collect();
        let in_use = holding(&[&ca], &lists);
        let crl = in_use.read(&mut Cursor::new(made.signed_by(&ca))).unwrap();
        in_use.lists().admits(&crl, NOW)
    };
    let list = |of| numbered(of, vec![]);
    let change = |of| delta(of, 1, vec![]);
    assert_eq!(may(vec![], ended(list(1))), Ok(()));
    assert_eq!(
        may(vec![list(1)], early(list(2))),
        Err(CrlFault::NotYetValid)
    );
    assert_eq!(
        may(vec![ended(list(1))], early(list(2))),
        Err(CrlFault::NotYetValid)
    );
    assert_eq!(may(vec![early(list(1))], early(list(2))), Ok(()));
    assert_eq!(may(vec![early(list(1))], ended(list(2))), Ok(()));
    assert_eq!(may(vec![list(1)], ended(list(2))), Err(CrlFault::Ended));
    assert_eq!(may(vec![ended(list(1))], ended(list(2))), Ok(()));
    // A delta is held against the delta in use, where there is one, and else against its base.
    let with = |change| vec![list(1), change];
    assert_eq!(may(with(change(2)), ended(change(3))), Err(CrlFault::Ended));
    assert_eq!(may(with(ended(change(2))), ended(change(3))), Ok(()));
    assert_eq!(may(vec![list(1)], ended(change(3))), Err(CrlFault::Ended));
    assert_eq!(
        may(with(ended(change(2))), ended(list(4))),
        Err(CrlFault::Ended)
    );
}

#[test]
fn connections_are_judged_again_for_other_lists_and_where_that_is_asked_for() {
    let ca = ca("One", BOTH);
    let revocation = holding(&[&ca], &[]);
    let mut before = revocation.judgement();
    let mut changes = |revocation: &Revocation| {
        let now = revocation.judgement();
        std::mem::replace(&mut before, now) != now
    };
    assert!(!changes(&revocation));
    revocation.judge_again();
    assert!(changes(&revocation) && !changes(&revocation));
    let others = holding(&[&ca], &[(&ca, numbered(1, vec![]))]);
    revocation.join(&others);
    assert!(changes(&revocation));
}

/// Of each, the complete list or the delta may be the one to end.
#[test]
fn cas_whose_lists_have_ended_are_told_by_their_names() {
    let [one, other, third] = ["One", "Other", "Third"].map(|name| ca(name, BOTH));
    let until = |made: Made, end: &str| between(made, "300101000000Z", end);
    let (sooner, later) = ("300110000000Z", "300201000000Z");
    let lists = [
        (&third, until(numbered(1, vec![]), sooner)),
        (&one, until(numbered(1, vec![]), later)),
        (&one, until(delta(2, 1, vec![]), sooner)),
        (&other, until(numbered(1, vec![]), later)),
    ];
    let in_use = holding(&[&third, &other, &one], &lists);
    let first = in_use.lists().next_update().expect("there are some");
    assert_eq!(in_use.ended(first), [""; 0], "its last second counts");
    let ended = in_use.ended(UnixSeconds(first.0 + 1));
    assert_eq!(ended, ["CN=One", "CN=Third"]);
}

#[test]
fn lists_and_deltas_that_are_not_wanted_leave_with_cas_that_are_gone() {
    let [one, other, third] = ["One", "Other", "Third"].map(|name| ca(name, BOTH));
    let id = |ca| issuer(ca).id();
    let lists = [
        (&one, numbered(1, vec![])),
        (&one, delta(2, 1, vec![])),
        (&other, numbered(1, vec![])),
        (&third, numbered(1, vec![])),
    ];
    let in_use = holding(&[&one, &other, &third], &lists);
    let held = || {
        let of = [
            (&one, false),
            (&one, true),
            (&other, false),
            (&third, false),
        ];
        of.map(|(ca, delta)| in_use.has_list_of(id(ca), delta))
    };
    let (all, two) = (in_use.issuers(), [issuer(&one), issuer(&other)]);
    in_use.leave_but(&all, |_, _| true);
    assert_eq!(held(), [true; 4]);
    assert!(Arc::ptr_eq(&all, &in_use.issuers()), "they are the same");
    in_use.leave_but(&two, |_, _| true);
    assert_eq!(held(), [true, true, true, false]);
    let late = in_use.read(&mut Cursor::new(numbered(2, vec![]).signed_by(&third)));
    assert_eq!(late.err(), Some(CrlFault::UnknownIssuer));
    in_use.leave_but(&two, |_, delta| !delta);
    assert_eq!(held(), [true, false, true, false]);
    in_use.leave_but(&two, |of, _| of == id(&one));
    assert_eq!(held(), [true, false, false, false]);
    in_use.leave_but(&two, |_, _| false);
    assert_eq!(held(), [false; 4]);
}
