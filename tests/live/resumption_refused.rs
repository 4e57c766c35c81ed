//! Sessions whose client has lost trust since they were begun: every way to continue one ends in a
//! full handshake, and that in the alert that says why; whoever is still good is let in by it.
//! Clients of openssl and of rustls, TLS 1.3, TLS 1.2 with a ticket, TLS 1.2 with a session id.

use std::net::SocketAddr;

use rustls::version::TLS12;

use crate::harness::client::{Dialer, HOST, ReadFault};
use crate::harness::gateway::Gateway;
use crate::harness::openssl_ca::OpensslCa;
use crate::harness::origin::Origin;
use crate::harness::pki::{Authority, Identity, Key, Leaf, San};
use crate::harness::stage::{House, Stage};
use crate::reload::{ON_SIGNAL, reload, rewrite};
use crate::resumption::{ANSWERED, Clients, FULL, RESUMED, alert, ask, fleet, visit, word};
use crate::revocation::replace;

const MONTH_S: i64 = 30 * 86_400;

/// A client that sends its last flight and a request in one piece, with the session it remembers.
fn come_in_one_piece(dialer: &Dialer, address: SocketAddr) -> String {
    let refused = match dialer.connect_asking(address, &ask()) {
        Err(fault) => fault.to_string(),
        Ok(mut client) => match client.read_answer(false) {
            Err(ReadFault::CutOff(why)) => why,
            other => panic!("not refused: {other:?}"),
        },
    };
    word(&refused)
}

/// Every client is refused by this alert, whatever it brings.
#[track_caller]
fn all_are_refused(clients: &Clients, address: SocketAddr, by: &str) {
    assert_eq!(clients.come_again(address), alert(by));
    assert_eq!(clients.openssl[1].come_again_by_id(address), alert(by));
}

/// The same for clients of rustls that send all they can at once. They have come with what they
/// remember, and remember nothing then.
#[track_caller]
fn all_are_refused_in_one_piece(clients: &Clients, address: SocketAddr, by: &str) {
    for dialer in &clients.rustls {
        assert_eq!(come_in_one_piece(dialer, address), by);
    }
}

/// A fleet of two whose clients come from a CA of openssl's, with a list of it.
pub struct Listed {
    pub stage: Stage,
    origin: Origin,
    pub ca: OpensslCa,
    pub list: std::path::PathBuf,
    pub nodes: [Gateway; 2],
    pub acme: Identity,
    pub globex: Identity,
}

pub fn listed() -> Listed {
    let (mut stage, origin) = fleet();
    let ca = OpensslCa::new(stage.scratch.path(), "ca", "Partner CA of openssl");
    let acme = ca.issue("acme", &San::Dns("scs.acme.example"));
    let globex = ca.issue("globex", &San::Uri("urn:scs:globex"));
    let certificate = ca.certificate.display();
    stage.config.set_text("tls.client_ca", certificate);
    let list = ca.list("partner.crl", MONTH_S);
    let file = format!("file = {:?}", list.display().to_string());
    stage.config.table("crl", &file);
    let nodes = [stage.start(), stage.start()];
    Listed {
        stage,
        origin,
        ca,
        list,
        nodes,
        acme,
        globex,
    }
}

#[test]
fn session_of_a_client_that_was_revoked_since_is_refused_on_every_node_and_others_go_on() {
    let listed = listed();
    let [one, two] = listed.nodes.each_ref().map(|node| node.address);
    let (mut first, mut second) = (
        Clients::of(&listed.stage, &listed.acme),
        Clients::of(&listed.stage, &listed.acme),
    );
    let mut in_one_piece = Clients::of(&listed.stage, &listed.acme);
    let mut good = Clients::of(&listed.stage, &listed.globex);
    for clients in [&mut first, &mut second, &mut in_one_piece, &mut good] {
        clients.begin(one);
        assert_eq!(clients.come_again(two), RESUMED);
    }
    let before = listed.origin.requests();
    listed.ca.revoke(&listed.acme, "keyCompromise");
    let next = listed.ca.list("next.crl", MONTH_S);
    replace(&listed.list, &next, &listed.nodes.each_ref());
    all_are_refused(&first, one, "certificate_revoked");
    all_are_refused(&second, two, "certificate_revoked");
    all_are_refused_in_one_piece(&in_one_piece, two, "certificate_revoked");
    assert_eq!(good.come_again(one), RESUMED);
    assert_eq!(good.come_again(two), RESUMED);
    assert_eq!(listed.origin.requests(), before);
}

/// A certificate without a CRL distribution point, of a group that has that waived, until it has
/// not. A client of the same group that keeps every rule is asked for its certificate again, and
/// let in.
#[test]
fn session_of_a_client_whose_group_waives_its_rule_no_more_is_refused() {
    let mut identities = None;
    let mut house = House::open_staged(|stage| {
        stage.watch();
        stage.config.set("reload.watch", ON_SIGNAL);
        let ca = stage.config.value("tls.client_ca");
        stage.config.unset("tls.client_ca");
        let group =
            format!("name = \"lax\"\nclient_ca = {ca}\nwaive = [\"crl_distribution_points\"]");
        stage.config.table("partner", &group);
        for place in 0..2 {
            stage
                .config
                .extend_table("client", place, "partner = \"lax\"");
        }
        let leaf = Leaf {
            crl_distribution_point: false,
            ..Leaf::client(San::Dns("scs.acme.example"))
        };
        identities = Some(stage.partner_ca.issue("lax", &leaf));
    });
    let lax = identities.expect("issued above");
    let address = house.gateway.address;
    let mut clients = Clients::of(&house.stage, &lax);
    let mut in_one_piece = Clients::of(&house.stage, &lax);
    let mut good = Clients::of(&house.stage, &house.stage.globex);
    for clients in [&mut clients, &mut in_one_piece, &mut good] {
        clients.begin(address);
        assert_eq!(clients.come_again(address), RESUMED);
    }
    let ca = house.stage.partner_ca.certificate.display().to_string();
    rewrite(&mut house, |config| {
        let group = format!("name = \"lax\"\nclient_ca = {ca:?}");
        config.without_tables("partner").table("partner", &group);
    });
    reload(&house);
    crate::trust_lost::let_shards_look();
    all_are_refused(&clients, address, "certificate_unknown");
    all_are_refused_in_one_piece(&in_one_piece, address, "certificate_unknown");
    assert_eq!(good.come_again(address), FULL);
    assert_eq!(good.openssl[1].come_again_by_id(address), FULL);
    assert_eq!(house.origin.requests(), 0);
}

#[test]
fn session_of_a_ca_that_was_taken_out_since_is_refused_in_every_way() {
    let (mut stage, origin) = fleet();
    let before = stage.start();
    let mut clients = Clients::of(&stage, &stage.acme);
    let mut in_one_piece = Clients::of(&stage, &stage.acme);
    for clients in [&mut clients, &mut in_one_piece] {
        clients.begin(before.address);
        assert_eq!(clients.come_again(before.address), RESUMED);
    }
    let other = Authority::new(stage.scratch.path(), "Other CA", Key::P256);
    let certificate = other.certificate.display();
    stage.config.set_text("tls.client_ca", certificate);
    let after = stage.start();
    all_are_refused(&clients, after.address, "unknown_ca");
    all_are_refused_in_one_piece(&in_one_piece, after.address, "unknown_ca");
    assert_eq!(origin.requests(), 0);
}

/// Another listener, of another name and other clients, with the same secret.
#[test]
fn session_of_another_listener_is_refused_where_its_client_is_not_known_and_begun_anew_where_it_is()
{
    let (mut stage, origin) = fleet();
    let node = stage.start();
    let mut clients = Clients::of(&stage, &stage.acme);
    let mut in_one_piece = Clients::of(&stage, &stage.acme);
    let mut known = Clients::of(&stage, &stage.globex);
    for clients in [&mut clients, &mut in_one_piece, &mut known] {
        clients.begin(node.address);
        assert_eq!(clients.come_again(node.address), RESUMED);
    }
    stage.config.set_text("tls.tickets.name", "another");
    stage.config.without_tables("client").table(
        "client",
        "name = \"globex\"\nsans = [\"uri:urn:scs:globex\"]\nscs_as_ids = [\"globex\"]",
    );
    let other = stage.start();
    all_are_refused(&clients, other.address, "access_denied");
    all_are_refused_in_one_piece(&in_one_piece, other.address, "access_denied");
    assert_eq!(known.come_again(other.address), FULL);
    assert_eq!(known.openssl[1].come_again_by_id(other.address), FULL);
    assert_eq!(origin.requests(), 0);
}

/// A client of rustls that asks for sessions by id alone is given none: every handshake is full,
/// and refused once its certificate is revoked.
#[test]
fn client_that_knows_session_ids_only_is_looked_at_every_time() {
    let listed = listed();
    let address = listed.nodes[0].address;
    let stage = &listed.stage;
    let dialer = Dialer::only(&stage.operator_ca.der, &listed.acme, HOST, &TLS12).resuming_by_id();
    for _ in 0..3 {
        assert_eq!(visit(&dialer, address), FULL);
    }
    listed.ca.revoke(&listed.acme, "superseded");
    let next = listed.ca.list("next.crl", MONTH_S);
    replace(&listed.list, &next, &listed.nodes.each_ref());
    let refused = visit(&dialer, address).map_err(|why| word(&why));
    assert_eq!(refused, alert("certificate_revoked"));
}

/// The last flight of a resumption and a request in one piece, from a client that is still good:
/// it is answered, and by what holds now.
#[test]
fn good_client_beside_one_that_was_revoked_goes_on_in_one_piece() {
    let listed = listed();
    let [one, two] = listed.nodes.each_ref().map(|node| node.address);
    let mut good = Clients::of(&listed.stage, &listed.globex);
    good.begin(one);
    listed.ca.revoke(&listed.acme, "keyCompromise");
    let next = listed.ca.list("next.crl", MONTH_S);
    replace(&listed.list, &next, &listed.nodes.each_ref());
    for dialer in &good.rustls {
        let mut client = dialer.connect_asking(two, &ask()).expect("a handshake");
        assert_eq!(client.handshake_kind().map(Ok), Some(RESUMED));
        assert!(ANSWERED.contains(&client.answer().status));
    }
}
