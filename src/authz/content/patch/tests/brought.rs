//! What a patch says itself, whatever it is applied to.

use super::*;

#[test]
fn a_json_patch_says_which_event_types_it_brings() {
    let shape = action(SUBSCRIPTION, Verb::Get).gives;
    let types = |patch: &str| {
        let brought = types_brought_by(patch.as_bytes(), shape)?;
        Ok(brought.monitoring_types().map(str::to_owned).collect())
    };
    for (patch, expected) in [
        (
            r#"[{"op":"replace","path":"/monitoringType","value":"LOCATION_REPORTING"}]"#,
            &["LOCATION_REPORTING"][..],
        ),
        (
            r#"[{"op":"add","path":"/addnMonTypes","value":["A","B"]},
            {"op":"add","path":"/addnMonTypes/-","value":"C"},
            {"op":"remove","path":"/addnMonTypes/0"}]"#,
            &["A", "B", "C"],
        ),
        (
            r#"[{"op":"replace","path":"","value":{"monitoringType":"A","addnMonTypes":["B"]}}]"#,
            &["A", "B"],
        ),
        (
            r#"[{"op":"test","path":"/monitoringType","value":"A"},
            {"op":"remove","path":"/monitoringType"},
            {"op":"add","path":"/note","value":"B"},
            {"op":"copy","from":"/msisdn","path":"/externalId"}]"#,
            &[],
        ),
    ] {
        let expected = expected.iter().map(ToString::to_string).collect();
        assert_eq!(types(patch), Ok::<Vec<String>, Fault>(expected), "{patch}");
    }
    for op in ["move", "copy"] {
        let from = format!(r#"[{{"op":"{op}","from":"/note","path":"/addnMonTypes/0"}}]"#);
        assert_eq!(types(&from), Err(Fault::Moved));
    }
}

#[test]
fn a_json_patch_says_whom_it_brings_where_nobody_sees_what_it_is_of() {
    let shape = action(SUBSCRIPTION, Verb::Get).gives;
    let says = |patch: &str| brought_by(patch.as_bytes(), shape);
    let named = says(r#"[{"op":"add","path":"/msisdn","value":"999010000000001"}]"#).unwrap();
    assert!(named.about().unwrap().ues() == [msisdn(A)]);
    assert!(!named.about().unwrap().is_any_ue());
    let element = r#"[{"op":"replace","path":"/addedMsisdns/7","value":"999010000000002"},
        {"op":"add","path":"/note","value":"999010000000001"}]"#;
    assert!(says(element).unwrap().about().unwrap().ues() == [msisdn(B)]);
    let gone = says(r#"[{"op":"remove","path":"/msisdn"}]"#).unwrap();
    assert!(gone.about().unwrap().is_any_ue() && !gone.names_nobody());
    let moved = r#"[{"op":"move","from":"/note","path":"/msisdn"}]"#;
    assert_eq!(says(moved).err(), Some(Fault::Moved));
    let twice = r#"[{"op":"add","path":"/x","path":"/msisdn","value":"999010000000001"}]"#;
    assert_eq!(says(twice).err(), Some(Fault::DuplicateMember));
    assert_eq!(says(r#"{"op":"remove"}"#).err(), Some(Fault::WrongType));
}

#[test]
fn whom_a_json_patch_brings_stays_until_it_takes_away_what_they_stand_in() {
    const LIST: Shape = Shape::Members(&[
        ("externalId", Shape::Is(Kind::ExternalId)),
        ("externalIds", Shape::Items(&Shape::Is(Kind::ExternalId))),
        ("msisdn", Shape::Is(Kind::Msisdn)),
    ]);
    let add =
        |path: &str, value: &str| format!(r#"{{"op":"add","path":"{path}","value":{value}}}"#);
    let id = r#""a@example.com""#;
    let remove = |path: &str| format!(r#"{{"op":"remove","path":"{path}"}}"#);
    for (operations, is_any_ue) in [
        (vec![add("/externalId", id), remove("/msisdn")], false),
        (vec![add("/externalId", id), remove("/externalId")], true),
        (vec![remove("/externalId"), add("/externalId", id)], false),
        (vec![add("/externalIds/0", id)], false),
        (vec![add("/externalIds/-", id), remove("/msisdn")], false),
        (
            vec![add("/externalIds/-", id), add("/externalIds", "[]")],
            true,
        ),
        (
            vec![add("/externalIds/-", id), remove("/externalIds/7")],
            true,
        ),
        (
            vec![add("/externalIds", "[]"), add("/externalIds/-", id)],
            false,
        ),
    ] {
        let patch = format!("[{}]", operations.join(","));
        let brought = brought_by(patch.as_bytes(), LIST).unwrap();
        assert_eq!(brought.about().unwrap().is_any_ue(), is_any_ue, "{patch}");
    }
}
