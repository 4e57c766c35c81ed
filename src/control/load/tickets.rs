//! The keys of session tickets: of a secret that other nodes have as well, or of this process.

use std::path::PathBuf;
use std::sync::Arc;

use hsm::Pkcs11Source;
use zeroize::Zeroizing;

use super::{Running, fault};
use crate::clock::UnixSeconds;
use crate::config::{self, Config, Fault, Located};
use crate::control::ticket_secrets::{self, TokenSecret};
use crate::tls::{SharedSecret, TicketKeys, TicketSecret, Tickets};

/// Of a secret in a token, what is needed now is asked for here, and later on by a thread that
/// ends with the keys.
pub(super) fn load(
    config: &Config,
    now: UnixSeconds,
    running: Option<Running<'_>>,
) -> Result<(Tickets, String), Fault> {
    let Some(shared) = &config.tls.tickets else {
        return of_process(config, running);
    };
    if let Some(keys) = running.and_then(|running| held(shared, running)) {
        let listener = shared.name.clone();
        let detail = format!("shared by the secret in a token as before, listener {listener}");
        return Ok((Tickets { keys, listener }, detail));
    }
    let slot = shared.slot;
    let (sealing, first) = secret(&shared.secret, "", slot)?;
    let second = shared.second.as_ref();
    let second = second.map(|at| secret(at, "second_", slot)).transpose()?;
    let (opening, second) = second.map_or((None, None), |(secret, token)| (Some(secret), token));
    let detail = format!(
        "shared by the secret {}{}, slots of {} min, listener {}",
        place(&shared.secret),
        if opening.is_some() {
            ", and a second one"
        } else {
            ""
        },
        slot.as_secs() / 60,
        shared.name
    );
    let keys = Arc::new(TicketKeys::shared(sealing, opening, slot));
    if first.is_some() || second.is_some() {
        let secrets = vec![first, second];
        let unasked = |what: String, cure: String| fault(&shared.secret, "tls.tickets", what, cure);
        ticket_secrets::ask(&keys, &secrets, now)
            .map_err(|(_, open)| unasked(open.what, open.cure))?;
        ticket_secrets::keep_asking(&keys, secrets).map_err(|error| {
            let what = format!("no thread to ask the token for coming secrets: {error}");
            unasked(
                what,
                "raise the limit on threads (ulimit -u, TasksMax=)".into(),
            )
        })?;
    }
    let listener = shared.name.clone();
    Ok((Tickets { keys, listener }, detail))
}

fn place(secret: &Located<config::TicketSecret>) -> String {
    match &secret.value {
        config::TicketSecret::File(file) => format!("in {}", file.display()),
        config::TicketSecret::Pkcs11 { .. } => "in a token".to_owned(),
    }
}

/// The keys in force, where all of it is in tokens and has not changed: a token that is away is not
/// to stand in the way of another change.
fn held(shared: &config::Tickets, running: Running<'_>) -> Option<Arc<TicketKeys>> {
    let before = running.config.tls.tickets.as_ref()?;
    let secrets = |of: &config::Tickets| {
        let all = std::iter::once(&of.secret).chain(&of.second);
        all.map(|at| at.value.clone()).collect::<Vec<_>>()
    };
    let in_token =
        |secret: &config::TicketSecret| matches!(secret, config::TicketSecret::Pkcs11 { .. });
    let now = secrets(shared);
    let same = now == secrets(before) && shared.slot == before.slot;
    (same && now.iter().all(in_token)).then(|| Arc::clone(&running.snapshot.ticket_keys))
}

fn of_process(config: &Config, running: Option<Running<'_>>) -> Result<(Tickets, String), Fault> {
    let known = running.filter(|running| running.config.tls.tickets.is_none());
    let keys = match known {
        Some(running) => Arc::clone(&running.snapshot.ticket_keys),
        None => TicketKeys::of_process().map_err(|what| Fault {
            line: 0,
            key: "tls.tickets".to_owned(),
            what,
            cure: "check the system's random number source".to_owned(),
        })?,
    };
    let listener = config.listen.name();
    let detail = "of this process: no other node and no later one opens them";
    Ok((Tickets { keys, listener }, detail.to_owned()))
}

/// `which` stands before the names of its keys.
fn secret(
    at: &Located<config::TicketSecret>,
    which: &str,
    slot: std::time::Duration,
) -> Result<(SharedSecret, Option<TokenSecret>), Fault> {
    match &at.value {
        config::TicketSecret::File(file) => {
            let line = at.line;
            let value = file.clone();
            let key = format!("tls.tickets.{which}secret_file");
            let here = from_file(&Located { value, line }, &key)?;
            Ok((SharedSecret::Here(here), None))
        }
        config::TicketSecret::Pkcs11 {
            module,
            uri,
            pin_file,
        } => {
            let source = Pkcs11Source {
                module: module.clone(),
                uri: uri.clone(),
                pin_file: pin_file.clone(),
                sessions: 1,
            };
            let key = format!("tls.tickets.{which}uri");
            let found = TokenSecret::find(source, slot)
                .map_err(|open| fault(at, &key, open.what, open.cure))?;
            Ok((found.shared(), Some(found)))
        }
    }
}

fn from_file(at: &Located<PathBuf>, key: &str) -> Result<TicketSecret, Fault> {
    // Not even the path: a secret may have been written there by mistake.
    let cure = "(umask 077; openssl rand -base64 32 > FILE) makes one; all nodes need the same";
    let octets = std::fs::read(&at.value).map(Zeroizing::new);
    let octets = octets.map_err(|error| {
        let what = format!("the file of the secret cannot be read: {}", error.kind());
        fault(at, key, what, cure)
    })?;
    TicketSecret::from_octets(&octets)
        .map_err(|what| fault(at, key, format!("the file of the secret {what}"), cure))
}
