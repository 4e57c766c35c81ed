//! What clients of a gateway notice of a list of a million serial numbers: while it is read, on
//! open connections, and once it is in use, in handshakes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::client::{Client, get};
use crate::harness::gateway::Gateway;
use crate::harness::openssl_ca::{self, OpensslCa};
use crate::harness::origin::Origin;
use crate::harness::pki::{Identity, San};
use crate::harness::stage::{API, PATH, Stage};
use crate::harness::{mint, within};
use crate::{Ca, ENTRIES, write_between};
use rcgen::KeyPair;

const PAIRS: usize = 7;
const CONNECTIONS: usize = 4;
const LOAD_MAX: Duration = Duration::from_secs(60);
const TAKEN: &str = "a new revocation list is in use";
/// A keeper that were not behind the shards would keep them from their CPU for its whole slices:
/// several times the quiet p99. Twice is what neighbours on the machine can do.
const RATIO_MAX: f64 = 2.0;
/// Of the medians of handshakes; what is not measurable is well below.
const HANDSHAKE_RATIO_MAX: f64 = 1.15;
const HANDSHAKES: usize = 400;

struct Scene {
    stage: Stage,
    _origin: Origin,
    acme: Identity,
    signer: Ca,
    /// When its lists begin and end.
    times: [String; 2],
}

fn scene() -> Scene {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let ca = OpensslCa::new(stage.scratch.path(), "ca", "Partner CA of openssl");
    let acme = ca.issue("acme", &San::Dns("scs.acme.example"));
    let certificate = ca.certificate.display();
    stage.config.set_text("tls.client_ca", certificate);
    let list = ca.list("partner.crl", 86_400);
    let file = format!("file = {:?}", list.display().to_string());
    stage.config.table("crl", &file);
    let key = KeyPair::from_pem(&ca.key_pem()).expect("written by us");
    // A UTCTime has two digits for the year.
    let times = [-86_400, 86_400].map(|from_now_s| openssl_ca::time(from_now_s)[2..].to_owned());
    Scene {
        signer: Ca::of(&ca.der(), &key.serialize_der()),
        stage,
        _origin: origin,
        acme,
        times,
    }
}

impl Scene {
    fn write(&self, file: &Path, number: u8) {
        let times = self.times.each_ref().map(String::as_str);
        write_between(file, &self.signer, number, times);
    }

    fn connect(&self, gateway: &Gateway) -> Client {
        let dialer = self.stage.dialer(&self.acme);
        dialer.connect(gateway.address).expect("a good certificate")
    }

    fn token(&self) -> String {
        let claims = mint::claims("acme-app", API, &self.acme.thumbprint());
        self.stage.mint.good(&claims)
    }

    fn list(&self) -> std::path::PathBuf {
        self.stage.scratch.path().join("ca/partner.crl")
    }
}

/// Requests one after another on connections that stand, until told: when each began and how long
/// it took. None may fail.
struct Load {
    until: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<Vec<(Instant, Duration)>>>,
}

impl Load {
    fn start(scene: &Scene, gateway: &Gateway) -> Self {
        let until = Arc::new(AtomicBool::new(false));
        let threads = (0..CONNECTIONS).map(|_| {
            let (mut client, request) = (scene.connect(gateway), get(PATH, &scene.token()));
            let until = Arc::clone(&until);
            thread::spawn(move || {
                let mut taken = Vec::new();
                while !until.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    assert_eq!(client.ask(&request).status, 200);
                    taken.push((begun, begun.elapsed()));
                    thread::sleep(Duration::from_millis(2));
                }
                taken
            })
        });
        let threads = threads.collect();
        Self { until, threads }
    }

    fn stop(self) -> Vec<(Instant, Duration)> {
        self.until.store(true, Ordering::Relaxed);
        let ended = self.threads.into_iter();
        ended
            .flat_map(|thread| thread.join().expect("no request fails"))
            .collect()
    }
}

fn p99_us(all: &[(Instant, Duration)], from: Instant, to: Instant) -> f64 {
    let within = all.iter().filter(|(at, _)| *at >= from && *at < to);
    let mut took: Vec<f64> = within.map(|(_, took)| took.as_secs_f64() * 1e6).collect();
    assert!(took.len() >= 100, "{} requests only", took.len());
    took.sort_by(f64::total_cmp);
    took[took.len() * 99 / 100]
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[test]
#[ignore = "takes 100 MB of disk and a minute; `make test-scale` runs it"]
fn no_request_fails_or_waits_while_a_million_serials_are_read() {
    let scene = scene();
    let gateway = scene.stage.start();
    let next = scene.stage.scratch.path().join("ca/next.crl");
    let mut ratios = Vec::new();
    for (number, pair) in (2..).zip(0..PAIRS) {
        scene.write(&next, number);
        let load = Load::start(&scene, &gateway);
        thread::sleep(Duration::from_secs(1));
        let before = gateway.log().matches(TAKEN).count();
        std::fs::rename(&next, scene.list()).expect("one folder");
        // It looks once a second, and takes what two looks find the same.
        let cpu_before = keeper_cpu_s(&gateway);
        let reading = within(LOAD_MAX, || keeper_cpu_s(&gateway) > cpu_before + 0.02);
        let read_from = Instant::now();
        let taken = within(LOAD_MAX, || gateway.log().matches(TAKEN).count() > before);
        let read_to = Instant::now();
        assert!(reading && taken, "{}", gateway.log());
        let all = load.stop();
        // As long, and right before: what else the machine is at is the same in both.
        let quiet = p99_us(&all, read_from - (read_to - read_from), read_from);
        let busy = p99_us(&all, read_from, read_to);
        println!(
            "pair {pair}: read in {:.2} s; p99 {quiet:.0} us before, {busy:.0} us meanwhile, \
             ratio {:.2}; {} requests, none failed",
            (read_to - read_from).as_secs_f64(),
            busy / quiet,
            all.len()
        );
        ratios.push(busy / quiet);
    }
    let ratio = median(ratios);
    println!("p99 while a list is read, against quiet: median ratio {ratio:.2}");
    assert!(ratio <= RATIO_MAX, "{ratio:.2}");
}

/// CPU time of the thread that keeps lists.
fn keeper_cpu_s(gateway: &Gateway) -> f64 {
    let tasks = std::fs::read_dir(gateway.proc("task")).expect("our own child");
    let stat = tasks.flatten().find_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        stat.contains("(t8gate-crl)").then_some(stat)
    });
    let stat = stat.expect("a keeper of lists");
    let (_, fields) = stat.rsplit_once(") ").expect("Linux");
    // utime and stime, the 14th and 15th field; hundredths of a second.
    let ticks = fields.split(' ').skip(11).take(2);
    ticks
        .map(|field| field.parse::<f64>().expect("a number"))
        .sum::<f64>()
        / 100.0
}

#[test]
#[ignore = "takes 100 MB of disk; `make test-scale` runs it"]
fn handshake_with_a_million_serials_takes_what_one_without_takes() {
    let scene = scene();
    let cpu = scene.stage.config.value("listen.cpus");
    println!("both gateways on {cpu}");
    let without = scene.stage.start();
    let with = {
        let (next, list) = (scene.stage.scratch.path().join("ca/next.crl"), scene.list());
        let kept = list.with_extension("kept");
        std::fs::copy(&list, &kept).expect("our own folder");
        scene.write(&next, 2);
        let long = scene.stage.scratch.path().join("long.crl");
        std::fs::rename(&next, &long).expect("one disk");
        let mut config = scene.stage.config.clone();
        config.without_tables("crl");
        config.table("crl", &format!("file = {:?}", long.display().to_string()));
        Gateway::start(&config, scene.stage.scratch.path(), &[])
    };
    let entries = format!("{ENTRIES} serial numbers of 1 CAs");
    assert!(with.log().contains(&entries), "{}", with.log());
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..HANDSHAKES {
        for (gateway, took) in [&without, &with].into_iter().zip(&mut took) {
            let begun = Instant::now();
            let mut client = scene.connect(gateway);
            assert_eq!(client.get(PATH, &scene.token()).status, 200);
            took.push(begun.elapsed().as_secs_f64() * 1e6);
        }
    }
    let [without, with] = took.map(median);
    println!(
        "full handshake and first request, median of {HANDSHAKES}: {without:.0} us without, \
         {with:.0} us with {ENTRIES} serials, ratio {:.3}",
        with / without
    );
    assert!(with / without <= HANDSHAKE_RATIO_MAX);
}
