//! What the TLS profile of TS 33.210 clause 6.2 says of extensions and of what was once in TLS:
//! names, application protocols, renegotiation, compression, early data, pre-shared keys, and the
//! hybrid key exchange. Each as a handshake.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::crypto::{ActiveKeyExchange, CryptoProvider, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup};

use crate::harness::client::{Dialer, HOST, get, head};
use crate::harness::hello::{
    self, HYBRID, Hello, KEY_SHARE, MISSING_EXTENSION, P256, RENEGOTIATION_INFO, Reply,
    SERVER_NAME, SIGNATURE_ALGORITHMS, SUPPORTED_GROUPS, SUPPORTED_VERSIONS, TRUNCATED_HMAC,
    X25519, numbers, say, say_all, server_name, shares,
};
use crate::harness::stage::{House, PATH};
use crate::harness::{WAIT, command, peers, run};
use crate::tls_profile::{connects, said};

const NO_APPLICATION_PROTOCOL: &str = "SSL alert number 120\n";
const UNRECOGNIZED_NAME: &str = "SSL alert number 112\n";
const BOTH: [&str; 2] = ["-tls1_3", "-tls1_2"];

/// What openssl tells of a session of TLS 1.2 in which it asks, negotiates anew (`R`) and asks once
/// more.
pub fn renegotiating(house: &House) -> String {
    let token = house.token();
    let first = house.stage.scratch.write("first", get(PATH, &token));
    let last = head("GET", PATH, &token, "Connection: close\r\n");
    let last = house.stage.scratch.write("last", last);
    // A command of s_client's is the first letter of what it reads at once.
    let script = "{ cat \"$0\"; sleep 0.5; echo R; sleep 0.5; cat \"$1\"; sleep 0.5; } | \
                  \"${@:2}\"";
    let mut openssl = command("bash");
    openssl.args(["-c", script]).args([first, last]);
    openssl.args(["openssl", "s_client", "-tls1_2", "-servername", HOST]);
    openssl
        .arg("-connect")
        .arg(house.gateway.address.to_string());
    openssl
        .arg("-CAfile")
        .arg(&house.stage.operator_ca.certificate);
    openssl.arg("-cert").arg(&house.stage.acme.certificate);
    openssl.arg("-key").arg(&house.stage.acme.key);
    let outcome = run(&mut openssl, b"", WAIT);
    outcome.stdout + &outcome.stderr
}

//= TS 33.210 clause 6.2.3 type=test
//# The renegotiation indication of RFC 5746 is answered, and nothing is negotiated anew.
#[test]
fn renegotiation_is_indicated_as_secure_and_refused_without_harm_to_others() {
    let house = House::open();
    let mut other = house.client();
    assert_eq!(other.get(PATH, &house.token()).status, 200);
    let told = renegotiating(&house);
    assert!(told.contains("Secure Renegotiation IS supported"), "{told}");
    assert!(told.contains("RENEGOTIATING"), "{told}");
    assert!(told.contains("no renegotiation"), "{told}");
    assert_eq!(told.matches("HTTP/1.1 200").count(), 1, "{told}");
    assert_eq!(other.get(PATH, &house.token()).status, 200);
    assert_eq!(house.origin.requests(), 3);
    // With the extension, and with the suite that stands for it.
    let address = house.gateway.address;
    let hello = Hello::tls12();
    let signalled = hello.clone().without(RENEGOTIATION_INFO);
    let signalled = signalled.offering(&[0xc02b, 0x00ff]);
    for hello in [hello, signalled] {
        let answer = hello.ask(address).hello();
        assert_eq!(answer.extension(RENEGOTIATION_INFO), Some(&[0][..]));
    }
}

//= TS 33.210 clause 6.2.3 type=test
//# No compression but none is taken.
#[test]
fn client_that_offers_compression_gets_none() {
    let house = House::open();
    for compressions in [vec![1, 0], vec![0, 1, 64]] {
        let hello = Hello {
            compressions,
            ..Hello::tls12()
        };
        assert_eq!(hello.ask(house.gateway.address).hello().compression, 0);
    }
    // And one that would have nothing else is refused.
    let only = Hello {
        compressions: vec![1],
        ..Hello::tls12()
    };
    let reply = only.ask(house.gateway.address);
    assert!(matches!(reply, Reply::Alert(_)), "{reply:?}");
    let told = said(&house, &["-tls1_2", "-comp"]);
    assert!(told.contains("Compression: NONE"), "{told}");
}

//= TS 33.210 clause 6.2.3 type=test
//# No HMAC is truncated.
#[test]
fn truncated_hmac_is_not_agreed_on() {
    let house = House::open();
    let hello = Hello::tls12().with(TRUNCATED_HMAC, &[]);
    let answer = hello.ask(house.gateway.address).hello();
    assert_eq!(answer.extension(TRUNCATED_HMAC), None);
    assert_eq!(answer.version, [3, 3]);
}

#[test]
fn application_protocol_that_is_not_spoken_is_refused_and_http_1_1_is_agreed_on() {
    let house = House::open();
    for version in BOTH {
        let told = said(&house, &[version, "-alpn", "h2"]);
        assert!(told.contains(NO_APPLICATION_PROTOCOL), "{told}");
        for offered in ["http/1.1", "h2,http/1.1"] {
            let told = said(&house, &[version, "-alpn", offered]);
            assert!(told.contains("ALPN protocol: http/1.1"), "{told}");
            assert!(told.contains("HTTP/1.1 401"), "{told}");
        }
        assert!(connects(&house, &[version]), "none offered");
    }
}

//= RFC 6066 section 3 type=test
//# A name that is not served is answered by unrecognized_name.
//= TS 33.210 clause 6.2.3 type=test
//# The server name is looked at.
#[test]
fn server_name_that_is_not_served_is_refused_in_both_versions() {
    let house = House::open();
    for version in BOTH {
        let told = said(&house, &[version, "-servername", "other.example"]);
        assert!(told.contains(UNRECOGNIZED_NAME), "{told}");
        assert!(connects(&house, &[version, "-servername", HOST]));
    }
}

//= TS 33.210 clause 6.2.3 type=test
//# A name that is not this gateway's is refused, also where no names are configured.
#[test]
fn names_of_the_certificates_are_served_where_none_are_configured_and_any_where_that_is() {
    let other = ["-servername", "other.example"];
    let house = House::open_with(|config| {
        config.unset("listen.server_names");
    });
    for version in BOTH {
        let told = said(&house, &[&[version], &other[..]].concat());
        assert!(told.contains(UNRECOGNIZED_NAME), "{told}");
        assert!(connects(&house, &[version, "-servername", HOST]));
        assert!(connects(&house, &[version, "-noservername"]));
    }
    let house = House::open_with(|config| {
        config.unset("listen.server_names");
        config.set("listen.any_server_name", "true");
    });
    for version in BOTH {
        assert!(connects(&house, &[&[version], &other[..]].concat()));
    }
}

/// A session of openssl's, PEM, that says what the gateway never does: that its ticket is good for
/// 16 KiB of early data. The length in front of it grows by as much.
fn offering_early_data(session: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let body: String = session
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let der = STANDARD.decode(body).expect("PEM");
    assert_eq!(der[..2], [0x30, 0x82], "a long sequence");
    let early_data = [0xaf, 4, 2, 2, 0x40, 0];
    // Behind the last element with a lower number: tags of contexts follow in order.
    let mut at = 4;
    while at < der.len() && (der[at] < 0xa0 || der[at] < early_data[0]) {
        let (head, length) = match der[at + 1] {
            short @ ..=0x7f => (2, usize::from(short)),
            0x81 => (3, usize::from(der[at + 2])),
            _ => (4, usize::from(der[at + 2]) << 8 | usize::from(der[at + 3])),
        };
        at += head + length;
    }
    let mut content = der[4..].to_vec();
    content.splice(at - 4..at - 4, early_data);
    let length = u16::try_from(content.len()).expect("short").to_be_bytes();
    let der = [&[0x30, 0x82], &length[..], &content].concat();
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("ASCII"))
        .collect();
    format!(
        "-----BEGIN SSL SESSION PARAMETERS-----\n{}\n-----END SSL SESSION PARAMETERS-----\n",
        lines.join("\n")
    )
}

//= RFC 8446 section 8 type=test
//# Early data is never offered, and where a client sends it all the same it is dropped unread.
#[test]
fn early_data_is_not_offered_and_is_rejected_where_it_is_sent() {
    let house = House::open();
    let scratch = &house.stage.scratch;
    let session = scratch.path().join("session.pem");
    let file = session.display().to_string();
    let told = said(&house, &["-tls1_3", "-sess_out", &file]);
    assert!(told.contains("Max Early Data: 0"), "{told}");
    let early = scratch.write("early", get(PATH, &house.token()));
    let early = early.display().to_string();
    // An honest client sends none.
    let told = said(
        &house,
        &["-tls1_3", "-sess_in", &file, "-early_data", &early],
    );
    assert!(told.contains("Early data was not sent"), "{told}");
    let text = std::fs::read_to_string(&session).unwrap();
    let forged = scratch.write("forged.pem", offering_early_data(&text));
    let forged = forged.display().to_string();
    let told = said(
        &house,
        &["-tls1_3", "-sess_in", &forged, "-early_data", &early],
    );
    assert!(told.contains("Early data was rejected"), "{told}");
    // The request behind it is answered, the one in it is not.
    assert!(told.contains("HTTP/1.1 401"), "{told}");
    assert_eq!(house.origin.requests(), 0);
}

/// Keys agreed on elsewhere stand for no certificate.
#[test]
fn external_pre_shared_key_is_passed_over() {
    let house = House::open();
    let psk = [
        "-psk_identity",
        "scs",
        "-psk",
        "00112233445566778899aabbccddeeff",
    ];
    for version in BOTH {
        let told = said(&house, &[&[version], &psk[..]].concat());
        assert!(told.contains("New, ") && !told.contains("Reused"), "{told}");
        assert!(told.contains("HTTP/1.1 401"), "{told}");
        // Who has nothing else is not let in.
        let ca = &house.stage.operator_ca.certificate;
        let arguments = [&[version], &psk[..]].concat();
        let outcome = peers::s_client(house.gateway.address, ca, None, &arguments, b"x\r\n\r\n");
        let told = outcome.stdout + &outcome.stderr;
        assert!(told.contains("SSL alert number"), "{told}");
        assert!(!told.contains("HTTP/1.1"), "{told}");
    }
    let cipher = ["-tls1_2", "-cipher", "PSK:@SECLEVEL=0"];
    let told = said(&house, &[&cipher[..], &psk].concat());
    assert!(told.contains("SSL alert number 40\n"), "{told}");
}

/// Two shares, X25519 first, the hybrid second: what rustls has the other way round.
#[derive(Debug)]
struct ClassicFirst;

struct TwoShares {
    classic: Box<dyn ActiveKeyExchange>,
    hybrid: Box<dyn ActiveKeyExchange>,
}

impl SupportedKxGroup for ClassicFirst {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(TwoShares {
            classic: kx_group::X25519.start()?,
            hybrid: kx_group::X25519MLKEM768.start()?,
        }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl ActiveKeyExchange for TwoShares {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        self.classic.complete(peer)
    }

    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((NamedGroup::X25519MLKEM768, self.hybrid.pub_key()))
    }

    fn complete_hybrid_component(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        self.hybrid.complete(peer)
    }

    fn pub_key(&self) -> &[u8] {
        self.classic.pub_key()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// The group that a client of rustls with these groups agrees on, in a session that is served.
fn agreed(house: &House, groups: Vec<&'static dyn SupportedKxGroup>) -> NamedGroup {
    let provider = CryptoProvider {
        kx_groups: groups,
        ..aws_lc_rs::default_provider()
    };
    let stage = &house.stage;
    let dialer = Dialer::of_provider(
        Arc::new(provider),
        &stage.operator_ca.der,
        &stage.acme,
        HOST,
    );
    let mut client = dialer.connect(house.gateway.address).expect("a handshake");
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    let group = client.tls().negotiated_key_exchange_group();
    group.expect("a full handshake").name()
}

#[test]
fn hybrid_is_taken_wherever_a_share_for_it_stands() {
    let house = House::open();
    let groups: Vec<&'static dyn SupportedKxGroup> = vec![&ClassicFirst, kx_group::X25519MLKEM768];
    assert_eq!(agreed(&house, groups), NamedGroup::X25519MLKEM768);
    let first = vec![kx_group::X25519MLKEM768, kx_group::X25519];
    assert_eq!(agreed(&house, first), NamedGroup::X25519MLKEM768);
    let none = vec![kx_group::X25519, kx_group::X25519MLKEM768];
    assert_eq!(agreed(&house, none), NamedGroup::X25519, "no share for it");
    // In octets: a share each for P-256, X25519 and the hybrid, that one last.
    let hybrid = kx_group::X25519MLKEM768.start().expect("a key");
    let classic = kx_group::X25519.start().expect("a key");
    let p256 = kx_group::SECP256R1.start().expect("a key");
    let hello = Hello::tls13()
        .with(SUPPORTED_GROUPS, &numbers(&[P256, X25519, HYBRID]))
        .with(
            KEY_SHARE,
            &shares(&[
                (P256, p256.pub_key()),
                (X25519, classic.pub_key()),
                (HYBRID, hybrid.pub_key()),
            ]),
        );
    for of in [100, 600, 1_200, 1_500] {
        let answer = hello.ask_in_records(of, house.gateway.address).hello();
        assert_eq!(answer.group(), Some(HYBRID), "in records of {of}");
    }
    let answer = hello.ask(house.gateway.address).hello();
    assert_eq!(answer.group(), Some(HYBRID));
    let share = &answer.extension(KEY_SHARE).expect("a share")[4..];
    hybrid.complete(share).expect("a share of the hybrid");
}

#[test]
fn alert_is_recorded_that_was_sent() {
    let house = House::open();
    let address = house.gateway.address;
    let h2 = Hello::tls12().with(16, &[0, 3, 2, b'h', b'2']);
    let mut twice = Hello::tls13();
    twice.extensions.push((SERVER_NAME, server_name(HOST)));
    let mut old = Hello::tls12();
    old.version = [3, 2];
    let bare = Hello::tls13().without(KEY_SHARE);
    for (hello, alert, reason, word) in [
        (h2, 120, "no_common_profile", "no_application_protocol"),
        (twice, 47, "protocol", "illegal_parameter"),
        (old, 70, "no_common_profile", "protocol_version"),
        (bare, 109, "no_common_profile", "missing_extension"),
    ] {
        assert_eq!(hello.ask(address), Reply::Alert(alert), "{word}");
        house
            .gateway
            .await_log(&format!("reason=\"{reason}\" detail=\"{word}\""));
    }
}

/// The second hello asks for what the first did not, after the server has asked for another share.
#[test]
fn other_name_after_a_retry_is_refused_with_an_alert() {
    let house = House::open();
    let first = Hello::tls13().with(KEY_SHARE, &shares(&[]));
    let p256 = kx_group::SECP256R1.start().expect("a key");
    let second = Hello::tls13().with(KEY_SHARE, &shares(&[(P256, p256.pub_key())]));
    let other = second.with(SERVER_NAME, &server_name("other.example"));
    let octets = [first.record(), other.record()].concat();
    let answer = say_all(house.gateway.address, &octets);
    assert_eq!(answer.last(), Some(&(21, 2)), "{answer:?}");
    house
        .gateway
        .await_log("reason=\"protocol\" detail=\"illegal_parameter\"");
}

//= TS 33.210 clause 6.2.1 type=test
//# TLS is not taken up within HTTP (RFC 2817): it goes directly on TCP.
#[test]
fn upgrade_to_tls_within_http_is_not_honoured() {
    let house = House::open();
    let fields = "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n";
    let asked = head("GET", PATH, &house.token(), fields);
    let mut client = house.client();
    let answer = client.ask(&asked);
    assert_eq!((answer.status, answer.interim.len()), (200, 0));
    assert_eq!(answer.field("upgrade"), None);
    assert_eq!(house.origin.only().field("upgrade"), None);
    // The connection goes on as it was.
    assert_eq!(client.get(PATH, &house.token()).status, 200);
    // And in the clear there is nobody to ask.
    let asked = format!("OPTIONS * HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n");
    let reply = crate::harness::hello::say(house.gateway.address, asked.as_bytes());
    assert!(
        matches!(reply, Reply::Alert(_) | Reply::Closed),
        "{reply:?}"
    );
}

/// rustls passes over such a name, and would serve as if none had been asked for.
#[test]
fn client_that_asks_for_an_address_by_name_asks_for_nothing_that_is_served() {
    let house = House::open();
    let address = house.gateway.address;
    let refused = Reply::Alert(hello::UNRECOGNIZED_NAME);
    for name in ["192.0.2.1", "2001:db8::1"] {
        for hello in [Hello::tls12(), Hello::tls13()] {
            let hello = hello.with(SERVER_NAME, &server_name(name));
            assert_eq!(hello.ask(address), refused, "{name}");
            // In two records, the name in the second of them.
            let record = hello.record();
            let (first, second) = record[5..].split_at(60);
            let split = [first, second].map(|part| {
                let length = u16::try_from(part.len()).expect("short").to_be_bytes();
                [&[22, 3, 1][..], &length, part].concat()
            });
            assert_eq!(say(address, &split.concat()), refused, "{name}");
        }
    }
    for hello in [Hello::tls12(), Hello::tls13()] {
        hello.without(SERVER_NAME).ask(address).hello();
    }
}

/// Also of one that offers TLS 1.2 beside, for TLS 1.3 is what it would get.
//= RFC 8446 section 9.2 type=test
//# A hello that lacks what it must have is refused by missing_extension.
//= RFC 8446 section 9.2 type=test
//# Signature algorithms and groups, or a session; and groups and shares together, or neither.
#[test]
fn hello_of_tls_1_3_without_a_mandatory_extension_is_refused_as_that() {
    let house = House::open();
    let address = house.gateway.address;
    let both = Hello::tls13().with(SUPPORTED_VERSIONS, &[4, 3, 4, 3, 3]);
    for hello in [Hello::tls13(), both] {
        assert!(matches!(hello.ask(address), Reply::Hello(_)));
        let groups = hello.clone().without(SUPPORTED_GROUPS);
        for bare in [
            hello.clone().without(SIGNATURE_ALGORITHMS),
            hello.clone().without(KEY_SHARE),
            groups.clone(),
            groups.without(KEY_SHARE),
        ] {
            assert_eq!(bare.ask(address), Reply::Alert(MISSING_EXTENSION));
        }
        // No share for now is a share all the same: the server asks for one.
        let shy = hello.with(KEY_SHARE, &shares(&[]));
        assert!(shy.ask(address).hello().is_retry());
    }
    // In TLS 1.2 these are not asked for in this way, nor is a hello that does not parse.
    let old = Hello::tls12().without(SUPPORTED_GROUPS).ask(address);
    assert_ne!(old, Reply::Alert(MISSING_EXTENSION));
    let cut = Hello::tls13().without(KEY_SHARE);
    let mut cut = cut.with(SUPPORTED_GROUPS, &numbers(&[P256])).record();
    // The last extension says that it is longer than what there is.
    let length = cut.len() - 5;
    cut[length] += 1;
    let reply = say(address, &cut);
    assert!(
        matches!(reply, Reply::Alert(alert) if alert != MISSING_EXTENSION),
        "{reply:?}"
    );
}
