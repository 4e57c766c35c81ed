//! The TLS room and the leaves that it knows, without the house around them: one change of them
//! compiles and is tested in seconds, where the gateway takes a minute.

#[path = "../../../src/clock.rs"]
pub mod clock;
#[path = "../../../src/limits.rs"]
pub mod limits;
#[path = "../../../src/peer.rs"]
pub mod peer;
#[path = "../../../src/revoked/mod.rs"]
pub mod revoked;
#[path = "../../../src/secret.rs"]
pub mod secret;
#[path = "../../../src/tls/mod.rs"]
pub mod tls;
