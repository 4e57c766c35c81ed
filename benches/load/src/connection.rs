//! One connection's state, between the events of the ring.

use std::sync::Arc;

use rustls::ClientConfig;
use socket2::Socket;

use crate::link::Link;
use crate::reply::Reply;
use crate::tally::Operation;
use crate::tls::LastSession;

/// ```text
///   Closed ──▶ Connecting ──▶ Handshaking ──▶ Open ──▶ Leaving ──▶ Closing ──▶ Closed
///                   └──────────────┴────────────┴─────(a fault)───────▲
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No socket.
    Closed,
    /// TCP's handshake.
    Connecting,
    /// TLS' handshake.
    Handshaking,
    /// Requests may be sent.
    Open,
    /// Done, and saying so.
    Leaving,
    /// Shut down; what the kernel still does for it ends.
    Closing,
}

/// What the kernel is doing for a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// A connect.
    pub connect: bool,
    /// A send, which has the buffer.
    pub send: bool,
    /// A receive.
    pub receive: bool,
}

/// A connection and what it is about.
pub struct Connection {
    /// Where it is.
    pub stage: Stage,
    /// Its socket, except when closed.
    pub socket: Option<Socket>,
    /// The layer between socket and HTTP.
    pub link: Link,
    /// What is to be sent once the kernel has sent what it has.
    pub out: Vec<u8>,
    /// What the kernel does for it.
    pub under_way: UnderWay,
    /// Reads responses.
    pub reply: Reply,
    /// What it is doing, or will do as soon as it is open.
    pub operation: Option<Operation>,
    /// Its request was sent.
    pub asked: bool,
    /// When its stage, or its request, began, in ns.
    pub since_ns: u64,
    /// After a failure: not before this time, in ns.
    pub not_before_ns: u64,
    /// Operations of the schedule that it has taken.
    pub taken: u64,
    /// It has been set up.
    pub ready: bool,
    /// How it speaks TLS; `None` in the clear.
    pub config: Option<Arc<ClientConfig>>,
    /// Where its sessions are kept, when they are.
    pub session: Option<Arc<LastSession>>,
}

impl Connection {
    /// A closed one.
    pub fn new(config: Option<Arc<ClientConfig>>, session: Option<Arc<LastSession>>) -> Self {
        Self {
            stage: Stage::Closed,
            socket: None,
            link: Link::clear(),
            out: Vec::new(),
            under_way: UnderWay::default(),
            reply: Reply::default(),
            operation: None,
            asked: false,
            since_ns: 0,
            not_before_ns: 0,
            taken: 0,
            ready: false,
            config,
            session,
        }
    }

    /// Nothing of it is with the kernel any more.
    pub fn is_at_rest(&self) -> bool {
        self.under_way == UnderWay::default()
    }
}
