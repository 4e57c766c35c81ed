//! The command line: data to standard output, talk to standard error.

/// As `println!` does, but that a reader may go before the end: see [`say`].
macro_rules! say {
    ($($line:tt)*) => {
        $crate::cli::say(format_args!($($line)*))
    };
}

mod apis;
pub mod check;
pub mod client;
mod conformance;
pub mod demo;
pub mod explain;
pub mod hw;
pub mod keys;
mod pages;
mod policy;
mod pseudonym;
pub mod serve;
mod token;

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{self, Fault};
use crate::io::cpu;

#[derive(Parser)]
#[command(
    version,
    about = "T8 terminator: mutual TLS, OAuth 2.0, and on to the SCEF"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve T8 until SIGTERM, which lets what is in flight finish; a second one does not.
    Serve {
        /// The configuration file; `config/t8gate.toml` documents every key.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Validate everything without serving: files, certificates, key and token, upstream.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Print what of 33.187, 33.310, 33.210 and RFC 8705 is met, waived or not met, clause by
        /// clause, and look at nothing else.
        #[arg(long)]
        conformance: bool,
        /// How that is printed.
        #[arg(long, value_enum, default_value = "markdown", requires = "conformance")]
        format: conformance::Format,
    },
    /// Say what this machine gives and what of it is in use: CPU, io_uring, memory, NICs, rates.
    Hw(hw::Options),
    /// Make, look at and try the keys in a token: from an empty token to a serving certificate.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Add, show, disable and enable clients in files of their own.
    #[command(subcommand)]
    Client(client::Command),
    /// Make the file of UE sets that clients are granted.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Issue access tokens, look into them, and revoke them and what they hang on.
    #[command(subcommand)]
    Token(token::Command),
    /// List the APIs that can be served: resources, methods, media types, and where a request says
    /// whom it is about. Scopes and policy are written from it.
    Apis {
        /// List those that are served by this configuration file, with those that it adds.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Print all that is known of them, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say which pseudonyms identities have in log and audit, one on a line, in the order in which
    /// they are read.
    Pseudonym(pseudonym::Options),
    /// Show it all on this machine: a token, two clients, a small SCEF, and a tour.
    Demo(demo::Options),
    /// What `serve` starts for each PKCS#11 module, to hold it, its PIN and its sessions.
    #[command(hide = true)]
    Signer,
    /// Say in words what became of a request, and why: 0 when it was found, 1 when not, 2 when the
    /// question is wrong or names several.
    Explain {
        /// Its id, or the last 8 digits of it at least: the answer's X-Request-Id.
        request_id: String,
        /// An audit file; may be given more than once.
        #[arg(long, value_name = "FILE", required_unless_present = "config")]
        audit: Vec<PathBuf>,
        /// The configuration file that names the audit file; rotated ones are looked at as well.
        #[arg(long, value_name = "FILE", conflicts_with = "audit")]
        config: Option<PathBuf>,
    },
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { config } => {
            log_to_stderr();
            serve::main(&config)
        }
        Command::Check {
            config,
            conformance: true,
            format,
        } => conformance::main(&config, format),
        Command::Check { config, .. } => check::main(&config),
        Command::Signer => {
            log_to_stderr();
            hsm::signer::run(cpu::step_back)
        }
        Command::Hw(options) => hw::main(&options),
        Command::Keys(command) => keys::main(&command),
        Command::Client(command) => client::main(&command),
        Command::Policy(command) => policy::main(&command),
        Command::Token(command) => token::main(&command),
        Command::Apis { config, json } => apis::main(config.as_deref(), json),
        Command::Pseudonym(options) => pseudonym::main(&options),
        Command::Demo(options) => demo::main(&options),
        Command::Explain {
            request_id,
            audit,
            config,
        } => explain::main(&request_id, &audit, config.as_deref()),
    }
}

/// One line an event, level from `T8GATE_LOG` (default `info`).
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("T8GATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
}

/// Writes a line to standard output. A reader that has gone (`| head -1`) has seen enough: the
/// command ends as it would have, and with the same status.
///
/// # Panics
/// As `println!` does, where it is not taken for another reason: a token that was not written must
/// not look like one that was.
fn say(line: fmt::Arguments<'_>) {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            panic!("standard output cannot be written: {error}")
        }
        _ => {}
    }
}

fn complain(file: &Path, faults: &[Fault]) {
    eprint!("{}", config::render(file, faults));
}
