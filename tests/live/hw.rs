//! `t8gate hw`: what the machine gives, as people and as programs read it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::harness::gateway::{cpus, t8gate, write};
use crate::harness::origin::Origin;
use crate::harness::pki::Key;
use crate::harness::stage::Stage;
use crate::harness::{Outcome, run};

/// It measures for two seconds; beside other tests that may take longer.
const MEASURED: Duration = Duration::from_secs(60);

fn hw(arguments: &[&str], environment: &[(String, String)]) -> Outcome {
    let mut command = t8gate(&["hw"]);
    command.args(arguments).envs(environment.iter().cloned());
    run(&mut command, b"", MEASURED)
}

#[test]
fn hw_prints_a_table_that_says_of_each_thing_whether_it_is_used() {
    let outcome = hw(&["--no-rates"], &[]);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    let table = outcome.stdout;
    for topic in [
        "Processor",
        "Cryptography",
        "io_uring",
        "CPUs",
        "Memory",
        "Network",
    ] {
        assert!(table.lines().any(|line| line == topic), "{topic}:\n{table}");
    }
    assert!(
        !table.contains('\u{1b}') && !table.contains("Rates"),
        "{table}"
    );
    let line = |what: &str| {
        let line = table
            .lines()
            .find(|line| line.trim_start().starts_with(what));
        line.unwrap_or_else(|| panic!("no {what}:\n{table}"))
    };
    for (what, word) in [
        ("ML-KEM ", "X25519MLKEM768"),
        ("ML-KEM ", " used "),
        ("FIPS ", " not used "),
        ("COOP_TASKRUN, SINGLE_ISSUER ", " used "),
        ("DEFER_TASKRUN ", " not used "),
        ("this process may use ", " used "),
        ("listen.steering ", " not used "),
    ] {
        assert!(line(what).contains(word), "{what} {word}:\n{table}");
    }
    // The reasons of one topic begin in one column.
    let begins = ["COOP_TASKRUN", "DEFER_TASKRUN"].map(|what| {
        let at = line(what).find(" not used ").or(line(what).find(" used "));
        at.expect("said above")
    });
    assert_eq!(begins[0], begins[1], "{table}");
}

#[test]
fn hw_says_the_same_to_programs_with_rates_that_are_plausible() {
    let outcome = hw(&["--json"], &[]);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    let said: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let numbers = |value: &Value| -> Vec<u64> {
        let list = value.as_array().expect("a list").iter();
        list.map(|number| number.as_u64().expect("a number"))
            .collect()
    };
    let allowed: Vec<u64> = cpus().into_iter().map(|cpu| cpu as u64).collect();
    assert_eq!(numbers(&said["shards"]), allowed);
    assert_eq!(numbers(&said["machine"]["cpus"]["allowed"]), allowed);
    let info = std::fs::read_to_string("/proc/cpuinfo").expect("Linux");
    let has = |flag: &str| info.split_whitespace().any(|word| word == flag);
    for (name, flag) in [
        ("vaes", "vaes"),
        ("avx512_ifma", "avx512ifma"),
        ("avx2", "avx2"),
    ] {
        assert_eq!(
            said["machine"]["processor"]["features"][name],
            has(flag),
            "{name}"
        );
    }
    assert_eq!(said["io_uring"]["refused"], Value::Null);
    assert_eq!(said["io_uring"]["shards_flags"], true);
    assert_eq!(said["crypto"]["fips"], false);
    assert_eq!(said["crypto"]["groups"][0], "X25519MLKEM768");
    assert!(said["ktls"]["available"].is_boolean() && said["steering"] == false);
    assert!(
        said["rows"].as_array().expect("a list").len() > 30,
        "{said:#}"
    );

    let rates = said["rates"].as_array().expect("a list");
    let rate = |what: &str| {
        let rate = rates.iter().find(|rate| rate["what"] == what);
        let rate = rate.unwrap_or_else(|| panic!("no {what}: {rates:#?}"));
        rate["per_s"].as_f64().expect("a number")
    };
    let names: BTreeSet<&str> = rates
        .iter()
        .filter_map(|rate| rate["what"].as_str())
        .collect();
    assert_eq!(names.len(), 11, "{names:?}");
    for rate in rates {
        let (per_s, ns) = (rate["per_s"].as_f64(), rate["ns_each"].as_f64());
        let (per_s, ns) = (per_s.expect("a number"), ns.expect("a number"));
        assert!((20.0..1e9).contains(&per_s), "{rate}");
        assert!(
            (per_s * ns / 1e9 - 1.0).abs() < 1e-6,
            "of one thread: {rate}"
        );
    }
    assert!(rate("RSA-2048 PSS verify") > rate("RSA-2048 PSS sign"));
    assert!(rate("AES-128-GCM seal 512 B") > rate("AES-128-GCM seal 16 KiB"));
}

#[test]
fn hw_measures_the_token_of_a_configuration_with_one_thread_and_with_all_sessions() {
    let origin = Origin::start();
    let (stage, _token) = Stage::with_token(origin.address, Key::P256);
    let mut config = stage.config.clone();
    config.set_text("listen.address", "127.0.0.1:1");
    let file = write(stage.scratch.path(), &config);
    let path = file.to_str().expect("UTF-8");
    let outcome = hw(&["--json", "--config", path], &stage.environment);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    let said: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(said["token_fault"], Value::Null);
    let rates = said["rates"].as_array().expect("a list").iter();
    let token = rates.filter(|rate| rate["what"] == "token: EcdsaP256Sha256");
    let token: Vec<(u64, f64)> = token
        .map(|rate| {
            (
                rate["threads"].as_u64().unwrap(),
                rate["per_s"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        (token[0].0, token[1].0, token.len()),
        (1, 2, 2),
        "{token:?}"
    );
    assert!(token.iter().all(|(_, per_s)| *per_s > 10.0), "{token:?}");

    // A token that is not there is said, and the rest is measured.
    let nowhere = [("SOFTHSM2_CONF".to_owned(), "/nowhere".to_owned())];
    let outcome = hw(&["--config", path], &nowhere);
    assert!(outcome.status.success(), "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains("not measured"),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stdout.contains("SHA-256 1 KiB"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn hw_with_a_configuration_that_is_wrong_says_so_and_ends_with_1() {
    let outcome = hw(&["--no-rates", "--config", "/nowhere/t8gate.toml"], &[]);
    assert_eq!(outcome.status.code(), Some(1));
    assert!(outcome.stdout.is_empty() && outcome.stderr.contains("cannot be read"));
}
