//! Looks after the signer process of one module: starts it, has it open keys, and replaces it.
//!
//! ```text
//!             open, prove                     silent, broken: kill
//!   down ──────────────────▶ serving ─────────────────────────────▶ down
//!    ▲  └─ back-off ─┐           └───── key lost: open it again ─────▶ down
//!    └───────────────┘
//! ```
//!
//! A process that does not open a key soon is left to it, one at a time, and others are tried
//! beside it. Where other keys are served, one that opens all of them takes the place of the last.
//!
//! One thread does all of that. The process is its child, and dies with it: the signal that a
//! process gets at its parent's death follows the thread that started it.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, TryRecvError, unbounded};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::Launch;
use super::line::{Line, Shape, Trouble};
use super::wire::Macs;
use crate::{Mac, OpenFault, Pkcs11Source, SignFault};

mod child;
mod opening;

use child::Process;
use opening::Opening;

/// For a module to load, log in and find a key, and for each session to be opened.
const OPEN_WAIT: Duration = Duration::from_secs(10);
const OPEN_WAIT_SESSION: Duration = Duration::from_millis(250);
/// Between two attempts to get a key back, at first and at most. Short enough that one that is back
/// serves within a second; long enough that starting processes costs some percents of a CPU.
const PAUSE_FIRST: Duration = Duration::from_millis(25);
const PAUSE_MAX: Duration = Duration::from_millis(400);
/// Who serves for so long begins anew with pauses.
const PROVEN_AFTER: Duration = Duration::from_secs(5);
/// A key that has been lost for longer is nobody's who waits for the token to be started again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two processes that are tried beside one that serves, then: each logs in to every token
/// and opens every session, and the HSM may be one that many gateways share.
const BESIDE_EVERY: Duration = Duration::from_secs(5);
/// For a key to be opened again before another process is tried as well: what a process asks of a
/// token that is gone may never be answered, also when the token is back, and who asks then is.
/// Twice what it took when all was well, where that is more: killed sooner, none would come
/// through.
const HASTE: Duration = Duration::from_millis(500);
/// For an answer that may have come meanwhile.
const GLANCE: Duration = Duration::from_millis(1);

/// What the supervisor is told.
pub enum Letter {
    /// A key to be opened for the first time.
    Open {
        line: Arc<Line>,
        reply: Sender<Result<Shape, OpenFault>>,
    },
    /// HMACs by a secret key, of which nothing is kept.
    Macs {
        source: Pkcs11Source,
        labels: Vec<Vec<u8>>,
        reply: Sender<Result<Vec<Mac>, OpenFault>>,
    },
    /// A line that went out of service.
    Trouble { line: Arc<Line>, trouble: Trouble },
}

/// Where letters are put. The supervisor ends, and its process with it, when this is dropped.
pub struct Mailbox {
    letters: Option<Sender<Letter>>,
    bell: Arc<OwnedFd>,
}

impl Mailbox {
    pub fn send(&self, letter: Letter) {
        if let Some(letters) = &self.letters {
            // Nobody there: whoever waits for a reply finds that out.
            let _ = letters.send(letter);
        }
        self.ring();
    }

    fn ring(&self) {
        // It is full only when nobody has listened for 2^64 rings.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.letters = None;
        self.ring();
    }
}

/// Starts a supervisor. Its process is started with the first key.
pub fn start(launch: Launch) -> io::Result<Mailbox> {
    let (letters, mail) = unbounded();
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let supervisor = Supervisor {
        launch,
        mail,
        bell: Arc::clone(&bell),
        process: None,
        lines: Vec::new(),
        retry_at: None,
        pause: Duration::ZERO,
        served_since: None,
        lost_since: None,
        beside_at: None,
        longest_open: Duration::ZERO,
        slow: None,
        retired: Vec::new(),
        killed: Vec::new(),
        said: String::new(),
    };
    thread::Builder::new()
        .name("hsm-supervisor".to_owned())
        .spawn(move || supervisor.run())?;
    Ok(Mailbox {
        letters: Some(letters),
        bell,
    })
}

struct Supervisor {
    launch: Launch,
    mail: Receiver<Letter>,
    bell: Arc<OwnedFd>,
    process: Option<Process>,
    /// Weak: whoever holds the key decides how long it is looked after.
    lines: Vec<Weak<Line>>,
    /// When the next attempt is due; None: everything serves.
    retry_at: Option<Instant>,
    pause: Duration,
    served_since: Option<Instant>,
    /// Since when a key has been lost.
    lost_since: Option<Instant>,
    /// When a process was last tried beside one that serves.
    beside_at: Option<Instant>,
    /// What it took to start a process, where there was none, and to open a key in it.
    longest_open: Duration,
    /// Opens what does not serve, and takes its time. Others are tried beside it.
    slow: Option<Opening>,
    /// Nobody's any more but of those whose signatures were under way, and until when.
    retired: Vec<(Process, Instant)>,
    /// Killed, and not gone yet.
    killed: Vec<Child>,
    /// The last fault that was logged: the same is not said again at each attempt.
    said: String,
}

/// Why a key did not open: what whoever asks for a signature is told, and what the log is.
type NotOpened = (SignFault, OpenFault);

impl Supervisor {
    fn run(mut self) {
        loop {
            let spoke = self.wait();
            self.killed
                .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
            if spoke && self.process.is_some() {
                // Unasked it has nothing to say: this is its end.
                self.lose_process("ended");
            }
            loop {
                match self.mail.try_recv() {
                    Ok(letter) => self.read(letter),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        self.end_all();
                        return;
                    }
                }
            }
            if self.retry_at.is_some_and(|at| at <= now()) {
                self.recover();
            }
            let over = |(_, until): &mut (Process, Instant)| *until <= now();
            let over: Vec<_> = self.retired.extract_if(.., over).collect();
            for (process, _) in over {
                self.end(process);
            }
        }
    }

    /// Waits for a letter, for the next attempt to be due, or for the process to speak or end,
    /// which it says.
    fn wait(&self) -> bool {
        let retired = self.retired.iter().map(|(_, until)| *until);
        let next = self.retry_at.into_iter().chain(retired).min();
        let left = next.map(|at| at.saturating_duration_since(now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut watched = vec![PollFd::new(&self.bell, PollFlags::IN)];
        if let Some(process) = &self.process {
            watched.push(PollFd::new(&process.control, PollFlags::IN));
        }
        // A signal, or a fault of the kernel's, only means that everything is looked at.
        let _ = poll(&mut watched, left.as_ref());
        let spoke = watched.get(1).is_some_and(|fd| !fd.revents().is_empty());
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        spoke
    }

    fn read(&mut self, letter: Letter) {
        match letter {
            Letter::Open { line, reply } => {
                let opened = self.open(&line);
                if opened.is_ok() {
                    self.lines.push(Arc::downgrade(&line));
                } else if self.none_serves() {
                    self.end_process();
                }
                let _ = reply.send(opened.map_err(|(_, fault)| fault));
            }
            Letter::Macs {
                source,
                labels,
                reply,
            } => {
                let _ = reply.send(self.macs(&source, labels));
                if self.none_serves() {
                    self.end_process();
                }
            }
            // Of a line that was laid anew since.
            Letter::Trouble { line, .. } if line.is_serving() => {}
            Letter::Trouble { trouble, .. } => match trouble {
                Trouble::Silent => self.lose_process("did not sign in time and is killed"),
                Trouble::Broken => self.lose_process("ended"),
                Trouble::Lost => self.retry(),
            },
        }
    }

    fn serving(&self) -> impl Iterator<Item = Arc<Line>> + '_ {
        let held = self.lines.iter().filter_map(Weak::upgrade);
        held.filter(|line| line.is_serving())
    }

    fn none_serves(&self) -> bool {
        self.serving().next().is_none()
    }

    /// Takes every key out of service and the process away.
    fn lose_process(&mut self, what: &str) {
        for line in self.lines.iter().filter_map(Weak::upgrade) {
            line.cut(SignFault::TokenGone);
        }
        let pid = self.process.as_ref().map(Process::id);
        let status = self.end_process().map(|status| status.to_string());
        tracing::error!(pid, status, "the signer process {what}; another is started");
        self.retry();
    }

    /// Ends the process and says how it did. None: there was none, or the kernel still holds it.
    fn end_process(&mut self) -> Option<ExitStatus> {
        let process = self.process.take()?;
        self.end(process)
    }

    fn end(&mut self, process: Process) -> Option<ExitStatus> {
        match process.end() {
            Ok(status) => status,
            Err(child) => {
                self.killed.push(child);
                None
            }
        }
    }

    fn end_all(&mut self) {
        self.end_process();
        let slow = self.slow.take().map(|opening| opening.process);
        let retired = self.retired.drain(..).map(|(process, _)| process);
        let all: Vec<_> = retired.chain(slow).collect();
        for process in all {
            self.end(process);
        }
    }

    /// Has the next attempt come after a pause: none after long service, then longer ones.
    fn retry(&mut self) {
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
    fn recover(&mut self) {
        self.retry_at = None;
        self.lines.retain(|line| line.strong_count() > 0);
        if self.none_serves() {
            // A module that has lost its token may never see it again: it begins anew.
            self.end_process();
        } else {
            for line in self.lost() {
                let opened = self.open(&line).map(drop);
                self.note(&line, opened);
            }
        }
        if let Some(opening) = self.slow.take() {
            self.go_on(opening, GLANCE);
        }
        let slow = !self.lost().is_empty() && self.may_begin_anew(now()) && self.begin_anew();
        if self.lost().is_empty() {
            self.said.clear();
            self.served_since = Some(now());
            self.lost_since = None;
            if let Some(opening) = self.slow.take() {
                self.end(opening.process);
            }
            return;
        }
        if slow {
            // It has been waited for.
            self.pause = Duration::ZERO;
        }
        self.retry();
    }

    /// Keys that are held and do not serve.
    fn lost(&self) -> Vec<Arc<Line>> {
        let held = self.lines.iter().filter_map(Weak::upgrade);
        held.filter(|line| !line.is_serving()).collect()
    }

    /// Whether it is time for another process: always where none of this one's keys serves.
    fn may_begin_anew(&mut self, now: Instant) -> bool {
        let lost_since = *self.lost_since.get_or_insert(now);
        if self.none_serves() {
            return true;
        }
        let may = may_be_tried_beside(now, lost_since, self.beside_at);
        if may {
            self.beside_at = Some(now);
        }
        may
    }

    fn note(&mut self, line: &Line, opened: Result<(), NotOpened>) {
        match opened {
            Ok(()) => tracing::warn!(uri = line.source.uri, "the key is proved and signs again"),
            Err((class, fault)) => {
                line.cut(class);
                let said = fault.to_string();
                if said != self.said {
                    tracing::error!(what = %fault.what, cure = %fault.cure, "{class}");
                    self.said = said;
                }
            }
        }
    }

    /// Has another process open what is lost, and after it what is served, if anything is: one that
    /// serves a key may not see the token of another again, and is not to be ended for that before
    /// another can take its place. Whether it takes its time.
    fn begin_anew(&mut self) -> bool {
        let mut lines = self.lost();
        lines.extend(self.serving());
        match Process::start(&self.launch) {
            Ok(process) => {
                let wait = HASTE.max(2 * self.longest_open);
                self.go_on(Opening::new(process, lines, now()), wait)
            }
            Err(fault) => {
                for line in self.lost() {
                    self.note(&line, Err((SignFault::TokenGone, fault.clone())));
                }
                false
            }
        }
    }

    /// Waits for keys to be opened, and puts them into service. Whether that takes its time: then
    /// it may go on beside others, unless one does already.
    fn go_on(&mut self, mut opening: Opening, wait: Duration) -> bool {
        match opening.goes_on(wait) {
            Ok(true) => self.conclude(opening),
            Ok(false) if now() < opening.by && self.slow.is_none() => {
                self.slow = Some(opening);
                return true;
            }
            Ok(false) => {
                self.end(opening.process);
                return true;
            }
            Err(error) => {
                let fault = did(&format!("did not open the key: {error}"));
                for line in self.lost() {
                    self.note(&line, Err((SignFault::TokenGone, fault.clone())));
                }
                self.end(opening.process);
            }
        }
        false
    }

    /// Has a process take the place of the one that serves, if it brings back a key that is lost
    /// and loses none that is not.
    fn conclude(&mut self, opening: Opening) {
        let Opening {
            process, outcomes, ..
        } = opening;
        let (mut brings_back, mut loses) = (false, false);
        for (line, outcome) in &outcomes {
            brings_back |= !line.is_serving() && outcome.is_ok();
            loses |= line.is_serving() && outcome.is_err();
        }
        let opened = |line: &Arc<Line>| outcomes.iter().any(|(other, _)| Arc::ptr_eq(line, other));
        loses |= !self.serving().all(|line| opened(&line));
        let taken = brings_back && !loses;
        for (line, outcome) in outcomes {
            let was_lost = !line.is_serving();
            let laid = match outcome {
                Ok((_, lanes)) if taken => line.lay(lanes).map_err(not_laid),
                Ok(_) => continue,
                Err(fault) => Err(fault),
            };
            if was_lost {
                self.note(&line, laid);
            }
        }
        if !taken {
            self.end(process);
            return;
        }
        if let Some(before) = self.process.replace(process) {
            self.retired.push((before, now() + self.launch.sign_within));
        }
    }

    /// Opens a key, has it prove that it is the one it was, if that is known, and puts it into
    /// service.
    fn open(&mut self, line: &Arc<Line>) -> Result<Shape, NotOpened> {
        let gone = |fault| (SignFault::TokenGone, fault);
        let begun = now();
        let process = self.process().map_err(gone)?;
        let asked = process.ask_to_open(line);
        let opened = asked.and_then(|lanes| Ok((lanes, process.hear_opened(open_wait(line))?)));
        let (lanes, opened) = opened.map_err(|error| {
            gone(self.give_up_process(&format!("did not open the key: {error}")))
        })?;
        let (shape, lanes) = opening::proved(line, lanes, opened)?;
        line.lay(lanes).map_err(not_laid)?;
        self.longest_open = self.longest_open.max(now() - begun);
        Ok(shape)
    }

    fn macs(&mut self, source: &Pkcs11Source, labels: Vec<Vec<u8>>) -> Result<Vec<Mac>, OpenFault> {
        match self.process()?.ask_for_macs(source, labels) {
            Ok(Macs::Said(macs)) => Ok(macs),
            Ok(Macs::Fault { fault, refused }) => {
                refused.learn();
                Err(fault)
            }
            Err(error) => {
                Err(self.give_up_process(&format!("did not ask the secret key: {error}")))
            }
        }
    }

    /// Ends a process that did not answer on the control socket, and has another one started where
    /// keys are held.
    fn give_up_process(&mut self, what: &str) -> OpenFault {
        self.end_process();
        for line in self.lines.iter().filter_map(Weak::upgrade) {
            line.cut(SignFault::TokenGone);
            self.retry_at = Some(now());
        }
        did(what)
    }

    /// The process, started where there is none.
    fn process(&mut self) -> Result<&Process, OpenFault> {
        let process = match self.process.take() {
            Some(process) => process,
            None => Process::start(&self.launch)?,
        };
        Ok(self.process.insert(process))
    }
}

/// Whether a process may be tried beside one that serves.
fn may_be_tried_beside(now: Instant, lost_since: Instant, last: Option<Instant>) -> bool {
    let long = now.saturating_duration_since(lost_since) > PATIENCE;
    let lately = |last: Instant| now.saturating_duration_since(last) < BESIDE_EVERY;
    !(long && last.is_some_and(lately))
}

/// For a process that did not do what it was asked to.
fn did(what: &str) -> OpenFault {
    OpenFault::new(
        format!("the signer process {what}"),
        "see what the PKCS#11 module says of itself; it hung, or took its process down",
    )
}

fn not_laid(error: io::Error) -> NotOpened {
    let fault = OpenFault::new(error.to_string(), "see the error itself");
    (SignFault::TokenGone, fault)
}

/// The longest that a key may take to be opened.
fn open_wait(line: &Line) -> Duration {
    let sessions = u32::try_from(line.source.sessions).unwrap_or(u32::MAX);
    OPEN_WAIT.saturating_add(OPEN_WAIT_SESSION.saturating_mul(sessions))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is no pure room: it waits for a process"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_beside_one_that_serves_are_tried_often_at_first_and_seldom_after_a_minute() {
        let lost = now();
        let after = |seconds: f64| lost + Duration::from_secs_f64(seconds);
        assert!(may_be_tried_beside(after(0.0), lost, None));
        assert!(may_be_tried_beside(after(59.0), lost, Some(after(58.6))));
        assert!(!may_be_tried_beside(after(61.0), lost, Some(after(60.6))));
        assert!(!may_be_tried_beside(after(65.5), lost, Some(after(60.6))));
        assert!(may_be_tried_beside(after(65.7), lost, Some(after(60.6))));
        assert!(may_be_tried_beside(after(600.0), lost, None));
    }
}
