use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::super::store::Store;
use super::super::{Entry, FOR_EVER, Held, Id, StoreFault};
use super::NOW;
use crate::clock::UnixSeconds;

/// A folder, and the path of a store in it.
pub(in crate::revoked) fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revoked.redb");
    (folder, path)
}

fn entry(number: u32, until: UnixSeconds) -> Entry {
    Entry {
        id: Id::jti("issuer", &number.to_string()),
        held: Held {
            until,
            issued_until: UnixSeconds(u64::from(number)),
            undated_until: UnixSeconds(u64::from(number) + 60),
        },
        at: NOW,
        name: format!("name {number}"),
    }
}

fn fault(path: &std::path::Path) -> StoreFault {
    Store::open(path).map(drop).unwrap_err()
}

#[test]
fn what_is_written_is_there_after_the_next_start_and_for_its_owner_alone() {
    let (_folder, path) = place();
    let (store, entries) = Store::open(&path).unwrap();
    assert_eq!(entries, []);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut written = vec![entry(1, FOR_EVER), entry(2, NOW)];
    store.write(written.clone(), []).unwrap();
    drop(store);
    let (store, mut entries) = Store::open(&path).unwrap();
    entries.sort_by_key(|entry| entry.id);
    written.sort_by_key(|entry| entry.id);
    assert_eq!(entries, written);
    store.write([], [written[0].id]).unwrap();
    assert_eq!(store.read().unwrap(), written[1..]);
}

#[test]
fn those_that_can_be_taken_back_are_listed_up_to_a_bound() {
    let (_folder, path) = place();
    let (store, _) = Store::open(&path).unwrap();
    let named = |id| Entry {
        id,
        ..entry(1, FOR_EVER)
    };
    let client = named(Id::client("a"));
    let key = named(Id::issuer_key("a", "b"));
    store
        .write([entry(1, NOW), client.clone(), key.clone()], [])
        .unwrap();
    assert_eq!(store.list(5).unwrap(), (vec![client.clone(), key], false));
    assert_eq!(store.list(1).unwrap(), (vec![client], true));
}

#[test]
fn two_processes_never_have_one_store() {
    let (_folder, path) = place();
    let first = Store::open(&path).unwrap();
    let taken = fault(&path);
    assert!(taken.what.contains("in use") && !taken.lasts, "{taken:?}");
    drop(first);
    Store::open(&path).unwrap();
}

#[test]
fn a_file_that_is_no_store_is_damaged_and_left_as_it_is() {
    let (_folder, path) = place();
    for octets in [
        b"not a store at all".repeat(999),
        vec![0; 4_096],
        vec![7; 3],
    ] {
        std::fs::write(&path, &octets).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let damaged = fault(&path);
        assert!(
            damaged.what.contains("damaged") && damaged.lasts,
            "{damaged:?}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), octets);
    }
}

/// Wherever an octet has changed, or the end is missing, either nothing is read or all that was
/// written: never something else, and never less.
#[test]
fn a_damaged_store_never_forgets_in_silence() {
    let (_folder, path) = place();
    let (store, _) = Store::open(&path).unwrap();
    let all: Vec<Entry> = (0..50).map(|number| entry(number, FOR_EVER)).collect();
    store.write(all.clone(), []).unwrap();
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let are_all = |entries: Vec<Entry>| {
        entries.len() == all.len() && all.iter().all(|entry| entries.contains(entry))
    };
    let mut found = 0;
    let step = (whole.len() / 400).max(1);
    for at in (0..whole.len()).step_by(step) {
        let mut octets = whole.clone();
        octets[at] ^= 0x10;
        std::fs::write(&path, &octets).unwrap();
        match Store::open(&path) {
            Ok((_, entries)) => assert!(are_all(entries), "octet {at}"),
            Err(_) => found += 1,
        }
    }
    for length in [whole.len() - 1, whole.len() / 2, 4_096, 512] {
        std::fs::write(&path, &whole[..length]).unwrap();
        match Store::open(&path) {
            Ok((_, entries)) => assert!(are_all(entries), "cut to {length}"),
            Err(_) => found += 1,
        }
    }
    assert!(found > 0, "some of it was damaged");
}

#[test]
fn what_stands_in_the_way_of_a_store_is_said_with_its_cure() {
    let (folder, path) = place();
    let nowhere = fault(&folder.path().join("nowhere/revoked.redb"));
    assert!(nowhere.cure.contains("folder") && nowhere.lasts);
    assert!(fault(folder.path()).lasts, "a folder is no store");
    drop(Store::open(&path).unwrap());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let open = fault(&path);
    assert!(open.what.contains("640") && open.cure.contains("chmod 600"));
}

#[test]
fn a_store_gives_back_what_removed_entries_have_left() {
    let (_folder, path) = place();
    let (mut store, _) = Store::open(&path).unwrap();
    let all: Vec<Entry> = (0..60_000).map(|number| entry(number, NOW)).collect();
    store.write(all.clone(), []).unwrap();
    store.compact().unwrap();
    let full = std::fs::metadata(&path).unwrap().len();
    store
        .write([], all.iter().skip(10).map(|entry| entry.id))
        .unwrap();
    store.compact().unwrap();
    let swept = std::fs::metadata(&path).unwrap().len();
    assert!(swept < full / 2, "{full} octets, then {swept}");
    assert_eq!(store.read().unwrap().len(), 10);
}
