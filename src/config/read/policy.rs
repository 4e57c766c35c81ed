//! What clients may ask for and about whom: the services of each, and the file of UE sets.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::DeValue;

use super::apis;
use crate::authz::apis::configured::Served;
use crate::authz::apis::{ApiId, Verb};
use crate::authz::policy::{MONITORING_TYPES, is_monitoring_type};
use crate::authz::policy::{OperationFault, Operations, Policy, Selectors, Service};
use crate::authz::scope::Rights;
use crate::authz::ue::{Matcher, SetName, Ues};
use crate::config::closest;
use crate::config::files::FileKind;
use crate::config::section::{Report, Section};
use crate::config::value::{Wrong, boolean, count, text, twice};
use crate::config::{Located, Place, UeSets};
use crate::limits::{SERVICE_UES_MAX, SERVICES_MAX};

/// APIs that have event types, and those that have ports.
pub(super) const WITH_TYPES: [&str; 1] = ["3gpp-monitoring-event"];
const WITH_PORTS: [&str; 2] = ["3gpp-nidd", "3gpp-device-triggering"];

/// `[policy]`, which the file may lack.
pub(super) fn ue_sets(mut section: Section<'_, '_>) -> Option<UeSets> {
    let cure = "name the file that t8gate policy build --out has written";
    let file = section.required_file("file", FileKind::UeSets, cure);
    let cure = "name the file of the secret it was built with: --key-file";
    let key_file = section.required_file("key_file", FileKind::Secret, cure);
    Some(UeSets {
        file: file?,
        key_file: key_file?,
    })
}

/// The services of a client, each with its line and its key.
pub(super) struct Services(Vec<(Service, usize, String)>);

impl Services {
    pub(super) fn policy(self) -> Arc<Policy> {
        let services = self.0.into_iter().map(|(service, ..)| service);
        Arc::new(Policy {
            services: services.collect(),
        })
    }

    /// Says of which of them no token ever gives anything that has these scopes at most.
    pub(super) fn warn_of_what_no_token_gives(&self, scopes: &[String], report: &Report) {
        let rights = scopes.iter().filter_map(|scope| Rights::of_value(scope));
        let rights = rights.fold(Rights::NONE, Rights::and);
        for (service, line, key) in &self.0 {
            let (api, operations) = (service.api, &service.operations);
            // Where each was a fault, that was said.
            if operations.are_none() {
                continue;
            }
            if operations.take_some_read() && rights.read.contains(api)
                || operations.take_some_write() && rights.write.contains(api)
            {
                continue;
            }
            let what = format!(
                "can never be used: no scope of the client gives any of its operations of {}",
                api.name()
            );
            let cure = "add it to the client's scopes, or remove the service";
            report.warn(*line, key.clone(), Wrong::new(what, cure));
        }
    }
}

/// `[[client.service]]`, in a client's own file `[[service]]`; none where the client has none.
/// Notes where sets are named, which takes a file of them.
pub(super) fn services(
    client: &mut Section<'_, '_>,
    served: &Served,
    has_sets: bool,
    sets_named: &mut BTreeMap<SetName, Place>,
) -> Option<Services> {
    let sections = client.sections("service");
    let line = client.line_of("service")?;
    if sections.len() > SERVICES_MAX {
        let what = format!("there are {} services", sections.len());
        let cure = format!(
            "a client has {SERVICES_MAX} at most: put those together that differ in \
                            operations or UEs alone"
        );
        client.fault(line, "service", Wrong::new(what, cure));
    }
    let mut services = Vec::with_capacity(sections.len());
    for mut section in sections {
        let ues = ues(&mut section, has_sets, sets_named);
        let line = section.line_of("api").unwrap_or(section.line());
        let key = section.full("api");
        services.extend(service(section, served, ues).map(|service| (service, line, key)));
    }
    Some(Services(services))
}

fn service(mut section: Section<'_, '_>, served: &Served, ues: Ues) -> Option<Service> {
    let cure = "name the API as its URIs do: \"3gpp-monitoring-event\"";
    let named = |value: &DeValue<'_>| apis::by_name(served, &text(value)?);
    let api = section.required("api", named, cure);
    let operations = operations(&mut section, served, api.as_ref());
    let selectors = selectors(&mut section, api.as_ref());
    let any_ue = section.or("any_ue", boolean, false);
    if !section.has("ues") && !any_ue && !section.is_said() {
        let cure = "list whom it is granted for: ues = [\"any\"], [\"*@example.com\"], \
                    [\"set:meters\"]; or any_ue = true, for requests that name nobody";
        let wrong = Wrong::new("is missing", cure);
        section.fault(section.line(), "ues", wrong);
    }
    Some(Service {
        api: api?.value,
        operations,
        selectors,
        ues,
        any_ue,
    })
}

/// All of the API, where nothing is said.
pub(super) fn operations(
    section: &mut Section<'_, '_>,
    served: &Served,
    api: Option<&Located<ApiId>>,
) -> Operations {
    const KEY: &str = "operations";
    let mut operations = Operations::default();
    let Some(words) = section.list(KEY, text) else {
        (operations.read, operations.write) = (true, true);
        return operations;
    };
    if section.holds_empty_list(KEY) {
        let cure = "take \"read\", \"write\" or single operations, or leave it out for all of them";
        section.fault(words.line, KEY, Wrong::new("is empty", cure));
    }
    super::refuse_repeats(section, KEY, &words.value);
    let Some(api) = api else {
        return operations;
    };
    for word in words.value {
        if let Err(fault) = operations.add(served, api.value, &word.value) {
            let wrong = not_an_operation(api.value, &word.value, fault);
            section.fault(word.line, KEY, wrong);
        }
    }
    operations
}

fn not_an_operation(api: ApiId, word: &str, fault: OperationFault) -> Wrong {
    let name = api.name();
    let (what, cure) = match fault {
        OperationFault::Malformed => {
            let methods = Verb::ALL.map(Verb::name).join(", ");
            let cure = format!(
                "take \"read\", \"write\", or a method ({methods}) and a resource: \
                 \"POST /{{scsAsId}}/subscriptions\""
            );
            (format!("{word:?} is no operation"), cure)
        }
        OperationFault::Resource => (
            format!("{word:?} is on no resource of {name}"),
            "write it as the API does behind its version, each variable in braces".to_owned(),
        ),
        OperationFault::Verb => (
            format!("{word:?}: {name} has no such method on this resource"),
            "take another method, or another resource".to_owned(),
        ),
    };
    Wrong::new(what, cure)
}

fn selectors(section: &mut Section<'_, '_>, api: Option<&Located<ApiId>>) -> Selectors {
    let types = monitoring_types(section);
    let types = limit(section, "monitoring_types", types, api, &WITH_TYPES);
    let ports = section.list("ports", count(0..=u64::from(u16::MAX)));
    let ports = limit(section, "ports", ports, api, &WITH_PORTS);
    Selectors {
        monitoring_types: types.map(|types| types.into_iter().map(Into::into).collect()),
        ports,
    }
}

/// In order; an API has to have what is limited.
pub(super) fn limit<T: Ord + std::fmt::Debug>(
    section: &Section<'_, '_>,
    key: &str,
    list: Option<Located<Vec<Located<T>>>>,
    api: Option<&Located<ApiId>>,
    with: &[&str],
) -> Option<Vec<T>> {
    let Located { value: list, line } = list?;
    if let Some(api) = api.filter(|api| !with.contains(&api.value.name())) {
        let what = format!("limits what {} does not have", api.value.name());
        let cure = format!("remove it; it goes with {}", with.join(" and "));
        section.fault(line, key, Wrong::new(what, cure));
    } else if section.holds_empty_list(key) {
        let cure = "list what is granted, or leave it out for all of it";
        section.fault(line, key, Wrong::new("is empty", cure));
    }
    super::refuse_repeats(section, key, &list);
    let mut values: Vec<T> = list.into_iter().map(|one| one.value).collect();
    values.sort_unstable();
    Some(values)
}

/// Event types: of those that are in no release that is known here, a later one may have some, or a
/// word is misspelt, and grants nothing.
pub(super) fn monitoring_types(
    section: &mut Section<'_, '_>,
) -> Option<Located<Vec<Located<String>>>> {
    const KEY: &str = "monitoring_types";
    let types = section.list(KEY, monitoring_type)?;
    for Located { value, line } in &types.value {
        if MONITORING_TYPES.contains(&value.as_str()) {
            continue;
        }
        let what = format!("{value:?} is no event type of TS 29.122 up to Release 18");
        let cure = match closest(value, &MONITORING_TYPES) {
            Some(known) => {
                format!("did you mean {known:?}? One of a later release is right as it is")
            }
            None => "mend it; one of a later release is right as it is".to_owned(),
        };
        let wrong = Wrong::new(what, cure);
        section.report().warn(*line, section.full(KEY), wrong);
    }
    Some(types)
}

/// TS 29.122 leaves room for those of later releases.
fn monitoring_type(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = text(value)?;
    if is_monitoring_type(&name) {
        return Ok(name);
    }
    let cure = "write it as TS 29.122 does: \"LOCATION_REPORTING\"";
    Err(Wrong::new(format!("{name:?} is no event type"), cure))
}

/// What is written is not said where it is wrong: it may name a subscriber.
fn ues(
    section: &mut Section<'_, '_>,
    has_sets: bool,
    sets_named: &mut BTreeMap<SetName, Place>,
) -> Ues {
    const KEY: &str = "ues";
    // Many stand on one line.
    let entries = Cell::new(0_usize);
    let read = |value: &DeValue<'_>| {
        let entry = entries.replace(entries.get() + 1) + 1;
        let word = text(value)?;
        Matcher::read(&word).map_err(|fault| {
            let cure = format!("write {}", fault.demand());
            let what = format!("entry {entry} grants nobody: it is not written as a UE or as some");
            Wrong::new(what, cure)
        })
    };
    let Some(words) = section.list(KEY, read) else {
        return Ues::default();
    };
    if section.holds_empty_list(KEY) {
        let cure = "list whom it is granted for, or leave it out where any_ue = true says it";
        section.fault(words.line, KEY, Wrong::new("is empty", cure));
    }
    if words.value.len() > SERVICE_UES_MAX {
        let what = format!("has {} entries", words.value.len());
        let cure = format!(
            "at most {SERVICE_UES_MAX} are taken: put them into a set by t8gate policy build"
        );
        section.fault(words.line, KEY, Wrong::new(what, cure));
        return Ues::default();
    }
    for (at, word) in words.value.iter().enumerate() {
        let mut before = words.value.iter().take(at);
        if let Some(first) = before.find(|before| before.value == word.value) {
            section.fault(word.line, KEY, twice("this one", first.line));
        }
        let Matcher::Set(name) = &word.value else {
            continue;
        };
        if !has_sets {
            let what = format!(
                "names the set {:?}, and there is no file of sets",
                name.as_str()
            );
            let cure = "add [policy] with file and key_file";
            section.fault(word.line, KEY, Wrong::new(what, cure));
        }
        let place = || section.report().place(word.line);
        sets_named.entry(name.clone()).or_insert_with(place);
    }
    words.value.into_iter().map(|word| word.value).collect()
}
