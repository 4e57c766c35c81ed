//! The statuses of the gateway's own certificates: those of files are read again when they change,
//! the others asked for in time, and what has ended is stapled no longer.

use std::cell::Cell;
use std::future::pending;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{AbortHandle, spawn_local};

use super::{NoStatus, OcspCounts, Outcomes, RETRY_AFTER, later};
use crate::clock::UnixSeconds;
use crate::config::regular_file::Stamp;
use crate::config::{HttpUrl, StatusPlace};
use crate::control::crl_keeper::AGAIN_S;
use crate::control::load::take_status;
use crate::control::ocsp_fetch::ask;
use crate::snapshot::{Current, StapleFrom};
use crate::tls::ocsp::{OcspFault, Status};

/// Between two looks at a file, and at what is in force.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// An answer that is about to end is not asked for more often.
const ASK_EVERY_S_MIN: u64 = 5;
/// Between two questions in vain at most.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// A status that is kept.
struct Kept {
    from: Arc<StapleFrom>,
    bell: Bell,
    task: AbortHandle,
}

/// Rings when files are to be looked at now.
#[derive(Clone)]
struct Bell {
    rung: watch::Receiver<u64>,
    /// As of the last look.
    heard: Rc<Cell<u64>>,
}

impl Bell {
    /// For what has just been read.
    fn new(rung: &watch::Receiver<u64>) -> Self {
        let heard = *rung.borrow();
        Self {
            rung: rung.clone(),
            heard: Rc::new(Cell::new(heard)),
        }
    }

    /// That it rings, or that it did while nobody listened.
    async fn rings(&self) {
        let heard = self.heard.get();
        let mut rung = self.rung.clone();
        match rung.wait_for(|rung| *rung != heard).await {
            Ok(rung) => self.heard.set(*rung),
            // Nobody can ring it any more.
            Err(_) => pending().await,
        }
    }
}

/// Keeps what is in force, and what will be.
pub(super) async fn keep(
    current: Arc<Current>,
    counts: Arc<OcspCounts>,
    rung: watch::Receiver<u64>,
) {
    let mut kept: Vec<Kept> = Vec::new();
    loop {
        let wanted = current.load_full();
        let is_wanted = |kept: &mut Kept| {
            let mut wanted = wanted.staples.iter();
            wanted.any(|wanted| Arc::ptr_eq(wanted, &kept.from))
        };
        let gone: Vec<_> = kept.extract_if(.., |kept| !is_wanted(kept)).collect();
        gone.iter().for_each(|gone| gone.task.abort());
        for from in &wanted.staples {
            if !kept.iter().any(|kept| Arc::ptr_eq(&kept.from, from)) {
                // Every reload makes another of the same: what has been rung for that is not lost.
                let same = gone.iter().find(|gone| gone.from.place == from.place);
                let bell = same.map_or_else(|| Bell::new(&rung), |same| same.bell.clone());
                let (its, counts, heard) = (Arc::clone(from), Arc::clone(&counts), bell.clone());
                let task = spawn_local(async move { keep_one(&its, &counts.own, &heard).await });
                kept.push(Kept {
                    from: Arc::clone(from),
                    bell,
                    task: task.abort_handle(),
                });
            }
        }
        let staples = wanted.staples.iter().map(|from| Arc::clone(&from.staple));
        counts.staples.store(Arc::new(staples.collect()));
        drop(wanted);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn keep_one(from: &StapleFrom, counts: &Outcomes, bell: &Bell) {
    match &from.place {
        StatusPlace::File(file) => watch(from, file, counts, bell).await,
        StatusPlace::Url(url) => ask_again(from, url, counts).await,
    }
}

/// Reads a file again when it has changed, and is no longer being written: when two looks find the
/// same, or when the bell rings: whoever does that says that it is whole.
async fn watch(from: &StapleFrom, file: &Path, counts: &Outcomes, bell: &Bell) {
    let (mut read, mut seen) = (None, Stamp::of(file));
    // When one is read again that had not begun, or could not be read.
    let mut again_at = None;
    let mut said_gone = false;
    loop {
        let rung = tokio::select! {
            () = bell.rings() => true,
            () = pause(from, LOOK_EVERY) => false,
        };
        let now = Stamp::of(file);
        let changed = now != read && (now == seen || rung) && now.is_some();
        let again = again_at.is_some_and(|at| rung || at <= UnixSeconds::now());
        if changed || again {
            let before = from.staple.times();
            let taken = take_status(file, &from.staple, UnixSeconds::now());
            let later = UnixSeconds(UnixSeconds::now().0 + AGAIN_S);
            let may_be_taken_later =
                matches!(taken, Err(OcspFault::NotYetValid | OcspFault::Unreadable));
            again_at = may_be_taken_later.then_some(later);
            // What the start has read already is no news.
            if taken.is_err() && changed || taken.is_ok() && taken.as_ref().ok() != before.as_ref()
            {
                let _ = note(from, taken.map_err(NoStatus::Refused), counts);
            }
            if changed {
                read = now;
            }
        }
        // Once, and not where another is just being put in its place.
        let gone = now.is_none() && (said_gone || seen.is_none());
        if gone && !said_gone {
            tracing::warn!(
                certificate = from.name,
                place = %from.place,
                hint = "put it back, or a newer one in its place; without it there is no restart",
                "the file of a status is not there any more: what is stapled stays until it ends"
            );
        }
        said_gone = gone;
        seen = now;
    }
}

async fn ask_again(from: &StapleFrom, url: &HttpUrl, counts: &Outcomes) {
    let mut failures: u32 = 0;
    // What was held before a reload is held still.
    let mut times = from.staple.times();
    loop {
        let now = UnixSeconds::now();
        let wait = match times {
            Some((begin, end)) => {
                // At half its life, or of what is left where that half has passed.
                let half = begin.0 + end.0.saturating_sub(begin.0) / 2;
                let left = end.0.saturating_sub(now.0) / 2;
                let wait = half.checked_sub(now.0).unwrap_or(left);
                Some(wait.max(ASK_EVERY_S_MIN))
            }
            None => failures.checked_sub(1).map(|times| {
                let wait = RETRY_AFTER.saturating_mul(1 << times.min(16));
                wait.min(RETRY_AFTER_MAX).as_secs()
            }),
        };
        if let Some(wait) = wait {
            let wait = later(now, Duration::from_secs(wait)).0 - now.0;
            pause(from, Duration::from_secs(wait)).await;
        }
        let answered = ask(url, from.tls.as_ref(), from.staple.question()).await;
        let taken = answered.map_err(NoStatus::NotAnswered).and_then(|answer| {
            let taken = from.staple.take(answer, UnixSeconds::now());
            taken.map_err(NoStatus::Refused)
        });
        times = note(from, taken, counts);
        failures = if times.is_some() { 0 } else { failures + 1 };
    }
}

/// Waits, and looks meanwhile whether what is stapled has ended.
async fn pause(from: &StapleFrom, wait: Duration) {
    let mut left = wait;
    while !left.is_zero() {
        let some = left.min(LOOK_EVERY);
        tokio::time::sleep(some).await;
        left -= some;
        if from.staple.drop_ended(UnixSeconds::now()) {
            tracing::error!(
                certificate = from.name,
                place = %from.place,
                hint = "see why no new one has come: the log says so above, or the file was not \
                        renewed",
                "the status that was stapled has ended: none is stapled now"
            );
        }
    }
}

type Times = (UnixSeconds, UnixSeconds);

fn note(from: &StapleFrom, taken: Result<Times, NoStatus>, counts: &Outcomes) -> Option<Times> {
    counts.note(&taken, |_| Status::Good);
    let place = &from.place;
    match taken {
        Ok((_, end)) => {
            tracing::info!(
                certificate = from.name,
                %place,
                until = end.0,
                "a new status is stapled"
            );
            return Some((UnixSeconds::now(), end));
        }
        Err(NoStatus::Refused(fault @ (OcspFault::OwnRevoked | OcspFault::OwnUnknown))) => {
            let (what, hint) = fault.explained();
            tracing::error!(
                certificate = from.name,
                %place,
                hint,
                "{what}, says its status: none is stapled"
            );
        }
        Err(wrong) => {
            let (what, hint) = wrong.explained();
            let left = match from.staple.next_update() {
                Some(_) => "what is stapled stays until it ends",
                None => "none is stapled",
            };
            tracing::error!(
                certificate = from.name,
                %place,
                hint,
                "a new status cannot be stapled: {what}; {left}"
            );
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Between two looks nobody listens, and a reload starts another listener in the place of one
    /// that has not listened yet.
    #[tokio::test]
    async fn bell_that_rings_while_nobody_listens_is_heard_later_and_once() {
        let ringer = watch::Sender::new(7);
        let bell = Bell::new(&ringer.subscribe());
        let is_heard_by = async |bell: &Bell| {
            tokio::select! {
                biased;
                () = bell.rings() => true,
                () = std::future::ready(()) => false,
            }
        };
        assert!(!is_heard_by(&bell).await, "before it rings");
        ringer.send_modify(|rung| *rung += 1);
        ringer.send_modify(|rung| *rung += 1);
        let another = bell.clone();
        assert!(is_heard_by(&another).await, "lost");
        assert!(!is_heard_by(&another).await && !is_heard_by(&bell).await);
        ringer.send_modify(|rung| *rung += 1);
        drop(ringer);
        assert!(is_heard_by(&bell).await, "lost at the end");
        assert!(!is_heard_by(&bell).await, "rung by nobody");
    }
}
