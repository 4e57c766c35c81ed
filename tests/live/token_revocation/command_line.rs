//! `t8gate token revoke` against a gateway that serves.

use std::path::Path;

use super::{assert_revoked, house, path_of, token};
use crate::harness::client::Client;
use crate::harness::gateway::t8gate;
use crate::harness::mint::{ISSUER, now_s, with};
use crate::harness::stage::{House, PATH};
use crate::harness::{Outcome, WAIT, run};

/// Runs it on the gateway's own configuration.
pub fn revoke_with(house: &House, arguments: &[&str], input: &str) -> Outcome {
    let mut command = t8gate(&["token", "revoke", "--config"]);
    command.arg(&house.gateway.file).args(arguments);
    run(&mut command, input.as_bytes(), WAIT)
}

#[track_caller]
pub fn revokes(house: &House, arguments: &[&str], input: &str) {
    let outcome = revoke_with(house, arguments, input);
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stdout.lines().count(), 1, "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("eyJ"), "a token is printed");
}

#[track_caller]
pub fn fails(outcome: &Outcome, status: i32, word: &str) {
    assert_eq!(outcome.status.code(), Some(status), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(word), "{word}: {}", outcome.stderr);
    assert!(
        outcome.stderr.contains("hint: ") || status == 2,
        "{}",
        outcome.stderr
    );
}

fn served(client: &mut Client, token: &str) -> bool {
    client.get(PATH, token).status == 200
}

#[test]
fn the_command_revokes_tokens_keys_and_clients_and_takes_back() {
    let house = house();
    let mut client = house.client();
    let tokens: Vec<String> = ["a", "b", "-c", "d"]
        .map(|jti| token(&house.stage, jti))
        .into();
    let file = house
        .stage
        .scratch
        .write("token", format!("{}\n", tokens[0]));
    for token in &tokens {
        assert!(served(&mut client, token));
    }
    revokes(&house, &["--token-file", file.to_str().unwrap()], "");
    assert_revoked(&client.get(PATH, &tokens[0]));
    revokes(&house, &["--token-file", "-"], &tokens[1]);
    assert_revoked(&client.get(PATH, &tokens[1]));
    revokes(&house, &["--jti", "-c", "--issuer", ISSUER], "");
    assert_revoked(&client.get(PATH, &tokens[2]));
    assert!(served(&mut client, &tokens[3]));
    let key = ["--key", "first", "--issuer", ISSUER];
    revokes(&house, &key, "");
    assert_revoked(&client.get(PATH, &tokens[3]));
    revokes(&house, &[&key[..], &["--take-back"]].concat(), "");
    assert!(served(&mut client, &tokens[3]));
    let until = now_s().to_string();
    revokes(
        &house,
        &["--client", "acme-app", "--issued-until", &until],
        "",
    );
    assert_revoked(&client.get(PATH, &tokens[3]));
    revokes(&house, &["--client", "acme-app", "--take-back"], "");
    assert!(served(&mut client, &tokens[3]));
}

/// What is in force with the next request, and what a moment later.
#[test]
fn the_help_says_how_soon_a_certificate_is_of_no_use() {
    let help = run(&mut t8gate(&["token", "revoke", "--help"]), b"", WAIT).stdout;
    let words: Vec<&str> = help.split_whitespace().collect();
    let words = words.join(" ");
    for said in [
        "Tokens are refused from the next request on, a certificate from the next handshake on; \
         its open connections end within 100 ms",
        "may be served for up to 100 ms more",
    ] {
        assert!(words.contains(said), "{said} is not in\n{help}");
    }
}

#[test]
fn the_command_revokes_a_certificate_by_its_file_and_by_its_thumbprint() {
    let house = house();
    let certificate = house.stage.acme.certificate.display().to_string();
    let mut client = house.client();
    assert!(served(&mut client, &token(&house.stage, "a")));
    revokes(&house, &["--certificate", &certificate], "");
    assert!(client.closed_within(WAIT));
    revokes(&house, &["--certificate", &certificate, "--take-back"], "");
    let mut client = house.client();
    assert!(served(&mut client, &token(&house.stage, "a")));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &house.stage.acme.der);
    let thumbprint: Vec<String> = { digest.as_ref().iter() }
        .map(|octet| format!("{octet:02X}"))
        .collect();
    revokes(&house, &["--certificate", &thumbprint.join(":")], "");
    assert!(client.closed_within(WAIT));
}

#[test]
fn what_stands_in_the_way_of_the_command_is_said_with_its_cure() {
    let mut house = house();
    let outcome = revoke_with(&house, &["--token-file", "-"], "no token");
    fails(&outcome, 2, "not one that is taken");
    fails(
        &revoke_with(&house, &["--token-file", "-"], "\n"),
        2,
        "empty",
    );
    fails(
        &revoke_with(&house, &["--token-file", "nowhere"], ""),
        2,
        "nowhere",
    );
    fails(
        &revoke_with(&house, &["--certificate", "nowhere.pem"], ""),
        2,
        "nowhere.pem",
    );
    fails(&revoke_with(&house, &["--jti", "a"], ""), 2, "--issuer");
    fails(&revoke_with(&house, &[], ""), 2, "--token-file");
    let two = ["--client", "a", "--certificate", "b"];
    fails(&revoke_with(&house, &two, ""), 2, "cannot be used with");
    // A variable of the shell's that is empty.
    for option in ["--take-back", "--issued-until=5", "--help"] {
        let unnamed = revoke_with(&house, &["--client", option], "");
        fails(&unnamed, 2, "a name is missing");
    }
    let back = ["--client", "nobody", "--take-back"];
    fails(&revoke_with(&house, &back, ""), 2, "not revoked");
    let unknown = revoke_with(&house, &["--client", "nobody"], "");
    assert_eq!(unknown.status.code(), Some(0), "it may come yet");
    assert!(unknown.stderr.contains("no client with this client_id"));
    let expired = with(house.stage.claims(), "exp", now_s() - 900);
    let expired = house
        .stage
        .mint
        .good(&with(expired, "iat", now_s() - 1_800));
    fails(
        &revoke_with(&house, &["--token-file", "-"], &expired),
        2,
        "token_expired",
    );
    house.gateway.terminate();
    house.gateway.wait(WAIT).expect("its end");
    fails(
        &revoke_with(&house, &["--client", "acme-app"], ""),
        1,
        "admin.sock",
    );
    let socket = path_of(&house.stage, "admin.socket");
    assert!(!Path::new(&socket).exists(), "its name goes with it");
    house.rewrite(|config| {
        config.unset("admin.socket");
    });
    fails(
        &revoke_with(&house, &["--client", "acme-app"], ""),
        2,
        "names no admin.socket",
    );
}
