//! What is granted of `authorization_details`.

use serde_json::json;

use super::*;
use crate::authz::apis::ApiId;
use crate::authz::details::DetailsFault;
use crate::authz::issuers::Issuers;
use crate::authz::policy::{Operations, Policy, Selectors, Service};
use crate::authz::token;
use crate::authz::ue::{Matcher, Ues};
use crate::limits::DETAILS_BYTES_MAX;

/// A request for these details.
fn form(details: &Value) -> String {
    let text = details.to_string();
    let octets = text.bytes().map(|octet| format!("%{octet:02X}"));
    let encoded: String = octets.collect();
    format!("{GOOD}&authorization_details={encoded}")
}

fn refusal(details: &Value) -> GrantFault {
    STAGE
        .decide(form(details))
        .expect_err("the request was granted")
}

/// The response to it, and what the gateway reads in the token.
fn granted(form: &str) -> (Value, token::Grant) {
    let grant = STAGE.decide(form).unwrap();
    let response = read(&STAGE.issuer.mint(&grant, NOW).unwrap().json);
    let issuers = Issuers::new(vec![STAGE.issuer.rules().unwrap()]).unwrap();
    let token = response["access_token"].as_str().unwrap().as_bytes();
    let verified = token::verify(token, &issuers, NOW).unwrap();
    (response, verified.grant)
}

/// spec.md 5.2 #14.
//= RFC 9396 section 7 type=test
//# What is granted is what was asked for and is held, and the response says it.
//= RFC 9396 section 9.1 type=test
//# The token carries it, and the gateway reads it there.
#[test]
fn details_are_granted_as_far_as_the_client_is_registered() {
    let asked = json!([{
        "type": "t8_access", "apis": ["3gpp-nidd", "3gpp-bdt"], "operations": ["read"],
    }]);
    let (response, grant) = granted(&form(&asked));
    let held = json!([{"type": "t8_access", "apis": ["3gpp-nidd"], "operations": ["read"]}]);
    assert_eq!(response["authorization_details"], held);
    assert_eq!(
        response.get("scope"),
        None,
        "details alone ask for nothing else"
    );
    assert_eq!(values(grant.rights), ["3gpp-nidd:read"]);
}

#[test]
fn details_and_scope_may_be_asked_for_together() {
    let asked = json!([{"type": "t8_access", "apis": ["3gpp-nidd"], "operations": ["write"]}]);
    let (response, grant) = granted(&format!("{}&scope=3gpp-monitoring-event", form(&asked)));
    assert_eq!(response["scope"], "3gpp-monitoring-event");
    assert_eq!(response["authorization_details"], asked);
    assert_eq!(
        values(grant.rights),
        ["3gpp-monitoring-event", "3gpp-nidd:write"]
    );
}

//= RFC 9396 section 9 type=test
//# What is said to have been granted is what the token allows: of an API in its details, no more
//# than they do.
#[test]
fn scope_grants_nothing_more_of_an_api_that_details_name() {
    let asked = json!([{"type": "t8_access", "apis": ["3gpp-nidd"], "operations": ["read"]}]);
    let form = format!("{}&scope=3gpp-nidd+3gpp-monitoring-event", form(&asked));
    let recorded = STAGE.decide(form.clone()).unwrap().rights();
    let (_, enforced) = granted(&form);
    assert_eq!(
        values(recorded),
        ["3gpp-monitoring-event", "3gpp-nidd:read"]
    );
    assert_eq!(recorded, enforced.rights);
}

/// Who asks for less of an API and may not have that has nothing of it, also where something else
/// is granted.
#[test]
fn scope_gives_nothing_of_an_api_that_details_ask_for_in_vain() {
    let client = client(
        "partner-1",
        Some(TlsClientAuth::SanDns(HOST.to_owned())),
        &["3gpp-nidd:write", "3gpp-monitoring-event"],
    );
    let stage = Stage::new(client, &certificate(vec![dns(HOST)], &[]));
    let one = |api: &str| json!({"type": "t8_access", "apis": [api], "operations": ["read"]});
    let asked = json!([one("3gpp-monitoring-event"), one("3gpp-nidd")]);
    let scope = "scope=3gpp-nidd%3Awrite+3gpp-monitoring-event";
    let grant = stage.decide(format!("{}&{scope}", form(&asked))).unwrap();
    assert_eq!(values(grant.rights()), ["3gpp-monitoring-event:read"]);
    assert!(grant.scope().is_empty());
    let in_vain = stage.decide(format!("{}&{scope}", form(&json!([one("3gpp-nidd")]))));
    assert_eq!(in_vain, Err(GrantFault::DetailsRefused));
}

/// What has limits gives nothing that has none.
#[test]
fn limits_are_carried_in_the_token_as_they_were_asked_for() {
    let asked = json!([{
        "type": "t8_access", "apis": ["3gpp-nidd"], "operations": ["read", "write"],
        "ports": [4_000],
    }]);
    let (response, grant) = granted(&form(&asked));
    assert_eq!(response["authorization_details"], asked);
    assert!(grant.rights.is_empty());
}

/// spec.md 5.2 #14.
//= RFC 9396 section 5 type=test
//# What is not understood, malformed or not held is refused by an error code of its own.
#[test]
fn details_that_are_not_understood_or_not_held_are_refused() {
    for (asked, fault) in [
        (json!({}), GrantFault::Details(DetailsFault::Malformed)),
        (json!([]), GrantFault::Details(DetailsFault::Malformed)),
        (
            json!([{"type": "payment"}]),
            GrantFault::Details(DetailsFault::TypeUnknown),
        ),
        (
            json!([{"type": "t8_access", "apis": ["3gpp-nidd"], "more": 1}]),
            GrantFault::Details(DetailsFault::FieldUnknown),
        ),
        (
            json!([{"type": "t8_access"}]),
            GrantFault::Details(DetailsFault::FieldMalformed),
        ),
        (
            json!([{"type": "t8_access", "apis": ["3gpp-bdt"]}]),
            GrantFault::DetailsRefused,
        ),
    ] {
        assert_eq!(refusal(&asked), fault, "{asked}");
    }
}

/// What is granted fits into a token that the gateway takes.
#[test]
fn details_that_no_token_could_carry_are_refused() {
    let group = |octets: usize| {
        let group = format!("{}@example.com", "g".repeat(200));
        let groups = vec![group; octets / 200];
        json!([{"type": "t8_access", "apis": ["3gpp-nidd"], "extGroupIds": groups}])
    };
    granted(&form(&group(2_000)).replace("%67", "g"));
    let long = form(&group(DETAILS_BYTES_MAX)).replace("%67", "g");
    assert_eq!(STAGE.decide(long), Err(GrantFault::DetailsTooLong));
    let ports = |from: u16| {
        let ports: Vec<u16> = (from..from + 10).collect();
        json!({"type": "t8_access", "apis": ["3gpp-nidd"], "ports": ports})
    };
    let many = |count| json!((0..count).map(ports).collect::<Vec<_>>());
    assert!(STAGE.decide(form(&many(32))).is_ok());
}

/// spec.md 5.2 #14.
//= RFC 9396 section 7 type=test
//# What the operator's policy does not let a client do is not granted.
#[test]
fn details_are_granted_as_far_as_the_policy_lets_the_client_do_it() {
    let nidd = ApiId::from_name("3gpp-nidd").unwrap();
    let policy = Policy {
        services: vec![Service {
            api: nidd,
            operations: Operations {
                read: true,
                ..Operations::default()
            },
            selectors: Selectors::default(),
            ues: Ues::from_iter([Matcher::read("a@example.com").ok().unwrap()]),
            any_ue: false,
        }],
    };
    let caller = Caller {
        policy: Some(&policy),
        ..STAGE.caller()
    };
    let decide = |asked: &Value| STAGE.issuer.decide(form(asked).as_bytes(), &caller, NOW);
    let asked = |ues: &[&str]| {
        json!([{
            "type": "t8_access", "apis": ["3gpp-nidd", "3gpp-monitoring-event"], "ueIds": ues,
        }])
    };
    let grant = decide(&asked(&["a@example.com", "b@example.com"])).unwrap();
    let response = read(&STAGE.issuer.mint(&grant, NOW).unwrap().json);
    let granted = json!([{
        "type": "t8_access", "apis": ["3gpp-nidd"], "operations": ["read"],
        "ueIds": ["a@example.com"],
    }]);
    assert_eq!(response["authorization_details"], granted);
    let others = decide(&asked(&["b@example.com"]));
    assert_eq!(others, Err(GrantFault::DetailsRefused));
}
