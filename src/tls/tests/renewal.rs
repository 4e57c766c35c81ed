//! Sessions that are continued again and again.

use rustls::server::ProducesTickets;

use super::*;
use crate::limits::TICKET_SLOT_DEFAULT;

/// Handshakes at this time, with what the client has been given before: whether a session goes on.
fn goes_on_at(
    terminator: &Arc<Terminator>,
    config: &Arc<ClientConfig>,
    later_s: u64,
) -> Option<bool> {
    let (mut server, mut client) = (Handshake::new(terminator), client(config));
    let (outcome, heard) = shake(&mut server, &mut client, UnixSeconds(NOW.0 + later_s));
    assert_eq!((outcome.map(|_| ()), heard), (Ok(()), Ok(())));
    server.resumed()
}

//= RFC 8446 section 4.6.1 type=test
//# Sessions that are renewed again and again end some time after the handshake in which the
//# client showed its certificate.
#[test]
fn session_ends_two_slots_after_its_full_handshake_however_often_it_is_renewed() {
    let slot_s = TICKET_SLOT_DEFAULT.as_secs();
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    for version in BOTH {
        for in_token in [false, true] {
            let config = Arc::new(world.config(version, &[&who]));
            let terminator = world.terminator(&clients(), "a", in_token);
            assert_eq!(goes_on_at(&terminator, &config, 0), Some(false));
            for half in 1..4 {
                let later_s = half * slot_s / 2;
                assert_eq!(goes_on_at(&terminator, &config, later_s), Some(true));
            }
            // With a ticket of half a slot before, which the keys open; then with one of a session
            // that has begun anew.
            assert_eq!(goes_on_at(&terminator, &config, 2 * slot_s), Some(false));
            for half in 5..8 {
                let later_s = half * slot_s / 2;
                assert_eq!(goes_on_at(&terminator, &config, later_s), Some(true));
            }
            assert_eq!(goes_on_at(&terminator, &config, 4 * slot_s), Some(false));
        }
    }
}

/// rustls asks for a ticket, and then how long it lives.
#[test]
fn renewed_ticket_is_said_to_live_no_longer_than_its_session() {
    let world = World::new();
    let auth = ClientAuth::new(trusting(&world.ca, RuleSet::EMPTY), &clients()).unwrap();
    let tickets = BoundTickets::with(Arc::clone(&world.sealing), Arc::new(auth), "a");
    let slot_s = TICKET_SLOT_DEFAULT.as_secs();
    let certain = world.sealing.lifetime_s();
    let renewed = |begun_s: u64| {
        let begun = Some(UnixSeconds(NOW.0 - begun_s));
        let _turn = turn::Turn::enter(NOW, false, false).of_session_begun(begun);
        (tickets.encrypt(b"session").is_some(), tickets.lifetime())
    };
    assert_eq!(renewed(0), (true, certain));
    assert_eq!(renewed(slot_s), (true, certain));
    assert_eq!(renewed(2 * slot_s - 7), (true, 7));
    assert_eq!(renewed(2 * slot_s), (false, 0));
}
