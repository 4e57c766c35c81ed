//! What an operator's policy leaves of what a client asks for.

use super::limited::{group, ue};
use super::{Access, ENTRIES_MAX, Limits, OBJECTS_MAX};
use crate::authz::apis::ApiSet;
use crate::authz::policy::{Policy, Selector, Service};
use crate::authz::ue::sets::Sets;
use crate::authz::ue::{SetName, UeId};

/// What objects and services have in common: an object for each of both, those that differ by
/// nothing but their APIs made one. More than [`OBJECTS_MAX`] come back where no token carries it.
///
/// Operations that are granted one by one are granted by the half that they are of, and UEs that
/// are not asked for by name are not named: an operator may hold a client to millions. To both the
/// policy holds the client where it comes with the token.
//= RFC 9396 section 7
//# What is granted may be less than what was asked for.
pub fn held(asked: &[Access], policy: &Policy, sets: Option<&Sets>) -> Vec<Access> {
    let mut held: Vec<Access> = Vec::new();
    for object in asked {
        let mut services = policy.services.iter();
        while held.len() <= OBJECTS_MAX
            && let Some(service) = services.next()
        {
            let Some(common) = object.of(service, sets) else {
                continue;
            };
            let mut others = held.iter_mut();
            match others.find(|other| other.differs_by_apis(&common)) {
                Some(other) => other.apis = other.apis.union(common.apis),
                None => held.push(common),
            }
        }
    }
    held
}

impl Access {
    fn differs_by_apis(&self, other: &Self) -> bool {
        (self.read, self.write) == (other.read, other.write) && self.limits == other.limits
    }

    fn of(&self, service: &Service, sets: Option<&Sets>) -> Option<Self> {
        let read = self.read && service.operations.take_some_read();
        let write = self.write && service.operations.take_some_write();
        let has_some = self.apis.contains(service.api) && (read || write);
        Some(Self {
            apis: ApiSet::of(service.api),
            read,
            write,
            limits: has_some.then(|| self.limits.of(service, sets))??,
        })
    }
}

impl Limits {
    /// None where nothing is left.
    fn of(&self, service: &Service, sets: Option<&Sets>) -> Option<Self> {
        let selectors = &service.selectors;
        let monitoring_types = match &self.monitoring_types {
            Some(asked) => Some(some(asked, |kind| {
                selectors.take(Selector::MonitoringType(kind))
            })?),
            None => listed(&selectors.monitoring_types, |kind| kind.to_string()),
        };
        let ports = match &self.ports {
            Some(asked) => Some(some(asked, |port| selectors.take(Selector::Port(*port)))?),
            None => listed(&selectors.ports, |port| *port),
        };
        let in_set = |set: &SetName, ue: &UeId<'_>| sets.is_some_and(|sets| sets.hold(set, ue));
        let is_held = |ue: Option<UeId<'_>>| {
            ue.is_some_and(|ue| service.ues.contain(&ue, |set| in_set(set, &ue)))
        };
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
            Some(asked) if !asks_by_name => {
                Some(some(asked, |domain| service.ues.may_be_of(domain))?)
            }
            domains => domains.clone(),
        };
        Some(Self {
            ue_ids,
            ext_group_ids: groups,
            domains,
            monitoring_types,
            ports,
        })
    }
}

/// Those that are held; none where none is.
fn some<T: Clone>(asked: &[T], is_held: impl Fn(&T) -> bool) -> Option<Vec<T>> {
    let held = asked.iter().filter(|one| is_held(one));
    let held: Vec<T> = held.cloned().collect();
    (!held.is_empty()).then_some(held)
}

/// What a service is limited to, where that is not more than a list may have.
fn listed<T, U>(limit: &Option<Vec<T>>, write: impl Fn(&T) -> U) -> Option<Vec<U>> {
    let limit = limit.as_ref().filter(|limit| limit.len() <= ENTRIES_MAX);
    limit.map(|limit| limit.iter().map(write).collect())
}
