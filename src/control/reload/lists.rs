//! Other revocation lists into force: all of them are read apart from those in use, and take their
//! place together with the configuration that names them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::attempt::Ground;
use crate::clock::UnixSeconds;
use crate::config::{Config, CrlPlace, CrlSource, Fault};
use crate::control::crl_fetch::{self, Fetched};
use crate::control::crl_keeper::{self, CrlFrom, CrlKeeper};
use crate::control::load::{Report, fault};
use crate::control::revocation;
use crate::tls::revocation::{Crl, CrlFault, CrlIssuer, Revocation};

/// What a reload waits for lists that are fetched for the first time. Their servers may be down,
/// and whatever else has changed is not to be held up by that.
const FETCH_WAIT: Duration = Duration::from_secs(5);

/// Where lists come from, without the lines that say so.
#[derive(PartialEq, Eq)]
pub(super) struct Sources {
    state: Option<PathBuf>,
    lists: Vec<Source>,
    /// Whether the files could be read; else they are read once more when that is asked for.
    are_read: bool,
}

#[derive(PartialEq, Eq)]
struct Source {
    place: CrlPlace,
    issuer: Option<PathBuf>,
    refresh: Duration,
    /// What the file holds as well, because who fetches has read it once.
    ca: Option<(PathBuf, Option<Vec<u8>>)>,
}

impl Sources {
    pub(super) fn of(config: &Config) -> Self {
        let source = |source: &CrlSource| Source {
            place: source.place.value.clone(),
            issuer: source.issuer.as_ref().map(|at| at.value.clone()),
            refresh: source.refresh,
            ca: source.ca.as_ref().map(|at| {
                let held = fs::read(&at.value).ok();
                (at.value.clone(), held)
            }),
        };
        let configured = &config.revocation;
        Self {
            state: configured.state.as_ref().map(|at| at.value.clone()),
            lists: configured.lists.iter().map(source).collect(),
            are_read: true,
        }
    }
}

/// What is to be gone by.
pub(super) enum Lists {
    AsBefore,
    /// From where they came, of these CAs alone, which are fewer than before.
    Fewer(Sources, Vec<CrlIssuer>),
    Others(Others),
}

/// Lists that were read anew, and where they will come from.
pub(super) struct Others {
    sources: Sources,
    from: Vec<CrlFrom>,
    read: Arc<Revocation>,
}

/// Reads the lists that the written configuration names, where these are others than before or CAs
/// have come that may sign them. What is wrong with them is in the report, unless it is wrong with
/// the file of a list that was named before: nobody is to be trusted any longer for that.
pub(super) fn read(ground: &Ground, written: &Config, well: bool, report: &mut Report) -> Lists {
    let (before, keeper) = (&*ground.sources, &*ground.keeper);
    let in_use = &*ground.before.revocation;
    let issuers = revocation::issuers(written, report);
    // Before lists are read: what changes meanwhile is read again.
    let mut sources = Sources::of(written);
    if sources == *before {
        let known = in_use.issuers();
        if *known == issuers {
            return Lists::AsBefore;
        }
        if issuers.iter().all(|issuer| known.contains(issuer)) {
            return Lists::Fewer(sources, issuers);
        }
    }
    let from = revocation::sources(written).unwrap_or_else(|wrong| {
        for fault in wrong {
            report.note::<()>("where lists come from", Err(fault));
        }
        Vec::new()
    });
    let read = Arc::new(Revocation::default());
    read.take_lists_of(issuers);
    let reading = Reading {
        read: &read,
        in_use,
        given_up: &ground.given_up,
        now: UnixSeconds::now(),
    };
    let mut places: Vec<_> = from.iter().map(|from| reading.kept(from)).collect();
    if well && report.faults().is_empty() {
        reading.fetch_first(&mut places, (before, keeper));
    }
    let mut places = places.into_iter();
    // What changes a complete list is nothing without it, whichever is named first.
    let (mut deltas, mut delta_files) = (Vec::new(), Vec::new());
    let mut all_known = true;
    for (source, place_of) in written.revocation.lists.iter().zip(&sources.lists) {
        let stood = before.lists.contains(place_of);
        let found = match (&source.place.value, places.next()) {
            (CrlPlace::File(file), _) => match reading.of_file(file) {
                Err(CrlFault::DeltaWithoutBase) => {
                    delta_files.push((source, file, stood));
                    continue;
                }
                Err(refused) if stood => {
                    sources.are_read = false;
                    Ok(stays(source, refused))
                }
                taken => told(source, taken),
            },
            (CrlPlace::Url(_), Some(place)) => {
                match place.is_of_a_delta(keeper) {
                    true => deltas.push(place),
                    false => all_known &= reading.of_url(place, keeper),
                }
                Ok("is to be fetched again".to_owned())
            }
            // Some of these are at fault.
            (CrlPlace::Url(_), None) => continue,
        };
        let what = format!("list {}", source.place.value);
        report.note(what, found.map(|found| ((), found)));
    }
    for place in deltas {
        reading.of_url(place, keeper);
    }
    // What is in a file that cannot be read is not known either.
    if !all_known || !sources.are_read {
        reading.carry_over_all();
    }
    for (source, file, stood) in delta_files {
        let found = match reading.of_file(file) {
            Err(CrlFault::DeltaWithoutBase) if !all_known => {
                Ok("waits for its complete list, which is to be fetched".to_owned())
            }
            // It is ahead of that.
            Err(refused) if stood && reading.has_base_of(file) => {
                sources.are_read = false;
                reading.carry_over_all();
                Ok(stays(source, refused))
            }
            taken => told(source, taken),
        };
        let what = format!("list {}", source.place.value);
        report.note(what, found.map(|found| ((), found)));
    }
    Lists::Others(Others {
        sources,
        from,
        read,
    })
}

/// What would be refused while the gateway serves is a fault: what is in use is better.
fn told(source: &CrlSource, taken: Result<usize, CrlFault>) -> Result<String, Fault> {
    let taken = taken.map_err(|refused| {
        let (what, cure) = refused.explained();
        fault(&source.place, "crl.file", what, cure)
    });
    taken.map(|entries| format!("{entries} serial numbers"))
}

/// What is in use of a list is gone by where nothing else is said of it than before.
fn stays(source: &CrlSource, refused: CrlFault) -> String {
    let (what, hint) = refused.explained();
    tracing::warn!(
        list = %source.place.value,
        reason = refused.word(),
        hint,
        "a revocation list is not read again: {what}; what is in use stays until it ends"
    );
    "as before".to_owned()
}

/// Where a list is to be fetched from, and what there is of it.
struct Place<'f> {
    from: &'f CrlFrom,
    kept: Option<Crl>,
    fetched: Option<JustFetched>,
}

/// A list as it came, and what was read there at once: a delta is taken after all complete lists.
/// Whether it is newer than what is known is to be seen then.
type JustFetched = (NamedTempFile, Result<Crl, CrlFault>);

impl Place<'_> {
    fn is_of_a_delta(&self, keeper: &CrlKeeper) -> bool {
        let brought = keeper.brought(&self.from.name);
        let brought = brought.map(|brought| brought.delta);
        let kept = self.kept.as_ref().map(Crl::is_delta);
        let fetched = self
            .fetched
            .as_ref()
            .and_then(|(_, read)| read.as_ref().ok());
        let fetched = fetched.map(Crl::is_delta);
        fetched.or(kept).or(brought).unwrap_or_default()
    }
}

/// Lists on their way into use.
struct Reading<'r> {
    read: &'r Revocation,
    in_use: &'r Revocation,
    given_up: &'r AtomicBool,
    now: UnixSeconds,
}

impl Reading<'_> {
    /// How many serial numbers there are in the list of a file.
    fn of_file(&self, file: &Path) -> Result<usize, CrlFault> {
        let crl = crl_keeper::read(file, self.read)?;
        self.in_use.may_be_replaced_by(&crl, self.now)?;
        let entries = crl.entries();
        self.read.adopt(crl)?;
        Ok(entries)
    }

    /// Whether there is a complete list of the CA that the delta in this file is of.
    fn has_base_of(&self, file: &Path) -> bool {
        let delta = crl_keeper::read(file, self.read);
        delta.is_ok_and(|delta| self.read.has_list_of(delta.issuer(), false))
    }

    /// What is kept of a list that is fetched.
    fn kept<'f>(&self, from: &'f CrlFrom) -> Place<'f> {
        let kept = from.kept.as_ref();
        Place {
            from,
            kept: kept.and_then(|kept| crl_keeper::read(kept, self.read).ok()),
            fetched: None,
        }
    }

    /// The newest of what is kept of a list, what was fetched of it now, and what is in use of it:
    /// it may not have been possible to keep that. Whether it is known what comes from there.
    fn of_url(&self, place: Place<'_>, keeper: &CrlKeeper) -> bool {
        let Place {
            from,
            kept,
            fetched,
        } = place;
        let brought = keeper.brought(&from.name);
        let mut known = kept.is_some() || brought.is_some();
        // Before what was fetched, which is held against it.
        if let Some(crl) = kept {
            // What is in use is better, or another source has brought better still.
            let _ = self.take(crl);
        }
        if let Some(fetched) = fetched {
            known |= self.take_fetched(from, fetched);
        }
        if let Some(brought) = brought {
            self.read
                .carry_over(self.in_use, brought.issuer, brought.delta);
        }
        known
    }

    /// Keeps what is in use of each CA: a place that has brought nothing yet may be for any, and
    /// whom a list names is refused for as long as that is believed.
    fn carry_over_all(&self) {
        for issuer in self.read.issuers().iter() {
            for delta in [false, true] {
                self.read.carry_over(self.in_use, issuer.id(), delta);
            }
        }
    }

    /// Unless what is in use, or was read before this, is better: then that stays.
    fn take(&self, crl: Crl) -> Result<(), CrlFault> {
        let (issuer, delta) = (crl.issuer(), crl.is_delta());
        let taken = self.in_use.may_be_replaced_by(&crl, self.now);
        if taken.is_err() {
            self.read.carry_over(self.in_use, issuer, delta);
        }
        taken.and_then(|()| self.read.may_be_replaced_by(&crl, self.now))?;
        self.read.adopt(crl)
    }

    /// It takes the place of what is kept only where it is taken, which is said.
    fn take_fetched(&self, from: &CrlFrom, (fetched, read): JustFetched) -> bool {
        let taken = read.and_then(|crl| self.take(crl));
        if let Err(refused) = taken {
            let (what, hint) = refused.explained();
            tracing::error!(
                list = from.name,
                reason = refused.word(),
                hint,
                "a revocation list is not used: {what}; what is known stays until it ends"
            );
            return false;
        }
        // A newer attempt may have kept a newer one.
        let kept = from.kept.as_ref();
        let kept = kept.filter(|_| !self.given_up.load(Ordering::Relaxed));
        let kept = kept.map(|kept| fetched.persist(kept));
        // It is used whether or not it is kept.
        if let Some(Err(error)) = kept {
            tracing::warn!(list = from.name, %error, "the list cannot be kept");
        }
        true
    }

    /// Fetches what is named for the first time, where nothing of it is in use. A server that gives
    /// none is no fault, as it is none at a start: its clients are refused until it does.
    fn fetch_first(&self, places: &mut [Place<'_>], (before, keeper): (&Sources, &CrlKeeper)) {
        let wanted = places.iter_mut().filter_map(|place| {
            let CrlPlace::Url(url) = &place.from.place else {
                return None;
            };
            let in_use = |crl: &Crl| self.in_use.has_list_of(crl.issuer(), crl.is_delta());
            let named_before = before.lists.iter().any(|one| one.place == place.from.place);
            // Its keeper fetches it in a moment, and nobody has to wait for that.
            if named_before
                || keeper.brought(&place.from.name).is_some()
                || place.kept.as_ref().is_some_and(in_use)
            {
                return None;
            }
            let folder = place.from.kept.as_ref()?.parent().unwrap_or(Path::new("."));
            let wanted = (url.clone(), place.from.tls.clone(), folder.to_path_buf());
            Some((place, wanted))
        });
        let (places, wanted): (Vec<_>, Vec<_>) = wanted.unzip();
        if wanted.is_empty() {
            return;
        }
        let fetched = match crl_fetch::fetch_all(wanted, FETCH_WAIT) {
            Ok(fetched) => fetched,
            Err(error) => return tracing::warn!(%error, "lists cannot be fetched before their use"),
        };
        for (place, fetched) in places.into_iter().zip(fetched) {
            let what = match fetched {
                Ok(Fetched::List(file, _)) => {
                    let read = crl_keeper::read(file.path(), self.read);
                    place.fetched = Some((file, read));
                    continue;
                }
                Ok(Fetched::NotModified) => "nothing was known of it".to_owned(),
                Err(fault) => fault.to_string(),
            };
            tracing::warn!(
                list = place.from.name,
                hint = "see whether the server is up; it is asked again and again",
                "the revocation list is not there yet: {what}; where none is known of a CA, its \
                 clients are refused, or taken unchecked where the policy is soft-fail"
            );
        }
    }
}

impl Lists {
    /// Puts them in force, around the storing of the configuration that names them; where they come
    /// from, if that has changed. Nobody is refused for want of a list that was in use or has been
    /// read, and nobody is taken for want of one: what is new comes before the configuration, and
    /// what is to go goes when no shard goes by the one before any more.
    pub(super) fn put_in_force(
        self,
        in_use: &Revocation,
        keeper: &CrlKeeper,
        store: impl FnOnce(),
        await_shards: impl FnOnce(),
    ) -> Option<Sources> {
        let others = match self {
            Self::AsBefore => {
                store();
                return None;
            }
            Self::Fewer(sources, issuers) => {
                store();
                await_shards();
                in_use.take_lists_of(issuers);
                return Some(sources);
            }
            Self::Others(others) => others,
        };
        in_use.join(&others.read);
        let some_go = in_use.has_lists_beyond(&others.read);
        store();
        if some_go {
            await_shards();
        }
        if let Err(error) = keeper.keep(others.from, &others.read) {
            tracing::error!(
                %error,
                hint = "raise the limit on threads (ulimit -u, TasksMax=), and restart",
                "revocation lists are in use and not kept: there is no thread for it"
            );
        }
        Some(others.sources)
    }
}
