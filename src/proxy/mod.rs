//! From an accepted connection to its last byte: authenticated, every request admitted or
//! refused, the admitted ones carried to the SCEF and back.

pub mod account;
pub mod answer;
pub mod connection;
pub mod content;
pub mod denial;
pub mod exchange;
pub mod failures;
pub mod forward;
pub mod gate;
pub mod greeting;
mod guarded;
pub mod introspection;
mod issuer;
mod led;
pub mod local;
pub mod look;
pub mod refusal;
pub mod source;
pub mod standing;
pub mod upstream;
