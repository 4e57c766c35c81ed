//! Keys that a process is opening: one after the other, for as long as it takes, without holding up
//! who looks after it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::line::{Line, Shape, hear_answer, tell_ask};
use super::super::socket;
use super::super::wire::{Ask, Opened};
use super::child::Process;
use super::{GLANCE, NotOpened, OPEN_WAIT, haste, now, open_wait};
use crate::public::PublicKey;
use crate::{OpenFault, Scheme, SignFault, one_of_each_family};

/// Lanes of a key that has proved to be the one it was, and what it is.
pub type Proved = (Shape, Vec<OwnedFd>);

pub type Outcome = (Arc<Line>, Result<Proved, NotOpened>);

/// A process, and what has come of the keys that it was to open.
pub struct Opening {
    pub process: Process,
    /// In this order.
    pub outcomes: Vec<Outcome>,
    /// The one that it is at.
    at: Option<Asked>,
    /// Those that follow, the next one last.
    rest: Vec<Arc<Line>>,
    /// When it has taken too long.
    pub by: Instant,
    /// The same with a login that was let come to its end, and what follows it.
    until: Instant,
}

/// A key that a process was asked to open, and when that has taken too long.
pub struct Pending {
    pub asked: Asked,
    pub by: Instant,
}

impl Opening {
    /// Of a process that is at one key, and at a login for that.
    pub fn under_way(process: Process, pending: Pending) -> Self {
        let Pending { asked, by } = pending;
        Self {
            process,
            outcomes: Vec::new(),
            at: Some(asked),
            rest: Vec::new(),
            by,
            until: by.max(now() + OPEN_WAIT),
        }
    }

    /// The key that it is at; None: at none any more.
    pub fn at(&self) -> Option<&Arc<Line>> {
        self.at.as_ref().map(|asked| &asked.line)
    }

    /// The process, what has come of its keys, and the one that it is at.
    pub fn into_parts(self) -> (Process, Vec<Outcome>, Option<Pending>) {
        let by = self.by;
        let pending = self.at.map(|asked| Pending { asked, by });
        (self.process, self.outcomes, pending)
    }

    /// The longest is reckoned from `now`.
    pub fn new(process: Process, mut lines: Vec<Arc<Line>>, now: Instant) -> Self {
        let wait = lines.iter().map(|line| open_wait(line)).sum::<Duration>();
        lines.reverse();
        Self {
            process,
            outcomes: Vec::new(),
            at: None,
            rest: lines,
            by: now + wait,
            until: now + wait,
        }
    }

    /// Whether it may take more time: always for a login, else where others may as well.
    pub fn is_let_go_on(&mut self, may_others: bool) -> bool {
        if self.process.is_at_its_login(self.by) {
            self.until = self.until.max(now() + OPEN_WAIT);
            return true;
        }
        now() < self.until && (may_others || self.by < self.until)
    }

    /// Goes on for as long as each key is open in haste; the one that the process is at is not
    /// waited for. Whether that was all of them.
    ///
    /// # Errors
    /// The process is gone, or what it says makes no sense.
    pub fn goes_on(&mut self) -> io::Result<bool> {
        loop {
            let (mut asked, wait) = match (self.at.take(), self.rest.pop()) {
                (Some(at), next) => {
                    self.rest.extend(next);
                    (at, GLANCE)
                }
                (None, Some(line)) => {
                    let wait = haste(&line);
                    (Asked::of(line, &self.process)?, wait)
                }
                (None, None) => return Ok(true),
            };
            match asked.hear(&self.process, wait)? {
                Some(proved) => self.outcomes.push((asked.line, proved)),
                None => {
                    self.at = Some(asked);
                    return Ok(false);
                }
            }
        }
    }
}

/// A key that a process was asked to open, until it has proved to be the one that it was.
pub struct Asked {
    pub line: Arc<Line>,
    begun: Instant,
    lanes: Vec<OwnedFd>,
    /// None: it is not open yet.
    proof: Option<Proof>,
}

/// The signatures that prove a key. They may take as long as any others.
struct Proof {
    shape: Shape,
    /// By which it has not signed yet, the next one last.
    schemes: Vec<Scheme>,
    /// What it was asked to sign by that one.
    message: Vec<u8>,
    /// When that has taken too long.
    by: Instant,
}

impl Asked {
    pub fn of(line: Arc<Line>, process: &Process) -> io::Result<Self> {
        let begun = now();
        let lanes = process.ask_to_open(&line)?;
        Ok(Self {
            line,
            begun,
            lanes,
            proof: None,
        })
    }

    /// What has come of it, where nothing of that takes longer than `wait`, which is not zero.
    /// None: nothing yet.
    ///
    /// # Errors
    /// The process is gone, or what it says makes no sense.
    pub fn hear(
        &mut self,
        process: &Process,
        wait: Duration,
    ) -> io::Result<Option<Result<Proved, NotOpened>>> {
        if self.proof.is_none() {
            let opened = match process.hear_opened(wait) {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(None),
                opened => opened?,
            };
            self.line.answers(true);
            let begun = recognize(&self.line, opened).and_then(|proof| {
                self.proof = Some(proof);
                self.ask()
            });
            if let Err(not) = begun {
                return Ok(Some(Err(not)));
            }
        }
        Ok(self.prove(wait))
    }

    /// Asks for the next signature, if there is one left to be made.
    fn ask(&mut self) -> Result<(), NotOpened> {
        let Some((proof, lane)) = self.proof.as_mut().zip(self.lanes.first()) else {
            return Ok(());
        };
        let Some(&scheme) = proof.schemes.last() else {
            return Ok(());
        };
        let message = crate::fresh_message().map_err(|fault| unproved(fault.to_string()))?;
        let hashed = scheme.hashed(&message);
        let hashed = hashed.as_ref();
        socket::bound(lane, self.line.sign_within)
            .and_then(|()| tell_ask(lane, &Ask::Sign { scheme, hashed }))
            .map_err(|error| unproved(format!("the key was not asked to sign: {error}")))?;
        proof.message = message.to_vec();
        proof.by = now() + self.line.sign_within;
        Ok(())
    }

    fn prove(&mut self, wait: Duration) -> Option<Result<Proved, NotOpened>> {
        loop {
            let proof = self.proof.as_mut()?;
            let next = proof.schemes.last().zip(self.lanes.first());
            let Some((&scheme, lane)) = next else {
                self.line.answers(true);
                self.line.was_opened_in(now() - self.begun);
                let lanes = std::mem::take(&mut self.lanes);
                return Some(Ok((proof.shape.clone(), lanes)));
            };
            let mut code = String::new();
            let say = |why: &str| code = format!(" ({why})");
            let left = proof.by.saturating_duration_since(now());
            let wait = wait.min(left).max(GLANCE);
            let heard = socket::bound(lane, wait).and_then(|()| hear_answer(lane, say));
            let signature = match heard {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    if now() < proof.by {
                        return None;
                    }
                    self.line.answers(false);
                    return Some(Err(unproved("the key did not sign in time".to_owned())));
                }
                Err(error) => {
                    return Some(Err(unproved(format!("the key did not sign: {error}"))));
                }
                Ok(Err(fault)) => return Some(Err(unproved(format!("{fault}{code}")))),
                Ok(Ok(signature)) => signature,
            };
            let public = self.line.identity();
            if !public.is_some_and(|public| public.verifies(scheme, &proof.message, &signature)) {
                return Some(Err(another()));
            }
            proof.schemes.pop();
            if let Err(not) = self.ask() {
                return Some(Err(not));
            }
        }
    }
}

fn unproved(what: String) -> NotOpened {
    let cure = "check that the token is up and that the key may sign";
    (SignFault::TokenGone, OpenFault::new(what, cure))
}

fn another() -> NotOpened {
    let fault = OpenFault::new(
        "another key stands in the token under the name of the key that was proved",
        "bring the key back, or configure the certificate of the new one and restart",
    );
    (SignFault::KeyGone, fault)
}

/// What has to be signed to show that what was opened is what it was before: nothing at its first
/// open, which says what that is.
fn recognize(line: &Line, opened: Opened) -> Result<Proof, NotOpened> {
    let (kind, schemes, identity) = match opened {
        Opened::Fault { class, fault } => return Err((class, fault)),
        Opened::Key {
            kind,
            schemes,
            identity,
        } => (kind, schemes, identity),
    };
    let shape = Shape { kind, schemes };
    if *line.shape.get_or_init(|| shape.clone()) != shape {
        return Err(another());
    }
    let mut schemes = match line.identity() {
        Some(_) => one_of_each_family(&shape.schemes).collect(),
        None => Vec::new(),
    };
    schemes.reverse();
    if !identity.is_empty() {
        let said = PublicKey::from_spki(&identity).map_err(|fault| (SignFault::KeyGone, fault))?;
        line.remember(said).map_err(|()| another())?;
    }
    Ok(Proof {
        shape,
        schemes,
        message: Vec::new(),
        by: now(),
    })
}
