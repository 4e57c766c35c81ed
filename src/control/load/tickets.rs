//! The keys of session tickets: of a secret that other nodes have as well, or of this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{Report, Running, fault, in_token, of_key};
use crate::clock::UnixSeconds;
use crate::config::{self, Config, Fault, Located, Until};
use crate::control::ticket_secrets::{self, TokenSecret};
use crate::tls::{Keyring, SharedSecret, TicketKeys, TicketSecret, Tickets};

/// None where something is wrong, which is in the report.
pub(super) fn load(
    config: &Config,
    now: UnixSeconds,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<Tickets> {
    const WHAT: &str = "session tickets";
    let Some(configured) = &config.tls.tickets else {
        return report.note(WHAT, of_process(config, running));
    };
    match shared(configured, now, running) {
        Ok(found) => report.note(WHAT, Ok(found)),
        Err(wrong) => {
            for fault in wrong {
                report.note::<()>(WHAT, Err(fault));
            }
            None
        }
    }
}

/// Of a secret in a token, what is needed now is asked for here, and later on by a thread that
/// ends with the keys.
fn shared(
    shared: &config::Tickets,
    now: UnixSeconds,
    running: Option<Running<'_>>,
) -> Result<(Tickets, String), Vec<Fault>> {
    let second = shared.second.iter().map(|at| ("second_", at));
    let written: Vec<_> = std::iter::once(("", &shared.secret))
        .chain(second)
        .collect();
    let found = written.iter().map(|(which, at)| {
        let before = running.and_then(|running| before(shared, &at.value, running));
        secret(at, which, shared.slot, before)
    });
    let (found, wrong): (Vec<_>, Vec<_>) = found.partition(Result::is_ok);
    if !wrong.is_empty() {
        return Err(wrong.into_iter().filter_map(Result::err).collect());
    }
    let (mut secrets, mut tokens, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for (place, secret) in found.into_iter().flatten().enumerate() {
        new.extend(secret.is_new.then_some(place));
        tokens.extend(secret.token.map(|token| (place, token)));
        secrets.push(secret.shared);
    }
    let keys = Arc::new(TicketKeys::shared(secrets, shared.slot));
    for (place, token) in tokens.iter().filter(|(place, _)| new.contains(place)) {
        // What is held of one that goes on is enough: its token may be away.
        ticket_secrets::ask(&keys, (*place, token), now).map_err(|open| {
            let (_, at) = written[*place];
            vec![of_key(at, "tls.tickets", open)]
        })?;
    }
    if !tokens.is_empty() {
        ticket_secrets::keep_asking(&keys, tokens).map_err(|error| {
            let what = format!("no thread to ask the token for coming secrets: {error}");
            let cure = "raise the limit on threads (ulimit -u, TasksMax=)";
            vec![Fault {
                until: Until::Back,
                ..fault(&shared.secret, "tls.tickets", what, cure)
            }]
        })?;
    }
    let detail = format!(
        "shared by the secret {}{}, slots of {} min, listener {}",
        place(&shared.secret),
        if shared.second.is_some() {
            ", and a second one"
        } else {
            ""
        },
        shared.slot.as_secs() / 60,
        shared.name
    );
    let listener = shared.name.clone();
    Ok((Tickets { keys, listener }, detail))
}

pub(super) fn place(secret: &Located<config::SecretSource>) -> String {
    match &secret.value {
        config::SecretSource::File(file) => format!("in {}", file.display()),
        config::SecretSource::Pkcs11 { .. } => "in a token".to_owned(),
    }
}

/// What is held of a secret in a token that is in force, in whichever place: a token that is away
/// is not to stand in the way of another change, whatever becomes of a secret beside it.
fn before(
    shared: &config::Tickets,
    secret: &config::SecretSource,
    running: Running<'_>,
) -> Option<Arc<Keyring>> {
    let before = running.config.tls.tickets.as_ref()?;
    // Slots of another length have other secrets.
    let before = (before.slot == shared.slot).then_some(before)?;
    let mut all = std::iter::once(&before.secret).chain(&before.second);
    let place = all.position(|known| known.value == *secret)?;
    running.snapshot.ticket_keys.keyring(place)
}

fn of_process(config: &Config, running: Option<Running<'_>>) -> Result<(Tickets, String), Fault> {
    let known = running.filter(|running| running.config.tls.tickets.is_none());
    let keys = match known {
        Some(running) => Arc::clone(&running.snapshot.ticket_keys),
        None => TicketKeys::of_process().map_err(|what| Fault {
            file: None,
            line: 0,
            key: "tls.tickets".to_owned(),
            what,
            cure: "check the system's random number source".to_owned(),
            until: Until::Back,
        })?,
    };
    let listener = config.listen.name();
    let detail = "of this process: no other node and no later one opens them";
    Ok((Tickets { keys, listener }, detail.to_owned()))
}

/// One secret.
struct Secret {
    shared: SharedSecret,
    /// Where it is in one: to be asked.
    token: Option<TokenSecret>,
    /// Nothing is held of it yet.
    is_new: bool,
}

/// `which` stands before the names of its keys; `before` is held of one in a token.
fn secret(
    at: &Located<config::SecretSource>,
    which: &str,
    slot: Duration,
    before: Option<Arc<Keyring>>,
) -> Result<Secret, Fault> {
    match &at.value {
        config::SecretSource::File(file) => {
            let key = format!("tls.tickets.{which}secret_file");
            let here = from_file(at, file, &key, TicketSecret::from_octets)?;
            Ok(Secret {
                shared: SharedSecret::Here(here),
                token: None,
                is_new: true,
            })
        }
        config::SecretSource::Pkcs11 {
            module,
            uri,
            pin_file,
        } => {
            let source = in_token(module, uri, pin_file, 1);
            if let Some(before) = before {
                return Ok(Secret {
                    token: Some(TokenSecret::known(source, slot, before.name())),
                    shared: SharedSecret::AsBefore(before),
                    is_new: false,
                });
            }
            let key = format!("tls.tickets.{which}uri");
            let found = TokenSecret::find(source, slot).map_err(|open| of_key(at, &key, open))?;
            Ok(Secret {
                shared: found.shared(),
                token: Some(found),
                is_new: true,
            })
        }
    }
}

/// The secret that a file holds, by what makes one of its octets.
pub(super) fn from_file<T, S>(
    at: &Located<S>,
    file: &Path,
    key: &str,
    of_octets: fn(&[u8]) -> Result<T, String>,
) -> Result<T, Fault> {
    // Not even the path: a secret may have been written there by mistake.
    let cure = "(umask 077; openssl rand -base64 32 > FILE) makes one; all nodes need the same";
    let octets = std::fs::read(file).map(Zeroizing::new);
    let octets = octets.map_err(|error| {
        let what = format!("the file of the secret cannot be read: {}", error.kind());
        fault(at, key, what, cure)
    })?;
    of_octets(&octets)
        .map_err(|what| fault(at, key, format!("the file of the secret {what}"), cure))
}
