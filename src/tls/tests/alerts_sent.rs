//! The alert that is recorded is the one that the client hears, wherever it is sent in the clear.

use rustls::sign::{CertifiedKey, SingleCertAndKey};

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

#[test]
fn nothing_is_said_in_answer_to_an_alert_or_to_one_who_says_too_much() {
    let mut server = Handshake::new(&World::new().plain());
    let length = crate::limits::HANDSHAKE_BYTES_MAX + 1;
    server.incoming().resize(length, 22);
    assert_eq!(server.advance(NOW), Err(Refusal::TooLong));
    assert_eq!((server.alert(), server.outgoing().len()), ("", 0));
    let alert = Error::AlertReceived(AlertDescription::BadCertificate);
    assert_eq!(alerts::closest(&alert), None);
    assert_eq!(alerts::told(&[], &Error::DecryptError), None);
}

/// What is in the clear is read; of several records the last one counts.
#[test]
fn alert_that_is_sent_in_the_clear_is_read_and_not_guessed() {
    let hello = [22, 3, 3, 0, 2, 2, 50];
    let alert = [21, 3, 3, 0, 2, 2, 70];
    let sealed = [23, 3, 3, 0, 3, 1, 2, 3];
    let error = Error::NoApplicationProtocol;
    let told = |records: &[&[u8]]| alerts::told(&records.concat(), &error);
    assert_eq!(told(&[&hello, &alert]), Some(70));
    assert_eq!(told(&[&alert, &hello]), None);
    assert_eq!(told(&[&hello, &sealed]), Some(120));
    assert_eq!(told(&[&[21, 3, 3, 0, 3, 1, 2, 3]]), Some(120));
    assert_eq!(told(&[&alert[..6]]), None);
    assert!(alerts::sealed(&[&hello[..], &sealed].concat()));
    assert!(!alerts::sealed(&[&sealed[..], &hello].concat()));
}
