use super::super::Verbs;
use super::*;
use crate::authz::scope::{Rights, capif_rights, needed, rights};

fn action(verb: Verb) -> WrittenAction {
    let takes = matches!(verb, Verb::Post | Verb::Put).then_some(MediaType::Json);
    WrittenAction {
        verb,
        takes,
        creates: verb == Verb::Post,
        request: Places::default(),
        response: Places::default(),
        query: Vec::new(),
        calls: Vec::new(),
    }
}

fn resource(template: &str, verbs: &[Verb]) -> WrittenResource {
    assert_eq!(super::template(template), Ok(()));
    WrittenResource {
        template: template.to_owned(),
        actions: verbs.iter().copied().map(action).collect(),
    }
}

/// One for all tests of this file: a process knows few names.
const NAME: &str = "acme-device-status";

fn written(versions: &[&str], resources: Vec<WrittenResource>) -> Written {
    Written {
        name: NAME.to_owned(),
        title: "Device status".to_owned(),
        versions: versions
            .iter()
            .map(|version| (*version).to_owned())
            .collect(),
        resources,
    }
}

fn devices() -> Vec<WrittenResource> {
    vec![
        resource("/{scsAsId}/devices/{deviceId}", &[Verb::Get, Verb::Put]),
        resource("/{scsAsId}/devices/all", &[Verb::Post]),
        resource("/all", &[Verb::Get]),
    ]
}

fn decode(segment: &str) -> Cow<'_, str> {
    Cow::Owned(segment.replace("%61", "a"))
}

fn ask<'p>(served: &Served, path: &'p str, verb: Verb) -> Result<Operation<'p>, ApiFault> {
    served.operation(path, Some(verb), decode)
}

#[test]
fn a_configured_api_is_looked_up_like_those_of_the_table() {
    let row = row(written(&["v1"], devices())).unwrap();
    let served = Served::new(ApiSet::of_t8(), vec![row]);
    let one = ask(&served, "/acme-device-status/v1/scs-1/devices/7", Verb::Put).unwrap();
    assert_eq!((one.api, one.api.name()), (row.id, NAME));
    assert_eq!(one.resource, "/{scsAsId}/devices/{deviceId}");
    assert_eq!(one.scs_as_id.as_deref(), Some("scs-1"));
    let media = one.action.takes.map(|body| body.media);
    assert_eq!(media, Some(MediaType::Json));
    let fault = ask(
        &served,
        "/acme-device-status/v1/scs-1/devices/7",
        Verb::Delete,
    );
    let allowed = Verbs::of(&[Verb::Get, Verb::Put]);
    assert_eq!(fault, Err(ApiFault::VerbNotAllowed { allowed }));
    let own = ask(&served, "/acme-device-status/v1/all", Verb::Get).unwrap();
    assert_eq!(own.scs_as_id, None);
    for path in [
        "/acme-device-status",
        "/acme-device-status/v1",
        "/acme-device-status/v2/scs-1/devices/7",
        "/acme-device-status/v1/scs-1/devices",
        "/acme-device-status/v1/scs-1/devices/",
        "/Acme-device-status/v1/scs-1/devices/7",
        "/acme-device-statu/v1/scs-1/devices/7",
    ] {
        assert_eq!(
            ask(&served, path, Verb::Get),
            Err(ApiFault::Unknown),
            "{path}"
        );
    }
    let encoded = ask(&served, "/%61cme-device-status/v1/%61/devices/7", Verb::Get).unwrap();
    assert_eq!(encoded.scs_as_id.as_deref(), Some("a"));
    // Those of the table are where they were.
    let list = ask(&served, "/3gpp-nidd/v1/a/configurations", Verb::Post).unwrap();
    assert_eq!(list.api.name(), "3gpp-nidd");
}

#[test]
fn a_word_goes_before_a_variable_whatever_the_order() {
    let mut resources = devices();
    for _ in 0..2 {
        resources.reverse();
        let row = row(written(&["v1"], resources.clone())).unwrap();
        let served = Served::new(ApiSet::EMPTY, vec![row]);
        let all = ask(&served, "/acme-device-status/v1/a/devices/all", Verb::Post).unwrap();
        assert_eq!(all.resource, "/{scsAsId}/devices/all");
        let one = ask(&served, "/acme-device-status/v1/a/devices/al", Verb::Get).unwrap();
        assert_eq!(one.resource, "/{scsAsId}/devices/{deviceId}");
    }
}

#[test]
fn each_of_its_versions_is_served_and_no_other() {
    let row = row(written(&["v2", "v3beta"], devices())).unwrap();
    let served = Served::new(ApiSet::EMPTY, vec![row]);
    for (version, is_known) in [("v1", false), ("v2", true), ("v3beta", true), ("v3", false)] {
        let path = format!("/acme-device-status/{version}/all");
        assert_eq!(
            ask(&served, &path, Verb::Get).is_ok(),
            is_known,
            "{version}"
        );
    }
    assert_eq!(served.version(row.id), Some("v2"));
    let configured: Vec<ApiId> = served.configured().iter().map(|row| row.id).collect();
    assert_eq!(configured, [row.id]);
    assert_eq!(served.row(row.id).map(|api| api.name), Some(NAME));
}

#[test]
fn what_is_written_again_is_the_same_row_and_what_is_changed_keeps_its_place() {
    let first = row(written(&["v1"], devices())).unwrap();
    let again = row(written(&["v1"], devices())).unwrap();
    assert!(std::ptr::eq(first, again));
    let changed = row(written(&["v1"], devices().split_off(1))).unwrap();
    assert!(!std::ptr::eq(first, changed) && first != changed);
    assert_eq!(first.id, changed.id);
    assert!(first.id.index() >= ApiId::COUNT && first.id.index() < ApiId::PLACES);
    assert_eq!(first.id.row(), None);
}

#[test]
fn its_name_is_a_scope_value_like_any_other() {
    let row = row(written(&["v1"], devices())).unwrap();
    assert_eq!(ApiId::from_name(NAME), Some(row.id));
    let other = Written {
        name: "acme-device-health".to_owned(),
        ..written(&["v1"], devices())
    };
    let other = super::row(other).unwrap();
    assert_eq!(ApiId::from_name("acme-device-health"), Some(other.id));
    assert_ne!(other.id, row.id);
    let half = Rights::of_value("acme-device-status:read").unwrap();
    assert!(half.allow(row.id, Verb::Get) && !half.allow(row.id, Verb::Post));
    let both = rights("3gpp-nidd acme-device-status").unwrap();
    let values: Vec<Cow<'_, str>> = both.values().collect();
    assert_eq!(values, ["3gpp-nidd", NAME]);
    assert_eq!(needed(row.id, Verb::Put), "acme-device-status:write");
    assert_eq!(
        both.apis(),
        ApiSet::of(row.id).union(ApiSet::of(ApiId::from_name("3gpp-nidd").unwrap()))
    );
    let capif = capif_rights("3gpp#aef-1:acme-device-status", "aef-1").unwrap();
    assert_eq!(capif, Rights::of_value(NAME));
    assert_eq!(rights("acme-device-statuses"), Ok(Rights::NONE));
}

#[test]
fn what_is_not_served_is_unknown() {
    let influence = "/3gpp-traffic-influence/v1/a/subscriptions";
    let nidd = "/3gpp-nidd/v1/a/configurations";
    let own = "/acme-device-status/v1/all";
    let row = row(written(&["v1"], devices())).unwrap();
    for (served, known) in [
        (
            Served::new(ApiSet::of_t8(), Vec::new()),
            [true, false, false],
        ),
        (
            Served::new(ApiSet::of_nef(), vec![row]),
            [false, true, true],
        ),
        (Served::table(), [true, true, false]),
        (Served::new(ApiSet::EMPTY, vec![row]), [false, false, true]),
    ] {
        let found = [nidd, influence, own].map(|path| ask(&served, path, Verb::Get).is_ok());
        assert_eq!(found, known);
        let rows = ["3gpp-nidd", "3gpp-traffic-influence", NAME].map(|name| {
            let api = ApiId::from_name(name).unwrap();
            assert_eq!(served.has(api), served.version(api).is_some(), "{name}");
            served.row(api).is_some()
        });
        assert_eq!(rows, known);
    }
    let all = ApiSet::of_t8().union(ApiSet::of_nef());
    assert_eq!(all, Served::table().apis());
    assert!(ApiSet::of_t8().intersection(ApiSet::of_nef()).is_empty());
    let t8: Vec<&str> = ApiSet::of_t8().iter().map(ApiId::name).collect();
    assert_eq!((t8.len(), t8.last().copied()), (14, Some("3gpp-racs-pp")));
}

#[test]
fn each_name_is_that_of_its_place() {
    for name in ["one-of-two", "other-of-two"] {
        let written = Written {
            name: name.to_owned(),
            ..written(&["v1"], devices())
        };
        let row = row(written).unwrap();
        assert_eq!(row.id.name(), name);
        assert!(row.id.index() >= ApiId::COUNT);
    }
}

#[test]
fn names_have_places_to_the_end_and_no_more_than_there_are() {
    let mut known = Known::default();
    for at in 0..ApiId::CONFIGURED_MAX + 3 {
        known = known.with(kept(&format!("api-{at}")));
        known = known.with("api-0");
    }
    let wanted = (0..ApiId::CONFIGURED_MAX).map(|at| format!("api-{at}"));
    assert_eq!(known.names, wanted.collect::<Vec<_>>());
    assert_eq!(ApiId::CONFIGURED_MAX, 19);
}

#[test]
fn places_are_read_into_the_shape_that_bodies_are_walked_by() {
    let mut places = Places::default();
    for (pointer, kind) in [
        ("/msisdn", Kind::Msisdn),
        ("/ueIds/*/externalId", Kind::ExternalId),
        ("/ueIds/*/gpsi", Kind::Gpsi),
        ("/byName/{}", Kind::Ipv4),
        ("/a~1b/~0c", Kind::Mac),
    ] {
        assert_eq!(places.add(pointer, kind), Ok(()), "{pointer}");
    }
    let mut found = places.shape().places();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let found: Vec<(&str, Kind)> = found.iter().map(|(at, kind)| (&**at, *kind)).collect();
    assert_eq!(
        found,
        [
            ("/a/b/~c", Kind::Mac),
            ("/byName/{}", Kind::Ipv4),
            ("/msisdn", Kind::Msisdn),
            ("/ueIds/*/externalId", Kind::ExternalId),
            ("/ueIds/*/gpsi", Kind::Gpsi),
        ]
    );
    let slashed = places
        .shape()
        .member("a/b")
        .and_then(|shape| shape.member("~c"));
    assert_eq!(slashed.and_then(Shape::kind), Some(Kind::Mac));
    let mut list = Places::default();
    assert_eq!(list.add("/*/self", Kind::SelfLink), Ok(()));
    let item = list.shape().item().and_then(|shape| shape.member("self"));
    assert_eq!(item.and_then(Shape::kind), Some(Kind::SelfLink));
    assert_eq!(Places::default().shape(), NOTHING);
}

#[test]
fn places_that_cannot_stand_beside_others_are_refused() {
    let mut places = Places::default();
    for pointer in ["/a/b", "/list/*/x", "/map/{}/x"] {
        assert_eq!(places.add(pointer, Kind::Msisdn), Ok(()));
    }
    for (pointer, fault) in [
        ("", PlaceFault::Malformed),
        ("a", PlaceFault::Malformed),
        ("/", PlaceFault::Malformed),
        ("/a//c", PlaceFault::Malformed),
        ("/a/~2", PlaceFault::Malformed),
        ("/a/~", PlaceFault::Malformed),
        ("/a/b", PlaceFault::Twice),
        ("/list/*/x", PlaceFault::Twice),
        ("/a", PlaceFault::Inside),
        ("/list", PlaceFault::Inside),
        ("/a/b/c", PlaceFault::Inside),
        ("/a/*", PlaceFault::Mixed),
        ("/list/x", PlaceFault::Mixed),
        ("/map/*", PlaceFault::Mixed),
        ("/map/name", PlaceFault::Mixed),
        ("/*", PlaceFault::Mixed),
    ] {
        assert_eq!(places.add(pointer, Kind::Gpsi), Err(fault), "{pointer:?}");
    }
    let deep = "/x".repeat(STEPS_MAX + 1);
    assert_eq!(places.add(&deep, Kind::Gpsi), Err(PlaceFault::TooDeep));
    assert_eq!(places.add(&deep[2..], Kind::Gpsi), Ok(()));
}

//= RFC 3986 section 2.3 type=test
//# What would need encoding, or means something in a scope, is no segment.
#[test]
fn templates_are_words_and_variables_and_say_who_asks_first() {
    for (text, found) in [
        ("/{scsAsId}/devices/{deviceId}", Ok(())),
        ("/{afId}", Ok(())),
        ("/query", Ok(())),
        ("/a/b/c/d/e", Ok(())),
        ("/a/b/c/d/e/f", Err(TemplateFault::TooLong)),
        ("/devices/{scsAsId}", Err(TemplateFault::NotFirst)),
        ("/{scsAsId}/{afId}", Err(TemplateFault::NotFirst)),
        ("", Err(TemplateFault::Malformed)),
        ("/", Err(TemplateFault::Malformed)),
        ("devices", Err(TemplateFault::Malformed)),
        ("/devices/", Err(TemplateFault::Malformed)),
        ("/devices//a", Err(TemplateFault::Malformed)),
        ("/devices/..", Err(TemplateFault::Malformed)),
        ("/dev%69ces", Err(TemplateFault::Malformed)),
        ("/a?b", Err(TemplateFault::Malformed)),
        ("/{}", Err(TemplateFault::Malformed)),
        ("/{a", Err(TemplateFault::Malformed)),
        ("/a{b}", Err(TemplateFault::Malformed)),
    ] {
        assert_eq!(template(text), found, "{text:?}");
    }
    assert_eq!(nameless("/{a}/b/{c}"), nameless("/{x}/b/{y}"));
    assert_ne!(nameless("/{a}/b"), nameless("/{a}/{b}"));
    for (word, is_good) in [
        ("acme.device_status-1~x", true),
        ("", false),
        ("a b", false),
        ("a:read", false),
        ("a,b", false),
        ("caf\u{e9}", false),
        (&"a".repeat(64), true),
        (&"a".repeat(65), false),
    ] {
        assert_eq!(is_word(word), is_good, "{word:?}");
    }
}
