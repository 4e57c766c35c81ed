//! The two clocks. Pure rooms take the time as an argument; only the code that owns a loop asks
//! for it, here.

// The one place that `clippy.toml` sends everybody else to.
#![allow(clippy::disallowed_methods)]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

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
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        let passed = START.get_or_init(Instant::now).elapsed();
        Self(u64::try_from(passed.as_millis()).unwrap_or(u64::MAX))
    }

    /// This time and `wait` later, [`Millis::NEVER`] where that cannot be said.
    #[must_use]
    pub fn after(self, wait: std::time::Duration) -> Self {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(wait_ms))
    }
}
