//! The demo's cast, and the configuration it plays by.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::pki::{Leaf, Name};

/// One of the demo's two SCS/ASs. Its name is also its `client_id` and its `{scsAsId}`.
#[derive(Clone, Copy, Debug)]
pub struct Actor {
    pub name: &'static str,
    pub certificate: Leaf,
    pub scopes: &'static [&'static str],
}

/// Reads meters: may watch devices and send them data.
pub const METERS: Actor = Actor {
    name: "meters",
    certificate: Leaf::client(
        "meters",
        "Meters Example",
        "meters",
        Name::Dns("meters.example.com"),
    ),
    scopes: &["3gpp-monitoring-event", "3gpp-nidd"],
};

/// Runs vehicles: may wake devices up, and nothing else.
pub const FLEET: Actor = Actor {
    name: "fleet",
    certificate: Leaf::client(
        "fleet",
        "Fleet Example",
        "fleet",
        Name::Uri("urn:example:scs:fleet"),
    ),
    scopes: &["3gpp-device-triggering"],
};

/// The token's label.
pub const TOKEN: &str = "t8gate-demo";

/// Where the private keys are.
#[derive(Clone, Debug)]
pub enum Keys {
    /// In a token of this PKCS#11 module.
    Token(PathBuf),
    /// In files: there is no SoftHSM here.
    Files,
}

impl Keys {
    /// The URI of a key in the token.
    pub fn uri(label: &str) -> String {
        format!("pkcs11:token={TOKEN};object={label};type=private")
    }

    /// The lines of `[tls.key]` and `[oauth.key]`.
    fn lines(&self, label: &str) -> String {
        match self {
            Self::Token(module) => format!(
                "module = {}\nuri = {}\npin_file = \"pin\"\n",
                quoted(module),
                quoted(Path::new(&Self::uri(label)))
            ),
            Self::Files => format!("file = \"{label}.key.pem\"\n"),
        }
    }
}

/// Where everything listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    pub scef: SocketAddr,
}

impl Addresses {
    /// The gateway as its clients name it.
    pub fn origin(&self) -> String {
        format!("https://localhost:{}", self.listen.port())
    }
}

/// The text of `demo.toml`. Paths in it start at its own folder.
pub fn render(addresses: &Addresses, keys: &Keys) -> String {
    let mut text = format!(
        "# Made by `t8gate demo`. config/t8gate.toml in the source tree documents every key.\n\
         # To serve it without the demo, in this folder, with another SCEF at upstream.address:\n\
         #   SOFTHSM2_CONF=softhsm2.conf t8gate serve --config demo.toml\n\
         [listen]\n\
         address = \"{listen}\"\n\
         server_names = [\"localhost\"]\n\n\
         [tls]\n\
         certificate = \"server.pem\"\n\
         client_ca = \"partner-ca.pem\"\n\n\
         [tls.key]\n{server_key}\n\
         # The embedded issuer: POST {origin}/oauth2/token\n\
         [oauth]\n\
         issuer = \"{origin}\"\n\
         token_lifetime = \"1h\"\n\n\
         [oauth.key]\n{issuer_key}\n",
        listen = addresses.listen,
        origin = addresses.origin(),
        server_key = keys.lines("server"),
        issuer_key = keys.lines("issuer"),
    );
    for actor in [METERS, FLEET] {
        text.push_str(&client(&actor));
    }
    text.push_str(&format!(
        "[upstream]\n\
         address = \"{}\"\n\n\
         [admin]\n\
         address = \"{}\"\n\n\
         [privacy]\n\
         plmns = [\"001-01\"]\n\n\
         [audit]\n\
         file = \"audit.jsonl\"\n\n\
         [limits]\n\
         connections_max = 1000\n",
        addresses.scef, addresses.admin
    ));
    text
}

fn client(actor: &Actor) -> String {
    let name = actor.name;
    let (kind, key, value) = match actor.certificate.name {
        Name::Dns(value) => ("dns", "tls_client_auth_san_dns", value),
        Name::Uri(value) => ("uri", "tls_client_auth_san_uri", value),
    };
    let scopes: Vec<String> = actor
        .scopes
        .iter()
        .map(|scope| format!("{scope:?}"))
        .collect();
    format!(
        "[[client]]\n\
         name = \"{name}\"\n\
         client_id = \"{name}\"\n\
         sans = [\"{kind}:{value}\"]\n\
         scs_as_ids = [\"{name}\"]\n\
         {key} = \"{value}\"\n\
         scopes = [{}]\n\n",
        scopes.join(", ")
    )
}

/// A TOML basic string.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}

/// SoftHSM's module in the usual places of Debian, Ubuntu, Fedora and Arch.
pub fn softhsm() -> Option<PathBuf> {
    const FOLDERS: [&str; 8] = [
        "/usr/lib/softhsm",
        "/usr/lib/x86_64-linux-gnu/softhsm",
        "/usr/lib/aarch64-linux-gnu/softhsm",
        "/usr/lib64/softhsm",
        "/usr/lib64/pkcs11",
        "/usr/lib/pkcs11",
        "/usr/lib",
        "/usr/local/lib/softhsm",
    ];
    let of_others = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let folders = FOLDERS.iter().map(PathBuf::from);
    folders
        .chain(of_others.map(|entry| entry.path().join("softhsm")))
        .map(|folder| folder.join("libsofthsm2.so"))
        .find(|module| module.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses {
            listen: "127.0.0.1:8443".parse().unwrap(),
            admin: "127.0.0.1:9464".parse().unwrap(),
            scef: "127.0.0.1:1080".parse().unwrap(),
        }
    }

    #[test]
    fn both_forms_are_toml_with_every_section() {
        for keys in [Keys::Files, Keys::Token("/usr/lib/a \"b\".so".into())] {
            let table: toml::Table = render(&addresses(), &keys).parse().unwrap();
            for section in ["listen", "tls", "oauth", "upstream", "admin", "audit"] {
                assert!(table.contains_key(section), "{section}");
            }
            assert_eq!(table["client"].as_array().unwrap().len(), 2);
            assert_eq!(
                table["oauth"]["issuer"].as_str(),
                Some("https://localhost:8443")
            );
        }
    }

    #[test]
    fn token_keys_are_named_by_uri_and_the_pin_by_its_file() {
        let table: toml::Table = render(&addresses(), &Keys::Token("/m.so".into()))
            .parse()
            .unwrap();
        let key = &table["oauth"]["key"];
        assert_eq!(
            key["uri"].as_str(),
            Some("pkcs11:token=t8gate-demo;object=issuer;type=private")
        );
        assert_eq!(key["pin_file"].as_str(), Some("pin"));
    }

    #[test]
    fn two_clients_have_no_grant_in_common() {
        assert!(
            METERS
                .scopes
                .iter()
                .all(|scope| !FLEET.scopes.contains(scope))
        );
    }
}
