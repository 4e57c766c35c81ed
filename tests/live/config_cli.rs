//! `t8gate serve` and `t8gate check` as an operator meets them.

use std::path::{Path, PathBuf};

use crate::harness::client::HOST;
use crate::harness::gateway::{Gateway, check, t8gate, write};
use crate::harness::openssl_ca::OpensslCa;
use crate::harness::origin::Origin;
use crate::harness::pki::{Key, Leaf};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{WAIT, free_address, run};

pub fn checked(stage: &Stage) -> (bool, String) {
    let mut config = stage.config.clone();
    config.set_text("listen.address", free_address());
    let outcome = check(&write(stage.scratch.path(), &config), &stage.environment);
    (outcome.status.success(), outcome.stdout + &outcome.stderr)
}

/// `check` fails and says all of this; so does `serve`.
fn faulty(change: impl FnOnce(&mut Stage), words: &[&str]) {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    change(&mut stage);
    let (good, said) = checked(&stage);
    assert!(!good, "{said}");
    for word in words {
        assert!(said.contains(word), "{word} is missing:\n{said}");
    }
    let file = write(stage.scratch.path(), &stage.config);
    let outcome = run(t8gate(&["serve", "--config"]).arg(&file), b"", WAIT);
    assert!(!outcome.status.success());
}

#[test]
fn good_configuration_passes_and_is_shown() {
    let origin = Origin::start();
    let (good, said) = checked(&Stage::new(origin.address));
    assert!(good, "{said}");
}

#[test]
fn steering_is_tried_and_shown() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    for (steering, told) in [
        ("off", "none, as configured"),
        ("cpu", "to the shard of the CPU"),
    ] {
        stage.config.set_text("listen.steering", steering);
        let (good, said) = checked(&stage);
        assert!(good, "{said}");
        let row = said.lines().find(|line| line.contains("steering"));
        assert!(row.is_some_and(|row| row.contains(told)), "{said}");
    }
}

#[test]
fn good_configuration_with_a_token_passes() {
    let origin = Origin::start();
    let (stage, _token) = Stage::with_token(origin.address, Key::P256);
    let (good, said) = checked(&stage);
    assert!(good, "{said}");
}

//= RFC 8446 section 4.2.3 type=test
//# A key that cannot sign for TLS 1.3 is not served: whoever offers that would be refused.
#[test]
fn rsa_key_in_a_token_without_pss_is_a_fault() {
    let origin = Origin::start();
    let (stage, token) = Stage::with_token(origin.address, Key::Rsa2048);
    let (good, said) = checked(&stage);
    assert!(good, "{said}");
    let mut settings = std::fs::read_to_string(&token.configuration).expect("made for it");
    settings += "slots.mechanisms = CKM_RSA_PKCS_KEY_PAIR_GEN,CKM_RSA_PKCS\n";
    std::fs::write(&token.configuration, settings).expect("made for it");
    let (good, said) = checked(&stage);
    assert!(!good, "{said}");
    let fault = "tls.key: the token has no CKM_RSA_PKCS_PSS";
    assert!(said.contains(fault) && said.contains("1 fault"), "{said}");
}

#[test]
fn unknown_key_is_a_fault_with_its_line() {
    let change = |stage: &mut Stage| {
        stage.config.set("limits.head_octets_max", "1");
    };
    faulty(change, &["head_octets_max", ".toml:"]);
}

#[test]
fn unknown_section_is_a_fault() {
    let change = |stage: &mut Stage| {
        stage.config.set("notify.destination", "1");
    };
    faulty(change, &["notify"]);
}

#[test]
fn all_faults_are_in_one_report() {
    let change = |stage: &mut Stage| {
        stage.config.set("limits.head_bytes_max", "\"many\"");
        stage.config.set("deadlines.head", "5");
        stage
            .config
            .set_text("tls.certificate", "/nowhere/server.pem");
    };
    faulty(
        change,
        &["head_bytes_max", "deadlines.head", "/nowhere/server.pem"],
    );
}

type Break = fn(&mut Stage);

/// Whatever else is wrong, names of profiles and rules are looked at, and files; and nothing is
/// said that follows from that.
#[test]
fn one_wrong_section_hides_no_fault_of_another_and_is_said_once() {
    let origin = Origin::start();
    let wrong: [(&str, Break); 9] = [
        ("listen.address", |stage| {
            stage.config.set("listen.address", "5");
        }),
        ("listen.cpus", |stage| {
            stage.config.set("listen.cpus", "[60000]");
        }),
        ("upstream.address", |stage| {
            stage.config.unset("upstream.address");
        }),
        ("client[1].sans", |stage| {
            stage.config.without_tables("client").table(
                "client",
                "name = \"acme\"\nsans = 5\nscs_as_ids = [\"acme\"]",
            );
        }),
        ("issuer[1].audience", |stage| {
            let table = stage.config.table_body("issuer", 0);
            let table = table.replace("audience = ", "audience = 5 # ");
            stage
                .config
                .without_tables("issuer")
                .table("issuer", &table);
        }),
        ("tls.certificate", |stage| {
            stage.config.unset("tls.certificate");
        }),
        ("tls.key.module", |stage| {
            stage.config.unset("tls.key.file");
        }),
        ("partner[2].name", |stage| {
            let ca = stage.partner_ca.certificate.display().to_string();
            let table = format!("name = 5\nclient_ca = {ca:?}");
            stage.config.table("partner", &table);
        }),
        ("oauth.issuer", |stage| {
            stage.issue_tokens();
            stage.config.set("oauth.issuer", "5");
        }),
    ];
    for (key, break_it) in wrong {
        let mut stage = Stage::new(origin.address);
        stage.config.set_text("listen.address", free_address());
        let ca = stage.operator_ca.certificate.display().to_string();
        let first =
            format!("name = \"first\"\nclient_ca = {ca:?}\nwaive = [\n\"no-rule\",\n\"no-other\"]");
        stage.config.table("partner", &first);
        stage.config.set_text("tls.profile", "none-such");
        break_it(&mut stage);
        let file = write(stage.scratch.path(), &stage.config);
        let checked = check(&file, &stage.environment);
        let said = checked.stdout + &checked.stderr;
        let faults = said.lines().filter_map(|line| {
            let (_, fault) = line.strip_prefix(file.to_str()?)?.split_once(": ")?;
            Some(fault.split_once(": ")?.0)
        });
        let mut faults: Vec<_> = faults.collect();
        faults.sort_unstable();
        let waive = "partner[1].waive";
        let mut expected = vec![key, waive, waive, "tls.profile"];
        expected.sort_unstable();
        assert_eq!(faults, expected, "{said}");
        // Nor of what stands in the place of something.
        assert!(
            !said.contains("0.0.0.0:0") && !said.contains("the key file  cannot"),
            "{said}"
        );
    }
}

#[test]
fn nobody_is_warned_of_what_is_wrong_anyway() {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let warning = "no network is named";
    let (good, said) = checked(&stage);
    assert!(good && said.contains(warning), "{said}");
    stage.config.set("privacy.plmns", "[\"001\"]");
    let (good, said) = checked(&stage);
    assert!(!good && said.contains("is no network"), "{said}");
    assert!(!said.contains(warning), "{said}");
}

#[test]
fn duration_without_unit_is_a_fault() {
    let change = |stage: &mut Stage| {
        stage.config.set("deadlines.idle", "\"30\"");
    };
    faulty(change, &["deadlines.idle"]);
}

#[test]
fn missing_section_is_a_fault() {
    let change = |stage: &mut Stage| {
        stage.config.unset("upstream.address");
    };
    faulty(change, &["upstream"]);
}

#[test]
fn scs_as_id_of_two_clients_is_a_fault() {
    let change = |stage: &mut Stage| {
        let table = "name = \"third\"\nclient_id = \"third\"\nsans = [\"dns:third.example\"]\n\
                     scs_as_ids = [\"acme\"]";
        stage.config.table("client", table);
    };
    faulty(change, &["acme"]);
}

#[test]
fn san_of_two_clients_is_a_fault() {
    let change = |stage: &mut Stage| {
        let table = "name = \"third\"\nclient_id = \"third\"\nsans = [\"dns:scs.acme.example\"]\n\
                     scs_as_ids = [\"third\"]";
        stage.config.table("client", table);
    };
    faulty(change, &["scs.acme.example"]);
}

#[test]
fn file_that_is_not_a_certificate_is_a_fault() {
    let change = |stage: &mut Stage| {
        let file = stage.scratch.write("nonsense.pem", "nonsense");
        stage.config.set_text("tls.client_ca", file.display());
    };
    faulty(change, &["nonsense.pem"]);
}

#[test]
fn key_of_another_certificate_is_a_fault() {
    let change = |stage: &mut Stage| {
        let other = stage.operator_ca.issue("other", &Leaf::server(HOST));
        stage.config.set_text("tls.key.file", other.key.display());
    };
    faulty(change, &["tls.key"]);
}

/// What `check` says is wrong, line for line.
fn faults(change: impl FnOnce(&mut Stage)) -> Vec<String> {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    change(&mut stage);
    let (good, said) = checked(&stage);
    assert!(!good, "{said}");
    let is_fault = |line: &&str| line.contains(".toml:") && !line.starts_with("WARN");
    said.lines().filter(is_fault).map(str::to_owned).collect()
}

/// One fault, in a line of its own, which says this.
fn one_fault(change: impl FnOnce(&mut Stage), key: &str, what: &str) {
    let faults = faults(change);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    let (_, behind) = faults[0].split_once(".toml:").expect("it was looked for");
    let (line, said) = behind.split_once(": ").expect("a line");
    assert!(
        line.parse().is_ok_and(|line: usize| line > 0),
        "{faults:#?}"
    );
    assert!(said.starts_with(&format!("{key}: {what}")), "{faults:#?}");
}

#[test]
fn faults_of_issuers_keys_and_clients_are_said_once_in_their_lines() {
    let private = |stage: &mut Stage| {
        let key = r#"{"keys":[{"kty":"oct","k":"AA","kid":"a","alg":"HS256"}]}"#;
        let jwks = stage.scratch.write("scs.jwks", key);
        stage.issue_tokens_to(&format!("private_key_jwt = {jwks:?}"));
    };
    one_fault(private, "private_key_jwt", "client acme: /");
    let opaque = |stage: &mut Stage| {
        stage.issue_tokens();
        let line = "token_format = \"opaque\"";
        stage.config.extend_table("client", 0, line);
    };
    one_fault(opaque, "client[1].token_format", "has tokens sealed");
    let shared = |stage: &mut Stage| {
        stage.issue_tokens();
        let body = stage.config.table_body("issuer", 0);
        let jwks = body.lines().find(|line| line.starts_with("jwks"));
        let core = "name = \"core\"\nprofile = \"capif\"\naef_id = \"aef-1\"\n";
        let core = format!("{core}{}", jwks.expect("keys in a file"));
        stage.config.table("issuer", &core);
    };
    one_fault(shared, "issuer", "\"https://");
    let twice = |stage: &mut Stage| {
        stage.issue_tokens();
        let key = stage.config.value("oauth.key.file");
        stage
            .config
            .table("oauth.next_key", &format!("file = {key}"));
    };
    one_fault(twice, "oauth.next_key", "is the key of oauth.key (line ");
    let names = |stage: &mut Stage| {
        stage.issue_tokens();
        let folder = stage.scratch.path().join("clients.d");
        std::fs::create_dir(&folder).expect("our own folder");
        let text = "name = \"other\"\nsans = [\"dns:scs.acme.example\"]\n\
                    scs_as_ids = [\"other\"]\n";
        std::fs::write(folder.join("other.toml"), text).expect("our own folder");
        stage.config.set_text("clients.folder", folder.display());
    };
    one_fault(
        names,
        "sans",
        "\"dns:scs.acme.example\" stands already in line ",
    );
}

#[test]
fn key_file_that_others_can_open_is_warned_of_and_served() {
    use std::os::unix::fs::PermissionsExt;
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    stage.issue_tokens();
    let of = |key: &str| PathBuf::from(stage.config.value(key).trim_matches('"'));
    let files = [of("tls.key.file"), of("oauth.key.file")];
    let modes = |mode: u32| {
        for file in &files {
            std::fs::set_permissions(file, PermissionsExt::from_mode(mode)).expect("our own file");
        }
    };
    modes(0o640);
    let (good, said) = checked(&stage);
    assert!(good, "{said}");
    for key in ["tls.key ", "oauth.key "] {
        let warned = |line: &str| line.starts_with("WARN") && line.contains(key);
        let row = said.lines().find(|line| warned(line)).expect(key);
        assert!(
            row.contains("open to others than its owner (mode 640)"),
            "{row}"
        );
    }
    let gateway = stage.start();
    gateway.await_log("open to others than its owner (mode 640)");
    let count = gateway.log().matches("open to others").count();
    assert_eq!(count, 2, "{}", gateway.log());
    drop(gateway);
    modes(0o400);
    let (good, said) = checked(&stage);
    assert!(good && !said.contains("open to others"), "{said}");
}

#[test]
fn jwks_that_does_not_parse_is_a_fault() {
    let change = |stage: &mut Stage| {
        stage.scratch.write("jwks.json", "{\"keys\": 1}");
    };
    faulty(change, &["jwks.json"]);
}

#[test]
fn upstream_that_is_not_there_fails_check_but_not_serve() {
    let stage = Stage::new(free_address());
    let (good, said) = checked(&stage);
    assert!(!good && said.contains("upstream"), "{said}");
    // A SCEF may come up after its gateway.
    assert_eq!(stage.start().stop().code(), Some(0));
}

#[test]
fn file_that_is_not_there_is_a_fault() {
    let outcome = check(Path::new("/nowhere/t8gate.toml"), &[]);
    assert!(!outcome.status.success());
    assert!((outcome.stdout + &outcome.stderr).contains("/nowhere/t8gate.toml"));
}

#[test]
fn unknown_arguments_are_refused() {
    for arguments in [&["serve"][..], &["dance"], &["check", "--colour", "red"]] {
        let outcome = run(&mut t8gate(arguments), b"", WAIT);
        assert_eq!(outcome.status.code(), Some(2), "{arguments:?}");
        assert!(
            !outcome.stderr.is_empty() && outcome.stdout.is_empty(),
            "{arguments:?}"
        );
    }
}

#[test]
fn help_is_data() {
    let outcome = run(&mut t8gate(&["--help"]), b"", WAIT);
    assert!(outcome.status.success());
    for word in ["serve", "check"] {
        assert!(outcome.stdout.contains(word), "{}", outcome.stdout);
    }
}

#[test]
fn port_of_another_program_is_said_at_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stage = Stage::new(free_address());
    let mut config = stage.config.clone();
    config.set_text("listen.address", taken.local_addr().unwrap());
    let file = write(stage.scratch.path(), &config);
    let outcome = run(t8gate(&["serve", "--config"]).arg(&file), b"", WAIT);
    assert!(!outcome.status.success());
    assert!(
        outcome
            .stderr
            .contains(&taken.local_addr().unwrap().to_string()),
        "{}",
        outcome.stderr
    );
}

/// SO_REUSEPORT would let two gateways share a port, and each get a part of the clients.
#[test]
fn port_of_another_gateway_is_said_at_start_and_shared_only_on_request() {
    let house = House::open();
    let mut config = house.stage.config.clone();
    config.set_text("listen.address", house.gateway.address);
    let file = write(house.stage.scratch.path(), &config);
    let outcome = run(t8gate(&["serve", "--config"]).arg(&file), b"", WAIT);
    assert!(!outcome.status.success());
    let address = house.gateway.address.to_string();
    assert!(outcome.stderr.contains(&address), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("share_port"), "{}", outcome.stderr);

    config.set("listen.share_port", "true");
    let file = write(house.stage.scratch.path(), &config);
    let mut second = Gateway::spawn(&file, house.gateway.address, &[]).expect("to share");
    assert!(!crate::harness::within(
        std::time::Duration::from_millis(500),
        || !second.alive()
    ));
}

/// Each shard listens for itself, under its own name, on its own CPU.
#[test]
fn every_configured_cpu_gets_a_shard() {
    let cpus = crate::harness::gateway::cpus();
    let list = cpus
        .iter()
        .take(2)
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let house = House::open_with(|config| {
        config.set("listen.cpus", &format!("[{list}]"));
    });
    crate::harness::wait_until("a shard for each CPU", || {
        house.gateway.log().contains("serving")
            && house.gateway.shard_tids().len() == cpus.len().min(2)
    });
    let shards = house.gateway.shard_tids();
    for tid in shards {
        let status = format!("/proc/{}/task/{tid}/status", house.gateway.pid());
        let status = std::fs::read_to_string(status).unwrap();
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .unwrap();
        assert!(
            list.trim().parse::<usize>().is_ok(),
            "not pinned to one CPU: {list}"
        );
    }
    for _ in 0..20 {
        assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    }
}

/// What stands in the file, what stands in the files it names, and what is in the way outside: all
/// at once, by `check` and by `serve`.
#[test]
fn faults_inside_and_outside_the_file_are_in_one_report() {
    let mut stage = Stage::new("127.0.0.1:9".parse().unwrap());
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    stage
        .config
        .set_text("listen.address", held.local_addr().unwrap());
    stage.config.set("limits.head_bytes_max", "\"16 apples\"");
    let elsewhere = stage.operator_ca.issue("another", &Leaf::server(HOST));
    stage
        .config
        .set_text("tls.key.file", elsewhere.key.display());
    let file = write(stage.scratch.path(), &stage.config);
    // As it is configured it will not serve, however often it is started.
    for (action, status) in [("check", 1), ("serve", 78)] {
        let outcome = run(t8gate(&[action, "--config"]).arg(&file), b"", WAIT);
        assert_eq!(outcome.status.code(), Some(status));
        for key in ["limits.head_bytes_max", "tls.key", "listen.address"] {
            assert!(
                outcome.stderr.contains(key),
                "{action}: {key}: {}",
                outcome.stderr
            );
        }
        assert_eq!(
            outcome.stderr.contains("upstream.address"),
            action == "check"
        );
    }
}

/// As in a container whose seccomp profile knows no io_uring.
#[test]
fn ring_that_is_forbidden_is_said_at_start_with_its_cure() {
    use seccompiler::{SeccompAction, SeccompFilter, TargetArch};

    let origin = Origin::start();
    let stage = Stage::new(origin.address);
    let mut config = stage.config.clone();
    config.set_text("listen.address", crate::harness::free_address());
    let file = crate::harness::gateway::write(stage.scratch.path(), &config);
    for action in ["serve", "check"] {
        let mut t8gate = crate::harness::gateway::t8gate(&[action, "--config"]);
        t8gate.arg(&file);
        // The filter holds for the thread that sets it, and for what that thread starts.
        let outcome = std::thread::spawn(move || {
            let filter = SeccompFilter::new(
                [(libc::SYS_io_uring_setup, Vec::new())].into(),
                SeccompAction::Allow,
                SeccompAction::Errno(libc::EPERM.cast_unsigned()),
                TargetArch::try_from(std::env::consts::ARCH).expect("a known machine"),
            );
            let program = filter.expect("a filter").try_into();
            let program: seccompiler::BpfProgram = program.expect("a program");
            seccompiler::apply_filter(&program).expect("seccomp");
            crate::harness::run(&mut t8gate, b"", crate::harness::WAIT)
        })
        .join()
        .expect("a thread that ends");
        let said = outcome.stdout + &outcome.stderr;
        assert_eq!(outcome.status.code(), Some(1), "{action}: {said}");
        for word in [
            "io_uring is not available",
            "kernel.io_uring_disabled",
            "seccomp",
        ] {
            assert!(said.contains(word), "{action}: {said}");
        }
    }
}

#[test]
fn cpu_that_does_not_exist_is_a_fault() {
    let change = |stage: &mut Stage| {
        stage.config.set("listen.cpus", "[4095]");
    };
    faulty(change, &["listen.cpus"]);
}

#[test]
fn cpu_named_twice_is_a_fault() {
    let change = |stage: &mut Stage| {
        stage.config.set("listen.cpus", "[0, 0]");
    };
    faulty(change, &["listen.cpus"]);
}

/// However the kernel's hash falls, no shard has more than its part and a sixteenth; and all that
/// is asked is answered wherever a connection went.
#[test]
fn connections_are_shared_out_evenly_over_two_shards() {
    let cpus = crate::harness::gateway::cpus();
    assert!(
        cpus.len() >= 2,
        "two CPUs are needed: run this on a machine that has them"
    );
    for connections in [8_usize, 32, 1_000] {
        let house = House::open_staged(|stage| {
            stage.watch();
            let list = format!("[{}, {}]", cpus[0], cpus[1]);
            stage.config.set("listen.cpus", &list);
        });
        let dialer = house.stage.dialer(&house.stage.acme);
        let mut held: Vec<_> = (0..connections)
            .map(|_| dialer.connect(house.gateway.address).expect("a connection"))
            .collect();
        for client in held.iter_mut().rev().take(50) {
            assert_eq!(client.get(PATH, &house.token()).status, 200);
        }
        let admin = house.gateway.admin();
        let open = |shard| {
            let metrics = admin.metrics();
            metrics.count("t8gate_connections_open", &[("shard", shard)])
        };
        crate::harness::wait_until("all of them to be open", || {
            open("0") + open("1") == connections
        });
        let (first, second) = (open("0"), open("1"));
        println!("{connections} connections: {first} and {second}");
        let fair = connections / 2 + connections / 2 / 16 + 1;
        assert!(first.max(second) <= fair, "{first} and {second}");
    }
}

/// What one value hides of another is found by the next run only: the operator needs two restarts.
#[test]
fn wrong_names_are_told_beside_a_wrong_upstream_and_beside_a_certificate_that_is_not_there() {
    let wrong_names = |stage: &mut Stage| {
        stage.config.set_text("tls.profile", "tls1.0");
        stage.config.set("tls.waive", "[\"no_such_rule\"]");
    };
    let words = ["tls.profile: there is no", "tls.waive: there is no rule"];
    let upstream = |stage: &mut Stage| {
        wrong_names(stage);
        stage.config.set_text("upstream.address", "scef");
    };
    faulty(
        upstream,
        &[&words[..], &["upstream.address", "3 faults"]].concat(),
    );
    let certificate = |stage: &mut Stage| {
        wrong_names(stage);
        stage.config.set_text("tls.certificate", "none.pem");
    };
    faulty(
        certificate,
        &[&words[..], &["tls.certificate", "3 faults"]].concat(),
    );
}

/// Every certificate of the gateway's own is held against what is waived.
#[test]
fn waived_rule_that_there_is_none_of_is_told_once_whatever_number_of_certificates_there_is() {
    let three_certificates = |stage: &mut Stage| {
        for stem in ["second", "third"] {
            let more = stage.operator_ca.issue(stem, &Leaf::server(HOST));
            let [certificate, key] =
                [more.certificate, more.key].map(|at| at.display().to_string());
            let body = format!("certificate = {certificate:?}\nkey.file = {key:?}");
            stage.config.table("tls.also", &body);
        }
        stage.config.set("tls.waive", "[\"no_such_rule\"]");
    };
    let words = ["tls.waive: there is no rule", "1 fault in"];
    faulty(three_certificates, &words);
}

/// Each waiver stands for itself, wherever its line ends.
#[test]
fn waiver_that_is_repeated_hides_none_that_there_is_no_rule_for() {
    let list = "[\"crl_distribution_points\", \"crl_distribution_points\", \"no_such_rule\"]";
    let words = ["there is no rule \"no_such_rule\"", "2 faults in"];
    let twice = |stage: &mut Stage| {
        stage.config.set("tls.waive", list);
    };
    faulty(twice, &words);
}

/// A restart would not mend it, which is the cure where a list in use is older.
#[test]
fn older_one_of_two_lists_of_one_ca_is_a_fault_at_the_start_with_a_cure_of_its_own() {
    let both_lists = |stage: &mut Stage| {
        let ca = OpensslCa::new(stage.scratch.path(), "ca", "Partner CA of openssl");
        let [older, newer] = ["older.crl", "newer.crl"].map(|name| ca.list(name, 86_400));
        let certificate = ca.certificate.display();
        stage.config.set_text("tls.client_ca", certificate);
        for list in [newer, older] {
            let file = list.display().to_string();
            stage.config.table("crl", &format!("file = {file:?}"));
        }
    };
    let words = [
        "crl.file: its CRL number is lower than that of another list of its CA, named before it",
        "hint: name the newer of the two alone",
        "1 fault in",
    ];
    faulty(both_lists, &words);
}
