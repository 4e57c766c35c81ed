//! Signer processes: a PKCS#11 module, its PIN and its sessions live in a process of their own, and
//! the process that faces the internet never maps them.
//!
//! ```text
//!   gateway                                      signer process, one for each module
//!   threads that sign ── lane (one a session) ──▶ one thread a lane: pool, pkcs11, module
//!   supervisor ───────── control socket ────────▶ opens keys, hands out lanes
//!   desk ◀────────────── leave ────────────────── whoever is about to try a PIN
//! ```
//!
//! A thread that wants a signature takes a free lane, sends a hash and waits on that lane alone: no
//! third thread is woken. What is wrong with one session the signer process mends by itself
//! (`pool`). What it cannot mend, a crash, and a lane that is silent for longer than
//! [`Launch::sign_within`] take the key out of service at once, for whoever asks next to be refused
//! without waiting; the supervisor kills the process where that helps, starts another with
//! back-off, and has each key prove itself before it serves.

mod confine;
mod environment;
mod line;
mod process;
mod socket;
mod supervisor;
mod wire;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use crossbeam::channel::bounded;

pub use process::run;

use crate::public::PublicKey;
use crate::{KeyKind, Mac, OpenFault, Pkcs11Source, Scheme, SignFault};
use line::Line;
use supervisor::{Letter, Mailbox};

/// How signer processes are started, and how long they may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program; `/proc/self/exe` is the caller's own, also after its file was replaced.
    pub program: PathBuf,
    /// Its one argument, by which it comes to call [`run`].
    pub argument: String,
    /// The longest that one signature may take before the process counts as hanging.
    pub sign_within: Duration,
}

static LAUNCH: OnceLock<Launch> = OnceLock::new();

/// From now on keys in tokens are opened by signer processes, for as long as this process lives. To
/// be called before the first is opened; a second call changes nothing.
pub fn keep_apart(launch: Launch) {
    let _ = LAUNCH.set(launch);
}

pub(crate) fn launch() -> Option<&'static Launch> {
    LAUNCH.get()
}

/// The supervisor of one module's process, for as long as a key is held through it.
struct Signer {
    letters: Mailbox,
}

/// By the module's path. Weak: the last key takes the process along.
static SIGNERS: Mutex<Vec<(PathBuf, Weak<Signer>)>> = Mutex::new(Vec::new());

fn signer(launch: &Launch, module: &Path) -> Result<Arc<Signer>, OpenFault> {
    // Two names of one file are one module, as in `pkcs11::module`.
    let module = module.canonicalize().unwrap_or_else(|_| module.to_owned());
    let mut signers = SIGNERS
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    signers.retain(|(_, signer)| signer.strong_count() > 0);
    let known = signers.iter().find(|(of, _)| *of == module);
    if let Some(signer) = known.and_then(|(_, signer)| signer.upgrade()) {
        return Ok(signer);
    }
    let letters = supervisor::start(launch.clone()).map_err(|error| {
        OpenFault::new(
            format!("no thread to look after the signer process: {error}"),
            "raise the limit on threads (ulimit -u, TasksMax=)",
        )
    })?;
    let signer = Arc::new(Signer { letters });
    signers.push((module, Arc::downgrade(&signer)));
    Ok(signer)
}

/// Has a signer process of its own ask a secret key.
pub(crate) fn macs(
    launch: &Launch,
    source: &Pkcs11Source,
    labels: &[Vec<u8>],
) -> Result<Vec<Mac>, OpenFault> {
    // Its faults are told here, where nothing has been started for it.
    crate::uri::KeyUri::of_secret(source)?;
    let pin = descriptor_of_pin(source)?;
    supervisor::macs(launch, source, pin.as_ref(), labels)
}

fn descriptor_of_pin(source: &Pkcs11Source) -> Result<Option<OwnedFd>, OpenFault> {
    let unread = |error| crate::pin::Place::of(&source.pin_file).unread(&error);
    crate::pin::descriptor(&source.pin_file).map_err(unread)
}

fn not_heard_of() -> OpenFault {
    OpenFault::new(
        "the signer process ended before it had opened the key",
        "see what the log says of it, and what the PKCS#11 module says of itself",
    )
}

/// A key in a token that a signer process holds.
pub(crate) struct KeyApart {
    line: Arc<Line>,
    signer: Arc<Signer>,
    kind: KeyKind,
    schemes: Vec<Scheme>,
}

impl KeyApart {
    /// Opens it, and starts its module's signer process if that is not running.
    pub fn open(launch: &Launch, source: &Pkcs11Source) -> Result<Self, OpenFault> {
        if source.sessions == 0 || source.sessions > wire::LANES_MAX {
            return Err(OpenFault::lasting(
                format!("{} sessions with the token", source.sessions),
                format!(
                    "set `sessions` to 1 up to {}; 2 per CPU is a good start",
                    wire::LANES_MAX
                ),
            ));
        }
        // Its faults are told here, where nothing has been started for it.
        crate::uri::KeyUri::of(source)?;
        let pin = descriptor_of_pin(source)?;
        let signer = signer(launch, &source.module)?;
        let line = Arc::new(Line::new(source.clone(), pin, launch.sign_within));
        let (reply, answer) = bounded(1);
        signer.letters.send(Letter::Open {
            line: Arc::clone(&line),
            reply,
        });
        let opened = answer.recv().unwrap_or_else(|_| Err(not_heard_of()))?;
        Ok(Self {
            line,
            signer,
            kind: opened.kind,
            schemes: opened.schemes,
        })
    }

    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    pub fn schemes(&self) -> &[Scheme] {
        &self.schemes
    }

    /// The key that may sign; None: the token does not say and no certificate has yet.
    pub fn identity(&self) -> Option<&PublicKey> {
        self.line.identity()
    }

    /// Takes a proved public key as this key's identity. Err: why the signer process did not take
    /// it; none: it has another already.
    pub fn remember(&self, public: PublicKey) -> Result<(), Option<SignFault>> {
        if self.line.identity() == Some(&public) {
            return Ok(());
        }
        let spki = public.to_spki();
        self.line.remember(public).map_err(|()| None)?;
        let ask = wire::Ask::Remember { identity: &spki };
        self.ask(&ask).map(drop).map_err(Some)
    }

    pub fn sign(&self, scheme: Scheme, hashed: &[u8]) -> Result<Vec<u8>, SignFault> {
        self.line.identity().ok_or(SignFault::Refused)?;
        self.sign_unproved(scheme, hashed)
    }

    /// Signs for whoever is about to prove what key it is.
    pub fn sign_unproved(&self, scheme: Scheme, hashed: &[u8]) -> Result<Vec<u8>, SignFault> {
        self.ask(&wire::Ask::Sign { scheme, hashed })
    }

    fn ask(&self, ask: &wire::Ask<'_>) -> Result<Vec<u8>, SignFault> {
        self.line.ask(ask, |trouble| {
            let line = Arc::clone(&self.line);
            self.signer.letters.send(Letter::Trouble { line, trouble });
        })
    }
}
