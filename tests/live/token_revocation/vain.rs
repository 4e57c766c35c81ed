//! Revocations for which nothing would be refused: of issuers whose tokens are not taken, of keys
//! that nobody has, of certificates that no client shows.

use serde_json::json;

use super::command_line::{fails, revoke_with, revokes};
use super::{all_are_served, ask, assert_revoked, house, path_of, revocable, revoke, token};
use crate::capif_tokens::{self, OWN};
use crate::harness::client::HOST;
use crate::harness::gateway::{check, t8gate};
use crate::harness::mint::{Algorithm, ISSUER, Mint, now_s, write_jwks};
use crate::harness::pki::{Authority, Key};
use crate::harness::stage::{House, PATH};
use crate::harness::{WAIT, run_well, wait_until};
use crate::issuer::{FORM, claims, posted, token_of};
use crate::reload::reload;

/// One slash too many is enough.
#[test]
fn issuer_whose_tokens_are_not_taken_is_refused_and_those_are_named_that_are() {
    let house = House::open_staged(|stage| {
        capif_tokens::with_capif(stage);
        revocable(stage);
    });
    let mut client = house.client();
    let of_capif = token_of(&client.ask(posted(OWN, FORM, "")));
    let said = claims(&of_capif);
    let jti = said["jti"].as_str().expect("a jti").to_owned();
    // As its iss says it, which is the client.
    let iss = said["iss"].as_str().expect("an issuer").to_owned();
    let slash = format!("{ISSUER}/");
    for issuer in [iss.as_str(), &slash] {
        for what in [["--jti", &jti], ["--key", "first"]] {
            let outcome = revoke_with(&house, &[&what[..], &["--issuer", issuer]].concat(), "");
            fails(&outcome, 2, "none whose tokens are taken");
            let capif = format!("https://{HOST}/capif-security/v1 (of CAPIF's tokens");
            for name in [ISSUER, &format!("https://{HOST},"), &capif] {
                assert!(outcome.stderr.contains(name), "{}", outcome.stderr);
            }
        }
    }
    // All of a request, or nothing.
    let one = token(&house.stage, "one");
    let both = json!([
        {"jti": "one", "issuer": ISSUER},
        {"jti": "two", "issuer": slash},
    ]);
    let (status, told) = ask(&house.stage, "POST", "/revocations", &both.to_string());
    assert_eq!(status, 400, "{told}");
    assert!(
        told["fault"]
            .as_str()
            .is_some_and(|fault| fault.starts_with("entry 2"))
    );
    all_are_served(&mut [house.client()], &one);
    all_are_served(&mut [house.client()], &of_capif);
    // By the name that is told of a token it is revoked.
    let mut inspect = t8gate(&["token", "inspect", "-", "--config"]);
    inspect.arg(&house.gateway.file);
    let told = crate::harness::run(&mut inspect, of_capif.as_bytes(), WAIT).stdout;
    let name = { told.lines() }.find_map(|line| line.strip_prefix("to revoke it by its jti: "));
    let name: Vec<&str> = name.expect("a name").split(' ').collect();
    revokes(&house, &[&["--jti", &jti], &name[..]].concat(), "");
    assert_revoked(&house.client().get(PATH, &of_capif));
    let help = run_well(&mut t8gate(&["token", "revoke", "--help"]));
    assert!(help.contains("/capif-security/v1"), "{help}");
}

/// It may come by the next look at what the issuer publishes.
#[test]
fn key_that_its_issuer_does_not_have_is_revoked_with_a_hint() {
    let house = House::open_staged(|stage| {
        capif_tokens::with_capif(stage);
        revocable(stage);
    });
    let hint = "has no key of this name now";
    // Hashes in base64url begin so too.
    let outcome = revoke_with(&house, &["--key", "-none", "--issuer", ISSUER], "");
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(hint), "{}", outcome.stderr);
    // One that is there is another issuer's key for the other.
    let own = format!("https://{HOST}");
    let outcome = revoke_with(&house, &["--key", "first", "--issuer", &own], "");
    assert!(outcome.stderr.contains(hint), "{}", outcome.stderr);
    let mut client = house.client();
    let token = token_of(&client.ask(posted(OWN, FORM, "")));
    let header = super::header(&token);
    let kid = header["kid"].as_str().expect("a kid");
    let capif = format!("{own}/capif-security/v1");
    for key in [
        ["--key", "first", "--issuer", ISSUER],
        ["--key", kid, "--issuer", &capif],
    ] {
        let outcome = revoke_with(&house, &key, "");
        assert_eq!(
            (outcome.status.code(), outcome.stderr.as_str()),
            (Some(0), "")
        );
    }
    let (_, listed) = ask(&house.stage, "GET", "/revocations", "");
    let listed = listed["to_be_taken_back"].as_array().expect("a list");
    let mut known: Vec<_> = { listed.iter() }
        .map(|key| (key["name"].as_str().expect("a name"), key["known"] == true))
        .collect();
    known.sort_unstable();
    let expected = [
        (format!("{own} first"), false),
        (format!("{capif} {kid}"), true),
        (format!("{ISSUER} first"), true),
        (format!("{ISSUER} -none"), false),
    ];
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(name, is)| (name.as_str(), *is))
        .collect();
    expected.sort_unstable();
    assert_eq!(known, expected);
}

#[test]
fn what_is_revoked_holds_again_when_its_issuer_comes_back() {
    let mut house = House::open_staged(|stage| {
        revocable(stage);
        stage.issue_tokens();
        stage.config.set_text("reload.watch", "off");
    });
    let (one, two) = (token(&house.stage, "one"), token(&house.stage, "two"));
    revoke(&house.stage, &json!({"jti": "one", "issuer": ISSUER}));
    let with_it = house.stage.config.clone();
    house.rewrite(|config| {
        config.without_tables("issuer");
    });
    reload(&house);
    let body = json!({"jti": "two", "issuer": ISSUER}).to_string();
    assert_eq!(ask(&house.stage, "POST", "/revocations", &body).0, 400);
    house.rewrite(|config| *config = with_it);
    reload(&house);
    let mut client = house.client();
    assert_revoked(&client.get(PATH, &one));
    assert_eq!(client.get(PATH, &two).status, 200);
}

#[test]
fn line_of_the_file_that_is_about_nothing_here_is_warned_of_and_in_no_way() {
    let (text, ahead) = (
        |jti: &str, issuer: &str| json!({"jti": jti, "issuer": issuer}),
        3_600,
    );
    let mut file = std::path::PathBuf::new();
    let mut house = House::open_staged(|stage| {
        revocable(stage);
        stage.config.set_text("reload.watch", "off");
        let ca = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &stage.partner_ca.der);
        let ca: String = { ca.as_ref().iter() }
            .map(|octet| format!("{octet:02x}"))
            .collect();
        let lines = [
            text("one", "https://gone.example"),
            text("one", ISSUER),
            json!({"client": "globex-app", "issued_until": now_s() + ahead}),
            json!({"certificate": ca}),
        ];
        let lines = lines.map(|line| line.to_string()).join("\n");
        file = stage.scratch.write("revoked.jsonl", lines);
        stage.config.set_text("revocation.revoked", file.display());
    });
    let warned = |log: &str, line: &str, what: &str| {
        let mut lines = log.lines();
        let found =
            lines.any(|said| said.contains("WARN") && said.contains(line) && said.contains(what));
        assert!(found, "{line}: {what}:\n{log}");
    };
    let log = house.gateway.log();
    warned(&log, "revoked.jsonl, line 1", "none whose tokens are taken");
    warned(&log, "revoked.jsonl, line 1", ISSUER);
    warned(&log, "revoked.jsonl, line 3", "t8gate client disable");
    warned(&log, "revoked.jsonl, line 4", "tls.client_ca");
    assert!(!log.contains("revoked.jsonl, line 2"), "{log}");
    let checked = check(&house.gateway.file, &house.stage.environment);
    assert!(checked.status.success(), "{}", checked.stderr);
    warned(&checked.stdout, "revoked.jsonl, line 1", ISSUER);
    assert_revoked(&house.client().get(PATH, &token(&house.stage, "one")));
    // Nor in that of a reload, and an issuer that is there is nothing to warn of.
    std::fs::write(&file, text("two", "https://gone.example").to_string()).unwrap();
    reload(&house);
    wait_until("a warning", || {
        house.gateway.log().matches("line 1").count() == 2
    });
    house.rewrite(|config| {
        let body = config
            .table_body("issuer", 0)
            .replace(ISSUER, "https://gone.example");
        config.without_tables("issuer").table("issuer", &body);
    });
    reload(&house);
    let claims = crate::harness::mint::with(house.stage.claims(), "iss", "https://gone.example");
    let of = |jti| {
        house
            .stage
            .mint
            .good(&crate::harness::mint::with(claims.clone(), "jti", jti))
    };
    assert_revoked(&house.client().get(PATH, &of("two")));
    assert_eq!(house.client().get(PATH, &of("one")).status, 200);
    assert_eq!(house.gateway.log().matches("line 1").count(), 2);
}

/// A name in the place of a `client_id` is enough, or a letter of a kid.
#[test]
fn line_of_the_file_whose_client_or_key_is_not_there_is_warned_of_and_holds_once_it_is() {
    let key = |kid: &str| json!({"key": kid, "issuer": ISSUER});
    let client = |client_id: &str| json!({"client": client_id, "issued_until": now_s()});
    let house = House::open_staged(|stage| {
        revocable(stage);
        stage.config.set_text("reload.watch", "off");
        let lines = [
            client("acme"),
            client("globex-app"),
            key("secnd"),
            key("first"),
        ];
        let lines = lines.map(|line| line.to_string()).join("\n");
        let file = stage.scratch.write("revoked.jsonl", lines);
        stage.config.set_text("revocation.revoked", file.display());
    });
    let (client, key) = (
        "revoked.jsonl, line 1: no client with this client_id is configured",
        "revoked.jsonl, line 3: the issuer has no key of this name now",
    );
    let said = || {
        let log = house.gateway.log();
        [client, key, "revoked.jsonl, line"].map(|what| log.matches(what).count())
    };
    assert_eq!(said(), [1, 1, 2], "{}", house.gateway.log());
    let checked = check(&house.gateway.file, &house.stage.environment).stdout;
    for line in [client, key] {
        let said = checked.lines().find(|said| said.contains(line));
        let said = said.expect(line);
        assert!(said.starts_with("WARN"), "{said}");
        assert!(said.contains("the line holds once there is one"), "{said}");
    }
    let second = Mint::new(Algorithm::Es256, "secnd");
    write_jwks(house.stage.scratch.path(), &[&house.stage.mint, &second]);
    reload(&house);
    assert_revoked(
        &house
            .client()
            .get(PATH, &second.good(&house.stage.claims())),
    );
    wait_until("the client alone to be said again", || said() == [2, 1, 3]);
}

#[test]
fn certificate_that_no_client_is_refused_for_is_not_said_to_be_revoked() {
    let house = house();
    let anchor = house.stage.partner_ca.certificate.display().to_string();
    let own = path_of(&house.stage, "tls.certificate")
        .display()
        .to_string();
    for (certificate, word) in [(&anchor, "is a CA's"), (&own, "this gateway's own")] {
        fails(
            &revoke_with(&house, &["--certificate", certificate], ""),
            2,
            word,
        );
    }
    let (_, listed) = ask(&house.stage, "GET", "/revocations", "");
    assert_eq!(listed["counts"]["certificate"], 0, "{listed}");
    // Whose CA it is nobody here knows.
    let ca = Authority::new(house.stage.scratch.path(), "Some CA", Key::P256);
    let ca = ca.certificate.display().to_string();
    let outcome = revoke_with(&house, &["--certificate", &ca], "");
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("a CA's certificate"),
        "{}",
        outcome.stderr
    );
    let of_client = house.stage.globex.certificate.display().to_string();
    let outcome = revoke_with(&house, &["--certificate", &of_client], "");
    assert_eq!(
        (outcome.status.code(), outcome.stderr.as_str()),
        (Some(0), "")
    );
}
