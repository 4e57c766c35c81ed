//! The rooms that say what a token opens and who gets one, and the leaves that they know, without
//! the house around them: one change of them compiles and is tested in seconds.

#![cfg_attr(
    not(test),
    expect(dead_code, reason = "what only the rest of the house calls")
)]

#[path = "../../../src/authz/mod.rs"]
pub mod authz;
#[path = "../../../src/clock.rs"]
pub mod clock;
#[path = "../../../src/limits.rs"]
pub mod limits;
#[path = "../../../src/oauth/mod.rs"]
pub mod oauth;
#[path = "../../../src/peer.rs"]
pub mod peer;
#[path = "../../../src/revoked/mod.rs"]
pub mod revoked;
#[path = "../../../src/secret.rs"]
pub mod secret;
