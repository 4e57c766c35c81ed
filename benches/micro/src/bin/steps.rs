//! Counts instructions step by step on the machine itself: of all of a round, aws-lc too, and with
//! AVX-512 where the machine has it, which valgrind knows nothing of. A child stops itself before
//! and behind its rounds, and between is let go by single steps.
//!
//! `steps CASE..` prints each case's instructions a round, and their share of a whole GET's. A step
//! takes some ten microseconds: `gate-cold` takes minutes.

use std::process::{Child, Command, ExitCode};

use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use t8gate_micro::cases::{CASES, Case};
use t8gate_micro::measured_rounds;

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What hangs on where random keys put things is averaged over so many.
const ROUNDS: usize = 20;
const WARM_ROUNDS: usize = 200;
const WHOLE: &str = "request-whole";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["case", name, rounds] => run(name, rounds),
        [] => Err("usage: steps CASE..".to_owned()),
        _ => table(&words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn table(names: &[&str]) -> Result<(), String> {
    let whole = steps(case(WHOLE)?)?;
    for name in std::iter::once(&WHOLE).chain(names) {
        let case = case(name)?;
        let steps = steps(case)?;
        let share = 100.0 * steps as f64 / whole as f64;
        println!("{name:<16}{steps:>8}  {share:>6.2} %  {}", case.what);
    }
    Ok(())
}

fn case(name: &str) -> Result<&'static Case, String> {
    let case = CASES.iter().find(|case| case.name == name);
    case.ok_or_else(|| format!("there is no case {name:?}"))
}

/// The child: does the rounds of a case between two stops.
fn run(name: &str, rounds: &str) -> Result<(), String> {
    let case = case(name)?;
    let rounds = rounds
        .parse()
        .map_err(|_| format!("{rounds:?} is no number"))?;
    let mut made = (case.make)();
    made.refill(WARM_ROUNDS);
    measured_rounds(made.as_mut(), WARM_ROUNDS);
    made.refill(rounds);
    ptrace::traceme().map_err(|error| format!("it cannot be traced: {error}"))?;
    let stop = || raise(Signal::SIGSTOP).map_err(|error| error.to_string());
    stop()?;
    measured_rounds(made.as_mut(), rounds);
    stop()
}

/// Instructions of one round: of some, less those of none.
fn steps(case: &Case) -> Result<u64, String> {
    let fault = |fault: String| format!("{}: {fault}", case.name);
    let some = steps_between(case, ROUNDS).map_err(fault)?;
    let none = steps_between(case, 0).map_err(fault)?;
    Ok(some.saturating_sub(none) / ROUNDS as u64)
}

fn steps_between(case: &Case, rounds: usize) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let rounds = rounds.to_string();
    let mut child = Command::new(this)
        .args(["case", case.name, &rounds])
        .spawn()
        .map_err(|error| error.to_string())?;
    let counted = counted(&child);
    if counted.is_err() {
        // One that has ended by itself cannot be killed.
        let _ = child.kill();
    }
    child.wait().map_err(|error| error.to_string())?;
    counted
}

/// What is between the child's two stops.
fn counted(child: &Child) -> Result<u64, String> {
    let said = |error: nix::Error| error.to_string();
    let pid = Pid::from_raw(child.id().cast_signed());
    match waitpid(pid, None).map_err(said)? {
        WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
        other => return Err(format!("it did not stop before its rounds: {other:?}")),
    }
    let mut steps = 0;
    loop {
        ptrace::step(pid, None).map_err(said)?;
        match waitpid(pid, None).map_err(said)? {
            // One that repeats itself, as `rep movsb` where a copy is long, counts each time.
            WaitStatus::Stopped(_, Signal::SIGTRAP) => steps += 1,
            WaitStatus::Stopped(_, Signal::SIGSTOP) => break,
            other => return Err(format!("it did not stop behind its rounds: {other:?}")),
        }
    }
    ptrace::cont(pid, None).map_err(said)?;
    Ok(steps)
}
