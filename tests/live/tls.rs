//! Who gets through the handshake, and who does not.

use std::time::Duration;

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

use crate::harness::client::{Client, Dialer, HOST};
use crate::harness::origin::Origin;
use crate::harness::peers;
use crate::harness::pki::{Authority, Identity, Key, Leaf, Purpose, San};
use crate::harness::stage::{API, House, PATH, Stage};
use crate::harness::{mint, wait_until};

/// The fault a connection with this identity ends with, before or after the client's side of the
/// handshake is done.
fn refusal(house: &House, identity: &Identity) -> String {
    let refused = house.stage.dialer(identity).connect(house.gateway.address);
    let said = match refused {
        Err(fault) => fault.to_string(),
        Ok(mut client) => client.refusal(),
    };
    assert_eq!(house.origin.requests(), 0);
    said
}

fn refused_leaf(leaf: &Leaf) -> String {
    let house = House::open();
    let identity = house.stage.partner_ca.issue("refused", leaf);
    refusal(&house, &identity)
}

fn assert_alert(said: &str, names: &[&str]) {
    assert!(said.contains("alert"), "no alert: {said}");
    assert!(
        names.iter().any(|name| said.contains(name)),
        "{said}: none of {names:?}"
    );
}

fn serves(house: &House, client: &mut Client) {
    assert_eq!(client.get(PATH, &house.token()).status, 200);
}

//= TS 33.210 clause 6.2.1 type=test
//# TLS 1.3 and TLS 1.2 are both spoken.
#[test]
fn both_versions_of_tls_are_served() {
    let house = House::open();
    for version in [&TLS13, &TLS12] {
        let stage = &house.stage;
        let dialer = Dialer::only(&stage.operator_ca.der, &stage.acme, HOST, version);
        let mut client = dialer.connect(house.gateway.address).unwrap();
        assert_eq!(client.tls().protocol_version(), Some(version.version));
        serves(&house, &mut client);
    }
}

//= TS 33.210 clause 6.2.1 type=test
//# TLS 1.1 and older are not.
#[test]
fn tls_1_1_is_refused() {
    let house = House::open();
    let stage = &house.stage;
    let arguments = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    let ca = &stage.operator_ca.certificate;
    let outcome = peers::s_client(
        house.gateway.address,
        ca,
        Some(&stage.acme),
        &arguments,
        b"",
    );
    assert!(!outcome.status.success(), "{}", outcome.stdout);
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.contains("alert protocol version"), "{said}");
}

#[test]
fn server_keys_of_every_kind_serve_from_a_file() {
    for key in [Key::P256, Key::P384, Key::Rsa2048] {
        let origin = Origin::start();
        let stage = Stage::with_server_key(origin.address, key);
        let gateway = stage.start();
        let house = House {
            gateway,
            origin,
            stage,
        };
        serves(&house, &mut house.client());
    }
}

//= TS 33.187 clause 5.5.1 type=test
//# Both ends show certificates; without one there is no connection.
#[test]
fn client_without_certificate_is_refused() {
    let house = House::open();
    let dialer = Dialer::new(&house.stage.operator_ca.der, None, HOST);
    let mut client = dialer.connect(house.gateway.address).unwrap();
    assert_alert(&client.refusal(), &["CertificateRequired"]);
}

#[test]
fn client_without_certificate_is_refused_in_tls_1_2() {
    let house = House::open();
    let ca = &house.stage.operator_ca.certificate;
    let outcome = peers::s_client(house.gateway.address, ca, None, &["-tls1_2"], b"");
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.contains("alert"), "{said}");
    assert!(!outcome.status.success());
}

#[test]
fn certificate_of_an_unknown_ca_is_refused() {
    let house = House::open();
    let other = Authority::new(house.stage.scratch.path(), "Other CA", Key::P256);
    let identity = other.issue("stranger", &Leaf::client(San::Dns("scs.acme.example")));
    assert_alert(&refusal(&house, &identity), &["UnknownCA", "DecryptError"]);
}

/// A CA with the same name as the trusted one is not the trusted one.
#[test]
fn certificate_of_a_namesake_of_the_trusted_ca_is_refused() {
    let house = House::open();
    let directory = house.stage.scratch.path().join("namesake");
    std::fs::create_dir(&directory).unwrap();
    let namesake = Authority::new(&directory, "Partner TLS CA", Key::P384);
    let identity = namesake.issue("stranger", &Leaf::client(San::Dns("scs.acme.example")));
    let alerts = ["UnknownCA", "DecryptError", "BadCertificate"];
    assert_alert(&refusal(&house, &identity), &alerts);
}

#[test]
fn expired_certificate_is_refused() {
    let valid_until_s = -120;
    let leaf = Leaf {
        valid_until_s,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    assert_alert(&refused_leaf(&leaf), &["CertificateExpired"]);
}

#[test]
fn certificate_that_is_not_valid_yet_is_refused() {
    let valid_from_s = 3_600;
    let leaf = Leaf {
        valid_from_s,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    assert_alert(
        &refused_leaf(&leaf),
        &["CertificateExpired", "BadCertificate", "CertificateUnknown"],
    );
}

//= TS 33.310 clause 6.1.3a type=test
//# An extendedKeyUsage that is there names clientAuth.
#[test]
fn server_certificate_of_a_client_is_refused() {
    let purpose = Some(Purpose::Server);
    let leaf = Leaf {
        purpose,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    assert!(refused_leaf(&leaf).contains("alert"));
}

#[test]
fn certificate_without_extended_key_usage_is_served() {
    let house = House::open();
    let leaf = Leaf {
        purpose: None,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    let identity = house.stage.partner_ca.issue("plain", &leaf);
    let mut client = house
        .stage
        .dialer(&identity)
        .connect(house.gateway.address)
        .unwrap();
    let claims = mint::claims("acme-app", "3gpp-monitoring-event", &identity.thumbprint());
    assert_eq!(
        client.get(PATH, &house.stage.mint.good(&claims)).status,
        200
    );
}

//= TS 33.310 clause 6.1.3a type=test
//# keyUsage has digitalSignature.
#[test]
fn certificate_without_digital_signature_is_refused() {
    let key_usages = vec![rcgen::KeyUsagePurpose::KeyAgreement];
    let leaf = Leaf {
        key_usages,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    assert!(refused_leaf(&leaf).contains("alert"));
}

#[test]
fn certificate_without_key_usage_is_refused() {
    let key_usages = Vec::new();
    let leaf = Leaf {
        key_usages,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    assert!(refused_leaf(&leaf).contains("alert"));
}

#[test]
fn certificate_mapped_to_no_client_is_refused() {
    let said = refused_leaf(&Leaf::client(San::Dns("unmapped.example")));
    let alerts = ["CertificateUnknown", "AccessDenied", "BadCertificate"];
    assert_alert(&said, &alerts);
}

#[test]
fn certificate_mapped_to_two_clients_is_refused() {
    let mut leaf = Leaf::client(San::Dns("scs.acme.example"));
    leaf.sans.push(San::Uri("urn:scs:globex"));
    assert!(refused_leaf(&leaf).contains("alert"));
}

/// The common name is for people: it opens nothing.
#[test]
fn common_name_is_not_an_identity() {
    let common_name = "scs.acme.example";
    let mut leaf = Leaf {
        common_name,
        ..Leaf::client(San::Dns("unmapped.example"))
    };
    assert!(refused_leaf(&leaf).contains("alert"));
    leaf.sans.clear();
    assert!(refused_leaf(&leaf).contains("alert"));
}

#[test]
fn dns_name_and_uri_are_both_identities() {
    let house = House::open();
    serves(&house, &mut house.client());
    let stage = &house.stage;
    let mut client = stage
        .dialer(&stage.globex)
        .connect(house.gateway.address)
        .unwrap();
    let claims = mint::claims("globex-app", "3gpp-nidd", &stage.globex.thumbprint());
    let path = "/3gpp-nidd/v1/globex/configurations";
    assert_eq!(client.get(path, &stage.mint.good(&claims)).status, 200);
}

//= RFC 6066 section 3 type=test
//# A name that is not served is answered by unrecognized_name.
#[test]
fn unknown_server_name_is_refused() {
    let house = House::open();
    let stage = &house.stage;
    let dialer = Dialer::new(&stage.operator_ca.der, Some(&stage.acme), "other.example");
    let fault = dialer
        .connect(house.gateway.address)
        .err()
        .expect("refused")
        .to_string();
    assert_alert(&fault, &["UnrecognizedName", "UnrecognisedName"]);
}

#[test]
fn client_without_server_name_is_served() {
    let house = House::open();
    let dialer = house.stage.dialer(&house.stage.acme).without_name();
    serves(&house, &mut dialer.connect(house.gateway.address).unwrap());
}

#[test]
fn server_name_is_taken_in_any_case() {
    let house = House::open();
    let stage = &house.stage;
    let arguments = ["-servername", "T8.EXAMPLE", "-tls1_3"];
    let ca = &stage.operator_ca.certificate;
    let outcome = peers::s_client(
        house.gateway.address,
        ca,
        Some(&stage.acme),
        &arguments,
        b"x\r\n\r\n",
    );
    assert!(
        outcome.stdout.contains("Verify return code: 0"),
        "{}",
        outcome.stdout
    );
}

fn resumes(version: &'static rustls::SupportedProtocolVersion) {
    let house = House::open();
    let stage = &house.stage;
    let dialer = Dialer::only(&stage.operator_ca.der, &stage.acme, HOST, version).resuming();
    let mut first = dialer.connect(house.gateway.address).unwrap();
    assert_ne!(first.handshake_kind(), Some(HandshakeKind::Resumed));
    serves(&house, &mut first);
    let mut second = dialer.connect(house.gateway.address).unwrap();
    assert_eq!(second.handshake_kind(), Some(HandshakeKind::Resumed));
    // A resumed connection belongs to the same client: its token, bound to the certificate, works.
    serves(&house, &mut second);
}

#[test]
fn tls_1_3_sessions_resume_with_their_identity() {
    resumes(&TLS13);
}

#[test]
fn tls_1_2_sessions_resume_with_their_identity() {
    resumes(&TLS12);
}

/// The ticket may wait for the first answer, and must not wait for a request that never comes.
#[test]
fn client_that_asks_nothing_gets_its_ticket_all_the_same() {
    let house = House::open();
    let stage = &house.stage;
    for version in [&TLS13, &TLS12] {
        let dialer = Dialer::only(&stage.operator_ca.der, &stage.acme, HOST, version).resuming();
        let mut silent = dialer.connect(house.gateway.address).unwrap();
        assert!(!silent.closed_within(Duration::from_millis(500)));
        let again = dialer.connect(house.gateway.address).unwrap();
        assert_eq!(again.handshake_kind(), Some(HandshakeKind::Resumed));
    }
}

/// The moment valid becomes invalid: the certificate runs out between handshake and resumption.
fn expires_before_resumption(version: &'static rustls::SupportedProtocolVersion) {
    let house = House::open();
    let stage = &house.stage;
    let valid_until_s = 3;
    let leaf = Leaf {
        valid_until_s,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    let identity = stage.partner_ca.issue("brief", &leaf);
    let end = mint::now_s() + valid_until_s;
    let dialer = Dialer::only(&stage.operator_ca.der, &identity, HOST, version).resuming();
    let mut client = dialer.connect(house.gateway.address).unwrap();
    let claims = mint::claims("acme-app", "3gpp-monitoring-event", &identity.thumbprint());
    assert_eq!(client.get(PATH, &stage.mint.good(&claims)).status, 200);
    wait_until("the certificate to expire", || mint::now_s() > end + 1);
    let said = match dialer.connect(house.gateway.address) {
        Err(fault) => fault.to_string(),
        Ok(mut client) => client.refusal(),
    };
    assert_alert(&said, &["CertificateExpired"]);
}

/// A record nobody sealed: an alert, a line in the log, a count; and others are served.
#[test]
fn record_that_does_not_open_ends_the_session_and_is_told() {
    let house = House::open();
    let mut client = house.client();
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    let forged = [&[0x17, 3, 3, 0, 32][..], &[0; 32]].concat();
    client.send_in_the_clear(&forged);
    assert_alert(&client.refusal(), &["BadRecordMac"]);
    wait_until("the reason in the log", || {
        house.gateway.log().contains("tls_bad_record")
    });
    assert_eq!(house.client().get(PATH, &house.token()).status, 200);
    house.gateway.terminate();
    wait_until("the count in the log", || {
        house.gateway.log().contains("tls_bad_record=1")
    });
}

/// A certificate that ends while its connection stands: the next request is refused, and the
/// connection with it.
#[test]
fn connection_of_a_certificate_that_expires_is_ended_with_its_next_request() {
    let house = House::open();
    let stage = &house.stage;
    let valid_until_s = 3;
    let leaf = Leaf {
        valid_until_s,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    let identity = stage.partner_ca.issue("brief", &leaf);
    let end = mint::now_s() + valid_until_s;
    let mut client = stage
        .dialer(&identity)
        .connect(house.gateway.address)
        .unwrap();
    let claims = mint::claims("acme-app", "3gpp-monitoring-event", &identity.thumbprint());
    let token = stage.mint.good(&claims);
    assert_eq!(client.get(PATH, &token).status, 200);
    wait_until("the certificate to expire", || mint::now_s() > end + 1);
    let response = client.get(PATH, &token);
    assert_eq!(response.status, 401);
    assert!(
        response.text().contains("CERTIFICATE_EXPIRED"),
        "{}",
        response.text()
    );
    assert!(client.closed());
}

#[test]
fn tls_1_3_session_of_an_expired_certificate_does_not_resume() {
    expires_before_resumption(&TLS13);
}

#[test]
fn tls_1_2_session_of_an_expired_certificate_does_not_resume() {
    expires_before_resumption(&TLS12);
}

//= RFC 8446 section 8 type=test
//# Early data can be replayed, so no ticket offers it.
#[test]
fn tickets_do_not_offer_early_data() {
    let house = House::open();
    let stage = &house.stage;
    let session = stage.scratch.path().join("session.pem");
    let ca = &stage.operator_ca.certificate;
    let save = ["-tls1_3", "-sess_out", session.to_str().unwrap()];
    let request = b"GET / HTTP/1.1\r\nHost: t8.example\r\nConnection: close\r\n\r\n";
    let outcome = peers::s_client(house.gateway.address, ca, Some(&stage.acme), &save, request);
    let said = outcome.stdout + &outcome.stderr;
    assert!(session.exists(), "no session was saved:\n{said}");
    assert!(said.contains("Max Early Data: 0"), "{said}");
}

#[test]
fn plain_http_is_refused() {
    let house = House::open();
    let mut stream = std::net::TcpStream::connect(house.gateway.address).unwrap();
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\nHost: t8.example\r\n\r\n").unwrap();
    let answer = crate::harness::origin::read_all(&mut stream);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(house.origin.requests(), 0);
    serves(&house, &mut house.client());
}

#[test]
fn curl_is_served() {
    let house = House::open();
    let stage = &house.stage;
    let mut curl = peers::curl(
        house.gateway.address,
        &stage.operator_ca.certificate,
        Some(&stage.acme),
    );
    curl.args([
        "--include",
        "--header",
        &format!("Authorization: Bearer {}", house.token()),
    ]);
    let answer = crate::harness::run_well(curl.arg(peers::url(house.gateway.address, PATH)));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("x-request-id:"),
        "{answer}"
    );
}

/// openssl asks for new keys between two requests (`K`), and renews its own (`k`): both are
/// answered under the keys that follow.
#[test]
fn openssl_renews_keys_between_requests() {
    let house = House::open();
    let stage = &house.stage;
    let token = house.token();
    let last = crate::harness::client::head("GET", PATH, &token, "Connection: close\r\n");
    let first = stage
        .scratch
        .write("first", crate::harness::client::get(PATH, &token));
    let last = stage.scratch.write("last", last);
    // A command of s_client's is the first letter of what it reads at once.
    let script = "{ cat \"$0\"; sleep 0.3; echo K; sleep 0.3; cat \"$0\"; sleep 0.3; echo k; \
                  sleep 0.3; cat \"$1\"; sleep 0.5; } | \"${@:2}\"";
    let mut openssl = crate::harness::command("bash");
    openssl.args(["-c", script]).args([first, last]);
    openssl.args(["openssl", "s_client", "-tls1_3", "-connect"]);
    openssl.arg(house.gateway.address.to_string());
    openssl.arg("-CAfile").arg(&stage.operator_ca.certificate);
    openssl.arg("-cert").arg(&stage.acme.certificate);
    openssl.arg("-key").arg(&stage.acme.key);
    let outcome = crate::harness::run(&mut openssl, b"", crate::harness::WAIT);
    let said = outcome.stdout + &outcome.stderr;
    assert!(said.contains("KEYUPDATE"), "no keys were renewed:\n{said}");
    assert_eq!(said.matches("HTTP/1.1 200").count(), 3, "{said}");
    assert_eq!(house.origin.requests(), 3);
}

/// A ticket holds the client's chain, so that with an RSA certificate it is long; it waits for the
/// first answer, and must not be in its way.
#[test]
fn client_with_a_long_certificate_is_answered_at_once() {
    let house = House::open();
    let stage = &house.stage;
    let leaf = Leaf {
        key: Key::Rsa2048,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    let identity = stage.partner_ca.issue("long", &leaf);
    assert!(identity.der.len() > 700, "{} octets", identity.der.len());
    let claims = mint::claims("acme-app", API, &identity.thumbprint());
    let token = stage.mint.good(&claims);
    for _ in 0..5 {
        let mut client = stage
            .dialer(&identity)
            .connect(house.gateway.address)
            .unwrap();
        assert_eq!(client.get(PATH, &token).status, 200);
        assert_eq!(client.get(PATH, &token).status, 200);
    }
    assert_eq!(house.origin.requests(), 10);
}
