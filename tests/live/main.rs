//! The gateway among real peers: real sockets and a real ring, a software token, curl and openssl.
//!
//! Every test brings its own PKI, SCEF and gateway process, and may run beside any other.

// The ban is for the house; tests keep time as anybody does.
#![allow(clippy::disallowed_methods)]

mod harness;

mod anchors;
mod apis;
mod audit;
mod authorization;
mod bare_metal;
mod bounds;
mod capif_tokens;
mod certificate_algorithms;
mod certificate_profile;
mod client_cli;
mod client_files;
mod clients;
mod clock;
mod config_cli;
mod conformance;
mod demo;
mod dhe;
mod external_issuer;
mod fips;
mod forwarding;
mod guard_actions;
mod guarded;
mod hsm;
mod hsm_lost;
mod http_requests;
mod http_responses;
mod hw;
mod introspection;
mod issuer;
mod issuer_clients;
mod issuer_endpoints;
mod issuer_keys;
mod issuer_profiles;
mod keys;
mod links;
mod ocsp_clients;
mod opaque_tokens;
mod operation;
mod own_certificates;
mod per_ue;
mod privacy;
mod published_keys;
mod quotas;
mod reload;
mod reload_fetched;
mod reload_files;
mod reload_gone;
mod reload_lists;
mod reload_tokens;
mod resource_server;
mod resumption;
mod resumption_refused;
mod revocation;
mod scanners;
mod self_signed;
mod selftest;
mod several_tickets;
mod several_tokens;
mod shutdown;
mod signer_process;
mod stapling;
mod start_status;
mod tls;
mod tls_extensions;
mod tls_profile;
mod token_cli;
mod token_floods;
mod token_revocation;
mod trust_lost;
mod ue_sets;
