//! Where a PIN comes from: a file, or a descriptor that was left open for the gateway.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, Mode, OFlags, fchmod, memfd_create};
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};
use zeroize::Zeroizing;

use crate::OpenFault;

/// More than a PIN and a line's end.
const PIN_BYTES_MAX: usize = 4096;
/// For whoever writes a PIN into a pipe to have done so.
const PIPE_WAIT: Duration = Duration::from_secs(5);

/// What came through pipes, by the pipe's name: it can be read once, and is needed by each process
/// that opens the key, and again when a configuration is read anew.
static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

struct Kept {
    of: PathBuf,
    pin: File,
    /// Octets of it. The rest of a PIN of which a part came in time belongs to that part, and is
    /// no PIN of its own.
    length: u64,
    has_ended: bool,
}

impl Kept {
    fn new(of: PathBuf) -> io::Result<Self> {
        let pin = File::from(memfd_create("pin", MemfdFlags::CLOEXEC)?);
        fchmod(&pin, Mode::RUSR)?;
        Ok(Self {
            of,
            pin,
            length: 0,
            has_ended: false,
        })
    }

    fn take_from(&mut self, pipe: &File) -> io::Result<()> {
        let left = PIN_BYTES_MAX.saturating_sub(usize::try_from(self.length).unwrap_or(usize::MAX));
        through_pipe(pipe, PIPE_WAIT, left, || {
            // One at a time: what comes after the end of the line is not waited for.
            let moved = splice(pipe, None, &self.pin, None, 1, SpliceFlags::NONBLOCK)?;
            self.length += u64::try_from(moved).unwrap_or_default();
            let mut last = Zeroizing::new([0]);
            if self.length > 0 {
                self.pin
                    .read_exact_at(last.as_mut_slice(), self.length - 1)
                    .map_err(|_| Errno::IO)?;
            }
            Ok((moved, *last == *b"\n"))
        })?;
        self.has_ended = true;
        Ok(())
    }
}

/// Where the kernel names a process's descriptors.
const DESCRIPTORS: &str = "/proc/self/fd";

/// Where a PIN is read, and what whoever has configured it knows that by.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    configured: PathBuf,
}

impl Place {
    /// As it is configured.
    pub fn of(file: &Path) -> Self {
        Self {
            path: file.to_owned(),
            configured: file.to_owned(),
        }
    }

    /// A descriptor that another process has lent, under a number of this one's.
    pub fn lent(configured: &Path, lent: &OwnedFd) -> Self {
        Self {
            path: Path::new(DESCRIPTORS).join(lent.as_raw_fd().to_string()),
            configured: configured.to_owned(),
        }
    }

    /// Whether a PIN that is configured so lies in a descriptor.
    pub fn is_descriptor(configured: &Path) -> bool {
        configured.starts_with(DESCRIPTORS)
    }

    /// None: it is a file.
    fn number(&self) -> Option<std::path::Display<'_>> {
        let number = self.configured.strip_prefix(DESCRIPTORS);
        number.ok().map(Path::display)
    }

    /// The file, or the descriptor that the operator knows it by.
    pub fn display(&self) -> String {
        match self.number() {
            Some(number) => format!("descriptor {number}"),
            None => self.configured.display().to_string(),
        }
    }

    /// The same where it is not said yet that it is about a PIN.
    fn called(&self) -> String {
        match self.number() {
            Some(number) => format!("the PIN's descriptor {number}"),
            None => format!("the PIN file {}", self.configured.display()),
        }
    }

    /// What to do where no PIN is found there.
    fn cure(&self) -> String {
        match self.number() {
            Some(number) => format!(
                "start t8gate with the user PIN on the first line of that: t8gate ... {number}< \
                 FILE"
            ),
            None => "write the user PIN on the first line of the file, mode 0600".to_owned(),
        }
    }

    /// What to do where the token takes another one.
    pub fn cure_of_wrong(&self) -> String {
        let mend = match self.number() {
            Some(number) => format!("start t8gate with the right PIN on descriptor {number}"),
            None => "correct the PIN file".to_owned(),
        };
        format!(
            "{mend}: a PIN that was refused is not tried again, because a few wrong ones lock the \
             token for good"
        )
    }

    /// Why it could not be read.
    pub fn unread(&self, error: &io::Error) -> OpenFault {
        let called = self.called();
        match error.kind() {
            io::ErrorKind::TimedOut => {
                let what = format!("{called} cannot be read: {error}");
                OpenFault::new(what, END_THE_LINE)
            }
            io::ErrorKind::NotFound if self.number().is_some() => {
                OpenFault::lasting(format!("{called} is not open"), self.cure())
            }
            _ if is_of_the_moment(error) => OpenFault::new(
                format!("{called} cannot be read: {error}"),
                "see what limits there are, and who has used them up",
            ),
            _ => OpenFault::lasting(format!("{called} cannot be read: {error}"), self.cure()),
        }
    }
}

/// Whether it is no fault of what was to be read: the system is short of something.
fn is_of_the_moment(error: &io::Error) -> bool {
    let short_of = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    Errno::from_io_error(error).is_some_and(|errno| short_of.contains(&errno))
}

/// The descriptor of a PIN that lies in one: `/proc/self/fd/N` is this process's own name for it,
/// and means nothing in another. What comes through a pipe is kept by the kernel, and no more of it
/// looked at than whether it ends a line. None: it lies in a file.
///
/// # Errors
/// It cannot be opened; `TimedOut`: the pipe has come to no end, of a line or of its own. Whoever
/// asks again goes on where it stands.
pub fn descriptor(file: &Path) -> io::Result<Option<OwnedFd>> {
    if !Place::is_descriptor(file) {
        return Ok(None);
    }
    let source = open(file)?;
    if !source.metadata()?.file_type().is_fifo() {
        return Ok(Some(source.into()));
    }
    let mut all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let place = all.iter().position(|kept| kept.of == file);
    let place = match place {
        Some(place) => place,
        None => {
            all.push(Kept::new(file.to_owned())?);
            all.len() - 1
        }
    };
    let kept = &mut all[place];
    if !kept.has_ended {
        kept.take_from(&source)?;
    }
    Ok(Some(kept.pin.try_clone()?.into()))
}

/// Without waiting for somebody to open the other end of a pipe.
fn open(file: &Path) -> io::Result<File> {
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .custom_flags(nonblock)
        .open(file)
}

/// Has `step` move an octet until it says that a line has ended, or that there are none any more,
/// or as many as are `left` have come.
fn through_pipe(
    pipe: impl AsFd,
    wait: Duration,
    mut left: usize,
    mut step: impl FnMut() -> rustix::io::Result<(usize, bool)>,
) -> io::Result<()> {
    let by = now() + wait;
    while left > 0 {
        match step() {
            Ok((0, _) | (_, true)) => return Ok(()),
            Ok((moved, false)) => left = left.saturating_sub(moved),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let wait = by.saturating_duration_since(now());
                if wait.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let wait = Timespec::try_from(wait).ok();
                let mut pipe = [PollFd::new(&pipe, PollFlags::IN)];
                // A signal, or a fault of the kernel's, only means that there is another look.
                let _ = poll(&mut pipe, wait.as_ref());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What to do about a pipe that comes to no end.
const END_THE_LINE: &str = "have whoever writes the PIN into the pipe end its line, or close it";

/// The first line of what is there. All copies in memory are wiped when dropped.
pub fn read(place: &Place) -> Result<Zeroizing<String>, OpenFault> {
    let text = octets(&place.path).map_err(|error| place.unread(&error))?;
    warn_if_readable_by_others(place);
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match str::from_utf8(line) {
        Ok(pin) if !pin.is_empty() => Ok(Zeroizing::new(pin.to_owned())),
        _ => Err(OpenFault::lasting(
            format!("{} has no PIN on its first line", place.called()),
            place.cure(),
        )),
    }
}

/// A hint in the log, not a refusal: access lists and mounted secrets have modes of their own.
fn warn_if_readable_by_others(place: &Place) {
    use std::os::unix::fs::PermissionsExt;
    if let Ok(meta) = std::fs::metadata(&place.path)
        && meta.permissions().mode() & 0o044 != 0
    {
        tracing::warn!(
            file = place.display(),
            "this file holds a PIN and is readable by group or world; chmod 0600 it"
        );
    }
}

fn octets(file: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut source = open(file)?;
    // Grown once, so that no copy is left behind.
    let mut text = Zeroizing::new(Vec::with_capacity(PIN_BYTES_MAX));
    if !source.metadata()?.file_type().is_fifo() {
        let most = u64::try_from(PIN_BYTES_MAX).unwrap_or(u64::MAX);
        source.take(most).read_to_end(&mut text)?;
        return Ok(text);
    }
    let pipe = source.try_clone()?;
    through_pipe(&pipe, PIPE_WAIT, PIN_BYTES_MAX, || {
        let mut octet = Zeroizing::new([0]);
        let moved = source.read(octet.as_mut_slice());
        let moved = moved.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        text.extend_from_slice(&octet[..moved]);
        Ok((moved, *octet == *b"\n"))
    })?;
    Ok(text)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is no pure room: it waits for who writes a PIN"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::IntoRawFd as _;

    use super::*;

    /// A pipe by its name in this process, which no other one gets, and its end.
    fn pipe() -> (PathBuf, io::PipeWriter) {
        let (reader, writer) = io::pipe().unwrap();
        let name = format!("/proc/self/fd/{}", reader.into_raw_fd());
        (name.into(), writer)
    }

    fn kept(file: &Path) -> Vec<u8> {
        let pin = File::from(descriptor(file).unwrap().unwrap());
        let mut text = vec![0; 16];
        let length = pin.read_at(&mut text, 0).unwrap();
        text.truncate(length);
        text
    }

    #[test]
    fn pin_that_the_system_had_no_room_to_read_may_be_read_later() {
        let place = Place::of(Path::new("pin"));
        let fault = |errno: Errno| place.unread(&errno.into());
        assert!(!fault(Errno::MFILE).lasts && !fault(Errno::NFILE).lasts);
        assert!(!fault(Errno::NOMEM).lasts);
        assert!(fault(Errno::ACCESS).lasts && fault(Errno::NOENT).lasts);
    }

    /// Whoever waits for the end of the pipe waits for good.
    #[test]
    fn pin_in_a_pipe_whose_writer_stays_ends_with_its_line() {
        let (file, mut writer) = pipe();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                writer.write_all(b"12").unwrap();
                std::thread::sleep(Duration::from_millis(100));
                writer.write_all(b"34\n").unwrap();
            });
            assert_eq!(kept(&file), b"1234\n");
        });
        assert_eq!(kept(&file), b"1234\n", "it came once");

        let (file, mut writer) = pipe();
        writer.write_all(b"5678\nmore").unwrap();
        assert_eq!(kept(&file), b"5678\n", "and not what comes after");

        let (file, mut writer) = pipe();
        writer.write_all(b"5678\nmore").unwrap();
        assert_eq!(read(&Place::of(&file)).unwrap().as_str(), "5678");
    }

    #[test]
    fn pin_in_a_pipe_ends_with_that_as_well() {
        let (file, mut writer) = pipe();
        writer.write_all(b"1234").unwrap();
        drop(writer);
        assert_eq!(kept(&file), b"1234");

        let (file, mut writer) = pipe();
        writer.write_all(b"5678").unwrap();
        drop(writer);
        assert_eq!(read(&Place::of(&file)).unwrap().as_str(), "5678");
    }

    /// A part of a PIN is not one that may be tried.
    #[test]
    fn pin_in_a_pipe_that_comes_to_no_end_is_a_fault_with_its_cure() {
        let (file, mut writer) = pipe();
        writer.write_all(b"12").unwrap();
        let fault = descriptor(&file).unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::TimedOut);
        // Nor is the other part one.
        writer.write_all(b"34\n").unwrap();
        assert_eq!(kept(&file), b"1234\n");

        let (file, _writer) = pipe();
        let fault = read(&Place::of(&file)).unwrap_err();
        assert_eq!(fault.cure, END_THE_LINE);
    }

    /// A signer process has a number of its own for it, which nobody has written anywhere.
    #[test]
    fn descriptor_that_was_lent_is_called_by_the_number_that_is_configured() {
        let empty = OwnedFd::from(File::open("/dev/null").unwrap());
        let lent = Place::lent(Path::new("/proc/self/fd/900"), &empty);
        let fault = read(&lent).unwrap_err();
        let what = "the PIN's descriptor 900 has no PIN on its first line";
        assert_eq!(fault.what, what);
        assert!(fault.cure.contains("900< FILE"), "{fault}");
        assert!(fault.lasts);
        assert!(lent.cure_of_wrong().contains("on descriptor 900"));
        let closed = Place::of(Path::new("/proc/self/fd/901"));
        let fault = read(&closed).unwrap_err();
        assert_eq!(fault.what, "the PIN's descriptor 901 is not open");
    }
}
