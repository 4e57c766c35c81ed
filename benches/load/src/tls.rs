//! How the generator speaks TLS: one configuration for each client certificate.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
    WebPkiServerVerifier,
};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, NamedGroup, RootCertStore, SignatureScheme,
};

use crate::key_share::OneKey;

/// A client certificate with its chain, and its key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads both from PEM files.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let fault = |path: &Path, error: &dyn std::fmt::Display| {
            format!("{}: cannot be read as PEM: {error}", path.display())
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate)
            .map_err(|error| fault(certificate, &error))?
            .collect();
        let chain = chain.map_err(|error| fault(certificate, &error))?;
        if chain.is_empty() {
            return Err(format!("{}: holds no certificate", certificate.display()));
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(key, &error))?;
        Ok(Self { chain, key })
    }

    /// Reads every `NAME.pem` of a directory that has a `NAME.key.pem` beside it, by name.
    ///
    /// # Errors
    /// A sentence that names the directory or the file.
    pub fn read_all(directory: &Path) -> Result<Vec<Self>, String> {
        let entries = std::fs::read_dir(directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        let mut identities = Vec::new();
        for path in paths {
            let name = path.to_str().unwrap_or_default();
            let Some(stem) = name.strip_suffix(".pem") else {
                continue;
            };
            let key = format!("{stem}.key.pem");
            if !stem.ends_with(".key") && Path::new(&key).is_file() {
                identities.push(Self::read(&path, Path::new(&key))?);
            }
        }
        if identities.is_empty() {
            return Err(format!(
                "{}: holds no NAME.pem with a NAME.key.pem beside it",
                directory.display()
            ));
        }
        Ok(identities)
    }
}

/// What is offered to the server, and whether it is verified.
pub struct Offer {
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    tls12: bool,
}

impl Offer {
    /// AES-128-GCM with the named groups (`x25519`, `secp256r1`, `x25519mlkem768`, ...), in TLS
    /// 1.3 or else only 1.2.
    ///
    /// With `ca` the server's chain is verified, each distinct one once, and each of its
    /// signatures. Without, neither is: what the generator does not compute, it does not cost.
    ///
    /// # Errors
    /// A sentence on what is not known or cannot be read.
    pub fn new(groups: &[String], tls12: bool, ca: Option<&Path>) -> Result<Self, String> {
        let known = aws_lc_rs::ALL_KX_GROUPS;
        let mut chosen: Vec<&'static dyn SupportedKxGroup> = Vec::new();
        for name in groups {
            let group = known
                .iter()
                .find(|group| group_name(group.name()).eq_ignore_ascii_case(name));
            let group = *group.ok_or_else(|| {
                let names: Vec<_> = known.iter().map(|group| group_name(group.name())).collect();
                format!("--groups: {name} is none of {}", names.join(", "))
            })?;
            chosen.push(match group.name() {
                NamedGroup::X25519 => OneKey::generate()?,
                _ => group,
            });
        }
        let suites: &[CipherSuite] = if tls12 {
            &[
                CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            ]
        } else {
            &[CipherSuite::TLS13_AES_128_GCM_SHA256]
        };
        let mut provider = aws_lc_rs::default_provider();
        provider.kx_groups = chosen;
        provider
            .cipher_suites
            .retain(|suite| suites.contains(&suite.suite()));
        let provider = Arc::new(provider);
        let verifier: Arc<dyn ServerCertVerifier> = match ca {
            Some(ca) => Arc::new(OnceForEachChain::new(ca, &provider)?),
            None => Arc::new(Unverified(provider.clone())),
        };
        Ok(Self {
            provider,
            verifier,
            tls12,
        })
    }

    /// One configuration; `store` keeps its sessions, without it none is continued.
    ///
    /// # Errors
    /// A sentence, when the key does not fit the certificate.
    pub fn config(
        &self,
        identity: Option<&Identity>,
        store: Option<Arc<LastSession>>,
    ) -> Result<Arc<ClientConfig>, String> {
        let versions = if self.tls12 {
            &[&rustls::version::TLS12][..]
        } else {
            &[&rustls::version::TLS13][..]
        };
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(versions)
            .map_err(|error| format!("TLS settings do not go together: {error}"))?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier.clone());
        let mut config = match identity {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|error| format!("a client certificate is of no use: {error}"))?,
            None => builder.with_no_client_auth(),
        };
        config.enable_secret_extraction = true;
        config.resumption =
            store.map_or_else(Resumption::disabled, |store| Resumption::store(store));
        Ok(Arc::new(config))
    }
}

/// As the command line spells it.
fn group_name(group: NamedGroup) -> String {
    format!("{group:?}").to_ascii_lowercase()
}

/// Tickets kept of one connection's sessions; servers give one or two with each handshake.
const TICKETS_MAX: usize = 8;

/// One connection's sessions, the newest continued first. A ticket of TLS 1.3 is offered once, as
/// RFC 8446 appendix C.4 asks: the server gives another with each handshake, or the next is full.
#[derive(Debug, Default)]
pub struct LastSession {
    tls13: Mutex<Vec<Tls13ClientSessionValue>>,
    tls12: Mutex<Option<Tls12ClientSessionValue>>,
}

impl LastSession {
    /// Whether there is a session to continue.
    pub fn is_known(&self) -> bool {
        let tls13 = self.tls13.lock().unwrap_or_else(PoisonError::into_inner);
        let tls12 = self.tls12.lock().unwrap_or_else(PoisonError::into_inner);
        !tls13.is_empty() || tls12.is_some()
    }
}

impl ClientSessionStore for LastSession {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        *self.tls12.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        let kept = self.tls12.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        *self.tls12.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut kept = self.tls13.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == TICKETS_MAX {
            kept.remove(0);
        }
        kept.push(value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let mut kept = self.tls13.lock().unwrap_or_else(PoisonError::into_inner);
        kept.pop()
    }
}

/// Verifies a chain by the book the first time it is seen, and by comparison afterwards.
#[derive(Debug)]
struct OnceForEachChain {
    by_the_book: Arc<WebPkiServerVerifier>,
    known: Mutex<Vec<Vec<CertificateDer<'static>>>>,
}

/// Servers have a handful of chains; with more than this, verification is the honest price.
const CHAINS_KNOWN_MAX: usize = 16;

impl OnceForEachChain {
    fn new(ca: &Path, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let fault = |error: &dyn std::fmt::Display| format!("--ca: {}: {error}", ca.display());
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(ca).map_err(|error| fault(&error))? {
            let root = root.map_err(|error| fault(&error))?;
            roots.add(root).map_err(|error| fault(&error))?;
        }
        let by_the_book =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|error| fault(&error))?;
        Ok(Self {
            by_the_book,
            known: Mutex::default(),
        })
    }
}

impl ServerCertVerifier for OnceForEachChain {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |chain: &Vec<CertificateDer<'static>>| {
            chain.split_first() == Some((leaf, intermediates))
        };
        if known.iter().any(same) {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self
            .by_the_book
            .verify_server_cert(leaf, intermediates, name, ocsp, now)?;
        if known.len() < CHAINS_KNOWN_MAX {
            let chain = std::iter::once(leaf).chain(intermediates);
            known.push(chain.map(|der| der.clone().into_owned()).collect());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_the_book
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_the_book
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_the_book.supported_verify_schemes()
    }
}

/// Believes whoever answers: without `--ca` it is the load that matters, not who bears it.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
