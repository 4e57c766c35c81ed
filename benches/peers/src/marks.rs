//! The marks: what the gateway must reach beside its rivals, what it aims at, and what it did.

mod signing;

use serde::Serialize;

use crate::peer::HELD;
use crate::rows::paced;
use crate::run::Run;
use crate::statistics::{Ratio, is_comparable, median_of, ratio};

/// One mark, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mark {
    pub mark: String,
    /// The scenario its figures come from.
    pub scenario: String,
    pub must: String,
    pub aim: String,
    /// Median of the ratios of all rounds; none where no round counts.
    pub measured: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// Rounds in which both runs count.
    pub rounds: usize,
    /// None where nothing was measured, or less than half of the rounds count on both sides.
    pub met: Option<bool>,
    pub aim_met: Option<bool>,
}

impl Mark {
    /// What came of it, in words.
    pub fn verdict(&self) -> &'static str {
        match (self.met, self.aim_met) {
            (_, Some(true)) => "aim met",
            (Some(true), _) => "met",
            (Some(false), _) => "MISSED",
            (None, Some(false)) => "aim missed",
            (None, None) if self.measured.is_some() => "too few rounds",
            (None, None) => "not measured",
        }
    }
}

/// What of a run is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Cpu,
    /// Operations per CPU-second: the inverse of CPU per operation.
    PerCpuSecond,
    P99,
    Memory,
    Instructions,
}

impl Figure {
    fn of(self, run: &Run) -> Option<f64> {
        match self {
            Self::Cpu => run.cpu_us_per_op,
            Self::PerCpuSecond => run.cpu_us_per_op.map(|cpu| 1e6 / cpu),
            Self::P99 => run.p99_us,
            Self::Memory => run.kb_per_connection,
            Self::Instructions => run.instructions_per_op,
        }
    }

    /// Whether more is better.
    fn grows(self) -> bool {
        self == Self::PerCpuSecond
    }
}

/// A mark as it was set. The bound of a figure that grows is from below, else from above.
struct Set {
    mark: &'static str,
    scenario: &'static str,
    figure: Figure,
    /// Where it compares with the best of several, the one with the best median counts.
    rivals: &'static [&'static str],
    must: Option<f64>,
    aim: Option<f64>,
}

const fn set(
    mark: &'static str,
    scenario: &'static str,
    figure: Figure,
    rivals: &'static [&'static str],
    [must, aim]: [Option<f64>; 2],
) -> Set {
    Set {
        mark,
        scenario,
        figure,
        rivals,
        must,
        aim,
    }
}

/// All marks but those of shards and of the way to a token.
const MARKS: [Set; 15] = {
    use Figure::{Cpu, Memory, P99, PerCpuSecond};
    const ALL: &[&str] = &["haproxy", "nginx", "envoy"];
    const HAPROXY: &[&str] = &["haproxy"];
    const ENVOY: &[&str] = &["envoy"];
    const NGINX: &[&str] = &["nginx"];
    [
        set("GET, CPU", "get", Cpu, HAPROXY, [Some(0.86), Some(0.75)]),
        set(
            "GET, CPU, without TLS",
            "get",
            Cpu,
            &["haproxy-clear"],
            [None, Some(1.0)],
        ),
        set(
            "10,000 tokens, CPU",
            "tokens",
            Cpu,
            HAPROXY,
            [Some(0.92), Some(0.80)],
        ),
        set(
            "10,000 tokens, CPU, JWT",
            "tokens",
            Cpu,
            &["envoy-jwt"],
            [None, Some(0.25)],
        ),
        set("POST, CPU", "post", Cpu, HAPROXY, [Some(0.95), Some(0.85)]),
        set(
            "p99 at a share of the peak",
            "p99",
            P99,
            HAPROXY,
            [Some(1.0), Some(0.8)],
        ),
        set(
            "full handshakes, P-256",
            "full-p256",
            PerCpuSecond,
            ENVOY,
            [Some(1.0), Some(1.5)],
        ),
        set(
            "full handshakes, RSA-2048",
            "full-rsa",
            PerCpuSecond,
            ENVOY,
            [Some(1.0), Some(1.5)],
        ),
        set(
            "resumed, P-256",
            "resumed-p256",
            PerCpuSecond,
            ENVOY,
            [Some(1.0), Some(1.5)],
        ),
        set(
            "resumed, RSA-2048",
            "resumed-rsa",
            PerCpuSecond,
            ENVOY,
            [Some(1.0), Some(1.5)],
        ),
        set(
            "full, P-256 in SoftHSM",
            "hsm-p256",
            PerCpuSecond,
            NGINX,
            [Some(1.5), Some(2.0)],
        ),
        set(
            "full, RSA-2048 in SoftHSM",
            "hsm-rsa",
            PerCpuSecond,
            NGINX,
            [Some(1.2), Some(1.4)],
        ),
        set(
            "p99 beside handshakes, file",
            "beside-file",
            P99,
            ALL,
            [Some(1.0), Some(0.4)],
        ),
        set(
            "p99 beside handshakes, SoftHSM",
            "beside-hsm",
            P99,
            NGINX,
            [Some(1.0), Some(0.4)],
        ),
        set(
            "memory of an idle connection",
            "idle",
            Memory,
            HAPROXY,
            [Some(1.0), Some(0.5)],
        ),
    ]
};

/// Differences under this are ties.
const TIE: f64 = 0.10;

/// Judges all marks whose rows were run.
pub fn judge(runs: &[Run], rounds: usize) -> Vec<Mark> {
    let mut marks: Vec<Mark> = MARKS
        .iter()
        .filter_map(|set| set.judge(runs, rounds))
        .collect();
    marks.extend(held(runs, rounds));
    marks.extend(shards(runs, rounds));
    for (scenario, key) in [("rate-p256", "P-256"), ("rate-rsa", "RSA-2048")] {
        marks.extend(signing::judge(runs, scenario, key, rounds));
    }
    marks
}

impl Set {
    /// None where the row was not run.
    fn judge(&self, runs: &[Run], rounds: usize) -> Option<Mark> {
        let rival = self.best_rival(runs)?;
        let (scenario, rival_scenario) = self.scenarios(runs, rival, rounds);
        let ours = (scenario.as_str(), "t8gate");
        let theirs = (rival_scenario.as_str(), rival);
        let ratio = ratio(runs, ours, theirs, |run| self.figure.of(run));
        // Runs of two scenarios were made at different times: they are shown, and judge nothing.
        let judges = |ratio: &Ratio| 2 * ratio.rounds >= rounds && scenario == rival_scenario;
        let judging = ratio.filter(judges);
        let holds = |bound: Option<f64>| {
            let (bound, ratio) = (bound?, judging?);
            let over = ratio.median >= bound;
            Some(if self.figure.grows() {
                over
            } else {
                ratio.median <= bound
            })
        };
        let sign = if self.figure.grows() { ">=" } else { "<=" };
        let say = |bound: Option<f64>| {
            bound.map_or_else(String::new, |bound| format!("{sign} {bound:.2} x {rival}"))
        };
        let scenario = match scenario == rival_scenario {
            true => scenario.clone(),
            false => format!("{scenario} / {rival_scenario}"),
        };
        let (must, aim) = (say(self.must), say(self.aim));
        let (met, aim_met) = (holds(self.must), holds(self.aim));
        Some(mark(
            self.mark,
            &scenario,
            [must, aim],
            ratio,
            [met, aim_met],
        ))
    }

    /// Of the rivals that were run, the one with the best median.
    fn best_rival(&self, runs: &[Run]) -> Option<&'static str> {
        let of = |peer| {
            let valid = |run: &Run| run.is_valid().then(|| self.figure.of(run))?;
            let any = || median_of(runs, self.scenario, peer, |run| self.figure.of(run));
            median_of(runs, self.scenario, peer, valid).or_else(any)
        };
        of("t8gate")?;
        let rivals = self
            .rivals
            .iter()
            .filter_map(|rival| Some((*rival, of(rival)?)));
        let best = match self.figure.grows() {
            true => rivals.max_by(|a, b| a.1.total_cmp(&b.1)),
            false => rivals.min_by(|a, b| a.1.total_cmp(&b.1)),
        };
        best.map(|(rival, _)| rival)
    }

    /// The closed loop where that can be judged, else the fixed rate; of a rival that cannot
    /// serve that rate, the closed loop.
    fn scenarios(&self, runs: &[Run], rival: &str, rounds: usize) -> (String, String) {
        let closed = self.scenario.to_owned();
        let other = paced(self.scenario);
        let was_run = |peer| {
            runs.iter()
                .any(|run| run.scenario == other && run.peer == peer)
        };
        if is_comparable(runs, self.scenario, rival, rounds) || !was_run("t8gate") {
            return (closed.clone(), closed);
        }
        match was_run(rival) {
            true => (other.clone(), other),
            false => (other, closed),
        }
    }
}

/// Two shards against one: what a request costs may not depend on how many there are.
fn shards(runs: &[Run], rounds: usize) -> Option<Mark> {
    let (one, two) = (("shards", "t8gate"), ("shards", "t8gate-2-shards"));
    median_of(runs, two.0, two.1, |run| Some(run.ops_per_s))?;
    let of = |figure: Figure| ratio(runs, two, one, |run| figure.of(run));
    let (name, ratio) = match of(Figure::Instructions) {
        Some(ratio) => ("two shards against one, instructions", Some(ratio)),
        None => ("two shards against one, CPU", of(Figure::Cpu)),
    };
    let must = format!("<= {:.2} x one shard (a tie)", 1.0 + TIE);
    let judging = ratio.filter(|ratio| 2 * ratio.rounds >= rounds);
    let met = judging.map(|ratio| ratio.median <= 1.0 + TIE);
    Some(mark(
        name,
        "shards",
        [must, String::new()],
        ratio,
        [met, None],
    ))
}

/// What it costs to see whom a POST is about.
fn held(runs: &[Run], rounds: usize) -> Option<Mark> {
    const MOST: f64 = 1.15;
    let (all, held) = (("post", "t8gate"), ("post", HELD));
    median_of(runs, held.0, held.1, |run| Some(run.ops_per_s))?;
    let ratio = ratio(runs, held, all, |run| Figure::Cpu.of(run));
    let judging = ratio.filter(|ratio| 2 * ratio.rounds >= rounds);
    let met = judging.map(|ratio| ratio.median <= MOST);
    Some(mark(
        "POST of a client held to some UEs, CPU",
        "post",
        [format!("<= {MOST:.2} x one that is not"), String::new()],
        ratio,
        [met, None],
    ))
}

fn mark(
    mark: &str,
    scenario: &str,
    [must, aim]: [String; 2],
    ratio: Option<Ratio>,
    [met, aim_met]: [Option<bool>; 2],
) -> Mark {
    Mark {
        mark: mark.to_owned(),
        scenario: scenario.to_owned(),
        must,
        aim,
        measured: ratio.map(|ratio| ratio.median),
        min: ratio.map(|ratio| ratio.min),
        max: ratio.map(|ratio| ratio.max),
        rounds: ratio.map_or(0, |ratio| ratio.rounds),
        met,
        aim_met,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(scenario: &str, peer: &str, round: usize, cpu: f64, void: bool) -> Run {
        Run {
            scenario: scenario.to_owned(),
            peer: peer.to_owned(),
            round,
            operations: 1,
            cpu_us_per_op: Some(cpu),
            p99_us: Some(cpu),
            void: void.then(|| "why".to_owned()),
            ..Run::default()
        }
    }

    fn only(runs: &[Run], name: &str) -> Mark {
        let marks = judge(runs, 1);
        let mark = marks.into_iter().find(|mark| mark.mark == name);
        mark.expect("its row was run")
    }

    #[test]
    fn cheaper_get_meets_its_mark_and_dearer_one_does_not() {
        let rival = run("get", "haproxy", 1, 10.0, false);
        let cheap = only(
            &[run("get", "t8gate", 1, 8.0, false), rival.clone()],
            "GET, CPU",
        );
        assert_eq!((cheap.met, cheap.aim_met), (Some(true), Some(false)));
        assert_eq!(cheap.measured, Some(0.8));
        let dear = only(&[run("get", "t8gate", 1, 9.0, false), rival], "GET, CPU");
        assert_eq!(dear.met, Some(false));
    }

    #[test]
    fn handshakes_per_cpu_second_are_judged_from_below() {
        let runs = [
            run("full-p256", "t8gate", 1, 250.0, false),
            run("full-p256", "envoy", 1, 500.0, false),
        ];
        let mark = only(&runs, "full handshakes, P-256");
        assert_eq!(
            (mark.measured, mark.met, mark.aim_met),
            (Some(2.0), Some(true), Some(true))
        );
    }

    #[test]
    fn fixed_rate_judges_where_the_closed_loop_is_void() {
        let runs = [
            run("get", "t8gate", 1, 5.0, true),
            run("get", "haproxy", 1, 10.0, false),
            run("get-paced", "t8gate", 1, 9.0, false),
            run("get-paced", "haproxy", 1, 10.0, false),
        ];
        let mark = only(&runs, "GET, CPU");
        assert_eq!(
            (mark.scenario.as_str(), mark.measured),
            ("get-paced", Some(0.9))
        );
    }

    #[test]
    fn mark_without_a_run_that_counts_is_neither_met_nor_missed() {
        let runs = [
            run("get", "t8gate", 1, 5.0, true),
            run("get", "haproxy", 1, 10.0, false),
        ];
        let mark = only(&runs, "GET, CPU");
        assert_eq!((mark.met, mark.measured, mark.rounds), (None, None, 0));
        assert!(
            judge(&runs, 1).iter().all(|mark| mark.mark != "POST, CPU"),
            "was not run"
        );
    }

    #[test]
    fn less_than_half_of_the_rounds_judge_nothing() {
        let mut runs = vec![
            run("post", "t8gate", 1, 8.0, false),
            run("post", "haproxy", 1, 10.0, false),
        ];
        for round in 2..=3 {
            runs.push(run("post", "t8gate", round, 8.0, false));
            runs.push(run("post", "haproxy", round, 10.0, true));
        }
        let judged = |rounds| {
            let mut marks = judge(&runs, rounds).into_iter();
            marks.find(|mark| mark.mark == "POST, CPU").unwrap()
        };
        assert_eq!(judged(2).met, Some(true));
        let few = judged(3);
        assert_eq!(
            (few.measured, few.met, few.aim_met),
            (Some(0.8), None, None)
        );
    }

    #[test]
    fn rival_whose_good_runs_were_void_is_not_the_best() {
        let runs = [
            run("beside-file", "t8gate", 1, 3.0, false),
            run("beside-file", "haproxy", 1, 5.0, false),
            run("beside-file", "nginx", 1, 9.0, false),
            run("beside-file", "nginx", 2, 1.0, true),
            run("beside-file", "nginx", 3, 1.0, true),
        ];
        let mark = only(&runs, "p99 beside handshakes, file");
        assert!(mark.must.ends_with("haproxy"), "{}", mark.must);
    }

    #[test]
    fn best_rival_is_the_one_to_beat() {
        let runs = [
            run("beside-file", "t8gate", 1, 3.0, false),
            run("beside-file", "haproxy", 1, 5.0, false),
            run("beside-file", "nginx", 1, 4.0, false),
        ];
        let mark = only(&runs, "p99 beside handshakes, file");
        assert_eq!(mark.measured, Some(0.75));
        assert!(mark.must.ends_with("nginx"), "{}", mark.must);
    }
}
