//! `t8gate policy`: what operators do with the sets of UEs that clients are granted.

mod build;
mod rows;
mod subscribers;

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use tempfile::NamedTempFile;

use super::pseudonym::Wrong;

/// Faults that are said, with their places; of the rest it is said how many there are.
const FAULTS_SAID: usize = 10;

#[derive(Subcommand)]
pub enum Command {
    /// Make one file of lists of UEs, for [policy] in the configuration: 0 when it is written, 1
    /// when something is wrong with the lists, and nothing is.
    Build(build::Options),
    /// Make the set of those who are subscribers, for privacy.known_subscribers_file: 0 when it is
    /// written, 1 when something is wrong with the list, and nothing is.
    Subscribers(subscribers::Options),
}

/// Runs one of them.
pub fn main(command: &Command) -> ExitCode {
    match command {
        Command::Build(options) => build::main(options),
        Command::Subscribers(options) => subscribers::main(options),
    }
}

/// What is wrong with lists: the first faults, and how many there are.
#[derive(Default)]
struct Faults {
    said: Vec<Wrong>,
    count: u64,
}

impl Faults {
    fn add(&mut self, wrong: impl FnOnce() -> Wrong) {
        self.count += 1;
        if self.said.len() < FAULTS_SAID {
            self.said.push(wrong());
        }
    }

    /// # Errors
    /// There are some.
    fn none(mut self) -> Result<(), Vec<Wrong>> {
        let more = self.count - self.said.len() as u64;
        if more > 0 {
            let cure = "nothing was written; mend these and see what is left";
            self.said
                .push((format!("and {more} more faults"), cure.to_owned()));
        }
        match self.said.is_empty() {
            true => Ok(()),
            false => Err(self.said),
        }
    }
}

fn failed(all: Vec<Wrong>) -> ExitCode {
    for (what, cure) in all {
        eprintln!("{what}\n  hint: {cure}");
    }
    ExitCode::FAILURE
}

/// # Errors
/// What is written would take the place of something that it is made of.
fn is_apart<'p>(out: &Path, read: impl IntoIterator<Item = &'p Path>) -> Result<(), Wrong> {
    let which = |file: &Path| std::fs::metadata(file).map(|file| (file.dev(), file.ino()));
    let Ok(there) = which(out) else {
        return Ok(());
    };
    match { read.into_iter() }.any(|file| which(file).is_ok_and(|file| file == there)) {
        false => Ok(()),
        true => {
            let what = format!("{} is one of the files that are read", out.display());
            let cure = "name another for --out: the list, or the secret, would be gone";
            Err((what, cure.to_owned()))
        }
    }
}

/// The folder that a file is in, or will be.
fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}

/// Writes a file beside, and renames it once it is on the disk: whoever reads it finds the one
/// before, or all of it. It is as open as the one that it takes the place of, or, where there is
/// none, as `mode` says. Its length comes back.
fn put(
    out: &Path,
    mode: u32,
    write: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
) -> io::Result<u64> {
    let mut file = NamedTempFile::new_in(folder_of(out))?;
    let before = std::fs::metadata(out).map(|before| before.permissions().mode() & 0o666);
    let mode = Permissions::from_mode(before.unwrap_or(mode));
    file.as_file().set_permissions(mode)?;
    write(&mut file)?;
    file.as_file().sync_all()?;
    let bytes = file.as_file().metadata()?.len();
    file.persist(out)?;
    File::open(folder_of(out))?.sync_all()?;
    Ok(bytes)
}
