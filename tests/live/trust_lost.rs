//! How soon after a reload trust that was lost is lost everywhere: connections that stand are
//! closed, and sessions are no longer continued.
//!
//! The gateway's log says to the microsecond when a reload was in force; a client of the same
//! machine says by the same clock when it saw its connection closed, and when it last began a
//! handshake that was still resumed.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::HandshakeKind;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::harness::client::{Client, Dialer};
use crate::harness::gateway::ConfigText;
use crate::harness::mint;
use crate::harness::openssl_ca::OpensslCa;
use crate::harness::origin::Origin;
use crate::harness::pki::{Authority, Key, Leaf, San};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::reload::{APPLIED, ON_SIGNAL, reload, rewrite};
use crate::resumption::visit;
use crate::revocation::{TAKEN, replace};

const TRIALS: usize = 36;
/// Each takes the second or two after which a list is looked at.
const LISTS: usize = 8;
/// What is promised, held by the median: a trial in which the machine gave its CPUs to others says
/// nothing.
const LOST_MS_MAX: i128 = 100;
/// What no trial may take, whatever the machine is at.
const LOST_MS_EVER: i128 = 3_000;

/// Long enough for every shard to have adopted what a reload has put in force.
pub fn let_shards_look() {
    thread::sleep(Duration::from_millis(100));
}

/// By the clock of the gateway's log, in microseconds since 1970.
pub fn now_us() -> i128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i128::try_from(now.expect("after 1970").as_micros()).expect("before the sun dies")
}

/// When something was last said, as the log has it.
fn said_us(house: &House, what: &str) -> i128 {
    let log = house.gateway.log();
    let line = log.lines().rfind(|line| line.contains(what));
    let stamp = line.and_then(|line| line.split_whitespace().next());
    let at = OffsetDateTime::parse(stamp.expect("said"), &Rfc3339).expect("a time first");
    at.unix_timestamp_nanos() / 1_000
}

/// Waits on a thread of its own until a connection is closed: when that was seen.
fn await_end(mut client: Client) -> thread::JoinHandle<i128> {
    thread::spawn(move || {
        assert!(client.closed(), "not closed");
        now_us()
    })
}

/// Comes again and again with the session of the time before: when a handshake was begun last that
/// was continued.
fn come_until_refused(dialer: Dialer, address: SocketAddr) -> thread::JoinHandle<i128> {
    thread::spawn(move || {
        let (end, mut last) = (now_us() + 10_000_000, 0);
        while now_us() < end {
            let begun = now_us();
            match visit(&dialer, address) {
                Ok(HandshakeKind::Resumed) => last = begun,
                Ok(other) => panic!("{other:?} in place of a session or a refusal"),
                Err(_) => return last,
            }
        }
        panic!("sessions were continued for ten seconds");
    })
}

/// One way to lose trust.
struct Loss {
    name: &'static str,
    lose: fn(&mut ConfigText, &str),
}

/// Of a CA, of a client's names, and of a certificate whose rule the group waives no longer.
const LOSSES: [Loss; 3] = [
    Loss {
        name: "ca",
        lose: |config, other_ca| {
            config.without_tables("partner");
            config.table("partner", &group(other_ca, WAIVED));
        },
    },
    Loss {
        name: "client",
        lose: |config, _| {
            config.without_tables("client").table(
                "client",
                "name = \"acme\"\nsans = [\"dns:elsewhere.example\"]\nscs_as_ids = [\"acme\"]\n\
                 client_id = \"acme-app\"\npartner = \"lax\"",
            );
        },
    },
    Loss {
        name: "rule",
        lose: |config, _| {
            let body = config.table_body("partner", 0).replace(WAIVED, "");
            config.without_tables("partner").table("partner", &body);
        },
    },
];

const WAIVED: &str = "waive = [\"crl_distribution_points\"]";

fn group(ca: &str, waived: &str) -> String {
    format!("name = \"lax\"\nclient_ca = {ca:?}\n{waived}")
}

fn spread(name: &str, mut all: Vec<i128>) -> (i128, i128) {
    all.sort_unstable();
    let at = |share: usize| all[(all.len() - 1) * share / 100];
    println!(
        "{name}: {} trials, us after it came: min {}, p25 {}, median {}, p75 {}, p90 {}, max {}",
        all.len(),
        at(0),
        at(25),
        at(50),
        at(75),
        at(90),
        at(100)
    );
    (at(50) / 1_000, at(100) / 1_000)
}

#[test]
fn trust_that_a_reload_takes_away_ends_connections_and_sessions_within_100_ms_of_it() {
    let mut made = None;
    let mut house = House::open_staged(|stage| {
        stage.config.set("reload.watch", ON_SIGNAL);
        let other = Authority::new(stage.scratch.path(), "Another TLS CA", Key::P256);
        let ca = stage.partner_ca.certificate.display().to_string();
        stage.config.unset("tls.client_ca");
        stage.config.table("partner", &group(&ca, WAIVED));
        stage.config.without_tables("client").table(
            "client",
            "name = \"acme\"\nsans = [\"dns:scs.acme.example\"]\nscs_as_ids = [\"acme\"]\n\
             client_id = \"acme-app\"\npartner = \"lax\"",
        );
        let leaf = Leaf {
            crl_distribution_point: false,
            ..Leaf::client(San::Dns("scs.acme.example"))
        };
        let lax = stage.partner_ca.issue("lax", &leaf);
        made = Some((lax, other.certificate.display().to_string()));
    });
    let (identity, other_ca) = made.expect("made above");
    let claims = mint::claims("acme-app", API, &identity.thumbprint());
    let token = house.stage.mint.good(&claims);
    let trusted = house.stage.config.clone();
    let (mut closed, mut continued) = (Vec::new(), Vec::new());
    for (trial, loss) in (0..TRIALS).zip(LOSSES.iter().cycle()) {
        let address = house.gateway.address;
        let dialer = house.stage.dialer(&identity).resuming();
        // One has asked and waits, one has asked nothing yet.
        let mut asked = dialer.connect(address).expect("trust, as yet");
        assert_eq!(asked.get(PATH, &token).status, 200);
        let silent = dialer.connect(address).expect("trust, as yet");
        assert!(visit(&dialer, address).is_ok());
        let ends = [await_end(asked), await_end(silent)];
        let sessions = come_until_refused(dialer, address);
        rewrite(&mut house, |config| (loss.lose)(config, &other_ca));
        reload(&house);
        let applied = said_us(&house, APPLIED);
        let since = |at: i128| (at - applied).max(0);
        let ends = ends.map(|end| since(end.join().expect("closed")));
        let last = since(sessions.join().expect("refused"));
        println!("trial {trial} ({}): {ends:?} us, {last} us", loss.name);
        closed.extend(ends);
        continued.push(last);
        rewrite(&mut house, |config| config.clone_from(&trusted));
        reload(&house);
        let_shards_look();
    }
    for (name, all) in [
        ("connections closed", closed),
        ("sessions continued", continued),
    ] {
        let (median_ms, max_ms) = spread(name, all);
        assert!(median_ms < LOST_MS_MAX, "{name}: median of {median_ms} ms");
        assert!(max_ms < LOST_MS_EVER, "{name}: {max_ms} ms");
    }
}

/// The same of a list that has come into use: each trial revokes one client more.
#[test]
fn connections_of_clients_that_a_new_list_names_are_closed_within_100_ms_of_it() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let ca = OpensslCa::new(stage.scratch.path(), "ca", "Partner CA of openssl");
    let certificate = ca.certificate.display();
    stage.config.set_text("tls.client_ca", certificate);
    let list = ca.list("partner.crl", 86_400);
    let file = format!("file = {:?}", list.display().to_string());
    stage.config.table("crl", &file);
    let house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    let address = house.gateway.address;
    let stay = ca.issue("stay", &San::Uri("urn:scs:globex"));
    let mut stays = house.stage.dialer(&stay).connect(address).expect("good");
    let mut closed = Vec::new();
    for trial in 0..LISTS {
        let who = ca.issue(&format!("client-{trial}"), &San::Dns("scs.acme.example"));
        let ends = [0; 3].map(|_| {
            let client = house.stage.dialer(&who).connect(address);
            await_end(client.expect("good, as yet"))
        });
        ca.revoke(&who, "keyCompromise");
        let next = ca.list("next.crl", 86_400);
        replace(&list, &next, &[&house.gateway]);
        let taken = said_us(&house, TAKEN);
        closed.extend(ends.map(|end| (end.join().expect("closed") - taken).max(0)));
    }
    let (median_ms, max_ms) = spread("connections closed by a list", closed);
    assert!(median_ms < LOST_MS_MAX, "median of {median_ms} ms");
    assert!(max_ms < LOST_MS_EVER, "{max_ms} ms");
    let claims = mint::claims("globex-app", API, &stay.thumbprint());
    let token = house.stage.mint.good(&claims);
    let path = PATH.replace("/acme/", "/globex/");
    assert_eq!(stays.get(&path, &token).status, 200);
}
