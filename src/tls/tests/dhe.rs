//! The profile with DHE: who is served by it, what comes before it, and what it waits for.

use rcgen::{PKCS_RSA_SHA256, RsaKeySize};
use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
use rustls::crypto::{ActiveKeyExchange, CryptoProvider, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::{self, FfdheGroup};
use rustls::{CipherSuite, NamedGroup, SupportedCipherSuite};

use super::profiles::terminator_under;
use super::*;
use crate::tls::ffdhe;

const DHE: CipherSuite = CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256;

/// With an RSA certificate of the server's.
fn world() -> World {
    let mut world = World::new();
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let params = leaf_params(&["gate.example"], ExtendedKeyUsagePurpose::ServerAuth);
    let signed = params.signed_by(&key, &world.ca.issuer).unwrap();
    let der = signed.der().clone();
    world.server = Identity { der, key };
    world
}

fn strict(world: &World, in_token: bool) -> Arc<Terminator> {
    terminator_under(world, &profile::THREE_GPP_STRICT, in_token)
}

/// A client that offers these suites and groups.
fn offering(
    world: &World,
    suites: Vec<SupportedCipherSuite>,
    groups: Vec<&'static dyn SupportedKxGroup>,
) -> Arc<ClientConfig> {
    let who = scs_as(&world.ca, &["one.example"]);
    let mut roots = RootCertStore::empty();
    roots.add(world.ca.der.clone()).unwrap();
    let provider = CryptoProvider {
        cipher_suites: suites,
        kx_groups: groups,
        ..profile::THREE_GPP_STRICT.provider()
    };
    let key = PrivatePkcs8KeyDer::from(who.key.serialize_der());
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![who.der.clone()], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

fn only_dhe(world: &World, group: &'static dyn SupportedKxGroup) -> Arc<ClientConfig> {
    let suites = vec![ffdhe::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256];
    offering(world, suites, vec![group])
}

/// What a handshake has gone through.
#[derive(Debug, Default, PartialEq, Eq)]
struct Gone {
    ships: u32,
    admissions: u32,
}

/// Drives both ends to the end, and admits to DHE whoever asks.
fn shake(server: &mut Handshake, client: &mut ClientConnection) -> Gone {
    let mut gone = Gone::default();
    for _ in 0..20 {
        take(client, server.incoming());
        let step = loop {
            let mut step = server.advance(NOW);
            if step == Ok(Step::SignElsewhere) {
                gone.ships += 1;
                step = server.advance_signing(NOW);
            }
            if step != Ok(Step::DheWanted) {
                break step;
            }
            assert!(server.outgoing().is_empty(), "nothing is said before");
            gone.admissions += 1;
            server.admit_dhe();
        };
        give(client, &std::mem::take(server.outgoing())).unwrap();
        if step == Ok(Step::Done) {
            return gone;
        }
        assert_eq!(step, Ok(Step::NeedInput));
    }
    panic!("the handshake does not end");
}

fn agreed(client: &ClientConnection) -> (CipherSuite, NamedGroup) {
    let suite = client.negotiated_cipher_suite().unwrap().suite();
    let group = client.negotiated_key_exchange_group().unwrap().name();
    (suite, group)
}

//= TS 33.210 clause 6.2.3 type=test
//# TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 is supported.
#[test]
fn client_with_nothing_else_is_served_in_the_group_that_it_names() {
    let world = world();
    for (group, name) in [
        (&ffdhe::FFDHE2048, NamedGroup::FFDHE2048),
        (&ffdhe::FFDHE3072, NamedGroup::FFDHE3072),
    ] {
        for in_token in [false, true] {
            let terminator = strict(&world, in_token);
            let mut client = client(&only_dhe(&world, group));
            let mut server = Handshake::new(&terminator);
            let gone = shake(&mut server, &mut client);
            // The first time the signer finds that it is to be asked, the second time it signs.
            let ships = if in_token { 2 } else { 0 };
            assert_eq!((gone.ships, gone.admissions), (ships, 1));
            assert_eq!(agreed(&client), (DHE, name));
            let done = server.finish(NOW).map_err(Refusal::word).unwrap();
            assert_eq!(done.peer.client(), ClientIndex(0));
        }
    }
}

#[test]
fn anything_else_that_a_client_offers_comes_before_dhe() {
    let world = world();
    let ecdhe = cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256;
    let suites = vec![ffdhe::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, ecdhe];
    let groups: Vec<&'static dyn SupportedKxGroup> = vec![&ffdhe::FFDHE2048, kx_group::SECP384R1];
    let mut client = client(&offering(&world, suites, groups));
    let gone = shake(&mut Handshake::new(&strict(&world, false)), &mut client);
    assert_eq!(gone, Gone::default());
    let expected = (ecdhe.suite(), NamedGroup::secp384r1);
    assert_eq!(agreed(&client), expected);
    // And TLS 1.3 before all of TLS 1.2, though the client names its groups in this order.
    let who = scs_as(&world.ca, &["one.example"]);
    let config = Arc::new(world.config(&TLS13, &[&who]));
    established(&strict(&world, false), &config);
}

#[test]
fn other_profiles_refuse_a_client_with_nothing_else() {
    let world = world();
    let config = only_dhe(&world, &ffdhe::FFDHE2048);
    for profile in [&profile::THREE_GPP, &profile::MODERN] {
        let terminator = terminator_under(&world, profile, false);
        let (mut server, mut client) = (Handshake::new(&terminator), client(&config));
        let (outcome, heard) = super::shake(&mut server, &mut client, NOW);
        assert_eq!(outcome, Err(Refusal::NoCommonProfile));
        assert!(matches!(heard, Err(Error::AlertReceived(_))), "{heard:?}");
    }
}

#[test]
fn over_the_limit_a_client_hears_internal_error_and_no_key_is_made() {
    let world = world();
    let terminator = strict(&world, false);
    let mut client = client(&only_dhe(&world, &ffdhe::FFDHE2048));
    let mut server = Handshake::new(&terminator);
    take(&mut client, server.incoming());
    assert_eq!(server.advance(NOW), Ok(Step::DheWanted));
    assert_eq!(server.signed_ns(), None);
    assert_eq!(server.refuse_dhe(), Refusal::DheOverLimit);
    let heard = give(&mut client, &std::mem::take(server.outgoing()));
    let alert = AlertDescription::InternalError;
    assert_eq!(heard, Err(Error::AlertReceived(alert)));
    assert_eq!(server.advance(NOW), Err(Refusal::DheOverLimit));
}

/// However a hello is cut into records, the agreement waits for its admission.
#[test]
fn hello_in_pieces_waits_for_its_admission_as_well() {
    let world = world();
    let terminator = strict(&world, false);
    let mut client = client(&only_dhe(&world, &ffdhe::FFDHE3072));
    let mut server = Handshake::new(&terminator);
    let mut hello = Vec::new();
    take(&mut client, &mut hello);
    for piece in hello[5..].chunks(7) {
        let length = u8::try_from(piece.len()).unwrap();
        server.incoming().extend_from_slice(&[22, 3, 1, 0, length]);
        server.incoming().extend_from_slice(piece);
    }
    let gone = shake(&mut server, &mut client);
    assert_eq!(gone.admissions, 1);
}

#[test]
fn agreement_is_long_work_to_its_end_and_resumption_needs_none() {
    let world = world();
    let terminator = strict(&world, false);
    let mut config = only_dhe(&world, &ffdhe::FFDHE2048);
    let resuming = Arc::get_mut(&mut config).unwrap();
    resuming.resumption = Resumption::in_memory_sessions(4);
    let mut first = client(&config);
    let mut server = Handshake::new(&terminator);
    take(&mut first, server.incoming());
    assert_eq!(server.advance(NOW), Ok(Step::DheWanted));
    server.admit_dhe();
    assert_eq!(server.effort(), Effort::Much);
    assert_eq!(server.advance(NOW), Ok(Step::NeedInput));
    give(&mut first, &std::mem::take(server.outgoing())).unwrap();
    assert_eq!(server.effort(), Effort::Much, "the other half of it");
    shake(&mut server, &mut first);
    let mut second = client(&config);
    let mut server = Handshake::new(&terminator);
    let gone = shake(&mut server, &mut second);
    assert_eq!((gone, server.resumed()), (Gone::default(), Some(true)));
    assert_eq!(second.handshake_kind(), Some(HandshakeKind::Resumed));
    // With a key in a token likewise, without leaving the shard.
    let mut third = client(&config);
    let mut server = Handshake::new(&strict(&world, true));
    let gone = shake(&mut server, &mut third);
    assert_eq!((gone, server.resumed()), (Gone::default(), Some(true)));
}

/// A ticket that does not open ends in a full handshake, which needs its admission like any.
#[test]
fn session_that_does_not_go_on_needs_an_admission() {
    let mut world = world();
    for in_token in [false, true] {
        let mut config = only_dhe(&world, &ffdhe::FFDHE2048);
        let resuming = Arc::get_mut(&mut config).unwrap();
        resuming.resumption = Resumption::in_memory_sessions(4);
        let mut server = Handshake::new(&strict(&world, false));
        shake(&mut server, &mut client(&config));
        world.sealing = Arc::new(TicketKeys::random().unwrap());
        let mut server = Handshake::new(&strict(&world, in_token));
        let gone = shake(&mut server, &mut client(&config));
        assert_eq!((gone.ships, gone.admissions), (u32::from(in_token), 1));
        assert_eq!(server.resumed(), Some(false));
    }
}

/// A value whose powers are two: the secret would be known.
#[test]
fn bad_public_value_ends_in_illegal_parameter() {
    let world = world();
    let terminator = strict(&world, false);
    let mut client = client(&only_dhe(&world, &BAD_GROUP));
    let mut server = Handshake::new(&terminator);
    take(&mut client, server.incoming());
    assert_eq!(server.advance(NOW), Ok(Step::DheWanted));
    server.admit_dhe();
    let (outcome, heard) = super::shake(&mut server, &mut client, NOW);
    assert_eq!(outcome, Err(Refusal::Protocol));
    let alert = AlertDescription::IllegalParameter;
    assert_eq!(heard, Err(Error::AlertReceived(alert)));
}

/// Says that its public value is p - 1.
#[derive(Debug)]
struct BadGroup;

static BAD_GROUP: BadGroup = BadGroup;

struct BadAgreement {
    public: Vec<u8>,
    good: Box<dyn ActiveKeyExchange>,
}

impl SupportedKxGroup for BadGroup {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut public = ffdhe_groups::FFDHE2048.p.to_vec();
        *public.last_mut().unwrap() -= 1;
        let good = ffdhe::FFDHE2048.start()?;
        Ok(Box::new(BadAgreement { public, good }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::FFDHE2048
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        Some(ffdhe_groups::FFDHE2048)
    }
}

impl ActiveKeyExchange for BadAgreement {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        self.good.complete(peer)
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::FFDHE2048
    }
}
