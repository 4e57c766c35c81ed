//! Files that are away, or are not to be read, when the configuration is read again; and what
//! comes into force when they are there.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::harness::client::HOST;
use crate::harness::gateway::{ConfigText, Gateway};
use crate::harness::mint::{self, Algorithm, Mint};
use crate::harness::openssl_ca::OpensslCa;
use crate::harness::origin::Origin;
use crate::harness::pki::{Key, Leaf, San};
use crate::harness::responder::Database;
use crate::harness::softhsm::Token;
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{command, run_well, wait_until};
use crate::reload::{APPLIED, ON_SIGNAL, REFUSED, reload, rewrite, said};
use crate::resumption::secret;
use crate::trust_lost::let_shards_look;

const EVERY: &str = "100ms";

fn house(watch: &str, change: impl FnOnce(&mut Stage)) -> House {
    House::open_staged(|stage| {
        stage.watch();
        stage
            .config
            .set_text("reload.watch", watch.trim_matches('"'));
        change(stage);
    })
}

fn refused_and_then_applied(house: &House, mend: impl FnOnce()) {
    wait_until("the refusal", || said(house, REFUSED) > 0);
    assert_eq!(said(house, APPLIED), 0, "{}", house.gateway.log());
    mend();
    wait_until("the reload, by itself", || said(house, APPLIED) > 0);
}

#[test]
fn file_that_was_missing_is_read_with_what_names_it_when_it_is_there() {
    let mut house = house(EVERY, |_| {});
    let trusted = house.stage.config.value("tls.client_ca");
    let trusted = PathBuf::from(trusted.trim_matches('"'));
    let missing = house.stage.scratch.path().join("moved.pem");
    rewrite(&mut house, |config| {
        config.set_text("tls.client_ca", missing.display());
    });
    refused_and_then_applied(&house, || {
        std::fs::copy(trusted, missing).expect("our own file");
    });
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

#[test]
fn file_that_was_open_to_others_is_read_when_it_is_closed() {
    let mut house = house(EVERY, |_| {});
    let file = secret(&house.stage, "tickets");
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("our own file");
    rewrite(&mut house, |config| {
        config.set_text("tls.tickets.secret_file", file.display());
    });
    refused_and_then_applied(&house, || {
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("our own file");
    });
}

fn list_of(stage: &Stage) -> (OpensslCa, PathBuf) {
    let ca = OpensslCa::new(stage.scratch.path(), "ca", "Partner CA of openssl");
    let list = ca.list("partner.crl", 86_400);
    (ca, list)
}

fn name(stage: &mut Stage, (ca, list): &(OpensslCa, PathBuf)) {
    let certificate = ca.certificate.display().to_string();
    let group =
        format!("name = \"listed\"\nclient_ca = {certificate:?}\nrevocation = \"hard-fail\"");
    stage.config.table("partner", &group);
    let list = list.display().to_string();
    stage.config.table("crl", &format!("file = {list:?}"));
    stage.config.set_text("revocation.policy", "off");
}

#[test]
fn list_that_was_missing_is_read_with_what_names_it_when_it_is_there() {
    let mut house = house(EVERY, |_| {});
    let listed = list_of(&house.stage);
    let away = listed.1.with_extension("away");
    std::fs::rename(&listed.1, &away).expect("our own file");
    name(&mut house.stage, &listed);
    rewrite(&mut house, |_| {});
    refused_and_then_applied(&house, || {
        std::fs::rename(&away, &listed.1).expect("our own file");
    });
}

/// What is at fault then is the delta, in a line of its own, and what has to come is the other.
#[test]
fn delta_is_read_when_the_complete_list_it_goes_with_is_there() {
    let mut house = house(EVERY, |_| {});
    let (ca, old) = list_of(&house.stage);
    let list = ca.list("list.crl", 86_400);
    let someone = ca.issue("someone", &San::Dns("scs.someone.example"));
    ca.change(&someone, "keyCompromise");
    let delta = ca.delta("delta.crl", ca.number());
    let newer = list.with_extension("newer");
    std::fs::rename(&list, &newer).expect("our own file");
    std::fs::rename(&old, &list).expect("our own file");
    name(&mut house.stage, &(ca, list.clone()));
    let delta = delta.display().to_string();
    rewrite(&mut house, |config| {
        config.table("crl", &format!("file = {delta:?}"));
    });
    refused_and_then_applied(&house, || {
        std::fs::rename(&newer, &list).expect("our own file");
    });
}

#[test]
fn folder_for_lists_is_used_with_what_names_it_when_it_is_there() {
    let mut house = house(EVERY, |_| {});
    let state = house.stage.scratch.path().join("state");
    rewrite(&mut house, |config| {
        config.set_text("revocation.state", state.display());
    });
    refused_and_then_applied(&house, || {
        std::fs::create_dir(&state).expect("our own folder");
    });
    // The gateway itself changes it, and that is no change of the configuration.
    std::fs::write(state.join("some.crl"), "a list").expect("our own file");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(said(&house, APPLIED), 1);
}

fn take_globex_out(house: &mut House) {
    rewrite(house, |config| {
        let acme = config.table_body("client", 0);
        config.without_tables("client").table("client", &acme);
    });
}

/// Each has somebody who looks after it, and who goes by what is known until it is back.
#[test]
fn client_is_taken_out_although_the_file_of_a_list_or_of_a_status_is_away() {
    let mut files = Vec::new();
    let mut house = house(ON_SIGNAL, |stage| {
        let listed = list_of(stage);
        name(stage, &listed);
        let served = stage.config.value("tls.certificate");
        let served = Path::new(served.trim_matches('"'));
        let status = stage.scratch.path().join("server.ocsp");
        let ca = &stage.operator_ca;
        let certificate = CertificateDer::from_pem_file(served).expect("our own file");
        let known = Database::new(stage.scratch.path(), "operator", ca, &[&certificate]);
        known.answer(served, &ca.certificate, "+0", &status);
        let issuer = ca.certificate.display().to_string();
        stage.config.set_text("tls.ocsp.file", status.display());
        stage.config.set_text("tls.ocsp.issuer", issuer);
        files.extend([listed.1, status]);
    });
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).expect("a handshake");
    for file in &files {
        std::fs::remove_file(file).expect("our own file");
    }
    take_globex_out(&mut house);
    reload(&house);
    assert!(globex.closed(), "kept");
    assert_eq!(said(&house, REFUSED), 0, "{}", house.gateway.log());
    // One that is empty is no other.
    for file in &files {
        std::fs::write(file, "").expect("our own file");
    }
    reload(&house);
    assert_eq!(said(&house, REFUSED), 0, "{}", house.gateway.log());
}

/// A house with its key in a file, and a token that it may come to use.
fn beside_a_token(watch: &str) -> (House, Token) {
    let mut token = None;
    let house = house(watch, |stage| {
        let made = Token::generate(stage.scratch.path(), Key::P256);
        let configuration = made.configuration.display().to_string();
        let softhsm = ("SOFTHSM2_CONF".to_owned(), configuration);
        stage.environment.push(softhsm);
        token = Some(made);
    });
    (house, token.expect("made above"))
}

fn name_key(config: &mut ConfigText, section: &str, token: &Token) {
    config.set_text(&format!("{section}.key.module"), token.module.display());
    config.set_text(&format!("{section}.key.uri"), &token.uri);
    config.set_text(&format!("{section}.key.pin_file"), token.pin_file.display());
}

/// There are no threads that wait for a token. What is said of the certificate for that key would
/// fit no other, and is no reason to keep whom the same change takes out.
#[test]
fn client_is_taken_out_although_the_first_key_in_a_token_takes_a_restart() {
    const OTHER: &str = "other.example";
    let (mut house, token) = beside_a_token(ON_SIGNAL);
    let next = token.certificate(&house.stage.operator_ca, &Leaf::server(OTHER));
    let status = house.stage.scratch.write("next.ocsp", "a status");
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).expect("a handshake");
    rewrite(&mut house, |config| {
        config.unset("tls.key.file");
        name_key(config, "tls", &token);
        config.set_text("tls.certificate", next.path.display());
        config.set_text("tls.ocsp.file", status.display());
        config.set("listen.server_names", &format!("[{OTHER:?}]"));
        config.set("tls.waive", "[\"crl_distribution_points\"]");
    });
    take_globex_out(&mut house);
    reload(&house);
    assert!(globex.closed(), "kept");
    house.gateway.await_log("the first key in a token");
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

/// Nobody needs what is no longer named: what is shown until the restart is as it was.
#[test]
fn client_is_taken_out_although_the_files_are_gone_of_a_key_that_serves_until_the_restart() {
    let (mut house, token) = beside_a_token(ON_SIGNAL);
    let old = ["tls.certificate", "tls.key.file"].map(|key| house.stage.config.value(key));
    let next = token.certificate(&house.stage.operator_ca, &Leaf::server(HOST));
    let dialer = house.stage.dialer(&house.stage.globex);
    let mut globex = dialer.connect(house.gateway.address).expect("a handshake");
    rewrite(&mut house, |config| {
        config.unset("tls.key.file");
        name_key(config, "tls", &token);
        config.set_text("tls.certificate", next.path.display());
    });
    reload(&house);
    for file in old {
        std::fs::remove_file(file.trim_matches('"')).expect("our own file");
    }
    take_globex_out(&mut house);
    reload(&house);
    assert!(globex.closed(), "kept");
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
}

/// Without them no token would be taken until the restart. Their files are looked at still.
#[test]
fn issuers_go_on_until_the_restart_that_the_key_takes_which_is_to_take_their_place() {
    let (mut house, token) = beside_a_token(EVERY);
    rewrite(&mut house, |config| {
        name_key(config, "oauth", &token);
        config.set_text("oauth.issuer", format!("https://{HOST}"));
        let registered = "tls_client_auth_san_dns = \"scs.acme.example\"\nscopes = [\"3gpp-nidd\"]";
        config.extend_table("client", 0, registered);
        config.without_tables("issuer");
    });
    wait_until("the reload", || said(&house, APPLIED) > 0);
    house.gateway.await_log("the first key in a token");
    let (mut client, token) = (house.client(), house.token());
    assert_eq!(client.get(PATH, &token).status, 200);
    let second = Mint::new(Algorithm::Es256, "second");
    mint::write_jwks(house.stage.scratch.path(), &[&second]);
    wait_until("the token to be refused", || {
        client.get(PATH, &token).status == 401
    });
    let token = second.good(&house.stage.claims());
    assert_eq!(client.get(PATH, &token).status, 200);
}

/// Whoever opened it would wait for who writes to it, and never read a configuration again.
#[test]
fn pipe_in_the_place_of_the_configuration_is_refused_and_a_file_in_its_place_is_read() {
    let mut house = house(EVERY, |_| {});
    let file = house.gateway.file.clone();
    for pipe in 1..=6 {
        std::fs::remove_file(&file).expect("our own file");
        run_well(command("mkfifo").arg(&file));
        wait_until("the refusal", || {
            said(&house, "is not a regular file") == pipe
        });
        std::fs::remove_file(&file).expect("our own file");
        rewrite(&mut house, |_| {});
        wait_until("the reload", || said(&house, APPLIED) == pipe);
    }
}

/// It has read its files before it listens.
#[test]
fn file_that_changes_while_the_gateway_starts_is_read_again_when_it_serves() {
    const CHANGE: &str = "for file; do :; done; calls=$file.calls; \
        (until grep -qF \"$file\" \"$calls\"; do sleep 0.05; done; \
        sleep 0.3; sed -i s/urn:scs:globex/urn:scs:gone/ \"$file\") 2>/dev/null & \
        exec strace -D -f -qq -o \"$calls\" -e trace=openat,bind \
        -e inject=bind:delay_enter=500000 \"$@\"";
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    stage.config.set_text("reload.watch", EVERY);
    let starter = ["sh", "-c", CHANGE, "start"];
    let folder = stage.scratch.path();
    let gateway = Gateway::start_by(&starter, &stage.config, folder, &[]);
    gateway.await_log(APPLIED);
    let_shards_look();
    let dialer = stage.dialer(&stage.globex);
    let refused = match dialer.connect(gateway.address) {
        Ok(mut client) => client.refusal(),
        Err(fault) => fault.to_string(),
    };
    assert!(refused.contains("AccessDenied"), "{refused}");
}
