//! The first look at a message: whether it holds anything that has to be looked into. Almost none
//! does, and all of it goes through here, so this is what the guard costs.
//!
//! Octets are taken 64 at a time as sets of places, one bit each: where the digits are, the hyphens
//! and so on. By AVX2 where the machine has it, else by a table. What remains is worked on in bits:
//!
//! - an octet that is no plain ASCII, a `%`, `\u`, `\n`: the text can be read otherwise;
//! - 14 digits, with up to three separators between two: an IMSI's length. Many an identifier has
//!   as many, so a second look says whether they begin as an IMSI does;
//! - `i-`, `i"`, `k.`: the ends of `imsi-`, `nai-`, `gci-`, `"supi"`, `3gppnetwork.` and the like;
//! - two hyphens with three octets between them: the MCC of a group's identifier;
//! - a string of nothing but ten or more letters of base64, in which one of the trigrams is that an
//!   identity has, and that holds one by a second look. The name of a member counts where it has a
//!   digit, `+`, `/`, `-` or `=`, as few of the APIs' names have: with a look at each name clean
//!   messages went through at 1.4 GB/s in place of 2.6. In base64 an IMSI's 15 digits have one in
//!   93 cases of 100, half-octets always if they are filled up, and else in one case of four.

use memchr::memrchr;

use super::imsi::{SEPARATORS_MAX, Scanner, Tier};
use super::packed::{CHARACTERS_MIN, Trigrams, is_suspect};
use super::plmn::Plmns;

const BLOCK: usize = 64;
const DIGITS_MIN: usize = 14;
// The bits below are made for these.
const _: () = assert!(DIGITS_MIN == 14 && CHARACTERS_MIN == 10 && SEPARATORS_MAX == 3);

/// Words that values are searched for in base64, besides what digits begin with.
const WORDS: [&[u8]; 8] = [
    b"imsi-",
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
    trigrams: Trigrams,
    scanner: Scanner,
}

impl Sieve {
    pub(super) fn new(plmns: &Plmns) -> Self {
        Self {
            trigrams: Trigrams::new(plmns, &WORDS),
            scanner: Scanner::new(plmns.clone(), false),
        }
    }

    /// Whether nothing in the text has to be looked into.
    pub(super) fn passes(&self, octets: &[u8]) -> bool {
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
    #[target_feature(enable = "avx2")]
    fn passes_by_avx2(&self, octets: &[u8]) -> bool {
        self.passes_by(octets, |block| avx2::places(block))
    }

    #[inline(always)]
    fn passes_by(&self, octets: &[u8], places: impl Fn(&[u8; BLOCK]) -> Places) -> bool {
        let mut before = Before::default();
        let (blocks, rest) = octets.as_chunks::<BLOCK>();
        for (number, block) in blocks.iter().enumerate() {
            let suspect = before.suspects(&places(block));
            if suspect.any() && self.confirms(octets, number * BLOCK, &suspect) {
                return false;
            }
        }
        // What stands behind the end is of no class.
        let mut last = [b'!'; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        let suspect = before.suspects(&places(&last));
        !(suspect.any() && self.confirms(octets, blocks.len() * BLOCK, &suspect))
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
            || each(suspect.word).any(|at| ends_word(octets, start + at))
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
        let run = start..run_end(octets, start);
        let is_digit = |octet: &u8| octet.is_ascii_digit();
        let octets_of_run = octets.get(run.clone()).unwrap_or_default();
        // Most are the date of an answer.
        if octets_of_run.iter().filter(|octet| is_digit(octet)).count() < DIGITS_MIN {
            return false;
        }
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

/// Where the run of digits and separators ends that begins at the place.
fn run_end(octets: &[u8], start: usize) -> usize {
    let mut separators = 0;
    let rest = octets.get(start..).unwrap_or_default();
    let length = rest.iter().position(|octet| {
        let class = CLASSES[usize::from(*octet)];
        separators = if class & DIGIT != 0 {
            0
        } else {
            separators + 1
        };
        class & (DIGIT | HYPHEN | SEPARATOR) == 0 || separators > SEPARATORS_MAX
    });
    start + length.unwrap_or(rest.len())
}

/// Whether a string has nothing but letters of base64, with backslashes before its slashes as some
/// write them. Said at the first of these, so that each string is gone through once.
fn is_escaped_base64(octets: &[u8], at: usize) -> bool {
    let is_letter = |octet: &u8| CLASSES[usize::from(*octet)] & LETTER != 0;
    let (before, after) = octets.split_at_checked(at).unwrap_or_default();
    let first = before.iter().rposition(|octet| !is_letter(octet));
    let last = after
        .iter()
        .position(|octet| !is_letter(octet) && *octet != b'\\');
    let is = |place: Option<&u8>| place == Some(&b'"');
    first.is_some_and(|first| is(before.get(first))) && last.is_none_or(|last| is(after.get(last)))
}

/// Whether a slash behind a backslash stands between digits, or separators of digits.
fn is_among_digits(octets: &[u8], at: usize) -> bool {
    let class = |octet: Option<&u8>| octet.map_or(0, |octet| CLASSES[usize::from(*octet)]);
    let before = at.checked_sub(1).and_then(|before| octets.get(before));
    let (before, after) = (before.filter(|octet| **octet != b'/'), octets.get(at + 2));
    let joins = |class: u16| class & (DIGIT | HYPHEN | SEPARATOR) != 0;
    // The slashes of `https:\/\/` are as many separators, and not among digits.
    let one_more = after == Some(&b'\\');
    joins(class(before)) && joins(class(after)) && (!one_more || class(before) & DIGIT != 0)
}

/// Whether the octet at the place ends one of the words that call an identity one.
fn ends_word(octets: &[u8], at: usize) -> bool {
    let ends = |word: &[u8]| {
        let before = at
            .checked_sub(word.len())
            .and_then(|from| octets.get(from..at));
        before.is_some_and(|before| before.eq_ignore_ascii_case(word))
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
        Some(b'"') => [
            &b"\"supi"[..],
            b"\"imsi",
            b"\"suci",
            b"\"pei",
            b"\"gci",
            b"\"gli",
        ]
        .iter()
        .any(|word| ends(word)),
        _ => ends(b"3gppnetwork"),
    }
}

/// Where in a block the octets of each class are; the first is the lowest bit.
struct Places {
    digit: u64,
    hyphen: u64,
    /// All that may stand between digits, and more: see [`may_separate`].
    separator: u64,
    /// `%`, NUL, and what is no ASCII.
    unread: u64,
    backslash: u64,
    i: u64,
    k: u64,
    quote: u64,
    colon: u64,
    /// Letters, digits and what else base64 has.
    letter: u64,
    /// From `@` on: of what base64 has, `A` to `z` and the low line.
    high: u64,
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

        let word = ((now.hyphen | now.quote) & behind::<1>(now.i, self.i))
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

const DIGIT: u16 = 1;
const HYPHEN: u16 = 2;
const SEPARATOR: u16 = 4;
/// The class of what base64 has.
const LETTER: u16 = 256;

/// Of octets with these halves are all that may stand between digits, in one class. The others of
/// them (some letters, brackets, and what is of another class as well) cost a second look where
/// digits stand around them, which few have.
const fn may_separate(octet: u8) -> bool {
    matches!(octet >> 4, 0 | 2 | 3 | 5 | 7) && matches!(octet & 0xf, 0 | 7 | 9..=0xf)
}

/// One bit for each class, as `Places` has them; letters of base64 apart.
const CLASSES: [u16; 256] = {
    let mut classes = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let letter = (octet as u8).is_ascii_alphanumeric() as u16;
        classes[octet] = match octet as u8 {
            b'0'..=b'9' => DIGIT,
            b'-' => HYPHEN,
            b'%' | 0 | 0x80.. => 8,
            b'\\' => 16,
            b'i' | b'I' => 32,
            b'k' | b'K' => 64,
            b'"' => 128,
            _ => 0,
        };
        let of_base64 = matches!(octet as u8, b'+' | b'/' | b'-' | b'_' | b'=') as u16;
        classes[octet] |= (letter | of_base64) * LETTER;
        classes[octet] |= may_separate(octet as u8) as u16 * SEPARATOR;
        octet += 1;
    }
    classes
};

fn by_table(block: &[u8; BLOCK]) -> Places {
    let place = |class: u16| places_of(block, |octet| CLASSES[usize::from(octet)] & class != 0);
    Places {
        digit: place(DIGIT),
        hyphen: place(HYPHEN),
        separator: place(SEPARATOR),
        unread: place(8),
        backslash: place(16),
        i: place(32),
        k: place(64),
        quote: place(128),
        colon: places_of(block, |octet| octet == b':'),
        letter: place(LETTER),
        high: places_of(block, |octet| octet & 0x40 != 0),
    }
}

fn places_of(block: &[u8; BLOCK], is: impl Fn(u8) -> bool) -> u64 {
    let octets = block.iter().enumerate();
    octets.fold(0, |places, (at, octet)| {
        places | u64::from(is(*octet)) << at
    })
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_set_epi64x, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
        _mm256_movemask_epi8, _mm256_or_si256, _mm256_set_epi64x, _mm256_set1_epi8,
        _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16,
    };

    use super::{BLOCK, Places};

    /// A class is a set of high halves of octets with a set of low ones: an octet is in it when
    /// both tables say so. One bit for each: digit, hyphen, separator, `%`, backslash, i, k, quote.
    const HIGH: [u8; 16] = table(&[
        (0, 4),
        (2, 2 | 4 | 8 | 128),
        (3, 1 | 4),
        (4, 32 | 64),
        (5, 4 | 16),
        (6, 32 | 64),
        (7, 4),
    ]);
    const LOW: [u8; 16] = table(&[
        (0, 1 | 4),
        (1, 1),
        (2, 1 | 128),
        (3, 1),
        (4, 1),
        (5, 1 | 8),
        (6, 1),
        (7, 1 | 4),
        (8, 1),
        (9, 1 | 4 | 32),
        (0xa, 4),
        (0xb, 4 | 64),
        (0xc, 4 | 16),
        (0xd, 2 | 4),
        (0xe, 4),
        (0xf, 4),
    ]);
    /// The letters of base64, in five such sets: A to O and a to o; P to Z and p to z; digits and
    /// `=`; `+`, `-` and `/`; `_`.
    const LETTER_HIGH: [u8; 16] = table(&[(4, 1), (6, 1), (5, 2 | 16), (7, 2), (3, 4), (2, 8)]);
    const LETTER_LOW: [u8; 16] = table(&[
        (0, 2 | 4),
        (1, 7),
        (2, 7),
        (3, 7),
        (4, 7),
        (5, 7),
        (6, 7),
        (7, 7),
        (8, 7),
        (9, 7),
        (0xa, 1 | 2),
        (0xb, 1 | 8),
        (0xc, 1),
        (0xd, 1 | 4 | 8),
        (0xe, 1),
        (0xf, 1 | 8 | 16),
    ]);

    const fn table(entries: &[(usize, u8)]) -> [u8; 16] {
        let mut table = [0; 16];
        let mut at = 0;
        while at < entries.len() {
            table[entries[at].0] = entries[at].1;
            at += 1;
        }
        table
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn places(block: &[u8; BLOCK]) -> Places {
        let (halves, _) = block.as_chunks::<32>();
        let [low, high] = [half(&halves[0]), half(&halves[1])];
        let whole = |class: usize| u64::from(low[class]) | u64::from(high[class]) << 32;
        Places {
            digit: whole(0),
            hyphen: whole(1),
            separator: whole(2),
            unread: whole(3),
            backslash: whole(4),
            i: whole(5),
            k: whole(6),
            quote: whole(7),
            letter: whole(8),
            colon: whole(9),
            high: whole(10),
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn half(octets: &[u8; 32]) -> [u32; 11] {
        let octets = load(octets);
        let zero = _mm256_setzero_si256();
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(octets), _mm256_set1_epi8(0xf));
        let classes = _mm256_and_si256(
            _mm256_shuffle_epi8(both(&HIGH), high),
            _mm256_shuffle_epi8(both(&LOW), octets),
        );
        let letters = _mm256_and_si256(
            _mm256_shuffle_epi8(both(&LETTER_HIGH), high),
            _mm256_shuffle_epi8(both(&LETTER_LOW), octets),
        );
        // The highest bit of each octet is what can be gathered.
        let other = _mm256_or_si256(octets, _mm256_cmpeq_epi8(octets, zero));
        let places = |bits: __m256i| _mm256_movemask_epi8(bits).cast_unsigned();
        [
            places(_mm256_slli_epi16::<7>(classes)),
            places(_mm256_slli_epi16::<6>(classes)),
            places(_mm256_slli_epi16::<5>(classes)),
            places(_mm256_or_si256(_mm256_slli_epi16::<4>(classes), other)),
            places(_mm256_slli_epi16::<3>(classes)),
            places(_mm256_slli_epi16::<2>(classes)),
            places(_mm256_slli_epi16::<1>(classes)),
            places(classes),
            !places(_mm256_cmpeq_epi8(letters, zero)),
            places(_mm256_cmpeq_epi8(
                octets,
                _mm256_set1_epi8(b':'.cast_signed()),
            )),
            places(_mm256_slli_epi16::<1>(octets)),
        ]
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(octets: &[u8; 32]) -> __m256i {
        // The compiler makes one load of the four.
        let [a, b, c, d] =
            [0, 1, 2, 3].map(|word| i64::from_le_bytes(octets.as_chunks::<8>().0[word]));
        _mm256_set_epi64x(d, c, b, a)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn both(table: &[u8; 16]) -> __m256i {
        let (words, _) = table.as_chunks::<8>();
        let [low, high] = [i64::from_le_bytes(words[0]), i64::from_le_bytes(words[1])];
        _mm256_broadcastsi128_si256(_mm_set_epi64x(high, low))
    }
}

/// By AVX2, where the machine has it.
#[cfg(test)]
fn by_avx2(block: &[u8; BLOCK]) -> Option<Places> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2, as was just asked.
        return Some(unsafe { avx2::places(block) });
    }
    let _ = block;
    None
}

#[cfg(test)]
mod tests;
