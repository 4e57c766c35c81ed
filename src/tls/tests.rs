//! Handshakes in memory against rustls' own client.

use std::sync::Arc;

use hsm::PrivateKey;
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::SigningKey;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, Error, HandshakeKind, RootCertStore, SupportedProtocolVersion};

use super::certificates::Shown;
use super::resumption::{BEGUN_BYTES, BoundTickets, chain};
use super::server_key::ServerKey;
use super::ticket_keys::{SealsTickets, TicketKeys};
use super::*;
use crate::clock::UnixSeconds;
use crate::peer::{Client, ClientIndex, San};

mod alerts_sent;
mod certificates;
mod chains;
mod dhe;
mod in_place;
mod ocsp;
mod partners;
mod profiles;
mod records;
mod refusals;
mod renewal;
mod revocation;
mod self_signed;

const NOW: UnixSeconds = UnixSeconds(1_900_000_000);
const LATER: UnixSeconds = UnixSeconds(4_200_000_000);
const BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

/// Named as the profile wants it.
fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in [
        (rcgen::DnType::OrganizationName, "Example"),
        (rcgen::DnType::CommonName, common_name),
    ] {
        params.distinguished_name.push(kind, value);
    }
    params
}

fn ca_with(usages: Vec<KeyUsagePurpose>, is_ca: IsCa) -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = params("Partner TLS CA");
    params.is_ca = is_ca;
    params.key_usages = usages;
    let der = params.self_signed(&key).unwrap().der().clone();
    Ca {
        issuer: Issuer::new(params, key),
        der,
    }
}

const CA_USAGES: [KeyUsagePurpose; 2] = [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];

fn ca() -> Ca {
    ca_with(
        CA_USAGES.to_vec(),
        IsCa::Ca(BasicConstraints::Constrained(0)),
    )
}

/// One below which there may be others.
fn root() -> Ca {
    ca_with(
        CA_USAGES.to_vec(),
        IsCa::Ca(BasicConstraints::Unconstrained),
    )
}

/// One group with this anchor.
fn trusting(anchor: &Ca, waived: RuleSet) -> Vec<PartnerGroup> {
    vec![PartnerGroup {
        name: "default".into(),
        anchors: vec![anchor.der.clone()],
        waived,
        revocation: super::revocation::Rules::default(),
    }]
}

struct Identity {
    der: CertificateDer<'static>,
    key: KeyPair,
}

fn leaf_params(sans: &[&str], usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = params("one.example");
    // Valid until 2100: `LATER` is beyond.
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    for san in sans {
        let name = (*san).try_into().unwrap();
        let uri = san.contains(':');
        params.subject_alt_names.push(if uri {
            SanType::URI(name)
        } else {
            SanType::DnsName(name)
        });
    }
    params.extended_key_usages = vec![usage];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.crl_distribution_points = vec![rcgen::CrlDistributionPoint {
        uris: vec!["http://crl.example/t8.crl".into()],
    }];
    params
}

fn identity(ca: &Ca, sans: &[&str], usage: ExtendedKeyUsagePurpose) -> Identity {
    let key = KeyPair::generate().unwrap();
    let signed = leaf_params(sans, usage).signed_by(&key, &ca.issuer);
    let der = signed.unwrap().der().clone();
    Identity { der, key }
}

fn scs_as(ca: &Ca, sans: &[&str]) -> Identity {
    identity(ca, sans, ExtendedKeyUsagePurpose::ClientAuth)
}

fn clients() -> Vec<Client> {
    let client = |name: &str, sans| Client {
        name: name.into(),
        client_id: name.into(),
        partner: "default".into(),
        sans,
        scs_as_ids: vec![name.into()],
        source_addresses: Vec::new(),
        unbound_tokens: false,
        registration: None,
        enabled: true,
    };
    let (dns, uri) = ("One.example".into(), "urn:scs:one".into());
    let two = vec![San::Dns("two.example".into())];
    vec![
        client("one", vec![San::Dns(dns), San::Uri(uri)]),
        client("two", two),
    ]
}

fn soft_key(pair: &KeyPair) -> PrivateKey {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("t8gate-tls-{}-{count}.pem", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, pair.serialize_pem()).unwrap();
    let key = PrivateKey::from_pem_file(&file)
        .map_err(|fault| fault.what)
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    key
}

struct World {
    ca: Ca,
    waived: RuleSet,
    server: Identity,
    sealing: Arc<dyn SealsTickets>,
}

impl World {
    fn new() -> Self {
        Self::of(ca(), RuleSet::EMPTY)
    }

    /// Where there are CAs between anchor and clients.
    fn with_root() -> Self {
        Self::of(root(), RuleSet::EMPTY.with(Rule::DirectIssuer))
    }

    fn of(ca: Ca, waived: RuleSet) -> Self {
        let server = identity(&ca, &["gate.example"], ExtendedKeyUsagePurpose::ServerAuth);
        Self {
            ca,
            waived,
            server,
            sealing: Arc::new(TicketKeys::random().unwrap()),
        }
    }

    /// All terminators of a world share their ticket keys: only the binding tells them apart.
    fn terminator(&self, clients: &[Client], listener: &str, in_token: bool) -> Arc<Terminator> {
        let groups = trusting(&self.ca, self.waived);
        let auth = Arc::new(ClientAuth::new(groups, clients).unwrap());
        let tickets = BoundTickets::with(Arc::clone(&self.sealing), Arc::clone(&auth), listener);
        let key = ServerKey::new(Arc::new(soft_key(&self.server.key)), in_token);
        let names = vec!["gate.example".to_owned()];
        let chain = vec![self.server.der.clone()];
        Arc::new(Terminator::build(shown(chain, key), auth, names, tickets).unwrap())
    }

    fn plain(&self) -> Arc<Terminator> {
        self.terminator(&clients(), "127.0.0.1:443", false)
    }

    fn config(
        &self,
        version: &'static SupportedProtocolVersion,
        who: &[&Identity],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der.clone()).unwrap();
        let provider = Arc::new(profile::THREE_GPP.provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let Some(who) = who.first() else {
            return builder.with_no_client_auth();
        };
        let key = PrivatePkcs8KeyDer::from(who.key.serialize_der());
        builder
            .with_client_auth_cert(vec![who.der.clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap()
    }
}

fn client(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("gate.example").unwrap();
    ClientConnection::new(Arc::clone(config), name).unwrap()
}

fn take(client: &mut ClientConnection, into: &mut Vec<u8>) {
    while client.wants_write() {
        client.write_tls(into).unwrap();
    }
}

fn give(client: &mut ClientConnection, mut bytes: &[u8]) -> Result<(), Error> {
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

/// Drives both ends until the server is done or refuses; the client's error beside.
fn shake(
    server: &mut Handshake,
    client: &mut ClientConnection,
    now: UnixSeconds,
) -> (Result<u32, Refusal>, Result<(), Error>) {
    let mut ships = 0;
    for _ in 0..20 {
        take(client, server.incoming());
        let mut step = server.advance(now);
        if step == Ok(Step::SignElsewhere) {
            ships += 1;
            step = server.advance_signing(now);
            assert_ne!(step, Ok(Step::SignElsewhere));
        }
        let sent = std::mem::take(server.outgoing());
        let heard = give(client, &sent);
        match step {
            Ok(Step::Done) => return (Ok(ships), heard),
            Err(refusal) => {
                if let Err(Error::AlertReceived(alert)) = heard {
                    assert_eq!(server.alert(), alerts::word(alert.into()));
                }
                return (Err(refusal), heard);
            }
            Ok(_) if heard.is_err() => return (Err(Refusal::PeerAlert), heard),
            Ok(_) => {}
        }
    }
    panic!("the handshake does not end");
}

fn established(
    terminator: &Arc<Terminator>,
    config: &Arc<ClientConfig>,
) -> (Established, ClientConnection) {
    let (mut server, mut client) = (Handshake::new(terminator), client(config));
    let (outcome, heard) = shake(&mut server, &mut client, NOW);
    assert_eq!((outcome.map(|_| ()), heard), (Ok(()), Ok(())));
    (server.finish(NOW).map_err(Refusal::word).unwrap(), client)
}

fn refused(world: &World, config: ClientConfig, now: UnixSeconds) -> (Refusal, AlertDescription) {
    let (mut server, mut client) = (Handshake::new(&world.plain()), client(&Arc::new(config)));
    let (outcome, heard) = shake(&mut server, &mut client, now);
    let Err(Error::AlertReceived(alert)) = heard else {
        panic!("no alert: {heard:?}")
    };
    (outcome.unwrap_err(), alert)
}

fn refused_with(world: &World, who: &Identity) -> (Refusal, AlertDescription) {
    let outcomes = BOTH.map(|version| refused(world, world.config(version, &[who]), NOW));
    assert_eq!(outcomes[0], outcomes[1], "TLS 1.3 and TLS 1.2 differ");
    outcomes[0]
}

#[test]
fn full_handshake_names_the_client_in_both_versions() {
    let world = World::new();
    for (sans, index) in [("ONE.example", 0), ("urn:scs:one", 0), ("two.example", 1)] {
        let who = scs_as(&world.ca, &[sans, "unknown.example"]);
        for version in BOTH {
            let config = Arc::new(world.config(version, &[&who]));
            let (done, client) = established(&world.plain(), &config);
            assert_eq!(done.peer.client(), ClientIndex(index));
            assert_eq!(&done.peer.certificate()[..], who.der.as_ref());
            assert_eq!(done.peer.not_after(), 4_102_444_800);
            assert_ne!(client.handshake_kind(), Some(HandshakeKind::Resumed));
        }
    }
}

//= TS 33.210 clause 6.2.1 type=test
//# TLS 1.2 and TLS 1.3 are spoken and nothing older.
#[test]
fn tls_1_1_is_refused() {
    let mut server = Handshake::new(&World::new().plain());
    let mut hello = vec![3, 2];
    hello.extend_from_slice(&[7; 32]);
    // No session, one suite, null compression, then one extension.
    hello.extend_from_slice(&[0, 0, 2, 0xc0, 0x2f, 1, 0]);
    // Signature algorithms, which TLS 1.1 did not know, or rustls would miss them first.
    hello.extend_from_slice(&[0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let length = u8::try_from(hello.len()).unwrap();
    server
        .incoming()
        .extend_from_slice(&[22, 3, 1, 0, length + 4, 1, 0, 0, length]);
    server.incoming().extend_from_slice(&hello);
    assert_eq!(server.advance(NOW), Err(Refusal::NoCommonProfile));
    assert_eq!(
        server.outgoing().as_slice(),
        [21, 3, 3, 0, 2, 2, 70],
        "protocol_version"
    );
}

//= TS 33.210 clause 6.2.3 type=test
//# Only suites with forward secrecy and authenticated encryption are offered.
//= TS 33.210 clause 6.2.3 type=test
//# TLS 1.2 goes with the extended master secret or not at all.
#[test]
fn profile_asks_for_aead_forward_secrecy_and_extended_master_secret() {
    for suite in profile::THREE_GPP.provider().cipher_suites {
        let name = format!("{:?}", suite.suite());
        assert!(name.contains("GCM") || name.contains("CHACHA20"), "{name}");
        assert!(
            name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_"),
            "{name}"
        );
    }
    let world = World::new();
    let auth = Arc::new(ClientAuth::new(trusting(&world.ca, RuleSet::EMPTY), &clients()).unwrap());
    let tickets = BoundTickets::with(Arc::clone(&world.sealing), Arc::clone(&auth), "x");
    let key = ServerKey::new(Arc::new(soft_key(&world.server.key)), false);
    let certified = rustls::sign::CertifiedKey::new(vec![world.server.der.clone()], Arc::new(key));
    let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified));
    let config = profile::THREE_GPP
        .server_config(
            profile::THREE_GPP.provider(),
            auth,
            resolver,
            Arc::new(tickets),
        )
        .unwrap();
    assert!(config.require_ems && config.ignore_client_order);
    assert_eq!(
        (config.max_early_data_size, config.send_tls13_tickets),
        (0, 1)
    );
}

#[test]
fn session_is_resumed_in_both_versions_without_leaving_the_shard() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    for version in BOTH {
        let config = Arc::new(world.config(version, &[&who]));
        let terminator = world.terminator(&clients(), "a", true);
        let (_, first) = established(&terminator, &config);
        assert!(first.handshake_kind() != Some(HandshakeKind::Resumed));
        let (mut server, mut second) = (Handshake::new(&terminator), client(&config));
        let (outcome, heard) = shake(&mut server, &mut second, NOW);
        assert_eq!((outcome, heard), (Ok(0), Ok(())));
        assert_eq!(server.resumed(), Some(true));
        let done = server.finish(NOW).map_err(Refusal::word).unwrap();
        assert_eq!(done.peer.client(), ClientIndex(0));
        assert!(second.early_data().is_none(), "0-RTT was offered");
    }
}

#[test]
fn resumption_with_an_expired_leaf_ends_in_certificate_expired() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    for version in BOTH {
        let config = Arc::new(world.config(version, &[&who]));
        let terminator = world.plain();
        established(&terminator, &config);
        let (mut server, mut again) = (Handshake::new(&terminator), client(&config));
        let (outcome, heard) = shake(&mut server, &mut again, LATER);
        assert_eq!(outcome, Err(Refusal::CertificateExpired));
        assert_eq!(
            heard,
            Err(Error::AlertReceived(AlertDescription::CertificateExpired))
        );
    }
}

#[test]
fn ticket_of_another_listener_or_trust_epoch_is_ignored() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let fewer = &clients()[..1];
    for version in BOTH {
        for (others, listener) in [(&clients()[..], "b"), (fewer, "a")] {
            let config = Arc::new(world.config(version, &[&who]));
            established(&world.terminator(&clients(), "a", false), &config);
            let other = world.terminator(others, listener, false);
            let (_, client) = established(&other, &config);
            assert_ne!(client.handshake_kind(), Some(HandshakeKind::Resumed));
        }
    }
}

/// Shows what rustls gives to its ticketer.
struct Plainly(std::sync::Mutex<Vec<Vec<u8>>>);

impl SealsTickets for Plainly {
    fn seal(&self, session: &[u8], _: &[u8], _: UnixSeconds) -> Option<Vec<u8>> {
        self.0.lock().unwrap().push(session.to_vec());
        Some(session.to_vec())
    }
    fn open(&self, ticket: &[u8], _: &[u8], _: UnixSeconds) -> Option<Vec<u8>> {
        Some(ticket.to_vec())
    }
    fn lifetime_s(&self) -> u32 {
        60
    }
    fn session_s_max(&self) -> u64 {
        60
    }
}

#[test]
fn leaf_is_found_in_every_session_rustls_writes() {
    let mut world = World::new();
    let seen = Arc::new(Plainly(Vec::new().into()));
    world.sealing = Arc::clone(&seen) as _;
    let who = scs_as(&world.ca, &["one.example"]);
    for version in BOTH {
        for (sni, alpn) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut config = world.config(version, &[&who]);
            config.enable_sni = sni;
            config.alpn_protocols = if alpn {
                vec![b"http/1.1".to_vec()]
            } else {
                Vec::new()
            };
            established(&world.plain(), &Arc::new(config));
            let session = seen.0.lock().unwrap().pop().expect("a ticket");
            let (begun, session) = session.split_at(BEGUN_BYTES);
            assert_eq!(begun, NOW.0.to_be_bytes());
            let shown = chain(session).and_then(|chain| chain.get(3..));
            assert_eq!(shown, Some(who.der.as_ref()));
            for end in 0..session.len() {
                chain(&session[..end]);
            }
        }
    }
}

#[test]
fn unknown_server_name_gets_unrecognized_name() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let config = Arc::new(world.config(&TLS13, &[&who]));
    let name = ServerName::try_from("other.example").unwrap();
    let mut client = ClientConnection::new(config, name).unwrap();
    let mut server = Handshake::new(&world.plain());
    let (outcome, heard) = shake(&mut server, &mut client, NOW);
    assert_eq!(outcome, Err(Refusal::UnknownSni));
    assert_eq!(
        heard,
        Err(Error::AlertReceived(AlertDescription::UnrecognisedName))
    );
}

#[test]
fn client_of_http2_only_gets_no_application_protocol() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let mut config = world.config(&TLS13, &[&who]);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let expected = (
        Refusal::NoCommonProfile,
        AlertDescription::NoApplicationProtocol,
    );
    assert_eq!(refused(&world, config, NOW), expected);
}

#[test]
fn plain_http_is_refused_as_not_tls() {
    let mut server = Handshake::new(&World::new().plain());
    server
        .incoming()
        .extend_from_slice(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(server.advance(NOW), Err(Refusal::NotTls));
    assert_eq!(server.advance(NOW), Err(Refusal::NotTls));
    assert_eq!(server.outgoing().as_slice(), [21, 3, 3, 0, 2, 2, 50]);
}

/// What is looked at in a hello is looked at whatever stands in front of it.
#[test]
fn hello_behind_an_alert_is_not_taken() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let warning = [21, 3, 3, 0, 2, 1, 90];
    let change_cipher_spec = [20, 3, 3, 0, 1, 1];
    for version in BOTH {
        let config = Arc::new(world.config(version, &[&who]));
        let mut hello = Vec::new();
        take(&mut client(&config), &mut hello);
        let behind = [&change_cipher_spec[..], &warning, &hello].concat();
        for octets in [[&warning[..], &hello].concat(), behind] {
            for piece in [1, 7, octets.len()] {
                let mut server = Handshake::new(&world.plain());
                let mut step = Ok(Step::NeedInput);
                for piece in octets.chunks(piece) {
                    server.incoming().extend_from_slice(piece);
                    step = server.advance(NOW);
                }
                assert_eq!(step, Err(Refusal::NotTls));
                assert_eq!(server.outgoing().as_slice(), [21, 3, 3, 0, 2, 2, 50]);
            }
        }
    }
}

#[test]
fn token_key_never_signs_on_a_shard() {
    let world = World::new();
    let key = ServerKey::new(Arc::new(soft_key(&world.server.key)), true);
    let offered = [rustls::SignatureScheme::ECDSA_NISTP256_SHA256];
    let signer = key.choose_scheme(&offered).unwrap();
    assert!(signer.sign(b"message").is_err());
    {
        let _shard = turn::Turn::enter(NOW, false, false);
        assert!(signer.sign(b"message").is_err());
    }
    let _signing = turn::Turn::enter(NOW, true, false);
    assert!(signer.sign(b"message").is_ok());
}

#[test]
fn token_key_is_asked_elsewhere_once_per_hello() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let terminator = world.terminator(&clients(), "a", true);
    for version in BOTH {
        let mut config = world.config(version, &[&who]);
        config.resumption = Resumption::disabled();
        let (mut server, mut client) = (Handshake::new(&terminator), client(&Arc::new(config)));
        take(&mut client, server.incoming());
        let hello = std::mem::take(server.incoming());
        for octet in &hello[..hello.len() - 1] {
            server.incoming().push(*octet);
            assert_eq!(server.advance(NOW), Ok(Step::NeedInput));
        }
        server.incoming().push(hello[hello.len() - 1]);
        assert_eq!(server.advance(NOW), Ok(Step::SignElsewhere));
        let travelled = std::thread::spawn(move || {
            assert_eq!(server.advance_signing(NOW), Ok(Step::NeedInput));
            assert!(!server.outgoing().is_empty());
            server
        });
        server = travelled.join().unwrap();
        assert_eq!(server.advance(NOW), Ok(Step::NeedInput));
        give(&mut client, &std::mem::take(server.outgoing())).unwrap();
        let (outcome, heard) = shake(&mut server, &mut client, NOW);
        assert_eq!((outcome, heard), (Ok(0), Ok(())));
    }
}

/// The hello offers a session, and is processed on the shard in vain: then all over again by the
/// token's thread, as if nothing had happened.
#[test]
fn hello_whose_ticket_does_not_open_is_shipped_once() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    for version in BOTH {
        let config = Arc::new(world.config(version, &[&who]));
        established(&world.terminator(&clients(), "here", true), &config);
        let elsewhere = world.terminator(&clients(), "there", true);
        let (mut server, mut client) = (Handshake::new(&elsewhere), client(&config));
        let (outcome, heard) = shake(&mut server, &mut client, NOW);
        assert_eq!((outcome, heard), (Ok(1), Ok(())));
        assert_eq!(server.resumed(), Some(false));
        let done = server.finish(NOW).map_err(Refusal::word).unwrap();
        assert_eq!(done.peer.client(), ClientIndex(0));
    }
}

#[test]
fn retried_hello_is_shipped_again() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let terminator = world.terminator(&clients(), "a", true);
    let mut config = world.config(&TLS13, &[&who]);
    let mut provider = profile::THREE_GPP.provider();
    // A share for a group the server does not have.
    provider
        .kx_groups
        .insert(0, rustls::crypto::aws_lc_rs::kx_group::MLKEM768);
    config = {
        let resolver = config.client_auth_cert_resolver;
        let mut roots = RootCertStore::empty();
        roots.add(world.ca.der.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(resolver)
    };
    let (mut server, mut client) = (Handshake::new(&terminator), client(&Arc::new(config)));
    let (outcome, heard) = shake(&mut server, &mut client, NOW);
    assert_eq!((outcome, heard), (Ok(2), Ok(())));
    assert_eq!(
        client.handshake_kind(),
        Some(HandshakeKind::FullWithHelloRetryRequest)
    );
}

#[test]
fn busy_token_is_told_by_internal_error() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    let terminator = world.terminator(&clients(), "a", true);
    let mut client = client(&Arc::new(world.config(&TLS13, &[&who])));
    let mut server = Handshake::new(&terminator);
    take(&mut client, server.incoming());
    assert_eq!(server.advance(NOW), Ok(Step::SignElsewhere));
    assert_eq!(server.refuse_unsigned(), Refusal::SignerFailed);
    let heard = give(&mut client, &std::mem::take(server.outgoing()));
    assert_eq!(
        heard,
        Err(Error::AlertReceived(AlertDescription::InternalError))
    );
    assert_eq!(server.advance_signing(NOW), Err(Refusal::SignerFailed));
}

#[test]
fn refused_signature_is_told_by_internal_error() {
    let world = World::new();
    let who = scs_as(&world.ca, &["one.example"]);
    for version in BOTH {
        let auth =
            Arc::new(ClientAuth::new(trusting(&world.ca, RuleSet::EMPTY), &clients()).unwrap());
        let tickets = BoundTickets::with(Arc::clone(&world.sealing), Arc::clone(&auth), "a");
        let key = ServerKey::new(Arc::new(soft_key(&world.server.key)), true);
        let chain = vec![world.server.der.clone()];
        // The terminator is wrong about its key: the key itself still does not sign here.
        let wrong = Terminator::build(shown(chain, key), auth, Vec::new(), tickets).unwrap();
        let wrong = wrong.that_does_not_wait();
        let mut server = Handshake::new(&Arc::new(wrong));
        let mut client = client(&Arc::new(world.config(version, &[&who])));
        let (outcome, heard) = shake(&mut server, &mut client, NOW);
        assert_eq!(outcome, Err(Refusal::SignerFailed));
        assert_eq!(
            heard,
            Err(Error::AlertReceived(AlertDescription::InternalError))
        );
    }
}

/// One certificate for all clients.
fn shown(chain: Vec<CertificateDer<'static>>, key: ServerKey) -> Vec<Shown> {
    vec![Shown {
        chain,
        key,
        names: Vec::new(),
        staple: None,
    }]
}
