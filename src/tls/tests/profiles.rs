//! The profiles, as clients meet them.

use rustls::crypto::aws_lc_rs::kx_group;
use rustls::{NamedGroup, ProtocolVersion};

use super::*;
use crate::tls::hello::wants_hybrid;

pub(super) fn terminator_under(
    world: &World,
    profile: &'static Profile,
    in_token: bool,
) -> Arc<Terminator> {
    let auth = ClientAuth::new(trusting(&world.ca, RuleSet::EMPTY), &clients()).unwrap();
    let auth = Arc::new(auth.under(profile));
    let tickets = BoundTickets::with(Arc::clone(&world.sealing), Arc::clone(&auth), "a");
    let key = ServerKey::new(Arc::new(soft_key(&world.server.key)), in_token);
    let chain = vec![world.server.der.clone()];
    Arc::new(Terminator::build(shown(chain, key), auth, Vec::new(), tickets).unwrap())
}

#[test]
fn profiles_are_found_by_name_and_fips_asks_for_its_module() {
    for profile in PROFILES {
        assert_eq!(Profile::of_name(profile.name).unwrap().name, profile.name);
        assert!(!profile.groups().is_empty() && !profile.suites().is_empty());
    }
    assert!(Profile::of_name("4gpp").is_none());
    assert_eq!(profile::THREE_GPP.prove(), Ok(()));
    assert_eq!(profile::THREE_GPP.versions(), ["TLSv1_3", "TLSv1_2"]);
    let strict = profile::THREE_GPP_STRICT.suites();
    assert_eq!(
        strict.last().unwrap(),
        "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"
    );
    assert_eq!(strict[..9], profile::THREE_GPP.suites());
    assert!(profile::THREE_GPP_STRICT.has_dhe() && !profile::THREE_GPP.has_dhe());
    let fips = Profile::of_name("fips").unwrap();
    assert_eq!(fips.groups(), ["secp256r1", "secp384r1"]);
    if cfg!(feature = "fips") {
        assert_eq!(fips.prove(), Ok(()));
    } else {
        let (what, cure) = fips.prove().unwrap_err();
        assert!(what.contains("fips") && cure.contains("--features fips"));
    }
}

/// Made at all, a terminator under it is one that rustls calls FIPS: that is looked at in its
/// configuration.
#[cfg(feature = "fips")]
#[test]
fn all_that_a_fips_session_is_made_of_is_in_the_module() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let fips = terminator_under(&world, &profile::FIPS, false);
    for version in BOTH {
        let config = Arc::new(world.config(version, &[&who]));
        for resumed in [false, true] {
            let (_, client) = established(&fips, &config);
            let kind = client.handshake_kind();
            assert_eq!(kind == Some(HandshakeKind::Resumed), resumed);
        }
    }
    // Even what the module itself would not do is refused when it is asked for.
    let mut provider = profile::FIPS.provider();
    provider.kx_groups = vec![kx_group::X25519];
    assert!(!provider.fips());
}

#[test]
fn modern_refuses_tls_1_2_and_its_trust_epoch_is_its_own() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let modern = terminator_under(&world, &profile::MODERN, false);
    established(&modern, &Arc::new(world.config(&TLS13, &[&who])));
    let old = Arc::new(world.config(&TLS12, &[&who]));
    let (mut server, mut old) = (Handshake::new(&modern), client(&old));
    let (outcome, heard) = shake(&mut server, &mut old, NOW);
    assert_eq!(outcome, Err(Refusal::NoCommonProfile));
    let alert = AlertDescription::ProtocolVersion;
    assert_eq!(heard, Err(Error::AlertReceived(alert)));
    // A session of one profile is not continued under another.
    let config = Arc::new(world.config(&TLS13, &[&who]));
    established(
        &terminator_under(&world, &profile::THREE_GPP, false),
        &config,
    );
    let (_, other) = established(&modern, &config);
    assert_ne!(other.handshake_kind(), Some(HandshakeKind::Resumed));
}

/// The group that is agreed on with a client that names these groups in this order. rustls' client
/// sends a share for the first, and where that is the hybrid one for X25519 as well.
fn agreed(groups: Vec<&'static dyn rustls::crypto::SupportedKxGroup>) -> NamedGroup {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let mut provider = profile::THREE_GPP.provider();
    provider.kx_groups = groups;
    let mut roots = RootCertStore::empty();
    roots.add(world.ca.der.clone()).unwrap();
    let key = PrivatePkcs8KeyDer::from(who.key.serialize_der());
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![who.der.clone()], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    let (_, client) = established(&world.plain(), &Arc::new(config));
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    client.negotiated_key_exchange_group().unwrap().name()
}

#[test]
fn hybrid_is_agreed_on_whenever_the_client_has_sent_a_share_for_it() {
    let hybrid = NamedGroup::X25519MLKEM768;
    assert_eq!(
        agreed(vec![kx_group::X25519MLKEM768, kx_group::X25519]),
        hybrid
    );
    let classic = agreed(vec![kx_group::SECP384R1, kx_group::X25519MLKEM768]);
    assert_eq!(classic, NamedGroup::secp384r1, "no share for the hybrid");
}

/// Extensions of a ClientHello: supported groups, then one share of no octets for each.
fn hello(groups: &[u16], shares: &[u16]) -> Vec<u8> {
    let list = |content: Vec<u8>| {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&length[..], &content].concat()
    };
    let names = list(
        groups
            .iter()
            .flat_map(|group| group.to_be_bytes())
            .collect(),
    );
    let share = |group: &u16| [group.to_be_bytes(), [0, 0]].concat();
    let shares = list(shares.iter().flat_map(share).collect());
    let extension = |kind: u16, content| [&kind.to_be_bytes()[..], &list(content)].concat();
    let both = [extension(10, names), extension(51, shares)].concat();
    let mut hello = vec![0; 4 + 2 + 32];
    hello.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0]);
    hello.extend(list(both));
    hello
}

/// A hello cut into records of so many octets, its header's length set.
fn in_records(mut message: Vec<u8>, of: usize) -> Vec<u8> {
    let length = u32::try_from(message.len() - 4).unwrap().to_be_bytes();
    message[..4].copy_from_slice(&[1, length[1], length[2], length[3]]);
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap().to_be_bytes();
        [&[22, 3, 1][..], &length, part].concat()
    };
    message.chunks(of).flat_map(record).collect()
}

//= RFC 8446 section 5.1 type=test
//# A handshake message may be spread over several records.
#[test]
fn hello_is_looked_into_over_the_headers_of_its_records() {
    const HYBRID: u16 = 0x11ec;
    let second = hello(&[29, HYBRID], &[29, HYBRID]);
    for of in [1, 2, 5, 40, 60, 16_384] {
        let records = in_records(second.clone(), of);
        let behind = [&records[..], &[22, 3, 1, 0, 1, 7]].concat();
        let late = [&[20, 3, 3, 0, 1, 1][..], &records].concat();
        for octets in [&records, &behind, &late] {
            let message = hello::message(octets);
            assert_eq!(message[4..], second[4..], "records of {of}");
            assert!(wants_hybrid(&message, &profile::THREE_GPP));
        }
        for end in 0..records.len() {
            let message = hello::message(&records[..end]);
            assert!(message.len() < second.len() && !wants_hybrid(&message, &profile::THREE_GPP));
        }
    }
    assert!(hello::message(&[21, 3, 3, 0, 2, 1, 90]).is_empty());
}

#[test]
fn session_is_continued_on_the_shard_whatever_records_its_hello_lies_in() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    for record in [None, Some(32), Some(100), Some(1_000)] {
        let mut config = world.config(&TLS13, &[&who]);
        config.max_fragment_size = record;
        let config = Arc::new(config);
        let terminator = world.terminator(&clients(), "a", true);
        let (mut server, mut first) = (Handshake::new(&terminator), client(&config));
        assert_eq!(shake(&mut server, &mut first, NOW), (Ok(1), Ok(())));
        let (mut server, mut second) = (Handshake::new(&terminator), client(&config));
        let (outcome, heard) = shake(&mut server, &mut second, NOW);
        assert_eq!((outcome, heard), (Ok(0), Ok(())), "records of {record:?}");
        assert_eq!(server.resumed(), Some(true));
    }
}

#[test]
fn share_for_the_hybrid_counts_wherever_it_is_named() {
    const HYBRID: u16 = 0x11ec;
    let wants = |hello: &[u8]| wants_hybrid(hello, &profile::THREE_GPP);
    let second = hello(&[29, HYBRID], &[29, HYBRID]);
    assert!(wants(&second));
    assert!(!wants(&hello(&[HYBRID, 29], &[HYBRID, 29])), "it is first");
    assert!(!wants(&hello(&[29, HYBRID], &[29])), "no share");
    assert!(!wants(&hello(&[29], &[29, HYBRID])), "not named");
    // What this profile does not have comes before nothing.
    assert!(!wants(&hello(&[30, HYBRID], &[HYBRID])));
    assert!(!wants_hybrid(&second, Profile::of_name("fips").unwrap()));
    for end in 0..second.len() {
        wants(&second[..end]);
    }
}
