//! Revocation on the wire: lists that `openssl ca` makes, clients of openssl, curl and rustls. Whom
//! a list names is refused by the alert for it, others of the same CA are served; and what changes
//! while the gateway serves holds for connections that stand as well.

use std::path::{Path, PathBuf};

use crate::harness::client::{Client, Dialer, HOST, get};
use crate::harness::gateway::{self, Gateway};
use crate::harness::openssl_ca::OpensslCa;
use crate::harness::origin::Origin;
use crate::harness::pki::{Identity, San};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{WAIT, mint, peers, run, wait_until};

pub const TAKEN: &str = "a new revocation list is in use";
const HOUR_S: i64 = 3_600;
const MONTH_S: i64 = 30 * 24 * HOUR_S;

/// A stage whose clients come from a CA of openssl's.
struct Listed {
    stage: Stage,
    origin: Origin,
    ca: OpensslCa,
    acme: Identity,
    globex: Identity,
    audit: PathBuf,
}

impl Listed {
    fn new() -> Self {
        let origin = Origin::start();
        let mut stage = Stage::new(origin.address);
        let ca = OpensslCa::new(stage.scratch.path(), "ca", "Partner CA of openssl");
        let acme = ca.issue("acme", &San::Dns("scs.acme.example"));
        let globex = ca.issue("globex", &San::Uri("urn:scs:globex"));
        let certificate = ca.certificate.display();
        stage.config.set_text("tls.client_ca", certificate);
        let audit = stage.watch();
        Self {
            stage,
            origin,
            ca,
            acme,
            globex,
            audit,
        }
    }

    fn name_list(&mut self, list: &Path) {
        let file = format!("file = {:?}", list.display().to_string());
        self.stage.config.table("crl", &file);
    }

    fn open(self) -> Served {
        let gateway = self.stage.start();
        Served {
            house: House {
                gateway,
                origin: self.origin,
                stage: self.stage,
            },
            ca: self.ca,
            acme: self.acme,
            globex: self.globex,
            audit: self.audit,
        }
    }
}

/// The same with a gateway.
struct Served {
    house: House,
    ca: OpensslCa,
    acme: Identity,
    globex: Identity,
    audit: PathBuf,
}

/// Peers we did not write, with either version of TLS.
const PEERS: [(&str, &str); 4] = [
    ("openssl", "-tls1_3"),
    ("openssl", "-tls1_2"),
    ("curl", "--tlsv1.3"),
    ("curl", "--tls-max=1.2"),
];

impl Served {
    fn acme_token(&self) -> String {
        let claims = mint::claims("acme-app", API, &self.acme.thumbprint());
        self.house.stage.mint.good(&claims)
    }

    fn globex_token(&self) -> String {
        let claims = mint::claims("globex-app", API, &self.globex.thumbprint());
        self.house.stage.mint.good(&claims)
    }

    /// What a peer tells of a request of `acme`.
    fn acme_by(&self, peer: (&str, &str)) -> String {
        self.told(peer, &self.acme, PATH, &self.acme_token())
    }

    fn globex_by(&self, peer: (&str, &str)) -> String {
        let path = PATH.replace("/acme/", "/globex/");
        self.told(peer, &self.globex, &path, &self.globex_token())
    }

    fn told(&self, peer: (&str, &str), who: &Identity, path: &str, token: &str) -> String {
        let address = self.house.gateway.address;
        let ca = &self.house.stage.operator_ca.certificate;
        let outcome = match peer {
            ("curl", version) => {
                let mut curl = peers::curl(address, ca, Some(who));
                curl.args(version.split('='));
                curl.arg("--include");
                curl.args(["--header", &format!("Authorization: Bearer {token}")]);
                run(curl.arg(peers::url(address, path)), b"", WAIT)
            }
            (_, version) => {
                let request = format!(
                    "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n\
                     Connection: close\r\n\r\n"
                );
                peers::s_client(address, ca, Some(who), &[version], request.as_bytes())
            }
        };
        outcome.stdout + &outcome.stderr
    }

    /// The same client of rustls', which keeps its connection.
    fn connect(&self, who: &Identity) -> Client {
        self.dialer(who)
            .connect(self.house.gateway.address)
            .expect("a handshake with a good certificate")
    }

    fn dialer(&self, who: &Identity) -> Dialer {
        self.house.stage.dialer(who)
    }

    /// How a rustls client of `acme` fares that comes now: the alert, where there is one.
    fn acme_comes(&self) -> Result<u16, String> {
        let dialer = self.dialer(&self.acme);
        let connected = dialer.connect(self.house.gateway.address);
        let mut client = connected.map_err(|fault| fault.to_string())?;
        let sent = client.send(get(PATH, &self.acme_token()));
        sent.map_err(|fault| fault.to_string())?;
        let answer = client.read_answer(false);
        answer
            .map(|answer| answer.status)
            .map_err(|fault| format!("{fault:?}"))
    }

    fn refused(&self, reason: &str) -> usize {
        let metrics = self.house.gateway.admin().metrics();
        metrics.count("t8gate_connections_refused_total", &[("reason", reason)])
    }

    fn unchecked(&self) -> usize {
        let metrics = self.house.gateway.admin().metrics();
        metrics.count("t8gate_clients_unchecked_total", &[])
    }

    fn await_records(&self, reason: &str, count: usize) {
        let recorded = format!("\"reason\":\"{reason}\"");
        wait_until(&format!("{count} records of {reason}"), || {
            let text = std::fs::read_to_string(&self.audit).unwrap_or_default();
            text.matches(&recorded).count() == count
        });
    }

    /// Puts a list in the place of another, as who fetches lists does it, and waits until it is
    /// in use.
    fn replace(&self, list: &Path, by: &Path) {
        replace(list, by, &[&self.house.gateway]);
    }
}

/// Puts a list in the place of another that gateways read, and waits until all of them use it.
pub fn replace(list: &Path, by: &Path, gateways: &[&Gateway]) {
    let taken = |gateway: &Gateway| gateway.log().matches(TAKEN).count();
    let before: Vec<usize> = gateways.iter().map(|gateway| taken(gateway)).collect();
    std::fs::rename(by, list).expect("one folder");
    for (gateway, before) in gateways.iter().zip(before) {
        wait_until("the new list in use", || taken(gateway) > before);
    }
}

fn served(said: &str) -> bool {
    said.contains("HTTP/1.1 200") && !said.contains("alert")
}

//= TS 33.310 clause 6.1.1 type=test
//# Whom a CRL of the CA names is refused; whom it does not name is served.
#[test]
fn client_that_openssls_list_names_is_refused_by_its_alert_and_another_of_that_ca_is_served() {
    let mut listed = Listed::new();
    listed.ca.revoke(&listed.acme, "keyCompromise");
    let list = listed.ca.list("partner.crl", MONTH_S);
    listed.name_list(&list);
    let served_by = listed.open();
    for (count, peer) in (1..).zip(PEERS) {
        let said = served_by.acme_by(peer);
        assert!(
            said.contains("alert certificate revoked"),
            "{peer:?}: {said}"
        );
        assert!(!said.contains("HTTP/1.1"), "{peer:?}: {said}");
        assert_eq!(served_by.refused("certificate_revoked"), count);
        served_by.await_records("certificate_revoked", count);
        let said = served_by.globex_by(peer);
        assert!(served(&said), "{peer:?}: {said}");
    }
    assert_eq!(served_by.house.origin.requests(), PEERS.len());
}

#[test]
fn list_that_has_ended_refuses_all_clients_of_its_ca_when_its_grace_is_over() {
    let mut listed = Listed::new();
    let list = listed.ca.list("partner.crl", -HOUR_S);
    listed.name_list(&list);
    listed.stage.config.set_text("revocation.grace", "30m");
    let served_by = listed.open();
    for (count, peer) in (1..).zip(PEERS) {
        let said = served_by.acme_by(peer);
        assert!(said.contains("alert unknown ca"), "{peer:?}: {said}");
        assert_eq!(served_by.refused("revocation_list_expired"), count);
        served_by.await_records("revocation_list_expired", count);
    }
    // A list of this day lets them in again.
    let new = served_by.ca.list("new.crl", MONTH_S);
    served_by.replace(&list, &new);
    for peer in PEERS {
        assert!(served(&served_by.acme_by(peer)), "{peer:?}");
    }
    assert_eq!(served_by.unchecked(), 0);
}

#[test]
fn list_that_ends_takes_the_connections_of_its_ca_with_it_when_its_grace_is_over() {
    let mut listed = Listed::new();
    let list = listed.ca.list("short.crl", 6);
    listed.name_list(&list);
    listed.stage.config.set_text("revocation.grace", "1s");
    let served = listed.open();
    let mut client = served.connect(&served.acme);
    assert_eq!(client.get(PATH, &served.acme_token()).status, 200);
    // Its end, its grace, and the time between two looks.
    assert!(client.closed_within(3 * WAIT), "kept beyond its list");
    assert!(served.acme_comes().is_err());
    assert_eq!(served.refused("revocation_list_expired"), 1);
}

#[test]
fn list_that_has_ended_is_believed_within_its_grace() {
    let mut listed = Listed::new();
    listed.ca.revoke(&listed.globex, "superseded");
    let list = listed.ca.list("partner.crl", -HOUR_S);
    listed.name_list(&list);
    listed.stage.config.set_text("revocation.grace", "90m");
    let served_by = listed.open();
    for peer in PEERS {
        let said = served_by.acme_by(peer);
        assert!(served(&said), "{peer:?}: {said}");
        let said = served_by.globex_by(peer);
        assert!(
            said.contains("alert certificate revoked"),
            "{peer:?}: {said}"
        );
    }
    assert_eq!(served_by.unchecked(), 0);
}

#[test]
fn list_that_has_ended_lets_clients_in_by_soft_fail_and_counts_them() {
    let mut listed = Listed::new();
    listed.ca.revoke(&listed.globex, "superseded");
    let list = listed.ca.list("partner.crl", -HOUR_S);
    listed.name_list(&list);
    listed
        .stage
        .config
        .set_text("revocation.policy", "soft-fail");
    let served_by = listed.open();
    for (count, peer) in (1..).zip(PEERS) {
        let said = served_by.acme_by(peer);
        assert!(served(&said), "{peer:?}: {said}");
        assert_eq!(served_by.unchecked(), count);
        // Whom it named when it ended is not trusted again because it ended.
        let said = served_by.globex_by(peer);
        assert!(
            said.contains("alert certificate revoked"),
            "{peer:?}: {said}"
        );
    }
    assert_eq!(served_by.unchecked(), PEERS.len());
    let log = served_by.house.gateway.log();
    assert!(log.contains("clients are taken unchecked"), "{log}");
}

/// A CA with the name of the trusted one and another key, as after a change of keys.
#[test]
fn list_that_another_key_of_the_same_name_has_signed_is_a_fault_at_the_start() {
    let mut listed = Listed::new();
    let scratch = listed.stage.scratch.path().to_owned();
    let namesake = OpensslCa::new(&scratch, "namesake", "Partner CA of openssl");
    let list = namesake.list("partner.crl", MONTH_S);
    listed.name_list(&list);
    let mut config = listed.stage.config.clone();
    let address = crate::harness::free_address();
    config.set_text("listen.address", address);
    config.set_text("admin.address", crate::harness::free_address());
    let file = gateway::write(&scratch, &config);
    let checked = gateway::check(&file, &[]);
    let said = checked.stdout + &checked.stderr;
    assert!(!checked.status.success(), "{said}");
    let started = Gateway::spawn(&file, address, &[]);
    let log = started.err().expect("it does not start");
    for said in [said, log] {
        assert!(said.contains("crl.file"), "{said}");
        assert!(said.contains("the configured CA of that name has not signed it"));
        assert!(
            said.contains("name the new certificate in crl.issuer"),
            "{said}"
        );
    }
    // The cure: that CA's certificate, beside the list.
    let certificate = format!("issuer = {:?}", namesake.certificate.display().to_string());
    listed.stage.config.extend_table("crl", 0, &certificate);
    config = listed.stage.config.clone();
    config.set_text("listen.address", address);
    config.set_text("admin.address", crate::harness::free_address());
    let file = gateway::write(&scratch, &config);
    let checked = gateway::check(&file, &[]);
    assert!(
        checked.status.success(),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
}

//= RFC 5280 section 5.2.4 type=test
//# A delta changes what the complete list says, and may take a certificate off it.
#[test]
fn client_that_a_new_list_names_is_cut_off_alone_and_comes_back_when_a_delta_takes_it_off() {
    let mut listed = Listed::new();
    let list = listed.ca.list("partner.crl", MONTH_S);
    let delta = listed.ca.delta("delta.crl", listed.ca.number());
    listed.name_list(&list);
    listed.name_list(&delta);
    let served_by = listed.open();
    let (acme_token, globex_token) = (served_by.acme_token(), served_by.globex_token());
    let globex_path = PATH.replace("/acme/", "/globex/");
    let mut idle = served_by.connect(&served_by.acme);
    let mut globex = served_by.connect(&served_by.globex);
    assert_eq!(idle.get(PATH, &acme_token).status, 200);
    assert_eq!(globex.get(&globex_path, &globex_token).status, 200);

    served_by.ca.revoke(&served_by.acme, "certificateHold");
    let next = served_by.ca.list("next.crl", MONTH_S);
    served_by.replace(&list, &next);
    let told = idle.refusal();
    assert!(told.contains("CertificateRevoked"), "{told}");
    assert_eq!(globex.get(&globex_path, &globex_token).status, 200);
    let refused = served_by.acme_comes().expect_err("refused");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    let lost = [("reason", "trust_lost")];
    let metrics = served_by.house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_connections_refused_total", &lost), 1);

    served_by.ca.change(&served_by.acme, "removeFromCRL");
    let base = served_by.ca.number();
    let next = served_by.ca.delta("next-delta.crl", base);
    served_by.replace(&delta, &next);
    assert_eq!(served_by.acme_comes(), Ok(200));
    for peer in PEERS {
        let said = served_by.acme_by(peer);
        assert!(served(&said), "{peer:?}: {said}");
    }
    // The connection that stood through both lists still does.
    assert_eq!(globex.get(&globex_path, &globex_token).status, 200);
}

/// Its group is told of at the start and by `check`, and whoever comes by it is counted: others are
/// looked up.
#[test]
fn group_that_nothing_is_looked_up_for_is_told_of_and_its_clients_are_counted() {
    let mut who = None;
    let house = House::open_staged(|stage| {
        stage.watch();
        let directory = stage.scratch.path().to_owned();
        let [strict, lax] = ["strict", "lax"].map(|name| {
            let ca = OpensslCa::new(&directory, name, &format!("Partner CA {name}"));
            let list = ca.list(&format!("{name}.crl"), -HOUR_S);
            let file = format!("file = {:?}", list.display().to_string());
            stage.config.table("crl", &file);
            ca
        });
        let group = |name: &str, ca: &OpensslCa, policy: &str| {
            let ca = ca.certificate.display().to_string();
            format!("name = {name:?}\nclient_ca = {ca:?}\n{policy}")
        };
        let groups = [
            group("named-strict", &strict, ""),
            group("named-lax", &lax, "revocation = \"off\""),
        ];
        for group in groups {
            stage.config.table("partner", &group);
        }
        who = Some(lax.issue("lax", &San::Dns("lax.example")));
        let client = "name = \"lax\"\nclient_id = \"lax\"\nsans = [\"dns:lax.example\"]\n\
                      scs_as_ids = [\"lax\"]\npartner = \"named-lax\"";
        stage.config.table("client", client);
    });
    let dialer = house.stage.dialer(&who.expect("made above"));
    let _client = dialer.connect(house.gateway.address).expect("let in");
    wait_until("the count", || {
        let metrics = house.gateway.admin().metrics();
        metrics.count("t8gate_clients_unchecked_total", &[]) == 1
    });
    let told = gateway::check(&house.gateway.file, &[]).stdout;
    for told in [told, house.gateway.log()] {
        let told = told
            .lines()
            .find(|line| line.contains("serial numbers of 2 CAs"));
        let told = told.expect("the lists");
        assert!(told.contains("hard-fail, "), "{told}");
        assert!(told.contains("; named-lax: off"), "{told}");
        assert!(!told.contains("named-strict"), "{told}");
        for ended in ["ended: that of ", "Partner CA lax", "Partner CA strict"] {
            assert!(told.contains(ended), "{told}");
        }
    }
}
