use super::*;
use crate::report::tests::report;

/// Every tag that begins ends, in order; attributes are quoted; no number is none.
fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        assert!(
            !rest[..start].contains('>'),
            "a stray > in {:?}",
            &rest[..start]
        );
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        let name = tag.split([' ', '/']).find(|word| !word.is_empty());
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), name, "{tag}"),
            (false, true) => {}
            (false, false) => open.extend(name),
        }
        rest = &rest[end + 1..];
    }
    assert_eq!(open, Vec::<&str>::new());
    for ampersand in svg.split('&').skip(1) {
        assert!(
            ampersand
                .split_once(';')
                .is_some_and(|(name, _)| name.len() < 5)
        );
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

fn latency(us: impl IntoIterator<Item = u64>) -> Histogram<u64> {
    let mut latency = Histogram::new_with_bounds(1, 1_000_000_000_000, 3).expect("bounds");
    us.into_iter()
        .for_each(|us| latency.saturating_record(us * 1000));
    latency
}

#[test]
fn charts_are_well_formed_and_say_what_they_show() {
    let mut report = report();
    report.target = "https://a&b<c>\"d".to_owned();
    report.rate = Some(1200.0);
    let svg = svg(&report, &latency(100..20_000));
    assert_well_formed(&svg);
    for text in [
        "a&amp;b&lt;c&gt;",
        "Latency by percentile",
        "99.9 %",
        "10 ms",
        "Throughput",
        "operations per second",
        "intended 1\u{2009}200/s",
        "polyline",
    ] {
        assert!(svg.contains(text), "{text} is not in {svg}");
    }
}

#[test]
fn a_run_without_operations_has_charts_too() {
    let mut report = report();
    report.throughput.clear();
    assert_well_formed(&svg(&report, &latency([])));
    report.duration_s = 0.0;
    assert_well_formed(&svg(&report, &latency([5])));
    assert_well_formed(&svg(&report, &latency([5, 900_000_000])));
}

#[test]
fn steps_of_an_axis_are_round() {
    assert_eq!(
        [0.9, 10.0, 14.0, 64_000.0].map(nice_step),
        [0.1, 1.0, 2.0, 10_000.0]
    );
    assert_eq!(ticks(1.0, 0.5).collect::<Vec<_>>(), [0.0, 0.5, 1.0]);
    assert_eq!(
        [0.5, 20.0, 1234567.0].map(number),
        ["0.5", "20", "1\u{2009}234\u{2009}567"]
    );
    let texts = [0.5, 200.0, 2500.0, 5e6].map(duration);
    assert_eq!(texts, ["0.5 \u{b5}s", "200 \u{b5}s", "2.5 ms", "5 s"]);
}
