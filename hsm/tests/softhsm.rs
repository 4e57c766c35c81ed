//! Keys in a real SoftHSM token. Every test has a token and a process of its own: the module reads
//! SOFTHSM2_CONF once per process, and one test's logout or deletion is no other's business.

// Tests may look at the clock.
#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use cryptoki::context::Pkcs11;
use t8gate_hsm::{
    KeyKind, OpenFault, Pkcs11Source, PrivateKey, Scheme, SignFault, SignJob, jose_signature,
};
use x509_parser::prelude::FromDer;

const INNER: &str = "T8GATE_HSM_TEST_DIR";
const MODULE: &str = "T8GATE_HSM_TEST_MODULE";
const SPY: &str = "/usr/lib/x86_64-linux-gnu/pkcs11/pkcs11-spy.so";

/// Runs `body` in a child process beside a fresh token with keys of `kinds`.
fn alone(name: &str, kinds: &[&str], body: fn(&Path)) {
    if let Ok(dir) = std::env::var(INNER) {
        return body(Path::new(&dir));
    }
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("softhsm-{name}-{}", std::process::id()));
    let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/softhsm.sh"));
    script.arg(&dir);
    for kind in kinds {
        script.args(["--kind", kind]);
    }
    let made = script.output().expect("bash runs softhsm.sh");
    let stdout = text(&made.stdout);
    assert!(made.status.success(), "softhsm.sh: {}", text(&made.stderr));
    let module = stdout
        .lines()
        .find_map(|line| line.strip_prefix("# module: "))
        .expect("softhsm.sh names the module");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env("SOFTHSM2_CONF", dir.join("softhsm2.conf"))
        .env("PKCS11SPY", module)
        .env("PKCS11SPY_OUTPUT", dir.join("spy.log"))
        .env(MODULE, module)
        .env(INNER, &dir)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let told = format!("{}{}", text(&child.stdout), text(&child.stderr));
    assert!(child.status.success(), "{told}");
    assert!(
        told.contains("1 passed"),
        "the test did not run in its process: {told}"
    );
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn module() -> PathBuf {
    std::env::var(MODULE).unwrap().into()
}

fn source(dir: &Path, uri: &str) -> Pkcs11Source {
    Pkcs11Source {
        module: module(),
        uri: uri.into(),
        pin_file: dir.join("pin"),
        sessions: 2,
    }
}

const SERVER: &str = "pkcs11:token=t8gate;object=t8gate-server;type=private";

fn open(dir: &Path) -> PrivateKey {
    PrivateKey::from_token(&source(dir, SERVER)).unwrap()
}

fn fault(source: &Pkcs11Source) -> OpenFault {
    PrivateKey::from_token(source).expect_err("the key opened")
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        text(&output.stderr)
    );
    output
}

/// The SubjectPublicKeyInfo of a PEM public key.
fn spki(dir: &Path, name: &str) -> Vec<u8> {
    run(Command::new("openssl")
        .args(["pkey", "-pubin", "-outform", "DER", "-in"])
        .arg(dir.join(name)))
    .stdout
}

fn pkcs11_tool(dir: &Path, arguments: &[&str]) -> Output {
    let pin = std::fs::read_to_string(dir.join("pin")).unwrap();
    run(Command::new("pkcs11-tool")
        .arg("--module")
        .arg(module())
        .args(["--token-label", "t8gate", "--login", "--pin", "env:PIN"])
        .args(arguments)
        .env("PIN", pin.trim()))
}

/// Signs by every scheme; aws-lc-rs and openssl must both agree.
fn signs_by_every_scheme(key: &PrivateKey, dir: &Path, public: &str) {
    let spki = spki(dir, public);
    key.prove(&spki).unwrap();
    assert!(!key.schemes().is_empty());
    for &scheme in key.schemes() {
        let message = format!("signed by {scheme:?}").repeat(40);
        let signature = key
            .sign(SignJob {
                scheme,
                message: message.as_bytes(),
            })
            .unwrap();
        verify(scheme, &spki, message.as_bytes(), &signature);
        openssl_verifies(scheme, dir, public, message.as_bytes(), &signature);
    }
}

fn verify(scheme: Scheme, spki: &[u8], message: &[u8], signature: &[u8]) {
    let algorithm: &'static dyn VerificationAlgorithm = match scheme {
        Scheme::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
        Scheme::EcdsaP384Sha384 => &signature::ECDSA_P384_SHA384_ASN1,
        Scheme::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
        Scheme::RsaPssSha384 => &signature::RSA_PSS_2048_8192_SHA384,
        Scheme::RsaPssSha512 => &signature::RSA_PSS_2048_8192_SHA512,
        Scheme::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Scheme::RsaPkcs1Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Scheme::RsaPkcs1Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
    };
    let (_, info) = x509_parser::x509::SubjectPublicKeyInfo::from_der(spki).unwrap();
    UnparsedPublicKey::new(algorithm, &info.subject_public_key.data)
        .verify(message, signature)
        .unwrap_or_else(|_| panic!("{scheme:?} does not verify"));
}

fn openssl_verifies(scheme: Scheme, dir: &Path, public: &str, message: &[u8], signature: &[u8]) {
    let word = format!("{scheme:?}").to_lowercase();
    let hash = &word[word.rfind("sha").unwrap()..];
    std::fs::write(dir.join("message"), message).unwrap();
    std::fs::write(dir.join("signature"), signature).unwrap();
    let mut openssl = Command::new("openssl");
    openssl
        .args(["dgst", &format!("-{hash}"), "-verify"])
        .arg(dir.join(public));
    if word.contains("pss") {
        openssl.args([
            "-sigopt",
            "rsa_padding_mode:pss",
            "-sigopt",
            "rsa_pss_saltlen:digest",
        ]);
    }
    run(openssl
        .arg("-signature")
        .arg(dir.join("signature"))
        .arg(dir.join("message")));
}

fn sign_once(key: &PrivateKey) -> Result<Vec<u8>, SignFault> {
    key.sign(SignJob {
        scheme: key.schemes()[0],
        message: b"hello",
    })
}

/// Ends the login of the whole process, as a token that restarts does: every private handle dies.
fn log_out() {
    let context = Pkcs11::new(module()).unwrap();
    let slot = context
        .get_slots_with_initialized_token()
        .unwrap()
        .into_iter()
        .find(|slot| context.get_token_info(*slot).unwrap().label() == "t8gate")
        .unwrap();
    let session = context.open_ro_session(slot).unwrap();
    session.logout().unwrap();
}

//= RFC 8017 section 9.2 type=test
//# PKCS#1 v1.5 signs a DigestInfo: the hash's identifier with NULL parameters, then the hash.
#[test]
fn every_kind_signs_in_a_token_by_every_scheme() {
    let kinds = ["ec256", "ec384", "rsa2048", "rsa3072"];
    alone(
        "every_kind_signs_in_a_token_by_every_scheme",
        &kinds,
        |dir| {
            for (object, public, kind, schemes) in [
                ("t8gate-server", "server.pub.pem", KeyKind::P256, 1),
                (
                    "t8gate-server-ec384",
                    "server-ec384.pub.pem",
                    KeyKind::P384,
                    1,
                ),
                (
                    "t8gate-server-rsa2048",
                    "server-rsa2048.pub.pem",
                    KeyKind::Rsa,
                    6,
                ),
                (
                    "t8gate-server-rsa3072",
                    "server-rsa3072.pub.pem",
                    KeyKind::Rsa,
                    6,
                ),
            ] {
                let uri = format!("pkcs11:token=t8gate;object={object}");
                let key = PrivateKey::from_token(&source(dir, &uri)).unwrap();
                assert_eq!((key.kind(), key.in_token()), (kind, true));
                assert_eq!(key.schemes().len(), schemes);
                signs_by_every_scheme(&key, dir, public);
            }
        },
    );
}

#[test]
fn ecdsa_signatures_of_a_token_are_der_whatever_their_leading_octets() {
    let name = "ecdsa_signatures_of_a_token_are_der_whatever_their_leading_octets";
    alone(name, &["ec256"], |dir| {
        let key = open(dir);
        let spki = spki(dir, "server.pub.pem");
        // One r or s in 256 begins with a zero octet: 600 signatures hold several.
        for _ in 0..600 {
            let signature = sign_once(&key).unwrap();
            verify(Scheme::EcdsaP256Sha256, &spki, b"hello", &signature);
        }
    });
}

#[test]
fn private_key_cannot_leave_the_token() {
    alone("private_key_cannot_leave_the_token", &["ec256"], |dir| {
        let objects = text(&pkcs11_tool(dir, &["--list-objects", "--type", "privkey"]).stdout);
        assert!(objects.contains("never extractable"), "{objects}");
        assert!(objects.contains("local"), "{objects}");
    });
}

#[test]
fn scheme_of_another_kind_is_unsupported() {
    alone("scheme_of_another_kind_is_unsupported", &["ec256"], |dir| {
        let job = SignJob {
            scheme: Scheme::EcdsaP384Sha384,
            message: b"",
        };
        assert_eq!(open(dir).sign(job), Err(SignFault::Unsupported));
    });
}

#[test]
fn unknown_key_and_token_are_refused_with_what_is_there() {
    alone(
        "unknown_key_and_token_are_refused_with_what_is_there",
        &["ec256"],
        |dir| {
            let found = fault(&source(dir, "pkcs11:token=t8gate;object=other"));
            assert!(
                found.what.contains("none") && found.what.contains("t8gate-server"),
                "{found}"
            );
            let found = fault(&source(dir, "pkcs11:token=other;object=t8gate-server"));
            assert!(found.what.contains("\"t8gate\""), "{found}");
            let mut nowhere = source(dir, SERVER);
            nowhere.module = dir.join("absent.so");
            assert!(fault(&nowhere).what.contains("is not there"));
            nowhere.module = dir.join("pin");
            assert!(fault(&nowhere).what.contains("did not load"));
        },
    );
}

#[test]
fn two_keys_of_one_label_are_refused_and_told_apart_by_id() {
    alone(
        "two_keys_of_one_label_are_refused_and_told_apart_by_id",
        &["ec256"],
        |dir| {
            let make = ["--keypairgen", "--key-type", "EC:prime256v1", "--id", "22"];
            pkcs11_tool(dir, &[&make[..], &["--label", "t8gate-server"]].concat());
            let found = fault(&source(dir, SERVER));
            assert!(
                found.what.contains("names 2") && found.what.contains("%22"),
                "{found}"
            );
            let uri = format!("{SERVER};id=%01");
            let key = PrivateKey::from_token(&source(dir, &uri)).unwrap();
            key.prove(&spki(dir, "server.pub.pem")).unwrap();
        },
    );
}

#[test]
fn number_of_sessions_out_of_bounds_is_refused() {
    alone(
        "number_of_sessions_out_of_bounds_is_refused",
        &["ec256"],
        |dir| {
            for sessions in [0, 1025, usize::MAX] {
                let source = Pkcs11Source {
                    sessions,
                    ..source(dir, SERVER)
                };
                assert!(fault(&source).cure.contains("1024"));
            }
        },
    );
}

fn spied(dir: &Path, function: &str) -> usize {
    let log = std::fs::read_to_string(dir.join("spy.log")).unwrap_or_default();
    log.lines()
        .filter(|line| line.ends_with(&format!(": {function}")))
        .count()
}

#[test]
fn wrong_pin_is_tried_once() {
    alone("wrong_pin_is_tried_once", &["ec256"], |dir| {
        std::fs::write(dir.join("wrong-pin"), "00000000\n").unwrap();
        let source = Pkcs11Source {
            module: SPY.into(),
            pin_file: dir.join("wrong-pin"),
            ..source(dir, SERVER)
        };
        let found = fault(&source);
        assert!(found.what.contains("PinIncorrect"), "{found}");
        assert!(found.cure.contains("lock"), "{found}");
        assert!(!found.to_string().contains("00000000"));
        assert_eq!(spied(dir, "C_Login"), 1);
    });
}

#[test]
fn wrong_pin_is_tried_once_for_all_keys_of_a_token() {
    let name = "wrong_pin_is_tried_once_for_all_keys_of_a_token";
    alone(name, &["ec256"], |dir| {
        std::fs::write(dir.join("wrong-pin"), "00000000\n").unwrap();
        let source = Pkcs11Source {
            module: SPY.into(),
            pin_file: dir.join("wrong-pin"),
            ..source(dir, SERVER)
        };
        for _ in 0..3 {
            let fault = PrivateKey::from_token(&source).unwrap_err();
            assert!(fault.what.contains("refused the PIN"), "{fault}");
        }
        assert_eq!(spied(dir, "C_Login"), 1);
    });
}

#[test]
fn missing_or_empty_pin_file_is_refused_without_a_try() {
    alone(
        "missing_or_empty_pin_file_is_refused_without_a_try",
        &["ec256"],
        |dir| {
            std::fs::write(dir.join("empty"), "\n1234\n").unwrap();
            for (file, says) in [("absent", "cannot be read"), ("empty", "no PIN")] {
                let source = Pkcs11Source {
                    module: SPY.into(),
                    pin_file: dir.join(file),
                    ..source(dir, SERVER)
                };
                assert!(fault(&source).what.contains(says));
            }
            assert_eq!(spied(dir, "C_Login"), 0);
        },
    );
}

#[test]
fn one_signature_is_one_sign_and_one_login_serves_all() {
    alone(
        "one_signature_is_one_sign_and_one_login_serves_all",
        &["ec256"],
        |dir| {
            let key = PrivateKey::from_token(&Pkcs11Source {
                module: SPY.into(),
                ..source(dir, SERVER)
            })
            .unwrap();
            for _ in 0..10 {
                sign_once(&key).unwrap();
            }
            assert_eq!(spied(dir, "C_SignInit"), 10);
            assert_eq!(spied(dir, "C_Login"), 1);
        },
    );
}

#[test]
fn key_opened_twice_shares_the_login() {
    alone("key_opened_twice_shares_the_login", &["ec256"], |dir| {
        let first = open(dir);
        let second = open(dir);
        sign_once(&second).unwrap();
        drop(second);
        sign_once(&first).unwrap();
    });
}

#[test]
fn certificate_of_another_key_is_refused() {
    alone(
        "certificate_of_another_key_is_refused",
        &["ec256", "ec384"],
        |dir| {
            let key = open(dir);
            let found = key.prove(&spki(dir, "issuer.pub.pem")).unwrap_err();
            assert!(found.what.contains("another key"), "{found}");
            let found = key.prove(&spki(dir, "server-ec384.pub.pem")).unwrap_err();
            assert!(found.what.contains("P-384"), "{found}");
            assert!(key.prove(b"\x30\x03junk").is_err());
            key.prove(&spki(dir, "server.pub.pem")).unwrap();
        },
    );
}

#[test]
fn key_without_public_object_signs_only_once_proved() {
    alone(
        "key_without_public_object_signs_only_once_proved",
        &["ec256"],
        |dir| {
            pkcs11_tool(dir, &["--delete-object", "--type", "pubkey", "--id", "01"]);
            let key = open(dir);
            assert_eq!(sign_once(&key), Err(SignFault::Refused));
            assert!(key.prove(&spki(dir, "issuer.pub.pem")).is_err());
            assert_eq!(sign_once(&key), Err(SignFault::Refused));
            key.prove(&spki(dir, "server.pub.pem")).unwrap();
            sign_once(&key).unwrap();
        },
    );
}

#[test]
fn key_is_proved_alone_by_the_public_key_beside_it() {
    let name = "key_is_proved_alone_by_the_public_key_beside_it";
    alone(name, &["ec256", "rsa2048"], |dir| {
        for (object, public) in [
            ("t8gate-server", "server.pub.pem"),
            ("t8gate-server-rsa2048", "server-rsa2048.pub.pem"),
        ] {
            let uri = format!("pkcs11:token=t8gate;object={object}");
            let key = PrivateKey::from_token(&source(dir, &uri)).unwrap();
            assert_eq!(key.prove_alone().unwrap(), spki(dir, public));
            sign_once(&key).unwrap();
        }
    });
}

//= RFC 7518 section 3.4 type=test
//# What the token signed is, as r and s of fixed length, a signature that JOSE readers take.
#[test]
fn signatures_of_a_token_have_the_fixed_length_of_jose() {
    let name = "signatures_of_a_token_have_the_fixed_length_of_jose";
    alone(name, &["ec256"], |dir| {
        let key = open(dir);
        let spki = key.prove_alone().unwrap();
        let (_, info) = x509_parser::x509::SubjectPublicKeyInfo::from_der(&spki).unwrap();
        let point = &info.subject_public_key.data;
        let public = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
        for _ in 0..600 {
            let fixed = jose_signature(key.kind(), &sign_once(&key).unwrap()).unwrap();
            public.verify(b"hello", &fixed).unwrap();
        }
    });
}

#[test]
fn key_without_public_object_is_not_proved_alone_and_says_why() {
    let name = "key_without_public_object_is_not_proved_alone_and_says_why";
    alone(name, &["ec256"], |dir| {
        pkcs11_tool(dir, &["--delete-object", "--type", "pubkey", "--id", "01"]);
        let key = open(dir);
        let found = key.prove_alone().unwrap_err();
        assert!(found.what.contains("does not say"), "{found}");
        assert!(found.cure.contains("--type pubkey"), "{found}");
        assert_eq!(sign_once(&key), Err(SignFault::Refused));
        // The cure works.
        std::fs::write(dir.join("public.der"), spki(dir, "server.pub.pem")).unwrap();
        let file = dir.join("public.der");
        let write = ["--write-object", file.to_str().unwrap(), "--type", "pubkey"];
        pkcs11_tool(dir, &[&write[..], &["--id", "01"]].concat());
        let key = open(dir);
        assert_eq!(key.prove_alone().unwrap(), spki(dir, "server.pub.pem"));
    });
}

#[test]
fn public_object_of_another_key_does_not_prove_the_key() {
    let name = "public_object_of_another_key_does_not_prove_the_key";
    alone(name, &["ec256"], |dir| {
        pkcs11_tool(dir, &["--delete-object", "--type", "pubkey", "--id", "01"]);
        std::fs::write(dir.join("other.der"), spki(dir, "issuer.pub.pem")).unwrap();
        let file = dir.join("other.der");
        let write = ["--write-object", file.to_str().unwrap(), "--type", "pubkey"];
        pkcs11_tool(dir, &[&write[..], &["--id", "01"]].concat());
        let found = open(dir).prove_alone().unwrap_err();
        assert!(found.what.contains("another key"), "{found}");
        assert!(!found.to_string().contains("certificate"), "{found}");
    });
}

#[test]
fn lost_login_is_got_back_and_the_key_proved_again() {
    alone(
        "lost_login_is_got_back_and_the_key_proved_again",
        &["ec256"],
        |dir| {
            let key = open(dir);
            let spki = spki(dir, "server.pub.pem");
            key.prove(&spki).unwrap();
            for _ in 0..3 {
                log_out();
                for _ in 0..4 {
                    verify(
                        Scheme::EcdsaP256Sha256,
                        &spki,
                        b"hello",
                        &sign_once(&key).unwrap(),
                    );
                }
            }
        },
    );
}

#[test]
fn pin_refused_while_running_is_not_tried_again() {
    alone(
        "pin_refused_while_running_is_not_tried_again",
        &["ec256"],
        |dir| {
            let pin_file = dir.join("pin-of-this-test");
            std::fs::copy(dir.join("pin"), &pin_file).unwrap();
            let source = Pkcs11Source {
                module: SPY.into(),
                pin_file: pin_file.clone(),
                ..source(dir, SERVER)
            };
            let key = PrivateKey::from_token(&source).unwrap();
            sign_once(&key).unwrap();
            std::fs::write(&pin_file, "00000000\n").unwrap();
            log_out();
            for _ in 0..5 {
                assert_eq!(sign_once(&key), Err(SignFault::TokenGone));
            }
            assert_eq!(spied(dir, "C_Login"), 2);
            // Corrected, it is tried: the operator need not restart anything.
            std::fs::copy(dir.join("pin"), &pin_file).unwrap();
            sign_once(&key).unwrap();
            assert_eq!(spied(dir, "C_Login"), 3);
        },
    );
}

fn delete_key(dir: &Path) {
    for kind in ["privkey", "pubkey"] {
        pkcs11_tool(dir, &["--delete-object", "--type", kind, "--id", "01"]);
    }
}

#[test]
fn key_deleted_while_running_is_gone() {
    alone("key_deleted_while_running_is_gone", &["ec256"], |dir| {
        let key = open(dir);
        key.prove(&spki(dir, "server.pub.pem")).unwrap();
        delete_key(dir);
        for _ in 0..3 {
            assert_eq!(sign_once(&key), Err(SignFault::KeyGone));
        }
    });
}

#[test]
fn another_key_under_the_same_label_never_signs() {
    alone(
        "another_key_under_the_same_label_never_signs",
        &["ec256"],
        |dir| {
            let key = open(dir);
            key.prove(&spki(dir, "server.pub.pem")).unwrap();
            delete_key(dir);
            let make = ["--keypairgen", "--key-type", "EC:prime256v1", "--id", "01"];
            pkcs11_tool(dir, &[&make[..], &["--label", "t8gate-server"]].concat());
            for _ in 0..3 {
                assert_eq!(sign_once(&key), Err(SignFault::KeyGone));
            }
        },
    );
}

#[test]
fn signature_beyond_the_sessions_is_busy() {
    alone(
        "signature_beyond_the_sessions_is_busy",
        &["rsa3072"],
        |dir| {
            let key = PrivateKey::from_token(&Pkcs11Source {
                sessions: 1,
                ..source(dir, SERVER)
            })
            .unwrap();
            let busy = AtomicBool::new(false);
            let until = Instant::now() + Duration::from_secs(20);
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        while !busy.load(Ordering::Relaxed) && Instant::now() < until {
                            match sign_once(&key) {
                                Ok(_) => {}
                                Err(SignFault::Busy) => busy.store(true, Ordering::Relaxed),
                                Err(other) => panic!("{other}"),
                            }
                        }
                    });
                }
            });
            assert!(
                busy.load(Ordering::Relaxed),
                "three threads never met on one session"
            );
            sign_once(&key).expect("the session came back");
        },
    );
}

#[test]
fn secret_key_answers_by_hmac_and_others_are_refused() {
    let name = "secret_key_answers_by_hmac_and_others_are_refused";
    alone(name, &["ec256"], |dir| {
        let macs = |object: &str, labels: &[Vec<u8>]| {
            let uri = format!("pkcs11:token=t8gate;object={object};type=secret-key");
            t8gate_hsm::macs(&source(dir, &uri), labels)
        };
        let make = |object: &str, id: &str, kind: &str| {
            let named = ["--key-type", kind, "--label", object, "--id", id];
            pkcs11_tool(dir, &[&["--keygen", "--sensitive"], &named[..]].concat());
        };
        let refused = |object: &str, why: &str| {
            let fault = macs(object, &[vec![1]]).expect_err(object);
            assert!(fault.what.contains(why), "{fault}");
        };
        make("tickets", "11", "GENERIC:32");
        make("short", "12", "GENERIC:16");
        make("cipher", "13", "AES:32");
        let labels = [b"one".to_vec(), b"two".to_vec()];
        let said = macs("tickets", &labels).unwrap();
        assert_eq!(said.len(), 2);
        assert_ne!(said[0], said[1]);
        assert_eq!(macs("tickets", &labels).unwrap(), said);
        // pkcs11-tool asks for the same.
        let (asked, answered) = (dir.join("asked"), dir.join("answered"));
        std::fs::write(&asked, "one").unwrap();
        let (asked, answer) = (asked.display().to_string(), answered.display().to_string());
        let files = ["-i", &asked, "-o", &answer, "--id", "11"];
        pkcs11_tool(
            dir,
            &[&["--sign", "-m", "SHA256-HMAC"], &files[..]].concat(),
        );
        assert_eq!(std::fs::read(&answered).unwrap(), said[0].as_slice());
        refused("short", "16 octets");
        refused("cipher", "not one for HMAC");
        refused("absent", "names 0 secret keys");
        refused("t8gate-server", "names 0 secret keys");
        make("tickets", "14", "GENERIC:32");
        refused("tickets", "names 2 secret keys");
    });
}
