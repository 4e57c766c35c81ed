//! One run of one peer under one load, and whether it counts.

use serde::Serialize;

use crate::load::Said;
use crate::metrics::Counts;

/// Over this CPU 1, where generator and origin are, may be what was measured.
pub const GENERATOR_BUSY_MAX: f64 = 0.85;
/// From this on the proxy was, whatever CPU 1 did.
pub const SATURATED: f64 = 0.95;

/// One run, as the report keeps it. Times in us.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Run {
    pub scenario: String,
    pub peer: String,
    pub auth: String,
    /// From 1; 0 is a trial that finds a rate.
    pub round: usize,
    pub connections: usize,
    /// Operations a second, in an open loop.
    pub rate: Option<f64>,
    pub operations: u64,
    pub ops_per_s: f64,
    /// Operations of the whole run, warm-up and load beside included.
    pub operations_of_whole_run: u64,
    pub cpu_us_per_op: Option<f64>,
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
    pub p99_9_us: Option<f64>,
    /// How late sends left, 99th percentile, in an open loop.
    pub send_late_p99_us: Option<f64>,
    pub handshakes_full: u64,
    pub handshakes_resumed: u64,
    pub kb_per_connection: Option<f64>,
    /// Handshakes/s of the connections beside the ones that were timed.
    pub beside_ops_per_s: Option<f64>,
    /// Where the machine counts them.
    pub instructions_per_op: Option<f64>,
    pub proxy_busy: f64,
    pub generator_busy: f64,
    pub origin_busy: f64,
    /// Whole CPUs by `/proc/stat`, whoever's work it was.
    pub cpu0: f64,
    pub cpu1: f64,
    /// Whether others' work gave way to what was measured, and says nothing about it.
    pub foreign_ignored: bool,
    /// Of t8gate.
    pub counts: Option<Counts>,
    /// Of t8gate: records of requests in its audit file.
    pub audit_records: Option<u64>,
    /// Why it does not count.
    pub void: Option<String>,
}

impl Run {
    /// A run that did not come about.
    pub fn failed(mut self, why: &str) -> Self {
        self.void = Some(format!("fault: {why}"));
        self
    }

    /// Takes over what the generator said, and says whether the run counts.
    pub fn judge(&mut self, said: &Said, cpus: [f64; 2], by_cpu: bool) {
        self.operations = said.operations;
        self.ops_per_s = said.ops_per_s;
        self.cpu_us_per_op = said.share("proxy").and_then(|share| share.us_per_op);
        self.p50_us = said.latency_us.p50;
        self.p99_us = said.latency_us.p99;
        self.p99_9_us = said.latency_us.p99_9;
        self.send_late_p99_us = said.send_late_us.and_then(|late| late.p99);
        self.handshakes_full = said.handshakes.full;
        self.handshakes_resumed = said.handshakes.resumed;
        self.proxy_busy = said.busy("proxy");
        self.generator_busy += said.busy("generator");
        self.origin_busy = said.busy("origin");
        [self.cpu0, self.cpu1] = cpus;
        self.void = said.wrong();
        if by_cpu && self.void.is_none() {
            self.void = self.void_by_cpu();
        }
    }

    /// The busier of both accounts of CPU 1: what its processes took by the scheduler's account,
    /// and the kernel's count, which holds other processes and interrupts as well.
    pub fn cpu1_busy(&self) -> f64 {
        let ours = self.generator_busy + self.origin_busy;
        match self.foreign_ignored {
            true => ours,
            false => self.cpu1.max(ours),
        }
    }

    fn void_by_cpu(&self) -> Option<String> {
        let (cpu1, proxy) = (self.cpu1_busy(), self.proxy_busy);
        let void = cpu1 > GENERATOR_BUSY_MAX && proxy < SATURATED;
        void.then(|| {
            format!(
                "CPU 1 was {:.0} % busy (generator and origin {:.0} %) and the proxy only {:.0} %",
                cpu1 * 1e2,
                (self.generator_busy + self.origin_busy) * 1e2,
                proxy * 1e2
            )
        })
    }

    /// Whether it counts.
    pub fn is_valid(&self) -> bool {
        self.void.is_none()
    }

    /// Requests by the gateway's own count.
    pub fn requests_counted(&self) -> Option<u64> {
        self.counts
            .as_ref()
            .map(|counts| counts.requests.iter().sum())
    }

    /// One line for whoever watches.
    pub fn line(&self) -> String {
        let text = |value: Option<f64>, unit: &str| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1} {unit}"))
        };
        let memory = self.kb_per_connection;
        let memory = memory.map_or_else(String::new, |kb| format!("  {kb:.1} kB each"));
        let void = self.void.as_ref();
        let void = void.map_or_else(String::new, |why| format!("  VOID: {why}"));
        format!(
            "{:<16} {:>2} {:<16} {:>12} {:>8.0}/s  p99 {:>10}  proxy {:>3.0} %  CPU1 {:>3.0} % \
             (generator {:.0}, origin {:.0}){memory}{void}",
            self.scenario,
            self.round,
            self.peer,
            text(self.cpu_us_per_op, "us"),
            self.ops_per_s,
            text(self.p99_us, "us"),
            self.proxy_busy * 1e2,
            self.cpu1_busy() * 1e2,
            self.generator_busy * 1e2,
            self.origin_busy * 1e2,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(proxy: f64, generator: f64, origin: f64, cpu1: f64) -> Option<String> {
        let run = Run {
            proxy_busy: proxy,
            generator_busy: generator,
            origin_busy: origin,
            cpu1,
            ..Run::default()
        };
        run.void_by_cpu()
    }

    #[test]
    fn run_is_void_when_cpu_1_was_full_and_the_proxy_was_not() {
        assert!(
            run(0.90, 0.60, 0.30, 0.70).is_some(),
            "its own processes filled CPU 1"
        );
        assert!(
            run(0.90, 0.30, 0.20, 0.99).is_some(),
            "somebody else filled CPU 1"
        );
        assert!(run(0.94, 0.51, 0.35, 0.0).is_some());
    }

    #[test]
    fn run_counts_when_the_proxy_was_full_or_cpu_1_was_not() {
        assert_eq!(run(0.96, 0.60, 0.39, 0.99), None);
        assert_eq!(run(0.50, 0.50, 0.34, 0.80), None);
    }
}
