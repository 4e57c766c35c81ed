//! `t8load` beside a test: a process, and what it reports.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::gateway::Gateway;
use crate::harness::stage::{House, Stage};
use crate::harness::{command, finish};

/// One running load.
pub struct Load {
    child: Child,
    report: PathBuf,
    duration: Duration,
}

impl Load {
    /// Requests on connections that stay.
    pub fn of_requests(house: &House, per_s: u32, duration: Duration) -> Self {
        let token = house.stage.token();
        Self::start(
            command(program()),
            house,
            ("keep-alive", &token),
            per_s,
            duration,
        )
    }

    /// The same with these tokens in turn.
    pub fn of_tokens(house: &House, tokens: &[String], per_s: u32, duration: Duration) -> Self {
        let mut rotating = command(program());
        rotating.args(["--token-use", "rotate"]);
        let tokens = tokens.join("\n");
        Self::start(rotating, house, ("keep-alive", &tokens), per_s, duration)
    }

    /// The same by a generator that goes before all others on its CPU: what else runs there says
    /// nothing about the gateway.
    pub fn of_requests_first_of_all(house: &House, per_s: u32, duration: Duration) -> Self {
        let mut first = command("chrt");
        first.args(["--fifo", "1"]).arg(program());
        let token = house.stage.token();
        Self::start(first, house, ("keep-alive", &token), per_s, duration)
    }

    /// Connections that continue a session, with a request each.
    pub fn of_resumptions(house: &House, per_s: u32, duration: Duration) -> Self {
        let token = house.stage.token();
        Self::start(
            command(program()),
            house,
            ("resume", &token),
            per_s,
            duration,
        )
    }

    fn start(
        mut t8load: Command,
        house: &House,
        (mode, tokens): (&str, &str),
        per_s: u32,
        duration: Duration,
    ) -> Self {
        let (stage, gateway) = (&house.stage, &house.gateway);
        let report = stage.scratch.path().join(format!("load-{mode}.json"));
        let _ = std::fs::remove_file(&report);
        t8load.args(["--quiet", "--mode", mode, "--rate", &per_s.to_string()]);
        t8load.args([
            "--connections",
            "8",
            "--scs-as-id",
            "acme",
            "--timeout",
            "2s",
        ]);
        let ms = |time: Duration| format!("{}ms", time.as_millis());
        t8load.args(["--warmup", "200ms", "--duration", &ms(duration)]);
        t8load.args(["--fail-if", "errors>0", "--fail-if", "non_2xx>0"]);
        t8load.arg("--json").arg(&report);
        t8load.args(target(gateway)).args(identity(stage, tokens));
        t8load.stdout(Stdio::null()).stderr(Stdio::piped());
        let child = t8load.spawn().expect("t8load");
        Self {
            child,
            report,
            duration,
        }
    }

    /// Waits for its end and hands out the report.
    ///
    /// # Panics
    /// When an operation failed.
    pub fn faultless(mut self) -> Value {
        let limit = self.duration + Duration::from_secs(15);
        let status = finish(&mut self.child, limit).expect("t8load to end");
        let mut said = String::new();
        let stderr = self.child.stderr.as_mut().expect("piped");
        std::io::Read::read_to_string(stderr, &mut said).expect("text");
        let report = std::fs::read_to_string(&self.report).unwrap_or_default();
        assert!(status.success(), "an operation failed: {said}\n{report}");
        serde_json::from_str(&report).expect("JSON")
    }
}

/// Beside the gateway's binary: whoever runs these tests builds both.
fn program() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_t8gate")).with_file_name("t8load");
    assert!(
        program.exists(),
        "{}; hint: cargo build -p t8load",
        program.display()
    );
    program
}

fn target(gateway: &Gateway) -> [String; 4] {
    let target = format!("https://{}", gateway.address);
    let name = crate::harness::client::HOST.to_owned();
    ["--target".to_owned(), target, "--sni".to_owned(), name]
}

fn identity(stage: &Stage, tokens: &str) -> [String; 8] {
    let tokens = stage.scratch.write("load.tokens", tokens);
    let path = |path: &std::path::Path| path.display().to_string();
    let of = |name: &str, value: String| [format!("--{name}"), value];
    let parts = [
        of("ca", path(&stage.operator_ca.certificate)),
        of("cert", path(&stage.acme.certificate)),
        of("key", path(&stage.acme.key)),
        of("tokens", path(&tokens)),
    ];
    let mut words = parts.into_iter().flatten();
    std::array::from_fn(|_| words.next().expect("eight"))
}
