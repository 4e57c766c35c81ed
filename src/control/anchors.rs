//! The trust anchors that clients' certificates come from: which of them are out of time or soon
//! will be, and what is said of those.
//!
//! An anchor is trusted because it is configured, for as long as it is: path validation does not
//! ask for its validity, and a gateway that did would shut out all clients of a partner at once.
//! So it is the operator who has to be told.

use std::collections::HashSet;
use std::time::Duration;

use x509_parser::prelude::{FromDer, X509Certificate};

use super::load::{certificates, client_ca_key};
use crate::clock::UnixSeconds;
use crate::config::{Config, Fault, Until};
use crate::peer::Thumbprint;
use crate::snapshot::Anchor;

/// How long before its end a certificate is spoken of, in seconds.
pub const RENEW_S: u64 = 14 * 86_400;

/// All that are configured, each once. What cannot be read is not among them: that is a fault, and
/// told as one.
pub fn configured(config: &Config) -> Vec<Anchor> {
    let mut known = HashSet::new();
    let mut anchors = Vec::new();
    for partner in &config.partners {
        let (at, key) = (&partner.client_ca, client_ca_key(partner));
        for der in certificates(at, &key).unwrap_or_default() {
            let Ok((_, certificate)) = X509Certificate::from_der(&der) else {
                continue;
            };
            let validity = certificate.validity();
            let seconds = |time: i64| UnixSeconds(u64::try_from(time).unwrap_or(0));
            let anchor = Anchor {
                line: at.line,
                key: key.clone(),
                file: at.value.clone(),
                subject: certificate.subject().to_string(),
                thumbprint: Thumbprint::of(&der),
                not_before: seconds(validity.not_before.timestamp()),
                not_after: seconds(validity.not_after.timestamp()),
            };
            if known.insert(der) {
                anchors.push(anchor);
            }
        }
    }
    anchors
}

/// What is to be said of an anchor at this time; nothing of one that is well within its own.
//= RFC 5280 section 6.1
//# The trust anchor is an input of path validation: what has to be valid are the certificates
//# below it.
pub fn warning(anchor: &Anchor, now: UnixSeconds) -> Option<Fault> {
    let (said, cure) = if anchor.not_after < now {
        (
            "has expired, and its clients are let in all the same",
            "take it out once its clients have certificates of another CA: it is trusted for as \
             long as it is configured",
        )
    } else if now < anchor.not_before {
        (
            "is not valid yet, and its clients are let in all the same",
            "see whether this is the right file, and whether the clock is right",
        )
    } else if anchor.not_after.0 <= now.0.saturating_add(RENEW_S) {
        (
            "ends soon",
            "put the CA's next certificate beside it in time: clients of both are let in",
        )
    } else {
        return None;
    };
    let (file, subject) = (anchor.file.display(), &anchor.subject);
    Some(Fault {
        file: None,
        line: anchor.line,
        key: anchor.key.clone(),
        what: format!("the trust anchor {subject} in {file} {said}"),
        cure: cure.to_owned(),
        until: Until::Mended,
    })
}

/// How long it takes until something else is to be said of one of them.
pub fn next_change(anchors: &[Anchor], now: UnixSeconds) -> Option<Duration> {
    let changes = anchors.iter().flat_map(|anchor| {
        let soon = anchor.not_after.0.saturating_sub(RENEW_S);
        [
            anchor.not_before.0,
            soon,
            anchor.not_after.0.saturating_add(1),
        ]
    });
    first_to_come(changes, now)
}

/// How long it takes until the first of these moments, seconds since 1970, that is not past.
pub fn first_to_come(moments: impl Iterator<Item = u64>, now: UnixSeconds) -> Option<Duration> {
    let to_come = moments.filter(|at| *at > now.0);
    to_come.min().map(|at| Duration::from_secs(at - now.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(not_before: u64, not_after: u64) -> Anchor {
        Anchor {
            line: 7,
            key: "tls.client_ca".to_owned(),
            file: "ca.pem".into(),
            subject: "CN=A CA".to_owned(),
            thumbprint: Thumbprint([0; 32]),
            not_before: UnixSeconds(not_before),
            not_after: UnixSeconds(not_after),
        }
    }

    //= RFC 5280 section 6.1 type=test
    #[test]
    fn anchor_is_spoken_of_before_its_time_near_its_end_and_behind_it() {
        let (begin, end) = (1_000, 1_000 + 10 * RENEW_S);
        let anchor = anchor(begin, end);
        for (now, word) in [
            (begin - 1, Some("is not valid yet")),
            (begin, None),
            (end - RENEW_S - 1, None),
            (end - RENEW_S, Some("ends soon")),
            (end, Some("ends soon")),
            (end + 1, Some("has expired")),
        ] {
            let said = warning(&anchor, UnixSeconds(now)).map(|fault| fault.what);
            assert_eq!(said.is_some(), word.is_some(), "{now}: {said:?}");
            let whole = word.is_none_or(|word| {
                said.is_some_and(|said| said.contains("CN=A CA in ca.pem") && said.contains(word))
            });
            assert!(whole, "{now}: {word:?}");
        }
    }

    #[test]
    fn next_change_is_the_first_that_is_to_come() {
        let end = 1_000 + 10 * RENEW_S;
        let anchors = [anchor(1_000, end), anchor(500, u64::MAX)];
        let after = |now| next_change(&anchors, UnixSeconds(now)).map(|wait| wait.as_secs());
        assert_eq!(after(400), Some(100));
        assert_eq!(after(500), Some(500));
        assert_eq!(after(1_000), Some(9 * RENEW_S));
        assert_eq!(after(end), Some(1));
        assert_eq!(next_change(&anchors[..1], UnixSeconds(end + 1)), None);
    }
}
