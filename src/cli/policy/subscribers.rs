//! `t8gate policy subscribers`: a list of IMSIs to the set by which the guard knows subscribers.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::Faults;
use crate::cli::pseudonym::{self, Wrong};
use crate::privacy::filter;

/// Nobody is in it by name: the gateway's group may read it.
const MODE: u32 = 0o640;

#[derive(Args)]
pub struct Options {
    /// The IMSIs, one on a line; from standard input where not said.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The secret that the set is made with, as in privacy.pseudonym_secret_file.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Where the set goes, in place of what is there.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn main(options: &Options) -> ExitCode {
    match build(options) {
        Ok(count) => {
            say!("{}: {count} subscribers", options.out.display());
            ExitCode::SUCCESS
        }
        Err(all) => super::failed(all),
    }
}

fn build(options: &Options) -> Result<usize, Vec<Wrong>> {
    let one = |wrong| vec![wrong];
    let from = options.from.as_deref();
    let read = from.unwrap_or(Path::new("/dev/stdin"));
    super::is_apart(&options.out, [read, &*options.key_file]).map_err(one)?;
    let key = pseudonym::key(&options.key_file).map_err(one)?;
    let (mut hashes, mut faults) = (Vec::new(), Faults::default());
    let called = from.map_or_else(|| "line ".to_owned(), |from| format!("{}:", from.display()));
    pseudonym::each_line(from, |number, imsi| {
        let is_imsi = (14..=15).contains(&imsi.len()) && imsi.bytes().all(|o| o.is_ascii_digit());
        match is_imsi {
            true => hashes.push(filter::hash(imsi.as_bytes(), &key)),
            false => faults.add(|| {
                let cure = "write 14 or 15 digits and nothing else";
                (format!("{called}{number} is no IMSI"), cure.to_owned())
            }),
        }
        Ok(())
    })
    .map_err(one)?;
    faults.none()?;
    if hashes.is_empty() {
        let cure = "by an empty set nobody would be known: take known_subscribers_file out of the \
                    configuration instead";
        return Err(one(("the list has no IMSI".to_owned(), cure.to_owned())));
    }
    hashes.sort_unstable();
    hashes.dedup();
    let set = filter::build(&hashes, &key).ok_or_else(|| {
        let what = "the list has more subscribers than a set holds".to_owned();
        one((what, "at most 2^32 - 1 are".to_owned()))
    })?;
    let written = super::put(&options.out, MODE, |file| file.write_all(&set));
    written.map_err(|error| {
        let what = format!("{} cannot be written: {error}", options.out.display());
        one((what, "its folder needs room for the file".to_owned()))
    })?;
    Ok(hashes.len())
}
