//! The clauses that are not rules of single certificates.

/// One clause.
pub(super) struct Row {
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
    Groups(&'static [&'static str]),
    /// It is not, for this reason.
    NotKept(&'static str),
    /// Where the embedded issuer is configured; else for this reason not.
    KeptWithOauth(&'static str),
}

const fn row(
    document: &'static str,
    clause: &'static str,
    verified: bool,
    text: &'static str,
    demand: Demand,
) -> Row {
    Row {
        document,
        clause,
        text,
        verified,
        demand,
    }
}

const T8: &str = "TS 33.187";
const CERTIFICATES: &str = "TS 33.310";
const TLS: &str = "TS 33.210";
const MTLS: &str = "RFC 8705";

pub(super) const CLAUSES: [Row; 24] = [
    row(
        CERTIFICATES,
        "6.1",
        true,
        "certificates are checked against the profile, and only compliant ones are taken",
        Demand::Kept,
    ),
    row(
        T8,
        "5.5.1",
        true,
        "mutual authentication with client and server certificates",
        Demand::Kept,
    ),
    row(T8, "5.5.2", true, "T8 is served in TLS only", Demand::Kept),
    row(
        T8,
        "5.5.3",
        true,
        "every request of an SCS/AS is authorized by OAuth 2.0",
        Demand::Kept,
    ),
    row(
        T8,
        "4.7",
        true,
        "integrity and replay protection: no 0-RTT",
        Demand::Kept,
    ),
    row(
        TLS,
        "6.2.1",
        true,
        "TLS 1.1 and older, and SSL, are not supported",
        Demand::Kept,
    ),
    row(
        TLS,
        "6.2.1",
        true,
        "TLS 1.3 is supported",
        Demand::Versions(&["TLSv1_3"]),
    ),
    row(
        TLS,
        "6.2.1",
        true,
        "TLS 1.2 is supported",
        Demand::Versions(&["TLSv1_2"]),
    ),
    row(
        TLS,
        "6.2.2",
        true,
        "TLS_AES_128_GCM_SHA256 is supported",
        Demand::Suites(&["TLS13_AES_128_GCM_SHA256"]),
    ),
    row(
        TLS,
        "6.2.2",
        true,
        "TLS_AES_256_GCM_SHA384 and TLS_CHACHA20_POLY1305_SHA256 should be",
        Demand::Suites(&["TLS13_AES_256_GCM_SHA384", "TLS13_CHACHA20_POLY1305_SHA256"]),
    ),
    row(
        TLS,
        "6.2.2",
        true,
        "secp256r1 is supported",
        Demand::Groups(&["secp256r1"]),
    ),
    row(
        TLS,
        "6.2.2",
        true,
        "X25519 and secp384r1 should be",
        Demand::Groups(&["X25519", "secp384r1"]),
    ),
    row(
        TLS,
        "6.2.2",
        false,
        "OCSP status of the server's certificate should be stapled",
        Demand::NotKept("no status is stapled"),
    ),
    row(
        TLS,
        "6.2.3",
        false,
        "TLS 1.2 with forward secrecy and authenticated encryption only",
        Demand::Kept,
    ),
    row(
        TLS,
        "6.2.3",
        false,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 is supported",
        Demand::Suites(&["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]),
    ),
    row(
        TLS,
        "6.2.3",
        false,
        "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 is supported",
        Demand::Suites(&["TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"]),
    ),
    row(
        TLS,
        "6.2.3",
        false,
        "the extended master secret is required",
        Demand::Kept,
    ),
    row(
        TLS,
        "6.2.3",
        false,
        "no renegotiation, and its indication is answered",
        Demand::Kept,
    ),
    row(TLS, "6.2.3", false, "no compression", Demand::Kept),
    row(TLS, "6.2.3", false, "no truncated HMAC", Demand::Kept),
    row(
        TLS,
        "6.2.3",
        false,
        "an unknown server name is refused, where listen.server_names says which are known",
        Demand::Kept,
    ),
    row(
        MTLS,
        "3",
        true,
        "a token is taken only with the certificate that its cnf names",
        Demand::Kept,
    ),
    row(
        MTLS,
        "2.1",
        true,
        "clients authenticate by PKI at the token endpoint",
        Demand::KeptWithOauth("[oauth] is not configured: another issuer's matter"),
    ),
    row(
        MTLS,
        "6.3",
        true,
        "a certificate's end ends the use of tokens bound to it",
        Demand::Kept,
    ),
];
