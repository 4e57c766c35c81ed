//! Opaque tokens of the embedded issuer: what they open, to whom, on which nodes and for how long;
//! and that nobody else is asked about them.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::authorization::assert_problem;
use crate::harness::client::Response;
use crate::harness::gateway::{Gateway, check};
use crate::harness::introspection::Introspector;
use crate::harness::mint::{AUDIENCE, now_s};
use crate::harness::origin::Origin;
use crate::harness::peers::{curl, url};
use crate::harness::pki::{Identity, Key};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{WAIT, run_well, wait_until};
use crate::issuer::{FORM, TOKEN, asked, token_of};
use crate::reload::{ON_SIGNAL, reload, rewrite};
use crate::resumption::secret;

/// The issuer, whose tokens are sealed by a secret in a file.
fn sealing(stage: &mut Stage) {
    stage.issue_tokens();
    let file = secret(stage, "sealing");
    stage.config.set_text("oauth.token_format", "opaque");
    let key = "oauth.sealing.secret_file";
    stage.config.set_text(key, file.display());
    stage.watch();
}

/// What `curl` gets for a form.
fn curled(house: &House, identity: &Identity, path: &str, form: &str) -> Value {
    let (address, ca) = (house.gateway.address, &house.stage.operator_ca.certificate);
    let mut curl = curl(address, ca, Some(identity));
    let said = run_well(
        curl.args(["--fail", "--data", form])
            .arg(url(address, path)),
    );
    serde_json::from_str(&said).expect("JSON")
}

/// A token of `acme`, which is sealed.
pub fn fetched(house: &House) -> String {
    sealed(token_of(&asked(&mut house.client(), FORM)))
}

fn sealed(token: String) -> String {
    assert!(
        token.starts_with("t8s1_") && !token.contains('.'),
        "{token}"
    );
    token
}

#[track_caller]
fn assert_refused(response: &Response) {
    assert_problem(response, 401);
    let said = response.text();
    assert!(said.contains("TOKEN_INVALID"), "{said}");
}

/// How often the records say that a token was refused for this.
fn recorded(house: &House, fault: &str) -> usize {
    let audit = house.stage.scratch.path().join("audit.jsonl");
    let text = std::fs::read_to_string(audit).unwrap_or_default();
    text.matches(&format!("\"{fault}\"")).count()
}

/// What a sealed token says of the secret that sealed it.
fn name(token: &str) -> &str {
    &token[13..23]
}

/// The letter at this place from the end of a token is another one.
fn altered(token: &str, from_end: usize) -> String {
    let place = token.len() - from_end;
    let other = match &token[place..=place] {
        "A" => "B",
        _ => "A",
    };
    let mut altered = token.to_owned();
    altered.replace_range(place..=place, other);
    altered
}

#[test]
fn opaque_token_that_curl_fetches_opens_the_api_to_its_certificate_alone() {
    let house = House::open_staged(sealing);
    let said = curled(&house, &house.stage.acme, TOKEN, FORM);
    assert_eq!(
        (&said["token_type"], &said["expires_in"]),
        (&"Bearer".into(), &600.into())
    );
    assert_eq!(said["scope"], format!("{API} 3gpp-nidd"));
    let token = sealed(said["access_token"].as_str().expect("a token").to_owned());
    let (address, ca) = (house.gateway.address, &house.stage.operator_ca.certificate);
    let mut get = curl(address, ca, Some(&house.stage.acme));
    get.args(["--header", &format!("Authorization: Bearer {token}")]);
    assert_eq!(
        run_well(get.arg("--fail").arg(url(address, PATH))).len(),
        306
    );
    let mut client = house.client();
    for _ in 0..3 {
        assert_eq!(client.get(PATH, &token).status, 200);
    }
    // As of any token of its scope: no more than what was asked for.
    let narrow = sealed(token_of(&asked(
        &mut client,
        &format!("{FORM}&scope=3gpp-nidd"),
    )));
    assert_problem(&client.get(PATH, &narrow), 403);
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut other = dialer.connect(house.gateway.address).expect("a client");
    let refused = other.get("/3gpp-monitoring-event/v1/globex/subscriptions", &token);
    assert_problem(&refused, 401);
    assert!(refused.text().contains("TOKEN_OF_OTHER_CERTIFICATE"));
    let metrics = house.gateway.admin().metrics();
    let count = |verdict| metrics.sum("t8gate_token_verdicts_total", &[("verdict", verdict)]);
    assert!(
        count("remembered") >= 2.0,
        "it is remembered like any other"
    );
    let audit = house.stage.scratch.path().join("audit.jsonl");
    for text in [
        house.gateway.log(),
        std::fs::read_to_string(audit).expect("a file"),
    ] {
        assert!(!text.contains("t8s1_"), "{text}");
    }
}

#[test]
fn opaque_token_is_good_on_another_node_and_after_a_restart() {
    let mut house = House::open_staged(sealing);
    let token = fetched(&house);
    let served = |house: &House, gateway: &Gateway| {
        let dialer = house.stage.dialer(&house.stage.acme);
        let mut client = dialer.connect(gateway.address).expect("a handshake");
        client.get(PATH, &token)
    };
    let another = house.stage.start();
    assert_eq!(served(&house, &another).status, 200);
    house.gateway.terminate();
    house.gateway.wait(WAIT);
    house.gateway = house.stage.start();
    assert_eq!(served(&house, &house.gateway).status, 200);
    // A node that has another secret does not take it.
    let foreign = secret(&house.stage, "foreign");
    let key = "oauth.sealing.secret_file";
    house.stage.config.set_text(key, foreign.display());
    let stranger = house.stage.start();
    assert_refused(&served(&house, &stranger));
}

#[test]
fn forged_opaque_tokens_are_refused_counted_and_shown_to_no_other_issuer() {
    let mut issuer = None;
    let house = House::open_staged(|stage| {
        sealing(stage);
        let started = Introspector::start(&stage.operator_ca, &stage.operator_ca);
        let secret = stage.scratch.write("secret", "s3:cret %\n");
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("ours");
        let lines = format!(
            "[issuer.introspection]\nurl = {:?}\nca = {:?}\nclient_id = \"t8gate\"\n\
             secret_file = {:?}",
            started.url(),
            stage.operator_ca.certificate.display().to_string(),
            secret.display().to_string()
        );
        stage.config.extend_table("issuer", 0, &lines);
        issuer = Some(started);
    });
    let issuer = issuer.expect("it was started");
    let token = fetched(&house);
    let mut client = house.client();
    let again = |house: &House| {
        let metrics = house.gateway.admin().metrics();
        metrics.sum(
            "t8gate_token_verdicts_total",
            &[("verdict", "refused_again")],
        )
    };
    for place in [2, 10, 24, token.len() - 60] {
        let forged = altered(&token, place);
        let before = again(&house);
        for _ in 0..3 {
            assert_refused(&client.get(PATH, &forged));
        }
        assert_eq!(again(&house) - before, 2.0, "it is opened in vain once");
    }
    assert_refused(&client.get(PATH, &altered(&token, token.len() - 15)));
    let cut = &token[..token.len() - 1];
    assert_problem(&client.get(PATH, cut), 401);
    assert_refused(&client.get(PATH, &token[..60]));
    assert_eq!(client.get(PATH, &token).status, 200);
    assert!(issuer.asked().is_empty(), "none of these is its");
    for (fault, times) in [
        ("token_signature_bad", 12),
        ("token_key_unknown", 1),
        ("token_malformed", 1),
    ] {
        wait_until(fault, || recorded(&house, fault) >= times);
    }
    // What does not say that it is of this issuer is asked about as ever.
    let theirs = "t8s1_AAAAAAAA-of-somebody-else";
    issuer.knows(
        theirs,
        serde_json::json!({
            "client_id": "acme-app", "aud": AUDIENCE, "scope": API, "exp": now_s() + 300,
            "cnf": {"x5t#S256": house.stage.acme.thumbprint()},
        }),
    );
    assert_eq!(client.get(PATH, theirs).status, 200);
    assert_eq!(issuer.asked().len(), 1);
}

#[test]
fn secret_is_replaced_without_a_token_that_is_lost_and_a_step_left_out_is_said() {
    let mut house = House::open_staged(|stage| {
        sealing(stage);
        stage.config.set("reload.watch", ON_SIGNAL);
    });
    let file = |house: &House, key: &str| house.stage.config.value(key);
    let old = fetched(&house);
    let mut client = house.client();
    assert_eq!(client.get(PATH, &old).status, 200);
    let before = file(&house, "oauth.sealing.secret_file");
    let next = secret(&house.stage, "next");
    rewrite(&mut house, |config| {
        config.set_text("oauth.sealing.secret_file", next.display());
        config.set("oauth.sealing.second_secret_file", &before);
    });
    reload(&house);
    let mut new = fetched(&house);
    // A shard takes it up a moment later.
    wait_until("the next secret to seal", || {
        new = fetched(&house);
        name(&new) != name(&old)
    });
    for token in [&old, &new] {
        assert_eq!(house.client().get(PATH, token).status, 200);
        assert_eq!(client.get(PATH, token).status, 200);
    }
    assert!(!house.gateway.log().contains("are refused from now on"));
    // Too soon, but that secret has sealed none of late.
    rewrite(&mut house, |config| {
        config.unset("oauth.sealing.second_secret_file");
    });
    reload(&house);
    // The wrong file for a second one would have those of the one before refused.
    let mut twice = house.stage.config.clone();
    let copy = house.stage.scratch.path().join("copy.secret");
    std::fs::copy(&next, &copy).expect("a copy");
    twice.set_text("oauth.sealing.second_secret_file", copy.display());
    let place = house.stage.scratch.path();
    let said = check(&crate::harness::gateway::write(place, &twice), &[]);
    assert!(!said.status.success());
    assert!(
        said.stderr.contains("the first one once more"),
        "{}",
        said.stderr
    );
    wait_until("it to be refused", || client.get(PATH, &old).status == 401);
    assert_refused(&client.get(PATH, &old));
    assert_eq!(client.get(PATH, &new).status, 200);
    assert!(!house.gateway.log().contains("are refused from now on"));
    let last = secret(&house.stage, "last");
    rewrite(&mut house, |config| {
        config.set_text("oauth.sealing.secret_file", last.display());
    });
    reload(&house);
    house.gateway.await_log("are refused from now on");
    wait_until("it to be refused", || client.get(PATH, &new).status == 401);
    // Back to signed ones: those that are sealed are good until they end.
    let sealed = fetched(&house);
    rewrite(&mut house, |config| {
        config.set_text("oauth.token_format", "jwt");
    });
    reload(&house);
    let mut signed = String::new();
    wait_until("signed tokens", || {
        signed = token_of(&asked(&mut client, FORM));
        signed.split('.').count() == 3
    });
    for token in [&sealed, &signed] {
        assert_eq!(client.get(PATH, token).status, 200);
    }
}

#[test]
fn opaque_tokens_of_a_secret_in_a_token_outlive_a_restart() {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    stage.issue_tokens_from(&token);
    let uri = token.generate_secret("sealing", "0b");
    stage.config.set_text("oauth.token_format", "opaque");
    stage.config.set_text("oauth.sealing.uri", uri);
    for key in ["module", "pin_file"] {
        let value = stage.config.value(&format!("tls.key.{key}"));
        stage.config.set(&format!("oauth.sealing.{key}"), &value);
    }
    let mut house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    let token = fetched(&house);
    assert_eq!(house.client().get(PATH, &token).status, 200);
    house.gateway.terminate();
    house.gateway.wait(WAIT);
    house.gateway = house.stage.start();
    assert_eq!(house.client().get(PATH, &token).status, 200);
    assert_refused(&house.client().get(PATH, &altered(&token, 9)));
}

#[test]
fn client_alone_may_have_opaque_tokens_and_only_where_there_is_a_secret() {
    let format = "token_format = \"opaque\"";
    let house = House::open_staged(|stage| {
        sealing(stage);
        stage.config.set_text("oauth.token_format", "jwt");
        stage.config.extend_table("client", 0, format);
    });
    let token = fetched(&house);
    let response = house.client().get(PATH, &token);
    assert_eq!(response.status, 200);
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    stage.issue_tokens();
    stage
        .config
        .set_text("listen.address", crate::harness::free_address());
    stage.config.extend_table("client", 0, format);
    let file = crate::harness::gateway::write(stage.scratch.path(), &stage.config);
    let said = check(&file, &[]);
    assert!(!said.status.success());
    let said = format!("{}{}", said.stdout, said.stderr);
    assert!(
        said.contains("client[1].token_format") && said.contains("[oauth.sealing]"),
        "{said}"
    );
}
