//! The statuses of the gateway's own certificates: those of files are read again when they change,
//! the others asked for in time, and what has ended is stapled no longer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local};

use super::{NoStatus, OcspCounts, Outcomes, RETRY_AFTER, later};
use crate::clock::UnixSeconds;
use crate::config::{HttpUrl, StatusPlace};
use crate::control::crl_keeper::Stamp;
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

/// Keeps what is in force, and what will be.
pub(super) async fn keep(current: Arc<Current>, counts: Arc<OcspCounts>, bell: Arc<Notify>) {
    let mut kept: Vec<(Arc<StapleFrom>, AbortHandle)> = Vec::new();
    loop {
        let wanted = current.load_full();
        kept.retain(|(from, task)| {
            let stays = wanted
                .staples
                .iter()
                .any(|wanted| Arc::ptr_eq(wanted, from));
            if !stays {
                task.abort();
            }
            stays
        });
        for from in &wanted.staples {
            if !kept.iter().any(|(kept, _)| Arc::ptr_eq(kept, from)) {
                let (its, counts) = (Arc::clone(from), Arc::clone(&counts));
                let bell = Arc::clone(&bell);
                let task = spawn_local(async move { keep_one(&its, &counts.own, &bell).await });
                kept.push((Arc::clone(from), task.abort_handle()));
            }
        }
        let staples = wanted.staples.iter().map(|from| Arc::clone(&from.staple));
        counts.staples.store(Arc::new(staples.collect()));
        drop(wanted);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn keep_one(from: &StapleFrom, counts: &Outcomes, bell: &Notify) {
    match &from.place {
        StatusPlace::File(file) => watch(from, file, counts, bell).await,
        StatusPlace::Url(url) => ask_again(from, url, counts).await,
    }
}

/// Reads a file again when it has changed, and is no longer being written: when two looks find the
/// same, or when the bell rings: whoever does that says that it is whole.
async fn watch(from: &StapleFrom, file: &Path, counts: &Outcomes, bell: &Notify) {
    let (mut read, mut seen) = (None, Stamp::of(file));
    loop {
        let rung = tokio::select! {
            () = bell.notified() => true,
            () = pause(from, LOOK_EVERY) => false,
        };
        let now = Stamp::of(file);
        if now != read && (now == seen || rung) && now.is_some() {
            let before = from.staple.times();
            let taken = take_status(file, &from.staple, UnixSeconds::now());
            // What the start has read already is no news.
            if taken.is_err() || taken.as_ref().ok() != before.as_ref() {
                let _ = note(from, taken.map_err(NoStatus::Refused), counts);
            }
            read = now;
        }
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
