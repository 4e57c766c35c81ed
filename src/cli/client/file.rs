//! Files of clients as they are written: whole or not at all, for the owner and group of their
//! folder.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Refused, refused};

/// Readable for the owner and the group: the gateway is one of them, and names of partners are
/// nothing for others.
const MODE: u32 = 0o640;

/// Where the file of a client of this name is. The name has no separator in it, and does not begin
/// with a dot: it leads nowhere else, and to a file that is read.
pub(super) fn path(folder: &Path, name: &str) -> Result<PathBuf, Refused> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if (1..=64).contains(&name.len()) && name.bytes().all(letter) && !name.starts_with('.') {
        return Ok(folder.join(format!("{name}.toml")));
    }
    let cure = "take from 1 to 64 letters, digits, hyphens, underscores and dots, no dot first";
    Err(refused(format!("{name:?} names no client's file"), cure))
}

/// Writes a file that is not there yet, and no other than such a one.
pub(super) fn create(path: &Path, text: &str) -> Result<(), Refused> {
    let folder = folder_of(path);
    let made = written(&folder, text, || fs::metadata(&folder), MODE).and_then(|file| {
        { file.persist_noclobber(path) }.map_err(|unkept| unkept.error)?;
        File::open(&folder)?.sync_all()
    });
    made.map_err(|error| unwritable(path, &error))
}

/// Writes a file anew that is there, for those who could read it.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), Refused> {
    // A link stays one: what it leads to is written.
    let made = fs::canonicalize(path).and_then(|path| {
        let folder = folder_of(&path);
        let mode = fs::metadata(&path)?.mode() & 0o777;
        let file = written(&folder, text, || fs::metadata(&path), mode)?;
        file.persist(&path).map_err(|unkept| unkept.error)?;
        File::open(&folder)?.sync_all()
    });
    made.map_err(|error| unwritable(path, &error))
}

fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new(".")).to_path_buf()
}

/// A file of a hidden name beside the one it is to become, on the disk.
fn written(
    folder: &Path,
    text: &str,
    like: impl FnOnce() -> io::Result<fs::Metadata>,
    mode: u32,
) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let mut file = builder.prefix(".").suffix(".tmp").tempfile_in(folder)?;
    let like = like()?;
    let made = file.as_file().metadata()?;
    if (made.uid(), made.gid()) != (like.uid(), like.gid()) {
        // Who may not give a file away has made it for a group of its own, and it is read by that.
        let _ = fchown(file.as_file(), Some(like.uid()), Some(like.gid()))
            .or_else(|_| fchown(file.as_file(), None, Some(like.gid())));
    }
    file.as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn unwritable(path: &Path, error: &io::Error) -> Refused {
    if error.kind() == io::ErrorKind::AlreadyExists {
        let cure = "t8gate client show says what is in it; edit it, or take it out first";
        return refused(format!("{} is there already", path.display()), cure);
    }
    let cure = "run it as a user who may write in that folder";
    refused(
        format!("{} cannot be written: {error}", path.display()),
        cure,
    )
}
