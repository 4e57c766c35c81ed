//! The operator's file of what is revoked: a JSON object in each line, as the admin socket takes
//! them. One line that is not understood, and nothing of the file comes into force: whoever wrote
//! it is told which.

use std::io::Read as _;
use std::path::Path;

use super::load::{Report, fault};
use crate::clock::UnixSeconds;
use crate::config::regular_file::{self, NotOpened};
use crate::config::{Config, Fault, Located};
use crate::limits::REVOKED_FILE_BYTES_MAX;
use crate::revoked::{FOR_EVER, Meant, Revocation, Unmeant, Written};

const KEY: &str = "revocation.revoked";
/// Faults of lines that are said; the others are likely to be of the same kind.
const SAID_MAX: usize = 10;

/// What the file says, where there is one.
pub(super) fn read(config: &Config, now: UnixSeconds, report: &mut Report) -> Vec<Revocation> {
    let Some(file) = &config.revocation.revoked else {
        return Vec::new();
    };
    let read = text(file).and_then(|text| revocations(file, &text, now));
    match read {
        Ok(revocations) => {
            let detail = format!("{} entries", revocations.len());
            report.note("revoked by file", Ok(((), detail)));
            revocations
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

fn revocations(
    at: &Located<std::path::PathBuf>,
    text: &str,
    now: UnixSeconds,
) -> Result<Vec<Revocation>, Vec<Fault>> {
    let (mut revocations, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match of_line(line, now) {
            Ok(revocation) => revocations.push(revocation),
            Err(Unmeant { what, cure }) if faults.len() < SAID_MAX => {
                let what = format!("{}, line {number}: {what}", at.value.display());
                faults.push(fault(at, KEY, what, cure));
            }
            Err(_) => {}
        }
    }
    match faults.is_empty() {
        true => Ok(revocations),
        false => Err(faults),
    }
}

fn of_line(line: &str, now: UnixSeconds) -> Result<Revocation, Unmeant> {
    let written = Written::read(line.as_bytes())?;
    if written.names_no_moment() {
        return Err(Unmeant {
            what: "it does not say up to which moment the client's tokens are revoked",
            cure: "add \"issued_until\", in seconds since 1970 (date +%s): the file is read again \
                   and again, and what is issued later is to be good",
        });
    }
    match written.meant(now)? {
        Meant::Revocation(mut revocation) => {
            // For as long as it stands there.
            revocation.entry.held.until = FOR_EVER;
            Ok(revocation)
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
        revocations(&at, text, NOW)
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
