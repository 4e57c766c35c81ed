//! Metrics in the text format of Prometheus: a plain function from what is known to text. Every
//! series there can be is there from the start, with 0, so that a rate has a first value.

use std::fmt::{Display, Write as _};

use hdrhistogram::Histogram;

use super::process::Process;
use super::reload::Reloads;
use crate::audit::Outcome;
use crate::authz::apis::ApiId;
use crate::authz::quota::{Bound, Refusals};
use crate::metrics::{Counter, Counters, Latencies, Phase};
use crate::proxy::denial::ROWS;
use crate::proxy::denial::connections::CONNECTION_ROWS;
use crate::tls::RULES;

pub use self::issuers::{IntrospectionSample, KeysSample};
pub use self::revocation::{CrlSample, OcspSample, RevokedSample};

/// The `Content-Type` of what [`render`] writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One shard, as it was found.
pub struct ShardSample<'a> {
    pub index: usize,
    /// It is at work, and has answered.
    pub up: bool,
    pub counters: &'a Counters,
    /// None where it has not answered.
    pub latencies: Option<Latencies>,
}

/// All that is shown.
pub struct Sample<'a> {
    pub shards: &'a [ShardSample<'a>],
    /// Names, in the order of the counters.
    pub clients: &'a [String],
    pub process: Process,
    /// Pieces of work that wait for the token; none where no token is used.
    pub signer_queued: Option<usize>,
    /// Whether the last signature that was asked for was made.
    pub signer_ok: bool,
    /// None where there is no audit file.
    pub audit: Option<AuditSample>,
    /// End of the server certificate's validity, seconds since 1970.
    pub certificate_not_after: u64,
    /// End of the first trust anchor to end, seconds since 1970.
    pub anchors_not_after: u64,
    /// The same of the first certificate that a client has signed itself.
    pub own_certificates_not_after: u64,
    pub reloads: &'a Reloads,
    pub crls: CrlSample,
    pub ocsp: OcspSample,
    pub revoked: RevokedSample<'a>,
    /// Of clients that were over their allowances.
    pub over_allowance: &'a Refusals,
    pub issuers_keys: &'a [KeysSample],
    pub introspection: IntrospectionSample,
    pub draining: bool,
    pub version: &'a str,
}

/// The audit file, as it was found.
#[derive(Clone, Copy, Debug)]
pub struct AuditSample {
    pub writable: bool,
    pub written: u64,
    pub dropped: u64,
}

/// Upper bounds of the buckets of a histogram, in nanoseconds and as labels in seconds.
const BUCKETS: [(u64, &str); 24] = [
    (1_000, "1e-06"),
    (2_500, "2.5e-06"),
    (5_000, "5e-06"),
    (10_000, "1e-05"),
    (25_000, "2.5e-05"),
    (50_000, "5e-05"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
    (25_000_000_000, "25"),
    (60_000_000_000, "60"),
];

/// Writes it all.
pub fn render(sample: &Sample<'_>) -> String {
    let mut page = Page(String::with_capacity(64 * 1024));
    page.gateway(sample);
    page.connections(sample.shards);
    page.requests(sample.shards);
    page.clients(sample);
    page.latencies(sample.shards);
    page.process(&sample.process);
    page.0
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn series(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            self.0.push(if place == 0 { '{' } else { ',' });
            let _ = write!(self.0, "{label}=\"{}\"", escaped(text));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// A family with one series and no labels.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.series(name, &[], value);
    }

    /// A family with one series for each shard.
    fn per_shard<T: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        shards: &[ShardSample<'_>],
        value: impl Fn(&ShardSample<'_>) -> T,
    ) {
        self.family(name, kind, help);
        for shard in shards {
            self.series(name, &[("shard", &shard.index.to_string())], value(shard));
        }
    }

    /// A family of counts with one series for each shard and word.
    fn per_word<'w, 's>(
        &mut self,
        (name, help): (&str, &str),
        label: &str,
        shards: &'s [ShardSample<'_>],
        counts: impl Fn(&'s Counters) -> Vec<(&'w str, &'s Counter)>,
    ) {
        self.family(name, "counter", help);
        for shard in shards {
            let index = shard.index.to_string();
            for (word, count) in counts(shard.counters) {
                self.series(name, &[("shard", &index), (label, word)], count.read());
            }
        }
    }

    fn gateway(&mut self, sample: &Sample<'_>) {
        let name = "t8gate_build_info";
        self.family(name, "gauge", "Which t8gate this is; always 1.");
        self.series(name, &[("version", sample.version)], 1);
        let help = "Whether the shard is at work and answered this scrape.";
        self.per_shard("t8gate_up", "gauge", help, sample.shards, |shard| {
            u8::from(shard.up)
        });
        self.single(
            "t8gate_draining",
            "gauge",
            "Whether the gateway is about to end and takes no new connections.",
            u8::from(sample.draining),
        );
        self.single(
            "t8gate_server_certificate_expiry_timestamp_seconds",
            "gauge",
            "When the server certificate ends, in seconds since 1970.",
            sample.certificate_not_after,
        );
        self.single(
            "t8gate_trust_anchor_expiry_timestamp_seconds",
            "gauge",
            "When the first of the CAs that clients come from ends, in seconds since 1970.",
            sample.anchors_not_after,
        );
        self.single(
            "t8gate_registered_certificate_expiry_timestamp_seconds",
            "gauge",
            "When the first of the certificates that clients have signed themselves ends, in \
             seconds since 1970; one that has ended counts where its client has none that holds.",
            sample.own_certificates_not_after,
        );
        let name = "t8gate_reloads_total";
        self.family(
            name,
            "counter",
            "Times the configuration was read again while serving.",
        );
        for (outcome, count) in [
            ("applied", sample.reloads.applied()),
            ("refused", sample.reloads.refused()),
        ] {
            self.series(name, &[("outcome", outcome)], count);
        }
        self.single(
            "t8gate_reload_last_applied",
            "gauge",
            "Whether the last one came into force; 0 while the files are at fault.",
            u8::from(sample.reloads.last_applied()),
        );
        self.crls(sample.crls);
        self.ocsp(sample.ocsp);
        self.revoked(sample.revoked);
        self.issuers_keys(sample.issuers_keys);
        self.introspection(sample.introspection);
        if let Some(queued) = sample.signer_queued {
            let help = "Pieces of work that wait for the token.";
            self.single("t8gate_signer_queue_length", "gauge", help, queued);
        }
        self.single(
            "t8gate_signer_last_signature_ok",
            "gauge",
            "Whether the last signature that was asked for was made.",
            u8::from(sample.signer_ok),
        );
        if let Some(audit) = sample.audit {
            let help = "Whether the last attempt to write to the audit file succeeded.";
            let writable = u8::from(audit.writable);
            self.single("t8gate_audit_writable", "gauge", help, writable);
            let help = "Records written to the audit file.";
            let name = "t8gate_audit_records_written_total";
            self.single(name, "counter", help, audit.written);
            let help = "Records dropped by the writer because the audit file took none.";
            let name = "t8gate_audit_records_dropped_total";
            self.single(name, "counter", help, audit.dropped);
        }
    }

    fn connections(&mut self, shards: &[ShardSample<'_>]) {
        type Count = fn(&Counters) -> u64;
        let accepted = "Connections accepted, without those over the bound.";
        let counters: [(&str, &str, Count); 12] = [
            ("connections_accepted", accepted, |c| {
                c.connections_accepted.read()
            }),
            ("connections_closed", "Connections closed.", |c| {
                c.connections_closed.read()
            }),
            (
                "connections_over_bound",
                "Connections closed at once because of limits.connections_max.",
                |c| c.connections_over_bound.read(),
            ),
            (
                "accepts_failed",
                "Accepts that failed for want of descriptors or memory.",
                |c| c.accepts_failed.read(),
            ),
            (
                "upstream_connections",
                "Connections made to the SCEF.",
                |c| c.upstream_connections.read(),
            ),
            (
                "upstream_retries",
                "Requests sent again on a new connection to the SCEF.",
                |c| c.upstream_retries.read(),
            ),
            (
                "identities_redacted",
                "Answers that left without an identity that was in them.",
                |c| c.identities_redacted.read(),
            ),
            (
                "identities_alarmed",
                "Messages let through with digits as subscribers have them that are nobody's.",
                |c| c.identities_alarmed.read(),
            ),
            (
                "identities_of_others",
                "Runs of as many digits as an IMSI has, of networks that are not the operator's.",
                |c| c.identities_of_others.read(),
            ),
            (
                "audit_records_lost",
                "Records for which there was no room on the way to the audit file.",
                |c| c.audit_records_lost.read(),
            ),
            (
                "list_elements_left_out",
                "Elements of lists that clients held to some UEs were not shown.",
                |c| c.list_elements_left_out.read(),
            ),
            (
                "answer_bodies_left_out",
                "Bodies of answers that could not be judged for clients held to some UEs.",
                |c| c.answer_bodies_left_out.read(),
            ),
        ];
        for (name, help, count) in counters {
            let name = format!("t8gate_{name}_total");
            self.per_shard(&name, "counter", help, shards, |shard| {
                count(shard.counters)
            });
        }
        let help = "Connections that are open.";
        self.per_shard("t8gate_connections_open", "gauge", help, shards, |shard| {
            let counters = shard.counters;
            // Closed first: what closes in between must not make it negative.
            let closed = counters.connections_closed.read();
            counters.connections_accepted.read().saturating_sub(closed)
        });
        let handshakes = ("t8gate_handshakes_total", "TLS handshakes finished.");
        self.per_word(handshakes, "kind", shards, |c| {
            vec![
                ("full", &c.handshakes_full),
                ("resumed", &c.handshakes_resumed),
            ]
        });
        let name = "t8gate_clients_unchecked_total";
        let help = "Clients taken by soft-fail, of whose certificates no list or responder spoke, \
                    and those that nothing is held against where there are lists.";
        self.per_shard(name, "counter", help, shards, |shard| {
            shard.counters.clients_unchecked.read()
        });
        let refused = (
            "t8gate_connections_refused_total",
            "Connections refused or broken in TLS, by reason.",
        );
        self.per_word(refused, "reason", shards, |c| {
            let words = CONNECTION_ROWS.iter().map(|row| row.word).enumerate();
            words
                .map(|(place, word)| (word, c.refused_connections(place)))
                .collect()
        });
        let broken = (
            "t8gate_certificate_rules_broken_total",
            "Client chains refused, by the rule of the certificate profile that they broke.",
        );
        self.per_word(broken, "rule", shards, |c| {
            let rules = RULES.iter().map(|row| (row.name, row.rule.place()));
            rules
                .map(|(name, place)| (name, c.broken_rules(place)))
                .collect()
        });
    }

    fn requests(&mut self, shards: &[ShardSample<'_>]) {
        type Count = fn(&Counters) -> u64;
        let counters: [(&str, &str, Count); 4] = [
            ("requests", "Requests that have come.", |c| {
                c.requests.read()
            }),
            ("tokens_issued", "Access tokens issued.", |c| {
                c.tokens_issued.read()
            }),
            (
                "request_body_bytes",
                "Body bytes that came from clients.",
                |c| c.request_bytes.read(),
            ),
            (
                "response_body_bytes",
                "Body bytes that went to clients.",
                |c| c.response_bytes.read(),
            ),
        ];
        for (name, help, count) in counters {
            let name = format!("t8gate_{name}_total");
            self.per_shard(&name, "counter", help, shards, |shard| {
                count(shard.counters)
            });
        }
        let refused = (
            "t8gate_requests_refused_total",
            "Requests refused, by reason.",
        );
        self.per_word(refused, "reason", shards, |c| {
            let words = ROWS.iter().map(|row| row.word).enumerate();
            words
                .map(|(place, word)| (word, c.refused(place)))
                .collect()
        });
        let verdicts = (
            "t8gate_token_verdicts_total",
            "Where the verdict on a request's access token came from.",
        );
        self.per_word(verdicts, "verdict", shards, |c| {
            vec![
                ("remembered", &c.tokens_remembered),
                ("cached", &c.tokens_cached),
                ("verified", &c.tokens_verified),
                ("refused_again", &c.tokens_refused_again),
            ]
        });
        let (name, help) = ("t8gate_token_cache_tokens", "Tokens in the cache.");
        self.per_shard(name, "gauge", help, shards, |shard| {
            shard.counters.tokens_held.read()
        });
        let name = "t8gate_token_cache_evictions_total";
        let help = "Tokens that the cache forgot for others while they were valid.";
        self.per_shard(name, "counter", help, shards, |shard| {
            shard.counters.tokens_evicted.read()
        });
    }

    fn clients(&mut self, sample: &Sample<'_>) {
        let of = |place: usize| {
            let shards = sample.shards.iter();
            shards.filter_map(move |shard| shard.counters.client(place))
        };
        let name = "t8gate_client_requests_total";
        self.family(name, "counter", "Requests of a client, by how they ended.");
        for (place, client) in sample.clients.iter().enumerate() {
            for outcome in Outcome::ALL {
                let count: u64 = of(place).map(|c| c.outcome(outcome).read()).sum();
                self.series(
                    name,
                    &[("client", client), ("outcome", outcome.word())],
                    count,
                );
            }
        }
        let name = "t8gate_client_connections_total";
        self.family(
            name,
            "counter",
            "Connections of a client that finished their handshake.",
        );
        for (place, client) in sample.clients.iter().enumerate() {
            let count: u64 = of(place).map(|c| c.connections.read()).sum();
            self.series(name, &[("client", client)], count);
        }
        let name = "t8gate_client_over_allowance_total";
        let help = "Requests of a client that were refused because of its rate or its quota, by \
                    the API that the allowance is for.";
        self.family(name, "counter", help);
        for refused in sample.over_allowance.all().iter() {
            let api = refused.api.map_or("any", ApiId::name);
            for (bound, word) in [(Bound::Rate, "rate"), (Bound::Quota, "quota")] {
                let labels = [("client", &*refused.client), ("api", api), ("bound", word)];
                self.series(name, &labels, refused.by(bound));
            }
        }
    }

    fn latencies(&mut self, shards: &[ShardSample<'_>]) {
        let name = "t8gate_phase_duration_seconds";
        self.family(name, "histogram", "Time that the parts of the work take.");
        for shard in shards {
            let Some(latencies) = &shard.latencies else {
                continue;
            };
            let index = shard.index.to_string();
            for phase in Phase::ALL {
                let labels = [("shard", index.as_str()), ("phase", phase.word())];
                self.histogram(name, labels, latencies.of(phase));
            }
        }
    }

    fn histogram(
        &mut self,
        name: &str,
        [shard, phase]: [(&str, &str); 2],
        histogram: &Histogram<u64>,
    ) {
        let bucket = format!("{name}_bucket");
        let Distribution { counts, sum_ns } = distribution(histogram);
        for ((_, le), count) in BUCKETS.iter().zip(counts) {
            self.series(&bucket, &[shard, phase, ("le", le)], count);
        }
        let whole = histogram.len();
        self.series(&bucket, &[shard, phase, ("le", "+Inf")], whole);
        self.series(&format!("{name}_sum"), &[shard, phase], sum_ns / 1e9);
        self.series(&format!("{name}_count"), &[shard, phase], whole);
    }

    fn process(&mut self, process: &Process) {
        let counter = "process_cpu_seconds_total";
        let help = "User and system time of the process.";
        self.single(counter, "counter", help, process.cpu_seconds);
        let start = "process_start_time_seconds";
        let help = "When the process started, in seconds since 1970.";
        self.single(start, "gauge", help, process.start_time_seconds);
        for (name, help, value) in [
            ("open_fds", "Open file descriptors.", process.open_fds),
            (
                "max_fds",
                "Most file descriptors it may open.",
                process.max_fds,
            ),
            ("threads", "Threads of the process.", process.threads),
            (
                "resident_memory_bytes",
                "Resident memory.",
                process.resident_bytes,
            ),
            (
                "virtual_memory_bytes",
                "Virtual memory.",
                process.virtual_bytes,
            ),
        ] {
            self.single(&format!("process_{name}"), "gauge", help, value);
        }
    }
}

struct Distribution {
    /// Up to each of [`BUCKETS`], cumulative.
    counts: [u64; BUCKETS.len()],
    sum_ns: f64,
}

/// Exact at what the histogram can tell: values it holds for equal are on one side of a bound.
#[expect(
    clippy::cast_precision_loss,
    reason = "a sum of times told to two digits"
)]
fn distribution(histogram: &Histogram<u64>) -> Distribution {
    let mut counts = [0; BUCKETS.len()];
    let mut sum_ns = 0.0;
    for step in histogram.iter_recorded() {
        let (value, count) = (step.value_iterated_to(), step.count_at_value());
        sum_ns += histogram.median_equivalent(value) as f64 * count as f64;
        for (below, (bound, _)) in counts.iter_mut().zip(BUCKETS) {
            if value <= histogram.highest_equivalent(bound) {
                *below += count;
            }
        }
    }
    Distribution { counts, sum_ns }
}

/// A label's value as the format wants it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            letter => out.push(letter),
        }
    }
    out
}

mod issuers;
mod revocation;
#[cfg(test)]
mod tests;
