//! What is known of certificates over time, and what is forgotten.

use super::*;
use crate::tls::ocsp::Status;

fn issuer(octet: u8) -> IssuerId {
    IssuerId::of_octets([octet; 32])
}

fn at(seconds: u64) -> UnixSeconds {
    UnixSeconds(seconds)
}

#[test]
fn what_was_told_holds_until_its_end_and_revoked_beyond_it() {
    let statuses = Statuses::default();
    let verdict = |now| statuses.verdict(issuer(1), &[5], at(now));
    for now in [0, 1] {
        assert_eq!(verdict(now), Verdict::Doubt, "nobody asks");
    }
    let (sender, _receiver) = mpsc::channel(1);
    statuses.answered_by(sender);
    let asked = Verdict::ToBeAsked {
        revoked_before: false,
    };
    assert_eq!(verdict(1), asked);
    let known = statuses.enter(issuer(1), &[5]);
    for (told, before) in [
        (Told::Good, Verdict::Good),
        (Told::Unknown, Verdict::Doubt),
        (Told::Nothing, Verdict::Doubt),
    ] {
        known.note(told, at(100), at(50));
        assert_eq!(known.told(), (told, at(100)));
        assert_eq!((verdict(100), verdict(101)), (before, asked));
    }
    known.note(Told::Revoked, at(100), at(50));
    let again = Verdict::ToBeAsked {
        revoked_before: true,
    };
    assert_eq!((verdict(100), verdict(101)), (Verdict::Revoked, again));
    drop(known);
    statuses.sweep(at(200));
    assert_eq!(verdict(201), again, "not forgotten");
    let nobody_asks = Statuses::default();
    let revoked = nobody_asks.enter(issuer(1), &[5]);
    revoked.note(Told::Revoked, at(100), at(50));
    for now in [100, 101] {
        let verdict = nobody_asks.verdict(issuer(1), &[5], at(now));
        assert_eq!(verdict, Verdict::Revoked, "{now}");
    }
    // Of another issuer, or another serial number, nothing is known.
    assert_eq!(statuses.verdict(issuer(2), &[5], at(1)), asked);
    assert_eq!(statuses.verdict(issuer(1), &[5, 0], at(1)), asked);
}

#[test]
fn questions_are_bounded_and_yield_when_they_are_dropped() {
    let statuses = Statuses::default();
    assert!(statuses.ask(issuer(1), &[5]).is_none());
    let (sender, mut questions) = mpsc::channel(1);
    statuses.answered_by(sender);
    let mut told = statuses.ask(issuer(1), &[5]).unwrap();
    assert!(statuses.ask(issuer(1), &[6]).is_none());
    assert!(
        told.try_recv()
            .is_err_and(|e| e == oneshot::error::TryRecvError::Empty)
    );
    let question = questions.try_recv().unwrap();
    assert_eq!((question.issuer, &*question.serial), (issuer(1), &[5][..]));
    drop(question);
    assert!(
        told.try_recv()
            .is_err_and(|e| e == oneshot::error::TryRecvError::Closed)
    );
}

#[test]
fn memory_is_bounded_and_keeps_what_is_held() {
    let statuses = Statuses::default();
    let held = statuses.enter(issuer(1), b"held");
    held.note(Told::Good, at(1), at(1));
    for serial in 0..2 * u32::try_from(OCSP_STATUSES_MAX).unwrap() {
        let known = statuses.enter(issuer(1), &serial.to_be_bytes());
        known.note(Told::Good, at(10), at(5));
    }
    assert!(statuses.len() <= OCSP_STATUSES_MAX, "{}", statuses.len());
    let found = statuses.known(issuer(1), b"held").unwrap();
    assert!(Arc::ptr_eq(&found, &held));
}

#[test]
fn what_somebody_holds_is_asked_about_again_and_the_rest_is_forgotten() {
    let statuses = Statuses::default();
    let held = statuses.enter(issuer(1), b"held");
    held.note(Told::Good, at(10), at(5));
    statuses
        .enter(issuer(1), b"alone")
        .note(Told::Good, at(10), at(5));
    assert!(statuses.sweep(at(4)).is_empty());
    let due = statuses.sweep(at(5));
    assert_eq!(due.len(), 1);
    assert!(Arc::ptr_eq(&due[0], &held));
    assert_eq!(statuses.len(), 2);
    drop(due);
    assert_eq!(statuses.sweep(at(10)).len(), 1);
    assert_eq!(statuses.len(), 2, "it holds until its end");
    let due = statuses.sweep(at(11));
    assert_eq!((due.len(), statuses.len()), (1, 1));
    assert!(!statuses.is_empty());
    drop((held, due));
    assert!(statuses.sweep(at(11)).is_empty());
    assert!(statuses.is_empty());
}

//= RFC 6960 section 2.4 type=test
#[test]
fn older_answer_undoes_nothing_and_who_is_revoked_stays_so_until_a_newer_one_says_good() {
    let statuses = Statuses::default();
    let known = statuses.enter(issuer(1), &[5]);
    let hear = |status, begin| {
        let answer = Answer {
            status,
            this_update: at(begin),
            next_update: None,
        };
        let heard = known.hear(&answer);
        if let Ok(told) = heard {
            known.note(told, at(1_000), at(500));
        }
        heard
    };
    let revoked = Status::Revoked { since: at(1) };
    let older = Err(OcspFault::WentBack);
    assert_eq!(hear(Status::Good, 10), Ok(Told::Good));
    assert_eq!(hear(Status::Good, 9), older);
    assert_eq!(hear(Status::Good, 10), Ok(Told::Good), "the same once more");
    // Revoked in the same second: worse news is believed.
    assert_eq!(hear(revoked, 10), Ok(Told::Revoked));
    // What was said before the revocation, or in the same second, undoes it no more.
    for begin in [9, 10] {
        assert_eq!(hear(Status::Good, begin), older);
    }
    assert_eq!(hear(revoked, 10), Ok(Told::Revoked));
    // A responder that has forgotten the certificate has not made it good.
    assert_eq!(hear(Status::Unknown, 20), Ok(Told::Revoked));
    assert_eq!(hear(Status::Good, 19), older, "older than that");
    assert_eq!(hear(Status::Good, 21), Ok(Told::Good));
    assert_eq!(hear(Status::Unknown, 22), Ok(Told::Unknown));
    assert_eq!(hear(revoked, 21), older);
    // The order outlives questions without an answer.
    known.note(Told::Nothing, at(1_000), at(500));
    assert_eq!(hear(Status::Good, 21), older);
    assert_eq!(known.told().0, Told::Nothing);
}

#[test]
fn end_of_time_is_as_late_as_can_be_said_and_changes_nothing_that_was_told() {
    let statuses = Statuses::default();
    let known = statuses.enter(issuer(1), &[5]);
    known.note(Told::Good, at(u64::MAX), at(1));
    assert_eq!(known.told(), (Told::Good, at((1 << TOLD_SHIFT) - 1)));
}

#[test]
fn question_is_put_off_and_those_in_vain_are_counted() {
    let statuses = Statuses::default();
    let known = statuses.enter(issuer(1), &[5]);
    known.note(Told::Good, at(100), at(5));
    known.put_off(at(8));
    assert!(statuses.sweep(at(7)).is_empty());
    assert_eq!(statuses.sweep(at(8)).len(), 1);
    let outcomes = [false, false, false, true, false];
    let counts = outcomes.map(|answered| known.note_outcome(answered));
    assert_eq!(counts, [1, 2, 3, 0, 1]);
}
