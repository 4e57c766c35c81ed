//! `t8gate policy build`: lists of UEs to one file of sets, written beside and renamed.
//!
//! Two passes, so that neither the lists nor more than the file itself is ever in memory: the rows
//! are read and judged once, and their entries written into a file without a name; then that is
//! read into a table for as many.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use zeroize::Zeroizing;

use super::Faults;
use super::rows::{Names, RowFault, Rows};
use crate::authz::ue::SetName;
use crate::authz::ue::sets::{self, Entry, Inserted, SetsKey, Table};
use crate::cli::pseudonym::Wrong;
use crate::config;
use crate::limits::UE_SETS_BYTES_MAX;

/// Larger tables that are tried, each a thirty-second more: a table for many is seldom full.
const LARGER_MAX: u32 = 40;
const BUFFER_BYTES: usize = 1 << 20;

#[derive(Args)]
pub struct Options {
    /// A list: .csv with lines `set,identity`, or .jsonl with {"set":"..","identity":".."}. May be
    /// given more than once. Identities: local@domain, msisdn:N, group:local@domain, gpsi:..,
    /// mac:02-1a-2b-3c-4d-5e.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    from: Vec<PathBuf>,
    /// The secret that the file is built with, as in policy.key_file: 32 random octets or more, in
    /// base64 or as they are, closed to all but its owner.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Where the file goes, in place of what is there.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Only the gateway reads it.
const MODE: u32 = 0o600;

pub(super) fn main(options: &Options) -> ExitCode {
    match build(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(all) => super::failed(all),
    }
}

fn build(options: &Options) -> Result<(), Vec<Wrong>> {
    let one = |wrong| vec![wrong];
    let lists = options.from.iter().map(PathBuf::as_path);
    super::is_apart(&options.out, lists.chain([&*options.key_file])).map_err(one)?;
    let key = key(&options.key_file).map_err(one)?;
    let folder = super::folder_of(&options.out);
    let failed = |error: io::Error| one(not_written(&options.out, &error));
    let mut entries = tempfile::tempfile_in(folder).map_err(failed)?;
    let read = read(&options.from, &key, &mut entries).map_err(failed)??;
    if read.rows == 0 {
        let what = "the lists have no row".to_owned();
        let cure = "a file without sets grants nobody: take [policy] out of the configuration";
        return Err(one((what, cure.to_owned())));
    }
    // Before room is made for a table of them.
    if read.rows.saturating_mul(size_of::<Entry>() as u64) > UE_SETS_BYTES_MAX {
        let what = format!("{} rows are more than a file holds", read.rows);
        let cure = format!("at most {} GiB are read", UE_SETS_BYTES_MAX >> 30);
        return Err(one((what, cure)));
    }
    let table = filled(&mut entries, read.rows).map_err(failed)?;
    let written = write(&table, &read.names, &key, &options.out).map_err(failed)?;
    say!(
        "{}: {} entries in {} sets, {} octets; {} rows were there twice",
        options.out.display(),
        table.entries(),
        read.names.len(),
        written,
        read.rows - table.entries()
    );
    Ok(())
}

fn not_written(out: &Path, error: &io::Error) -> Wrong {
    let what = format!("{} cannot be written: {error}", out.display());
    let cure = "its folder needs room for the file twice; the lists must stay as they are \
                meanwhile";
    (what, cure.to_owned())
}

fn key(file: &Path) -> Result<SetsKey, Wrong> {
    // Not even the path: a secret may have been written there by mistake.
    let called = "the file of the secret";
    config::is_closed(file, called, "secret")?;
    let cure = "(umask 077; openssl rand -base64 32 > FILE) makes one";
    let octets = std::fs::read(file).map(Zeroizing::new);
    let octets = octets.map_err(|error| {
        let what = format!("{called} cannot be read: {}", error.kind());
        (what, cure.to_owned())
    })?;
    SetsKey::from_octets(&octets).map_err(|what| (format!("{called} {what}"), cure.to_owned()))
}

/// What was read of the lists.
struct Read {
    rows: u64,
    names: BTreeSet<SetName>,
}

/// Reads all lists, and writes the entry of each row: or says what is wrong with them, the first
/// faults with their places.
fn read(lists: &[PathBuf], key: &SetsKey, to: &mut File) -> io::Result<Result<Read, Vec<Wrong>>> {
    let mut to = BufWriter::with_capacity(BUFFER_BYTES, to);
    let mut names = Names::default();
    let (mut faults, mut rows) = (Faults::default(), 0_u64);
    for list in lists {
        let mut from = match Rows::open(list) {
            Ok(from) => from,
            Err(wrong) => {
                faults.add(|| wrong);
                continue;
            }
        };
        loop {
            let mut of_name = Ok(());
            let row = from.next(|set, ue| {
                let entry = names.of(set).map(|set| key.entry(set, &ue));
                match entry.flatten() {
                    Some(entry) => to.write_all(&entry.to_le_bytes()),
                    None => {
                        of_name = Err(RowFault::SetName);
                        Ok(())
                    }
                }
            })?;
            let fault = match row.and_then(|more| of_name.map(|()| more)) {
                Ok(true) => {
                    rows += 1;
                    continue;
                }
                Ok(false) => break,
                Err(fault) => fault,
            };
            faults.add(|| {
                let (what, cure) = fault.words();
                (format!("{}:{}: {what}", list.display(), from.number), cure)
            });
        }
    }
    to.flush()?;
    let names = names.all;
    Ok(faults.none().map(|()| Read { rows, names }))
}

/// A table of all entries, as small as holds them.
fn filled(entries: &mut File, rows: u64) -> io::Result<Table> {
    'larger: for larger in 0..LARGER_MAX {
        let mut table = Table::with_room_for(rows, larger)?;
        entries.rewind()?;
        let mut from = BufReader::with_capacity(BUFFER_BYTES, &mut *entries);
        for _ in 0..rows {
            let mut octets = [0; size_of::<Entry>()];
            from.read_exact(&mut octets)?;
            if table.insert(Entry::from_le_bytes(octets)) == Inserted::Full {
                continue 'larger;
            }
        }
        return Ok(table);
    }
    Err(io::Error::other("no order of the entries was found"))
}

/// The length of the file comes back.
fn write(table: &Table, names: &BTreeSet<SetName>, key: &SetsKey, out: &Path) -> io::Result<u64> {
    super::put(out, MODE, |file| {
        sets::write(table, names, key, &mut BufWriter::new(&mut *file))?;
        // It would not be read.
        match file.as_file().metadata()?.len() > UE_SETS_BYTES_MAX {
            true => Err(io::Error::other("its names make it too large")),
            false => Ok(()),
        }
    })
}
