//! Medians of runs, and of ratios within rounds.

use std::collections::BTreeMap;

use crate::run::Run;

/// The median; of an even number the mean of the middle two.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// (max - min) / median.
pub fn spread(values: &[f64]) -> Option<f64> {
    let [low, high] = ends(values)?;
    median(values).map(|median| (high - low) / median)
}

fn ends(values: &[f64]) -> Option<[f64; 2]> {
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    Some([low, high])
}

/// Runs of a peer in a scenario, without trials.
pub fn of<'a>(runs: &'a [Run], scenario: &'a str, peer: &'a str) -> impl Iterator<Item = &'a Run> {
    let is_of = move |run: &&Run| run.scenario == scenario && run.peer == peer;
    let mut of: Vec<&Run> = runs.iter().filter(is_of).collect();
    // Trials speak only where there is nothing else.
    if of.iter().any(|run| run.round > 0) {
        of.retain(|run| run.round > 0);
    }
    of.into_iter()
}

/// The median of a figure over all runs, void ones as well.
pub fn median_of(
    runs: &[Run],
    scenario: &str,
    peer: &str,
    figure: impl Fn(&Run) -> Option<f64>,
) -> Option<f64> {
    let of = of(runs, scenario, peer).filter(|run| run.operations > 0);
    median(&of.filter_map(figure).collect::<Vec<_>>())
}

/// A ratio of two peers' figures, taken within each round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub rounds: usize,
}

/// `left / right` over the rounds in which both runs count. Each side is a scenario and a peer.
pub fn ratio(
    runs: &[Run],
    left: (&str, &str),
    right: (&str, &str),
    figure: impl Fn(&Run) -> Option<f64>,
) -> Option<Ratio> {
    let by_round = |(scenario, peer): (&str, &str)| -> BTreeMap<usize, f64> {
        let valid = of(runs, scenario, peer).filter(|run| run.is_valid());
        valid
            .filter_map(|run| Some((run.round, figure(run)?)))
            .collect()
    };
    let (left, right) = (by_round(left), by_round(right));
    let ratios: Vec<f64> = left
        .iter()
        .filter_map(|(round, left)| Some(left / right.get(round).filter(|right| **right > 0.0)?))
        .collect();
    let [min, max] = ends(&ratios)?;
    Some(Ratio {
        median: median(&ratios)?,
        min,
        max,
        rounds: ratios.len(),
    })
}

/// Whether at least half of the rounds of a scenario compare t8gate with a rival.
pub fn is_comparable(runs: &[Run], scenario: &str, rival: &str, rounds: usize) -> bool {
    let ratio = ratio(runs, (scenario, "t8gate"), (scenario, rival), |run| {
        run.cpu_us_per_op
    });
    ratio.is_some_and(|ratio| 2 * ratio.rounds >= rounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn run(peer: &str, round: usize, cpu: f64, void: bool) -> Run {
        Run {
            scenario: "get".to_owned(),
            peer: peer.to_owned(),
            round,
            operations: 1,
            cpu_us_per_op: Some(cpu),
            void: void.then(|| "why".to_owned()),
            ..Run::default()
        }
    }

    #[test]
    fn median_is_the_middle_and_of_none_there_is_none() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(spread(&[9.0, 10.0, 12.0]), Some(0.3));
    }

    #[test]
    fn ratio_is_taken_within_rounds_that_count_on_both_sides() {
        let runs = [
            run("t8gate", 1, 10.0, false),
            run("haproxy", 1, 20.0, false),
            run("t8gate", 2, 30.0, false),
            run("haproxy", 2, 40.0, false),
            run("t8gate", 3, 1.0, true),
            run("haproxy", 3, 1.0, false),
            run("t8gate", 4, 1.0, false),
        ];
        let ratio = ratio(&runs, ("get", "t8gate"), ("get", "haproxy"), |run| {
            run.cpu_us_per_op
        });
        let ratio = ratio.expect("two rounds");
        assert_eq!((ratio.rounds, ratio.min, ratio.max), (2, 0.5, 0.75));
        assert!((ratio.median - 0.625).abs() < 1e-9);
        assert!(is_comparable(&runs, "get", "haproxy", 4));
        assert!(!is_comparable(&runs, "get", "haproxy", 5));
    }

    #[test]
    fn trials_count_only_where_there_is_nothing_else() {
        let runs = [run("t8gate", 0, 10.0, false), run("t8gate", 1, 20.0, false)];
        let median = |runs: &[Run]| median_of(runs, "get", "t8gate", |run| run.cpu_us_per_op);
        assert_eq!(median(&runs), Some(20.0));
        assert_eq!(median(&runs[..1]), Some(10.0));
    }
}
