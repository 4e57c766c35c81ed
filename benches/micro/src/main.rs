//! Counts instructions: each case in a process of its own under valgrind's callgrind.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use t8gate_micro::cases::{CASES, Case};
use t8gate_micro::table::{Row, Table};
use t8gate_micro::{callgrind, measured_rounds};

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
usage: counts check       holds what is counted now against counts.md
       counts write       writes counts.md anew
       counts case NAME   does the rounds of one case, to be counted";

const VALGRIND_MISSING: &str = "where it is missing, `make setup` installs it";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["check"] => check(),
        ["write"] => write(),
        ["case", name] => run(name).map(|()| true),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn table_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("counts.md")
}

/// Whether the table holds.
fn check() -> Result<bool, String> {
    let file = table_file();
    let at = |fault: String| format!("{}: {fault}", file.display());
    let text = std::fs::read_to_string(&file).map_err(|error| at(error.to_string()))?;
    let comparison = Table::read(&text).map_err(at)?.compare(&count()?);
    print!("{comparison}");
    if !comparison.holds() {
        let folder = profiles()?.display().to_string();
        println!("hint: where a case's instructions go: callgrind_annotate {folder}/CASE");
    }
    Ok(comparison.holds())
}

fn write() -> Result<bool, String> {
    let file = table_file();
    let table = count()?;
    std::fs::write(&file, table.to_string())
        .map_err(|error| format!("{}: {error}", file.display()))?;
    print!("{table}");
    Ok(true)
}

/// Does the rounds of a case twice: to warm up, and to be counted.
fn run(name: &str) -> Result<(), String> {
    let case = CASES.iter().find(|case| case.name == name);
    let case = case.ok_or_else(|| format!("there is no case {name:?}"))?;
    let mut made = (case.make)();
    made.refill(case.rounds);
    for _ in 0..case.rounds {
        made.round();
    }
    made.refill(case.rounds);
    measured_rounds(made.as_mut(), case.rounds);
    Ok(())
}

/// Where the profiles are kept, beside this program, for `callgrind_annotate`.
fn profiles() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = this.with_file_name("callgrind");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// Counts all cases.
fn count() -> Result<Table, String> {
    let folder = profiles()?;
    let same_addresses = Command::new("setarch").args(["-R", "true"]).status();
    let same_addresses = same_addresses.is_ok_and(|status| status.success());
    if !same_addresses {
        eprintln!("addresses cannot be kept the same (setarch -R): counts may differ by a little");
    }
    let mut rows = Vec::new();
    for case in CASES {
        let instructions = count_case(case, &folder, same_addresses)
            .map_err(|fault| format!("{}: {fault}", case.name))?;
        rows.push(Row {
            case: case.name.to_owned(),
            instructions,
            what: case.what.to_owned(),
        });
    }
    let rustc = env!("RUSTC_VERSION").to_owned();
    Ok(Table { rustc, rows })
}

/// Instructions of one round.
fn count_case(case: &Case, folder: &Path, same_addresses: bool) -> Result<u64, String> {
    let profile = folder.join(case.name);
    // One of an earlier run must not be taken for this one's; where there is none all is well.
    let _ = std::fs::remove_file(&profile);
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut valgrind = match same_addresses {
        true => {
            let mut setarch = Command::new("setarch");
            setarch.args(["-R", "valgrind"]);
            setarch
        }
        false => Command::new("valgrind"),
    };
    // What is in the environment lies on the stack and shifts what comes behind it.
    valgrind
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    valgrind.args(["--tool=callgrind", "--collect-atstart=no"]);
    valgrind.arg("--toggle-collect=*measured_rounds*");
    valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(this).args(["case", case.name]);
    let out = valgrind.stdin(Stdio::null()).output();
    let failed = |what: &str| format!("valgrind failed: {what}\nhint: {VALGRIND_MISSING}");
    let out = out.map_err(|error| failed(&error.to_string()))?;
    if !out.status.success() {
        return Err(failed(String::from_utf8_lossy(&out.stderr).trim_end()));
    }
    let text = std::fs::read_to_string(&profile).map_err(|error| error.to_string())?;
    let counted = callgrind::read(&text)?;
    if counted.ours == 0 {
        return Err("nothing was counted: is the case's loop there by its name?".to_owned());
    }
    let rounds = case.rounds as u64;
    Ok((counted.ours + rounds / 2) / rounds)
}
