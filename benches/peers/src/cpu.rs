//! How busy whole CPUs were, by the kernel's own count: what a run's watched processes do not
//! explain is somebody else's work.

use std::time::{Duration, Instant};

use crate::clock;

/// One line of `/proc/stat`, in ticks since the start of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    all: u64,
}

/// CPU 0 and CPU 1 over time.
#[derive(Default)]
pub struct Watch {
    samples: Vec<(Instant, [Ticks; 2])>,
}

impl Watch {
    /// Takes a sample if the last one is old enough.
    pub fn look(&mut self) {
        const GRAIN: Duration = Duration::from_millis(50);
        let now = clock::now();
        let last = self.samples.last();
        if last.is_some_and(|(at, _)| now.duration_since(*at) < GRAIN) {
            return;
        }
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        self.samples.push((now, ticks(&stat)));
    }

    /// How busy both were in the last `seconds`, from 0 to 1.
    pub fn busy(&self, seconds: f64) -> [f64; 2] {
        let Some((end, after)) = self.samples.last() else {
            return [0.0; 2];
        };
        let within = |at: Instant| end.duration_since(at).as_secs_f64() <= seconds;
        let first = self.samples.iter().find(|(at, _)| within(*at));
        let before = first.map_or(*after, |(_, ticks)| *ticks);
        [0, 1].map(|cpu| share(before[cpu], after[cpu]))
    }
}

fn share(before: Ticks, after: Ticks) -> f64 {
    let all = after.all.saturating_sub(before.all);
    let idle = after.idle.saturating_sub(before.idle);
    if all == 0 {
        return 0.0;
    }
    1.0 - idle as f64 / all as f64
}

fn ticks(stat: &str) -> [Ticks; 2] {
    ["cpu0 ", "cpu1 "].map(|name| {
        let line = stat.lines().find_map(|line| line.strip_prefix(name));
        let fields = line.unwrap_or_default().split_whitespace();
        // user nice system idle iowait irq softirq steal; guest times are within user.
        let fields: Vec<u64> = fields
            .filter_map(|field| field.parse().ok())
            .take(8)
            .collect();
        let at = |place: usize| fields.get(place).copied().unwrap_or(0);
        Ticks {
            idle: at(3) + at(4),
            all: fields.iter().sum(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_what_was_not_idle_between_two_samples() {
        let before = ticks("cpu  1 1\ncpu0 10 0 10 80 0 0 0 0 0 0\ncpu1 0 0 0 100 0 0 0 0 0 0\n");
        let after = ticks("cpu  1 1\ncpu0 40 0 40 100 20 0 0 0 0 0\ncpu1 90 0 0 110 0 0 0 0 0 0\n");
        assert!((share(before[0], after[0]) - 0.6).abs() < 1e-9);
        assert!((share(before[1], after[1]) - 0.9).abs() < 1e-9);
        assert!(share(before[0], before[0]).abs() < 1e-9);
    }
}
