//! Threads that may wait for a token. A shard hands over work that signs and takes back what came
//! of it; it never waits for the token itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, Sender, bounded};
use tokio::sync::oneshot;

use crate::clock::{Millis, Nanos};
use crate::io::cpu;

/// Who goes first where threads that sign and a shard want the same CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Nobody: for signatures that take less than a shard needs for a few requests. Each time the
    /// shard is let in between it wakes for less at once, and a connection costs a third more.
    Equal,
    /// The shard. A token in software computes half a millisecond for a signature with RSA and more
    /// for P-384, which requests on the same CPU would wait for several times each; a connection
    /// costs a tenth more.
    BehindShards,
}

/// What came of a piece of work.
#[derive(Debug)]
pub struct Done<T> {
    pub value: T,
    /// How long it waited for a thread, in nanoseconds.
    pub waited_ns: u64,
}

/// The queue is full: whoever asked is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// One piece of work; it sends home itself what comes of it.
type Job = Box<dyn FnOnce() + Send>;

/// The threads and their one queue.
pub struct Signers {
    jobs: Sender<Job>,
    /// Since when each thread has been at its piece of work, in milliseconds; 0 where it waits.
    busy_since: Arc<[AtomicU64]>,
}

impl Signers {
    /// Starts `count` threads behind a queue of `queued_max`. They end when the value is dropped
    /// and the queue is empty; the handles are for those who want to wait for that.
    ///
    /// # Errors
    /// The kernel's, where a thread cannot be started.
    pub fn start(
        count: usize,
        queued_max: usize,
        rank: Rank,
    ) -> std::io::Result<(Arc<Self>, Vec<JoinHandle<()>>)> {
        let (jobs, queue) = bounded(queued_max.max(1));
        let idle = (0..count.max(1)).map(|_| AtomicU64::new(0));
        let busy_since: Arc<[AtomicU64]> = idle.collect();
        let threads = (0..count.max(1))
            .map(|index| {
                let queue: Receiver<Job> = queue.clone();
                let busy_since = Arc::clone(&busy_since);
                thread::Builder::new()
                    .name(format!("signer-{index}"))
                    .spawn(move || {
                        if rank == Rank::BehindShards
                            && let Err(error) = cpu::step_back()
                        {
                            tracing::warn!(%error, "signers compete with shards for their CPU");
                        }
                        for job in queue.iter() {
                            // Never 0, which says that it waits.
                            let now = Millis::now().0.max(1);
                            busy_since[index].store(now, Ordering::Relaxed);
                            run(job);
                            busy_since[index].store(0, Ordering::Relaxed);
                        }
                    })
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        Ok((Arc::new(Self { jobs, busy_since }), threads))
    }

    /// Queues work that is about to sign. The receiver yields what came of it; it yields an error
    /// when the deadline passed in the queue.
    ///
    /// # Errors
    /// The queue is full: the work is dropped.
    pub fn submit<T: Send + 'static>(
        &self,
        by: Millis,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<Done<T>>, Busy> {
        let (home, back) = oneshot::channel();
        let queued_at = Nanos::now();
        let job = move || {
            if home.is_closed() || by <= Millis::now() {
                return;
            }
            let waited_ns = Nanos::now().since(queued_at);
            let value = work();
            // The shard may have given up meanwhile; then there is nobody to tell.
            let _ = home.send(Done { value, waited_ns });
        };
        let queued = self.jobs.try_send(Box::new(job));
        queued.map(|()| back).map_err(|_| Busy)
    }

    /// For how long the slowest piece of work under way has been so, in milliseconds.
    pub fn busy_ms(&self, now: Millis) -> u64 {
        let since = self.busy_since.iter().map(|at| at.load(Ordering::Relaxed));
        let busy = since
            .filter(|at| *at > 0)
            .map(|at| now.0.saturating_sub(at));
        busy.max().unwrap_or(0)
    }

    /// Pieces of work that wait for a thread.
    pub fn queued(&self) -> usize {
        self.jobs.len()
    }
}

/// Whose signature it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// The server's key, a handshake.
    Handshake,
    /// The issuer's key, a token.
    Grant,
}

/// Whether the last signatures were made, for whoever asks on any thread.
#[derive(Debug, Default)]
pub struct SignerState {
    failed: [AtomicBool; 2],
}

impl SignerState {
    /// Notes whether a signature that was asked for was made.
    pub fn note(&self, whose: Signs, signed: bool) {
        self.failed[whose as usize].store(!signed, Ordering::Relaxed);
    }

    /// Whether the last one of this key was not made; false before the first.
    pub fn failed(&self, whose: Signs) -> bool {
        self.failed[whose as usize].load(Ordering::Relaxed)
    }

    /// Whether the last one of any key was not made.
    pub fn last_failed(&self) -> bool {
        self.failed(Signs::Handshake) || self.failed(Signs::Grant)
    }
}

/// One job; a panic in it costs that job and not the thread.
fn run(job: Job) {
    if catch_unwind(AssertUnwindSafe(job)).is_err() {
        tracing::error!("a piece of work for the token panicked and was dropped");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn later() -> Millis {
        Millis(Millis::now().0 + 60_000)
    }

    #[test]
    fn work_comes_home_and_a_panic_costs_only_itself() {
        let (signers, threads) = Signers::start(1, 8, Rank::Equal).unwrap();
        let lost = signers.submit(later(), || panic!("in a test")).unwrap();
        let done = signers.submit(later(), || 7).unwrap();
        assert_eq!(done.blocking_recv().unwrap().value, 7);
        let lost: Result<Done<()>, _> = lost.blocking_recv();
        assert!(lost.is_err());
        drop(signers);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn threads_that_sign_for_long_step_behind_all_others() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        for (rank, expected) in [(Rank::Equal, nice()), (Rank::BehindShards, cpu::NICE_MAX)] {
            let (signers, _threads) = Signers::start(1, 1, rank).unwrap();
            let theirs = signers.submit(later(), nice).unwrap().blocking_recv();
            assert_eq!(theirs.unwrap().value, expected);
        }
        assert!(nice() < cpu::NICE_MAX, "only they do");
    }

    #[test]
    fn a_full_queue_refuses_and_what_is_late_is_not_done() {
        let (signers, _threads) = Signers::start(1, 1, Rank::Equal).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let (begun, begins) = mpsc::channel();
        let first = signers.submit(later(), move || {
            begun.send(()).unwrap();
            held.recv()
        });
        begins.recv().unwrap();
        let late = signers.submit(Millis(0), || 1).unwrap();
        assert_eq!(signers.queued(), 1);
        // Not 0, which a thread never says either.
        let then = Millis(Millis::now().0.max(1) + 5_000);
        assert!(signers.busy_ms(then) >= 5_000, "one is at work");
        assert_eq!(signers.submit(later(), || 2).err(), Some(Busy));
        release.send(()).unwrap();
        assert!(first.unwrap().blocking_recv().is_ok());
        assert!(late.blocking_recv().is_err());
    }
}
