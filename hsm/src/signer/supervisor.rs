//! Looks after the signer process of one module: starts it, has it open keys, and replaces it.
//!
//! ```text
//!             open, prove                     silent, broken: kill
//!   down ──────────────────▶ serving ─────────────────────────────▶ down
//!    ▲  └─ back-off ─┐           └───── key lost: open it again ─────▶ down
//!    └───────────────┘
//! ```
//!
//! One thread does all of that. The process is its child, and dies with it: the signal that a
//! process gets at its parent's death follows the thread that started it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, TryRecvError, unbounded};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use zeroize::Zeroizing;

use super::line::{Line, Shape, Trouble, exchange};
use super::wire::{Ask, AskMacs, CONTROL_BYTES_MAX, Macs, OpenKey, Opened, Ready};
use super::{Launch, environment, socket};
use crate::pin::RefusedPins;
use crate::public::PublicKey;
use crate::{Mac, OpenFault, Pkcs11Source, SignFault, one_of_each_family};

/// From its start until a process says that it is ready.
const READY_WAIT: Duration = Duration::from_secs(10);
/// For a module to load, log in and find a key, and for each session to be opened.
const OPEN_WAIT: Duration = Duration::from_secs(10);
const OPEN_WAIT_SESSION: Duration = Duration::from_millis(250);
/// Between two attempts to get a key back, at first and at most. Short enough that one that is back
/// serves within a second; long enough that starting processes costs some percents of a CPU.
const PAUSE_FIRST: Duration = Duration::from_millis(25);
const PAUSE_MAX: Duration = Duration::from_millis(400);
/// Who serves for so long begins anew with pauses.
const PROVEN_AFTER: Duration = Duration::from_secs(5);
/// For a killed process to be gone. One that the kernel holds is reaped later.
const REAP_WAIT: Duration = Duration::from_secs(1);

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
    /// Killed, and not gone yet.
    killed: Vec<Child>,
    /// The last fault that was logged: the same is not said again at each attempt.
    said: String,
}

struct Process {
    child: Child,
    control: OwnedFd,
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
                        self.end_process();
                        return;
                    }
                }
            }
            if self.retry_at.is_some_and(|at| at <= now()) {
                self.recover();
            }
        }
    }

    /// Waits for a letter, for the next attempt to be due, or for the process to speak or end,
    /// which it says.
    fn wait(&self) -> bool {
        let left = self.retry_at.map(|at| at.saturating_duration_since(now()));
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
        let pid = self.process.as_ref().map(|process| process.child.id());
        let status = self.end_process().map(|status| status.to_string());
        tracing::error!(pid, status, "the signer process {what}; another is started");
        self.retry();
    }

    /// Kills the process, where it has not ended by itself, and says how it did. None: there was
    /// none, or the kernel still holds it.
    fn end_process(&mut self) -> Option<ExitStatus> {
        let Process { mut child, control } = self.process.take()?;
        drop(control);
        let _ = child.kill();
        let by = now() + REAP_WAIT;
        loop {
            match child.try_wait() {
                Ok(None) if now() < by => thread::sleep(Duration::from_millis(1)),
                Ok(None) => {
                    self.killed.push(child);
                    return None;
                }
                ended => return ended.ok().flatten(),
            }
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
        let held: Vec<_> = self.lines.iter().filter_map(Weak::upgrade).collect();
        let mut all = true;
        for line in held.iter().filter(|line| !line.is_serving()) {
            match self.open(line) {
                Ok(_) => tracing::warn!(uri = line.source.uri, "the key is proved and signs again"),
                Err((class, fault)) => {
                    all = false;
                    line.cut(class);
                    let said = fault.to_string();
                    if said != self.said {
                        tracing::error!(what = %fault.what, cure = %fault.cure, "{class}");
                        self.said = said;
                    }
                }
            }
        }
        if all {
            self.said.clear();
            self.served_since = Some(now());
            return;
        }
        // A module that has lost its token may never see it again. Where no other key is served
        // through it, it begins anew.
        if self.none_serves() {
            self.end_process();
        }
        self.retry();
    }

    /// Opens a key, has it prove that it is the one it was, if that is known, and puts it into
    /// service.
    fn open(&mut self, line: &Arc<Line>) -> Result<Shape, NotOpened> {
        self.start_process()
            .map_err(|fault| (SignFault::TokenGone, fault))?;
        let asked = self.ask_to_open(line);
        let (lanes, opened) = asked.map_err(|error| {
            let fault = self.give_up_process(&format!("did not open the key: {error}"));
            (SignFault::TokenGone, fault)
        })?;
        match opened {
            Opened::Fault {
                class,
                fault,
                refused,
            } => {
                refused.learn();
                Err((class, fault))
            }
            Opened::Key {
                kind,
                schemes,
                identity,
            } => {
                let shape = Shape { kind, schemes };
                recognize(line, &shape, &identity, &lanes)?;
                let laid = line.lay(lanes);
                laid.map_err(|error| {
                    let fault = OpenFault::new(error.to_string(), "see the error itself");
                    (SignFault::TokenGone, fault)
                })?;
                Ok(shape)
            }
        }
    }

    fn macs(&mut self, source: &Pkcs11Source, labels: Vec<Vec<u8>>) -> Result<Vec<Mac>, OpenFault> {
        self.start_process()?;
        match self.ask_for_macs(source, labels) {
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
        OpenFault::new(
            format!("the signer process {what}"),
            "see what the PKCS#11 module says of itself; it hung, or took its process down",
        )
    }

    fn start_process(&mut self) -> Result<(), OpenFault> {
        if self.process.is_some() {
            return Ok(());
        }
        let started = start_process(&self.launch).map_err(|error| {
            OpenFault::new(
                format!("the signer process did not start: {error}"),
                "see that the gateway may start processes (TasksMax=, RLIMIT_NPROC, seccomp)",
            )
        });
        let (process, ready) = started?;
        for lack in &ready.lacks {
            tracing::warn!("the signer process is less confined than it should be: {lack}");
        }
        tracing::info!(pid = process.child.id(), "the signer process has started");
        self.process = Some(process);
        Ok(())
    }

    fn ask_for_macs(&self, source: &Pkcs11Source, labels: Vec<Vec<u8>>) -> io::Result<Macs> {
        let process = self.process.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let asked = labels.len();
        let ask = AskMacs {
            module: source.module.as_os_str().as_encoded_bytes().to_vec(),
            uri: source.uri.clone().into_bytes(),
            pin_file: source.pin_file.as_os_str().as_encoded_bytes().to_vec(),
            labels,
            refused: RefusedPins::of_this_process().map_err(io::Error::other)?,
        };
        socket::bound(&process.control, OPEN_WAIT)?;
        socket::tell(&process.control, &ask.write())?;
        let mut packet = Zeroizing::new(vec![0; CONTROL_BYTES_MAX]);
        let answer = Macs::read(socket::hear(&process.control, &mut packet)?);
        let complete = |macs: &Macs| !matches!(macs, Macs::Said(said) if said.len() != asked);
        Ok(answer.filter(complete).ok_or(io::ErrorKind::InvalidData)?)
    }

    /// Sends one end of each lane along; the others come back with the answer.
    fn ask_to_open(&self, line: &Line) -> io::Result<(Vec<OwnedFd>, Opened)> {
        let process = self.process.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let source = &line.source;
        let pairs = (0..source.sessions).map(|_| socket::pair());
        let pairs = pairs.collect::<io::Result<Vec<_>>>()?;
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let ask = OpenKey {
            module: source.module.as_os_str().as_encoded_bytes().to_vec(),
            uri: source.uri.clone().into_bytes(),
            pin_file: match line.pin {
                Some(_) => Vec::new(),
                None => source.pin_file.as_os_str().as_encoded_bytes().to_vec(),
            },
            sessions: u16::try_from(source.sessions).map_err(io::Error::other)?,
            identity: line.identity().map(PublicKey::to_spki).unwrap_or_default(),
            refused: RefusedPins::of_this_process().map_err(io::Error::other)?,
        };
        let sessions = u32::from(ask.sessions);
        socket::bound(&process.control, OPEN_WAIT + OPEN_WAIT_SESSION * sessions)?;
        let lent: Vec<_> = theirs.iter().chain(&line.pin).map(AsFd::as_fd).collect();
        socket::hand_over(&process.control, &ask.write(), &lent)?;
        drop(theirs);
        let mut packet = vec![0; CONTROL_BYTES_MAX];
        let answer = socket::hear(&process.control, &mut packet)?;
        let opened = Opened::read(answer).ok_or(io::ErrorKind::InvalidData)?;
        Ok((ours, opened))
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
    socket::bound(lane, OPEN_WAIT).map_err(|error| failed(error.to_string()))?;
    for scheme in one_of_each_family(&shape.schemes) {
        let message = crate::fresh_message().map_err(|fault| failed(fault.to_string()))?;
        let hashed = scheme.hashed(&message);
        let hashed = hashed.as_ref();
        let signed = exchange(lane, &Ask::Sign { scheme, hashed });
        let signed = signed.map_err(|error| failed(format!("the key did not sign: {error}")))?;
        let signature = signed.map_err(|fault| failed(fault.to_string()))?;
        if !public.verifies(scheme, &message, &signature) {
            return Err(another());
        }
    }
    Ok(())
}

fn start_process(launch: &Launch) -> io::Result<(Process, Ready)> {
    let (control, theirs) = socket::pair()?;
    let mut command = Command::new(&launch.program);
    command.arg(&launch.argument);
    // A group of its own: what a terminal sends to the gateway's is not meant for it.
    command.process_group(0);
    command.stdin(Stdio::from(theirs)).stdout(Stdio::null());
    command.env_clear();
    command.envs(environment::kept(std::env::vars_os()));
    let child = command.spawn()?;
    drop(command);
    let mut process = Process { child, control };
    let ready = hear_ready(&process.control).inspect_err(|_| {
        let _ = process.child.kill();
        let _ = process.child.wait();
    })?;
    Ok((process, ready))
}

fn hear_ready(control: &OwnedFd) -> io::Result<Ready> {
    socket::bound(control, READY_WAIT)?;
    let mut packet = vec![0; CONTROL_BYTES_MAX];
    let said = socket::hear(control, &mut packet)?;
    Ready::read(said).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is no pure room: it waits for a process"
)]
fn now() -> Instant {
    Instant::now()
}
