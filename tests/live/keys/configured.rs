//! `t8gate keys` by a configuration: what of it has to be right, and what is said where it is not.

use std::path::PathBuf;

use super::Desk;
use crate::harness::client::HOST;
use crate::harness::gateway::{ConfigText, t8gate, write};
use crate::harness::origin::Origin;
use crate::harness::pki::Key;
use crate::harness::stage::Stage;
use crate::harness::{Outcome, WAIT, command, run, run_well};

/// A stage with a key in a token, and nothing that is served.
fn stage() -> Stage {
    let origin = Origin::start();
    let (mut stage, _token) = Stage::with_token(origin.address, Key::P256);
    stage.config.set_text("listen.address", "127.0.0.1:1");
    stage
}

fn keys(stage: &Stage, change: impl FnOnce(&mut ConfigText), arguments: &[&str]) -> Outcome {
    let mut config = stage.config.clone();
    change(&mut config);
    let file = write(stage.scratch.path(), &config);
    let mut t8gate = t8gate(&["keys"]);
    t8gate.args(arguments).arg("--config").arg(file);
    run(t8gate.envs(stage.environment.clone()), b"", WAIT)
}

fn served(stage: &Stage) -> PathBuf {
    let file = stage.config.value("tls.certificate");
    PathBuf::from(file.trim_matches('"'))
}

#[test]
fn fault_of_the_key_is_said_as_it_is() {
    let stage = stage();
    type Change = fn(&mut ConfigText);
    let faults: [(Change, &str); 4] = [
        (
            |config| {
                config.set_text("tls.key.uri", "token=t8gate;object=server");
            },
            "tls.key.uri: ",
        ),
        (
            |config| {
                config.unset("tls.key.pin_file");
            },
            "tls.key.pin_file: is missing",
        ),
        (
            |config| {
                config.set_text("tls.key.module", "/nowhere.so");
            },
            "tls.key.module: ",
        ),
        (
            |config| {
                for key in ["module", "uri", "pin_file", "sessions"] {
                    config.unset(&format!("tls.key.{key}"));
                }
            },
            "no private key is named",
        ),
    ];
    for (change, word) in faults {
        let outcome = keys(&stage, change, &["self-test"]);
        let said = outcome.stderr;
        assert!(!outcome.status.success(), "{word}: {said}");
        assert!(said.contains(word), "{word}: {said}");
        assert!(!said.contains("a key in a file"), "{said}");
    }
}

#[test]
fn fault_of_what_is_not_gone_by_is_in_nobodys_way() {
    let stage = stage();
    let change = |config: &mut ConfigText| {
        config.unset("tls.client_ca").unset("upstream.address");
        config.set_text("listen.address", "nowhere");
        config.set_text("tls.certificate", "/nowhere.pem");
        config.set("limits.no_such_key", "1");
    };
    let outcome = keys(&stage, change, &["self-test"]);
    assert!(outcome.status.success(), "{}", outcome.stderr);
}

/// It goes before whatever the file says of the PIN, be that nothing, or what is not there here.
#[test]
fn pin_file_that_is_named_stands_in_for_one_that_the_configuration_lacks() {
    let stage = stage();
    let pin = stage.config.value("tls.key.pin_file");
    let pin = pin.trim_matches('"').to_owned();
    let arguments = ["self-test", "--pin-file", &pin];
    for said in [
        None,
        Some(("pin_credential", "\"pin\"")),
        Some(("pin_fd", "77")),
    ] {
        let change = |config: &mut ConfigText| {
            config.unset("tls.key.pin_file");
            if let Some((key, value)) = said {
                config.set(&format!("tls.key.{key}"), value);
            }
        };
        let outcome = keys(&stage, change, &arguments);
        assert!(outcome.status.success(), "{said:?}: {}", outcome.stderr);
        // And by itself it is a fault, and the only one: nothing is looked for without a PIN.
        let outcome = keys(&stage, change, &["self-test"]);
        assert!(!outcome.status.success(), "{said:?}");
        assert_eq!(
            outcome.stderr.matches("tls.key.").count(),
            1,
            "{}",
            outcome.stderr
        );
    }
    let key_file = |config: &mut ConfigText| {
        config.set_text("tls.key.module", "/nowhere.so");
    };
    let outcome = keys(&stage, key_file, &arguments);
    assert!(
        outcome.stderr.contains("tls.key.module: "),
        "{}",
        outcome.stderr
    );
}

#[test]
fn what_is_said_of_a_file_that_cannot_be_gone_by_is_what_stands_in_the_way() {
    let stage = stage();
    let value = |key: &str| stage.config.value(key).trim_matches('"').to_owned();
    let [module, uri, pin] =
        ["module", "uri", "pin_file"].map(|key| value(&format!("tls.key.{key}")));
    let all = [
        "self-test",
        "--module",
        &module,
        "--uri",
        &uri,
        "--pin-file",
        &pin,
    ];
    let torn = |config: &mut ConfigText| {
        config.set("limits.torn", "[");
    };
    for (arguments, hint) in [
        (&all[..1], "name all with --module, --uri and --pin-file"),
        (&all[..], "leave --config out"),
    ] {
        let outcome = keys(&stage, torn, arguments);
        assert!(!outcome.status.success());
        assert!(
            outcome.stderr.contains("this is not TOML"),
            "{}",
            outcome.stderr
        );
        assert!(outcome.stderr.contains(hint), "{}", outcome.stderr);
    }
    let pipe = stage.scratch.path().join("pipe");
    run_well(command("mkfifo").arg(&pipe));
    let piped = |config: &mut ConfigText| {
        config.set_text("tls.certificate", pipe.display());
        config
            .unset("upstream.address")
            .set("limits.no_such_key", "1");
    };
    let outcome = keys(&stage, piped, &all);
    let said = outcome.stderr;
    assert!(!outcome.status.success(), "{said}");
    assert!(said.contains("is not a regular file"), "{said}");
    assert!(
        !said.contains("upstream") && !said.contains("no_such_key"),
        "{said}"
    );
}

#[test]
fn certificate_is_not_imported_by_names_that_are_not_known() {
    let stage = stage();
    let issued = served(&stage);
    let issued = issued.to_str().unwrap();
    let out = stage.scratch.path().join("out.pem");
    let out = out.to_str().unwrap();
    let arguments = ["import-cert", issued, "--out", out];
    let named = |config: &mut ConfigText, address: &str| {
        let names = format!("[{HOST:?}, \"other.example\"]");
        config.set("listen.server_names", &names);
        config.set_text("listen.address", address);
    };
    let whole = keys(&stage, |config| named(config, "127.0.0.1:1"), &arguments);
    assert!(
        whole.stderr.contains("does not name other.example"),
        "{}",
        whole.stderr
    );
    let wrong = keys(&stage, |config| named(config, "nowhere"), &arguments);
    assert!(
        wrong.stderr.contains("listen.address: "),
        "{}",
        wrong.stderr
    );
    for outcome in [whole, wrong] {
        assert!(!outcome.status.success(), "{}", outcome.stderr);
        assert!(!PathBuf::from(out).exists(), "written");
    }
    // Of names that are not looked at, nothing has to be known.
    let well = keys(&stage, |_| {}, &arguments);
    assert!(well.status.success(), "{}", well.stderr);
}

#[test]
fn file_to_write_that_is_not_named_is_what_is_said() {
    let stage = stage();
    let issued = served(&stage);
    let arguments = ["import-cert", issued.to_str().unwrap()];
    let without = |config: &mut ConfigText| {
        config.unset("tls.certificate");
    };
    let outcome = keys(&stage, without, &arguments);
    let said = outcome.stderr;
    assert!(!outcome.status.success(), "{said}");
    assert!(said.contains("tls.certificate: is missing"), "{said}");
    assert!(!said.contains("cannot be written"), "{said}");
    // One that is named and is not there yet is what it is for.
    let to_come = stage.scratch.path().join("to-come.pem");
    let named = |config: &mut ConfigText| {
        config.set_text("tls.certificate", to_come.display());
    };
    let outcome = keys(&stage, named, &arguments);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    assert!(to_come.exists());
}

#[test]
fn pin_file_that_others_can_read_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::with_a_key("p256");
    let open = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&desk.token.pin_file, mode).unwrap();
        desk.keys("self-test", &[]).stderr
    };
    assert!(open(0o644).contains("is open to others than its owner"));
    assert!(!open(0o600).contains("is open to others"));
}
