//! One attempt at a changed configuration: everything read and built, in a thread of its own, since
//! a token or a server may hold that up.

use std::collections::HashMap;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::lists::{self, Lists, Sources};
use super::watched::{Stamps, stamp};
use crate::clock::{Millis, UnixSeconds};
use crate::config::{self, Config, Fault, IssuerKeys, KeySource, Partner, Tls};
use crate::control::crl_keeper::CrlKeeper;
use crate::control::load::{self, Running, Stays};
use crate::io::cpu;
use crate::limits::CLIENTS_MAX;
use crate::peer::Client;
use crate::snapshot::Snapshot;

/// After which lists and statuses are looked at without waiting for the rest.
const LONG: Duration = Duration::from_millis(20);

/// What an attempt starts from: what is in force.
pub(super) struct Ground {
    pub config: Arc<Config>,
    pub before: Arc<Snapshot>,
    pub sources: Arc<Sources>,
    pub keeper: Arc<CrlKeeper>,
    /// A token alone was in the way of the attempt before.
    pub again: bool,
    /// Nobody waits for what comes of it any more.
    pub given_up: Arc<AtomicBool>,
}

/// All that is to come into force.
pub(super) struct Prepared {
    pub config: Config,
    /// Changed keys that take a restart.
    pub restart: Vec<String>,
    pub snapshot: Snapshot,
    pub lists: Lists,
}

/// Why a reload is refused.
pub(super) struct Refused {
    pub faults: Vec<Fault>,
    /// The same may be right in a moment, with no file changed.
    pub of_tokens_only: bool,
}

/// What has come of an attempt.
pub(super) struct Outcome {
    /// What is to be looked at for changes, as it was before it was read.
    pub files: Stamps,
    pub found: Result<Prepared, Refused>,
}

/// Why there is an attempt.
#[derive(Clone, Copy)]
pub(super) struct Cause {
    pub why: &'static str,
    /// Faults of tokens were said at the first attempt, and are not said again.
    pub again: bool,
    /// Lists and statuses are to be looked at as well: they are files like any others to whoever
    /// asks for it.
    pub looking: bool,
}

/// One that is under way.
pub(super) struct Attempt {
    pub cause: Cause,
    /// Lists and statuses have been looked at meanwhile.
    pub has_looked: bool,
    thread: JoinHandle<Outcome>,
    given_up: Arc<AtomicBool>,
    begun: Millis,
    /// Disconnected at the end.
    end: Receiver<()>,
}

impl Attempt {
    /// # Errors
    /// The kernel's, where the thread cannot be had.
    pub fn begin(ground: Ground, cause: Cause) -> io::Result<Self> {
        let (running, end) = sync_channel(0);
        let given_up = Arc::clone(&ground.given_up);
        let thread = thread::Builder::new().name("t8gate-load".to_owned());
        let thread = thread.spawn(move || {
            let outcome = ground.outcome();
            // Before anybody hears of it: what was in force may be waited for to be nobody's.
            drop(ground);
            drop(running);
            outcome
        })?;
        Ok(Self {
            cause,
            has_looked: false,
            thread,
            given_up,
            begun: Millis::now(),
            end,
        })
    }

    /// What has come of it; itself, where nothing has after `wait`.
    pub fn outcome(self, wait: Duration) -> Result<Outcome, Self> {
        if let Err(RecvTimeoutError::Timeout) = self.end.recv_timeout(wait) {
            return Err(self);
        }
        let ended = self.thread.join();
        Ok(ended.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    /// Its thread, which comes to its end when that may be.
    pub fn give_up(self) -> JoinHandle<Outcome> {
        self.given_up.store(true, Ordering::Relaxed);
        self.thread
    }

    /// Whether it is not to be waited for by what can do without.
    pub fn takes_long(&self, now: Millis) -> bool {
        self.begun.after(LONG) <= now
    }
}

impl Ground {
    fn outcome(&self) -> Outcome {
        let mut named = Vec::new();
        let examined = config::examine_again(&self.config.file, |file| {
            if file.can_be_mended() {
                let stamp = stamp(&file.path);
                let (path, has_keeper) = (file.path.clone(), file.is_kept());
                named.push((file.line, file.is_read(), has_keeper, path, stamp));
            }
        });
        let found = self.prepare(examined);
        let faults = found
            .as_ref()
            .err()
            .map_or(&[][..], |refused| &refused.faults);
        // One that somebody else looks after is looked at where it is in the way, as a list may be
        // which another one goes with.
        let at_fault = |line| faults.iter().any(|fault| fault.line == line);
        let list_at_fault = faults.iter().any(|fault| fault.key.starts_with("crl"));
        let files = named.into_iter();
        let files = files.filter(|(line, is_read, has_keeper, ..)| {
            *is_read || at_fault(*line) || *has_keeper && list_at_fault
        });
        Outcome {
            files: files.map(|(.., path, stamp)| (path, stamp)).collect(),
            found,
        }
    }

    fn prepare(
        &self,
        (written, mut faults): (Option<Config>, Vec<Fault>),
    ) -> Result<Prepared, Refused> {
        let Some(written) = written else {
            return Err(Refused {
                faults,
                of_tokens_only: false,
            });
        };
        let (config, restart, stays) = to_apply(&self.config, written);
        let running = Running {
            config: &self.config,
            snapshot: &self.before,
            stays,
        };
        let (snapshot, mut report) = load::load(&config, UnixSeconds::now(), Some(running));
        if self.again && faults.is_empty() && report.is_of_tokens_only() {
            // Lists are read when it is back: there may be millions, and this is every two seconds.
            config::add(&mut faults, report.faults());
            return Err(Refused {
                faults,
                of_tokens_only: true,
            });
        }
        let well = faults.is_empty() && report.faults().is_empty();
        // A list of a million takes a second of a CPU that a shard may have.
        let lists = cpu::behind_all_others("t8gate-lists", || {
            lists::read(self, &config, well, &mut report)
        });
        let of_tokens_only = faults.is_empty() && report.is_of_tokens_only();
        config::add(&mut faults, report.faults());
        match snapshot {
            Some(snapshot) if faults.is_empty() => {
                report.warn_of_registered(&config);
                Ok(Prepared {
                    config,
                    restart,
                    snapshot,
                    lists,
                })
            }
            _ => Err(Refused {
                faults,
                of_tokens_only,
            }),
        }
    }
}

/// The configuration as it can come into force beside what runs, the keys that cannot, and what of
/// it is not to be read again for that.
fn to_apply(running: &Config, mut written: Config) -> (Config, Vec<String>, Stays) {
    let mut restart = Vec::new();
    macro_rules! kept {
        ($($key:literal: $($field:ident).+;)*) => {$(
            if written.$($field).+ != running.$($field).+ {
                restart.push($key.to_owned());
                written.$($field).+ = running.$($field).+.clone();
            }
        )*};
    }
    // Only the values: that a line moved changes nothing.
    let lines = running.clone();
    written.listen.address.line = lines.listen.address.line;
    written.listen.cpus.line = lines.listen.cpus.line;
    written.listen.steering.line = lines.listen.steering.line;
    written.memory.huge_pages.line = lines.memory.huge_pages.line;
    if let (Some(written), Some(lines)) = (&mut written.admin, &lines.admin) {
        if let (Some(written), Some(lines)) = (&mut written.address, &lines.address) {
            written.line = lines.line;
        }
        if let (Some(written), Some(lines)) = (&mut written.socket, &lines.socket) {
            written.line = lines.line;
        }
    }
    if let (Some(written), Some(lines)) = (&mut written.revocation.store, &lines.revocation.store) {
        written.line = lines.line;
    }
    if let (Some(written), Some(lines)) = (&mut written.audit, &lines.audit) {
        written.file.line = lines.file.line;
    }
    kept! {
        "listen.address": listen.address;
        "listen.cpus": listen.cpus;
        "listen.share_port": listen.share_port;
        "listen.steering": listen.steering;
        "memory.huge_pages": memory.huge_pages;
        "admin": admin;
        "revocation.store": revocation.store;
        "audit": audit;
        "limits.cached_tokens_max": limits.cached_tokens_max;
        "limits.signatures_queued_max": limits.signatures_queued_max;
        "limits.audit_records_max": limits.audit_records_max;
        "deadlines.signature": deadlines.signature;
    }
    let (said, stays) = with_threads_of(running, &mut written);
    restart.extend(said.map(str::to_owned));
    let clients = std::mem::take(&mut written.clients);
    let (clients, no_place) = in_their_places(&running.clients, clients, &written.partners);
    written.clients = clients;
    restart.extend(no_place.into_iter().map(|name| format!("client {name}")));
    (written, restart, stays)
}

/// Keys in tokens have threads that wait for them, which are there from the start. Puts back what
/// has none, or says that others would be wanted.
fn with_threads_of(running: &Config, written: &mut Config) -> (Option<&'static str>, Stays) {
    let mut stays = Stays::default();
    if let (Some(before), Some(wanted)) = (running.signing_threads(), written.signing_threads()) {
        let what = "tls.key.sessions, oauth.key.sessions: how many threads sign";
        return ((before != wanted).then_some(what), stays);
    }
    if written.signing_threads().is_none() || running.signing_threads().is_some() {
        return (None, stays);
    }
    let in_token = |key: &KeySource| matches!(key, KeySource::Pkcs11 { .. });
    if written.tls.keys().any(in_token) {
        // What is said of the certificates fits those that it is said of, and no others.
        written.tls = Tls {
            tickets: written.tls.tickets.take(),
            ..running.tls.clone()
        };
        written.listen.server_names = running.listen.server_names.clone();
        written.listen.any_server_name = running.listen.any_server_name;
        stays.certificates = true;
    }
    let own = written.oauth.as_ref();
    if own.is_some_and(|own| own.keys().any(|key| in_token(&key.value))) {
        written.oauth = running.oauth.clone();
        stays.issuer_key = true;
        if written.oauth.is_none() && written.issuers.is_empty() {
            // It was to take their place: without them no token would be taken until the restart.
            go_on_with_issuers_of(running, written);
        }
    }
    let what = "tls.key, oauth.key: the first key in a token, and what goes with it";
    (Some(what), stays)
}

/// Their files are read and looked at as before. They stand in no line of what is written.
fn go_on_with_issuers_of(running: &Config, written: &mut Config) {
    written.issuers = running.issuers.clone();
    for issuer in &mut written.issuers {
        (issuer.name.line, issuer.keys.line) = (0, 0);
        let file = match &issuer.keys.value {
            IssuerKeys::Jwks(file) | IssuerKeys::Pem { file, .. } => file,
            IssuerKeys::Published(published) => &published.ca.value,
            IssuerKeys::Unneeded => continue,
        };
        written.files.push(file.clone());
    }
}

/// The written clients in the places that the running ones have, by which counters and records
/// know them, and behind them those that are new. In the place of one that is gone stands one that
/// has no names and no rights, so that nothing of it becomes another's. Those for which there is no
/// place left are named apart.
pub(super) fn in_their_places(
    running: &[Client],
    written: Vec<Client>,
    partners: &[Partner],
) -> (Vec<Client>, Vec<String>) {
    let places: HashMap<&str, usize> = { running.iter().map(|client| client.name.as_str()) }
        .zip(0..)
        .collect();
    let (known, new): (Vec<_>, Vec<_>) = written
        .into_iter()
        .partition(|client| places.contains_key(client.name.as_str()));
    let mut known: HashMap<String, Client> = { known.into_iter() }
        .map(|client| (client.name.clone(), client))
        .collect();
    // Its group may be gone as well, and who has no names is in none.
    let any_group = partners.first().map(|partner| partner.name.clone());
    let any_group = any_group.unwrap_or_default();
    let place = |before: &Client| {
        let found = known.remove(&before.name);
        found.unwrap_or_else(|| Client {
            name: before.name.clone(),
            client_id: String::new(),
            sans: Vec::new(),
            scs_as_ids: Vec::new(),
            source_addresses: Vec::new(),
            unbound_tokens: false,
            partner: any_group.clone(),
            registration: None,
            enabled: true,
        })
    };
    let mut clients: Vec<Client> = running.iter().map(place).collect();
    let mut new = new.into_iter();
    clients.extend(new.by_ref().take(CLIENTS_MAX.saturating_sub(running.len())));
    (clients, new.map(|client| client.name).collect())
}
