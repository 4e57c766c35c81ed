//! What is slow: building a snapshot from files and token, and telling the operator what the
//! shards have to say.

pub mod load;
pub mod reporter;
