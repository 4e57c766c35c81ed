//! One signer process, as its supervisor sees it: started, asked on its control socket, ended.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::super::line::Line;
use super::super::wire::{AskMacs, CONTROL_BYTES_MAX, Macs, OpenKey, Opened, Ready};
use super::super::{Launch, environment, socket};
use super::desk::Desk;
use super::{LOGIN_MORE, OPEN_WAIT, did, now};
use crate::pin::lend_key;
use crate::public::PublicKey;
use crate::{Mac, OpenFault, Pkcs11Source};

/// From its start until a process says that it is ready.
const READY_WAIT: Duration = Duration::from_secs(10);
/// For a killed process to be gone. One that the kernel holds is reaped later.
const REAP_WAIT: Duration = Duration::from_secs(1);

pub struct Process {
    child: Child,
    pub control: OwnedFd,
    desk: Desk,
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

    /// Whether it is at a login.
    pub fn is_trying_a_pin(&self) -> bool {
        self.desk.is_trying_a_pin()
    }

    /// Whether it is at a login that it is let come to the end of, where it should have opened its
    /// key `by` then.
    pub fn is_at_its_login(&self, by: Instant) -> bool {
        self.is_trying_a_pin() && now() < by + LOGIN_MORE
    }

    /// Kills it, where it has not ended by itself, and says how it did. Err: the kernel still holds
    /// it.
    pub fn end(self) -> Result<Option<ExitStatus>, Child> {
        let Self {
            mut child,
            control,
            desk: _desk,
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
            pin_file: source.pin_file.as_os_str().as_encoded_bytes().to_vec(),
            labels: labels.to_vec(),
        };
        socket::bound(&self.control, OPEN_WAIT)?;
        let pin = pin.iter().map(|pin| pin.as_fd());
        let lent: Vec<_> = pin.chain([lend_key()?]).collect();
        socket::hand_over(&self.control, &ask.write(), &lent)?;
        let mut packet = Zeroizing::new(vec![0; CONTROL_BYTES_MAX]);
        let by = now() + OPEN_WAIT;
        let heard = loop {
            match socket::hear(&self.control, &mut packet) {
                Err(error)
                    if error.kind() == io::ErrorKind::TimedOut && self.is_at_its_login(by) => {}
                heard => break heard?,
            }
        };
        let answer = Macs::read(heard);
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
            pin_file: source.pin_file.as_os_str().as_encoded_bytes().to_vec(),
            sessions: u16::try_from(source.sessions).map_err(io::Error::other)?,
            identity: line.identity().map(PublicKey::to_spki).unwrap_or_default(),
        };
        socket::bound(&self.control, OPEN_WAIT)?;
        let lent = theirs.iter().chain(&line.pin).map(AsFd::as_fd);
        let lent: Vec<_> = lent.chain([lend_key()?]).collect();
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
        let opened = Opened::read(socket::hear(&self.control, &mut packet)?);
        Ok(opened.ok_or(io::ErrorKind::InvalidData)?)
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
        Ok(Macs::Fault(fault)) => Err(fault),
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
    let mut child = command.spawn()?;
    drop(command);
    let greeted = greet(&control).inspect_err(|_| {
        let _ = child.kill();
        let _ = child.wait();
    });
    let (desk, ready) = greeted?;
    let process = Process {
        child,
        control,
        desk,
    };
    Ok((process, ready))
}

/// Hears the first of it, and opens the desk at which it asks for leave.
fn greet(control: &OwnedFd) -> io::Result<(Desk, Ready)> {
    socket::bound(control, READY_WAIT)?;
    let mut packet = vec![0; CONTROL_BYTES_MAX];
    let (said, mut beside) = socket::take_over(control, &mut packet)?;
    let ready = Ready::read(said).ok_or(io::ErrorKind::InvalidData)?;
    let desk = beside.pop().ok_or(io::ErrorKind::InvalidData)?;
    Ok((Desk::open(desk)?, ready))
}
