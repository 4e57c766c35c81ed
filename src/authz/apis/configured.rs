//! APIs that an operator adds to the table, and which of all there are is served.
//!
//! What is added is as fixed as a row of the table once it is known: it is kept to the end of the
//! process, so that requests, records and remembered tokens name it as they name any other. What is
//! read again and is the same is the same row. So is an API's place in a set, which goes by its
//! name: a right that was granted never comes to be one of another API.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::LazyLock;

use arc_swap::ArcSwap;

use super::resource::{Action, Api, Body, Call, MediaType, Parameter, Resource, SEGMENTS_MAX};
use super::shape::{Kind, NOTHING, Shape};
use super::{ApiFault, ApiId, ApiSet, Found, Operation, VERSION, Verb, find, operation_of};
use crate::limits::API_DEFINITIONS_MAX;

#[cfg(test)]
mod tests;

/// An API as an operator writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub name: String,
    pub title: String,
    /// One at least.
    pub versions: Vec<String>,
    pub resources: Vec<WrittenResource>,
}

/// A resource of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenResource {
    /// Segments that [`template`] has taken.
    pub template: String,
    pub actions: Vec<WrittenAction>,
}

/// What may be done to a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenAction {
    pub verb: Verb,
    pub takes: Option<MediaType>,
    pub creates: bool,
    pub request: Places,
    pub response: Places,
    pub query: Vec<WrittenParameter>,
    pub calls: Vec<(String, Places)>,
}

/// Parameters of one operation's query.
pub const PARAMETERS_MAX: usize = u32::BITS as usize;

/// A parameter of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenParameter {
    pub name: String,
    pub kind: Kind,
}

/// What stands where in a body, as it is put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Option<Node>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Is(Kind),
    Members(Vec<(String, Node)>),
    Items(Box<Node>),
    Values(Box<Node>),
}

#[derive(Clone, Copy)]
enum Step<'s> {
    Member(&'s str),
    Item,
    Value,
}

/// Why a place cannot be added to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceFault {
    /// No JSON pointer to something inside a body.
    Malformed,
    TooDeep,
    /// It was named before.
    Twice,
    /// One of the two stands inside the other, which is a value.
    Inside,
    /// What it stands in is an array by the one and an object by the other, or an object whose
    /// members are named by the one and whatever they are called by the other.
    Mixed,
}

/// So many steps lead to a place at most.
const STEPS_MAX: usize = 16;

impl Places {
    /// Adds what stands at a JSON pointer, in which `*` is each element of an array and `{}` each
    /// member of an object.
    ///
    /// # Errors
    /// It cannot be, beside those that were added.
    pub fn add(&mut self, pointer: &str, kind: Kind) -> Result<(), PlaceFault> {
        let names = pointer.strip_prefix('/').ok_or(PlaceFault::Malformed)?;
        let names: Vec<Cow<'_, str>> = names
            .split('/')
            .map(|name| unescaped(name).ok_or(PlaceFault::Malformed))
            .collect::<Result<_, _>>()?;
        if names.len() > STEPS_MAX {
            return Err(PlaceFault::TooDeep);
        }
        let steps: Vec<Step<'_>> = { names.iter() }
            .map(|name| match &**name {
                "*" => Step::Item,
                "{}" => Step::Value,
                name => Step::Member(name),
            })
            .collect();
        match &mut self.0 {
            None => self.0 = Some(Node::planted(&steps, kind)),
            Some(node) => node.grow(&steps, kind)?,
        }
        Ok(())
    }

    fn shape(&self) -> Shape {
        self.0.as_ref().map_or(NOTHING, Node::shape)
    }
}

/// RFC 6901. An empty name can be a member's, and is more likely a slash too many.
fn unescaped(name: &str) -> Option<Cow<'_, str>> {
    if name.is_empty() {
        return None;
    }
    if !name.contains('~') {
        return Some(Cow::Borrowed(name));
    }
    let mut parts = name.split('~');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escaped, rest) = part.split_at_checked(1)?;
        out.push(match escaped {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        out.push_str(rest);
    }
    Some(Cow::Owned(out))
}

impl Node {
    fn planted(steps: &[Step<'_>], kind: Kind) -> Self {
        steps
            .iter()
            .rev()
            .fold(Self::Is(kind), |node, step| match step {
                Step::Member(name) => Self::Members(vec![((*name).to_owned(), node)]),
                Step::Item => Self::Items(Box::new(node)),
                Step::Value => Self::Values(Box::new(node)),
            })
    }

    /// Goes no deeper than there are steps.
    fn grow(&mut self, steps: &[Step<'_>], kind: Kind) -> Result<(), PlaceFault> {
        let Some((step, steps)) = steps.split_first() else {
            return Err(match self {
                Self::Is(_) => PlaceFault::Twice,
                _ => PlaceFault::Inside,
            });
        };
        match (self, step) {
            (Self::Is(_), _) => Err(PlaceFault::Inside),
            (Self::Members(members), Step::Member(name)) => {
                match members.iter_mut().find(|(known, _)| known == name) {
                    Some((_, node)) => node.grow(steps, kind),
                    None => {
                        members.push(((*name).to_owned(), Self::planted(steps, kind)));
                        Ok(())
                    }
                }
            }
            (Self::Items(node), Step::Item) | (Self::Values(node), Step::Value) => {
                node.grow(steps, kind)
            }
            _ => Err(PlaceFault::Mixed),
        }
    }

    fn shape(&self) -> Shape {
        match self {
            Self::Is(kind) => Shape::Is(*kind),
            Self::Members(members) => {
                let members = members.iter();
                Shape::Members(kept_all(
                    members.map(|(name, node)| (kept(name), node.shape())),
                ))
            }
            Self::Items(node) => Shape::Items(Box::leak(Box::new(node.shape()))),
            Self::Values(node) => Shape::Values(Box::leak(Box::new(node.shape()))),
        }
    }
}

/// What is kept to the end of the process.
fn kept(text: &str) -> &'static str {
    Box::leak(text.into())
}

fn kept_all<T>(all: impl Iterator<Item = T>) -> &'static [T] {
    Box::leak(all.collect())
}

/// A configured API, as requests are looked up in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub id: ApiId,
    pub api: Api,
    /// One at least.
    pub versions: &'static [&'static str],
    written: Written,
}

impl Row {
    fn kept(id: ApiId, written: Written) -> &'static Self {
        let mut resources: Vec<&WrittenResource> = written.resources.iter().collect();
        // What another one's template matches as well stands before it: the one that says more.
        resources.sort_by_key(|resource| {
            let segments = resource.template.split('/').skip(1);
            let is_literal = |segment: &str| Reverse(!segment.starts_with('{'));
            segments.map(is_literal).collect::<Vec<_>>()
        });
        let resource = |resource: &&WrittenResource| {
            let actions = kept_all(resource.actions.iter().map(WrittenAction::kept));
            Resource::new(kept(&resource.template), actions)
        };
        let api = Api {
            name: kept(&written.name),
            title: kept(&written.title),
            resources: kept_all(resources.iter().map(resource)),
        };
        let versions = kept_all(written.versions.iter().map(|version| kept(version)));
        Box::leak(Box::new(Self {
            id,
            api,
            versions,
            written,
        }))
    }
}

impl WrittenAction {
    fn kept(&self) -> Action {
        let query = { self.query.iter() }.map(|parameter| Parameter {
            name: kept(&parameter.name),
            shape: Shape::Is(parameter.kind),
            is_json: false,
        });
        let calls = { self.calls.iter() }.map(|(to, places)| Call {
            to: kept(to),
            shape: places.shape(),
        });
        Action {
            verb: self.verb,
            takes: self.takes.map(|media| Body {
                media,
                shape: self.request.shape(),
            }),
            gives: self.response.shape(),
            creates: self.creates,
            query: kept_all(query),
            ports_in_path: false,
            calls: kept_all(calls),
        }
    }
}

/// Why an API cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMany {
    /// APIs by other names, in force or not any more.
    Names,
    /// Ways in which one was written.
    Definitions,
}

/// All that was ever configured in this process.
#[derive(Clone, Default)]
struct Known {
    /// The first is that of the first place behind the table's.
    names: Vec<&'static str>,
    rows: Vec<&'static Row>,
}

static KNOWN: LazyLock<ArcSwap<Known>> = LazyLock::new(ArcSwap::default);

/// The row of what is written: the one it had before, if it is the same.
///
/// # Errors
/// This process has seen as many as it can tell apart.
pub fn row(written: Written) -> Result<&'static Row, TooMany> {
    let known = KNOWN.load();
    if let Some(row) = known.rows.iter().find(|row| row.written == written) {
        return Ok(row);
    }
    if known.rows.len() >= API_DEFINITIONS_MAX {
        return Err(TooMany::Definitions);
    }
    let id = entered(&written.name).ok_or(TooMany::Names)?;
    let row = Row::kept(id, written);
    KNOWN.rcu(|known| {
        let mut known = Known::clone(known);
        known.rows.push(row);
        known
    });
    Ok(row)
}

/// The place of a name, which it has from now on.
fn entered(name: &str) -> Option<ApiId> {
    if let Some(id) = id(name) {
        return Some(id);
    }
    let name = kept(name);
    KNOWN.rcu(|known| known.with(name));
    id(name)
}

impl Known {
    /// The same, where there is no room for another name.
    fn with(&self, name: &'static str) -> Self {
        let mut known = self.clone();
        // Another thread may have been faster.
        if !known.names.contains(&name) && known.names.len() < ApiId::CONFIGURED_MAX {
            known.names.push(name);
        }
        known
    }
}

/// The configured API of a name, whether or not it is in force.
pub(super) fn id(name: &str) -> Option<ApiId> {
    let at = KNOWN.load().names.iter().position(|known| *known == name)?;
    u8::try_from(ApiId::COUNT + at).ok().map(ApiId)
}

/// The name of a place behind those of the table.
pub(super) fn name(id: ApiId) -> Option<&'static str> {
    let at = id.index().checked_sub(ApiId::COUNT)?;
    KNOWN.load().names.get(at).copied()
}

pub(super) fn has_operation(id: ApiId, verb: Verb, template: &str) -> bool {
    let known = KNOWN.load();
    let mut rows = known.rows.iter().filter(|row| row.id == id);
    rows.any(|row| row.api.has_operation(verb, template))
}

/// Which APIs are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Those of the table, and the configured ones.
    all: ApiSet,
    configured: Vec<&'static Row>,
}

impl Served {
    /// Some of the table's and these.
    pub fn new(of_table: ApiSet, configured: Vec<&'static Row>) -> Self {
        let mut all = of_table;
        configured.iter().for_each(|row| all.insert(row.id));
        Self { all, configured }
    }

    /// The table, and nothing else.
    pub fn table() -> Self {
        let mut all = ApiSet::EMPTY;
        ApiId::all().for_each(|api| all.insert(api));
        Self::new(all, Vec::new())
    }

    /// All of them.
    pub fn apis(&self) -> ApiSet {
        self.all
    }

    /// Those that are configured.
    pub fn configured(&self) -> &[&'static Row] {
        &self.configured
    }

    /// Whether an API is among them.
    pub fn has(&self, api: ApiId) -> bool {
        self.all.contains(api)
    }

    /// The row of one that is served.
    pub fn row(&self, api: ApiId) -> Option<&'static Api> {
        let of_table = api.row().filter(|_| self.has(api));
        of_table.or_else(|| {
            let row = self.configured.iter().find(|row| row.id == api)?;
            Some(&row.api)
        })
    }

    /// A version of one that is served.
    pub fn version(&self, api: ApiId) -> Option<&'static str> {
        if api.row().is_some() {
            return self.has(api).then_some(VERSION);
        }
        let row = self.configured.iter().find(|row| row.id == api)?;
        row.versions.first().copied()
    }

    /// As [`super::operation`], for what is served.
    ///
    /// # Errors
    /// It is no operation, or of an API that is not served.
    pub fn operation<'p>(
        &self,
        path: &'p str,
        verb: Option<Verb>,
        decode: fn(&'p str) -> Cow<'p, str>,
    ) -> Result<Operation<'p>, ApiFault> {
        operation_of(path, verb, decode, |name| match find(name) {
            Some((api, row)) => self.has(api).then_some(Found {
                api,
                row,
                versions: None,
            }),
            None => self.of_configured(name),
        })
    }

    #[cold]
    fn of_configured(&self, name: &str) -> Option<Found> {
        let row = self.configured.iter().find(|row| row.api.name == name)?;
        Some(Found {
            api: row.id,
            row: &row.api,
            versions: Some(row.versions),
        })
    }
}

/// Why a template cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateFault {
    /// No slash before each segment, an empty one, or characters that need encoding.
    Malformed,
    TooLong,
    /// `{scsAsId}` or `{afId}` is the first segment, or none.
    NotFirst,
}

/// Looks at a template: `/{scsAsId}/devices/{deviceId}`.
///
/// # Errors
/// What is wrong with it.
pub fn template(text: &str) -> Result<(), TemplateFault> {
    let segments = text.strip_prefix('/').ok_or(TemplateFault::Malformed)?;
    for (at, segment) in segments.split('/').enumerate() {
        if at >= SEGMENTS_MAX {
            return Err(TemplateFault::TooLong);
        }
        let variable = segment
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'));
        match variable {
            Some("scsAsId" | "afId") if at > 0 => return Err(TemplateFault::NotFirst),
            Some(name) if is_word(name) => {}
            None if is_word(segment) && !matches!(segment, "." | "..") => {}
            _ => return Err(TemplateFault::Malformed),
        }
    }
    Ok(())
}

/// Octets of which a segment is made that is written in one way only, and that part no scope.
//= RFC 3986 section 2.3
//# Letters, digits, hyphen, period, underscore and tilde need no encoding.
pub fn is_word(text: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    !text.is_empty() && text.len() <= 64 && text.bytes().all(is_plain)
}

/// The template with every variable called alike: two that are equal then name the same resources.
pub fn nameless(template: &str) -> String {
    let segments = template
        .split('/')
        .map(|segment| match segment.starts_with('{') {
            true => "{}",
            false => segment,
        });
    segments.collect::<Vec<_>>().join("/")
}
