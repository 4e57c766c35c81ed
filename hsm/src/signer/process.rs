//! The signer process itself: confines itself, then opens keys and signs until it is told no more.

use std::ffi::OsString;
use std::io::{self, Stdin};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};

use super::wire::{
    Ask, AskMacs, CONTROL_BYTES_MAX, HEARD, LANE_BYTES_MAX, LEAVE_BYTES, Macs, MayTry, OpenKey,
    Opened, Ready, Tried, read_leave, write_answer, write_fault,
};
use super::{confine, socket};
use crate::pin::{self, Gatekeeper, Leave, Outcome, PinAtToken};
use crate::pool::{TokenKey, Unmade};
use crate::public::PublicKey;
use crate::{KeyKind, OpenFault, Pkcs11Source, SignFault, secret};

/// Signs for the gateway at the other end of standard input, until that closes it. `step_back` is
/// called by threads whose signatures take so long that others should go before them.
///
/// To be called first of all, before there is another thread or descriptor.
pub fn run(step_back: fn() -> io::Result<()>) -> ExitCode {
    let control = io::stdin();
    let lacks = confine::confine();
    if let Err(error) = begin(&control, lacks) {
        // Else whoever has started it is gone already.
        if Errno::from_io_error(&error) == Some(Errno::NOTSOCK) {
            eprintln!("t8gate signer is started by t8gate serve, not by hand");
        }
        return ExitCode::FAILURE;
    }
    let fault = serve(&control, step_back).err();
    if fault.is_some_and(|fault| fault.kind() != io::ErrorKind::UnexpectedEof) {
        tracing::error!("the gateway asked the signer process for what it does not know");
    }
    // Not by returning: that would call into the module, which may hang, while others still use it.
    confine::end_now()
}

/// For the gateway to answer who asks whether a PIN may be tried.
const LEAVE_WAIT: Duration = Duration::from_secs(5);

/// On which that is asked.
static DESK: OnceLock<OwnedFd> = OnceLock::new();

/// Says that the process is there, and hands over the other end of its way to ask for leave.
fn begin(control: &Stdin, lacks: Vec<String>) -> io::Result<()> {
    let (desk, theirs) = socket::pair()?;
    socket::bound(&desk, LEAVE_WAIT)?;
    socket::hand_over(control, &Ready { lacks }.write(), &[theirs.as_fd()])?;
    let _ = DESK.set(desk);
    pin::ask_before_each_try(Gatekeeper { ask, tell });
    Ok(())
}

/// Says something on it and hears the answer. Whoever has not heard one does not know to which
/// question the next would be the answer: nothing is said there any more.
fn on_the_desk<T>(
    said: &[u8],
    heard: &mut [u8],
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> io::Result<T> {
    let desk = DESK.get().ok_or(io::ErrorKind::NotConnected)?;
    let answer = socket::tell(desk, said).and_then(|()| {
        let heard = socket::hear(desk, heard)?;
        Ok(read(heard).ok_or(io::ErrorKind::InvalidData)?)
    });
    if answer.is_err() {
        let _ = shutdown(desk, Shutdown::Both);
    }
    answer
}

fn ask(pin: &PinAtToken) -> io::Result<Leave> {
    let ask = MayTry { pin: pin.clone() };
    on_the_desk(&ask.write(), &mut [0; LEAVE_BYTES], read_leave)
}

fn tell(pin: &PinAtToken, outcome: Outcome) -> io::Result<()> {
    let pin = pin.clone();
    let tried = Tried { pin, outcome }.write();
    let is_heard = |said: &[u8]| (said == HEARD).then_some(());
    on_the_desk(&tried, &mut [0; HEARD.len()], is_heard)
}

fn serve(control: &Stdin, step_back: fn() -> io::Result<()>) -> io::Result<()> {
    let mut packet = vec![0; CONTROL_BYTES_MAX];
    loop {
        let (asked, mut lanes) = socket::take_over(control, &mut packet)?;
        pin::take_key(lanes.pop().ok_or(io::ErrorKind::InvalidData)?)?;
        let mut take_pin = |configured: &[u8]| {
            let configured = path(configured.to_vec());
            if !pin::Place::is_descriptor(&configured) {
                return io::Result::Ok((pin::Place::of(&configured), None));
            }
            let lent = lanes.pop().ok_or(io::ErrorKind::InvalidData)?;
            Ok((pin::Place::lent(&configured, &lent), Some(lent)))
        };
        if let Some(asked) = AskMacs::read(asked) {
            let (pin, _lent) = take_pin(&asked.pin_file)?;
            socket::tell(control, &macs(asked, &pin).write())?;
            continue;
        }
        let asked = OpenKey::read(asked).ok_or(io::ErrorKind::InvalidData)?;
        let (pin, lent) = take_pin(&asked.pin_file)?;
        if usize::from(asked.sessions) != lanes.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let opened = match open(asked, pin) {
            Ok(key) => start(Kept { key, _pin: lent }, lanes, step_back)?,
            Err((class, fault)) => Opened::Fault { class, fault },
        };
        socket::tell(control, &opened.write())?;
    }
}

fn path(octets: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(octets))
}

/// Asks a secret key, of which nothing is kept.
fn macs(asked: AskMacs, pin: &pin::Place) -> Macs {
    let source = Pkcs11Source {
        module: path(asked.module),
        uri: String::from_utf8_lossy(&asked.uri).into_owned(),
        pin_file: path(asked.pin_file),
        sessions: 1,
    };
    match secret::macs_here(&source, pin, &asked.labels) {
        Ok(macs) => Macs::Said(macs),
        Err(fault) => Macs::Fault(fault),
    }
}

fn open(asked: OpenKey, pin: pin::Place) -> Result<TokenKey, (SignFault, OpenFault)> {
    let gone = |fault| (SignFault::TokenGone, fault);
    let source = Pkcs11Source {
        module: path(asked.module),
        uri: String::from_utf8_lossy(&asked.uri).into_owned(),
        pin_file: path(asked.pin_file),
        sessions: usize::from(asked.sessions),
    };
    let key = TokenKey::open(&source, pin)?;
    if !asked.identity.is_empty() {
        let public = PublicKey::from_spki(&asked.identity).map_err(gone)?;
        key.remember(public).map_err(|()| {
            let fault = OpenFault::new(
                "another key stands in the token under the name of the key that was proved",
                "bring the key back, or configure the certificate of the new one and restart",
            );
            (SignFault::KeyGone, fault)
        })?;
    }
    Ok(key)
}

/// A key that is signed with.
struct Kept {
    key: TokenKey,
    /// Of the PIN, where it is in no file: read again at each login, and gone with the key.
    _pin: Option<OwnedFd>,
}

/// Starts a thread for each lane.
fn start(kept: Kept, lanes: Vec<OwnedFd>, step_back: fn() -> io::Result<()>) -> io::Result<Opened> {
    let key = &kept.key;
    let opened = Opened::Key {
        kind: key.kind(),
        schemes: key.schemes().to_vec(),
        identity: key.identity().map(PublicKey::to_spki).unwrap_or_default(),
    };
    // What a token in software computes for them would hold up requests on the same CPU.
    let long = matches!(key.kind(), KeyKind::Rsa | KeyKind::P384);
    let kept = Arc::new(kept);
    for (index, lane) in lanes.into_iter().enumerate() {
        let kept = Arc::clone(&kept);
        let sign = move || {
            if long && let Err(error) = step_back() {
                tracing::warn!(%error, "signers compete with shards for their CPU");
            }
            answer_all(&lane, &kept.key);
        };
        let name = format!("lane-{index}");
        thread::Builder::new().name(name).spawn(sign)?;
    }
    Ok(opened)
}

/// Answers on a lane until the gateway closes it, or says what makes no sense.
fn answer_all(lane: &OwnedFd, key: &TokenKey) {
    let mut asked = [0; LANE_BYTES_MAX];
    let mut answer = [0; LANE_BYTES_MAX];
    while let Ok(packet) = socket::hear(lane, &mut asked) {
        let Some(ask) = Ask::read(packet) else { return };
        let end = match answer_one(&ask, key) {
            Err(unmade) => write_fault(&mut answer, unmade.fault, &unmade.why),
            made => write_answer(&mut answer, &made.map_err(|unmade| unmade.fault)),
        };
        if socket::tell(lane, &answer[..end]).is_err() {
            return;
        }
    }
}

fn answer_one(ask: &Ask<'_>, key: &TokenKey) -> Result<Vec<u8>, Unmade> {
    match ask {
        Ask::Sign { scheme, .. } if !key.schemes().contains(scheme) => {
            Err(SignFault::Unsupported.into())
        }
        Ask::Sign { scheme, hashed } => key.sign_for(*scheme, hashed, key.identity()),
        Ask::Remember { identity } => {
            let public = PublicKey::from_spki(identity).map_err(|_| SignFault::Refused)?;
            let known = key.remember(public);
            Ok(known
                .map(|()| Vec::new())
                .map_err(|()| SignFault::KeyGone)?)
        }
    }
}
