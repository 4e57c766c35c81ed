//! Links across the gateway. Outwards they carry its public apiRoot, so that who follows them comes
//! to it again and learns nothing of the SCEF's address; inwards they carry the SCEF's.
//!
//! What is no link of one of the two, to the letter, is not led anywhere: who reads links more
//! kindly than RFC 3986 must not find another place in one than was found here.

use std::net::Ipv6Addr;
use std::str::FromStr;

mod body;
mod fields;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;

pub use body::{BodyFault, shape_of_answer};
pub use fields::targets_outward;

#[cfg(test)]
mod tests;

/// What stands before `/{apiName}/v1` in the URIs of T8: scheme, authority, perhaps a prefix.
//= TS 29.122 clause 5.2.4
//# The apiRoot is scheme, authority and an optional prefix of the deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRoot {
    tls: bool,
    /// In lower case; of an IPv6 address as it is written shortest.
    host: String,
    port: u16,
    /// Empty, or segments that each begin with `/`.
    prefix: String,
    /// As it is written before a link's rest.
    text: String,
    /// The same of a WebSocket.
    web_socket: String,
}

/// Reads `https://host:port/prefix`. The error says what is wrong with it.
impl FromStr for ApiRoot {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (tls, rest) = match text.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err("is neither an http nor an https URL"),
        };
        if rest.contains(['?', '#']) {
            return Err("has a query or a fragment");
        }
        let (written, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if written.contains('@') {
            return Err("has a user or password in it");
        }
        let authority = Authority::read(written);
        let authority = authority.ok_or("names no host, or no port behind its colon")?;
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        let segments = || prefix.split('/').skip(1);
        if segments().any(|s| s.is_empty() || matches!(s, "." | "..") || !s.bytes().all(is_plain)) {
            return Err("has a path with more than letters, digits, -, ., _ and ~ in its segments");
        }
        let host = match authority.host {
            Host::Name(name) => name.to_ascii_lowercase(),
            Host::V6(address) => format!("[{address}]"),
        };
        let port = authority.port.unwrap_or(default_port(tls));
        let shown = match port == default_port(tls) {
            true => format!("{host}{prefix}"),
            false => format!("{host}:{port}{prefix}"),
        };
        let secure = if tls { "s" } else { "" };
        Ok(Self {
            tls,
            port,
            prefix: prefix.to_owned(),
            text: format!("http{secure}://{shown}"),
            web_socket: format!("ws{secure}://{shown}"),
            host,
        })
    }
}

impl std::fmt::Display for ApiRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl ApiRoot {
    /// Whether it is of https.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether something stands behind its authority.
    pub fn has_prefix(&self) -> bool {
        !self.prefix.is_empty()
    }

    fn is_at(&self, host: &Host<'_>) -> bool {
        match host {
            Host::Name(name) => self.host.eq_ignore_ascii_case(name),
            Host::V6(address) => {
                let own = self
                    .host
                    .strip_prefix('[')
                    .and_then(|h| h.strip_suffix(']'));
                own.and_then(|own| own.parse().ok()) == Some(*address)
            }
        }
    }

    /// What of a link stands behind this root, where it stands behind it.
    fn rest<'l>(&self, link: &Absolute<'l>) -> Option<&'l str> {
        let tls = link.tls.unwrap_or(self.tls);
        let port = link.authority.port.unwrap_or(default_port(tls));
        if tls != self.tls || port != self.port || !self.is_at(&link.authority.host) {
            return None;
        }
        let rest = link.rest.strip_prefix(self.prefix.as_str())?;
        rest_begins(rest).then_some(rest)
    }

    /// As it is written in a link of this kind.
    fn before(&self, link: &Absolute<'_>) -> &str {
        match link.web_socket {
            true => &self.web_socket,
            false => &self.text,
        }
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn rest_begins(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['/', '?', '#'])
}

/// The apiRoots on both sides of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// The gateway's, for clients: links are given the first.
    public: Vec<ApiRoot>,
    /// The SCEF's, as it calls itself: links are given the first.
    inside: Vec<ApiRoot>,
}

/// A link as it is to be written: a root, and what stood behind another in what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Led<'l> {
    pub root: &'l str,
    pub rest: &'l str,
}

/// A link outwards leads to neither side, or cannot be told to lead to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadsPast;

impl Links {
    /// None where a side has no root.
    pub fn new(public: Vec<ApiRoot>, inside: Vec<ApiRoot>) -> Option<Self> {
        (!public.is_empty() && !inside.is_empty()).then_some(Self { public, inside })
    }

    /// How a link of the SCEF is to be written for a client; none where it may stay as it is.
    ///
    /// # Errors
    /// It leads past the gateway. It is nothing that a client could follow, and it tells how the
    /// operator's network looks inside: it must not leave.
    pub fn outward<'l>(&'l self, link: &'l str) -> Result<Option<Led<'l>>, LeadsPast> {
        let link = match Form::of(link) {
            Form::Placeless => return self.below_a_prefix(link),
            Form::Absolute(link) => link,
            Form::Unclear => return Err(LeadsPast),
        };
        if self.public.iter().any(|root| root.rest(&link).is_some()) {
            return Ok(None);
        }
        let root = self.public.first().ok_or(LeadsPast)?;
        let led = |rest| Led {
            root: root.before(&link),
            rest,
        };
        if let Some(rest) = self.inside.iter().find_map(|root| root.rest(&link)) {
            return Ok(Some(led(rest)));
        }
        // A SCEF that makes links of Host makes them of the gateway's name and its own scheme.
        let named = |root: &&ApiRoot| {
            let port = link.authority.port.unwrap_or(root.port);
            port == root.port && root.is_at(&link.authority.host) && rest_begins(link.rest)
        };
        let named = self.public.iter().any(|root| named(&root));
        named.then_some(Some(led(link.rest))).ok_or(LeadsPast)
    }

    /// A path with the gateway's prefix in place of the SCEF's; none where it has not that.
    fn below_a_prefix<'l>(&'l self, link: &'l str) -> Result<Option<Led<'l>>, LeadsPast> {
        let rest = |root: &'l ApiRoot| {
            let rest = link.strip_prefix(root.prefix.as_str());
            rest.filter(|rest| root.has_prefix() && rest_begins(rest) && !has_dot_segments(link))
        };
        let led = self.inside.iter().find_map(rest).and_then(|rest| {
            let root = &self.public.first()?.prefix;
            Some(Led { root, rest })
        });
        match led {
            //= RFC 3986 section 4.2
            //# What begins with two slashes names a place.
            Some(led) if led.root.is_empty() && led.rest.starts_with("//") => Err(LeadsPast),
            led => Ok(led),
        }
    }

    /// How a link of a client is to be written for the SCEF; none where it is not one to the
    /// gateway, or may stay as it is.
    pub fn inward<'l>(&'l self, link: &'l str) -> Option<Led<'l>> {
        let Form::Absolute(link) = Form::of(link) else {
            return None;
        };
        let rest = self.public.iter().find_map(|root| root.rest(&link))?;
        let root = self.inside.first()?;
        Some(Led {
            root: root.before(&link),
            rest,
        })
    }
}

/// What a link is, before it is known whose.
enum Form<'l> {
    /// It names no place: it is relative to one, or a mere name.
    Placeless,
    Absolute(Absolute<'l>),
    /// Readers might differ about the place that it names.
    Unclear,
}

/// A link to a place.
struct Absolute<'l> {
    /// None where it has no scheme, which is then that of whoever reads it.
    tls: Option<bool>,
    web_socket: bool,
    authority: Authority<'l>,
    /// Path, query and fragment.
    rest: &'l str,
}

impl<'l> Form<'l> {
    fn of(link: &'l str) -> Self {
        // Browsers take \ for /, and blanks and control characters for nothing.
        if link.bytes().any(|b| b <= b' ' || b == b'\\' || b == 0x7f) {
            return Self::Unclear;
        }
        let before_path = link.find(['/', '?', '#']).unwrap_or(link.len());
        let (start, path) = link.split_at(before_path);
        let Some((scheme, opaque)) = start.split_once(':') else {
            return match path.strip_prefix("//") {
                Some(place) if start.is_empty() => Self::to(None, false, place),
                _ => Self::Placeless,
            };
        };
        let is = |known: &str| scheme.eq_ignore_ascii_case(known);
        let (tls, web_socket) = match () {
            () if is("https") => (true, false),
            () if is("http") => (false, false),
            () if is("wss") => (true, true),
            () if is("ws") => (false, true),
            // Of other schemes some name places, and what has none can look as if it had one:
            // `scef.example:8080/x`.
            () if is("urn") || is("tag") || is("about") => return Self::Placeless,
            () => return Self::Unclear,
        };
        match path.strip_prefix("//") {
            Some(place) if opaque.is_empty() => Self::to(Some(tls), web_socket, place),
            _ => Self::Unclear,
        }
    }

    fn to(tls: Option<bool>, web_socket: bool, place: &'l str) -> Self {
        let end = place.find(['/', '?', '#']).unwrap_or(place.len());
        let (authority, rest) = place.split_at(end);
        match Authority::read(authority) {
            // Where dots lead up to, roots would have to be looked at anew.
            Some(authority) if !has_dot_segments(rest) => Self::Absolute(Absolute {
                tls,
                web_socket,
                authority,
                rest,
            }),
            _ => Self::Unclear,
        }
    }
}

//= RFC 3986 section 5.2.4
//# Segments of dots are taken out of a path before it is followed; %2e is a dot.
fn has_dot_segments(rest: &str) -> bool {
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let path = rest.get(..end).unwrap_or_default();
    let is_dots = |segment: &str| {
        let mut left = segment;
        let mut dots = 0;
        while !left.is_empty() {
            let dot = [".", "%2e", "%2E"]
                .iter()
                .find_map(|dot| left.strip_prefix(dot));
            match dot {
                Some(behind) => (left, dots) = (behind, dots + 1),
                None => return false,
            }
        }
        dots == 1 || dots == 2
    };
    path.split('/').any(is_dots)
}

#[derive(PartialEq, Eq)]
enum Host<'l> {
    Name(&'l str),
    V6(Ipv6Addr),
}

struct Authority<'l> {
    host: Host<'l>,
    port: Option<u16>,
}

impl<'l> Authority<'l> {
    /// A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port: no user, nothing
    /// percent-encoded, no empty port.
    fn read(text: &'l str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(inner) => {
                let (address, port) = inner.split_once(']')?;
                (Host::V6(address.parse().ok()?), port)
            }
            None => {
                let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
                let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
                if name.is_empty() || !name.bytes().all(letter) {
                    return None;
                }
                (Host::Name(name), port)
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().ok().filter(|port| *port > 0)?)
            }
            _ => return None,
        };
        Some(Self { host, port })
    }
}
