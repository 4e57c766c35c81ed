//! `memory.huge_pages`: what the allocator asks the kernel for. It reads that from the environment
//! before `main`, so a process that was started with other words starts itself again.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::thread::disable_transparent_huge_pages;

use crate::config::{Config, Fault, HugePages, Until};
use crate::machine::{Memory, PAGES_AT_ONCE, Tree};

/// The allocator's variables.
const TRANSPARENT: &str = "MIMALLOC_ALLOW_THP";
const RESERVED: &str = "MIMALLOC_ALLOW_LARGE_OS_PAGES";

/// The allocator's variable and the value it is to have, where `said` has another. The allocator
/// takes transparent pages by itself, where it is not told otherwise.
fn words(
    wanted: HugePages,
    said: impl Fn(&str) -> Option<OsString>,
) -> Option<(&'static str, &'static str)> {
    let (name, value) = match wanted {
        HugePages::Transparent => (TRANSPARENT, "1"),
        HugePages::Off => (TRANSPARENT, "0"),
        HugePages::Reserved => (RESERVED, "1"),
    };
    let is_said = match said(name) {
        Some(said) => said == value,
        None => wanted == HugePages::Transparent,
    };
    (!is_said).then_some((name, value))
}

fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Starts this process again in its own place where the allocator has to be told something, and
/// does not come back then: same process id, descriptors and arguments. To be called before there
/// is anything that would be lost.
///
/// # Errors
/// The program could not be started again.
pub fn prepare(config: &Config) -> Result<(), Fault> {
    let wanted = config.memory.huge_pages.value;
    let Some(words) = words(wanted, environment) else {
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
         MIMALLOC_ALLOW_THP=0 for \"off\" and 1 for \"transparent\", \
         MIMALLOC_ALLOW_LARGE_OS_PAGES=1 for \"reserved\"",
    ))
}

/// Comes back only with an error.
fn again((name, value): (&str, &str)) -> io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    if (name, value) == (TRANSPARENT, "1") {
        // The allocator had the kernel switch them off for this process, and that outlives exec.
        if let Err(error) = disable_transparent_huge_pages(false) {
            return error.into();
        }
    }
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
    if wanted != HugePages::Reserved {
        return None;
    }
    let tree = Tree::new(Path::new("/"));
    let cure = "set aside 512 free pages of 2 MiB at least (sysctl vm.nr_hugepages), on each \
                memory node that has a shard, or set memory.huge_pages = \"transparent\"";
    if words(wanted, environment).is_none() {
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
        file: None,
        line: config.memory.huge_pages.line,
        key: "memory.huge_pages".to_owned(),
        what: what.into(),
        cure: cure.to_owned(),
        until: Until::Back,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_is_told_what_it_would_not_do_by_itself() {
        let with = |wanted, value: Option<&str>| {
            let said = value.map(OsString::from);
            words(wanted, |_| said.clone())
        };
        assert_eq!(with(HugePages::Transparent, None), None, "its own default");
        assert_eq!(with(HugePages::Transparent, Some("1")), None);
        let other = Some((TRANSPARENT, "1"));
        assert_eq!(with(HugePages::Transparent, Some("0")), other);
        assert_eq!(with(HugePages::Transparent, Some("off")), other);
        assert_eq!(with(HugePages::Off, None), Some((TRANSPARENT, "0")));
        assert_eq!(with(HugePages::Off, Some("0")), None);
        assert_eq!(with(HugePages::Reserved, None), Some((RESERVED, "1")));
        assert_eq!(with(HugePages::Reserved, Some("1")), None);
    }
}
