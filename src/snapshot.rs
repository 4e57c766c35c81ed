//! All that decides about connections and requests, as one immutable value: built whole or not at
//! all, shared by every shard.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use hsm::PrivateKey;

use crate::authz::keys::Issuers;
use crate::clock::UnixSeconds;
use crate::limits::{Deadlines, Limits};
use crate::oauth::Issuer;
use crate::peer::{Client, ClientIndex};
use crate::tls::Terminator;

/// What is in force.
pub struct Snapshot {
    /// The pattern: each shard has its own.
    pub terminator: Arc<Terminator>,
    /// The server's private key; the terminator signs with it.
    pub key: Arc<PrivateKey>,
    /// When the server's certificate ends.
    pub certificate_not_after: UnixSeconds,
    pub issuers: Issuers,
    /// The embedded issuer, where there is one.
    pub issuer: Option<Arc<Issuer>>,
    pub clients: Vec<Client>,
    /// By the `client_id` their tokens carry.
    pub clients_by_id: HashMap<String, ClientIndex>,
    pub upstream: SocketAddr,
    pub upstream_connections_idle_max: usize,
    pub limits: Limits,
    pub deadlines: Deadlines,
}

impl Snapshot {
    /// The client at a place that was taken from this snapshot.
    pub fn client(&self, index: ClientIndex) -> Option<&Client> {
        self.clients.get(usize::try_from(index.0).ok()?)
    }
}
