//! Keys to be opened for the first time while keys are held of which none is served: with those, in
//! the same processes, so that nobody waits for the other.

use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::Sender;

use super::opening::Proved;
use super::{NOT_YET, NotOpened, Supervisor, did, not_laid, now, open_wait};
use crate::OpenFault;
use crate::signer::line::{Line, Shape};

pub struct Wanted {
    pub line: Arc<Line>,
    pub reply: Sender<Result<Shape, OpenFault>>,
    /// Until when.
    pub by: Instant,
}

impl Supervisor {
    /// Has the next attempt, which is due, open this key as well.
    pub(super) fn want(&mut self, line: &Arc<Line>, reply: Sender<Result<Shape, OpenFault>>) {
        self.wanted.push(Wanted {
            line: Arc::clone(line),
            reply,
            by: now() + open_wait(line),
        });
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

    pub(super) fn give_up_wanted(&mut self) {
        let over = |wanted: &mut Wanted| wanted.by <= now();
        for wanted in self.wanted.extract_if(.., over) {
            let _ = wanted.reply.send(Err(did(NOT_YET)));
        }
    }

    /// Those that others are served beside by now are opened as always.
    pub(super) fn open_wanted_where_others_are_served(&mut self) {
        if self.none_serves() || self.pending.is_some() {
            return;
        }
        for wanted in std::mem::take(&mut self.wanted) {
            self.open_first(&wanted.line, wanted.reply);
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
