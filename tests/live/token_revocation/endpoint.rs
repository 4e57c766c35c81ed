//! The revocation endpoint of the embedded issuer: a client ends its own token, by curl and over
//! connections of our own.

use serde_json::{Value, json};

use super::{again, all_are_refused, all_are_served, assert_revoked, revocable, warm};
use crate::authorization::assert_problem;
use crate::harness::client::get;
use crate::harness::mint;
use crate::harness::peers::{curl, url};
use crate::harness::pki::Identity;
use crate::harness::stage::{API, House, PATH};
use crate::harness::{WAIT, run_well, signal, wait_until};
use crate::issuer::{FORM, asked, assert_grant_refused, json as document, posted, token_of};

const REVOKE: &str = "/oauth2/revoke";

/// A house of `acme`, whose tokens `globex` may introspect.
fn house() -> House {
    House::open_staged(|stage| {
        revocable(stage);
        stage.issue_tokens();
        let globex = "tls_client_auth_san_uri = \"urn:scs:globex\"\nintrospects = true";
        stage.config.extend_table("client", 1, globex);
    })
}

fn fetched(house: &House) -> String {
    token_of(&asked(&mut house.client(), FORM))
}

/// What `curl` gets for a form: the body, and the status behind it.
fn curled(house: &House, identity: &Identity, path: &str, form: &str) -> (String, String) {
    let (address, ca) = (house.gateway.address, &house.stage.operator_ca.certificate);
    let mut curl = curl(address, ca, Some(identity));
    curl.args(["--write-out", "\n%{http_code}", "--data", form]);
    let said = run_well(curl.arg(url(address, path)));
    let (body, status) = said.rsplit_once('\n').expect("a status");
    (body.to_owned(), status.to_owned())
}

fn introspected(house: &House, token: &str) -> Value {
    let form = format!("client_id=globex-app&token={token}");
    let (body, _) = curled(house, &house.stage.globex, "/oauth2/introspect", &form);
    serde_json::from_str(&body).expect("JSON")
}

/// spec.md 5.2 #13.
//= RFC 7009 section 2.2 type=test
//# Once it is answered with 200 the token is of no use, whatever becomes of the server.
#[test]
fn spec_5_2_row_13_client_revokes_its_token_at_once_and_for_good() {
    let mut house = house();
    let (token, other) = (fetched(&house), fetched(&house));
    let mut clients = warm(&house, &token);
    assert_eq!(introspected(&house, &token)["active"], true);
    let form = format!("client_id=acme-app&token={token}&token_type_hint=refresh_token");
    let ok = ("{}".to_owned(), "200".to_owned());
    assert_eq!(curled(&house, &house.stage.acme, REVOKE, &form), ok);
    all_are_refused(&mut clients, &token);
    let inactive = json!({"active": false});
    assert_eq!(introspected(&house, &token), inactive);
    // Its other tokens are none of it, and a second time does no harm.
    all_are_served(&mut clients, &other);
    assert_eq!(curled(&house, &house.stage.acme, REVOKE, &form), ok);
    let audit = house.stage.scratch.path().join("audit.jsonl");
    let record = "\"resource\":\"/oauth2/revoke\"";
    wait_until("two records", || {
        let text = std::fs::read_to_string(&audit).unwrap_or_default();
        text.matches(record).count() == 2
    });
    let records = std::fs::read_to_string(&audit).expect("an audit file");
    let mut records = records.lines().filter(|line| line.contains(record));
    let said: Value = serde_json::from_str(records.next().expect("a record")).expect("JSON");
    for (member, value) in [
        ("kind", "grant"),
        ("outcome", "answered"),
        ("detail", "token_revoked"),
        ("client", "acme"),
    ] {
        assert_eq!(said[member], value, "{said}");
    }
    // As an operator who revokes it would find it recorded.
    let told = super::revoke(&house.stage, &json!({"token": token}));
    assert_eq!(said["name"], told["revoked"][0]["name"], "{said} {told}");
    assert!(!said.to_string().contains("eyJ"), "a token is written down");
    let metrics = house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_revocations", &[("kind", "token")]), 1);

    // Killed the moment after it has said so.
    let later = fetched(&house);
    all_are_served(&mut clients, &later);
    let form = format!("client_id=acme-app&token={later}");
    let said = clients[0].ask(posted(REVOKE, &form, ""));
    signal(house.gateway.pid(), "KILL");
    assert_eq!(said.status, 200, "{}", said.text());
    assert_eq!(said.field("cache-control"), Some("no-store"));
    house.gateway.wait(WAIT);
    house.gateway = again(&house.stage, &house.gateway);
    let mut client = house.client();
    for revoked in [&token, &later] {
        assert_revoked(&client.get(PATH, revoked));
        assert_eq!(introspected(&house, revoked), inactive);
    }
    assert_eq!(client.get(PATH, &other).status, 200);
}

/// spec.md 5.2 #13.
//= RFC 7009 section 2.1 type=test
//# Another client's token is left alone, and who asks for it is refused.
//= RFC 7009 section 2.2 type=test
//# A token that nobody takes is answered like one that was revoked.
#[test]
fn spec_5_2_row_13_only_its_own_good_tokens_are_revoked_by_a_client() {
    let house = house();
    let token = fetched(&house);
    let mut clients = warm(&house, &token);
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).expect("a client");
    let form = format!("client_id=globex-app&token={token}");
    let refused = globex.ask(posted(REVOKE, &form, ""));
    assert_grant_refused(&refused, "invalid_grant");
    house.gateway.await_log("grant_token_foreign");
    let mut acme = house.client();
    // By another's name, without one, without a token, by GET.
    assert_grant_refused(&acme.ask(posted(REVOKE, &form, "")), "invalid_client");
    let nameless = format!("token={token}");
    let refused = acme.ask(posted(REVOKE, &nameless, ""));
    assert_grant_refused(&refused, "invalid_request");
    let refused = acme.ask(posted(REVOKE, "client_id=acme-app", ""));
    assert_grant_refused(&refused, "invalid_request");
    assert_problem(&acme.ask(get(REVOKE, "")), 405);
    // What is no token, or none of an issuer whose tokens are taken.
    let claims = mint::with(house.stage.claims(), "iss", "https://none.example");
    let of_another_issuer = house.stage.mint.good(&claims);
    for nothing in ["abc", "a.b.c", &format!("{token}x"), &of_another_issuer] {
        let form = format!("client_id=acme-app&token={nothing}");
        let said = acme.ask(posted(REVOKE, &form, ""));
        assert_eq!(
            (said.status, document(&said)),
            (200, json!({})),
            "{nothing}"
        );
    }
    let metrics = house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_revocations", &[("kind", "token")]), 0);
    all_are_served(&mut clients, &token);
}

/// spec.md 5.2 #13. Its issuer learns nothing of that: it is refused here.
//= RFC 7009 section 2.2 type=test
//# A token of whichever issuer is of no use here once that is answered with 200.
#[test]
fn spec_5_2_row_13_client_revokes_its_token_of_another_issuer_that_is_taken_here() {
    let mut house = house();
    let token = |client_id: &str, jti: &str, who: &Identity| {
        let claims = mint::claims(client_id, API, &who.thumbprint());
        house.stage.mint.good(&mint::with(claims, "jti", jti))
    };
    let (one, two) = (
        token("acme-app", "one", &house.stage.acme),
        token("acme-app", "two", &house.stage.acme),
    );
    let of_globex = token("globex-app", "three", &house.stage.globex);
    warm(&house, &one);
    let revoking = |token: &str| posted(REVOKE, &format!("client_id=acme-app&token={token}"), "");
    let mut acme = house.client();
    assert_grant_refused(&acme.ask(revoking(&of_globex)), "invalid_grant");
    let said = acme.ask(revoking(&one));
    signal(house.gateway.pid(), "KILL");
    assert_eq!((said.status, document(&said)), (200, json!({})));
    house.gateway.wait(WAIT);
    house.gateway = again(&house.stage, &house.gateway);
    all_are_refused(&mut [house.client()], &one);
    // And at once on connections that remember it.
    let mut clients = warm(&house, &two);
    assert_eq!(house.client().ask(revoking(&two)).status, 200);
    all_are_refused(&mut clients, &two);
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).expect("a client");
    let path = PATH.replace("/acme/", "/globex/");
    assert_eq!(globex.get(&path, &of_globex).status, 200);
}

/// spec.md 5.2 #13.
//= RFC 7009 section 2.2.1 type=test
//# Where nothing can be revoked now, the client is told by 503 when to come again.
#[test]
fn spec_5_2_row_13_what_cannot_be_kept_is_not_said_to_be_revoked() {
    let house = House::open_staged(|stage| {
        revocable(stage);
        stage.issue_tokens();
        stage.config.unset("revocation.store");
    });
    let token = fetched(&house);
    let form = format!("client_id=acme-app&token={token}");
    let mut client = house.client();
    let come_again = |said: &crate::harness::client::Response, after_s: &str| {
        assert_eq!(said.status, 503, "{}", said.text());
        assert_eq!(document(said)["error"], "temporarily_unavailable");
        assert_eq!(said.field("retry-after"), Some(after_s));
    };
    // A client that asked every second would do so until the operator sets one.
    come_again(&client.ask(posted(REVOKE, &form, "")), "3600");
    house.gateway.await_log("set revocation.store");
    assert_eq!(client.get(PATH, &token).status, 200);
    // What is nothing to revoke needs no store.
    let nothing = client.ask(posted(REVOKE, "client_id=acme-app&token=abc", ""));
    assert_eq!(nothing.status, 200);

    let house = self::house();
    let (first, token) = (fetched(&house), fetched(&house));
    let of = |token: &str| posted(REVOKE, &format!("client_id=acme-app&token={token}"), "");
    let mut client = house.client();
    assert_eq!(client.ask(of(&first)).status, 200);
    // As a full disk.
    house.gateway.limit("--fsize=4096:unlimited");
    come_again(&client.ask(of(&token)), "1");
    assert_eq!(client.get(PATH, &token).status, 200);
    assert_revoked(&client.get(PATH, &first));
    house.gateway.limit("--fsize=unlimited");
    wait_until("the store again", || client.ask(of(&token)).status == 200);
    assert_revoked(&client.get(PATH, &token));
}
