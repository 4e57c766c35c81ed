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

    /// Reads what has been spent so far.
    pub fn spent(&self) -> Spent {
        let mut threads = BTreeMap::new();
        for pid in self.all() {
            for thread in threads_of(pid) {
                // Its first number is the time on a CPU in ns; user and system ticks are samples.
                let path = format!("/proc/{pid}/task/{thread}/schedstat");
                let text = fs::read_to_string(path).unwrap_or_default();
                let spent = text.split(' ').next().and_then(|word| word.parse().ok());
                threads.insert(thread, spent.unwrap_or_default());
            }
        }
        Spent { threads }
    }

    /// Resident memory in kB, shared pages counted in each process.
    pub fn resident_kb(&self) -> u64 {
        let resident = |pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        self.all().into_iter().filter_map(resident).sum()
    }

    /// Whether each process named still is there.
    pub fn is_there(&self) -> bool {
        self.pids
            .iter()
            .all(|pid| fs::exists(format!("/proc/{pid}/task")).unwrap_or_default())
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
        let before = own.spent();
        let mut sum = 0_u64;
        while own.spent().since(&before) < 30_000_000 {
            sum = (0..1_000_000).fold(sum, |sum, at| std::hint::black_box(sum ^ at));
        }
        assert_eq!(before.since(&before), 0);
        assert!(own.resident_kb() > 100);
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
}
