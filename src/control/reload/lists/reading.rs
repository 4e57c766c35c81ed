//! Lists that are read apart from those in use, with what is known of where they come from.

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::NamedTempFile;

use super::Sources;
use crate::clock::UnixSeconds;
use crate::config::CrlPlace;
use crate::control::crl_fetch::{self, Fetched};
use crate::control::crl_keeper::{self, AllBrought, Brought, CrlFrom, CrlKeeper};
use crate::tls::revocation::{Crl, CrlFault, CrlIssuer, Revocation};

/// What a reload waits for lists that are fetched for the first time. Their servers may be down,
/// and whatever else has changed is not to be held up by that.
const FETCH_WAIT: Duration = Duration::from_secs(5);

/// Where a list is to be fetched from, and what there is of it.
pub(super) struct Place<'f> {
    from: &'f CrlFrom,
    kept: Option<Crl>,
    fetched: Option<JustFetched>,
}

/// A list as it came, and what was read there at once: a delta is taken after all complete lists.
/// Whether it is newer than what is known is to be seen then.
type JustFetched = (NamedTempFile, Result<Crl, CrlFault>);

impl Place<'_> {
    pub(super) fn is_of_a_delta(&self, keeper: &CrlKeeper) -> bool {
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
pub(super) struct Reading<'r> {
    pub read: &'r Revocation,
    pub in_use: &'r Revocation,
    pub given_up: &'r AtomicBool,
    /// What was read, by where.
    pub brought: RefCell<AllBrought>,
    pub now: UnixSeconds,
}

impl Reading<'_> {
    /// How many serial numbers there are in the list of a file.
    pub(super) fn of_file(&self, file: &Path) -> Result<usize, CrlFault> {
        let crl = crl_keeper::read(file, self.read)?;
        self.in_use.may_be_replaced_by(&crl, self.now)?;
        let (entries, brought) = (crl.entries(), Brought::of(&crl));
        self.read.adopt(crl)?;
        let name = CrlPlace::File(file.to_owned()).to_string();
        self.brought.borrow_mut().insert(name, brought);
        Ok(entries)
    }

    /// Whether there is a complete list of the CA that the delta in this file is of.
    pub(super) fn has_base_of(&self, file: &Path) -> bool {
        let delta = crl_keeper::read(file, self.read);
        delta.is_ok_and(|delta| self.read.has_list_of(delta.issuer(), false))
    }

    /// What is kept of a list that is fetched.
    pub(super) fn kept<'f>(&self, from: &'f CrlFrom) -> Place<'f> {
        let kept = from.kept.as_ref();
        Place {
            from,
            kept: kept.and_then(|kept| crl_keeper::read(kept, self.read).ok()),
            fetched: None,
        }
    }

    /// The newest of what is kept of a list, what was fetched of it now, and what is in use of it:
    /// it may not have been possible to keep that. Whether it is known what comes from there.
    pub(super) fn of_url(&self, place: Place<'_>, keeper: &CrlKeeper) -> bool {
        let Place {
            from,
            kept,
            fetched,
        } = place;
        let brought = keeper.brought(&from.name);
        let mut known = kept.is_some() || brought.is_some();
        // Before what was fetched, which is held against it.
        if let Some(crl) = kept {
            let brought = Brought::of(&crl);
            // Else what is in use is better, or another source has brought better still.
            if self.take(crl).is_ok() {
                self.brought.borrow_mut().insert(from.name.clone(), brought);
            }
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
    pub(super) fn carry_over_all(&self) {
        for issuer in self.read.issuers().iter() {
            for delta in [false, true] {
                self.read.carry_over(self.in_use, issuer.id(), delta);
            }
        }
    }

    /// Keeps what is in use of CAs of which nothing was read, unless it came from a place that is
    /// gone, and from none of those that stay: a place may have brought the list of one CA, and
    /// then of the next.
    pub(super) fn carry_over_but(&self, gone: &[Brought], stay: &[Brought]) {
        for issuer in self.read.issuers().iter().map(CrlIssuer::id) {
            let is_of_it = |one: &Brought| one.issuer == issuer;
            let went = gone.iter().any(is_of_it) && !stay.iter().any(is_of_it);
            if went || self.read.has_list_of(issuer, false) {
                continue;
            }
            for delta in [false, true] {
                self.read.carry_over(self.in_use, issuer, delta);
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
        let taken = read.and_then(|crl| {
            let brought = Brought::of(&crl);
            self.take(crl)?;
            self.brought.borrow_mut().insert(from.name.clone(), brought);
            Ok(())
        });
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
    pub(super) fn fetch_first(
        &self,
        places: &mut [Place<'_>],
        (before, keeper): (&Sources, &CrlKeeper),
    ) {
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
