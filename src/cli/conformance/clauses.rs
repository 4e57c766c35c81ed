//! The clauses that are not rules of single certificates.

use super::{Status, revocation};
use crate::config::Config;

/// One clause.
pub(super) struct Row {
    /// The word by which the test of handshakes finds it.
    pub(super) name: &'static str,
    pub(super) document: &'static str,
    pub(super) clause: &'static str,
    pub(super) text: &'static str,
    pub(super) verified: bool,
    pub(super) demand: Demand,
}

/// What decides whether it is met.
pub(super) enum Demand {
    /// Nothing can be configured otherwise.
    Kept,
    /// The TLS profile offers these.
    Versions(&'static [&'static str]),
    Suites(&'static [&'static str]),
    /// The same of a suite of TLS 1.2 that goes with one kind of own key.
    SuiteOf(&'static str, OwnKey),
    Groups(&'static [&'static str]),
    /// The same, and TLS 1.2.
    GroupsOf12(&'static [&'static str]),
    /// Where the embedded issuer is configured; else for this reason not.
    KeptWithOauth(&'static str),
    /// Where clients may ask for names of this gateway only; else for this reason not.
    ServerNames(&'static str),
    /// By how revocation is configured.
    Revocation(fn(&Config) -> Status),
    /// The same, of clients' certificates.
    RevocationOfClients(fn(&Config) -> Status),
}

/// A kind of key of the gateway's own.
#[derive(Clone, Copy)]
pub(super) enum OwnKey {
    Rsa,
    Ecdsa,
}

impl OwnKey {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::Ecdsa => "ECDSA",
        }
    }
}

const fn row(
    name: &'static str,
    document: &'static str,
    clause: &'static str,
    verified: bool,
    text: &'static str,
    demand: Demand,
) -> Row {
    Row {
        name,
        document,
        clause,
        text,
        verified,
        demand,
    }
}

const T8: &str = "TS 33.187";
const CERTIFICATES: &str = "TS 33.310";
const PATHS: &str = "RFC 5280";
const TLS: &str = "TS 33.210";
const MTLS: &str = "RFC 8705";

pub(super) const CLAUSES: [Row; 45] = [
    row(
        "certificates_checked",
        CERTIFICATES,
        "6.1",
        true,
        "certificates are checked against the profile, and only compliant ones are taken",
        Demand::Kept,
    ),
    row(
        "certificates_over_sha_384",
        CERTIFICATES,
        "6.1.1",
        true,
        "certificates signed over SHA-384 should be supported; over SHA-512 they are taken as well",
        Demand::Kept,
    ),
    row(
        "revocation",
        CERTIFICATES,
        "6.1.1",
        true,
        "a client whose certificate a CRL of its CA names is refused",
        Demand::RevocationOfClients(revocation::looked_up),
    ),
    row(
        "revocation_hard_fail",
        PATHS,
        "6.3.3",
        true,
        "a client of whose certificate no CRL in force speaks is refused",
        Demand::RevocationOfClients(revocation::fails_hard),
    ),
    row(
        "next_update",
        PATHS,
        "6.3.3",
        true,
        "a CRL is believed until its nextUpdate and no longer",
        Demand::RevocationOfClients(revocation::ends_with_next_update),
    ),
    row(
        "ocsp_clients",
        CERTIFICATES,
        "F.2",
        true,
        "OCSP may be used beside CRLs, or instead: a client that its responder calls revoked is \
         refused",
        Demand::RevocationOfClients(revocation::asked_about),
    ),
    row(
        "mutual_authentication",
        T8,
        "5.5.1",
        true,
        "mutual authentication with client and server certificates",
        Demand::Kept,
    ),
    row(
        "tls_only",
        T8,
        "5.5.2",
        true,
        "T8 is served in TLS only",
        Demand::Kept,
    ),
    row(
        "oauth_on_every_request",
        T8,
        "5.5.3",
        true,
        "every request of an SCS/AS is authorized by OAuth 2.0",
        Demand::Kept,
    ),
    row(
        "no_early_data",
        T8,
        "4.7",
        true,
        "integrity and replay protection: no 0-RTT",
        Demand::Kept,
    ),
    row(
        "old_versions_refused",
        TLS,
        "6.2.1",
        true,
        "TLS 1.1 and older, and SSL, are not supported",
        Demand::Kept,
    ),
    row(
        "no_http_upgrade",
        TLS,
        "6.2.1",
        true,
        "no upgrade to TLS within HTTP/1.1 (RFC 2817)",
        Demand::Kept,
    ),
    row(
        "tls_1_3",
        TLS,
        "6.2.1",
        true,
        "TLS 1.3 is supported",
        Demand::Versions(&["TLSv1_3"]),
    ),
    row(
        "tls_1_2",
        TLS,
        "6.2.1",
        true,
        "TLS 1.2 is supported",
        Demand::Versions(&["TLSv1_2"]),
    ),
    row(
        "tls_1_3_suite",
        TLS,
        "6.2.2",
        true,
        "TLS_AES_128_GCM_SHA256 is supported",
        Demand::Suites(&["TLS13_AES_128_GCM_SHA256"]),
    ),
    row(
        "tls_1_3_more_suites",
        TLS,
        "6.2.2",
        true,
        "TLS_AES_256_GCM_SHA384 and TLS_CHACHA20_POLY1305_SHA256 should be",
        Demand::Suites(&["TLS13_AES_256_GCM_SHA384", "TLS13_CHACHA20_POLY1305_SHA256"]),
    ),
    row(
        "tls_1_3_signatures",
        TLS,
        "6.2.2",
        true,
        "clients' signatures by rsa_pss_rsae_sha256, ecdsa_secp256r1_sha256 \
         and ecdsa_secp384r1_sha384 are taken",
        Demand::Versions(&["TLSv1_3"]),
    ),
    row(
        "tls_1_3_own_signatures",
        TLS,
        "6.2.2",
        true,
        "the gateway signs by ECDSA or RSASSA-PSS over SHA-256 or better, never by RSASSA-PKCS1 or \
         over SHA-1",
        Demand::Versions(&["TLSv1_3"]),
    ),
    row(
        "mandatory_extensions",
        TLS,
        "6.2.2",
        true,
        "a hello without signature_algorithms, supported_groups or key_share is refused by \
         missing_extension",
        Demand::Versions(&["TLSv1_3"]),
    ),
    row(
        "group_secp256r1",
        TLS,
        "6.2.2",
        true,
        "secp256r1 is supported",
        Demand::Groups(&["secp256r1"]),
    ),
    row(
        "more_groups",
        TLS,
        "6.2.2",
        true,
        "X25519 and secp384r1 should be",
        Demand::Groups(&["X25519", "secp384r1"]),
    ),
    row(
        "psk_dhe_ke",
        TLS,
        "6.2.2",
        false,
        "sessions of TLS 1.3 are continued with a new key exchange only (psk_dhe_ke)",
        Demand::Versions(&["TLSv1_3"]),
    ),
    row(
        "psk_ke_alone",
        TLS,
        "6.2.2",
        false,
        "no session of TLS 1.3 is continued for a client that wants no new key exchange (psk_ke)",
        Demand::Versions(&["TLSv1_3"]),
    ),
    row(
        "ocsp_stapled",
        TLS,
        "6.2.2",
        false,
        "OCSP status of the server's certificate should be stapled",
        Demand::Revocation(revocation::stapled),
    ),
    row(
        "tls_1_2_suites",
        TLS,
        "6.2.3",
        false,
        "TLS 1.2 with forward secrecy and authenticated encryption only",
        Demand::Kept,
    ),
    row(
        "tls_1_2_ecdhe_suite",
        TLS,
        "6.2.3",
        false,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 is supported",
        Demand::SuiteOf("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", OwnKey::Ecdsa),
    ),
    row(
        "tls_1_2_ecdhe_rsa_suite",
        TLS,
        "6.2.3",
        false,
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is supported",
        Demand::SuiteOf("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", OwnKey::Rsa),
    ),
    row(
        "tls_1_2_ecdsa_aes_256_suite",
        TLS,
        "6.2.3",
        false,
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 is supported",
        Demand::SuiteOf("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", OwnKey::Ecdsa),
    ),
    row(
        "tls_1_2_rsa_aes_256_suite",
        TLS,
        "6.2.3",
        false,
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 is supported",
        Demand::SuiteOf("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", OwnKey::Rsa),
    ),
    row(
        "tls_1_2_dhe_aes_256_suite",
        TLS,
        "6.2.3",
        false,
        "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384 is supported",
        Demand::SuiteOf("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", OwnKey::Rsa),
    ),
    row(
        "tls_1_2_dhe_suite",
        TLS,
        "6.2.3",
        false,
        "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 is supported",
        Demand::SuiteOf("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", OwnKey::Rsa),
    ),
    row(
        "tls_1_2_group",
        TLS,
        "6.2.3",
        false,
        "secp256r1 is supported in TLS 1.2",
        Demand::GroupsOf12(&["secp256r1"]),
    ),
    row(
        "tls_1_2_more_groups",
        TLS,
        "6.2.3",
        false,
        "secp384r1 should be, in TLS 1.2",
        Demand::GroupsOf12(&["secp384r1"]),
    ),
    row(
        "no_weak_groups",
        TLS,
        "6.2.3",
        false,
        "no DH group below 2048 bits and no curve below 255",
        Demand::Kept,
    ),
    row(
        "tls_1_2_signatures",
        TLS,
        "6.2.3",
        false,
        "clients' signatures by ECDSA and RSA with SHA-256 and SHA-384 are taken",
        Demand::Versions(&["TLSv1_2"]),
    ),
    row(
        "session_resumption",
        TLS,
        "6.2.3",
        false,
        "sessions of TLS 1.2 should be continued",
        Demand::Versions(&["TLSv1_2"]),
    ),
    row(
        "extended_master_secret",
        TLS,
        "6.2.3",
        false,
        "the extended master secret is required",
        Demand::Kept,
    ),
    row(
        "renegotiation",
        TLS,
        "6.2.3",
        false,
        "no renegotiation, and its indication is answered",
        Demand::Kept,
    ),
    row(
        "no_compression",
        TLS,
        "6.2.3",
        false,
        "no compression",
        Demand::Kept,
    ),
    row(
        "no_truncated_hmac",
        TLS,
        "6.2.3",
        false,
        "no truncated HMAC",
        Demand::Kept,
    ),
    row(
        "server_name",
        TLS,
        "6.2.3",
        false,
        "a server name that is not served is refused",
        Demand::ServerNames("listen.any_server_name: any name is served"),
    ),
    row(
        "token_of_its_certificate",
        MTLS,
        "3",
        true,
        "a token is taken only with the certificate that its cnf names",
        Demand::Kept,
    ),
    row(
        "token_by_certificate",
        MTLS,
        "2.1",
        true,
        "clients authenticate by PKI at the token endpoint",
        Demand::KeptWithOauth("[oauth] is not configured: another issuer's matter"),
    ),
    row(
        "token_by_own_certificate",
        MTLS,
        "2.2",
        true,
        "clients authenticate by self-signed certificates that are registered, and by no others",
        Demand::KeptWithOauth("[oauth] is not configured: another issuer's matter"),
    ),
    row(
        "certificate_end",
        MTLS,
        "6.3",
        true,
        "a certificate's end ends the use of tokens bound to it",
        Demand::Kept,
    ),
];
