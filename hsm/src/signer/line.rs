//! The way to one key in a signer process: its lanes, and whether they may be used. Lent to threads
//! that sign, laid anew by the supervisor.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crossbeam::queue::ArrayQueue;

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
    /// Lanes that nobody uses. Those of an earlier laying may be among them for a moment.
    free: ArrayQueue<Lane>,
    /// Which laying is in service; 0: none.
    serving: AtomicU64,
    /// How often lanes have been laid.
    layings: AtomicU64,
    /// The process that has laid the last: its number.
    laid_by: AtomicU32,
    /// The last process that was asked to open the key has not said anything in good time.
    unanswered: AtomicBool,
    /// The module's last word for why there was no signature: the same is not said again.
    said: Mutex<String>,
    /// Why none is in service: the discriminant of a `SignFault`.
    why_not: AtomicU8,
}

struct Lane {
    socket: OwnedFd,
    laying: u64,
}

impl Line {
    pub fn new(source: Pkcs11Source, pin: Option<OwnedFd>, sign_within: Duration) -> Self {
        // Room for those of two layings: the late ones of the last are dropped when they are met.
        let free = ArrayQueue::new(2 * source.sessions.max(1));
        Self {
            source,
            pin,
            sign_within,
            shape: OnceLock::new(),
            identity: OnceLock::new(),
            free,
            serving: AtomicU64::new(0),
            layings: AtomicU64::new(0),
            laid_by: AtomicU32::new(0),
            unanswered: AtomicBool::new(false),
            said: Mutex::default(),
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

    /// Asks over a lane and waits for what comes of it. `report` is told, once for each time that
    /// it happens, what took the line out of service.
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
            report(trouble);
        }
        Err(fault)
    }

    /// Logs the module's word for why there is no signature, once until there is another or the key
    /// was lost and is back.
    fn say(&self, why: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !why.is_empty() && *said != why {
            why.clone_into(&mut said);
            let uri = &self.source.uri;
            tracing::warn!(uri, code = why, "the token did not sign");
        }
    }

    /// What is said next is said anew.
    pub fn forget_what_was_said(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clear();
    }

    fn lane(&self) -> Result<Lane, SignFault> {
        let serving = self.serving.load(Ordering::Acquire);
        if serving == 0 {
            return Err(match self.why_not.load(Ordering::Relaxed) {
                fault if fault == SignFault::KeyGone as u8 => SignFault::KeyGone,
                _ => SignFault::TokenGone,
            });
        }
        loop {
            let lane = self.free.pop().ok_or(SignFault::Busy)?;
            // A later one is proved as well, and about to be in service.
            if lane.laying >= serving {
                return Ok(lane);
            }
        }
    }

    fn give_back(&self, lane: Lane) {
        let serving = self.serving.load(Ordering::Acquire);
        if serving != 0 && lane.laying >= serving {
            // There is room; and a lane that were lost would be one session less until the next
            // laying, not a fault.
            let _ = self.free.push(lane);
        }
    }

    /// Takes the line out of service and closes the lanes that nobody uses.
    pub fn cut(&self, why: SignFault) {
        self.why_not.store(why as u8, Ordering::Relaxed);
        self.serving.store(0, Ordering::Release);
        while self.free.pop().is_some() {}
    }

    /// Puts proved lanes of this process into service. Those of the one before sign until then.
    pub fn lay(&self, lanes: Vec<OwnedFd>, process: u32) -> io::Result<()> {
        for socket in &lanes {
            socket::bound(socket, self.sign_within)?;
        }
        let before = self.free.len();
        let laying = self.layings.fetch_add(1, Ordering::Relaxed) + 1;
        for socket in lanes {
            // The oldest goes where there is no room.
            drop(self.free.force_push(Lane { socket, laying }));
        }
        self.laid_by.store(process, Ordering::Relaxed);
        self.serving.store(laying, Ordering::Release);
        for _ in 0..before {
            match self.free.pop() {
                Some(lane) if lane.laying < laying => drop(lane),
                Some(lane) => {
                    self.give_back(lane);
                    break;
                }
                None => break,
            }
        }
        Ok(())
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
