//! Clients whose certificates a responder is asked about: in the handshake, on resumption, while
//! they are connected, and where the responder does not answer.

use std::net::TcpListener;

use rustls::HandshakeKind;

use crate::harness::client::{Client, HOST};
use crate::harness::pki::Identity;
use crate::harness::responder::{Database, Responder, replay_on};
use crate::harness::stage::{House, PATH};
use crate::harness::{peers, wait_until};

const BOTH: [&str; 2] = ["-tls1_3", "-tls1_2"];

struct Scene {
    house: House,
    database: Database,
    responder: Option<Responder>,
}

/// A gateway that asks about its clients: by this policy, with further lines for the responder.
fn scene(policy: &str, lines: &str) -> Scene {
    let mut made = None;
    let house = House::open_staged(|stage| {
        stage.watch();
        let (folder, ca) = (stage.scratch.path(), &stage.partner_ca);
        let clients = [&stage.acme.der, &stage.globex.der];
        let database = Database::new(folder, "partner", ca, &clients);
        let responder = database.start(60);
        let issuer = ca.certificate.display().to_string();
        let body = format!("issuer = {issuer:?}\nurl = {:?}\n{lines}", responder.url());
        stage.config.table("ocsp", &body);
        stage.config.set_text("revocation.ocsp", policy);
        made = Some((database, responder));
    });
    let (database, responder) = made.unwrap();
    Scene {
        house,
        database,
        responder: Some(responder),
    }
}

impl Scene {
    fn connect(&self, who: &Identity) -> std::io::Result<Client> {
        self.house
            .stage
            .dialer(who)
            .connect(self.house.gateway.address)
    }

    /// What openssl says of a handshake in this version.
    fn openssl(&self, version: &str, who: &Identity) -> String {
        let request = format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        let (ca, address) = (&self.house.stage.operator_ca, self.house.gateway.address);
        let arguments = [version];
        let (ca, request) = (&ca.certificate, request.as_bytes());
        let outcome = peers::s_client(address, ca, Some(who), &arguments, request);
        outcome.stdout + &outcome.stderr
    }

    fn asked(&self) -> usize {
        self.responder.as_ref().map_or(0, Responder::asked)
    }

    fn questions(&self, outcome: &str) -> usize {
        let metrics = self.house.gateway.admin().metrics();
        let labels = [("about", "client"), ("outcome", outcome)];
        metrics.count("t8gate_ocsp_questions_total", &labels)
    }

    fn refused(&self, reason: &str) -> usize {
        let metrics = self.house.gateway.admin().metrics();
        metrics.count("t8gate_connections_refused_total", &[("reason", reason)])
    }
}

//= RFC 6960 section A.1 type=test
#[test]
fn client_is_asked_about_once_and_served_in_both_versions() {
    let scene = scene("hard-fail", "");
    let stage = &scene.house.stage;
    let mut first = scene.connect(&stage.acme).unwrap();
    assert_eq!(first.get(PATH, &stage.token()).status, 200);
    assert_eq!((scene.asked(), scene.questions("good")), (1, 1));
    let mut second = scene.connect(&stage.acme).unwrap();
    assert_eq!(second.get(PATH, &stage.token()).status, 200);
    // The other one for the first time in TLS 1.2, and then in TLS 1.3.
    for version in ["-tls1_2", "-tls1_3"] {
        let said = scene.openssl(version, &stage.globex);
        assert!(said.contains("HTTP/1.1 403"), "{version}: {said}");
        assert_eq!(scene.asked(), 2, "{version}");
    }
    assert_eq!(scene.questions("good"), 2);
    let metrics = scene.house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_ocsp_statuses", &[]), 2);
    assert_eq!(
        metrics.sum("t8gate_clients_unchecked_total", &[]).round(),
        0.0
    );
}

//= RFC 8446 section 4.4.2.4 type=test
#[test]
fn revoked_client_is_refused_with_its_alert_at_the_first_question_and_after() {
    for policy in ["hard-fail", "soft-fail"] {
        let mut scene = scene(policy, "");
        let stage = &scene.house.stage;
        scene.database.revoke(&stage.acme.der);
        scene.database.revoke(&stage.globex.der);
        let port = scene.responder.take().expect("started above").port;
        scene.responder = Some(scene.database.start_on(port, 60));
        // Each of them is unknown the first time, in another version, and known the second time.
        let [first, second] = BOTH;
        for (version, who) in [
            (first, &stage.acme),
            (second, &stage.globex),
            (second, &stage.acme),
            (first, &stage.globex),
        ] {
            let said = scene.openssl(version, who);
            assert!(
                said.contains("SSL alert number 44"),
                "{policy} {version}: {said}"
            );
            assert!(!said.contains("HTTP/1.1"), "{policy} {version}: {said}");
        }
        assert_eq!(scene.asked(), 2, "{policy}");
        assert_eq!(scene.refused("certificate_revoked"), 4, "{policy}");
    }
}

#[test]
fn where_the_responder_is_down_clients_are_refused_or_taken_and_counted() {
    for policy in ["hard-fail", "soft-fail"] {
        let mut scene = scene(policy, "");
        drop(scene.responder.take());
        let stage = &scene.house.stage;
        for version in BOTH {
            let said = scene.openssl(version, &stage.acme);
            let unchecked = {
                let metrics = scene.house.gateway.admin().metrics();
                metrics.sum("t8gate_clients_unchecked_total", &[]) > 0.0
            };
            if policy == "hard-fail" {
                assert!(said.contains("SSL alert number 48"), "{version}: {said}");
                assert!(!unchecked);
            } else {
                assert!(said.contains("HTTP/1.1 401"), "{version}: {said}");
                assert!(unchecked);
            }
        }
        let refused = if policy == "hard-fail" { 2 } else { 0 };
        assert_eq!(scene.refused("revocation_unknown"), refused);
        // Not asked again for every handshake.
        assert_eq!(scene.questions("not_answered"), 1, "{policy}");
        scene
            .house
            .gateway
            .await_log("a client's certificate cannot be asked about");
    }
}

#[test]
fn responder_that_never_answers_holds_up_nobody_but_who_waits_for_it() {
    let mut scene = scene("hard-fail", "");
    let mut before = scene.connect(&scene.house.stage.acme).unwrap();
    let token = scene.house.token();
    assert_eq!(before.get(PATH, &token).status, 200);
    let port = scene.responder.take().expect("started above").port;
    let silent = TcpListener::bind(("0.0.0.0", port)).unwrap();
    let dialer = scene.house.stage.dialer(&scene.house.stage.globex);
    let address = scene.house.gateway.address;
    let waiting = std::thread::spawn(move || {
        let mut client = dialer
            .connect(address)
            .expect("a refusal shows at the first read");
        client.refusal()
    });
    // It is being asked.
    let (_held, _) = silent.accept().unwrap();
    for _ in 0..20 {
        assert_eq!(before.get(PATH, &token).status, 200);
        let mut known = scene.connect(&scene.house.stage.acme).unwrap();
        assert_eq!(known.get(PATH, &token).status, 200);
    }
    assert!(!waiting.is_finished(), "it waits for the answer still");
    let refusal = waiting.join().unwrap();
    assert!(refusal.contains("UnknownCA"), "{refusal}");
    assert_eq!(scene.refused("revocation_unknown"), 1);
}

#[test]
fn client_that_is_revoked_while_it_is_connected_is_closed_and_comes_back_no_more() {
    let mut scene = scene("hard-fail", "refresh = \"1s\"");
    let stage = &scene.house.stage;
    let resuming = stage.dialer(&stage.acme).resuming();
    let address = scene.house.gateway.address;
    let mut standing = resuming.connect(address).unwrap();
    assert_eq!(standing.get(PATH, &stage.token()).status, 200);
    let mut other = scene.connect(&stage.globex).unwrap();
    let asked = scene.asked();
    wait_until("questions about who is connected", || {
        scene.asked() > asked + 1
    });
    let again = resuming.connect(address).unwrap();
    assert_eq!(again.handshake_kind(), Some(HandshakeKind::Resumed));
    scene.database.revoke(&stage.acme.der);
    assert!(standing.closed(), "by the gateway");
    assert_eq!(scene.questions("revoked").min(1), 1);
    let mut late = resuming.connect(address);
    let refusal = match &mut late {
        Ok(client) => client.refusal(),
        Err(error) => error.to_string(),
    };
    assert!(refusal.contains("CertificateRevoked"), "{refusal}");
    // The other one is asked about as well, and stays.
    let response = other.get(PATH, &stage.token());
    assert_eq!(response.status, 403, "{}", response.text());
}

//= RFC 6960 section 2.4 type=test
#[test]
fn neither_an_older_answer_nor_forgetting_it_makes_a_revoked_client_welcome() {
    let mut scene = scene("soft-fail", "refresh = \"1s\"");
    let stage = &scene.house.stage;
    let older = stage.scratch.path().join("older.der");
    let (who, ca) = (&stage.acme.certificate, &stage.partner_ca.certificate);
    scene.database.answer(who, ca, "-30m", &older);
    let older = std::fs::read(older).unwrap();
    let stranger = Database::new(stage.scratch.path(), "forgotten", &stage.partner_ca, &[]);
    scene.database.revoke(&stage.acme.der);
    let port = scene.responder.take().expect("started above").port;
    let knowing = scene.database.start_on(port, 60);
    let refusal = || match &mut scene.connect(&stage.acme) {
        Ok(client) => client.refusal(),
        Err(error) => error.to_string(),
    };
    let is_revoked = || refusal().contains("CertificateRevoked");
    assert!(is_revoked() && scene.questions("revoked") == 1);
    drop(knowing);
    let forgetful = stranger.start_on(port, 60);
    wait_until("an answer that it is not known", || {
        assert!(is_revoked(), "it is revoked still");
        scene.questions("unknown") > 0
    });
    drop(forgetful);
    replay_on(port, older);
    wait_until("an answer from before the revocation", || {
        assert!(is_revoked(), "it is revoked still");
        scene.questions("refused") > 0
    });
    assert!(is_revoked() && scene.questions("good") == 0);
    scene.house.gateway.await_log("older (thisUpdate)");
}

#[test]
fn group_of_partners_has_its_own_policy_and_others_are_not_asked_about() {
    let origin = crate::harness::origin::Origin::start();
    let mut stage = crate::harness::stage::Stage::new(origin.address);
    stage.watch();
    let ca = &stage.partner_ca;
    let database = Database::new(stage.scratch.path(), "partner", ca, &[&stage.acme.der]);
    let responder = database.start(60);
    let ca = ca.certificate.display().to_string();
    let body = format!("issuer = {ca:?}\nurl = {:?}", responder.url());
    stage.config.table("ocsp", &body);
    stage.config.set_text("revocation.ocsp", "off");
    let group = format!("name = \"asked\"\nclient_ca = {ca:?}\nocsp = \"hard-fail\"");
    stage.config.table("partner", &group);
    stage
        .config
        .extend_table("client", 1, "partner = \"asked\"");
    let gateway = stage.start();
    let connect = |who| stage.dialer(who).connect(gateway.address).unwrap();
    assert_eq!(connect(&stage.acme).get(PATH, &stage.token()).status, 200);
    assert_eq!(responder.asked(), 0, "of the group default");
    // The responder does not know the other one.
    let refusal = connect(&stage.globex).refusal();
    assert!(refusal.contains("UnknownCA"), "{refusal}");
    assert_eq!(responder.asked(), 1);
}
