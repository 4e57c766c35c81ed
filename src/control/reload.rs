//! A changed configuration into force: on SIGHUP, or when one of its files has changed. All of it
//! is built anew, or nothing changes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::attempt::{Attempt, Cause, Ground, Outcome, Prepared, Refused};
use self::lists::Going;
pub use self::lists::Sources;
use self::watched::Watched;
pub use self::watched::{Stamps, examine};
use super::crl_keeper::CrlKeeper;
use super::introspection;
use super::keys_keeper::KeysKeeper;
use super::ocsp_keeper::OcspKeeper;
use super::revocation_notes::Notes;
use super::{revocation, revocation_notes};
use crate::clock::{Millis, UnixSeconds};
use crate::config::{Config, Fault};
use crate::snapshot::{ClientNames, Current, Snapshot};

/// Between two attempts at a configuration that tokens alone stood in the way of.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// Within which every shard has adopted a snapshot, whatever request it is at.
const SHARDS_WAIT: Duration = Duration::from_secs(1);
/// Within which they all have looked for one, as they do every 25 ms: what comes next waits for no
/// more than this.
const SHARDS_LOOK: Duration = Duration::from_millis(50);
/// Between two looks whether there is something to do.
const TURN_EVERY: Duration = Duration::from_millis(20);
/// What is said of a reload waits so long for the lists that are looked at with it: a list of a
/// million takes two seconds.
const LISTS_WAIT: Duration = Duration::from_secs(10);
/// Attempts that wait for what may never come, beside the one that is under way.
const GIVEN_UP_MAX: usize = 4;
/// Faults of tokens that are said, each once, while a reload is tried again and again.
const SAID_MAX: usize = 64;

mod attempt;
mod lists;
#[cfg(test)]
mod tests;
mod watched;

/// What became of reloads so far, for whoever asks on any thread.
#[derive(Debug, Default)]
pub struct Reloads {
    applied: AtomicU64,
    refused: AtomicU64,
    last_refused: AtomicU64,
}

impl Reloads {
    /// How many came into force.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }

    /// How many were refused for a fault.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether the last one came into force; true before the first.
    pub fn last_applied(&self) -> bool {
        self.last_refused.load(Ordering::Relaxed) == 0
    }

    fn note(&self, applied: bool) {
        let count = if applied {
            &self.applied
        } else {
            &self.refused
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.last_refused
            .store(u64::from(!applied), Ordering::Relaxed);
    }
}

/// Watches the files of what is in force, and replaces it.
pub struct Reloader {
    /// As in force: what takes a restart is as it was at the start.
    config: Arc<Config>,
    current: Arc<Current>,
    names: Arc<ClientNames>,
    /// How many adopt what is put into force.
    shards: usize,
    reloads: Arc<Reloads>,
    certificate_not_after: Arc<AtomicU64>,
    /// Told when other lists are to be kept, or files are to be looked at.
    crl_keeper: Arc<CrlKeeper>,
    /// Where it has lists from.
    sources: Arc<Sources>,
    /// Lists that go when no shard goes by them any more.
    going: Option<Going>,
    /// To be started once there is something to ask.
    ocsp_keeper: OcspKeeper,
    /// Told of what is revoked by file.
    notes: Arc<Notes>,
    keys_keeper: KeysKeeper,
    /// Of questions about opaque tokens.
    asked: Arc<introspection::Counts>,
    watched: Watched,
    look_at: Millis,
    /// When a reload is tried again that was refused for faults of tokens only.
    retry_at: Option<Millis>,
    /// What was said of that so far.
    said: Vec<Fault>,
    under_way: Option<Attempt>,
    /// Given up for newer ones, and not at their ends yet.
    given_up: Vec<JoinHandle<Outcome>>,
    /// It was said that the next reload waits for these.
    waits: bool,
    unsaid: Option<Unsaid>,
}

/// A reload that is in force, and of which that is said when every shard goes by it and the lists
/// are that it had looked at.
struct Unsaid {
    why: &'static str,
    /// Until when shards are waited for.
    adopted_by: Millis,
    /// Hangs up then; none where nothing is looked at.
    looked: Option<Receiver<()>>,
    by: Millis,
}

impl Unsaid {
    fn is_read(&self) -> bool {
        let is_read = |looked: &Receiver<()>| looked.try_recv() != Err(TryRecvError::Empty);
        self.looked.as_ref().is_none_or(is_read)
    }
}

impl Reloader {
    /// For what has been started with `config`, which was `read` from these files, with lists from
    /// these sources.
    /// `certificate_not_after` is told when the server's certificate ends, in seconds since 1970.
    /// The keepers of statuses and of issuers' keys end with this.
    pub fn new(
        (config, (read, sources)): (Config, (Stamps, Sources)),
        (current, names, shards): (Arc<Current>, Arc<ClientNames>, usize),
        (reloads, asked): (Arc<Reloads>, Arc<introspection::Counts>),
        certificate_not_after: Arc<AtomicU64>,
        (crl_keeper, ocsp_keeper, keys_keeper): (Arc<CrlKeeper>, OcspKeeper, KeysKeeper),
        notes: Arc<Notes>,
        now: Millis,
    ) -> Self {
        Self {
            notes,
            certificate_not_after,
            crl_keeper,
            sources: Arc::new(sources),
            going: None,
            ocsp_keeper,
            keys_keeper,
            asked,
            watched: Watched::new(read),
            look_at: now,
            retry_at: None,
            said: Vec::new(),
            under_way: None,
            given_up: Vec::new(),
            waits: false,
            unsaid: None,
            config: Arc::new(config),
            current,
            names,
            shards,
            reloads,
        }
    }

    /// Starts a thread that reloads when `told`, and when files have changed, until `ending`. It is
    /// waited for by nobody, since a token may hold it up; its end before that is a panic.
    ///
    /// # Errors
    /// The kernel's, where the thread cannot be had.
    pub fn start(
        mut self,
        told: Arc<AtomicBool>,
        ending: Arc<AtomicBool>,
    ) -> io::Result<JoinHandle<()>> {
        let thread = thread::Builder::new().name("t8gate-reload".to_owned());
        thread.spawn(move || {
            while !ending.load(Ordering::Relaxed) {
                self.turn(&told, Millis::now());
                self.go_on();
            }
        })
    }

    /// Has everything read again where that is asked for, where files have changed, or where only
    /// tokens were in the way. To be called often.
    fn turn(&mut self, told: &AtomicBool, now: Millis) {
        self.given_up.retain(|thread| !thread.is_finished());
        self.let_go(SHARDS_WAIT);
        if self
            .going
            .as_ref()
            .is_some_and(|going| !going.is_due(SHARDS_LOOK))
        {
            return;
        }
        let is_told = told.load(Ordering::Relaxed);
        let due = match is_told {
            true => Some(("SIGHUP", false)),
            false => self.due(now),
        };
        let Some((why, again)) = due else {
            return;
        };
        // What one waits for may never come, and each has threads.
        if self.under_way.is_some() && self.given_up.len() >= GIVEN_UP_MAX {
            return self.say_that_it_waits();
        }
        if is_told {
            told.store(false, Ordering::Relaxed);
        }
        self.begin(why, again, is_told);
    }

    /// Why everything is to be read again, unasked, and whether tokens alone were in the way.
    fn due(&mut self, now: Millis) -> Option<(&'static str, bool)> {
        if self.retry_at.is_some_and(|at| at <= now) {
            return Some(("a token may be back", true));
        }
        let every = self.config.reload.watch?;
        if now < self.look_at {
            return None;
        }
        self.look_at = now.after(every);
        let have_changed = self.watched.have_changed();
        have_changed.then_some(("a file has changed", false))
    }

    fn say_that_it_waits(&mut self) {
        if !self.waits {
            tracing::warn!(
                under_way = 1 + self.given_up.len(),
                hint = "see why the tokens or the servers of lists do not answer",
                "all reloads so far wait for tokens or servers: the next one begins when one of \
                 them is at its end"
            );
        }
        self.waits = true;
    }

    /// Has everything read again. An attempt that is under way is given up: it may wait for a token
    /// or a server, and whoever loses trust by what is written now is not to be let in so long.
    fn begin(&mut self, why: &'static str, again: bool, looking: bool) {
        // It goes by what is in use and kept then.
        self.let_go(SHARDS_LOOK);
        self.watched.are_to_be_read();
        self.retry_at = None;
        self.waits = false;
        let mut cause = Cause {
            why,
            again,
            looking,
        };
        if let Some(before) = self.under_way.take() {
            tracing::info!(
                why = before.cause.why,
                "a reload that is not at its end is given up for a newer one"
            );
            cause.looking |= before.cause.looking;
            self.given_up.push(before.give_up());
        }
        let ground = Ground {
            config: Arc::clone(&self.config),
            before: self.current.load_full(),
            sources: Arc::clone(&self.sources),
            keeper: Arc::clone(&self.crl_keeper),
            again,
            given_up: Arc::default(),
        };
        match Attempt::begin(ground, cause) {
            Ok(attempt) => self.under_way = Some(attempt),
            Err(error) => {
                self.retry_at = Some(Millis::now().after(RETRY_EVERY));
                tracing::error!(
                    why,
                    %error,
                    hint = "raise the limit on threads (ulimit -u, TasksMax=)",
                    "the configuration is not read again: there is no thread for it"
                );
            }
        }
    }

    /// Waits a moment for the attempt that is under way, and puts into force what has come of it,
    /// or says what is wrong.
    fn go_on(&mut self) {
        self.say_in_force(false);
        let Some(attempt) = self.under_way.take() else {
            return thread::sleep(TURN_EVERY);
        };
        let cause = attempt.cause;
        let outcome = match attempt.outcome(TURN_EVERY) {
            Ok(outcome) => outcome,
            Err(mut attempt) => {
                if cause.looking && !attempt.has_looked && attempt.takes_long(Millis::now()) {
                    attempt.has_looked = true;
                    let looked = self.look_now();
                    // Whoever was to look before does it with this.
                    if let Some(unsaid) = &mut self.unsaid {
                        unsaid.looked = looked;
                    }
                }
                self.under_way = Some(attempt);
                return;
            }
        };
        let Outcome { files, found } = outcome;
        self.say_in_force(true);
        let applied = found.map(|prepared| self.put_in_force(prepared));
        // Behind that: a list of a CA that is new is nobody's list before. A wrong one is said by
        // its keeper, and is no reason not to go by the rest.
        let looked = cause.looking.then(|| self.look_now()).flatten();
        self.note(cause, applied, looked);
        // It may name other files now, and so may what was refused: one that was missing may come.
        self.watched.look_at(files, &self.config);
    }

    /// Has lists and statuses looked at, which is not waited for: what hangs up when lists are. Who
    /// loses trust by what is written next is not to be let in while a long list is read.
    fn look_now(&mut self) -> Option<Receiver<()>> {
        self.ocsp_keeper.look_now();
        self.crl_keeper.look_now()
    }

    /// Says of the last reload that it is in force, once every shard has adopted it, lists are
    /// looked at and those that go are gone; `at_last`, or when that takes too long, what is not at
    /// its end.
    fn say_in_force(&mut self, at_last: bool) {
        if self.going.is_some() {
            return;
        }
        let now = Millis::now();
        let adopted = self.current.load().adopted.load(Ordering::Acquire);
        let Some(unsaid) = self.unsaid.take_if(|unsaid| {
            let is_adopted = adopted >= self.shards || unsaid.adopted_by <= now;
            at_last || is_adopted && (unsaid.is_read() || unsaid.by <= now)
        }) else {
            return;
        };
        if adopted < self.shards {
            tracing::warn!(
                adopted,
                shards = self.shards,
                "some shards go by what was in force before still"
            );
        }
        if !unsaid.is_read() {
            tracing::warn!(
                "revocation lists are being read still: the log will say what became of them"
            );
        }
        let why = unsaid.why;
        tracing::info!(why, "the configuration was read again and is in force");
    }

    fn note(
        &mut self,
        Cause { why, again, .. }: Cause,
        applied: Result<(), Refused>,
        looked: Option<Receiver<()>>,
    ) {
        let refused = applied.as_ref().err();
        let of_tokens_only = refused.is_some_and(|refused| refused.of_tokens_only);
        self.retry_at = of_tokens_only.then(|| Millis::now().after(RETRY_EVERY));
        if !again {
            self.said.clear();
        }
        if let Some(refused) = refused.filter(|refused| refused.of_tokens_only) {
            let is_new = |fault: &&Fault| !self.said.contains(fault);
            let new: Vec<_> = refused.faults.iter().filter(is_new).cloned().collect();
            if again && (new.is_empty() || self.said.len() >= SAID_MAX) {
                return;
            }
            self.said.extend(new);
        }
        self.reloads.note(applied.is_ok());
        match applied {
            Ok(()) => {
                let now = Millis::now();
                self.unsaid = Some(Unsaid {
                    why,
                    adopted_by: now.after(SHARDS_WAIT),
                    looked,
                    by: now.after(LISTS_WAIT),
                });
                self.say_in_force(false);
            }
            Err(Refused { faults, .. }) => {
                for fault in &faults {
                    let Fault {
                        key, what, cure, ..
                    } = fault;
                    let file = fault.file.as_deref().unwrap_or(&self.config.file).display();
                    tracing::error!(%file, line = fault.in_line(), key, hint = cure, "{what}");
                }
                tracing::error!(
                    why,
                    file = %self.config.file.display(),
                    faults = faults.len(),
                    tried_again = of_tokens_only,
                    "the configuration was read again and is at fault: what was in force stays"
                );
            }
        }
    }

    fn put_in_force(&mut self, prepared: Prepared) {
        let Prepared {
            config,
            restart,
            snapshot,
            lists,
        } = prepared;
        for key in restart {
            tracing::warn!(
                key,
                hint = "restart the gateway for it",
                "a changed key comes into force at a start only"
            );
        }
        self.certificate_not_after
            .store(snapshot.certificate_not_after.0, Ordering::Relaxed);
        self.revoke_by_file(&snapshot);
        let snapshot = Arc::new(snapshot);
        let before = self.current.load_full();
        self.names.store(Arc::new(snapshot.client_names()));
        let put = lists.put_in_force(before, || self.current.store(snapshot));
        if let Some((sources, going)) = put {
            self.sources = Arc::new(sources);
            self.going = Some(going);
        }
        if let Err(error) = introspection::start_where_needed(&self.current, &self.asked) {
            tracing::error!(%error, "opaque tokens are not asked about: there is no thread for it");
        }
        if let Err(error) = self.ocsp_keeper.start_where_needed() {
            tracing::error!(%error, "OCSP responders are not asked: there is no thread for it");
        }
        if let Err(error) = self.keys_keeper.start_where_needed() {
            tracing::error!(%error, "issuers' keys are not kept: there is no thread for it");
        }
        self.config = Arc::new(config);
        self.let_go(SHARDS_WAIT);
    }

    /// Puts into force what the operator's file says, and tells of it.
    fn revoke_by_file(&self, snapshot: &Snapshot) {
        let (came, gone) = snapshot.revoked.take_file(&snapshot.revoked_by_file);
        revocation_notes::tell_of_file(&self.notes, &came, gone);
    }

    /// Has lists gone that no shard goes by any more, or that have been waited for so long.
    fn let_go(&mut self, wait: Duration) {
        let Some(going) = self.going.take_if(|going| going.is_due(wait)) else {
            return;
        };
        let in_use = going.go(&self.crl_keeper);
        let said = revocation::in_force(&self.config, &in_use, UnixSeconds::now());
        tracing::info!("revocation: {said}");
    }
}
