//! Clients that have signed their certificates themselves and registered them (RFC 8705 section
//! 2.2): tokens and T8 requests by them, with openssl and curl as clients, over reloads and
//! revocation.

use std::path::Path;

use rustls::HandshakeKind;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::authorization::assert_problem;
use crate::clock::Clock;
use crate::harness::client::Client;
use crate::harness::gateway::{check, t8gate, write};
use crate::harness::mint::now_s;
use crate::harness::peers::{curl, s_client, url};
use crate::harness::pki::{Identity, since_epoch};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{WAIT, command, run, run_well, wait_until};
use crate::issuer::{FORM, TOKEN, asked, assert_grant_refused, claims, token_of};
use crate::reload::{ON_SIGNAL, reload, reload_in_vain, rewrite};
use crate::resumption::visit;

const VERSIONS: [(&str, &str); 2] = [("1.2", "-tls1_2"), ("1.3", "-tls1_3")];

/// Made by openssl as its manual says, with what the profile asks for; openssl says of it that it
/// is a CA's.
pub fn made(stage: &Stage, stem: &str, more: &[&str]) -> Identity {
    let (key, certificate) = (
        stage.scratch.path().join(format!("{stem}.key")),
        stage.scratch.path().join(format!("{stem}.pem")),
    );
    let mut openssl = command("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt"]);
    openssl.args(["ec_paramgen_curve:P-256", "-nodes", "-subj"]);
    openssl.args(["/O=Example/CN=SCS of its own", "-addext"]);
    openssl.args(["keyUsage=critical,digitalSignature", "-keyout"]);
    openssl.arg(&key).arg("-out").arg(&certificate).args(more);
    run_well(&mut openssl);
    let der = CertificateDer::from_pem_file(&certificate).expect("a certificate");
    let pair = rcgen::KeyPair::from_pem(&std::fs::read_to_string(&key).expect("a key"));
    Identity::with_key(certificate, key, der.into_owned(), &pair.expect("a key"))
}

/// `acme` is known by these files.
fn register(stage: &mut Stage, files: &[&Path]) {
    let globex = stage.config.table_body("client", 1);
    let files: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let acme = format!(
        "name = \"acme\"\nclient_id = \"acme-app\"\nscs_as_ids = [\"acme\"]\n\
         self_signed_tls_client_auth = {files:?}\nscopes = [{API:?}]"
    );
    stage
        .config
        .without_tables("client")
        .table("client", &acme)
        .table("client", &globex);
}

struct Scene {
    house: House,
    own: Identity,
}

impl Scene {
    fn open(change: impl FnOnce(&mut Stage)) -> Self {
        let mut own = None;
        let house = House::open_staged(|stage| {
            stage.issue_tokens();
            // The name of another client, which it does not become by that.
            let made = made(
                stage,
                "own",
                &["-addext", "subjectAltName=URI:urn:scs:globex"],
            );
            register(stage, &[&made.certificate]);
            own = Some(made);
            change(stage);
        });
        let own = own.expect("made above");
        Self { house, own }
    }

    fn connect(&self, who: &Identity) -> std::io::Result<Client> {
        self.house
            .stage
            .dialer(who)
            .connect(self.house.gateway.address)
    }

    /// What openssl is told, in one version of TLS.
    fn told(&self, who: &Identity, version: &str) -> String {
        let (address, stage) = (self.house.gateway.address, &self.house.stage);
        let ca = &stage.operator_ca.certificate;
        let outcome = s_client(address, ca, Some(who), &[version], b"");
        outcome.stdout + &outcome.stderr
    }

    #[track_caller]
    fn is_of_no_ca(&self, who: &Identity) {
        for (_, version) in VERSIONS {
            let told = self.told(who, version);
            assert!(told.contains("alert unknown ca"), "{version}: {told}");
        }
    }
}

//= RFC 8705 section 2.2 type=test
//# A client authenticates by the certificate that it has registered, which no CA vouches for.
#[test]
fn spec_5_2_row_08_curl_fetches_a_token_by_a_registered_certificate_and_uses_it() {
    let scene = Scene::open(|_| {});
    let (house, own) = (&scene.house, &scene.own);
    let (address, ca) = (house.gateway.address, &house.stage.operator_ca.certificate);
    for (version, _) in VERSIONS {
        let curl = || {
            let mut curl = curl(address, ca, Some(own));
            curl.args(["--tls-max", version])
                .arg(format!("--tlsv{version}"));
            curl
        };
        let said = run_well(curl().args(["--data", FORM]).arg(url(address, TOKEN)));
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        let token = said["access_token"].as_str().expect("a token");
        assert_eq!(claims(token)["cnf"]["x5t#S256"], own.thumbprint());
        assert_eq!(claims(token)["client_id"], "acme-app");
        let mut get = curl();
        get.args(["--fail", "--oauth2-bearer", token]);
        let outcome = run(get.arg(url(address, PATH)), b"", WAIT);
        assert!(outcome.status.success(), "{version}: {}", outcome.stderr);
    }
    assert_eq!(house.origin.requests(), 2);
}

#[test]
fn spec_5_2_row_08_openssl_connects_by_a_registered_certificate_and_continues_its_session() {
    let scene = Scene::open(|_| {});
    let (address, stage) = (scene.house.gateway.address, &scene.house.stage);
    let sessions = stage
        .scratch
        .path()
        .join("session.pem")
        .display()
        .to_string();
    for (_, version) in VERSIONS {
        let ask = format!("GET {PATH} HTTP/1.1\r\nHost: t8\r\nConnection: close\r\n\r\n");
        for (kept, line) in [("-sess_out", "New, "), ("-sess_in", "Reused, ")] {
            let arguments = [version, kept, &sessions];
            let ca = &stage.operator_ca.certificate;
            let outcome = s_client(address, ca, Some(&scene.own), &arguments, ask.as_bytes());
            let told = outcome.stdout + &outcome.stderr;
            assert!(told.contains(line), "{version} {kept}: {told}");
            assert!(told.contains("HTTP/1.1 401"), "{version} {kept}: {told}");
        }
    }
}

#[test]
fn spec_5_2_row_08_registered_certificate_is_its_client_and_no_other_by_any_name() {
    let scene = Scene::open(|stage| {
        // Had it been known by its name, it would be this one.
        stage.config.extend_table(
            "client",
            1,
            &format!("tls_client_auth_san_uri = \"urn:scs:globex\"\nscopes = [{API:?}]"),
        );
    });
    let mut client = scene.connect(&scene.own).expect("a registered certificate");
    let globex = FORM.replace("acme-app", "globex-app");
    assert_grant_refused(&asked(&mut client, &globex), "invalid_client");
    let token = token_of(&asked(&mut client, FORM));
    assert_eq!(client.get(PATH, &token).status, 200);
    let other = PATH.replace("/acme/", "/globex/");
    assert_problem(&client.get(&other, &token), 403);
    // It signs no assertion, and sends no secret.
    let asserting = format!(
        "{FORM}&client_assertion=a.b.c&client_assertion_type=\
         urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    );
    assert_grant_refused(&asked(&mut client, &asserting), "invalid_client");
    // And the other client is who it was, and cannot use the token.
    let mut other = scene
        .connect(&scene.house.stage.globex)
        .expect("a certificate of the CA");
    token_of(&asked(&mut other, &globex));
    assert_grant_refused(&asked(&mut other, FORM), "invalid_client");
    let own = PATH.replace("/acme/", "/globex/");
    assert_problem(&other.get(&own, &token), 401);
}

#[test]
fn spec_5_2_row_08_what_is_not_registered_is_refused_by_the_alert_of_an_unknown_ca() {
    let scene = Scene::open(|_| {});
    let stage = &scene.house.stage;
    let not_ca = ["-addext", "basicConstraints=critical,CA:FALSE"];
    scene.is_of_no_ca(&made(stage, "stranger", &not_ca));
    // Whoever makes an anchor of it lets a client issue certificates.
    let hint = "register it by self_signed_tls_client_auth";
    scene.house.gateway.await_log(hint);
    scene.is_of_no_ca(&made(stage, "plain", &[]));
    // The same key in another certificate, and the name of a client that goes by names.
    let key = scene.own.key.display().to_string();
    let again = [
        &["-key", &key, "-addext", "subjectAltName=URI:urn:scs:globex"][..],
        &not_ca,
    ];
    scene.is_of_no_ca(&made_with_key(stage, "again", &scene.own, &again.concat()));
    // A certificate of the partners' CA with a name that acme was known by is nobody's.
    for (_, version) in VERSIONS {
        let told = scene.told(&stage.acme, version);
        assert!(told.contains("alert access denied"), "{version}: {told}");
    }
}

fn made_with_key(stage: &Stage, stem: &str, of: &Identity, more: &[&str]) -> Identity {
    let certificate = stage.scratch.path().join(format!("{stem}.pem"));
    let mut openssl = command("openssl");
    openssl.args([
        "req",
        "-x509",
        "-new",
        "-subj",
        "/O=Example/CN=Again",
        "-out",
    ]);
    openssl.arg(&certificate).args(more);
    run_well(&mut openssl);
    let der = CertificateDer::from_pem_file(&certificate).expect("a certificate");
    Identity::of_files(certificate, of.key.clone(), der.into_owned())
}

#[test]
fn spec_5_2_row_08_certificates_are_changed_by_a_reload_that_ends_what_lost_its_registration() {
    let mut scene = Scene::open(|stage| {
        stage.config.set("reload.watch", ON_SIGNAL);
    });
    let next = made(&scene.house.stage, "next", &[]);
    scene.is_of_no_ca(&next);
    let address = scene.house.gateway.address;
    let dialer = scene.house.stage.dialer(&scene.own).resuming();
    let mut first = dialer.connect(address).expect("registered");
    let token = token_of(&asked(&mut first, FORM));
    // Both, for as long as the client has both.
    let own = scene.own.certificate.clone();
    scene.reregister(&[&own, &next.certificate]);
    assert_eq!(first.get(PATH, &token).status, 200);
    let mut second = scene.connect(&next).expect("registered as well");
    assert_eq!(
        visit(&dialer, address).expect("registered"),
        HandshakeKind::Full
    );
    assert_eq!(
        visit(&dialer, address).expect("registered"),
        HandshakeKind::Resumed
    );
    // The token is of the other certificate.
    assert_problem(&second.get(PATH, &token), 401);
    let renewed = token_of(&asked(&mut second, FORM));
    // The old one goes: its connections and sessions with it.
    scene.reregister(&[&next.certificate]);
    assert!(first.closed(), "the old one's connection stands");
    assert!(visit(&dialer, address).is_err());
    scene.is_of_no_ca(&scene.own);
    assert_eq!(second.get(PATH, &renewed).status, 200);
    // What cannot be registered changes nothing.
    let acme = scene.house.stage.acme.certificate.clone();
    scene.rewrite(&[&next.certificate, &acme]);
    reload_in_vain(&scene.house);
    let log = scene.house.gateway.log();
    assert!(log.contains("is not signed with its own key"), "{log}");
    assert_eq!(second.get(PATH, &renewed).status, 200);
}

impl Scene {
    fn rewrite(&mut self, files: &[&Path]) {
        register(&mut self.house.stage, files);
        rewrite(&mut self.house, |_| {});
    }

    fn reregister(&mut self, files: &[&Path]) {
        self.rewrite(files);
        reload(&self.house);
        crate::trust_lost::let_shards_look();
    }
}

#[test]
fn spec_5_2_row_08_file_of_a_registered_certificate_is_watched() {
    let scene = Scene::open(|stage| {
        stage.config.set_text("reload.watch", "100ms");
    });
    let mut before = scene.connect(&scene.own).expect("registered");
    let token = token_of(&asked(&mut before, FORM));
    let next = made(&scene.house.stage, "next", &[]);
    std::fs::copy(&next.certificate, &scene.own.certificate).expect("our own file");
    let (dialer, address) = (scene.house.stage.dialer(&next), scene.house.gateway.address);
    wait_until("the next certificate", || visit(&dialer, address).is_ok());
    assert!(before.closed());
    let mut after = scene.connect(&next).expect("registered");
    assert_problem(&after.get(PATH, &token), 401);
    token_of(&asked(&mut after, FORM));
}

/// Lists and responders cannot speak of it; the operator can.
#[test]
fn spec_5_2_row_08_registered_certificate_is_revoked_by_the_operator_alone() {
    let scene = Scene::open(|stage| {
        let (store, socket) = ("revoked.redb", "admin.sock");
        stage.config.set_text("revocation.store", store);
        stage.config.set_text("admin.socket", socket);
        stage.config.set_text("revocation.policy", "hard-fail");
        stage.config.set_text("revocation.ocsp", "hard-fail");
        let ca = crate::harness::openssl_ca::OpensslCa::new(stage.scratch.path(), "ca", "A CA");
        let list = ca.list("ca.crl", 86_400).display().to_string();
        let issuer = ca.certificate.display().to_string();
        let crl = format!("file = {list:?}\nissuer = {issuer:?}");
        stage.config.table("crl", &crl);
        let ocsp = format!("issuer = {issuer:?}\nurl = \"http://127.0.0.1:9/\"");
        stage.config.table("ocsp", &ocsp);
    });
    let mut client = scene.connect(&scene.own).expect("registered");
    let token = token_of(&asked(&mut client, FORM));
    assert_eq!(client.get(PATH, &token).status, 200);
    let mut revoke = t8gate(&["token", "revoke", "--config"]);
    revoke
        .arg(&scene.house.gateway.file)
        .arg("--certificate")
        .arg(&scene.own.certificate);
    run_well(&mut revoke);
    assert!(client.closed());
    let told = scene.told(&scene.own, "-tls1_3");
    assert!(told.contains("alert certificate revoked"), "{told}");
}

#[test]
fn spec_5_2_row_08_certificates_that_cannot_be_registered_are_faults_of_the_configuration() {
    let origin = crate::harness::origin::Origin::start();
    let mut stage = Stage::new(origin.address);
    stage.issue_tokens();
    stage
        .config
        .set_text("listen.address", crate::harness::free_address());
    let own = made(&stage, "own", &[]);
    let p521 = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"];
    let faults = [
        (
            made(&stage, "p521", &p521).certificate,
            "breaks the rule curve",
        ),
        (
            stage.acme.certificate.clone(),
            "is not signed with its own key",
        ),
        (
            made(
                &stage,
                "purpose",
                &["-addext", "extendedKeyUsage=serverAuth"],
            )
            .certificate,
            { "breaks the rule extended_key_usage" },
        ),
        (
            stage.partner_ca.certificate.clone(),
            "breaks the rule key_usage",
        ),
    ];
    for (file, what) in faults {
        register(&mut stage, &[&own.certificate, &file]);
        let written = write(stage.scratch.path(), &stage.config);
        let at = format!("{}:{}: ", written.display(), line_of_key(&written));
        let outcome = check(&written, &[]);
        assert!(!outcome.status.success());
        let said = outcome.stdout + &outcome.stderr;
        assert!(
            said.contains(what) && said.contains("client acme"),
            "{what}: {said}"
        );
        // Which of them it is: by the line that names its file, the file and its hash.
        let fault = said.lines().find(|line| line.contains(&at)).expect(&said);
        let der = CertificateDer::from_pem_file(&file).expect("a certificate");
        let called = format!("{} in {}", fingerprint(&der), file.display());
        assert!(fault.contains(&called) && fault.contains(what), "{said}");
    }
    // Of one that is not there it is said once.
    let missing = stage.scratch.path().join("missing.pem");
    register(&mut stage, &[&own.certificate, &missing]);
    let outcome = check(&write(stage.scratch.path(), &stage.config), &[]);
    let faults = outcome.stderr.matches("missing.pem").count();
    assert_eq!(faults, 1, "{}", outcome.stderr);
    register(&mut stage, &[&own.certificate]);
    let file = own.certificate.display().to_string();
    let twice = stage.config.table_body("client", 0).replace("acme", "twin");
    stage.config.table("client", &twice);
    let outcome = check(&write(stage.scratch.path(), &stage.config), &[]);
    let said = outcome.stdout + &outcome.stderr;
    assert!(
        said.contains("is registered for the client_id \"acme-app\" as well"),
        "{said}: {file}"
    );
}

fn line_of_key(file: &Path) -> usize {
    let text = std::fs::read_to_string(file).expect("our own file");
    let mut lines = text.lines();
    1 + lines
        .position(|line| line.starts_with("self_signed_tls_client_auth"))
        .expect("it stands there")
}

/// The beginning of what openssl calls it.
fn fingerprint(der: &[u8]) -> String {
    let mut openssl = command("openssl");
    openssl.args([
        "x509",
        "-inform",
        "DER",
        "-noout",
        "-fingerprint",
        "-sha256",
    ]);
    let said = run(&mut openssl, der, WAIT).stdout;
    let (_, octets) = said.split_once('=').expect("a fingerprint");
    octets[..17].to_owned()
}

/// With the profile's key usage, valid at these seconds from now.
fn valid(stage: &Stage, stem: &str, seconds: std::ops::Range<i64>) -> Identity {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = &mut params.distinguished_name;
    name.push(rcgen::DnType::OrganizationName, "Example");
    name.push(rcgen::DnType::CommonName, stem);
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(seconds.start);
    params.not_after = epoch + since_epoch(seconds.end);
    let key = rcgen::KeyPair::generate().expect("a key");
    let made = params.self_signed(&key).expect("a sound request");
    let file = |ending: &str| stage.scratch.path().join(format!("{stem}.{ending}"));
    std::fs::write(file("pem"), made.pem()).expect("our own file");
    std::fs::write(file("key"), key.serialize_pem()).expect("our own file");
    Identity::with_key(file("pem"), file("key"), made.der().clone(), &key)
}

/// The day is known to whoever sees the certificate: it must not be the gateway's last.
#[test]
fn spec_5_2_row_08_registered_certificate_that_has_expired_lets_nobody_in_and_stops_nothing() {
    let (mut ended, mut ending) = (None, None);
    let mut scene = Scene::open(|stage| {
        stage.config.set("reload.watch", ON_SIGNAL);
        let late = valid(stage, "late", -86_400..-60);
        let soon = valid(stage, "soon", -86_400..86_400);
        let own = stage.scratch.path().join("own.pem");
        register(stage, &[&late.certificate, &own, &soon.certificate]);
        (ended, ending) = (Some(late), Some(soon));
    });
    let ended = ended.expect("made above");
    let ending = ending.expect("made above");
    // It has started, and says so; the others of the client are taken.
    let said = |file: &Identity, what: &str| {
        let path = file.certificate.display();
        let called = fingerprint(&file.der);
        format!("client acme: the self-signed certificate {called} in {path} {what}")
    };
    let expired = said(&ended, "has expired, and lets nobody in");
    let soon = said(&ending, "ends soon");
    let checked = check(&scene.house.gateway.file, &[]);
    assert!(checked.status.success(), "{}", checked.stderr);
    for warning in [&expired, &soon] {
        scene.house.gateway.await_log(warning);
        let warns = |line: &str| line.starts_with("WARN") && line.contains(warning.as_str());
        assert!(checked.stdout.lines().any(warns), "{}", checked.stdout);
    }
    let fine = said(&scene.own, "");
    assert!(!checked.stdout.contains(&fine), "{}", checked.stdout);
    for who in [&scene.own, &ending] {
        let mut client = scene.connect(who).expect("registered");
        token_of(&asked(&mut client, FORM));
    }
    for (_, version) in VERSIONS {
        let told = scene.told(&ended, version);
        assert!(told.contains("alert certificate expired"), "{told}");
    }
    // And a reload comes into force with it, which says it again.
    let next = made(&scene.house.stage, "next", &[]);
    scene.reregister(&[&ended.certificate, &next.certificate]);
    scene.connect(&next).expect("registered");
    scene.is_of_no_ca(&scene.own);
    let said = || scene.house.gateway.log().matches(&expired).count();
    wait_until("it to be said again", || said() == 2);
}

/// Its client would be out one day, with no file changed and nobody told.
#[test]
fn spec_5_2_row_08_end_of_a_registered_certificate_is_said_while_the_gateway_serves() {
    const DAY_S: i64 = 86_400;
    let mut clock = None;
    let scene = Scene::open(|stage| {
        let brief = valid(stage, "brief", -DAY_S..30 * DAY_S);
        let own = stage.scratch.path().join("own.pem");
        register(stage, &[&own, &brief.certificate]);
        clock = Some(Clock::of(stage));
        stage.watch();
    });
    let name = "t8gate_registered_certificate_expiry_timestamp_seconds";
    let end = scene.house.gateway.admin().metrics().count(name, &[]);
    let end = i64::try_from(end).expect("seconds since 1970");
    let days = (end - now_s()) / DAY_S;
    assert!((29..=30).contains(&days), "{days}");
    let clock = clock.expect("made above");
    assert!(
        !scene
            .house
            .gateway
            .log()
            .contains("the self-signed certificate")
    );
    clock.set(20 * DAY_S, &scene.house);
    scene.house.gateway.await_log("brief.pem ends soon");
    clock.set(31 * DAY_S, &scene.house);
    scene
        .house
        .gateway
        .await_log("brief.pem has expired, and lets nobody in");
}

/// What a client goes by that chooses its certificate by the names it is told.
#[test]
fn spec_5_2_row_08_openssl_is_told_the_names_of_registered_certificates_beside_those_of_cas() {
    let mut scene = Scene::open(|stage| {
        stage.config.set("reload.watch", ON_SIGNAL);
    });
    let names = |scene: &Scene| {
        VERSIONS.map(|(_, version)| {
            let (address, stage) = (scene.house.gateway.address, &scene.house.stage);
            let ask = format!("GET {PATH} HTTP/1.1\r\nHost: t8\r\nConnection: close\r\n\r\n");
            let (ca, globex) = (&stage.operator_ca.certificate, Some(&stage.globex));
            let told = s_client(address, ca, globex, &[version], ask.as_bytes()).stdout;
            let (_, names) = told.split_once(NAMES).expect(&told);
            let (names, _) = names.split_once("Requested Signature").expect(&told);
            names.to_owned()
        })
    };
    for names in names(&scene) {
        assert!(names.contains("CN = SCS of its own"), "{names}");
        assert_eq!(names.matches("CN = ").count(), 2, "{names}");
    }
    let next = valid(&scene.house.stage, "another name", -60..365 * 86_400);
    scene.reregister(&[&next.certificate]);
    for names in names(&scene) {
        assert!(names.contains("CN = another name"), "{names}");
        assert_eq!(names.matches("CN = ").count(), 2, "{names}");
    }
}

const NAMES: &str = "Acceptable client certificate CA names";

/// The file of a client's is written by the command that writes the others.
#[test]
fn spec_5_2_row_08_client_is_added_by_its_certificate() {
    let mut own = None;
    let house = House::open_staged(|stage| {
        stage.issue_tokens();
        stage.config.set_text("reload.watch", "100ms");
        stage.config.set_text("clients.folder", "clients.d");
        std::fs::create_dir(stage.scratch.path().join("clients.d")).expect("our own folder");
        own = Some(made(stage, "own", &[]));
    });
    let own = own.expect("made above");
    let mut add = t8gate(&[
        "client",
        "add",
        "initech",
        "--scs-as-id",
        "initech",
        "--scope",
        API,
    ]);
    add.arg("--self-signed-tls-client-auth")
        .arg(&own.certificate);
    run_well(add.arg("--config").arg(&house.gateway.file));
    let dialer = house.stage.dialer(&own);
    let address = house.gateway.address;
    wait_until("the client", || visit(&dialer, address).is_ok());
    let mut client = dialer.connect(house.gateway.address).expect("registered");
    let token = token_of(&asked(&mut client, &FORM.replace("acme-app", "initech")));
    assert_eq!(
        client
            .get(&PATH.replace("/acme/", "/initech/"), &token)
            .status,
        200
    );
    let mut show = t8gate(&["client", "show", "initech", "--config"]);
    let shown = run_well(show.arg(&house.gateway.file));
    let file = own.certificate.display().to_string();
    assert!(shown.contains(&file), "{shown}");
    // An operator issues to its certificate, and to no other.
    for (certificate, well) in [(&own, true), (&house.stage.acme, false)] {
        let mut issue = t8gate(&["token", "issue", "--client", "initech", "--certificate"]);
        issue
            .arg(&certificate.certificate)
            .arg("--config")
            .arg(&house.gateway.file);
        let outcome = run(&mut issue, b"", WAIT);
        assert_eq!(
            outcome.status.success(),
            well,
            "{}{}",
            outcome.stdout,
            outcome.stderr
        );
    }
}
