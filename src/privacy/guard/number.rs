//! Numbers, as JSON writes them.

use super::super::fields::Kind;
use super::{Guard, Notes, Trace, Weight, hidden};

impl Guard {
    /// A number as JSON writes it: an IMSI would be one without its fraction.
    pub(super) fn number(&self, number: &[u8], kind: Kind, notes: &mut Notes) -> Option<Trace> {
        if let Some(form) = hidden(kind) {
            return Some(self.trace_of_member(form, number));
        }
        let weight = if kind == Kind::Number {
            Weight::IfKnown
        } else {
            Weight::Full
        };
        match number.iter().any(|octet| matches!(octet, b'e' | b'E')) {
            false => {
                let end = number.iter().position(|octet| *octet == b'.');
                self.digits(number.get(..end.unwrap_or(number.len()))?, weight, notes)
            }
            true => self.digits(&written_out(number)?, weight, notes),
        }
    }
}

/// The digits of a number before its point, where it is written with an exponent: as doubles often
/// are. None where they are more, or fewer, than an identity has.
fn written_out(number: &[u8]) -> Option<Vec<u8>> {
    const DIGITS_MAX: usize = 32;
    let text = std::str::from_utf8(number).ok()?;
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent
        .strip_prefix('+')
        .unwrap_or(exponent)
        .parse()
        .ok()?;
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    let length = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let length = usize::try_from(length).ok()?;
    let digits = whole.bytes().chain(fraction.bytes());
    let all = digits.chain(std::iter::repeat(b'0')).take(length);
    // Such as 0.00031e18.
    let all = all.skip_while(|digit| *digit == b'0');
    (length <= DIGITS_MAX).then(|| all.collect())
}
