//! The little DER that revocation needs: elements one after another, definite and shortest lengths.
//! A decoder of whole types would build values where octets are compared and signatures are over
//! octets as they came.

use crate::clock::UnixSeconds;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const NULL: u8 = 0x05;
/// `[0]`, constructed, and those behind it.
pub(super) const CONTEXT_0: u8 = 0xa0;
pub(super) const CONTEXT_1: u8 = 0xa1;
pub(super) const CONTEXT_2: u8 = 0xa2;

/// Tag, length octets and length: as much as a header can take.
pub(super) const HEADER_BYTES_MAX: usize = 6;

/// An element's tag, the octets of its header, and those of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) tag: u8,
    pub(super) bytes: usize,
    pub(super) content: usize,
}

impl Header {
    /// The header that `bytes` begin with; tags of one octet and lengths below 4 GiB.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        if first < 0x80 {
            return Some(Self {
                tag,
                bytes: 2,
                content: usize::from(first),
            });
        }
        let count = usize::from(first & 0x7f);
        let octets = rest.get(..count).filter(|_| (1..=4).contains(&count))?;
        let content = octets
            .iter()
            .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
        let shortest = octets.first() != Some(&0) && content >= 0x80;
        shortest.then_some(Self {
            tag,
            bytes: 2 + count,
            content,
        })
    }
}

/// Takes one element off the front: its tag and its content.
pub(super) fn element<'b>(bytes: &mut &'b [u8]) -> Option<(u8, &'b [u8])> {
    let header = Header::of(bytes)?;
    let content = bytes.get(header.bytes..)?.get(..header.content)?;
    *bytes = bytes.get(header.bytes + header.content..)?;
    Some((header.tag, content))
}

/// Takes one element of this tag off the front, and gives all its octets: what signatures are over.
pub(super) fn whole<'b>(bytes: &mut &'b [u8], tag: u8) -> Option<&'b [u8]> {
    let before = *bytes;
    expect(bytes, tag)?;
    before.get(..before.len() - bytes.len())
}

/// Takes an element of this tag off the front; without it nothing is taken.
pub(super) fn expect<'b>(bytes: &mut &'b [u8], tag: u8) -> Option<&'b [u8]> {
    let mut rest = *bytes;
    let (found, content) = element(&mut rest)?;
    (found == tag).then(|| {
        *bytes = rest;
        content
    })
}

/// The content of the one element of this tag that `bytes` are.
pub(super) fn only(mut bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let content = expect(&mut bytes, tag)?;
    bytes.is_empty().then_some(content)
}

/// An element of this tag with these contents, one behind the other.
pub(super) fn made(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|content| content.len()).sum();
    let octets = length.to_be_bytes();
    let skipped = octets.iter().take_while(|octet| **octet == 0).count();
    let shortest = octets.get(skipped..).unwrap_or_default();
    let mut element = vec![tag];
    match length {
        0 => element.push(0),
        1..0x80 => element.extend_from_slice(shortest),
        _ => {
            // At most eight octets.
            element.push(0x80 | u8::try_from(shortest.len()).unwrap_or(0));
            element.extend_from_slice(shortest);
        }
    }
    contents
        .iter()
        .for_each(|content| element.extend_from_slice(content));
    element
}

/// An extension (RFC 5280 section 4.1).
pub(super) struct Extension<'b> {
    pub(super) id: &'b [u8],
    pub(super) critical: bool,
    pub(super) value: &'b [u8],
}

/// Takes an extension off the front.
pub(super) fn extension<'b>(bytes: &mut &'b [u8]) -> Option<Extension<'b>> {
    let mut fields = expect(bytes, SEQUENCE)?;
    let id = expect(&mut fields, OBJECT_IDENTIFIER)?;
    let critical = match expect(&mut fields, BOOLEAN) {
        None | Some([0]) => false,
        Some([0xff]) => true,
        Some(_) => return None,
    };
    let value = only(fields, OCTET_STRING)?;
    Some(Extension {
        id,
        critical,
        value,
    })
}

/// UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 writes them: with seconds, in UTC,
/// without fraction. Before 1970 it reads as zero.
pub(super) fn time(tag: u8, content: &[u8]) -> Option<UnixSeconds> {
    let (digits, zone) = content.split_last_chunk::<1>()?;
    if zone != b"Z" || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (year, rest) = match (tag, digits.len()) {
        (UTC_TIME, 12) => {
            let year = number(digits.get(..2)?);
            (if year < 50 { 2000 + year } else { 1900 + year }, 2)
        }
        (GENERALIZED_TIME, 14) => (number(digits.get(..4)?), 4),
        _ => return None,
    };
    let part = |at: usize| Some(number(digits.get(rest + at..rest + at + 2)?));
    let (month, day) = (part(0)?, part(2)?);
    let (hour, minute, second) = (part(4)?, part(6)?, part(8)?);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(UnixSeconds(u64::try_from(seconds).unwrap_or(0)))
}

fn number(digits: &[u8]) -> i64 {
    digits
        .iter()
        .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))
}

/// Days from 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap day
/// is the last of them; 719,468 days lie between its year 0 and 1970.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let since_march = (month + 9) % 12;
    let of_year = (153 * since_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_are_not_the_shortest_are_refused() {
        let header = |bytes: &[u8]| Header::of(bytes).map(|header| (header.bytes, header.content));
        assert_eq!(header(&[0x30, 0x7f]), Some((2, 0x7f)));
        assert_eq!(header(&[0x30, 0x81, 0x80]), Some((3, 0x80)));
        assert_eq!(header(&[0x30, 0x83, 1, 0, 0]), Some((5, 0x1_0000)));
        for bad in [
            &[0x30, 0x80][..],
            &[0x30, 0x81, 0x7f],
            &[0x30, 0x82, 0, 0x80],
            &[0x30, 0x82, 1],
            &[0x30, 0x85, 1, 0, 0, 0, 0],
            &[0x3f, 1],
            &[0x30],
            &[],
        ] {
            assert_eq!(header(bad), None, "{bad:x?}");
        }
    }

    #[test]
    fn what_is_made_is_read_again() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1_0000] {
            let content = vec![7; length];
            let (one, other) = content.split_at(length / 2);
            let element = made(OCTET_STRING, &[one, other]);
            assert_eq!(only(&element, OCTET_STRING), Some(content.as_slice()));
            let mut rest = element.as_slice();
            assert_eq!(whole(&mut rest, OCTET_STRING), Some(element.as_slice()));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn times_are_read_as_seconds_since_1970() {
        let utc = |text: &str| time(UTC_TIME, text.as_bytes()).map(|seconds| seconds.0);
        let general = |text: &str| time(GENERALIZED_TIME, text.as_bytes()).map(|s| s.0);
        assert_eq!(utc("700101000000Z"), Some(0));
        assert_eq!(utc("240229235959Z"), Some(1_709_251_199));
        assert_eq!(utc("491231235959Z"), Some(2_524_607_999));
        assert_eq!(utc("991231235959Z"), Some(946_684_799));
        assert_eq!(utc("500101000000Z"), Some(0));
        assert_eq!(general("20500101000000Z"), Some(2_524_608_000));
        assert_eq!(general("21000301000000Z"), Some(4_107_542_400));
        for bad in [
            "2402292359Z",
            "240229235959+0000",
            "241329235959Z",
            "240200000000Z",
            "240132000000Z",
            "240001000000Z",
            "240101240000Z",
            "240101006000Z",
            "240101000060Z",
            "",
        ] {
            assert_eq!(utc(bad), None, "{bad}");
        }
        assert_eq!(general("20240229235959.5Z"), None);
        assert_eq!(general("240229235959Z"), None);
    }
}
