//! The operator's file of what is revoked: a JSON object in each line, as the admin socket takes
//! them. One line that is not understood, and nothing of the file comes into force: whoever wrote
//! it is told which. A line that is understood may have nothing refused for it, where its issuer is
//! gone or yet to come: that is said, and no reason to leave the others out of force.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::Path;

use super::load::{Report, fault};
use super::touched::{InVain, Touched};
use crate::clock::UnixSeconds;
use crate::config::regular_file::{self, NotOpened};
use crate::config::{Config, Fault, Located};
use crate::limits::REVOKED_FILE_BYTES_MAX;
use crate::revoked::{FOR_EVER, Id, Kind, Meant, Revocation, Unmeant, Written};

pub(super) const KEY: &str = "revocation.revoked";
/// Faults of lines that are said, and warnings; the others are likely to be of the same kind.
const SAID_MAX: usize = 10;

/// One line.
struct Line {
    number: usize,
    /// Whose token or key it is about, where it says so.
    issuer: Option<String>,
    revocation: Revocation,
}

/// What the file says, where there is one. Lines are warned of that are about nothing which is
/// `touched`, where that is known.
pub(super) fn read(
    config: &Config,
    touched: Option<Touched<'_>>,
    now: UnixSeconds,
    report: &mut Report,
) -> Vec<Revocation> {
    let Some(file) = &config.revocation.revoked else {
        return Vec::new();
    };
    let read = text(file).and_then(|text| lines(file, &text, now));
    match read {
        Ok(lines) => {
            let detail = format!("{} entries", lines.len());
            report.note("revoked by file", Ok(((), detail)));
            let touched = touched.map(|touched| (touched, touched.here()));
            let touched = { touched.as_ref() }.map(|(touched, here)| (*touched, here));
            let warnings = { lines.iter() }.filter_map(|line| warning(file, line, touched, now));
            report.warnings.extend(warnings.take(SAID_MAX));
            lines.into_iter().map(|line| line.revocation).collect()
        }
        Err(faults) => {
            for fault in faults {
                report.note::<()>("revoked by file", Err(fault));
            }
            Vec::new()
        }
    }
}

fn text(at: &Located<std::path::PathBuf>) -> Result<String, Vec<Fault>> {
    let file: &Path = &at.value;
    let shown = file.display();
    let fault = |what: String, cure: &str| vec![fault(at, KEY, what, cure)];
    let readable = "the user of the gateway must be able to read it, and it must be UTF-8";
    let opened = regular_file::open(file).map_err(|why| match why {
        NotOpened::Kernel(error) => fault(format!("{shown}: {error}"), readable),
        NotOpened::NotRegular => fault(
            format!("{shown} is not a regular file"),
            "write it into a file: it is read again while the gateway serves",
        ),
    })?;
    let mut text = String::new();
    let mut bounded = opened.take(REVOKED_FILE_BYTES_MAX + 1);
    let read = bounded.read_to_string(&mut text);
    read.map_err(|error| fault(format!("{shown}: {error}"), readable))?;
    if text.len() as u64 > REVOKED_FILE_BYTES_MAX {
        let cure = format!(
            "at most {} MiB are read: revoke the tokens of a client or the key of an issuer by \
             one entry",
            REVOKED_FILE_BYTES_MAX >> 20
        );
        return Err(fault(format!("{shown} is too long"), &cure));
    }
    Ok(text)
}

/// What is to be said of a line by which nothing is refused, or a client for ever. Beside what can
/// be touched stand the clients and keys that there are.
fn warning(
    at: &Located<std::path::PathBuf>,
    line: &Line,
    touched: Option<(Touched<'_>, &HashSet<Id>)>,
    now: UnixSeconds,
) -> Option<Fault> {
    let Line {
        number,
        issuer,
        revocation,
    } = line;
    let said = |what: &str, cure: &str| {
        let what = format!("{}, line {number}: {what}", at.value.display());
        Some(fault(at, KEY, what, cure))
    };
    if revocation.reaches_beyond(now) {
        return said(
            "\"issued_until\" is further ahead than clocks may be apart: until then the client \
             gets no token that is taken",
            "write up to which moment its tokens are revoked, in seconds since 1970 (date +%s); a \
             client that is to have none is disabled: `t8gate client disable`",
        );
    }
    let (touched, here) = touched?;
    let (entry, issuer) = (&revocation.entry, issuer.as_deref());
    if let Some(why) = touched.in_vain(entry, issuer) {
        let cure = match why {
            InVain::IssuerUnknown => format!(
                "{}; the line holds where the issuer comes, or comes back",
                touched.cure_of(why)
            ),
            why => touched.cure_of(why),
        };
        return said(why.what(), &cure);
    }
    match entry.id.kind() {
        _ if here.contains(&entry.id) => None,
        Kind::Client => said(
            "no client with this client_id is configured",
            "see whether it is spelt right: it is the client_id, and not the name; the line holds \
             once there is one",
        ),
        Kind::IssuerKey if issuer.is_some_and(|issuer| touched.knows_keys_of(issuer)) => said(
            "the issuer has no key of this name now",
            "see whether it is spelt right: it is the kid in the header of a token, as `t8gate \
             token inspect` shows it; the line holds once there is one, and is to be taken out \
             where the key is gone for good",
        ),
        _ => None,
    }
}

fn lines(
    at: &Located<std::path::PathBuf>,
    text: &str,
    now: UnixSeconds,
) -> Result<Vec<Line>, Vec<Fault>> {
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match of_line(line, now) {
            Ok((issuer, revocation)) => lines.push(Line {
                number,
                issuer,
                revocation,
            }),
            Err(Unmeant { what, cure }) if faults.len() < SAID_MAX => {
                let what = format!("{}, line {number}: {what}", at.value.display());
                faults.push(fault(at, KEY, what, cure));
            }
            Err(_) => {}
        }
    }
    match faults.is_empty() {
        true => Ok(lines),
        false => Err(faults),
    }
}

/// Whose token or key it is about, where it says so, and the revocation.
fn of_line(line: &str, now: UnixSeconds) -> Result<(Option<String>, Revocation), Unmeant> {
    let written = Written::read(line.as_bytes())?;
    if written.names_no_moment() {
        return Err(Unmeant {
            what: "it does not say up to which moment the client's tokens are revoked",
            cure: "add \"issued_until\", in seconds since 1970 (date +%s): the file is read again \
                   and again, and what is issued later is to be good",
        });
    }
    let issuer = written.issuer().map(str::to_owned);
    match written.meant(now)? {
        Meant::Revocation(mut revocation) => {
            // For as long as it stands there.
            revocation.entry.held.until = FOR_EVER;
            Ok((issuer, revocation))
        }
        // A file is read by more than one who keeps a secret.
        Meant::Token(_) => Err(Unmeant {
            what: "it holds a token",
            cure: "take it out, and write its hash as \"token_sha256\" \
                   (cut -d. -f1,2 | tr -d '\\n' | sha256sum), or its \"jti\" and \"issuer\"",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_795_000_000);

    fn read(text: &str) -> Result<Vec<Revocation>, Vec<Fault>> {
        let at = Located {
            value: "revoked.jsonl".into(),
            line: 7,
        };
        let lines = lines(&at, text, NOW)?;
        Ok(lines.into_iter().map(|line| line.revocation).collect())
    }

    #[test]
    fn a_line_is_an_object_a_comment_or_nothing() {
        let text = "# since the theft\n\n{\"client\":\"a\",\"issued_until\":1}\n  \
                    {\"key\":\"first\",\"issuer\":\"https://as.example\"}\n";
        assert_eq!(read(text).unwrap().len(), 2);
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn lines_at_fault_are_named_with_their_cure_and_nothing_of_the_file_is_taken() {
        let faults = read("{\"certificate\":\"00\"}\n{\"clinet\":\"x\"}\n{\"token\":\"a.b.c\"}\n");
        let faults = faults.unwrap_err();
        assert_eq!(faults.len(), 3);
        assert!(
            faults[0]
                .what
                .contains("revoked.jsonl, line 1: it is no SHA-256")
        );
        assert!(faults[1].what.contains("line 2: a member is not known"));
        assert!(faults[2].what.contains("line 3: it holds a token"));
        assert!(faults[2].cure.contains("token_sha256"));
        assert!(
            faults
                .iter()
                .all(|fault| fault.line == 7 && fault.key == KEY)
        );
        assert!(!format!("{faults:?}").contains("a.b.c"), "no token is said");
        let moving = read("{\"client\":\"acme-app\"}").unwrap_err();
        assert!(moving[0].what.contains("up to which moment"));
        assert_eq!(read(&"x\n".repeat(50)).unwrap_err().len(), SAID_MAX);
    }
}
