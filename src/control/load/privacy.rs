//! What no identity of a subscriber passes.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Report, Running, fault, policy, tickets};
use crate::clock::UnixSeconds;
use crate::config::regular_file::{self, NotOpened, Stamp};
use crate::config::{Config, Fault, Located, Until};
use crate::limits::UE_SETS_BYTES_MAX;
use crate::privacy::filter::{CHECKSUM_BYTES, Ends, HEAD_BYTES};
use crate::privacy::{Action, FieldKinds, Filter, Guard, Plmns, PseudonymKey, Scanner};

pub(super) const PLMNS_KEY: &str = "privacy.plmns";
const SECRET_KEY: &str = "privacy.pseudonym_secret_file";
const KNOWN_KEY: &str = "privacy.known_subscribers_file";

/// The guard, and the file of known subscribers as it was when it was read; none of that where it
/// may change without another stamp.
pub(super) type Guarded = (Arc<Guard>, Option<Stamp>);

/// None where it cannot be had.
pub(super) fn configured(
    config: &Config,
    running: Option<Running<'_>>,
    report: &mut Report,
) -> Option<Guarded> {
    let privacy = &config.privacy;
    let before = running.and_then(|running| {
        let snapshot = running.snapshot;
        Some((snapshot.guard.known()?, snapshot.known_from))
    });
    let found = key(config, running).and_then(|key| {
        let known = privacy.known_subscribers.as_ref();
        let known = known.map(|at| known_of(at, before, &key, UnixSeconds::now()));
        let (known, from) = known.transpose()?.unzip();
        let mut fields = FieldKinds::default();
        if privacy.hide_network {
            fields = fields.nef(&privacy.network_shown);
        }
        let plmns = Plmns::new(privacy.plmns.iter().copied());
        let scanner = Scanner::new(plmns, privacy.devices);
        let done = match privacy.action {
            Action::Block => "withheld",
            Action::Redact => "taken out",
            Action::Alarm => "withheld, but for those of nobody",
        };
        let known_ones = known.as_ref().map_or(String::new(), |known| {
            format!(", {} of whom are known", known.len())
        });
        let networks = privacy.plmns.len();
        let detail = format!("those of subscribers of {networks} networks{known_ones}: {done}");
        let guard = Guard::new(scanner, fields, privacy.action, known, key);
        Ok(((Arc::new(guard), from.flatten()), detail))
    });
    if privacy.plmns.is_empty() {
        let at = Located { value: (), line: 0 };
        let what = "no network is named: IMSIs that do not say themselves what they are pass";
        let cure = "name the operator's networks, MCC-MNC: plmns = [\"001-01\"]";
        report.warnings.push(fault(&at, PLMNS_KEY, what, cure));
    }
    report.note("identities kept inside", found)
}

/// What pseudonyms are made with; where nothing is said, the same until the next start.
fn key(config: &Config, running: Option<Running<'_>>) -> Result<PseudonymKey, Fault> {
    if let Some(file) = &config.privacy.pseudonym_secret {
        return tickets::from_file(file, &file.value, SECRET_KEY, PseudonymKey::from_octets);
    }
    if let Some(running) = running
        && running.config.privacy.pseudonym_secret.is_none()
    {
        return Ok(running.snapshot.guard.key().clone());
    }
    PseudonymKey::random().map_err(|what| Fault {
        file: None,
        line: 0,
        key: SECRET_KEY.to_owned(),
        what,
        cure: "check the system's random number source".to_owned(),
        until: Until::Back,
    })
}

/// The set in use, where the file is still the one that it was read from, and the file's stamp.
fn known_of(
    at: &Located<PathBuf>,
    before: Option<(&Filter, Option<Stamp>)>,
    key: &PseudonymKey,
    now: UnixSeconds,
) -> Result<(Filter, Option<Stamp>), Fault> {
    let name = at.value.display();
    let cure = "name the file that t8gate policy subscribers --out has written; put another in its \
                place by renaming it, never by writing into it";
    let unread = |error: io::Error| {
        fault(
            at,
            KNOWN_KEY,
            format!("{name} cannot be read: {error}"),
            cure,
        )
    };
    let mut file = regular_file::open(&at.value).map_err(|why| match why {
        NotOpened::Kernel(error) => unread(error),
        NotOpened::NotRegular => {
            fault(at, KNOWN_KEY, format!("{name} is not a regular file"), cure)
        }
    })?;
    let found = file.metadata().map_err(unread)?;
    // Before it is read: what is written meanwhile gives another.
    let stamp = Stamp::of_found(&found);
    let settled = Some(stamp).filter(|stamp| stamp.has_settled(now));
    let bytes = found.len();
    if bytes > UE_SETS_BYTES_MAX {
        return Err(fault(at, KNOWN_KEY, format!("{name} is too large"), cure));
    }
    if let Some((before, from)) = before
        && let Some(ends) = ends(&mut file, bytes).map_err(unread)?
        && before.is_of(&ends, key)
    {
        if from == Some(stamp) || policy::has_octets(&mut file, before.octets()).map_err(unread)? {
            return Ok((before.clone(), settled));
        }
        // Damaged between its ends: said as of any other.
        file.rewind().map_err(unread)?;
    }
    let octets = policy::copied(&mut file, bytes).map_err(unread)?;
    let known = Filter::read(Arc::new(octets), key);
    let known =
        known.map_err(|wrong| fault(at, KNOWN_KEY, format!("{name} {}", wrong.word()), cure))?;
    if known.is_empty() {
        let cure = "make one of subscribers, or leave the key out: by this one nobody is known, \
                    and digits that may be somebody's would be let through";
        return Err(fault(
            at,
            KNOWN_KEY,
            format!("{name} has no subscriber"),
            cure,
        ));
    }
    Ok((known, settled))
}

fn ends(file: &mut File, bytes: u64) -> io::Result<Option<Ends>> {
    if bytes < (HEAD_BYTES + CHECKSUM_BYTES) as u64 {
        return Ok(None);
    }
    let (mut head, mut sum) = ([0; HEAD_BYTES], [0; CHECKSUM_BYTES]);
    file.read_exact(&mut head)?;
    file.seek(SeekFrom::End(-(CHECKSUM_BYTES as i64)))?;
    file.read_exact(&mut sum)?;
    file.rewind()?;
    Ok(Some(Ends { bytes, head, sum }))
}
