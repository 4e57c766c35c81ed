//! What becomes of requests while the issuers of tokens are away, slow, talk nonsense or change
//! their keys: none whose token is remembered may fail, and the others hear exactly what is so.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::client::Response;
use crate::harness::introspection::{Act, Introspector};
use crate::harness::mint::{AUDIENCE, Algorithm, ISSUER, Mint, jwks, now_s, with};
use crate::harness::oidc_provider::OidcProvider;
use crate::harness::publisher::{Page, Publisher};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{command, free_address, run_well, wait_until};
use crate::load::Load;

const JWKS: &str = "/keys";
/// Of an issuer whose keys nobody ever had.
const NEVER_THERE: &str = "https://nobody.example/t8";
const REQUESTS_PER_S: u32 = 1_000;
/// Of each kind of token that the load has the gateway remember.
const REMEMBERED: usize = 20;

/// The stage's issuer, in this test's hands: its keys, and what it says of opaque tokens.
struct Scene {
    house: House,
    web: Publisher,
    introspector: Introspector,
    /// Tokens that there are so far.
    made: usize,
}

/// How whoever is asked behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    Silent,
    Nonsense,
    InTrouble,
    HangingUp,
}

impl Scene {
    fn open() -> Self {
        let mut staged = None;
        let house = House::open_staged(|stage| {
            let web = Publisher::start(&stage.operator_ca);
            web.put(JWKS, Page::json(&jwks(&[&stage.mint])));
            let introspector = Introspector::start(&stage.operator_ca, &stage.operator_ca);
            let ca = stage.operator_ca.certificate.display().to_string();
            let secret = secret(stage);
            stage.config.without_tables("issuer");
            stage.config.table(
                "issuer",
                &format!(
                    "name = {ISSUER:?}\naudience = {AUDIENCE:?}\nca = {ca:?}\njwks_url = {:?}\n\
                     refresh = \"10s\"\n[issuer.introspection]\nurl = {:?}\nca = {ca:?}\n\
                     client_id = \"gate\"\nsecret_file = {secret:?}\ncache = \"5m\"",
                    web.url(JWKS),
                    introspector.url(),
                ),
            );
            let nobody = format!("https://localhost:{}/keys", free_address().port());
            stage.config.table(
                "issuer",
                &format!(
                    "name = {NEVER_THERE:?}\naudience = {AUDIENCE:?}\nca = {ca:?}\n\
                     jwks_url = {nobody:?}"
                ),
            );
            stage.watch();
            staged = Some((web, introspector));
        });
        let (web, introspector) = staged.expect("set above");
        Self {
            house,
            web,
            introspector,
            made: 0,
        }
    }

    /// What a token says that nobody has shown before.
    fn claims(&mut self) -> Value {
        self.made += 1;
        let jti = format!("t-{}", self.made);
        with(self.house.stage.claims(), "jti", jti)
    }

    /// By the key that there has been all along.
    fn signed(&mut self) -> String {
        let claims = self.claims();
        self.house.stage.mint.good(&claims)
    }

    /// One that says nothing, and that the issuer knows.
    fn opaque(&mut self) -> String {
        self.made += 1;
        let token = format!("opaque-{}", self.made);
        self.introspector.knows(
            &token,
            json!({
                "client_id": "acme-app", "aud": AUDIENCE, "scope": API, "exp": now_s() + 600,
                "cnf": {"x5t#S256": self.house.stage.acme.thumbprint()},
            }),
        );
        token
    }

    /// Of an issuer that has never been heard of.
    fn of_nobody(&self) -> String {
        let claims = with(self.house.stage.claims(), "iss", NEVER_THERE);
        self.house.stage.mint.good(&claims)
    }

    fn remembered(&mut self) -> Vec<String> {
        let mut tokens: Vec<_> = (0..REMEMBERED).map(|_| self.signed()).collect();
        tokens.extend((0..REMEMBERED).map(|_| self.opaque()));
        let mut client = self.house.client();
        for token in &tokens {
            assert_eq!(client.get(PATH, token).status, 200);
        }
        tokens
    }

    fn status(&self, token: &str) -> u16 {
        self.house.client().get(PATH, token).status
    }

    fn is(&self, away: Option<Away>) {
        let trouble = || Page::Answer(500, String::new(), "no".to_owned());
        let keys = match away {
            None => Page::json(&jwks(&[&self.house.stage.mint])),
            Some(Away::Silent) => Page::Silence,
            Some(Away::Nonsense | Away::HangingUp) => Page::Garbage,
            Some(Away::InTrouble) => trouble(),
        };
        self.web.put(JWKS, keys);
        self.introspector.act(match away {
            None => Act::Answer,
            Some(Away::Silent) => Act::Late(Duration::from_secs(60)),
            Some(Away::Nonsense) => Act::Say("\x16\x03nonsense".to_owned()),
            Some(Away::InTrouble) => Act::Say(
                "HTTP/1.1 500 Trouble\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
                    .to_owned(),
            ),
            Some(Away::HangingUp) => Act::HangUp,
        });
    }
}

fn assert_comes_again(response: &Response, cause: &str) {
    assert_eq!(response.status, 503, "{}", response.text());
    let problem: Value = serde_json::from_str(&response.text()).expect("JSON");
    assert_eq!(problem["cause"], cause);
    assert!(response.field("retry-after").is_some());
    assert_eq!(response.field("www-authenticate"), None);
}

/// Not even one of those that are sent all the time, with forty tokens in turn.
#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn requests_with_remembered_tokens_go_on_whatever_the_issuer_does() {
    let mut scene = Scene::open();
    let tokens = scene.remembered();
    let duration = Duration::from_secs(30);
    let load = Load::of_tokens(&scene.house, &tokens, REQUESTS_PER_S, duration);
    for away in [
        Away::Silent,
        Away::Nonsense,
        Away::InTrouble,
        Away::HangingUp,
    ] {
        scene.is(Some(away));
        // Its keys are known: a new token of it needs nobody.
        let signed = scene.signed();
        assert_eq!(scene.status(&signed), 200, "{away:?}");
        // Of a key that is nobody's as far as is known.
        let stranger = Mint::new(Algorithm::Es256, "stranger");
        let foreign = stranger.good(&scene.claims());
        assert_eq!(scene.status(&foreign), 401, "{away:?}");
        let opaque = scene.opaque();
        let unasked = scene.house.client().get(PATH, &opaque);
        assert_comes_again(&unasked, "INTROSPECTION_UNAVAILABLE");
        let keyless = scene.house.client().get(PATH, &scene.of_nobody());
        assert_comes_again(&keyless, "ISSUER_KEYS_UNKNOWN");
        scene.is(None);
        wait_until("the issuer to be asked again", || {
            scene.status(&opaque) == 200
        });
    }
    // A key comes, is used, and the one before goes on beside it.
    let next = Mint::new(Algorithm::Es256, "next");
    let both = jwks(&[&scene.house.stage.mint, &next]);
    scene.web.put(JWKS, Page::json(&both));
    let by_next = next.good(&scene.claims());
    wait_until("the next key", || scene.status(&by_next) == 200);
    let report = load.faultless();
    assert!(report["operations"].as_u64() > Some(10_000), "{report}");
}

/// A process that is stopped, then killed: what is remembered and what its keys tell goes on.
#[test]
#[ignore = "takes programs and seconds: make test-fault"]
fn requests_go_on_when_the_issuer_is_stopped_and_killed() {
    let mut provider = None;
    let house = House::open_staged(|stage| {
        let issuer = OidcProvider::start(stage);
        let (name, ca) = (issuer.name(), issuer.ca().display().to_string());
        let secret = secret(stage);
        stage.config.without_tables("issuer").table(
            "issuer",
            &format!(
                "name = {name:?}\nprofile = \"rfc9068\"\naudience = {AUDIENCE:?}\nca = {ca:?}\n\
                 discovery = \"openid-configuration\"\nrefresh = \"10s\"\n\
                 [issuer.introspection]\nurl = \"{name}/token/introspection\"\nca = {ca:?}\n\
                 client_id = \"t8:gate\"\nsecret_file = {secret:?}\ncache = \"5m\""
            ),
        );
        stage.watch();
        provider = Some(issuer);
    });
    let provider = provider.expect("set above");
    let acme = &house.stage.acme;
    let fetch = |format| provider.token(acme, format, 600);
    let mut tokens: Vec<_> = (0..4).map(|_| fetch("jwt")).collect();
    tokens.extend((0..4).map(|_| fetch("opaque")));
    let mut client = house.client();
    for token in &tokens {
        assert_eq!(client.get(PATH, token).status, 200);
    }
    let unseen = ["jwt", "opaque", "jwt", "opaque"].map(fetch);
    let load = Load::of_tokens(&house, &tokens, REQUESTS_PER_S, Duration::from_secs(12));
    let pid = provider.child.id().to_string();
    for (signal, unseen) in [("-STOP", &unseen[..2]), ("-KILL", &unseen[2..])] {
        run_well(command("kill").args([signal, &pid]));
        assert_eq!(house.client().get(PATH, &unseen[0]).status, 200, "{signal}");
        let unasked = house.client().get(PATH, &unseen[1]);
        assert_comes_again(&unasked, "INTROSPECTION_UNAVAILABLE");
    }
    load.faultless();
}

/// The file of what the gateway shows to whoever it asks.
fn secret(stage: &Stage) -> String {
    let secret = stage.scratch.write("secret", "s3:cret %\n");
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("ours");
    secret.display().to_string()
}
