//! Patches: judged by what they say and by what they make of the representation.

use serde_json::{Value, json};

use super::{answer_all, assert_only_looked, held, meters};
use crate::harness::stage::{API, House};

const OWN: &str = "ues = [\"meter-1@example.com\", \"meter-2@example.com\"]";

/// What a patch comes to: it is done, or refused with a status.
type Row = (Value, u16);

fn run(api: &str, path: &str, media: &str, has: &Value, rows: &[Row]) {
    let (house, mut held) = meters(&[api], OWN, |_| {});
    answer_all(&house, has.to_string().as_bytes());
    let fields = format!("Content-Type: {media}\r\n");
    for (patch, status) in rows {
        let body = patch.to_string();
        let response = held.ask(&house, "PATCH", path, &fields, body.as_bytes());
        let reached = house.origin.take();
        let what = format!("{patch}: {}", response.text());
        assert_eq!(response.status, *status, "{what}");
        if *status != 200 {
            assert_only_looked(&reached, &what);
            continue;
        }
        let [look, done] = reached.as_slice() else {
            panic!("{what}: {reached:?}");
        };
        assert_eq!((look.method.as_str(), look.target.as_str()), ("GET", path));
        assert_eq!(done.body, body.as_bytes(), "{what}");
    }
}

#[test]
fn json_patch_is_judged_by_what_it_makes_of_a_subscription() {
    let op = |op: &str, path: &str, value: &str| json!([{"op": op, "path": path, "value": value}]);
    let moved = |op: &str, from: &str, to: &str| json!([{"op": op, "from": from, "path": to}]);
    let has = json!({
        "externalId": "meter-1@example.com",
        "addedExternalIds": ["meter-2@example.com"],
        "note": "meter-1@other.example",
        "monitoringType": "LOCATION_REPORTING",
    });
    run(
        API,
        "/3gpp-monitoring-event/v1/meters/subscriptions/7",
        "application/json-patch+json",
        &has,
        &[
            (op("replace", "/monitoringType", "X"), 200),
            (op("replace", "/externalId", "meter-2@example.com"), 200),
            (op("replace", "/externalId", "meter-1@other.example"), 403),
            (op("add", "/msisdn", "491512345678"), 403),
            (op("add", "/externalGroupId", "fleet@example.com"), 403),
            (op("add", "/addedExternalIds/-", "meter-1@example.com"), 200),
            (
                op("add", "/addedExternalIds/-", "meter-1@other.example"),
                403,
            ),
            (
                op("add", "/addedExternalIds/0", "meter-1@other.example"),
                403,
            ),
            (
                json!([{"op": "remove", "path": "/addedExternalIds/0"},
                    {"op": "add", "path": "/externalId", "value": "meter-2@example.com"}]),
                200,
            ),
            (
                json!([{"op": "remove", "path": "/addedExternalIds/0"}]),
                200,
            ),
            (json!([{"op": "remove", "path": "/externalId"}]), 403),
            (json!([{"op": "remove", "path": "/nowhere"}]), 400),
            (
                json!([{"op": "add", "path": "/monitoringEventReport", "value":
                    {"$serde_json::private::RawValue":
                        "{\"externalId\":\"meter-1@example.com\"}"}}]),
                400,
            ),
            (moved("move", "/note", "/externalId"), 400),
            (moved("copy", "/note", "/addedExternalIds/-"), 400),
            (moved("copy", "/note", "/note2"), 200),
            (op("replace", "", "x"), 400),
            (json!([{"op": "replace", "path": "", "value": {}}]), 403),
            (
                json!([{"op": "add", "path": "", "value": {"externalId": "x@other.example"}}]),
                403,
            ),
            (op("add", "/externalID", "x@other.example"), 400),
            (op("add", "/~1externalId", "x@other.example"), 200),
            (json!({"externalId": "meter-1@example.com"}), 400),
            (
                json!([{"op": "add", "path": "/externalId", "value": null}]),
                400,
            ),
            (
                json!([{"op": "add", "Path": "/externalId", "path": "/x", "value": 1}]),
                400,
            ),
        ],
    );
}

#[test]
fn merge_patch_is_judged_by_what_it_makes_of_a_representation() {
    let has = json!({"externalId": "meter-1@example.com", "rdsPorts": []});
    run(
        "3gpp-nidd",
        "/3gpp-nidd/v1/meters/configurations/7",
        "application/merge-patch+json",
        &has,
        &[
            (json!({"maximumPacketSize": 7}), 200),
            (json!({"externalId": "meter-2@example.com"}), 200),
            (json!({"externalId": "meter-1@other.example"}), 403),
            (json!({"msisdn": "491512345678"}), 403),
            (json!({"externalGroupId": "fleet@example.com"}), 403),
            // It would be about nobody.
            (json!({"externalId": null}), 403),
            (json!({"externalId": null, "msisdn": "491512345678"}), 403),
            (
                json!({"niddDownlinkDataTransfers": [{"externalId": "x@other.example"}]}),
                403,
            ),
            (
                json!({"niddDownlinkDataTransfers": [{"externalId": "meter-2@example.com"}]}),
                200,
            ),
            (json!({"EXTERNALID": "meter-1@other.example"}), 400),
            (json!({"externalId": 7}), 400),
            (json!([]), 400),
        ],
    );
}

#[test]
fn patch_by_plain_json_is_judged_by_what_it_makes_of_a_representation() {
    let has = json!({"externalId": "meter-1@example.com", "priority": "NO_PRIORITY"});
    run(
        "3gpp-device-triggering",
        "/3gpp-device-triggering/v1/meters/transactions/7",
        "application/json",
        &has,
        &[
            (json!({"priority": "PRIORITY"}), 200),
            (json!({"externalId": "meter-2@example.com"}), 200),
            (json!({"externalId": "meter-1@other.example"}), 403),
            (json!({"msisdn": "491512345678"}), 403),
            (json!({"ExternalId": "meter-1@other.example"}), 400),
            (json!({"externalId": null}), 400),
        ],
    );
    let others = json!({"externalId": "meter-1@other.example"});
    run(
        "3gpp-device-triggering",
        "/3gpp-device-triggering/v1/meters/transactions/7",
        "application/json",
        &others,
        &[
            (json!({"priority": "PRIORITY"}), 403),
            (json!({"externalId": "meter-1@example.com"}), 403),
        ],
    );
}

const STATUS: &str = "acme-device-status";

/// Nobody is shown it, so that it may be about anybody before.
#[test]
fn what_cannot_be_looked_at_is_changed_by_those_only_who_may_ask_about_any_ue() {
    const API_TABLE: &str = r#"
name = "acme-device-status"
[[api.resource]]
path = "/{scsAsId}/devices/{deviceId}"
[[api.resource.operation]]
method = "PATCH"
takes = "application/json-patch+json"
request = ["msisdn /msisdn"]
[[api.resource.operation]]
method = "PUT"
request = ["msisdn /msisdn"]
[[api.resource.operation]]
method = "DELETE"
"#;
    let grants = [
        ("own", "ues = [\"msisdn:491512345678\"]"),
        ("both", "ues = [\"msisdn:491512345678\"]\nany_ue = true"),
        ("any-ue", "any_ue = true"),
    ];
    let mut ready = Vec::new();
    let house = House::open_staged(|stage| {
        stage.config.table("api", API_TABLE);
        for (id, service) in grants {
            let service = format!("api = {STATUS:?}\n{service}");
            ready.push(held(stage, id, STATUS, &[service]));
        }
    });
    answer_all(&house, b"{}");
    let add =
        |path: &str, value: &str| json!([{"op": "add", "path": path, "value": value}]).to_string();
    let own = add("/msisdn", "491512345678");
    let other = add("/msisdn", "491512345679");
    let note = add("/note", "491512345679");
    let taken = json!([{"op": "remove", "path": "/msisdn"}]).to_string();
    let put = json!({"msisdn": "491512345678"}).to_string();
    let rows = [
        ("PATCH", own.as_str(), [403, 200, 403]),
        ("PATCH", &other, [403, 403, 403]),
        ("PATCH", &note, [403, 200, 200]),
        ("PATCH", &taken, [403, 200, 200]),
        ("PUT", &put, [403, 200, 403]),
        ("PUT", "{}", [403, 200, 200]),
        ("DELETE", "", [403, 200, 200]),
    ];
    for (at, client) in ready.into_iter().enumerate() {
        let mut client = client.connect(&house);
        let path = format!("/{STATUS}/v1/{}/devices/7", client.id);
        for (method, body, statuses) in rows {
            let response = client.ask(&house, method, &path, "", body.as_bytes());
            let what = format!("{method} {body} of {}: {}", client.id, response.text());
            assert_eq!(response.status, statuses[at], "{what}");
            let reached = house.origin.take().len();
            assert_eq!(reached, usize::from(response.status == 200), "{what}");
        }
    }
}
