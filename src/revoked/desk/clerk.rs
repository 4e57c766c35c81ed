//! Who sits at the desk: writes what waits into the store by one commit, puts it into force, and
//! says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::shares::Shares;
use super::{Answer, Counts, Done, Letter, Refused, Wanted};
use crate::clock::{Millis, Nanos, UnixSeconds};
use crate::limits::{
    REVOCATIONS_PER_COMMIT_MAX, REVOKED_KEPT_S, REVOKED_ROOM_OVER_CLIENTS,
    REVOKED_SHARES_OF_CLIENTS, REVOKED_SWEEP_EVERY, REVOKED_SWEPT_AT_ONCE,
};
use crate::revoked::store::{Store, StoreFault};
use crate::revoked::{Entry, Held, Id, Kind, Revocation, Revoked, Whose};

/// Between two log lines about a store that takes nothing.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);
/// Between two attempts to open a store again.
const REOPEN_EVERY: Duration = Duration::from_secs(1);
/// Between two batches of a sweep: who revokes something is not to wait for all of it.
const SWEEP_PAUSE: Duration = Duration::from_millis(50);

/// Who sits at it.
pub(in crate::revoked) struct Clerk {
    path: PathBuf,
    /// None after a fault: whether what was written last is there is not known.
    store: Option<Store>,
    revoked: Arc<Revoked>,
    counts: Arc<Counts>,
    entries_max: usize,
    shares: Shares,
    reopen_at: Millis,
    complain_at: Millis,
    fault: Option<StoreFault>,
}

impl Clerk {
    pub fn open(
        path: &Path,
        revoked: Arc<Revoked>,
        counts: Arc<Counts>,
        entries_max: usize,
    ) -> Result<Self, StoreFault> {
        let (store, entries) = Store::open(path)?;
        // One that is lost later has all that is in force written into the next.
        if store.is_new() {
            tracing::warn!(
                store = %path.display(),
                hint = "right at the first start; later, the file has been lost: revoke again what \
                        is to stay revoked",
                "a new store of revocations has been made: nothing is revoked by it"
            );
        }
        revoked.fill(entries);
        counts.usable.store(1, Ordering::Relaxed);
        Ok(Self {
            path: path.to_owned(),
            store: Some(store),
            revoked,
            counts,
            entries_max,
            shares: Shares::default(),
            reopen_at: Millis(0),
            complain_at: Millis(0),
            fault: None,
        })
    }

    pub(super) fn serve(mut self, waiting: &Receiver<Letter>) {
        let mut sweep_at = Millis::now().after(REVOKED_SWEEP_EVERY);
        loop {
            let now = Millis::now();
            if sweep_at <= now {
                let more = self.sweep(UnixSeconds::now());
                let next = if more {
                    SWEEP_PAUSE
                } else {
                    REVOKED_SWEEP_EVERY
                };
                sweep_at = Millis::now().after(next);
            }
            let wait = sweep_at.0.saturating_sub(now.0).max(1);
            match waiting.recv_timeout(Duration::from_millis(wait)) {
                Ok(first) => {
                    let mut entries = first.entries();
                    let mut group = vec![first];
                    // What waits goes into one commit: the disk takes as long for it.
                    while entries < REVOCATIONS_PER_COMMIT_MAX
                        && let Ok(next) = waiting.try_recv()
                    {
                        entries += next.entries();
                        group.push(next);
                    }
                    self.answer(group, Millis::now());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Does what is wanted, in its order, by one commit, and says what came of it.
    pub(super) fn answer(&mut self, letters: Vec<Letter>, now: Millis) {
        let mut group = Group {
            held: self.revoked.set.len(),
            ..Group::default()
        };
        let mut settled = Vec::with_capacity(letters.len());
        for letter in letters {
            let Letter {
                wanted,
                home,
                place,
            } = letter;
            let mut to_list = None;
            let done = match wanted {
                Wanted::Revoke(revocations) => {
                    group.revoke(revocations, &self.revoked, self.entries_max)
                }
                Wanted::RevokeOwn(revocation) => {
                    let for_clients = self.entries_max / REVOKED_ROOM_OVER_CLIENTS;
                    group.revoke_own(revocation, &self.revoked, &mut self.shares, for_clients)
                }
                Wanted::TakeBack(revocations) => Ok(group.take_back(revocations, &self.revoked)),
                Wanted::List { at_most } => {
                    to_list = Some(at_most);
                    Ok(Done::Listed(Vec::new(), false))
                }
            };
            settled.push((done, to_list, home, place));
        }
        let committed = self.commit(&group, now);
        match &committed {
            Ok(()) => group.put_into_force(&self.revoked, &self.counts),
            Err(_) => { group.own.iter() }
                .for_each(|(client_id, until)| self.shares.give_back(client_id, *until)),
        }
        for (done, to_list, home, _place) in settled {
            let done = match (done, &committed, to_list) {
                (Ok(_), Err(fault), _) => Err(Refused::Unwritable(fault.clone())),
                (Ok(_), Ok(()), Some(at_most)) => self.list(at_most, now),
                (done, _, _) => done,
            };
            if done.is_err() {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
            }
            // Who has stopped waiting finds it done all the same.
            let _ = home.send(done);
        }
    }

    fn list(&mut self, at_most: usize, now: Millis) -> Answer {
        let listed = self.store(now).and_then(|store| store.list(at_most));
        match listed {
            Ok((entries, more)) => Ok(Done::Listed(entries, more)),
            Err(fault) => Err(Refused::Unwritable(self.at_fault(fault, now))),
        }
    }

    fn commit(&mut self, group: &Group, now: Millis) -> Result<(), StoreFault> {
        if group.changes.is_empty() {
            // What has been revoked before is said to be kept all the same.
            return match group.revoked.is_empty() {
                true => Ok(()),
                false => {
                    let store = self.store(now).map(drop);
                    store.map_err(|fault| self.at_fault(fault, now))
                }
            };
        }
        let begun = Nanos::now();
        let put = group.changes.values().flatten().cloned();
        let gone = group.changes.iter().filter(|(_, entry)| entry.is_none());
        let gone = gone.map(|(id, _)| *id);
        let written = self.store(now).and_then(|store| store.write(put, gone));
        match written {
            Ok(()) => {
                self.counts.committed(Nanos::now().since(begun));
                self.has_written();
                Ok(())
            }
            Err(fault) => Err(self.at_fault(fault, now)),
        }
    }

    /// The store: opened again where a fault has closed it, or where it is not in its place any
    /// more. What it holds then is in force, also what nobody was told had been written; and what
    /// is in force it holds.
    fn store(&mut self, now: Millis) -> Result<&mut Store, StoreFault> {
        let in_place = self.store.as_ref().map_or(Ok(()), Store::is_in_place);
        if let Err(fault) = in_place {
            self.at_fault(fault, now);
        }
        if self.store.is_none() {
            if let Some(fault) = self.fault.as_ref().filter(|_| now < self.reopen_at) {
                return Err(fault.clone());
            }
            self.reopen_at = now.after(REOPEN_EVERY);
            let (store, entries) = Store::open(&self.path)?;
            let lacking = lacking(&entries, self.revoked.set.all());
            store.write(lacking.iter().cloned(), [])?;
            // On a full disk a store opens, takes nothing where nothing lacks, and can be read.
            let has_written = store.is_new() || !lacking.is_empty();
            self.revoked.fill(entries.into_iter().chain(lacking));
            self.store = Some(store);
            self.fault = None;
            if has_written {
                self.has_written();
            }
        }
        match &mut self.store {
            Some(store) => Ok(store),
            None => unreachable!("it was opened above"),
        }
    }

    /// Says of a store that was at fault that it takes what is to be revoked.
    fn has_written(&self) {
        if self.counts.usable.swap(1, Ordering::Relaxed) == 0 {
            tracing::info!("the store of revocations can be used again");
        }
    }

    /// Closes a store that is at fault, and says so.
    fn at_fault(&mut self, fault: StoreFault, now: Millis) -> StoreFault {
        self.store = None;
        self.counts.usable.store(0, Ordering::Relaxed);
        if self.complain_at <= now {
            self.complain_at = now.after(COMPLAIN_EVERY);
            tracing::error!(
                hint = fault.cure,
                "{}: nothing can be revoked, and what was is still",
                fault.what
            );
        }
        self.fault = Some(fault.clone());
        fault
    }

    /// As a fault does.
    #[cfg(test)]
    pub(super) fn lose_store(&mut self) {
        self.store = None;
    }

    /// Removes some of what matters to nobody any more; whether there may be more of it.
    pub fn sweep(&mut self, now: UnixSeconds) -> bool {
        // A clock that is put back a little must not make a token good again.
        let ended = UnixSeconds(now.0.saturating_sub(REVOKED_KEPT_S));
        let outlived = self.revoked.set.outlived(ended, REVOKED_SWEPT_AT_ONCE);
        let monotonic = Millis::now();
        let counts = Arc::clone(&self.counts);
        let swept = self.store(monotonic).and_then(|store| {
            if outlived.is_empty() {
                // Also where it was found at fault just now.
                let is_to_be_tried = !counts.is_usable();
                return match is_to_be_tried {
                    true => store.try_out().map(|()| true),
                    false => Ok(false),
                };
            }
            store.write([], outlived.iter().copied())?;
            store.compact()?;
            Ok(true)
        });
        match swept {
            Ok(true) => self.has_written(),
            Ok(false) => {}
            Err(fault) => {
                self.at_fault(fault, monotonic);
                return false;
            }
        }
        let removed = outlived.iter().map(|id| (*id, None));
        self.revoked.set.change(removed);
        self.shares.forget(ended);
        outlived.len() == REVOKED_SWEPT_AT_ONCE
    }
}

/// What of `held` a store with these entries does not keep, or not as long: another file has come
/// in its place, or what was to be taken back is half gone. What it was called nobody knows then.
fn lacking(entries: &[Entry], held: Vec<(Id, Held)>) -> Vec<Entry> {
    let stored: HashMap<Id, &Entry> = entries.iter().map(|entry| (entry.id, entry)).collect();
    let now = UnixSeconds::now();
    let lacking = held.into_iter().filter_map(|(id, held)| {
        let Some(entry) = stored.get(&id) else {
            let (at, name) = (now, String::new());
            return Some(Entry { id, held, at, name });
        };
        let held = entry.held.joined_with(held);
        (held != entry.held).then(|| Entry {
            held,
            ..Entry::clone(entry)
        })
    });
    lacking.collect()
}

/// What one commit is to change.
#[derive(Default)]
struct Group {
    changes: BTreeMap<Id, Option<Entry>>,
    whose: Vec<Whose>,
    revoked: Vec<Kind>,
    taken_back: u64,
    /// What takes room that it did not take before, by `client_id` and end.
    own: Vec<(String, UnixSeconds)>,
    /// Entries there will be.
    held: usize,
}

impl Group {
    fn revoke(
        &mut self,
        revocations: Vec<Revocation>,
        revoked: &Revoked,
        entries_max: usize,
    ) -> Answer {
        let ids: BTreeSet<Id> = revocations.iter().map(|one| one.entry.id).collect();
        let new = ids.iter().filter(|id| self.held(**id, revoked).is_none());
        let new = new.count();
        let held = self.held + new;
        if new > 0 && held > entries_max {
            return Err(Refused::Full {
                at_most: entries_max,
            });
        }
        self.held = held;
        for Revocation { mut entry, whose } in revocations {
            self.revoked.push(entry.id.kind());
            let before = self.held(entry.id, revoked);
            if let Some(before) = before {
                entry.held = entry.held.joined_with(before);
                // It is in the store, and in force.
                if entry.held == before {
                    continue;
                }
            }
            self.changes.insert(entry.id, Some(entry));
            self.whose.push(whose);
        }
        Ok(Done::Revoked)
    }

    /// What a client revokes of its own: within its share, unless it takes no more room.
    fn revoke_own(
        &mut self,
        revocation: Revocation,
        revoked: &Revoked,
        shares: &mut Shares,
        for_clients: usize,
    ) -> Answer {
        let Entry { id, held, .. } = revocation.entry;
        let client_id = match &revocation.whose {
            Whose::Client(client_id) if self.held(id, revoked).is_none() => Some(client_id.clone()),
            _ => None,
        };
        let share = (for_clients / REVOKED_SHARES_OF_CLIENTS).max(1);
        if client_id
            .as_ref()
            .is_some_and(|own| shares.of(own) >= share)
        {
            return Err(Refused::Full { at_most: share });
        }
        let done = self.revoke(vec![revocation], revoked, for_clients)?;
        if let Some(client_id) = client_id {
            shares.enter(&client_id, held.until);
            self.own.push((client_id, held.until));
        }
        Ok(done)
    }

    fn take_back(&mut self, revocations: Vec<Revocation>, revoked: &Revoked) -> Done {
        let mut taken_back = 0;
        for Revocation { entry, whose } in revocations {
            if self.held(entry.id, revoked).is_some() {
                self.changes.insert(entry.id, None);
                self.whose.push(whose);
                self.held -= 1;
                taken_back += 1;
            }
        }
        self.taken_back += taken_back as u64;
        Done::TakenBack(taken_back)
    }

    /// As it will be.
    fn held(&self, id: Id, revoked: &Revoked) -> Option<Held> {
        match self.changes.get(&id) {
            Some(entry) => entry.as_ref().map(|entry| entry.held),
            None => revoked.set.get(id),
        }
    }

    fn put_into_force(self, revoked: &Revoked, counts: &Counts) {
        let changes = self.changes.iter();
        let changes = changes.map(|(id, entry)| (*id, entry.as_ref().map(|entry| entry.held)));
        let changes: Vec<_> = changes.collect();
        revoked.apply(&changes, &self.whose);
        for kind in self.revoked {
            counts.revoked[kind.place()].fetch_add(1, Ordering::Relaxed);
        }
        counts
            .taken_back
            .fetch_add(self.taken_back, Ordering::Relaxed);
    }
}
