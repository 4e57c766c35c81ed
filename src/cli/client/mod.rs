//! `t8gate client`: clients in files of their own, written so that `serve` takes them, and a look
//! at all clients.

mod add;
mod file;
mod list;
mod switch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::clock::UnixSeconds;
use crate::config::{self, Client, ClientFile, Config, Fault};
use crate::control::load;
use crate::oauth;

#[derive(Subcommand)]
pub enum Command {
    /// Write a file for a new client into the folder of clients.
    Add(Box<add::Options>),
    /// Show all clients, those of the main file and those of their own files.
    List(list::Options),
    /// Show one client.
    Show(list::OneOptions),
    /// Have a client refused: enabled = false in its file.
    Disable(switch::Options),
    /// Have a client served again: enabled = true in its file.
    Enable(switch::Options),
}

/// Which configuration the clients are of.
#[derive(Args)]
struct Configured {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs one of them: 0 when it is done, 1 when anything is wrong.
pub fn main(command: &Command) -> ExitCode {
    let (done, file) = match command {
        Command::Add(options) => (add::run(options), options.file()),
        Command::List(options) => (list::run(options), options.file()),
        Command::Show(options) => (list::run_one(options), options.file()),
        Command::Disable(options) => (switch::run(options, false), options.file()),
        Command::Enable(options) => (switch::run(options, true), options.file()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Refused::Faults(faults)) => {
            super::complain(file, &faults);
            ExitCode::FAILURE
        }
        Err(Refused::Request { what, cure }) => {
            eprintln!("{what}\n  hint: {cure}");
            ExitCode::FAILURE
        }
    }
}

/// Why nothing was done.
enum Refused {
    /// Of the configuration, as it is or would be.
    Faults(Vec<Fault>),
    /// Of what was asked for.
    Request { what: String, cure: String },
}

impl From<Vec<Fault>> for Refused {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Faults(faults)
    }
}

fn refused(what: impl Into<String>, cure: impl Into<String>) -> Refused {
    Refused::Request {
        what: what.into(),
        cure: cure.into(),
    }
}

/// Whether the configuration could be served with this file of a client: all that `check` looks at
/// but keys, ports and the SCEF, which no client changes.
fn try_out(config: &Path, file: &ClientFile) -> Result<Config, Refused> {
    let (config, mut faults) = config::examine_with(config, file);
    if let Some(config) = &config {
        let (_, report) = load::own_side(config, UnixSeconds::now());
        config::add(&mut faults, report.faults());
        if let Err(wrong) = oauth::check_registrations(&config.clients) {
            let wrong = load::of_issuer_or_client(config, wrong);
            config::add(&mut faults, vec![wrong]);
        }
    }
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(faults.into()),
    }
}

/// The client of this name, or what may have been meant.
fn find<'c>(config: &'c Config, name: &str) -> Result<&'c Client, Refused> {
    let found = config.clients.iter().find(|client| client.name == name);
    found.ok_or_else(|| {
        let known = config.clients.iter().map(|client| client.name.as_str());
        let cure = match config::closest(name, &known.collect::<Vec<_>>()) {
            Some(known) => format!("did you mean {known:?}?"),
            None => "t8gate client list shows those there are".to_owned(),
        };
        refused(format!("there is no client {name:?}"), cure)
    })
}

/// How a changed file comes into force.
fn say_what_next(config: &Config) {
    match config.reload.watch {
        Some(_) => eprintln!(
            "hint: a running gateway takes it by itself (reload.watch); its log says when it is \
             in force"
        ),
        None => eprintln!(
            "hint: kill -HUP the gateway, which does not watch its files (reload.watch = \"off\"); \
             its log says when it is in force"
        ),
    }
}
