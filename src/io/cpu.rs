//! The CPU a thread runs on.

use std::io;

/// Binds the calling thread to one CPU.
///
/// # Errors
/// `EINVAL` for a CPU that does not exist or that the process may not use.
pub fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= usize::try_from(libc::CPU_SETSIZE).unwrap_or(0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: a CPU set is a plain array of bits, for which zero is a value; `CPU_SET` writes the
    // bit of a CPU that was just checked to be inside; the call reads the set and nothing else.
    // There is no safe way to bind a thread in std.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, std::mem::size_of::<libc::cpu_set_t>(), &raw const set)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
