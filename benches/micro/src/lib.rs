//! What the rooms on a request's path cost, one by one and in a row: measured in time (`rooms`, by
//! criterion).
//!
//! [`cases`] are what is measured, on the [`scene`] and the [`wire`] that they need and the
//! [`messages`] that pass through.

pub mod cases;
pub mod messages;
pub mod scene;
pub mod wire;

/// Does so many rounds of a case. It is never inlined, and what stands behind a `dyn` is never
/// inlined into it: the loop is the same around all of them.
#[inline(never)]
pub fn measured_rounds(case: &mut dyn cases::Rounds, rounds: usize) {
    for _ in 0..rounds {
        case.round();
    }
}
