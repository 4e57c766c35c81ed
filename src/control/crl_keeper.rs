//! Keeps the revocation lists in use: reads those of files again when they change, and fetches the
//! others in time. A thread of its own, behind all others of its CPU: a long list takes a second.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use rustls::ClientConfig;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub use self::letterbox::{AllBrought, Brought, Taken};
use self::letterbox::{Letterbox, held};
use super::crl_fetch::{self, Fetched, Validators};
use crate::clock::UnixSeconds;
use crate::config::regular_file::{self, NotOpened, Stamp};
use crate::config::{CrlPlace, HttpUrl};
use crate::io::cpu;
use crate::tls::revocation::{Crl, CrlFault, CrlIssuer, Revocation};

/// Between two looks at a file.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After the first fetch that failed; twice that after the next, and so on up to `refresh`.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A list that is about to end is not asked for more often.
const FETCH_EVERY_MIN: Duration = Duration::from_secs(30);
/// After which a file is read again that held a list which had not begun, or could not be read.
pub(super) const AGAIN_S: u64 = 30;
/// Between two words about a list that has ended.
const REMIND_EVERY_S: u64 = 3_600;
/// How often connections are judged again while a list has ended.
const JUDGE_EVERY_S: u64 = 5;

mod letterbox;
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

/// Who keeps lists, by a thread of its own once there is one to keep. It ends when this is dropped.
pub struct CrlKeeper {
    revocation: Arc<Revocation>,
    counts: Arc<CrlCounts>,
    letterbox: Arc<Letterbox>,
    until: Mutex<Option<oneshot::Sender<()>>>,
}

impl CrlKeeper {
    /// Keeps what comes from there, from now on; some of it has been read.
    ///
    /// # Errors
    /// The kernel's, where the thread cannot be had.
    pub fn start(
        revocation: Arc<Revocation>,
        (from, brought): (Vec<CrlFrom>, &AllBrought),
        counts: Arc<CrlCounts>,
    ) -> io::Result<Self> {
        let keeper = Self {
            revocation,
            counts,
            letterbox: Arc::default(),
            until: Mutex::default(),
        };
        keeper.letterbox.name(&from, brought);
        let mut until = keeper.until();
        keeper.start_where_needed(&mut until, from)?;
        drop(until);
        Ok(keeper)
    }

    /// Keeps what comes from there in place of all it has kept, and drops the lists that `read`,
    /// which holds what was read there, does not know of. What is fetched is fetched at once. The
    /// thread may be in the middle of a long list, and is not waited for.
    ///
    /// # Errors
    /// The kernel's, where the thread cannot be had: lists are in use then, and nobody keeps them.
    pub fn keep(
        &self,
        (from, brought): (Vec<CrlFrom>, &AllBrought),
        read: &Revocation,
    ) -> io::Result<()> {
        let mut until = self.until();
        if until.is_none() {
            self.letterbox.name(&from, brought);
            self.revocation.leave(read);
            return self.start_where_needed(&mut until, from);
        }
        remove_left_behind(&from);
        // In one go: what the thread takes into use before that is dropped where it is to go, and
        // behind it nothing comes from where lists were had before.
        let letter = held(&self.letterbox.letter);
        self.letterbox.name(&from, brought);
        // What has come since they were read, from where lists are had still.
        for one in held(&self.letterbox.places).values().flatten() {
            read.carry_over(&self.revocation, one.issuer, one.delta);
        }
        self.revocation.leave(read);
        self.letterbox.put(letter, Some(from));
        Ok(())
    }

    /// Keeps what comes from these places alone, which are among those before, and goes by lists of
    /// these CAs alone. No list is read: those go that came from where nobody looks any more.
    pub fn keep_only(&self, names: &HashSet<String>, issuers: &[CrlIssuer]) {
        // Nothing is taken into use meanwhile.
        let _letter = held(&self.letterbox.letter);
        let mut places = held(&self.letterbox.places);
        let gone: Vec<_> = places
            .extract_if(|name, _| !names.contains(name))
            .flat_map(|(_, brought)| brought)
            .collect();
        self.revocation.leave_but(issuers, |issuer, delta| {
            let it = Brought { issuer, delta };
            !gone.contains(&it) || places.values().flatten().any(|one| *one == it)
        });
    }

    /// Has files looked at: what hangs up when those that have changed are in use or refused, which
    /// may take seconds. None where nothing is kept.
    pub fn look_now(&self) -> Option<Receiver<()>> {
        self.until().as_ref()?;
        let letter = held(&self.letterbox.letter);
        Some(self.letterbox.put(letter, None))
    }

    /// What came last from a place, where that is known.
    pub fn brought(&self, name: &str) -> Option<Brought> {
        self.all_brought(name).pop()
    }

    /// What came from a place, where that is known: the last stands last.
    pub fn all_brought(&self, name: &str) -> Vec<Brought> {
        self.letterbox.brought(name)
    }

    fn until(&self) -> MutexGuard<'_, Option<oneshot::Sender<()>>> {
        held(&self.until)
    }

    fn start_where_needed(
        &self,
        until: &mut Option<oneshot::Sender<()>>,
        from: Vec<CrlFrom>,
    ) -> io::Result<()> {
        if from.is_empty() {
            return Ok(());
        }
        remove_left_behind(&from);
        self.letterbox.put(held(&self.letterbox.letter), Some(from));
        *until = Some(self.start_thread()?);
        Ok(())
    }

    fn start_thread(&self) -> io::Result<oneshot::Sender<()>> {
        let (until, told) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (revocation, counts) = (Arc::clone(&self.revocation), Arc::clone(&self.counts));
        let letterbox = Arc::clone(&self.letterbox);
        let thread = std::thread::Builder::new().name("t8gate-crl".to_owned());
        thread.spawn(move || {
            if let Err(error) = cpu::step_back() {
                tracing::warn!(%error, "the keeper of revocation lists competes with shards");
            }
            let tasks = tokio::task::LocalSet::new();
            let reminded = Arc::clone(&revocation);
            tasks.spawn_local(async move { keep_as_told(letterbox, revocation, counts).await });
            tasks.spawn_local(async move { remind(&reminded).await });
            // Dropped at the end, whatever they are at.
            let _ = tasks.block_on(&runtime, told);
        })?;
        Ok(until)
    }
}

fn remove_left_behind(from: &[CrlFrom]) {
    let folders: HashSet<_> = from
        .iter()
        .filter_map(|from| from.kept.as_ref()?.parent())
        .collect();
    for folder in folders {
        crl_fetch::remove_left_behind(folder);
    }
}

/// Keeps what it is told to. Lists are read in one go, by one at a time: none of those that are
/// ended here is in the middle of one.
async fn keep_as_told(
    letterbox: Arc<Letterbox>,
    revocation: Arc<Revocation>,
    counts: Arc<CrlCounts>,
) {
    let mut kept = JoinSet::new();
    let mut watched = Vec::new();
    loop {
        let letter = held(&letterbox.letter).take();
        if let Some(mut letter) = letter {
            if let Some(from) = letter.keep.take() {
                kept.shutdown().await;
                watched.clear();
                // Some may be nobody's again.
                for from in from
                    .into_iter()
                    .filter(|from| letterbox.is_kept(&from.name))
                {
                    let (revocation, counts) = (Arc::clone(&revocation), Arc::clone(&counts));
                    let letterbox = Arc::clone(&letterbox);
                    match from.place.clone() {
                        CrlPlace::File(file) => {
                            let all = (revocation, counts, letterbox);
                            let one = Rc::new(Watched::new(from, file, all));
                            watched.push(Rc::clone(&one));
                            kept.spawn_local(async move { one.watch().await });
                        }
                        CrlPlace::Url(url) => {
                            kept.spawn_local(async move {
                                fetch_again(&from, &url, &revocation, &counts, &letterbox).await;
                            });
                        }
                    }
                }
            }
            watched.iter().for_each(|one| one.look(true));
            drop(letter.done);
        }
        letterbox.written.notified().await;
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

/// Reads a list from a file at the start, and takes it into use.
///
/// # Errors
/// Why it is not used.
pub fn take(file: &Path, revocation: &Revocation) -> Result<Taken, CrlFault> {
    let crl = read(file, revocation)?;
    let taken = Taken::of(&crl);
    revocation.adopt(crl)?;
    Ok(taken)
}

/// Reads a list from a file and verifies it. It is not in use yet.
///
/// # Errors
/// Why it is not to be used.
pub fn read(file: &Path, revocation: &Revocation) -> Result<Crl, CrlFault> {
    let mut file = regular_file::open(file).map_err(|why| match why {
        NotOpened::NotRegular => CrlFault::NotRegular,
        NotOpened::Kernel(_) => CrlFault::Unreadable,
    })?;
    revocation.read(&mut file)
}

/// Takes a list into use while the gateway serves, unless others are to be kept by now.
fn renew(
    name: &str,
    file: &Path,
    revocation: &Revocation,
    letterbox: &Letterbox,
) -> Option<Result<Taken, CrlFault>> {
    match read(file, revocation) {
        Ok(crl) => letterbox.renew(name, crl, revocation),
        Err(fault) => Some(Err(fault)),
    }
}

/// Whether other CAs than before are a reason to read a list again: one has come that may have
/// signed it, or the list has gone with the one that has, which may be back.
fn concerns(
    (before, now): (&Arc<Vec<CrlIssuer>>, &Arc<Vec<CrlIssuer>>),
    brought: Option<&Brought>,
    revocation: &Revocation,
) -> bool {
    let is_gone = |brought: &Brought| !revocation.has_list_of(brought.issuer, brought.delta);
    !Arc::ptr_eq(before, now)
        && (now.iter().any(|one| !before.contains(one)) || brought.is_some_and(is_gone))
}

/// A file, and what is known of it.
struct Watched {
    from: CrlFrom,
    file: PathBuf,
    revocation: Arc<Revocation>,
    counts: Arc<CrlCounts>,
    letterbox: Arc<Letterbox>,
    known: RefCell<Known>,
}

struct Known {
    read: Option<Stamp>,
    seen: Option<Stamp>,
    issuers: Arc<Vec<CrlIssuer>>,
    generation: u64,
    delta: bool,
    /// It was said that the file is gone.
    gone: bool,
    /// When a list is looked at again that had not begun, or could not be read.
    again_at: Option<UnixSeconds>,
}

impl Watched {
    fn new(
        from: CrlFrom,
        file: PathBuf,
        (revocation, counts, letterbox): (Arc<Revocation>, Arc<CrlCounts>, Arc<Letterbox>),
    ) -> Self {
        let known = RefCell::new(Known {
            read: from.read,
            seen: from.read,
            issuers: revocation.issuers(),
            generation: revocation.generation(),
            // What is not known may be one.
            delta: letterbox
                .brought(&from.name)
                .last()
                .is_none_or(|brought| brought.delta),
            gone: false,
            again_at: None,
        });
        Self {
            from,
            file,
            revocation,
            counts,
            letterbox,
            known,
        }
    }

    async fn watch(&self) {
        while self.letterbox.is_kept(&self.from.name) {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look(false);
        }
    }

    /// Reads the file again when it has changed, and is no longer being written: when two looks
    /// find the same, or somebody says that it is `whole`.
    fn look(&self, whole: bool) {
        if !self.letterbox.is_kept(&self.from.name) {
            return;
        }
        let mut known = self.known.borrow_mut();
        let now = Stamp::of(&self.file);
        let changed = now != known.read && (whole || now == known.seen) && now.is_some();
        // Once, and not where another is just being put in its place.
        let gone = now.is_none() && (known.gone || known.seen.is_none());
        if gone && !known.gone {
            tracing::warn!(
                list = self.from.name,
                hint = "put it back, or a newer one in its place; without it there is no restart",
                "the file of a revocation list is not there any more: what is in use stays until \
                 it ends"
            );
        }
        known.gone = gone;
        known.seen = now;
        // Whose lists are taken may have changed, or the complete list that a delta goes with. What
        // another complete list says is nothing to this one.
        let issuers = self.revocation.issuers();
        let brought = self.letterbox.brought(&self.from.name);
        let brought = brought.last();
        let other_issuers = concerns((&known.issuers, &issuers), brought, &self.revocation);
        known.issuers = issuers;
        let again = other_issuers
            || known.delta && known.generation != self.revocation.generation()
            || known
                .again_at
                .is_some_and(|at| whole || at <= UnixSeconds::now());
        if !changed && !again {
            return;
        }
        let (revocation, letterbox) = (&self.revocation, &self.letterbox);
        let taken = match changed {
            true => take_noting(&self.from, &self.file, revocation, &self.counts, letterbox),
            false => renew(&self.from.name, &self.file, revocation, letterbox),
        };
        let Some(taken) = taken else { return };
        // That it was not has been said.
        if let (Ok(taken), false, Some(_)) = (&taken, changed, known.again_at) {
            note_taken(&self.from, taken, &self.counts);
        }
        if changed {
            known.read = now;
        }
        known.generation = self.revocation.generation();
        known.again_at = None;
        match taken {
            Ok(taken) => known.delta = taken.brought.delta,
            Err(CrlFault::DeltaWithoutBase) => known.delta = true,
            Err(CrlFault::UnknownIssuer) if other_issuers && !changed => tracing::warn!(
                list = self.from.name,
                hint = "take its [[crl]] out of the configuration: with it there is no restart",
                "no configured CA has the name of a revocation list's issuer any more"
            ),
            // The kernel may have been short of something.
            Err(CrlFault::NotYetValid | CrlFault::Unreadable) => {
                known.again_at = Some(UnixSeconds(UnixSeconds::now().0 + AGAIN_S));
            }
            Err(_) => {}
        }
    }
}

async fn fetch_again(
    from: &CrlFrom,
    url: &HttpUrl,
    revocation: &Revocation,
    counts: &CrlCounts,
    letterbox: &Letterbox,
) {
    let Some(kept) = &from.kept else { return };
    let folder = kept.parent().unwrap_or(Path::new("."));
    let mut known = Validators::default();
    let mut failures = 0;
    let mut issuers = revocation.issuers();
    loop {
        match crl_fetch::fetch(url, from.tls.as_ref(), &known, folder).await {
            Ok(Fetched::List(file, validators)) => {
                // Who serves what is no list is asked again as soon as who serves nothing.
                match take_noting(from, file.path(), revocation, counts, letterbox) {
                    None => return,
                    Some(Err(_)) => failures += 1,
                    Some(Ok(_)) => {
                        known = validators;
                        failures = 0;
                        // It is in use whether or not it is kept.
                        if let Err(error) = file.persist(kept) {
                            tracing::warn!(list = from.name, %error, "the list cannot be kept");
                        }
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
        while !left.is_zero() {
            let some = left.min(LOOK_EVERY);
            tokio::time::sleep(some).await;
            left -= some;
            if !letterbox.is_kept(&from.name) {
                return;
            }
            let before = std::mem::replace(&mut issuers, revocation.issuers());
            // What was not taken for want of its CA is asked for again, changed or not.
            let brought = letterbox.brought(&from.name);
            if concerns((&before, &issuers), brought.last(), revocation) {
                known = Validators::default();
                break;
            }
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
    letterbox: &Letterbox,
) -> Option<Result<Taken, CrlFault>> {
    let taken = renew(&from.name, file, revocation, letterbox)?;
    match &taken {
        Ok(taken) => note_taken(from, taken, counts),
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
    Some(taken)
}

fn note_taken(from: &CrlFrom, taken: &Taken, counts: &CrlCounts) {
    counts.taken.fetch_add(1, Ordering::Relaxed);
    let entries = taken.entries;
    tracing::info!(list = from.name, entries, "a new revocation list is in use");
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
                of = revocation.ended(now).join("; "),
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
