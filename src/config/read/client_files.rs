//! Files of clients: which files of their folder are read, in which order, and how.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::config::files::{FileKind, NamedFile};
use crate::config::regular_file::{self, NotOpened};
use crate::config::{Fault, Located, Until};
use crate::limits::{CLIENT_FILE_BYTES_MAX, CLIENTS_MAX};

/// The key that names the folder.
const KEY: &str = "clients.folder";

/// A client's file, read.
pub struct ClientFile {
    pub path: PathBuf,
    pub text: String,
}

/// Reads the files of a folder, and says what is wrong with those that cannot be read.
pub(super) type ReadFolder<'r> = dyn FnMut(&Located<PathBuf>) -> (Vec<ClientFile>, Vec<Fault>) + 'r;

/// Whether a file of this name is a client's. What editors and package managers leave behind has
/// another ending or is hidden, and is none.
pub fn is_client_file(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    !name.starts_with(b".") && name.ends_with(b".toml")
}

/// Reads the folder in the order of the files' names. `named` is told the folder and each file
/// before it is looked at. `instead` goes before what stands in its place, and is not looked for.
pub(super) fn read(
    folder: &Located<PathBuf>,
    named: &mut dyn FnMut(&NamedFile),
    instead: Option<&ClientFile>,
) -> (Vec<ClientFile>, Vec<Fault>) {
    let named_file = |path: &Path| NamedFile {
        named_in: None,
        line: folder.line,
        key: KEY.to_owned(),
        path: path.to_path_buf(),
        kind: FileKind::Clients,
    };
    named(&named_file(&folder.value));
    let mut paths = match paths(&folder.value) {
        Ok(paths) => paths,
        Err(what) => {
            let cure = "make the folder, for the user of the gateway to read; relative paths start \
                        at the folder of the configuration file";
            return (Vec::new(), vec![fault(None, folder.line, KEY, what, cure)]);
        }
    };
    if let Some(instead) = instead
        && !paths.contains(&instead.path)
    {
        paths.push(instead.path.clone());
    }
    paths.sort_unstable();
    let mut faults = Vec::new();
    if paths.len() > CLIENTS_MAX {
        let what = format!(
            "{:?} holds more files than clients are served",
            folder.value
        );
        let cure = format!("at most {CLIENTS_MAX}: serve the others by another gateway");
        faults.push(fault(None, folder.line, KEY, what, &cure));
        paths.clear();
    }
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        if let Some(instead) = instead.filter(|instead| instead.path == path) {
            let text = instead.text.clone();
            files.push(ClientFile { path, text });
            continue;
        }
        named(&named_file(&path));
        match text_of(&path) {
            Ok(Some(text)) => files.push(ClientFile { path, text }),
            // Taken out since the folder was read, which is a change that is seen.
            Ok(None) => {}
            Err((what, cure)) => faults.push(fault(Some(path), 0, "", what, cure)),
        }
    }
    (files, faults)
}

/// Those that are to be read; no more than that there are too many is to be known.
fn paths(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error: io::Error| format!("the folder {folder:?} cannot be read: {error}");
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if is_client_file(&entry.file_name()) {
            paths.push(entry.path());
        }
        if paths.len() > CLIENTS_MAX {
            break;
        }
    }
    Ok(paths)
}

/// None where the file has gone meanwhile.
fn text_of(path: &Path) -> Result<Option<String>, (String, &'static str)> {
    let readable = "it must be readable for the user of the gateway, or be taken out";
    let file = match regular_file::open(path) {
        Ok(file) => file,
        Err(NotOpened::NotRegular) => {
            let cure = "write the client into a regular file, or give this another ending";
            return Err(("this is not a regular file".to_owned(), cure));
        }
        // A link that leads nowhere is there all the same.
        Err(NotOpened::Kernel(_)) if fs::symlink_metadata(path).is_err_and(is_gone) => {
            return Ok(None);
        }
        Err(NotOpened::Kernel(error)) => {
            return Err((format!("this cannot be read: {error}"), readable));
        }
    };
    let mut bytes = Vec::new();
    file.take(CLIENT_FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| (format!("this cannot be read: {error}"), readable))?;
    if bytes.len() as u64 > CLIENT_FILE_BYTES_MAX {
        let what = format!("this is longer than {} KiB", CLIENT_FILE_BYTES_MAX >> 10);
        return Err((what, "one file holds one client, and no more"));
    }
    let cure = "write it in UTF-8";
    let text = String::from_utf8(bytes).map_err(|_| ("this is not UTF-8".to_owned(), cure))?;
    Ok(Some(text))
}

fn is_gone(error: io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn fault(file: Option<PathBuf>, line: usize, key: &str, what: String, cure: &str) -> Fault {
    Fault {
        file,
        line,
        key: key.to_owned(),
        what,
        cure: cure.to_owned(),
        until: Until::Mended,
    }
}
