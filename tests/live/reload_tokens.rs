//! What changes while a token is away: trust is lost all the same, because nothing about the keys
//! has changed; and what needs the token comes into force when it is back.

use std::time::Duration;

use rustls::HandshakeKind;

use crate::harness::client::{Client, HOST};
use crate::harness::openssl_ca::OpensslCa;
use crate::harness::origin::Origin;
use crate::harness::pki::{Key, Leaf};
use crate::harness::softhsm::Token;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{WAIT, signal, wait_until, within};
use crate::hsm_lost::Store;
use crate::issuer::{FORM, asked, token_of};
use crate::opaque_tokens::fetched;
use crate::reload::{APPLIED, ON_SIGNAL, REFUSED, reload, reload_in_vain, rewrite, said};
use crate::resumption::secret;

fn house(change: impl FnOnce(&mut Stage, &Token)) -> (House, Token) {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    stage.config.set("reload.watch", ON_SIGNAL);
    stage.watch();
    change(&mut stage, &token);
    let gateway = stage.start();
    let house = House {
        gateway,
        origin,
        stage,
    };
    (house, token)
}

/// Takes the token away, and has the signer find out.
fn lose(house: &House, store: &Store) {
    store.lose();
    let dialer = house.stage.dialer(&house.stage.acme);
    let failed = || dialer.connect(house.gateway.address).is_err();
    assert!(within(WAIT, failed), "nothing was lost");
}

fn globex(house: &House) -> Result<Client, String> {
    let dialer = house.stage.dialer(&house.stage.globex);
    let connected = dialer.connect(house.gateway.address);
    connected.map_err(|fault| fault.to_string())
}

fn take_globex_out(house: &mut House) {
    rewrite(house, |config| {
        let acme = config.table_body("client", 0);
        config.without_tables("client").table("client", &acme);
    });
}

/// The reload in force, and the connection closed, with the token away.
fn taken_out_without_the_token(house: &mut House, store: &Store) {
    let (mut acme, mut globex) = (house.client(), globex(house).expect("a handshake"));
    assert_eq!(acme.get(PATH, &house.token()).status, 200);
    lose(house, store);
    take_globex_out(house);
    reload(house);
    assert!(globex.closed(), "kept");
    assert_eq!(acme.get(PATH, &house.token()).status, 200);
    assert_eq!(said(house, REFUSED), 0, "{}", house.gateway.log());
}

#[test]
fn client_that_is_taken_out_while_the_token_is_away_is_cut_off_at_once() {
    let (mut house, _token) = house(|_, _| {});
    let store = Store::of(&house.stage);
    taken_out_without_the_token(&mut house, &store);
    // The key is that of before.
    store.bring_back();
    house.gateway.admin().await_readiness(200);
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

/// The issuer's key is in the same token, and no more asked for than the server's.
#[test]
fn client_of_an_issuer_in_a_token_is_cut_off_at_once_while_that_is_away() {
    let (mut house, _token) = house(|stage, token| stage.issue_tokens_from(token));
    let store = Store::of(&house.stage);
    taken_out_without_the_token(&mut house, &store);
}

/// Tickets are sealed by a secret in the token, and another one opens them that lies in a file.
fn seal_tickets(stage: &mut Stage, token: &Token) {
    let uri = token.generate_secret("tickets", "09");
    stage.config.set_text("tls.tickets.uri", uri);
    for key in ["module", "pin_file"] {
        let value = stage.config.value(&format!("tls.key.{key}"));
        stage.config.set(&format!("tls.tickets.{key}"), &value);
    }
    let file = secret(stage, "second").display().to_string();
    let key = "tls.tickets.second_secret_file";
    stage.config.set_text(key, file);
}

#[test]
fn client_is_cut_off_at_once_while_the_token_of_one_of_two_ticket_secrets_is_away() {
    let (mut house, _token) = house(seal_tickets);
    let store = Store::of(&house.stage);
    taken_out_without_the_token(&mut house, &store);
}

#[test]
fn sessions_go_on_by_a_secret_in_a_token_that_is_away_when_the_one_beside_it_is_replaced() {
    let (mut house, _token) = house(seal_tickets);
    let store = Store::of(&house.stage);
    let remembering = house.stage.dialer(&house.stage.acme).resuming();
    let come = |house: &House| {
        let mut client = remembering
            .connect(house.gateway.address)
            .expect("a handshake");
        assert_eq!(client.get(PATH, &house.token()).status, 200);
        client.handshake_kind()
    };
    come(&house);
    lose(&house, &store);
    let other = secret(&house.stage, "another");
    rewrite(&mut house, |config| {
        config.set_text("tls.tickets.second_secret_file", other.display());
    });
    reload(&house);
    assert_eq!(come(&house), Some(HandshakeKind::Resumed));
}

#[test]
fn opaque_tokens_go_on_by_a_secret_in_a_token_that_is_away_while_something_else_changes() {
    let (mut house, _token) = house(|stage, token| {
        stage.issue_tokens();
        let uri = token.generate_secret("sealing", "0b");
        stage.config.set_text("oauth.token_format", "opaque");
        stage.config.set_text("oauth.sealing.uri", uri);
        for key in ["module", "pin_file"] {
            let value = stage.config.value(&format!("tls.key.{key}"));
            stage.config.set(&format!("oauth.sealing.{key}"), &value);
        }
    });
    let store = Store::of(&house.stage);
    let (mut client, token) = (house.client(), fetched(&house));
    lose(&house, &store);
    take_globex_out(&mut house);
    reload(&house);
    assert_eq!(client.get(PATH, &token).status, 200);
    let new = token_of(&asked(&mut client, FORM));
    assert_eq!(client.get(PATH, &new).status, 200);
}

#[test]
fn ticket_secret_in_a_token_that_is_away_comes_into_force_when_that_is_back() {
    let (mut house, token) = house(seal_tickets);
    let next = token.generate_secret("tickets-next", "0a");
    let store = Store::of(&house.stage);
    lose(&house, &store);
    rewrite(&mut house, |config| {
        config.set_text("tls.tickets.uri", next);
    });
    reload_in_vain(&house);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((said(&house, APPLIED), said(&house, REFUSED)), (0, 1));
    store.bring_back();
    wait_until("the reload, by itself", || said(&house, APPLIED) == 1);
}

/// What the threads and the process that sign were started with stays.
#[test]
fn changed_bound_on_a_signature_and_number_of_threads_are_said_to_take_a_restart() {
    let (mut house, _token) = house(|_, _| {});
    rewrite(&mut house, |config| {
        config.set_text("deadlines.signature", "4s");
        config.set("tls.key.sessions", "3");
    });
    reload(&house);
    let log = house.gateway.log();
    let takes_a_restart = |key: &str| {
        let said = log.lines().filter(|line| line.contains("at a start only"));
        said.filter(|line| line.contains(key)).count()
    };
    for key in ["deadlines.signature", "tls.key.sessions"] {
        assert_eq!(takes_a_restart(key), 1, "{key}: {log}");
    }
}

/// Nobody waits for a signature that nobody needs.
#[test]
fn client_that_is_taken_out_while_the_signer_hangs_is_cut_off_at_once() {
    let wait_for_signature = 3 * WAIT;
    let (mut house, _token) = house(|stage, _| {
        let seconds = wait_for_signature.as_secs();
        for (key, seconds) in [
            ("signature", seconds),
            ("handshake", seconds + 1),
            ("drain", seconds),
        ] {
            let wait = format!("{seconds}s");
            stage.config.set_text(&format!("deadlines.{key}"), wait);
        }
    });
    let mut globex = globex(&house).expect("a handshake");
    let signer = house.gateway.signer_pid();
    signal(signer, "STOP");
    take_globex_out(&mut house);
    house.gateway.hang_up();
    let cut_off = globex.closed_within(WAIT);
    signal(signer, "CONT");
    assert!(cut_off, "{}", house.gateway.log());
    wait_until("the reload", || said(&house, APPLIED) == 1);
}

#[test]
fn what_a_token_that_is_away_stood_in_the_way_of_comes_into_force_when_it_is_back() {
    let mut list = None;
    let (mut house, token) = house(|stage, _| {
        let ca = OpensslCa::new(stage.scratch.path(), "ca", "Partner CA of openssl");
        let certificate = ca.certificate.display().to_string();
        let group = format!("name = \"listed\"\nclient_ca = {certificate:?}");
        stage.config.table("partner", &group);
        list = Some(ca.list("partner.crl", 86_400));
    });
    let spki = token.generate_another(Key::P256, "next", "22");
    let leaf = Leaf::server(HOST);
    let next = house.stage.operator_ca.issue_for("next", &leaf, &spki);
    let list = list.expect("made above");
    let store = Store::of(&house.stage);
    lose(&house, &store);
    rewrite(&mut house, |config| {
        config.set_text(
            "tls.key.uri",
            token.uri.replace("object=server", "object=next"),
        );
        config.set_text("tls.certificate", next.path.display());
        config.table("crl", &format!("file = {:?}", list.display().to_string()));
        config.set_text("revocation.policy", "soft-fail");
    });
    reload_in_vain(&house);
    // Lists are read when the token is back, whatever becomes of their files until then.
    let whole = std::fs::read(&list).expect("made above");
    std::fs::write(&list, "no list").expect("our own file");
    std::thread::sleep(Duration::from_secs(5));
    std::fs::write(&list, whole).expect("our own file");
    assert_eq!(said(&house, APPLIED), 0);
    assert_eq!(said(&house, REFUSED), 1, "{}", house.gateway.log());
    store.bring_back();
    wait_until("the reload, by itself", || said(&house, APPLIED) == 1);
    let shown = || {
        let dialer = house.stage.dialer(&house.stage.acme);
        let client = dialer.connect(house.gateway.address).ok()?;
        let shown = client.tls().peer_certificates()?.first()?.to_vec();
        Some(shown)
    };
    wait_until("the new certificate", || shown() == Some(next.der.to_vec()));
}

#[test]
fn another_cause_that_a_token_gives_meanwhile_is_said_and_the_same_is_not_said_again() {
    let (mut house, token) = house(|_, _| {});
    let store = Store::of(&house.stage);
    lose(&house, &store);
    rewrite(&mut house, |config| {
        let uri = token.uri.replace("object=server", "object=none");
        config.set_text("tls.key.uri", uri);
    });
    reload_in_vain(&house);
    let cause = "names none of the private keys";
    assert_eq!(said(&house, cause), 0, "{}", house.gateway.log());
    store.bring_back();
    wait_until("the other cause", || said(&house, cause) > 0);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(said(&house, cause), 1, "{}", house.gateway.log());
}

/// The module lists the tokens that were there when it was loaded.
#[test]
fn token_that_was_set_up_after_the_start_takes_a_restart_and_the_hint_says_so() {
    let (mut house, _token) = house(|_, _| {});
    let folder = house.stage.scratch.path();
    let elsewhere = folder.join("late");
    std::fs::create_dir(&elsewhere).expect("our own folder");
    let late = Token::generate(&elsewhere, Key::P256);
    let store = std::fs::read_dir(elsewhere.join("tokens")).expect("made above");
    let late_store = store.flatten().next().expect("one token");
    let name = late_store.file_name().into_string().expect("a UUID");
    std::fs::rename(late_store.path(), folder.join("tokens").join(&name)).expect("our own");
    // SoftHSM's serial numbers are the ends of these names.
    let uri = format!("{};serial={}{}", late.uri, &name[19..23], &name[24..]);
    let next = late.certificate(&house.stage.operator_ca, &Leaf::server(HOST));
    rewrite(&mut house, |config| {
        config.set_text("tls.key.uri", &uri);
        config.set_text("tls.certificate", next.path.display());
    });
    reload_in_vain(&house);
    let log = house.gateway.log();
    let none = log
        .lines()
        .find(|line| line.contains("names none of the tokens"));
    assert!(none.is_some_and(|line| line.contains("a restart")), "{log}");
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    let started = house.stage.start();
    std::mem::replace(&mut house.gateway, started).stop();
    let client = house.client();
    let shown = client.tls().peer_certificates().expect("a handshake");
    assert_eq!(shown[0].to_vec(), next.der.to_vec());
}

/// A file that is wrong stays wrong until somebody changes it.
/// It is asked for nothing by a configuration that does not say where the PIN is.
#[test]
fn refused_change_that_names_no_pin_leaves_the_process_that_signs_alone() {
    let (mut house, _token) = house(|_, _| {});
    let signer = house.gateway.signer_pid();
    let good = house.stage.config.clone();
    for (key, value) in [("pin_file", None), ("pin_credential", Some("\"pin\""))] {
        rewrite(&mut house, |config| {
            config.clone_from(&good);
            config.unset("tls.key.pin_file");
            if let Some(value) = value {
                config.set(&format!("tls.key.{key}"), value);
            }
        });
        reload_in_vain(&house);
        assert!(said(&house, key) > 0, "{}", house.gateway.log());
    }
    let dialer = house.stage.dialer(&house.stage.acme);
    assert!(dialer.connect(house.gateway.address).is_ok());
    assert_eq!(
        house.gateway.signer_pid(),
        signer,
        "{}",
        house.gateway.log()
    );
}

#[test]
fn what_a_file_stands_in_the_way_of_is_not_tried_again_by_itself() {
    let (mut house, _token) = house(|_, _| {});
    rewrite(&mut house, |config| {
        config.set("limits.no_such_key", "1");
    });
    reload_in_vain(&house);
    rewrite(&mut house, |config| {
        config.unset("limits.no_such_key");
    });
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(said(&house, APPLIED), 0);
    reload(&house);
}

/// The token is there, and the certificate does not become its key's by waiting.
#[test]
fn certificate_of_another_key_is_not_tried_again_by_itself() {
    let (mut house, _token) = house(|_, _| {});
    let other = house.stage.operator_ca.issue("other", &Leaf::server(HOST));
    let good = house.stage.config.clone();
    rewrite(&mut house, |config| {
        config.set_text("tls.certificate", other.certificate.display());
    });
    reload_in_vain(&house);
    let log = house.gateway.log();
    let cause = "the certificate is for another key";
    assert!(log.contains(cause), "{log}");
    assert!(log.contains("tried_again=false"), "{log}");
    // Whoever tries again finds this, and would have it in force.
    rewrite(&mut house, |config| config.clone_from(&good));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(said(&house, APPLIED), 0, "{}", house.gateway.log());
    reload(&house);
}

/// Whether it is ready again so soon after the token's return as full handshakes have to be.
fn is_ready_within_a_second(house: &House, store: &Store) {
    let admin = house.gateway.admin();
    admin.await_readiness(503);
    store.bring_back();
    let ready = || admin.get("/readyz").status == 200;
    let in_time = within(Duration::from_secs(1), ready);
    assert!(in_time, "{}", house.gateway.log());
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

/// Only one of the keys of a token is found to be lost: nobody has asked for the other.
#[test]
fn token_with_two_keys_is_back_within_a_second_where_one_of_them_was_asked_for() {
    let (house, _token) = house(|stage, token| stage.issue_tokens_from(token));
    let store = Store::of(&house.stage);
    lose(&house, &store);
    is_ready_within_a_second(&house, &store);
}

#[test]
fn token_with_two_keys_is_back_within_a_second_after_a_reload_without_it() {
    let (mut house, _token) = house(|stage, token| stage.issue_tokens_from(token));
    let store = Store::of(&house.stage);
    taken_out_without_the_token(&mut house, &store);
    is_ready_within_a_second(&house, &store);
}
