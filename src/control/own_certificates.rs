//! The certificates that clients have signed themselves: which of them have ended or soon will, and
//! what is said of those. The client is out with the last of them, and no CA tells the operator.

use std::collections::HashMap;
use std::time::Duration;

use super::anchors::{RENEW_S, first_to_come};
use crate::clock::UnixSeconds;
use crate::snapshot::OwnCertificate;

/// What names their files.
pub const KEY: &str = "self_signed_tls_client_auth";

/// What is to be said of one at this time, and what to do about it; nothing of one that is well
/// within its own.
pub fn warning(one: &OwnCertificate, now: UnixSeconds) -> Option<(String, &'static str)> {
    let (said, cure) = if one.not_after < now {
        (
            "has expired, and lets nobody in",
            "take it out, and register the one that the client uses now",
        )
    } else if one.not_after.0 <= now.0.saturating_add(RENEW_S) {
        (
            "ends soon",
            "register the client's next certificate beside it: both are taken",
        )
    } else {
        return None;
    };
    let (called, file) = (&one.called, one.file.display());
    let what = format!("the self-signed certificate {called} in {file} {said}");
    Some((what, cure))
}

/// How long it takes until something else is to be said of one of them.
pub fn next_change(all: &[OwnCertificate], now: UnixSeconds) -> Option<Duration> {
    let changes = all.iter().flat_map(|one| {
        let end = one.not_after.0;
        [end.saturating_sub(RENEW_S), end.saturating_add(1)]
    });
    first_to_come(changes, now)
}

/// When the first of them ends that holds. What a client has changed away from may stand beside its
/// next one for years, and hides no other; where none of a client's holds, its last one counts: it
/// is out.
pub fn first_end(all: &[OwnCertificate], now: UnixSeconds) -> Option<UnixSeconds> {
    let mut ends = HashMap::new();
    for one in all {
        let end = ends.entry(&one.client).or_insert(one.not_after);
        *end = match now <= one.not_after.min(*end) {
            true => one.not_after.min(*end),
            false => one.not_after.max(*end),
        };
    }
    ends.into_values().min()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn one(client: &str, not_after: u64) -> OwnCertificate {
        OwnCertificate {
            client: client.to_owned(),
            file: "own.pem".into(),
            called: "AB:CD".to_owned(),
            not_after: UnixSeconds(not_after),
        }
    }

    #[test]
    fn one_that_has_ended_counts_only_where_its_client_has_none_that_holds() {
        let all = [
            one("acme", 1_000),
            one("globex", 3_000),
            one("acme", 4_000),
            one("acme", 2_000),
        ];
        let first = |now| first_end(&all, UnixSeconds(now)).map(|end| end.0);
        assert_eq!(first(1_000), Some(1_000), "in its last second");
        assert_eq!(first(1_001), Some(2_000));
        assert_eq!(first(2_001), Some(3_000));
        assert_eq!(first(3_001), Some(3_000), "globex is out");
        assert_eq!(first(4_001), Some(3_000));
        assert_eq!(
            first_end(&all[..1], UnixSeconds(5_000)),
            Some(UnixSeconds(1_000))
        );
        assert_eq!(first_end(&[], UnixSeconds(0)), None);
    }
}
