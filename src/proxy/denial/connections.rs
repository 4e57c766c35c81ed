//! The table's other half: connections that were refused before HTTP, or broken beside it.

use crate::metrics::{CONNECTION_ROWS_MAX, RULES_MAX};
use crate::tls::{RULES, Refusal, Rule, TlsFault};

/// Why a connection was refused or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionDenial {
    Handshake(Refusal),
    /// The queue of the signers is full.
    SignerBusy,
    /// The token did not sign in time.
    SignerDeadline,
    HandshakeDeadline,
    /// After the handshake.
    Session(TlsFault),
    /// What is trusted has changed: the client would not be let in now.
    Distrusted(Refusal),
}

/// One row of the table.
#[derive(Debug)]
pub struct ConnectionRow {
    /// In metrics, logs and the audit file.
    pub word: &'static str,
    /// The TLS alert the client gets, as a rule; empty where it gets none.
    pub alert: &'static str,
    /// What the operator should look at.
    pub cure: &'static str,
}

impl ConnectionRow {
    /// What the operator should look at: for what it was in particular, where that leads elsewhere.
    pub fn cure_of(&self, detail: &str) -> &'static str {
        match detail == Refusal::RevokedHere.word() {
            true => ConnectionDenial::Handshake(Refusal::RevokedHere).row().cure,
            false => self.cure,
        }
    }
}

impl ConnectionDenial {
    /// The row this refusal belongs to.
    pub fn row(self) -> &'static ConnectionRow {
        &CONNECTION_ROWS[self.place()]
    }

    /// The rule of the certificate profile that was broken, where that was the reason.
    pub fn rule(self) -> Option<Rule> {
        match self {
            Self::Handshake(Refusal::Profile(rule)) | Self::Distrusted(Refusal::Profile(rule)) => {
                Some(rule)
            }
            _ => None,
        }
    }

    /// What it was in particular: the rule, what the client would be refused for now, or the TLS
    /// alert that it was sent.
    pub fn detail(self, alert: &'static str) -> &'static str {
        match (self, self.rule()) {
            (_, Some(rule)) => rule.name(),
            (Self::Distrusted(refusal), None) => refusal.word(),
            _ => alert,
        }
    }

    /// What the operator should look at.
    pub fn cure(self) -> &'static str {
        let row = self.row();
        { self.rule() }.map_or_else(|| row.cure_of(self.detail("")), |rule| rule.row().cure)
    }

    /// Place of the row in [`CONNECTION_ROWS`], which is also the place of its counter.
    pub fn place(self) -> usize {
        match self {
            Self::Handshake(Refusal::NotTls) => 0,
            Self::Handshake(Refusal::UnknownSni) => 1,
            Self::Handshake(Refusal::NoClientCertificate) => 2,
            Self::Handshake(Refusal::CertificateExpired) => 3,
            Self::Handshake(Refusal::UnknownCa) => 4,
            Self::Handshake(Refusal::NotMapped) => 5,
            Self::Handshake(Refusal::MappedTwice) => 6,
            Self::Handshake(Refusal::BadCertificate) => 7,
            Self::Handshake(Refusal::NoCommonProfile) => 8,
            Self::Handshake(Refusal::SignerFailed) => 9,
            Self::Handshake(Refusal::TooLong) => 10,
            Self::Handshake(Refusal::PeerAlert) => 11,
            Self::Handshake(Refusal::Protocol) => 12,
            Self::SignerBusy => 13,
            Self::SignerDeadline => 14,
            Self::HandshakeDeadline => 15,
            Self::Session(TlsFault::BadRecord) => 16,
            Self::Session(TlsFault::PeerAlert) => 17,
            Self::Session(TlsFault::Fragmented) => 18,
            Self::Session(TlsFault::KeysExhausted) => 19,
            Self::Session(TlsFault::Protocol) => 20,
            Self::Handshake(Refusal::OtherPartner) => 21,
            Self::Handshake(Refusal::Profile(_)) => 22,
            Self::Distrusted(_) => 23,
            Self::Handshake(Refusal::CertificateRevoked) => 24,
            Self::Handshake(Refusal::RevocationUnknown) => 25,
            Self::Handshake(Refusal::RevocationListExpired) => 26,
            Self::Handshake(Refusal::DheOverLimit) => 27,
            Self::Handshake(Refusal::RevokedHere) => 28,
        }
    }
}

const fn row(word: &'static str, alert: &'static str, cure: &'static str) -> ConnectionRow {
    ConnectionRow { word, alert, cure }
}

const SLOW_SIGNER: &str = "the HSM is slower than the handshakes that arrive: raise \
                           tls.key.sessions, or see whether the token answers with `t8gate check`";
const BROKEN_SESSION: &str =
    "the client breaks the TLS protocol, or something on the way alters its bytes";

/// The table.
pub const CONNECTION_ROWS: [ConnectionRow; 29] = [
    row(
        "not_tls",
        "decode_error",
        "the client speaks no TLS: T8 is TLS only (TS 33.187 clause 5.5.2)",
    ),
    row(
        "unknown_sni",
        "unrecognized_name",
        "if the name is this gateway's: have its certificate issued with it, and \
         listen.server_names, where that is set, list it",
    ),
    row(
        "no_client_certificate",
        "certificate_required",
        "the client must present its certificate",
    ),
    row(
        "client_certificate_expired",
        "certificate_expired",
        "the client must renew its certificate; else see whether this machine's clock is right",
    ),
    row(
        "unknown_ca",
        "unknown_ca",
        "add the client's CA to the client_ca of its [[partner]], or to tls.client_ca, if it is a \
         partner's; a certificate that the client has signed itself goes there never: register it \
         by self_signed_tls_client_auth of its [[client]]",
    ),
    row(
        "not_mapped",
        "access_denied",
        "add a name of the certificate to the sans of one [[client]]",
    ),
    row(
        "mapped_twice",
        "access_denied",
        "names of one certificate stand with two clients: give it one",
    ),
    row(
        "bad_certificate",
        "bad_certificate, unsupported_certificate, decrypt_error",
        "the client's certificate does not fit TS 33.310 clause 6.1.3a",
    ),
    row(
        "no_common_profile",
        "handshake_failure, protocol_version, missing_extension, no_application_protocol",
        "the client offers nothing of TS 33.210 clause 6.2",
    ),
    row(
        "signer_failed",
        "internal_error",
        "the token did not sign: see whether it answers `t8gate check`",
    ),
    row(
        "too_long",
        "bad_certificate",
        "what the client sends in the handshake is far too long: a certificate chain has four CAs \
         at most, and all of it 64 KiB, beyond which no alert is sent",
    ),
    row(
        "peer_alert",
        "",
        "the client refused this gateway: does it trust its certificate?",
    ),
    row(
        "protocol",
        "unexpected_message, illegal_parameter, decode_error, record_overflow, bad_record_mac, \
         decrypt_error",
        "the client breaks the TLS protocol",
    ),
    row("signer_busy", "internal_error", SLOW_SIGNER),
    row("signer_deadline", "internal_error", SLOW_SIGNER),
    row(
        "handshake_deadline",
        "",
        "a slow or stalled client: deadlines.handshake",
    ),
    row(
        "tls_bad_record",
        "bad_record_mac, record_overflow",
        BROKEN_SESSION,
    ),
    row(
        "tls_peer_alert",
        "",
        "the client ended the session by an alert: see its own log",
    ),
    row("tls_fragmented", "unexpected_message", BROKEN_SESSION),
    row(
        "tls_keys_exhausted",
        "",
        "a connection carried more than its keys may seal: the client connects again",
    ),
    row(
        "tls_protocol",
        "unexpected_message, illegal_parameter, decode_error",
        BROKEN_SESSION,
    ),
    row(
        "other_partner",
        "access_denied",
        "the certificate has a client's name, and comes from a CA of another partner group: the \
         partners must settle whose name it is",
    ),
    row(
        "certificate_rule",
        "by rule",
        "the client's certificate breaks a rule of TS 33.310: detail names it, and the log says \
         what to do",
    ),
    row(
        "trust_lost",
        "certificate_revoked, certificate_expired, unknown_ca, access_denied, close_notify",
        "the configuration in force, or a revocation, no longer lets this certificate in: \
         detail says why. Over TLS 1.2 the client gets close_notify, whatever that is",
    ),
    row(
        "certificate_revoked",
        "certificate_revoked",
        "the CA has revoked the client's certificate, or one between it and the trust anchor: the \
         client needs a new one",
    ),
    row(
        "revocation_unknown",
        "unknown_ca",
        "no revocation list in use, or no OCSP responder, speaks of the client's certificate: add \
         [[crl]] or [[ocsp]] for its CA, or see in the log why a list was not taken or a responder \
         has not answered",
    ),
    row(
        "revocation_list_expired",
        "unknown_ca",
        "the CA's revocation list has ended: have it renewed; revocation.grace gives time",
    ),
    row(
        "dhe_over_limit",
        "internal_error",
        "clients that offer nothing but DHE come too often, from one source or in all: let them \
         keep their connections or offer ECDHE; else limits.dhe_per_min_per_source_max and \
         limits.dhe_per_min_max",
    ),
    row(
        "certificate_revoked_here",
        "certificate_revoked",
        "an operator of this gateway has revoked the client's certificate: `t8gate token revoke \
         --certificate` with --take-back takes that back, and a line of the file of \
         revocation.revoked is taken out there",
    ),
];

const _: () = assert!(CONNECTION_ROWS.len() <= CONNECTION_ROWS_MAX);
const _: () = assert!(RULES.len() <= RULES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refused_connection_finds_its_own_row() {
        let refusals = [
            Refusal::NotTls,
            Refusal::UnknownSni,
            Refusal::NoClientCertificate,
            Refusal::CertificateExpired,
            Refusal::UnknownCa,
            Refusal::NotMapped,
            Refusal::MappedTwice,
            Refusal::BadCertificate,
            Refusal::NoCommonProfile,
            Refusal::SignerFailed,
            Refusal::TooLong,
            Refusal::PeerAlert,
            Refusal::Protocol,
            Refusal::OtherPartner,
            Refusal::Profile(Rule::Version),
            Refusal::CertificateRevoked,
            Refusal::RevocationUnknown,
            Refusal::RevocationListExpired,
            Refusal::DheOverLimit,
            Refusal::RevokedHere,
        ];
        let faults = [
            TlsFault::BadRecord,
            TlsFault::PeerAlert,
            TlsFault::Fragmented,
            TlsFault::KeysExhausted,
            TlsFault::Protocol,
        ];
        let others = [
            (ConnectionDenial::SignerBusy, "signer_busy"),
            (ConnectionDenial::SignerDeadline, "signer_deadline"),
            (ConnectionDenial::HandshakeDeadline, "handshake_deadline"),
            (
                ConnectionDenial::Distrusted(Refusal::UnknownCa),
                "trust_lost",
            ),
        ];
        let all = refusals
            .map(|refusal| (ConnectionDenial::Handshake(refusal), refusal.word()))
            .into_iter()
            .chain(faults.map(|fault| (ConnectionDenial::Session(fault), fault.word())))
            .chain(others);
        let mut places = Vec::new();
        for (denial, word) in all {
            assert_eq!(denial.row().word, word);
            assert!(!denial.row().cure.is_empty(), "{word}");
            places.push(denial.place());
        }
        places.sort_unstable();
        assert!(places.into_iter().eq(0..CONNECTION_ROWS.len()));
    }
}
