//! What of a machine stands in the way of a gateway with given shards: said at the start, once,
//! where it is harmless; what is not harmless is refused elsewhere.

use super::cpu_list::show;
use super::{Machine, Operation, PAGES_AT_ONCE, Quota};

/// What the configuration asks of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// CPUs that have a shard.
    pub shards: &'a [usize],
    /// Connections are to go to the shard of the CPU that received them.
    pub steering: bool,
    /// Transparent huge pages are to be used where the kernel gives them.
    pub transparent_pages: bool,
    /// Reserved pages are yet to be taken.
    pub reserved_pages: bool,
}

/// One thing that costs something, and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    pub what: String,
    pub hint: &'static str,
}

/// Everything there is to say of a machine and the operations of its rings, in no order of weight.
/// What is not to be seen is not spoken of.
pub fn remarks(machine: &Machine, operations: &[Operation], wanted: Wanted<'_>) -> Vec<Remark> {
    let all = [
        operations_missing(operations),
        no_aes(machine),
        quota(machine, wanted),
        siblings(machine, wanted),
        isolated_unused(machine, wanted),
        pages_refused(machine, wanted),
        pages_too_few(machine, wanted),
    ];
    let mut found: Vec<Remark> = all.into_iter().flatten().collect();
    found.extend(nics(machine, wanted));
    found
}

fn no_aes(machine: &Machine) -> Option<Remark> {
    let features = machine.processor.features?;
    (!features.aes || !features.pclmulqdq).then(|| Remark {
        what: "the CPU has no AES instructions: a record costs many times as much".to_owned(),
        hint: "in a virtual machine, pass the host's CPU features through",
    })
}

fn operations_missing(operations: &[Operation]) -> Option<Remark> {
    let missing = operations.iter().filter(|one| one.used && !one.there);
    let missing: Vec<&str> = missing.map(|one| one.name).collect();
    (!missing.is_empty()).then(|| Remark {
        what: format!("io_uring lacks what shards submit: {}", missing.join(" ")),
        hint: "run it on Linux 6.0 or newer",
    })
}

/// A shard that is throttled stands still for the rest of the period, and all its clients with it.
fn quota(machine: &Machine, wanted: Wanted<'_>) -> Option<Remark> {
    let Quota::Millicpus(quota) = machine.cpus.quota else {
        return None;
    };
    let shards = u64::try_from(wanted.shards.len()).unwrap_or(u64::MAX);
    (quota < shards.saturating_mul(1_000)).then(|| Remark {
        what: format!(
            "the control group grants {}.{:02} CPUs to {shards} shards: they will be throttled",
            quota / 1_000,
            quota % 1_000 / 10
        ),
        hint: "grant as many CPUs as there are shards, or name fewer in listen.cpus",
    })
}

fn siblings(machine: &Machine, wanted: Wanted<'_>) -> Option<Remark> {
    let shared = machine.cpus.siblings.iter().filter_map(|core| {
        let shards: Vec<usize> = core
            .iter()
            .copied()
            .filter(|cpu| wanted.shards.contains(cpu))
            .collect();
        (shards.len() > 1).then(|| show(&shards))
    });
    let shared: Vec<String> = shared.collect();
    let (first, count) = (shared.first()?, shared.len());
    Some(Remark {
        what: format!("{count} cores are shared by shards, the first by those on CPUs {first}"),
        hint: "two threads of a core do less than two cores: name one CPU of each in listen.cpus",
    })
}

/// The scheduler keeps isolated CPUs out of a process's affinity, so "all" does not mean them.
fn isolated_unused(machine: &Machine, wanted: Wanted<'_>) -> Option<Remark> {
    let isolated = machine.cpus.isolated.as_ref()?;
    let used = isolated.iter().any(|cpu| wanted.shards.contains(cpu));
    (!isolated.is_empty() && !used).then(|| Remark {
        what: format!(
            "CPUs {} are isolated, and no shard is on them",
            show(isolated)
        ),
        hint: "where they are meant for the gateway, widen its affinity (CPUAffinity=) and name \
               them in listen.cpus",
    })
}

fn pages_refused(machine: &Machine, wanted: Wanted<'_>) -> Option<Remark> {
    let never = machine.memory.transparent.as_deref() == Some("never");
    (wanted.transparent_pages && never).then(|| Remark {
        what: "the kernel gives no transparent huge pages".to_owned(),
        hint: "write madvise to /sys/kernel/mm/transparent_hugepage/enabled, or set \
               memory.huge_pages = \"off\"",
    })
}

/// `serve` refuses to start then; this says it before.
fn pages_too_few(machine: &Machine, wanted: Wanted<'_>) -> Option<Remark> {
    let free = machine.memory.free_2m();
    (wanted.reserved_pages && free < PAGES_AT_ONCE).then(|| Remark {
        what: format!(
            "{free} reserved pages of 2 MiB are free, and a gateway that starts takes \
             {PAGES_AT_ONCE} at once or is refused"
        ),
        hint: "set more aside (sysctl vm.nr_hugepages), or set memory.huge_pages = \
               \"transparent\"",
    })
}

fn nics(machine: &Machine, wanted: Wanted<'_>) -> Vec<Remark> {
    let mut found = Vec::new();
    let shard_nodes: Vec<usize> = {
        let nodes = wanted
            .shards
            .iter()
            .filter_map(|cpu| machine.cpus.node_of(*cpu));
        nodes.collect()
    };
    // Nothing arrives at one that is down.
    for nic in machine.nics.iter().filter(|nic| nic.physical && nic.up) {
        let receiving = nic.receiving_cpus();
        let strays: Vec<usize> = {
            let strays = receiving.iter().filter(|cpu| !wanted.shards.contains(cpu));
            strays.copied().collect()
        };
        if wanted.steering && !strays.is_empty() {
            found.push(Remark {
                what: format!(
                    "{} is received on CPUs {}, of which {} have no shard: what arrives there \
                     goes to any",
                    nic.name,
                    show(&receiving),
                    show(&strays)
                ),
                hint: "send the interrupts of its queues to the shards' CPUs \
                       (/proc/irq/N/smp_affinity_list)",
            });
        }
        if wanted.steering && receiving.len() == 1 && wanted.shards.len() > 1 {
            found.push(Remark {
                what: format!(
                    "{} is received on CPU {} alone: with listen.steering = \"cpu\" one shard \
                     gets all that comes from it",
                    nic.name,
                    show(&receiving)
                ),
                hint: "give it as many queues as there are shards (ethtool -L), or set \
                       listen.steering = \"off\"",
            });
        }
        if let Some(node) = nic.node
            && machine.cpus.nodes.len() > 1
            && !shard_nodes.is_empty()
            && !shard_nodes.contains(&node)
        {
            found.push(Remark {
                what: format!(
                    "{} is attached to node {node}, and no shard is there",
                    nic.name
                ),
                hint: "name CPUs of that node in listen.cpus",
            });
        }
    }
    found
}
