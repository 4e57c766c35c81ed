use super::clerk::Clerk;
use super::*;
use crate::clock::Millis;
use crate::revoked::store::Store;
use crate::revoked::tests::store::place;
use crate::revoked::tests::{ISSUER, NOW, client, meant, presented};
use crate::revoked::{Id, Whose, of_token};

fn open(path: &Path) -> (Arc<Desk>, Arc<Revoked>, std::thread::JoinHandle<()>) {
    let revoked = Arc::new(Revoked::default());
    let (desk, clerk) = Desk::open(path, Arc::clone(&revoked), NOW).unwrap();
    (desk, revoked, clerk)
}

fn jti(name: &str) -> Revocation {
    meant(&format!(r#"{{"jti":"{name}","issuer":"{ISSUER}"}}"#))
}

fn key(kid: &str) -> Revocation {
    meant(&format!(r#"{{"key":"{kid}","issuer":"{ISSUER}"}}"#))
}

#[test]
fn what_is_acknowledged_is_in_force_and_in_force_again_after_a_restart() {
    let (_folder, path) = place();
    let (desk, revoked, clerk) = open(&path);
    let generation = &revoked.generations(&[client("acme-app")])[0];
    let before = generation.now();
    let done = desk.revoke(vec![jti("j-1")]).unwrap().blocking_recv();
    assert_eq!(done.unwrap(), Ok(Done::Revoked));
    assert_eq!(revoked.token(&presented()), Some(Kind::Jti));
    assert!(
        generation.now() > before,
        "what is remembered is not gone by"
    );
    assert_eq!(desk.counts().revoked(Kind::Jti), 1);
    assert_eq!(desk.counts().commits().0, 1);
    drop(desk);
    clerk.join().unwrap();
    let (_desk, revoked, _clerk) = open(&path);
    assert_eq!(revoked.token(&presented()), Some(Kind::Jti));
}

#[test]
fn revoking_once_more_costs_no_commit_and_never_ends_sooner() {
    let (_folder, path) = place();
    let (desk, revoked, _clerk) = open(&path);
    let until = |until: u64| {
        let json = format!(r#"{{"client":"acme-app","issued_until":{until}}}"#);
        let done = desk.revoke(vec![meant(&json)]).unwrap().blocking_recv();
        assert_eq!(done.unwrap(), Ok(Done::Revoked));
        desk.counts().commits().0
    };
    assert_eq!(until(NOW.0 - 60), 1);
    assert_eq!(until(NOW.0 - 60), 1);
    assert_eq!(until(NOW.0 - 90), 1);
    assert_eq!(revoked.token(&presented()), Some(Kind::Client));
    assert_eq!(until(NOW.0), 2);
    assert_eq!(revoked.count(Kind::Client), 1);
}

#[test]
fn what_waits_is_written_together_and_everybody_is_told() {
    let (_folder, path) = place();
    let (desk, revoked, _clerk) = open(&path);
    let answers: Vec<_> = (0..500)
        .map(|number| desk.revoke(vec![jti(&number.to_string())]).unwrap())
        .collect();
    for answer in answers {
        assert_eq!(answer.blocking_recv().unwrap(), Ok(Done::Revoked));
    }
    assert_eq!(revoked.count(Kind::Jti), 500);
    assert!(
        desk.counts().commits().0 < 500,
        "{:?}",
        desk.counts().commits()
    );
}

#[test]
fn what_is_taken_back_is_good_again_also_after_a_restart() {
    let (_folder, path) = place();
    let (desk, revoked, clerk) = open(&path);
    let done = |answer: Result<tokio::sync::oneshot::Receiver<_>, Refused>| {
        answer.unwrap().blocking_recv().unwrap()
    };
    assert_eq!(done(desk.revoke(vec![key("first")])), Ok(Done::Revoked));
    assert_eq!(revoked.token(&presented()), Some(Kind::IssuerKey));
    let Ok(Done::Listed(listed, false)) = done(desk.list(9)) else {
        panic!("one is listed");
    };
    assert_eq!(listed[0].name, format!("{ISSUER} first"));
    assert_eq!(
        done(desk.take_back(vec![key("other")])),
        Ok(Done::TakenBack(0))
    );
    assert_eq!(
        done(desk.take_back(vec![key("first")])),
        Ok(Done::TakenBack(1))
    );
    assert_eq!(revoked.token(&presented()), None);
    drop(desk);
    clerk.join().unwrap();
    let (_desk, revoked, _clerk) = open(&path);
    assert_eq!(revoked.token(&presented()), None);
}

#[test]
fn without_a_store_nothing_is_revoked() {
    let desk = Desk::without_store();
    assert_eq!(
        desk.revoke(vec![key("first")]).err(),
        Some(Refused::NoStore)
    );
    let (_, cure) = Refused::NoStore.explained();
    assert!(cure.contains("revocation.store"));
}

/// A clerk that holds at most so many.
fn clerk(path: &Path, entries_max: usize) -> (Clerk, Arc<Revoked>, Arc<Counts>) {
    let (revoked, counts) = (Arc::new(Revoked::default()), Arc::new(Counts::default()));
    let clerk = Clerk::open(path, Arc::clone(&revoked), Arc::clone(&counts), entries_max);
    (clerk.unwrap(), revoked, counts)
}

impl Clerk {
    /// What comes of one letter that comes at this millisecond.
    fn does(&mut self, wanted: Wanted, at: u64) -> Answer {
        let (home, back) = oneshot::channel();
        let letter = Letter {
            wanted,
            home,
            place: None,
        };
        self.answer(vec![letter], Millis(at));
        back.blocking_recv().unwrap()
    }

    fn revokes(&mut self, revocations: Vec<Revocation>) -> Answer {
        self.does(Wanted::Revoke(revocations), 0)
    }
}

#[test]
fn over_the_bound_nothing_of_a_request_is_taken_and_nothing_is_dropped_for_it() {
    let (_folder, path) = place();
    let (mut clerk, revoked, counts) = clerk(&path, 3);
    assert_eq!(clerk.revokes(vec![jti("j-1"), jti("b")]), Ok(Done::Revoked));
    let full = Err(Refused::Full { at_most: 3 });
    assert_eq!(clerk.revokes(vec![jti("c"), jti("d")]), full);
    assert_eq!((revoked.count(Kind::Jti), counts.refused()), (2, 1));
    // Twice the same is one, and what is held already needs no room.
    assert_eq!(
        clerk.revokes(vec![jti("c"), jti("c"), jti("b")]),
        Ok(Done::Revoked)
    );
    assert_eq!(clerk.revokes(vec![jti("j-1")]), Ok(Done::Revoked));
    assert_eq!(clerk.revokes(vec![jti("d")]), full);
    assert_eq!(revoked.token(&presented()), Some(Kind::Jti));
}

#[test]
fn clients_fill_half_of_the_room_and_operators_all_of_it() {
    let (_folder, path) = place();
    let (mut clerk, revoked, _) = clerk(&path, 4);
    let full = Err(Refused::Full { at_most: 2 });
    for (name, expected) in [
        ("a", Ok(Done::Revoked)),
        ("b", Ok(Done::Revoked)),
        ("c", full),
    ] {
        assert_eq!(
            clerk.does(Wanted::RevokeOwn(jti(name)), 0),
            expected,
            "{name}"
        );
    }
    // Once more is no more.
    assert_eq!(
        clerk.does(Wanted::RevokeOwn(jti("a")), 0),
        Ok(Done::Revoked)
    );
    assert_eq!(clerk.revokes(vec![jti("c"), jti("d")]), Ok(Done::Revoked));
    assert_eq!(revoked.count(Kind::Jti), 4);
    assert_eq!(
        clerk.does(Wanted::RevokeOwn(jti("d")), 0),
        Ok(Done::Revoked)
    );
}

/// A token of this client, which ends then.
fn own(client_id: &str, token: u8, until: u64) -> Wanted {
    let whose = Whose::Client(client_id.to_owned());
    let id = Id::opaque_token(&[token]);
    Wanted::RevokeOwn(of_token(id, UnixSeconds(until), whose, NOW))
}

#[test]
fn a_client_that_revokes_without_end_leaves_the_others_their_room() {
    let (folder, path) = place();
    // A sixteenth of the half are two.
    let (mut clerk, revoked, _) = clerk(&path, 64);
    let full = Err(Refused::Full { at_most: 2 });
    let end = NOW.0 + 300;
    assert_eq!(clerk.does(own("one", 1, end), 0), Ok(Done::Revoked));
    // What came to nothing takes no room.
    let away = folder.path().join("away.redb");
    clerk.lose_store();
    std::fs::rename(&path, &away).unwrap();
    std::fs::create_dir(&path).unwrap();
    for place in 0..3 {
        let said = clerk.does(own("one", 2, end), place * 2_000);
        assert!(matches!(said, Err(Refused::Unwritable(_))), "{said:?}");
    }
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&away, &path).unwrap();
    assert_eq!(clerk.does(own("one", 2, end), 10_000), Ok(Done::Revoked));
    assert_eq!(clerk.does(own("one", 3, end), 10_000), full);
    // What is revoked already needs none.
    assert_eq!(clerk.does(own("one", 2, end), 10_000), Ok(Done::Revoked));
    assert_eq!(clerk.does(own("two", 3, end), 10_000), Ok(Done::Revoked));
    assert_eq!(revoked.count(Kind::Token), 3);
    // And it has it back as soon as its tokens have ended.
    clerk.sweep(UnixSeconds(end + 600));
    assert_eq!(clerk.does(own("one", 4, end), 10_000), full);
    clerk.sweep(UnixSeconds(end + 661));
    assert_eq!(clerk.does(own("one", 4, end), 10_000), Ok(Done::Revoked));
}

#[test]
fn clients_leave_operators_a_place_in_the_queue() {
    let (letters, waiting) = sync_channel(REVOCATIONS_QUEUED_MAX);
    let desk = Desk {
        letters: Some(letters),
        counts: Arc::default(),
    };
    let own = || desk.revoke_own(jti("a"));
    let held: Vec<_> = (0..REVOCATIONS_QUEUED_OF_CLIENTS_MAX)
        .map(|_| own().unwrap())
        .collect();
    assert_eq!(own().err(), Some(Refused::Busy));
    assert!(desk.revoke(vec![key("k1")]).is_ok() && desk.list(1).is_ok());
    // Whoever was refused held none.
    drop(waiting.recv().unwrap());
    assert!(own().is_ok());
    assert_eq!(own().err(), Some(Refused::Busy));
    assert_eq!((held.len(), desk.counts().refused()), (512, 2));
}

#[test]
fn a_revocation_leaves_memory_and_store_a_while_after_its_token_has_ended() {
    let (_folder, path) = place();
    let (mut clerk, revoked, _) = clerk(&path, 9);
    let json = format!(r#"{{"jti":"j-1","issuer":"{ISSUER}","expires":{}}}"#, NOW.0);
    clerk.revokes(vec![meant(&json), key("other")]).unwrap();
    // A clock that is put back must not make it good again.
    assert!(!clerk.sweep(UnixSeconds(NOW.0 + 600)));
    assert_eq!(revoked.token(&presented()), Some(Kind::Jti));
    assert!(!clerk.sweep(UnixSeconds(NOW.0 + 601)));
    assert_eq!(revoked.token(&presented()), None);
    drop(clerk);
    let (_clerk, revoked, _) = self::clerk(&path, 9);
    let counts = [Kind::Jti, Kind::IssuerKey].map(|kind| revoked.count(kind));
    assert_eq!(counts, [0, 1]);
}

#[test]
fn while_the_store_is_at_fault_nothing_is_revoked_and_what_was_is_still() {
    let (folder, path) = place();
    let (mut clerk, revoked, counts) = clerk(&path, 9);
    clerk.revokes(vec![jti("j-1")]).unwrap();
    clerk.lose_store();
    let away = folder.path().join("away.redb");
    std::fs::rename(&path, &away).unwrap();
    std::fs::create_dir(&path).unwrap();
    let revoke = |name| Wanted::Revoke(vec![jti(name)]);
    let Err(Refused::Unwritable(fault)) = clerk.does(revoke("j-2"), 0) else {
        panic!("it has no store");
    };
    assert!(!fault.what.is_empty() && !fault.cure.is_empty());
    assert_eq!((revoked.count(Kind::Jti), counts.is_usable()), (1, false));
    assert_eq!(revoked.token(&presented()), Some(Kind::Jti));
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&away, &path).unwrap();
    // It is not tried with every request.
    assert!(clerk.does(revoke("j-2"), 999).is_err());
    assert_eq!(clerk.does(revoke("j-2"), 1_000), Ok(Done::Revoked));
    assert_eq!((revoked.count(Kind::Jti), counts.is_usable()), (2, true));
}

#[test]
fn empty_store_that_was_at_fault_is_usable_again_though_nobody_revokes() {
    let (folder, path) = place();
    let (mut clerk, _, counts) = clerk(&path, 9);
    let away = folder.path().join("away.redb");
    std::fs::rename(&path, &away).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(clerk.revokes(vec![jti("j-1")]).is_err() && !counts.is_usable());
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&away, &path).unwrap();
    clerk.lose_store();
    let list = || Wanted::List { at_most: 1 };
    assert!(clerk.does(list(), 1_000_000).is_ok() && !counts.is_usable());
    clerk.sweep(UnixSeconds(0));
    assert!(counts.is_usable());
    // Of what it was tried by nothing is there.
    drop(clerk);
    let (_, entries) = Store::open(&path).unwrap();
    assert!(entries.is_empty());
}

#[test]
fn store_that_is_made_anew_is_usable_at_once() {
    let (_folder, path) = place();
    let (mut clerk, _, counts) = clerk(&path, 9);
    std::fs::remove_file(&path).unwrap();
    let list = || Wanted::List { at_most: 1 };
    assert!(clerk.does(list(), 0).is_ok() && counts.is_usable());
}

/// A full disk lets it be opened and read: where nobody revokes anything, a sweep finds out.
#[test]
fn store_that_was_at_fault_is_usable_once_something_is_written_and_not_when_it_opens() {
    let (folder, path) = place();
    let (mut clerk, _, counts) = clerk(&path, 9);
    clerk.revokes(vec![jti("j-1")]).unwrap();
    clerk.lose_store();
    let away = folder.path().join("away.redb");
    std::fs::rename(&path, &away).unwrap();
    std::fs::create_dir(&path).unwrap();
    let list = || Wanted::List { at_most: 1 };
    assert!(clerk.does(list(), 0).is_err() && !counts.is_usable());
    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&away, &path).unwrap();
    assert!(clerk.does(list(), 1_000).is_ok() && !counts.is_usable());
    clerk.sweep(UnixSeconds(0));
    assert!(counts.is_usable());
    // What it was tried by is what it was.
    drop(clerk);
    let (_clerk, revoked, _) = self::clerk(&path, 9);
    assert_eq!(revoked.count(Kind::Jti), 1);
}

/// As a cleaner of old files removes it, and as a backup is put back over it.
#[test]
fn store_that_is_removed_or_replaced_is_made_again_of_what_is_in_force() {
    let (folder, path) = place();
    let (mut clerk, revoked, counts) = clerk(&path, 9);
    let backup = folder.path().join("backup.redb");
    let client = meant(r#"{"client":"acme-app","issued_until":5}"#);
    clerk.revokes(vec![jti("j-1"), client]).unwrap();
    std::fs::copy(&path, &backup).unwrap();
    let later = meant(r#"{"client":"acme-app","issued_until":9}"#);
    clerk.revokes(vec![jti("j-2"), later]).unwrap();
    let of_store = |path: &Path| {
        let copy = folder.path().join("copy.redb");
        std::fs::copy(path, &copy).unwrap();
        let (_clerk, revoked, _) = self::clerk(&copy, 9);
        let held = revoked.set.get(Id::client("acme-app")).unwrap();
        (revoked.count(Kind::Jti), held.issued_until.0)
    };
    std::fs::remove_file(&path).unwrap();
    clerk.revokes(vec![jti("j-3")]).unwrap();
    assert_eq!(of_store(&path), (3, 9));
    std::fs::rename(&backup, &path).unwrap();
    // Whoever revokes it once more is told that it is kept.
    let again = Wanted::Revoke(vec![jti("j-1")]);
    assert_eq!(clerk.does(again, 5_000), Ok(Done::Revoked));
    assert_eq!((revoked.count(Kind::Jti), of_store(&path)), (3, (3, 9)));
    assert!(counts.is_usable());
}

#[test]
fn what_is_taken_back_and_revoked_in_one_commit_is_as_the_last_has_it() {
    let (_folder, path) = place();
    let (mut clerk, revoked, _) = clerk(&path, 9);
    let letters = [
        Wanted::Revoke(vec![key("first")]),
        Wanted::TakeBack(vec![key("first")]),
        Wanted::Revoke(vec![key("first"), key("second")]),
        Wanted::TakeBack(vec![key("second")]),
    ];
    let (letters, backs): (Vec<_>, Vec<_>) = letters
        .into_iter()
        .map(|wanted| {
            let (home, back) = oneshot::channel();
            let place = None;
            let letter = Letter {
                wanted,
                home,
                place,
            };
            (letter, back)
        })
        .unzip();
    clerk.answer(letters, Millis(0));
    let answers = backs.into_iter().map(|back| back.blocking_recv().unwrap());
    let expected = [
        Done::Revoked,
        Done::TakenBack(1),
        Done::Revoked,
        Done::TakenBack(1),
    ];
    assert_eq!(answers.map(Result::unwrap).collect::<Vec<_>>(), expected);
    assert!(revoked.issuer_key(ISSUER, "first") && !revoked.issuer_key(ISSUER, "second"));
    drop(clerk);
    let (_clerk, revoked, _) = self::clerk(&path, 9);
    assert!(revoked.issuer_key(ISSUER, "first") && !revoked.issuer_key(ISSUER, "second"));
}
