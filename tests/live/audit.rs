//! The audit file: one record for each decision, under load, through SIGTERM, on a full disk; and
//! nothing in it, in the log or among the metrics that names a token or a subscriber.

use std::collections::{HashMap, HashSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::authorization::assert_problem;
use crate::harness::client::{HOST, Response, get, request};
use crate::harness::origin::{Act, ok, poured};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{WAIT, command, run_well, wait_until};

/// Has decisions recorded in a file of the test's own.
fn recorded(stage: &mut Stage) {
    let file = file_of(stage);
    stage.config.set_text("audit.file", file.display());
}

fn file_of(stage: &Stage) -> PathBuf {
    stage.scratch.path().join("audit.jsonl")
}

fn records(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "half a line");
    let line = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    text.lines().map(line).collect()
}

/// Waits until there are so many, and takes them.
fn await_records(file: &Path, count: usize) -> Vec<Value> {
    let lines = || {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.matches('\n').count()
    };
    wait_until("records in the audit file", || lines() >= count);
    let records = records(file);
    assert_eq!(records.len(), count, "{records:#?}");
    records
}

fn id(response: &Response) -> &str {
    response
        .field("x-request-id")
        .expect("every answer has one")
}

#[test]
fn each_decision_has_one_record_under_the_id_of_its_answer() {
    let house = House::open_staged(|stage| {
        recorded(stage);
        stage.issue_tokens();
    });
    let token = house.token();
    let mut client = house.client();
    let body = br#"{"msisdn":"999010000000001"}"#;
    let fields = "Content-Type: application/json\r\n";
    let allowed = client.ask(request("POST", PATH, &token, fields, body));
    assert_eq!(allowed.status, 200);
    let again = client.get(PATH, &token);
    let foreign = client.get("/3gpp-monitoring-event/v1/globex/subscriptions", &token);
    assert_problem(&foreign, 403);
    let form = "grant_type=client_credentials&client_id=acme-app&scope=3gpp-nidd";
    let length = form.len();
    let granted = client.ask(format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
    ));
    assert_eq!(granted.status, 200);
    let malformed = client.ask("GET /a//b HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_problem(&malformed, 400);
    // And a connection that never was one.
    let nobody = crate::harness::client::Dialer::new(&house.stage.operator_ca.der, None, HOST);
    let refused = nobody.connect(house.gateway.address);
    assert!(refused.is_err() || refused.is_ok_and(|mut client| client.closed()));

    let records = await_records(&file_of(&house.stage), 6);
    let by_id: HashMap<&str, &Value> = records
        .iter()
        .filter_map(|record| Some((record["request_id"].as_str()?, record)))
        .collect();
    let of = |response: &Response| by_id[id(response)];
    let record = of(&allowed);
    assert_eq!(record["kind"], "request");
    assert_eq!(record["outcome"], "answered");
    assert_eq!(record["status"], 200);
    assert_eq!(record["client"], "acme");
    assert_eq!(record["method"], "POST");
    assert_eq!(record["api"], "3gpp-monitoring-event");
    assert_eq!(record["resource"], "/{scsAsId}/subscriptions");
    assert_eq!(record["token"], "verified");
    assert_eq!(record["request_bytes"], body.len());
    assert_eq!(record["response_bytes"], allowed.body.len());
    let times = ["authorize_us", "upstream_us", "whole_us"];
    let [authorize, upstream, whole] = times.map(|name| record[name].as_f64().expect(name));
    assert!(authorize > 0.0 && upstream > 0.0 && whole >= authorize + upstream);
    assert!(
        record["address"]
            .as_str()
            .expect("text")
            .starts_with("127.")
    );
    let time = record["time"].as_str().expect("text");
    assert!(time.ends_with('Z') && time.len() == "2026-01-01T00:00:00.000Z".len());
    assert_eq!(of(&again)["token"], "remembered");
    assert_eq!(of(&foreign)["outcome"], "refused");
    assert_eq!(of(&foreign)["reason"], "scs_as_id_foreign");
    assert_eq!(of(&foreign)["status"], 403);
    assert_eq!(of(&granted)["kind"], "grant");
    assert_eq!(of(&granted)["scope"], serde_json::json!(["3gpp-nidd"]));
    assert_eq!(of(&malformed)["reason"], "path_malformed");
    let connection = records.iter().find(|record| record["kind"] == "connection");
    let connection = connection.expect("a record of the refused connection");
    assert_eq!(connection["reason"], "no_client_certificate");
    assert!(connection.get("client").is_none());
}

//= RFC 8446 section 5.1 type=test
//# A longer record is refused by record_overflow, and not waited for.
#[test]
fn record_that_is_too_long_before_the_hello_is_told_counted_and_recorded_once() {
    let mut house = House::open_staged(|stage| {
        stage.watch();
        // Whoever waits for the rest of it waits longer than this test.
        stage.config.set_text("deadlines.handshake", "60s");
    });
    let mut socket = TcpStream::connect(house.gateway.address).expect("a listener");
    socket.set_read_timeout(Some(WAIT)).expect("not zero");
    socket.write_all(&[22, 3, 1, 0x40, 1]).expect("an open one");
    let mut told = Vec::new();
    socket
        .read_to_end(&mut told)
        .expect("an answer and the end");
    assert_eq!(told, [21, 3, 3, 0, 2, 2, 22]);
    let metrics = house.gateway.admin().metrics();
    let refused = |labels| metrics.count("t8gate_connections_refused_total", labels);
    assert_eq!(refused(&[("reason", "protocol")]), 1);
    assert_eq!(refused(&[]), 1);
    house.gateway.terminate();
    house.gateway.wait(WAIT).expect("to end");
    let records = records(&file_of(&house.stage));
    assert_eq!(records.len(), 1, "{records:#?}");
    let said = ["kind", "outcome", "reason", "detail"].map(|name| &records[0][name]);
    let expected = ["connection", "refused", "protocol", "record_overflow"];
    assert_eq!(said, expected);
    // And whoever reads of the word finds the alert.
    let readme = include_str!("../../README.md");
    let row = readme
        .lines()
        .find(|line| line.starts_with("| `protocol` |"));
    assert!(row.expect("its row").contains("`record_overflow`"));
}

/// Every request of a load has its record, whatever became of it, and a SIGTERM in the middle of it
/// loses none.
#[test]
fn records_are_as_many_as_requests_under_load_and_through_sigterm() {
    const CLIENTS: usize = 8;
    let mut house = House::open_staged(recorded);
    let token = house.token();
    let foreign = "/3gpp-monitoring-event/v1/globex/subscriptions";
    let seen: Vec<(HashSet<String>, usize)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..CLIENTS)
            .map(|worker| {
                let mut client = house.client();
                let token = &token;
                scope.spawn(move || {
                    let mut ids = HashSet::new();
                    let mut sent = 0;
                    loop {
                        let path = match (worker + sent) % 3 {
                            0 => foreign,
                            _ => PATH,
                        };
                        if client.send(get(path, token)).is_err() {
                            return (ids, sent);
                        }
                        let Ok(answer) = client.read_answer(false) else {
                            return (ids, sent);
                        };
                        sent += 1;
                        assert!(ids.insert(id(&answer).to_owned()), "an id twice");
                    }
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(1_500));
        house.gateway.terminate();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.map(|seen| seen.expect("no panic")).collect()
    });
    let status = house.gateway.wait(WAIT).expect("to end");
    assert_eq!(status.code(), Some(0));
    let records = records(&file_of(&house.stage));
    let recorded: HashSet<&str> = records
        .iter()
        .filter_map(|record| record["request_id"].as_str())
        .collect();
    assert_eq!(recorded.len(), records.len(), "an id twice, or none");
    let answered: usize = seen.iter().map(|(_, sent)| sent).sum();
    assert!(answered > 500, "a load of {answered} is none");
    for id in seen.iter().flat_map(|(ids, _)| ids) {
        assert!(recorded.contains(id.as_str()), "{id} has no record");
    }
    // What more there is was under way when the end came: one for each connection at most.
    assert!(records.len() <= answered + CLIENTS, "{}", records.len());
    let log = house.gateway.log();
    let counted = log
        .split_whitespace()
        .find_map(|word| word.strip_prefix("requests="))
        .expect("the shard's last words");
    assert_eq!(counted, records.len().to_string());
    let upstream = records.iter().filter(|r| r["outcome"] != "refused");
    assert_eq!(upstream.count(), house.origin.requests());
}

/// What was cut off by the end of the drain has its record, too.
#[test]
fn request_that_the_end_cuts_off_is_recorded() {
    let mut house = House::open_staged(|stage| {
        recorded(stage);
        stage.config.set("deadlines.drain", "\"300ms\"");
    });
    house.origin.script(vec![Act::ReadBody, Act::Hang]);
    let mut client = house.client();
    client
        .send(get(PATH, &house.token()))
        .expect("a connection");
    house.origin.await_requests(1);
    house.gateway.terminate();
    house.gateway.wait(WAIT).expect("to end");
    let records = records(&file_of(&house.stage));
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["outcome"], "abandoned");
}

#[test]
fn clients_that_go_and_answers_that_break_have_their_outcome() {
    let house = House::open_staged(|stage| {
        recorded(stage);
        stage.config.set_text("limits.guarded_bytes_max", "64KiB");
    });
    let mut broken = b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n".to_vec();
    broken.extend_from_slice(&poured(200_000));
    house
        .origin
        .script(vec![Act::ReadBody, Act::Send(broken), Act::Close]);
    let mut client = house.client();
    client
        .send(get(PATH, &house.token()))
        .expect("a connection");
    assert!(client.read_answer(false).is_err());
    house.origin.answer(ok(b"{}"));
    let mut leaving = house.client();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\nhalf",
        house.token()
    );
    leaving.send(head).expect("a connection");
    thread::sleep(Duration::from_millis(100));
    drop(leaving);
    let records = await_records(&file_of(&house.stage), 2);
    let outcomes: HashSet<&str> = records
        .iter()
        .filter_map(|record| record["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, HashSet::from(["cut", "client_gone"]));
}

/// A small disk of the test's own, which needs the right to mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Self {
        std::fs::create_dir_all(&at).expect("our own folder");
        let mut mount = command("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
        run_well(mount.arg(&at));
        Self(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A house whose audit file is on a disk of 1 MiB, and whose journal is the smallest there is. The
/// disk comes last, and so goes first: the folder it is mounted in is the house's.
fn house_on_a_small_disk(more: &str) -> (PathBuf, House, SmallDisk) {
    let mut disk = None;
    let house = House::open_staged(|stage| {
        let at = stage.scratch.path().join("disk");
        let file = at.join("audit.jsonl");
        disk = Some((SmallDisk::mount(at), file.clone()));
        stage.config.set_text("audit.file", file.display());
        stage.config.set("limits.audit_records_max", "1024");
        stage.config.set_text("admin.address", "127.0.0.1:0");
        stage.config.set_text("audit.when_unwritable", more);
    });
    let (disk, file) = disk.expect("mounted above");
    (file, house, disk)
}

#[test]
fn full_disk_refuses_what_cannot_be_recorded_and_loses_nothing() {
    let (file, mut house, _disk) = house_on_a_small_disk("refuse");
    let token = house.token();
    let mut client = house.client();
    let mut served = HashSet::new();
    let noticed = || house.gateway.log().contains("records cannot be written");
    let refused = (0..20_000).find_map(|_| {
        let answer = client.get(PATH, &token);
        if answer.status == 200 {
            served.insert(id(&answer).to_owned());
            return None;
        }
        // The journal is full for a moment as well where the writer is not let run.
        thread::sleep(Duration::from_millis(1));
        noticed().then_some(answer)
    });
    let refused = refused.expect("a full disk to be noticed");
    assert_problem(&refused, 503);
    assert!(refused.text().contains("AUDIT_UNWRITABLE"));
    assert_eq!(refused.field("retry-after"), Some("1"));
    served.insert(id(&refused).to_owned());
    // The operator makes room, in the middle of a line that is half written.
    let before = std::fs::read_to_string(&file).expect("our own file");
    // The line that the disk ended is begun anew in the next file.
    let before = before[..=before.rfind('\n').expect("a line")].to_owned();
    std::fs::remove_file(&file).expect("our own file");
    let end = Instant::now() + WAIT;
    while client.get(PATH, &token).status != 200 {
        assert!(Instant::now() < end, "never well again");
        thread::sleep(Duration::from_millis(50));
    }
    house.gateway.terminate();
    assert_eq!(house.gateway.wait(WAIT).expect("to end").code(), Some(0));
    let after = std::fs::read_to_string(&file).expect("made anew");
    let whole = house.stage.scratch.write("whole.jsonl", before + &after);
    let recorded: HashSet<String> = records(&whole)
        .iter()
        .filter_map(|record| record["request_id"].as_str().map(str::to_owned))
        .collect();
    let lost: Vec<&String> = served.difference(&recorded).collect();
    assert!(lost.is_empty(), "{} lost", lost.len());
}

#[test]
fn full_disk_serves_on_where_it_may_lose_and_counts_what_it_lost() {
    let (_file, mut house, _disk) = house_on_a_small_disk("lossy");
    let token = house.token();
    let mut client = house.client();
    for _ in 0..6_000 {
        assert_eq!(client.get(PATH, &token).status, 200);
    }
    // Every record is accounted for: written, dropped by the writer, lost on the way to it, or
    // still held by the writer, which holds 256 KiB.
    let admin = house.gateway.admin();
    admin.await_readiness(200);
    wait_until("all records to be accounted for", || {
        let metrics = admin.metrics();
        let of = |what: &str| metrics.sum(&format!("t8gate_audit_records_{what}_total"), &[]);
        let told = of("written") + of("dropped") + of("lost");
        assert!(told <= 6_000.0, "{told} records of 6,000");
        told > 6_000.0 - 256.0 * 1024.0 / 200.0
    });
    let metrics = admin.metrics();
    let of = |what: &str| metrics.sum(&format!("t8gate_audit_records_{what}_total"), &[]);
    assert!(of("dropped") > 0.0, "a disk of 1 MiB holds it all");
    house.gateway.terminate();
    assert_eq!(house.gateway.wait(WAIT).expect("to end").code(), Some(0));
}
