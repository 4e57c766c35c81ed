//! `t8gate demo`: the whole of it on one machine, with keys in a software token, two clients, a
//! small SCEF and a tour. Everything it makes is in one folder.

mod client;
mod config;
mod cost;
mod curl_lines;
mod expectations;
mod expired;
mod gateway;
mod pki;
mod scef;
mod state;
mod tour;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;

use hsm::ceremony::{Ceremony, MadeKey, NewKey};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

use crate::config::KeySource;
use crate::io::accept;
use config::{Addresses, FLEET, Keys, METERS};
use scef::Scef;
use state::{CONFIGURATION, State};

/// What the visitor may choose.
#[derive(clap::Args)]
pub struct Options {
    /// Keep everything in this folder, instead of one that is removed at the end; one that an
    /// earlier demo kept is used again as it is.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Where clients come in; without it 127.0.0.1:8443, or the next free port.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where metrics and health are served; without it 127.0.0.1:9464, or the next free port.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// End after the tour: with 0 when all was as expected, else with 1.
    #[arg(long)]
    tour_only: bool,
    /// The folder that was made before the demo executed itself anew.
    #[arg(long, hide = true, value_name = "DIR")]
    resume: Option<PathBuf>,
}

const LISTEN_PORT: u16 = 8443;
const ADMIN_PORT: u16 = 9464;
/// Ports that are tried one after the other.
const PORTS_TRIED: u16 = 100;
/// Tells where the lines to paste begin.
const PASTE: &str = "Paste these, in this order, into another terminal (bash):";

/// Runs the demo.
pub fn main(options: &Options) -> ExitCode {
    let ran = match &options.resume {
        None => begin(options),
        Some(path) => State::resume(path, options.state.is_none())
            .and_then(|state| run(options, &state, config::softhsm())),
    };
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(what) => {
            eprintln!("demo: {}", what.trim_end());
            ExitCode::FAILURE
        }
    }
}

/// Makes the folder. SoftHSM finds its own configuration by the environment alone, and a process
/// with threads must not change that: so the demo executes itself anew with it.
fn begin(options: &Options) -> Result<bool, String> {
    let state = State::make(options.state.as_deref())?;
    if !state.is_complete() {
        prepare(&state)?;
    }
    if !state.file("softhsm2.conf").is_file() {
        return run(options, &state, None);
    }
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let error = Command::new(program)
        .args(arguments)
        .arg("--resume")
        .arg(state.path())
        .env("SOFTHSM2_CONF", state.file("softhsm2.conf"))
        .exec();
    // Only a failure comes back.
    Err(format!("the demo cannot execute itself: {error}"))
}

/// Where the token will be, if there can be one.
fn prepare(state: &State) -> Result<(), String> {
    if config::softhsm().is_none() {
        return Ok(());
    }
    let tokens = state.file("tokens");
    std::fs::create_dir(&tokens).map_err(|error| format!("{}: {error}", tokens.display()))?;
    let settings = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    state.write("softhsm2.conf", settings)
}

fn run(options: &Options, state: &State, softhsm: Option<PathBuf>) -> Result<bool, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    // From here on a Ctrl-C ends in order, and the folder goes.
    let (mut interrupt, mut terminate, mut hangup) = {
        let _entered = runtime.enter();
        let receive = |kind| signal(kind).map_err(|error| error.to_string());
        (
            receive(SignalKind::interrupt())?,
            receive(SignalKind::terminate())?,
            receive(SignalKind::hangup())?,
        )
    };
    log_to(&state.file("t8gate.log"))?;
    greet(state);
    let scene = match state.is_complete() {
        true => Scene::found(state, options)?,
        false => Scene::made(state, options, softhsm)?,
    };
    let Scene {
        keys,
        addresses,
        scef,
    } = scene;
    let gateway = gateway::start(&state.file(CONFIGURATION))?;
    say!(
        "The gateway serves {} with its own issuer; its log is {}.",
        addresses.origin(),
        state.file("t8gate.log").display()
    );

    let mut toured = tour_on_its_own_thread(state, keys, addresses)?;
    let walked = runtime.block_on(async {
        tokio::select! {
            walked = &mut toured => Some(walked),
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
            _ = hangup.recv() => None,
        }
    });
    let result = match walked {
        None => Err("interrupted".to_owned()),
        Some(Err(_)) => Err("the tour ended by a fault of ours".to_owned()),
        Some(Ok(walked)) => walked,
    };
    let result = result.and_then(|outcome| {
        conclude(&outcome);
        if !options.tour_only {
            stay(state, addresses, &outcome)?;
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
            });
            say!("Ending in order.");
        }
        Ok(outcome.differences == 0)
    });
    gateway::stop(gateway);
    drop(scef);
    result
}

/// Keys, addresses, and a SCEF that runs.
struct Scene {
    keys: Keys,
    addresses: Addresses,
    scef: Scef,
}

impl Scene {
    /// Made from nothing.
    fn made(state: &State, options: &Options, softhsm: Option<PathBuf>) -> Result<Self, String> {
        let keys = softhsm.map_or(Keys::Files, Keys::Token);
        make_keys_and_certificates(state, &keys)?;
        let scef = Scef::start(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))?;
        let addresses = Addresses {
            listen: choose(options.listen, LISTEN_PORT, "clients")?,
            admin: choose(options.admin, ADMIN_PORT, "metrics")?,
            scef: scef.address,
        };
        state.write(CONFIGURATION, config::render(&addresses, &keys))?;
        state.complete()?;
        Ok(Self {
            keys,
            addresses,
            scef,
        })
    }

    /// As an earlier demo left it, and as the visitor has changed it since.
    fn found(state: &State, options: &Options) -> Result<Self, String> {
        let file = state.file(CONFIGURATION);
        if options.listen.is_some() || options.admin.is_some() {
            return Err(format!("change the addresses in {}", file.display()));
        }
        let config = match crate::config::examine(&file) {
            (Some(config), faults) if faults.is_empty() => config,
            (_, faults) => return Err(crate::config::render(&file, &faults)),
        };
        let keys = match config.tls.key.value {
            KeySource::Pkcs11 { module, .. } => Keys::Token(module),
            KeySource::File(_) => Keys::Files,
        };
        let admin = config.admin.and_then(|admin| admin.address);
        let admin = admin.map(|address| address.value);
        let scef = Scef::start(config.upstream.address.value);
        let scef = scef.map_err(|fault| {
            format!("{fault}\n  hint: the demo brings its own SCEF, at upstream.address")
        })?;
        say!("Keys, certificates and configuration are those of an earlier demo.");
        Ok(Self {
            keys,
            addresses: Addresses {
                listen: config.listen.address.value,
                admin: admin.ok_or("the demo shows [admin], too: put the section back")?,
                scef: scef.address,
            },
            scef,
        })
    }
}

/// Logs of the gateway go into a file: the terminal is the tour's.
fn log_to(file: &Path) -> Result<(), String> {
    let open = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file);
    let open = open.map_err(|error| format!("{}: {error}", file.display()))?;
    let filter = EnvFilter::try_from_env("T8GATE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Mutex::new(open))
        .with_ansi(false)
        .with_target(false)
        .init();
    Ok(())
}

fn greet(state: &State) {
    let end = match state.is_thrown_away() {
        true => "It is removed at the end; --state DIR keeps one.",
        false => "It is kept: change demo.toml in it and start again with the same --state.",
    };
    say!(
        "t8gate demo: everything is in {}\n{end}\n",
        state.path().display()
    );
}

fn make_keys_and_certificates(state: &State, keys: &Keys) -> Result<(), String> {
    let spki = match keys {
        Keys::Token(module) => {
            let pin = state.file("pin");
            let fault = |fault: hsm::OpenFault| fault.to_string();
            let ceremony = Ceremony::begin(module, config::TOKEN, &pin).map_err(fault)?;
            let server = ceremony.make(NewKey::P256, "server", None).map_err(fault)?;
            let issuer = ceremony.make(NewKey::P256, "issuer", None).map_err(fault)?;
            say!("Keys in a SoftHSM token ({}):", module.display());
            tell_key("server", &server)?;
            tell_key("issuer", &issuer)?;
            server.spki
        }
        Keys::Files => {
            let banner = "*".repeat(78);
            say!(
                "{banner}\n** NO SOFTHSM HERE: the private keys are in FILES, not in a token.\n\
                 ** Install SoftHSM 2 (Debian, Ubuntu: apt-get install softhsm2) and start\n\
                 ** again, to see what this gateway is for.\n{banner}\n"
            );
            pki::soft_key(state, "issuer.key.pem")?;
            pki::soft_key(state, "server.key.pem")?
        }
    };
    pki::make(state, &spki, &[METERS.certificate, FLEET.certificate])
}

/// What the token itself says of a key; anything but "it stays in" is no demo of that.
fn tell_key(label: &str, key: &MadeKey) -> Result<(), String> {
    say!(
        "   {label}: made inside (CKA_LOCAL {}), sensitive {}, never extractable {}",
        key.custody.local,
        key.custody.sensitive,
        key.custody.never_extractable
    );
    match key.custody.stays_in_token() {
        true => Ok(()),
        false => Err(format!(
            "the token does not vouch that the key {label} stays in it"
        )),
    }
}

/// The address asked for, or the default with the next free port, which is said.
fn choose(asked: Option<SocketAddr>, port: u16, what: &str) -> Result<SocketAddr, String> {
    if let Some(asked) = asked {
        return match accept::port_is_free(asked) {
            Ok(()) => Ok(asked),
            Err(error) => Err(format!("{asked} cannot be used for {what}: {error}")),
        };
    }
    let candidates = (port..).take(usize::from(PORTS_TRIED));
    let mut addresses =
        candidates.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let free = addresses.find(|address| accept::port_is_free(*address).is_ok());
    let free = free.ok_or_else(|| format!("no port from {port} on is free for {what}"))?;
    if free.port() != port {
        say!("** PORT {port} IS TAKEN: {what} are served at {free} instead.\n");
    }
    Ok(free)
}

type Walked = Result<tour::Outcome, String>;

/// On a thread of its own name, so that its CPU time is not counted as the gateway's.
fn tour_on_its_own_thread(
    state: &State,
    keys: Keys,
    addresses: Addresses,
) -> Result<oneshot::Receiver<Walked>, String> {
    let (tell, told) = oneshot::channel();
    // The folder's owner outlives the tour; here only its place is needed.
    let borrowed = state.borrowed();
    std::thread::Builder::new()
        .name("tour".to_owned())
        .spawn(move || {
            let _ = tell.send(walk(&borrowed, &keys, addresses));
        })
        .map_err(|error| error.to_string())?;
    Ok(told)
}

fn walk(state: &State, keys: &Keys, addresses: Addresses) -> Walked {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let stage = tour::Stage {
        state,
        keys,
        addresses,
    };
    runtime.block_on(tour::walk(&stage, &mut io::stdout()))
}

fn conclude(outcome: &tour::Outcome) {
    let steps = outcome.steps;
    match outcome.differences {
        0 => say!("\n{steps} steps, all as expected."),
        1 => say!("\n{steps} steps, 1 difference: NOT as expected."),
        many => say!("\n{steps} steps, {many} differences: NOT as expected."),
    }
}

/// How to look further, before the demo waits to be ended.
fn stay(state: &State, addresses: Addresses, outcome: &tour::Outcome) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let lines = curl_lines::lines(&curl_lines::Place {
        state: state.path(),
        program: &program,
        addresses,
        refused_id: &outcome.refused_id,
    });
    let mut out = io::stdout().lock();
    // A reader that went away does not end the demo.
    let _ = writeln!(out, "\n{PASTE}\n");
    for line in lines {
        let _ = writeln!(out, "# {}\n{}\n", line.says, line.command);
    }
    let _ = writeln!(out, "The demo stays up until Ctrl-C.");
    let _ = out.flush();
    Ok(())
}
