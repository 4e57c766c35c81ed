//! `t8gate explain`: finds the record of a request in the audit file and says it in words.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config;

mod words;

use words::Told;

/// Digits of a whole id.
const ID_DIGITS: usize = 32;
/// Fewer would name too many.
const ID_DIGITS_MIN: usize = 8;
/// Longer lines are none of ours.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// Rotated files that are looked for: `audit.jsonl.1` and so on.
const ROTATED_MAX: usize = 99;
/// Ids that are listed where some digits name several.
const LISTED_MAX: usize = 8;

const FOUND: u8 = 0;
const NOT_FOUND: u8 = 1;
const BAD_ARGUMENTS: u8 = 2;

/// Says what became of a request; 0 when it was found, 1 when not, 2 when the question is wrong.
pub fn main(id: &str, audit: &[PathBuf], config: Option<&Path>) -> ExitCode {
    ExitCode::from(match explain(id, audit, config) {
        Ok(text) => {
            say!("{}", text.trim_end());
            FOUND
        }
        Err((status, complaint)) => {
            eprint!("{complaint}");
            status
        }
    })
}

/// The text for standard output, or the status and the text for standard error.
pub(super) fn explain(
    id: &str,
    audit: &[PathBuf],
    config: Option<&Path>,
) -> Result<String, (u8, String)> {
    let bad = |what: String, hint: &str| (BAD_ARGUMENTS, format!("{what}\n  hint: {hint}\n"));
    let id = id.trim().to_ascii_lowercase();
    let digits = id.bytes().all(|b| b.is_ascii_hexdigit());
    if !digits || !(ID_DIGITS_MIN..=ID_DIGITS).contains(&id.len()) {
        let what = "a request id has 32 hexadecimal digits, of which its last 8 at least must be \
                    given";
        let hint = "it stands in the answer's X-Request-Id, in the log and at the SCEF";
        return Err(bad(what.to_owned(), hint));
    }
    let files = match config {
        Some(config) => configured(config).map_err(|what| {
            let hint = "name the file with --audit, or set audit.file and restart the gateway";
            bad(what, hint)
        })?,
        None => audit.to_vec(),
    };
    let found = find(&id, &files).map_err(|(file, error)| {
        let what = format!("{} cannot be read: {error}", file.display());
        bad(what, "name a file that this user may read")
    })?;
    let mut ids = found.keys();
    match (ids.next(), ids.next()) {
        (None, _) => {
            let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
            let complaint = format!(
                "no record of {id} in {}\n  hint: records reach the file within 100 ms, refused \
                 and answered alike; name older files with --audit, and those of other gateways\n",
                files.join(", ")
            );
            Err((NOT_FOUND, complaint))
        }
        (Some(_), Some(_)) => {
            let list: Vec<&str> = found.keys().take(LISTED_MAX).map(String::as_str).collect();
            let what = format!(
                "{id} names {} requests{}:\n  {}",
                found.len().min(LISTED_MAX),
                if found.len() > LISTED_MAX {
                    ", and more"
                } else {
                    ""
                },
                list.join("\n  ")
            );
            Err(bad(what, "give the whole id, or more of its end"))
        }
        (Some(_), None) => Ok(found.values().flatten().map(words::tell).collect()),
    }
}

/// The audit file of a configuration, and what it was rotated to, as far as that is there.
fn configured(file: &Path) -> Result<Vec<PathBuf>, String> {
    // Faults elsewhere in the file are not in the way of reading records.
    let (config, faults) = config::examine(file);
    let Some(config) = config else {
        return Err(config::render(file, &faults).trim_end().to_owned());
    };
    let Some(audit) = config.audit else {
        return Err(format!("{} has no [audit] section", file.display()));
    };
    let current = audit.file.value;
    let rotated = (1..=ROTATED_MAX).map(|number| {
        let mut path = current.clone().into_os_string();
        path.push(format!(".{number}"));
        PathBuf::from(path)
    });
    let rotated = rotated.filter(|path| path.exists());
    // Just moved away, the first of them is made anew in a moment.
    let mut files: Vec<PathBuf> = rotated.collect();
    if current.exists() || files.is_empty() {
        files.insert(0, current.clone());
    }
    Ok(files)
}

/// Records by their ids. A file that cannot be read is named.
type Found = BTreeMap<String, Vec<Told>>;

fn find(id: &str, files: &[PathBuf]) -> Result<Found, (PathBuf, io::Error)> {
    let mut found = Found::new();
    for file in files {
        let search = File::open(file).and_then(|open| search(id, BufReader::new(open), &mut found));
        search.map_err(|error| (file.clone(), error))?;
        // A whole id names one request.
        if id.len() == ID_DIGITS && !found.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// Line by line. What is no record is passed over: a crash may have left half a line.
fn search(id: &str, mut lines: impl BufRead, found: &mut Found) -> io::Result<()> {
    let searcher = memchr::memmem::Finder::new(id);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut lines)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if searcher.find(&line).is_none() {
            continue;
        }
        let told: Option<Told> = serde_json::from_slice(&line).ok();
        // The first half is the same for all requests of a shard's run: its end tells them apart.
        let named = |told: &Told| told.request_id.starts_with(id) || told.request_id.ends_with(id);
        // One more than are listed says that there are more; all of them could fill the memory.
        let listed =
            |told: &Told| found.len() <= LISTED_MAX || found.contains_key(&told.request_id);
        if let Some(told) = told.filter(named).filter(listed) {
            found.entry(told.request_id.clone()).or_default().push(told);
        }
    }
}

#[cfg(test)]
mod tests;
