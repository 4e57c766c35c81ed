//! Network interfaces: their queues, and which CPUs get what arrives.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tree::{Tree, printable};

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nic {
    pub name: String,
    /// Has a device behind it; a bridge or the end of a container's pair has none.
    pub physical: bool,
    /// Not said to be down; some drivers never say.
    pub up: bool,
    pub driver: Option<String>,
    pub speed_mbps: Option<u64>,
    /// The memory node it is attached to.
    pub node: Option<usize>,
    pub rx_queues: usize,
    pub tx_queues: usize,
    /// CPUs that receiving is spread to by software (RPS), all queues together; empty: off.
    pub rps_cpus: Vec<usize>,
    /// CPUs that have a transmit queue of their own by choice (XPS); empty: off.
    pub xps_cpus: Vec<usize>,
    pub interrupts: Vec<Interrupt>,
}

/// One interrupt of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interrupt {
    pub irq: u32,
    /// What its driver calls it: `eth0-TxRx-3`.
    pub name: String,
    /// Where it is delivered.
    pub cpus: Vec<usize>,
}

impl Interrupt {
    /// Whether it may tell of received packets, going by the names that drivers use.
    fn may_tell_of_packets(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        let other = [
            "config", "async", "misc", "event", "output", "cmd", "mgmt", "mgmnt",
        ];
        let sends_only = name.contains("tx") && !name.contains("rx");
        !sends_only && other.iter().all(|word| !name.contains(word))
    }

    /// Whether its name says so: `eth0-TxRx-3`, `virtio2-input.0`, `mlx5_comp3@pci:...`.
    fn is_named_for_packets(&self, nic: &str) -> bool {
        // An interface may be called compute0.
        let name = self.name.strip_prefix(nic).unwrap_or(&self.name);
        let name = name.to_ascii_lowercase();
        let words = ["rx", "input", "comp"];
        self.may_tell_of_packets() && words.iter().any(|word| name.contains(word))
    }
}

impl Nic {
    /// All but the loopback, and but what is neither a device nor up.
    pub fn read_all(tree: &Tree) -> Vec<Self> {
        let names = interrupt_names(&tree.text("proc/interrupts").unwrap_or_default());
        let nics = tree.names("sys/class/net").into_iter();
        let nics = nics.filter(|name| name != "lo");
        nics.filter_map(|name| Self::read(tree, &name, &names))
            .collect()
    }

    fn read(tree: &Tree, name: &str, names: &BTreeMap<u32, String>) -> Option<Self> {
        let at = format!("sys/class/net/{name}");
        let physical = tree.has(&format!("{at}/device"));
        let up = tree.text(&format!("{at}/operstate"))? != "down";
        if !physical && !up {
            return None;
        }
        let queues = tree.names(&format!("{at}/queues"));
        let count = |kind| {
            queues
                .iter()
                .filter(|queue| queue.starts_with(kind))
                .count()
        };
        let union = |kind: &str, file: &str| {
            let queues = queues.iter().filter(|queue| queue.starts_with(kind));
            let masks =
                queues.filter_map(|queue| tree.mask(&format!("{at}/queues/{queue}/{file}")));
            sorted(masks.flatten().collect())
        };
        Some(Self {
            name: printable(name),
            physical,
            up,
            driver: tree.link_name(&format!("{at}/device/driver")),
            // -1 where the driver does not know.
            speed_mbps: tree.number(&format!("{at}/speed")),
            node: tree.number(&format!("{at}/device/numa_node")),
            rx_queues: count("rx-"),
            tx_queues: count("tx-"),
            rps_cpus: union("rx-", "rps_cpus"),
            xps_cpus: union("tx-", "xps_cpus"),
            interrupts: interrupts(tree, &at, names),
        })
    }

    /// The CPUs on which the kernel handles what arrives here; empty where that is not to be seen.
    pub fn receiving_cpus(&self) -> Vec<usize> {
        if !self.rps_cpus.is_empty() {
            return self.rps_cpus.clone();
        }
        let irqs = self.interrupts.iter();
        let (named, others): (Vec<_>, Vec<_>) = irqs
            .filter(|irq| irq.may_tell_of_packets())
            .partition(|irq| irq.is_named_for_packets(&self.name));
        // Drivers that name their queues give others a plain name: ixgbe has one `eth0` beside
        // `eth0-TxRx-0`.
        let telling = if named.is_empty() { others } else { named };
        let cpus = telling.iter().flat_map(|irq| irq.cpus.iter().copied());
        sorted(cpus.collect())
    }
}

fn sorted(mut cpus: Vec<usize>) -> Vec<usize> {
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

/// The interrupts of a device; those of a virtio device are its parent's on the PCI bus.
fn interrupts(tree: &Tree, at: &str, names: &BTreeMap<u32, String>) -> Vec<Interrupt> {
    let own = tree.names(&format!("{at}/device/msi_irqs"));
    let numbers = if own.is_empty() {
        tree.names(&format!("{at}/device/../msi_irqs"))
    } else {
        own
    };
    let mut found = Vec::new();
    for irq in numbers
        .iter()
        .filter_map(|number| number.parse::<u32>().ok())
    {
        // An interrupt that nobody has asked for is in the folder and not in the list.
        let Some(name) = names.get(&irq) else {
            continue;
        };
        let cpus = tree.cpus(&format!("proc/irq/{irq}/effective_affinity_list"));
        let cpus = cpus.or_else(|| tree.cpus(&format!("proc/irq/{irq}/smp_affinity_list")));
        found.push(Interrupt {
            irq,
            name: name.clone(),
            cpus: cpus.unwrap_or_default(),
        });
    }
    found.sort_by_key(|interrupt| interrupt.irq);
    found
}

/// ` 38:  0  2589  PCI-MSIX-0000:00:03.0  1-edge  virtio2-input.0`: number and last word.
fn interrupt_names(table: &str) -> BTreeMap<u32, String> {
    let lines = table.lines().filter_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let name = rest.split_whitespace().next_back()?;
        Some((number.trim().parse().ok()?, printable(name)))
    });
    lines.collect()
}
