//! Clients whose certificates are looked up in revocation lists: on the wire, on resumption, and
//! while their connections stand.

use std::io::Cursor;
use std::time::Duration;

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use time::{Duration as TimeSpan, OffsetDateTime};

use super::*;
use crate::tls::revocation::{CrlIssuer, Policy, Revocation, Rules};

const HARD: Rules = Rules {
    policy: Policy::HardFail,
    grace: Duration::ZERO,
    ocsp: Policy::Off,
};
const SOFT: Rules = Rules {
    policy: Policy::SoftFail,
    grace: Duration::ZERO,
    ocsp: Policy::Off,
};
const DAY_S: u64 = 86_400;

/// A list that begins a day before [`NOW`] and ends a day after it.
fn adopt(revocation: &Revocation, ca: &Ca, number: u64, revoked: &[&Identity]) {
    let now = OffsetDateTime::from_unix_timestamp(NOW.0.cast_signed()).unwrap();
    let entry = |who: &&Identity| RevokedCertParams {
        serial_number: SerialNumber::from_slice(leaf::parsed(&who.der).unwrap().raw_serial()),
        revocation_time: now - TimeSpan::days(2),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: now - TimeSpan::days(1),
        next_update: now + TimeSpan::days(1),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&ca.issuer).unwrap().der().to_vec();
    let crl = revocation.read(&mut Cursor::new(list)).unwrap();
    revocation.adopt(crl).unwrap();
}

fn lists_of(ca: &Ca) -> Arc<Revocation> {
    let revocation = Arc::new(Revocation::default());
    revocation.take_lists_of(vec![CrlIssuer::read(&ca.der).unwrap()]);
    revocation
}

fn auth(world: &World, revocation: &Arc<Revocation>, rules: Rules) -> ClientAuth {
    let mut groups = trusting(&world.ca, world.waived);
    groups[0].revocation = rules;
    let auth = ClientAuth::new(groups, &clients()).unwrap();
    auth.looking_up_in(Arc::clone(revocation))
}

fn terminator(world: &World, revocation: &Arc<Revocation>, rules: Rules) -> Arc<Terminator> {
    let auth = Arc::new(auth(world, revocation, rules));
    let tickets = BoundTickets::with(Arc::clone(&world.sealing), Arc::clone(&auth), "listener");
    let key = ServerKey::new(Arc::new(soft_key(&world.server.key)), false);
    let chain = vec![world.server.der.clone()];
    Arc::new(Terminator::build(shown(chain, key), auth, Vec::new(), tickets).unwrap())
}

/// What a client gets, the same in both versions: taken unchecked or not, or refused with an alert.
fn outcome(
    world: &World,
    terminator: &Arc<Terminator>,
    who: &Identity,
    now: UnixSeconds,
) -> Result<bool, (Refusal, AlertDescription)> {
    let outcomes = BOTH.map(|version| {
        let config = Arc::new(world.config(version, &[who]));
        let (mut server, mut client) = (Handshake::new(terminator), client(&config));
        match shake(&mut server, &mut client, now) {
            (Ok(_), Ok(())) => Ok(server.finish(now).map_err(Refusal::word).unwrap().unchecked),
            (Err(refusal), Err(Error::AlertReceived(alert))) => Err((refusal, alert)),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(outcomes[0], outcomes[1], "TLS 1.3 and TLS 1.2 differ");
    outcomes[0]
}

//= TS 33.310 clause 6.1.1 type=test
#[test]
fn revoked_client_is_refused_with_its_own_alert_and_another_is_taken() {
    let world = World::new();
    let (good, bad) = (
        scs_as(&world.ca, &["one.example"]),
        scs_as(&world.ca, &["one.example"]),
    );
    let revocation = lists_of(&world.ca);
    adopt(&revocation, &world.ca, 1, &[&bad]);
    let revoked = Err((
        Refusal::CertificateRevoked,
        AlertDescription::CertificateRevoked,
    ));
    for rules in [HARD, SOFT] {
        let terminator = terminator(&world, &revocation, rules);
        assert_eq!(outcome(&world, &terminator, &bad, NOW), revoked);
        assert_eq!(outcome(&world, &terminator, &good, NOW), Ok(false));
    }
    let off = terminator(&world, &revocation, Rules::default());
    assert_eq!(
        outcome(&world, &off, &bad, NOW),
        Ok(true),
        "and that is counted"
    );
}

#[test]
fn client_of_whom_nothing_is_known_is_refused_or_taken_unchecked_by_policy() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let revocation = lists_of(&world.ca);
    let (hard, soft) = (
        terminator(&world, &revocation, HARD),
        terminator(&world, &revocation, SOFT),
    );
    let refused = |refusal| Err((refusal, AlertDescription::UnknownCA));
    let unknown = refused(Refusal::RevocationUnknown);
    assert_eq!(outcome(&world, &hard, &who, NOW), unknown);
    assert_eq!(outcome(&world, &soft, &who, NOW), Ok(true));
    adopt(&revocation, &world.ca, 1, &[]);
    let ended = UnixSeconds(NOW.0 + DAY_S + 1);
    assert_eq!(outcome(&world, &hard, &who, NOW), Ok(false));
    let expired = refused(Refusal::RevocationListExpired);
    assert_eq!(outcome(&world, &hard, &who, ended), expired);
    assert_eq!(outcome(&world, &soft, &who, ended), Ok(true));
    let grace = Duration::from_secs(60);
    let patient = terminator(&world, &revocation, Rules { grace, ..HARD });
    assert_eq!(outcome(&world, &patient, &who, ended), Ok(false));
    let late = UnixSeconds(ended.0 + 60);
    assert_eq!(outcome(&world, &patient, &who, late), expired);
}

#[test]
fn every_certificate_below_the_anchor_is_looked_up() {
    let world = World::with_root();
    let key = KeyPair::generate().unwrap();
    let mut between = params("Partner issuing CA");
    between.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    between.key_usages = CA_USAGES.to_vec();
    let der = between
        .signed_by(&key, &world.ca.issuer)
        .unwrap()
        .der()
        .clone();
    let issuing = Ca {
        issuer: Issuer::new(between, key),
        der: der.clone(),
    };
    let who = scs_as(&issuing, &["one.example"]);
    let revocation = lists_of(&world.ca);
    revocation.take_lists_of(vec![
        CrlIssuer::read(&world.ca.der).unwrap(),
        CrlIssuer::read(&der).unwrap(),
    ]);
    let auth = auth(&world, &revocation, HARD);
    let chain = [who.der.clone(), der.clone()];
    let judged = || auth.continued(&chain, NOW).map(|_| ());
    adopt(&revocation, &issuing, 1, &[]);
    assert_eq!(judged(), Err(Refusal::RevocationUnknown));
    adopt(&revocation, &world.ca, 1, &[]);
    assert_eq!(judged(), Ok(()));
    let itself = Identity {
        der,
        key: KeyPair::generate().unwrap(),
    };
    adopt(&revocation, &world.ca, 2, &[&itself]);
    assert_eq!(judged(), Err(Refusal::CertificateRevoked));
}

#[test]
fn session_of_a_client_that_was_revoked_since_is_not_continued() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    for version in BOTH {
        let revocation = lists_of(&world.ca);
        adopt(&revocation, &world.ca, 1, &[]);
        let terminator = terminator(&world, &revocation, HARD);
        let mut config = world.config(version, &[&who]);
        config.resumption = Resumption::in_memory_sessions(4);
        let config = Arc::new(config);
        let (first, mut begun) = established(&terminator, &config);
        give(&mut begun, &first.outgoing).unwrap();
        let (second, again) = established(&terminator, &config);
        assert_eq!(again.handshake_kind(), Some(HandshakeKind::Resumed));
        let auth = auth(&world, &revocation, HARD);
        assert_eq!(auth.still_trusts(&second.peer, NOW), Ok(ClientIndex(0)));
        adopt(&revocation, &world.ca, 2, &[&who]);
        let refused = Err(Refusal::CertificateRevoked);
        assert_eq!(auth.still_trusts(&second.peer, NOW), refused);
        let (mut server, mut client) = (Handshake::new(&terminator), client(&config));
        let (outcome, heard) = shake(&mut server, &mut client, NOW);
        assert_eq!(outcome.map(|_| ()), refused.map(|_| ()));
        let alert = Error::AlertReceived(AlertDescription::CertificateRevoked);
        assert_eq!(heard, Err(alert));
        // The next version begins with nothing remembered of this one.
        drop(begun);
    }
}
