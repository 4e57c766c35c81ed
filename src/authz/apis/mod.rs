//! The one table of the APIs that an SCS/AS or AF may call: those of T8 (TS 29.122), and those that
//! a NEF serves to AFs (TS 29.522). What the SCS/AS or AF itself serves is not in it, for the SCEF
//! or NEF is the client there: MsisdnLessMoSms, MoLcsNotify and NIDDConfigurationTrigger.
//!
//! The table is data, and this file finds a request's place in it. `tests/spec/apis.py` holds it
//! against the OpenAPI files. What an operator adds to it is in [`configured`].

use std::borrow::Cow;

use resource::{Api, SEGMENTS_MAX};

pub mod configured;
mod nef;
mod nef_bodies;
pub mod resource;
pub mod shape;
mod shared_bodies;
mod t8;
mod t8_bodies;

pub use resource::{Action, MediaType};

#[cfg(test)]
mod tests;

/// One API of the table, or a configured one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiId(u8);

impl ApiId {
    /// The `{apiName}` of its URIs, which is also its scope value: `3gpp-monitoring-event`.
    pub fn name(self) -> &'static str {
        match self.row() {
            Some(api) => api.name,
            None => configured::name(self).unwrap_or_default(),
        }
    }

    /// The API with this `{apiName}`, compared octet for octet; a configured one, whether or not it
    /// is in force.
    pub fn from_name(name: &str) -> Option<Self> {
        match find(name) {
            Some((api, _)) => Some(api),
            None => configured::id(name),
        }
    }

    /// Its row of the table; a configured one has none there.
    pub fn row(self) -> Option<&'static Api> {
        APIS.get(usize::from(self.0)).copied()
    }

    /// Whether it has that operation on a resource, whose template is written as its row has it; a
    /// configured one, whether or not that is in force.
    pub fn has_operation(self, verb: Verb, template: &str) -> bool {
        match self.row() {
            Some(api) => api.has_operation(verb, template),
            None => configured::has_operation(self, verb, template),
        }
    }

    /// Its place, from 0 and less than [`ApiId::PLACES`]: an index for counters.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// How many APIs the table has.
    pub const COUNT: usize = t8::APIS.len() + nef::APIS.len();

    /// How many there can be, configured ones as well: a set has a bit for each.
    pub const PLACES: usize = u64::BITS as usize;

    /// How many can be configured.
    pub const CONFIGURED_MAX: usize = Self::PLACES - Self::COUNT;

    /// All of the table: those of T8 in the order of their clauses, then those of the NEF.
    pub fn all() -> impl Iterator<Item = Self> {
        (0u8..).map(Self).take(Self::COUNT)
    }
}

fn find(name: &str) -> Option<(ApiId, &'static Api)> {
    let slot = slot(key(name.as_bytes())?, SLOT_FACTOR);
    let place = *SLOTS.get(slot)?;
    let api = *APIS.get(usize::from(place))?;
    (api.name == name).then_some((ApiId(place), api))
}

/// A set of APIs; empty by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ApiSet(u64);

impl ApiSet {
    /// No API at all.
    pub const EMPTY: Self = Self(0);

    /// Those of T8 (TS 29.122).
    pub const fn of_t8() -> Self {
        Self((1 << t8::APIS.len()) - 1)
    }

    /// Those of a NEF (TS 29.522).
    pub const fn of_nef() -> Self {
        Self(((1 << nef::APIS.len()) - 1) << t8::APIS.len())
    }

    /// This one alone.
    pub fn of(api: ApiId) -> Self {
        Self(1 << api.0)
    }

    /// Adds one.
    pub fn insert(&mut self, api: ApiId) {
        self.0 |= 1 << api.0;
    }

    /// Whether `api` is in the set.
    pub fn contains(self, api: ApiId) -> bool {
        self.0 & (1 << api.0) != 0
    }

    /// Whether all of `others` are in the set.
    pub fn contains_all(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The APIs of the set: in the table's order, then as they came to be known.
    pub fn iter(self) -> impl Iterator<Item = ApiId> {
        let all = (0u8..).map(ApiId).take(ApiId::PLACES);
        all.filter(move |&api| self.contains(api))
    }
}

/// The table.
static APIS: [&Api; t8::APIS.len() + nef::APIS.len()] = rows();

const fn rows() -> [&'static Api; t8::APIS.len() + nef::APIS.len()] {
    let mut rows = [&t8::APIS[0]; t8::APIS.len() + nef::APIS.len()];
    let mut at = 0;
    while at < rows.len() {
        rows[at] = match at.checked_sub(t8::APIS.len()) {
            Some(at) => &nef::APIS[at],
            None => &t8::APIS[at],
        };
        at += 1;
    }
    rows
}

// A shift by an ApiId stays inside the set, and an ApiId inside its byte.
const _: () = assert!(ApiId::COUNT < ApiId::PLACES);

/// Where a name would stand in [`SLOTS`] hangs on its length and three of its octets. None for one
/// that is shorter than any in the table, or longer.
const fn key(name: &[u8]) -> Option<u32> {
    match name {
        [_, _, _, _, _, first, .., last] if name.len() < 256 => {
            let middle = name[name.len() / 2];
            Some(u32::from_le_bytes([
                name.len() as u8,
                *first,
                middle,
                *last,
            ]))
        }
        _ => None,
    }
}

const fn slot(key: u32, factor: u32) -> usize {
    (key.wrapping_mul(factor) >> 24) as usize
}

const NO_API: u8 = u8::MAX;

/// The place of the one API whose name may have that slot.
static SLOTS: [u8; 256] = match slots(SLOT_FACTOR) {
    Some(slots) => slots,
    None => panic!("two names share a slot"),
};

/// The first odd number that gives each name a slot of its own; found when the house is built.
const SLOT_FACTOR: u32 = {
    let mut factor = 0x9e37_79b1;
    while slots(factor).is_none() {
        factor += 2;
    }
    factor
};

const fn slots(factor: u32) -> Option<[u8; 256]> {
    let rows = rows();
    let mut slots = [NO_API; 256];
    let mut place = 0;
    while place < rows.len() {
        let Some(key) = key(rows[place].name.as_bytes()) else {
            return None;
        };
        let slot = &mut slots[slot(key, factor)];
        if *slot != NO_API {
            return None;
        }
        *slot = place as u8;
        place += 1;
    }
    Some(slots)
}

/// What is done to a resource. A request for the representation's head alone is a `Get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// As it is written: `GET`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A set of verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verbs(u8);

impl Verbs {
    /// The set of these.
    pub const fn of(verbs: &[Verb]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < verbs.len() {
            bits |= 1 << verbs[i] as u8;
            i += 1;
        }
        Self(bits)
    }

    /// Whether `verb` is in the set.
    pub fn contains(self, verb: Verb) -> bool {
        self.0 & (1 << verb as u8) != 0
    }

    /// The verbs of the set: GET, POST, PUT, PATCH, DELETE in this order.
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        Verb::ALL
            .into_iter()
            .filter(move |&verb| self.contains(verb))
    }
}

/// What a request asks for: known, and its verb allowed on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<'p> {
    pub api: ApiId,
    /// The resource's template, `/{scsAsId}/subscriptions/{subscriptionId}`: the same for all
    /// resources of its kind, so that it can stand where a path must not.
    pub resource: &'static str,
    /// What is done to it, and with what bodies.
    pub action: &'static Action,
    /// The `{scsAsId}` or `{afId}` of the path, decoded. None where paths have none, as those of
    /// ECRControl: there the certificate and the token alone say who is asking.
    pub scs_as_id: Option<Cow<'p, str>>,
}

/// Why a path and a verb are no operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiFault {
    /// No such API, version or resource.
    Unknown,
    /// The resource exists, and takes only these.
    VerbNotAllowed { allowed: Verbs },
}

impl ApiFault {
    /// The word for logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "api_unknown",
            Self::VerbNotAllowed { .. } => "verb_not_allowed",
        }
    }
}

/// Finds the operation of a path that has been checked (no empty or dot segments, valid
/// percent-encoding) and is still encoded; `decode` decodes one segment of such a path once.
/// `verb` is None for one the table does not know. A path without `%` costs no allocation.
/// Of the table as a whole; what is served is asked by [`configured::Served::operation`].
//= TS 29.122 clause 5.2.4
//# A resource URI is the API's root, its version v1, and the API's own suffix.
pub fn operation<'p>(
    path: &'p str,
    verb: Option<Verb>,
    decode: fn(&'p str) -> Cow<'p, str>,
) -> Result<Operation<'p>, ApiFault> {
    operation_of(path, verb, decode, |name| {
        find(name).map(|(api, row)| Found {
            api,
            row,
            versions: None,
        })
    })
}

/// An API that a path begins with.
struct Found {
    api: ApiId,
    row: &'static Api,
    /// None of the table's, which are all at version 1.
    versions: Option<&'static [&'static str]>,
}

#[inline]
fn operation_of<'p>(
    path: &'p str,
    verb: Option<Verb>,
    decode: fn(&'p str) -> Cow<'p, str>,
    find: impl FnOnce(&str) -> Option<Found>,
) -> Result<Operation<'p>, ApiFault> {
    let is_encoded = memchr::memchr(b'%', path.as_bytes()).is_some();
    let decoded = |segment: &'p str| match is_encoded {
        true => decode(segment),
        false => Cow::Borrowed(segment),
    };
    let Some(path) = path.strip_prefix('/') else {
        return Err(ApiFault::Unknown);
    };
    let end = memchr::memchr(b'/', path.as_bytes()).ok_or(ApiFault::Unknown)?;
    let (root, path) = path.split_at_checked(end).ok_or(ApiFault::Unknown)?;
    let Found { api, row, versions } = find(&decoded(root)).ok_or(ApiFault::Unknown)?;
    let of_version = |is_known: &dyn Fn(&str) -> bool| {
        let (version, suffix) = path.strip_prefix('/')?.split_once('/')?;
        is_known(&decoded(version)).then_some(suffix)
    };
    let suffix = match versions {
        // Hardly any path spells the version otherwise.
        None => { path.strip_prefix("/v1/") }.or_else(|| of_version(&|version| version == VERSION)),
        Some(versions) => of_version(&|version| versions.contains(&version)),
    };
    let mut rest = Some(suffix.ok_or(ApiFault::Unknown)?);
    let segments = std::iter::from_fn(|| {
        let path = rest?;
        let end = memchr::memchr(b'/', path.as_bytes());
        let split = end.and_then(|end| path.split_at_checked(end));
        rest = split.and_then(|(_, after)| after.get(1..));
        Some(split.map_or(path, |(segment, _)| segment))
    });
    let mut slots = [""; SEGMENTS_MAX];
    let mut count = 0;
    for segment in segments {
        // A longer path than any template's names nothing.
        *slots.get_mut(count).ok_or(ApiFault::Unknown)? = segment;
        count += 1;
    }
    let suffix = slots.get(..count).ok_or(ApiFault::Unknown)?;
    let resource = { row.resources.iter() }
        .find(|resource| resource.matches(suffix, decoded))
        .ok_or(ApiFault::Unknown)?;
    let action = verb.and_then(|verb| resource.action(verb));
    let action = action.ok_or(ApiFault::VerbNotAllowed {
        allowed: resource.verbs,
    })?;
    let named = resource.names_scs_as();
    let scs_as_id = suffix
        .first()
        .filter(|_| named)
        .map(|segment| decoded(segment));
    Ok(Operation {
        api,
        resource: resource.template,
        action,
        scs_as_id,
    })
}

/// Every API of the table is at version 1.
const VERSION: &str = "v1";
