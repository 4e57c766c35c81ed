//! The configuration as meant: what `serve` and `check` build from. How it is written is in
//! `config/t8gate.toml`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::authz::apis::configured::Served;
use crate::authz::issuers::Profile;
use crate::authz::policy::{Lists, Policy};
use crate::authz::quota::Allowance;
use crate::authz::ue::SetName;
use crate::clock::UnixSeconds;
use crate::limits::{Deadlines, Limits};
use crate::links::ApiRoot;
pub use crate::peer::Client;
use crate::peer::{Identity, TokenFormat};
use crate::privacy::{Action, Plmn};

mod cpus;
mod fault;
mod files;
mod read;
pub mod regular_file;
mod section;
mod url;
mod value;

pub use fault::{closest, render};
pub use files::{NamedFile, is_closed, is_of_no_file};
pub use read::{
    ClientFile, add, examine, examine_again, examine_first, examine_with, is_client_file, read,
};

/// A configured value and the line of the file it stands in, so that a fault found later (a file
/// that does not parse, a key that is not in the token) can still be reported with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    pub value: T,
    pub line: usize,
}

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A client's file it stands in; none: the configuration file itself.
    pub file: Option<PathBuf>,
    /// Line of the file, from 1; 0 where no line can be named.
    pub line: usize,
    /// The key, in full: `tls.certificate`.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub cure: String,
    pub until: Until,
}

impl Fault {
    /// Its line, where one can be named: none is of the file as a whole.
    pub fn in_line(&self) -> Option<usize> {
        (self.line > 0).then_some(self.line)
    }
}

/// What it takes for a fault to be none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Somebody mends what is configured, which no later start does.
    Mended,
    /// What is away is back, or to be had again, which may be at any moment: a token, a port, room
    /// in the system.
    Back,
    /// What is not valid yet has begun, by this machine's clock.
    Begun,
}

/// A time as the configuration writes it ("250ms", "5m"), from a second to a day.
///
/// # Errors
/// What is wrong, and the cure.
pub fn duration(text: &str) -> Result<Duration, (String, String)> {
    let value = toml::de::DeValue::String(text.into());
    let read = value::duration(1_000..=24 * 3_600_000)(&value);
    read.map_err(|wrong| (wrong.what, wrong.cure))
}

/// Where something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A client's file; none: the configuration file itself.
    pub file: Option<PathBuf>,
    /// From 1; 0 where the file as a whole is meant.
    pub line: usize,
}

/// Everything an operator has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file this was read from.
    pub file: PathBuf,
    /// Which APIs are served.
    pub apis: Served,
    /// What becomes of lists, for clients that are held to some UEs.
    pub lists: Lists,
    pub listen: Listen,
    pub tls: Tls,
    pub issuers: Vec<Issuer>,
    /// The embedded issuer, where there is one.
    pub oauth: Option<Oauth>,
    /// Each with a name of its own; that of `tls.client_ca`, if there is one, is first.
    pub partners: Vec<Partner>,
    pub clients: Vec<Client>,
    /// Where files of clients are: each has one. Only in the configuration file where not said.
    pub clients_folder: Option<Located<PathBuf>>,
    /// Where the clients are written, by their names.
    pub client_places: BTreeMap<String, Place>,
    /// What clients may ask for and about whom, by their names; those that are not here may ask
    /// about any UE what API and token give.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// How often clients may ask, by their names; those that are not here, as often as they like.
    pub allowances: BTreeMap<String, Vec<Allowance>>,
    /// Where each set of UEs is named first.
    pub sets_named: BTreeMap<SetName, Place>,
    /// The sets of UEs; nobody names one where not said.
    pub policy: Option<UeSets>,
    pub revocation: Revocation,
    pub upstream: Upstream,
    pub limits: Limits,
    pub deadlines: Deadlines,
    pub memory: Memory,
    /// Where metrics and health are served, and things are revoked; nowhere where not said.
    pub admin: Option<Admin>,
    /// Where decisions are recorded; nowhere where not said.
    pub audit: Option<Audit>,
    pub privacy: Privacy,
    pub reload: Reload,
    /// The files it names that are read, in the order of their keys.
    pub files: Vec<PathBuf>,
    /// What is not wrong, and is hardly what is meant.
    pub warnings: Vec<Fault>,
}

impl Config {
    /// As many as the token of the server's key has sessions, or that of the issuer's; none where
    /// no key is in a token.
    pub fn signing_threads(&self) -> Option<usize> {
        let own = self
            .oauth
            .iter()
            .flat_map(Oauth::keys)
            .map(|key| &key.value);
        let sessions = self.tls.keys().chain(own).filter_map(|key| match key {
            KeySource::File(_) => None,
            KeySource::Pkcs11 { sessions, .. } => Some(*sessions),
        });
        // No more threads than the smallest pool has sessions: none must find all of them taken.
        sessions.min()
    }
}

/// `[policy]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UeSets {
    /// As `t8gate policy build` has written it.
    pub file: Located<PathBuf>,
    /// The secret it was built with.
    pub key_file: Located<PathBuf>,
}

/// `[reload]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// How often the files are looked at; never where not said.
    pub watch: Option<Duration>,
}

/// `[oauth]`: the embedded issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oauth {
    /// The issuer's URL, `https://` and authority without a path: the `iss` of its tokens.
    pub issuer: Located<String>,
    /// The `aud` of its tokens.
    pub audience: String,
    pub token_lifetime: Duration,
    /// The key that signs tokens, of P-256 or RSA.
    pub key: Located<KeySource>,
    pub next_keys: Vec<NextKey>,
    pub old_keys: Vec<OldKey>,
    /// What its tokens are, where a client's registration does not say.
    pub token_format: TokenFormat,
    /// What opaque tokens are sealed with, where there are any.
    pub sealing: Option<Sealing>,
    /// How it issues tokens in CAPIF's form; not at all where not said.
    pub capif: Option<CapifTokens>,
}

/// `[oauth.capif]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapifTokens {
    /// What this gateway is called in the scope.
    pub aef_id: String,
    /// The key that signs them, and nothing else.
    pub key: Located<KeySource>,
}

/// `[oauth.sealing]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// What tokens are sealed with.
    pub secret: Located<SecretSource>,
    /// What opens tokens as well, while one secret is replaced by another.
    pub second: Option<Located<SecretSource>>,
}

impl Oauth {
    /// Where the keys are that sign tokens, or are to: the current one first, that of CAPIF's form
    /// last.
    pub fn keys(&self) -> impl Iterator<Item = &Located<KeySource>> {
        let next = self.next_keys.iter().map(|next| &next.key);
        let capif = self.capif.iter().map(|capif| &capif.key);
        std::iter::once(&self.key).chain(next).chain(capif)
    }
}

/// `[[oauth.next_key]]`: a key that is published and does not sign yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextKey {
    pub key: Located<KeySource>,
    /// The moment from which it signs in place of the one before; never where not said.
    pub signs_from: Option<UnixSeconds>,
}

/// `[[oauth.old_key]]`: a key that has signed, and signs no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldKey {
    /// PEM file: its public part.
    pub pem: Located<PathBuf>,
    /// When it signed for the last time; as long as it stands here where not said.
    pub signed_until: Option<UnixSeconds>,
}

/// `[memory]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    pub huge_pages: Located<HugePages>,
}

/// Pages of 2 MiB for what the gateway allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HugePages {
    /// None.
    Off,
    /// Where the kernel gives them.
    Transparent,
    /// Those that were set aside, or no start.
    Reserved,
}

/// `[admin]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where metrics and health are served.
    pub address: Option<Located<SocketAddr>>,
    /// The Unix socket at which things are revoked.
    pub socket: Option<Located<PathBuf>>,
}

/// `[privacy]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// Whose subscribers are to be kept inside.
    pub plmns: Vec<Plmn>,
    /// Whether the identities of devices are, too.
    pub devices: bool,
    /// What pseudonyms are made with; where not said, something random at each start.
    pub pseudonym_secret: Option<Located<PathBuf>>,
    /// What becomes of an answer in which an identity is found.
    pub action: Action,
    /// The set of those who are subscribers.
    pub known_subscribers: Option<Located<PathBuf>>,
    /// The names of data networks and slices are kept inside as well.
    pub hide_network: bool,
    /// But for these members.
    pub network_shown: Vec<&'static str>,
}

/// `[audit]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// JSON lines are appended to it; made where it is not there.
    pub file: Located<PathBuf>,
    pub when_unwritable: WhenUnwritable,
}

/// What happens to requests whose decision cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnwritable {
    /// They are refused with 503.
    Refuse,
    /// They are served, and the records lost are counted.
    Lossy,
}

/// `[listen]`: the T8 side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub address: Located<SocketAddr>,
    /// CPUs that get a shard each, in order, without repeats.
    pub cpus: Located<Vec<usize>>,
    /// Names a client may ask for by SNI, lower case; empty for those of the certificates.
    pub server_names: Vec<String>,
    /// It may ask for any.
    pub any_server_name: bool,
    /// What clients reach it by, as links are to name it; links stay as they are where not said.
    pub api_roots: Vec<ApiRoot>,
    /// Start although another process listens on the same port.
    pub share_port: bool,
    pub steering: Located<Steering>,
}

impl Listen {
    /// What the listener is called where nothing else is said: its port. Nodes of a fleet have
    /// that in common, and listeners of one node do not.
    pub fn name(&self) -> String {
        self.address.value.port().to_string()
    }
}

/// Which shard gets a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steering {
    /// Any: the kernel spreads them by a hash of addresses and ports.
    Off,
    /// That of the CPU on which the kernel received it.
    Cpu,
}

/// `[tls]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM file: the server certificate, then its intermediates.
    pub certificate: Located<PathBuf>,
    pub key: Located<KeySource>,
    /// Name of the TLS profile.
    pub profile: Located<String>,
    /// Names of the rules that the server's own certificates may break.
    pub waive: Vec<Located<String>>,
    /// Session tickets that other nodes take as well; of this process alone where not said.
    pub tickets: Option<Tickets>,
    /// Where the status of the first certificate comes from; none is stapled where not said.
    pub ocsp: Option<Stapling>,
    /// Further certificates, in the order of preference.
    pub also: Vec<OwnCertificate>,
}

impl Tls {
    /// Where the keys of all certificates are, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &KeySource> {
        let also = self.also.iter().map(|also| &also.key.value);
        std::iter::once(&self.key.value).chain(also)
    }
}

/// `[[tls.also]]`: a certificate beside the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCertificate {
    /// Names for which it is shown, in lower case; empty: for those that no other is for.
    pub names: Vec<Located<String>>,
    pub certificate: Located<PathBuf>,
    pub key: Located<KeySource>,
    pub ocsp: Option<Stapling>,
}

/// `[tls.ocsp]`: the status that is stapled to a certificate of the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stapling {
    pub place: Located<StatusPlace>,
    /// PEM file: the certificate's issuer, where the chain lacks it.
    pub issuer: Option<Located<PathBuf>>,
    /// PEM file: the CAs of a responder that is asked by https.
    pub ca: Option<Located<PathBuf>>,
}

/// Where a status comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusPlace {
    /// A response in DER, which somebody else keeps.
    File(PathBuf),
    /// A responder.
    Url(HttpUrl),
}

/// `[tls.tickets]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tickets {
    /// What tickets are sealed with.
    pub secret: Located<SecretSource>,
    /// What opens tickets as well, while one secret is replaced by another.
    pub second: Option<Located<SecretSource>>,
    /// How long one key is made of it.
    pub slot: Duration,
    /// What this listener is called, for its tickets.
    pub name: String,
}

/// `[[partner]]`, or `tls.client_ca` in its place: partners whose certificates come from the same
/// CAs and are judged alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// As clients name it.
    pub name: String,
    /// Its section as faults name it: `tls`, `partner[2]`.
    pub section: String,
    /// PEM file: the trust anchors of its clients' certificates.
    pub client_ca: Located<PathBuf>,
    /// Names of the rules that its certificates may break.
    pub waive: Vec<Located<String>>,
    /// Which names say who its clients are.
    pub identity: Identity,
    /// In place of what `[revocation]` says for all.
    pub revocation: Option<Located<RevocationPolicy>>,
    pub crl_grace: Option<Located<Duration>>,
    pub ocsp: Option<Located<RevocationPolicy>>,
}

/// The group of partners that `tls.client_ca` stands for, and that of clients which name none.
pub const PARTNER_DEFAULT: &str = "default";

/// Where a secret is that nodes share, by which session tickets or tokens are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// File of random octets, as they are or in base64.
    File(PathBuf),
    /// A secret key in a token, for HMAC-SHA256.
    Pkcs11 {
        /// The PKCS#11 module, a shared object.
        module: PathBuf,
        /// RFC 7512 URI naming token and key: `pkcs11:token=t8gate;object=tickets`.
        uri: String,
        /// File whose first line is the user PIN.
        pin_file: PathBuf,
    },
}

/// Where the server's private key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// PEM file, PKCS#8, SEC1 or PKCS#1.
    File(PathBuf),
    /// A key in a token.
    Pkcs11 {
        /// The PKCS#11 module, a shared object.
        module: PathBuf,
        /// RFC 7512 URI naming token and key: `pkcs11:token=t8gate;object=server`.
        uri: String,
        /// File whose first line is the user PIN.
        pin_file: PathBuf,
        /// Sessions, and threads that sign, from 1.
        sessions: usize,
        /// Other tokens that hold the same key.
        also: Vec<OtherToken>,
    },
}

/// `[revocation]` and `[[crl]]`: how clients' certificates are looked up in lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub policy: Located<RevocationPolicy>,
    /// How long a list is believed beyond its end.
    pub grace: Located<Duration>,
    /// Folder in which fetched lists are kept over a restart.
    pub state: Option<Located<PathBuf>>,
    /// Where what the operator revokes is kept; nothing can be revoked where not said, but by file.
    pub store: Option<Located<PathBuf>>,
    /// File in which the operator says what is revoked.
    pub revoked: Option<Located<PathBuf>>,
    pub lists: Vec<CrlSource>,
    /// What becomes of a client's certificate of which no responder speaks.
    pub ocsp: Located<RevocationPolicy>,
    pub responders: Vec<OcspResponder>,
}

/// `[[ocsp]]`: who is asked about the clients' certificates of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspResponder {
    /// PEM file: the CAs that issue them.
    pub issuer: Located<PathBuf>,
    pub url: Located<HttpUrl>,
    /// Between two questions about a certificate.
    pub refresh: Duration,
    /// PEM file: the CAs of the responder that is asked by https.
    pub ca: Option<Located<PathBuf>>,
}

/// What becomes of a certificate of which no list in force speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationPolicy {
    /// It is refused.
    HardFail,
    /// It is taken, and that is counted.
    SoftFail,
    /// Nothing is looked up.
    Off,
}

/// `[[crl]]`: one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlSource {
    pub place: Located<CrlPlace>,
    /// PEM file: CAs beside the trust anchors that may have signed it.
    pub issuer: Option<Located<PathBuf>>,
    /// Between two fetches.
    pub refresh: Duration,
    /// PEM file: the CAs of the server that it is fetched from by https.
    pub ca: Option<Located<PathBuf>>,
}

/// Where a list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrlPlace {
    File(PathBuf),
    Url(HttpUrl),
}

/// An `http` or `https` URL, in the parts that a client needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl {
    pub tls: bool,
    /// Name or literal address; one of IPv6 without its brackets.
    pub host: String,
    pub port: u16,
    /// As written behind the scheme: for the `Host` field.
    pub authority: String,
    /// Path and query.
    pub target: String,
}

impl std::fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

impl std::fmt::Display for CrlPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Url(url) => url.fmt(f),
        }
    }
}

impl std::fmt::Display for StatusPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Url(url) => url.fmt(f),
        }
    }
}

/// `[[tls.key.also]]`: another token with the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherToken {
    /// The PKCS#11 module; the first token's where not said.
    pub module: PathBuf,
    /// RFC 7512 URI.
    pub uri: String,
    /// File whose first line is the user PIN; the first token's where not said.
    pub pin_file: PathBuf,
}

/// `[[issuer]]`: whose tokens are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The `iss` claim, octet for octet; of CAPIF, where that names the invoker, any word.
    pub name: Located<String>,
    pub profile: Profile,
    pub keys: Located<IssuerKeys>,
    /// How long a token of it lives at most.
    pub token_lifetime_max: Duration,
    /// How it is asked about opaque tokens; one issuer at most is.
    pub introspection: Option<Introspection>,
}

/// `[issuer.introspection]`: how an issuer is asked about opaque tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introspection {
    pub url: Located<HttpUrl>,
    /// PEM file: the CAs of the endpoint's server.
    pub ca: Located<PathBuf>,
    /// What the gateway is called there.
    pub client_id: String,
    pub proof: Located<IntrospectionProof>,
    /// How long an answer is remembered at most.
    pub cache: Duration,
}

/// How the gateway authenticates to whom it asks about tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntrospectionProof {
    /// `client_secret_basic`: the file of the secret.
    Secret(PathBuf),
    /// `tls_client_auth`: the PEM file of the certificate, and its key.
    Certificate {
        certificate: PathBuf,
        key: Located<KeySource>,
    },
    /// `private_key_jwt`: what signs assertions.
    Assertion {
        key: Located<KeySource>,
        /// What the key is called there, where it is called anything.
        kid: Option<String>,
        /// For whom assertions are; for the issuer by its name where not said.
        audience: Option<String>,
    },
}

impl IntrospectionProof {
    /// The key, where it takes one.
    pub fn key(&self) -> Option<&Located<KeySource>> {
        match self {
            Self::Secret(_) => None,
            Self::Certificate { key, .. } | Self::Assertion { key, .. } => Some(key),
        }
    }
}

/// Where an issuer's public keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssuerKeys {
    /// JWKS file (RFC 7517); every key in it must name its `kid` and `alg`.
    Jwks(PathBuf),
    /// One PEM public key (SubjectPublicKeyInfo), with the algorithm it is for and, where tokens
    /// carry one, its `kid`.
    Pem {
        file: PathBuf,
        algorithm: String,
        kid: Option<String>,
    },
    /// A JWKS that the issuer publishes.
    Published(PublishedKeys),
    /// Nowhere: it is asked about each of its tokens.
    Unneeded,
}

/// Where an issuer publishes its keys, and how they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKeys {
    pub place: KeysPlace,
    /// PEM file: the CAs of the server.
    pub ca: Located<PathBuf>,
    /// What RSA keys are for that do not say it themselves; they are passed over where not said.
    pub algorithm: Option<String>,
    /// Between two looks, where the issuer does not say how long its keys may be kept.
    pub refresh: Duration,
    /// How long keys are believed that cannot be had again.
    pub max_age: Duration,
}

/// Where the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysPlace {
    /// Here.
    Jwks(HttpUrl),
    /// Where the issuer's description says (RFC 8414), which is here.
    Metadata(HttpUrl),
}

impl std::fmt::Display for KeysPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Jwks(url) | Self::Metadata(url) => url.fmt(f),
        }
    }
}

/// `[upstream]`: the SCEF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub address: Located<SocketAddr>,
    /// What its links begin with; what the address makes is the last.
    pub api_roots: Vec<ApiRoot>,
    /// Idle connections each shard keeps.
    pub connections_idle_max: usize,
}
