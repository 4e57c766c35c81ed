//! `t8bench`: the gateway and its rivals side by side, on one machine, in one report.
//!
//! The proxy that is measured is held to CPU 0, with all its threads; `t8load` and the origin, an
//! nginx, share CPU 1. Peers take turns within each round, so that what changes on the machine
//! during the bench meets all of them; ratios are taken within rounds. Everything listens on
//! 127.0.0.1, on ports that nobody else listens on, and is ended by pid.

#![forbid(unsafe_code)]

mod arguments;
mod bare_token;
mod bench;
mod chart;
mod clock;
mod cpu;
mod fault;
mod ground;
mod instructions;
mod interrupt;
mod load;
mod machine;
mod markdown;
mod marks;
mod metrics;
mod peer;
mod ports;
mod priority;
mod process;
mod report;
mod rows;
mod run;
mod softhsm;
mod statistics;
mod token;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::{Value, json};

use crate::arguments::{Arguments, Row};
use crate::bench::Bench;
use crate::fault::{Fault, about};
use crate::ground::Ground;
use crate::peer::Programs;
use crate::priority::Raised;
use crate::report::Report;

fn main() -> ExitCode {
    match bench(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("t8bench: {fault}");
            ExitCode::from(2)
        }
    }
}

/// False when a run failed, or requests went unrecorded.
fn bench(arguments: &Arguments) -> Result<bool, Fault> {
    let extent = arguments.extent();
    let programs = Programs::find(&arguments.target)?;
    let versions = programs.versions()?;
    let out = arguments
        .out
        .clone()
        .unwrap_or_else(|| arguments.target.join("bench"));
    let out = make(&out)?;
    settle_in()?;
    let _raised = Raised::session(extent.niceness)?;
    interrupt::listen()?;
    let with_hsm = extent.rows.iter().any(|row| row.needs_hsm());
    let ground = Ground::make(&out.join("ground"), with_hsm)?;
    let machine = machine::describe(&programs.t8gate);
    let tokens = machine::tokens(&programs.tokens)?;
    let about = (machine, versions, tokens);
    let rows = extent.rows.clone();
    let mut bench = Bench::open(extent, ground, programs, out)?;
    let start = clock::now();
    let outcome = rows.iter().try_for_each(|row| {
        rows::run(&mut bench, *row)?;
        // After each row, so that a bench that is broken off leaves what it has.
        report(&bench, &about).write(&bench.out)
    });
    let report = report(&bench, &about);
    report.write(&bench.out)?;
    outcome?;
    Ok(conclude(
        &report,
        &rows,
        start.elapsed().as_secs(),
        &bench.out,
    ))
}

/// A directory without what an earlier bench left in it.
fn make(out: &Path) -> Result<PathBuf, Fault> {
    about(out.display(), std::fs::create_dir_all(out))?;
    let out = about(out.display(), out.canonicalize())?;
    let entries = about(out.display(), std::fs::read_dir(&out))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "svg") {
            about(path.display(), std::fs::remove_file(&path))?;
        }
    }
    Ok(out)
}

/// This process keeps away from the CPU that is measured, and lets those it starts hold as many
/// connections as they may.
fn settle_in() -> Result<(), Fault> {
    let mut cpus = CpuSet::new();
    cpus.set(1);
    sched_setaffinity(None, &cpus).map_err(|error| {
        Fault::new(format!("CPU 1: {error}"))
            .hint("the bench takes CPU 0 for the proxy and CPU 1 for generator and origin")
    })?;
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    about(
        "RLIMIT_NOFILE",
        setrlimit(Resource::Nofile, files).map_err(Into::into),
    )
}

fn report(bench: &Bench, about: &(Value, Value, Value)) -> Report {
    let extent = &bench.extent;
    Report::new(
        about.clone(),
        json!({
            "rounds": extent.rounds,
            "seconds": extent.seconds,
            "warmup_seconds": extent.warmup,
            "idle_connections": extent.idle_connections,
            "nice": extent.niceness,
        }),
        bench.configurations.clone(),
        bench.runs.clone(),
        extent.rounds,
    )
}

/// Says how it ended, to whoever started it.
fn conclude(report: &Report, rows: &[Row], seconds: u64, out: &Path) -> bool {
    println!();
    for mark in &report.marks {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.3}"));
        let verdict = mark.verdict();
        println!(
            "{:<36} {:>7} ({} to {}, {} rounds, {})  must {}  aim {}  {verdict}",
            mark.mark,
            number(mark.measured),
            number(mark.min),
            number(mark.max),
            mark.rounds,
            mark.scenario,
            mark.must,
            mark.aim,
        );
    }
    let audit = report.audit;
    println!(
        "\n{} audit records of {} requests; {} rows in {seconds} s; {}",
        audit.records,
        audit.requests,
        rows.len(),
        out.join("report.md").display()
    );
    let failures = report.failures();
    for failure in &failures {
        eprintln!("t8bench: {failure}");
    }
    failures.is_empty()
}
