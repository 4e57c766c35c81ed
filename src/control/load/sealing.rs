//! The secrets that opaque tokens of the embedded issuer are sealed with.

use std::sync::Arc;

use super::{Report, Running, fault, in_token, of_key, tickets};
use crate::authz::sealed::{Sealing, SealingSecret};
use crate::config::{self, Fault, Located, Oauth, SecretSource};
use crate::oauth::Issuer;

const KEY: &str = "oauth.sealing";

/// None where something is wrong, which is in the report; none inside where no token is sealed.
pub(super) fn load(
    oauth: &Oauth,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<Option<Arc<Sealing>>> {
    let Some(written) = &oauth.sealing else {
        return Some(None);
    };
    let found = secrets(written, running).map(|(current, others)| {
        let and = match others.is_empty() {
            true => "",
            false => ", opened by a second one as well",
        };
        let detail = format!("by the secret {}{and}", tickets::place(&written.secret));
        let issuer = &oauth.issuer.value;
        (Arc::new(Sealing::new(issuer, current, others)), detail)
    });
    report.note("sealed tokens", found).map(Some)
}

/// Whoever holds a token that is sealed by what is gone gets 401 for it before it ends.
pub(super) fn warn_of_gone_secret(
    oauth: &Oauth,
    now: &Issuer,
    before: Option<&Issuer>,
    report: &mut Report,
) {
    let before = before.and_then(Issuer::sealing);
    let mut opens = now.sealing().into_iter().flat_map(|now| now.kids());
    if before.is_some_and(|before| !opens.any(|kid| kid == before.kid())) {
        let at = oauth.sealing.as_ref().map(|sealing| &sealing.secret);
        report.warnings.push(Fault {
            line: at.map_or(oauth.key.line, |at| at.line),
            ..fault(
                &oauth.key,
                KEY,
                "tokens that were sealed by the secret before are refused from now on",
                "name it as the second one for as long as tokens live, oauth.token_lifetime",
            )
        });
    }
}

type Secrets = (Arc<SealingSecret>, Vec<Arc<SealingSecret>>);

fn secrets(written: &config::Sealing, running: Option<Running<'_>>) -> Result<Secrets, Fault> {
    let current = secret(&written.secret, "", running)?;
    let second = written.second.as_ref();
    let second = second.map(|second| secret(second, "second_", running));
    let second = second.transpose()?;
    if let (Some(at), Some(second)) = (&written.second, &second)
        && second.kid() == current.kid()
    {
        let what = "the second secret is the first one once more";
        let cure = "name the one before, or the one to come; leave it out where there is none";
        return Err(fault(at, KEY, what, cure));
    }
    Ok((current, second.into_iter().collect()))
}

/// `which` stands before the names of its keys.
fn secret(
    at: &Located<SecretSource>,
    which: &str,
    running: Option<Running<'_>>,
) -> Result<Arc<SealingSecret>, Fault> {
    if let Some(before) = running.and_then(|running| before(&at.value, running)) {
        return Ok(before);
    }
    match &at.value {
        SecretSource::File(file) => {
            let key = format!("{KEY}.{which}secret_file");
            tickets::from_file(at, file, &key, SealingSecret::from_octets).map(Arc::new)
        }
        SecretSource::Pkcs11 {
            module,
            uri,
            pin_file,
        } => {
            let source = in_token(module, uri, pin_file, 1);
            let said = hsm::macs(&source, &SealingSecret::token_labels());
            let said = said.map_err(|open| of_key(at, &format!("{KEY}.{which}uri"), open))?;
            match said.first_chunk() {
                Some(said) => Ok(Arc::new(SealingSecret::from_token(said))),
                None => {
                    let what = "the token has left questions unanswered";
                    Err(fault(at, KEY, what, "see the module's manual"))
                }
            }
        }
    }
}

/// What is in force of a secret that is to go on: of one in a token, which may be away; files are
/// read again, unless they take a restart.
fn before(source: &SecretSource, running: Running<'_>) -> Option<Arc<SealingSecret>> {
    let in_token = matches!(source, SecretSource::Pkcs11 { .. });
    if !in_token && !running.stays.issuer_key {
        return None;
    }
    let written = running.config.oauth.as_ref()?.sealing.as_ref()?;
    let mut all = std::iter::once(&written.secret).chain(&written.second);
    let place = all.position(|known| known.value == *source)?;
    running.snapshot.issuer.as_ref()?.sealing()?.secret(place)
}
