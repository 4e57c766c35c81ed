//! Revoked serial numbers, a million and more, exact and in few octets each.
//!
//! A serial number is an INTEGER of up to 20 octets, but most CAs give all theirs one length. So
//! each is kept in the narrowest of four widths that holds it, as a two's complement of that
//! width, which is exact: no hash, no collision. Each width is one sorted array without pointers;
//! a lookup is a binary search, some twenty comparisons in a million.

use std::io;

use memmap2::MmapMut;

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
    of_8: Records<8, 13>,
    of_16: Records<16, 21>,
    of_21: Records<FULL, 26>,
    of_32: Records<SERIAL_BYTES_MAX, 37>,
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
    /// # Errors
    /// The kernel's, where the memory is not to be had.
    pub(super) fn with_room_for(counts: Counts) -> io::Result<Self> {
        Ok(Self {
            of_8: Records::with_room_for(counts.of_8)?,
            of_16: Records::with_room_for(counts.of_16)?,
            of_21: Records::with_room_for(counts.of_21)?,
            of_32: Records::with_room_for(counts.of_32)?,
        })
    }

    /// Enters the content octets of an INTEGER; false where they are none or too many, or more
    /// than there is room for.
    pub(super) fn add(&mut self, serial: &[u8], fate: Fate) -> bool {
        let serial = shortest(serial).unwrap_or_default();
        match serial.len() {
            1..=8 => self.of_8.add(serial, fate),
            9..=16 => self.of_16.add(serial, fate),
            17..=FULL => self.of_21.add(serial, fate),
            22..=SERIAL_BYTES_MAX => self.of_32.add(serial, fate),
            _ => false,
        }
    }

    /// Puts all in order, to be looked up from now on.
    pub(super) fn settle(&mut self) {
        self.of_8.settle();
        self.of_16.settle();
        self.of_21.settle();
        self.of_32.settle();
    }

    pub(super) fn len(&self) -> usize {
        self.of_8.len + self.of_16.len + self.of_21.len + self.of_32.len
    }

    /// What became of a serial number, if it is here.
    pub(super) fn find(&self, serial: &[u8]) -> Option<Fate> {
        let serial = shortest(serial)?;
        match serial.len() {
            0..=8 => self.of_8.find(serial),
            9..=16 => self.of_16.find(serial),
            17..=FULL => self.of_21.find(serial),
            22..=SERIAL_BYTES_MAX => self.of_32.find(serial),
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

/// Records of `RECORD` octets: a serial number of `WIDTH`, four with the seconds since 1970
/// (big-endian; what is later than 2106 is kept as that), one with the reason.
///
/// They lie in a mapping of their own: when a newer list takes the place of this one, the memory
/// goes back at once, which an allocator of small things does when it sees fit.
#[derive(Default)]
struct Records<const WIDTH: usize, const RECORD: usize> {
    octets: Option<MmapMut>,
    /// len * RECORD <= octets.len()
    len: usize,
}

impl<const WIDTH: usize, const RECORD: usize> Records<WIDTH, RECORD> {
    const LAID_OUT: () = assert!(RECORD == WIDTH + 5);

    fn with_room_for(count: usize) -> io::Result<Self> {
        let () = Self::LAID_OUT;
        let octets = match count {
            0 => None,
            _ => Some(MmapMut::map_anon(count * RECORD)?),
        };
        Ok(Self { octets, len: 0 })
    }

    fn add(&mut self, serial: &[u8], fate: Fate) -> bool {
        let octets = self.octets.as_deref_mut().unwrap_or_default();
        let Some(record) = octets.as_chunks_mut::<RECORD>().0.get_mut(self.len) else {
            return false;
        };
        let since = u32::try_from(fate.since.0).unwrap_or(u32::MAX);
        let facts = since.to_be_bytes().into_iter().chain([fate.reason.0]);
        let fields = widened::<WIDTH>(serial).into_iter().chain(facts);
        for (to, from) in record.iter_mut().zip(fields) {
            *to = from;
        }
        self.len += 1;
        true
    }

    /// Of two entries for one serial the one stays that revokes.
    fn settle(&mut self) {
        let octets = self.octets.as_deref_mut().unwrap_or_default();
        let records = octets.as_chunks_mut::<RECORD>().0;
        let records = records.get_mut(..self.len).unwrap_or_default();
        let removes = |record: &[u8; RECORD]| record.last() == Some(&Reason::REMOVE_FROM_CRL.0);
        records.sort_unstable_by(|one, other| {
            let by_serial = one[..WIDTH].cmp(&other[..WIDTH]);
            by_serial.then_with(|| removes(one).cmp(&removes(other)))
        });
        let mut kept = 0;
        for at in 0..records.len() {
            if kept == 0 || records[kept - 1][..WIDTH] != records[at][..WIDTH] {
                records[kept] = records[at];
                kept += 1;
            }
        }
        self.len = kept;
    }

    fn find(&self, serial: &[u8]) -> Option<Fate> {
        let octets = self.octets.as_deref().unwrap_or_default();
        let records = octets.as_chunks::<RECORD>().0.get(..self.len)?;
        let wanted = widened::<WIDTH>(serial);
        let place = records.binary_search_by(|record| record[..WIDTH].cmp(&wanted[..]));
        let (_, facts) = records.get(place.ok()?)?.split_at_checked(WIDTH)?;
        let (since, reason) = facts.split_first_chunk::<4>()?;
        Some(Fate {
            since: UnixSeconds(u64::from(u32::from_be_bytes(*since))),
            reason: Reason(*reason.first()?),
        })
    }
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

    fn room_for(serials: &[&[u8]]) -> Serials {
        let mut counts = Counts::default();
        assert!(serials.iter().all(|serial| counts.add(serial)));
        Serials::with_room_for(counts).unwrap()
    }

    fn set_of(serials: &[&[u8]]) -> Serials {
        let mut set = room_for(serials);
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
        // More octets than are kept for so small a number.
        assert_eq!(set.find(&[&[0; 24][..], &[5]].concat()), Some(FATE));
        let negative = set_of(&[&[&[0xff; 24][..], &[0x80]].concat()]);
        assert_eq!(negative.find(&[0x80]), Some(FATE));
        assert_eq!(negative.find(&[&[0xff; 24][..], &[5]].concat()), None);
        assert_eq!(negative.find(&[&[0; 24][..], &[0x80]].concat()), None);
        // One octet short of the width it is kept in, beside a negative one of the whole width.
        let (short, whole) = ([5, 1, 1, 1, 1, 1, 1], [0xff, 5, 1, 1, 1, 1, 1, 1]);
        assert_eq!(set_of(&[&short]).find(&whole), None);
        assert_eq!(set_of(&[&whole]).find(&short), None);
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
    fn reasons_have_the_words_of_rfc_5280() {
        let words: Vec<&str> = (0..12).map(|code| Reason(code).word()).collect();
        let expected = [
            "unspecified",
            "keyCompromise",
            "cACompromise",
            "affiliationChanged",
            "superseded",
            "cessationOfOperation",
            "certificateHold",
            "unspecified",
            "removeFromCRL",
            "privilegeWithdrawn",
            "aACompromise",
            "unspecified",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn entry_that_revokes_outdoes_one_that_removes() {
        let removal = Fate {
            reason: Reason::REMOVE_FROM_CRL,
            ..FATE
        };
        for order in [[removal, FATE], [FATE, removal]] {
            let mut set = room_for(&[&[7], &[7]]);
            assert!(order.iter().all(|fate| set.add(&[7], *fate)));
            set.settle();
            assert_eq!((set.len(), set.find(&[7])), (1, Some(FATE)));
        }
    }

    proptest! {
        #[test]
        fn set_finds_what_was_entered_and_nothing_else(
            entered in proptest::collection::hash_map(any::<i64>(), 0_u32.., 0..200),
            asked in proptest::collection::vec(any::<i64>(), 50),
        ) {
            let octets: Vec<_> = entered.keys().map(|serial| serial.to_be_bytes()).collect();
            let mut set = room_for(&octets.iter().map(|o| o.as_slice()).collect::<Vec<_>>());
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
