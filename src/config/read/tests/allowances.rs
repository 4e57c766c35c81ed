//! How often clients may ask, and where they may come from.

use super::*;
use crate::authz::apis::{ApiId, Verb};
use crate::authz::quota::{Allowance, Period, Quota, Rate};
use crate::limits::{ALLOWANCES_MAX, SOURCE_ADDRESSES_MAX};

/// The small configuration with this behind its client.
fn with_client(keys: &str) -> String {
    let client = "scs_as_ids = [\"one\"]\n";
    with(client, &format!("{client}{keys}"))
}

/// The line that the keys begin in.
fn first_line() -> usize {
    let line = |line: &str| line.starts_with("scs_as_ids");
    2 + SMALL.lines().position(line).unwrap()
}

fn allowances(keys: &str) -> Vec<Allowance> {
    let config = good(&with_client(keys));
    config.allowances.get("scs-1").cloned().unwrap_or_default()
}

fn wrong(keys: &str, line: usize, key: &str, what: &str) {
    refused(&with_client(keys), first_line() + line, key, what);
}

#[test]
fn client_may_ask_as_often_as_it_likes_where_nothing_is_said() {
    let config = good(SMALL);
    assert!(config.allowances.is_empty());
    assert!(config.clients[0].source_addresses.is_empty());
}

#[test]
fn everything_that_is_said_of_an_allowance_is_taken() {
    let found = allowances(
        "[[client.allowance]]\n\
         api = \"3gpp-monitoring-event\"\n\
         operations = [\"read\", \"DELETE /{scsAsId}/subscriptions/{id}\"]\n\
         monitoring_types = [\"UE_REACHABILITY\", \"LOCATION_REPORTING\"]\n\
         rate = \"90/min\"\n\
         burst = 7\n\
         quota = \"100000/day\"\n\
         [[client.allowance]]\n\
         operations = [\"write\"]\n\
         rate = \"250/s\"\n\
         [[client.allowance]]\n\
         quota = \"5/h\"\n",
    );
    let [first, second, third] = &found[..] else {
        panic!("three of them")
    };
    assert_eq!(first.scope.api, ApiId::from_name("3gpp-monitoring-event"));
    assert!(first.scope.operations.read && !first.scope.operations.write);
    assert_eq!(first.scope.operations.single[0].0, Verb::Delete);
    let types: Vec<&str> = first.scope.monitoring_types.iter().map(|t| &**t).collect();
    assert_eq!(types, ["LOCATION_REPORTING", "UE_REACHABILITY"]);
    let (units, per, burst) = (90, Period::Minute, 7);
    assert_eq!(first.rate, Some(Rate { units, per, burst }));
    let (units, per) = (100_000, Period::Day);
    assert_eq!(first.quota, Some(Quota { units, per }));
    assert_eq!(second.scope.api, None);
    assert!(!second.scope.operations.read && second.scope.operations.write);
    let (units, per, burst) = (250, Period::Second, 250);
    assert_eq!(second.rate, Some(Rate { units, per, burst }));
    assert!(third.scope.operations.read && third.scope.operations.write);
    assert_eq!(
        (third.rate, third.quota.map(|quota| quota.per)),
        (None, Some(Period::Hour))
    );
}

#[test]
fn burst_is_what_a_second_gives_and_enough_for_one_request_where_not_said() {
    let burst = |keys: &str| allowances(keys)[0].rate.unwrap().burst;
    assert_eq!(burst("[[client.allowance]]\nrate = \"30/min\"\n"), 1);
    assert_eq!(burst("[[client.allowance]]\nrate = \"61/min\"\n"), 2);
    let types = "[[client.allowance]]\napi = \"3gpp-monitoring-event\"\nrate = \"1/s\"\n\
                 monitoring_types = [\"A\", \"B\", \"C\"]\n";
    assert_eq!(burst(types), 3);
}

#[test]
fn each_fault_of_an_allowance_is_said_in_its_line() {
    let of = |keys: &str, line: usize, key: &str, what: &str| {
        let keys = format!("[[client.allowance]]\n{keys}\n");
        wrong(&keys, line, &format!("client.allowance[1].{key}"), what);
    };
    of("", 0, "rate", "is missing");
    of(
        "burst = 7\nquota = \"1/day\"",
        1,
        "burst",
        "goes with rate only",
    );
    for (rate, what) in [
        ("100", "does not say in what time"),
        ("100/day", "is in a time that is not counted"),
        ("100/S", "is in a time that is not counted"),
        ("0/s", "is out of range"),
        ("1000001/s", "is out of range"),
        ("99999999999999999999/s", "is out of range"),
        ("+1/s", "is out of range"),
        ("/s", "is out of range"),
        (" 1/s", "is out of range"),
    ] {
        of(&format!("rate = {rate:?}"), 1, "rate", what);
    }
    of(
        "quota = \"1/s\"",
        1,
        "quota",
        "is in a time that is not counted",
    );
    of("quota = \"1000000001/day\"", 1, "quota", "is out of range");
    of("quota = 5", 1, "quota", "must be a text");
    of("rate = \"1/s\"\nburst = 0", 2, "burst", "is out of range");
    of(
        "rate = \"1/s\"\napi = \"3gpp-nid\"",
        2,
        "api",
        "names no API",
    );
    of(
        "rate = \"1/s\"\noperations = []",
        2,
        "operations",
        "is empty",
    );
    let single = "rate = \"1/s\"\noperations = [\"POST /{scsAsId}/subscriptions\"]";
    of(single, 2, "operations", "is no operation of every API");
    let types = "rate = \"1/s\"\nmonitoring_types = [\"A\"]";
    of(types, 2, "monitoring_types", "none is named");
    let types = "rate = \"1/s\"\napi = \"3gpp-nidd\"\nmonitoring_types = [\"A\"]";
    of(types, 3, "monitoring_types", "does not have");
    let event = "api = \"3gpp-monitoring-event\"\nmonitoring_types = [\"A\", \"B\"]";
    of(
        &format!("{event}\nrate = \"1/s\"\nburst = 1"),
        4,
        "burst",
        "2 event types",
    );
    of(
        &format!("{event}\nquota = \"1/day\""),
        3,
        "quota",
        "2 event types",
    );
}

#[test]
fn two_allowances_for_the_same_are_refused() {
    let api = "[[client.allowance]]\napi = \"3gpp-nidd\"\n";
    let keys = format!("{api}rate = \"1/s\"\n{api}quota = \"1/day\"\n");
    let first = format!("stands already in line {}", first_line());
    wrong(&keys, 3, "client[1].allowance", &first);
    let other = format!("{api}rate = \"1/s\"\n{api}operations = [\"read\"]\nquota = \"1/day\"\n");
    assert_eq!(allowances(&other).len(), 2);
}

#[test]
fn more_allowances_than_one_request_should_be_held_to_are_refused() {
    let keys: Vec<String> = (0..=ALLOWANCES_MAX)
        .map(|at| {
            format!(
                "[[client.allowance]]\napi = \"3gpp-monitoring-event\"\n\
                 monitoring_types = [\"T{at}\"]\nrate = \"1/s\"\n"
            )
        })
        .collect();
    assert_eq!(allowances(&keys[1..].concat()).len(), ALLOWANCES_MAX);
    wrong(
        &keys.concat(),
        0,
        "client[1].allowance",
        "there are 65 allowances",
    );
}

#[test]
fn addresses_and_prefixes_that_a_client_comes_from_are_taken() {
    let keys = "source_addresses = [\"192.0.2.0/24\", \"198.51.100.7\", \"2001:db8::/32\"]\n";
    let config = good(&with_client(keys));
    let from = |text: &str| config.clients[0].comes_from(text.parse().unwrap());
    assert!(from("192.0.2.255") && from("198.51.100.7") && from("2001:db8:ffff::1"));
    assert!(!from("198.51.100.8") && !from("2001:db9::"));
}

#[test]
fn each_fault_of_an_address_is_said() {
    for (written, what) in [
        ("[]", "is empty"),
        ("[\"scs.example\"]", "is no address and no prefix"),
        ("[\"192.0.2.0/33\"]", "is no address and no prefix"),
        ("[\"192.0.2.1/24\"]", "has bits behind its length"),
        ("[\"2001:db8::1/32\"]", "has bits behind its length"),
        ("[\"::ffff:192.0.2.1\"]", "stands for addresses of IPv4"),
        (
            "[\"192.0.2.1\", \"192.0.2.1/32\"]",
            "stands already in line",
        ),
    ] {
        let keys = format!("source_addresses = {written}\n");
        wrong(&keys, 0, "client[1].source_addresses", what);
    }
    let many: Vec<String> = (0..=SOURCE_ADDRESSES_MAX)
        .map(|at| format!("\"10.0.{}.{}\"", at / 256, at % 256))
        .collect();
    let keys = format!("source_addresses = [{}]\n", many.join(", "));
    wrong(&keys, 0, "client[1].source_addresses", "has 1025 entries");
}
