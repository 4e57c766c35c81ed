//! Opaque tokens that are remembered, while something is revoked and their issuer is away.

use serde_json::json;

use super::{Scene, TOKEN};
use crate::harness::introspection::Act;
use crate::harness::mint::ISSUER;
use crate::token_revocation::{all_are_refused, all_are_served, revocable, revoke, warm};

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
