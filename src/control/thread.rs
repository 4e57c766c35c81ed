//! The control thread: writes down what the shards have decided, and looks after what may change
//! while they serve.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::clock::{Millis, UnixMillis, UnixSeconds};

use super::audit_file::AuditWriter;
use super::vigil::{Vigil, keys_in_tokens};
use crate::snapshot::Current;

/// Between two looks at what the shards have to say, when there was nothing.
const TURN_EVERY: Duration = Duration::from_millis(50);
/// And when there was something. On a shard's own CPU, requests wait for a turn that lasts: little
/// at a time, 0.1 ms at 40,000 records a second, keeps them from noticing.
const TURN_WHEN_BUSY: Duration = Duration::from_millis(5);

/// The running thread.
pub struct Control {
    ending: Arc<AtomicBool>,
    /// When it last took a turn, milliseconds as of `clock::Millis`.
    beat: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Starts it. `current` says whose certificate and keys are looked after.
    ///
    /// # Errors
    /// The kernel's, where the thread cannot be had.
    pub fn start(
        mut writer: AuditWriter,
        mut vigil: Vigil,
        current: Arc<Current>,
    ) -> io::Result<Self> {
        let ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ending);
        let beat = Arc::new(AtomicU64::new(Millis::now().0));
        let beats = Arc::clone(&beat);
        let thread = thread::Builder::new()
            .name("t8gate-control".to_owned())
            .spawn(move || {
                let mut looked_after = current.load_full();
                while !told.load(Ordering::Relaxed) {
                    let snapshot = current.load_full();
                    if !Arc::ptr_eq(&snapshot, &looked_after) {
                        vigil.look_after(snapshot.certificate_not_after, keys_in_tokens(&snapshot));
                        let (anchors, own) = (&snapshot.anchors, &snapshot.own_certificates);
                        vigil.look_after_clients(anchors, own, UnixSeconds::now());
                        vigil.look_after_issuer(snapshot.issuer.clone());
                        looked_after = snapshot;
                    }
                    beats.store(Millis::now().0, Ordering::Relaxed);
                    let taken = writer.turn(Millis::now());
                    vigil.turn(Millis::now(), UnixMillis::now());
                    thread::sleep(match taken {
                        0 => TURN_EVERY,
                        _ => TURN_WHEN_BUSY,
                    });
                }
                writer.finish(Millis::now());
            })?;
        Ok(Self {
            ending,
            beat,
            thread: Some(thread),
        })
    }

    /// When it last took a turn: it does not while a disk keeps it waiting.
    pub fn beat(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.beat)
    }

    /// Whether it ended, which it never does unasked.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it, when the last shard has ended: what they have left behind is written first. False
    /// where a disk keeps it waiting for longer than `wait`: then it cannot be ended.
    pub fn end(mut self, wait: Duration) -> bool {
        self.ending.store(true, Ordering::Relaxed);
        let by = Millis::now().after(wait);
        while !self.has_ended() {
            if by <= Millis::now() {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        let thread = self.thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the control thread ended by a panic");
        }
        true
    }
}

/// Also where a start has failed half-way.
impl Drop for Control {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
    }
}
