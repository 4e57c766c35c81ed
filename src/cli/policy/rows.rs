//! Lists of UEs as an operator has them: one in each line, by the name of its set.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde::Deserialize;

use crate::authz::ue::{MatcherFault, SetName, UeId, member};
use crate::config::regular_file::{self, NotOpened};

#[cfg(test)]
mod tests;

/// A line of a list: two names and what stands around them.
const LINE_BYTES_MAX: u64 = 1024;
/// At once, of a list.
const READ_BYTES: usize = 1 << 20;

/// How a list is written, which its file's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `set,identity`.
    Csv,
    /// `{"set":"..","identity":".."}`.
    JsonLines,
}

/// Why a line is no row. None of them says who is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowFault {
    TooLong,
    NoUtf8,
    Csv,
    Json,
    SetName,
    Identity(MatcherFault),
}

impl RowFault {
    /// What is wrong, and the cure.
    pub(super) fn words(self) -> (&'static str, String) {
        match self {
            Self::TooLong => (
                "is longer than a row",
                format!("a row has {LINE_BYTES_MAX} octets at most"),
            ),
            Self::NoUtf8 => ("is not UTF-8", "write it in UTF-8".to_owned()),
            Self::Csv => (
                "is not a set and an identity",
                "write set,identity: two columns, in quotes or not".to_owned(),
            ),
            Self::Json => (
                "is not an object with a set and an identity",
                r#"write {"set":"meters","identity":"msisdn:491512345678"}, each member once"#
                    .to_owned(),
            ),
            Self::SetName => (
                "has no name of a set",
                MatcherFault::SetName.demand().to_owned(),
            ),
            Self::Identity(MatcherFault::Ue(fault)) => {
                ("names nobody", format!("write {}", fault.demand()))
            }
            Self::Identity(_) => (
                "names nobody",
                "write local@domain, msisdn:N, group:local@domain, gpsi:... or \
                 mac:02-1a-2b-3c-4d-5e: digits alone could be meant as an IMSI"
                    .to_owned(),
            ),
        }
    }
}

/// One list, read line by line.
pub(super) struct Rows {
    format: Format,
    from: BufReader<File>,
    line: Vec<u8>,
    /// From 1, of the line that was read last.
    pub(super) number: u64,
}

impl Rows {
    /// # Errors
    /// What is wrong with the file, and the cure.
    pub(super) fn open(file: &Path) -> Result<Self, (String, String)> {
        let name = file.display();
        let format = match file.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Format::Csv,
            Some("jsonl") => Format::JsonLines,
            _ => {
                let what = format!("{name}: what is in it is not known");
                let cure = "call it .csv (set,identity) or .jsonl, as it is written";
                return Err((what, cure.to_owned()));
            }
        };
        let file = regular_file::open(file).map_err(|why| {
            let what = match why {
                NotOpened::Kernel(error) => format!("{name} cannot be read: {error}"),
                NotOpened::NotRegular => format!("{name} is not a regular file"),
            };
            (what, "name a file that can be read".to_owned())
        })?;
        Ok(Self {
            format,
            from: BufReader::with_capacity(READ_BYTES, file),
            line: Vec::new(),
            number: 0,
        })
    }

    /// Hands the next row to `take`; false at the end. Empty lines, those with # and the head of a
    /// CSV are passed over.
    pub(super) fn next(
        &mut self,
        mut take: impl FnMut(&str, UeId<'_>) -> io::Result<()>,
    ) -> io::Result<Result<bool, RowFault>> {
        loop {
            self.line.clear();
            let mut bounded = self.from.by_ref().take(LINE_BYTES_MAX + 1);
            if bounded.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(Ok(false));
            }
            self.number += 1;
            let line = match self.line.strip_suffix(b"\n") {
                Some(line) => line,
                None if self.line.len() as u64 > LINE_BYTES_MAX => {
                    self.skip_line()?;
                    return Ok(Err(RowFault::TooLong));
                }
                None => &self.line,
            };
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Ok(text) = std::str::from_utf8(line) else {
                return Ok(Err(RowFault::NoUtf8));
            };
            let is_head = self.number == 1 && self.format == Format::Csv && text == "set,identity";
            if text.is_empty() || text.starts_with('#') || is_head {
                continue;
            }
            return match row(self.format, text) {
                Err(fault) => Ok(Err(fault)),
                Ok((set, identity)) => {
                    let ue = match member(&identity) {
                        Ok(ue) => ue,
                        Err(fault) => return Ok(Err(RowFault::Identity(fault))),
                    };
                    take(&set, ue)?;
                    Ok(Ok(true))
                }
            };
        }
    }

    /// To its end.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let read = self.from.fill_buf()?;
            let (count, is_end) = match memchr::memchr(b'\n', read) {
                Some(at) => (at + 1, true),
                None => (read.len(), read.is_empty()),
            };
            self.from.consume(count);
            if is_end {
                return Ok(());
            }
        }
    }
}

fn row(format: Format, text: &str) -> Result<(Cow<'_, str>, Cow<'_, str>), RowFault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Row<'t> {
        #[serde(borrow)]
        set: Cow<'t, str>,
        #[serde(borrow)]
        identity: Cow<'t, str>,
    }
    match format {
        Format::Csv => {
            let (set, identity) = text.split_once(',').ok_or(RowFault::Csv)?;
            Ok((column(set)?.into(), column(identity)?.into()))
        }
        Format::JsonLines => {
            // An array of the two would be taken for one as well.
            let is_object = text.trim_start().starts_with('{');
            let row = serde_json::from_str(text).ok().filter(|_| is_object);
            let row: Row<'_> = row.ok_or(RowFault::Json)?;
            Ok((row.set, row.identity))
        }
    }
}

/// As it is, or all of it in quotes; no name here has a comma or a quote in it.
fn column(text: &str) -> Result<&str, RowFault> {
    let quoted = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let column = quoted.unwrap_or(text);
    match column.contains(['"', ',']) {
        true => Err(RowFault::Csv),
        false => Ok(column),
    }
}

/// The sets that rows name: most name the one before.
#[derive(Default)]
pub(super) struct Names {
    last: Option<SetName>,
    pub(super) all: std::collections::BTreeSet<SetName>,
}

impl Names {
    /// The set of that name; none where it is none.
    pub(super) fn of(&mut self, text: &str) -> Option<&SetName> {
        let last = self.last.as_ref();
        if last.is_none_or(|last| last.as_str() != text) {
            let name = SetName::new(text)?;
            self.all.insert(name.clone());
            self.last = Some(name);
        }
        self.last.as_ref()
    }
}
