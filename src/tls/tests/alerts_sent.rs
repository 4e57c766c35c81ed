//! The alert that is recorded is the one that the client hears, in the clear and under keys.

use std::cell::Cell;

use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{
    AeadKey, Iv, KeyBlockShape, MessageDecrypter, MessageEncrypter, OutboundChunks,
    OutboundOpaqueMessage, OutboundPlainMessage, Tls12AeadAlgorithm, Tls13AeadAlgorithm,
    UnsupportedOperationError,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CipherSuiteCommon, ConnectionTrafficSecrets, ContentType, SupportedCipherSuite,
    Tls12CipherSuite, Tls13CipherSuite,
};

use super::*;

/// A certificate that says to come from the CA, and does not.
#[test]
fn certificate_whose_signature_does_not_verify_is_told_by_bad_certificate() {
    let world = World::new();
    let who = scs_as(&ca(), &["one.example"]);
    let expected = (Refusal::BadCertificate, AlertDescription::BadCertificate);
    assert_eq!(refused_with(&world, &who), expected);
}

#[test]
fn client_without_the_key_of_its_certificate_is_told_by_decrypt_error() {
    let world = World::new();
    let [who, other] = [(); 2].map(|()| scs_as(&world.ca, &["one.example"]));
    for version in BOTH {
        let mut config = world.config(version, &[&who]);
        let key = PrivatePkcs8KeyDer::from(other.key.serialize_der());
        let key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&PrivateKeyDer::Pkcs8(key));
        let foreign = CertifiedKey::new(vec![who.der.clone()], key.unwrap());
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(foreign));
        let (_, alert) = refused(&world, config, NOW);
        assert_eq!(alert, AlertDescription::DecryptError);
    }
}

#[test]
fn client_without_a_certificate_is_told_so() {
    let world = World::new();
    for version in BOTH {
        let (refusal, alert) = refused(&world, world.config(version, &[]), NOW);
        assert_eq!(refusal, Refusal::NoClientCertificate);
        assert_eq!(alert, AlertDescription::CertificateRequired);
    }
}

#[test]
fn record_that_does_not_open_is_told_by_bad_record_mac() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let (mut server, mut client) = (
        Handshake::new(&world.plain()),
        client(&Arc::new(world.config(&TLS13, &[&who]))),
    );
    take(&mut client, server.incoming());
    server.advance(NOW).unwrap();
    give(&mut client, &std::mem::take(server.outgoing())).unwrap();
    take(&mut client, server.incoming());
    *server.incoming().last_mut().unwrap() ^= 1;
    assert_eq!(server.advance(NOW), Err(Refusal::Protocol));
    let heard = give(&mut client, &std::mem::take(server.outgoing()));
    let alert = AlertDescription::BadRecordMac;
    assert_eq!(heard, Err(Error::AlertReceived(alert)));
    assert_eq!(server.alert(), "bad_record_mac");
}

//= RFC 8446 section 5.1 type=test
//# A longer record is refused by record_overflow, and not waited for.
#[test]
fn record_that_says_to_be_too_long_is_not_waited_for_anywhere_in_a_handshake() {
    let world = World::new();
    for content in [20, 22] {
        let mut server = Handshake::new(&world.plain());
        server.incoming().extend([content, 3, 1, 0x40, 0]);
        assert_eq!(server.advance(NOW), Ok(Step::NeedInput));
        let mut server = Handshake::new(&world.plain());
        server.incoming().extend([content, 3, 1, 0x40, 1]);
        assert_eq!(server.advance(NOW), Err(Refusal::Protocol));
        assert_eq!(server.alert(), "record_overflow");
        assert_eq!(*server.outgoing(), [21, 3, 3, 0, 2, 2, 22]);
    }
    // Behind the hello rustls reads headers itself, and has another word for it.
    let who = scs_as(&world.ca, &["one.example"]);
    for (version, content) in [(&TLS12, 22), (&TLS13, 23)] {
        let (mut server, mut client) = (
            Handshake::new(&world.plain()),
            client(&Arc::new(world.config(version, &[&who]))),
        );
        take(&mut client, server.incoming());
        server.advance(NOW).unwrap();
        give(&mut client, &std::mem::take(server.outgoing())).unwrap();
        server.incoming().extend([content, 3, 3, 0xff, 0xff]);
        assert_eq!(server.advance(NOW), Err(Refusal::Protocol));
        let heard = give(&mut client, &std::mem::take(server.outgoing()));
        let alert = AlertDescription::DecodeError;
        assert_eq!(heard, Err(Error::AlertReceived(alert)), "{version:?}");
        assert_eq!(server.alert(), "decode_error");
    }
}

#[test]
fn nothing_is_said_in_answer_to_an_alert_or_to_one_who_says_too_much() {
    let mut server = Handshake::new(&World::new().plain());
    let length = crate::limits::HANDSHAKE_BYTES_MAX + 1;
    server.incoming().resize(length, 22);
    assert_eq!(server.advance(NOW), Err(Refusal::TooLong));
    assert_eq!((server.alert(), server.outgoing().len()), ("", 0));
    let alert = Error::AlertReceived(AlertDescription::BadCertificate);
    assert_eq!(alerts::closest(&alert), None);
    assert_eq!(alerts::told(&[], Some(20)), None);
}

/// What is in the clear is read; of several records the last one counts.
#[test]
fn alert_that_is_sent_in_the_clear_is_read_and_not_guessed() {
    let hello = [22, 3, 3, 0, 2, 2, 50];
    let alert = [21, 3, 3, 0, 2, 2, 70];
    let sealed = [23, 3, 3, 0, 3, 1, 2, 3];
    let told = |records: &[&[u8]]| alerts::told(&records.concat(), Some(120));
    assert_eq!(told(&[&hello, &alert]), Some(70));
    assert_eq!(told(&[&alert, &hello]), None);
    assert_eq!(told(&[&hello, &sealed]), Some(120));
    assert_eq!(told(&[&[21, 3, 3, 0, 3, 1, 2, 3]]), Some(120));
    assert_eq!(told(&[&alert[..6]]), None);
    assert!(alerts::sealed(&[&hello[..], &sealed].concat()));
    assert!(!alerts::sealed(&[&sealed[..], &hello].concat()));
}

thread_local! {
    /// What a client of this thread makes of the Finished that it seals: something else.
    static SPOILS: Cell<bool> = const { Cell::new(false) };
}

/// Seals messages of a client that was let be wrong about its Finished.
struct Spoiler<A: ?Sized + 'static>(&'static A);

impl Tls13AeadAlgorithm for Spoiler<dyn Tls13AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Spoiling(self.0.encrypter(key, iv)))
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
}

impl Tls12AeadAlgorithm for Spoiler<dyn Tls12AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(Spoiling(self.0.encrypter(key, iv, extra)))
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
}

struct Spoiling(Box<dyn MessageEncrypter>);

impl MessageEncrypter for Spoiling {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        sequence: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let OutboundPlainMessage {
            typ,
            version,
            payload,
        } = message;
        let mut octets = payload.to_vec();
        // Finished ends the flight, in a record of its own or behind the client's other messages.
        let finished = [36, 16].iter().any(|length| {
            let head = octets
                .len()
                .checked_sub(*length)
                .map(|at| &octets[at..][..3]);
            head == Some(&[20, 0, 0])
        });
        if SPOILS.get() && finished && typ == ContentType::Handshake {
            *octets.last_mut().unwrap() ^= 1;
        }
        let payload = OutboundChunks::Single(&octets);
        let spoilt = OutboundPlainMessage {
            typ,
            version,
            payload,
        };
        self.0.encrypt(spoilt, sequence)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.0.encrypted_payload_len(payload_len)
    }
}

/// One suite of each version, sealed by a spoiler.
fn spoiling() -> CryptoProvider {
    use rustls::crypto::aws_lc_rs::cipher_suite as suite;
    let common = |of: &CipherSuiteCommon| CipherSuiteCommon {
        suite: of.suite,
        hash_provider: of.hash_provider,
        confidentiality_limit: of.confidentiality_limit,
    };
    let suites = [
        suite::TLS13_AES_128_GCM_SHA256,
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ];
    let spoilt = suites.map(|suite| match suite {
        SupportedCipherSuite::Tls13(plain) => {
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: common(&plain.common),
                hkdf_provider: plain.hkdf_provider,
                aead_alg: Box::leak(Box::new(Spoiler(plain.aead_alg))),
                quic: None,
            })))
        }
        SupportedCipherSuite::Tls12(plain) => {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: common(&plain.common),
                aead_alg: Box::leak(Box::new(Spoiler(plain.aead_alg))),
                ..*plain
            })))
        }
    });
    CryptoProvider {
        cipher_suites: spoilt.to_vec(),
        ..profile::THREE_GPP.provider()
    }
}

/// The record opens, so that it is no bad_record_mac; rustls has one error for both.
//= RFC 8446 section 4.4.4 type=test
//# A Finished that is wrong is told by decrypt_error.
#[test]
fn finished_that_is_wrong_is_told_by_decrypt_error_and_recorded_as_that() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let provider = Arc::new(spoiling());
    let terminator = world.plain();
    for version in BOTH {
        let mut roots = RootCertStore::empty();
        roots.add(world.ca.der.clone()).unwrap();
        let key = PrivatePkcs8KeyDer::from(who.key.serialize_der());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![who.der.clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap();
        let config = Arc::new(config);
        for (spoils, resumed) in [(true, false), (false, false), (true, true)] {
            SPOILS.set(spoils);
            let (mut server, mut client) = (Handshake::new(&terminator), client(&config));
            let (outcome, heard) = shake(&mut server, &mut client, NOW);
            assert_eq!(server.resumed(), Some(resumed));
            if spoils {
                let alert = AlertDescription::DecryptError;
                assert_eq!(outcome, Err(Refusal::Protocol));
                assert_eq!(heard, Err(Error::AlertReceived(alert)));
                assert_eq!(server.alert(), "decrypt_error");
            } else {
                assert_eq!((outcome, heard), (Ok(0), Ok(())));
            }
        }
    }
}
