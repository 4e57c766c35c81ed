//! User PINs: read where they lie, wiped after use, and never tried again once refused.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use aws_lc_rs::hmac;
use cryptoki::types::AuthPin;
use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
use rustix::pipe::{SpliceFlags, splice};
use zeroize::Zeroizing;

use crate::OpenFault;

/// HMAC-SHA256 of a PIN, by a key of this gateway's life.
pub type Fingerprint = [u8; 32];

/// A PIN, as one token is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinAtToken {
    /// The token's serial number.
    pub serial: String,
    pub fingerprint: Fingerprint,
}

/// PINs that tokens have refused: whoever opens a second key in a token, or opens one again, be it
/// in another signer process, must not spend another try on the same PIN. One that has been
/// corrected in its file is another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedPins {
    /// Of the fingerprints; all zero until there is one.
    pub key: Fingerprint,
    pub known: Vec<PinAtToken>,
}

/// More than a PIN and a line's end.
const PIN_BYTES_MAX: usize = 4096;
/// More than a gateway has tokens, times the slips of a pen.
const REFUSED_MAX: usize = 64;

static REFUSED: Mutex<RefusedPins> = Mutex::new(RefusedPins {
    key: [0; 32],
    known: Vec::new(),
});

impl RefusedPins {
    /// What this process knows, with a key.
    pub fn of_this_process() -> Result<Self, OpenFault> {
        let mut refused = lock();
        refused.have_key()?;
        Ok(refused.clone())
    }

    /// Takes over what another process of the gateway knows, with its key. What this one knows
    /// beside it stays: others may have said it meanwhile.
    pub fn learn(self) {
        let mut held = lock();
        if held.key != self.key {
            *held = self;
            return;
        }
        for pin in self.known.into_iter().rev() {
            held.refuse(pin);
        }
    }

    fn refuse(&mut self, pin: PinAtToken) {
        if !self.known.contains(&pin) {
            self.known.truncate(REFUSED_MAX - 1);
            self.known.insert(0, pin);
        }
    }

    fn have_key(&mut self) -> Result<(), OpenFault> {
        if self.key != [0; 32] {
            return Ok(());
        }
        aws_lc_rs::rand::fill(&mut self.key).map_err(|_| {
            OpenFault::new(
                "there are no random numbers",
                "check the system's random number source",
            )
        })
    }
}

fn lock() -> std::sync::MutexGuard<'static, RefusedPins> {
    REFUSED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Whether a PIN may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    Given,
    /// The token has refused it.
    Refused,
    /// It is being tried, by another process, and may be about to be refused.
    UnderWay,
}

/// Who says whether a PIN may be tried.
pub type AskForLeave = fn(&PinAtToken) -> io::Result<Leave>;

thread_local! {
    static BEFORE_A_TRY: Cell<Option<AskForLeave>> = const { Cell::new(None) };
}

/// Has this thread ask before each try of a PIN.
pub fn ask_before_each_try(ask: AskForLeave) {
    BEFORE_A_TRY.set(Some(ask));
}

/// What signer processes are trying.
static UNDER_WAY: Mutex<Vec<PinAtToken>> = Mutex::new(Vec::new());

/// A try of a PIN by a signer process, until its outcome is known or nobody waits for that.
pub struct Try(PinAtToken);

impl Try {
    /// Err: why it may not be tried.
    pub fn begin(pin: PinAtToken) -> Result<Self, Leave> {
        // Held for both looks: whoever ends a try makes known first that the PIN was refused.
        let mut under_way = lock_under_way();
        if lock().known.contains(&pin) {
            return Err(Leave::Refused);
        }
        if under_way.contains(&pin) {
            return Err(Leave::UnderWay);
        }
        under_way.push(pin.clone());
        Ok(Self(pin))
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        lock_under_way().retain(|pin| *pin != self.0);
    }
}

fn lock_under_way() -> std::sync::MutexGuard<'static, Vec<PinAtToken>> {
    UNDER_WAY
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What a token said to a PIN.
pub enum Answer {
    Taken,
    /// With the token's word for it.
    Refused(String),
}

/// Tries the PIN in `file` on the token with this serial number, once: never one that was refused.
/// `attempt` is the login itself. Nobody else tries one at the same time.
pub fn try_once(
    file: &Path,
    serial: &str,
    attempt: impl FnOnce(&AuthPin) -> Result<Answer, OpenFault>,
) -> Result<(), OpenFault> {
    let pin = read(file)?;
    let refused = |why: &str| {
        OpenFault::new(
            format!("the token refused the PIN of {}: {why}", file.display()),
            "correct the PIN file: a PIN that was refused is not tried again, because a few wrong \
             ones lock the token for good",
        )
    };
    let again = || Err(refused("it was tried before"));
    let key = {
        let mut known = lock();
        known.have_key()?;
        hmac::Key::new(hmac::HMAC_SHA256, &known.key)
    };
    let tag = hmac::sign(&key, pin.as_bytes());
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(tag.as_ref());
    let tried = PinAtToken {
        serial: serial.to_owned(),
        fingerprint,
    };
    if lock().known.contains(&tried) {
        return again();
    }
    if let Some(ask) = BEFORE_A_TRY.get() {
        match ask(&tried) {
            Ok(Leave::Given) => {}
            Ok(Leave::Refused) => return again(),
            Ok(Leave::UnderWay) => {
                return Err(OpenFault::new(
                    format!("the PIN of {} is being tried already", file.display()),
                    "see why the token takes so long to log in",
                ));
            }
            Err(error) => {
                return Err(OpenFault::new(
                    format!("nobody says whether a PIN may be tried: {error}"),
                    "see what became of the gateway",
                ));
            }
        }
    }
    let mut known = lock();
    // Another thread may have come before.
    if known.known.contains(&tried) {
        return again();
    }
    match attempt(&AuthPin::from(pin.as_str()))? {
        Answer::Taken => Ok(()),
        Answer::Refused(why) => {
            known.refuse(tried);
            Err(refused(&why))
        }
    }
}

/// What came through pipes, by the pipe's name: it can be read once, and is needed by each process
/// that opens the key, and again when a configuration is read anew.
static KEPT: Mutex<Vec<(PathBuf, OwnedFd)>> = Mutex::new(Vec::new());

/// The descriptor of a PIN that lies in one: `/proc/self/fd/N` is this process's own name for it,
/// and means nothing in another. What comes through a pipe is kept by the kernel, without a look at
/// it. None: it lies in a file.
pub fn descriptor(file: &Path) -> io::Result<Option<OwnedFd>> {
    if !file.starts_with("/proc/self/fd") {
        return Ok(None);
    }
    let source = File::open(file)?;
    if !source.metadata()?.file_type().is_fifo() {
        return Ok(Some(source.into()));
    }
    let mut kept = KEPT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some((_, pin)) = kept.iter().find(|(of, _)| of == file) {
        return Ok(Some(pin.try_clone()?));
    }
    let pin = memfd_create("pin", MemfdFlags::CLOEXEC)?;
    fchmod(&pin, Mode::RUSR)?;
    let whole = SpliceFlags::empty();
    while splice(&source, None, &pin, None, PIN_BYTES_MAX, whole)? > 0 {}
    kept.push((file.to_owned(), pin.try_clone()?));
    Ok(Some(pin))
}

/// The first line of the PIN file. All copies in memory are wiped when dropped.
fn read(file: &Path) -> Result<Zeroizing<String>, OpenFault> {
    let cure = "write the user PIN on the first line of the file, mode 0600";
    let text = std::fs::read(file).map(Zeroizing::new).map_err(|e| {
        OpenFault::new(
            format!("the PIN file {} cannot be read: {e}", file.display()),
            cure,
        )
    })?;
    crate::warn_if_readable_by_others(file, "a PIN");
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match str::from_utf8(line) {
        Ok(pin) if !pin.is_empty() => Ok(Zeroizing::new(pin.to_owned())),
        _ => Err(OpenFault::new(
            format!(
                "the PIN file {} has no PIN on its first line",
                file.display()
            ),
            cure,
        )),
    }
}
