use std::collections::BTreeSet;

use memmap2::MmapMut;
use proptest::prelude::*;

use super::*;
use crate::authz::ue::{Kind, member};

fn secret(seed: u8) -> [u8; 32] {
    std::array::from_fn(|place| (place as u8).wrapping_mul(37) ^ seed)
}

fn key() -> SetsKey {
    SetsKey::from_octets(&secret(0)).unwrap()
}

fn name(text: &str) -> SetName {
    SetName::new(text).unwrap()
}

/// The octets of a file with these members.
fn file(members: &[(&str, &str)]) -> Vec<u8> {
    let key = key();
    let entry = |(set, ue): &(&str, &str)| key.entry(&name(set), &member(ue).unwrap()).unwrap();
    let table = (0..40).find_map(|larger| {
        let mut table = Table::with_room_for(members.len() as u64, larger).unwrap();
        let mut entries = members.iter().map(entry);
        entries
            .all(|entry| table.insert(entry) != Inserted::Full)
            .then_some(table)
    });
    let names: BTreeSet<SetName> = members.iter().map(|(set, _)| name(set)).collect();
    let mut octets = Vec::new();
    write(&table.unwrap(), &names, &key, &mut octets).unwrap();
    octets
}

fn open(octets: &[u8]) -> Result<Sets, SetsFault> {
    open_with(octets, key())
}

fn open_with(octets: &[u8], key: SetsKey) -> Result<Sets, SetsFault> {
    let mut memory = MmapMut::map_anon(octets.len()).unwrap();
    memory[..octets.len()].copy_from_slice(octets);
    Sets::open(memory.make_read_only().unwrap(), key)
}

/// As they are read of a file with these members.
pub(in crate::authz) fn sets_of(members: &[(&str, &str)]) -> Sets {
    open(&file(members)).unwrap()
}

const MEMBERS: [(&str, &str); 7] = [
    ("meters", "a@Example.com"),
    ("meters", "msisdn:491512345678"),
    ("cars", "msisdn:491512345679"),
    ("cars", "group:g@example.com"),
    ("cars", "gpsi:something"),
    ("cars", "mac:02-1a-2b-3c-4d-5e"),
    ("cars", "a@example.com"),
];

fn holds_member(sets: &Sets, set: &str, ue: &str) -> bool {
    sets.hold(&name(set), &member(ue).unwrap())
}

#[test]
fn each_member_is_in_its_sets_and_in_no_other() {
    let sets = open(&file(&MEMBERS)).unwrap();
    for (_, ue) in MEMBERS {
        for set in ["meters", "cars", "none"] {
            let is_in = MEMBERS
                .iter()
                .any(|(of, known)| *of == set && known.eq_ignore_ascii_case(ue));
            assert_eq!(holds_member(&sets, set, ue), is_in, "{set} {ue}");
        }
    }
    let names: Vec<&str> = sets.names().iter().map(SetName::as_str).collect();
    assert_eq!((names, sets.entries()), (vec!["cars", "meters"], 7));
    assert!(sets.has(&name("cars")) && !sets.has(&name("car")));
}

/// The name ends where it does: "ab" and "c" are not "a" and "bc".
#[test]
fn one_spelling_of_a_member_is_as_good_as_another_and_another_kind_is_not() {
    let sets = open(&file(&MEMBERS)).unwrap();
    assert!(holds_member(&sets, "meters", "a@EXAMPLE.com"));
    assert!(holds_member(&sets, "meters", "gpsi:extid-a@example.com"));
    assert!(holds_member(&sets, "meters", "gpsi:msisdn-491512345678"));
    assert!(!holds_member(&sets, "meters", "A@example.com"));
    assert!(!holds_member(&sets, "meters", "group:a@example.com"));
    assert!(!holds_member(&sets, "cars", "g@example.com"));
    let address = UeId::read(Kind::Ipv4, "10.0.0.1", None).unwrap();
    assert!(!sets.hold(&name("meters"), &address));
    let entry = |set: &str, ue: &str| key().entry(&name(set), &member(ue).unwrap());
    assert_ne!(entry("ab", "c@d.e"), entry("a", "bc@d.e"));
}

#[test]
fn longest_names_make_an_entry() {
    let set = "s".repeat(SetName::BYTES_MAX);
    let longest = format!("{}@example.com", "a".repeat(EXTERNAL_ID_BYTES_MAX - 12));
    let entry = key().entry(&name(&set), &member(&longest).unwrap());
    assert!(entry.is_some());
    let other = format!("b{}", &longest[1..]);
    assert_ne!(entry, key().entry(&name(&set), &member(&other).unwrap()));
}

#[test]
fn one_list_gives_one_file_and_another_key_another() {
    assert_eq!(file(&MEMBERS), file(&MEMBERS));
    let other = SetsKey::from_octets(&secret(1)).unwrap();
    let ue = member("a@example.com").unwrap();
    assert_ne!(
        other.entry(&name("cars"), &ue),
        key().entry(&name("cars"), &ue)
    );
    assert!(!other.is_same_as(&key()) && key().is_same_as(&key()));
    let said = format!("{:?} {:?}", key(), open(&file(&MEMBERS)).unwrap());
    assert!(
        !said.contains("example") && said.contains("entries: 7"),
        "{said}"
    );
}

#[test]
fn member_that_is_there_twice_is_there_once() {
    let key = key();
    let entry = key.entry(&name("a"), &member("a@b.c").unwrap()).unwrap();
    let mut table = Table::with_room_for(2, 0).unwrap();
    assert_eq!(table.insert(entry), Inserted::New);
    assert_eq!(table.insert(entry), Inserted::Known);
    assert_eq!(table.entries(), 1);
}

#[test]
fn table_that_is_full_says_so() {
    let mut table = Table::with_room_for(1, 0).unwrap();
    let results: Vec<_> = (1..=5u128).map(|entry| table.insert(entry)).collect();
    assert_eq!(results[..4], [Inserted::New; 4]);
    assert_eq!(results[4], Inserted::Full);
    assert!(Table::with_room_for(1, 1).unwrap().bytes() > table.bytes());
}

/// Every table that is built holds all that went into it, at the fill that is built.
#[test]
fn table_as_full_as_they_are_built_holds_every_entry() {
    holds_every_entry_of(3_000);
}

#[test]
fn larger_table_as_full_as_they_are_built_holds_every_entry() {
    holds_every_entry_of(30_000);
}

fn holds_every_entry_of(count: u64) {
    let first = 491_510_000_000;
    let words = |numbers: std::ops::Range<u64>| -> Vec<String> {
        numbers.map(|number| format!("msisdn:{number}")).collect()
    };
    let all = words(first..first + count);
    let members: Vec<_> = all.iter().map(|word| ("meters", word.as_str())).collect();
    let octets = file(&members);
    let fill = members.len() as f64 * ENTRY_BYTES as f64 / octets.len() as f64;
    assert!(fill > 0.88, "{fill}");
    let sets = open(&octets).unwrap();
    assert_eq!((sets.entries(), sets.bytes()), (count, octets.len()));
    assert!(members.iter().all(|(set, ue)| holds_member(&sets, set, ue)));
    let others = words(first + count..first + 2 * count);
    assert!(!others.iter().any(|ue| holds_member(&sets, "meters", ue)));
}

#[test]
fn entry_that_is_in_the_table_is_known_in_whichever_block_it_stands() {
    let key = key();
    let entries = (491_510_000_000_u64..491_510_000_900).map(|number| {
        let word = format!("msisdn:{number}");
        key.entry(&name("meters"), &member(&word).unwrap()).unwrap()
    });
    let mut table = Table::with_room_for(900, 0).unwrap();
    for entry in entries.clone() {
        assert_eq!(table.insert(entry), Inserted::New);
    }
    for entry in entries {
        assert_eq!(table.insert(entry), Inserted::Known);
    }
    assert_eq!(table.entries(), 900);
}

#[test]
fn table_has_nine_of_ten_places_filled_and_a_part_more_each_time() {
    for (entries, larger, blocks) in [
        (0, 0, 1),
        (1, 0, 1),
        (4, 0, 2),
        (3_600, 0, 1_000),
        (3_601, 0, 1_001),
        (3_600, 1, 1_032),
        (3_600, 3, 1_096),
    ] {
        let table = Table::with_room_for(entries, larger).unwrap();
        assert_eq!(
            table.bytes(),
            blocks * BLOCK_BYTES as u64,
            "{entries} {larger}"
        );
        assert_eq!(table.entries(), 0);
    }
}

#[test]
fn file_that_is_not_as_it_was_written_is_refused_with_what_is_wrong() {
    let good = file(&MEMBERS);
    let changed = |at: usize| {
        let mut octets = good.clone();
        octets[at] ^= 1;
        open(&octets).err()
    };
    for at in 0..good.len() {
        assert!(changed(at).is_some(), "octet {at}");
    }
    assert_eq!(changed(0), Some(SetsFault::NoSets));
    assert_eq!(changed(8), Some(SetsFault::Version));
    assert_eq!(changed(16), Some(SetsFault::Key));
    assert_eq!(changed(24), Some(SetsFault::Length));
    assert_eq!(changed(good.len() - 1), Some(SetsFault::Damaged));
    assert_eq!(changed(HEAD_BYTES + 3), Some(SetsFault::Damaged));
    for length in 0..good.len() {
        let cut = open(&good[..length]).err();
        let expected = match length {
            ..HEAD_BYTES => SetsFault::NoSets,
            _ => SetsFault::Length,
        };
        assert_eq!(cut, Some(expected), "{length}");
    }
    let longer = [&good[..], &[0]].concat();
    assert_eq!(open(&longer).err(), Some(SetsFault::Length));
    let other = SetsKey::from_octets(&secret(1)).unwrap();
    assert_eq!(open_with(&good, other).err(), Some(SetsFault::Key));
    for fault in [
        SetsFault::NoSets,
        SetsFault::Version,
        SetsFault::Key,
        SetsFault::Length,
        SetsFault::Damaged,
    ] {
        let (what, cure) = fault.words();
        assert!(
            what.contains(' ') && cure.contains("build it"),
            "{what}: {cure}"
        );
    }
}

/// A tag over it does not make it right.
#[test]
fn names_that_are_none_are_refused_whoever_has_written_them() {
    let good = file(&MEMBERS);
    let retagged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut octets = good.clone();
        change(&mut octets);
        let end = octets.len() - TAG_BYTES;
        let tag = hmac::sign(&key().tag, &octets[..end]);
        octets[end..].copy_from_slice(tag.as_ref());
        open(&octets).err()
    };
    assert_eq!(retagged(&|_| {}), None);
    let names = HEAD_BYTES;
    for (at, octet) in [
        (names, 200),      // a length beyond the room
        (names, 0),        // no name
        (names + 1, b'/'), // no letter of a name
        (names + 1, b'z'), // not in order
        (names + 1, 0xff), // not UTF-8
        (names + 60, 1),   // something in the zeros
        (60, 1),           // in those of the header
        (12, 200),         // more names than their room, and less than blocks
    ] {
        assert!(
            retagged(&|octets| octets[at] = octet).is_some(),
            "{at} {octet}"
        );
    }
    // Without blocks there is no place that an entry could have.
    let none = |octets: &mut Vec<u8>| {
        octets[24..32].fill(0);
        octets.truncate(HEAD_BYTES + 64 + TAG_BYTES);
    };
    assert_eq!(retagged(&none), Some(SetsFault::Damaged));
    let huge = |octets: &mut Vec<u8>| octets[24..32].fill(0xff);
    assert_eq!(retagged(&huge), Some(SetsFault::Length));
}

#[test]
fn file_is_known_by_its_ends_while_its_copy_is_in_use() {
    let octets = file(&MEMBERS);
    let sets = open(&octets).unwrap();
    let (head, tag) = (&octets[..HEAD_BYTES], &octets[octets.len() - TAG_BYTES..]);
    let bytes = octets.len() as u64;
    assert!(sets.are_of(head, tag, bytes, &key()));
    assert!(!sets.are_of(head, tag, bytes + 1, &key()));
    assert!(!sets.are_of(head, &[0; TAG_BYTES], bytes, &key()));
    let other = file(&MEMBERS[1..]);
    assert!(!sets.are_of(&other[..HEAD_BYTES], tag, bytes, &key()));
    let other = SetsKey::from_octets(&secret(1)).unwrap();
    assert!(!sets.are_of(head, tag, bytes, &other));
}

#[test]
fn secret_that_is_none_is_no_key() {
    assert!(SetsKey::from_octets(&[0; 32]).is_err());
    assert!(SetsKey::from_octets(&secret(0)[..31]).is_err());
}

proptest! {
    #[test]
    fn no_octets_make_a_reader_panic(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(open(&octets).is_err());
        let mut with_magic = octets;
        let count = with_magic.len().min(8);
        with_magic[..count].copy_from_slice(&MAGIC[..count]);
        prop_assert!(open(&with_magic).is_err());
    }

    /// Also where everything but the layout is right.
    #[test]
    fn no_layout_makes_a_reader_panic(
        head in any::<[u8; HEAD_BYTES]>(),
        rest in proptest::collection::vec(any::<u8>(), 0..400),
        blocks in 0u64..8,
        names_bytes in 0u32..200,
    ) {
        let key = key();
        let layout = Layout { names_bytes, key: key.name, blocks, entries: 1 };
        for head in [layout.written(), head] {
            let said = [&head[..], &rest].concat();
            let tag = hmac::sign(&key.tag, &said);
            if let Ok(sets) = open(&[&said, tag.as_ref()].concat()) {
                prop_assert!(!holds_member(&sets, "meters", "a@example.com"));
            }
        }
    }

    #[test]
    fn layout_is_read_as_it_was_written(
        names_bytes in any::<u32>(),
        key in any::<[u8; 8]>(),
        blocks in 1u64..,
        entries in any::<u64>(),
    ) {
        let layout = Layout { names_bytes, key, blocks, entries };
        prop_assert_eq!(Layout::read(&layout.written()), Ok(layout));
    }

    /// Both of an entry's blocks are of the table.
    #[test]
    fn places_are_in_the_table(entry in any::<u128>(), blocks in 1u64..) {
        prop_assert!(places(entry, blocks).iter().all(|place| *place < blocks));
    }
}
