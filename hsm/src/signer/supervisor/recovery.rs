//! How keys that are lost come back: asked for where others are served, and in other processes
//! beside it, because a module that has lost its token may never see it again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::child::Process;
use super::opening::Opening;
use super::{
    GLANCE, KILLED_MAX, NOT_YET, NotOpened, OPEN_WAIT, PAUSE_FIRST, PAUSE_MAX, PROVEN_AFTER,
    Retired, Supervisor, did, haste, not_laid, now,
};
use crate::signer::line::Line;
use crate::uri::KeyUri;
use crate::{OpenFault, Pkcs11Source, SignFault};

impl Supervisor {
    /// Has the next attempt come after a pause: none after long service, then longer ones.
    pub(super) fn retry(&mut self) {
        if self.retry_at.is_some() {
            return;
        }
        let proven = |since: Instant| now().saturating_duration_since(since) >= PROVEN_AFTER;
        if self.served_since.take().is_some_and(proven) {
            self.pause = Duration::ZERO;
        }
        self.retry_at = Some(now() + self.pause);
        self.pause = (self.pause * 2).clamp(PAUSE_FIRST, PAUSE_MAX);
    }

    /// Tries once to get back what does not serve.
    pub(super) fn recover(&mut self) {
        self.retry_at = None;
        self.lines.retain(|line| line.strong_count() > 0);
        self.hear_pending();
        for opening in std::mem::take(&mut self.slow) {
            self.go_on(opening);
        }
        if self.none_serves() {
            self.leave_process();
        } else {
            self.open_where_others_are_served();
        }
        self.open_wanted_where_others_are_served();
        let sought = !self.lost().is_empty() || !self.wanted.is_empty();
        let slow = sought && self.may_begin_anew() && self.begin_anew();
        if self.lost().is_empty() && self.wanted.is_empty() {
            self.said.clear();
            self.served_since = Some(now());
            self.patience.anew();
            for opening in std::mem::take(&mut self.slow) {
                self.leave(opening.process, opening.by);
            }
            return;
        }
        if slow {
            // It has been waited for.
            self.pause = Duration::ZERO;
        }
        self.retry();
    }

    /// Hears whether the process has opened what it was asked to, where that took it longer.
    pub(super) fn hear_pending(&mut self) {
        let Some(mut pending) = self.pending.take() else {
            return;
        };
        let Some(process) = &self.process else { return };
        let proved = match pending.asked.hear(process, GLANCE) {
            Ok(Some(proved)) => proved,
            Ok(None) => {
                self.pending = Some(pending);
                return;
            }
            Err(_) => return self.lose_process("ended"),
        };
        let (line, process) = (pending.asked.line, process.id());
        if let Some(wanted) = self.take_wanted(&line) {
            self.give_wanted(wanted, proved, process);
        } else if self.lost().iter().any(|lost| Arc::ptr_eq(lost, &line)) {
            let laid = proved.and_then(|(_, lanes)| line.lay(lanes, process).map_err(not_laid));
            self.note(&line, laid);
        }
        // Of one that nobody holds any more, or that is served by now, nothing is wanted.
    }

    /// A module that has lost its token may never see it again: it begins anew. A login that is
    /// under way is let come to its end, and what it was for is opened then.
    pub(super) fn leave_process(&mut self) {
        let pending = self.pending.take();
        let Some(process) = self.process.take() else {
            return;
        };
        match pending {
            Some(pending) if process.is_trying_a_pin() => {
                self.slow.push(Opening::under_way(process, pending));
            }
            // It may be at one in the middle of a signature.
            _ => self.leave(process, now() + OPEN_WAIT),
        }
    }

    fn open_where_others_are_served(&mut self) {
        for line in self.lost() {
            if self.pending.is_some() || self.process.is_none() {
                return;
            }
            if line.answered() && !self.is_left_alone(&line) {
                let opened = self.open(&line, haste(&line)).map(drop);
                if self.pending.is_some() {
                    line.answers(false);
                }
                self.note(&line, opened);
            }
        }
    }

    /// Keys that are held and do not serve.
    pub(super) fn lost(&self) -> Vec<Arc<Line>> {
        let held = self.lines.iter().filter_map(std::sync::Weak::upgrade);
        held.filter(|line| !line.is_serving()).collect()
    }

    /// Whether the PIN of this line's token is being tried somewhere: it may be about to be
    /// refused, and a few wrong ones lock a token for good. A process that is started nevertheless,
    /// before another has come so far, is not given leave to try it.
    pub(super) fn is_left_alone(&self, line: &Line) -> bool {
        self.at_logins()
            .any(|at| may_try_one_pin(&at.source, &line.source))
    }

    /// Keys that are logged in for, by processes that are let come to the end of that.
    pub(super) fn at_logins(&self) -> impl Iterator<Item = &Arc<Line>> {
        let here = self.process.as_ref().zip(self.pending.as_ref());
        let here = here.map(|(process, pending)| (process, &pending.asked.line, pending.by));
        let slow = self.slow.iter();
        let beside = slow.filter_map(|opening| {
            let line = opening.at()?;
            Some((&opening.process, line, opening.by))
        });
        let all = here.into_iter().chain(beside);
        all.filter(|(process, _, by)| process.is_at_its_login(*by))
            .map(|(_, line, _)| line)
    }

    fn is_held(&self, line: &Line) -> bool {
        let mut held = self.lines.iter();
        held.any(|it| std::ptr::eq(it.as_ptr(), line))
    }

    /// Logs what came of opening a key, where that is still somebody's.
    fn note(&mut self, line: &Line, opened: Result<(), NotOpened>) {
        if !self.is_held(line) {
            return;
        }
        let uri = &line.source.uri;
        match opened {
            Ok(()) => {
                self.said.remove(uri);
                line.forget_what_was_said();
                tracing::warn!(uri, "the key is proved and signs again");
            }
            Err((class, fault)) => {
                line.cut(class);
                let said = fault.to_string();
                if self.said.entry(uri.clone()).or_default().is_new(&said) {
                    tracing::error!(uri, what = %fault.what, cure = %fault.cure, "{class}");
                }
            }
        }
    }

    /// Whether it is time for another process: always where none of this one's keys serves.
    fn may_begin_anew(&mut self) -> bool {
        let may_beside = self.patience.tries(now());
        self.none_serves() || may_beside
    }

    /// Has another process open what is lost, and what is served, if anything is: one that serves a
    /// key may not see the token of another again, and is not to be ended for that before another
    /// can take its place. Last comes what was not answered before. Whether it takes its time.
    fn begin_anew(&mut self) -> bool {
        if self.serving().any(|line| self.is_left_alone(&line)) {
            return false;
        }
        let mut lost = self.lost();
        // One that is lost others are asked for as well; what this one never had, it will open.
        let pending = self.pending.as_ref().map(|it| &it.asked.line);
        let wanted = self.wanted.iter().map(|it| &it.line);
        let wanted = wanted.filter(|it| pending.is_none_or(|pending| !Arc::ptr_eq(pending, it)));
        lost.extend(wanted.cloned());
        lost.retain(|line| !self.is_left_alone(line));
        if lost.is_empty() {
            return false;
        }
        let (first, last): (Vec<_>, Vec<_>) = lost.into_iter().partition(|line| line.answered());
        let lines: Vec<_> = first
            .into_iter()
            .chain(self.serving())
            .chain(last)
            .collect();
        let started = match self.killed.len() {
            0..KILLED_MAX => Process::start(&self.launch),
            _ => Err(OpenFault::new(
                format!("{KILLED_MAX} signer processes are killed, and the kernel keeps them"),
                "see what the HSM's driver says of itself",
            )),
        };
        match started {
            Ok(process) => self.go_on(Opening::new(process, lines, now())),
            Err(fault) => {
                self.note_all(&fault);
                false
            }
        }
    }

    fn note_all(&mut self, fault: &OpenFault) {
        for line in self.lost() {
            self.note(&line, Err((SignFault::TokenGone, fault.clone())));
        }
    }

    /// Waits for keys to be opened, and puts them into service. Whether that takes its time: then
    /// it goes on beside others, where it is at a login or the only one.
    fn go_on(&mut self, mut opening: Opening) -> bool {
        let done = match opening.goes_on() {
            Ok(done) => done,
            Err(error) => {
                self.note_all(&did(&format!("did not open the key: {error}")));
                self.end(opening.process);
                return false;
            }
        };
        if let Some(line) = opening.at().cloned() {
            line.answers(false);
            if !line.is_serving() {
                self.note(&line, Err((SignFault::TokenGone, did(NOT_YET))));
            }
        }
        if self.brings_back(&opening) {
            self.take_over(opening);
        } else if done {
            for (line, outcome) in opening.outcomes {
                let Some(outcome) = self.deny_wanted(&line, outcome) else {
                    continue;
                };
                if let (false, Err(fault)) = (line.is_serving(), outcome) {
                    self.note(&line, Err(fault));
                }
            }
            self.end(opening.process);
        } else if opening.is_let_go_on(!self.has_idler()) {
            self.slow.push(opening);
        } else {
            self.end(opening.process);
        }
        !done
    }

    /// Whether a process takes its time already that is not at a login.
    fn has_idler(&self) -> bool {
        let mut slow = self.slow.iter();
        slow.any(|opening| !opening.process.is_trying_a_pin())
    }

    /// Whether a process has opened a key that is lost, and all that are not.
    fn brings_back(&self, opening: &Opening) -> bool {
        let opened = |line: &Arc<Line>| {
            let its = opening
                .outcomes
                .iter()
                .find(|(of, _)| Arc::ptr_eq(of, line));
            its.is_some_and(|(_, outcome)| outcome.is_ok())
        };
        let lost = self.lost();
        let mut sought = lost.iter().chain(self.wanted.iter().map(|it| &it.line));
        sought.any(opened) && self.serving().all(|line| opened(&line))
    }

    /// Puts the keys that a process has opened into service, in place of the one before.
    fn take_over(&mut self, opening: Opening) {
        let (process, outcomes, pending) = opening.into_parts();
        for (line, outcome) in outcomes {
            if let Some(wanted) = self.take_wanted(&line) {
                self.give_wanted(wanted, outcome, process.id());
                continue;
            }
            let was_lost = !line.is_serving();
            let laid =
                outcome.and_then(|(_, lanes)| line.lay(lanes, process.id()).map_err(not_laid));
            if was_lost || laid.is_err() {
                self.note(&line, laid);
            }
        }
        self.pending = pending;
        if let Some(process) = self.process.replace(process) {
            self.retired.push(Retired {
                process,
                until: now() + self.launch.sign_within,
                by: now() + OPEN_WAIT,
            });
        }
    }
}

/// Whether two keys may be in one token, with one PIN.
fn may_try_one_pin(one: &Pkcs11Source, other: &Pkcs11Source) -> bool {
    let uris = KeyUri::of(one).and_then(|one| Ok((one, KeyUri::of(other)?)));
    let one_token = uris.is_ok_and(|(one, other)| one.may_share_a_token_with(&other));
    one_token && one.pin_file == other.pin_file
}
