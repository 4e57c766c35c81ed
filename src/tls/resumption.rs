//! Session tickets bound to what they were issued under.
//!
//! rustls resumes a mutual-TLS session without looking at the client's certificate again, so the
//! ticketer does: a ticket of another trust epoch or listener, or one whose chain would not be
//! taken in a full handshake now, is as good as none. The full handshake that follows has its
//! verifier send the right alert.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;
use rustls::server::ProducesTickets;

use super::ticket_keys::{SealsTickets, TicketKeys};
use super::{ClientAuth, chains, turn};

const BINDING_BYTES: usize = 32;

/// What sessions of a listener are continued by.
#[derive(Clone)]
pub struct Tickets {
    pub keys: Arc<TicketKeys>,
    /// What the listener is called. Tickets of one that is called otherwise do not open, whoever
    /// has the keys; nodes that stand in for one another call theirs the same.
    pub listener: String,
}

/// Seals sessions under keys that all shards share, bound to trust epoch and listener.
#[derive(Clone)]
pub(super) struct BoundTickets {
    sealing: Arc<dyn SealsTickets>,
    /// Hash of trust epoch and listener: authenticated with the ticket, and not in it.
    binding: [u8; BINDING_BYTES],
    auth: Arc<ClientAuth>,
}

impl BoundTickets {
    pub(super) fn new(tickets: Tickets, auth: Arc<ClientAuth>) -> Self {
        Self::with(tickets.keys, auth, &tickets.listener)
    }

    pub(super) fn with(
        sealing: Arc<dyn SealsTickets>,
        auth: Arc<ClientAuth>,
        listener: &str,
    ) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(&auth.epoch());
        hash.update(listener.as_bytes());
        let binding = hash
            .finish()
            .as_ref()
            .try_into()
            .expect("SHA-256 has 32 octets");
        Self {
            sealing,
            binding,
            auth,
        }
    }
}

impl fmt::Debug for BoundTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundTickets")
    }
}

impl ProducesTickets for BoundTickets {
    fn enabled(&self) -> bool {
        true
    }

    //= RFC 8446 section 4.6.1
    //# A ticket is said to live for seven days at most.
    fn lifetime(&self) -> u32 {
        self.sealing.lifetime_s()
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        self.sealing.seal(session, &self.binding, turn::now())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let now = turn::now();
        let session = self.sealing.open(ticket, &self.binding, now)?;
        let chain: Vec<_> = chains::certificates(chain(&session)?)
            .map(CertificateDer::from)
            .collect();
        turn::note_leaf(self.auth.continued(&chain, now).ok()?);
        Some(session)
    }
}

/// The client's certificates in a session as rustls 0.23 writes it down (its `ServerSessionValue`,
/// a private encoding that a test pins): name, version and suite, secret, flag, chain.
pub(super) fn chain(session: &[u8]) -> Option<&[u8]> {
    let mut rest = session;
    if flag(&mut rest)? {
        vector(&mut rest, 1)?;
    }
    rest.split_off(..4)?;
    vector(&mut rest, 1)?;
    flag(&mut rest)?;
    if !flag(&mut rest)? {
        return None;
    }
    vector(&mut rest, 3)
}

fn flag(bytes: &mut &[u8]) -> Option<bool> {
    match bytes.split_off_first()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// A vector behind its length of `length_bytes` octets.
fn vector<'s>(bytes: &mut &'s [u8], length_bytes: usize) -> Option<&'s [u8]> {
    let length = bytes.split_off(..length_bytes)?;
    let length = length
        .iter()
        .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
    bytes.split_off(..length)
}
