//! t8gate: a T8 terminator. The map of the house is in `README.md`.

pub mod audit;
pub mod authz;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod http;
pub mod io;
pub mod limits;
pub mod links;
pub mod machine;
pub mod metrics;
pub mod oauth;
pub mod peer;
pub mod privacy;
pub mod proxy;
pub mod revoked;
pub mod secret;
pub mod shard;
pub mod signers;
pub mod snapshot;
pub mod tls;
