//! Chains that are remembered, and when they are not believed all the same.

use rustls::CertificateError;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::*;
use crate::limits::CLIENT_CAS_MAX;
use crate::tls::turn::Turn;

/// What counts how often chains were verified.
fn trusted(world: &World, clients: &[Client]) -> ClientAuth {
    ClientAuth::new(trusting(&world.ca, world.waived), clients).unwrap()
}

fn terminator_of(world: &World, auth: &Arc<ClientAuth>) -> Arc<Terminator> {
    let auth = Arc::clone(auth);
    let tickets = BoundTickets::with(Arc::clone(&world.sealing), Arc::clone(&auth), "a");
    let key = ServerKey::new(Arc::new(soft_key(&world.server.key)), false);
    let chain = vec![world.server.der.clone()];
    Arc::new(Terminator::build(shown(chain, key), auth, Vec::new(), tickets).unwrap())
}

fn verify(
    auth: &ClientAuth,
    chain: &[CertificateDer<'static>],
    now: UnixSeconds,
) -> Result<(), Error> {
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.0));
    auth.verify_client_cert(&chain[0], &chain[1..], now)?;
    // As if its key had signed.
    crate::tls::chains::remember(&chain[0]);
    Ok(())
}

/// A CA below `above` whose certificate is valid for these years.
fn intermediate(above: &Ca, years: std::ops::Range<i32>, below: BasicConstraints) -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = params("Between");
    params.is_ca = IsCa::Ca(below);
    params.key_usages = CA_USAGES.to_vec();
    params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
    let der = params.signed_by(&key, &above.issuer).unwrap().der().clone();
    Ca {
        issuer: Issuer::new(params, key),
        der,
    }
}

fn at_year(year: i32) -> UnixSeconds {
    let seconds = rcgen::date_time_ymd(year, 6, 1).unix_timestamp();
    UnixSeconds(seconds.try_into().unwrap())
}

fn expired(outcome: &Result<(), Error>) -> bool {
    matches!(
        outcome,
        Err(Error::InvalidCertificate(
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        ))
    )
}

#[test]
fn chain_is_verified_once_and_the_handshakes_signature_each_time() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    for version in BOTH {
        let mut config = world.config(version, &[&who]);
        config.resumption = Resumption::disabled();
        let config = Arc::new(config);
        // Other names for each version: another trust epoch, so that nothing is remembered yet.
        let mut clients = clients();
        clients[1].client_id = format!("{version:?}");
        let auth = Arc::new(trusted(&world, &clients));
        let terminator = terminator_of(&world, &auth);
        for handshakes in 1..=3 {
            let (done, _) = established(&terminator, &config);
            assert_eq!(done.peer.client(), ClientIndex(0));
            assert_eq!(&done.peer.certificate()[..], who.der.as_ref());
            assert_eq!(
                (auth.asked.chains(), auth.asked.signatures()),
                (1, handshakes)
            );
        }
    }
}

#[test]
fn remembered_chain_does_not_stand_in_for_its_key() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let terminator = world.plain();
    for version in BOTH {
        established(&terminator, &Arc::new(world.config(version, &[&who])));
        // The certificate is shown by somebody who has another key.
        let key = PrivatePkcs8KeyDer::from(KeyPair::generate().unwrap().serialize_der());
        let key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key.into()).unwrap();
        let thief = SingleCertAndKey::from(CertifiedKey::new(vec![who.der.clone()], key));
        let mut config = world.config(version, &[&who]);
        config.client_auth_cert_resolver = Arc::new(thief);
        config.resumption = Resumption::disabled();
        let (mut server, mut client) = (Handshake::new(&terminator), client(&Arc::new(config)));
        let (outcome, heard) = shake(&mut server, &mut client, NOW);
        assert_eq!(outcome, Err(Refusal::BadCertificate));
        assert!(matches!(heard, Err(Error::AlertReceived(_))), "{heard:?}");
    }
}

#[test]
fn remembered_chain_is_refused_once_its_leaf_has_expired() {
    let world = World::new();
    let auth = trusted(&world, &clients());
    let chain = [scs_as(&world.ca, &["one.example"]).der];
    assert_eq!(verify(&auth, &chain, NOW), Ok(()));
    assert!(expired(&verify(&auth, &chain, LATER)));
    // The clock was wrong, and is right again.
    assert_eq!(verify(&auth, &chain, NOW), Ok(()));
    assert!(expired(&verify(&auth, &chain, UnixSeconds(0))));
}

#[test]
fn remembered_chain_is_refused_once_an_intermediate_has_expired() {
    let world = World::with_root();
    let auth = trusted(&world, &clients());
    let outer = intermediate(&world.ca, 2020..2060, BasicConstraints::Unconstrained);
    let inner = intermediate(&outer, 2030..2050, BasicConstraints::Constrained(0));
    let who = scs_as(&inner, &["one.example"]);
    let chain = [who.der, inner.der, outer.der];
    for year in [2031, 2049, 2040] {
        assert_eq!(verify(&auth, &chain, at_year(year)), Ok(()));
    }
    assert_eq!(auth.asked.chains(), 1, "remembered");
    for year in [2029, 2050, 2061, 2019] {
        let outcome = verify(&auth, &chain, at_year(year));
        assert!(expired(&outcome), "{year}: {outcome:?}");
    }
}

#[test]
fn remembered_chain_is_verified_anew_under_another_trust_epoch() {
    let world = World::new();
    let chain = [scs_as(&world.ca, &["one.example"]).der];
    let auth = trusted(&world, &clients());
    assert_eq!(verify(&auth, &chain, NOW), Ok(()));
    // Another anchor: it is nobody's any more.
    let strange = trusted(&World::new(), &clients());
    assert!(verify(&strange, &chain, NOW).is_err());
    assert_eq!(strange.asked.chains(), 1);
    // The same anchor and other clients: asked again, and mapped by the new names.
    let fewer = trusted(&world, &clients()[1..]);
    assert_eq!(
        verify(&fewer, &chain, NOW),
        Err(Error::InvalidCertificate(
            CertificateError::ApplicationVerificationFailure
        ))
    );
    assert_eq!(fewer.asked.chains(), 1);
}

#[test]
fn chain_that_differs_in_one_octet_is_not_the_remembered_one() {
    let world = World::with_root();
    let between = intermediate(&world.ca, 2020..2060, BasicConstraints::Constrained(0));
    let who = scs_as(&between, &["one.example"]);
    let chain = [who.der.clone(), between.der.clone()];
    let auth = trusted(&world, &clients());
    assert_eq!(verify(&auth, &chain, NOW), Ok(()));
    let mut asked_of_chains = 1;
    for place in 0..chain.len() {
        for octet in 0..chain[place].len() {
            let mut other = chain.clone();
            let mut der = other[place].to_vec();
            der[octet] ^= 1;
            other[place] = der.into();
            assert!(verify(&auth, &other, NOW).is_err(), "{place} {octet}");
            asked_of_chains += 1;
            assert_eq!(auth.asked.chains(), asked_of_chains);
        }
    }
    // Nor is one of them alone, or an order of its own.
    assert!(verify(&auth, &chain[..1], NOW).is_err());
    let turned = [between.der, who.der];
    assert!(verify(&auth, &turned, NOW).is_err());
    assert_eq!(verify(&auth, &chain, NOW), Ok(()));
    assert_eq!(auth.asked.chains(), asked_of_chains + 2, "remembered still");
}

#[test]
fn whoever_is_refused_is_not_remembered() {
    let world = World::new();
    let auth = trusted(&world, &clients());
    let nobody = [scs_as(&world.ca, &["nobody.example"]).der];
    for times in 1..=3 {
        assert!(verify(&auth, &nobody, NOW).is_err());
        assert_eq!(auth.asked.chains(), times);
    }
}

/// The ticket opens still: what is wrong is the certificate in it.
#[test]
fn session_whose_leaf_has_expired_meanwhile_is_not_resumed() {
    let world = World::new();
    let mut params = leaf_params(&["one.example"], ExtendedKeyUsagePurpose::ClientAuth);
    let begun = rcgen::date_time_ymd(2030, 1, 1);
    params.not_after = begun + std::time::Duration::from_secs(3_600);
    let key = KeyPair::generate().unwrap();
    let der = params
        .signed_by(&key, &world.ca.issuer)
        .unwrap()
        .der()
        .clone();
    let who = Identity { der, key };
    let begun = UnixSeconds(begun.unix_timestamp().try_into().unwrap());
    for version in BOTH {
        let config = Arc::new(world.config(version, &[&who]));
        let terminator = world.plain();
        let shake_at = |seconds| {
            let (mut server, mut client) = (Handshake::new(&terminator), client(&config));
            let now = UnixSeconds(begun.0 + seconds);
            let (outcome, _) = shake(&mut server, &mut client, now);
            (outcome, server.resumed())
        };
        assert_eq!(shake_at(0), (Ok(0), Some(false)));
        assert_eq!(shake_at(3_600), (Ok(0), Some(true)));
        let expired = Err(Refusal::CertificateExpired);
        assert_eq!(shake_at(3_601), (expired, Some(false)));
    }
}

#[test]
fn session_begun_on_one_shard_is_resumed_on_another() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let pattern = world.plain();
    let shards = [(); 2].map(|()| Arc::new(pattern.for_shard().unwrap()));
    for version in BOTH {
        let config = Arc::new(world.config(version, &[&who]));
        established(&shards[0], &config);
        for shard in [&shards[1], &shards[0], &pattern] {
            let (done, client) = established(shard, &config);
            assert_eq!(client.handshake_kind(), Some(HandshakeKind::Resumed));
            assert_eq!(done.peer.client(), ClientIndex(0));
        }
    }
}

/// A session is not continued when a certificate between leaf and anchor has ended meanwhile.
#[test]
fn ticket_is_not_taken_once_an_intermediate_has_expired() {
    let world = World::with_root();
    let end = i64::try_from(NOW.0).unwrap() + 100;
    let key = KeyPair::generate().unwrap();
    let mut params = params("Between");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = CA_USAGES.to_vec();
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + time::Duration::seconds(end);
    let der = params.signed_by(&key, &world.ca.issuer).unwrap();
    let der = der.der().clone();
    let issuer = Issuer::new(params, key);
    let between = Ca { issuer, der };
    let who = scs_as(&between, &["one.example"]);
    let terminator = world.plain();
    for version in BOTH {
        let config = Arc::new(showing(&world, version, &who, &[&between]));
        let again_after = |seconds| {
            let (mut server, mut client) = (Handshake::new(&terminator), client(&config));
            let now = UnixSeconds(NOW.0 + seconds);
            let (outcome, _) = shake(&mut server, &mut client, now);
            (outcome.map(drop), server.resumed())
        };
        assert_eq!(again_after(0), (Ok(()), Some(false)));
        assert_eq!(again_after(50), (Ok(()), Some(true)));
        assert_eq!(again_after(101).0, Err(Refusal::CertificateExpired));
    }
}

/// A client with CAs behind its own certificate.
fn showing(
    world: &World,
    version: &'static SupportedProtocolVersion,
    who: &Identity,
    behind: &[&Ca],
) -> ClientConfig {
    let key = PrivatePkcs8KeyDer::from(who.key.serialize_der());
    let key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key.into()).unwrap();
    let behind = behind.iter().map(|ca| ca.der.clone());
    let chain = std::iter::once(who.der.clone()).chain(behind).collect();
    let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let mut config = world.config(version, &[who]);
    config.client_auth_cert_resolver = Arc::new(shown);
    config
}

/// Or else a connection outlives what it was believed by.
#[test]
fn peer_ends_with_the_first_certificate_of_its_chain() {
    let world = World::with_root();
    let between = intermediate(&world.ca, 2020..2031, BasicConstraints::Constrained(0));
    let who = scs_as(&between, &["one.example"]);
    let terminator = world.plain();
    let end = rcgen::date_time_ymd(2031, 1, 1).unix_timestamp();
    for version in BOTH {
        let config = Arc::new(showing(&world, version, &who, &[&between]));
        let mut client = client(&config);
        let mut server = Handshake::new(&terminator);
        let (outcome, _) = shake(&mut server, &mut client, at_year(2030));
        assert!(outcome.is_ok(), "{outcome:?}");
        let peer = server.finish(at_year(2030)).expect("done").peer;
        assert_eq!(i64::try_from(peer.not_after()), Ok(end));
        let last = UnixSeconds(peer.not_after());
        assert_eq!(terminator.still_trusts(&peer, last), Ok(()));
        let expired = Err(Refusal::CertificateExpired);
        let after = UnixSeconds(last.0 + 1);
        assert_eq!(terminator.still_trusts(&peer, after), expired);
        assert_eq!(terminator.still_trusts(&peer, at_year(2031)), expired);
    }
}

/// Looking for a path among many of one name costs a shard more than all else that a stranger can
/// ask of it.
#[test]
fn chain_of_more_cas_than_there_may_be_is_refused_before_a_path_is_looked_for() {
    let world = World::with_root();
    let auth = trusted(&world, &clients());
    let mut above = vec![intermediate(
        &world.ca,
        2020..2060,
        BasicConstraints::Unconstrained,
    )];
    while above.len() < CLIENT_CAS_MAX {
        let last = above.last().unwrap();
        above.push(intermediate(
            last,
            2020..2060,
            BasicConstraints::Unconstrained,
        ));
    }
    let issuing = intermediate(
        &above[CLIENT_CAS_MAX - 2],
        2020..2060,
        BasicConstraints::Constrained(0),
    );
    above[CLIENT_CAS_MAX - 1] = issuing;
    let who = scs_as(&above[CLIENT_CAS_MAX - 1], &["one.example"]);
    let behind = above.iter().rev().map(|ca| ca.der.clone());
    let mut chain: Vec<_> = std::iter::once(who.der).chain(behind).collect();
    assert_eq!(verify(&auth, &chain, NOW), Ok(()));
    chain.push(world.ca.der.clone());
    let outcome = verify(&auth, &chain, NOW);
    let encoding = Error::InvalidCertificate(CertificateError::BadEncoding);
    assert_eq!(outcome, Err(encoding));
}

/// What the anchor says of itself holds, whatever is waived.
//= RFC 5280 section 4.2.1.9 type=test
//# No more CAs stand below one than its pathLenConstraint says.
#[test]
fn anchor_reaches_no_further_than_it_says() {
    let any_depth = RuleSet::EMPTY
        .with(Rule::DirectIssuer)
        .with(Rule::CaPathLength);
    for (length, expected) in [(0, false), (1, true)] {
        let key = KeyPair::generate().unwrap();
        let mut params = params("Root");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length));
        params.key_usages = CA_USAGES.to_vec();
        let der = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        let world = World::of(Ca { issuer, der }, any_depth);
        let auth = trusted(&world, &clients());
        let between = intermediate(&world.ca, 2020..2060, BasicConstraints::Constrained(0));
        let who = scs_as(&between, &["one.example"]);
        let outcome = verify(&auth, &[who.der, between.der], NOW);
        assert_eq!(outcome.is_ok(), expected, "{outcome:?}");
        let direct = [scs_as(&world.ca, &["one.example"]).der];
        assert_eq!(verify(&auth, &direct, NOW), Ok(()));
    }
}

#[test]
fn anchor_that_is_for_servers_alone_is_refused() {
    use ExtendedKeyUsagePurpose::{ClientAuth as ForClients, ServerAuth as ForServers};
    for (usages, fit) in [
        (vec![ForServers, ForClients], true),
        (vec![ForServers], false),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = params("TLS CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = CA_USAGES.to_vec();
        params.extended_key_usages = usages;
        let der = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        let anchor = Ca { issuer, der };
        let made = ClientAuth::new(trusting(&anchor, RuleSet::EMPTY), &clients());
        match (made, fit) {
            (Ok(_), true) => {}
            (Err(unfit), false) => assert!(unfit.what.contains("vouches"), "{unfit:?}"),
            (made, _) => panic!("{made:?}"),
        }
    }
}

/// Whoever shows a chain chooses what else to show: that is not what it is refused for.
#[test]
fn certificate_that_stands_in_no_chain_is_no_reason() {
    let world = World::new();
    let auth = trusted(&world, &clients());
    let verify = |auth: &ClientAuth, chain: &[_], now| {
        let turn = Turn::enter(now, false, false);
        let outcome = verify(auth, chain, now);
        outcome.map_err(|error| (error, turn.refusal()))
    };
    // Of the anchor's name, by another key.
    let forged = scs_as(&ca(), &["one.example"]).der;
    let alone = verify(&auth, std::slice::from_ref(&forged), NOW).unwrap_err();
    assert_eq!(alone.1, Some(Refusal::BadCertificate));
    let stray = identity(
        &ca(),
        &["stray.example"],
        ExtendedKeyUsagePurpose::ServerAuth,
    )
    .der;
    let beside = verify(&auth, &[forged, stray], NOW).unwrap_err();
    assert_eq!(alone, beside);
}

/// One that stands in the chain by its name is, where path validation fails for another.
#[test]
fn rule_that_a_ca_between_breaks_is_named_before_a_signature_that_is_wrong() {
    let world = World::with_root();
    let auth = trusted(&world, &clients());
    let between = |common_name: &str, usages: &[KeyUsagePurpose]| {
        let key = KeyPair::generate().unwrap();
        let mut params = params(common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = usages.to_vec();
        let der = params.signed_by(&key, &world.ca.issuer).unwrap();
        let der = der.der().clone();
        let issuer = Issuer::new(params, key);
        Ca { issuer, der }
    };
    let unfit = &[KeyUsagePurpose::CrlSign][..];
    let forged = scs_as(&between("Between", &CA_USAGES), &["one.example"]).der;
    for (name, usages, refusal) in [
        ("Between", unfit, Refusal::Profile(Rule::CaKeyUsage)),
        ("Between", &CA_USAGES, Refusal::BadCertificate),
        ("Another", unfit, Refusal::UnknownCa),
    ] {
        let turn = Turn::enter(NOW, false, false);
        let chain = [forged.clone(), between(name, usages).der];
        assert!(verify(&auth, &chain, NOW).is_err());
        assert_eq!(turn.refusal(), Some(refusal), "{name}: {usages:?}");
    }
}

/// No rule of 3GPP's is about that: it is path validation that says so, and the alert is its own.
#[test]
fn ca_between_that_is_for_servers_alone_is_refused() {
    use ExtendedKeyUsagePurpose::{ClientAuth as ForClients, ServerAuth as ForServers};
    let world = World::with_root();
    let auth = trusted(&world, &clients());
    for (usages, expected) in [
        (vec![ForServers, ForClients], Ok(())),
        (
            vec![ForServers],
            Err(Error::InvalidCertificate(CertificateError::InvalidPurpose)),
        ),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = params("Between");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = CA_USAGES.to_vec();
        params.extended_key_usages = usages;
        let der = params.signed_by(&key, &world.ca.issuer).unwrap();
        let der = der.der().clone();
        let issuer = Issuer::new(params, key);
        let between = Ca { issuer, der };
        let who = scs_as(&between, &["one.example"]);
        assert_eq!(verify(&auth, &[who.der, between.der], NOW), expected);
    }
}

/// Certificates are public: who shows somebody's chain without the key to it leaves nothing behind.
#[test]
fn chain_whose_key_has_not_signed_is_not_remembered() {
    let world = World::new();
    let auth = trusted(&world, &clients());
    let who = scs_as(&world.ca, &["one.example"]);
    let other = scs_as(&world.ca, &["one.example"]);
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW.0));
    for times in 1..=3 {
        auth.verify_client_cert(&who.der, &[], now)
            .map(drop)
            .unwrap();
        crate::tls::chains::remember(&other.der);
        assert_eq!(auth.asked.chains(), times);
    }
}
