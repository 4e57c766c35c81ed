use proptest::prelude::*;

use super::*;

#[test]
fn every_operation_is_announced_once_and_in_time() {
    let mut pace = Pace::new(1_000, 1_000 + 1_000_000_000, 100.0, 3);
    assert_eq!(pace.next_due(999), None);
    assert_eq!(pace.next_due(1_000), Some(0));
    assert_eq!(pace.next_due(1_000), None);
    assert_eq!(pace.next_ns(), Some(10_001_000));
    assert_eq!(pace.next_due(10_001_000), Some(1));
    let late = 1_000 + 600_000_000;
    let announced: Vec<_> = std::iter::from_fn(|| pace.next_due(late)).collect();
    assert_eq!(announced.len(), 59, "all that were due by then");
    assert_eq!(&announced[..4], &[2, 0, 1, 2]);
}

#[test]
fn nothing_is_due_after_the_end() {
    let mut pace = Pace::new(0, 1_000_000_000, 10.0, 4);
    let announced: Vec<_> = std::iter::from_fn(|| pace.next_due(u64::MAX)).collect();
    assert_eq!(announced.len(), 10);
    assert_eq!(pace.next_ns(), None);
    assert_eq!(pace.intended_for(1, 2), Some(900_000_000));
    assert_eq!(pace.intended_for(2, 2), None);
    assert_eq!(pace.intended_for(0, u64::MAX), None);
}

proptest! {
    #[test]
    fn connections_divide_the_schedule_among_them(
        rate in 1.0_f64..100_000.0,
        connections in 1_usize..50,
    ) {
        let until = 50_000_000;
        let mut pace = Pace::new(0, until, rate, connections);
        let mut announced = vec![0_u64; connections];
        while let Some(at) = pace.next_due(until) {
            announced[at] += 1;
        }
        for (at, count) in announced.into_iter().enumerate() {
            prop_assert!(count == 0 || pace.intended_for(at, count - 1).is_some());
            prop_assert_eq!(pace.intended_for(at, count), None);
        }
    }
}
