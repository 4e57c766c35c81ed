//! t8gate: a T8 terminator. The map of the house is in `README.md`.

pub mod clock;
pub mod config;
pub mod limits;
pub mod peer;
