//! The key ceremony on a real SoftHSM. The module reads SOFTHSM2_CONF once per process, so each
//! test runs its body in a process of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cryptoki::context::Pkcs11;
use t8gate_hsm::ceremony::{Ceremony, NewKey};
use t8gate_hsm::{KeyKind, Pkcs11Source, PrivateKey, Scheme, SignJob};

const INNER: &str = "T8GATE_CEREMONY_TEST_DIR";
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

fn module() -> PathBuf {
    let mut found = MODULES
        .iter()
        .map(PathBuf::from)
        .filter(|path| path.exists());
    found.next().expect("SoftHSM: apt-get install softhsm2")
}

/// Runs `body` in a child process whose SoftHSM has no token yet.
fn alone(name: &str, body: fn(&Path)) {
    if let Ok(dir) = std::env::var(INNER) {
        return body(Path::new(&dir));
    }
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("ceremony-{name}-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("tokens")).unwrap();
    let tokens = dir.join("tokens");
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    std::fs::write(dir.join("softhsm2.conf"), text).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env("SOFTHSM2_CONF", dir.join("softhsm2.conf"))
        .env(INNER, &dir)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let told = String::from_utf8_lossy(&child.stdout).into_owned()
        + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
}

fn open(dir: &Path, label: &str) -> PrivateKey {
    PrivateKey::from_token(&Pkcs11Source {
        module: module(),
        uri: format!("pkcs11:token=demo;object={label};type=private"),
        pin_file: dir.join("pin"),
        sessions: 2,
    })
    .unwrap()
}

#[test]
fn keys_made_in_a_fresh_token_stay_in_it_and_sign() {
    alone("keys_made_in_a_fresh_token_stay_in_it_and_sign", |dir| {
        let ceremony = Ceremony::begin(&module(), "demo", &dir.join("pin")).unwrap();
        let server = ceremony.make(NewKey::P256, "server", None).unwrap();
        let issuer = ceremony.make(NewKey::P256, "issuer", None).unwrap();
        drop(ceremony);
        assert_ne!(server.spki, issuer.spki);
        for (label, made) in [("server", server), ("issuer", issuer)] {
            assert!(made.custody.stays_in_token(), "{made:?}");
            let key = open(dir, label);
            assert_eq!(key.kind(), KeyKind::P256);
            key.prove(&made.spki).unwrap();
            key.sign(SignJob {
                scheme: Scheme::EcdsaP256Sha256,
                message: b"hello",
            })
            .unwrap();
        }
    });
}

#[test]
fn pin_is_for_its_owner_only_and_a_file_that_is_there_is_not_overwritten() {
    alone(
        "pin_is_for_its_owner_only_and_a_file_that_is_there_is_not_overwritten",
        |dir| {
            let pin = dir.join("pin");
            drop(Ceremony::begin(&module(), "demo", &pin).unwrap());
            let mode = std::fs::metadata(&pin).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let before = std::fs::read(&pin).unwrap();
            let fault = Ceremony::begin(&module(), "other", &pin).err().unwrap();
            assert!(fault.what.contains("PIN file"), "{fault}");
            assert!(
                !fault
                    .to_string()
                    .contains(std::str::from_utf8(&before).unwrap().trim())
            );
            assert_eq!(std::fs::read(&pin).unwrap(), before);
        },
    );
}

#[test]
fn public_key_stands_beside_the_private_one() {
    alone("public_key_stands_beside_the_private_one", |dir| {
        let ceremony = Ceremony::begin(&module(), "demo", &dir.join("pin")).unwrap();
        ceremony.make(NewKey::P256, "server", None).unwrap();
        drop(ceremony);
        let context = Pkcs11::new(module()).unwrap();
        // Initialized already, by the ceremony in this process.
        let slots = context.get_slots_with_initialized_token().unwrap();
        let session = context.open_ro_session(slots[0]).unwrap();
        let class = cryptoki::object::ObjectClass::PUBLIC_KEY;
        let found = session.find_objects(&[cryptoki::object::Attribute::Class(class)]);
        assert_eq!(found.unwrap().len(), 1);
    });
}

#[test]
fn module_that_is_not_there_is_named() {
    alone("module_that_is_not_there_is_named", |dir| {
        let missing = dir.join("no-such-module.so");
        let fault = Ceremony::begin(&missing, "demo", &dir.join("pin"))
            .err()
            .unwrap();
        assert!(fault.what.contains("no-such-module.so"), "{fault}");
        assert!(!dir.join("pin").exists());
    });
}
