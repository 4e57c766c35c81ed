//! The TLS profile of TS 33.210 clause 6.2 as handshakes: each version, suite, group and signature
//! algorithm by itself, and each class that the profile leaves out. By openssl where Debian's says
//! it, by octets of our own where it does not.

use crate::harness::client::HOST;
use crate::harness::hello::{
    HANDSHAKE_FAILURE, Hello, KEY_SHARE, PROTOCOL_VERSION, Reply, SIGNATURE_ALGORITHMS,
    SUPPORTED_VERSIONS, numbers, say, say_all,
};
use crate::harness::origin::Origin;
use crate::harness::pki::{Identity, Key, Leaf, San};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::{WAIT, command, peers, run};

/// What openssl tells of a handshake of `acme` and a request without a token.
pub fn said(house: &House, arguments: &[&str]) -> String {
    said_by(house, &house.stage.acme, arguments)
}

/// The same of another client.
pub fn said_by(house: &House, who: &Identity, arguments: &[&str]) -> String {
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    let ca = &house.stage.operator_ca.certificate;
    let address = house.gateway.address;
    let outcome = peers::s_client(address, ca, Some(who), arguments, request.as_bytes());
    outcome.stdout + &outcome.stderr
}

/// Whether a request is answered, whatever the answer.
pub fn connects(house: &House, arguments: &[&str]) -> bool {
    said(house, arguments).contains("HTTP/1.1 401")
}

#[track_caller]
fn served(house: &House, arguments: &[&str]) {
    let told = said(house, arguments);
    assert!(told.contains("HTTP/1.1 401"), "{arguments:?}: {told}");
}

#[track_caller]
fn refused(house: &House, arguments: &[&str], alert: u8) {
    let told = said(house, arguments);
    let number = format!("SSL alert number {alert}\n");
    assert!(told.contains(&number), "{arguments:?}: {told}");
    assert!(!told.contains("HTTP/1.1"), "{arguments:?}: {told}");
}

/// A house whose key is RSA.
pub fn rsa_house() -> House {
    let origin = Origin::start();
    let stage = Stage::with_server_key(origin.address, Key::Rsa2048);
    House {
        gateway: stage.start(),
        origin,
        stage,
    }
}

/// A client `acme` with such a key.
fn client_with(house: &House, key: Key) -> Identity {
    let leaf = Leaf {
        key,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    let stem = format!("{key:?}");
    house.stage.partner_ca.issue(&stem, &leaf)
}

/// Hellos of SSL 2.0 and 3.0, TLS 1.0 and 1.1 and DTLS, each by its name.
pub fn old_hellos() -> Vec<(&'static str, Vec<u8>)> {
    let tls = |minor| Hello {
        version: [3, minor],
        ..Hello::tls12()
    };
    let mut dtls = tls(3).record();
    dtls[1..3].copy_from_slice(&[0xfe, 0xfd]);
    // Behind content type and version: the epoch and the number of the record.
    dtls.splice(3..3, [0; 8]);
    let ssl2 = [
        &[0x80, 46, 1, 0, 2, 0, 21, 0, 0, 0, 16][..],
        &[
            1, 0, 0x80, 2, 0, 0x80, 3, 0, 0x80, 4, 0, 0x80, 5, 0, 0x80, 6, 0, 0x40, 7, 0, 0xc0,
        ],
        &[0x5a; 16],
    ];
    vec![
        ("SSL 2.0", ssl2.concat()),
        ("SSL 3.0", tls(0).record()),
        ("TLS 1.0", tls(1).record()),
        ("TLS 1.1", tls(2).record()),
        ("DTLS 1.2", dtls),
    ]
}

//= TS 33.210 clause 6.2.1 type=test
//# SSL, TLS 1.0, TLS 1.1 and DTLS are not supported.
#[test]
fn versions_before_tls_1_2_are_refused_by_protocol_version() {
    let house = House::open();
    let lax = ["-cipher", "ALL:@SECLEVEL=0"];
    for version in ["-tls1", "-tls1_1"] {
        refused(&house, &[&[version], &lax[..]].concat(), PROTOCOL_VERSION);
    }
    let address = house.gateway.address;
    for (name, hello) in old_hellos() {
        match (name, say(address, &hello)) {
            // What is no TLS record is not answered in TLS that its sender would not read.
            ("SSL 2.0" | "DTLS 1.2", Reply::Alert(_) | Reply::Closed) => {}
            (_, reply) => assert_eq!(reply, Reply::Alert(PROTOCOL_VERSION), "{name}"),
        }
    }
    // By the extension that names versions since TLS 1.3, with none of ours in it.
    let named = Hello::tls13().with(SUPPORTED_VERSIONS, &[4, 3, 2, 3, 1]);
    assert_eq!(named.ask(address), Reply::Alert(PROTOCOL_VERSION));
    // Nothing listens for datagrams at all.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    socket.connect(address).unwrap();
    let _ = socket.send(&old_hellos().pop().unwrap().1);
    let heard = socket.recv(&mut [0; 64]).map_err(|fault| fault.kind());
    assert_eq!(heard, Err(std::io::ErrorKind::ConnectionRefused));
    served(&house, &["-tls1_3"]);
}

//= TS 33.210 clause 6.2.1 type=test
//# TLS 1.2 and TLS 1.3 are supported.
#[test]
fn tls_1_3_and_tls_1_2_are_each_served_alone_and_the_newer_is_taken_of_both() {
    let house = House::open();
    for (arguments, version) in [
        (&["-tls1_3"][..], "TLSv1.3"),
        (&["-tls1_2"], "TLSv1.2"),
        (&[], "TLSv1.3"),
    ] {
        let told = said(&house, arguments);
        assert!(told.contains(&format!("New, {version}")), "{told}");
        assert!(told.contains("HTTP/1.1 401"), "{told}");
    }
}

/// Suites of TLS 1.3 by openssl's names.
pub const TLS13_SUITES: [&str; 3] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

//= TS 33.210 clause 6.2.2 type=test
//# Each suite of RFC 8446 section 9.1 is taken by itself; what has no place there is not.
#[test]
fn each_suite_of_tls_1_3_is_served_alone_and_ccm_is_refused() {
    let house = House::open();
    for suite in TLS13_SUITES {
        let told = said(&house, &["-tls1_3", "-ciphersuites", suite]);
        assert!(told.contains(&format!("Cipher is {suite}")), "{told}");
        assert!(told.contains("HTTP/1.1 401"), "{told}");
    }
    for suite in ["TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"] {
        let arguments = ["-tls1_3", "-ciphersuites", suite];
        refused(&house, &arguments, HANDSHAKE_FAILURE);
    }
    // Integrity alone: RFC 9150.
    let reply = Hello::tls13().offering(&[0xc0b4, 0xc0b5]);
    let reply = reply.ask(house.gateway.address);
    assert_eq!(reply, Reply::Alert(HANDSHAKE_FAILURE));
}

//= TS 33.210 clause 6.2.3 type=test
//# Each suite with forward secrecy and AEAD is taken by itself.
#[test]
fn each_suite_of_tls_1_2_is_served_alone() {
    for (house, kind) in [(House::open(), "ECDSA"), (rsa_house(), "RSA")] {
        for cipher in [
            "AES128-GCM-SHA256",
            "AES256-GCM-SHA384",
            "CHACHA20-POLY1305",
        ] {
            let name = format!("ECDHE-{kind}-{cipher}");
            let told = said(&house, &["-tls1_2", "-cipher", &name]);
            assert!(told.contains(&format!("Cipher is {name}")), "{told}");
            assert!(told.contains("HTTP/1.1 401"), "{told}");
        }
    }
}

/// What the profile leaves out of TLS 1.2, by class, with suites of each.
pub const EXCLUDED: [(&str, &[u16]); 15] = [
    ("RSA key transport", &[0x009c, 0x009d, 0xc09c, 0xc0a0]),
    (
        "RSA key transport with CBC",
        &[0x002f, 0x0035, 0x003c, 0x003d],
    ),
    (
        "ECDHE with CBC",
        &[
            0xc009, 0xc00a, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027, 0xc028,
        ],
    ),
    ("DHE with CBC", &[0x0033, 0x0039, 0x0067, 0x006b]),
    (
        "static ECDH",
        &[0xc02d, 0xc02e, 0xc031, 0xc032, 0xc004, 0xc00e],
    ),
    ("static DH", &[0x00a0, 0x00a1, 0x00a4, 0x00a5, 0x0031]),
    ("3DES", &[0x000a, 0x0016, 0xc008, 0xc012]),
    ("RC4", &[0x0004, 0x0005, 0xc007, 0xc011]),
    ("NULL", &[0x0001, 0x0002, 0x003b, 0xc006, 0xc010]),
    (
        "anonymous",
        &[0x00a6, 0x00a7, 0x0034, 0x006c, 0xc018, 0xc019],
    ),
    ("export and DES", &[0x0003, 0x0008, 0x0009, 0x0014, 0x0015]),
    ("IDEA and SEED", &[0x0007, 0x0096, 0x009a]),
    ("ARIA and Camellia", &[0xc05c, 0xc060, 0xc086, 0xc08a]),
    ("pre-shared keys", &[0x00a8, 0x00aa, 0xccab, 0xccac, 0xd001]),
    ("SRP", &[0xc01d, 0xc01e, 0xc020]),
];

/// The same classes by openssl's words, where Debian's has suites of them.
pub const EXCLUDED_BY_OPENSSL: [&str; 8] = [
    "kRSA",
    "ECDHE:!AESGCM:!CHACHA20:!AESCCM:!ARIA",
    "DHE:!AESGCM:!CHACHA20",
    "eNULL",
    "aNULL:!eNULL",
    "CAMELLIA",
    "ARIA",
    "AESCCM",
];

//= TS 33.210 clause 6.2.3 type=test
//# Without forward secrecy or without AEAD there is no session of TLS 1.2.
#[test]
fn each_excluded_class_of_suites_is_refused() {
    for house in [House::open(), rsa_house()] {
        let address = house.gateway.address;
        for (class, suites) in EXCLUDED {
            let reply = Hello::tls12().offering(suites).ask(address);
            assert_eq!(reply, Reply::Alert(HANDSHAKE_FAILURE), "{class}");
            // One that is taken behind them is found.
            let both = [suites, &[0xc02b, 0xc02f]].concat();
            let hello = Hello::tls12().offering(&both).ask(address).hello();
            assert!(
                [0xc02b, 0xc02f].contains(&hello.suite),
                "{class}: {hello:?}"
            );
        }
        for class in EXCLUDED_BY_OPENSSL {
            let list = format!("{class}:@SECLEVEL=0");
            let arguments = ["-tls1_2", "-cipher", &list];
            refused(&house, &arguments, HANDSHAKE_FAILURE);
        }
    }
}

/// Groups that are not spoken: finite fields, curves that are small, large, or of other kinds.
pub const OTHER_GROUPS: [(&str, u16); 15] = [
    ("ffdhe2048", 0x0100),
    ("ffdhe3072", 0x0101),
    ("ffdhe4096", 0x0102),
    ("ffdhe6144", 0x0103),
    ("ffdhe8192", 0x0104),
    ("secp521r1", 25),
    ("x448", 30),
    ("secp160r1", 16),
    ("secp192r1", 19),
    ("secp224r1", 21),
    ("secp256k1", 22),
    ("sect163k1", 1),
    ("sect283r1", 10),
    ("brainpoolP256r1", 26),
    ("sm2", 41),
];

//= TS 33.210 clause 6.2.2 type=test
//# secp256r1, X25519 and secp384r1 are taken, each by itself.
//= TS 33.210 clause 6.2.3 type=test
//# Curves of fewer than 255 bits are not.
#[test]
fn each_group_is_served_alone_and_every_other_is_refused() {
    // In TLS 1.2 the groups are those of certificates' keys as well.
    let house = rsa_house();
    let who = client_with(&house, Key::Rsa2048);
    for version in ["-tls1_3", "-tls1_2"] {
        for (group, shown) in [
            ("P-256", "ECDH, prime256v1, 256 bits"),
            ("P-384", "ECDH, secp384r1, 384 bits"),
            ("X25519", "X25519, 253 bits"),
        ] {
            let told = said_by(&house, &who, &[version, "-groups", group]);
            let temporary = told
                .lines()
                .find(|line| line.starts_with("Server Temp Key"));
            let temporary = temporary.unwrap_or_else(|| panic!("{group}: {told}"));
            assert_eq!(temporary, format!("Server Temp Key: {shown}"));
            assert!(told.contains("HTTP/1.1 401"), "{told}");
        }
        for group in ["P-521", "X448"] {
            let arguments = [version, "-groups", group];
            refused(&house, &arguments, HANDSHAKE_FAILURE);
        }
    }
    for group in ["ffdhe2048", "ffdhe3072"] {
        let arguments = ["-tls1_3", "-groups", group];
        refused(&house, &arguments, HANDSHAKE_FAILURE);
    }
    let address = house.gateway.address;
    for (name, group) in OTHER_GROUPS {
        for hello in [Hello::tls12(), Hello::tls13()] {
            let reply = hello.in_groups(&[group]).ask(address);
            assert_eq!(reply, Reply::Alert(HANDSHAKE_FAILURE), "{name}");
        }
    }
}

//= TS 33.210 clause 6.2.2 type=test
//# rsa_pss_rsae_sha256, ecdsa_secp256r1_sha256 and ecdsa_secp384r1_sha384 are made and verified.
#[test]
fn each_signature_algorithm_of_server_and_client_is_served_alone() {
    let own: [(House, &[(&str, &str)]); 2] = [
        (
            House::open(),
            &[("-tls1_3", "ECDSA+SHA256"), ("-tls1_2", "ECDSA+SHA256")],
        ),
        (
            rsa_house(),
            &[
                ("-tls1_3", "RSA-PSS+SHA256"),
                ("-tls1_3", "RSA-PSS+SHA384"),
                ("-tls1_2", "RSA-PSS+SHA256"),
                ("-tls1_2", "RSA+SHA256"),
                ("-tls1_2", "RSA+SHA384"),
            ],
        ),
    ];
    for (house, cases) in own {
        for (version, algorithm) in cases {
            // The client signs as it can; what it verifies is what is asked about.
            let own = ["-client_sigalgs", "ECDSA+SHA256"];
            served(
                &house,
                &[&[*version, "-sigalgs", *algorithm], &own[..]].concat(),
            );
        }
    }
    let house = House::open();
    let [p384, rsa] = [Key::P384, Key::Rsa2048].map(|key| client_with(&house, key));
    for version in ["-tls1_3", "-tls1_2"] {
        for (who, algorithm) in [
            (&house.stage.acme, "ECDSA+SHA256"),
            (&p384, "ECDSA+SHA384"),
            (&rsa, "RSA-PSS+SHA256"),
        ] {
            let told = said_by(&house, who, &[version, "-client_sigalgs", algorithm]);
            assert!(
                told.contains("HTTP/1.1 401"),
                "{version} {algorithm}: {told}"
            );
        }
    }
}

//= TS 33.210 clause 6.2.3 type=test
//# Nothing is signed over SHA-1 or MD5, by the server or for it.
#[test]
fn client_that_takes_sha_1_alone_is_refused_and_none_is_asked_for_it() {
    for (house, sha_1) in [(House::open(), "ECDSA+SHA1"), (rsa_house(), "RSA+SHA1")] {
        let cipher = ["-cipher", "ALL:@SECLEVEL=0", "-sigalgs", sha_1];
        refused(
            &house,
            &[&["-tls1_2"], &cipher[..]].concat(),
            HANDSHAKE_FAILURE,
        );
        let address = house.gateway.address;
        // MD5 and SHA-1 with RSA, SHA-1 and SHA-224 with ECDSA, SHA-1 with DSA.
        let weak = numbers(&[0x0101, 0x0201, 0x0203, 0x0303, 0x0202]);
        let hello = Hello::tls12().with(SIGNATURE_ALGORITHMS, &weak);
        assert_eq!(hello.ask(address), Reply::Alert(HANDSHAKE_FAILURE));
        // In TLS 1.3 the keys are there by then: no certificate is shown, and the alert is sealed.
        let hello = Hello::tls13().with(SIGNATURE_ALGORITHMS, &weak);
        let records = say_all(address, &hello.record());
        let sealed: Vec<usize> = records
            .iter()
            .filter_map(|(content, length)| (*content == 23).then_some(*length))
            .collect();
        assert_eq!(sealed, [2 + 1 + 16], "{records:?}");
        house.gateway.await_log("no_common_profile");
        for version in ["-tls1_3", "-tls1_2"] {
            let told = said(&house, &[version]);
            let asked = told
                .lines()
                .find(|line| line.starts_with("Requested Signature Algorithms:"));
            let asked = asked.unwrap_or_else(|| panic!("no request: {told}"));
            assert!(asked.contains("ECDSA+SHA256"), "{asked}");
            for weak in ["SHA1", "MD5", "SHA224", ":DSA"] {
                assert!(!asked.contains(weak), "{asked}");
            }
        }
    }
}

/// openssl with TLS 1.2, with and without the extended master secret.
pub fn with_master_secret(house: &House, extended: bool) -> String {
    let switch = if extended { "" } else { "-" };
    let configuration = format!(
        "openssl_conf = all\n[all]\nssl_conf = modules\n[modules]\nsystem_default = own\n[own]\n\
         Options = {switch}ExtendedMasterSecret\n"
    );
    let name = format!("openssl{switch}.cnf");
    let file = house.stage.scratch.write(&name, configuration);
    let mut openssl = command("openssl");
    openssl.args(["s_client", "-tls1_2", "-ign_eof", "-servername", HOST]);
    openssl.args(["-connect", &house.gateway.address.to_string()]);
    openssl
        .arg("-CAfile")
        .arg(&house.stage.operator_ca.certificate);
    openssl.arg("-cert").arg(&house.stage.acme.certificate);
    openssl.arg("-key").arg(&house.stage.acme.key);
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    let outcome = run(openssl.env("OPENSSL_CONF", file), request.as_bytes(), WAIT);
    outcome.stdout + &outcome.stderr
}

//= TS 33.210 clause 6.2.3 type=test
//# Without the extended master secret there is no session of TLS 1.2.
#[test]
fn client_without_the_extended_master_secret_is_refused() {
    let house = House::open();
    let told = with_master_secret(&house, true);
    assert!(told.contains("Extended master secret: yes"), "{told}");
    assert!(told.contains("HTTP/1.1 401"), "{told}");
    let told = with_master_secret(&house, false);
    assert!(told.contains("SSL alert number 40\n"), "{told}");
    assert!(!told.contains("HTTP/1.1"), "{told}");
}

/// A key share of a group that is not spoken here: the client is asked for another.
#[test]
fn client_with_a_share_of_another_group_is_asked_again_and_served() {
    let house = House::open();
    for (groups, wanted) in [("P-521:P-256", "prime256v1"), ("X448:P-384", "secp384r1")] {
        let told = said(&house, &["-tls1_3", "-groups", groups, "-msg"]);
        assert_eq!(told.matches(", ClientHello").count(), 2, "{told}");
        assert_eq!(told.matches(", ServerHello").count(), 2, "{told}");
        assert!(told.contains(&format!("ECDH, {wanted}")), "{told}");
        assert!(told.contains("HTTP/1.1 401"), "{told}");
    }
    let reply = Hello::tls13().in_groups(&[24]).ask(house.gateway.address);
    let retry = reply.hello();
    assert!(retry.is_retry());
    assert_eq!(retry.extension(KEY_SHARE), Some(&[0, 24][..]));
}
