//! `[tls.key]` and `[oauth.key]`: a private key in one token, in several, or in a file.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::super::files::FileKind;
use super::super::section::Section;
use super::super::value::{Wrong, count, pkcs11_uri, text};
use super::super::{KeySource, Located, OtherToken};
use crate::limits::TOKEN_SESSIONS_DEFAULT;

const URI_CURE: &str = "name token and key: \"pkcs11:token=t8gate;object=server\"";

pub(super) fn key(mut section: Section<'_, '_>) -> Option<Located<KeySource>> {
    let in_token = ["module", "uri", "sessions", "also"];
    let in_token = in_token.into_iter().chain(PIN_KEYS);
    let lines = in_token.filter_map(|key| section.line_of(key));
    let token_line = lines.min();
    let file_line = section.line_of("file");
    let soft = section.optional_file("file", FileKind::PrivateKey);
    if let (Some(token_line), Some(file_line)) = (token_line, file_line) {
        let what = format!("a key file is named, and a key in a token (line {token_line})");
        let cure = "keep file, or module, uri and pin_file";
        section.fault(file_line, "file", Wrong::new(what, cure));
    }
    // With a file alone nothing of a token is missing.
    if token_line.is_none() {
        let missing = file_line.is_none() && !section.is_said();
        section.optional_file("module", FileKind::Module);
        section.optional("uri", pkcs11_uri);
        pin(&mut section);
        section.optional("sessions", |_| Ok(()));
        others(&mut section, Path::new(""), Path::new(""));
        if missing {
            let cure = "set module, uri and pin_file for a key in a token, or file for a PEM file";
            let wrong = Wrong::new("no private key is named", cure);
            section.fault(section.line(), "module", wrong);
        }
        return soft.map(|file| Located {
            value: KeySource::File(file.value),
            line: file.line,
        });
    }
    let cure = "name the PKCS#11 library of the token";
    let module = section.required_file("module", FileKind::Module, cure);
    let uri = section.required("uri", pkcs11_uri, URI_CURE);
    let pin_file = required_pin(&mut section);
    let sessions = section.or("sessions", count(1..=64), TOKEN_SESSIONS_DEFAULT);
    let first = module.as_ref().map(|module| module.value.clone());
    let first = first.unwrap_or_default();
    let also = others(
        &mut section,
        &first,
        pin_file.as_deref().unwrap_or(Path::new("")),
    );
    let (module, uri) = (module?, uri?);
    // Who has another PIN goes by the rest: what stands in that line follows from its fault.
    let pin_lines = PIN_KEYS.iter().filter_map(|key| section.line_of(key));
    let line = match &pin_file {
        Some(_) => uri.line,
        None => pin_lines.take(2).last().unwrap_or(section.line()),
    };
    let value = KeySource::Pkcs11 {
        module: module.value,
        uri: uri.value,
        pin_file: pin_file.unwrap_or_default(),
        sessions,
        also: also?,
    };
    Some(Located { value, line })
}

/// Tokens that hold the same key; what they do not say is as with the first.
fn others(
    section: &mut Section<'_, '_>,
    module: &Path,
    pin_file: &Path,
) -> Option<Vec<OtherToken>> {
    let others = section.sections("also").into_iter().map(|mut other| {
        let its_module = other.optional_file("module", FileKind::Module);
        let uri = other.required("uri", pkcs11_uri, URI_CURE);
        let its_pin = pin(&mut other);
        Some(OtherToken {
            module: its_module.map_or_else(|| module.to_owned(), |file| file.value),
            uri: uri?.value,
            pin_file: match its_pin {
                Pin::Unsaid => pin_file.to_owned(),
                said => said.path()?,
            },
        })
    });
    // All of them are read, so that all that is wrong is said.
    others.collect::<Vec<_>>().into_iter().collect()
}

#[derive(Debug, PartialEq, Eq)]
enum Pin {
    Unsaid,
    /// What was said is wrong, and that has been said.
    Wrong,
    At(PathBuf),
}

impl Pin {
    fn path(self) -> Option<PathBuf> {
        match self {
            Self::At(path) => Some(path),
            Self::Unsaid | Self::Wrong => None,
        }
    }
}

/// Where the PIN lies, which has to be said.
pub(super) fn required_pin(section: &mut Section<'_, '_>) -> Option<PathBuf> {
    let said = pin(section);
    if said == Pin::Unsaid && !section.is_said() {
        let cure =
            "name the file whose first line is the user PIN, or set pin_fd or pin_credential";
        section.fault(section.line(), "pin_file", Wrong::new("is missing", cure));
    }
    said.path()
}

/// Who says where a PIN lies: one of them.
pub(super) const PIN_KEYS: [&str; 3] = ["pin_file", "pin_fd", "pin_credential"];

/// Where the PIN lies, as a path, whichever of its three keys says it.
fn pin(section: &mut Section<'_, '_>) -> Pin {
    let said: Vec<_> = PIN_KEYS
        .into_iter()
        .filter(|key| section.has(key))
        .collect();
    let file = section.optional_file("pin_file", FileKind::Pin);
    let descriptor = section.optional("pin_fd", descriptor);
    let credential = section.optional("pin_credential", credential);
    if let [first, second, ..] = said.as_slice() {
        let line = section.line_of(second).unwrap_or_default();
        let what = format!("the PIN is in two places: {first} is set as well");
        section.fault(line, second, Wrong::new(what, "keep one of them"));
        return Pin::Wrong;
    }
    match file.or(descriptor).or(credential) {
        Some(found) => Pin::At(found.value),
        None if said.is_empty() => Pin::Unsaid,
        None => Pin::Wrong,
    }
}

/// The kernel's name for a descriptor that whoever started the gateway left open.
fn descriptor(value: &DeValue<'_>) -> Result<PathBuf, Wrong> {
    let number: u32 = count(3..=1023)(value)?;
    let path = PathBuf::from(format!("/proc/self/fd/{number}"));
    if path.exists() {
        return Ok(path);
    }
    let cure = "start the gateway with the PIN on it: t8gate serve ... 3< FILE";
    Err(Wrong::new(format!("descriptor {number} is not open"), cure))
}

/// A file that systemd has handed over.
fn credential(value: &DeValue<'_>) -> Result<PathBuf, Wrong> {
    let name = text(value)?;
    if name.contains('/') || name.starts_with('.') {
        let cure = "write the name that LoadCredential= gives it: \"pin\"";
        return Err(Wrong::new("is not the name of a credential", cure));
    }
    let cure = format!("set LoadCredentialEncrypted={name}:FILE in the unit, or use pin_file");
    let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") else {
        let what = "the service manager has handed over no credentials (CREDENTIALS_DIRECTORY)";
        return Err(Wrong::new(what, cure));
    };
    let path = Path::new(&folder).join(&name);
    if path.is_file() {
        return Ok(path);
    }
    let what = format!("the service manager has not handed over a credential {name:?}");
    Err(Wrong::new(what, cure))
}
