//! What is slow: building a snapshot from files and token, and telling the operator what the
//! shards have to say.

pub mod audit_file;
mod audit_line;
pub mod load;
pub mod reporter;
