//! What becomes of revocation lists when the configuration that names them changes while the
//! gateway serves.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};

use crate::harness::client::{Dialer, HOST, get};
use crate::harness::gateway::ConfigText;
use crate::harness::openssl_ca::OpensslCa;
use crate::harness::origin::Origin;
use crate::harness::pki::{Identity, San};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{command, mint, run_well, wait_until};
use crate::reload::{APPLIED, ON_SIGNAL, REFUSED, reload_in_vain, rewrite, said};
use crate::revocation::{TAKEN, replace};
use crate::trust_lost::let_shards_look;

pub const DAY_S: i64 = 86_400;

/// A house whose clients come from a CA of openssl's that has revoked `globex`.
pub struct Listed {
    pub house: House,
    pub ca: OpensslCa,
    pub list: PathBuf,
    pub acme: Identity,
    pub globex: Identity,
}

impl Listed {
    pub fn open(change: impl FnOnce(&mut Stage, &Path)) -> Self {
        let origin = Origin::start();
        let mut stage = Stage::new(origin.address);
        let ca = OpensslCa::new(stage.scratch.path(), "ca", "Partner CA of openssl");
        let acme = ca.issue("acme", &San::Dns("scs.acme.example"));
        let globex = ca.issue("globex", &San::Uri("urn:scs:globex"));
        ca.revoke(&globex, "keyCompromise");
        let list = ca.list("partner.crl", DAY_S);
        let certificate = ca.certificate.display();
        stage.config.set_text("tls.client_ca", certificate);
        stage.config.set("reload.watch", ON_SIGNAL);
        stage.watch();
        change(&mut stage, &list);
        let gateway = stage.start();
        let house = House {
            gateway,
            origin,
            stage,
        };
        Self {
            house,
            ca,
            list,
            acme,
            globex,
        }
    }

    pub fn entries(&self) -> usize {
        let metrics = self.house.gateway.admin().metrics();
        metrics.count("t8gate_crl_entries", &[])
    }

    pub fn token(&self, who: &Identity, id: &str) -> String {
        let claims = mint::claims(id, API, &who.thumbprint());
        self.house.stage.mint.good(&claims)
    }

    /// The answer to a request of who comes now, or the alert.
    pub fn comes(&self, who: &Identity, id: &str) -> Result<u16, String> {
        let dialer = self.house.stage.dialer(who);
        let request = request(id, &self.token(who, id));
        visit(&dialer, self.house.gateway.address, &request)
    }

    pub fn acme_comes(&self) -> Result<u16, String> {
        self.comes(&self.acme, "acme-app")
    }

    pub fn globex_comes(&self) -> Result<u16, String> {
        self.comes(&self.globex, "globex-app")
    }
}

fn request(id: &str, token: &str) -> String {
    let name = id.trim_end_matches("-app");
    get(&PATH.replace("/acme/", &format!("/{name}/")), token)
}

/// The answer to a request over a new connection, or the alert.
fn visit(dialer: &Dialer, address: SocketAddr, request: &str) -> Result<u16, String> {
    let connected = dialer.connect(address);
    let mut client = connected.map_err(|fault| fault.to_string())?;
    // What is refused behind the handshake is told by an alert, which is read all the same.
    let _ = client.send(request);
    let answer = client.read_answer(false);
    answer
        .map(|answer| answer.status)
        .map_err(|fault| format!("{fault:?}"))
}

/// Has the configuration read again, and waits until every shard goes by it.
pub fn reload(house: &House) {
    crate::reload::reload(house);
    let_shards_look();
}

pub fn file(list: &Path) -> String {
    format!("file = {:?}", list.display().to_string())
}

#[test]
fn wrong_file_of_a_lists_issuer_is_a_fault_and_no_list_is_dropped_for_it() {
    let mut other = None;
    let listed = Listed::open(|stage, list| {
        let issuing = OpensslCa::new(stage.scratch.path(), "issuing", "Issuing CA of openssl");
        let someone = issuing.issue("someone", &San::Dns("someone.example"));
        issuing.revoke(&someone, "keyCompromise");
        let its = issuing.list("issuing.crl", DAY_S);
        let certificate = issuing.certificate.display().to_string();
        stage.config.table("crl", &file(list));
        let both = format!("{}\nissuer = {certificate:?}", file(&its));
        stage.config.table("crl", &both);
        other = Some(issuing.certificate);
    });
    assert_eq!(listed.entries(), 2);
    let certificate = other.expect("made above");
    let whole = std::fs::read(&certificate).expect("our own file");
    let torn = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    std::fs::write(&certificate, torn).expect("our own file");
    reload_in_vain(&listed.house);
    let log = listed.house.gateway.log();
    assert!(log.contains("crl.issuer"), "{log}");
    assert_eq!(listed.entries(), 2);
    std::fs::write(&certificate, whole).expect("our own file");
    reload(&listed.house);
    assert_eq!(listed.entries(), 2);
}

#[test]
fn first_list_comes_into_force_at_a_reload_and_the_last_one_leaves_at_one() {
    let mut listed = Listed::open(|_, _| {});
    assert_eq!(listed.acme_comes(), Ok(200));
    assert_eq!(listed.globex_comes(), Ok(200));
    let dialer = listed.house.stage.dialer(&listed.globex);
    let mut revoked = dialer
        .connect(listed.house.gateway.address)
        .expect("not looked up");
    let dialer = listed.house.stage.dialer(&listed.acme);
    let mut good = dialer
        .connect(listed.house.gateway.address)
        .expect("not looked up");
    let list = file(&listed.list);
    rewrite(&mut listed.house, |config| {
        config.table("crl", &list);
    });
    reload(&listed.house);
    assert!(revoked.closed(), "kept");
    let refused = listed.globex_comes().expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    assert_eq!(listed.acme_comes(), Ok(200));
    let token = listed.token(&listed.acme, "acme-app");
    assert_eq!(good.get(PATH, &token).status, 200);
    // It is kept from now on.
    let next = listed.ca.list("next.crl", DAY_S);
    replace(&listed.list, &next, &[&listed.house.gateway]);
    // The last one: nothing is looked up any more, and nobody is cut off for that.
    rewrite(&mut listed.house, |config| {
        config.without_tables("crl");
    });
    reload(&listed.house);
    let_shards_look();
    assert_eq!(good.get(PATH, &token).status, 200);
    wait_until("the list to be gone", || listed.entries() == 0);
    assert_eq!(listed.globex_comes(), Ok(200));
}

#[test]
fn second_ca_comes_with_its_list_at_a_reload_and_a_wrong_list_changes_nothing() {
    let mut listed = Listed::open(|stage, list| {
        stage.config.table("crl", &file(list));
    });
    let scratch = listed.house.stage.scratch.path().to_owned();
    let other = OpensslCa::new(&scratch, "other", "Another CA of openssl");
    let initech = other.issue("initech", &San::Dns("scs.acme.example"));
    let someone = other.issue("someone", &San::Dns("scs.acme.example"));
    other.revoke(&someone, "keyCompromise");
    let its = other.list("other.crl", DAY_S);
    let whole = std::fs::read(&its).expect("our own file");
    std::fs::write(&its, "no list").expect("our own file");
    let both = scratch.join("both.pem");
    let pem =
        [&listed.ca.certificate, &other.certificate].map(|file| std::fs::read(file).expect("ours"));
    std::fs::write(&both, pem.concat()).expect("our own file");
    rewrite(&mut listed.house, |config| {
        config.set_text("tls.client_ca", both.display());
        config.table("crl", &file(&its));
    });
    reload_in_vain(&listed.house);
    let log = listed.house.gateway.log();
    assert!(log.contains("crl.file"), "{log}");
    assert_eq!(listed.acme_comes(), Ok(200));
    assert!(listed.globex_comes().is_err());
    assert!(listed.comes(&initech, "acme-app").is_err());
    std::fs::write(&its, whole).expect("our own file");
    reload(&listed.house);
    assert_eq!(listed.comes(&initech, "acme-app"), Ok(200));
    let refused = listed.comes(&someone, "acme-app").expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    assert_eq!(listed.acme_comes(), Ok(200));
    assert_eq!(listed.entries(), 2);
    // Without its list its clients are refused, as after a start, and the others are not.
    let first = file(&listed.list);
    rewrite(&mut listed.house, |config| {
        config.without_tables("crl").table("crl", &first);
    });
    reload(&listed.house);
    wait_until("the list to be gone", || listed.entries() == 1);
    assert!(listed.comes(&initech, "acme-app").is_err());
    assert_eq!(listed.acme_comes(), Ok(200));
}

/// A client of another CA than the one that the list is of, and that CA.
pub fn with_another_ca(change: impl FnOnce(&mut Stage, &OpensslCa)) -> (Listed, Identity) {
    let mut made = None;
    let listed = Listed::open(|stage, list| {
        let scratch = stage.scratch.path().to_owned();
        let other = OpensslCa::new(&scratch, "other", "Another CA of openssl");
        let trusted = stage.config.value("tls.client_ca");
        let trusted = [Path::new(trusted.trim_matches('"')), &other.certificate];
        let pem = trusted.map(|file| std::fs::read(file).expect("ours"));
        let both = stage.scratch.write("both.pem", pem.concat());
        stage.config.set_text("tls.client_ca", both.display());
        stage.config.table("crl", &file(list));
        change(stage, &other);
        made = Some(other.issue("initech", &San::Dns("scs.acme.example")));
    });
    (listed, made.expect("made above"))
}

/// Leaves the first CA trusted alone, and says how the other's client fares that is connected.
fn distrust_the_other(listed: &mut Listed, who: &Identity, change: impl FnOnce(&mut ConfigText)) {
    let dialer = listed.house.stage.dialer(who);
    let mut open = dialer.connect(listed.house.gateway.address).expect("trust");
    let certificate = listed.ca.certificate.display().to_string();
    rewrite(&mut listed.house, |config| {
        config.set_text("tls.client_ca", certificate);
        change(config);
    });
    reload(&listed.house);
    assert!(open.closed(), "kept");
    assert!(listed.comes(who, "acme-app").is_err());
    // By the list that is in use still.
    let refused = listed.globex_comes().expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    assert_eq!(listed.acme_comes(), Ok(200));
    assert_eq!(said(&listed.house, REFUSED), 0);
}

/// What is wrong with a file that was named before, and holds a list of somebody else, is no reason
/// to trust anybody any longer.
#[test]
fn ca_is_distrusted_although_the_file_of_another_cas_list_is_away() {
    let (mut listed, initech) = with_another_ca(|stage, other| {
        stage.config.set_text("revocation.policy", "soft-fail");
        let list = other.list("other.crl", DAY_S);
        stage.config.table("crl", &file(&list));
    });
    std::fs::remove_file(&listed.list).expect("our own file");
    distrust_the_other(&mut listed, &initech, |_| {});
    assert_eq!(listed.entries(), 1);
    let nobodys = "no configured CA has the name of a revocation list's issuer any more";
    wait_until("what is said of its list", || {
        said(&listed.house, nobodys) == 1
    });
}

#[test]
fn ca_is_distrusted_with_its_list_although_that_of_another_ca_is_away_older_or_wrong() {
    let (mut listed, initech) = with_another_ca(|stage, other| {
        let someone = other.issue("someone", &San::Dns("scs.acme.example"));
        other.revoke(&someone, "keyCompromise");
        let list = other.list("other.crl", DAY_S);
        stage.config.table("crl", &file(&list));
    });
    let scratch = listed.house.stage.scratch.path().to_owned();
    let trusted = scratch.join("both.pem");
    let with_both = |listed: &mut Listed| {
        let lists = [&listed.list, &scratch.join("other/other.crl")].map(|list| file(list));
        rewrite(&mut listed.house, |config| {
            config.set_text("tls.client_ca", trusted.display());
            config.without_tables("crl");
            config.table("crl", &lists[0]).table("crl", &lists[1]);
        });
        reload(&listed.house);
        assert_eq!(listed.entries(), 2);
    };
    let old = scratch.join("old.crl");
    std::fs::copy(&listed.list, &old).expect("our own file");
    let newer = listed.ca.list("newer.crl", DAY_S);
    replace(&listed.list, &newer, &[&listed.house.gateway]);
    let right = std::fs::read(&listed.list).expect("our own file");
    let own = file(&listed.list);
    for wrong in [
        None,
        Some(std::fs::read(old).expect("ours")),
        Some(b"no list".to_vec()),
    ] {
        let stays = "a revocation list is not read again";
        match wrong {
            None => std::fs::remove_file(&listed.list).expect("our own file"),
            Some(wrong) => std::fs::write(&listed.list, wrong).expect("our own file"),
        }
        distrust_the_other(&mut listed, &initech, |config| {
            config.without_tables("crl").table("crl", &own);
        });
        assert_eq!(said(&listed.house, stays), 0, "it was tried");
        assert_eq!(listed.entries(), 1, "its list is nobody's");
        std::fs::write(&listed.list, &right).expect("our own file");
        with_both(&mut listed);
    }
}

/// Its time may come later, which whoever keeps it has to know.
#[test]
fn list_that_is_not_read_by_a_reload_is_read_again_by_its_keeper() {
    let (mut listed, _initech) = with_another_ca(|_, _| {});
    let certificate = listed.ca.certificate.clone();
    rewrite(&mut listed.house, |config| {
        config.set_text("tls.client_ca", certificate.display());
    });
    reload(&listed.house);
    let scratch = listed.house.stage.scratch.path().to_owned();
    let wrong = scratch.join("wrong.crl");
    std::fs::write(&wrong, b"no list").expect("our own file");
    std::fs::rename(wrong, &listed.list).expect("one folder");
    let not_used = "a revocation list is not used";
    wait_until("its keeper", || said(&listed.house, not_used) == 1);
    rewrite(&mut listed.house, |config| {
        config.set_text("tls.client_ca", scratch.join("both.pem").display());
    });
    reload(&listed.house);
    assert_eq!(
        said(&listed.house, "a revocation list is not read again"),
        1
    );
    wait_until("its keeper", || said(&listed.house, not_used) == 2);
    assert!(listed.globex_comes().is_err(), "by what is in use still");
}

/// With the look of every second alone two looks have to find the same.
#[test]
fn sighup_has_a_changed_list_in_use_before_anything_is_said_to_be_in_force() {
    let listed = Listed::open(|stage, list| {
        stage.config.table("crl", &file(list));
    });
    let dialer = listed.house.stage.dialer(&listed.acme);
    let address = listed.house.gateway.address;
    let mut client = dialer.connect(address).expect("good");
    listed.ca.revoke(&listed.acme, "keyCompromise");
    let next = listed.ca.list("next.crl", DAY_S);
    std::fs::rename(&next, &listed.list).expect("one folder");
    crate::reload::reload(&listed.house);
    let refused = listed.acme_comes().expect_err("revoked");
    assert!(refused.contains("CertificateRevoked"), "{refused}");
    let log = listed.house.gateway.log();
    assert!(log.find(TAKEN).expect("taken") < log.find(APPLIED).expect("applied"));
    assert!(client.closed(), "kept");
    std::fs::write(&listed.list, "no list").expect("our own file");
    reload(&listed.house);
    let log = listed.house.gateway.log();
    let refused = log.find("a revocation list is not used").expect("refused");
    assert!(refused < log.rfind(APPLIED).expect("applied"), "{log}");
    assert_eq!(listed.entries(), 2);
}

#[test]
fn list_of_another_file_takes_over_and_an_older_one_or_an_unknown_cas_does_not() {
    let mut listed = Listed::open(|stage, list| {
        stage.config.table("crl", &file(list));
    });
    let old = listed.list.with_file_name("old.crl");
    std::fs::copy(&listed.list, &old).expect("our own file");
    listed.ca.revoke(&listed.acme, "superseded");
    let other = listed.ca.list("other.crl", DAY_S);
    let named = |listed: &mut Listed, body: &str| {
        rewrite(&mut listed.house, |config| {
            config.without_tables("crl").table("crl", body);
        });
    };
    named(&mut listed, &file(&other));
    reload(&listed.house);
    assert!(listed.acme_comes().is_err());
    // The file of before is nobody's any more.
    std::fs::write(&listed.list, "no list").expect("our own file");
    reload(&listed.house);
    assert!(!listed.house.gateway.log().contains("is not used"));
    let namesake = OpensslCa::new(
        listed.house.stage.scratch.path(),
        "namesake",
        "Partner CA of openssl",
    );
    let its = namesake.list("its.crl", DAY_S);
    let ended = listed.ca.list("ended.crl", -DAY_S);
    for (wrong, why) in [
        (&old, "its CRL number is lower than that of the one in use"),
        (&its, "the configured CA of that name has not signed it"),
        (
            &ended,
            "it has ended (nextUpdate), and the one in use has not",
        ),
    ] {
        named(&mut listed, &file(wrong));
        reload_in_vain(&listed.house);
        let log = listed.house.gateway.log();
        let line = log.lines().rfind(|line| line.contains(why));
        let line = line.unwrap_or_else(|| panic!("{why} is not in\n{log}"));
        for part in ["file=", "line=", "key=\"crl.file\"", "hint="] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(listed.acme_comes().is_err());
        assert_eq!(listed.entries(), 2);
    }
    // With the CA's certificate beside it, that list is one more.
    let issuer = format!("issuer = {:?}", namesake.certificate.display().to_string());
    named(&mut listed, &file(&other));
    rewrite(&mut listed.house, |config| {
        config.table("crl", &format!("{}\n{issuer}", file(&its)));
    });
    reload(&listed.house);
    assert!(listed.acme_comes().is_err());
    let metrics = listed.house.gateway.admin().metrics();
    assert_eq!(metrics.count("t8gate_reload_last_applied", &[]), 1);
}

#[test]
fn wrong_value_wrong_list_and_wrong_certificate_are_said_in_one_go() {
    let mut listed = Listed::open(|_, _| {});
    let bad = listed.list.with_file_name("bad.crl");
    std::fs::write(&bad, "no list").expect("our own file");
    let unsigned = listed.house.stage.scratch.path().join("unsigned.pem");
    let server = listed.house.stage.config.value("tls.certificate");
    std::fs::copy(&listed.acme.certificate, &unsigned).expect("our own file");
    rewrite(&mut listed.house, |config| {
        config.table("crl", &file(&bad));
        config.table("crl", "file = 7");
        config.set_text("tls.certificate", unsigned.display());
        config.set("limits.no_such_key", "1");
        config.set_text("deadlines.drain", "soon");
    });
    reload_in_vain(&listed.house);
    let log = listed.house.gateway.log();
    for key in [
        "\"crl.file\"",
        "\"crl[2].file\"",
        "\"tls.",
        "\"limits.no_such_key\"",
        "\"deadlines.drain\"",
    ] {
        let said = format!("key={key}");
        assert!(log.contains(&said), "{said} is not in\n{log}");
    }
    assert_eq!(listed.globex_comes(), Ok(200));
    rewrite(&mut listed.house, |config| {
        config.without_tables("crl");
        config.unset("limits.no_such_key").unset("deadlines.drain");
        config.set("tls.certificate", &server);
    });
    reload(&listed.house);
}

/// How far behind others a thread of this name is, where there is one.
fn nice_of(house: &House, name: &str) -> Option<i32> {
    let tasks = std::fs::read_dir(house.gateway.proc("task")).expect("our own child");
    let stat = tasks.flatten().find_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        stat.contains(&format!("({name})")).then_some(stat)
    });
    // Its name may hold anything; what is behind it is numbers.
    let (_, numbers) = stat.as_ref()?.rsplit_once(')')?;
    numbers.split_whitespace().nth(16)?.parse().ok()
}

/// A list whose reading takes long, as that does which a server is asked for that says nothing.
#[test]
fn lists_are_read_behind_all_other_threads_while_clients_are_served() {
    let mut listed = Listed::open(|_, _| {});
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("bound");
    let list = format!("url = \"http://{address}/a.crl\"");
    let state = listed.house.stage.scratch.path().join("state");
    std::fs::create_dir_all(&state).expect("our own folder");
    rewrite(&mut listed.house, |config| {
        config.set_text("revocation.state", state.display());
        config.table("crl", &list);
    });
    listed.house.gateway.hang_up();
    wait_until("a reader of lists that has stepped back", || {
        nice_of(&listed.house, "t8gate-lists") == Some(19)
    });
    assert_eq!(listed.acme_comes(), Ok(200));
    // Nobody will answer.
    drop(silent);
    wait_until("the end of the reload", || {
        said(&listed.house, APPLIED) == 1
    });
    assert_eq!(nice_of(&listed.house, "t8gate-lists"), None);
}

/// A pipe into which nobody writes is not waited for, by whoever reads lists and by whoever keeps
/// them; and that a list is gone is said once.
#[test]
fn pipe_in_a_lists_place_holds_nobody_up_and_a_list_that_is_gone_is_said_to_be() {
    let mut listed = Listed::open(|stage, list| {
        stage.config.table("crl", &file(list));
    });
    let log = |text| said(&listed.house, text);
    let gone = "the file of a revocation list is not there any more";
    std::fs::remove_file(&listed.list).expect("our own file");
    wait_until("that the list is gone", || log(gone) == 1);
    // Each of them has the file looked for once more, and is not held up by it.
    reload(&listed.house);
    reload(&listed.house);
    assert_eq!(log(gone), 1);
    run_well(command("mkfifo").arg(&listed.list));
    wait_until("that it is a pipe", || log("it is no regular file") == 1);
    assert!(listed.globex_comes().is_err(), "the list in use stays");
    std::fs::remove_file(&listed.list).expect("our own file");
    let next = listed.ca.list("next.crl", DAY_S);
    replace(&listed.list, &next, &[&listed.house.gateway]);
    let pipe = listed.list.with_file_name("pipe.crl");
    run_well(command("mkfifo").arg(&pipe));
    let both = file(&pipe);
    rewrite(&mut listed.house, |config| {
        config.table("crl", &both);
    });
    reload_in_vain(&listed.house);
    assert_eq!(listed.acme_comes(), Ok(200));
    assert_eq!(said(&listed.house, gone), 1);
}

/// While lists and CAs come and go, whoever is good is let in and whoever is revoked is not, at any
/// moment.
#[test]
fn nobody_is_refused_or_let_in_for_a_moment_while_lists_change() {
    let mut listed = Listed::open(|stage, list| {
        stage.config.table("crl", &file(list));
    });
    let scratch = listed.house.stage.scratch.path().to_owned();
    let other = OpensslCa::new(&scratch, "other", "Another CA of openssl");
    let its = other.list("other.crl", DAY_S);
    let copy = listed.list.with_file_name("copy.crl");
    std::fs::copy(&listed.list, &copy).expect("our own file");
    let both = scratch.join("both.pem");
    let pem =
        [&listed.ca.certificate, &other.certificate].map(|file| std::fs::read(file).expect("ours"));
    std::fs::write(&both, pem.concat()).expect("our own file");
    let alone = listed.ca.certificate.clone();
    let ended = Arc::new(AtomicBool::new(false));
    let address = listed.house.gateway.address;
    let come = |who: &Identity, id: &str, until: &Arc<AtomicBool>| {
        let (dialer, until) = (listed.house.stage.dialer(who), Arc::clone(until));
        let request = request(id, &listed.token(who, id));
        thread::spawn(move || {
            let mut told = Vec::new();
            while !until.load(Ordering::Relaxed) {
                told.push(visit(&dialer, address, &request));
            }
            told
        })
    };
    let good = come(&listed.acme, "acme-app", &ended);
    let revoked = come(&listed.globex, "globex-app", &ended);
    for turn in 0..60 {
        let (anchors, lists) = match turn % 3 {
            0 => (&both, vec![&copy, &its]),
            1 => (&alone, vec![&copy]),
            _ => (&alone, vec![&listed.list]),
        };
        rewrite(&mut listed.house, |config| {
            config.set_text("tls.client_ca", anchors.display());
            config.without_tables("crl");
            for list in lists {
                config.table("crl", &file(list));
            }
        });
        reload(&listed.house);
    }
    ended.store(true, Ordering::Relaxed);
    let good = good.join().expect("no panic");
    let revoked = revoked.join().expect("no panic");
    assert!(good.len() > 12 && revoked.len() > 12);
    let told = |told: &[Result<u16, String>], expected: &dyn Fn(&Result<u16, String>) -> bool| {
        let others = told.iter().filter(|told| !expected(told)).cloned();
        others.collect::<Vec<_>>()
    };
    assert_eq!(told(&good, &|told| *told == Ok(200)), []);
    let by_the_list = |told: &Result<u16, String>| {
        let alert = told.as_ref().err();
        alert.is_some_and(|alert| alert.contains("CertificateRevoked"))
    };
    assert_eq!(told(&revoked, &by_the_list), []);
}

/// Its certificate was good when it was shown, and a list that names it came before the end of the
/// handshake.
#[test]
fn client_that_a_list_names_in_the_middle_of_its_handshake_does_not_stay() {
    let listed = Listed::open(|stage, list| {
        stage.config.table("crl", &file(list));
    });
    let address = listed.house.gateway.address;
    for (name, version) in [("first", &TLS13), ("second", &TLS12)] {
        let who = listed.ca.issue(name, &San::Dns("scs.acme.example"));
        let ca = &listed.house.stage.operator_ca.der;
        let dialer = Dialer::only(ca, &who, HOST, version);
        let connected = dialer.connect_pausing(address, || {
            listed.ca.revoke(&who, "keyCompromise");
            let next = listed.ca.list("next.crl", DAY_S);
            std::fs::rename(&next, &listed.list).expect("one folder");
            reload(&listed.house);
        });
        if let Ok(mut client) = connected {
            let token = listed.token(&who, "acme-app");
            let _ = client.send(get(PATH, &token));
            let answer = client.read_answer(false);
            assert!(answer.is_err(), "{name}: {:?}", answer.map(|a| a.status));
        }
    }
}

/// Whoever came before these had been let in when the list came, and the process has no descriptors
/// to spare.
const CLIENTS_HELD_MAX: usize = 500;

/// All that connect until a list names them are cut off by it, those as well whose handshake was
/// over and who stood nowhere yet.
#[test]
fn clients_that_come_while_a_list_comes_into_use_do_not_stay() {
    let listed = Listed::open(|stage, list| {
        stage.config.table("crl", &file(list));
    });
    let address = listed.house.gateway.address;
    for trial in 0..2 {
        let who = listed
            .ca
            .issue(&format!("client-{trial}"), &San::Dns("scs.acme.example"));
        listed.ca.revoke(&who, "keyCompromise");
        let next = listed.ca.list("next.crl", DAY_S);
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let dialer = listed.house.stage.dialer(&who);
        let comers = thread::spawn(move || {
            let mut last = VecDeque::new();
            while !until.load(Ordering::Relaxed) {
                // Refused is as good as cut off.
                last.extend(dialer.connect(address));
                if last.len() > CLIENTS_HELD_MAX {
                    last.pop_front();
                }
            }
            last
        });
        thread::sleep(Duration::from_millis(100));
        // By the keeper's own look: a reload has all judged once more.
        replace(&listed.list, &next, &[&listed.house.gateway]);
        ended.store(true, Ordering::Relaxed);
        let mut last = comers.join().expect("no panic");
        assert!(last.len() > 4, "{}", last.len());
        let kept = last
            .iter_mut()
            .map(|client| client.closed_within(Duration::from_secs(2)));
        let kept = kept.filter(|closed| !closed).count();
        assert_eq!(kept, 0, "of {} in trial {trial}", last.len());
    }
}
