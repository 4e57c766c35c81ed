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
    /// CPU time that the control group and those above it grant.
    pub quota: Quota,
    /// CPUs of one core, where it has more than one.
    pub siblings: Vec<Vec<usize>>,
    /// Empty where `/sys` is not to be seen.
    pub nodes: Vec<Node>,
}

/// CPU time that is granted to a control group. The tighter is the lesser, and what says nothing
/// the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quota {
    /// So many thousandths of a CPU.
    Millicpus(u64),
    Unbounded,
    /// Not to be seen here: there may be a bound.
    #[default]
    Unseen,
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
        let (cpuset, quota) = control_group(tree);
        Self {
            online: online.unwrap_or_else(|| allowed.clone()),
            allowed,
            isolated: tree.cpus("sys/devices/system/cpu/isolated"),
            nohz_full: tree.cpus("sys/devices/system/cpu/nohz_full"),
            cpuset,
            quota,
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
fn control_group(tree: &Tree) -> (Option<Vec<usize>>, Quota) {
    let groups = tree.text("proc/self/cgroup").unwrap_or_default();
    // "0::/system.slice/t8gate.service", "3:cpuset:/", "1:cpu,cpuacct:/"
    let group_of = |controller: &str, mount: &'static str| {
        let line = groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, names, path) = (parts.next()?, parts.next()?, parts.next()?);
            names
                .split(',')
                .any(|name| name == controller)
                .then_some(path)
        });
        // In a namespace of its own a group may lie above what is mounted, and in a container its
        // path may be the host's where its own group is the root of what is mounted.
        let path = line.filter(|path| !path.contains(".."));
        let path = path.unwrap_or("/").trim_end_matches('/');
        let path = if tree.has(&format!("{mount}{path}")) {
            path
        } else {
            ""
        };
        (mount, path)
    };
    let (mount, path) = group_of("", "sys/fs/cgroup");
    let set = tree.cpus(&format!("{mount}{path}/cpuset.cpus.effective"));
    let set = set.or_else(|| {
        let (mount, path) = group_of("cpuset", "sys/fs/cgroup/cpuset");
        tree.cpus(&format!("{mount}{path}/cpuset.effective_cpus"))
    });
    let two = quota_in((mount, path), |group| quota_of_two(tree, group));
    let one = quota_in(group_of("cpu", "sys/fs/cgroup/cpu"), |group| {
        quota_of_one(tree, group)
    });
    let quota = two.min(one).min(unbounded_root(tree));
    (set.filter(|set| !set.is_empty()), quota)
}

/// The tightest of a group and all above it: each is throttled with those that it is in.
fn quota_in((mount, path): (&str, &str), of: impl Fn(&str) -> Quota) -> Quota {
    let ends = path.match_indices('/').map(|(end, _)| end);
    let groups = ends.chain([path.len()]).map(|end| &path[..end]);
    let quotas = groups.map(|group| of(&format!("{mount}{group}")));
    quotas.min().unwrap_or_default()
}

/// The root of all groups has the controller and no bound; one that a container takes for the
/// root has a bound, or no controller.
fn unbounded_root(tree: &Tree) -> Quota {
    let controllers = tree.text("sys/fs/cgroup/cgroup.controllers");
    let controllers = controllers.unwrap_or_default();
    let has_cpu = controllers.split_whitespace().any(|name| name == "cpu");
    if has_cpu && !tree.has("sys/fs/cgroup/cpu.max") {
        Quota::Unbounded
    } else {
        Quota::Unseen
    }
}

/// `200000 100000` is two CPUs, `max 100000` no bound.
fn quota_of_two(tree: &Tree, group: &str) -> Quota {
    let text = tree.text(&format!("{group}/cpu.max")).unwrap_or_default();
    match text.split_once(' ') {
        Some(("max", _)) => Quota::Unbounded,
        Some((quota, period)) => millicpus(quota.parse().ok(), period.parse().ok()),
        None => Quota::Unseen,
    }
}

/// Two files, and -1 for no bound.
fn quota_of_one(tree: &Tree, group: &str) -> Quota {
    let quota: Option<i64> = tree.number(&format!("{group}/cpu.cfs_quota_us"));
    match quota {
        Some(-1) => Quota::Unbounded,
        quota => millicpus(
            quota.and_then(|quota| quota.try_into().ok()),
            tree.number(&format!("{group}/cpu.cfs_period_us")),
        ),
    }
}

fn millicpus(quota_us: Option<u64>, period_us: Option<u64>) -> Quota {
    let granted = quota_us.zip(period_us).and_then(|(quota, period)| {
        let thousandths = quota.checked_mul(1_000)?;
        thousandths.checked_div(period)
    });
    granted.map_or(Quota::Unseen, Quota::Millicpus)
}
