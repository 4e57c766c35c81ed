//! The ways in which one text can be spelt: escapes of JSON, percent-encoding, digits and
//! separators of other scripts. What is searched is the text in plain ASCII.

use super::imsi::is_blank;

/// How often a text is decoded.
pub(super) const ROUNDS_MAX: usize = 4;

/// Whether a text is to be read before it is searched: it holds something that is no plain ASCII.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.iter()
        .all(|octet| octet.is_ascii() && !matches!(octet, b'\\' | b'%') && !is_unseen(*octet))
}

/// A control character that moves no place.
fn is_unseen(octet: u8) -> bool {
    octet.is_ascii_control() && !is_blank(octet)
}

/// Undoes one layer of JSON escapes and of percent-encoding, and says whether there was any. What
/// is no whole escape stays as it is.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut changed = false;
    let mut rest = text;
    while let Some((&octet, after)) = rest.split_first() {
        let decoded = match octet {
            b'\\' => unescaped(after, out),
            b'%' => percent_decoded(after, out),
            _ => None,
        };
        match decoded {
            Some(taken) => {
                changed = true;
                rest = after.get(taken..).unwrap_or_default();
            }
            None => {
                out.push(octet);
                rest = after;
            }
        }
    }
    changed
}

/// What stands behind a backslash: how many octets of it are taken.
fn unescaped(after: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let letter = *after.first()?;
    let octet = match letter {
        b'"' | b'\\' | b'/' => letter,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        b'u' => {
            let high = four_hex(after.get(1..)?)?;
            let (code, taken) = match (high, after.get(5..)) {
                (0xd800..=0xdbff, Some([b'\\', b'u', low, ..])) if low.is_ascii_hexdigit() => {
                    let low = four_hex(after.get(7..)?)?;
                    let pair = 0x1_0000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00) % 1024;
                    (pair, 11)
                }
                _ => (high, 5),
            };
            let code = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(taken);
        }
        _ => return None,
    };
    out.push(octet);
    Some(1)
}

fn four_hex(text: &[u8]) -> Option<u32> {
    let (digits, _) = text.split_first_chunk::<4>()?;
    digits.iter().try_fold(0, |code, digit| {
        Some(code << 4 | char::from(*digit).to_digit(16)?)
    })
}

fn percent_decoded(after: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let (digits, _) = after.split_first_chunk::<2>()?;
    let value = |digit: u8| char::from(digit).to_digit(16);
    out.push((value(digits[0])? << 4 | value(digits[1])?) as u8);
    Some(2)
}

/// Writes decimal digits of every script as ASCII, other spaces and what separates digits as the
/// plain ones, full-width letters as plain ones, and leaves out what is not seen. What is not UTF-8
/// stays, octet for octet.
pub(super) fn fold(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for chunk in text.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_ascii() {
                if !is_unseen(letter as u8) {
                    out.push(letter as u8);
                }
            } else if let Some(plain) = plain(letter) {
                out.extend(plain);
            } else {
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        out.extend_from_slice(chunk.invalid());
    }
}

/// The ASCII that a letter stands for: none of it where it is not seen.
fn plain(letter: char) -> Option<Option<u8>> {
    let code = u32::from(letter);
    if let Some(zero) = zero_below(code)
        && code - zero < 10
    {
        return Some(Some(b'0' + (code - zero) as u8));
    }
    Some(match code {
        0xb2 | 0xb3 => Some(b'0' + (code - 0xb0) as u8),
        0xb9 => Some(b'1'),
        0x2070 | 0x2074..=0x2079 => Some(b'0' + (code - 0x2070) as u8),
        0x2080..=0x2089 => Some(b'0' + (code - 0x2080) as u8),
        0x2460..=0x2468 => Some(b'1' + (code - 0x2460) as u8),
        0x24f5..=0x24fd => Some(b'1' + (code - 0x24f5) as u8),
        0x2776..=0x277e => Some(b'1' + (code - 0x2776) as u8),
        0x2780..=0x2788 => Some(b'1' + (code - 0x2780) as u8),
        0x278a..=0x2792 => Some(b'1' + (code - 0x278a) as u8),
        0x24ea | 0x24ff | 0x3007 => Some(b'0'),
        0xff01..=0xff5e => Some((code - 0xff01) as u8 + b'!'),
        0x85 | 0xa0 | 0x1680 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => Some(b' '),
        // General category Pd, and what looks as they do.
        0x58a
        | 0x5be
        | 0x1400
        | 0x1806
        | 0x2010..=0x2015
        | 0x2043
        | 0x2053
        | 0x207b
        | 0x208b
        | 0x2212
        | 0x2796
        | 0x2e17
        | 0x2e1a
        | 0x2e3a
        | 0x2e3b
        | 0x2e40
        | 0x2e5d
        | 0x301c
        | 0x3030
        | 0x30a0
        | 0x30fb
        | 0xfe31
        | 0xfe32
        | 0xfe58
        | 0xfe63
        | 0x1_0d6e
        | 0x1_0ead => Some(b'-'),
        0xb7 | 0x6d4 | 0x2022 | 0x2024 | 0x2027 | 0x22c5 | 0x3002 | 0xfe52 | 0xff61 => Some(b'.'),
        0x203f | 0x2040 | 0xfe33 | 0xfe34 | 0xfe4d..=0xfe4f => Some(b'_'),
        0x60c | 0x66b | 0x66c | 0x3001 | 0xfe10 | 0xfe11 | 0xfe50 | 0xfe51 | 0xff64 => Some(b','),
        0x2044 | 0x2215 => Some(b'/'),
        0x2236 | 0xa789 | 0xfe13 | 0xfe55 => Some(b':'),
        0x61b | 0xfe14 | 0xfe54 => Some(b';'),
        0x2018 | 0x2019 | 0x2032 => Some(b'\''),
        // Soft hyphens, joiners, marks of direction, letters without a shape, and what only changes
        // how another looks.
        0x483..=0x489 | 0x2800 | 0x3164 | 0xffa0 | 0x1_d159 => None,
        0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f => None,
        0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfe00..=0xfe0f | 0xfeff => None,
        0x300..=0x36f | 0x1ab0..=0x1aff | 0x20d0..=0x20ff | 0xfe20..=0xfe2f => None,
        0xfff9..=0xfffb | 0xe_0000..=0xe_01ef => None,
        _ => return None,
    })
}

fn zero_below(code: u32) -> Option<u32> {
    let after = ZEROES.partition_point(|zero| *zero <= code);
    ZEROES.get(after.checked_sub(1)?).copied()
}

/// Where the ten decimal digits of a script begin: general category Nd of Unicode 16 but ASCII's.
#[rustfmt::skip]
const ZEROES: [u32; 75] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x1_04a0, 0x1_0d30, 0x1_0d40, 0x1_1066, 0x1_10f0, 0x1_1136, 0x1_11d0, 0x1_12f0, 0x1_1450,
    0x1_14d0, 0x1_1650, 0x1_16c0, 0x1_16d0, 0x1_16da, 0x1_1730, 0x1_18e0, 0x1_1950, 0x1_1bf0,
    0x1_1c50, 0x1_1d50, 0x1_1da0, 0x1_1f50, 0x1_6130, 0x1_6a60, 0x1_6ac0, 0x1_6b50, 0x1_6d70,
    0x1_ccf0, 0x1_d7ce, 0x1_d7d8, 0x1_d7e2, 0x1_d7ec, 0x1_d7f6, 0x1_e140, 0x1_e2f0, 0x1_e4f0,
    0x1_e5f1, 0x1_e950, 0x1_fbf0,
];

/// How many octets a text has when it is read: decoded as often as it is, and folded.
pub(super) fn length_read(text: &[u8]) -> usize {
    let (mut text, mut next) = (text.to_vec(), Vec::new());
    for _ in 0..ROUNDS_MAX {
        if !decode(&text, &mut next) {
            break;
        }
        std::mem::swap(&mut text, &mut next);
    }
    fold(&text, &mut next);
    next.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut out = Vec::new();
        fold(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn decoded(text: &str) -> Option<String> {
        let mut out = Vec::new();
        decode(text.as_bytes(), &mut out).then(|| String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn digits_of_every_script_become_ascii() {
        assert!(ZEROES.is_sorted());
        for zero in ZEROES {
            let digits: String = (zero..zero + 10).filter_map(char::from_u32).collect();
            assert_eq!(folded(&digits), "0123456789", "{zero:x}");
        }
        assert_eq!(folded("\u{ff10}\u{ff11}\u{2075}\u{2460}\u{b2}"), "01512");
        for (letters, digits) in [
            ("\u{2070}\u{b9}\u{b2}\u{b3}\u{2074}\u{2079}", "012349"),
            ("\u{2080}\u{2081}\u{2089}", "019"),
            ("\u{2460}\u{2461}\u{2468}", "129"),
            ("\u{24ea}\u{24f5}\u{24fd}\u{24ff}", "0190"),
            ("\u{2776}\u{277e}\u{2780}\u{2788}\u{278a}\u{2792}", "191919"),
            ("\u{3007}", "0"),
        ] {
            assert_eq!(folded(letters), digits);
        }
    }

    #[test]
    fn letters_behind_the_digits_of_a_script_stay() {
        for letters in ["1\u{66a}2", "\u{65f}", "\u{2469}", "\u{208a}", "\u{ff00}"] {
            assert_eq!(folded(letters), letters);
        }
    }

    #[test]
    fn each_letter_has_the_ascii_that_it_looks_as() {
        for (letters, plain) in [
            (
                "\u{85}\u{a0}\u{1680}\u{2000}\u{200a}\u{202f}\u{205f}\u{3000}",
                " ",
            ),
            (
                "\u{58a}\u{2010}\u{2015}\u{2212}\u{30fb}\u{fe63}\u{10ead}",
                "-",
            ),
            (
                "\u{b7}\u{2022}\u{2027}\u{22c5}\u{3002}\u{fe52}\u{ff61}",
                ".",
            ),
            (
                "\u{203f}\u{2040}\u{fe33}\u{fe34}\u{fe4d}\u{fe4f}\u{ff3f}",
                "_",
            ),
            (
                "\u{60c}\u{66b}\u{3001}\u{fe10}\u{fe50}\u{ff64}\u{ff0c}",
                ",",
            ),
            ("\u{2044}\u{2215}\u{ff0f}", "/"),
            ("\u{2236}\u{a789}\u{fe13}\u{fe55}\u{ff1a}", ":"),
            ("\u{61b}\u{fe14}\u{fe54}\u{ff1b}", ";"),
            ("\u{2018}\u{2019}\u{2032}\u{ff07}", "'"),
            ("\u{ff01}", "!"),
            ("\u{ff5e}", "~"),
            ("\u{ad}\u{34f}\u{61c}\u{115f}\u{17b5}\u{180b}\u{180f}", ""),
            (
                "\u{200b}\u{200f}\u{2028}\u{202e}\u{2060}\u{206f}\u{fe00}\u{feff}",
                "",
            ),
            (
                "\u{300}\u{36f}\u{1ab0}\u{1aff}\u{20d0}\u{20ff}\u{fe20}\u{fe2f}",
                "",
            ),
            ("\u{fff9}\u{fffb}\u{e0000}\u{e01ef}", ""),
        ] {
            for letter in letters.chars() {
                let text = format!("1{letter}2");
                assert_eq!(folded(&text), format!("1{plain}2"), "{letter:?}");
            }
        }
    }

    #[test]
    fn separators_of_other_scripts_become_plain_and_what_is_not_seen_goes() {
        assert_eq!(folded("1\u{a0}2\u{2013}3\u{2024}4"), "1 2-3.4");
        assert_eq!(folded("1\u{85}2\u{2e3a}3\u{2796}4\u{203f}5"), "1 2-3-4_5");
        assert_eq!(
            folded("1\u{3001}2\u{2044}3\u{2236}4\u{61b}5\u{2019}6"),
            "1,2/3:4;5'6"
        );
        assert_eq!(folded("1\t2\r\n3\u{1}4\u{8}5\u{7f}6"), "1\t2\r\n3456");
        assert_eq!(
            folded("1\u{200b}2\u{feff}3\u{ad}4\u{2060}5\u{0}6\u{301}7"),
            "1234567"
        );
        assert_eq!(folded("\u{ff49}\u{ff4d}\u{ff53}\u{ff49}\u{ff0d}"), "imsi-");
        assert_eq!(folded("stra\u{df}e"), "stra\u{df}e");
    }

    #[test]
    fn letters_without_a_shape_go() {
        for letter in [
            '\u{483}',
            '\u{489}',
            '\u{2800}',
            '\u{3164}',
            '\u{ffa0}',
            '\u{1d159}',
        ] {
            assert_eq!(folded(&format!("0{letter}1")), "01", "{letter:?}");
        }
    }

    #[test]
    fn length_is_that_of_what_is_read() {
        for (text, length) in [
            ("", 0),
            ("001", 3),
            ("%2530\\u0030\u{200b}", 2),
            ("%252525252530", 5),
        ] {
            assert_eq!(length_read(text.as_bytes()), length, "{text}");
        }
    }

    #[test]
    fn what_is_no_utf8_stays() {
        let mut out = Vec::new();
        fold(b"1\xff2\xd9\xa03", &mut out);
        assert_eq!(out, b"1\xff203");
    }

    #[test]
    fn one_layer_is_undone_at_a_time() {
        assert_eq!(decoded(r"\u0030\u0031").unwrap(), "01");
        assert_eq!(decoded(r"\\u0030").unwrap(), r"\u0030");
        assert_eq!(decoded("%2530").unwrap(), "%30");
        assert_eq!(decoded("%30%2d%zz%3").unwrap(), "0-%zz%3");
        assert_eq!(decoded(r"\ud835\udfce").unwrap(), "\u{1d7ce}");
        assert_eq!(decoded(r"\ud835x").unwrap(), "\u{fffd}x");
        assert_eq!(decoded(r"\ud835\uz").unwrap(), "\u{fffd}\\uz");
        assert_eq!(decoded(r"a\/b\nc").unwrap(), "a/b\nc");
        assert_eq!(
            decoded(r#"\"a\\b\bc\fd\re\tf"#).unwrap(),
            "\"a\\b\u{8}c\u{c}d\re\tf"
        );
        assert_eq!(decoded(r"\u00"), None);
        assert_eq!(decoded("plain"), None);
    }
}
