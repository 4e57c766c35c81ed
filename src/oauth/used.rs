//! Assertions that have been used: each opens one request. All shards share what is known of one
//! client, and none of them waits for another.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};

use super::GrantFault;
use crate::authz::assertion::Assertion;
use crate::clock::UnixSeconds;
use crate::limits::ASSERTIONS_USED_MAX;
use crate::peer::{Client, ClientAuthentication};

/// Those of all clients that were registered for them since the start: whatever becomes of its
/// registration, or of the issuer, meanwhile, what a client has used stays used. They are as many
/// as operators have written down `client_id`s.
#[derive(Clone, Default)]
pub struct AllUsed(HashMap<String, Arc<Used>>);

impl AllUsed {
    /// These, and those of clients that are registered for the first time.
    #[must_use]
    pub fn with(&self, clients: &[Client]) -> Self {
        let mut all = self.clone();
        for Client {
            client_id,
            registration,
            ..
        } in clients
        {
            let authentication = registration.as_ref().map(|known| &known.authentication);
            if matches!(authentication, Some(ClientAuthentication::PrivateKeyJwt(_))) {
                all.0.entry(client_id.clone()).or_default();
            }
        }
        all
    }

    /// Those of one client.
    pub(super) fn of(&self, client_id: &str) -> Arc<Used> {
        let known = self.0.get(client_id);
        known.map_or_else(Arc::default, Arc::clone)
    }
}

/// Those of one client, for as long as they would be taken: what one uses up is nobody else's.
#[derive(Default)]
pub struct Used(ArcSwap<Vec<One>>);

#[derive(Clone, Copy)]
struct One {
    /// SHA-256 of its `jti`, which may be of any length.
    jti: [u8; 32],
    valid_until: UnixSeconds,
}

impl Used {
    /// Notes that an assertion is used now. Copies the list, 40 KiB at most, in place of a lock.
    ///
    /// # Errors
    /// It was used before; or so many were that no more can be told apart until the first of them
    /// has ended.
    //= RFC 7523 section 3
    //# A jti is known until its exp, and what comes with it again is refused.
    pub fn enter(&self, assertion: &Assertion, now: UnixSeconds) -> Result<(), GrantFault> {
        let hash = digest(&SHA256, assertion.jti.as_bytes());
        let mut one = One {
            jti: [0; 32],
            valid_until: assertion.valid_until,
        };
        one.jti.copy_from_slice(hash.as_ref());
        let mut entered = Ok(());
        // What the last of these rounds found is what was put in place.
        self.0.rcu(|known| {
            let mut left: Vec<One> = known.iter().copied().collect();
            left.retain(|known| known.valid_until >= now);
            entered = if left.iter().any(|known| known.jti == one.jti) {
                Err(GrantFault::AssertionReplayed)
            } else if left.len() >= ASSERTIONS_USED_MAX {
                let ends = left.iter().map(|known| known.valid_until.0).min();
                let wait_s = ends.unwrap_or_default().saturating_sub(now.0) + 1;
                let wait_s = u32::try_from(wait_s).unwrap_or(u32::MAX);
                Err(GrantFault::AssertionsExhausted(wait_s))
            } else {
                left.push(one);
                Ok(())
            };
            Arc::new(left)
        });
        entered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assertion(jti: usize, valid_until: u64) -> Assertion {
        Assertion {
            jti: jti.to_string(),
            valid_until: UnixSeconds(valid_until),
        }
    }

    //= RFC 7523 section 3 type=test
    //# A jti is taken once while its assertion is valid.
    #[test]
    fn assertion_is_used_once_for_as_long_as_it_would_be_taken() {
        let used = Used::default();
        assert_eq!(used.enter(&assertion(1, 100), UnixSeconds(50)), Ok(()));
        let again = used.enter(&assertion(1, 100), UnixSeconds(100));
        assert_eq!(again, Err(GrantFault::AssertionReplayed));
        // Another client's may be called the same.
        let other = Used::default();
        assert_eq!(other.enter(&assertion(1, 100), UnixSeconds(50)), Ok(()));
        // One of that name that is valid later is another one.
        assert_eq!(used.enter(&assertion(1, 200), UnixSeconds(101)), Ok(()));
    }

    #[test]
    fn what_can_no_longer_be_told_apart_is_refused_until_the_first_have_ended() {
        let used = Used::default();
        for jti in 0..ASSERTIONS_USED_MAX {
            used.enter(&assertion(jti, 100), UnixSeconds(50)).unwrap();
        }
        let next = assertion(ASSERTIONS_USED_MAX, 200);
        for (now, wait_s) in [(50, 51), (100, 1)] {
            let full = used.enter(&next, UnixSeconds(now));
            assert_eq!(full, Err(GrantFault::AssertionsExhausted(wait_s)));
        }
        assert_eq!(used.enter(&next, UnixSeconds(101)), Ok(()));
    }

    #[test]
    fn of_many_who_use_one_at_the_same_moment_one_is_served() {
        let used = Used::default();
        let begin = std::sync::Barrier::new(4);
        let attempt = |jti: usize| {
            begin.wait();
            used.enter(&assertion(jti, 100), UnixSeconds(50)).is_ok()
        };
        for jti in 0..50 {
            let served = std::thread::scope(|scope| {
                let all: Vec<_> = (0..4).map(|_| scope.spawn(|| attempt(jti))).collect();
                let all = all.into_iter().map(|one| one.join().unwrap());
                all.filter(|served| *served).count()
            });
            assert_eq!(served, 1);
        }
    }
}
