//! `t8load`: load for T8 over mutual TLS, by one thread and one io_uring.
//!
//! A run reads from top to bottom in `run.rs`; what happens on a connection, in `load.rs`. Between
//! the two sit the pure rooms: `records`, `link` and `reply` (bytes in, bytes out), `pace` (when
//! operations are due) and `tally` (what counts).

mod arguments;
mod bound;
mod chart;
mod clock;
mod connection;
mod hgrm;
mod issuer;
mod key_share;
mod link;
mod live;
mod load;
mod pace;
mod preparation;
mod records;
mod reply;
mod report;
mod request;
mod ring;
mod run;
mod scenario;
mod tally;
mod tls;
mod watch;

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use socket2::SockAddr;

use crate::arguments::Arguments;
use crate::load::Load;
use crate::preparation::Configs;
use crate::report::Report;
use crate::request::Requests;
use crate::ring::Ring;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::tally::Tally;

/// A handshake makes some hundred allocations; this one is as fast as the gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The run could not be made.
const NOT_MADE: u8 = 2;

fn main() -> ExitCode {
    match make(&Arguments::parse()) {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            for fault in faults {
                eprintln!("t8load: failed: {fault}");
            }
            ExitCode::FAILURE
        }
        Err(fault) => {
            eprintln!("t8load: {fault}");
            ExitCode::from(NOT_MADE)
        }
    }
}

/// Prepares, runs and reports; gives what the run fails for.
fn make(arguments: &Arguments) -> Result<Vec<String>, String> {
    preparation::process(arguments)?;
    let scenario = match &arguments.scenario {
        Some(path) => Scenario::read(path)?,
        None => Scenario::default(),
    };
    let identities = preparation::identities(arguments)?;
    let configs = Configs::new(arguments, &identities)?;
    let terms = preparation::terms(arguments)?;
    let requests = Requests::new(
        &scenario,
        &arguments.target.authority,
        &arguments.scs_as_id,
        identities.len(),
        preparation::tokens(arguments, &configs)?,
        arguments.token_use,
    )?;
    let connections = configs.connections()?;
    let ring = Ring::new(SockAddr::from(arguments.target.address), connections.len())?;
    let tally = Tally::new(arguments.rate.is_some());
    let load = Load::new(terms, ring, connections, requests, tally);
    let live = live::line(arguments.quiet);
    let is_live = live.is_some();
    let ran = Run::new(arguments, load, live).run();
    if is_live {
        live::clear();
    }
    let (load, measured) = ran?;
    let report = Report::new(arguments, &scenario.name, &load.tally, &measured);
    write_all(arguments, &report, &load.tally)?;
    let bounds = arguments.fail_if.iter();
    let faults = bounds.filter_map(|bound| bound.fault(&report));
    Ok(report.emptiness().into_iter().chain(faults).collect())
}

fn write_all(arguments: &Arguments, report: &Report, tally: &Tally) -> Result<(), String> {
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string(report).map_err(|error| error.to_string())?;
        write(path, &(json + "\n"))?;
    }
    if let Some(path) = &arguments.hgrm {
        write(path, &hgrm::text(&tally.latency))?;
    }
    if let Some(path) = &arguments.svg {
        write(path, &chart::svg(report, &tally.latency))?;
    }
    // Last, and a reader that has gone is no fault: the files are what a run is kept by.
    let mut stdout = std::io::stdout();
    let said = stdout.write_all(report.text().as_bytes());
    match said.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("stdout: {error}")),
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
