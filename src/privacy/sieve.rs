//! The first look at a message: whether it holds anything that has to be looked into. Almost none
//! does, and all of it goes through here, so this is what the guard costs.
//!
//! Octets are taken 64 at a time as sets of places, one bit each: where the digits are, the hyphens
//! and so on. By AVX-512 or AVX2 where the machine has one, else by a table. What remains is worked
//! on in bits:
//!
//! - an octet that is no plain ASCII, a `%`, `\u`, `\n`: the text can be read otherwise;
//! - 14 digits, with up to three separators between two: an IMSI's length. Many an identifier has
//!   as many, so a second look says whether they begin as an IMSI does;
//! - `i-`, `k.`: the ends of `imsi-`, `nai-`, `gci-`, `3gppnetwork.` and the like;
//! - `i"`, with up to two of `d`, `s`, `t`, `v` before the quotation mark: `"supi"`, `"imeisv"`,
//!   `"interGroupIds"`, and whatever else a member is called that must not be there;
//! - two hyphens with three octets between them: the MCC of a group's identifier;
//! - a string of nothing but ten or more letters of base64, in which one of the trigrams is that an
//!   identity has, and that holds one by a second look. The name of a member counts where it has a
//!   digit, `+`, `/`, `-` or `=`, as few of the APIs' names have: with a look at each name clean
//!   messages went through at 1.4 GB/s in place of 2.6. In base64 an IMSI's 15 digits have one in
//!   93 cases of 100, half-octets always if they are filled up, and else in one case of four.

use memchr::memrchr;

use super::fields::{IDENTITIES, ends_as_identity};
use super::imsi::{SEPARATORS_MAX, Scanner, Tier};
use super::packed::{CHARACTERS_MIN, Trigrams, is_suspect};
use super::plmn::Plmns;

use places::{CLASSES, DIGIT, HYPHEN, LETTER, Places, SEPARATOR, by_table};

mod places;

const BLOCK: usize = 64;
const DIGITS_MIN: usize = 14;
// The bits below are made for these.
const _: () = assert!(DIGITS_MIN == 14 && CHARACTERS_MIN == 10 && SEPARATORS_MAX == 3);

/// Words that values are searched for in base64, besides what digits begin with.
const WORDS: [&[u8]; 9] = [
    b"imsi",
    b"supi",
    b"suci-",
    b"nai-",
    b"gci-",
    b"gli-",
    b"imei",
    b"eui-",
    b"3gppnetwork",
];

/// What all messages are looked at with.
pub(super) struct Sieve {
    /// Of members that must not be there.
    names: Vec<Box<str>>,
    /// Which letters their ends have before an `i`, a bit each, by how many letters are behind it:
    /// `externalId` ends as `interGroupId` does, but for this one.
    letters: [u32; 3],
    trigrams: Trigrams,
    scanner: Scanner,
}

impl Sieve {
    /// `names` are those of members that must not be there, in any case.
    pub(super) fn new(plmns: &Plmns, names: Vec<Box<str>>) -> Self {
        let mut letters = [0; 3];
        for (behind, letter) in { names.iter().map(|name| &**name).chain(IDENTITIES) }
            .filter_map(|name| letter_before_i(name.as_bytes()))
        {
            letters[behind] |= letter;
        }
        Self {
            names,
            letters,
            trigrams: Trigrams::new(plmns, &WORDS),
            scanner: Scanner::new(plmns.clone(), false),
        }
    }

    /// Whether nothing in the text has to be looked into.
    pub(super) fn passes(&self, octets: &[u8]) -> bool {
        // What ends a head, behind what is not sent on.
        if octets == b"\r\n\r\n" {
            return true;
        }
        #[cfg(target_arch = "x86_64")]
        if places::has_avx512() {
            // SAFETY: the machine has AVX-512 F and BW, which is all that the function needs. A
            // list of clean messages goes through at 3.4 GB/s by it (3.34 to 3.46 are the quartiles
            // of 200 rounds), where AVX2 makes 2.5.
            return unsafe { self.passes_by_avx512(octets) };
        }
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2, which is all that the function needs. A list of clean
            // messages goes through at 2.5 GB/s by it (2.45 to 2.54 in four runs) and at 0.14 by
            // the table (in each of three), on one core of a Xeon that builds at the same time:
            // `bin/guard` of benches/micro.
            return unsafe { self.passes_by_avx2(octets) };
        }
        self.passes_by(octets, by_table)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn passes_by_avx512(&self, octets: &[u8]) -> bool {
        self.passes_by(octets, |block| places::avx512::places(block))
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn passes_by_avx2(&self, octets: &[u8]) -> bool {
        self.passes_by(octets, |block| places::avx2::places(block))
    }

    /// By each set of instructions that this machine has, and by the table.
    #[cfg(test)]
    fn passes_by_each(&self, octets: &[u8]) -> Vec<bool> {
        let mut outcomes = vec![self.passes_by(octets, by_table)];
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: the machine has AVX2, as was just asked.
                outcomes.push(unsafe { self.passes_by_avx2(octets) });
            }
            if places::has_avx512() {
                // SAFETY: the machine has what the function needs, as was just asked.
                outcomes.push(unsafe { self.passes_by_avx512(octets) });
            }
        }
        outcomes
    }

    #[inline(always)]
    fn passes_by(&self, octets: &[u8], places: impl Fn(&[u8; BLOCK]) -> Places) -> bool {
        let mut before = Before::default();
        // What stands behind the end is of no class.
        let mut last = [b'!'; BLOCK];
        let (blocks, rest) = octets.as_chunks::<BLOCK>();
        last[..rest.len()].copy_from_slice(rest);
        // One loop for all: a short message would else pay for what two have to set up.
        for number in 0..=blocks.len() {
            let suspect = before.suspects(&places(blocks.get(number).unwrap_or(&last)));
            if suspect.any() && self.confirms(octets, number * BLOCK, &suspect) {
                return false;
            }
        }
        true
    }

    /// Whether one of the places that were noticed is more than it seems.
    #[cold]
    #[inline(never)]
    fn confirms(&self, octets: &[u8], start: usize, suspect: &Suspect) -> bool {
        suspect.unread != 0
            // A line's end may stand within base64.
            || each(suspect.backslash).any(|at| match octets.get(start + at + 1) {
                Some(b'u' | b'n' | b'r' | b't' | b'f' | b'b') => true,
                Some(b'/') => {
                    is_escaped_base64(octets, start + at) || is_among_digits(octets, start + at)
                }
                _ => false,
            })
            || each(suspect.digits).any(|at| self.may_be_imsi(octets, start + at))
            || each(suspect.word).any(|at| self.ends_word(octets, start + at))
            || each(suspect.mcc).any(|at| {
                let mcc = octets.get((start + at).saturating_sub(3)..start + at);
                mcc.is_some_and(|mcc| mcc.iter().all(u8::is_ascii_digit))
            })
            // Said an octet behind the quotation mark.
            || each(suspect.packed)
                .any(|at| self.may_be_packed(octets, (start + at).saturating_sub(1)))
    }

    /// Whether the run of digits and separators that has become long at the place is to be looked
    /// into: as many digits as an IMSI has without a separator may be hexadecimal of one, or a
    /// device's, or are counted; with separators they have to begin as one.
    fn may_be_imsi(&self, octets: &[u8], at: usize) -> bool {
        // The run is noticed at its 14th octet, and once: what is behind that is looked at here.
        let start = at.saturating_sub(DIGITS_MIN - 1);
        let (end, digits) = run_from(octets, start);
        // Most are the date of an answer.
        if digits < DIGITS_MIN {
            return false;
        }
        let run = start..end;
        let is_digit = |octet: &u8| octet.is_ascii_digit();
        let octets_of_run = octets.get(run.clone()).unwrap_or_default();
        let mut groups = octets_of_run.chunk_by(|one, other| is_digit(one) == is_digit(other));
        groups.any(|group| group.len() >= DIGITS_MIN)
            || (self.scanner)
                .digits_within(octets, run, &|_| Some(Tier::Digits), &mut 0)
                .is_some()
    }

    /// Whether a line that is no JSON may hold an identity in base64.
    pub(super) fn may_hold_packed(&self, line: &[u8]) -> bool {
        line.len() >= CHARACTERS_MIN && self.trigrams.any(line)
    }

    /// Whether a string that ends at a quotation mark may hold an identity in base64.
    fn may_be_packed(&self, octets: &[u8], end: usize) -> bool {
        let Some(before) = octets.get(..end) else {
            return false;
        };
        if is_of_uuid(before) {
            return false;
        }
        let start = memrchr(b'"', before);
        start.is_some_and(|start| {
            let value = &before[start + 1..];
            self.trigrams.any(value) && is_suspect(value, &WORDS, self.scanner.plmns())
        })
    }

    /// Whether a text may end in the name of a member that must not be there.
    fn ends_as_name(&self, text: &[u8]) -> bool {
        letter_before_i(text).is_some_and(|(behind, letter)| self.letters[behind] & letter != 0)
    }

    /// Whether the octet at the place ends one of the words that call an identity one, or the name
    /// of a member that must not be there.
    fn ends_word(&self, octets: &[u8], at: usize) -> bool {
        let before = octets.get(..at).unwrap_or_default();
        let ends = |word: &[u8]| {
            let start = before.len().checked_sub(word.len());
            start.is_some_and(|start| before[start..].eq_ignore_ascii_case(word))
        };
        match octets.get(at) {
            Some(b'-') => [
                &b"imsi"[..],
                b"suci",
                b"nai",
                b"gci",
                b"gli",
                b"imei",
                b"eui",
            ]
            .iter()
            .any(|word| ends(word)),
            Some(b'"') if !self.ends_as_name(before) => false,
            Some(b'"') => memrchr(b'"', before).is_some_and(|quote| {
                let called = &before[quote + 1..];
                let mut names = self.names.iter();
                names.any(|name| name.as_bytes().eq_ignore_ascii_case(called))
                    || ends_as_identity(called)
            }),
            _ => ends(b"3gppnetwork"),
        }
    }
}

/// The letter before the last `i` of a name that has up to two of `d`, `s`, `t` and `v` behind it,
/// as a bit, and how many these are.
fn letter_before_i(name: &[u8]) -> Option<(usize, u32)> {
    let behind = (0..3).find(|behind| {
        let at = name.len().checked_sub(behind + 1);
        at.and_then(|at| name.get(at))
            .is_some_and(|octet| octet | 0x20 == b'i')
    })?;
    let letter = name
        .len()
        .checked_sub(behind + 2)
        .and_then(|at| name.get(at))?;
    Some((behind, 1 << (letter & 0x1f)))
}

/// The places that are set, from the first.
fn each(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = (bits != 0).then_some(bits.trailing_zeros() as usize);
        bits &= bits.wrapping_sub(1);
        at
    })
}

/// Whether the text ends in a string of a UUID's shape. Of base64 with as many letters one in 64^4
/// has hyphens, and these in the same places.
fn is_of_uuid(text: &[u8]) -> bool {
    text.last_chunk::<37>().is_some_and(|string| {
        string[0] == b'"' && [9, 14, 19, 24].iter().all(|hyphen| string[*hyphen] == b'-')
    })
}

/// Where the run of digits and separators ends that begins at the place, and how many digits it
/// has.
fn run_from(octets: &[u8], start: usize) -> (usize, usize) {
    let (mut digits, mut separators) = (0, 0);
    let rest = octets.get(start..).unwrap_or_default();
    let length = rest.iter().position(|octet| {
        let class = CLASSES[usize::from(*octet)];
        let is_digit = class & DIGIT != 0;
        digits += usize::from(is_digit);
        separators = if is_digit { 0 } else { separators + 1 };
        class & (DIGIT | HYPHEN | SEPARATOR) == 0 || separators > SEPARATORS_MAX
    });
    (start + length.unwrap_or(rest.len()), digits)
}

/// Whether a string has nothing but letters of base64, with backslashes before its slashes as some
/// write them. Said at the first of these, so that each string is gone through once.
fn is_escaped_base64(octets: &[u8], at: usize) -> bool {
    let is_letter = |octet: &u8| CLASSES[usize::from(*octet)] & LETTER != 0;
    let (before, after) = octets.split_at_checked(at).unwrap_or_default();
    let is = |place: Option<&u8>| place == Some(&b'"');
    let first = before.iter().rposition(|octet| !is_letter(octet));
    // To its end at the first only.
    first.is_some_and(|first| is(before.get(first))) && {
        let mut after = after.iter();
        let last = after.find(|octet| !is_letter(octet) && **octet != b'\\');
        last.is_none() || is(last)
    }
}

/// Whether a slash behind a backslash stands between digits, with separators around it or not, or
/// between the word that calls digits an IMSI and these.
fn is_among_digits(octets: &[u8], at: usize) -> bool {
    // Three separators, each behind a backslash or not.
    const REACH: usize = 2 * SEPARATORS_MAX;
    let joins = |octet: &&u8| {
        let class = CLASSES[usize::from(**octet)] & (HYPHEN | SEPARATOR);
        **octet == b'\\' || (class != 0 && !octet.is_ascii_alphanumeric())
    };
    let (before, after) = octets.split_at_checked(at).unwrap_or_default();
    let between = before.iter().rev().take(REACH).take_while(joins).count();
    let before = before.get(..before.len() - between).unwrap_or_default();
    let after = after.iter().take(REACH + 2).find(|octet| !joins(octet));
    let calls = |word: &[u8]| {
        before
            .last_chunk::<4>()
            .is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    let is_digit = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_digit);
    is_digit(after) && (is_digit(before.last()) || calls(b"imsi") || calls(b"supi"))
}

/// What has to be looked at, at its last octet.
struct Suspect {
    unread: u64,
    backslash: u64,
    digits: u64,
    word: u64,
    mcc: u64,
    packed: u64,
}

impl Suspect {
    #[inline(always)]
    fn any(&self) -> bool {
        self.unread | self.backslash | self.digits | self.word | self.mcc | self.packed != 0
    }
}

/// What the block before this one ends with.
#[derive(Default)]
struct Before {
    digit: u64,
    hyphen: u64,
    i: u64,
    /// One letter of a name's end behind an i, and two.
    tails: [u64; 2],
    k: u64,
    quote: u64,
    letter: u64,
    separated: [u64; 2],
    /// Runs of digits and separators: of one octet, 2, 4, 8 and 14.
    runs: [u64; 5],
    /// Runs of letters: of 2, 4, 8 and 10.
    letters: [u64; 4],
    /// A string of nothing but letters has reached the end.
    string: bool,
    /// The same of nothing but high ones.
    high: bool,
    /// Where long ones of both kinds have ended.
    packed: u64,
    high_packed: u64,
}

impl Before {
    #[inline(always)]
    fn suspects(&mut self, now: &Places) -> Suspect {
        let separator = now.hyphen | now.separator;
        let first = separator & behind::<1>(now.digit, self.digit);
        let second = separator & behind::<1>(first, self.separated[0]);
        let third = separator & behind::<1>(second, self.separated[1]);
        let one = now.digit | first | second | third;
        let two = one & behind::<1>(one, self.runs[0]);
        let four = two & behind::<2>(two, self.runs[1]);
        let eight = four & behind::<4>(four, self.runs[2]);
        let fourteen = eight & behind::<6>(eight, self.runs[3]);
        // Once in a run: where it has become so long.
        let digits = fourteen & !behind::<1>(fourteen, self.runs[4]);

        let one_more = now.tail & behind::<1>(now.i, self.i);
        let two_more = now.tail & behind::<1>(one_more, self.tails[0]);
        let of_name = behind::<1>(one_more | two_more, self.tails[0] | self.tails[1]);
        let word = ((now.hyphen | now.quote) & behind::<1>(now.i, self.i))
            | (now.quote & of_name)
            | (now.separator & !now.letter & behind::<1>(now.k, self.k));
        let mcc = now.hyphen & behind::<4>(now.hyphen, self.hyphen);

        let starts = now.letter & behind::<1>(now.quote, self.quote);
        let (letters_ended, string) = ends(now.letter, starts, self.string);
        let high_letter = now.letter & now.high;
        let (high_ended, high) = ends(high_letter, high_letter & starts, self.high);
        let l2 = now.letter & behind::<1>(now.letter, self.letter);
        let l4 = l2 & behind::<2>(l2, self.letters[0]);
        let l8 = l4 & behind::<4>(l4, self.letters[1]);
        let l10 = l8 & behind::<2>(l8, self.letters[2]);
        let packed = letters_ended & now.quote & behind::<1>(l10, self.letters[3]);
        let high_packed = packed & high_ended;
        // Said an octet later: a colon behind the quotation mark makes it a name.
        let name = now.colon & behind::<1>(high_packed, self.high_packed);
        let packed_before = behind::<1>(packed, self.packed) & !name;

        *self = Self {
            digit: now.digit,
            hyphen: now.hyphen,
            i: now.i,
            tails: [one_more, two_more],
            k: now.k,
            quote: now.quote,
            letter: now.letter,
            separated: [first, second],
            runs: [one, two, four, eight, fourteen],
            letters: [l2, l4, l8, l10],
            string,
            high,
            packed,
            high_packed,
        };
        Suspect {
            unread: now.unread,
            backslash: now.backslash,
            digits,
            word,
            mcc,
            packed: packed_before,
        }
    }
}

/// Behind which places runs end that begin at some: a one is added where each begins, is carried
/// through it, and comes to stand behind its end. And whether one has reached the last place; with
/// `reached` one comes in at the first.
#[inline(always)]
fn ends(run: u64, starts: u64, reached: bool) -> (u64, bool) {
    let (sum, over) = run.overflowing_add(starts);
    let (sum, over_again) = sum.overflowing_add(u64::from(reached));
    (sum & !run, over | over_again)
}

/// The places so many octets behind these.
#[inline(always)]
fn behind<const N: u32>(now: u64, before: u64) -> u64 {
    now << N | before >> (64 - N)
}

#[cfg(test)]
mod tests;
