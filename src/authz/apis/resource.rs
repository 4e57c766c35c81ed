//! Rows of the table: an API, its resources, what may be done to them, and the words in which the
//! two tables are written.

use std::borrow::Cow;

use super::shape::Kind::{Application, Gpsi, IpDomain, Mac};
use super::shape::{NOTHING, Shape};
use super::shared_bodies::IP_ADDR;
use super::{Verb, Verbs};

/// An API.
#[derive(Debug, PartialEq, Eq)]
pub struct Api {
    /// The `{apiName}` of its URIs. Requests are routed by it and not by the title: the two differ
    /// for ReportingNetworkStatus and RacsParameterProvisioning.
    pub name: &'static str,
    /// As its specification calls it.
    pub title: &'static str,
    /// One that another one's template matches as well stands before it.
    pub resources: &'static [Resource],
}

impl Api {
    pub(super) fn has_operation(&self, verb: Verb, template: &str) -> bool {
        let mut resources = self.resources.iter();
        resources.any(|resource| resource.template == template && resource.verbs.contains(verb))
    }
}

/// A resource of an API.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// The segments after the version: `/{scsAsId}/subscriptions/{subscriptionId}`.
    pub template: &'static str,
    /// The same, for matching: the first `count`.
    segments: [Segment; SEGMENTS_MAX],
    count: usize,
    /// What may be done to it.
    pub actions: &'static [Action],
    /// The verbs of these.
    pub verbs: Verbs,
    /// Where among them each verb stands; [`NO_ACTION`] for one that does not.
    places: [u8; 5],
}

const NO_ACTION: u8 = u8::MAX;

/// Of the longest template, `/{scsAsId}/configurations/{configurationId}/rds-ports/{portId}`.
pub(super) const SEGMENTS_MAX: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(&'static str),
    /// `{scsAsId}` or `{afId}`, which is the same.
    ScsAsId,
    /// Any other variable: `{subscriptionId}`, `{tmgi}` ...
    Id,
}

impl Resource {
    pub(super) const fn new(template: &'static str, actions: &'static [Action]) -> Self {
        let mut verbs = [Verb::Get; 5];
        let mut places = [NO_ACTION; 5];
        let mut at = 0;
        while at < actions.len() {
            verbs[at] = actions[at].verb;
            places[actions[at].verb as usize] = at as u8;
            at += 1;
        }
        let (verbs, _) = verbs.split_at(actions.len());
        let (segments, count) = segments(template);
        Self {
            template,
            segments,
            count,
            actions,
            verbs: Verbs::of(verbs),
            places,
        }
    }

    /// Whether the first segment says who asks; it stands nowhere else.
    pub(super) fn names_scs_as(&self) -> bool {
        self.segments[0] == Segment::ScsAsId
    }

    #[cfg(test)]
    pub(super) fn segments(&self) -> &[Segment] {
        self.segments.get(..self.count).unwrap_or_default()
    }

    pub(super) fn matches<'p>(
        &self,
        suffix: &[&'p str],
        decoded: impl Fn(&'p str) -> Cow<'p, str>,
    ) -> bool {
        self.count == suffix.len() && { self.segments.iter().zip(suffix) }.all(
            |(expected, segment)| match expected {
                Segment::Literal(text) => decoded(segment) == *text,
                Segment::ScsAsId | Segment::Id => !segment.is_empty(),
            },
        )
    }

    pub(super) fn action(&self, verb: Verb) -> Option<&'static Action> {
        let place = self.places.get(verb as usize)?;
        self.actions.get(usize::from(*place))
    }
}

const fn segments(template: &'static str) -> ([Segment; SEGMENTS_MAX], usize) {
    let mut segments = [Segment::Id; SEGMENTS_MAX];
    let mut count = 0;
    let bytes = template.as_bytes();
    let mut from = 1;
    while from <= bytes.len() {
        let mut to = from;
        while to < bytes.len() && bytes[to] != b'/' {
            to += 1;
        }
        let (segment, _) = template.split_at(to);
        let (_, segment) = segment.split_at(from);
        segments[count] = match segment.as_bytes() {
            b"{scsAsId}" | b"{afId}" => Segment::ScsAsId,
            [b'{', ..] => Segment::Id,
            _ => Segment::Literal(segment),
        };
        count += 1;
        from = to + 1;
    }
    (segments, count)
}

/// What a request's body is written in. All of them are JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    Json,
    /// RFC 7396.
    MergePatch,
    /// RFC 6902.
    JsonPatch,
}

impl MediaType {
    /// As it is written: `application/json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MergePatch => "application/merge-patch+json",
            Self::JsonPatch => "application/json-patch+json",
        }
    }
}

/// What may be done to a resource.
#[derive(Debug, PartialEq, Eq)]
pub struct Action {
    pub verb: Verb,
    /// The body of its requests; none where they have none.
    pub takes: Option<Body>,
    /// The body of what answers it with success.
    pub gives: Shape,
    /// Whether it may make a resource: `Location` says where.
    pub creates: bool,
    pub query: &'static [Parameter],
    /// The last segment of its path says which ports it is about: `ue2-ef5`.
    pub ports_in_path: bool,
    pub calls: &'static [Call],
}

/// A request's body. There is none that may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    pub media: MediaType,
    /// What stands where; of a JSON Patch, in what is patched.
    pub shape: Shape,
}

/// A parameter of the query.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: &'static str,
    pub shape: Shape,
    /// Its value is JSON; else an array is the parameter once for each element.
    pub is_json: bool,
}

/// What the SCEF sends by itself when it has been asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    /// The place in the request's body of the URI that it goes to, as a JSON pointer.
    pub to: &'static str,
    pub shape: Shape,
}

pub(super) const IP_ADDRS: Parameter = Parameter {
    is_json: true,
    ..parameter("ip-addrs", Shape::Items(&IP_ADDR))
};
/// As [`IP_ADDRS`], where the OpenAPI file does not say that it is JSON.
pub(super) const IP_ADDRS_FORM: Parameter = parameter("ip-addrs", Shape::Items(&IP_ADDR));
pub(super) const IP_DOMAIN: Parameter = parameter("ip-domain", Shape::Is(IpDomain));
pub(super) const MAC_ADDRS: Parameter = parameter("mac-addrs", Shape::Items(&Shape::Is(Mac)));
pub(super) const GPSIS: Parameter = parameter("gpsis", Shape::Items(&Shape::Is(Gpsi)));
pub(super) const SUPP_FEAT: Parameter = parameter("supp-feat", NOTHING);
pub(super) const EXTERNAL_APP_IDS: Parameter =
    parameter("external-app-ids", Shape::Items(&Shape::Is(Application)));

const fn parameter(name: &'static str, shape: Shape) -> Parameter {
    Parameter {
        name,
        shape,
        is_json: false,
    }
}

pub(super) const fn to(to: &'static str, shape: Shape) -> Call {
    Call { to, shape }
}

pub(super) const fn get(gives: Shape) -> Action {
    action(Verb::Get, None, gives)
}

/// A POST that makes a resource.
pub(super) const fn create(takes: Shape, gives: Shape) -> Action {
    post(takes, gives).creating()
}

/// A POST that makes none.
pub(super) const fn post(takes: Shape, gives: Shape) -> Action {
    action(Verb::Post, Some((MediaType::Json, takes)), gives)
}

pub(super) const fn put(takes: Shape, gives: Shape) -> Action {
    action(Verb::Put, Some((MediaType::Json, takes)), gives)
}

/// A PATCH by what the specification calls plain JSON.
pub(super) const fn patch(takes: Shape, gives: Shape) -> Action {
    action(Verb::Patch, Some((MediaType::Json, takes)), gives)
}

pub(super) const fn merge(takes: Shape, gives: Shape) -> Action {
    action(Verb::Patch, Some((MediaType::MergePatch, takes)), gives)
}

/// A PATCH of `patched` by a list of operations.
pub(super) const fn json_patch(patched: Shape, gives: Shape) -> Action {
    action(Verb::Patch, Some((MediaType::JsonPatch, patched)), gives)
}

pub(super) const fn delete(gives: Shape) -> Action {
    action(Verb::Delete, None, gives)
}

const fn action(verb: Verb, takes: Option<(MediaType, Shape)>, gives: Shape) -> Action {
    let takes = match takes {
        Some((media, shape)) => Some(Body { media, shape }),
        None => None,
    };
    Action {
        verb,
        takes,
        gives,
        creates: false,
        query: &[],
        ports_in_path: false,
        calls: &[],
    }
}

impl Action {
    pub(super) const fn creating(self) -> Self {
        Self {
            creates: true,
            ..self
        }
    }

    pub(super) const fn asking(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    pub(super) const fn at_ports(self) -> Self {
        Self {
            ports_in_path: true,
            ..self
        }
    }

    pub(super) const fn calling(self, calls: &'static [Call]) -> Self {
        Self { calls, ..self }
    }
}
