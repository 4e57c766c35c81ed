//! `memory.huge_pages`: what the allocator asks the kernel for. It reads that from the environment
//! before `main`, so a process that was started with other words starts itself again.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::config::{Config, Fault, HugePages};
use crate::machine::{Memory, Tree};

/// What the allocator maps at once, 1 GiB, in pages of 2 MiB.
const PAGES_AT_ONCE: u64 = 512;

/// The allocator's variable and its value; none where its own default is meant.
fn words(wanted: HugePages) -> Option<(&'static str, &'static str)> {
    match wanted {
        HugePages::Transparent => None,
        HugePages::Off => Some(("MIMALLOC_ALLOW_THP", "0")),
        HugePages::Reserved => Some(("MIMALLOC_ALLOW_LARGE_OS_PAGES", "1")),
    }
}

fn is_said((name, value): (&str, &str)) -> bool {
    std::env::var_os(name).is_some_and(|said| said == value)
}

/// Starts this process again in its own place where the allocator has to be told something, and
/// does not come back then: same process id, descriptors and arguments. To be called before there
/// is anything that would be lost.
///
/// # Errors
/// The program could not be started again.
pub fn prepare(config: &Config) -> Result<(), Fault> {
    let wanted = config.memory.huge_pages.value;
    let Some(words) = words(wanted).filter(|words| !is_said(*words)) else {
        return Ok(());
    };
    if obstacle(config).is_some() {
        // It is told with whatever else is in the way.
        return Ok(());
    }
    let error = again(words);
    Err(fault(
        config,
        format!("the gateway could not start itself again: {error}"),
        "set this in the environment of the process, and it need not: \
         MIMALLOC_ALLOW_THP=0 for \"off\", MIMALLOC_ALLOW_LARGE_OS_PAGES=1 for \"reserved\"",
    ))
}

/// Comes back only with an error.
fn again((name, value): (&str, &str)) -> io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let mut arguments = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env(name, value).exec()
}

/// Why the pages that are wanted are not to be had.
pub fn obstacle(config: &Config) -> Option<Fault> {
    let wanted = config.memory.huge_pages.value;
    let words = words(wanted).filter(|_| wanted == HugePages::Reserved)?;
    let tree = Tree::new(Path::new("/"));
    let cure = "set aside 512 free pages of 2 MiB at least (sysctl vm.nr_hugepages), on each \
                memory node that has a shard, or set memory.huge_pages = \"transparent\"";
    if is_said(words) {
        let got = reserved_in_use_kb(&tree);
        return (got == 0).then(|| fault(config, "the allocator has got no reserved pages", cure));
    }
    let free = Memory::read(&tree).free_2m();
    (free < PAGES_AT_ONCE).then(|| {
        let what = format!(
            "{free} reserved pages of 2 MiB are free, and the allocator takes {PAGES_AT_ONCE} at \
             once"
        );
        fault(config, what, cure)
    })
}

/// Memory of this process in reserved pages.
fn reserved_in_use_kb(tree: &Tree) -> u64 {
    let sums = tree.text("proc/self/smaps_rollup").unwrap_or_default();
    let kb = |line: &str| -> Option<u64> {
        let rest = line.strip_prefix("Private_Hugetlb:")?;
        rest.strip_suffix("kB")?.trim().parse().ok()
    };
    sums.lines().filter_map(kb).sum()
}

fn fault(config: &Config, what: impl Into<String>, cure: &str) -> Fault {
    Fault {
        line: config.memory.huge_pages.line,
        key: "memory.huge_pages".to_owned(),
        what: what.into(),
        cure: cure.to_owned(),
    }
}
