//! What the live tests stand on: certificates, tokens, a software token with keys, a scripted SCEF,
//! the gateway as a process of its own, and clients that say exactly what they are told to.
//!
//! Everything here listens on loopback, on ports the kernel chose, writes below the directory for
//! temporary files, ends what it started, and waits for nothing longer than [`WAIT`].

pub mod admin;
pub mod client;
pub mod gateway;
pub mod hello;
pub mod introspection;
pub mod mint;
pub mod odd_certificates;
pub mod oidc_provider;
pub mod openssl_ca;
pub mod origin;
pub mod peers;
pub mod pki;
pub mod publisher;
pub mod responder;
pub mod softhsm;
pub mod softoken;
pub mod stage;

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What any single wait of a test may take before the test fails.
pub const WAIT: Duration = Duration::from_secs(30);

/// A directory of one test's own, gone when the test is.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a fresh, empty directory.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("t8gate-{}-{number}", std::process::id()));
        // A process id comes round again; what an earlier one left is not ours to test with.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a directory for temporary files");
        Self { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file and names it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        std::fs::write(&path, content).expect("a writable directory");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A loopback address nobody listens on, and that no other test is given. Its port is below those
/// that the kernel gives to whoever asks for any: it stays free until the test comes to use it.
pub fn free_address() -> SocketAddr {
    const PORTS: u32 = 22_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Other test processes begin elsewhere.
    let begin = std::process::id().wrapping_mul(997);
    let mut candidates = (0..PORTS).map(|_| {
        let nth = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(10_000 + nth % PORTS).expect("below 32,768");
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    });
    candidates
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a free loopback port")
}

/// Asks again and again until `met` says yes.
///
/// # Panics
/// After [`WAIT`], naming `what` never came.
pub fn wait_until(what: &str, met: impl FnMut() -> bool) {
    assert!(within(WAIT, met), "waited {WAIT:?} in vain: {what}");
}

/// Whether `met` says yes before `limit` has passed.
pub fn within(limit: Duration, mut met: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if met() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// A command that trusts only what the test tells it to: the certificate bundles that a machine's
/// environment names are taken out.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in [
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
    ] {
        command.env_remove(name);
    }
    for name in [
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        command.env_remove(name);
    }
    command
}

/// What a finished command has said.
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end, feeding it `input`, and kills it after `limit`.
///
/// # Panics
/// When it cannot be started (the message says what to install) or does not end in time.
pub fn run(command: &mut Command, input: &[u8], limit: Duration) -> Outcome {
    let mut child = start(command);
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    // Its own thread: a child that reads nothing must not block the test.
    thread::spawn(move || {
        let _ = std::io::Write::write_all(&mut stdin, &input);
    });
    let stdout = collect(child.stdout.take().expect("piped"));
    let stderr = collect(child.stderr.take().expect("piped"));
    let status = finish(&mut child, limit)
        .unwrap_or_else(|| panic!("still running after {limit:?}: {command:?}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Outcome {
        status,
        stdout: text(stdout.join().expect("reads to the end")),
        stderr: text(stderr.join().expect("reads to the end")),
    }
}

/// Runs a command that must succeed; what it printed on stdout comes back.
pub fn run_well(command: &mut Command) -> String {
    let outcome = run(command, b"", Duration::from_secs(60));
    assert!(
        outcome.status.success(),
        "{command:?} failed:\n{}{}",
        outcome.stdout,
        outcome.stderr
    );
    outcome.stdout
}

/// Sends a signal to a process that a test has to do with: `signal(pid, "STOP")`.
pub fn signal(pid: u32, name: &str) {
    run_well(command("kill").args([&format!("-{name}"), &pid.to_string()]));
}

/// Waits for a child's end; after `limit` it is killed and there is no status.
pub fn finish(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let mut status = None;
    within(limit, || {
        status = child.try_wait().expect("our own child");
        status.is_some()
    });
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    status
}

/// The line that makes a machine able to run these tests.
const INSTALL: &str = "apt-get install softhsm2 opensc curl openssl strace (or: make setup)";

fn start(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|fault| panic!("{command:?}: {fault}; hint: {INSTALL}"))
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// The first of `candidates` that exists.
///
/// # Panics
/// When none does: with the line that installs it. A test that needs a token never skips.
pub fn installed(candidates: &[&str]) -> PathBuf {
    let found = candidates
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists());
    found.unwrap_or_else(|| panic!("none of {candidates:?} is here; hint: {INSTALL}"))
}

/// A file that `make setup` puts below the target directory, which is above this binary.
///
/// # Panics
/// When it is not there, with the line that fetches it. A test that needs it never skips.
pub fn tool(name: &str) -> PathBuf {
    let binary = std::env::current_exe().expect("Linux");
    let mut folders = binary.ancestors().skip(1);
    let found = folders.find_map(|folder| {
        let path = folder.join("tools").join(name);
        path.exists().then_some(path)
    });
    found.unwrap_or_else(|| {
        panic!(
            "no tools/{name} above {}; hint: make setup (make test-tls for scanners)",
            binary.display()
        )
    })
}
