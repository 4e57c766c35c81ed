//! Sessions are continued by tickets: on another node, after a restart, while secrets change; and
//! whatever has lost trust since ends in a full handshake, and that in the alert that fits.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::HandshakeKind;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use crate::clock::Clock;
use crate::harness::client::{Dialer, HOST, get};
use crate::harness::gateway;
use crate::harness::origin::Origin;
use crate::harness::peers;
use crate::harness::pki::{Authority, Identity, Key, Leaf, San};
use crate::harness::softhsm::Token;
use crate::harness::stage::{House, PATH, Stage};
use crate::hsm_lost::Store;

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
const SLOT_S: i64 = 6 * 3_600;

/// What several gateways are started from, and a SCEF that they share.
pub fn fleet() -> (Stage, Origin) {
    let origin = Origin::start();
    let mut stage = Stage::new(origin.address);
    let secret = secret(&stage, "secret");
    share(&mut stage, &secret);
    (stage, origin)
}

/// Every gateway of a test has a port of its own, and they are to stand in for one another.
fn share(stage: &mut Stage, secret: &Path) {
    stage
        .config
        .set_text("tls.tickets.secret_file", secret.display());
    stage.config.set_text("tls.tickets.name", "fleet");
}

pub fn secret(stage: &Stage, name: &str) -> PathBuf {
    let mut octets = [0; 32];
    rand::fill(&mut octets).expect("random octets");
    let file = stage.scratch.write(name, STANDARD.encode(octets));
    let closed = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&file, closed).expect("our own file");
    file
}

/// Clients of a fleet, each with a memory of its sessions: of rustls and of openssl, with TLS 1.3
/// and TLS 1.2.
pub struct Clients {
    pub rustls: Vec<Dialer>,
    pub openssl: Vec<Openssl>,
}

pub struct Openssl {
    ca: PathBuf,
    identity: [PathBuf; 2],
    version: &'static str,
    pub session: PathBuf,
}

/// How a visit ended: full or resumed, or the alert.
pub type Visit = Result<HandshakeKind, String>;

impl Clients {
    pub fn of(stage: &Stage, identity: &Identity) -> Self {
        let ca = &stage.operator_ca;
        let dialer = |version| Dialer::only(&ca.der, identity, HOST, version).resuming();
        let openssl = |version: &'static str| Openssl {
            ca: ca.certificate.clone(),
            identity: [identity.certificate.clone(), identity.key.clone()],
            version,
            session: identity.certificate.with_extension(&version[1..]),
        };
        Self {
            rustls: BOTH.map(dialer).into(),
            openssl: ["-tls1_3", "-tls1_2"].map(openssl).into(),
        }
    }

    /// Each begins a session, whatever it remembers.
    pub fn begin(&mut self, address: SocketAddr) {
        for dialer in &mut self.rustls {
            *dialer = dialer.clone().resuming();
            assert_eq!(visit(dialer, address), Ok(HandshakeKind::Full));
        }
        for openssl in &self.openssl {
            assert_eq!(openssl.begin(address), Ok(HandshakeKind::Full));
        }
    }

    /// Each comes again with the session it has begun, and all fare alike.
    #[track_caller]
    pub fn come_again(&self, address: SocketAddr) -> Visit {
        let mut visits = Vec::new();
        for dialer in &self.rustls {
            visits.push(visit(dialer, address).map_err(|why| word(&why)));
        }
        for openssl in &self.openssl {
            visits.push(openssl.come_again(address).map_err(|why| word(&why)));
        }
        let first = visits[0].clone();
        assert!(visits.iter().all(|visit| *visit == first), "{visits:?}");
        first
    }
}

impl Openssl {
    fn begin(&self, address: SocketAddr) -> Visit {
        self.run(address, &["-sess_out"])
    }

    fn come_again(&self, address: SocketAddr) -> Visit {
        self.run(address, &["-sess_in"])
    }

    /// With the id of its session, which is of TLS 1.2, and not with the ticket.
    pub fn come_again_by_id(&self, address: SocketAddr) -> Visit {
        self.run(address, &["-no_ticket", "-sess_in"])
            .map_err(|why| word(&why))
    }

    fn run(&self, address: SocketAddr, arguments: &[&str]) -> Visit {
        let session = self.session.display().to_string();
        let said = self.say(address, &[arguments, &[&*session]].concat());
        if ANSWERED
            .iter()
            .any(|status| said.contains(&format!("HTTP/1.1 {status}")))
        {
            let reused = said.contains("Reused, ");
            assert_ne!(reused, said.contains("New, "), "{said}");
            return Ok(if reused {
                HandshakeKind::Resumed
            } else {
                HandshakeKind::Full
            });
        }
        Err(said)
    }

    /// Asks without a token, and tells all that openssl has said.
    fn say(&self, address: SocketAddr, arguments: &[&str]) -> String {
        let [certificate, key] = self
            .identity
            .each_ref()
            .map(|path| path.display().to_string());
        let mut all = vec![self.version, "-cert", &certificate, "-key", &key];
        all.extend_from_slice(arguments);
        let outcome = peers::s_client(address, &self.ca, None, &all, ask().as_bytes());
        outcome.stdout + &outcome.stderr
    }
}

/// What a client is told that asks without a token, for its own resources or for another's.
pub const ANSWERED: [u16; 2] = [401, 403];

/// A request that is answered with one of those, and the end of the connection.
pub fn ask() -> String {
    format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n")
}

pub fn visit(dialer: &Dialer, address: SocketAddr) -> Visit {
    let mut client = dialer.connect(address).map_err(|error| error.to_string())?;
    // In TLS 1.3 the refusal, or the ticket, comes with the first read.
    client.send(ask()).map_err(|error| error.to_string())?;
    let answer = client.read_answer(false);
    let answer = answer.map_err(|fault| format!("{fault:?}"))?;
    assert!(ANSWERED.contains(&answer.status), "{}", answer.status);
    Ok(client.handshake_kind().expect("a finished handshake"))
}

/// The alert in what rustls or openssl says of it.
pub fn word(said: &str) -> String {
    let alerts = [
        (
            "CertificateUnknown",
            "alert number 46",
            "certificate_unknown",
        ),
        ("UnknownCA", "alert number 48", "unknown_ca"),
        ("AccessDenied", "alert number 49", "access_denied"),
        (
            "CertificateExpired",
            "alert number 45",
            "certificate_expired",
        ),
        (
            "CertificateRevoked",
            "alert number 44",
            "certificate_revoked",
        ),
    ];
    let heard = |(rustls, openssl, _): &&(&str, &str, &str)| {
        said.contains(*rustls) || said.contains(*openssl)
    };
    let found = alerts.iter().find(heard);
    found.map_or_else(|| said.to_owned(), |(_, _, word)| (*word).to_owned())
}

pub fn alert(word: &str) -> Visit {
    Err(word.to_owned())
}

pub const RESUMED: Visit = Ok(HandshakeKind::Resumed);
pub const FULL: Visit = Ok(HandshakeKind::Full);

#[test]
fn session_begun_on_one_node_is_continued_on_another_and_after_a_restart() {
    let (stage, _origin) = fleet();
    let (one, two) = (stage.start(), stage.start());
    let mut clients = Clients::of(&stage, &stage.acme);
    clients.begin(one.address);
    assert_eq!(clients.come_again(two.address), RESUMED);
    assert_eq!(clients.come_again(one.address), RESUMED);
    drop((one, two));
    let later = stage.start();
    assert_eq!(clients.come_again(later.address), RESUMED);
    // The client is who it was: a token bound to its certificate is taken.
    let mut client = clients.rustls[0]
        .connect(later.address)
        .expect("a handshake");
    assert_eq!(client.handshake_kind(), Some(HandshakeKind::Resumed));
    client
        .send(get(PATH, &stage.token()))
        .expect("a connection");
    assert_eq!(client.answer().status, 200);
}

#[test]
fn node_without_the_secret_or_of_another_name_begins_anew() {
    let (mut stage, _origin) = fleet();
    let node = stage.start();
    let mut clients = Clients::of(&stage, &stage.acme);
    clients.begin(node.address);
    stage
        .config
        .set_text("tls.tickets.name", "another listener");
    assert_eq!(clients.come_again(stage.start().address), FULL);
    stage.config.set_text("tls.tickets.name", "fleet");
    let other = secret(&stage, "other");
    stage
        .config
        .set_text("tls.tickets.secret_file", other.display());
    clients.begin(node.address);
    assert_eq!(clients.come_again(stage.start().address), FULL);
    stage
        .config
        .unset("tls.tickets.secret_file")
        .unset("tls.tickets.name");
    clients.begin(node.address);
    assert_eq!(clients.come_again(stage.start().address), FULL);
}

#[test]
fn secret_is_replaced_while_sessions_go_on() {
    let (mut stage, _origin) = fleet();
    let mut clients = Clients::of(&stage, &stage.acme);
    let old = stage.start();
    let (old_file, new_file) = (
        stage.config.value("tls.tickets.secret_file"),
        secret(&stage, "new"),
    );
    stage
        .config
        .set_text("tls.tickets.second_secret_file", new_file.display());
    let announced = stage.start();
    stage
        .config
        .set_text("tls.tickets.secret_file", new_file.display());
    stage
        .config
        .set("tls.tickets.second_secret_file", &old_file);
    let replaced = stage.start();
    stage.config.unset("tls.tickets.second_secret_file");
    let withdrawn = stage.start();

    clients.begin(old.address);
    assert_eq!(clients.come_again(announced.address), RESUMED);
    clients.begin(old.address);
    assert_eq!(clients.come_again(replaced.address), RESUMED);
    clients.begin(replaced.address);
    assert_eq!(clients.come_again(announced.address), RESUMED);
    clients.begin(replaced.address);
    assert_eq!(clients.come_again(withdrawn.address), RESUMED);
    clients.begin(old.address);
    assert_eq!(clients.come_again(withdrawn.address), FULL);
}

/// A fleet whose secret is a key in a token that all nodes have.
fn fleet_with_token() -> (Stage, Origin, Token) {
    let origin = Origin::start();
    let (mut stage, token) = Stage::with_token(origin.address, Key::P256);
    let uri = token.generate_secret("tickets", "09");
    stage.config.set_text("tls.tickets.uri", uri);
    for key in ["module", "pin_file"] {
        let value = stage.config.value(&format!("tls.key.{key}"));
        stage.config.set(&format!("tls.tickets.{key}"), &value);
    }
    stage.config.set_text("tls.tickets.name", "fleet");
    (stage, origin, token)
}

#[test]
fn secret_in_a_token_is_shared_by_nodes_and_replaced_as_one_in_a_file() {
    let (mut stage, _origin, token) = fleet_with_token();
    let (one, two) = (stage.start(), stage.start());
    let mut clients = Clients::of(&stage, &stage.acme);
    clients.begin(one.address);
    assert_eq!(clients.come_again(two.address), RESUMED);
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", one.pid())).expect("our own child");
    assert!(
        !maps.contains("softhsm"),
        "the module is in the gateway's memory"
    );
    let new = token.generate_secret("tickets-new", "0a");
    let old = stage.config.value("tls.tickets.uri");
    stage.config.set_text("tls.tickets.uri", new);
    stage.config.set("tls.tickets.second_uri", &old);
    let replaced = stage.start();
    assert_eq!(clients.come_again(replaced.address), RESUMED);
    stage.config.unset("tls.tickets.second_uri");
    clients.begin(one.address);
    assert_eq!(clients.come_again(stage.start().address), FULL);
}

/// What is held lasts for the current slot and the next one; then sessions are begun anew, which
/// the token has to sign for.
#[test]
fn sessions_are_continued_while_the_token_of_the_secret_is_away() {
    let (mut stage, origin, _token) = fleet_with_token();
    let server = stage.operator_ca.issue("server", &Leaf::server(HOST));
    let certificate = server.certificate.display();
    stage.config.set_text("tls.certificate", certificate);
    for key in ["module", "uri", "pin_file", "sessions"] {
        stage.config.unset(&format!("tls.key.{key}"));
    }
    stage.config.set_text("tls.key.file", server.key.display());
    let clock = Clock::of(&mut stage);
    let store = Store::of(&stage);
    let gateway = stage.start();
    let house = House {
        gateway,
        origin,
        stage,
    };
    let address = house.gateway.address;
    let mut clients = Clients::of(&house.stage, &house.stage.acme);
    clients.begin(address);
    store.lose();
    clock.set(SLOT_S, &house);
    house
        .gateway
        .await_log("does not say the next secrets of session tickets");
    assert_eq!(clients.come_again(address), RESUMED);
    clients.begin(address);
    clock.set(2 * SLOT_S, &house);
    assert_eq!(clients.come_again(address), RESUMED);
    store.bring_back();
    house
        .gateway
        .await_log("the token answers for session tickets again");
    clients.begin(address);
    clock.set(3 * SLOT_S, &house);
    assert_eq!(clients.come_again(address), RESUMED);
}

#[test]
fn session_outlives_its_slot_and_the_next_one_ends_it() {
    let (mut stage, origin) = fleet();
    let clock = Clock::of(&mut stage);
    let gateway = stage.start();
    let house = House {
        gateway,
        origin,
        stage,
    };
    let address = house.gateway.address;
    let mut clients = Clients::of(&house.stage, &house.stage.acme);
    clients.begin(address);
    clock.set(SLOT_S, &house);
    assert_eq!(clients.come_again(address), RESUMED);
    clock.set(0, &house);
    clients.begin(address);
    clock.set(2 * SLOT_S, &house);
    assert_eq!(clients.come_again(address), FULL);
    // A node whose clock is behind takes what is of the next slot.
    clients.begin(address);
    clock.set(SLOT_S, &house);
    assert_eq!(clients.come_again(address), RESUMED);
}

#[test]
fn change_of_the_trusted_cas_ends_in_a_full_handshake() {
    let (mut stage, _origin) = fleet();
    let before = stage.start();
    let mut clients = Clients::of(&stage, &stage.acme);
    let pem = |authority: &Authority| std::fs::read(&authority.certificate).expect("our own file");
    let other = Authority::new(stage.scratch.path(), "Other CA", Key::P256);
    let known = pem(&stage.partner_ca);
    let more = stage
        .scratch
        .write("more.pem", [&known[..], &pem(&other)].concat());
    let turned = stage
        .scratch
        .write("turned.pem", [&pem(&other), &known[..]].concat());

    clients.begin(before.address);
    stage
        .config
        .set_text("tls.client_ca", other.certificate.display());
    assert_eq!(
        clients.come_again(stage.start().address),
        alert("unknown_ca")
    );
    stage.config.set_text("tls.client_ca", more.display());
    let grown = stage.start();
    clients.begin(before.address);
    assert_eq!(clients.come_again(grown.address), FULL);
    // What the file says counts, not in which order.
    stage.config.set_text("tls.client_ca", turned.display());
    clients.begin(grown.address);
    assert_eq!(clients.come_again(stage.start().address), RESUMED);
}

#[test]
fn client_that_is_known_no_longer_is_refused_with_its_ticket() {
    let (mut stage, _origin) = fleet();
    let before = stage.start();
    let mut clients = Clients::of(&stage, &stage.acme);
    clients.begin(before.address);
    stage.config.without_tables("client").table(
        "client",
        "name = \"globex\"\nsans = [\"uri:urn:scs:globex\"]\nscs_as_ids = [\"globex\"]",
    );
    assert_eq!(
        clients.come_again(stage.start().address),
        alert("access_denied")
    );
}

#[test]
fn certificate_that_has_expired_is_refused_with_its_ticket_on_every_node() {
    let (mut stage, origin) = fleet();
    let clock = Clock::of(&mut stage);
    let leaf = Leaf {
        valid_until_s: 120,
        ..Leaf::client(San::Dns("scs.acme.example"))
    };
    let brief = stage.partner_ca.issue("brief", &leaf);
    let mut clients = Clients::of(&stage, &brief);
    let (one, two) = (stage.start(), stage.start());
    clients.begin(one.address);
    assert_eq!(clients.come_again(two.address), RESUMED);
    let house = House {
        gateway: two,
        origin,
        stage,
    };
    clock.set(200, &house);
    let refused = alert("certificate_expired");
    let address = house.gateway.address;
    assert_eq!(clients.come_again(address), refused);
    assert_eq!(clients.openssl[1].come_again_by_id(address), refused);
}

/// TLS 1.2 without tickets: no session id is given, and none of another server's is taken.
#[test]
fn no_session_is_continued_by_its_id() {
    let house = House::open();
    let (stage, address) = (&house.stage, house.gateway.address);
    let clients = Clients::of(stage, &stage.acme);
    let openssl = &clients.openssl[1];
    let file = openssl.session.display().to_string();
    let said = openssl.say(address, &["-no_ticket", "-sess_out", &file]);
    assert!(said.contains("Session-ID: \n"), "{said}");
    assert!(!openssl.session.exists(), "openssl found something to keep");
    // With a ticket the client makes up an id of its own, and without its ticket that is nothing.
    assert_eq!(openssl.begin(address), FULL);
    let said = openssl.say(address, &["-no_ticket", "-sess_in", &file]);
    assert!(
        said.contains("New, TLSv1.2") && !said.contains("Reused"),
        "{said}"
    );
    assert_eq!(openssl.come_again(address), RESUMED);
}

#[test]
fn each_handshake_brings_one_ticket_that_says_how_long_it_opens() {
    let (stage, _origin) = fleet();
    let node = stage.start();
    let clients = Clients::of(&stage, &stage.acme);
    for openssl in &clients.openssl {
        let said = openssl.say(node.address, &["-msg"]);
        let tickets = said.matches("NewSessionTicket").count();
        assert_eq!(tickets, 1, "{said}");
        let file = openssl.session.display().to_string();
        let said = openssl.say(node.address, &["-sess_out", &file]);
        let hint = format!("lifetime hint: {} (seconds)", SLOT_S - 60);
        assert!(said.contains(&hint), "{said}");
    }
}

/// The client's last flight of the resumption and its request come in one piece.
#[test]
fn request_may_come_in_one_piece_with_the_end_of_a_resumption() {
    let (stage, _origin) = fleet();
    let (one, two) = (stage.start(), stage.start());
    let clients = Clients::of(&stage, &stage.acme);
    for dialer in &clients.rustls {
        assert_eq!(visit(dialer, one.address), FULL);
        for address in [two.address, one.address] {
            let request = get(PATH, &stage.token());
            let mut client = dialer
                .connect_asking(address, &request)
                .expect("a handshake");
            assert_eq!(client.handshake_kind(), Some(HandshakeKind::Resumed));
            assert_eq!(client.answer().status, 200);
        }
    }
}

#[test]
fn check_shows_the_secret_by_its_file_and_says_what_is_wrong_with_it() {
    let (mut stage, _origin) = fleet();
    let check = |stage: &Stage| {
        let file = gateway::write(stage.scratch.path(), &stage.config);
        let outcome = gateway::check(&file, &stage.environment);
        (outcome.status.success(), outcome.stdout + &outcome.stderr)
    };
    stage
        .config
        .set_text("listen.address", crate::harness::free_address());
    let (good, said) = check(&stage);
    assert!(
        good && said.contains("slots of 360 min, listener fleet"),
        "{said}"
    );
    let short = stage.scratch.write("short", "YWJj");
    std::fs::set_permissions(&short, std::fs::Permissions::from_mode(0o600)).unwrap();
    stage
        .config
        .set_text("tls.tickets.secret_file", short.display());
    let (good, said) = check(&stage);
    assert!(
        !good && said.contains("3 random octets where 32 are needed"),
        "{said}"
    );
    assert!(said.contains("openssl rand -base64 32"), "{said}");
    stage
        .config
        .unset("tls.tickets.secret_file")
        .unset("tls.tickets.name");
    let (good, said) = check(&stage);
    assert!(
        good && said.contains("of this process: no other node"),
        "{said}"
    );
}
