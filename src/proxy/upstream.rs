//! Connections to the SCEF: each shard keeps its own, and uses the one it used last.

use std::cell::RefCell;

use crate::clock::Millis;
use crate::io::{Stream, Watch};
use crate::limits::RECV_BYTES;

use super::denial::Denial;
use super::local::Local;

/// A shard's idle upstream connections.
#[derive(Default)]
pub struct Pool {
    idle: RefCell<Vec<Idle>>,
}

struct Idle {
    link: Stream,
    until: Millis,
}

impl Pool {
    /// The connection used last that is still open. A receive is in flight on each, so that one
    /// the SCEF has closed is found without a system call.
    fn take(&self) -> Option<Stream> {
        let mut idle = self.idle.borrow_mut();
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        while let Some(Idle { mut link, .. }) = idle.pop() {
            if link.poll_recv(&mut cx).is_pending() {
                return Some(link);
            }
            // Closed, failed, or talking without being asked: what it said now could be taken
            // for the answer to another client's request.
        }
        None
    }

    /// Keeps a connection whose exchange is over for the next one.
    pub fn put(&self, mut link: Stream, local: &Local) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= local.snapshot.upstream_connections_idle_max || !link.inbox.is_empty() {
            return;
        }
        if link.inbox.capacity() > 2 * RECV_BYTES {
            local.buffers.give_back(std::mem::take(&mut link.inbox));
        }
        link.start_recv(RECV_BYTES);
        let until = local
            .watches
            .now()
            .after(local.snapshot.deadlines.upstream_idle);
        idle.push(Idle { link, until });
    }

    /// Closes what has been idle for too long, and what the SCEF has closed.
    pub fn expire(&self, now: Millis) {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        self.idle
            .borrow_mut()
            .retain_mut(|idle| idle.until > now && idle.link.poll_recv(&mut cx).is_pending());
    }

    /// Closes all.
    pub fn clear(&self) {
        self.idle.borrow_mut().clear();
    }

    /// How many are idle.
    pub fn idle_count(&self) -> usize {
        self.idle.borrow().len()
    }
}

/// A connection to the SCEF for one exchange, and whether it has been used before.
pub struct Link {
    pub stream: Stream,
    pub reused: bool,
}

/// An idle connection, or a new one.
///
/// # Errors
/// That it cannot be had, or not in time.
pub async fn link(local: &Local, watch: &Watch, whole_by: Millis) -> Result<Link, Denial> {
    match local.upstream.take() {
        Some(stream) => Ok(Link {
            stream,
            reused: true,
        }),
        None => connect(local, watch, whole_by).await,
    }
}

/// A new connection.
///
/// # Errors
/// That it cannot be had, or not in time.
pub async fn connect(local: &Local, watch: &Watch, whole_by: Millis) -> Result<Link, Denial> {
    let by = watch.now().after(local.snapshot.deadlines.upstream_connect);
    watch.set(by.min(whole_by));
    let connecting = Stream::connect(local.snapshot.upstream);
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
