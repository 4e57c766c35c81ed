//! The embedded issuer: tokens by certificate, what is refused and how, and what clients that we
//! did not write make of it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::authorization::assert_problem;
use crate::harness::client::{Client, HOST, Response, get};
use crate::harness::origin::Origin;
use crate::harness::peers::{curl, url};
use crate::harness::pki::{Identity, Key, Leaf, San};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{WAIT, run, run_well};

pub const TOKEN: &str = "/oauth2/token";
const JWKS: &str = "/oauth2/jwks";
const METADATA: &str = "/.well-known/oauth-authorization-server";
pub const FORM: &str = "grant_type=client_credentials&client_id=acme-app";

fn house() -> House {
    House::open_staged(Stage::issue_tokens)
}

/// A request with a form, and whatever field lines.
pub fn posted(path: &str, form: &str, fields: &str) -> String {
    let length = form.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {HOST}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n{fields}\
         Content-Length: {length}\r\n\r\n{form}"
    )
}

pub fn asked(client: &mut Client, form: &str) -> Response {
    client.ask(posted(TOKEN, form, ""))
}

pub fn json(response: &Response) -> Value {
    assert_eq!(response.field("content-type"), Some("application/json"));
    serde_json::from_slice(&response.body).expect("a JSON document")
}

pub fn token_of(response: &Response) -> String {
    assert_eq!(response.status, 200, "{}", response.text());
    let token = json(response)["access_token"].clone();
    token.as_str().expect("a token").to_owned()
}

pub fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("three parts");
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("a JSON object")
}

/// An answer of RFC 6749 section 5.2.
pub fn assert_grant_refused(response: &Response, error: &str) {
    assert_eq!(response.status, 400, "{}", response.text());
    let said = json(response);
    assert_eq!(said["error"], error, "{said}");
    assert!(said["error_description"].is_string());
    assert_eq!(response.field("cache-control"), Some("no-store"));
    assert_eq!(response.field("pragma"), Some("no-cache"));
    assert_eq!(response.field("www-authenticate"), None);
    assert!(response.field("x-request-id").is_some());
}

//= RFC 6749 section 5.1 type=test
//# The answer names token, type, life and scope, and must not be stored.
#[test]
fn spec_5_2_row_04_token_fetched_by_certificate_opens_the_api() {
    let house = house();
    let mut client = house.client();
    let response = asked(&mut client, FORM);
    let token = token_of(&response);
    let said = json(&response);
    assert_eq!(said["token_type"], "Bearer");
    assert_eq!(said["expires_in"], 600);
    assert_eq!(said["scope"], format!("{API} 3gpp-nidd"));
    assert_eq!(response.field("cache-control"), Some("no-store"));
    assert_eq!(response.field("pragma"), Some("no-cache"));
    let claims = claims(&token);
    let issuer = format!("https://{HOST}");
    assert_eq!(claims["iss"], issuer);
    assert_eq!(claims["aud"], issuer);
    assert_eq!(claims["client_id"], "acme-app");
    let thumbprint = house.stage.acme.thumbprint();
    assert_eq!(claims["cnf"]["x5t#S256"], thumbprint);
    // On the connection it was fetched on, and on another of the same client.
    assert_eq!(client.get(PATH, &token).status, 200);
    assert_eq!(house.client().get(PATH, &token).status, 200);
    assert_eq!(house.origin.requests(), 2, "the SCEF saw no form");
}

#[test]
fn token_is_good_for_the_scope_it_was_asked_for_alone() {
    let house = house();
    let mut client = house.client();
    let token = token_of(&asked(&mut client, &format!("{FORM}&scope=3gpp-nidd")));
    let nidd = "/3gpp-nidd/v1/acme/configurations";
    assert_eq!(client.get(nidd, &token).status, 200);
    assert_problem(&client.get(PATH, &token), 403);
}

/// spec.md 5.2 #1.
//= RFC 6749 section 3.2 type=test
//# A parameter that is not known is passed over, one without a value is none, and none comes twice.
#[test]
fn spec_5_2_row_01_parameters_are_read_as_the_rfc_has_them() {
    let house = house();
    let mut client = house.client();
    let all = json(&asked(&mut client, FORM))["scope"].clone();
    for more in ["&unheard_of=1&resource_indicator=%00", "&scope=", "&scope"] {
        let response = asked(&mut client, &format!("{FORM}{more}"));
        token_of(&response);
        assert_eq!(json(&response)["scope"], all, "{more}");
    }
    for twice in [
        "&scope=3gpp-nidd&scope=3gpp-nidd",
        "&unheard_of=1&unheard_of=1",
    ] {
        let refused = asked(&mut client, &format!("{FORM}{twice}"));
        assert_grant_refused(&refused, "invalid_request");
    }
}

/// spec.md 5.2 #2.
//= RFC 6749 section 4.4 type=test
//# Clients that authenticate get access tokens for themselves, and nothing to have more by.
#[test]
fn spec_5_2_row_02_client_credentials_alone_are_granted_and_never_refreshed() {
    let house = house();
    let mut client = house.client();
    for other in [
        "authorization_code",
        "refresh_token",
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ] {
        let form = format!("grant_type={other}&client_id=acme-app&code=c&refresh_token=r");
        assert_grant_refused(&asked(&mut client, &form), "unsupported_grant_type");
    }
    let said = json(&asked(&mut client, FORM));
    assert!(
        said["refresh_token"].is_null() && said["id_token"].is_null(),
        "{said}"
    );
    // By the certificate of another, whatever it says of itself.
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).expect("a client");
    assert_grant_refused(&asked(&mut globex, FORM), "invalid_client");
}

/// spec.md 5.2 #6.
//= RFC 6749 section 10.10 type=test
//# A token is not to be guessed: its signature has 256 bits or more, and its name 160 of chance.
#[test]
fn spec_5_2_row_06_tokens_cannot_be_guessed() {
    let house = house();
    let mut client = house.client();
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let mut names = std::collections::HashSet::new();
    for _ in 0..16 {
        let token = token_of(&asked(&mut client, FORM));
        let signature = token.rsplit('.').next().expect("three parts");
        assert_eq!(decoded(signature).len(), 64);
        let jti = claims(&token)["jti"].as_str().expect("a name").to_owned();
        assert!(decoded(&jti).len() >= 20, "{jti}");
        assert!(names.insert(jti), "a name comes twice");
    }
}

/// spec.md 5.2 #7.
//= RFC 6749 section 3.3 type=test
//# Values of a scope are parted by spaces, in any order, and case tells them apart; without one a
//# client gets all that it may have.
#[test]
fn spec_5_2_row_07_scope_is_read_as_the_rfc_has_it() {
    let house = house();
    let mut client = house.client();
    let mut scope = |asked_for: &str| asked(&mut client, &format!("{FORM}&scope={asked_for}"));
    let both = [format!("{API}+3gpp-nidd"), format!("3gpp-nidd+{API}")];
    for asked_for in both {
        let said = json(&scope(&asked_for));
        assert_eq!(said["scope"], format!("{API} 3gpp-nidd"));
    }
    assert_eq!(json(&scope("3gpp-nidd"))["scope"], "3gpp-nidd");
    for bad in [
        "3GPP-NIDD",
        "3gpp-nidd%09",
        "3gpp-nidd,3gpp-bdt",
        "%22",
        "%5c",
        "3gpp-nidd%c3%a9",
        "3gpp-nidd+unheard-of",
    ] {
        assert_grant_refused(&scope(bad), "invalid_scope");
    }
    let said = json(&asked(&mut client, FORM));
    assert_eq!(said["scope"], format!("{API} 3gpp-nidd"));
}

/// Stolen, it opens nothing: it is bound to the certificate it was fetched with.
#[test]
fn spec_5_2_row_09_token_of_one_client_is_refused_to_another() {
    let house = house();
    let token = token_of(&asked(&mut house.client(), FORM));
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut other = dialer.connect(house.gateway.address).expect("a client");
    let refused = other.get("/3gpp-monitoring-event/v1/globex/subscriptions", &token);
    assert_problem(&refused, 401);
    assert!(refused.text().contains("TOKEN_OF_OTHER_CERTIFICATE"));
}

//= RFC 6749 section 5.2 type=test
//# Each fault has its error code.
#[test]
fn spec_5_2_row_05_faults_of_a_request_for_a_token_are_told_by_their_codes() {
    let house = house();
    let mut client = house.client();
    let faults = [
        ("", "invalid_request"),
        ("grant_type=client_credentials", "invalid_request"),
        ("client_id=acme-app", "invalid_request"),
        (
            "grant_type=password&client_id=acme-app",
            "unsupported_grant_type",
        ),
        (
            "grant_type=client_credentials&client_id=globex-app",
            "invalid_client",
        ),
        (
            "grant_type=client_credentials&client_id=nobody",
            "invalid_client",
        ),
        (
            "grant_type=client_credentials&client_id=acme-app&client_id=acme-app",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&client_id=acme-app&client_secret=s",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&client_id=acme-app&scope=3gpp-bdt",
            "invalid_scope",
        ),
        (
            "grant_type=client_credentials&client_id=acme-app&scope=a%22b",
            "invalid_scope",
        ),
        (
            "grant_type=client_credentials&client_id=%ff",
            "invalid_request",
        ),
    ];
    for (form, error) in faults {
        assert_grant_refused(&asked(&mut client, form), error);
    }
    // The connection has lived through all of it.
    token_of(&asked(&mut client, FORM));
}

/// spec.md 5.2 #5.
//= RFC 6749 section 5.2 type=test
//# Who authenticates in an Authorization field is answered 401 and challenged by its scheme.
#[test]
fn spec_5_2_row_05_authorization_field_is_answered_by_a_challenge() {
    let house = house();
    for (value, challenge) in [
        ("Basic YWNtZS1hcHA6cw==", "Basic realm=\"t8\""),
        ("Bearer abc", "Bearer realm=\"t8\""),
    ] {
        let request = posted(TOKEN, FORM, &format!("Authorization: {value}\r\n"));
        let refused = house.client().ask(request);
        assert_eq!(refused.status, 401, "{}", refused.text());
        assert_eq!(json(&refused)["error"], "invalid_client");
        assert_eq!(refused.field("www-authenticate"), Some(challenge));
        assert_eq!(refused.field("cache-control"), Some("no-store"));
    }
    let twice = "Authorization: Basic YTpi\r\nAuthorization: Basic YTpi\r\n";
    let refused = house.client().ask(posted(TOKEN, FORM, twice));
    assert_grant_refused(&refused, "invalid_request");
}

#[test]
fn form_of_another_media_type_is_an_invalid_request() {
    let house = house();
    let request = posted(TOKEN, FORM, "").replace("x-www-form-urlencoded", "json");
    assert_grant_refused(&house.client().ask(request), "invalid_request");
}

#[test]
fn client_that_is_not_registered_is_unauthorized() {
    let house = house();
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).expect("a client");
    let form = "grant_type=client_credentials&client_id=globex-app";
    assert_grant_refused(&asked(&mut globex, form), "unauthorized_client");
}

//= RFC 6749 section 3.2 type=test
//# Tokens are fetched by POST.
#[test]
fn spec_5_2_row_01_endpoints_name_the_methods_they_take() {
    let house = house();
    let mut client = house.client();
    for (method, path, allowed) in [
        ("GET", TOKEN, "POST"),
        ("PUT", TOKEN, "POST"),
        ("DELETE", JWKS, "GET, HEAD"),
        ("OPTIONS", METADATA, "GET, HEAD"),
    ] {
        let response = client.ask(format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
        assert_problem(&response, 405);
        assert_eq!(response.field("allow"), Some(allowed), "{method} {path}");
    }
    assert_eq!(house.origin.requests(), 0);
}

//= RFC 8414 section 3 type=test
//# The description is at its well-known path.
#[test]
fn spec_5_2_row_11_documents_are_served_to_whoever_has_a_certificate() {
    let house = house();
    let mut client = house.client();
    for path in [JWKS, METADATA] {
        let response = client.ask(format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
        assert_eq!(response.status, 200);
        assert!(json(&response).is_object());
        client
            .send(format!("HEAD {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"))
            .expect("a connection");
        let head = client.read_answer(true).expect("an answer");
        let length = response.body.len().to_string();
        assert_eq!(head.field("content-length"), Some(length.as_str()));
    }
    let response = client.ask(format!("GET {JWKS} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
    let key = &json(&response)["keys"][0];
    assert_eq!(
        (&key["alg"], &key["crv"]),
        (&"ES256".into(), &"P-256".into())
    );
    assert!(key.get("d").is_none(), "the private part");
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn form_in_chunks_and_after_100_continue_is_read() {
    let house = house();
    let mut client = house.client();
    let head = format!(
        "POST {TOKEN} HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
    );
    let (first, second) = FORM.split_at(10);
    let chunks = format!(
        "{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    token_of(&client.ask(format!("{head}\r\n{chunks}")));
    client
        .send(format!("{head}Expect: 100-continue\r\n\r\n"))
        .expect("a connection");
    assert_eq!(client.read_head().expect("an interim answer").status, 100);
    token_of(&client.ask(chunks));
}

//= RFC 6749 appendix B type=test
//# A form that says it is written in anything but UTF-8 is not read.
//= RFC 9110 section 15.5.16 type=test
//# Nor is one in a content coding, and the answer says which would be: none.
#[test]
fn form_in_another_charset_or_in_a_content_coding_is_refused() {
    let house = house();
    let mut client = house.client();
    let of = |content_type: &str, fields: &str| {
        let kind = "Content-Type: application/x-www-form-urlencoded";
        posted(TOKEN, FORM, fields).replace(kind, &format!("{kind}{content_type}"))
    };
    for good in [
        "; charset=UTF-8",
        ";charset=\"utf-8\"",
        "; x=y ;charset=utf-8",
        ";",
    ] {
        token_of(&client.ask(of(good, "Content-Encoding: Identity,\r\n")));
    }
    for bad in [
        "; charset=iso-8859-1",
        ";x=y;Charset=\"utf-16\"",
        "; charset=",
        "; charset",
    ] {
        assert_grant_refused(&client.ask(of(bad, "")), "invalid_request");
    }
    for coded in [
        "Content-Encoding: gzip\r\n",
        "Content-Encoding: identity, br\r\n",
        "Content-Encoding: identity\r\nContent-Encoding: deflate\r\n",
    ] {
        let refused = client.ask(of("; charset=utf-16", coded));
        assert_eq!(refused.status, 415, "{}", refused.text());
        assert_eq!(refused.field("accept-encoding"), Some("identity"));
        assert_eq!(refused.field("cache-control"), Some("no-store"));
        assert_eq!(json(&refused)["error"], "invalid_request");
    }
    house.gateway.await_log("grant_form_coded");
    let token = token_of(&client.ask(of("", "")));
    assert_eq!(client.get(PATH, &token).status, 200);
}

#[test]
fn form_that_is_too_long_or_too_slow_is_refused() {
    let house = House::open_staged(|stage| {
        stage.issue_tokens();
        stage.config.set("deadlines.body", "\"300ms\"");
    });
    let long = format!("{FORM}&more={}", "x".repeat(17_000));
    assert_grant_refused(&asked(&mut house.client(), &long), "invalid_request");
    // Nobody is asked to go on with what is refused anyway, and chunks are counted as they come.
    let mut client = house.client();
    let head = posted(TOKEN, &long, "Expect: 100-continue\r\n");
    let (head, _) = head.split_once("\r\n\r\n").expect("a head");
    client
        .send(format!("{head}\r\n\r\n"))
        .expect("a connection");
    let refused = client.answer();
    assert_grant_refused(&refused, "invalid_request");
    assert!(refused.interim.is_empty() && client.closed());
    let chunked = head
        .split("\r\n")
        .filter(|line| !line.starts_with("Content-L"));
    let chunked: Vec<&str> = chunked.filter(|line| !line.starts_with("Expect")).collect();
    let chunk = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    let chunked = chunked.join("\r\n") + "\r\nTransfer-Encoding: chunked\r\n\r\n" + &chunk;
    let mut client = house.client();
    assert_grant_refused(&client.ask(chunked), "invalid_request");
    token_of(&asked(&mut client, FORM));
    let mut slow = house.client();
    let request = posted(TOKEN, FORM, "");
    slow.send(&request[..request.len() - 4])
        .expect("a connection");
    assert_problem(&slow.answer(), 408);
    assert!(slow.closed());
}

#[test]
fn paths_beside_the_endpoints_are_no_endpoints() {
    let house = house();
    let mut client = house.client();
    for path in ["/oauth2", "/oauth2/Token", "/oauth2/%74oken"] {
        assert_problem(&client.ask(posted(path, FORM, "")), 404);
    }
    assert_problem(&client.ask(posted("/oauth2/token/", FORM, "")), 400);
}

/// The gateway without the section knows no such paths.
#[test]
fn without_an_issuer_there_are_no_endpoints() {
    let house = House::open();
    assert_problem(&house.client().ask(posted(TOKEN, FORM, "")), 404);
}

/// The key is in the token, and no shard waits for it.
#[test]
fn key_in_a_token_signs_tokens_on_the_signers_threads() {
    let origin = Origin::start();
    let (mut stage, spy) = Stage::with_spied_token(origin.address, Key::P256);
    stage.issue_tokens_from(&spy.token);
    let gateway = stage.start();
    let mut client = stage
        .dialer(&stage.acme)
        .connect(gateway.address)
        .expect("a handshake");
    let before = spy.signatures();
    let token = token_of(&asked(&mut client, FORM));
    assert_eq!(spy.signatures(), before + 1);
    assert_eq!(client.get(PATH, &token).status, 200);
    // Refused, nothing is signed.
    assert_grant_refused(&asked(&mut client, "grant_type=x&client_id=acme-app"), {
        "unsupported_grant_type"
    });
    assert_eq!(spy.signatures(), before + 1);
}

/// Its tokens are lost: clients are told to come again, and what is open stays open.
#[test]
fn lost_issuer_key_is_told_by_503_and_costs_no_connection() {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    stage.issue_tokens_from(&token);
    let gateway = stage.start();
    let mut client = stage
        .dialer(&stage.acme)
        .connect(gateway.address)
        .expect("a handshake");
    let access = token_of(&asked(&mut client, FORM));
    let store = stage.scratch.path().join("tokens");
    std::fs::rename(&store, stage.scratch.path().join("elsewhere")).expect("our own folder");
    let mut refused = asked(&mut client, FORM);
    // What the library still remembers it may still sign with.
    for _ in 0..20 {
        if refused.status == 503 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        refused = asked(&mut client, FORM);
    }
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(json(&refused)["error"], "temporarily_unavailable");
    assert_eq!(refused.field("retry-after"), Some("1"));
    assert_eq!(client.get(PATH, &access).status, 200);
}

/// curl, as the README says it.
#[test]
fn curl_fetches_a_token_and_uses_it() {
    let house = house();
    let (address, ca) = (house.gateway.address, &house.stage.operator_ca.certificate);
    let acme: &Identity = &house.stage.acme;
    let mut fetch = curl(address, ca, Some(acme));
    fetch.args(["--data", FORM]).arg(url(address, TOKEN));
    let said: Value = serde_json::from_str(&run_well(&mut fetch)).expect("JSON");
    let token = said["access_token"].as_str().expect("a token");
    let mut get = curl(address, ca, Some(acme));
    get.arg("--fail")
        .arg("--oauth2-bearer")
        .arg(token)
        .arg(url(address, PATH));
    let outcome = run(&mut get, b"", WAIT);
    assert!(outcome.status.success(), "{}", outcome.stderr);
}

/// A connection may outlive its certificate: then it fetches nothing any more.
#[test]
fn certificate_that_expires_on_the_connection_fetches_no_token() {
    let house = house();
    let leaf = Leaf {
        valid_until_s: 2,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    let brief = house.stage.partner_ca.issue("brief", &leaf);
    let dialer = house.stage.dialer(&brief);
    let mut client = dialer.connect(house.gateway.address).expect("a client");
    token_of(&asked(&mut client, FORM));
    std::thread::sleep(Duration::from_millis(3_200));
    let refused = asked(&mut client, FORM);
    assert_problem(&refused, 401);
    assert!(refused.text().contains("CERTIFICATE_EXPIRED"));
    assert!(client.closed());
}

/// The answer to a request behind a refused form is that request's.
#[test]
fn requests_behind_a_form_are_answered_in_their_order() {
    let house = house();
    let mut client = house.client();
    let token = token_of(&asked(&mut client, FORM));
    let both = posted(TOKEN, "grant_type=x&client_id=acme-app", "") + &get(PATH, &token);
    assert_grant_refused(&client.ask(&both), "unsupported_grant_type");
    assert_eq!(client.answer().status, 200);
    // A form that is refused unread is skipped whole, whatever it looks like.
    let inner = get(PATH, &token);
    let unread = posted(TOKEN, &inner, "").replace("x-www-form-urlencoded", "json");
    let before = house.origin.requests();
    assert_grant_refused(&client.ask(unread), "invalid_request");
    token_of(&asked(&mut client, FORM));
    assert_eq!(house.origin.requests(), before);
}
