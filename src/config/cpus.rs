//! Which CPUs there are, and on which this process may run.

use std::path::Path;

pub(super) use crate::machine::cpu_list::show;
use crate::machine::{Topology, Tree};

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
        let cpus = Topology::read(&Tree::new(Path::new("/")));
        Self {
            online: cpus.online,
            allowed: cpus.allowed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_may_run_on_a_cpu_that_is_online() {
        let cpus = Cpus::of_this_process();
        assert!(!cpus.allowed.is_empty());
        assert!(cpus.allowed.iter().all(|cpu| cpus.online.contains(cpu)));
    }
}
