//! Opaque tokens of the embedded issuer are revoked like those that are signed.

use serde_json::{Value, json};

use super::{again, all_are_refused, all_are_served, assert_revoked, revocable, revoke, warm};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{WAIT, signal};
use crate::issuer::{json as document, posted};
use crate::opaque_tokens::fetched;
use crate::resumption::secret;

fn sealing(stage: &mut Stage) {
    revocable(stage);
    stage.issue_tokens();
    let file = secret(stage, "sealing");
    stage.config.set_text("oauth.token_format", "opaque");
    let key = "oauth.sealing.secret_file";
    stage.config.set_text(key, file.display());
    let globex = "tls_client_auth_san_uri = \"urn:scs:globex\"\nintrospects = true";
    stage.config.extend_table("client", 1, globex);
}

fn introspected(house: &House, token: &str) -> Value {
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut client = dialer.connect(house.gateway.address).expect("a client");
    let form = format!("client_id=globex-app&token={token}");
    document(&client.ask(posted("/oauth2/introspect", &form, "")))
}

#[test]
fn opaque_token_is_revoked_by_its_client_by_itself_and_by_its_jti_at_once_and_for_good() {
    let mut house = House::open_staged(sealing);
    let all: Vec<String> = (0..4).map(|_| fetched(&house)).collect();
    let [by_client, by_token, by_jti, spared] = all.as_slice() else {
        unreachable!("four")
    };
    let mut clients = warm(&house, spared);
    for token in &all {
        all_are_served(&mut clients, token);
        assert_eq!(introspected(&house, token)["active"], true);
    }
    let form = format!("client_id=acme-app&token={by_client}");
    let said = clients[0].ask(posted("/oauth2/revoke", &form, ""));
    assert_eq!(said.status, 200, "{}", said.text());
    revoke(&house.stage, &json!({"token": by_token}));
    let told = introspected(&house, by_jti);
    revoke(
        &house.stage,
        &json!({"jti": told["jti"], "issuer": told["iss"]}),
    );
    for token in [by_client, by_token, by_jti] {
        all_are_refused(&mut clients, token);
        assert_eq!(introspected(&house, token), json!({"active": false}));
    }
    all_are_served(&mut clients, spared);
    signal(house.gateway.pid(), "KILL");
    house.gateway.wait(WAIT);
    house.gateway = again(&house.stage, &house.gateway);
    let mut client = house.client();
    for token in [by_client, by_token, by_jti] {
        assert_revoked(&client.get(PATH, token));
    }
    assert_eq!(client.get(PATH, spared).status, 200);
}

/// The secret is called as `t8gate token inspect` and the records of what is revoked call a key.
#[test]
fn sealing_secret_is_revoked_like_a_key_and_nothing_is_sealed_by_it_any_more() {
    let house = House::open_staged(sealing);
    let token = fetched(&house);
    let mut clients = warm(&house, &token);
    let kid = kid_of(&house, &token);
    let issuer = introspected(&house, &token)["iss"].clone();
    revoke(&house.stage, &json!({"key": kid, "issuer": issuer}));
    all_are_refused(&mut clients, &token);
    let form = "grant_type=client_credentials&client_id=acme-app";
    let refused = clients[0].ask(posted("/oauth2/token", form, ""));
    assert_eq!(refused.status, 503, "{}", refused.text());
}

/// As `t8gate token inspect` says it.
fn kid_of(house: &House, token: &str) -> String {
    use crate::harness::gateway::t8gate;
    let mut command = t8gate(&["token", "inspect", "-", "--config"]);
    let said = crate::harness::run(command.arg(&house.gateway.file), token.as_bytes(), WAIT);
    assert!(said.status.success(), "{}", said.stderr);
    assert!(said.stdout.contains("claims, sealed") && said.stdout.contains("acme-app"));
    let mut lines = said.stdout.lines();
    let line = lines.find_map(|line| line.trim().strip_prefix("sealed by"));
    line.expect("the secret's name").trim().to_owned()
}
