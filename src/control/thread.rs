//! The control thread: writes down what the shards have decided, and looks after what may change
//! while they serve.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::{Millis, UnixMillis};

use super::audit_file::AuditWriter;
use super::vigil::Vigil;

/// Between two looks at what the shards have to say.
const TURN_EVERY: Duration = Duration::from_millis(50);

/// The running thread.
pub struct Control {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Control {
    /// Starts it.
    ///
    /// # Errors
    /// The kernel's, where the thread cannot be had.
    pub fn start(mut writer: AuditWriter, mut vigil: Vigil) -> io::Result<Self> {
        let ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ending);
        let thread = thread::Builder::new()
            .name("t8gate-control".to_owned())
            .spawn(move || {
                while !told.load(Ordering::Relaxed) {
                    writer.turn(Millis::now());
                    vigil.turn(Millis::now(), UnixMillis::now());
                    thread::sleep(TURN_EVERY);
                }
                writer.finish(Millis::now());
            })?;
        Ok(Self { ending, thread })
    }

    /// Whether it ended, which it never does unasked.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends it, when the last shard has ended: what they have left behind is written first.
    pub fn end(self) {
        self.ending.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            tracing::error!("the control thread ended by a panic");
        }
    }
}
