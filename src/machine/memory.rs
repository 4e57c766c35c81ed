//! Pages of more than 4 KiB, and how much may be locked.

use serde::Serialize;

use super::tree::{Tree, printable};

/// Reserved pages of 2 MiB that the allocator takes at once: it maps 1 GiB.
pub const PAGES_AT_ONCE: u64 = 512;

/// What the kernel gives in pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// `always`, `madvise` or `never`; None where the kernel has none or does not say.
    pub transparent: Option<String>,
    /// Set aside at boot or by `vm.nr_hugepages`; empty where the kernel has none or does not say.
    pub reserved: Vec<Reserved>,
    /// `RLIMIT_MEMLOCK` of this process as the kernel writes it: bytes, or `unlimited`.
    pub locked_max: Option<String>,
}

/// Pages of one size that are set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reserved {
    pub page_kb: u64,
    pub total: u64,
    pub free: u64,
}

impl Memory {
    pub fn read(tree: &Tree) -> Self {
        let folder = "sys/kernel/mm/hugepages";
        let sizes = tree.names(folder).into_iter().filter_map(|name| {
            let size = name.strip_prefix("hugepages-")?.strip_suffix("kB")?;
            Some(Reserved {
                page_kb: size.parse().ok()?,
                total: tree.number(&format!("{folder}/{name}/nr_hugepages"))?,
                free: tree.number(&format!("{folder}/{name}/free_hugepages"))?,
            })
        });
        let mut reserved: Vec<Reserved> = sizes.collect();
        reserved.sort_by_key(|pages| pages.page_kb);
        let limits = tree.text("proc/self/limits").unwrap_or_default();
        let locked = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max locked memory"));
        let locked_max = locked
            .and_then(|rest| rest.split_whitespace().next())
            .map(printable);
        Self {
            transparent: tree.chosen("sys/kernel/mm/transparent_hugepage/enabled"),
            reserved,
            locked_max,
        }
    }

    /// Free pages of 2 MiB that are set aside.
    pub fn free_2m(&self) -> u64 {
        let pages = self.reserved.iter().find(|pages| pages.page_kb == 2_048);
        pages.map_or(0, |pages| pages.free)
    }
}
