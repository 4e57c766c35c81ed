//! Keeps the keys that issuers publish: looks at them again in good time, when a token names one
//! that is not among them, and goes on with what is known while an issuer does not answer. A
//! thread of its own; no shard ever waits for an issuer.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::rand;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, LocalSet, spawn_local};

use super::keys_fetch::{self, Found, Fresh, KeysFault, fetch};
use crate::authz::keys::Keys;
use crate::clock::{Millis, UnixSeconds};
use crate::io::cpu;
use crate::snapshot::{Current, KeysFrom};

#[cfg(test)]
mod tests;

/// Between two looks whether something is to be done.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Keys are not looked at more often, whatever tokens name: whoever makes names up is not to have
/// the issuer asked by it.
const MISSED_EVERY: Duration = Duration::from_secs(5);
/// After the first look in vain; twice that after the next, and so on.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// What an issuer says of how long its keys may be kept is heeded within these.
const KEEP_MIN: Duration = Duration::from_secs(10);
const KEEP_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Between two words about keys that cannot be had.
const REMIND_EVERY: Duration = Duration::from_secs(3_600);

/// Where keys come from that are kept, for whoever asks on any thread.
pub type KeysKept = ArcSwap<Vec<Arc<KeysFrom>>>;

/// Starts the thread where there are keys to keep, and ends it when it is dropped.
pub struct KeysKeeper {
    current: Arc<Current>,
    kept: Arc<KeysKept>,
    until: Option<oneshot::Sender<()>>,
}

/// An issuer's keys that are kept.
struct Kept {
    from: Arc<KeysFrom>,
    state: Rc<RefCell<State>>,
    task: AbortHandle,
}

/// What has become of looks at them.
struct State {
    /// What was said of the keys that are known.
    known: Option<Fresh>,
    /// When they are looked at again.
    look_at: Millis,
    looked_at: Millis,
    /// Looks in vain since the last one that was not.
    in_vain: u32,
    /// A token has named a key that was not among them.
    missed: bool,
    /// When it was last said that they cannot be had.
    said_at: Option<Millis>,
    /// They were not had for so long that they are not believed any more.
    given_up: bool,
}

impl KeysKeeper {
    /// For what is in force, and what will be.
    pub fn new(current: Arc<Current>) -> Self {
        Self {
            kept: Arc::new(KeysKept::from_pointee(current.load().keys_from.clone())),
            current,
            until: None,
        }
    }

    /// What is kept.
    pub fn kept(&self) -> Arc<KeysKept> {
        Arc::clone(&self.kept)
    }

    /// Starts the thread if what is in force asks for it and it does not run yet.
    ///
    /// # Errors
    /// The kernel's, where the thread cannot be had.
    pub fn start_where_needed(&mut self) -> io::Result<()> {
        if self.current.load().keys_from.is_empty() || self.until.is_some() {
            return Ok(());
        }
        let (until, told) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (current, kept) = (Arc::clone(&self.current), Arc::clone(&self.kept));
        let thread = std::thread::Builder::new().name("t8gate-keys".to_owned());
        thread.spawn(move || {
            if let Err(error) = cpu::step_back() {
                tracing::warn!(%error, "who fetches issuers' keys competes with shards");
            }
            let tasks = LocalSet::new();
            tasks.spawn_local(keep(current, kept));
            // Dropped at the end, whatever they are at.
            let _ = tasks.block_on(&runtime, told);
            drop(tasks);
            // A name may be being resolved still, which nobody can end.
            runtime.shutdown_background();
        })?;
        self.until = Some(until);
        Ok(())
    }
}

async fn keep(current: Arc<Current>, in_force: Arc<KeysKept>) {
    let mut kept: Vec<Kept> = Vec::new();
    loop {
        let wanted = current.load_full();
        let is_wanted = |kept: &mut Kept| {
            let mut wanted = wanted.keys_from.iter();
            wanted.any(|wanted| Arc::ptr_eq(wanted, &kept.from))
        };
        let gone: Vec<_> = kept.extract_if(.., |kept| !is_wanted(kept)).collect();
        gone.iter().for_each(|gone| gone.task.abort());
        for from in &wanted.keys_from {
            if kept.iter().any(|kept| Arc::ptr_eq(&kept.from, from)) {
                continue;
            }
            // A reload makes another of the same keys: what is known of them goes on.
            let same = gone
                .iter()
                .find(|gone| Arc::ptr_eq(&gone.from.keys, &from.keys));
            let state = match same {
                Some(same) => Rc::clone(&same.state),
                None => Rc::new(RefCell::new(State::new(from, Millis::now()))),
            };
            let (its, held, current) = (Arc::clone(from), Rc::clone(&state), Arc::clone(&current));
            let task = spawn_local(async move { keep_one(&its, &held, &current).await });
            kept.push(Kept {
                from: Arc::clone(from),
                state,
                task: task.abort_handle(),
            });
        }
        if kept.len() != in_force.load().len() || !gone.is_empty() {
            in_force.store(Arc::new(wanted.keys_from.clone()));
        }
        drop(wanted);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn keep_one(from: &KeysFrom, state: &RefCell<State>, current: &Current) {
    loop {
        let now = Millis::now();
        let due = state.borrow_mut().is_due(from.keys.take_missed(), now);
        if due {
            let known = state.borrow().known.clone();
            let found = fetch(from, known.as_ref()).await;
            let found = found.map(|found| take(from, found, current));
            note(from, &mut state.borrow_mut(), found);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Puts keys that are new in the place of those that were known.
fn take(from: &KeysFrom, found: Found, current: &Current) -> Fresh {
    match found {
        Found::Same(fresh) => fresh,
        Found::Keys(keys, fresh) => {
            put(from, keys, current);
            fresh
        }
    }
}

fn put(from: &KeysFrom, keys: Keys, current: &Current) {
    let before = from.keys.keys();
    if before.as_ref().is_some_and(|before| before.same_as(&keys)) {
        return;
    }
    let snapshot = current.load();
    let mut issuers = snapshot.issuers.iter();
    let own = issuers.find(|rules| Arc::ptr_eq(rules.keys(), &from.keys));
    if let Some((what, hint)) = keys_fetch::shared(&keys, own, snapshot.issuers.iter()) {
        tracing::warn!(issuer = from.issuer, hint, "{what}");
    }
    let (count, before) = (keys.len(), before.map_or(0, |before| before.len()));
    let gone = from.keys.replace(Some(keys));
    tracing::info!(
        issuer = from.issuer,
        keys = count,
        before,
        gone,
        "an issuer's keys are others now"
    );
}

/// Says and counts what has come of a look, and when the next one is.
fn note(from: &KeysFrom, state: &mut State, found: Result<Fresh, KeysFault>) {
    let now = Millis::now();
    match found {
        Ok(fresh) => {
            from.fetches.note_had(UnixSeconds::now());
            if state.in_vain > 0 {
                tracing::info!(issuer = from.issuer, "an issuer's keys are to be had again");
            }
            state.had(fresh, from.refresh, now);
        }
        Err(why) => {
            keys_fetch::note_fault(&from.fetches, &why);
            let had_at = from.fetches.had_at.load(Ordering::Relaxed);
            let age = UnixSeconds::now().0.saturating_sub(had_at);
            if state.not_had(now) {
                let (what, hint) = keys_fetch::not_had(&why);
                let issuer = &from.issuer;
                let known = from.keys.keys().is_some();
                tracing::error!(issuer, place = %from.place, %why, known, hint, "{what}");
            }
            if from.keys.keys().is_some() && age > from.max_age.as_secs() && !state.given_up {
                state.given_up = true;
                tracing::error!(
                    issuer = from.issuer,
                    age_s = age,
                    hint = "issuer.keys_max_age says how long they are believed",
                    "an issuer's keys are too old to be believed: its tokens are not taken"
                );
                from.keys.replace(None);
                // Nothing is known that could be what it was.
                state.known = None;
            }
        }
    }
}

impl State {
    /// Of keys that have just been fetched for the first time, or should have been.
    fn new(from: &KeysFrom, now: Millis) -> Self {
        let wait = match from.keys.keys() {
            Some(_) => kept_for(from.fetches.first_kept.get().copied(), from.refresh),
            None => RETRY_AFTER,
        };
        Self {
            known: None,
            look_at: now.after(wait),
            looked_at: now,
            in_vain: u32::from(from.keys.keys().is_none()),
            missed: false,
            said_at: None,
            given_up: false,
        }
    }

    /// Whether the keys are to be looked at now: then they are.
    fn is_due(&mut self, missed: bool, now: Millis) -> bool {
        self.missed |= missed;
        let for_a_token = self.missed && self.looked_at.after(MISSED_EVERY) <= now;
        let due = self.look_at <= now || for_a_token;
        if due {
            (self.looked_at, self.missed) = (now, false);
        }
        due
    }

    fn had(&mut self, fresh: Fresh, refresh: Duration, now: Millis) {
        self.look_at = now.after(kept_for(fresh.keep.left(), refresh));
        self.known = Some(fresh);
        (self.in_vain, self.said_at, self.given_up) = (0, None, false);
    }

    /// Whether that is to be said.
    fn not_had(&mut self, now: Millis) -> bool {
        let doubled = RETRY_AFTER.saturating_mul(1 << self.in_vain.min(16));
        self.look_at = now.after(with_jitter(doubled.min(RETRY_AFTER_MAX)));
        self.in_vain = self.in_vain.saturating_add(1);
        let said = self
            .said_at
            .is_some_and(|said| now < said.after(REMIND_EVERY));
        if !said {
            self.said_at = Some(now);
        }
        !said
    }
}

/// How long keys are kept of which this is said.
fn kept_for(said: Option<Duration>, refresh: Duration) -> Duration {
    with_jitter(said.unwrap_or(refresh).clamp(KEEP_MIN, KEEP_MAX))
}

/// Up to a tenth less, so that a fleet does not ask at one moment.
fn with_jitter(wait: Duration) -> Duration {
    let mut random = [0];
    // Without random octets there is no jitter, and nothing else amiss.
    let _ = rand::fill(&mut random);
    wait - wait * u32::from(random[0]) / 2_560
}
