//! What a request is for: its target, and the authority that `Host` names.

use std::net::Ipv6Addr;

use super::head::{HeadFault, Malformed};
use super::{hex_value, path};

/// The port `https` means when none is written.
const HTTPS_PORT: u16 = 443;

/// A request target taken apart; `path` is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'b> {
    /// Starts with `/`; raw.
    pub path: &'b str,
    /// What follows the first `?`; raw.
    pub query: Option<&'b str>,
    /// Of the absolute form.
    pub authority: Option<Authority<'b>>,
}

/// A host and perhaps a port, as `Host` and absolute targets name them.
#[derive(Clone, Copy, Debug)]
pub struct Authority<'b> {
    host: &'b str,
    port: u16,
}

impl PartialEq for Authority<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.port == other.port && self.host.eq_ignore_ascii_case(other.host)
    }
}

impl Eq for Authority<'_> {}

impl<'b> Authority<'b> {
    /// Reads `host [":" port]`: a DNS-shaped name, an IPv4 address or a bracketed IPv6 address.
    /// Narrower than RFC 3986: no percent-encoding, no sub-delims, no empty port.
    #[must_use]
    pub fn read(text: &'b str) -> Option<Self> {
        let (host, port) = if text.starts_with('[') {
            let end = text.find(']')?;
            text.get(1..end)?.parse::<Ipv6Addr>().ok()?;
            text.split_at(end + 1)
        } else {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let named =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if host.is_empty() || !host.bytes().all(named) {
                return None;
            }
            (host, port)
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => HTTPS_PORT,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()?
            }
            _ => return None,
        };
        Some(Self { host, port })
    }
}

/// Takes a target apart: origin form, or absolute form with scheme `https`.
///
/// # Errors
/// Another form, a fragment, user information, a byte that is not visible ASCII, malformed
/// percent-encoding, or a path that [`path::check`] refuses.
pub fn read(target: &str) -> Result<Target<'_>, HeadFault> {
    let (authority, rest) = if target.starts_with('/') {
        (None, target)
    } else {
        let (authority, rest) = absolute(target)?;
        (Some(authority), rest)
    };
    let (path, query) = match memchr::memchr2(b'?', b'#', rest.as_bytes()) {
        None => (rest, None),
        Some(at) => {
            let (path, tail) = rest.split_at(at);
            let Some(query) = tail.strip_prefix('?') else {
                return Err(Malformed::Fragment.into());
            };
            check_query(query)?;
            (path, Some(query))
        }
    };
    // An absolute target may leave its path out, which means the root.
    let path = if path.is_empty() { "/" } else { path };
    path::check(path).map_err(HeadFault::Path)?;
    Ok(Target {
        path,
        query,
        authority,
    })
}

//= RFC 9112 section 3.2.2
//# The absolute form is accepted, from clients that take us for a proxy too.
fn absolute(target: &str) -> Result<(Authority<'_>, &str), HeadFault> {
    const SCHEME: &str = "https://";
    let scheme = target
        .get(..SCHEME.len())
        .filter(|start| start.eq_ignore_ascii_case(SCHEME));
    let Some(rest) = scheme.and_then(|scheme| target.get(scheme.len()..)) else {
        return Err(Malformed::TargetForm.into());
    };
    let end = rest
        .bytes()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let (authority, rest) = rest.split_at(end.unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(Malformed::UserInfo.into());
    }
    match Authority::read(authority) {
        Some(authority) => Ok((authority, rest)),
        None => Err(Malformed::AuthorityMalformed.into()),
    }
}

/// A query is opaque to the gateway: visible ASCII, and percent signs that mean something.
fn check_query(query: &str) -> Result<(), Malformed> {
    let mut bytes = query.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digits = bytes
                    .next()
                    .and_then(hex_value)
                    .zip(bytes.next().and_then(hex_value));
                digits.ok_or(Malformed::PercentEncoding)?;
            }
            b'#' => return Err(Malformed::Fragment),
            b'!'..=b'~' => {}
            _ => return Err(Malformed::TargetCharacter),
        }
    }
    Ok(())
}
