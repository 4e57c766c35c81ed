//! The demo as a stranger runs it: the tour, and the printed lines pasted as they are.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::harness::gateway::t8gate;
use super::harness::{Scratch, command, finish, free_address, run, wait_until, within};

/// The tour takes a few seconds; a debug build on a busy machine takes more.
const TOUR: Duration = Duration::from_secs(90);
const LAST_LINE: &str = "The demo stays up until Ctrl-C.";

fn demo(arguments: &[&str], scratch: &Scratch) -> Command {
    let mut command = t8gate(&["demo"]);
    command
        .args(arguments)
        .args(["--listen", &free_address().to_string()])
        .args(["--admin", &free_address().to_string()])
        // Where the throw-away folder is made.
        .env("TMPDIR", scratch.path());
    command
}

/// What is left in the folder for temporary files.
fn left(scratch: &Scratch) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(scratch.path()).expect("our own folder");
    entries.flatten().map(|entry| entry.path()).collect()
}

#[test]
fn tour_is_as_expected_and_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let outcome = run(&mut demo(&["--tour-only"], &scratch), b"", TOUR);
    let told = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.status.success(), "{told}");
    assert!(outcome.stdout.contains("all as expected"), "{told}");
    assert!(!outcome.stdout.contains("NOT AS EXPECTED"), "{told}");
    assert!(outcome.stdout.contains("never extractable true"), "{told}");
    assert!(!outcome.stdout.contains("eyJ"), "a token is shown: {told}");
    assert_eq!(left(&scratch), Vec::<PathBuf>::new());
}

#[test]
fn folder_of_the_visitors_choice_is_kept() {
    let scratch = Scratch::new();
    let kept = scratch.path().join("kept");
    let mut command = demo(&["--tour-only"], &scratch);
    let outcome = run(command.arg("--state").arg(&kept), b"", TOUR);
    assert!(
        outcome.status.success(),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    for file in ["demo.toml", "t8gate.log", "audit.jsonl", "expired-token"] {
        assert!(kept.join(file).is_file(), "{file}");
    }
    let pin = std::fs::read_to_string(kept.join("pin")).expect("the PIN file");
    for file in ["demo.toml", "t8gate.log", "audit.jsonl"] {
        let text = std::fs::read_to_string(kept.join(file)).expect("UTF-8");
        assert!(!text.contains(pin.trim()), "the PIN is in {file}");
        assert!(!text.contains("eyJ"), "a token is in {file}");
        assert!(!text.contains("meter-1@"), "a subscriber is in {file}");
    }
    assert!(!outcome.stdout.contains(pin.trim()));
}

/// A demo that stays up; killed when dropped.
struct Running {
    child: Child,
    told: Arc<Mutex<String>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary of this package");
        let told = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&told);
        let stdout = child.stdout.take().expect("piped");
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let mut told = kept.lock().expect("no thread panics with it held");
                told.push_str(&line);
                told.push('\n');
            }
        });
        Self { child, told }
    }

    fn told(&self) -> String {
        self.told
            .lock()
            .expect("no thread panics with it held")
            .clone()
    }

    fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -TERM");
        finish(&mut self.child, TOUR).expect("to end on SIGTERM")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What each printed command says of itself, and the command.
fn printed(told: &str) -> Vec<(String, String)> {
    let mut lines = told.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(says) = line.strip_prefix("# ") {
            let command = lines.next().expect("a command below it");
            found.push((says.to_owned(), command.to_owned()));
        }
    }
    found
}

/// Pastes all commands into one shell; what each has said.
fn paste(commands: &[(String, String)]) -> Vec<String> {
    const MARK: &str = "--- end of one command ---";
    let mut script = String::new();
    for (_, line) in commands {
        script.push_str(&format!("{line}\necho; echo '{MARK}'\n"));
    }
    let outcome = run(
        command("bash").args(["-c", &format!("exec 2>&1\n{script}")]),
        b"",
        TOUR,
    );
    let said = outcome.stdout.split(MARK).map(str::to_owned);
    said.take(commands.len()).collect()
}

#[test]
fn printed_lines_do_as_they_say() {
    let scratch = Scratch::new();
    let mut demo = Running::start(demo(&[], &scratch));
    let up = within(TOUR, || {
        demo.told().contains(LAST_LINE) || demo.child.try_wait().is_ok_and(|end| end.is_some())
    });
    let told = demo.told();
    assert!(up && told.contains(LAST_LINE), "{told}");
    let commands = printed(&told);
    assert!(commands.len() >= 12, "{told}");
    for ((says, line), said) in commands.iter().zip(paste(&commands)) {
        let first = says.split(':').next().expect("a word");
        if first.parse::<u16>().is_ok() {
            let status = format!("HTTP/1.1 {first}");
            assert!(said.contains(&status), "{says}\n{line}\n{said}");
        } else if first.starts_with("alert") {
            assert!(said.contains("alert"), "{says}\n{line}\n{said}");
        } else if line.contains(" explain ") {
            let id = line.rsplit(' ').next().expect("the id comes last");
            let found = id.len() == 32 && said.contains(id) && said.contains("401");
            assert!(found, "{says}\n{line}\n{said}");
        } else {
            assert_eq!(said.trim(), "", "{says}\n{line}");
        }
    }
    assert!(demo.terminate().success());
    assert_eq!(left(&scratch), Vec::<PathBuf>::new());
}

#[test]
fn interrupted_tour_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let mut demo = Running::start(demo(&[], &scratch));
    wait_until("the demo says where its folder is", || {
        demo.told().contains("everything is in")
    });
    assert!(!left(&scratch).is_empty());
    demo.terminate();
    assert_eq!(left(&scratch), Vec::<PathBuf>::new());
}

#[test]
fn port_that_is_taken_is_refused_where_it_was_asked_for() {
    let scratch = Scratch::new();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("bound").to_string();
    let mut command = t8gate(&["demo", "--tour-only", "--listen", &taken]);
    let outcome = run(command.env("TMPDIR", scratch.path()), b"", TOUR);
    assert_eq!(outcome.status.code(), Some(1));
    assert!(outcome.stderr.contains(&taken), "{}", outcome.stderr);
    assert_eq!(left(&scratch), Vec::<PathBuf>::new());
}

#[test]
fn folder_of_somebody_else_is_refused() {
    let scratch = Scratch::new();
    scratch.write("thesis", "x");
    let folder: &Path = scratch.path();
    let mut command = t8gate(&["demo", "--tour-only", "--state"]);
    let outcome = run(command.arg(folder), b"", TOUR);
    assert_eq!(outcome.status.code(), Some(1));
    assert!(outcome.stderr.contains("hint"), "{}", outcome.stderr);
    assert!(folder.join("thesis").is_file());
}

/// The commands of the README that follow a phrase: what stands in the fenced blocks after it.
fn readme_blocks(after: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(path).expect("README.md");
    let (_, rest) = text.split_once(after).expect("the README says so");
    let blocks = rest.split("\n```").skip(1).step_by(2);
    blocks
        .map(|block| block.split_once('\n').expect("a language").1.to_owned())
        .collect()
}

/// A third client, as the README says it: configured, certified, and served.
#[test]
fn client_added_as_the_readme_says_fetches_its_token() {
    let scratch = Scratch::new();
    let kept = scratch.path().join("kept");
    let mut first = demo(&["--tour-only"], &scratch);
    let outcome = run(first.arg("--state").arg(&kept), b"", TOUR);
    assert!(outcome.status.success(), "{}", outcome.stderr);

    let blocks = readme_blocks("**Another client:**");
    let [client, certificate, curl, ..] = blocks.as_slice() else {
        panic!("three blocks");
    };
    let file = kept.join("demo.toml");
    let text = std::fs::read_to_string(&file).expect("demo.toml");
    std::fs::write(&file, format!("{text}\n{client}")).expect("our own file");
    let port = text
        .lines()
        .find_map(|line| line.strip_prefix("address = \"127.0.0.1:"))
        .map(|rest| rest.trim_end_matches('"').to_owned())
        .expect("the address clients come to");
    let here = |text: &str| {
        let text = text.replace("~/t8gate-demo", &kept.display().to_string());
        text.replace("localhost:8443", &format!("localhost:{port}"))
    };
    let shell = |script: &str| {
        let mut bash = command("bash");
        bash.current_dir(&kept).args(["-c", &here(script)]);
        run(&mut bash, b"", TOUR)
    };
    let issued = shell(certificate);
    assert!(issued.status.success(), "{}", issued.stderr);

    let mut again = t8gate(&["demo", "--state"]);
    again.arg(&kept);
    let mut running = Running::start(again);
    let stays = within(TOUR, || running.told().contains(LAST_LINE));
    let told = running.told();
    assert!(stays && told.contains("all as expected"), "{told}");
    let fetched = shell(curl);
    assert!(
        fetched.stdout.starts_with("HTTP/1.1 200"),
        "{}",
        fetched.stdout
    );
    assert!(running.terminate().success());
}
