//! No identity of a subscriber leaves: what is looked for, where, and what stands for it in logs.
//!
//! [`Guard`] judges whole heads and bodies, [`Clearing`] bodies as they come, and gives no octet
//! before it was judged. A message goes through the `sieve` first, which almost all pass; of the
//! others each value is read (`walk`) in every way in which it may be spelt (`spelling`) or packed
//! (`packed`), and searched (`imsi`) by what its member holds ([`FieldKinds`]).
//!
//! Plain functions over octets: no I/O, and no octets make one panic.

mod clearing;
mod coded;
mod fields;
pub mod filter;
#[cfg(any(test, fuzzing))]
pub mod fuzzed;
mod guard;
mod imsi;
mod packed;
mod plmn;
mod pseudonym;
mod sieve;
mod spelling;
mod walk;

pub use clearing::{Clearing, Cut};
pub use coded::is_coded;
pub use fields::{FieldKinds, Kind, NETWORK_MEMBERS};
pub use filter::{Filter, FilterFault};
pub use guard::{Action, Guard, Hit, Media, Redaction, Scratch, Verdict};
pub use imsi::{Form, Scanner, Tier};
pub use plmn::{Plmn, Plmns};
pub use pseudonym::{IdentityKind, Pseudonym, PseudonymKey};
