//! TLS 1.3 records as a client may make them that follows no library: sealed here by hand, with
//! the keys of a real handshake.

use super::*;
use crate::tls::fuzzed::Forger;

/// An established session, and the forger's keys: to send with, to receive with.
fn session_with(suite: usize) -> (Established, Forger, Forger) {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let mut provider = profile::THREE_GPP.provider();
    provider.cipher_suites = vec![provider.cipher_suites[suite]];
    let mut roots = RootCertStore::empty();
    roots.add(world.ca.der.clone()).unwrap();
    let key = PrivatePkcs8KeyDer::from(who.key.serialize_der());
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![who.der.clone()], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    config.enable_secret_extraction = true;
    let (mut done, mut client) = established(&world.plain(), &Arc::new(config));
    give(&mut client, &std::mem::take(&mut done.outgoing)).unwrap();
    let secrets = client.dangerous_extract_secrets().unwrap();
    (done, Forger::new(secrets.tx), Forger::new(secrets.rx))
}

fn session() -> (Established, Forger, Forger) {
    session_with(0)
}

/// What a session makes of records: the plaintext, how it ended, and what it sends in answer.
fn opened(done: &mut Established, wire: &[u8]) -> (Vec<u8>, Result<Opened, TlsFault>, Vec<u8>) {
    done.incoming.extend_from_slice(wire);
    let (mut plain, mut answer) = (Vec::new(), Vec::new());
    let outcome = done
        .session
        .open(&mut done.incoming, &mut plain, 1 << 20, &mut answer);
    (plain, outcome, answer)
}

/// The fault and the alert that one record leads to.
fn refused_record(inner: &[u8]) -> (TlsFault, Option<u8>) {
    let (mut done, mut sends, mut receives) = session();
    let record = sends.seal(inner);
    let (_, outcome, answer) = opened(&mut done, &record);
    let alert = (!answer.is_empty()).then(|| receives.open(&answer));
    let alert = alert.map(|(content_type, content)| {
        assert_eq!((content_type, content.len(), content[0]), (21, 2, 2));
        content[1]
    });
    assert_eq!(done.session.alert(), alert.map_or("", alerts::word));
    (outcome.unwrap_err(), alert)
}

#[test]
fn every_suite_of_the_profile_is_spoken_in_both_directions() {
    for suite in 0..3 {
        let (mut done, mut sends, mut receives) = session_with(suite);
        for text in [&b"first"[..], b"second"] {
            let record = sends.seal(&[text, &[23]].concat());
            let (plain, outcome, answer) = opened(&mut done, &record);
            assert_eq!((plain.as_slice(), outcome), (text, Ok(Opened::Data)));
            assert!(answer.is_empty());
            let mut out = Vec::new();
            done.session.seal(text, &mut out).unwrap();
            assert_eq!(receives.open(&out), (23, text.to_vec()));
        }
    }
}

//= RFC 8446 section 5.4 type=test
//# Zeroes behind the type are no content; a record may have none at all.
#[test]
fn padding_is_taken_off_and_an_empty_record_says_nothing() {
    let (mut done, mut sends, _) = session();
    let mut wire = sends.seal(&[&b"padded\0inside"[..], &[23, 0, 0, 0, 0]].concat());
    wire.extend(sends.seal(&[23, 0, 0]));
    wire.extend(sends.seal(&[&[b'x'; 10][..], &[23], &[0; 16 * 1024 - 10]].concat()));
    let (plain, outcome, _) = opened(&mut done, &wire);
    assert_eq!(plain, b"padded\0insidexxxxxxxxxx");
    assert_eq!(outcome, Ok(Opened::Data));
}

#[test]
fn record_without_a_type_or_with_a_strange_one_is_refused() {
    for inner in [
        &[0, 0, 0][..],
        &[21],
        &[],
        &[1, 2, 20],
        &[1, 2, 24],
        &[22],
        &[99, 22],
    ] {
        assert_eq!(
            refused_record(inner),
            (TlsFault::Protocol, Some(10)),
            "{inner:?}"
        );
    }
}

//= RFC 8446 section 5.2 type=test
//# What is longer than a record may be is refused as that, before it is all there.
#[test]
fn record_that_is_too_long_is_refused_by_record_overflow() {
    let long = [&[b'x'; 16 * 1024 + 1][..], &[23]].concat();
    assert_eq!(refused_record(&long), (TlsFault::BadRecord, Some(22)));
    let padded = [&[b'x'][..], &[23], &[0; 16 * 1024]].concat();
    assert_eq!(refused_record(&padded), (TlsFault::BadRecord, Some(22)));
    // By its header alone: nobody waits for the rest of it.
    let (mut done, _, mut receives) = session();
    let (_, outcome, answer) = opened(&mut done, &[23, 3, 3, 0x41, 0x01]);
    assert_eq!(outcome, Err(TlsFault::BadRecord));
    assert_eq!(receives.open(&answer), (21, vec![2, 22]));
}

#[test]
fn record_in_the_clear_is_refused_at_its_first_octet() {
    for first in [20, 21, 22, 0, 80] {
        let (mut done, _, mut receives) = session();
        let (_, outcome, answer) = opened(&mut done, &[first]);
        assert_eq!(outcome, Err(TlsFault::Protocol));
        assert_eq!(receives.open(&answer), (21, vec![2, 10]));
        let again = opened(&mut done, b"");
        assert_eq!((again.1, again.2.len()), (Err(TlsFault::Protocol), 0));
    }
}

#[test]
fn record_shorter_than_a_tag_is_refused_by_bad_record_mac() {
    let (mut done, _, mut receives) = session();
    let (_, outcome, answer) = opened(&mut done, &[23, 3, 3, 0, 3, 1, 2, 3]);
    assert_eq!(outcome, Err(TlsFault::BadRecord));
    assert_eq!(receives.open(&answer), (21, vec![2, 20]));
}

//= RFC 8446 section 5.3 type=test
//# Each record has a number of its own, and opens under no other.
#[test]
fn record_sent_twice_is_refused() {
    let (mut done, mut sends, _) = session();
    let record = sends.seal(b"once\x17");
    assert_eq!(opened(&mut done, &record).1, Ok(Opened::Data));
    assert_eq!(opened(&mut done, &record).1, Err(TlsFault::BadRecord));
}

//= RFC 8446 section 6 type=test
//# Every alert but close_notify and user_canceled is the end, whatever its level.
#[test]
fn alerts_end_the_session_but_user_canceled_only_when_it_is_repeated() {
    for alert in [[2, 40, 21], [1, 40, 21], [2, 80, 21]] {
        assert_eq!(refused_record(&alert), (TlsFault::PeerAlert, None));
    }
    for alert in [&[2, 21][..], &[2, 0, 0, 0, 21]] {
        assert_eq!(refused_record(alert), (TlsFault::Protocol, Some(50)));
    }
    let (mut done, mut sends, _) = session();
    for _ in 0..4 {
        let record = sends.seal(&[1, 90, 21]);
        assert_eq!(opened(&mut done, &record).1, Ok(Opened::NeedInput));
    }
    let record = sends.seal(&[1, 90, 21]);
    assert_eq!(opened(&mut done, &record).1, Err(TlsFault::PeerAlert));
}

#[test]
fn what_follows_close_notify_is_not_looked_at() {
    let (mut done, mut sends, _) = session();
    let wire = [sends.seal(&[1, 0, 21]), b"no record".to_vec()].concat();
    let (plain, outcome, answer) = opened(&mut done, &wire);
    assert_eq!(
        (plain.len(), outcome, answer.len()),
        (0, Ok(Opened::Closed), 0)
    );
    // The other direction is open still.
    assert_eq!(done.session.seal(b"answer", &mut Vec::new()), Ok(()));
}

//= RFC 8446 section 5.1 type=test
//# No message spans a change of keys, and none is empty.
#[test]
fn handshake_messages_but_a_whole_key_update_are_refused() {
    for (inner, expected) in [
        (&[24, 22][..], (TlsFault::Fragmented, Some(10))),
        (&[24, 0, 0, 1, 22], (TlsFault::Fragmented, Some(10))),
        (&[24, 0, 0, 1, 2, 22], (TlsFault::Protocol, Some(47))),
        (&[24, 0, 0, 2, 0, 0, 22], (TlsFault::Protocol, Some(50))),
        (&[24, 0, 0, 1, 0, 24, 22], (TlsFault::Protocol, Some(10))),
        (&[11, 0, 0, 0, 22], (TlsFault::Protocol, Some(10))),
        (&[1, 0, 0, 0, 22], (TlsFault::Protocol, Some(10))),
    ] {
        assert_eq!(refused_record(inner), expected, "{inner:?}");
    }
}

//= RFC 8446 section 4.6.3 type=test
//# Behind a KeyUpdate the old key opens nothing.
#[test]
fn record_behind_a_key_update_must_be_under_the_new_key() {
    let (mut done, mut sends, _) = session();
    let wire = [sends.seal(&[24, 0, 0, 1, 0, 22]), sends.seal(b"old\x17")].concat();
    let (plain, outcome, _) = opened(&mut done, &wire);
    assert_eq!((plain.len(), outcome), (0, Err(TlsFault::BadRecord)));
}

#[test]
fn endless_records_of_nothing_are_refused_and_those_between_data_are_not() {
    let (mut done, mut sends, _) = session();
    for _ in 0..40 {
        let wire = [sends.seal(&[23]), sends.seal(b"data\x17")].concat();
        assert_eq!(opened(&mut done, &wire).1, Ok(Opened::Data));
    }
    for _ in 0..32 {
        let record = sends.seal(&[23, 0]);
        assert_eq!(opened(&mut done, &record).1, Ok(Opened::NeedInput));
    }
    let record = sends.seal(&[23]);
    assert_eq!(opened(&mut done, &record).1, Err(TlsFault::Protocol));
}

/// rustls' client, whose keys follow along.
fn talking() -> (Established, ClientConnection) {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let config = Arc::new(world.config(&TLS13, &[&who]));
    established(&world.plain(), &config)
}

#[test]
fn endless_key_updates_are_refused_and_updates_between_data_are_not() {
    use std::io::Write;
    let (mut done, mut client) = talking();
    // No more than rustls' client takes itself.
    for _ in 0..31 {
        client.refresh_traffic_keys().unwrap();
        client.writer().write_all(b"data").unwrap();
        let mut wire = Vec::new();
        take(&mut client, &mut wire);
        let (plain, outcome, answer) = opened(&mut done, &wire);
        assert_eq!(
            (plain.as_slice(), outcome),
            (&b"data"[..], Ok(Opened::Data))
        );
        give(&mut client, &answer).unwrap();
    }
    let mut update = |client: &mut ClientConnection| {
        client.refresh_traffic_keys().unwrap();
        let mut wire = Vec::new();
        take(client, &mut wire);
        opened(&mut done, &wire)
    };
    for _ in 0..32 {
        assert_eq!(update(&mut client).1, Ok(Opened::NeedInput));
    }
    let (_, outcome, answer) = update(&mut client);
    assert_eq!(outcome, Err(TlsFault::Protocol));
    assert!(!answer.is_empty(), "no alert");
}

/// Keys for no ticket at all.
struct NoTickets;

impl SealsTickets for NoTickets {
    fn seal(&self, _: &[u8], _: &[u8], _: UnixSeconds) -> Option<Vec<u8>> {
        None
    }
    fn open(&self, _: &[u8], _: &[u8], _: UnixSeconds) -> Option<Vec<u8>> {
        None
    }
    fn lifetime_s(&self) -> u32 {
        0
    }
    fn session_s_max(&self) -> u64 {
        60
    }
}

/// A server that is done, to which the client has sent in one piece its last flight and what
/// `more` adds to it.
fn done_with(
    sealing: Option<Arc<dyn SealsTickets>>,
    more: impl FnOnce(&mut ClientConnection),
) -> (Established, ClientConnection) {
    let mut world = World::new();
    world.sealing = sealing.unwrap_or(world.sealing);
    let who = scs_as(&world.ca, &["one.example"]);
    let config = Arc::new(world.config(&TLS13, &[&who]));
    let (mut server, mut client) = (Handshake::new(&world.plain()), client(&config));
    take(&mut client, server.incoming());
    assert_eq!(server.advance(NOW), Ok(Step::NeedInput));
    give(&mut client, &std::mem::take(server.outgoing())).unwrap();
    more(&mut client);
    take(&mut client, server.incoming());
    assert_eq!(server.advance(NOW), Ok(Step::Done));
    (server.finish(NOW).map_err(Refusal::word).unwrap(), client)
}

/// What follows Finished in the same piece belongs to the session, with a ticket to send or none.
#[test]
fn records_right_behind_finished_are_the_sessions() {
    use std::io::{Read, Write};
    for sealing in [None, Some(Arc::new(NoTickets) as Arc<dyn SealsTickets>)] {
        let (mut done, mut client) = done_with(sealing.clone(), |client| {
            client.refresh_traffic_keys().unwrap();
            client.writer().write_all(b"data").unwrap();
        });
        assert_eq!(done.outgoing.is_empty(), sealing.is_some(), "a ticket");
        let (plain, outcome, answer) = opened(&mut done, b"");
        assert_eq!(
            (plain.as_slice(), outcome),
            (&b"data"[..], Ok(Opened::Data))
        );
        let mut out = [std::mem::take(&mut done.outgoing), answer].concat();
        done.session.seal(b"answer", &mut out).unwrap();
        give(&mut client, &out).unwrap();
        let mut heard = [0; 6];
        client.reader().read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"answer");
        let (mut done, _) = done_with(sealing, |client| client.send_close_notify());
        assert_eq!(opened(&mut done, b"").1, Ok(Opened::Closed));
    }
}

//= RFC 8446 section 5.5 type=test
//# A key that has sealed all it may is followed by a new one, and nobody notices.
#[test]
fn keys_are_renewed_before_they_have_sealed_too_much() {
    use std::io::{Read, Write};
    let (mut done, mut client) = talking();
    done.session.seals_at_most(3);
    for round in 0..20_u8 {
        let mut out = std::mem::take(&mut done.outgoing);
        done.session.seal(&[round; 100], &mut out).unwrap();
        give(&mut client, &out).unwrap();
        let mut heard = [0; 100];
        client.reader().read_exact(&mut heard).unwrap();
        assert_eq!(heard, [round; 100]);
        // The client was asked for new keys as well, and has answered.
        client.writer().write_all(&[round]).unwrap();
        let mut wire = Vec::new();
        take(&mut client, &mut wire);
        let (plain, outcome, answer) = opened(&mut done, &wire);
        assert_eq!((plain, outcome), (vec![round], Ok(Opened::Data)));
        assert!(answer.is_empty(), "an answer to an answer");
    }
}

#[test]
fn what_comes_behind_close_notify_is_not_looked_at() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let mut config = world.config(&TLS13, &[&who]);
    config.enable_secret_extraction = true;
    let (mut done, mut client) = established(&world.plain(), &Arc::new(config));
    give(&mut client, &std::mem::take(&mut done.outgoing)).unwrap();
    let mut sends = Forger::new(client.dangerous_extract_secrets().unwrap().tx);
    let mut wire = sends.seal(&[0, 0, 21]);
    // No content type at all: a fault in front of it.
    wire.extend(sends.seal(&[0]));
    let (plain, outcome, _) = opened(&mut done, &wire);
    assert_eq!((plain, outcome), (Vec::new(), Ok(Opened::Closed)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is in the records, and however they come: what is handed on is the application
    /// data in front of the first fault, whole and in order, and nothing else.
    #[test]
    fn records_of_any_content_at_any_split(
        inners in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..60), 18u8..26, 0usize..20), 1..8),
        split in 1usize..200,
    ) {
        thread_local! {
            static WORLD: (World, Identity) = {
                let world = World::new();
                let who = scs_as(&world.ca, &["one.example"]);
                (world, who)
            };
        }
        let (mut done, mut sends) = WORLD.with(|(world, who)| {
            let mut config = world.config(&TLS13, &[who]);
            config.enable_secret_extraction = true;
            let (mut done, mut client) = established(&world.plain(), &Arc::new(config));
            give(&mut client, &std::mem::take(&mut done.outgoing)).unwrap();
            (done, Forger::new(client.dangerous_extract_secrets().unwrap().tx))
        });
        let mut expected = Vec::new();
        let (mut good, mut warnings_left) = (true, 4);
        let mut wire = Vec::new();
        for (content, content_type, padding) in &inners {
            match (*content_type, &content[..]) {
                (23, content) if good => expected.extend_from_slice(content),
                // What user_canceled says is nothing, so many times.
                (21, [_, 90]) if warnings_left > 0 => warnings_left -= 1,
                _ => good = false,
            }
            wire.extend(sends.seal(&[content, &[*content_type][..], &vec![0; *padding]].concat()));
        }
        let mut got = Vec::new();
        let mut fault = None;
        for part in wire.chunks(split) {
            let (mut plain, outcome, _) = opened(&mut done, part);
            got.append(&mut plain);
            fault = fault.or(outcome.err());
        }
        prop_assert_eq!(got, expected);
        // Only close_notify, user_canceled and key updates may stand there without a fault; behind
        // close_notify anything may: it is not looked at.
        let is_end = |inner: &&(Vec<u8>, u8, usize)| inner.1 == 21 && matches!(inner.0[..], [_, 0]);
        let mut looked_at = inners.iter().take_while(|inner| !is_end(inner));
        let tame = looked_at.all(|(content, content_type, _)| match content_type {
            23 => true,
            21 => matches!(content[..], [_, 0 | 90]),
            22 => content.len() == 5 && content[0] == 24,
            _ => false,
        });
        prop_assert!(fault.is_some() || tame || good);
    }
}
