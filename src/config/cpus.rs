//! Which CPUs there are, and on which this process may run.

use std::fs;
use std::thread;

/// The CPUs of the machine, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cpus {
    pub(super) online: Vec<usize>,
    /// The affinity of this process: what `taskset`, the service manager and the cpuset leave it.
    pub(super) allowed: Vec<usize>,
}

impl Cpus {
    /// Asks the kernel. Where `/proc` or `/sys` are not mounted, as many CPUs as there are
    /// threads to run, from 0.
    pub(super) fn of_this_process() -> Self {
        let counted = || (0..thread::available_parallelism().map_or(1, usize::from)).collect();
        let allowed = fs::read_to_string("/proc/self/status")
            .ok()
            .and_then(|status| {
                status
                    .lines()
                    .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
                    .and_then(list)
            })
            .unwrap_or_else(counted);
        let online = fs::read_to_string("/sys/devices/system/cpu/online")
            .ok()
            .and_then(|text| list(&text))
            .unwrap_or_else(|| allowed.clone());
        Self { online, allowed }
    }
}

/// The kernel's list notation: `0-3,8`.
fn list(text: &str) -> Option<Vec<usize>> {
    /// No kernel has more (x86-64 allows 8,192); a bound on what a range may fill.
    const CPU_MAX: usize = 65_535;
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        if first > last || last > CPU_MAX {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// CPUs in the kernel's list notation.
pub(super) fn show(cpus: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &cpu in cpus {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => parts.push((cpu, cpu)),
        }
    }
    let part = |(first, last): &(usize, usize)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_list_is_read_and_shown() {
        assert_eq!(list("\t0-3,8\n"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(show(&[0, 1, 2, 3, 8]), "0-3,8");
        for broken in ["", "3-1", "a", "1-", "0-99999999"] {
            assert_eq!(list(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn this_process_may_run_on_a_cpu_that_is_online() {
        let cpus = Cpus::of_this_process();
        assert!(!cpus.allowed.is_empty());
        assert!(cpus.allowed.iter().all(|cpu| cpus.online.contains(cpu)));
    }
}
