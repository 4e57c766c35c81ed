//! URLs that are fetched or posted to.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::HttpUrl;
use super::value::checked_host_name;

/// Reads an `http` or `https` URL without user, password and fragment. The error says what is wrong
/// and nothing of the URL: a password may stand in it.
impl FromStr for HttpUrl {
    type Err = &'static str;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let (tls, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            _ => return Err("is neither an http nor an https URL"),
        };
        let (authority, target) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if !target.starts_with('/') || target.contains('#') {
            return Err("has no path, or a fragment");
        }
        if !target.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("has letters in its path that a URL has not");
        }
        if authority.contains('@') {
            return Err("has a user or password in it");
        }
        if !is_authority(authority) {
            return Err("names no host, or no port behind its colon");
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
            _ => (authority, Some(if tls { 443 } else { 80 })),
        };
        Ok(Self {
            tls,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.ok_or("names no port behind its colon")?,
            authority: authority.to_owned(),
            target: target.to_owned(),
        })
    }
}

/// A host name or a literal address, and perhaps a port.
pub(super) fn is_authority(authority: &str) -> bool {
    let bracketed = |text: &str| {
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        inner.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok())
    };
    let is_host = |text: &str| {
        bracketed(text) || text.parse::<Ipv4Addr>().is_ok() || checked_host_name(text).is_ok()
    };
    let is_port = |text: &str| {
        text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
    };
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => is_host(host) && is_port(port),
        _ => is_host(authority),
    }
}
