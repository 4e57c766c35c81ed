//! The one place where this program asks for the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, for intervals.
#[allow(
    clippy::disallowed_methods,
    reason = "a measuring program has no clock but the machine's"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, for tokens.
#[allow(
    clippy::disallowed_methods,
    reason = "a measuring program has no clock but the machine's"
)]
pub fn unix_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Asks every 10 ms whether something has come about; false when it has not within `wait`.
pub fn wait_until(wait: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = now();
    while !done() {
        if start.elapsed() > wait {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
