//! From a client's certificate to a `Peer`: chain to a configured anchor, purpose, validity, and
//! one client by the names in subjectAltName.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::chains::{self, ChainHash};
use super::epoch::TrustEpoch;
use super::leaf::{self, Leaf};
use super::{Refusal, profile, turn};
use crate::clock::UnixSeconds;
use crate::peer::{Client, ClientIndex, Peer, San};

/// Whom certificates are believed to be: the trust anchors and the names of all clients.
pub struct ClientAuth {
    pub(super) chain: Arc<dyn ClientCertVerifier>,
    dns: HashMap<String, ClientIndex>,
    uri: HashMap<String, ClientIndex>,
    epoch: [u8; 32],
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuth")
            .field("names", &(self.dns.len() + self.uri.len()))
            .finish()
    }
}

impl ClientAuth {
    /// `clients` in the order of the snapshot's table: the place of one is its `ClientIndex`.
    ///
    /// # Errors
    /// An anchor that is no CA certificate, no anchor at all, or a name two clients claim.
    pub fn new(anchors: Vec<CertificateDer<'static>>, clients: &[Client]) -> Result<Self, String> {
        let mut epoch = TrustEpoch::default();
        let mut roots = RootCertStore::empty();
        for (place, anchor) in anchors.into_iter().enumerate() {
            check_anchor(&anchor).map_err(|what| format!("trust anchor {}: {what}", place + 1))?;
            epoch.enter("anchor", &[&anchor]);
            roots
                .add(anchor)
                .map_err(|fault| format!("trust anchor {}: {fault}", place + 1))?;
        }
        let provider = Arc::new(profile::provider());
        let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|fault| format!("trust anchors: {fault}"))?;
        let (mut dns, mut uri) = (HashMap::new(), HashMap::new());
        for (place, client) in clients.iter().enumerate() {
            let place = u32::try_from(place).map_err(|_| "too many clients".to_owned())?;
            for san in &client.sans {
                let (names, name, kind) = match san {
                    San::Dns(name) => (&mut dns, name.to_ascii_lowercase(), "dns"),
                    San::Uri(name) => (&mut uri, name.clone(), "uri"),
                };
                let client_id = client.client_id.as_bytes();
                epoch.enter("name", &[client_id, kind.as_bytes(), name.as_bytes()]);
                let earlier = names.insert(name, ClientIndex(place));
                if earlier.is_some_and(|other| other != ClientIndex(place)) {
                    return Err(format!(
                        "client {}: {san:?} belongs to two clients",
                        client.name
                    ));
                }
            }
        }
        Ok(Self {
            chain,
            dns,
            uri,
            epoch: epoch.finish(),
        })
    }

    /// Changes with every anchor and every name of a client: what a session was established under.
    pub(super) fn epoch(&self) -> [u8; 32] {
        self.epoch
    }

    /// The peer a leaf stands for at `now`. The chain was verified when the session began: here or
    /// in the handshake that a ticket continues.
    pub(super) fn peer(&self, leaf: &Leaf, now: UnixSeconds) -> Result<Peer, Refusal> {
        let client = self.client(leaf.names_at(now)?)?;
        let certificate = Arc::clone(leaf.der());
        let not_after = u64::try_from(leaf.validity().until).unwrap_or(0);
        Ok(Peer::new(client, leaf.thumbprint(), certificate, not_after))
    }

    /// The one client whose names the certificate carries.
    //= TS 33.501 clause 12.2
    //# The identity in the end-entity certificate decides who the client is.
    fn client(&self, names: &[San]) -> Result<ClientIndex, Refusal> {
        let mut found = None;
        for name in names {
            let client = match name {
                San::Dns(name) => self.dns.get(name),
                San::Uri(name) => self.uri.get(name),
            };
            match (found, client) {
                (Some(one), Some(other)) if one != *other => return Err(Refusal::MappedTwice),
                (None, Some(client)) => found = Some(*client),
                _ => {}
            }
        }
        found.ok_or(Refusal::NotMapped)
    }

    /// The leaf of a chain that ends at an anchor: verified now, or remembered as verified.
    fn verified_leaf(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Arc<Leaf>, Error> {
        let hash = ChainHash::of(&self.epoch, end_entity, intermediates);
        let seconds = UnixSeconds(now.as_secs());
        if let Some(leaf) = chains::recall(hash, seconds) {
            self.peer(&leaf, seconds).map_err(refused)?;
            return Ok(leaf);
        }
        self.chain
            .verify_client_cert(end_entity, intermediates, now)?;
        let leaf = Leaf::read(end_entity).ok_or_else(|| refused(Refusal::BadCertificate))?;
        self.peer(&leaf, seconds).map_err(refused)?;
        let leaf = Arc::new(leaf);
        chains::hold(hash, &leaf, intermediates);
        Ok(leaf)
    }
}

/// Leaves the reason beside, and finds what comes closest to it among rustls' errors.
fn refused(refusal: Refusal) -> Error {
    turn::note_refusal(refusal);
    Error::InvalidCertificate(match refusal {
        Refusal::CertificateExpired => CertificateError::Expired,
        Refusal::BadCertificate => CertificateError::BadEncoding,
        // Becomes the alert access_denied.
        _ => CertificateError::ApplicationVerificationFailure,
    })
}

impl ClientCertVerifier for ClientAuth {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let leaf = self.verified_leaf(end_entity, intermediates, now)?;
        turn::note_leaf(leaf);
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = self.chain.verify_tls12_signature(message, cert, dss)?;
        chains::remember(cert);
        Ok(valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = self.chain.verify_tls13_signature(message, cert, dss)?;
        chains::remember(cert);
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// webpki takes any certificate as an anchor and forgets these two extensions.
//= TS 33.310 clause 6.1.4a
//# A CA certificate says that it is one, and that its key may sign certificates.
fn check_anchor(der: &[u8]) -> Result<(), String> {
    let certificate = leaf::parsed(der).ok_or("no X.509 certificate")?;
    let constraints = certificate
        .basic_constraints()
        .map_err(|_| "basicConstraints unreadable")?;
    if !constraints.is_some_and(|extension| extension.value.ca) {
        return Err("not a CA certificate (basicConstraints lacks cA)".into());
    }
    let usage = certificate.key_usage().map_err(|_| "keyUsage unreadable")?;
    if usage.is_some_and(|extension| !extension.value.key_cert_sign()) {
        return Err("its keyUsage lacks keyCertSign".into());
    }
    Ok(())
}
