//! What is shown of issuers that are not embedded: their keys, and what became of questions about
//! opaque tokens.

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

/// What was asked about opaque tokens, and what is known of the issuer that is asked.
#[derive(Clone, Copy, Debug)]
pub struct IntrospectionSample {
    /// What became of questions of the shards, each with its word.
    pub questions: [(&'static str, u64); 8],
    /// So many were in vain that nobody asks for a while.
    pub breaker_open: bool,
    /// Tokens that the issuer has been asked about and has said nothing of yet.
    pub waiting: u64,
    /// Tokens that are remembered as inactive.
    pub inactive: u64,
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

    pub(super) fn introspection(&mut self, sample: IntrospectionSample) {
        let name = "t8gate_introspection_questions_total";
        let help = "Questions about opaque tokens, by what came of them.";
        self.family(name, "counter", help);
        for (outcome, count) in sample.questions {
            self.series(name, &[("outcome", outcome)], count);
        }
        let (name, help) = (
            "t8gate_introspection_breaker_open",
            "Whether the issuer is left alone for a while, since it has not answered.",
        );
        self.single(name, "gauge", help, u8::from(sample.breaker_open));
        let (name, help) = (
            "t8gate_introspection_waiting",
            "Opaque tokens that the issuer is being asked about.",
        );
        self.single(name, "gauge", help, sample.waiting);
        let (name, help) = (
            "t8gate_introspection_inactive_remembered",
            "Opaque tokens that are remembered as inactive, those included that would be asked \
             about again.",
        );
        self.single(name, "gauge", help, sample.inactive);
    }
}
