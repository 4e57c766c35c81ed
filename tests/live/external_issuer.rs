//! An issuer that we did not write and that is not embedded: the gateway takes what `oidc-provider`
//! issues, finds its keys by its description of itself, and asks it about opaque tokens.

use std::os::unix::fs::PermissionsExt;

use crate::authorization::assert_problem;
use crate::clock::Clock;
use crate::harness::mint::AUDIENCE;
use crate::harness::oidc_provider::{ASKING_KEY, OidcProvider};
use crate::harness::pki::{Identity, Leaf, San};
use crate::harness::stage::{House, PATH, Stage};
use crate::harness::wait_until;

struct Scene {
    house: House,
    issuer: OidcProvider,
    /// Another certificate of `acme`: the same client in all but the key.
    other: Identity,
}

/// How the issuer describes itself.
const DESCRIPTIONS: [&str; 2] = ["oauth-authorization-server", "openid-configuration"];

impl Scene {
    /// The issuer of the stage is one whose tokens are what RFC 9068 says, and that is asked about
    /// those that say nothing, by what `proof` says.
    fn open(discovery: &str, proof: impl FnOnce(&mut Stage) -> String) -> Self {
        let mut more = None;
        let house = House::open_staged(|stage| {
            let issuer = OidcProvider::start(stage);
            let (name, ca) = (issuer.name(), issuer.ca().display().to_string());
            let proof = proof(stage);
            stage.config.without_tables("issuer").table(
                "issuer",
                &format!(
                    "name = {name:?}\nprofile = \"rfc9068\"\naudience = {AUDIENCE:?}\n\
                     discovery = {discovery:?}\nca = {ca:?}\n[issuer.introspection]\n\
                     url = \"{name}/token/introspection\"\nca = {ca:?}\ncache = \"1s\"\n{proof}"
                ),
            );
            stage.watch();
            let same = Leaf::client(San::Dns("scs.acme.example"));
            more = Some((issuer, stage.partner_ca.issue("acme-other", &same)));
        });
        let (issuer, other) = more.expect("set above");
        Self {
            house,
            issuer,
            other,
        }
    }

    fn token(&self, format: &str, life_s: u32) -> String {
        let token = self.issuer.token(&self.house.stage.acme, format, life_s);
        let dots = token.matches('.').count();
        assert_eq!(dots, if format == "jwt" { 2 } else { 0 }, "it is of a kind");
        token
    }

    /// Served on a connection of the certificate that it is bound to, and on none of another.
    fn assert_bound(&self, token: &str) {
        assert_eq!(self.house.client().get(PATH, token).status, 200);
        let dialer = self.house.stage.dialer(&self.other);
        let address = self.house.gateway.address;
        let mut other = dialer.connect(address).expect("a good certificate");
        assert_problem(&other.get(PATH, token), 401);
        let refused = self.house.gateway.admin().metrics().count(
            "t8gate_requests_refused_total",
            &[("reason", "token_of_other_certificate")],
        );
        assert_eq!(refused, 1);
        // And the other way round.
        let own = self.issuer.token(&self.other, "jwt", 600);
        assert_eq!(other.get(PATH, &own).status, 200);
        assert_eq!(self.house.client().get(PATH, &own).status, 401);
    }
}

fn by_secret(stage: &mut Stage) -> String {
    let secret = stage.scratch.write("secret", "s3:cret %\n");
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("ours");
    format!(
        "client_id = \"t8:gate\"\nsecret_file = {:?}",
        secret.display().to_string()
    )
}

fn by_certificate(stage: &mut Stage) -> String {
    let own = stage
        .operator_ca
        .issue("t8gate", &Leaf::client(San::Dns("t8gate.example")));
    format!(
        "client_id = \"t8-gate-by-certificate\"\ncertificate = {:?}\nkey_file = {:?}",
        own.certificate.display().to_string(),
        own.key.display().to_string()
    )
}

fn by_assertion(stage: &mut Stage) -> String {
    let key = stage.scratch.path().join(ASKING_KEY).display().to_string();
    format!(
        "client_id = \"t8-gate-by-assertion\"\nprivate_key_jwt = true\nkid = \"gate-1\"\n\
         key_file = {key:?}"
    )
}

//= RFC 8705 section 3 type=test
//# Tokens that an issuer of another make has bound to a certificate are for that one alone.
#[test]
fn jwt_of_an_issuer_of_another_make_serves_its_certificate_until_it_expires() {
    let mut clock = None;
    let scene = Scene::open(DESCRIPTIONS[0], |stage| {
        clock = Some(Clock::of(stage));
        by_secret(stage)
    });
    let token = scene.token("jwt", 300);
    scene.assert_bound(&token);
    let mut client = scene.house.client();
    assert_eq!(client.get(PATH, &token).status, 200);
    let clock = clock.expect("set above");
    clock.set(300 + 20, &scene.house);
    assert_eq!(client.get(PATH, &token).status, 200, "clocks may differ");
    clock.set(300 + 40, &scene.house);
    assert_problem(&client.get(PATH, &token), 401);
    assert_problem(&scene.house.client().get(PATH, &token), 401);
}

#[test]
fn opaque_token_of_an_issuer_of_another_make_serves_its_certificate_until_it_is_revoked_there() {
    let scene = Scene::open(DESCRIPTIONS[1], by_secret);
    let (token, spared) = (scene.token("opaque", 300), scene.token("opaque", 300));
    scene.assert_bound(&token);
    let mut client = scene.house.client();
    for token in [&token, &spared] {
        assert_eq!(client.get(PATH, token).status, 200);
    }
    scene.issuer.revoke(&scene.house.stage.acme, &token);
    wait_until("the cache's time to be over", || {
        client.get(PATH, &token).status == 401
    });
    assert_problem(&scene.house.client().get(PATH, &token), 401);
    assert_eq!(client.get(PATH, &spared).status, 200);
    assert_problem(&client.get(PATH, "nobody-knows-it"), 401);
}

#[test]
fn opaque_token_of_an_issuer_of_another_make_expires_and_its_answers_come_by_a_certificate_too() {
    let scene = Scene::open(DESCRIPTIONS[1], by_certificate);
    let token = scene.token("opaque", 4);
    let mut client = scene.house.client();
    assert_eq!(client.get(PATH, &token).status, 200);
    wait_until("it to expire", || client.get(PATH, &token).status == 401);
    assert_eq!(client.get(PATH, &scene.token("opaque", 300)).status, 200);
}

//= RFC 7523 section 2.2 type=test
//# An issuer that knows the gateway by its key takes what that signs.
#[test]
fn issuer_of_another_make_takes_assertions_of_the_gateway_and_of_no_other_key() {
    let scene = Scene::open(DESCRIPTIONS[0], by_assertion);
    let token = scene.token("opaque", 300);
    scene.assert_bound(&token);
    // Each question has an assertion of its own, which is taken once.
    let mut client = scene.house.client();
    for _ in 0..3 {
        let another = scene.token("opaque", 300);
        assert_eq!(client.get(PATH, &another).status, 200);
    }
    assert_problem(&client.get(PATH, "nobody-knows-it"), 401);
    let stranger = Scene::open(DESCRIPTIONS[0], |stage| {
        let other = crate::harness::pki::Key::P256.generate().serialize_pem();
        let other = stage.scratch.write("other.key", other);
        let asking = stage.scratch.path().join(ASKING_KEY).display().to_string();
        by_assertion(stage).replace(&asking, &other.display().to_string())
    });
    let token = stranger.token("opaque", 300);
    assert_problem(&stranger.house.client().get(PATH, &token), 503);
}

/// Whom the issuer does not know it answers nothing, and that says nothing of a token.
#[test]
fn issuer_of_another_make_that_does_not_know_the_gateway_makes_503() {
    let scene = Scene::open(DESCRIPTIONS[0], |stage| {
        by_secret(stage).replace("t8:gate", "t8:other")
    });
    let response = scene.house.client().get(PATH, &scene.token("opaque", 300));
    assert_problem(&response, 503);
    scene
        .house
        .gateway
        .await_log("cannot be asked about tokens");
}
