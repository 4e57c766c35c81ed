//! Who may do what: the T8 APIs, the issuers' keys, access tokens and their cache. Plain functions
//! over bytes: no I/O, no HTTP, and the time is an argument.
//!
//! A request's path goes through [`apis::configured::Served`]; its token through [`cache::Memo`],
//! then [`cache::TokenCache`], then [`token::verify`] with [`issuers::Issuers`]. What the caller
//! still has to compare is named in [`token::Grant`]: thumbprint, client and API. What is asked for
//! of whom is held against [`policy::decide`].

pub mod apis;
pub mod assertion;
pub mod cache;
pub mod content;
pub mod details;
pub mod introspection;
pub mod issuers;
mod json;
pub mod keys;
pub mod policy;
pub mod quota;
pub mod refused;
pub mod scope;
pub mod sealed;
pub mod token;
pub mod ue;

#[cfg(test)]
mod mint;
