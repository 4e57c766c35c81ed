//! The status of the gateway's own certificate, stapled in handshakes: from a responder, from a
//! file, and not at all where there is none that holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::clock::Clock;
use crate::harness::client::HOST;
use crate::harness::gateway::{check, t8gate, write};
use crate::harness::origin::Origin;
use crate::harness::pki::Authority;
use crate::harness::responder::Database;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{WAIT, command, free_address, peers, run, run_well, wait_until};
use crate::reload::{ON_SIGNAL, reload, reload_in_vain, rewrite};

const BOTH: [&str; 2] = ["-tls1_3", "-tls1_2"];

fn server_certificate(stage: &Stage) -> PathBuf {
    PathBuf::from(stage.config.value("tls.certificate").trim_matches('"'))
}

/// What the operator's CA has to say of the server's certificate.
fn database(stage: &Stage, stem: &str, ca: &Authority) -> Database {
    let server = CertificateDer::from_pem_file(server_certificate(stage)).unwrap();
    Database::new(stage.scratch.path(), stem, ca, &[&server])
}

/// An answer about the server's certificate, made at this time.
fn answer(stage: &Stage, database: &Database, ca: &Authority, at: &str, into: &Path) {
    database.answer(&server_certificate(stage), &ca.certificate, at, into);
}

/// What openssl is shown of the status in a handshake with these arguments.
fn shown(house: &House, arguments: &[&str]) -> String {
    let stage = &house.stage;
    let ca = &stage.operator_ca.certificate;
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    let (address, request) = (house.gateway.address, request.as_bytes());
    let outcome = peers::s_client(address, ca, Some(&stage.acme), arguments, request);
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    said
}

fn is_stapled_in(house: &House, version: &str) -> bool {
    let said = shown(house, &[version, "-status"]);
    if said.contains("OCSP response: no response sent") {
        return false;
    }
    let good = said.contains("OCSP Response Status: successful (0x0)")
        && said.contains("Cert Status: good");
    assert!(good, "{version}: {said}");
    true
}

/// The same in both versions: not to be asked while that may change, between the one and the other.
fn is_stapled(house: &House) -> bool {
    let [new, old] = BOTH.map(|version| is_stapled_in(house, version));
    assert_eq!(new, old, "TLS 1.3 and TLS 1.2 differ");
    new
}

fn stapled_by_metrics(house: &House) -> [usize; 2] {
    let metrics = house.gateway.admin().metrics();
    let of = |state| metrics.count("t8gate_ocsp_staples", &[("state", state)]);
    [of("stapled"), of("missing")]
}

//= TS 33.210 clause 6.2.2 type=test
#[test]
fn responders_answer_is_stapled_in_both_versions_for_who_asks() {
    let mut responder = None;
    let house = House::open_staged(|stage| {
        stage.watch();
        let ca = &stage.operator_ca;
        let started = database(stage, "operator", ca).start(60);
        let issuer = ca.certificate.display().to_string();
        stage.config.set_text("tls.ocsp.url", started.url());
        stage.config.set_text("tls.ocsp.issuer", issuer);
        responder = Some(started);
    });
    wait_until("the status", || stapled_by_metrics(&house) == [1, 0]);
    assert!(is_stapled(&house));
    for version in BOTH {
        let said = shown(&house, &[version]);
        assert!(!said.contains("Cert Status"), "{said}");
    }
    let (_, report) = conformance(&house);
    let row = report.lines().find(|row| row.contains("should be stapled"));
    assert!(row.is_some_and(|row| row.ends_with("| met |")), "{report}");
    // Asked once, whoever is shown it. What openssl writes of that may come later.
    let responder = responder.expect("it was started");
    wait_until("the question to be written down", || responder.asked() > 0);
    assert_eq!(responder.asked(), 1);
    let metrics = house.gateway.admin().metrics();
    let own = [("about", "own"), ("outcome", "good")];
    assert_eq!(metrics.count("t8gate_ocsp_questions_total", &own), 1);
}

/// What `check --conformance` says of the house's configuration.
fn conformance(house: &House) -> (bool, String) {
    let mut command = t8gate(&["check", "--conformance", "--config"]);
    let outcome = run(command.arg(&house.gateway.file), b"", WAIT);
    (outcome.status.success(), outcome.stdout)
}

#[test]
fn status_of_a_file_is_stapled_until_it_ends_and_another_issuers_never() {
    let mut clock = None;
    let mut file = PathBuf::new();
    let mut own = None;
    let house = House::open_staged(|stage| {
        stage.watch();
        clock = Some(Clock::of(stage));
        file = stage.scratch.path().join("server.ocsp");
        let ca = &stage.operator_ca;
        let database = database(stage, "operator", ca);
        answer(stage, &database, ca, "+0", &file);
        let issuer = ca.certificate.display().to_string();
        stage.config.set_text("tls.ocsp.file", file.display());
        stage.config.set_text("tls.ocsp.issuer", issuer);
        own = Some(database);
    });
    let (stage, clock, own) = (&house.stage, clock.unwrap(), own.unwrap());
    assert!(is_stapled(&house), "from the first handshake on");
    clock.set(2 * 3_600, &house);
    house.gateway.await_log("has ended: none is stapled now");
    assert!(!is_stapled(&house));
    assert_eq!(stapled_by_metrics(&house), [0, 1]);
    // By a CA of the same name, about the same serial number.
    let other = Authority::new(
        &stage.scratch.path().join("operator"),
        "Operator TLS CA",
        crate::harness::pki::Key::P384,
    );
    let others = database(stage, "other", &other);
    answer(stage, &others, &other, "+2h", &file);
    house.gateway.await_log("a new status cannot be stapled");
    assert!(!is_stapled(&house));
    answer(stage, &own, &stage.operator_ca, "-2h", &file);
    house.gateway.await_log("it has ended; none is stapled");
    assert!(!is_stapled(&house));
    answer(stage, &own, &stage.operator_ca, "+2h", &file);
    wait_until("the new status", || stapled_by_metrics(&house) == [1, 0]);
    assert!(is_stapled(&house));
}

#[test]
fn status_that_cannot_be_stapled_is_a_fault_with_its_line_and_cure() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let file = stage.scratch.path().join("server.ocsp");
    let others = database(&stage, "partner", &stage.partner_ca);
    answer(&stage, &others, &stage.partner_ca, "+0", &file);
    stage.config.set_text("listen.address", free_address());
    stage.config.set_text("tls.ocsp.file", file.display());
    let said = |stage: &Stage| {
        let outcome = check(&write(stage.scratch.path(), &stage.config), &[]);
        (outcome.status.success(), outcome.stdout + &outcome.stderr)
    };
    let (good, text) = said(&stage);
    assert!(!good && text.contains("tls.ocsp.issuer"), "{text}");
    let issuer = stage.operator_ca.certificate.display().to_string();
    stage.config.set_text("tls.ocsp.issuer", issuer);
    let (good, text) = said(&stage);
    assert!(!good && text.contains("tls.ocsp.file"), "{text}");
    assert!(text.contains("hint") || text.contains("cure"), "{text}");
    let own = database(&stage, "operator", &stage.operator_ca);
    answer(&stage, &own, &stage.operator_ca, "-2h", &file);
    let (good, text) = said(&stage);
    assert!(
        good && text.contains("has ended: none is stapled"),
        "{text}"
    );
    answer(&stage, &own, &stage.operator_ca, "+0", &file);
    let (good, text) = said(&stage);
    assert!(good && text.contains("status to staple"), "{text}");
}

#[test]
fn responder_that_is_configured_later_needs_no_restart() {
    let mut house = House::open_staged(|stage| {
        stage.watch();
        stage.config.set("reload.watch", "\"off\"");
    });
    assert!(!is_stapled(&house));
    let (_, report) = conformance(&house);
    let row = report.lines().find(|row| row.contains("should be stapled"));
    let said = "not met: no status is stapled: tls.ocsp not set |";
    assert!(row.is_some_and(|row| row.ends_with(said)), "{report}");
    let ca = &house.stage.operator_ca;
    let responder = database(&house.stage, "operator", ca).start(60);
    let issuer = ca.certificate.display().to_string();
    let mut config = house.stage.config.clone();
    config.set_text("tls.ocsp.url", responder.url());
    config.set_text("tls.ocsp.issuer", issuer);
    let write = |house: &House, config: &crate::harness::gateway::ConfigText| {
        let mut config = config.clone();
        config.set_text("listen.address", house.gateway.address);
        config.set_text("admin.address", house.gateway.admin.unwrap());
        std::fs::write(&house.gateway.file, config.render()).unwrap();
        house.gateway.hang_up();
    };
    write(&house, &config);
    wait_until("the status", || stapled_by_metrics(&house) == [1, 0]);
    // The shard takes what is in force over between two turns.
    let shown = || BOTH.iter().all(|version| is_stapled_in(&house, version));
    wait_until("the status in handshakes", shown);
    // A reload that changes nothing of it keeps it, and asks nothing.
    write(&house, &config);
    wait_until("the second reload", || {
        let metrics = house.gateway.admin().metrics();
        metrics.count("t8gate_reloads_total", &[("outcome", "applied")]) == 2
    });
    assert!(is_stapled(&house));
    assert_eq!(responder.asked(), 1);
    // And without its section it is gone.
    let without = house.stage.config.clone();
    write(&house, &without);
    let gone = || !BOTH.iter().any(|version| is_stapled_in(&house, version));
    wait_until("the end of the status", gone);
    assert!(!is_stapled(&house));
    house.stage.config = without;
}

/// A file that changes all the time is never found the same by two looks, and is read all the same
/// when somebody says so.
#[test]
fn sighup_has_a_changed_file_of_a_status_read_at_once() {
    let mut file = PathBuf::new();
    let house = House::open_staged(|stage| {
        stage.watch();
        stage.config.set("reload.watch", ON_SIGNAL);
        file = stage.scratch.path().join("server.ocsp");
        let ca = &stage.operator_ca;
        let database = database(stage, "operator", ca);
        answer(stage, &database, ca, "+0", &file);
        let issuer = ca.certificate.display().to_string();
        stage.config.set_text("tls.ocsp.file", file.display());
        stage.config.set_text("tls.ocsp.issuer", issuer);
    });
    let ended = Arc::new(AtomicBool::new(false));
    let (until, written) = (Arc::clone(&ended), file.clone());
    let writer = thread::spawn(move || {
        let mut octets = 1;
        while !until.load(Ordering::Relaxed) {
            octets += 1;
            std::fs::write(&written, "?".repeat(octets)).expect("our own file");
            thread::sleep(Duration::from_millis(50));
        }
    });
    let said = "a new status cannot be stapled";
    let times = || house.gateway.log().matches(said).count();
    // Two looks and more. Whoever stops the writer for as long has them find the same.
    let stays_unread = || {
        let before = times();
        thread::sleep(Duration::from_secs(3));
        times() == before
    };
    assert!((0..5).any(|_| stays_unread()), "read without being told");
    let before = times();
    house.gateway.hang_up();
    wait_until("the reading", || times() > before);
    ended.store(true, Ordering::Relaxed);
    writer.join().expect("no panic");
    assert!(is_stapled(&house), "what was stapled stays");
    std::fs::remove_file(&file).expect("written above");
    house
        .gateway
        .await_log("the file of a status is not there any more");
    assert!(is_stapled(&house), "also where the file is gone");
    // Three looks and more.
    thread::sleep(Duration::from_secs(3));
    let gone = "the file of a status is not there any more";
    assert_eq!(house.gateway.log().matches(gone).count(), 1);
}

/// Nobody ever writes into it, and no other status is read by who waits for that.
#[test]
fn pipe_in_a_statuss_place_is_refused_and_the_next_status_is_stapled() {
    let (mut file, mut own) = (PathBuf::new(), None);
    let house = House::open_staged(|stage| {
        stage.watch();
        file = stage.scratch.path().join("server.ocsp");
        let ca = &stage.operator_ca;
        let database = database(stage, "operator", ca);
        answer(stage, &database, ca, "+0", &file);
        let issuer = ca.certificate.display().to_string();
        stage.config.set_text("tls.ocsp.file", file.display());
        stage.config.set_text("tls.ocsp.issuer", issuer);
        own = Some(database);
    });
    let (stage, own) = (&house.stage, own.expect("made above"));
    assert!(is_stapled(&house));
    std::fs::remove_file(&file).expect("written above");
    run_well(command("mkfifo").arg(&file));
    house.gateway.await_log("it is no regular file");
    assert!(is_stapled(&house), "what was stapled stays");
    std::fs::remove_file(&file).expect("made above");
    let stapled = || {
        house
            .gateway
            .log()
            .matches("a new status is stapled")
            .count()
    };
    let before = stapled();
    answer(stage, &own, &stage.operator_ca, "+1m", &file);
    wait_until("the next status", || stapled() > before);
    assert!(is_stapled(&house));
}

#[test]
fn status_of_another_file_is_stapled_with_the_configuration_that_names_it_and_not_before() {
    let (mut ended, mut good) = (PathBuf::new(), PathBuf::new());
    let mut house = House::open_staged(|stage| {
        stage.watch();
        stage.config.set("reload.watch", ON_SIGNAL);
        [ended, good] = ["ended.ocsp", "good.ocsp"].map(|name| stage.scratch.path().join(name));
        let ca = &stage.operator_ca;
        let database = database(stage, "operator", ca);
        answer(stage, &database, ca, "-2h", &ended);
        answer(stage, &database, ca, "+0", &good);
        let issuer = ca.certificate.display().to_string();
        stage.config.set_text("tls.ocsp.file", ended.display());
        stage.config.set_text("tls.ocsp.issuer", issuer);
    });
    assert!(!is_stapled(&house));
    rewrite(&mut house, |config| {
        config.set_text("tls.ocsp.file", good.display());
        config.set_text("deadlines.drain", "soon");
    });
    reload_in_vain(&house);
    assert!(!is_stapled(&house), "by a configuration that was refused");
    rewrite(&mut house, |config| {
        config.unset("deadlines.drain");
    });
    reload(&house);
    wait_until("the status", || stapled_by_metrics(&house) == [1, 0]);
    let shown = || BOTH.iter().all(|version| is_stapled_in(&house, version));
    wait_until("the status in handshakes", shown);
}
