//! What a request costs: the CPU time of the gateway's own threads, as the kernel counts it, and
//! the latency as a client sees it.

use hdrhistogram::Histogram;

use super::client::{Ask, Connection};
use crate::clock::Nanos;

/// Requests that are measured, after as many as make everything warm.
pub const REQUESTS: u64 = 2_000;
const WARM_UP: u64 = 200;
/// How the gateway's threads are called. The tour and the SCEF run on threads of other names.
const THREADS: [&str; 3] = ["shard-", "signer-", "t8gate"];
/// Latencies are recorded up to a minute.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// What was measured.
#[derive(Debug)]
pub struct Cost {
    /// CPU time of all of the gateway's threads; none where the kernel does not count it.
    pub cpu_ns: Option<u64>,
    /// In nanoseconds.
    pub latencies: Histogram<u64>,
}

/// Makes the same request again and again over one connection.
///
/// # Errors
/// Says what came instead of a 200.
pub async fn measure(connection: &mut Connection, ask: Ask<'_>) -> Result<Cost, String> {
    let mut latencies = Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3)
        .map_err(|error| format!("latencies cannot be recorded: {error}"))?;
    for _ in 0..WARM_UP {
        once(connection, ask).await?;
    }
    let before = cpu_ns();
    for _ in 0..REQUESTS {
        let start = Nanos::now();
        once(connection, ask).await?;
        latencies.saturating_record(Nanos::now().since(start));
    }
    let after = cpu_ns();
    let cpu_ns = before.zip(after);
    Ok(Cost {
        cpu_ns: cpu_ns.map(|(before, after)| after.saturating_sub(before)),
        latencies,
    })
}

async fn once(connection: &mut Connection, ask: Ask<'_>) -> Result<(), String> {
    match connection.ask(ask).await?.status {
        200 => Ok(()),
        other => Err(format!("a warm request was answered with {other}")),
    }
}

impl Cost {
    /// As lines of the tour.
    pub fn lines(&self) -> Vec<String> {
        let micros = |ns: f64| ns / 1_000.0;
        let cpu = match self.cpu_ns {
            Some(ns) => format!(
                "{:.1} us of CPU per request in the gateway (all of its threads)",
                micros(ns as f64 / REQUESTS as f64)
            ),
            None => "the kernel does not say what the gateway's threads cost".to_owned(),
        };
        let quantile = |q| micros(self.latencies.value_at_quantile(q) as f64);
        vec![
            cpu,
            format!(
                "latency at the client, SCEF included: median {:.0} us, 99 % below {:.0} us, \
                 slowest {:.0} us",
                quantile(0.5),
                quantile(0.99),
                micros(self.latencies.max() as f64)
            ),
        ]
    }
}

/// CPU time of the gateway's threads in this process, in nanoseconds.
fn cpu_ns() -> Option<u64> {
    let mut total = None;
    for task in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).ok();
        // A thread that has just ended has no name any more.
        let Some(name) = read("comm") else { continue };
        if !THREADS.iter().any(|known| name.starts_with(known)) {
            continue;
        }
        let Some(spent) = read("schedstat").as_deref().and_then(spent_ns) else {
            continue;
        };
        total = Some(total.unwrap_or(0) + spent);
    }
    total
}

/// The first number of a `schedstat`: time on a CPU in nanoseconds.
fn spent_ns(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedstat_begins_with_the_time_spent() {
        assert_eq!(spent_ns("123 45 6\n"), Some(123));
        assert_eq!(spent_ns(""), None);
        assert_eq!(spent_ns("x 1 2"), None);
    }

    #[test]
    fn threads_of_the_gateways_names_are_counted() {
        let worker = std::thread::Builder::new().name("shard-77".to_owned());
        let counted = worker.spawn(|| {
            let mut number = 1_u64;
            for step in 0..20_000_000_u64 {
                number = std::hint::black_box(number.wrapping_mul(31).wrapping_add(step));
            }
            cpu_ns()
        });
        assert!(counted.unwrap().join().unwrap().is_some_and(|ns| ns > 0));
    }

    #[test]
    fn cost_is_told_per_request() {
        let mut latencies = Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).unwrap();
        latencies.saturating_record(100_000);
        let cost = Cost {
            cpu_ns: Some(REQUESTS * 12_340),
            latencies,
        };
        let lines = cost.lines();
        assert!(lines[0].starts_with("12.3 us"), "{}", lines[0]);
        assert!(lines[1].contains("median 100 us"), "{}", lines[1]);
    }
}
