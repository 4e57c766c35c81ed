use super::resource::Segment;
use super::shape::{Kind, Role, Shape};
use super::*;

/// Stands in for the decoder of checked paths.
fn decode(segment: &str) -> Cow<'_, str> {
    let mut out = Vec::new();
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit = || (bytes.next().unwrap() as char).to_digit(16).unwrap() as u8;
                let high = digit() << 4;
                out.push(high | digit());
            }
            other => out.push(other),
        }
    }
    Cow::Owned(String::from_utf8(out).unwrap())
}

fn ask(path: &str, verb: Verb) -> Result<Operation<'_>, ApiFault> {
    operation(path, Some(verb), decode)
}

/// Verbs, path templates and media types as the OpenAPI files of TS 29.122 and TS 29.522 list them,
/// operation by operation.
const OPERATIONS: &str = include_str!("operations.txt");

struct Listed {
    verb: Verb,
    path: &'static str,
    media: &'static str,
}

impl Listed {
    /// Its template with values in place of the variables.
    fn real(&self) -> String {
        let own = { self.path.replace("{scsAsId}", "scs-1") }.replace("{afId}", "scs-1");
        own.replace(['{', '}'], "-")
    }
}

fn listed() -> impl Iterator<Item = Listed> {
    OPERATIONS.lines().map(|line| {
        let mut words = line.split(' ');
        let (Some(verb), Some(path), Some(media)) = (words.next(), words.next(), words.next())
        else {
            panic!("verb, path and media type");
        };
        let verb = Verb::ALL
            .into_iter()
            .find(|v| v.name() == verb)
            .expect("a verb of the table");
        Listed { verb, path, media }
    })
}

fn row(name: &str) -> &'static Api {
    let api = ApiId::from_name(name).unwrap_or_else(|| panic!("{name}"));
    api.row().unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn the_table_holds_all_operations_but_those_that_the_scs_and_the_af_serve() {
    let actions = |apis: &[Api]| {
        let resources = apis.iter().flat_map(|api| api.resources);
        resources.map(|r| r.actions.len()).sum::<usize>()
    };
    assert_eq!(actions(&t8::APIS), 104);
    assert_eq!(actions(&nef::APIS), 177);
    assert_eq!(listed().count(), 281);
    assert_eq!(ApiId::COUNT, 45);
}

//= TS 29.122 clause 5.2.4 type=test
//# Every path and method of the OpenAPI files is an operation of the API its root names.
#[test]
fn every_operation_of_the_openapi_files_is_known() {
    for listed in listed() {
        let (real, path) = (listed.real(), listed.path);
        let found = ask(&real, listed.verb).unwrap_or_else(|fault| panic!("{path}: {fault:?}"));
        assert_eq!(found.api.name(), path.split('/').nth(1).unwrap());
        assert!(path.ends_with(found.resource), "{path}: {}", found.resource);
        assert_eq!(found.action.verb, listed.verb, "{path}");
        let media = found.action.takes.map_or("-", |body| body.media.name());
        assert_eq!(media, listed.media, "{path}");
        let named = path.contains("{scsAsId}") || path.contains("{afId}");
        assert_eq!(
            found.scs_as_id.as_deref(),
            named.then_some("scs-1"),
            "{path}"
        );
    }
}

#[test]
fn every_other_method_of_a_known_resource_is_refused_with_the_allowed_ones() {
    for one in listed() {
        let allowed: Vec<_> = listed()
            .filter(|other| other.path == one.path)
            .map(|other| other.verb)
            .collect();
        let real = one.real();
        for verb in Verb::ALL.into_iter().filter(|verb| !allowed.contains(verb)) {
            let Err(ApiFault::VerbNotAllowed { allowed: told }) = ask(&real, verb) else {
                panic!("{verb:?} {real} is refused");
            };
            assert!(
                Verb::ALL
                    .into_iter()
                    .all(|v| told.contains(v) == allowed.contains(&v))
            );
        }
    }
}

#[test]
fn a_template_that_another_one_matches_stands_before_it() {
    let retrieve = ask("/3gpp-asti/v1/a/configurations/retrieve", Verb::Post).unwrap();
    assert_eq!(retrieve.resource, "/{afId}/configurations/retrieve");
    let one = ask("/3gpp-asti/v1/a/configurations/c", Verb::Get).unwrap();
    assert_eq!(one.resource, "/{afId}/configurations/{configId}");
    for api in ApiId::all().filter_map(ApiId::row) {
        for (at, resource) in api.resources.iter().enumerate() {
            let own: Vec<&str> = resource.template.split('/').skip(1).collect();
            let first = { api.resources.iter() }
                .position(|other| other.matches(&own, Cow::Borrowed))
                .unwrap();
            assert_eq!(first, at, "{}{}", api.name, resource.template);
        }
    }
}

#[test]
fn every_api_is_found_by_its_name_and_by_no_other() {
    for api in ApiId::all() {
        let name = api.name();
        assert_eq!(ApiId::from_name(name), Some(api), "{name}");
        for other in [
            format!("{name}x"),
            format!("x{name}"),
            name.to_uppercase(),
            name[1..].to_owned(),
            name.replacen('-', "_", 1),
            // The same length and the octets that it is looked for by.
            format!("X{}", &name[1..]),
        ] {
            assert_eq!(ApiId::from_name(&other), None, "{other}");
        }
    }
    for short in ["", "3", "3gpp-", "3gpp-x", &"3".repeat(300)] {
        assert_eq!(ApiId::from_name(short), None, "{short}");
    }
}

/// What a request of an operation says of one role, without the pointers of the rest.
fn said(api: &str, verb: Verb, resource: &str, role: Role) -> Vec<String> {
    let resource = { row(api).resources.iter() }
        .find(|r| r.template == resource)
        .unwrap_or_else(|| panic!("{api}{resource}"));
    let action = resource
        .action(verb)
        .unwrap_or_else(|| panic!("{api} {verb:?}"));
    let takes = action.takes.map_or(shape::NOTHING, |body| body.shape);
    let places = takes.places().into_iter();
    let own = places.filter(|(_, kind)| kind.role() == role);
    own.map(|(place, kind)| format!("{place} {}", kind.word()))
        .collect()
}

// TS 29.122, clauses 5.3 to 5.16, and TS 29.522: written down from the tables there, and not from
// what the table was made of.
#[test]
fn requests_name_their_subscribers_where_the_specifications_say() {
    let one = ["/externalId external_id", "/msisdn msisdn"];
    let any = [one[0], one[1], "/externalGroupId external_group_id"];
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    let of = |api: &str, resource: &str| sorted(said(api, Verb::Post, resource, Role::Subscriber));
    let list = |list: &[&str]| sorted(list.iter().map(|place| (*place).to_owned()).collect());
    let transactions = "/{scsAsId}/transactions";
    assert_eq!(of("3gpp-device-triggering", transactions), list(&one));
    assert_eq!(of("3gpp-ecr-control", "/configure"), list(&one));
    assert_eq!(
        of("3gpp-nidd", "/{scsAsId}/configurations"),
        list(&[
            any[0],
            any[1],
            any[2],
            "/niddDownlinkDataTransfers/*/externalId external_id",
            "/niddDownlinkDataTransfers/*/msisdn msisdn",
            "/niddDownlinkDataTransfers/*/externalGroupId external_group_id",
        ])
    );
    assert_eq!(
        of(
            "3gpp-network-parameter-configuration",
            "/{scsAsId}/configurations"
        ),
        list(&[
            any[0],
            any[1],
            any[2],
            "/ueIpAddr/ipv4Addr ipv4",
            "/ueIpAddr/ipv6Addr ipv6",
            "/ueIpAddr/ipv6Prefix ipv6_prefix",
            "/ueMacAddr mac",
        ])
    );
    let subscriptions = "/{scsAsId}/subscriptions";
    assert_eq!(
        of("3gpp-as-session-with-qos", subscriptions),
        list(&[
            "/ueIpv4Addr ipv4",
            "/ueIpv6Addr ipv6",
            "/macAddr mac",
            "/gpsi gpsi",
            "/extGroupId external_group_id",
            "/listUeAddrs/*/ueIpAddr/ipv4Addr ipv4",
            "/listUeAddrs/*/ueIpAddr/ipv6Addr ipv6",
            "/listUeAddrs/*/ueIpAddr/ipv6Prefix ipv6_prefix",
            "/listUeConsDtRt/*/ipv4Addr ipv4",
            "/listUeConsDtRt/*/ipv6Addr ipv6",
            "/listUeConsDtRt/*/ipv6Prefix ipv6_prefix",
        ])
    );
    let monitoring = of("3gpp-monitoring-event", subscriptions);
    for place in [
        any[0],
        any[1],
        any[2],
        "/addExtGroupId/* external_group_id",
        "/ipv4Addr ipv4",
        "/ipv6Addr ipv6",
        "/ueIpAddr/ipv6Prefix ipv6_prefix",
        "/ueMacAddr mac",
        "/addedExternalIds/* external_id",
        "/addedMsisdns/* msisdn",
        "/excludedExternalIds/* external_id",
        "/excludedMsisdns/* msisdn",
        "/monitoringEventReport/pduSessInfo/ueIpv4 ipv4",
        "/monitoringEventReport/groupMembListChanges/addedUEs/* gpsi",
        "/monitoringEventReport/uePerLocationReport/msisdns/* msisdn",
    ] {
        assert!(monitoring.iter().any(|own| own == place), "{place}");
    }
    assert_eq!(of("3gpp-net-stat-report", subscriptions), list(&[]));
    assert_eq!(
        of("3gpp-traffic-influence", "/{afId}/subscriptions")
            .iter()
            .filter(|place| !place.starts_with("/eventReports"))
            .collect::<Vec<_>>(),
        list(&[
            "/externalGroupId external_group_id",
            "/externalGroupIds/* external_group_id",
            "/anyUeInd any_ue",
            "/gpsi gpsi",
            "/ipv4Addr ipv4",
            "/ipv6Addr ipv6",
            "/macAddr mac",
        ])
        .iter()
        .collect::<Vec<_>>()
    );
    assert_eq!(
        of("3gpp-ms-event-exposure", "/subscriptions").len(),
        8,
        "four lists, any UE and three forms of an address"
    );
}

#[test]
fn services_are_selected_where_the_specifications_say() {
    let of = |api: &str, resource: &str| said(api, Verb::Post, resource, Role::Service);
    let monitoring = of("3gpp-monitoring-event", "/{scsAsId}/subscriptions");
    for place in [
        "/monitoringType monitoring_type",
        "/addnMonTypes/* monitoring_type",
    ] {
        assert!(monitoring.iter().any(|own| own == place), "{place}");
    }
    assert_eq!(
        of("3gpp-device-triggering", "/{scsAsId}/transactions"),
        ["/applicationPortId port", "/appSrcPortId port"]
    );
    let nidd = of("3gpp-nidd", "/{scsAsId}/configurations");
    assert!(nidd.iter().any(|own| own == "/rdsPorts/*/portUE port"));
}

#[test]
fn what_is_called_is_named_in_the_request() {
    let mut count = 0;
    for api in ApiId::all().filter_map(ApiId::row) {
        for action in api.resources.iter().flat_map(|r| r.actions) {
            let takes = action.takes.map_or(shape::NOTHING, |body| body.shape);
            for call in action.calls {
                let named = takes
                    .places()
                    .contains(&(call.to.to_owned(), Kind::Callback));
                assert!(named, "{} {}", api.name, call.to);
                count += 1;
            }
        }
    }
    assert_eq!(count, 30);
}

#[test]
fn alternatives_agree_on_what_they_name_alike() {
    let mut count = 0;
    for action in { ApiId::all().filter_map(ApiId::row) }
        .flat_map(|api| api.resources)
        .flat_map(|resource| resource.actions)
    {
        let calls = action.calls.iter().map(|call| call.shape);
        for shape in calls.chain([action.gives]) {
            let places = shape.places();
            for (at, kind) in &places {
                let same = places.iter().filter(|(other, _)| other == at).count();
                assert_eq!(same, 1, "{at}");
                assert_eq!(walked(shape, at), Some(*kind), "{at}");
                count += 1;
            }
        }
    }
    assert!(count > 1_000, "{count}");
}

/// What a walk through a body finds at a place.
fn walked(shape: Shape, place: &str) -> Option<Kind> {
    let mut at = shape;
    for step in place.split('/').skip(1) {
        at = match step {
            "*" => at.item()?,
            name => at.member(name)?,
        };
    }
    at.kind()
}

#[test]
fn a_walk_finds_what_stands_in_a_body_and_nothing_else() {
    let Some(body) = { row("3gpp-nidd").resources[0].action(Verb::Post) }.and_then(|a| a.takes)
    else {
        panic!("a body of NIDD");
    };
    let shape = body.shape;
    assert_eq!(walked(shape, "/externalId"), Some(Kind::ExternalId));
    let nested = "/niddDownlinkDataTransfers/*/msisdn";
    assert_eq!(walked(shape, nested), Some(Kind::Msisdn));
    assert_eq!(walked(shape, "/niddDownlinkDataTransfers/0"), None);
    assert_eq!(walked(shape, "/externalId/x"), None);
    assert_eq!(walked(shape, "/externalId/*"), None);
    assert_eq!(walked(shape, "/externalid"), None);
    assert_eq!(walked(shape, ""), None);
    let values = Shape::Values(&Shape::Is(Kind::Gpsi));
    assert_eq!(walked(values, "/whatever"), Some(Kind::Gpsi));
    assert_eq!(walked(values, "/*"), None);
    assert_eq!(values.places(), [("/{}".to_owned(), Kind::Gpsi)]);
}

#[test]
fn kinds_have_words_of_their_own() {
    let mut kinds: Vec<(&str, Role)> = { ApiId::all().filter_map(ApiId::row) }
        .flat_map(|api| api.resources)
        .flat_map(|resource| resource.actions)
        .flat_map(|action| action.takes)
        .flat_map(|body| body.shape.places())
        .map(|(_, kind)| (kind.word(), kind.role()))
        .collect();
    kinds.sort_by_key(|(word, _)| *word);
    kinds.dedup();
    let words: std::collections::BTreeSet<&str> = kinds.iter().map(|(word, _)| *word).collect();
    assert_eq!(words.len(), kinds.len(), "one word, one role");
    assert!(words.len() > 25, "{words:?}");
}

#[test]
fn an_unknown_method_is_refused_on_a_known_resource() {
    let fault = operation("/3gpp-nidd/v1/a/configurations/c/rds-ports", None, decode).unwrap_err();
    assert_eq!(
        fault,
        ApiFault::VerbNotAllowed {
            allowed: Verbs::of(&[Verb::Get])
        }
    );
    assert_eq!(fault.word(), "verb_not_allowed");
}

#[test]
fn an_unknown_method_on_an_unknown_resource_is_unknown() {
    assert_eq!(
        operation("/nothing/v1/a/b", None, decode),
        Err(ApiFault::Unknown)
    );
}

#[test]
fn unknown_roots_versions_and_resources_are_refused() {
    for path in [
        "",
        "/",
        "*",
        "3gpp-nidd/v1/a/configurations",
        "/3gpp-nidd",
        "/3gpp-nidd/v1",
        "/3gpp-nidd/v1/",
        "/3gpp-nidd/v1/a",
        "/3gpp-nidd/v2/a/configurations",
        "/3gpp-nidd/V1/a/configurations",
        "/3GPP-NIDD/v1/a/configurations",
        "/3gpp-nidd/v1/a/Configurations",
        "/3gpp-nidd/v1/a/configurations/",
        "/3gpp-nidd/v1//configurations",
        "/3gpp-nidd/v1/a/configurations/b/other",
        "/3gpp-nidd/v1/a/configurations/b/rds-ports/c/d",
        "/3gpp-nidd/v1/a/configurations/b/rds-ports/c/d/e/f/g/h",
        "/3gpp-ecr-control/v1/a/query",
        "/3gpp-msisdn-less-mo-sms/v1/a/b",
        "/3gpp-nid/v1/a/configurations",
        "/3gpp-nidd2/v1/a/configurations",
        "/prefix/3gpp-nidd/v1/a/configurations",
    ] {
        assert_eq!(ask(path, Verb::Get), Err(ApiFault::Unknown), "{path}");
    }
    assert_eq!(ApiFault::Unknown.word(), "api_unknown");
}

#[test]
fn ecr_control_names_no_scs_as() {
    let found = ask("/3gpp-ecr-control/v1/query", Verb::Post).unwrap();
    assert_eq!(
        (found.api.name(), found.scs_as_id),
        ("3gpp-ecr-control", None)
    );
}

#[test]
fn the_scs_as_id_is_borrowed_when_nothing_is_encoded() {
    let found = ask("/3gpp-bdt/v1/scs+1@a.example/subscriptions", Verb::Get).unwrap();
    assert!(matches!(
        found.scs_as_id,
        Some(Cow::Borrowed("scs+1@a.example"))
    ));
}

#[test]
fn the_scs_as_id_is_decoded_once() {
    let found = ask("/3gpp-bdt/v1/a%2541%40b/subscriptions", Verb::Get).unwrap();
    assert_eq!(found.scs_as_id.as_deref(), Some("a%41@b"));
}

#[test]
fn literal_segments_are_compared_after_decoding_once() {
    assert!(ask("/3gpp%2Dbdt/v%31/a/%73ubscriptions", Verb::Get).is_ok());
    let twice = ask("/3gpp-bdt/v1/a/%2573ubscriptions", Verb::Get);
    assert_eq!(twice, Err(ApiFault::Unknown));
}

#[test]
fn sets_of_apis_hold_what_was_put_in() {
    let mut set = ApiSet::EMPTY;
    assert!(set.is_empty());
    let (bdt, nidd) = (
        ApiId::from_name("3gpp-bdt").unwrap(),
        ApiId::from_name("3gpp-nidd").unwrap(),
    );
    set.insert(nidd);
    assert!(set.contains(nidd) && !set.contains(bdt) && !set.is_empty());
    assert_eq!(set.iter().collect::<Vec<_>>(), [nidd]);
}

#[test]
fn segments_of_a_resource_are_those_of_its_template() {
    for resource in ApiId::all()
        .filter_map(ApiId::row)
        .flat_map(|api| api.resources)
    {
        let written: Vec<&str> = resource.template.split('/').skip(1).collect();
        assert_eq!(resource.segments().len(), written.len());
        for (segment, written) in resource.segments().iter().zip(written) {
            match segment {
                Segment::Literal(text) => assert_eq!(*text, written),
                Segment::ScsAsId => assert!(matches!(written, "{scsAsId}" | "{afId}")),
                Segment::Id => assert!(written.starts_with('{') && written.ends_with('}')),
            }
        }
    }
}

#[test]
fn paths_with_a_port_id_say_which_ports_they_are_about_and_no_others() {
    let mut count = 0;
    for api in ApiId::all() {
        for resource in api.row().unwrap().resources {
            let has_port_id = resource.template.ends_with("/{portId}");
            count += usize::from(has_port_id);
            for action in resource.actions {
                assert_eq!(action.ports_in_path, has_port_id, "{}", resource.template);
            }
        }
    }
    assert_eq!(count, 1);
}

#[test]
fn verbs_of_a_set_come_in_one_order() {
    let verbs = Verbs::of(&[Verb::Delete, Verb::Get, Verb::Put]);
    let all: Vec<Verb> = verbs.iter().collect();
    assert_eq!(all, [Verb::Get, Verb::Put, Verb::Delete]);
    assert_eq!(Verbs::of(&[]).iter().count(), 0);
}

#[test]
fn post_to_a_list_creates_and_what_it_is_for_has_words() {
    let action = |path, verb| ask(path, verb).unwrap().action;
    let list = "/3gpp-monitoring-event/v1/acme/subscriptions";
    assert!(action(list, Verb::Post).creates && !action(list, Verb::Get).creates);
    let item = "/3gpp-monitoring-event/v1/acme/subscriptions/1";
    assert!(!action(item, Verb::Put).creates);
    let words = [Role::Subscriber, Role::Context, Role::Link, Role::Service].map(Role::word);
    assert_eq!(words, ["subscriber", "context", "link", "service"]);
    let is = Shape::Is(Kind::Msisdn);
    for shape in [
        Shape::Beside(&Shape::Is(Kind::Msisdn)),
        Shape::Alone(&Shape::Is(Kind::Msisdn)),
        is,
    ] {
        assert_eq!(shape.kind(), Some(Kind::Msisdn));
    }
    assert_eq!(Shape::Items(&Shape::Is(Kind::Msisdn)).kind(), None);
}

#[test]
fn identity_stands_as_the_innermost_shape_around_it_says_and_beside_the_whole_as_that() {
    const IS: Shape = Shape::Is(Kind::Msisdn);
    let shape = Shape::Members(&[
        ("with", IS),
        ("each", Shape::Items(&Shape::Alone(&IS))),
        ("left", Shape::Beside(&Shape::Items(&IS))),
        ("told", Shape::Beside(&Shape::Items(&Shape::Alone(&IS)))),
        ("part", Shape::Alone(&Shape::Beside(&IS))),
    ]);
    let places = shape.places_standing().into_iter();
    let places: Vec<_> = places
        .map(|(place, _, stands)| format!("{place} {}", stands.word()))
        .collect();
    let expected = [
        "/with with",
        "/each/* alone",
        "/left/* beside",
        "/told/* beside",
        "/part beside",
    ];
    assert_eq!(places, expected);
}
