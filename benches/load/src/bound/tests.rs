use super::*;
use crate::report::tests::report;

fn fails(bound: &str) -> bool {
    let bound: Bound = bound.parse().expect("a bound");
    bound.fault(&report()).is_some()
}

#[test]
fn figures_are_compared_in_their_units() {
    // The report's p99 is 5,000 us, its rate 1,000/s, and it has one error.
    for so in [
        "p99>4ms",
        "p99 >= 5ms",
        "p99=5000",
        "p99<0.1s",
        "p99_9>5000us",
        "ops_per_s<1001",
        "ops_per_s<=1000",
        "errors>0",
        "errors.tls==1",
        "non_2xx>=3",
        "full>0",
        "busy.gateway>0.5",
        "us_per_op.gateway<13",
        "send_late_p99>1",
    ] {
        assert!(fails(so), "{so}");
    }
    for not in [
        "p99>5ms",
        "ops_per_s<1000",
        "errors>1",
        "errors.http>0",
        "busy.gateway>0.9",
    ] {
        assert!(!fails(not), "{not}");
    }
}

#[test]
fn a_figure_that_the_run_does_not_have_is_not_within_bounds() {
    assert!(fails("rss_kb.gateway>1"));
    assert!(fails("busy.nobody>1"));
    let mut empty = report();
    empty.latency_us.max = 0.0;
    let bound: Bound = "p99>5ms".parse().expect("a bound");
    assert!(bound.fault(&empty).is_some());
}

#[test]
fn what_is_no_bound_is_refused() {
    for bad in [
        "p99",
        "p98>1ms",
        "p99>x",
        "p99>1h",
        "errors>1ms",
        "errors>NaN",
        "busy.>1",
        "idle.x>1",
        ">1",
        "",
    ] {
        assert!(bad.parse::<Bound>().is_err(), "{bad}");
    }
}

#[test]
fn a_bound_knows_whose_process_it_is_about() {
    let process = |text: &str| {
        let bound: Bound = text.parse().expect("a bound");
        bound.process().map(str::to_owned)
    };
    assert_eq!(process("busy.origin>0.85"), Some("origin".to_owned()));
    assert_eq!(process("errors.tls>0"), None);
    assert_eq!(process("p99.9>1ms"), None);
}
