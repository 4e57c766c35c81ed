//! Whom a request is about: subscribers and groups of them, as T8 names them.
//!
//! Each is read strictly into one form, so that two spellings of one UE are one here and what a
//! second reader could take for another UE is none: letters of a domain have no case, those of a
//! local part do; the GPSI `msisdn-X` is the MSISDN X, and `extid-Y` the external id Y.
//!
//! None of these types has a `Debug` or a `Display` that shows whom it means.

use std::cmp::Ordering;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

mod matcher;
pub mod sets;
#[cfg(test)]
mod tests;

pub use matcher::{Matcher, MatcherFault, SetName, Ues, member};

/// An external id or group id: a network has to take NAIs of so many octets (RFC 4282 section 2.2).
pub const EXTERNAL_ID_BYTES_MAX: usize = 253;
/// Any other GPSI.
const GPSI_BYTES_MAX: usize = 253;
/// The name of an IP domain.
const IP_DOMAIN_BYTES_MAX: usize = 253;
/// Of an MSISDN: E.164 has no longer one, and TS 29.571 no shorter one.
const MSISDN_DIGITS: std::ops::RangeInclusive<usize> = 5..=15;

/// What kind of field it is that names somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `local@domain`.
    ExternalId,
    /// Digits alone.
    Msisdn,
    /// `local@domain`, of TS 29.122.
    ExternalGroupId,
    /// `extgroupid-local@domain`, of TS 29.571.
    PrefixedGroupId,
    Gpsi,
    Ipv4,
    Ipv6,
    Ipv6Prefix,
    /// A `MacAddr48`.
    Mac,
}

/// A UE or a group of UEs, in its one form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum UeId<'t> {
    ExternalId(ExternalId<'t>),
    Msisdn(Msisdn),
    /// An external group id: no UE, and never taken for one.
    Group(ExternalId<'t>),
    /// A GPSI of neither form.
    Gpsi(&'t str),
    /// An address, or all those of a prefix.
    Ip {
        prefix: IpPrefix,
        /// Among which addresses it is one.
        ip_domain: Option<&'t str>,
    },
    Mac(Mac),
}

/// Why a text names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UeFault {
    ExternalId,
    Msisdn,
    Gpsi,
    Ip,
    IpDomain,
    Mac,
}

impl UeFault {
    /// What would be one.
    pub fn demand(self) -> &'static str {
        match self {
            Self::ExternalId => {
                "local@domain: a local part of ASCII without white space and \"(),:;<>@[\\], no \
                 dot at its ends and no two together; a domain of two labels or more"
            }
            Self::Msisdn => "5 to 15 digits of which the first is not 0",
            Self::Gpsi => "msisdn-DIGITS, extid-local@domain, or visible ASCII of no such form",
            Self::Ip => "an address, or a prefix without bits behind its length",
            Self::IpDomain => "1 to 253 visible ASCII characters",
            Self::Mac => "six octets as 02-1a-2b-3c-4d-5e",
        }
    }
}

impl<'t> UeId<'t> {
    /// Reads what a field of that kind says. An `ip_domain` stands beside addresses alone, and is
    /// passed over elsewhere.
    ///
    /// # Errors
    /// It is none of that kind, or has a second spelling that is refused.
    pub fn read(kind: Kind, text: &'t str, ip_domain: Option<&'t str>) -> Result<Self, UeFault> {
        match kind {
            Kind::ExternalId => ExternalId::read(text).map(Self::ExternalId),
            Kind::Msisdn => Msisdn::read(text).map(Self::Msisdn),
            Kind::ExternalGroupId => ExternalId::read(text).map(Self::Group),
            Kind::PrefixedGroupId => match text.strip_prefix(GROUP_PREFIX) {
                Some(group) => ExternalId::read(group).map(Self::Group),
                None => Err(UeFault::ExternalId),
            },
            Kind::Gpsi => gpsi(text),
            Kind::Ipv4 => ip(text, ip_domain, ipv4),
            Kind::Ipv6 => ip(text, ip_domain, ipv6),
            Kind::Ipv6Prefix => ip(text, ip_domain, ipv6_prefix),
            Kind::Mac => Mac::read(text).map(Self::Mac),
        }
    }

    /// Whether it is a group.
    pub fn is_group(&self) -> bool {
        matches!(self, Self::Group(_))
    }

    /// Whether it has a domain, and that is one of these, which are in order and in lower case.
    pub(super) fn is_of(&self, domains: &[Box<str>]) -> bool {
        match self {
            Self::ExternalId(id) | Self::Group(id) => id.is_of(domains),
            Self::Msisdn(_) | Self::Gpsi(_) | Self::Ip { .. } | Self::Mac(_) => false,
        }
    }
}

/// Which kind alone.
impl fmt::Debug for UeId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExternalId(_) => "an external id",
            Self::Msisdn(_) => "an MSISDN",
            Self::Group(_) => "an external group id",
            Self::Gpsi(_) => "a GPSI",
            Self::Ip { .. } => "an address",
            Self::Mac(_) => "a MAC address",
        })
    }
}

const MSISDN_PREFIX: &str = "msisdn-";
const EXTERNAL_ID_PREFIX: &str = "extid-";
const GROUP_PREFIX: &str = "extgroupid-";
/// How identities of other types begin, that are no GPSI. Letters have no case here, because
/// somebody behind the gateway may see none in them.
const PREFIXES_TAKEN: [&str; 8] = [
    MSISDN_PREFIX,
    EXTERNAL_ID_PREFIX,
    GROUP_PREFIX,
    "imsi-",
    "nai-",
    "suci-",
    "gci-",
    "gli-",
];

//= TS 29.571 clause 5.3.2
//# A GPSI is msisdn- with 5 to 15 digits, extid- with an external id, or something else.
fn gpsi(text: &str) -> Result<UeId<'_>, UeFault> {
    if let Some(digits) = text.strip_prefix(MSISDN_PREFIX) {
        return Msisdn::read(digits).map(UeId::Msisdn);
    }
    if let Some(id) = text.strip_prefix(EXTERNAL_ID_PREFIX) {
        return ExternalId::read(id).map(UeId::ExternalId);
    }
    if let Some(group) = text.strip_prefix(GROUP_PREFIX) {
        return ExternalId::read(group).map(UeId::Group);
    }
    let begins = |prefix: &str| {
        let start = text.as_bytes().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    let is_visible = is_visible(text, GPSI_BYTES_MAX);
    match is_visible && !PREFIXES_TAKEN.iter().any(|prefix| begins(prefix)) {
        true => Ok(UeId::Gpsi(text)),
        false => Err(UeFault::Gpsi),
    }
}

/// Some visible ASCII, and no more than so much.
fn is_visible(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic())
}

/// `local@domain`, as spelled: it is compared without case in the domain.
#[derive(Clone, Copy)]
pub struct ExternalId<'t> {
    local: &'t str,
    domain: &'t str,
}

impl<'t> ExternalId<'t> {
    //= TS 23.003 clause 19.7.2
    //# An external id is username@realm, as a NAI is made of them.
    fn read(text: &'t str) -> Result<Self, UeFault> {
        let parts = text.split_once('@');
        let parts = parts.filter(|_| text.len() <= EXTERNAL_ID_BYTES_MAX);
        let parts = parts.filter(|(local, domain)| is_local(local) && is_domain(domain));
        let (local, domain) = parts.ok_or(UeFault::ExternalId)?;
        Ok(Self { local, domain })
    }

    fn is_of(self, domains: &[Box<str>]) -> bool {
        let found = domains.binary_search_by(|known| known.bytes().cmp(self.domain_octets()));
        found.is_ok()
    }

    /// In lower case.
    fn domain_octets(self) -> impl Iterator<Item = u8> {
        self.domain.bytes().map(|octet| octet.to_ascii_lowercase())
    }
}

impl Ord for ExternalId<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let local = self.local.as_bytes().cmp(other.local.as_bytes());
        local.then_with(|| self.domain_octets().cmp(other.domain_octets()))
    }
}

impl PartialOrd for ExternalId<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ExternalId<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.local == other.local && self.domain.eq_ignore_ascii_case(other.domain)
    }
}

impl Eq for ExternalId<'_> {}

//= RFC 4282 section 2.1
//# A username is strings between dots, each of characters that need no backslash.
/// A backslash would be a second spelling, and so would other forms of one Unicode text: neither is
/// taken.
fn is_local(local: &str) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_graphic() && !b"\"(),:;<>@[\\]".contains(&octet);
    let is_string = |string: &str| !string.is_empty() && string.bytes().all(is_plain);
    local.split('.').all(is_string)
}

//= RFC 4282 section 2.1
//# A realm is two labels or more, of letters, digits and hyphens inside.
pub(super) fn is_domain(domain: &str) -> bool {
    const LABEL_BYTES_MAX: usize = 63;
    let is_inner = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

/// Digits of E.164 as a number: since none begins with 0, the number is the digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Msisdn(u64);

impl Msisdn {
    //= TS 23.003 clause 3.3
    //# An MSISDN is a country code, which begins with no 0, and what that country numbers.
    fn read(text: &str) -> Result<Self, UeFault> {
        if MSISDN_DIGITS.contains(&text.len()) {
            return digits(text).map(Self).ok_or(UeFault::Msisdn);
        }
        Err(UeFault::Msisdn)
    }
}

/// Fifteen digits at most of which the first is not 0, as a number.
fn digits(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit())
        && text.len() <= *MSISDN_DIGITS.end()
        && !text.starts_with('0');
    is_number.then(|| text.parse().ok()).flatten()
}

/// All addresses that begin alike; of one address, the whole of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpPrefix {
    is_v6: bool,
    length: u8,
    /// Of IPv4 the last 32; none set behind the length.
    bits: u128,
}

impl IpPrefix {
    fn of_v4(address: Ipv4Addr, length: u8) -> Option<Self> {
        Self::of(false, u128::from(address.to_bits()), length, 32)
    }

    /// Not of an address that stands for one of IPv4: who is behind the gateway may take it for
    /// that, or not.
    fn of_v6(address: Ipv6Addr, length: u8) -> Option<Self> {
        let is_mapped = address.to_ipv4_mapped().is_some();
        Self::of(true, address.to_bits(), length, 128).filter(|_| !is_mapped)
    }

    fn of(is_v6: bool, bits: u128, length: u8, width: u8) -> Option<Self> {
        let behind = width.checked_sub(length)?;
        let is_clean = bits & low_bits(behind) == 0;
        is_clean.then_some(Self {
            is_v6,
            bits,
            length,
        })
    }

    /// The prefix of that length that all of its addresses are in, if it is not shorter itself.
    fn within(self, length: u8) -> Option<Self> {
        let width: u8 = if self.is_v6 { 128 } else { 32 };
        let behind = low_bits(width.checked_sub(length)?);
        (length <= self.length).then_some(Self {
            length,
            bits: self.bits & !behind,
            ..self
        })
    }
}

/// So many ones at the end.
fn low_bits(count: u8) -> u128 {
    1u128
        .checked_shl(count.into())
        .map_or(u128::MAX, |one| one - 1)
}

fn ipv4(text: &str) -> Option<IpPrefix> {
    IpPrefix::of_v4(text.parse().ok()?, 32)
}

fn ipv6(text: &str) -> Option<IpPrefix> {
    IpPrefix::of_v6(text.parse().ok()?, 128)
}

fn ipv6_prefix(text: &str) -> Option<IpPrefix> {
    let (address, length) = text.split_once('/')?;
    IpPrefix::of_v6(address.parse().ok()?, prefix_length(length)?)
}

/// Without sign and without a 0 in front.
fn prefix_length(text: &str) -> Option<u8> {
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
    let is_short = text == "0" || !text.starts_with('0');
    (is_number && is_short).then(|| text.parse().ok()).flatten()
}

fn ip<'t>(
    text: &str,
    ip_domain: Option<&'t str>,
    read: fn(&str) -> Option<IpPrefix>,
) -> Result<UeId<'t>, UeFault> {
    if ip_domain.is_some_and(|domain| !is_visible(domain, IP_DOMAIN_BYTES_MAX)) {
        return Err(UeFault::IpDomain);
    }
    let prefix = read(text).ok_or(UeFault::Ip)?;
    Ok(UeId::Ip { prefix, ip_domain })
}

/// A MAC address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    //= TS 29.571 clause 5.2.2
    //# A MacAddr48 is six octets in hexadecimal digits, hyphens between them.
    fn read(text: &str) -> Result<Self, UeFault> {
        let mut octets = [0; 6];
        let mut written = text.split('-');
        for octet in &mut octets {
            let digits = written.next().filter(|digits| {
                digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
            });
            let read = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            *octet = read.ok_or(UeFault::Mac)?;
        }
        match written.next() {
            None => Ok(Self(octets)),
            Some(_) => Err(UeFault::Mac),
        }
    }
}
