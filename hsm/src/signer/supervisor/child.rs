//! One signer process, as its supervisor sees it: started, asked on its control socket, ended.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::super::line::Line;
use super::super::wire::{
    AskMacs, CONTROL_BYTES_MAX, Macs, MayTry, OpenKey, Opened, Ready, write_leave,
};
use super::super::{Launch, environment, socket};
use super::{OPEN_WAIT, did, now};
use crate::pin::{Leave, RefusedPins, Try};
use crate::public::PublicKey;
use crate::{Mac, OpenFault, Pkcs11Source};

/// From its start until a process says that it is ready.
const READY_WAIT: Duration = Duration::from_secs(10);
/// For a killed process to be gone. One that the kernel holds is reaped later.
const REAP_WAIT: Duration = Duration::from_secs(1);

pub struct Process {
    child: Child,
    pub control: OwnedFd,
    /// It was given leave to, and has said nothing since.
    tries: RefCell<Option<Try>>,
}

impl Process {
    /// Starts one, and says what it lacks of its confinement.
    pub fn start(launch: &Launch) -> Result<Self, OpenFault> {
        let started = start(launch).map_err(|error| {
            OpenFault::new(
                format!("the signer process did not start: {error}"),
                "see that the gateway may start processes (TasksMax=, RLIMIT_NPROC, seccomp)",
            )
        });
        let (process, ready) = started?;
        for lack in &ready.lacks {
            tracing::warn!("the signer process is less confined than it should be: {lack}");
        }
        tracing::info!(pid = process.id(), "the signer process has started");
        Ok(process)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is at a login, as far as it was heard.
    pub fn is_trying_a_pin(&self) -> bool {
        self.tries.borrow().is_some()
    }

    /// Kills it, where it has not ended by itself, and says how it did. Err: the kernel still holds
    /// it.
    pub fn end(self) -> Result<Option<ExitStatus>, Child> {
        let Self {
            mut child, control, ..
        } = self;
        drop(control);
        let _ = child.kill();
        let by = now() + REAP_WAIT;
        loop {
            match child.try_wait() {
                Ok(None) if now() < by => thread::sleep(Duration::from_millis(1)),
                Ok(None) => return Err(child),
                ended => return Ok(ended.ok().flatten()),
            }
        }
    }

    fn ask_for_macs(
        &self,
        source: &Pkcs11Source,
        pin: Option<&OwnedFd>,
        labels: &[Vec<u8>],
    ) -> io::Result<Macs> {
        let ask = AskMacs {
            module: source.module.as_os_str().as_encoded_bytes().to_vec(),
            uri: source.uri.clone().into_bytes(),
            pin_file: match pin {
                Some(_) => Vec::new(),
                None => source.pin_file.as_os_str().as_encoded_bytes().to_vec(),
            },
            labels: labels.to_vec(),
            refused: RefusedPins::of_this_process().map_err(io::Error::other)?,
        };
        socket::bound(&self.control, OPEN_WAIT)?;
        let lent: Vec<_> = pin.iter().map(AsFd::as_fd).collect();
        socket::hand_over(&self.control, &ask.write(), &lent)?;
        let mut packet = Zeroizing::new(vec![0; CONTROL_BYTES_MAX]);
        let answer = Macs::read(self.hear(&mut packet)?);
        self.has_tried(match &answer {
            Some(Macs::Fault { refused, .. }) => Some(refused),
            _ => None,
        });
        let complete =
            |macs: &Macs| !matches!(macs, Macs::Said(said) if said.len() != labels.len());
        Ok(answer.filter(complete).ok_or(io::ErrorKind::InvalidData)?)
    }

    /// Asks it to open a key, and sends one end of each lane along; the others come back.
    pub fn ask_to_open(&self, line: &Line) -> io::Result<Vec<OwnedFd>> {
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
        socket::bound(&self.control, OPEN_WAIT)?;
        let lent: Vec<_> = theirs.iter().chain(&line.pin).map(AsFd::as_fd).collect();
        socket::hand_over(&self.control, &ask.write(), &lent)?;
        Ok(ours)
    }

    /// What it says of a key that it was asked to open, within this time, which is not zero.
    ///
    /// # Errors
    /// `TimedOut`: nothing yet. Any other: there will be nothing.
    pub fn hear_opened(&self, wait: Duration) -> io::Result<Opened> {
        socket::bound(&self.control, wait)?;
        let mut packet = vec![0; CONTROL_BYTES_MAX];
        let opened = Opened::read(self.hear(&mut packet)?);
        self.has_tried(match &opened {
            Some(Opened::Fault { refused, .. }) => Some(refused),
            _ => None,
        });
        Ok(opened.ok_or(io::ErrorKind::InvalidData)?)
    }

    /// An answer. Before it tries a PIN a process asks whether it may, which is none.
    fn hear<'p>(&self, packet: &'p mut [u8]) -> io::Result<&'p [u8]> {
        loop {
            let length = socket::hear(&self.control, packet)?.len();
            let Some(MayTry { pin }) = packet.get(..length).and_then(MayTry::read) else {
                return Ok(packet.get(..length).unwrap_or_default());
            };
            // Of one that is over: a token may want the PIN for each key.
            self.tries.take();
            let leave = match Try::begin(pin) {
                Ok(begun) => {
                    self.tries.replace(Some(begun));
                    Leave::Given
                }
                Err(leave) => leave,
            };
            socket::tell(&self.control, &write_leave(leave))?;
        }
    }

    /// What it was trying is over, and what has been refused until then is known.
    fn has_tried(&self, refused: Option<&RefusedPins>) {
        if let Some(refused) = refused {
            refused.clone().learn();
        }
        self.tries.take();
    }
}

/// HMACs by a secret key, asked for in a process of their own: one that serves keys neither waits
/// for them nor is ended where they take too long.
pub fn macs(
    launch: &Launch,
    source: &Pkcs11Source,
    pin: Option<&OwnedFd>,
    labels: &[Vec<u8>],
) -> Result<Vec<Mac>, OpenFault> {
    let process = Process::start(launch)?;
    let said = process.ask_for_macs(source, pin, labels);
    if let Err(mut held) = process.end() {
        thread::spawn(move || held.wait());
    }
    match said {
        Ok(Macs::Said(macs)) => Ok(macs),
        Ok(Macs::Fault { fault, .. }) => Err(fault),
        Err(error) => Err(did(&format!("did not ask the secret key: {error}"))),
    }
}

fn start(launch: &Launch) -> io::Result<(Process, Ready)> {
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
    let mut process = Process {
        child,
        control,
        tries: RefCell::default(),
    };
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
