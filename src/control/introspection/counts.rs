//! What became of questions about opaque tokens so far, for whoever asks on any thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What became of one question of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The issuer was asked, and what it said gives something.
    Taken,
    /// The same, and what it said of an active token is not what a token has to say.
    Refused,
    /// The same, and the token is not active.
    Inactive,
    /// The same, and nothing was said that could be understood.
    Failed,
    /// Another question about the same token was under way, and its answer is for both.
    Shared,
    /// The token is known to be inactive.
    Remembered,
    /// Nobody was asked: so many of the client's tokens were asked about in vain just now.
    OverBudget,
    /// Nobody was asked: too many questions are under way, or the issuer is left alone.
    TurnedAway,
}

impl Outcome {
    const ALL: [Self; 8] = [
        Self::Taken,
        Self::Refused,
        Self::Inactive,
        Self::Failed,
        Self::Shared,
        Self::Remembered,
        Self::OverBudget,
        Self::TurnedAway,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::Inactive => "inactive",
            Self::Failed => "failed",
            Self::Shared => "shared",
            Self::Remembered => "remembered",
            Self::OverBudget => "over_budget",
            Self::TurnedAway => "turned_away",
        }
    }
}

/// Counts of the process.
#[derive(Debug, Default)]
pub struct Counts {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    breaker_open: AtomicBool,
    waiting: AtomicU64,
    inactive: AtomicU64,
}

impl Counts {
    /// What became of questions, each with its word for metrics.
    pub fn questions(&self) -> [(&'static str, u64); 8] {
        Outcome::ALL.map(|outcome| {
            let count = self.outcomes[outcome as usize].load(Ordering::Relaxed);
            (outcome.word(), count)
        })
    }

    /// Whether the issuer is left alone, for having answered nothing.
    pub fn breaker_is_open(&self) -> bool {
        self.breaker_open.load(Ordering::Relaxed)
    }

    /// Tokens that the issuer is being asked about.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Tokens that are remembered as inactive.
    pub fn inactive(&self) -> u64 {
        self.inactive.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn is_now(&self, breaker_open: bool, waiting: usize, inactive: usize) {
        self.breaker_open.store(breaker_open, Ordering::Relaxed);
        self.waiting.store(waiting as u64, Ordering::Relaxed);
        self.inactive.store(inactive as u64, Ordering::Relaxed);
    }
}
