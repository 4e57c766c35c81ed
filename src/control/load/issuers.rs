//! The issuers whose tokens are taken, with their keys.

use std::path::Path;
use std::sync::Arc;

use super::{Own, Report, fault};
use crate::authz::issuers::{IssuerRules, Issuers, KeySet, Profile};
use crate::authz::keys::{Algorithm, Keys};
use crate::config::{self, Config, Fault, IssuerKeys, Until};
use crate::oauth::Issuer;

/// The rules of all issuers, or none where one of them is at fault; and the embedded issuer.
pub(super) fn configured(
    config: &Config,
    own: Own,
    report: &mut Report,
) -> (Option<Arc<Issuer>>, Option<Issuers>) {
    let mut rules = Some(Vec::new());
    for issuer in &config.issuers {
        let read = issuer_rules(issuer);
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
            file: None,
            line: 0,
            key: "issuer".to_owned(),
            what,
            cure: "each [[issuer]] needs a name and keys of its own".to_owned(),
            until: Until::Mended,
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

fn issuer_rules(issuer: &config::Issuer) -> Result<(IssuerRules, String), Fault> {
    let at = &issuer.keys;
    let bytes = |file: &Path| {
        std::fs::read(file).map_err(|error| {
            let what = format!("{}: {error}", file.display());
            fault(at, "issuer", what, "the file must be readable")
        })
    };
    let read = match &at.value {
        IssuerKeys::Jwks(file) => Keys::from_jwks(&bytes(file)?),
        IssuerKeys::Pem {
            file,
            algorithm,
            kid,
        } => {
            let fitting = Algorithm::from_name(algorithm).ok_or_else(|| {
                let what = format!("{algorithm:?} is no algorithm for tokens");
                fault(
                    at,
                    "issuer",
                    what,
                    "one of ES256, ES384, RS256, PS256, EdDSA",
                )
            })?;
            Keys::from_pem(&bytes(file)?, fitting, kid.clone())
        }
    };
    let cure = "each key needs its kid, its alg, and the public part only";
    let keys = read.map_err(|what| fault(at, "issuer", what, cure))?;
    let count = keys.len();
    let (name, profile) = (issuer.name.value.clone(), issuer.profile.clone());
    let meant = match &profile {
        Profile::Rfc9068 { audience } => format!("audience {audience}"),
        Profile::Capif { aef_id } => format!("capif, AEF {aef_id}"),
        Profile::Custom(custom) => format!("custom, audience {}", custom.audience),
    };
    let rules = IssuerRules::new(name, profile, KeySet::of(keys));
    let rules = rules.map_err(|what| fault(at, "issuer", what, cure))?;
    Ok((rules, format!("{count} keys, {meant}")))
}
