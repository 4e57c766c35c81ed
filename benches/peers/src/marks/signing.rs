//! What the way to a token costs: handshakes with the key there, against what the token and the
//! gateway can do by themselves.

use super::{Mark, mark};
use crate::bare_token::TOKEN;
use crate::peer::FILE_KEY;
use crate::run::Run;
use crate::statistics::{Ratio, of, ratio};

/// Of the lesser of the token's rate and that with the key in a file.
const RATE_MIN: f64 = 0.90;
/// Over the CPU of a handshake with the key in a file and of a signature of the token.
const CPU_MAX: f64 = 1.10;
/// Whom the ratios are taken against: the token and the file key, put together round by round.
const BOUND: &str = "token-and-file-key";

/// The marks of a scenario, where it was run.
pub(super) fn judge(runs: &[Run], scenario: &str, key: &str, rounds: usize) -> Vec<Mark> {
    let bounds = bounds(runs, scenario);
    if bounds.is_empty() {
        return Vec::new();
    }
    let ours = of(runs, scenario, "t8gate").cloned();
    let all: Vec<Run> = ours.chain(bounds).collect();
    let against = |figure: fn(&Run) -> Option<f64>| {
        ratio(&all, (scenario, "t8gate"), (scenario, BOUND), figure)
    };
    let rate = against(|run| Some(run.ops_per_s));
    let cpu = against(|run| run.cpu_us_per_op);
    let judged = |ratio: Option<Ratio>, holds: fn(f64) -> bool| {
        let enough = ratio.filter(|ratio| 2 * ratio.rounds >= rounds);
        [enough.map(|ratio| holds(ratio.median)), None]
    };
    let must = |text: String| [text, String::new()];
    vec![
        mark(
            &format!("handshakes/s in a token, {key}"),
            scenario,
            must(format!(">= {RATE_MIN:.2} x lesser of token, file key")),
            rate,
            judged(rate, |ratio| ratio >= RATE_MIN),
        ),
        mark(
            &format!("CPU of a handshake in a token, {key}"),
            scenario,
            must(format!("<= {CPU_MAX:.2} x file key + token")),
            cpu,
            judged(cpu, |ratio| ratio <= CPU_MAX),
        ),
    ]
}

/// Of each round in which both count: the lesser rate, and the CPU of both together.
fn bounds(runs: &[Run], scenario: &str) -> Vec<Run> {
    let tokens: Vec<&Run> = of(runs, scenario, TOKEN).collect();
    let bound = |file: &Run| {
        let token = tokens.iter().find(|token| token.round == file.round)?;
        if !file.is_valid() || !token.is_valid() {
            return None;
        }
        Some(Run {
            peer: BOUND.to_owned(),
            ops_per_s: file.ops_per_s.min(token.ops_per_s),
            cpu_us_per_op: Some(file.cpu_us_per_op? + token.cpu_us_per_op?),
            ..file.clone()
        })
    };
    of(runs, scenario, FILE_KEY).filter_map(bound).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(peer: &str, round: usize, ops_per_s: f64, cpu: f64) -> Run {
        Run {
            scenario: "rate-rsa".to_owned(),
            peer: peer.to_owned(),
            round,
            operations: 1,
            ops_per_s,
            cpu_us_per_op: Some(cpu),
            ..Run::default()
        }
    }

    fn met(runs: &[Run]) -> Vec<Option<bool>> {
        let marks = judge(runs, "rate-rsa", "RSA-2048", 1);
        marks.iter().map(|mark| mark.met).collect()
    }

    #[test]
    fn handshakes_in_a_token_are_held_to_the_slower_and_to_both_costs() {
        let bound = [
            run(FILE_KEY, 1, 2_000.0, 400.0),
            run(TOKEN, 1, 1_000.0, 600.0),
        ];
        let with = |ours| [bound.to_vec(), vec![ours]].concat();
        let good = with(run("t8gate", 1, 900.0, 1_100.0));
        assert_eq!(met(&good), [Some(true), Some(true)]);
        let slow = with(run("t8gate", 1, 890.0, 1_110.0));
        assert_eq!(met(&slow), [Some(false), Some(false)]);
    }

    #[test]
    fn round_without_its_token_judges_nothing() {
        assert!(judge(&[run("t8gate", 1, 1.0, 1.0)], "rate-rsa", "RSA-2048", 1).is_empty());
        let apart = [
            run("t8gate", 1, 900.0, 1.0),
            run(FILE_KEY, 2, 1_000.0, 1.0),
            run(TOKEN, 2, 1_000.0, 1.0),
        ];
        assert_eq!(met(&apart), [None, None]);
    }
}
