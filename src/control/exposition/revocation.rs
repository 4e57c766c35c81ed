//! What is known of revocation, in OpenMetrics' older text form.

use std::time::Duration;

use super::Page;
use crate::revoked::desk::Desk;
use crate::revoked::{Kind, Revoked};

/// The revocation lists.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrlSample {
    /// Serial numbers in those in use.
    pub entries: usize,
    /// When the first of them ends, seconds since 1970; none where there is none.
    pub next_update: Option<u64>,
    /// Lists that came into use while the gateway served.
    pub taken: u64,
    /// Lists that were read and not taken.
    pub refused: u64,
    /// Lists that could not be fetched.
    pub fetches_failed: u64,
}

/// What is known by OCSP.
#[derive(Clone, Copy, Debug, Default)]
pub struct OcspSample {
    /// Certificates of the gateway's own whose status is stapled now, and for which there is none
    /// though there should be.
    pub stapled: usize,
    pub not_stapled: usize,
    /// When the first of them ends, seconds since 1970; none where there is none.
    pub next_update: Option<u64>,
    /// Clients' certificates of which something is known.
    pub statuses: usize,
    /// What became of questions, each with its word.
    pub clients: [(&'static str, u64); 5],
    pub own: [(&'static str, u64); 5],
}

/// What is revoked by the operator, and what was done for that.
#[derive(Clone, Copy)]
pub struct RevokedSample<'a> {
    pub revoked: &'a Revoked,
    pub desk: &'a Desk,
}

impl Page {
    pub(super) fn ocsp(&mut self, ocsp: OcspSample) {
        let name = "t8gate_ocsp_staples";
        let help = "Certificates of the gateway's own with a status to staple, and without.";
        self.family(name, "gauge", help);
        self.series(name, &[("state", "stapled")], ocsp.stapled);
        self.series(name, &[("state", "missing")], ocsp.not_stapled);
        if let Some(end) = ocsp.next_update {
            let name = "t8gate_ocsp_staple_next_update_timestamp_seconds";
            let help = "When the first of the stapled statuses ends, in seconds since 1970.";
            self.single(name, "gauge", help, end);
        }
        let help = "Clients' certificates of which an OCSP responder's answer is remembered.";
        self.single("t8gate_ocsp_statuses", "gauge", help, ocsp.statuses);
        let name = "t8gate_ocsp_questions_total";
        let help = "Questions to OCSP responders, by whose certificate it was and what came of it.";
        self.family(name, "counter", help);
        for (about, outcomes) in [("client", ocsp.clients), ("own", ocsp.own)] {
            for (outcome, count) in outcomes {
                self.series(name, &[("about", about), ("outcome", outcome)], count);
            }
        }
    }

    pub(super) fn revoked(&mut self, RevokedSample { revoked, desk }: RevokedSample<'_>) {
        let counts = desk.counts();
        let name = "t8gate_revocations";
        self.family(
            name,
            "gauge",
            "Revocations in the store, by what is revoked.",
        );
        for kind in Kind::ALL {
            self.series(name, &[("kind", kind.word())], revoked.count(kind));
        }
        let help = "Revocations in the operator's file.";
        self.single(
            "t8gate_revocations_by_file",
            "gauge",
            help,
            revoked.of_file(),
        );
        let name = "t8gate_revocations_total";
        self.family(
            name,
            "counter",
            "Revocations acknowledged, by what is revoked.",
        );
        for kind in Kind::ALL {
            self.series(name, &[("kind", kind.word())], counts.revoked(kind));
        }
        let (name, help) = (
            "t8gate_revocations_taken_back_total",
            "Revocations taken back.",
        );
        self.single(name, "counter", help, counts.taken_back());
        let (name, help) = (
            "t8gate_revocation_requests_refused_total",
            "Requests of which nothing was revoked: no store, no room, or a store at fault.",
        );
        self.single(name, "counter", help, counts.refused());
        if desk.has_store() {
            let (name, help) = (
                "t8gate_revocation_store_usable",
                "Whether the store of revocations took what was written last.",
            );
            self.single(name, "gauge", help, u8::from(counts.is_usable()));
        }
        let (commits, ns) = counts.commits();
        let name = "t8gate_revocation_commit_seconds";
        self.family(
            name,
            "summary",
            "Time for the store to be written and synced.",
        );
        self.series(
            &format!("{name}_sum"),
            &[],
            Duration::from_nanos(ns).as_secs_f64(),
        );
        self.series(&format!("{name}_count"), &[], commits);
    }

    pub(super) fn crls(&mut self, crls: CrlSample) {
        let help = "Serial numbers in the revocation lists in use.";
        self.single("t8gate_crl_entries", "gauge", help, crls.entries);
        if let Some(end) = crls.next_update {
            let name = "t8gate_crl_next_update_timestamp_seconds";
            let help = "When the first of the revocation lists ends, in seconds since 1970.";
            self.single(name, "gauge", help, end);
        }
        let (name, help) = (
            "t8gate_crls_total",
            "Revocation lists, by what became of them.",
        );
        self.family(name, "counter", help);
        for (outcome, count) in [
            ("taken", crls.taken),
            ("refused", crls.refused),
            ("not_fetched", crls.fetches_failed),
        ] {
            self.series(name, &[("outcome", outcome)], count);
        }
    }
}
