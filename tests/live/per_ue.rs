//! Clients that are held to some UEs, over real sockets: what they may ask, about whom, and what
//! reaches the SCEF of it.

use crate::harness::client::{Client, Dialer, Response};
use crate::harness::mint::{self, with};
use crate::harness::origin::{Act, Received, ok};
use crate::harness::pki::{Leaf, San};
use crate::harness::stage::{House, Stage};

mod answers;
mod matrix;
mod model;
mod parsers;
mod patches;
mod resources;

/// A client with services, its connection, and a token for all that it may use.
struct Held {
    dialer: Dialer,
    client: Client,
    token: String,
    /// Its `{scsAsId}`.
    id: &'static str,
}

/// What is left to make a [`Held`] of once the gateway runs.
struct Ready {
    dialer: Dialer,
    token: String,
    id: &'static str,
}

/// Adds a client with these services to the configuration, each without its first line.
fn held(stage: &mut Stage, id: &'static str, apis: &str, services: &[String]) -> Ready {
    let name = format!("{id}.example");
    let san = San::Dns(Box::leak(name.clone().into_boxed_str()));
    let identity = stage.partner_ca.issue(id, &Leaf::client(san));
    let services = services
        .iter()
        .map(|service| format!("\n[[client.service]]\n{service}\n"));
    let body = format!(
        "name = {id:?}\nclient_id = {id:?}\nsans = [\"dns:{name}\"]\nscs_as_ids = [{id:?}]\n{}",
        services.collect::<String>()
    );
    stage.config.table("client", &body);
    let claims = mint::claims(id, apis, &identity.thumbprint());
    Ready {
        dialer: stage.dialer(&identity),
        token: stage.mint.good(&claims),
        id,
    }
}

impl Ready {
    fn connect(self, house: &House) -> Held {
        let client = self.dialer.connect(house.gateway.address);
        Held {
            client: client.expect("a handshake with a good certificate"),
            dialer: self.dialer,
            token: self.token,
            id: self.id,
        }
    }
}

impl Held {
    /// Asks, on a new connection where the last answer has ended the old one.
    fn ask(
        &mut self,
        house: &House,
        method: &str,
        path: &str,
        fields: &str,
        body: &[u8],
    ) -> Response {
        let request = crate::harness::client::request(method, path, &self.token, fields, body);
        let request = match body {
            [] => crate::harness::client::head(method, path, &self.token, fields).into_bytes(),
            _ => request,
        };
        let response = self.client.ask(request);
        if response.field("connection") == Some("close") {
            let client = self.dialer.connect(house.gateway.address);
            self.client = client.expect("a handshake with a good certificate");
        }
        response
    }
}

/// One client `meters` that is held to this service of each of some APIs.
fn meters(apis: &[&str], service: &str, change: impl FnOnce(&mut Stage)) -> (House, Held) {
    let mut ready = None;
    let house = House::open_staged(|stage| {
        change(stage);
        let services = apis.iter().map(|api| format!("api = {api:?}\n{service}"));
        let services: Vec<String> = services.collect();
        ready = Some(held(stage, "meters", &apis.join(" "), &services));
    });
    let ready = ready.expect("it was made");
    let held = ready.connect(&house);
    (house, held)
}

/// Has the SCEF answer everything with this body.
fn answer_all(house: &House, body: &[u8]) {
    house
        .origin
        .usually(vec![Act::ReadBody, Act::Send(ok(body))]);
}

/// That nothing has reached the SCEF but looks.
fn assert_only_looked(received: &[Received], what: &str) {
    for request in received {
        assert_eq!(request.method, "GET", "{what}: it reached the SCEF");
        assert_eq!(request.body_bytes, 0, "{what}: its body reached the SCEF");
    }
}

/// A token of the client whose claim limits it.
fn limited(house: &House, details: &serde_json::Value) -> String {
    let claims = with(
        house.stage.claims(),
        "authorization_details",
        details.clone(),
    );
    house.stage.mint.good(&claims)
}
