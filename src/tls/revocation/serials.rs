//! Revoked serial numbers, a million and more, exact and in few octets each.
//!
//! A serial number is an INTEGER of up to 20 octets, but most CAs give all theirs one length. So
//! each is kept in the narrowest of four widths that holds it, as a two's complement of that
//! width, which is exact: no hash, no collision. Each width is one sorted array without pointers;
//! a lookup is a binary search, some twenty comparisons in a million.

use crate::clock::UnixSeconds;

/// 20 octets, and one more in front of those whose first bit is set.
const FULL: usize = 21;
/// Content octets of the longest serial number that is taken; RFC 5280 section 4.1.2.2 has CAs
/// stay below 20, and readers be gentle with those that do not.
const SERIAL_BYTES_MAX: usize = 32;

/// Why a certificate was revoked: a `CRLReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason(pub(super) u8);

impl Reason {
    pub(super) const UNSPECIFIED: Self = Self(0);
    pub(super) const REMOVE_FROM_CRL: Self = Self(8);

    /// The name in RFC 5280 section 5.3.1.
    pub fn word(self) -> &'static str {
        match self.0 {
            1 => "keyCompromise",
            2 => "cACompromise",
            3 => "affiliationChanged",
            4 => "superseded",
            5 => "cessationOfOperation",
            6 => "certificateHold",
            8 => "removeFromCRL",
            9 => "privilegeWithdrawn",
            10 => "aACompromise",
            _ => "unspecified",
        }
    }
}

/// What a CRL says of one serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) since: UnixSeconds,
    pub(super) reason: Reason,
}

/// Octets alone, so that no padding stands between records.
#[derive(Clone, Copy)]
struct Record<const WIDTH: usize> {
    serial: [u8; WIDTH],
    /// Seconds since 1970, big-endian; what is later than 2106 is kept as that.
    since: [u8; 4],
    reason: u8,
}

/// How many serials of each width there are, to make room for exactly those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    of_8: usize,
    of_16: usize,
    of_21: usize,
    of_32: usize,
}

/// A set of serial numbers and what became of them.
#[derive(Default)]
pub(super) struct Serials {
    of_8: Vec<Record<8>>,
    of_16: Vec<Record<16>>,
    of_21: Vec<Record<FULL>>,
    of_32: Vec<Record<SERIAL_BYTES_MAX>>,
}

impl Counts {
    /// False where the serial is none or too long.
    pub(super) fn add(&mut self, serial: &[u8]) -> bool {
        let count = match shortest(serial).map(<[u8]>::len) {
            Some(1..=8) => &mut self.of_8,
            Some(9..=16) => &mut self.of_16,
            Some(17..=FULL) => &mut self.of_21,
            Some(22..=SERIAL_BYTES_MAX) => &mut self.of_32,
            _ => return false,
        };
        *count += 1;
        true
    }
}

impl Serials {
    pub(super) fn with_room_for(counts: Counts) -> Self {
        Self {
            of_8: Vec::with_capacity(counts.of_8),
            of_16: Vec::with_capacity(counts.of_16),
            of_21: Vec::with_capacity(counts.of_21),
            of_32: Vec::with_capacity(counts.of_32),
        }
    }

    /// Enters the content octets of an INTEGER; false where they are none or too many.
    pub(super) fn add(&mut self, serial: &[u8], fate: Fate) -> bool {
        match shortest(serial) {
            Some(serial @ [_, ..]) if serial.len() <= 8 => push(&mut self.of_8, serial, fate),
            Some(serial) if serial.len() <= 16 => push(&mut self.of_16, serial, fate),
            Some(serial) if serial.len() <= FULL => push(&mut self.of_21, serial, fate),
            Some(serial) if serial.len() <= SERIAL_BYTES_MAX => {
                push(&mut self.of_32, serial, fate);
            }
            _ => return false,
        }
        true
    }

    /// Puts all in order, to be looked up from now on.
    pub(super) fn settle(&mut self) {
        settle(&mut self.of_8);
        settle(&mut self.of_16);
        settle(&mut self.of_21);
        settle(&mut self.of_32);
    }

    pub(super) fn len(&self) -> usize {
        self.of_8.len() + self.of_16.len() + self.of_21.len() + self.of_32.len()
    }

    /// What became of a serial number, if it is here.
    pub(super) fn find(&self, serial: &[u8]) -> Option<Fate> {
        let serial = shortest(serial)?;
        match serial.len() {
            0..=8 => find(&self.of_8, serial),
            9..=16 => find(&self.of_16, serial),
            17..=FULL => find(&self.of_21, serial),
            22..=SERIAL_BYTES_MAX => find(&self.of_32, serial),
            _ => None,
        }
    }
}

/// The same number in as few octets as DER would use.
fn shortest(mut serial: &[u8]) -> Option<&[u8]> {
    while let [first, second, ..] = serial {
        let filler = (*first == 0 && *second < 0x80) || (*first == 0xff && *second >= 0x80);
        if !filler {
            break;
        }
        serial = serial.get(1..)?;
    }
    (!serial.is_empty()).then_some(serial)
}

/// The same number in `WIDTH` octets, at least as many as it has.
fn widened<const WIDTH: usize>(serial: &[u8]) -> [u8; WIDTH] {
    let negative = serial.first().is_some_and(|first| *first >= 0x80);
    let mut wide = [if negative { 0xff } else { 0 }; WIDTH];
    let start = WIDTH.saturating_sub(serial.len());
    for (to, from) in wide.iter_mut().skip(start).zip(serial) {
        *to = *from;
    }
    wide
}

fn push<const WIDTH: usize>(records: &mut Vec<Record<WIDTH>>, serial: &[u8], fate: Fate) {
    records.push(Record {
        serial: widened(serial),
        since: u32::try_from(fate.since.0)
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
        reason: fate.reason.0,
    });
}

/// Of two entries for one serial the one stays that revokes.
fn settle<const WIDTH: usize>(records: &mut Vec<Record<WIDTH>>) {
    let removes = |record: &Record<WIDTH>| record.reason == Reason::REMOVE_FROM_CRL.0;
    records.sort_unstable_by(|one, other| {
        let by_serial = one.serial.cmp(&other.serial);
        by_serial.then_with(|| removes(one).cmp(&removes(other)))
    });
    records.dedup_by(|later, earlier| later.serial == earlier.serial);
}

fn find<const WIDTH: usize>(records: &[Record<WIDTH>], serial: &[u8]) -> Option<Fate> {
    let wanted = widened::<WIDTH>(serial);
    let place = records.binary_search_by(|record| record.serial.cmp(&wanted));
    let record = records.get(place.ok()?)?;
    Some(Fate {
        since: UnixSeconds(u64::from(u32::from_be_bytes(record.since))),
        reason: Reason(record.reason),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const FATE: Fate = Fate {
        since: UnixSeconds(1_700_000_000),
        reason: Reason(1),
    };

    fn set_of(serials: &[&[u8]]) -> Serials {
        let mut counts = Counts::default();
        assert!(serials.iter().all(|serial| counts.add(serial)));
        let mut set = Serials::with_room_for(counts);
        assert!(serials.iter().all(|serial| set.add(serial, FATE)));
        set.settle();
        set
    }

    #[test]
    fn serial_is_found_however_many_octets_spell_it() {
        let set = set_of(&[&[0, 0x80], &[5]]);
        assert_eq!(set.find(&[0, 0, 0x80]), Some(FATE));
        assert_eq!(set.find(&[0, 5]), Some(FATE));
        // That is -128.
        assert_eq!(set.find(&[0x80]), None);
        assert_eq!(set.find(&[0xff, 0x7f]), None);
        assert_eq!(set.find(&[]), None);
    }

    #[test]
    fn serials_of_every_length_are_kept_apart() {
        let all: Vec<Vec<u8>> = (1..=SERIAL_BYTES_MAX)
            .map(|length| vec![0x11; length])
            .collect();
        let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        for absent in &all {
            let others: Vec<&[u8]> = all.iter().filter(|one| one != &absent).copied().collect();
            let set = set_of(&others);
            assert_eq!(set.len(), others.len());
            assert_eq!(set.find(absent), None);
            assert!(others.iter().all(|one| set.find(one) == Some(FATE)));
        }
        let too_long = [0x11; SERIAL_BYTES_MAX + 1];
        assert!(!Counts::default().add(&too_long));
        assert!(!Serials::default().add(&too_long, FATE));
        assert!(!Serials::default().add(&[], FATE));
    }

    #[test]
    fn entry_that_revokes_outdoes_one_that_removes() {
        let removal = Fate {
            reason: Reason::REMOVE_FROM_CRL,
            ..FATE
        };
        for order in [[removal, FATE], [FATE, removal]] {
            let mut set = Serials::default();
            assert!(order.iter().all(|fate| set.add(&[7], *fate)));
            set.settle();
            assert_eq!((set.len(), set.find(&[7])), (1, Some(FATE)));
        }
    }

    #[test]
    fn records_have_no_padding() {
        assert_eq!(size_of::<Record<8>>(), 13);
        assert_eq!(size_of::<Record<16>>(), 21);
        assert_eq!(size_of::<Record<FULL>>(), 26);
    }

    proptest! {
        #[test]
        fn set_finds_what_was_entered_and_nothing_else(
            entered in proptest::collection::hash_map(any::<i64>(), 0_u32.., 0..200),
            asked in proptest::collection::vec(any::<i64>(), 50),
        ) {
            let mut set = Serials::default();
            let fates: HashMap<i64, Fate> = entered
                .iter()
                .map(|(serial, since)| {
                    let since = UnixSeconds(u64::from(*since));
                    (*serial, Fate { since, reason: Reason(4) })
                })
                .collect();
            for (serial, fate) in &fates {
                prop_assert!(set.add(&serial.to_be_bytes(), *fate));
            }
            set.settle();
            for serial in fates.keys().chain(&asked) {
                let found = set.find(&serial.to_be_bytes());
                prop_assert_eq!(found, fates.get(serial).copied());
            }
        }
    }
}
