//! What the kernel knows of this process, as the standard metrics want it.

use std::fs;

/// Clock ticks a second in `/proc`: fixed by the kernel's interface on every machine with
/// io_uring.
const TICKS_PER_S: f64 = 100.0;

/// Figures of this process; 0 where `/proc` does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    pub cpu_seconds: f64,
    pub start_time_seconds: f64,
    pub open_fds: u64,
    pub max_fds: u64,
    pub threads: u64,
    pub resident_bytes: u64,
    pub virtual_bytes: u64,
}

impl Process {
    /// Asks `/proc`.
    pub fn of_this_process() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let mut process = Self::from_texts(
            &read("/proc/self/stat"),
            &read("/proc/self/status"),
            &read("/proc/self/limits"),
            &read("/proc/stat"),
        );
        // One of them is the folder itself.
        let descriptors = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        process.open_fds = descriptors.saturating_sub(1) as u64;
        process
    }

    fn from_texts(stat: &str, status: &str, limits: &str, machine: &str) -> Self {
        // The name of the program, in brackets, may have spaces and brackets in it.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // Field n of proc(5) stands at n - 3 here.
        let ticks = |n: usize| fields.get(n - 3).and_then(|f| f.parse::<f64>().ok());
        let seconds = |n| ticks(n).unwrap_or(0.0) / TICKS_PER_S;
        let kib = |name| first_number(status, name).unwrap_or(0) * 1024;
        let booted = first_number(machine, "btime").unwrap_or(0);
        Self {
            cpu_seconds: seconds(14) + seconds(15),
            #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
            start_time_seconds: booted as f64 + seconds(22),
            open_fds: 0,
            max_fds: first_number(limits, "Max open files").unwrap_or(0),
            threads: first_number(status, "Threads:").unwrap_or(0),
            resident_bytes: kib("VmRSS:"),
            virtual_bytes: kib("VmSize:"),
        }
    }
}

/// The first number in the line that begins so.
fn first_number(text: &str, start: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(start))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_proc_writes_them() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 1200 9 9";
        let status = "Name:\tx\nVmSize:\t    2048 kB\nVmRSS:\t     100 kB\nThreads:\t3\n";
        let limits = "Limit  Soft\nMax open files            1024       4096      files\n";
        let process = Process::from_texts(stat, status, limits, "cpu 1\nbtime 1000\n");
        let wanted = Process {
            cpu_seconds: 3.0,
            start_time_seconds: 1_012.0,
            open_fds: 0,
            max_fds: 1_024,
            threads: 3,
            resident_bytes: 102_400,
            virtual_bytes: 2_097_152,
        };
        assert_eq!(process, wanted);
    }

    #[test]
    fn figures_that_are_not_there_are_none() {
        assert_eq!(Process::from_texts("", "", "", ""), Process::default());
        assert_eq!(
            Process::from_texts("7 (a", "VmRSS:", "", ""),
            Process::default()
        );
    }

    #[test]
    fn this_process_has_figures() {
        let process = Process::of_this_process();
        assert!(
            process.resident_bytes > 0 && process.open_fds > 2,
            "{process:?}"
        );
        assert!(
            process.start_time_seconds > 1e9 && process.threads > 0,
            "{process:?}"
        );
    }
}
