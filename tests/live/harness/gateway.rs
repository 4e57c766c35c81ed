//! The gateway as its users run it: a configuration file and a process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::admin::Admin;
use super::{Outcome, WAIT, command, finish, free_address, run, run_well, wait_until, within};

/// A configuration file in the making: `section.key` to a value as TOML writes it.
#[derive(Clone, Debug, Default)]
pub struct ConfigText {
    values: BTreeMap<String, BTreeMap<String, String>>,
    tables: Vec<(String, String)>,
    raw: String,
}

impl ConfigText {
    /// Sets a key, given in full (`limits.head_bytes_max`, `tls.key.file`), to a TOML value.
    pub fn set(&mut self, key: &str, value: &str) -> &mut Self {
        let (section, name) = key.rsplit_once('.').expect("a key in full");
        let section = self.values.entry(section.to_owned()).or_default();
        section.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets a key to a text, a path or an address.
    pub fn set_text(&mut self, key: &str, value: impl std::fmt::Display) -> &mut Self {
        self.set(key, &format!("{:?}", value.to_string()))
    }

    /// Takes a key away.
    pub fn unset(&mut self, key: &str) -> &mut Self {
        let (section, name) = key.rsplit_once('.').expect("a key in full");
        let removed = self
            .values
            .get_mut(section)
            .and_then(|keys| keys.remove(name));
        assert!(removed.is_some(), "{key} was not set");
        self.values.retain(|_, keys| !keys.is_empty());
        self
    }

    /// Appends a `[[name]]` table.
    pub fn table(&mut self, name: &str, body: &str) -> &mut Self {
        self.tables.push((name.to_owned(), body.to_owned()));
        self
    }

    /// Adds lines to the `[[name]]` table at a place, from 0.
    pub fn extend_table(&mut self, name: &str, place: usize, lines: &str) -> &mut Self {
        let mut tables = self.tables.iter_mut().filter(|(table, _)| table == name);
        let (_, body) = tables.nth(place).expect("that many tables");
        body.push('\n');
        body.push_str(lines);
        self
    }

    /// What the `[[name]]` table at a place says, from 0.
    pub fn table_body(&self, name: &str, place: usize) -> String {
        let mut tables = self.tables.iter().filter(|(table, _)| table == name);
        tables.nth(place).expect("that many tables").1.clone()
    }

    /// The value of a key as TOML writes it.
    pub fn value(&self, key: &str) -> String {
        let (section, name) = key.rsplit_once('.').expect("a key in full");
        let value = self.values.get(section).and_then(|keys| keys.get(name));
        value.unwrap_or_else(|| panic!("{key} is not set")).clone()
    }

    /// Takes all `[[name]]` tables away.
    pub fn without_tables(&mut self, name: &str) -> &mut Self {
        self.tables.retain(|(table, _)| table != name);
        self
    }

    /// Appends text as it is.
    pub fn raw(&mut self, text: &str) -> &mut Self {
        self.raw.push_str(text);
        self
    }

    /// The address a key names, where it is set.
    pub fn address(&self, key: &str) -> Option<SocketAddr> {
        let (section, name) = key.rsplit_once('.').expect("a key in full");
        let value = self.values.get(section)?.get(name)?;
        value.trim_matches('"').parse().ok()
    }

    /// The file.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (section, keys) in &self.values {
            let _ = writeln!(text, "[{section}]");
            for (name, value) in keys {
                let _ = writeln!(text, "{name} = {value}");
            }
            text.push('\n');
        }
        for (name, body) in &self.tables {
            let _ = writeln!(text, "[[{name}]]\n{}\n", body.trim());
        }
        text + &self.raw
    }
}

/// The CPUs this process may use.
pub fn cpus() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let mut cpus = Vec::new();
    for range in list.expect("Linux").trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.parse::<usize>().expect("a CPU number");
        cpus.extend(number(first)..=number(last));
    }
    cpus
}

/// One CPU, another one for each caller in turn, so that gateways of tests that run at the same
/// time do not all share the first.
pub fn next_cpu() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let cpus = cpus();
    cpus[NEXT.fetch_add(1, Ordering::Relaxed) % cpus.len()]
}

/// The gateway's command line, without a machine's certificate bundles in its environment.
pub fn t8gate(arguments: &[&str]) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_t8gate"));
    command.args(arguments);
    command
}

/// Runs `t8gate check` on a file.
pub fn check(file: &Path, environment: &[(String, String)]) -> Outcome {
    let mut command = t8gate(&["check", "--config"]);
    command.arg(file).envs(environment.iter().cloned());
    run(&mut command, b"", WAIT)
}

/// For the last words of a process that has ended; whatever it has started may hold its log open.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A serving gateway; killed when dropped.
pub struct Gateway {
    pub address: SocketAddr,
    /// Of the admin listener, where the configuration has one.
    pub admin: Option<SocketAddr>,
    /// The configuration it was started with.
    pub file: PathBuf,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Gateway {
    /// Writes `config` below `directory` and starts the gateway. It listens on a free port, unless
    /// the test has chosen one; so does its admin listener where the configuration says port 0.
    ///
    /// # Panics
    /// When it does not serve within [`WAIT`], with what it said.
    pub fn start(config: &ConfigText, directory: &Path, environment: &[(String, String)]) -> Self {
        Self::start_by(&[], config, directory, environment)
    }

    /// The same, started by a program that becomes the gateway, such as `prlimit --nofile=64`.
    ///
    /// # Panics
    /// When it does not serve within [`WAIT`], with what it said.
    pub fn start_by(
        starter: &[&str],
        config: &ConfigText,
        directory: &Path,
        environment: &[(String, String)],
    ) -> Self {
        let mut last = String::new();
        // Between choosing a port and listening on it another test may take it.
        for _ in 0..3 {
            let address = config.address("listen.address");
            let address = address.unwrap_or_else(free_address);
            let admin = config.address("admin.address");
            let admin = admin.map(|at| if at.port() == 0 { free_address() } else { at });
            let mut config = config.clone();
            config.set_text("listen.address", address);
            if let Some(admin) = admin {
                config.set_text("admin.address", admin);
            }
            let file = write(directory, &config);
            match Self::spawn_by(starter, &file, address, environment) {
                Ok(mut gateway) => {
                    gateway.admin = admin;
                    return gateway;
                }
                Err(said) => last = said,
            }
        }
        panic!("the gateway does not serve; it said:\n{last}");
    }

    /// Starts the gateway on a file that names `address`.
    ///
    /// # Errors
    /// What it said, when it ended instead of serving.
    pub fn spawn(
        file: &Path,
        address: SocketAddr,
        environment: &[(String, String)],
    ) -> Result<Self, String> {
        Self::spawn_by(&[], file, address, environment)
    }

    fn spawn_by(
        starter: &[&str],
        file: &Path,
        address: SocketAddr,
        environment: &[(String, String)],
    ) -> Result<Self, String> {
        let mut words = starter.iter().chain(&[env!("CARGO_BIN_EXE_t8gate")]);
        let mut command = command(words.next().expect("the gateway at least"));
        command.args(words).args(["serve", "--config"]);
        command.arg(file).envs(environment.iter().cloned());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary of this package");
        let log = keep_log(&mut child);
        let mut gateway = Self {
            address,
            admin: None,
            file: file.to_owned(),
            child,
            log,
        };
        let mut ended = false;
        let serving = within(WAIT, || {
            ended = gateway.child.try_wait().expect("our own child").is_some();
            // The kernel queues connections before the shards are there to accept them.
            ended || (gateway.log().contains("serving") && TcpStream::connect(address).is_ok())
        });
        if serving && !ended {
            return Ok(gateway);
        }
        // Its last words may still be on their way, until whoever keeps the log ends as well.
        within(LAST_WORDS, || Arc::strong_count(&gateway.log) == 1);
        Err(gateway.log())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its signer processes, one for each PKCS#11 module.
    pub fn signer_pids(&self) -> Vec<u32> {
        let parent = format!("PPid:\t{}\n", self.pid());
        let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let ours = |pid: &u32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
            status.is_ok_and(|status| status.contains(&parent) && !status.contains("(zombie)"))
        };
        pids.filter(ours).collect()
    }

    /// Its one signer process.
    ///
    /// # Panics
    /// When there is none or several.
    pub fn signer_pid(&self) -> u32 {
        match self.signer_pids().as_slice() {
            [pid] => *pid,
            several => panic!("signer processes: {several:?}"),
        }
    }

    /// What it has said on stderr so far.
    pub fn log(&self) -> String {
        self.log
            .lock()
            .expect("no test panics with it held")
            .clone()
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_none()
    }

    /// The admin listener, which the configuration must have.
    pub fn admin(&self) -> Admin {
        Admin(self.admin.expect("a configuration with admin.address"))
    }

    /// Waits until it has said something.
    pub fn await_log(&self, text: &str) {
        wait_until(&format!("{text:?} in the log"), || {
            self.log().contains(text)
        });
    }

    /// Changes one of its limits: `--nofile=40:64`, `--fsize=4096`.
    pub fn limit(&self, limit: &str) {
        let pid = self.pid().to_string();
        run_well(command("prlimit").args(["--pid", &pid, limit]));
    }

    /// The smallest number that no open descriptor has: the next one gets it.
    pub fn next_fd(&self) -> usize {
        let entries = std::fs::read_dir(self.proc("fd")).expect("our own child");
        let open: Vec<usize> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        (0..)
            .find(|number| !open.contains(number))
            .expect("a number")
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends SIGHUP: the configuration is to be read again.
    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.pid().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
    }

    /// Waits for its end; none when it is still running after `limit`, and then it is killed.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        finish(&mut self.child, limit)
    }

    /// Lets half a second pass; whether it still runs then.
    pub fn wait_briefly(&mut self) -> bool {
        !within(Duration::from_millis(500), || !self.alive())
    }

    /// SIGTERM, and its exit status.
    ///
    /// # Panics
    /// When it does not end within [`WAIT`].
    pub fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.wait(WAIT).expect("to end on SIGTERM")
    }

    /// Resident memory.
    pub fn rss_kb(&self) -> u64 {
        self.status_number("VmRSS:")
    }

    pub fn threads(&self) -> u64 {
        self.status_number("Threads:")
    }

    /// Open file descriptors.
    pub fn fds(&self) -> usize {
        std::fs::read_dir(self.proc("fd"))
            .expect("our own child")
            .count()
    }

    /// Thread ids of the shards, found by their names.
    pub fn shard_tids(&self) -> Vec<u32> {
        let mut tids = Vec::new();
        for entry in std::fs::read_dir(self.proc("task"))
            .expect("our own child")
            .flatten()
        {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            if name.starts_with("shard-") {
                tids.extend(
                    entry
                        .file_name()
                        .to_str()
                        .and_then(|tid| tid.parse::<u32>().ok()),
                );
            }
        }
        tids
    }

    fn status_number(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).expect("our own child");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .expect("Linux");
        let number = line.split_whitespace().next().expect("a number");
        number.parse().expect("a number")
    }

    /// A file of `/proc` about it.
    pub fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid()))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- what the gateway said ---\n{}---", self.log());
        }
    }
}

/// Writes a configuration file, another name each time.
pub fn write(directory: &Path, config: &ConfigText) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let file = directory.join(format!("t8gate-{number}.toml"));
    std::fs::write(&file, config.render()).expect("a writable directory");
    file
}

fn keep_log(child: &mut Child) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&log);
    let stderr = child.stderr.take().expect("piped");
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = kept.lock().expect("no thread panics with it held");
            log.push_str(&line);
            log.push('\n');
        }
    });
    log
}
