//! Files that are opened again and again while the gateway serves, by whose hand so ever they were
//! put there: nothing that is no regular file is opened, and nothing is waited for.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::clock::UnixSeconds;

/// Why a file is not opened.
#[derive(Debug)]
pub enum NotOpened {
    /// A pipe, a device, a socket or a folder stands there.
    NotRegular,
    /// The kernel does not open it.
    Kernel(io::Error),
}

impl From<io::Error> for NotOpened {
    fn from(error: io::Error) -> Self {
        Self::Kernel(error)
    }
}

/// Opens a regular file to read it.
///
/// # Errors
/// It is none, or the kernel's.
pub fn open(path: &Path) -> Result<File, NotOpened> {
    // Looked at first: to open a device may already do something.
    if !fs::metadata(path)?.is_file() {
        return Err(NotOpened::NotRegular);
    }
    // And without waiting: it may have become a pipe since, which nobody writes to.
    let mut options = File::options();
    options.read(true);
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = options.open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(NotOpened::NotRegular),
    }
}

/// What tells one content of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// None where there is no such file.
    pub fn of(file: &Path) -> Option<Self> {
        let found = fs::metadata(file).ok()?;
        Some(Self::of_found(&found))
    }

    /// Of a file that was looked at.
    pub fn of_found(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
            // Not when it was written last: that it can be read now is a change.
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    /// Whether what is written from now on gives another: clocks of file systems stand still for
    /// some milliseconds.
    pub fn has_settled(&self, now: UnixSeconds) -> bool {
        u64::try_from(self.changed.0).is_ok_and(|changed| changed.saturating_add(1) < now.0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn regular_file_alone_is_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "read").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        let made = Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        let _socket = UnixListener::bind(at("socket")).unwrap();
        for name in ["file", "link"] {
            let mut text = String::new();
            let mut file = open(&at(name)).unwrap();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, "read");
        }
        let others = [at("pipe"), at("socket"), folder.path().into()];
        for other in others
            .iter()
            .map(|path| path.as_path())
            .chain([Path::new("/dev/zero")])
        {
            let opened = open(other);
            assert!(matches!(opened, Err(NotOpened::NotRegular)), "{opened:?}");
        }
        let none = open(&at("none"));
        assert!(matches!(none, Err(NotOpened::Kernel(_))), "{none:?}");
    }

    #[test]
    fn stamp_counts_once_its_file_has_not_changed_for_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "read").unwrap();
        let found = fs::metadata(&file).unwrap();
        let stamp = Stamp::of_found(&found);
        assert_eq!(Stamp::of(&file), Some(stamp));
        let changed = u64::try_from(found.ctime()).unwrap();
        let settled = [0, 1, 2].map(|later| stamp.has_settled(UnixSeconds(changed + later)));
        assert_eq!(settled, [false, false, true]);
    }
}
