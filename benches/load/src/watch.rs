//! What processes cost, from `/proc`: their CPU time by the scheduler's own count, and memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Processes that are reported under one name.
#[derive(Clone, Debug)]
pub struct Watched {
    /// In reports.
    pub name: String,
    /// Named on the command line; their children come with them.
    pub pids: Vec<u32>,
}

/// CPU time of every thread, in nanoseconds, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Spent {
    threads: BTreeMap<u32, u64>,
}

impl Watched {
    /// The name of this process.
    pub const GENERATOR: &str = "generator";

    /// This process.
    pub fn generator() -> Self {
        Self {
            name: Self::GENERATOR.to_owned(),
            pids: vec![std::process::id()],
        }
    }

    /// Reads what has been spent so far; `None` when a process named is gone, or its account
    /// cannot be read: no figure is better than one that is too small.
    pub fn spent(&self) -> Option<Spent> {
        let mut threads = BTreeMap::new();
        for pid in self.all() {
            for thread in threads_of(pid) {
                let task = format!("/proc/{pid}/task/{thread}");
                match spent_by(&task) {
                    Some(spent) => _ = threads.insert(thread, spent),
                    // It ended after it was listed; threads and children may.
                    None if !fs::exists(&task).unwrap_or(true) => {}
                    None => return None,
                }
            }
        }
        self.is_there().then_some(Spent { threads })
    }

    /// Resident memory in kB, shared pages counted in each process; `None` when one named is gone.
    pub fn resident_kb(&self) -> Option<u64> {
        let resident = |pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        let sum = self.all().into_iter().filter_map(resident).sum();
        self.is_there().then_some(sum)
    }

    /// Whether each process named still is there.
    pub fn is_there(&self) -> bool {
        self.pids.iter().all(|pid| runs(*pid))
    }

    /// The processes and their children's children.
    fn all(&self) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        let mut open = self.pids.clone();
        while let Some(pid) = open.pop() {
            if found.insert(pid) {
                open.extend(children_of(pid));
            }
        }
        found
    }
}

impl Spent {
    /// Nanoseconds since `before`. A thread that ended in between is not known any more, and its
    /// time is missing; one that began counts in full.
    pub fn since(&self, before: &Self) -> u64 {
        let of = |(thread, spent): (&u32, &u64)| {
            let then = before.threads.get(thread).copied().unwrap_or_default();
            spent.saturating_sub(then)
        };
        self.threads.iter().map(of).sum()
    }
}

/// The time that a thread was on a CPU, in ns.
fn spent_by(task: &str) -> Option<u64> {
    // The first number; user and system ticks are samples.
    let text = fs::read_to_string(format!("{task}/schedstat")).ok()?;
    text.split(' ').next()?.parse().ok()
}

/// Whether a process runs. One that has died is listed until its parent asks for it, and what is
/// still said of it leaves its threads out; a leader that ended before its threads looks the same,
/// but for them.
fn runs(pid: u32) -> bool {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The name before the state may hold anything, but ends with the last bracket.
    let state = text.rsplit_once(") ").map(|(_, after)| after);
    let dead = state.is_none_or(|state| state.starts_with(['Z', 'X']));
    !dead || threads_of(pid).len() > 1
}

fn threads_of(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"));
    let names = entries.into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn children_of(pid: u32) -> Vec<u32> {
    let of_thread = |thread| {
        let path = format!("/proc/{pid}/task/{thread}/children");
        fs::read_to_string(path).unwrap_or_default()
    };
    let lists: Vec<String> = threads_of(pid).into_iter().map(of_thread).collect();
    lists
        .iter()
        .flat_map(|list| list.split_ascii_whitespace())
        .filter_map(|word| word.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_spends_is_counted() {
        let own = Watched::generator();
        let spent = || own.spent().expect("there is an account");
        let before = spent();
        let mut sum = 0_u64;
        while spent().since(&before) < 30_000_000 {
            sum = (0..1_000_000).fold(sum, |sum, at| std::hint::black_box(sum ^ at));
        }
        assert_eq!(before.since(&before), 0);
        assert!(own.resident_kb().is_some_and(|kb| kb > 100));
    }

    #[test]
    fn children_come_with_their_parents() {
        let mut child = std::process::Command::new("sleep")
            .arg("30")
            .spawn()
            .expect("a child");
        let found = Watched::generator().all();
        let named = Watched {
            name: "sleep".to_owned(),
            pids: vec![child.id()],
        };
        let there = named.is_there();
        child.kill().expect("still there");
        child.wait().expect("ended");
        assert!(found.contains(&child.id()) && there);
        assert!(!named.is_there());
    }

    #[test]
    fn what_a_process_spent_is_not_known_once_it_has_died() {
        let mut child = std::process::Command::new("sleep")
            .arg("30")
            .spawn()
            .expect("a child");
        let named = Watched {
            name: "both".to_owned(),
            pids: vec![std::process::id(), child.id()],
        };
        let known = || named.spent().is_some() && named.resident_kb().is_some();
        let unknown = || named.spent().is_none() && named.resident_kb().is_none();
        let before = known();
        child.kill().expect("still there");
        // Dead, but not asked for: it is listed, and its end takes a moment.
        let listed = format!("/proc/{}/task", child.id());
        for _ in 0..5000 {
            if named.is_there() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        let dead = unknown() && fs::exists(listed).unwrap_or_default();
        child.wait().expect("ended");
        assert!(before && dead && unknown());
    }
}
