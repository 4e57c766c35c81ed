//! `t8gate serve`: builds everything or nothing, runs the shards, and ends in order.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hsm::{KeyKind, PrivateKey};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::operator::{AdminThread, admin_socket, open_desk, start_admin};
pub(super) use self::ports::{admin_port_fault, port_fault};
use super::{hw, pages};
use crate::audit::Keeps;
use crate::clock::{Millis, UnixMillis, UnixSeconds};
use crate::config::{self, Config, Fault, Steering, Until, WhenUnwritable};
use crate::control::admin::revocations::Revoking;
use crate::control::admin::socket::AdminSocket;
use crate::control::admin::{Parts, ShardView};
use crate::control::audit_file::AuditWriter;
use crate::control::crl_keeper::{AllBrought, CrlCounts, CrlFrom, CrlKeeper};
use crate::control::keys_keeper::KeysKeeper;
use crate::control::load::{self, Report};
use crate::control::ocsp_keeper::{OcspCounts, OcspKeeper};
use crate::control::reload::{self, Reloader, Reloads, Sources, Stamps};
use crate::control::thread::Control;
use crate::control::vigil::{Vigil, Watched, keys_in_tokens};
use crate::control::{introspection, reporter, revocation, revocation_notes};
use crate::io::{accept, cpu, steering};
use crate::revoked::Kind;
use crate::revoked::desk::Desk;
use crate::shard::{self, Handle, Plan};
use crate::signers::{Rank, SignerState, Signers};
use crate::snapshot::{ClientNames, Current, Snapshot};

mod operator;
mod ports;

/// How often the main thread looks whether all shards are there.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What a shell reports of a process that SIGTERM has ended.
const EXIT_TERMINATED: i32 = 143;
/// And of one that SIGINT has.
const EXIT_INTERRUPTED: i32 = 130;
const EXIT_ORDERLY: i32 = 0;
const EXIT_FAULTY: i32 = 1;
/// `EX_CONFIG` of sysexits.h: it is not to be started again before the operator has had a look.
const EXIT_CONFIGURATION: u8 = 78;
/// What the control thread gets to write the last records, when all shards have ended.
const CONTROL_WAIT: Duration = Duration::from_secs(5);
/// What logins to tokens get that are under way at the end.
const LOGINS_WAIT: Duration = Duration::from_secs(5);
/// What is handed in to be revoked gets so long to be written down.
const CLERK_WAIT: Duration = Duration::from_secs(2);
/// What signers get to put down what they hold, when all else has ended.
const SIGNERS_WAIT: Duration = Duration::from_secs(1);

/// Serves until a signal: 0 after an orderly end; 78 (`EX_CONFIG`) when the configuration is
/// at fault or a PIN may be wrong; 1 when a later start may succeed, or a part ended unasked.
pub fn main(file: &Path) -> ExitCode {
    let (config, faults, read) = reload::examine(file);
    if let Some(config) = &config {
        if faults.is_empty()
            && let Err(fault) = pages::prepare(config)
        {
            super::complain(file, &[fault]);
            return ExitCode::FAILURE;
        }
        // The process that faces the internet never maps a token's module or PIN.
        keep_tokens_apart(config);
    }
    // Behind what may start this process again, which would lose a signal that has come.
    let is_serving = Arc::new(AtomicBool::new(false));
    let signals = match Signals::receive(&is_serving) {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "signals cannot be received");
            return ExitCode::FAILURE;
        }
    };
    let config = match (config, faults) {
        (Some(config), faults) if faults.is_empty() => config,
        (config, mut faults) => {
            // All in one report: also what would have been in the way of this one.
            if let Some(config) = &config {
                let (_, report) = load::load(config, UnixSeconds::now(), None);
                config::add(&mut faults, obstacles(config, &report));
            }
            super::complain(file, &faults);
            end_logins();
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    // From then on whoever is served is let finish. What is waited for until then, a token perhaps,
    // is not worth it.
    let before_serving = || is_serving.store(true, Ordering::Relaxed);
    match Gateway::start(&config, read, before_serving) {
        Ok(mut gateway) => {
            let in_order = gateway.run_until_told(signals);
            end_logins();
            match in_order {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
        Err(faults) => {
            super::complain(file, &faults);
            end_logins();
            let is_lasting = faults.iter().any(|fault| fault.until == Until::Mended);
            match is_lasting || hsm::may_a_pin_be_wrong() {
                true => ExitCode::from(EXIT_CONFIGURATION),
                false => ExitCode::FAILURE,
            }
        }
    }
}

/// Has keys in tokens opened by signer processes: one that hangs or dies takes none along.
pub(super) fn keep_tokens_apart(config: &Config) {
    hsm::signer::keep_apart(hsm::signer::Launch {
        program: "/proc/self/exe".into(),
        argument: "signer".to_owned(),
        sign_within: config.deadlines.signature,
    });
}

/// Waits for logins under way, which their tokens may not survive in part.
pub(super) fn end_logins() {
    if !hsm::end_logins(LOGINS_WAIT) {
        tracing::warn!("a login to a token is still under way, ending without it");
    }
}

/// Ends the process at SIGTERM or SIGINT, until somebody else minds the first: when no login is
/// under way. At the second one at once, whatever the end is at.
pub(super) fn end_until(minded: Arc<AtomicBool>) -> io::Result<()> {
    let (runtime, (mut terminate, mut interrupt)) = receive_ends()?;
    let thread = std::thread::Builder::new().name("t8gate-signals".to_owned());
    thread.spawn(move || {
        let mut told = async || {
            tokio::select! {
                _ = terminate.recv() => EXIT_TERMINATED,
                _ = interrupt.recv() => EXIT_INTERRUPTED,
            }
        };
        let status = runtime.block_on(told());
        if minded.load(Ordering::Relaxed) {
            let status = runtime.block_on(told());
            tracing::warn!("told a second time, ending now");
            end_now(status);
        }
        let status = runtime.block_on(async {
            tokio::select! {
                again = told() => again,
                _ = tokio::task::spawn_blocking(end_logins) => status,
            }
        });
        end_now(status);
    })?;
    Ok(())
}

/// Receives SIGTERM and SIGINT, by a runtime of their own.
fn receive_ends() -> io::Result<(tokio::runtime::Runtime, (Signal, Signal))> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ends = {
        let _entered = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        (terminate, signal(SignalKind::interrupt())?)
    };
    Ok((runtime, ends))
}

/// What a signal wants.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    End,
    Reload,
}

/// The signals that the gateway minds, and the runtime they come by.
struct Signals {
    runtime: tokio::runtime::Runtime,
    hangup: Signal,
    /// SIGTERM and SIGINT.
    ends: (Signal, Signal),
    /// A write beyond the limit on the size of files (`ulimit -f`, `LimitFSIZE=`) is to fail and
    /// be told of, not to end the process. Nobody waits for it: it is enough that it is kept.
    _file_too_large: Signal,
}

impl Signals {
    /// Those that are to end the process do so until it `is_serving`. Left to the kernel, they
    /// would cut off logins, and be nothing to the first process of a container.
    fn receive(is_serving: &Arc<AtomicBool>) -> io::Result<Self> {
        let (runtime, ends) = receive_ends()?;
        let (hangup, file_too_large) = {
            let _entered = runtime.enter();
            (
                signal(SignalKind::hangup())?,
                signal(SignalKind::from_raw(libc::SIGXFSZ))?,
            )
        };
        // In this order: one that comes at the moment it serves is not lost.
        end_until(Arc::clone(is_serving))?;
        Ok(Self {
            runtime,
            hangup,
            ends,
            _file_too_large: file_too_large,
        })
    }

    /// Waits for a signal, but no longer than until the next look is due.
    fn told(&mut self) -> Option<Told> {
        let (ends, hangup) = (&mut self.ends, &mut self.hangup);
        self.runtime.block_on(async {
            tokio::select! {
                _ = ends.0.recv() => Some(Told::End),
                _ = ends.1.recv() => Some(Told::End),
                _ = hangup.recv() => Some(Told::Reload),
                () = tokio::time::sleep(LOOK_EVERY) => None,
            }
        })
    }
}

/// A running gateway.
pub struct Gateway {
    shards: Vec<Handle>,
    signers: Vec<JoinHandle<()>>,
    draining: Arc<AtomicBool>,
    /// To have the configuration read again.
    reload: Arc<AtomicBool>,
    reloader: JoinHandle<()>,
    control: Option<Control>,
    /// Kept as long as connections are, also when nothing is reloaded any more.
    crl_keeper: Option<Arc<CrlKeeper>>,
    admin: Option<AdminThread>,
    /// Who writes down what is revoked; ends with the last who may hand something in.
    clerk: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts all shards, or none. `before_serving` is called when nothing is in the way any more.
    ///
    /// # Errors
    /// Everything that is in the way.
    pub fn start(
        config: &Config,
        read: Stamps,
        before_serving: impl FnOnce(),
    ) -> Result<Self, Vec<Fault>> {
        let read = (read, Sources::of(config));
        let from = revocation::sources(config);
        let (snapshot, report) = load::load(config, UnixSeconds::now(), None);
        let mut faults = obstacles(config, &report);
        let from = from.unwrap_or_else(|wrong| {
            faults.extend(wrong);
            Vec::new()
        });
        let snapshot = match snapshot {
            Some(snapshot) if faults.is_empty() => Arc::new(snapshot),
            _ => return Err(faults),
        };
        check_descriptors(config);
        report.warn_of_registered(config);
        for remark in hw::remarks(config) {
            tracing::info!(hint = remark.hint, "{}", remark.what);
        }
        let (desk, clerk) = open_desk(config, &snapshot).map_err(|fault| vec![fault])?;
        let socket = admin_socket(config).map_err(|fault| vec![fault])?;
        let draining = Arc::new(AtomicBool::new(false));
        let looked_up = revocation::in_force(config, &snapshot.revocation, UnixSeconds::now());
        tracing::info!("revocation: {looked_up}");
        let lists = (from, &report.brought);
        before_serving();
        let started = start_shards((config, read), &snapshot, lists, (desk, socket), &draining);
        if started.is_err() {
            // All or none: what has been started ends by itself.
            draining.store(true, Ordering::Relaxed);
        }
        let cannot_start = |error| {
            let what = format!("cannot start: {error}");
            vec![fault(0, "listen", what, "see the error itself")]
        };
        let mut gateway = started.map_err(cannot_start)?;
        gateway.clerk = clerk;
        tracing::info!(
            address = %config.listen.address.value,
            shards = gateway.shards.len(),
            clients = snapshot.clients.len(),
            upstream = %snapshot.upstream,
            issuer = snapshot.issuer.is_some(),
            audit = config.audit.is_some(),
            admin = config.admin.is_some(),
            revocations = Kind::ALL.map(|kind| snapshot.revoked.count(kind)).iter().sum::<usize>(),
            "serving"
        );
        Ok(gateway)
    }

    /// Serves until SIGTERM or SIGINT, then ends in order; SIGHUP has the configuration read again.
    /// A second one ends the process now.
    /// Whether that was the order: a shard that ends unasked takes the others along, so that
    /// whoever supervises the process starts all of them anew.
    fn run_until_told(&mut self, mut signals: Signals) -> bool {
        let mut in_order = true;
        while !self.has_ended() {
            let told = signals.told();
            if told == Some(Told::Reload) {
                self.reload.store(true, Ordering::Relaxed);
            }
            if told == Some(Told::End) && !self.draining.swap(true, Ordering::Relaxed) {
                tracing::info!("finishing what is in flight");
            }
            let ended = self.shards.iter().any(|shard| shard.thread.is_finished());
            let ended = ended || self.control.as_ref().is_some_and(Control::has_ended);
            let ended = ended || self.reloader.is_finished();
            if ended && !self.draining.swap(true, Ordering::Relaxed) {
                tracing::error!("a thread ended unasked: finishing what is in flight, then ending");
                in_order = false;
            }
        }
        // None is begun that the end of its process would cut off.
        hsm::end_logins(Duration::ZERO);
        self.end(in_order);
        in_order
    }

    /// Ends in order, from another thread's view: returns when nothing runs any more.
    pub fn stop(mut self) {
        self.draining.store(true, Ordering::Relaxed);
        while !self.has_ended() {
            std::thread::sleep(LOOK_EVERY);
        }
        self.end(true);
    }

    fn has_ended(&self) -> bool {
        self.shards.iter().all(|shard| shard.thread.is_finished())
    }

    fn end(&mut self, in_order: bool) {
        if let Some(control) = self.control.take()
            && !control.end(CONTROL_WAIT)
        {
            tracing::error!(
                hint = "see whether the disk of audit.file answers",
                "the audit file takes no records, ending without the last ones"
            );
            end_logins();
            end_now(EXIT_FAULTY);
        }
        self.admin = None;
        self.crl_keeper = None;
        for (index, shard) in self.shards.drain(..).enumerate() {
            reporter::summarize(index, &shard.counters);
            if shard.thread.join().is_err() {
                tracing::error!(shard = index, "a shard ended by a panic");
            }
        }
        // What was handed in is written down, and the store is closed.
        let by = Millis::now().after(CLERK_WAIT);
        while self
            .clerk
            .as_ref()
            .is_some_and(|clerk| !clerk.is_finished())
        {
            if by <= Millis::now() {
                tracing::warn!("the store of revocations does not answer, ending without it");
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // Their queue ended with the last shard. One that hangs in its token's library cannot be
        // stopped, and must not stop the end.
        let by = Millis::now().after(SIGNERS_WAIT);
        while self.signers.iter().any(|signer| !signer.is_finished()) {
            if by <= Millis::now() {
                tracing::warn!("a signer hangs in the token's library, ending without it");
                end_logins();
                end_now(if in_order { EXIT_ORDERLY } else { EXIT_FAULTY });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Everything in the way of serving this configuration.
fn obstacles(config: &Config, report: &Report) -> Vec<Fault> {
    let mut faults = report.faults();
    if let Err(what) = shard::ring_is_available() {
        let cure = "shards run on io_uring and on nothing else";
        faults.push(fault(0, "listen.cpus", what, cure));
    }
    faults.extend(port_fault(config));
    faults.extend(admin_port_fault(config));
    faults.extend(pages::obstacle(config));
    faults.extend(steering_fault(config));
    faults
}

/// Why connections cannot be steered as configured: found on a port of its own.
pub(super) fn steering_fault(config: &Config) -> Option<Fault> {
    let steering = &config.listen.steering;
    if steering.value != Steering::Cpu {
        return None;
    }
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let tried = accept::listen(anywhere)
        .and_then(|listener| steering::steer(&listener, &config.listen.cpus.value));
    let error = tried.err()?;
    Some(fault(
        steering.line,
        "listen.steering",
        format!("the kernel takes no program that steers (SO_ATTACH_REUSEPORT_CBPF): {error}"),
        "set listen.steering = \"off\"",
    ))
}

/// Leaves at once: the operator has asked twice, or nothing else helps.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing is to be waited for any more"
)]
fn end_now(status: i32) -> ! {
    std::process::exit(status)
}

/// Of what is outside of the configuration.
fn fault(line: usize, key: &str, what: impl Into<String>, cure: impl Into<String>) -> Fault {
    Fault {
        file: None,
        line,
        key: key.to_owned(),
        what: what.into(),
        cure: cure.into(),
        until: Until::Back,
    }
}

/// Says it when the process may not have the descriptors that the bounds allow for.
fn check_descriptors(config: &Config) {
    let limit = cpu::descriptors();
    let connections = config.limits.connections_max + config.upstream.connections_idle_max;
    let wanted = connections.saturating_mul(config.listen.cpus.value.len());
    if u64::try_from(wanted).is_ok_and(|wanted| wanted > limit) {
        tracing::warn!(
            limit,
            wanted,
            hint = "raise the limit on descriptors (ulimit -n, LimitNOFILE=), or lower \
                    limits.connections_max",
            "fewer descriptors than connections: at the limit, accepting will pause"
        );
    }
}

fn start_shards(
    (config, read): (&Config, (Stamps, Sources)),
    snapshot: &Arc<Snapshot>,
    lists: (Vec<CrlFrom>, &AllBrought),
    (desk, socket): (Arc<Desk>, Option<AdminSocket>),
    draining: &Arc<AtomicBool>,
) -> io::Result<Gateway> {
    let (signers, signer_threads) = start_signers(config, snapshot)?.unzip();
    let signer_state = Arc::new(SignerState::default());
    let address = config
        .admin
        .as_ref()
        .and_then(|admin| admin.address.as_ref());
    let admin_listener = match address {
        Some(address) => Some(std::net::TcpListener::bind(address.value)?),
        None => None,
    };
    let current = Arc::new(Current::new(Arc::clone(snapshot)));
    let cpus = &config.listen.cpus.value;
    let listeners = cpus
        .iter()
        .map(|_| accept::listen(config.listen.address.value))
        .collect::<io::Result<Vec<_>>>()?;
    // They listen in the order of their CPUs, which is the order of their places in the group.
    if config.listen.steering.value == Steering::Cpu {
        listeners
            .first()
            .map_or(Ok(()), |first| steering::steer(first, cpus))?;
    }
    let keeps = match config.audit.as_ref().map(|audit| audit.when_unwritable) {
        None => Keeps::Refusals,
        Some(WhenUnwritable::Refuse) => Keeps::AllOrRefuse,
        Some(WhenUnwritable::Lossy) => Keeps::AllOrLose,
    };
    // What is steered to a shard must stay there.
    let even = config.listen.steering.value == Steering::Off;
    let connections_max = config.limits.connections_max;
    let plans = cpus
        .iter()
        .zip(listeners)
        .zip(shard::between(cpus.len(), even, connections_max))
        .enumerate()
        .map(|(index, ((cpu, listener), (balance, arrivals)))| Plan {
            index,
            shards: cpus.len(),
            cpu: *cpu,
            listener,
            balance,
            arrivals,
            snapshot: Arc::clone(snapshot),
            current: Arc::clone(&current),
            signers: signers.clone(),
            signer_state: Arc::clone(&signer_state),
            desk: Arc::clone(&desk),
            keeps,
            draining: Arc::clone(draining),
        });
    let shards = plans.map(shard::start).collect::<io::Result<Vec<_>>>()?;
    let batches = shards.iter().map(|shard| Arc::clone(&shard.batches));
    let names = Arc::new(ClientNames::from_pointee(snapshot.client_names()));
    let writer = AuditWriter::new(
        batches.enumerate().collect(),
        Arc::clone(&names),
        config.audit.as_ref(),
        Millis::now(),
    );
    let audit = writer.state();
    let notes = writer.notes();
    let (came, gone) = snapshot.revoked.take_file(&snapshot.revoked_by_file);
    revocation_notes::tell_of_file(&notes, &came, gone);
    let watched = signers.as_ref().map(|signers| Watched {
        signers: Arc::downgrade(signers),
        keys: keys_in_tokens(snapshot),
    });
    let mut vigil = Vigil::new(
        snapshot.certificate_not_after,
        watched,
        Arc::clone(&signer_state),
        Millis::now(),
        UnixMillis::now(),
    );
    let (anchors, own) = (&snapshot.anchors, &snapshot.own_certificates);
    vigil.look_after_clients(anchors, own, UnixSeconds::now());
    vigil.look_after_issuer(snapshot.issuer.clone());
    let anchors_not_after = vigil.anchors_end();
    let own_certificates_not_after = vigil.own_certificates_end();
    let control = Control::start(writer, vigil, Arc::clone(&current))?;
    let views = shards.iter().enumerate().map(|(index, shard)| ShardView {
        index,
        counters: Arc::clone(&shard.counters),
        scrapes: Arc::clone(&shard.scrapes),
    });
    let certificate_not_after = Arc::new(AtomicU64::new(snapshot.certificate_not_after.0));
    let reloads = Arc::new(Reloads::default());
    let crl_counts = Arc::new(CrlCounts::default());
    let ocsp_counts = Arc::new(OcspCounts::default());
    let asked = Arc::default();
    introspection::start_where_needed(&current, &asked)?;
    let mut ocsp_keeper = OcspKeeper::new(Arc::clone(&current), Arc::clone(&ocsp_counts));
    ocsp_keeper.start_where_needed()?;
    let mut keys_keeper = KeysKeeper::new(Arc::clone(&current));
    keys_keeper.start_where_needed()?;
    let revocation = Arc::clone(&snapshot.revocation);
    let crl_keeper = CrlKeeper::start(revocation, lists, Arc::clone(&crl_counts))?;
    let crl_keeper = Arc::new(crl_keeper);
    let parts = Parts {
        control: control.beat(),
        shards: views.collect(),
        clients: Arc::clone(&names),
        audit,
        signer: signer_state,
        signers: signers.as_ref().map(Arc::downgrade),
        draining: Arc::clone(draining),
        certificate_not_after: Arc::clone(&certificate_not_after),
        anchors_not_after,
        own_certificates_not_after,
        reloads: Arc::clone(&reloads),
        revocation: Arc::clone(&snapshot.revocation),
        crl_counts,
        ocsp_counts,
        revoked: Arc::clone(&snapshot.revoked),
        desk: Arc::clone(&desk),
        over_allowance: Arc::clone(snapshot.quotas.refused()),
        keys: keys_keeper.kept(),
        introspection: Arc::clone(&asked),
    };
    let revoking = Revoking {
        desk,
        current: Arc::clone(&current),
        notes: Arc::clone(&notes),
    };
    let admin = start_admin(admin_listener, parts, socket, revoking)?;
    let reloader = Reloader::new(
        (config.clone(), read),
        (current, names, shards.len()),
        (reloads, asked),
        certificate_not_after,
        (Arc::clone(&crl_keeper), ocsp_keeper, keys_keeper),
        notes,
        Millis::now(),
    );
    let reload = Arc::new(AtomicBool::new(false));
    let reloader = reloader.start(Arc::clone(&reload), Arc::clone(draining))?;
    Ok(Gateway {
        reload,
        reloader,
        shards,
        signers: signer_threads.unwrap_or_default(),
        draining: Arc::clone(draining),
        control: Some(control),
        crl_keeper: Some(crl_keeper),
        admin,
        clerk: None,
    })
}

type SignerThreads = (Arc<Signers>, Vec<JoinHandle<()>>);

fn start_signers(config: &Config, snapshot: &Snapshot) -> io::Result<Option<SignerThreads>> {
    let count = config.signing_threads();
    let queued_max = config.limits.signatures_queued_max;
    // The issuer's key, which may be in a token too, is of P-256.
    let takes_long = |key: &Arc<PrivateKey>| key.in_token() && key.kind() != KeyKind::P256;
    let rank = match snapshot.keys().any(takes_long) {
        true => Rank::BehindShards,
        false => Rank::Equal,
    };
    count
        .map(|count| Signers::start(count, queued_max, rank))
        .transpose()
}
