//! The files a configuration names: whether they are there, can be read, and are of their kind.
//! What is in them is judged by the rooms that use them.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::{PemObject as _, SectionKind};

use super::value::Wrong;
use super::{Fault, Until};

/// Larger files are refused unread: a CA bundle of the whole web has 0.2 MiB.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// `sun_path` has 108, with a zero octet at its end and a suffix while it is made.
const SOCKET_PATH_BYTES_MAX: usize = 100;

const NOT_REGULAR: &str = "is not a regular file";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FileKind {
    Certificates,
    PrivateKey,
    PublicKey,
    Jwks,
    Module,
    Pin,
    Secret,
    /// A revocation list; what is in it is judged by whoever verifies it.
    Crl,
    /// A certificate's status, likewise.
    Ocsp,
    /// Files are made in it.
    Folder,
    /// Files of clients are in it, or it is one of them: both are judged by who reads them.
    Clients,
    /// Written to, and made where it is not there.
    Appended,
    /// What is revoked, as the gateway writes it down: for nobody else, and made where it is not
    /// there.
    Store,
    /// What is revoked, as the operator writes it down. It may be empty.
    Revoked,
    /// A Unix socket that is made at a start.
    Socket,
    /// UE sets as they were built, which may be larger than any other; judged by who reads them.
    UeSets,
}

impl FileKind {
    /// Whether the gateway makes it, and changes it.
    fn is_made_here(self) -> bool {
        matches!(self, Self::Appended | Self::Store | Self::Socket)
    }
}

/// A file, and the key that names it.
#[derive(Debug)]
pub struct NamedFile {
    /// The client's file that names it; none: the configuration file itself.
    pub(super) named_in: Option<PathBuf>,
    /// Of that file, from 1.
    pub line: usize,
    pub(super) key: String,
    pub path: PathBuf,
    pub(super) kind: FileKind,
}

impl NamedFile {
    /// Whether a change of it has the configuration read again: revocation lists and
    /// statuses have keepers of their own, who also write into folders.
    pub fn is_read(&self) -> bool {
        let is_ours = self.kind.is_made_here() || self.kind == FileKind::Folder;
        !is_ours && !self.is_kept() && self.kind != FileKind::Module
    }

    /// Whether another file in its place may be right where this one is wrong. The gateway itself
    /// changes what it appends to and folders, which may come yet where they are away.
    pub fn can_be_mended(&self) -> bool {
        match self.kind {
            kind if kind.is_made_here() => false,
            FileKind::Folder => !self.path.exists(),
            _ => true,
        }
    }

    /// Whether it has a keeper, who goes by what is known where it is away.
    pub fn is_kept(&self) -> bool {
        matches!(self.kind, FileKind::Crl | FileKind::Ocsp)
    }

    /// Whether it holds up whoever opens it, or does something else then than being read. Those who
    /// keep lists and statuses see to that themselves.
    pub(super) fn holds_up(&self) -> bool {
        let strange = |found: fs::Metadata| !found.is_file() && !found.is_dir();
        self.can_be_mended() && !self.is_kept() && fs::metadata(&self.path).is_ok_and(strange)
    }

    /// Looks at the file.
    pub(super) fn check(self) -> Result<(), Fault> {
        let Self {
            named_in,
            line,
            key,
            path,
            kind,
        } = self;
        check(&path, kind).map_err(|Wrong { what, cure }| Fault {
            file: named_in,
            line,
            key,
            what,
            cure,
            until: Until::Mended,
        })
    }
}

fn check(path: &Path, kind: FileKind) -> Result<(), Wrong> {
    match kind {
        FileKind::Appended => return appended(path),
        FileKind::Folder => return folder(path),
        FileKind::Clients => return Ok(()),
        FileKind::Store => return store(path),
        FileKind::Socket => return socket(path),
        _ => {}
    }
    // Not even the path where a secret may have been written by mistake.
    let name = match kind {
        FileKind::Pin => "the PIN file".to_owned(),
        FileKind::Secret => "the file of the secret".to_owned(),
        _ => format!("the file {path:?}"),
    };
    let unreadable = |error: std::io::Error| {
        let cure = "relative paths start at the folder of the configuration file; the user of \
                    the gateway must be able to read it";
        Wrong::new(format!("{name} cannot be read: {error}"), cure)
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        let what = format!("{name} {NOT_REGULAR}");
        return Err(Wrong::new(what, "name a regular file"));
    }
    let file = File::open(path).map_err(unreadable)?;
    if metadata.len() == 0 && kind != FileKind::Revoked {
        return Err(Wrong::new(
            format!("{name} is empty"),
            "fill it, or name another",
        ));
    }
    match kind {
        FileKind::Module
        | FileKind::Crl
        | FileKind::Ocsp
        | FileKind::Revoked
        | FileKind::UeSets => return Ok(()),
        // What is in it is read by the room that needs it, and by nobody else.
        FileKind::Pin => return closed(&metadata, &name, "PIN"),
        FileKind::Secret => return closed(&metadata, &name, "secret"),
        _ => {}
    }
    if metadata.len() > BYTES_MAX {
        let cure = format!("at most {} MiB are read", BYTES_MAX >> 20);
        return Err(Wrong::new(format!("{name} is too large"), cure));
    }
    if kind == FileKind::PrivateKey {
        let cure = "write an unencrypted private key in PEM (PKCS#8, SEC1 or PKCS#1)";
        let key = PrivateKeyDer::from_pem_reader(file);
        return key
            .map(drop)
            .map_err(|_| Wrong::new(format!("{name} holds no PEM private key"), cure));
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    match kind {
        FileKind::Jwks => jwks(&bytes, &name),
        FileKind::PublicKey => pem(&bytes, SectionKind::PublicKey, &name, "public key"),
        _ => pem(&bytes, SectionKind::Certificate, &name, "certificate"),
    }
}

/// Whether a fault is that something else stands in a file's place, for which none is opened.
pub fn is_of_no_file(fault: &Fault) -> bool {
    fault.what.ends_with(NOT_REGULAR)
}

/// Whether none but its owner can open a file that holds a secret, where it is there: what is wrong
/// with what is so `called`, and the cure.
///
/// # Errors
/// Others can.
pub fn is_closed(file: &Path, called: &str, holds: &str) -> Result<(), (String, String)> {
    let found = fs::metadata(file);
    let found = found.map_or(Ok(()), |found| closed(&found, called, holds));
    found.map_err(|Wrong { what, cure }| (what, cure))
}

/// Whether files can be made in a folder.
fn folder(path: &Path) -> Result<(), Wrong> {
    tempfile::tempfile_in(path).map(drop).map_err(|error| {
        let what = format!(
            "no file can be made in the folder {path:?}: {}",
            error.kind()
        );
        let cure = "make the folder, for the user of the gateway to write in; relative paths \
                    start at the folder of the configuration file";
        Wrong::new(what, cure)
    })
}

/// Whether a file can be appended to, or made: nothing is written, and it is not made here.
fn appended(path: &Path) -> Result<(), Wrong> {
    let cure = "the user of the gateway must be able to write it, and to make it anew where it is \
                rotated; relative paths start at the folder of the configuration file";
    match fs::metadata(path) {
        Ok(metadata) => {
            let kind = metadata.file_type();
            // A pipe or a socket would hold up whoever opens it.
            if !kind.is_file() && !kind.is_char_device() {
                let what = format!("{path:?} is not a file that can be appended to");
                return Err(Wrong::new(what, "name a regular file"));
            }
            let opened = File::options().append(true).open(path);
            let unwritable = |error: std::io::Error| {
                Wrong::new(
                    format!("the file {path:?} cannot be written: {error}"),
                    cure,
                )
            };
            opened.map(drop).map_err(unwritable)
        }
        Err(error) => to_be_made(path, &error, cure),
    }
}

/// Whether a file that is not there can be made.
fn to_be_made(path: &Path, error: &std::io::Error, cure: &str) -> Result<(), Wrong> {
    if error.kind() != std::io::ErrorKind::NotFound {
        let what = format!("the file {path:?} cannot be looked at: {error}");
        return Err(Wrong::new(what, cure));
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    // A file without a name: it is gone when it is closed.
    let made = tempfile::tempfile_in(folder).map(drop);
    made.map_err(|error| {
        let what = format!(
            "no file can be made in the folder {folder:?}: {}",
            error.kind()
        );
        Wrong::new(what, cure)
    })
}

/// Whether the store of revocations can be written or made. It is not opened: a gateway that
/// serves holds it.
fn store(path: &Path) -> Result<(), Wrong> {
    let cure = "the user of the gateway must be able to write it, and nobody else to read it; \
                relative paths start at the folder of the configuration file";
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return to_be_made(path, &error, cure),
    };
    if !metadata.is_file() {
        let what = format!("the file {path:?} {NOT_REGULAR}");
        return Err(Wrong::new(what, "name a regular file"));
    }
    let opened = File::options().read(true).write(true).open(path);
    opened.map_err(|error| {
        let what = format!("the file {path:?} cannot be written: {error}");
        Wrong::new(what, cure)
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let what = format!("the file {path:?} is open to others than its owner (mode {mode:03o})");
    let cure = "chmod 600 it; if others could write it, see what they took out of it";
    Err(Wrong::new(what, cure))
}

/// Whether a socket can be made: what stands there may be one that an earlier start has left.
fn socket(path: &Path) -> Result<(), Wrong> {
    let cure = "name a path where nothing stands, in a folder that only the user of the gateway \
                can write; relative paths start at the folder of the configuration file";
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let what = format!("the path {path:?} is longer than {SOCKET_PATH_BYTES_MAX} octets");
        return Err(Wrong::new(
            what,
            "a socket takes no more: name a shorter one",
        ));
    }
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(()),
        Ok(_) => Err(Wrong::new(format!("{path:?} is no socket"), cure)),
        Err(error) => to_be_made(path, &error, cure),
    }
}

/// Whether none but its owner can open a file that holds a secret.
fn closed(metadata: &fs::Metadata, name: &str, holds: &str) -> Result<(), Wrong> {
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let what = format!("{name} is open to others than its owner (mode {mode:03o})");
    let cure = format!("chmod 600 {name}, or 400; if others could read it, change the {holds}");
    Err(Wrong::new(what, cure))
}

fn pem(bytes: &[u8], wanted: SectionKind, name: &str, noun: &str) -> Result<(), Wrong> {
    let cure = format!(
        "convert it to PEM: it must have a BEGIN {} line",
        noun.to_uppercase()
    );
    let mut found = false;
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        let Ok((kind, _)) = section else {
            return Err(Wrong::new(format!("{name} is broken PEM"), cure));
        };
        found |= kind == wanted;
    }
    if found {
        Ok(())
    } else {
        Err(Wrong::new(format!("{name} holds no PEM {noun}"), cure))
    }
}

fn jwks(bytes: &[u8], name: &str) -> Result<(), Wrong> {
    let json = serde_json::from_slice::<serde_json::Value>(bytes);
    match json
        .as_ref()
        .ok()
        .and_then(|json| json.get("keys"))
        .and_then(|keys| keys.as_array())
    {
        Some(keys) if !keys.is_empty() => Ok(()),
        _ => {
            let cure = "write a JWK Set: {\"keys\":[...]} with at least one key; a PEM key goes \
                        into the key pem";
            Err(Wrong::new(
                format!("{name} is not a JWK Set with keys"),
                cure,
            ))
        }
    }
}
