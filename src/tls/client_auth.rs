//! From a client's certificate to a `Peer`: chain to a configured anchor, purpose, validity, and
//! one client by the names in subjectAltName.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256, digest};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{Refusal, profile, turn};
use crate::clock::UnixSeconds;
use crate::peer::{Client, ClientIndex, Peer, San, Thumbprint};

/// Whom certificates are believed to be: the trust anchors and the names of all clients.
pub struct ClientAuth {
    chain: Arc<dyn ClientCertVerifier>,
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
        let mut epoch = Context::new(&SHA256);
        let mut roots = RootCertStore::empty();
        for (place, anchor) in anchors.into_iter().enumerate() {
            check_anchor(&anchor).map_err(|what| format!("trust anchor {}: {what}", place + 1))?;
            enter(&mut epoch, &anchor);
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
            enter(&mut epoch, client.client_id.as_bytes());
            for san in &client.sans {
                let (names, name, kind) = match san {
                    San::Dns(name) => (&mut dns, name.to_ascii_lowercase(), "dns"),
                    San::Uri(name) => (&mut uri, name.clone(), "uri"),
                };
                enter(&mut epoch, kind.as_bytes());
                enter(&mut epoch, name.as_bytes());
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
            epoch: bytes32(epoch.finish().as_ref()),
        })
    }

    /// Changes with every anchor, client and name: what a session was established under.
    pub(super) fn epoch(&self) -> [u8; 32] {
        self.epoch
    }

    /// The peer a leaf stands for at `now`. The chain was verified when the session began: here or
    /// in the handshake that a ticket continues.
    pub(super) fn peer(&self, leaf: &[u8], now: UnixSeconds) -> Result<Peer, Refusal> {
        let certificate = parsed(leaf).ok_or(Refusal::BadCertificate)?;
        let validity = certificate.validity();
        let seconds = i64::try_from(now.0).map_err(|_| Refusal::CertificateExpired)?;
        if seconds < validity.not_before.timestamp() || seconds > validity.not_after.timestamp() {
            return Err(Refusal::CertificateExpired);
        }
        let not_after = u64::try_from(validity.not_after.timestamp());
        check_usage(&certificate)?;
        let client = self.client(&certificate)?;
        let thumbprint = Thumbprint(bytes32(digest(&SHA256, leaf).as_ref()));
        Ok(Peer::new(
            client,
            thumbprint,
            leaf.into(),
            not_after.unwrap_or(0),
        ))
    }

    /// The one client whose names the certificate carries. The common name is never looked at.
    //= TS 33.501 clause 12.2
    //# The identity in the end-entity certificate decides who the client is.
    fn client(&self, certificate: &X509Certificate<'_>) -> Result<ClientIndex, Refusal> {
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| Refusal::BadCertificate)?;
        let names = names.ok_or(Refusal::NotMapped)?;
        let mut found = None;
        for name in &names.value.general_names {
            let client = match name {
                // A wildcard stands for names nobody has configured, so it stands for nobody.
                GeneralName::DNSName(name) if name.contains('*') => None,
                GeneralName::DNSName(name) => self.dns.get(&name.to_ascii_lowercase()),
                GeneralName::URI(name) => self.uri.get(*name),
                _ => None,
            };
            match (found, client) {
                (Some(one), Some(other)) if one != *other => return Err(Refusal::MappedTwice),
                (None, Some(client)) => found = Some(*client),
                _ => {}
            }
        }
        found.ok_or(Refusal::NotMapped)
    }
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
        let verified = self
            .chain
            .verify_client_cert(end_entity, intermediates, now)?;
        match self.peer(end_entity, UnixSeconds(now.as_secs())) {
            Ok(_) => Ok(verified),
            Err(refusal) => {
                turn::note_refusal(refusal);
                Err(Error::InvalidCertificate(match refusal {
                    Refusal::CertificateExpired => CertificateError::Expired,
                    Refusal::BadCertificate => CertificateError::BadEncoding,
                    // Becomes the alert access_denied.
                    _ => CertificateError::ApplicationVerificationFailure,
                }))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// webpki does not look at it.
//= TS 33.310 clause 6.1.3a
//# keyUsage is there, critical, and says digitalSignature.
fn check_usage(leaf: &X509Certificate<'_>) -> Result<(), Refusal> {
    match leaf.key_usage() {
        Ok(Some(usage)) if usage.critical && usage.value.digital_signature() => Ok(()),
        _ => Err(Refusal::BadCertificate),
    }
}

/// webpki takes any certificate as an anchor and forgets these two extensions.
//= TS 33.310 clause 6.1.4a
//# A CA certificate says that it is one, and that its key may sign certificates.
fn check_anchor(der: &[u8]) -> Result<(), String> {
    let certificate = parsed(der).ok_or("no X.509 certificate")?;
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

fn parsed(der: &[u8]) -> Option<X509Certificate<'_>> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    rest.is_empty().then_some(certificate)
}

/// Length first, so that two fields never run into one another.
fn enter(hash: &mut Context, field: &[u8]) {
    hash.update(&(field.len() as u64).to_be_bytes());
    hash.update(field);
}

fn bytes32(digest: &[u8]) -> [u8; 32] {
    digest.try_into().expect("SHA-256 has 32 octets")
}
