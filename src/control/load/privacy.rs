//! What no identity of a subscriber passes.

use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Report, fault};
use crate::config::{Config, Fault, Located};
use crate::privacy::{Action, FieldKinds, Guard, Plmns, PseudonymKey, Scanner};

const SECRET_KEY: &str = "privacy.pseudonym_secret_file";
const PLMNS_KEY: &str = "privacy.plmns";

/// None where it cannot be had.
pub(super) fn configured(config: &Config, report: &mut Report) -> Option<Arc<Guard>> {
    let privacy = &config.privacy;
    let key = match &privacy.pseudonym_secret {
        Some(file) => of_file(file),
        None => PseudonymKey::random().map_err(|what| {
            let at = Located { value: (), line: 0 };
            fault(&at, SECRET_KEY, what, "see what ails this machine")
        }),
    };
    let found = key.map(|key| {
        let plmns = Plmns::new(privacy.plmns.iter().copied());
        let scanner = Scanner::new(plmns, privacy.devices);
        let guard = Guard::new(scanner, FieldKinds::default(), Action::Block, None, key);
        let detail = format!("subscribers of {} networks", privacy.plmns.len());
        (Arc::new(guard), detail)
    });
    if privacy.plmns.is_empty() {
        let at = Located { value: (), line: 0 };
        let what = "no network is named: IMSIs that do not say themselves what they are pass";
        let cure = "name the operator's networks, MCC-MNC: plmns = [\"001-01\"]";
        report.warnings.push(fault(&at, PLMNS_KEY, what, cure));
    }
    report.note("identities kept inside", found)
}

fn of_file(file: &Located<PathBuf>) -> Result<PseudonymKey, Fault> {
    // Not even the path: a secret may have been written there by mistake.
    let cure = "(umask 077; openssl rand -base64 32 > FILE) makes one; all nodes need the same";
    let octets = std::fs::read(&file.value).map(Zeroizing::new);
    let octets = octets.map_err(|error| {
        let what = format!("the file of the secret cannot be read: {}", error.kind());
        fault(file, SECRET_KEY, what, cure)
    })?;
    PseudonymKey::from_octets(&octets).map_err(|what| {
        fault(
            file,
            SECRET_KEY,
            format!("the file of the secret {what}"),
            cure,
        )
    })
}
