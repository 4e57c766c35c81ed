//! The gateway as a resource server, rule by rule over a real connection: the rules of RFC 6749,
//! 6750, 9068, 8705, 9396 and 7515 in the order of the checklist that its operators audit by, and
//! behind them RFC 8725, section by section.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::client::{Client, HOST, Response, get, request};
use crate::harness::mint::{AUDIENCE, Algorithm, ISSUER, Mint, now_s, with, without};
use crate::harness::pki::Identity;
use crate::harness::stage::{API, House, PATH};

mod attacks;
mod jwt_practices;

fn send(house: &House, token: &str) -> Response {
    house.client().get(PATH, token)
}

fn claimed(house: &House, change: impl FnOnce(Value) -> Value) -> String {
    house.stage.mint.good(&change(house.stage.claims()))
}

fn headed(house: &House, change: impl FnOnce(Value) -> Value) -> String {
    let mint = &house.stage.mint;
    mint.token(&change(mint.header()), &house.stage.claims())
}

/// The `WWW-Authenticate` of an answer, parsed: each parameter at most once.
fn challenge(response: &Response) -> Vec<(String, String)> {
    assert_eq!(response.all("www-authenticate").len(), 1);
    let said = response.field("www-authenticate").expect("a challenge");
    let parameters = said.strip_prefix("Bearer ").expect("of the scheme Bearer");
    let mut found: Vec<(String, String)> = Vec::new();
    // No value has a quotation mark in it.
    for parameter in parameters.strip_suffix('"').expect("quotes").split("\", ") {
        let (name, value) = parameter.split_once("=\"").expect("a name and a value");
        let value = value.to_owned();
        assert!(found.iter().all(|(known, _)| known != name), "{said}");
        found.push((name.to_owned(), value));
    }
    found
}

fn error(response: &Response) -> Option<String> {
    let of_error = |(name, value)| (name == "error").then_some(value);
    challenge(response).into_iter().find_map(of_error)
}

/// It is refused as an invalid token, and the SCEF hears nothing of it.
#[track_caller]
fn invalid(house: &House, token: &str) {
    let before = house.origin.requests();
    let response = send(house, token);
    assert_eq!(response.status, 401);
    assert_eq!(error(&response).as_deref(), Some("invalid_token"));
    assert_eq!(house.origin.requests(), before);
}

#[track_caller]
fn served(house: &House, token: &str) {
    assert_eq!(send(house, token).status, 200);
}

fn bare(client: &mut Client, fields: &str) -> Response {
    client.ask(format!(
        "GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n"
    ))
}

//= RFC 6749 section 7 type=test
//# Every token is looked at: it has not expired, and covers what is asked for.
#[test]
fn row_01_every_token_is_validated_for_time_and_scope() {
    let house = House::open();
    served(&house, &house.token());
    invalid(
        &house,
        &claimed(&house, |claims| with(claims, "exp", now_s() - 31)),
    );
    let other = claimed(&house, |claims| with(claims, "scope", "3gpp-nidd"));
    assert_eq!(send(&house, &other).status, 403);
    assert_eq!(house.origin.requests(), 1);
}

//= RFC 6750 section 2 type=test
//# The token comes in the header field, once, and in no second way.
#[test]
fn row_02_a_token_comes_in_the_authorization_field_and_once() {
    let house = House::open();
    let token = house.token();
    let field = format!("Authorization: Bearer {token}\r\n");
    let mut client = house.client();
    assert_eq!(bare(&mut client, &field).status, 200);
    for fields in [
        field.repeat(2),
        format!("{field}Authorization: Basic YTpi\r\n"),
    ] {
        let response = bare(&mut client, &fields);
        assert_eq!(
            (response.status, error(&response).as_deref()),
            (400, Some("invalid_request"))
        );
    }
    let query = format!("{PATH}?access_token={token}");
    let response = client.ask(get(&query, &token));
    assert_eq!(
        (response.status, error(&response).as_deref()),
        (400, Some("invalid_request"))
    );
    assert_eq!(house.origin.requests(), 1);
}

//= RFC 6750 section 2.2 type=test
//# A token in a form or a query is none.
#[test]
fn row_03_a_token_in_a_form_or_a_query_is_none_and_stands_in_no_log() {
    let mut audit = None;
    let house = House::open_staged(|stage| audit = Some(stage.watch()));
    let token = house.token();
    let mut client = house.client();
    let form = format!("access_token={token}");
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    assert_eq!(client.ask(head).status, 401);
    for name in ["access_token", "ACCESS_TOKEN", "access%5Ftoken"] {
        let path = format!("{PATH}?x=1&{name}={token}");
        let response = client.ask(format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
        assert_eq!(response.status, 400, "{name}");
    }
    assert_eq!(house.origin.requests(), 0);
    let signature = token.rsplit('.').next().unwrap();
    assert!(!house.gateway.log().contains(signature));
    let audit = std::fs::read_to_string(audit.unwrap()).unwrap_or_default();
    assert!(!audit.contains(signature));
}

//= RFC 6750 section 3 type=test
//# The challenge has one parameter at least, each at most once, and no error without a token.
#[test]
fn row_04_a_challenge_says_what_is_missing_and_no_error_without_a_token() {
    let house = House::open();
    let nothing = bare(&mut house.client(), "");
    assert_eq!(challenge(&nothing), [("realm".to_owned(), "t8".to_owned())]);
    let insufficient = send(
        &house,
        &claimed(&house, |claims| with(claims, "scope", "3gpp-nidd")),
    );
    let names: Vec<_> = challenge(&insufficient).into_iter().collect();
    assert!(names.contains(&("error".into(), "insufficient_scope".into())));
    assert!(names.contains(&("scope".into(), format!("{API}:read"))));
}

//= RFC 6750 section 3.1 type=test
//# invalid_request is 400, invalid_token is 401, insufficient_scope is 403.
#[test]
fn row_05_each_error_code_has_its_status() {
    let house = House::open();
    let mut client = house.client();
    let response = bare(&mut client, "Authorization: Bearer a b\r\n");
    assert_eq!(
        (response.status, error(&response).as_deref()),
        (400, Some("invalid_request"))
    );
    let response = client.get(PATH, "a.b.c");
    assert_eq!(
        (response.status, error(&response).as_deref()),
        (401, Some("invalid_token"))
    );
    let token = claimed(&house, |claims| with(claims, "scope", "openid"));
    let response = client.get(PATH, &token);
    assert_eq!(
        (response.status, error(&response).as_deref()),
        (403, Some("insufficient_scope"))
    );
}

//= RFC 6750 section 3 type=test
//# Errors are written in the characters that are allowed for them.
#[test]
fn row_06_errors_have_allowed_characters_only_whatever_was_sent() {
    let house = House::open();
    let mut client = house.client();
    let odd = claimed(&house, |claims| with(claims, "client_id", "a\"\\\u{fc}"));
    for response in [
        client.get(PATH, &odd),
        client.get(PATH, "\"\\.x"),
        bare(&mut client, "Authorization: Bearer a,b\r\n"),
    ] {
        for (name, value) in challenge(&response) {
            let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
            assert!(value.bytes().all(allowed), "{name}={value}");
        }
    }
}

//= RFC 6750 section 5.2 type=test
//# Nothing is taken in the clear, and a token is kept nowhere.
#[test]
fn row_07_tokens_are_taken_over_tls_alone() {
    use std::io::{Read as _, Write as _};
    let house = House::open();
    let mut plain = std::net::TcpStream::connect(house.gateway.address).unwrap();
    plain
        .write_all(get(PATH, &house.token()).as_bytes())
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    assert_eq!(house.origin.requests(), 0);
    served(&house, &house.token());
    let received = house.origin.last();
    assert_eq!(received.field("authorization"), None);
}

//= RFC 9068 section 4 type=test
//# The type is at+jwt, as a media type, and no other.
#[test]
fn row_08_the_type_of_a_token_is_at_jwt() {
    let house = House::open();
    for kind in [
        "at+jwt",
        "AT+jwt",
        "application/at+jwt",
        "Application/AT+JWT",
    ] {
        served(&house, &headed(&house, |header| with(header, "typ", kind)));
    }
    for kind in [
        "JWT",
        "jwt",
        "at+jwt ",
        "text/at+jwt",
        "application/jwt",
        "",
    ] {
        invalid(&house, &headed(&house, |header| with(header, "typ", kind)));
    }
    invalid(&house, &headed(&house, |header| without(header, "typ")));
    invalid(&house, &headed(&house, |header| with(header, "typ", 1)));
}

//= RFC 9068 section 4 type=test
//# Issuer, audience, signature and expiry hold, each of them.
#[test]
fn row_09_issuer_audience_signature_and_expiry_must_hold() {
    let house = House::open();
    let change = |name: &str, value: Value| {
        invalid(&house, &claimed(&house, |claims| with(claims, name, value)));
    };
    change("iss", json!(format!("{ISSUER}/")));
    change("iss", json!("https://other.example"));
    change("aud", json!("https://other.example"));
    change("aud", json!([]));
    let expired = json!(now_s() - 30);
    // A shard looks at the clock every 25 ms: the second may have begun just now.
    std::thread::sleep(std::time::Duration::from_millis(100));
    change("exp", expired);
    served(
        &house,
        &claimed(&house, |claims| with(claims, "aud", json!(["x", AUDIENCE]))),
    );
    let token = house.token();
    let (signed, _) = token.rsplit_once('.').unwrap();
    invalid(
        &house,
        &format!("{signed}.{}", URL_SAFE_NO_PAD.encode([1; 64])),
    );
    let header = with(house.stage.mint.header(), "alg", "none");
    let none = house.stage.mint.token(&header, &house.stage.claims());
    invalid(&house, &none);
    let (signed, _) = none.rsplit_once('.').unwrap();
    invalid(&house, &format!("{signed}."));
}

//= RFC 9068 section 2.2 type=test
//# Seven claims are required; RS256 is among what is verified.
#[test]
fn row_10_every_required_claim_is_there_and_rs256_is_taken() {
    let house = House::open();
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        invalid(&house, &claimed(&house, |claims| without(claims, name)));
    }
    let rsa = Mint::new(Algorithm::Rs256, "rsa");
    let house = House::open_staged(|stage| {
        let file = stage.scratch.write("rsa.pem", rsa.public_pem());
        stage.config.without_tables("issuer").table(
            "issuer",
            &format!(
                "name = {ISSUER:?}\naudience = {AUDIENCE:?}\npem = {:?}\nalgorithm = \"RS256\"\n\
                 kid = \"rsa\"",
                file.display().to_string()
            ),
        );
    });
    served(&house, &rsa.good(&house.stage.claims()));
}

//= RFC 9068 section 4 type=test
//# Whatever does not hold, the token is invalid.
#[test]
fn row_11_every_failure_is_invalid_token() {
    let house = House::open();
    for token in [
        headed(&house, |header| with(header, "kid", "nobody")),
        headed(&house, |header| with(header, "alg", "ES384")),
        headed(&house, |header| with(header, "crit", json!(["exp"]))),
        claimed(&house, |claims| with(claims, "nbf", now_s() + 60)),
        claimed(&house, |claims| with(claims, "iat", now_s() + 60)),
        claimed(&house, |claims| with(claims, "scope", json!(["a"]))),
        claimed(&house, |claims| with(claims, "client_id", "globex-app")),
        claimed(&house, |claims| with(claims, "client_id", "nobody")),
        "x".to_owned(),
    ] {
        invalid(&house, &token);
    }
}

//= RFC 9068 section 2.2.3 type=test
//# The scope is one text of values with a space between.
#[test]
fn row_12_the_scope_is_one_text_of_values() {
    let house = House::open();
    let scoped = |scope: &str| claimed(&house, |claims| with(claims, "scope", scope));
    served(&house, &scoped(&format!("openid {API}")));
    for scope in [format!("x,{API}"), format!("{API}x"), API.to_uppercase()] {
        assert_eq!(send(&house, &scoped(&scope)).status, 403, "{scope}");
    }
    for scope in [
        format!("x  {API}"),
        format!(" {API}"),
        format!("x\t{API}"),
        String::new(),
    ] {
        invalid(&house, &scoped(&scope));
    }
}

//= RFC 8705 section 3 type=test
//# The certificate of this connection is the one in the token.
#[test]
fn row_13_a_token_is_good_on_connections_with_its_certificate_alone() {
    let house = House::open();
    let token = house.token();
    served(&house, &token);
    let globex = house.stage.dialer(&house.stage.globex);
    let mut globex = globex.connect(house.gateway.address).unwrap();
    let response = globex.get(&PATH.replace("acme", "globex"), &token);
    assert_eq!(
        (response.status, error(&response).as_deref()),
        (401, Some("invalid_token"))
    );
    let foreign = house.stage.globex.thumbprint();
    let cnf = json!({ "x5t#S256": foreign });
    invalid(&house, &claimed(&house, |claims| with(claims, "cnf", cnf)));
}

//= RFC 8705 section 3.1 type=test
//# The thumbprint is SHA-256 in base64url, without padding.
#[test]
fn row_14_a_thumbprint_has_one_spelling() {
    let house = House::open();
    let good = house.stage.acme.thumbprint();
    let bytes = URL_SAFE_NO_PAD.decode(&good).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    for spelling in [
        format!("{good}="),
        format!("{good} "),
        hex,
        good[1..].to_owned(),
    ] {
        let cnf = json!({ "x5t#S256": spelling });
        invalid(&house, &claimed(&house, |claims| with(claims, "cnf", cnf)));
    }
    let sha1 = json!({"x5t": good});
    invalid(&house, &claimed(&house, |claims| with(claims, "cnf", sha1)));
}

//= RFC 9700 section 2.2 type=test
//# A token is bound unless its client is exempted by name; then it has to be that client's.
#[test]
fn row_15_an_unbound_token_is_taken_of_an_exempted_client_alone() {
    let unbound = |house: &House, client_id: &str| {
        claimed(house, |claims| {
            with(without(claims, "cnf"), "client_id", client_id)
        })
    };
    let house = House::open();
    invalid(&house, &unbound(&house, "acme-app"));
    let house = House::open_with(|config| {
        config.extend_table("client", 0, "unbound_tokens = true");
    });
    served(&house, &unbound(&house, "acme-app"));
    invalid(&house, &unbound(&house, "globex-app"));
}

//= RFC 8705 section 6.5 type=test
//# What a client says of a certificate in a header field is not heeded, and goes no further.
#[test]
fn row_16_a_certificate_in_a_header_field_counts_for_nothing() {
    let house = House::open();
    let encoded =
        |identity: &Identity| base64::engine::general_purpose::STANDARD.encode(&identity.der);
    let (acme, globex) = (encoded(&house.stage.acme), encoded(&house.stage.globex));
    let claim = |der: &str| {
        let fields = format!("Client-Cert: :{der}:\r\nX-Forwarded-Client-Cert: Cert={der}\r\n");
        request("GET", PATH, &house.token(), &fields, b"")
    };
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut other = dialer.connect(house.gateway.address).unwrap();
    assert!(matches!(other.ask(claim(&acme)).status, 401 | 403));
    assert_eq!(house.client().ask(claim(&globex)).status, 200);
    // What the SCEF hears is what the gateway says.
    let received = house.origin.only();
    let own = format!(":{acme}:");
    assert_eq!(received.all("client-cert"), [own.as_str()]);
    assert_eq!(received.field("x-forwarded-client-cert"), None);
}

//= RFC 9396 section 9 type=test
//# Details in a token are enforced; types that are not known give nothing.
#[test]
fn row_18_authorization_details_are_enforced() {
    let house = House::open();
    let status = |scope: &str, details: Value| {
        let token = claimed(&house, |claims| {
            with(
                with(claims, "scope", scope),
                "authorization_details",
                details,
            )
        });
        send(&house, &token).status
    };
    let read = json!([{"type": "t8_access", "apis": [API], "operations": ["read"]}]);
    let write = json!([{"type": "t8_access", "apis": [API], "operations": ["write"]}]);
    assert_eq!(status("openid", read.clone()), 200);
    assert_eq!(status(API, write), 403);
    assert_eq!(
        status("openid", json!([{"type": "other", "apis": [API]}])),
        403
    );
    assert_eq!(status(API, json!({"type": "t8_access"})), 401);
}

//= RFC 7515 section 4.1.11 type=test
//# What is critical and not understood makes a token invalid; it brings no key of its own.
#[test]
fn row_20_a_token_brings_neither_extensions_nor_keys() {
    let house = House::open();
    let forger = Mint::new(Algorithm::Es256, "forger");
    let forged = |name: &str, value: Value| {
        forger.token(&with(forger.header(), name, value), &house.stage.claims())
    };
    invalid(
        &house,
        &headed(&house, |header| with(header, "crit", json!(["b64"]))),
    );
    invalid(&house, &headed(&house, |header| with(header, "b64", false)));
    invalid(&house, &forged("jwk", forger.jwk()));
    invalid(&house, &forged("jku", json!("https://127.0.0.1:9/keys")));
    invalid(&house, &forged("x5u", json!("https://127.0.0.1:9/chain")));
    invalid(&house, &forged("x5c", json!(["MAA="])));
    for kid in [
        "../../../../dev/null",
        "' OR 1=1 --",
        "/etc/passwd",
        "\u{0}",
        "the-key/../x",
    ] {
        invalid(&house, &forged("kid", json!(kid)));
    }
    // With a good key they are passed over.
    let jwk = forger.jwk();
    served(&house, &headed(&house, |header| with(header, "jwk", jwk)));
}
