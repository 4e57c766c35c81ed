//! Files that are looked at for changes. Whoever reads them has their stamps taken before: what
//! changes while they are read is seen at the next look.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use crate::config::regular_file;
use crate::config::{self, Config, Fault};

/// What tells one content of a file from another; none where it is not there.
pub(super) type Stamp = Option<regular_file::Stamp>;
pub type Stamps = BTreeMap<PathBuf, Stamp>;

/// Looks for which a file that has settled waits for others that have not: they may belong
/// together, and one that never settles is not to keep it from being read.
const LOOKS_MAX: u32 = 3;

/// Reads a configuration as at a start: what could be read, all that is wrong with it so far, and
/// the files that it was read from.
pub fn examine(file: &Path) -> (Option<Config>, Vec<Fault>, Stamps) {
    let mut stamps = Stamps::from([(file.to_path_buf(), stamp(file))]);
    let (config, faults) = config::examine_first(file, |named| {
        if named.is_read() {
            stamps.insert(named.path.clone(), stamp(&named.path));
        }
    });
    (config, faults, stamps)
}

/// The configuration file, what is in force of the files that it names, and those that were named
/// by what was refused since.
pub(super) struct Watched {
    /// As of before they were read last.
    stamps: Stamps,
    /// Those that differed at the last look, as they were then.
    differing: Stamps,
    /// Looks in a row at which some had settled and others had not.
    unsettled: u32,
}

impl Watched {
    pub(super) fn new(stamps: Stamps) -> Self {
        Self {
            stamps,
            differing: Stamps::new(),
            unsettled: 0,
        }
    }

    /// Looks at them. A change counts once two looks have found the same of a file, so that one
    /// half-written does not.
    pub(super) fn have_changed(&mut self) -> bool {
        let looked_at = self.stamps.iter();
        let looked_at = looked_at.map(|(file, before)| (file, before, stamp(file)));
        let differing = looked_at.filter(|(_, before, now)| now != *before);
        let differing: Stamps = differing
            .map(|(file, _, now)| (file.clone(), now))
            .collect();
        let before = std::mem::replace(&mut self.differing, differing);
        let settled = self.differing.iter();
        let settled = settled.filter(|(file, now)| before.get(*file) == Some(*now));
        match settled.count() {
            0 => self.unsettled = 0,
            all if all == self.differing.len() => return true,
            _ => self.unsettled += 1,
        }
        self.unsettled > LOOKS_MAX
    }

    /// To be called before they are read.
    pub(super) fn are_to_be_read(&mut self) {
        let files = self.stamps.keys();
        let stamps = files.map(|file| (file.clone(), stamp(file)));
        *self = Self::new(stamps.collect());
    }

    /// Looks at what was `named` by what was read, and at what is in force, and at nothing else.
    pub(super) fn look_at(&mut self, named: Stamps, in_force: &Config) {
        // There may be thousands, as each client may have one.
        let in_force: HashSet<_> = in_force.files.iter().chain([&in_force.file]).collect();
        self.stamps
            .retain(|file, _| named.contains_key(file) || in_force.contains(file));
        for (file, stamp) in named {
            // Of a file that was looked at already, the older stamp shows any change.
            self.stamps.entry(file).or_insert(stamp);
        }
    }
}

pub(super) fn stamp(file: &Path) -> Stamp {
    regular_file::Stamp::of(file)
}
