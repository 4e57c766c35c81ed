//! What becomes of lists that are fetched when the configuration that names them changes while the
//! gateway serves.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::harness::pki::{Authority, Identity, Key, Leaf, San};
use crate::harness::stage::PATH;
use crate::harness::{free_address, wait_until};
use crate::reload::{APPLIED, REFUSED, reload_in_vain, rewrite, said};
use crate::reload_lists::{Listed, file, reload};
use crate::revocation::TAKEN;
use crate::trust_lost::let_shards_look;

const DAY_S: i64 = 86_400;

/// Serves a list to whoever asks, or hangs up where there is none.
pub struct Server {
    address: SocketAddr,
    list: Arc<Mutex<Vec<u8>>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(list: &Path) -> Self {
        Self::start_at(free_address(), list)
    }

    fn start_at(address: SocketAddr, list: &Path) -> Self {
        Self::start_by(address, list, None)
    }

    /// The same by https, with this certificate.
    fn start_in_tls(address: SocketAddr, list: &Path, identity: &Identity) -> Self {
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![identity.der.clone()], identity.private_key())
            .expect("a key that fits its certificate");
        Self::start_by(address, list, Some(Arc::new(config)))
    }

    fn start_by(address: SocketAddr, list: &Path, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let list = Arc::new(Mutex::new(std::fs::read(list).expect("our own file")));
        let asked = Arc::new(AtomicUsize::new(0));
        let (served, counted) = (Arc::clone(&list), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                match &tls {
                    None => answer(stream, &served, &counted),
                    Some(config) => {
                        let tls = ServerConnection::new(Arc::clone(config)).expect("a good one");
                        answer(StreamOwned::new(tls, stream), &served, &counted);
                    }
                }
            }
        });
        Self {
            address,
            list,
            asked,
        }
    }

    fn serve(&self, list: &Path) {
        *self.list.lock().expect("nobody panics with it") = std::fs::read(list).expect("ours");
    }

    fn serve_nothing(&self) {
        self.list.lock().expect("nobody panics with it").clear();
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Answers one question, whatever it is.
fn answer(mut stream: impl Read + Write, list: &Mutex<Vec<u8>>, asked: &AtomicUsize) {
    let mut head = BufReader::new(&mut stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if head.read_line(&mut line).is_err() || line.is_empty() {
            break;
        }
    }
    asked.fetch_add(1, Ordering::Relaxed);
    let list = list.lock().expect("nobody panics with it").clone();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        list.len()
    );
    if !list.is_empty() {
        // Who has gone has what it wants.
        let _ = stream.write_all(&[head.into_bytes(), list].concat());
    }
}

pub fn url(address: SocketAddr, more: &str) -> String {
    format!("url = \"http://{address}/partner.crl\"\n{more}")
}

/// Has the configuration name this list, and a folder for it.
fn name_only(listed: &mut Listed, list: &str) {
    let state = listed.house.stage.scratch.path().join("state");
    std::fs::create_dir_all(&state).expect("our own folder");
    rewrite(&mut listed.house, |config| {
        config.set_text("revocation.state", state.display());
        config.without_tables("crl").table("crl", list);
    });
}

#[test]
fn list_to_be_fetched_is_there_when_the_configuration_that_names_it_comes_into_force() {
    let mut listed = Listed::open(|_, _| {});
    let server = Server::start(&listed.list);
    let address = listed.house.gateway.address;
    let dial = |who| {
        listed
            .house
            .stage
            .dialer(who)
            .connect(address)
            .expect("not looked up")
    };
    let (mut good, mut revoked) = (dial(&listed.acme), dial(&listed.globex));
    name_only(&mut listed, &url(server.address, ""));
    reload(&listed.house);
    assert_eq!(listed.acme_comes(), Ok(200));
    let refused = listed.globex_comes().expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    assert!(revoked.closed(), "kept");
    let token = listed.token(&listed.acme, "acme-app");
    assert_eq!(good.get(PATH, &token).status, 200);
    let metrics = listed.house.gateway.admin().metrics();
    let refused = |reason| metrics.count("t8gate_connections_refused_total", &[("reason", reason)]);
    assert_eq!(refused("revocation_unknown"), 0);
}

/// As after a start with that configuration.
#[test]
fn list_that_cannot_be_fetched_yet_refuses_clients_until_it_is_there() {
    let mut listed = Listed::open(|_, _| {});
    let nobody = free_address();
    name_only(&mut listed, &url(nobody, "refresh = \"1s\""));
    reload(&listed.house);
    let log = listed.house.gateway.log();
    assert!(
        log.contains("the revocation list is not there yet"),
        "{log}"
    );
    let refused = listed.acme_comes().expect_err("unknown");
    assert!(refused.contains("UnknownCA"), "{refused}");
    let _server = Server::start_at(nobody, &listed.list);
    wait_until("the list", || listed.acme_comes() == Ok(200));
    let refused = listed.globex_comes().expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
}

#[test]
fn changed_refresh_takes_force_and_what_the_keeper_writes_reloads_nothing() {
    let mut listed = Listed::open(|stage, _| {
        stage.config.set_text("reload.watch", "100ms");
    });
    let server = Server::start(&listed.list);
    name_only(&mut listed, &url(server.address, "refresh = \"24h\""));
    wait_until("the reload", || said(&listed.house, APPLIED) == 1);
    let begun = server.asked();
    let_shards_look();
    assert!(server.asked() <= begun + 1, "every 24 h");
    name_only(&mut listed, &url(server.address, "refresh = \"1s\""));
    wait_until("the other reload", || said(&listed.house, APPLIED) == 2);
    listed.ca.revoke(&listed.acme, "superseded");
    let next = listed.ca.list("next.crl", DAY_S);
    server.serve(&next);
    wait_until("the next list", || listed.entries() == 2);
    let begun = server.asked();
    wait_until("more questions", || server.asked() > begun + 3);
    // Each answer was written into the folder, and each look has found it.
    assert_eq!(said(&listed.house, APPLIED), 2);
    assert_eq!(said(&listed.house, REFUSED), 0);
}

#[test]
fn fetched_list_stays_in_use_over_reloads_and_leaves_for_a_file_of_that_ca() {
    let mut listed = Listed::open(|_, _| {});
    let server = Server::start(&listed.list);
    name_only(&mut listed, &url(server.address, "refresh = \"24h\""));
    reload(&listed.house);
    assert!(listed.globex_comes().is_err());
    // Nothing is kept and the server serves nonsense: what is in use goes on.
    let state = listed.house.stage.scratch.path().join("state");
    wait_until("the list by its keeper", || said(&listed.house, TAKEN) == 1);
    wait_until("no file under way", || {
        let files = std::fs::read_dir(&state).expect("our own folder");
        files.count() == 1
    });
    for kept in std::fs::read_dir(&state).expect("our own folder").flatten() {
        std::fs::remove_file(kept.path()).expect("our own file");
    }
    server.serve(&listed.acme.certificate);
    name_only(&mut listed, &url(server.address, "refresh = \"23h\""));
    reload(&listed.house);
    assert!(listed.globex_comes().is_err());
    assert_eq!(listed.acme_comes(), Ok(200));
    let list = file(&listed.list);
    name_only(&mut listed, &list);
    reload(&listed.house);
    assert!(listed.globex_comes().is_err());
    assert_eq!(listed.acme_comes(), Ok(200));
    let asked = server.asked();
    let other = free_address();
    name_only(&mut listed, &url(other, "ca = \"none.pem\""));
    reload_in_vain(&listed.house);
    assert_eq!(listed.acme_comes(), Ok(200));
    assert_eq!(server.asked(), asked, "asked for what nobody names");
}

/// The list that is kept, once it is the only file there.
fn kept(listed: &Listed) -> Vec<u8> {
    std::fs::read(kept_file(listed)).expect("the gateway's file")
}

fn kept_file(listed: &Listed) -> PathBuf {
    let state = listed.house.stage.scratch.path().join("state");
    let mut only = None;
    wait_until("no file under way", || {
        let files = std::fs::read_dir(&state).expect("our own folder");
        let files: Vec<_> = files.flatten().collect();
        only = files.first().map(|file| file.path());
        files.len() == 1
    });
    only.expect("one is there")
}

/// A house that had a list from a server by which `acme` is revoked as well as `globex`, that list,
/// and the one before it, by which `acme` is not.
fn with_two_lists() -> (Listed, Server, [Vec<u8>; 2]) {
    let mut listed = Listed::open(|_, _| {});
    listed.ca.revoke(&listed.acme, "superseded");
    let newer = listed.ca.list("newer.crl", DAY_S);
    let server = Server::start(&newer);
    name_only(&mut listed, &url(server.address, "refresh = \"24h\""));
    reload(&listed.house);
    wait_until("the list by its keeper", || said(&listed.house, TAKEN) == 1);
    let [newer, older] = [&newer, &listed.list].map(|list| std::fs::read(list).expect("ours"));
    assert!(kept(&listed) == newer);
    (listed, server, [newer, older])
}

#[test]
fn older_list_is_neither_used_nor_kept_when_its_url_is_named_again() {
    let (mut listed, server, [newer, _]) = with_two_lists();
    rewrite(&mut listed.house, |config| {
        config.without_tables("crl");
    });
    reload(&listed.house);
    wait_until("the list to be gone", || listed.entries() == 0);
    assert_eq!(listed.acme_comes(), Ok(200), "looked up");
    let older = listed.list.clone();
    server.serve(&older);
    name_only(&mut listed, &url(server.address, "refresh = \"24h\""));
    reload(&listed.house);
    let refused = listed.acme_comes().expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    let log = listed.house.gateway.log();
    let why = "its CRL number is lower than that of the one in use; what is known stays";
    assert!(log.contains(why), "{log}");
    assert!(kept(&listed) == newer, "another one is kept");
}

/// Nothing is kept of a file, and what is in use is newer all the same.
#[test]
fn older_list_of_a_url_that_is_named_in_place_of_a_newer_ones_file_is_not_kept() {
    let mut listed = Listed::open(|_, _| {});
    listed.ca.revoke(&listed.acme, "superseded");
    let newer = file(&listed.ca.list("newer.crl", DAY_S));
    name_only(&mut listed, &newer);
    reload(&listed.house);
    let server = Server::start(&listed.list);
    name_only(&mut listed, &url(server.address, "refresh = \"24h\""));
    reload(&listed.house);
    let refused = listed.acme_comes().expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    wait_until("the keeper's word of it too", || {
        // It comes back to what it had in vain.
        said(&listed.house, "a revocation list is not used") >= 2
    });
    let state = listed.house.stage.scratch.path().join("state");
    let files = std::fs::read_dir(&state).expect("our own folder").flatten();
    let kept = { files }.filter(|file| file.path().extension().is_some_and(|end| end == "crl"));
    assert_eq!(kept.count(), 0);
    assert!(listed.acme_comes().is_err());
}

#[test]
fn older_list_takes_no_kept_ones_place_where_the_server_was_down_at_the_start() {
    let (mut listed, server, [newer, older]) = with_two_lists();
    server.serve_nothing();
    restart(&mut listed);
    let refused = listed.acme_comes().expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    name_only(&mut listed, &url(server.address, "refresh = \"23h\""));
    reload(&listed.house);
    let log = listed.house.gateway.log();
    assert!(!log.contains("is not there yet"), "waited for it: {log}");
    *server.list.lock().expect("nobody panics with it") = older;
    name_only(&mut listed, &url(server.address, "refresh = \"22h\""));
    reload(&listed.house);
    listed
        .house
        .gateway
        .await_log("a revocation list is not used");
    assert!(kept(&listed) == newer, "another one is kept");
    assert!(listed.acme_comes().is_err());
}

/// Whoever looks for why its clients are refused finds it.
#[test]
fn kept_list_that_is_damaged_is_said_to_be_at_the_start() {
    let (mut listed, server, _) = with_two_lists();
    server.serve_nothing();
    let file = kept_file(&listed);
    let half = File::options().write(true).open(file).expect("our own");
    half.set_len(100).expect("our own file");
    restart(&mut listed);
    let log = listed.house.gateway.log();
    assert!(
        log.contains("what was kept of a revocation list is not used"),
        "{log}"
    );
    let refused = listed.acme_comes().expect_err("unknown");
    assert!(refused.contains("UnknownCA"), "{refused}");
}

/// Under soft-fail everybody is let in of whom nothing is known.
#[test]
fn list_is_gone_by_until_the_place_that_is_named_instead_has_brought_one() {
    let (mut listed, server, _) = with_two_lists();
    let refused = listed.acme_comes().expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    let nobody = url(free_address(), "refresh = \"24h\"");
    rewrite(&mut listed.house, |config| {
        config.without_tables("crl");
        config.table("crl", &nobody);
        config.set_text("revocation.policy", "soft-fail");
    });
    reload(&listed.house);
    let refused = listed.acme_comes().expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    // Where it has brought none before, the next reload does not wait for it again.
    let waited = "the revocation list is not there yet";
    let waits = |log: &str| log.matches(waited).count();
    assert_eq!(waits(&listed.house.gateway.log()), 1);
    rewrite(&mut listed.house, |config| {
        config.set_text("revocation.grace", "5s");
    });
    reload(&listed.house);
    assert_eq!(waits(&listed.house.gateway.log()), 1);
    assert!(listed.acme_comes().is_err());
    drop(server);
}

/// Nothing else changes with it by which a reload could tell.
#[test]
fn changed_ca_of_a_lists_server_is_gone_by_after_a_reload() {
    let mut made = None;
    let listed = Listed::open(|stage, list| {
        let state = stage.scratch.path().join("state");
        let [of_server, other] = ["of-server", "other"].map(|name| {
            let folder = stage.scratch.path().join(name);
            std::fs::create_dir(&folder).expect("our own folder");
            Authority::new(&folder, "CA of servers", Key::P256)
        });
        std::fs::create_dir(&state).expect("our own folder");
        let file = state.with_file_name("servers.pem");
        std::fs::copy(&other.certificate, &file).expect("our own file");
        let server = of_server.issue("lists", &Leaf::server("localhost"));
        let server = Server::start_in_tls(free_address(), list, &server);
        let port = server.address.port();
        let url = format!("url = \"https://localhost:{port}/partner.crl\"\nca = {file:?}");
        stage.config.set_text("revocation.state", state.display());
        stage.config.table("crl", &url);
        made = Some((file, of_server.certificate));
    });
    let (ca, right) = made.expect("made above");
    listed
        .house
        .gateway
        .await_log("the revocation list cannot be fetched");
    let refused = listed.acme_comes().expect_err("unknown");
    assert!(refused.contains("UnknownCA"), "{refused}");
    std::fs::copy(&right, &ca).expect("our own file");
    reload(&listed.house);
    wait_until("the list", || listed.acme_comes() == Ok(200));
    let refused = listed.globex_comes().expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
}

fn both_are_revoked(listed: &Listed) {
    for told in [listed.acme_comes(), listed.globex_comes()] {
        let told = told.expect_err("revoked");
        assert!(told.contains("CertificateRevoked"), "{told}");
    }
}

fn restart(listed: &mut Listed) {
    let started = listed.house.stage.start();
    std::mem::replace(&mut listed.house.gateway, started).stop();
}

/// It is nothing without the complete list, and that is named behind it.
#[test]
fn delta_that_is_named_before_its_complete_list_is_used_and_stays_in_use_over_a_reload() {
    let mut listed = Listed::open(|_, _| {});
    listed.ca.change(&listed.acme, "keyCompromise");
    let delta = listed.ca.delta("delta.crl", listed.ca.number());
    let servers = [Server::start(&delta), Server::start(&listed.list)];
    let state = listed.house.stage.scratch.path().join("state");
    std::fs::create_dir_all(&state).expect("our own folder");
    let name_both = |listed: &mut Listed, refresh: &str| {
        rewrite(&mut listed.house, |config| {
            config.set_text("revocation.state", state.display());
            config.without_tables("crl");
            for server in &servers {
                config.table("crl", &url(server.address, refresh));
            }
        });
        reload(&listed.house);
    };
    name_both(&mut listed, "refresh = \"24h\"");
    let is_revoked = || {
        let told = listed.acme_comes();
        told.is_err_and(|told| told.contains("CertificateRevoked"))
    };
    assert!(is_revoked(), "{}", listed.house.gateway.log());
    assert_eq!(said(&listed.house, "a revocation list is not used"), 0);
    wait_until("both by their keeper", || said(&listed.house, TAKEN) >= 2);
    servers.iter().for_each(Server::serve_nothing);
    name_both(&mut listed, "refresh = \"23h\"");
    both_are_revoked(&listed);
    // And over a restart, of what is kept.
    restart(&mut listed);
    both_are_revoked(&listed);
}

#[test]
fn delta_of_a_file_that_is_named_before_its_complete_list_is_used_from_the_start_and_a_reload_on() {
    let mut listed = Listed::open(|_, _| {});
    listed.ca.change(&listed.acme, "keyCompromise");
    let delta = listed.ca.delta("delta.crl", listed.ca.number());
    let [delta, list] = [&delta, &listed.list].map(|list| file(list));
    rewrite(&mut listed.house, |config| {
        config.table("crl", &delta).table("crl", &list);
    });
    reload(&listed.house);
    both_are_revoked(&listed);
    restart(&mut listed);
    both_are_revoked(&listed);
    // Without that list it is a fault, as it was.
    rewrite(&mut listed.house, |config| {
        config.without_tables("crl").table("crl", &delta);
    });
    reload_in_vain(&listed.house);
    let log = listed.house.gateway.log();
    assert!(
        log.contains("it is a delta to a complete CRL that is not in use"),
        "{log}"
    );
    both_are_revoked(&listed);
}

/// A list that is fetched is no fault where its server is down, nor is what goes with it.
#[test]
fn delta_of_a_file_waits_from_the_start_on_for_its_complete_list_that_is_fetched() {
    let mut listed = Listed::open(|_, _| {});
    listed.ca.change(&listed.acme, "keyCompromise");
    let delta = listed.ca.delta("delta.crl", listed.ca.number());
    let server = Server::start(&listed.list);
    server.serve_nothing();
    name_only(&mut listed, &file(&delta));
    let fetched = url(server.address, "refresh = \"1s\"");
    rewrite(&mut listed.house, |config| {
        config.table("crl", &fetched);
    });
    let is_revoked = |listed: &Listed| {
        let told = listed.acme_comes();
        told.is_err_and(|told| told.contains("CertificateRevoked"))
    };
    // At a reload as at a start.
    reload(&listed.house);
    restart(&mut listed);
    let refused = listed.acme_comes().expect_err("no list");
    assert!(refused.contains("UnknownCA"), "{refused}");
    server.serve(&listed.list);
    wait_until("both lists", || is_revoked(&listed));
    both_are_revoked(&listed);
}

/// As long as a reload waits for a list that is new.
const FETCH_WAIT: Duration = Duration::from_secs(5);

#[test]
fn reload_that_waits_for_a_list_does_not_hold_up_the_next_one() {
    let mut listed = Listed::open(|_, _| {});
    let address = listed.house.gateway.address;
    let dialer = listed.house.stage.dialer(&listed.globex);
    let mut revoked = dialer.connect(address).expect("not looked up");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let asked = silent.local_addr().expect("it is bound");
    name_only(&mut listed, &url(asked, ""));
    listed.house.gateway.hang_up();
    let (_unanswered, _) = silent.accept().expect("whoever fetches the list");
    let list = file(&listed.list);
    name_only(&mut listed, &list);
    let begun = Instant::now();
    listed.house.gateway.hang_up();
    assert!(revoked.closed());
    let took = begun.elapsed();
    assert!(took < FETCH_WAIT / 2, "{took:?}");
    wait_until("the second", || said(&listed.house, APPLIED) == 1);
    assert_eq!(said(&listed.house, "is given up for a newer one"), 1);
}

/// What each waits for may never come, and each has threads.
#[test]
fn reload_that_is_one_too_many_to_wait_is_said_to_and_comes_when_there_is_room() {
    let mut listed = Listed::open(|_, _| {});
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let asked = silent.local_addr().expect("it is bound");
    name_only(&mut listed, &url(asked, ""));
    for _ in 0..8 {
        listed.house.gateway.hang_up();
        thread::sleep(Duration::from_millis(100));
    }
    let gateway = &listed.house.gateway;
    gateway.await_log("all reloads so far wait for tokens or servers");
    assert_eq!(said(&listed.house, "is given up for a newer one"), 4);
    let list = file(&listed.list);
    name_only(&mut listed, &list);
    listed.house.gateway.hang_up();
    wait_until("the list", || {
        let refused = listed.globex_comes().err();
        refused.is_some_and(|why| why.contains("CertificateRevoked"))
    });
    assert_eq!(listed.acme_comes(), Ok(200));
}

#[test]
fn changed_file_that_has_to_wait_is_said_to_without_a_signal() {
    let mut listed = Listed::open(|stage, _| {
        stage.config.set_text("reload.watch", "100ms");
    });
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let asked = silent.local_addr().expect("it is bound");
    let mut unanswered = Vec::new();
    for before in 0..5 {
        name_only(&mut listed, &url(asked, &format!("# {before}")));
        unanswered.push(silent.accept().expect("whoever fetches the list"));
        assert_eq!(said(&listed.house, "is given up for a newer one"), before);
    }
    let file = file(&listed.list);
    name_only(&mut listed, &file);
    let gateway = &listed.house.gateway;
    gateway.await_log("all reloads so far wait for tokens or servers");
    wait_until("the list", || {
        let refused = listed.globex_comes().err();
        refused.is_some_and(|why| why.contains("CertificateRevoked"))
    });
}

/// What is in force names lists whose files change while a reload waits. They are looked at every
/// second as well.
#[test]
fn changed_list_is_in_use_before_a_reload_that_waits_is_at_its_end() {
    let mut listed = Listed::open(|_, _| {});
    let list = file(&listed.list);
    name_only(&mut listed, &list);
    reload(&listed.house);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let asked = silent.local_addr().expect("it is bound");
    let both = format!("{list}\n[[crl]]\n{}", url(asked, ""));
    name_only(&mut listed, &both);
    let address = listed.house.gateway.address;
    let mut took = [0; 5].map(|_| Duration::ZERO);
    for (trial, took) in took.iter_mut().enumerate() {
        let san = San::Dns("scs.acme.example");
        let who = listed.ca.issue(&format!("acme-{trial}"), &san);
        let dialer = listed.house.stage.dialer(&who);
        let mut client = dialer.connect(address).expect("not revoked");
        listed.ca.revoke(&who, "keyCompromise");
        let list = listed.ca.list("next.crl", DAY_S);
        std::fs::rename(list, &listed.list).expect("one folder");
        let begun = Instant::now();
        listed.house.gateway.hang_up();
        assert!(client.closed());
        *took = begun.elapsed();
    }
    took.sort();
    assert!(took[2] < Duration::from_millis(300), "{took:?}");
    assert_eq!(said(&listed.house, APPLIED), 1, "the first alone");
}
