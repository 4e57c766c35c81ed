//! Where handshakes are signed when the key is in a token: ordinary threads that may block. A
//! shard hands over the half-made connection and takes it back; it never waits for the token.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::oneshot;

use crate::clock::{Millis, UnixSeconds};

use super::{Handshake, Refusal, Step};

/// A handshake on its way back to its shard, and what came of the step that could sign.
pub type Signed = (Handshake, Result<Step, Refusal>);

struct Job {
    handshake: Handshake,
    /// Nobody waits for it any longer after that.
    by: Millis,
    home: oneshot::Sender<Signed>,
}

/// The threads and their one queue.
pub struct HandshakeThreads {
    jobs: Sender<Job>,
}

impl HandshakeThreads {
    /// Starts `count` threads behind a queue of `queued_max`. They end when the value is dropped
    /// and the queue is empty; the handles are for those who want to wait for that.
    ///
    /// # Errors
    /// The kernel's, where a thread cannot be started.
    pub fn start(
        count: usize,
        queued_max: usize,
    ) -> std::io::Result<(Arc<Self>, Vec<JoinHandle<()>>)> {
        let (jobs, queue) = bounded(queued_max.max(1));
        let threads = (0..count.max(1))
            .map(|index| {
                let queue: Receiver<Job> = queue.clone();
                thread::Builder::new()
                    .name(format!("signer-{index}"))
                    .spawn(move || queue.iter().for_each(sign))
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        Ok((Arc::new(Self { jobs }), threads))
    }

    /// Queues a handshake that is about to sign. The receiver yields it again; it yields an error
    /// when the deadline passed in the queue.
    ///
    /// # Errors
    /// The queue is full: the handshake comes back, to be refused.
    pub fn submit(
        &self,
        handshake: Handshake,
        by: Millis,
    ) -> Result<oneshot::Receiver<Signed>, Box<Handshake>> {
        let (home, back) = oneshot::channel();
        self.jobs
            .try_send(Job {
                handshake,
                by,
                home,
            })
            .map(|()| back)
            .map_err(|error| {
                let (TrySendError::Full(job) | TrySendError::Disconnected(job)) = error;
                Box::new(job.handshake)
            })
    }
}

/// One job; a panic in it costs that handshake and not the thread.
fn sign(job: Job) {
    if catch_unwind(AssertUnwindSafe(|| sign_or_drop(job))).is_err() {
        tracing::error!("a handshake panicked and was dropped");
    }
}

fn sign_or_drop(job: Job) {
    let Job {
        mut handshake,
        by,
        home,
    } = job;
    if home.is_closed() || by <= Millis::now() {
        return;
    }
    let step = handshake.advance_signing(UnixSeconds::now());
    // The shard may have given up meanwhile; then there is nobody to tell.
    let _ = home.send((handshake, step));
}
