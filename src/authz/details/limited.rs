//! What a token gives by objects with limits: with some UEs, groups, event types or ports only, or
//! single operations.

use std::fmt;

use super::{Access, Limits};
use crate::authz::apis::{ApiId, Verb};
use crate::authz::policy::{Grants, Operations, Selector, Selectors};
use crate::authz::scope::Rights;
use crate::authz::ue::sets::Sets;
use crate::authz::ue::{Kind, Matcher, UeId, Ues};

/// All that a token gives.
#[derive(Clone, Copy)]
pub struct Gives<'t> {
    /// With anything.
    pub rights: Rights,
    /// With some of it only.
    pub limited: Option<&'t LimitedRights>,
}

impl Gives<'_> {
    /// What it gives with something at least.
    pub fn at_most(&self) -> Rights {
        let limited = self.limited.map_or(Rights::NONE, LimitedRights::at_most);
        self.rights.and(limited)
    }
}

/// The objects of a token that have limits, or name single operations.
#[derive(Clone, PartialEq, Eq)]
pub struct LimitedRights(Vec<Row>);

/// How many, and of nobody.
impl fmt::Debug for LimitedRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LimitedRights({})", self.0.len())
    }
}

/// One of them, as requests are held to it.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::authz) struct Row {
    rights: Rights,
    operations: Operations,
    selectors: Selectors,
    /// None where nothing is said of UEs, groups and domains: then with anybody.
    whom: Option<Whom>,
}

/// With whom only: each list that is there says it for itself.
#[derive(Clone, PartialEq, Eq)]
struct Whom {
    ues: Option<Ues>,
    groups: Ues,
    /// In order, in lower case.
    domains: Option<Vec<Box<str>>>,
}

impl LimitedRights {
    /// None where no object has limits.
    pub(super) fn of(objects: Vec<Access>) -> Option<Self> {
        let rows: Vec<Row> = objects.into_iter().map(Row::of).collect();
        (!rows.is_empty()).then_some(Self(rows))
    }

    /// Those of a claim, as a token would carry it.
    #[cfg(test)]
    pub(in crate::authz) fn of_text(claim: &str) -> Option<Self> {
        let claim = crate::authz::json::value(claim.as_bytes()).ok()?;
        let (_, limited) = super::given(&claim, Rights::NONE).ok()?;
        limited.as_deref().cloned()
    }

    /// What they give with something at least.
    pub fn at_most(&self) -> Rights {
        let rights = self.0.iter().map(|row| row.rights);
        rights.fold(Rights::NONE, Rights::and)
    }

    pub(in crate::authz) fn rows(&self) -> &[Row] {
        &self.0
    }
}

impl Row {
    fn of(object: Access) -> Self {
        let rights = object.rights();
        let Limits {
            ue_ids,
            ext_group_ids,
            domains,
            monitoring_types,
            ports,
        } = object.limits;
        let says_whom = ue_ids.is_some() || ext_group_ids.is_some() || domains.is_some();
        // What names nobody gives nobody.
        let ues_of = |list: &Vec<String>, read: fn(&str) -> Option<UeId<'_>>| -> Ues {
            let known = list.iter().filter_map(|text| read(text));
            known.map(|ue| Matcher::one(&ue)).collect()
        };
        let only_groups = ue_ids.is_none() && ext_group_ids.is_some();
        let ues = match &ue_ids {
            Some(list) => Some(ues_of(list, ue)),
            None => only_groups.then(Ues::default),
        };
        let whom = says_whom.then(|| Whom {
            ues,
            groups: ext_group_ids.map_or_else(Ues::default, |list| ues_of(&list, group)),
            domains: domains.map(in_order_lower_case),
        });
        Self {
            rights,
            selectors: Selectors {
                monitoring_types: monitoring_types.map(in_order),
                ports: ports.map(|mut ports| {
                    ports.sort_unstable();
                    ports
                }),
            },
            whom,
            operations: object.operations,
        }
    }
}

fn in_order(list: Vec<String>) -> Vec<Box<str>> {
    let mut list: Vec<Box<str>> = list.into_iter().map(Into::into).collect();
    list.sort_unstable();
    list
}

fn in_order_lower_case(mut list: Vec<String>) -> Vec<Box<str>> {
    list.iter_mut()
        .for_each(|domain| domain.make_ascii_lowercase());
    in_order(list)
}

/// A UE of a token: an external id, an MSISDN, or a GPSI.
pub(super) fn ue(text: &str) -> Option<UeId<'_>> {
    let kind = match text {
        _ if text.bytes().all(|octet| octet.is_ascii_digit()) => Kind::Msisdn,
        _ if text.starts_with("extid-") || text.starts_with("extgroupid-") => Kind::Gpsi,
        _ if text.contains('@') => Kind::ExternalId,
        _ => Kind::Gpsi,
    };
    let read = UeId::read(kind, text, None).ok();
    read.filter(|ue| !ue.is_group())
}

/// A group of a token.
pub(super) fn group(text: &str) -> Option<UeId<'_>> {
    UeId::read(Kind::ExternalGroupId, text, None).ok()
}

impl Grants for Row {
    fn is_of(&self, api: ApiId) -> bool {
        self.rights.read.union(self.rights.write).contains(api)
    }

    fn takes_operation(&self, api: ApiId, verb: Verb, resource: &str) -> bool {
        self.rights.allow(api, verb) && self.operations.take(verb, resource)
    }

    fn takes_selector(&self, selector: Selector<'_>) -> bool {
        self.selectors.take(selector)
    }

    fn takes_ue(&self, ue: &UeId<'_>, _: Option<&Sets>) -> bool {
        let Some(whom) = &self.whom else {
            return true;
        };
        let of_domain = whom
            .domains
            .as_ref()
            .is_none_or(|domains| ue.is_of(domains));
        let named = match ue.is_group() {
            true => whom.groups.contain(ue, |_| false),
            false => whom
                .ues
                .as_ref()
                .is_none_or(|ues| ues.contain(ue, |_| false)),
        };
        of_domain && named
    }

    fn takes_any_ue(&self) -> bool {
        self.whom.is_none()
    }

    fn takes_all_named(&self) -> bool {
        self.whom.is_none()
    }
}
