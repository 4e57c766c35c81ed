//! How often a client may ask and how much in a day: the operator's allowances, for a service or
//! for single event types, which hold for the gateway as a whole.
//!
//! All shards take from one bucket, and a shard takes a batch at a time: it uses up its lease
//! without looking at what the others write. What is in a bucket and in the leases of it is never
//! more than the burst, so that a client never gets more than rate x time + burst, or more than its
//! quota between two midnights (or full hours, or minutes) of UTC. What lies with other shards, an
//! eighth of the burst at most, it may find missing for up to a second: then they give it back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::apis::{ApiId, Verb};
use super::policy::Operations;
use crate::clock::{Millis, Nanos, UnixSeconds};
use crate::peer::ClientIndex;

mod meter;

#[cfg(test)]
mod tests;

use self::meter::{QuotaLease, QuotaMeter, RateMeter};

/// Between two times at which a shard gives back what it has not used.
const LEASE_MS: u64 = 1_000;

/// What a client is allowed of a service: so many in a time, in the long run or by the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub scope: Scope,
    pub rate: Option<Rate>,
    pub quota: Option<Quota>,
}

/// What an allowance is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// All together where not said.
    pub api: Option<ApiId>,
    pub operations: Operations,
    /// Each once: these event types are counted, each that a request names. Requests are where
    /// there are none.
    pub monitoring_types: Vec<Box<str>>,
}

/// So many in a time, whenever that begins, and some at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// One at least.
    pub units: u32,
    pub per: Period,
    pub burst: u32,
}

/// So many between two ends of a period in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub units: u32,
    pub per: Period,
}

/// In which something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Second,
    Minute,
    Hour,
    Day,
}

impl Period {
    /// The shortest first.
    pub const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::Hour, Self::Day];

    /// As the configuration writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
            Self::Day => "day",
        }
    }

    /// How long it is.
    pub fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.units, self.per.word())
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.units, self.per.word())
    }
}

/// Which of the two is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    Rate,
    Quota,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    pub bound: Bound,
    /// After so many seconds the same would be allowed, if nothing else was asked for meanwhile.
    pub retry_after_s: u32,
}

/// Both clocks: rates go by the one that never jumps, quotas by the calendar.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub steady: Nanos,
    pub wall: UnixSeconds,
}

/// An operation of an API: method and the resource's template, as [`super::apis`] has it.
pub type Asked<'a> = (ApiId, Verb, &'a str);

/// The allowances of all clients, with what is left of them.
#[derive(Default)]
pub struct Quotas {
    /// In the places of the clients, up to the last one that has any.
    clients: Vec<Box<[Metered]>>,
    refused: Arc<Refusals>,
}

/// One allowance, and what is left of it for all shards.
struct Metered {
    allowance: Allowance,
    rate: Option<RateMeter>,
    quota: Option<QuotaMeter>,
    refused: Arc<Refused>,
}

impl Quotas {
    /// Of clients in the order of their places, for so many shards. What was used of an allowance
    /// of the one `before` stays used where its scope and its rate, or the time of its quota, are
    /// what they were.
    pub fn new<'c>(
        clients: impl Iterator<Item = (&'c str, &'c [Allowance])>,
        shards: usize,
        before: Option<&Self>,
    ) -> Self {
        let shards = u32::try_from(shards).unwrap_or(u32::MAX).max(1);
        let refused = before.map_or_else(Arc::default, |before| Arc::clone(&before.refused));
        let metered = |(place, (name, allowances)): (usize, (&str, &[Allowance]))| {
            let known = before.and_then(|before| before.clients.get(place));
            let metered = allowances.iter().map(|allowance| {
                let same = |known: &&Metered| known.allowance.scope == allowance.scope;
                let known = known.and_then(|known| known.iter().find(same));
                let count = refused.of(name, allowance.scope.api);
                Metered::new(allowance, shards, known, count)
            });
            metered.collect()
        };
        let mut clients: Vec<Box<[Metered]>> = clients.enumerate().map(metered).collect();
        let last = clients.iter().rposition(|metered| !metered.is_empty());
        clients.truncate(last.map_or(0, |last| last + 1));
        Self { clients, refused }
    }

    /// What was refused for them since the start: the same in every value that was made of another.
    pub fn refused(&self) -> &Arc<Refusals> {
        &self.refused
    }

    fn of(&self, client: ClientIndex) -> Option<&[Metered]> {
        let metered = self.clients.get(usize::try_from(client.0).ok()?)?;
        Some(metered)
            .filter(|metered| !metered.is_empty())
            .map(AsRef::as_ref)
    }
}

impl Metered {
    fn new(
        allowance: &Allowance,
        shards: u32,
        before: Option<&Self>,
        refused: Arc<Refused>,
    ) -> Self {
        let at_once = u32::try_from(allowance.scope.monitoring_types.len()).unwrap_or(u32::MAX);
        let rate = allowance.rate.map(|rate| {
            let pace = |rate: Rate| (rate.units, rate.per);
            let known = before.filter(|known| known.allowance.rate.map(pace) == Some(pace(rate)));
            let level = known
                .and_then(|known| known.rate.as_ref())
                .map(RateMeter::level);
            RateMeter::new(rate, shards, at_once, level)
        });
        let quota = allowance.quota.map(|quota| {
            let period = |quota: Quota| quota.per;
            let known = before.filter(|known| known.allowance.quota.map(period) == Some(quota.per));
            let level = known
                .and_then(|known| known.quota.as_ref())
                .map(QuotaMeter::level);
            QuotaMeter::new(quota, shards, level)
        });
        Self {
            allowance: allowance.clone(),
            rate,
            quota,
            refused,
        }
    }

    /// What a request takes of it that names these event types.
    fn units(&self, (api, verb, resource): Asked<'_>, named: &[&str]) -> u32 {
        let scope = &self.allowance.scope;
        let is_of = scope.api.is_none_or(|of| of == api) && scope.operations.take(verb, resource);
        if !is_of || scope.monitoring_types.is_empty() {
            return u32::from(is_of);
        }
        let types = scope.monitoring_types.iter();
        let named = types.filter(|kind| named.contains(&&***kind)).count();
        u32::try_from(named).unwrap_or(u32::MAX)
    }
}

/// What one shard has taken of the allowances and not used yet. Given back when it is dropped.
#[derive(Default)]
pub struct Leases {
    quotas: Arc<Quotas>,
    /// In the order of the quotas.
    held: Vec<Box<[Held]>>,
    give_back_at: Option<Millis>,
}

/// Of one allowance.
#[derive(Clone, Copy, Default)]
struct Held {
    rate: u32,
    quota: QuotaLease,
}

impl Leases {
    /// None yet.
    pub fn of(quotas: &Arc<Quotas>) -> Self {
        let held = |metered: &[Metered]| metered.iter().map(|_| Held::default()).collect();
        let clients = quotas.clients.iter().map(AsRef::as_ref);
        Self {
            held: clients.map(held).collect(),
            quotas: Arc::clone(quotas),
            give_back_at: None,
        }
    }

    /// Whether a client has any allowance, and a clock has to be read for it.
    pub fn concern(&self, client: ClientIndex) -> bool {
        self.quotas.of(client).is_some()
    }

    /// Whether one of them is for event types, and what a client's requests name has to be known.
    pub fn count_event_types(&self, client: ClientIndex) -> bool {
        let counts = |metered: &Metered| !metered.allowance.scope.monitoring_types.is_empty();
        { self.quotas.of(client) }.is_some_and(|metered| metered.iter().any(counts))
    }

    /// Whether what is left of all allowances that count requests like it is enough for one more,
    /// which is not taken yet: more has to be known of it first.
    ///
    /// # Errors
    /// One of them is used up.
    pub fn allow(
        &mut self,
        client: ClientIndex,
        asked: Asked<'_>,
        now: Now,
    ) -> Result<(), Exceeded> {
        self.lease(client, asked, &[], now).map(drop)
    }

    /// Takes a request off all allowances that count requests like it, and the event types that it
    /// names off all that count those, each type once; or nothing off any.
    ///
    /// # Errors
    /// One of them is used up.
    pub fn charge(
        &mut self,
        client: ClientIndex,
        asked: Asked<'_>,
        monitoring_types: &[&str],
        now: Now,
    ) -> Result<(), Exceeded> {
        for (metered, held) in self.lease(client, asked, monitoring_types, now)? {
            held.take(metered.units(asked, monitoring_types));
        }
        Ok(())
    }

    /// Has all that is needed come into the leases of a client's allowances, which come back.
    fn lease(
        &mut self,
        client: ClientIndex,
        asked: Asked<'_>,
        monitoring_types: &[&str],
        now: Now,
    ) -> Result<impl Iterator<Item = (&Metered, &mut Held)>, Exceeded> {
        let metered = self.quotas.of(client).unwrap_or_default();
        let place = usize::try_from(client.0).unwrap_or(usize::MAX);
        let held = self.held.get_mut(place).map_or(&mut [][..], AsMut::as_mut);
        let mut longest: Option<(Exceeded, &Metered)> = None;
        for (metered, held) in metered.iter().zip(&mut *held) {
            let units = metered.units(asked, monitoring_types);
            if let Err(exceeded) = metered.lease(held, units, now)
                && longest.is_none_or(|(known, _)| known.retry_after_s < exceeded.retry_after_s)
            {
                longest = Some((exceeded, metered));
            }
        }
        let Some((exceeded, by)) = longest else {
            return Ok(metered.iter().zip(held));
        };
        for (metered, held) in metered.iter().zip(held) {
            metered.give_back_surplus(held);
        }
        by.refused.count(exceeded.bound);
        Err(exceeded)
    }

    /// Gives back what was not used, once in a second: for whoever comes by in shorter times.
    pub fn expire(&mut self, now: Millis) {
        match self.give_back_at {
            Some(at) if now < at => return,
            Some(_) => self.give_back(),
            None => {}
        }
        self.give_back_at = Some(Millis(now.0.saturating_add(LEASE_MS)));
    }

    fn give_back(&mut self) {
        for (metered, held) in self.quotas.clients.iter().zip(&mut self.held) {
            for (metered, held) in metered.iter().zip(held) {
                metered.give_back(held);
            }
        }
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Held {
    fn take(&mut self, units: u32) {
        self.rate = self.rate.saturating_sub(units);
        self.quota.units = self.quota.units.saturating_sub(units);
    }
}

impl Metered {
    /// Sees to it that a shard has leased so many.
    fn lease(&self, held: &mut Held, units: u32, now: Now) -> Result<(), Exceeded> {
        if units == 0 {
            return Ok(());
        }
        let quota = self.quota.as_ref();
        let quota = quota.map_or(Ok(()), |meter| {
            meter.lease(&mut held.quota, units, now.wall)
        });
        quota.map_err(|retry_after_s| Exceeded {
            bound: Bound::Quota,
            retry_after_s,
        })?;
        let rate = self.rate.as_ref();
        let rate = rate.map_or(Ok(()), |meter| {
            meter.lease(&mut held.rate, units, now.steady)
        });
        rate.map_err(|retry_after_s| Exceeded {
            bound: Bound::Rate,
            retry_after_s,
        })
    }

    /// Of a request that was not allowed: what the shard would not hold otherwise.
    fn give_back_surplus(&self, held: &mut Held) {
        if let Some(rate) = &self.rate {
            rate.give_back(&mut held.rate, rate.batch());
        }
        if let Some(quota) = &self.quota {
            quota.give_back(&mut held.quota, quota.batch());
        }
    }

    fn give_back(&self, held: &mut Held) {
        if let Some(rate) = &self.rate {
            rate.give_back(&mut held.rate, 0);
        }
        if let Some(quota) = &self.quota {
            quota.give_back(&mut held.quota, 0);
        }
    }
}

/// What was refused since the start, by client and API: none that has been counted goes.
#[derive(Default)]
pub struct Refusals(ArcSwap<Vec<Arc<Refused>>>);

/// Of one client and one API, or all of them together.
pub struct Refused {
    pub client: String,
    pub api: Option<ApiId>,
    rate: AtomicU64,
    quota: AtomicU64,
}

impl Refusals {
    /// All of them.
    pub fn all(&self) -> Arc<Vec<Arc<Refused>>> {
        self.0.load_full()
    }

    /// Those of a client and an API. Of control alone: one thread builds what is to be in force.
    fn of(&self, client: &str, api: Option<ApiId>) -> Arc<Refused> {
        let known = self.0.load();
        let is_it = |known: &&Arc<Refused>| known.client == client && known.api == api;
        if let Some(known) = known.iter().find(is_it) {
            return Arc::clone(known);
        }
        let new = Arc::new(Refused {
            client: client.to_owned(),
            api,
            rate: AtomicU64::new(0),
            quota: AtomicU64::new(0),
        });
        let mut all = Vec::clone(&known);
        all.push(Arc::clone(&new));
        self.0.store(Arc::new(all));
        new
    }
}

impl Refused {
    /// How many, for this.
    pub fn by(&self, bound: Bound) -> u64 {
        self.counter(bound).load(Ordering::Relaxed)
    }

    fn count(&self, bound: Bound) {
        self.counter(bound).fetch_add(1, Ordering::Relaxed);
    }

    fn counter(&self, bound: Bound) -> &AtomicU64 {
        match bound {
            Bound::Rate => &self.rate,
            Bound::Quota => &self.quota,
        }
    }
}
