//! The embedded issuer: its keys, found and proved, and how its tokens are verified.

use std::sync::Arc;

use super::{Report, Running, fault, private_key, sealing, until};
use crate::authz::issuers::IssuerRules;
use crate::authz::token::LEEWAY_S;
use crate::clock::UnixSeconds;
use crate::config::{Config, Fault, KeySource, Located, Oauth, OldKey, Until};
use crate::limits::{DOCUMENT_MAX_AGE_S, TOKEN_LIFETIME_S_MAX};
use crate::oauth::{
    AllUsed, Issuer, IssuerFault, OwnCertificates, PublicJwk, Terms, TokenKey, TokenKeys,
};

const KEY: &str = "oauth.key";
const NEXT_KEY: &str = "oauth.next_key";
const OLD_KEY: &str = "oauth.old_key";
const CAPIF_KEY: &str = "oauth.capif.key";

/// None where something is wrong, which is in the report.
pub(super) fn load(
    oauth: &Oauth,
    config: &Config,
    (certificates, used): (&OwnCertificates, &AllUsed),
    now: UnixSeconds,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<(Arc<Issuer>, Vec<IssuerRules>)> {
    let before = running.and_then(|running| running.snapshot.issuer.as_deref());
    let keys = keys(oauth, now, running, report);
    let capif = capif_key(oauth, running, report);
    let (keys, sealing) = keys.zip(sealing::load(oauth, running, report))?;
    let capif = capif?;
    warn_of_late_keys(oauth, &keys, before, now, report);
    let terms = Terms {
        name: oauth.issuer.value.clone(),
        audience: oauth.audience.clone(),
        lifetime: oauth.token_lifetime,
        format: oauth.token_format,
        sealing,
        clients: &config.clients,
        certificates,
        used,
        revokes: config.revocation.store.is_some(),
    };
    let made = Issuer::new(terms, keys);
    let made = made.map_err(|wrong| {
        let client = wrong.client.and_then(|client| {
            let place = usize::try_from(client.0).ok()?;
            config.clients.get(place)
        });
        match client {
            Some(client) => Fault {
                file: config
                    .client_places
                    .get(&client.name)
                    .and_then(|at| at.file.clone()),
                line: 0,
                key: "client".to_owned(),
                what: format!("client {}: {}", client.name, wrong.what),
                cure: wrong.cure,
                until: Until::Mended,
            },
            None => of_issuer(&oauth.key, "oauth", wrong),
        }
    });
    let made = made.and_then(|issuer| match (&oauth.capif, capif) {
        (Some(said), Some(key)) => issuer
            .with_capif(said.aef_id.clone(), key)
            .map_err(|wrong| of_issuer(&said.key, CAPIF_KEY, wrong)),
        _ => Ok(issuer),
    });
    let made = made.and_then(|issuer| {
        let of_both = issuer
            .rules()
            .and_then(|own| Ok((own, issuer.capif_rules()?)));
        let (own, capif) =
            of_both.map_err(|what| fault(&oauth.key, "oauth.key", what, "see the key itself"))?;
        let rules: Vec<_> = std::iter::once(own).chain(capif).collect();
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
    let made = report.note("embedded issuer", made)?;
    sealing::warn_of_gone_secret(oauth, &made.0, before, report);
    Some(made)
}

/// All of its keys, or none where one of them cannot be had.
fn keys(
    oauth: &Oauth,
    now: UnixSeconds,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<TokenKeys> {
    let current = report.note("issuer key", token_key(&oauth.key, KEY, running));
    let mut next = Some(Vec::new());
    for one in &oauth.next_keys {
        let key = token_key(&one.key, NEXT_KEY, running);
        let key = report.note("issuer key to come", key);
        next = next.zip(key).map(|(mut next, key)| {
            next.push((one.signs_from, key));
            next
        });
    }
    let mut retired = Some(Vec::new());
    for one in &oauth.old_keys {
        if is_forgotten(one, now) {
            report.warnings.push(fault(
                &one.pem,
                OLD_KEY,
                "no token that it signed can be valid any more: it verifies none",
                "remove this [[oauth.old_key]]",
            ));
            continue;
        }
        let key = report.note("old issuer key", old_key(one));
        retired = retired.zip(key).map(|(mut retired, key)| {
            retired.push(key);
            retired
        });
    }
    let ((current, next), retired) = current.zip(next).zip(retired)?;
    let keys = TokenKeys::new(current, next, retired);
    let keys = keys.map_err(|wrong| of_issuer(&oauth.key, KEY, wrong));
    match keys {
        Ok(keys) => Some(keys),
        Err(fault) => report.note("issuer keys", Err(fault)),
    }
}

/// The key of tokens in CAPIF's form, none inside where there are none.
fn capif_key(
    oauth: &Oauth,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<Option<Arc<TokenKey>>> {
    let Some(said) = &oauth.capif else {
        return Some(None);
    };
    let key = token_key(&said.key, CAPIF_KEY, running);
    report.note("issuer key of CAPIF's form", key).map(Some)
}

/// A key that signs: as before where it is in a token, which may be away, and nothing about it has
/// changed.
fn token_key(
    at: &Located<KeySource>,
    name: &str,
    running: Option<Running<'_>>,
) -> Result<(Arc<TokenKey>, String), Fault> {
    if let Some(known) = running.and_then(|running| known(&at.value, running)) {
        return Ok((Arc::clone(known), "as before".to_owned()));
    }
    let (key, detail) = private_key(at, name)?;
    let key = TokenKey::prove(key).map_err(|wrong| of_issuer(at, name, wrong))?;
    Ok((Arc::new(key), detail))
}

fn known<'r>(source: &KeySource, running: Running<'r>) -> Option<&'r Arc<TokenKey>> {
    let configured = running.config.oauth.as_ref()?.keys();
    let open = running.snapshot.issuer.as_ref()?.signing();
    let mut both = configured.zip(open);
    let (_, key) = both.find(|(at, _)| at.value == *source)?;
    (running.stays.issuer_key || key.in_token()).then_some(key)
}

/// Whether all that it has signed has ended, however long tokens lived.
fn is_forgotten(old: &OldKey, now: UnixSeconds) -> bool {
    end_of(old).is_some_and(|end| end < now)
}

/// The last second in which something that it has signed may be valid.
fn end_of(old: &OldKey) -> Option<UnixSeconds> {
    let ended = |until: UnixSeconds| until.0.saturating_add(TOKEN_LIFETIME_S_MAX + LEEWAY_S);
    old.signed_until.map(ended).map(UnixSeconds)
}

fn old_key(old: &OldKey) -> Result<(PublicJwk, String), Fault> {
    let pem = std::fs::read(&old.pem.value).map_err(|error| {
        let what = format!("{}: {error}", old.pem.value.display());
        fault(&old.pem, OLD_KEY, what, "the file must be readable")
    })?;
    let key = PublicJwk::from_pem(&pem).map_err(|wrong| of_issuer(&old.pem, OLD_KEY, wrong))?;
    let key = key.ending(end_of(old));
    Ok((key, "verifies, and signs no more".to_owned()))
}

/// Whoever keeps a key set for as long as it may, has to have had the new key in it by then.
//= RFC 7517 section 5
//# A key is published for as long as key sets are kept before it signs.
fn warn_of_late_keys(
    oauth: &Oauth,
    keys: &TokenKeys,
    before: Option<&Issuer>,
    now: UnixSeconds,
    report: &mut Report,
) {
    let kept = u64::from(DOCUMENT_MAX_AGE_S);
    for (kid, from) in keys.successors() {
        let is_published = before.is_some_and(|before| before.keys().has(kid));
        // At a start one that signs already may have been published for long.
        let may_be = before.is_none() && from <= now;
        if !is_published && !may_be && from.0 < now.0.saturating_add(kept) {
            let at = oauth.next_keys.first().map_or(&oauth.key, |next| &next.key);
            let what = "begins to sign before all who keep the key set have had to fetch it anew";
            let cure = format!("publish it {kept} s before signs_from at the latest");
            report.warnings.push(fault(at, NEXT_KEY, what, cure));
        }
    }
}

pub(super) fn of_issuer<T>(at: &Located<T>, key: &str, wrong: IssuerFault) -> Fault {
    Fault {
        until: until(wrong.lasts),
        ..fault(at, key, wrong.what, wrong.cure)
    }
}
