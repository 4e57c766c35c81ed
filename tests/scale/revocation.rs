//! From a request to revoke something to its being refused: on connections that stand, on every
//! shard, while others keep the gateway busy.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::client::Client;
use crate::harness::gateway::cpus;
use crate::harness::mint::{ISSUER, with};
use crate::harness::stage::{House, PATH};

/// Of what a revocation is of: a token by its jti, and a certificate.
const TRIALS: usize = 200;
/// On which a revocation is looked for.
const CONNECTIONS: usize = 8;
/// That ask for as much as they get meanwhile.
const BUSY: usize = 4;
/// Of the 99th of a hundred.
const REFUSED_WITHIN: Duration = Duration::from_millis(100);

fn house() -> House {
    House::open_staged(|stage| {
        let folder = stage.scratch.path();
        let (store, socket) = (folder.join("revoked.redb"), folder.join("admin.sock"));
        stage.config.set("listen.cpus", &format!("{:?}", cpus()));
        stage.config.set_text("revocation.store", store.display());
        stage.config.set_text("admin.socket", socket.display());
    })
}

fn ask(house: &House, method: &str, target: &str, body: &str) {
    let socket = house.stage.scratch.path().join("admin.sock");
    let mut stream = UnixStream::connect(socket).expect("a socket");
    let length = body.len();
    let head = format!("{method} {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// What is not a refusal is a later look.
fn until_refused(client: &mut Client, token: &str, asked: Instant) -> Duration {
    while client.get(PATH, token).status != 401 {}
    asked.elapsed()
}

fn told(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let at = |hundredths: usize| times[(times.len() - 1) * hundredths / 100];
    let (p50, p99, worst) = (at(50), at(99), at(100));
    println!(
        "{what}: {} times, p50 {p50:?}, p99 {p99:?}, max {worst:?}",
        times.len()
    );
    p99
}

/// Tokens on connections that remember them, then certificates of connections that stand.
#[test]
#[ignore = "keeps the machine busy for a minute: make test-scale"]
fn what_is_revoked_is_refused_on_connections_that_stand_within_a_tenth_of_a_second() {
    let house = house();
    let (over, served) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let dialer = house.stage.dialer(&house.stage.globex);
        let claims = |stage: &crate::harness::stage::Stage| -> Value {
            let thumbprint = stage.globex.thumbprint();
            crate::harness::mint::claims("globex-app", crate::harness::stage::API, &thumbprint)
        };
        let token = house.stage.mint.good(&claims(&house.stage));
        let path = PATH.replace("/acme/", "/globex/");
        for _ in 0..BUSY {
            let mut client = dialer.connect(house.gateway.address).expect("good");
            let (over, served, token, path) = (&over, &served, token.clone(), path.clone());
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(client.get(&path, &token).status, 200);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let times = tokens(&house);
        let p99_of_tokens = told("a token by its jti", times);
        let p99_of_certificates = told("a certificate", certificates(&house));
        over.store(true, Ordering::Relaxed);
        println!("{} requests beside it", served.load(Ordering::Relaxed));
        assert!(p99_of_tokens <= REFUSED_WITHIN && p99_of_certificates <= REFUSED_WITHIN);
    });
}

fn tokens(house: &House) -> Vec<Duration> {
    let mut times = Vec::with_capacity(TRIALS * CONNECTIONS);
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| house.client()).collect();
    for trial in 0..TRIALS {
        let jti = format!("j-{trial}");
        let token = house
            .stage
            .mint
            .good(&with(house.stage.claims(), "jti", jti.clone()));
        for client in &mut clients {
            assert_eq!(client.get(PATH, &token).status, 200);
        }
        let asked = Instant::now();
        let body = json!({"jti": jti, "issuer": ISSUER}).to_string();
        ask(house, "POST", "/revocations", &body);
        let refused = clients.iter_mut();
        times.extend(refused.map(|client| until_refused(client, &token, asked)));
    }
    times
}

fn certificates(house: &House) -> Vec<Duration> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &house.stage.acme.der);
    let digits = digest.as_ref().iter();
    let digits: String = digits.map(|octet| format!("{octet:02x}")).collect();
    let body = json!({"certificate": digits}).to_string();
    let token = house.token();
    let mut times = Vec::with_capacity(TRIALS * CONNECTIONS);
    for _ in 0..TRIALS {
        let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| house.client()).collect();
        for client in &mut clients {
            assert_eq!(client.get(PATH, &token).status, 200);
        }
        let asked = Instant::now();
        ask(house, "POST", "/revocations", &body);
        for client in &mut clients {
            assert!(client.closed_within(Duration::from_secs(10)));
            times.push(asked.elapsed());
        }
        ask(
            house,
            "DELETE",
            &format!("/revocations/certificate/{digits}"),
            "",
        );
    }
    times
}
