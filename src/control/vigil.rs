//! What is looked after while the gateway serves: the wall clock, the server's certificate, the
//! trust anchors of clients and the certificates that they have signed themselves, which key signs
//! the embedded issuer's tokens, and a token that did not sign.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use aws_lc_rs::rand;
use hsm::{PrivateKey, SignJob};
use tokio::sync::oneshot;

use super::anchors::{self, RENEW_S};
use super::own_certificates;
use crate::clock::{Millis, UnixMillis, UnixSeconds};
use crate::config::Fault;
use crate::oauth::Issuer;
use crate::signers::{Done, SignerState, Signers, Signs};
use crate::snapshot::{Anchor, OwnCertificate, Snapshot};

/// A wall clock that is off by more from what the monotonic one says has been set.
const JUMP_MS_MIN: u64 = 2_000;
/// Between two attempts to have a token sign that did not. Short enough that one that is back is
/// known to be within a second; a key that a signer process has lost is refused without a call.
const PROBE_EVERY: Duration = Duration::from_millis(250);
/// How long an attempt may wait for a thread.
const PROBE_WAIT: Duration = Duration::from_secs(2);
/// A thread that has been at one signature for so long is with a token that hangs.
const SIGNING_MS_MAX: u64 = 5_000;
/// Between two words about the same certificate.
const REMIND_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// The keys in tokens, the server's and the issuer's, for who may ask them again.
pub struct Watched {
    /// Weak: its threads end when the last shard lets go of them.
    pub signers: Weak<Signers>,
    pub keys: Vec<(Signs, Arc<PrivateKey>)>,
}

/// Which keys signed, of those that were asked again.
type Answers = Vec<(Signs, bool)>;

/// Looks after these things; to be called often.
pub struct Vigil {
    /// What the wall clock is ahead of the monotonic one.
    offset_ms: i128,
    /// End of the server's certificate.
    not_after: UnixSeconds,
    remind_at: Millis,
    anchors: Arc<[Anchor]>,
    /// When the first of them ends, for whoever asks on any thread.
    anchors_end: Arc<AtomicU64>,
    own_certificates: Arc<[OwnCertificate]>,
    /// The same of these: see [`own_certificates::first_end`].
    own_certificates_end: Arc<AtomicU64>,
    /// When all of these are spoken of again.
    warn_at: Millis,
    issuer: Option<Arc<Issuer>>,
    /// The key that signed the issuer's tokens as of the last look.
    signing_kid: Option<String>,
    token: Option<Watched>,
    state: Arc<SignerState>,
    /// A signature failed, as of the last look.
    failing: bool,
    probe: Option<oneshot::Receiver<Done<Answers>>>,
    probe_at: Millis,
}

impl Vigil {
    /// From now on. `not_after` is the end of the server's certificate.
    pub fn new(
        not_after: UnixSeconds,
        token: Option<Watched>,
        state: Arc<SignerState>,
        now: Millis,
        wall: UnixMillis,
    ) -> Self {
        Self {
            offset_ms: offset_ms(now, wall),
            not_after,
            remind_at: now,
            anchors: Arc::from([]),
            issuer: None,
            signing_kid: None,
            anchors_end: Arc::new(AtomicU64::new(u64::MAX)),
            own_certificates: Arc::from([]),
            own_certificates_end: Arc::new(AtomicU64::new(u64::MAX)),
            warn_at: now,
            token,
            state,
            failing: false,
            probe: None,
            probe_at: now,
        }
    }

    /// Looks once.
    pub fn turn(&mut self, now: Millis, wall: UnixMillis) {
        if let Some(jump_ms) = self.jumped(now, wall) {
            tracing::warn!(
                by_s = jump_ms / 1_000,
                hint = "tokens and certificates are judged by the wall clock, deadlines are not: \
                        see that NTP or chrony keeps it",
                "the wall clock was set"
            );
            // When certificates end is reckoned anew.
            self.remind_at = now;
            self.warn_at = now;
        }
        if let Some(kid) = self.successor(wall.seconds()) {
            tracing::info!(kid, "another key of the embedded issuer signs from now on");
        }
        self.remind(now, wall.seconds());
        self.warn_of_ends(now, wall.seconds());
        self.ask_again(now);
    }

    /// By how much the wall clock has been set since the last look, in milliseconds.
    fn jumped(&mut self, now: Millis, wall: UnixMillis) -> Option<i64> {
        let offset_ms = offset_ms(now, wall);
        let jump_ms = offset_ms - self.offset_ms;
        if jump_ms.unsigned_abs() < u128::from(JUMP_MS_MIN) {
            return None;
        }
        self.offset_ms = offset_ms;
        i64::try_from(jump_ms).ok()
    }

    /// Looks after another certificate and other keys from now on.
    pub fn look_after(&mut self, not_after: UnixSeconds, keys: Vec<(Signs, Arc<PrivateKey>)>) {
        if not_after != self.not_after {
            self.not_after = not_after;
            self.remind_at = Millis(0);
        }
        if let Some(token) = &mut self.token {
            token.keys = keys;
        }
    }

    /// Looks after what clients come in by from now on: these trust anchors, and these certificates
    /// that they have signed themselves. Speaks of them at the next look.
    pub fn look_after_clients(
        &mut self,
        anchors: &Arc<[Anchor]>,
        own_certificates: &Arc<[OwnCertificate]>,
        wall: UnixSeconds,
    ) {
        self.anchors = Arc::clone(anchors);
        self.own_certificates = Arc::clone(own_certificates);
        self.warn_at = Millis(0);
        self.note_ends(wall);
    }

    fn note_ends(&self, wall: UnixSeconds) {
        let anchors = self.anchors.iter().map(|anchor| anchor.not_after).min();
        let own_certificates = own_certificates::first_end(&self.own_certificates, wall);
        for (end, first) in [
            (&self.anchors_end, anchors),
            (&self.own_certificates_end, own_certificates),
        ] {
            let first = first.map_or(u64::MAX, |first| first.0);
            end.store(first, Ordering::Relaxed);
        }
    }

    /// Looks after which key of this issuer signs from now on.
    pub fn look_after_issuer(&mut self, issuer: Option<Arc<Issuer>>) {
        self.issuer = issuer;
    }

    /// The name of the key that signs in place of the one of the last look, if it is another.
    fn successor(&mut self, wall: UnixSeconds) -> Option<&str> {
        let kid = self.issuer.as_ref().map(|issuer| issuer.signing_kid(wall));
        if kid == self.signing_kid.as_deref() {
            return None;
        }
        let kid = kid.map(str::to_owned);
        let before = std::mem::replace(&mut self.signing_kid, kid);
        before.and(self.signing_kid.as_deref())
    }

    /// When the first trust anchor ends, in seconds since 1970: the highest number without any.
    pub fn anchors_end(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.anchors_end)
    }

    /// The same of the certificates that clients have signed themselves.
    pub fn own_certificates_end(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.own_certificates_end)
    }

    fn warn_of_ends(&mut self, now: Millis, wall: UnixSeconds) {
        if now < self.warn_at {
            return;
        }
        self.note_ends(wall);
        let warnings = self.anchors.iter();
        for fault in warnings.filter_map(|anchor| anchors::warning(anchor, wall)) {
            let Fault {
                key, what, cure, ..
            } = fault;
            tracing::warn!(key, hint = cure, "{what}");
        }
        for one in self.own_certificates.iter() {
            if let Some((what, hint)) = own_certificates::warning(one, wall) {
                let (key, client) = (own_certificates::KEY, &one.client);
                tracing::warn!(key, hint, "client {client}: {what}");
            }
        }
        let changes = [
            anchors::next_change(&self.anchors, wall),
            own_certificates::next_change(&self.own_certificates, wall),
        ];
        let wait = changes
            .into_iter()
            .flatten()
            .fold(REMIND_EVERY, Duration::min);
        self.warn_at = now.after(wait);
    }

    fn remind(&mut self, now: Millis, wall: UnixSeconds) {
        if now < self.remind_at || wall.0.saturating_add(RENEW_S) < self.not_after.0 {
            return;
        }
        self.remind_at = now.after(REMIND_EVERY);
        if self.not_after < wall {
            tracing::error!(
                hint = "put the new one in place of tls.certificate",
                "the server certificate has expired: clients refuse it"
            );
        } else {
            // Said again when it has come to that.
            let left_s = self.not_after.0 - wall.0 + 1;
            self.remind_at = self.remind_at.min(now.after(Duration::from_secs(left_s)));
            tracing::warn!(
                days = left_s / 86_400,
                hint = "renew it in time: put the new one in place of tls.certificate",
                "the server certificate ends soon"
            );
        }
    }

    /// A token that did not sign is asked again, also where no client makes it: somebody who looks
    /// at readiness may be keeping them away.
    fn ask_again(&mut self, now: Millis) {
        if std::mem::replace(&mut self.failing, self.state.last_failed()) && !self.failing {
            tracing::info!("the token signs again");
        }
        if let Some(probe) = &mut self.probe {
            match probe.try_recv() {
                Ok(done) => {
                    self.probe = None;
                    for (whose, signed) in done.value {
                        self.state.note(whose, signed);
                    }
                }
                Err(oneshot::error::TryRecvError::Closed) => self.probe = None,
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            return;
        }
        let Some(token) = &self.token else { return };
        let Some(signers) = token.signers.upgrade() else {
            return;
        };
        if signers.busy_ms(now) >= SIGNING_MS_MAX {
            for (whose, _) in &token.keys {
                self.state.note(*whose, false);
            }
        }
        if !self.state.last_failed() || now < self.probe_at {
            return;
        }
        self.probe_at = now.after(PROBE_EVERY);
        let failed = |(whose, _): &&(Signs, Arc<PrivateKey>)| self.state.failed(*whose);
        let keys: Vec<_> = token.keys.iter().filter(failed).cloned().collect();
        let ask = move || {
            let ask = |(whose, key): (Signs, Arc<PrivateKey>)| {
                key.revive();
                (whose, signs(&key))
            };
            keys.into_iter().map(ask).collect()
        };
        self.probe = signers.submit(now.after(PROBE_WAIT), ask).ok();
    }
}

/// The keys of a snapshot that are in tokens.
pub fn keys_in_tokens(snapshot: &Snapshot) -> Vec<(Signs, Arc<PrivateKey>)> {
    let own = snapshot.issuer.iter().flat_map(|issuer| issuer.signing());
    let own = own.map(|key| (Signs::Grant, key.private()));
    let keys = snapshot
        .keys()
        .map(|key| (Signs::Handshake, key))
        .chain(own);
    let in_tokens = keys.filter(|(_, key)| key.in_token());
    in_tokens
        .map(|(whose, key)| (whose, Arc::clone(key)))
        .collect()
}

fn signs(key: &PrivateKey) -> bool {
    let mut message = [0; 32];
    let Some(scheme) = key.schemes().first().copied() else {
        return false;
    };
    let job = |message| SignJob { scheme, message };
    rand::fill(&mut message).is_ok() && key.sign(job(&message)).is_ok()
}

fn offset_ms(now: Millis, wall: UnixMillis) -> i128 {
    i128::from(wall.0) - i128::from(now.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signers::Rank;

    fn vigil(not_after: u64) -> Vigil {
        let state = Arc::new(SignerState::default());
        let (now, wall) = (Millis(1_000), UnixMillis(1_000_000));
        Vigil::new(UnixSeconds(not_after), None, state, now, wall)
    }

    #[test]
    fn clock_that_is_set_is_told_once_and_one_that_runs_is_not() {
        let mut vigil = vigil(u64::MAX);
        assert_eq!(vigil.jumped(Millis(61_000), UnixMillis(1_060_500)), None);
        let forward = vigil.jumped(Millis(62_000), UnixMillis(4_661_000));
        assert_eq!(forward, Some(3_600_000));
        assert_eq!(vigil.jumped(Millis(63_000), UnixMillis(4_662_000)), None);
        let back = vigil.jumped(Millis(64_000), UnixMillis(0));
        assert_eq!(back, Some(-4_663_000));
    }

    #[test]
    fn certificate_is_spoken_of_when_it_ends_soon_and_again_when_it_has_ended() {
        let mut far = vigil(1_000 + RENEW_S + 10);
        far.remind(Millis(1_000), UnixSeconds(1_000));
        assert_eq!(far.remind_at, Millis(1_000), "nothing was said");
        far.remind(Millis(2_000), UnixSeconds(1_011));
        assert_eq!(far.remind_at, Millis(2_000).after(REMIND_EVERY));
        let mut near = vigil(1_060);
        near.remind(Millis(1_000), UnixSeconds(1_000));
        assert_eq!(near.remind_at, Millis(62_000), "when it ends");
        near.remind(Millis(62_000), UnixSeconds(1_061));
        assert_eq!(near.remind_at, Millis(62_000).after(REMIND_EVERY));
    }

    /// The clock is set to a time at which the certificate has ended: that is not found out only
    /// when its end would have come by waiting.
    #[test]
    fn certificate_is_looked_at_again_when_the_clock_is_set() {
        let mut vigil = vigil(1_060);
        vigil.turn(Millis(1_000), UnixMillis(1_000_000));
        assert_eq!(vigil.remind_at, Millis(62_000), "when it ends");
        vigil.turn(Millis(2_000), UnixMillis(1_101_000));
        assert_eq!(vigil.remind_at, Millis(2_000).after(REMIND_EVERY));
    }

    #[test]
    fn anchors_are_looked_at_when_told_daily_at_a_change_and_when_the_clock_is_set() {
        let mut vigil = vigil(u64::MAX);
        let anchor = |not_after| Anchor {
            thumbprint: crate::peer::Thumbprint([0; 32]),
            line: 0,
            key: "tls.client_ca".to_owned(),
            file: "ca.pem".into(),
            subject: "CN=CA".to_owned(),
            not_before: UnixSeconds(0),
            not_after: UnixSeconds(not_after),
        };
        let none: Arc<[OwnCertificate]> = Arc::from([]);
        let anchors = Arc::from([anchor(u64::MAX), anchor(1_060)]);
        vigil.look_after_clients(&anchors, &none, UnixSeconds(1_000));
        assert_eq!(vigil.anchors_end().load(Ordering::Relaxed), 1_060);
        vigil.turn(Millis(1_000), UnixMillis(1_000_000));
        assert_eq!(vigil.warn_at, Millis(62_000), "when it ends");
        vigil.turn(Millis(62_000), UnixMillis(1_061_000));
        assert_eq!(vigil.warn_at, Millis(62_000).after(REMIND_EVERY));
        vigil.turn(Millis(63_000), UnixMillis(1_000_000));
        assert_eq!(vigil.warn_at, Millis(124_000), "it is to come again");
        vigil.look_after_clients(&Arc::from([]), &none, UnixSeconds(1_000));
        assert_eq!(vigil.anchors_end().load(Ordering::Relaxed), u64::MAX);
        assert_eq!(vigil.warn_at, Millis(0));
    }

    #[test]
    fn own_certificates_of_clients_are_looked_at_as_anchors_are() {
        let mut vigil = vigil(u64::MAX);
        let one = |not_after| own_certificates::tests::one("acme", not_after);
        let said = |not_after, now| {
            let said = own_certificates::warning(&one(not_after), UnixSeconds(now));
            said.map_or(String::new(), |(what, _)| what)
        };
        let end = 1_000 + RENEW_S;
        assert_eq!(said(end, 999), "");
        let soon = "the self-signed certificate AB:CD in own.pem ends soon";
        assert_eq!(said(end, 1_000), soon);
        assert_eq!(said(end, end), soon);
        assert!(said(end, end + 1).contains("has expired"));
        let none: Arc<[Anchor]> = Arc::from([]);
        let two = Arc::from([one(u64::MAX - 1), one(1_060)]);
        vigil.look_after_clients(&none, &two, UnixSeconds(1_000));
        let first = vigil.own_certificates_end();
        let first = || first.load(Ordering::Relaxed);
        assert_eq!(first(), 1_060);
        vigil.turn(Millis(1_000), UnixMillis(1_000_000));
        assert_eq!(vigil.warn_at, Millis(62_000), "when it ends");
        vigil.turn(Millis(62_000), UnixMillis(1_061_000));
        assert_eq!(vigil.warn_at, Millis(62_000).after(REMIND_EVERY));
        assert_eq!(first(), u64::MAX - 1, "the other one's turn");
        // Two weeks before it does.
        let next = Arc::from([one(1_100 + RENEW_S)]);
        vigil.look_after_clients(&none, &next, UnixSeconds(1_062));
        vigil.turn(Millis(63_000), UnixMillis(1_062_000));
        assert_eq!(vigil.warn_at, Millis(63_000 + 38_000));
    }

    #[test]
    fn token_that_did_not_sign_is_asked_again_until_it_does() {
        let file = tempfile::NamedTempFile::new().expect("a folder for temporary files");
        let pair = rcgen::KeyPair::generate().expect("a key");
        std::fs::write(file.path(), pair.serialize_pem()).expect("our own file");
        let key = Arc::new(PrivateKey::from_pem_file(file.path()).expect("a key"));
        let (signers, _threads) = Signers::start(1, 1, Rank::Equal).expect("a thread");
        let state = Arc::new(SignerState::default());
        let token = Watched {
            signers: Arc::downgrade(&signers),
            keys: vec![(Signs::Handshake, key)],
        };
        let now = Millis::now();
        let mut vigil = Vigil::new(
            UnixSeconds(u64::MAX),
            Some(token),
            Arc::clone(&state),
            now,
            UnixMillis(0),
        );
        vigil.ask_again(now);
        assert!(vigil.probe.is_none(), "nothing is wrong");
        state.note(Signs::Handshake, false);
        vigil.ask_again(now);
        assert!(vigil.probe.is_some());
        for _ in 0..1_000 {
            vigil.ask_again(now);
            if !state.last_failed() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it signs, and nobody noticed");
    }
}
