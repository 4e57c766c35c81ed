//! Where a client may come from.

use std::net::IpAddr;

use ipnet::IpNet;
use toml::de::DeValue;

use super::refuse_repeats;
use crate::config::section::Section;
use crate::config::value::{Wrong, text};
use crate::limits::SOURCE_ADDRESSES_MAX;

const KEY: &str = "source_addresses";
const CURE: &str =
    "write an address or a prefix: \"192.0.2.17\", \"192.0.2.0/24\", \"2001:db8::/32\"";

/// From anywhere, where nothing is said: an empty list would be meant otherwise.
pub(super) fn source_addresses(section: &mut Section<'_, '_>) -> Vec<IpNet> {
    let Some(list) = section.list(KEY, net) else {
        return Vec::new();
    };
    if section.holds_empty_list(KEY) {
        let cure = "list where it may come from, or leave it out; one that is not to come at all \
                    has enabled = false";
        section.fault(list.line, KEY, Wrong::new("is empty", cure));
    }
    if list.value.len() > SOURCE_ADDRESSES_MAX {
        let what = format!("has {} entries", list.value.len());
        let cure = format!("at most {SOURCE_ADDRESSES_MAX} are taken: put them into prefixes");
        section.fault(list.line, KEY, Wrong::new(what, cure));
    }
    refuse_repeats(section, KEY, &list.value);
    list.value.into_iter().map(|net| net.value).collect()
}

fn net(value: &DeValue<'_>) -> Result<IpNet, Wrong> {
    let text = text(value)?;
    let net = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => { text.parse::<IpNet>() }
            .map_err(|_| Wrong::new(format!("{text:?} is no address and no prefix"), CURE))?,
    };
    if net.trunc() != net {
        let what = format!("{text:?} has bits behind its length");
        let cure = format!("write \"{}\", or a longer prefix", net.trunc());
        return Err(Wrong::new(what, cure));
    }
    if matches!(net.addr(), IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
        let what = format!("{text:?} stands for addresses of IPv4");
        let cure = "write it as IPv4: \"192.0.2.0/24\"; that holds however a socket has them";
        return Err(Wrong::new(what, cure));
    }
    Ok(net)
}
