//! From the configuration to what is in force: every file read, every certificate parsed, the key
//! found and proved. All that is wrong is found in one go.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use hsm::{Pkcs11Source, PrivateKey};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::revocation;
use crate::authz::keys::{Algorithm, IssuerRules, Issuers};
use crate::clock::UnixSeconds;
use crate::config::{Config, Fault, IssuerKeys, KeySource, Located, Oauth, Partner};
use crate::oauth::Issuer;
use crate::peer::ClientIndex;
use crate::snapshot::Snapshot;
use crate::tls::{
    self, ClientAuth, PROFILES, PartnerGroup, Profile, Purpose, RULES, Rule, RuleSet, Terminator,
    broken_by_chain,
};

mod tickets;

/// What was looked at, and what was found.
#[derive(Debug, Default)]
pub struct Report {
    pub rows: Vec<Row>,
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
        line: at.line,
        key: key.to_owned(),
        what: what.to_string(),
        cure: cure.to_string(),
    }
}

/// What is in force while a changed configuration is looked at: its keys in tokens, with their
/// sessions, and its session tickets go on where nothing about them has changed.
#[derive(Clone, Copy)]
pub struct Running<'r> {
    pub config: &'r Config,
    pub snapshot: &'r Snapshot,
}

/// Builds the snapshot, or none when anything is wrong; the report says what was found either way.
pub fn load(
    config: &Config,
    now: UnixSeconds,
    running: Option<Running<'_>>,
) -> (Option<Snapshot>, Report) {
    let mut report = Report::default();
    let served = served(config, now, running, &mut report);
    let own = config.oauth.as_ref();
    let own = own.map(|oauth| own_issuer(oauth, config, running, &mut report));
    let auth = report.note("client trust anchors", client_auth(config));
    let profile = report.note("TLS profile", profile(config));
    let auth = auth.zip(profile).map(|(auth, profile)| auth.under(profile));
    let lists = running.as_ref().map(|running| &running.snapshot.revocation);
    let revocation = match lists {
        Some(lists) => Arc::clone(lists),
        None => revocation::lists(config, now, &mut report),
    };
    let auth = auth.map(|auth| auth.looking_up_in(Arc::clone(&revocation)));
    let (own_issuer, issuers) = issuers(config, own, &mut report);
    let terminator = served.as_ref().zip(auth).and_then(|(served, auth)| {
        let made = terminator(config, served, auth);
        report.note("TLS", made)
    });
    let built = terminator.zip(issuers).zip(served);
    let snapshot = built.map(|((terminator, issuers), served)| Snapshot {
        terminator: Arc::new(terminator),
        key: served.key,
        certificate_not_after: served.chain.not_after,
        ticket_keys: served.tickets.keys,
        issuers,
        issuer: own_issuer,
        clients_by_id: clients_by_id(config),
        clients: config.clients.clone(),
        revocation: Arc::clone(&revocation),
        upstream: config.upstream.address.value,
        upstream_connections_idle_max: config.upstream.connections_idle_max,
        limits: config.limits,
        deadlines: config.deadlines,
    });
    (snapshot, report)
}

/// What the gateway shows of itself in a handshake, and what it continues sessions by.
struct Served {
    chain: Chain,
    key: Arc<PrivateKey>,
    tickets: tls::Tickets,
}

fn served(
    config: &Config,
    now: UnixSeconds,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<Served> {
    let chain = report.note("server certificate", server_chain(config, now));
    let key = server_key(config, chain.as_ref(), running, report);
    let tickets = report.note("session tickets", tickets::load(config, now, running));
    let (chain, key, tickets) = (chain?, key?, tickets?);
    Some(Served {
        chain,
        key,
        tickets,
    })
}

fn terminator(
    config: &Config,
    served: &Served,
    auth: ClientAuth,
) -> Result<(Terminator, String), Fault> {
    let made = Terminator::new(
        served.chain.certificates.clone(),
        Arc::clone(&served.key),
        auth,
        config.listen.server_names.clone(),
        served.tickets.clone(),
    );
    let at = &config.tls.certificate;
    let made = made.map_err(|what| fault(at, "tls.certificate", what, "see the key and chain"))?;
    let names = match config.listen.server_names.as_slice() {
        [] => "any name".to_owned(),
        names => names.join(", "),
    };
    Ok((made, names))
}

/// Of an embedded issuer: none where there is none, none inside where it cannot be had.
type Own = Option<Option<(Arc<Issuer>, IssuerRules)>>;

/// The rules of all issuers, or none where one of them is at fault; and the embedded issuer.
fn issuers(
    config: &Config,
    own: Own,
    report: &mut Report,
) -> (Option<Arc<Issuer>>, Option<Issuers>) {
    let mut rules = Some(Vec::new());
    for issuer in &config.issuers {
        let (name, audience) = (issuer.name.value.clone(), issuer.audience.clone());
        let read = issuer_rules(&issuer.keys, name, audience);
        let read = report.note(format!("issuer {}", issuer.name.value), read);
        rules = rules.zip(read).map(|(rules, read)| with(rules, read));
    }
    let own_issuer = match own {
        None => None,
        Some(None) => {
            rules = None;
            None
        }
        Some(Some((issuer, own))) => {
            rules = rules.map(|rules| with(rules, own));
            Some(issuer)
        }
    };
    let issuers = rules.and_then(|rules| {
        let issuers = Issuers::new(rules).map_err(|what| Fault {
            line: 0,
            key: "issuer".to_owned(),
            what,
            cure: "each [[issuer]] needs its own name".to_owned(),
        });
        let noted = issuers.map(|issuers| (issuers, "each with its own keys".to_owned()));
        report.note("issuers", noted)
    });
    (own_issuer, issuers)
}

fn with<T>(mut list: Vec<T>, item: T) -> Vec<T> {
    list.push(item);
    list
}

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

/// The server's certificates, leaf first, and what has to be known of the leaf.
struct Chain {
    certificates: Vec<CertificateDer<'static>>,
    spki: Vec<u8>,
    not_after: UnixSeconds,
}

fn server_chain(config: &Config, now: UnixSeconds) -> Result<(Chain, String), Fault> {
    let at = &config.tls.certificate;
    let chain = certificates(at, "tls.certificate")?;
    let broken = |what: String| {
        fault(
            at,
            "tls.certificate",
            what,
            "put the server certificate first, its issuers behind it",
        )
    };
    let (_, leaf) = X509Certificate::from_der(&chain[0])
        .map_err(|error| broken(format!("the first certificate does not parse: {error}")))?;
    own_profile(config, &chain)?;
    let (from, until) = (leaf.validity().not_before, leaf.validity().not_after);
    let now = i64::try_from(now.0).unwrap_or(i64::MAX);
    if now > until.timestamp() {
        let cure = "renew the certificate: no client will accept this one";
        return Err(fault(
            at,
            "tls.certificate",
            format!("expired at {until}"),
            cure,
        ));
    }
    if now < from.timestamp() {
        let cure = "see whether this machine's clock is right";
        return Err(fault(
            at,
            "tls.certificate",
            format!("not valid before {from}"),
            cure,
        ));
    }
    let detail = format!(
        "{}, {} in chain, valid until {until}",
        leaf.subject(),
        chain.len()
    );
    let chain = Chain {
        spki: leaf.public_key().raw.to_vec(),
        not_after: UnixSeconds(u64::try_from(until.timestamp()).unwrap_or(0)),
        certificates: chain,
    };
    Ok((chain, detail))
}

/// That this gateway's own certificates keep the rules it holds others to.
fn own_profile(config: &Config, chain: &[CertificateDer<'_>]) -> Result<(), Fault> {
    let at = &config.tls.certificate;
    let mut parsed = Vec::with_capacity(chain.len());
    for (place, der) in chain.iter().enumerate() {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| {
            let what = format!("certificate {} does not parse: {error}", place + 1);
            fault(at, "tls.certificate", what, "put X.509 certificates there")
        })?;
        parsed.push(certificate);
    }
    let waived = waived(&config.tls.waive, "tls.waive")?;
    // Which of its CAs clients trust, they know.
    let waived = waived.with(Rule::DirectIssuer);
    let broken = broken_by_chain(&parsed, Purpose::Server).without(waived);
    broken.first().map_or(Ok(()), |rule| {
        let row = rule.row();
        let what = format!(
            "breaks the rule {}: {} (TS 33.310 clause {})",
            row.name, row.demand, row.clause
        );
        Err(fault(at, "tls.certificate", what, row.cure))
    })
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
        } => {
            let source = Pkcs11Source {
                module: module.clone(),
                uri: uri.clone(),
                pin_file: pin_file.clone(),
                sessions: *sessions,
            };
            (
                PrivateKey::from_token(&source),
                format!("in token, {sessions} sessions"),
            )
        }
    };
    let key = opened.map_err(|open| fault(at, name, open.what, open.cure))?;
    let detail = format!("{:?} {place}", key.kind());
    Ok((Arc::new(key), detail))
}

/// The server's key, proved to be the certificate's. A key in a token that was open already is used
/// again, unless another stands in its place by now.
fn server_key(
    config: &Config,
    chain: Option<&Chain>,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<Arc<PrivateKey>> {
    let source = &config.tls.key;
    let open = running
        .filter(|running| running.config.tls.key.value == source.value)
        .map(|running| &running.snapshot.key)
        .filter(|key| key.in_token() && chain.is_some_and(|chain| key.prove(&chain.spki).is_ok()));
    let found = match open {
        Some(key) => Ok((Arc::clone(key), "in token, as before".to_owned())),
        None => private_key(source, "tls.key"),
    };
    let key = report.note("server key", found)?;
    report.note("key proof", proof(config, &key, &chain?.spki))?;
    Some(key)
}

/// The embedded issuer, proved, and how its tokens are verified.
fn own_issuer(
    oauth: &Oauth,
    config: &Config,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<(Arc<Issuer>, IssuerRules)> {
    let open = running
        .filter(|running| {
            let before = running.config.oauth.as_ref();
            before.is_some_and(|before| before.key.value == oauth.key.value)
        })
        .and_then(|running| running.snapshot.issuer.as_ref())
        .map(|issuer| issuer.signing_key())
        .filter(|key| key.in_token() && key.prove_alone().is_ok());
    let found = match open {
        Some(key) => Ok((Arc::clone(key), "in token, as before".to_owned())),
        None => private_key(&oauth.key, "oauth.key"),
    };
    let key = report.note("issuer key", found)?;
    let made = Issuer::new(
        oauth.issuer.value.clone(),
        oauth.audience.clone(),
        oauth.token_lifetime,
        key,
        &config.clients,
    );
    let made = made.map_err(|wrong| {
        let client = wrong.client.and_then(|client| {
            let place = usize::try_from(client.0).ok()?;
            config.clients.get(place)
        });
        match client {
            Some(client) => Fault {
                line: 0,
                key: "client".to_owned(),
                what: format!("client {}: {}", client.name, wrong.what),
                cure: wrong.cure,
            },
            None => fault(&oauth.key, "oauth", wrong.what, wrong.cure),
        }
    });
    let made = made.and_then(|issuer| {
        let rules = issuer
            .rules()
            .map_err(|what| fault(&oauth.key, "oauth.key", what, "see the key itself"))?;
        let registered = config.clients.iter();
        let registered = registered.filter(|client| client.registration.is_some());
        let minutes = oauth.token_lifetime.as_secs() / 60;
        let detail = format!(
            "{} clients, tokens of {minutes} min for {}",
            registered.count(),
            oauth.audience
        );
        Ok(((Arc::new(issuer), rules), detail))
    });
    report.note("embedded issuer", made)
}

fn proof(config: &Config, key: &PrivateKey, spki: &[u8]) -> Result<((), String), Fault> {
    key.prove(spki)
        .map_err(|open| fault(&config.tls.key, "tls.key", open.what, open.cure))?;
    Ok(((), "signed, and verified with the certificate".to_owned()))
}

fn client_auth(config: &Config) -> Result<(ClientAuth, String), Fault> {
    let mut groups = Vec::with_capacity(config.partners.len());
    let mut anchors = 0;
    for partner in &config.partners {
        let group = PartnerGroup {
            name: partner.name.clone(),
            anchors: certificates(&partner.client_ca, &client_ca_key(partner))?,
            waived: waived(&partner.waive, &format!("{}.waive", partner.section))?,
            revocation: revocation::rules(config, partner),
        };
        anchors += group.anchors.len();
        groups.push(group);
    }
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
                line: 0,
                key: "client".to_owned(),
                what: unfit.what,
                cure: unfit.cure,
            },
        }
    })?;
    Ok((auth, detail))
}

fn profile(config: &Config) -> Result<(&'static Profile, String), Fault> {
    let at = &config.tls.profile;
    let Some(profile) = Profile::of_name(&at.value) else {
        let known: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
        let what = format!("there is no TLS profile {:?}", at.value);
        let cure = format!("one of {}", known.join(", "));
        return Err(fault(at, "tls.profile", what, cure));
    };
    let proved = profile.prove();
    proved.map_err(|(what, cure)| fault(at, "tls.profile", what, cure))?;
    Ok((profile, format!("{}: {}", profile.name, profile.clauses)))
}

pub(super) fn client_ca_key(partner: &Partner) -> String {
    format!("{}.client_ca", partner.section)
}

/// The rules of these names, each of which may be waived.
fn waived(names: &[Located<String>], key: &str) -> Result<RuleSet, Fault> {
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
    names.iter().map(of).collect()
}

fn issuer_rules(
    keys: &Located<IssuerKeys>,
    name: String,
    audience: String,
) -> Result<(IssuerRules, String), Fault> {
    let bytes = |file: &Path| {
        std::fs::read(file).map_err(|error| {
            let what = format!("{}: {error}", file.display());
            fault(keys, "issuer", what, "the file must be readable")
        })
    };
    let rules = match &keys.value {
        IssuerKeys::Jwks(file) => IssuerRules::from_jwks(name, audience, &bytes(file)?),
        IssuerKeys::Pem {
            file,
            algorithm,
            kid,
        } => {
            let fitting = Algorithm::from_name(algorithm).ok_or_else(|| {
                let cure = "one of ES256, ES384, RS256, PS256, EdDSA";
                fault(
                    keys,
                    "issuer",
                    format!("{algorithm:?} is no algorithm for tokens"),
                    cure,
                )
            })?;
            IssuerRules::from_pem(
                name,
                audience,
                bytes(file)?.as_slice(),
                fitting,
                kid.clone(),
            )
        }
    };
    let rules = rules.map_err(|what| {
        fault(
            keys,
            "issuer",
            what,
            "each key needs its kid, its alg, and the public part only",
        )
    })?;
    let detail = format!("{} keys, audience {}", rules.keys(), rules.audience());
    Ok((rules, detail))
}
