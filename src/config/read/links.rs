//! The apiRoots on both sides of the gateway, which links are led between.

use std::net::SocketAddr;

use super::super::section::Section;
use toml::de::DeValue;

use super::super::value::{Wrong, text};
use super::refuse_repeats;
use crate::links::ApiRoot;

/// What the URIs of one side begin with. Never shown: a password may stand in it.
fn api_root(value: &DeValue<'_>, example: &str) -> Result<ApiRoot, Wrong> {
    let cure =
        format!("write scheme, host and port, and of a path no more than a prefix: {example:?}");
    let root = text(value)?.parse();
    root.map_err(|what: &str| Wrong::new(what, cure))
}

/// `listen.api_roots`.
pub(super) fn public(section: &mut Section<'_, '_>) -> Vec<ApiRoot> {
    let example = "https://t8.example.net:8443";
    let roots = section.list("api_roots", |value| api_root(value, example));
    let roots = roots.map_or(Vec::new(), |list| list.value);
    refuse_repeats(section, "api_roots", &roots);
    let cure = format!("write what clients reach the T8 side by: {example:?}");
    for root in &roots {
        if !root.value.is_tls() {
            let wrong = Wrong::new("is not an https URL, and T8 is nothing without TLS", &*cure);
            section.fault(root.line, "api_roots", wrong);
        } else if root.value.has_prefix() {
            let wrong = Wrong::new("has a path, below which the gateway serves nothing", &*cure);
            section.fault(root.line, "api_roots", wrong);
        }
    }
    roots.into_iter().map(|root| root.value).collect()
}

/// `upstream.api_roots`, and behind them what the address alone makes.
pub(super) fn inside(
    section: &mut Section<'_, '_>,
    address: Option<SocketAddr>,
    public: Option<&[ApiRoot]>,
) -> Vec<ApiRoot> {
    let example = "http://scef.example.net:8080";
    let roots = section.list("api_roots", |value| api_root(value, example));
    if let (Some(roots), Some([])) = (&roots, public)
        && !roots.value.is_empty()
    {
        let what = "says what links of the SCEF begin with, and nothing is set to put in its place";
        let cure = "set listen.api_roots to what clients reach the T8 side by";
        section.fault(roots.line, "api_roots", Wrong::new(what, cure));
    }
    let roots = roots.map_or(Vec::new(), |list| list.value);
    refuse_repeats(section, "api_roots", &roots);
    let written = roots.into_iter().map(|root| root.value);
    let by_address = address.and_then(|address| format!("http://{address}").parse().ok());
    written.chain(by_address).collect()
}
