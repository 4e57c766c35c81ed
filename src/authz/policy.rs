//! What a client may ask for, and about whom: services of the operator's policy, and the limits of
//! the token in hand. Both have to grant all of a request, or nothing of it is.
//!
//! A service is an API, some of its operations, some of what can be done with them, and UEs. What
//! several services grant is granted together: a request for two event types of two UEs is four
//! grants, and each may come from another service. Who is granted single UEs is not granted the
//! requests that name none, nor a group of them; nor is a request for one ever taken for more.

use std::borrow::Cow;

use super::apis::configured::Served;
use super::apis::{ApiFault, ApiId, Verb};
use super::details::Gives;
use super::ue::sets::Sets;
use super::ue::{SetName, UeId, Ues};

#[cfg(test)]
mod tests;

/// What the operator lets a client do. A client that has none is held to APIs, its token, and
/// nothing else: it may ask about any UE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub services: Vec<Service>,
}

/// One service of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub api: ApiId,
    pub operations: Operations,
    pub selectors: Selectors,
    pub ues: Ues,
    /// Requests that name no UE and no group, and may be about everybody.
    pub any_ue: bool,
}

/// Operations of one API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// All that change nothing.
    pub read: bool,
    /// All others.
    pub write: bool,
    /// Single ones, each with its resource's template as [`super::apis`] has it.
    pub single: Vec<(Verb, Box<str>)>,
}

/// With what only operations may be done; with anything where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selectors {
    /// In order. Of MonitoringEvent.
    pub monitoring_types: Option<Vec<Box<str>>>,
    /// In order. Application ports of DeviceTriggering, ports of the reliable data service of NIDD.
    pub ports: Option<Vec<u16>>,
}

/// A request, as far as grants are about it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub api: ApiId,
    pub verb: Verb,
    /// The resource's template, as [`super::apis::Operation`] has it.
    pub resource: &'a str,
    /// All that it names, `addnMonTypes` as well.
    pub monitoring_types: &'a [&'a str],
    pub ports: &'a [u16],
    /// Everybody that it names.
    pub ues: &'a [UeId<'a>],
}

/// What of a request is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotGranted {
    /// Nothing of the API.
    Service,
    Operation,
    /// An event type or a port, or that none is named where some only are granted.
    Selector,
    Ue,
    /// That no UE is named.
    AnyUe,
    Group,
}

impl NotGranted {
    /// The word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Service => "service_not_granted",
            Self::Operation => "operation_not_granted",
            Self::Selector => "selector_not_granted",
            Self::Ue => "ue_not_granted",
            Self::AnyUe => "any_ue_not_granted",
            Self::Group => "group_not_granted",
        }
    }
}

/// Who does not grant it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The operator.
    Policy,
    /// Whoever issued the token.
    Token,
}

/// Why a request is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Denied {
    pub what: NotGranted,
    pub by: Source,
}

/// What becomes of a list in which a client may not see all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lists {
    /// It has what the client may see.
    #[default]
    Filter,
    /// It is not shown.
    Refuse,
}

/// How much of a request decides, once its operation is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Nothing more: it is granted whatever stands in it.
    Whole,
    /// What stands in it, or in the representation that it is about.
    ByContent,
}

/// Judges a whole request. Allocates nothing.
///
/// # Errors
/// Something of it is not granted: by the token, else by the policy.
//= TS 33.187 clause 4.7
//# Per service and UE: all that is asked for of all that it is asked about, or nothing.
pub fn decide(
    policy: Option<&Policy>,
    token: Gives<'_>,
    sets: Option<&Sets>,
    asked: &Asked<'_>,
) -> Result<(), Denied> {
    let by = |by| move |what| Denied { what, by };
    if !token.rights.allow(asked.api, asked.verb) {
        let limited = token.limited.map_or(&[][..], |limited| limited.rows());
        granted(limited, None, asked).map_err(by(Source::Token))?;
    }
    match policy {
        None => Ok(()),
        Some(policy) => granted(&policy.services, sets, asked).map_err(by(Source::Policy)),
    }
}

/// Judges an operation before anything is known of what stands in the request.
///
/// # Errors
/// It is not granted, whatever that is.
pub fn extent(
    policy: Option<&Policy>,
    token: Gives<'_>,
    operation: (ApiId, Verb, &str),
) -> Result<Extent, Denied> {
    let (api, verb, resource) = operation;
    let asked = Asked {
        api,
        verb,
        resource,
        monitoring_types: &[],
        ports: &[],
        ues: &[],
    };
    let by = |by| move |what| Denied { what, by };
    let by_token = match token.rights.allow(api, verb) {
        true => Extent::Whole,
        false => {
            let limited = token.limited.map_or(&[][..], |limited| limited.rows());
            extent_of(limited, &asked).map_err(by(Source::Token))?
        }
    };
    let by_policy = match policy {
        None => Extent::Whole,
        Some(policy) => extent_of(&policy.services, &asked).map_err(by(Source::Policy))?,
    };
    Ok(match (by_token, by_policy) {
        (Extent::Whole, Extent::Whole) => Extent::Whole,
        _ => Extent::ByContent,
    })
}

impl Policy {
    /// The sets of the built file that it names.
    pub fn sets(&self) -> impl Iterator<Item = &SetName> {
        self.services.iter().flat_map(|service| service.ues.sets())
    }
}

/// One of the things that a request does.
#[derive(Clone, Copy)]
pub(super) enum Selector<'a> {
    /// It names no event type and no port.
    None,
    MonitoringType(&'a str),
    Port(u16),
}

/// One row of what somebody grants.
pub(super) trait Grants {
    fn is_of(&self, api: ApiId) -> bool;
    /// One of an API that it is of.
    fn takes_operation(&self, api: ApiId, verb: Verb, resource: &str) -> bool;
    fn takes_selector(&self, selector: Selector<'_>) -> bool;
    fn takes_ue(&self, ue: &UeId<'_>, sets: Option<&Sets>) -> bool;
    fn takes_any_ue(&self) -> bool;
    /// Every UE and every group that can be named.
    fn takes_all_named(&self) -> bool;
}

fn granted<G: Grants>(
    rows: &[G],
    sets: Option<&Sets>,
    asked: &Asked<'_>,
) -> Result<(), NotGranted> {
    let of_operation = of_operation(rows, asked)?;
    let with = |selector| {
        of_operation
            .clone()
            .filter(move |row| row.takes_selector(selector))
    };
    if asked
        .selectors()
        .any(|selector| with(selector).next().is_none())
    {
        return Err(NotGranted::Selector);
    }
    for selector in asked.selectors() {
        if asked.ues.is_empty() && !with(selector).any(G::takes_any_ue) {
            return Err(NotGranted::AnyUe);
        }
        let not_granted = |ue: &&UeId<'_>| !with(selector).any(|row| row.takes_ue(ue, sets));
        match asked.ues.iter().find(not_granted) {
            None => {}
            Some(ue) if ue.is_group() => return Err(NotGranted::Group),
            Some(_) => return Err(NotGranted::Ue),
        }
    }
    Ok(())
}

fn extent_of<G: Grants>(rows: &[G], asked: &Asked<'_>) -> Result<Extent, NotGranted> {
    let of_operation = of_operation(rows, asked)?;
    let mut with_anything = of_operation.filter(|row| row.takes_selector(Selector::None));
    let is_whole = with_anything.any(|row| row.takes_all_named() && row.takes_any_ue());
    Ok(match is_whole {
        true => Extent::Whole,
        false => Extent::ByContent,
    })
}

/// The rows that take the operation, one at least.
fn of_operation<'g, G: Grants>(
    rows: &'g [G],
    asked: &Asked<'g>,
) -> Result<impl Iterator<Item = &'g G> + Clone, NotGranted> {
    let Asked {
        api,
        verb,
        resource,
        ..
    } = *asked;
    let of_api = rows.iter().filter(move |row| row.is_of(api));
    if of_api.clone().next().is_none() {
        return Err(NotGranted::Service);
    }
    let of_operation = of_api.filter(move |row| row.takes_operation(api, verb, resource));
    match of_operation.clone().next() {
        None => Err(NotGranted::Operation),
        Some(_) => Ok(of_operation),
    }
}

impl<'a> Asked<'a> {
    /// One at least.
    fn selectors(&self) -> impl Iterator<Item = Selector<'a>> + Clone {
        let is_none = self.monitoring_types.is_empty() && self.ports.is_empty();
        let types = self.monitoring_types.iter();
        let types = types.map(|kind| Selector::MonitoringType(kind));
        let ports = self.ports.iter().map(|port| Selector::Port(*port));
        let none = is_none.then_some(Selector::None);
        types.chain(ports).chain(none)
    }
}

/// The event types of TS 29.122 up to Release 18.
pub const MONITORING_TYPES: [&str; 17] = [
    "LOSS_OF_CONNECTIVITY",
    "UE_REACHABILITY",
    "LOCATION_REPORTING",
    "CHANGE_OF_IMSI_IMEI_ASSOCIATION",
    "ROAMING_STATUS",
    "COMMUNICATION_FAILURE",
    "AVAILABILITY_AFTER_DDN_FAILURE",
    "NUMBER_OF_UES_IN_AN_AREA",
    "PDN_CONNECTIVITY_STATUS",
    "DOWNLINK_DATA_DELIVERY_STATUS",
    "API_SUPPORT_CAPABILITY",
    "NUM_OF_REGD_UES",
    "NUM_OF_ESTD_PDU_SESSIONS",
    "AREA_OF_INTEREST",
    "GROUP_MEMBER_LIST_CHANGE",
    "APPLICATION_START",
    "APPLICATION_STOP",
];

/// Whether a text is written as event types are: TS 29.122 may name more of them than today.
pub fn is_monitoring_type(text: &str) -> bool {
    const BYTES_MAX: usize = 64;
    let is_letter =
        |octet: u8| octet.is_ascii_uppercase() || octet.is_ascii_digit() || octet == b'_';
    (1..=BYTES_MAX).contains(&text.len()) && text.bytes().all(is_letter)
}

/// Why a word names no operation of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationFault {
    /// Not a method and a template.
    Malformed,
    /// The API has no such resource.
    Resource,
    /// It has, and other methods on it.
    Verb,
}

impl Operations {
    /// Adds what an operator's word grants: `read`, `write`, or a single operation as
    /// `POST /{scsAsId}/subscriptions`, whatever its other variables are called.
    ///
    /// # Errors
    /// It is none of the API, or that is not served.
    pub fn add(&mut self, served: &Served, api: ApiId, word: &str) -> Result<(), OperationFault> {
        match word {
            "read" => self.read = true,
            "write" => self.write = true,
            _ => self.single.push(single(served, api, word)?),
        }
        Ok(())
    }

    /// Whether they have some that changes nothing.
    pub fn take_some_read(&self) -> bool {
        self.read || { self.single.iter() }.any(|(verb, _)| *verb == Verb::Get)
    }

    /// Whether they have some that changes something.
    pub fn take_some_write(&self) -> bool {
        self.write || { self.single.iter() }.any(|(verb, _)| *verb != Verb::Get)
    }

    pub(super) fn take(&self, verb: Verb, resource: &str) -> bool {
        self.take_half_of(verb) || self.name(verb, resource)
    }

    fn take_half_of(&self, verb: Verb) -> bool {
        match verb {
            Verb::Get => self.read,
            Verb::Post | Verb::Put | Verb::Patch | Verb::Delete => self.write,
        }
    }

    fn name(&self, verb: Verb, resource: &str) -> bool {
        { self.single.iter() }.any(|(one, of)| *one == verb && **of == *resource)
    }

    pub fn are_none(&self) -> bool {
        !self.read && !self.write && self.single.is_empty()
    }

    /// Those of the halves that are wanted.
    pub(super) fn halves(&self, read: bool, write: bool) -> Self {
        let halves = Self {
            read,
            write,
            single: Vec::new(),
        };
        let single = self.single.iter();
        let single = single.filter(|(verb, _)| halves.take_half_of(*verb));
        Self {
            read: self.read && read,
            write: self.write && write,
            single: single.cloned().collect(),
        }
    }

    /// What both take of one API, each operation once.
    pub(super) fn in_common(&self, other: &Self, api: ApiId) -> Self {
        let mut common = Self {
            read: self.read && other.read,
            write: self.write && other.write,
            single: Vec::new(),
        };
        for (verb, resource) in other.single.iter().chain(&self.single) {
            let by_both = self.take(*verb, resource) && other.take(*verb, resource);
            if by_both && api.has_operation(*verb, resource) && !common.take(*verb, resource) {
                common.single.push((*verb, resource.clone()));
            }
        }
        common
    }
}

/// A template is a path of the resource that it is of, so that the one table says which that is.
fn single(served: &Served, api: ApiId, word: &str) -> Result<(Verb, Box<str>), OperationFault> {
    let (verb, template) = word.split_once(' ').ok_or(OperationFault::Malformed)?;
    let verb = Verb::ALL.into_iter().find(|known| known.name() == verb);
    let verb = verb.ok_or(OperationFault::Malformed)?;
    let version = served.version(api).ok_or(OperationFault::Resource)?;
    let path = format!("/{}/{version}{template}", api.name());
    let found = served.operation(&path, Some(verb), Cow::Borrowed);
    let resource = match found {
        Ok(operation) => operation.resource,
        Err(ApiFault::VerbNotAllowed { .. }) => return Err(OperationFault::Verb),
        Err(ApiFault::Unknown) => return Err(OperationFault::Resource),
    };
    // Who writes an id would think that it is granted alone.
    let is_variable = |segment: &str| segment.starts_with('{') && segment.ends_with('}');
    let mut segments = template.split('/').zip(resource.split('/'));
    match segments.all(|(written, known)| is_variable(written) == is_variable(known)) {
        true => Ok((verb, resource.into())),
        false => Err(OperationFault::Resource),
    }
}

impl Selectors {
    /// Who is limited to some of what an operation can be done with may not do it with none, nor
    /// with what is of another API.
    pub(super) fn take(&self, selector: Selector<'_>) -> bool {
        match (selector, &self.monitoring_types, &self.ports) {
            (_, None, None) => true,
            (Selector::MonitoringType(kind), Some(types), None) => {
                types.binary_search_by(|known| (**known).cmp(kind)).is_ok()
            }
            (Selector::Port(port), None, Some(ports)) => ports.binary_search(&port).is_ok(),
            _ => false,
        }
    }
}

impl Grants for Service {
    fn is_of(&self, api: ApiId) -> bool {
        self.api == api
    }

    fn takes_operation(&self, _: ApiId, verb: Verb, resource: &str) -> bool {
        self.operations.take(verb, resource)
    }

    fn takes_selector(&self, selector: Selector<'_>) -> bool {
        self.selectors.take(selector)
    }

    fn takes_ue(&self, ue: &UeId<'_>, sets: Option<&Sets>) -> bool {
        let in_set = |set: &SetName| sets.is_some_and(|sets| sets.hold(set, ue));
        self.ues.contain(ue, in_set)
    }

    fn takes_any_ue(&self) -> bool {
        self.any_ue
    }

    fn takes_all_named(&self) -> bool {
        self.ues.are_all()
    }
}
