use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;
use std::thread;

use proptest::prelude::*;

use super::meter::{QuotaMeter, RateMeter};
use super::*;
use crate::authz::apis::ApiSet;
use crate::authz::apis::configured::Served;

const S: u64 = 1_000_000_000;
const LIST: &str = "/{scsAsId}/subscriptions";
const ONE: ClientIndex = ClientIndex(0);

fn monitoring() -> ApiId {
    ApiId::from_name("3gpp-monitoring-event").unwrap()
}

fn nidd() -> ApiId {
    ApiId::from_name("3gpp-nidd").unwrap()
}

fn asked<'a>() -> Asked<'a> {
    (monitoring(), Verb::Post, LIST)
}

fn served() -> Served {
    Served::new(ApiSet::of_t8(), Vec::new())
}

fn everything() -> Scope {
    let mut operations = Operations::default();
    operations.add(&served(), monitoring(), "read").unwrap();
    operations.add(&served(), monitoring(), "write").unwrap();
    Scope {
        operations,
        ..Scope::default()
    }
}

fn types(named: &[&str]) -> Scope {
    Scope {
        monitoring_types: named.iter().map(|kind| (*kind).into()).collect(),
        ..everything()
    }
}

fn rate(units: u32, per: Period, burst: u32) -> Allowance {
    Allowance {
        scope: everything(),
        rate: Some(Rate { units, per, burst }),
        quota: None,
    }
}

fn quota(units: u32, per: Period) -> Allowance {
    Allowance {
        scope: everything(),
        rate: None,
        quota: Some(Quota { units, per }),
    }
}

fn quotas(allowances: &[Allowance], shards: usize, before: Option<&Quotas>) -> Arc<Quotas> {
    let clients = [("scs-1", allowances), ("scs-2", &[])];
    Arc::new(Quotas::new(clients.into_iter(), shards, before))
}

fn shards(quotas: &Arc<Quotas>, count: usize) -> Vec<Leases> {
    (0..count).map(|_| Leases::of(quotas)).collect()
}

/// Both clocks at so many nanoseconds.
fn at(ns: u64) -> Now {
    Now {
        steady: Nanos(ns),
        wall: UnixSeconds(ns / S),
    }
}

fn ask(leases: &mut Leases, now: Now) -> Result<(), Exceeded> {
    leases.charge(ONE, asked(), &[], now)
}

/// How many are allowed in a row, up to so many.
fn allowed(leases: &mut Leases, now: Now, most: u32) -> u32 {
    let row = (0..most).take_while(|_| ask(leases, now).is_ok()).count();
    u32::try_from(row).unwrap()
}

fn exceeded(bound: Bound, retry_after_s: u32) -> Result<(), Exceeded> {
    Err(Exceeded {
        bound,
        retry_after_s,
    })
}

#[test]
fn client_gets_its_burst_and_then_its_rate() {
    let quotas = quotas(&[rate(2, Period::Second, 5)], 1, None);
    let mut leases = Leases::of(&quotas);
    assert_eq!(allowed(&mut leases, at(0), 100), 5);
    assert_eq!(ask(&mut leases, at(S / 2 - 1)), exceeded(Bound::Rate, 1));
    assert_eq!(ask(&mut leases, at(S / 2)), Ok(()));
    assert_eq!(allowed(&mut leases, at(3 * S), 100), 5);
    assert_eq!(allowed(&mut leases, at(1_000 * S), 100), 5);
}

#[test]
fn client_without_allowance_is_not_concerned() {
    let quotas = quotas(&[rate(1, Period::Hour, 1)], 1, None);
    let mut leases = Leases::of(&quotas);
    assert!(leases.concern(ONE));
    for other in [1, 2, u32::MAX] {
        assert!(!leases.concern(ClientIndex(other)));
        for _ in 0..10 {
            let charged = leases.charge(ClientIndex(other), asked(), &[], at(0));
            assert_eq!(charged, Ok(()));
        }
    }
    assert!(!Leases::default().concern(ONE));
}

#[test]
fn retry_after_is_the_second_in_which_the_same_is_allowed() {
    for (units, per) in [(3, Period::Second), (7, Period::Minute), (5, Period::Hour)] {
        let quotas = quotas(&[rate(units, per, 2)], 1, None);
        let mut leases = Leases::of(&quotas);
        let begun = 1_234_567_891;
        assert_eq!(allowed(&mut leases, at(begun), 100), 2);
        let Err(exceeded) = ask(&mut leases, at(begun)) else {
            panic!("a third one of a burst of two");
        };
        let wait_ns = u64::from(exceeded.retry_after_s) * S;
        let one = (u64::from(per.seconds()) * S).div_ceil(u64::from(units));
        assert_eq!(u64::from(exceeded.retry_after_s), one.div_ceil(S));
        assert!(ask(&mut leases, at(begun + one - 1)).is_err());
        assert_eq!(ask(&mut leases, at(begun + wait_ns)), Ok(()));
    }
}

#[test]
fn quota_begins_anew_with_the_day_in_utc_and_says_when() {
    let quotas = quotas(&[quota(3, Period::Day)], 1, None);
    let mut leases = Leases::of(&quotas);
    let evening = at((20_000 * 86_400 - 5) * S);
    assert_eq!(allowed(&mut leases, evening, 100), 3);
    assert_eq!(ask(&mut leases, evening), exceeded(Bound::Quota, 5));
    let last = at((20_000 * 86_400 - 1) * S);
    assert_eq!(ask(&mut leases, last), exceeded(Bound::Quota, 1));
    let midnight = at(20_000 * 86_400 * S);
    assert_eq!(allowed(&mut leases, midnight, 100), 3);
    assert_eq!(ask(&mut leases, midnight), exceeded(Bound::Quota, 86_400));
}

#[test]
fn a_clock_that_is_put_back_gives_nothing() {
    let both = Allowance {
        quota: quota(5, Period::Hour).quota,
        ..rate(1, Period::Second, 2)
    };
    let quotas = quotas(&[both], 1, None);
    let mut leases = Leases::of(&quotas);
    assert_eq!(allowed(&mut leases, at(7_200 * S), 100), 2);
    assert_eq!(allowed(&mut leases, at(7_202 * S), 100), 2);
    for back in [7_201 * S, 3_599 * S, 0] {
        assert!(ask(&mut leases, at(back)).is_err());
    }
    // The fifth of the hour, by the clock that is right again.
    assert_eq!(allowed(&mut leases, at(7_204 * S), 100), 1);
    let before = Now {
        wall: UnixSeconds(3_600),
        ..at(7_210 * S)
    };
    assert_eq!(ask(&mut leases, before), exceeded(Bound::Quota, 7_200));
}

#[test]
fn a_request_for_several_event_types_is_charged_for_each_or_for_none() {
    let three = [
        "LOCATION_REPORTING",
        "LOSS_OF_CONNECTIVITY",
        "UE_REACHABILITY",
    ];
    let [location, loss, reachable] = three;
    let of = |scope: Scope, burst| Allowance {
        scope,
        ..rate(1, Period::Hour, burst)
    };
    let allowances = [of(types(&[location]), 2), of(types(&[loss, reachable]), 3)];
    let quotas = quotas(&allowances, 1, None);
    let mut leases = Leases::of(&quotas);
    let mut named = |types: &[&str]| leases.charge(ONE, asked(), types, at(0));
    assert_eq!(named(&three), Ok(()), "1 of 2, and 2 of 3");
    let Err(refused) = named(&three) else {
        panic!("two of one that is left");
    };
    assert_eq!((refused.bound, refused.retry_after_s), (Bound::Rate, 3_600));
    // That has taken nothing: one of each is left.
    assert_eq!(
        named(&[location, loss, loss]),
        Ok(()),
        "one that is named twice is one"
    );
    assert!(named(&[location]).is_err() && named(&[reachable]).is_err());
    // What no allowance counts is free, as a request is that names none.
    assert_eq!(named(&["ROAMING_STATUS"]), Ok(()));
    assert_eq!(named(&[]), Ok(()));
    assert_eq!(ask(&mut leases, at(0)), Ok(()));
}

#[test]
fn what_one_allowance_refuses_is_taken_off_no_other() {
    let mut of_nidd = rate(1, Period::Hour, 1);
    of_nidd.scope.api = Some(nidd());
    let all = quota(2, Period::Day);
    let quotas = quotas(&[all, of_nidd], 4, None);
    let mut leases = Leases::of(&quotas);
    let nidd = (nidd(), Verb::Get, "/{scsAsId}/configurations");
    assert_eq!(leases.charge(ONE, nidd, &[], at(0)), Ok(()));
    for _ in 0..10 {
        assert!(leases.charge(ONE, nidd, &[], at(0)).is_err());
    }
    // Nor is it kept from another shard: this is the second of the day.
    assert_eq!(ask(&mut Leases::of(&quotas), at(0)), Ok(()));
    assert!(ask(&mut leases, at(0)).is_err());
    let all = quotas.refused().all();
    let refused = |api| all.iter().find(|refused| refused.api == api).unwrap();
    assert_eq!(refused(Some(nidd.0)).by(Bound::Rate), 10);
    assert_eq!(refused(None).by(Bound::Quota), 1);
    assert_eq!(refused(None).by(Bound::Rate), 0);
}

#[test]
fn an_allowance_counts_its_operations_alone() {
    let mut write = rate(1, Period::Hour, 1);
    write.scope.operations = Operations::default();
    write
        .scope
        .operations
        .add(&served(), monitoring(), "write")
        .unwrap();
    let mut one = rate(1, Period::Hour, 1);
    one.scope.api = Some(monitoring());
    one.scope.operations = Operations::default();
    let word = "GET /{scsAsId}/subscriptions/{subscriptionId}";
    one.scope
        .operations
        .add(&served(), monitoring(), word)
        .unwrap();
    let quotas = quotas(&[write, one], 1, None);
    let mut leases = Leases::of(&quotas);
    let mut ask = |verb, resource| leases.charge(ONE, (monitoring(), verb, resource), &[], at(0));
    for _ in 0..3 {
        assert_eq!(ask(Verb::Get, LIST), Ok(()));
    }
    let single = word.split_once(' ').unwrap().1;
    assert_eq!(ask(Verb::Get, single), Ok(()));
    assert!(ask(Verb::Get, single).is_err());
    assert_eq!(ask(Verb::Delete, single), Ok(()));
    assert!(ask(Verb::Post, LIST).is_err());
}

#[test]
fn shards_share_one_bucket_and_seldom_look_at_it() {
    let quotas = quotas(&[rate(1, Period::Hour, 16_000)], 2, None);
    let [first, second] = &mut shards(&quotas, 2)[..] else {
        panic!("two shards")
    };
    let level = || {
        let meter = quotas.clients[0][0].rate.as_ref().unwrap();
        format!("{:?}", meter.level())
    };
    let mut changes = 0;
    let mut before = level();
    for _ in 0..4_000 {
        ask(first, at(0)).unwrap();
        ask(second, at(0)).unwrap();
        changes += u32::from(std::mem::replace(&mut before, level()) != before);
    }
    assert!(
        (2..=10).contains(&changes),
        "{changes} times for 8,000 requests"
    );
    // What is left is found by both together, but for what nobody may hold at a time.
    let left = allowed(first, at(0), 16_000) + allowed(second, at(0), 16_000);
    assert!((6_000..=8_000).contains(&left), "{left}");
}

#[test]
fn what_a_shard_does_not_use_is_there_for_the_others_a_second_later() {
    let quotas = quotas(&[quota(1_600, Period::Day)], 2, None);
    let [first, second] = &mut shards(&quotas, 2)[..] else {
        panic!("two shards")
    };
    first.expire(Millis(0));
    assert_eq!(allowed(first, at(0), 1), 1);
    let without = allowed(second, at(0), 1_600);
    assert!((1_490..1_599).contains(&without), "{without}");
    first.expire(Millis(999));
    assert_eq!(allowed(second, at(0), 1_600), 0);
    first.expire(Millis(1_000));
    assert_eq!(
        without + allowed(second, at(0), 1_600),
        1_599,
        "to the last one"
    );
    assert_eq!(ask(first, at(0)), exceeded(Bound::Quota, 86_400));
}

#[test]
fn the_last_of_a_quota_are_not_kept_from_the_other_shards() {
    let quotas = quotas(&[quota(1_600, Period::Day)], 2, None);
    let [first, second] = &mut shards(&quotas, 2)[..] else {
        panic!("two shards")
    };
    assert_eq!(allowed(second, at(0), 1_500), 1_500);
    assert_eq!(allowed(first, at(0), 1), 1);
    let left = allowed(second, at(0), 1_600);
    assert!((90..=99).contains(&left), "{left} of 99");
}

#[test]
fn event_types_find_all_that_there_is_of_an_allowance() {
    let named: Vec<String> = (0..20).map(|at| format!("TYPE_{at}")).collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let of = |allowance: Allowance| Allowance {
        scope: types(&named),
        ..allowance
    };
    // As many as the burst, which a shard would lease a part of.
    let at_once = quotas(&[of(rate(1, Period::Hour, 20))], 1, None);
    let mut leases = Leases::of(&at_once);
    let ask = |leases: &mut Leases, named: &[&str]| leases.charge(ONE, asked(), named, at(0));
    assert_eq!(ask(&mut leases, &named), Ok(()));
    assert!(ask(&mut leases, &named[..1]).is_err());
    // And of a lease what is left of it counts.
    let in_threes = quotas(&[of(quota(99, Period::Day))], 1, None);
    let mut leases = Leases::of(&in_threes);
    let rows = (0..100).take_while(|_| ask(&mut leases, &named[..3]).is_ok());
    assert_eq!(rows.count(), 33);
}

#[test]
fn of_two_that_are_used_up_the_one_is_told_that_lasts_longer() {
    for turned in [false, true] {
        let mut reads = rate(1, Period::Minute, 1);
        reads.scope.operations.write = false;
        let mut both = [reads, quota(1, Period::Day)];
        if turned {
            both.reverse();
        }
        let quotas = quotas(&both, 1, None);
        let mut leases = Leases::of(&quotas);
        let mut read = || leases.charge(ONE, (monitoring(), Verb::Get, LIST), &[], at(0));
        assert_eq!(read(), Ok(()));
        assert_eq!(read(), exceeded(Bound::Quota, 86_400));
    }
}

#[test]
fn a_shard_that_takes_up_another_configuration_gives_back_what_it_has() {
    let quotas = quotas(&[quota(1_600, Period::Day)], 1, None);
    let mut leases = Leases::of(&quotas);
    assert_eq!(allowed(&mut leases, at(0), 100), 100);
    leases = Leases::of(&quotas);
    assert_eq!(allowed(&mut leases, at(0), 1_600), 1_500);
}

#[test]
fn what_was_used_stays_used_where_the_rule_stays() {
    let of = |units, burst, day| {
        let quota = quota(day, Period::Day).quota;
        let rate = rate(units, Period::Hour, burst);
        [Allowance { quota, ..rate }]
    };
    let got = |quotas| allowed(&mut Leases::of(quotas), at(0), 100);
    let before = quotas(&of(1, 4, 6), 1, None);
    assert_eq!(allowed(&mut Leases::of(&before), at(0), 3), 3);
    let same = quotas(&of(1, 4, 6), 1, Some(&before));
    assert_eq!(got(&same), 1);
    // A larger quota is one of which as much is used, as is a larger burst.
    let larger = quotas(&of(1, 6, 9), 1, Some(&same));
    assert_eq!(got(&larger), 2);
    // Another rate is another rule.
    let other = quotas(&of(2, 100, 9), 1, Some(&larger));
    assert_eq!(got(&other), 3);
    let all = other.refused().all();
    assert_eq!(all.len(), 1, "counted on");
    assert_eq!((all[0].by(Bound::Rate), all[0].by(Bound::Quota)), (2, 1));
}

#[test]
fn huge_values_wrap_nowhere() {
    let most = u32::MAX;
    for per in Period::ALL {
        for (units, burst) in [(1, most), (most, most), (most, 1), (1, 1)] {
            let both = Allowance {
                quota: quota(most, per).quota,
                ..rate(units, per, burst)
            };
            for shards in [1, 3, usize::MAX] {
                let quotas = quotas(std::slice::from_ref(&both), shards, None);
                let mut leases = Leases::of(&quotas);
                for ns in [0, 1, u64::MAX - 1, u64::MAX, 0] {
                    let _ = allowed(&mut leases, at(ns), 3);
                    let wall = UnixSeconds(u64::MAX);
                    let _ = ask(&mut leases, Now { wall, ..at(ns) });
                }
            }
        }
    }
    let quotas = quotas(&[rate(1, Period::Hour, 1)], 1, None);
    let mut leases = Leases::of(&quotas);
    assert_eq!(
        allowed(&mut leases, at(u64::MAX - 1), 100),
        0,
        "nor beyond the end of time"
    );
}

#[test]
fn threads_that_ask_at_once_get_no_more_than_one() {
    const THREADS: usize = 4;
    let both = Allowance {
        quota: quota(5_000, Period::Hour).quota,
        ..rate(1, Period::Hour, 8_000)
    };
    let quotas = quotas(&[both], THREADS, None);
    let got = AtomicU32::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS as u64 {
            let (quotas, got) = (&quotas, &got);
            scope.spawn(move || {
                let mut leases = Leases::of(quotas);
                for turn in 0..20_000_u64 {
                    got.fetch_add(allowed(&mut leases, at(0), 1), Ordering::Relaxed);
                    if (turn + thread).is_multiple_of(97) {
                        leases.expire(Millis(turn * 1_000));
                    }
                }
            });
        }
    });
    assert_eq!(got.into_inner(), 5_000);
}

/// A step of the clock, which may go back, and what a shard does then.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(usize, u32),
    Expire(usize),
    Clock(i64),
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4_usize, 1..40_u32).prop_map(|(shard, most)| Step::Ask(shard, most)),
        1 => (0..4_usize).prop_map(Step::Expire),
        4 => (-2_000_i64..6_000).prop_map(Step::Clock),
        1 => Just(Step::Reload),
    ]
}

proptest! {
    #[test]
    fn never_more_than_rate_and_burst_nor_than_the_quota(
        units in 1..500_u32,
        burst in 1..300_u32,
        day in 1..400_u32,
        shard_count in 1..4_usize,
        goes_back in any::<bool>(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let both = Allowance {
            quota: quota(day, Period::Minute).quota,
            ..rate(units, Period::Minute, burst)
        };
        let allowances = [both];
        let mut in_force = quotas(&allowances, shard_count, None);
        let mut all = shards(&in_force, shard_count);
        let mut ms = 1_000_000_u64;
        // How far the clock has gone forward in all.
        let mut gone_ms = 0;
        let mut got: Vec<(u64, u64, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Clock(by) => {
                    let by = if goes_back { by } else { by.abs() };
                    ms = ms.saturating_add_signed(by);
                    gone_ms += u64::try_from(by).unwrap_or(0);
                }
                Step::Expire(shard) => {
                    let leases = &mut all[shard % shard_count];
                    leases.expire(Millis(0));
                    leases.expire(Millis(LEASE_MS));
                }
                Step::Reload => {
                    in_force = quotas(&allowances, shard_count, Some(&in_force));
                    all = shards(&in_force, shard_count);
                }
                Step::Ask(shard, most) => {
                    let now = at(ms * 1_000_000);
                    let row = allowed(&mut all[shard % shard_count], now, most);
                    if row > 0 {
                        got.push((gone_ms, ms / 60_000, row.into()));
                    }
                }
            }
        }
        for (from, (begun, minute, _)) in got.iter().enumerate() {
            let mut sum = 0;
            for (end, _, row) in &got[from..] {
                sum += row;
                let by_rate = u64::from(units) * (end - begun);
                prop_assert!(sum * 60_000 <= by_rate + u64::from(burst) * 60_000);
            }
            let same_minute = got.iter().filter(|(_, of, _)| of == minute);
            let sum: u64 = same_minute.map(|(.., row)| row).sum();
            prop_assert!(goes_back || sum <= u64::from(day), "{sum} in a minute");
        }
        // Whatever the clock does: a quota for each minute that it has come to.
        let minutes: BTreeSet<u64> = got.iter().map(|(_, minute, _)| *minute).collect();
        let sum: u64 = got.iter().map(|(.., row)| row).sum();
        prop_assert!(sum <= u64::from(day) * minutes.len() as u64);
    }
}

#[test]
fn of_two_that_last_as_long_the_first_is_told() {
    let quotas = quotas(
        &[rate(1, Period::Second, 1), quota(1, Period::Second)],
        1,
        None,
    );
    let mut leases = Leases::of(&quotas);
    assert_eq!(ask(&mut leases, at(0)), Ok(()));
    assert_eq!(ask(&mut leases, at(0)), exceeded(Bound::Rate, 1));
}

#[test]
fn what_is_looked_at_is_taken_off_nothing() {
    let quotas = quotas(&[quota(1, Period::Day)], 1, None);
    let mut leases = Leases::of(&quotas);
    for _ in 0..3 {
        assert_eq!(leases.allow(ONE, asked(), at(0)), Ok(()));
    }
    assert_eq!(ask(&mut leases, at(0)), Ok(()));
    assert_eq!(
        leases.allow(ONE, asked(), at(0)),
        exceeded(Bound::Quota, 86_400)
    );
}

#[test]
fn event_types_are_to_be_known_where_one_allowance_is_for_some() {
    let counts = |scope| {
        let with_scope = Allowance {
            scope,
            ..quota(1, Period::Day)
        };
        let quotas = quotas(&[quota(1, Period::Day), with_scope], 1, None);
        Leases::of(&quotas).count_event_types(ONE)
    };
    assert!(counts(types(&["UE_REACHABILITY"])));
    assert!(!counts(everything()));
}

#[test]
fn allowances_are_written_as_they_are_configured() {
    let words = Period::ALL.map(|per| Quota { units: 7, per }.to_string());
    assert_eq!(words, ["7/s", "7/min", "7/h", "7/day"]);
    let rate = rate(100, Period::Minute, 5).rate.unwrap();
    assert_eq!(rate.to_string(), "100/min");
}

fn rate_meter(burst: u32, shards: u32) -> RateMeter {
    let rate = rate(1, Period::Hour, burst).rate.unwrap();
    RateMeter::new(rate, shards, 1, None)
}

#[test]
fn shard_takes_a_part_of_a_bucket_at_a_time_and_of_a_small_one_nothing() {
    for (burst, batch) in [(31, 0), (32, 2), (1_600, 100), (1 << 20, 1_024)] {
        assert_eq!(rate_meter(burst, 2).batch(), batch, "{burst}");
        let quota = quota(burst, Period::Day).quota.unwrap();
        assert_eq!(QuotaMeter::new(quota, 2, None).batch(), batch, "{burst}");
    }
}

#[test]
fn lease_that_holds_enough_takes_nothing() {
    let meter = rate_meter(1_600, 2);
    let mut lease = 0;
    meter.lease(&mut lease, 1, Nanos(0)).unwrap();
    assert_eq!(lease, 101);
    meter.lease(&mut lease, 101, Nanos(0)).unwrap();
    assert_eq!(lease, 101);
}

#[test]
fn what_is_given_back_of_a_rate_is_there_again() {
    let meter = rate_meter(10, 1);
    let (mut one, mut other) = (0, 0);
    meter.lease(&mut one, 10, Nanos(0)).unwrap();
    assert!(meter.lease(&mut other, 1, Nanos(0)).is_err());
    meter.give_back(&mut one, 3);
    assert_eq!(one, 3);
    meter.lease(&mut other, 7, Nanos(0)).unwrap();
    assert!(meter.lease(&mut other, 8, Nanos(0)).is_err());
}
