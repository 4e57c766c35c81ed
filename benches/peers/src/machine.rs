//! What the figures were measured on, and what is measured of it alone.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::fault::{Fault, about};

/// Kernel, processor and memory; and what `t8gate hw` says, where this gateway has it.
pub fn describe(t8gate: &Path) -> Value {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':'));
        value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    json!({
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "cpu_model": field(&cpuinfo, "model name"),
        "cpus": cpuinfo.lines().filter(|line| line.starts_with("processor")).count(),
        "memory": field(&read("/proc/meminfo"), "MemTotal"),
        "hw": hardware(t8gate),
    })
}

/// What remembering and verifying a token costs on CPU 0, which nothing else is on yet.
///
/// # Errors
/// When that cannot be measured.
pub fn tokens(program: &Path) -> Result<Value, Fault> {
    let mut command = Command::new("taskset");
    let output = command.args(["-c", "0"]).arg(program).output();
    let output = about(program.display(), output)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Fault::new(format!(
            "{}: {}",
            program.display(),
            said.trim()
        )));
    }
    let said = serde_json::from_slice(&output.stdout).map_err(std::io::Error::from);
    about(program.display(), said)
}

fn hardware(t8gate: &Path) -> Value {
    let output = Command::new(t8gate).args(["hw", "--json"]).output();
    let said = output.ok().filter(|output| output.status.success());
    said.and_then(|output| serde_json::from_slice(&output.stdout).ok())
        .unwrap_or(Value::Null)
}
