//! What a bench comes to: `report.json`, `report.md` and the plots.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use crate::fault::{Fault, about};
use crate::marks::{Mark, judge};
use crate::run::Run;
use crate::statistics::{median, of, spread};
use crate::{chart, markdown};

/// All of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Kernel, processor, and what `t8gate hw` says where it is there.
    pub machine: Value,
    pub versions: Value,
    /// What remembering and verifying a token costs, alone.
    pub tokens: Value,
    /// Rounds and seconds.
    pub extent: Value,
    /// As the programs read them, by peer.
    pub configuration: BTreeMap<String, String>,
    pub rows: Vec<Row>,
    pub marks: Vec<Mark>,
    pub audit: Audit,
    /// Every run, none dropped.
    pub raw: Vec<Run>,
}

/// A peer in a scenario: medians over the runs that count. Times in us.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    pub peer: String,
    pub auth: String,
    pub scenario: String,
    pub rate: Option<f64>,
    pub cpu_us_per_op: Option<f64>,
    pub ops_per_s: Option<f64>,
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
    pub p99_9_us: Option<f64>,
    pub kb_per_connection: Option<f64>,
    pub instructions_per_op: Option<f64>,
    pub beside_ops_per_s: Option<f64>,
    pub proxy_busy: Option<f64>,
    pub cpu1_busy: Option<f64>,
    /// By shard, over all runs.
    pub requests_by_shard: Vec<u64>,
    /// By shard, over all runs.
    pub connections_by_shard: Vec<u64>,
    /// That count.
    pub runs: usize,
    /// That do not.
    pub void: usize,
    /// (max - min) / median of `cpu_us_per_op`.
    pub spread: Option<f64>,
    /// Where no run counts: the median of those that do not.
    pub cpu_us_per_op_of_void: Option<f64>,
}

/// Requests counted by the gateway and records it wrote, over all its runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    pub records: u64,
    pub requests: u64,
    pub lost: u64,
    pub runs: usize,
    /// In every single run.
    pub equal: bool,
}

impl Report {
    /// From all runs.
    pub fn new(
        (machine, versions, tokens): (Value, Value, Value),
        extent: Value,
        configuration: BTreeMap<String, String>,
        raw: Vec<Run>,
        rounds: usize,
    ) -> Self {
        Self {
            machine,
            versions,
            tokens,
            extent,
            configuration,
            rows: rows(&raw),
            marks: judge(&raw, rounds),
            audit: audit(&raw),
            raw,
        }
    }

    /// Writes it below `out`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, out: &Path) -> Result<(), Fault> {
        let write = |name: &str, text: String| {
            let path = out.join(name);
            about(path.display(), std::fs::write(&path, text))
        };
        let value = json!(self);
        write("report.json", format!("{value:#}\n"))?;
        let mut charts = Vec::new();
        for scenario in self.scenarios() {
            let Some(svg) = chart::bars(&scenario, &self.rows) else {
                continue;
            };
            let name = format!("cost-{scenario}.svg");
            write(&name, svg)?;
            charts.push(name);
        }
        let latencies = std::fs::read_dir(out).into_iter().flatten().flatten();
        let latencies = latencies.filter_map(|entry| entry.file_name().into_string().ok());
        let mut latencies: Vec<String> = latencies
            .filter(|name| name.starts_with("latency-"))
            .collect();
        latencies.sort();
        charts.extend(latencies);
        write("report.md", markdown::render(self, &charts))
    }

    /// In the order in which they were run.
    pub fn scenarios(&self) -> Vec<String> {
        let mut scenarios: Vec<String> = Vec::new();
        for row in &self.rows {
            if !scenarios.contains(&row.scenario) {
                scenarios.push(row.scenario.clone());
            }
        }
        scenarios
    }

    /// Why the bench as a whole failed: faults, refusals, requests without a record.
    pub fn failures(&self) -> Vec<String> {
        let is_fault = |run: &&Run| {
            let void = run.void.as_deref().unwrap_or_default();
            // A trial that failed is repeated.
            run.round > 0 && !void.is_empty() && !void.starts_with("CPU 1")
        };
        let told = |run: &Run| {
            let why = run.void.as_deref().unwrap_or_default();
            format!("{} {} round {}: {why}", run.scenario, run.peer, run.round)
        };
        let mut failures: Vec<String> = self.raw.iter().filter(is_fault).map(told).collect();
        let Audit {
            requests, records, ..
        } = self.audit;
        if !self.audit.equal {
            failures.push(format!(
                "{requests} requests were counted, {records} recorded"
            ));
        }
        failures
    }
}

fn rows(runs: &[Run]) -> Vec<Row> {
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for run in runs {
        let key = (run.scenario.as_str(), run.peer.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    // Scenarios stay together, in the order in which they began.
    let begun = |scenario: &str| keys.iter().position(|(other, _)| *other == scenario);
    let mut sorted = keys.clone();
    sorted.sort_by_key(|(scenario, _)| begun(scenario));
    sorted
        .into_iter()
        .filter_map(|(scenario, peer)| row(runs, scenario, peer))
        .collect()
}

fn row(runs: &[Run], scenario: &str, peer: &str) -> Option<Row> {
    let all: Vec<&Run> = of(runs, scenario, peer).collect();
    let valid: Vec<&Run> = all.iter().copied().filter(|run| run.is_valid()).collect();
    let values = |runs: &[&Run], figure: &dyn Fn(&Run) -> Option<f64>| -> Vec<f64> {
        runs.iter().filter_map(|run| figure(run)).collect()
    };
    let middle = |figure: &dyn Fn(&Run) -> Option<f64>| median(&values(&valid, figure));
    let first = all.first()?;
    let cpus = values(&valid, &|run| run.cpu_us_per_op);
    let of_void = values(&all, &|run| run.cpu_us_per_op);
    Some(Row {
        peer: peer.to_owned(),
        auth: first.auth.clone(),
        scenario: scenario.to_owned(),
        rate: first.rate,
        cpu_us_per_op: median(&cpus),
        ops_per_s: middle(&|run| Some(run.ops_per_s)),
        p50_us: middle(&|run| run.p50_us),
        p99_us: middle(&|run| run.p99_us),
        p99_9_us: middle(&|run| run.p99_9_us),
        kb_per_connection: middle(&|run| run.kb_per_connection),
        instructions_per_op: middle(&|run| run.instructions_per_op),
        beside_ops_per_s: middle(&|run| run.beside_ops_per_s),
        proxy_busy: middle(&|run| Some(run.proxy_busy)),
        cpu1_busy: middle(&|run| Some(run.cpu1_busy())),
        requests_by_shard: by_shard(&all, |run| {
            run.counts.as_ref().map(|c| c.requests.as_slice())
        }),
        connections_by_shard: by_shard(&all, |run| {
            run.counts.as_ref().map(|c| c.connections.as_slice())
        }),
        runs: valid.len(),
        void: all.len() - valid.len(),
        spread: spread(&cpus),
        cpu_us_per_op_of_void: if valid.is_empty() {
            median(&of_void)
        } else {
            None
        },
    })
}

fn by_shard<'a>(runs: &[&'a Run], counts: impl Fn(&'a Run) -> Option<&'a [u64]>) -> Vec<u64> {
    let mut sums: Vec<u64> = Vec::new();
    for counts in runs.iter().filter_map(|run| counts(run)) {
        sums.resize(sums.len().max(counts.len()), 0);
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    sums
}

fn audit(runs: &[Run]) -> Audit {
    let counted = runs.iter().filter_map(|run| {
        let lost = run.counts.as_ref().map_or(0, |counts| counts.records_lost);
        Some((run.requests_counted()?, run.audit_records?, lost))
    });
    let none = Audit {
        equal: true,
        ..Audit::default()
    };
    counted.fold(none, |sum, (requests, records, lost)| Audit {
        records: sum.records + records,
        requests: sum.requests + requests,
        lost: sum.lost + lost,
        runs: sum.runs + 1,
        equal: sum.equal && requests == records,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Counts;

    fn run(peer: &str, round: usize, cpu: f64, void: Option<&str>) -> Run {
        Run {
            scenario: "get".to_owned(),
            peer: peer.to_owned(),
            auth: "mutual TLS".to_owned(),
            round,
            operations: 5,
            cpu_us_per_op: Some(cpu),
            void: void.map(str::to_owned),
            counts: Some(Counts {
                requests: vec![5],
                ..Counts::default()
            }),
            audit_records: Some(5),
            ..Run::default()
        }
    }

    fn report(raw: Vec<Run>) -> Report {
        Report::new(
            (json!({"kernel": "x"}), json!({}), json!({"live_tokens": 7})),
            json!({}),
            BTreeMap::new(),
            raw,
            3,
        )
    }

    fn some_runs() -> Vec<Run> {
        vec![
            run("t8gate", 1, 9.0, None),
            run("t8gate", 2, 10.0, None),
            run(
                "t8gate",
                3,
                99.0,
                Some("CPU 1 was 99 % busy and the proxy only 50 %"),
            ),
            run("haproxy", 1, 15.0, None),
        ]
    }

    #[test]
    fn void_run_is_kept_raw_and_stays_out_of_the_medians() {
        let report = report(some_runs());
        assert_eq!(report.raw.len(), 4);
        let row = &report.rows[0];
        assert_eq!((row.runs, row.void, row.cpu_us_per_op), (2, 1, Some(9.5)));
        assert!(report.failures().is_empty(), "a void run is no failure");
    }

    #[test]
    fn row_without_a_run_that_counts_has_no_median_but_shows_what_there_was() {
        let report = report(vec![run("t8gate", 1, 9.0, Some("CPU 1 was full"))]);
        let row = &report.rows[0];
        assert_eq!(
            (row.cpu_us_per_op, row.cpu_us_per_op_of_void),
            (None, Some(9.0))
        );
    }

    #[test]
    fn request_without_a_record_fails_the_bench() {
        let mut runs = some_runs();
        assert_eq!(report(runs.clone()).audit.requests, 20);
        runs[0].audit_records = Some(4);
        let report = report(runs);
        assert!(!report.audit.equal);
        assert_eq!(report.failures().len(), 1);
    }

    #[test]
    fn report_is_written_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        report(some_runs())
            .write(directory.path())
            .expect("writable");
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name));
        let json: Value =
            serde_json::from_str(&read("report.json").expect("written")).expect("JSON");
        assert_eq!(json["raw"].as_array().map(Vec::len), Some(4));
        assert_eq!(json["rows"][0]["peer"], "t8gate");
        let markdown = read("report.md").expect("written");
        assert!(markdown.contains("20 records"), "{markdown}");
        assert!(markdown.contains("GET, CPU"), "{markdown}");
        let svg = read("cost-get.svg").expect("written");
        assert!(svg.starts_with("<svg") && svg.contains("haproxy"));
    }
}
