//! Every way to be refused before the SCEF hears of it, and what is said about it.

use serde_json::{Value, json};

use crate::harness::client::{Client, HOST, Response, get, request};
use crate::harness::mint::{self, AUDIENCE, Algorithm, ISSUER, Mint, now_s, with, without};
use crate::harness::stage::{API, House, PATH, RESOURCE, Stage};

/// A refusal is a problem document whose members agree with its head.
pub fn assert_problem(response: &Response, status: u16) {
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(
        response.field("content-type"),
        Some("application/problem+json")
    );
    let problem: Value = serde_json::from_slice(&response.body).expect("a JSON document");
    assert_eq!(problem["status"], status);
    for member in ["title", "detail", "cause"] {
        let text = problem[member].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{member} is missing: {problem}");
    }
    let cause = problem["cause"].as_str().expect("checked above");
    let upper_snake = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    assert!(cause.chars().all(upper_snake), "{cause}");
    assert!(
        response
            .field("x-request-id")
            .is_some_and(|id| !id.is_empty())
    );
}

fn challenge(response: &Response) -> &str {
    let challenge = response.field("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Bearer "), "{challenge}");
    challenge
}

fn assert_invalid_token(response: &Response) {
    assert_problem(response, 401);
    let challenge = challenge(response);
    assert!(
        challenge.contains(r#"error="invalid_token""#),
        "{challenge}"
    );
}

/// Asks with a token that must be refused as such, and with a good one on the same connection:
/// the refusal is of the token, and costs nobody the connection.
fn refuses(house: &House, token: &str) {
    let mut client = house.client();
    assert_invalid_token(&client.get(PATH, token));
    assert_eq!(house.origin.requests(), 0);
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    // What was refused stays refused with the good one remembered.
    assert_invalid_token(&client.get(PATH, token));
    assert_eq!(house.origin.requests(), 1);
}

fn refuses_claims(change: impl FnOnce(Value) -> Value) {
    let house = House::open();
    let token = house.stage.mint.good(&change(house.stage.claims()));
    refuses(&house, &token);
}

fn serves_claims(change: impl FnOnce(Value) -> Value) {
    let house = House::open();
    let token = house.stage.mint.good(&change(house.stage.claims()));
    assert_eq!(house.client().get(PATH, &token).status, 200);
}

fn refuses_header(change: impl FnOnce(Value) -> Value) {
    let house = House::open();
    let mint = &house.stage.mint;
    let token = mint.token(&change(mint.header()), &house.stage.claims());
    refuses(&house, &token);
}

fn ask_plain(client: &mut Client, fields: &str) -> Response {
    client.ask(format!(
        "GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n"
    ))
}

// The token's place in the request.

//= RFC 6750 section 3.1 type=test
//# Who sends no token learns that one is needed, and no error code.
#[test]
fn request_without_token_is_refused_without_error_code() {
    let house = House::open();
    let response = ask_plain(&mut house.client(), "");
    assert_problem(&response, 401);
    assert_eq!(challenge(&response), r#"Bearer realm="t8""#);
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn authorization_of_another_scheme_is_refused() {
    let house = House::open();
    let response = ask_plain(&mut house.client(), "Authorization: Basic YTpi\r\n");
    assert_eq!(response.status, 401);
    assert_eq!(challenge(&response), r#"Bearer realm="t8""#);
    assert_eq!(house.origin.requests(), 0);
}

fn assert_invalid_request(fields: &str) {
    let house = House::open();
    let response = ask_plain(&mut house.client(), fields);
    assert_problem(&response, 400);
    let challenge = challenge(&response);
    assert!(
        challenge.contains(r#"error="invalid_request""#),
        "{challenge}"
    );
    assert_eq!(house.origin.requests(), 0);
}

//= RFC 6750 section 3.1 type=test
//# A malformed credential is an invalid request.
#[test]
fn malformed_authorization_is_an_invalid_request() {
    assert_invalid_request("Authorization: Bearer\r\n");
    assert_invalid_request("Authorization: Bearer a b\r\n");
    assert_invalid_request("Authorization: Bearer a,b\r\n");
}

//= RFC 6750 section 2 type=test
//# A token is sent once.
#[test]
fn authorization_sent_twice_is_an_invalid_request() {
    assert_invalid_request("Authorization: Bearer abc\r\nAuthorization: Bearer abc\r\n");
}

#[test]
fn good_token_sent_twice_is_an_invalid_request() {
    let house = House::open();
    let field = format!("Authorization: Bearer {}\r\n", house.token());
    let response = ask_plain(&mut house.client(), &field.repeat(2));
    assert_problem(&response, 400);
    assert_eq!(house.origin.requests(), 0);
}

//= RFC 6750 section 2.1 type=test
//# The scheme's name is taken in any case.
#[test]
fn scheme_is_taken_in_any_case() {
    let house = House::open();
    let field = format!("authorization: bEARER {}\r\n", house.token());
    assert_eq!(ask_plain(&mut house.client(), &field).status, 200);
}

#[test]
fn token_in_the_query_is_not_a_token() {
    let house = House::open();
    let path = format!("{PATH}?access_token={}", house.token());
    let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    assert!(matches!(house.client().ask(request).status, 400 | 401));
    assert_eq!(house.origin.requests(), 0);
}

// What a token must be.

#[test]
fn tokens_of_every_algorithm_are_taken() {
    for algorithm in Algorithm::ALL {
        let mint = Mint::new(algorithm, "the-key");
        let house = House::open_staged(|stage| trust(stage, &mint));
        let token = mint.good(&house.stage.claims());
        assert_eq!(
            house.client().get(PATH, &token).status,
            200,
            "{algorithm:?}"
        );
    }
}

/// Trusts one key, as a PEM file.
fn trust(stage: &mut Stage, mint: &Mint) {
    let file = stage.scratch.write("issuer.pem", mint.public_pem());
    stage.config.without_tables("issuer").table(
        "issuer",
        &format!(
            "name = {ISSUER:?}\naudience = {AUDIENCE:?}\npem = {:?}\nalgorithm = {:?}\nkid = {:?}",
            file.display().to_string(),
            mint.algorithm.name(),
            mint.kid,
        ),
    );
}

#[test]
fn token_that_is_not_a_jwt_is_refused() {
    let house = House::open();
    for token in ["x", "a.b", "a.b.c", "a.b.c.d", "..", "e30.e30.e30"] {
        refuses_once(&house, token);
    }
}

fn refuses_once(house: &House, token: &str) {
    assert_invalid_token(&house.client().get(PATH, token));
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn token_over_its_bound_is_refused() {
    let house = House::open_with(|config| {
        config.set("limits.head_bytes_max", "\"32KiB\"");
    });
    let claims = with(house.stage.claims(), "padding", "p".repeat(9 * 1024));
    refuses_once(&house, &house.stage.mint.good(&claims));
}

#[test]
fn token_with_a_changed_signature_is_refused() {
    let house = House::open();
    let token = house.token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    refuses(&house, &format!("{signed}.{first}{}", &signature[1..]));
}

#[test]
fn token_with_changed_claims_is_refused() {
    let house = House::open();
    let token = house.token();
    let signature = token.rsplit('.').next().unwrap();
    let claims = with(house.stage.claims(), "exp", now_s() + 9_999);
    let other = house.stage.mint.good(&claims);
    let signed = other.rsplit_once('.').unwrap().0;
    refuses(&house, &format!("{signed}.{signature}"));
}

#[test]
fn token_of_another_key_with_the_same_kid_is_refused() {
    let house = House::open();
    let forger = Mint::new(Algorithm::Es256, &house.stage.mint.kid);
    refuses(&house, &forger.good(&house.stage.claims()));
}

#[test]
fn token_of_an_unknown_key_is_refused() {
    refuses_header(|header| with(header, "kid", "nobody"));
}

//= RFC 9068 section 4 type=test
//# `none` is no algorithm.
#[test]
fn token_without_signature_is_refused() {
    let house = House::open();
    let mint = &house.stage.mint;
    let header = with(mint.header(), "alg", "none");
    let token = mint.token(&header, &house.stage.claims());
    let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
    refuses(&house, &token);
    refuses_once_more(&house, &unsigned);
}

fn refuses_once_more(house: &House, token: &str) {
    let before = house.origin.requests();
    let response = house.client().get(PATH, token);
    assert!(matches!(response.status, 400 | 401), "{}", response.status);
    assert_eq!(house.origin.requests(), before);
}

//= RFC 8725 section 3.1 type=test
//# The key says which algorithm, not the token.
#[test]
fn token_that_names_another_algorithm_than_its_key_is_refused() {
    refuses_header(|header| with(header, "alg", "ES384"));
    refuses_header(|header| with(header, "alg", "HS256"));
}

//= RFC 9068 section 4 type=test
//# The type is `at+jwt`.
#[test]
fn token_of_another_type_is_refused() {
    refuses_header(|header| with(header, "typ", "JWT"));
    refuses_header(|header| without(header, "typ"));
}

//= RFC 9068 section 4 type=test
//# A media type is taken in any case and with its prefix.
#[test]
fn type_is_taken_as_a_media_type() {
    let house = House::open();
    let mint = &house.stage.mint;
    for typ in ["AT+JWT", "application/at+jwt"] {
        let token = mint.token(&with(mint.header(), "typ", typ), &house.stage.claims());
        assert_eq!(house.client().get(PATH, &token).status, 200, "{typ}");
    }
}

//= RFC 7515 section 4.1.11 type=test
//# What must be understood and is not makes the token invalid.
#[test]
fn token_with_an_unknown_critical_header_is_refused() {
    refuses_header(|header| with(with(header, "crit", json!(["x"])), "x", 1));
}

#[test]
fn token_with_a_duplicate_member_is_refused() {
    let house = House::open();
    let mint = &house.stage.mint;
    let claims = house.stage.claims().to_string();
    let twice = format!(
        "{},\"client_id\":\"acme-app\"}}",
        claims.strip_suffix('}').unwrap()
    );
    refuses(
        &house,
        &mint.token_of_text(&mint.header().to_string(), &twice),
    );
    let header = mint.header().to_string();
    let twice = format!("{},\"alg\":\"ES256\"}}", header.strip_suffix('}').unwrap());
    refuses_once_more(&house, &mint.token_of_text(&twice, &claims));
}

//= RFC 9068 section 2.2 type=test
//# The required claims are all there.
#[test]
fn token_without_a_required_claim_is_refused() {
    let house = House::open();
    for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        let claims = without(house.stage.claims(), claim);
        let response = house.client().get(PATH, &house.stage.mint.good(&claims));
        assert_invalid_token(&response);
        assert_eq!(house.origin.requests(), 0, "{claim}");
    }
}

#[test]
fn token_with_a_claim_of_another_type_is_refused() {
    let house = House::open();
    let odd = [
        ("iss", json!(1)),
        ("exp", json!("soon")),
        ("exp", json!(-1)),
        ("aud", json!({})),
        ("client_id", json!(["acme-app"])),
        ("cnf", json!("x")),
        ("scope", json!([API])),
    ];
    for (claim, value) in odd {
        let claims = with(house.stage.claims(), claim, value);
        refuses_once(&house, &house.stage.mint.good(&claims));
    }
}

#[test]
fn token_of_another_issuer_is_refused() {
    refuses_claims(|claims| with(claims, "iss", "https://other.example"));
    refuses_claims(|claims| with(claims, "iss", format!("{ISSUER}/")));
}

#[test]
fn token_for_another_audience_is_refused() {
    refuses_claims(|claims| with(claims, "aud", "https://other.example"));
    refuses_claims(|claims| with(claims, "aud", json!([])));
}

#[test]
fn token_for_several_audiences_is_taken() {
    serves_claims(|claims| with(claims, "aud", json!(["https://other.example", AUDIENCE])));
}

/// The leeway of TS 33.122 Annex C is 30 s.
#[test]
fn expired_token_is_refused_and_one_within_the_leeway_taken() {
    refuses_claims(|claims| with(claims, "exp", now_s() - 32));
    serves_claims(|claims| with(claims, "exp", now_s() - 20));
}

#[test]
fn token_that_is_not_valid_yet_is_refused_and_one_within_the_leeway_taken() {
    refuses_claims(|claims| with(claims, "nbf", now_s() + 60));
    serves_claims(|claims| with(claims, "nbf", now_s() + 20));
}

/// The moment valid becomes invalid, for a token that every cache remembers.
#[test]
fn cached_token_is_refused_once_it_expires() {
    let house = House::open();
    let exp = now_s() - 27;
    let token = house
        .stage
        .mint
        .good(&with(house.stage.claims(), "exp", exp));
    let mut client = house.client();
    assert_eq!(client.get(PATH, &token).status, 200);
    crate::harness::wait_until("the token to expire", || now_s() > exp + 31);
    assert_invalid_token(&client.get(PATH, &token));
    assert_invalid_token(&house.client().get(PATH, &token));
    assert_eq!(house.origin.requests(), 1);
}

// Whose token it is.

//= RFC 8705 section 3 type=test
//# The certificate of this very connection is the one the token names.
#[test]
fn token_of_another_certificate_is_refused() {
    let house = House::open();
    let thumbprint = house.stage.globex.thumbprint();
    refuses(
        &house,
        &house
            .stage
            .mint
            .good(&mint::claims("acme-app", API, &thumbprint)),
    );
}

/// A cache that forgot whose token it is would let this one in.
#[test]
fn cached_token_of_one_client_is_refused_to_another() {
    let house = House::open();
    let token = house.token();
    assert_eq!(house.client().get(PATH, &token).status, 200);
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut thief = dialer.connect(house.gateway.address).unwrap();
    let path = "/3gpp-monitoring-event/v1/globex/subscriptions";
    assert_invalid_token(&thief.get(path, &token));
    assert_eq!(house.origin.requests(), 1);
}

#[test]
fn token_bound_to_no_certificate_is_refused() {
    refuses_claims(|claims| without(claims, "cnf"));
    refuses_claims(|claims| with(claims, "cnf", json!({})));
    refuses_claims(|claims| with(claims, "cnf", json!({"x5t#S256": ""})));
}

#[test]
fn token_of_another_client_is_refused_whatever_it_is_bound_to() {
    refuses_claims(|claims| with(claims, "client_id", "globex-app"));
    refuses_claims(|claims| with(claims, "client_id", "nobody"));
}

// What it opens.

//= RFC 6750 section 3.1 type=test
//# A good token for something else is insufficient.
#[test]
fn token_without_the_apis_scope_is_forbidden() {
    for scope in [
        "3gpp-nidd",
        "3gpp-monitoring-even",
        "3gpp-monitoring-eventx",
    ] {
        let house = House::open();
        let token = house
            .stage
            .mint
            .good(&with(house.stage.claims(), "scope", scope));
        let response = house.client().get(PATH, &token);
        assert_problem(&response, 403);
        let challenge = challenge(&response);
        assert!(
            challenge.contains(r#"error="insufficient_scope""#),
            "{challenge}"
        );
        assert_eq!(house.origin.requests(), 0);
    }
}

/// What is missing is named: the least that would do.
#[test]
fn scope_of_one_half_of_an_api_allows_that_half_alone() {
    for (half, other) in [("read", "write"), ("write", "read")] {
        let house = House::open();
        let claims = with(house.stage.claims(), "scope", format!("{API}:{half}"));
        let token = house.stage.mint.good(&claims);
        let mut client = house.client();
        let read = client.get(PATH, &token);
        let fields = "Content-Type: application/json\r\n";
        let write = client.ask(request("POST", PATH, &token, fields, b"{}"));
        let (allowed, refused) = match half {
            "read" => (read, write),
            _ => (write, read),
        };
        assert_eq!(allowed.status, 200, "{half}");
        assert_problem(&refused, 403);
        let challenge = challenge(&refused);
        assert!(
            challenge.contains(&format!("scope=\"{API}:{other}\"")),
            "{challenge}"
        );
        // The API is named in the token's scope: it is what is asked of it that is not.
        let text = refused.text();
        assert!(text.contains("does not cover this operation"), "{text}");
        assert_eq!(house.origin.requests(), 1);
    }
}

#[test]
fn one_of_several_scopes_is_enough() {
    serves_claims(|claims| with(claims, "scope", format!("3gpp-nidd {API} other")));
}

/// ECRControl has no SCS/AS identifier in its paths: the certificate and the token say who asks.
#[test]
fn api_without_an_identifier_in_its_paths_is_served_in_the_certificates_name() {
    let house = House::open();
    let claims = with(house.stage.claims(), "scope", "3gpp-ecr-control");
    let token = house.stage.mint.good(&claims);
    let path = "/3gpp-ecr-control/v1/query";
    let asked = crate::harness::client::request("POST", path, &token, "", b"{}");
    assert_eq!(house.client().ask(asked).status, 200);
    assert_eq!(house.origin.only().field("x-scs-as-id"), Some("acme"));
    assert_problem(&house.client().get(path, &token), 405);
}

/// The connection remembers its last token, the CPU its last many; only an unknown one is verified.
#[test]
fn token_is_verified_once_and_remembered_by_connection_and_cpu() {
    let mut house = House::open();
    let token = house.token();
    for _ in 0..3 {
        let mut client = house.client();
        for _ in 0..5 {
            assert_eq!(client.get(PATH, &token).status, 200);
        }
    }
    house.gateway.terminate();
    assert!(house.gateway.wait(crate::harness::WAIT).is_some());
    crate::harness::wait_until("the counts in the log", || {
        house.gateway.log().contains("shard ended")
    });
    let log = house.gateway.log();
    for count in [
        "tokens_verified=1",
        "tokens_cached=2",
        "tokens_remembered=12",
    ] {
        assert!(log.contains(count), "{count}: {log}");
    }
}

#[test]
fn unknown_api_is_not_found() {
    let house = House::open();
    let mut client = house.client();
    let unknown = [
        "/",
        "/index.html",
        "/3gpp-unknown/v1/acme/subscriptions",
        "/3gpp-monitoring-event/v2/acme/subscriptions",
        "/3gpp-monitoring-event/v1/acme/unknown",
        "/3gpp-monitoring-event/v1/acme/subscriptions/1/2/3",
        "/3GPP-monitoring-event/v1/acme/subscriptions",
    ];
    for path in unknown {
        assert_problem(&client.get(path, &house.token()), 404);
    }
    assert_eq!(house.origin.requests(), 0);
}

//= RFC 9110 section 15.5.6 type=test
//# A method the resource does not have is answered with those it has.
#[test]
fn wrong_method_is_answered_with_the_right_ones() {
    let house = House::open();
    let mut client = house.client();
    for (method, path, allowed) in [
        ("DELETE", PATH, &["GET", "HEAD", "POST"][..]),
        (
            "POST",
            RESOURCE,
            &["GET", "HEAD", "PUT", "PATCH", "DELETE"][..],
        ),
        ("OPTIONS", PATH, &["GET", "HEAD", "POST"][..]),
        ("TRACE", PATH, &["GET", "HEAD", "POST"][..]),
        ("GET", "/3gpp-ecr-control/v1/query", &["POST"][..]),
    ] {
        let token = house.token();
        let request = crate::harness::client::request(method, path, &token, "", b"");
        let response = client.ask(request);
        assert_problem(&response, 405);
        let allow = response.field("allow").expect("an Allow field");
        let mut named: Vec<&str> = allow.split(',').map(str::trim).collect();
        named.retain(|method| *method != "HEAD");
        let mut expected = allowed.to_vec();
        expected.retain(|method| *method != "HEAD");
        named.sort_unstable();
        expected.sort_unstable();
        assert_eq!(named, expected, "{method} {path}");
    }
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn path_of_another_clients_scs_as_id_is_forbidden() {
    let house = House::open();
    let mut client = house.client();
    for scs_as_id in ["globex", "nobody", "ACME", "acme%2Dthree", "acme."] {
        let path = format!("/3gpp-monitoring-event/v1/{scs_as_id}/subscriptions");
        assert_problem(&client.get(&path, &house.token()), 403);
    }
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn every_scs_as_id_of_a_client_is_its_own() {
    let house = House::open();
    let mut client = house.client();
    for scs_as_id in ["acme", "acme-two", "acme%2Dtwo"] {
        let path = format!("/3gpp-monitoring-event/v1/{scs_as_id}/subscriptions");
        assert_eq!(client.get(&path, &house.token()).status, 200, "{scs_as_id}");
    }
}

/// The order is the policy: API, then identity in the path, then the token.
#[test]
fn checks_are_made_in_their_order() {
    let house = House::open();
    let mut client = house.client();
    let other = "/3gpp-monitoring-event/v1/globex/subscriptions";
    assert_eq!(client.ask(get("/nothing", "bad")).status, 404);
    assert_eq!(client.ask(get(other, "bad")).status, 403);
    assert_eq!(client.ask(get(PATH, "bad")).status, 401);
    assert_eq!(house.origin.requests(), 0);
}

/// Neither token nor claims nor thumbprint are for logs or answers.
#[test]
fn refusals_do_not_repeat_the_token() {
    let house = House::open();
    let token = house.stage.mint.good(&with(house.stage.claims(), "exp", 1));
    let response = house.client().get(PATH, &token);
    assert_invalid_token(&response);
    let parts: Vec<&str> = token.split('.').collect();
    // The log is written behind the answer.
    crate::harness::wait_until("the refusal in the log", || {
        house.gateway.log().contains("token_expired")
    });
    let log = house.gateway.log();
    for secret in [parts[1], parts[2], house.stage.acme.thumbprint().as_str()] {
        assert!(!response.text().contains(secret));
        assert!(!log.contains(secret));
    }
}
