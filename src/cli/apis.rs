//! `t8gate apis`: the table of APIs, from which scopes and policy are written.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::authz::apis::resource::{Api, Parameter, Resource};
use crate::authz::apis::shape::{NOTHING, Role, Shape, Stands};
use crate::authz::apis::{Action, ApiId};
use crate::config;

/// Prints the table, or what is served by a configuration, for people or as JSON.
pub fn main(file: Option<&Path>, as_json: bool) -> ExitCode {
    let mut apis = Vec::new();
    match file.map(config::read) {
        None => apis.extend(ApiId::all().filter_map(ApiId::row).map(Served::of_table)),
        Some(Ok(config)) => {
            let served = &config.apis;
            let of_table = ApiId::all().filter(|api| served.has(*api));
            apis.extend(of_table.filter_map(ApiId::row).map(Served::of_table));
            apis.extend(served.configured().iter().map(|row| Served {
                api: &row.api,
                versions: row.versions,
            }));
        }
        Some(Err(faults)) => {
            super::complain(file.unwrap_or(Path::new("")), &faults);
            return ExitCode::FAILURE;
        }
    }
    match as_json {
        true => {
            let apis: Vec<Value> = apis.iter().map(document).collect();
            say!("{:#}", json!({ "apis": apis }));
        }
        false => say!("{}", text(&apis).trim_end()),
    }
    ExitCode::SUCCESS
}

/// An API and its versions.
struct Served {
    api: &'static Api,
    versions: &'static [&'static str],
}

impl Served {
    fn of_table(api: &'static Api) -> Self {
        let versions = &["v1"];
        Self { api, versions }
    }
}

/// An API, then its resources, then what may be done to each: in what media type, and by what the
/// request can say whom it is about.
fn text(apis: &[Served]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    for Served { api, versions } in apis {
        let _ = match versions {
            ["v1"] => writeln!(out, "{} ({})", api.name, api.title),
            _ => writeln!(out, "{} ({}; {})", api.name, api.title, versions.join(", ")),
        };
        for resource in api.resources {
            let _ = writeln!(out, "  {}", resource.template);
            for action in resource.actions {
                line(&mut out, action);
            }
        }
        out.push('\n');
    }
    out.push_str(
        "A scope names an API, or with :read or :write behind it the half of it that reads (GET) \
         or changes.\nOn the right stands what a request can name its subscribers by; where, says \
         --json.\nAll of them must be granted. Together they say whom a request is about, but for \
         those behind \"beside:\":\nwhom it is about stands elsewhere. Of what is behind \
         \"alone:\" there may be several, and each is about\nwhom it names itself, or about any \
         UE where it names nobody.\n",
    );
    out
}

fn line(out: &mut String, action: &Action) {
    let media = action.takes.map_or("", |body| body.media.name());
    let takes = action.takes.map_or(NOTHING, |body| body.shape);
    let named = action.query.iter().map(|parameter| parameter.shape);
    let places = named.chain([takes]).flat_map(Shape::places_standing);
    let places: Vec<_> = places
        .filter(|(_, kind, _)| kind.role() == Role::Subscriber)
        .collect();
    let mut subscribers: Vec<String> = Vec::new();
    for stands in Stands::ALL {
        let mut words: Vec<&str> = Vec::new();
        for (_, kind, _) in places.iter().filter(|(.., how)| *how == stands) {
            if !words.contains(&kind.word()) {
                words.push(kind.word());
            }
        }
        match (stands, words.join(" ")) {
            (_, words) if words.is_empty() => {}
            (Stands::With, words) => subscribers.push(words),
            (stands, words) => subscribers.push(format!("{}: {words}", stands.word())),
        }
    }
    let (verb, subscribers) = (action.verb.name(), subscribers.join("; "));
    let line = format!("    {verb:<7} {media:<28} {subscribers}");
    let _ = writeln!(out, "{}", line.trim_end());
}

fn document(Served { api, versions }: &Served) -> Value {
    let resources: Vec<Value> = api.resources.iter().map(resource).collect();
    json!({
        "name": api.name,
        "title": api.title,
        "versions": versions,
        "resources": resources,
    })
}

fn resource(resource: &'static Resource) -> Value {
    let operations: Vec<Value> = resource.actions.iter().map(operation).collect();
    json!({ "path": resource.template, "operations": operations })
}

fn operation(action: &'static Action) -> Value {
    let notifications = action.calls.iter();
    let notifications: Vec<Value> = notifications
        .map(|call| json!({ "to": call.to, "body": places(call.shape) }))
        .collect();
    json!({
        "method": action.verb.name(),
        "media_type": action.takes.map(|body| body.media.name()),
        "creates": action.creates,
        "query": action.query.iter().map(parameter).collect::<Vec<_>>(),
        "request": action.takes.map(|body| places(body.shape)),
        "response": places(action.gives),
        "notifications": notifications,
    })
}

fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "json": parameter.is_json,
        "values": places(parameter.shape),
    })
}

fn places(shape: Shape) -> Vec<Value> {
    let places = shape.places_standing().into_iter();
    places
        .map(|(place, kind, stands)| {
            let role = kind.role();
            let mut place = json!({ "pointer": place, "kind": kind.word(), "role": role.word() });
            if role == Role::Subscriber {
                place["stands"] = stands.word().into();
            }
            place
        })
        .collect()
}
