use super::*;

/// A report as a run might give it.
pub fn report() -> Report {
    Report {
        tool: "t8load",
        version: "0",
        target: "https://127.0.0.1:8443".to_owned(),
        mode: Mode::KeepAlive.name(),
        kind: "open",
        rate: None,
        connections: 32,
        scenario: "GET".to_owned(),
        duration_s: 1.0,
        operations: 1000,
        ops_per_s: 1000.0,
        errors: BTreeMap::from([("tls", 1), ("http", 0)]),
        last_error: None,
        statuses: BTreeMap::from([("200".to_owned(), 997), ("503".to_owned(), 3)]),
        latency_us: Latency {
            mean: 900.0,
            p50: 800.0,
            p90: 1000.0,
            p99: 5000.0,
            p99_9: 6000.0,
            p99_99: 7000.0,
            max: 7000.0,
        },
        send_late_us: Some(Late { p99: 2.0, max: 9.0 }),
        handshakes: handshakes([1, 0]),
        whole_run: WholeRun {
            operations: 1200,
            errors: 1,
            handshakes: handshakes([33, 0]),
        },
        cpu: vec![Cpu {
            name: "gateway".to_owned(),
            busy: Some(0.8),
            us_per_op: Some(12.5),
            rss_kb_before: None,
            rss_kb_after: None,
        }],
        throughput: vec![
            Throughput { t_s: 0.5, ops: 400 },
            Throughput { t_s: 1.0, ops: 600 },
        ],
    }
}

#[test]
fn json_has_the_names_that_the_bench_reads() {
    let json = serde_json::to_value(report()).expect("JSON");
    for pointer in [
        "/tool",
        "/version",
        "/target",
        "/mode",
        "/loop",
        "/rate",
        "/connections",
        "/scenario",
        "/duration_s",
        "/operations",
        "/ops_per_s",
        "/errors/tls",
        "/statuses/200",
        "/latency_us/p99_99",
        "/send_late_us/max",
        "/handshakes/resumed",
        "/cpu/0/us_per_op",
        "/throughput/1/t_s",
    ] {
        assert!(json.pointer(pointer).is_some(), "{pointer}");
    }
    assert!(
        json.pointer("/cpu/0/rss_kb_after").is_none(),
        "in idle mode only"
    );
}

#[test]
fn the_text_says_how_busy_everybody_was() {
    let text = report().text();
    for part in [
        "1000/s", "p99 5000", "503: 3", "tls: 1", "gateway", "80.0 %", "12.50 us",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn what_a_process_cost_is_not_known_when_it_was_gone() {
    let gone = crate::run::Cost {
        name: "gateway".to_owned(),
        cpu_ns: None,
        resident_kb: Some((Some(1000), None)),
    };
    let measured = Measured {
        window_ns: 1_000_000_000,
        costs: vec![gone],
        held: 0,
    };
    let mut unknown = report();
    unknown.cpu = costs(&measured, 10);
    let json = serde_json::to_value(&unknown).expect("JSON");
    let cpu = json["cpu"][0].as_object().expect("an object");
    assert!(cpu["busy"].is_null() && cpu["us_per_op"].is_null());
    assert!(!cpu.contains_key("rss_kb_after"));
    assert!(unknown.text().contains("not known"), "{}", unknown.text());
    for bound in ["busy.gateway>9", "us_per_op.gateway>9", "rss_kb.gateway>9"] {
        let bound: crate::bound::Bound = bound.parse().expect("a bound");
        assert!(bound.fault(&unknown).is_some());
    }
}

#[test]
fn a_run_without_any_operation_is_empty() {
    let mut empty = report();
    assert_eq!(empty.emptiness(), None);
    empty.operations = 0;
    empty.last_error = Some("connect: refused".to_owned());
    let said = "not a single operation of the window succeeded; last error: connect: refused";
    assert_eq!(empty.emptiness().as_deref(), Some(said));
    empty.mode = Mode::Idle.name();
    let said = empty.emptiness().expect("nothing was held");
    assert!(said.starts_with("not a single connection was held"));
}
