//! What becomes of what a reload takes out: nobody holds on to it.

use std::net::TcpListener;

use crate::harness::client::HOST;
use crate::harness::origin::Origin;
use crate::harness::pki::{Authority, Key, Leaf, San};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::wait_until;
use crate::reload::{ON_SIGNAL, reload, rewrite};

#[test]
fn group_that_is_taken_out_with_its_clients_loses_their_trust() {
    let mut made = None;
    let mut house = House::open_staged(|stage| {
        stage.watch();
        stage.config.set("reload.watch", ON_SIGNAL);
        let ca = Authority::new(stage.scratch.path(), "Another TLS CA", Key::P256);
        let certificate = ca.certificate.display().to_string();
        let group = format!("name = \"other\"\nclient_ca = {certificate:?}");
        stage.config.table("partner", &group);
        stage.config.table(
            "client",
            "name = \"other\"\nsans = [\"dns:scs.other.example\"]\nscs_as_ids = [\"other\"]\n\
             partner = \"other\"",
        );
        made = Some(ca.issue("other", &Leaf::client(San::Dns("scs.other.example"))));
    });
    let theirs = house.stage.dialer(&made.expect("made above"));
    let address = house.gateway.address;
    let mut open = theirs.connect(address).expect("trust, as yet");
    let mut stays = house.client();
    assert_eq!(stays.get(PATH, &house.token()).status, 200);
    rewrite(&mut house, |config| {
        let clients = [0, 1].map(|place| config.table_body("client", place));
        config.without_tables("partner").without_tables("client");
        for client in clients {
            config.table("client", &client);
        }
    });
    reload(&house);
    assert!(open.closed(), "kept");
    let refused = match theirs.connect(address) {
        Ok(mut client) => client.refusal(),
        Err(fault) => fault.to_string(),
    };
    assert!(refused.contains("UnknownCA"), "{refused}");
    assert_eq!(stays.get(PATH, &house.token()).status, 200);
    // And what follows is not refused for it.
    reload(&house);
}

/// How many threads the signer process has: one more for each session.
fn lanes(house: &House) -> usize {
    let tasks = format!("/proc/{}/task", house.gateway.signer_pid());
    std::fs::read_dir(tasks).expect("our own").count()
}

/// Its sessions may be needed by who took its place, and its process would be brought back again
/// and again once it is gone.
#[test]
fn key_that_is_taken_out_is_closed_and_the_signer_process_of_the_last_one_ends() {
    let origin = Origin::start();
    let (mut stage, _token) = Stage::with_token(origin.address, Key::P256);
    stage.config.set("reload.watch", ON_SIGNAL);
    stage.config.set("tls.key.sessions", "2");
    let mut house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    let few = lanes(&house);
    for (sessions, more) in [("6", 4), ("2", 0)] {
        rewrite(&mut house, |config| {
            config.set("tls.key.sessions", sessions);
        });
        reload(&house);
        wait_until("lanes", || lanes(&house) == few + more);
    }
    let server = house.stage.operator_ca.issue("server", &Leaf::server(HOST));
    rewrite(&mut house, |config| {
        config.set_text("tls.certificate", server.certificate.display());
        for key in ["module", "uri", "pin_file", "sessions"] {
            config.unset(&format!("tls.key.{key}"));
        }
        config.set_text("tls.key.file", server.key.display());
    });
    reload(&house);
    wait_until("the end of the process", || {
        house.gateway.signer_pids().is_empty()
    });
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

/// Nobody asks for another one after that, nor does a file change.
#[test]
fn key_that_a_reload_has_opened_that_was_given_up_is_closed_when_that_is_at_its_end() {
    let origin = Origin::start();
    let (mut stage, _token) = Stage::with_token(origin.address, Key::P256);
    stage.config.set("reload.watch", ON_SIGNAL);
    let state = stage.scratch.path().join("state");
    std::fs::create_dir_all(&state).expect("our own folder");
    stage.config.set_text("revocation.state", state.display());
    let mut house = House {
        gateway: stage.start(),
        origin,
        stage,
    };
    let few = lanes(&house);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let list = silent.local_addr().expect("it is bound");
    rewrite(&mut house, |config| {
        config.set("tls.key.sessions", "6");
        config.table("crl", &format!("url = \"http://{list}/a.crl\""));
    });
    house.gateway.hang_up();
    let (_unanswered, _) = silent.accept().expect("whoever fetches the list");
    assert_eq!(lanes(&house), few + 6);
    rewrite(&mut house, |config| {
        config.set("tls.key.sessions", "2").without_tables("crl");
    });
    reload(&house);
    wait_until("lanes", || lanes(&house) == few);
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}
