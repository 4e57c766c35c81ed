use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};

use super::*;
use crate::tls::Offer;

/// An open link, and the key that its server seals with.
fn open() -> (Link, RecordKey) {
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .and_then(|parameters| parameters.self_signed(&key))
        .expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS #8"),
        )
        .expect("a pair");
    config.send_tls13_tickets = 0;
    config.enable_secret_extraction = true;
    let mut server = ServerConnection::new(Arc::new(config)).expect("a server");
    let offer = Offer::new(&["x25519".to_owned()], false, None).expect("an offer");
    let client = offer.config(None, None).expect("a client");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut out = Vec::new();
    let mut link = Link::begin(&client, &name, false, &mut out).expect("begun");
    let mut is_open = false;
    while !is_open || server.is_handshaking() {
        let sent = std::mem::take(&mut out);
        let mut sent = sent.as_slice();
        while !sent.is_empty() {
            server.read_tls(&mut sent).expect("read");
            server.process_new_packets().expect("good records");
        }
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).expect("written");
        }
        let progress = link.receive(&mut flight, &mut out, |_| {});
        is_open |= matches!(progress, Ok(Progress::Open { .. }));
    }
    let secrets = server.dangerous_extract_secrets().expect("secrets");
    (
        link,
        RecordKey::new(secrets.tx, true).expect("a known suite"),
    )
}

/// What comes of one record, and how much of it was for HTTP.
fn hear(
    link: &mut Link,
    key: &mut RecordKey,
    content: Content,
    text: &[u8],
) -> (Result<Progress, LinkFault>, usize) {
    let (mut record, mut delivered) = (Vec::new(), 0);
    key.seal(content, &[text], &mut record).expect("sealed");
    let progress = link.receive(&mut record, &mut Vec::new(), |text| delivered += text.len());
    (progress, delivered)
}

/// A ticket of so many bytes that nobody wants: what it says is not looked at.
fn ticket(bytes: u32) -> Vec<u8> {
    let mut ticket = bytes.to_be_bytes().to_vec();
    ticket[0] = 4;
    ticket.resize(ticket.len() + bytes as usize, 7);
    ticket
}

//= RFC 8446 section 5.1 type=test
//# A message may be split over several records, and records may hold several messages.
#[test]
fn messages_are_heard_however_records_cut_them() {
    for cut in [1, 3, 4, 5, 33, 250] {
        let (mut link, mut key) = open();
        let messages = [ticket(100), ticket(0), ticket(140)].concat();
        for part in messages.chunks(cut) {
            let (progress, _) = hear(&mut link, &mut key, Content::Handshake, part);
            assert!(matches!(progress, Ok(Progress::Going)), "{cut}");
        }
        let (progress, delivered) = hear(&mut link, &mut key, Content::Application, b"text");
        assert!(progress.is_ok(), "{cut}");
        assert_eq!(delivered, 4);
    }
}

//= RFC 8446 section 5.1 type=test
//# Between the records of one message there are no others.
#[test]
fn nothing_comes_in_the_middle_of_a_message() {
    for (content, text) in [
        (Content::Application, &b"text"[..]),
        (Content::Alert, &[1, 0]),
    ] {
        let (mut link, mut key) = open();
        let (progress, _) = hear(&mut link, &mut key, Content::Handshake, &ticket(100)[..50]);
        assert!(progress.is_ok());
        let (progress, delivered) = hear(&mut link, &mut key, content, text);
        assert!(matches!(progress, Err(LinkFault::Message)));
        assert_eq!(delivered, 0);
    }
}

#[test]
fn a_message_longer_than_any_ticket_is_refused_by_its_length() {
    for (bytes, is_heard) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
        let (mut link, mut key) = open();
        let (progress, _) = hear(&mut link, &mut key, Content::Handshake, &ticket(bytes)[..9]);
        assert_eq!(progress.is_ok(), is_heard, "{bytes}");
    }
}

#[test]
fn new_keys_begin_with_a_new_record() {
    let (mut link, mut key) = open();
    let update = [24, 0, 0, 1, 0];
    let two = [&update[..], &ticket(9)].concat();
    let (progress, _) = hear(&mut link, &mut key, Content::Handshake, &two);
    assert!(matches!(progress, Err(LinkFault::Message)));
}
