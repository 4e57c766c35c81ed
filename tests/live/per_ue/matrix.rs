//! Every operation of the table, for clients with every kind of grant, about UEs who are named in
//! every form: each has the status that the model says, and what is refused stays outside.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use t8gate::authz::apis::resource::{Api, MediaType, Resource};
use t8gate::authz::apis::shape::Shape;
use t8gate::authz::apis::{Action, ApiId, ApiSet, Verb};

use super::model::{GRANTS, Grant, Who, can_name, forms, whom};
use super::{Held, answer_all, assert_only_looked, held};
use crate::harness::stage::House;

/// One request, and what the SCEF has there.
struct Case {
    method: &'static str,
    path: String,
    media: Option<MediaType>,
    body: Vec<u8>,
    /// What the SCEF answers everything with.
    has: Value,
    /// Where it has to be looked first.
    looks: Option<String>,
    expected: Expected,
    /// Its answer's body is not of the shape that such an answer has: it leaves without.
    is_left_out: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    Refused(u16),
    /// The answer leaves with this body.
    Answered(Value),
}

/// An operation for a client.
struct Scene<'a> {
    api: &'static Api,
    resource: &'a Resource,
    action: &'a Action,
    grant: &'a Grant,
}

impl Scene<'_> {
    fn path(&self, template: &str) -> String {
        let own = { template.split('/').skip(1) }.map(|segment| match segment {
            "{scsAsId}" | "{afId}" => self.grant.id,
            "{portId}" => "ue1-ef2",
            variable if variable.starts_with('{') => "7",
            word => word,
        });
        let own: Vec<&str> = own.collect();
        format!("/{}/v1/{}", self.api.name, own.join("/"))
    }

    /// The resource that says whom the operation is about, and what a GET of it gives: itself,
    /// where it is there already, or the nearest around it that is no list.
    fn said_by(&self) -> Option<(&'static str, Shape)> {
        let own = self.resource.template;
        let get = |resource: &Resource| {
            let get = resource
                .actions
                .iter()
                .find(|action| action.verb == Verb::Get);
            get.map(|get| get.gives).filter(|gives| can_name(*gives))
        };
        let mut around: Vec<(&'static str, Shape)> = { self.api.resources.iter() }
            .filter(|other| match other.template == own {
                true => self.action.verb != Verb::Post,
                false => own.starts_with(&format!("{}/", other.template)),
            })
            .filter_map(|other| Some((other.template, get(other)?)))
            .filter(|(template, gives)| *template == own || gives.item().is_none())
            .collect();
        around.sort_by_key(|(template, _)| template.len());
        around.pop()
    }

    fn cases(&self) -> Vec<Case> {
        let is_held = self.grant.service.is_some();
        let said_by = self.said_by().filter(|_| is_held);
        let is_itself = said_by.is_some_and(|(template, _)| template == self.resource.template);
        match (self.action.verb, self.action.takes, said_by) {
            (Verb::Get, ..) if can_name(self.action.gives) => self.reads(),
            (_, None, Some((template, gives))) => {
                let held = forms(gives.item().unwrap_or(gives)).into_iter();
                held.map(|has| self.case(None, &json!({}), has, Some((template, gives))))
                    .collect()
            }
            (_, None, None) => vec![self.case(None, &json!({}), json!({}), None)],
            (_, Some(takes), _) => {
                let bodies = match (takes.media, can_name(takes.shape)) {
                    (_, false) => vec![json!({"note": "x"})],
                    (_, true) => forms(takes.shape),
                };
                let element = |gives: Shape| gives.item().unwrap_or(gives);
                let held = { said_by.map(|(_, gives)| forms(element(gives))) }.unwrap_or_default();
                let granted = { held.iter() }.find(|has| {
                    let (_, gives) = said_by.expect("something is held");
                    let named = whom(has, element(gives));
                    self.grant.refuses(&named, 502, false).is_none()
                });
                let mut cases = Vec::new();
                for (at, body) in bodies.iter().enumerate() {
                    let any = held.get((at * 5 + 1) % held.len().max(1));
                    let mut both = vec![granted.or(any)];
                    if at % 3 == 0 || bodies.len() == 1 {
                        both.push(any);
                    }
                    for has in both {
                        let has = has.cloned().unwrap_or_else(|| json!({}));
                        cases.push(self.case(Some(takes.media), body, has, said_by));
                    }
                }
                if is_itself && self.action.verb != Verb::Patch {
                    // Whatever the new one says, the old one decides as well.
                    let own = bodies.iter().find(|body| {
                        let named = whom(body, takes.shape);
                        self.grant.refuses(&named, 400, false).is_none()
                    });
                    let own = own.cloned().unwrap_or_else(|| json!({}));
                    cases.extend(
                        held.into_iter()
                            .map(|has| self.case(Some(takes.media), &own, has, said_by)),
                    );
                }
                cases
            }
        }
    }

    /// A GET that is judged by its answer; the same of a list, which is filtered, and of the head.
    fn reads(&self) -> Vec<Case> {
        let gives = self.action.gives;
        let path = self.path(self.resource.template);
        let case = |method, has: Value, looks, expected| Case {
            method,
            path: path.clone(),
            media: None,
            body: Vec::new(),
            has,
            looks,
            expected,
            is_left_out: false,
        };
        let refused = |has: &Value, element: Shape| {
            let named = whom(has, element);
            self.grant.refuses(&named, 502, false)
        };
        let Some(element) = gives.item() else {
            let each = forms(gives).into_iter().enumerate();
            return each
                .map(|(at, has)| {
                    let expected = match refused(&has, gives) {
                        Some(status) => Expected::Refused(status),
                        None => Expected::Answered(has.clone()),
                    };
                    let looks = self.grant.service.is_some().then(|| path.clone());
                    match at % 4 {
                        3 => case("HEAD", has, looks, expected),
                        _ => case("GET", has, None, expected),
                    }
                })
                .collect();
        };
        let each = forms(element);
        let mut cases = Vec::new();
        for (at, one) in each.iter().enumerate() {
            let other = &each[(at + 1) % each.len()];
            let list = json!([one, other]);
            let kept = { [one, other].into_iter() }.filter(|has| refused(has, element).is_none());
            let kept: Vec<&Value> = kept.collect();
            let expected = Expected::Answered(json!(kept));
            cases.push(case("GET", list.clone(), None, expected));
            if at % 4 == 0 {
                // Nobody sees what is left out of what is not shown.
                let looks = self.grant.service.is_some().then(|| path.clone());
                let faults = [refused(one, element), refused(other, element)];
                let fault = { faults.into_iter().flatten() }.max();
                let expected = match fault {
                    Some(status) => Expected::Refused(status),
                    None => Expected::Answered(list.clone()),
                };
                cases.push(case("HEAD", list, looks, expected));
            }
        }
        cases
    }

    fn case(
        &self,
        media: Option<MediaType>,
        body: &Value,
        has: Value,
        said_by: Option<(&'static str, Shape)>,
    ) -> Case {
        // A list where it says whom it is about.
        let has = match said_by {
            Some((_, gives)) if gives.item().is_some() => json!([has]),
            _ => has,
        };
        let expected = match self.refused(media, body, &has, said_by) {
            Some(status) => Expected::Refused(status),
            None => Expected::Answered(has.clone()),
        };
        // Nobody can judge an object where the answer would be a list, nor a list in place of one.
        let gives = self.action.gives;
        let is_left_out = self.action.verb == Verb::Delete
            && self.grant.service.is_some()
            && can_name(gives)
            && gives.item().is_some() != has.is_array();
        let bytes = match (media, body) {
            (None, _) => Vec::new(),
            (Some(MediaType::JsonPatch), body) => operations(body).to_string().into_bytes(),
            (Some(_), body) => body.to_string().into_bytes(),
        };
        Case {
            method: self.action.verb.name(),
            path: self.path(self.resource.template),
            media,
            body: bytes,
            has,
            looks: said_by.map(|(template, _)| self.path(template)),
            expected,
            is_left_out,
        }
    }

    /// In this order: what is said, what is there, and what would be there.
    fn refused(
        &self,
        media: Option<MediaType>,
        body: &Value,
        has: &Value,
        said_by: Option<(&'static str, Shape)>,
    ) -> Option<u16> {
        let (grant, verb) = (self.grant, self.action.verb);
        let takes = self.action.takes.map(|takes| takes.shape);
        let said = match (media, takes) {
            (None | Some(MediaType::JsonPatch), _) | (_, None) => Ok(Vec::new()),
            (Some(_), Some(takes)) => whom(body, takes),
        };
        // What a PUT does not name any more is named by nobody.
        let is_named_anew = verb == Verb::Put && takes.is_some_and(can_name);
        let is_said_elsewhere = said_by.is_some() && !is_named_anew;
        let by_body = grant.refuses(&said, 400, is_said_elsewhere);
        // What nobody can look at may be about anybody.
        let is_unseen = said_by.is_none() && !matches!(verb, Verb::Get | Verb::Post);
        let by_unseen = is_unseen.then(|| grant.refuses(&Ok(Vec::new()), 400, false));
        let by_body = by_body.or(by_unseen.flatten());
        let (template, gives) = match (by_body, said_by) {
            (None, Some(said_by)) => said_by,
            _ => return by_body,
        };
        let by_old = grant.refuses(&whom(has, gives), 502, false);
        let is_itself = template == self.resource.template;
        let (Some(takes), Verb::Patch, true, None) = (takes, verb, is_itself, by_old) else {
            return by_old;
        };
        let mut new = has.clone();
        for (name, value) in body.as_object().expect("an object") {
            new[name] = value.clone();
        }
        // Whom the new one is about stands in it, whatever part of that the patch brings.
        let said = |shape| {
            whom(body, shape).map(|mut named| {
                named.retain(|who| *who != Who::NobodySelected);
                named
            })
        };
        let named = [said(takes), said(gives), whom(&new, gives)];
        let named = named.into_iter().collect::<Result<Vec<_>, _>>();
        grant.refuses(&named.map(|named| named.concat()), 400, false)
    }
}

/// A JSON Patch that sets these members.
fn operations(members: &Value) -> Value {
    let members = members.as_object().expect("an object").iter();
    let operations = members.map(|(name, value)| {
        let path = format!("/{name}");
        json!({"op": "add", "path": path, "value": value})
    });
    operations.collect()
}

impl Case {
    /// Asks, and holds what comes and what has reached the SCEF against what is expected.
    fn run(&self, house: &House, held: &mut Held) -> Result<(), String> {
        answer_all(house, self.has.to_string().as_bytes());
        let fields = match self.media {
            None => String::new(),
            Some(media) => format!("Content-Type: {}\r\n", media.name()),
        };
        let response = held.ask(house, self.method, &self.path, &fields, &self.body);
        let reached = house.origin.take();
        let what = format!(
            "{} {} of {} with {} where there is {}: {} {}",
            self.method,
            self.path,
            held.id,
            String::from_utf8_lossy(&self.body),
            self.has,
            response.status,
            response.text()
        );
        match &self.expected {
            Expected::Refused(status) => {
                assert_only_looked(&reached, &what);
                match response.status == *status {
                    true => Ok(()),
                    false => Err(format!("{what}, not {status}")),
                }
            }
            Expected::Answered(body) => {
                let is_body = match self.method {
                    "HEAD" => response.body.is_empty(),
                    _ if self.is_left_out => response.body.is_empty(),
                    _ => {
                        serde_json::from_slice::<Value>(&response.body)
                            .ok()
                            .as_ref()
                            == Some(body)
                    }
                };
                if response.status != 200 || !is_body {
                    return Err(format!("{what}, not 200 {body}"));
                }
                let [looks @ .., last] = reached.as_slice() else {
                    return Err(format!("{what}: nothing reached the SCEF"));
                };
                let looked: Vec<&str> = looks.iter().map(|look| look.target.as_str()).collect();
                let is_looked_at = looked == self.looks.as_deref().into_iter().collect::<Vec<_>>()
                    && looks.iter().all(|look| look.method == "GET");
                let is_it = last.method == self.method
                    && last.target == self.path
                    && last.body == self.body;
                match is_looked_at && is_it {
                    true => Ok(()),
                    false => Err(format!("{what}: the SCEF got {reached:?}")),
                }
            }
        }
    }
}

//= TS 33.187 clause 4.7 type=test
//# Per UE, or per service per UE.
#[test]
fn each_client_may_do_to_each_ue_what_it_is_granted_and_nothing_else() {
    let apis: Vec<ApiId> = ApiId::all().collect();
    let names: Vec<&str> = apis.iter().map(|api| api.name()).collect();
    let mut ready = Vec::new();
    let house = House::open_staged(|stage| {
        stage.config.set("apis.serve", "[\"t8\", \"nef\"]");
        for grant in &GRANTS {
            let services = grant.service.into_iter().flat_map(|service| {
                names
                    .iter()
                    .map(move |api| format!("api = {api:?}\n{service}"))
            });
            let services: Vec<String> = services.collect();
            ready.push(held(stage, grant.id, &names.join(" "), &services));
        }
    });
    let mut clients: Vec<Held> = { ready.into_iter() }
        .map(|ready| ready.connect(&house))
        .collect();
    let mut counts: BTreeMap<(&str, u16), usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (place, (grant, client)) in GRANTS.iter().zip(&mut clients).enumerate() {
        for api in apis.iter().copied() {
            // All of them take a minute: each client asks another part of them.
            let part = if ApiSet::of_t8().contains(api) { 3 } else { 5 };
            let api = api.row().expect("of the table");
            let actions = api.resources.iter().flat_map(|resource| {
                let actions = resource.actions.iter();
                actions.map(move |action| (resource, action))
            });
            let cases = actions.flat_map(|(resource, action)| {
                let scene = Scene {
                    api,
                    resource,
                    action,
                    grant,
                };
                scene.cases()
            });
            for case in cases.skip(place % part).step_by(part) {
                let status = match case.expected {
                    Expected::Refused(status) => status,
                    Expected::Answered(_) => 200,
                };
                *counts.entry((case.method, status)).or_default() += 1;
                wrong.extend(case.run(&house, client).err());
            }
        }
    }
    let total: usize = counts.values().sum();
    println!("{total} requests: {counts:?}");
    let few: Vec<&String> = wrong.iter().take(12).collect();
    assert!(wrong.is_empty(), "{} of {total}:\n{few:#?}", wrong.len());
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        for status in [200, 403] {
            let count = counts.get(&(method, status)).copied().unwrap_or_default();
            assert!(count >= 50, "{method} {status}: {count}");
        }
    }
}
