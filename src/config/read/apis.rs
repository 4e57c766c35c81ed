//! Which APIs are served: some of the table, and those that the operator adds.

use toml::de::DeValue;

use crate::authz::apis::configured::{
    self, PARAMETERS_MAX, PlaceFault, Places, Served, TemplateFault, TooMany, Written,
    WrittenAction, WrittenParameter, WrittenResource,
};
use crate::authz::apis::shape::{Kind, Role};
use crate::authz::apis::{ApiId, ApiSet, MediaType, Verb};
use crate::authz::policy::Lists;
use crate::authz::scope::Rights;
use crate::config::Located;
use crate::config::fault::closest;
use crate::config::section::Section;
use crate::config::value::{Wrong, boolean, text, twice, written};
use crate::limits::{API_DEFINITIONS_MAX, API_PLACES_MAX, API_RESOURCES_MAX};

/// `[apis]` and `[[api]]`, both of which the file may lack.
pub(super) fn served(root: &mut Section<'_, '_>) -> (Served, Lists) {
    let adds = root.has("api");
    let mut section = root.optional_section("apis");
    let of_table = of_table(&mut section, adds);
    let lists = section.or("lists", lists, Lists::default());
    drop(section);
    let mut configured = Vec::new();
    let mut names: Vec<Located<String>> = Vec::new();
    for section in root.sections("api") {
        let line = section.line();
        let Some(written) = api(section, &mut names) else {
            continue;
        };
        match configured::row(written) {
            Ok(row) => configured.push(row),
            Err(too_many) => root.fault(line, "api", not_added(too_many)),
        }
    }
    (Served::new(of_table, configured), lists)
}

fn not_added(too_many: TooMany) -> Wrong {
    match too_many {
        TooMany::Names => Wrong::new(
            "is one more than a process can tell apart by name",
            format!(
                "at most {}, and those that were configured since the start count: restart the \
                 gateway, or configure fewer",
                ApiId::CONFIGURED_MAX
            ),
        ),
        TooMany::Definitions => Wrong::new(
            format!("is the {API_DEFINITIONS_MAX}th way in which one was written since the start"),
            "restart the gateway: it keeps each of them",
        ),
    }
}

/// `"filter"` or `"refuse"`.
fn lists(value: &DeValue<'_>) -> Result<Lists, Wrong> {
    match written(value, "\"filter\"")? {
        "filter" => Ok(Lists::Filter),
        "refuse" => Ok(Lists::Refuse),
        other => Err(Wrong::new(
            format!("{other:?} is neither \"filter\" nor \"refuse\""),
            "\"filter\" shows what the client may see; \"refuse\" shows all or nothing",
        )),
    }
}

/// Those of the table.
fn of_table(section: &mut Section<'_, '_>, adds: bool) -> ApiSet {
    const KEY: &str = "serve";
    let word = |value: &DeValue<'_>| {
        let word = text(value)?;
        some_of_table(&word).map(|_| word)
    };
    let Some(words) = section.list(KEY, word) else {
        return ApiSet::of_t8();
    };
    if section.holds_empty_list(KEY) && !adds {
        let cure = "write [\"t8\"], [\"t8\", \"nef\"] or names of APIs; or add one by [[api]]";
        section.fault(
            words.line,
            KEY,
            Wrong::new("is empty: nothing is served", cure),
        );
    }
    super::refuse_repeats(section, KEY, &words.value);
    let sets = { words.value.iter() }.flat_map(|word| some_of_table(&word.value));
    sets.fold(ApiSet::EMPTY, ApiSet::union)
}

fn some_of_table(word: &str) -> Result<ApiSet, Wrong> {
    match word {
        "t8" => return Ok(ApiSet::of_t8()),
        "nef" => return Ok(ApiSet::of_nef()),
        _ => {}
    }
    let api = ApiId::from_name(word).filter(|api| api.row().is_some());
    api.map(ApiSet::of).ok_or_else(|| {
        let names = ApiId::all().map(ApiId::name).chain(["t8", "nef"]);
        let names: Vec<&str> = names.collect();
        let cure = match closest(word, &names) {
            Some(name) => format!("did you mean {name:?}?"),
            None => "write \"t8\", \"nef\", or a name that t8gate apis lists".to_owned(),
        };
        Wrong::new(format!("{word:?} names no API of the table"), cure)
    })
}

/// `[[api]]`; none where something of it is wrong, which is said.
fn api(mut section: Section<'_, '_>, names: &mut Vec<Located<String>>) -> Option<Written> {
    let cure = "write its name as it stands in URIs: \"acme-device-status\"";
    let name = section.required("name", api_name, cure);
    let title = section.optional("title", text);
    let versions = section.list("versions", version);
    let versions = versions.map_or_else(Vec::new, |list| list.value);
    super::refuse_repeats(&section, "versions", &versions);
    let is_empty = section.holds_empty_list("versions");
    if is_empty {
        let cure = "list those that are served, or leave it out for [\"v1\"]";
        let line = section.line_of("versions").unwrap_or(section.line());
        section.fault(line, "versions", Wrong::new("is empty", cure));
    }
    let sections = section.sections("resource");
    if sections.is_empty() && !section.has("resource") {
        let cure = "add [[api.resource]] with path, and [[api.resource.operation]] below it";
        section.fault(section.line(), "resource", Wrong::new("is missing", cure));
    }
    if sections.len() > API_RESOURCES_MAX {
        let what = format!("has {} resources", sections.len());
        let cure = format!("at most {API_RESOURCES_MAX}: make two APIs of it");
        section.fault(section.line(), "resource", Wrong::new(what, cure));
        return None;
    }
    let count = sections.len();
    let mut paths = Vec::new();
    let resources = sections
        .into_iter()
        .map(|section| resource(section, &mut paths));
    let resources: Vec<WrittenResource> = resources
        .collect::<Vec<_>>()
        .into_iter()
        .flatten()
        .collect();
    let name = name?;
    if let Some(first) = names.iter().find(|first| first.value == name.value) {
        section.fault(
            name.line,
            "name",
            twice(format!("{:?}", name.value), first.line),
        );
        return None;
    }
    names.push(name.clone());
    let versions: Vec<String> = match versions.is_empty() {
        true => vec!["v1".to_owned()],
        false => versions.into_iter().map(|version| version.value).collect(),
    };
    let is_whole = resources.len() == count && count > 0 && !is_empty;
    is_whole.then(|| Written {
        title: title.map_or_else(|| name.value.clone(), |title| title.value),
        name: name.value,
        versions,
        resources,
    })
}

fn api_name(value: &DeValue<'_>) -> Result<String, Wrong> {
    let name = word(value, "\"acme-device-status\"")?;
    if ApiId::from_name(&name).is_some_and(|api| api.row().is_some()) {
        let cure = "give it another name; the table's own is served by apis.serve";
        return Err(Wrong::new(format!("{name:?} is an API of the table"), cure));
    }
    // They would be asked for at the paths of the gateway's own.
    if matches!(
        name.as_str(),
        "oauth2" | "capif-security" | ".well-known" | "." | ".."
    ) {
        let cure = "give it another name";
        return Err(Wrong::new(format!("{name:?} is the gateway's own"), cure));
    }
    Ok(name)
}

fn version(value: &DeValue<'_>) -> Result<String, Wrong> {
    word(value, "\"v1\"")
}

/// What stands in a path as it is.
fn word(value: &DeValue<'_>, example: &str) -> Result<String, Wrong> {
    let word = text(value)?;
    if configured::is_word(&word) {
        return Ok(word);
    }
    let cure =
        format!("write at most 64 letters, digits, \"-\", \".\", \"_\" and \"~\": {example}");
    Err(Wrong::new(
        format!("{word:?} is no plain segment of a path"),
        cure,
    ))
}

/// `[[api.resource]]`.
fn resource(
    mut section: Section<'_, '_>,
    paths: &mut Vec<Located<String>>,
) -> Option<WrittenResource> {
    let cure = "write its path behind the version: \"/{scsAsId}/devices/{deviceId}\"";
    let path = section.required("path", template, cure);
    let sections = section.sections("operation");
    if sections.is_empty() && !section.has("operation") {
        let cure = "add [[api.resource.operation]] with method, once for each";
        section.fault(section.line(), "operation", Wrong::new("is missing", cure));
    }
    let count = sections.len();
    let mut methods: Vec<Located<Verb>> = Vec::new();
    let actions = sections
        .into_iter()
        .map(|section| action(section, &mut methods));
    let actions: Vec<WrittenAction> = actions.collect::<Vec<_>>().into_iter().flatten().collect();
    let path = path?;
    let alike = configured::nameless(&path.value);
    if let Some(first) = paths.iter().find(|first| first.value == alike) {
        section.fault(
            path.line,
            "path",
            twice(format!("{:?}", path.value), first.line),
        );
        return None;
    }
    paths.push(Located {
        value: alike,
        line: path.line,
    });
    (actions.len() == count && count > 0).then_some(WrittenResource {
        template: path.value,
        actions,
    })
}

fn template(value: &DeValue<'_>) -> Result<String, Wrong> {
    let path = text(value)?;
    let Err(fault) = configured::template(&path) else {
        return Ok(path);
    };
    let (what, cure) = match fault {
        TemplateFault::Malformed => (
            "is no path of a resource",
            "write a slash before each segment, which is a plain word or a variable in braces: \
             \"/{scsAsId}/devices/{deviceId}\"",
        ),
        TemplateFault::TooLong => ("has too many segments", "write five at most"),
        TemplateFault::NotFirst => (
            "says who asks, and not in its first segment",
            "let {scsAsId} or {afId} come first, or call the variable something else",
        ),
    };
    Err(Wrong::new(format!("{path:?} {what}"), cure))
}

/// `[[api.resource.operation]]`.
fn action(mut section: Section<'_, '_>, methods: &mut Vec<Located<Verb>>) -> Option<WrittenAction> {
    let method = section.required("method", method, "write GET, POST, PUT, PATCH or DELETE");
    let takes = section.optional("takes", media_type);
    let creates = section.or("creates", boolean, false);
    let request = places(&mut section, "request");
    let response = places(&mut section, "response");
    let query = parameters(&mut section);
    let notifications = section.sections("notification");
    let count = notifications.len();
    let calls = notifications
        .into_iter()
        .map(|section| call(section, request.as_ref()));
    let calls: Vec<(String, Places)> = calls.collect::<Vec<_>>().into_iter().flatten().collect();
    let verb = method?;
    if let Some(first) = methods.iter().find(|first| first.value == verb.value) {
        let what = verb.value.name();
        section.fault(verb.line, "method", twice(what, first.line));
        return None;
    }
    methods.push(verb.clone());
    let verb = verb.value;
    let has_body = matches!(verb, Verb::Post | Verb::Put | Verb::Patch);
    for key in ["takes", "request", "notification"] {
        if !has_body && let Some(line) = section.line_of(key) {
            let what = format!("is of a body, and {} has none", verb.name());
            section.fault(
                line,
                key,
                Wrong::new(what, "remove it, or take another method"),
            );
            return None;
        }
    }
    let default = match verb {
        Verb::Patch => MediaType::MergePatch,
        _ => MediaType::Json,
    };
    let takes = takes.map_or(default, |takes| {
        if takes.value != MediaType::Json && verb != Verb::Patch {
            let what = format!("{:?} is of a PATCH alone", takes.value.name());
            section.fault(
                takes.line,
                "takes",
                Wrong::new(what, "take \"application/json\""),
            );
        }
        takes.value
    });
    if creates && !matches!(verb, Verb::Post | Verb::Put) {
        let what = format!("{} makes no resource", verb.name());
        let line = section.line_of("creates").unwrap_or(section.line());
        section.fault(line, "creates", Wrong::new(what, "remove it"));
    }
    (calls.len() == count).then_some(())?;
    Some(WrittenAction {
        verb,
        takes: has_body.then_some(takes),
        creates,
        request: request?.0,
        response: response?.0,
        query: query?,
        calls,
    })
}

fn method(value: &DeValue<'_>) -> Result<Verb, Wrong> {
    let name = text(value)?;
    { Verb::ALL.into_iter() }
        .find(|verb| verb.name() == name)
        .ok_or_else(|| {
            let cure = "write GET, POST, PUT, PATCH or DELETE; HEAD goes with GET";
            Wrong::new(format!("{name:?} is no method of an operation"), cure)
        })
}

fn media_type(value: &DeValue<'_>) -> Result<MediaType, Wrong> {
    const ALL: [MediaType; 3] = [MediaType::Json, MediaType::MergePatch, MediaType::JsonPatch];
    let name = text(value)?;
    ALL.into_iter()
        .find(|media| media.name() == name)
        .ok_or_else(|| {
            let names = ALL.map(MediaType::name);
            let cure = match closest(&name, &names) {
                Some(name) => format!("did you mean {name:?}?"),
                None => format!("take {}", names.join(", ")),
            };
            Wrong::new(format!("{name:?} cannot be looked into"), cure)
        })
}

/// A kind and what is of it: `msisdn /msisdn`.
fn of_kind(value: &DeValue<'_>, example: &str) -> Result<(Kind, String), Wrong> {
    let word = text(value)?;
    let Some((kind, of)) = word.split_once(' ') else {
        let cure = format!("write a kind, a space, and what is of it: {example}");
        return Err(Wrong::new(format!("{word:?} says one of two things"), cure));
    };
    match Kind::ALL.into_iter().find(|known| known.word() == kind) {
        Some(kind) => Ok((kind, of.to_owned())),
        None => {
            let words = Kind::ALL.map(Kind::word);
            let cure = match closest(kind, &words) {
                Some(word) => format!("did you mean {word:?}?"),
                None => format!("take one of {}", words.join(", ")),
            };
            Err(Wrong::new(format!("{kind:?} is no kind of a value"), cure))
        }
    }
}

/// None where something is wrong, which is said.
fn parameters(section: &mut Section<'_, '_>) -> Option<Vec<WrittenParameter>> {
    let Some(list) = section.list("query", parameter) else {
        return (!section.has("query")).then(Vec::new);
    };
    if list.value.len() > PARAMETERS_MAX {
        let what = format!("has {} parameters", list.value.len());
        let cure = format!("at most {PARAMETERS_MAX}");
        section.fault(list.line, "query", Wrong::new(what, cure));
        return None;
    }
    let mut read: Vec<Located<WrittenParameter>> = Vec::new();
    for parameter in list.value {
        let name = &parameter.value.name;
        // Some readers of a query take names without their case.
        let first = read
            .iter()
            .find(|known| known.value.name.eq_ignore_ascii_case(name));
        match first {
            Some(first) => {
                let fault = twice(format!("{name:?}"), first.line);
                section.fault(parameter.line, "query", fault);
                return None;
            }
            None => read.push(parameter),
        }
    }
    Some(read.into_iter().map(|parameter| parameter.value).collect())
}

fn parameter(value: &DeValue<'_>) -> Result<WrittenParameter, Wrong> {
    let (kind, name) = of_kind(value, "\"gpsi gpsi\"")?;
    // Nothing in a query is a number or a truth value, and no link in it is led.
    if matches!(kind, Kind::Port | Kind::AnyUe) || kind.role() == Role::Link {
        let what = format!("{:?} is no kind of a parameter", kind.word());
        return Err(Wrong::new(
            what,
            "remove it: what is not named is not looked at",
        ));
    }
    match configured::is_word(&name) {
        true => Ok(WrittenParameter { name, kind }),
        false => {
            let cure = "write the parameter's name behind its kind: \"ipv4 ue-ip\"";
            Err(Wrong::new(
                format!("{name:?} is no name of a parameter"),
                cure,
            ))
        }
    }
}

/// What stands where, and the places as they were written.
type Read = (Places, Vec<(Kind, String)>);

/// None where something is wrong, which is said.
fn places(section: &mut Section<'_, '_>, key: &'static str) -> Option<Read> {
    let Some(list) = section.list(key, |value| of_kind(value, "\"msisdn /msisdn\"")) else {
        return (!section.has(key)).then(Read::default);
    };
    if list.value.len() > API_PLACES_MAX {
        let what = format!("has {} places", list.value.len());
        let cure = format!("at most {API_PLACES_MAX}");
        section.fault(list.line, key, Wrong::new(what, cure));
        return None;
    }
    let mut read = Read::default();
    let mut is_good = true;
    for Located { value: place, line } in list.value {
        match read.0.add(&place.1, place.0) {
            Ok(()) => read.1.push(place),
            Err(fault) => {
                section.fault(line, key, not_a_place(&place.1, fault));
                is_good = false;
            }
        }
    }
    is_good.then_some(read)
}

fn not_a_place(pointer: &str, fault: PlaceFault) -> Wrong {
    let (what, cure) = match fault {
        PlaceFault::Malformed => (
            "is no JSON pointer to a member",
            "write a slash before each name, * for each element of an array, {} for each member \
             of an object: \"/ueIds/*/msisdn\"",
        ),
        PlaceFault::TooDeep => ("leads too deep", "write 16 steps at most"),
        PlaceFault::Twice => ("is named twice", "remove one of the two"),
        PlaceFault::Inside => (
            "and another place stand one inside the other, which is a value",
            "name the value alone",
        ),
        PlaceFault::Mixed => (
            "has an array where another place has an object, or {} beside names",
            "write both in the same way",
        ),
    };
    Wrong::new(format!("{pointer:?} {what}"), cure)
}

/// `[[api.resource.operation.notification]]`: to what place of the request, and what stands in it.
fn call(mut section: Section<'_, '_>, request: Option<&Read>) -> Option<(String, Places)> {
    let cure = "write where the request says where it goes to: \"/notificationDestination\"";
    let to = section.required("to", text, cure);
    let body = places(&mut section, "body");
    let to = to?;
    let is_callback = |read: &Read| read.1.contains(&(Kind::Callback, to.value.clone()));
    if !request.is_none_or(is_callback) {
        let what = format!(
            "{:?} is no place of the request's that is a callback",
            to.value
        );
        let cure = format!("add \"callback {}\" to request", to.value);
        section.fault(to.line, "to", Wrong::new(what, cure));
        return None;
    }
    Some((to.value, body?.0))
}

/// An API that is served, by its name.
pub(super) fn by_name(served: &Served, name: &str) -> Result<ApiId, Wrong> {
    let known = ApiId::from_name(name);
    if let Some(api) = known.filter(|api| served.has(*api)) {
        return Ok(api);
    }
    if known.is_some_and(|api| api.row().is_some()) {
        let cure = format!("add {name:?}, or the family that it is of, to apis.serve");
        return Err(Wrong::new(format!("{name:?} is not served"), cure));
    }
    let names: Vec<&str> = served.apis().iter().map(ApiId::name).collect();
    let cure = match closest(name, &names) {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!("take one of {}", names.join(", ")),
    };
    Err(Wrong::new(format!("{name:?} names no API"), cure))
}

/// A scope value: the name of an API that is served, and which half of it where not all.
pub(super) fn scope(served: &Served) -> impl Fn(&DeValue<'_>) -> Result<String, Wrong> {
    move |value| {
        let word = written(value, "\"3gpp-monitoring-event\"")?;
        let known = Rights::of_value(word);
        if known.is_some_and(|rights| served.apis().contains_all(rights.apis())) {
            return Ok(word.to_owned());
        }
        let half = word.strip_suffix(":read").or(word.strip_suffix(":write"));
        by_name(served, half.unwrap_or(word)).map(|_| word.to_owned())
    }
}
