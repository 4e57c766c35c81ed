//! `[tls.tickets]`: what sessions are continued by on other nodes and after a restart.

use crate::config::files::FileKind;
use crate::config::section::Section;
use crate::config::value::{Wrong, duration, text};
use crate::config::{Listen, Tickets};
use crate::limits::{TICKET_SLOT_DEFAULT, TICKET_SLOT_S_MAX, TICKET_SLOT_S_MIN};

/// `[tls.tickets]`, which the file may lack.
pub(super) fn tickets(mut section: Section<'_, '_>, listen: Option<&Listen>) -> Option<Tickets> {
    let cure = "name the file of the secret that all nodes share; to make one: \
                (umask 077; openssl rand -base64 32 > FILE)";
    let secret_file = section.required_file("secret_file", FileKind::TicketSecret, cure);
    let second_secret_file = section.optional_file("second_secret_file", FileKind::TicketSecret);
    let slot_ms = 1_000 * TICKET_SLOT_S_MIN..=1_000 * TICKET_SLOT_S_MAX;
    let slot = section.or("slot", duration(slot_ms), TICKET_SLOT_DEFAULT);
    let name = section.optional("name", text).map(|name| name.value);
    let secret_file = secret_file?;
    if let Some(second) = &second_secret_file
        && second.value == secret_file.value
    {
        let what = format!("is the file of secret_file (line {})", secret_file.line);
        let cure = "name the file of the other secret, or leave it out";
        section.fault(second.line, "second_secret_file", Wrong::new(what, cure));
    }
    Some(Tickets {
        secret_file,
        second_secret_file,
        slot,
        name: name.or(listen.map(Listen::name))?,
    })
}
