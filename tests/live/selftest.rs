//! The harness itself: a test that stands on a broken prop proves nothing.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use jsonwebtoken::{DecodingKey, Validation};

use crate::harness::client::{Client, Dialer, HOST, ReadFault, get};
use crate::harness::mint::{Algorithm, Mint, claims};
use crate::harness::origin::{Act, Deaf, Origin, ok, read_all, usual_body};
use crate::harness::pki::{Authority, Key, Leaf, San};
use crate::harness::softhsm::{Spy, Token};
use crate::harness::stage::Stage;
use crate::harness::{Scratch, command, peers, run_well, within};

fn say(origin: &Origin, bytes: &str) -> String {
    let mut stream = TcpStream::connect(origin.address).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    String::from_utf8(read_all(&mut stream)).unwrap()
}

#[test]
fn origin_answers_and_writes_down_what_it_was_asked() {
    let origin = Origin::start();
    let answer = say(
        &origin,
        "POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
    );
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(usual_body().len(), 306);
    assert!(answer.ends_with(str::from_utf8(&usual_body()).unwrap()));
    let request = origin.only();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/a?b")
    );
    assert_eq!(request.field("host"), Some("h"));
    assert_eq!(request.body, b"abc");
    assert!(request.complete);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn origin_reads_and_writes_chunks() {
    let origin = Origin::start();
    origin.script(vec![Act::EchoInChunks(2)]);
    let answer = say(
        &origin,
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
    );
    assert!(
        answer.ends_with("\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
        "{answer}"
    );
    assert_eq!(origin.only().body, b"abc");
}

#[test]
fn origin_follows_its_scripts_in_order_and_then_does_the_usual() {
    let origin = Origin::start();
    origin.answer("HTTP/1.1 204 No Content\r\n\r\n");
    origin.usually(vec![Act::Send(ok(b"usual"))]);
    let answer = say(&origin, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert!(answer.ends_with("usual"), "{answer}");
    assert_eq!(origin.requests(), 2);
}

#[test]
fn origin_can_close_reset_and_hang() {
    let origin = Origin::start();
    origin.script(vec![Act::Close]);
    assert_eq!(say(&origin, "GET / HTTP/1.1\r\n\r\n"), "");

    origin.script(vec![Act::Reset]);
    let mut stream = TcpStream::connect(origin.address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let fault = std::io::Read::read(&mut stream, &mut [0; 1]).unwrap_err();
    assert_eq!(fault.kind(), std::io::ErrorKind::ConnectionReset);

    origin.script(vec![Act::Hang]);
    let mut stream = TcpStream::connect(origin.address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let fault = std::io::Read::read(&mut stream, &mut [0; 1]).unwrap_err();
    assert_eq!(fault.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn origin_stops_and_starts_again_at_its_address() {
    let origin = Origin::start();
    say(&origin, "GET / HTTP/1.1\r\n\r\n");
    let address = origin.stop();
    assert!(TcpStream::connect(address).is_err());
    let origin = Origin::start_at(address);
    assert!(say(&origin, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
}

#[test]
fn deaf_address_does_not_finish_a_connection() {
    let deaf = Deaf::start();
    assert!(TcpStream::connect_timeout(&deaf.address, Duration::from_millis(100)).is_err());
}

#[test]
fn openssl_verifies_certificates_of_every_kind_of_key() {
    let scratch = Scratch::new();
    for key in [Key::P256, Key::P384, Key::Rsa2048] {
        let authority = Authority::new(scratch.path(), "Test CA", key);
        let leaf = Leaf {
            key,
            ..Leaf::client(San::Uri("urn:scs:test"))
        };
        let identity = authority.issue("leaf", &leaf);
        let verified = run_well(
            command("openssl")
                .args(["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile"])
                .args([&authority.certificate, &identity.certificate]),
        );
        assert!(verified.contains(": OK"), "{verified}");
    }
    let authority = Authority::new(scratch.path(), "Test CA", Key::P256);
    let identity = authority.issue("leaf", &Leaf::server(HOST));
    let text = run_well(
        command("openssl")
            .args(["x509", "-noout", "-text", "-in"])
            .arg(&identity.certificate),
    );
    for part in [
        "X509v3 Key Usage: critical",
        "Digital Signature",
        "CRL Distribution",
        HOST,
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let text = run_well(
        command("openssl")
            .args(["x509", "-noout", "-text", "-in"])
            .arg(&authority.certificate),
    );
    for part in [
        "Basic Constraints: critical",
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[test]
fn openssl_refuses_an_expired_certificate_and_one_of_another_ca() {
    let scratch = Scratch::new();
    let authority = Authority::new(scratch.path(), "Test CA", Key::P256);
    let other = Authority::new(scratch.path(), "Other CA", Key::P256);
    let mut leaf = Leaf::server(HOST);
    let foreign = other.issue("foreign", &leaf);
    leaf.valid_until_s = -60;
    let expired = authority.issue("expired", &leaf);
    for identity in [foreign, expired] {
        let status = command("openssl")
            .args(["verify", "-CAfile"])
            .args([&authority.certificate, &identity.certificate])
            .output()
            .unwrap()
            .status;
        assert!(!status.success());
    }
}

#[test]
fn token_generates_keys_and_its_certificates_verify() {
    for key in [Key::P256, Key::P384, Key::Rsa2048] {
        let scratch = Scratch::new();
        let authority = Authority::new(scratch.path(), "Test CA", Key::P256);
        let token = Token::generate(scratch.path(), key);
        let certificate = token.certificate(&authority, &Leaf::server(HOST));
        let verified = run_well(
            command("openssl")
                .args(["verify", "-CAfile"])
                .args([&authority.certificate, &certificate.path]),
        );
        assert!(verified.contains(": OK"), "{verified}");
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate.der).unwrap();
        assert_eq!(parsed.public_key().raw, token.spki, "{key:?}");
    }
}

#[test]
fn spy_counts_signatures() {
    let scratch = Scratch::new();
    let token = Token::generate(scratch.path(), Key::P256);
    let spy = Spy::on(&token, scratch.path());
    assert_eq!(spy.signatures(), 0);
    let message = scratch.write("message", [7; 32]);
    let pin = std::fs::read_to_string(&token.pin_file).unwrap();
    run_well(
        command("pkcs11-tool")
            .env("SOFTHSM2_CONF", &token.configuration)
            .envs(spy.environment.iter().cloned())
            .arg("--module")
            .arg(&spy.module)
            .args([
                "--token-label",
                "t8gate-test",
                "--login",
                "--pin",
                pin.trim(),
            ])
            .args([
                "--sign",
                "--mechanism",
                "ECDSA",
                "--label",
                "server",
                "--input-file",
            ])
            .arg(&message)
            .arg("--output-file")
            .arg(scratch.path().join("signature")),
    );
    assert_eq!(spy.signatures(), 1);
}

#[test]
fn minted_tokens_verify_by_their_jwks_and_by_their_pem() {
    for algorithm in Algorithm::ALL {
        let mint = Mint::new(algorithm, "k");
        let token = mint.good(&claims("acme-app", "3gpp-nidd", "thumbprint"));
        assert_eq!(token.split('.').count(), 3);
        let jwk = serde_json::from_value(mint.jwk()).unwrap();
        let pem = mint.public_pem();
        let by_pem = match algorithm {
            Algorithm::Es256 | Algorithm::Es384 => DecodingKey::from_ec_pem(pem.as_bytes()),
            Algorithm::Rs256 | Algorithm::Ps256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
            Algorithm::EdDsa => DecodingKey::from_ed_pem(pem.as_bytes()),
        };
        for key in [DecodingKey::from_jwk(&jwk).unwrap(), by_pem.unwrap()] {
            let mut rules = Validation::new(algorithm.name().parse().unwrap());
            rules.set_audience(&["https://t8.example"]);
            let verified = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &rules);
            let verified = verified.unwrap_or_else(|fault| panic!("{algorithm:?}: {fault}"));
            assert_eq!(verified.claims["cnf"]["x5t#S256"], "thumbprint");
        }
    }
}

/// A TLS server that takes one client certificate, reads a little, and answers.
fn tiny_server(stage: &Stage, answer: &'static [u8]) -> std::net::SocketAddr {
    let server = stage.operator_ca.issue("tiny", &Leaf::server(HOST));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(stage.partner_ca.der.clone()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder(roots.into())
        .build()
        .unwrap();
    let config = rustls::ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![server.der.clone()], server.private_key())
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let tls = rustls::ServerConnection::new(config.into()).unwrap();
        let mut stream = rustls::StreamOwned::new(tls, socket);
        let mut request = [0; 4096];
        if std::io::Read::read(&mut stream, &mut request).is_ok() {
            let _ = stream.write_all(answer);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    address
}

fn connect(stage: &Stage, answer: &'static [u8]) -> Client {
    stage
        .dialer(&stage.acme)
        .connect(tiny_server(stage, answer))
        .unwrap()
}

#[test]
fn client_reads_lengths_chunks_interim_answers_and_the_end() {
    let origin = Origin::start();
    let stage = Stage::new(origin.address);
    let mut client = connect(
        &stage,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\n\r\nhi\
          HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
          HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\nto the end",
    );
    let first = client.ask(get("/", "t"));
    assert_eq!((first.status, first.body.as_slice()), (200, &b"hi"[..]));
    assert_eq!(
        (first.interim.as_slice(), first.field("a")),
        (&[100][..], Some("b"))
    );
    let second = client.answer();
    assert_eq!((second.status, second.text()), (201, "abc".to_owned()));
    assert_eq!(client.answer().status, 204);
    assert_eq!(client.answer().text(), "to the end");
    assert_eq!(client.read_answer(false).unwrap_err(), ReadFault::Closed);
    assert!(client.closed());
}

#[test]
fn client_tells_a_cut_answer_from_a_whole_one() {
    let origin = Origin::start();
    let stage = Stage::new(origin.address);
    let mut client = connect(
        &stage,
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nshort",
    );
    client.send(get("/", "t")).unwrap();
    assert!(matches!(
        client.read_answer(false),
        Err(ReadFault::CutOff(_))
    ));
}

#[test]
fn client_without_a_certificate_sees_the_refusal() {
    let origin = Origin::start();
    let stage = Stage::new(origin.address);
    let address = tiny_server(&stage, b"");
    let dialer = Dialer::new(&stage.operator_ca.der, None, HOST);
    let refused = dialer.connect(address).map(|mut client| client.refusal());
    assert!(
        format!("{refused:?}").contains("CertificateRequired"),
        "{refused:?}"
    );
}

#[test]
fn curl_and_s_client_reach_a_server_of_the_test_pki() {
    let origin = Origin::start();
    let stage = Stage::new(origin.address);
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let address = tiny_server(&stage, answer);
    let ca = &stage.operator_ca.certificate;
    let mut curl = peers::curl(address, ca, Some(&stage.acme));
    assert_eq!(run_well(curl.arg(peers::url(address, "/"))), "hi");
    let address = tiny_server(&stage, answer);
    let outcome = peers::s_client(
        address,
        ca,
        Some(&stage.acme),
        &["-tls1_3"],
        b"GET /\r\n\r\n",
    );
    assert!(
        outcome.stdout.contains("Verify return code: 0 (ok)"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn configuration_text_renders_sections_and_tables() {
    let mut config = crate::harness::gateway::ConfigText::default();
    config
        .set("limits.head_bytes_max", "\"16KiB\"")
        .set_text("tls.key.file", "/k.pem");
    config.table("client", "name = \"a\"").raw("# end\n");
    let text = config.render();
    assert_eq!(
        text,
        "[limits]\nhead_bytes_max = \"16KiB\"\n\n[tls.key]\nfile = \"/k.pem\"\n\n\
         [[client]]\nname = \"a\"\n\n# end\n"
    );
    toml::from_str::<toml::Table>(&text).unwrap();
    toml::from_str::<toml::Table>(&Stage::new("127.0.0.1:1".parse().unwrap()).config.render())
        .unwrap();
}

#[test]
fn waiting_ends_by_success_or_by_time() {
    let mut asked = 0;
    assert!(within(Duration::from_secs(5), || {
        asked += 1;
        asked == 3
    }));
    assert!(!within(Duration::from_millis(20), || false));
}
