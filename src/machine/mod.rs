//! The machine this runs on: what `/proc` and `/sys` say of it, read below any root, so that a
//! machine can be made up for a test; what the kernel answers when asked; and what of it matters
//! to a gateway with given shards.

use std::path::Path;

use serde::Serialize;

pub mod cpu_list;
mod memory;
mod nic;
mod processor;
pub mod rates;
mod remarks;
mod ring;
mod topology;
mod tree;

pub use memory::{Memory, PAGES_AT_ONCE, Reserved};
pub use nic::{Interrupt, Nic};
pub use processor::{Features, Processor};
pub use remarks::{Remark, Wanted, remarks};
pub use ring::{Operation, Ring};
pub use topology::{Node, Quota, Topology};
pub use tree::Tree;

/// What files say of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// As the kernel names itself: `6.18.4`.
    pub kernel: Option<String>,
    pub processor: Processor,
    pub cpus: Topology,
    pub memory: Memory,
    pub nics: Vec<Nic>,
    /// Upper layers that TCP has at hand now; a module may bring more when it is asked for.
    pub tcp_layers: Vec<String>,
}

impl Machine {
    /// Reads everything below a root; `/` is this machine.
    pub fn read(root: &Path) -> Self {
        let tree = Tree::new(root);
        let layers = tree.text("proc/sys/net/ipv4/tcp_available_ulp");
        let layers = layers.unwrap_or_default();
        let layers = layers.split_whitespace().map(tree::printable);
        Self {
            kernel: tree
                .text("proc/sys/kernel/osrelease")
                .as_deref()
                .map(tree::printable),
            processor: Processor::read(&tree),
            cpus: Topology::read(&tree),
            memory: Memory::read(&tree),
            nics: Nic::read_all(&tree),
            tcp_layers: layers.collect(),
        }
    }
}

#[cfg(test)]
mod tests;
