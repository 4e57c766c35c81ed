//! Opaque tokens: their issuer is asked about them, and what becomes of requests when it says
//! something, nothing, or nonsense.

mod authentication;
mod floods;
mod revoked;

use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::authorization::assert_problem;
use crate::clock::Clock;
use crate::harness::client::{Client, Response};
use crate::harness::introspection::{Act, Introspector, json_of};
use crate::harness::mint::{AUDIENCE, now_s};
use crate::harness::pki::{Authority, Leaf, San};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::wait_until;
use crate::issuer::posted;
use crate::reload::{ON_SIGNAL, reload};
use crate::token_revocation::revocable;

const TOKEN: &str = "opaque-2YotnFZFEjr1zCsicMWpAA";

struct Scene {
    house: House,
    issuer: Introspector,
}

impl Scene {
    /// With a secret for the gateway, and more lines of configuration.
    fn open(more: &str) -> Self {
        Self::open_staged(more, |_| {})
    }

    /// The same with another stage.
    fn open_staged(more: &str, change: impl FnOnce(&mut Stage)) -> Self {
        Self::open_by(more, |stage| {
            change(stage);
            let secret = stage.scratch.write("secret", "s3:cret %\n");
            std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("ours");
            format!("secret_file = {:?}", secret.display().to_string())
        })
    }

    fn open_by(more: &str, proof: impl FnOnce(&mut Stage) -> String) -> Self {
        let mut issuer = None;
        let house = House::open_staged(|stage| {
            let started = Introspector::start(&stage.operator_ca, &stage.operator_ca);
            let proof = proof(stage);
            let lines = format!(
                "[issuer.introspection]\nurl = {:?}\nca = {:?}\nclient_id = \"t8:gate\"\n\
                 {proof}\n{more}",
                started.url(),
                stage.operator_ca.certificate.display().to_string()
            );
            stage.config.extend_table("issuer", 0, &lines);
            stage.config.set("reload.watch", ON_SIGNAL);
            stage.watch();
            issuer = Some(started);
        });
        let issuer = issuer.expect("it was started");
        issuer.knows(TOKEN, Self::good(&house));
        Self { house, issuer }
    }

    /// What is to be said of a good token of acme.
    fn good(house: &House) -> Value {
        json!({
            "client_id": "acme-app", "aud": AUDIENCE, "scope": API, "exp": now_s() + 300,
            "cnf": {"x5t#S256": house.stage.acme.thumbprint()},
        })
    }

    fn client(&self) -> Client {
        self.house.client()
    }

    fn asked(&self) -> usize {
        self.issuer.asked().len()
    }

    fn refused(&self, token: &str, status: u16, word: &str) -> Response {
        let response = self.client().get(PATH, token);
        assert_problem(&response, status);
        let metrics = self.house.gateway.admin().metrics();
        assert!(
            metrics.count("t8gate_requests_refused_total", &[("reason", word)]) > 0,
            "{word}: {}",
            response.text()
        );
        if status == 503 {
            assert!(response.field("retry-after").is_some(), "come again");
            assert_eq!(response.field("www-authenticate"), None);
        }
        response
    }
}

/// Its issuer's word of it is held to the rules of the issuer's tokens, and whoever wants it to end
/// hears that it is still there: with another bound it would be taken.
#[test]
fn opaque_token_that_lives_longer_than_its_issuers_is_refused_and_not_said_to_be_gone() {
    let scene = Scene::open_staged("", |stage| {
        let lifetime = "token_lifetime_max = \"1m\"";
        stage.config.extend_table("issuer", 0, lifetime);
        revocable(stage);
        stage.issue_tokens();
    });
    scene.refused(TOKEN, 401, "token_invalid");
    scene.house.gateway.await_log("token_lives_too_long");
    let form = format!("client_id=acme-app&token={TOKEN}");
    let told = scene.client().ask(posted("/oauth2/revoke", &form, ""));
    assert_eq!(told.status, 503, "{}", told.text());
    let mut good = Scene::good(&scene.house);
    good["exp"] = (now_s() + 60).into();
    scene.issuer.knows("shorter", good);
    assert_eq!(scene.client().get(PATH, "shorter").status, 200);
}

//= RFC 7662 section 2.1 type=test
//# The gateway authenticates, and the token travels in a form.
#[test]
fn opaque_token_is_asked_about_once_and_serves_as_long_as_it_is_remembered() {
    let scene = Scene::open("");
    let mut client = scene.client();
    for _ in 0..3 {
        assert_eq!(client.get(PATH, TOKEN).status, 200);
    }
    // And on another connection.
    assert_eq!(scene.client().get(PATH, TOKEN).status, 200);
    let asked = scene.issuer.asked();
    let [asked] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert!(
        asked.head.starts_with("POST /introspect HTTP/1.1\r\n"),
        "{}",
        asked.head
    );
    // t8%3Agate:s3%3Acret+%25
    let basic = "authorization: Basic dDglM0FnYXRlOnMzJTNBY3JldCslMjU=\r\n";
    assert!(asked.head.contains(basic), "{}", asked.head);
    assert_eq!(
        asked.form,
        format!("token={TOKEN}&token_type_hint=access_token")
    );
    assert!(!asked.has_certificate);
    // The issuer's other tokens are verified as ever, and a request with a body goes through.
    assert_eq!(client.get(PATH, &scene.house.token()).status, 200);
    assert_eq!(scene.asked(), 1);
    let log = scene.house.gateway.log();
    assert!(!log.contains(TOKEN) && !log.contains("s3:cret"));
}

#[test]
fn body_behind_a_head_that_waited_is_forwarded_whole_under_one_id() {
    let scene = Scene::open("");
    scene.issuer.act(Act::Late(Duration::from_millis(200)));
    let body = crate::harness::client::json_of(20_000);
    let fields = "Content-Type: application/json\r\n";
    let request = crate::harness::client::request("POST", PATH, TOKEN, fields, &body);
    let mut client = scene.client();
    let response = client.ask(request);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(client.get(PATH, TOKEN).status, 200);
    let metrics = scene.house.gateway.admin().metrics();
    assert_eq!(
        metrics.count("t8gate_requests_total", &[]),
        2,
        "each counts once"
    );
}

#[test]
fn gateway_authenticates_by_its_certificate_where_it_is_told_to() {
    let scene = Scene::open_by("", |stage| {
        let own = stage
            .operator_ca
            .issue("t8gate", &Leaf::client(San::Dns("t8gate.example")));
        format!(
            "certificate = {:?}\nkey_file = {:?}",
            own.certificate.display().to_string(),
            own.key.display().to_string()
        )
    });
    assert_eq!(scene.client().get(PATH, TOKEN).status, 200);
    let asked = scene.issuer.asked().remove(0);
    assert!(asked.has_certificate && !asked.head.contains("authorization"));
    assert!(
        asked.form.ends_with("&client_id=t8%3Agate"),
        "{}",
        asked.form
    );
}

#[test]
fn inactive_token_is_an_invalid_one_and_is_not_asked_about_again_and_again() {
    let scene = Scene::open("");
    for _ in 0..3 {
        let response = scene.refused("nobody-knows-it", 401, "token_invalid");
        let challenge = response.field("www-authenticate").expect("of a 401");
        assert!(challenge.contains("invalid_token"), "{challenge}");
    }
    assert_eq!(scene.asked(), 1);
    let page = scene.house.gateway.admin().metrics().0;
    for line in [
        "t8gate_introspection_questions_total{outcome=\"inactive\"} 1",
        "t8gate_introspection_questions_total{outcome=\"remembered\"} 2",
        "t8gate_introspection_inactive_remembered 1",
        "t8gate_introspection_waiting 0",
    ] {
        assert!(page.lines().any(|said| said == line), "{line}: {page}");
    }
}

#[test]
fn client_that_sends_one_bad_opaque_token_after_another_is_stopped_and_no_other_is() {
    let scene = Scene::open_staged("", Clock::slowed);
    let globex = json!({"x5t#S256": scene.house.stage.globex.thumbprint()});
    let mut answer = Scene::good(&scene.house);
    answer["client_id"] = json!("globex-app");
    answer["cnf"] = globex;
    scene.issuer.knows("of-globex", answer);
    let mut client = scene.client();
    // The second may end while they are sent.
    let stopped = (0..600).find(|n| {
        let response = client.get(PATH, &format!("guess-{n}"));
        assert!([401, 429].contains(&response.status), "{}", response.text());
        response.status == 429
    });
    let stopped = stopped.expect("one of so many is not asked about");
    assert_eq!(scene.asked(), stopped);
    let House { stage, gateway, .. } = &scene.house;
    let globex = stage.dialer(&stage.globex).connect(gateway.address);
    let of_globex = "/3gpp-monitoring-event/v1/globex/subscriptions";
    let response = globex.expect("a client").get(of_globex, "of-globex");
    assert_eq!(response.status, 200, "{}", response.text());
}

//= RFC 8705 section 3.2 type=test
//# The certificate named in the answer is the one that may use the token.
#[test]
fn row_17_an_answer_is_held_to_certificate_client_audience_scope_and_times() {
    let scene = Scene::open("");
    let with = |name: &str, value: Value| {
        let mut answer = Scene::good(&scene.house);
        answer[name] = value;
        let token = format!("token-{name}");
        scene.issuer.knows(&token, answer);
        token
    };
    let globex = json!({"x5t#S256": scene.house.stage.globex.thumbprint()});
    scene.refused(&with("cnf", globex), 401, "token_of_other_certificate");
    scene.refused(
        &with("client_id", json!("globex-app")),
        401,
        "token_of_other_client",
    );
    scene.refused(&with("aud", json!("elsewhere")), 401, "token_invalid");
    scene.refused(
        &with("scope", json!("3gpp-nidd")),
        403,
        "scope_insufficient",
    );
    scene.refused(&with("exp", json!(now_s() - 1)), 401, "token_invalid");
    scene.refused(&with("nbf", json!(now_s() + 100)), 401, "token_invalid");
    scene.refused(
        &with("iss", json!("https://else.example")),
        401,
        "token_invalid",
    );
}

#[test]
fn row_17_an_answer_is_forgotten_at_its_exp_and_after_what_is_configured() {
    let scene = Scene::open("cache = \"1s\"");
    let mut client = scene.client();
    assert_eq!(client.get(PATH, TOKEN).status, 200);
    scene.issuer.forgets(TOKEN);
    wait_until("it to be asked about again", || {
        client.get(PATH, TOKEN).status == 401
    });
    assert_eq!(scene.asked(), 2);
}

#[test]
fn many_requests_with_one_token_ask_once() {
    let scene = Scene::open("");
    scene.issuer.act(Act::Late(Duration::from_millis(500)));
    thread::scope(|scope| {
        let ask = || {
            let mut client = scene.client();
            assert_eq!(client.get(PATH, TOKEN).status, 200);
        };
        for _ in 0..8 {
            scope.spawn(ask);
        }
    });
    assert_eq!(scene.asked(), 1);
    let metrics = scene.house.gateway.admin().metrics();
    let count = |outcome| {
        let name = "t8gate_introspection_questions_total";
        metrics.count(name, &[("outcome", outcome)])
    };
    assert!(count("taken") == 1 && count("shared") > 0);
}

/// Nothing of that says that a token is bad.
#[test]
fn what_is_no_answer_is_told_as_503_and_remembered_tokens_go_on() {
    let scene = Scene::open("");
    assert_eq!(scene.client().get(PATH, TOKEN).status, 200);
    let long = format!("{{\"active\":true,\"x\":\"{}\"}}", "x".repeat(40_000));
    let good = Scene::good(&scene.house).to_string();
    let says = [
        Act::Say(json_of("no JSON")),
        Act::Say(json_of("{\"aktive\":true}")),
        Act::HangUp,
    ];
    for (place, act) in says.into_iter().enumerate() {
        scene.issuer.act(act);
        scene.refused(
            &format!("unknown-{place}"),
            503,
            "introspection_unavailable",
        );
    }
    // One that is answered closes what so many in vain would open.
    scene.issuer.act(Act::Answer);
    scene.refused("unknown-inactive", 401, "token_invalid");
    let says = [
        json_of(&long),
        json_of(&good).replace("200 OK", "401 Unauthorized"),
        json_of(&good).replace("200 OK", "302 Found"),
        json_of(&good).replace("application/json", "text/html"),
    ];
    for (place, said) in says.into_iter().enumerate() {
        scene.issuer.act(Act::Say(said));
        scene.refused(
            &format!("strange-{place}"),
            503,
            "introspection_unavailable",
        );
        assert_eq!(scene.client().get(PATH, TOKEN).status, 200);
    }
    let log = scene.house.gateway.log();
    assert!(
        log.contains("cannot be asked about tokens") && !log.contains("unknown-0"),
        "{log}"
    );
}

#[test]
fn issuer_that_does_not_answer_is_left_alone_for_a_while_and_tried_again() {
    let scene = Scene::open("");
    scene.issuer.act(Act::HangUp);
    for n in 0..12 {
        scene.refused(&format!("t{n}"), 503, "introspection_unavailable");
    }
    assert_eq!(scene.asked(), 5, "then nobody asks any more");
    scene.issuer.act(Act::Answer);
    let counted = |outcome, breaker_open| {
        let page = scene.house.gateway.admin().metrics().0;
        let line = format!("t8gate_introspection_questions_total{{outcome={outcome}\n");
        page.contains(&line)
            && page.contains(&format!(
                "t8gate_introspection_breaker_open {breaker_open}\n"
            ))
    };
    assert!(counted("\"failed\"} 5", 1) && counted("\"turned_away\"} 7", 1));
    wait_until("it to be asked again", || {
        scene.client().get(PATH, TOKEN).status == 200
    });
    assert_eq!(scene.asked(), 6);
    assert!(counted("\"taken\"} 1", 0));
}

#[test]
fn slow_issuer_is_not_waited_for_beyond_the_deadline_and_holds_up_nobody_else() {
    let scene = Scene::open("");
    scene.issuer.act(Act::Late(Duration::from_secs(60)));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| scene.refused(TOKEN, 503, "introspection_unavailable"));
        wait_until("the question", || scene.asked() == 1);
        let token = scene.house.token();
        assert_eq!(
            scene.client().get(PATH, &token).status,
            200,
            "on the same CPU"
        );
        assert!(!waiting.is_finished());
        waiting.join().expect("it is refused");
    });
}

#[test]
fn issuer_without_keys_is_asked_and_its_jwts_are_refused() {
    let mut scene = Scene::open("");
    scene.house.rewrite(|config| {
        let body = config.table_body("issuer", 0);
        let without = { body.lines() }
            .filter(|line| !line.starts_with("jwks = "))
            .collect::<Vec<_>>()
            .join("\n");
        config.without_tables("issuer").table("issuer", &without);
    });
    let jwt = scene.house.token();
    let mut client = scene.client();
    assert_eq!(client.get(PATH, &jwt).status, 200);
    reload(&scene.house);
    wait_until("it to be no token", || client.get(PATH, &jwt).status == 401);
    scene.refused(&jwt, 401, "token_invalid");
    assert_eq!(client.get(PATH, TOKEN).status, 200);
    // And from the start.
    let file = scene.house.stage.scratch.path().join("audit-again.jsonl");
    scene
        .house
        .stage
        .config
        .set_text("audit.file", file.display());
    let again = scene.house.stage.start();
    let dialer = scene.house.stage.dialer(&scene.house.stage.acme);
    let mut client = dialer.connect(again.address).expect("a client");
    assert_eq!(client.get(PATH, TOKEN).status, 200);
    assert_eq!(client.get(PATH, &jwt).status, 401);
}

#[test]
fn issuer_is_asked_by_a_reload_and_no_more_after_another() {
    let scene = Scene::open("");
    let mut house = scene.house;
    assert_eq!(house.client().get(PATH, TOKEN).status, 200);
    let before = house.stage.config.table_body("issuer", 0);
    let (without, _) = before
        .split_once("[issuer.introspection]")
        .expect("it is there");
    house.rewrite(|config| {
        config.without_tables("issuer").table("issuer", without);
    });
    reload(&house);
    wait_until("it to be no token", || {
        house.client().get(PATH, TOKEN).status == 401
    });
    let tasks = format!("/proc/{}/task", house.gateway.pid());
    wait_until("who asks to have ended", || {
        let tasks = std::fs::read_dir(&tasks).expect("it runs");
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
        !{ tasks.flatten() }.any(|task| name(task).is_ok_and(|name| name == "t8gate-tokens\n"))
    });
    house.rewrite(|config| {
        config.without_tables("issuer").table("issuer", &before);
    });
    reload(&house);
    wait_until("it to be asked about again", || {
        house.client().get(PATH, TOKEN).status == 200
    });
    assert_eq!(scene.issuer.asked().len(), 2);
}

/// What was said is whose certificate the CA has vouched for then.
#[test]
fn what_an_endpoint_of_another_ca_said_is_not_believed_any_more() {
    let mut scene = Scene::open("");
    assert_eq!(scene.client().get(PATH, TOKEN).status, 200);
    let body = scene.house.stage.config.table_body("issuer", 0);
    let ca = |of: &Authority| of.certificate.display().to_string();
    let (own, other) = (
        &scene.house.stage.operator_ca,
        &scene.house.stage.partner_ca,
    );
    let other = body.replace(&ca(own), &ca(other));
    assert_ne!(body, other);
    scene.house.rewrite(|config| {
        config.without_tables("issuer").table("issuer", &other);
    });
    reload(&scene.house);
    scene.refused(TOKEN, 503, "introspection_unavailable");
}
