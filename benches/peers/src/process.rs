//! Processes we start: pinned, ended by pid, and never left behind.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::clock::wait_until;
use crate::fault::{Fault, about};
use crate::{interrupt, ports};

/// How long a server may take from its start to listening.
const START: Duration = Duration::from_secs(15);
/// How long one may take to end before it is killed.
const END: Duration = Duration::from_secs(10);

/// A program with its arguments and environment.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// Priority as `nice` counts it; 0 is everybody's.
    pub niceness: i32,
}

impl Program {
    /// A program with arguments.
    pub fn new<A: Into<String>>(
        path: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            path: path.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            niceness: 0,
        }
    }

    /// On these CPUs. It is ended by the kernel if this process is killed.
    fn pinned(&self, cpus: &str) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM", "nice", "-n"])
            .arg(self.niceness.to_string())
            .args(["taskset", "--cpu-list", cpus])
            .arg(&self.path)
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null());
        // A machine's own bundles would be trusted beside, or in place of, the bench's PKI.
        for bundle in ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"] {
            command.env_remove(bundle);
        }
        command
    }

    /// The program's file name.
    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// A running process; ended, if need be by force, when dropped.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program on `cpus` (as `taskset` lists them). What it says goes to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Program, cpus: &str, log: &Path) -> Result<Self, Fault> {
        let said = about(log.display(), File::create(log))?;
        let also = about(log.display(), said.try_clone())?;
        let mut command = program.pinned(cpus);
        let child = command.stdout(said).stderr(also).spawn();
        Ok(Self {
            name: program.name(),
            child: about("setpriv (of util-linux)", child)?,
            log: log.to_owned(),
        })
    }

    /// Starts a server and waits until it, and nobody else, listens on `port` of 127.0.0.1.
    ///
    /// # Errors
    /// When the port is taken, or it ends or does not listen in time; with what it said.
    pub fn serve(program: &Program, cpus: &str, port: u16, log: &Path) -> Result<Self, Fault> {
        ports::check_unused(port)?;
        let mut process = Self::start(program, cpus, log)?;
        let mut ended = false;
        let listens = wait_until(START, || {
            ended = process.ended() || interrupt::asked();
            ended || ports::is_used(port)
        });
        interrupt::check()?;
        if ended || !listens {
            return Err(process.fault("does not serve"));
        }
        ports::check_ours(port, process.pid())?;
        Ok(process)
    }

    /// Of the process itself; others may be its children.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is over.
    pub fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it takes longer than `wait`, or the bench was interrupted.
    pub fn wait(mut self, wait: Duration) -> Result<ExitStatus, Fault> {
        let over = wait_until(wait, || interrupt::asked() || self.ended());
        interrupt::check()?;
        if !over {
            return Err(self.fault(&format!("did not end within {} s", wait.as_secs())));
        }
        about(&self.name, self.child.wait())
    }

    /// A fault about it, with the end of what it said.
    pub fn fault(&self, what: &str) -> Fault {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        let tail = lines[lines.len().saturating_sub(12)..].join("\n  ");
        Fault::new(format!("{} {what}; it said:\n  {tail}", self.name))
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    /// When it had to be killed.
    pub fn stop(mut self) -> Result<(), Fault> {
        if self.end() {
            return Ok(());
        }
        Err(self.fault("had to be killed"))
    }

    /// False when it had to be killed.
    fn end(&mut self) -> bool {
        if self.ended() {
            return true;
        }
        let family = family(self.pid());
        signal(self.pid(), Signal::TERM);
        if wait_until(END, || self.ended()) {
            return true;
        }
        for pid in family {
            signal(pid, Signal::KILL);
        }
        let _ = self.child.wait();
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // It may have ended in between.
    let _ = pid.map(|pid| kill_process(pid, signal));
}

/// A process and its descendants.
pub fn family(pid: u32) -> Vec<u32> {
    let mut pids = vec![pid];
    let mut next = 0;
    while let Some(&parent) = pids.get(next) {
        next += 1;
        let tasks = std::fs::read_dir(format!("/proc/{parent}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children"));
            let children = children.unwrap_or_default();
            pids.extend(
                children
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
    }
    pids
}

/// What a program says about itself: the first line that is not empty.
///
/// # Errors
/// When it is not there, or fails.
pub fn ask(program: &Path, arguments: &[&str]) -> Result<String, Fault> {
    let output = about(
        program.display(),
        Command::new(program).args(arguments).output(),
    )?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Fault::new(format!(
            "{}: {}",
            program.display(),
            said.trim()
        )));
    }
    // nginx writes its version to stderr.
    let both = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&both).into_owned();
    let line = text.lines().find(|line| !line.trim().is_empty());
    Ok(line.unwrap_or_default().trim().to_owned())
}

/// A program of this name in PATH, or where Debian keeps servers.
///
/// # Errors
/// When there is none, with the line that installs it.
pub fn installed(name: &str, package: &str) -> Result<PathBuf, Fault> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let mut candidates = directories.map(|directory| directory.join(name));
    let found = candidates.find(|candidate| candidate.is_file());
    found.ok_or_else(|| {
        Fault::new(format!("{name} is missing")).hint(format!("apt-get install {package}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(directory: &Path) -> Process {
        let program = Program::new("sleep", ["60"]);
        let log = directory.join("log");
        let mut process = Process::start(&program, "0", &log).expect("sleep is everywhere");
        assert!(!process.ended());
        process
    }

    fn is_alive(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    #[test]
    fn process_is_gone_once_it_is_dropped() {
        let directory = tempfile::tempdir().expect("a directory");
        let process = sleeper(directory.path());
        let pid = process.pid();
        assert!(family(std::process::id()).contains(&pid));
        drop(process);
        assert!(!is_alive(pid));
    }

    #[test]
    fn process_that_overstays_is_a_fault_and_gone() {
        let directory = tempfile::tempdir().expect("a directory");
        let process = sleeper(directory.path());
        let pid = process.pid();
        assert!(process.wait(Duration::from_millis(30)).is_err());
        assert!(!is_alive(pid));
    }

    #[test]
    fn missing_program_comes_with_the_line_that_installs_it() {
        let fault = installed("no-such-proxy", "some-package").expect_err("there is none");
        assert!(
            fault
                .to_string()
                .contains("hint: apt-get install some-package"),
            "{fault}"
        );
    }
}
