//! The keys that issuers publish, as metrics.

use super::Page;

/// The keys that an issuer publishes.
#[derive(Clone, Debug)]
pub struct KeysSample {
    pub issuer: String,
    /// Those that tokens are verified by.
    pub keys: usize,
    /// When they were had last, seconds since 1970; 0 for never.
    pub had_at: u64,
    pub had: u64,
    pub refused: u64,
    pub failed: u64,
}

impl Page {
    pub(super) fn issuers_keys(&mut self, all: &[KeysSample]) {
        if all.is_empty() {
            return;
        }
        let name = "t8gate_issuer_keys";
        self.family(
            name,
            "gauge",
            "Keys that an issuer publishes and that are known.",
        );
        for one in all {
            self.series(name, &[("issuer", one.issuer.as_str())], one.keys);
        }
        let name = "t8gate_issuer_keys_had_timestamp_seconds";
        let help = "When an issuer's keys were had last, in seconds since 1970; 0 for never.";
        self.family(name, "gauge", help);
        for one in all {
            self.series(name, &[("issuer", one.issuer.as_str())], one.had_at);
        }
        let name = "t8gate_issuer_keys_looked_at_total";
        self.family(
            name,
            "counter",
            "Looks at an issuer's keys, by what came of it.",
        );
        for one in all {
            let outcomes = [
                ("had", one.had),
                ("refused", one.refused),
                ("failed", one.failed),
            ];
            for (outcome, count) in outcomes {
                let labels = [("issuer", one.issuer.as_str()), ("outcome", outcome)];
                self.series(name, &labels, count);
            }
        }
    }
}
