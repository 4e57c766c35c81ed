//! Revocations on disk: one file of `redb`, which is fsynced with every commit and whole after any
//! crash. What is revoked is in it before anybody is told so.
//!
//! ```text
//!   key   = kind (1) | digest (32)
//!   value = layout (1) | until (8) | issued until (8) | undated until (8) | made at (8) | name
//! ```

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase as _, ReadableTable as _,
    ReadableTableMetadata as _, StorageError, TableDefinition,
};

use super::id::ID_BYTES;
use super::{Entry, Held, Id, Kind};
use crate::clock::UnixSeconds;

const REVOKED: TableDefinition<'static, [u8; ID_BYTES], &'static [u8]> =
    TableDefinition::new("revoked");
/// How values are laid out: a store of another layout is not read.
const LAYOUT: u8 = 2;
/// Pages of the store kept in memory. All that is looked up is in memory anyway.
const CACHE_BYTES: usize = 4 << 20;
/// Client ids and issuers are its only content: none but the gateway's user may change it.
const MODE: u32 = 0o600;
/// A store that is smaller is not worth making smaller.
const COMPACTED_BYTES_MIN: u64 = 4 << 20;

/// Why the store cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFault {
    pub what: String,
    pub cure: &'static str,
    /// Until somebody mends it; else it may be gone by itself.
    pub lasts: bool,
}

/// The open file.
pub(super) struct Store {
    path: PathBuf,
    /// Device and inode: another file may take the path.
    id: (u64, u64),
    database: Database,
    is_new: bool,
}

impl Store {
    /// Opens the store, or makes it, and reads all that is in it.
    ///
    /// # Errors
    /// It cannot be read or written, is damaged, or somebody else has it.
    pub fn open(path: &Path) -> Result<(Self, Vec<Entry>), StoreFault> {
        // It reads what may be anything, and says of itself that it may panic at that.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let (file, id) = file(path)?;
            let backend = FileBackend::new(file).map_err(|error| database_fault(path, &error))?;
            let mut builder = Builder::new();
            builder.set_cache_size(CACHE_BYTES);
            // A bit that has changed must not make another revocation of one.
            builder.set_check_integrity_on_open(true);
            let database = builder.create_with_backend(backend);
            let database = database.map_err(|error| database_fault(path, &error))?;
            let mut store = Self {
                path: path.to_owned(),
                id,
                database,
                is_new: false,
            };
            store.is_new = store.prepare()?;
            let entries = store.read()?;
            Ok((store, entries))
        }));
        opened.unwrap_or_else(|_| Err(damaged(path, "it cannot be made sense of")))
    }

    /// Whether it was made when it was opened: nothing is revoked by it then.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether a start would find this file: what is written into one that has been removed is
    /// lost.
    ///
    /// # Errors
    /// It would not.
    pub fn is_in_place(&self) -> Result<(), StoreFault> {
        match std::fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == self.id => Ok(()),
            _ => Err(StoreFault {
                what: format!("{} has been removed or replaced", shown(&self.path)),
                cure: "see who did that, a cleaner of old files perhaps: what is in force is \
                       written into another file in its place",
                lasts: false,
            }),
        }
    }

    /// Writes and removes entries, all or none. When it returns, they are on the disk.
    ///
    /// # Errors
    /// They may be there or not: the store is to be opened again before anything else.
    pub fn write(
        &self,
        put: impl IntoIterator<Item = Entry>,
        removed: impl IntoIterator<Item = Id>,
    ) -> Result<(), StoreFault> {
        let written = catch_unwind(AssertUnwindSafe(|| -> Result<(), redb::Error> {
            let mut transaction = self.database.begin_write()?;
            // One fsync more, and no way for a crash to leave a part of it.
            transaction.set_two_phase_commit(true);
            {
                let mut table = transaction.open_table(REVOKED)?;
                for entry in put {
                    table.insert(entry.id.octets(), value(&entry).as_slice())?;
                }
                for id in removed {
                    table.remove(id.octets())?;
                }
            }
            Ok(transaction.commit()?)
        }));
        let written = written.unwrap_or_else(|_| {
            let what = "it cannot be made sense of".to_owned();
            Err(redb::Error::Corrupted(what))
        });
        written.map_err(|error| fault(&self.path, &error))?;
        self.is_in_place()
    }

    /// Writes an entry that is there once more, or one that it takes out with the same commit, to
    /// see whether that can be done.
    ///
    /// # Errors
    /// It cannot: the store is to be opened again before anything else.
    pub fn try_out(&self) -> Result<(), StoreFault> {
        let first = || -> Result<Option<Entry>, redb::Error> {
            let transaction = self.database.begin_read()?;
            let table = transaction.open_table(REVOKED)?;
            let first = table.first()?;
            Ok(first.and_then(|(key, value)| entry(key.value(), value.value())))
        };
        let first = catch_unwind(AssertUnwindSafe(first))
            .unwrap_or_else(|_| Err(redb::Error::Corrupted("it has no first entry".to_owned())));
        if let Some(first) = first.map_err(|error| fault(&self.path, &error))? {
            return self.write([first], []);
        }
        let nobody = Entry {
            id: Id::client(""),
            held: Held {
                until: UnixSeconds(0),
                issued_until: UnixSeconds(0),
                undated_until: UnixSeconds(0),
            },
            at: UnixSeconds(0),
            name: String::new(),
        };
        let taken_out = nobody.id;
        self.write([nobody], [taken_out])
    }

    /// All that is in it.
    ///
    /// # Errors
    /// It cannot be read, or is of another version of the gateway.
    pub fn read(&self) -> Result<Vec<Entry>, StoreFault> {
        let mut entries = Vec::new();
        let mut read = || -> Result<bool, redb::Error> {
            let transaction = self.database.begin_read()?;
            let table = transaction.open_table(REVOKED)?;
            for found in table.iter()? {
                let (key, value) = found?;
                let Some(entry) = entry(key.value(), value.value()) else {
                    return Ok(false);
                };
                entries.push(entry);
            }
            Ok(true)
        };
        match read() {
            Ok(true) => Ok(entries),
            Ok(false) => Err(StoreFault {
                what: format!(
                    "{} was written by another version of t8gate",
                    shown(&self.path)
                ),
                cure: "start the version that wrote it, or name another file for the store",
                lasts: true,
            }),
            Err(error) => Err(fault(&self.path, &error)),
        }
    }

    /// Some of those that can be taken back, and whether there are more.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn list(&self, at_most: usize) -> Result<(Vec<Entry>, bool), StoreFault> {
        // In front of all of its kind, and behind all tokens.
        let mut first = [0; ID_BYTES];
        first[0] = Kind::Client as u8;
        let list = || -> Result<(Vec<Entry>, bool), redb::Error> {
            let transaction = self.database.begin_read()?;
            let table = transaction.open_table(REVOKED)?;
            let mut found = table.range(first..)?;
            let mut entries = Vec::new();
            for row in found.by_ref().take(at_most) {
                let (key, value) = row?;
                entries.extend(entry(key.value(), value.value()));
            }
            Ok((entries, found.next().is_some()))
        };
        list().map_err(|error| fault(&self.path, &error))
    }

    /// Gives back what removed entries have left of the file, where that is most of it. It takes
    /// a moment for every megabyte.
    ///
    /// # Errors
    /// The store is to be opened again before anything else.
    pub fn compact(&mut self) -> Result<(), StoreFault> {
        let compacted = catch_unwind(AssertUnwindSafe(|| -> Result<(), redb::Error> {
            let stored = {
                let transaction = self.database.begin_read()?;
                let stats = transaction.open_table(REVOKED)?.stats()?;
                stats.stored_bytes() + stats.metadata_bytes()
            };
            let length = std::fs::metadata(&self.path).map_or(0, |found| found.len());
            if length >= COMPACTED_BYTES_MIN && length / 4 > stored {
                self.database.compact()?;
            }
            Ok(())
        }));
        let compacted = compacted.unwrap_or_else(|_| {
            let what = "it cannot be made sense of".to_owned();
            Err(redb::Error::Corrupted(what))
        });
        compacted.map_err(|error| fault(&self.path, &error))
    }

    /// Makes the table of a new store, so that whoever reads finds one, and sees that the file will
    /// be found after a crash of the whole machine: whoever made it may have died before. Whether
    /// there was none.
    fn prepare(&self) -> Result<bool, StoreFault> {
        let is_new = || -> Result<bool, redb::Error> {
            let transaction = self.database.begin_read()?;
            match transaction.open_table(REVOKED) {
                Ok(_) => Ok(false),
                Err(redb::TableError::TableDoesNotExist(_)) => Ok(true),
                Err(error) => Err(error.into()),
            }
        };
        let is_new = is_new().map_err(|error| fault(&self.path, &error))?;
        if is_new {
            self.write([], [])?;
        }
        let folder = folder(&self.path);
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| fault(&self.path, &redb::Error::Io(error)))?;
        Ok(is_new)
    }
}

/// Of a path that may have none.
pub fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}

/// The open file, and its device and inode.
fn file(path: &Path) -> Result<(File, (u64, u64)), StoreFault> {
    let mut options = OpenOptions::new();
    // Without waiting: what has taken the file's place may be a pipe.
    options.custom_flags(libc::O_NONBLOCK);
    let opened = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .open(path);
    let unreadable = |error: io::Error| fault(path, &redb::Error::Io(error));
    let file = opened.map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(StoreFault {
            what: format!("{} is not a regular file", shown(path)),
            cure: "name a file of its own for the store",
            lasts: true,
        });
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreFault {
            what: format!(
                "{} is open to others than its owner (mode {mode:03o})",
                shown(path)
            ),
            cure: "chmod 600 it; if others could write it, see what they took out of it",
            lasts: true,
        });
    }
    Ok((file, (metadata.dev(), metadata.ino())))
}

fn shown(path: &Path) -> String {
    format!("the store of revocations {path:?}")
}

fn damaged(path: &Path, how: &str) -> StoreFault {
    StoreFault {
        what: format!("{} is damaged: {how}", shown(path)),
        cure: "put back a copy of it; without one, name another file and revoke again what must \
               stay revoked: an empty store forgets all of it",
        lasts: true,
    }
}

fn database_fault(path: &Path, error: &DatabaseError) -> StoreFault {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => StoreFault {
            what: format!("{} is in use by another process", shown(path)),
            cure: "each gateway needs a store of its own: see whether another one is running",
            lasts: false,
        },
        DatabaseError::UpgradeRequired(_) => damaged(path, "it has an older format"),
        DatabaseError::Storage(StorageError::Io(error)) => io_fault(path, error),
        error => damaged(path, &error.to_string()),
    }
}

fn fault(path: &Path, error: &redb::Error) -> StoreFault {
    match error {
        redb::Error::Io(error) => io_fault(path, error),
        // The fault before it has been told.
        redb::Error::PreviousIo => io_fault(path, &io::ErrorKind::Other.into()),
        error => damaged(path, &error.to_string()),
    }
}

fn io_fault(path: &Path, error: &io::Error) -> StoreFault {
    use io::ErrorKind::{
        FileTooLarge, InvalidData, IsADirectory, NotADirectory, NotFound, PermissionDenied,
        QuotaExceeded, ReadOnlyFilesystem, StorageFull, UnexpectedEof,
    };
    let (cure, lasts) = match error.kind() {
        InvalidData | UnexpectedEof => return damaged(path, &error.to_string()),
        StorageFull | QuotaExceeded | FileTooLarge => (
            "make room on its disk; nothing is revoked until then",
            false,
        ),
        ReadOnlyFilesystem => ("mount its file system for writing", false),
        NotFound | NotADirectory => ("make its folder, for the user of the gateway", true),
        PermissionDenied | IsADirectory => (
            "let the user of the gateway write it, and make files in its folder",
            true,
        ),
        _ => ("see whether its disk answers", false),
    };
    StoreFault {
        what: format!("{} cannot be used: {error}", shown(path)),
        cure,
        lasts,
    }
}

fn value(entry: &Entry) -> Vec<u8> {
    let Held {
        until,
        issued_until,
        undated_until,
    } = entry.held;
    let numbers = [until, issued_until, undated_until, entry.at];
    let mut value = Vec::with_capacity(1 + 4 * 8 + entry.name.len());
    value.push(LAYOUT);
    for UnixSeconds(number) in numbers {
        value.extend_from_slice(&number.to_be_bytes());
    }
    value.extend_from_slice(entry.name.as_bytes());
    value
}

fn entry(key: [u8; ID_BYTES], value: &[u8]) -> Option<Entry> {
    let (&LAYOUT, rest) = value.split_first()? else {
        return None;
    };
    let (numbers, name) = rest.split_at_checked(4 * 8)?;
    let (numbers, _) = numbers.as_chunks::<8>();
    let [until, issued_until, undated_until, at] = *numbers else {
        return None;
    };
    let seconds = |octets| UnixSeconds(u64::from_be_bytes(octets));
    Some(Entry {
        id: Id::of_octets(key)?,
        held: Held {
            until: seconds(until),
            issued_until: seconds(issued_until),
            undated_until: seconds(undated_until),
        },
        at: seconds(at),
        name: String::from_utf8(name.to_vec()).ok()?,
    })
}
