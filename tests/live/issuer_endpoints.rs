//! What the embedded issuer says of a token to those who may ask, and what it grants of
//! authorization_details; by curl and over connections of our own.

use serde_json::{Value, json};

use crate::authorization::assert_problem;
use crate::harness::client::{Client, HOST, get};
use crate::harness::peers::{curl, url};
use crate::harness::pki::Identity;
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{run_well, wait_until};
use crate::issuer::{FORM, TOKEN, asked, assert_grant_refused, json, posted, token_of};
use crate::reload::reload;

const INTROSPECT: &str = "/oauth2/introspect";

/// A house where `globex` introspects the tokens of `acme`.
fn house() -> House {
    house_with(|_| {})
}

fn house_with(change: impl FnOnce(&mut Stage)) -> House {
    House::open_staged(|stage| {
        stage.issue_tokens();
        let globex = "tls_client_auth_san_uri = \"urn:scs:globex\"\nintrospects = true";
        stage.config.extend_table("client", 1, globex);
        // Last: a table within the client's ends its own keys.
        change(stage);
    })
}

/// What `curl` is told of a token, in the name of a client.
fn told(house: &House, identity: &Identity, form: &str) -> Value {
    let address = house.gateway.address;
    let mut curl = curl(
        address,
        &house.stage.operator_ca.certificate,
        Some(identity),
    );
    curl.args(["--data", form]).arg(url(address, INTROSPECT));
    serde_json::from_str(&run_well(&mut curl)).expect("JSON")
}

/// spec.md 5.2 #12.
//= RFC 7662 section 2.2 type=test
//# A token is told as active with its claims until it opens nothing any more.
#[test]
fn spec_5_2_row_12_resource_server_is_told_what_a_token_is_worth() {
    let mut house = house();
    let token = token_of(&asked(&mut house.client(), FORM));
    let form = format!("client_id=globex-app&token={token}");
    let active = told(&house, &house.stage.globex, &form);
    assert_eq!(active["active"], true);
    assert_eq!(active["client_id"], "acme-app");
    assert_eq!(active["cnf"]["x5t#S256"], house.stage.acme.thumbprint());
    let forged = format!("{form}x");
    let inactive = json!({"active": false});
    assert_eq!(told(&house, &house.stage.globex, &forged), inactive);
    // Another issuer's token is nothing that this one speaks of.
    let foreign = format!("client_id=globex-app&token={}", house.token());
    assert_eq!(told(&house, &house.stage.globex, &foreign), inactive);
    // Whoever is disabled has no token that opens anything.
    house.rewrite(|config| {
        config.extend_table("client", 0, "enabled = false");
    });
    reload(&house);
    wait_until("every shard to know", || {
        told(&house, &house.stage.globex, &form) == inactive
    });
}

/// spec.md 5.2 #12.
//= RFC 7662 section 2.1 type=test
//# Who is not one to be told anything is refused; the question is posted.
//= RFC 7662 section 2.3 type=test
//# Who does not authenticate is answered 401.
//= RFC 9110 section 15.5.2 type=test
//# A 401 has a challenge.
#[test]
fn spec_5_2_row_12_who_may_not_introspect_is_told_nothing() {
    let house = house();
    let mut client = house.client();
    let token = token_of(&asked(&mut client, FORM));
    let form = format!("client_id=acme-app&token={token}");
    let refused = client.ask(posted(INTROSPECT, &form, ""));
    assert_grant_refused(&refused, "unauthorized_client");
    house.gateway.await_log("set introspects = true");
    let foreign = format!("client_id=globex-app&token={token}");
    let refused = client.ask(posted(INTROSPECT, &foreign, ""));
    assert_eq!(refused.status, 401, "{}", refused.text());
    assert_eq!(json(&refused)["error"], "invalid_client");
    assert_eq!(
        refused.field("www-authenticate"),
        Some("Bearer realm=\"t8\"")
    );
    assert_eq!(refused.field("cache-control"), Some("no-store"));
    house
        .gateway
        .await_log("detail=\"grant_client_id_foreign\"");
    // Elsewhere that is answered as the token endpoint does.
    let foreign_grant = FORM.replace("acme-app", "globex-app");
    assert_grant_refused(&asked(&mut client, &foreign_grant), "invalid_client");
    assert_problem(&client.ask(get(INTROSPECT, "")), 405);
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).expect("a client");
    let refused = globex.ask(posted(INTROSPECT, "client_id=globex-app", ""));
    assert_grant_refused(&refused, "invalid_request");
    let said = globex.ask(posted(INTROSPECT, &foreign, ""));
    assert_eq!(said.status, 200);
    assert_eq!(json(&said)["active"], true);
    assert_eq!(said.field("cache-control"), Some("no-store"));
    // It introspects, and gets no token itself.
    let form = "grant_type=client_credentials&client_id=globex-app";
    assert_grant_refused(&asked(&mut globex, form), "unauthorized_client");
}

/// spec.md 5.2 #14.
//= RFC 9396 section 7 type=test
//# The response says what was granted, and the token opens that and nothing else.
//= RFC 9396 section 5 type=test
//# What is not understood is refused.
#[test]
fn spec_5_2_row_14_details_are_granted_and_enforced() {
    let house = house();
    let (address, ca) = (house.gateway.address, &house.stage.operator_ca.certificate);
    let details = |text: &str| format!("authorization_details={text}");
    let fetch = |text: &str| -> Value {
        let mut curl = curl(address, ca, Some(&house.stage.acme));
        curl.args(["--data", FORM, "--data-urlencode", &details(text)]);
        curl.arg(url(address, TOKEN));
        serde_json::from_str(&run_well(&mut curl)).expect("JSON")
    };
    let asked = r#"[{"type":"t8_access","apis":["3gpp-nidd","3gpp-bdt"],"operations":["read"]}]"#;
    let said = fetch(asked);
    let held = json!([{"type": "t8_access", "apis": ["3gpp-nidd"], "operations": ["read"]}]);
    assert_eq!(said["authorization_details"], held);
    let token = token_in(&said);
    let mut client = house.client();
    assert_eq!(
        client
            .get("/3gpp-nidd/v1/acme/configurations", token)
            .status,
        200
    );
    assert_problem(&client.get(PATH, token), 403);
    for refused in [
        r#"[{"type":"payment_initiation"}]"#,
        r#"[{"type":"t8_access","apis":["3gpp-nidd"],"colour":"blue"}]"#,
        r#"[{"type":"t8_access","apis":"3gpp-nidd"}]"#,
        r#"[{"type":"t8_access","apis":["3gpp-bdt"]}]"#,
        "nothing",
    ] {
        assert_eq!(
            fetch(refused)["error"],
            "invalid_authorization_details",
            "{refused}"
        );
    }
    let metadata = client.ask(get("/.well-known/oauth-authorization-server", ""));
    let metadata = json(&metadata);
    assert_eq!(
        metadata["authorization_details_types_supported"],
        json!(["t8_access"])
    );
    let introspection = format!("https://{HOST}{INTROSPECT}");
    assert_eq!(metadata["introspection_endpoint"], introspection);
}

/// spec.md 5.2 #14.
//= RFC 9396 section 7 type=test
//# What is granted is what was asked for and what the operator lets the client do, and whoever
//# asks about the token is told no more.
#[test]
fn spec_5_2_row_14_details_are_granted_as_far_as_services_go() {
    let house = house_with(|stage| {
        let service = "[[client.service]]\napi = \"3gpp-monitoring-event\"\n\
                       ues = [\"car-1@example.com\"]\nmonitoring_types = [\"UE_REACHABILITY\"]";
        stage.config.extend_table("client", 0, service);
    });
    let (address, ca) = (house.gateway.address, &house.stage.operator_ca.certificate);
    let fetch = |ues: &[&str]| -> Value {
        let details = json!([{
            "type": "t8_access", "apis": ["3gpp-monitoring-event", "3gpp-nidd"], "ueIds": ues,
        }]);
        let mut curl = curl(address, ca, Some(&house.stage.acme));
        let details = format!("authorization_details={details}");
        curl.args(["--data", FORM, "--data-urlencode", &details]);
        curl.arg(url(address, TOKEN));
        serde_json::from_str(&run_well(&mut curl)).expect("JSON")
    };
    let said = fetch(&["car-1@example.com", "car-2@example.com"]);
    let held = json!([{
        "type": "t8_access", "apis": ["3gpp-monitoring-event"], "operations": ["read", "write"],
        "ueIds": ["car-1@example.com"], "monitoringTypes": ["UE_REACHABILITY"],
    }]);
    assert_eq!(said["authorization_details"], held);
    let form = format!("client_id=globex-app&token={}", token_in(&said));
    let told = told(&house, &house.stage.globex, &form);
    assert_eq!(told["authorization_details"], held);
    let refused = fetch(&["car-2@example.com"]);
    assert_eq!(refused["error"], "invalid_authorization_details");
}

fn token_in(said: &Value) -> &str {
    said["access_token"].as_str().expect("a token")
}

/// A form may take its time: it is judged by what is in force when it is whole.
#[test]
fn form_that_was_begun_before_a_reload_is_judged_by_what_is_in_force_after_it() {
    let mut house = house();
    let posted = posted(TOKEN, FORM, "");
    let (begun, rest) = posted.split_at(posted.len() - 4);
    let mut clients = [house.client(), house.client()];
    let begin = |client: &mut Client| {
        client.send(begun).expect("it is taken");
        // Its head is read before anything changes.
        std::thread::sleep(std::time::Duration::from_millis(300));
    };
    begin(&mut clients[0]);
    house.rewrite(|config| {
        let one = config
            .table_body("client", 0)
            .replace(&format!("{API:?}, "), "");
        let other = config.table_body("client", 1);
        config.without_tables("client");
        config.table("client", &one).table("client", &other);
    });
    reload(&house);
    let mut another = house.client();
    wait_until("the shard to know", || {
        json(&asked(&mut another, FORM))["scope"] == "3gpp-nidd"
    });
    let answer = clients[0].ask(rest);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(json(&answer)["scope"], "3gpp-nidd");
    // The same where nothing is issued any more.
    begin(&mut clients[1]);
    house.rewrite(|config| {
        config.unset("oauth.key.file").unset("oauth.issuer");
        let one = config.table_body("client", 0);
        let kept = { one.lines() }.filter(|line| !line.starts_with("scopes"));
        let kept = kept.filter(|line| !line.starts_with("tls_client_auth"));
        let kept = kept.collect::<Vec<_>>().join("\n");
        let other = config.table_body("client", 1);
        let other = { other.lines() }.filter(|line| !line.contains("tls_client_auth"));
        let other = other.filter(|line| !line.starts_with("introspects"));
        let other = other.collect::<Vec<_>>().join("\n");
        config.without_tables("client");
        config.table("client", &kept).table("client", &other);
    });
    reload(&house);
    wait_until("the shard to know", || {
        asked(&mut another, FORM).status == 404
    });
    assert_problem(&clients[1].ask(rest), 404);
}
