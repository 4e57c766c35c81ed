//! A session of the gateway and its client, without a socket between them: all that is here known
//! of how sessions are made and used.

use std::io::Write;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use t8gate::peer::Peer;
use t8gate::tls::{Handshake, Opened, Session, Step};

use crate::scene::{HOST, NOW, Scene};

/// What a connection opens at a time: what a head may have, and a byte.
const PLAIN_BYTES_MAX: usize = 16 * 1024 + 1;

/// Both ends of an established connection: TLS 1.3, AES-128-GCM, both sides authenticated.
pub struct Wire {
    session: Session,
    /// Who the client is, as the gateway has verified it.
    pub peer: Peer,
    client: ClientConnection,
    replies: Vec<u8>,
}

impl Wire {
    /// Shakes hands.
    pub fn connect(scene: &Scene) -> Self {
        let mut server = Handshake::new(&scene.snapshot.terminator);
        let mut client = client(scene);
        loop {
            client.write_tls(server.incoming()).expect("a flight");
            let step = server.advance(NOW);
            let flight = std::mem::take(server.outgoing());
            client.read_tls(&mut flight.as_slice()).expect("a flight");
            client.process_new_packets().expect("a good flight");
            match step {
                Ok(Step::Done) => break,
                Ok(_) => {}
                Err(refusal) => panic!("refused: {}", refusal.word()),
            }
        }
        let done = server.finish(NOW).map_err(|refusal| refusal.word());
        let mut done = done.unwrap_or_else(|word| panic!("refused: {word}"));
        client.write_tls(&mut done.incoming).expect("nothing more");
        assert!(done.incoming.is_empty(), "the client has said something");
        Self {
            session: done.session,
            peer: done.peer,
            client,
            replies: Vec::new(),
        }
    }

    /// A record of the client.
    pub fn record_of_client(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut record = Vec::with_capacity(plain.len() + 64);
        self.client.writer().write_all(plain).expect("room");
        self.client.write_tls(&mut record).expect("a record");
        record
    }

    /// The gateway opens what has come in and appends it to `plain`.
    pub fn open(&mut self, incoming: &mut Vec<u8>, plain: &mut Vec<u8>) {
        let opened = self
            .session
            .open(incoming, plain, PLAIN_BYTES_MAX, &mut self.replies);
        assert_eq!(opened, Ok(Opened::Data));
    }

    /// The gateway seals `plain` and appends it to `outgoing`.
    pub fn seal(&mut self, plain: &[u8], outgoing: &mut Vec<u8>) {
        self.session.seal(plain, outgoing).expect("a live session");
    }
}

fn client(scene: &Scene) -> ClientConnection {
    let mut provider = default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
    let mut roots = RootCertStore::empty();
    roots.add(scene.operator_ca.clone()).expect("a CA");
    let key = PrivatePkcs8KeyDer::from(scene.partner.key.serialize_der());
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .expect("the suite is of this version")
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![scene.partner.certificate.clone()],
            PrivateKeyDer::Pkcs8(key),
        )
        .expect("a key that fits");
    let name = ServerName::try_from(HOST).expect("a name");
    ClientConnection::new(Arc::new(config), name).expect("a client")
}
