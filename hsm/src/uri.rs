//! PKCS#11 URIs (RFC 7512), the part that names one private or secret key.
//!
//! Path: `token`, `manufacturer`, `serial`, `model`, `slot-id`, `object`, `id`, and `type` if it
//! says what is looked for: `private` or `secret-key`. Query: `module-path` and `pin-source` if
//! they repeat what the configuration says. Everything else is refused: an attribute that were
//! skipped could select another key.

use std::path::Path;

use crate::{OpenFault, Pkcs11Source};

/// Which token and which key, as octets; None: any.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyUri {
    pub token: Option<Vec<u8>>,
    pub manufacturer: Option<Vec<u8>>,
    pub serial: Option<Vec<u8>>,
    pub model: Option<Vec<u8>>,
    pub slot_id: Option<u64>,
    pub object: Option<Vec<u8>>,
    pub id: Option<Vec<u8>>,
}

impl KeyUri {
    /// Parses `source.uri`, which names a private key, and holds its query against the other
    /// fields of `source`.
    pub fn of(source: &Pkcs11Source) -> Result<Self, OpenFault> {
        Self::of_type(source, "private")
    }

    /// The same, where it names a secret key.
    pub fn of_secret(source: &Pkcs11Source) -> Result<Self, OpenFault> {
        Self::of_type(source, "secret-key")
    }

    /// Whether there may be a token that both name.
    pub fn may_share_a_token_with(&self, other: &Self) -> bool {
        let apart = |ours: &Option<Vec<u8>>, theirs: &Option<Vec<u8>>| {
            ours.is_some() && theirs.is_some() && ours != theirs
        };
        let slots = (self.slot_id, other.slot_id);
        let in_two_slots = matches!(slots, (Some(one), Some(two)) if one != two);
        !(in_two_slots
            || apart(&self.token, &other.token)
            || apart(&self.manufacturer, &other.manufacturer)
            || apart(&self.serial, &other.serial)
            || apart(&self.model, &other.model))
    }

    fn of_type(source: &Pkcs11Source, wanted: &str) -> Result<Self, OpenFault> {
        let (path, query) = match source.uri.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (source.uri.as_str(), None),
        };
        //= RFC 7512 section 2.3
        //# A PKCS#11 URI is the scheme "pkcs11" in any case, and path attributes split by ";".
        let path = match path.split_at_checked(7) {
            Some((scheme, path)) if scheme.eq_ignore_ascii_case("pkcs11:") => path,
            _ => return Err(fault("does not begin with pkcs11:")),
        };
        let mut uri = Self::default();
        let mut typed = None;
        for attribute in path.split(';').filter(|_| !path.is_empty()) {
            let (name, value) = pair(attribute, b'&')?;
            let slot = match name {
                "token" => &mut uri.token,
                "manufacturer" => &mut uri.manufacturer,
                "serial" => &mut uri.serial,
                "model" => &mut uri.model,
                "object" => &mut uri.object,
                "id" => &mut uri.id,
                "slot-id" => {
                    set_once(&mut uri.slot_id, name, slot_id(&value)?)?;
                    continue;
                }
                "type" => {
                    if value != wanted.as_bytes() {
                        return Err(fault(&format!("has a type that is not {wanted}")));
                    }
                    &mut typed
                }
                _ => return Err(fault(&format!("has the unknown attribute {name:?}"))),
            };
            set_once(slot, name, value)?;
        }
        if let Some(query) = query {
            check_query(query, source)?;
        }
        Ok(uri)
    }
}

/// The URI of a private key, by its token's label and its own label and id; what is empty is left
/// out.
pub fn written(token: &str, object: &str, id: &[u8]) -> String {
    let mut uri = String::from("pkcs11:");
    for (name, value) in [("token", token), ("object", object)] {
        if !value.is_empty() {
            uri.extend([name, "=", &encoded(value.as_bytes()), ";"]);
        }
    }
    if !id.is_empty() {
        uri += "id=";
        uri.extend(id.iter().map(|octet| format!("%{octet:02x}")));
        uri.push(';');
    }
    uri + "type=private"
}

fn encoded(octets: &[u8]) -> String {
    let mut text = String::new();
    for &octet in octets {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            text.push(char::from(octet));
        } else {
            text += &format!("%{octet:02X}");
        }
    }
    text
}

/// Where module and PIN are is said by the configuration; a URI may agree, no more.
fn check_query(query: &str, source: &Pkcs11Source) -> Result<(), OpenFault> {
    let (mut module, mut pin) = (None, None);
    for attribute in query.split('&') {
        // Before the value is looked at, so that no message ever carries it.
        if attribute.split('=').next() == Some("pin-value") {
            return Err(OpenFault::lasting(
                "the PKCS#11 URI carries a PIN",
                "take pin-value out, change the PIN, and name a file with the PIN in pin_file",
            ));
        }
        let (name, value) = pair(attribute, b'/')?;
        let (slot, configured, says) = match name {
            "module-path" => (&mut module, &source.module, value.as_slice()),
            "pin-source" => (
                &mut pin,
                &source.pin_file,
                value.strip_prefix(b"file:").unwrap_or(&value),
            ),
            _ => return Err(fault(&format!("has the unknown query attribute {name:?}"))),
        };
        if !is_path(says, configured) {
            return Err(fault(&format!(
                "has a {name} other than the configured one"
            )));
        }
        set_once(slot, name, ())?;
    }
    Ok(())
}

fn is_path(octets: &[u8], path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    octets == path.as_os_str().as_bytes()
}

fn set_once<T>(slot: &mut Option<T>, name: &str, value: T) -> Result<(), OpenFault> {
    //= RFC 7512 section 2.3
    //# An attribute stands at most once.
    if slot.replace(value).is_some() {
        return Err(fault(&format!("has the attribute {name:?} twice")));
    }
    Ok(())
}

fn slot_id(value: &[u8]) -> Result<u64, OpenFault> {
    value
        .iter()
        .all(u8::is_ascii_digit)
        .then(|| std::str::from_utf8(value).ok()?.parse().ok())
        .flatten()
        .ok_or_else(|| fault("has a slot-id that is not a number"))
}

/// `name=value`, the value percent-decoded. `also`: an octet this part of the URI allows beside
/// the common ones.
fn pair(attribute: &str, also: u8) -> Result<(&str, Vec<u8>), OpenFault> {
    let (name, value) = attribute
        .split_once('=')
        .ok_or_else(|| fault("has an attribute without a value"))?;
    if value.is_empty() {
        return Err(fault(&format!("has an empty value for {name:?}")));
    }
    let decoded = decode(value.as_bytes(), also).ok_or_else(|| {
        fault(&format!(
            "has a value for {name:?} that is not percent-encoded"
        ))
    })?;
    Ok((name, decoded))
}

/// None: an octet that has to be encoded, or `%` without two hexadecimal digits.
fn decode(text: &[u8], also: u8) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.iter().copied();
    while let Some(octet) = octets.next() {
        out.push(match octet {
            b'%' => hex(octets.next()?)? << 4 | hex(octets.next()?)?,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => octet,
            _ if b"-._~:[]@!$'()*+,=".contains(&octet) || octet == also => octet,
            _ => return None,
        });
    }
    Some(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn fault(what: &str) -> OpenFault {
    OpenFault::lasting(
        format!("the PKCS#11 URI {what}"),
        "write it like pkcs11:token=t8gate;object=t8gate-server;type=private (RFC 7512; other \
         characters percent-encoded)",
    )
}

#[cfg(test)]
mod tests;
