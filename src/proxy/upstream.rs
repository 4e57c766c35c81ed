//! Connections to the SCEF: each shard keeps its own, and uses the one it used last.

use std::cell::{OnceCell, RefCell};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Handle, RuntimeMetrics};

use crate::clock::Millis;
use crate::io::{Stream, Watch};
use crate::limits::RECV_BYTES;

use super::denial::Denial;
use super::local::Local;

/// A shard's idle upstream connections. A receive is in flight on each, so that one the SCEF has
/// closed, or on which it talks without being asked, is found without a system call.
#[derive(Default)]
pub struct Pool {
    idle: RefCell<Vec<Idle>>,
    runtime: OnceCell<RuntimeMetrics>,
}

struct Idle {
    link: Stream,
    until: Millis,
    /// The turn of the loop in which its receive was queued; the kernel has it in the next one.
    turn: u64,
}

impl Pool {
    /// The connection used last whose receive the kernel has had; else one of this very turn.
    fn take(&self) -> Option<Idle> {
        let mut idle = self.idle.borrow_mut();
        let turn = self.turn();
        let place = idle.iter().rposition(|idle| idle.turn < turn);
        place
            .or(idle.len().checked_sub(1))
            .map(|place| idle.swap_remove(place))
    }

    /// Each turn of the loop ends with parking the thread, and the queue is flushed right before.
    fn turn(&self) -> u64 {
        self.runtime
            .get_or_init(|| Handle::current().metrics())
            .worker_park_count(0)
    }

    /// Keeps a connection whose exchange is over for the next one.
    pub fn put(&self, mut link: Stream, local: &Local) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= local.snapshot().upstream_connections_idle_max || !link.inbox.is_empty() {
            return;
        }
        if link.inbox.capacity() > 2 * RECV_BYTES {
            local.buffers.give_back(std::mem::take(&mut link.inbox));
        }
        link.start_recv(RECV_BYTES);
        let until = local
            .watches
            .now()
            .after(local.snapshot().deadlines.upstream_idle);
        let turn = self.turn();
        idle.push(Idle { link, until, turn });
    }

    /// Closes what has been idle for too long, and what the SCEF has closed.
    pub fn expire(&self, now: Millis) {
        self.idle
            .borrow_mut()
            .retain_mut(|idle| idle.until > now && is_silent(&mut idle.link));
    }

    /// Closes all.
    pub fn clear(&self) {
        self.idle.borrow_mut().clear();
    }
}

fn is_silent(link: &mut Stream) -> bool {
    link.poll_recv(&mut Context::from_waker(Waker::noop()))
        .is_pending()
}

/// A connection to the SCEF for one exchange, and whether it has been used before.
pub struct Link {
    pub stream: Stream,
    pub reused: bool,
}

impl Link {
    /// Keeps it for the next exchange, if all that was sent has been taken.
    pub fn give_back(mut self, local: &Local) {
        // Nobody has waited for the end of the request's last piece yet.
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(())) = self.stream.poll_send(&mut cx) {
            let sent = std::mem::take(&mut self.stream.outbox);
            local.buffers.give_back(sent);
            local.upstream.put(self.stream, local);
        }
    }
}

/// An idle connection, or a new one.
///
/// # Errors
/// That it cannot be had, or not in time.
pub async fn link(local: &Local, watch: &Watch, whole_by: Millis) -> Result<Link, Denial> {
    while let Some(Idle { mut link, turn, .. }) = local.upstream.take() {
        if turn == local.upstream.turn() {
            // What the SCEF has sent without being asked may lie in the socket, unseen: one trip
            // through the kernel, so that the receive has had its chance to find it.
            let _ = tokio_uring::no_op().await;
        }
        // What is said unasked could be taken for the answer to another client's request.
        if is_silent(&mut link) {
            return Ok(Link {
                stream: link,
                reused: true,
            });
        }
    }
    connect(local, watch, whole_by).await
}

/// A new connection.
///
/// # Errors
/// That it cannot be had, or not in time.
pub async fn connect(local: &Local, watch: &Watch, whole_by: Millis) -> Result<Link, Denial> {
    let by = watch
        .now()
        .after(local.snapshot().deadlines.upstream_connect);
    watch.set(by.min(whole_by));
    let connecting = Stream::connect(local.snapshot().upstream);
    let mut connecting = connecting.map_err(|_| Denial::DescriptorsExhausted)?;
    match watch.wait(|cx| connecting.poll(cx)).await {
        Ok(Ok(stream)) => {
            local.counters.upstream_connections.bump();
            Ok(Link {
                stream,
                reused: false,
            })
        }
        Ok(Err(_)) => Err(Denial::UpstreamRefused),
        Err(_) if by <= whole_by => Err(Denial::UpstreamConnectDeadline),
        Err(_) => Err(Denial::ExchangeDeadline),
    }
}
