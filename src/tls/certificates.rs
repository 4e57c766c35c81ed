//! The gateway's own certificates, several side by side, and which of them a client is shown: by
//! the name it asks for, then by what it can verify.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use hsm::PrivateKey;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey as _};
use rustls::{CipherSuite, SignatureAlgorithm, SupportedCipherSuite};

use super::ocsp::{Staple, Stapled};
use super::server_key::ServerKey;
use super::turn;

/// One certificate of the gateway's own.
#[derive(Clone)]
pub struct ServerCertificate {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// That it is the leaf's is the caller's to prove (`hsm::PrivateKey::prove`).
    pub key: Arc<PrivateKey>,
    /// Names, in lower case, for which it is shown; none: for all that no other is for.
    pub names: Vec<String>,
    /// Its status, where that is to be stapled.
    pub staple: Option<Arc<Staple>>,
}

/// The same with the key as rustls wants it.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: ServerKey,
    pub(super) names: Vec<String>,
    pub(super) staple: Option<Arc<Staple>>,
}

impl Shown {
    pub(super) fn new(certificate: ServerCertificate) -> Self {
        let in_token = certificate.key.in_token();
        Self {
            chain: certificate.chain,
            key: ServerKey::new(certificate.key, in_token),
            names: certificate.names,
            staple: certificate.staple,
        }
    }

    /// The same for another shard.
    pub(super) fn again(&self) -> Self {
        Self {
            key: self.key.again(),
            ..self.clone()
        }
    }

    pub(super) fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }

    pub(super) fn in_token(&self) -> bool {
        self.key.in_token()
    }
}

/// Chooses among certificates.
pub(super) struct Chooser {
    /// In the order of the configuration, which is that of preference.
    choices: Vec<Choice>,
}

struct Choice {
    certified: Arc<CertifiedKey>,
    algorithm: SignatureAlgorithm,
    names: Vec<String>,
    /// Suites that a client must offer one of.
    suites: Vec<CipherSuite>,
    staple: Option<Arc<Staple>>,
    /// The certificate with the status that was stapled last, for this shard alone as the other.
    with_status: ArcSwapOption<WithStatus>,
}

struct WithStatus {
    status: Arc<Stapled>,
    certified: Arc<CertifiedKey>,
}

impl Choice {
    /// The certificate, with its status where there is one that holds now.
    //= TS 33.210 clause 6.2.2
    //# The status of the server's certificate is stapled for clients that ask for it.
    fn certified(&self) -> Arc<CertifiedKey> {
        let bare = || Arc::clone(&self.certified);
        let Some(staple) = &self.staple else {
            return bare();
        };
        let held = staple.held();
        let Some(status) = held.as_ref().filter(|held| held.holds_at(turn::now())) else {
            return bare();
        };
        let made = self.with_status.load();
        let made = made
            .as_ref()
            .filter(|made| Arc::ptr_eq(&made.status, status));
        if let Some(made) = made {
            return Arc::clone(&made.certified);
        }
        let mut certified = (*self.certified).clone();
        certified.ocsp = Some(status.response.clone());
        let certified = Arc::new(certified);
        self.with_status.store(Some(Arc::new(WithStatus {
            status: Arc::clone(status),
            certified: Arc::clone(&certified),
        })));
        certified
    }
}

impl Chooser {
    /// For these, among the suites of `provider`.
    pub(super) fn new(shown: &[Shown], provider: &CryptoProvider) -> Self {
        let choice = |shown: &Shown| {
            let algorithm = shown.algorithm();
            let fitting = provider.cipher_suites.iter().filter(|suite| match suite {
                SupportedCipherSuite::Tls13(_) => true,
                SupportedCipherSuite::Tls12(_) => suite.usable_for_signature_algorithm(algorithm),
            });
            Choice {
                certified: Arc::new(CertifiedKey::new(
                    shown.chain.clone(),
                    Arc::new(shown.key.clone()),
                )),
                algorithm,
                names: shown.names.clone(),
                suites: fitting.map(SupportedCipherSuite::suite).collect(),
                staple: shown.staple.clone(),
                with_status: ArcSwapOption::empty(),
            }
        };
        Self {
            choices: shown.iter().map(choice).collect(),
        }
    }
}

impl fmt::Debug for Chooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms = self.choices.iter().map(|choice| choice.algorithm);
        f.debug_list().entries(algorithms).finish()
    }
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().map(str::to_ascii_lowercase);
        let is_for = |choice: &Choice| {
            let asked = asked.as_ref();
            asked.is_some_and(|asked| choice.names.contains(asked))
        };
        let named = self.choices.iter().any(is_for);
        let mut candidates = self.choices.iter().filter(|choice| match named {
            true => is_for(choice),
            false => choice.names.is_empty(),
        });
        let fits = |choice: &&Choice| {
            let schemes = hello.signature_schemes();
            let offered = hello.cipher_suites();
            choice.certified.key.choose_scheme(schemes).is_some()
                && choice.suites.iter().any(|suite| offered.contains(suite))
        };
        // Where none fits, rustls finds the word and the alert for it with any.
        let first = candidates.clone().next();
        let chosen = candidates.find(fits).or(first)?;
        Some(chosen.certified())
    }
}
