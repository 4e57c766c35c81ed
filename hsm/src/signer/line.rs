//! The way to one key in a signer process: its lanes, and whether they may be used. Lent to threads
//! that sign, laid anew by the supervisor.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::socket;
use super::wire::{self, Ask};
use crate::public::PublicKey;
use crate::{KeyKind, Pkcs11Source, Scheme, SignFault};

/// What a key turned out to be when it was first opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    pub kind: KeyKind,
    pub schemes: Vec<Scheme>,
}

/// Why a line went out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No answer within the bound: the process hangs.
    Silent,
    /// The process is gone, or what it says makes no sense.
    Broken,
    /// The process is well and cannot get at the key.
    Lost,
}

pub struct Line {
    pub source: Pkcs11Source,
    /// Of the PIN, where it is in no file.
    pub pin: Option<OwnedFd>,
    pub sign_within: Duration,
    /// Set by the first open; a key that is of another kind later is another key.
    pub shape: OnceLock<Shape>,
    identity: OnceLock<PublicKey>,
    /// Lanes of the laying in service that nobody uses.
    free: Mutex<Vec<Lane>>,
    /// Rung for who waits for one of them: there is one, or none will be.
    freed: Condvar,
    /// Which laying is in service; 0: none. Read under `free` by who waits, so it is changed before
    /// that is locked and `freed` is rung.
    serving: AtomicU64,
    /// How often lanes have been laid.
    layings: AtomicU64,
    /// The process that has laid the last: its number.
    laid_by: AtomicU32,
    /// The last process that was asked to open the key has not said anything in good time.
    unanswered: AtomicBool,
    /// The module's last words for why there was no signature: the same is not said again.
    said: Mutex<LastSaid>,
    /// What it took to open the key the last time, in milliseconds.
    opened_in: AtomicU64,
    /// Why none is in service: the discriminant of a `SignFault`.
    why_not: AtomicU8,
}

/// Texts that were logged lately: those that come in turns are said once each.
#[derive(Default)]
pub struct LastSaid(VecDeque<String>);

impl LastSaid {
    const MAX: usize = 8;

    /// Whether it is not among them, which it is then.
    pub fn is_new(&mut self, text: &str) -> bool {
        if self.0.iter().any(|said| said == text) {
            return false;
        }
        self.0.truncate(Self::MAX - 1);
        self.0.push_front(text.to_owned());
        true
    }
}

struct Lane {
    socket: OwnedFd,
    laying: u64,
}

impl Line {
    pub fn new(source: Pkcs11Source, pin: Option<OwnedFd>, sign_within: Duration) -> Self {
        Self {
            source,
            pin,
            sign_within,
            shape: OnceLock::new(),
            identity: OnceLock::new(),
            free: Mutex::default(),
            freed: Condvar::new(),
            serving: AtomicU64::new(0),
            layings: AtomicU64::new(0),
            laid_by: AtomicU32::new(0),
            unanswered: AtomicBool::new(false),
            said: Mutex::default(),
            opened_in: AtomicU64::new(0),
            why_not: AtomicU8::new(SignFault::TokenGone as u8),
        }
    }

    pub fn identity(&self) -> Option<&PublicKey> {
        self.identity.get()
    }

    /// Err: it is another key's already.
    pub fn remember(&self, public: PublicKey) -> Result<(), ()> {
        let kept = self.identity.get_or_init(|| public.clone());
        (*kept == public).then_some(()).ok_or(())
    }

    pub fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Acquire) != 0
    }

    /// Asks over a lane, which may be waited for as long as a signature may take, and waits for
    /// what comes of it. `report` is told, once for each time that it happens, what took the line
    /// out of service.
    pub fn ask(&self, ask: &Ask<'_>, report: impl FnOnce(Trouble)) -> Result<Vec<u8>, SignFault> {
        let lane = self.lane()?;
        let laying = lane.laying;
        let trouble = match exchange(&lane.socket, ask, |why| self.say(why)) {
            Ok(answer) => {
                self.give_back(lane);
                match answer {
                    Err(fault @ (SignFault::TokenGone | SignFault::KeyGone)) => {
                        self.why_not.store(fault as u8, Ordering::Relaxed);
                        (Trouble::Lost, fault)
                    }
                    answer => return answer,
                }
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                (Trouble::Silent, SignFault::TokenGone)
            }
            Err(_) => (Trouble::Broken, SignFault::TokenGone),
        };
        let (trouble, fault) = trouble;
        let mine = self
            .serving
            .compare_exchange(laying, 0, Ordering::AcqRel, Ordering::Relaxed);
        if mine.is_ok() {
            self.why_not.store(fault as u8, Ordering::Relaxed);
            self.close_free();
            report(trouble);
        }
        Err(fault)
    }

    /// Logs the module's word for why there is no signature, once until there is another or the key
    /// was lost and is back.
    fn say(&self, why: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !why.is_empty() && said.is_new(why) {
            let uri = &self.source.uri;
            tracing::warn!(uri, code = why, "the token did not sign");
        }
    }

    /// What is said next is said anew.
    pub fn forget_what_was_said(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.0.clear();
    }

    fn lane(&self) -> Result<Lane, SignFault> {
        let none = |free: &mut Vec<Lane>| free.is_empty() && self.is_serving();
        let waited = self
            .freed
            .wait_timeout_while(self.lock_free(), self.sign_within, none);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if self.is_serving() {
            return free.pop().ok_or(SignFault::Busy);
        }
        Err(match self.why_not.load(Ordering::Relaxed) {
            fault if fault == SignFault::KeyGone as u8 => SignFault::KeyGone,
            _ => SignFault::TokenGone,
        })
    }

    fn give_back(&self, lane: Lane) {
        let mut free = self.lock_free();
        if self.serving.load(Ordering::Acquire) == lane.laying {
            free.push(lane);
            self.freed.notify_one();
        }
    }

    fn lock_free(&self) -> MutexGuard<'_, Vec<Lane>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the lanes that nobody uses, where none is in service, and says so to who waits.
    fn close_free(&self) {
        let mut free = self.lock_free();
        if !self.is_serving() {
            free.clear();
        }
        self.freed.notify_all();
    }

    /// Takes the line out of service and closes the lanes that nobody uses.
    pub fn cut(&self, why: SignFault) {
        self.why_not.store(why as u8, Ordering::Relaxed);
        self.serving.store(0, Ordering::Release);
        self.close_free();
    }

    /// Puts proved lanes of this process into service. Those of the one before sign until then.
    pub fn lay(&self, lanes: Vec<OwnedFd>, process: u32) -> io::Result<()> {
        for socket in &lanes {
            socket::bound(socket, self.sign_within)?;
        }
        let laying = self.layings.fetch_add(1, Ordering::Relaxed) + 1;
        let lanes = lanes.into_iter().map(|socket| Lane { socket, laying });
        let mut free = self.lock_free();
        *free = lanes.collect();
        self.laid_by.store(process, Ordering::Relaxed);
        self.serving.store(laying, Ordering::Release);
        self.freed.notify_all();
        Ok(())
    }

    pub fn was_opened_in(&self, took: Duration) {
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.opened_in.store(milliseconds, Ordering::Relaxed);
    }

    /// What it took to open the key the last time; zero: it has not been opened.
    pub fn opened_in(&self) -> Duration {
        Duration::from_millis(self.opened_in.load(Ordering::Relaxed))
    }

    /// Whether the last lanes were laid by this process.
    pub fn is_laid_by(&self, process: u32) -> bool {
        self.laid_by.load(Ordering::Relaxed) == process
    }

    /// Whether a process has said in good time what became of opening the key.
    pub fn answers(&self, answers: bool) {
        self.unanswered.store(!answers, Ordering::Relaxed);
    }

    /// What was said of that last.
    pub fn answered(&self) -> bool {
        !self.unanswered.load(Ordering::Relaxed)
    }
}

/// Asks on a lane and waits for the answer, for as long as the socket is bound to. `say` is told
/// the module's word for why there is no signature.
fn exchange(
    lane: &OwnedFd,
    ask: &Ask<'_>,
    say: impl FnOnce(&str),
) -> io::Result<Result<Vec<u8>, SignFault>> {
    tell_ask(lane, ask)?;
    hear_answer(lane, say)
}

/// Asks on a lane.
pub fn tell_ask(lane: &OwnedFd, ask: &Ask<'_>) -> io::Result<()> {
    let mut packet = [0; wire::LANE_BYTES_MAX];
    let end = ask.write(&mut packet).ok_or(io::ErrorKind::InvalidInput)?;
    socket::tell(lane, &packet[..end])
}

/// The answer to what was asked before.
pub fn hear_answer(
    lane: &OwnedFd,
    say: impl FnOnce(&str),
) -> io::Result<Result<Vec<u8>, SignFault>> {
    let mut packet = [0; wire::LANE_BYTES_MAX];
    let heard = socket::hear(lane, &mut packet)?;
    let answer = wire::read_answer(heard).ok_or(io::ErrorKind::InvalidData)?;
    if answer.is_err() {
        say(wire::read_why(heard));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests;
