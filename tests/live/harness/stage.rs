//! The usual scene: one gateway, one SCEF, two SCS/AS operators, one authorization server.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;

use super::Scratch;
use super::client::{Client, Dialer, HOST};
use super::gateway::{self, ConfigText, Gateway};
use super::mint::{self, AUDIENCE, Algorithm, ISSUER, Mint};
use super::origin::Origin;
use super::pki::{Authority, Identity, Key, Leaf, San};
use super::softhsm::{Spy, Token};

/// An API every test may use, and a resource of the first client there.
pub const API: &str = "3gpp-monitoring-event";
pub const PATH: &str = "/3gpp-monitoring-event/v1/acme/subscriptions";
/// A single resource of the first client: takes PUT, PATCH and DELETE as well.
pub const RESOURCE: &str = "/3gpp-monitoring-event/v1/acme/subscriptions/7";

/// Everything but the gateway: what a configuration names.
pub struct Stage {
    pub scratch: Scratch,
    pub operator_ca: Authority,
    pub partner_ca: Authority,
    /// The client `acme`: `dns:scs.acme.example`, may use `scsAsId` `acme` and `acme-two`.
    pub acme: Identity,
    /// The client `globex`: `uri:urn:scs:globex`, may use `scsAsId` `globex`.
    pub globex: Identity,
    pub mint: Mint,
    pub config: ConfigText,
    /// For the gateway's process.
    pub environment: Vec<(String, String)>,
}

impl Stage {
    /// A server key in a file, of P-256.
    pub fn new(scef: SocketAddr) -> Self {
        Self::with_server_key(scef, Key::P256)
    }

    /// A server key in a file.
    pub fn with_server_key(scef: SocketAddr, key: Key) -> Self {
        let mut stage = Self::bare(scef);
        let leaf = Leaf {
            key,
            ..Leaf::server(HOST)
        };
        let server = stage.operator_ca.issue("server", &leaf);
        stage
            .config
            .set_text("tls.certificate", server.certificate.display());
        stage.config.set_text("tls.key.file", server.key.display());
        stage
    }

    /// A server key in a software token of its own.
    pub fn with_token(scef: SocketAddr, key: Key) -> (Self, Token) {
        let mut stage = Self::bare(scef);
        let token = Token::generate(stage.scratch.path(), key);
        let certificate = token.certificate(&stage.operator_ca, &Leaf::server(HOST));
        stage
            .config
            .set_text("tls.certificate", certificate.path.display());
        stage
            .config
            .set_text("tls.key.module", token.module.display());
        stage.config.set_text("tls.key.uri", &token.uri);
        stage
            .config
            .set_text("tls.key.pin_file", token.pin_file.display());
        stage.config.set("tls.key.sessions", "2");
        let configuration = token.configuration.display().to_string();
        stage
            .environment
            .push(("SOFTHSM2_CONF".to_owned(), configuration));
        (stage, token)
    }

    /// The same, with a spy that writes down every call to the token.
    pub fn with_spied_token(scef: SocketAddr, key: Key) -> (Self, Spy) {
        let (mut stage, token) = Self::with_token(scef, key);
        let spy = Spy::on(&token, stage.scratch.path());
        stage
            .config
            .set_text("tls.key.module", spy.module.display());
        stage.environment.extend(spy.environment.iter().cloned());
        (stage, spy)
    }

    fn bare(scef: SocketAddr) -> Self {
        let scratch = Scratch::new();
        let directory = scratch.path();
        let operator_ca = Authority::new(directory, "Operator TLS CA", Key::P384);
        let partner_ca = Authority::new(directory, "Partner TLS CA", Key::P384);
        let acme = partner_ca.issue("acme", &Leaf::client(San::Dns("scs.acme.example")));
        let globex = partner_ca.issue("globex", &Leaf::client(San::Uri("urn:scs:globex")));
        let mint = Mint::new(Algorithm::Es256, "first");
        let jwks = mint::write_jwks(directory, &[&mint]);
        let mut config = ConfigText::default();
        config.set("listen.cpus", &format!("[{}]", gateway::next_cpu()));
        config.set("listen.server_names", &format!("[{HOST:?}]"));
        config.set_text("tls.client_ca", partner_ca.certificate.display());
        config.set_text("upstream.address", scef);
        config.table(
            "issuer",
            &format!(
                "name = {ISSUER:?}\naudience = {AUDIENCE:?}\njwks = {:?}",
                jwks.display().to_string()
            ),
        );
        config.table(
            "client",
            r#"
name = "acme"
client_id = "acme-app"
sans = ["dns:scs.acme.example"]
scs_as_ids = ["acme", "acme-two"]"#,
        );
        config.table(
            "client",
            r#"
name = "globex"
client_id = "globex-app"
sans = ["uri:urn:scs:globex"]
scs_as_ids = ["globex"]"#,
        );
        let environment = Vec::new();
        Self {
            scratch,
            operator_ca,
            partner_ca,
            acme,
            globex,
            mint,
            config,
            environment,
        }
    }

    /// Has the gateway issue tokens, with a key in a file. `acme` may have [`API`] and NIDD;
    /// `globex` is not registered.
    pub fn issue_tokens(&mut self) {
        self.issue_tokens_to(BY_NAME);
    }

    /// The same where `acme` authenticates as this line of its table says.
    pub fn issue_tokens_to(&mut self, authentication: &str) {
        let key = self
            .scratch
            .write("issuer.key", Key::P256.generate().serialize_pem());
        self.config.set_text("oauth.key.file", key.display());
        self.register_acme(authentication);
    }

    /// The same with a key of its own in the token of the server's key.
    pub fn issue_tokens_from(&mut self, token: &Token) {
        self.issue_tokens_by(token, Key::P256);
    }

    /// The same with a key of some kind.
    pub fn issue_tokens_by(&mut self, token: &Token, key: Key) {
        token.generate_key(key, "issuer", "07");
        let uri = token.uri.replace("object=server", "object=issuer");
        let module = self.config.value("tls.key.module");
        self.config.set("oauth.key.module", &module);
        self.config.set_text("oauth.key.uri", uri);
        let pin_file = self.config.value("tls.key.pin_file");
        self.config.set("oauth.key.pin_file", &pin_file);
        self.register_acme(BY_NAME);
    }

    /// Records decisions in the file that comes back, and opens an admin listener.
    pub fn watch(&mut self) -> PathBuf {
        let file = self.scratch.path().join("audit.jsonl");
        self.config.set_text("audit.file", file.display());
        self.config.set_text("admin.address", "127.0.0.1:0");
        file
    }

    fn register_acme(&mut self, authentication: &str) {
        self.config
            .set_text("oauth.issuer", format!("https://{HOST}"));
        let registration = format!("{authentication}\nscopes = [{API:?}, \"3gpp-nidd\"]");
        self.config.extend_table("client", 0, &registration);
    }

    /// Changes the configuration before the start.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.config.set(key, value);
        self
    }

    /// Starts the gateway.
    pub fn start(&self) -> Gateway {
        Gateway::start(&self.config, self.scratch.path(), &self.environment)
    }

    /// How `identity` connects.
    pub fn dialer(&self, identity: &Identity) -> Dialer {
        Dialer::new(&self.operator_ca.der, Some(identity), HOST)
    }

    /// The claims of a good token of `acme`.
    pub fn claims(&self) -> Value {
        mint::claims("acme-app", API, &self.acme.thumbprint())
    }

    /// A good token of `acme`.
    pub fn token(&self) -> String {
        self.mint.good(&self.claims())
    }
}

/// How `acme` authenticates at the gateway's own issuer where nothing else is said.
const BY_NAME: &str = "tls_client_auth_san_dns = \"scs.acme.example\"";

/// A stage with a SCEF and a running gateway.
pub struct House {
    pub gateway: Gateway,
    pub origin: Origin,
    pub stage: Stage,
}

impl House {
    /// The usual scene.
    pub fn open() -> Self {
        Self::open_with(|_| {})
    }

    /// The usual scene with another configuration.
    pub fn open_with(change: impl FnOnce(&mut ConfigText)) -> Self {
        Self::open_staged(|stage| change(&mut stage.config))
    }

    /// The usual scene with other files in it.
    pub fn open_staged(change: impl FnOnce(&mut Stage)) -> Self {
        let origin = Origin::start();
        let mut stage = Stage::new(origin.address);
        change(&mut stage);
        let gateway = stage.start();
        Self {
            gateway,
            origin,
            stage,
        }
    }

    /// A connection of `acme`.
    /// Changes the configuration file of the gateway, which runs.
    pub fn rewrite(&mut self, change: impl FnOnce(&mut ConfigText)) {
        change(&mut self.stage.config);
        let mut config = self.stage.config.clone();
        config.set_text("listen.address", self.gateway.address);
        if let Some(admin) = self.gateway.admin {
            config.set_text("admin.address", admin);
        }
        std::fs::write(&self.gateway.file, config.render()).expect("our own file");
    }

    pub fn client(&self) -> Client {
        let dialer = self.stage.dialer(&self.stage.acme);
        dialer
            .connect(self.gateway.address)
            .expect("a handshake with a good certificate")
    }

    /// A good token of `acme`.
    pub fn token(&self) -> String {
        self.stage.token()
    }
}
