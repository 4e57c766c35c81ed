//! Clients whose certificates a responder is asked about: when a handshake waits, and what it comes
//! to, with the answers given by hand.

use tokio::sync::mpsc::{self, Receiver};

use super::*;
use crate::tls::ocsp::{Question, Told, Verdict};
use crate::tls::revocation::{Policy, Revocation, Rules};

const DAY_S: u64 = 86_400;

fn asking(policy: Policy) -> Rules {
    Rules {
        ocsp: policy,
        ..Rules::default()
    }
}

/// A gateway that asks, and what it asks.
struct Asking {
    world: World,
    revocation: Arc<Revocation>,
    terminator: Arc<Terminator>,
    auth: Arc<ClientAuth>,
    questions: Receiver<Question>,
}

impl Asking {
    fn new(policy: Policy) -> Self {
        Self::under(asking(policy))
    }

    fn under(rules: Rules) -> Self {
        let world = World::new();
        let revocation = Arc::new(Revocation::default());
        let (sender, questions) = mpsc::channel(8);
        revocation.statuses().answered_by(sender);
        let mut groups = trusting(&world.ca, world.waived);
        groups[0].revocation = rules;
        let auth = ClientAuth::new(groups, &clients()).unwrap();
        let auth = Arc::new(auth.looking_up_in(Arc::clone(&revocation)));
        let tickets = BoundTickets::with(Arc::clone(&world.sealing), Arc::clone(&auth), "listener");
        let key = ServerKey::new(Arc::new(soft_key(&world.server.key)), false);
        let chain = vec![world.server.der.clone()];
        let built = Terminator::build(shown(chain, key), Arc::clone(&auth), Vec::new(), tickets);
        Self {
            world,
            revocation,
            terminator: Arc::new(built.unwrap()),
            auth,
            questions,
        }
    }

    /// Notes an answer to the next question, and who is asked about: none where nothing is asked.
    fn answer(&mut self, told: Told) -> Option<Box<[u8]>> {
        let question = self.questions.try_recv().ok()?;
        let statuses = self.revocation.statuses();
        let known = statuses.enter(question.issuer, &question.serial);
        let end = UnixSeconds(NOW.0 + DAY_S);
        known.note(told, end, end);
        question.answered.send(()).unwrap();
        Some(question.serial)
    }

    /// Drives both ends; where the server waits, the responder says this, or nothing.
    fn shake(
        &mut self,
        config: &Arc<ClientConfig>,
        told: Option<Told>,
        now: UnixSeconds,
    ) -> (
        Result<Established, Refusal>,
        Result<(), Error>,
        ClientConnection,
    ) {
        let (mut server, mut client) = (Handshake::new(&self.terminator), client(config));
        let mut heard = Ok(());
        for _ in 0..20 {
            take(&mut client, server.incoming());
            let mut step = server.advance(now);
            if step == Ok(Step::AwaitStatus) {
                let mut answered = server.ask().expect("a channel with room");
                if let Some(told) = told {
                    assert!(self.answer(told).is_some());
                    assert_eq!(answered.try_recv(), Ok(()));
                }
                step = server.advance(now);
                assert_ne!(step, Ok(Step::AwaitStatus), "once");
            }
            let sent = std::mem::take(server.outgoing());
            heard = heard.and(give(&mut client, &sent));
            match step {
                Ok(Step::Done) => return (server.finish(now), heard, client),
                Err(refusal) => return (Err(refusal), heard, client),
                Ok(_) => {}
            }
        }
        panic!("no end: {heard:?}");
    }
}

#[test]
fn handshake_waits_for_the_first_answer_and_no_other_does() {
    for version in BOTH {
        let mut asking = Asking::new(Policy::HardFail);
        let who = scs_as(&asking.world.ca, &["one.example"]);
        let serial = leaf::parsed(&who.der).unwrap().raw_serial().to_vec();
        let config = Arc::new(asking.world.config(version, &[&who]));
        let (outcome, heard, _) = asking.shake(&config, Some(Told::Good), NOW);
        let first = outcome.map_err(Refusal::word).unwrap();
        assert_eq!((heard, first.unchecked), (Ok(()), false));
        assert_eq!(&*first.status.as_ref().unwrap().serial, serial.as_slice());
        let (outcome, ..) = asking.shake(&config, None, NOW);
        assert!(outcome.is_ok() && asking.answer(Told::Good).is_none());
        // It is held by both connections, and asked about again when its time has come.
        let statuses = asking.revocation.statuses();
        assert_eq!(statuses.sweep(UnixSeconds(NOW.0 + DAY_S)).len(), 1);
        // When it has ended, it is asked for again.
        let late = UnixSeconds(NOW.0 + DAY_S + 1);
        let (outcome, ..) = asking.shake(&config, Some(Told::Good), late);
        assert!(outcome.is_err(), "the answer has ended as well");
    }
}

/// Nor does what a responder says stand in for a list that there should be.
#[test]
fn client_of_a_ca_without_its_list_is_unchecked_though_a_responder_calls_it_good() {
    let mut soft = Asking::under(Rules {
        policy: Policy::SoftFail,
        ..asking(Policy::HardFail)
    });
    let who = scs_as(&soft.world.ca, &["one.example"]);
    let config = Arc::new(soft.world.config(BOTH[0], &[&who]));
    let (outcome, ..) = soft.shake(&config, Some(Told::Good), NOW);
    assert!(outcome.map_err(Refusal::word).unwrap().unchecked);
}

//= RFC 8446 section 4.4.2.4 type=test
#[test]
fn revoked_client_hears_it_in_both_versions_whether_asked_now_or_before() {
    for policy in [Policy::HardFail, Policy::SoftFail] {
        for version in BOTH {
            let mut asking = Asking::new(policy);
            let who = scs_as(&asking.world.ca, &["one.example"]);
            let config = Arc::new(asking.world.config(version, &[&who]));
            for told in [Some(Told::Revoked), None] {
                let (outcome, heard, _) = asking.shake(&config, told, NOW);
                let refusal = outcome.map(|_| ()).unwrap_err();
                assert_eq!(refusal, Refusal::CertificateRevoked);
                let alert = AlertDescription::CertificateRevoked;
                assert_eq!(
                    heard,
                    Err(Error::AlertReceived(alert)),
                    "{version:?} {told:?}"
                );
            }
            // The answer has ended, and there is no other: that makes it no better.
            let late = UnixSeconds(NOW.0 + DAY_S + 1);
            let (outcome, ..) = asking.shake(&config, None, late);
            let refusal = outcome.map(|_| ()).unwrap_err();
            assert_eq!(refusal, Refusal::CertificateRevoked);
        }
    }
}

#[test]
fn client_of_whom_no_responder_speaks_is_judged_by_policy() {
    for version in BOTH {
        for told in [None, Some(Told::Nothing), Some(Told::Unknown)] {
            let mut hard = Asking::new(Policy::HardFail);
            let who = scs_as(&hard.world.ca, &["one.example"]);
            let config = Arc::new(hard.world.config(version, &[&who]));
            let (outcome, heard, _) = hard.shake(&config, told, NOW);
            let refusal = outcome.map(|_| ()).unwrap_err();
            assert_eq!(refusal, Refusal::RevocationUnknown);
            let alert = Error::AlertReceived(AlertDescription::UnknownCA);
            assert_eq!(heard, Err(alert), "{version:?} {told:?}");

            let mut soft = Asking::new(Policy::SoftFail);
            let who = scs_as(&soft.world.ca, &["one.example"]);
            let config = Arc::new(soft.world.config(version, &[&who]));
            let (outcome, heard, _) = soft.shake(&config, told, NOW);
            let taken = outcome.map_err(Refusal::word).unwrap();
            assert_eq!((heard, taken.unchecked), (Ok(()), true));
        }
        let mut off = Asking::new(Policy::Off);
        let who = scs_as(&off.world.ca, &["one.example"]);
        let config = Arc::new(off.world.config(version, &[&who]));
        let (outcome, ..) = off.shake(&config, None, NOW);
        let taken = outcome.map_err(Refusal::word).unwrap();
        assert!(!taken.unchecked && taken.status.is_none());
        assert!(off.questions.try_recv().is_err());
    }
}

#[test]
fn session_goes_on_while_the_answer_holds_and_a_revoked_one_does_not() {
    for version in BOTH {
        let mut asking = Asking::new(Policy::HardFail);
        let who = scs_as(&asking.world.ca, &["one.example"]);
        let mut config = asking.world.config(version, &[&who]);
        config.resumption = Resumption::in_memory_sessions(8);
        let config = Arc::new(config);
        let (outcome, _, mut begun) = asking.shake(&config, Some(Told::Good), NOW);
        let first = outcome.map_err(Refusal::word).unwrap();
        give(&mut begun, &first.outgoing).unwrap();
        let (outcome, _, again) = asking.shake(&config, None, NOW);
        assert_eq!(again.handshake_kind(), Some(HandshakeKind::Resumed));
        let second = outcome.map_err(Refusal::word).unwrap();
        assert_eq!(
            asking.auth.still_trusts(&second.peer, NOW),
            Ok(ClientIndex(0))
        );
        let known = second.status.as_ref().unwrap();
        // Nothing is known for a moment: the full handshake waits, and then goes on as ever.
        known.note(Told::Nothing, UnixSeconds(0), UnixSeconds(0));
        let (outcome, _, full) = asking.shake(&config, Some(Told::Good), NOW);
        assert!(outcome.is_ok());
        assert_eq!(full.handshake_kind(), Some(HandshakeKind::Full));
        let end = UnixSeconds(NOW.0 + DAY_S);
        known.note(Told::Revoked, end, end);
        let statuses = asking.revocation.statuses();
        let verdict = statuses.verdict(known.issuer, &known.serial, NOW);
        assert_eq!(verdict, Verdict::Revoked);
        let refused = Err(Refusal::CertificateRevoked);
        assert_eq!(asking.auth.still_trusts(&second.peer, NOW), refused);
        let (outcome, heard, _) = asking.shake(&config, None, NOW);
        assert_eq!(
            outcome.map(|_| ()).unwrap_err(),
            Refusal::CertificateRevoked
        );
        let alert = AlertDescription::CertificateRevoked;
        assert_eq!(heard, Err(Error::AlertReceived(alert)));
    }
}
