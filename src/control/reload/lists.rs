//! Other revocation lists into force: all of them are read apart from those in use, and take their
//! place together with the configuration that names them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::UnixSeconds;
use crate::config::{Config, CrlPlace, CrlSource, Fault};
use crate::control::crl_fetch::{self, Fetched};
use crate::control::crl_keeper::{self, CrlFrom, CrlKeeper};
use crate::control::load::{Report, fault};
use crate::control::revocation;
use crate::tls::revocation::Revocation;

/// What a reload waits for lists that are fetched for the first time. Their servers may be down,
/// and whatever else has changed is not to be held up by that.
const FETCH_WAIT: Duration = Duration::from_secs(5);

/// Where lists come from, without the lines that say so.
#[derive(PartialEq, Eq)]
pub(super) struct Sources {
    state: Option<PathBuf>,
    lists: Vec<Source>,
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
        }
    }
}

/// What is to be gone by.
pub(super) enum Lists {
    AsBefore,
    Others(Others),
}

/// Lists that were read anew, and where they will come from.
pub(super) struct Others {
    sources: Sources,
    from: Vec<CrlFrom>,
    read: Arc<Revocation>,
}

/// Reads the lists that the written configuration names, where these or the CAs that may sign them
/// are others than before. What is wrong with them is in the report.
pub(super) fn read(
    before: &Sources,
    written: &Config,
    in_use: &Revocation,
    (keeper, well): (&CrlKeeper, bool),
    report: &mut Report,
) -> Lists {
    let issuers = revocation::issuers(written, report);
    // Before lists are read: what changes meanwhile is read again.
    let sources = Sources::of(written);
    if sources == *before && **in_use.issuers() == issuers {
        return Lists::AsBefore;
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
        now: UnixSeconds::now(),
    };
    if well && report.faults().is_empty() {
        reading.fetch_first(&from, keeper);
    }
    for (at, source) in written.revocation.lists.iter().enumerate() {
        let found = match (&source.place.value, from.get(at)) {
            (CrlPlace::File(file), _) => reading.of_file(source, file),
            (CrlPlace::Url(_), Some(from)) => Ok(reading.of_kept(from, keeper)),
            // Some of these are at fault.
            (CrlPlace::Url(_), None) => continue,
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

/// Lists on their way into use.
struct Reading<'r> {
    read: &'r Revocation,
    in_use: &'r Revocation,
    now: UnixSeconds,
}

impl Reading<'_> {
    /// What would be refused while the gateway serves is a fault: what is in use is better.
    fn of_file(&self, source: &CrlSource, file: &Path) -> Result<String, Fault> {
        let taken = crl_keeper::read(file, self.read).and_then(|crl| {
            self.in_use.may_be_replaced_by(&crl, self.now)?;
            let entries = crl.entries();
            self.read.adopt(crl)?;
            Ok(entries)
        });
        let taken = taken.map_err(|refused| {
            let (what, cure) = refused.explained();
            fault(&source.place, "crl.file", what, cure)
        });
        taken.map(|entries| format!("{entries} serial numbers"))
    }

    /// What is kept of a list that is fetched, and what is in use of it: it may not have been
    /// possible to keep that.
    fn of_kept(&self, from: &CrlFrom, keeper: &CrlKeeper) -> String {
        let kept = from.kept.as_ref();
        if let Some(crl) = kept.and_then(|kept| crl_keeper::read(kept, self.read).ok()) {
            let (issuer, delta) = (crl.issuer(), crl.is_delta());
            // What is in use is better, and another source may have brought better still.
            match self.in_use.may_be_replaced_by(&crl, self.now) {
                Ok(()) => drop(self.read.adopt(crl)),
                Err(_) => self.read.carry_over(self.in_use, issuer, delta),
            }
        }
        if let Some(brought) = keeper.brought(&from.name) {
            self.read
                .carry_over(self.in_use, brought.issuer, brought.delta);
        }
        "is to be fetched again".to_owned()
    }

    /// Fetches what has not been since the start, and keeps what is a list. A server that gives
    /// none is no fault, as it is none at a start: its clients are refused until it does.
    fn fetch_first(&self, from: &[CrlFrom], keeper: &CrlKeeper) {
        let wanted = from.iter().filter_map(|from| match &from.place {
            CrlPlace::Url(url) if keeper.brought(&from.name).is_none() => {
                let kept = from.kept.as_deref()?;
                let folder = kept.parent().unwrap_or(Path::new(".")).to_path_buf();
                Some(((from, kept), (url.clone(), from.tls.clone(), folder)))
            }
            _ => None,
        });
        let (places, wanted): (Vec<_>, Vec<_>) = wanted.unzip();
        if wanted.is_empty() {
            return;
        }
        let fetched = match crl_fetch::fetch_all(wanted, FETCH_WAIT) {
            Ok(fetched) => fetched,
            Err(error) => return tracing::warn!(%error, "lists cannot be fetched before their use"),
        };
        for ((from, kept), fetched) in places.into_iter().zip(fetched) {
            let kept =
                fetched
                    .map_err(|fault| fault.to_string())
                    .and_then(|fetched| match fetched {
                        Fetched::List(file, _) => crl_keeper::read(file.path(), self.read)
                            .map_err(|fault| fault.explained().0.to_owned())
                            .and_then(|_| file.persist(kept).map_err(|error| error.to_string())),
                        Fetched::NotModified => Err("nothing was known of it".to_owned()),
                    });
            if let Err(what) = kept {
                tracing::warn!(
                    list = from.name,
                    hint = "see whether the server is up; it is asked again and again",
                    "the revocation list is not there yet: {what}; where none is known of a CA, \
                     its clients are refused, or taken unchecked where the policy is soft-fail"
                );
            }
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
        let Self::Others(others) = self else {
            store();
            return None;
        };
        in_use.join(&others.read);
        let some_go = in_use.has_lists_beyond(&others.read);
        store();
        if some_go {
            await_shards();
        }
        if let Err(error) = keeper.keep(others.from, others.read) {
            tracing::error!(
                %error,
                hint = "raise the limit on threads (ulimit -u, TasksMax=), and restart",
                "revocation lists are in use and not kept: there is no thread for it"
            );
        }
        Some(others.sources)
    }
}
