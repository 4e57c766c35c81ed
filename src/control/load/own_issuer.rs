//! The embedded issuer: its keys, found and proved, and how its tokens are verified.

use std::sync::Arc;

use super::{Report, Running, fault, of_client, private_key, sealing, until};
use crate::authz::issuers::IssuerRules;
use crate::authz::token::LEEWAY_S;
use crate::clock::UnixSeconds;
use crate::config::{Config, Fault, KeySource, Located, Oauth, OldKey};
use crate::limits::{DOCUMENT_MAX_AGE_S, TOKEN_LIFETIME_S_MAX};
use crate::oauth::{
    AllUsed, Issuer, IssuerFault, KeyTwice, OwnCertificates, PublicJwk, Terms, TokenKey, TokenKeys,
};

use crate::peer::ClientAuthentication;

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
        apis: config.apis.apis(),
        revokes: config.revocation.store.is_some(),
    };
    let made = Issuer::new(terms, keys);
    let made = made.map_err(|wrong| of_issuer_or_client(config, wrong));
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
    if let Some(running) = running {
        warn_of_gone_keys(oauth, &made.0, running, now, report);
    }
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
    match TokenKeys::new(current, next, retired) {
        Ok(keys) => Some(keys),
        Err(twice) => report.note("issuer keys", Err(stands_twice(oauth, twice, now))),
    }
}

/// Said of the second of the two.
fn stands_twice(oauth: &Oauth, KeyTwice { first, again }: KeyTwice, now: UnixSeconds) -> Fault {
    let next = oauth.next_keys.iter().map(|next| (NEXT_KEY, next.key.line));
    let old = oauth.old_keys.iter().filter(|old| !is_forgotten(old, now));
    let old = old.map(|old| (OLD_KEY, old.pem.line));
    let all = std::iter::once((KEY, oauth.key.line))
        .chain(next)
        .chain(old);
    let all: Vec<_> = all.collect();
    let of = |place: usize| all.get(place).copied().unwrap_or((KEY, oauth.key.line));
    let ((earlier, at), (key, line)) = (of(first), of(again));
    let at_second = Located { value: (), line };
    let what = format!("is the key of {earlier} (line {at}) once more");
    let cure = "a key signs, is to sign, or has signed: keep it in one of oauth.key, \
                [[oauth.next_key]] and [[oauth.old_key]]";
    fault(&at_second, key, what, cure)
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
    let dated = oauth
        .next_keys
        .iter()
        .filter(|next| next.signs_from.is_some());
    for ((kid, from), next) in keys.successors().zip(dated) {
        let is_published = before.is_some_and(|before| before.keys().has(kid));
        // At a start one that signs already may have been published for long.
        let may_be = before.is_none() && from <= now;
        if !is_published && !may_be && from.0 < now.0.saturating_add(kept) {
            let what = "begins to sign before all who keep the key set have had to fetch it anew";
            let cure = format!("publish it {kept} s before signs_from at the latest");
            report.warnings.push(fault(&next.key, NEXT_KEY, what, cure));
        }
    }
}

/// Whoever holds a token that is signed by what is gone gets 401 for it before it ends. Where that
/// key is revoked, it is no news.
fn warn_of_gone_keys(
    oauth: &Oauth,
    made: &Issuer,
    running: Running<'_>,
    now: UnixSeconds,
    report: &mut Report,
) {
    let Some(before) = running.snapshot.issuer.as_deref() else {
        return;
    };
    let is_revoked = |issuer: &str, kid: &str| running.snapshot.revoked.issuer_key(issuer, kid);
    let is_gone = |kid: &str| !made.keys().has(kid) && !is_revoked(before.name(), kid);
    if before.kids_in_use(now).any(is_gone) {
        let what = "tokens that were signed by the key before are refused from now on";
        let cure = "name its public part (openssl pkey -pubout) in [[oauth.old_key]] for as long \
                    as tokens live, oauth.token_lifetime";
        report.warnings.push(fault(&oauth.key, KEY, what, cure));
    }
    let capif_now = made.capif_kid().map(|(kid, _)| kid);
    let capif_gone = before
        .capif_kid()
        .is_some_and(|(kid, name)| capif_now != Some(kid) && !is_revoked(name, kid));
    if capif_gone {
        let at = oauth.capif.as_ref().map_or(&oauth.key, |capif| &capif.key);
        let what = "tokens in CAPIF's form that were signed by the key before are refused from \
                    now on";
        let cure = "no old key is kept for these: have clients fetch new ones, or put the key \
                    before back, and change it when few tokens are out";
        report.warnings.push(fault(at, CAPIF_KEY, what, cure));
    }
}

/// What is wrong with a client's registration, said where that names its file, or else where the
/// client is written; or with the issuer itself.
pub fn of_issuer_or_client(config: &Config, wrong: IssuerFault) -> Fault {
    let place = wrong
        .client
        .and_then(|client| usize::try_from(client.0).ok());
    let Some(client) = place.and_then(|place| config.clients.get(place)) else {
        let line = config.oauth.as_ref().map_or(0, |oauth| oauth.key.line);
        return of_issuer(&Located { value: (), line }, "oauth", wrong);
    };
    let by = { client.registration.as_ref() }.map(|known| &known.authentication);
    let at = match by {
        Some(ClientAuthentication::PrivateKeyJwt(file)) => (file.line, "private_key_jwt"),
        _ => {
            let place = config.client_places.get(&client.name);
            (place.map_or(0, |place| place.line), "client")
        }
    };
    of_client(config, client, at, &wrong.what, &wrong.cure)
}

pub(super) fn of_issuer<T>(at: &Located<T>, key: &str, wrong: IssuerFault) -> Fault {
    Fault {
        until: until(wrong.lasts),
        ..fault(at, key, wrong.what, wrong.cure)
    }
}
