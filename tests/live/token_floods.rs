//! Bad tokens by the thousand: each is verified once, a client has a budget of them, and no other
//! client notices.

use serde_json::json;

use crate::harness::client::{Client, Response};
use crate::harness::mint::{Algorithm, Mint, with};
use crate::harness::stage::{House, PATH};
use crate::harness::wait_until;
use crate::issuer::{FORM, asked, posted, token_of};
use crate::token_revocation::revocable;

/// Tokens that are signed by somebody else under the name of a good key.
fn forged(house: &House, number: usize) -> String {
    let claims = with(house.stage.claims(), "jti", format!("forged-{number}"));
    FORGER.with(|forger| {
        let header = with(forger.header(), "kid", house.stage.mint.kid.as_str());
        forger.token(&header, &claims)
    })
}

thread_local! {
    static FORGER: Mint = Mint::new(Algorithm::Es256, "forger");
}

fn verdicts(house: &House, verdict: &str) -> f64 {
    let metrics = house.gateway.admin().metrics();
    metrics.sum("t8gate_token_verdicts_total", &[("verdict", verdict)])
}

fn house() -> House {
    House::open_staged(|stage| {
        stage.watch();
    })
}

#[test]
fn bad_token_that_comes_again_is_not_verified_again() {
    let house = house();
    let mut client = house.client();
    let expired = with(
        house.stage.claims(),
        "exp",
        crate::harness::mint::now_s() - 60,
    );
    let expired = house.stage.mint.good(&expired);
    for token in [forged(&house, 0), expired] {
        let before = (
            verdicts(&house, "verified"),
            verdicts(&house, "refused_again"),
        );
        for _ in 0..10 {
            assert_eq!(client.get(PATH, &token).status, 401);
        }
        let after = (
            verdicts(&house, "verified"),
            verdicts(&house, "refused_again"),
        );
        assert_eq!((after.0 - before.0, after.1 - before.1), (1.0, 9.0));
    }
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    assert_eq!(house.origin.requests(), 1);
}

/// A good token of the flooding client that is remembered goes on; another client sees nothing.
#[test]
fn flood_of_bad_tokens_is_the_flooding_clients_own_trouble() {
    let house = house();
    let (mut flood, mut quiet) = (house.client(), house.client());
    let good = house.token();
    assert_eq!(quiet.get(PATH, &good).status, 200);
    let globex = house.stage.dialer(&house.stage.globex);
    let mut globex = globex.connect(house.gateway.address).unwrap();
    let of_globex = |number: usize| {
        let claims = with(house.stage.claims(), "client_id", "globex-app");
        let cnf = json!({"x5t#S256": house.stage.globex.thumbprint()});
        let claims = with(with(claims, "cnf", cnf), "jti", format!("globex-{number}"));
        house.stage.mint.good(&claims)
    };
    let forgeries: Vec<String> = (0..3_000).map(|number| forged(&house, number)).collect();
    let path = PATH.replace("acme", "globex");
    let (mut refused, mut put_off) = (0, 0);
    for (number, forgery) in forgeries.iter().enumerate() {
        let response = flood.get(PATH, forgery);
        match response.status {
            401 => refused += 1,
            429 => {
                put_off += 1;
                assert_eq!(response.field("retry-after"), Some("1"));
                assert_eq!(response.field("www-authenticate"), None);
                if put_off % 100 == 1 {
                    assert_eq!(quiet.get(PATH, &good).status, 200);
                    // One that nobody has seen.
                    assert_eq!(globex.get(&path, &of_globex(number)).status, 200);
                }
            }
            other => panic!("{other}"),
        }
    }
    assert!(put_off > 0 && refused > 0, "{put_off} {refused}");
    let verified = verdicts(&house, "verified");
    let seen = refused as f64 + house.origin.requests() as f64;
    assert!(verified <= seen, "{verified} {seen}");
}

/// Sends a client's forms, each for a token that somebody else has signed, until one is put off:
/// some at once, so that the gateway and not the way to it says how many there are in a second.
fn put_off(house: &House, client: &mut Client, path: &str, client_id: &str) -> Response {
    let forms: Vec<String> = { 0..5_000 }
        .map(|number| format!("client_id={client_id}&token={}", forged(house, number)))
        .map(|form| posted(path, &form, ""))
        .collect();
    let put_off = forms.chunks(25).find_map(|forms| {
        client.send(forms.concat()).expect("a connection");
        let answers = forms.iter().map(|_| client.answer());
        let answers: Vec<Response> = answers.collect();
        for answer in &answers {
            assert!([200, 503].contains(&answer.status), "{}", answer.text());
        }
        answers.into_iter().find(|answer| answer.status == 503)
    });
    let put_off = put_off.expect("one of so many within a second");
    assert_eq!(put_off.field("retry-after"), Some("1"));
    put_off
}

/// What is verified for whoever wants a token to end costs as much as for whoever uses it.
#[test]
fn bad_tokens_that_are_to_end_come_out_of_the_clients_budget() {
    let house = House::open_staged(|stage| {
        revocable(stage);
        stage.issue_tokens();
    });
    let mut client = house.client();
    put_off(&house, &mut client, "/oauth2/revoke", "acme-app");
    house.gateway.await_log("one bad token after another");
    // Its own good one is ended in the next second.
    let token = house.token();
    let form = format!("client_id=acme-app&token={token}");
    wait_until("the next second", || {
        client.ask(posted("/oauth2/revoke", &form, "")).status == 200
    });
    assert_eq!(client.get(PATH, &token).status, 401);
}

/// And for whoever asks what they are worth, whoever brought them.
#[test]
fn bad_tokens_that_are_asked_about_come_out_of_the_budget_of_who_asks() {
    let house = House::open_staged(|stage| {
        stage.issue_tokens();
        let globex = "tls_client_auth_san_uri = \"urn:scs:globex\"\nintrospects = true";
        stage.config.extend_table("client", 1, globex);
    });
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).expect("a client");
    let told = put_off(&house, &mut globex, "/oauth2/introspect", "globex-app");
    assert!(
        told.text().contains("temporarily_unavailable"),
        "{}",
        told.text()
    );
    house.gateway.await_log("introspections_exceeded");
    // Whose budget it was, and nobody else's: nor that of its own requests to T8.
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    let claims = with(house.stage.claims(), "client_id", "globex-app");
    let cnf = json!({"x5t#S256": house.stage.globex.thumbprint()});
    let own = house.stage.mint.good(&with(claims, "cnf", cnf));
    let path = PATH.replace("acme", "globex");
    assert_eq!(globex.get(&path, &own).status, 200);
    let token = token_of(&asked(&mut house.client(), FORM));
    let form = format!("client_id=globex-app&token={token}");
    wait_until("the next second", || {
        let answer = globex.ask(posted("/oauth2/introspect", &form, ""));
        answer.status == 200 && answer.text().contains("\"active\":true")
    });
}

/// Others send them to a resource server: what costs nothing, and what is known already, must not
/// keep it from hearing of good ones.
#[test]
fn tokens_that_cost_nothing_to_refuse_are_asked_about_without_end() {
    let house = House::open_staged(|stage| {
        revocable(stage);
        stage.issue_tokens();
        let globex = "tls_client_auth_san_uri = \"urn:scs:globex\"\nintrospects = true";
        stage.config.extend_table("client", 1, globex);
    });
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).expect("a client");
    let (one, revoked) = (
        forged(&house, 0),
        token_of(&asked(&mut house.client(), FORM)),
    );
    let ended = format!("client_id=acme-app&token={revoked}");
    let told = house.client().ask(posted("/oauth2/revoke", &ended, ""));
    assert_eq!(told.status, 200, "{}", told.text());
    for token in ["x", one.as_str(), revoked.as_str()] {
        let form = format!("client_id=globex-app&token={token}");
        let form = posted("/oauth2/introspect", &form, "").repeat(25);
        for _ in 0..60 {
            globex.send(&form).expect("a connection");
            for _ in 0..25 {
                let answer = globex.answer();
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
        }
    }
}
