//! `t8gate token`: tokens that an operator issues, and what is said of a token and why.

use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::gateway::{t8gate, write};
use crate::harness::mint::{self, Algorithm, Mint};
use crate::harness::origin::Origin;
use crate::harness::pki::{Identity, Key, Leaf, San};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{Outcome, WAIT, run};

/// A configuration file beside which nothing runs.
fn file(change: impl FnOnce(&mut Stage)) -> (Stage, PathBuf) {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    stage
        .config
        .set_text("listen.address", crate::harness::free_address());
    change(&mut stage);
    let file = write(stage.scratch.path(), &stage.config);
    (stage, file)
}

pub fn issue(stage: &Stage, file: &Path, who: &Identity, words: &[&str]) -> Outcome {
    let mut command = t8gate(&["token", "issue", "--certificate"]);
    command
        .arg(&who.certificate)
        .args(words)
        .arg("--config")
        .arg(file);
    command.envs(stage.environment.iter().cloned());
    run(&mut command, b"", WAIT)
}

fn issued(stage: &Stage, file: &Path, words: &[&str]) -> String {
    let outcome = issue(stage, file, &stage.acme, words);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    let token = outcome.stdout.strip_suffix('\n').expect("a line");
    assert_eq!(token.split('.').count(), 3, "the token alone: {token}");
    assert!(!token.contains(char::is_whitespace) && !outcome.stderr.contains(token));
    token.to_owned()
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("three parts");
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("a JSON object")
}

fn inspect(file: &Path, token: &str, certificate: Option<&Identity>) -> Outcome {
    let mut command = t8gate(&["token", "inspect", "-", "--config"]);
    command.arg(file);
    if let Some(identity) = certificate {
        command.arg("--certificate").arg(&identity.certificate);
    }
    run(&mut command, token.as_bytes(), WAIT)
}

/// It is taken, says all of this, and shows no signature.
fn valid(outcome: &Outcome, token: &str, words: &[&str]) {
    let said = &outcome.stdout;
    assert_eq!(outcome.status.code(), Some(0), "{said}{}", outcome.stderr);
    assert!(
        !said.contains("FAILED") && !said.contains("not looked at"),
        "{said}"
    );
    assert_says(said, token, words);
}

/// It is refused at this step, by this word, and what comes behind is not looked at.
fn invalid(outcome: &Outcome, token: &str, step: &str, word: &str) {
    let said = &outcome.stdout;
    assert_eq!(outcome.status.code(), Some(1), "{said}{}", outcome.stderr);
    let failed = said
        .lines()
        .find(|line| line.contains("FAILED"))
        .expect("a step");
    let words: Vec<&str> = failed.split_whitespace().collect();
    assert_eq!(words, ["FAILED", step, word], "{said}");
    assert_says(said, token, &["hint: "]);
}

/// A revoked token is good here, and that is said.
const UNASKED: &str = "revocation   not asked: a running gateway refuses what is revoked";

fn assert_says(said: &str, token: &str, words: &[&str]) {
    for word in words.iter().copied().chain([UNASKED]) {
        assert!(said.contains(word), "{word} is not in\n{said}");
    }
    let signature = token.rsplit('.').next().unwrap_or_default();
    assert!(signature.len() < 8 || !said.contains(signature), "{said}");
}

/// As the configuration file says that it is made.
fn hash_by_shell(token: &str) -> String {
    let line = "cut -d. -f1,2 | tr -d '\\n' | sha256sum";
    let outcome = run(
        Command::new("sh").args(["-c", line]),
        token.as_bytes(),
        WAIT,
    );
    let digits = outcome.stdout.split(' ').next().unwrap_or_default();
    assert_eq!(digits.len(), 64, "{}{}", outcome.stdout, outcome.stderr);
    digits.to_owned()
}

#[test]
fn issued_token_opens_the_api_to_the_certificate_it_is_bound_to_and_to_no_other() {
    let house = House::open_staged(Stage::issue_tokens);
    let (stage, file) = (&house.stage, &house.gateway.file);
    let token = issued(stage, file, &["--client", "acme", "--scope", API]);
    assert_eq!(house.client().get(PATH, &token).status, 200);
    assert_eq!(claims(&token)["cnf"]["x5t#S256"], stage.acme.thumbprint());
    assert_eq!(claims(&token)["scope"], API);
    valid(
        &inspect(file, &token, Some(&stage.acme)),
        &token,
        &["acme-app", "the bound one", API, "ES256", "Z, in "],
    );
    let hash = format!("{{\"token_sha256\":\"{}\"}}", hash_by_shell(&token));
    valid(
        &inspect(file, &token, None),
        &token,
        &["--certificate", &hash],
    );
    invalid(
        &inspect(file, &token, Some(&stage.globex)),
        &token,
        "certificate",
        "token_of_other_certificate",
    );
}

#[test]
fn token_is_signed_by_the_key_in_the_hsm_as_serve_would() {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    stage.issue_tokens_from(&token);
    let gateway = stage.start();
    let token = issued(&stage, &gateway.file, &["--client", "acme"]);
    let mut client = stage
        .dialer(&stage.acme)
        .connect(gateway.address)
        .expect("a client");
    assert_eq!(client.get(PATH, &token).status, 200);
}

#[test]
fn lifetime_is_what_was_asked_for_and_never_more_than_is_configured() {
    let (stage, file) = file(Stage::issue_tokens);
    let life = |token: &str| {
        let claims = claims(token);
        claims["exp"]
            .as_u64()
            .zip(claims["iat"].as_u64())
            .map(|(exp, iat)| exp - iat)
    };
    let acme = ["--client", "acme"];
    assert_eq!(life(&issued(&stage, &file, &acme)), Some(600));
    let lasting = |time| {
        issue(
            &stage,
            &file,
            &stage.acme,
            &[acme[0], acme[1], "--lifetime", time],
        )
    };
    assert_eq!(life(lasting("90s").stdout.trim_end()), Some(90));
    assert_eq!(life(lasting("10m").stdout.trim_end()), Some(600));
    for (time, word) in [
        ("601s", "longer than"),
        ("0s", "out of range"),
        ("90", "time"),
    ] {
        let outcome = lasting(time);
        assert_eq!(
            (outcome.status.code(), outcome.stdout.as_str()),
            (Some(1), ""),
            "{time}"
        );
        assert!(outcome.stderr.contains(word), "{time}: {}", outcome.stderr);
    }
}

#[test]
fn token_is_refused_that_the_issuer_would_not_give_the_client() {
    let (stage, file) = file(|stage| {
        stage.issue_tokens();
        stage.config.table(
            "client",
            "name = \"off\"\nsans = [\"dns:off.example\"]\nscs_as_ids = [\"off\"]\n\
             tls_client_auth_san_dns = \"off.example\"\nscopes = [\"3gpp-nidd\"]\n\
             enabled = false",
        );
    });
    let refused = |who: &Identity, words: &[&str], said: &str| {
        let outcome = issue(&stage, &file, who, words);
        assert_eq!(
            (outcome.status.code(), outcome.stdout.as_str()),
            (Some(1), ""),
            "{words:?}"
        );
        let stderr = &outcome.stderr;
        assert!(
            stderr.contains(said) && stderr.contains("hint: "),
            "{words:?}: {stderr}"
        );
    };
    let acme = &stage.acme;
    refused(&stage.globex, &["--client", "globex"], "not registered");
    refused(acme, &["--client", "off"], "disabled");
    refused(acme, &["--client", "nobody"], "no client \"nobody\"");
    refused(&stage.globex, &["--client", "acme"], "certificate");
    refused(acme, &["--client", "acme", "--scope", "3gpp-bdt"], "scope");
    refused(acme, &["--client", "acme", "--scope", "a\"b"], "scope");
    let (stage, file) = self::file(|_| {});
    let outcome = issue(&stage, &file, &stage.acme, &["--client", "acme"]);
    assert_eq!(outcome.status.code(), Some(1));
    assert!(outcome.stderr.contains("no [oauth]"), "{}", outcome.stderr);
}

#[test]
fn each_check_that_fails_is_named_with_its_step_and_what_follows_is_not_looked_at() {
    let (stage, file) = file(|_| {});
    let good = stage.claims();
    let with = |changes: &[(&str, Value)]| {
        let mut claims = good.clone();
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        stage.mint.good(&claims)
    };
    let refused = |token: &str, step: &str, word: &str| {
        invalid(&inspect(&file, token, Some(&stage.acme)), token, step, word);
    };
    valid(
        &inspect(&file, &with(&[]), Some(&stage.acme)),
        &with(&[]),
        &["the bound one"],
    );
    // As a file has it, and as Windows does.
    for end in ["\n", "\r\n"] {
        let token = with(&[]);
        let kept = stage.scratch.write("token", format!("{token}{end}"));
        let mut command = t8gate(&["token", "inspect"]);
        command.arg(kept).arg("--config").arg(&file);
        valid(&run(&mut command, b"", WAIT), &token, &["valid"]);
    }
    refused("opaque", "form", "token_malformed");
    refused(&format!(" {}", with(&[])), "form", "token_malformed");
    refused(&"a".repeat(9_000), "form", "token_too_long");
    refused("", "form", "token_malformed");
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    let none = with(&[]).replacen(with(&[]).split('.').next().expect("a header"), &header, 1);
    refused(&none, "header", "token_algorithm_refused");
    let elsewhere = with(&[("iss", json!("https://else.example"))]);
    refused(&elsewhere, "issuer", "token_issuer_unknown");
    let other = Mint::new(Algorithm::Es256, "other").good(&good);
    refused(&other, "key", "token_key_unknown");
    let forged = Mint::new(Algorithm::Es256, "first").good(&good);
    refused(&forged, "signature", "token_signature_bad");
    refused(
        &with(&[("aud", json!("elsewhere"))]),
        "claims",
        "token_audience",
    );
    refused(&with(&[("exp", json!(1_000_000))]), "time", "token_expired");
    let nobody = mint::claims("nobody", API, &stage.acme.thumbprint());
    refused(&stage.mint.good(&nobody), "client", "token_of_other_client");
    refused(
        &with(&[("cnf", json!(null))]),
        "claims",
        "token_cnf_malformed",
    );
    let globex = with(&[("cnf", json!({"x5t#S256": stage.globex.thumbprint()}))]);
    refused(&globex, "certificate", "token_of_other_certificate");
    let on = |who: &Identity, word: &str| {
        let token = with(&[("cnf", json!({"x5t#S256": who.thumbprint()}))]);
        let outcome = inspect(&file, &token, Some(who));
        invalid(&outcome, &token, "certificate", word);
    };
    on(&stage.globex, "token_of_other_client");
    let unknown = Leaf::client(San::Dns("scs.unknown.example"));
    on(&stage.partner_ca.issue("unknown", &unknown), "not_mapped");
    let mut expired = Leaf::client(San::Dns("scs.acme.example"));
    expired.valid_from_s = -7_200;
    expired.valid_until_s = -3_600;
    on(
        &stage.partner_ca.issue("expired", &expired),
        "client_certificate_expired",
    );
}

/// It is shown to nobody, and what only its issuer knows is not made up.
#[test]
fn opaque_token_about_which_its_issuer_would_be_asked_is_left_undecided() {
    const URL: &str = "https://localhost:1/introspect";
    let (stage, file) = file(|stage| {
        let secret = stage.scratch.write("secret", "s3cret");
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("ours");
        let lines = format!(
            "[issuer.introspection]\nurl = {URL:?}\nca = {:?}\nclient_id = \"t8gate\"\n\
             secret_file = {:?}",
            stage.operator_ca.certificate.display().to_string(),
            secret.display().to_string()
        );
        stage.config.extend_table("issuer", 0, &lines);
    });
    for token in ["2YotnFZFEjr1", "a.b", "2YotnFZFEjr1zCsicMWpAA=="] {
        let outcome = inspect(&file, token, Some(&stage.acme));
        let said = &outcome.stdout;
        assert_eq!(outcome.status.code(), Some(3), "{said}{}", outcome.stderr);
        assert!(said.starts_with("undecided: "), "{said}");
        for word in [mint::ISSUER, URL, "nobody was asked"] {
            assert!(said.contains(word), "{word}: {said}");
        }
        assert!(!said.contains(token), "{said}");
    }
    // What is not asked about is decided as ever.
    let refused = |token: &str, word: &str| {
        invalid(&inspect(&file, token, None), token, "form", word);
    };
    refused("opaque\"", "token_malformed");
    refused(&"a".repeat(9_000), "token_too_long");
    let good = stage.mint.good(&stage.claims());
    valid(&inspect(&file, &good, Some(&stage.acme)), &good, &["valid"]);
}

#[test]
fn nothing_in_a_token_is_an_order_to_the_terminal() {
    let (stage, file) = file(|_| {});
    let mut claims = stage.claims();
    claims["a\u{1b}[2J"] = json!("x\u{9b}31m\n\u{202e}y");
    let token = stage.mint.good(&claims);
    let outcome = inspect(&file, &token, None);
    let letters = || outcome.stdout.chars();
    assert!(
        letters().all(|c| c == '\n' || !c.is_control()),
        "{:?}",
        outcome.stdout
    );
    assert!(letters().all(|c| c != '\u{202e}'));
    assert!(outcome.stdout.contains("\\u{9b}31m"), "{}", outcome.stdout);
}

/// As `| head -1` does, and as a disk that is full does.
#[test]
fn reader_that_has_gone_is_no_fault_and_what_is_not_written_is_one() {
    let (stage, file) = file(|_| {});
    let token = stage.mint.good(&stage.claims());
    let token = stage.scratch.write("token", token).display().to_string();
    let told = |words: &[&str], stdout: Stdio| {
        let mut command = t8gate(words);
        command.arg("--config").arg(&file).stdout(stdout);
        let output = command.output().expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), stderr)
    };
    for words in [
        &["token", "inspect", &token][..],
        &["check", "--conformance"],
        &["client", "list"],
        &["client", "show", "acme"],
        &["hw", "--no-rates"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let gone = told(words, writer.into());
        assert_eq!(gone, (Some(0), String::new()), "{words:?}");
        let full = OpenOptions::new().write(true).open("/dev/full");
        let (status, stderr) = told(words, full.expect("a device of Linux").into());
        assert_ne!(status, Some(0), "{words:?}");
        assert!(stderr.contains("No space left"), "{words:?}: {stderr}");
    }
}
