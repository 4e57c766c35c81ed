//! `t8gate token`: what operators do with access tokens and what they hang on.

mod inspect;
mod issue;
mod revoke;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::config::{self, Config, Fault};

#[derive(Subcommand)]
pub enum Command {
    /// Sign a token in a client's name with the embedded issuer's key: the token alone goes to
    /// standard output.
    Issue(issue::Options),
    /// Say what is in a token, and what the gateway would decide: 0 when it would take it, 1 when
    /// not, 3 when it would ask the token's issuer, which this does not. The token is read from a
    /// file or from standard input, never from the command line.
    Inspect(inspect::Options),
    /// Have a running gateway refuse a token, a client's tokens, a certificate or an issuer's key
    /// from now on: 0 when that is in force and will be after any restart, 1 when not, 2 when the
    /// question is wrong. Tokens are refused from the next request on, a certificate from the next
    /// handshake on; its open connections end within 100 ms, and may be served until then.
    Revoke(revoke::Options),
}

/// Runs one of them.
pub fn main(command: &Command) -> ExitCode {
    let done = match command {
        Command::Issue(options) => issue::run(options).map(|()| ExitCode::SUCCESS),
        Command::Inspect(options) => inspect::run(options),
        Command::Revoke(options) => return revoke::main(options),
    };
    match done {
        Ok(status) => status,
        Err((what, cure)) => {
            eprintln!("{what}\n  hint: {cure}");
            ExitCode::FAILURE
        }
    }
}

/// What is wrong, and what to do about it.
type Wrong = (String, String);

fn wrong(what: impl Into<String>, cure: impl Into<String>) -> Wrong {
    (what.into(), cure.into())
}

/// The configuration, if nothing of it is wrong that is about clients, issuers and their keys.
fn read(file: &Path) -> Result<Config, Wrong> {
    let (config, mut faults) = config::examine(file);
    let is_needed = |fault: &Fault| {
        let sections = ["client", "issuer", "oauth", "partner"];
        let within = |section: &&str| fault.key.starts_with(*section);
        fault.file.is_some() || fault.key.is_empty() || sections.iter().any(within)
    };
    if config.is_some() {
        faults.retain(is_needed);
    }
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(faulty(file, &faults)),
    }
}

fn faulty(file: &Path, faults: &[Fault]) -> Wrong {
    let what = config::render(file, faults).trim_end().to_owned();
    wrong(what, "t8gate check says all that is wrong with the file")
}

/// The first certificate of a PEM file, which is a client's own.
fn certificate(file: &Path) -> Result<CertificateDer<'static>, Wrong> {
    CertificateDer::from_pem_file(file).map_err(|error| {
        let what = format!("{}: {error}", file.display());
        wrong(
            what,
            "name the PEM file of the client's certificate, its own first",
        )
    })
}

/// So many bytes of a file or of standard input, and one more where there are more.
fn bytes_of(file: Option<&Path>, bytes_max: usize) -> std::io::Result<Vec<u8>> {
    let from: Box<dyn std::io::Read> = match file.filter(|file| *file != Path::new("-")) {
        Some(file) => Box::new(File::open(file)?),
        None => Box::new(std::io::stdin()),
    };
    let mut bytes = Vec::new();
    from.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
