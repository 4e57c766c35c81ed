//! What becomes of the gateway when its HSM does not do what it should: a remote token (SoftHSM
//! behind `p11-kit server`, a relay on the way) that is killed, stopped, slow, or another than it
//! was, and a module that takes its process down, while `t8load` uses the gateway; and of requests
//! when the issuers of their tokens do not.
//!
//! `make test-fault` runs them; `T8GATE_FAULT_PAIRS=7 make test-fault` also compares latencies with
//! and without faults in as many pairs of runs, which takes minutes and a quiet machine.

// The ban is for the house; tests keep time as anybody does.
#![allow(clippy::disallowed_methods)]

// Of the live tests, which use more of it.
#[allow(dead_code)]
#[path = "../live/harness/mod.rs"]
mod harness;

mod breaking_module;
mod issuer_faults;
mod late_logins;
mod latency;
mod load;
mod lost_logins;
mod one_signature;
mod relay;
mod remote_token;
mod scene;
mod token_faults;
mod two_tokens;
