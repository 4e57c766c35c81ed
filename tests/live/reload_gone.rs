//! What becomes of what a reload takes out: nobody holds on to it.

use std::net::TcpListener;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
};
use rustls::HandshakeKind;
use time::OffsetDateTime;

use crate::harness::client::HOST;
use crate::harness::openssl_ca::OpensslCa;
use crate::harness::origin::Origin;
use crate::harness::pki::{Authority, Key, Leaf, San};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::wait_until;
use crate::reload::{APPLIED, ON_SIGNAL, reload, rewrite, said};
use crate::reload_lists::{DAY_S, Listed, file, with_another_ca};
use crate::resumption::visit;
use crate::revocation::{TAKEN, replace};
use crate::trust_lost::now_us;

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

/// So many serial numbers take longer to read than two reloads take.
const MANY: u64 = 1_500_000;

/// A list of this CA that names nobody who comes here.
fn long_list(ca: &OpensslCa, file: &str) -> PathBuf {
    let key = KeyPair::from_pem(&ca.key_pem()).expect("written by us");
    let issuer = Issuer::from_ca_cert_der(&ca.der(), key).expect("a CA's certificate");
    let now = OffsetDateTime::now_utc();
    let revoked = |serial| RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: now,
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: now,
        next_update: now + time::Duration::days(1),
        crl_number: SerialNumber::from(100),
        issuing_distribution_point: None,
        revoked_certs: (1 << 32..(1 << 32) + MANY).map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&issuer).expect("a list");
    let path = ca.certificate.with_file_name(file);
    std::fs::write(&path, list.der()).expect("our own folder");
    path
}

/// What is said of the first reload waits for that list, and nothing else does.
#[test]
fn client_that_the_next_reload_takes_out_is_cut_off_while_a_long_list_is_read() {
    let mut listed = Listed::open(|stage, list| {
        stage.config.table("crl", &file(list));
    });
    let dialer = listed.house.stage.dialer(&listed.acme);
    let mut acme = dialer.connect(listed.house.gateway.address).expect("good");
    let long = long_list(&listed.ca, "long.crl");
    std::fs::rename(&long, &listed.list).expect("one folder");
    listed.house.gateway.hang_up();
    // They would be one reload else.
    thread::sleep(Duration::from_millis(100));
    rewrite(&mut listed.house, |config| {
        let globex = config.table_body("client", 1);
        config.without_tables("client").table("client", &globex);
    });
    listed.house.gateway.hang_up();
    assert!(acme.closed(), "kept");
    assert_eq!(said(&listed.house, TAKEN), 0, "waited for");
    // On a busy machine the first has not come so far.
    let given_up = || said(&listed.house, "is given up for a newer one");
    wait_until("both reloads", || {
        said(&listed.house, APPLIED) + given_up() == 2 && said(&listed.house, TAKEN) == 1
    });
    // Nor does a reload wait for ever.
    let waited_in_vain = said(&listed.house, "revocation lists are being read still") > 1;
    if given_up() > 0 || waited_in_vain {
        return;
    }
    let log = listed.house.gateway.log();
    let [first, last] = [log.find(APPLIED), log.rfind(APPLIED)];
    let read = log.find(TAKEN);
    assert!(first < read && read < last, "{log}");
    let still = log.find("revocation lists are being read still");
    assert!(still.is_some() && still < first, "{log}");
}

/// That other list has changed, so that it is to be seen how long one takes to read it.
#[test]
fn partner_that_goes_with_its_list_is_cut_off_long_before_the_list_of_another_is_read() {
    let mut made = None;
    let mut listed = Listed::open(|stage, list| {
        let ca = OpensslCa::new(stage.scratch.path(), "other", "Another CA of openssl");
        let certificate = ca.certificate.display().to_string();
        let group = format!("name = \"other\"\nclient_ca = {certificate:?}");
        stage
            .config
            .table("crl", &file(list))
            .table("partner", &group);
        stage.config.table(
            "client",
            "name = \"other\"\nsans = [\"dns:scs.other.example\"]\nscs_as_ids = [\"other\"]\n\
             partner = \"other\"",
        );
        let its = ca.list("other.crl", DAY_S);
        stage.config.table("crl", &file(&its));
        made = Some(ca.issue("other", &San::Dns("scs.other.example")));
    });
    let long = long_list(&listed.ca, "long.crl");
    let address = listed.house.gateway.address;
    let theirs = listed.house.stage.dialer(&made.expect("made above"));
    let theirs = theirs.resuming();
    assert_eq!(visit(&theirs, address), Ok(HandshakeKind::Full));
    assert_eq!(visit(&theirs, address), Ok(HandshakeKind::Resumed));
    let mut open = theirs.connect(address).expect("trust, as yet");
    let dialer = listed.house.stage.dialer(&listed.acme);
    let mut stays = dialer.connect(address).expect("trust");
    let token = listed.token(&listed.acme, "acme-app");
    assert_eq!(stays.get(PATH, &token).status, 200);
    rewrite(&mut listed.house, |config| {
        let clients = [0, 1].map(|place| config.table_body("client", place));
        let list = config.table_body("crl", 0);
        for tables in ["partner", "client", "crl"] {
            config.without_tables(tables);
        }
        config.table("crl", &list);
        for client in clients {
            config.table("client", &client);
        }
    });
    std::fs::rename(&long, &listed.list).expect("one folder");
    let begun = now_us();
    listed.house.gateway.hang_up();
    assert!(open.closed(), "kept");
    wait_until("the refusal", || visit(&theirs, address).is_err());
    let lost = now_us() - begun;
    assert_eq!(said(&listed.house, TAKEN), 0, "waited for");
    wait_until("the long list", || said(&listed.house, TAKEN) == 1);
    let read = now_us() - begun;
    println!("trust was lost after {lost} us, and the list read after {read} us");
    assert!(lost < read / 2, "{lost} us of {read} us");
    assert_eq!(stays.get(PATH, &token).status, 200);
    wait_until("the end of the reload", || {
        said(&listed.house, APPLIED) == 1
    });
    assert_eq!(listed.entries() as u64, MANY, "its list is nobody's");
    assert_eq!(said(&listed.house, TAKEN), 1, "read once more");
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

/// As where the list of the next CA of a partner takes the place of the last one's.
#[test]
fn list_that_its_place_brought_before_another_stays_where_a_third_ca_comes() {
    let mut next = PathBuf::new();
    let (mut listed, initech) = with_another_ca(|_, other| next = other.list("next.crl", DAY_S));
    let scratch = listed.house.stage.scratch.path().to_owned();
    replace(&listed.list, &next, &[&listed.house.gateway]);
    let revoked = |listed: &Listed| listed.globex_comes().expect_err("revoked");
    assert!(revoked(&listed).contains("CertificateRevoked"));
    let third = OpensslCa::new(&scratch, "third", "A third CA of openssl");
    let all = [&scratch.join("both.pem"), &third.certificate];
    let all = all.map(|file| std::fs::read(file).expect("ours")).concat();
    std::fs::write(scratch.join("all.pem"), all).expect("our own");
    let trusted = scratch.join("all.pem");
    rewrite(&mut listed.house, |config| {
        config.set_text("tls.client_ca", trusted.display());
    });
    reload(&listed.house);
    assert!(revoked(&listed).contains("CertificateRevoked"));
    assert_eq!(listed.acme_comes(), Ok(200));
    assert_eq!(listed.comes(&initech, "acme-app"), Ok(200));
}
