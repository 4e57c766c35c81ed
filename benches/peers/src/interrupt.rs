//! Ctrl-C and SIGTERM: noticed, so that everything that was started is stopped before the end.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::fault::Fault;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens from now on, in a thread of its own.
///
/// # Errors
/// When the process cannot have a thread or a signal.
pub fn listen() -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Fault::new(format!("no runtime for signals: {error}")))?;
    let signals = {
        let _entered = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate()].map(signal)
    };
    let [interrupt, terminate] = signals;
    let no_signal = |error| Fault::new(format!("no signals: {error}"));
    let (mut interrupt, mut terminate) =
        (interrupt.map_err(no_signal)?, terminate.map_err(no_signal)?);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        ASKED.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Whether the end was asked for.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// # Errors
/// When the end was asked for.
pub fn check() -> Result<(), Fault> {
    if asked() {
        return Err(Fault::new("interrupted"));
    }
    Ok(())
}
