//! One CPU: a pinned thread, its ring, its listening socket, and all that its connections share.

mod balance;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use aws_lc_rs::rand;
use socket2::Socket;
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

use crate::audit::{Batches, Journal, Keeps};
use crate::authz::cache::TokenCache;
use crate::authz::quota::Leases;
use crate::clock::{Millis, UnixMillis};
use crate::io::{Buffers, Listener, Pause, Stream, Turnstile, Watches, cpu};
use crate::limits::{CALLED_BACK_MAX, SWEEP_MS};
use crate::metrics::{Counters, Latencies, Scrapes};
use crate::proxy::connection;
use crate::proxy::local::{InForce, Local};
use crate::proxy::upstream::Pool;
use crate::revoked::desk::Desk;
use crate::signers::{SignerState, Signers};
use crate::snapshot::{Current, Snapshot};
use crate::tls::DheAllowance;

pub use balance::{Balance, between};

/// Entries of the submission queue; the completion queue is twice as long. A longer burst is
/// submitted in parts.
const RING_ENTRIES: u32 = 1_024;
/// What the writer of the audit file gets to make room for the last records.
const JOURNAL_WAIT: Duration = Duration::from_secs(2);
/// After an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a shard is made of.
pub struct Plan {
    /// Place in the list of CPUs.
    pub index: usize,
    /// How many shards there are.
    pub shards: usize,
    pub cpu: usize,
    /// Bound and listening already, so that no shard starts when one cannot.
    pub listener: Socket,
    /// Where a connection goes that the kernel gave to this shard.
    pub balance: Balance,
    /// Connections that others accepted for this one.
    pub arrivals: Receiver<Socket>,
    /// In force at the start.
    pub snapshot: Arc<Snapshot>,
    /// Where others put what is to be in force.
    pub current: Arc<Current>,
    pub signers: Option<Arc<Signers>>,
    pub signer_state: Arc<SignerState>,
    pub desk: Arc<Desk>,
    /// Which decisions are recorded.
    pub keeps: Keeps,
    /// Set by the control thread: finish, and end.
    pub draining: Arc<AtomicBool>,
}

/// What others see of a running shard.
pub struct Handle {
    pub counters: Arc<Counters>,
    pub scrapes: Arc<Scrapes>,
    pub batches: Arc<Batches>,
    pub thread: JoinHandle<()>,
}

/// Starts a shard's thread, and waits until it is about to accept.
///
/// # Errors
/// The kernel's, where the thread or its ring cannot be had.
pub fn start(plan: Plan) -> io::Result<Handle> {
    let (ready, readiness) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name(format!("shard-{}", plan.index))
        .spawn(move || run(plan, &ready))?;
    let ended = || io::Error::other("a shard ended before it had begun");
    let shown = readiness.recv().map_err(|_| ended())??;
    Ok(Handle {
        counters: shown.counters,
        scrapes: shown.scrapes,
        batches: shown.batches,
        thread,
    })
}

/// A ring as the shards use it: one thread submits, and completions never interrupt it.
fn ring() -> tokio_uring::Builder {
    let mut uring = tokio_uring::uring_builder();
    uring.setup_coop_taskrun().setup_single_issuer();
    let mut builder = tokio_uring::builder();
    builder.entries(RING_ENTRIES).uring_builder(&uring);
    builder
}

/// Whether shards can run here: makes a ring like theirs and gives it up.
///
/// # Errors
/// What is in the way and what to do about it, in words.
pub fn ring_is_available() -> Result<(), String> {
    let made = thread::spawn(|| tokio_uring::Runtime::new(&ring()).map(drop)).join();
    match made {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(explain(&error)),
        Err(_) => Err("io_uring cannot be set up".to_owned()),
    }
}

fn explain(error: &io::Error) -> String {
    let cure = match error.raw_os_error() {
        Some(libc::ENOSYS) => {
            "the kernel is built without io_uring: use one with CONFIG_IO_URING, 6.0 or newer"
        }
        Some(libc::EPERM | libc::EACCES) => {
            "io_uring is forbidden here: set the sysctl kernel.io_uring_disabled to 0, or, in a \
             container, let its seccomp profile allow io_uring_setup, io_uring_enter and \
             io_uring_register"
        }
        Some(libc::EINVAL) => {
            "the kernel is too old for IORING_SETUP_COOP_TASKRUN and IORING_SETUP_SINGLE_ISSUER: \
             use 6.0 or newer"
        }
        Some(libc::ENOMEM) => "raise the limit on locked memory (ulimit -l, LimitMEMLOCK=)",
        Some(libc::EMFILE | libc::ENFILE) => "raise the limit on descriptors (LimitNOFILE=)",
        _ => "see io_uring_setup(2) for this error",
    };
    format!("io_uring is not available: {error}; {cure}")
}

/// What a shard has of itself that others see.
struct Shown {
    counters: Arc<Counters>,
    scrapes: Arc<Scrapes>,
    batches: Arc<Batches>,
}

fn run(plan: Plan, ready: &mpsc::SyncSender<io::Result<Shown>>) {
    if let Err(error) = cpu::pin(plan.cpu) {
        tracing::warn!(shard = plan.index, cpu = plan.cpu, %error, "shard is not pinned");
    }
    // Made here, as all that the shard owns: the kernel takes memory from the node of the CPU that
    // first touches it.
    let counters = Arc::new(Counters::new(plan.snapshot.clients.len()));
    let scrapes = Arc::new(Scrapes::default());
    let (journal, batches) = Journal::new(plan.keeps, plan.snapshot.limits.audit_records_max);
    let shown = Shown {
        counters: Arc::clone(&counters),
        scrapes: Arc::clone(&scrapes),
        batches,
    };
    let begun = tokio_uring::Runtime::new(&ring())
        .map_err(|error| io::Error::new(error.kind(), explain(&error)))
        .and_then(|runtime| Ok((runtime, begin(&plan, counters, journal)?)));
    let (runtime, local) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            // Whoever started the shard waits for this, and says it.
            let _ = ready.send(Err(error));
            return;
        }
    };
    let _ = ready.send(Ok(shown));
    // What is in force is the local's: this one is not to outlive it, with its keys and sessions.
    drop(plan.snapshot);
    let (draining, current) = (plan.draining, plan.current);
    let listener = Rc::new(Listener::new(plan.listener));
    let reception = Rc::new(Reception {
        local: Rc::clone(&local),
        balance: plan.balance,
    });
    runtime.block_on(async {
        let (end, over) = oneshot::channel();
        let arriving = arrive(plan.arrivals, Rc::clone(&reception), over);
        let arriving = tokio_uring::spawn(arriving);
        let accepting = tokio_uring::spawn(accept(Rc::clone(&listener), reception));
        // Not in this future itself: waking the root of a runtime costs a write to its eventfd.
        let sweeping = sweep(Rc::clone(&local), draining, current, Arc::clone(&scrapes));
        let _ = tokio_uring::spawn(sweeping).await;
        local.draining.set(true);
        listener.stop();
        let _ = accepting.await;
        drop::<oneshot::Sender<()>>(end);
        let _ = arriving.await;
        drain(&local, &scrapes).await;
        local.upstream.clear();
    });
    // The connections that were cut are told of when their tasks end, with the runtime.
    drop(runtime);
    let by = Millis::now().after(JOURNAL_WAIT);
    while !local.journal.finish() && Millis::now() < by {
        thread::sleep(Duration::from_millis(1));
    }
}

/// All that a shard owns, before its first connection.
fn begin(plan: &Plan, counters: Arc<Counters>, journal: Journal) -> io::Result<Rc<Local>> {
    let mut random = [0; 8];
    rand::fill(&mut random).map_err(|_| io::Error::other("the system has no random numbers"))?;
    let tokens = TokenCache::new(plan.snapshot.limits.cached_tokens_max);
    let in_force = InForce::of(Arc::clone(&plan.snapshot));
    Ok(Rc::new(Local {
        shard: u16::try_from(plan.index).unwrap_or(u16::MAX),
        tokens: RefCell::new(tokens.map_err(io::Error::other)?),
        in_force: RefCell::new(in_force.map_err(io::Error::other)?),
        dhe: RefCell::new(DheAllowance::new(plan.shards)),
        leases: RefCell::new(Leases::of(&plan.snapshot.quotas)),
        failures: RefCell::default(),
        refused_tokens: RefCell::default(),
        scratch: RefCell::default(),
        spare_clearings: RefCell::default(),
        standings: Rc::default(),
        judged_by: Cell::new(0),
        verified_at: Cell::new(0),
        counters,
        latencies: RefCell::new(Latencies::default()),
        journal,
        signers: plan.signers.clone(),
        signer_state: Arc::clone(&plan.signer_state),
        desk: Arc::clone(&plan.desk),
        upstream: Pool::default(),
        buffers: Buffers::default(),
        calls_back_left: Cell::new(CALLED_BACK_MAX),
        watches: Watches::new(Millis::now()),
        turnstile: Turnstile::default(),
        wall: Cell::new(UnixMillis::now()),
        draining: Cell::new(false),
        epoch: u64::from_ne_bytes(random),
        requests_named: Cell::new(0),
        held_bytes: Cell::new(0),
        held_by: RefCell::default(),
    }))
}

/// Where connections come in.
struct Reception {
    local: Rc<Local>,
    balance: Balance,
}

/// Accepts until the listener is stopped.
async fn accept(listener: Rc<Listener>, reception: Rc<Reception>) {
    let local = &reception.local;
    loop {
        let accepted = listener.accept().await;
        // Out of descriptors the kernel does not look whether the listener has been stopped.
        if local.draining.get() {
            return;
        }
        match accepted {
            Ok(socket) => {
                if let Some(socket) = reception.balance.place(socket) {
                    serve(socket, &reception);
                }
            }
            Err(_) => {
                local.counters.accepts_failed.bump();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Takes what other shards have accepted for this one.
async fn arrive(
    mut arrivals: Receiver<Socket>,
    reception: Rc<Reception>,
    mut over: oneshot::Receiver<()>,
) {
    loop {
        tokio::select! {
            Some(socket) = arrivals.recv() => serve(socket, &reception),
            // Its other end is dropped: nothing is accepted any more.
            _ = &mut over => break,
        }
    }
    // Whoever hands over from now on is told that nobody is here.
    arrivals.close();
    // Not `try_recv`: it finds nothing while another shard is at it.
    while let Some(socket) = arrivals.recv().await {
        serve(socket, &reception);
    }
}

/// Serves a connection in a task of its own, if there is room for it.
fn serve(socket: Socket, reception: &Rc<Reception>) {
    let local = &reception.local;
    if open_connections(local) >= local.snapshot().limits.connections_max {
        local.counters.connections_over_bound.bump();
        reception.balance.closed();
        return;
    }
    local.counters.connections_accepted.bump();
    // Counted by a guard: a task may also end by a panic, which the runtime catches and which must
    // cost one connection only.
    let closed = Closed(Rc::clone(reception));
    tokio_uring::spawn(async move {
        let closed = closed;
        connection::serve(Stream::new(socket), Rc::clone(&closed.0.local)).await;
    });
}

struct Closed(Rc<Reception>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.local.counters.connections_closed.bump();
        self.0.balance.closed();
    }
}

fn open_connections(local: &Local) -> usize {
    let counters = &local.counters;
    let open = counters.connections_accepted.read() - counters.connections_closed.read();
    usize::try_from(open).unwrap_or(usize::MAX)
}

/// Keeps the shard's clocks and deadlines until the end is announced.
async fn sweep(
    local: Rc<Local>,
    draining: Arc<AtomicBool>,
    current: Arc<Current>,
    scrapes: Arc<Scrapes>,
) {
    // The first look allocates what all later ones need on this thread.
    adopt(&local, &current);
    let mut pause = Pause::of(Duration::from_millis(SWEEP_MS));
    while !draining.load(Ordering::Relaxed) {
        pause.wait().await;
        tick(&local, &scrapes);
        adopt(&local, &current);
    }
}

/// Takes what is to be in force from now on, where that has been replaced.
fn adopt(local: &Local, current: &Current) {
    let snapshot = current.load();
    if local.snapshot().is_of(&snapshot) {
        return local.look_for_lists();
    }
    if let Err(what) = local.adopt(Arc::clone(&snapshot)) {
        tracing::error!(shard = local.shard, what, "what was in force stays");
    }
}

fn tick(local: &Local, scrapes: &Scrapes) {
    let now = Millis::now();
    local.wall.set(UnixMillis::now());
    local.counters.swept_at_ms.set(now.0);
    local.journal.publish();
    let tokens = local.tokens.borrow();
    local.counters.tokens_held.set(tokens.len() as u64);
    local.counters.tokens_evicted.set(tokens.evicted());
    scrapes.answer(&local.latencies.borrow());
    local.watches.sweep(now);
    local.upstream.expire(now);
    local.leases.borrow_mut().expire(now);
    local.calls_back_left.set(CALLED_BACK_MAX);
}

/// Lets what is in flight finish, within the bound.
async fn drain(local: &Local, scrapes: &Scrapes) {
    local.watches.wake_all();
    let by = Millis::now().after(local.snapshot().deadlines.drain);
    while open_connections(local) > 0 && Millis::now() < by {
        tokio::time::sleep(Duration::from_millis(SWEEP_MS)).await;
        tick(local, scrapes);
    }
    let cut = open_connections(local);
    if cut > 0 {
        tracing::warn!(
            shard = local.shard,
            connections = cut,
            "drain bound reached, closing"
        );
    }
}
