//! The certificates that clients have signed themselves: which of them have ended or soon will, and
//! what is said of those. The client is out with the last of them, and no CA tells the operator.

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
