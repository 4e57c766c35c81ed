//! What changes while the gateway serves: certificates, anchors, clients, keys, issuers; and what
//! does not change when a file is wrong.

use std::time::Duration;

use rustls::HandshakeKind;

use crate::client_files::{NEWCOMER, NEWCOMERS, Newcomer};
use crate::harness::client::{Client, HOST, ReadFault};
use crate::harness::gateway::ConfigText;
use crate::harness::mint::{self, Algorithm, Mint};
use crate::harness::origin::{Act, Origin};
use crate::harness::pki::{Authority, Identity, Key, Leaf, San};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::wait_until;

pub const APPLIED: &str = "was read again and is in force";
pub const REFUSED: &str = "was read again and is at fault";
pub const ON_SIGNAL: &str = "\"off\"";

/// A house whose files are looked at on SIGHUP only.
fn house() -> House {
    House::open_staged(|stage| {
        stage.watch();
        stage.config.set("reload.watch", ON_SIGNAL);
    })
}

/// How often something was said.
pub fn said(house: &House, text: &str) -> usize {
    house.gateway.log().matches(text).count()
}

/// Has the configuration read again, and waits until it is in force on every shard.
pub fn reload(house: &House) {
    let before = said(house, APPLIED);
    house.gateway.hang_up();
    wait_until("the reload", || said(house, APPLIED) > before);
}

/// The same where something in it is wrong.
pub fn reload_in_vain(house: &House) {
    let before = said(house, REFUSED);
    house.gateway.hang_up();
    wait_until("the refusal of the reload", || {
        said(house, REFUSED) > before
    });
}

/// Changes the configuration file of a running gateway.
pub fn rewrite(house: &mut House, change: impl FnOnce(&mut ConfigText)) {
    house.rewrite(change);
}

fn client_of(house: &House, identity: &Identity) -> Client {
    let dialer = house.stage.dialer(identity);
    dialer.connect(house.gateway.address).unwrap()
}

fn server_certificate(client: &Client) -> Vec<u8> {
    client.tls().peer_certificates().unwrap()[0].to_vec()
}

/// Puts another server certificate, with another key, in place of the one that is configured.
fn renew_server_certificate(stage: &Stage) -> Vec<u8> {
    let server = stage.operator_ca.issue("server", &Leaf::server(HOST));
    server.der.to_vec()
}

#[test]
fn new_server_certificate_and_key_come_into_force_on_sighup() {
    let house = house();
    let token = house.token();
    let mut before = house.client();
    assert_eq!(before.get(PATH, &token).status, 200);
    let renewed = renew_server_certificate(&house.stage);
    assert_ne!(server_certificate(&house.client()), renewed);
    reload(&house);
    wait_until("the new certificate", || {
        server_certificate(&house.client()) == renewed
    });
    // Whoever was there stays.
    assert_eq!(before.get(PATH, &token).status, 200);
    let metrics = house.gateway.admin().metrics();
    let applied = [("outcome", "applied")];
    assert_eq!(metrics.count("t8gate_reloads_total", &applied), 1);
    assert_eq!(metrics.count("t8gate_reload_last_applied", &[]), 1);
}

#[test]
fn changed_file_is_noticed_without_a_signal() {
    let house = House::open_with(|config| {
        config.set_text("reload.watch", "100ms");
    });
    let renewed = renew_server_certificate(&house.stage);
    wait_until("the new certificate", || {
        server_certificate(&house.client()) == renewed
    });
    // The two files were written one after the other; in the end both are in force.
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

#[test]
fn what_was_in_force_stays_when_a_file_is_wrong_and_all_faults_are_said() {
    let mut house = house();
    let good = server_certificate(&house.client());
    let certificate = house.stage.config.value("tls.certificate");
    let path = certificate.trim_matches('"').to_owned();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, "no certificate").unwrap();
    rewrite(&mut house, |config| {
        config.set("limits.no_such_key", "1");
    });
    reload_in_vain(&house);
    let log = house.gateway.log();
    for word in ["tls.certificate", "limits.no_such_key", "hint=", "line="] {
        assert!(log.contains(word), "{word} is not in\n{log}");
    }
    assert_eq!(server_certificate(&house.client()), good);
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    let metrics = house.gateway.admin().metrics();
    let refused = [("outcome", "refused")];
    assert_eq!(metrics.count("t8gate_reloads_total", &refused), 1);
    assert_eq!(metrics.count("t8gate_reload_last_applied", &[]), 0);
    std::fs::write(&path, whole).unwrap();
    rewrite(&mut house, |config| {
        config.unset("limits.no_such_key");
    });
    reload(&house);
    let metrics = house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_reload_last_applied", &[]), 1);
}

#[test]
fn certificate_without_its_key_is_refused_and_the_pair_taken_when_it_is_whole() {
    let house = house();
    let key = house.stage.config.value("tls.key.file");
    let path = key.trim_matches('"').to_owned();
    let before = std::fs::read(&path).unwrap();
    let renewed = renew_server_certificate(&house.stage);
    let after = std::fs::read(&path).unwrap();
    std::fs::write(&path, before).unwrap();
    reload_in_vain(&house);
    assert_ne!(server_certificate(&house.client()), renewed);
    std::fs::write(&path, after).unwrap();
    reload(&house);
    wait_until("the new certificate", || {
        server_certificate(&house.client()) == renewed
    });
}

/// Puts another CA in place of the partners', and lets `globex` have a certificate of it.
fn replace_partner_ca(stage: &Stage) -> Identity {
    let scratch = stage.scratch.path().join("other");
    std::fs::create_dir_all(&scratch).unwrap();
    let other = Authority::new(&scratch, "Another TLS CA", Key::P384);
    let identity = other.issue("globex", &Leaf::client(San::Uri("urn:scs:globex")));
    std::fs::copy(&other.certificate, &stage.partner_ca.certificate).unwrap();
    identity
}

#[test]
fn connections_and_sessions_of_a_ca_that_lost_trust_end() {
    let house = house();
    let token = house.token();
    let dialer = house.stage.dialer(&house.stage.acme).resuming();
    let mut idle = dialer.connect(house.gateway.address).unwrap();
    assert_eq!(idle.get(PATH, &token).status, 200);
    let mut asked = dialer.connect(house.gateway.address).unwrap();
    assert_eq!(asked.get(PATH, &token).status, 200);
    assert_eq!(asked.handshake_kind(), Some(HandshakeKind::Resumed));
    // One waits for an answer that does not come.
    house.origin.script(vec![Act::Hang]);
    asked
        .send(crate::harness::client::get(PATH, &token))
        .unwrap();
    wait_until("the request at the SCEF", || house.origin.requests() == 3);
    let other = replace_partner_ca(&house.stage);
    reload(&house);
    match idle.read_answer(false) {
        Err(ReadFault::CutOff(why)) => assert!(why.contains("UnknownCA"), "{why}"),
        other => panic!("not told: {other:?}"),
    }
    assert!(asked.closed());
    // Nor does its session go on, or another begin.
    let refused = match dialer.connect(house.gateway.address) {
        Ok(mut client) => client.refusal(),
        Err(fault) => fault.to_string(),
    };
    assert!(refused.contains("UnknownCA"), "{refused}");
    let _globex = client_of(&house, &other);
    let metrics = house.gateway.admin().metrics();
    let lost = [("reason", "trust_lost")];
    assert_eq!(metrics.count("t8gate_connections_refused_total", &lost), 2);
}

#[test]
fn client_that_is_taken_out_is_cut_off_and_the_other_is_not() {
    let mut house = house();
    let mut acme = house.client();
    assert_eq!(acme.get(PATH, &house.token()).status, 200);
    let globex_claims = mint::claims(
        "globex-app",
        crate::harness::stage::API,
        &house.stage.globex.thumbprint(),
    );
    let globex_token = house.stage.mint.good(&globex_claims);
    let globex_path = PATH.replace("/acme/", "/globex/");
    let mut globex = client_of(&house, &house.stage.globex);
    assert_eq!(globex.get(&globex_path, &globex_token).status, 200);
    rewrite(&mut house, |config| {
        config.without_tables("client").table(
            "client",
            "name = \"globex\"\nclient_id = \"globex-app\"\nsans = [\"uri:urn:scs:globex\"]\n\
             scs_as_ids = [\"globex\"]",
        );
    });
    reload(&house);
    assert!(acme.closed());
    assert_eq!(globex.get(&globex_path, &globex_token).status, 200);
    let refused = match house
        .stage
        .dialer(&house.stage.acme)
        .connect(house.gateway.address)
    {
        Ok(mut client) => client.refusal(),
        Err(fault) => fault.to_string(),
    };
    assert!(refused.contains("AccessDenied"), "{refused}");
}

#[test]
fn new_client_is_served_and_what_takes_a_restart_is_said() {
    let mut house = house();
    let newcomer = Newcomer::of(&house.stage);
    rewrite(&mut house, |config| {
        config.table("client", NEWCOMER);
        config.set("limits.audit_records_max", "2048");
    });
    reload(&house);
    let log = house.gateway.log();
    assert!(log.contains("limits.audit_records_max"), "{log}");
    let mut client = newcomer.connect(&house).expect("let in");
    assert_eq!(client.get(NEWCOMERS, &newcomer.token).status, 200);
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

/// Every shard goes by it once that is said: whoever waits for the word meets what was before no
/// more.
#[test]
fn what_is_said_to_be_in_force_is_so_on_every_shard() {
    let mut house = House::open_staged(|stage| {
        stage.watch();
        stage.config.set("reload.watch", ON_SIGNAL);
        stage.config.set("listen.cpus", "\"all\"");
    });
    let token = house.token();
    let mut clients: Vec<_> = (0..8).map(|_| house.client()).collect();
    let served = house.stage.config.clone();
    let mut disabled = served.clone();
    disabled.extend_table("client", 0, "enabled = false");
    for (config, status) in [(&disabled, 401), (&served, 200)].repeat(8) {
        rewrite(&mut house, |written| *written = config.clone());
        reload(&house);
        for client in &mut clients {
            assert_eq!(client.get(PATH, &token).status, status);
        }
    }
}

#[test]
fn tokens_of_a_key_that_was_taken_out_are_refused_on_open_connections() {
    let house = house();
    let token = house.token();
    let mut client = house.client();
    for _ in 0..2 {
        assert_eq!(client.get(PATH, &token).status, 200);
    }
    let second = Mint::new(Algorithm::Es256, "second");
    mint::write_jwks(house.stage.scratch.path(), &[&second]);
    reload(&house);
    wait_until("the token to be refused", || {
        client.get(PATH, &token).status == 401
    });
    let token = second.good(&house.stage.claims());
    assert_eq!(client.get(PATH, &token).status, 200);
}

#[test]
fn reload_that_changes_nothing_costs_nobody_anything() {
    let house = house();
    let token = house.token();
    let dialer = house.stage.dialer(&house.stage.acme).resuming();
    let mut first = dialer.connect(house.gateway.address).unwrap();
    assert_eq!(first.get(PATH, &token).status, 200);
    reload(&house);
    // Every shard has looked since.
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(first.get(PATH, &token).status, 200);
    let mut second = dialer.connect(house.gateway.address).unwrap();
    assert_eq!(second.get(PATH, &token).status, 200);
    assert_eq!(second.handshake_kind(), Some(HandshakeKind::Resumed));
    let metrics = house.gateway.admin().metrics();
    let verified = [("verdict", "verified")];
    assert_eq!(metrics.count("t8gate_token_verdicts_total", &verified), 1);
}

#[test]
fn another_key_in_the_token_takes_over_without_a_restart() {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    stage.config.set("reload.watch", ON_SIGNAL);
    let gateway = stage.start();
    let mut house = House {
        gateway,
        origin,
        stage,
    };
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    let spki = token.generate_another(Key::P256, "next", "22");
    let next = house
        .stage
        .operator_ca
        .issue_for("next", &Leaf::server(HOST), &spki);
    rewrite(&mut house, |config| {
        config.set_text(
            "tls.key.uri",
            token.uri.replace("object=server", "object=next"),
        );
        config.set_text("tls.certificate", next.path.display());
    });
    reload(&house);
    wait_until("the new certificate", || {
        server_certificate(&house.client()) == next.der.to_vec()
    });
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}
