//! The token by itself, as `t8gate keys bench` measures it: what nothing that signs with it can
//! exceed.

use serde::Deserialize;

use crate::bench::Bench;
use crate::fault::{Fault, about};
use crate::ground::KeyKind;
use crate::interrupt;
use crate::process::{Process, Program};
use crate::run::Run;
use crate::softhsm::SoftHsm;

/// The `peer` of its runs.
pub const TOKEN: &str = "bare-token";
/// As many as the gateway has sessions where its configuration does not say.
const THREADS: u32 = 2;
/// What it may take beyond its time: the login, and the key's proof.
const BEYOND: std::time::Duration = std::time::Duration::from_secs(30);

#[derive(Deserialize)]
struct Said {
    rounds: Vec<Round>,
}

#[derive(Deserialize)]
struct Round {
    signatures_per_s: f64,
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
}

impl Bench {
    /// Measures the token and keeps that as a run. A fault makes it void.
    ///
    /// # Errors
    /// Only when the bench is interrupted.
    pub fn ask_token(&mut self, scenario: &str, kind: KeyKind, round: usize) -> Result<(), Fault> {
        let mut run = Run {
            scenario: scenario.to_owned(),
            peer: TOKEN.to_owned(),
            auth: "none".to_owned(),
            round,
            ..Run::default()
        };
        match self.signatures(kind) {
            Ok(said) => {
                run.operations = (said.signatures_per_s * self.extent.seconds) as u64;
                run.ops_per_s = said.signatures_per_s;
                run.cpu_us_per_op = Some(said.cpu_us);
                run.p50_us = Some(said.p50_us);
                run.p99_us = Some(said.p99_us);
            }
            Err(fault) => {
                interrupt::check()?;
                run = run.failed(&fault.to_string());
            }
        }
        eprintln!("{}", run.line());
        self.runs.push(run);
        Ok(())
    }

    fn signatures(&self, kind: KeyKind) -> Result<Round, Fault> {
        let Some(hsm) = &self.ground.hsm else {
            return Err(Fault::new("a row needs SoftHSM, and no token was made"));
        };
        let seconds = self.extent.seconds.ceil().max(1.0);
        let arguments = [
            "keys".to_owned(),
            "bench".to_owned(),
            format!("--module={}", hsm.module.display()),
            format!("--uri={}", SoftHsm::uri(kind)),
            format!("--pin-file={}", hsm.pin_file.display()),
            format!("--threads={THREADS}"),
            format!("--seconds={seconds}"),
            "--json".to_owned(),
        ];
        let mut program = Program::new(&self.programs.t8gate, arguments);
        program.niceness = self.extent.niceness;
        let configuration = hsm.configuration.display().to_string();
        program.environment = vec![("SOFTHSM2_CONF".to_owned(), configuration)];
        let log = self.ground.directory.join("bare-token.json");
        let process = Process::start(&program, "0,1", &log)?;
        let lasting = std::time::Duration::from_secs_f64(seconds);
        let status = process.wait(lasting + BEYOND)?;
        let said = about(log.display(), std::fs::read_to_string(&log))?;
        if !status.success() {
            return Err(Fault::new(format!("t8gate keys bench: {}", said.trim())));
        }
        let said: Said = about(
            log.display(),
            serde_json::from_str(&said).map_err(Into::into),
        )?;
        let round = said.rounds.into_iter().next();
        round.ok_or_else(|| Fault::new("t8gate keys bench measured nothing"))
    }
}
