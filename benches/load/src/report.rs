//! What a run says in the end.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::arguments::{Arguments, Mode};
use crate::run::Measured;
use crate::tally::{BUCKET_NS, Failure, Tally};

/// The report, as JSON has it. Times in us unless a name says otherwise.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `t8load`
    pub tool: &'static str,
    /// Of the tool.
    pub version: &'static str,
    /// As given.
    pub target: String,
    /// As on the command line.
    pub mode: &'static str,
    /// `open` or `closed`.
    #[serde(rename = "loop")]
    pub kind: &'static str,
    /// Operations per second that were intended, in an open loop.
    pub rate: Option<f64>,
    /// Held at a time.
    pub connections: u32,
    /// `GET`, or the scenario file's name.
    pub scenario: String,
    /// The window.
    pub duration_s: f64,
    /// That ended well: in a closed loop within the window; in an open one those intended in it.
    /// In idle mode: connections held at the end.
    pub operations: u64,
    /// That ended within the window, by its length.
    pub ops_per_s: f64,
    /// By kind.
    pub errors: BTreeMap<&'static str, u64>,
    /// The last error of the whole run, in words.
    pub last_error: Option<String>,
    /// How often each came.
    pub statuses: BTreeMap<String, u64>,
    /// Of the window's operations.
    pub latency_us: Latency,
    /// In an open loop: how long after their intended time operations began.
    pub send_late_us: Option<Late>,
    /// In the window.
    pub handshakes: Handshakes,
    /// With warm-up, setting up and what was under way at the end.
    pub whole_run: WholeRun,
    /// Of the generator and what was watched, over the window.
    pub cpu: Vec<Cpu>,
    /// Operations that ended, by tenths of a second.
    pub throughput: Vec<Throughput>,
}

/// In us.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// Arithmetic.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// Nine of ten are not longer.
    pub p90: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p99_9: f64,
    /// 9,999 of 10,000.
    pub p99_99: f64,
    /// The longest.
    pub max: f64,
}

/// In us.
#[derive(Debug, Serialize)]
pub struct Late {
    /// 99 of 100 are not later.
    pub p99: f64,
    /// The latest.
    pub max: f64,
}

/// Completed handshakes.
#[derive(Debug, Serialize)]
pub struct Handshakes {
    /// With certificates.
    pub full: u64,
    /// Continued sessions.
    pub resumed: u64,
}

/// Counts to compare with a server's own.
#[derive(Debug, Serialize)]
pub struct WholeRun {
    /// Responses read.
    pub operations: u64,
    /// Of whatever kind.
    pub errors: u64,
    /// Completed.
    pub handshakes: Handshakes,
}

/// What processes cost.
#[derive(Debug, Serialize)]
pub struct Cpu {
    /// As on the command line.
    pub name: String,
    /// CPU seconds by seconds of the window; above 1 with several CPUs. `None`: not known, as
    /// the process was gone.
    pub busy: Option<f64>,
    /// CPU time by operations that ended in the window; `None` also when none did.
    pub us_per_op: Option<f64>,
    /// Idle mode: resident memory before the first connection, in kB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_kb_before: Option<u64>,
    /// Idle mode: when all are idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_kb_after: Option<u64>,
}

/// A tenth of a second.
#[derive(Debug, Serialize)]
pub struct Throughput {
    /// Its end, from the window's start.
    pub t_s: f64,
    /// That ended in it.
    pub ops: u64,
}

/// To a tenth of a microsecond: finer is noise.
fn us(ns: u64) -> f64 {
    (ns as f64 / 100.0).round() / 10.0
}

impl Report {
    /// Of what was counted and measured.
    pub fn new(arguments: &Arguments, scenario: &str, tally: &Tally, measured: &Measured) -> Self {
        let window_s = measured.window_ns as f64 / 1e9;
        let ended = tally.ended_in_window();
        let idle = arguments.mode == Mode::Idle;
        let at = |quantile| us(tally.latency.value_at_quantile(quantile));
        let late = Late {
            p99: us(tally.late.value_at_quantile(0.99)),
            max: us(tally.late.max()),
        };
        Self {
            tool: "t8load",
            version: env!("CARGO_PKG_VERSION"),
            target: arguments.target.url.clone(),
            mode: arguments.mode.name(),
            kind: if arguments.rate.is_some() {
                "open"
            } else {
                "closed"
            },
            rate: arguments.rate,
            connections: arguments.connections,
            scenario: scenario.to_owned(),
            duration_s: window_s,
            operations: if idle {
                measured.held as u64
            } else {
                tally.operations()
            },
            ops_per_s: ended as f64 / window_s,
            errors: errors(tally),
            last_error: tally.last_fault.clone(),
            statuses: tally
                .statuses()
                .map(|(status, count)| (status.to_string(), count))
                .collect(),
            latency_us: Latency {
                mean: (tally.latency.mean() / 100.0).round() / 10.0,
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p99_9: at(0.999),
                p99_99: at(0.9999),
                max: us(tally.latency.max()),
            },
            send_late_us: arguments.rate.map(|_| late),
            handshakes: handshakes(tally.handshakes),
            whole_run: WholeRun {
                operations: tally.operations_whole_run,
                errors: tally.failures_whole_run,
                handshakes: handshakes(tally.handshakes_whole_run),
            },
            cpu: costs(measured, ended),
            throughput: throughput(tally, window_s),
        }
    }

    /// What was run, in one line.
    pub fn headline(&self) -> String {
        let of = match self.rate {
            Some(rate) => format!("open loop at {rate}/s"),
            None => "closed loop".to_owned(),
        };
        format!(
            "{} {}, {of}, {} connections, {}, {:.2} s",
            self.target, self.mode, self.connections, self.scenario, self.duration_s
        )
    }

    /// Whether there are latencies.
    pub fn has_latency(&self) -> bool {
        self.latency_us.max > 0.0
    }

    /// Responses that were no success.
    pub fn non_2xx(&self) -> u64 {
        let other = self
            .statuses
            .iter()
            .filter(|(status, _)| !status.starts_with('2'));
        other.map(|(_, count)| count).sum()
    }

    /// In words, when not a single operation ended well, or no idle connection was held: nothing
    /// was measured then, and no run may pass for that.
    pub fn emptiness(&self) -> Option<String> {
        let last = self.last_error.as_ref();
        let last = last.map(|last| format!("; last error: {last}"));
        let empty = match self.mode == Mode::Idle.name() {
            true => "not a single connection was held",
            false => "not a single operation of the window succeeded",
        };
        (self.operations == 0).then(|| empty.to_owned() + &last.unwrap_or_default())
    }

    /// Some lines to read.
    pub fn text(&self) -> String {
        let mut text = self.headline() + "\n";
        if self.mode == Mode::Idle.name() {
            line(
                &mut text,
                "held",
                format!("{} connections", self.operations),
            );
        } else {
            let rate = self.rate.map(|rate| format!(" of {rate} intended"));
            let rate = rate.unwrap_or_default();
            let operations = format!("{}, {:.0}/s{rate}", self.operations, self.ops_per_s);
            line(&mut text, "operations", operations);
            line(&mut text, "latency", self.latency_us.text());
        }
        if let Some(late) = &self.send_late_us {
            line(
                &mut text,
                "sent late",
                format!("p99 {} max {} us", late.p99, late.max),
            );
        }
        let statuses: Vec<_> = self.statuses.iter().collect();
        line(&mut text, "statuses", words(&statuses));
        let Handshakes { full, resumed } = &self.handshakes;
        line(
            &mut text,
            "handshakes",
            format!("{full} full, {resumed} resumed"),
        );
        let errors: Vec<_> = self
            .errors
            .iter()
            .filter(|(_, count)| **count > 0)
            .collect();
        let last = self
            .last_error
            .as_ref()
            .map(|last| format!("; last: {last}"));
        line(
            &mut text,
            "errors",
            words(&errors) + &last.unwrap_or_default(),
        );
        for cpu in &self.cpu {
            line(&mut text, &cpu.name, cpu.text());
        }
        text
    }
}

impl Latency {
    fn text(&self) -> String {
        format!(
            "mean {} p50 {} p90 {} p99 {} p99.9 {} p99.99 {} max {} us",
            self.mean, self.p50, self.p90, self.p99, self.p99_9, self.p99_99, self.max
        )
    }
}

impl Cpu {
    fn text(&self) -> String {
        let mut text = match self.busy {
            Some(busy) => format!("{:.1} % of a CPU", busy * 100.0),
            None => "CPU time not known".to_owned(),
        };
        if let Some(us_per_op) = self.us_per_op {
            let _ = write!(text, ", {us_per_op:.2} us an operation");
        }
        if let (Some(before), Some(after)) = (self.rss_kb_before, self.rss_kb_after) {
            let _ = write!(text, ", resident {before} kB before, {after} kB after");
        }
        text
    }
}

fn line(text: &mut String, name: &str, value: impl AsRef<str>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {name:<12} {}", value.as_ref());
}

fn words<K: std::fmt::Display>(counts: &[(K, &u64)]) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    let words: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{name}: {count}"))
        .collect();
    words.join(", ")
}

fn errors(tally: &Tally) -> BTreeMap<&'static str, u64> {
    let kinds = [
        ("connect", Failure::Connect),
        ("tls", Failure::Tls),
        ("closed", Failure::Closed),
        ("http", Failure::Http),
        ("timeout", Failure::Timeout),
    ];
    kinds
        .into_iter()
        .map(|(name, failure)| (name, tally.failures(failure)))
        .collect()
}

fn handshakes([full, resumed]: [u64; 2]) -> Handshakes {
    Handshakes { full, resumed }
}

fn costs(measured: &Measured, ended: u64) -> Vec<Cpu> {
    let costs = measured.costs.iter().map(|cost| Cpu {
        name: cost.name.clone(),
        busy: cost
            .cpu_ns
            .map(|cpu_ns| cpu_ns as f64 / measured.window_ns.max(1) as f64),
        us_per_op: cost
            .cpu_ns
            .filter(|_| ended > 0)
            .map(|cpu_ns| cpu_ns as f64 / 1e3 / ended as f64),
        rss_kb_before: cost.resident_kb.and_then(|(before, _)| before),
        rss_kb_after: cost.resident_kb.and_then(|(_, after)| after),
    });
    costs.collect()
}

fn throughput(tally: &Tally, window_s: f64) -> Vec<Throughput> {
    let end = |at: usize| ((at as u64 + 1) * BUCKET_NS) as f64 / 1e9;
    let buckets = tally.buckets.iter().enumerate();
    buckets
        .map(|(at, ops)| Throughput {
            t_s: end(at).min(window_s),
            ops: *ops,
        })
        .collect()
}

#[cfg(test)]
pub mod tests;
