//! What is slow: building a snapshot from files and token, and telling the operator what the
//! shards have to say.

pub mod admin;
pub mod anchors;
pub mod audit_file;
pub mod audit_line;
pub mod crl_fetch;
pub mod crl_keeper;
pub mod exposition;
pub mod introspection;
pub mod keys_fetch;
pub mod keys_keeper;
pub mod load;
pub mod ocsp_fetch;
pub mod ocsp_keeper;
pub mod own_certificates;
pub mod process;
pub mod reload;
pub mod reporter;
pub mod revocation;
pub mod revocation_notes;
mod revoked_file;
pub mod thread;
pub mod ticket_secrets;
mod touched;
pub mod vigil;
