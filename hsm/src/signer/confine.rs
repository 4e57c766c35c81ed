//! What a signer process gives up before it loads the vendor's library.
//!
//! A library that is broken into finds a process that can open the HSM, which is what it is for,
//! and no way to start programs, to look into other processes, to load code into the kernel, or to
//! get back rights it does not have. System calls are allowed but for a list, because what vendors'
//! libraries need is not ours to know.

#![allow(unsafe_code)]

use std::collections::BTreeMap;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getpid, kill_process, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{set_name, set_no_new_privs};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// Denied with `EPERM`.
const DENIED: &[libc::c_long] = &[
    // Programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    // File systems and name spaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // The kernel and the machine.
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    // Keys of others.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
];

/// Confines the process as far as this machine allows; what it does not is said in words. To be
/// called before there is another thread.
pub fn confine() -> Vec<String> {
    let mut lacks = Vec::new();
    let mut need = |what: &str, done: Result<(), String>| {
        if let Err(why) = done {
            lacks.push(format!("{what}: {why}"));
        }
    };
    let plain = |done: rustix::io::Result<()>| done.map_err(|error| error.to_string());
    let _ = set_name(c"t8gate-signer");
    ignore_requests_to_end();
    need("descriptors of others stay open", close_descriptors());
    let kill = Some(Signal::KILL);
    need(
        "it may outlive the gateway",
        plain(set_parent_process_death_signal(kill)),
    );
    need("it may gain privileges", plain(set_no_new_privs(true)));
    let hidden = DumpableBehavior::NotDumpable;
    need(
        "others may read its memory",
        plain(set_dumpable_behavior(hidden)),
    );
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    need(
        "it may leave a core",
        plain(setrlimit(Resource::Core, none)),
    );
    need("it may make any system call", deny_system_calls());
    lacks
}

/// Who ends it is the gateway, by closing the control socket; a service manager that tells all
/// processes at once would take the token away from handshakes that are to be finished.
fn ignore_requests_to_end() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: no handler is installed that could run; to ignore a signal is always defined.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Closes all descriptors but the standard ones: sockets of clients, files, and PINs of others that
/// whoever started the gateway left open for it.
fn close_descriptors() -> Result<(), String> {
    // SAFETY: no descriptor above 2 is owned by anything yet: this runs first of all.
    let closed = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    match closed {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error().to_string()),
    }
}

fn deny_system_calls() -> Result<(), String> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|e| e.to_string())?;
    let rules: BTreeMap<_, _> = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, architecture);
    let program: BpfProgram = filter
        .and_then(TryInto::try_into)
        .map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

/// Ends the process without calling into anything that may hang.
pub fn end_now() -> ! {
    loop {
        // It cannot be refused: a process may always kill itself.
        let _ = kill_process(getpid(), Signal::KILL);
    }
}
