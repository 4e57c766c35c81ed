//! Waiting on the ring. The runtime's own timers would do as well, but each costs the thread that
//! it wakes a write to its own eventfd, forty times a second for a shard's sweep.

use std::time::Duration;

use io_uring::{opcode, types::Timespec};

use super::stream::submit;

/// A wait of a fixed length, again and again.
pub struct Pause {
    length: Option<Box<Timespec>>,
}

impl Pause {
    /// Of so much time.
    pub fn of(length: Duration) -> Self {
        let length = Timespec::new()
            .sec(length.as_secs())
            .nsec(length.subsec_nanos());
        Self {
            length: Some(Box::new(length)),
        }
    }

    /// Waits. Dropped before its end, it is over.
    pub async fn wait(&mut self) {
        let Some(length) = self.length.take() else {
            return;
        };
        let entry = opcode::Timeout::new(&raw const *length).build();
        let (_, length) = submit(None, length, entry).await;
        self.length = Some(length);
    }
}
