//! All that decides about connections and requests, as one immutable value: built whole or not at
//! all, shared by every shard, and replaced as a whole while the gateway serves.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use hsm::PrivateKey;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::authz::apis::configured::Served;
use crate::authz::introspection::Desk;
use crate::authz::issuers::{IssuerRules, Issuers, KeySet};
use crate::authz::keys::Algorithm;
use crate::authz::policy::{Lists, Policy};
use crate::authz::quota::Quotas;
use crate::authz::ue::sets::Sets;
use crate::clock::UnixSeconds;
use crate::config::regular_file::Stamp;
use crate::config::{HttpUrl, KeysPlace, StatusPlace};
use crate::limits::{Deadlines, Limits};
use crate::links::Links;
use crate::oauth::{AllUsed, Assertions, Issuer};
use crate::peer::{Client, ClientIndex, Thumbprint};
use crate::privacy::Guard;
use crate::revoked::{Generation, Revocation as Revoking, Revoked};
use crate::tls::ocsp::{OcspIssuer, Staple};
use crate::tls::revocation::Revocation;
use crate::tls::{ServerCertificate, Terminator, TicketKeys};

/// The snapshot that shards are to adopt, for whoever replaces it and whoever looks for it.
pub type Current = ArcSwap<Snapshot>;

/// The names of the clients, in the order of the snapshot's table; those that come by a reload are
/// known here before any shard counts or records something of them.
pub type ClientNames = ArcSwap<Vec<String>>;

/// What is in force.
pub struct Snapshot {
    /// The pattern: each shard has its own.
    pub terminator: Arc<Terminator>,
    /// The server's certificates with their keys, in the order of the configuration: what the
    /// terminator shows and signs with.
    pub certificates: Vec<ServerCertificate>,
    /// When the first of the server's certificates ends.
    pub certificate_not_after: UnixSeconds,
    /// The CAs that clients' certificates come from, each once.
    pub anchors: Arc<[Anchor]>,
    /// The certificates that clients have signed themselves.
    pub own_certificates: Arc<[OwnCertificate]>,
    /// What session tickets are sealed with.
    pub ticket_keys: Arc<TicketKeys>,
    /// Which APIs are served.
    pub apis: Served,
    /// What becomes of lists in which a client may not see all.
    pub lists: Lists,
    pub issuers: Issuers,
    /// Where keys of theirs come from that they publish.
    pub keys_from: Vec<Arc<KeysFrom>>,
    /// How opaque tokens are asked about, where they are.
    pub introspection: Option<Arc<Introspection>>,
    /// The embedded issuer, where there is one.
    pub issuer: Option<Arc<Issuer>>,
    /// Assertions that were used at it, now and ever before.
    pub used: AllUsed,
    pub clients: Vec<Client>,
    /// What each of them may ask for and about whom, in their order; of one that has none, whatever
    /// API and token give.
    pub policies: Box<[Option<Arc<Policy>>]>,
    /// How often each of them may ask.
    pub quotas: Arc<Quotas>,
    /// The sets of UEs that policies name, where there are any.
    pub sets: Option<Arc<Sets>>,
    /// As the file of them was when it was read; none where it had just changed.
    pub sets_from: Option<Stamp>,
    /// The clients' generations, in their order.
    pub generations: Box<[Arc<Generation>]>,
    /// What is not taken any more: the same value in every snapshot of the process.
    pub revoked: Arc<Revoked>,
    /// What the operator's file says of it: in force with this snapshot.
    pub revoked_by_file: Vec<Revoking>,
    /// The lists that clients' certificates are looked up in.
    pub revocation: Arc<Revocation>,
    /// Where the statuses of the server's certificates come from.
    pub staples: Vec<Arc<StapleFrom>>,
    /// Who is asked about clients' certificates.
    pub responders: Vec<Arc<Responder>>,
    /// What no identity of a subscriber passes.
    pub guard: Arc<Guard>,
    /// As the file of known subscribers was when it was read; none where there is none, or it had
    /// just changed.
    pub known_from: Option<Stamp>,
    /// By the `client_id` their tokens carry.
    pub clients_by_id: HashMap<String, ClientIndex>,
    pub upstream: SocketAddr,
    pub upstream_connections_idle_max: usize,
    /// Where links lead on both sides; they stay as they are where that is not said.
    pub links: Option<Links>,
    pub limits: Limits,
    pub deadlines: Deadlines,
    /// How many shards have adopted it, of those that started with another.
    pub adopted: AtomicUsize,
}

/// A trust anchor: what an operator has to know of it in time.
#[derive(Clone)]
pub struct Anchor {
    /// Where the configuration names its file.
    pub line: usize,
    pub key: String,
    pub file: PathBuf,
    pub subject: String,
    pub thumbprint: Thumbprint,
    pub not_before: UnixSeconds,
    pub not_after: UnixSeconds,
}

/// A certificate that a client has signed itself: the same of it.
#[derive(Clone, Debug)]
pub struct OwnCertificate {
    /// Whose it is.
    pub client: String,
    pub file: PathBuf,
    /// How its SHA-256 begins.
    pub called: String,
    pub not_after: UnixSeconds,
}

/// Where the status of one of the server's certificates comes from.
pub struct StapleFrom {
    /// The certificate, for the log.
    pub name: String,
    pub place: StatusPlace,
    /// How the server of an https URL is known.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    pub staple: Arc<Staple>,
}

/// Where an issuer publishes its keys, and how they are kept.
pub struct KeysFrom {
    /// What it is called.
    pub issuer: String,
    pub place: KeysPlace,
    /// How the server is known.
    pub tls: Arc<rustls::ClientConfig>,
    /// The CAs of its certificate.
    pub ca: Vec<CertificateDer<'static>>,
    /// What RSA keys are for that do not say it.
    pub of_rsa: Option<Algorithm>,
    /// Between two looks, where the issuer does not say.
    pub refresh: Duration,
    /// How long they are believed that cannot be had again.
    pub max_age: Duration,
    /// Where they are put.
    pub keys: Arc<KeySet>,
    pub fetches: Arc<KeyFetches>,
}

/// What became of looks at an issuer's keys, and when they were had last.
#[derive(Debug, Default)]
pub struct KeyFetches {
    /// Keys that were taken, or that were what they had been.
    pub had: AtomicU64,
    /// Answers that were read and not used.
    pub refused: AtomicU64,
    /// No answer.
    pub failed: AtomicU64,
    /// Seconds since 1970; 0 where they were not had yet.
    pub had_at: AtomicU64,
    /// How long they may be kept that were had first, where that is said: who keeps them comes
    /// later.
    pub first_kept: OnceLock<Duration>,
}

impl KeyFetches {
    /// Counts that keys were had.
    pub fn note_had(&self, now: UnixSeconds) {
        self.had.fetch_add(1, Ordering::Relaxed);
        self.had_at.store(now.0, Ordering::Relaxed);
    }
}

/// Who is asked about opaque tokens, and how.
pub struct Introspection {
    /// How the answers are read.
    pub issuer: IssuerRules,
    pub url: HttpUrl,
    /// How the endpoint is known, and the certificate it is shown where that says who asks.
    pub tls: Arc<rustls::ClientConfig>,
    /// The CAs of its certificate.
    pub ca: Vec<CertificateDer<'static>>,
    pub client_id: String,
    pub proof: Proof,
    /// How long an answer is remembered at most.
    pub cache: Duration,
    /// Where shards ask.
    pub desk: Arc<Desk>,
}

/// How the gateway says who asks.
pub enum Proof {
    Secret(Zeroizing<String>),
    /// By the certificate with this key, which the connection shows.
    Certificate(Arc<PrivateKey>),
    Assertion(Arc<Assertions>),
}

impl Introspection {
    /// Whether a connection waits for a token.
    pub fn connects_by_token(&self) -> bool {
        matches!(&self.proof, Proof::Certificate(key) if key.in_token())
    }

    fn asks_same_as(&self, other: &Self) -> bool {
        let said = |of: &Self| (of.url.clone(), of.issuer.profile().clone(), of.cache);
        self.issuer.name() == other.issuer.name()
            && said(self) == said(other)
            // Whom another CA vouched for has no say any more.
            && self.ca == other.ca
    }
}

/// Who is asked about the certificates of an issuer.
pub struct Responder {
    pub issuer: OcspIssuer,
    pub url: HttpUrl,
    /// How the server of an https URL is known.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Between two questions about a certificate.
    pub refresh: Duration,
}

impl Snapshot {
    /// The server's private keys, in the order of the configuration.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<PrivateKey>> {
        self.certificates.iter().map(|certificate| &certificate.key)
    }

    /// The generation of a client's tokens now: what was remembered of one under another is to be
    /// verified anew. That of no client never is the one of anything remembered.
    pub fn generation(&self, client: ClientIndex) -> u64 {
        let place = usize::try_from(client.0).unwrap_or(usize::MAX);
        let generation = self.generations.get(place);
        generation.map_or(u64::MAX, |generation| generation.now())
    }

    /// Whether a token that was verified under one of the two gives the same under the other.
    pub fn takes_same_tokens_as(&self, other: &Self) -> bool {
        let exempt = |snapshot: &Self| -> Vec<bool> {
            let clients = snapshot.clients.iter();
            clients.map(|client| client.unbound_tokens).collect()
        };
        let asked_alike = match (&self.introspection, &other.introspection) {
            (Some(own), Some(others)) => own.asks_same_as(others),
            (None, None) => true,
            _ => false,
        };
        asked_alike
            // A scope that names an API gives something from when that is known.
            && self.apis == other.apis
            && self.issuers.same_as(&other.issuers)
            && self.clients_by_id == other.clients_by_id
            && exempt(self) == exempt(other)
    }

    /// What a client may ask for and about whom; none where it is held to API and token alone.
    pub fn policy(&self, client: ClientIndex) -> Option<&Policy> {
        let place = usize::try_from(client.0).ok()?;
        self.policies.get(place)?.as_deref()
    }

    /// The names of the clients, in their order.
    pub fn client_names(&self) -> Vec<String> {
        let names = self.clients.iter().map(|client| client.name.clone());
        names.collect()
    }

    /// The client at a place that was taken from this snapshot.
    pub fn client(&self, index: ClientIndex) -> Option<&Client> {
        self.clients.get(usize::try_from(index.0).ok()?)
    }
}
