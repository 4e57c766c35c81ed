//! Keys that a process is opening: one after the other, for as long as it takes, without holding up
//! who looks after it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;

use super::super::line::{Line, Shape, exchange};
use super::super::socket;
use super::super::wire::{Ask, Opened};
use super::child::Process;
use super::{NotOpened, open_wait};
use crate::public::PublicKey;
use crate::{OpenFault, SignFault, one_of_each_family};

/// Lanes of a key that has proved to be the one it was, and what it is.
pub type Proved = (Shape, Vec<OwnedFd>);

pub type Outcome = (Arc<Line>, Result<Proved, NotOpened>);

/// A process, and what has come of the keys that it was to open.
pub struct Opening {
    pub process: Process,
    /// In this order.
    pub outcomes: Vec<Outcome>,
    /// The one that it is at.
    at: Option<(Arc<Line>, Vec<OwnedFd>)>,
    /// Those that follow, the next one last.
    rest: Vec<Arc<Line>>,
    /// When it has taken too long.
    pub by: Instant,
}

/// A key that a process was asked to open, its lanes, and when that has taken too long.
pub struct Pending {
    pub line: Arc<Line>,
    pub lanes: Vec<OwnedFd>,
    pub by: Instant,
    /// To whoever opens it for the first time, until that has taken too long. Dropped with the
    /// process, which says as much.
    pub reply: Option<Sender<Result<Shape, OpenFault>>>,
}

impl Pending {
    pub fn is_waited_for_in_vain(&self, now: Instant) -> bool {
        self.reply.is_some() && self.by <= now
    }
}

impl Opening {
    /// Of a process that is at one key.
    pub fn under_way(process: Process, pending: Pending) -> Self {
        let Pending {
            line, lanes, by, ..
        } = pending;
        Self {
            process,
            outcomes: Vec::new(),
            at: Some((line, lanes)),
            rest: Vec::new(),
            by,
        }
    }

    /// The key that it is at; None: at none any more.
    pub fn at(&self) -> Option<&Arc<Line>> {
        self.at.as_ref().map(|(line, _)| line)
    }

    /// The process, what has come of its keys, and the one that it is at.
    pub fn into_parts(self) -> (Process, Vec<Outcome>, Option<Pending>) {
        let by = self.by;
        let pending = self.at.map(|(line, lanes)| Pending {
            line,
            lanes,
            by,
            reply: None,
        });
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
        }
    }

    /// Goes on for as long as no key takes longer than `wait`, which is not zero. Whether that was
    /// all of them.
    ///
    /// # Errors
    /// The process is gone, or what it says makes no sense.
    pub fn goes_on(&mut self, wait: Duration) -> io::Result<bool> {
        loop {
            let (line, lanes) = match (self.at.take(), self.rest.pop()) {
                (Some(at), next) => {
                    self.rest.extend(next);
                    at
                }
                (None, Some(line)) => {
                    let lanes = self.process.ask_to_open(&line)?;
                    (line, lanes)
                }
                (None, None) => return Ok(true),
            };
            match self.process.hear_opened(wait) {
                Ok(opened) => {
                    let proved = proved(&line, lanes, opened);
                    self.outcomes.push((line, proved));
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    self.at = Some((line, lanes));
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// What was opened, where it is what it was before.
pub fn proved(line: &Line, lanes: Vec<OwnedFd>, opened: Opened) -> Result<Proved, NotOpened> {
    match opened {
        Opened::Fault { class, fault } => Err((class, fault)),
        Opened::Key {
            kind,
            schemes,
            identity,
        } => {
            let shape = Shape { kind, schemes };
            recognize(line, &shape, &identity, &lanes)?;
            Ok((shape, lanes))
        }
    }
}

/// Whether what was opened is what it was before; its first open says what that is.
fn recognize(
    line: &Line,
    shape: &Shape,
    identity: &[u8],
    lanes: &[OwnedFd],
) -> Result<(), NotOpened> {
    let another = || {
        let fault = OpenFault::new(
            "another key stands in the token under the name of the key that was proved",
            "bring the key back, or configure the certificate of the new one and restart",
        );
        (SignFault::KeyGone, fault)
    };
    if line.shape.get_or_init(|| shape.clone()) != shape {
        return Err(another());
    }
    let proved = line.identity().is_some();
    if !identity.is_empty() {
        let said = PublicKey::from_spki(identity).map_err(|fault| (SignFault::KeyGone, fault))?;
        line.remember(said).map_err(|()| another())?;
    }
    let (true, Some(public), Some(lane)) = (proved, line.identity(), lanes.first()) else {
        return Ok(());
    };
    let failed = |what: String| {
        let cure = "check that the token is up and that the key may sign";
        (SignFault::TokenGone, OpenFault::new(what, cure))
    };
    socket::bound(lane, line.sign_within).map_err(|error| failed(error.to_string()))?;
    for scheme in one_of_each_family(&shape.schemes) {
        let message = crate::fresh_message().map_err(|fault| failed(fault.to_string()))?;
        let hashed = scheme.hashed(&message);
        let hashed = hashed.as_ref();
        let mut code = String::new();
        let say = |why: &str| code = format!(" ({why})");
        let signed = exchange(lane, &Ask::Sign { scheme, hashed }, say);
        let signed = signed.map_err(|error| failed(format!("the key did not sign: {error}")))?;
        let signature = signed.map_err(|fault| failed(format!("{fault}{code}")))?;
        if !public.verifies(scheme, &message, &signature) {
            return Err(another());
        }
    }
    Ok(())
}
