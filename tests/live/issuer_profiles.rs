//! Tokens of CAPIF cores and of issuers that write them in their own way, and tokens that no
//! certificate is named in.

use std::fs;

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::mint::{Algorithm, Mint, now_s, with, without, write_jwks};
use crate::harness::origin::{Act, ok};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::reload::{ON_SIGNAL, reload, rewrite};
use crate::token_revocation::{revocable, revoke};

/// A gateway that also takes the tokens of an issuer with such a profile, and that issuer's pen.
fn house_with(lines: &str) -> (House, Mint) {
    house_staged(lines, |_| {})
}

fn house_staged(lines: &str, change: impl FnOnce(&mut Stage)) -> (House, Mint) {
    let mint = Mint::new(Algorithm::Es256, "other-1");
    let house = House::open_staged(|stage| {
        change(stage);
        let folder = stage.scratch.path().join("other");
        fs::create_dir(&folder).expect("a writable directory");
        let jwks = write_jwks(&folder, &[&mint]);
        let keys = format!("jwks = {:?}\n{lines}", jwks.display().to_string());
        stage.config.table("issuer", &keys);
    });
    (house, mint)
}

const CORE: &str = "name = \"core\"\nprofile = \"capif\"\naef_id = \"aef-1\"";

fn core() -> (House, Mint) {
    house_with(CORE)
}

const JWT: &str = "JWT";

fn typed(mint: &Mint, kind: &str) -> Value {
    with(mint.header(), "typ", kind)
}

fn core_claims(house: &House) -> Value {
    json!({
        "iss": "acme-app",
        "exp": now_s() + 300,
        "scope": format!("3gpp#aef-2:x;aef-1:{API},3gpp-nidd"),
        "cnf": {"x5t#S256": house.stage.acme.thumbprint()},
    })
}

fn status(house: &House, token: &str) -> u16 {
    house.client().get(PATH, token).status
}

//= TS 29.222 clause 8.5.4.2.8 type=test
//# The invoker is in iss, or in client_id as TS 33.122 has it.
#[test]
fn token_of_a_capif_core_is_served_for_the_invoker_it_names() {
    let (house, mint) = core();
    let claims = core_claims(&house);
    let send = |claims: &Value| status(&house, &mint.token(&typed(&mint, JWT), claims));
    assert_eq!(send(&claims), 200);
    let named = with(
        with(claims.clone(), "client_id", "acme-app"),
        "iss",
        "https://core.example",
    );
    assert_eq!(send(&named), 200);
    let header = without(mint.header(), "typ");
    assert_eq!(status(&house, &mint.token(&header, &claims)), 200);
    assert_eq!(send(&with(claims.clone(), "iss", "globex-app")), 401);
    assert_eq!(send(&with(claims.clone(), "client_id", "globex-app")), 401);
    assert_eq!(send(&with(claims.clone(), "exp", now_s() - 31)), 401);
    let elsewhere = with(claims.clone(), "scope", format!("3gpp#aef-2:{API}"));
    assert_eq!(send(&elsewhere), 401);
    let other_api = with(claims.clone(), "scope", "3gpp#aef-1:3gpp-nidd");
    assert_eq!(send(&other_api), 403);
    assert_eq!(send(&without(claims, "cnf")), 401);
    assert_eq!(house.origin.requests(), 3);
}

//= RFC 8725 section 3.12 type=test
//# A key of one profile validates no token of another.
#[test]
fn key_of_a_core_makes_no_token_of_an_issuer_and_the_reverse() {
    let (house, mint) = core();
    let forged = mint.token(
        &with(mint.header(), "kid", house.stage.mint.kid.as_str()),
        &house.stage.claims(),
    );
    assert_eq!(status(&house, &forged), 401);
    assert_eq!(status(&house, &mint.good(&house.stage.claims())), 401);
    let claims = core_claims(&house);
    let own = &house.stage.mint;
    assert_eq!(status(&house, &own.token(&typed(own, JWT), &claims)), 401);
    let as_core = with(typed(own, JWT), "kid", mint.kid.as_str());
    assert_eq!(status(&house, &own.token(&as_core, &claims)), 401);
    assert_eq!(house.origin.requests(), 0);
    assert_eq!(status(&house, &house.token()), 200);
}

#[test]
fn token_of_a_corporate_issuer_is_served_by_the_names_it_has() {
    let (house, mint) = house_with(
        "name = \"https://login.corporate.example\"\nprofile = \"custom\"\n\
         audience = \"api://t8\"\ntype = \"JWT\"\nclient_id_claim = \"azp\"\nscope_claim = \"scp\"",
    );
    let claims = json!({
        "iss": "https://login.corporate.example",
        "aud": "api://t8",
        "exp": now_s() + 300,
        "azp": "acme-app",
        "scp": [format!("{API}:read"), "openid"],
        "cnf": {"x5t#S256": house.stage.acme.thumbprint()},
    });
    let send = |claims: &Value| status(&house, &mint.token(&typed(&mint, JWT), claims));
    assert_eq!(send(&claims), 200);
    assert_eq!(send(&with(claims.clone(), "azp", "globex-app")), 401);
    assert_eq!(send(&with(claims.clone(), "aud", "api://other")), 401);
    assert_eq!(send(&with(claims.clone(), "scp", json!(["openid"]))), 403);
    assert_eq!(status(&house, &mint.good(&claims)), 401);
    assert_eq!(house.origin.requests(), 1);
}

const ACME: usize = 0;
const GLOBEX: usize = 1;

fn exempt(client: usize) -> House {
    House::open_with(|config| {
        config.extend_table("client", client, "unbound_tokens = true");
    })
}

//= RFC 8705 section 3 type=test
//# A token that is bound to nothing is taken of a client that is exempted by name, for itself.
#[test]
fn unbound_token_is_taken_of_the_client_that_is_exempted() {
    let house = exempt(ACME);
    let unbound = |client_id: &str| {
        let claims = with(without(house.stage.claims(), "cnf"), "client_id", client_id);
        house.stage.mint.good(&claims)
    };
    let own = unbound("acme-app");
    let mut client = house.client();
    assert_eq!(client.get(PATH, &own).status, 200);
    assert_eq!(client.get(PATH, &own).status, 200);
    // By this CPU's cache, and by its connection's memory.
    assert_eq!(house.client().get(PATH, &own).status, 200);
    assert_eq!(client.get(PATH, &unbound("globex-app")).status, 401);
    let mut globex = house
        .stage
        .dialer(&house.stage.globex)
        .connect(house.gateway.address)
        .unwrap();
    let path = PATH.replace("acme", "globex");
    assert_eq!(globex.get(&path, &own).status, 401);
    assert_eq!(globex.get(&path, &unbound("globex-app")).status, 401);
    // What is bound to something else is not unbound.
    let claims = with(
        house.stage.claims(),
        "cnf",
        json!({"jkt": house.stage.acme.thumbprint()}),
    );
    assert_eq!(
        client.get(PATH, &house.stage.mint.good(&claims)).status,
        401
    );
    let claims = with(
        house.stage.claims(),
        "cnf",
        json!({"x5t#S256": house.stage.globex.thumbprint()}),
    );
    assert_eq!(
        client.get(PATH, &house.stage.mint.good(&claims)).status,
        401
    );
    assert_eq!(house.origin.requests(), 3);
}

#[test]
fn exemption_of_one_client_exempts_no_other() {
    let house = exempt(GLOBEX);
    let token = house.stage.mint.good(&without(house.stage.claims(), "cnf"));
    assert_eq!(status(&house, &token), 401);
    assert_eq!(house.origin.requests(), 0);
}

/// On an open connection that remembers the token, and through the CPU's cache.
#[test]
fn exemption_that_is_taken_back_holds_no_longer() {
    let mut house = exempt(ACME);
    let token = house.stage.mint.good(&without(house.stage.claims(), "cnf"));
    let mut client = house.client();
    assert_eq!(client.get(PATH, &token).status, 200);
    rewrite(&mut house, |config| {
        let clients = [ACME, GLOBEX].map(|place| config.table_body("client", place));
        config.without_tables("client");
        for client in clients {
            config.table("client", &client.replace("unbound_tokens = true", ""));
        }
    });
    reload(&house);
    assert_eq!(client.get(PATH, &token).status, 401);
    let served = house.origin.requests();
    assert_eq!(status(&house, &token), 401);
    assert_eq!(client.get(PATH, &token).status, 401);
    assert_eq!(house.origin.requests(), served);
}

//= RFC 9396 section 9 type=test
//# Details that are understood are enforced; what cannot be enforced gives nothing.
#[test]
fn details_in_a_token_are_enforced() {
    let house = House::open();
    house
        .origin
        .usually(vec![Act::ReadBody, Act::Send(ok(b"[]"))]);
    let send = |details: Value| {
        let claims = with(house.stage.claims(), "authorization_details", details);
        status(&house, &house.stage.mint.good(&claims))
    };
    let object = |more: Value| {
        let mut object = json!({"type": "t8_access", "apis": [API]});
        for (name, value) in more.as_object().unwrap() {
            object[name] = value.clone();
        }
        json!([object])
    };
    assert_eq!(send(object(json!({}))), 200);
    assert_eq!(send(object(json!({"operations": ["read"]}))), 200);
    assert_eq!(send(object(json!({"operations": ["write"]}))), 403);
    // The list that is asked for has nobody else's subscriptions.
    assert_eq!(send(object(json!({"ueIds": ["one@example.com"]}))), 200);
    assert_eq!(send(object(json!({"more": true}))), 403);
    assert_eq!(send(json!([{"type": "other"}])), 200);
    assert_eq!(send(json!("all")), 401);
    assert_eq!(send(json!([{"type": "t8_access"}])), 401);
    assert_eq!(house.origin.requests(), 4);
}

/// It is later than what was revoked if it ends later than any of before would.
#[test]
fn token_that_says_no_iat_goes_by_its_end_where_its_clients_are_revoked() {
    const LIFETIME: &str = "token_lifetime_max = \"2m\"";
    let (mut house, mint) = house_staged(&format!("{CORE}\n{LIFETIME}"), |stage| {
        revocable(stage);
        stage.config.set("reload.watch", ON_SIGNAL);
    });
    let mut client = house.client();
    let token = |exp: i64| {
        let claims = with(core_claims(&house), "exp", exp);
        mint.token(&typed(&mint, JWT), &claims)
    };
    let now = now_s();
    let (before, later, long) = (token(now + 85), token(now + 135), token(now + 3_600));
    for token in [&before, &later] {
        assert_eq!(client.get(PATH, token).status, 200);
    }
    let what = json!({"client": "acme-app", "issued_until": now});
    revoke(&house.stage, &what);
    let is_revoked = |client: &mut Client| {
        let refused = client.get(PATH, &before);
        let text = refused.text();
        assert!(text.contains("TOKEN_REVOKED"), "{text}");
    };
    is_revoked(&mut client);
    assert_eq!(client.get(PATH, &later).status, 200);
    // One that lives longer than is known of any would be called later however early it was.
    assert_eq!(client.get(PATH, &long).status, 401);
    house.gateway.await_log("token_lives_too_long");
    house
        .gateway
        .await_log("set token_lifetime_max of its [[issuer]]");
    // How long they live from now on says nothing of those that there are.
    rewrite(&mut house, |config| {
        let issuers = [0, 1].map(|place| config.table_body("issuer", place));
        config.without_tables("issuer");
        for issuer in issuers {
            config.table("issuer", &issuer.replace("\"2m\"", "\"1m\""));
        }
    });
    reload(&house);
    is_revoked(&mut client);
}

/// Its tokens do not say whose they are: what is revoked of them is known by that name.
#[test]
fn core_that_is_called_otherwise_is_said_to_have_lost_what_was_revoked_of_it() {
    const GONE: &str = "no CAPIF core is called \"core\" any more";
    let (mut house, mint) = house_staged(CORE, |stage| {
        revocable(stage);
        stage.config.set("reload.watch", ON_SIGNAL);
    });
    let token = mint.token(&typed(&mint, JWT), &core_claims(&house));
    let rename = |house: &mut House, from: &str, to: &str| {
        rewrite(house, |config| {
            let issuers = [0, 1].map(|place| config.table_body("issuer", place));
            config.without_tables("issuer");
            for issuer in issuers {
                config.table("issuer", &issuer.replace(from, to));
            }
        });
        reload(house);
    };
    // Nothing is lost where nothing was revoked.
    rename(&mut house, "\"core\"", "\"other\"");
    rename(&mut house, "\"other\"", "\"core\"");
    assert!(!house.gateway.log().contains("no CAPIF core is called"));
    revoke(&house.stage, &json!({"key": "other-1", "issuer": "core"}));
    assert_eq!(status(&house, &token), 401);
    rename(&mut house, "\"core\"", "\"other\"");
    assert_eq!(status(&house, &token), 200, "which is what is warned of");
    house.gateway.await_log(GONE);
    house.gateway.await_log("give the core its name back");
    rename(&mut house, "\"other\"", "\"core\"");
    assert_eq!(status(&house, &token), 401);
    assert_eq!(house.gateway.log().matches(GONE).count(), 1);
}
