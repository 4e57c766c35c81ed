//! Another PKCS#11 implementation than SoftHSM: NSS softoken behind p11-kit. Whatever this crate
//! has learnt from one token alone would show here.

// Tests may look at the clock.
#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use t8gate_hsm::ceremony::{Ceremony, NewKey, Stored, Trial, inventory, try_schemes};
use t8gate_hsm::{KeyKind, Pkcs11Source, PrivateKey, SignJob};

const INNER: &str = "T8GATE_SOFTOKN_TEST_DIR";
const MODULE: &str = "T8GATE_SOFTOKN_TEST_MODULE";
const WAIT: Duration = Duration::from_secs(20);

/// The token's server; killed when dropped, and its folder with it.
struct Softoken {
    child: Child,
    folder: PathBuf,
}

impl Softoken {
    /// In the folder for temporary files: who serves the token may be another user, who has no
    /// access to others.
    fn start(name: &str) -> (Self, Vec<(String, String)>) {
        let folder = std::env::temp_dir().join(format!("t8gate-{name}-{}", std::process::id()));
        let said = folder.with_extension("said");
        let child = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/softokn.sh"))
            .arg(&folder)
            .stdout(std::fs::File::create(&said).unwrap())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("bash runs softokn.sh");
        let mut token = Self { child, folder };
        let end = Instant::now() + WAIT;
        while !token.folder.join("socket").exists() {
            let ended = token.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < end,
                "softokn.sh does not serve"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let text = std::fs::read_to_string(&said).unwrap();
        std::fs::remove_file(&said).unwrap();
        let said = |mark: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(mark));
            line.expect("softokn.sh says where").to_owned()
        };
        let address = said("export P11_KIT_SERVER_ADDRESS=");
        let environment = vec![
            ("P11_KIT_SERVER_ADDRESS".to_owned(), address),
            (MODULE.to_owned(), said("# module: ")),
        ];
        (token, environment)
    }
}

impl Drop for Softoken {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Runs `body` in a child process beside a fresh token: which one it is stands in the environment.
fn alone(name: &str, body: fn(&Path)) {
    if let Ok(dir) = std::env::var(INNER) {
        return body(Path::new(&dir));
    }
    let (token, environment) = Softoken::start(name);
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .envs(environment)
        .env(INNER, &token.folder)
        .output()
        .unwrap();
    drop(token);
    let told = String::from_utf8_lossy(&child.stdout).into_owned()
        + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
}

fn source(dir: &Path, object: &str) -> Pkcs11Source {
    Pkcs11Source {
        module: std::env::var(MODULE).unwrap().into(),
        uri: format!("pkcs11:token=t8gate-nss;object={object};type=private"),
        pin_file: dir.join("pin"),
        sessions: 2,
    }
}

#[test]
fn keys_of_every_kind_are_made_proved_and_sign_by_every_scheme() {
    alone(
        "keys_of_every_kind_are_made_proved_and_sign_by_every_scheme",
        |dir| {
            for (key, kind, schemes) in [
                (NewKey::P256, KeyKind::P256, 1),
                (NewKey::P384, KeyKind::P384, 1),
                (NewKey::Rsa2048, KeyKind::Rsa, 6),
                (NewKey::Rsa3072, KeyKind::Rsa, 6),
            ] {
                let name = key.to_string();
                let source = source(dir, &name);
                let made = Ceremony::open(&source)
                    .unwrap()
                    .make(key, &name, None)
                    .unwrap();
                assert!(made.custody.cannot_leave(), "{:?}", made.custody);
                let opened = PrivateKey::from_token(&source).unwrap();
                assert_eq!(opened.kind(), kind);
                // The public key object stands beside it, and the key proves to belong to it.
                assert_eq!(opened.prove_alone().unwrap(), made.spki);
                opened.prove(&made.spki).unwrap();
                let trials = try_schemes(&opened, &made.spki).unwrap();
                assert_eq!(trials.len(), schemes);
                for (scheme, trial) in trials {
                    assert_eq!(trial, Trial::Signs, "{scheme:?}");
                }
                openssl_agrees(dir, &opened, &made.spki);
            }
        },
    );
}

/// One signature by the best scheme, verified by neither us nor NSS.
fn openssl_agrees(dir: &Path, key: &PrivateKey, spki: &[u8]) {
    let scheme = key.schemes()[0];
    let message = b"hello".repeat(100);
    let job = SignJob {
        scheme,
        message: &message,
    };
    let signature = key.sign(job).unwrap();
    let hash = match key.kind() {
        KeyKind::P384 => "-sha384",
        KeyKind::P256 | KeyKind::Rsa => "-sha256",
    };
    let file = |name: &str, octets: &[u8]| {
        let file = dir.join(name);
        std::fs::write(&file, octets).unwrap();
        file
    };
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", hash, "-keyform", "DER", "-verify"]);
    openssl.arg(file("public", spki));
    if key.kind() == KeyKind::Rsa {
        openssl.args(["-sigopt", "rsa_padding_mode:pss"]);
        openssl.args(["-sigopt", "rsa_pss_saltlen:digest"]);
    }
    openssl.arg("-signature").arg(file("signature", &signature));
    let outcome = openssl.arg(file("message", &message)).output().unwrap();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{scheme:?}: {said}");
}

#[test]
fn wrong_pin_is_refused_by_its_file_and_not_tried_again() {
    alone(
        "wrong_pin_is_refused_by_its_file_and_not_tried_again",
        |dir| {
            let wrong = dir.join("wrong");
            std::fs::write(&wrong, "00000000\n").unwrap();
            let mut source = source(dir, "server");
            source.pin_file.clone_from(&wrong);
            let fault = Ceremony::open(&source).err().unwrap();
            assert!(fault.what.contains("PinIncorrect"), "{fault}");
            let fault = PrivateKey::from_token(&source).unwrap_err();
            assert!(fault.what.contains("tried before"), "{fault}");
            for fault in [fault.what, fault.cure] {
                assert!(!fault.contains("00000000"));
            }
            source.pin_file = dir.join("pin");
            Ceremony::open(&source).unwrap();
        },
    );
}

#[test]
fn label_that_is_taken_is_refused_and_what_is_there_is_listed() {
    alone(
        "label_that_is_taken_is_refused_and_what_is_there_is_listed",
        |dir| {
            let source = source(dir, "server");
            let ceremony = Ceremony::open(&source).unwrap();
            let made = ceremony.make(NewKey::P256, "server", Some(&[7])).unwrap();
            let fault = ceremony.make(NewKey::P256, "server", None).unwrap_err();
            assert!(fault.what.contains("already"), "{fault}");
            let fault = ceremony.make(NewKey::P384, "two", Some(&[7])).unwrap_err();
            assert!(fault.what.contains("already"), "{fault}");
            let token = inventory(&source, true).unwrap().remove(0);
            assert_eq!(token.label, "t8gate-nss");
            assert!(token.mechanisms.iter().all(|mechanism| mechanism.present));
            assert_eq!(token.keys.len(), 1);
            assert_eq!(token.keys[0].uri, made.uri);
            assert_eq!(token.keys[0].kind, "P-256");
            assert!(token.keys[0].signs && token.keys[0].has_public);
            let certificate = self_signed(dir);
            assert_eq!(
                ceremony.store_certificate(&certificate).unwrap(),
                Stored::New
            );
            let again = ceremony.store_certificate(&certificate).unwrap();
            assert_eq!(again, Stored::Already);
            let token = inventory(&source, true).unwrap().remove(0);
            assert_eq!(token.certificates.len(), 1);
            assert_eq!(token.certificates[0].id, [7]);
        },
    );
}

/// DER of any certificate.
fn self_signed(dir: &Path) -> Vec<u8> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-noenc", "-subj", "/CN=t8"]);
    openssl.args(["-pkeyopt", "ec_paramgen_curve:P-256", "-outform", "DER"]);
    openssl.arg("-keyout").arg(dir.join("thrown-away.key"));
    let outcome = openssl.output().unwrap();
    assert!(outcome.status.success());
    outcome.stdout
}
