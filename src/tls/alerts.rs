//! Which alert has ended a handshake: for the audit file, which says what the client was told.

use rustls::{AlertDescription, CertificateError, Error, PeerMisbehaved};

use super::Refusal;

pub(super) const RECORD_OVERFLOW: u8 = 22;
pub(super) const DECODE_ERROR: u8 = 50;
pub(super) const PROTOCOL_VERSION: u8 = 70;
pub(super) const INTERNAL_ERROR: u8 = 80;
pub(super) const MISSING_EXTENSION: u8 = 109;
pub(super) const UNRECOGNIZED_NAME: u8 = 112;

const CONTENT_ALERT: u8 = 21;
const CONTENT_APPLICATION_DATA: u8 = 23;

/// The alert at the end of what rustls has sent about an error, where it has sent one: read where
/// it is in the clear, and else what was noted when it was sealed.
pub(super) fn told(records: &[u8], noted: Option<u8>) -> Option<u8> {
    match last_record(records)? {
        [CONTENT_ALERT, _, _, 0, 2, _, alert] => Some(*alert),
        [CONTENT_ALERT | CONTENT_APPLICATION_DATA, ..] => noted,
        _ => None,
    }
}

/// What comes closest to an error, before there are keys, that rustls has sent no alert for; none
/// in answer to an alert.
pub(super) fn closest(error: &Error) -> Option<u8> {
    let alert = match error {
        Error::AlertReceived(_) => return None,
        Error::InvalidCertificate(fault) => AlertDescription::from(fault.clone()),
        Error::InvalidMessage(fault) => AlertDescription::from(*fault),
        Error::NoCertificatesPresented => AlertDescription::CertificateRequired,
        Error::NoApplicationProtocol => AlertDescription::NoApplicationProtocol,
        Error::PeerSentOversizedRecord => AlertDescription::RecordOverflow,
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            AlertDescription::UnexpectedMessage
        }
        Error::PeerIncompatible(_) => AlertDescription::HandshakeFailure,
        Error::PeerMisbehaved(
            PeerMisbehaved::KeyEpochWithPendingFragment
            | PeerMisbehaved::IllegalMiddleboxChangeCipherSpec,
        ) => AlertDescription::UnexpectedMessage,
        Error::PeerMisbehaved(_) => AlertDescription::IllegalParameter,
        _ => AlertDescription::InternalError,
    };
    Some(u8::from(alert))
}

/// Whether records end in one under keys of TLS 1.3.
pub(super) fn sealed(records: &[u8]) -> bool {
    last_record(records).is_some_and(|record| record.first() == Some(&CONTENT_APPLICATION_DATA))
}

fn last_record(mut records: &[u8]) -> Option<&[u8]> {
    loop {
        let &[_, _, _, high, low] = records.first_chunk()?;
        let (record, rest) =
            records.split_at_checked(5 + usize::from(u16::from_be_bytes([high, low])))?;
        if rest.is_empty() {
            return Some(record);
        }
        records = rest;
    }
}

/// The name of an alert as RFC 8446 section 6 writes it; empty where it has none.
pub(super) fn word(alert: u8) -> &'static str {
    match alert {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => "",
    }
}

pub(super) fn refusal_of(error: &Error) -> Refusal {
    match error {
        Error::NoCertificatesPresented => Refusal::NoClientCertificate,
        Error::InvalidCertificate(fault) => match fault {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Refusal::CertificateExpired,
            CertificateError::UnknownIssuer => Refusal::UnknownCa,
            _ => Refusal::BadCertificate,
        },
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Refusal::NoCommonProfile,
        Error::AlertReceived(_) => Refusal::PeerAlert,
        _ => Refusal::Protocol,
    }
}
