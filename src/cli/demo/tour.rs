//! The tour: everything a visitor should see once, told in plain words, each step held against
//! what is expected of it.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::client::{Answer, Ask, Client, Connection};
use super::config::{Actor, Addresses, Keys, METERS};
use super::expectations::{Expected, Seen};
use super::state::State;
use super::{cost, expired};
use crate::cli::explain::explain;
use crate::clock::UnixSeconds;

const EVENTS: &str = "/3gpp-monitoring-event/v1/meters/subscriptions";
const CONFIGURATIONS: &str = "/3gpp-nidd/v1/meters/configurations";
const TRANSACTIONS: &str = "/3gpp-device-triggering/v1/fleet/transactions";
const SUBSCRIPTION: &str = r#"{
    "externalId": "meter-1@meters.example.com",
    "monitoringType": "UE_REACHABILITY",
    "maximumNumberOfReports": 1,
    "notificationDestination": "https://meters.example.com/t8"
}"#;
const CONFIGURATION: &str = r#"{
    "externalId": "meter-1@meters.example.com",
    "notificationDestination": "https://meters.example.com/t8"
}"#;
/// How often the audit file is looked at for a record, and the pause between.
const RECORD_LOOKS: usize = 40;
const RECORD_PAUSE: Duration = Duration::from_millis(50);
const EXPIRED: &str = "an expired token";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// What the tour leaves behind.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Steps that brought something else than expected.
    pub differences: usize,
    pub steps: usize,
    /// The request id of the request without a token.
    pub refused_id: String,
    /// The one of the request with the expired token.
    pub expired_id: String,
}

/// What the tour needs to know of the demo.
pub struct Stage<'a> {
    pub state: &'a State,
    pub keys: &'a Keys,
    pub addresses: Addresses,
}

/// Goes the whole way, and tells of it on `out`.
///
/// # Errors
/// What keeps the tour from going on: then the rest would tell nothing.
pub async fn walk(stage: &Stage<'_>, out: &mut impl Write) -> Result<Outcome, String> {
    let mut guide = Guide {
        out,
        outcome: Outcome::default(),
    };
    let client = |file| Client::new(stage.state, stage.addresses.listen, file);
    let (meters, fleet) = (client(Some("meters"))?, client(Some("fleet"))?);
    let mut connection = meters.connect().await?;
    let mut of_fleet = fleet.connect().await?;

    guide.chapter("A token");
    let token = guide.fetch(&mut connection, &METERS).await?;
    let expired = expired::mint(&token, stage.state, stage.keys, UnixSeconds::now())?;
    stage.state.write("expired-token", &expired)?;

    guide.chapter("Requests that are allowed");
    guide.allowed(&mut connection, &token).await?;

    guide.chapter("Requests that are refused, and why");
    guide
        .refused(&mut connection, &mut of_fleet, &token, &expired)
        .await?;

    guide.chapter("Connections that are refused");
    let (nobody, stranger) = (client(None)?, client(Some("stranger"))?);
    guide
        .alert("no client certificate", &nobody, "certificate_required")
        .await;
    guide
        .alert(
            "the certificate of a CA that the gateway does not know, in the name of meters",
            &stranger,
            "unknown_ca",
        )
        .await;

    guide.chapter("What the operator sees of them: t8gate explain");
    guide.explained(&stage.state.file("audit.jsonl")).await;

    guide.chapter("What a request costs");
    let ask = Ask {
        method: "GET",
        path: EVENTS,
        token: Some(&token),
        body: None,
    };
    let cost = cost::measure(&mut connection, ask).await?;
    guide.say(&format!(
        "{} GETs over one connection, all warm:",
        cost::REQUESTS
    ));
    for line in cost.lines() {
        guide.say(&line);
    }
    Ok(guide.outcome)
}

struct Guide<'a, W> {
    out: &'a mut W,
    outcome: Outcome,
}

/// One step: what it is called, why the answer is what it is, what is asked and expected.
struct Step<'a> {
    title: &'a str,
    why: &'a str,
    ask: Ask<'a>,
    expected: Expected,
}

impl<W: Write> Guide<'_, W> {
    fn chapter(&mut self, title: &str) {
        // A reader that went away does not change what the tour finds.
        let _ = writeln!(self.out, "\n{title}\n{}", "-".repeat(title.len()));
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.out, "   {line}");
    }

    fn title(&mut self, title: &str) {
        self.outcome.steps += 1;
        let _ = writeln!(self.out, "\n{:2} {title}", self.outcome.steps);
    }

    /// Says what was not as expected, and counts it.
    fn judge(&mut self, difference: Option<String>) {
        if let Some(difference) = difference {
            self.outcome.differences += 1;
            self.say(&format!("NOT AS EXPECTED: {difference}"));
        }
    }

    async fn step(
        &mut self,
        connection: &mut Connection,
        step: Step<'_>,
    ) -> Result<(Answer, Seen), String> {
        self.title(step.title);
        let Ask { method, path, .. } = step.ask;
        self.say(&format!("asked   {method} {path}"));
        let answer = connection.ask(step.ask).await?;
        let seen = Seen::of(&answer);
        self.say(&format!("came    {}", seen.line()));
        self.say(&format!("why     {}", step.why));
        self.judge(step.expected.difference(&seen));
        Ok((answer, seen))
    }

    /// The record of a request that was refused, in words.
    async fn explained(&mut self, audit: &Path) {
        let files = [audit.to_owned()];
        let mut told = explain(&self.outcome.expired_id, &files, None);
        // Records are on their way for a moment.
        for _ in 0..RECORD_LOOKS {
            if told.is_ok() {
                break;
            }
            tokio::time::sleep(RECORD_PAUSE).await;
            told = explain(&self.outcome.expired_id, &files, None);
        }
        self.title("the expired token, as the audit file has it");
        match told {
            Ok(text) => text.lines().for_each(|line| self.say(line)),
            Err((_, complaint)) => self.judge(Some(complaint)),
        }
    }

    /// A token by client credentials; its claims are shown, itself never.
    async fn fetch(
        &mut self,
        connection: &mut Connection,
        actor: &Actor,
    ) -> Result<String, String> {
        let body = format!("grant_type=client_credentials&client_id={}", actor.name);
        let step = Step {
            title: "meters fetches a token by client credentials, over mutual TLS",
            why: "its certificate names it (tls_client_auth); the token is bound to that \
                  certificate",
            ask: Ask {
                method: "POST",
                path: "/oauth2/token",
                token: None,
                body: Some((FORM, &body)),
            },
            expected: Expected::status(200),
        };
        let (answer, _) = self.step(connection, step).await?;
        let body = answer.json();
        let token = body.get("access_token").and_then(Value::as_str);
        let token = token.ok_or("the token endpoint gave no token: see t8gate.log")?;
        let (header, claims) = expired::parts(token).ok_or("the token is no JSON Web Token")?;
        self.say(&format!("header  {}", Value::Object(header)));
        self.say(&format!("claims  {}", Value::Object(claims.clone())));
        let scope = claims
            .get("scope")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let is_bound = claims
            .get("cnf")
            .and_then(|cnf| cnf.get("x5t#S256"))
            .is_some();
        self.judge(if !is_bound {
            Some("the token is bound to no certificate".to_owned())
        } else if !same_words(scope, actor.scopes) {
            Some(format!(
                "scope {scope:?} instead of {:?}",
                actor.scopes.join(" ")
            ))
        } else {
            None
        });
        Ok(token.to_owned())
    }

    async fn allowed(&mut self, connection: &mut Connection, token: &str) -> Result<(), String> {
        let ask = |method, path, body| Ask {
            method,
            path,
            token: Some(token),
            body,
        };
        let step = Step {
            title: "meters asks to be told when a device can be reached (MonitoringEvent)",
            why: "certificate, token and scope agree; the SCEF made the subscription",
            ask: ask("POST", EVENTS, Some((JSON, SUBSCRIPTION))),
            expected: Expected::status(201),
        };
        let (answer, _) = self.step(connection, step).await?;
        let location = answer.field("location").to_owned();
        self.say(&format!("Location {location}"));
        let is_own = answer.json().get("self").and_then(Value::as_str) == Some(&location);
        self.judge((!is_own).then(|| "self is not Location".to_owned()));
        // Scheme and authority are the gateway's; the path is asked for as it stands there.
        let path = location
            .splitn(4, '/')
            .nth(3)
            .map(|path| format!("/{path}"));
        let path = path.unwrap_or_default();
        for (title, why, ask, status) in [
            (
                "the subscription itself",
                "its link leads through the gateway",
                ask("GET", &path, None),
                200,
            ),
            (
                "all subscriptions of meters",
                "a list holds one's own only",
                ask("GET", EVENTS, None),
                200,
            ),
            (
                "a channel for data without IP (NIDD)",
                "the token's scope names this API too",
                ask("POST", CONFIGURATIONS, Some((JSON, CONFIGURATION))),
                201,
            ),
            (
                "the subscription is ended",
                "it is the client's own",
                ask("DELETE", &path, None),
                204,
            ),
        ] {
            let step = Step {
                title,
                why,
                ask,
                expected: Expected::status(status),
            };
            self.step(connection, step).await?;
        }
        Ok(())
    }

    async fn refused(
        &mut self,
        connection: &mut Connection,
        of_fleet: &mut Connection,
        token: &str,
        expired: &str,
    ) -> Result<(), String> {
        let get = |path, token| Ask {
            method: "GET",
            path,
            token,
            body: None,
        };
        let without = Step {
            title: "no token",
            why: "a certificate alone opens nothing",
            ask: get(EVENTS, None),
            expected: Expected::refusal(401, "", "TOKEN_MISSING"),
        };
        let (_, seen) = self.step(connection, without).await?;
        self.outcome.refused_id = seen.request_id;
        let stolen = Step {
            title: "the token of meters, on a connection of fleet",
            why: "a token is worth nothing without the certificate it is bound to (RFC 8705)",
            ask: get(TRANSACTIONS, Some(token)),
            expected: Expected::refusal(401, "invalid_token", "TOKEN_OF_OTHER_CERTIFICATE"),
        };
        self.step(of_fleet, stolen).await?;
        for (title, why, ask, expected) in refusals(token, expired) {
            let step = Step {
                title,
                why,
                ask,
                expected,
            };
            let (_, seen) = self.step(connection, step).await?;
            if title == EXPIRED {
                self.outcome.expired_id = seen.request_id;
            }
        }
        Ok(())
    }

    async fn alert(&mut self, title: &str, client: &Client, expected: &str) {
        self.title(title);
        let seen = client.alert().await;
        let said = seen.as_deref().unwrap_or("nothing: the connection stands");
        self.say(&format!("came    TLS alert {said}"));
        self.say("why     the handshake ends before there is a request to answer");
        let differs = seen.as_deref() != Some(expected);
        self.judge(differs.then(|| format!("{said} instead of the alert {expected}")));
    }
}

/// Refusals on a connection of meters.
fn refusals<'a>(
    token: &'a str,
    expired: &'a str,
) -> [(&'static str, &'static str, Ask<'a>, Expected); 8] {
    let ask = |method, path, token| Ask {
        method,
        path,
        token: Some(token),
        body: None,
    };
    let invalid = Expected::refusal(401, "invalid_token", "TOKEN_INVALID");
    [
        (
            "garbage for a token",
            "it is signed by nobody",
            ask("GET", EVENTS, "garbage"),
            invalid,
        ),
        (
            EXPIRED,
            "all is right with it but its time: it was signed by the issuer's own key",
            ask("GET", EVENTS, expired),
            invalid,
        ),
        (
            "the path of another client",
            "{scsAsId} belongs to another certificate",
            ask(
                "GET",
                "/3gpp-monitoring-event/v1/fleet/subscriptions",
                token,
            ),
            Expected::refusal(403, "", "SCS_AS_ID_FOREIGN"),
        ),
        (
            "an API that was not granted",
            "the token's scope does not name it",
            ask(
                "GET",
                "/3gpp-device-triggering/v1/meters/transactions",
                token,
            ),
            Expected::refusal(403, "insufficient_scope", "SCOPE_INSUFFICIENT"),
        ),
        (
            "an API that does not exist",
            "TS 29.122 has no such API",
            ask("GET", "/3gpp-nothing/v1/meters/things", token),
            Expected::refusal(404, "", "API_UNKNOWN"),
        ),
        (
            "a method that the resource does not have",
            "TS 29.122 has no such operation",
            ask("DELETE", EVENTS, token),
            Expected::refusal(405, "", "METHOD_NOT_ALLOWED"),
        ),
        (
            "a token for another client",
            "the certificate is not that client's",
            Ask {
                method: "POST",
                path: "/oauth2/token",
                token: None,
                body: Some((FORM, "grant_type=client_credentials&client_id=fleet")),
            },
            Expected::refusal(400, "invalid_client", ""),
        ),
        (
            "a scope that was not granted",
            "the issuer gives no more than the client's configuration says",
            Ask {
                method: "POST",
                path: "/oauth2/token",
                token: None,
                body: Some((
                    FORM,
                    "grant_type=client_credentials&client_id=meters&scope=3gpp-device-triggering",
                )),
            },
            Expected::refusal(400, "invalid_scope", ""),
        ),
    ]
}

/// Whether a scope has exactly these words, in any order.
fn same_words(scope: &str, words: &[&str]) -> bool {
    let mut has: Vec<&str> = scope.split(' ').collect();
    let mut wants = words.to_vec();
    has.sort_unstable();
    wants.sort_unstable();
    has == wants
}

#[cfg(test)]
mod tests;
