//! Which CPUs there are, which this process may use, and what they share.

use std::thread;

use serde::Serialize;

use super::cpu_list;
use super::tree::{Tree, field};

/// The CPUs of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Topology {
    pub online: Vec<usize>,
    /// The affinity of this process: what `taskset`, the service manager and the cpuset leave it.
    pub allowed: Vec<usize>,
    /// Left alone by the scheduler (`isolcpus=`); None where that is not to be seen.
    pub isolated: Option<Vec<usize>>,
    /// Without timer ticks while one thread runs (`nohz_full=`); None where that is not to be seen.
    pub nohz_full: Option<Vec<usize>>,
    /// What the control group leaves this process; None where it says nothing.
    pub cpuset: Option<Vec<usize>>,
    /// CPU time that the control group grants, in thousandths of a CPU; None where it is not
    /// bounded.
    pub quota_millicpus: Option<u64>,
    /// CPUs of one core, where it has more than one.
    pub siblings: Vec<Vec<usize>>,
    /// Empty where `/sys` is not to be seen.
    pub nodes: Vec<Node>,
}

/// CPUs and the memory that is near them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    pub node: usize,
    pub cpus: Vec<usize>,
    pub memory_total_kb: Option<u64>,
    pub memory_free_kb: Option<u64>,
}

impl Topology {
    /// Where `/proc` or `/sys` are not to be seen, as many CPUs as there are threads to run,
    /// from 0.
    pub fn read(tree: &Tree) -> Self {
        let counted = || (0..thread::available_parallelism().map_or(1, usize::from)).collect();
        let status = tree.text("proc/self/status").unwrap_or_default();
        let allowed = field(&status, "Cpus_allowed_list").and_then(cpu_list::parse);
        let allowed: Vec<usize> = allowed.unwrap_or_else(counted);
        let online = tree.cpus("sys/devices/system/cpu/online");
        let online = online.filter(|online| !online.is_empty());
        let (cpuset, quota_millicpus) = control_group(tree);
        Self {
            online: online.unwrap_or_else(|| allowed.clone()),
            allowed,
            isolated: tree.cpus("sys/devices/system/cpu/isolated"),
            nohz_full: tree.cpus("sys/devices/system/cpu/nohz_full"),
            cpuset,
            quota_millicpus,
            siblings: siblings(tree),
            nodes: nodes(tree),
        }
    }

    /// The node of a CPU.
    pub fn node_of(&self, cpu: usize) -> Option<usize> {
        let node = self.nodes.iter().find(|node| node.cpus.contains(&cpu));
        node.map(|node| node.node)
    }
}

fn siblings(tree: &Tree) -> Vec<Vec<usize>> {
    let folder = "sys/devices/system/cpu";
    let mut cores = Vec::new();
    for cpu in tree.names(folder) {
        let list = tree.cpus(&format!("{folder}/{cpu}/topology/thread_siblings_list"));
        if let Some(list) = list.filter(|list| list.len() > 1)
            && !cores.contains(&list)
        {
            cores.push(list);
        }
    }
    cores.sort();
    cores
}

fn nodes(tree: &Tree) -> Vec<Node> {
    let folder = "sys/devices/system/node";
    let mut nodes = Vec::new();
    for name in tree.names(folder) {
        let number = name
            .strip_prefix("node")
            .and_then(|number| number.parse().ok());
        let Some(node) = number else { continue };
        let Some(cpus) = tree.cpus(&format!("{folder}/{name}/cpulist")) else {
            continue;
        };
        let memory = tree
            .text(&format!("{folder}/{name}/meminfo"))
            .unwrap_or_default();
        // "Node 0 MemTotal:       13461720 kB"
        let kb = |key: &str| {
            let value = field(&memory, &format!("Node {node} {key}"))?;
            value.strip_suffix("kB")?.trim().parse().ok()
        };
        nodes.push(Node {
            node,
            cpus,
            memory_total_kb: kb("MemTotal"),
            memory_free_kb: kb("MemFree"),
        });
    }
    nodes
}

/// The CPU set and the quota of this process's control group, of version 2 or 1.
fn control_group(tree: &Tree) -> (Option<Vec<usize>>, Option<u64>) {
    let groups = tree.text("proc/self/cgroup").unwrap_or_default();
    // "0::/system.slice/t8gate.service", "3:cpuset:/", "1:cpu,cpuacct:/"
    let path_of = |controller: &str| {
        let line = groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, names, path) = (parts.next()?, parts.next()?, parts.next()?);
            names
                .split(',')
                .any(|name| name == controller)
                .then_some(path)
        });
        // In a namespace of its own a group may lie above what is mounted.
        line.filter(|path| !path.contains(".."))
            .unwrap_or("/")
            .trim_end_matches('/')
    };
    // Only the root group has no bounds of its own, so the first that says something counts.
    let two = format!("sys/fs/cgroup{}", path_of(""));
    let set = tree.cpus(&format!("{two}/cpuset.cpus.effective"));
    let one = format!("sys/fs/cgroup/cpuset{}", path_of("cpuset"));
    let set = set.or_else(|| tree.cpus(&format!("{one}/cpuset.effective_cpus")));
    let quota = tree.text(&format!("{two}/cpu.max"));
    let quota = quota.as_deref().and_then(quota_of_two).or_else(|| {
        let one = format!("sys/fs/cgroup/cpu{}", path_of("cpu"));
        let quota: u64 = tree.number(&format!("{one}/cpu.cfs_quota_us"))?;
        millicpus(quota, tree.number(&format!("{one}/cpu.cfs_period_us"))?)
    });
    (set.filter(|set| !set.is_empty()), quota)
}

/// `200000 100000` is two CPUs, `max 100000` no bound.
fn quota_of_two(text: &str) -> Option<u64> {
    let (quota, period) = text.split_once(' ')?;
    millicpus(quota.parse().ok()?, period.parse().ok()?)
}

fn millicpus(quota_us: u64, period_us: u64) -> Option<u64> {
    quota_us.checked_mul(1_000)?.checked_div(period_us)
}
