//! Opaque tokens by the thousand that are good for nothing.

use super::{Scene, TOKEN};
use crate::clock::Clock;
use crate::harness::stage::PATH;

/// What is remembered goes on, and another client's tokens are asked about as ever.
#[test]
fn client_whose_questions_are_in_vain_asks_no_more_than_its_budget() {
    let scene = Scene::open_staged("", Clock::slowed);
    let globex = scene.house.stage.dialer(&scene.house.stage.globex);
    let mut globex = globex
        .connect(scene.house.gateway.address)
        .expect("a client");
    let mut good = Scene::good(&scene.house);
    good["client_id"] = "globex-app".into();
    good["cnf"]["x5t#S256"] = scene.house.stage.globex.thumbprint().into();
    let (mut client, mut quiet) = (scene.client(), scene.client());
    assert_eq!(quiet.get(PATH, TOKEN).status, 200);
    let path = PATH.replace("acme", "globex");
    let mut put_off = 0;
    for n in 0..20_000 {
        let response = client.get(PATH, "nobody-knows-it");
        if response.status == 401 {
            continue;
        }
        assert_eq!(response.status, 429, "{}", response.text());
        assert!(response.text().contains("TOKEN_FAILURES_EXCEEDED"));
        put_off += 1;
        assert_eq!(quiet.get(PATH, TOKEN).status, 200);
        let token = format!("of-globex-{n}");
        scene.issuer.knows(&token, good.clone());
        assert_eq!(globex.get(&path, &token).status, 200);
        if put_off == 3 {
            break;
        }
    }
    assert_eq!(put_off, 3);
}

#[test]
fn what_no_token_is_written_like_is_asked_about_by_nobody() {
    let scene = Scene::open("");
    for token in ["caf\u{e9}", "a\"b", "=", "a=b"] {
        scene.refused(token, 401, "token_invalid");
    }
    assert_eq!(scene.asked(), 0);
    // Whatever else a token may be of.
    let dotted = "good.dotted~_+/-==";
    scene
        .issuer
        .knows("good.dotted%7E_%2B%2F-%3D%3D", Scene::good(&scene.house));
    assert_eq!(scene.client().get(PATH, dotted).status, 200);
}
