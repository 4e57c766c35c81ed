//! The one table of T8 APIs an SCS/AS may call (TS 29.122). MsisdnLessMoSms is not in it: the
//! SCS/AS serves that one, and the SCEF is its client.

use std::borrow::Cow;

#[cfg(test)]
mod tests;

/// One API of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiId(u8);

impl ApiId {
    /// The `{apiName}` of its URIs, which is also its scope value: `3gpp-monitoring-event`.
    pub fn name(self) -> &'static str {
        APIS.get(usize::from(self.0)).map_or("", |api| api.name)
    }

    /// The API with this `{apiName}`, compared octet for octet.
    pub fn from_name(name: &str) -> Option<Self> {
        let place = APIS.iter().position(|api| api.name == name)?;
        u8::try_from(place).ok().map(Self)
    }

    /// Its place in the table, from 0 and less than [`ApiId::COUNT`]: an index for counters.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// How many APIs there are.
    pub const COUNT: usize = APIS.len();

    /// All of them, in the order of their clauses.
    pub fn all() -> impl Iterator<Item = Self> {
        (0u8..).map(Self).take(Self::COUNT)
    }
}

/// A set of APIs; empty by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ApiSet(u64);

impl ApiSet {
    /// No API at all.
    pub const EMPTY: Self = Self(0);

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

    /// The APIs of the set, in the table's order.
    pub fn iter(self) -> impl Iterator<Item = ApiId> {
        ApiId::all().filter(move |&api| self.contains(api))
    }
}

// A shift by an ApiId stays inside the set, and an ApiId inside its byte.
const _: () = assert!(APIS.len() <= u64::BITS as usize);

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
    /// The resource's template, `/{scsAsId}/subscriptions/{id}`: the same for all resources of its
    /// kind, so that it can stand where a path must not.
    pub resource: &'static str,
    /// The `{scsAsId}` of the path, decoded. None for ECRControl, whose paths have none: there the
    /// certificate and the token alone say who is asking.
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
//= TS 29.122 clause 5.2.4
//# A resource URI is the API's root, its version v1, and the API's own suffix.
pub fn operation<'p>(
    path: &'p str,
    verb: Option<Verb>,
    decode: fn(&'p str) -> Cow<'p, str>,
) -> Result<Operation<'p>, ApiFault> {
    let is_encoded = memchr::memchr(b'%', path.as_bytes()).is_some();
    let decoded = |segment: &'p str| match is_encoded {
        true => decode(segment),
        false => Cow::Borrowed(segment),
    };
    let mut rest = path.strip_prefix('/');
    if rest.is_none() {
        return Err(ApiFault::Unknown);
    }
    let mut segments = std::iter::from_fn(|| {
        let path = rest?;
        let end = memchr::memchr(b'/', path.as_bytes());
        let split = end.and_then(|end| path.split_at_checked(end));
        rest = split.and_then(|(_, after)| after.get(1..));
        Some(split.map_or(path, |(segment, _)| segment))
    });
    let root = segments.next().unwrap_or_default();
    let version = segments.next().unwrap_or_default();
    let api = ApiId::from_name(&decoded(root)).ok_or(ApiFault::Unknown)?;
    if decoded(version) != VERSION {
        return Err(ApiFault::Unknown);
    }
    let mut slots = [""; SUFFIX_SEGMENTS_MAX];
    let mut count = 0;
    for segment in segments {
        // A longer path than any template's names nothing.
        *slots.get_mut(count).ok_or(ApiFault::Unknown)? = segment;
        count += 1;
    }
    let suffix = slots.get(..count).ok_or(ApiFault::Unknown)?;
    let resources = APIS.get(api.index()).map_or(&[][..], |api| api.resources);
    let resource = resources
        .iter()
        .find(|resource| resource.matches(suffix, decoded))
        .ok_or(ApiFault::Unknown)?;
    if !verb.is_some_and(|verb| resource.verbs.contains(verb)) {
        return Err(ApiFault::VerbNotAllowed {
            allowed: resource.verbs,
        });
    }
    let named = resource.template.first() == Some(&Segment::ScsAsId);
    let scs_as_id = suffix
        .first()
        .filter(|_| named)
        .map(|segment| decoded(segment));
    Ok(Operation {
        api,
        resource: resource.name,
        scs_as_id,
    })
}

struct Api {
    name: &'static str,
    resources: &'static [Resource],
}

struct Resource {
    /// The segments after the version, as one text: `/{scsAsId}/subscriptions/{id}`.
    name: &'static str,
    /// The same, for matching.
    template: &'static [Segment],
    verbs: Verbs,
}

impl Resource {
    fn matches<'p>(&self, suffix: &[&'p str], decoded: impl Fn(&'p str) -> Cow<'p, str>) -> bool {
        self.template.len() == suffix.len()
            && self
                .template
                .iter()
                .zip(suffix)
                .all(|(expected, segment)| match expected {
                    Segment::Literal(text) => decoded(segment) == *text,
                    Segment::ScsAsId | Segment::Id => !segment.is_empty(),
                })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    ScsAsId,
    /// Any other variable: `{subscriptionId}`, `{tmgi}` ...
    Id,
}

/// Every T8 API is at version 1.
const VERSION: &str = "v1";
/// Of the longest template, `/{scsAsId}/configurations/{id}/downlink-data-deliveries/{id}`.
const SUFFIX_SEGMENTS_MAX: usize = 5;

use Segment::{Id, Literal, ScsAsId};

const LIST: Verbs = Verbs::of(&[Verb::Get, Verb::Post]);
const READ: Verbs = Verbs::of(&[Verb::Get]);
const CALL: Verbs = Verbs::of(&[Verb::Post]);
const FULL: Verbs = Verbs::of(&[Verb::Get, Verb::Put, Verb::Patch, Verb::Delete]);
const WITHOUT_PATCH: Verbs = Verbs::of(&[Verb::Get, Verb::Put, Verb::Delete]);
const WITHOUT_PUT: Verbs = Verbs::of(&[Verb::Get, Verb::Patch, Verb::Delete]);
const READ_DELETE: Verbs = Verbs::of(&[Verb::Get, Verb::Delete]);

/// A row: the verbs of a resource, its name for people, and its segments after the version.
macro_rules! resource {
    ($verbs:expr; $name:literal; $($segment:expr),+) => {
        Resource { name: $name, template: &[$($segment),+], verbs: $verbs }
    };
}

// Routed by the root of the URL, not by the API's title: the two differ for
// ReportingNetworkStatus and RacsParameterProvisioning.
static APIS: [Api; 14] = [
    // MonitoringEvent, clause 5.3
    Api {
        name: "3gpp-monitoring-event",
        resources: &[
            resource!(LIST; "/{scsAsId}/subscriptions"; ScsAsId, Literal("subscriptions")),
            resource!(FULL; "/{scsAsId}/subscriptions/{id}"; ScsAsId, Literal("subscriptions"), Id),
        ],
    },
    // ResourceManagementOfBdt, clause 5.4
    Api {
        name: "3gpp-bdt",
        resources: &[
            resource!(LIST; "/{scsAsId}/subscriptions"; ScsAsId, Literal("subscriptions")),
            resource!(FULL; "/{scsAsId}/subscriptions/{id}"; ScsAsId, Literal("subscriptions"), Id),
        ],
    },
    // ChargeableParty, clause 5.5
    Api {
        name: "3gpp-chargeable-party",
        resources: &[
            resource!(LIST; "/{scsAsId}/transactions"; ScsAsId, Literal("transactions")),
            resource!(WITHOUT_PUT; "/{scsAsId}/transactions/{id}";
                ScsAsId, Literal("transactions"), Id),
        ],
    },
    // NIDD, clause 5.6
    Api {
        name: "3gpp-nidd",
        resources: &[
            resource!(LIST; "/{scsAsId}/configurations"; ScsAsId, Literal("configurations")),
            resource!(WITHOUT_PUT; "/{scsAsId}/configurations/{id}";
                ScsAsId, Literal("configurations"), Id),
            resource!(LIST; "/{scsAsId}/configurations/{id}/downlink-data-deliveries";
                ScsAsId, Literal("configurations"), Id, Literal("downlink-data-deliveries")),
            resource!(FULL; "/{scsAsId}/configurations/{id}/downlink-data-deliveries/{id}";
                ScsAsId, Literal("configurations"), Id, Literal("downlink-data-deliveries"), Id),
            resource!(READ; "/{scsAsId}/configurations/{id}/rds-ports";
                ScsAsId, Literal("configurations"), Id, Literal("rds-ports")),
            resource!(WITHOUT_PATCH; "/{scsAsId}/configurations/{id}/rds-ports/{id}";
                ScsAsId, Literal("configurations"), Id, Literal("rds-ports"), Id),
        ],
    },
    // DeviceTriggering, clause 5.7
    Api {
        name: "3gpp-device-triggering",
        resources: &[
            resource!(LIST; "/{scsAsId}/transactions"; ScsAsId, Literal("transactions")),
            resource!(FULL; "/{scsAsId}/transactions/{id}"; ScsAsId, Literal("transactions"), Id),
        ],
    },
    // GMDviaMBMSbyMB2, clause 5.8
    Api {
        name: "3gpp-group-message-delivery-mb2",
        resources: &[
            resource!(LIST; "/{scsAsId}/tmgi-allocation"; ScsAsId, Literal("tmgi-allocation")),
            resource!(FULL; "/{scsAsId}/tmgi-allocation/{id}";
                ScsAsId, Literal("tmgi-allocation"), Id),
            resource!(LIST; "/{scsAsId}/tmgi-allocation/{id}/delivery-via-mbms";
                ScsAsId, Literal("tmgi-allocation"), Id, Literal("delivery-via-mbms")),
            resource!(FULL; "/{scsAsId}/tmgi-allocation/{id}/delivery-via-mbms/{id}";
                ScsAsId, Literal("tmgi-allocation"), Id, Literal("delivery-via-mbms"), Id),
        ],
    },
    // GMDviaMBMSbyxMB, clause 5.8
    Api {
        name: "3gpp-group-message-delivery-xmb",
        resources: &[
            resource!(LIST; "/{scsAsId}/services"; ScsAsId, Literal("services")),
            resource!(READ_DELETE; "/{scsAsId}/services/{id}"; ScsAsId, Literal("services"), Id),
            resource!(LIST; "/{scsAsId}/services/{id}/delivery-via-mbms";
                ScsAsId, Literal("services"), Id, Literal("delivery-via-mbms")),
            resource!(FULL; "/{scsAsId}/services/{id}/delivery-via-mbms/{id}";
                ScsAsId, Literal("services"), Id, Literal("delivery-via-mbms"), Id),
        ],
    },
    // ReportingNetworkStatus, clause 5.9
    Api {
        name: "3gpp-net-stat-report",
        resources: &[
            resource!(LIST; "/{scsAsId}/subscriptions"; ScsAsId, Literal("subscriptions")),
            resource!(FULL; "/{scsAsId}/subscriptions/{id}"; ScsAsId, Literal("subscriptions"), Id),
        ],
    },
    // CpProvisioning, clause 5.10
    Api {
        name: "3gpp-cp-parameter-provisioning",
        resources: &[
            resource!(LIST; "/{scsAsId}/subscriptions"; ScsAsId, Literal("subscriptions")),
            resource!(WITHOUT_PATCH; "/{scsAsId}/subscriptions/{id}";
                ScsAsId, Literal("subscriptions"), Id),
            resource!(WITHOUT_PATCH; "/{scsAsId}/subscriptions/{id}/cpSets/{id}";
                ScsAsId, Literal("subscriptions"), Id, Literal("cpSets"), Id),
        ],
    },
    // PfdManagement, clause 5.11
    Api {
        name: "3gpp-pfd-management",
        resources: &[
            resource!(LIST; "/{scsAsId}/transactions"; ScsAsId, Literal("transactions")),
            resource!(FULL; "/{scsAsId}/transactions/{id}"; ScsAsId, Literal("transactions"), Id),
            resource!(FULL; "/{scsAsId}/transactions/{id}/applications/{id}";
                ScsAsId, Literal("transactions"), Id, Literal("applications"), Id),
        ],
    },
    // ECRControl, clause 5.12: custom operations, no {scsAsId}
    Api {
        name: "3gpp-ecr-control",
        resources: &[
            resource!(CALL; "/query"; Literal("query")),
            resource!(CALL; "/configure"; Literal("configure")),
        ],
    },
    // NpConfiguration, clause 5.13
    Api {
        name: "3gpp-network-parameter-configuration",
        resources: &[
            resource!(LIST; "/{scsAsId}/configurations"; ScsAsId, Literal("configurations")),
            resource!(FULL; "/{scsAsId}/configurations/{id}";
                ScsAsId, Literal("configurations"), Id),
        ],
    },
    // AsSessionWithQoS, clause 5.14
    Api {
        name: "3gpp-as-session-with-qos",
        resources: &[
            resource!(LIST; "/{scsAsId}/subscriptions"; ScsAsId, Literal("subscriptions")),
            resource!(FULL; "/{scsAsId}/subscriptions/{id}"; ScsAsId, Literal("subscriptions"), Id),
        ],
    },
    // RacsParameterProvisioning, clause 5.16
    Api {
        name: "3gpp-racs-pp",
        resources: &[
            resource!(LIST; "/{scsAsId}/provisionings"; ScsAsId, Literal("provisionings")),
            resource!(FULL; "/{scsAsId}/provisionings/{id}"; ScsAsId, Literal("provisionings"), Id),
        ],
    },
];
