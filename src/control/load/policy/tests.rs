use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::authz::ue::sets::{Inserted, Table, write};
use crate::authz::ue::{SetName, member};
use crate::config::Located;

/// Later than any file changes here.
const LATER: UnixSeconds = UnixSeconds(u64::MAX);

/// A file of one set of so many UEs, longer than what is compared at a time.
struct Desk {
    folder: TempDir,
    written: UeSets,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| Located {
            value: folder.path().join(name),
            line: 7,
        };
        let written = UeSets {
            file: at("ues.sets"),
            key_file: at("ues.secret"),
        };
        let secret: [u8; 32] = std::array::from_fn(|place| (place as u8).wrapping_mul(37));
        fs::write(&written.key_file.value, secret).unwrap();
        let key = SetsKey::from_octets(&secret).unwrap();
        let set = SetName::new("meters").unwrap();
        let mut table = Table::with_room_for(20_000, 1).unwrap();
        for number in 491_510_000_000_u64..491_510_020_000 {
            let word = format!("msisdn:{number}");
            let entry = key.entry(&set, &member(&word).unwrap()).unwrap();
            assert_eq!(table.insert(entry), Inserted::New);
        }
        let mut octets = Vec::new();
        write(&table, &BTreeSet::from([set]), &key, &mut octets).unwrap();
        assert!(octets.len() > COMPARED_BYTES);
        fs::write(&written.file.value, octets).unwrap();
        Self { folder, written }
    }

    fn file(&self) -> &Path {
        &self.written.file.value
    }

    fn other(&self) -> PathBuf {
        self.folder.path().join("other")
    }

    /// The same with one bit of another value there.
    fn damaged(&self, at: usize) -> Vec<u8> {
        let mut octets = fs::read(self.file()).unwrap();
        octets[at] ^= 1;
        octets
    }

    fn read(&self, before: Option<(&Arc<Sets>, Option<Stamp>)>) -> Result<Arc<Sets>, Fault> {
        read(&self.written, before, LATER).map(|(sets, _)| sets)
    }
}

/// Its head and its tag are what they were.
#[test]
fn file_damaged_between_its_ends_is_a_fault_while_its_copy_is_in_use() {
    let desk = Desk::new();
    let (sets, from) = read(&desk.written, None, LATER).unwrap();
    assert_eq!(from, Stamp::of(desk.file()));
    let before = Some((&sets, from));
    let good = fs::read(desk.file()).unwrap();
    let is_in_use = |read: Result<Arc<Sets>, Fault>| Arc::ptr_eq(&read.unwrap(), &sets);
    for at in [HEAD_BYTES, good.len() / 2, good.len() - TAG_BYTES - 1] {
        let damaged = desk.damaged(at);
        // Written into the file, and put in its place.
        fs::write(desk.file(), &damaged).unwrap();
        let in_place = desk.read(before).unwrap_err();
        fs::write(desk.other(), &damaged).unwrap();
        fs::rename(desk.other(), desk.file()).unwrap();
        assert_eq!(desk.read(before).unwrap_err(), in_place, "octet {at}");
        let said = (in_place.line, in_place.key.as_str());
        assert_eq!(said, (7, "policy.file"));
        let file = desk.file().display().to_string();
        assert!(in_place.what.starts_with(&file), "{}", in_place.what);
        assert!(in_place.what.contains("is damaged"), "{}", in_place.what);
        assert!(in_place.cure.contains("build it anew"), "{}", in_place.cure);
        // As it was, it is what is in use, and is kept there.
        fs::write(desk.file(), &good).unwrap();
        assert!(is_in_use(desk.read(before)), "octet {at}");
    }
}

/// Of a file of hundreds of megabytes, its two ends.
#[test]
fn file_that_has_not_changed_is_not_read_through() {
    let desk = Desk::new();
    let (sets, _) = read(&desk.written, None, LATER).unwrap();
    fs::write(desk.file(), desk.damaged(HEAD_BYTES + 100)).unwrap();
    // As if it had been so when it was read: nothing else could find that out.
    let now = Stamp::of(desk.file());
    let read = desk.read(Some((&sets, now)));
    assert!(Arc::ptr_eq(&read.unwrap(), &sets));
    assert!(desk.read(Some((&sets, None))).is_err());
}

/// What is written into it in the same moment may leave it with the same stamp.
#[test]
fn file_that_has_just_changed_is_read_through_the_next_time() {
    let desk = Desk::new();
    let (_, from) = read(&desk.written, None, UnixSeconds(0)).unwrap();
    assert_eq!(from, None);
}
