//! From the configuration to what is in force: every file read, every certificate parsed, the key
//! found and proved. All that is wrong is found in one go.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use hsm::{KeyKind, OpenFault, Pkcs11Source, PrivateKey};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::crl_keeper::AllBrought;
use super::touched::Touched;
use super::{anchors, keys_fetch, revocation, revoked_file};
use crate::authz::issuers::{IssuerRules, Issuers};
use crate::clock::UnixSeconds;
use crate::config::{Config, Fault, KeySource, Located, Partner, Until};
use crate::oauth::{AllUsed, Issuer, OwnCertificates};
use crate::peer::{Client, ClientIndex};
use crate::snapshot::Snapshot;
use crate::tls::{
    self, ClientAuth, PROFILES, PartnerGroup, Profile, RULES, Rule, RuleSet, ServerCertificate,
    Terminator,
};

mod introspection;
mod issuers;
mod key_files;
mod links;
mod own;
mod own_issuer;
mod policy;
mod privacy;
mod sealing;
mod self_signed;
mod staples;
mod tickets;

pub use own::OwnSide;
pub use own_issuer::of_issuer_or_client;
pub use staples::take as take_status;
pub(super) use staples::tls as tls_to_responder;

/// What was looked at, and what was found.
#[derive(Debug, Default)]
pub struct Report {
    pub rows: Vec<Row>,
    /// What is not wrong, and may become so.
    pub warnings: Vec<Fault>,
    /// What came from where revocation lists were read.
    pub brought: AllBrought,
}

/// One thing looked at.
#[derive(Debug)]
pub struct Row {
    pub what: String,
    /// What is there, or what is wrong.
    pub found: Result<String, Fault>,
}

impl Report {
    /// Everything that is wrong.
    pub fn faults(&self) -> Vec<Fault> {
        self.rows
            .iter()
            .filter_map(|row| row.found.as_ref().err().cloned())
            .collect()
    }

    /// Says in the log what is hardly meant of what is configured, and what may become wrong of
    /// keys, of issuers' names and of what is revoked by file: of trust anchors and of certificates
    /// that clients have signed themselves a vigil does.
    pub fn warn_of_registered(&self, config: &Config) {
        for warning in &config.warnings {
            let Fault {
                key, what, cure, ..
            } = warning;
            let file = warning.file.as_deref().unwrap_or(&config.file).display();
            tracing::warn!(%file, line = warning.in_line(), key, hint = cure, "{what}");
        }
        let is_registered = |warning: &&Fault| {
            warning.key.starts_with("oauth")
                || warning.key.ends_with(".key")
                || [
                    issuers::NAME_KEY,
                    keys_fetch::SHARED_KEY,
                    revoked_file::KEY,
                    privacy::PLMNS_KEY,
                ]
                .contains(&warning.key.as_str())
        };
        for warning in self.warnings.iter().filter(is_registered) {
            let Fault {
                key, what, cure, ..
            } = warning;
            tracing::warn!(key, hint = cure, "{what}");
        }
    }

    /// Whether something is wrong, and all of it may be right at any moment: of what is looked at
    /// here, that is what is in tokens.
    pub fn is_of_tokens_only(&self) -> bool {
        let faults = self.faults();
        !faults.is_empty() && faults.iter().all(|fault| fault.until == Until::Back)
    }

    /// Notes all that is wrong with something that is noted otherwise where nothing is.
    fn note_wrong<T>(&mut self, what: &str, found: Result<T, Vec<Fault>>) -> Option<T> {
        found
            .map_err(|faults| {
                for fault in faults {
                    self.note::<()>(what, Err(fault));
                }
            })
            .ok()
    }

    /// Notes a finding and hands on what it was about.
    pub fn note<T>(
        &mut self,
        what: impl Into<String>,
        found: Result<(T, String), Fault>,
    ) -> Option<T> {
        let (value, found) = match found {
            Ok((value, detail)) => (Some(value), Ok(detail)),
            Err(fault) => (None, Err(fault)),
        };
        self.rows.push(Row {
            what: what.into(),
            found,
        });
        value
    }
}

pub(super) fn fault<T>(
    at: &Located<T>,
    key: &str,
    what: impl Display,
    cure: impl Display,
) -> Fault {
    Fault {
        file: None,
        line: at.line,
        key: key.to_owned(),
        what: what.to_string(),
        cure: cure.to_string(),
        until: Until::Mended,
    }
}

/// What is wrong with a client, said in the `line` of the file that it is written in.
fn of_client(
    config: &Config,
    client: &Client,
    (line, key): (usize, &str),
    what: &str,
    cure: &str,
) -> Fault {
    let place = config.client_places.get(&client.name);
    let at = Located { value: (), line };
    Fault {
        file: place.and_then(|place| place.file.clone()),
        ..fault(&at, key, format!("client {}: {what}", client.name), cure)
    }
}

/// The same of a key or a secret that was not opened or proved.
fn of_key<T>(at: &Located<T>, key: &str, open: OpenFault) -> Fault {
    Fault {
        until: until(open.lasts),
        ..fault(at, key, open.what, open.cure)
    }
}

/// What a fault of a key takes.
fn until(it_lasts: bool) -> Until {
    match it_lasts {
        true => Until::Mended,
        false => Until::Back,
    }
}

/// What is in force while a changed configuration is looked at: its keys in tokens, with their
/// sessions, and its session tickets go on where nothing about them has changed.
#[derive(Clone, Copy)]
pub struct Running<'r> {
    pub config: &'r Config,
    pub snapshot: &'r Snapshot,
    pub stays: Stays,
}

/// What takes a restart and goes on as it is until then, whatever has become of its files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stays {
    /// What the gateway shows of itself in a handshake.
    pub certificates: bool,
    /// The embedded issuer's key.
    pub issuer_key: bool,
}

impl<'r> Running<'r> {
    /// The server key of this source, where one is open.
    fn key(self, source: &KeySource) -> Option<&'r Arc<PrivateKey>> {
        let place = self.config.tls.keys().position(|known| known == source)?;
        self.snapshot.keys().nth(place)
    }
}

/// Builds the snapshot, or none when anything is wrong; the report says what was found either way.
pub fn load(
    config: &Config,
    now: UnixSeconds,
    running: Option<Running<'_>>,
) -> (Option<Snapshot>, Report) {
    let mut report = Report::default();
    key_files::warn_of_open(config, &mut report);
    let shown = own::load(config, now, running, &mut report);
    let own = config.oauth.as_ref();
    let used = running.map_or_else(AllUsed::default, |running| running.snapshot.used.clone());
    let used = used.with(&config.clients);
    let certificates = self_signed::read(config, now, &mut report);
    let of_issuer = certificates.as_ref();
    let of_issuer = of_issuer.map_or_else(OwnCertificates::default, self_signed::Read::thumbprints);
    let of_issuer = (&of_issuer, &used);
    let own_certificates = certificates.as_ref().map(self_signed::Read::known);
    let own =
        own.map(|oauth| own_issuer::load(oauth, config, of_issuer, now, running, &mut report));
    let auth = client_auth(config, certificates, &mut report);
    let anchors = anchors::configured(config);
    let warnings = anchors
        .iter()
        .filter_map(|anchor| anchors::warning(anchor, now));
    report.warnings.extend(warnings);
    let unnamed = shown.as_ref().map(own::Own::unnamed);
    let profile = report.note("TLS profile", profile(config, unnamed.as_deref()));
    let auth = auth.zip(profile).map(|(auth, profile)| auth.under(profile));
    let lists = running.as_ref().map(|running| &running.snapshot.revocation);
    let revoked = running.map(|running| Arc::clone(&running.snapshot.revoked));
    let revoked = revoked.unwrap_or_default();
    let revocation = match lists {
        Some(lists) => Arc::clone(lists),
        None => revocation::lists(config, now, &revoked, &mut report),
    };
    let auth = auth.map(|auth| auth.looking_up_in(Arc::clone(&revocation)));
    let taken = issuers::configured(config, own, running, &mut report);
    let touched = { taken.issuers.as_ref() }.zip(shown.as_ref());
    let touched = touched.map(|(issuers, shown)| Touched {
        issuers,
        clients: &config.clients,
        anchors: &anchors,
        certificates: &shown.certificates,
    });
    let revoked_by_file = revoked_file::read(config, touched, now, &mut report);
    let introspection = introspection::configured(config, running, &mut report);
    let responders = revocation::responders(config, &mut report);
    let sets = policy::sets(config, running, &mut report);
    policy::note_clients(config, &mut report);
    policy::note_apis(config, &mut report);
    let guard = privacy::configured(config, running, &mut report);
    let links = links::configured(config, &mut report);
    let terminator = shown.as_ref().zip(auth).and_then(|(shown, auth)| {
        let made = terminator(config, shown, auth);
        report.note("TLS", made)
    });
    let issuers = taken.issuers.zip(introspection);
    let room = sets.zip(guard);
    let built = terminator.zip(issuers).zip(shown).zip(responders).zip(room);
    let snapshot = built.map(
        |((((terminator, issuers), shown), responders), (sets, (guard, known_from)))| Snapshot {
            terminator: Arc::new(terminator),
            apis: config.apis.clone(),
            lists: config.lists,
            staples: shown.staples,
            responders,
            certificates: shown.certificates,
            certificate_not_after: shown.not_after,
            anchors: anchors.into(),
            own_certificates: own_certificates.unwrap_or_default().into(),
            ticket_keys: shown.tickets.keys,
            issuers: issuers.0,
            introspection: issuers.1,
            keys_from: taken.keys_from,
            issuer: taken.own,
            used,
            clients_by_id: clients_by_id(config),
            generations: revoked.generations(&config.clients),
            policies: policy::in_order(config),
            quotas: policy::quotas(config, running),
            sets: sets.sets,
            sets_from: sets.from,
            clients: config.clients.clone(),
            revoked,
            revoked_by_file,
            revocation: Arc::clone(&revocation),
            guard,
            known_from,
            upstream: config.upstream.address.value,
            upstream_connections_idle_max: config.upstream.connections_idle_max,
            links,
            limits: config.limits,
            deadlines: config.deadlines,
            adopted: AtomicUsize::new(0),
        },
    );
    (snapshot, report)
}

fn terminator(
    config: &Config,
    shown: &own::Own,
    auth: ClientAuth,
) -> Result<(Terminator, String), Fault> {
    let server_names = server_names(config, shown);
    let names = match server_names.as_slice() {
        [] => "any name".to_owned(),
        names => names.join(", "),
    };
    let made = Terminator::new(
        shown.certificates.clone(),
        auth,
        server_names,
        shown.tickets.clone(),
    );
    let at = &config.tls.certificate;
    let made = made.map_err(|what| fault(at, "tls.certificate", what, "see the key and chain"))?;
    Ok((made, names))
}

/// Names that clients may ask for; none for any. Those of a certificate that is shown for some of
/// its names are these: who asked for another would be shown another certificate.
//= TS 33.210 clause 6.2.3
//# A name that is not this gateway's is refused, also where no names are configured.
fn server_names(config: &Config, shown: &own::Own) -> Vec<String> {
    let configured = &config.listen.server_names;
    if config.listen.any_server_name || !configured.is_empty() {
        return configured.clone();
    }
    let names_of = |shown: &ServerCertificate| match (&shown.names[..], shown.chain.first()) {
        ([], Some(leaf)) => tls::dns_names(leaf),
        (names, _) => names.to_vec(),
    };
    let mut names: Vec<String> = shown.certificates.iter().flat_map(names_of).collect();
    names.sort();
    names.dedup();
    names
}

/// Of an embedded issuer: none where there is none, none inside where it cannot be had.
type Own = Option<Option<(Arc<Issuer>, Vec<IssuerRules>)>>;

fn clients_by_id(config: &Config) -> HashMap<String, ClientIndex> {
    let ids = config.clients.iter().map(|client| client.client_id.clone());
    ids.zip((0..).map(ClientIndex)).collect()
}

pub(super) fn certificates(
    at: &Located<std::path::PathBuf>,
    key: &str,
) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let read = CertificateDer::pem_file_iter(&at.value)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| {
            let cure = "the file must be readable and hold PEM certificates";
            fault(at, key, format!("{}: {error}", at.value.display()), cure)
        })?;
    if read.is_empty() {
        let what = format!("{} holds no certificate", at.value.display());
        return Err(fault(
            at,
            key,
            what,
            "put PEM blocks BEGIN CERTIFICATE into it",
        ));
    }
    Ok(read)
}

fn private_key(at: &Located<KeySource>, name: &str) -> Result<(Arc<PrivateKey>, String), Fault> {
    let (opened, place) = match &at.value {
        KeySource::File(file) => (
            PrivateKey::from_pem_file(file),
            format!("in file {}", file.display()),
        ),
        KeySource::Pkcs11 {
            module,
            uri,
            pin_file,
            sessions,
            also,
        } => {
            let others = { also.iter() }
                .map(|other| in_token(&other.module, &other.uri, &other.pin_file, *sessions));
            let first = in_token(module, uri, pin_file, *sessions);
            let all: Vec<_> = std::iter::once(first).chain(others).collect();
            let place = match also.len() {
                0 => format!("in token, {sessions} sessions"),
                others => format!("in {} tokens, {sessions} sessions each", others + 1),
            };
            (PrivateKey::from_tokens(&all), place)
        }
    };
    let key = opened.map_err(|open| of_key(at, name, open))?;
    let detail = format!("{:?} {place}", key.kind());
    Ok((Arc::new(key), detail))
}

/// A key or a secret in a token, as it is opened.
fn in_token(module: &Path, uri: &str, pin_file: &Path, sessions: usize) -> Pkcs11Source {
    Pkcs11Source {
        module: module.to_owned(),
        uri: uri.to_owned(),
        pin_file: pin_file.to_owned(),
        sessions,
    }
}

/// The embedded issuer alone, with its keys opened and proved.
pub fn embedded_issuer(config: &Config) -> (Option<Arc<Issuer>>, Report) {
    let mut report = Report::default();
    let own = config.oauth.as_ref();
    let (used, now) = (AllUsed::default(), UnixSeconds::now());
    let certificates = self_signed::read(config, now, &mut report);
    let certificates = certificates.map(|read| read.thumbprints());
    let made = own.zip(certificates).and_then(|(oauth, certificates)| {
        let of_clients = (&certificates, &used);
        own_issuer::load(oauth, config, of_clients, now, None, &mut report)
    });
    (made.map(|(issuer, _)| issuer), report)
}

/// Who is let in, and nothing else of [`load`].
pub fn clients_alone(config: &Config) -> (Option<ClientAuth>, Report) {
    let mut report = Report::default();
    let certificates = self_signed::read(config, UnixSeconds::now(), &mut report);
    let auth = client_auth(config, certificates, &mut report);
    (auth, report)
}

/// All issuers whose tokens are taken, and nothing else of [`load`].
pub fn issuers_alone(config: &Config) -> (Option<Issuers>, Report) {
    let mut report = Report::default();
    let own = config.oauth.as_ref();
    let now = UnixSeconds::now();
    // How clients fetch tokens is no matter of what tokens are worth.
    let of_clients = (&OwnCertificates::default(), &AllUsed::default());
    let own = own.map(|oauth| own_issuer::load(oauth, config, of_clients, now, None, &mut report));
    let issuers = issuers::configured(config, own, None, &mut report).issuers;
    (issuers, report)
}

const ANCHORS: &str = "client trust anchors";

/// Who is let in, or all that is wrong with it: by CAs, and by these certificates of their own.
fn client_auth(
    config: &Config,
    own: Option<self_signed::Read<'_>>,
    report: &mut Report,
) -> Option<ClientAuth> {
    let mut groups = Vec::with_capacity(config.partners.len());
    for partner in &config.partners {
        let anchors = certificates(&partner.client_ca, &client_ca_key(partner));
        let waived = waived(&partner.waive, &format!("{}.waive", partner.section));
        let anchors = report.note_wrong(ANCHORS, anchors.map_err(|fault| vec![fault]));
        let waived = report.note_wrong(ANCHORS, waived);
        groups.extend(anchors.zip(waived).map(|(anchors, waived)| PartnerGroup {
            name: partner.name.clone(),
            anchors,
            waived,
            revocation: revocation::rules(config, partner),
        }));
    }
    // That there is none was said.
    if groups.len() < config.partners.len() || groups.is_empty() {
        return None;
    }
    let anchors: usize = groups.iter().map(|group| group.anchors.len()).sum();
    let (count, clients) = (groups.len(), config.clients.len());
    let detail = match count {
        1 => format!("{anchors} for {clients} clients"),
        _ => format!("{anchors} in {count} partner groups for {clients} clients"),
    };
    let auth = ClientAuth::new(groups, &config.clients).map_err(|unfit| {
        let partner = unfit.group.and_then(|place| config.partners.get(place));
        match partner {
            Some(partner) => {
                let key = client_ca_key(partner);
                fault(&partner.client_ca, &key, unfit.what, unfit.cure)
            }
            None => Fault {
                file: None,
                line: 0,
                key: "client".to_owned(),
                what: unfit.what,
                cure: unfit.cure,
                until: Until::Mended,
            },
        }
    });
    let told = |auth: ClientAuth| {
        let detail = match auth.names_its_cas() {
            true => detail,
            false => format!("{detail}, who are not told their names: they are too long"),
        };
        (auth, detail)
    };
    let auth = report.note(ANCHORS, auth.map(told))?;
    own?.registered(config, auth, report)
}

/// Everything of [`load`] that is about certificates, waivers and the profile, without a key being
/// opened. The certificates of the gateway's own side come back, where nothing is wrong with them.
pub fn own_side(config: &Config, now: UnixSeconds) -> (Option<OwnSide>, Report) {
    let mut report = Report::default();
    let side = own::side(config, now, &mut report);
    let certificates = self_signed::read(config, now, &mut report);
    client_auth(config, certificates, &mut report);
    let unnamed = side.as_ref().map(|side| side.unnamed.as_slice());
    report.note("TLS profile", profile(config, unnamed));
    (side, report)
}

/// `unnamed` are the keys of the certificates that clients are shown who ask for no name in
/// particular.
fn profile(
    config: &Config,
    unnamed: Option<&[KeyKind]>,
) -> Result<(&'static Profile, String), Fault> {
    let at = &config.tls.profile;
    let Some(profile) = Profile::of_name(&at.value) else {
        let known: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
        let what = format!("there is no TLS profile {:?}", at.value);
        let cure = format!("one of {}", known.join(", "));
        return Err(fault(at, "tls.profile", what, cure));
    };
    let proved = profile.prove();
    proved.map_err(|(what, cure)| fault(at, "tls.profile", what, cure))?;
    //= TS 33.210 clause 6.2.3
    //# Where the suite with DHE and RSA is asked for, it can be served.
    if profile.has_dhe() && unnamed.is_some_and(|unnamed| !unnamed.contains(&KeyKind::Rsa)) {
        let what = format!(
            "{:?} has TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, and no certificate here is for RSA \
             and for any name",
            profile.name
        );
        let cure = "add an RSA certificate by [[tls.also]] with names = [], or take the profile \
                    \"3gpp\"";
        return Err(fault(at, "tls.profile", what, cure));
    }
    Ok((profile, format!("{}: {}", profile.name, profile.clauses)))
}

pub(super) fn client_ca_key(partner: &Partner) -> String {
    format!("{}.client_ca", partner.section)
}

/// The rules of these names, each of which may be waived, or all that may not.
fn waived(names: &[Located<String>], key: &str) -> Result<RuleSet, Vec<Fault>> {
    let of = |name: &Located<String>| match Rule::of_name(&name.value) {
        Some(rule) if rule.row().waivable => Ok(rule),
        Some(rule) => {
            let what = format!("the rule {} cannot be waived", rule.name());
            let cure = format!("remove it; a certificate must have: {}", rule.row().demand);
            Err(fault(name, key, what, cure))
        }
        None => {
            let waivable = RULES.iter().filter(|row| row.waivable);
            let known: Vec<&str> = waivable.map(|row| row.name).collect();
            let what = format!("there is no rule {:?}", name.value);
            let cure = format!("those that can be waived are {}", known.join(", "));
            Err(fault(name, key, what, cure))
        }
    };
    let (rules, faults): (Vec<_>, Vec<_>) = names.iter().map(of).partition(Result::is_ok);
    let faults: Vec<Fault> = faults.into_iter().filter_map(Result::err).collect();
    match faults.is_empty() {
        true => Ok(rules.into_iter().flatten().collect()),
        false => Err(faults),
    }
}
