use super::*;

const SECOND: u64 = 1_000_000_000;

fn tally(open_loop: bool) -> Tally {
    let mut tally = Tally::new(open_loop);
    tally.set_window(SECOND, 2 * SECOND);
    tally
}

fn at(from_ns: u64) -> Operation {
    Operation { from_ns }
}

#[test]
fn a_closed_loop_counts_what_ends_in_the_window() {
    let mut tally = tally(false);
    tally.ended(at(0), SECOND - 1, 200);
    tally.ended(at(0), SECOND, 200);
    tally.ended(at(SECOND), 2 * SECOND - 1, 404);
    tally.ended(at(SECOND), 2 * SECOND, 200);
    assert_eq!((tally.operations(), tally.ended_in_window()), (2, 2));
    assert_eq!(tally.operations_whole_run, 4);
    assert_eq!(tally.statuses().collect::<Vec<_>>(), [(200, 1), (404, 1)]);
}

#[test]
fn an_open_loop_counts_what_was_intended_in_the_window() {
    let mut tally = tally(true);
    tally.ended(at(SECOND - 1), SECOND, 200);
    tally.ended(at(2 * SECOND - 1), 3 * SECOND, 200);
    assert_eq!((tally.operations(), tally.ended_in_window()), (1, 1));
    assert!(
        tally.latency.max() >= SECOND,
        "the latency is all that was waited"
    );
}

#[test]
fn lateness_belongs_to_open_loops() {
    let (mut open, mut closed) = (tally(true), tally(false));
    for tally in [&mut open, &mut closed] {
        tally.began(at(SECOND), SECOND + 5_000);
        tally.began(at(0), SECOND);
    }
    assert_eq!((open.late.len(), closed.late.len()), (1, 0));
}

#[test]
fn what_an_open_loop_waited_for_in_vain_is_in_its_latencies() {
    let mut tally = tally(true);
    let waited = || "nothing came".to_owned();
    tally.failed(Some(at(SECOND)), 4 * SECOND, Failure::Timeout, waited());
    tally.failed(Some(at(0)), 4 * SECOND, Failure::Timeout, waited());
    for failure in [
        Failure::Connect,
        Failure::Tls,
        Failure::Closed,
        Failure::Http,
    ] {
        let before = tally.latency.len();
        tally.failed(Some(at(SECOND)), 5 * SECOND, failure, waited());
        assert_eq!(tally.latency.len(), before + 1, "{failure:?}");
    }
    assert_eq!((tally.latency.len(), tally.operations()), (5, 0));
    assert!(tally.latency.min() >= 2 * SECOND && tally.latency.max() >= 4 * SECOND);
    let counts = [Failure::Timeout, Failure::Closed].map(|failure| tally.failures(failure));
    assert_eq!((counts, tally.failures_whole_run), ([1, 1], 6));
}

#[test]
fn what_a_closed_loop_waited_for_in_vain_is_an_error_after_the_window_too() {
    let mut tally = tally(false);
    let waited = || "nothing came".to_owned();
    // Sent in the window, or before it and waited for all through it.
    tally.failed(Some(at(SECOND)), 4 * SECOND, Failure::Timeout, waited());
    tally.failed(Some(at(0)), 4 * SECOND, Failure::Timeout, waited());
    assert_eq!(tally.failures(Failure::Timeout), 2);
    // Over before the window, or begun only after it.
    tally.failed(Some(at(0)), SECOND - 1, Failure::Timeout, waited());
    tally.failed(Some(at(2 * SECOND)), 4 * SECOND, Failure::Timeout, waited());
    assert_eq!(tally.failures(Failure::Timeout), 2);
    // In flight when the window ended, and answered.
    tally.ended(at(SECOND), 3 * SECOND, 200);
    assert_eq!(tally.failures(Failure::Timeout), 2);
    assert_eq!((tally.failures_whole_run, tally.latency.len()), (4, 0));
}

#[test]
fn an_idle_connection_that_is_lost_is_an_error_without_a_window_too() {
    let mut tally = Tally::new(false);
    tally.lost(Failure::Closed, "closed".to_owned());
    let count = tally.failures(Failure::Closed);
    assert_eq!((count, tally.failures_whole_run), (1, 1));
}

#[test]
fn throughput_is_counted_by_tenths_of_a_second() {
    let mut tally = tally(false);
    for now in [
        SECOND,
        SECOND + BUCKET_NS - 1,
        SECOND + BUCKET_NS,
        2 * SECOND - 1,
    ] {
        tally.ended(at(0), now, 200);
    }
    assert_eq!(tally.buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn nothing_belongs_to_a_run_without_a_window() {
    let mut tally = Tally::new(false);
    tally.ended(at(0), SECOND, 200);
    tally.shook_hands(true, SECOND);
    tally.failed(None, SECOND, Failure::Tls, String::new());
    assert_eq!((tally.operations(), tally.handshakes), (0, [0, 0]));
    assert_eq!(tally.failures(Failure::Tls), 0);
    assert_eq!(
        (tally.handshakes_whole_run, tally.failures_whole_run),
        ([0, 1], 1)
    );
}
