//! `t8gate pseudonym`: which pseudonym in log and audit is whose, for who has the key.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use zeroize::Zeroizing;

use crate::config;
use crate::privacy::{IdentityKind, PseudonymKey};

/// Octets of one line that are read: no identity is longer.
const LINE_BYTES_MAX: u64 = 1_024;

#[derive(Args)]
pub struct Options {
    /// The secret that the gateway makes them with, as in privacy.pseudonym_secret_file.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// What the identities are.
    #[arg(long, value_enum, default_value = "imsi")]
    kind: Kind,
    /// The identities, one on a line. From standard input where not said, never from the command
    /// line, which the shell remembers and every process of the machine can read.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// The digits alone.
    Imsi,
    Msisdn,
    /// local@domain
    Extid,
    /// local@domain
    Extgroup,
    Gpsi,
    Address,
    /// Another SUPI, a SUCI, an NAI, an internal group, a device: as it stands in the message.
    Internal,
}

impl Kind {
    fn identity_kind(self) -> IdentityKind {
        match self {
            Self::Imsi => IdentityKind::Imsi,
            Self::Msisdn => IdentityKind::Msisdn,
            Self::Extid => IdentityKind::ExternalId,
            Self::Extgroup => IdentityKind::ExternalGroupId,
            Self::Gpsi => IdentityKind::Gpsi,
            Self::Address => IdentityKind::Address,
            Self::Internal => IdentityKind::Internal,
        }
    }

    /// What is wrong with an identity of this kind.
    fn fault(self, identity: &str) -> Option<&'static str> {
        let digits = identity.bytes().all(|octet| octet.is_ascii_digit());
        let is_external = identity.matches('@').count() == 1;
        match self {
            Self::Imsi if !digits || !(6..=15).contains(&identity.len()) => {
                Some("is no IMSI: write its 6 to 15 digits and nothing else")
            }
            Self::Msisdn if !digits || !(5..=15).contains(&identity.len()) => {
                Some("is no MSISDN: write its 5 to 15 digits and nothing else")
            }
            Self::Extid | Self::Extgroup if !is_external => {
                Some("is no external identifier: write local@domain")
            }
            _ => None,
        }
    }
}

/// What is wrong, and the cure.
pub(super) type Wrong = (String, String);

/// 0 when all have been said, 1 when something is wrong.
pub fn main(options: &Options) -> ExitCode {
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err((what, cure)) => {
            eprintln!("{what}\n  hint: {cure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Wrong> {
    let key = key(&options.key_file)?;
    each_line(options.from.as_deref(), |number, identity| {
        if let Some(fault) = options.kind.fault(identity) {
            // Not the line itself: it would stand where standard error goes.
            return Err((format!("line {number}"), fault.to_owned()));
        }
        let kind = options.kind.identity_kind();
        say!("{}", key.pseudonym(kind, identity.as_bytes()));
        Ok(())
    })
}

/// The key of a file that nobody else can read.
pub(super) fn key(file: &Path) -> Result<PseudonymKey, Wrong> {
    // Not even the path: a secret may have been written there by mistake.
    let called = "the file of the secret";
    config::is_closed(file, called, "secret")?;
    let cure = "name the file that privacy.pseudonym_secret_file names";
    let octets = std::fs::read(file).map(Zeroizing::new);
    let octets = octets.map_err(|error| {
        let what = format!("{called} cannot be read: {}", error.kind());
        (what, cure.to_owned())
    })?;
    let key = PseudonymKey::from_octets(&octets);
    key.map_err(|what| (format!("{called} {what}"), cure.to_owned()))
}

/// Hands on every line that is not empty, with its number.
pub(super) fn each_line(
    from: Option<&Path>,
    mut take: impl FnMut(u64, &str) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    let unread = |error: std::io::Error| {
        let what = format!("the identities cannot be read: {error}");
        (
            what,
            "name a file that can be read, or leave --from out".to_owned(),
        )
    };
    let from: Box<dyn std::io::Read> = match from {
        Some(file) => Box::new(std::fs::File::open(file).map_err(unread)?),
        None => Box::new(std::io::stdin()),
    };
    let mut lines = BufReader::new(from);
    let mut line = Zeroizing::new(String::new());
    for number in 1.. {
        line.clear();
        let mut bounded = lines.by_ref().take(LINE_BYTES_MAX);
        let bytes = bounded.read_line(&mut line).map_err(unread)?;
        if bytes == 0 {
            break;
        }
        if bytes as u64 == LINE_BYTES_MAX && !line.ends_with('\n') {
            let cure = format!("no identity has more than {} octets", LINE_BYTES_MAX - 1);
            return Err((format!("line {number} is too long"), cure));
        }
        let identity = line.trim();
        if !identity.is_empty() {
            take(number, identity)?;
        }
    }
    Ok(())
}
