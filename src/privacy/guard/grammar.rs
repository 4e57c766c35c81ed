//! What a member may hold by the grammar of its field, and what digits in it weigh.

use super::super::fields::Kind;
use super::super::imsi::Form;

/// What digits weigh that begin as an IMSI does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// No digits have to be there.
    Full,
    /// They may be others', chosen by somebody: an IMSI, unless the set of known subscribers has
    /// it not.
    UnlessUnknown,
    /// They have to be others' by the field's grammar: an IMSI only if the set has it.
    IfKnown,
}

/// MCC, MNC and 36 bits in hexadecimal, with something between: a second cell does not fit.
const CELL_BYTES_MAX: usize = 24;

pub(super) fn weight(kind: Kind, text: &[u8]) -> Weight {
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    // No country's code begins with 0, as an IMSI of MCC 001 does.
    let is_msisdn =
        |text: &[u8]| (5..=15).contains(&text.len()) && digits(text) && text.first() != Some(&b'0');
    let is_external = |text: &[u8]| text.iter().filter(|octet| **octet == b'@').count() == 1;
    let hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    match kind {
        Kind::Msisdn if is_msisdn(text) => Weight::IfKnown,
        Kind::Gpsi => match (text.strip_prefix(b"msisdn-"), text.strip_prefix(b"extid-")) {
            (Some(digits), _) if is_msisdn(digits) => Weight::IfKnown,
            (_, Some(external)) if is_external(external) => Weight::UnlessUnknown,
            _ => Weight::Full,
        },
        Kind::ExternalId if is_external(text) => Weight::UnlessUnknown,
        Kind::SupportedFeatures if hex(text) => Weight::IfKnown,
        Kind::Cell
            if text.len() <= CELL_BYTES_MAX
                && text
                    .iter()
                    .all(|o| o.is_ascii_hexdigit() || matches!(o, b'-' | b'_' | b'.')) =>
        {
            Weight::IfKnown
        }
        Kind::Time if is_time(text) => Weight::IfKnown,
        Kind::Link | Kind::Id => Weight::UnlessUnknown,
        _ => Weight::Full,
    }
}

/// Whether a text is a date and time as RFC 3339 writes them, to the nanosecond at most.
pub(super) fn is_time(text: &[u8]) -> bool {
    let is_like = |text: &[u8], like: &[u8]| {
        text.len() == like.len()
            && text.iter().zip(like).all(|(octet, like)| match like {
                b'0' => octet.is_ascii_digit(),
                like => octet.eq_ignore_ascii_case(like),
            })
    };
    let Some((time, behind)) = text.split_at_checked(b"2026-11-18T11:06:40".len()) else {
        return false;
    };
    let zone = match behind.strip_prefix(b".") {
        Some(fraction) => {
            let digits = { fraction.iter() }.take_while(|octet| octet.is_ascii_digit());
            let (fraction, zone) = fraction.split_at(digits.count());
            if !(1..=9).contains(&fraction.len()) {
                return false;
            }
            zone
        }
        None => behind,
    };
    let is_zone = [&b"Z"[..], b"+00:00", b"-00:00", b""];
    is_like(time, b"0000-00-00T00:00:00") && is_zone.iter().any(|like| is_like(zone, like))
}

/// What a member holds in which something stands that its grammar has not.
pub(super) fn without_grammar(kind: Kind) -> Kind {
    match kind {
        Kind::Msisdn | Kind::Gpsi | Kind::SupportedFeatures | Kind::Cell | Kind::Time => Kind::Text,
        kind => kind,
    }
}

/// What a member is that must not be there, whatever it holds.
pub(super) fn hidden(kind: Kind) -> Option<Form> {
    match kind {
        Kind::Internal => Some(Form::Member),
        Kind::Network => Some(Form::NetworkInternal),
        _ => None,
    }
}

/// Whether something may be packed into a value: not where it is what its field holds, of which
/// some would be hexadecimal.
pub(super) fn takes_packed(kind: Kind, text: &[u8]) -> bool {
    weight(kind, text) != Weight::IfKnown
}

/// What stands for a value that was found to be an identity: of the same type, and of the field's
/// grammar.
pub(super) fn instead_of(kind: Kind, octets: &[u8], end: usize) -> &'static str {
    let is_text = end.checked_sub(1).and_then(|at| octets.get(at)) == Some(&b'"');
    match kind {
        _ if !is_text => "0",
        Kind::Msisdn => "\"00000\"",
        Kind::Gpsi => "\"extid-redacted@redacted.invalid\"",
        Kind::ExternalId => "\"redacted@redacted.invalid\"",
        Kind::Link => "\"https://redacted.invalid/\"",
        Kind::SupportedFeatures => "\"0\"",
        Kind::Base64 => "\"\"",
        _ => "\"redacted\"",
    }
}
