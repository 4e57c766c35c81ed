//! The cases in time, by criterion: `cargo bench --package t8gate-micro`.

use criterion::measurement::{Measurement, WallTime};
use criterion::{Criterion, criterion_group, criterion_main};
use t8gate_micro::cases::CASES;
use t8gate_micro::measured_rounds;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds between two refills: few enough that what is refilled stays in the caches, as what was
/// just received does, and enough that asking for the time does not count.
const BATCH_ROUNDS: u64 = 200;

fn rooms(criterion: &mut Criterion) {
    for case in CASES {
        let mut made = (case.make)();
        criterion.bench_function(case.name, |bencher| {
            bencher.iter_custom(|rounds| {
                let mut took = WallTime.zero();
                let mut left = rounds;
                while left > 0 {
                    let batch = usize::try_from(left.min(BATCH_ROUNDS)).unwrap_or(1);
                    made.refill(batch);
                    let begun = WallTime.start();
                    measured_rounds(made.as_mut(), batch);
                    took = WallTime.add(&took, &WallTime.end(begun));
                    left -= batch as u64;
                }
                took
            });
        });
    }
}

criterion_group!(benches, rooms);
criterion_main!(benches);
