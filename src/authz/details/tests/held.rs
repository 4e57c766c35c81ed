//! What a policy leaves of what is asked for.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::authz::apis::{ApiId, Verb};
use crate::authz::policy::{Asked, Operations, Policy, Selectors, Service, decide};
use crate::authz::ue::sets::tests::sets_of;
use crate::authz::ue::{Kind, Matcher, UeId};

const APIS: [&str; 2] = ["3gpp-monitoring-event", "3gpp-nidd"];
/// A resource of each of them, which both have GET and POST.
const TEMPLATES: [&str; 2] = ["/{scsAsId}/subscriptions", "/{scsAsId}/configurations"];
const KINDS: [&str; 2] = ["LOCATION_REPORTING", "UE_REACHABILITY"];
const PORTS: [u16; 2] = [4_000, 4_001];
const UES: [&str; 4] = [
    "a@example.com",
    "b@example.com",
    "a@example.org",
    "491512345678",
];
const GROUPS: [&str; 2] = ["g@example.com", "h@example.com"];
const DOMAINS: [&str; 2] = ["example.com", "example.org"];
const WORDS: [&str; 7] = [
    "any",
    "a@example.com",
    "*@example.org",
    "msisdn:4915*",
    "msisdn:333333",
    "group:g@example.com",
    "group:any",
];

fn service(api: &str, words: &[&str]) -> Service {
    Service {
        api: ApiId::from_name(api).unwrap(),
        operations: Operations {
            read: true,
            write: true,
            single: Vec::new(),
        },
        selectors: Selectors::default(),
        ues: words
            .iter()
            .map(|word| Matcher::read(word).ok().unwrap())
            .collect(),
        any_ue: false,
    }
}

fn held_of(asked: &Value, services: Vec<Service>) -> Vec<Value> {
    let held = held(&asked_of_objects(asked), &Policy { services }, None);
    let written = held.as_ref().ok().unwrap().iter().map(serde_json::to_value);
    written.map(Result::unwrap).collect()
}

/// An object as it is written, of both operations.
fn object(apis: &[&str], limits: Value) -> Value {
    let mut object = json!({"type": TYPE, "apis": apis, "operations": ["read", "write"]});
    for (name, value) in limits.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

//= RFC 9396 section 7 type=test
//# What the operator does not let a client do is not granted, whoever is named.
#[test]
fn what_no_service_lets_a_client_do_is_not_granted() {
    let mut event = service(APIS[0], &["a@example.com", "group:g@example.com"]);
    event.selectors.monitoring_types = Some(vec![KINDS[1].into()]);
    let of_event = |limits| held_of(&json!([object(&APIS, limits)]), vec![event.clone()]);
    let only = |limits: Value| {
        let mut limits = limits;
        limits["monitoringTypes"] = json!([KINDS[1]]);
        vec![object(&APIS[..1], limits)]
    };
    for (asked, granted) in [
        (json!({"ueIds": UES}), only(json!({"ueIds": [UES[0]]}))),
        (json!({"ueIds": [UES[1], UES[3]]}), vec![]),
        (
            json!({"extGroupIds": GROUPS}),
            only(json!({"extGroupIds": [GROUPS[0]]})),
        ),
        (json!({"extGroupIds": [GROUPS[1]]}), vec![]),
        (
            json!({"ueIds": UES, "extGroupIds": [GROUPS[1]]}),
            only(json!({"ueIds": [UES[0]]})),
        ),
        (
            json!({"ueIds": [UES[1]], "extGroupIds": GROUPS}),
            only(json!({"extGroupIds": [GROUPS[0]]})),
        ),
        (
            json!({"domains": DOMAINS}),
            only(json!({"domains": [DOMAINS[0]]})),
        ),
        (json!({"domains": [DOMAINS[1]]}), vec![]),
        (
            json!({"domains": DOMAINS, "ueIds": [UES[0]]}),
            only(json!({"domains": DOMAINS, "ueIds": [UES[0]]})),
        ),
        (json!({"monitoringTypes": KINDS}), only(json!({}))),
        (json!({"monitoringTypes": [KINDS[0]]}), vec![]),
        (json!({"ports": [PORTS[0]]}), vec![]),
        (json!({}), only(json!({}))),
    ] {
        assert_eq!(of_event(asked.clone()), granted, "{asked}");
    }
}

#[test]
fn ports_and_halves_of_operations_are_granted_as_services_have_them() {
    let mut nidd = service(APIS[1], &["any"]);
    nidd.selectors.ports = Some(vec![PORTS[0]]);
    nidd.operations.write = false;
    let all = json!([object(&APIS, json!({}))]);
    let mut read = object(&APIS[1..], json!({"ports": [PORTS[0]]}));
    read["operations"] = json!(["read"]);
    assert_eq!(held_of(&all, vec![nidd.clone()]), [read]);
    let ports = json!([object(&APIS, json!({"ports": PORTS}))]);
    nidd.operations.read = false;
    assert!(held_of(&ports, vec![nidd.clone()]).is_empty());
}

/// Whoever goes by the token alone lets the client do no more than its services do.
#[test]
fn single_operations_of_a_service_are_granted_and_not_the_half_that_they_are_of() {
    const ONE: &str = "/{scsAsId}/subscriptions/{subscriptionId}";
    const DELETE: &str = "DELETE /{scsAsId}/subscriptions/{subscriptionId}";
    let mut event = service(APIS[0], &["any"]);
    event.operations = Operations {
        single: vec![(Verb::Delete, ONE.into())],
        ..Operations::default()
    };
    event.selectors.monitoring_types = Some(vec![KINDS[0].into()]);
    let of = |operations: Value, services: &[&Service]| {
        let mut asked = object(&APIS, json!({}));
        asked["operations"] = operations;
        let services = services.iter().copied().cloned().collect();
        held_of(&json!([asked]), services)
    };
    let granted = |operations: Value| {
        let mut object = object(&APIS[..1], json!({"monitoringTypes": [KINDS[0]]}));
        object["operations"] = operations;
        vec![object]
    };
    let all = json!(["read", "write"]);
    assert_eq!(of(all.clone(), &[&event]), granted(json!([DELETE])));
    assert_eq!(of(json!(["write"]), &[&event]), granted(json!([DELETE])));
    assert_eq!(of(json!([DELETE]), &[&event]), granted(json!([DELETE])));
    assert!(of(json!(["read"]), &[&event]).is_empty());
    let put = DELETE.replace("DELETE", "PUT");
    assert!(of(json!([put]), &[&event]).is_empty());
    // Beside a half, those of the other one.
    event.operations.read = true;
    event.operations.single.push((Verb::Get, ONE.into()));
    assert_eq!(of(all, &[&event]), granted(json!(["read", DELETE])));
    let get = DELETE.replace("DELETE", "GET");
    assert_eq!(
        of(json!([get, DELETE]), &[&event]),
        granted(json!([DELETE, get]))
    );
    // What is asked for one by one is granted so, of the APIs that have it.
    let (mut whole, nidd) = (event.clone(), service(APIS[1], &["any"]));
    whole.operations = nidd.operations.clone();
    let asked = json!([DELETE, put, DELETE]);
    assert_eq!(of(asked, &[&whole, &nidd]), granted(json!([DELETE, put])));
}

#[test]
fn objects_that_differ_by_nothing_but_their_apis_are_one() {
    let asked = json!([object(&APIS, json!({"ueIds": UES}))]);
    let alike: Vec<_> = APIS.map(|api| service(api, &["a@example.com"])).into();
    let one = object(&APIS, json!({"ueIds": [UES[0]]}));
    assert_eq!(held_of(&asked, alike.clone()), [one]);
    let other = service(APIS[1], &["msisdn:4915*"]);
    let two = [
        object(&APIS[..1], json!({"ueIds": [UES[0]]})),
        object(&APIS[1..], json!({"ueIds": [UES[3]]})),
    ];
    assert_eq!(held_of(&asked, vec![alike[0].clone(), other]), two);
}

/// What no token carries is not granted without its limits either.
#[test]
fn what_is_longer_than_a_token_may_have_it_is_refused() {
    let asked = asked_of_objects(&json!([object(&APIS[..1], json!({}))]));
    let count = |services: Vec<Service>| {
        let held = held(&asked, &Policy { services }, None);
        held.map(|held| held.len()).ok()
    };
    let with = |types: Vec<Box<str>>| {
        let mut one = service(APIS[0], &["any"]);
        one.selectors.monitoring_types = Some(types);
        one
    };
    let each = |count: usize| {
        let each = (0..count).map(|at| with(vec![format!("TYPE_{at}").into()]));
        each.collect()
    };
    assert_eq!(count(each(OBJECTS_MAX)), Some(OBJECTS_MAX));
    assert_eq!(count(each(OBJECTS_MAX + 1)), None);
    // The same once more is no other object.
    let mut twice: Vec<Service> = each(OBJECTS_MAX);
    twice.extend(each(OBJECTS_MAX));
    assert_eq!(count(twice), Some(OBJECTS_MAX));
    let types = |count: usize| {
        (0..count)
            .map(|at| format!("TYPE_{at:03}").into())
            .collect()
    };
    assert_eq!(count(vec![with(types(ENTRIES_MAX))]), Some(1));
    assert_eq!(count(vec![with(types(ENTRIES_MAX + 1))]), None);
    let mut ports = service(APIS[0], &["any"]);
    ports.selectors.ports = Some((0..=256).collect());
    assert_eq!(count(vec![ports]), None);
}

/// Who is in a set is found there; its domains are not known.
#[test]
fn ues_of_sets_are_granted_by_name_and_any_domain() {
    let sets = sets_of(&[("meters", UES[1]), ("cars", UES[2])]);
    let policy = Policy {
        services: vec![service(APIS[1], &["set:meters"])],
    };
    let held_of = |limits: Value, sets| {
        let asked = asked_of_objects(&json!([object(&APIS[1..], limits)]));
        let held = held(&asked, &policy, sets).unwrap_or_default();
        held.iter()
            .map(|one| serde_json::to_value(one).unwrap())
            .collect::<Vec<_>>()
    };
    let named = held_of(json!({"ueIds": UES}), Some(&sets));
    assert_eq!(named, [object(&APIS[1..], json!({"ueIds": [UES[1]]}))]);
    let by_domain = object(&APIS[1..], json!({"domains": DOMAINS}));
    assert_eq!(
        held_of(json!({"domains": DOMAINS}), Some(&sets)),
        [by_domain]
    );
    assert!(held_of(json!({"ueIds": UES}), None).is_empty());
}

fn some_of<T: Clone + std::fmt::Debug + 'static>(
    all: &'static [T],
) -> impl Strategy<Value = Vec<T>> {
    subsequence(all, 1..=all.len())
}

fn services() -> impl Strategy<Value = Vec<Service>> {
    let single = option::of(select(&[Verb::Get, Verb::Post]));
    let operations = (any::<bool>(), any::<bool>(), single);
    let selectors = (option::of(some_of(&KINDS)), option::of(some_of(&PORTS)));
    let selectors = selectors.prop_map(|(kinds, ports)| Selectors {
        monitoring_types: kinds.map(|kinds| kinds.into_iter().map(Into::into).collect()),
        ports,
    });
    let words = (some_of(&WORDS), any::<bool>());
    let one = (select(&[0, 1]), operations, selectors, words);
    let one = one.prop_map(|(at, (read, write, single), selectors, (words, any_ue))| {
        let single = single.map(|verb| (verb, TEMPLATES[at].into()));
        Service {
            operations: Operations {
                read,
                write,
                single: single.into_iter().collect(),
            },
            selectors,
            any_ue,
            ..service(APIS[at], &words)
        }
    });
    vec(one, 0..4)
}

fn objects() -> impl Strategy<Value = Value> {
    let whom = (
        option::of(some_of(&UES)),
        option::of(some_of(&GROUPS)),
        option::of(some_of(&DOMAINS)),
    );
    let with = (option::of(some_of(&KINDS)), option::of(some_of(&PORTS)));
    const OPERATIONS: [&str; 4] = [
        "read",
        "write",
        "POST /{scsAsId}/subscriptions",
        "GET /{scsAsId}/configurations",
    ];
    let operations = some_of(&OPERATIONS);
    let one = (some_of(&APIS), operations, whom, with);
    let one = one.prop_map(
        |(apis, operations, (ues, groups, domains), (kinds, ports))| {
            let has = |word: &&str| match word.split_once("/{scsAsId}/") {
                None => true,
                Some((_, "subscriptions")) => apis.contains(&APIS[0]),
                Some(_) => apis.contains(&APIS[1]),
            };
            let mut operations: Vec<&str> = operations.into_iter().filter(has).collect();
            if operations.is_empty() {
                operations.push("read");
            }
            let mut object = json!({"type": TYPE, "apis": apis, "operations": operations});
            for (name, list) in [
                ("ueIds", ues.map(|list| json!(list))),
                ("extGroupIds", groups.map(|list| json!(list))),
                ("domains", domains.map(|list| json!(list))),
                ("monitoringTypes", kinds.map(|list| json!(list))),
                ("ports", ports.map(|list| json!(list))),
            ] {
                if let Some(list) = list {
                    object[name] = list;
                }
            }
            object
        },
    );
    vec(one, 1..3).prop_map(Value::from)
}

struct Request {
    api: ApiId,
    resource: &'static str,
    verb: Verb,
    kinds: Vec<&'static str>,
    ports: Vec<u16>,
    ues: Vec<UeId<'static>>,
}

/// About one UE, one group, two of them or nobody, with each event type, port, two, or none.
fn requests() -> Vec<Request> {
    let mut whom = vec![vec![]];
    for text in UES {
        let kind = match text.contains('@') {
            true => Kind::ExternalId,
            false => Kind::Msisdn,
        };
        whom.push(vec![UeId::read(kind, text, None).unwrap()]);
    }
    for text in GROUPS {
        whom.push(vec![UeId::read(Kind::ExternalGroupId, text, None).unwrap()]);
    }
    let pairs = [(1, 2), (1, 3), (1, 4), (4, 5), (5, 6)];
    whom.extend(pairs.map(|(one, other)| [&whom[one][..], &whom[other]].concat()));
    let mut with = vec![
        (vec![], vec![]),
        (KINDS.to_vec(), vec![]),
        (vec![], PORTS.to_vec()),
    ];
    with.extend(KINDS.map(|kind| (vec![kind], vec![])));
    with.extend(PORTS.map(|port| (vec![], vec![port])));
    let mut requests = Vec::new();
    let operations = APIS.iter().zip(TEMPLATES);
    for (of, verb) in operations.flat_map(|of| [(of, Verb::Get), (of, Verb::Post)]) {
        for (kinds, ports) in &with {
            requests.extend(whom.iter().map(|ues| Request {
                api: ApiId::from_name(of.0).unwrap(),
                resource: of.1,
                verb,
                kinds: kinds.clone(),
                ports: ports.clone(),
                ues: ues.clone(),
            }));
        }
    }
    requests
}

proptest! {
    /// The gateway admits by what was held what it admits by what was asked for; and what was asked
    /// for by name is admitted by nobody else who goes by the token alone, but what the operator
    /// lets the client do.
    #[test]
    fn what_is_held_is_what_both_let_a_client_do(asked in objects(), services in services()) {
        let policy = Policy { services };
        let asked = asked_of_objects(&asked);
        let held = held(&asked, &policy, None).ok().unwrap();
        let limited = |objects: &[Access]| LimitedRights::of(objects.to_vec());
        let (asked_for, left) = (limited(&asked), limited(&held));
        let by_name = { asked.iter() }.all(|one| {
            let limits = &one.limits;
            limits.ue_ids.is_some() || limits.ext_group_ids.is_some()
        });
        for request in &requests() {
            let request = Asked {
                api: request.api,
                verb: request.verb,
                resource: request.resource,
                monitoring_types: &request.kinds,
                ports: &request.ports,
                ues: &request.ues,
            };
            let is_given = |policy, limited: &Option<LimitedRights>| {
                let gives = Gives { rights: Rights::NONE, limited: limited.as_ref() };
                decide(policy, gives, None, &request).is_ok()
            };
            let by_both = is_given(Some(&policy), &asked_for);
            prop_assert_eq!(by_both, is_given(Some(&policy), &left));
            if by_name {
                prop_assert_eq!(by_both, is_given(None, &left));
            }
        }
    }
}
