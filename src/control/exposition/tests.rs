use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::authz::apis::Verb;
use crate::authz::policy::Operations;
use crate::authz::quota::{Allowance, Leases, Now, Period, Quota, Quotas, Scope};
use crate::clock::{Nanos, UnixSeconds};
use crate::peer::ClientIndex;
use crate::revoked::Revoked;
use crate::revoked::desk::Desk;

fn shard(index: usize, counters: &Counters) -> ShardSample<'_> {
    ShardSample {
        index,
        up: true,
        counters,
        latencies: Some(Latencies::default()),
    }
}

/// A client's that has asked twice where it was allowed to once.
fn over_allowance() -> Arc<Refusals> {
    let allowance = Allowance {
        scope: Scope {
            operations: Operations {
                read: true,
                ..Operations::default()
            },
            ..Scope::default()
        },
        rate: None,
        quota: Some(Quota {
            units: 1,
            per: Period::Day,
        }),
    };
    let clients = [("scs-1", &[allowance][..])];
    let quotas = Arc::new(Quotas::new(clients.into_iter(), 1, None));
    let mut leases = Leases::of(&quotas);
    let asked = (ApiId::all().next().unwrap(), Verb::Get, "");
    let (steady, wall) = (Nanos(0), UnixSeconds(0));
    let mut ask = || leases.charge(ClientIndex(0), asked, &[], Now { steady, wall });
    assert!(ask().is_ok() && ask().is_err());
    Arc::clone(quotas.refused())
}

fn page(shards: &[ShardSample<'_>], clients: &[String]) -> String {
    render(&Sample {
        shards,
        clients,
        process: Process::default(),
        signer_queued: Some(3),
        signer_ok: true,
        audit: Some(AuditSample {
            writable: false,
            written: 5,
            dropped: 6,
        }),
        certificate_not_after: 1_795_000_000,
        anchors_not_after: 1_798_000_000,
        own_certificates_not_after: 1_798_000_001,
        reloads: &Reloads::default(),
        crls: CrlSample {
            entries: 12,
            next_update: Some(1_796_000_000),
            taken: 1,
            refused: 2,
            fetches_failed: 3,
        },
        ocsp: OcspSample {
            stapled: 1,
            not_stapled: 2,
            next_update: Some(1_797_000_000),
            statuses: 4,
            clients: [("good", 5), ("revoked", 6), ("a", 0), ("b", 0), ("c", 0)],
            own: [("good", 7), ("a", 0), ("b", 0), ("c", 0), ("d", 0)],
        },
        revoked: RevokedSample {
            revoked: &Revoked::default(),
            desk: &Desk::without_store(),
        },
        over_allowance: &over_allowance(),
        issuers_keys: &[KeysSample {
            issuer: "https://as.example".to_owned(),
            keys: 2,
            had_at: 1_800_000_000,
            had: 3,
            refused: 1,
            failed: 4,
        }],
        introspection: IntrospectionSample {
            questions: [
                ("taken", 8),
                ("failed", 9),
                ("over_budget", 0),
                ("a", 0),
                ("b", 0),
                ("c", 0),
                ("d", 0),
                ("e", 0),
            ],
            breaker_open: true,
            waiting: 10,
            inactive: 11,
        },
        draining: false,
        version: "1.2.3",
    })
}

fn names() -> Vec<String> {
    vec!["scs-1".to_owned(), "a\"b\\c\nd".to_owned()]
}

#[track_caller]
fn has(page: &str, line: &str) {
    assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
}

#[test]
fn counts_stand_with_their_shard_reason_and_client() {
    let (zero, one) = (Counters::new(2), Counters::new(2));
    zero.connections_accepted.add(7);
    zero.connections_closed.add(3);
    one.requests.add(40);
    one.refused(13).add(2);
    one.refused_connections(4).bump();
    one.tokens_verified.add(9);
    one.tokens_refused_again.add(6);
    one.tokens_held.set(11);
    zero.tokens_evicted.add(12);
    one.handshakes_resumed.add(8);
    zero.client(0).unwrap().outcome(Outcome::Cut).add(4);
    one.client(0).unwrap().outcome(Outcome::Cut).add(5);
    one.client(1).unwrap().connections.bump();
    let page = page(&[shard(0, &zero), shard(1, &one)], &names());
    for line in [
        "t8gate_build_info{version=\"1.2.3\"} 1",
        "t8gate_ocsp_staples{state=\"stapled\"} 1",
        "t8gate_ocsp_staples{state=\"missing\"} 2",
        "t8gate_ocsp_staple_next_update_timestamp_seconds 1797000000",
        "t8gate_ocsp_statuses 4",
        "t8gate_ocsp_questions_total{about=\"client\",outcome=\"revoked\"} 6",
        "t8gate_ocsp_questions_total{about=\"own\",outcome=\"good\"} 7",
        "t8gate_connections_accepted_total{shard=\"0\"} 7",
        "t8gate_connections_open{shard=\"0\"} 4",
        "t8gate_requests_total{shard=\"1\"} 40",
        "t8gate_requests_refused_total{shard=\"1\",reason=\"token_missing\"} 2",
        "t8gate_connections_refused_total{shard=\"1\",reason=\"unknown_ca\"} 1",
        "t8gate_token_verdicts_total{shard=\"1\",verdict=\"verified\"} 9",
        "t8gate_token_verdicts_total{shard=\"1\",verdict=\"refused_again\"} 6",
        "t8gate_token_cache_tokens{shard=\"1\"} 11",
        "t8gate_token_cache_evictions_total{shard=\"0\"} 12",
        "t8gate_handshakes_total{shard=\"1\",kind=\"resumed\"} 8",
        "t8gate_issuer_keys{issuer=\"https://as.example\"} 2",
        "t8gate_issuer_keys_had_timestamp_seconds{issuer=\"https://as.example\"} 1800000000",
        "t8gate_issuer_keys_looked_at_total{issuer=\"https://as.example\",outcome=\"failed\"} 4",
        "t8gate_introspection_questions_total{outcome=\"taken\"} 8",
        "t8gate_introspection_questions_total{outcome=\"failed\"} 9",
        "t8gate_introspection_breaker_open 1",
        "t8gate_introspection_waiting 10",
        "t8gate_introspection_inactive_remembered 11",
        "t8gate_crl_entries 12",
        "t8gate_crl_next_update_timestamp_seconds 1796000000",
        "t8gate_crls_total{outcome=\"refused\"} 2",
        "t8gate_client_requests_total{client=\"scs-1\",outcome=\"cut\"} 9",
        "t8gate_client_connections_total{client=\"a\\\"b\\\\c\\nd\"} 1",
        "t8gate_client_over_allowance_total{client=\"scs-1\",api=\"any\",bound=\"quota\"} 1",
        "t8gate_client_over_allowance_total{client=\"scs-1\",api=\"any\",bound=\"rate\"} 0",
        "t8gate_signer_queue_length 3",
        "t8gate_audit_writable 0",
        "t8gate_audit_records_written_total 5",
        "t8gate_audit_records_dropped_total 6",
        "t8gate_server_certificate_expiry_timestamp_seconds 1795000000",
        "t8gate_trust_anchor_expiry_timestamp_seconds 1798000000",
        "t8gate_registered_certificate_expiry_timestamp_seconds 1798000001",
    ] {
        has(&page, line);
    }
}

#[test]
fn every_row_of_the_table_is_there_from_the_start() {
    let counters = Counters::new(0);
    let page = page(&[shard(0, &counters)], &[]);
    for row in &ROWS {
        let labels = format!("{{shard=\"0\",reason=\"{}\"}} 0", row.word);
        has(&page, &format!("t8gate_requests_refused_total{labels}"));
    }
    for row in &CONNECTION_ROWS {
        let labels = format!("{{shard=\"0\",reason=\"{}\"}} 0", row.word);
        has(&page, &format!("t8gate_connections_refused_total{labels}"));
    }
}

#[test]
fn times_are_cumulative_in_buckets_with_sum_and_count() {
    let counters = Counters::new(0);
    let mut sample = shard(4, &counters);
    let mut latencies = Latencies::default();
    for ns in [900, 1_000, 70_000, 70_000, 2_000_000, 200_000_000_000] {
        latencies.record(Phase::Whole, ns);
    }
    sample.latencies = Some(latencies);
    let page = page(&[sample], &[]);
    let line = |name: &str, le: &str| {
        format!("t8gate_phase_duration_seconds{name}{{shard=\"4\",phase=\"whole\"{le}}}")
    };
    for (le, count) in [
        ("1e-06", 2),
        ("5e-05", 2),
        ("0.0001", 4),
        ("0.001", 4),
        ("0.0025", 5),
        ("60", 5),
        ("+Inf", 6),
    ] {
        let le = format!(",le=\"{le}\"");
        has(&page, &format!("{} {count}", line("_bucket", &le)));
    }
    has(&page, &format!("{} 6", line("_count", "")));
    let start = line("_sum", "") + " ";
    let sum = page
        .lines()
        .find_map(|l| l.strip_prefix(start.as_str()))
        .unwrap();
    let sum: f64 = sum.parse().unwrap();
    assert!((sum / 200.002_142 - 1.0).abs() < 0.01, "{sum}");
}

#[test]
fn shard_that_does_not_answer_is_down_and_has_no_times() {
    let counters = Counters::new(0);
    let mut silent = shard(1, &counters);
    (silent.up, silent.latencies) = (false, None);
    let page = page(&[shard(0, &counters), silent], &[]);
    has(&page, "t8gate_up{shard=\"0\"} 1");
    has(&page, "t8gate_up{shard=\"1\"} 0");
    has(&page, "t8gate_requests_total{shard=\"1\"} 0");
    assert!(!page.contains("t8gate_phase_duration_seconds_count{shard=\"1\""));
}

/// By hand, with Prometheus at hand: the page this prints passes `promtool check metrics`.
#[test]
fn every_family_has_its_help_and_type_once_and_counters_end_in_total() {
    let counters = Counters::new(2);
    let page = page(&[shard(0, &counters)], &names());
    println!("{page}");
    let mut seen = BTreeSet::new();
    let mut family = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(seen.insert(name.to_owned()), "{name} twice");
            assert!(help.ends_with('.'), "{help}");
            family = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        } else {
            assert!(line.starts_with(&family), "{line} stands under {family}");
            let value = line.rsplit(' ').next().unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(seen.len() > 30);
}
