use proptest::prelude::*;

use super::*;
use crate::authz::apis::ApiSet;
use crate::authz::details::LimitedRights;
use crate::authz::scope::{self, Rights};
use crate::authz::ue::{Kind, Matcher};

const SUBSCRIPTIONS: &str = "/{scsAsId}/subscriptions";
const SUBSCRIPTION: &str = "/{scsAsId}/subscriptions/{id}";

fn api(name: &str) -> ApiId {
    ApiId::from_name(name).unwrap()
}

fn monitoring() -> ApiId {
    api("3gpp-monitoring-event")
}

fn ues(words: &[&str]) -> Ues {
    words
        .iter()
        .map(|word| Matcher::read(word).unwrap())
        .collect()
}

fn all_operations() -> Operations {
    Operations {
        read: true,
        write: true,
        single: Vec::new(),
    }
}

/// Everything of MonitoringEvent, about these.
fn service(words: &[&str]) -> Service {
    Service {
        api: monitoring(),
        operations: all_operations(),
        selectors: Selectors::default(),
        ues: ues(words),
        any_ue: false,
    }
}

fn types(types: &[&str]) -> Selectors {
    let mut types: Vec<Box<str>> = types.iter().map(|kind| (*kind).into()).collect();
    types.sort_unstable();
    Selectors {
        monitoring_types: Some(types),
        ports: None,
    }
}

fn ports(ports: &[u16]) -> Selectors {
    Selectors {
        monitoring_types: None,
        ports: Some(ports.to_vec()),
    }
}

fn policy(services: Vec<Service>) -> Policy {
    Policy { services }
}

fn everything() -> Gives<'static> {
    let all: Vec<&str> = ApiId::all().map(ApiId::name).collect();
    Gives {
        rights: scope::rights(&all.join(" ")).unwrap(),
        limited: None,
    }
}

/// A POST of a subscription about these.
fn asked<'a>(ues: &'a [UeId<'a>]) -> Asked<'a> {
    Asked {
        api: monitoring(),
        verb: Verb::Post,
        resource: SUBSCRIPTIONS,
        monitoring_types: &[],
        ports: &[],
        ues,
    }
}

fn external(text: &str) -> UeId<'_> {
    UeId::read(Kind::ExternalId, text, None).unwrap()
}

fn msisdn(text: &str) -> UeId<'_> {
    UeId::read(Kind::Msisdn, text, None).unwrap()
}

fn group(text: &str) -> UeId<'_> {
    UeId::read(Kind::ExternalGroupId, text, None).unwrap()
}

fn judged(policy: &Policy, asked: &Asked<'_>) -> Result<(), NotGranted> {
    decide(Some(policy), everything(), None, asked).map_err(|denied| {
        assert_eq!(denied.by, Source::Policy);
        denied.what
    })
}

#[test]
fn client_without_policy_may_ask_whatever_its_token_gives() {
    let nobody = asked(&[]);
    assert_eq!(decide(None, everything(), None, &nobody), Ok(()));
    let ue = [external("a@example.com"), group("g@example.com")];
    assert_eq!(decide(None, everything(), None, &asked(&ue)), Ok(()));
    let token = Gives {
        rights: scope::rights("3gpp-monitoring-event:read").unwrap(),
        limited: None,
    };
    let denied = Denied {
        what: NotGranted::Service,
        by: Source::Token,
    };
    assert_eq!(decide(None, token, None, &nobody), Err(denied));
    let operation = (monitoring(), Verb::Post, SUBSCRIPTIONS);
    assert_eq!(extent(None, token, operation), Err(denied));
    assert_eq!(extent(None, everything(), operation), Ok(Extent::Whole));
}

//= TS 33.187 clause 4.7 type=test
//# Per UE, and per service per UE: both have to be granted.
#[test]
fn what_is_not_granted_is_named() {
    let one = Service {
        operations: Operations {
            read: true,
            ..Operations::default()
        },
        ..service(&["a@example.com"])
    };
    let policy = policy(vec![one]);
    let (known, other) = ([external("a@example.com")], [external("b@example.com")]);
    let read = Asked {
        verb: Verb::Get,
        resource: SUBSCRIPTION,
        ..asked(&known)
    };
    assert_eq!(judged(&policy, &read), Ok(()));
    let elsewhere = Asked {
        api: api("3gpp-nidd"),
        ..read
    };
    assert_eq!(judged(&policy, &elsewhere), Err(NotGranted::Service));
    assert_eq!(judged(&policy, &asked(&known)), Err(NotGranted::Operation));
    let located = Asked {
        monitoring_types: &["LOCATION_REPORTING"],
        ..read
    };
    assert_eq!(judged(&policy, &located), Ok(()));
    let of_other = Asked {
        ues: &other,
        ..read
    };
    assert_eq!(judged(&policy, &of_other), Err(NotGranted::Ue));
    let of_group = [group("a@example.com")];
    let of_group = Asked {
        ues: &of_group,
        ..read
    };
    assert_eq!(judged(&policy, &of_group), Err(NotGranted::Group));
    let of_nobody = Asked { ues: &[], ..read };
    assert_eq!(judged(&policy, &of_nobody), Err(NotGranted::AnyUe));
    assert_eq!(judged(&Policy::default(), &read), Err(NotGranted::Service));
}

#[test]
fn words_are_each_their_own() {
    let words = [
        NotGranted::Service,
        NotGranted::Operation,
        NotGranted::Selector,
        NotGranted::Ue,
        NotGranted::AnyUe,
        NotGranted::Group,
    ]
    .map(NotGranted::word);
    let different: std::collections::BTreeSet<&str> = words.into_iter().collect();
    assert_eq!(different.len(), 6);
}

#[test]
fn halves_and_single_operations_grant_their_own() {
    let of = |read, write, single: &[(Verb, &str)]| {
        let single = single.iter().map(|(verb, of)| (*verb, (*of).into()));
        let operations = Operations {
            read,
            write,
            single: single.collect(),
        };
        let granted = |(verb, resource)| operations.take(verb, resource);
        let all = [
            (Verb::Get, SUBSCRIPTIONS),
            (Verb::Post, SUBSCRIPTIONS),
            (Verb::Get, SUBSCRIPTION),
            (Verb::Put, SUBSCRIPTION),
            (Verb::Patch, SUBSCRIPTION),
            (Verb::Delete, SUBSCRIPTION),
        ];
        all.map(granted)
    };
    assert_eq!(
        of(true, false, &[]),
        [true, false, true, false, false, false]
    );
    assert_eq!(of(false, true, &[]), [false, true, false, true, true, true]);
    let single = [(Verb::Post, SUBSCRIPTIONS), (Verb::Delete, SUBSCRIPTION)];
    assert_eq!(
        of(false, false, &single),
        [false, true, false, false, false, true]
    );
    assert_eq!(
        of(true, false, &single),
        [true, true, true, false, false, true]
    );
    assert_eq!(of(false, false, &[]), [false; 6]);
}

#[test]
fn operation_is_written_with_a_resource_of_the_api() {
    let served = Served::new(ApiSet::of_t8(), Vec::new());
    let api = ApiId::from_name("3gpp-monitoring-event").unwrap();
    let added = |word: &str| Operations::default().add(&served, api, word);
    assert_eq!(
        added("PUT /{scsAsId}/subscriptions/{subscriptionId}"),
        Ok(())
    );
    for (word, fault) in [
        ("PUT", OperationFault::Malformed),
        ("put /{scsAsId}/subscriptions", OperationFault::Malformed),
        ("PUT /{scsAsId}/subscriptions", OperationFault::Verb),
        ("GET /{scsAsId}/others", OperationFault::Resource),
        // Who writes an id means that alone.
        ("GET /acme/subscriptions", OperationFault::Resource),
        ("GET /{scsAsId/subscriptions", OperationFault::Resource),
        ("GET /scsAsId}/subscriptions", OperationFault::Resource),
    ] {
        assert_eq!(added(word), Err(fault), "{word}");
    }
}

#[test]
fn event_types_are_granted_one_by_one() {
    let limited = Service {
        selectors: types(&["LOCATION_REPORTING", "UE_REACHABILITY"]),
        ..service(&["any"])
    };
    let policy = policy(vec![limited]);
    let ue = [external("a@example.com")];
    let with = |types| {
        let asked = Asked {
            monitoring_types: types,
            ..asked(&ue)
        };
        judged(&policy, &asked)
    };
    assert_eq!(with(&["LOCATION_REPORTING"]), Ok(()));
    assert_eq!(with(&["UE_REACHABILITY", "LOCATION_REPORTING"]), Ok(()));
    for types in [
        &["LOSS_OF_CONNECTIVITY"][..],
        &["LOCATION_REPORTING", "LOSS_OF_CONNECTIVITY"],
        &["location_reporting"],
        &[""],
        &[],
    ] {
        assert_eq!(with(types), Err(NotGranted::Selector), "{types:?}");
    }
    let port = Asked {
        ports: &[1],
        ..asked(&ue)
    };
    assert_eq!(judged(&policy, &port), Err(NotGranted::Selector));
}

#[test]
fn ports_are_granted_one_by_one() {
    let limited = Service {
        api: api("3gpp-nidd"),
        selectors: ports(&[0, 7, 65_535]),
        ..service(&["any"])
    };
    let policy = policy(vec![limited]);
    let ue = [external("a@example.com")];
    let with = |ports| {
        let asked = Asked {
            api: api("3gpp-nidd"),
            ports,
            ..asked(&ue)
        };
        judged(&policy, &asked)
    };
    assert_eq!(with(&[7]), Ok(()));
    assert_eq!(with(&[65_535, 0]), Ok(()));
    assert_eq!(with(&[8]), Err(NotGranted::Selector));
    assert_eq!(with(&[7, 8]), Err(NotGranted::Selector));
    assert_eq!(with(&[]), Err(NotGranted::Selector));
}

/// One event type of one UE and another of another UE are two grants, and no four.
#[test]
fn services_together_grant_what_each_does_and_no_more() {
    let of = |kind, ue| Service {
        selectors: types(&[kind]),
        ..service(&[ue])
    };
    let policy = policy(vec![
        of("LOCATION_REPORTING", "a@example.com"),
        of("UE_REACHABILITY", "b@example.com"),
        of("UE_REACHABILITY", "a@example.com"),
    ]);
    let (a, b) = ([external("a@example.com")], [external("b@example.com")]);
    let both = [a[0], b[0]];
    let with = |types, ues| {
        let asked = Asked {
            monitoring_types: types,
            ..asked(ues)
        };
        judged(&policy, &asked)
    };
    assert_eq!(with(&["LOCATION_REPORTING", "UE_REACHABILITY"], &a), Ok(()));
    assert_eq!(with(&["UE_REACHABILITY"], &both), Ok(()));
    assert_eq!(with(&["LOCATION_REPORTING"], &b), Err(NotGranted::Ue));
    assert_eq!(with(&["LOCATION_REPORTING"], &both), Err(NotGranted::Ue));
    let all = &["LOCATION_REPORTING", "UE_REACHABILITY"];
    assert_eq!(with(all, &both), Err(NotGranted::Ue));
}

#[test]
fn every_ue_and_any_ue_and_groups_are_grants_of_their_own() {
    let whole = |words: &[&str], any_ue| Service {
        any_ue,
        ..service(words)
    };
    let named = policy(vec![whole(&["any"], false)]);
    let unnamed = policy(vec![whole(&["x@example.com"], true)]);
    let ue = [external("a@example.com")];
    let of_group = [group("g@example.com")];
    assert_eq!(judged(&named, &asked(&ue)), Ok(()));
    assert_eq!(judged(&named, &asked(&[])), Err(NotGranted::AnyUe));
    assert_eq!(judged(&named, &asked(&of_group)), Err(NotGranted::Group));
    assert_eq!(judged(&unnamed, &asked(&ue)), Err(NotGranted::Ue));
    assert_eq!(judged(&unnamed, &asked(&[])), Ok(()));
    assert_eq!(judged(&unnamed, &asked(&of_group)), Err(NotGranted::Group));
    let mixed = [ue[0], of_group[0]];
    assert_eq!(judged(&named, &asked(&mixed)), Err(NotGranted::Group));
    let groups = policy(vec![whole(&["any", "group:g@example.com"], false)]);
    assert_eq!(judged(&groups, &asked(&mixed)), Ok(()));
}

#[test]
fn only_what_is_granted_whatever_stands_in_it_is_not_looked_into() {
    let of = |service: Service| {
        let policy = policy(vec![service]);
        extent(
            Some(&policy),
            everything(),
            (monitoring(), Verb::Post, SUBSCRIPTIONS),
        )
    };
    let whole = Service {
        any_ue: true,
        ..service(&["any", "group:any"])
    };
    assert_eq!(of(whole.clone()), Ok(Extent::Whole));
    let by_content = [
        Service {
            any_ue: false,
            ..whole.clone()
        },
        Service {
            ues: ues(&["any"]),
            ..whole.clone()
        },
        Service {
            ues: ues(&["group:any", "*@example.com"]),
            ..whole.clone()
        },
        Service {
            selectors: types(&["LOCATION_REPORTING"]),
            ..whole.clone()
        },
    ];
    for service in by_content {
        assert_eq!(of(service), Ok(Extent::ByContent));
    }
    let reading = Service {
        operations: Operations {
            read: true,
            ..Operations::default()
        },
        ..whole.clone()
    };
    let denied = of(reading).map_err(|denied| denied.what);
    assert_eq!(denied, Err(NotGranted::Operation));
    let elsewhere = Service {
        api: api("3gpp-nidd"),
        ..whole
    };
    let denied = of(elsewhere).map_err(|denied| denied.what);
    assert_eq!(denied, Err(NotGranted::Service));
}

#[test]
fn sets_that_are_not_there_grant_nobody() {
    let policy = policy(vec![service(&["set:meters"])]);
    let named: Vec<&str> = policy.sets().map(SetName::as_str).collect();
    assert_eq!(named, ["meters"]);
    let ue = [msisdn("491512345678")];
    assert_eq!(judged(&policy, &asked(&ue)), Err(NotGranted::Ue));
}

/// The token is asked first, and both have to grant all.
#[test]
fn policy_and_token_both_decide() {
    let limited = |details| LimitedRights::of_text(details).unwrap();
    let token = limited(
        r#"[{"type":"t8_access","apis":["3gpp-monitoring-event"],"operations":["write"],
            "ueIds":["a@example.com","b@example.com"]}]"#,
    );
    let token = Gives {
        rights: Rights::NONE,
        limited: Some(&token),
    };
    assert!(token.at_most().allow(monitoring(), Verb::Post));
    assert!(!token.at_most().allow(monitoring(), Verb::Get));
    let policy = policy(vec![service(&["b@example.com", "c@example.com"])]);
    let by = |ue: &[UeId<'_>]| decide(Some(&policy), token, None, &asked(ue));
    let denied = |by, what| Err(Denied { what, by });
    assert_eq!(by(&[external("b@example.com")]), Ok(()));
    let of_policy = denied(Source::Policy, NotGranted::Ue);
    assert_eq!(by(&[external("a@example.com")]), of_policy);
    let of_token = denied(Source::Token, NotGranted::Ue);
    assert_eq!(by(&[external("c@example.com")]), of_token);
    assert_eq!(by(&[external("d@example.com")]), of_token);
    assert_eq!(
        by(&[external("b@example.com"), external("c@example.com")]),
        of_token
    );
    assert_eq!(by(&[]), denied(Source::Token, NotGranted::AnyUe));
    let operation = (monitoring(), Verb::Post, SUBSCRIPTIONS);
    assert_eq!(extent(None, token, operation), Ok(Extent::ByContent));
    let read = (monitoring(), Verb::Get, SUBSCRIPTIONS);
    let of_operation = Denied {
        what: NotGranted::Operation,
        by: Source::Token,
    };
    assert_eq!(extent(None, token, read), Err(of_operation));
}

const WORDS: [&str; 8] = [
    "any",
    "a@example.com",
    "*@example.com",
    "msisdn:4915*",
    "msisdn:491512345678-491512345680",
    "group:a@example.com",
    "group:any",
    "10.0.0.0/8",
];

fn everybody() -> [UeId<'static>; 6] {
    [
        external("a@example.com"),
        external("b@Example.com"),
        external("a@example.org"),
        msisdn("491512345679"),
        group("a@example.com"),
        UeId::read(Kind::Ipv4, "10.1.1.1", None).unwrap(),
    ]
}

fn some_service() -> impl Strategy<Value = Service> {
    let words = proptest::sample::subsequence(&WORDS[..], 0..3);
    let kinds = proptest::sample::subsequence(&["A", "B"][..], 0..=2);
    (words, kinds, any::<(bool, bool, bool, bool)>()).prop_map(
        |(words, kinds, (read, write, any_ue, limited))| Service {
            operations: Operations {
                read,
                write,
                single: Vec::new(),
            },
            selectors: match limited {
                true => types(&kinds),
                false => Selectors::default(),
            },
            any_ue,
            ..service(&words)
        },
    )
}

proptest! {
    /// All or nothing: a request is granted where each of its parts would be, alone.
    #[test]
    fn request_is_granted_where_each_part_of_it_is(
        services in proptest::collection::vec(some_service(), 0..4),
        chosen in proptest::sample::subsequence((0..6).collect::<Vec<usize>>(), 0..4),
        kinds in proptest::sample::subsequence(&["A", "B", "C"][..], 0..=2),
        writes in any::<bool>(),
    ) {
        let policy = policy(services);
        let everybody = everybody();
        let named: Vec<UeId<'_>> = chosen.iter().map(|place| everybody[*place]).collect();
        let verb = if writes { Verb::Post } else { Verb::Get };
        let with = |kinds: &[&str], ues: &[UeId<'_>]| {
            let asked = Asked { verb, monitoring_types: kinds, ..asked(ues) };
            judged(&policy, &asked).is_ok()
        };
        let kinds_alone: Vec<&[&str]> = match kinds.is_empty() {
            true => vec![&[]],
            false => kinds.chunks(1).collect(),
        };
        let alone = |ues: &[UeId<'_>]| kinds_alone.iter().all(|kinds| with(kinds, ues));
        let expected = match named.is_empty() {
            true => alone(&[]),
            false => named.iter().all(|ue| alone(std::slice::from_ref(ue))),
        };
        prop_assert_eq!(with(&kinds, &named), expected);
    }

    /// More services grant no less; and what is granted whatever it says is granted.
    #[test]
    fn services_only_add(
        services in proptest::collection::vec(some_service(), 0..4),
        more in some_service(),
        chosen in proptest::sample::subsequence((0..6).collect::<Vec<usize>>(), 0..4),
    ) {
        let everybody = everybody();
        let named: Vec<UeId<'_>> = chosen.iter().map(|place| everybody[*place]).collect();
        let asked = asked(&named);
        let before = policy(services.clone());
        let after = policy([services, vec![more]].concat());
        prop_assert!(judged(&before, &asked).is_err() || judged(&after, &asked).is_ok());
        let operation = (monitoring(), Verb::Post, SUBSCRIPTIONS);
        if extent(Some(&after), everything(), operation) == Ok(Extent::Whole) {
            prop_assert_eq!(judged(&after, &asked), Ok(()));
        }
    }

    /// Who is granted single UEs only, by whatever words, is granted no group and not everybody.
    #[test]
    fn grants_of_ues_are_never_taken_for_more(
        words in proptest::sample::subsequence(&WORDS[..5], 0..=5),
        single in any::<prop::sample::Index>(),
    ) {
        let policy = policy(vec![service(&words), service(&["10.0.0.0/8"])]);
        let everybody = everybody();
        prop_assert_eq!(judged(&policy, &asked(&[])), Err(NotGranted::AnyUe));
        let of_group = [*single.get(&everybody), everybody[4]];
        prop_assert!(judged(&policy, &asked(&of_group)).is_err());
    }
}
