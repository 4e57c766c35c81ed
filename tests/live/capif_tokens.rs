//! Tokens in CAPIF's form (TS 29.222): fetched by curl, used at T8, asked about, revoked.

use serde_json::Value;

use crate::authorization::assert_problem;
use crate::harness::client::{Client, HOST, Response};
use crate::harness::gateway::{check, t8gate, write};
use crate::harness::origin::Origin;
use crate::harness::peers::{curl, url};
use crate::harness::pki::Key;
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{WAIT, run, run_well, wait_until};
use crate::hsm_lost::Store;
use crate::issuer::{FORM, asked, assert_grant_refused, claims, posted, token_of};
use crate::reload::reload;
use crate::token_revocation::{revocable, revoke};

pub const OWN: &str = "/capif-security/v1/securities/acme-app/token";

pub fn with_capif(stage: &mut Stage) {
    stage.issue_tokens();
    let key = stage
        .scratch
        .write("capif.key", Key::P256.generate().serialize_pem());
    stage.config.set_text("oauth.capif.key.file", key.display());
    stage.config.set_text("oauth.capif.aef_id", "aef-t8");
    stage.config.set_text("revocation.store", "revoked.redb");
    stage.config.set_text("admin.socket", "admin.sock");
    stage.config.extend_table("client", 0, "introspects = true");
}

fn fetched(client: &mut Client, path: &str, form: &str) -> Response {
    client.ask(posted(path, form, ""))
}

//= TS 29.222 clause 8.5.4.2.6 type=test
//# The answer says what was granted, in the scope of this AEF.
#[test]
fn curl_fetches_a_token_in_capifs_form_and_uses_it() {
    let house = House::open_staged(with_capif);
    let (address, ca) = (house.gateway.address, &house.stage.operator_ca.certificate);
    let acme = &house.stage.acme;
    let mut fetch = curl(address, ca, Some(acme));
    fetch.args(["--data", FORM, "--data-urlencode"]);
    fetch.arg(format!(
        "scope=3gpp#aef-t8:{API},3gpp-bdt;elsewhere:3gpp-nidd"
    ));
    let said: Value = serde_json::from_str(&run_well(fetch.arg(url(address, OWN)))).expect("JSON");
    assert_eq!(said["token_type"], "Bearer");
    assert_eq!(said["expires_in"], 600);
    assert_eq!(said["scope"], format!("3gpp#aef-t8:{API}"));
    let token = said["access_token"].as_str().expect("a token");
    let claims = claims(token);
    assert_eq!(
        (&claims["iss"], &claims["client_id"]),
        (&"acme-app".into(), &"acme-app".into())
    );
    assert_eq!(claims["cnf"]["x5t#S256"], acme.thumbprint());
    assert_eq!(claims["aud"], Value::Null);
    let mut get = curl(address, ca, Some(acme));
    get.args(["--fail", "--oauth2-bearer", token]);
    let outcome = run(get.arg(url(address, PATH)), b"", WAIT);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    // What it does not name it does not open; and it opens nothing to another.
    let mut client = house.client();
    assert_problem(&client.get("/3gpp-nidd/v1/acme/configurations", token), 403);
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut other = dialer.connect(address).expect("a client");
    let path = PATH.replace("/acme/", "/globex/");
    assert_problem(&other.get(&path, token), 401);
    // Its key is in no key set.
    let keys = client.ask(crate::harness::client::get("/oauth2/jwks", ""));
    let keys: Value = serde_json::from_slice(&keys.body).expect("JSON");
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1));
}

/// As the one of the issuer's other tokens: no shard waits for it, and lost it is told by 503.
#[test]
fn capif_key_in_a_token_signs_on_the_signers_threads_and_lost_it_is_told_by_503() {
    let origin = Origin::start();
    let (mut stage, spy) = Stage::with_spied_token(origin.address, Key::P256);
    stage.issue_tokens_from(&spy.token);
    spy.token.generate_key(Key::P256, "capif", "0d");
    let uri = spy.token.uri.replace("object=server", "object=capif");
    stage.config.set_text("oauth.capif.key.uri", uri);
    for key in ["module", "pin_file"] {
        let value = stage.config.value(&format!("tls.key.{key}"));
        stage.config.set(&format!("oauth.capif.key.{key}"), &value);
    }
    stage.config.set_text("oauth.capif.aef_id", "aef-t8");
    let gateway = stage.start();
    let dialer = stage.dialer(&stage.acme);
    let mut client = dialer.connect(gateway.address).expect("a client");
    let before = spy.signatures();
    let token = token_of(&fetched(&mut client, OWN, FORM));
    assert_eq!(spy.signatures(), before + 1);
    assert_eq!(claims(&token)["iss"], "acme-app");
    assert_eq!(client.get(PATH, &token).status, 200);
    let store = Store::of(&stage);
    store.lose();
    let mut refused = None;
    // What the library still remembers it may still sign with.
    wait_until("the key to be lost", || {
        let response = fetched(&mut client, OWN, FORM);
        let is_refused = response.status != 200;
        refused = Some(response);
        is_refused
    });
    let refused = refused.expect("it was");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.field("retry-after"), Some("1"));
    assert_eq!(client.get(PATH, &token).status, 200);
    store.bring_back();
    wait_until("the key to sign again", || {
        fetched(&mut client, OWN, FORM).status == 200
    });
}

#[test]
fn capif_path_is_the_clients_own_and_its_faults_are_told_by_their_codes() {
    let house = House::open_staged(with_capif);
    let mut client = house.client();
    let encoded = OWN.replace("acme-app", "acme%2Dapp");
    for path in [OWN, &encoded] {
        let token = token_of(&fetched(&mut client, path, FORM));
        assert_eq!(client.get(PATH, &token).status, 200);
    }
    let scope = |scope: &str| format!("{FORM}&scope={scope}");
    for (path, form, error) in [
        (
            OWN.replace("acme-app", "globex-app"),
            FORM.to_owned(),
            "invalid_client",
        ),
        (
            OWN.to_owned(),
            FORM.replace("acme", "globex"),
            "invalid_client",
        ),
        (
            OWN.to_owned(),
            "client_id=acme-app".to_owned(),
            "invalid_request",
        ),
        (
            OWN.to_owned(),
            format!("{FORM}&resOwnerId=a"),
            "invalid_request",
        ),
        (
            OWN.to_owned(),
            FORM.replace("client_credentials", "password"),
            "unsupported_grant_type",
        ),
        (OWN.to_owned(), scope("3gpp-nidd"), "invalid_scope"),
        (
            OWN.to_owned(),
            scope("3gpp%23other:3gpp-nidd"),
            "invalid_scope",
        ),
    ] {
        assert_grant_refused(&fetched(&mut client, &path, &form), error);
    }
    let asked = format!("GET {OWN} HTTP/1.1\r\nHost: t8.operator.example\r\n\r\n");
    assert_eq!(client.ask(asked).status, 405);
    // In the same budget as at the other endpoint: two went already.
    let foreign = OWN.replace("acme-app", "globex-app");
    let statuses: Vec<u16> = (0..10)
        .map(|_| fetched(&mut client, &foreign, FORM).status)
        .collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(crate::issuer::asked(&mut client, FORM).status, 429);
    // And without a key of its own there is no such path.
    let without = House::open_staged(Stage::issue_tokens);
    assert_problem(&fetched(&mut without.client(), OWN, FORM), 404);
}

#[test]
fn capif_token_is_introspected_and_revoked_by_its_client_and_by_the_operator() {
    let house = House::open_staged(with_capif);
    let mut client = house.client();
    let active = |client: &mut Client, token: &str| {
        let form = format!("client_id=acme-app&token={token}");
        let said = fetched(client, "/oauth2/introspect", &form);
        let said: Value = serde_json::from_slice(&said.body).expect("JSON");
        said["active"].as_bool().expect("a truth value")
    };
    let first = token_of(&fetched(&mut client, OWN, FORM));
    assert!(active(&mut client, &first));
    let form = format!("client_id=acme-app&token={first}");
    assert_eq!(fetched(&mut client, "/oauth2/revoke", &form).status, 200);
    assert!(!active(&mut client, &first));
    assert_problem(&client.get(PATH, &first), 401);
    let second = token_of(&fetched(&mut client, OWN, FORM));
    assert_eq!(client.get(PATH, &second).status, 200);
    let claims = claims(&second);
    let mut revoke = t8gate(&["token", "revoke", "--config"]);
    revoke
        .arg(&house.gateway.file)
        .args(["--jti", claims["jti"].as_str().expect("a jti")]);
    revoke.args(["--issuer", &format!("https://{HOST}/capif-security/v1")]);
    run_well(&mut revoke);
    assert_problem(&client.get(PATH, &second), 401);
    assert!(!active(&mut client, &second));
    // The other kind is not touched by that.
    let other = token_of(&asked(&mut client, FORM));
    assert_eq!(client.get(PATH, &other).status, 200);
}

#[test]
fn capif_key_that_has_another_part_to_play_is_a_fault_of_the_configuration() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    with_capif(&mut stage);
    stage
        .config
        .set_text("listen.address", crate::harness::free_address());
    let said = |stage: &Stage| {
        let outcome = check(&write(stage.scratch.path(), &stage.config), &[]);
        assert!(!outcome.status.success());
        outcome.stdout + &outcome.stderr
    };
    let own = stage.config.value("oauth.capif.key.file");
    let key = stage.config.value("oauth.key.file");
    stage.config.set("oauth.capif.key.file", &key);
    let told = said(&stage);
    assert!(
        told.contains("is one of the other keys of [oauth]"),
        "{told}"
    );
    // A key that somebody publishes, for tokens of the same kind or of the other.
    stage.config.set("oauth.capif.key.file", &own);
    let mut openssl = crate::harness::command("openssl");
    openssl
        .args(["pkey", "-pubout", "-in"])
        .arg(own.trim_matches('"'));
    let public = stage
        .scratch
        .write("capif.pem", run_well(&mut openssl))
        .display()
        .to_string();
    let keys = format!("pem = {public:?}\nalgorithm = \"ES256\"");
    for (profile, what) in [
        (
            "profile = \"capif\"\naef_id = \"aef-t8\"",
            "told apart by their keys alone",
        ),
        ("audience = \"t8\"", "must not verify those of another"),
    ] {
        let mut stage_config = stage.config.clone();
        stage_config.table("issuer", &format!("name = \"other\"\n{profile}\n{keys}"));
        std::mem::swap(&mut stage.config, &mut stage_config);
        let told = said(&stage);
        assert!(told.contains(what), "{told}");
        std::mem::swap(&mut stage.config, &mut stage_config);
    }
}

/// These do not say who issued them: what is revoked of them is known by the name of the issuer.
#[test]
fn issuer_that_is_called_otherwise_is_said_to_have_lost_what_was_revoked_of_it() {
    const GONE: &str = "the embedded issuer is not called";
    let mut house = House::open_staged(|stage| {
        with_capif(stage);
        revocable(stage);
        stage.config.set_text("reload.watch", "off");
    });
    let mut client = house.client();
    let token = token_of(&fetched(&mut client, OWN, FORM));
    let (own, other) = (format!("https://{HOST}"), "https://other.example");
    let call = |house: &mut House, name: &str| {
        house.rewrite(|config| {
            config.set_text("oauth.issuer", name);
        });
        reload(house);
    };
    // Nothing is lost where nothing was revoked.
    call(&mut house, other);
    call(&mut house, &own);
    assert!(!house.gateway.log().contains(GONE));
    let issuer = format!("{own}/capif-security/v1");
    let jti = &claims(&token)["jti"];
    revoke(
        &house.stage,
        &serde_json::json!({"jti": jti, "issuer": issuer}),
    );
    assert_eq!(client.get(PATH, &token).status, 401);
    call(&mut house, other);
    assert_eq!(client.get(PATH, &token).status, 200, "which is warned of");
    house
        .gateway
        .await_log(&format!("{GONE} \"{own}\" any more"));
    house.gateway.await_log("give it its name back");
    call(&mut house, &own);
    assert_eq!(client.get(PATH, &token).status, 401);
}
