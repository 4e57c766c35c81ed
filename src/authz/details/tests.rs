use serde_json::{Value, json};

use super::*;
use crate::authz::scope;

fn asked_of(value: Value) -> Result<Vec<Value>, DetailsFault> {
    let asked = asked(&value.to_string())?;
    Ok(asked
        .iter()
        .map(|one| serde_json::to_value(one).unwrap())
        .collect())
}

/// What a token gives with this scope and these details.
fn given(scope: &str, details: Value) -> Result<String, TokenFault> {
    let scope = match scope {
        "" => Rights::NONE,
        scope => scope::rights(scope).unwrap(),
    };
    let claim = json::value(details.to_string().as_bytes()).unwrap();
    let given: Vec<_> = super::given(&claim, scope)?.0.values().collect();
    Ok(given.join(" "))
}

//= RFC 9396 section 2 type=test
//# The value is an array of objects, each with a type.
#[test]
fn what_is_no_array_of_typed_objects_is_refused() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        r#""t8_access""#,
        r#"{"type":"t8_access","apis":["3gpp-nidd"]}"#,
        "[1]",
        "[{}]",
        r#"[{"apis":["3gpp-nidd"]}]"#,
        r#"[{"type":1,"apis":["3gpp-nidd"]}]"#,
        r#"[{"type":"t8_access","apis":["3gpp-nidd"]}]x"#,
        r#"[{"type":"t8_access","type":"t8_access","apis":["3gpp-nidd"]}]"#,
    ] {
        assert_eq!(asked(text).err(), Some(DetailsFault::Malformed), "{text}");
    }
    let many = |count| json!(vec![json!({"type": TYPE, "apis": ["3gpp-nidd"]}); count]);
    assert!(asked_of(many(OBJECTS_MAX)).is_ok());
    assert_eq!(
        asked_of(many(OBJECTS_MAX + 1)),
        Err(DetailsFault::Malformed)
    );
}

//= RFC 9396 section 5 type=test
//# An unknown type is refused, also beside a known one.
#[test]
fn request_of_an_unknown_type_is_refused() {
    let known = json!({"type": TYPE, "apis": ["3gpp-nidd"]});
    for kind in ["payment_initiation", "T8_access", "t8_access ", ""] {
        let other = json!({"type": kind, "apis": ["3gpp-nidd"]});
        for list in [json!([other]), json!([known, other]), json!([other, known])] {
            assert_eq!(asked_of(list), Err(DetailsFault::TypeUnknown), "{kind}");
        }
    }
}

//= RFC 9396 section 5 type=test
//# An unknown field, a malformed one and a missing one are refused.
#[test]
fn request_with_an_unknown_or_malformed_field_is_refused() {
    let with = |name: &str, value: Value| {
        let mut object = json!({"type": TYPE, "apis": ["3gpp-nidd"]});
        object[name] = value;
        asked_of(json!([object]))
    };
    for (name, value) in [
        ("actions", json!(["read"])),
        ("UeIds", json!(["a@example.com"])),
        ("apis", json!(["3gpp-nidd", "3gpp-nid"])),
        ("apis", json!(["3gpp-nidd:read"])),
        ("operations", json!(["read", "Write"])),
        ("operations", json!(["*"])),
        ("operations", json!(["DELETE"])),
        ("operations", json!(["HEAD /{scsAsId}/configurations"])),
        ("operations", json!(["DELETE /{scsAsId}/configurations"])),
        ("operations", json!(["GET /{x}/configurations"])),
        ("operations", json!(["GET /{scsAsId}/subscriptions"])),
        ("ueIds", json!(["a@example.com", "read me"])),
        ("ueIds", json!(["extgroupid-g@example.com"])),
        ("ueIds", json!(["imsi-001010000000001"])),
        ("extGroupIds", json!(["msisdn-491512345678"])),
        ("domains", json!(["example"])),
        ("domains", json!(["*"])),
        ("monitoringTypes", json!(["location_reporting"])),
        ("monitoringTypes", json!(["A".repeat(65)])),
    ] {
        assert_eq!(with(name, value), Err(DetailsFault::FieldUnknown), "{name}");
    }
    assert!(with("monitoringTypes", json!(["A".repeat(64)])).is_ok());
    let lists = [
        "apis",
        "operations",
        "ueIds",
        "extGroupIds",
        "domains",
        "monitoringTypes",
    ];
    for name in lists {
        for value in [
            json!(null),
            json!("read"),
            json!([]),
            json!({}),
            json!([1]),
            json!([""]),
            json!([["read"]]),
            json!(vec!["read"; ENTRIES_MAX + 1]),
        ] {
            let found = with(name, value.clone());
            assert_eq!(found, Err(DetailsFault::FieldMalformed), "{name} {value}");
        }
    }
    for value in [
        json!([]),
        json!(1),
        json!(["1"]),
        json!([65_536]),
        json!([-1]),
        json!([1.5]),
    ] {
        let found = with("ports", value.clone());
        assert_eq!(found, Err(DetailsFault::FieldMalformed), "{value}");
    }
    let missing = json!([{"type": TYPE, "operations": ["read"]}]);
    assert_eq!(asked_of(missing), Err(DetailsFault::FieldMalformed));
}

#[test]
fn what_is_asked_for_is_written_as_it_was() {
    let all = json!([{
        "type": TYPE,
        "apis": ["3gpp-monitoring-event", "3gpp-nidd"],
        "operations": ["read", "write", "POST /{scsAsId}/subscriptions"],
        "ueIds": ["a@example.com", "b@example.com"],
        "extGroupIds": ["g@example.com"],
        "domains": ["example.com"],
        "monitoringTypes": ["LOCATION_REPORTING"],
        "ports": [0, 65_535],
    }]);
    assert_eq!(asked_of(all.clone()), Ok(all.as_array().unwrap().clone()));
    let short = json!([{"type": TYPE, "apis": ["3gpp-nidd"]}]);
    let long = json!({"type": TYPE, "apis": ["3gpp-nidd"], "operations": ["read", "write"]});
    assert_eq!(asked_of(short), Ok(vec![long]));
}

//= RFC 9396 section 7 type=test
//# What is granted may be less than what was asked for.
#[test]
fn grant_is_what_is_asked_for_and_held() {
    let asked = json!([{
        "type": TYPE,
        "apis": ["3gpp-monitoring-event", "3gpp-bdt", "3gpp-nidd", "3gpp-chargeable-party"],
        "ueIds": ["a@example.com"],
    }]);
    let asked = asked_of_objects(&asked);
    let held = scope::rights("3gpp-nidd:read 3gpp-bdt 3gpp-monitoring-event:write").unwrap();
    let granted = asked[0].within(held);
    let written: Vec<_> = granted
        .iter()
        .map(|one| serde_json::to_value(one).unwrap())
        .collect();
    let part = |apis: &str, operations: &[&str]| {
        json!({
            "type": TYPE, "apis": [apis], "operations": operations, "ueIds": ["a@example.com"],
        })
    };
    assert_eq!(
        written,
        [
            part("3gpp-bdt", &["read", "write"]),
            part("3gpp-nidd", &["read"]),
            part("3gpp-monitoring-event", &["write"]),
        ]
    );
    assert!(asked[0].within(Rights::NONE).is_empty());
    // Of single operations, those of the half that is held.
    let words = [
        "GET /{scsAsId}/configurations",
        "POST /{scsAsId}/configurations",
    ];
    let single = asked_of_objects(&json!([
        {"type": TYPE, "apis": ["3gpp-nidd"], "operations": words}
    ]));
    let left = |held: &str| {
        let left = single[0].within(scope::rights(held).unwrap());
        let left = left.first().map(|one| serde_json::to_value(one).unwrap());
        left.map(|mut one| one["operations"].take())
    };
    assert_eq!(left("3gpp-nidd"), Some(json!(words)));
    assert_eq!(left("3gpp-nidd:read"), Some(json!(words[..1])));
    assert_eq!(left("3gpp-nidd:write"), Some(json!(words[1..])));
    assert_eq!(left("3gpp-bdt"), None);
    // And not of an API that has none of them: each once.
    let of_both = asked_of_objects(&json!([{
        "type": TYPE,
        "apis": ["3gpp-nidd", "3gpp-bdt"],
        "operations": [words[1], words[1]],
    }]));
    assert!(
        of_both[0]
            .within(scope::rights("3gpp-bdt").unwrap())
            .is_empty()
    );
    let nidd = of_both[0].within(scope::rights("3gpp-nidd").unwrap());
    let nidd = serde_json::to_value(&nidd).unwrap();
    assert_eq!(nidd[0]["operations"], json!([words[1]]));
    let read_only = asked_of_objects(&json!([
        {"type": TYPE, "apis": ["3gpp-nidd"], "operations": ["write"]}
    ]));
    assert!(read_only[0].within(held).is_empty());
}

fn asked_of_objects(value: &Value) -> Vec<Access> {
    asked(&value.to_string()).ok().unwrap()
}

//= RFC 9396 section 9 type=test
//# What the details say of an API is what the token gives of it.
#[test]
fn details_say_what_the_apis_they_name_give() {
    let read = json!([{"type": TYPE, "apis": ["3gpp-nidd"], "operations": ["read"]}]);
    assert_eq!(given("", read.clone()).unwrap(), "3gpp-nidd:read");
    assert_eq!(given("3gpp-nidd", read.clone()).unwrap(), "3gpp-nidd:read");
    assert_eq!(
        given("3gpp-nidd 3gpp-bdt", read).unwrap(),
        "3gpp-bdt 3gpp-nidd:read"
    );
    let two = json!([
        {"type": TYPE, "apis": ["3gpp-nidd"], "operations": ["read"]},
        {"type": TYPE, "apis": ["3gpp-nidd"], "operations": ["write"]},
    ]);
    assert_eq!(given("", two).unwrap(), "3gpp-nidd");
}

//= RFC 9396 section 9 type=test
//# What is limited is not given with anything, and what is not understood is not given at all.
#[test]
fn details_with_limits_give_nothing_without_and_take_their_apis_from_the_scope() {
    for (name, value) in [
        ("ueIds", json!(["a@example.com"])),
        ("extGroupIds", json!(["g@example.com"])),
        ("domains", json!(["example.com"])),
        ("monitoringTypes", json!(["LOCATION_REPORTING"])),
        ("ports", json!([1])),
        (
            "operations",
            json!(["GET /{scsAsId}/configurations", "write"]),
        ),
        ("somethingElse", json!(1)),
    ] {
        let mut object = json!({"type": TYPE, "apis": ["3gpp-nidd"]});
        object[name] = value;
        let found = given("3gpp-nidd 3gpp-bdt", json!([object])).unwrap();
        assert_eq!(found, "3gpp-bdt", "{name}");
        let limited = limited_of(json!([object]));
        let most = limited.map(|limited| limited.at_most());
        let nidd = scope::rights("3gpp-nidd").unwrap();
        assert_eq!(most, (name != "somethingElse").then_some(nidd), "{name}");
    }
}

/// What a token gives of these with something only.
fn limited_of(details: Value) -> Option<Arc<LimitedRights>> {
    let claim = json::value(details.to_string().as_bytes()).ok().unwrap();
    super::given(&claim, Rights::NONE).ok().unwrap().1
}

mod held;
mod limited;

//= RFC 9396 section 9 type=test
//# Details of an unknown type give no rights.
#[test]
fn details_of_other_types_give_nothing_and_take_nothing() {
    let other = json!([{"type": "payment_initiation", "apis": ["3gpp-nidd"]}]);
    assert_eq!(given("", other.clone()).unwrap(), "");
    assert_eq!(given("3gpp-bdt", other).unwrap(), "3gpp-bdt");
    let values = json!([
        {"type": TYPE, "apis": ["3gpp-nidd", "x"], "operations": ["read", "explode"]}
    ]);
    assert_eq!(given("", values).unwrap(), "3gpp-nidd:read");
}

#[test]
fn malformed_details_make_a_token_invalid() {
    let malformed = TokenFault::ClaimMalformed(Claim::AuthorizationDetails);
    for details in [
        json!(null),
        json!({}),
        json!([]),
        json!([{}]),
        json!("[]"),
        json!([{"type": TYPE}]),
        json!([{"type": TYPE, "apis": "3gpp-nidd"}]),
        json!([{"type": TYPE, "apis": []}]),
        json!([{"type": TYPE, "apis": ["3gpp-nidd"], "operations": []}]),
        json!([{"type": TYPE, "apis": ["3gpp-nidd"], "ueIds": "a@example.com"}]),
        json!([{"type": "other"}, {"type": TYPE, "apis": ["3gpp-nidd"], "ports": ["1"]}]),
    ] {
        assert_eq!(
            given("3gpp-nidd", details.clone()),
            Err(malformed),
            "{details}"
        );
    }
}
