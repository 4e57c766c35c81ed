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
