//! Mutual TLS at the T8 side: the profile, the handshake without I/O, and the records after it.
//!
//! A [`Handshake`] takes bytes and gives bytes. With a server key in a token it says
//! [`Step::SignElsewhere`] before anything is signed: the owner ships it to a thread that may wait
//! for the token. What comes out of it is a [`Session`] and a `Peer`.

mod alerts;
mod certificate_rules;
mod certificates;
mod chains;
mod client_auth;
mod der;
mod dhe_allowance;
mod epoch;
mod ffdhe;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod handshake;
mod hello;
mod leaf;
pub mod ocsp;
mod own_chain;
mod path;
mod profile;
mod resumption;
pub mod revocation;
mod sealed;
mod server_key;
mod session;
mod signatures;
mod ticket_keys;
mod turn;

pub use certificate_rules::{
    Alert, Applies, Purpose, RULES, Rule, RuleRow, RuleSet, STRENGTHS, broken_by_chain,
};
pub use certificates::ServerCertificate;
pub use client_auth::{
    ClientAuth, OF_ISSUERS, PartnerGroup, SelfSigned, UnfitSelfSigned, UnfitTrust,
};
pub use dhe_allowance::DheAllowance;
pub use handshake::{Effort, Established, Handshake, Step, Terminator};
pub use leaf::{Known, known_of};
pub use own_chain::{UnfitChain, carries, dns_names, has_ca_between, unfit_to_serve};
pub use profile::{PROFILES, Profile, THREE_GPP};
pub use resumption::Tickets;
pub use server_key::shown_by_client;
pub use session::{Opened, Session, TlsFault};
pub use ticket_keys::{Keyring, NAME_BYTES, SharedSecret, TicketKeys, TicketSecret, Wanted};

/// Names of the key exchange groups that are spoken here, best first.
pub fn groups() -> Vec<String> {
    profile::THREE_GPP.groups()
}

/// Why a handshake was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The first bytes are no TLS record.
    NotTls,
    /// The client asked for a name that is not served.
    UnknownSni,
    /// The client has sent no certificate.
    NoClientCertificate,
    /// A certificate of the client's chain is not valid at this time.
    CertificateExpired,
    /// The chain ends at no configured trust anchor.
    UnknownCa,
    /// No name of the certificate belongs to a client.
    NotMapped,
    /// Names of the certificate belong to different clients.
    MappedTwice,
    /// The chain ends at a trust anchor of another partner group than the client's.
    OtherPartner,
    /// The chain breaks a rule of the certificate profile.
    Profile(Rule),
    /// A revocation list names a certificate of the client's chain, or a responder says it of the
    /// client's own.
    CertificateRevoked,
    /// The operator of this gateway has revoked the client's certificate, whatever its CA says.
    RevokedHere,
    /// No revocation list speaks of a certificate of the client's chain, or no responder of the
    /// client's own.
    RevocationUnknown,
    /// The revocation list that speaks of it has ended.
    RevocationListExpired,
    /// The certificate is unfit otherwise: signature, constraints, encoding.
    BadCertificate,
    /// No version, suite, group or application protocol in common.
    NoCommonProfile,
    /// The client offers nothing but DHE, and of that there is no more for now.
    DheOverLimit,
    /// The server key did not sign.
    SignerFailed,
    /// More bytes than a handshake may have, or more certificates than a chain.
    TooLong,
    /// The client has ended the handshake by an alert.
    PeerAlert,
    /// The client broke the protocol.
    Protocol,
}

impl Refusal {
    /// The word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotTls => "not_tls",
            Self::UnknownSni => "unknown_sni",
            Self::NoClientCertificate => "no_client_certificate",
            Self::CertificateExpired => "client_certificate_expired",
            Self::UnknownCa => "unknown_ca",
            Self::NotMapped => "not_mapped",
            Self::MappedTwice => "mapped_twice",
            Self::OtherPartner => "other_partner",
            Self::Profile(_) => "certificate_rule",
            Self::CertificateRevoked => "certificate_revoked",
            Self::RevokedHere => "certificate_revoked_here",
            Self::RevocationUnknown => "revocation_unknown",
            Self::RevocationListExpired => "revocation_list_expired",
            Self::BadCertificate => "bad_certificate",
            Self::NoCommonProfile => "no_common_profile",
            Self::DheOverLimit => "dhe_over_limit",
            Self::SignerFailed => "signer_failed",
            Self::TooLong => "too_long",
            Self::PeerAlert => "peer_alert",
            Self::Protocol => "protocol",
        }
    }
}

/// The alert that tells the client of a connection that stands why it ends.
fn alert_of(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::BadCertificate => 42,
        Refusal::CertificateRevoked | Refusal::RevokedHere => 44,
        Refusal::CertificateExpired => 45,
        Refusal::UnknownCa | Refusal::RevocationUnknown | Refusal::RevocationListExpired => 48,
        // access_denied
        _ => 49,
    }
}

#[cfg(test)]
mod tests;
