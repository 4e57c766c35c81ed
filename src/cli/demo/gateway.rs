//! The demo's one way to the gateway: the same as `t8gate serve`, in this process.

use std::path::Path;

use crate::cli::serve::Gateway;
use crate::config;
use crate::control::reload;

/// Starts the gateway on a configuration file.
///
/// # Errors
/// Everything that is in the way, as `t8gate check` would tell it.
pub fn start(file: &Path) -> Result<Gateway, String> {
    match reload::examine(file) {
        (Some(config), faults, read) if faults.is_empty() => {
            Gateway::start(&config, read, || ()).map_err(|faults| config::render(file, &faults))
        }
        (_, faults, _) => Err(config::render(file, &faults)),
    }
}

/// Ends it in order.
pub fn stop(gateway: Gateway) {
    gateway.stop();
}
