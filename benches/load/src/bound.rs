//! `--fail-if`: what must not be so in the end, like `p99>5ms` or `errors>0`.

use crate::report::Report;

/// How a figure is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// Longer signs first: `>=` begins with `>`.
const SIGNS: &[(&str, Comparison)] = &[
    (">=", Comparison::GreaterOrEqual),
    ("<=", Comparison::LessOrEqual),
    ("==", Comparison::Equal),
    (">", Comparison::Greater),
    ("<", Comparison::Less),
    ("=", Comparison::Equal),
];

/// Figures that are times, and take a unit; a number without one is in us.
const TIMES: &[&str] = &[
    "mean",
    "p50",
    "p90",
    "p99",
    "p99.9",
    "p99.99",
    "max",
    "send_late_p99",
    "send_late_max",
];

/// Figures that are numbers.
const NUMBERS: &[&str] = &[
    "ops_per_s",
    "operations",
    "errors",
    "errors.connect",
    "errors.tls",
    "errors.closed",
    "errors.http",
    "errors.timeout",
    "non_2xx",
    "full",
    "resumed",
];

/// Figures of a watched process, by the word before the dot.
const OF_PROCESSES: &[&str] = &["busy", "us_per_op", "rss_kb"];

/// One thing that must not be so.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// As given.
    text: String,
    figure: String,
    comparison: Comparison,
    /// In the figure's unit: us for times.
    value: f64,
}

impl std::str::FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = SIGNS.iter().find_map(|(sign, comparison)| {
            let (figure, value) = text.split_once(sign)?;
            Some((figure.trim(), *comparison, value.trim()))
        });
        let (figure, comparison, value) =
            found.ok_or("is no comparison: FIGURE, one of < <= = >= >, and a value")?;
        // As JSON spells them, too.
        let figure = match figure {
            "p99_9" => "p99.9",
            "p99_99" => "p99.99",
            other => other,
        };
        let of_process = figure
            .split_once('.')
            .is_some_and(|(kind, name)| OF_PROCESSES.contains(&kind) && !name.is_empty());
        let value = if TIMES.contains(&figure) {
            time_us(value)
        } else if NUMBERS.contains(&figure) || of_process {
            value.parse().ok()
        } else {
            return Err(format!(
                "{figure:?} is none of {}, {}, {} with .NAME of a watched process",
                TIMES.join(", "),
                NUMBERS.join(", "),
                OF_PROCESSES.join(", ")
            ));
        };
        let value = value.filter(|value: &f64| value.is_finite());
        Ok(Self {
            text: text.to_owned(),
            figure: figure.to_owned(),
            comparison,
            value: value.ok_or(format!("{figure} is compared with no number"))?,
        })
    }
}

impl Bound {
    /// The watched process that it is about.
    pub fn process(&self) -> Option<&str> {
        let (kind, name) = self.figure.split_once('.')?;
        OF_PROCESSES.contains(&kind).then_some(name)
    }

    /// In words, when what must not be so is so. A figure that the run does not have, a latency
    /// where nothing was answered, say, is so as well: a bound that cannot be checked is not met.
    pub fn fault(&self, report: &Report) -> Option<String> {
        let Some(is) = self.figure(report) else {
            return Some(format!("{}: the run has no such figure", self.text));
        };
        let so = match self.comparison {
            Comparison::Less => is < self.value,
            Comparison::LessOrEqual => is <= self.value,
            Comparison::Equal => is == self.value,
            Comparison::GreaterOrEqual => is >= self.value,
            Comparison::Greater => is > self.value,
        };
        let unit = if TIMES.contains(&self.figure.as_str()) {
            " us"
        } else {
            ""
        };
        so.then(|| format!("{}: it is {is}{unit}", self.text))
    }

    fn figure(&self, report: &Report) -> Option<f64> {
        let latency = Some(&report.latency_us).filter(|_| report.has_latency());
        let late = report.send_late_us.as_ref();
        if let Some(name) = self.process() {
            let cpu = report.cpu.iter().find(|cpu| cpu.name == name)?;
            return match self.figure.split_once('.')?.0 {
                "busy" => cpu.busy,
                "us_per_op" => cpu.us_per_op,
                _ => cpu.rss_kb_after.map(|kb| kb as f64),
            };
        }
        match self.figure.as_str() {
            "mean" => latency.map(|latency| latency.mean),
            "p50" => latency.map(|latency| latency.p50),
            "p90" => latency.map(|latency| latency.p90),
            "p99" => latency.map(|latency| latency.p99),
            "p99.9" => latency.map(|latency| latency.p99_9),
            "p99.99" => latency.map(|latency| latency.p99_99),
            "max" => latency.map(|latency| latency.max),
            "send_late_p99" => late.map(|late| late.p99),
            "send_late_max" => late.map(|late| late.max),
            "ops_per_s" => Some(report.ops_per_s),
            "operations" => Some(report.operations as f64),
            "errors" => Some(report.errors.values().sum::<u64>() as f64),
            "non_2xx" => Some(report.non_2xx() as f64),
            "full" => Some(report.handshakes.full as f64),
            "resumed" => Some(report.handshakes.resumed as f64),
            errors => {
                let kind = errors.strip_prefix("errors.")?;
                report.errors.get(kind).map(|count| *count as f64)
            }
        }
    }
}

/// Microseconds of `5ms`, `300us`, `1.5s`, or a number of microseconds.
fn time_us(text: &str) -> Option<f64> {
    let end = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let us = match unit {
        "" | "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return None,
    };
    number.trim().parse::<f64>().ok().map(|number| number * us)
}

#[cfg(test)]
mod tests;
