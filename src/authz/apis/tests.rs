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

/// Path templates and verbs as the OpenAPI files of TS 29.122 list them, operation by operation.
const OPERATIONS: &str = include_str!("operations.txt");

fn listed() -> impl Iterator<Item = (&'static str, Verb)> {
    OPERATIONS.lines().map(|line| {
        let (verb, path) = line.split_once(' ').expect("verb, space, path");
        let verb = Verb::ALL
            .into_iter()
            .find(|v| v.name() == verb)
            .expect("a verb of the table");
        (path, verb)
    })
}

#[test]
fn the_table_holds_105_operations_less_the_one_the_scs_serves() {
    let verbs = |api: &Api| {
        api.resources
            .iter()
            .map(|r| r.verbs.iter().count())
            .sum::<usize>()
    };
    assert_eq!(APIS.iter().map(verbs).sum::<usize>(), 104);
    assert_eq!(listed().count(), 104);
    assert_eq!(ApiId::COUNT, 14);
}

//= TS 29.122 clause 5.2.4 type=test
//# Every path and method of the OpenAPI files is an operation of the API its root names.
#[test]
fn every_operation_of_the_openapi_files_is_known() {
    for (path, verb) in listed() {
        let real = path.replace("{scsAsId}", "scs-1").replace(['{', '}'], "");
        let found = ask(&real, verb).unwrap_or_else(|fault| panic!("{verb:?} {path}: {fault:?}"));
        assert_eq!(found.api.name(), path.split('/').nth(1).unwrap());
        let expected = path.contains("{scsAsId}").then_some("scs-1");
        assert_eq!(found.scs_as_id.as_deref(), expected, "{path}");
    }
}

#[test]
fn every_other_method_of_a_known_resource_is_refused_with_the_allowed_ones() {
    for (path, _) in listed() {
        let allowed: Vec<_> = listed()
            .filter(|(p, _)| *p == path)
            .map(|(_, v)| v)
            .collect();
        let real = path.replace(['{', '}'], "");
        for verb in Verb::ALL.into_iter().filter(|verb| !allowed.contains(verb)) {
            let Err(ApiFault::VerbNotAllowed { allowed: told }) = ask(&real, verb) else {
                panic!("{verb:?} {path} is refused");
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
fn an_unknown_method_is_refused_on_a_known_resource() {
    let fault = operation("/3gpp-nidd/v1/a/configurations/c/rds-ports", None, decode).unwrap_err();
    assert_eq!(fault, ApiFault::VerbNotAllowed { allowed: READ });
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
fn name_of_a_resource_is_its_template() {
    for resource in APIS.iter().flat_map(|api| api.resources) {
        let segments = resource.template.iter().map(|segment| match segment {
            Segment::Literal(text) => format!("/{text}"),
            Segment::ScsAsId => "/{scsAsId}".to_owned(),
            Segment::Id => "/{id}".to_owned(),
        });
        assert_eq!(resource.name, segments.collect::<String>());
    }
}
