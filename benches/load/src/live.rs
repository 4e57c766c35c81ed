//! The live line on a terminal: what happened in the last second, and so far.

use std::io::{IsTerminal, Write};

use crate::load::Load;
use crate::run::Live;

/// A live line on stderr, when that is a terminal.
pub fn line(quiet: bool) -> Option<Live> {
    if quiet || !std::io::stderr().is_terminal() {
        return None;
    }
    let (mut operations, mut seconds) = (0, 0.0);
    Some(Box::new(move |now_s, load: &Load| {
        let tally = &load.tally;
        let done = tally.operations_whole_run - operations;
        let rate = done as f64 / (now_s - seconds).max(1e-3);
        (operations, seconds) = (tally.operations_whole_run, now_s);
        let ms = |quantile| tally.latency.value_at_quantile(quantile) as f64 / 1e6;
        // A terminal that is gone does not end a run.
        let _ = write!(
            std::io::stderr(),
            "\r{now_s:5.0} s {rate:9.0}/s  p50 {:.3} p99 {:.3} ms  {} open  {} errors\x1b[K",
            ms(0.5),
            ms(0.99),
            load.open(),
            tally.failures_whole_run
        );
    }))
}

/// Takes the line away again.
pub fn clear() {
    let _ = write!(std::io::stderr(), "\r\x1b[K");
}
