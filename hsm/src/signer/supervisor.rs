//! Looks after the signer process of one module: starts it, has it open keys, and replaces it.
//!
//! ```text
//!             open, prove                     silent, broken: kill
//!   down ──────────────────▶ serving ─────────────────────────────▶ down
//!    ▲  └─ back-off ─┐           └───── key lost: open it again ─────▶ down
//!    └───────────────┘
//! ```
//!
//! A process that does not open a key soon is left to it, and others are tried beside it: keys of
//! other tokens do not wait. Where keys are served, one that opens all of them and one more takes
//! the place of the last.
//!
//! While a login is under way, nobody else tries that PIN, and the process is let come to that
//! login's end, whoever still wants its keys, for at most [`LOGIN_MORE`] longer than it may take to
//! open them. Whoever waits for a key's first opening is answered only then; and a supervisor that
//! nobody needs any more stays for that alone.
//!
//! One thread does all of that. The process is its child, and dies with it: the signal that a
//! process gets at its parent's death follows the thread that started it.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, TryRecvError, unbounded};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::Launch;
use super::line::{LastSaid, Line, Shape, Trouble};
use crate::{OpenFault, SignFault};

mod child;
mod desk;
mod opening;
mod patience;
mod recovery;
mod wanted;

pub use child::macs;

use child::Process;
use opening::{Asked, Opening, Pending};
use patience::Patience;
use wanted::Wanted;

/// For a module to load, log in and find a key, and for each session to be opened.
const OPEN_WAIT: Duration = Duration::from_secs(10);
const OPEN_WAIT_SESSION: Duration = Duration::from_millis(250);
/// Between two attempts to get a key back, at first and at most. Short enough that one that is back
/// serves within a second; long enough that starting processes costs some percents of a CPU.
const PAUSE_FIRST: Duration = Duration::from_millis(25);
const PAUSE_MAX: Duration = Duration::from_millis(400);
/// Who serves for so long begins anew with pauses.
const PROVEN_AFTER: Duration = Duration::from_secs(5);
/// For a key to be opened again before another process is tried as well: what a process asks of a
/// token that is gone may never be answered, also when the token is back, and who asks then is.
/// Twice what it took the last time, where that is more, up to a bound, because all the others wait
/// as long. One that takes longer still comes through as the one that is let take its time.
const HASTE: Duration = Duration::from_millis(500);
const HASTE_MAX: Duration = Duration::from_secs(2);
/// For a login to come to its end, beyond what a key may take to be opened: killed in the middle of
/// one, nobody hears whether the PIN was refused.
const LOGIN_MORE: Duration = Duration::from_secs(50);
/// For an answer that may have come meanwhile.
const GLANCE: Duration = Duration::from_millis(1);
/// Processes that are killed and that the kernel does not let go: with more, none is started.
const KILLED_MAX: usize = 8;
/// Between two looks whether they are gone, or those that are retired have done what they were at.
const KILLED_LOOK: Duration = Duration::from_secs(1);

/// What the supervisor is told.
pub enum Letter {
    /// A key to be opened for the first time.
    Open {
        line: Arc<Line>,
        reply: Sender<Result<Shape, OpenFault>>,
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
        patience: Patience::default(),
        pending: None,
        wanted: Vec::new(),
        slow: Vec::new(),
        retired: Vec::new(),
        killed: Vec::new(),
        said: HashMap::new(),
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
    /// With processes that are tried beside one that serves.
    patience: Patience,
    /// What the process was asked to open and has not yet. What it serves it serves on.
    pending: Option<Pending>,
    /// Keys to be opened for the first time, by whichever process comes to it.
    wanted: Vec<Wanted>,
    /// Open what does not serve, and take their time. Others are tried beside them.
    slow: Vec<Opening>,
    /// Nobody's any more but of those whose signatures or logins are under way.
    retired: Vec<Retired>,
    /// Killed, and not gone yet.
    killed: Vec<Child>,
    /// The last faults of each key that were logged: the same are not said again at each attempt.
    said: HashMap<String, LastSaid>,
}

/// A process that serves no more.
struct Retired {
    process: Process,
    /// For signatures that are under way.
    until: Instant,
    /// What it was at should have been done by then: for a login that is under way.
    by: Instant,
}

/// Why a key did not open: what whoever asks for a signature is told, and what the log is.
type NotOpened = (SignFault, OpenFault);

impl Supervisor {
    fn run(mut self) {
        loop {
            let spoke = self.wait();
            self.killed
                .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
            if self.pending.is_some() && spoke {
                self.hear_pending();
            } else if spoke && self.process.is_some() {
                // Unasked it has nothing to say: this is its end.
                self.lose_process("ended");
            }
            loop {
                match self.mail.try_recv() {
                    Ok(letter) => self.read(letter),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return self.linger(),
                }
            }
            self.give_up_wanted();
            if self.retry_at.is_some_and(|at| at <= now()) {
                self.recover();
            }
            self.end_retired();
        }
    }

    /// Ends all processes, each as soon as it is at no login.
    fn linger(mut self) {
        self.retry_at = None;
        self.wanted.clear();
        self.leave_process();
        for opening in std::mem::take(&mut self.slow) {
            self.leave(opening.process, opening.by);
        }
        while !self.retired.is_empty() {
            self.wait();
            self.end_retired();
        }
    }

    fn end_retired(&mut self) {
        let over = |it: &mut Retired| it.until <= now() && !it.process.is_at_its_login(it.by);
        let over: Vec<_> = self.retired.extract_if(.., over).collect();
        for it in over {
            self.end(it.process);
        }
    }

    /// Waits for a letter, for the next attempt to be due, or for the process to speak or end,
    /// which it says. Where another one does, the next attempt is due.
    fn wait(&mut self) -> bool {
        let wanted = self.wanted.iter().map(|wanted| wanted.by);
        let next = self.retry_at.into_iter().chain(wanted).min();
        let left = next.map(|at| at.saturating_duration_since(now()));
        let looks = !(self.killed.is_empty() && self.retired.is_empty());
        let looks = looks.then_some(KILLED_LOOK);
        let left = left.into_iter().chain(looks).min();
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut watched = vec![PollFd::new(&self.bell, PollFlags::IN)];
        let slow = self.slow.iter().map(|opening| &opening.process);
        for process in self.process.iter().chain(slow) {
            watched.push(PollFd::new(&process.control, PollFlags::IN));
        }
        // A signal, or a fault of the kernel's, only means that everything is looked at.
        let _ = poll(&mut watched, left.as_ref());
        let spoke: Vec<_> = watched
            .iter()
            .skip(1)
            .map(|fd| !fd.revents().is_empty())
            .collect();
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        let (ours, others) = spoke.split_at(usize::from(self.process.is_some()));
        if others.contains(&true) {
            self.retry_at = Some(now());
        }
        ours.contains(&true)
    }

    fn read(&mut self, letter: Letter) {
        if matches!(&letter, Letter::Trouble { line, .. } if !line.is_serving()) {
            self.patience.anew();
        }
        match letter {
            Letter::Open { line, reply } => {
                let by = now() + open_wait(&line);
                self.open_first(Wanted { line, reply, by });
            }
            // Of a line that was laid anew since.
            Letter::Trouble { line, .. } if line.is_serving() => {}
            // Of a process before this one, which opened others and not this line.
            Letter::Trouble { line, .. } if !self.has_opened(&line) => self.retry(),
            // Others are served: another process is to open it before this one is ended.
            Letter::Trouble {
                line,
                trouble: Trouble::Silent,
            } if !self.none_serves() => {
                tracing::error!(
                    uri = line.source.uri,
                    "the token did not sign in time; another process is tried"
                );
                line.answers(false);
                self.retry();
            }
            Letter::Trouble { trouble, .. } => match trouble {
                Trouble::Silent => self.replace_process("did not sign in time"),
                Trouble::Broken => self.lose_process("ended"),
                Trouble::Lost => self.retry(),
            },
        }
    }

    fn has_opened(&self, line: &Line) -> bool {
        let process = self.process.as_ref().map(Process::id);
        process.is_some_and(|process| line.is_laid_by(process))
    }

    fn serving(&self) -> impl Iterator<Item = Arc<Line>> + '_ {
        let held = self.lines.iter().filter_map(Weak::upgrade);
        held.filter(|line| line.is_serving())
    }

    fn none_serves(&self) -> bool {
        self.serving().next().is_none()
    }

    /// Takes every key out of service and the process away, which is over or makes no sense.
    fn lose_process(&mut self, what: &str) {
        self.cut_all();
        let pid = self.process.as_ref().map(Process::id);
        let status = self.end_process().map(|status| status.to_string());
        tracing::error!(pid, status, "the signer process {what}; another is started");
        self.retry();
    }

    /// The same of one that may be at a login.
    fn replace_process(&mut self, what: &str) {
        self.cut_all();
        let pid = self.process.as_ref().map(Process::id);
        self.leave_process();
        tracing::error!(pid, "the signer process {what}; another is started");
        self.retry();
    }

    fn cut_all(&self) {
        for line in self.lines.iter().filter_map(Weak::upgrade) {
            line.cut(SignFault::TokenGone);
        }
    }

    /// Ends the process and says how it did. None: there was none, or the kernel still holds it.
    fn end_process(&mut self) -> Option<ExitStatus> {
        self.pending = None;
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

    /// Ends a process that nobody wants any more: now, or when it comes to the end of a login,
    /// where what it is at may take until `by`.
    fn leave(&mut self, process: Process, by: Instant) {
        let until = now();
        self.retired.push(Retired { process, until, by });
        self.end_retired();
    }

    /// Opens a key that nobody has yet. Where others are held they are looked after meanwhile.
    fn open_first(&mut self, wanted: Wanted) {
        self.hear_pending();
        let others_wait = !(self.lost().is_empty() && self.wanted.is_empty());
        if self.none_serves() && others_wait || self.waits(&wanted.line) {
            return self.want(wanted);
        }
        let wait = match self.none_serves() {
            true => open_wait(&wanted.line),
            false => haste(&wanted.line),
        };
        let opened = self.open(&wanted.line, wait);
        if self.pending.is_some() {
            return self.want(wanted);
        }
        if opened.is_ok() {
            self.lines.push(Arc::downgrade(&wanted.line));
        } else if self.none_serves() {
            self.end_process();
        }
        let _ = wanted.reply.send(opened.map_err(|(_, fault)| fault));
    }

    /// Whether the process cannot be asked for a key now, or not for this one.
    fn waits(&self, line: &Line) -> bool {
        self.pending.is_some() || self.is_left_alone(line)
    }

    /// Opens a key, has it prove that it is the one it was, if that is known, and puts it into
    /// service. Where others are served, a process that takes longer goes on serving them.
    fn open(&mut self, line: &Arc<Line>, wait: Duration) -> Result<Shape, NotOpened> {
        let gone = |fault| (SignFault::TokenGone, fault);
        let begun = now();
        let process = self.process().map_err(gone)?;
        let asked = Asked::of(Arc::clone(line), process);
        let mut asked = asked.map_err(|error| gone(self.not_opened(&error)))?;
        let heard = asked.hear(self.process().map_err(gone)?, wait);
        let (shape, lanes) = match heard {
            Ok(Some(proved)) => proved,
            // A login is let come to its end, also where what was served is lost meanwhile.
            Ok(None) if !self.none_serves() || self.is_trying_a_pin() => {
                self.pending = Some(Pending {
                    asked,
                    by: begun + open_wait(line),
                });
                return Err(gone(did(NOT_YET)));
            }
            Ok(None) => Err(gone(self.not_opened(&io::ErrorKind::TimedOut.into()))),
            Err(error) => Err(gone(self.not_opened(&error))),
        }?;
        let process = self.process().map_err(gone)?.id();
        line.lay(lanes, process).map_err(not_laid)?;
        Ok(shape)
    }

    fn is_trying_a_pin(&self) -> bool {
        self.process.as_ref().is_some_and(Process::is_trying_a_pin)
    }

    fn not_opened(&mut self, error: &io::Error) -> OpenFault {
        self.give_up_process(&format!("did not open the key: {error}"))
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

const NOT_YET: &str = "has not opened the key yet";

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

/// How long a key is waited for before others are not made to wait for it.
fn haste(line: &Line) -> Duration {
    line.opened_in().saturating_mul(2).clamp(HASTE, HASTE_MAX)
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
mod tests;
