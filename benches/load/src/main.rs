//! `t8load`: load for T8 over mutual TLS, by one thread and one io_uring.
//!
//! A run reads from top to bottom in `run.rs`; what happens on a connection, in `load.rs`. Between
//! the two sit the pure rooms: `records`, `link` and `reply` (bytes in, bytes out), `pace` (when
//! operations are due) and `tally` (what counts).

mod arguments;
mod clock;
mod connection;
mod link;
mod load;
mod pace;
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

use std::num::NonZeroU64;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use rustix::process::Resource;
use rustix::thread::CpuSet;
use rustls::pki_types::ServerName;
use socket2::{Domain, SockAddr};

use crate::arguments::{Arguments, Mode};
use crate::connection::Connection;
use crate::load::{Load, Terms};
use crate::report::Report;
use crate::request::Requests;
use crate::ring::Ring;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::tally::Tally;
use crate::tls::{Identity, LastSession, Offer};
use crate::watch::Watched;

/// The run could not be made.
const NOT_MADE: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match make(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("t8load: {fault}");
            ExitCode::from(NOT_MADE)
        }
    }
}

/// Prepares, runs and reports.
fn make(arguments: &Arguments) -> Result<(), String> {
    prepare_process(arguments)?;
    let scenario = match &arguments.scenario {
        Some(path) => Scenario::read(path)?,
        None => Scenario::default(),
    };
    let identities = identities(arguments)?;
    let tokens = arguments
        .tokens
        .as_deref()
        .map_or(Ok(Vec::new()), read_tokens)?;
    let requests = Requests::new(
        &scenario,
        &arguments.target.authority,
        &arguments.scs_as_id,
        identities.len(),
        tokens,
        arguments.token_use,
    )?;
    let connections = connections(arguments, &identities)?;
    let terms = terms(arguments)?;
    let ring = Ring::new(SockAddr::from(arguments.target.address), connections.len())?;
    let tally = Tally::new(arguments.rate.is_some());
    let load = Load::new(terms, ring, connections, requests, tally);
    let (load, measured) = Run::new(arguments, load, None).run()?;
    let report = Report::new(arguments, &scenario.name, &load.tally, &measured);
    print!("{}", report.text());
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string(&report).map_err(|error| error.to_string())?;
        write(path, &(json + "\n"))?;
    }
    Ok(())
}

/// Where the process runs, how exact its timers are, and how many sockets it may have.
fn prepare_process(arguments: &Arguments) -> Result<(), String> {
    if let Some(cpu) = arguments.cpu {
        if cpu >= CpuSet::MAX_CPU {
            return Err(format!("--cpu {cpu}: there is no such CPU"));
        }
        let mut set = CpuSet::new();
        set.set(cpu);
        rustix::thread::sched_setaffinity(None, &set)
            .map_err(|error| format!("--cpu {cpu}: {error}"))?;
    }
    // Without it timers may be 50 us late, to be merged; an open loop would be late by that.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))
        .map_err(|error| format!("timer slack: {error}"))?;
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(Resource::Nofile, limit)
        .map_err(|error| format!("number of open files: {error}"))?;
    let room = limit.current.unwrap_or(u64::MAX);
    if room < u64::from(arguments.connections) + 64 {
        return Err(format!(
            "--connections {}: the limit of open files is {room}; raise it (ulimit -Hn)",
            arguments.connections
        ));
    }
    for (name, pids) in &arguments.watch {
        let watched = Watched {
            name: name.clone(),
            pids: pids.clone(),
        };
        if !watched.is_there() {
            return Err(format!("--watch {name}: not all of {pids:?} are running"));
        }
    }
    Ok(())
}

fn identities(arguments: &Arguments) -> Result<Vec<Identity>, String> {
    if let Some(directory) = &arguments.identities {
        return Identity::read_all(directory);
    }
    if arguments.cert.len() != arguments.key.len() {
        return Err("as many --key as --cert".to_owned());
    }
    let pairs = arguments.cert.iter().zip(&arguments.key);
    pairs.map(|(cert, key)| Identity::read(cert, key)).collect()
}

/// One token a line; empty lines are none.
fn read_tokens(path: &Path) -> Result<Vec<String>, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let tokens: Vec<String> = text
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    let visible = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
    if tokens.is_empty() || !tokens.iter().all(visible) {
        return Err(format!("{}: is not one token a line", path.display()));
    }
    Ok(tokens)
}

/// All connections, closed, each with the identity whose turn it is.
fn connections(arguments: &Arguments, identities: &[Identity]) -> Result<Vec<Connection>, String> {
    // Bounded to a million by the command line.
    let count = arguments.connections as usize;
    if !arguments.target.tls {
        if !identities.is_empty() || arguments.mode == Mode::Resume {
            return Err("client certificates and resumption need https://".to_owned());
        }
        return Ok((0..count).map(|_| Connection::new(None, None)).collect());
    }
    let offer = Offer::new(&arguments.groups, arguments.tls12, arguments.ca.as_deref())?;
    let mut made = Vec::with_capacity(count);
    if arguments.mode == Mode::Resume {
        // A session is one connection's, and so is what keeps it.
        for at in 0..count {
            let identity = identities.get(at % identities.len().max(1));
            let session = Arc::new(LastSession::default());
            let config = offer.config(identity, Some(session.clone()))?;
            made.push(Connection::new(Some(config), Some(session)));
        }
        return Ok(made);
    }
    let mut configs = Vec::new();
    for identity in identities {
        configs.push(offer.config(Some(identity), None)?);
    }
    if configs.is_empty() {
        configs.push(offer.config(None, None)?);
    }
    made.extend((0..count).map(|at| {
        let config = configs[at % configs.len()].clone();
        Connection::new(Some(config), None)
    }));
    Ok(made)
}

fn terms(arguments: &Arguments) -> Result<Terms, String> {
    let name = arguments.sni.as_ref().unwrap_or(&arguments.target.host);
    let name = ServerName::try_from(name.clone());
    Ok(Terms {
        mode: arguments.mode,
        name: name.map_err(|error| format!("--sni: {error}"))?,
        domain: Domain::for_address(arguments.target.address),
        timeout_ns: u64::try_from(arguments.timeout.as_nanos()).unwrap_or(u64::MAX),
    })
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
