//! Two charts in one SVG: latency by percentile, and throughput over time.

use std::fmt::Write;

use hdrhistogram::Histogram;

use crate::report::Report;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 780.0;
/// Left and right edge of both plots.
const LEFT: f64 = 90.0;
const RIGHT: f64 = 860.0;
/// Points of the latency curve are so many; more would not be seen.
const LATENCY_POINTS: u32 = 400;
/// Columns of the throughput curve at most; longer runs are averaged.
const COLUMNS_MAX: usize = 300;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#222}\
    .title{font-size:17px;font-weight:600}.axis{font-size:13px;fill:#444}\
    .grid{stroke:#ddd;stroke-width:1}.frame{stroke:#888;fill:none}\
    .curve{stroke:#1565c0;stroke-width:2;fill:none;stroke-linejoin:round}\
    .rate{stroke:#c62828;stroke-width:1.5;stroke-dasharray:6 4}";

/// A plot's place and what its edges mean, in the axes' own (logarithmic or linear) measure.
struct Plot {
    top: f64,
    bottom: f64,
    x: (f64, f64),
    y: (f64, f64),
}

impl Plot {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |value: f64, (low, high): (f64, f64)| {
            ((value - low) / (high - low).max(f64::MIN_POSITIVE)).clamp(0.0, 1.0)
        };
        (
            LEFT + share(x, self.x) * (RIGHT - LEFT),
            self.bottom - share(y, self.y) * (self.bottom - self.top),
        )
    }

    // Writing to a String cannot fail, here and below.
    fn frame(&self, svg: &mut String, title: &str, x_name: &str, y_name: &str) {
        let (middle, height) = ((LEFT + RIGHT) / 2.0, self.bottom - self.top);
        let _ = writeln!(
            svg,
            "<rect class=\"frame\" x=\"{LEFT}\" y=\"{}\" width=\"{}\" height=\"{height}\"/>\
             <text class=\"title\" x=\"{LEFT}\" y=\"{}\">{title}</text>\
             <text class=\"axis\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{x_name}</text>\
             <text class=\"axis\" transform=\"translate(22 {}) rotate(-90)\" \
             text-anchor=\"middle\">{y_name}</text>",
            self.top,
            RIGHT - LEFT,
            self.top - 10.0,
            self.bottom + 42.0,
            (self.top + self.bottom) / 2.0,
        );
    }

    fn x_tick(&self, svg: &mut String, x: f64, label: &str) {
        let (at, _) = self.at(x, self.y.0);
        let (top, bottom, below) = (self.top, self.bottom, self.bottom + 19.0);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>\
             <text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{label}</text>"
        );
    }

    fn y_tick(&self, svg: &mut String, y: f64, label: &str) {
        let (_, at) = self.at(self.x.0, y);
        let (beside, text) = (LEFT - 8.0, at + 4.5);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\"/>\
             <text x=\"{beside}\" y=\"{text:.1}\" text-anchor=\"end\">{label}</text>"
        );
    }

    fn curve(&self, svg: &mut String, points: impl Iterator<Item = (f64, f64)>) {
        let points: Vec<String> = points
            .map(|(x, y)| self.at(x, y))
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let points = points.join(" ");
        let _ = writeln!(svg, "<polyline class=\"curve\" points=\"{points}\"/>");
    }
}

/// Both charts as one document. `latency` is in ns.
pub fn svg(report: &Report, latency: &Histogram<u64>) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         width=\"{WIDTH}\" height=\"{HEIGHT}\">\n<style>{STYLE}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"28\">{}</text>\n",
        escaped(&report.headline())
    );
    latency_plot(&mut svg, latency);
    throughput_plot(&mut svg, report);
    svg.push_str("</svg>\n");
    svg
}

/// A percentile's place: each nine takes the same room.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

fn latency_plot(svg: &mut String, latency: &Histogram<u64>) {
    const TICKS: &[(f64, &str)] = &[
        (0.0, "0 %"),
        (0.5, "50 %"),
        (0.9, "90 %"),
        (0.99, "99 %"),
        (0.999, "99.9 %"),
        (0.9999, "99.99 %"),
        (0.99999, "99.999 %"),
        (0.999999, "99.9999 %"),
    ];
    let us = |ns: u64| (ns as f64 / 1e3).max(0.1);
    // Beyond the last of so many operations there is nothing to see.
    let right = (latency.len().max(10) as f64).log10();
    let (low, high) = (us(latency.min()).log10(), us(latency.max()).log10());
    let plot = Plot {
        top: 80.0,
        bottom: 390.0,
        x: (0.0, right),
        y: (low - 0.05, high.max(low + 0.1) + 0.05),
    };
    let shown = TICKS
        .iter()
        .filter(|(quantile, _)| nines(*quantile) <= right);
    for (quantile, label) in shown {
        plot.x_tick(svg, nines(*quantile), label);
    }
    for (at, label) in latency_ticks(plot.y) {
        plot.y_tick(svg, at, &label);
    }
    if !latency.is_empty() {
        let points = (0..=LATENCY_POINTS).map(|step| {
            let x = right * f64::from(step) / f64::from(LATENCY_POINTS);
            let quantile = 1.0 - 10_f64.powf(-x);
            (x, us(latency.value_at_quantile(quantile)).log10())
        });
        plot.curve(svg, points);
    }
    plot.frame(
        svg,
        "Latency by percentile",
        "percentile of operations",
        "latency (logarithmic)",
    );
}

/// 1, 2 and 5 of each power of ten of a microsecond, those between the edges, as their logarithms;
/// where they would crowd, powers of ten only.
fn latency_ticks((low, high): (f64, f64)) -> Vec<(f64, String)> {
    let steps: &[f64] = match high - low {
        span if span > 3.0 => &[1.0],
        span if span > 0.7 => &[1.0, 2.0, 5.0],
        _ => &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0],
    };
    let mut ticks = Vec::new();
    for power in -1..=9 {
        for step in steps {
            let us = step * 10_f64.powi(power);
            if (low..=high).contains(&us.log10()) {
                ticks.push((us.log10(), duration(us)));
            }
        }
    }
    ticks
}

fn duration(us: f64) -> String {
    // Cut to what a tick has, without binary fractions.
    let short = |value: f64| {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match us {
        us if us >= 1e6 => format!("{} s", short(us / 1e6)),
        us if us >= 1e3 => format!("{} ms", short(us / 1e3)),
        us => format!("{} \u{b5}s", short(us)),
    }
}

fn throughput_plot(svg: &mut String, report: &Report) {
    let buckets = &report.throughput;
    let per_column = buckets.len().div_ceil(COLUMNS_MAX).max(1);
    let mut begin_s = 0.0;
    let mut columns = Vec::new();
    for column in buckets.chunks(per_column) {
        let end_s = column.last().map_or(begin_s, |bucket| bucket.t_s);
        let ops: u64 = column.iter().map(|bucket| bucket.ops).sum();
        if end_s > begin_s {
            columns.push(((begin_s + end_s) / 2.0, ops as f64 / (end_s - begin_s)));
        }
        begin_s = end_s;
    }
    let highest = columns.iter().map(|(_, rate)| *rate);
    let highest = highest.chain(report.rate).fold(1.0, f64::max);
    let (y_step, x_step) = (nice_step(highest), nice_step(report.duration_s));
    let plot = Plot {
        top: 480.0,
        bottom: 715.0,
        x: (0.0, report.duration_s),
        y: (0.0, (highest / y_step).ceil() * y_step),
    };
    for at in ticks(report.duration_s, x_step) {
        plot.x_tick(svg, at, &number(at));
    }
    for at in ticks(plot.y.1, y_step) {
        plot.y_tick(svg, at, &number(at));
    }
    if let Some(rate) = report.rate {
        let (x, y) = plot.at(0.0, rate);
        let _ = writeln!(
            svg,
            "<line class=\"rate\" x1=\"{x}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\"/>\
             <text x=\"{RIGHT}\" y=\"{}\" text-anchor=\"end\">dashed: intended {}/s</text>",
            plot.top - 10.0,
            number(rate)
        );
    }
    plot.curve(svg, columns.into_iter());
    plot.frame(
        svg,
        "Throughput",
        "seconds of the measured window",
        "operations per second",
    );
}

/// 1, 2 or 5 by a power of ten, so that it is taken five to ten times up to `highest`.
fn nice_step(highest: f64) -> f64 {
    let power = 10_f64.powf((highest / 10.0).max(1e-9).log10().floor());
    let fits = |step: &f64| highest / (step * power) <= 10.0;
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(fits);
    step.unwrap_or(10.0) * power
}

fn ticks(highest: f64, step: f64) -> impl Iterator<Item = f64> {
    // A hair more, for sums of binary fractions.
    let count = (highest / step * (1.0 + 1e-9)).floor();
    (0..=count as u32).map(move |at| f64::from(at) * step)
}

/// With thin spaces between thousands.
fn number(value: f64) -> String {
    if value < 1000.0 {
        let text = format!("{value:.2}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
