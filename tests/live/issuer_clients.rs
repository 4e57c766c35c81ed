//! How clients authenticate at the embedded issuer: by each name a certificate can have, by signed
//! assertions, and how often they may fail.

use serde_json::{Value, json};

use crate::harness::client::{Client, HOST, Response};
use crate::harness::mint::{Algorithm, Mint, now_s};
use crate::harness::pki::{Leaf, San};
use crate::harness::stage::{House, PATH};
use crate::issuer::{FORM, TOKEN, asked, assert_grant_refused, claims, json, posted, token_of};

/// What is registered of `acme`, whose certificate has these names.
fn fetched(registered: &str, sans: Vec<San>) -> Response {
    let house = House::open_staged(|stage| stage.issue_tokens_to(registered));
    let leaf = Leaf {
        sans,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    let identity = house.stage.partner_ca.issue("other", &leaf);
    let dialer = house.stage.dialer(&identity);
    let mut client = dialer.connect(house.gateway.address).expect("a client");
    asked(&mut client, FORM)
}

/// spec.md 5.2 #8.
//= RFC 8705 section 2.1.2 type=test
//# Each kind of name authenticates a client whose certificate has it, and no other certificate.
#[test]
fn spec_5_2_row_08_each_kind_of_name_authenticates_a_client() {
    let dns = || San::Dns("scs.acme.example");
    for (registered, fits, other) in [
        (
            "tls_client_auth_san_ip = \"2001:DB8::17\"",
            San::Ip("2001:db8::17"),
            San::Ip("2001:db8::18"),
        ),
        (
            "tls_client_auth_san_email = \"Scs@acme.example\"",
            San::Email("Scs@ACME.example"),
            San::Email("scs@acme.example"),
        ),
        (
            "tls_client_auth_san_dns = \"two.acme.example\"",
            San::Dns("two.acme.example"),
            San::Dns("three.acme.example"),
        ),
    ] {
        token_of(&fetched(registered, vec![dns(), fits]));
        let refused = fetched(registered, vec![dns(), other]);
        assert_grant_refused(&refused, "invalid_client");
    }
    let uri = "tls_client_auth_san_uri = \"urn:acme:scs\"";
    assert_grant_refused(&fetched(uri, vec![dns()]), "invalid_client");
    let subject = "tls_client_auth_subject_dn = \"CN=SCS/AS of a test,O=Example\"";
    token_of(&fetched(subject, vec![dns()]));
    let subject = "tls_client_auth_subject_dn = \"CN=SCS/AS of a test\"";
    assert_grant_refused(&fetched(subject, vec![dns()]), "invalid_client");
}

/// A house whose `acme` signs assertions with this key.
fn asserting(pen: &Mint) -> House {
    House::open_staged(|stage| {
        let jwks = json!({ "keys": [pen.jwk()] }).to_string();
        let jwks = stage.scratch.write("acme.jwks", jwks);
        stage.issue_tokens_to(&format!("private_key_jwt = {jwks:?}"));
    })
}

fn good(jti: &str) -> Value {
    json!({
        "iss": "acme-app", "sub": "acme-app", "aud": format!("https://{HOST}"),
        "exp": now_s() + 60, "jti": jti,
    })
}

/// A request for a token with an assertion of these claims.
fn form(pen: &Mint, claims: &Value) -> String {
    let header = json!({"alg": pen.algorithm.name(), "kid": pen.kid});
    let assertion = pen.token(&header, claims);
    let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    format!(
        "grant_type=client_credentials&client_assertion_type={kind}&client_assertion={assertion}"
    )
}

/// spec.md 5.2 #8 and #9.
//= RFC 7523 section 2.2 type=test
//# An assertion by the registered key fetches a token, which is the certificate's.
//= RFC 8705 section 3 type=test
//# The certificate of the connection binds the token, however the client authenticates.
#[test]
fn assertion_fetches_a_token_that_is_bound_to_the_certificate() {
    for algorithm in Algorithm::ALL {
        let pen = Mint::new(algorithm, "acme-1");
        let house = asserting(&pen);
        let mut client = house.client();
        let token = token_of(&asked(&mut client, &form(&pen, &good("one"))));
        assert_eq!(
            claims(&token)["cnf"]["x5t#S256"],
            house.stage.acme.thumbprint()
        );
        assert_eq!(client.get(PATH, &token).status, 200);
        // Its certificate alone is not enough.
        assert_grant_refused(&asked(&mut client, FORM), "invalid_client");
    }
}

//= RFC 7523 section 3 type=test
//# An assertion is taken once, on whichever connection it comes again.
#[test]
fn assertion_that_comes_again_is_refused_also_after_a_reload() {
    let pen = Mint::new(Algorithm::Es256, "acme-1");
    let mut house = asserting(&pen);
    let form = form(&pen, &good("one"));
    token_of(&asked(&mut house.client(), &form));
    assert_grant_refused(&asked(&mut house.client(), &form), "invalid_client");
    house.rewrite(|config| {
        config.set_text("oauth.token_lifetime", "5m");
    });
    house.gateway.hang_up();
    house.gateway.await_log("is in force");
    assert_grant_refused(&asked(&mut house.client(), &form), "invalid_client");
}

/// As many as can be told apart: the client is told when there is room for the next one.
#[test]
fn client_that_has_used_up_its_assertions_is_told_when_the_first_of_them_ends() {
    let pen = Mint::new(Algorithm::Es256, "acme-1");
    let house = asserting(&pen);
    let mut client = house.client();
    for number in 0..1_024 {
        token_of(&asked(&mut client, &form(&pen, &good(&number.to_string()))));
    }
    let refused = asked(&mut client, &form(&pen, &good("next")));
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(json(&refused)["error"], "temporarily_unavailable");
    let wait: u64 = { refused.field("retry-after") }
        .and_then(|wait| wait.parse().ok())
        .expect("seconds");
    // A minute and the leeway, less what all this has taken; or the first have ended meanwhile.
    assert!((2..=90).contains(&wait), "{wait}");
}

/// spec.md 5.2 #3.
//= RFC 6749 section 2.3 type=test
//# One way to authenticate in a request.
#[test]
fn spec_5_2_row_03_second_authentication_is_an_invalid_request() {
    let pen = Mint::new(Algorithm::Es256, "acme-1");
    let house = asserting(&pen);
    let mut client = house.client();
    let with_secret = format!("{}&client_secret=s", form(&pen, &good("one")));
    assert_grant_refused(&asked(&mut client, &with_secret), "invalid_request");
    let basic = "Authorization: Basic YWNtZS1hcHA6cw==\r\n";
    let twice = posted(TOKEN, &form(&pen, &good("two")), basic);
    assert_grant_refused(&client.ask(twice), "invalid_request");
}

/// The assertion of a client is of no use on another's connection.
#[test]
fn assertion_of_another_client_is_refused() {
    let pen = Mint::new(Algorithm::Es256, "acme-1");
    let house = asserting(&pen);
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).expect("a client");
    let form = form(&pen, &good("one"));
    assert_grant_refused(&asked(&mut globex, &form), "unauthorized_client");
    let named = format!("{form}&client_id=acme-app");
    assert_grant_refused(&asked(&mut globex, &named), "invalid_client");
    // It has not been used up by that.
    token_of(&asked(&mut house.client(), &form));
}

/// spec.md 5.2 #3.
//= RFC 6749 section 2.3.1 type=test
//# Who fails to authenticate again and again is told to wait, and others are served.
#[test]
fn spec_5_2_row_03_guessing_is_bounded() {
    let house = House::open_staged(|stage| {
        stage.issue_tokens();
        stage.config.set("listen.cpus", "[0]");
    });
    let foreign = "grant_type=client_credentials&client_id=globex-app";
    let mut client = house.client();
    for _ in 0..10 {
        assert_grant_refused(&asked(&mut client, foreign), "invalid_client");
    }
    let refused = |client: &mut Client| {
        let refused = asked(client, FORM);
        assert_eq!(refused.status, 429, "{}", refused.text());
        assert_eq!(json(&refused)["error"], "temporarily_unavailable");
        let wait: u64 = refused
            .field("retry-after")
            .expect("a time")
            .parse()
            .expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
    };
    refused(&mut client);
    // The certificate is counted, not the connection.
    refused(&mut house.client());
    let again = house
        .stage
        .partner_ca
        .issue("again", &Leaf::client(San::Dns("scs.acme.example")));
    let dialer = house.stage.dialer(&again);
    let mut other = dialer.connect(house.gateway.address).expect("a client");
    token_of(&asked(&mut other, FORM));
    house.gateway.await_log("grant_failures_exceeded");
}
