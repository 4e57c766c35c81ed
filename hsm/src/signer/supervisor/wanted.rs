//! Keys to be opened for the first time that have to be waited for: for a process to open them, or
//! for one to be had, together with those that are lost.

use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::Sender;

use super::opening::Proved;
use super::{NOT_YET, NotOpened, OPEN_WAIT, Supervisor, did, not_laid, now};
use crate::OpenFault;
use crate::signer::line::{Line, Shape};

pub struct Wanted {
    pub line: Arc<Line>,
    pub reply: Sender<Result<Shape, OpenFault>>,
    /// Until when.
    pub by: Instant,
}

impl Supervisor {
    /// Has the next attempt, which is due, open this key as well, where no process is at it.
    pub(super) fn want(&mut self, wanted: Wanted) {
        self.wanted.push(wanted);
        self.retry_at = Some(now());
    }

    pub(super) fn is_wanted(&self, line: &Arc<Line>) -> bool {
        self.wanted.iter().any(|it| Arc::ptr_eq(&it.line, line))
    }

    pub(super) fn take_wanted(&mut self, line: &Arc<Line>) -> Option<Wanted> {
        let mut wanted = self.wanted.iter();
        let place = wanted.position(|it| Arc::ptr_eq(&it.line, line))?;
        Some(self.wanted.remove(place))
    }

    /// Says of those that take too long that they do. For a login that is let come to its end they
    /// are waited for as well, and for what follows it.
    pub(super) fn give_up_wanted(&mut self) {
        let mut wanted = std::mem::take(&mut self.wanted);
        for it in &mut wanted {
            if self.is_logged_in_for(&it.line) {
                it.by = it.by.max(now() + OPEN_WAIT);
            }
        }
        let over = |wanted: &mut Wanted| wanted.by <= now();
        for over in wanted.extract_if(.., over) {
            let _ = over.reply.send(Err(did(NOT_YET)));
        }
        self.wanted = wanted;
    }

    fn is_logged_in_for(&self, line: &Arc<Line>) -> bool {
        self.at_logins().any(|at| Arc::ptr_eq(at, line))
    }

    /// Those that others are served beside by now are opened as always.
    pub(super) fn open_wanted_where_others_are_served(&mut self) {
        if self.none_serves() {
            return;
        }
        for wanted in std::mem::take(&mut self.wanted) {
            match self.waits(&wanted.line) {
                true => self.wanted.push(wanted),
                false => self.open_first(wanted),
            }
        }
    }

    /// Puts a wanted key into service that a process has opened, or says why it has not.
    pub(super) fn give_wanted(
        &mut self,
        wanted: Wanted,
        outcome: Result<Proved, NotOpened>,
        process: u32,
    ) {
        let Wanted { line, reply, .. } = wanted;
        let laid = outcome
            .and_then(|(shape, lanes)| line.lay(lanes, process).map_err(not_laid).map(|()| shape));
        if laid.is_ok() {
            self.lines.push(Arc::downgrade(&line));
        }
        // Nobody there: the reload that wanted it was given up, and the line goes with it.
        let _ = reply.send(laid.map_err(|(_, fault)| fault));
    }

    /// Says of a wanted key why it was not opened. What is not wanted comes back.
    pub(super) fn deny_wanted(
        &mut self,
        line: &Arc<Line>,
        outcome: Result<Proved, NotOpened>,
    ) -> Option<Result<Proved, NotOpened>> {
        if !self.is_wanted(line) {
            return Some(outcome);
        }
        if let Err((_, fault)) = outcome
            && let Some(wanted) = self.take_wanted(line)
        {
            let _ = wanted.reply.send(Err(fault));
        }
        None
    }
}
