//! `t8gate check`: all that `serve` would do before it serves, as a table.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::clock::UnixSeconds;
use crate::config::{self, Config, Fault, HugePages, Steering, Until, WhenUnwritable};
use crate::control::load::{self, Report, Row};
use crate::shard;

use super::{pages, serve};

/// Prints the table; 0 when all is well, 1 when anything is not.
pub fn main(file: &Path) -> ExitCode {
    let (config, mut faults) = config::examine(file);
    let read = faults.len();
    if let Some(config) = &config {
        // Some tokens do not outlive a login that is cut off.
        if let Err(error) = serve::end_until(Arc::default()) {
            tracing::warn!(%error, "signals cannot be received");
        }
        serve::keep_tokens_apart(config);
        let (_, mut report) = load::load(config, UnixSeconds::now(), None);
        serve::end_logins();
        report.note("io_uring", io_uring(config));
        // Of an address that is wrong, and of what stands in its place, there is nothing to say.
        let listen = &config.listen.address;
        let at_fault = |section: &str| faults.iter().any(|fault| fault.key.starts_with(section));
        let listens = !at_fault("listen");
        let taken = serve::port_fault(config).filter(|_| listens);
        let ours = taken.as_ref().is_some_and(is_of_a_gateway);
        report.note("huge pages", huge_pages(config, ours));
        if listens {
            report.note("listen address", free(listen.value, taken));
            report.note("steering", steering(config));
        }
        if let Some(address) = config
            .admin
            .as_ref()
            .and_then(|admin| admin.address.as_ref())
        {
            let taken = serve::admin_port_fault(config);
            report.note("admin address", free(address.value, taken));
        }
        if !faults.iter().any(|fault| fault.key == "audit.file") {
            report.note("audit", Ok(((), audit(config))));
        }
        if !faults.iter().any(|fault| fault.key.starts_with("upstream")) {
            report.note("upstream", upstream(config));
        }
        config::add(&mut faults, report.faults());
        // What only follows from a fault says nothing.
        let says = |row: &Row| {
            row.found
                .as_ref()
                .err()
                .is_none_or(|fault| faults.contains(fault))
        };
        report.rows.retain(says);
        report.warnings.extend(config.warnings.iter().cloned());
        let is_of = |warning: &Fault, fault: &Fault| {
            (&fault.file, &fault.key) == (&warning.file, &warning.key)
        };
        let warnings = &mut report.warnings;
        warnings.retain(|warning| !faults.iter().any(|fault| is_of(warning, fault)));
        print(file, read, &report);
    }
    if faults.is_empty() {
        return ExitCode::SUCCESS;
    }
    super::complain(file, &faults);
    ExitCode::FAILURE
}

fn io_uring(config: &Config) -> Result<((), String), Fault> {
    let cpus = &config.listen.cpus;
    shard::ring_is_available().map_err(|what| Fault {
        file: None,
        line: cpus.line,
        key: "listen.cpus".to_owned(),
        what,
        cure: "shards run on io_uring and on nothing else".to_owned(),
        until: Until::Back,
    })?;
    Ok(((), format!("available, shards on CPUs {:?}", cpus.value)))
}

fn huge_pages(config: &Config, one_is_running: bool) -> Result<((), String), Fault> {
    match pages::obstacle(config) {
        Some(fault) if one_is_running => {
            let said = format!("{}: a t8gate that is running has its own", fault.what);
            Ok(((), said))
        }
        Some(fault) => Err(fault),
        None => Ok(match config.memory.huge_pages.value {
            HugePages::Off => ((), "none, as configured".to_owned()),
            HugePages::Transparent => ((), "transparent, where the kernel gives them".to_owned()),
            HugePages::Reserved => ((), "reserved, and enough are free".to_owned()),
        }),
    }
}

fn steering(config: &Config) -> Result<((), String), Fault> {
    match serve::steering_fault(config) {
        Some(fault) => Err(fault),
        None => Ok(match config.listen.steering.value {
            Steering::Off => ((), "none, as configured".to_owned()),
            Steering::Cpu => ((), "to the shard of the CPU that receives".to_owned()),
        }),
    }
}

/// A running gateway may be checked against the file it is to be restarted with.
fn is_of_a_gateway(taken: &Fault) -> bool {
    taken.what.contains("(process ") && taken.what.contains(" t8gate)")
}

fn free(address: SocketAddr, taken: Option<Fault>) -> Result<((), String), Fault> {
    match taken {
        Some(fault) if is_of_a_gateway(&fault) => {
            Ok(((), format!("{}: a t8gate that is running", fault.what)))
        }
        Some(fault) => Err(fault),
        None => Ok(((), format!("{address} is free"))),
    }
}

/// What becomes of decisions; that the file can be written was looked at with the configuration.
fn audit(config: &Config) -> String {
    match &config.audit {
        None => "none: refusals are logged, and nothing is recorded".to_owned(),
        Some(audit) => {
            let file = audit.file.value.display();
            match audit.when_unwritable {
                WhenUnwritable::Refuse => format!("{file}; what it cannot take is refused"),
                WhenUnwritable::Lossy => format!("{file}; what it cannot take is lost"),
            }
        }
    }
}

fn upstream(config: &Config) -> Result<((), String), Fault> {
    let at = &config.upstream.address;
    TcpStream::connect_timeout(&at.value, config.deadlines.upstream_connect).map_err(|error| {
        Fault {
            file: None,
            line: at.line,
            key: "upstream.address".to_owned(),
            what: format!("{} does not take connections: {error}", at.value),
            cure: "start the SCEF, or correct the address".to_owned(),
            until: Until::Back,
        }
    })?;
    Ok(((), format!("{} takes connections", at.value)))
}

fn print(file: &Path, faults_read: usize, report: &Report) {
    let verdict = if faults_read == 0 { "ok" } else { "FAULT" };
    say!("{verdict:<6} {:<22} {}", "configuration", file.display());
    for row in &report.rows {
        let (verdict, found) = match &row.found {
            Ok(found) => ("ok", found),
            Err(fault) => ("FAULT", &fault.what),
        };
        say!("{verdict:<6} {:<22} {found}", row.what);
    }
    for warning in &report.warnings {
        let Fault {
            key, what, cure, ..
        } = warning;
        let file = warning.file.as_deref().unwrap_or(file).display();
        let place = warning
            .in_line()
            .map_or(String::new(), |line| format!("{file}:{line}: "));
        say!("{:<6} {key:<22} {place}{what}: {cure}", "WARN");
    }
}
