//! The issuers whose tokens are taken, with their keys.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Own, Report, Running, fault};
use crate::authz::issuers::{IssuerRules, Issuers, KeySet, Profile};
use crate::authz::keys::{Algorithm, Keys};
use crate::clock::UnixSeconds;
use crate::config::{self, Config, Fault, IssuerKeys, Located, PublishedKeys};
use crate::control::keys_fetch::{self, Found};
use crate::oauth::Issuer;
use crate::revoked::Kind;
use crate::snapshot::{KeyFetches, KeysFrom};

/// Under which it is reported that one is called otherwise.
pub(super) const NAME_KEY: &str = "issuer.name";

const CURE: &str = "each key needs its kid, its alg, and the public part only";

/// Whose tokens are taken.
pub(super) struct Taken {
    /// None where one of them is at fault.
    pub issuers: Option<Issuers>,
    /// Where keys come from that are published.
    pub keys_from: Vec<Arc<KeysFrom>>,
    /// The embedded issuer.
    pub own: Option<Arc<Issuer>>,
}

/// All of them. Keys that are published and not known yet are fetched, which takes no longer than
/// a fetch may; where that is in vain, their tokens are not taken until it is not.
pub(super) fn configured(
    config: &Config,
    own: Own,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Taken {
    let mut keys_from = Vec::new();
    let all = config
        .issuers
        .iter()
        .map(|issuer| match &issuer.keys.value {
            IssuerKeys::Published(published) => {
                let from = keys_source(issuer, published, running)?;
                let keys = Arc::clone(&from.keys);
                keys_from.push((issuer, Arc::new(from)));
                Ok(keys)
            }
            IssuerKeys::Unneeded => Ok(KeySet::of(Keys::none())),
            of_file => Ok(KeySet::of(read(&issuer.keys, of_file)?)),
        });
    let sets: Vec<Result<Arc<KeySet>, Fault>> = all.collect();
    let all = config.issuers.iter().zip(sets);
    let all: Vec<_> = all.map(|(issuer, set)| made(issuer, set?)).collect();
    let (own, own_rules) = match own {
        None => (None, Some(Vec::new())),
        Some(None) => (None, None),
        Some(Some((issuer, rules))) => (Some(issuer), Some(rules)),
    };
    let known = all.iter().flatten().chain(own_rules.iter().flatten());
    fetch_first(&keys_from, &known.collect::<Vec<_>>(), report);
    warn_of_gone_names(config, running, report);
    let mut rules = Some(Vec::new());
    for (issuer, made) in config.issuers.iter().zip(all) {
        let noted = made.map(|made| {
            let detail = detail(&made);
            (made, detail)
        });
        let made = report.note(format!("issuer {}", issuer.name.value), noted);
        rules = rules.zip(made).map(|(rules, made)| with(rules, made));
    }
    let rules = rules.zip(own_rules).map(|(mut rules, own)| {
        rules.extend(own);
        rules
    });
    let issuers = rules.and_then(|rules| {
        let issuers = Issuers::new(rules).map_err(|unfit| {
            let written = unfit.place.and_then(|place| config.issuers.get(place));
            let own = config.oauth.as_ref().map(|oauth| oauth.key.line);
            let line = written.map(|issuer| issuer.keys.line).or(own);
            let line = line.unwrap_or_default();
            fault(
                &Located { value: (), line },
                "issuer",
                unfit.what,
                unfit.cure,
            )
        });
        let noted = issuers.map(|issuers| (issuers, "each with its own keys".to_owned()));
        report.note("issuers", noted)
    });
    Taken {
        issuers,
        keys_from: keys_from.into_iter().map(|(_, from)| from).collect(),
        own,
    }
}

/// A core's tokens do not say whose they are: what is revoked of them, and which of its keys are,
/// is known by the name that the core has here. So it is with the embedded issuer's of CAPIF and
/// with its keys.
fn warn_of_gone_names(config: &Config, running: Option<Running<'_>>, report: &mut Report) {
    let Some(running) = running else { return };
    let revoked = &running.snapshot.revoked;
    if [Kind::Jti, Kind::IssuerKey]
        .iter()
        .all(|kind| revoked.count(*kind) == 0)
    {
        return;
    }
    let cores = |config: &Config| -> Vec<Located<String>> {
        let cores = { config.issuers.iter() }
            .filter(|issuer| matches!(issuer.profile, Profile::Capif { .. }));
        cores.map(|core| core.name.clone()).collect()
    };
    let mut warn = |key, line, who: String, cure| {
        let what = format!(
            "{who} any more: what was revoked under that name, tokens by their jti and keys, is \
             good under any other"
        );
        let at = Located { value: (), line };
        report.warnings.push(fault(&at, key, what, cure));
    };
    let named = cores(config);
    for gone in cores(running.config) {
        if named.iter().any(|core| core.value == gone.value) {
            continue;
        }
        let who = format!("no CAPIF core is called {:?}", gone.value);
        let cure = "give the core its name back, or revoke under its new name what is to stay \
                    revoked; nothing is amiss where it is gone for good";
        warn(NAME_KEY, 0, who, cure);
    }
    let own = running.config.oauth.as_ref().zip(config.oauth.as_ref());
    if let Some((before, now)) = own
        && before.issuer.value != now.issuer.value
    {
        let who = format!(
            "the embedded issuer is not called {:?}",
            before.issuer.value
        );
        let cure = "give it its name back, or revoke under its new name what is to stay revoked: \
                    of its tokens of CAPIF that is the name with /capif-security/v1 behind it";
        warn("oauth.issuer", now.issuer.line, who, cure);
    }
}

fn with<T>(mut list: Vec<T>, item: T) -> Vec<T> {
    list.push(item);
    list
}

fn made(issuer: &config::Issuer, keys: Arc<KeySet>) -> Result<IssuerRules, Fault> {
    let (name, profile) = (issuer.name.value.clone(), issuer.profile.clone());
    let rules = IssuerRules::new(name, profile, keys);
    let rules = rules.map_err(|what| fault(&issuer.keys, "issuer", what, CURE))?;
    Ok(rules.living_at_most(issuer.token_lifetime_max))
}

/// What the rules of an issuer are in short.
fn detail(rules: &IssuerRules) -> String {
    let count = match rules.keys().keys() {
        Some(keys) if keys.is_empty() => "no keys, asked about opaque tokens".to_owned(),
        Some(keys) => format!("{} keys", keys.len()),
        None => "keys not had yet".to_owned(),
    };
    let meant = match rules.profile() {
        Profile::Rfc9068 { audience } => format!("audience {audience}"),
        Profile::Capif { aef_id } => format!("capif, AEF {aef_id}"),
        Profile::Custom(custom) => format!("custom, audience {}", custom.audience),
    };
    format!("{count}, {meant}")
}

/// The keys in a file.
fn read(at: &Located<IssuerKeys>, keys: &IssuerKeys) -> Result<Keys, Fault> {
    let bytes = |file: &Path| {
        std::fs::read(file).map_err(|error| {
            let what = format!("{}: {error}", file.display());
            fault(at, "issuer", what, "the file must be readable")
        })
    };
    let read = match keys {
        IssuerKeys::Jwks(file) => Keys::from_jwks(&bytes(file)?),
        IssuerKeys::Pem {
            file,
            algorithm,
            kid,
        } => Keys::from_pem(&bytes(file)?, known_algorithm(at, algorithm)?, kid.clone()),
        IssuerKeys::Published(_) | IssuerKeys::Unneeded => {
            Err("its keys are in no file".to_owned())
        }
    };
    read.map_err(|what| fault(at, "issuer", what, CURE))
}

fn known_algorithm(at: &Located<IssuerKeys>, name: &str) -> Result<Algorithm, Fault> {
    Algorithm::from_name(name).ok_or_else(|| {
        let what = format!("{name:?} is no algorithm for tokens");
        fault(
            at,
            "issuer",
            what,
            "one of ES256, ES384, RS256, PS256, EdDSA",
        )
    })
}

/// Where an issuer publishes its keys. What is known of them goes on from what is in force, if that
/// has them from the same place.
fn keys_source(
    issuer: &config::Issuer,
    published: &PublishedKeys,
    running: Option<Running<'_>>,
) -> Result<KeysFrom, Fault> {
    let at = &issuer.keys;
    let algorithm = published.algorithm.as_deref();
    let of_rsa = algorithm
        .map(|name| known_algorithm(at, name))
        .transpose()?;
    let ca = super::certificates(&published.ca, "issuer.ca")?;
    let tls = super::tls_to_responder(Some(&published.ca), "issuer.ca")?;
    let tls = tls.ok_or_else(|| fault(&published.ca, "issuer.ca", "is missing", "name it"))?;
    let before = running.and_then(|running| {
        let mut known = running.snapshot.keys_from.iter();
        known.find(|known| {
            known.issuer == issuer.name.value
                && known.place == published.place
                && known.of_rsa == of_rsa
                // Whom another CA vouched for has no say any more.
                && known.ca == ca
        })
    });
    let (keys, fetches) = match before {
        Some(before) => (Arc::clone(&before.keys), Arc::clone(&before.fetches)),
        None => (KeySet::unknown(), Arc::default()),
    };
    Ok(KeysFrom {
        issuer: issuer.name.value.clone(),
        place: published.place.clone(),
        tls,
        ca,
        of_rsa,
        refresh: published.refresh,
        max_age: published.max_age,
        keys,
        fetches,
    })
}

/// Fetches keys of which nobody has asked yet. Those of an issuer that publishes a key of another
/// profile's are taken, with a warning, as by who keeps them: what a stranger publishes is no
/// reason not to start.
fn fetch_first(
    all: &[(&config::Issuer, Arc<KeysFrom>)],
    known: &[&IssuerRules],
    report: &mut Report,
) {
    let unasked = |fetches: &KeyFetches| {
        [&fetches.had, &fetches.refused, &fetches.failed]
            .iter()
            .all(|count| count.load(Ordering::Relaxed) == 0)
    };
    let wanted = all.iter().filter(|(_, from)| unasked(&from.fetches));
    let wanted: Vec<_> = wanted.collect();
    if wanted.is_empty() {
        return;
    }
    let from: Vec<_> = wanted.iter().map(|(_, from)| Arc::clone(from)).collect();
    let fetched = match keys_fetch::fetch_all(&from) {
        Ok(fetched) => fetched,
        Err(error) => {
            tracing::error!(%error, "keys of issuers are not fetched now: they will be, soon");
            return;
        }
    };
    for ((issuer, from), fetched) in wanted.into_iter().zip(fetched) {
        let mut all = known.iter().copied();
        let rules = all.find(|rules| Arc::ptr_eq(rules.keys(), &from.keys));
        let all = known.iter().copied();
        match fetched {
            Ok(Found::Keys(keys, fresh)) => {
                if let Some((what, cure)) = keys_fetch::shared(&keys, rules, all) {
                    let warning = fault(&issuer.keys, keys_fetch::SHARED_KEY, what, cure);
                    report.warnings.push(warning);
                }
                from.keys.replace(Some(keys));
                from.fetches.note_had(UnixSeconds::now());
                if let Some(left) = fresh.keep.left() {
                    from.fetches.first_kept.get_or_init(|| left);
                }
            }
            Ok(Found::Same(_)) => {}
            Err(why) => {
                let (what, cure) = keys_fetch::not_had(&why);
                let what = format!("{}: {what}: {why}", from.place);
                report
                    .warnings
                    .push(fault(&issuer.keys, "issuer", what, cure));
                keys_fetch::note_fault(&from.fetches, &why);
            }
        }
    }
}
