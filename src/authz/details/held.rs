//! What an operator's policy leaves of what a client asks for.

use super::limited::{group, ue};
use super::{Access, ENTRIES_MAX, Limits, OBJECTS_MAX};
use crate::authz::apis::ApiSet;
use crate::authz::policy::{Policy, Selector, Selectors, Service};
use crate::authz::ue::sets::Sets;
use crate::authz::ue::{SetName, UeId, Ues};

/// What both have in common takes more objects than [`OBJECTS_MAX`], or a longer list than one may
/// have.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

/// What objects and services have in common: an object for each of both, those that differ by
/// nothing but their APIs made one.
///
/// UEs that are not asked for by name are not named: an operator may hold a client to millions. To
/// these the policy holds the client where it comes with the token.
///
/// # Errors
/// No token carries it.
//= RFC 9396 section 7
//# What is granted may be less than what was asked for.
pub fn held(
    asked: &[Access],
    policy: &Policy,
    sets: Option<&Sets>,
) -> Result<Vec<Access>, TooLong> {
    let mut held: Vec<Access> = Vec::new();
    for object in asked {
        for service in &policy.services {
            let Some(common) = object.common(service, sets)? else {
                continue;
            };
            let mut others = held.iter_mut();
            match others.find(|other| other.differs_by_apis(&common)) {
                Some(other) => other.apis = other.apis.union(common.apis),
                None => held.push(common),
            }
            if held.len() > OBJECTS_MAX {
                return Err(TooLong);
            }
        }
    }
    Ok(held)
}

impl Access {
    fn differs_by_apis(&self, other: &Self) -> bool {
        self.operations == other.operations && self.limits == other.limits
    }

    /// None where it and the service have nothing in common.
    fn common(&self, service: &Service, sets: Option<&Sets>) -> Result<Option<Self>, TooLong> {
        if !self.apis.contains(service.api) {
            return Ok(None);
        }
        let operations = self.operations.in_common(&service.operations, service.api);
        if operations.are_none() {
            return Ok(None);
        }
        // Beside the two halves.
        if operations.single.len() > ENTRIES_MAX - 2 {
            return Err(TooLong);
        }
        let limits = self.limits.whom_in_common(&service.ues, sets);
        let limits = limits.map(|limits| limits.with_what_in_common(&service.selectors));
        Ok(limits.transpose()?.flatten().map(|limits| Self {
            apis: ApiSet::of(service.api),
            operations,
            limits,
        }))
    }
}

impl Limits {
    /// With those only that are named and held; none where nobody is left.
    fn whom_in_common(&self, held: &Ues, sets: Option<&Sets>) -> Option<Self> {
        let in_set = |set: &SetName, ue: &UeId<'_>| sets.is_some_and(|sets| sets.hold(set, ue));
        let is_held =
            |ue: Option<UeId<'_>>| ue.is_some_and(|ue| held.contain(&ue, |set| in_set(set, &ue)));
        let ue_ids = self.ue_ids.as_ref();
        let ue_ids = ue_ids.and_then(|asked| some(asked, |text| is_held(ue(text))));
        let groups = self.ext_group_ids.as_ref();
        let groups = groups.and_then(|asked| some(asked, |text| is_held(group(text))));
        // Who asks for some by name and is left none of them is left nobody.
        let asks_by_name = self.ue_ids.is_some() || self.ext_group_ids.is_some();
        if asks_by_name && ue_ids.is_none() && groups.is_none() {
            return None;
        }
        let domains = match &self.domains {
            Some(asked) if !asks_by_name => Some(some(asked, |domain| held.may_be_of(domain))?),
            domains => domains.clone(),
        };
        Some(Self {
            ue_ids,
            ext_group_ids: groups,
            domains,
            ..self.clone()
        })
    }

    /// With those event types and ports only that are held; none where nothing is left.
    fn with_what_in_common(self, held: &Selectors) -> Result<Option<Self>, TooLong> {
        let monitoring_types = match &self.monitoring_types {
            Some(asked) => some(asked, |kind| held.take(Selector::MonitoringType(kind))),
            None => listed(held.monitoring_types.as_deref(), |kind| kind.to_string())?,
        };
        let ports = match &self.ports {
            Some(asked) => some(asked, |port| held.take(Selector::Port(*port))),
            None => listed(held.ports.as_deref(), |port| *port)?,
        };
        let is_gone = (self.monitoring_types.is_some() && monitoring_types.is_none())
            || (self.ports.is_some() && ports.is_none());
        Ok((!is_gone).then_some(Self {
            monitoring_types,
            ports,
            ..self
        }))
    }
}

/// Those that are held; none where none is.
fn some<T: Clone>(asked: &[T], is_held: impl Fn(&T) -> bool) -> Option<Vec<T>> {
    let held = asked.iter().filter(|one| is_held(one));
    let held: Vec<T> = held.cloned().collect();
    (!held.is_empty()).then_some(held)
}

/// What a service is limited to.
fn listed<T, U>(limit: Option<&[T]>, write: impl Fn(&T) -> U) -> Result<Option<Vec<U>>, TooLong> {
    match limit {
        Some(limit) if limit.len() > ENTRIES_MAX => Err(TooLong),
        limit => Ok(limit.map(|limit| limit.iter().map(write).collect())),
    }
}
