//! What responders have said of clients' certificates: looked at in every handshake, by any shard,
//! without waiting; written by the one thread that asks responders.
//!
//! What is said of one certificate is a word that is replaced in place, so that an answer costs no
//! copy of anything. Whoever has a connection with a certificate holds its word, and it is asked
//! about again for as long as somebody does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use aws_lc_rs::digest::{Context, SHA256};
use tokio::sync::{mpsc, oneshot};

use super::{Answer, IssuerId, OcspFault, Status};
use crate::clock::UnixSeconds;
use crate::limits::{OCSP_STATUS_BUCKETS, OCSP_STATUSES_MAX};

/// SHA-256 over issuer and serial number: of one size, whatever the serial number.
type Key = [u8; 32];
type Bucket = HashMap<Key, Arc<Known>>;

/// What is known of certificates.
pub struct Statuses {
    /// Copied by whoever enters a certificate, and so kept short.
    buckets: Box<[ArcSwap<Bucket>]>,
    /// Where questions go; none while nobody asks.
    asking: ArcSwapOption<mpsc::Sender<Question>>,
}

/// What is to be asked of a responder, and who waits for it.
#[derive(Debug)]
pub struct Question {
    pub issuer: IssuerId,
    /// Content octets of the INTEGER.
    pub serial: Box<[u8]>,
    /// To be told, or dropped, when there is an answer or will be none.
    pub answered: oneshot::Sender<()>,
}

/// What was said of a certificate last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Told {
    /// There was no answer.
    Nothing = 0,
    Good = 1,
    Revoked = 2,
    /// The responder does not know it.
    Unknown = 3,
}

/// What follows for a certificate at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Revoked,
    /// Asked in vain a moment ago, or the responder does not know it, or nobody asks.
    Doubt,
    /// It can be asked about. Where it was revoked before and nobody answers, it is so still.
    ToBeAsked {
        revoked_before: bool,
    },
}

/// One certificate and what is known of it.
pub struct Known {
    pub issuer: IssuerId,
    /// Content octets of the INTEGER.
    pub serial: Box<[u8]>,
    key: Key,
    /// What was told, and in the lower bits until when that holds, in seconds since 1970.
    word: AtomicU64,
    /// When to ask again, in seconds since 1970.
    again_at: AtomicU64,
    /// When the newest answer so far says that it began, in seconds since 1970.
    newest: AtomicU64,
    /// Questions that went unanswered since the last answer.
    failures: AtomicU64,
}

const TOLD_SHIFT: u32 = 62;

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Known({:?})", self.told())
    }
}

impl Default for Statuses {
    fn default() -> Self {
        let empty = || ArcSwap::from_pointee(Bucket::new());
        Self {
            buckets: std::iter::repeat_with(empty)
                .take(OCSP_STATUS_BUCKETS)
                .collect(),
            asking: ArcSwapOption::empty(),
        }
    }
}

impl Statuses {
    /// Questions go there from now on.
    pub fn answered_by(&self, asking: mpsc::Sender<Question>) {
        self.asking.store(Some(Arc::new(asking)));
    }

    /// What is known of a certificate, for as long as the value is held.
    pub fn known(&self, issuer: IssuerId, serial: &[u8]) -> Option<Arc<Known>> {
        let key = key(issuer, serial);
        let bucket = self.bucket(&key)?.load();
        bucket.get(&key).cloned()
    }

    /// What follows for a certificate.
    pub fn verdict(&self, issuer: IssuerId, serial: &[u8], now: UnixSeconds) -> Verdict {
        let key = key(issuer, serial);
        let bucket = self.bucket(&key).map(ArcSwap::load);
        let known = bucket.as_ref().and_then(|bucket| bucket.get(&key));
        match known.map_or((Told::Nothing, UnixSeconds(0)), |known| known.told()) {
            (Told::Revoked, until) if now <= until => Verdict::Revoked,
            (Told::Good, until) if now <= until => Verdict::Good,
            (_, until) if now <= until => Verdict::Doubt,
            // Who was revoked when an answer ended is not trusted again because it ended.
            (Told::Revoked, _) if self.asking.load().is_none() => Verdict::Revoked,
            _ if self.asking.load().is_none() => Verdict::Doubt,
            (told, _) => Verdict::ToBeAsked {
                revoked_before: told == Told::Revoked,
            },
        }
    }

    /// Has a certificate asked about: what comes back yields when there is an answer, or will be
    /// none. None where nobody asks, or too much is being asked already.
    pub fn ask(&self, issuer: IssuerId, serial: &[u8]) -> Option<oneshot::Receiver<()>> {
        let asking = self.asking.load();
        let (answered, told) = oneshot::channel();
        let question = Question {
            issuer,
            serial: serial.into(),
            answered,
        };
        asking.as_ref()?.try_send(question).ok().map(|()| told)
    }

    /// The place for what is known of a certificate, made where there is none. For the one thread
    /// that asks. Where there are too many, what ends first goes, and before it what nobody holds
    /// and is not revoked.
    pub fn enter(&self, issuer: IssuerId, serial: &[u8]) -> Arc<Known> {
        let key = key(issuer, serial);
        let made = || {
            Arc::new(Known {
                issuer,
                serial: serial.into(),
                key,
                word: AtomicU64::new(0),
                again_at: AtomicU64::new(0),
                newest: AtomicU64::new(0),
                failures: AtomicU64::new(0),
            })
        };
        let Some(bucket) = self.bucket(&key) else {
            return made();
        };
        let held = bucket.load();
        if let Some(known) = held.get(&key) {
            return Arc::clone(known);
        }
        let known = made();
        let goes = match held.len() < OCSP_STATUSES_MAX / OCSP_STATUS_BUCKETS {
            true => None,
            false => held
                .values()
                .min_by_key(|known| (stays(known), known.told().1))
                .map(|known| known.key),
        };
        let mut next = (**held).clone();
        goes.and_then(|key| next.remove(&key));
        next.insert(key, Arc::clone(&known));
        drop(held);
        bucket.store(Arc::new(next));
        known
    }

    /// Forgets what has ended, is not revoked and nobody holds, and gives what somebody holds and
    /// is to be asked about again. For the one thread that asks.
    pub fn sweep(&self, now: UnixSeconds) -> Vec<Arc<Known>> {
        let mut due = Vec::new();
        for bucket in &self.buckets {
            let held = bucket.load();
            let over = |known: &Arc<Known>| !stays(known) && known.told().1 < now;
            let again = held
                .values()
                .filter(|known| is_held(known) && known.is_due(now));
            // Collected before the copy, which holds everything once more.
            let again: Vec<_> = again.cloned().collect();
            if held.values().any(over) {
                let stays = held.iter().filter(|(_, known)| !over(known));
                let next: Bucket = stays
                    .map(|(key, known)| (*key, Arc::clone(known)))
                    .collect();
                bucket.store(Arc::new(next));
            }
            due.extend(again);
        }
        due
    }

    /// Certificates of which something is known.
    pub fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.load().len()).sum()
    }

    /// Whether nothing is known of any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn bucket(&self, key: &Key) -> Option<&ArcSwap<Bucket>> {
        let [first, second, ..] = *key;
        let place = usize::from(u16::from_be_bytes([first, second]));
        self.buckets.get(place % OCSP_STATUS_BUCKETS)
    }
}

impl Known {
    /// What was told, and until when that holds.
    pub fn told(&self) -> (Told, UnixSeconds) {
        let word = self.word.load(Ordering::Acquire);
        let told = match word >> TOLD_SHIFT {
            1 => Told::Good,
            2 => Told::Revoked,
            3 => Told::Unknown,
            _ => Told::Nothing,
        };
        (told, UnixSeconds(word & ((1 << TOLD_SHIFT) - 1)))
    }

    /// Notes what was told. For the one thread that asks.
    pub fn note(&self, told: Told, until: UnixSeconds, again_at: UnixSeconds) {
        let until = until.0.min((1 << TOLD_SHIFT) - 1);
        let word = (told as u64) << TOLD_SHIFT | until;
        self.word.store(word, Ordering::Release);
        self.again_at.store(again_at.0, Ordering::Relaxed);
    }

    /// What an answer comes to after all that was told before; to be noted. For the one thread that
    /// asks.
    ///
    /// # Errors
    /// It is older than what was told, and whoever replays it would undo a revocation.
    //= RFC 6960 section 2.4
    //# thisUpdate is when what is said was known to be right: an earlier one is older news.
    pub fn hear(&self, answer: &Answer) -> Result<Told, OcspFault> {
        let (newest, begin) = (self.newest.load(Ordering::Relaxed), answer.this_update.0);
        let revoked = self.told().0 == Told::Revoked;
        let told = match answer.status {
            Status::Revoked { .. } => Told::Revoked,
            // Not to know a certificate any more is not to have made it good.
            Status::Unknown if revoked => Told::Revoked,
            Status::Unknown => Told::Unknown,
            Status::Good => Told::Good,
        };
        // Where both were said in one second, what is worse holds.
        if begin < newest || begin == newest && revoked && told == Told::Good {
            return Err(OcspFault::WentBack);
        }
        self.newest.store(begin, Ordering::Relaxed);
        Ok(told)
    }

    /// Puts the next question off. For the one thread that asks.
    pub fn put_off(&self, again_at: UnixSeconds) {
        self.again_at.store(again_at.0, Ordering::Relaxed);
    }

    /// Questions in vain since the last answer, with this one. For the one thread that asks.
    pub fn note_outcome(&self, answered: bool) -> u32 {
        let failures = match answered {
            true => 0,
            false => self.failures.load(Ordering::Relaxed) + 1,
        };
        self.failures.store(failures, Ordering::Relaxed);
        u32::try_from(failures).unwrap_or(u32::MAX)
    }

    fn is_due(&self, now: UnixSeconds) -> bool {
        self.again_at.load(Ordering::Relaxed) <= now.0
    }
}

/// Whether a connection holds it: a copy of its bucket that somebody reads still makes it look so
/// as well, for a moment, which costs a question at most.
fn is_held(known: &Arc<Known>) -> bool {
    Arc::strong_count(known) > 1
}

fn stays(known: &Arc<Known>) -> bool {
    is_held(known) || known.told().0 == Told::Revoked
}

fn key(issuer: IssuerId, serial: &[u8]) -> Key {
    let mut hash = Context::new(&SHA256);
    // The first is of one length, so that the two never run into one another.
    hash.update(&issuer.octets());
    hash.update(serial);
    let hash = hash.finish();
    hash.as_ref().try_into().expect("SHA-256 has 32 octets")
}

#[cfg(test)]
mod tests;
