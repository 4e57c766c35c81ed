//! The report for people.

use std::fmt::Write as _;

use serde_json::Value;

use crate::marks::Mark;
use crate::report::{Report, Row};

/// What all runs have in common.
const SETTINGS: &str = "the proxy with all its threads on CPU 0, t8load and the origin on CPU 1; \
    one worker or thread; loopback; TLS 1.3, AES-128-GCM, X25519; client certificates (P-256) \
    required and verified, 25 of one client in turn; 690-character ES256 tokens; origin: nginx \
    with 306 B of JSON; 32 connections, kept towards the origin; no access logs. Everything is on \
    in t8gate. CPU us is the proxy's time by the scheduler's account / operations";

/// `report.md`.
pub fn render(report: &Report, charts: &[String]) -> String {
    let mut page = String::from("# t8gate and its rivals, side by side\n\n");
    about(&mut page, report);
    marks(&mut page, &report.marks);
    tokens(&mut page, &report.tokens);
    page.push_str("\n## Rows\n\n");
    page.push_str(
        "Medians over the runs that count; times in us. A run is void when CPU 1, where generator \
         and origin are, was over 85 % busy and the proxy under 95 %: then the generator may be \
         what was measured. Figures in brackets are of void runs, where no other was there. A \
         `-paced` scenario is an open loop at one rate for all its peers, run where the closed \
         loop was void. Rates are 70 % of the lower peak of t8gate and its rival, and lower where \
         trials (round 0 in the raw runs) showed CPU 1 too busy at that.\n",
    );
    for scenario in report.scenarios() {
        let rows: Vec<&Row> = report
            .rows
            .iter()
            .filter(|row| row.scenario == scenario)
            .collect();
        table(&mut page, &scenario, &rows);
    }
    if !charts.is_empty() {
        page.push_str("\n## Plots\n\n");
        for chart in charts {
            let _ = writeln!(page, "![{chart}]({chart})");
        }
    }
    configuration(&mut page, report);
    page
}

/// What a token costs, each beside what it cannot be less than.
fn tokens(page: &mut String, tokens: &Value) {
    let ns = |name: &str| {
        let of = &tokens[name];
        let [low, high] = [0, 1].map(|at| of["quartiles"][at].as_f64().unwrap_or(f64::NAN));
        format!("{} ({low}-{high})", of["median"])
    };
    let _ = writeln!(
        page,
        "\n## Tokens\n\nOne thread on CPU 0, nothing else; ns, medians (quartiles).\n\n\
         | what | ns | beside |\n| --- | ---: | --- |\n\
         | a connection's last token | {} | |\n\
         | one of {} in a CPU's cache | {} | {} x two dependent reads of random lines, {} ns |\n\
         | one that nobody has seen, ES256 | {} | {} x its bare verification, {} ns |\n\n\
         A token of {} octets takes {} octets of memory, {} MiB of it in pages of 2 MiB.",
        ns("memo_ns"),
        tokens["live_tokens"],
        ns("cache_hit_ns"),
        tokens["cache_hit_in_two_line_reads"],
        ns("two_line_read_ns"),
        ns("cold_es256_ns"),
        tokens["cold_in_bare_verifications"],
        ns("bare_es256_ns"),
        tokens["token_bytes"],
        tokens["resident_bytes_per_token"],
        tokens["huge_page_bytes"].as_u64().unwrap_or_default() >> 20,
    );
}

fn about(page: &mut String, report: &Report) {
    let facts = |page: &mut String, value: &Value| {
        for (name, value) in value.as_object().into_iter().flatten() {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            if !value.is_object() && !value.is_null() {
                let _ = writeln!(page, "- {name}: {text}");
            }
        }
    };
    facts(page, &report.machine);
    facts(page, &report.versions);
    facts(page, &report.extent);
    let _ = writeln!(page, "- settings: {SETTINGS}");
    let audit = report.audit;
    let _ = writeln!(
        page,
        "- audit: {} records of {} requests that the gateway counted in {} runs: {}; {} lost",
        audit.records,
        audit.requests,
        audit.runs,
        if audit.equal {
            "equal in every run"
        } else {
            "NOT EQUAL"
        },
        audit.lost,
    );
    let voids = report.raw.iter().filter(|run| !run.is_valid()).count();
    let _ = writeln!(
        page,
        "- runs: {}, of which {voids} void\n",
        report.raw.len()
    );
    let failures = report.failures();
    if !failures.is_empty() {
        page.push_str("**Something went wrong:**\n\n");
        for failure in failures {
            let _ = writeln!(page, "- {}", failure.replace('\n', " "));
        }
        page.push('\n');
    }
}

fn marks(page: &mut String, marks: &[Mark]) {
    if marks.is_empty() {
        return;
    }
    page.push_str(
        "## Marks\n\nMedian of the ratios t8gate / rival of all rounds, and their range. CPU, \
         latency and memory: less is better; handshakes are per CPU-second: more is.\n\n\
         | mark | scenario | must | aim | measured | range | rounds | |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for mark in marks {
        let verdict = mark.verdict();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} to {} | {} | {verdict} |",
            mark.mark,
            mark.scenario,
            mark.must,
            mark.aim,
            number(mark.measured, 3),
            number(mark.min, 3),
            number(mark.max, 3),
            mark.rounds,
        );
    }
}

fn table(page: &mut String, scenario: &str, rows: &[&Row]) {
    let rate = rows.iter().find_map(|row| row.rate);
    let rate = rate.map_or_else(String::new, |rate| format!(", open loop at {rate:.0}/s"));
    let _ = writeln!(page, "\n### {scenario}{rate}\n");
    page.push_str(
        "| peer | checks | CPU us | ops/s | per CPU-s | p50 | p99 | p99.9 | proxy | CPU 1 | runs \
         (void) | spread |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let cpu = row.cpu_us_per_op;
        let bracketed = row.cpu_us_per_op_of_void.map(|cpu| format!("({cpu:.2})"));
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} ({}) | {} |",
            row.peer,
            row.auth,
            bracketed.unwrap_or_else(|| number(cpu, 2)),
            number(row.ops_per_s, 0),
            number(cpu.map(|cpu| 1e6 / cpu), 0),
            number(row.p50_us, 0),
            number(row.p99_us, 0),
            number(row.p99_9_us, 0),
            percent(row.proxy_busy),
            percent(row.cpu1_busy),
            row.runs,
            row.void,
            percent(row.spread),
        );
    }
    extras(page, rows);
}

/// What only some rows have.
fn extras(page: &mut String, rows: &[&Row]) {
    for row in rows {
        let mut words = Vec::new();
        if let Some(kb) = row.kb_per_connection {
            words.push(format!("{kb:.1} kB for each connection"));
        }
        if let Some(count) = row.instructions_per_op {
            words.push(format!("{count:.0} instructions per request"));
        }
        if let Some(handshakes) = row.beside_ops_per_s {
            words.push(format!("{handshakes:.0} handshakes/s beside"));
        }
        if row.requests_by_shard.len() > 1 {
            words.push(format!(
                "by shard {:?} connections, {:?} requests",
                row.connections_by_shard, row.requests_by_shard
            ));
        }
        if !words.is_empty() {
            let _ = writeln!(page, "\n{}: {}", row.peer, words.join("; "));
        }
    }
}

fn configuration(page: &mut String, report: &Report) {
    page.push_str("\n## Configuration\n");
    for (peer, text) in &report.configuration {
        let _ = writeln!(page, "\n<details><summary>{peer}</summary>\n");
        let _ = writeln!(page, "```\n{}\n```\n\n</details>", text.trim_end());
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 1e2))
}
