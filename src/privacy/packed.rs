//! Identities that are packed into other octets: base64 and hexadecimal of text or of half-octets,
//! as the network's own protocols write an IMSI (TBCD).

use super::imsi::{Digits, Form, Found, IMSI_DIGITS, Identity, Tier};
use super::plmn::{Plmn, Plmns};

/// Characters of base64 that an identity takes at least: seven octets, and a length.
pub(super) const CHARACTERS_MIN: usize = 10;
/// Octets that hold an IMSI and nothing else: seven or eight, or nine with a length before them.
const ALONE: std::ops::RangeInclusive<usize> = 7..=9;
/// In more octets than that half-octets count only where their length stands before them: random
/// payload has 15 digits of a given network behind each other, and the filler, once in 2 * 10^9
/// octets.
const UNMARKED_BYTES_MAX: usize = 256;
const FILLER: u8 = 0xf;

const NONE: u8 = 0xff;
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Both alphabets of base64 in one.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut at = 0;
    while at < LETTERS.len() {
        values[LETTERS[at] as usize] = at as u8;
        at += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};

/// Decodes what is base64 or base64url from its first octet to its last, filled up or not; line
/// ends do not count. `false` for what is none, or too short to matter.
//= RFC 4648 section 5
//# Two letters differ between base64 and base64url; both are taken, mixed as they come.
pub(super) fn base64(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    decode(text, |octet| out.push(octet))
}

/// The same, an octet at a time.
fn decode(text: &[u8], mut give: impl FnMut(u8)) -> bool {
    let filled = text
        .iter()
        .rev()
        .take_while(|octet| **octet == b'=')
        .count();
    let text = text.get(..text.len() - filled).unwrap_or_default();
    if text.len() < CHARACTERS_MIN {
        return false;
    }
    let (mut bits, mut count) = (0_u32, 0);
    for octet in text {
        let value = VALUES[usize::from(*octet)];
        if value == NONE {
            if matches!(octet, b'\r' | b'\n') {
                continue;
            }
            return false;
        }
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            give((bits >> count) as u8);
        }
    }
    true
}

/// Whether a value of letters of base64, in which a trigram is, has to be searched: a second look
/// at few octets, in place.
pub(super) fn is_suspect(text: &[u8], words: &[&[u8]], plmns: &Plmns) -> bool {
    const SHORT: usize = 96;
    if text.len() > SHORT {
        return true;
    }
    let (mut octets, mut length) = ([0_u8; SHORT], 0);
    decode(text, |octet| {
        if let Some(place) = octets.get_mut(length) {
            *place = octet;
            length += 1;
        }
    });
    let octets = octets.get(..length).unwrap_or_default();
    let holds = |word: &[u8]| {
        octets
            .windows(word.len())
            .any(|part| part.eq_ignore_ascii_case(word))
    };
    tbcd(octets, plmns).is_some()
        || octets.windows(5).any(|five| five.iter().all(u8::is_ascii_digit))
        || words.iter().any(|word| holds(word))
        || plmns.iter().any(|network| holds(&group_mark(network)))
        // Base64 once more, or escapes.
        || octets.iter().all(u8::is_ascii_graphic)
}

/// What an identifier of a group of this network's has in its middle.
fn group_mark(network: Plmn) -> [u8; 5] {
    let (digits, _) = network.prefix();
    [b'-', digits[0], digits[1], digits[2], b'-']
}

/// The same of hexadecimal digits.
pub(super) fn hex(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    if text.len() < 2 * ALONE.start()
        || text.len() % 2 == 1
        || !text.iter().all(u8::is_ascii_hexdigit)
    {
        return false;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
    let pairs = text.as_chunks::<2>().0.iter();
    out.extend(pairs.map(|[high, low]| value(*high) << 4 | value(*low)));
    true
}

/// An IMSI in half-octets, the lower of each octet first.
//= TS 29.002 clause 17.7.8
//# TBCD: two digits in an octet, the first in bits 4 to 1; 1111 is the filler.
pub(super) fn tbcd(octets: &[u8], plmns: &Plmns) -> Option<Found> {
    if ALONE.contains(&octets.len()) {
        // A length may stand before it, and the digits of a mobile identity begin a half later.
        let counted = octets.first().map(|octet| usize::from(*octet)) == Some(octets.len() - 1);
        return [0, usize::from(counted)].into_iter().find_map(|before| {
            let identity = octets.get(before..)?;
            let kind = identity.first()? & 0xf;
            let shifted = || matches!(kind, 1 | 9).then(|| alone(identity, 1, plmns))?;
            alone(identity, 0, plmns).or_else(shifted)
        });
    }
    (0..octets.len()).find_map(|at| among(octets, at, plmns))
}

/// The half-octets from one on.
fn halves(octets: &[u8], start: usize) -> impl Iterator<Item = u8> {
    let halves = octets.iter().flat_map(|octet| [octet & 0xf, octet >> 4]);
    halves.skip(start)
}

/// Digits, from a half-octet to the first that is none, and that one.
fn read(octets: &[u8], start: usize) -> (Digits, Option<u8>) {
    let mut digits = Digits::new();
    for half in halves(octets, start) {
        if half > 9 || !digits.push(b'0' + half) {
            return (digits, Some(half));
        }
    }
    (digits, None)
}

fn found(digits: Digits, plmns: &Plmns) -> Option<Found> {
    let is_ours = IMSI_DIGITS.contains(&digits.as_bytes().len()) && plmns.begin(digits.as_bytes());
    is_ours.then_some(Found {
        form: Form::Tbcd,
        tier: Tier::Digits,
        identity: Identity::Digits(digits),
    })
}

/// Nothing but an IMSI, and what may stand before it: its length, or its kind.
fn alone(octets: &[u8], start: usize, plmns: &Plmns) -> Option<Found> {
    let (digits, _) = read(octets, start);
    let mut rest = halves(octets, start + digits.as_bytes().len());
    rest.all(|half| half == FILLER).then_some(())?;
    found(digits, plmns)
}

/// An IMSI among other octets.
fn among(octets: &[u8], at: usize, plmns: &Plmns) -> Option<Found> {
    let rest = &octets[at..];
    let first = *rest.first()?;
    let length = at.checked_sub(1).and_then(|before| octets.get(before));
    //= TS 24.008 clause 10.5.1.4
    //# A mobile identity has the first digit in bits 8 to 5 of an octet whose others say 001, IMSI,
    //# and whether the digits are odd in number.
    if length == Some(&8) && matches!(first & 0xf, 1 | 9) {
        let identity = rest.get(..8).map(|identity| read(identity, 1).0);
        let found = identity.and_then(|digits| found(digits, plmns));
        if found.is_some() {
            return found;
        }
    }
    if first & 0xf > 9 || first >> 4 > 9 {
        return None;
    }
    // So many octets and no more: what stands behind them may look as digits do.
    if length == Some(&7)
        && let Some(found) = rest
            .get(..7)
            .and_then(|seven| found(read(seven, 0).0, plmns))
    {
        return Some(found);
    }
    let (digits, end) = read(rest, 0);
    let marked = at == 0 || octets.len() <= UNMARKED_BYTES_MAX;
    let ends = end == Some(FILLER) && (marked || length == Some(&8));
    ends.then(|| found(digits, plmns))?
}

/// Which three letters of base64 behind each other an identity has somewhere: most values have
/// none, and are not decoded.
pub(super) struct Trigrams {
    /// One bit for each of 2^18.
    threes: Box<[u64; 1 << 12]>,
    /// The first two of each, and its last two: one bit for each two octets of ASCII, by
    /// [`place_of`]. Of the two one begins at an even place, so that half the places have to be
    /// looked at.
    twos: Box<[u64; 1 << 9]>,
}

impl Trigrams {
    pub(super) fn new(plmns: &Plmns, words: &[&[u8]]) -> Self {
        let mut trigrams = Self {
            threes: Box::new([0; 1 << 12]),
            twos: Box::new([0; 1 << 9]),
        };
        for word in words {
            trigrams.add(&Bits::of(word));
            trigrams.add(&Bits::of(&word.to_ascii_uppercase()));
        }
        for network in plmns.iter() {
            trigrams.add(&Bits::of(&group_mark(network)));
            let (digits, length) = network.prefix();
            trigrams.add(&Bits::of(&digits[..length]));
            // From its first half-octet, and with the first in the place of the second: five
            // digits, so that the second octet is whole either way.
            let value = |place: usize| digits[place] - b'0';
            let mut swapped = Bits::default();
            swapped.push(value(1) << 4 | value(0), 0xff);
            swapped.push(value(3) << 4 | value(2), 0xff);
            swapped.push(value(4), 0x0f);
            trigrams.add(&swapped);
            let mut shifted = Bits::default();
            shifted.push(value(0) << 4, 0xf0);
            shifted.push(value(2) << 4 | value(1), 0xff);
            shifted.push(value(4) << 4 | value(3), 0xff);
            trigrams.add(&shifted);
        }
        trigrams
    }

    /// Adds those that octets have at each of the three places they may begin in base64: of three
    /// letters that they reach, with every value of the bits that are others'.
    fn add(&mut self, octets: &Bits) {
        self.add_once(octets);
        // Base64 of base64: the letters that are known, as octets.
        for phase in 0..3 {
            let letters = (0..=octets.length() * 8 / 6).map(|letter| octets.letter(letter, phase));
            let known = letters
                .skip_while(Option::is_none)
                .map_while(|letter| letter);
            let known: Vec<u8> = known.collect();
            // Fewer, as half-octets have them, would be found in every other value.
            if known.len() >= 4 {
                self.add_once(&Bits::of(&known));
            }
        }
    }

    fn add_once(&mut self, octets: &Bits) {
        for phase in 0..3 {
            // The octets at this place, others before and behind them.
            let bit = |at: usize| -> Option<bool> { octets.bit(at.checked_sub(8 * phase)?) };
            let known = |letter: usize| (0..18).filter(|b| bit(letter * 6 + b).is_some()).count();
            let letters = (8 * phase + octets.length() * 8).div_ceil(6);
            let best = (0..=letters.saturating_sub(3)).max_by_key(|letter| known(*letter));
            let Some(best) = best else { continue };
            let free: Vec<usize> = (0..18).filter(|b| bit(best * 6 + b).is_none()).collect();
            let fixed = (0..18).fold(0_usize, |value, b| {
                value << 1 | usize::from(bit(best * 6 + b) == Some(true))
            });
            for choice in 0..1_usize << free.len() {
                let mut value = fixed;
                for (place, b) in free.iter().enumerate() {
                    value |= (choice >> place & 1) << (17 - b);
                }
                self.threes[value / 64] |= 1 << (value % 64);
                for two in [value / 64, value % (1 << 12)] {
                    self.add_two(two / 64, two % 64);
                }
            }
        }
    }

    /// Adds two letters by their values, in either alphabet.
    fn add_two(&mut self, first: usize, second: usize) {
        let written = |value: usize| {
            (0..=u8::MAX).filter(move |octet| usize::from(VALUES[usize::from(*octet)]) == value)
        };
        for first in written(first) {
            for second in written(second) {
                let (word, bit) = place_of([first, second]);
                self.twos[word] |= bit;
            }
        }
    }

    /// Whether a value of letters of base64 alone may hold an identity.
    pub(super) fn any(&self, text: &[u8]) -> bool {
        let value = |octet: u8| usize::from(VALUES[usize::from(octet)] & 0x3f);
        let (twos, _) = text.as_chunks::<2>();
        let is_of_identity = |two: &[u8; 2]| {
            let (word, bit) = place_of(*two);
            self.twos[word] & bit != 0
        };
        let mut places = twos
            .iter()
            .enumerate()
            .filter(|(_, two)| is_of_identity(two));
        places.any(|(place, _)| {
            let around = (2 * place).saturating_sub(1)..(2 * place + 3).min(text.len());
            let mut threes = text.get(around).unwrap_or_default().array_windows();
            threes.any(|[first, second, third]| {
                let three = value(*first) << 12 | value(*second) << 6 | value(*third);
                self.threes[three / 64] & 1 << (three % 64) != 0
            })
        })
    }
}

/// Where the bit of two octets is, of which the highest bits do not count.
#[inline]
fn place_of(two: [u8; 2]) -> (usize, u64) {
    let place = u16::from_le_bytes(two) & 0x7f7f;
    (usize::from(place >> 6), 1 << (place & 63))
}

/// Bits of octets, of which some are not known.
#[derive(Default)]
struct Bits(Vec<(u8, u8)>);

impl Bits {
    fn of(octets: &[u8]) -> Self {
        Self(octets.iter().map(|octet| (*octet, 0xff)).collect())
    }

    fn push(&mut self, octet: u8, known: u8) {
        self.0.push((octet, known));
    }

    fn length(&self) -> usize {
        self.0.len()
    }

    /// A letter of their base64, with so many octets before them; `None` where others are in it.
    fn letter(&self, letter: usize, phase: usize) -> Option<u8> {
        let bit = |bit: usize| self.bit((letter * 6 + bit).checked_sub(8 * phase)?);
        let value = (0..6).try_fold(0, |value, place| {
            Some(value << 1 | usize::from(bit(place)?))
        })?;
        LETTERS.get(value).copied()
    }

    fn bit(&self, at: usize) -> Option<bool> {
        let (octet, known) = self.0.get(at / 8)?;
        let mask = 0x80 >> (at % 8);
        (known & mask != 0).then_some(octet & mask != 0)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::super::plmn::Plmn;
    use super::*;

    fn plmns() -> Plmns {
        Plmns::new([("001", "01"), ("999", "070")].map(|(mcc, mnc)| Plmn::new(mcc, mnc).unwrap()))
    }

    /// As a handset's protocols pack digits.
    fn pack(digits: &str) -> Vec<u8> {
        let mut halves: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
        if halves.len() % 2 == 1 {
            halves.push(FILLER);
        }
        halves
            .chunks(2)
            .map(|pair| pair[1] << 4 | pair[0])
            .collect()
    }

    fn is_found(octets: &[u8]) -> bool {
        tbcd(octets, &plmns()).is_some()
    }

    //= RFC 4648 section 5 type=test
    //# Both alphabets, filled up or not, and lines.
    #[test]
    fn both_alphabets_are_decoded() {
        let octets: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        for text in [STANDARD.encode(&octets), URL_SAFE_NO_PAD.encode(&octets)] {
            assert!(base64(text.as_bytes(), &mut out));
            assert_eq!(out, octets);
            let lines: Vec<&[u8]> = text.as_bytes().chunks(76).collect();
            assert!(base64(&lines.join(&b"\r\n"[..]), &mut out));
            assert_eq!(out, octets);
        }
        assert!(!base64(b"AAAAAAAAA", &mut out), "too short");
        assert!(!base64(b"AAAAAA.AAAAAA", &mut out));
        assert!(hex(b"0x00010121436587f9", &mut out));
        assert_eq!(out, [0, 1, 1, 0x21, 0x43, 0x65, 0x87, 0xf9]);
        assert!(!hex(b"00010121436g87f9", &mut out));
        assert!(hex(b"00010121436587", &mut out), "seven octets");
        assert!(!hex(b"000101214365", &mut out), "too short");
        assert!(!hex(b"00010121436587f", &mut out), "half an octet");
    }

    //= TS 29.002 clause 17.7.8 type=test
    //# 15 digits and the filler, 14 digits, alone and among other octets.
    #[test]
    fn swapped_half_octets_are_found() {
        for digits in [
            "001010123456789",
            "00101012345678",
            "999070000000000",
            "00101000000000",
        ] {
            let packed = pack(digits);
            assert!(is_found(&packed), "{digits}");
            let counted = [&[packed.len() as u8], &packed[..]].concat();
            assert!(is_found(&counted), "{digits} counted");
            let among = [&[0xaa; 20], &counted[..], &[0xbb; 20]].concat();
            assert!(is_found(&among), "{digits} among others");
            let far = [&[0xaa; 400], &counted[..], &[0xbb; 20]].concat();
            assert!(is_found(&far), "{digits} far behind");
        }
        assert!(!is_found(&pack("002010123456789")));
        assert!(!is_found(&pack("0010101234567")));
        assert!(!is_found(&[0xaa; 40]));
    }

    #[test]
    fn digits_among_other_octets_end_by_the_filler_or_have_their_length_before_them() {
        let (odd, mut even) = (pack("001010123456789"), pack("00101012345678"));
        even.push(0xff);
        for filled in [&odd, &even] {
            let within = |before: &[u8], behind: usize| {
                is_found(&[before, filled, &vec![0xbb; behind]].concat())
            };
            assert!(within(&[0xbb; 3], 9));
            assert!(within(&[], 400), "at the first octet");
            assert!(within(&[0xbb, 8], 400), "behind their length");
            assert!(
                !within(&[0xbb; 3], 400),
                "random octets have as many somewhere"
            );
        }
        let unfilled = [&[0xbb; 3], &odd[..7], &[0xa9], &[0xbb; 9]].concat();
        assert!(
            !is_found(&unfilled),
            "another half than the filler ends them"
        );
    }

    //= TS 24.008 clause 10.5.1.4 type=test
    //# The IMSI as a mobile identity, odd and even.
    #[test]
    fn mobile_identities_are_found() {
        let odd = [8, 0x09, 0x10, 0x10, 0x10, 0x32, 0x54, 0x76, 0x98];
        let even = [8, 0x01, 0x10, 0x10, 0x10, 0x32, 0x54, 0x76, 0xf8];
        for identity in [odd, even] {
            assert!(is_found(&identity));
            assert!(is_found(&identity[1..]), "without a length");
            let among = |identity: &[u8]| is_found(&[&[0x55; 300], identity, &[0x55; 9]].concat());
            assert!(among(&identity[..]));
            assert!(!among(&identity[1..]), "without a length");
        }
    }

    #[test]
    fn every_value_that_holds_an_identity_has_a_trigram() {
        let trigrams = Trigrams::new(&plmns(), &[b"imsi-"]);
        let mobile = [0x99, 0x99, 0x70, 0x00, 0x21, 0x43, 0x65, 0x87];
        let inner: [&[u8]; 6] = [
            &pack("001010123456789"),
            &pack("999070123456789"),
            &mobile,
            b"001010123456789",
            b"999070123456789",
            b"IMSI-12345",
        ];
        for octets in inner {
            for before in 0..6 {
                let whole = [&vec![0xd7; before], octets, &[0xd7; 4]].concat();
                assert!(
                    trigrams.any(STANDARD.encode(&whole).as_bytes()),
                    "{octets:?} {before}"
                );
                assert!(trigrams.any(URL_SAFE_NO_PAD.encode(&whole).as_bytes()));
                let suspect = |text: &str| is_suspect(text.as_bytes(), &[b"imsi-"], &plmns());
                // A mobile identity among others counts only behind its length.
                let found =
                    octets != mobile || suspect(&STANDARD.encode([&[8_u8][..], octets].concat()));
                assert!(found && (octets == mobile || suspect(&STANDARD.encode(&whole))));
                // Half-octets are too few for that.
                if octets.len() > 8 {
                    let twice = STANDARD.encode(STANDARD.encode(&whole));
                    assert!(trigrams.any(twice.as_bytes()), "{octets:?} {before} twice");
                    assert!(suspect(&twice));
                }
            }
        }
    }

    #[test]
    fn value_with_a_trigram_is_searched_where_it_holds_anything_of_an_identity() {
        let is_suspect = |octets: &[u8]| {
            let text = STANDARD.encode(octets);
            is_suspect(text.as_bytes(), &[b"imsi-"], &plmns())
        };
        let around = |octets: &[u8]| [&[0xd7, 0xe3], octets, &[0xd7; 3]].concat();
        assert!(!is_suspect(&around(&[0xd7; 8])));
        assert!(is_suspect(&around(b"12345")), "digits");
        assert!(!is_suspect(&around(b"1234")));
        assert!(is_suspect(&around(b"ImSi-")), "a word");
        assert!(is_suspect(&around(b"-001-")), "a group's network");
        assert!(!is_suspect(&around(b"-002-")));
        assert!(is_suspect(&around(&pack("001010123456789"))), "half-octets");
        assert!(is_suspect(b"QUJDREVGR0hJSg"), "a text");
        // As long as is looked at in place, and longer.
        assert!(!is_suspect(&[0xd7; 72]));
        assert!(is_suspect(&[0xd7; 73]));
    }

    #[test]
    fn values_without_an_identity_hardly_ever_have_a_trigram() {
        let trigrams = Trigrams::new(&plmns(), &[b"imsi-"]);
        let mut state = 1_u64;
        let mut with = 0;
        for _ in 0..1_000 {
            let octets: Vec<u8> = (0..24)
                .map(|_| {
                    state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                    (state >> 33) as u8
                })
                .collect();
            with += usize::from(trigrams.any(STANDARD.encode(octets).as_bytes()));
        }
        assert!(with < 30, "{with} of 1,000");
        let bits = |words: &[u64]| words.iter().map(|word| word.count_ones()).sum::<u32>();
        assert!(bits(&*trigrams.threes) < 200, "of 262,144");
        assert!(bits(&*trigrams.twos) < 300, "of 16,384");
        assert!(!trigrams.any(b"LOCATION_REPORTING"));
    }
}
