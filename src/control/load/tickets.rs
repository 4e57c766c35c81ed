//! The keys of session tickets: of a secret that other nodes have as well, or of this process.

use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Running, fault};
use crate::config::{Config, Fault, Located, Tickets};
use crate::tls::{self, TicketKeys, TicketSecret};

pub(super) fn load(
    config: &Config,
    running: Option<Running<'_>>,
) -> Result<(tls::Tickets, String), Fault> {
    let Some(shared) = &config.tls.tickets else {
        return of_process(config, running);
    };
    let Tickets {
        secret_file,
        second_secret_file,
        slot,
        name,
    } = shared;
    let sealing = secret(secret_file, "tls.tickets.secret_file")?;
    let opening = second_secret_file.as_ref();
    let opening = opening.map(|file| secret(file, "tls.tickets.second_secret_file"));
    let opening = opening.transpose()?;
    let second = if opening.is_some() {
        ", and a second one"
    } else {
        ""
    };
    let detail = format!(
        "shared by the secret in {}{second}, slots of {} min, listener {name}",
        secret_file.value.display(),
        slot.as_secs() / 60
    );
    let tickets = tls::Tickets {
        keys: TicketKeys::shared(sealing, opening, *slot).into(),
        listener: name.clone(),
    };
    Ok((tickets, detail))
}

fn of_process(
    config: &Config,
    running: Option<Running<'_>>,
) -> Result<(tls::Tickets, String), Fault> {
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
    let tickets = tls::Tickets {
        keys,
        listener: config.listen.name(),
    };
    let detail = "of this process: no other node and no later one opens them";
    Ok((tickets, detail.to_owned()))
}

fn secret(at: &Located<PathBuf>, key: &str) -> Result<TicketSecret, Fault> {
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
