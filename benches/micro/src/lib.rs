//! What the rooms on a request's path cost, one by one and in a row: measured in instructions
//! (`counts`, the judge of changes) and in time (`rooms`, by criterion).
//!
//! [`cases`] are what is measured, on the [`scene`] and the [`wire`] that they need and the
//! [`messages`] that pass through. [`callgrind`] reads what valgrind counted, [`table`] compares it
//! with what stands in `counts.md`.

pub mod callgrind;
pub mod cases;
pub mod messages;
pub mod scene;
pub mod table;
pub mod wire;

/// Does so many rounds of a case: the only function in which valgrind counts. It finds it by this
/// name, so it is never inlined, and what stands behind a `dyn` is never inlined into it.
#[inline(never)]
pub fn measured_rounds(case: &mut dyn cases::Rounds, rounds: usize) {
    for _ in 0..rounds {
        case.round();
    }
}
