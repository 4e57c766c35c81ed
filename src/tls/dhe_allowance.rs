//! How many agreements by DHE a shard begins: so many in all, and so many for one source. Each
//! costs as much as all the rest of a handshake, for a ClientHello of a hundred octets.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::clock::Nanos;
use crate::limits::{DHE_AT_ONCE_S, DHE_SOURCES_MAX, Limits};

const MINUTE_NS: u64 = 60_000_000_000;
const AT_ONCE_NS: u64 = DHE_AT_ONCE_S * 1_000_000_000;
/// The part of an IPv6 address that says whose it is: the rest its owner chooses.
const OWNER_BITS: u128 = !0 << 64;

/// What one shard has left. Its part of what the gateway may is an equal one, so that no shard
/// waits for what another writes.
pub struct DheAllowance {
    shards: u64,
    all: Filling,
    /// Those that are not full again.
    sources: HashMap<IpAddr, Filling>,
}

/// When a bucket that fills steadily is full.
#[derive(Clone, Copy, Default)]
struct Filling {
    full_at_ns: u64,
}

/// How fast a bucket fills, and what it holds: what it fills with in [`DHE_AT_ONCE_S`], one at
/// least.
#[derive(Clone, Copy)]
struct Pace {
    one_ns: u64,
    holds_ns: u64,
}

impl Pace {
    /// One of `shards` that together may `per_min`.
    fn new(per_min: u64, shards: u64) -> Self {
        let one_ns = MINUTE_NS.saturating_mul(shards) / per_min.max(1);
        Self {
            one_ns,
            holds_ns: AT_ONCE_NS.max(one_ns),
        }
    }
}

impl Filling {
    /// The same with one taken out; none where there is none in it.
    fn less_one(self, pace: Pace, now: Nanos) -> Option<Self> {
        let full_at_ns = self.full_at_ns.max(now.0).saturating_add(pace.one_ns);
        let holds_it = full_at_ns - now.0 <= pace.holds_ns;
        holds_it.then_some(Self { full_at_ns })
    }
}

impl DheAllowance {
    /// For one of so many shards.
    pub fn new(shards: usize) -> Self {
        Self {
            shards: u64::try_from(shards).unwrap_or(u64::MAX).max(1),
            all: Filling::default(),
            sources: HashMap::new(),
        }
    }

    /// Takes one for a client at this address. False where it has to be refused: then nothing is
    /// taken, so that a source which has none left takes nothing from the others.
    pub fn take(&mut self, address: IpAddr, now: Nanos, limits: &Limits) -> bool {
        let in_all = Pace::new(limits.dhe_per_min_max, self.shards);
        let each = Pace::new(limits.dhe_per_min_per_source_max, self.shards);
        let source = owner(address);
        let known = self.sources.get(&source).copied();
        let (Some(all), Some(its)) = (
            self.all.less_one(in_all, now),
            known.unwrap_or_default().less_one(each, now),
        ) else {
            return false;
        };
        if known.is_none() && self.sources.len() >= DHE_SOURCES_MAX {
            // One that is full again is as good as unknown.
            self.sources.retain(|_, filling| filling.full_at_ns > now.0);
            if self.sources.len() >= DHE_SOURCES_MAX {
                return false;
            }
        }
        self.all = all;
        self.sources.insert(source, its);
        true
    }
}

/// What stands for all addresses of one owner.
fn owner(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & OWNER_BITS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn limits(in_all: u64, each: u64) -> Limits {
        Limits {
            dhe_per_min_max: in_all,
            dhe_per_min_per_source_max: each,
            ..Limits::default()
        }
    }

    fn at(seconds: u64) -> Nanos {
        Nanos((1_000 + seconds) * SECOND_NS)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many of a hundred attempts come through.
    fn taken(allowance: &mut DheAllowance, from: &str, now: Nanos, limits: &Limits) -> usize {
        let attempts = (0..100).filter(|_| allowance.take(address(from), now, limits));
        attempts.count()
    }

    #[test]
    fn source_gets_what_ten_seconds_are_worth_and_then_its_pace() {
        let (mut allowance, limits) = (DheAllowance::new(1), limits(6_000, 60));
        assert_eq!(taken(&mut allowance, "192.0.2.1", at(0), &limits), 10);
        assert_eq!(taken(&mut allowance, "192.0.2.1", at(3), &limits), 3);
        assert_eq!(taken(&mut allowance, "192.0.2.1", at(600), &limits), 10);
        // What one has used up, another has.
        assert_eq!(taken(&mut allowance, "192.0.2.2", at(600), &limits), 10);
    }

    #[test]
    fn all_sources_together_get_no_more_than_the_total() {
        let (mut allowance, limits) = (DheAllowance::new(1), limits(120, 60));
        let mut total = 0;
        for last in 0..200 {
            let from = format!("192.0.2.{last}");
            total += taken(&mut allowance, &from, at(0), &limits);
        }
        assert_eq!(total, 20);
        assert_eq!(taken(&mut allowance, "198.51.100.1", at(2), &limits), 4);
    }

    #[test]
    fn source_without_any_left_takes_nothing_from_the_others() {
        let (mut allowance, limits) = (DheAllowance::new(1), limits(60, 6));
        assert_eq!(taken(&mut allowance, "192.0.2.1", at(0), &limits), 1);
        let others = (2..100).filter(|last| {
            let from = format!("192.0.2.{last}");
            allowance.take(address(&from), at(0), &limits)
        });
        assert_eq!(others.count(), 9);
    }

    #[test]
    fn shards_share_equally_and_each_lets_one_through_at_least() {
        let limits = limits(60, 60);
        let mut one_of_five = DheAllowance::new(5);
        assert_eq!(taken(&mut one_of_five, "192.0.2.1", at(0), &limits), 2);
        assert_eq!(taken(&mut one_of_five, "192.0.2.1", at(5), &limits), 1);
        let mut one_of_many = DheAllowance::new(100);
        assert_eq!(taken(&mut one_of_many, "192.0.2.1", at(0), &limits), 1);
        assert_eq!(taken(&mut one_of_many, "192.0.2.1", at(99), &limits), 0);
        assert_eq!(taken(&mut one_of_many, "192.0.2.1", at(100), &limits), 1);
    }

    #[test]
    fn addresses_of_one_owner_are_one_source() {
        let (mut allowance, limits) = (DheAllowance::new(1), limits(6_000, 6));
        let mut takes = |from| allowance.take(address(from), at(0), &limits);
        assert!(takes("2001:db8:0:1::1"));
        assert!(!takes("2001:db8:0:1:ffff::2"), "the same /64");
        assert!(takes("2001:db8:0:2::1"));
        assert!(takes("192.0.2.1"));
        assert!(!takes("::ffff:192.0.2.1"), "the same as IPv4 has it");
        assert!(takes("192.0.2.2"));
    }

    #[test]
    fn sources_are_bounded_and_those_forgotten_that_have_all_of_theirs() {
        let sources = u64::try_from(DHE_SOURCES_MAX).unwrap();
        let (mut allowance, limits) = (DheAllowance::new(1), limits(u64::MAX, 1));
        let nth = |n: u64| IpAddr::V4(u32::try_from(n).unwrap().into());
        for n in 0..sources {
            assert!(allowance.take(nth(n), at(n / sources), &limits));
        }
        assert!(!allowance.take(nth(sources), at(1), &limits), "no room");
        assert_eq!(allowance.sources.len(), DHE_SOURCES_MAX);
        // A minute later all have theirs again.
        assert!(allowance.take(nth(sources), at(61), &limits));
        assert_eq!(allowance.sources.len(), 1);
        assert!(allowance.take(nth(0), at(61), &limits));
    }
}
