//! Other revocation lists into force: where some come, all of them are read apart from those in
//! use, and take their place together with the configuration that names them. Where some only go,
//! none is read, and nobody keeps trust for as long as that takes.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use self::reading::{Place, Reading};
use super::attempt::Ground;
use crate::clock::{Millis, UnixSeconds};
use crate::config::{Config, CrlPlace, CrlSource, Fault};
use crate::control::crl_keeper::{AllBrought, Brought, CrlFrom, CrlKeeper};
use crate::control::load::{Report, fault};
use crate::control::revocation;
use crate::snapshot::Snapshot;
use crate::tls::revocation::{CrlFault, CrlIssuer, Revocation};

mod reading;

/// Where lists come from, without the lines that say so.
#[derive(PartialEq, Eq)]
pub struct Sources {
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
    /// To be called before what the configuration names is read.
    pub fn of(config: &Config) -> Self {
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

    fn names(&self, other: &Source) -> bool {
        self.lists.iter().any(|one| one.place == other.place)
    }
}

/// What is to be gone by.
pub(super) enum Lists {
    AsBefore,
    /// From there alone, of these CAs alone: of both there were as many before, or more.
    Fewer(Sources, Vec<CrlIssuer>),
    Others(Others),
}

/// Lists that were read anew, and where they will come from.
pub(super) struct Others {
    sources: Sources,
    from: Vec<CrlFrom>,
    brought: AllBrought,
    read: Arc<Revocation>,
}

/// Reads the lists that the written configuration names, where some have come or CAs that may sign
/// them, or where it is not known which lists those are that stay. What is wrong with them is in
/// the report, unless it is wrong with the file of a list that was named before: nobody is to be
/// trusted any longer for that.
pub(super) fn read(ground: &Ground, written: &Config, well: bool, report: &mut Report) -> Lists {
    let (before, keeper) = (&*ground.sources, &*ground.keeper);
    let in_use = &*ground.before.revocation;
    let issuers = revocation::issuers(written, report);
    // Before lists are read: what changes meanwhile is read again.
    let mut sources = Sources::of(written);
    let known = in_use.issuers();
    if sources == *before && *known == issuers {
        return Lists::AsBefore;
    }
    let same = sources.lists == before.lists;
    let brought = |one: &Source| keeper.brought(&one.place.to_string());
    if sources.state == before.state
        && sources.lists.iter().all(|one| before.lists.contains(one))
        && issuers.iter().all(|issuer| known.contains(issuer))
        && match same {
            // Else there is nothing to do but to read what could not be read.
            true => *known != issuers,
            false => stand_alone(sources.lists.iter().map(brought)),
        }
    {
        sources.are_read = before.are_read;
        return Lists::Fewer(sources, issuers);
    }
    let anew = (written, sources, issuers);
    Lists::Others(read_anew(ground, anew, well, report))
}

/// The same, where lists have to be read.
fn read_anew(
    ground: &Ground,
    (written, mut sources, issuers): (&Config, Sources, Vec<CrlIssuer>),
    well: bool,
    report: &mut Report,
) -> Others {
    let (before, keeper) = (&*ground.sources, &*ground.keeper);
    let mut from = revocation::sources(written).unwrap_or_else(|wrong| {
        for fault in wrong {
            report.note::<()>("where lists come from", Err(fault));
        }
        Vec::new()
    });
    let read = Arc::new(Revocation::default());
    read.take_lists_of(issuers);
    let reading = Reading {
        read: &read,
        in_use: &ground.before.revocation,
        given_up: &ground.given_up,
        brought: RefCell::default(),
        now: UnixSeconds::now(),
    };
    let mut places: Vec<_> = from.iter().map(|from| reading.kept(from)).collect();
    if well && report.faults().is_empty() {
        reading.fetch_first(&mut places, (before, keeper));
    }
    let stood = |one: &Source| before.lists.contains(one);
    let named = written.revocation.lists.iter();
    let named = named.zip(sources.lists.iter().map(stood));
    let left = read_complete(&reading, (named, places), keeper, report);
    let unread = read_deltas(&reading, left, keeper, report);
    let brought = |one: &Source| keeper.all_brought(&one.place.to_string());
    let gone = before.lists.iter().filter(|one| !sources.names(one));
    let gone: Vec<_> = gone.flat_map(brought).collect();
    let stay: Vec<_> = sources.lists.iter().flat_map(brought).collect();
    reading.carry_over_but(&gone, &stay);
    let brought = reading.brought.into_inner();
    sources.are_read = unread.is_empty();
    for from in from.iter_mut().filter(|from| unread.contains(&from.name)) {
        // For its keeper it is one that has changed: what is in it may have its time later.
        from.read = None;
    }
    Others {
        sources,
        from,
        brought,
        read,
    }
}

/// What is to be read behind the complete lists: what changes one of them is nothing without it,
/// whichever is named first.
struct Left<'l> {
    deltas: Vec<Place<'l>>,
    /// And whether each was named before.
    delta_files: Vec<(&'l CrlSource, &'l Path, bool)>,
    /// Whether it is known of all places whose lists they have.
    all_known: bool,
    /// The places that were named before and could not be read.
    unread: Vec<String>,
}

fn read_complete<'l>(
    reading: &Reading<'_>,
    (named, places): (impl Iterator<Item = (&'l CrlSource, bool)>, Vec<Place<'l>>),
    keeper: &CrlKeeper,
    report: &mut Report,
) -> Left<'l> {
    let mut left = Left {
        deltas: Vec::new(),
        delta_files: Vec::new(),
        all_known: true,
        unread: Vec::new(),
    };
    let mut places = places.into_iter();
    for (source, stood) in named {
        let found = match (&source.place.value, places.next()) {
            (CrlPlace::File(file), _) => match reading.of_file(file) {
                Err(CrlFault::DeltaWithoutBase) => {
                    left.delta_files.push((source, file, stood));
                    continue;
                }
                Err(refused) if stood => {
                    left.unread.push(source.place.value.to_string());
                    Ok(stays(source, refused))
                }
                taken => told(source, taken),
            },
            (CrlPlace::Url(_), Some(place)) => {
                match place.is_of_a_delta(keeper) {
                    true => left.deltas.push(place),
                    false => left.all_known &= reading.of_url(place, keeper),
                }
                Ok("is to be fetched again".to_owned())
            }
            // Some of these are at fault.
            (CrlPlace::Url(_), None) => continue,
        };
        note(source, found, report);
    }
    left
}

/// The places that were named before and could not be read.
fn read_deltas(
    reading: &Reading<'_>,
    left: Left<'_>,
    keeper: &CrlKeeper,
    report: &mut Report,
) -> Vec<String> {
    let mut unread = left.unread;
    for place in left.deltas {
        reading.of_url(place, keeper);
    }
    // What is in a file that cannot be read is not known either.
    if !left.all_known || !unread.is_empty() {
        reading.carry_over_all();
    }
    for (source, file, stood) in left.delta_files {
        let found = match reading.of_file(file) {
            Err(CrlFault::DeltaWithoutBase) if !left.all_known => {
                Ok("waits for its complete list, which is to be fetched".to_owned())
            }
            // It is ahead of that.
            Err(refused) if stood && reading.has_base_of(file) => {
                unread.push(source.place.value.to_string());
                reading.carry_over_all();
                Ok(stays(source, refused))
            }
            taken => told(source, taken),
        };
        note(source, found, report);
    }
    unread
}

fn note(source: &CrlSource, found: Result<String, Fault>, report: &mut Report) {
    let what = format!("list {}", source.place.value);
    report.note(what, found.map(|found| ((), found)));
}

/// Whether it is known of all places what they have brought, and no delta is left without a place
/// of its complete list: that is a fault.
fn stand_alone(brought: impl Iterator<Item = Option<Brought>>) -> bool {
    let Some(all) = brought.collect::<Option<Vec<_>>>() else {
        return false;
    };
    let has_base = |delta: &Brought| {
        let mut complete = all.iter().filter(|one| !one.delta);
        complete.any(|one| one.issuer == delta.issuer)
    };
    all.iter().all(|one| !one.delta || has_base(one))
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

impl Lists {
    /// Puts them in force, around the storing of the configuration that names them: where they come
    /// from, if that has changed, and what is to be done about those that go. Nobody is refused for
    /// want of a list that was in use or has been read, and nobody is taken for want of one: what
    /// is new comes before the configuration, and what is to go goes when no shard goes by the one
    /// `before` any more.
    pub(super) fn put_in_force(
        self,
        before: Arc<Snapshot>,
        store: impl FnOnce(),
    ) -> Option<(Sources, Going)> {
        let in_use = Arc::clone(&before.revocation);
        let (sources, what) = match self {
            Self::AsBefore => {
                store();
                return None;
            }
            Self::Fewer(sources, issuers) => {
                let names = sources.lists.iter().map(|one| one.place.to_string());
                let names = names.collect();
                (sources, What::Fewer(names, issuers))
            }
            Self::Others(Others {
                sources,
                from,
                brought,
                read,
            }) => {
                in_use.join(&read);
                let what = What::Others((from, brought), read);
                (sources, what)
            }
        };
        let some_go = match &what {
            What::Fewer(..) => true,
            What::Others(_, read) => in_use.has_lists_beyond(read),
        };
        store();
        let going = Going {
            what,
            in_use,
            before: some_go.then_some(before),
            since: Millis::now(),
        };
        Some((sources, going))
    }
}

/// Lists on their way out of use, and what is kept from then on.
pub(super) struct Going {
    what: What,
    in_use: Arc<Revocation>,
    /// None where no list goes.
    before: Option<Arc<Snapshot>>,
    since: Millis,
}

enum What {
    /// All but what comes from these places, of these CAs.
    Fewer(HashSet<String>, Vec<CrlIssuer>),
    /// All but what has been read.
    Others((Vec<CrlFrom>, AllBrought), Arc<Revocation>),
}

impl Going {
    /// Whether no shard goes by them any more, or has had so long for that: a request that is under
    /// way may hold on to what has been replaced.
    pub(super) fn is_due(&self, wait: Duration) -> bool {
        let is_held = |before: &Arc<Snapshot>| Arc::strong_count(before) > 1;
        !self.before.as_ref().is_some_and(is_held) || self.since.after(wait) <= Millis::now()
    }

    /// Has them gone. Gives what is in use then.
    pub(super) fn go(self, keeper: &CrlKeeper) -> Arc<Revocation> {
        match self.what {
            What::Fewer(names, issuers) => keeper.keep_only(&names, &issuers),
            What::Others((from, brought), read) => {
                if let Err(error) = keeper.keep((from, &brought), &read) {
                    tracing::error!(
                        %error,
                        hint = "raise the limit on threads (ulimit -u, TasksMax=), and restart",
                        "revocation lists are in use and not kept: there is no thread for it"
                    );
                }
            }
        }
        self.in_use
    }
}
