//! Whom the octets of a target meet: a listener and a client, made once for each thread.

use std::io::Write as _;
use std::sync::Arc;

use hsm::PrivateKey;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::TLS13;

use super::{ANCHOR, Forger, NOW};
use crate::peer::{Client, San};
use crate::tls::certificates::Shown;
use crate::tls::resumption::BoundTickets;
use crate::tls::revocation::Rules;
use crate::tls::server_key::ServerKey;
use crate::tls::ticket_keys::TicketKeys;
use crate::tls::{
    ClientAuth, Established, Handshake, PartnerGroup, RULES, Refusal, RuleSet, Step, Terminator,
    UnfitTrust, profile,
};

const SERVER: &str = "gate.example";

pub(super) struct Scene {
    /// Trusts the CA of the committed certificates.
    pub(super) auth: Arc<ClientAuth>,
    pub(super) soft: Arc<Terminator>,
    /// The same as if its key were in a token.
    pub(super) token: Arc<Terminator>,
    /// Trusts a CA that was made for this run, and so a client whose key is here.
    open: Arc<Terminator>,
    client: Arc<ClientConfig>,
}

pub(super) fn with<T>(job: impl FnOnce(&Scene) -> T) -> T {
    thread_local! {
        static SCENE: Scene = Scene::new();
    }
    SCENE.with(job)
}

/// One client below this anchor, which breaks no rule.
pub(super) fn trusting(anchor: &[u8]) -> Result<ClientAuth, UnfitTrust> {
    trusting_all_but(anchor, RuleSet::EMPTY)
}

fn trusting_all_but(anchor: &[u8], waived: RuleSet) -> Result<ClientAuth, UnfitTrust> {
    let group = PartnerGroup {
        name: "default".to_owned(),
        anchors: vec![CertificateDer::from(anchor).into_owned()],
        waived,
        revocation: Rules::default(),
    };
    let client = Client {
        name: "one".to_owned(),
        client_id: "one".to_owned(),
        partner: "default".to_owned(),
        sans: vec![San::Dns("one.example".to_owned())],
        scs_as_ids: vec!["one".to_owned()],
        source_addresses: Vec::new(),
        unbound_tokens: false,
        registration: None,
        enabled: true,
    };
    ClientAuth::new(vec![group], &[client])
}

fn key() -> KeyPair {
    KeyPair::generate().expect("random octets")
}

/// A key as the gateway reads it: from a file.
fn of_file(pair: &KeyPair) -> Arc<PrivateKey> {
    let mut file = tempfile::NamedTempFile::new().expect("a directory for temporary files");
    file.write_all(pair.serialize_pem().as_bytes())
        .expect("room for a key");
    let read = PrivateKey::from_pem_file(file.path()).map_err(|fault| fault.what);
    Arc::new(read.expect("our own key"))
}

impl Scene {
    fn new() -> Self {
        let ca_key = key();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let anchor = ca.self_signed(&ca_key).expect("a sound request");
        let ca = Issuer::new(ca, ca_key);
        let made = |name: &str| {
            let (params, key) = (CertificateParams::new(vec![name.to_owned()]), key());
            let signed = params.and_then(|params| params.signed_by(&key, &ca));
            (signed.expect("a sound request").der().clone(), key)
        };
        let (server, client) = (made(SERVER), made("one.example"));
        let server_key = of_file(&server.1);
        let listener = |auth: &Arc<ClientAuth>, in_token| {
            let keys = TicketKeys::of_process().expect("random octets");
            let tickets = BoundTickets::with(keys, Arc::clone(auth), "here");
            let shown = Shown {
                chain: vec![server.0.clone()],
                key: ServerKey::new(Arc::clone(&server_key), in_token),
                names: Vec::new(),
                staple: None,
            };
            let names = vec![SERVER.to_owned()];
            let made = Terminator::build(vec![shown], Arc::clone(auth), names, tickets);
            Arc::new(made.expect("a profile"))
        };
        let auth = trusting(ANCHOR).map_err(|unfit| unfit.what);
        let auth = Arc::new(auth.expect("our own CA"));
        let all = RULES.iter().map(|row| row.rule).collect();
        let open = trusting_all_but(anchor.der(), all).map_err(|unfit| unfit.what);
        let open = Arc::new(open.expect("a CA"));
        Self {
            soft: listener(&auth, false),
            token: listener(&auth, true),
            open: listener(&open, false),
            client: Arc::new(configured(anchor.der(), client)),
            auth,
        }
    }

    /// A session that has just begun, and the keys of its client.
    pub(super) fn established(&self) -> (Established, Forger) {
        let name = ServerName::try_from(SERVER).expect("a name");
        let client = ClientConnection::new(Arc::clone(&self.client), name);
        let mut client = client.expect("a client");
        let mut server = Handshake::new(&self.open);
        loop {
            while client.wants_write() {
                client.write_tls(server.incoming()).expect("memory");
            }
            let step = server.advance(NOW).map_err(Refusal::word);
            let flight = std::mem::take(server.outgoing());
            hear(&mut client, &flight);
            if step.expect("a client that is known") == Step::Done {
                break;
            }
        }
        let done = server.finish(NOW).map_err(Refusal::word);
        let mut done = done.expect("a client that is known");
        hear(&mut client, &std::mem::take(&mut done.outgoing));
        let secrets = client.dangerous_extract_secrets();
        (done, Forger::new(secrets.expect("an open session").tx))
    }
}

fn hear(client: &mut ClientConnection, mut flight: &[u8]) {
    while !flight.is_empty() {
        client.read_tls(&mut flight).expect("memory");
        client.process_new_packets().expect("a good flight");
    }
}

/// Always a full handshake, with the group that costs least.
fn configured(
    anchor: &CertificateDer<'static>,
    client: (CertificateDer<'static>, KeyPair),
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(anchor.clone()).expect("a CA");
    let group = rustls::NamedGroup::X25519;
    let provider = profile::THREE_GPP
        .provider_of_group(group)
        .expect("a group of the profile");
    let key = PrivatePkcs8KeyDer::from(client.1.serialize_der());
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .expect("suites of TLS 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![client.0], PrivateKeyDer::Pkcs8(key))
        .expect("a key that fits");
    config.enable_secret_extraction = true;
    config.resumption = Resumption::disabled();
    config
}
