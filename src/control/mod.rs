//! What is slow: building a snapshot from files and token, and telling the operator what the
//! shards have to say.

pub mod admin;
pub mod audit_file;
pub mod audit_line;
pub mod exposition;
pub mod load;
pub mod process;
pub mod reload;
pub mod reporter;
pub mod thread;
pub mod ticket_secrets;
pub mod vigil;
