//! Keys that an issuer publishes: fetched before the gateway serves, looked at again when they
//! change, and gone on with while the issuer is away.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::Response;
use crate::harness::gateway::ConfigText;
use crate::harness::mint::{AUDIENCE, Algorithm, ISSUER, Mint, jwks, with};
use crate::harness::pki::{Authority, Key};
use crate::harness::publisher::{Page, Publisher};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{free_address, wait_until};
use crate::reload::{reload, rewrite};

const JWKS: &str = "/keys";
/// Of [`ISSUER`], `https://as.example/t8`.
const NAME: &str = "name = \"https://as.example/t8\"";

/// The issuer of the stage as one that publishes its keys there, in place of a file.
fn publishing(stage: &mut Stage, lines: &str) {
    let ca = stage.operator_ca.certificate.display().to_string();
    stage.config.without_tables("issuer");
    stage.config.table(
        "issuer",
        &format!("audience = {AUDIENCE:?}\nca = {ca:?}\n{lines}"),
    );
}

fn direct(stage: &mut Stage, url: &str) {
    publishing(stage, &format!("{NAME}\njwks_url = {url:?}"));
}

/// A gateway with the keys of an issuer that publishes those of the stage's mint.
fn house() -> (House, Publisher) {
    house_told("Content-Type: application/json\r\n")
}

/// The same where these fields come with them.
fn house_told(fields: &str) -> (House, Publisher) {
    let mut publisher = None;
    let house = House::open_staged(|stage| {
        let web = Publisher::start(&stage.operator_ca);
        let keys = jwks(&[&stage.mint]).to_string();
        web.put(JWKS, Page::Answer(200, fields.to_owned(), keys));
        direct(stage, &web.url(JWKS));
        publisher = Some(web);
    });
    (house, publisher.expect("made above"))
}

/// A gateway whose issuer is not there, and where it is to be.
fn house_without_issuer() -> (House, SocketAddr) {
    let address = free_address();
    let house = House::open_staged(|stage| {
        direct(
            stage,
            &format!("https://localhost:{}{JWKS}", address.port()),
        );
    });
    (house, address)
}

fn token_of(house: &House, mint: &Mint) -> String {
    mint.good(&house.stage.claims())
}

fn ask(house: &House, token: &str) -> Response {
    house.client().get(PATH, token)
}

fn status(house: &House, token: &str) -> u16 {
    ask(house, token).status
}

fn assert_keys_unknown(response: &Response) {
    assert_eq!(response.status, 503);
    assert_eq!(
        serde_json::from_str::<Value>(&response.text()).unwrap()["cause"],
        "ISSUER_KEYS_UNKNOWN"
    );
    assert_eq!(response.field("retry-after"), Some("1"));
    assert_eq!(response.field("www-authenticate"), None);
}

#[test]
fn keys_are_fetched_before_the_first_request() {
    let (house, web) = house();
    assert_eq!(web.asked(JWKS).len(), 1);
    assert_eq!(status(&house, &house.token()), 200);
    assert_eq!(web.asked(JWKS).len(), 1);
    let head = &web.asked(JWKS)[0];
    assert!(head.contains("accept: application/jwk-set+json"), "{head}");
}

/// The description of [`ISSUER`] is where RFC 8414 puts it, or where OpenID does.
fn described(discovery: &str, at: &str, description: impl FnOnce(&Publisher) -> Value) -> u16 {
    let house = House::open_staged(|stage| {
        let web = Publisher::start(&stage.operator_ca);
        web.put(JWKS, Page::json(&jwks(&[&stage.mint])));
        web.put(at, Page::json(&description(&web)));
        let name = web.url("/t8");
        publishing(
            stage,
            &format!("name = {name:?}\ndiscovery = {discovery:?}"),
        );
    });
    let issuer: toml::Table = toml::from_str(&house.stage.config.table_body("issuer", 0)).unwrap();
    let claims = with(
        house.stage.claims(),
        "iss",
        issuer["name"].as_str().unwrap(),
    );
    status(&house, &house.stage.mint.good(&claims))
}

const RFC8414: &str = "oauth-authorization-server";
const DESCRIPTION: &str = "/.well-known/oauth-authorization-server/t8";

fn description(web: &Publisher) -> Value {
    json!({"issuer": web.url("/t8"), "jwks_uri": web.url(JWKS), "response_types_supported": []})
}

//= RFC 8414 section 3 type=test
//# The description is at the well-known path of the issuer, and names the keys.
#[test]
fn keys_are_found_by_the_issuers_description() {
    assert_eq!(described(RFC8414, DESCRIPTION, description), 200);
    let openid = "/t8/.well-known/openid-configuration";
    assert_eq!(described("openid-configuration", openid, description), 200);
    assert_eq!(described(RFC8414, openid, description), 503);
}

//= RFC 8414 section 3.3 type=test
//# A description of another issuer is not used.
#[test]
fn row_19_a_description_of_another_issuer_or_without_https_is_not_used() {
    let changed = |name: &'static str, value: fn(&Publisher) -> String| {
        described(RFC8414, DESCRIPTION, |web| {
            with(description(web), name, value(web))
        })
    };
    assert_eq!(changed("issuer", |web| web.url("/t8/")), 503);
    assert_eq!(changed("issuer", |web| web.url("/T8")), 503);
    let in_the_clear = |web: &Publisher| web.url(JWKS).replace("https", "http");
    assert_eq!(changed("jwks_uri", in_the_clear), 503);
}

//= RFC 7517 section 5 type=test
//# A key is good as long as it is published; two may be at a time.
#[test]
fn key_that_is_new_is_taken_soon_and_one_that_is_gone_no_longer() {
    let (house, web) = house();
    let (old, next) = (&house.stage.mint, Mint::new(Algorithm::Es256, "next"));
    let (of_old, of_next) = (token_of(&house, old), token_of(&house, &next));
    let mut client = house.client();
    assert_eq!(client.get(PATH, &of_old).status, 200);
    // Refused at once, and asked about.
    assert_eq!(client.get(PATH, &of_next).status, 401);
    web.put(JWKS, Page::json(&jwks(&[old, &next])));
    wait_until("the next key", || client.get(PATH, &of_next).status == 200);
    assert_eq!(client.get(PATH, &of_old).status, 200);
    web.put(JWKS, Page::json(&jwks(&[&next])));
    // What names a key that nobody has is why keys are looked at.
    let unknown = token_of(&house, &Mint::new(Algorithm::Es256, "nobody's"));
    let mut other = house.client();
    wait_until("the old key to go", || {
        assert_eq!(other.get(PATH, &unknown).status, 401);
        // The connection remembers this token.
        client.get(PATH, &of_old).status == 401
    });
    assert_eq!(status(&house, &of_old), 401);
    assert_eq!(client.get(PATH, &of_next).status, 200);
}

/// Whoever makes names of keys up has the issuer asked no more often for it.
#[test]
fn tokens_with_keys_that_nobody_has_are_refused_without_asking_for_each() {
    let (house, web) = house();
    let mut client = house.client();
    for kid in 0..300 {
        let mint = Mint::new(Algorithm::Es256, &format!("made-up-{kid}"));
        let response = client.get(PATH, &token_of(&house, &mint));
        assert_eq!(response.status, 401);
    }
    assert!(web.asked(JWKS).len() <= 3, "{}", web.asked(JWKS).len());
    assert_eq!(client.get(PATH, &house.token()).status, 200);
}

//= RFC 9110 section 13.1.2 type=test
//# What is known already is not sent again.
#[test]
fn keys_are_asked_for_by_what_is_known_of_them() {
    let (house, web) = house();
    let body = jwks(&[&house.stage.mint]).to_string();
    let fields = "ETag: \"v1\"\r\nCache-Control: max-age=60\r\n".to_owned();
    web.put(JWKS, Page::Answer(200, fields, body));
    let mut client = house.client();
    let unknown = token_of(&house, &Mint::new(Algorithm::Es256, "nobody's"));
    let mut ask_until = |heads: usize| {
        wait_until("another look at the keys", || {
            assert_eq!(client.get(PATH, &unknown).status, 401);
            web.asked(JWKS).len() >= heads
        });
    };
    ask_until(2);
    web.put(JWKS, Page::Answer(304, String::new(), String::new()));
    ask_until(3);
    let last = web.asked(JWKS).pop().unwrap();
    assert!(last.contains("if-none-match: \"v1\""), "{last}");
    assert_eq!(status(&house, &house.token()), 200);
    assert_eq!(
        house.gateway.log().matches("keys are others now").count(),
        0
    );
}

/// The answer before the start is one like the others.
#[test]
fn keys_that_were_had_at_the_start_are_kept_no_longer_than_the_issuer_says() {
    let (_house, web) = house_told("Cache-Control: max-age=1\r\n");
    assert_eq!(web.asked(JWKS).len(), 1);
    // Ten seconds at least, whatever is said; five minutes where nothing is.
    std::thread::sleep(Duration::from_secs(2));
    wait_until("another look", || web.asked(JWKS).len() == 2);
}

#[test]
fn keys_go_on_while_the_issuer_is_away_slow_or_talks_nonsense() {
    let (house, web) = house();
    let mut client = house.client();
    let unknown = token_of(&house, &Mint::new(Algorithm::Es256, "nobody's"));
    let private = with(house.stage.mint.jwk(), "d", "c2VjcmV0");
    let answers = [
        Page::Garbage,
        Page::Answer(500, String::new(), String::new()),
        Page::Answer(
            302,
            format!("Location: {}\r\n", web.url("/x")),
            String::new(),
        ),
        Page::Answer(200, String::new(), "{".to_owned()),
        Page::json(&json!({"keys": []})),
        Page::json(&json!({"keys": [private]})),
        Page::Answer(200, String::new(), " ".repeat(300_000)),
        Page::Silence,
    ];
    for (nth, page) in answers.into_iter().enumerate() {
        let before = web.asked(JWKS).len();
        web.put(JWKS, page);
        wait_until("a look at the keys", || {
            assert_eq!(client.get(PATH, &unknown).status, 401);
            web.asked(JWKS).len() > before
        });
        // One that has been seen, and one that has not.
        assert_eq!(client.get(PATH, &house.token()).status, 200, "{nth}");
        let other = with(house.stage.claims(), "jti", format!("other-{nth}"));
        assert_eq!(status(&house, &house.stage.mint.good(&other)), 200, "{nth}");
    }
    let log = house.gateway.log();
    assert!(log.contains("the keys were not had"), "{log}");
    assert!(!log.contains("c2VjcmV0"));
}

//= RFC 7517 section 5 type=test
//# Keys that were never known are no reason to call a token invalid.
#[test]
fn tokens_of_an_issuer_that_was_never_there_are_put_off_until_it_is() {
    let (house, address) = house_without_issuer();
    let token = house.token();
    let mut client = house.client();
    assert_keys_unknown(&client.get(PATH, &token));
    // What is wrong all the same is said all the same.
    assert_eq!(client.get(PATH, "no.token.atall").status, 401);
    house.gateway.await_log("the keys were not had");
    let web = Publisher::start_at(address, &house.stage.operator_ca);
    web.put(JWKS, Page::json(&jwks(&[&house.stage.mint])));
    wait_until("the keys", || client.get(PATH, &token).status == 200);
    assert!(house.gateway.log().contains("are to be had again"));
}

//= RFC 8414 section 6.1 type=test
//# The server's certificate is checked, against the CA that is named.
#[test]
fn server_with_a_certificate_of_another_ca_is_not_believed() {
    let house = House::open_staged(|stage| {
        let folder = stage.scratch.path().join("elsewhere");
        fs::create_dir(&folder).expect("a writable directory");
        let other = Authority::new(&folder, "elsewhere", Key::P256);
        let web = Publisher::start(&other);
        web.put(JWKS, Page::json(&jwks(&[&stage.mint])));
        direct(stage, &web.url(JWKS));
    });
    assert_keys_unknown(&ask(&house, &house.token()));
}

/// What a server says of one document is said of no other: a time may be older, and a tag the same.
#[test]
fn keys_at_another_url_are_not_asked_for_by_what_is_known_of_those_before() {
    let second = Mint::new(Algorithm::Es256, "second");
    let description = "/.well-known/oauth-authorization-server/t8";
    let mut web = None;
    let house = House::open_staged(|stage| {
        let started = Publisher::start(&stage.operator_ca);
        let tagged = "ETag: \"1\"\r\nLast-Modified: Mon, 02 Nov 2026 00:00:00 GMT\r\n".to_owned();
        for (path, mint) in [("/a", &stage.mint), ("/b", &second)] {
            let keys = jwks(&[mint]).to_string();
            started.put(path, Page::Answer(200, tagged.clone(), keys));
        }
        started.put(description, Page::json(&pointing(&started, "/a")));
        let name = started.url("/t8");
        let by_description = "discovery = \"oauth-authorization-server\"";
        publishing(stage, &format!("name = {name:?}\n{by_description}"));
        web = Some(started);
    });
    let web = web.expect("made above");
    let claims = with(house.stage.claims(), "iss", web.url("/t8"));
    let (by_first, by_second) = (house.stage.mint.good(&claims), second.good(&claims));
    assert_eq!(status(&house, &by_first), 200);
    // A key that is not known has them looked at.
    wait_until("another look at those before", || {
        assert_eq!(status(&house, &by_second), 401);
        web.asked("/a").len() == 2
    });
    web.put(description, Page::json(&pointing(&web, "/b")));
    wait_until("the keys at the other place", || {
        status(&house, &by_second) == 200
    });
    // What is remembered of it goes with the shard's next look.
    wait_until("the end of the key before", || {
        status(&house, &by_first) == 401
    });
    // Of later looks it may be: then it is what was said there.
    let asked = &web.asked("/b")[0];
    assert!(!asked.contains("if-none-match"), "{asked}");
    assert!(!asked.contains("if-modified-since"), "{asked}");
}

fn pointing(web: &Publisher, path: &str) -> Value {
    json!({"issuer": web.url("/t8"), "jwks_uri": web.url(path)})
}

#[test]
fn keys_that_a_server_of_another_ca_gave_are_not_believed_any_more() {
    let (mut house, _web) = house();
    let token = house.token();
    assert_eq!(status(&house, &token), 200);
    let body = house.stage.config.table_body("issuer", 0);
    let ca = |of: &Authority| of.certificate.display().to_string();
    let other = body.replace(&ca(&house.stage.operator_ca), &ca(&house.stage.partner_ca));
    assert_ne!(body, other);
    rewrite(&mut house, |config| {
        config.without_tables("issuer").table("issuer", &other);
    });
    reload(&house);
    assert_keys_unknown(&ask(&house, &token));
}

/// A core at this web server.
fn core(stage: &Stage, name: &str, url: &str) -> String {
    let ca = stage.operator_ca.certificate.display();
    let ca = format!("ca = {:?}", ca.to_string());
    format!("name = {name:?}\nprofile = \"capif\"\naef_id = \"a\"\njwks_url = {url:?}\n{ca}")
}

/// Has `newcomer` stand in front of all issuers.
fn in_front(config: &mut ConfigText, newcomer: &str, others: usize) {
    let others: Vec<_> = (0..others)
        .map(|place| config.table_body("issuer", place))
        .collect();
    config.without_tables("issuer").table("issuer", newcomer);
    for other in others {
        config.table("issuer", &other);
    }
}

/// What a stranger publishes keeps no gateway from starting, and has nobody's tokens refused.
#[test]
fn keys_of_an_issuer_of_another_profile_take_nothing_from_it() {
    const REFUSED: &str = "whose tokens have another profile";
    // At the start: those of the issuer that stands before it, which publishes them as well.
    let mut web = None;
    let mut house = House::open_staged(|stage| {
        let started = Publisher::start(&stage.operator_ca);
        for path in [JWKS, "/core", "/newcomer"] {
            started.put(path, Page::json(&jwks(&[&stage.mint])));
        }
        direct(stage, &started.url(JWKS));
        let core = core(stage, "core", &started.url("/core"));
        stage.config.table("issuer", &core);
        web = Some(started);
    });
    let web = web.expect("made above");
    assert_eq!(status(&house, &house.token()), 200);
    house.gateway.await_log(REFUSED);
    // By a reload: whoever was there before stays, wherever the other one stands.
    let newcomer = core(&house.stage, "newcomer", &web.url("/newcomer"));
    rewrite(&mut house, |config| in_front(config, &newcomer, 2));
    reload(&house);
    assert!(!web.asked("/newcomer").is_empty());
    assert_eq!(status(&house, &house.token()), 200);
    // At the start again: what stands in a file is before all.
    let house = House::open_staged(|stage| {
        let started = Publisher::start(&stage.operator_ca);
        started.put("/core", Page::json(&jwks(&[&stage.mint])));
        let core = core(stage, "core", &started.url("/core"));
        in_front(&mut stage.config, &core, 1);
    });
    house.gateway.await_log(REFUSED);
    assert_eq!(status(&house, &house.token()), 200);
    // Nor where it has published them before the issuer whose keys they are.
    let mut web = None;
    let house = House::open_staged(|stage| {
        let started = Publisher::start(&stage.operator_ca);
        started.put("/core", Page::json(&jwks(&[&stage.mint])));
        started.put(JWKS, Page::Garbage);
        direct(stage, &started.url(JWKS));
        let core = core(stage, "core", &started.url("/core"));
        in_front(&mut stage.config, &core, 1);
        web = Some(started);
    });
    assert_keys_unknown(&ask(&house, &house.token()));
    let web = web.expect("made above");
    web.put(JWKS, Page::json(&jwks(&[&house.stage.mint])));
    wait_until("the issuer's keys", || {
        status(&house, &house.token()) == 200
    });
    house.gateway.await_log(REFUSED);
}

/// Whose its tokens are cannot be said then, and that nobody's are taken must not go unsaid.
#[test]
fn key_that_two_cores_publish_is_warned_of() {
    let house = House::open_staged(|stage| {
        let started = Publisher::start(&stage.operator_ca);
        let keys = jwks(&[&Mint::new(Algorithm::Es256, "of-a-core")]);
        for name in ["one", "two"] {
            let path = format!("/{name}");
            started.put(&path, Page::json(&keys));
            let core = core(stage, name, &started.url(&path));
            stage.config.table("issuer", &core);
        }
    });
    house.gateway.await_log("a CAPIF core as well");
    assert_eq!(status(&house, &house.token()), 200);
}

#[test]
fn keys_that_are_known_go_on_over_a_reload_without_the_issuer() {
    let (mut house, web) = house();
    web.put(JWKS, Page::Garbage);
    rewrite(&mut house, |config| {
        config.set("limits.body_bytes_max", "\"1MiB\"");
    });
    reload(&house);
    assert_eq!(web.asked(JWKS).len(), 1);
    assert_eq!(status(&house, &house.token()), 200);
    // One that comes with the reload is asked before it is in force.
    web.put(
        "/second",
        Page::json(&jwks(&[&Mint::new(Algorithm::Es256, "second")])),
    );
    let ca = house.stage.operator_ca.certificate.display().to_string();
    let second = format!(
        "name = \"https://second.example\"\naudience = {AUDIENCE:?}\nca = {ca:?}\njwks_url = {:?}",
        web.url("/second")
    );
    rewrite(&mut house, |config| {
        config.table("issuer", &second);
    });
    reload(&house);
    assert_eq!((web.asked(JWKS).len(), web.asked("/second").len()), (1, 1));
    assert_eq!(ISSUER, "https://as.example/t8");
}

#[test]
fn metrics_say_how_many_keys_are_known_and_since_when() {
    let mut publisher = None;
    let house = House::open_staged(|stage| {
        stage.watch();
        let web = Publisher::start(&stage.operator_ca);
        web.put(JWKS, Page::json(&jwks(&[&stage.mint])));
        direct(stage, &web.url(JWKS));
        publisher = Some(web);
    });
    let page = house.gateway.admin().metrics().0;
    let labels = format!("issuer={ISSUER:?}");
    for line in [
        format!("t8gate_issuer_keys{{{labels}}} 1"),
        format!("t8gate_issuer_keys_looked_at_total{{{labels},outcome=\"had\"}} 1"),
        format!("t8gate_issuer_keys_looked_at_total{{{labels},outcome=\"failed\"}} 0"),
    ] {
        assert!(page.contains(&line), "{line}\n{page}");
    }
    assert!(!page.contains(&format!(
        "t8gate_issuer_keys_had_timestamp_seconds{{{labels}}} 0\n"
    )));
}
