//! `t8gate keys`: the whole way from an empty token to a serving certificate, and every way to go
//! wrong on it. The token is SoftHSM, the certification authority is openssl's.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::harness::client::{Dialer, HOST};
use crate::harness::gateway::{check, t8gate, write};
use crate::harness::origin::Origin;
use crate::harness::pki::{Key, Leaf, Purpose, San};
use crate::harness::softhsm::{PIN, Spy, Token, write_pin};
use crate::harness::softoken::Softoken;
use crate::harness::stage::{PATH, Stage};
use crate::harness::{Outcome, Scratch, WAIT, command, free_address, peers, run, run_well};

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
        let extensions = self.file("extensions");
        let text = "authorityKeyIdentifier=keyid\nbasicConstraints=CA:FALSE\n\
                    crlDistributionPoints=URI:http://crl.example/t8.crl\n";
        std::fs::write(&extensions, text).unwrap();
        let certificate = self.file(name);
        let mut openssl = command("openssl");
        openssl.args(["x509", "-req", "-sha256", "-days", "30", "-in"]);
        openssl.arg(request).arg("-CA").arg(self.file("ca.pem"));
        openssl.arg("-CAkey").arg(self.file("ca.key"));
        openssl.args(["-copy_extensions", "copy", "-extfile"]);
        run_well(openssl.arg(extensions).arg("-out").arg(&certificate));
        certificate
    }
}

/// The configuration comes first, as an operator has it; every command takes the token from it.
fn ceremony(desk: &Desk, kind: &str, held: &str) {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let folder = stage.scratch.path().to_owned();
    let token = &desk.token;
    stage.environment.clone_from(&desk.environment);
    let served = folder.join("served.pem");
    stage.config.unset("tls.key.file");
    stage.config.set_text("tls.certificate", served.display());
    stage
        .config
        .set_text("tls.key.module", token.module.display());
    stage.config.set_text("tls.key.uri", &token.uri);
    stage
        .config
        .set_text("tls.key.pin_file", token.pin_file.display());
    stage.config.set_text("listen.address", "127.0.0.1:1");
    let file = write(&folder, &stage.config);
    let keys = |arguments: &[&str]| {
        let mut t8gate = t8gate(&["keys"]);
        t8gate.args(arguments).arg("--config").arg(&file);
        run_well(t8gate.envs(stage.environment.clone()))
    };

    let uri = keys(&["generate", "--type", kind]);
    assert!(uri.starts_with(&token.uri), "{uri}");
    let listed = keys(&["list"]);
    assert!(listed.contains(held), "{listed}");
    keys(&["self-test"]);

    let name = format!("dns:{HOST}");
    let names = ["--organization", "Öperator Example", "--country", "SE"];
    let sans = ["--san", &name, "--san", "uri:urn:t8:gateway"];
    let request = keys(&[&["csr"], &names[..], &sans].concat());
    let request = stage.scratch.write("request.pem", request);
    let mut openssl = command("openssl");
    openssl.args(["req", "-verify", "-noout", "-text", "-nameopt"]);
    openssl.args(["utf8,sep_comma_plus,show_type", "-in"]);
    let outcome = run(openssl.arg(&request), b"", WAIT);
    assert!(outcome.stderr.contains("verify OK"), "{}", outcome.stderr);
    for word in [
        "C=PRINTABLESTRING:SE",
        "O=UTF8STRING:Öperator Example",
        &format!("CN=UTF8STRING:{HOST}"),
        &format!("DNS:{HOST}, URI:urn:t8:gateway"),
        "X509v3 Key Usage: critical\n                    Digital Signature\n",
        "TLS Web Server Authentication",
    ] {
        let text = &outcome.stdout;
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }

    let ca = OpensslCa::new(&folder);
    let certificate = ca.issue(&request, "issued.pem");
    let ca = ca.file("ca.pem");
    let (issued, anchor) = (certificate.to_str().unwrap(), ca.to_str().unwrap());
    keys(&["import-cert", issued, "--ca", anchor, "--store"]);

    stage.config.unset("listen.address");
    let gateway = stage.start();
    for version in ["-tls1_2", "-tls1_3"] {
        let acme = Some(&stage.acme);
        let input = format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        let versions = [version];
        let said = peers::s_client(gateway.address, &ca, acme, &versions, input.as_bytes());
        let said = said.stdout;
        assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
        assert!(said.contains("HTTP/1.1 401"), "{said}");
    }
    let mut curl = peers::curl(gateway.address, &ca, Some(&stage.acme));
    let bearer = format!("Authorization: Bearer {}", stage.token());
    run_well(
        curl.args(["--fail", "--header", &bearer])
            .arg(peers::url(gateway.address, PATH)),
    );
    let anchor = CertificateDer::from_pem_file(&ca).unwrap();
    let mut client = Dialer::new(&anchor, Some(&stage.acme), HOST)
        .connect(gateway.address)
        .unwrap();
    assert_eq!(client.get(PATH, &stage.token()).status, 200);
}

//= TS 33.310 clause 6.1.1 type=test
//# Names are country, organization and common name; the latter two in UTF-8.
#[test]
fn operator_gets_from_an_empty_token_to_a_serving_p256_certificate() {
    ceremony(&Desk::with_an_empty_token(), "p256", "stays in the token");
}

#[test]
fn operator_gets_from_an_empty_token_to_a_serving_p384_certificate() {
    ceremony(&Desk::with_an_empty_token(), "p384", "stays in the token");
}

#[test]
fn operator_gets_from_an_empty_token_to_a_serving_rsa_certificate() {
    ceremony(
        &Desk::with_an_empty_token(),
        "rsa2048",
        "stays in the token",
    );
}

/// It does not say of a key that it was made inside, so that it is told as it is.
#[test]
fn another_pkcs11_implementation_serves_the_certificate_of_its_key() {
    let scratch = Scratch::new();
    let (softoken, desk) = Desk::at_nss_softoken(scratch);
    ceremony(
        &desk,
        "p256",
        "NOT MADE INSIDE, sensitive, never extractable",
    );
    drop(softoken);
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
    let outcome = bash(&format!("{keys} --pin-fd 3"));
    assert!(!outcome.status.success(), "no descriptor");
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
fn certificate_of_another_key_is_not_imported() {
    let origin = Origin::start();
    let stage = Stage::new(origin.address);
    let desk = Desk::with_a_key("p256");
    let other = stage.operator_ca.issue("other", &Leaf::server(HOST));
    let out = desk.scratch.write("served.pem", "what was there");
    let arguments = [
        other.certificate.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    desk.refused(
        "import-cert",
        &arguments,
        &["none of the certificates is for this key"],
    );
    assert_eq!(std::fs::read(&out).unwrap(), b"what was there");
}

#[test]
fn unfit_certificate_is_not_imported_and_all_that_is_wrong_is_said() {
    let origin = Origin::start();
    let stage = Stage::new(origin.address);
    let desk = Desk::with_a_key("p256");
    let spki = desk.spki();
    let out = desk.scratch.write("served.pem", "what was there");
    let good = Leaf::server(HOST);
    let unfit = [
        (
            Leaf {
                key_usages: vec![rcgen::KeyUsagePurpose::KeyAgreement],
                purpose: Some(Purpose::Client),
                ..good.clone()
            },
            &["digitalSignature", "serverAuth"][..],
        ),
        (
            Leaf {
                valid_until_s: -60,
                ..good.clone()
            },
            &["expired"],
        ),
        (
            Leaf {
                valid_from_s: 3_600,
                ..good.clone()
            },
            &["not valid before"],
        ),
        (
            Leaf {
                sans: vec![San::Uri("urn:t8:gateway")],
                ..good.clone()
            },
            &["names no host"],
        ),
    ];
    for (leaf, words) in unfit {
        let file = stage.operator_ca.issue_for("unfit", &leaf, &spki).path;
        let arguments = [file.to_str().unwrap(), "--out", out.to_str().unwrap()];
        desk.refused("import-cert", &arguments, words);
        assert_eq!(std::fs::read(&out).unwrap(), b"what was there");
    }
    // Of another CA than clients trust.
    let file = stage.operator_ca.issue_for("good", &good, &spki).path;
    let ca = stage.partner_ca.certificate.to_str().unwrap();
    let arguments = [file.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let untrusted = [&arguments[..], &["--ca", ca]].concat();
    desk.refused(
        "import-cert",
        &untrusted,
        &["does not verify: UnknownIssuer"],
    );
    desk.well("import-cert", &arguments);
    assert_ne!(std::fs::read(&out).unwrap(), b"what was there");
}

#[test]
fn chain_is_written_leaf_first_and_without_the_root_whatever_the_order() {
    let desk = Desk::with_a_key("p256");
    let root = OpensslCa::new(desk.scratch.path());
    let issued = root.issue(&desk.request(), "issued.pem");
    let text = |file: &Path| std::fs::read_to_string(file).unwrap();
    let bundle = text(&root.file("ca.pem")) + &text(&issued);
    let bundle = desk.scratch.write("bundle.pem", bundle);
    let out = desk.scratch.path().join("served.pem");
    let (bundle, file) = (bundle.to_str().unwrap(), out.to_str().unwrap());
    desk.well("import-cert", &[bundle, "--out", file]);
    let served: Vec<_> = CertificateDer::pem_file_iter(&out)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(served, [CertificateDer::from_pem_file(&issued).unwrap()]);
    // One that has nothing to do with it.
    let origin = Origin::start();
    let stray = Stage::new(origin.address).partner_ca.der;
    let mut openssl = command("openssl");
    let der = desk.scratch.write("stray.der", &stray);
    let stray = desk.scratch.path().join("stray.pem");
    openssl.args(["x509", "-inform", "DER", "-in"]).arg(der);
    run_well(openssl.arg("-out").arg(&stray));
    let arguments = [bundle, stray.to_str().unwrap(), "--out", file];
    desk.refused("import-cert", &arguments, &["Partner TLS CA", "no issuer"]);
}

#[test]
fn certificate_in_the_token_is_the_last_one_imported() {
    let desk = Desk::with_a_key("p256");
    let ca = OpensslCa::new(desk.scratch.path());
    let request = desk.request();
    let out = desk.scratch.path().join("served.pem");
    let store = |file: &Path| {
        let out = out.to_str().unwrap();
        let arguments = [file.to_str().unwrap(), "--out", out, "--store"];
        let outcome = desk.keys("import-cert", &arguments);
        assert!(outcome.status.success(), "{}", outcome.stderr);
        outcome.stderr
    };
    let first = ca.issue(&request, "first.pem");
    assert!(store(&first).contains("beside its key"));
    assert!(store(&first).contains("already"));
    assert!(store(&ca.issue(&request, "second.pem")).contains("in place of"));
    let token = desk.listed();
    let certificates = token["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 1);
    assert_eq!(certificates[0]["id"], "01");
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

#[test]
fn rotation_leaves_the_old_key_serving_until_the_configuration_names_the_new_one() {
    let origin = Origin::start();
    let (stage, _token) = Stage::with_token(origin.address, Key::P256);
    let mut config = stage.config.clone();
    config.set_text("listen.address", "127.0.0.1:1");
    let file = write(stage.scratch.path(), &config);
    let keys = |arguments: &[&str]| {
        let mut t8gate = t8gate(&["keys"]);
        t8gate.args(arguments).arg("--config").arg(&file);
        run_well(t8gate.envs(stage.environment.clone()))
    };
    let gateway = stage.start();
    let uri = keys(&["generate", "--label", "server-2", "--id", "22"]);
    let uri = uri.trim();
    let name = format!("dns:{HOST}");
    let names = ["--organization", "Operator Example", "--san", &name];
    let request = keys(&[&["csr", "--uri", uri], &names[..]].concat());
    let request = stage.scratch.write("request.pem", request);
    let ca = OpensslCa::new(stage.scratch.path());
    let issued = ca.issue(&request, "issued.pem");
    let next = stage.scratch.path().join("next.pem");
    let (issued, out) = (issued.to_str().unwrap(), next.to_str().unwrap());
    keys(&["import-cert", issued, "--uri", uri, "--out", out]);
    let mut client = stage.dialer(&stage.acme).connect(gateway.address).unwrap();
    assert_eq!(client.get(PATH, &stage.token()).status, 200);

    // Key and certificate change together; one alone is a fault.
    config.set_text("tls.key.uri", uri);
    let outcome = check(&write(stage.scratch.path(), &config), &stage.environment);
    assert!(outcome.stdout.contains("another key"), "{}", outcome.stdout);
    config.set_text("tls.certificate", next.display());
    let outcome = check(&write(stage.scratch.path(), &config), &stage.environment);
    let proof = outcome
        .stdout
        .lines()
        .find(|line| line.contains("key proof"));
    assert!(
        proof.is_some_and(|line| line.starts_with("ok")),
        "{}",
        outcome.stdout
    );
}

/// The shell blocks of a part of `hsm/README.md`.
fn readme_blocks(part: &str) -> Vec<String> {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/hsm/README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let begin = format!("<!-- {part}: begin -->");
    let end = format!("<!-- {part}: end -->");
    let (_, text) = text.split_once(&begin).expect("the part begins");
    let (text, _) = text.split_once(&end).expect("the part ends");
    let blocks = text.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    blocks
        .map(|b| b.replace("token=t8gate;", "token=t8gate-test;"))
        .collect()
}

/// The walk of `hsm/README.md` as it is printed, in a folder with the configuration.
#[test]
fn readme_leads_from_an_empty_token_to_a_certificate_and_to_the_next_one() {
    let desk = Desk::with_an_empty_token();
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let folder = desk.scratch.path();
    stage.config.unset("tls.key.file");
    stage.config.set_text("tls.certificate", "server.pem");
    stage.config.set_text("listen.address", free_address());
    stage
        .config
        .set_text("tls.key.module", desk.token.module.display());
    stage.config.set_text("tls.key.uri", &desk.token.uri);
    stage.config.set_text("tls.key.pin_file", "pin");
    desk.scratch.write("t8gate.toml", stage.config.render());
    let ca = OpensslCa::new(folder);
    let bash = |block: &str| {
        let mut bash = command("bash");
        bash.args(["-euc", block]).current_dir(folder);
        bash.envs(desk.environment.clone());
        let program = Path::new(env!("CARGO_BIN_EXE_t8gate")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        bash.env("PATH", format!("{}:{path}", program.display()));
        run_well(&mut bash)
    };

    let [list, request, import] = &readme_blocks("ceremony")[..] else {
        panic!("the ceremony has three steps")
    };
    assert!(bash(list).contains("token \"t8gate-test\""));
    bash(request);
    ca.issue(&folder.join("request.pem"), "issued.pem");
    let said = bash(import);
    assert!(
        said.contains("signed, and verified with the certificate"),
        "{said}"
    );

    let [request, import] = &readme_blocks("rotation")[..] else {
        panic!("the rotation has two steps")
    };
    bash(request);
    ca.issue(&folder.join("request-2.pem"), "issued-2.pem");
    let next = request.lines().next().unwrap();
    bash(&format!("{next}\n{import}"));
    let next = next.split('\'').nth(1).unwrap();
    stage.config.set_text("tls.certificate", "server-2.pem");
    stage.config.set_text("tls.key.uri", next);
    desk.scratch.write("t8gate.toml", stage.config.render());
    bash("t8gate check --config t8gate.toml");
}
