//! Failed authentications at the embedded issuer, counted by the certificate of the connection.

use std::collections::HashMap;

use crate::clock::UnixSeconds;
use crate::limits::{GRANT_FAILURES_KNOWN_MAX, GRANT_FAILURES_MAX, GRANT_FAILURES_WINDOW_S};
use crate::peer::Thumbprint;

/// Those of one shard's clients.
#[derive(Default)]
pub struct Failures(HashMap<Thumbprint, Window>);

/// The failures of one certificate since its first one of late.
struct Window {
    count: u32,
    /// The first second that is no part of it.
    ends: UnixSeconds,
}

impl Failures {
    /// Whether more may be asked for with this certificate.
    ///
    /// # Errors
    /// Seconds until it may again.
    //= RFC 6749 section 2.3.1
    //# Guessing at a client's credentials is bounded.
    pub fn admit(&self, certificate: Thumbprint, now: UnixSeconds) -> Result<(), u32> {
        match self.0.get(&certificate) {
            Some(window) if window.ends > now && window.count >= GRANT_FAILURES_MAX => {
                Err(wait(window.ends, now))
            }
            _ => Ok(()),
        }
    }

    /// Counts one.
    ///
    /// # Errors
    /// Of too many certificates at once failures are counted: seconds until it is worth while to
    /// come again.
    pub fn note(&mut self, certificate: Thumbprint, now: UnixSeconds) -> Result<(), u32> {
        let ends = UnixSeconds(now.0.saturating_add(GRANT_FAILURES_WINDOW_S));
        if !self.0.contains_key(&certificate) && self.0.len() >= GRANT_FAILURES_KNOWN_MAX {
            self.0.retain(|_, window| window.ends > now);
            if self.0.len() >= GRANT_FAILURES_KNOWN_MAX {
                return Err(wait(ends, now));
            }
        }
        let window = self
            .0
            .entry(certificate)
            .or_insert(Window { count: 0, ends });
        if window.ends <= now {
            *window = Window { count: 0, ends };
        }
        window.count = window.count.saturating_add(1);
        Ok(())
    }
}

fn wait(until: UnixSeconds, now: UnixSeconds) -> u32 {
    u32::try_from(until.0.saturating_sub(now.0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: u16) -> Thumbprint {
        let mut thumbprint = [0; 32];
        thumbprint[..2].copy_from_slice(&name.to_be_bytes());
        Thumbprint(thumbprint)
    }

    //= RFC 6749 section 2.3.1 type=test
    //# After so many failures of one certificate it has to wait, and others have not.
    #[test]
    fn certificate_that_fails_too_often_waits_until_its_minute_is_over() {
        let mut failures = Failures::default();
        for at in 0..u64::from(GRANT_FAILURES_MAX) {
            assert_eq!(failures.admit(of(1), UnixSeconds(100 + at)), Ok(()));
            failures.note(of(1), UnixSeconds(100 + at)).unwrap();
        }
        let end = 100 + GRANT_FAILURES_WINDOW_S;
        assert_eq!(failures.admit(of(1), UnixSeconds(110)), Err(50));
        assert_eq!(failures.admit(of(1), UnixSeconds(end - 1)), Err(1));
        assert_eq!(failures.admit(of(2), UnixSeconds(110)), Ok(()));
        assert_eq!(failures.admit(of(1), UnixSeconds(end)), Ok(()));
        // A new minute begins with the next failure.
        failures.note(of(1), UnixSeconds(end)).unwrap();
        assert_eq!(failures.admit(of(1), UnixSeconds(end)), Ok(()));
    }

    #[test]
    fn table_is_bounded_and_makes_room_when_minutes_are_over() {
        let mut failures = Failures::default();
        for name in 0..GRANT_FAILURES_KNOWN_MAX {
            let name = u16::try_from(name).unwrap();
            failures.note(of(name), UnixSeconds(100)).unwrap();
        }
        let one_more = of(u16::MAX);
        let full = failures.note(one_more, UnixSeconds(100));
        assert_eq!(full, Err(u32::try_from(GRANT_FAILURES_WINDOW_S).unwrap()));
        // Who has not failed is served all the same.
        assert_eq!(failures.admit(one_more, UnixSeconds(100)), Ok(()));
        let later = UnixSeconds(100 + GRANT_FAILURES_WINDOW_S);
        assert_eq!(failures.note(one_more, later), Ok(()));
    }
}
