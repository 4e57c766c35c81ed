//! `t8gate hw`: what this machine gives and what of it is in use, as a table or as JSON.

mod rows;
mod table;
mod token;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use clap::Args;
use hsm::{KeyKind, PrivateKey};
use serde::Serialize;

use crate::config::{self, Config, HugePages, KeySource, Steering};
use crate::io::{cpu, ktls};
use crate::machine::rates::{self, Rate};
use crate::machine::{self, Machine, Operation, Remark, Ring, Tree, Wanted};
use crate::tls;

use rows::Row;

#[derive(Args)]
pub struct Options {
    /// The configuration to look with: its CPUs, its token, its memory. Without it, the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON object instead of the table.
    #[arg(long)]
    json: bool,
    /// Measure nothing: at once, where it would take some two seconds.
    #[arg(long)]
    no_rates: bool,
}

/// What was asked of the machine, and what it gives.
#[derive(Serialize)]
struct Survey {
    version: &'static str,
    /// CPUs with a shard.
    shards: Vec<usize>,
    /// `listen.steering`.
    steering: bool,
    /// `memory.huge_pages`.
    huge_pages: &'static str,
    machine: Machine,
    io_uring: Ring,
    ktls: Ktls,
    crypto: Crypto,
    /// Empty where nothing was to be measured.
    rates: Vec<Rate>,
    /// Why the token was not measured, where there is one and it was to be.
    token_fault: Option<String>,
    /// What is said at the start as well.
    remarks: Vec<String>,
}

/// Records by the kernel.
#[derive(Serialize)]
struct Ktls {
    available: bool,
    /// The kernel's answer where it is not.
    fault: Option<String>,
}

/// The library under TLS and tokens.
#[derive(Serialize)]
struct Crypto {
    library: String,
    /// The library's FIPS module is what runs.
    fips: bool,
    /// Key exchange groups, best first.
    groups: Vec<String>,
    /// `OPENSSL_ia32cap` is set: the library may have been told to leave instructions alone.
    masked: bool,
    /// The server's key is of RSA and in a file; None where no such key is known.
    rsa_in_file: Option<bool>,
}

/// Prints it; 0 unless the configuration is wrong or the library fails.
pub fn main(options: &Options) -> ExitCode {
    let config = match options.config.as_deref().map(config::read).transpose() {
        Ok(config) => config,
        Err(faults) => {
            super::complain(options.config.as_deref().unwrap_or(Path::new("")), &faults);
            return ExitCode::FAILURE;
        }
    };
    let mut survey = Survey::look(config.as_ref());
    if !options.no_rates
        && let Err(what) = survey.measure(config.as_ref())
    {
        eprintln!("error: {what}");
        return ExitCode::FAILURE;
    }
    let rows = rows::of(&survey);
    let text = if options.json {
        json(&survey, &rows)
    } else {
        table::render(&rows, &survey.remarks)
    };
    say!("{}", text.trim_end());
    ExitCode::SUCCESS
}

fn json(survey: &Survey, rows: &[Row]) -> String {
    #[derive(Serialize)]
    struct Whole<'a> {
        #[serde(flatten)]
        survey: &'a Survey,
        rows: &'a [Row],
    }
    // Nothing in it can fail to be written: no map has keys other than text.
    serde_json::to_string_pretty(&Whole { survey, rows }).unwrap_or_default()
}

/// What of this machine stands in the way of this configuration, for the log at the start.
pub fn remarks(config: &Config) -> Vec<Remark> {
    let machine = Machine::read(Path::new("/"));
    let wanted = Wanted {
        // The allocator has them by now, or the start was refused.
        reserved_pages: false,
        ..wanted(config)
    };
    machine::remarks(&machine, &Operation::probe(), wanted)
}

fn wanted(config: &Config) -> Wanted<'_> {
    Wanted {
        shards: &config.listen.cpus.value,
        steering: config.listen.steering.value == Steering::Cpu,
        transparent_pages: config.memory.huge_pages.value == HugePages::Transparent,
        reserved_pages: config.memory.huge_pages.value == HugePages::Reserved,
    }
}

/// None where the file cannot be read; what is in a token is not computed on this CPU.
fn rsa_in_file(key: &KeySource) -> Option<bool> {
    match key {
        KeySource::File(file) => {
            let key = PrivateKey::from_pem_file(file).ok()?;
            Some(key.kind() == KeyKind::Rsa)
        }
        KeySource::Pkcs11 { .. } => Some(false),
    }
}

impl Survey {
    fn look(config: Option<&Config>) -> Self {
        let root = Path::new("/");
        let machine = Machine::read(root);
        let all = machine.cpus.allowed.clone();
        let wanted = config.map_or(
            Wanted {
                shards: &all,
                steering: false,
                transparent_pages: true,
                reserved_pages: false,
            },
            wanted,
        );
        let io_uring = on_a_thread(move || Ring::probe(&Tree::new(root)));
        let said = machine::remarks(&machine, &io_uring.operations, wanted).into_iter();
        let remarks = said.map(|remark| format!("{}; {}", remark.what, remark.hint));
        let remarks = remarks.collect();
        let ktls = ktls::available();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            shards: wanted.shards.to_vec(),
            steering: wanted.steering,
            huge_pages: match config.map(|config| config.memory.huge_pages.value) {
                Some(HugePages::Off) => "off",
                Some(HugePages::Reserved) => "reserved",
                Some(HugePages::Transparent) | None => "transparent",
            },
            machine,
            io_uring,
            ktls: Ktls {
                available: ktls.is_ok(),
                fault: ktls.err().map(|error| match error.kind() {
                    io::ErrorKind::NotFound => "the kernel has none (CONFIG_TLS)".to_owned(),
                    _ => error.to_string(),
                }),
            },
            crypto: Crypto {
                library: format!("AWS-LC {}", aws_lc_rs::awslc_version()),
                fips: aws_lc_rs::try_fips_mode().is_ok(),
                groups: tls::groups(),
                masked: std::env::var_os("OPENSSL_ia32cap").is_some(),
                rsa_in_file: config.and_then(|config| rsa_in_file(&config.tls.key.value)),
            },
            rates: Vec::new(),
            token_fault: None,
            remarks,
        }
    }

    /// On one thread, bound to the first CPU that has a shard.
    fn measure(&mut self, config: Option<&Config>) -> Result<(), String> {
        let on = self.shards.first().copied();
        let rates = on_a_thread(move || {
            if let Some(cpu) = on {
                // Where it may not be bound it is measured all the same.
                let _ = cpu::pin(cpu);
            }
            rates::measure()
        });
        self.rates = rates.map_err(|_| "the library did not do its work".to_owned())?;
        if let Some(config) = config {
            match token::measure(config) {
                Ok(rates) => self.rates.extend(rates),
                Err(what) => self.token_fault = Some(what),
            }
        }
        Ok(())
    }
}

/// What is done to a thread (its affinity, its ring) ends with it.
fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(value) => value,
        Err(panicked) => std::panic::resume_unwind(panicked),
    })
}
