//! From a request to revoke something to its being refused: on connections that stand, on every
//! shard, while `t8load` keeps the gateway busy.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::client::Client;
use crate::harness::gateway::cpus;
use crate::harness::mint::{ISSUER, claims, with};
use crate::harness::stage::{API, House, PATH};
use crate::load::Load;

/// Of what a revocation is of: a token by its jti, and a certificate.
const TRIALS: usize = 200;
/// On which a revocation is looked for.
const CONNECTIONS: usize = 8;
/// Before each: a client whose tokens are refused more often than a hundred times a second is put
/// off, which says nothing of how soon.
const PAUSE: Duration = Duration::from_millis(20);
/// Of another client meanwhile.
const REQUESTS_PER_S: u32 = 2_000;
/// All trials of a kind take less.
const LOAD: Duration = Duration::from_secs(45);
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

fn connect(house: &House) -> Client {
    let dialer = house.stage.dialer(&house.stage.globex);
    dialer.connect(house.gateway.address).expect("a good one")
}

fn path() -> String {
    PATH.replace("/acme/", "/globex/")
}

fn token(house: &House, jti: &str) -> String {
    let claims = claims("globex-app", API, &house.stage.globex.thumbprint());
    house.stage.mint.good(&with(claims, "jti", jti))
}

/// What is not a refusal is a later look.
fn until_refused(client: &mut Client, token: &str, asked: Instant) -> Duration {
    while client.get(&path(), token).status != 401 {}
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
    let kinds = [
        ("a token by its jti", tokens as fn(&House) -> Vec<Duration>),
        ("a certificate", certificates),
    ];
    let p99 = kinds.map(|(what, trials)| {
        let load = Load::of_requests(&house, REQUESTS_PER_S, LOAD);
        let begun = Instant::now();
        let times = trials(&house);
        assert!(
            begun.elapsed() < LOAD,
            "the load was over before the trials"
        );
        load.faultless();
        told(what, times)
    });
    assert!(p99.iter().all(|p99| *p99 <= REFUSED_WITHIN), "{p99:?}");
}

fn tokens(house: &House) -> Vec<Duration> {
    let mut times = Vec::with_capacity(TRIALS * CONNECTIONS);
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| connect(house)).collect();
    for trial in 0..TRIALS {
        std::thread::sleep(PAUSE);
        let jti = format!("j-{trial}");
        let token = token(house, &jti);
        for client in &mut clients {
            assert_eq!(client.get(&path(), &token).status, 200);
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
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &house.stage.globex.der);
    let digits = digest.as_ref().iter();
    let digits: String = digits.map(|octet| format!("{octet:02x}")).collect();
    let body = json!({"certificate": digits}).to_string();
    let token = token(house, "j");
    let mut times = Vec::with_capacity(TRIALS * CONNECTIONS);
    for _ in 0..TRIALS {
        let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| connect(house)).collect();
        for client in &mut clients {
            assert_eq!(client.get(&path(), &token).status, 200);
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
