//! Keeps the revocation lists in use: reads those of files again when they change, and fetches the
//! others in time. A thread of its own, behind all others of its CPU: a long list takes a second.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use rustls::ClientConfig;
use tokio::sync::oneshot;

use super::crl_fetch::{self, Fetched, Validators};
use crate::clock::UnixSeconds;
use crate::config::{CrlPlace, HttpUrl};
use crate::io::cpu;
use crate::tls::revocation::{Crl, CrlFault, Revocation};

/// Between two looks at a file.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After the first fetch that failed; twice that after the next, and so on up to `refresh`.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A list that is about to end is not asked for more often.
const FETCH_EVERY_MIN: Duration = Duration::from_secs(30);
/// After which a file is read again that held a list which had not begun.
const EARLY_AGAIN_S: u64 = 30;
/// Between two words about a list that has ended.
const REMIND_EVERY_S: u64 = 3_600;
/// How often connections are judged again while a list has ended.
const JUDGE_EVERY_S: u64 = 5;

#[cfg(test)]
mod tests;

/// One list's place.
pub struct CrlFrom {
    /// For the log.
    pub name: String,
    pub place: CrlPlace,
    pub refresh: Duration,
    /// How the server of an https URL is known.
    pub tls: Option<Arc<ClientConfig>>,
    /// Where a fetched list is kept; none for a file.
    pub kept: Option<PathBuf>,
    /// The content of a file that has been read, or is about to be.
    pub read: Option<Stamp>,
}

/// What tells one content of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// None where there is no such file.
    pub fn of(file: &Path) -> Option<Self> {
        let found = fs::metadata(file).ok()?;
        Some(Self {
            inode: found.ino(),
            bytes: found.len(),
            changed: (found.mtime(), found.mtime_nsec()),
        })
    }
}

/// What became of lists so far.
#[derive(Debug, Default)]
pub struct CrlCounts {
    taken: AtomicU64,
    refused: AtomicU64,
    fetches_failed: AtomicU64,
}

impl CrlCounts {
    /// Lists that came into use.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Lists that were read and not taken.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Lists that could not be fetched.
    pub fn fetches_failed(&self) -> u64 {
        self.fetches_failed.load(Ordering::Relaxed)
    }
}

/// The running thread; it ends when this is dropped.
pub struct CrlKeeper {
    _until: oneshot::Sender<()>,
}

impl CrlKeeper {
    /// Starts it, where there is a list to keep.
    ///
    /// # Errors
    /// The kernel's, where the thread cannot be had.
    pub fn start(
        revocation: Arc<Revocation>,
        from: Vec<CrlFrom>,
        counts: Arc<CrlCounts>,
    ) -> io::Result<Option<Self>> {
        if from.is_empty() {
            return Ok(None);
        }
        let folders: HashSet<_> = from
            .iter()
            .filter_map(|from| from.kept.as_ref()?.parent())
            .collect();
        for folder in folders {
            crl_fetch::remove_left_behind(folder);
        }
        let (until, told) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new().name("t8gate-crl".to_owned());
        thread.spawn(move || {
            if let Err(error) = cpu::step_back() {
                tracing::warn!(%error, "the keeper of revocation lists competes with shards");
            }
            let tasks = tokio::task::LocalSet::new();
            for from in from {
                let (revocation, counts) = (Arc::clone(&revocation), Arc::clone(&counts));
                tasks.spawn_local(async move { keep(&from, &revocation, &counts).await });
            }
            tasks.spawn_local(async move { remind(&revocation).await });
            // Dropped at the end, whatever they are at.
            let _ = tasks.block_on(&runtime, told);
        })?;
        Ok(Some(Self { _until: until }))
    }
}

/// The name under which a fetched list is kept: two URLs never share one.
pub fn kept_as(folder: &Path, place: &CrlPlace) -> PathBuf {
    let hash = digest(&SHA256, place.to_string().as_bytes());
    let hex: String = hash
        .as_ref()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    folder.join(format!("{}.crl", &hex[..32]))
}

/// Reads a list from a file at the start, and takes it into use: how many serial numbers it has.
///
/// # Errors
/// Why it is not used.
pub fn take(file: &Path, revocation: &Revocation) -> Result<usize, CrlFault> {
    let crl = read(file, revocation)?;
    let entries = crl.entries();
    revocation.adopt(crl)?;
    Ok(entries)
}

fn read(file: &Path, revocation: &Revocation) -> Result<Crl, CrlFault> {
    let mut file = File::open(file).map_err(|_| CrlFault::Unreadable)?;
    revocation.read(&mut file)
}

/// Takes a list into use while the gateway serves.
fn renew(file: &Path, revocation: &Revocation) -> Result<Taken, CrlFault> {
    let crl = read(file, revocation)?;
    let (entries, delta) = (crl.entries(), crl.is_delta());
    revocation.renew(crl, UnixSeconds::now())?;
    Ok(Taken { entries, delta })
}

/// A list that is in use now.
struct Taken {
    entries: usize,
    delta: bool,
}

async fn keep(from: &CrlFrom, revocation: &Revocation, counts: &CrlCounts) {
    match &from.place {
        CrlPlace::File(file) => watch(from, file, revocation, counts).await,
        CrlPlace::Url(url) => fetch_again(from, url, revocation, counts).await,
    }
}

/// Reads a file again when it has changed, and is no longer being written: when two looks find the
/// same.
async fn watch(from: &CrlFrom, file: &Path, revocation: &Revocation, counts: &CrlCounts) {
    let mut read = from.read;
    let mut seen = read;
    let (mut issuers, mut generation) = (revocation.issuers(), revocation.generation());
    // What the start has read may be a delta.
    let mut delta = true;
    let mut early_until = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = Stamp::of(file);
        let changed = now != read && now == seen && now.is_some();
        seen = now;
        // Whose lists are taken may have changed, or the complete list that a delta goes with. What
        // another complete list says is nothing to this one.
        let again = !Arc::ptr_eq(&issuers, &revocation.issuers())
            || delta && generation != revocation.generation()
            || early_until.is_some_and(|until| until <= UnixSeconds::now());
        if !changed && !again {
            continue;
        }
        issuers = revocation.issuers();
        let taken = match changed {
            true => take_noting(from, file, revocation, counts),
            false => renew(file, revocation),
        };
        if changed {
            read = now;
        }
        generation = revocation.generation();
        early_until = None;
        match taken {
            Ok(taken) => delta = taken.delta,
            Err(CrlFault::DeltaWithoutBase) => delta = true,
            Err(CrlFault::NotYetValid) => {
                early_until = Some(UnixSeconds(UnixSeconds::now().0 + EARLY_AGAIN_S));
            }
            Err(_) => {}
        }
    }
}

async fn fetch_again(from: &CrlFrom, url: &HttpUrl, revocation: &Revocation, counts: &CrlCounts) {
    let Some(kept) = &from.kept else { return };
    let folder = kept.parent().unwrap_or(Path::new("."));
    let mut known = Validators::default();
    let mut failures = 0;
    let mut issuers = revocation.issuers();
    loop {
        match crl_fetch::fetch(url, from.tls.as_ref(), &known, folder).await {
            Ok(Fetched::List(file, validators)) => {
                // Who serves what is no list is asked again as soon as who serves nothing.
                if take_noting(from, file.path(), revocation, counts).is_err() {
                    failures += 1;
                } else {
                    known = validators;
                    failures = 0;
                    // It is in use whether or not it is kept.
                    if let Err(error) = file.persist(kept) {
                        tracing::warn!(list = from.name, %error, "the list cannot be kept");
                    }
                }
            }
            Ok(Fetched::NotModified) => failures = 0,
            Err(fault) => {
                failures += 1;
                counts.fetches_failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(
                    list = from.name,
                    failures,
                    hint = "what is in use stays until it ends; see whether the server is up",
                    "the revocation list cannot be fetched: {fault}"
                );
            }
        }
        let mut left = pause(from.refresh, failures, revocation);
        while !left.is_zero() && Arc::ptr_eq(&issuers, &revocation.issuers()) {
            let some = left.min(LOOK_EVERY);
            tokio::time::sleep(some).await;
            left -= some;
        }
        // What was not taken for want of its CA is asked for again, changed or not.
        if !Arc::ptr_eq(&issuers, &revocation.issuers()) {
            issuers = revocation.issuers();
            known = Validators::default();
        }
    }
}

/// Until the next fetch, within a tenth of it by chance: gateways that started together do not ask
/// together for ever. Half of what is left until the first list ends, where that is sooner.
fn pause(refresh: Duration, failures: u32, revocation: &Revocation) -> Duration {
    let left = revocation.lists().next_update().map(|end| {
        let left = end.0.saturating_sub(UnixSeconds::now().0);
        Duration::from_secs(left / 2).max(FETCH_EVERY_MIN)
    });
    let wait = match failures {
        0 => refresh.min(left.unwrap_or(refresh)),
        _ => refresh.min(RETRY_AFTER.saturating_mul(1 << (failures - 1).min(16))),
    };
    let mut chance = [0];
    // Without chance they ask together, which does no harm to this one.
    let _ = rand::fill(&mut chance);
    wait - wait * u32::from(chance[0]) / 2_560
}

fn take_noting(
    from: &CrlFrom,
    file: &Path,
    revocation: &Revocation,
    counts: &CrlCounts,
) -> Result<Taken, CrlFault> {
    let taken = renew(file, revocation);
    match &taken {
        Ok(Taken { entries, .. }) => {
            counts.taken.fetch_add(1, Ordering::Relaxed);
            tracing::info!(list = from.name, entries, "a new revocation list is in use");
        }
        Err(fault) => {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            let (what, cure) = match (fault, &from.place) {
                (CrlFault::Encoding, CrlPlace::Url(_)) => (
                    "what was fetched is no CRL",
                    "see what the server answers at this URL: a page of HTML, perhaps",
                ),
                _ => fault.explained(),
            };
            tracing::error!(
                list = from.name,
                reason = fault.word(),
                hint = cure,
                "a revocation list is not used: {what}; what is in use stays until it ends"
            );
        }
    }
    taken
}

/// Says it, again and again, where a list has ended.
async fn remind(revocation: &Revocation) {
    let (mut said, mut judged) = (0, 0);
    loop {
        let now = UnixSeconds::now();
        let ended = revocation
            .lists()
            .next_update()
            .is_some_and(|end| end < now);
        if ended && now.0 >= said + REMIND_EVERY_S {
            said = now.0;
            tracing::error!(
                hint = "see why no newer one has come",
                "a revocation list has ended: after its grace, certificates of its CA are refused, \
                 or taken unchecked where the policy is soft-fail"
            );
        } else if !ended {
            said = 0;
        }
        // The grace of a group may have gone by: whoever would not be let in now is not kept.
        if ended && now.0 >= judged + JUDGE_EVERY_S {
            judged = now.0;
            revocation.judge_again();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
