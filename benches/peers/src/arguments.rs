//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Runs t8gate and its rivals side by side, and writes what each costs.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    /// Only these rows.
    #[arg(long, value_delimiter = ',', value_name = "ROW")]
    pub only: Vec<Row>,
    /// How often each peer is run in each row, in turn with the others. [default: 7, quick: 2]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: Option<u64>,
    /// Measured seconds of each run. [default: 5, quick: 1.2]
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Only these peers, and t8gate.
    #[arg(long, value_delimiter = ',', value_name = "PEER")]
    pub peers: Vec<String>,
    /// Priority of all that is measured, as `nice` counts it: below 0 where others work on the
    /// machine. CPU 1 is then judged by the bench's own processes alone.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    pub nice: i32,
    /// Few and short runs of the main rows: under three minutes.
    #[arg(long)]
    pub quick: bool,
    /// Where cargo builds.
    #[arg(long, default_value = "target")]
    pub target: PathBuf,
    /// Where the report goes. [default: bench, below --target]
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// A row of the report: one load, several peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Row {
    /// GET, one token per connection.
    Get,
    /// GET, 10,000 distinct tokens.
    Tokens,
    /// POST with 500 B.
    Post,
    /// GET at 70 % of the lower peak of t8gate and HAProxy, open loop.
    P99,
    /// Full handshakes with a P-256 key in a file.
    FullP256,
    /// Full handshakes with an RSA-2048 key in a file.
    FullRsa,
    /// Resumed handshakes, P-256.
    ResumedP256,
    /// Resumed handshakes, RSA-2048.
    ResumedRsa,
    /// Full handshakes with a P-256 key in SoftHSM.
    HsmP256,
    /// Full handshakes with an RSA-2048 key in SoftHSM.
    HsmRsa,
    /// Full handshakes/s with a P-256 key in SoftHSM, against the same in a file and the bare
    /// token, with a CPU for those that sign.
    RateP256,
    /// The same with RSA-2048.
    RateRsa,
    /// 400 paced requests/s beside connections that only do RSA handshakes, key in a file.
    BesideFile,
    /// The same, key in SoftHSM.
    BesideHsm,
    /// Memory of idle connections.
    Idle,
    /// Two shards of t8gate against one.
    Shards,
    /// How connections spread over two shards of t8gate.
    Balance,
}

impl Row {
    /// The rows of a quick bench.
    const QUICK: [Self; 6] = [
        Self::Get,
        Self::Tokens,
        Self::Post,
        Self::FullP256,
        Self::ResumedP256,
        Self::Idle,
    ];

    /// Whether its keys are in SoftHSM.
    pub fn needs_hsm(self) -> bool {
        use Row::{BesideHsm, HsmP256, HsmRsa, RateP256, RateRsa};
        matches!(self, HsmP256 | HsmRsa | RateP256 | RateRsa | BesideHsm)
    }
}

/// How much is run.
#[derive(Clone, Debug)]
pub struct Extent {
    pub rows: Vec<Row>,
    pub peers: Vec<String>,
    pub rounds: usize,
    pub seconds: f64,
    pub warmup: f64,
    pub idle_connections: usize,
    /// Seconds that idle connections are left alone before memory is read.
    pub idle_settle: u32,
    /// How often a rate may be tried out and lowered.
    pub trials: usize,
    pub niceness: i32,
}

impl Arguments {
    /// What they come to.
    pub fn extent(&self) -> Extent {
        let all = || match self.quick {
            true => Row::QUICK.to_vec(),
            false => Row::value_variants().to_vec(),
        };
        let mut rows = match self.only.is_empty() {
            true => all(),
            false => self.only.clone(),
        };
        // The row at a share of the peaks takes them from the row that finds them.
        rows.sort();
        rows.dedup();
        let (rounds, seconds, warmup, idle_connections) = match self.quick {
            true => (2, 1.2, 0.4, 2_000),
            false => (7, 5.0, 1.0, 4_000),
        };
        let rounds = self
            .rounds
            .and_then(|rounds| usize::try_from(rounds).ok())
            .unwrap_or(rounds);
        Extent {
            rows,
            peers: self.peers.clone(),
            rounds,
            seconds: self.seconds.unwrap_or(seconds).max(0.2),
            warmup,
            idle_connections,
            idle_settle: if self.quick { 1 } else { 3 },
            trials: if self.quick { 1 } else { 3 },
            niceness: self.nice,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_asked_for_are_run_once_and_in_order() {
        let line = [
            "t8bench",
            "--only",
            "p99,get,get",
            "--rounds",
            "3",
            "--quick",
        ];
        let extent = Arguments::parse_from(line).extent();
        assert_eq!(extent.rows, [Row::Get, Row::P99]);
        assert_eq!(extent.rounds, 3);
        assert!((extent.seconds - 1.2).abs() < 1e-9);
    }

    #[test]
    fn whole_bench_runs_every_row_seven_times() {
        let extent = Arguments::parse_from(["t8bench"]).extent();
        assert_eq!(extent.rows.len(), Row::value_variants().len());
        assert_eq!(extent.rounds, 7);
    }
}
