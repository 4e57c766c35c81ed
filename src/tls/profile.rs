//! The TLS profile of TS 33.210 clause 6.2, as a rustls configuration.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suite, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ProducesTickets, ResolvesServerCert, ServerConfig};
use rustls::version::{TLS12, TLS13};
use webpki::aws_lc_rs as algorithm;

use super::turn::TurnClock;

/// ECDSA on P-256 and P-384, RSA from 2048 bits, SHA-256 and up: TS 33.310 clause 6.1.1.
pub(super) static VERIFIED: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        algorithm::ECDSA_P256_SHA256,
        algorithm::ECDSA_P256_SHA384,
        algorithm::ECDSA_P384_SHA256,
        algorithm::ECDSA_P384_SHA384,
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

/// Suites, groups and signature algorithms that are spoken here, best first.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        //= TS 33.210 clause 6.2.3
        //# Only suites with forward secrecy and authenticated encryption are offered.
        cipher_suites: vec![
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
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        signature_verification_algorithms: VERIFIED,
        ..aws_lc_rs::default_provider()
    }
}

/// The configuration of one listener. `Err` says what rustls does not like about it.
pub(super) fn server_config(
    verifier: Arc<dyn ClientCertVerifier>,
    resolver: Arc<dyn ResolvesServerCert>,
    ticketer: Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, String> {
    //= TS 33.210 clause 6.2.1
    //# TLS 1.2 and TLS 1.3 are spoken and nothing older.
    let mut config = ServerConfig::builder_with_details(Arc::new(provider()), Arc::new(TurnClock))
        .with_protocol_versions(&[&TLS13, &TLS12])
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
    // The records after a handshake are opened and sealed by the session itself.
    config.enable_secret_extraction = true;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
