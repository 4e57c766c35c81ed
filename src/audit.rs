//! Refusals on their way off the shard: a shard writes down what happened in a few words of fixed
//! size, and the control thread makes the line of text.

use std::net::SocketAddr;

use crossbeam::queue::ArrayQueue;

use crate::limits::REFUSALS_QUEUED_MAX;
use crate::peer::ClientIndex;

/// Names one request in logs here, at the client (`X-Request-Id`) and at the SCEF: 32 hexadecimal
/// digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// The id of the `count`th request of a shard; `epoch` is random for each start of it.
    pub fn new(epoch: u64, count: u64) -> Self {
        let mut digits = [0; 32];
        let bytes = epoch.to_be_bytes().into_iter().chain(count.to_be_bytes());
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        Self(digits)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// One refusal: of a request, or of a connection before there was one.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The table's word for it.
    pub word: &'static str,
    /// What it was in particular; empty where there is no more to say.
    pub detail: &'static str,
    /// What the operator should look at.
    pub cure: &'static str,
    /// The HTTP status answered, 0 where the connection was refused before HTTP.
    pub status: u16,
    pub shard: usize,
    pub client: Option<ClientIndex>,
    pub address: SocketAddr,
    pub request_id: Option<RequestId>,
}

/// The way from a shard to the control thread. Neither side ever waits for the other.
#[derive(Debug)]
pub struct Refusals(ArrayQueue<Refusal>);

impl Default for Refusals {
    fn default() -> Self {
        Self(ArrayQueue::new(REFUSALS_QUEUED_MAX))
    }
}

impl Refusals {
    /// Puts a refusal on its way; false when there is no room for it.
    pub fn push(&self, refusal: Refusal) -> bool {
        self.0.push(refusal).is_ok()
    }

    /// Takes the oldest.
    pub fn pop(&self) -> Option<Refusal> {
        self.0.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_32_hexadecimal_digits_and_differ() {
        let first = RequestId::new(0xdead_beef_0000_0001, 1);
        assert_eq!(first.as_str(), "deadbeef000000010000000000000001");
        assert_ne!(first, RequestId::new(0xdead_beef_0000_0001, 2));
    }

    #[test]
    fn a_full_queue_says_so_and_loses_nothing_that_is_in_it() {
        let refusals = Refusals::default();
        let refusal = Refusal {
            word: "api_unknown",
            detail: "",
            cure: "",
            status: 404,
            shard: 0,
            client: None,
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            request_id: None,
        };
        for _ in 0..REFUSALS_QUEUED_MAX {
            assert!(refusals.push(refusal));
        }
        assert!(!refusals.push(refusal));
        let taken = std::iter::from_fn(|| refusals.pop()).count();
        assert_eq!(taken, REFUSALS_QUEUED_MAX);
    }
}
