//! How `t8load` is called, and what it says afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;

use crate::fault::{Fault, about};
use crate::ground::{Ground, SCS_AS_ID, SERVER_NAME};
use crate::peer::{Peer, Programs};
use crate::process::Program;

/// What one connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Requests on kept connections.
    KeepAlive,
    /// Full handshake, one request, close.
    Handshake,
    /// The same, continuing a session.
    Resume,
    /// One request, then nothing.
    Idle,
}

/// Which token a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// One for each connection.
    Connection,
    /// The next of ten thousand.
    Rotate,
}

/// A load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub mode: Mode,
    pub connections: usize,
    pub tokens: Tokens,
    /// A POST with 500 B in place of a GET.
    pub post: bool,
    /// Operations a second in all; closed loop without it.
    pub rate: Option<f64>,
}

impl Load {
    /// GET on kept connections, a token for each, closed loop.
    pub fn get(connections: usize) -> Self {
        Self {
            mode: Mode::KeepAlive,
            connections,
            tokens: Tokens::Connection,
            post: false,
            rate: None,
        }
    }

    /// Another mode.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Ten thousand tokens in turn.
    #[must_use]
    pub fn rotating(mut self) -> Self {
        self.tokens = Tokens::Rotate;
        self
    }

    /// POST with 500 B.
    #[must_use]
    pub fn posting(mut self) -> Self {
        self.post = true;
        self
    }

    /// Open loop.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = Some(rate);
        self
    }
}

/// How long, and against whom.
pub struct Call<'a> {
    pub peer: Peer,
    pub port: u16,
    pub seconds: f64,
    pub warmup: f64,
    /// Seconds that idle connections are left alone.
    pub idle_settle: u32,
    /// Names and pids of the processes whose CPU time is reported.
    pub watch: &'a [(&'a str, u32)],
    /// Where the report goes.
    pub json: &'a Path,
    /// Where the plot of latencies goes.
    pub svg: Option<&'a Path>,
}

/// The call as a program with arguments.
///
/// # Errors
/// When the scenario's file cannot be written.
pub fn program(
    load: &Load,
    call: &Call<'_>,
    ground: &Ground,
    programs: &Programs,
) -> Result<Program, Fault> {
    let scheme = if call.peer.is_tls() { "https" } else { "http" };
    let mut arguments = Vec::new();
    let mut say = |option: &str, value: String| {
        arguments.push(format!("--{option}"));
        arguments.push(value);
    };
    let path = |path: &PathBuf| path.display().to_string();
    say("target", format!("{scheme}://127.0.0.1:{}", call.port));
    if call.peer.is_tls() {
        say("sni", SERVER_NAME.to_owned());
        say("ca", path(&ground.server_ca));
        for client in &ground.clients {
            say("cert", path(&client.certificate));
            say("key", path(&client.key));
        }
    }
    say("scs-as-id", SCS_AS_ID.to_owned());
    let (tokens, use_) = match load.tokens {
        Tokens::Connection => (&ground.tokens_of_connections, "connection"),
        Tokens::Rotate => (&ground.tokens_many, "rotate"),
    };
    say("tokens", path(tokens));
    say("token-use", use_.to_owned());
    if load.post {
        say("scenario", path(&ground.write("post.toml", &post())?));
    }
    let mode = match load.mode {
        Mode::KeepAlive => "keep-alive",
        Mode::Handshake => "handshake",
        Mode::Resume => "resume",
        Mode::Idle => "idle",
    };
    say("mode", mode.to_owned());
    say("connections", load.connections.to_string());
    say("duration", format!("{}ms", (call.seconds * 1e3).round()));
    say("warmup", format!("{}ms", (call.warmup * 1e3).round()));
    if load.mode == Mode::Idle {
        say("settle", format!("{}s", call.idle_settle));
    }
    if let Some(rate) = load.rate {
        say("rate", format!("{}", rate.round()));
    }
    say("cpu", call.peer.generator_cpu().to_owned());
    for (name, pid) in call.watch {
        say("watch", format!("{name}={pid}"));
    }
    say("json", call.json.display().to_string());
    if let Some(svg) = call.svg {
        say("svg", svg.display().to_string());
    }
    arguments.push("--quiet".to_owned());
    Ok(Program::new(&programs.t8load, arguments))
}

/// A subscription to where a UE is, as an SCS/AS posts it: 500 B.
fn post() -> String {
    let mut body = json!({
        "externalId": "meter-000042@example.com",
        "monitoringType": "LOCATION_REPORTING",
        "maximumNumberOfReports": 100,
        "locationType": "CURRENT_LOCATION",
        "notificationDestination": "https://as.acme.example/3gpp/notifications",
        "note": "",
    });
    let missing = 500 - body.to_string().len();
    body["note"] = json!("x".repeat(missing));
    format!(
        r#"[[request]]
weight = 1
method = "POST"
path = "/3gpp-monitoring-event/v1/{{scs_as_id}}/subscriptions"
body = '{body}'
content_type = "application/json"
"#
    )
}

/// What is read of `t8load`'s report. Times in us.
#[derive(Clone, Debug, Deserialize)]
pub struct Said {
    pub duration_s: f64,
    pub operations: u64,
    pub ops_per_s: f64,
    pub errors: BTreeMap<String, u64>,
    pub statuses: BTreeMap<String, u64>,
    pub latency_us: Latency,
    #[serde(default)]
    pub send_late_us: Option<Late>,
    #[serde(default)]
    pub handshakes: Handshakes,
    pub cpu: Vec<Share>,
    pub whole_run: WholeRun,
}

/// What was done from the first connection to the last, warm-up included.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct WholeRun {
    pub operations: u64,
}

/// Quantiles; none where nothing was timed.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Latency {
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    pub p99_9: Option<f64>,
}

/// How late sends left behind their intended time.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Late {
    pub p99: Option<f64>,
}

/// Handshakes within the window.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Handshakes {
    pub full: u64,
    pub resumed: u64,
}

/// CPU time of a watched process within the window, and in idle mode its memory.
#[derive(Clone, Debug, Deserialize)]
pub struct Share {
    pub name: String,
    /// CPU seconds / seconds of the window.
    pub busy: f64,
    pub us_per_op: Option<f64>,
    #[serde(default)]
    pub rss_kb_before: Option<f64>,
    #[serde(default)]
    pub rss_kb_after: Option<f64>,
}

impl Said {
    /// Reads a report.
    ///
    /// # Errors
    /// When it is not there or lacks something.
    pub fn read(json: &Path) -> Result<Self, Fault> {
        let text = about(json.display(), std::fs::read_to_string(json))?;
        serde_json::from_str(&text)
            .map_err(|error| Fault::new(format!("{}: {error}", json.display())))
    }

    /// What a watched process took.
    pub fn share(&self, name: &str) -> Option<&Share> {
        self.cpu.iter().find(|share| share.name == name)
    }

    /// How busy a watched process was, 0 where it was not watched.
    pub fn busy(&self, name: &str) -> f64 {
        self.share(name).map_or(0.0, |share| share.busy)
    }

    /// What went wrong, in words; none when nothing did.
    pub fn wrong(&self) -> Option<String> {
        let errors = self.errors.iter().filter(|(_, count)| **count > 0);
        let errors = errors.map(|(kind, count)| format!("{count} errors of kind {kind}"));
        let strange = self
            .statuses
            .iter()
            .filter(|(status, count)| *status != "200" && **count > 0);
        let strange = strange.map(|(status, count)| format!("{count} answers with {status}"));
        let mut words: Vec<String> = errors.chain(strange).collect();
        if self.operations == 0 {
            words.push("no operation was finished".to_owned());
        }
        (!words.is_empty()).then(|| words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the contract that both programs are written to.
    fn said(errors: &str, statuses: &str) -> Said {
        let text = format!(
            r#"{{"tool":"t8load","duration_s":5.0,"operations":10,"ops_per_s":2.0,
            "errors":{errors},"statuses":{statuses},
            "latency_us":{{"mean":1.0,"p50":1.0,"p90":2.0,"p99":3,"p99_9":4,"max":9}},
            "handshakes":{{"full":1,"resumed":0}},"throughput":[],
            "cpu":[{{"name":"generator","busy":0.41,"us_per_op":6.2}},
                   {{"name":"proxy","busy":0.9,"us_per_op":12.0}}],
            "whole_run":{{"operations":12,"errors":0,"handshakes":{{"full":1,"resumed":0}}}}}}"#
        );
        serde_json::from_str(&text).expect("the report that was agreed on")
    }

    #[test]
    fn report_of_a_clean_run_is_read() {
        let said = said(r#"{"connect":0,"tls":0}"#, r#"{"200":10}"#);
        assert_eq!(said.wrong(), None);
        assert!((said.busy("proxy") - 0.9).abs() < 1e-9);
        assert!(said.busy("origin").abs() < 1e-9);
    }

    #[test]
    fn errors_and_refusals_are_said() {
        let wrong = said(r#"{"closed":2}"#, r#"{"200":7,"401":3}"#).wrong();
        let wrong = wrong.expect("something went wrong");
        assert_eq!(wrong, "2 errors of kind closed, 3 answers with 401");
    }
}
