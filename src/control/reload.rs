//! A changed configuration into force: on SIGHUP, or when one of its files has changed. All of it
//! is built anew, or nothing changes.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use self::lists::Sources;
use super::crl_keeper::CrlKeeper;
use super::load::{self, Running};
use super::ocsp_keeper::OcspKeeper;
use super::revocation;
use crate::clock::{Millis, UnixSeconds};
use crate::config::{self, Config, Fault, KeySource};
use crate::io::cpu;
use crate::peer::Client;
use crate::snapshot::{Current, Snapshot};

/// Between two attempts at a configuration that tokens alone stood in the way of.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// Within which every shard has adopted a snapshot: they look every 25 ms.
const SHARDS_WAIT: Duration = Duration::from_secs(1);
/// Between two looks whether there is something to do.
const TURN_EVERY: Duration = Duration::from_millis(20);

mod lists;
#[cfg(test)]
mod tests;

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
    config: Config,
    current: Arc<Current>,
    reloads: Arc<Reloads>,
    certificate_not_after: Arc<AtomicU64>,
    /// Told when other lists are to be kept, or files are to be looked at.
    crl_keeper: Arc<CrlKeeper>,
    /// Where it has lists from.
    sources: Sources,
    /// To be started once there is something to ask.
    ocsp_keeper: OcspKeeper,
    /// As of the last reload.
    stamps: Vec<Stamp>,
    /// As of the last look, where that differed.
    changed: Option<Vec<Stamp>>,
    look_at: Millis,
    /// When a reload is tried again that was refused for faults of tokens only.
    retry_at: Option<Millis>,
}

/// Why a reload is refused.
struct Refused {
    faults: Vec<Fault>,
    /// The same may be right in a moment, with no file changed.
    of_tokens_only: bool,
}

/// What tells one content of a file from another; none where it is not there.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

impl Reloader {
    /// For what has been started with `config`. `certificate_not_after` is told when the server's
    /// certificate ends, in seconds since 1970. The keeper of statuses ends with this.
    pub fn new(
        config: Config,
        current: Arc<Current>,
        reloads: Arc<Reloads>,
        certificate_not_after: Arc<AtomicU64>,
        (crl_keeper, ocsp_keeper): (Arc<CrlKeeper>, OcspKeeper),
        now: Millis,
    ) -> Self {
        let mut reloader = Self {
            certificate_not_after,
            crl_keeper,
            sources: Sources::of(&config),
            ocsp_keeper,
            stamps: Vec::new(),
            changed: None,
            look_at: now,
            retry_at: None,
            config,
            current,
            reloads,
        };
        reloader.stamps = reloader.stamps_now();
        reloader
    }

    /// Starts a thread that reloads when `told`, and when files have changed, until `ending`. It is
    /// waited for by nobody: a token may hold it up.
    ///
    /// # Errors
    /// The kernel's, where the thread cannot be had.
    pub fn start(mut self, told: Arc<AtomicBool>, ending: Arc<AtomicBool>) -> io::Result<()> {
        let thread = thread::Builder::new().name("t8gate-reload".to_owned());
        let thread = thread.spawn(move || {
            while !ending.load(Ordering::Relaxed) {
                match told.swap(false, Ordering::Relaxed) {
                    true => self.reload("SIGHUP"),
                    false => self.turn(Millis::now()),
                }
                thread::sleep(TURN_EVERY);
            }
        });
        thread.map(drop)
    }

    /// Looks at the files if that is due, and reloads where they have changed, or where only tokens
    /// were in the way. To be called often.
    pub fn turn(&mut self, now: Millis) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.attempt("a token may be back", true, false);
        }
        let Some(every) = self.config.reload.watch else {
            return;
        };
        if now < self.look_at {
            return;
        }
        self.look_at = now.after(every);
        let stamps = self.stamps_now();
        if stamps == self.stamps {
            self.changed = None;
        } else if self.changed.as_ref() == Some(&stamps) {
            self.attempt("a file has changed", false, false);
        } else {
            self.changed = Some(stamps);
        }
    }

    /// Reads everything again and puts it into force, or says what is wrong with it: lists and
    /// statuses as well, which are files like any others to whoever asks for it.
    pub fn reload(&mut self, why: &str) {
        self.attempt(why, false, true);
    }

    /// Faults that were said at the first attempt and are of tokens still are not said again.
    fn attempt(&mut self, why: &str, again: bool, looking: bool) {
        // Before the files are read: one that changes meanwhile is read again.
        self.stamps = self.stamps_now();
        self.changed = None;
        let applied = self.replace();
        if looking {
            // Behind that: a list of a CA that is new is nobody's list before. A wrong one is said
            // by its keeper, and is no reason not to go by the rest.
            self.ocsp_keeper.look_now();
            self.crl_keeper.look_now();
        }
        let of_tokens_only = applied
            .as_ref()
            .err()
            .is_some_and(|refused| refused.of_tokens_only);
        self.retry_at = of_tokens_only.then(|| Millis::now().after(RETRY_EVERY));
        if of_tokens_only && again {
            return;
        }
        self.reloads.note(applied.is_ok());
        match applied {
            Ok(()) => tracing::info!(why, "the configuration was read again and is in force"),
            Err(Refused { faults, .. }) => {
                for Fault {
                    line,
                    key,
                    what,
                    cure,
                } in &faults
                {
                    let file = self.config.file.display();
                    tracing::error!(%file, line, key, hint = cure, "{what}");
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
        // It may name other files now.
        let looked_at = self.stamps_now();
        if looked_at.len() != self.stamps.len() {
            self.stamps = looked_at;
        }
    }

    fn replace(&mut self) -> Result<(), Refused> {
        let (written, mut faults) = config::examine(&self.config.file);
        let Some(written) = written else {
            return Err(Refused {
                faults,
                of_tokens_only: false,
            });
        };
        let (config, restart) = to_apply(&self.config, written);
        let before = self.current.load_full();
        let running = Running {
            config: &self.config,
            snapshot: &before,
        };
        let (snapshot, mut report) = load::load(&config, UnixSeconds::now(), Some(running));
        let in_use = Arc::clone(&before.revocation);
        let keeper = &self.crl_keeper;
        let well = faults.is_empty() && report.faults().is_empty();
        // A list of a million takes a second of a CPU that a shard may have.
        let lists = cpu::behind_all_others("t8gate-lists", || {
            lists::read(&self.sources, &config, &in_use, (keeper, well), &mut report)
        });
        let of_tokens_only = faults.is_empty() && report.is_of_tokens_only();
        config::add(&mut faults, report.faults());
        let snapshot = match snapshot {
            Some(snapshot) if faults.is_empty() => snapshot,
            _ => {
                return Err(Refused {
                    faults,
                    of_tokens_only,
                });
            }
        };
        for key in restart {
            tracing::warn!(
                key,
                hint = "restart the gateway for it",
                "a changed key comes into force at a start only"
            );
        }
        self.certificate_not_after
            .store(snapshot.certificate_not_after.0, Ordering::Relaxed);
        let snapshot = Arc::new(snapshot);
        let store = || self.current.store(snapshot);
        let sources = lists.put_in_force(&in_use, keeper, store, || await_end(before));
        if let Some(sources) = sources {
            self.sources = sources;
            let said = revocation::in_force(&config, &in_use, UnixSeconds::now());
            tracing::info!("revocation: {said}");
        }
        if let Err(error) = self.ocsp_keeper.start_where_needed() {
            tracing::error!(%error, "OCSP responders are not asked: there is no thread for it");
        }
        self.config = config;
        Ok(())
    }

    fn stamps_now(&self) -> Vec<Stamp> {
        let files = std::iter::once(&self.config.file).chain(&self.config.files);
        files.map(PathBuf::as_path).map(stamp).collect()
    }
}

/// Waits until no shard goes by a snapshot any more that has been replaced, and no longer than that
/// may take: a request that is under way may hold it.
fn await_end(replaced: Arc<Snapshot>) {
    let by = Millis::now().after(SHARDS_WAIT);
    while Arc::strong_count(&replaced) > 1 && Millis::now() < by {
        thread::sleep(TURN_EVERY);
    }
}

fn stamp(file: &Path) -> Stamp {
    let metadata = fs::metadata(file).ok()?;
    Some((
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    ))
}

/// The configuration as it can come into force beside what runs, and the keys that cannot.
fn to_apply(running: &Config, mut written: Config) -> (Config, Vec<String>) {
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
        written.address.line = lines.address.line;
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
        "audit": audit;
        "limits.cached_tokens_max": limits.cached_tokens_max;
        "limits.signatures_queued_max": limits.signatures_queued_max;
        "limits.audit_records_max": limits.audit_records_max;
    }
    if needs_signers(&written) && !needs_signers(running) {
        restart.push("tls.key, oauth.key: the first key in a token".to_owned());
        written.tls.key = running.tls.key.clone();
        written.tls.certificate = running.tls.certificate.clone();
        written.tls.also = running.tls.also.clone();
        written.oauth = running.oauth.clone();
    }
    let clients = std::mem::take(&mut written.clients);
    let (clients, unknown) = in_their_places(&running.clients, clients);
    written.clients = clients;
    restart.extend(unknown.into_iter().map(|name| format!("client {name}")));
    (written, restart)
}

/// Whether a key is in a token: then there are threads that wait for it.
fn needs_signers(config: &Config) -> bool {
    let own = config.oauth.as_ref().map(|oauth| &oauth.key.value);
    let keys = config.tls.keys().chain(own);
    let mut in_tokens = keys.filter(|key| matches!(key, KeySource::Pkcs11 { .. }));
    in_tokens.next().is_some()
}

/// The written clients in the places that the running ones have, by which counters and records
/// know them. In the place of one that is gone stands one that has no names and no rights. Those
/// that run nowhere yet are named apart.
fn in_their_places(running: &[Client], written: Vec<Client>) -> (Vec<Client>, Vec<String>) {
    let (known, unknown): (Vec<_>, Vec<_>) = written
        .into_iter()
        .partition(|client| running.iter().any(|other| other.name == client.name));
    let place = |before: &Client| {
        let found = known.iter().find(|client| client.name == before.name);
        found.cloned().unwrap_or_else(|| Client {
            name: before.name.clone(),
            client_id: String::new(),
            sans: Vec::new(),
            scs_as_ids: Vec::new(),
            partner: before.partner.clone(),
            registration: None,
        })
    };
    let clients = running.iter().map(place).collect();
    let unknown = unknown.into_iter().map(|client| client.name);
    (clients, unknown.collect())
}
