//! Revocations on their way to the audit file: who asked for what, and what became of it. They are
//! rare and come from other threads than the shards, so they have a queue of their own.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;

use crate::clock::UnixMillis;
use crate::revoked::{Entry, Kind};

/// Notes that may wait for the writer.
const NOTES_MAX: usize = 8_192;

/// One revocation, made or taken back or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub at: UnixMillis,
    pub act: Act,
    pub kind: Kind,
    /// Of a client its `client_id`, of an issuer's key issuer and `kid`, of a certificate its
    /// thumbprint; of a token the beginning of a hash.
    pub name: String,
    /// Why it was refused; empty where it was not.
    pub reason: &'static str,
    pub by: By,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Revoke,
    TakeBack,
}

impl Act {
    /// As the audit file writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::TakeBack => "take_back",
        }
    }
}

/// Who asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A process at the admin socket, as the kernel knows it.
    Socket { uid: u32, pid: Option<i32> },
    /// The operator's file.
    File,
}

/// How an entry is called in records.
pub fn called(entry: &Entry) -> String {
    match entry.id.kind() {
        Kind::Client | Kind::IssuerKey => entry.name.clone(),
        Kind::Certificate => entry.id.digits(),
        Kind::Token | Kind::Jti => entry.id.pseudonym(),
    }
}

/// Tells of what came by the operator's file, and that some of it is gone from there.
pub fn tell_of_file(notes: &Notes, came: &[&Entry], gone: usize) {
    let at = UnixMillis::now();
    for entry in came {
        notes.write(Note {
            at,
            act: Act::Revoke,
            kind: entry.id.kind(),
            name: called(entry),
            reason: "",
            by: By::File,
        });
    }
    if gone > 0 || !came.is_empty() {
        let came = came.len();
        tracing::info!(came, gone, "revocations by file are in force");
    }
}

/// The queue.
#[derive(Debug)]
pub struct Notes {
    waiting: ArrayQueue<Note>,
    lost: AtomicU64,
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            waiting: ArrayQueue::new(NOTES_MAX),
            lost: AtomicU64::new(0),
        }
    }
}

impl Notes {
    /// Hands one over. Where there is no room it is lost, which is counted and said: nothing is
    /// left in force because it cannot be recorded that it was revoked.
    pub fn write(&self, note: Note) {
        if let Err(note) = self.waiting.push(note)
            && self.lost.fetch_add(1, Ordering::Relaxed) == 0
        {
            tracing::error!(
                kind = note.kind.word(),
                hint = "see what is wrong with audit.file; the log has a line for each request",
                "revocations are not recorded: there is no room for them"
            );
        }
    }

    /// The oldest.
    pub fn take(&self) -> Option<Note> {
        self.waiting.pop()
    }
}
