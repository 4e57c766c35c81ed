//! How often processes are tried beside one that serves, to get a lost key back.

use std::time::{Duration, Instant};

/// A key that has been lost for longer is nobody's who waits for the token to be started again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two processes that are tried beside one that serves, then: each logs in to every token
/// and opens every session, and the HSM may be one that many gateways share.
const BESIDE_EVERY: Duration = Duration::from_secs(5);

/// Since when keys have been lost, and when a process was last tried for them.
#[derive(Default)]
pub struct Patience {
    lost_since: Option<Instant>,
    last: Option<Instant>,
}

impl Patience {
    /// Another key is lost, or none is any more: it is waited for anew, however long others have
    /// been away.
    pub fn anew(&mut self) {
        self.lost_since = None;
    }

    /// Whether a process may be tried now, which counts as one then.
    pub fn tries(&mut self, now: Instant) -> bool {
        let lost_since = *self.lost_since.get_or_insert(now);
        let long = now.saturating_duration_since(lost_since) > PATIENCE;
        let lately = |last: Instant| now.saturating_duration_since(last) < BESIDE_EVERY;
        let may = !(long && self.last.is_some_and(lately));
        if may {
            self.last = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::super::now;
    use super::*;

    #[test]
    fn processes_are_tried_often_for_a_minute_after_a_key_was_lost_and_seldom_then() {
        let begun = now();
        let mut patience = Patience::default();
        let mut tries = |seconds: f64| patience.tries(begun + Duration::from_secs_f64(seconds));
        assert!(tries(0.0) && tries(0.4) && tries(59.0) && tries(60.0));
        assert!(!tries(60.4) && !tries(64.9));
        assert!(tries(65.1) && !tries(69.9) && tries(600.0));
        patience.anew();
        let mut tries = |seconds: f64| patience.tries(begun + Duration::from_secs_f64(seconds));
        assert!(tries(601.0) && tries(601.4) && tries(661.0));
        assert!(!tries(661.4));
    }
}
