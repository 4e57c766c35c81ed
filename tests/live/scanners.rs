//! What other people's scanners find at a listener: testssl.sh, sslscan and sslyze, whose findings
//! are held against the profile. Run by `make test-tls`, which installs them.
//!
//! Their own ClientHellos for TLS 1.2 have no extended_master_secret, without which the profile has
//! no TLS 1.2; those who ask by an OpenSSL that knows it find it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::client::HOST;
use crate::harness::origin::Origin;
use crate::harness::pki::{Key, Leaf};
use crate::harness::stage::{House, Stage};
use crate::harness::{command, run, tool};

/// The suites of `tls/profile.rs`, in its order.
const TLS13: [&str; 3] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];
/// The same for TLS 1.2, behind `TLS_ECDHE_ECDSA_WITH_` or `TLS_ECDHE_RSA_WITH_`: the key decides.
const TLS12: [&str; 3] = [
    "AES_128_GCM_SHA256",
    "AES_256_GCM_SHA384",
    "CHACHA20_POLY1305_SHA256",
];
/// Its groups, those that scanners of today know. They have no word for X25519MLKEM768.
const GROUPS: [&str; 3] = ["secp256r1", "secp384r1", "x25519"];

const INSTALL: &str = "make test-tls, or apt-get install testssl.sh sslscan";

fn house(key: Key) -> House {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    // testssl.sh calls a month short.
    let leaf = Leaf {
        key,
        valid_until_s: 200 * 86_400,
        ..Leaf::server(HOST)
    };
    let server = stage.operator_ca.issue("server", &leaf);
    let certificate = server.certificate.display();
    stage.config.set_text("tls.certificate", certificate);
    stage.config.set_text("tls.key.file", server.key.display());
    House {
        gateway: stage.start(),
        origin,
        stage,
    }
}

fn tls12(key: Key) -> Vec<String> {
    let signed_by = match key {
        Key::P256 | Key::P384 => "ECDSA",
        Key::Rsa2048 => "RSA",
    };
    let name = |suite: &&str| format!("TLS_ECDHE_{signed_by}_WITH_{suite}");
    TLS12.iter().map(name).collect()
}

/// Runs a scanner to its end; how it ends says nothing of what it found.
fn scan(scanner: &mut Command) -> String {
    let found = Command::new("sh")
        .args([
            "-c",
            "command -v \"$0\"",
            &scanner.get_program().to_string_lossy(),
        ])
        .output()
        .expect("a shell");
    assert!(
        found.status.success(),
        "{scanner:?} is missing; hint: {INSTALL}"
    );
    let outcome = run(scanner, b"", Duration::from_secs(100));
    outcome.stdout + &outcome.stderr
}

/// One finding of testssl.sh.
struct Finding {
    severity: String,
    text: String,
}

fn testssl(house: &House, name: &str, sections: &[&str]) -> BTreeMap<String, Finding> {
    let json = house.stage.scratch.path().join(name);
    let mut testssl = command("testssl");
    // Nothing but this listener is asked, no name server either.
    testssl.args(["--quiet", "--warnings", "off", "--color", "0"]);
    testssl.args(["--nodns", "none", "--ip", "127.0.0.1", "--mapping", "iana"]);
    testssl
        .arg("--add-ca")
        .arg(&house.stage.operator_ca.certificate);
    testssl.arg("--jsonfile").arg(&json).args(sections);
    testssl.env("TMPDIR", house.stage.scratch.path());
    testssl.arg(format!("https://{HOST}:{}", house.gateway.address.port()));
    let said = scan(&mut testssl);
    let text = std::fs::read_to_string(json).unwrap_or_else(|_| panic!("{said}"));
    let list: Vec<Value> = serde_json::from_str(&text).unwrap();
    let finding = |entry: &Value| {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let (severity, finding) = (text("severity"), text("finding"));
        (
            text("id"),
            Finding {
                severity,
                text: finding,
            },
        )
    };
    list.iter().map(finding).collect()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn set<S: ToString>(names: impl IntoIterator<Item = S>) -> BTreeSet<String> {
    names.into_iter().map(|name| name.to_string()).collect()
}

#[test]
#[ignore = "make test-tls"]
fn testssl_finds_the_profile_and_no_weakness() {
    let house = house(Key::P256);
    let sections = ["-p", "-s", "-f", "-P", "-S", "-U"];
    let found = testssl(&house, "testssl.json", &sections);
    let says = |id: &str| {
        let finding = found.get(id).unwrap_or_else(|| panic!("no finding {id}"));
        finding.text.as_str()
    };
    for old in ["SSLv2", "SSLv3", "TLS1", "TLS1_1"] {
        assert_eq!(says(old), "not offered", "{old}");
    }
    // Of TLS 1.2 it says one or the other, by whether its sockets or its openssl asked first.
    assert!(says("TLS1_3").starts_with("offered"), "{}", says("TLS1_3"));
    for weak in ["NULL", "aNULL", "EXPORT", "LOW", "3DES_IDEA", "AVERAGE"] {
        assert_eq!(says(&format!("cipherlist_{weak}")), "not offered");
    }
    let all = set(TLS13).into_iter().chain(tls12(Key::P256)).collect();
    assert_eq!(words(says("PFS_ciphers")), all);
    assert_eq!(says("cipherorder_TLSv1_3"), TLS13.join(" "));
    assert_eq!(says("PFS_ECDHE_curves"), "prime256v1 secp384r1 X25519");
    for extension in ["extended master secret", "renegotiation info"] {
        assert!(says("TLS_extensions").contains(extension), "{extension}");
    }
    assert!(!says("TLS_extensions").contains("early data"));
    assert_eq!(says("OCSP_stapling"), "not offered", "as configured");
    assert_eq!(says("ALPN"), "http/1.1");
    for attack in [
        "heartbleed",
        "CCS",
        "ROBOT",
        "secure_renego",
        "CRIME_TLS",
        "POODLE_SSL",
        "FREAK",
        "DROWN",
        "LOGJAM",
        "BEAST",
        "LUCKY13",
        "RC4",
    ] {
        // WARN: without a client certificate it could not try. sslyze has one, and tries.
        let severity = found[attack].severity.as_str();
        assert!(
            ["OK", "WARN"].contains(&severity),
            "{attack}: {}",
            says(attack)
        );
    }
    // The hellos of its own sockets know no extended master secret, and so are refused. Where its
    // openssl has found TLS 1.2 before, it takes that for a limit on the number of suites.
    let found = found.iter().filter(|(id, _)| *id != "pre_128cipher");
    for (id, finding) in found {
        let is_good = ["OK", "INFO", "DEBUG", "WARN"].contains(&finding.severity.as_str());
        let Finding { severity, text } = finding;
        assert!(is_good, "{severity} {id}: {text}");
    }
}

#[test]
#[ignore = "make test-tls"]
fn testssl_finds_tls_1_2_where_openssl_asks_for_it() {
    for key in [Key::P256, Key::Rsa2048] {
        let house = house(key);
        let found = testssl(&house, "protocols.json", &["--ssl-native", "-p"]);
        assert_eq!(found["TLS1_2"].text, "offered", "{key:?}");
        assert_eq!(found["TLS1_3"].text, "offered", "{key:?}");
        let found = testssl(&house, "suites.json", &["-f"]);
        let all = set(TLS13).into_iter().chain(tls12(key)).collect();
        assert_eq!(words(&found["PFS_ciphers"].text), all, "{key:?}");
    }
}

/// The values of an attribute in the elements of a name, where another attribute is as said.
fn attributes(xml: &str, element: &str, attribute: &str) -> Vec<String> {
    let lines = xml.lines().filter(|line| {
        let line = line.trim_start();
        line.strip_prefix('<')
            .is_some_and(|line| line.starts_with(&format!("{element} ")))
    });
    let value = |line: &str| {
        let (_, value) = line.split_once(&format!(" {attribute}=\""))?;
        Some(value.split('"').next()?.to_owned())
    };
    lines.filter_map(value).collect()
}

#[test]
#[ignore = "make test-tls"]
fn sslscan_finds_the_profile_and_no_weakness() {
    for key in [Key::P256, Key::P384, Key::Rsa2048] {
        let house = house(key);
        let file = house.stage.scratch.path().join("sslscan.xml");
        let mut sslscan = command("sslscan");
        sslscan.arg(format!("--xml={}", file.display()));
        sslscan.arg(format!("--sni-name={HOST}"));
        let said = scan(sslscan.arg(house.gateway.address.to_string()));
        let xml = std::fs::read_to_string(file).unwrap_or_else(|_| panic!("{said}"));
        let of = |element: &str, attribute: &str| attributes(&xml, element, attribute);
        // SSL 2 and 3, TLS 1.0 to 1.3; for TLS 1.2 see above.
        assert_eq!(
            of("protocol", "version"),
            ["2", "3", "1.0", "1.1", "1.2", "1.3"]
        );
        assert_eq!(
            of("protocol", "enabled"),
            ["0", "0", "0", "0", "0", "1"],
            "{key:?}"
        );
        assert_eq!(of("renegotiation", "supported"), ["0"]);
        assert_eq!(set(of("heartbleed", "vulnerable")), set(["0"]));
        // In the order of preference, the first one said to be preferred.
        assert_eq!(of("cipher", "cipher"), TLS13);
        assert_eq!(
            of("cipher", "status"),
            ["preferred", "accepted", "accepted"]
        );
        let groups = of("group", "name");
        let name = |group: &String| group.split(' ').next().unwrap_or_default().to_owned();
        assert_eq!(
            groups.iter().map(name).collect::<BTreeSet<_>>(),
            set(GROUPS)
        );
    }
}

fn sslyze(house: &House) -> Value {
    let file = house.stage.scratch.path().join("sslyze.json");
    let mut sslyze = command(tool("sslyze/bin/python"));
    sslyze.args(["-m", "sslyze", "--quiet", "--mozilla_config=disable"]);
    sslyze.arg(format!("--json_out={}", file.display()));
    sslyze.arg(format!("--sni={HOST}"));
    sslyze.arg("--cert").arg(&house.stage.acme.certificate);
    sslyze.arg("--key").arg(&house.stage.acme.key);
    sslyze.args([
        "--sslv2",
        "--sslv3",
        "--tlsv1",
        "--tlsv1_1",
        "--tlsv1_2",
        "--tlsv1_3",
    ]);
    sslyze.args([
        "--compression",
        "--early_data",
        "--reneg",
        "--resum",
        "--ems",
    ]);
    sslyze.args(["--elliptic_curves", "--fallback", "--certinfo"]);
    sslyze.args(["--openssl_ccs", "--heartbleed", "--robot"]);
    let said = scan(sslyze.arg(house.gateway.address.to_string()));
    let text = std::fs::read_to_string(file).unwrap_or_else(|_| panic!("{said}"));
    // A certificate's serial number stands there as a number, which is too long for one.
    let report: Value = serde_json::from_str(&without_long_numbers(&text)).unwrap();
    let result = &report["server_scan_results"][0];
    assert_eq!(result["scan_status"], "COMPLETED", "{said}");
    result["scan_result"].clone()
}

fn without_long_numbers(json: &str) -> String {
    let mut short = String::new();
    let mut rest = json;
    while let Some(at) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, digits) = rest.split_at(at);
        let end = digits.find(|letter: char| !letter.is_ascii_digit());
        let (digits, after) = digits.split_at(end.unwrap_or(digits.len()));
        short += before;
        short += if digits.len() < 19 { digits } else { "0" };
        rest = after;
    }
    short + rest
}

fn accepted(found: &Value, version: &str) -> BTreeSet<String> {
    let suites = &found[format!("{version}_cipher_suites")];
    assert_eq!(suites["status"], "COMPLETED", "{version}");
    let suites = suites["result"]["accepted_cipher_suites"]
        .as_array()
        .unwrap();
    let name = |suite: &Value| suite["cipher_suite"]["name"].as_str().unwrap().to_owned();
    suites.iter().map(name).collect()
}

#[test]
#[ignore = "make test-tls"]
fn sslyze_finds_the_profile_and_no_weakness() {
    for key in [Key::P256, Key::P384, Key::Rsa2048] {
        let house = house(key);
        let found = sslyze(&house);
        for version in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"] {
            assert_eq!(accepted(&found, version), BTreeSet::new(), "{version}");
        }
        assert_eq!(accepted(&found, "tls_1_3"), set(TLS13), "{key:?}");
        // As far as it asks by the newer of the two OpenSSLs it has.
        let some = accepted(&found, "tls_1_2");
        assert!(
            !some.is_empty() && some.is_subset(&set(tls12(key))),
            "{some:?}"
        );
        let curves = found["elliptic_curves"]["result"]["supported_curves"]
            .as_array()
            .unwrap();
        let curves = curves
            .iter()
            .map(|curve| curve["name"].as_str().unwrap().to_lowercase());
        assert_eq!(curves.collect::<BTreeSet<_>>(), set(GROUPS), "{key:?}");
        for (scan, finding, is) in [
            ("tls_compression", "supports_compression", false),
            ("tls_1_3_early_data", "supports_early_data", false),
            ("tls_extended_master_secret", "supports_ems_extension", true),
            ("tls_fallback_scsv", "supports_fallback_scsv", true),
            (
                "session_renegotiation",
                "supports_secure_renegotiation",
                true,
            ),
            (
                "session_renegotiation",
                "is_vulnerable_to_client_renegotiation_dos",
                false,
            ),
            (
                "openssl_ccs_injection",
                "is_vulnerable_to_ccs_injection",
                false,
            ),
            ("heartbleed", "is_vulnerable_to_heartbleed", false),
        ] {
            assert_eq!(
                found[scan]["result"][finding], is,
                "{key:?} {scan} {finding}"
            );
        }
        let robot = &found["robot"]["result"]["robot_result"];
        assert_eq!(robot, "NOT_VULNERABLE_RSA_NOT_SUPPORTED");
        let resumption = &found["session_resumption"]["result"];
        let by_id = &resumption["session_id_successful_resumptions_count"];
        assert_eq!(by_id, 0, "sessions are kept in tickets, never here");
        let deployed = &found["certificate_info"]["result"]["certificate_deployments"][0];
        assert!(deployed["ocsp_response"].is_null(), "as configured");
        assert_eq!(deployed["received_chain_has_valid_order"], true);
    }
}
