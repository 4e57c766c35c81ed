//! What requests and representations are about: whom they name, with which event types and ports.
//!
//! A body is read once and strictly, and its [`Shape`] is followed on the way. Whatever two parsers
//! could read in two ways is refused, so that nobody behind the gateway finds another UE in it than
//! was judged here. Reading has two steps, because a text may have escapes and a [`UeId`] borrows
//! its text: [`Content`] holds what was found, [`About`] says whom it means.
//!
//! Nothing here has a `Debug` or a fault that shows a text of the body.

use std::borrow::Cow;
use std::collections::HashSet;

use super::apis::shape::{Kind, Role, Shape};
use super::apis::{ApiId, Verb};
use super::details::Gives;
use super::policy::{self, Asked, Denied, Policy};
use super::ue::sets::Sets;
use super::ue::{self, UeFault, UeId};

#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod list;
mod patch;
mod query;
mod reader;
#[cfg(test)]
mod tests;

pub use list::{Filtered, filter};
pub use patch::{brought_by, patched, types_brought_by};
pub use query::{ports_of_path, query};

/// Objects and arrays within each other. The deepest body of the table has eleven with the areas
/// that MonitoringEvent takes.
pub const DEPTH_MAX: usize = 32;
/// Values of one body, members and elements alike.
pub const VALUES_MAX: usize = 131_072;
/// UEs and groups that one body names.
pub const UES_MAX: usize = 16_384;
/// From so many on each of them is judged once, however often it is named.
const ONCE_FROM: usize = 32;
/// Event types and ports, each once, times the UEs: so many grants are looked for.
pub const GRANTS_MAX: usize = 65_536;
/// Different event types, or ports, that one body names.
const SELECTORS_MAX: usize = 64;

/// Whose words they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client's: nothing that belongs inside the operator's domain may stand in them, and where
    /// an identity belongs nothing else may, not even null.
    Request,
    /// A client's, in which null takes a member away (RFC 7396).
    MergePatch,
    /// The core's: what must not leave is the guard's to find, and null is nothing.
    Representation,
}

/// Why it is not known what a body is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Not UTF-8, not JSON, a number out of range, or bytes after the end.
    Malformed,
    /// Two members of one object have the same name, however it is spelt.
    DuplicateMember,
    /// A member is called as a known one is, but for the case of letters. Some parsers, as Go's,
    /// take it for that one.
    Lookalike,
    /// A member is called as a parser calls what it keeps as text: to that one it is what its text
    /// says.
    Reserved,
    /// A text with U+0000, where parsers of C end it.
    Nul,
    TooDeep,
    TooMany,
    /// A value of another type stands where the table knows one, or a number that is no port.
    WrongType,
    /// It names a subscriber, or a group, as only the operator's domain does.
    Internal,
    /// An identity is none, or has a second spelling.
    Identity(IdentityFault),
    /// A parameter that is known stands twice where it may not, is spelt like a known one, is not
    /// encoded well, or its value could be read in two ways.
    Parameter,
    /// The segment of a path that names ports names none.
    PathPorts,
    /// An operation of a JSON Patch is none, or fails.
    Patch,
    /// A JSON Patch moves or copies something to where it would say what is judged.
    Moved,
}

/// Which identity is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityFault {
    ExternalId,
    Msisdn,
    Group,
    Gpsi,
    Ip,
    IpDomain,
    Mac,
}

impl Fault {
    /// The word for audit and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Malformed => "json_malformed",
            Self::DuplicateMember => "json_member_twice",
            Self::Lookalike => "json_member_lookalike",
            Self::Reserved => "json_member_reserved",
            Self::Nul => "json_nul",
            Self::TooDeep => "json_too_deep",
            Self::TooMany => "json_too_many",
            Self::WrongType => "json_wrong_type",
            Self::Internal => "internal_identity",
            Self::Identity(IdentityFault::ExternalId) => "external_id_malformed",
            Self::Identity(IdentityFault::Msisdn) => "msisdn_malformed",
            Self::Identity(IdentityFault::Group) => "group_id_malformed",
            Self::Identity(IdentityFault::Gpsi) => "gpsi_malformed",
            Self::Identity(IdentityFault::Ip) => "ip_address_malformed",
            Self::Identity(IdentityFault::IpDomain) => "ip_domain_malformed",
            Self::Identity(IdentityFault::Mac) => "mac_malformed",
            Self::Parameter => "query_parameter_ambiguous",
            Self::PathPorts => "path_ports_malformed",
            Self::Patch => "patch_not_applicable",
            Self::Moved => "patch_moves_known_member",
        }
    }
}

/// Reads a body.
///
/// # Errors
/// It is not strictly JSON, or not of that shape.
pub fn read(body: &[u8], shape: Shape, origin: Origin) -> Result<Content<'_>, Fault> {
    reader::read(body, shape, origin)
}

/// What was found in a body, or in a query. Borrows from it what has no escapes.
#[derive(Clone, Default)]
pub struct Content<'b> {
    named: Vec<Named<'b>>,
    ip_domains: Vec<Cow<'b, str>>,
    monitoring_types: Vec<Cow<'b, str>>,
    ports: Vec<u16>,
    scs_as_ids: Vec<Cow<'b, str>>,
    any_ue: bool,
    unlisted: bool,
    /// One that it names says whom it is about, and not whom it leaves out or what was reported.
    selects: bool,
}

#[derive(Clone)]
struct Named<'b> {
    kind: ue::Kind,
    text: Cow<'b, str>,
    /// The place in `ip_domains` of the one beside it.
    ip_domain: Option<usize>,
}

impl<'b> Content<'b> {
    /// The event types of MonitoringEvent, each once.
    pub fn monitoring_types(&self) -> impl Iterator<Item = &str> {
        self.monitoring_types.iter().map(|kind| &**kind)
    }

    /// What it says again of who asks: each has to be who does.
    pub fn scs_as_ids(&self) -> impl Iterator<Item = &str> {
        self.scs_as_ids.iter().map(|id| &**id)
    }

    /// Whether it says nothing about UEs, not even that it is about any.
    pub fn names_nobody(&self) -> bool {
        self.named.is_empty() && !self.any_ue && !self.unlisted
    }

    /// Whether it says with what something is done: an event type or a port.
    pub fn says_with_what(&self) -> bool {
        !self.monitoring_types.is_empty() || !self.ports.is_empty()
    }

    /// Adds what another part of the same request says.
    pub fn join(&mut self, other: Self) {
        let from = self.ip_domains.len();
        self.named
            .extend(other.named.into_iter().map(|named| Named {
                ip_domain: named.ip_domain.map(|place| place + from),
                ..named
            }));
        self.ip_domains.extend(other.ip_domains);
        for kind in other.monitoring_types {
            if !self.monitoring_types.contains(&kind) {
                self.monitoring_types.push(kind);
            }
        }
        for port in other.ports {
            if !self.ports.contains(&port) {
                self.ports.push(port);
            }
        }
        self.scs_as_ids.extend(other.scs_as_ids);
        self.any_ue |= other.any_ue;
        self.unlisted |= other.unlisted;
        self.selects |= other.selects;
    }

    /// The same, without the body.
    pub fn into_owned(self) -> Content<'static> {
        let owned = |texts: Vec<Cow<'b, str>>| texts.into_iter().map(own).collect();
        let named = |named: Named<'b>| Named {
            text: own(named.text),
            kind: named.kind,
            ip_domain: named.ip_domain,
        };
        Content {
            named: self.named.into_iter().map(named).collect(),
            ip_domains: owned(self.ip_domains),
            monitoring_types: owned(self.monitoring_types),
            ports: self.ports,
            scs_as_ids: owned(self.scs_as_ids),
            any_ue: self.any_ue,
            unlisted: self.unlisted,
            selects: self.selects,
        }
    }

    /// Whom it means: any UE as well, where nobody whom it names says whom it is about.
    ///
    /// # Errors
    /// An identity is none, or it asks for more than can be judged in time.
    pub fn about(&self) -> Result<About<'_>, Fault> {
        Ok(About {
            any_ue: self.any_ue || !self.selects,
            ..self.besides()?
        })
    }

    /// Whom it means besides those of whom something else says that it is about them.
    ///
    /// # Errors
    /// As of [`Self::about`].
    pub fn besides(&self) -> Result<About<'_>, Fault> {
        let mut ues = Vec::with_capacity(self.named.len() + usize::from(self.unlisted));
        let mut seen = HashSet::new();
        for named in &self.named {
            let ip_domain = self.ip_domain(named);
            let is_new =
                self.named.len() < ONCE_FROM || seen.insert((named.kind, &*named.text, ip_domain));
            if is_new {
                ues.push(Self::one(named, ip_domain)?);
            }
        }
        if self.unlisted {
            ues.push(UNLISTED);
        }
        self.is_judged_in_time(ues.len())?;
        Ok(About {
            ues,
            monitoring_types: self.monitoring_types().collect(),
            ports: &self.ports,
            any_ue: self.any_ue,
        })
    }

    fn is_judged_in_time(&self, ues: usize) -> Result<(), Fault> {
        let selectors = self.monitoring_types.len() + self.ports.len();
        match ues.saturating_mul(selectors) > GRANTS_MAX {
            true => Err(Fault::TooMany),
            false => Ok(()),
        }
    }

    fn ip_domain(&self, named: &Named<'b>) -> Option<&str> {
        let place = named.ip_domain?;
        self.ip_domains.get(place).map(|domain| &**domain)
    }

    fn one<'c>(named: &'c Named<'b>, ip_domain: Option<&'c str>) -> Result<UeId<'c>, Fault> {
        let text = &*named.text;
        let is_group = named.kind == ue::Kind::ExternalGroupId;
        // TS 29.571 writes that in front of what TS 29.122 has alone: one reader would see another
        // group than the next.
        let has_prefix = |prefix: &str| {
            let start = text.as_bytes().get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        if is_group && has_prefix("extgroupid-") {
            return Err(Fault::Identity(IdentityFault::Group));
        }
        let read = UeId::read(named.kind, text, ip_domain);
        read.map_err(|fault| {
            Fault::Identity(match fault {
                UeFault::ExternalId if is_group => IdentityFault::Group,
                UeFault::ExternalId => IdentityFault::ExternalId,
                UeFault::Msisdn => IdentityFault::Msisdn,
                UeFault::Gpsi => IdentityFault::Gpsi,
                UeFault::Ip => IdentityFault::Ip,
                UeFault::IpDomain => IdentityFault::IpDomain,
                UeFault::Mac => IdentityFault::Mac,
            })
        })
    }
}

fn own(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

/// A UE of a kind that no grant can list: an A-KID, a line, what an application calls it. Who is
/// granted every UE is granted it; nobody else is, for no grant has a blank in a GPSI.
const UNLISTED: UeId<'static> = UeId::Gpsi(" ");

/// Whom a request or a representation is about, and with what.
pub struct About<'c> {
    ues: Vec<UeId<'c>>,
    monitoring_types: Vec<&'c str>,
    ports: &'c [u16],
    any_ue: bool,
}

impl<'c> About<'c> {
    /// All UEs and groups that are named.
    pub fn ues(&self) -> &[UeId<'c>] {
        &self.ues
    }

    /// All event types of MonitoringEvent, each once.
    pub fn monitoring_types(&self) -> &[&'c str] {
        &self.monitoring_types
    }

    /// All ports, each once.
    pub fn ports(&self) -> &[u16] {
        self.ports
    }

    /// Whether it may be about everybody: it says so, or selects nobody.
    #[cfg(test)]
    pub fn is_any_ue(&self) -> bool {
        self.any_ue || self.ues.is_empty()
    }

    /// The same UEs, with what a request says that it is to be done with.
    ///
    /// # Errors
    /// That is more than can be judged in time.
    pub fn with<'s>(&'s self, said: &'s Content<'_>) -> Result<About<'s>, Fault> {
        said.is_judged_in_time(self.ues.len())?;
        Ok(About {
            ues: self.ues.clone(),
            monitoring_types: said.monitoring_types().collect(),
            ports: &said.ports,
            any_ue: self.any_ue,
        })
    }

    /// Judges it, all or nothing. What names a UE and any UE as well needs a grant for both.
    ///
    /// # Errors
    /// Something of it is not granted.
    pub fn decide(
        &self,
        policy: Option<&Policy>,
        token: Gives<'_>,
        sets: Option<&Sets>,
        operation: (ApiId, Verb, &str),
    ) -> Result<(), Denied> {
        let (api, verb, resource) = operation;
        let named = Asked {
            api,
            verb,
            resource,
            monitoring_types: &self.monitoring_types,
            ports: self.ports,
            ues: &self.ues,
        };
        // Of no UE that is for any.
        policy::decide(policy, token, sets, &named)?;
        match self.any_ue && !self.ues.is_empty() {
            true => policy::decide(policy, token, sets, &Asked { ues: &[], ..named }),
            false => Ok(()),
        }
    }
}

/// Whether a value of that shape can say which UE it is about, or narrows it down.
pub fn names_subscribers(shape: Shape) -> bool {
    knows(shape, |kind| {
        kind.role() == Role::Subscriber || kind == Kind::IpDomain
    })
}

/// Whether a value of that shape can say whom the whole is about, or narrows it down.
fn selects(shape: Shape) -> bool {
    match shape {
        Shape::Is(_) => names_subscribers(shape),
        Shape::Members(members) => members.iter().any(|(_, shape)| selects(*shape)),
        Shape::Items(shape) | Shape::Values(shape) | Shape::Alone(shape) => selects(*shape),
        Shape::Either(shapes) => shapes.iter().any(|shape| selects(*shape)),
        Shape::Beside(_) => false,
    }
}

/// Whether anything of that shape is of a kind that is asked for.
fn knows(shape: Shape, asked: fn(Kind) -> bool) -> bool {
    match shape {
        Shape::Is(kind) => asked(kind),
        Shape::Members(members) => members.iter().any(|(_, shape)| knows(*shape, asked)),
        Shape::Items(shape) | Shape::Values(shape) => knows(*shape, asked),
        Shape::Either(shapes) => shapes.iter().any(|shape| knows(*shape, asked)),
        Shape::Beside(shape) | Shape::Alone(shape) => knows(*shape, asked),
    }
}
