//! Which alert rustls has sealed. It does not say so, and on the wire nobody but the client can
//! read it; but the record of a connection that was refused says what the client was told. So the
//! suites that are offered note each alert as they seal it.

use std::cell::Cell;
use std::sync::LazyLock;

use rustls::crypto::cipher::{
    AeadKey, Iv, KeyBlockShape, MessageDecrypter, MessageEncrypter, OutboundChunks,
    OutboundOpaqueMessage, OutboundPlainMessage, Tls12AeadAlgorithm, Tls13AeadAlgorithm,
    UnsupportedOperationError,
};
use rustls::{
    CipherSuiteCommon, ConnectionTrafficSecrets, ContentType, Error, SupportedCipherSuite,
    Tls12CipherSuite, Tls13CipherSuite,
};

use super::profile::PROFILES;

thread_local! {
    // rustls seals on the thread that processes the records.
    static ALERT: Cell<Option<u8>> = const { Cell::new(None) };
}

/// All suites of all profiles, made once: rustls wants them for as long as the process lives.
static NOTING: LazyLock<Vec<SupportedCipherSuite>> = LazyLock::new(|| {
    let mut made: Vec<SupportedCipherSuite> = Vec::new();
    for suite in PROFILES.iter().flat_map(|profile| profile.plain_suites()) {
        if !made.iter().any(|known| known.suite() == suite.suite()) {
            made.push(made_noting(*suite));
        }
    }
    made
});

/// Takes the last alert that was sealed on this thread, if one was since the last call.
pub(super) fn take_alert() -> Option<u8> {
    ALERT.take()
}

/// A suite of a profile, as one that notes the alerts that it seals.
pub(super) fn noting(suite: &SupportedCipherSuite) -> SupportedCipherSuite {
    let mut made = NOTING.iter();
    let found = made.find(|known| known.suite() == suite.suite());
    found.copied().unwrap_or(*suite)
}

fn made_noting(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let common = |of: &CipherSuiteCommon| CipherSuiteCommon {
        suite: of.suite,
        hash_provider: of.hash_provider,
        confidentiality_limit: of.confidentiality_limit,
    };
    match suite {
        SupportedCipherSuite::Tls13(plain) => {
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: common(&plain.common),
                hkdf_provider: plain.hkdf_provider,
                aead_alg: Box::leak(Box::new(Noting(plain.aead_alg))),
                quic: None,
            })))
        }
        SupportedCipherSuite::Tls12(plain) => {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: common(&plain.common),
                prf_provider: plain.prf_provider,
                kx: plain.kx,
                sign: plain.sign,
                aead_alg: Box::leak(Box::new(Noting(plain.aead_alg))),
            })))
        }
    }
}

/// An algorithm whose alerts are noted; else as it was.
struct Noting<A: ?Sized + 'static>(&'static A);

impl Tls13AeadAlgorithm for Noting<dyn Tls13AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(NotingEncrypter(self.0.encrypter(key, iv)))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

impl Tls12AeadAlgorithm for Noting<dyn Tls12AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(NotingEncrypter(self.0.encrypter(key, iv, extra)))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv, explicit)
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

struct NotingEncrypter(Box<dyn MessageEncrypter>);

impl MessageEncrypter for NotingEncrypter {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        if message.typ == ContentType::Alert
            && let OutboundChunks::Single(&[_, alert]) = message.payload
        {
            ALERT.set(Some(alert));
        }
        self.0.encrypt(message, sequence)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.0.encrypted_payload_len(payload_len)
    }
}
