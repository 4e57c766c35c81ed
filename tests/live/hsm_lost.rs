//! The token is lost while the gateway serves, and comes back: what is open goes on, what needs a
//! signature waits for it, and nobody has to restart anything.

use std::path::PathBuf;
use std::time::Duration;

use rustls::HandshakeKind;

use crate::harness::client::{Dialer, HOST};
use crate::harness::origin::Origin;
use crate::harness::pki::{Key, Leaf};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::within;

/// Where the token keeps what it has; away, it is lost.
pub struct Store {
    home: PathBuf,
    away: PathBuf,
}

impl Store {
    pub fn of(stage: &Stage) -> Self {
        let folder = stage.scratch.path();
        Self {
            home: folder.join("tokens"),
            away: folder.join("elsewhere"),
        }
    }

    pub fn lose(&self) {
        std::fs::rename(&self.home, &self.away).expect("our own folder");
    }

    pub fn bring_back(&self) {
        std::fs::rename(&self.away, &self.home).expect("our own folder");
    }
}

/// A full handshake and a request; the fault it ended with.
fn visit(dialer: &Dialer, house: &House) -> Result<u16, String> {
    let client = dialer.connect(house.gateway.address);
    let mut client = client.map_err(|fault| fault.to_string())?;
    Ok(client.get(PATH, &house.token()).status)
}

#[test]
fn token_that_is_lost_costs_full_handshakes_only_and_comes_back_by_itself() {
    let origin = Origin::start();
    let (mut stage, _token) = Stage::with_token(origin.address, Key::P256);
    let audit = stage.watch();
    let house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    let admin = house.gateway.admin();
    let store = Store::of(&house.stage);
    let full = house.stage.dialer(&house.stage.acme);
    let remembering = full.clone().resuming();
    let mut open = remembering
        .connect(house.gateway.address)
        .expect("a handshake");
    assert_eq!(open.get(PATH, &house.token()).status, 200);

    store.lose();
    let mut refused = String::new();
    // What the library still remembers it may still sign with.
    let failed = within(Duration::from_secs(5), || match visit(&full, &house) {
        Ok(_) => false,
        Err(fault) => {
            refused = fault;
            true
        }
    });
    assert!(failed, "nothing was lost");
    assert!(refused.contains("InternalError"), "{refused}");
    let said = admin.await_readiness(503);
    assert!(said.contains("the last signature failed"), "{said}");
    assert_eq!(admin.get("/healthz").status, 200);
    house.gateway.await_log("reason=\"signer_failed\"");
    let record = || std::fs::read_to_string(&audit).unwrap_or_default();
    let one = || record().matches(r#""reason":"signer_failed""#).count() == 1;
    assert!(within(Duration::from_secs(2), one), "{}", record());
    let metrics = admin.metrics();
    let reason = [("reason", "signer_failed")];
    assert_eq!(
        metrics.count("t8gate_connections_refused_total", &reason),
        1
    );
    assert_eq!(metrics.count("t8gate_signer_last_signature_ok", &[]), 0);

    // What needs no signature goes on.
    assert_eq!(open.get(PATH, &house.token()).status, 200);
    let mut resumed = remembering
        .connect(house.gateway.address)
        .expect("a resumption");
    assert_eq!(resumed.get(PATH, &house.token()).status, 200);
    assert_eq!(resumed.handshake_kind(), Some(HandshakeKind::Resumed));
    assert_eq!(
        admin.get("/readyz").status,
        503,
        "a resumption signs nothing"
    );

    // Back again: nobody connects until readiness invites them to.
    store.bring_back();
    admin.await_readiness(200);
    house.gateway.await_log("the token signs again");
    assert_eq!(visit(&full, &house), Ok(200));
    assert_eq!(open.get(PATH, &house.token()).status, 200);
}

/// The server's key is in a file, the issuer's in the token: it is asked again all the same.
#[test]
fn issuer_key_that_is_lost_comes_back_by_itself() {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    stage.issue_tokens_from(&token);
    for name in ["module", "uri", "pin_file", "sessions"] {
        stage.config.unset(&format!("tls.key.{name}"));
    }
    let server = stage.operator_ca.issue("server", &Leaf::server(HOST));
    let certificate = server.certificate.display();
    stage.config.set_text("tls.certificate", certificate);
    stage.config.set_text("tls.key.file", server.key.display());
    stage.watch();
    let gateway = stage.start();
    let (admin, store) = (gateway.admin(), Store::of(&stage));
    let dialer = stage.dialer(&stage.acme);
    let mut client = dialer.connect(gateway.address).expect("a handshake");
    let form = "grant_type=client_credentials&client_id=acme-app";
    let asked = format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    assert_eq!(client.ask(&asked).status, 200);
    store.lose();
    let lost = || client.ask(&asked).status == 503;
    assert!(within(Duration::from_secs(5), lost), "nothing was lost");
    admin.await_readiness(503);
    assert!(
        dialer.connect(gateway.address).is_ok(),
        "it has its own key"
    );
    store.bring_back();
    admin.await_readiness(200);
    gateway.await_log("the token signs again");
    assert_eq!(client.ask(&asked).status, 200);
}
