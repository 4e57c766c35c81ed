//! Instructions of a process, by `perf`, where machine and kernel let them be counted.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::fault::{Fault, about};
use crate::process::{Process, Program, installed};

/// A count under way.
pub struct Counter {
    process: Process,
    file: PathBuf,
}

impl Counter {
    /// Counts the instructions of `pid` from `delay` on for `seconds`; none where this machine
    /// does not count them.
    ///
    /// # Errors
    /// When `perf` is there and does not start.
    pub fn start(
        pid: u32,
        delay: f64,
        seconds: f64,
        directory: &Path,
    ) -> Result<Option<Self>, Fault> {
        let Ok(perf) = installed("perf", "linux-perf") else {
            return Ok(None);
        };
        if !is_counted(&perf) {
            return Ok(None);
        }
        let file = directory.join("perf.txt");
        let output = file.display().to_string();
        let (pid, delay_ms) = (pid.to_string(), format!("{}", (delay * 1e3).round()));
        let whole = format!("{}", delay + seconds);
        let program = Program::new(
            perf,
            [
                "stat", "-x", ",", "-e", EVENT, "-D", &delay_ms, "-p", &pid, "-o", &output, "--",
                "sleep", &whole,
            ],
        );
        let log = directory.join("perf.log");
        let process = Process::start(&program, "1", &log)?;
        Ok(Some(Self { process, file }))
    }

    /// How many there were.
    ///
    /// # Errors
    /// When `perf` does not say.
    pub fn finish(self) -> Result<f64, Fault> {
        self.process.wait(Duration::from_secs(60))?;
        let text = about(self.file.display(), std::fs::read_to_string(&self.file))?;
        count(&text).ok_or_else(|| Fault::new(format!("perf did not count: {}", text.trim())))
    }
}

/// User and kernel together.
const EVENT: &str = "instructions";

/// Virtual machines often do not let them be counted.
fn is_counted(perf: &Path) -> bool {
    let mut command = Command::new(perf);
    command
        .args(["stat", "-x", ",", "-e", EVENT, "true"])
        .stdout(Stdio::null());
    let output = command.output();
    output.is_ok_and(|output| count(&String::from_utf8_lossy(&output.stderr)).is_some())
}

/// Reads `12345,,instructions,...`; `<not supported>,,instructions,...` is no count.
fn count(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains(EVENT))?;
    line.split(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_is_read_and_a_machine_that_does_not_count_is_known() {
        let counted =
            "# started on Mon\n\n123456,,instructions,1000000,100.00,0.9,insn per cycle\n";
        assert_eq!(count(counted), Some(123_456.0));
        assert_eq!(count("<not supported>,,instructions,0,100.00,,\n"), None);
        assert_eq!(count("<not counted>,,instructions:u,0,100.00,,\n"), None);
    }
}
