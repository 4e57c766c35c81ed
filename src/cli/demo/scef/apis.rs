//! What the demo's SCEF knows of TS 29.122: three APIs, what a resource of each must say, and how
//! it may be changed.

use serde_json::{Map, Value};

/// One API with one collection of resources.
#[derive(Debug)]
pub struct Api {
    pub name: &'static str,
    pub collection: &'static str,
    /// Attributes a resource cannot be without.
    mandatory: &'static [&'static str],
    /// At least one of these; none where empty.
    any_of: &'static [&'static str],
    /// Exactly one of these says whom it is about.
    identifiers: &'static [&'static str],
    pub has_put: bool,
    pub patch: Patch,
    /// Attributes the SCEF adds, with their values.
    added: &'static [(&'static str, &'static str)],
}

/// How a resource is changed in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// RFC 6902; answered with 204.
    Operations,
    /// RFC 7396, of these attributes only; answered with the resource.
    Merge(&'static [&'static str]),
    /// New values of these attributes; answered with the resource.
    Attributes(&'static [&'static str]),
}

impl Patch {
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Operations => "application/json-patch+json",
            Self::Merge(_) => "application/merge-patch+json",
            Self::Attributes(_) => "application/json",
        }
    }
}

/// What is wrong with one attribute: its JSON pointer, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidParam {
    pub param: String,
    pub reason: String,
}

impl InvalidParam {
    pub fn new(param: &str, reason: impl Into<String>) -> Self {
        Self {
            param: format!("/{param}"),
            reason: reason.into(),
        }
    }
}

pub const APIS: [Api; 3] = [
    Api {
        name: "3gpp-monitoring-event",
        collection: "subscriptions",
        mandatory: &["notificationDestination", "monitoringType"],
        any_of: &["maximumNumberOfReports", "monitorExpireTime"],
        identifiers: &["externalId", "msisdn", "externalGroupId"],
        has_put: true,
        patch: Patch::Operations,
        added: &[],
    },
    Api {
        name: "3gpp-nidd",
        collection: "configurations",
        mandatory: &["notificationDestination"],
        any_of: &[],
        identifiers: &["externalId", "msisdn", "externalGroupId"],
        has_put: false,
        patch: Patch::Merge(&[
            "duration",
            "reliableDataService",
            "rdsPorts",
            "pdnEstablishmentOption",
            "notificationDestination",
        ]),
        added: &[("status", "ACTIVE")],
    },
    Api {
        name: "3gpp-device-triggering",
        collection: "transactions",
        mandatory: &[
            "validityPeriod",
            "priority",
            "applicationPortId",
            "triggerPayload",
            "notificationDestination",
        ],
        any_of: &[],
        identifiers: &["externalId", "msisdn"],
        has_put: true,
        patch: Patch::Attributes(&[
            "validityPeriod",
            "priority",
            "applicationPortId",
            "appSrcPortId",
            "triggerPayload",
            "notificationDestination",
        ]),
        added: &[("deliveryResult", "TRIGGERED")],
    },
];

/// Attributes that are numbers; all others that are checked are strings.
const NUMBERS: [&str; 3] = [
    "maximumNumberOfReports",
    "validityPeriod",
    "applicationPortId",
];
/// The one kind of event that may be about no device in particular.
const ABOUT_AN_AREA: &str = "NUMBER_OF_UES_IN_AN_AREA";

impl Api {
    /// Everything wrong with a resource as the client sent it.
    pub fn faults(&self, resource: &Map<String, Value>) -> Vec<InvalidParam> {
        let has = |name: &&&str| resource.contains_key(**name);
        let missing = self.mandatory.iter().filter(|name| !has(name));
        let mut faults: Vec<InvalidParam> = missing
            .map(|name| InvalidParam::new(name, "is mandatory"))
            .collect();
        if !self.any_of.is_empty() && !self.any_of.iter().any(|name| has(&name)) {
            let reason = format!("one of {} is mandatory", self.any_of.join(", "));
            faults.push(InvalidParam::new(self.any_of[0], reason));
        }
        let identifiers = self.identifiers.iter().filter(has).count();
        let about_an_area = resource.get("monitoringType") == Some(&ABOUT_AN_AREA.into());
        if identifiers > 1 || (identifiers == 0 && !about_an_area) {
            let reason = format!("exactly one of {} is needed", self.identifiers.join(", "));
            faults.push(InvalidParam::new(self.identifiers[0], reason));
        }
        let checked = self
            .mandatory
            .iter()
            .chain(self.any_of)
            .chain(self.identifiers);
        for name in checked {
            let fits = match resource.get(*name) {
                None => continue,
                Some(value) if NUMBERS.contains(name) => value.is_u64(),
                Some(value) => value.as_str().is_some_and(|text| !text.is_empty()),
            };
            if !fits {
                let kind = match NUMBERS.contains(name) {
                    true => "must be a number, not negative",
                    false => "must be a string, not empty",
                };
                faults.push(InvalidParam::new(name, kind));
            }
        }
        faults
    }

    /// Completes a resource by what the SCEF says of it.
    pub fn complete(&self, resource: &mut Map<String, Value>, link: String) {
        for (name, value) in self.added {
            resource.insert((*name).to_owned(), (*value).into());
        }
        resource.insert("self".to_owned(), link.into());
    }

    /// The methods of a collection, or of a resource in it.
    pub fn allow(&self, is_collection: bool) -> &'static str {
        match (is_collection, self.has_put) {
            (true, _) => "GET, POST",
            (false, true) => "GET, PUT, PATCH, DELETE",
            (false, false) => "GET, PATCH, DELETE",
        }
    }
}
