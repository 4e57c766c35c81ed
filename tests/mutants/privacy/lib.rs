//! The guard that lets no identity of a subscriber out, without the house around it: one change of
//! it compiles and is tested in seconds.

#[path = "../../../src/privacy/mod.rs"]
pub mod privacy;
#[path = "../../../src/secret.rs"]
pub mod secret;
