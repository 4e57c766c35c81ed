//! Revocation of tokens, of clients' tokens, of certificates and of issuers' keys, at a gateway
//! that serves: on connections that stand, with tokens that are remembered, over restarts and
//! crashes.

mod command_line;
mod crashes;
mod endpoint;
mod file;
mod issuing;
mod opaque;
mod store;
mod vain;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::authorization::assert_problem;
use crate::harness::client::{Client, HOST, Response};
use crate::harness::gateway::{Gateway, cpus};
use crate::harness::mint::{Algorithm, ISSUER, Mint, now_s, with};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{WAIT, wait_until};

/// The usual scene with a store, a socket, an audit file and a shard on every CPU.
pub fn revocable(stage: &mut Stage) -> PathBuf {
    let folder = stage.scratch.path();
    let (store, socket) = (folder.join("revoked.redb"), folder.join("admin.sock"));
    let cpus = cpus();
    stage.config.set("listen.cpus", &format!("{cpus:?}"));
    stage.config.set_text("revocation.store", store.display());
    stage.config.set_text("admin.socket", socket.display());
    stage.watch()
}

fn house() -> House {
    House::open_staged(|stage| {
        revocable(stage);
    })
}

fn path_of(stage: &Stage, key: &str) -> PathBuf {
    stage.config.value(key).trim_matches('"').into()
}

/// Asks at the admin socket: status and document.
pub fn ask(stage: &Stage, method: &str, target: &str, body: &str) -> (u16, Value) {
    try_ask(stage, method, target, body).expect("an answer")
}

/// The same; none where the gateway is gone before it has answered.
fn try_ask(stage: &Stage, method: &str, target: &str, body: &str) -> Option<(u16, Value)> {
    let mut stream = UnixStream::connect(path_of(stage, "admin.socket")).ok()?;
    stream.set_read_timeout(Some(WAIT)).ok()?;
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

pub fn revoke(stage: &Stage, what: &Value) -> Value {
    let (status, said) = ask(stage, "POST", "/revocations", &what.to_string());
    assert_eq!(status, 200, "{said}");
    said
}

/// What a certificate is revoked by: its SHA-256, in hexadecimal digits.
pub fn hex_of(certificate: &[u8]) -> String {
    let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    let digits = { thumbprint.as_ref().iter() }.map(|octet| format!("{octet:02x}"));
    digits.collect()
}

/// A token of `acme` with this `jti`.
fn token(stage: &Stage, jti: &str) -> String {
    stage.mint.good(&with(stage.claims(), "jti", jti))
}

#[track_caller]
fn assert_revoked(response: &Response) {
    assert_problem(response, 401);
    let challenge = response.field("www-authenticate").expect("a challenge");
    assert!(
        challenge.contains(r#"error="invalid_token""#),
        "{challenge}"
    );
    assert!(
        response.text().contains("TOKEN_REVOKED"),
        "{}",
        response.text()
    );
}

/// Connections on every shard, each of which remembers the token and has been served with it.
pub fn warm(house: &House, token: &str) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..8).map(|_| house.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get(PATH, token).status, 200);
        assert_eq!(client.get(PATH, token).status, 200);
    }
    clients
}

#[track_caller]
pub fn all_are_refused(clients: &mut [Client], token: &str) {
    for client in clients {
        assert_revoked(&client.get(PATH, token));
    }
}

#[track_caller]
pub fn all_are_served(clients: &mut [Client], token: &str) {
    for client in clients {
        assert_eq!(client.get(PATH, token).status, 200);
    }
}

//= RFC 7009 section 2.2 type=test
//# A token that is revoked is of no use from then on.
//= RFC 6750 section 3.1 type=test
//# Who brings a token that is revoked is told that it is not valid.
#[test]
fn a_token_is_revoked_by_itself_or_by_its_jti_on_connections_that_remember_it() {
    let house = house();
    let (one, two) = (token(&house.stage, "one"), token(&house.stage, "two"));
    let (mut of_one, mut of_two) = (warm(&house, &one), warm(&house, &two));
    revoke(&house.stage, &json!({"token": one}));
    all_are_refused(&mut of_one, &one);
    all_are_refused(&mut [house.client()], &one);
    all_are_served(&mut of_two, &two);
    revoke(&house.stage, &json!({"jti": "two", "issuer": ISSUER}));
    all_are_refused(&mut of_two, &two);
    // Who brings another token on the same connection is served.
    let three = token(&house.stage, "three");
    all_are_served(&mut of_two, &three);
    all_are_served(&mut of_one, &three);
}

/// The order of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The same token with the other signature that anybody can make of its signature.
fn with_other_signature(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let mut signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let mut borrow = 0;
    for (octet, of_order) in signature[32..].iter_mut().zip(ORDER).rev() {
        let difference = i16::from(of_order) - i16::from(*octet) - borrow;
        borrow = i16::from(difference < 0);
        *octet = difference.rem_euclid(256) as u8;
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_revoked_token_is_refused_with_its_other_signature_as_well() {
    let house = house();
    let token = token(&house.stage, "one");
    let other = with_other_signature(&token);
    assert_ne!(token, other);
    let mut client = house.client();
    assert_eq!(client.get(PATH, &other).status, 200, "it verifies");
    revoke(&house.stage, &json!({"token": token}));
    assert_revoked(&client.get(PATH, &other));
    assert_revoked(&client.get(PATH, &token));
}

#[test]
fn tokens_of_a_client_are_revoked_up_to_a_moment_and_its_later_ones_are_served() {
    let house = house();
    let old = token(&house.stage, "old");
    let mut clients = warm(&house, &old);
    let now = now_s();
    let said = revoke(
        &house.stage,
        &json!({"client": "acme-app", "issued_until": now}),
    );
    assert_eq!(said["revoked"][0]["known"], true);
    all_are_refused(&mut clients, &old);
    let claims = with(house.stage.claims(), "iat", now + 1);
    let new = house.stage.mint.good(&with(claims, "jti", "new"));
    wait_until("a token issued later", || {
        clients[0].get(PATH, &new).status == 200
    });
    // Another client's tokens are none of it.
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).unwrap();
    let thumbprint = house.stage.globex.thumbprint();
    let claims =
        crate::harness::mint::claims("globex-app", crate::harness::stage::API, &thumbprint);
    let path = PATH.replace("/acme/", "/globex/");
    assert_eq!(
        globex.get(&path, &house.stage.mint.good(&claims)).status,
        200
    );
    let (status, said) = ask(&house.stage, "DELETE", "/revocations/client/acme-app", "");
    assert_eq!(status, 200, "{said}");
    all_are_served(&mut clients, &old);
}

#[test]
fn what_an_issuers_key_has_signed_is_refused_and_what_another_has_is_served() {
    let second = Mint::new(crate::harness::mint::Algorithm::Es256, "second");
    let house = House::open_staged(|stage| {
        revocable(stage);
        crate::harness::mint::write_jwks(stage.scratch.path(), &[&stage.mint, &second]);
    });
    let by_first = token(&house.stage, "one");
    let by_second = second.good(&with(house.stage.claims(), "jti", "two"));
    let (mut one, mut two) = (warm(&house, &by_first), warm(&house, &by_second));
    revoke(&house.stage, &json!({"key": "first", "issuer": ISSUER}));
    all_are_refused(&mut one, &by_first);
    all_are_served(&mut two, &by_second);
    let place = format!("/revocations/key/{}/first", ISSUER.replace('/', "%2F"));
    assert_eq!(ask(&house.stage, "DELETE", &place, "").0, 200);
    all_are_served(&mut one, &by_first);
    assert_eq!(ask(&house.stage, "DELETE", &place, "").0, 404);
}

fn ask_for_token(client: &mut Client) -> Response {
    crate::issuer::asked(client, crate::issuer::FORM)
}

fn header(token: &str) -> Value {
    let header = token.split('.').next().expect("a header");
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    serde_json::from_slice(&header).expect("JSON")
}

#[test]
fn with_the_embedded_issuers_key_revoked_its_tokens_are_refused_and_none_is_signed() {
    let house = House::open_staged(|stage| {
        revocable(stage);
        stage.issue_tokens();
    });
    let mut client = house.client();
    let issued: Value = serde_json::from_slice(&ask_for_token(&mut client).body).unwrap();
    let token = issued["access_token"].as_str().expect("a token");
    let header = header(token);
    let mut clients = warm(&house, token);
    let key = json!({"key": header["kid"], "issuer": format!("https://{HOST}")});
    revoke(&house.stage, &key);
    all_are_refused(&mut clients, token);
    let refused = ask_for_token(&mut client);
    assert_eq!(refused.status, 503, "{}", refused.text());
    // Nothing signs before somebody gives it another key.
    assert_eq!(refused.field("retry-after"), Some("300"));
    // Who verifies them elsewhere is not told that it is a key.
    let published = client.ask(crate::harness::client::get("/oauth2/jwks", ""));
    let published: Value = serde_json::from_slice(&published.body).unwrap();
    assert_eq!(published["keys"], json!([]));
    house.gateway.await_log("issuer_key_revoked");
    house.gateway.await_log("give oauth.key, oauth.capif.key");
}

#[test]
fn a_revoked_certificate_ends_its_connections_and_comes_back_by_no_way() {
    let house = house();
    let dialer = house.stage.dialer(&house.stage.acme).resuming();
    let address = house.gateway.address;
    let token = token(&house.stage, "one");
    let mut clients: Vec<Client> = (0..8).map(|_| dialer.connect(address).unwrap()).collect();
    all_are_served(&mut clients, &token);
    let resumed = dialer.connect(address).unwrap();
    assert_eq!(
        resumed.handshake_kind(),
        Some(rustls::HandshakeKind::Resumed)
    );
    let thumbprint = hex_of(&house.stage.acme.der);
    revoke(&house.stage, &json!({"certificate": thumbprint}));
    for client in &mut clients {
        assert!(client.closed_within(WAIT), "it stands still");
    }
    // With the session that it remembers, and without.
    for dialer in [&dialer, &house.stage.dialer(&house.stage.acme)] {
        let refusal = match dialer.connect(address) {
            Err(error) => error.to_string(),
            Ok(mut client) => client.refusal(),
        };
        assert!(refusal.contains("CertificateRevoked"), "{refusal}");
    }
    // Who has done that is told apart from the CA, on connections that stood and on new ones.
    for reason in ["\"trust_lost\"", "\"certificate_revoked_here\""] {
        let reason = format!("reason={reason}");
        wait_until(&reason, || {
            let log = house.gateway.log();
            let mut lines = log.lines().filter(|line| line.contains(&reason));
            lines.any(|line| line.contains("--take-back") && line.contains("revocation.revoked"))
        });
    }
    let dialer = house.stage.dialer(&house.stage.globex);
    assert!(dialer.connect(address).is_ok());
    let place = format!("/revocations/certificate/{thumbprint}");
    assert_eq!(ask(&house.stage, "DELETE", &place, "").0, 200);
    assert_eq!(house.client().get(PATH, &token).status, 200);
}

/// Whoever hangs up before the answer has done it all the same.
#[test]
fn revocation_of_whoever_hangs_up_is_recorded_when_it_comes_into_force() {
    let house = house();
    let audit = house.stage.scratch.path().join("audit.jsonl");
    let hang_up = |method: &str, target: &str, body: &str| {
        let mut stream = UnixStream::connect(path_of(&house.stage, "admin.socket")).unwrap();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
    };
    let await_records = |act: &str, count: usize| {
        let record = format!("\"act\":{act:?}");
        wait_until(&record, || {
            let records = std::fs::read_to_string(&audit).unwrap_or_default();
            records.matches(&record).count() == count
        });
    };
    let clients: Vec<String> = (0..10).map(|number| format!("nobody-{number}")).collect();
    for client in &clients {
        hang_up(
            "POST",
            "/revocations",
            &json!({"client": client}).to_string(),
        );
    }
    let metrics = || house.gateway.admin().metrics();
    wait_until("all of them", || {
        metrics().count("t8gate_revocations", &[("kind", "client")]) == 10
    });
    await_records("revoke", 10);
    for client in &clients {
        hang_up("DELETE", &format!("/revocations/client/{client}"), "");
    }
    wait_until("none of them", || {
        metrics().count("t8gate_revocations", &[("kind", "client")]) == 0
    });
    await_records("take_back", 10);
    house.gateway.await_log("revocations: done and in force");
}

#[test]
fn key_without_a_name_is_revoked_and_taken_back() {
    let house = house();
    revoke(&house.stage, &json!({"key": "", "issuer": ISSUER}));
    let token = token(&house.stage, "one");
    all_are_served(&mut [house.client()], &token);
    let place = format!("/revocations/key/{}/", ISSUER.replace('/', "%2F"));
    assert_eq!(ask(&house.stage, "DELETE", &place, "").0, 200);
    assert_eq!(ask(&house.stage, "DELETE", &place, "").0, 404);
}

/// The embedded issuer's tokens live for a day at most, so that nobody has to say when one ends.
#[test]
fn revocation_of_a_jti_of_the_embedded_issuer_is_kept_as_long_as_its_tokens_may_live() {
    let house = House::open_staged(|stage| {
        revocable(stage);
        stage.issue_tokens();
    });
    let until = |what: Value| {
        let said = revoke(&house.stage, &what);
        said["revoked"][0]["until"].as_i64().expect("an end") - now_s()
    };
    let own = format!("https://{HOST}");
    let day = 24 * 3_600;
    assert!((day..day + 60).contains(&until(json!({"jti": "a", "issuer": own}))));
    assert!(until(json!({"jti": "b", "issuer": own, "expires": now_s() + 2 * day})) > day + 60);
    assert!(until(json!({"jti": "a", "issuer": ISSUER})) > 365 * day);
    assert!((31 * day..32 * day).contains(&until(json!({"client": "acme-app"}))));
}

/// It would be forgotten at the next start, though it was said to be revoked.
#[test]
fn revocation_that_has_ended_already_is_refused() {
    let house = house();
    let token = token(&house.stage, "one");
    for ended in [
        json!({"jti": "one", "issuer": ISSUER, "expires": 1}),
        json!({"jti": "one", "issuer": ISSUER, "expires": now_s()}),
        json!({"client": "acme-app", "issued_until": now_s() - 32 * 86_400}),
    ] {
        let (status, said) = ask(&house.stage, "POST", "/revocations", &ended.to_string());
        assert_eq!(status, 400, "{said}");
        assert!(said["fault"].as_str().unwrap().contains("ended"), "{said}");
    }
    all_are_served(&mut [house.client()], &token);
}

/// Whatever an operator has of a token that may be taken, now or later.
#[test]
fn a_token_that_is_not_valid_yet_or_says_nothing_itself_is_revoked_by_itself() {
    let house = house();
    let ahead = with(house.stage.claims(), "nbf", now_s() + 33);
    let ahead = house.stage.mint.good(&ahead);
    assert_eq!(house.client().get(PATH, &ahead).status, 401);
    revoke(&house.stage, &json!({"token": ahead}));
    wait_until("it to be valid", || {
        let response = house.client().get(PATH, &ahead);
        assert_eq!(response.status, 401);
        response.text().contains("TOKEN_REVOKED")
    });
    for opaque in ["good.dotted", "a.b.c.d.e", "2Yotn+/~_-=="] {
        revoke(&house.stage, &json!({"token": opaque}));
    }
    let good = token(&house.stage, "one");
    let (cut_off, _) = good.rsplit_once('.').expect("three parts");
    // Its key, or secret, may be known in a moment.
    let unknown = Mint::new(Algorithm::Es256, "k-9").good(&house.stage.claims());
    let body = json!({"token": unknown}).to_string();
    let (status, said) = ask(&house.stage, "POST", "/revocations", &body);
    assert_eq!(status, 503, "{said}");
    assert!(said.to_string().contains("token_sha256"), "{said}");
    for bad in [cut_off, "a b", "caf\u{e9}"] {
        let body = json!({"token": bad}).to_string();
        let (status, said) = ask(&house.stage, "POST", "/revocations", &body);
        assert_eq!(status, 400, "{said}");
    }
}

#[test]
fn revoked_token_that_comes_again_is_not_verified_again_and_is_good_when_that_is_taken_back() {
    let house = House::open_staged(|stage| {
        revocable(stage);
        stage
            .config
            .set("listen.cpus", &format!("{:?}", &cpus()[..1]));
    });
    let token = token(&house.stage, "one");
    revoke(&house.stage, &json!({"client": "acme-app"}));
    let mut client = house.client();
    for _ in 0..5 {
        assert_revoked(&client.get(PATH, &token));
    }
    let verdicts = |verdict| {
        let metrics = house.gateway.admin().metrics();
        metrics.sum("t8gate_token_verdicts_total", &[("verdict", verdict)])
    };
    assert_eq!(
        (verdicts("verified"), verdicts("refused_again")),
        (1.0, 4.0)
    );
    let place = "/revocations/client/acme-app";
    assert_eq!(ask(&house.stage, "DELETE", place, "").0, 200);
    all_are_served(&mut [client, house.client()], &token);
}

#[test]
fn what_is_wrong_with_a_request_is_said_and_nothing_of_it_is_done() {
    let house = house();
    let good = token(&house.stage, "one");
    let expired = with(house.stage.claims(), "exp", now_s() - 900);
    let expired = house
        .stage
        .mint
        .good(&with(expired, "iat", now_s() - 1_800));
    let foreign = Mint::new(crate::harness::mint::Algorithm::Es256, "first");
    let foreign = foreign.good(&house.stage.claims());
    let many = format!("[{}]", vec![r#"{"client":"a"}"#; 1_001].join(","));
    let cases = [
        (r#"{"clinet":"acme-app"}"#.to_owned(), 400, "not known"),
        (format!(r#"[{{"token":"{good}"}},{{}}]"#), 400, "entry 2"),
        ("[]".to_owned(), 400, "no entry"),
        ("nonsense".to_owned(), 400, "not JSON"),
        (json!({"token": expired}).to_string(), 400, "token_expired"),
        (
            json!({"token": foreign}).to_string(),
            400,
            "token_signature_bad",
        ),
        (many, 413, "more than 1000"),
    ];
    for (body, expected, word) in cases {
        let (status, said) = ask(&house.stage, "POST", "/revocations", &body);
        let fault = said["fault"].as_str().unwrap_or_default();
        assert_eq!(status, expected, "{said}");
        assert!(fault.contains(word), "{word}: {said}");
        assert!(said["cure"].as_str().is_some_and(|cure| !cure.is_empty()));
        assert!(!said.to_string().contains("eyJ"), "a token is said: {said}");
    }
    assert_eq!(house.client().get(PATH, &good).status, 200);
    let (_, listed) = ask(&house.stage, "GET", "/revocations", "");
    assert_eq!(listed["counts"]["token"], 0, "{listed}");
    assert_eq!(ask(&house.stage, "GET", "/other", "").0, 404);
}

#[test]
fn revocations_are_listed_recorded_and_counted_without_tokens() {
    let house = house();
    let audit = house.stage.scratch.path().join("audit.jsonl");
    let secret = token(&house.stage, "a-very-special-jti");
    let all = json!([
        {"token": secret},
        {"jti": "a-very-special-jti", "issuer": ISSUER},
        {"client": "acme-app"},
        {"client": "nobody-here"},
        {"key": "gone", "issuer": ISSUER},
    ]);
    let said = revoke(&house.stage, &all);
    assert_eq!(said["revoked"].as_array().map(Vec::len), Some(5));
    assert_eq!(said["revoked"][3]["known"], false);
    let (_, listed) = ask(&house.stage, "GET", "/revocations", "");
    assert_eq!(listed["counts"]["client"], 2);
    assert_eq!(listed["to_be_taken_back"].as_array().map(Vec::len), Some(3));
    let of = |kind| {
        format!(
            "\"kind\":\"revocation\",\"outcome\":\"answered\",\"act\":\"revoke\",\
                             \"revoked\":\"{kind}\""
        )
    };
    wait_until("five records", || {
        let text = std::fs::read_to_string(&audit).unwrap_or_default();
        text.matches("\"kind\":\"revocation\"").count() == 5
    });
    let records = std::fs::read_to_string(&audit).unwrap();
    for kind in ["token", "jti", "client", "issuer_key"] {
        assert!(records.contains(&of(kind)), "{kind}: {records}");
    }
    let uid = format!("\"by\":\"socket\",\"uid\":{}", uid());
    assert!(records.contains(&uid), "{records}");
    let metrics = house.gateway.admin().metrics();
    let clients = [("kind", "client")];
    assert_eq!(metrics.count("t8gate_revocations", &clients), 2);
    assert_eq!(metrics.count("t8gate_revocations_total", &clients), 2);
    assert_eq!(
        metrics.count("t8gate_revocation_commit_seconds_count", &[]),
        1
    );
    assert_eq!(metrics.count("t8gate_revocation_store_usable", &[]), 1);
    let store = std::fs::read(path_of(&house.stage, "revocation.store")).unwrap();
    let store = String::from_utf8_lossy(&store).into_owned();
    for text in [
        records,
        house.gateway.log(),
        listed.to_string(),
        said.to_string(),
        store,
    ] {
        for word in [secret.as_str(), "a-very-special-jti"] {
            assert!(!text.contains(word), "a token or its jti is written down");
        }
    }
}

fn uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").expect("Linux").uid()
}

#[test]
fn without_a_store_nothing_is_revoked_and_the_answer_says_what_to_set() {
    let house = House::open_staged(|stage| {
        revocable(stage);
        stage.config.unset("revocation.store");
    });
    let good = token(&house.stage, "one");
    let body = json!({"token": good}).to_string();
    let (status, said) = ask(&house.stage, "POST", "/revocations", &body);
    assert_eq!(status, 503);
    assert!(
        said["cure"]
            .as_str()
            .is_some_and(|cure| cure.contains("revocation.store"))
    );
    assert_eq!(house.client().get(PATH, &good).status, 200);
}

#[test]
fn the_admin_listener_that_asks_nobody_who_they_are_revokes_nothing() {
    let house = house();
    let page = house.gateway.admin().ask("POST", "/revocations");
    assert_eq!(page.status, 404);
}

/// Starts the gateway anew on the same files.
fn again(stage: &Stage, gateway: &Gateway) -> Gateway {
    let started = Gateway::spawn(&gateway.file, gateway.address, &stage.environment);
    started.unwrap_or_else(|said| panic!("it does not start again:\n{said}"))
}
