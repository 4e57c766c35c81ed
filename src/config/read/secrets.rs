//! Secrets that nodes share, each in a file or in a token: those of `[tls.tickets]`, by which
//! sessions are continued on other nodes and after a restart, and those of `[oauth.sealing]`.

use std::path::PathBuf;

use super::private_key;
use crate::config::files::FileKind;
use crate::config::section::Section;
use crate::config::value::{Wrong, duration, pkcs11_uri, text};
use crate::config::{Listen, Located, Sealing, SecretSource, Tickets};
use crate::limits::{TICKET_SLOT_DEFAULT, TICKET_SLOT_S_MAX, TICKET_SLOT_S_MIN};

/// `[tls.tickets]`, which the file may lack.
pub(super) fn tickets(mut section: Section<'_, '_>, listen: Option<&Listen>) -> Option<Tickets> {
    let secrets = secrets(&mut section);
    let slot_ms = 1_000 * TICKET_SLOT_S_MIN..=1_000 * TICKET_SLOT_S_MAX;
    let slot = section.or("slot", duration(slot_ms), TICKET_SLOT_DEFAULT);
    let name = section.optional("name", text).map(|name| name.value);
    let (secret, second) = secrets?;
    Some(Tickets {
        secret,
        second,
        slot,
        name: name.or(listen.map(Listen::name))?,
    })
}

/// `[oauth.sealing]`, which the file may lack.
pub(super) fn sealing(mut section: Section<'_, '_>) -> Option<Sealing> {
    let (secret, second) = secrets(&mut section)?;
    Some(Sealing { secret, second })
}

/// The secret that seals, and the one that only opens, where there is one.
fn secrets(
    section: &mut Section<'_, '_>,
) -> Option<(Located<SecretSource>, Option<Located<SecretSource>>)> {
    let file = section.optional_file("secret_file", FileKind::Secret);
    let second_file = section.optional_file("second_secret_file", FileKind::Secret);
    let uri = section.optional("uri", pkcs11_uri);
    let second_uri = section.optional("second_uri", pkcs11_uri);
    if !section.has("secret_file") && !section.has("uri") && !section.is_said() {
        let cure = "name the file of the secret that all nodes share; to make one: \
                    (umask 077; openssl rand -base64 32 > FILE); or a key in a token by uri, \
                    module and pin_file";
        section.fault(
            section.line(),
            "secret_file",
            Wrong::new("is missing", cure),
        );
    }
    let token = token(section);
    let secret = one_of(section, "secret_file", file, uri, token.as_ref());
    let second = one_of(
        section,
        "second_secret_file",
        second_file,
        second_uri,
        token.as_ref(),
    );
    if let (Some(one), Some(other)) = (&secret, &second)
        && one.value == other.value
    {
        let key = match other.value {
            SecretSource::File(_) => "second_secret_file",
            SecretSource::Pkcs11 { .. } => "second_uri",
        };
        let what = format!("is what seals already (line {})", one.line);
        let cure = "name the other secret, or leave it out";
        section.fault(other.line, key, Wrong::new(what, cure));
    }
    Some((secret?, second))
}

/// Module and PIN file, which both secrets share where they are keys in a token.
fn token(section: &mut Section<'_, '_>) -> Option<(PathBuf, PathBuf)> {
    if !section.has("uri") && !section.has("second_uri") {
        for key in ["module"].into_iter().chain(private_key::PIN_KEYS) {
            section.optional(key, |_| Ok(()));
            if let Some(line) = section.line_of(key) {
                let what = "is of no use without uri or second_uri";
                let cure = "name the key in the token by uri, or leave it out";
                section.fault(line, key, Wrong::new(what, cure));
            }
        }
        return None;
    }
    let cure = "name the PKCS#11 library of the token";
    let module = section.required_file("module", FileKind::Module, cure);
    let pin_file = private_key::required_pin(section);
    Some((module?.value, pin_file?))
}

/// A secret in a file or in a token, and not in both. Faults are said at `key`.
fn one_of(
    section: &Section<'_, '_>,
    key: &str,
    file: Option<Located<PathBuf>>,
    uri: Option<Located<String>>,
    token: Option<&(PathBuf, PathBuf)>,
) -> Option<Located<SecretSource>> {
    if let (Some(file), Some(uri)) = (&file, &uri) {
        let what = format!("a file is named, and a key in a token (line {})", uri.line);
        let cure = "keep one of the two";
        section.fault(file.line, key, Wrong::new(what, cure));
    }
    if let Some(Located { value, line }) = file {
        let value = SecretSource::File(value);
        return Some(Located { value, line });
    }
    let ((module, pin_file), uri) = (token?.clone(), uri?);
    let value = SecretSource::Pkcs11 {
        module,
        uri: uri.value,
        pin_file,
    };
    Some(Located {
        value,
        line: uri.line,
    })
}
