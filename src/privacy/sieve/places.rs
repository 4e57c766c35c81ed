//! A block's octets as sets of places, by their classes.

use super::BLOCK;

/// Where in a block the octets of each class are; the first is the lowest bit.
pub(super) struct Places {
    pub(super) digit: u64,
    pub(super) hyphen: u64,
    /// All that may stand between digits, and more: see [`may_separate`].
    pub(super) separator: u64,
    /// `%`, control characters that are no blanks, and what is no ASCII.
    pub(super) unread: u64,
    pub(super) backslash: u64,
    pub(super) i: u64,
    pub(super) k: u64,
    pub(super) quote: u64,
    pub(super) colon: u64,
    /// Letters, digits and what else base64 has.
    pub(super) letter: u64,
    /// `d`, `s`, `t` and `v`, in either case.
    pub(super) tail: u64,
    /// From `@` on: of what base64 has, `A` to `z` and the low line.
    pub(super) high: u64,
}

pub(super) const DIGIT: u16 = 1;
pub(super) const HYPHEN: u16 = 2;
pub(super) const SEPARATOR: u16 = 4;
/// The class of what base64 has.
pub(super) const LETTER: u16 = 256;
/// The class of `d`, `s`, `t` and `v`.
const TAIL: u16 = 512;

/// Of octets with these halves are all that may stand between digits, in one class. The others of
/// them (some letters, brackets, and what is of another class as well) cost a second look where
/// digits stand around them, which few have.
const fn may_separate(octet: u8) -> bool {
    matches!(octet >> 4, 0 | 2 | 3 | 5 | 7) && matches!(octet & 0xf, 0 | 7 | 9..=0xf)
}

/// One bit for each class, as `Places` has them; letters of base64 apart.
pub(super) const CLASSES: [u16; 256] = {
    let mut classes = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let letter = (octet as u8).is_ascii_alphanumeric() as u16;
        classes[octet] = match octet as u8 {
            b'0'..=b'9' => DIGIT,
            b'-' => HYPHEN,
            b'%' | 0..=8 | 14..=31 | 0x7f.. => 8,
            b'\\' => 16,
            b'i' | b'I' => 32,
            b'k' | b'K' => 64,
            b'"' => 128,
            _ => 0,
        };
        let of_base64 = matches!(octet as u8, b'+' | b'/' | b'-' | b'_' | b'=') as u16;
        classes[octet] |= (letter | of_base64) * LETTER;
        let tail = matches!(octet as u8 | 0x20, b'd' | b's' | b't' | b'v') as u16;
        classes[octet] |= letter * tail * TAIL;
        classes[octet] |= may_separate(octet as u8) as u16 * SEPARATOR;
        octet += 1;
    }
    classes
};

pub(super) fn by_table(block: &[u8; BLOCK]) -> Places {
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
        tail: place(TAIL),
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
mod halves {
    /// A class is a set of high halves of octets with a set of low ones: an octet is in it when
    /// both tables say so. One bit for each: digit, hyphen, separator, `%`, backslash, i, k, quote.
    pub(super) const HIGH: [u8; 16] = table(&[
        (0, 4),
        (2, 2 | 4 | 8 | 128),
        (3, 1 | 4),
        (4, 32 | 64),
        (5, 4 | 16),
        (6, 32 | 64),
        (7, 4),
    ]);
    pub(super) const LOW: [u8; 16] = table(&[
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
    pub(super) const LETTER_HIGH: [u8; 16] = table(&[
        (0, 32),
        (2, 8),
        (3, 4),
        (4, 1 | 64),
        (5, 2 | 16 | 128),
        (6, 1 | 64),
        (7, 2 | 128),
    ]);
    pub(super) const LETTER_LOW: [u8; 16] = table(&[
        (0, 2 | 4 | 32),
        (1, 7 | 32),
        (2, 7 | 32),
        (3, 7 | 32 | 128),
        (4, 7 | 32 | 64 | 128),
        (5, 7 | 32),
        (6, 7 | 32 | 128),
        (7, 7 | 32),
        (8, 7 | 32),
        (9, 7),
        (0xa, 1 | 2),
        (0xb, 1 | 8),
        (0xc, 1),
        (0xd, 1 | 4 | 8),
        (0xe, 1 | 32),
        (0xf, 1 | 8 | 16 | 32),
    ]);
    /// Of these the sets of letters.
    pub(super) const LETTERS: u8 = 0x1f;

    /// As what makes a vector of it takes them.
    #[inline]
    pub(super) fn words(table: &[u8; 16]) -> [i64; 2] {
        let (words, _) = table.as_chunks::<8>();
        [0, 1].map(|word| i64::from_le_bytes(words[word]))
    }

    const fn table(entries: &[(usize, u8)]) -> [u8; 16] {
        let mut table = [0; 16];
        let mut at = 0;
        while at < entries.len() {
            table[entries[at].0] = entries[at].1;
            at += 1;
        }
        table
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_set_epi64x, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8,
        _mm256_movemask_epi8, _mm256_or_si256, _mm256_set_epi64x, _mm256_set1_epi8,
        _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16,
    };

    use super::halves::{HIGH, LETTER_HIGH, LETTER_LOW, LETTERS, LOW, words};
    use super::{BLOCK, Places};

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(in super::super) fn places(block: &[u8; BLOCK]) -> Places {
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
            tail: whole(11),
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn half(octets: &[u8; 32]) -> [u32; 12] {
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
        let is = |octets, octet| _mm256_cmpeq_epi8(octets, _mm256_set1_epi8(octet));
        let control = _mm256_or_si256(is(high, 1), is(octets, 0x7f));
        let low_control = _mm256_slli_epi16::<2>(letters);
        let other = _mm256_or_si256(_mm256_or_si256(octets, low_control), control);
        let tail = _mm256_or_si256(letters, _mm256_slli_epi16::<1>(letters));
        let letters = _mm256_and_si256(letters, _mm256_set1_epi8(LETTERS.cast_signed()));
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
            places(is(octets, b':'.cast_signed())),
            places(_mm256_slli_epi16::<1>(octets)),
            places(tail),
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
        let [low, high] = words(table);
        _mm256_broadcastsi128_si256(_mm_set_epi64x(high, low))
    }
}

/// A block at once, and a set of places by one instruction.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512 {
    use std::arch::x86_64::{
        __m512i, _mm_set_epi64x, _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_cmpeq_epi8_mask,
        _mm512_movepi8_mask, _mm512_set_epi64, _mm512_set1_epi8, _mm512_shuffle_epi8,
        _mm512_srli_epi16, _mm512_test_epi8_mask,
    };

    use super::halves::{HIGH, LETTER_HIGH, LETTER_LOW, LETTERS, LOW, words};
    use super::{BLOCK, Places};

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    pub(in super::super) fn places(block: &[u8; BLOCK]) -> Places {
        // The compiler makes one load of the eight.
        let [a, b, c, d, e, f, g, h] =
            std::array::from_fn(|word| i64::from_le_bytes(block.as_chunks::<8>().0[word]));
        let octets = _mm512_set_epi64(h, g, f, e, d, c, b, a);
        let high = _mm512_and_si512(_mm512_srli_epi16::<4>(octets), _mm512_set1_epi8(0xf));
        let in_both = |of_high: &[u8; 16], of_low: &[u8; 16]| {
            _mm512_and_si512(
                _mm512_shuffle_epi8(four(of_high), high),
                _mm512_shuffle_epi8(four(of_low), octets),
            )
        };
        let classes = in_both(&HIGH, &LOW);
        let letters = in_both(&LETTER_HIGH, &LETTER_LOW);
        let is = |class: u8| _mm512_test_epi8_mask(classes, _mm512_set1_epi8(class.cast_signed()));
        let of_letters =
            |sets: u8| _mm512_test_epi8_mask(letters, _mm512_set1_epi8(sets.cast_signed()));
        let equals = |octets, octet| _mm512_cmpeq_epi8_mask(octets, _mm512_set1_epi8(octet));
        let control = of_letters(32) | equals(high, 1) | equals(octets, 0x7f);
        let other = _mm512_movepi8_mask(octets) | control;
        Places {
            digit: is(1),
            hyphen: is(2),
            separator: is(4),
            unread: is(8) | other,
            backslash: is(16),
            i: is(32),
            k: is(64),
            quote: is(128),
            letter: of_letters(LETTERS),
            tail: of_letters(64 | 128),
            colon: equals(octets, b':'.cast_signed()),
            high: _mm512_test_epi8_mask(octets, _mm512_set1_epi8(0x40)),
        }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn four(table: &[u8; 16]) -> __m512i {
        let [low, high] = words(table);
        _mm512_broadcast_i32x4(_mm_set_epi64x(high, low))
    }
}

/// By each set of instructions that this machine has.
#[cfg(test)]
pub(super) fn by_vectors(block: &[u8; BLOCK]) -> Vec<Places> {
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut))]
    let mut places = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2, as was just asked.
            places.push(unsafe { avx2::places(block) });
        }
        if has_avx512() {
            // SAFETY: the machine has what the function needs, as was just asked.
            places.push(unsafe { avx512::places(block) });
        }
    }
    let _ = block;
    places
}

/// Whether [`avx512::places`] may be called.
#[cfg(target_arch = "x86_64")]
pub(super) fn has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
}
