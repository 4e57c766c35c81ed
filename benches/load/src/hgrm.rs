//! The latencies in the text form that HdrHistogram's plotters read, in milliseconds as they
//! take them to be.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// Lines until the distance to 100 % has halved.
const LINES_PER_HALVING: u32 = 5;

/// The distribution by percentile of latencies in ns.
pub fn text(latency: &Histogram<u64>) -> String {
    let ms = |ns: f64| ns / 1e6;
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0;
    // Writing to a String cannot fail.
    for step in latency.iter_quantiles(LINES_PER_HALVING) {
        total += step.count_since_last_iteration();
        let quantile = step.quantile_iterated_to();
        let value = ms(step.value_iterated_to() as f64);
        let _ = write!(text, "{value:>12.3} {quantile:>14.12} {total:>10}");
        let _ = if quantile < 1.0 {
            writeln!(text, " {:>14.2}", 1.0 / (1.0 - quantile))
        } else {
            writeln!(text)
        };
    }
    let (mean, deviation) = (ms(latency.mean()), ms(latency.stdev()));
    let max = ms(latency.max() as f64);
    let _ = writeln!(
        text,
        "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]\n\
         #[Max     = {max:>12.3}, Total count    = {:>12}]\n\
         #[Buckets = {:>12}, SubBuckets     = {:>12}]",
        latency.len(),
        latency.buckets(),
        // Of each bucket but the first the lower half is the one before it.
        latency.distinct_values() * 2 / (usize::from(latency.buckets()) + 1)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_ends_with_all_operations_in_milliseconds() {
        let mut latency = Histogram::new_with_bounds(1, 120_000_000_000, 3).expect("bounds");
        (1..=1000_u64).for_each(|us| latency.saturating_record(us * 1000));
        let text = text(&latency);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_ascii_whitespace().collect())
            .collect();
        assert_eq!(lines[0][1], "Percentile");
        let last = lines.iter().rfind(|words| words.len() == 3);
        let last = last.expect("a line without 1/(1-1)");
        assert_eq!(last[1..], ["1.000000000000", "1000"]);
        let value: f64 = last[0].parse().expect("a number");
        assert!((0.999..1.002).contains(&value), "{value} ms");
        assert!(text.contains("SubBuckets     =         2048"), "{text}");
    }
}
