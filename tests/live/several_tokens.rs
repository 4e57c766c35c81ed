//! One key in two tokens, and PINs that lie in no file: who signs, and who does when one is gone.

use std::path::PathBuf;
use std::time::Duration;

use crate::harness::client::HOST;
use crate::harness::gateway::Gateway;
use crate::harness::origin::Origin;
use crate::harness::pki::{Key, Leaf};
use crate::harness::softhsm::Token;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{signal, wait_until, within};

/// A stage whose key, made outside, has been put into two tokens of one module each: SoftHSM as it
/// is, and SoftHSM by another path, which is another module with a process of its own.
fn stage(origin: &Origin) -> (Stage, Token) {
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    let folder = stage.scratch.path().to_owned();
    let server = stage.operator_ca.issue("server", &Leaf::server(HOST));
    for object in ["one", "two"] {
        token.import_key(&server.key, object);
    }
    let copy = folder.join("other-module.so");
    std::fs::copy(&token.module, &copy).expect("a module and a writable directory");
    stage
        .config
        .set_text("tls.certificate", server.certificate.display());
    stage.config.set_text("tls.key.uri", uri(&token, "one"));
    let other = format!(
        "module = {:?}\nuri = {:?}",
        copy.display().to_string(),
        uri(&token, "two")
    );
    stage.config.table("tls.key.also", &other);
    stage.config.set_text("deadlines.signature", "500ms");
    stage.watch();
    (stage, token)
}

fn uri(token: &Token, object: &str) -> String {
    token
        .uri
        .replace("object=server", &format!("object={object}"))
}

fn serves(house: &House) -> bool {
    let dialer = house.stage.dialer(&house.stage.acme);
    let client = dialer.connect(house.gateway.address);
    client.is_ok_and(|mut client| client.get(PATH, &house.token()).status == 200)
}

#[test]
fn token_that_is_lost_is_stood_in_for_by_the_other_without_a_refusal() {
    let origin = Origin::start();
    let (stage, _token) = stage(&origin);
    let house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    let signers = house.gateway.signer_pids();
    assert_eq!(signers.len(), 2, "one for each module");
    assert!(serves(&house));
    // The first token's was started first, and of equals the first is asked: that finds out that it
    // hangs. The other's end is seen by itself.
    for (signer, (how, object)) in signers.into_iter().zip([("STOP", "one"), ("KILL", "two")]) {
        signal(signer, how);
        assert!(serves(&house) && serves(&house) && serves(&house), "{how}");
        wait_until("another process in its place", || {
            let now = house.gateway.signer_pids();
            now.len() == 2 && !now.contains(&signer)
        });
        // Without its key proved the loss of the other would be that of both.
        wait_until("its key to be proved", || {
            let object = format!("object={object}");
            let back = |line: &str| line.contains("is proved") && line.contains(&object);
            house.gateway.log().lines().any(back)
        });
        assert!(serves(&house));
    }
    let metrics = house.gateway.admin().metrics();
    let refused = [("reason", "signer_failed")];
    assert_eq!(
        metrics.count("t8gate_connections_refused_total", &refused),
        0
    );
}

#[test]
fn other_token_with_another_key_is_refused_at_the_start() {
    let origin = Origin::start();
    let (mut stage, token) = stage(&origin);
    stage.config.without_tables("tls.key.also");
    token.generate_key(Key::P256, "another", "09");
    let other = format!("uri = {:?}", uri(&token, "another"));
    stage.config.table("tls.key.also", &other);
    stage
        .config
        .set_text("listen.address", crate::harness::free_address());
    let file = crate::harness::gateway::write(stage.scratch.path(), &stage.config);
    let checked = crate::harness::gateway::check(&file, &stage.environment);
    assert!(!checked.status.success());
    assert!(
        checked
            .stderr
            .contains("token 2: the certificate is for another key"),
        "{}",
        checked.stderr
    );
}

/// By the number that is configured, not by that of the process which reads it.
#[test]
fn pin_that_is_missing_on_a_descriptor_or_wrong_is_told_by_its_number() {
    let (mut stage, token) = Stage::with_token("127.0.0.1:9".parse().unwrap(), Key::P256);
    stage.config.unset("tls.key.pin_file");
    stage.config.set("tls.key.pin_fd", "3");
    let address = crate::harness::free_address();
    stage.config.set_text("listen.address", address);
    let file = crate::harness::gateway::write(stage.scratch.path(), &stage.config);
    let wrong = crate::harness::softhsm::write_pin(stage.scratch.path(), "000000");
    assert_eq!(wrong, token.pin_file);
    let wrong = wrong.display().to_string();
    for (pin, told) in [
        (
            "/dev/null",
            ["descriptor 3 has no PIN on its first line", "3< FILE"],
        ),
        (
            &wrong,
            [
                "refused the PIN of descriptor 3: ",
                "right PIN on descriptor 3",
            ],
        ),
    ] {
        let serve = crate::harness::gateway::t8gate(&["serve"]);
        let mut bash = crate::harness::command("bash");
        bash.args(["-c", "exec 3< \"$1\"; exec \"$0\" serve --config \"$2\""]);
        bash.arg(serve.get_program()).arg(pin).arg(&file);
        bash.envs(stage.environment.iter().cloned());
        let outcome = crate::harness::run(&mut bash, b"", crate::harness::WAIT);
        let said = outcome.stderr;
        for word in told {
            assert!(said.contains(word), "{word} is not in\n{said}");
        }
        for word in ["PIN file", "/proc/self/fd"] {
            assert!(!said.contains(word), "{word} is in\n{said}");
        }
        assert_eq!(outcome.status.code(), Some(78), "{said}");
    }
}

/// By a pipe, which can be read once, and by a file: both are there again when the process is
/// replaced. By a credential as systemd hands it over.
#[test]
fn pin_comes_from_a_descriptor_or_a_credential_and_serves_later_processes_too() {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    stage.config.unset("tls.key.pin_file");
    stage.watch();
    let secret = token.generate_secret("tickets", "09");
    stage.config.set_text("tls.tickets.uri", secret);
    let module = stage.config.value("tls.key.module");
    stage.config.set("tls.tickets.module", &module);
    let pin = token.pin_file.display().to_string();
    let credentials = stage.scratch.path().join("credentials");
    std::fs::create_dir(&credentials).expect("a writable directory");
    std::fs::copy(&token.pin_file, credentials.join("token-pin")).expect("our own file");
    let directory = (
        "CREDENTIALS_DIRECTORY".to_owned(),
        credentials.display().to_string(),
    );
    stage.environment.push(directory);
    let from_file = format!("exec 3< '{pin}'; exec \"$0\" \"$@\"");
    let from_pipe = format!("exec 3< <(cat '{pin}'); exec \"$0\" \"$@\"");
    let plain = "exec \"$0\" \"$@\"".to_owned();
    for (script, key, value) in [
        (from_file, "pin_fd", "3"),
        (from_pipe, "pin_fd", "3"),
        (plain, "pin_credential", "\"token-pin\""),
    ] {
        let keys = ["tls.key", "tls.tickets"].map(|section| format!("{section}.{key}"));
        for key in &keys {
            stage.config.set(key, value);
        }
        let starter = ["bash", "-c", &script];
        let folder: PathBuf = stage.scratch.path().into();
        let gateway = Gateway::start_by(&starter, &stage.config, &folder, &stage.environment);
        let dialer = stage.dialer(&stage.acme);
        let serves = || dialer.connect(gateway.address).is_ok();
        assert!(serves());
        signal(gateway.signer_pid(), "KILL");
        assert!(within(Duration::from_secs(2), serves), "{script}");
        for key in &keys {
            stage.config.unset(key);
        }
    }
}
