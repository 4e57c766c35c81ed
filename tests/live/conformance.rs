//! What `t8gate check --conformance` says of a configuration, held row by row against what a
//! gateway of that configuration does: each row has a probe, a handshake or a request that a client
//! makes. A row that says met has to be refused or served as the clause wants it, one that says
//! waived or not met must not be.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::certificate_profile::{Profiled, broken_leaves, report};
use crate::harness::client::{HOST, get};
use crate::harness::hello::{
    Hello, KEY_SHARE, MISSING_EXTENSION, P256, P384, PRE_SHARED_KEY, RENEGOTIATION_INFO, Reply,
    SERVER_NAME, SIGNATURE_ALGORITHMS, SUPPORTED_GROUPS, TRUNCATED_HMAC, TlsSession,
    UNRECOGNIZED_NAME, numbers, say, say_all, server_name,
};
use crate::harness::odd_certificates::{NAME_CONSTRAINTS, Recipe, der};
use crate::harness::openssl_ca::OpensslCa;
use crate::harness::origin::Origin;
use crate::harness::pki::{Authority, Identity, Key, Leaf, San};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{WAIT, mint, peers, wait_until};
use crate::issuer::posted;
use crate::self_signed::made as self_signed;
use crate::tls_extensions::renegotiating;
use crate::tls_profile::{
    EXCLUDED, EXCLUDED_BY_OPENSSL, connects, old_hellos, said, said_by, with_master_secret,
};

mod lenient;
mod served_by_nobody;

const HOUR_S: i64 = 3_600;
const MONTH_S: i64 = 30 * 24 * HOUR_S;
const NAME: San = San::Dns("scs.acme.example");

/// The rows of a house's report: name, rule or not, and status.
fn rows(house: &House) -> Vec<(String, bool, String)> {
    let (_, told) = report(house, "json");
    let report: Value = serde_json::from_str(&told).expect("JSON");
    let rows = report["clauses"].as_array().expect("rows");
    let text = |row: &Value, key: &str| row[key].as_str().expect("a word").to_owned();
    let row = |row| {
        (
            text(row, "name"),
            !row["rule"].is_null(),
            text(row, "status"),
        )
    };
    rows.iter().map(row).collect()
}

/// A gateway and clients of every fate. `acme` is good.
struct Scene {
    house: House,
    ca: OpensslCa,
    revoked: Identity,
    /// Of a CA without a list.
    unlisted: Identity,
    unlisted_ca: Authority,
    /// Of a CA whose list has ended an hour ago.
    ended: Identity,
    /// Registered as it is, where there is an issuer to authenticate at.
    own: Identity,
}

impl Scene {
    /// `change` is told where the two lists are.
    fn open(change: impl FnOnce(&mut Stage, [PathBuf; 2])) -> Self {
        let origin = Origin::start();
        let mut stage = Stage::new(origin.address);
        let directory = stage.scratch.path().to_owned();
        let ca = OpensslCa::new(&directory, "ca", "Partner CA of openssl");
        let late = OpensslCa::new(&directory, "late", "Partner CA that is late");
        let unlisted_ca = Authority::new(&directory, "Partner CA without a list", Key::P256);
        stage.acme = ca.issue("good", &NAME);
        let revoked = ca.issue("revoked", &NAME);
        ca.revoke(&revoked, "keyCompromise");
        let lists = [ca.list("ca.crl", MONTH_S), late.list("late.crl", -HOUR_S)];
        let cas = [&ca.certificate, &late.certificate, &unlisted_ca.certificate];
        let pem = cas.map(|ca| std::fs::read(ca).expect("our own file"));
        let cas = stage.scratch.write("cas.pem", pem.concat());
        stage.config.set_text("tls.client_ca", cas.display());
        change(&mut stage, lists);
        let own = self_signed(&stage, "own", &[]);
        if stage.config.render().contains("oauth.") {
            let file = own.certificate.display().to_string();
            let client = format!(
                "name = \"own\"\nscs_as_ids = [\"own\"]\nscopes = [{API:?}]\n\
                 self_signed_tls_client_auth = [{file:?}]"
            );
            stage.config.table("client", &client);
        }
        Self {
            own,
            revoked,
            unlisted: unlisted_ca.issue("unlisted", &Leaf::client(NAME)),
            unlisted_ca,
            ended: late.issue("ended", &NAME),
            ca,
            house: House {
                gateway: stage.start(),
                origin,
                stage,
            },
        }
    }

    fn lets_in(&self, who: &Identity) -> bool {
        said_by(&self.house, who, &[]).contains("HTTP/1.1 401")
    }

    fn connects(&self, arguments: &[&str]) -> bool {
        connects(&self.house, arguments)
    }

    /// What a hello of TLS 1.2 agrees on; none where it is refused.
    fn tls12(&self, hello: &Hello) -> Option<crate::harness::hello::ServerHello> {
        match hello.ask(self.house.gateway.address) {
            Reply::Hello(answer) => Some(answer),
            _ => None,
        }
    }

    fn said(&self, arguments: &[&str]) -> String {
        said(&self.house, arguments)
    }

    /// Whether clients are asked for signatures by all of these schemes, and by none with SHA-1.
    fn asks_for(&self, version: &str, schemes: &[&str]) -> bool {
        let told = self.said(&[version]);
        let asked = told
            .lines()
            .find_map(|line| line.strip_prefix("Requested Signature Algorithms: "));
        let Some(asked) = asked.filter(|_| told.contains("HTTP/1.1 401")) else {
            return false;
        };
        let asked: Vec<&str> = asked.split(':').collect();
        schemes.iter().all(|scheme| asked.contains(scheme))
            && !asked.iter().any(|scheme| scheme.ends_with("+SHA1"))
    }

    /// What openssl tells when it comes again with a session that it keeps.
    fn continued(&self, version: &str, arguments: &[&str]) -> String {
        let file = self.house.stage.scratch.path().join("continued.pem");
        let file = file.display().to_string();
        self.said(&[version, "-sess_out", &file]);
        self.said(&[&[version, "-sess_in", &file], arguments].concat())
    }

    fn status(&self, asked: &str) -> u16 {
        self.house.client().ask(asked).status
    }

    fn token_for(&self, thumbprint: &str) -> String {
        let claims = mint::claims("acme-app", API, thumbprint);
        self.house.stage.mint.good(&claims)
    }
}

/// Whether a client finds what the clause wants.
type Probe = fn(&Scene) -> bool;

/// One for each row that is no rule of certificates.
const PROBES: [(&str, Probe); 45] = [
    ("certificates_checked", |scene| {
        let leaf = Leaf {
            crl_distribution_point: false,
            ..Leaf::client(NAME)
        };
        let lax = scene.unlisted_ca.issue("lax", &leaf);
        said_by(&scene.house, &lax, &[]).contains("alert certificate unknown")
    }),
    ("certificates_over_sha_384", |scene| {
        ["sha384", "sha512"].iter().all(|hash| {
            let who = scene.ca.issue_over(hash, &NAME, 86_400, hash);
            scene.lets_in(&who)
        })
    }),
    ("revocation", |scene| !scene.lets_in(&scene.revoked)),
    ("revocation_hard_fail", |scene| {
        !scene.lets_in(&scene.unlisted)
    }),
    ("next_update", |scene| !scene.lets_in(&scene.ended)),
    // What is asked is shown beside the tests of responders.
    ("ocsp_clients", |scene| {
        scene.house.gateway.log().contains("asked about by OCSP")
    }),
    ("mutual_authentication", |scene| {
        let ca = &scene.house.stage.operator_ca.certificate;
        let nobody = peers::s_client(scene.house.gateway.address, ca, None, &[], b"x");
        let told = nobody.stdout + &nobody.stderr;
        let shown = said(&scene.house, &["-verify_return_error"]);
        told.contains("SSL alert number") && shown.contains("HTTP/1.1 401")
    }),
    ("tls_only", |scene| {
        let asked = get(PATH, &scene.house.token());
        let answer = say(scene.house.gateway.address, asked.as_bytes());
        matches!(answer, Reply::Alert(_) | Reply::Closed)
    }),
    ("oauth_on_every_request", |scene| {
        let without = format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        let with = get(PATH, &scene.house.token());
        (scene.status(&without), scene.status(&with)) == (401, 200)
    }),
    ("no_early_data", |scene| {
        let file = scene.house.stage.scratch.path().join("session.pem");
        let file = file.display().to_string();
        let told = said(&scene.house, &["-tls1_3", "-sess_out", &file]);
        told.contains("Max Early Data: 0")
    }),
    ("old_versions_refused", |scene| {
        let address = scene.house.gateway.address;
        let refused = |(_, hello): (_, Vec<u8>)| !matches!(say(address, &hello), Reply::Hello(_));
        old_hellos().into_iter().all(refused)
    }),
    ("no_http_upgrade", |scene| {
        let upgrade = "\r\nUpgrade: TLS/1.2\r\nConnection: Upgrade\r\n\r\n";
        let asked = get(PATH, &scene.house.token()).replacen("\r\n\r\n", upgrade, 1);
        let in_the_clear = say(scene.house.gateway.address, asked.as_bytes());
        matches!(in_the_clear, Reply::Alert(_) | Reply::Closed) && scene.status(&asked) != 101
    }),
    ("tls_1_3", |scene| scene.connects(&["-tls1_3"])),
    ("tls_1_2", |scene| scene.connects(&["-tls1_2"])),
    ("tls_1_3_suite", |scene| {
        scene.connects(&["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"])
    }),
    ("tls_1_3_more_suites", |scene| {
        ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
            .iter()
            .all(|suite| scene.connects(&["-tls1_3", "-ciphersuites", suite]))
    }),
    ("tls_1_3_signatures", |scene| {
        scene.asks_for(
            "-tls1_3",
            &["RSA-PSS+SHA256", "ECDSA+SHA256", "ECDSA+SHA384"],
        )
    }),
    ("tls_1_3_own_signatures", |scene| {
        let told = scene.said(&["-tls1_3"]);
        let is = |field: &str, words: &[&str]| {
            let mut lines = told.lines();
            let found = lines.find_map(|line| line.strip_prefix(field));
            found.is_some_and(|found| words.contains(&found))
        };
        is("Peer signature type: ", &["ECDSA", "RSA-PSS"])
            && is("Peer signing digest: ", &["SHA256", "SHA384", "SHA512"])
            && signed_by_none_of(scene, &[0x0401, 0x0501, 0x0601, 0x0201, 0x0203])
    }),
    ("mandatory_extensions", |scene| {
        let missing = [SIGNATURE_ALGORITHMS, SUPPORTED_GROUPS, KEY_SHARE];
        let without = |kind| {
            Hello::tls13()
                .without(kind)
                .ask(scene.house.gateway.address)
        };
        let whole = Hello::tls13().ask(scene.house.gateway.address);
        missing
            .iter()
            .all(|kind| without(*kind) == Reply::Alert(MISSING_EXTENSION))
            && matches!(whole, Reply::Hello(_))
    }),
    ("group_secp256r1", |scene| {
        scene.connects(&["-groups", "P-256"])
    }),
    ("more_groups", |scene| {
        ["X25519", "P-384"]
            .iter()
            .all(|group| scene.connects(&["-tls1_3", "-groups", group]))
    }),
    ("psk_dhe_ke", |scene| {
        let told = scene.continued("-tls1_3", &["-allow_no_dhe_kex"]);
        told.contains("Reused, TLSv1.3") && told.contains("Temp Key: ")
    }),
    ("psk_ke_alone", |scene| {
        let file = scene.house.stage.scratch.path().join("of-openssl.pem");
        let sha_256 = [
            "-tls1_3",
            "-ciphersuites",
            "TLS_AES_128_GCM_SHA256",
            "-sess_out",
        ];
        scene.said(&[&sha_256[..], &[&file.display().to_string()]].concat());
        let session = TlsSession::of_openssl(&file);
        let continued = |modes: &[u8]| {
            let hello = Hello::tls13().continuing(&session, modes);
            match hello.ask(scene.house.gateway.address) {
                Reply::Hello(answer) => answer.extension(PRE_SHARED_KEY).is_some(),
                _ => false,
            }
        };
        continued(&[PSK_DHE_KE]) && continued(&[PSK_KE, PSK_DHE_KE]) && !continued(&[PSK_KE])
    }),
    ("ocsp_stapled", |scene| {
        said(&scene.house, &["-status"]).contains("OCSP Response Status: successful")
    }),
    ("tls_1_2_suites", |scene| {
        let raw = EXCLUDED
            .iter()
            .all(|(_, suites)| scene.tls12(&Hello::tls12().offering(suites)).is_none());
        let openssl = |class: &&str| {
            let list = format!("{class}:@SECLEVEL=0");
            scene.connects(&["-tls1_2", "-cipher", &list])
        };
        raw && !EXCLUDED_BY_OPENSSL.iter().any(openssl)
    }),
    ("tls_1_2_ecdhe_suite", |scene| {
        scene.connects(&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"])
    }),
    ("tls_1_2_ecdhe_rsa_suite", |scene| {
        scene.connects(&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"])
    }),
    ("tls_1_2_ecdsa_aes_256_suite", |scene| {
        scene.connects(&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"])
    }),
    ("tls_1_2_rsa_aes_256_suite", |scene| {
        scene.connects(&["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"])
    }),
    ("tls_1_2_dhe_aes_256_suite", |scene| {
        let hello = Hello::tls12().offering(&[0x009f]).in_groups(&[0x0100]);
        scene.tls12(&hello).is_some()
    }),
    ("tls_1_2_dhe_suite", |scene| {
        let hello = Hello::tls12().offering(&[0x009e]).in_groups(&[0x0100]);
        scene.tls12(&hello).is_some()
    }),
    ("tls_1_2_group", |scene| {
        scene.tls12(&Hello::tls12().in_groups(&[P256])).is_some()
    }),
    ("tls_1_2_more_groups", |scene| {
        scene.tls12(&Hello::tls12().in_groups(&[P384])).is_some()
    }),
    ("no_weak_groups", |scene| {
        // sect163k1, secp160k1, secp192r1 and secp224r1.
        let weak = Hello::tls12().in_groups(&[1, 15, 19, 21]);
        let told = scene.said(&["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"]);
        let mut fields = told.lines().filter(|line| line.contains("Temp Key: DH"));
        let enough = ["2048", "3072", "4096"];
        scene.tls12(&weak).is_none()
            && fields.all(|field| enough.iter().any(|bits| field.contains(bits)))
    }),
    ("tls_1_2_signatures", |scene| {
        let schemes = ["RSA+SHA256", "RSA+SHA384", "ECDSA+SHA256", "ECDSA+SHA384"];
        scene.asks_for("-tls1_2", &schemes)
    }),
    ("session_resumption", |scene| {
        let told = scene.continued("-tls1_2", &[]);
        told.contains("Reused, TLSv1.2")
    }),
    ("extended_master_secret", |scene| {
        !with_master_secret(&scene.house, false).contains("HTTP/1.1")
    }),
    ("renegotiation", |scene| {
        let Some(answer) = scene.tls12(&Hello::tls12()) else {
            return true;
        };
        let told = renegotiating(&scene.house);
        answer.extension(RENEGOTIATION_INFO) == Some(&[0][..])
            && told.contains("Secure Renegotiation IS supported")
            && told.matches("HTTP/1.1 200").count() == 1
    }),
    ("no_compression", |scene| {
        let hello = Hello {
            compressions: vec![1, 0],
            ..Hello::tls12()
        };
        scene
            .tls12(&hello)
            .is_none_or(|answer| answer.compression == 0)
    }),
    ("no_truncated_hmac", |scene| {
        let hello = Hello::tls12().with(TRUNCATED_HMAC, &[]);
        scene
            .tls12(&hello)
            .is_none_or(|answer| answer.extension(TRUNCATED_HMAC).is_none())
    }),
    ("server_name", |scene| {
        let address = Hello::tls13().with(SERVER_NAME, &server_name("192.0.2.1"));
        !scene.connects(&["-servername", "other.example"])
            && address.ask(scene.house.gateway.address) == Reply::Alert(UNRECOGNIZED_NAME)
    }),
    ("token_of_its_certificate", |scene| {
        let own = scene.token_for(&scene.house.stage.acme.thumbprint());
        let of_another = scene.token_for(&scene.unlisted.thumbprint());
        let statuses = [own, of_another].map(|token| scene.status(&get(PATH, &token)));
        statuses == [200, 401]
    }),
    ("token_by_certificate", |scene| {
        let form = "grant_type=client_credentials&client_id=acme-app";
        let asked = format!(
            "POST /oauth2/token HTTP/1.1\r\nHost: {HOST}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        );
        scene.status(&asked) == 200
    }),
    ("token_by_own_certificate", |scene| {
        let stage = &scene.house.stage;
        let stranger = self_signed(stage, "stranger", &[]);
        let fetched = |who: &Identity| {
            let dialer = stage.dialer(who);
            let Ok(mut client) = dialer.connect(scene.house.gateway.address) else {
                return false;
            };
            let form = "grant_type=client_credentials&client_id=own";
            let sent = client.send(posted("/oauth2/token", form, ""));
            let answer = sent.ok().and_then(|()| client.read_answer(false).ok());
            answer.is_some_and(|answer| answer.status == 200)
        };
        fetched(&scene.own) && !fetched(&stranger)
    }),
    ("certificate_end", |scene| {
        let brief = scene.ca.issue_until("brief", &NAME, 4);
        let end = mint::now_s() + 4;
        let token = scene.token_for(&brief.thumbprint());
        let dialer = scene.house.stage.dialer(&brief);
        let mut client = dialer
            .connect(scene.house.gateway.address)
            .expect("a handshake before its end");
        assert_eq!(client.get(PATH, &token).status, 200);
        wait_until("the certificate to end", || mint::now_s() > end + 1);
        client.get(PATH, &token).status == 401 && client.closed_within(WAIT)
    }),
];

/// Ways to continue a session: RFC 8446 section 4.2.9.
const PSK_KE: u8 = 0;
const PSK_DHE_KE: u8 = 1;

/// Whether a client that verifies these signatures alone is shown no certificate: after the keys
/// nothing comes but one record of the size of an alert.
fn signed_by_none_of(scene: &Scene, schemes: &[u16]) -> bool {
    let hello = Hello::tls13().with(SIGNATURE_ALGORITHMS, &numbers(schemes));
    let records = say_all(scene.house.gateway.address, &hello.record());
    let sealed = records.iter().filter(|(content, _)| *content == 23);
    let lengths: Vec<usize> = sealed.map(|(_, length)| *length).collect();
    lengths == [2 + 1 + 16]
}

/// Every row is held against its probe; the rows come back.
fn hold(scene: &Scene) -> Vec<(String, bool, String)> {
    let rows = rows(&scene.house);
    let of_clauses: BTreeSet<&str> = rows
        .iter()
        .filter(|(_, is_rule, _)| !is_rule)
        .map(|(name, ..)| name.as_str())
        .collect();
    assert_eq!(of_clauses, PROBES.iter().map(|(name, _)| *name).collect());
    let wrong: Vec<String> = PROBES
        .iter()
        .filter_map(|(name, probe)| {
            let (.., status) = rows.iter().find(|(row, ..)| row == name)?;
            let found = probe(scene);
            (found != (status == "met"))
                .then(|| format!("{name}: the report says {status}, a client finds {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    rows
}

#[track_caller]
fn says(rows: &[(String, bool, String)], name: &str, status: &str) {
    let (.., found) = rows.iter().find(|(row, ..)| row == name).expect("a row");
    assert_eq!(found, status, "{name}");
}

fn name_lists(stage: &mut Stage, lists: [PathBuf; 2]) {
    for list in lists {
        let file = format!("file = {:?}", list.display().to_string());
        stage.config.table("crl", &file);
    }
}

#[test]
fn each_row_of_the_default_configuration_says_what_clients_find() {
    let scene = Scene::open(name_lists);
    let rows = hold(&scene);
    for name in [
        "revocation",
        "revocation_hard_fail",
        "next_update",
        "server_name",
    ] {
        says(&rows, name, "met");
    }
    says(&rows, "tls_1_2_dhe_suite", "not_met");
    says(&rows, "token_by_certificate", "not_met");
}

#[test]
fn each_row_of_a_configuration_with_grace_says_what_clients_find() {
    let scene = Scene::open(|stage, lists| {
        name_lists(stage, lists);
        stage.config.set_text("revocation.grace", "2h");
        // Those of the certificate, then.
        stage.config.unset("listen.server_names");
    });
    let rows = hold(&scene);
    says(&rows, "server_name", "met");
    says(&rows, "revocation_hard_fail", "met");
    says(&rows, "next_update", "waived");
}

#[test]
fn each_row_of_a_configuration_without_lists_or_tls_1_2_says_what_clients_find() {
    let scene = Scene::open(|stage, _| {
        stage.config.set_text("tls.profile", "modern");
    });
    let rows = hold(&scene);
    for name in ["revocation", "revocation_hard_fail", "next_update"] {
        says(&rows, name, "not_met");
    }
    says(&rows, "tls_1_2", "not_met");
    says(&rows, "extended_master_secret", "met");
}

/// With an EC and an RSA certificate, so that each suite has its key.
#[test]
fn each_row_of_the_strict_profile_says_what_clients_find() {
    let scene = Scene::open(|stage, lists| {
        name_lists(stage, lists);
        stage.config.set_text("tls.profile", "3gpp-strict");
        also_rsa(stage, HOST, &[]);
    });
    let rows = hold(&scene);
    for name in [
        "tls_1_2_dhe_suite",
        "tls_1_2_ecdhe_suite",
        "tls_1_2_ecdhe_rsa_suite",
    ] {
        says(&rows, name, "met");
    }
}

/// Adds an RSA certificate for this host, shown for these names.
fn also_rsa(stage: &mut Stage, host: &'static str, names: &[&str]) {
    let leaf = Leaf {
        key: Key::Rsa2048,
        ..Leaf::server(host)
    };
    let rsa = stage.operator_ca.issue("rsa", &leaf);
    let (certificate, key) = (rsa.certificate.display(), rsa.key.display());
    let also = format!(
        "names = {names:?}\ncertificate = {:?}\nkey = {{ file = {:?} }}",
        certificate.to_string(),
        key.to_string()
    );
    stage.config.table("tls.also", &also);
}

/// The suites of the other kind of key go with no certificate that is here.
#[test]
fn each_row_with_an_rsa_certificate_alone_says_what_clients_find() {
    let scene = Scene::open(|stage, lists| {
        name_lists(stage, lists);
        let leaf = Leaf {
            key: Key::Rsa2048,
            ..Leaf::server(HOST)
        };
        let rsa = stage.operator_ca.issue("rsa", &leaf);
        stage
            .config
            .set_text("tls.certificate", rsa.certificate.display());
        stage.config.set_text("tls.key.file", rsa.key.display());
    });
    let rows = hold(&scene);
    for name in ["tls_1_2_ecdhe_suite", "tls_1_2_ecdsa_aes_256_suite"] {
        says(&rows, name, "not_met");
    }
    for name in ["tls_1_2_ecdhe_rsa_suite", "tls_1_2_rsa_aes_256_suite"] {
        says(&rows, name, "met");
    }
}

/// It is shown to clients that ask for its name, and to no others.
#[test]
fn each_row_with_an_rsa_certificate_for_one_name_says_what_clients_find() {
    let scene = Scene::open(|stage, lists| {
        name_lists(stage, lists);
        also_rsa(stage, "rsa.example", &["rsa.example"]);
    });
    let rows = hold(&scene);
    says(&rows, "tls_1_2_ecdhe_rsa_suite", "not_met");
    says(&rows, "tls_1_2_ecdhe_suite", "met");
}

/// One group is lenient, all others are not: the report names that one.
#[test]
fn report_says_which_group_is_lenient_about_revocation_and_in_what() {
    let house = House::open_staged(|stage| {
        let ca = OpensslCa::new(stage.scratch.path(), "ca", "Partner CA of openssl");
        let list = ca.list("ca.crl", MONTH_S);
        let file = format!("file = {:?}", list.display().to_string());
        stage.config.table("crl", &file);
        let ca = format!("{:?}", ca.certificate.display().to_string());
        for (name, lenient) in [
            ("strict", ""),
            ("soft", "revocation = \"soft-fail\"\nocsp = \"soft-fail\""),
            ("patient", "crl_grace = \"1h\""),
            ("open", "revocation = \"off\""),
        ] {
            let group = format!("name = {name:?}\nclient_ca = {ca}\n{lenient}");
            stage.config.table("partner", &group);
        }
        let responder = format!("issuer = {ca}\nurl = \"http://127.0.0.1:1/\"");
        stage.config.table("ocsp", &responder);
    });
    let config = std::fs::read_to_string(&house.gateway.file).expect("our own file");
    let at = |line: &str| {
        let mut lines = config.lines();
        1 + lines.position(|found| found == line).expect("a line of it")
    };
    let soft = at("revocation = \"soft-fail\"");
    let off = at("revocation = \"off\"");
    let patient = at("crl_grace = \"1h\"");
    let (_, told) = report(&house, "json");
    let report: Value = serde_json::from_str(&told).expect("JSON");
    let rows = report["clauses"].as_array().expect("rows");
    let said = |name: &str, key: &str| {
        let row = rows.iter().find(|row| row["name"] == name).expect("a row");
        let places = row[key].as_array().map(Vec::as_slice);
        let places = places.unwrap_or_default().iter();
        let words: Vec<&str> = places.filter_map(Value::as_str).collect();
        words.join("; ")
    };
    let off = format!("partner[4].revocation, line {off}");
    let soft = format!("partner[2].revocation, line {soft}");
    let patient = format!("partner[3].crl_grace, line {patient}");
    let places = |name: &str| said(name, "places");
    assert_eq!(places("revocation"), off);
    assert_eq!(places("revocation_hard_fail"), format!("{off}; {soft}"));
    assert_eq!(places("next_update"), format!("{off}; {soft}; {patient}"));
    // Whom its responder calls revoked is refused all the same.
    assert_eq!(places("ocsp_clients"), "");
    let line = at("ocsp = \"soft-fail\"");
    let in_doubt = format!("is let in by partner[2].ocsp, line {line}");
    assert!(said("ocsp_clients", "but").contains(&in_doubt), "{told}");
}

/// A client for each rule that its certificate's content can break alone, against a group that
/// waives nothing, and against one that waives all it may.
#[test]
fn rule_that_is_met_refuses_whom_it_is_about_and_one_that_is_waived_lets_them_in() {
    let waivable = [
        "name_form",
        "name_strings",
        "name_order",
        "optional_extension_critical",
        "key_usage",
        "key_usage_critical",
        "extended_key_usage_critical",
        "crl_distribution_points",
        "crl_distribution_points_critical",
    ];
    for waived in [&[][..], &waivable] {
        let profiled = Profiled::open(&Recipe::ca("Partner TLS CA"), waived);
        let rows = rows(&profiled.house);
        let scratch = &profiled.house.stage.scratch;
        for (rule, _, mut recipe) in broken_leaves() {
            // Of the extensions that a group may have critical, path validation has to process the
            // one that is there: RFC 5280 section 4.2.
            if rule == "optional_extension_critical" && waived.contains(&rule) {
                let below = der(0x30, &der(0x82, b"example"));
                let constraints = der(0x30, &der(0xa0, &below));
                recipe =
                    Recipe::client("scs.acme.example").with(&NAME_CONSTRAINTS, true, &constraints);
            }
            let made = recipe.signed_by(&profiled.ca, rcgen::KeyPair::generate().expect("a key"));
            let certificate = scratch.write("broken.pem", made.certificate.pem());
            let key = scratch.write("broken.key", made.key.serialize_pem());
            let who = Identity::of_files(certificate, key, made.der().clone());
            let before = profiled.broken(rule);
            let told = said_by(&profiled.house, &who, &["-tls1_3"]);
            let refused = profiled.broken(rule) == before + 1 && told.contains("SSL alert number");
            let served = told.contains("HTTP/1.1 401");
            assert_ne!(refused, served, "{rule}: {told}");
            let (.., status) = rows.iter().find(|(row, ..)| row == rule).expect("a row");
            let wanted = if refused { "met" } else { "waived" };
            assert_eq!(status, wanted, "{rule}");
            assert_eq!(served, waived.contains(&rule), "{rule}");
        }
    }
}
