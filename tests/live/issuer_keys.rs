//! The keys of the embedded issuer: RSA, keys to come and old ones, and how one takes the place of
//! another while the gateway serves.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::authorization::assert_problem;
use crate::capif_tokens::with_capif;
use crate::harness::client::{Client, HOST, get};
use crate::harness::mint::now_s;
use crate::harness::origin::Origin;
use crate::harness::pki::Key;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{run_well, wait_until};
use crate::issuer::{FORM, asked, json, token_of};

fn kid(token: &str) -> String {
    let header = token.split('.').next().expect("three parts");
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("a JSON object");
    header["kid"].as_str().expect("a name").to_owned()
}

/// The names of the published keys.
fn kids(client: &mut Client) -> Vec<String> {
    let set = client.ask(get("/oauth2/jwks", ""));
    let set = json(&set);
    let kids = set["keys"].as_array().expect("an array").iter();
    kids.map(|key| key["kid"].as_str().expect("a name").to_owned())
        .collect()
}

/// spec.md 5.2 #10.
//= RFC 9068 section 2.1 type=test
//# RS256 is supported: an RSA key in the token signs, and its tokens are taken.
#[test]
fn spec_5_2_row_10_rsa_key_in_a_token_signs_by_rs256() {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    stage.issue_tokens_by(&token, Key::Rsa2048);
    let gateway = stage.start();
    let dialer = stage.dialer(&stage.acme);
    let mut client = dialer.connect(gateway.address).expect("a handshake");
    let access = token_of(&asked(&mut client, FORM));
    assert_eq!(client.get(PATH, &access).status, 200);
    let set = client.ask(get("/oauth2/jwks", ""));
    let key = json(&set)["keys"][0].clone();
    assert_eq!((&key["kty"], &key["alg"]), (&"RSA".into(), &"RS256".into()));
    assert_eq!(key["kid"], kid(&access));
}

/// spec.md 5.2 #15.
//= RFC 7517 section 5 type=test
//# Keys overlap: published before they sign, and verifying after.
#[test]
fn spec_5_2_row_15_one_key_takes_the_place_of_another_without_a_restart() {
    let mut house = House::open_staged(Stage::issue_tokens);
    let first_key = house.stage.config.value("oauth.key.file");
    let second = Key::P256.generate();
    let second_key = house
        .stage
        .scratch
        .write("second.key", second.serialize_pem());
    let first_public = house.stage.scratch.path().join("first.pem");
    let openssl = &mut crate::harness::command("openssl");
    run_well(
        openssl
            .args([
                "pkey",
                "-pubout",
                "-in",
                first_key.trim_matches('"'),
                "-out",
            ])
            .arg(&first_public),
    );
    let mut client = house.client();
    let first_token = token_of(&asked(&mut client, FORM));
    let first = kid(&first_token);
    assert_eq!(kids(&mut client), std::slice::from_ref(&first));

    // Published, and not signing; and then from its moment on.
    let moment = now_s() + 4;
    let moment = time::OffsetDateTime::from_unix_timestamp(moment).expect("a moment");
    let moment = moment
        .format(&time::format_description::well_known::Rfc3339)
        .expect("a moment");
    let next = format!("file = {second_key:?}\nsigns_from = {moment}");
    house.rewrite(|config| {
        config.table("oauth.next_key", &next);
    });
    house.gateway.hang_up();
    wait_until("two keys", || kids(&mut client).len() == 2);
    // It may be another key already where this machine is slow.
    let both = kids(&mut client);
    assert_eq!(both[0], first);
    house
        .gateway
        .await_log("begins to sign before all who keep the key set");
    let mut second_token = String::new();
    wait_until("the second key signs", || {
        second_token = token_of(&asked(&mut client, FORM));
        kid(&second_token) == both[1]
    });
    for token in [&first_token, &second_token] {
        assert_eq!(client.get(PATH, token).status, 200);
    }
    let begun = "another key of the embedded issuer signs from now on";
    house.gateway.await_log(begun);

    // The second is the key, and the first an old one.
    house.rewrite(|config| {
        config.without_tables("oauth.next_key");
        config.set_text("oauth.key.file", second_key.display());
        config.table("oauth.old_key", &format!("pem = {first_public:?}"));
    });
    house.gateway.hang_up();
    wait_until("the other order", || {
        kids(&mut client) == [both[1].as_str(), &both[0]]
    });
    for token in [&first_token, &second_token] {
        assert_eq!(client.get(PATH, token).status, 200);
    }

    // Long after it signed for the last time it verifies nothing, and is no more published.
    house.rewrite(|config| {
        let long_ago = "signed_until = 2020-01-01T00:00:00Z";
        config.extend_table("oauth.old_key", 0, long_ago);
    });
    house.gateway.hang_up();
    wait_until("one key", || kids(&mut client) == both[1..]);
    house
        .gateway
        .await_log("no token that it signed can be valid any more");
    assert_problem(&client.get(PATH, &first_token), 401);
    assert_eq!(client.get(PATH, &second_token).status, 200);
    let log = house.gateway.log();
    assert_eq!(log.matches(begun).count(), 1, "{log}");
    assert!(!log.contains(GONE), "{log}");
}

const GONE: &str = "tokens that were signed by the key before are refused from now on";

/// Nobody is told by a good configuration what becomes of tokens that are out.
#[test]
fn key_that_is_replaced_without_an_old_key_is_warned_of_unless_it_was_revoked() {
    let mut house = House::open_staged(|stage| {
        with_capif(stage);
        stage.config.set_text("revocation.revoked", "revoked.jsonl");
        stage.scratch.write("revoked.jsonl", "");
    });
    let mut client = house.client();
    let first = kids(&mut client).remove(0);
    let revoked = format!("{{\"key\":\"{first}\",\"issuer\":\"https://{HOST}\"}}\n");
    house.stage.scratch.write("revoked.jsonl", revoked);
    let replace = |house: &mut House, key: &str, file: &str| {
        let made = Key::P256.generate().serialize_pem();
        let file = house.stage.scratch.write(file, made);
        house.rewrite(|config| {
            config.set_text(key, file.display());
        });
        house.gateway.hang_up();
    };
    house.gateway.hang_up();
    wait_until("the first to be revoked", || kids(&mut client).is_empty());
    replace(&mut house, "oauth.key.file", "second.key");
    wait_until("the second", || !kids(&mut client).is_empty());
    let second = kids(&mut client);
    let log = house.gateway.log();
    assert!(!log.contains(GONE), "{log}");
    replace(&mut house, "oauth.key.file", "third.key");
    house.gateway.await_log(GONE);
    wait_until("the third", || kids(&mut client) != second);
    house.gateway.await_log("[[oauth.old_key]]");
    let of_capif = "in CAPIF's form that were signed by the key before are refused";
    let log = house.gateway.log();
    assert!(!log.contains(of_capif), "{log}");
    replace(&mut house, "oauth.capif.key.file", "other-capif.key");
    house.gateway.await_log(of_capif);
}
