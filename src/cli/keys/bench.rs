//! `t8gate keys bench`: what the token gives by itself, without TLS around it.

use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;
use hsm::{OpenFault, PrivateKey, Scheme, SignJob};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use super::{Access, Faults, fault, proved};
use crate::clock::Nanos;

/// Threads are bounded as sessions are.
const THREADS_MAX: u64 = 64;
/// Latencies above a minute count as a minute.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    access: Access,
    /// Numbers of threads to measure, each with a session of its own.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4",
          value_parser = clap::value_parser!(u64).range(1..=THREADS_MAX))]
    threads: Vec<u64>,
    /// How long to measure each, in seconds.
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// The same as JSON.
    #[arg(long)]
    json: bool,
}

/// One number of threads.
struct Round {
    threads: u64,
    signatures_per_s: f64,
    /// CPU of this machine for one signature: all of it where the module computes here.
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
}

pub(super) fn run(options: &Options) -> Result<(), Faults> {
    let (mut source, config) = options.access.resolve_for_login(&[])?;
    let sessions = options.threads.iter().copied().max().unwrap_or(1);
    source.sessions = usize::try_from(sessions).unwrap_or(1);
    let key = PrivateKey::from_token(&source)?;
    proved(&key, config.as_ref())?;
    let scheme = *key
        .schemes()
        .first()
        .ok_or_else(|| fault("the key signs by no scheme", "see t8gate keys self-test"))?;
    let lasting = Duration::from_secs(options.seconds);
    let mut rounds = Vec::new();
    for threads in &options.threads {
        rounds.push(round(&key, scheme, *threads, lasting)?);
    }
    if options.json {
        let rounds: Vec<_> = rounds.iter().map(as_json).collect();
        let scheme = format!("{scheme:?}");
        say!("{:#}", json!({ "scheme": scheme, "rounds": rounds }));
        return Ok(());
    }
    say!("{scheme:?}, {} s each", options.seconds);
    say!(
        "{:>7} {:>12} {:>10} {:>10} {:>10}",
        "threads",
        "signatures/s",
        "CPU us",
        "p50 us",
        "p99 us"
    );
    for round in &rounds {
        say!(
            "{:>7} {:>12.0} {:>10.1} {:>10.1} {:>10.1}",
            round.threads,
            round.signatures_per_s,
            round.cpu_us,
            round.p50_us,
            round.p99_us
        );
    }
    Ok(())
}

fn as_json(round: &Round) -> serde_json::Value {
    json!({
        "threads": round.threads,
        "signatures_per_s": round.signatures_per_s,
        "cpu_us": round.cpu_us,
        "p50_us": round.p50_us,
        "p99_us": round.p99_us,
    })
}

fn round(
    key: &PrivateKey,
    scheme: Scheme,
    threads: u64,
    lasting: Duration,
) -> Result<Round, OpenFault> {
    let begun = Nanos::now();
    let cpu_before = cpu_us();
    let lasting_ns = u64::try_from(lasting.as_nanos()).unwrap_or(u64::MAX);
    let signers: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| sign_until(key, scheme, begun, lasting_ns)))
            .collect();
        started.into_iter().map(|thread| thread.join()).collect()
    });
    let mut all = latencies();
    let mut took_ns = 1;
    for signer in signers {
        let done = signer.map_err(|_| fault("a thread that signs broke", "see above"))?;
        let (one, ended) = done?;
        all.add(one)
            .map_err(|error| fault(error.to_string(), "measure less long"))?;
        took_ns = took_ns.max(ended.since(begun));
    }
    let us = |quantile: f64| all.value_at_quantile(quantile) as f64 / 1e3;
    let cpu_us = (cpu_us() - cpu_before) / (all.len().max(1) as f64);
    Ok(Round {
        threads,
        cpu_us,
        signatures_per_s: all.len() as f64 * 1e9 / took_ns as f64,
        p50_us: us(0.5),
        p99_us: us(0.99),
    })
}

/// What this process has taken of the CPUs so far.
fn cpu_us() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 * 1e6 + spent.tv_nsec as f64 / 1e3
}

fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("bounds that are constants, and right")
}

/// The latencies of one thread, and when it ended.
fn sign_until(
    key: &PrivateKey,
    scheme: Scheme,
    begun: Nanos,
    lasting_ns: u64,
) -> Result<(Histogram<u64>, Nanos), OpenFault> {
    let mut latencies = latencies();
    let mut number = 0_u64;
    let mut before = Nanos::now();
    loop {
        // Another message each time, as in handshakes.
        number += 1;
        let message = number.to_be_bytes();
        let job = SignJob {
            scheme,
            message: &message,
        };
        key.sign(job).map_err(|why| {
            let what = format!("signature {number} was not made: {why}");
            fault(what, "see whether the token allows that many sessions")
        })?;
        let now = Nanos::now();
        latencies.saturating_record(now.since(before));
        before = now;
        if now.since(begun) >= lasting_ns {
            return Ok((latencies, now));
        }
    }
}
