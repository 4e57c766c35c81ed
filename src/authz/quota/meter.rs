//! One bucket for all shards, in one word: what it says is found and changed by compare and swap,
//! once in a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Quota, Rate};
use crate::clock::{Nanos, UnixSeconds};

/// What all leases of a bucket are together, at most, as a part of it: one in so many.
const LEASED_PART: u32 = 8;
/// A longer lease saves nothing that could be measured.
const BATCH_MAX: u32 = 1_024;
/// Leases of one are none.
const BATCH_MIN: u32 = 2;
const NS_PER_S: u64 = 1_000_000_000;
/// A century and a half, so that times can be added.
const ROOM_NS_MAX: u64 = 1 << 62;

/// Alone on its cache lines, which processors fetch in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Level(AtomicU64);

/// A rate: the generic cell rate algorithm. The level is the moment at which the bucket would be
/// full again.
pub(super) struct RateMeter {
    /// For one unit, rounded up: what is rounded is to nobody's advantage.
    interval_ns: u64,
    /// What the bucket holds, as the time in which it fills.
    room_ns: u64,
    /// How much a shard keeps: room + shards x batch <= burst.
    batch: u32,
    level: Arc<Level>,
}

impl RateMeter {
    /// With so many shards; one request may take up to `at_once`.
    pub fn new(rate: Rate, shards: u32, at_once: u32, level: Option<&Arc<Level>>) -> Self {
        let period_ns = u64::from(rate.per.seconds()) * NS_PER_S;
        let interval_ns = period_ns.div_ceil(u64::from(rate.units.max(1)));
        let batch = batch(rate.burst, shards);
        let room = rate.burst.saturating_sub(batch.saturating_mul(shards));
        let (batch, room) = match room < at_once {
            true => (0, rate.burst),
            false => (batch, room),
        };
        let room_ns = interval_ns.saturating_mul(u64::from(room));
        Self {
            interval_ns,
            room_ns: room_ns.min(ROOM_NS_MAX),
            batch,
            level: level.cloned().unwrap_or_default(),
        }
    }

    /// The level, for a meter that takes this one's place.
    pub fn level(&self) -> &Arc<Level> {
        &self.level
    }

    pub fn batch(&self) -> u32 {
        self.batch
    }

    /// Sees to it that so many are in the lease.
    ///
    /// # Errors
    /// There are not: in so many seconds there would be.
    pub fn lease(&self, lease: &mut u32, units: u32, now: Nanos) -> Result<(), u32> {
        let Some(need) = units.checked_sub(*lease).filter(|need| *need > 0) else {
            return Ok(());
        };
        let wanted = u64::from(need.saturating_add(self.batch));
        let need = u64::from(need);
        let word = &self.level.0;
        let mut full_at = word.load(Ordering::Relaxed);
        loop {
            // A clock that was put back fills nothing.
            let from = full_at.max(now.0);
            let ahead = from - now.0;
            let there = self.room_ns.saturating_sub(ahead) / self.interval_ns;
            let taken = there.min(wanted);
            let then = taken.checked_mul(self.interval_ns);
            let Some(then) = then
                .and_then(|ns| from.checked_add(ns))
                .filter(|_| taken >= need)
            else {
                let lacking = need.saturating_mul(self.interval_ns).saturating_add(ahead);
                return Err(seconds(lacking.saturating_sub(self.room_ns)));
            };
            match word.compare_exchange_weak(full_at, then, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    *lease = lease.saturating_add(u32::try_from(taken).unwrap_or(u32::MAX));
                    return Ok(());
                }
                Err(known) => full_at = known,
            }
        }
    }

    /// Gives back what is more than `keep`. A bucket that has become full meanwhile takes nothing.
    pub fn give_back(&self, lease: &mut u32, keep: u32) {
        let surplus = lease.saturating_sub(keep);
        if surplus > 0 {
            let ns = u64::from(surplus).saturating_mul(self.interval_ns);
            let back = |full_at: u64| Some(full_at.saturating_sub(ns));
            // None is never asked for.
            let _ = { &self.level.0 }.fetch_update(Ordering::Relaxed, Ordering::Relaxed, back);
            *lease -= surplus;
        }
    }
}

/// A quota. The level is the number of the period, counted since 1970, and what has been used in
/// it: leases are.
pub(super) struct QuotaMeter {
    units: u32,
    period_s: u32,
    batch: u32,
    /// The last of a quota are leased one by one: a lease is this part of what is left.
    part: u32,
    level: Arc<Level>,
}

/// What one shard has of a quota, in the period that it was taken in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QuotaLease {
    pub units: u32,
    period: u32,
}

/// A period's number and what is used in it, as the word has them.
fn of_word(word: u64) -> (u32, u32) {
    let low = u64::from(u32::MAX);
    let half = |bits: u64| u32::try_from(bits & low).unwrap_or(u32::MAX);
    (half(word >> 32), half(word))
}

fn to_word(period: u32, used: u32) -> u64 {
    u64::from(period) << 32 | u64::from(used)
}

impl QuotaMeter {
    /// With so many shards.
    pub fn new(quota: Quota, shards: u32, level: Option<&Arc<Level>>) -> Self {
        Self {
            units: quota.units,
            period_s: quota.per.seconds(),
            batch: batch(quota.units, shards),
            part: shards.saturating_mul(LEASED_PART),
            level: level.cloned().unwrap_or_default(),
        }
    }

    /// The level, for a meter that takes this one's place.
    pub fn level(&self) -> &Arc<Level> {
        &self.level
    }

    pub fn batch(&self) -> u32 {
        self.batch
    }

    /// Sees to it that so many are in the lease.
    ///
    /// # Errors
    /// There are not: the period ends in so many seconds.
    pub fn lease(&self, lease: &mut QuotaLease, units: u32, now: UnixSeconds) -> Result<(), u32> {
        let today = now.0 / u64::from(self.period_s);
        let today = u32::try_from(today).unwrap_or(u32::MAX);
        // One of a later period is as good: the clock was put back.
        if lease.period >= today && lease.units >= units {
            return Ok(());
        }
        let word = &self.level.0;
        let mut known = word.load(Ordering::Relaxed);
        loop {
            // A clock that was put back begins no period anew.
            let (period, used) = match of_word(known) {
                (period, used) if period >= today => (period, used),
                _ => (today, 0),
            };
            let held = match lease.period == period {
                true => lease.units,
                false => 0,
            };
            let need = units.saturating_sub(held);
            let there = self.units.saturating_sub(used);
            if there < need {
                let end = (u64::from(period) + 1).saturating_mul(u64::from(self.period_s));
                let wait_s = end.saturating_sub(now.0).max(1);
                return Err(u32::try_from(wait_s).unwrap_or(u32::MAX));
            }
            let more = self.batch.min(there / self.part);
            let taken = need.saturating_add(more).min(there);
            let then = to_word(period, used.saturating_add(taken));
            match word.compare_exchange_weak(known, then, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    let units = held.saturating_add(taken);
                    *lease = QuotaLease { units, period };
                    return Ok(());
                }
                Err(other) => known = other,
            }
        }
    }

    /// Gives back what is more than `keep`, unless its period is over.
    pub fn give_back(&self, lease: &mut QuotaLease, keep: u32) {
        let surplus = lease.units.saturating_sub(keep);
        if surplus > 0 {
            let back = |word: u64| {
                let (period, used) = of_word(word);
                let same = period == lease.period;
                same.then(|| to_word(period, used.saturating_sub(surplus)))
            };
            // Else it is of no use to anybody.
            let _ = { &self.level.0 }.fetch_update(Ordering::Relaxed, Ordering::Relaxed, back);
            lease.units -= surplus;
        }
    }
}

/// What a shard takes at a time beside what it needs; none of a bucket so small that nobody could
/// ask often for what is in it.
fn batch(units: u32, shards: u32) -> u32 {
    let batch = units / LEASED_PART.saturating_mul(shards);
    match batch.min(BATCH_MAX) {
        batch if batch < BATCH_MIN => 0,
        batch => batch,
    }
}

fn seconds(ns: u64) -> u32 {
    u32::try_from(ns.div_ceil(NS_PER_S).max(1)).unwrap_or(u32::MAX)
}
