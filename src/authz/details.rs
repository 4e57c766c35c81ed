//! `authorization_details` (RFC 9396), in tokens and in requests for tokens, of the one type that
//! is known here: `t8_access`. An object of it names APIs and what may be done with them, and may
//! say with what only: which UEs, groups, event types and ports.
//!
//! Of `operations`, `read` and `write` are the halves of each API that it names, and
//! `DELETE /{scsAsId}/subscriptions/{subscriptionId}` that one of those APIs that have it, written
//! as `t8gate apis` prints it.
//!
//! An object gives what it says and nothing more, and for the APIs it names the token's scope says
//! no more than the objects do.
//!
//! Its limits, where they are there: `ueIds` are external ids, MSISDNs (`4915..`) and GPSIs
//! (`msisdn-4915..`, `extid-..`); `extGroupIds` are groups, each given as that group; of external
//! ids and groups `domains` are the domains. Each list is a limit of its own: an MSISDN is of no
//! domain. Where one of the three is there, no request is given that names nobody, and no group but
//! of `extGroupIds`; where those alone are, no UE. `monitoringTypes` and `ports` likewise: a
//! request that names none of them is not given, nor one of an API that has none.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use super::apis::{ApiId, ApiSet, Verb};
use super::json::{self, Json, Object};
use super::policy::{Operations, is_monitoring_type};
use super::scope::Rights;
use super::token::{Claim, TokenFault};
use super::ue::is_domain;

mod held;
mod limited;
#[cfg(test)]
mod tests;

pub use held::{TooLong, held};
pub use limited::{Gives, LimitedRights};

/// The `type` of what is known here.
pub const TYPE: &str = "t8_access";
/// Objects in one request or token, and entries in one list of an object.
pub const OBJECTS_MAX: usize = 32;
const ENTRIES_MAX: usize = 256;

const READ: &str = "read";
const WRITE: &str = "write";

/// One object of the type `t8_access`. No `Debug`: its limits name subscribers.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    apis: ApiSet,
    operations: Operations,
    limits: Limits,
}

/// What an object allows its operations with only; where a list is left out, with anything.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    ue_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ext_group_ids: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domains: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitoring_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<Vec<u16>>,
}

/// An object, and how much of it is known.
struct Read {
    access: Access,
    members_known: bool,
    /// APIs, operations, event types, and whom it names.
    values_known: bool,
}

/// Why what is asked for cannot be granted: `invalid_authorization_details`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DetailsFault {
    /// Not a JSON array of 1 to [`OBJECTS_MAX`] objects, a member twice, or an object without
    /// type.
    Malformed,
    /// A type that is not [`TYPE`].
    TypeUnknown,
    /// A member that the type does not have, or a value that its member does not.
    FieldUnknown,
    /// A member of the wrong kind, or `apis` is missing.
    FieldMalformed,
}

/// Reads what a request for a token asks for: nothing that is not understood is passed over.
//= RFC 9396 section 5
//# An unknown type, an unknown or malformed field and a missing one are refused.
pub fn asked(text: &str) -> Result<Vec<Access>, DetailsFault> {
    let value = json::value(text.as_bytes()).map_err(|_| DetailsFault::Malformed)?;
    let objects = objects(&value).ok_or(DetailsFault::Malformed)?;
    let read = |(kind, object): (&str, &Object)| match kind {
        TYPE => {
            let read = Access::read(object).ok_or(DetailsFault::FieldMalformed)?;
            let all = read.members_known && read.values_known;
            all.then_some(read.access).ok_or(DetailsFault::FieldUnknown)
        }
        _ => Err(DetailsFault::TypeUnknown),
    };
    objects.into_iter().map(read).collect()
}

/// What a token gives whose `authorization_details` are these, and whose scope gives so much: with
/// anything, and with some of it only.
///
/// # Errors
/// The claim is not what RFC 9396 says it is, or an object of ours has a malformed member.
//= RFC 9396 section 9
//# Details that are understood are enforced; those of an unknown type give nothing.
pub(super) fn given(
    claim: &Json,
    scope: Rights,
) -> Result<(Rights, Option<Arc<LimitedRights>>), TokenFault> {
    let malformed = TokenFault::ClaimMalformed(Claim::AuthorizationDetails);
    let (mut named, mut given) = (ApiSet::EMPTY, Rights::NONE);
    let mut limited = Vec::new();
    for (kind, object) in objects(claim).ok_or(malformed)? {
        if kind != TYPE {
            continue;
        }
        let read = Access::read(object).ok_or(malformed)?;
        named = named.union(read.access.apis);
        // A member that is not known may be a limit. An API, an operation or a UE that is not known
        // is one that nobody can ask for.
        match read.members_known {
            false => {}
            true if read.access.is_of_halves() && read.access.limits == Limits::default() => {
                given = given.and(read.access.rights());
            }
            true => limited.push(read.access),
        }
    }
    let limited = LimitedRights::of(limited).map(Arc::new);
    Ok((scope.without(named).and(given), limited))
}

/// The objects of an array with their types; none where it is no such array.
fn objects(value: &Json) -> Option<Vec<(&str, &Object)>> {
    let Json::Array(list) = value else {
        return None;
    };
    if list.is_empty() || list.len() > OBJECTS_MAX {
        return None;
    }
    let typed = list.iter().map(|one| match one {
        Json::Object(object) => Some((object.get("type")?.as_str()?, object)),
        _ => None,
    });
    typed.collect()
}

impl Access {
    /// Of which it says alone what is allowed.
    pub fn apis(&self) -> ApiSet {
        self.apis
    }

    /// The halves of APIs that it allows something of, but for its limits.
    pub fn rights(&self) -> Rights {
        let where_given = |given| if given { self.apis } else { ApiSet::EMPTY };
        Rights {
            read: where_given(self.operations.take_some_read()),
            write: where_given(self.operations.take_some_write()),
        }
    }

    /// Whether it names no single operation.
    fn is_of_halves(&self) -> bool {
        self.operations.single.is_empty()
    }

    /// So much of it as is among what somebody holds: an object for each set of operations that
    /// is left; none where nothing is.
    pub fn within(&self, held: Rights) -> Vec<Self> {
        let (read, write) = (held.read, held.write);
        let both = read.intersection(write);
        let mut parts: Vec<Self> = Vec::new();
        for (apis, read, write) in [
            (both, true, true),
            (read.without(both), true, false),
            (write.without(both), false, true),
        ] {
            let apis = self.apis.intersection(apis);
            let mut operations = self.operations.halves(read, write);
            // Of one that only another API has, nothing is left.
            let has = |verb, of: &str| apis.iter().any(|api| api.has_operation(verb, of));
            operations.single.retain(|(verb, of)| has(*verb, of));
            if apis.is_empty() || operations.are_none() {
                continue;
            }
            match parts.iter_mut().find(|part| part.operations == operations) {
                Some(part) => part.apis = part.apis.union(apis),
                None => parts.push(Self {
                    apis,
                    operations,
                    limits: self.limits.clone(),
                }),
            }
        }
        parts
    }

    /// Reads an object whose type is ours; none where one of its members is malformed.
    fn read(object: &Object) -> Option<Read> {
        const MEMBERS: [&str; 8] = [
            "type",
            "apis",
            "operations",
            "ueIds",
            "extGroupIds",
            "domains",
            "monitoringTypes",
            "ports",
        ];
        let (mut apis, mut values_known) = (ApiSet::EMPTY, true);
        for name in texts(object.get("apis")?)? {
            match ApiId::from_name(name) {
                Some(api) => apis.insert(api),
                None => values_known = false,
            }
        }
        let mut operations = Operations::default();
        match object.get("operations") {
            None => (operations.read, operations.write) = (true, true),
            Some(list) => {
                for name in texts(list)? {
                    match (name, single(apis, name)) {
                        (READ, _) => operations.read = true,
                        (WRITE, _) => operations.write = true,
                        (_, Some(one)) if operations.single.contains(&one) => {}
                        (_, Some(one)) => operations.single.push(one),
                        _ => values_known = false,
                    }
                }
            }
        }
        let list = |name| match object.get(name) {
            None => Some(None),
            Some(list) => Some(Some(texts(list)?.into_iter().map(str::to_owned).collect())),
        };
        let limits = Limits {
            ue_ids: list("ueIds")?,
            ext_group_ids: list("extGroupIds")?,
            domains: list("domains")?,
            monitoring_types: list("monitoringTypes")?,
            ports: match object.get("ports") {
                None => None,
                Some(list) => Some(ports(list)?),
            },
        };
        let named = limits.ue_ids.iter().flatten();
        values_known &= named.map(|text| limited::ue(text)).all(|ue| ue.is_some());
        let groups = limits.ext_group_ids.iter().flatten();
        values_known &= groups
            .map(|text| limited::group(text))
            .all(|group| group.is_some());
        values_known &= { limits.domains.iter().flatten() }.all(|domain| is_domain(domain));
        let types = limits.monitoring_types.iter().flatten();
        values_known &= types.map(String::as_str).all(is_monitoring_type);
        let access = Self {
            apis,
            operations,
            limits,
        };
        Some(Read {
            access,
            members_known: object.keys().all(|name| MEMBERS.contains(&name.as_str())),
            values_known,
        })
    }
}

/// As a token and the response that carries it say it.
impl Serialize for Access {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            apis: Vec<&'static str>,
            operations: Vec<Cow<'static, str>>,
            #[serde(flatten)]
            limits: &'a Limits,
        }
        let Operations {
            read,
            write,
            single,
        } = &self.operations;
        let halves = [(*read, READ), (*write, WRITE)].into_iter();
        let halves = halves.filter_map(|(given, word)| given.then_some(word.into()));
        let single = single.iter();
        let single = single.map(|(verb, of)| format!("{} {of}", verb.name()).into());
        let written = Written {
            kind: TYPE,
            apis: self.apis.iter().map(ApiId::name).collect(),
            operations: halves.chain(single).collect(),
            limits: &self.limits,
        };
        written.serialize(to)
    }
}

/// A single operation that one of these APIs has.
fn single(apis: ApiSet, word: &str) -> Option<(Verb, Box<str>)> {
    let (verb, template) = word.split_once(' ')?;
    let verb = Verb::ALL.into_iter().find(|known| known.name() == verb)?;
    let mut apis = apis.iter();
    apis.any(|api| api.has_operation(verb, template))
        .then(|| (verb, template.into()))
}

/// The entries of a list of texts: some, none of them empty. A list without entries is none of
/// ours, because it could be read as nothing and as no limit.
fn texts(value: &Json) -> Option<Vec<&str>> {
    let list = entries(value)?.iter().map(Json::as_str);
    list.map(|text| text.filter(|text| !text.is_empty()))
        .collect()
}

fn ports(value: &Json) -> Option<Vec<u16>> {
    let port = |one: &Json| match one {
        Json::Unsigned(port) => u16::try_from(*port).ok(),
        _ => None,
    };
    entries(value)?.iter().map(port).collect()
}

fn entries(value: &Json) -> Option<&[Json]> {
    match value {
        Json::Array(list) if (1..=ENTRIES_MAX).contains(&list.len()) => Some(list),
        _ => None,
    }
}
