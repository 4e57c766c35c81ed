//! The TLS profiles by name, each a table, and what rustls is configured with by them.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{self, cipher_suite as suite, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, WebPkiSupportedAlgorithms};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ProducesTickets, ResolvesServerCert, ServerConfig};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuite, NamedGroup, SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion,
};
use webpki::aws_lc_rs as algorithm;

use super::turn::TurnClock;
use super::{ffdhe, sealed};

/// ECDSA on P-256 and P-384, RSA from 2048 bits, SHA-256 and up: TS 33.310 clause 6.1.1.
pub(super) static VERIFIED: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        algorithm::ECDSA_P256_SHA256,
        algorithm::ECDSA_P256_SHA384,
        algorithm::ECDSA_P256_SHA512,
        algorithm::ECDSA_P384_SHA256,
        algorithm::ECDSA_P384_SHA384,
        algorithm::ECDSA_P384_SHA512,
        algorithm::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        algorithm::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        algorithm::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        algorithm::RSA_PKCS1_2048_8192_SHA256,
        algorithm::RSA_PKCS1_2048_8192_SHA384,
        algorithm::RSA_PKCS1_2048_8192_SHA512,
    ],
    // The first of each line is TLS 1.3's, where the scheme fixes the curve; TLS 1.2 tries all.
    mapping: &[
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            &[algorithm::ECDSA_P256_SHA256, algorithm::ECDSA_P384_SHA256],
        ),
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            &[algorithm::ECDSA_P384_SHA384, algorithm::ECDSA_P256_SHA384],
        ),
        (
            SignatureScheme::RSA_PSS_SHA256,
            &[algorithm::RSA_PSS_2048_8192_SHA256_LEGACY_KEY],
        ),
        (
            SignatureScheme::RSA_PSS_SHA384,
            &[algorithm::RSA_PSS_2048_8192_SHA384_LEGACY_KEY],
        ),
        (
            SignatureScheme::RSA_PSS_SHA512,
            &[algorithm::RSA_PSS_2048_8192_SHA512_LEGACY_KEY],
        ),
        (
            SignatureScheme::RSA_PKCS1_SHA256,
            &[algorithm::RSA_PKCS1_2048_8192_SHA256],
        ),
        (
            SignatureScheme::RSA_PKCS1_SHA384,
            &[algorithm::RSA_PKCS1_2048_8192_SHA384],
        ),
        (
            SignatureScheme::RSA_PKCS1_SHA512,
            &[algorithm::RSA_PKCS1_2048_8192_SHA512],
        ),
    ],
};

/// What is spoken on a listener.
pub struct Profile {
    /// As the configuration names it.
    pub name: &'static str,
    /// What it is taken from.
    pub clauses: &'static str,
    versions: &'static [&'static SupportedProtocolVersion],
    /// Best first.
    suites: &'static [SupportedCipherSuite],
    groups: &'static [&'static dyn SupportedKxGroup],
    /// Only with a module that is in FIPS mode.
    needs_fips: bool,
    /// Records of TLS 1.3 are opened and sealed by the session itself, with nonces that it counts.
    /// A FIPS module must count them for itself, which it does for rustls.
    in_place: bool,
}

/// All of them; the first is the default.
pub static PROFILES: [&Profile; 4] = [&THREE_GPP, &THREE_GPP_STRICT, &MODERN, &FIPS];

const SUITES_1_3: [SupportedCipherSuite; 3] = [
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
];

const GROUPS: [&dyn SupportedKxGroup; 4] = [
    kx_group::X25519MLKEM768,
    kx_group::X25519,
    kx_group::SECP256R1,
    kx_group::SECP384R1,
];

/// TLS 1.3 and TLS 1.2.
//= TS 33.210 clause 6.2.3
//# Only suites with forward secrecy and authenticated encryption are offered.
pub static THREE_GPP: Profile = Profile {
    name: "3gpp",
    clauses: "TS 33.210 clause 6.2",
    versions: &[&TLS13, &TLS12],
    suites: &[
        suite::TLS13_AES_128_GCM_SHA256,
        suite::TLS13_AES_256_GCM_SHA384,
        suite::TLS13_CHACHA20_POLY1305_SHA256,
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ],
    groups: &GROUPS,
    needs_fips: false,
    in_place: true,
};

/// The same with the suite that a finite field makes dear, for those who must have all of it.
pub static THREE_GPP_STRICT: Profile = Profile {
    name: "3gpp-strict",
    clauses: "TS 33.210 clause 6.2, DHE included",
    versions: &[&TLS13, &TLS12],
    suites: &[
        suite::TLS13_AES_128_GCM_SHA256,
        suite::TLS13_AES_256_GCM_SHA384,
        suite::TLS13_CHACHA20_POLY1305_SHA256,
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        // Last: for those alone who offer nothing else.
        ffdhe::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    ],
    groups: &[
        kx_group::X25519MLKEM768,
        kx_group::X25519,
        kx_group::SECP256R1,
        kx_group::SECP384R1,
        &ffdhe::FFDHE2048,
        &ffdhe::FFDHE3072,
    ],
    needs_fips: false,
    in_place: true,
};

/// TLS 1.3 alone, where no SCS/AS needs TLS 1.2.
pub static MODERN: Profile = Profile {
    name: "modern",
    clauses: "TS 33.210 clause 6.2.2",
    versions: &[&TLS13],
    suites: &SUITES_1_3,
    groups: &GROUPS,
    needs_fips: false,
    in_place: true,
};

/// What a FIPS 140-3 module does: neither X25519, and so no hybrid with it, nor ChaCha20.
pub static FIPS: Profile = Profile {
    name: "fips",
    clauses: "TS 33.210 clause 6.2, by a FIPS 140-3 module",
    versions: &[&TLS13, &TLS12],
    suites: &[
        suite::TLS13_AES_128_GCM_SHA256,
        suite::TLS13_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ],
    groups: &[kx_group::SECP256R1, kx_group::SECP384R1],
    needs_fips: true,
    in_place: false,
};

/// As `3gpp`, with rustls' own records.
#[cfg(test)]
pub(super) static BY_LIBRARY: Profile = Profile {
    name: "by-library",
    clauses: "",
    versions: &[&TLS13],
    suites: &SUITES_1_3,
    groups: &GROUPS,
    needs_fips: false,
    in_place: false,
};

/// The suite by name; rustls prints a number for the one that it does not have itself.
fn name_of(suite: CipherSuite) -> String {
    match suite {
        CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 => {
            "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256".to_owned()
        }
        known => format!("{known:?}"),
    }
}

impl Profile {
    /// The profile of this name.
    pub fn of_name(name: &str) -> Option<&'static Self> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }

    /// Names of the versions, newest first.
    pub fn versions(&self) -> Vec<String> {
        let versions = self.versions.iter();
        versions
            .map(|version| format!("{:?}", version.version))
            .collect()
    }

    /// Names of the suites, best first.
    pub fn suites(&self) -> Vec<String> {
        let suites = self.suites.iter().map(SupportedCipherSuite::suite);
        suites.map(name_of).collect()
    }

    /// Names of the key exchange groups, best first.
    pub fn groups(&self) -> Vec<String> {
        let groups = self.groups.iter();
        groups.map(|group| format!("{:?}", group.name())).collect()
    }

    /// Has a suite with DHE: that one goes with an RSA certificate only.
    pub fn has_dhe(&self) -> bool {
        let dhe = ffdhe::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256.suite();
        self.suites.iter().any(|suite| suite.suite() == dhe)
    }

    /// That this build can do it, and with the module that it needs.
    ///
    /// # Errors
    /// What is wrong, and the cure.
    pub fn prove(&self) -> Result<(), (String, &'static str)> {
        if !self.needs_fips {
            return Ok(());
        }
        if !cfg!(feature = "fips") {
            let what = format!("this t8gate was built without what {:?} needs", self.name);
            let cure = "build it with `cargo build --release --features fips`, which needs CMake \
                        and Go, or take the profile \"3gpp\"";
            return Err((what, cure));
        }
        ::aws_lc_rs::try_fips_mode().map_err(|why| {
            let what = format!("the cryptographic module is not in FIPS mode: {why}");
            (
                what,
                "see whether the module's self-test passes on this machine",
            )
        })
    }

    /// Suites as the library has them, best first.
    pub(super) fn plain_suites(&self) -> &'static [SupportedCipherSuite] {
        self.suites
    }

    /// Suites, groups and signature algorithms.
    pub(super) fn provider(&self) -> CryptoProvider {
        CryptoProvider {
            cipher_suites: self.suites.iter().map(sealed::noting).collect(),
            kx_groups: self.groups.to_vec(),
            signature_verification_algorithms: VERIFIED,
            ..aws_lc_rs::default_provider()
        }
    }

    /// The same with one group only, for clients that have sent a share for it.
    pub(super) fn provider_of_group(&self, group: NamedGroup) -> Option<CryptoProvider> {
        let mut provider = self.provider();
        provider.kx_groups.retain(|known| known.name() == group);
        // rustls takes no suite that no group is for.
        let dhe = ffdhe::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256.suite();
        provider.cipher_suites.retain(|suite| suite.suite() != dhe);
        (!provider.kx_groups.is_empty()).then_some(provider)
    }

    pub(super) fn has_group(&self, group: NamedGroup) -> bool {
        self.groups.iter().any(|known| known.name() == group)
    }

    /// Whether records of TLS 1.3 are the session's own matter.
    pub(super) fn in_place(&self) -> bool {
        self.in_place
    }

    /// The configuration of one listener. `Err` says what rustls does not like about it.
    pub(super) fn server_config(
        &self,
        provider: CryptoProvider,
        verifier: Arc<dyn ClientCertVerifier>,
        resolver: Arc<dyn ResolvesServerCert>,
        ticketer: Arc<dyn ProducesTickets>,
    ) -> Result<ServerConfig, String> {
        //= TS 33.210 clause 6.2.1
        //# TLS 1.2 and TLS 1.3 are spoken and nothing older.
        let mut config =
            ServerConfig::builder_with_details(Arc::new(provider), Arc::new(TurnClock))
                .with_protocol_versions(self.versions)
                .map_err(|fault| fault.to_string())?
                .with_client_cert_verifier(verifier)
                .with_cert_resolver(resolver);
        // AES-128-GCM is mandatory and cheapest, so our order counts.
        config.ignore_client_order = true;
        //= TS 33.210 clause 6.2.3
        //# TLS 1.2 goes with the extended master secret or not at all.
        config.require_ems = true;
        // No 0-RTT: it can be replayed, and T8 asks for replay protection.
        config.max_early_data_size = 0;
        config.send_tls13_tickets = 1;
        // The default cache sits behind a mutex and resumes TLS 1.2 past the ticketer's checks.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = ticketer;
        config.enable_secret_extraction = self.in_place;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if self.needs_fips && !config.fips() {
            return Err("what TLS is done with is not all in the FIPS module".to_owned());
        }
        Ok(config)
    }
}
