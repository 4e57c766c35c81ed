//! The two clocks. Pure rooms take the time as an argument; only the code that owns a loop asks
//! for it, here.

// The one place that `clippy.toml` sends everybody else to.
#![allow(clippy::disallowed_methods)]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Wall-clock time, whole seconds since 1970 (`NumericDate` without its fraction).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// The wall clock now; a clock before 1970 reads as zero, which no token is valid at.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self(since.map_or(0, |passed| passed.as_secs()))
    }
}

/// Monotonic milliseconds since the process first asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// No deadline: later than any clock gets.
    pub const NEVER: Self = Self(u64::MAX);

    /// Reads the monotonic clock.
    pub fn now() -> Self {
        Self(u64::try_from(since_start().as_millis()).unwrap_or(u64::MAX))
    }

    /// This time and `wait` later, [`Millis::NEVER`] where that cannot be said.
    #[must_use]
    pub fn after(self, wait: std::time::Duration) -> Self {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(wait_ms))
    }
}

/// Monotonic nanoseconds since the process first asked: for latencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nanos(pub u64);

impl Nanos {
    /// Reads the monotonic clock.
    pub fn now() -> Self {
        Self(u64::try_from(since_start().as_nanos()).unwrap_or(u64::MAX))
    }

    /// What the calling thread has used of a CPU so far, whoever else used it meanwhile: not to be
    /// compared with other times. A system call.
    pub fn of_this_thread() -> Self {
        let used = clock_gettime(ClockId::ThreadCPUTime);
        let (s, ns) = (u64::try_from(used.tv_sec), u64::try_from(used.tv_nsec));
        Self(s.unwrap_or(0) * 1_000_000_000 + ns.unwrap_or(0))
    }

    /// Nanoseconds from `earlier` to this time; 0 where it is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Wall-clock time, milliseconds since 1970: for records that people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The wall clock now; a clock before 1970 reads as zero.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since.map_or(0, |passed| passed.as_millis());
        Self(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    /// The same without its fraction.
    pub fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0 / 1_000)
    }
}

fn since_start() -> std::time::Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
