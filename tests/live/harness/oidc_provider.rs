//! An authorization server that we did not write: `oidc-provider`, by https, in its own process.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::Value;

use super::mint::AUDIENCE;
use super::pki::{Identity, Key, Leaf};
use super::stage::{API, Stage};
use super::{WAIT, command, free_address, run_well, tool, within};

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/clients/issuer/issuer.mjs"
);

/// The file in the scratch folder with the key of the gateway's assertions, which are those of
/// `t8-gate-by-assertion`.
pub const ASKING_KEY: &str = "asking.key";

/// The running server; killed when dropped. `acme-app` may have tokens of it by the certificate of
/// `acme`, and `t8:gate` may ask about them.
pub struct OidcProvider {
    address: SocketAddr,
    ca: PathBuf,
    pub child: Child,
}

impl OidcProvider {
    /// With a certificate of the operator's CA for `localhost`. It takes clients of both CAs.
    ///
    /// # Panics
    /// Without Node.js, or its packages.
    pub fn start(stage: &Stage) -> Self {
        let address = free_address();
        let server = stage
            .operator_ca
            .issue("oidc-provider", &Leaf::server("localhost"));
        let bundle = [&stage.operator_ca, &stage.partner_ca]
            .map(|ca| fs::read_to_string(&ca.certificate).expect("our own file"))
            .concat();
        let bundle = stage.scratch.write("issuer-clients.pem", bundle);
        let asking = Key::P256.generate().serialize_pem();
        let asking = stage.scratch.write(ASKING_KEY, asking);
        let said = stage.scratch.path().join("oidc-provider.said");
        let to = || File::create(&said).expect("a writable directory");
        let mut node = command("node");
        node.arg(SCRIPT)
            .arg(tool("issuer"))
            .arg(origin(address))
            .args([&server.certificate, &server.key, &bundle])
            .arg(AUDIENCE)
            .arg(asking)
            .stdout(to())
            .stderr(File::create(said.with_extension("errors")).expect("a writable directory"));
        let child = node.spawn();
        let mut child = child.expect("node is installed; hint: make setup");
        // Node.js reads hundreds of files first, on a machine that may have much else to do.
        let serves = within(6 * WAIT, || {
            let ended = child.try_wait().expect("our own child");
            let errors = fs::read_to_string(said.with_extension("errors"));
            assert!(ended.is_none(), "{}", errors.unwrap_or_default());
            fs::read_to_string(&said).is_ok_and(|said| said.contains("ready"))
        });
        assert!(serves, "oidc-provider does not serve");
        let ca = stage.operator_ca.certificate.clone();
        Self { address, ca, child }
    }

    /// What it calls itself.
    pub fn name(&self) -> String {
        origin(self.address)
    }

    /// The file of the CA that its certificate comes from.
    pub fn ca(&self) -> &Path {
        &self.ca
    }

    /// Fetches a token of `acme-app` of this format, for so many seconds.
    pub fn token(&self, who: &Identity, format: &str, life_s: u32) -> String {
        let mut curl = self.curl(who, "/token");
        for pair in [
            "grant_type=client_credentials",
            &format!("scope={API}"),
            &format!("resource={AUDIENCE}/{format}/{life_s}"),
        ] {
            curl.args(["--data", pair]);
        }
        let answer: Value = serde_json::from_str(&run_well(&mut curl)).expect("a JSON document");
        answer["access_token"]
            .as_str()
            .unwrap_or_else(|| panic!("no token: {answer}"))
            .to_owned()
    }

    /// Has it revoke a token of `acme-app`.
    pub fn revoke(&self, who: &Identity, token: &str) {
        let mut curl = self.curl(who, "/token/revocation");
        curl.args(["--data-urlencode", &format!("token={token}"), "--fail"]);
        run_well(&mut curl);
    }

    fn curl(&self, who: &Identity, path: &str) -> Command {
        let mut curl = command("curl");
        curl.args(["-q", "--silent", "--show-error", "--max-time", "10"])
            .arg("--cacert")
            .arg(&self.ca)
            .arg("--cert")
            .arg(&who.certificate)
            .arg("--key")
            .arg(&who.key)
            .args(["--data", "client_id=acme-app"])
            .arg(format!("{}{path}", self.name()));
        curl
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn origin(address: SocketAddr) -> String {
    format!("https://localhost:{}", address.port())
}
