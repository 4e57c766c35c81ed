//! Priority over others' work, for a bench on a machine that is not idle.

use std::path::Path;

use crate::fault::{Fault, about};

/// Linux shares a CPU out among sessions first ("autogroups"), and `nice` speaks only within one:
/// so the session of this bench is raised as a whole.
const AUTOGROUP: &str = "/proc/self/autogroup";

/// A raised session; as everybody's again when dropped.
pub struct Raised;

impl Raised {
    /// Raises this session, where it is asked for (`niceness` is not 0) and there are autogroups.
    ///
    /// # Errors
    /// When it may not be.
    pub fn session(niceness: i32) -> Result<Option<Self>, Fault> {
        if niceness == 0 || !Path::new(AUTOGROUP).exists() {
            return Ok(None);
        }
        let written = std::fs::write(AUTOGROUP, niceness.to_string());
        about(AUTOGROUP, written).map(|()| Some(Self))
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        // Nothing else can be done about it at the end.
        let _ = std::fs::write(AUTOGROUP, "0");
    }
}
