use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::*;
use crate::audit::Journal;
use crate::audit::Keeps;
use crate::config::{Audit, Located, WhenUnwritable};
use crate::control::audit_file::AuditWriter;
use crate::signers::Signs;

fn view(index: usize) -> ShardView {
    ShardView {
        index,
        counters: Arc::new(Counters::new(1)),
        scrapes: Arc::default(),
    }
}

/// What a well gateway has to show: one shard, which answers nobody yet.
fn parts() -> Parts {
    let writer = AuditWriter::new(Vec::new(), Arc::default(), None, Millis(0));
    Parts {
        shards: vec![view(0)],
        clients: Arc::new(ClientNames::from_pointee(vec!["scs-1".to_owned()])),
        audit: writer.state(),
        control: Arc::new(AtomicU64::new(Millis::now().0)),
        signer: Arc::default(),
        signers: None,
        draining: Arc::default(),
        certificate_not_after: Arc::new(AtomicU64::new(u64::MAX)),
        anchors_not_after: Arc::new(AtomicU64::new(u64::MAX)),
        own_certificates_not_after: Arc::new(AtomicU64::new(u64::MAX)),
        reloads: Arc::default(),
        revocation: Arc::default(),
        crl_counts: Arc::default(),
        over_allowance: Arc::default(),
        keys: Arc::default(),
        introspection: Arc::default(),
        ocsp_counts: Arc::default(),
        revoked: Arc::default(),
        desk: Desk::without_store(),
    }
}

/// A shard that answers until it is dropped.
struct Answers(Arc<AtomicBool>);

impl Answers {
    fn of(shard: &ShardView) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let (ended, scrapes) = (Arc::clone(&end), Arc::clone(&shard.scrapes));
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                scrapes.answer(&Latencies::default());
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self(end)
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// Starts a listener on a free port.
async fn listening(admin: Arc<Admin>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, admin));
    address
}

/// What comes back for some bytes, until the other side closes.
async fn answer(address: SocketAddr, request: &str) -> String {
    let request = request.to_owned();
    let talk = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        // The other side may close before it has read this.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    };
    tokio::task::spawn_blocking(talk).await.unwrap()
}

async fn get_path(address: SocketAddr, path: &str) -> String {
    answer(address, &format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await
}

#[track_caller]
fn assert_answer(answer: &str, status: &str, text: &str) {
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{answer}"
    );
    assert!(answer.contains(text), "{text} is not in\n{answer}");
}

#[test]
fn pages_are_served_and_nothing_else_is() {
    run(async {
        let parts = parts();
        let _answers = Answers::of(&parts.shards[0]);
        let at = listening(Admin::new(parts)).await;
        assert_answer(&get_path(at, "/").await, "200", "/metrics");
        assert_answer(&get_path(at, "/healthz").await, "200", "\r\n\r\nok\n");
        assert_answer(&get_path(at, "/readyz").await, "200", "\r\n\r\nready\n");
        let metrics = get_path(at, "/metrics").await;
        assert_answer(&metrics, "200", "text/plain; version=0.0.4; charset=utf-8");
        assert_answer(&metrics, "200", "\nt8gate_up{shard=\"0\"} 1\n");
        assert_answer(
            &metrics,
            "200",
            "t8gate_phase_duration_seconds_count{shard=\"0\"",
        );
        assert_answer(&get_path(at, "/metrics/").await, "404", "see /");
        assert_answer(&get_path(at, "/debug").await, "404", "see /");
        for method in ["POST", "DELETE", "OPTIONS"] {
            let request = format!("{method} /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
            assert_answer(&answer(at, &request).await, "405", "allow: GET,HEAD");
        }
        let head = answer(at, "HEAD /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(
            head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        assert_answer(&answer(at, "nonsense\r\n\r\n").await, "400", "");
    });
}

#[test]
fn scrape_of_a_shard_that_does_not_answer_ends_in_time() {
    run(async {
        let mut parts = parts();
        parts.shards.push(view(1));
        let _answers = Answers::of(&parts.shards[0]);
        let admin = Admin::new(parts);
        let start = Millis::now();
        let page = admin.exposition().await;
        assert!(Millis::now().0 - start.0 < 5_000);
        assert!(page.contains("t8gate_up{shard=\"0\"} 1\n"));
        assert!(page.contains("t8gate_up{shard=\"1\"} 0\n"));
    });
}

#[test]
fn many_scrapes_at_once_are_all_answered() {
    run(async {
        let parts = parts();
        let _answers = Answers::of(&parts.shards[0]);
        let at = listening(Admin::new(parts)).await;
        let scrapes: Vec<_> = (0..20)
            .map(|_| tokio::spawn(async move { get_path(at, "/metrics").await }))
            .collect();
        for scrape in scrapes {
            assert_answer(&scrape.await.unwrap(), "200", "t8gate_up{shard=\"0\"} 1\n");
        }
    });
}

#[test]
fn shard_that_hangs_is_named_by_health_and_readiness() {
    let mut parts = parts();
    parts.shards.push(view(1));
    let admin = Admin::new(parts);
    let now = admin.started.after(Duration::from_secs(11));
    admin.parts.shards[0].counters.swept_at_ms.set(now.0 - 100);
    admin.parts.control.store(now.0 - 100, Ordering::Relaxed);
    assert_eq!(admin.stuck(now), ["shard 1 has not moved for 11 s"]);
    assert_eq!(admin.obstacles(now, UnixSeconds(0)), admin.stuck(now));
    let (status, _, text) = verdict("ok", &admin.stuck(now));
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text, "shard 1 has not moved for 11 s\n");
    let soon = admin.started.after(Duration::from_secs(9));
    assert!(admin.stuck(soon).is_empty());
}

#[test]
fn control_thread_that_hangs_is_named_by_readiness() {
    let admin = Admin::new(parts());
    let now = admin.started.after(Duration::from_secs(6));
    admin
        .parts
        .control
        .store(now.0 - UP_MS_MAX, Ordering::Relaxed);
    let said = admin.obstacles(now, UnixSeconds(0));
    assert_eq!(
        said,
        ["nothing is recorded: the disk of the audit file does not answer"]
    );
}

/// A shard that has finished stands still while others finish what is in flight.
#[test]
fn shard_that_has_drained_is_not_called_stuck() {
    let admin = Admin::new(parts());
    let now = admin.started.after(Duration::from_secs(60));
    assert!(!admin.stuck(now).is_empty());
    admin.parts.draining.store(true, Ordering::Relaxed);
    assert!(admin.stuck(now).is_empty());
}

#[test]
fn readiness_names_every_reason_in_a_line_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit {
        file: Located {
            value: folder.path().to_path_buf(),
            line: 1,
        },
        when_unwritable: WhenUnwritable::Refuse,
    };
    let (_journal, batches) = Journal::new(Keeps::AllOrRefuse, 1_024);
    let writer = AuditWriter::new(vec![(0, batches)], Arc::default(), Some(&audit), Millis(0));
    let mut parts = parts();
    parts.audit = writer.state();
    parts.certificate_not_after = Arc::new(AtomicU64::new(1_000));
    let admin = Admin::new(parts);
    let lines = |admin: &Admin, at| admin.obstacles(admin.started, UnixSeconds(at)).join("\n");
    let said = lines(&admin, 1_000);
    assert!(
        said.contains("audit") && !said.contains("certificate"),
        "{said}"
    );
    admin.parts.signer.note(Signs::Handshake, false);
    admin.parts.draining.store(true, Ordering::Relaxed);
    let said = lines(&admin, 1_001);
    for word in ["draining", "audit file", "signature failed", "has expired"] {
        assert!(
            said.lines().filter(|line| line.contains(word)).count() == 1,
            "{said}"
        );
    }
    admin.parts.signer.note(Signs::Handshake, true);
    assert!(
        !lines(&admin, 0).contains("signature"),
        "the last one counts"
    );
}

#[test]
fn peers_that_hold_their_connections_do_not_hold_the_listener() {
    run(async {
        let at = listening(Admin::new(parts())).await;
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            let mut stream = TcpStream::connect(at).unwrap();
            stream.write_all(b"GET / HT").unwrap();
            held.push(stream);
        }
        // All places are taken: the oldest has to go.
        assert_answer(&get_path(at, "/healthz").await, "200", "ok");
        let mut first = held.remove(0);
        let ended = tokio::task::spawn_blocking(move || first.read(&mut [0; 16]));
        assert!(!ended.await.unwrap().is_ok_and(|count| count > 0));
        let mut second = held.remove(0);
        second.write_all(b"TP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let answered = tokio::task::spawn_blocking(move || {
            let mut answer = String::new();
            second.read_to_string(&mut answer).map(|_| answer)
        });
        assert_answer(&answered.await.unwrap().unwrap(), "200", "/metrics");
    });
}
