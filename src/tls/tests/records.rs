//! Records after the handshake, and totality of the whole room.

use super::profiles::terminator_under;
use super::*;

/// Everything `session` makes of `incoming`, at most `step` octets of plaintext at a time.
fn open_all(done: &mut Established, step: usize) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut plain = Vec::new();
        let opened = done
            .session
            .open(&mut done.incoming, &mut plain, step, &mut done.outgoing)
            .unwrap();
        assert!(plain.len() < step + 16 * 1024 + 1);
        all.append(&mut plain);
        if opened != Opened::Data {
            return all;
        }
    }
}

/// One that opens and seals records of TLS 1.3 itself, and one that leaves them to rustls.
fn in_place_and_not(world: &World) -> [Arc<Terminator>; 2] {
    let by_library = terminator_under(world, &profile::BY_LIBRARY, false);
    [world.plain(), by_library]
}

#[test]
fn endless_hello_is_refused() {
    let mut server = Handshake::new(&World::new().plain());
    server
        .incoming()
        .resize(crate::limits::HANDSHAKE_BYTES_MAX + 1, 22);
    assert_eq!(server.advance(NOW), Err(Refusal::TooLong));
}

#[test]
fn bytes_after_finished_are_kept() {
    use std::io::Write;
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    for version in BOTH {
        let config = Arc::new(world.config(version, &[&who]));
        let terminator = world.plain();
        // The second handshake is a resumed one, in TLS 1.2 the client's Finished ends that.
        for _ in 0..2 {
            let (mut server, mut client) = (Handshake::new(&terminator), client(&config));
            client.writer().write_all(b"GET / HTTP/1.1").unwrap();
            let (outcome, heard) = shake(&mut server, &mut client, NOW);
            assert_eq!((outcome, heard), (Ok(0), Ok(())));
            let mut done = server.finish(NOW).map_err(Refusal::word).unwrap();
            take(&mut client, &mut done.incoming);
            assert_eq!(open_all(&mut done, 4096), b"GET / HTTP/1.1");
            assert!(done.incoming.is_empty());
        }
    }
}

#[test]
fn data_crosses_both_ways_whatever_the_splits() {
    use std::io::{Read, Write};
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let sent: Vec<u8> = (0..100_000u32).map(|n| n.to_le_bytes()[1] ^ 0x5a).collect();
    let [plain, by_library] = in_place_and_not(&world);
    for (terminator, version) in [(&plain, &TLS13), (&plain, &TLS12), (&by_library, &TLS13)] {
        let config = Arc::new(world.config(version, &[&who]));
        for split in [1, 3, 4, 5, 6, 7, 1_461, 16_383, 16_385, 65_537] {
            let (mut done, mut client) = established(terminator, &config);
            let mut wire = Vec::new();
            for part in sent.chunks(20_000) {
                client.writer().write_all(part).unwrap();
                take(&mut client, &mut wire);
            }
            let mut received = Vec::new();
            for part in wire.chunks(split) {
                done.incoming.extend_from_slice(part);
                received.append(&mut open_all(&mut done, 1_000));
            }
            assert!(received == sent && done.incoming.is_empty());
            let mut echoed = Vec::new();
            for part in sent.chunks(split.max(1_000)) {
                done.session.seal(part, &mut done.outgoing).unwrap();
                // The client holds 16 KiB of plaintext at most.
                for wire in std::mem::take(&mut done.outgoing).chunks(4_096) {
                    give(&mut client, wire).unwrap();
                    let ready = client
                        .process_new_packets()
                        .unwrap()
                        .plaintext_bytes_to_read();
                    let start = echoed.len();
                    echoed.resize(start + ready, 0);
                    client.reader().read_exact(&mut echoed[start..]).unwrap();
                }
            }
            assert!(echoed == sent);
        }
    }
}

#[test]
fn key_update_is_answered() {
    use std::io::{Read, Write};
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    for terminator in in_place_and_not(&world) {
        let config = Arc::new(world.config(&TLS13, &[&who]));
        let (mut done, mut client) = established(&terminator, &config);
        client.refresh_traffic_keys().unwrap();
        client.writer().write_all(b"after").unwrap();
        take(&mut client, &mut done.incoming);
        assert_eq!(open_all(&mut done, 4096), b"after");
        done.session.seal(b"answer", &mut done.outgoing).unwrap();
        give(&mut client, &done.outgoing).unwrap();
        let mut answer = [0; 6];
        client.reader().read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"answer");
    }
}

#[test]
fn close_notify_is_said_and_heard() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    for terminator in in_place_and_not(&world) {
        let config = Arc::new(world.config(&TLS13, &[&who]));
        let (mut done, mut client) = established(&terminator, &config);
        done.session.close_notify(&mut done.outgoing);
        give(&mut client, &done.outgoing).unwrap();
        assert!(client.process_new_packets().unwrap().peer_has_closed());
        client.send_close_notify();
        take(&mut client, &mut done.incoming);
        let mut plain = Vec::new();
        for _ in 0..2 {
            let opened = done
                .session
                .open(&mut done.incoming, &mut plain, 99, &mut Vec::new());
            assert_eq!(opened, Ok(Opened::Closed));
        }
    }
}

#[test]
fn altered_record_ends_the_session_with_an_alert_that_it_names() {
    use std::io::Write;
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let [plain, by_library] = in_place_and_not(&world);
    for (terminator, version) in [(&plain, &TLS13), (&plain, &TLS12), (&by_library, &TLS13)] {
        let (mut done, mut client) =
            established(terminator, &world.config(version, &[&who]).into());
        give(&mut client, &std::mem::take(&mut done.outgoing)).unwrap();
        client.writer().write_all(b"request").unwrap();
        take(&mut client, &mut done.incoming);
        *done.incoming.last_mut().unwrap() ^= 1;
        let mut answer = Vec::new();
        assert_eq!(done.session.alert(), "");
        let opened = done
            .session
            .open(&mut done.incoming, &mut Vec::new(), 99, &mut answer);
        assert_eq!(opened, Err(TlsFault::BadRecord));
        let heard = give(&mut client, &answer);
        let alert = AlertDescription::BadRecordMac;
        assert_eq!(heard, Err(Error::AlertReceived(alert)));
        assert_eq!(done.session.alert(), "bad_record_mac");
        let sealed = done.session.seal(b"x", &mut answer);
        assert_eq!(sealed, Err(TlsFault::BadRecord));
    }
}

/// Which alert it was is not to be had from the fault: rustls finds many in one.
#[test]
fn records_that_the_protocol_forbids_are_told_by_the_alert_that_is_named() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let [plain, by_library] = in_place_and_not(&world);
    for (terminator, version) in [(&plain, &TLS13), (&plain, &TLS12), (&by_library, &TLS13)] {
        for record in [
            // Of an unknown kind; longer than a record may be; of nothing that opens.
            &[99, 3, 3, 0, 1, 1][..],
            &[23, 3, 3, 0x48, 1],
            &[23, 3, 3, 0, 2, 1, 1],
        ] {
            let config = world.config(version, &[&who]).into();
            let (mut done, mut client) = established(terminator, &config);
            give(&mut client, &std::mem::take(&mut done.outgoing)).unwrap();
            done.incoming.extend_from_slice(record);
            let mut answer = Vec::new();
            let opened = done
                .session
                .open(&mut done.incoming, &mut Vec::new(), 99, &mut answer);
            assert!(opened.is_err(), "{opened:?}");
            let Err(Error::AlertReceived(alert)) = give(&mut client, &answer) else {
                panic!("no alert: {record:?}");
            };
            let told = done.session.alert();
            assert!(
                !told.is_empty() && told == alerts::word(alert.into()),
                "{told}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_bytes_never_panic(
        head in prop_oneof![Just(vec![]), Just(vec![22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3])],
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        split in 1usize..50,
    ) {
        thread_local! {
            static GATE: Arc<Terminator> = World::new().plain();
        }
        let mut server = GATE.with(Handshake::new);
        for part in [head, bytes].concat().chunks(split) {
            server.incoming().extend_from_slice(part);
            let _ = server.advance(NOW);
        }
    }

    #[test]
    fn altered_flights_never_panic(
        at in any::<proptest::sample::Index>(),
        bit in 0u8..8,
        flight in 0usize..3,
        tls13 in any::<bool>(),
        junk in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let world = World::new();
        let who = scs_as(&world.ca, &["one.example"]);
        let config = world.config(BOTH[usize::from(!tls13)], &[&who]);
        let (mut server, mut client) = (Handshake::new(&world.plain()), client(&Arc::new(config)));
        for round in 0..4 {
            let start = server.incoming().len();
            take(&mut client, server.incoming());
            let sent = server.incoming().len() - start;
            if round == flight && sent > 0 {
                let octet = start + at.index(sent);
                server.incoming()[octet] ^= 1 << bit;
                server.incoming().extend_from_slice(&junk);
            }
            let step = server.advance(NOW);
            let _ = give(&mut client, &std::mem::take(server.outgoing()));
            if step == Ok(Step::Done) {
                let mut done = server.finish(NOW).map_err(Refusal::word).unwrap();
                done.incoming.extend_from_slice(&junk);
                let (mut plain, mut out) = (Vec::new(), Vec::new());
                let _ = done.session.open(&mut done.incoming, &mut plain, 99, &mut out);
                let _ = done.session.seal(b"answer", &mut out);
                done.session.close_notify(&mut out);
                break;
            }
        }
    }

    /// A message in several records, which arrive in pieces of any length.
    #[test]
    fn flights_in_small_records_are_joined_however_they_arrive(
        record in prop_oneof![32usize..140, 140usize..600],
        piece in prop_oneof![1usize..150, 150usize..2000],
        tls13 in any::<bool>(),
        in_token in any::<bool>(),
    ) {
        let world = World::new();
        let who = scs_as(&world.ca, &["one.example"]);
        let mut config = world.config(BOTH[usize::from(!tls13)], &[&who]);
        config.max_fragment_size = Some(record);
        let terminator = world.terminator(&clients(), "127.0.0.1:443", in_token);
        let (mut server, mut client) = (Handshake::new(&terminator), client(&Arc::new(config)));
        let mut done = false;
        for _ in 0..4 {
            let mut flight = Vec::new();
            take(&mut client, &mut flight);
            for piece in flight.chunks(piece) {
                server.incoming().extend_from_slice(piece);
                if done {
                    continue;
                }
                let mut step = server.advance(NOW);
                if step == Ok(Step::SignElsewhere) {
                    step = server.advance_signing(NOW);
                }
                done = step.unwrap() == Step::Done;
            }
            give(&mut client, &std::mem::take(server.outgoing())).unwrap();
        }
        assert!(done);
        let done = server.finish(NOW).map_err(Refusal::word).unwrap();
        assert_eq!(done.peer.client(), ClientIndex(0));
    }

    #[test]
    fn session_parser_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        chain(&bytes);
        hello::offers_session(&bytes);
    }
}
