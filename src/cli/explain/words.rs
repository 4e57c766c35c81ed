//! A record in words.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::oauth::{GrantFault, INTROSPECTION_PATH, REVOCATION_PATH};
use crate::proxy::denial::connections::CONNECTION_ROWS;
use crate::proxy::denial::{ROWS, Row};
use crate::tls::RULES;

/// A record as the audit file has it. What it does not say is empty or 0.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub(super) time: String,
    pub(super) kind: String,
    pub(super) request_id: String,
    pub(super) outcome: String,
    pub(super) reason: String,
    pub(super) detail: String,
    pub(super) status: u16,
    pub(super) client: String,
    pub(super) address: String,
    pub(super) method: String,
    pub(super) api: String,
    pub(super) resource: String,
    pub(super) scope: Vec<String>,
    pub(super) identity: String,
    pub(super) tier: String,
    pub(super) done: String,
    pub(super) at: String,
    pub(super) pseudonym: String,
    pub(super) token: String,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    pub(super) authorize_us: f64,
    pub(super) upstream_us: f64,
    pub(super) whole_us: f64,
    pub(super) shard: u16,
}

/// Some lines, each with what it is about before it.
pub(super) fn tell(told: &Told) -> String {
    let mut out = String::new();
    let mut line = |about: &str, text: &str| {
        if !text.is_empty() {
            // Writing to a String cannot fail. What a file says must not steer a terminal.
            let _ = writeln!(out, "{about:<9} {}", text.replace(char::is_control, "?"));
        }
    };
    line("request", &told.request_id);
    line("when", &format!("{}, on shard {}", told.time, told.shard));
    line("who", &who(told));
    line("asked", &asked(told));
    line("decided", &decided(told));
    let row = ROWS.iter().find(|row| row.word == told.reason);
    let connection_row = CONNECTION_ROWS.iter().find(|row| row.word == told.reason);
    line("why", &why(told, row));
    match (row, connection_row) {
        (Some(row), _) if told.kind != "connection" => {
            line(
                "told",
                &format!("the client reads: {}", read(row, &told.detail)),
            );
            line("look at", row.cure_of(&told.detail));
        }
        (_, Some(row)) => {
            // The one that was sent; a rule has an alert of its own.
            let rule = RULES.iter().find(|rule| rule.name == told.detail);
            let sent = rule.map_or(told.detail.as_str(), |rule| rule.alert.word());
            let alert = match (told.reason.as_str(), sent) {
                ("trust_lost", _) => format!(
                    "the TLS alert {} over TLS 1.3, and close_notify over TLS 1.2",
                    alert_of_lost(&told.detail)
                ),
                (_, "") => "nothing: the connection was closed".to_owned(),
                (_, alert) => format!("the TLS alert {alert}"),
            };
            line("told", &format!("the client gets {alert}"));
            line("look at", row.cure_of(&told.detail));
        }
        _ => {}
    }
    line("found", &found(told));
    line("token", token(told));
    line("bytes", &bytes(told));
    line("time", &times(told));
    out
}

/// Of a connection that stood: what a handshake would be refused for now; a rule has no alert of
/// its own there.
fn alert_of_lost(detail: &str) -> &'static str {
    let mut rows = CONNECTION_ROWS.iter();
    let row = rows.find(|row| row.word == detail && !row.alert.contains(','));
    row.map_or("access_denied", |row| row.alert)
}

fn who(told: &Told) -> String {
    match told.client.as_str() {
        "" => format!("a client that is not known by then, from {}", told.address),
        client => format!("client {client}, from {}", told.address),
    }
}

fn asked(told: &Told) -> String {
    let method = match told.method.as_str() {
        "" => "a method that is not known",
        method => method,
    };
    let resource = match told.resource.as_str() {
        "" => "a resource that is not known",
        resource => resource,
    };
    match (told.kind.as_str(), told.api.as_str()) {
        ("connection", _) => {
            "a connection over TLS; it was no request yet, or none any more".into()
        }
        ("grant", _) if told.resource == REVOCATION_PATH => {
            "the end of an access token that the client was issued".into()
        }
        ("grant", _) if told.resource == INTROSPECTION_PATH => {
            "what an access token is worth, of the issuer in this gateway".into()
        }
        ("grant", _) => "an access token of the issuer in this gateway".into(),
        (_, "") if told.method.is_empty() && told.resource.is_empty() => String::new(),
        (_, "") => format!("{method} on {resource}"),
        (_, api) => format!("{method} on {resource} of {api}"),
    }
}

fn decided(told: &Told) -> String {
    let status = match told.status {
        0 => String::new(),
        status => format!(" with status {status}"),
    };
    match (told.outcome.as_str(), told.kind.as_str()) {
        ("answered", "grant") if told.resource == REVOCATION_PATH => match told.detail.as_str() {
            "" => format!("nothing to revoke, answered{status}"),
            _ => format!("revoked{status}"),
        },
        ("answered", "grant") if told.resource == INTROSPECTION_PATH => {
            format!("answered{status}")
        }
        ("answered", "grant") => match told.scope.as_slice() {
            [] => format!("granted{status}"),
            scope => format!("granted{status}, for {}", scope.join(" ")),
        },
        ("answered", _) => format!("allowed, and answered to the end{status}"),
        ("refused", _) => format!("refused{status}"),
        ("cut", _) => format!("allowed; the answer{status} was begun and could not be finished"),
        ("client_gone", "grant") if told.scope.is_empty() => {
            "nothing: the client went away before it had sent its request".to_owned()
        }
        ("client_gone", _) => format!("allowed{status}; the client went away, or did not read"),
        ("abandoned", _) => format!("allowed{status}; the gateway ended before the answer did"),
        (other, _) => format!("{other}{status}"),
    }
}

/// What the client was told: at the token endpoint, of the fault in particular.
fn read(row: &Row, detail: &str) -> &'static str {
    let mut faults = GrantFault::all();
    let fault = faults.find(|fault| row.token_endpoint && fault.word() == detail);
    fault.map_or(row.detail, GrantFault::description)
}

fn why(told: &Told, row: Option<&Row>) -> String {
    if told.reason.is_empty() {
        return String::new();
    }
    let mut why = told.reason.clone();
    if !told.detail.is_empty() {
        let _ = write!(why, ", in particular {}", told.detail);
    }
    if let Some(row) = row.filter(|_| told.kind != "connection") {
        let _ = write!(why, " ({}", row.title);
        if !row.cause.is_empty() {
            let _ = write!(why, ", cause {}", row.cause);
        }
        if let Some(error) = row.oauth_error {
            let _ = write!(why, ", OAuth error {error}");
        }
        why.push(')');
    }
    why
}

/// The identity that was in the message.
fn found(told: &Told) -> String {
    if told.identity.is_empty() {
        return String::new();
    }
    let Told {
        identity,
        tier,
        done,
        at,
        pseudonym,
        ..
    } = told;
    format!("an identity of the form {identity} ({tier}) at {at}, {done}: {pseudonym}")
}

fn token(told: &Told) -> &'static str {
    match told.token.as_str() {
        "remembered" => "the same as in the connection's request before: nothing was verified anew",
        "cached" => "known to this CPU: its signature had been verified before",
        "verified" => "not known to this CPU: its signature and claims were verified",
        _ => "",
    }
}

fn bytes(told: &Told) -> String {
    match (told.request_bytes, told.response_bytes) {
        (0, 0) => String::new(),
        (request, response) => format!("{request} of body from the client, {response} to it"),
    }
}

fn times(told: &Told) -> String {
    let parts = [
        (told.authorize_us, "for the checks"),
        (told.upstream_us, "until the SCEF answered"),
        (told.whole_us, "in all"),
    ];
    let said = parts.iter().filter(|(us, _)| *us > 0.0);
    let said: Vec<String> = said
        .map(|(us, what)| format!("{} {what}", time(*us)))
        .collect();
    said.join(", ")
}

/// In the unit that reads best.
fn time(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.1} µs"),
        us if us < 1_000_000.0 => format!("{:.1} ms", us / 1_000.0),
        us => format!("{:.1} s", us / 1_000_000.0),
    }
}
