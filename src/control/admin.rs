//! The admin listener: metrics, health, readiness. It asks nobody who they are, serves one request
//! on a connection, and nobody can hold it up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::audit_file::AuditState;
use super::crl_keeper::CrlCounts;
use super::exposition::{
    self, AuditSample, CrlSample, IntrospectionSample, KeysSample, OcspSample, RevokedSample,
    Sample, ShardSample,
};
use super::introspection;
use super::keys_keeper::KeysKept;
use super::ocsp_keeper::OcspCounts;
use super::process::Process;
use super::reload::Reloads;
use crate::authz::quota::Refusals;
use crate::clock::{Millis, UnixSeconds};
use crate::metrics::{Counters, Latencies, Scrapes};
use crate::revoked::Revoked;
use crate::revoked::desk::Desk;
use crate::signers::{SignerState, Signers};
use crate::snapshot::ClientNames;
use crate::tls::revocation::Revocation;

pub mod revocations;
pub mod socket;

/// Connections at a time; for one more, the oldest is closed.
const CONNECTIONS_MAX: usize = 64;
/// From accept to the end of the request head.
const HEAD_WAIT: Duration = Duration::from_secs(5);
/// From accept to the last byte of the answer.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);
/// For want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What all shards together get to answer a scrape; they look every 25 ms.
const SCRAPE_WAIT: Duration = Duration::from_millis(500);
/// Between two looks for their answers.
const SCRAPE_PAUSE: Duration = Duration::from_millis(5);
/// A shard that has not looked at its clocks for so long is not up.
const UP_MS_MAX: u64 = 5_000;
/// A shard that has not looked at its clocks for so long hangs.
const STUCK_MS: u64 = 10_000;

/// One shard, as seen from outside.
pub struct ShardView {
    pub index: usize,
    pub counters: Arc<Counters>,
    pub scrapes: Arc<Scrapes>,
}

/// What the listener shows.
pub struct Parts {
    pub shards: Vec<ShardView>,
    pub clients: Arc<ClientNames>,
    pub audit: Arc<AuditState>,
    /// When the control thread last took a turn, milliseconds as of `clock::Millis`.
    pub control: Arc<AtomicU64>,
    pub signer: Arc<SignerState>,
    /// Weak: the threads end when the last shard lets go of them.
    pub signers: Option<Weak<Signers>>,
    /// Set when the gateway is about to end.
    pub draining: Arc<AtomicBool>,
    /// End of the server certificate's validity, seconds since 1970.
    pub certificate_not_after: Arc<AtomicU64>,
    /// The same of the first trust anchor to end.
    pub anchors_not_after: Arc<AtomicU64>,
    /// The same of the first certificate that a client has signed itself.
    pub own_certificates_not_after: Arc<AtomicU64>,
    pub reloads: Arc<Reloads>,
    pub revocation: Arc<Revocation>,
    pub crl_counts: Arc<CrlCounts>,
    pub ocsp_counts: Arc<OcspCounts>,
    pub revoked: Arc<Revoked>,
    pub desk: Arc<Desk>,
    pub over_allowance: Arc<Refusals>,
    pub keys: Arc<KeysKept>,
    pub introspection: Arc<introspection::Counts>,
}

/// The answers to who asks.
pub struct Admin {
    parts: Parts,
    started: Millis,
}

type Page = (StatusCode, [(HeaderName, &'static str); 1], String);

impl Admin {
    /// To be made when the shards have started.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            parts,
            started: Millis::now(),
        })
    }

    /// `/metrics`, `/healthz`, `/readyz`, and a list of them.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/", get(list))
            .route("/metrics", get(metrics))
            .route("/healthz", get(health))
            .route("/readyz", get(readiness))
            .fallback(|| async { page(StatusCode::NOT_FOUND, "not found: see /\n") })
            .with_state(self)
    }

    /// All metrics. A shard that does not answer in time is shown without its times, and as down.
    pub async fn exposition(&self) -> String {
        let latencies = self.latencies().await;
        let now = Millis::now();
        let shards: Vec<ShardSample<'_>> = self
            .parts
            .shards
            .iter()
            .zip(latencies)
            .map(|(shard, latencies)| ShardSample {
                index: shard.index,
                up: latencies.is_some() && self.silent_ms(shard, now) <= UP_MS_MAX,
                counters: &shard.counters,
                latencies,
            })
            .collect();
        let signers = self.parts.signers.as_ref();
        let audit = &self.parts.audit;
        exposition::render(&Sample {
            shards: &shards,
            clients: &self.parts.clients.load(),
            process: Process::of_this_process(),
            signer_queued: signers.map(|s| s.upgrade().map_or(0, |s| s.queued())),
            signer_ok: !self.parts.signer.last_failed(),
            audit: audit.is_configured().then(|| AuditSample {
                writable: audit.is_writable(),
                written: audit.written(),
                dropped: audit.lost(),
            }),
            certificate_not_after: self.parts.certificate_not_after.load(Ordering::Relaxed),
            anchors_not_after: self.parts.anchors_not_after.load(Ordering::Relaxed),
            own_certificates_not_after: { &self.parts.own_certificates_not_after }
                .load(Ordering::Relaxed),
            reloads: &self.parts.reloads,
            crls: self.crls(),
            ocsp: self.ocsp(),
            revoked: RevokedSample {
                revoked: &self.parts.revoked,
                desk: &self.parts.desk,
            },
            over_allowance: &self.parts.over_allowance,
            issuers_keys: &self.issuers_keys(),
            introspection: self.introspection(),
            draining: self.parts.draining.load(Ordering::Relaxed),
            version: env!("CARGO_PKG_VERSION"),
        })
    }

    fn crls(&self) -> CrlSample {
        let (lists, counts) = (self.parts.revocation.lists(), &self.parts.crl_counts);
        CrlSample {
            entries: lists.entries(),
            next_update: lists.next_update().map(|end| end.0),
            taken: counts.taken(),
            refused: counts.refused(),
            fetches_failed: counts.fetches_failed(),
        }
    }

    fn issuers_keys(&self) -> Vec<KeysSample> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let kept = self.parts.keys.load();
        let all = kept.iter().map(|from| KeysSample {
            issuer: from.issuer.clone(),
            keys: from.keys.keys().map_or(0, |keys| keys.len()),
            had_at: read(&from.fetches.had_at),
            had: read(&from.fetches.had),
            refused: read(&from.fetches.refused),
            failed: read(&from.fetches.failed),
        });
        all.collect()
    }

    fn introspection(&self) -> IntrospectionSample {
        let counts = &self.parts.introspection;
        IntrospectionSample {
            questions: counts.questions(),
            breaker_open: counts.breaker_is_open(),
            waiting: counts.waiting(),
            inactive: counts.inactive(),
        }
    }

    fn ocsp(&self) -> OcspSample {
        let ends = self.parts.ocsp_counts.staples_end();
        let (held, missing): (Vec<_>, Vec<_>) = ends.into_iter().partition(Option::is_some);
        OcspSample {
            stapled: held.len(),
            not_stapled: missing.len(),
            next_update: held.into_iter().flatten().min().map(|end| end.0),
            statuses: self.parts.revocation.statuses().len(),
            clients: self.parts.ocsp_counts.clients.all(),
            own: self.parts.ocsp_counts.own.all(),
        }
    }

    /// What the shards measured, none where one does not answer in time.
    async fn latencies(&self) -> Vec<Option<Latencies>> {
        let shards = self.parts.shards.iter();
        let mut asked: Vec<Asked<'_>> = shards.map(|s| Asked::Not(&s.scrapes)).collect();
        let all = async {
            // Looking, and not waiting: whoever waited here would hold up a whole thread.
            while asked
                .iter_mut()
                .map(Asked::look)
                .filter(|left| *left)
                .count()
                > 0
            {
                tokio::time::sleep(SCRAPE_PAUSE).await;
            }
        };
        let _ = tokio::time::timeout(SCRAPE_WAIT, all).await;
        let answers = asked.into_iter().map(|asked| match asked {
            Asked::Answered(latencies) => latencies.map(|latencies| *latencies),
            Asked::Not(_) | Asked::Waiting(_) => None,
        });
        answers.collect()
    }

    /// How long a shard has not looked at its clocks.
    fn silent_ms(&self, shard: &ShardView, now: Millis) -> u64 {
        let swept = shard.counters.swept_at_ms.read().max(self.started.0);
        now.0.saturating_sub(swept)
    }

    /// Shards that hang, one line each.
    fn stuck(&self, now: Millis) -> Vec<String> {
        // A shard that has finished before the others moves no more, and must not.
        if self.parts.draining.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let shards = self.parts.shards.iter();
        let silent = shards.map(|shard| (shard.index, self.silent_ms(shard, now)));
        silent
            .filter(|(_, ms)| *ms >= STUCK_MS)
            .map(|(index, ms)| format!("shard {index} has not moved for {} s", ms / 1_000))
            .collect()
    }

    /// Why no new connections should come here, one line each.
    fn obstacles(&self, now: Millis, today: UnixSeconds) -> Vec<String> {
        let parts = &self.parts;
        let mut lines = self.stuck(now);
        let mut add = |is: bool, line: &str| {
            if is {
                lines.push(line.to_owned());
            }
        };
        let draining = parts.draining.load(Ordering::Relaxed);
        add(draining, "draining: the gateway is about to end");
        let silent_ms = now.0.saturating_sub(parts.control.load(Ordering::Relaxed));
        let hangs = "nothing is recorded: the disk of the audit file does not answer";
        add(silent_ms >= UP_MS_MAX, hangs);
        let unwritable = "the audit file cannot be written: see the log";
        add(parts.audit.holds_up_requests(), unwritable);
        let unsigned = "the last signature failed: see whether the token answers `t8gate check`";
        add(parts.signer.last_failed(), unsigned);
        let expired = parts.certificate_not_after.load(Ordering::Relaxed) < today.0;
        add(
            expired,
            "the server certificate has expired: renew tls.certificate",
        );
        lines
    }
}

/// A scrape's question to one shard.
enum Asked<'a> {
    /// Others ask it already.
    Not(&'a Scrapes),
    Waiting(Receiver<Latencies>),
    Answered(Option<Box<Latencies>>),
}

impl Asked<'_> {
    /// Whether an answer may still come.
    fn look(&mut self) -> bool {
        if let Self::Not(scrapes) = self
            && let Some(answer) = scrapes.ask()
        {
            *self = Self::Waiting(answer);
        }
        if let Self::Waiting(answer) = self {
            match answer.try_recv() {
                Ok(latencies) => *self = Self::Answered(Some(Box::new(latencies))),
                Err(TryRecvError::Disconnected) => *self = Self::Answered(None),
                Err(TryRecvError::Empty) => {}
            }
        }
        !matches!(self, Self::Answered(_))
    }
}

fn page(status: StatusCode, text: impl Into<String>) -> Page {
    let kind = "text/plain; charset=utf-8";
    (status, [(CONTENT_TYPE, kind)], text.into())
}

/// 200 and this text, or 503 and the lines.
fn verdict(well: &str, lines: &[String]) -> Page {
    match lines {
        [] => page(StatusCode::OK, format!("{well}\n")),
        lines => page(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{}\n", lines.join("\n")),
        ),
    }
}

async fn list() -> Page {
    let text = "t8gate\n\
                /metrics  for Prometheus\n\
                /healthz  200 while every shard moves: restart the process where it does not\n\
                /readyz   200 while new connections are welcome, else why not\n";
    page(StatusCode::OK, text)
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Page {
    let text = admin.exposition().await;
    let kind = exposition::CONTENT_TYPE;
    (StatusCode::OK, [(CONTENT_TYPE, kind)], text)
}

async fn health(State(admin): State<Arc<Admin>>) -> Page {
    verdict("ok", &admin.stuck(Millis::now()))
}

async fn readiness(State(admin): State<Arc<Admin>>) -> Page {
    verdict("ready", &admin.obstacles(Millis::now(), UnixSeconds::now()))
}

/// Serves until it is dropped. One request for each connection, each within its bounds.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>) {
    let router = admin.router();
    let mut open = Open::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => open.serve(stream, router.clone()),
            Err(error) => pause_after(&error).await,
        }
    }
}

/// Accepting failed, for want of descriptors.
async fn pause_after(error: &std::io::Error) {
    tracing::debug!(%error, "the admin listener could not accept");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// The connections that are being answered.
#[derive(Default)]
struct Open(VecDeque<AbortHandle>);

impl Open {
    /// Answers one request that comes by it.
    fn serve(
        &mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        router: Router,
    ) {
        let Self(open) = self;
        open.retain(|task| !task.is_finished());
        // An answer takes a moment, so the oldest is the one that says nothing. Were the newest
        // turned away, whoever holds all places would keep everybody out.
        if open.len() >= CONNECTIONS_MAX
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let service = TowerToHyperService::new(router);
        let serving = tokio::spawn(async move {
            let mut server = http1::Builder::new();
            server
                .keep_alive(false)
                // Who hangs up behind a request has asked for it all the same.
                .half_close(true)
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_WAIT);
            let connection = server.serve_connection(TokioIo::new(stream), service);
            // Who breaks off, or is too slow, has no further claim.
            let _ = tokio::time::timeout(CONNECTION_WAIT, connection).await;
        });
        open.push_back(serving.abort_handle());
    }
}

#[cfg(test)]
mod tests;
