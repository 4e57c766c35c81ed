//! Session tickets bound to what they were issued under.
//!
//! rustls resumes a mutual-TLS session without looking at the client's certificate again, so the
//! ticketer does: a ticket of another trust epoch or listener, or one whose chain would not be
//! taken in a full handshake now, is as good as none. The full handshake that follows has its
//! verifier send the right alert.
//!
//! Whoever continues a session gets a new ticket for it, in TLS 1.2 with the same master secret:
//! it is the session's age that ends it, not the ticket's. When it began stands in front of it,
//! sealed:
//!
//! ```text
//!   sealed = time of the full handshake, in seconds since 1970 (8) | session, as rustls writes it
//! ```

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;
use rustls::server::ProducesTickets;
use zeroize::Zeroizing;

use super::ticket_keys::{SealsTickets, TicketKeys};
use super::{ClientAuth, chains, turn};
use crate::clock::UnixSeconds;

const BINDING_BYTES: usize = 32;
/// When the session began.
pub(super) const BEGUN_BYTES: usize = 8;
/// What is sealed, as it is laid out: tickets of a process that lays it out otherwise do not open.
const LAYOUT: &[u8] = b"begun, session";

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
    /// Hash of trust epoch, layout and listener: authenticated with the ticket, and not in it.
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
        hash.update(LAYOUT);
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

    /// How long the session of this turn may go on still, in seconds.
    //= RFC 8446 section 4.6.1
    //# Sessions that are renewed again and again end some time after the handshake in which the
    //# client showed its certificate.
    fn left_s(&self, begun: UnixSeconds, now: UnixSeconds) -> u64 {
        let age_s = now.0.abs_diff(begun.0);
        self.sealing.session_s_max().saturating_sub(age_s)
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
        let now = turn::now();
        let left_s = self.left_s(turn::session_begun().unwrap_or(now), now);
        let left_s = u32::try_from(left_s).unwrap_or(u32::MAX);
        self.sealing.lifetime_s().min(left_s)
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let now = turn::now();
        let begun = turn::session_begun().unwrap_or(now);
        // One that is over in this second: a lifetime of none would be one without a bound.
        if self.left_s(begun, now) == 0 {
            return None;
        }
        let sealed = Zeroizing::new([&begun.0.to_be_bytes(), session].concat());
        self.sealing.seal(&sealed, &self.binding, now)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let now = turn::now();
        let mut session = self.sealing.open(ticket, &self.binding, now)?;
        let begun = UnixSeconds(u64::from_be_bytes(*session.first_chunk::<BEGUN_BYTES>()?));
        if self.left_s(begun, now) == 0 {
            return None;
        }
        session.drain(..BEGUN_BYTES);
        let chain: Vec<_> = chains::certificates(chain(&session)?)
            .map(CertificateDer::from)
            .collect();
        turn::note_leaf(self.auth.continued(&chain, now).ok()?);
        turn::note_session_begun(begun);
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
