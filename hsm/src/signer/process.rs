//! The signer process itself: confines itself, then opens keys and signs until it is told no more.

use std::ffi::OsString;
use std::io::{self, Stdin};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use super::wire::{
    Ask, AskMacs, CONTROL_BYTES_MAX, LANE_BYTES_MAX, LEAVE_BYTES, Macs, MayTry, OpenKey, Opened,
    Ready, read_leave, write_answer,
};
use super::{confine, socket};
use crate::pin::{self, RefusedPins};
use crate::pool::TokenKey;
use crate::public::PublicKey;
use crate::{KeyKind, OpenFault, Pkcs11Source, SignFault, secret};

/// Signs for the gateway at the other end of standard input, until that closes it. `step_back` is
/// called by threads whose signatures take so long that others should go before them.
///
/// To be called first of all, before there is another thread or descriptor.
pub fn run(step_back: fn() -> io::Result<()>) -> ExitCode {
    let control = io::stdin();
    let lacks = confine::confine();
    if socket::tell(&control, &Ready { lacks }.write()).is_err() {
        eprintln!("t8gate signer is started by t8gate serve, not by hand");
        return ExitCode::FAILURE;
    }
    let fault = serve(&control, step_back).err();
    if fault.is_some_and(|fault| fault.kind() != io::ErrorKind::UnexpectedEof) {
        tracing::error!("the gateway asked the signer process for what it does not know");
    }
    // Not by returning: that would call into the module, which may hang, while others still use it.
    confine::end_now()
}

fn serve(control: &Stdin, step_back: fn() -> io::Result<()>) -> io::Result<()> {
    let mut packet = vec![0; CONTROL_BYTES_MAX];
    // Answered on the control socket, on which nothing else comes until there is an answer here.
    pin::ask_before_each_try(|pin| {
        let ask = MayTry { pin: pin.clone() };
        socket::tell(io::stdin(), &ask.write())?;
        let mut leave = [0; LEAVE_BYTES];
        let leave = socket::hear(io::stdin(), &mut leave)?;
        Ok(read_leave(leave).ok_or(io::ErrorKind::InvalidData)?)
    });
    // Read again at each login.
    let mut pins = Vec::new();
    loop {
        let (asked, mut lanes) = socket::take_over(control, &mut packet)?;
        let mut keep_pin = |pin_file: &mut Vec<u8>| {
            if pin_file.is_empty() {
                let pin = lanes.pop().ok_or(io::ErrorKind::InvalidData)?;
                *pin_file = format!("/proc/self/fd/{}", pin.as_raw_fd()).into_bytes();
                pins.push(pin);
            }
            io::Result::Ok(())
        };
        if let Some(mut asked) = AskMacs::read(asked) {
            keep_pin(&mut asked.pin_file)?;
            socket::tell(control, &macs(asked)?.write())?;
            continue;
        }
        let mut asked = OpenKey::read(asked).ok_or(io::ErrorKind::InvalidData)?;
        keep_pin(&mut asked.pin_file)?;
        if usize::from(asked.sessions) != lanes.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let opened = match open(asked) {
            Ok(key) => start(key, lanes, step_back)?,
            Err((class, fault)) => Opened::Fault {
                class,
                fault,
                refused: RefusedPins::of_this_process().map_err(io::Error::other)?,
            },
        };
        socket::tell(control, &opened.write())?;
    }
}

fn path(octets: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(octets))
}

/// Asks a secret key, of which nothing is kept.
fn macs(asked: AskMacs) -> io::Result<Macs> {
    asked.refused.learn();
    let source = Pkcs11Source {
        module: path(asked.module),
        uri: String::from_utf8_lossy(&asked.uri).into_owned(),
        pin_file: path(asked.pin_file),
        sessions: 1,
    };
    Ok(match secret::macs_here(&source, &asked.labels) {
        Ok(macs) => Macs::Said(macs),
        Err(fault) => Macs::Fault {
            fault,
            refused: RefusedPins::of_this_process().map_err(io::Error::other)?,
        },
    })
}

fn open(asked: OpenKey) -> Result<TokenKey, (SignFault, OpenFault)> {
    let gone = |fault| (SignFault::TokenGone, fault);
    asked.refused.learn();
    let source = Pkcs11Source {
        module: path(asked.module),
        uri: String::from_utf8_lossy(&asked.uri).into_owned(),
        pin_file: path(asked.pin_file),
        sessions: usize::from(asked.sessions),
    };
    let key = TokenKey::open(&source).map_err(gone)?;
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

/// Starts a thread for each lane.
fn start(
    key: TokenKey,
    lanes: Vec<OwnedFd>,
    step_back: fn() -> io::Result<()>,
) -> io::Result<Opened> {
    let opened = Opened::Key {
        kind: key.kind(),
        schemes: key.schemes().to_vec(),
        identity: key.identity().map(PublicKey::to_spki).unwrap_or_default(),
    };
    // What a token in software computes for them would hold up requests on the same CPU.
    let long = matches!(key.kind(), KeyKind::Rsa | KeyKind::P384);
    let key = Arc::new(key);
    for (index, lane) in lanes.into_iter().enumerate() {
        let key = Arc::clone(&key);
        let sign = move || {
            if long && let Err(error) = step_back() {
                tracing::warn!(%error, "signers compete with shards for their CPU");
            }
            answer_all(&lane, &key);
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
        let end = write_answer(&mut answer, &answer_one(&ask, key));
        if socket::tell(lane, &answer[..end]).is_err() {
            return;
        }
    }
}

fn answer_one(ask: &Ask<'_>, key: &TokenKey) -> Result<Vec<u8>, SignFault> {
    match ask {
        Ask::Sign { scheme, .. } if !key.schemes().contains(scheme) => Err(SignFault::Unsupported),
        Ask::Sign { scheme, hashed } => key.sign_for(*scheme, hashed, key.identity()),
        Ask::Remember { identity } => {
            let public = PublicKey::from_spki(identity).map_err(|_| SignFault::Refused)?;
            let known = key.remember(public);
            known.map(|()| Vec::new()).map_err(|()| SignFault::KeyGone)
        }
    }
}
