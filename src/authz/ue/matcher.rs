//! Whom an operator grants, as it is written and as it is looked up.

use std::fmt;

use super::{ExternalId, IpPrefix, Kind, MSISDN_DIGITS, Mac, Msisdn, UeFault, UeId};
use super::{digits, ip, ipv4, ipv6, is_domain, prefix_length};

/// One word of an operator's about whom it grants.
#[derive(Clone, PartialEq, Eq)]
pub enum Matcher {
    /// `any`: every UE that is named, and no group.
    Any,
    /// `local@domain`.
    ExternalId(OwnedId),
    /// `*@domain`: every external id of the domain, not of those below it.
    Domain(Box<str>),
    /// `msisdn:N`, `msisdn:A-B` and `msisdn:N*`: the first and the last of each length.
    Msisdns(Vec<(Msisdn, Msisdn)>),
    /// `group:local@domain`: that group as a group, and none of those who are in it.
    Group(OwnedId),
    /// `group:any`: every group that is named.
    AnyGroup,
    /// `gpsi:...` of neither form.
    Gpsi(Box<str>),
    /// `10.0.0.0/8`, `2001:db8::/32`, `10.0.0.0/8 in some.domain`.
    Ip(IpGrant),
    /// `mac:02-1a-2b-3c-4d-5e`.
    Mac(Mac),
    /// `set:meters`: those of the set in the built file.
    Set(SetName),
}

/// An external id or group id, its domain in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnedId {
    local: Box<str>,
    domain: Box<str>,
}

/// Addresses, among those of one IP domain or of none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IpGrant {
    ip_domain: Option<Box<str>>,
    prefix: IpPrefix,
}

/// What a set in the built file is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetName(Box<str>);

/// Why a word grants nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatcherFault {
    /// It begins like none of the forms.
    Unknown,
    /// It has one of the forms, and names nobody.
    Ue(UeFault),
    /// The ends of a range have not the same number of digits, or the first is behind the last.
    Range,
    /// No name of a set.
    SetName,
}

impl MatcherFault {
    /// What to write.
    pub fn demand(self) -> &'static str {
        match self {
            Self::Unknown => {
                "\"any\", \"local@domain\", \"*@domain\", \"msisdn:N\", \"msisdn:A-B\", \
                 \"msisdn:N*\", \"group:local@domain\", \"group:any\", \"gpsi:...\", \
                 \"10.0.0.0/8\", \"10.0.0.0/8 in IP-DOMAIN\", \"mac:02-1a-2b-3c-4d-5e\" or \
                 \"set:NAME\""
            }
            Self::Ue(fault) => fault.demand(),
            Self::Range => "the first and the last number, of as many digits, as msisdn:A-B",
            Self::SetName => "1 to 64 letters, digits, hyphens, underscores and dots",
        }
    }
}

impl SetName {
    pub const BYTES_MAX: usize = 64;

    /// Letters, digits, hyphens, underscores and dots, 64 at most.
    pub fn new(text: &str) -> Option<Self> {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_name = (1..=Self::BYTES_MAX).contains(&text.len()) && text.chars().all(is_letter);
        is_name.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl OwnedId {
    fn of(id: ExternalId<'_>) -> Self {
        Self {
            local: id.local.into(),
            domain: id.domain.to_ascii_lowercase().into(),
        }
    }

    fn borrowed(&self) -> ExternalId<'_> {
        ExternalId {
            local: &self.local,
            domain: &self.domain,
        }
    }
}

impl Matcher {
    /// Reads a word.
    ///
    /// # Errors
    /// It grants nobody; which word it is, is not said: it may name a subscriber.
    pub fn read(text: &str) -> Result<Self, MatcherFault> {
        match text.split_once(':') {
            None if text == "any" => return Ok(Self::Any),
            Some(("group", "any")) => return Ok(Self::AnyGroup),
            Some(("msisdn", numbers)) => return msisdns(numbers).map(Self::Msisdns),
            Some(("set", name)) => {
                let name = SetName::new(name).ok_or(MatcherFault::SetName)?;
                return Ok(Self::Set(name));
            }
            _ => {}
        }
        if let Some(domain) = text.strip_prefix("*@") {
            return match is_domain(domain) {
                true => Ok(Self::Domain(domain.to_ascii_lowercase().into())),
                false => Err(MatcherFault::Ue(UeFault::ExternalId)),
            };
        }
        match member(text) {
            Err(MatcherFault::Unknown) => {}
            read => return read.map(|ue| Self::one(&ue)),
        }
        let (prefix, ip_domain) = match text.split_once(" in ") {
            Some((prefix, domain)) => (prefix, Some(domain)),
            None => (text, None),
        };
        let is_ip = prefix.contains(['.', ':']) || ip_domain.is_some();
        let read = ip(prefix, ip_domain, ip_prefix).map_err(MatcherFault::Ue);
        let read = read.map_err(|fault| if is_ip { fault } else { MatcherFault::Unknown })?;
        Ok(Self::one(&read))
    }

    /// That one alone.
    pub(in crate::authz) fn one(ue: &UeId<'_>) -> Self {
        match *ue {
            UeId::ExternalId(id) => Self::ExternalId(OwnedId::of(id)),
            UeId::Msisdn(msisdn) => Self::Msisdns(vec![(msisdn, msisdn)]),
            UeId::Group(id) => Self::Group(OwnedId::of(id)),
            UeId::Gpsi(gpsi) => Self::Gpsi(gpsi.into()),
            UeId::Ip { prefix, ip_domain } => Self::Ip(IpGrant {
                prefix,
                ip_domain: ip_domain.map(Into::into),
            }),
            UeId::Mac(mac) => Self::Mac(mac),
        }
    }
}

/// One UE or group of those that can be in a set: `local@domain`, `msisdn:N`, `group:local@domain`,
/// `gpsi:...` or `mac:...`.
///
/// # Errors
/// It names none.
pub fn member(text: &str) -> Result<UeId<'_>, MatcherFault> {
    let (kind, text) = match text.split_once(':') {
        Some(("msisdn", digits)) => (Kind::Msisdn, digits),
        Some(("group", id)) => (Kind::ExternalGroupId, id),
        Some(("gpsi", gpsi)) => (Kind::Gpsi, gpsi),
        Some(("mac", octets)) => (Kind::Mac, octets),
        _ if text.contains('@') => (Kind::ExternalId, text),
        // Not even of digits: they could be meant as an IMSI's.
        _ => return Err(MatcherFault::Unknown),
    };
    UeId::read(kind, text, None).map_err(MatcherFault::Ue)
}

/// An address, or a prefix.
fn ip_prefix(text: &str) -> Option<IpPrefix> {
    let Some((address, length)) = text.split_once('/') else {
        return ipv4(text).or_else(|| ipv6(text));
    };
    let length = prefix_length(length)?;
    match address.parse().ok()? {
        std::net::IpAddr::V4(address) => IpPrefix::of_v4(address, length),
        std::net::IpAddr::V6(address) => IpPrefix::of_v6(address, length),
    }
}

/// One number, a range of as many digits, or all that begin so.
fn msisdns(text: &str) -> Result<Vec<(Msisdn, Msisdn)>, MatcherFault> {
    let number = |text| Msisdn::read(text).map_err(MatcherFault::Ue);
    if let Some(start) = text.strip_suffix('*') {
        let none = MatcherFault::Ue(UeFault::Msisdn);
        let first = digits(start).filter(|_| !start.is_empty()).ok_or(none)?;
        let ranges =
            (start.len().max(*MSISDN_DIGITS.start())..=*MSISDN_DIGITS.end()).map(|length| {
                // Of fifteen digits at most: no overflow.
                let scale = (start.len()..length).fold(1, |scale, _| scale * 10);
                (Msisdn(first * scale), Msisdn(first * scale + (scale - 1)))
            });
        return Ok(ranges.collect());
    }
    let Some((first, last)) = text.split_once('-') else {
        return number(text).map(|one| vec![(one, one)]);
    };
    let is_range = first.len() == last.len();
    let (first, last) = (number(first)?, number(last)?);
    match is_range && first <= last {
        true => Ok(vec![(first, last)]),
        false => Err(MatcherFault::Range),
    }
}

/// Everybody that a grant names: sorted, so that a lookup allocates nothing and reads little.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ues {
    any: bool,
    any_group: bool,
    external_ids: Vec<OwnedId>,
    domains: Vec<Box<str>>,
    /// Without overlap.
    msisdns: Vec<(Msisdn, Msisdn)>,
    groups: Vec<OwnedId>,
    gpsis: Vec<Box<str>>,
    ips: Vec<IpGrant>,
    /// The lengths of their prefixes, and whether these are of IPv6.
    ip_lengths: Vec<(bool, u8)>,
    macs: Vec<Mac>,
    sets: Vec<SetName>,
}

/// How many of what.
impl fmt::Debug for Ues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ues")
            .field("any", &self.any)
            .field("any_group", &self.any_group)
            .field("external_ids", &self.external_ids.len())
            .field("domains", &self.domains.len())
            .field("msisdns", &self.msisdns.len())
            .field("groups", &self.groups.len())
            .field("gpsis", &self.gpsis.len())
            .field("ips", &self.ips.len())
            .field("macs", &self.macs.len())
            .field("sets", &self.sets)
            .finish()
    }
}

impl FromIterator<Matcher> for Ues {
    fn from_iter<T: IntoIterator<Item = Matcher>>(matchers: T) -> Self {
        let mut ues = Self::default();
        for matcher in matchers {
            match matcher {
                Matcher::Any => ues.any = true,
                Matcher::ExternalId(id) => ues.external_ids.push(id),
                Matcher::Domain(domain) => ues.domains.push(domain),
                Matcher::Msisdns(ranges) => ues.msisdns.extend(ranges),
                Matcher::Group(id) => ues.groups.push(id),
                Matcher::AnyGroup => ues.any_group = true,
                Matcher::Gpsi(gpsi) => ues.gpsis.push(gpsi),
                Matcher::Ip(grant) => ues.ips.push(grant),
                Matcher::Mac(mac) => ues.macs.push(mac),
                Matcher::Set(name) => ues.sets.push(name),
            }
        }
        sort(&mut ues.external_ids);
        sort(&mut ues.domains);
        sort(&mut ues.groups);
        sort(&mut ues.gpsis);
        sort(&mut ues.ips);
        let lengths = { ues.ips.iter() }.map(|grant| (grant.prefix.is_v6, grant.prefix.length));
        ues.ip_lengths = lengths.collect();
        sort(&mut ues.ip_lengths);
        sort(&mut ues.macs);
        sort(&mut ues.sets);
        ues.msisdns.sort_unstable();
        ues.msisdns.dedup_by(|later, kept| {
            let overlaps = later.0 <= kept.1;
            if overlaps {
                kept.1 = kept.1.max(later.1);
            }
            overlaps
        });
        ues
    }
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    list.sort_unstable();
    list.dedup();
}

impl Ues {
    /// Whether this one is among them; `in_set` says whether it is in a set of the built file.
    //= TS 33.187 clause 4.7
    //# Whether a request is authorized can depend on the UE it is for.
    pub fn contain(&self, ue: &UeId<'_>, in_set: impl Fn(&SetName) -> bool) -> bool {
        let by_name = match ue {
            UeId::ExternalId(id) => {
                self.any || id.is_of(&self.domains) || has(&self.external_ids, *id)
            }
            UeId::Msisdn(msisdn) => self.any || self.has_msisdn(*msisdn),
            // Who is granted everybody is not granted whatever is done to all of them at once.
            UeId::Group(id) => self.any_group || has(&self.groups, *id),
            UeId::Gpsi(gpsi) => {
                self.any
                    || self
                        .gpsis
                        .binary_search_by(|known| (**known).cmp(gpsi))
                        .is_ok()
            }
            UeId::Ip { prefix, ip_domain } => self.any || self.has_ip(*prefix, *ip_domain),
            UeId::Mac(mac) => self.any || self.macs.binary_search(mac).is_ok(),
        };
        by_name || self.sets.iter().any(in_set)
    }

    /// Whether one of the domain may be among them: whoever is in sets is of any.
    pub fn may_be_of(&self, domain: &str) -> bool {
        let is_it = |known: &str| known.eq_ignore_ascii_case(domain);
        let mut named = self.external_ids.iter().map(|id| &id.domain);
        self.any
            || !self.sets.is_empty()
            || named.any(|domain| is_it(domain))
            || self.domains.iter().any(|domain| is_it(domain))
    }

    /// Whether every UE and every group that can be named is among them.
    pub fn are_all(&self) -> bool {
        self.any && self.any_group
    }

    /// Words for whoever looks at a grant: how many are named of what, and none of them.
    pub fn outline(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (is, word) in [(self.any, "any"), (self.any_group, "group:any")] {
            words.extend(is.then(|| word.to_owned()));
        }
        words.extend(self.domains.iter().map(|domain| format!("*@{domain}")));
        for (count, one, more) in [
            (self.external_ids.len(), "external id", "external ids"),
            (self.msisdns.len(), "range of MSISDNs", "ranges of MSISDNs"),
            (self.groups.len(), "group", "groups"),
            (self.gpsis.len(), "GPSI", "GPSIs"),
            (self.ips.len(), "IP prefix", "IP prefixes"),
            (self.macs.len(), "MAC address", "MAC addresses"),
        ] {
            match count {
                0 => {}
                1 => words.push(format!("1 {one}")),
                _ => words.push(format!("{count} {more}")),
            }
        }
        words.extend(self.sets.iter().map(|set| format!("set:{}", set.as_str())));
        words
    }

    /// The sets that are named.
    pub fn sets(&self) -> &[SetName] {
        &self.sets
    }

    fn has_msisdn(&self, msisdn: Msisdn) -> bool {
        let place = self.msisdns.partition_point(|(first, _)| *first <= msisdn);
        let range = place
            .checked_sub(1)
            .and_then(|place| self.msisdns.get(place));
        range.is_some_and(|(_, last)| msisdn <= *last)
    }

    /// An address is another one in another IP domain, and nobody knows which in none.
    fn has_ip(&self, prefix: IpPrefix, ip_domain: Option<&str>) -> bool {
        let of_family = { self.ip_lengths.iter() }.filter(|(is_v6, _)| *is_v6 == prefix.is_v6);
        let mut around = of_family.filter_map(|(_, length)| prefix.within(*length));
        around.any(|around| {
            let asked = (ip_domain, around);
            let place = |grant: &IpGrant| (grant.ip_domain.as_deref(), grant.prefix).cmp(&asked);
            self.ips.binary_search_by(place).is_ok()
        })
    }
}

fn has(sorted: &[OwnedId], id: ExternalId<'_>) -> bool {
    sorted
        .binary_search_by(|known| known.borrowed().cmp(&id))
        .is_ok()
}
