//! `t8gate keys`: the whole way from an empty token to a serving certificate, and every way to go
//! wrong on it. The token is SoftHSM, the certification authority is openssl's.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::client::HOST;
use crate::harness::gateway::{t8gate, write};
use crate::harness::origin::Origin;
use crate::harness::softhsm::{PIN, Spy, Token, write_pin};
use crate::harness::softoken::Softoken;
use crate::harness::stage::Stage;
use crate::harness::{Outcome, Scratch, WAIT, command, run, run_well};

mod ceremony;
mod configured;
mod import;

/// A token in a folder of its own.
struct Desk {
    scratch: Scratch,
    token: Token,
    environment: Vec<(String, String)>,
}

impl Desk {
    fn with_an_empty_token() -> Self {
        let scratch = Scratch::new();
        let token = Token::empty(scratch.path());
        let configuration = token.configuration.display().to_string();
        Self {
            scratch,
            token,
            environment: vec![("SOFTHSM2_CONF".to_owned(), configuration)],
        }
    }

    /// NSS softoken behind p11-kit, whose server ends with the first value.
    fn at_nss_softoken(scratch: Scratch) -> (Softoken, Self) {
        let softoken = Softoken::start(&scratch.path().join("nss"));
        let desk = Self {
            scratch,
            token: softoken.token.clone(),
            environment: softoken.environment.clone(),
        };
        (softoken, desk)
    }

    fn with_a_key(kind: &str) -> Self {
        let desk = Self::with_an_empty_token();
        desk.well("generate", &["--type", kind]);
        desk
    }

    /// Runs `t8gate keys WHAT` on the token.
    fn keys(&self, what: &str, arguments: &[&str]) -> Outcome {
        let mut t8gate = t8gate(&["keys", what, "--uri", &self.token.uri]);
        t8gate.arg("--module").arg(&self.token.module);
        t8gate.arg("--pin-file").arg(&self.token.pin_file);
        t8gate.args(arguments).envs(self.environment.clone());
        let outcome = run(&mut t8gate, b"", WAIT);
        let pin = std::fs::read_to_string(&self.token.pin_file).unwrap();
        for said in [&outcome.stdout, &outcome.stderr] {
            assert!(!said.contains(pin.trim()), "the PIN is told: {said}");
        }
        outcome
    }

    /// What it writes to standard output when all is well.
    fn well(&self, what: &str, arguments: &[&str]) -> String {
        let outcome = self.keys(what, arguments);
        assert!(outcome.status.success(), "{what}: {}", outcome.stderr);
        outcome.stdout
    }

    /// It fails, says nothing on standard output, and what is wrong and a cure on the other.
    fn refused(&self, what: &str, arguments: &[&str], words: &[&str]) {
        let outcome = self.keys(what, arguments);
        assert!(!outcome.status.success(), "{what} {arguments:?}");
        assert_eq!(outcome.stdout, "", "{what} {arguments:?}");
        for word in words.iter().chain(&["hint: "]) {
            let said = &outcome.stderr;
            assert!(said.contains(word), "{word} is missing:\n{said}");
        }
    }

    fn request(&self) -> PathBuf {
        let names = ["--organization", "Operator Example", "--san"];
        let name = format!("dns:{HOST}");
        let arguments = [&names[..], &[name.as_str()]].concat();
        self.scratch
            .write("request.pem", self.well("csr", &arguments))
    }

    fn spki(&self) -> Vec<u8> {
        let mut openssl = command("openssl");
        openssl.args(["req", "-noout", "-pubkey", "-in"]);
        let pem = run_well(openssl.arg(self.request()));
        let pem = self.scratch.write("public.pem", pem);
        let der = self.scratch.path().join("public.der");
        let mut openssl = command("openssl");
        openssl.args(["pkey", "-pubin", "-outform", "DER", "-in"]);
        run_well(openssl.arg(pem).arg("-out").arg(&der));
        std::fs::read(der).unwrap()
    }

    fn listed(&self) -> Value {
        let listed = self.well("list", &["--json"]);
        serde_json::from_str::<Value>(&listed).unwrap()["tokens"][0].clone()
    }
}

/// A certification authority of openssl's, such as an operator's may be.
struct OpensslCa {
    folder: PathBuf,
}

impl OpensslCa {
    fn new(folder: &Path) -> Self {
        let ca = Self {
            folder: folder.to_owned(),
        };
        let mut openssl = command("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-noenc", "-sha256"]);
        openssl.args(["-pkeyopt", "ec_paramgen_curve:P-384", "-days", "30"]);
        openssl.args(["-subj", "/O=Operator Example/CN=Operator TLS CA"]);
        openssl.args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
        openssl.arg("-keyout").arg(ca.file("ca.key"));
        run_well(openssl.arg("-out").arg(ca.file("ca.pem")));
        ca
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Certifies what the request asks for.
    fn issue(&self, request: &Path, name: &str) -> PathBuf {
        let extensions = "basicConstraints=CA:FALSE\n\
                          crlDistributionPoints=URI:http://crl.example/t8.crl\n";
        let copied = ["-copy_extensions", "copy"];
        self.issue_with(request, name, &copied, extensions)
    }

    /// The same by arguments and with extensions of the test's own.
    fn issue_with(
        &self,
        request: &Path,
        name: &str,
        arguments: &[&str],
        extensions: &str,
    ) -> PathBuf {
        let certificate = self.file(name);
        let mut openssl = command("openssl");
        openssl.args(["x509", "-req", "-days", "30", "-in"]);
        openssl.arg(request).arg("-CA").arg(self.file("ca.pem"));
        openssl.arg("-CAkey").arg(self.file("ca.key"));
        openssl.args(arguments);
        if !extensions.is_empty() {
            let file = self.file("extensions");
            std::fs::write(&file, extensions).unwrap();
            openssl.arg("-extfile").arg(file);
        }
        run_well(openssl.arg("-out").arg(&certificate));
        certificate
    }
}

#[test]
fn key_is_not_made_under_a_label_or_id_that_is_taken() {
    let desk = Desk::with_a_key("p256");
    let taken = "already";
    desk.refused("generate", &[], &["label \"server\"", taken]);
    desk.refused(
        "generate",
        &["--label", "other", "--id", "01"],
        &["id 01", taken],
    );
    assert_eq!(desk.listed()["keys"].as_array().unwrap().len(), 1);
    // The lowest one that is free.
    let uri = desk.well("generate", &["--label", "other"]);
    assert!(uri.contains("object=other;id=%02"), "{uri}");
}

#[test]
fn key_this_gateway_does_not_take_is_not_made() {
    let desk = Desk::with_an_empty_token();
    for kind in ["rsa1024", "rsa8192", "p521", "ed25519"] {
        let outcome = desk.keys("generate", &["--type", kind]);
        assert_eq!(outcome.status.code(), Some(2), "{kind}");
        assert!(outcome.stderr.contains("p256, p384, rsa2048"), "{kind}");
    }
    assert_eq!(desk.listed()["keys"].as_array().unwrap().len(), 0);
}

#[test]
fn wrong_pin_is_tried_once_and_not_told() {
    let mut desk = Desk::with_a_key("p256");
    let spy = Spy::on(&desk.token, desk.scratch.path());
    desk.environment.extend(spy.environment.iter().cloned());
    desk.token.module.clone_from(&spy.module);
    desk.token.pin_file = write_pin(desk.scratch.path(), "864209753");
    let csr = ["--organization", "o", "--san", "dns:a.example"];
    let none: &[&str] = &[];
    let mut logins = 0;
    for (what, arguments) in [
        ("list", none),
        ("generate", &["--label", "new"]),
        ("csr", &csr),
        ("import-cert", &["nothing.pem", "--out", "x"]),
        ("self-test", none),
        ("bench", none),
    ] {
        if what == "import-cert" {
            // The file is looked at before the token is troubled.
            desk.refused(what, arguments, &["nothing.pem"]);
        } else {
            desk.refused(what, arguments, &["refused the PIN", "PinIncorrect"]);
            logins += 1;
        }
        assert_eq!(spy.calls("C_Login"), logins, "{what}");
        // The right one, so that the token is not locked by this test.
        let right = write_pin(desk.scratch.path(), PIN);
        assert_eq!(right, desk.token.pin_file);
        desk.well("list", &[]);
        logins += 1;
        write_pin(desk.scratch.path(), "864209753");
    }
}

#[test]
fn pin_comes_from_a_descriptor_as_well_and_from_nowhere_else() {
    let desk = Desk::with_a_key("p256");
    let program = env!("CARGO_BIN_EXE_t8gate");
    let bash = |command: &str| {
        let mut bash = crate::harness::command("bash");
        bash.args(["-c", command, program])
            .envs(desk.environment.clone());
        bash.env("MODULE", &desk.token.module);
        bash.env("URI", &desk.token.uri);
        bash.env("FILE", &desk.token.pin_file);
        run(&mut bash, b"", WAIT)
    };
    let keys = "\"$0\" keys self-test --module \"$MODULE\" --uri \"$URI\"";
    for from in ["3< \"$FILE\"", "3< <(cat \"$FILE\")"] {
        let outcome = bash(&format!("{keys} --pin-fd 3 {from}"));
        assert!(outcome.status.success(), "{from}: {}", outcome.stderr);
    }
    let outcome = bash(&format!("{keys} --pin-fd 9"));
    assert!(!outcome.status.success(), "no descriptor");
    for word in ["the PIN's descriptor 9 is not open", "9< FILE"] {
        assert!(outcome.stderr.contains(word), "{}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("file"), "{}", outcome.stderr);
    let outcome = bash(&format!("PIN={PIN} T8GATE_PIN={PIN} {keys}"));
    assert!(
        outcome.stderr.contains("none is named"),
        "{}",
        outcome.stderr
    );
    let outcome = bash(&format!("{keys} --pin {PIN}"));
    assert_eq!(outcome.status.code(), Some(2), "an argument");
}

#[test]
fn list_shows_private_keys_after_a_login_only() {
    let desk = Desk::with_a_key("p256");
    let token = desk.listed();
    assert_eq!(token["label"], "t8gate-test");
    let key = &token["keys"][0];
    assert_eq!((&key["kind"], &key["id"]), (&"P-256".into(), &"01".into()));
    assert_eq!(
        key["uri"],
        "pkcs11:token=t8gate-test;object=server;id=%01;type=private"
    );
    let private = &key["private"];
    for (name, is) in [
        ("stays_in_token", true),
        ("sensitive", true),
        ("extractable", false),
        ("never_extractable", true),
        ("local", true),
        ("always_authenticate", false),
    ] {
        assert_eq!(private[name], is, "{name}");
    }
    let mechanisms = token["mechanisms"].as_array().unwrap();
    assert!(
        mechanisms
            .iter()
            .all(|mechanism| mechanism["present"] == true)
    );

    let mut open = t8gate(&["keys", "list", "--module"]);
    open.arg(&desk.token.module).envs(desk.environment.clone());
    let outcome = run(&mut open, b"", WAIT);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("the public key only"),
        "{}",
        outcome.stdout
    );
    assert!(outcome.stderr.contains("--pin-file"), "{}", outcome.stderr);
}

#[test]
fn configuration_with_a_key_in_a_file_names_no_token() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    stage.config.set_text("listen.address", "127.0.0.1:1");
    let file = write(stage.scratch.path(), &stage.config);
    for what in ["list", "generate", "self-test", "bench"] {
        let outcome = run(t8gate(&["keys", what, "--config"]).arg(&file), b"", WAIT);
        assert!(!outcome.status.success(), "{what}");
        let said = outcome.stderr;
        assert!(said.contains("names a key in a file"), "{what}: {said}");
    }
}

//= RFC 8446 section 4.2.3 type=test
//# TLS 1.3 takes signatures of RSA keys by PSS only.
#[test]
fn self_test_names_the_mechanism_that_is_absent_and_what_that_means() {
    let desk = Desk::with_a_key("rsa2048");
    let said = desk.well("self-test", &[]);
    assert_eq!(said.matches("signed, and verified\n").count(), 6, "{said}");
    let mut settings = std::fs::read_to_string(&desk.token.configuration).unwrap();
    settings += "slots.mechanisms = CKM_RSA_PKCS_KEY_PAIR_GEN,CKM_RSA_PKCS\n";
    std::fs::write(&desk.token.configuration, settings).unwrap();
    let outcome = desk.keys("self-test", &[]);
    assert!(!outcome.status.success());
    let absent = "the token has no CKM_RSA_PKCS_PSS";
    assert_eq!(
        outcome.stdout.matches(absent).count(),
        3,
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stderr.contains("TLS 1.2 only"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn bench_measures_each_number_of_threads() {
    let desk = Desk::with_a_key("p256");
    let arguments = ["--threads", "1,3", "--seconds", "1", "--json"];
    let measured: Value = serde_json::from_str(&desk.well("bench", &arguments)).unwrap();
    assert_eq!(measured["scheme"], "EcdsaP256Sha256");
    let rounds = measured["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 2);
    for (round, threads) in rounds.iter().zip([1, 3]) {
        assert_eq!(round["threads"], threads);
        let number = |name: &str| round[name].as_f64().unwrap();
        assert!(number("signatures_per_s") > 1.0);
        assert!(number("p50_us") > 0.0 && number("p50_us") <= number("p99_us"));
    }
    let outcome = desk.keys("bench", &["--threads", "65"]);
    assert_eq!(outcome.status.code(), Some(2), "more than sessions may be");
}
