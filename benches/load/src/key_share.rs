//! One X25519 key for all handshakes of a run.
//!
//! A server must compute as much for a key it has seen as for a new one, and cannot tell the
//! difference; the generator saves a multiplication, an eighth of what a resumed handshake costs
//! it. Forward secrecy of load needs no protection. Other groups make a key for each handshake.

use std::sync::Arc;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};

/// The group with its one key. rustls wants groups that live for ever.
#[derive(Debug)]
pub struct OneKey {
    private: Arc<PrivateKey>,
    public: Vec<u8>,
}

impl OneKey {
    /// Makes the key.
    ///
    /// # Errors
    /// The random source fails.
    pub fn generate() -> Result<&'static Self, String> {
        let fault = |_| "no X25519 key could be made".to_owned();
        let private = PrivateKey::generate(&X25519).map_err(fault)?;
        let public = private.compute_public_key().map_err(fault)?;
        Ok(Box::leak(Box::new(Self {
            public: public.as_ref().to_vec(),
            private: Arc::new(private),
        })))
    }
}

impl SupportedKxGroup for OneKey {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(Exchange {
            private: self.private.clone(),
            public: self.public.clone(),
        }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// One handshake's use of it.
struct Exchange {
    private: Arc<PrivateKey>,
    public: Vec<u8>,
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = UnparsedPublicKey::new(&X25519, peer);
        let misbehaved = Error::from(PeerMisbehaved::InvalidKeyShare);
        agree(&self.private, peer, misbehaved, |secret| {
            Ok(SharedSecret::from(secret))
        })
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_on_a_secret_again_and_again() {
        let ours = OneKey::generate().expect("a key");
        for _ in 0..2 {
            let exchange = ours.start().expect("a key");
            let theirs = rustls::crypto::aws_lc_rs::kx_group::X25519;
            let done = theirs
                .start_and_complete(exchange.pub_key())
                .expect("a key share");
            let secret = exchange.complete(&done.pub_key).expect("a key share");
            assert_eq!(secret.secret_bytes(), done.secret.secret_bytes());
        }
    }

    #[test]
    fn a_key_share_that_is_none_is_refused() {
        let ours = OneKey::generate().expect("a key");
        for peer in [&[0; 32][..], &[1; 31], b""] {
            let exchange = ours.start().expect("a key");
            assert!(exchange.complete(peer).is_err(), "{peer:?}");
        }
    }
}
