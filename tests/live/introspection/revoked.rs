//! Opaque tokens that are remembered, while something is revoked and their issuer is away.

use std::time::Duration;

use serde_json::json;

use super::{Scene, TOKEN};
use crate::clock::Clock;
use crate::harness::client::{Client, request};
use crate::harness::introspection::Act;
use crate::harness::mint::ISSUER;
use crate::harness::stage::PATH;
use crate::harness::{WAIT, wait_until};
use crate::issuer::{assert_grant_refused, posted};
use crate::token_revocation::{all_are_refused, all_are_served, hex_of, revocable, revoke, warm};

/// What is revoked is looked up where it is known: here.
#[test]
fn remembered_token_goes_on_while_others_are_revoked_and_its_issuer_is_away() {
    let scene = Scene::open_staged("", |stage| {
        revocable(stage);
    });
    let stage = &scene.house.stage;
    let mut answer = Scene::good(&scene.house);
    answer["jti"] = json!("of-opaque");
    scene.issuer.knows(TOKEN, answer);
    let mut clients = warm(&scene.house, TOKEN);
    let asked = scene.asked();
    scene.issuer.act(Act::HangUp);
    for what in [
        json!({"jti": "zzz", "issuer": ISSUER}),
        json!({"token_sha256": "ab".repeat(32)}),
        json!({"key": "k", "issuer": ISSUER}),
        // No key of the issuer has signed it.
        json!({"key": "", "issuer": ISSUER}),
        json!({"client": "globex-app"}),
    ] {
        revoke(stage, &what);
        all_are_served(&mut clients, TOKEN);
        all_are_served(&mut [scene.house.client()], TOKEN);
    }
    revoke(stage, &json!({"jti": "of-opaque", "issuer": ISSUER}));
    all_are_refused(&mut clients, TOKEN);
    all_are_refused(&mut [scene.house.client()], TOKEN);
    assert_eq!(scene.asked(), asked, "nobody was asked");
}

#[test]
fn remembered_token_is_good_again_when_its_client_is_without_asking() {
    let scene = Scene::open_staged("", |stage| {
        revocable(stage);
    });
    let stage = &scene.house.stage;
    let mut clients = warm(&scene.house, TOKEN);
    let asked = scene.asked();
    scene.issuer.act(Act::HangUp);
    revoke(stage, &json!({"client": "acme-app"}));
    all_are_refused(&mut clients, TOKEN);
    let place = "/revocations/client/acme-app";
    assert_eq!(
        crate::token_revocation::ask(stage, "DELETE", place, "").0,
        200
    );
    all_are_served(&mut clients, TOKEN);
    assert_eq!(scene.asked(), asked);
}

/// By the time that the issuer has answered, its connection has been ended.
#[test]
fn request_that_waits_for_the_issuer_goes_nowhere_once_its_certificate_is_revoked() {
    let scene = Scene::open_staged("", |stage| {
        revocable(stage);
    });
    let stage = &scene.house.stage;
    scene.issuer.act(Act::Late(Duration::from_secs(1)));
    let mut client = scene.client();
    let fields = "Content-Type: application/json\r\n";
    let post = request("POST", PATH, TOKEN, fields, b"{}");
    client.send(post).expect("an open connection");
    wait_until("it to be asked about", || scene.asked() == 1);
    let certificate = hex_of(&stage.acme.der);
    revoke(stage, &json!({"certificate": certificate}));
    assert!(client.closed_within(WAIT), "it stands still");
    let admin = scene.house.gateway.admin();
    let refused = [("reason", "certificate_distrusted")];
    wait_until("the issuer to have answered", || {
        admin
            .metrics()
            .count("t8gate_requests_refused_total", &refused)
            == 1
    });
    assert_eq!(scene.house.origin.requests(), 0);
}

/// Its issuer calls each of them good, and knows nothing of what is revoked here.
#[test]
fn client_whose_tokens_are_revoked_here_has_its_issuer_asked_ten_times_a_second_at_most() {
    let scene = Scene::open_staged("", |stage| {
        revocable(stage);
        Clock::slowed(stage);
    });
    let stage = &scene.house.stage;
    revoke(stage, &json!({"client": "acme-app"}));
    let mut client = scene.client();
    // The second may end while they are sent.
    let stopped = (0..600).find(|number| {
        let token = format!("of-acme-{number}");
        scene.issuer.knows(&token, Scene::good(&scene.house));
        let response = client.get(PATH, &token);
        assert!([401, 429].contains(&response.status), "{}", response.text());
        response.status == 429
    });
    assert_eq!(Some(scene.asked()), stopped);
}

/// spec.md 5.2 #13. Whose it is its issuer is asked, as by a request with it.
//= RFC 7009 section 2.1 type=test
//# An opaque token of another issuer is held to belong to the client as well.
#[test]
fn opaque_token_of_another_issuer_is_revoked_by_its_client_alone() {
    let scene = Scene::open_staged("", |stage| {
        revocable(stage);
        stage.issue_tokens();
        let globex = "tls_client_auth_san_uri = \"urn:scs:globex\"\nintrospects = true";
        stage.config.extend_table("client", 1, globex);
    });
    let revoke = |client: &mut Client, client_id: &str, token: &str| {
        let form = format!("client_id={client_id}&token={token}");
        client.ask(posted("/oauth2/revoke", &form, ""))
    };
    let dialer = scene.house.stage.dialer(&scene.house.stage.globex);
    let mut globex = dialer
        .connect(scene.house.gateway.address)
        .expect("a client");
    let foreign = revoke(&mut globex, "globex-app", TOKEN);
    assert_grant_refused(&foreign, "invalid_grant");
    let mut clients = warm(&scene.house, TOKEN);
    let mut acme = scene.client();
    // Inactive, and so nothing to end.
    assert_eq!(revoke(&mut acme, "acme-app", "of-nobody").status, 200);
    all_are_served(&mut clients, TOKEN);
    let later = "opaque-of-later";
    scene.issuer.knows(later, Scene::good(&scene.house));
    scene.issuer.act(Act::HangUp);
    let unknown = revoke(&mut acme, "acme-app", later);
    assert_eq!(unknown.status, 503, "{}", unknown.text());
    assert_eq!(unknown.field("retry-after"), Some("1"));
    scene.house.gateway.await_log("introspection.url");
    scene.issuer.act(Act::Answer);
    wait_until("its issuer to be asked again", || {
        revoke(&mut acme, "acme-app", later).status == 200
    });
    assert_eq!(revoke(&mut acme, "acme-app", TOKEN).status, 200);
    for token in [TOKEN, later] {
        all_are_refused(&mut [scene.client()], token);
    }
    all_are_refused(&mut clients, TOKEN);
    let metrics = scene.house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_revocations", &[("kind", "token")]), 2);
}

/// Its issuer calls each of them good, and they are of another's certificate.
#[test]
fn client_with_tokens_of_another_has_their_issuer_asked_ten_times_a_second_at_most() {
    let scene = Scene::open_staged("", Clock::slowed);
    let stage = &scene.house.stage;
    let dialer = stage.dialer(&stage.globex);
    let mut client = dialer
        .connect(scene.house.gateway.address)
        .expect("a client");
    // The second may end while they are sent.
    let stopped = (0..600).find(|number| {
        let token = format!("of-acme-{number}");
        scene.issuer.knows(&token, Scene::good(&scene.house));
        let response = client.get(&PATH.replace("/acme/", "/globex/"), &token);
        assert!([401, 429].contains(&response.status), "{}", response.text());
        response.status == 429
    });
    assert_eq!(Some(scene.asked()), stopped);
}
